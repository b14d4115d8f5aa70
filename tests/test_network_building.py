"""Networks of parts against torch and torchvision: shapes, weights, outputs, and the code that makes them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from explorer.errors import ModelError
from explorer.networks import blocks
from explorer.networks.building import build
from explorer.networks.code import class_name, code
from explorer.networks.editing import new_part
from explorer.networks.opening import opened
from explorer.networks.parts import BLOCKS, PARTS, TOKENS
from explorer.networks.planning import output_shape, planned
from explorer.networks.spec import NetworkSpec, Part, part
from tests.network_zoo import REFUSALS, draw_part, draw_spec, torch_layer, torch_run

# torch copies the picture for these, and says so
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),
    pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning"),
]


def on_meta(spec: NetworkSpec) -> nn.Module:
    with torch.device("meta"):
        return build(spec).eval()


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network in evaluation with every weight and every running mean and variance drawn anew."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
        for parameter in network.parameters():
            parameter.mul_(0.4).sub_(0.1)
    return network.eval()


def given(network: nn.Module, weights_of: nn.Module) -> nn.Module:
    """The network with the weights of another, in their order."""
    theirs = list(weights_of.state_dict().values())
    ours = network.state_dict()
    assert [tuple(value.shape) for value in ours.values()] == [tuple(value.shape) for value in theirs]
    network.load_state_dict(dict(zip(ours, theirs, strict=True)))
    return network.eval()


class TestShapes:
    def test_random_networks_have_torchs_shapes_and_parameters_or_are_refused_as_torch_refuses_them(self):
        rng = random.Random(0)
        seen, refused = Counter(), 0
        kinds = cycle(PARTS)
        for number in range(1400):
            spec = draw_spec(rng, fitting=number % 3 > 0)
            if number % 2:  # each kind in turn, behind what makes of a map what it reads
                kind = next(kinds)
                shape = (rng.choice([4, 6, 8]), *rng.choice([(8, 8), (9, 10), (21, 21)]))
                spec = NetworkSpec(
                    "One", shape, (*before(kind), draw_part(rng, kind, fitting=number % 4 > 1))
                )
            plan = planned(spec)
            with torch.device("meta"):
                try:
                    out, count = torch_run(spec, torch.zeros(1, *spec.input_shape))
                except REFUSALS:
                    assert plan.trouble, spec
                    refused += 1
                    continue
            assert plan.trouble is None, (spec, plan.trouble)
            assert plan.output_shape == tuple(out.shape[1:]), spec
            network = on_meta(spec)
            assert parameters(network) == count, spec
            with torch.no_grad():
                assert network(torch.zeros(1, *spec.input_shape, device="meta")).shape == out.shape
            seen.update(each.kind for _, each in spec.walk())
        assert refused >= 150
        assert min(seen[kind] for kind in PARTS) >= 4, seen

    def test_what_stands_before_a_trouble_is_built_with_the_shape_that_arrives_at_it(self):
        rng, seen = random.Random(1), 0
        for _ in range(400):
            plan = planned(draw_spec(rng))
            if plan.trouble is None:
                continue
            with torch.device("meta"):
                out, _ = torch_run(plan.sound, torch.zeros(1, *plan.spec.input_shape))
            if plan.trouble.path[:1] == (len(plan.sound.parts),):
                # nothing is cut within a group
                assert tuple(out.shape[1:]) == plan.output_shape
            seen += 1
        assert seen >= 80

    @pytest.mark.parametrize("kind", [kind for kind in PARTS if kind not in ("sequence", "branches")])
    def test_a_new_part_of_each_kind_goes_with_what_it_reads(self, kind: str):
        spec = NetworkSpec("One", (6 if kind == "lenet_c3" else 32, 28, 28), (*before(kind), new_part(kind)))
        assert planned(spec).trouble is None

    def test_a_repeated_group_is_planned_once_its_shapes_repeat(self):
        spec = NetworkSpec(
            "Deep", (8, 8, 8), (part("sequence", part("conv", out_channels=8, padding=1), times=900),)
        )
        plan = planned(spec)
        assert len(plan.placed[0].rounds) == 900
        assert plan.placed[0].rounds[1] is plan.placed[0].rounds[899]

    def test_trouble_in_a_later_repetition_is_named_and_what_went_before_is_kept(self):
        group = part("sequence", part("conv"), part("max_pool"), times=6, name="features")
        plan = planned(NetworkSpec("Net", (3, 32, 32), (group, part("linear"))))
        assert plan.trouble is not None
        assert (plan.trouble.path, plan.trouble.rounds, plan.trouble.input_shape) == (
            (0, 0),
            (0, 3),
            (64, 2, 2),
        )
        assert plan.trouble.sentence == (
            "Convolution “features.0”, time 4 of “features”, cannot follow: a window of 3 rows does not fit into 2 "
            "(2 of the input, 0 of padding)."
        )
        assert plan.sound.parts == (part("sequence", *group.inside, times=3, name="features"),)
        assert plan.output_shape == (64, 2, 2)

    def test_a_group_that_breaks_in_the_middle_keeps_what_was_before(self):
        group = part(
            "sequence", part("conv", padding=1), part("max_pool"), part("conv", kernel_size=5), times=2
        )
        plan = planned(NetworkSpec("Net", (3, 16, 16), (group,)))
        assert plan.trouble is not None
        assert (plan.trouble.path, plan.trouble.rounds) == ((0, 2), (0, 1))
        assert [each.part.kind for each in plan.placed] == ["sequence", "sequence"]
        assert plan.output_shape == plan.trouble.input_shape == (64, 2, 2)

    def test_of_branches_with_a_trouble_inside_nothing_is_kept(self):
        branches = part("branches", part("relu"), part("sequence", part("conv"), part("linear")), join="cat")
        plan = planned(NetworkSpec("Net", (3, 8, 8), (part("tanh"), branches)))
        assert plan.trouble is not None
        assert plan.trouble.path == (1, 1, 1)
        assert plan.sound.parts == (part("tanh"),)

    @pytest.mark.parametrize(
        ("parts", "cause"),
        [
            ((part("linear"),), "reads a row of numbers, but a map of 3 × 32 × 32 arrives"),
            ((part("flatten"), part("conv")), "reads a map, but a row of 3,072 numbers arrives"),
            ((part("flatten"), part("inception")), "reads a map, but a row of 3,072 numbers arrives"),
            ((part("conv", groups=2),), "(3) must be divisible by `groups` (2)"),
            ((part("group_norm", groups=2),), "channels (3) must be divisible by `groups` (2)"),
            ((part("max_pool", kernel_size=40),), "window of 40 rows does not fit into 32"),
            ((part("conv", stride=2, padding="same"),), "“same” goes with stride 1, not with 2×2"),
            (
                (part("upsample", scale_factor=64),) * 2,
                "would be 131,072 × 131,072 pixels; 4,096 a side are the most",
            ),
            ((part("branches", part("relu"), part("conv")),), "3 × 32 × 32, 64 × 30 × 30"),
            ((part("branches", part("relu"), part("max_pool"), join="cat"),), "need one size"),
            (
                (part("branches", part("relu"), part("conv", padding=1), join="multiply"),),
                "or 1 along an axis",
            ),
            ((part("branches", part("relu"), part("flatten")),), "Maps and rows of numbers meet"),
            ((part("branches"),), "has no branch"),
            ((part("tokens"), part("attention", heads=2)), "channels (3) must be divisible by `heads` (2)"),
            ((part("swin_block", heads=2),), "channels (3) must be divisible by `heads` (2)"),
            ((part("encoder_block"),), "reads tokens, but a map of 3 × 32 × 32 arrives"),
            ((part("tokens"), part("conv")), "reads a map, but 1,024 tokens of 3 numbers arrive"),
            (
                (part("partition_attention", head_channels=1),),
                "Windows of 7 × 7 must divide the map, which has 32 × 32 pixels",
            ),
            (
                (
                    part("max_pool", stride=(2, 1)),
                    part("partition_attention", head_channels=1, size=1, across="grid"),
                ),
                "A grid needs as many rows as columns, not 16 × 31",
            ),
            (
                (part("regnet", out_channels=20),),
                "output channels (20) must be divisible by `group_width` (16)",
            ),
            ((part("shuffle_unit", out_channels=4),), "3 arrive, so 3 leave, not 4"),
            ((part("half"),), "3 channels have no half"),
            ((part("lenet_c3"),), "table is for 6 maps, but 3 arrive"),
            (
                (
                    part(
                        "branches",
                        part("sequence"),
                        part("sequence", part("dropout"), part("relu", inplace=True)),
                    ),
                ),
                "ReLU “branches1.1.1” cannot follow: in place it writes over the input that 2 branches read.",
            ),
            ((part("resnext_bottleneck", groups=1000, width=100_000),), "`out_channels` is 100000000"),
            (
                (part("conv", out_channels=10**6, padding=1), part("upsample", scale_factor=64)),
                "numbers; 1,000,000,000,000 are the most",
            ),
        ],
    )
    def test_refusals_are_one_sentence_with_the_values(self, parts: tuple[Part, ...], cause: str):
        trouble = planned(NetworkSpec("Net", (3, 32, 32), parts)).trouble
        assert trouble is not None
        assert cause.lower() in trouble.sentence.lower()
        assert trouble.sentence.count(". ") == 0
        assert trouble.sentence.endswith(".")
        with pytest.raises(ModelError) as refusal:
            build(NetworkSpec("Net", (3, 32, 32), parts))
        assert str(refusal.value) == trouble.sentence

    def test_the_largest_net_that_can_be_said_is_still_built(self):
        widest = part("conv", out_channels=1_000_000, kernel_size=1024, padding=512)
        twice = NetworkSpec(
            "Huge", (1_000_000, 1, 1), (widest, part("adaptive_average_pool"), part("flatten"))
        )
        assert parameters(on_meta(twice)) == 10**12 * 1024**2 + 10**6
        dense = NetworkSpec("Dense", (1, 800, 1200), (part("flatten"), part("linear", out_features=960_000)))
        assert parameters(on_meta(dense)) == 960_000 * 960_000 + 960_000
        most = NetworkSpec(
            "Most", (59_604, 4096, 4096), (part("flatten"), part("linear", out_features=10**6))
        )
        assert planned(most).output_shape == (10**6,)
        assert parameters(on_meta(most)) == (59_604 * 4096**2 + 1) * 10**6


class TestNames:
    def test_layers_are_called_by_their_names_else_numbered_in_groups_and_by_kind_on_top(self):
        spec = NetworkSpec(
            "Named",
            (3, 16, 16),
            (
                part("conv", out_channels=8),
                part("sequence", part("batch_norm"), part("relu"), name="features"),
                part("sequence", part("conv", name="only"), part("relu")),
                part("sequence", part("residual_basic"), name="layer1", times=2),
                part("branches", part("sequence"), part("conv", padding=1, name="body")),
                part("conv", name="last"),
            ),
        )
        layers = dict(on_meta(spec).named_modules())
        for name, made in {
            "conv1": nn.Conv2d,
            "features.0": nn.BatchNorm2d,
            "features.1": nn.ReLU,
            "sequence1.only": nn.Conv2d,
            "sequence1.relu1": nn.ReLU,
            "layer1.1.conv2": nn.Conv2d,
            "branches1": blocks.Add,
            "branches1.sequence1": nn.Identity,
            "branches1.body": nn.Conv2d,
            "last": nn.Conv2d,
        }.items():
            assert type(layers[name]) is made, name


# Blocks ----------------------------------------------------------------------------------------------


def before(kind: str) -> tuple[Part, ...]:
    """What makes of a map what a part of this kind reads."""
    if kind in TOKENS:
        return (part("tokens"),)
    if kind == "distances_to_codes":
        return part("flatten"), part("linear", out_features=84)
    return (part("flatten"),) if kind == "linear" else ()


def standing(kind: str, seeds: random.Random) -> Iterator[tuple[Part, Tensor, Tensor, NetworkSpec]]:
    """Eight random parts of a kind that can follow, each with a map, what arrives at it, and a network of it alone."""
    found = 0
    for seed in range(400):
        block = draw_part(seeds, kind)
        # attention in windows and grids divides a square map
        side = (4, 4) if kind in ("maxvit_block", "partition_attention") else (9, 10)
        x = torch.randn(2, seeds.choice([1, 4, 6]), *side)
        torch.manual_seed(seed)
        spec = NetworkSpec("One", tuple(x.shape[1:]), (*before(kind), block))
        if planned(spec).trouble:
            continue
        yield block, x, x.flatten(2).mT if kind in TOKENS else x, spec
        found += 1
        if found == 8:
            return
    raise AssertionError(f"only {found} of kind {kind} could follow")


_INVERTED = models.mobilenetv3.InvertedResidualConfig
_NORM_V3 = {"norm_layer": lambda channels: nn.BatchNorm2d(channels, eps=0.001)}


class TestBlocks:
    @pytest.mark.parametrize("kind", sorted(BLOCKS))
    def test_a_block_computes_what_torchvisions_does_with_its_weights(self, kind: str):
        for seed, (block, x, arriving, spec) in enumerate(standing(kind, random.Random(2))):
            theirs = shaken(torch_layer(block, arriving), seed)
            ours = given(build(spec), theirs)
            with torch.no_grad():
                torch.testing.assert_close(ours(x.clone()), theirs(arriving.clone()), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("kind", sorted(BLOCKS))
    def test_an_opened_block_computes_what_the_block_does(self, kind: str):
        for seed, (block, x, arriving, spec) in enumerate(standing(kind, random.Random(3))):
            closed = shaken(build(spec), seed)
            group = opened(block, tuple(arriving.shape[1:]))
            inside = NetworkSpec("One", spec.input_shape, (*spec.parts[:-1], group))
            tree = build(inside)
            values = list(closed.state_dict().values())
            if kind == "convnext":
                # the scale comes last among its parts, and dense layers at every pixel are 1 × 1 convolutions
                values = [*values[1:], values[0]]
            if kind == "swin_block" and block["version"] == "2":
                # its norms come after what they norm: two numbers each, and four of the dense net
                values = [*values[2:-6], *values[:2], *values[-4:], *values[-6:-4]]
            ours = tree.state_dict()
            assert len(ours) == len(values)
            tree.load_state_dict(
                {key: value.reshape(ours[key].shape) for key, value in zip(ours, values, strict=True)}
            )
            with torch.no_grad():
                torch.testing.assert_close(tree.eval()(x.clone()), closed(x.clone()), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize(
        ("block", "channels", "theirs"),
        [
            (part("residual_basic", out_channels=8), 8, lambda: models.resnet.BasicBlock(8, 8)),
            (part("residual_bottleneck", width=2, out_channels=8), 8, lambda: models.resnet.Bottleneck(8, 2)),
            (
                part("resnext_bottleneck", groups=4, width=2, out_channels=32),
                32,
                lambda: models.resnet.Bottleneck(32, 8, groups=4, base_width=16),
            ),
            (
                part("inverted_residual", out_channels=8),
                8,
                lambda: models.mobilenetv2.InvertedResidual(8, 8, 1, 6),
            ),
            (
                part("inverted_residual", out_channels=12, stride=2),
                8,
                lambda: models.mobilenetv2.InvertedResidual(8, 12, 2, 6),
            ),
            (
                part("inverted_residual", out_channels=8, expansion=1),
                8,
                lambda: models.mobilenetv2.InvertedResidual(8, 8, 1, 1),
            ),
            (
                # MobileNetV3-Large, the fourth block: 24 → 72 → 40, a window of 5, squeezed
                part(
                    "inverted_residual",
                    out_channels=40,
                    expansion=3,
                    kernel_size=5,
                    stride=2,
                    activation="relu",
                    squeeze="mobilenet_v3",
                    eps=0.001,
                ),
                24,
                lambda: models.mobilenetv3.InvertedResidual(
                    _INVERTED(24, 5, 72, 40, True, "RE", 2, 1, 1.0), _NORM_V3["norm_layer"]
                ),
            ),
            (
                # MobileNetV3-Small: 24 → 88 → 24, a factor that is no whole number
                part(
                    "inverted_residual", out_channels=24, expansion=11 / 3, activation="hardswish", eps=0.001
                ),
                24,
                lambda: models.mobilenetv3.InvertedResidual(
                    _INVERTED(24, 3, 88, 24, False, "HS", 1, 1, 1.0), _NORM_V3["norm_layer"]
                ),
            ),
            (
                part("inverted_residual", out_channels=8, activation="silu", squeeze="efficientnet"),
                8,
                lambda: models.efficientnet.MBConv(
                    models.efficientnet.MBConvConfig(6, 3, 1, 8, 8, 1), 0.0, nn.BatchNorm2d
                ),
            ),
        ],
    )
    def test_torchvisions_own_block_fits_as_it_is(self, block: Part, channels: int, theirs: Any):
        torch.manual_seed(0)
        reference = shaken(theirs())
        x = torch.randn(2, channels, 12, 12)
        ours = given(build(NetworkSpec("One", (channels, 12, 12), (block,))), reference)
        torch.testing.assert_close(ours(x.clone()), reference(x.clone()), rtol=1e-5, atol=1e-5)


# Networks that are known -----------------------------------------------------------------------------

_HEAD = (part("global_average_pool"), part("flatten"), part("linear", out_features=1000))
_STEM = (
    part("conv", kernel_size=7, stride=2, padding=3, bias=False),
    part("batch_norm"),
    part("relu"),
    part("max_pool", kernel_size=3, stride=2, padding=1),
)


def dense_head(*features: int) -> tuple[Part, ...]:
    *hidden, last = features
    inner = [
        each for size in hidden for each in (part("linear", out_features=size), part("relu"), part("dropout"))
    ]
    return part("flatten"), *inner, part("linear", out_features=last)


def vgg(*layers: int) -> tuple[Part, ...]:
    widths = (64, 128, 256, 512, 512)
    features = (
        part("vgg_block", layers=count, out_channels=width)
        for count, width in zip(layers, widths, strict=True)
    )
    return *features, *dense_head(4096, 4096, 1000)


def resnet(kind: str, *layers: int) -> tuple[Part, ...]:
    stages = []
    for number, count in enumerate(layers):
        width = 64 * 2**number
        sizes = {"out_channels": width}
        if kind != "residual_basic":
            sizes = {"width": width, "out_channels": 4 * width}
        first = part(kind, **sizes, stride=1 if number == 0 else 2)  # type: ignore[arg-type]
        again = part("sequence", part(kind, **sizes), times=count - 1)  # type: ignore[arg-type]
        stages.append(part("sequence", first, again, name=f"layer{number + 1}"))
    return *_STEM, *stages, *_HEAD


def densenet(*layers: int) -> tuple[Part, ...]:
    stages = [each for count in layers for each in (part("dense_block", layers=count), part("transition"))]
    return *_STEM, *stages[:-1], part("batch_norm"), part("relu"), *_HEAD


def mobilenet_v2() -> tuple[Part, ...]:
    def convolution(channels: int, **window: int) -> tuple[Part, ...]:
        return part("conv", out_channels=channels, bias=False, **window), part("batch_norm"), part("relu6")  # type: ignore[arg-type]

    rows = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    inner = [
        part("inverted_residual", expansion=t, out_channels=c, stride=s if number == 0 else 1)
        for t, c, n, s in rows
        for number in range(n)
    ]
    return *convolution(32, stride=2, padding=1), *inner, *convolution(1280, kernel_size=1), *_HEAD


def mobilenet_v1() -> tuple[Part, ...]:
    widths = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    inner = [part("separable", out_channels=c, stride=s) for c, s in zip(widths, strides, strict=True)]
    first = part("conv", out_channels=32, stride=2, padding=1, bias=False)
    return first, part("batch_norm"), part("relu"), *inner, *_HEAD


def googlenet() -> tuple[Part, ...]:
    def convolution(channels: int, **window: int) -> tuple[Part, ...]:
        return (
            part("conv", out_channels=channels, bias=False, **window),
            part("batch_norm", eps=1e-3),
            part("relu"),
        )  # type: ignore[arg-type]

    def inception(*widths: int) -> Part:
        names = ("one", "three_reduce", "three", "five_reduce", "five", "pool")
        return Part(
            "inception", {**dict(zip(names, widths, strict=True)), "five_kernel": 3, "batch_norm": True}
        )

    pool = part("max_pool", kernel_size=3, stride=2, ceil_mode=True)
    return (
        *convolution(64, kernel_size=7, stride=2, padding=3),
        pool,
        *convolution(64, kernel_size=1),
        *convolution(192, padding=1),
        pool,
        inception(64, 96, 128, 16, 32, 32),
        inception(128, 128, 192, 32, 96, 64),
        pool,
        inception(192, 96, 208, 16, 48, 64),
        inception(160, 112, 224, 24, 64, 64),
        inception(128, 128, 256, 24, 64, 64),
        inception(112, 144, 288, 32, 64, 64),
        inception(256, 160, 320, 32, 128, 128),
        part("max_pool", kernel_size=2, stride=2, ceil_mode=True),
        inception(256, 160, 320, 32, 128, 128),
        inception(384, 192, 384, 48, 128, 128),
        part("global_average_pool"),
        part("flatten"),
        part("dropout", p=0.2),
        part("linear", out_features=1000),
    )


def alexnet() -> tuple[Part, ...]:
    windows = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
    parts: list[Part] = []
    for number, (channels, kernel, stride, padding) in enumerate(windows):
        parts += [
            part("conv", out_channels=channels, kernel_size=kernel, stride=stride, padding=padding),
            part("relu"),
        ]
        if number in (0, 1, 4):
            parts.append(part("max_pool", kernel_size=3))
    return *parts, part("adaptive_average_pool", output_size=6), *dense_head(4096, 4096, 1000)


def nin() -> tuple[Part, ...]:
    sizes = ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (10, 3, 1, 1))
    parts: list[Part] = []
    for channels, kernel, stride, padding in sizes:
        parts.append(
            part("nin_block", out_channels=channels, kernel_size=kernel, stride=stride, padding=padding)
        )
        parts.append(part("max_pool", kernel_size=3))
    return *parts[:-1], part("global_average_pool"), part("flatten")


# (3·11² + 1)·96 and so on, by hand: d2l.ai, section 8.3, lists the blocks
_NIN = sum(
    (c_in * k * k + 1) * c + 2 * (c + 1) * c
    for c_in, c, k in ((3, 96, 11), (96, 256, 5), (256, 384, 3), (384, 10, 3))
)
_LENET = (
    part("conv", out_channels=6, kernel_size=5),
    part("tanh"),
    part("average_pool"),
    part("conv", out_channels=16, kernel_size=5),
    part("tanh"),
    part("average_pool"),
    part("flatten"),
    part("linear", out_features=120),
    part("tanh"),
    part("linear", out_features=84),
    part("tanh"),
    part("linear", out_features=10),
)

KNOWN = {
    "LeNet-5": (_LENET, (1, 32, 32), 61_706),
    "AlexNet": (alexnet(), (3, 224, 224), 61_100_840),
    "NiN": (nin(), (3, 224, 224), _NIN),
    "VGG-11": (vgg(1, 1, 2, 2, 2), (3, 224, 224), 132_863_336),
    "VGG-13": (vgg(2, 2, 2, 2, 2), (3, 224, 224), 133_047_848),
    "VGG-16": (vgg(2, 2, 3, 3, 3), (3, 224, 224), 138_357_544),
    "VGG-19": (vgg(2, 2, 4, 4, 4), (3, 224, 224), 143_667_240),
    "ResNet-18": (resnet("residual_basic", 2, 2, 2, 2), (3, 224, 224), 11_689_512),
    "ResNet-34": (resnet("residual_basic", 3, 4, 6, 3), (3, 224, 224), 21_797_672),
    "ResNet-50": (resnet("residual_bottleneck", 3, 4, 6, 3), (3, 224, 224), 25_557_032),
    "GoogLeNet": (googlenet(), (3, 224, 224), 6_624_904),
    "DenseNet-121": (densenet(6, 12, 24, 16), (3, 224, 224), 7_978_856),
    "MobileNet v1": (mobilenet_v1(), (3, 224, 224), 4_231_976),
    "MobileNetV2": (mobilenet_v2(), (3, 224, 224), 3_504_872),
}


class TestKnownNetworks:
    @pytest.mark.parametrize("name", KNOWN)
    def test_it_can_be_said_in_parts_and_has_the_known_number_of_parameters(self, name: str):
        parts, shape, expected = KNOWN[name]
        network = on_meta(NetworkSpec(name, shape, parts))
        assert parameters(network) == expected
        with torch.no_grad():
            out = network(torch.zeros(1, *shape, device="meta"))
        assert out.shape == (1, 10 if shape[0] == 1 or name == "NiN" else 1000)

    @pytest.mark.parametrize(
        ("name", "theirs", "size"),
        [
            ("ResNet-18", models.resnet18, 64),
            ("ResNet-50", models.resnet50, 64),
            ("DenseNet-121", models.densenet121, 64),
            ("MobileNetV2", models.mobilenet_v2, 64),
            ("GoogLeNet", lambda: models.googlenet(aux_logits=False, init_weights=False), 64),
        ],
    )
    def test_it_computes_what_torchvisions_does_with_its_weights(self, name: str, theirs: Any, size: int):
        torch.manual_seed(0)
        reference = theirs().eval()
        ours = given(build(NetworkSpec(name, (3, size, size), KNOWN[name][0])), reference)
        x = torch.randn(1, 3, size, size)
        with torch.no_grad():
            torch.testing.assert_close(ours(x), reference(x), rtol=1e-4, atol=1e-4)


# Code ------------------------------------------------------------------------------------------------

_DRIVER = """
import pathlib, runpy, sys, warnings, torch

