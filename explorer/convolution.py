"""Convolution as networks do it: windows over a padded picture, sums of products, and what follows from them.

    result[y, x] = Σ weights[i, j] · padded[y·stride + i·dilation, x·stride + j·dilation] + bias

The weights are not turned: mathematicians call this cross-correlation.  Pixels are 0..255, sums are made in
float64, results are float32.  Rows come before columns in every pair.

Source: Dumoulin & Visin 2016, arXiv:1603.07285.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from explorer.errors import ExplorerError, ShapeError

Pair = tuple[int, int]
_Number = TypeVar("_Number", bound=np.number[Any])

# what numpy.pad calls them
_NUMPY_MODES: Final[Mapping[str, Literal["constant", "reflect", "edge", "wrap"]]] = MappingProxyType(
    {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
)
PADDING_MODES: Final = tuple(_NUMPY_MODES)
"""What stands around the picture, in torch.nn.Conv2d's words."""

_AXES: Final = ("rows", "columns")


# What goes in, what comes out ------------------------------------------------------------------------


@dataclass(frozen=True, init=False)
class ConvSpec:
    """How a window moves over a picture.  One number stands for rows and columns; pairs are kept.

    Attributes:
        kernel_size: rows and columns of weights, 1 or more.
        stride: pixels from one window to the next, 1 or more.
        padding: pixels added on each side, 0 or more; "same" adds what keeps ceil(size / stride) positions:
            extent - 1 in all, the odd one at the end, as torch does (which has it for stride 1 alone).
        dilation: pixels from one weight to the next, 1 or more.
        padding_mode: what the added pixels are, one of `PADDING_MODES`.

    >>> ConvSpec(3, stride=(1, 2), padding="same", dilation=2).extent
    (5, 5)

    Raises:
        ShapeError: a number outside these limits, or an unknown mode.
    """

    kernel_size: Pair
    stride: Pair
    padding: Pair | Literal["same"]
    dilation: Pair
    padding_mode: str

    def __init__(
        self,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | Literal["same"] = 0,
        dilation: int | Pair = 1,
        padding_mode: str = "zeros",
    ) -> None:
        if padding_mode not in PADDING_MODES:
            raise ShapeError(f"There is no padding “{padding_mode}”; there are {', '.join(PADDING_MODES)}.")
        checked = {
            "kernel_size": _pair("kernel size", kernel_size, lowest=1),
            "stride": _pair("stride", stride, lowest=1),
            "padding": padding if padding == "same" else _pair("padding", padding, lowest=0),
            "dilation": _pair("dilation", dilation, lowest=1),
            "padding_mode": padding_mode,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def extent(self) -> Pair:
        """Rows and columns that the dilated kernel spans: dilation·(size - 1) + 1."""
        rows, columns = (d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True))
        return rows, columns

    def margins(self, shape: Pair) -> tuple[Pair, Pair]:
        """Pixels added to a picture of this (height, width): (top, bottom), (left, right).

        >>> ConvSpec((3, 4), padding="same").margins((300, 451))
        ((1, 1), (1, 2))

        Raises:
            ShapeError: the picture is too small to be mirrored or repeated so far.
        """
        rows, columns = (_margins(size, self, axis) for axis, size in enumerate(shape))
        return rows, columns


def _pair(name: str, value: object, lowest: int) -> Pair:
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2 or not all(
        isinstance(number, int | np.integer) and number >= lowest for number in pair
    ):
        raise ShapeError(f"The {name} is {value!r}: whole numbers from {lowest} on are meant.")
    return int(pair[0]), int(pair[1])


def _margins(size: int, spec: ConvSpec, axis: int) -> Pair:
    """Pixels added before and after one axis of a picture."""
    if size < 1:
        raise ShapeError(f"A picture of {size} {_AXES[axis]} has no pixels.")
    if spec.padding == "same":
        before = (spec.extent[axis] - 1) // 2
        after = spec.extent[axis] - 1 - before
    else:
        before = after = spec.padding[axis]
    # a mirror does not repeat the pixel at the edge; a second lap is nothing that torch would do
    most = {"reflect": size - 1, "circular": size}.get(spec.padding_mode, after)
    if after > most:
        raise ShapeError(
            f"The padding “{spec.padding_mode}” finds at most {most} {_AXES[axis]} in a picture of {size}, "
            f"but {after} are to be added."
        )
    return before, after


