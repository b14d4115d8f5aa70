"""The products behind one cell of a map: which weights met which numbers, and what became of their sum."""

from __future__ import annotations

import numpy as np
import streamlit as st

from explorer.activations import Probe
from explorer.convolution import Pair
from explorer.errors import LayerError
from explorer.images import plain
from explorer.ui import cache, unit_controls
from explorer.ui.components.unit_ledger import unit_ledger
from explorer.ui.feature_controls import Subject
from explorer.ui.numbers import typeset
from explorer.unit_sources import PICTURE, NoProducts, Reading, Step

_COLOURS = ("red", "green", "blue")


def products(subject: Subject, cell: Pair | None) -> None:
    """The ledger of the pinned cell; of the strongest where none is pinned."""
    shown = cell or unit_controls.strongest_cell(subject)
    try:
        reading = cache.reading(subject.fed, subject.layer.key, subject.unit)
    except NoProducts as error:
        st.info(plain(str(error)), icon=":material/info:")
        if error.below and error.below in {layer.key for layer in subject.probe.layers}:
            st.button(
                f"Open {error.below}",
                icon=":material/arrow_downward:",
                key="layer below",
                on_click=unit_controls.open_map,
                args=(error.below, _same_unit(subject, error.below)),
            )
        return
    st.markdown(_sentence(subject, reading, shown, pinned=cell is not None))
    below = _below(subject.probe, reading)
    unit_ledger(
        "unit ledger",
        reading,
        shown,
        _reads(reading),
        [_channel(reading, number) for number in reading.channels],
        [(_title(step), _words(step, shown)) for step in reading.steps],
        "Open its map" if below else "",
        lambda position: _open(subject, reading, position, shown),
    )


def _same_unit(subject: Subject, below: str) -> int:
    """Pools keep the maps' numbers."""
    return subject.unit if subject.unit < subject.probe.layer(below).channels else 0


def _sentence(subject: Subject, reading: Reading, cell: Pair, pinned: bool) -> str:
    """Which cell, and which filter made it."""
    single = subject.layer.grid == (1, 1)
    where = "Its number" if single else f"Row {cell[0]}, column {cell[1]}"
    hint = "" if pinned or single else f", {_why(subject)}: click any other in the map"
    by = f"**{plain(reading.module)}**" if reading.module else "weights that no layer holds"
    also = ""
    if reading.module != subject.layer.name and reading.steps:
        also = f", then {', '.join(_title(step) for step in reading.steps)}"
    return (
        f"**{where}**{hint}. Filter {reading.filter} of {by} ({plain(reading.kind) or 'a product'}) reads "
        f"{plain(_reads(reading))}{plain(also)}."
    )


def _why(subject: Subject) -> str:
    """Why this cell stands there, where nobody has pinned one."""
    sizes = np.abs(subject.maps.values[subject.unit])
    most = float(sizes.max())
    if most == 0:
        return "where all cells are zero"
    alike = int((sizes == most).sum())
    return "the cell furthest from zero" if alike == 1 else f"one of {alike:,} cells furthest from zero"


def _reads(reading: Reading) -> str:
    if reading.reads == PICTURE:
        return "the picture, normalised"
    return reading.reads or "what comes in"


def _channel(reading: Reading, number: int) -> str:
    if reading.reads == PICTURE and len(reading.inputs) == len(_COLOURS):
        return _COLOURS[number]
    return f"map {number}" if reading.inputs[0].size > 1 else f"number {number}"


def _title(step: Step) -> str:
    if step.other is None:
        return step.title
    return {"+": "plus", "−": "minus", "×": "times", "÷": "divided by"}.get(step.title, step.title)


def _words(step: Step, cell: Pair) -> str:
    """How a step is computed, with its numbers."""
    if step.scale is not None and step.shift is not None:
        shift = float(step.shift[cell])
        return f"× {_number(float(step.scale[cell]))} {'+' if shift >= 0 else '−'} {_number(abs(shift))}"
    if step.other is not None:
        return f"{_number(float(step.other[cell]))}{f', of {step.other_layer}' if step.other_layer else ''}"
    return ""


def _number(value: float) -> str:
    return typeset(value, ".5g")


def _below(probe: Probe, reading: Reading) -> bool:
    """Whether what is read is a layer whose maps can be opened."""
    try:
        layer = probe.layer(reading.reads)
    except LayerError:
        return False
    return layer.channels >= reading.first_channel + len(reading.inputs)


def _open(subject: Subject, reading: Reading, position: int, cell: Pair) -> None:
    """Look at a channel that is read, at the middle of the window."""
    layer = subject.probe.layer(reading.reads)
    middle = [
        first + dilation * (size - 1) // 2
        for first, dilation, size in zip(
            reading.corner(cell), reading.dilation, reading.kernel_size, strict=True
        )
    ]
    row, column = (min(max(at, 0), size - 1) for at, size in zip(middle, layer.grid, strict=True))
    unit_controls.open_map(reading.reads, reading.channels[position], (row, column))
