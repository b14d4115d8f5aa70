"""Receptive field: what one unit of a stack sees of the picture and of every map below, and what it uses of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from explorer.convolution import Pair
from explorer.effective_field import EffectiveField
from explorer.errors import ExplorerError, ShapeError
from explorer.figures.fields import crop_on_photo, field_on_map, field_on_photo
from explorer.figures.pictures import png
from explorer.images import Photo, plain
from explorer.layers import LayerSpec, Sizes
from explorer.models import DEFAULT_MODEL, RANDOM, NetworkInput, card
from explorer.preprocessing import CropBox
from explorer.random_weights import SEED
from explorer.receptive_field import CLASSICS, Row, Step, regions, table
from explorer.ui import cache, controls, link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.kernel_panels.pictures import Figure, figures
from explorer.ui.layer_panels.stack_code import LONGEST, Read, is_code, read_lines
from explorer.ui.layer_panels.stacks import (
    ANY,
    EMPTY,
    MOST,
    NETWORKS,
    TITLES,
    pair,
    read_stack,
    steps_of,
    write_stack,
)
from explorer.ui.numbers import typeset
from explorer.worked_examples import field_steps

USUAL: Final = "vgg16"
SIDE: Final = 224
SMALLEST, LARGEST = 8, 600
"""Limits of the picture's side in pixels."""

_OWN: Final = "net.lite0"
_TYPED, _TROUBLE, _NOTES = "typed stack", "trouble with a stack", "notes on a stack"
_PASTED, _REFUSED = "pasted stack", "trouble with a pasted stack"
_SHOWN = "stack that was shown"
_NO_BREAK: Final = "\u00a0"
_HANG_ON_STACK: Final = ("depth", "unit")
_WHOLE: Final = 150
"""Long side of the whole picture in small, in pixels of the page."""


@dataclass(frozen=True)
class Stack:
    """What is looked at: its key or text in the link, its layers with their fields, the side of its picture.

    `steps` are those of one path; None for a whole network.  `fed` is the network that can be asked what counts of a
    field, with the picture before it; None where there is none, or where random weights are drawn for the steps.
    """

    key: str
    rows: tuple[Row, ...]
    side: int
    steps: tuple[Step, ...] | None
    fed: NetworkInput | None = None

    @property
    def untrained(self) -> bool:
        """Whether its weights are random."""
        return self.fed is None or self.fed.card.source == "random"


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
    stack = _stack(key, photo)
    if not stack.rows:
        st.info(
            "No layer yet: a unit is a pixel, and sees itself. Start from a known network, type or paste layers, or "
            "add the layer above."
        )
        return
    depth = link.read_number("depth", len(stack.rows), 1, len(stack.rows))
    row = stack.rows[depth - 1]
    place, words = st.columns((1.25, 1), gap="medium")
    with words:
        _pick_layer(stack, depth)
        unit = _unit(row.output)
        _turn(stack, row.output, unit)
        with_heat = _toggle(stack)
    square, effect = _picture(photo, stack), None
    with place:
        if with_heat:
            effect = _effect(stack, square, depth, unit)
        _draw(photo, _crop(photo, stack), square, row, unit, effect)
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
    if st.session_state.setdefault(_SHOWN, key) != key:
        # chosen on another page, or in the address: what belonged to the stack before means nothing now
        link.forget(*(name for name in ("square", *_HANG_ON_STACK) if name not in st.query_params))
    st.session_state[_SHOWN] = key
    if key in TITLES:
        return key
    try:
        if key.startswith(ANY):
            cache.fields(key.removeprefix(ANY))
        else:
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
    if key.startswith(ANY):
        return cache.fields(key.removeprefix(ANY)).side
    usual = CLASSICS[key].input_shape[0] if key in CLASSICS else SIDE
    return link.read_number("square", usual, SMALLEST, LARGEST)


def _take(key: str, side: int | None = None) -> None:
    """Make it the panel's stack; with a side, on a picture as large as before."""
    st.session_state[_SHOWN] = key
    link.choose("stack", key)
    link.choose("square", "" if side is None else str(side))
    link.forget(*_HANG_ON_STACK)


def _stack(key: str, photo: Photo) -> Stack:
    """The stack with its fields.

    Raises:
        ShapeError: a window does not fit into its map.
    """
    side = _side(key)
    if key in NETWORKS:
        with st.spinner("Following every branch of the network …"):
            own = NetworkInput(card(DEFAULT_MODEL), photo) if key == _OWN else None
            return Stack(key, cache.traced(key), side, None, own)
    if key.startswith(ANY):
        return Stack(key, cache.fields(key.removeprefix(ANY)).rows, side, None, _untrained(key, photo))
    steps = steps_of(key)
    try:
        return Stack(key, table(steps, (side, side)), side, steps)
    except ShapeError:
        _side_dial(side)  # or there would be no way to make it larger
        raise


