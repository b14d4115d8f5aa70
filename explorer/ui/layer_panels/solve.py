"""Solve backwards: from the sizes that go in and come out to the windows that lead there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from explorer.errors import ShapeError
from explorer.layer_choices import Solution, gap, solve
from explorer.layers import ADAPTIVE, AXES, LayerSpec, Sizes, output_size
from explorer.ui import controls, layer_controls, link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.layer_panels.examples import working_along as working

REACH: Final = (
    "Looked for: up to 15 weights along an axis, stride 8, padding 7, dilation 4. "
    "A window spans D·(K − 1) + 1 rows."
)
FILTERS: Final[Mapping[str, str]] = MappingProxyType(
    {"odd": "Odd kernels", "solid": "No dilation", "exact": "Nothing left over"}
)
FIRST: Final = 12
"""Windows that are shown at once; the others open."""
_LARGEST: Final = 9999
_WINDOW: Final = ("kernel_size", "stride", "padding", "dilation")


@dataclass(frozen=True)
class Way:
    """A window that leads there.

    Attributes:
        leftover: along each axis asked for, what is left over.
        blank: along each of them, how many outputs read nothing but padding; of a transposed convolution, how many
            inputs give nothing but what the padding cuts off.
    """

    kernel_size: int
    stride: int
    padding: int
    dilation: int
    leftover: Sizes
    blank: Sizes = ()

    @property
    def usual(self) -> bool:
        """Whether networks are built of such: no pixel left out, and padding that keeps the size, or none."""
        if self.dilation > 1 or self.stride > self.kernel_size:
            return False
        keeps = self.kernel_size % 2 == 1 and self.padding == self.kernel_size // 2
        return keeps or (self.padding == 0 and not any(self.leftover))

    def __str__(self) -> str:
        return f"K {self.kernel_size} · S {self.stride} · P {self.padding} · D {self.dilation}"

    @property
    def passes(self) -> Mapping[str, bool]:
        """Which of the filters let it through."""
        return {
            "odd": self.kernel_size % 2 == 1,
            "solid": self.dilation == 1,
            "exact": not any(self.leftover),
        }


def solve_backwards(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The panel."""
    base = windowed(spec)
    st.markdown(
        "**Which windows lead from what goes in to what should come out?** "
        "Set the size that you want: here are all that reach it. First come those most in use, then those without "
        "holes, then the smallest; last those with outputs that read nothing but padding. "
        "K kernel, S stride, P padding, D dilation. Channels are free: as many come out as there are filters."
    )
    if base.kind != spec.kind:
        st.caption(f"This kind has no window to choose: looked for among {_KIND_NAMES[base.kind]}.")
    target = _target(spec, shape)
    axes = _axes(spec, shape, target)
    found = ways(base, shape, target, axes)
    with st.container(horizontal=True, gap="medium"):
        wanted = [name for name, title in FILTERS.items() if _toggle(name, title)]
    kept = [way for way in found if all(way.passes[name] for name in wanted)]
    _sentence(base, shape, target, axes, len(found), len(kept))
    if kept:
        taken = _standing(spec, axes)
        _take("take a window", base, shape, axes, kept[:FIRST], taken)
        if len(kept) > FIRST:
            with st.expander(f"{len(kept) - FIRST} more", expanded=taken in map(str, kept[FIRST:])):
                _take("take another window", base, shape, axes, kept[FIRST:], taken)
    st.caption(REACH)


# What leads there ------------------------------------------------------------------------------------

_KIND_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"conv": "convolutions", "average_pool": "average poolings"}
)


def windowed(spec: LayerSpec) -> LayerSpec:
    """The layer, or for one whose window is not free, the nearest kind whose window is; rounded down.

    >>> windowed(LayerSpec("global_pool")).kind
    'average_pool'
    """
    kind = "average_pool" if spec.kind in ADAPTIVE else "conv" if spec.kind == "pointwise" else spec.kind
    return replace(spec, kind=kind, ceil_mode=False, output_padding=(0,) * spec.dimensions)


