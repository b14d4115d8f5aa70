"""The arithmetic of one layer: which layers are possible, what comes out, and why.

    output = floor((input + 2·padding - dilation·(kernel_size - 1) - 1) / stride) + 1

Shapes are (channels, *sizes), without the batch.  Sizes stand in torch's order: rows before columns, slices before
both.  A layer is refused where torch refuses it, with the cause and the values.

Source: Dumoulin & Visin 2016, arXiv:1603.07285.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explorer.convolution import PADDING_MODES, reads
from explorer.errors import ShapeError

Sizes: TypeAlias = tuple[int, ...]
Padding: TypeAlias = Sizes | Literal["same", "valid"]

AXES: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {1: ("positions",), 2: ("rows", "columns"), 3: ("slices", "rows", "columns")}
)
"""What is counted along each axis, by the number of dimensions."""


# The kinds -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    Attributes:
        title: as a button says it.
        sentence: what it does.
        fields: the fields of `LayerSpec` that are free; any other has its default or is fixed.
        fixed: what the kind fixes: a value, or the name of the field that it equals.
        start: fields that make a typical layer where the defaults of `LayerSpec` do not.
        source: where it comes from.
    """

    title: str
    sentence: str
    fields: tuple[str, ...]
    fixed: Mapping[str, Any]
    start: Mapping[str, Any]
    source: str


_WINDOW = ("kernel_size", "stride", "padding", "dilation")
_CONVOLUTION = ("in_channels", "out_channels", *_WINDOW, "bias", "padding_mode")
_POOL = ("in_channels", "kernel_size", "stride", "padding", "ceil_mode")
_CHANNELS_STAY: Final = {"out_channels": "in_channels", "bias": False}
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_VAN_DEN_OORD = "van den Oord et al. 2016, arXiv:1601.06759"
_LECUN = "LeCun et al. 1998, “Gradient-Based Learning Applied to Document Recognition”"

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "conv": Kind(
            "Convolution",
            "Each filter reads all channels under its window: products, their sum, and a bias.",
            _CONVOLUTION,
            _NONE,
            _NONE,
            _LECUN,
        ),
        "grouped": Kind(
            "Grouped",
            "Channels are split into groups, and each filter reads one group alone.",
            (*_CONVOLUTION, "groups"),
            _NONE,
            {"in_channels": 4, "out_channels": 8, "kernel_size": 3, "padding": 1, "groups": 2},
            "Krizhevsky et al. 2012, “ImageNet Classification with Deep Convolutional Neural Networks”",
        ),
        "depthwise": Kind(
            "Depthwise",
            "Each filter reads one channel alone: as many groups as channels.",
            _CONVOLUTION,
            {"groups": "in_channels"},
            {"out_channels": 3, "kernel_size": 3, "padding": 1},
            "Chollet 2017, arXiv:1610.02357",
        ),
        "pointwise": Kind(
            "Pointwise (1×1)",
            "A window of one pixel: every pixel's channels are mixed, its neighbours are not seen.",
            ("in_channels", "out_channels", "stride", "bias"),
            {"kernel_size": 1},
            _NONE,
            "Lin et al. 2014, arXiv:1312.4400",
        ),
        "separable": Kind(
            "Depthwise separable",
            "Depthwise, one filter a channel, then pointwise: first space, then channels, each at its own price.",
            _CONVOLUTION,
            _NONE,
            {"kernel_size": 3, "padding": 1},
            "Howard et al. 2017, arXiv:1704.04861",
        ),
        "dilated": Kind(
            "Dilated",
            "Holes between the weights: the window sees farther with as many weights.",
            _CONVOLUTION,
            _NONE,
            {"kernel_size": 3, "padding": 2, "dilation": 2},
            "Yu & Koltun 2016, arXiv:1511.07122",
        ),
        "transposed": Kind(
            "Transposed",
            "Each input pixel lays its multiple of the kernel into the output, where they overlap they are added.",
            ("in_channels", "out_channels", *_WINDOW, "groups", "bias", "output_padding"),
            _NONE,
            {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
            "Zeiler et al. 2010, “Deconvolutional Networks”",
        ),
        "masked_a": Kind(
            "Masked (A)",
            "Weights from the centre on, in reading order, are zero: a pixel is told from those before it alone.",
            _CONVOLUTION,
            _NONE,
            {"kernel_size": 3, "padding": 1},
            _VAN_DEN_OORD,
        ),
        "masked_b": Kind(
            "Masked (B)",
            "Weights behind the centre, in reading order, are zero; the centre counts, it has been masked before.",
            _CONVOLUTION,
            _NONE,
            {"kernel_size": 3, "padding": 1},
            _VAN_DEN_OORD,
        ),
        "max_pool": Kind(
            "Max pooling",
            "The largest value under each window, channel by channel.",
            (*_POOL, "dilation"),
            _CHANNELS_STAY,
            {"kernel_size": 2, "stride": 2},
            "Ranzato et al. 2007, “Unsupervised Learning of Invariant Feature Hierarchies”",
        ),
        "average_pool": Kind(
            "Average pooling",
            "The mean under each window, channel by channel.",
            (*_POOL, "count_include_pad"),
            _CHANNELS_STAY,
            {"kernel_size": 2, "stride": 2},
            _LECUN,
        ),
        "global_pool": Kind(
            "Global pooling",
            "The mean of each whole channel.",
            ("in_channels",),
            {**_CHANNELS_STAY, "output_size": 1},
            _NONE,
            "Lin et al. 2014, arXiv:1312.4400",
        ),
        "adaptive_pool": Kind(
            "Adaptive pooling",
            "The size of the output is chosen; windows follow from it, and mean values are taken.",
            ("in_channels", "output_size"),
            _CHANNELS_STAY,
            {"output_size": 7},
            "He et al. 2014, arXiv:1406.4729",
        ),
    }
)
"""The kinds of layers by key."""

