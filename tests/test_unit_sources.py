"""What makes a number of a map: held to plain hooks, to torch's own products, and to finite changes of weights."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.activations import Layer, Probe
from explorer.data_flow import DataFlow
from explorer.errors import LayerError, ModelError
from explorer.recording import Recorder
from explorer.ui.components.unit_ledger import bound
from explorer.unit_sources import PICTURE, NoProducts, Reading
from explorer.unit_tracing import read
from tests.zoo import embedded, pictures, seeded


def traced(network: nn.Module, size: int = 224) -> tuple[Probe, DataFlow]:
    probe = Probe(Recorder(network, size), size)
    return probe, DataFlow(probe)


def hooked(network: nn.Module, name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a module is given and what it gives, the last time that it runs: a hook of our own, copied at once."""
    kept: list[tuple[Tensor, Tensor]] = []
    hook = network.get_submodule(name).register_forward_hook(
        lambda module, args, output: kept.append((args[0].clone(), output.clone()))
    )
    with torch.no_grad():
        network(x)
    hook.remove()
    return kept[-1]


def windows(reading: Reading, given: Tensor, module: nn.Conv2d) -> Tensor:
    """(n, kh · kw, h · w): what torch's own unfold takes from what a convolution was given, for one filter."""
    channels = list(reading.channels)
    found = functional.unfold(
        given[:, channels].double(), module.kernel_size, module.dilation, module.padding, module.stride
    )
    return found[0].reshape(len(channels), -1, found.shape[-1])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "embedded": embedded,
    **{
        name: lambda name=name: seeded(name)
        for name in (
            "resnet18",
            "mobilenet_v3_small",
            "densenet121",
            "convnext_tiny",
            "vit_b_32",
            "shufflenet_v2_x0_5",
            "googlenet",
            "squeezenet1_1",
        )
    },
}


def disturbed(network: nn.Module) -> nn.Module:
    """Normalisations that do something: random weights leave them at 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.3, generator=generator)
                if isinstance(module, nn.BatchNorm2d):
                    assert module.running_mean is not None
                    assert module.running_var is not None
                    module.running_mean.normal_(0, 0.2, generator=generator)
                    module.running_var.uniform_(0.5, 2, generator=generator)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_every_number_of_a_ledger_is_the_networks_own(name: str):
    """Layers all over the network: the map, the sum of products, each step behind it, as plain hooks see them."""
    network = NETWORKS[name]()
    if name != "embedded":
        network = disturbed(network)
    x, rng = pictures(1), random.Random(name)
    probe, flow = traced(network)
    layers = [layer for layer in probe.layers if layer.layout != "heads"]
    found, sentences = 0, []
    for layer in rng.sample(layers, 14):
        unit = rng.randrange(layer.channels)
        cell = (rng.randrange(layer.grid[0]), rng.randrange(layer.grid[1]))
        try:
            reading = read(flow, x, layer.key, unit)
        except NoProducts as error:
            sentences.append((layer.key, str(error)))
            continue
        found += 1
        value = float(probe.maps(x, [layer.key])[layer.key][unit][cell])
        ledger = reading.ledger(cell)
        assert float(reading.values[cell]) == value
        assert ledger.value == pytest.approx(value, abs=1e-5 * bound(reading, ledger, cell))
        assert ledger.total == pytest.approx(float(reading.made[cell]), abs=1e-5 * ledger.magnitude)
        assert ledger.contributions.sum() + ledger.bias == ledger.total
        module = network.get_submodule(reading.module)
        assert type(module).__name__ == reading.kind
        given, made = hooked(network, reading.module, x)
        if isinstance(module, nn.Conv2d):
            row, column = (int(place) for place in reading.places[cell])
            assert reading.made[cell] == made[0, reading.filter, row, column]
            weights = module.weight[reading.filter]
            assert np.array_equal(ledger.weights, weights.double().numpy())
            if type(module) is nn.Conv2d and module.padding_mode == "zeros":
                taken = windows(reading, given, module)[:, :, row * made.shape[3] + column]
                assert np.array_equal(ledger.window.reshape(taken.shape), taken.numpy())
        else:
            assert isinstance(module, nn.Linear)
            assert np.array_equal(ledger.weights.ravel(), module.weight[reading.filter].double().numpy())
        for step, result in zip(reading.steps, ledger.results, strict=True):
            assert np.isfinite(result), step.title
    assert found >= 6
    assert all(key in sentence for key, sentence in sentences)


def test_a_layer_that_pads_by_itself_is_read_with_its_padding():
    """timm's Conv2dSame: its attribute says 0, it pads below and on the right alone; 224 pixels, stride 2."""
    network = embedded()
    _, flow = traced(network)
    x = pictures(1)
    reading = read(flow, x, "conv_stem", 5)
    padded = functional.pad(x, (0, 1, 0, 1))
    made = functional.conv2d(padded, network.conv_stem.weight, stride=2)[0, 5]
    assert (reading.padding, reading.stride, reading.reads) == ((0, 0), (2, 2), PICTURE)
    assert reading.inputs.shape == (3, 224, 224)
    for cell in ((0, 0), (111, 111), (111, 3), (60, 111)):
        ledger = reading.ledger(cell)
        assert ledger.total == pytest.approx(float(made[cell]), abs=1e-5)
        outside = torch.zeros(226, 226, dtype=torch.bool)  # what the layer adds: row 224, column 224
        outside[224:], outside[:, 224:] = True, True
        top, left = 2 * cell[0], 2 * cell[1]
        assert np.array_equal(ledger.padding, outside[top : top + 3, left : left + 3])


