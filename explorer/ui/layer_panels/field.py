"""Receptive field: what one unit of a stack sees of the picture and of every map below, and what it uses of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from explorer.convolution import Pair
from explorer.effective_field import EffectiveField
from explorer.errors import ExplorerError, ShapeError
from explorer.figures.fields import field_on_map, field_on_photo
from explorer.figures.pictures import png
from explorer.images import Photo, plain
from explorer.layers import LayerSpec, Sizes
from explorer.models import DEFAULT_MODEL, NetworkInput, card
from explorer.receptive_field import CLASSICS, Row, Step, regions, table
from explorer.ui import cache, controls, link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.kernel_panels.pictures import Figure, figures
from explorer.ui.layer_panels.stacks import (
    EMPTY,
    MOST,
    NETWORKS,
    TITLES,
    pair,
    read_stack,
    steps_of,
    write_stack,
)
from explorer.worked_examples import field_steps

USUAL: Final = "vgg16"
SIDE: Final = 224
SMALLEST, LARGEST = 8, 600
"""Limits of the picture's side in pixels."""

_OWN: Final = "net.lite0"
_TYPED, _TROUBLE = "typed stack", "trouble with a stack"
_NO_BREAK: Final = "\u00a0"
_HANG_ON_STACK: Final = ("depth", "unit")


@dataclass(frozen=True)
class Stack:
    """What is looked at: its key or text in the link, its layers with their fields, the side of its picture.

    `steps` are those of one path; None for a whole network.
    """

    key: str
    rows: tuple[Row, ...]
    side: int
    steps: tuple[Step, ...] | None