def ways(spec: LayerSpec, shape: Sizes, target: Sizes, axes: tuple[int, ...]) -> list[Way]:
    """The windows that lead from the input's size to the target along each of these axes.

    First those most in use, then those without holes, then the smallest; last those with outputs that read nothing
    but padding.  Of a transposed convolution, which leads back, what is left over is its `output_padding`.

    >>> [str(way) for way in ways(LayerSpec(), (3, 32, 32), (16, 16), (0, 1))][:3]
    ['K 2 · S 2 · P 0 · D 1', 'K 3 · S 2 · P 1 · D 1', 'K 5 · S 2 · P 2 · D 1']
    """
    found: list[dict[tuple[int, int, int, int], int]] = []
    for axis in axes:
        ends = shape[1 + axis], target[axis]
        solutions: list[Solution] = solve(*(reversed(ends) if spec.kind == "transposed" else ends))
        found.append(
            {
                (each.kernel_size, each.stride, each.padding, each.dilation): each.leftover
                for each in solutions
            }
        )
    # one window that does it along all of them
    common = [window for window in found[0] if all(window in others for others in found[1:])]
    reads = [
        (target[axis], shape[1 + axis]) if spec.kind == "transposed" else (shape[1 + axis], target[axis])
        for axis in axes
    ]
    listed = [
        Way(
            *window,
            tuple(each[window] for each in found),
            tuple(_blank(size, results, *window) for size, results in reads),
        )
        for window in common
    ]
    listed.sort(key=_order)
    return [way for way in listed if _leads(spec, shape, target, axes, way)]