class Oddities(nn.Module):
    """Groups, a dilated and lopsided kernel, padding of several kinds, shuffled maps, a gate, steps by hand."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 8, (3, 4), padding=(2, 1), dilation=(2, 1))
        self.groups = nn.Conv2d(8, 12, 3, groups=4, padding="same", bias=False)
        self.reflected = nn.Conv2d(12, 12, 3, padding=1, padding_mode="reflect", groups=12)
        self.norm = nn.GroupNorm(3, 12)
        self.gate = nn.Conv2d(12, 12, 1)
        self.point = nn.Linear(12, 6)
        self.last = nn.Identity()
        self.far = nn.Conv2d(6, 4, 3, stride=2)
        self.shifted = nn.Identity()
        self.scores = nn.Linear(4 * 3 * 3, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(self.first(x), (2, 0, 1, 0))
        x = functional.leaky_relu(self.groups(x), 0.2, inplace=True)
        x = x.unflatten(1, (4, 3)).transpose(1, 2).flatten(1, 2)
        x = self.norm(self.reflected(x))
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        x = self.last(1.5 - 2 * self.point(x.movedim(1, -1)).movedim(-1, 1))
        x = self.shifted(self.far(x).roll((1, 2), (2, 3)).clamp(-1, 1))
        scores: Tensor = self.scores(functional.adaptive_avg_pool2d(x, 3).flatten(1))
        return scores


@pytest.mark.parametrize(
    "key", ["first", "groups", "reflected", "norm", "gate", "point", "last", "far", "shifted", "scores"]
)
def test_odd_layers_are_read_as_they_ran(key: str):
    network = Oddities()
    probe, flow = traced(network, 24)
    x, rng = pictures(1, 24), random.Random(key)
    layer = probe.layer(key)
    maps = probe.maps(x, [key])[key]
    for unit in range(layer.channels):
        reading = read(flow, x, key, unit)
        assert np.array_equal(reading.values, maps[unit].numpy())
        for _ in range(6):
            cell = (rng.randrange(layer.grid[0]), rng.randrange(layer.grid[1]))
            ledger = reading.ledger(cell)
            assert ledger.value == pytest.approx(
                float(maps[unit][cell]), abs=1e-5 * bound(reading, ledger, cell)
            )
            assert ledger.total == pytest.approx(float(reading.made[cell]), abs=1e-5 * ledger.magnitude)


def test_what_a_reading_says_of_odd_layers():
    _, flow = traced(Oddities(), 24)
    x = pictures(1, 24)
    groups = read(flow, x, "groups", 7)  # the third group of three filters reads channels 4 and 5
    assert (list(groups.channels), groups.reads, groups.module, groups.bias) == (
        [4, 5],
        "first",
        "groups",
        None,
    )
    # "same", and one row and two columns that the network puts there by itself
    assert groups.padding == (2, 3)
    shuffled = read(flow, x, "reflected", 4)
    assert (shuffled.filter, list(shuffled.channels)) == (4, [4])
    moved = read(flow, x, "shifted", 0)
    assert moved.places[0, 0].tolist() == [moved.layer.grid[0] - 1, moved.layer.grid[1] - 2]
    assert [step.title for step in moved.steps] == ["clamp(-1, 1)"]
    last = read(flow, x, "last", 1)
    assert (last.module, last.kind, [step.title for step in last.steps]) == (
        "point",
        "Linear",
        ["× 2", "1.5 − x"],
    )
    dense = read(flow, x, "scores", 2)
    assert dense.inputs.shape == (36, 1, 1)


def test_one_changed_weight_changes_the_map_as_its_ledger_says():
    """An oracle that knows no hooks: d value / d weight is the window's number, times what follows."""
    network = seeded("resnet18").double()
    probe, flow = traced(network)
    x = pictures(1).double()
    reading = read(flow, x, "layer2.0.bn2", 3)
    cell, (channel, row, column) = (5, 9), (17, 0, 2)
    ledger = reading.ledger(cell)
    weight = network.get_submodule(reading.module).weight
    before = float(
        probe.recorder.network.get_submodule("layer2.0.bn2")(hooked(network, "layer2.0.bn2", x)[0])[0, 3][
            cell
        ]
    )
    with torch.no_grad():
        weight[3, channel, row, column] += 0.5
    after = float(hooked(network, "layer2.0.bn2", x)[1][0, 3][cell])
    assert reading.steps[0].scale is not None
    slope = ledger.window[channel, row, column] * float(reading.steps[0].scale[cell])
    assert after - before == pytest.approx(0.5 * slope, rel=1e-5)


