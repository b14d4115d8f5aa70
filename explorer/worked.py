"""Layers small enough to be drawn, with numbers that a person can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.animation import stages, weight_shape
from explorer.layers import ADAPTIVE, POOLS, LayerSpec, Sizes, output_shape

LARGEST: Final[Mapping[int, Sizes]] = MappingProxyType({1: (12,), 2: (7, 7), 3: (3, 5, 5)})
"""Sizes of a picture that can be drawn, by the number of dimensions."""
_SPREAD: Final = 24
"""Rows and columns that a transposed convolution may spread a picture to."""


def worked_numbers(
    spec: LayerSpec, input_shape: Sizes, seed: int = 0
) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], ...], tuple[NDArray[np.int64] | None, ...]]:
    """Numbers that a person can check: picture 0..9, weights −2..2, biases −3..3, the same for the same seed.

    Weights and biases are as `animate` takes them; no filter is all zeros.

    Raises:
        ShapeError: the layer does not fit the input.
    """
    output_shape(spec, input_shape)
    random = np.random.default_rng(seed)
    picture = random.integers(0, 10, input_shape)
    weights, bias = [], []
    for part in stages(spec):
        if part.kind in POOLS:
            continue
        drawn = random.integers(-2, 3, weight_shape(part))
        drawn[~drawn.any(axis=tuple(range(1, drawn.ndim)))] = 1
        weights.append(drawn)
        bias.append(random.integers(-3, 4, part.out_channels) if part.bias else None)
    return picture, tuple(weights), tuple(bias)


def drawable(spec: LayerSpec, input_shape: Sizes) -> tuple[LayerSpec, Sizes, str]:
    """The layer and its input cut to what can be drawn, and sentences that say what was cut ("" for nothing).

    Kernel, stride, padding and dilation stay, and so do the rows that no window reads; the picture is larger than
    `LARGEST` only where two windows would not fit.  Of groups two stay, with up to two channels each.

    >>> small, shape, sentence = drawable(LayerSpec(out_channels=96, kernel_size=11, stride=4), (3, 227, 227))
    >>> small.out_channels, shape
    (2, (3, 15, 15))
    >>> sentence
    'Drawn smaller than your layer: 2 of 96 filters and 15×15 of 227×227 cells. The window and its steps are the same.'

    Raises:
        ShapeError: the layer does not fit the input.
    """
    output_shape(spec, input_shape)
    small = _fewer_channels(spec)
    if spec.kind in ADAPTIVE:
        pairs = [
            _fewer_regions(*numbers)
            for numbers in zip(input_shape[1:], spec.output_size, LARGEST[spec.dimensions], strict=True)
        ]
        small = replace(small, output_size=tuple(positions for _, positions in pairs))
        sizes = tuple(size for size, _ in pairs)
    else:
        sizes = tuple(_fewer_rows(spec, axis, size) for axis, size in enumerate(input_shape[1:]))
    by = "×".join
    before, after = by(map(str, input_shape[1:])), by(map(str, sizes))
    cuts = [
        f"{now} of {was} {noun}"
        for noun, now, was in (
            ("channels", small.in_channels, spec.in_channels),
            ("filters", small.out_channels, spec.out_channels),
            ("groups", small.groups, spec.groups),
            ("cells", after, before),
            ("regions", by(map(str, small.output_size)), by(map(str, spec.output_size))),
        )
        # a pool's outputs are its channels, and a depthwise layer's groups too
        if now != was
        and not (noun == "filters" and spec.kind in POOLS)
        and not (noun == "groups" and spec.kind == "depthwise")
    ]
    listed = " and ".join(filter(None, (", ".join(cuts[:-1]), *cuts[-1:])))
    # the windows of an adaptive pool follow from the sizes
    same = "" if spec.kind in ADAPTIVE else " The window and its steps are the same."
    return (
        small,
        (small.in_channels, *sizes),
        f"Drawn smaller than your layer: {listed}.{same}" if cuts else "",
    )


def _fewer_channels(spec: LayerSpec) -> LayerSpec:
    most = 3 if spec.dimensions < 3 else 2
    if spec.kind == "depthwise":
        multiplier = min(spec.out_channels // spec.in_channels, 2)
        channels = min(spec.in_channels, most if multiplier == 1 else 2)
        return replace(spec, in_channels=channels, out_channels=channels * multiplier)
    if spec.groups > 1:
        # with one channel to a group it would look like a depthwise layer
        channels = min(spec.in_channels // spec.groups, 2)
        return replace(spec, in_channels=2 * channels, out_channels=2, groups=2)
    return replace(spec, in_channels=min(spec.in_channels, most), out_channels=min(spec.out_channels, 2))


def _fewer_regions(size: int, positions: int, most: int) -> tuple[int, int]:
    """Regions of one size stay so, and overlapping ones overlap."""
    if size % positions == 0:
        fewer = min(positions, most // 2)
        return min(size // positions, most // fewer) * fewer, fewer
    small, fewer = min(size, most), min(positions, most)
    return small - (small % fewer == 0), fewer


def _fewer_rows(spec: LayerSpec, axis: int, size: int) -> int:
    extent, stride, margins = spec.extent[axis], spec.stride[axis], sum(spec.margins[axis])
    most = LARGEST[spec.dimensions][axis]
    if spec.kind == "transposed":
        spread = (_SPREAD - extent) // stride + 1
        least = (margins - extent - spec.output_padding[axis]) // stride + 2
        return min(size, max(min(spread, most // 2), 2, least))
    # two windows; as many rows as the padding mirrors; the whole window, without which torch takes no mean in 3-D
    least = max(
        extent - margins + stride, spec.margins[axis][1] + 1, spec.kernel_size[axis] * (spec.kind in POOLS)
    )
    # whole strides are cut, so that as many rows as before are left over
    over = max(size - max(most, least + stride - 1), 0)
    return size - -(-over // stride) * stride