ADAPTIVE: Final = frozenset({"global_pool", "adaptive_pool"})
POOLS: Final = frozenset({"max_pool", "average_pool"}) | ADAPTIVE
MASKED: Final = frozenset({"masked_a", "masked_b"})


# The layer -------------------------------------------------------------------------------------------


@dataclass(frozen=True, init=False)
class LayerSpec:
    """One layer.  A number stands for all axes; tuples have one number for each.

    What the kind does not leave free (`KINDS[kind].fields`) is set to what it fixes, or to its default.

    Attributes:
        kind: key of `KINDS`.
        dimensions: 1, 2 or 3 axes beside the channels.
        in_channels, out_channels, groups: 1 or more; groups divide both.
        kernel_size, stride, dilation: 1 or more.
        padding: added on each side, 0 or more; "valid": none; "same" (for stride 1): what keeps the size,
            the odd one at the end.
        bias: whether a number is added to each output channel.
        padding_mode: one of `explorer.convolution.PADDING_MODES`.
        output_padding: of a transposed convolution, what is added at the end of the output.
        ceil_mode: of a pooling, whether a last window may reach beyond the end.
        count_include_pad: of an average, whether zeros of the padding count.
        output_size: of an adaptive pooling.

    >>> LayerSpec("depthwise", in_channels=3, out_channels=6, kernel_size=(3, 5)).groups
    3

    Raises:
        ShapeError: a layer that is possible for no input.
    """

    kind: str
    dimensions: int
    in_channels: int
    out_channels: int
    kernel_size: Sizes
    stride: Sizes
    padding: Padding
    dilation: Sizes
    groups: int
    bias: bool
    padding_mode: str
    output_padding: Sizes
    ceil_mode: bool
    count_include_pad: bool
    output_size: Sizes

    def __init__(
        self,
        kind: str = "conv",
        dimensions: int = 2,
        in_channels: int = 3,
        out_channels: int = 10,
        kernel_size: int | Sizes = 3,
        stride: int | Sizes = 1,
        padding: int | Padding = 0,
        dilation: int | Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        output_padding: int | Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        output_size: int | Sizes = 1,
    ) -> None:
        if kind not in KINDS:
            raise ShapeError(f"There is no layer “{kind}”; there are {', '.join(KINDS)}.")
        if dimensions not in AXES:
            raise ShapeError(f"A layer has 1, 2 or 3 dimensions, not {dimensions}.")
        given: dict[str, Any] = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "bias": bool(bias),
            "padding_mode": padding_mode,
            "output_padding": output_padding,
            "ceil_mode": bool(ceil_mode),
            "count_include_pad": bool(count_include_pad),
            "output_size": output_size,
        }
        values = {
            name: value if name in KINDS[kind].fields else _DEFAULTS[name] for name, value in given.items()
        }
        for name, value in KINDS[kind].fixed.items():
            values[name] = values.get(value, value) if isinstance(value, str) else value
        for name, lowest in _LOWEST.items():
            values[name] = _whole(name, values[name], lowest)
        for name, lowest in LOWEST_ON_AXES.items():
            if not (name == "padding" and values[name] in ("same", "valid")):
                values[name] = _on_axes(name, values[name], lowest, dimensions)
        for name, value in {"kind": kind, "dimensions": dimensions, **values}.items():
            object.__setattr__(self, name, value)
        _refuse_impossible(self)

    @property
    def extent(self) -> Sizes:
        """What the dilated kernel spans along each axis: dilation·(kernel_size - 1) + 1."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True))

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """What is added before and after each axis.

        >>> LayerSpec(kernel_size=(3, 4), padding="same").margins
        ((1, 1), (1, 2))
        """
        if self.padding == "same":
            return tuple(((extent - 1) // 2, extent // 2) for extent in self.extent)
        return tuple((p, p) for p in (self.padding if self.padding != "valid" else (0,) * self.dimensions))


_LOWEST: Final = {"in_channels": 1, "out_channels": 1, "groups": 1}
LOWEST_ON_AXES: Final = {
    "kernel_size": 1,
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "output_padding": 0,
    "output_size": 1,
}
"""The fields that have a number for each axis, and the lowest."""
_DEFAULTS: Final[Mapping[str, Any]] = {
    name: parameter.default for name, parameter in inspect.signature(LayerSpec).parameters.items()
}


def _whole(name: str, value: object, lowest: int) -> int:
    if not isinstance(value, int | np.integer) or value < lowest:
        raise ShapeError(f"`{name}` is {value!r}: a whole number from {lowest} on is meant.")
    return int(value)


def _on_axes(name: str, value: object, lowest: int, dimensions: int) -> Sizes:
    values = value if isinstance(value, tuple) else (value,) * dimensions
    if len(values) != dimensions:
        raise ShapeError(
            f"`{name}` {value!r} has {len(values)} numbers, but the layer has {dimensions} axes."
        )
    return tuple(_whole(name, number, lowest) for number in values)


def _refuse_impossible(spec: LayerSpec) -> None:
    """Raise a ShapeError where no input whatever would fit."""
    if spec.padding_mode not in PADDING_MODES:
        raise ShapeError(f"There is no padding “{spec.padding_mode}”; there are {', '.join(PADDING_MODES)}.")
    if spec.kind == "depthwise" and spec.out_channels % spec.in_channels:
        raise ShapeError(
            f"`out_channels` ({spec.out_channels}) must be divisible by `in_channels` ({spec.in_channels}): "
            "every channel gets as many filters."
        )
    for name, channels in (("in_channels", spec.in_channels), ("out_channels", spec.out_channels)):
        if channels % spec.groups:
            raise ShapeError(f"`{name}` ({channels}) must be divisible by `groups` ({spec.groups}).")
    if isinstance(spec.padding, str) and (spec.kind in POOLS or spec.kind == "transposed"):
        raise ShapeError(f"The padding “{spec.padding}” is for convolutions; here a number is meant.")
    if spec.padding == "same" and set(spec.stride) != {1}:
        raise ShapeError(f"The padding “same” goes with stride 1, not with {_by(spec.stride)}.")
    for axis, name in enumerate(AXES[spec.dimensions]):
        kernel, stride, dilation = spec.kernel_size[axis], spec.stride[axis], spec.dilation[axis]
        if spec.kind in POOLS and spec.margins[axis][0] > kernel // 2:
            raise ShapeError(
                f"A pooling pads at most half of its window, {kernel // 2} of {kernel} {name}, "
                f"not {spec.margins[axis][0]}."
            )
        if spec.output_padding[axis] >= max(stride, dilation):
            raise ShapeError(
                f"`output_padding` ({spec.output_padding[axis]} {name}) must be smaller than the stride ({stride}) "
                f"or the dilation ({dilation})."
            )


def parts(spec: LayerSpec) -> tuple[LayerSpec, ...]:
    """The layers that do the work, in sequence: two of a separable one, else the layer itself.

    >>> [part.kind for part in parts(LayerSpec("separable"))]
    ['depthwise', 'pointwise']
    """
    if spec.kind != "separable":
        return (spec,)
    return (
        replace(spec, kind="depthwise", out_channels=spec.in_channels),
        replace(spec, kind="pointwise", stride=(1,) * spec.dimensions),
    )


def _by(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))


# What comes out --------------------------------------------------------------------------------------


def output_shape(spec: LayerSpec, input_shape: Sizes) -> Sizes:
    """(channels, *sizes) of the output for an input of (channels, *sizes).

    >>> output_shape(LayerSpec(kernel_size=5, padding=2), (3, 32, 32))
    (10, 32, 32)
    >>> output_shape(LayerSpec("max_pool", in_channels=64, kernel_size=2, stride=2), (64, 224, 224))
    (64, 112, 112)

    Raises:
        ShapeError: the channels or the number of axes are not the layer's, or as `output_size`.
    """
    if len(input_shape) != spec.dimensions + 1:
        raise ShapeError(
            f"An input of shape {_by(input_shape)} is not one of channels and {spec.dimensions} "
            f"axes ({', '.join(AXES[spec.dimensions])})."
        )
    if input_shape[0] != spec.in_channels:
        raise ShapeError(f"The layer reads {spec.in_channels} channels, but the input has {input_shape[0]}.")
    sizes = (output_size(spec, size, axis) for axis, size in enumerate(input_shape[1:]))
    return spec.out_channels, *sizes


def output_size(spec: LayerSpec, size: int, axis: int = 0) -> int:
    """How many numbers come out along one axis, where `size` go in.

    >>> output_size(LayerSpec("transposed", kernel_size=4, stride=2, padding=1), 16)
    32

    Raises:
        ShapeError: the padded input is smaller than the window, the padding is more than the input gives, or
            nothing is left of a transposed convolution's output.
    """
    name = AXES[spec.dimensions][axis]
    before, after = spec.margins[axis]
    extent, stride = spec.extent[axis], spec.stride[axis]
    if size < 1:
        raise ShapeError(f"An input of {size} {name} has no numbers.")
    if spec.kind in ADAPTIVE:
        return spec.output_size[axis]
    if spec.kind == "transposed":
        whole = (size - 1) * stride + extent + spec.output_padding[axis]
        if whole <= before + after:
            raise ShapeError(
                f"Nothing is left: {size} {name} spread to {whole}, of which the padding takes {before + after} away."
            )
        return whole - before - after
    most = {"reflect": size - 1, "circular": size}.get(spec.padding_mode, after)
    if after > most:
        raise ShapeError(
            f"The padding “{spec.padding_mode}” finds at most {most} {name} in an input of {size}, "
            f"but {after} are to be added."
        )
    if spec.kind == "average_pool" and spec.dimensions == 3 and spec.kernel_size[axis] > size:
        raise ShapeError(
            f"A window of {extent} {name} is larger than the input of {size}: in 3-D an average is not taken so."
        )
    room = size + before + after - extent
    positions = room // stride + 1
    if spec.ceil_mode:
        positions = -(-room // stride) + 1
        # a window that would start in the padding at the end is left out
        positions -= (positions - 1) * stride >= size + before
    if positions < 1:
        raise ShapeError(
            f"A window of {extent} {name} does not fit into {size + before + after} "
            f"({size} of the input, {before + after} of padding)."
        )
    return positions


# What is read ----------------------------------------------------------------------------------------


def live_weights(spec: LayerSpec) -> NDArray[np.bool_]:
    """Which weights of a window count, bool of `kernel_size`: all of them, unless the layer is masked.

    The centre of an even side is at size // 2.

    >>> live_weights(LayerSpec("masked_a", kernel_size=3)).astype(int).tolist()
    [[1, 1, 1], [1, 0, 0], [0, 0, 0]]

    Source: van den Oord et al. 2016, arXiv:1601.06759.
    """
    order = np.arange(math.prod(spec.kernel_size)).reshape(spec.kernel_size)
    centre = int(order[tuple(size // 2 for size in spec.kernel_size)])
    if spec.kind == "masked_a":
        return order < centre
    if spec.kind == "masked_b":
        return order <= centre
    return np.ones(spec.kernel_size, dtype=bool)


def unread(spec: LayerSpec, input_shape: Sizes, axis: int = 0) -> NDArray[np.bool_]:
    """Rows (columns, slices) of an input that change nothing in the output: bool (size of the axis,).

    >>> unread(LayerSpec(kernel_size=3, stride=2), (3, 6, 7), axis=0).tolist()
    [False, False, False, False, False, True]

    Raises:
        ShapeError: as `output_shape`.
    """
    output_shape(spec, input_shape)
    seen = [rows_read(spec, size, each) for each, size in enumerate(input_shape[1:])]
    others = tuple(each for each in range(spec.dimensions) if each != axis)
    live = live_weights(spec)
    for other in others:
        # a weight that lies in the padding wherever the window stands reads nothing along this axis either
        live = live & seen[other].any(axis=1).reshape(
            [-1 if each == other else 1 for each in range(live.ndim)]
        )
    weights = np.asarray(live.any(axis=others))
    return ~np.asarray(seen[axis][weights].any(axis=0))


def unread_cells(spec: LayerSpec, input_shape: Sizes) -> NDArray[np.bool_]:
    """Cells of a channel that change nothing in the output: bool of the input's sizes.

    More than the rows and columns that are `unread`: between strides wider than the window lie single cells, and
    a mask leaves the last ones of a row.

    >>> unread_cells(LayerSpec("masked_a", in_channels=1, kernel_size=3), (1, 3, 3)).astype(int).tolist()
    [[0, 0, 0], [0, 1, 1], [1, 1, 1]]

    Raises:
        ShapeError: as `output_shape`.
    """
    output_shape(spec, input_shape)
    seen = live_weights(spec).astype(int)
    for axis, size in enumerate(input_shape[1:]):
        # weights along the first axis become rows along the last
        seen = np.tensordot(seen, rows_read(spec, size, axis).astype(int), axes=(0, 0))
    return np.asarray(seen == 0)


def rows_read(spec: LayerSpec, size: int, axis: int) -> NDArray[np.bool_]:
    """Which rows each weight along one axis reads, wherever its window stands: bool (kernel_size, size)."""
    kernel, count = spec.kernel_size[axis], output_size(spec, size, axis)
    if spec.kind in ADAPTIVE:
        return np.ones((kernel, size), dtype=bool)
    window = kernel, spec.stride[axis], spec.margins[axis][0], spec.dilation[axis]
    if spec.kind == "transposed":
        # the window stands on the output: a row counts where its product with a weight is not cut off
        return (reads(count, size, *window) >= 0).T
    seen = np.zeros((kernel, size + 1), dtype=bool)
    seen[np.arange(kernel), reads(size, count, *window, spec.padding_mode)] = True
    return seen[:, :size]
