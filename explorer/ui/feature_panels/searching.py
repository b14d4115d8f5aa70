"""Searches for pictures as panels show them: one at a time for each session, and what it found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.errors import Cancelled, ExplorerError
from explorer.figures.pictures import data_uri, jpeg, png
from explorer.images import plain
from explorer.ui import under_way
from explorer.ui.under_way import UnderWay

_SEARCH: Final = "search under way"
"""Session key of the one search of a session, whichever panel began it."""


def begin(panel: str, what: Any, steps: Iterator[Any]) -> None:
    """Start a panel's search; another one of this session stops."""
    under_way.begin(_SEARCH, (panel, what), steps, "search")


def going(panel: str, what: Any) -> UnderWay[Any] | None:
    """This panel's search for what is asked now; one for something else is stopped, and a sentence says so."""
    search = under_way.at(_SEARCH)
    if search is None:
        return None
    if search.what[0] != panel:
        if search.job.running:
            st.info(
                "A search of another panel is under way; starting one here stops it.", icon=":material/info:"
            )
        return None
    if search.what != (panel, what):
        under_way.stop(_SEARCH)
        if search.job.running:
            st.info(
                "The search was stopped: it was for something else than is asked now.", icon=":material/info:"
            )
        return None
    return search


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture: its pixels (H, W, 3), the words under it, its bar's length of 0..1 where it has one."""

    pixels: NDArray[np.uint8]
    title: str
    notes: tuple[str, ...]
    alt: str
    share: float | None = None


def tiles(entries: Sequence[Tile], width: int = 224, lively: bool = False) -> None:
    """Pictures side by side; `lively` ones change every moment and travel as JPEG, the others are exact."""
    parts = "".join(_tile(entry, width, lively) for entry in entries)
    st.html(f'<div class="found">{parts}</div>')


def _tile(entry: Tile, width: int, lively: bool) -> str:
    image = data_uri(jpeg(entry.pixels) if lively else png(entry.pixels))
    bar = ""
    if entry.share is not None:
        bar = f'<i><i style="width: {100 * min(max(entry.share, 0.0), 1.0):.1f}%"></i></i>'
    notes = "".join(f"<span>{escape(note)}</span>" for note in entry.notes)
    return (
        f'<figure style="width: {width}px"><img src="{image}" alt="{escape(entry.alt, quote=True)}">'
        f"<figcaption><b>{escape(entry.title)}</b>{bar}{notes}</figcaption></figure>"
    )


def troubles(error: ExplorerError | None) -> None:
    """Why a search ended before its end, in one sentence."""
    if error is not None and not isinstance(error, Cancelled):
        st.warning(plain(str(error)), icon=":material/info:")
