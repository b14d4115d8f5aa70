"""What a unit sees: the pixels of the picture that can reach it, through every layer below.

Along each axis a field has a size, a jump (pixels from one unit's field to the next unit's) and a start (the
first pixel of unit 0's field; negative where padding hangs over the edge).  One layer changes them by

    size += (extent - 1)·jump        start -= padding·jump        jump *= stride

Near the edges of a picture a unit may see less than that, even of what is inside: padding sees nothing, and a stride
may leave the last rows unread.  `Spans` follow every unit of a map on its own, and are exact.

Rows come before columns in every pair.  Fields of whole networks are traced in `explorer.field_tracing`; how
much of its field a unit uses is measured in `explorer.effective_field`.

Source: Araujo, Norris & Sim 2019, Computing Receptive Fields of Convolutional Neural Networks,
https://distill.pub/2019/computing-receptive-fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.convolution import ConvSpec, Pair, output_shape
from explorer.errors import LayerError, ShapeError

Box = tuple[Pair, Pair]
"""(first row, last row), (first column, last column), both ends included."""

KINDS: Final = ("conv", "max", "mean")
"""What a step's window does: weights, the maximum, the mean.  The field is the same."""


@dataclass(frozen=True, init=False)
class Step(ConvSpec):
    """One layer of a stack: what matters for the field.  One number stands for rows and columns.

    Attributes:
        name: as it is shown.
        kind: one of `KINDS`.

    >>> Step("conv1", 7, stride=2, padding=3).extent
    (7, 7)

    Raises:
        ShapeError: sizes that `ConvSpec` refuses, or an unknown kind.
    """

    name: str
    kind: str

    def __init__(
        self,
        name: str,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | Literal["same"] = 0,
        dilation: int | Pair = 1,
        kind: str = "conv",
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation)
        if kind not in KINDS:
            raise ShapeError(f"There is no step “{kind}”; there are {', '.join(KINDS)}.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "kind", kind)

    @property
    def before(self) -> Pair:
        """Rows added at the top and columns added at the left."""
        (top, _), (left, _) = self.margins((1, 1))  # zeros are as many for every picture
        return top, left


@dataclass(frozen=True, eq=False)
class Spans:
    """First and last pixel, along one axis of a picture, that each unit of one map can be reached from.

    Attributes:
        length: of the picture along this axis, in pixels.
        first, last: int64 (units,), both included; first behind last where a unit sees padding alone.

    >>> of_first = Spans.of_pixels(8).under(range(3), stride=2, before=0, units=3)  # pixel 7 is never read
    >>> of_second = of_first.under(range(3), stride=1, before=1, units=3)
    >>> of_second.first.tolist(), of_second.last.tolist()
    ([0, 0, 2], [4, 6, 6])
    """

    length: int
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.first.shape != self.last.shape or self.first.ndim != 1:
            raise ShapeError(f"{self.first.shape} first pixels do not go with {self.last.shape} last ones.")
        self.first.flags.writeable = self.last.flags.writeable = False

    @classmethod
    def of_pixels(cls, length: int) -> Spans:
        """As it stands: a pixel sees itself."""
        return cls(length, np.arange(length), np.arange(length))

    def under(self, taps: range, stride: int, before: int, units: int) -> Spans:
        """After one more layer of so many units: each reads the places `taps` of its window.

        Windows are `stride` units apart, and the first begins `before` units early.
        """
        return self.read(np.arange(units)[:, None] * stride - before + np.array(taps))

    def read(self, places: NDArray[np.int64]) -> Spans:
        """Of units that read these units (units, n); places where there is none are padding."""
        inside = (places >= 0) & (places < len(self.first))
        places = np.where(inside, places, 0)
        first = np.where(inside, self.first[places], self.length).min(1)
        return Spans(self.length, first, np.where(inside, self.last[places], -1).max(1))

    def around(self, other: Spans) -> Spans | None:
        """The smallest spans around two of each unit; None where maps of different sizes or pictures meet."""
        if self.length != other.length or len(self.first) != len(other.first):
            return None
        return Spans(self.length, np.minimum(self.first, other.first), np.maximum(self.last, other.last))


@dataclass(frozen=True)
class Axis:
    """A field along one axis, in pixels: size, jump, start.  As it stands: a pixel sees itself.

    `spans` tell it of each unit exactly, for a picture of one length; None where they were not followed.
    """

    size: int = 1
    jump: int = 1
    start: int = 0
    spans: Spans | None = field(default=None, compare=False, repr=False)

    def under(self, extent: int, stride: int, before: int) -> Axis:
        """The field after one more layer, whose window spans `extent` units and begins `before` units early."""
        return Axis(self.size + (extent - 1) * self.jump, self.jump * stride, self.start - before * self.jump)

    def span(self, unit: int) -> Pair:
        """First and last pixel that a unit sees, beyond the picture's edges too."""
        first = self.start + unit * self.jump
        return first, first + self.size - 1


@dataclass(frozen=True)
class ReceptiveField:
    """The fields of all units of one map.

    Attributes:
        size: (rows, columns) of pixels that one unit sees.
        jump: pixels from one unit's field to the next unit's.
        start: first pixel of unit 0's field; -3 where 3 pixels of it are padding.
        everything: whether a path aside (squeeze-excite, attention) shows the whole map to each unit besides;
            size, jump, start and spans are then those of the other paths.
        spans: of rows and of columns: each unit's exact pixels; None where they were not followed.
        parts, part_of: where maps of several branches stand side by side, the field of each branch, and which of
            them holds for which map; the field itself is then the one around all.

    >>> vgg16 = receptive_field(stack_of("vgg16"))
    >>> vgg16.size, vgg16.jump, vgg16.start
    ((212, 212), (32, 32), (-90, -90))
    >>> vgg16.region((0, 6))
    ((-90, 121), (102, 313))
    >>> vgg16.clipped((0, 6), (224, 224)), vgg16.overhang((0, 6), (224, 224))
    (((0, 121), (102, 223)), ((90, 0), (0, 90)))
    """

    size: Pair = (1, 1)
    jump: Pair = (1, 1)
    start: Pair = (0, 0)
    everything: bool = False
    spans: tuple[Spans, Spans] | None = field(default=None, compare=False, repr=False)
    parts: tuple[ReceptiveField, ...] = field(default=(), compare=False, repr=False)
    part_of: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, rows: Axis, columns: Axis, everything: bool = False) -> ReceptiveField:
        """The field with these axes."""
        spans = (rows.spans, columns.spans) if rows.spans and columns.spans else None
        return cls(
            (rows.size, columns.size),
            (rows.jump, columns.jump),
            (rows.start, columns.start),
            everything,
            spans,
        )

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Rows and columns on their own."""
        rows, columns = map(Axis, self.size, self.jump, self.start, self.spans or (None, None))
        return rows, columns

    def of_map(self, number: int) -> ReceptiveField:
        """The field of the units of one map, which may see less than those of others beside it."""
        if self.part_of is None or not 0 <= number < len(self.part_of):
            return self
        return self.parts[int(self.part_of[number])]

    def under(self, step: ConvSpec) -> ReceptiveField:
        """The field after one more layer, padded with zeros or not at all."""
        before = Step("", step.kernel_size, step.stride, step.padding, step.dilation).before
        rows, columns = map(Axis.under, self.axes, step.extent, step.stride, before)
        return ReceptiveField.of(rows, columns, self.everything)

    def region(self, unit: Pair) -> Box:
        """The pixels that a unit (row, column) sees, where the picture has no edges."""
        rows, columns = map(Axis.span, self.axes, unit)
        return rows, columns

    def clipped(self, unit: Pair, shape: Pair) -> Box | None:
        """Its pixels of a picture of this (height, width); None where it sees padding alone.

        Exact where the field has `spans` for such a picture; else the pixels inside its region, of which near the
        edges some may go unread: `regions` tells of a stack which.
        """
        if self.spans and tuple(spans.length for spans in self.spans) == shape:
            rows, columns = (
                (int(spans.first[at]), int(spans.last[at]))
                for spans, at in zip(self.spans, unit, strict=True)
            )
            return (rows, columns) if rows[0] <= rows[1] and columns[0] <= columns[1] else None
        return _clip(self.region(unit), shape)

    def overhang(self, unit: Pair, shape: Pair) -> tuple[Pair, Pair]:
        """How far a unit's field hangs over each edge of the picture: (top, bottom), (left, right)."""
        return _overhang(self.region(unit), shape)