def field(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The panel."""
    st.markdown(
        "**What does one unit see?** Each layer's window looks at the map below, whose units have looked further down: "
        "the field grows by (K − 1)·D jumps a layer, and strides make the jumps longer."
    )
    key = _key()
    with st.container(border=True):
        _choose(key, spec)
        with st.expander("Your picture", icon=":material/image:"):
            photo = controls.photo()
    stack = _stack(key)
    if not stack.rows:
        st.info("No layer yet: a unit is a pixel, and sees itself.")
        return
    depth = link.read_number("depth", len(stack.rows), 1, len(stack.rows))
    row = stack.rows[depth - 1]
    place, words = st.columns((1.25, 1), gap="medium")
    with words:
        _pick_layer(stack, depth)
        unit = _unit(row.output)
        _turn(stack, row.output, unit)
        with_heat = _toggle()
    square, effect = _picture(photo, stack), None
    with place:
        if with_heat:
            effect = _effect(stack, photo, square, depth, unit)
        _draw(square, row, unit, effect)
    with words:
        _say(row, unit, stack)
        if effect:
            _say_effect(effect, stack)
    if stack.steps:
        _maps_below(stack.steps[:depth], stack.side, unit)
    _table(stack, depth)


# Which stack -----------------------------------------------------------------------------------------


def _key() -> str:
    """The stack of the link: a key, or a text that can be read; else one sentence, and the usual one."""
    key = link.read("stack", USUAL)
    if key in TITLES:
        return key
    try:
        read_stack(key)
    except ExplorerError as error:
        st.warning(plain(f"The link's stack cannot be shown. {error}"), icon=":material/link_off:")
        link.forget("stack", "square", *_HANG_ON_STACK)
        return USUAL
    return key


def _side(key: str) -> int:
    """The side of the picture, in pixels."""
    if key in NETWORKS:
        return NETWORKS[key].side
    usual = CLASSICS[key].input_shape[0] if key in CLASSICS else SIDE
    return link.read_number("square", usual, SMALLEST, LARGEST)


def _take(key: str, side: int | None = None) -> None:
    """Make it the panel's stack; with a side, on a picture as large as before."""
    link.choose("stack", key)
    link.choose("square", "" if side is None else str(side))
    link.forget(*_HANG_ON_STACK)


def _stack(key: str) -> Stack:
    """The stack with its fields.

    Raises:
        ShapeError: a window does not fit into its map.
    """
    side = _side(key)
    if key in NETWORKS:
        with st.spinner("Following every branch of the network …"):
            return Stack(key, cache.traced(key), side, None)
    steps = steps_of(key)
    try:
        return Stack(key, table(steps, (side, side)), side, steps)
    except ShapeError:
        _side_dial(side)  # or there would be no way to make it larger
        raise


def _choose(key: str, spec: LayerSpec) -> None:
    """A classic or a network to start from, a text, and what changes the stack by one layer."""
    start, typed = st.columns(2)
    name = "stack start"
    st.session_state[name] = key if key in TITLES else None
    start.selectbox(
        "Start from",
        list(TITLES),
        format_func=TITLES.__getitem__,
        key=name,
        on_change=lambda: _take(st.session_state[name] or EMPTY),
        placeholder="Your own stack",
        filter_mode="contains",
    )
    steps, side = None if key in NETWORKS else steps_of(key), _side(key)
    trouble = st.session_state.pop(_TROUBLE, None)
    if not trouble:
        st.session_state[_TYPED] = "" if steps is None else write_stack(steps)
    typed.text_input(
        "Or type a stack",
        key=_TYPED,
        on_change=lambda: _try(st.session_state[_TYPED], side),
        placeholder="c3p1-c3p1-p2",
        help="Layers with hyphens between: c3 is a convolution of 3×3, p2 a max pooling of 2×2, a2 an average; then s "
        "stride, p padding, d dilation: c7s2p3-p3s2p1, c3x5, c3psame, c3d2. Without s a pooling steps by its window.",
    )
    if trouble:
        st.error(plain(trouble), icon=":material/error:")
    above, why = _layer_above(spec)
    with st.container(horizontal=True):
        st.button(
            "Add the layer above",
            icon=":material/add:",
            disabled=above is None or steps is None or len(steps) >= MOST,
            help=plain(why) or None,
            on_click=lambda: _try(write_stack([*(steps or ()), *(above or ())]), side),
        )
        st.button(
            "Remove the last",
            icon=":material/remove:",
            disabled=not steps,
            on_click=lambda: _take(write_stack((steps or ())[:-1]), side),
        )
        st.button("Clear", icon=":material/clear_all:", disabled=steps == (), on_click=lambda: _take(EMPTY))


def _layer_above(spec: LayerSpec) -> tuple[tuple[Step, ...] | None, str]:
    """The page's layer as a step, and what has to be said of it."""
    try:
        above = field_steps([spec])
    except ShapeError as error:
        return None, str(error).replace("Layer 1", "The layer above")
    return above, f"It adds {write_stack(above)}; a stack has at most {MOST} layers."


def _try(text: str, side: int) -> None:
    """Take a text if it can be read; else say why not, and leave what was."""
    if not text.strip():
        return
    try:
        _take(write_stack(read_stack(text)), side)
    except ExplorerError as error:
        st.session_state[_TROUBLE] = str(error)


# Which unit ------------------------------------------------------------------------------------------


def _pick_layer(stack: Stack, depth: int) -> None:
    name = "field layer"
    st.session_state[name] = depth

    def pick() -> None:
        link.choose("depth", "" if st.session_state[name] == len(stack.rows) else str(st.session_state[name]))
        link.forget("unit")

    st.selectbox(
        "Unit of the layer",
        range(1, len(stack.rows) + 1),
        format_func=lambda number: f"{stack.rows[number - 1].name} · {_by(stack.rows[number - 1].output)}",
        key=name,
        on_change=pick,
        filter_mode="contains",
    )


def _unit(output: Pair) -> Pair:
    """The unit (row, column) of the link; the middle one until another is chosen."""
    middle = (output[0] // 2, output[1] // 2)
    text = link.read("unit")
    if not text:
        return middle
    row, _, column = text.partition("_")
    if len(text) < 10 and row.isdecimal() and column.isdecimal():
        unit = int(row), int(column)
        if unit[0] < output[0] and unit[1] < output[1]:
            return unit
    st.warning(
        plain(f"The link's unit {text[:20]} is not one of {_by(output)}; the middle one is shown."),
        icon=":material/link_off:",
    )
    link.forget("unit")
    return middle


def _turn(stack: Stack, output: Pair, unit: Pair) -> None:
    """Dials for the unit's place and the picture's side."""
    entries = [
        Dial(name, f"Its {name}, from 0", 0, size - 1, 1, at)
        for name, size, at in zip(("row", "column"), output, unit, strict=True)
        if size > 1
    ]

    def turn(key: str, value: float) -> None:
        # the link is asked anew: two dials may have been turned in one message
        row, column = _unit(output)
        link.choose("unit", f"{int(value)}_{column}" if key == "row" else f"{row}_{int(value)}")

    if entries:
        dials("field dials", entries, turn)
    if stack.steps:
        _side_dial(stack.side)


def _side_dial(side: int) -> None:
    def turn(key: str, value: float) -> None:
        link.choose("square", str(int(value)))
        link.forget("unit")

    dials("side dial", [Dial("square", "Picture, each side", SMALLEST, LARGEST, 1, side, "px")], turn)


def _toggle() -> bool:
    name = "field heat"
    st.session_state[name] = bool(link.read_number("uses", 1, 0, 1))
    return st.toggle(
        "Heat: what it uses",
        key=name,
        on_change=lambda: link.choose("uses", str(int(st.session_state[name]))),
    )


# What it sees ----------------------------------------------------------------------------------------


def _picture(photo: Photo, stack: Stack) -> Photo:
    """The picture that the stack is given."""
    if stack.key == _OWN:
        return Photo(photo.name, NetworkInput(card(DEFAULT_MODEL), photo).image(), photo.sample)
    return cache.exact_square(photo, stack.side)


def _effect(stack: Stack, photo: Photo, square: Photo, depth: int, unit: Pair) -> EffectiveField | None:
    """What counts of the field, where weights are at hand; else a sentence."""
    row = stack.rows[depth - 1]
    try:
        with st.spinner("Following the gradient …"):
            if stack.steps:
                return cache.stack_effect(square, stack.steps[:depth], unit)
            if stack.key == _OWN:
                return cache.network_effect(
                    NetworkInput(card(DEFAULT_MODEL), photo), row.name, unit, row.field
                )
    except ShapeError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return None
    st.caption(
        "The gradient needs weights: it is shown for stacks, with random ones, and for EfficientNet-Lite0."
    )
    return None


def _draw(square: Photo, row: Row, unit: Pair, effect: EffectiveField | None) -> None:
    dark = st.context.theme.type == "dark"
    region = row.field.region(unit)
    image = field_on_photo(square.pixels, region, effect.heat if effect else None, dark)
    figures(
        [
            Figure(
                png(image),
                f"What unit ({unit[0]}, {unit[1]}) of {row.name} sees",
                f"of a picture of {square.width}×{square.height}"
                + ("; brighter pixels change it more" if effect else ""),
                f"The picture with a box around rows {_span(region[0])} and columns {_span(region[1])}",
                image.shape[1],
            )
        ]
    )


def _say(row: Row, unit: Pair, stack: Stack) -> None:
    field, shape = row.field, (stack.side, stack.side)
    region = field.region(unit)
    lines = [f"**{_by(field.size)} pixels**: rows {_span(region[0])}, columns {_span(region[1])}."]
    if max(row.output) > 1:
        pixels = "pixel" if field.jump == (1, 1) else "pixels"
        lines[0] += f" The next unit's box is {pair(field.jump, '×')} {pixels} on."
    (top, bottom), (left, right) = field.overhang(unit, shape)
    over = [
        f"{count:,} {noun}{'s' * (count != 1)} {where}"
        for count, noun, where in (
            (top, "row", "above"),
            (bottom, "row", "below"),
            (left, "column", "on the left"),
            (right, "column", "on the right"),
        )
        if count
    ]
    if over:
        lines.append(f"It hangs over the picture by {', '.join(over)}: padding, hatched.")
    if field.everything:
        lines.append("A path aside (squeeze-excite, attention) shows it the whole map besides.")
    st.markdown("  \n".join(lines))


def _say_effect(effect: EffectiveField, stack: Stack) -> None:
    weights = "random weights (He, seed 0)" if stack.steps else "the network's own weights"
    st.markdown(
        f"**Theoretical and effective**, with {weights}: the middle half of the box, a quarter of its pixels, has "
        f"**{effect.core:.0%}** of all gradient; the whole box {effect.inside:.0%}. Pixels of at least 4.55 % of the "
        f"strongest are {effect.pixels:,}, a square of **{effect.side:.0f}×{effect.side:.0f}**: {effect.share:.0%} "
        "of the box."
    )
    st.caption(
        "The box is what of it lies on the picture. The unit is the sum of its channels; heat ends at the strongest "
        "0.1 % of pixels. [Luo et al. 2016](https://arxiv.org/abs/1701.04128)"
    )


def _maps_below(steps: Sequence[Step], side: int, unit: Pair) -> None:
    """Its cells in each map, down to the picture."""
    dark = st.context.theme.type == "dark"
    st.markdown("**In every map below**, from its own down to the picture. Hatched cells are padding.")
    entries = []
    for region in regions(steps, (side, side), unit):
        image = field_on_map(region.shape, region.rows, region.columns, dark)
        read = f"{len(region.rows)} rows and {len(region.columns)} columns are read"
        entries.append(
            Figure(
                png(image),
                region.name or "picture",
                f"{_by(region.shape)}; rows {_cells(region.rows)}; columns {_cells(region.columns)}",
                f"{region.name or 'The picture'}: {read}",
                image.shape[1] // 2,
            )
        )
    figures(entries)


def _table(stack: Stack, depth: int) -> None:
    formula = any(row.formula for row in stack.rows)
    rows = []
    for number, row in enumerate(stack.rows, 1):
        size = _by(row.field.size) + (" and all" if row.field.everything else "")
        name = f"**▸ {plain(row.name)}**" if number == depth else plain(row.name)
        cells = [name, _by(row.output), size, pair(row.field.jump, "×"), _start(row.field.start)]
        rows.append(f"| {' | '.join([*cells, *[row.formula.replace(' ', _NO_BREAK)] * formula])} |")
    # no region that scrolls: it could not be reached by keys
    with st.container() if stack.steps else st.expander(f"All {len(rows)} layers at which the field changes"):
        head = "| layer | output | field | jump | first pixel |" + " 1 + L·(K − 1) |" * formula
        st.markdown("\n".join([head, "|:--|--:|--:|--:|--:|" + ":--|" * formula, *rows]))
    note = (
        "Jump: pixels from one unit's field to the next one's. First pixel: where unit 0's field begins; below 0 it is "
        "padding."
    )
    if stack.steps is None:
        note += " The box is the one around all branches."
    st.caption(note)


# In words --------------------------------------------------------------------------------------------


def _by(sizes: Pair) -> str:
    return f"{sizes[0]:,}×{sizes[1]:,}"


def _minus(number: int) -> str:
    return f"{number:,}".replace("-", "−")


def _start(start: Pair) -> str:
    return _minus(start[0]) if start[0] == start[1] else f"{_minus(start[0])}, {_minus(start[1])}"


def _span(ends: Pair) -> str:
    """First and last.

    >>> _span((-3, 12))
    '−3 to 12'
    """
    return f"{_minus(ends[0])} to {_minus(ends[1])}"


def _cells(read: Sequence[int]) -> str:
    """Which rows or columns are read.

    >>> _cells((4,)), _cells((-1, 0, 1)), _cells((0, 2, 4)), _cells(())
    ('4', '−1 to 1', '3 of 0 to 4', 'none')
    """
    if not read:
        return "none"
    if len(read) == 1:
        return _minus(read[0])
    span = _span((read[0], read[-1]))
    return span if len(read) == read[-1] - read[0] + 1 else f"{len(read)} of {span}"