warnings.simplefilter("ignore")
torch.set_grad_enabled(False)  # attention takes another path with gradients
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    kept = torch.load(folder / "kept.pt")
    made = runpy.run_path(str(folder / "class.py"))
    network = made[kept["class"]]()
    network.load_state_dict(kept["weights"], strict=True)
    assert torch.equal(network.eval()(kept["x"].clone()), kept["y"]), f"{folder.name}: class"
    network = runpy.run_path(str(folder / "sequential.py"))["network"]
    values = list(kept["weights"].values())
    own = network.state_dict()
    assert [v.shape for v in own.values()] == [v.shape for v in values], f"{folder.name}: shapes"
    network.load_state_dict(dict(zip(own, values)))
    assert torch.equal(network.eval()(kept["x"].clone()), kept["y"]), f"{folder.name}: sequential"
    print("same")
"""


def run_codes(folder: Path, specs: list[NetworkSpec]) -> None:
    """Both codes of every network, run elsewhere with the weights that `build` made, and their outputs compared."""
    cases = folder / "cases"
    for number, spec in enumerate(specs):
        case = cases / f"{number:03}"
        case.mkdir(parents=True)
        network = shaken(build(spec), number)
        x = torch.randn(2, *spec.input_shape)
        with torch.no_grad():
            y = network(x.clone())
        kept = {"weights": network.state_dict(), "x": x, "y": y, "class": class_name(spec.name)}
        torch.save(kept, case / "kept.pt")
        for style in ("class", "sequential"):
            (case / f"{style}.py").write_text(code(spec, style), encoding="utf-8")  # type: ignore[arg-type]
    (folder / "driver.py").write_text(_DRIVER, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", folder / "driver.py", cases], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("same") == len(specs)


class TestCode:
    def test_code_of_every_kind_computes_what_the_network_does(self, tmp_path: Path):
        rng, specs = random.Random(4), []
        for kind in PARTS:
            kept = 0
            while kept < 3:
                parts = (*before(kind), draw_part(rng, kind))
                side = rng.choice([(9, 10), (17, 18)] if kind != "maxvit_block" else [(4, 4), (7, 7)])
                spec = NetworkSpec(f"{kind} {kept}", (rng.choice([1, 4, 6]), *side), parts)
                if planned(spec).trouble is None:
                    specs.append(spec)
                    kept += 1
        run_codes(tmp_path, specs)

    def test_code_of_200_random_networks_computes_what_they_do(self, tmp_path: Path):
        rng, specs = random.Random(5), []
        while len(specs) < 200:
            spec = draw_spec(rng, fitting=True)
            if planned(spec).trouble is None and spec.parts and planned(spec).output_shape:
                specs.append(spec)
        run_codes(tmp_path, specs)

    def test_code_of_named_and_nested_groups_computes_what_they_do(self, tmp_path: Path):
        residual = part("branches", part("sequence"), part("conv", out_channels=4, padding=1, name="body"))
        named = part("sequence", part("conv", out_channels=4, name="conv"), residual, name="features")
        repeated = part("sequence", residual, part("relu"), times=3, name="again")
        alone = part("sequence", part("conv", out_channels=4, padding=1, name="only"), times=2)
        growing = part("sequence", part("dense_block", layers=2, growth=3), times=3)
        run_codes(
            tmp_path,
            [
                NetworkSpec("Named", (2, 9, 9), (named, repeated, alone, growing)),
                NetworkSpec('A "quoted" \\ name', (2, 9, 9), (part("relu"),)),
                NetworkSpec("Add", (2, 9, 9), (part("branches", part("relu"), part("relu")),)),
                NetworkSpec("F", (2, 9, 9), (part("layer_norm"),)),
                NetworkSpec("Tensor", (2, 9, 9), (part("residual_basic"),)),
                NetworkSpec("OrderedDict", (2, 9, 9), (named,)),
                NetworkSpec("Empty", (2, 9, 9), (part("sequence"),)),
                NetworkSpec("Nothing", (2, 9, 9)),
            ],
        )

    def test_the_code_of_a_small_net_reads_as_people_write_it(self):
        spec = NetworkSpec(
            "LeNet-5",
            (1, 32, 32),
            (
                part("sequence", part("conv", out_channels=6, kernel_size=5), part("tanh"), name="features"),
                part("sequence", part("relu"), times=2, name="twice"),
                part("flatten"),
                part("linear", name="classify"),
            ),
        )
        assert (
            code(spec)
            == '''\
import torch
from torch import nn


class LeNet5(nn.Module):
    """LeNet-5: (N, 1, 32, 32) → (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5),
            nn.Tanh(),
        )
        self.twice = nn.Sequential(
            *(nn.ReLU() for _ in range(2)),
        )
        self.flatten1 = nn.Flatten()
        self.classify = nn.Linear(4704, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        x = self.twice(x)
        x = self.flatten1(x)
        x = self.classify(x)
        return x


if __name__ == "__main__":
    network = LeNet5().eval()
    print(network(torch.zeros(1, 1, 32, 32)).shape)
'''
        )

    def test_each_blocks_class_is_written_once_with_those_that_it_uses(self):
        inverted = part("inverted_residual", squeeze="mobilenet_v3")
        text = code(NetworkSpec("Two", (8, 16, 16), (inverted, inverted)))
        assert text.count("class InvertedResidual(") == text.count("class SqueezeExcitation(") == 1
        assert text.index("class SqueezeExcitation(") < text.index("class Two(")
        assert "class BasicBlock" not in text
        assert "type: ignore" not in text

    def test_lines_are_not_long(self):
        rng = random.Random(6)
        for _ in range(150):
            spec = draw_spec(rng, fitting=True)
            if planned(spec).trouble is None:
                assert max(map(len, code(spec).splitlines())) <= 120, code(spec)

    def test_what_cannot_be_built_has_no_code(self):
        with pytest.raises(ModelError, match=r"^Linear “linear1” cannot follow: .*\.$"):
            code(NetworkSpec("Net", (1, 8, 8), (part("linear"),)))


def test_shapes_of_a_part_alone_agree_with_its_place_in_a_network():
    block = part("residual_basic", out_channels=128, stride=2)
    assert output_shape(block, (64, 56, 56)) == (128, 28, 28)
    assert planned(NetworkSpec("Net", (64, 56, 56), (block,))).output_shape == (128, 28, 28)
