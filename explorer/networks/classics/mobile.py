"""Networks for small computers: SqueezeNet, MobileNet 1 to 3, MnasNet, ShuffleNet V2, EfficientNet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.entry import Classic, SpecOf
from explorer.networks.spec import NetworkSpec, Part, part

_PICTURE: Final = (3, 224, 224)


def classics() -> Iterator[Classic]:
    """MobileNet v1, which torchvision does not have."""
    yield Classic(
        "mobilenet_v1",
        "MobileNet",
        "MobileNet",
        2017,
        "howard2017",
        "Depthwise convolutions see space, 1 × 1 convolutions mix channels: together a ninth of the work of a 3 × 3.",
        "As published, at full width and 224 pixels.",
        _PICTURE,
        _mobilenet_v1,
    )


def _mobilenet_v1() -> NetworkSpec:
    # table 1 of the paper: output channels and stride
    blocks = (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    )
    features = (
        part("conv", out_channels=32, stride=2, padding=1, bias=False),
        part("batch_norm"),
        part("relu"),
        *(part("separable", out_channels=width, stride=stride) for width, stride in blocks),
    )
    parts = (
        part("sequence", *features, name="features"),
        part("adaptive_average_pool", output_size=1),
        part("flatten"),
        part("linear", out_features=1000, name="classifier"),
    )
    return NetworkSpec("MobileNet", _PICTURE, parts)


def _conv(filters: int, kernel_size: int, stride: int, activation: str, eps: float = 1e-5) -> Part:
    return part(
        "sequence",
        part(
            "conv",
            out_channels=filters,
            kernel_size=kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        ),
        part("batch_norm", eps=eps),
        part(activation, inplace=True),
    )


def _divisible(channels: float) -> int:
    """The nearest multiple of 8 that loses less than a tenth.

    >>> _divisible(33), _divisible(18)
    (32, 24)
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _network(name: str, side: int, features: Sequence[Part], *head: Part) -> NetworkSpec:
    parts = (
        part("sequence", *features, name="features"),
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part("flatten"),
        part("sequence", *head, name="classifier"),
    )
    return NetworkSpec(name, (3, side, side), parts)


# SqueezeNet ------------------------------------------------------------------------------------------


