"""Which layers could stand in a layer's place: what each field may be, and which windows lead from size to size."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import Any, Final

from explorer.errors import ShapeError
from explorer.layers import KINDS, LOWEST_ON_AXES, LayerSpec, Sizes, output_shape

HIGHEST: Final[Mapping[str, int]] = MappingProxyType(
    {
        "size": 1024,
        "in_channels": 4096,
        "out_channels": 4096,
        "kernel_size": 64,
        "stride": 64,
        "padding": 64,
        "dilation": 64,
        "output_padding": 64,
        "output_size": 1024,
    }
)
"""The largest values that `limits` names where nothing else bounds them."""


def possible(spec: LayerSpec, input_shape: Sizes, **changes: Any) -> bool:
    """Whether the layer, with these fields changed, is one, and fits the input.

    >>> possible(LayerSpec(), (3, 8, 8), padding_mode="reflect", padding=8)
    False
    """
    try:
        output_shape(replace(spec, **changes), input_shape)
    except ShapeError:
        return False
    return True


def limits(spec: LayerSpec, input_shape: Sizes) -> dict[str, tuple[Sequence[int], ...]]:
    """The values that each field may take while the others stay, so that no control reaches an impossible layer.

    For the fields that the kind leaves free, and "size", the input's: for each axis (for channels and groups, once)
    a `range`, or a tuple of numbers where only divisors will do.  `in_channels` stands for the input's too.

    >>> limits(LayerSpec(kernel_size=3, padding=1), (3, 8, 8))["kernel_size"]
    (range(1, 11), range(1, 11))
    >>> limits(LayerSpec("grouped", in_channels=4, out_channels=6, groups=2), (4, 8, 8))["groups"]
    ((1, 2),)

    Raises:
        ShapeError: the layer is not possible as it stands.
    """
    output_shape(spec, input_shape)
    found: dict[str, tuple[Sequence[int], ...]] = {
        name: (values,) for name, values in _channel_limits(spec).items() if name in KINDS[spec.kind].fields
    }
    for name in ("size", *LOWEST_ON_AXES):
        if name == "size" or name in KINDS[spec.kind].fields:
            found[name] = tuple(_interval(spec, input_shape, name, axis) for axis in range(spec.dimensions))
    return found


def _channel_limits(spec: LayerSpec) -> dict[str, Sequence[int]]:
    step = 1 if spec.kind == "depthwise" else spec.groups
    most_in, most_out = (max(HIGHEST[name], getattr(spec, name)) for name in ("in_channels", "out_channels"))
    return {
        "in_channels": (
            _divisors(spec.out_channels) if spec.kind == "depthwise" else range(step, most_in + 1, step)
        ),
        "out_channels": range(spec.groups, most_out + 1, spec.groups),
        "groups": _divisors(math.gcd(spec.in_channels, spec.out_channels)),
    }


def _divisors(number: int) -> tuple[int, ...]:
    return tuple(each for each in range(1, number + 1) if not number % each)


def _interval(spec: LayerSpec, input_shape: Sizes, name: str, axis: int) -> range:
    """Possible values of one field on one axis.  They have no gaps, so both ends are found by halving."""
    if name == "padding" and isinstance(spec.padding, str):
        # a number that adds no less fits too
        spec = replace(spec, padding=tuple(after for _, after in spec.margins))
    values = input_shape[1:] if name == "size" else getattr(spec, name)

    def fits(value: int) -> bool:
        changed = (*values[:axis], value, *values[axis + 1 :])
        if name == "size":
            return possible(spec, (input_shape[0], *changed))
        return possible(spec, input_shape, **{name: changed})

    now = values[axis]
    lowest, highest = LOWEST_ON_AXES.get(name, 1), max(HIGHEST[name], now)
    first = bisect_left(range(lowest, now), True, key=fits) + lowest
    behind = bisect_left(range(now, highest + 1), True, key=lambda value: not fits(value)) + now
    return range(first, behind)


@dataclass(frozen=True, order=True)
class Solution:
    """A window along one axis that leads from one size to the other.

    `leftover` is how many rows at the end of the padded input no window reaches.
    """

    kernel_size: int
    stride: int
    padding: int
    dilation: int
    leftover: int


_KERNELS, _STRIDES, _PADDINGS, _DILATIONS = range(1, 16), range(1, 9), range(8), range(1, 5)


def solve(
    size: int,
    result: int,
    kernel_sizes: Sequence[int] = _KERNELS,
    strides: Sequence[int] = _STRIDES,
    paddings: Sequence[int] = _PADDINGS,
    dilations: Sequence[int] = _DILATIONS,
) -> list[Solution]:
    """All windows of a convolution that make `result` numbers of `size` along one axis, the smallest first.

    By kernel size, then stride, padding, dilation.  A single weight has no neighbour to be away from: it is listed
    with the first of the dilations.  For several axes, keep what solves each.

    >>> solve(7, 3, paddings=[0], dilations=[1], strides=[1, 2])[-1]
    Solution(kernel_size=5, stride=1, padding=0, dilation=1, leftover=0)
    >>> [(each.kernel_size, each.leftover) for each in solve(7, 3, paddings=[0], dilations=[1], strides=[2])]
    [(2, 1), (3, 0)]
    """
    found = []
    for kernel, stride, padding, dilation in product(kernel_sizes, strides, paddings, dilations):
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        if room >= 0 and room // stride + 1 == result and (kernel > 1 or dilation == dilations[0]):
            found.append(Solution(kernel, stride, padding, dilation, room % stride))
    return sorted(found)


def gap(
    spec: LayerSpec, size: int, result: int, axis: int = 0
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """The sizes next to one that no window leads to: (stride, size) of the next below, and of the next above.

    Of the windows that `solve` looks for, as far as this kind can have them; None where there is no such size.

    >>> gap(LayerSpec(), 500, 300)
    ((2, 257), (1, 444))
    """
    found: dict[int, int] = {}
    transposed = spec.kind == "transposed"
    for kernel, padding, dilation in product(_KERNELS, _PADDINGS, _DILATIONS):
        if not _can_have(spec, axis, kernel_size=kernel, padding=padding, dilation=dilation):
            continue
        for stride in _STRIDES:
            extent = dilation * (kernel - 1) + 1
            if transposed:
                least = (size - 1) * stride - 2 * padding + extent
                for out in range(max(least, 1), least + max(stride, dilation)):
                    found.setdefault(out, stride)
            elif (room := size + 2 * padding - extent) >= 0:
                found.setdefault(room // stride + 1, stride)
    below = max((out for out in found if out < result), default=None)
    above = min((out for out in found if out > result), default=None)
    return (
        None if below is None else (found[below], below),
        None if above is None else (found[above], above),
    )


def _can_have(spec: LayerSpec, axis: int, **window: int) -> bool:
    """Whether this kind has such a window along an axis: a pooling pads at most half of it, an average has no holes."""
    changes: dict[str, Any] = {}
    for name, value in window.items():
        values = [after for _, after in spec.margins] if name == "padding" else list(getattr(spec, name))
        values[axis] = value
        changes[name] = tuple(values)
    try:
        made = replace(spec, **changes)
    except ShapeError:
        return False
    return all(getattr(made, name)[axis] == value for name, value in window.items())
