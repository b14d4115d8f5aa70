"""Fields of whole networks: held to gradients, to the papers, and to reference data."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision import models as zoo
from torchvision.ops import SqueezeExcitation

from explorer.errors import ModelError
from explorer.field_tracing import EVERYTHING, Field, from_module
from explorer.models import DEFAULT_MODEL, build_network, card
from explorer.receptive_field import Box, ReceptiveField, receptive_field, stack_of
from explorer.recording import Recorder


class Bare(TorchFunctionMode):
    """Networks built under it have no weights: theirs are made by `torch.empty`, now on the meta device."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        device = {"device": "meta"} if func is torch.empty else {}
        return func(*args, **(kwargs or {}) | device)


def bare(name: str) -> nn.Module:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with Bare():
        network: nn.Module = zoo.get_model(name, **options)
    return network


def last_map(fields: Any) -> tuple[str, ReceptiveField]:
    return [(name, field) for name, field in fields.items() if isinstance(field, ReceptiveField)][-1]


def open_to_gradients(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """Every path counts: weights are equal and positive, in double; maxima become means."""

    def mean(
        x: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor:
        return nn.functional.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)

    monkeypatch.setattr(nn.functional, "max_pool2d", mean)
    network = network.to_empty(device="cpu").double().eval()
    with torch.no_grad():
        for tensor in [*network.parameters(), *network.buffers()]:
            tensor.fill_(1 / tensor[0].numel() if tensor.dim() > 1 else 1)
    return network.requires_grad_(False)


def gradient_of(
    network: nn.Module, layer: str, unit: tuple[int, int], shape: tuple[int, int], channel: int | None = None
) -> Tensor:
    """How every pixel of a picture changes this unit of a layer, (height, width): of one map, or of all."""
    kept: list[Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda *call: kept.append(call[2]))
    picture = torch.ones(1, 3, *shape, dtype=torch.float64, requires_grad=True)
    network(picture)
    hook.remove()
    maps = slice(None) if channel is None else channel
    (gradient,) = torch.autograd.grad(kept[-1][0, maps, unit[0], unit[1]].sum(), picture)
    return gradient[0].amax(0)


def seen(
    network: nn.Module, layer: str, unit: tuple[int, int], shape: tuple[int, int], channel: int | None = None
) -> Box:
    """First and last row and column of a picture that change this unit of a layer."""
    rows, columns = gradient_of(network, layer, unit, shape, channel).nonzero(as_tuple=True)
    return (int(rows.min()), int(rows.max())), (int(columns.min()), int(columns.max()))


@pytest.mark.parametrize(
    ("name", "layer", "side", "narrowest"),
    [
        ("vgg16", "features", 212, 32),
        ("resnet50", "layer4", 427, 32),  # torchvision's form
        ("inception_v3", "Mixed_7c", 1311, 75),
        ("densenet121", "features", 2071, 32),
    ],
)
def test_fields_of_known_networks_are_those_of_gradients(
    name: str, layer: str, side: int, narrowest: int, monkeypatch: pytest.MonkeyPatch
):
    """On a strip of a picture as long as the field and as narrow as the network takes, for either axis."""
    network = bare(name)
    field = from_module(network)[layer]
    assert isinstance(field, ReceptiveField)
    assert (field.size, field.jump, field.everything) == ((side, side), (32, 32), False)
    if name == "vgg16":
        network.classifier = nn.Identity()  # 124 million weights that play no part
    network = open_to_gradients(network, monkeypatch)
    for axis in (0, 1):
        unit = -(field.start[axis] // field.jump[axis])
        length = field.region((unit, unit))[axis][1] + 1 + 2 * field.jump[axis]
        strip = (length, narrowest) if axis == 0 else (narrowest, length)
        place = (unit, 0) if axis == 0 else (0, unit)
        assert seen(network, layer, place, strip)[axis] == field.region((unit, unit))[axis]


class Branches(nn.Module):
    """Paths of different fields: padded by hand, cropped, shuffled, added, side by side, with LRN."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 4), stride=2, padding=(1, 0))
        self.wide = nn.Conv2d(8, 8, (1, 5), dilation=2, bias=False)
        self.tall = nn.Conv2d(8, 8, 3, groups=2, padding=1, padding_mode="reflect")
        self.norm = nn.LocalResponseNorm(3)
        self.point = nn.Linear(16, 4)
        self.down = nn.Conv2d(4, 4, 2, stride=(3, 2))
        self.halves = nn.AdaptiveAvgPool2d((8, 8))
        self.scores = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x))
        wide = self.wide(nn.functional.pad(x, (3, 5, 0, 0)))
        tall = nn.functional.hardswish(self.tall(x)).clone()
        count, channels, height, width = tall.shape
        tall = tall.view(count, 2, channels // 2, height, width).transpose(1, 2).reshape(tall.shape)
        both = torch.cat([wide, tall + x], 1)
        rows = self.point(both.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        cropped = self.down(rows[:, :, 1:, 2:])
        scores: Tensor = self.scores(self.halves(cropped).flatten(2).mean(-1))
        return scores


def test_fields_through_branches_are_those_of_gradients(monkeypatch: pytest.MonkeyPatch):
    shape = (98, 70)
    network = Branches()
    fields = from_module(network, shape)
    assert set(fields) == {name for name, _ in network.named_modules() if name}
    network = open_to_gradients(network, monkeypatch)
    for layer, unit in {
        "stem": (3, 4),
        "wide": (5, 6),
        "tall": (4, 7),
        "down": (6, 7),
        "halves": (3, 4),
    }.items():
        field = fields[layer]
        assert isinstance(field, ReceptiveField)
        assert not field.everything
        for at in (unit, (unit[0] + 1, unit[1] + 1)):
            assert seen(network, layer, at, shape) == field.region(at), layer
    assert fields["scores"] == EVERYTHING


class Edges(nn.Module):
    """Windows that meet edges in every way: ceil mode, dilated pools, mirrored and one-sided padding, crops."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.ceil = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.floor = nn.MaxPool2d(2, 2)
        self.holes = nn.Conv2d(4, 4, 3, padding=1, dilation=3)
        self.mirror = nn.Conv2d(4, 4, 3, stride=2, padding=1, padding_mode="reflect")
        self.edge = nn.Conv2d(4, 4, (2, 3), padding=(1, 2), padding_mode="replicate")
        self.mean = nn.AvgPool2d(3, 2, padding=1, ceil_mode=True)
        self.dilated = nn.MaxPool2d(2, 1, padding=1, dilation=2)
        self.one_sided = nn.ZeroPad2d((0, 3, 2, 0))
        self.last = nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.floor(self.ceil(self.stem(x)))
        x = self.edge(self.mirror(self.holes(x)))
        x = self.dilated(self.mean(x[:, :, 1:, :-1]))
        last: Tensor = self.last(self.one_sided(x))
        return last


def dilated_mean(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 ceil_mode: bool = False, return_indices: bool = False) -> Tensor:  # fmt: skip
    """The mean where torch's pool takes the maximum, of as many windows as it has."""
    sizes = torch.max_pool2d(x, kernel_size, stride or kernel_size, padding, dilation, ceil_mode).shape[2:]
    reach = [
        (size - 1) * (stride or kernel_size) + dilation * (kernel_size - 1) + 1 - padding - side
        for size, side in zip(sizes, x.shape[2:], strict=True)
    ]
    padded = nn.functional.pad(x, (padding, max(reach[1], 0), padding, max(reach[0], 0)))
    windows = nn.functional.unfold(padded, kernel_size, dilation, 0, stride or kernel_size)
    windows = windows.view(1, x.shape[1], kernel_size**2, -1).mean(2)
    columns = (padded.shape[3] - dilation * (kernel_size - 1) - 1) // (stride or kernel_size) + 1
    return windows.view(1, x.shape[1], -1, columns)[:, :, : sizes[0], : sizes[1]]


@pytest.mark.parametrize("shape", [(84, 97), (91, 88), (79, 80)])
def test_what_units_at_every_edge_see_is_where_gradients_are(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    network = Edges()
    fields = from_module(network, shape)
    assert set(fields) == {name for name, _ in network.named_modules() if name}
    network = open_to_gradients(network, monkeypatch)
    monkeypatch.setattr(nn.functional, "max_pool2d", dilated_mean)
    smaller = 0
    for layer, field in fields.items():
        assert isinstance(field, ReceptiveField)
        assert field.spans
        rows, columns = (len(spans.first) for spans in field.spans)
        for unit in (
            (0, 0),
            (0, columns - 1),
            (rows // 2, columns // 2),
            (rows - 1, 0),
            (rows - 1, columns - 1),
        ):
            found = field.clipped(unit, shape)
            if found is None:
                assert not gradient_of(network, layer, unit, shape).any()
            else:
                assert seen(network, layer, unit, shape) == found, (layer, unit)
            linear = ReceptiveField(field.size, field.jump, field.start)
            smaller += linear.clipped(unit, shape) != found
    assert smaller > 10


@pytest.mark.parametrize("pad", [nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ZeroPad2d])
def test_what_stands_in_the_padding_is_what_gradients_say(
    pad: type[nn.Module], monkeypatch: pytest.MonkeyPatch
):
    """So wide that windows of the first and last units read nothing else."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), pad((3, 0, 4, 3)), nn.Conv2d(4, 4, 2))  # type: ignore[call-arg]
    field = from_module(network, (20, 25))["2"]
    network = open_to_gradients(network, monkeypatch)
    assert isinstance(field, ReceptiveField)
    assert field.spans
    rows, columns = (len(spans.first) for spans in field.spans)
    assert (rows, columns) == (9 + 7 - 1, 12 + 3 - 1)
    for unit in [(row, 6) for row in range(rows)] + [(7, column) for column in range(columns)]:
        found = field.clipped(unit, (20, 25))
        if found is None:
            assert not gradient_of(network, "2", unit, (20, 25)).any()
        else:
            assert seen(network, "2", unit, (20, 25)) == found, unit


class SideBySide(nn.Module):
    """Branches side by side, pooled, read in groups, shuffled, cut apart, gated."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(3, 4, 1)
        self.wide = nn.Conv2d(3, 4, 5, padding=2)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm = nn.BatchNorm2d(8)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.shuffle = nn.ChannelShuffle(2)
        self.each = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.product = nn.Identity()
        self.both = nn.Identity()
        self.mixed = nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.narrow(x), self.wide(x)], 1)
        x = self.grouped(self.norm(self.pool(x)).relu())
        x = self.shuffle(x + x.mean((2, 3), keepdim=True).detach())
        left, right = x.chunk(2, 1)
        product = self.product(self.each(x)[:, 2:14:3] * right)
        mixed: Tensor = self.mixed(self.both(torch.cat([left, product, right], 1)))
        return mixed


def test_maps_of_branches_have_fields_of_their_own_until_weights_mix_them(monkeypatch: pytest.MonkeyPatch):
    shape = (30, 33)
    network = SideBySide()
    fields = from_module(network, shape)
    network = open_to_gradients(network, monkeypatch)
    for layer, field in fields.items():
        assert isinstance(field, ReceptiveField)
        assert field.spans
        assert (field.part_of is None) == (layer in ("narrow", "wide", "mixed")), layer
        rows, columns = (len(spans.first) for spans in field.spans)
        for channel in range(
            {"each": 16, "both": 12}.get(layer, 4 if field.part_of is None else len(field.part_of))
        ):
            for unit in ((0, 0), (rows // 2, columns // 2), (rows - 1, columns - 1)):
                own = field.of_map(channel).clipped(unit, shape)
                assert seen(network, layer, unit, shape, channel) == own, (layer, channel, unit)
    pool, both = fields["pool"], fields["both"]
    assert isinstance(pool, ReceptiveField)
    assert isinstance(both, ReceptiveField)
    assert [part.size for part in pool.parts] == [(3, 3), (7, 7)]
    assert {part.size for part in both.parts} == {(7, 7), (11, 11), (15, 15)}
    assert pool.of_map(8) is pool  # no such map: what holds for all


def test_windows_of_adaptive_pools_that_differ_in_size_are_not_guessed():
    pool = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(5), nn.Conv2d(4, 4, 3))
    assert list(from_module(pool, 15)) == ["0", "1", "2"]
    assert list(from_module(pool, 17)) == ["0"]


def test_known_stacks_and_traced_networks_agree():
    for name, builder in {"vgg16": "vgg16", "resnet18": "resnet18", "resnet50": "resnet50"}.items():
        assert last_map(from_module(bare(builder)))[1] == receptive_field(stack_of(name))


def test_squeeze_excite_shows_everything_and_keeps_the_box_of_the_other_paths():
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
    excited = nn.Sequential(nn.Conv2d(3, 8, 3), SqueezeExcitation(8, 2), nn.Conv2d(8, 8, 3))
    field, with_gate = from_module(plain)["1"], from_module(excited)["2"]
    assert isinstance(with_gate, ReceptiveField)
    assert isinstance(field, ReceptiveField)
    assert (field.size, field.everything) == ((5, 5), False)
    assert (with_gate.size, with_gate.everything) == ((5, 5), True)
    assert from_module(excited)["1.avgpool"] == from_module(excited)["1.scale_activation"] == EVERYTHING


@pytest.mark.parametrize(
    ("norm", "everything"),
    [
        (nn.BatchNorm2d(4), False),
        (nn.InstanceNorm2d(4), True),
        (nn.GroupNorm(2, 4), True),
        (nn.LayerNorm([4, 8, 8]), True),
        (nn.Softmax2d(), False),
        (nn.Softmax(-1), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_normalising_over_the_map_shows_everything(norm: nn.Module, everything: bool):
    field = from_module(nn.Sequential(nn.Conv2d(3, 4, 3), norm), 10)["1"]
    assert isinstance(field, ReceptiveField)
    assert (field.size, field.everything) == ((3, 3), everything)


def test_attention_shows_everything():
    fields = from_module(bare("vit_b_32"))
    assert fields["conv_proj"] == ReceptiveField((32, 32), (32, 32))
    block = fields["encoder.layers.encoder_layer_0.ln_2"]
    assert block == ReceptiveField((32, 32), (32, 32), everything=True)
    assert fields["heads"] == EVERYTHING


@pytest.mark.parametrize(
    "unknown",
    [nn.ConvTranspose2d(4, 4, 2, 2), nn.Upsample(scale_factor=2), nn.PixelShuffle(2), nn.Unfold(2)],
    ids=lambda module: type(module).__name__,
)
def test_layers_behind_what_no_rule_tells_of_are_left_out(unknown: nn.Module):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), unknown, nn.ReLU())
    assert list(from_module(network, 32)) == ["0"]


def test_swin_is_told_up_to_its_first_windows():
    fields = from_module(bare("swin_t"))
    assert fields["features.0"] == ReceptiveField((4, 4), (4, 4))
    assert not any(name.startswith("features.1.0.attn") for name in fields)


def test_the_installed_network_pads_one_side_more():
    """TensorFlow's "same", as EfficientNet-Lite has it from there: at stride 2 the odd pixel is at the end."""
    fields = from_module(build_network(card(DEFAULT_MODEL), None))
    assert fields["conv_stem"] == ReceptiveField((3, 3), (2, 2), (0, 0))
    assert last_map(fields)[1].jump == (32, 32)
    assert not last_map(fields)[1].everything


def test_a_network_in_use_is_not_touched():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    recorder = Recorder(network, size=32)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    hooks = [len(module._forward_hooks) for module in network.modules()]
    assert set(from_module(network.train(), 32)) == {"0", "1", "2", "3", "4"}
    assert network.training
    assert hooks == [len(module._forward_hooks) for module in network.modules()]
    assert all((value == before[name]).all() for name, value in network.state_dict().items())
    recorder.close()


def test_threads_do_not_see_each_other():
    alone = {name: dict(from_module(bare(name))) for name in ("resnet18", "squeezenet1_1", "mobilenet_v2")}
    found: dict[str, dict[str, Field]] = {}

    def trace(name: str) -> None:
        found[name] = dict(from_module(networks[name]))

    networks = {name: bare(name) for name in alone}
    threads = [threading.Thread(target=trace, args=(name,)) for name in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


class Undecided(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize("build", [lambda: nn.Conv2d(3, 4, 40), Undecided], ids=["too small", "needs values"])
def test_a_network_that_cannot_be_traced_says_why(build: Callable[[], nn.Module]):
    with pytest.raises(ModelError, match="cannot be traced on a picture of 32×30 pixels: "):
        from_module(nn.Sequential(build()), (32, 30))


REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference" / "architectures.json"


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", list(json.loads(REFERENCE.read_text())["models"]) if REFERENCE.exists() else ["resnet18"]
)
def test_the_last_map_is_that_of_the_reference(name: str, shared: Path):
    reference = json.loads((shared / "reference" / "architectures.json").read_text())["models"][name]
    stated = reference["rf_last_map"]
    height, width = reference["input"][2:]
    field = last_map(from_module(bare(name), (height, width)))[1]
    assert list(field.size) == stated["local"]
    assert list(field.jump) == stated["stride"]
    assert field.everything == (stated["max_over_paths"] != stated["local"])
