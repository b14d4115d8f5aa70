"""What a layer costs, against torch's counts and the numbers of the courses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.errors import ShapeError
from explorer.layer_choices import solve
from explorer.layer_code import module
from explorer.layer_costs import ITEM_BYTES, Costs, Product, costs, separable_saving
from explorer.layer_steps import steps
from explorer.layers import KINDS, POOLS, LayerSpec, output_shape
from tests.layer_zoo import draw, masked, torch_layer

# torch copies the picture for these, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

Shape = tuple[int, ...]


def random_costs(kind: str, count: int) -> list[tuple[Costs, nn.Module, Shape, LayerSpec]]:
    """Costs of random layers of a kind, torch's layers, and the shapes of their inputs."""
    rng = np.random.default_rng(7)
    found: list[tuple[Costs, nn.Module, Shape, LayerSpec]] = []
    while len(found) < count:
        _, dimensions, numbers, shape = draw(rng, kind)
        try:
            spec = LayerSpec(kind, dimensions, **numbers)
            price = costs(spec, shape)
        except ShapeError:
            continue
        with torch.device("meta"):
            found.append((price, torch_layer(kind, dimensions, numbers), shape, spec))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_macs_and_activations_are_torchs(kind: str):
    for price, layer, shape, spec in random_costs(kind, 40):
        with FlopCounterMode(display=False) as counter:
            result = layer(torch.zeros(1, *shape, device="meta"))
        assert price.parameters.value == sum(weight.numel() for weight in layer.parameters())
        assert price.macs.value * 2 == price.flops.value == counter.get_total_flops()
        assert price.activations.value == result.numel()
        if kind not in POOLS:
            assert price.macs.value > 0
        dense = nn.Linear(math.prod(shape), result.numel(), bias=spec.bias, device="meta")
        assert price.dense_parameters.value == sum(weight.numel() for weight in dense.parameters())
        assert price.dense_macs.value == dense.weight.numel()


@pytest.mark.parametrize("kind", KINDS)
def test_terms_come_to_the_value(kind: str):
    for price, *_ in random_costs(kind, 15):
        for field in fields(price):
            product: Product | None = getattr(price, field.name)
            if product is None:
                assert kind in POOLS
                assert field.name.endswith("ratio")
            else:
                value = eval(product.terms.replace("×", "*").replace(",", ""))
                assert value == pytest.approx(product.value, rel=1e-12), product


@pytest.mark.parametrize("kind", ["masked_a", "masked_b"])
def test_a_masked_layer_tells_what_it_keeps_from_what_counts(kind: str):
    for price, layer, _, spec in random_costs(kind, 30):
        live = int(masked(torch.ones(layer.weight.shape), kind).sum())
        assert price.live_parameters.value == live + (spec.out_channels if spec.bias else 0)
        places = price.activations.value // spec.out_channels
        assert price.live_macs.value == live * places
        assert price.macs.value == layer.weight.numel() * places


@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_bytes_are_those_of_torchs_tensors(dtype: str):
    spec, shape = LayerSpec("transposed", in_channels=4, out_channels=6, stride=2), (4, 9, 7)
    price = costs(spec, shape, batch=5, dtype=dtype)
    result = torch.empty(5, *output_shape(spec, shape), dtype=getattr(torch, dtype), device="meta")
    assert price.output_bytes.value == result.nbytes
    assert (
        price.weight_bytes.value
        == sum(weight.numel() for weight in module(spec).parameters()) * result.itemsize
    )


def test_products_read_as_on_the_board():
    grouped = costs(LayerSpec("grouped", in_channels=64, out_channels=1280, groups=4), (64, 58, 58))
    assert str(grouped.parameters) == "(3×3×64/4 + 1)×1,280 = 185,600"
    assert str(grouped.macs) == "3×3×64/4×1,280×56×56 = 578,027,520"
    assert str(grouped.output_bytes) == "1×4,014,080×4 = 16,056,320"
    masked_layer = costs(LayerSpec("masked_b", kernel_size=5), (3, 9, 9))
    assert str(masked_layer.live_parameters) == "(13×3 + 1)×10 = 400"
    assert str(masked_layer.parameter_ratio) == "61,000/760 = 80.26"
    assert str(grouped.parameter_ratio) == "864,219,381,760/185,600 = 4,656,354"
    assert costs(LayerSpec("max_pool"), (3, 9, 9)).parameter_ratio is None