def output_size(input_size: int, spec: ConvSpec, axis: int = 0) -> int:
    """Number of positions that the window takes along one axis (0: rows, 1: columns).

    floor((input + padding before and after - extent) / stride) + 1

    >>> output_size(224, ConvSpec(kernel_size=7, stride=2, padding=3))
    112

    Raises:
        ShapeError: the dilated kernel exceeds the padded input, or the padding is more than the input gives.

    Source: Dumoulin & Visin 2016, arXiv:1603.07285.
    """
    padded = input_size + sum(_margins(input_size, spec, axis))
    if spec.extent[axis] > padded:
        raise ShapeError(
            f"A window of {spec.extent[axis]} {_AXES[axis]} does not fit into {padded} "
            f"({input_size} of the picture, {padded - input_size} of padding)."
        )
    return (padded - spec.extent[axis]) // spec.stride[axis] + 1


def output_shape(shape: Pair, spec: ConvSpec) -> Pair:
    """(height, width) of the result for a picture of this (height, width).

    >>> output_shape((300, 451), ConvSpec(3, stride=2))
    (149, 225)

    Raises:
        ShapeError: as `output_size`.
    """
    height, width = shape
    return output_size(height, spec, axis=0), output_size(width, spec, axis=1)


def coverage(input_size: int, spec: ConvSpec, axis: int = 0) -> NDArray[np.int64]:
    """How often windows read each row (column) of a picture: int64 (input_size,).

    Reading a row's copy in the padding is reading it.

    >>> coverage(6, ConvSpec(3, stride=2)).tolist()
    [1, 1, 2, 1, 1, 0]

    Raises:
        ShapeError: as `output_size`.
    """
    read = reads(
        input_size,
        output_size(input_size, spec, axis),
        spec.kernel_size[axis],
        spec.stride[axis],
        _margins(input_size, spec, axis)[0],
        spec.dilation[axis],
        spec.padding_mode,
    )
    # counted from 1: 0 is no row
    return np.bincount(read.ravel() + 1, minlength=input_size + 1)[1:]


def reads(
    size: int,
    positions: int,
    kernel_size: int,
    stride: int = 1,
    before: int = 0,
    dilation: int = 1,
    mode: str = "zeros",
) -> NDArray[np.int64]:
    """Which of `size` rows each weight reads where the window stands: int64 (positions, kernel_size).

    Rows of the padding are the rows that they show; -1 stands for no row: zeros.  `before` is the padding before
    the first row.

    >>> reads(4, positions=2, kernel_size=3, stride=2, before=1).tolist()
    [[-1, 0, 1], [1, 2, 3]]
    >>> reads(4, positions=2, kernel_size=3, stride=2, before=1, mode="reflect").tolist()
    [[1, 0, 1], [1, 2, 3]]
    """
    rows: NDArray[np.int64] = (
        stride * np.arange(positions)[:, None] + dilation * np.arange(kernel_size) - before
    )
    if mode == "reflect":
        rows = size - 1 - np.abs(size - 1 - np.abs(rows))
    elif mode == "replicate":
        rows = np.clip(rows, 0, size - 1)
    elif mode == "circular":
        rows = rows % size
    # what lies outside now is the padding with zeros
    return np.where((rows >= 0) & (rows < size), rows, -1)