def _clip(box: Box, shape: Pair) -> Box | None:
    rows, columns = (
        (max(first, 0), min(last, size - 1)) for (first, last), size in zip(box, shape, strict=True)
    )
    return (rows, columns) if rows[0] <= rows[1] and columns[0] <= columns[1] else None


def _overhang(box: Box, shape: Pair) -> tuple[Pair, Pair]:
    rows, columns = (
        (max(-first, 0), max(last - size + 1, 0)) for (first, last), size in zip(box, shape, strict=True)
    )
    return rows, columns


# A stack of layers -----------------------------------------------------------------------------------


def receptive_field(steps: Sequence[ConvSpec]) -> ReceptiveField:
    """The field of the last layer's units.

    >>> receptive_field([Step("conv", 3, padding=1)] * 3).size  # three 3×3 see what one 7×7 sees
    (7, 7)
    """
    field = ReceptiveField()
    for step in steps:
        field = field.under(step)
    return field


@dataclass(frozen=True)
class Row:
    """One layer in the table of a stack.

    Attributes:
        name: of the layer.
        output: (height, width) of its map.
        field: of its units.
        formula: 1 + L·(K - 1) with its values put in, where it holds: L layers of one square kernel K, not
            dilated, no stride before the last; else "".
    """

    name: str
    output: Pair
    field: ReceptiveField
    formula: str


