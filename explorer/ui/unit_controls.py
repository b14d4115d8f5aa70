"""Choices about one map: which of its cells is pinned, what lies over the picture, and where to go from it."""

from __future__ import annotations

import re

import numpy as np
import streamlit as st

from explorer.convolution import Pair
from explorer.field_tracing import EVERYTHING, Field
from explorer.images import plain
from explorer.journey import seen
from explorer.receptive_field import ReceptiveField
from explorer.ui import cache, feature_controls, link
from explorer.ui.components.unit_view import DRAWN, SOURCES, VEILS, Framed, Look
from explorer.ui.feature_controls import Subject

_PINNED_OF = "network and grid that a cell was pinned of"
_ELSEWHERE = "the unit led elsewhere"


def pinned(subject: Subject) -> Pair | None:
    """The cell (row, column) that the link or the visitor's hand pins.

    In another layer of the same grid it is the same place of the picture; elsewhere it is forgotten.
    """
    of = (subject.fed.card.key, subject.layer.grid)
    if st.session_state.get(_PINNED_OF, of) != of and not link.spoke():
        link.forget("place")
    st.session_state[_PINNED_OF] = of
    text = link.read("place")
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,4})-([0-9]{1,4})", text)
    rows, columns = subject.layer.grid
    if found and int(found[1]) < rows and int(found[2]) < columns:
        return int(found[1]), int(found[2])
    st.warning(
        plain(
            f"The link pins the cell {text[:20]}, but maps here have {rows} × {columns} cells; none is pinned."
        ),
        icon=":material/link_off:",
    )
    link.forget("place")
    return None


def take_pin(cell: Pair | None) -> None:
    """Pin a cell, or let it go."""
    if cell is None:
        link.forget("place")
    else:
        link.choose("place", f"{cell[0]}-{cell[1]}")


def strongest_cell(subject: Subject) -> Pair:
    """The cell with the strongest value, whatever its sign."""
    values = subject.maps.values[subject.unit]
    row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
    return int(row), int(column)


def field(subject: Subject) -> Field | None:
    """What the cells of the map see; None where no rule tells.

    Of maps side by side each has its own field.  Where no rule tells that of a layer, the one that the map comes from
    may still have one.
    """
    layer, table = subject.layer, cache.model_table(subject.fed.card.key)
    if layer.layout == "heads":
        return EVERYTHING
    found = seen(table, layer)
    if isinstance(found, ReceptiveField):
        return found.of_map(subject.unit)
    origin = subject.probe.layer(cache.origin(subject.fed.card.key, layer.key, subject.unit))
    return found or seen(table, origin)


def framed(subject: Subject) -> Framed:
    """What is framed on the picture: what a cell sees; of attention's heads the token that is looked at."""
    if subject.layer.layout == "heads":
        return _looked_at(subject)
    found = field(subject)
    if found == EVERYTHING:
        return Framed(None, "It sees the whole picture.", patch="whole pictures, for it sees all of each")
    if not isinstance(found, ReceptiveField):
        return _at_its_place(subject)
    if not found.everything:
        return Framed(found)
    aside = "A path aside (squeeze-excite, attention) shows it the whole picture besides; the frame leaves that out."
    return Framed(
        found, aside, patch="what the cell sees of each, but for a path aside that shows it everything"
    )


def _looked_at(subject: Subject) -> Framed:
    """Of a head: a token's own pixels."""
    asks = (
        "the class token’s attention"
        if class_token(subject)
        else "attention, a mean over all tokens that look,"
    )
    note = f"A cell’s value is the share of {asks} that goes to it."
    own = seen(cache.model_table(subject.fed.card.key), subject.layer)
    if not isinstance(own, ReceptiveField):
        return Framed(
            None,
            f"{note} Which pixels its tokens stand for is not known.",
            patch="whole pictures, for no rule tells which pixels a token stands for",
        )
    return Framed(
        own, note, "The head looks at", "the patch of the token that is looked at", "the tokens’ own pixels"
    )


def _at_its_place(subject: Subject) -> Framed:
    """Where no rule tells what a cell sees: the part of the picture at its place, where that is whole pixels."""
    crop, grid = subject.fed.preprocessing.crop, subject.layer.grid
    if grid == (1, 1) or any(crop % cells for cells in grid):
        return Framed(
            None,
            "No rule tells what its cells see.",
            patch="whole pictures, for no rule tells what a cell sees behind this kind of layer",
        )
    side = crop // grid[0], crop // grid[1]
    return Framed(
        ReceptiveField(side, side),
        "No rule tells what its cells see; the frame is the part of the picture at the cell’s place.",
        "At its place are",
        "the part of the picture at the cell’s place",
        "the part at the cell’s place, for no rule tells what it sees behind this kind of layer",
    )


def class_token(subject: Subject) -> bool:
    """Whether a class token stands before the tokens that an attention's heads look at."""
    layer = subject.layer
    rows = cache.model_table(subject.fed.card.key).rows
    tokens = next(row.outputs[0][-2] for row in rows if (row.path, row.call) == (layer.name, layer.call - 1))
    return tokens > layer.grid[0] * layer.grid[1]


def look() -> Look:
    """What lies over the picture, as the link or the visitor's hand has it."""
    usual = Look()
    return Look(
        veil=link.read_among("veil", VEILS, usual.veil, "a layer over the picture,"),
        source=link.read_among("slope", SOURCES, usual.source, "the gradient of"),
        drawn=link.read_among("drawn", DRAWN, usual.drawn, "the gradient drawn as"),
        opacity=link.read_number("sheer", usual.opacity, 0, 100),
    )


def take_look(settled: Look) -> None:
    """Keep what has come to lie over the picture."""
    link.choose("veil", settled.veil)
    link.choose("slope", settled.source)
    link.choose("drawn", settled.drawn)
    link.choose("sheer", str(settled.opacity))


def open_map(layer: str, unit: int, cell: Pair | None = None) -> None:
    """Look at a map of another layer, at one of its cells."""
    feature_controls.take_layer(layer)
    feature_controls.take_unit(unit)
    lead_elsewhere()
    take_pin(cell)
    if cell:  # it is of that layer, not left from this one
        st.session_state.pop(_PINNED_OF, None)


def lead_elsewhere() -> None:
    """What is chosen concerns the whole page."""
    st.session_state[_ELSEWHERE] = True


def follow() -> None:
    """Run the whole page where what was chosen concerns it."""
    if st.session_state.pop(_ELSEWHERE, False):
        st.rerun()