def _fire(squeezed: int, expanded: int) -> Part:
    """1 × 1 to few channels, and from these 1 × 1 and 3 × 3 side by side."""
    relu = part("relu", inplace=True)

    def conv(filters: int, kernel_size: int) -> tuple[Part, Part]:
        return part("conv", out_channels=filters, kernel_size=kernel_size, padding=kernel_size // 2), relu

    return part(
        "sequence",
        *conv(squeezed, 1),
        part(
            "branches",
            part("sequence", *conv(expanded, 1), name="expand1x1"),
            part("sequence", *conv(expanded, 3), name="expand3x3"),
            join="cat",
        ),
    )


def _squeezenet(name: str, first: tuple[int, int], pools_before: Sequence[int]) -> NetworkSpec:
    filters, kernel_size = first
    pool = part("max_pool", kernel_size=3, ceil_mode=True)
    features = [
        part("conv", out_channels=filters, kernel_size=kernel_size, stride=2),
        part("relu", inplace=True),
    ]
    for index, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        features += [pool] * (index in pools_before) + [_fire(squeezed, 4 * squeezed)]
    parts = (
        part("sequence", *features, name="features"),
        part(
            "sequence",
            part("dropout"),
            part("conv", out_channels=1000, kernel_size=1),
            part("relu", inplace=True),
            part("adaptive_average_pool", output_size=1),
            name="classifier",
        ),
        part("flatten"),
    )
    return NetworkSpec(name, _PICTURE, parts)


# MobileNet 2 and 3, MnasNet --------------------------------------------------------------------------


def _mobilenet_v2() -> NetworkSpec:
    # table 2 of the paper: expansion, output channels, repetitions, stride
    stages = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    blocks = (
        part("inverted_residual", expansion=expansion, out_channels=width, stride=stride if index == 0 else 1)
        for expansion, width, count, stride in stages
        for index in range(count)
    )
    features = _conv(32, 3, 2, "relu6"), *blocks, _conv(1280, 1, 1, "relu6")
    return _network("MobileNetV2", 224, features, part("dropout", p=0.2), part("linear", out_features=1000))


# tables 1 and 2 of the paper: kernel, channels inside and out, squeeze and excite, ReLU or hard swish, stride
_V3: Final = MappingProxyType(
    {
        "large": (
            (3, 16, 16, False, "relu", 1),
            (3, 64, 24, False, "relu", 2),
            (3, 72, 24, False, "relu", 1),
            (5, 72, 40, True, "relu", 2),
            (5, 120, 40, True, "relu", 1),
            (5, 120, 40, True, "relu", 1),
            (3, 240, 80, False, "hardswish", 2),
            (3, 200, 80, False, "hardswish", 1),
            (3, 184, 80, False, "hardswish", 1),
            (3, 184, 80, False, "hardswish", 1),
            (3, 480, 112, True, "hardswish", 1),
            (3, 672, 112, True, "hardswish", 1),
            (5, 672, 160, True, "hardswish", 2),
            (5, 960, 160, True, "hardswish", 1),
            (5, 960, 160, True, "hardswish", 1),
        ),
        "small": (
            (3, 16, 16, True, "relu", 2),
            (3, 72, 24, False, "relu", 2),
            (3, 88, 24, False, "relu", 1),
            (5, 96, 40, True, "hardswish", 2),
            (5, 240, 40, True, "hardswish", 1),
            (5, 240, 40, True, "hardswish", 1),
            (5, 120, 48, True, "hardswish", 1),
            (5, 144, 48, True, "hardswish", 1),
            (5, 288, 96, True, "hardswish", 2),
            (5, 576, 96, True, "hardswish", 1),
            (5, 576, 96, True, "hardswish", 1),
        ),
    }
)


def _mobilenet_v3(size: str, last: int) -> NetworkSpec:
    features, width = [_conv(16, 3, 2, "hardswish", 1e-3)], 16
    for kernel_size, inside, out_channels, squeezes, activation, stride in _V3[size]:
        features.append(
            part(
                "inverted_residual",
                kernel_size=kernel_size,
                expansion=inside / width,
                out_channels=out_channels,
                squeeze="mobilenet_v3" if squeezes else "none",
                activation=activation,
                stride=stride,
                eps=1e-3,
            )
        )
        width = out_channels
    features.append(_conv(6 * width, 1, 1, "hardswish", 1e-3))
    head = (
        part("linear", out_features=last),
        part("hardswish", inplace=True),
        part("dropout", p=0.2),
        part("linear", out_features=1000),
    )
    return _network(f"MobileNetV3 {size}", 224, features, *head)


def _mnasnet(scale: float) -> NetworkSpec:
    # kernel, stride, expansion, repetitions of a stage
    stages = ((3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1))
    first, second, *widths = (_divisible(scale * width) for width in (32, 16, 24, 40, 80, 96, 192, 320))
    blocks = (
        part(
            "inverted_residual",
            kernel_size=kernel_size,
            expansion=expansion,
            out_channels=width,
            stride=stride if index == 0 else 1,
            activation="relu",
        )
        for (kernel_size, stride, expansion, count), width in zip(stages, widths, strict=True)
        for index in range(count)
    )
    features = (
        _conv(first, 3, 2, "relu"),
        part("inverted_residual", expansion=1, out_channels=second, activation="relu"),
        *blocks,
        _conv(1280, 1, 1, "relu"),
    )
    head = part("dropout", p=0.2), part("linear", out_features=1000)
    return _network(f"MnasNet {scale:.2f}".removesuffix("0"), 224, features, *head)


# ShuffleNet V2 ---------------------------------------------------------------------------------------


def _shufflenet(times: str, *widths: int) -> NetworkSpec:
    def conv(filters: int, kernel_size: int, stride: int) -> Part:
        window = {"kernel_size": kernel_size, "stride": stride, "padding": kernel_size // 2}
        return part(
            "sequence",
            Part("conv", {"out_channels": filters, "bias": False, **window}),
            part("batch_norm"),
            part("relu", inplace=True),
            name="conv1" if kernel_size == 3 else "conv5",
        )

    *stages, last = widths
    # table 5 of the paper
    blocks = (
        part(
            "sequence",
            *(
                part("shuffle_unit", out_channels=width, stride=2 if index == 0 else 1)
                for index in range(count)
            ),
            name=f"stage{number}",
        )
        for number, count, width in zip((2, 3, 4), (4, 8, 4), stages, strict=True)
    )
    parts = (
        conv(24, 3, 2),
        part("max_pool", kernel_size=3, padding=1, name="maxpool"),
        *blocks,
        conv(last, 1, 1),
        part("adaptive_average_pool", output_size=1),
        part("flatten"),
        part("linear", out_features=1000, name="fc"),
    )
    return NetworkSpec(f"ShuffleNet V2 ×{times}", _PICTURE, parts)


# EfficientNet ----------------------------------------------------------------------------------------


def _efficientnet(number: int, wider: float, deeper: float, side: int, dropout: float) -> NetworkSpec:
    # table 1 of the paper: expansion, kernel, stride, output channels, repetitions
    stages = (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )
    eps = 1e-3 if number >= 5 else 1e-5  # as their weights were trained
    blocks = (
        part(
            "inverted_residual",
            expansion=expansion,
            kernel_size=kernel_size,
            stride=stride if index == 0 else 1,
            out_channels=_divisible(wider * width),
            activation="silu",
            squeeze="efficientnet",
            eps=eps,
        )
        for expansion, kernel_size, stride, width, count in stages
        for index in range(math.ceil(deeper * count))
    )
    features = (
        _conv(_divisible(wider * 32), 3, 2, "silu", eps),
        *blocks,
        _conv(4 * _divisible(wider * 320), 1, 1, "silu", eps),
    )
    head = part("dropout", p=dropout), part("linear", out_features=1000)
    return _network(f"EfficientNet-B{number}", side, features, *head)


# As torchvision has them -----------------------------------------------------------------------------

SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType(
    {
        "squeezenet1_0": partial(_squeezenet, "SqueezeNet 1.0", (96, 7), (0, 3, 7)),
        "squeezenet1_1": partial(_squeezenet, "SqueezeNet 1.1", (64, 3), (0, 2, 4)),
        "mobilenet_v2": _mobilenet_v2,
        "mobilenet_v3_small": partial(_mobilenet_v3, "small", 1024),
        "mobilenet_v3_large": partial(_mobilenet_v3, "large", 1280),
        **{
            f"mnasnet{name}": partial(_mnasnet, scale)
            for name, scale in (("0_5", 0.5), ("0_75", 0.75), ("1_0", 1.0), ("1_3", 1.3))
        },
        **{
            f"shufflenet_v2_x{times.replace('.', '_')}": partial(_shufflenet, times, *widths)
            for times, widths in (
                ("0.5", (48, 96, 192, 1024)),
                ("1.0", (116, 232, 464, 1024)),
                ("1.5", (176, 352, 704, 1024)),
                ("2.0", (244, 488, 976, 2048)),
            )
        },
        **{
            f"efficientnet_b{number}": partial(_efficientnet, number, *settings)
            for number, settings in enumerate(
                (
                    (1.0, 1.0, 224, 0.2),
                    (1.0, 1.1, 240, 0.2),
                    (1.1, 1.2, 288, 0.3),
                    (1.2, 1.4, 300, 0.3),
                    (1.4, 1.8, 380, 0.4),
                    (1.6, 2.2, 456, 0.4),
                    (1.8, 2.6, 528, 0.5),
                    (2.0, 3.1, 600, 0.5),
                )
            )
        },
    }
)
"""torchvision's networks of parts, by torchvision's names."""