@pytest.mark.parametrize(("batch", "dtype"), [(0, "float32"), (1, "float8")])
def test_there_is_no_such_batch_or_type(batch: int, dtype: str):
    with pytest.raises(ShapeError):
        costs(LayerSpec(), (3, 8, 8), batch, dtype)


# The courses -----------------------------------------------------------------------------------------


def conv(
    ins: int, outs: int, kernel: int, size: int, kind: str = "conv", **fields: Any
) -> tuple[LayerSpec, Shape]:
    """A square layer and the shape of its input."""
    return LayerSpec(kind, in_channels=ins, out_channels=outs, kernel_size=kernel, **fields), (
        ins,
        size,
        size,
    )


def dense(ins: int, outs: int, bias: bool = True) -> tuple[LayerSpec, Shape]:
    """A dense layer is a pointwise one on a single pixel."""
    return conv(ins, outs, 1, 1, bias=bias)


def out(layer: tuple[LayerSpec, Shape]) -> Shape:
    return output_shape(*layer)


def side(layer: tuple[LayerSpec, Shape]) -> int:
    return output_shape(*layer)[1]


def parameters(*layers: tuple[LayerSpec, Shape]) -> int:
    return sum(int(costs(*layer).parameters.value) for layer in layers)


def macs(*layers: tuple[LayerSpec, Shape]) -> int:
    return sum(int(costs(*layer).macs.value) for layer in layers)


def inputs(layer: tuple[LayerSpec, Shape]) -> float:
    """Numbers that go in: as many as each unit of the dense layer is multiplied with."""
    return costs(*layer).dense_macs.value / costs(*layer).activations.value


def hwc(shape: Shape) -> list[int]:
    """Channels last, as Keras has them."""
    return [*shape[1:], shape[0]]


def keras_kernel(layer: tuple[LayerSpec, Shape]) -> list[int]:
    return list(module(layer[0]).weight.permute(2, 3, 1, 0).shape)


WHOLE = LayerSpec(out_channels=1000, kernel_size=(480, 640)), (3, 480, 640)
EXERCISE = conv(3, 10, 5, 32, padding=2)
POINTWISE = conv(64, 32, 1, 56, "pointwise")
STANDARD = conv(3, 5, 3, 12, bias=False)
SEPARABLE = conv(3, 5, 3, 12, "separable", bias=False)
DEPTHWISE = conv(3, 3, 3, 12, "depthwise", bias=False)
MIX = conv(3, 5, 1, 10, "pointwise", bias=False)
THREE = [conv(64, 64, 3, 14, padding=1, bias=False)] * 3
SEVEN = conv(64, 64, 7, 14, padding=3, bias=False)
FIVE = conv(64, 64, 5, 14, padding=2, bias=False)

HALVED = side(conv(32, 32, 2, 28, "max_pool", stride=2))

# AlexNet as the courses draw it: 227 pixels, no groups
ALEX = {
    "conv1": conv(3, 96, 11, 227, stride=4),
    "pool1": conv(96, 96, 3, 55, "max_pool", stride=2),
    "conv2": conv(96, 256, 5, 27, padding=2),
    "pool2": conv(256, 256, 3, 27, "max_pool", stride=2),
    "conv3": conv(256, 384, 3, 13, padding=1),
    "conv4": conv(384, 384, 3, 13, padding=1),
    "conv5": conv(384, 256, 3, 13, padding=1),
    "pool3": conv(256, 256, 3, 13, "max_pool", stride=2),
    "fc6": conv(256, 4096, 6, 6),
    "fc7": dense(4096, 4096),
    "fc8": dense(4096, 1000),
}
PAIRED = {
    **ALEX,
    "conv2": conv(96, 256, 5, 27, "grouped", padding=2, groups=2),
    "conv4": conv(384, 384, 3, 13, "grouped", padding=1, groups=2),
    "conv5": conv(384, 256, 3, 13, "grouped", padding=1, groups=2),
}
TUTORIAL = {**ALEX, "conv2": conv(96, 256, 11, 27, padding=5), "fc6": dense(256, 4096)}
BODY = [ALEX[name] for name in ("conv2", "conv3", "conv4", "conv5")]
LENET = [conv(1, 6, 5, 32), conv(6, 16, 5, 14), conv(16, 120, 5, 5), dense(120, 84), dense(84, 10)]