@dataclass(frozen=True, eq=False)
class Unread:
    """What no window reads: masks of rows (height,) and columns (width,), bool, and the number of pixels."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_]
    pixels: int


def unread(shape: Pair, spec: ConvSpec) -> Unread:
    """The pixels of a picture of this (height, width) that no window reads: whole rows and columns.

    >>> unread((6, 8), ConvSpec(3, stride=2)).pixels  # the last row and the last column
    13

    Raises:
        ShapeError: as `output_size`.
    """
    rows, columns = (coverage(size, spec, axis) == 0 for axis, size in enumerate(shape))
    read = int((~rows).sum() * (~columns).sum())
    return Unread(rows, columns, shape[0] * shape[1] - read)


# The result ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Activation:
    """What is done to each sum z: a title, its formula in LaTeX, and the function."""

    title: str
    formula: str
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]]


ACTIVATIONS: Final[Mapping[str, Activation]] = MappingProxyType(
    {
        "none": Activation("None", "z", lambda z: z),
        "relu": Activation("ReLU", r"\max(0, z)", lambda z: np.maximum(z, 0)),
        "abs": Activation("Absolute value", "|z|", np.abs),
        # as tanh, since e^-z overflows where z is the sum of a whole window of grey values
        "sigmoid": Activation("Sigmoid", r"\frac{1}{1 + e^{-z}}", lambda z: (1 + np.tanh(z / 2)) / 2),
        "tanh": Activation("Tanh", r"\tanh z", np.tanh),
    }
)
"""Activations by their key."""

POOLINGS: Final[Mapping[str, Callable[..., NDArray[np.float64]]]] = MappingProxyType(
    {"max": np.max, "mean": np.mean}
)
"""What is kept of each square of a result, by key."""


def pad(picture: NDArray[_Number], spec: ConvSpec) -> NDArray[_Number]:
    """The picture (…, height, width) with its padding around it.

    >>> pad(np.array([[1, 2, 3]]), ConvSpec(1, padding=(0, 2), padding_mode="reflect")).tolist()
    [[3, 2, 1, 2, 3, 2, 1]]

    Raises:
        ShapeError: reflect needs more pixels than are padded, circular as many.
    """
    height, width = picture.shape[-2:]
    margins = [(0, 0)] * (picture.ndim - 2) + list(spec.margins((height, width)))
    return np.pad(picture, margins, mode=_NUMPY_MODES[spec.padding_mode])


def convolve(
    picture: NDArray[np.float32],
    weights: NDArray[np.float64],
    spec: ConvSpec,
    bias: float = 0.0,
    activation: str = "none",
) -> NDArray[np.float32]:
    """Sum of the channels' cross-correlations, plus bias, then the activation.

    picture (C, H, W) and weights (C, h, w), or (1, h, w) for the same grid in each channel, give (H', W').

    >>> picture = np.array([[[0, 0, 9, 9]]], dtype=np.float32)
    >>> convolve(picture, np.array([[[-1.0, 1.0]]]), ConvSpec((1, 2)), bias=1).tolist()
    [[1.0, 10.0, 1.0]]

    Raises:
        ShapeError: as `output_size`, or channels or sizes that do not match.
        ExplorerError: no such activation.
    """
    if activation not in ACTIVATIONS:
        raise ExplorerError(f"There is no activation “{activation}”; there are {', '.join(ACTIVATIONS)}.")
    sums = _correlate(picture, weights, spec).sum(axis=0) + bias
    return ACTIVATIONS[activation].function(sums).astype(np.float32)


def channel_results(
    picture: NDArray[np.float32], weights: NDArray[np.float64], spec: ConvSpec
) -> NDArray[np.float32]:
    """Each channel's cross-correlation, before they are summed: (C, H', W').

    Raises:
        ShapeError: as `convolve`.
    """
    return _correlate(picture, weights, spec).astype(np.float32)


def _correlate(picture: NDArray[Any], weights: NDArray[np.float64], spec: ConvSpec) -> NDArray[np.float64]:
    if picture.ndim != 3 or weights.ndim != 3 or len(weights) not in (1, len(picture)):
        raise ShapeError(
            f"A picture of shape {picture.shape} and weights of shape {weights.shape} do not fit together: "
            "(channels, height, width) are meant, as many channels of weights as of the picture, or one."
        )
    if weights.shape[1:] != spec.kernel_size:
        raise ShapeError(
            f"The weights are {_by(weights.shape[1:])}, but the kernel size is {_by(spec.kernel_size)}."
        )
    rows, columns = output_shape(picture.shape[1:], spec)
    padded = pad(picture.astype(np.float64), spec)
    sums = np.zeros((len(picture), rows, columns))
    grids = np.broadcast_to(weights, (len(picture), *spec.kernel_size))
    # one weight at a time over all windows of a channel: a channel stays in the processor's cache, three do not
    for plane, grid, total in zip(padded, grids, sums, strict=True):
        for (i, j), weight in np.ndenumerate(grid):
            seen = plane[i * spec.dilation[0] :: spec.stride[0], j * spec.dilation[1] :: spec.stride[1]]
            total += weight * seen[:rows, :columns]
    return sums


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def pool(result: NDArray[np.float32], kind: str, size: int = 2) -> NDArray[np.float32]:
    """The maximum or mean ("max", "mean") of each square of `size` pixels: (H, W) -> (H // size, W // size).

    Rows and columns that do not fill a square are left out, as torch does.

    >>> pool(np.array([[1, 2, 7], [3, 4, 7]], dtype=np.float32), "mean").tolist()
    [[2.5]]

    Raises:
        ShapeError: not one square fits.
        ExplorerError: no such kind.
    """
    if kind not in POOLINGS:
        raise ExplorerError(f"There is no pooling “{kind}”; there are {', '.join(POOLINGS)}.")
    rows, columns = output_shape(result.shape[-2:], ConvSpec(size, stride=size))
    # float64: the sum of a square is the same in any order
    squares = result[: rows * size, : columns * size].astype(np.float64).reshape(rows, size, columns, size)
    return POOLINGS[kind](squares, axis=(1, 3)).astype(np.float32)


# What can be shown with it ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Equivariance:
    """Does a shift pass through?  Three results, float32 (H', W').

    Attributes:
        before: the picture is shifted, then convolved (and pooled).
        after: the picture is convolved (and pooled), then the result is shifted.
        difference: before - after.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    difference: NDArray[np.float32]


def equivariance(
    picture: NDArray[np.float32],
    weights: NDArray[np.float64],
    spec: ConvSpec,
    shift: Pair,
    pooling: str = "none",
    activation: str = "none",
    bias: float = 0.0,
) -> Equivariance:
    """Shift a picture (C, H, W) by (down, right) pixels before, and its result after: is it the same?

    What a student should see: at stride 1 without pooling the difference is 0 everywhere, for any kernel, bias
    and activation.  Stride and pooling make steps of stride·pool pixels: a shift by a multiple of them still
    passes through, any other shift reads other pixels, and the difference shows it, at edges most of all.

    The shift wraps around.  So that nothing but stride and pooling can break it, the padding of `spec` is set
    aside for “same” and “circular”, which has no edges, and rows and columns at the end that do not fill a
    step are cut off first.  The result is shifted by shift / step, rounded to whole cells.  `pooling` is
    "none" or a key of `POOLINGS`, in squares of 2.

    >>> picture = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    >>> edges = np.array([[[-1.0, 1.0]]])
    >>> equivariance(picture, edges, ConvSpec((1, 2)), (0, 1)).difference.any()
    np.False_
    >>> equivariance(picture, edges, ConvSpec((1, 2), stride=2), (0, 1)).difference.any()
    np.True_

    Raises:
        ShapeError: the picture is smaller than a step, or than half of the kernel; or as `convolve`.
        ExplorerError: no such activation or pooling.
    """
    around = replace(spec, padding="same", padding_mode="circular")
    squares = 1 if pooling == "none" else 2
    steps = [stride * squares for stride in spec.stride]
    shape = picture.shape[-2:]
    height, width = (size - size % step for size, step in zip(shape, steps, strict=True))
    if not height or not width:
        raise ShapeError(f"A picture of {_by(shape)} pixels is smaller than one step of {_by(steps)}.")
    whole = picture[:, :height, :width]

    def response(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        result = convolve(seen, weights, around, bias, activation)
        return result if pooling == "none" else pool(result, pooling, squares)

    cells = [round(pixels / step) for pixels, step in zip(shift, steps, strict=True)]
    before = response(np.roll(whole, shift, axis=(-2, -1)))
    after = np.roll(response(whole), cells, axis=(-2, -1))
    return Equivariance(before, after, before - after)


def chain(
    picture: NDArray[np.float32], kernels: Sequence[NDArray[np.float64]], relu_between: bool
) -> NDArray[np.float32]:
    """Kernels (h, w) applied in sequence to a picture (H, W): (H, W).

    The picture is padded once, with the zeros that the composed kernel needs, and nothing is added between:
    so without ReLU the result equals the composed kernel's everywhere, not only inside.  With `relu_between`
    negative values become 0 after each kernel but the last.

    >>> step = np.array([[-1.0, 1.0]])
    >>> chain(np.array([[0, 9, 0, 0]], dtype=np.float32), [step, step], relu_between=False).tolist()
    [[9.0, -18.0, 9.0, 0.0]]
    """
    rows, columns = (1 + sum(kernel.shape[axis] - 1 for kernel in kernels) for axis in (0, 1))
    result = pad(picture.astype(np.float64), ConvSpec((rows, columns), padding="same"))
    for position, kernel in enumerate(kernels):
        if position and relu_between:
            result = np.maximum(result, 0)
        result = _correlate(result[None], kernel[None], ConvSpec(kernel.shape))[0]
    return result.astype(np.float32)


def best_matches(result: NDArray[np.float32], count: int = 5, apart: int = 5) -> list[tuple[int, int, float]]:
    """The strongest peaks of a result (H, W) as (row, column, score), the best first, `count` at most.

    A peak is positive and the largest within `apart` rows and columns; of equal ones so near to each other the
    first in reading order stays (non-maximum suppression).

    >>> best_matches(np.array([[0, 8, 9, 0, 0, 5]], dtype=np.float32), apart=1)
    [(0, 2, 9.0), (0, 5, 5.0)]
    """
    around = np.pad(result, apart, constant_values=-np.inf)
    for axis in (0, 1):
        around = np.lib.stride_tricks.sliding_window_view(around, 2 * apart + 1, axis).max(axis=-1)
    scores = np.where(result == around, result, 0)
    found: list[tuple[int, int, float]] = []
    while len(found) < count and scores.max() > 0:
        row, column = (int(index) for index in np.unravel_index(scores.argmax(), scores.shape))
        found.append((row, column, float(scores[row, column])))
        scores[max(0, row - apart) : row + apart + 1, max(0, column - apart) : column + apart + 1] = 0
    return found