def _untrained(key: str, photo: Photo) -> NetworkInput | None:
    """Any network with random weights; None where it cannot be run."""
    try:
        return NetworkInput(card(RANDOM + key.removeprefix(ANY)), photo)
    except ExplorerError:
        return None


def _choose(key: str, spec: LayerSpec) -> None:
    """A classic or a network to start from, a text, and what changes the stack by one layer."""
    start, typed = st.columns(2)
    name = "stack start"
    titles = dict(TITLES)
    if key.startswith(ANY):
        titles[key] = f"{cache.fields(key.removeprefix(ANY)).title} · whole network"
    st.session_state[name] = key if key in titles else None
    start.selectbox(
        "Start from",
        list(titles),
        format_func=titles.__getitem__,
        key=name,
        on_change=lambda: _take(st.session_state[name] or EMPTY),
        placeholder="Your own stack",
        filter_mode="contains",
        help="One path: the longest chain of layers of a network, to be changed layer by layer. Whole network: all of "
        "its branches are followed; a unit's box is the one around all paths that lead to it.",
    )
    steps = None if key in NETWORKS or key.startswith(ANY) else steps_of(key)
    side = _side(key)
    trouble = st.session_state.pop(_TROUBLE, None)
    if not trouble:
        st.session_state[_TYPED] = "" if not steps else write_stack(steps)
    typed.text_input(
        "Or type a stack",
        key=_TYPED,
        on_change=lambda: _try(st.session_state[_TYPED], side),
        placeholder="c3p1-p2, or torch",
        help="Layers with hyphens between: c3 is a convolution of 3×3, p2 a max pooling of 2×2, a2 an average; then s "
        "stride, p padding, d dilation: c7s2p3-p3s2p1, c3x5, c3psame, c3d2. Without s a pooling steps by its window. "
        "Layers of torch are read too. An empty field clears the stack.",
    )
    if trouble:
        st.error(plain(trouble), icon=":material/error:")
    for note in st.session_state.pop(_NOTES, ()):
        st.info(plain(note), icon=":material/info:")
    _paste(side)
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


def _paste(side: int) -> None:
    """Lines of torch, as they stand in a file: a refused one keeps them, and names its line."""
    pasted, refused = st.session_state.get(_PASTED, ""), st.session_state.get(_REFUSED, ("", ""))
    with st.expander("Paste lines of torch", icon=":material/code:", expanded=bool(pasted)):
        with st.form("paste a stack", border=False):
            st.text_area(
                "Layers, an nn.Sequential, or a printed network without branches",
                key=_PASTED,
                height=150,
                max_chars=LONGEST,
                placeholder="nn.Conv2d(3, 64, 3, padding=1),\nnn.ReLU(),\nnn.MaxPool2d(2),",
            )
            st.form_submit_button("Read them", on_click=lambda: _read_pasted(side))
        if refused[1] and refused[0] == pasted:  # for as long as they stand there
            st.error(plain(refused[1]), icon=":material/error:")


def _read_pasted(side: int) -> None:
    text = st.session_state[_PASTED]
    st.session_state.pop(_REFUSED, None)
    if not text.strip():
        st.session_state[_REFUSED] = (
            text,
            "Nothing stands there yet; a line such as nn.Conv2d(3, 64, 3) would.",
        )
        return
    try:
        read = read_lines(text)
        _take(write_stack(read_stack(write_stack(read.steps))), side)
    except ExplorerError as error:
        st.session_state[_REFUSED] = text, str(error)
    else:
        st.session_state[_NOTES] = read.notes


def _layer_above(spec: LayerSpec) -> tuple[tuple[Step, ...] | None, str]:
    """The page's layer as a step, and what has to be said of it."""
    try:
        above = field_steps([spec])
    except ShapeError as error:
        return None, str(error).replace("Layer 1", "The layer above")
    rounded = " It rounds up (ceil_mode); maps here are rounded down." if spec.ceil_mode else ""
    return above, f"It adds {write_stack(above)}; a stack has at most {MOST} layers.{rounded}"


def _try(text: str, side: int) -> None:
    """Take a text if it can be read, nothing as no layer; else say why not, and leave what was."""
    try:
        read = read_lines(text) if is_code(text) else Read(read_stack(text) if text.strip() else ())
        # as it is written in the link it must be readable too
        _take(write_stack(read_stack(write_stack(read.steps))), side)
    except ExplorerError as error:
        st.session_state[_TROUBLE] = str(error)
    else:
        st.session_state[_NOTES] = read.notes


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