class Spoiling(nn.Module):
    """A block that overwrites what its convolution has read, and a normalisation whose epsilon counts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.conv = nn.Conv2d(4, 5, 3)
        self.norm = nn.BatchNorm2d(5, eps=0.7)
        self.norm.running_var.fill_(0.3)  # type: ignore[union-attr]
        self.norm.running_mean.fill_(-2)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(x)
        x.zero_()
        return self.norm(made).relu_()  # type: ignore[no-any-return]


def test_what_is_overwritten_later_is_shown_as_it_was_read():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), Spoiling(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    probe, flow = traced(network, 12)
    x = pictures(1, 12)
    made = probe.maps(x, ["1"])["1"]
    given = probe.maps(x, ["0"])["0"]
    for unit in range(5):
        reading = read(flow, x, "1", unit)
        assert np.array_equal(reading.inputs, given.numpy())
        assert reading.inputs.any()
        for cell in ((0, 0), (4, 7), (9, 9)):
            assert reading.ledger(cell).value == pytest.approx(float(made[unit][cell]), abs=1e-5)


class Shortcuts(nn.Module):
    """A sum with what its only convolution reads, a learned slope, a weight that is computed, statistics of a map."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.first = nn.Conv2d(3, 4, 3)
        self.short = nn.Conv2d(4, 4, 3, padding=1)
        self.sum = nn.Identity()
        self.slope = nn.PReLU(4)
        self.far = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 5, 3))
        self.place = nn.Parameter(torch.randn(1, 5, 8, 8))
        self.placed = nn.Identity()
        self.alone = nn.InstanceNorm2d(5, affine=True, track_running_stats=True)
        self.scores = nn.Linear(5, 3)
        with torch.no_grad():
            self.slope.weight.copy_(torch.tensor([-0.5, 0.25, 2, 1]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = self.slope(self.sum(x + self.short(x)))
        x = self.placed(2 * self.place + self.far(x))
        scores: Tensor = self.scores(self.alone(x).mean((2, 3)))
        return scores


@pytest.mark.parametrize(
    ("key", "module", "kind", "steps"),
    [
        ("sum", "short", "Conv2d", [("+", "first")]),
        ("slope", "short", "Conv2d", [("+", "first"), ("PReLU", "")]),
        ("placed", "far", "ParametrizedConv2d", [("+", "")]),
    ],
)
def test_every_path_to_a_sum_has_numbers_of_its_own(
    key: str, module: str, kind: str, steps: list[tuple[str, str]]
):
    network = Shortcuts()
    probe, flow = traced(network, 12)
    x = pictures(1, 12)
    maps = probe.maps(x, [key])[key]
    given, made = hooked(network, module, x)
    for unit in range(len(maps)):
        reading = read(flow, x, key, unit)
        assert (reading.module, reading.kind) == (module, kind)
        assert [(step.title, step.other_layer) for step in reading.steps] == steps
        assert np.array_equal(reading.inputs, given[0].numpy())
        assert np.array_equal(reading.made, made[0, unit].numpy())
        for cell in ((0, 0), (3, 5), (7, 7)):
            value = float(maps[unit][cell])
            assert reading.ledger(cell).value == pytest.approx(value, abs=1e-5)
            assert float(reading.values[cell]) == value


def test_a_normalisation_whose_weights_are_computed_is_said_in_a_sentence():
    _, flow = traced(Shortcuts(), 12)
    with pytest.raises(NoProducts, match="alone is computed from several numbers by native_batch_norm"):
        read(flow, pictures(1, 12), "alone", 0)


def test_a_residual_sum_names_what_is_added():
    network = disturbed(seeded("resnet18"))
    probe, flow = traced(network)
    x = pictures(1)
    reading = read(flow, x, "layer2.1", 7)
    assert (reading.module, [step.title for step in reading.steps]) == (
        "layer2.1.conv2",
        ["batch norm", "+", "ReLU"],
    )
    added = reading.steps[1]
    assert added.other_layer == "layer2.0.relu~2"
    assert added.other is not None
    shortcut = probe.maps(x, ["layer2.0"])["layer2.0"][7].numpy()
    assert np.array_equal(added.other.astype(np.float32), shortcut)
    down = read(flow, x, "layer2.0", 7).steps[1]
    assert down.other_layer == "layer2.0.downsample.1"


def test_squeeze_excite_is_a_gate_and_layer_scale_a_weight():
    probe, flow = traced(disturbed(seeded("mobilenet_v3_small")))
    x = pictures(1)
    reading = read(flow, x, "features.4.block.2", 11)
    assert reading.steps[-1].title == "×"
    gate = probe.maps(x, [reading.steps[-1].other_layer])[reading.steps[-1].other_layer]
    assert reading.steps[-1].other is not None
    assert np.allclose(reading.steps[-1].other, float(gate[11]))
    _, flow = traced(seeded("convnext_tiny"))
    block = read(flow, x, "features.1.0", 5)
    assert [(step.title, step.other_layer) for step in block.steps] == [
        ("×", "features.1.0.layer_scale"),
        ("+", "features.0.1"),
    ]


def test_maps_side_by_side_are_followed_to_their_own_filters():
    _, flow = traced(seeded("squeezenet1_1"))
    x = pictures(1)
    left, right = read(flow, x, "features.3", 3), read(flow, x, "features.3", 64 + 3)
    assert (left.module, left.filter, right.module, right.filter) == (
        "features.3.expand1x1",
        3,
        "features.3.expand3x3",
        3,
    )


def test_a_dense_layer_behind_maps_reads_windows_of_them():
    """VGG's first dense layer is a convolution whose kernel covers 7 × 7 cells of 512 maps."""
    probe, flow = traced(seeded("alexnet"))
    x = pictures(1)
    reading = read(flow, x, "classifier.1", 100)
    assert (reading.inputs.shape, reading.kernel_size, reading.reads) == ((256, 6, 6), (6, 6), "avgpool")
    network = probe.recorder.network
    given, made = hooked(network, "classifier.1", x)
    assert np.array_equal(reading.inputs.ravel(), given[0].numpy())
    assert reading.ledger((0, 0)).value == pytest.approx(float(made[0, 100]), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "layer", "words", "below"),
    [
        ("resnet18", "maxpool", "the largest value of a window of relu", "relu"),
        ("resnet18", "avgpool", "the mean over a whole map of layer4.1.relu~2", "layer4.1.relu~2"),
        ("vit_b_32", "encoder.layers.encoder_layer_0.self_attention", "in one step by attention", ""),
    ],
)
def test_what_no_filter_makes_is_said_in_a_sentence(name: str, layer: str, words: str, below: str):
    _, flow = traced(seeded(name))
    with pytest.raises(NoProducts, match=words) as told:
        read(flow, pictures(1), layer, 0)
    if below:
        assert told.value.below == below


def test_what_is_not_there_is_refused():
    probe, flow = traced(Oddities(), 24)
    x = pictures(1, 24)
    with pytest.raises(LayerError, match="no unit 12: they go from 0 to 11"):
        read(flow, x, "groups", 12)
    with pytest.raises(LayerError, match="no layer “nowhere”"):
        read(flow, x, "nowhere", 0)
    rows, columns = probe.layer("groups").grid
    with pytest.raises(LayerError, match="no cell"):
        read(flow, x, "groups", 0).ledger((rows, columns - 1))


def test_a_reading_leaves_the_network_as_it_was_and_lets_the_probe_go():
    network = seeded("squeezenet1_1")
    x = pictures(1)
    probe, flow = traced(network)
    with torch.no_grad():
        before = network(x)
    read(flow, x, "features.3", 3)
    with torch.no_grad():
        assert torch.equal(network(x), before)
    layer: Layer = probe.layer("features.3")
    del probe
    gc.collect()
    with pytest.raises(ModelError, match="let go"):
        read(flow, x, layer.key, 0)


def test_the_picture_itself_is_made_by_nothing():
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same = nn.Identity()
            self.conv = nn.Conv2d(3, 4, 3)
            self.scores: Any = nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.scores(self.conv(self.same(x)).amax((2, 3)))
            return scores

    _, flow = traced(Whole(), 16)
    with pytest.raises(NoProducts, match="the picture itself"):
        read(flow, pictures(1, 16), "same", 0)