def _blank(size: int, results: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many of the results along an axis of this size are of windows that lie beside it with every weight.

    >>> _blank(32, 16, 1, 3, 7, 1)
    6
    """
    if padding == 0:
        return 0
    reach = dilation * (kernel - 1)
    # a window that begins inside reads something, and so does one that ends inside
    outside = [
        start for start in range(-padding, results * stride - padding, stride) if start < 0 or start >= size
    ]
    return sum(
        not any(0 <= start + step < size for step in range(0, reach + 1, dilation)) for start in outside
    )


def _order(way: Way) -> tuple[object, ...]:
    window = way.kernel_size, way.stride, way.padding, way.dilation
    return any(way.blank), way.dilation, not way.usual, window


def with_window(spec: LayerSpec, axes: tuple[int, ...], way: Way) -> LayerSpec:
    """The layer with this window along these axes.

    Raises:
        ShapeError: this kind has no such window.
    """
    changes: dict[str, Any] = {}
    for name in _WINDOW:
        values = list(getattr(spec, name))
        if name == "padding":
            values = [after for _, after in spec.margins]
        for axis in axes:
            values[axis] = getattr(way, name)
        changes[name] = tuple(values)
    if spec.kind == "transposed":
        extra = list(spec.output_padding)
        for axis, leftover in zip(axes, way.leftover, strict=True):
            extra[axis] = leftover
        changes["output_padding"] = tuple(extra)
    return replace(spec, **changes)


def _leads(spec: LayerSpec, shape: Sizes, target: Sizes, axes: tuple[int, ...], way: Way) -> bool:
    """Whether this kind can have the window, and with it the size: a pooling pads at most half of it, …"""
    try:
        made = with_window(spec, axes, way)
        sizes = [output_size(made, shape[1 + axis], axis) for axis in axes]
    except ShapeError:
        return False
    has_it = all(getattr(made, name)[axis] == getattr(way, name) for name in _WINDOW for axis in axes)
    return has_it and sizes == [target[axis] for axis in axes]


# What is asked ---------------------------------------------------------------------------------------


def _target(spec: LayerSpec, shape: Sizes) -> Sizes:
    """The sizes that should come out: what comes out now until others are chosen."""
    now = tuple(output_size(spec, size, axis) for axis, size in enumerate(shape[1:]))
    target = _read(link.read("to", _write(now)), now)
    alike = len(set(shape[1:])) == 1 and len(set(target)) == 1
    entries = [
        Dial(
            f"to {axis}",
            "Output size" if alike else f"Output, {name}",
            1,
            max(_most(spec, shape[1 + axis]), target[axis]),
            1,
            target[axis],
        )
        for axis, name in enumerate(AXES[spec.dimensions][: 1 if alike else None])
    ]

    def turn(key: str, value: float) -> None:
        number, axis = int(value), int(key.removeprefix("to "))
        link.choose("to", _write((*target[:axis], number, *target[axis + 1 :]) if not alike else (number,)))

    dials("solve dials", entries, turn)
    return target


def _write(sizes: Sizes) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


def _read(text: str, now: Sizes) -> Sizes:
    """Sizes from a link's text, as many as the layer has axes: the last stands for those that are not named."""
    if not re.fullmatch(r"[1-9]\d{0,3}(x[1-9]\d{0,3}){0,2}", text):
        st.warning(
            "The link's output size cannot be read; the layer's own is shown.", icon=":material/link_off:"
        )
        link.forget("to")
        return now
    sizes = tuple(map(int, text.split("x")))
    return (*sizes, *sizes[-1:] * 2)[: len(now)]


def _most(spec: LayerSpec, size: int) -> int:
    """The largest size that anything that is looked for leads to."""
    return min((size - 1) * 8 + 4 * 14 + 8 if spec.kind == "transposed" else size + 14, _LARGEST)


def _axes(spec: LayerSpec, shape: Sizes, target: Sizes) -> tuple[int, ...]:
    """The axes that the window is sought for: all of them at once, or where they differ, one alone."""
    names = AXES[spec.dimensions]
    every = tuple(range(spec.dimensions))
    if len(set(shape[1:])) == 1 and len(set(target)) == 1:
        return every
    options = {"all": "One window for all"} | {name: f"The {name} alone" for name in names}
    chosen = controls.choice("along", "Sought", options, "the axis", buttons=True)
    return every if chosen == "all" else (names.index(chosen),)


def _toggle(name: str, title: str) -> bool:
    key = f"solve {name}"
    st.session_state[key] = bool(link.read_number(name, 0, 0, 1))
    return st.toggle(title, key=key, on_change=lambda: link.choose(name, str(int(st.session_state[key]))))


# What is found ---------------------------------------------------------------------------------------


def _sentence(
    spec: LayerSpec, shape: Sizes, target: Sizes, axes: tuple[int, ...], found: int, kept: int
) -> None:
    names = AXES[spec.dimensions]
    ends = " and ".join(f"{shape[1 + axis]:,} {names[axis]} to {target[axis]:,}" for axis in axes)
    differ = len({(shape[1 + axis], target[axis]) for axis in axes}) > 1
    if not differ:
        ends = f"{shape[1 + axes[0]]:,} {' and '.join(names[axis] for axis in axes)} to {target[axes[0]]:,}"
    if not found:
        st.info(
            f"No window leads from {ends}. {_why(spec, shape, target, axes)}",
            icon=":material/block:",
        )
    elif not kept:
        st.info(
            f"{_count(found)} from {ends}, but none that passes all filters: take one off.",
            icon=":material/filter_alt:",
        )
    else:
        st.markdown(
            f"**{_count(found)}** from {ends}" + (f"; {kept} of them shown." if kept < found else ".")
        )


def _count(found: int) -> str:
    return "1 window leads" if found == 1 else f"{found:,} windows lead"


def _why(spec: LayerSpec, shape: Sizes, target: Sizes, axes: tuple[int, ...]) -> str:
    """Why no window leads there: an axis that none of them solves, or axes that ask for different ones.

    >>> _why(LayerSpec(), (3, 500, 500), (300, 300), (0, 1))
    'The nearest that any of them reaches are 257 (at stride 2) and 444 (at stride 1).'
    """
    counts = []
    for axis in axes:
        alone = ways(spec, shape, target, (axis,))
        if not alone:
            return _gap(spec, shape[1 + axis], target[axis], axis)
        counts.append(f"{len(alone)} for the {AXES[spec.dimensions][axis]}")
    return f"There are {' and '.join(counts)}, but none does both: try each axis alone."


def _gap(spec: LayerSpec, size: int, result: int, axis: int) -> str:
    nearest = [f"{ends[1]:,} (at stride {ends[0]})" for ends in gap(spec, size, result, axis) if ends]
    return (
        f"The nearest that any of them reaches {'are' if len(nearest) > 1 else 'is'} {' and '.join(nearest)}."
    )


def _standing(above: LayerSpec, axes: tuple[int, ...]) -> str:
    """The window of the layer above, as it is listed; "" where its axes differ."""
    padding = tuple(after for _, after in above.margins)
    if any(before != after for before, after in above.margins):
        return ""
    windows = {
        (above.kernel_size[axis], above.stride[axis], padding[axis], above.dilation[axis]) for axis in axes
    }
    return str(Way(*windows.pop(), ())) if len(windows) == 1 else ""


def _take(
    key: str, base: LayerSpec, shape: Sizes, axes: tuple[int, ...], kept: Sequence[Way], taken: str
) -> None:
    """Windows to click: one that is taken becomes the layer above."""
    listed = {_line(base, shape, axes, way): way for way in kept}
    st.session_state[key] = next((line for line, way in listed.items() if str(way) == taken), None)

    def take() -> None:
        if (line := st.session_state[key]) is not None:
            layer_controls.take_layer(with_window(base, axes, listed[line]), shape)

    st.radio("Click one: it becomes the layer above", list(listed), index=None, key=key, on_change=take)


def _line(spec: LayerSpec, shape: Sizes, axes: tuple[int, ...], way: Way) -> str:
    """A window, the size that follows from it, and what is left over.

    >>> _line(LayerSpec(), (3, 7, 7), (0, 1), Way(3, 2, 0, 1, (0, 0)))
    '**K 3 · S 2 · P 0 · D 1**, since ⌊(7 + 2·0 − 3)/2⌋ + 1 = 3; nothing is left over'
    """
    made = with_window(spec, axes, way)
    sizes = {(shape[1 + axis], output_size(made, shape[1 + axis], axis)): axis for axis in axes}
    since = " and ".join(f"{working(made, size, axis)} = {out:,}" for (size, out), axis in sizes.items())
    left = _leftover(spec, axes, way)
    if spec.kind == "transposed":
        extra = f"; `output_padding` {left}" if any(way.leftover) else ""
        lost = f"; of {_counted(spec, axes, way.blank)} that go in, all is cut off" if any(way.blank) else ""
        return f"**{way}**, since {since}{extra}{lost}"
    empty = f"; for {_counted(spec, axes, way.blank)} only padding is read" if any(way.blank) else ""
    return f"**{way}**, since {since}; {left} {'are' if left[-1] == 's' else 'is'} left over{empty}"


def _leftover(spec: LayerSpec, axes: tuple[int, ...], way: Way) -> str:
    """What no window reaches, in words.

    >>> _leftover(LayerSpec(), (0, 1), Way(3, 2, 0, 1, (1, 0)))
    '1 row'
    """
    if spec.kind == "transposed":
        return _write(way.leftover).replace("x", "×")
    return _counted(spec, axes, way.leftover) or "nothing"


def _counted(spec: LayerSpec, axes: tuple[int, ...], counts: Sizes) -> str:
    names = AXES[spec.dimensions]
    return ", ".join(
        f"{count} {names[axis][:-1] if count == 1 else names[axis]}"
        for axis, count in zip(axes, counts, strict=True)
        if count
    )
