"""Random layers, and torch's own layers made of the same numbers: what ours are held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from explorer.layers import KINDS

Numbers = Mapping[str, Any]
_CONVOLUTIONS = ("conv", "grouped", "depthwise", "dilated", "masked_a", "masked_b")
_PASSED = ("kernel_size", "stride", "padding", "dilation", "bias", "padding_mode")
_POOLS = ("max_pool", "average_pool", "global_pool", "adaptive_pool")
REFUSALS = (RuntimeError, ValueError, TypeError)


def draw(
    rng: np.random.Generator, kind: str | None = None, dimensions: int | None = None, highest_size: int = 14
) -> tuple[str, int, dict[str, Any], tuple[int, ...]]:
    """Kind, dimensions, the numbers of a layer, and an input's shape; often they do not fit together."""
    kind = kind or str(rng.choice(list(KINDS)))
    dimensions = dimensions or int(rng.integers(1, 4))

    def axes(low: int, high: int) -> int | tuple[int, ...]:
        if rng.random() < 0.5:
            return int(rng.integers(low, high))
        return tuple(rng.integers(low, high, dimensions).tolist())

    groups = int(rng.integers(1, 4))
    in_channels, out_channels = (groups * int(rng.integers(1, 4)) for _ in range(2))
    if kind == "depthwise":
        out_channels = in_channels * int(rng.integers(1, 4))
    if rng.random() < 0.05:
        out_channels += 1
    numbers = {
        "in_channels": in_channels,
        "out_channels": out_channels,
        "groups": groups,
        "kernel_size": axes(1, 6),
        "stride": axes(1, 4),
        "padding": axes(0, 4),
        "dilation": axes(1, 4),
        "bias": bool(rng.random() < 0.6),
        "padding_mode": str(rng.choice(["zeros", "reflect", "replicate", "circular"])),
        "output_padding": axes(0, 3),
        "ceil_mode": bool(rng.random() < 0.5),
        "count_include_pad": bool(rng.random() < 0.5),
        "output_size": axes(1, 8),
    }
    if rng.random() < 0.2:
        numbers["padding"] = str(rng.choice(["same", "valid"]))
        numbers["stride"] = numbers["stride"] if rng.random() < 0.2 else 1
    channels = in_channels + (rng.random() < 0.03)
    return kind, dimensions, numbers, (channels, *rng.integers(1, highest_size + 1, dimensions).tolist())


def torch_layer(kind: str, dimensions: int, numbers: Numbers) -> nn.Module:
    """torch's layer of this kind, from the numbers alone.

    Raises:
        RuntimeError, ValueError, TypeError: torch refuses it.
    """

    def make(name: str, *positions: int, **keywords: Any) -> nn.Module:
        layer: nn.Module = getattr(nn, f"{name}{dimensions}d")(*positions, **keywords)
        return layer

    def take(*names: str) -> dict[str, Any]:
        return {name: numbers[name] for name in names}

    ins, outs = numbers["in_channels"], numbers["out_channels"]
    if kind in _CONVOLUTIONS:
        groups = {"grouped": numbers["groups"], "depthwise": ins}.get(kind, 1)
        return make("Conv", ins, outs, groups=groups, **take(*_PASSED))
    if kind == "pointwise":
        return make("Conv", ins, outs, kernel_size=1, **take("stride", "bias"))
    if kind == "separable":
        return nn.Sequential(
            make("Conv", ins, ins, groups=ins, **take(*_PASSED)),
            make("Conv", ins, outs, kernel_size=1, **take("bias")),
        )
    if kind == "transposed":
        return make("ConvTranspose", ins, outs, **take(*_PASSED[:-1], "groups", "output_padding"))
    if kind == "max_pool":
        return make("MaxPool", **take(*_PASSED[:4], "ceil_mode"))
    if kind == "average_pool":
        return make("AvgPool", **take(*_PASSED[:3], "ceil_mode", "count_include_pad"))
    return make("AdaptiveAvgPool", output_size=1 if kind == "global_pool" else numbers["output_size"])


def torch_shape(
    kind: str, dimensions: int, numbers: Numbers, input_shape: tuple[int, ...], device: str = "meta"
) -> tuple[int, ...]:
    """The shape that torch gives, without the batch.

    Raises:
        RuntimeError, ValueError, TypeError: torch refuses the layer, or its input.
    """
    with torch.device(device):
        shape = tuple(torch_layer(kind, dimensions, numbers)(torch.zeros(1, *input_shape)).shape[1:])
    # a pooling takes any channels: here they are part of the layer, as a convolution's; and torch counts those of a
    # transposed convolution only where it computes
    if kind in (*_POOLS, "transposed") and input_shape[0] != numbers["in_channels"]:
        raise ValueError(f"expected {numbers['in_channels']} channels, but got {input_shape[0]}")
    if 0 in shape:
        # the meta device lets pass what is refused where numbers are computed
        raise ValueError(f"Calculated output size: {shape}. Output size is too small")
    return shape


def masked(weight: torch.Tensor, kind: str) -> torch.Tensor:
    """The mask of a convolution as PixelCNN's code builds it: the rows below, and the row of the centre from it on."""
    mask = torch.ones(weight.shape[2:])
    # one axis after the other: where all axes before are at the centre, what is behind it
    centre = [size // 2 for size in mask.shape]
    for axis, at in enumerate(centre):
        mask[(*centre[:axis], slice(at + 1, None))] = 0
    if kind == "masked_a":
        mask[tuple(centre)] = 0
    return mask.expand_as(weight)
