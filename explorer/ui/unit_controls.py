"""Choices about one map: which of its cells is pinned, what lies over the picture, and where to go from it."""

from __future__ import annotations

import re

import numpy as np
import streamlit as st

from explorer.convolution import Pair
from explorer.field_tracing import EVERYTHING, Field
from explorer.images import plain
from explorer.journey import seen
from explorer.ui import cache, feature_controls, link
from explorer.ui.components.unit_view import DRAWN, SOURCES, VEILS, Look
from explorer.ui.feature_controls import Subject

_PINNED_OF = "layer that a cell was pinned of"
_ELSEWHERE = "the unit led elsewhere"


def pinned(subject: Subject) -> Pair | None:
    """The cell (row, column) that the link or the visitor's hand pins; that of another layer is forgotten."""
    of = (subject.fed.card.key, subject.layer.key)
    if st.session_state.get(_PINNED_OF, of) != of:
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

    Of maps side by side each has its own field: a layer's is the one around all.
    """
    layer, table = subject.layer, cache.model_table(subject.fed.card.key)
    if layer.layout == "heads":
        return EVERYTHING
    origin = subject.probe.layer(cache.origin(subject.fed.card.key, layer.key, subject.unit))
    return seen(table, origin) or seen(table, layer)


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
    held = st.session_state.get(_PINNED_OF)
    if held and cell:  # the cell is of that layer, not left from this one
        st.session_state[_PINNED_OF] = held[0], layer


def lead_elsewhere() -> None:
    """What is chosen concerns the whole page."""
    st.session_state[_ELSEWHERE] = True


def follow() -> None:
    """Run the whole page where what was chosen concerns it."""
    if st.session_state.pop(_ELSEWHERE, False):
        st.rerun()