def vgg11(channels: int, classes: int) -> list[tuple[LayerSpec, Shape]]:
    pairs = [
        (channels, 64),
        (64, 128),
        (128, 256),
        (256, 256),
        (256, 512),
        (512, 512),
        (512, 512),
        (512, 512),
    ]
    return [
        *(conv(*pair, 3, 14, padding=1) for pair in pairs),
        conv(512, 4096, 7, 7),
        dense(4096, 4096),
        dense(4096, classes),
    ]


def nin(classes: int) -> list[tuple[LayerSpec, Shape]]:
    blocks = [(1, 96, 11), (96, 256, 5), (256, 384, 3), (384, classes, 3)]
    return [
        layer
        for ins, outs, size in blocks
        for layer in (conv(ins, outs, size, 13), *[conv(outs, outs, 1, 9, "pointwise")] * 2)
    ]


# what each item of the reference says, as ours has it; `i`: the item's inputs
FACTS: dict[str, Callable[[dict[str, int]], Any]] = {
    "conv.out.nbis.valid": lambda i: output_shape(LayerSpec("conv", 1, 1, 1, i["K"]), (1, i["L"]))[1],
    "conv.out.nbis": lambda i: side(conv(3, 96, i["F"], i["W"], stride=i["S"], padding=i["P"])),
    "conv.out.002.pad": lambda i: side(conv(3, 6, i["f"], i["n"], padding=i["p"])),
    "conv.out.002.stride": lambda i: side(conv(3, 64, i["f"], i["n"], padding=i["p"], stride=i["s"])),
    "conv.out.003.title": lambda i: side(conv(3, 1, i["K"], i["W"], padding=i["P"])),
    "conv.out.003.stride": lambda i: side(conv(3, 1, i["K"], i["W"], padding=i["P"], stride=i["S"])),
    **{
        f"conv.same.k{kernel}": lambda i: side(conv(3, 1, i["K"], i["W"], padding=i["P"])) - i["W"]
        for kernel in (1, 3, 5)
    },
    "conv.down2": lambda i: side(conv(3, 1, i["K"], i["W"], padding=i["P"], stride=i["S"])),
    "conv.params.nbis": lambda i: parameters(conv(i["Ci"], i["Co"], i["F"], 224)),
    "conv.params.002": lambda i: parameters(conv(i["c_prev"], i["n_f"], i["fh"], 14)),
    "conv.kernel.shape": lambda i: keras_kernel(conv(i["Ci"], i["Co"], i["F"], 227)),
    "conv.kernel.shape.003": lambda i: list(module(conv(i["Ci"], i["Co"], i["K"], 32)[0]).weight.shape),
    "pool.params": lambda i: parameters(conv(64, 64, 2, 224, "max_pool", stride=2)),
    "pool.003": lambda i: list(out(conv(i["C"], i["C"], 2, i["H"], "max_pool", stride=2))),
    "stride.demo": lambda i: side(conv(1, 1, 3, 5, stride=2, padding=i["P"])),
    "dense.922M": lambda i: parameters(WHOLE),
    "dense.flatten": lambda i: inputs((LayerSpec(), (3, 480, 640))),
    "mlp.flatten": lambda i: inputs(conv(1, 1, 3, 28)),
    "flat.3072": lambda i: inputs(EXERCISE),
    "flat.150528": lambda i: inputs(conv(3, 64, 3, 224)),
    "mlp.params": lambda i: parameters(dense(784, 256), dense(256, 10)),
    "convnet.params": lambda i: parameters(
        conv(1, 32, 5, 28, padding=2), conv(32, 64, 3, 14, padding=1), conv(64, 256, 7, 7), dense(256, 10)
    ),
    "ex.conv.out": lambda i: list(out(conv(i["C"], i["F"], i["K"], i["H"], padding=i["P"], stride=i["S"]))),
    "ex.conv.perfilter": lambda i: parameters(conv(i["C"], 1, i["K"], i["H"])),
    "ex.conv.params": lambda i: parameters(EXERCISE),
    "ex.conv.outputs": lambda i: costs(*EXERCISE).activations.value,
    "ex.conv.dot": lambda i: macs(EXERCISE) // costs(*EXERCISE).activations.value,
    "ex.conv.macs": lambda i: macs(EXERCISE),
    "ex.conv.5x5.nopad": lambda i: side(conv(3, 10, i["K"], i["W"])),
    "ex.1x1.out": lambda i: hwc(out(POINTWISE)),
    "ex.1x1.dot": lambda i: macs(POINTWISE) // costs(*POINTWISE).activations.value,
    "ex.1x1.params": lambda i: parameters(POINTWISE),
    "ex.1x1.macs": lambda i: macs(POINTWISE),
    "params.3x3x3": lambda i: parameters(*THREE),
    "params.7x7": lambda i: parameters(SEVEN),
    "params.3x3.vs.7x7": lambda i: parameters(*THREE) / parameters(SEVEN),
    "params.5x5.004": lambda i: parameters(FIVE),
    "params.3x3x3.004": lambda i: parameters(*THREE),
    "params.same.004": lambda i: parameters(*THREE) / parameters(FIVE),
    "sep.002.std": lambda i: macs(STANDARD),
    "sep.002.dw": lambda i: macs(DEPTHWISE),
    "sep.002.pw": lambda i: macs(MIX),
    "sep.002.total": lambda i: macs(SEPARABLE),
    "sep.002.ratio": lambda i: 1 / separable_saving(3, 5),
    "sep.002.input": lambda i: next(size for size in range(3, 30) if side(conv(3, 5, 3, size)) == 10),
    "sep.002.params": lambda i: [parameters(STANDARD), parameters(SEPARABLE)],
    "sep.003.std": lambda i: macs(conv(i["Ci"], i["Co"], i["K"], i["H"], padding=1)),
    "sep.003.ratio": lambda i: separable_saving(i["K"], i["Co"]),
    "alex.c1.kernel": lambda i: keras_kernel(ALEX["conv1"]),
    "alex.c1.out": lambda i: hwc(out(ALEX["conv1"])),
    "alex.c1.params": lambda i: parameters(ALEX["conv1"]),
    "alex.c1.dense": lambda i: costs(*ALEX["conv1"]).dense_macs.value,
    "alex.c1.orders": lambda i: math.log10(
        costs(*ALEX["conv1"]).dense_macs.value / parameters(ALEX["conv1"])
    ),
    "alex.pool1": lambda i: hwc(out(ALEX["pool1"])),
    "alex.pool3": lambda i: hwc(out(ALEX["pool3"])),
    "alex.28M": lambda i: parameters(*ALEX.values()),
    "alex.28M.variant": lambda i: parameters(*TUTORIAL.values()),
    "alex.60M.002": lambda i: parameters(*PAIRED.values()),
    "alex.60M.list": lambda i: parameters(*ALEX.values()),
    **{
        f"alex.002.{name}": lambda i, name=name: [side(ALEX[name]), out(ALEX[name])[0]]
        for name in ALEX
        if "fc" not in name
    },
    **{f"alex.002.conv{n}.params": lambda i, n=n: parameters(ALEX[f"conv{n}"]) for n in range(1, 6)},
    **{f"alex.002.fc{n}": lambda i, n=n: parameters(ALEX[f"fc{n}"]) for n in (6, 7, 8)},
    "dsci.alex.fc6": lambda i: parameters(conv(256, 4096, 5, 5)),
    "dsci.alex.fc7": lambda i: parameters(dense(4096, 4096)),
    "dsci.alex.conv5": lambda i: parameters(conv(384, 256, 3, 12, bias=False)),
    "dsci.alex.total": lambda i: parameters(
        conv(1, 96, 11, 224), *BODY, conv(256, 4096, 5, 5), dense(4096, 4096), dense(4096, 10)
    ),
    "vgg11.fc": lambda i: parameters(conv(512, 4096, 7, 7, bias=False)),
    "vgg11.fcMB": lambda i: costs(*conv(512, 4096, 7, 7, bias=False)).weight_bytes.value / 1e6,
    "vgg11.total": lambda i: parameters(*vgg11(1, 10)),
    "nin.1x1": lambda i: parameters(conv(i["c"], 1, 1, 7, "pointwise", bias=False)),
    "nin.gap": lambda i: list(out(conv(i["c"], i["c"], 1, 7, "global_pool"))),
    "nin.total": lambda i: parameters(*nin(10)),
    "block.basic": lambda i: macs(*[conv(i["C"], i["C"], 3, 3, bias=False)] * 2),
    "block.bottleneck": lambda i: macs(
        conv(4 * i["C"], i["C"], 1, 1), conv(i["C"], i["C"], 3, 3), conv(i["C"], 4 * i["C"], 1, 1)
    ),
    "lenet.60k": lambda i: parameters(*LENET),
    "lenet.variant.28": lambda i: parameters(*LENET[:2], dense(256, 120), *LENET[3:]),
    "lenet.variant.rgb": lambda i: parameters(conv(3, 6, 5, 32), *LENET[1:]),
    "exercise.inverse": lambda i: (
        solve(i["W"], i["O"], strides=[i["S"]], paddings=[i["P"]], dilations=[1])[0].kernel_size
    ),
    "resnext.params": lambda i: [
        parameters(
            conv(256, 64, 1, 7, bias=False), conv(64, 64, 3, 7, bias=False), conv(64, 256, 1, 7, bias=False)
        ),
        parameters(
            conv(256, 128, 1, 7, bias=False),
            conv(128, 128, 3, 7, "grouped", groups=32, bias=False),
            conv(128, 256, 1, 7, bias=False),
        ),
    ],
    "convnext.dw": lambda i: parameters(conv(96, 96, 7, 56, "depthwise", padding=3, bias=False)) // 96,
    "flat.6400": lambda i: math.prod(out(conv(256, 256, 3, 12, "max_pool", stride=2))),
    "flat.25088": lambda i: math.prod(out(conv(512, 512, 2, 14, "max_pool", stride=2))),
    "convnet.flatten": lambda i: math.prod(out(conv(64, 64, 2, HALVED, "max_pool", stride=2))),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", FACTS)
def test_of_the_courses(name: str, shared: Path):
    item = next(
        each
        for each in json.loads((shared / "reference" / "golden.json").read_text())["items"]
        if each["id"] == name
    )
    ours = FACTS[name](item["inputs"])
    assert ours == pytest.approx(item["expected"], rel=1e-12)
    # what the course printed: near enough, unless it is not right
    stated, tolerance = item["seed_value"], item["tolerance"]
    if stated is not None:
        allowed = {"rel": 0, "abs": 0} | (
            {tolerance["kind"]: tolerance["value"]} if "value" in tolerance else {}
        )
        near = ours == pytest.approx(stated, **allowed)
        assert near == item["seed_within_tolerance"]
        assert near != (item["verdict"] == "wrong")


@pytest.mark.shared
def test_conv_out_needs_floor(shared: Path):
    """The courses' formula without the floor gives 54.75; ours has that quotient in its working, and rounds it."""
    items = json.loads((shared / "reference" / "golden.json").read_text())["items"]
    stated = next(each for each in items if each["id"] == "conv.out.needs_floor")
    working = steps(LayerSpec(kernel_size=11, stride=4, padding=1), 224)
    assert stated["expected"] == 53 + 3 / 4 + 1
    assert working[3].formula == r"\left\lfloor 53\tfrac{3}{4} \right\rfloor + 1"
    assert working[-1].value == math.floor(stated["expected"]) == 54


@pytest.mark.parametrize(
    ("ours", "stated"),
    [
        (parameters(EXERCISE), 760),
        (macs(EXERCISE), 768_000),
        (parameters(ALEX["conv1"]), 34_944),
        (costs(*ALEX["conv1"]).dense_macs.value, 44_892_064_800),
        (parameters(WHOLE), 921_601_000),
        (parameters(POINTWISE), 2_080),
        (macs(POINTWISE), 6_422_528),
        (macs(STANDARD), 13_500),
        (macs(SEPARABLE), 4_200),
        (parameters(*THREE), 110_592),
        (parameters(SEVEN), 200_704),
        # a course says about 28 million
        (parameters(*ALEX.values()), 62_378_344),
        (parameters(*LENET), 61_706),
    ],
)  # fmt: skip
def test_known_numbers(ours: int, stated: int):
    assert ours == stated


def test_the_saving_is_the_ratio_of_the_counted_multiplications():
    for kernel, outs in [(3, 5), (3, 256), (5, 64), (1, 7)]:
        standard, separable = (macs(conv(8, outs, kernel, 12, kind)) for kind in ("conv", "separable"))
        assert separable_saving(kernel, outs) == pytest.approx(standard / separable, rel=1e-12)
    assert separable_saving((3, 5), 15) == 7.5
