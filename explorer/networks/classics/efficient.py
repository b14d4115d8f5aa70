"""Kin of EfficientNet: the second version, and the one for integer arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.entry import SpecOf
from explorer.networks.spec import NetworkSpec, Part, part

_EPS: Final = 1e-3


def _network(name: str, side: int, features: Sequence[Part], dropout: float) -> NetworkSpec:
    parts = (
        part("sequence", *features, name="features"),
        part("adaptive_average_pool", output_size=1, name="avgpool"),
        part("flatten"),
        part("sequence", part("dropout", p=dropout), part("linear", out_features=1000), name="classifier"),
    )
    return NetworkSpec(name, (3, side, side), parts)


# EfficientNetV2 --------------------------------------------------------------------------------------

# table 4 of the paper, and its code: fused or not, expansion, stride, output channels, repetitions
_STAGES: Final = MappingProxyType(
    {
        "S": (
            (True, 1, 1, 24, 2),
            (True, 4, 2, 48, 4),
            (True, 4, 2, 64, 4),
            (False, 4, 2, 128, 6),
            (False, 6, 1, 160, 9),
            (False, 6, 2, 256, 15),
        ),
        "M": (
            (True, 1, 1, 24, 3),
            (True, 4, 2, 48, 5),
            (True, 4, 2, 80, 5),
            (False, 4, 2, 160, 7),
            (False, 6, 1, 176, 14),
            (False, 6, 2, 304, 18),
            (False, 6, 1, 512, 5),
        ),
        "L": (
            (True, 1, 1, 32, 4),
            (True, 4, 2, 64, 7),
            (True, 4, 2, 96, 7),
            (False, 4, 2, 192, 10),
            (False, 6, 1, 224, 19),
            (False, 6, 2, 384, 25),
            (False, 6, 1, 640, 7),
        ),
    }
)


def _version_2(size: str, side: int, dropout: float) -> NetworkSpec:
    stages = _STAGES[size]

    def conv(filters: int, kernel_size: int, stride: int) -> Part:
        window = {"kernel_size": kernel_size, "stride": stride, "padding": kernel_size // 2}
        return part(
            "sequence",
            Part("conv", {"out_channels": filters, "bias": False, **window}),
            part("batch_norm", eps=_EPS),
            part("silu", inplace=True),
        )

    def block(fused: bool, **settings: int) -> Part:
        if fused:
            return Part("fused_inverted_residual", {"eps": _EPS, **settings})
        usual = {"eps": _EPS, "activation": "silu", "squeeze": "efficientnet"}
        return Part("inverted_residual", {**usual, **settings})

    features = [conv(stages[0][3], 3, 2)]
    for fused, expansion, stride, width, count in stages:
        strides = (stride if index == 0 else 1 for index in range(count))
        features.append(
            part(
                "sequence",
                *(block(fused, expansion=expansion, stride=each, out_channels=width) for each in strides),
            )
        )
    return _network(f"EfficientNetV2-{size}", side, [*features, conv(1280, 1, 1)], dropout)


# EfficientNet-Lite -----------------------------------------------------------------------------------


def _wide(filters: int, kernel_size: int, stride: int, side: int, groups: int = 1) -> tuple[Part, ...]:
    """A convolution with norm and ReLU6, padded as TensorFlow does: where both sides are not alike, more at the end."""
    conv = part(
        "conv",
        out_channels=filters,
        kernel_size=kernel_size,
        stride=stride,
        padding=kernel_size // 2 if stride == 1 else 0,
        groups=groups,
        bias=False,
    )
    missing = (-(-side // stride) - 1) * stride + kernel_size - side
    before, after = missing // 2, missing - missing // 2
    pad = part("zero_pad", left=before, right=after, top=before, bottom=after)
    return *((pad,) if stride > 1 else ()), conv, part("batch_norm", eps=_EPS), part("relu6", inplace=True)


def lite0(name: str) -> NetworkSpec:
    """EfficientNet-Lite0 under this name: B0 with ReLU6, without squeeze and excite, padded as TensorFlow does."""
    # expansion, kernel, stride, output channels, repetitions
    stages = (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )
    features, side, width = [part("sequence", *_wide(32, 3, 2, 224))], 112, 32
    for expansion, kernel_size, stride, out_channels, count in stages:
        for index in range(count):
            if stride > 1 and index == 0:
                inside = expansion * width
                steps = *_wide(inside, 1, 1, side), *_wide(inside, kernel_size, stride, side, inside)
                last = part("conv", out_channels=out_channels, kernel_size=1, bias=False)
                features.append(part("sequence", *steps, last, part("batch_norm", eps=_EPS)))
                side //= stride
            else:
                features.append(
                    part(
                        "inverted_residual",
                        expansion=expansion,
                        kernel_size=kernel_size,
                        out_channels=out_channels,
                        eps=_EPS,
                    )
                )
            width = out_channels
    return _network(name, 224, [*features, part("sequence", *_wide(1280, 1, 1, side))], 0.0)


SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType(
    {
        f"efficientnet_v2_{size.lower()}": partial(_version_2, size, side, dropout)
        for size, side, dropout in (("S", 384, 0.2), ("M", 480, 0.3), ("L", 480, 0.4))
    }
)
"""torchvision's networks of parts, by torchvision's names."""
