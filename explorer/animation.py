"""Every number of a window that slides: planes of cells, and frames that say which cells meet.

A layer that gathers has a frame for each cell of its output: it names the cells that are read and the weights laid
on them.  One that scatters (a transposed convolution) has a frame for each cell of its input: it names the cells of
the output that receive it.  What is drawn needs no arithmetic beyond products and their sum.

Numbers are float64: sums of whole numbers are exact.  All layers are treated as three-dimensional, (depth, rows,
columns); missing axes have size 1.

Source: Dumoulin & Visin 2016, arXiv:1603.07285; its section 4 has the two views of a transposed convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from explorer.errors import LayerError, ShapeError
from explorer.layers import ADAPTIVE, KINDS, POOLS, LayerSpec, Sizes, live_weights, output_shape

Array = NDArray[np.float64]
Flags = NDArray[np.uint8]
View = Literal["gather", "scatter", "equivalent"]
Cell = tuple[int, int, int]
_Item = TypeVar("_Item")

PICTURE: Final = 0
PADDING: Final = 1
"""Around the picture; in a scattered output: reached by no cell of the input."""
HOLE: Final = 2
"""A masked weight, an inserted zero, a cropped cell of a scattered output."""

_BLANK: Final = -1  # in place of the place that a padded row shows
_NUMPY_MODES: Final[dict[str, Literal["reflect", "edge", "wrap"]]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


# What is drawn --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Plane:
    """One grid of cells.

    Attributes:
        label: "red", "channel 2 of 64, depth 3", "filter 0", …; counted from torch's 0
        values: (rows, columns), float64, the padding as it is read; −∞ around a maximum.
        flags: (rows, columns), uint8: `PICTURE`, `PADDING` or `HOLE`.
        source: (rows, columns): where each number comes from, as an index into the flattened picture (into the
            flattened weights, as torch keeps them, for a kernel's plane); −1 where it is made up: a padding of
            zeros, an inserted zero, a masked weight.  None for what is computed.
    """

    label: str
    values: Array
    flags: Flags
    source: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One step.

    Attributes:
        at: plane, row and column of the cell that this step completes: of the output where windows gather, of the
            input where cells scatter.
        filter: which of the kernels is laid on, −1 where there are no weights.
        pattern: (taps, 6), int16: plane, row, column; kernel plane, row, column (−1 without weights).  The first
            three count from `shift`; windows of one form share one array.
        shift: plane, row and column where the window begins.
        divisor: what a mean divides by; 1 elsewhere.
    """

    at: Cell
    filter: int
    pattern: NDArray[np.int16]
    shift: Cell
    divisor: int = 1

    @property
    def taps(self) -> NDArray[np.int16]:
        """(taps, 6): the cells that meet, in the planes' own coordinates: of the inputs where windows gather, of
        the outputs where cells scatter; then those of the kernel."""
        return self.pattern + np.array((*self.shift, 0, 0, 0), np.int16)


@dataclass(frozen=True, eq=False)
class Animation:
    """A layer at work on one picture.

    Attributes:
        title: what is shown, in a few words.
        mode: "gather" or "scatter".
        reduce: what becomes of the products: "sum", "max" or "mean".
        inputs: channel by channel, each with its depth slices, padding included.
        kernels: for each filter (for each input channel, where cells scatter) its planes; empty for a pool.
        bias: one number for each plane of the output; empty without a bias.
        outputs: filter by filter, each with its depth slices: the results.  Where cells scatter, what padding
            crops is still there, flagged as `HOLE`.
        frames: in the order in which they are played: plane by plane, rows first.
    """

    title: str
    mode: Literal["gather", "scatter"]
    reduce: Literal["sum", "max", "mean"]
    inputs: tuple[Plane, ...]
    kernels: tuple[tuple[Plane, ...], ...]
    bias: tuple[float, ...]
    outputs: tuple[Plane, ...]
    frames: tuple[Frame, ...]


def to_json(animation: Animation) -> dict[str, Any]:
    """The same as plain lists, row by row; −∞ is None.

    A frame's taps are `patterns[frame["pattern"]]`, six numbers a tap, with `frame["shift"]` added to the first three.
    Windows of one form are written once: the largest layer stays below 200 kB.
    """
    patterns = {id(frame.pattern): frame.pattern for frame in animation.frames}
    numbers = {key: number for number, key in enumerate(patterns)}
    return {
        "title": animation.title,
        "mode": animation.mode,
        "reduce": animation.reduce,
        "inputs": [_plane_to_json(plane) for plane in animation.inputs],
        "kernels": [[_plane_to_json(plane) for plane in planes] for planes in animation.kernels],
        "bias": [_number(value) for value in animation.bias],
        "outputs": [_plane_to_json(plane) for plane in animation.outputs],
        "patterns": [pattern.ravel().tolist() for pattern in patterns.values()],
        "frames": [
            {
                "at": list(frame.at),
                "filter": frame.filter,
                "pattern": numbers[id(frame.pattern)],
                "shift": list(frame.shift),
                "divisor": frame.divisor,
            }
            for frame in animation.frames
        ],
    }


def _plane_to_json(plane: Plane) -> dict[str, Any]:
    rows, columns = plane.values.shape
    fields = {
        "label": plane.label,
        "rows": rows,
        "columns": columns,
        "values": [_number(value) for value in plane.values.ravel().tolist()],
        "flags": plane.flags.ravel().tolist(),
    }
    return fields if plane.source is None else fields | {"source": plane.source.ravel().tolist()}


def _number(value: float) -> float | int | None:
    """Shorter where it is whole; JSON knows no infinity."""
    if value == -np.inf:
        return None
    return int(value) if value.is_integer() else value


# From a layer to its frames -------------------------------------------------------------------------------


def animate(
    spec: LayerSpec,
    picture: NDArray[Any],
    weights: Sequence[NDArray[Any]] = (),
    bias: Sequence[NDArray[Any] | None] = (),
    view: View = "gather",
    whole: LayerSpec | None = None,
) -> tuple[Animation, ...]:
    """A layer at work on a picture (channels, *sizes): one animation, two for a depthwise separable layer.

    >>> spec = LayerSpec("max_pool", in_channels=1, kernel_size=2, stride=2)
    >>> (pool,) = animate(spec, np.arange(16).reshape(1, 4, 4))
    >>> pool.outputs[0].values.tolist()
    [[5.0, 7.0], [13.0, 15.0]]

    Args:
        weights, bias: one for each of `stages(spec)`, weights in the shapes that torch keeps them, None where there
            is no bias; empty for a pool.
        view: a transposed convolution adds each cell into the output ("scatter", which "gather" means there too), or
            is drawn as the convolution that does the same ("equivalent"); any other layer gathers.
        whole: the layer that `spec` is a small one of: names tell which of its channels and filters are drawn.

    Raises:
        ShapeError: the layer does not fit the picture, or the weights do not fit the layer.
        LayerError: the kind has no such view.
    """
    if view != "gather" and spec.kind != "transposed":
        raise LayerError(
            f"“{KINDS[spec.kind].title}” has no view “{view}”: only a transposed convolution has."
        )
    parts, wholes = stages(spec), stages(whole or spec)
    if spec.kind not in POOLS and not len(weights) == len(bias) == len(parts):
        raise ShapeError(
            f"{len(parts)} sets of weights and of biases are meant, not {len(weights)} and {len(bias)}."
        )
    values = np.asarray(picture, np.float64)
    shape: Sizes = values.shape
    shown: list[Animation] = []
    for index, (part, of) in enumerate(zip(parts, wholes, strict=True)):
        if shown:
            values = np.stack([plane.values for plane in shown[-1].outputs]).reshape(shape)
        shape = output_shape(part, values.shape)
        names = _channel_names(part, of) if shown else _input_names(part, of)
        filters = _filter_names(part, of)
        if part.kind in POOLS:
            shown.append(_pool(part, values, shape, names))
            continue
        kernel, offset = _checked(part, weights[index], bias[index])
        if part.kind != "transposed":
            shown.append(_convolution(part, values, shape, kernel, offset, names, filters))
        elif view == "equivalent":
            shown.append(_equivalent(part, values, shape, kernel, offset, names, filters))
        else:
            shown.append(_scatter(part, values, kernel, offset, names, filters))
    return tuple(shown)


def stages(spec: LayerSpec) -> tuple[LayerSpec, ...]:
    """The layer itself; a depthwise separable one as its depthwise and its pointwise part.

    >>> [part.kind for part in stages(LayerSpec("separable"))]
    ['depthwise', 'pointwise']
    """
    if spec.kind != "separable":
        return (spec,)
    depthwise = replace(spec, kind="depthwise", out_channels=spec.in_channels)
    pointwise = LayerSpec("pointwise", spec.dimensions, spec.in_channels, spec.out_channels, bias=spec.bias)
    return depthwise, pointwise


def weight_shape(spec: LayerSpec) -> Sizes:
    """Of the weights of one stage, as torch keeps them; () for a pool.

    >>> weight_shape(LayerSpec("transposed", in_channels=4, out_channels=6, groups=2))
    (4, 3, 3, 3)
    """
    if spec.kind in POOLS:
        return ()
    if spec.kind == "transposed":
        return (spec.in_channels, spec.out_channels // spec.groups, *spec.kernel_size)
    return (spec.out_channels, spec.in_channels // spec.groups, *spec.kernel_size)


def _checked(spec: LayerSpec, weights: NDArray[Any], bias: NDArray[Any] | None) -> tuple[Array, Array | None]:
    """Weights as (…, …, depth, rows, columns), and the bias."""
    if weights.shape != weight_shape(spec):
        raise ShapeError(f"Weights of shape {weight_shape(spec)} are meant, not {weights.shape}.")
    if bias is not None and bias.shape != (spec.out_channels,):
        raise ShapeError(f"{spec.out_channels} biases are meant, not an array of shape {bias.shape}.")
    offset = None if bias is None else np.asarray(bias, np.float64)
    return np.asarray(weights, np.float64).reshape(*weights.shape[:2], *_triple(spec.kernel_size, 1)), offset


def _triple(values: Sequence[_Item], fill: _Item) -> tuple[_Item, _Item, _Item]:
    """For depth, rows and columns; the axes that a layer lacks come first."""
    depth, rows, columns = (*(fill,) * (3 - len(values)), *values)
    return depth, rows, columns


def _input_names(part: LayerSpec, whole: LayerSpec) -> list[str]:
    """As a picture's or a video's, where all of three channels are drawn."""
    if whole.in_channels == part.in_channels == 3 and whole.dimensions > 1:
        return ["red", "green", "blue"]
    return ["input"] if whole.in_channels == 1 else _channel_names(part, whole)


def _channel_names(part: LayerSpec, whole: LayerSpec) -> list[str]:
    return _names("channel", part.in_channels, whole.in_channels, part, whole)


def _filter_names(part: LayerSpec, whole: LayerSpec) -> list[str]:
    return _names("filter", part.out_channels, whole.out_channels, part, whole)


def _names(noun: str, count: int, of: int, part: LayerSpec, whole: LayerSpec) -> list[str]:
    """Numbers count in the whole layer, from torch's 0: what is drawn are the first of each of its first groups."""
    groups, all_groups = (
        spec.in_channels if spec.kind == "depthwise" else spec.groups for spec in (part, whole)
    )
    each, apart = count // groups, of // all_groups
    numbers = [group * apart + index for group in range(groups) for index in range(each)]
    return [f"{noun} {number}" if count == of else f"{noun} {number} of {of}" for number in numbers]


# One axis at a time ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Axis:
    """One axis of the padded input.

    Attributes:
        source: for each row which row of the picture it shows, or `_BLANK`.
        flags: of each row.
        reads: for each position of the window the row where it begins, and the rows that it reads, counted from there.
    """

    source: NDArray[np.int64]
    flags: Flags
    reads: tuple[tuple[int, Sizes], ...]


def _window_axis(spec: LayerSpec, axis: int, size: int, positions: int) -> _Axis:
    """Of a window that moves by strides.  A pool's may be cut: by the end of the padding, or by the picture's edge
    where an average does not count the padding."""
    kernel, stride, dilation = (
        _triple(sizes, 1)[axis] for sizes in (spec.kernel_size, spec.stride, spec.dilation)
    )
    margins = _triple(spec.margins, (0, 0))[axis]
    places = np.arange(size)
    mode = _NUMPY_MODES.get(spec.padding_mode)
    source = np.pad(places, margins, mode=mode) if mode else np.pad(places, margins, constant_values=_BLANK)
    flags = np.pad(np.full(size, PICTURE, np.uint8), margins, constant_values=PADDING)
    counted = np.ones(source.size, bool) if spec.count_include_pad else flags == PICTURE
    reads = []
    for first in range(0, positions * stride, stride):
        rows = [row for row in range(first, first + kernel * dilation, dilation) if row < source.size]
        rows = [row for row in rows if counted[row]]
        reads.append((rows[0], tuple(row - rows[0] for row in rows)))
    return _Axis(source, flags, tuple(reads))


def _region_axis(size: int, positions: int) -> _Axis:
    """Of an adaptive pool: region i of m runs from floor(i·size / m) to ceil((i + 1)·size / m)."""
    edges = [(i * size // positions, -(-(i + 1) * size // positions)) for i in range(positions)]
    reads = tuple((start, tuple(range(end - start))) for start, end in edges)
    return _Axis(np.arange(size), np.zeros(size, np.uint8), reads)


def _equivalent_axis(spec: LayerSpec, axis: int, size: int, positions: int) -> _Axis:
    """Of the convolution that does what a transposed one does: stride - 1 zeros between rows, then stride 1."""
    kernel, stride, dilation = (
        _triple(sizes, 1)[axis] for sizes in (spec.kernel_size, spec.stride, spec.dilation)
    )
    source = np.full((size - 1) * stride + 1, _BLANK)
    source[::stride] = np.arange(size)
    flags = np.where(source == _BLANK, HOLE, PICTURE).astype(np.uint8)
    # a padding beyond the kernel's reach is negative here: rows are taken away
    before = dilation * (kernel - 1) - _triple(spec.margins, (0, 0))[axis][0]
    after = before + _triple(spec.output_padding, 0)[axis]
    kept = slice(max(-before, 0), source.size - max(-after, 0))
    margins = (max(before, 0), max(after, 0))
    offsets = tuple(range(0, kernel * dilation, dilation))
    return _Axis(
        np.pad(source[kept], margins, constant_values=_BLANK),
        np.pad(flags[kept], margins, constant_values=PADDING),
        tuple((position, offsets) for position in range(positions)),
    )


# Windows that gather --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Filters:
    """Weights (filters, channels of a group, depth, rows, columns), each with its index among torch's; which of a
    plane's may be used; the bias; the filters' names."""

    weights: Array
    source: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    bias: Array | None
    names: Sequence[str]


def _convolution(
    spec: LayerSpec,
    picture: Array,
    shape: Sizes,
    weights: Array,
    bias: Array | None,
    names: list[str],
    filter_names: list[str],
) -> Animation:
    allowed = live_weights(spec).reshape(weights.shape[2:])
    source = np.where(allowed, _indices(weights), _BLANK)
    filters = _Filters(np.where(allowed, weights, 0.0), source, allowed, bias, filter_names)
    axes = _axes(_window_axis, spec, picture, shape)
    return _gather(KINDS[spec.kind].title, "sum", picture, names, axes, filters)


def _equivalent(
    spec: LayerSpec,
    picture: Array,
    shape: Sizes,
    weights: Array,
    bias: Array | None,
    names: list[str],
    filter_names: list[str],
) -> Animation:
    # from (in, out / groups, …) to (out, in / groups, …), every axis of the kernel turned round
    grouped = _indices(weights).reshape(spec.groups, -1, *weights.shape[1:]).swapaxes(1, 2)
    source = grouped.reshape(spec.out_channels, -1, *weights.shape[2:])[:, :, ::-1, ::-1, ::-1]
    turned = weights.ravel()[source]
    filters = _Filters(turned, source, np.ones(turned.shape[2:], bool), bias, filter_names)
    axes = _axes(_equivalent_axis, spec, picture, shape)
    return _gather(f"{KINDS[spec.kind].title}, as a convolution", "sum", picture, names, axes, filters)


def _pool(spec: LayerSpec, picture: Array, shape: Sizes, names: list[str]) -> Animation:
    if spec.kind in ADAPTIVE:
        axes = _axes(
            lambda _spec, _axis, size, positions: _region_axis(size, positions), spec, picture, shape
        )
    else:
        axes = _axes(_window_axis, spec, picture, shape)
    reduce: Literal["max", "mean"] = "max" if spec.kind == "max_pool" else "mean"
    return _gather(KINDS[spec.kind].title, reduce, picture, names, axes, None)


def _axes(
    axis_of: Callable[[LayerSpec, int, int, int], _Axis], spec: LayerSpec, picture: Array, shape: Sizes
) -> list[_Axis]:
    sizes = zip(_triple(picture.shape[1:], 1), _triple(shape[1:], 1), strict=True)
    return [axis_of(spec, axis, size, positions) for axis, (size, positions) in enumerate(sizes)]


def _gather(
    title: str,
    reduce: Literal["sum", "max", "mean"],
    picture: Array,
    names: list[str],
    axes: Sequence[_Axis],
    filters: _Filters | None,
) -> Animation:
    """A frame for each cell of the output.  Without filters each channel is read alone."""
    places = _indices(picture).reshape(len(picture), *_triple(picture.shape[1:], 1))
    depths, rows, columns = np.ix_(*(axis.source for axis in axes))
    blank = _over(np.logical_or, [axis.source == _BLANK for axis in axes])
    source = np.where(blank, _BLANK, places[:, depths, rows, columns])
    padded = np.where(blank, -np.inf if reduce == "max" else 0.0, picture.ravel()[source])
    around = _over(np.logical_or, [axis.flags == PADDING for axis in axes])
    flags = np.where(around, PADDING, _over(np.maximum, [axis.flags for axis in axes])).astype(np.uint8)
    inputs = _planes(padded, flags, names, axes[0].flags, source=source)

    count, per_group = filters.weights.shape[:2] if filters else (len(picture), 1)
    groups = len(picture) // per_group
    depth, shape = len(flags), tuple(len(axis.reads) for axis in axes)
    cells = padded.reshape(-1, *padded.shape[2:])
    results = np.empty((count, *shape))
    patterns: dict[tuple[Sizes, ...], NDArray[np.int16]] = {}
    frames = []
    for index, z, y, x in np.ndindex(results.shape):
        starts, form = zip(*(axis.reads[at] for axis, at in zip(axes, (z, y, x), strict=True)), strict=True)
        if form not in patterns:
            patterns[form] = _pattern(per_group, form, depth, filters.allowed if filters else None)
        group = index // (count // groups)
        frame = Frame(
            at=(index * shape[0] + z, y, x),
            filter=index if filters else -1,
            pattern=patterns[form],
            shift=(group * per_group * depth + starts[0], *starts[1:]),
            divisor=len(patterns[form]) if reduce == "mean" else 1,
        )
        frames.append(frame)
        taps = frame.taps.T
        read = cells[tuple(taps[:3])]
        if filters:
            weights = filters.weights[index].reshape(-1, *filters.weights.shape[3:])
            results[index, z, y, x] = read @ weights[tuple(taps[3:])]
            if filters.bias is not None:
                results[index, z, y, x] += filters.bias[index]
        else:
            results[index, z, y, x] = read.max() if reduce == "max" else read.sum() / frame.divisor

    kernels = []
    if filters:
        masked = np.where(filters.allowed, PICTURE, HOLE).astype(np.uint8)
        for index, weights in enumerate(filters.weights):
            first = index // (count // groups) * per_group
            own = names[first : first + per_group]
            kernels.append(_planes(weights, masked, own, source=filters.source[index]))
    return Animation(
        title,
        "gather",
        reduce,
        inputs,
        tuple(kernels),
        _bias_of_planes(filters.bias if filters else None, shape[0]),
        _planes(
            results,
            np.zeros(shape, np.uint8),
            filters.names if filters else names,
        ),
        tuple(frames),
    )


def _pattern(
    channels: int, form: tuple[Sizes, ...], depth: int, allowed: NDArray[np.bool_] | None
) -> NDArray[np.int16]:
    """(taps, 6), as `Frame.pattern`: the rows that a window reads along each axis, in every channel of its group.

    Args:
        depth: planes from one channel to the next.
        allowed: (depth, rows, columns): which weights may be used; None without weights.
    """
    channel, piece, rows, columns = (
        numbers.ravel() for numbers in np.meshgrid(range(channels), *form, indexing="ij")
    )
    cells = [channel * depth + piece, rows, columns]
    if allowed is None:
        return np.stack([*cells, *[np.full(rows.size, -1)] * 3], axis=1).astype(np.int16)
    channel, piece, rows, columns = np.indices((channels, *allowed.shape)).reshape(4, -1)
    taps = np.stack([*cells, channel * len(allowed) + piece, rows, columns], axis=1).astype(np.int16)
    return taps[np.tile(allowed.ravel(), channels)]


def _indices(values: Array) -> NDArray[np.int64]:
    """Of each number its place in the flattened array, in the same shape."""
    return np.arange(values.size).reshape(values.shape)


def _over(combine: np.ufunc, along: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(depth, rows, columns) from what is known along each axis."""
    depth, rows, columns = np.ix_(*(np.arange(len(values)) for values in along))
    return combine(combine(along[0][depth], along[1][rows]), along[2][columns])  # type: ignore[no-any-return]


def _planes(
    values: Array,
    flags: Flags,
    names: Sequence[str],
    along: Flags | None = None,
    holes: str = "zeros",
    source: NDArray[np.int64] | None = None,
) -> tuple[Plane, ...]:
    """Planes of values (channels, depth, rows, columns), with the same flags (depth, rows, columns) in each channel.

    Args:
        along: flags along the depth: slices outside the picture have no number.
        holes: what slices flagged `HOLE` are called.
        source: in the shape of `values`, as `Plane.source`.
    """
    along = np.zeros(len(flags), np.uint8) if along is None else along
    number = np.cumsum(along == PICTURE) - 1
    planes = []
    for at, (name, channel) in enumerate(zip(names, values, strict=True)):
        for index, plane in enumerate(channel):
            place = {PICTURE: f"depth {number[index]}", PADDING: "padding", HOLE: holes}[int(along[index])]
            label = f"{name}, {place}" if len(channel) > 1 else name
            planes.append(Plane(label, plane, flags[index], None if source is None else source[at, index]))
    return tuple(planes)


def _bias_of_planes(bias: Array | None, slices: int) -> tuple[float, ...]:
    return () if bias is None else tuple(np.repeat(bias, slices).tolist())


# Cells that scatter ---------------------------------------------------------------------------------------


def _scatter(
    spec: LayerSpec,
    picture: Array,
    weights: Array,
    bias: Array | None,
    names: list[str],
    filter_names: list[str],
) -> Animation:
    """A frame for each cell of the input: its multiple of the kernel is added into the output.

    The output is drawn as far as the kernels reach; what the padding crops is flagged `HOLE`, what output padding
    adds beyond their reach `PADDING`.
    """
    cells = picture.reshape(len(picture), *_triple(picture.shape[1:], 1))
    strides, dilations = _triple(spec.stride, 1), _triple(spec.dilation, 1)
    along = []
    for axis, size in enumerate(cells.shape[1:]):
        reach = (size - 1) * strides[axis] + _triple(spec.extent, 1)[axis]
        flags = np.full(reach + _triple(spec.output_padding, 0)[axis], PICTURE, np.uint8)
        flags[reach:] = PADDING
        before, after = _triple(spec.margins, (0, 0))[axis]
        flags[:before] = flags[flags.size - after :] = HOLE
        along.append(flags)
    flags = _over(np.maximum, along)
    per_group, kernel_shape = weights.shape[1], weights.shape[2:]
    depth = len(flags)

    form = tuple(
        tuple(range(0, size * step, step)) for size, step in zip(kernel_shape, dilations, strict=True)
    )
    pattern = _pattern(per_group, form, depth, np.ones(kernel_shape, bool))
    results = np.zeros((spec.out_channels * depth, *flags.shape[1:]))
    offsets = _bias_of_planes(bias, depth)
    if offsets:
        results += np.array(offsets)[:, None, None]
    frames = []
    for channel, z, y, x in np.ndindex(cells.shape):
        group = channel // (spec.in_channels // spec.groups)
        shift = (group * per_group * depth + z * strides[0], y * strides[1], x * strides[2])
        frame = Frame((channel * cells.shape[1] + z, y, x), channel, pattern, shift)
        frames.append(frame)
        taps = frame.taps.T
        kernel = weights[channel].reshape(-1, *kernel_shape[1:])
        # no cell is named twice in a frame
        results[tuple(taps[:3])] += cells[channel, z, y, x] * kernel[tuple(taps[3:])]

    kernels = []
    for channel, (kernel, source) in enumerate(zip(weights, _indices(weights), strict=True)):
        first = channel // (spec.in_channels // spec.groups) * per_group
        to_filters = filter_names[first : first + per_group]
        kernels.append(_planes(kernel, np.zeros(kernel_shape, np.uint8), to_filters, source=source))
    return Animation(
        f"{KINDS[spec.kind].title}, cell by cell",
        "scatter",
        "sum",
        _planes(cells, np.zeros(cells.shape[1:], np.uint8), names, source=_indices(cells)),
        tuple(kernels),
        offsets,
        _planes(results.reshape(-1, *flags.shape), flags, filter_names, along[0], holes="cropped"),
        tuple(frames),
    )
