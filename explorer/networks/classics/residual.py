"""Networks with shortcuts: ResNet and its kin, DenseNet, RegNet, ConvNeXt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.entry import Classic, SpecOf
from explorer.networks.spec import NetworkSpec, Part, part

IDEA: Final = "Blocks learn what to add to their input; the shortcut lets gradients through a hundred layers."

# table 1 of the paper: blocks in each of four stages
_BLOCKS: Final = MappingProxyType(
    {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
)
_PICTURE: Final = (3, 224, 224)


def classics() -> Iterator[Classic]:
    """The bottleneck ResNets of the paper; torchvision's 18 and 34 are the paper's."""
    for depth in (50, 101, 152):
        yield Classic(
            f"resnet{depth}-2015",
            f"ResNet-{depth}, as published",
            "ResNet",
            2015,
            "he2016",
            IDEA,
            "“v1”: the first 1 × 1 of a stage has the stride and skips three of four pixels; torchvision’s “v1.5” "
            "has it in the 3 × 3, which costs more and classifies better.",
            _PICTURE,
            partial(
                _resnet,
                f"ResNet-{depth}, as published",
                _BLOCKS[depth],
                partial(_bottleneck, stride_on="1×1"),
            ),
        )


# Stages of blocks ------------------------------------------------------------------------------------

BlockOf = Callable[[int, int], Part]
"""From the stage, 0 to 3, and the stride, a block."""


def _basic(stage: int, stride: int) -> Part:
    return part("residual_basic", out_channels=64 * 2**stage, stride=stride)


def _bottleneck(stage: int, stride: int, stride_on: str = "3×3", wider: int = 1) -> Part:
    width = 64 * 2**stage
    return part(
        "residual_bottleneck", width=wider * width, out_channels=4 * width, stride=stride, stride_on=stride_on
    )


def _grouped(stage: int, stride: int, groups: int, width: int) -> Part:
    return part(
        "resnext_bottleneck",
        groups=groups,
        width=width * 2**stage,
        out_channels=256 * 2**stage,
        stride=stride,
    )


def _resnet(name: str, blocks: Sequence[int], block: BlockOf) -> NetworkSpec:
    stages = (
        part(
            "sequence",
            *(block(stage, 2 if stage > 0 and index == 0 else 1) for index in range(count)),
            name=f"layer{stage + 1}",
        )
        for stage, count in enumerate(blocks)
    )
    parts = (
        part("conv", out_channels=64, kernel_size=7, stride=2, padding=3, bias=False, name="conv1"),
        part("batch_norm", name="bn1"),
        part("relu", inplace=True, name="relu"),
        part("max_pool", kernel_size=3, padding=1, name="maxpool"),
        *stages,
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part("flatten"),
        part("linear", out_features=1000, name="fc"),
    )
    return NetworkSpec(name, _PICTURE, parts)


# DenseNet --------------------------------------------------------------------------------------------


def _densenet(name: str, first: int, growth: int, blocks: Sequence[int]) -> NetworkSpec:
    features = [
        part("conv", out_channels=first, kernel_size=7, stride=2, padding=3, bias=False, name="conv0"),
        part("batch_norm", name="norm0"),
        part("relu", inplace=True, name="relu0"),
        part("max_pool", kernel_size=3, padding=1, name="pool0"),
    ]
    for number, layers in enumerate(blocks, 1):
        features.append(part("dense_block", layers=layers, growth=growth, name=f"denseblock{number}"))
        if number < len(blocks):
            features.append(part("transition", name=f"transition{number}"))
    parts = (
        part("sequence", *features, part("batch_norm", name="norm5"), name="features"),
        part("relu", inplace=True),
        part("adaptive_average_pool", output_size=1),
        part("flatten"),
        part("linear", out_features=1000, name="classifier"),
    )
    return NetworkSpec(name, _PICTURE, parts)


# RegNet ----------------------------------------------------------------------------------------------

# first width, slope and step of the widths, channels a group, blocks: the paper's models as torchvision has them
_REGNETS: Final = MappingProxyType(
    {
        "x_400mf": (24, 24.48, 2.54, 16, 22),
        "x_800mf": (56, 35.73, 2.28, 16, 16),
        "x_1_6gf": (80, 34.01, 2.25, 24, 18),
        "x_3_2gf": (88, 26.31, 2.25, 48, 25),
        "x_8gf": (80, 49.56, 2.88, 120, 23),
        "x_16gf": (216, 55.59, 2.1, 128, 22),
        "x_32gf": (320, 69.86, 2.0, 168, 23),
        "y_400mf": (48, 27.89, 2.09, 8, 16),
        "y_800mf": (56, 38.84, 2.4, 16, 14),
        "y_1_6gf": (48, 20.71, 2.65, 24, 27),
        "y_3_2gf": (80, 42.63, 2.66, 24, 21),
        "y_8gf": (192, 76.82, 2.19, 56, 17),
        "y_16gf": (200, 106.23, 2.48, 112, 18),
        "y_32gf": (232, 115.89, 2.53, 232, 20),
        "y_128gf": (456, 160.83, 2.52, 264, 27),
    }
)


def regnet_widths(first: int, slope: float, step: float, group_width: int, blocks: int) -> list[int]:
    """Channels of each block: on a line, rounded to steps of one ratio, to eights, then to whole groups.

    >>> regnet_widths(48, 27.89, 2.09, 8, 16)
    [48, 104, 104, 104, 208, 208, 208, 208, 208, 208, 440, 440, 440, 440, 440, 440]

    Source: Radosavovic et al. 2020, arXiv:2003.13678, section 3.3.
    """
    lines = (first + slope * index for index in range(blocks))
    steps = (round(math.log(line / first) / math.log(step)) for line in lines)
    eights = (8 * round(first * step**number / 8) for number in steps)
    return [_in_groups(width, min(group_width, width)) for width in eights]


def _in_groups(width: int, group_width: int) -> int:
    """The nearest number of whole groups, half of one rounded up, that loses no more than a tenth."""
    nearest = max(group_width, (width + group_width // 2) // group_width * group_width)
    return nearest if nearest >= 0.9 * width else nearest + group_width


def _regnet(key: str) -> NetworkSpec:
    group_width = _REGNETS[key][3]
    stages = [
        part(
            "sequence",
            *(
                part(
                    "regnet",
                    out_channels=width,
                    group_width=min(group_width, width),
                    stride=2 if index == 0 else 1,
                    squeeze_ratio=0.25 if key.startswith("y") else 0.0,
                )
                for index, _ in enumerate(widths)
            ),
            name=f"block{number}",
        )
        for number, (width, widths) in enumerate(groupby(regnet_widths(*_REGNETS[key])), 1)
    ]
    stem = part("conv", out_channels=32, stride=2, padding=1, bias=False)
    parts = (
        part("sequence", stem, part("batch_norm"), part("relu", inplace=True), name="stem"),
        part("sequence", *stages, name="trunk_output"),
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part("flatten"),
        part("linear", out_features=1000, name="fc"),
    )
    kind, _, size = key.partition("_")
    return NetworkSpec(f"RegNet{kind.upper()}-{size.replace('_', '.').upper()}", _PICTURE, parts)


# ConvNeXt --------------------------------------------------------------------------------------------


def _convnext(name: str, widths: Sequence[int], blocks: Sequence[int]) -> NetworkSpec:
    norm = part("layer_norm", eps=1e-6)
    features = [part("sequence", part("conv", out_channels=widths[0], kernel_size=4, stride=4), norm)]
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if stage:
            features.append(part("sequence", norm, part("conv", out_channels=width, kernel_size=2, stride=2)))
        features.append(part("sequence", *(part("convnext") for _ in range(count))))
    parts = (
        part("sequence", *features, name="features"),
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part(
            "sequence",
            norm,
            part("flatten"),
            part("linear", out_features=1000),
            name="classifier",
        ),
    )
    return NetworkSpec(name, _PICTURE, parts)


# As torchvision has them -----------------------------------------------------------------------------

SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType(
    {
        **{
            f"resnet{depth}": partial(_resnet, f"ResNet-{depth}", _BLOCKS[depth], _basic)
            for depth in (18, 34)
        },
        **{
            f"resnet{depth}": partial(_resnet, f"ResNet-{depth}", _BLOCKS[depth], _bottleneck)
            for depth in (50, 101, 152)
        },
        **{
            f"wide_resnet{depth}_2": partial(
                _resnet, f"Wide ResNet-{depth}-2", _BLOCKS[depth], partial(_bottleneck, wider=2)
            )
            for depth in (50, 101)
        },
        **{
            f"resnext{depth}_{groups}x{width}d": partial(
                _resnet,
                f"ResNeXt-{depth} {groups}×{width}d",
                _BLOCKS[depth],
                partial(_grouped, groups=groups, width=width),
            )
            for depth, groups, width in ((50, 32, 4), (101, 32, 8), (101, 64, 4))
        },
        **{
            f"densenet{depth}": partial(_densenet, f"DenseNet-{depth}", first, growth, blocks)
            for depth, first, growth, blocks in (
                (121, 64, 32, (6, 12, 24, 16)),
                (169, 64, 32, (6, 12, 32, 32)),
                (201, 64, 32, (6, 12, 48, 32)),
                (161, 96, 48, (6, 12, 36, 24)),
            )
        },
        **{f"regnet_{key}": partial(_regnet, key) for key in _REGNETS},
        **{
            f"convnext_{size}": partial(_convnext, f"ConvNeXt-{size.capitalize()}", widths, (3, 3, deep, 3))
            for size, widths, deep in (
                ("tiny", (96, 192, 384, 768), 9),
                ("small", (96, 192, 384, 768), 27),
                ("base", (128, 256, 512, 1024), 27),
                ("large", (192, 384, 768, 1536), 27),
            )
        },
    }
)
"""torchvision's networks of parts, by torchvision's names."""
