"""Maps of any layer, gradients and ablations, held to plain hooks and plain autograd on an untouched copy."""

from __future__ import annotations

import copy
import gc
import weakref
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.swin_transformer import SwinTransformer, SwinTransformerBlockV2
from torchvision.models.vision_transformer import VisionTransformer

from explorer import activations
from explorer.activations import Ablation, FeatureMaps, Layer, Probe, ordered
from explorer.errors import ClassError, LayerError
from explorer.recording import Recorder
from tests.zoo import embedded, pictures, seeded

CLASSES = 10

# the smallest of each family, and pictures as small as it takes
FAMILIES = {
    "embedded": 96,
    "alexnet": 96,
    "convnext_tiny": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "googlenet": 64,
    "maxvit_small": 224,
    "mnasnet0_5": 96,
    "mobilenet_v3_small": 96,
    "regnet_x_400mf": 64,
    "resnet18": 64,
    "shufflenet_v2_x0_5": 96,
    "squeezenet1_1": 96,
    "swin_t": 64,
    "vgg11": 64,
    "vit_b_16": 224,
}


class InPlace(nn.Module):
    """Every activation in place, one of them on what a dense connection reads again, as in DenseNet."""

    def __init__(self):
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True)
        self.norm, self.act2 = nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        self.conv2, self.act3 = nn.Conv2d(8, 8, 3, padding=1), nn.Hardswish(inplace=True)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(16, CLASSES)
        nn.init.constant_(self.norm.bias, -0.1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.act2(self.norm(self.act1(self.conv1(x))))
        second = self.act3(self.conv2(first))
        return self.head(self.pool(torch.cat([first, second], 1)).flatten(1))


def own(kind: Callable[[], nn.Module], dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    network = kind().eval().to(dtype)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1 and not parameter.any():
                parameter.normal_(0, 0.2)
    return network


def small_vit() -> nn.Module:
    return VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=CLASSES)


def small_swin() -> nn.Module:
    return SwinTransformer(
        [4, 4], 16, [2, 1], [2, 4], [4, 4], num_classes=CLASSES, block=SwinTransformerBlockV2
    )


def smooth() -> nn.Module:
    """No kinks: finite differences are exact to their order."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2),
        nn.Tanh(),
        nn.Conv2d(6, 4, 3),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(4 * 25, CLASSES),
    )


def network(name: str) -> nn.Module:
    return embedded() if name == "embedded" else seeded(name)


def as_recorded(plain: nn.Module) -> nn.Module:
    """A copy that no probe has seen, laid out in memory as recorders lay theirs: sums then add in the same order."""
    return copy.deepcopy(plain).eval().requires_grad_(False).to(memory_format=torch.channels_last)


def hooked(plain: nn.Module, x: Tensor) -> dict[str, list[Tensor]]:
    """What each run of each module gives, copied by plain hooks."""
    given: dict[str, list[Tensor]] = defaultdict(list)

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            given[name].append(first.clone())

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in plain.named_modules() if name]
    with torch.no_grad():
        plain(x.to(memory_format=torch.channels_last))
    for hook in hooks:
        hook.remove()
    return given


def in_maps(output: Tensor, layer: Layer) -> np.ndarray[Any, Any]:
    """(C, h, w) of the first picture, by indexing as the layouts are described."""
    (rows, columns), one = layer.grid, output[0].numpy()
    if layer.layout == "vector":
        return one.reshape(-1, 1, 1)
    if layer.layout == "tokens":
        return one[len(one) - rows * columns :].T.reshape(-1, rows, columns)
    return one.transpose(2, 0, 1) if layer.layout == "channels last" else one


def spread(probe: Probe, count: int) -> list[str]:
    """Keys of layers evenly over depth, the first and the last with them."""
    chosen = np.linspace(0, len(probe.layers) - 1, count).round().astype(int)
    return [probe.layers[n].key for n in chosen]


# ---------------------------------------------------------------------------------------------------- maps


@pytest.mark.parametrize(("name", "size"), FAMILIES.items())
def test_maps_of_every_layer_equal_a_plain_hooks_byte_for_byte(name: str, size: int):
    plain = network(name)
    x = pictures(1, size)
    given = hooked(as_recorded(plain), x)
    probe = Probe(Recorder(plain, size), size)
    shown = [layer for layer in probe.layers if layer.layout != "heads"]
    found = probe.maps(x, [layer.key for layer in shown])
    for layer in shown:
        wanted = in_maps(given[layer.name][layer.call - 1], layer)
        assert found[layer.key].shape == (layer.channels, *layer.grid), layer
        assert np.array_equal(found[layer.key].numpy(), wanted), layer
    # one by one, where the forward stops at the layer
    for key in spread(probe, 4):
        if "@" not in key:
            assert torch.equal(probe.maps(x, [key])[key], found[key])

    # and nothing is left out but what holds no map
    runs = {(layer.name, layer.call) for layer in shown}
    for module, outputs in given.items():
        for call, output in enumerate(outputs, start=1):
            if (module, call) not in runs:
                assert name == "maxvit_small", module
                assert "_attention." in module  # tokens sorted into windows
                assert output.dim() == 4


def test_layers_of_resnet18_are_what_its_paper_says():
    """He et al. 2016, table 1: 64 maps of 112×112, then 56, 28, 14 and 7, 64 to 512 channels."""
    probe = Probe(Recorder(seeded("resnet18")))
    known = {layer.key: (layer.channels, layer.grid) for layer in probe.layers}
    assert known["conv1"] == (64, (112, 112))
    for stage, (channels, side) in enumerate(((64, 56), (128, 28), (256, 14), (512, 7)), start=1):
        assert known[f"layer{stage}"] == (channels, (side, side))
    assert known["avgpool"] == (512, (1, 1))
    assert known["fc"] == (1000, (1, 1))
    # each basic block runs its one ReLU twice
    assert known["layer1.0.relu~2"] == known["layer1.0.relu"] == (64, (56, 56))
    assert "relu~2" not in known
    second = probe.layer("layer1.0.relu~2")
    assert (second.name, second.call, second.calls, second.kind) == ("layer1.0.relu", 2, 2, "ReLU")


def test_both_runs_of_one_relu_are_told_apart():
    plain = seeded("resnet18")
    x = pictures(1, 64)
    given = hooked(as_recorded(plain), x)["layer2.1.relu"]
    assert not torch.equal(*given)
    found = Probe(Recorder(plain, 64), 64).maps(x, ["layer2.1.relu~2", "layer2.1.relu"])
    assert torch.equal(found["layer2.1.relu"], given[0][0])
    assert torch.equal(found["layer2.1.relu~2"], given[1][0])


def test_activations_in_place_do_not_change_the_maps_before_them():
    plain = own(InPlace)
    x = pictures(1, 16)
    given = hooked(as_recorded(plain), x)
    probe = Probe(Recorder(plain, 16), 16)
    found = probe.maps(x, [layer.key for layer in probe.layers])
    for key in ("conv1", "norm", "conv2"):
        assert (found[key] < 0).any()
        assert torch.equal(found[key], given[key][0][0])
    assert torch.equal(found["act1"], found["conv1"].relu())
    assert torch.equal(found["act2"], found["norm"].relu())


def test_a_first_layer_in_place_leaves_the_callers_picture_as_it_was():
    plain = own(
        lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5))
    )
    probe = Probe(Recorder(plain, 8), 8)
    x = pictures(1, 8).to(
        memory_format=torch.channels_last
    )  # as the network takes it: nothing else copies it
    before = x.clone()
    probe.logits(x)
    probe.maps(x, ["1"])
    gradient = probe.pixel_gradient(x, "1", 0)
    assert torch.equal(x, before)
    assert (gradient[before[0] < 0] == 0).all()
    assert gradient.any()


def test_maps_need_not_be_square():
    plain = own(
        lambda: nn.Sequential(nn.Conv2d(3, 4, (1, 5)), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 12, 5))
    )
    x = pictures(1, 16)
    probe = Probe(Recorder(plain, 16), 16)
    assert [(layer.key, layer.grid) for layer in probe.layers[:2]] == [("0", (16, 12)), ("1", (16, 12))]
    assert torch.equal(probe.maps(x, ["1"])["1"], as_recorded(plain)[:2](x)[0])


def test_what_is_made_of_weights_alone_is_no_layer():
    probe = Probe(Recorder(own(small_swin), 32), 32)
    assert {layer.grid for layer in probe.layers} == {(8, 8), (4, 4), (1, 1)}
    assert not [layer.key for layer in probe.layers if "cpb_mlp" in layer.key]
    assert "features.1.0.attn" in {layer.key for layer in probe.layers}


def test_a_network_for_one_picture_alone_can_be_asked():
    class Alone(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.conv(x).relu().reshape(1, -1))

    plain = own(Alone)
    x = pictures(1, 8)
    probe = Probe(Recorder(plain, 8), 8)
    assert [layer.key for layer in probe.layers] == ["conv", "head"]
    wanted = torch.cat([probe.logits(x, [Ablation("conv", (unit,))]) for unit in range(4)])
    assert torch.equal(probe.effects(x, "conv", range(4)), wanted)


def test_maps_that_are_no_numbers_are_refused_with_their_count():
    plain = own(InPlace)
    with torch.no_grad():
        plain.conv2.bias[3] = torch.nan
    probe = Probe(Recorder(plain, 16), 16)
    with pytest.raises(LayerError, match="conv2 gives 256 values that are no numbers"):
        probe.feature_maps(pictures(1, 16), "conv2")
    layer = probe.layer("conv1")
    with pytest.raises(LayerError, match=r"conv1 has maps \(8, 16, 16\), not \(8, 4, 4\)"):
        FeatureMaps(layer, np.zeros((8, 4, 4), np.float32))


def test_orders_of_maps_follow_their_numbers():
    layer = Layer("relu", 1, 1, "ReLU", 4, (2, 2), "maps")
    values = np.array([[0, 0, 0, 8], [3, 3, 3, 3], [-5, 5, -5, 6], [0, 0, 0, 0]], np.float32)
    maps = FeatureMaps(layer, values.reshape(4, 2, 2))
    # means 2, 3, 0.25, 0; maxima 8, 3, 6, 0; variances 12, 0, 27.7, 0; zeros 3, 0, 0, 4
    assert ordered(maps, "number") == (0, 1, 2, 3)
    assert ordered(maps, "mean") == (1, 0, 2, 3)
    assert ordered(maps, "maximum") == (0, 2, 1, 3)
    assert ordered(maps, "variance") == (2, 0, 1, 3)
    assert ordered(maps, "sparsity") == (3, 0, 1, 2)
    assert maps.peak == 8


@pytest.mark.parametrize("kind", [InPlace, small_vit, small_swin])
def test_strengths_are_the_peaks_of_the_maps(kind: Callable[[], nn.Module]):
    size = 16 if kind is InPlace else 32
    probe = Probe(Recorder(own(kind), size), size)
    x = pictures(1, size)
    strengths = probe.strengths(x)
    maps = probe.maps(x, [layer.key for layer in probe.layers])
    assert strengths == {key: float(one.abs().max()) for key, one in maps.items()}


# --------------------------------------------------------------------------------------------------- heads


def test_heads_are_torchs_own_attention_weights():
    plain = own(small_vit)
    x = pictures(1, 32)
    probe = Probe(Recorder(plain, 32), 32)
    heads = [layer for layer in probe.layers if layer.layout == "heads"]
    assert [(layer.channels, layer.grid, layer.kind) for layer in heads] == [(4, (4, 4), "attention")] * 2
    untouched = as_recorded(plain)
    for layer in heads:
        inputs: list[Tensor] = []
        module = untouched.get_submodule(layer.name)
        hook = module.register_forward_pre_hook(lambda module, args, kept=inputs: kept.append(args[0]))
        untouched(x)
        hook.remove()
        _, weights = module(*3 * inputs, need_weights=True, average_attn_weights=False)
        found = probe.maps(x, [layer.key])[layer.key]
        torch.testing.assert_close(found, weights[0, :, 0, 1:].reshape(4, 4, 4), rtol=1e-5, atol=1e-7)
        # the attention's own output stands beside its heads
        assert probe.layer(layer.name).layout == "tokens"


def test_without_a_class_token_heads_show_the_mean_over_all_that_look():
    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.attention = (
                nn.Conv2d(3, 12, 4, 4),
                nn.MultiheadAttention(12, 3, batch_first=True),
            )
            self.head = nn.Linear(12, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.patches(x).flatten(2).transpose(1, 2)
            return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))

    plain = own(Looking)
    x = pictures(1, 12)
    probe = Probe(Recorder(plain, 12), 12)
    tokens = as_recorded(plain).patches(x).flatten(2).transpose(1, 2)
    _, weights = plain.attention(*3 * [tokens], average_attn_weights=False)
    found = probe.maps(x, ["attention@heads"])["attention@heads"]
    torch.testing.assert_close(found, weights[0].mean(1).reshape(3, 3, 3), rtol=1e-5, atol=1e-7)


def test_heads_cannot_be_switched_off_or_differentiated_by():
    probe = Probe(Recorder(own(small_vit), 32), 32)
    key = "encoder.layers.encoder_layer_0.self_attention@heads"
    x = pictures(1, 32)
    for ask in (
        lambda: probe.logits(x, [Ablation(key, (0,))]),
        lambda: probe.class_gradients(x, key, [0]),
        lambda: probe.support(x, key, [0]),
        lambda: probe.effects(x, key, [0]),
    ):
        with pytest.raises(LayerError, match="shows where heads look; what is made of it is encoder"):
            ask()
    assert probe.pixel_gradient(x, key, 1, (2, 3)).abs().max() > 0


# ----------------------------------------------------------------------------------------------- gradients


def by_autograd(
    plain: nn.Module, x: Tensor, layer: Layer, objective: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """d objective(maps, scores) / d pixels, / d the layer's output, and that output; by a hook on a copy."""
    untouched = as_recorded(plain)
    kept: list[Tensor] = []
    runs = 0

    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        nonlocal runs
        runs += 1
        if runs != layer.call:
            return None
        first = output[0] if isinstance(output, tuple) else output
        first.retain_grad()
        kept.append(first)
        changed = first.clone()
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    untouched.get_submodule(layer.name).register_forward_hook(hook)
    pixels = x.clone().requires_grad_()
    scores = untouched(pixels.to(memory_format=torch.channels_last))
    objective(kept[0], scores).backward()
    assert pixels.grad is not None
    gradient = torch.zeros_like(kept[0]) if kept[0].grad is None else kept[0].grad
    return pixels.grad, gradient, kept[0].detach()


LAYERS = [
    ("resnet18", 64, "layer2.0.relu", "maps"),
    ("resnet18", 64, "layer2.0.relu~2", "maps"),
    ("resnet18", 64, "bn1", "maps"),
    ("densenet121", 64, "features.norm5", "maps"),
    ("squeezenet1_1", 96, "features.0", "maps"),
    ("squeezenet1_1", 96, "features.12", "maps"),
    ("swin", 32, "features.1.1.norm1", "channels last"),
    ("vit", 32, "encoder.layers.encoder_layer_0.mlp.0", "tokens"),
    ("vit", 32, "encoder.layers.encoder_layer_0.self_attention", "tokens"),
    ("alexnet", 96, "classifier.4", "vector"),
]


def case(name: str, size: int) -> tuple[nn.Module, Tensor]:
    kinds = {"vit": small_vit, "swin": small_swin}
    return own(kinds[name]) if name in kinds else seeded(name), pictures(1, size)


@pytest.mark.parametrize(("name", "size", "key", "layout"), LAYERS)
def test_gradients_and_support_agree_with_plain_autograd(name: str, size: int, key: str, layout: str):
    plain, x = case(name, size)
    probe = Probe(Recorder(copy.deepcopy(plain), size), size)
    layer = probe.layer(key)
    assert layer.layout == layout
    classes = [3, 1, 7]
    found = probe.class_gradients(x, key, classes)
    support = probe.support(x, key, classes)
    for row, index in enumerate(classes):
        _, gradient, given = by_autograd(plain, x, layer, lambda _, scores, n=index: scores[0, n])
        wanted = in_maps(gradient, layer)
        scale = float(np.abs(wanted).max())
        assert scale > 0
        np.testing.assert_allclose(found[row].numpy(), wanted, rtol=1e-3, atol=1e-5 * scale)
        axes = {"channels last": "nhwc->c", "tokens": "ntc->c", "vector": "nc->c"}.get(layout, "nchw->c")
        products = (gradient * given).double()
        summed = torch.einsum(axes, products)
        bound = float(torch.einsum(axes, products.abs()).max()) * 1e-4
        torch.testing.assert_close(support[row].double(), summed, rtol=1e-3, atol=bound)

    unit, cell = layer.channels // 2, (layer.grid[0] // 2, layer.grid[1] // 3)
    for at in (None, cell):

        def objective(output: Tensor, scores: Tensor, at: Any = at) -> Tensor:
            plane = {
                "maps": lambda: output[0, unit],
                "channels last": lambda: output[0, :, :, unit],
                "tokens": lambda: output[0, -(layer.grid[0] ** 2) :, unit].reshape(layer.grid),
                "vector": lambda: output[0, unit].reshape(1, 1),
            }[layout]()
            return plane.mean() if at is None else plane[at]

        pixels, _, _ = by_autograd(plain, x, layer, objective)
        gradient = probe.pixel_gradient(x, key, unit, at)
        assert gradient.shape == x.shape[1:]
        torch.testing.assert_close(gradient, pixels[0], rtol=1e-3, atol=1e-5 * float(pixels.abs().max()))


def test_gradients_agree_with_finite_differences():
    plain = own(smooth, torch.float64)
    probe = Probe(Recorder(copy.deepcopy(plain), 15), 15)
    x = pictures(1, 15).double()
    untouched = as_recorded(plain)
    step = 1e-5

    pixels = probe.pixel_gradient(x, "2", 1, (4, 2))
    generator = np.random.default_rng(0)
    for _ in range(12):
        at = 0, *(int(generator.integers(size)) for size in x.shape[1:])
        values = []
        for sign in (1, -1):
            moved = x.clone()
            moved[at] += sign * step
            values.append(float(untouched[:3](moved)[0, 1, 4, 2]))
        assert float(pixels[at[1:]]) == pytest.approx(
            (values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-7
        )
    assert pixels.abs().max() > 1e-3

    gradients = probe.class_gradients(x, "1", [6])[0]
    maps = untouched[:2](x)
    for _ in range(12):
        at = 0, *(int(generator.integers(size)) for size in maps.shape[1:])
        values = []
        for sign in (1, -1):
            moved = maps.clone()
            moved[at] += sign * step
            values.append(float(untouched[2:](moved)[0, 6]))
        assert float(gradients[at[1:]]) == pytest.approx(
            (values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-7
        )


def test_from_a_layer_that_leads_nowhere_no_class_gets_a_gradient():
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.aside = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)
            self.head = nn.Linear(4, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.conv(x)
            self.aside(maps)
            return self.head(maps.mean((2, 3)))

    probe = Probe(Recorder(own(Aside), 8), 8)
    x = pictures(1, 8)
    assert not probe.class_gradients(x, "aside", [0, 1]).any()
    assert probe.class_gradients(x, "conv", [0, 1]).any()
    assert torch.equal(probe.logits(x, [Ablation("aside", None)]), probe.logits(x))


def test_gradients_reach_pictures_that_are_optimised():
    plain = own(InPlace)
    probe = Probe(Recorder(copy.deepcopy(plain), 16), 16)
    x = pictures(2, 16).requires_grad_()
    probe.activation(x, "act2")[:, 3].sum().backward()
    other = x.detach().clone().requires_grad_()
    plain.norm(plain.conv1(other).relu()).relu()[:, 3].sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, other.grad)


# ------------------------------------------------------------------------------------------------ ablation


def zeroed(plain: nn.Module, module: str, units: list[int] | slice) -> nn.Module:
    """A copy in which these output channels of a layer with weights have none."""
    changed = as_recorded(plain)
    layer = changed.get_submodule(module)
    with torch.no_grad():
        layer.weight[units] = 0
        if layer.bias is not None:
            layer.bias[units] = 0
    return changed


@pytest.mark.parametrize(
    ("name", "size", "key"),
    [
        ("embedded", 224, "conv_stem"),
        ("embedded", 224, "blocks.4.1.conv_pw"),
        ("embedded", 224, "blocks.2.1.bn2"),
        ("embedded", 224, "conv_head"),
        ("resnet18", 64, "layer3.0.conv1"),
        ("resnet18", 64, "layer3.1.bn2"),
        ("densenet121", 64, "features.denseblock2.denselayer3.norm1"),
        ("mobilenet_v3_small", 96, "features.4.block.0.0"),
        ("squeezenet1_1", 96, "classifier.1"),
        ("alexnet", 96, "classifier.1"),
        ("vit", 32, "conv_proj"),
        ("vit", 32, "encoder.layers.encoder_layer_1.mlp.3"),
        ("swin", 32, "features.1.0.mlp.0"),
    ],
)
def test_ablation_equals_a_network_without_those_weights(name: str, size: int, key: str):
    plain, x = (embedded(), pictures(1, size)) if name == "embedded" else case(name, size)
    recorded = Recorder(copy.deepcopy(plain), size)
    probe = Probe(recorded, size)
    with torch.no_grad():
        whole = as_recorded(plain)(x.to(memory_format=torch.channels_last))
        assert torch.equal(probe.logits(x), whole)
        for units in ([2], [0, 5, 3], None):
            wanted = zeroed(plain, key, slice(None) if units is None else units)(
                x.to(memory_format=torch.channels_last)
            )
            found = probe.logits(x, [Ablation(key, None if units is None else tuple(units))])
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(whole.abs().max()))
            if units is None:
                assert float((wanted - whole).abs().max()) > 1e-3 * float(whole.abs().max())
    assert torch.equal(probe.logits(x), whole)  # and all is on again


def test_ablations_of_several_layers_and_of_a_second_run_act_together():
    plain = seeded("resnet18")
    x = pictures(2, 64)
    untouched = as_recorded(plain)
    runs: list[int] = []

    def second_run(module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        runs.append(1)
        if len(runs) != 2:
            return None
        changed = output.clone()
        changed[:, [4, 9]] = 0
        return changed

    def average(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        changed = output.clone()
        for picture in changed:
            picture[7] = picture[7].mean()
        return changed

    untouched.layer2[1].relu.register_forward_hook(second_run)
    untouched.layer3[0].conv1.register_forward_hook(average)
    with torch.no_grad():
        wanted = untouched(x.to(memory_format=torch.channels_last))
    probe = Probe(Recorder(plain, 64), 64)
    found = probe.logits(
        x, [Ablation("layer2.1.relu~2", (9, 4)), Ablation("layer3.0.conv1", (7,), to="mean")]
    )
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, probe.logits(x), rtol=1e-4, atol=1e-5)


def test_a_unit_at_its_mean_keeps_the_mean_of_each_picture():
    """Behind the last maps comes their average alone: at their means the scores stay, at zero they do not."""
    plain = seeded("resnet18")
    probe = Probe(Recorder(plain, 64), 64)
    x = pictures(2, 64)
    before = probe.logits(x)
    torch.testing.assert_close(
        probe.logits(x, [Ablation("layer4", None, "mean")]), before, rtol=1e-4, atol=1e-5
    )
    bias = plain.fc.bias.expand(2, -1)
    torch.testing.assert_close(probe.logits(x, [Ablation("layer4", None)]), bias)
    slope = probe.support(x, "layer4", [1, 2], to="mean")
    assert slope.abs().max() < 1e-4 * probe.support(x, "layer4", [1, 2]).abs().max()
    # a unit of one cell is its own mean
    assert torch.equal(probe.logits(x, [Ablation("avgpool", None, "mean")]), before)
    assert torch.equal(probe.logits(x, [Ablation("fc", (3,), "mean")]), before)
    assert torch.equal(probe.logits(x, [Ablation("fc", (3,))])[:, 3], torch.zeros(2))


@pytest.mark.parametrize("to", ["zero", "mean"])
@pytest.mark.parametrize(("kind", "key"), [(small_swin, "features.3.0"), (small_vit, "encoder.ln")])
def test_tokens_are_switched_off_with_their_class_token(kind: Any, key: str, to: Any):
    plain = own(kind)
    x = pictures(1, 32)
    untouched = as_recorded(plain)

    def change(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        rows = output.reshape(1, -1, output.shape[-1]).clone()
        for unit in (1, 6):
            rows[:, :, unit] = rows[0, :, unit].mean() if to == "mean" else 0
        return rows.reshape(output.shape)

    untouched.get_submodule(key).register_forward_hook(change)
    probe = Probe(Recorder(plain, 32), 32)
    found = probe.logits(x, [Ablation(key, (1, 6), to)])
    torch.testing.assert_close(found, untouched(x).detach(), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, probe.logits(x), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "key"), [("resnet18", "avgpool"), ("resnet18", "layer4"), ("vit", "encoder.ln")]
)
def test_where_the_way_to_the_logits_is_straight_the_slope_is_the_effect(name: str, key: str):
    plain, x = case(name, 64 if name == "resnet18" else 32)
    probe = Probe(Recorder(plain, x.shape[-1]), x.shape[-1])
    units, classes = [0, 3, 11], [2, 5]
    slope = probe.support(x, key, classes)[:, units]
    fact = (probe.logits(x) - probe.effects(x, key, units))[:, classes].T
    torch.testing.assert_close(slope, fact, rtol=1e-3, atol=1e-5 * float(probe.logits(x).abs().max()))


@pytest.mark.parametrize("to", ["zero", "mean"])
def test_effects_of_many_units_are_those_of_each_alone(to: Any):
    probe = Probe(Recorder(seeded("squeezenet1_1"), 96), 96)
    x = pictures(1, 96)
    units = [5, 60, 0, 17, 3, 41]
    together = probe.effects(x, "features.3", units, to)
    alone = torch.cat([probe.logits(x, [Ablation("features.3", (unit,), to)]) for unit in units])
    assert together.shape == (6, 1000)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
    assert len({float(row.sum()) for row in alone}) == 6


# -------------------------------------------------------------------------------------------------- errors


def test_questions_that_cannot_be_answered_are_refused_with_the_values():
    probe = Probe(Recorder(own(InPlace), 16), 16)
    x = pictures(1, 16)
    with pytest.raises(LayerError, match="InPlace has no layer “conv9” that gives a map"):
        probe.maps(x, ["conv1", "conv9"])
    with pytest.raises(LayerError, match="has no layer “norm~2”"):
        probe.layer("norm~2")
    for channel in (8, -1):
        with pytest.raises(LayerError, match=f"conv1 has no unit {channel}: they go from 0 to 7"):
            probe.logits(x, [Ablation("conv1", (0, channel))])
        with pytest.raises(LayerError, match=f"conv1 has no unit {channel}"):
            probe.effects(x, "conv1", [0, channel])
        with pytest.raises(LayerError, match=f"conv1 has no unit {channel}"):
            probe.pixel_gradient(x, "conv1", channel)
    for cell in ((16, 0), (0, -1)):
        with pytest.raises(LayerError, match=r"conv1 has no cell \(.*\): its maps are 16×16"):
            probe.pixel_gradient(x, "conv1", 0, cell)
    for index in (10, -1):
        for ask in (probe.class_gradients, probe.support):
            with pytest.raises(ClassError, match=f"Class {index} is outside 0–9"):
                ask(x, "conv1", [0, index])
    with pytest.raises(ClassError, match="No class was asked for"):
        probe.support(x, "conv1", [])
    with pytest.raises(LayerError, match="each once"):
        Ablation("conv1", (3, 3))
    with pytest.raises(LayerError, match="Units to switch off"):
        Ablation("conv1", ())


def test_a_layer_holds_at_least_one_cell():
    for channels, grid, call in ((0, (1, 1), 1), (3, (0, 4), 1), (3, (4, 4), 3)):
        with pytest.raises(LayerError, match="conv holds no map"):
            Layer("conv", call, 2, "Conv2d", channels, grid, "maps")


# --------------------------------------------------------------------------------------- threads and traces


def test_four_threads_get_what_each_would_get_alone():
    probes = [Probe(Recorder(own(InPlace), 16), 16), Probe(Recorder(seeded("squeezenet1_1"), 96), 96)]
    layers = (("conv1", "act2", "conv2"), ("features.0", "features.3", "features.7"))
    x = pictures(4, 96)

    def ask(request: int) -> Tensor:
        which = request % 2
        probe, key = probes[which], layers[which][request % 3]
        picture = x[request % 4][None, :, : 16 if which == 0 else 96, : 16 if which == 0 else 96]
        return (
            lambda: probe.maps(picture, [key])[key],
            lambda: probe.logits(picture, [Ablation(key, (request % 8,))]),
            lambda: probe.pixel_gradient(picture, key, request % 8, (1, 2)),
            lambda: probe.support(picture, key, [request % 10]),
            lambda: torch.tensor(list(probe.strengths(picture).values())),
        )[request % 5]()

    alone = [ask(request) for request in range(60)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, range(60)))
    for found, wanted in zip(together, alone, strict=True):
        assert torch.equal(found, wanted)


def test_nobody_asks_and_nothing_is_heard_kept_or_changed(monkeypatch: pytest.MonkeyPatch):
    plain = own(InPlace)
    recorder = Recorder(plain, 16)
    untouched = as_recorded(plain)
    probe = Probe(recorder, 16)
    heard: list[str] = []
    hear = activations._Question.hear
    monkeypatch.setattr(
        activations._Question,
        "hear",
        lambda self, name, *rest: [heard.append(name), hear(self, name, *rest)][1],
    )
    x = pictures(1, 16)
    moved = x.to(memory_format=torch.channels_last)
    outputs: list[weakref.ref[Tensor]] = []
    hook = plain.act2.register_forward_hook(lambda m, a, output: outputs.append(weakref.ref(output)))
    with torch.no_grad():
        assert torch.equal(recorder.network(moved), untouched(moved))
    torch.testing.assert_close(recorder.record(x).logits, untouched(moved).detach())
    hook.remove()
    assert heard == []
    gc.collect()
    assert outputs[0]() is None

    other = Probe(recorder, 16)  # of two probes on one network only the one that is asked hears
    probe.maps(x, ["act2"])
    assert heard == ["conv1", "act1", "norm", "act2"]  # and the forward ends there
    heard.clear()
    other.logits(x)
    assert heard == ["conv1", "act1", "norm", "act2", "conv2", "act3", "pool", "head"]


def test_what_was_read_is_freed_with_the_answer():
    probe = Probe(Recorder(own(InPlace), 16), 16)
    x = pictures(1, 16)
    maps = probe.feature_maps(x, "conv1")
    gradient = probe.class_gradients(x, "conv1", [1])
    kept = [
        weakref.ref(maps.values.base if maps.values.base is not None else maps.values),
        weakref.ref(gradient),
    ]
    del maps, gradient
    gc.collect()
    assert [one() for one in kept] == [None, None]


def test_close_takes_every_tap_off():
    plain = own(InPlace)
    recorder = Recorder(plain, 16)

    def taps() -> int:
        return sum(len(module._forward_hooks) for module in plain.modules())

    before = taps()
    probe = Probe(recorder, 16)
    assert taps() == before + len(list(plain.named_modules())) - 1
    probe.close()
    assert taps() == before
    probe.close()  # twice does no harm
    del probe

    forgotten = Probe(recorder, 16)
    assert taps() > before
    del forgotten
    gc.collect()
    assert taps() == before


def test_a_read_map_cannot_be_written():
    maps = Probe(Recorder(own(InPlace), 16), 16).feature_maps(pictures(1, 16), "conv1")
    with pytest.raises(ValueError, match="read-only"):
        maps.values[0, 0, 0] = 1
    assert functional.relu(torch.tensor(maps.values[0])).shape == (16, 16)


def test_a_forward_that_fills_the_card_is_answered_by_the_processor(monkeypatch: pytest.MonkeyPatch):
    recorder = Recorder(own(InPlace), 16)
    probe = Probe(recorder, 16)
    x = pictures(1, 16)
    wanted = probe.logits(x, [Ablation("conv1", (1,))])
    forward, failed = recorder.network.forward, []

    def once(*args: Any) -> Tensor:
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*args)

    monkeypatch.setattr(recorder.network, "forward", once)
    assert torch.equal(probe.logits(x, [Ablation("conv1", (1,))]), wanted)
    assert failed == [1]