def table(steps: Sequence[Step], input_shape: Pair) -> tuple[Row, ...]:
    """Map, field and formula after each layer, for a picture of this (height, width).

    >>> [(row.output, row.field.size, row.formula) for row in table([Step("a", 3), Step("b", 3)], (8, 8))]
    [((6, 6), (3, 3), '1 + 1·(3 − 1) = 3'), ((4, 4), (5, 5), '1 + 2·(3 − 1) = 5')]

    Raises:
        ShapeError: a window that does not fit; the sentence begins with the layer's name.
    """
    shapes = _shapes(steps, input_shape)[1:]
    below = [steps[:count] for count in range(1, len(steps) + 1)]
    return tuple(
        Row(stack[-1].name, shape, receptive_field(stack), _formula(stack))
        for stack, shape in zip(below, shapes, strict=True)
    )


def _formula(steps: Sequence[Step]) -> str:
    kernel = steps[0].kernel_size
    alike = all(step.kernel_size == kernel and step.dilation == (1, 1) for step in steps)
    if not alike or kernel[0] != kernel[1] or any(step.stride != (1, 1) for step in steps[:-1]):
        return ""
    return f"1 + {len(steps)}·({kernel[0]} − 1) = {1 + len(steps) * (kernel[0] - 1)}"


def _shapes(steps: Sequence[Step], input_shape: Pair) -> list[Pair]:
    """(height, width) of the picture and of every map above it."""
    shapes = [input_shape]
    for step in steps:
        try:
            shapes.append(output_shape(shapes[-1], step))
        except ShapeError as error:
            raise ShapeError(f"{step.name}: {error}") from error
    return shapes