def _toggle(stack: Stack) -> bool:
    """Whether to show what the unit uses, where there are weights to ask."""
    name, weights = "field heat", bool(stack.steps) or stack.fed is not None
    # any network's weights would have to be drawn first, which may take seconds
    usual = 0 if stack.key.startswith(ANY) else 1
    st.session_state[name] = weights and bool(link.read_number("uses", usual, 0, 1))
    return st.toggle(
        "Heat: what it uses",
        key=name,
        on_change=lambda: link.choose("uses", str(int(st.session_state[name]))),
        disabled=not weights,
        help=None
        if weights
        else "The gradient needs weights: it is shown for stacks of one path and for networks from “Build a net” that "
        "can be run here, with random ones, and for EfficientNet-Lite0, whose weights are installed.",
    )


# What it sees ----------------------------------------------------------------------------------------


def _picture(photo: Photo, stack: Stack) -> Photo:
    """The picture that the stack is given."""
    if stack.fed:
        return Photo(photo.name, stack.fed.image(), photo.sample)
    return cache.exact_square(photo, stack.side)


def _crop(photo: Photo, stack: Stack) -> CropBox:
    """The part of the photo that this picture is made of."""
    if stack.fed:
        return stack.fed.box
    side = min(photo.height, photo.width)
    return CropBox((photo.height - side) // 2, (photo.width - side) // 2, side, side)


def _effect(stack: Stack, square: Photo, depth: int, unit: Pair) -> EffectiveField | None:
    """What counts of the field, where weights are at hand; else a sentence."""
    row = stack.rows[depth - 1]
    try:
        with st.spinner("Following the gradient …"):
            if stack.steps:
                return cache.stack_effect(square, stack.steps[:depth], unit)
            assert stack.fed
            return cache.network_effect(stack.fed, row.name, unit, row.field)
    except ExplorerError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return None


def _draw(
    photo: Photo, crop: CropBox, square: Photo, row: Row, unit: Pair, effect: EffectiveField | None
) -> None:
    """The square that is read with the unit's box, and where it was cut out, the whole picture beside it."""
    dark = st.context.theme.type == "dark"
    region = row.field.region(unit)
    image = field_on_photo(square.pixels, region, effect.heat if effect else None, dark)
    shown = [
        Figure(
            png(image),
            f"What unit ({unit[0]}, {unit[1]}) of {row.name} sees",
            prepared(photo, crop, square) + ("; brighter pixels change it more" if effect else ""),
            f"The picture with a box around rows {_span(region[0])} and columns {_span(region[1])}",
            image.shape[1],
        )
    ]
    if crop.height * crop.width < 0.995 * photo.height * photo.width:
        whole = crop_on_photo(photo.pixels, crop, region, (square.height, square.width), dark, 2 * _WHOLE)
        shown.append(
            Figure(
                png(whole),
                "Of your whole picture",
                "what is faded is cut off; the box is what the unit sees",
                "Your whole picture: what is cut off is faded, and a box shows what the unit sees",
                whole.shape[1] // 2,
            )
        )
    figures(shown)


def prepared(photo: Photo, crop: CropBox, square: Photo) -> str:
    """What was done to a photo before it is read.

    >>> import numpy as np
    >>> made = [Photo("", np.zeros((*size, 3), np.uint8)) for size in ((300, 500), (224, 224))]
    >>> prepared(made[0], CropBox(0, 100, 300, 300), made[1])
    'the middle square, 300×300 of the 500×300 pixels of your picture, scaled to 224×224'
    """
    now = f"{square.width}×{square.height}"
    if crop.height * crop.width >= 0.995 * photo.height * photo.width:
        before = f"{photo.width}×{photo.height}"
        return f"the whole picture, {before}" + (f" scaled to {now}" if before != now else "") + " pixels"
    return (
        f"the middle square, {crop.width:.0f}×{crop.height:.0f} of the {photo.width}×{photo.height} pixels of your "
        f"picture, scaled to {now}"
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
        lines.append(
            "A path aside (squeeze-excite, attention) shows it **everything** besides: the whole map."
        )
    st.markdown("  \n".join(lines))


def _say_effect(effect: EffectiveField, stack: Stack) -> None:
    weights = "with random weights" if stack.untrained else "with the network's own weights"
    st.markdown(
        f"**What it uses**, {weights}: the middle half of the box, a quarter of its pixels, has "
        f"**{_percent(effect.core)}** of all gradient; the whole box {_percent(effect.inside)}. "
        f"{effect.pixels:,} pixels count at least 4.55{_NO_BREAK}% of the strongest one: as many as a square of "
        f"**{effect.side:.0f}×{effect.side:.0f}**, {_percent(effect.share)} of the box."
    )
    drawn = (
        "The weights are drawn as He et al. 2015 do (normal, variance 2 / inputs, so that signals neither grow nor "
        "fade from layer to layer), with seed 0. "
    ) * bool(stack.steps)
    if stack.fed and stack.untrained:
        drawn = f"The weights are drawn as torch starts each layer, with seed {SEED}. "
    st.caption(
        "The gradient says how much a unit changes with each pixel: this is the effective field, the box the "
        "theoretical one, as far as it lies on the picture. "
        f"{drawn}The unit is the sum of its channels; heat ends at the strongest 0.1{_NO_BREAK}% of pixels. "
        "[Luo et al. 2016](https://arxiv.org/abs/1701.04128)"
    )


def _maps_below(steps: Sequence[Step], side: int, unit: Pair) -> None:
    """Its cells in each map, down to the picture."""
    dark = st.context.theme.type == "dark"
    st.markdown("**In every map below**, from its own down to the picture. Hatched cells are padding.")
    entries = []
    for region in regions(steps, (side, side), unit):
        image = field_on_map(region.shape, region.rows, region.columns, dark)
        rows, columns = _counted(region.rows, "row"), _counted(region.columns, "column")
        entries.append(
            Figure(
                png(image),
                region.name or "picture",
                f"{_by(region.shape)}; rows {_cells(region.rows)}; columns {_cells(region.columns)}",
                f"{region.name or 'The picture'}: {rows} and {columns} read",
                image.shape[1] // 2,
            )
        )
    figures(entries)


def _table(stack: Stack, depth: int) -> None:
    """Size, jump and offset of every layer."""
    formula, traced = any(row.formula for row in stack.rows), stack.steps is None
    rows = []
    for number, row in enumerate(stack.rows, 1):
        name = f"**▸ {plain(row.name)}**" if number == depth else plain(row.name)
        cells = [
            name,
            _by(row.output),
            _by(row.field.size),
            pair(row.field.jump, "×"),
            _start(row.field.start),
        ]
        cells += [row.formula.replace(" ", _NO_BREAK)] * formula
        cells += ["the box, and **everything** besides" if row.field.everything else "the box"] * traced
        rows.append(f"| {' | '.join(cells)} |")
    head = (
        "| layer | output | field | jump | first pixel |"
        + " 1 + L·(K − 1) |" * formula
        + " it sees |" * traced
    )
    table = "\n".join([head, "|:--|--:|--:|--:|--:|" + ":--|" * (formula + traced), *rows])
    note = (
        "Jump: pixels from one unit's field to the next one's. First pixel, the offset: where unit 0's field begins; "
        "below 0 it is padding."
    )
    if traced:
        note += (
            " The box is the one around all branches; “everything besides”: squeeze-excite or attention shows each "
            "unit the whole map. Maps below are drawn one by one for stacks of one path alone: where branches meet, "
            "the cells behind a unit are more than one rectangle. Layers behind global pooling see everything, and "
            "have no place here."
        )
    # no region that scrolls: it could not be reached by keys
    with st.container() if stack.steps else st.expander(f"All {len(rows)} layers at which the field changes"):
        st.markdown(table)
    st.caption(note)


# In words --------------------------------------------------------------------------------------------


def _by(sizes: Pair) -> str:
    return f"{sizes[0]:,}×{sizes[1]:,}"


def _counted(read: Sequence[int], noun: str) -> str:
    return f"{len(read)} {noun}{'s' * (len(read) != 1)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}{_NO_BREAK}%"


def _start(start: Pair) -> str:
    return (
        typeset(start[0], ",")
        if start[0] == start[1]
        else f"{typeset(start[0], ',')}, {typeset(start[1], ',')}"
    )


def _span(ends: Pair) -> str:
    """First and last.

    >>> _span((-3, 12))
    '−3 to 12'
    """
    return f"{typeset(ends[0], ',')} to {typeset(ends[1], ',')}"


def _cells(read: Sequence[int]) -> str:
    """Which rows or columns are read.

    >>> _cells((4,)), _cells((-1, 0, 1)), _cells((0, 2, 4)), _cells(())
    ('4', '−1 to 1', '3 of 0 to 4', 'none')
    """
    if not read:
        return "none"
    if len(read) == 1:
        return typeset(read[0], ",")
    span = _span((read[0], read[-1]))
    return span if len(read) == read[-1] - read[0] + 1 else f"{len(read)} of {span}"