@dataclass(frozen=True)
class Region:
    """What one unit sees of one map below it: every crossing of some rows and some columns.

    Attributes:
        name: of the layer that made the map; "" for the picture.
        shape: (height, width) of the map.
        rows: that its windows read, ascending; dilation and wide strides leave gaps, and padding gives rows
            below 0 and beyond the last.
        columns: likewise.
    """

    name: str
    shape: Pair
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def box(self) -> Box | None:
        """Around all of it, over the map's edges too; None where only padding above it is seen."""
        return _around(self.rows, self.columns)

    @property
    def inside(self) -> Box | None:
        """Around what is on the map; None where nothing is."""
        return _around(*self.on_map)

    @property
    def on_map(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Rows and columns that are the map's own."""
        rows, columns = (
            tuple(at for at in read if 0 <= at < size)
            for read, size in zip((self.rows, self.columns), self.shape, strict=True)
        )
        return rows, columns

    @property
    def overhang(self) -> tuple[Pair, Pair]:
        """Cells of padding on each side: (top, bottom), (left, right)."""
        return _overhang(self.box, self.shape) if self.box else ((0, 0), (0, 0))


def _around(rows: Sequence[int], columns: Sequence[int]) -> Box | None:
    return ((rows[0], rows[-1]), (columns[0], columns[-1])) if rows and columns else None


def regions(steps: Sequence[Step], input_shape: Pair, unit: Pair) -> tuple[Region, ...]:
    """The region of a unit (row, column) of the last map in every map, from its own down to the picture.

    Each follows from what is on the map above: cells of padding see nothing.

    >>> for region in regions([Step("a", 3, padding=1), Step("b", 3, stride=2)], (7, 7), (0, 2)):
    ...     print(region.name or "picture", region.box, region.inside)
    b ((0, 0), (2, 2)) ((0, 0), (2, 2))
    a ((0, 2), (4, 6)) ((0, 2), (4, 6))
    picture ((-1, 3), (3, 7)) ((0, 3), (3, 6))

    Raises:
        ShapeError: a window that does not fit, or a unit outside the last map.
    """
    shapes = _shapes(steps, input_shape)
    if any(not 0 <= at < size for at, size in zip(unit, shapes[-1], strict=True)):
        raise ShapeError(f"Unit {unit} is outside the last map of {shapes[-1][0]}×{shapes[-1][1]}.")
    names = ["", *(step.name for step in steps)]
    found = [Region(names[-1], shapes[-1], (unit[0],), (unit[1],))]
    for step, name, shape in zip(reversed(steps), reversed(names[:-1]), reversed(shapes[:-1]), strict=True):
        rows, columns = (_read(units, step, axis) for axis, units in enumerate(found[-1].on_map))
        found.append(Region(name, shape, rows, columns))
    return tuple(found)


def _read(units: Sequence[int], step: Step, axis: int) -> tuple[int, ...]:
    """Rows (columns) of the map below that the windows of some units read, padding included."""
    first = [unit * step.stride[axis] - step.before[axis] for unit in units]
    steps = range(0, step.extent[axis], step.dilation[axis])
    return tuple(sorted({at + offset for at in first for offset in steps}))


# Stacks to start from --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Classic:
    """A known network as one path of layers, the longest; 1×1 convolutions, which add nothing, are left out.

    Attributes:
        title: for reading.
        source: who and when.
        input_shape: (height, width) of its picture.
        steps: its layers, at most 20.
    """

    title: str
    source: str
    input_shape: Pair
    steps: tuple[Step, ...]


def _pool(name: str, size: int = 2, padding: int = 0, kind: str = "max") -> Step:
    return Step(name, size, stride=2, padding=padding, kind=kind)


def _vgg(*convolutions: int) -> tuple[Step, ...]:
    """Blocks of so many 3×3 convolutions, each with a pool behind it."""
    return tuple(
        step
        for block, count in enumerate(convolutions, 1)
        for step in (
            *(Step(f"conv{block}_{number}", 3, padding=1) for number in range(1, count + 1)),
            _pool(f"pool{block}"),
        )
    )


def _resnet(convolutions: tuple[int, ...]) -> tuple[Step, ...]:
    """The stem and four stages of so many 3×3 convolutions; the first of each but the first halves the map."""
    stages = (
        Step(f"layer{stage}.{number}", 3, stride=2 if stage > 1 and number == 1 else 1, padding=1)
        for stage, count in enumerate(convolutions, 1)
        for number in range(1, count + 1)
    )
    return Step("conv1", 7, stride=2, padding=3), _pool("maxpool", 3, padding=1), *stages


CLASSICS: Final[Mapping[str, Classic]] = MappingProxyType(
    {
        "lenet5": Classic(
            "LeNet-5",
            "LeCun et al. 1998",
            (32, 32),
            (
                Step("C1", 5),
                _pool("S2", kind="mean"),
                Step("C3", 5),
                _pool("S4", kind="mean"),
                Step("C5", 5),
            ),
        ),
        "alexnet": Classic(
            "AlexNet",
            "Krizhevsky et al. 2012",
            (227, 227),
            (
                Step("conv1", 11, stride=4),
                _pool("pool1", 3),
                Step("conv2", 5, padding=2),
                _pool("pool2", 3),
                *(Step(f"conv{number}", 3, padding=1) for number in (3, 4, 5)),
                _pool("pool5", 3),
            ),
        ),
        "vgg16": Classic("VGG-16", "Simonyan & Zisserman 2015", (224, 224), _vgg(2, 2, 3, 3, 3)),
        "unet": Classic(
            "U-Net, the way down",
            "Ronneberger et al. 2015",
            (572, 572),
            tuple(
                step
                for level in range(1, 6)
                for step in (
                    *([_pool(f"pool{level - 1}")] if level > 1 else []),
                    Step(f"conv{level}_1", 3),
                    Step(f"conv{level}_2", 3),
                )
            ),
        ),
        "resnet18": Classic("ResNet-18", "He et al. 2016", (224, 224), _resnet((4, 4, 4, 4))),
        "resnet50": Classic(
            "ResNet-50, torchvision's form", "He et al. 2016", (224, 224), _resnet((3, 4, 6, 3))
        ),
        "context": Classic(
            "Dilated context module",
            "Yu & Koltun 2016",
            (67, 67),
            tuple(
                Step(f"layer{number}", 3, padding="same", dilation=dilation)
                for number, dilation in enumerate((1, 1, 2, 4, 8, 16, 1), 1)
            ),
        ),
        "mobilenet": Classic(
            "MobileNet",
            "Howard et al. 2017",
            (224, 224),
            (
                Step("conv1", 3, stride=2, padding=1),
                *(
                    Step(f"depthwise{number}", 3, stride=2 if number in (2, 4, 6, 12) else 1, padding=1)
                    for number in range(1, 14)
                ),
            ),
        ),
    }
)
"""Stacks to start from, by key, the oldest first."""


def stack_of(name: str) -> tuple[Step, ...]:
    """The layers of a classic, one of `CLASSICS`.

    Raises:
        LayerError: there is no such classic.
    """
    if name not in CLASSICS:
        raise LayerError(f"There is no classic “{name}”; there are {', '.join(CLASSICS)}.")
    return CLASSICS[name].steps
