"""Searches for pictures as panels show them: one at a time for each session, its progress, what it found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Generic, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.background import Background
from explorer.errors import Cancelled, ExplorerError
from explorer.figures.pictures import data_uri, jpeg, png
from explorer.images import plain
from explorer.ui import cache

Found = TypeVar("Found")

_UNDER_WAY: Final = "search under way"
"""Session key of the one search of a session: a second would only make both slower."""

EVERY: Final = 0.5
"""Seconds between two looks at a search."""


@dataclass(frozen=True, eq=False)
class Search(Generic[Found]):
    """A search under way: of which panel, for what, since when."""

    panel: str
    what: Any
    job: Background[Found]
    since: float


def begin(panel: str, what: Any, steps: Iterator[Found]) -> None:
    """Start a search; another one of this session stops."""
    stop()
    job = Background(steps, cache.seat().owner, "search")
    job.wait(0.3)  # a refusal is there at once
    st.session_state[_UNDER_WAY] = Search(panel, what, job, time.monotonic())


def stop() -> None:
    """No further step of this session's search is begun."""
    search: Search[Any] | None = st.session_state.pop(_UNDER_WAY, None)
    if search is not None:
        search.job.cancel()


def under_way(panel: str, what: Any) -> Search[Any] | None:
    """This panel's search for what is asked now; one for something else is stopped, and a sentence says so."""
    search: Search[Any] | None = st.session_state.get(_UNDER_WAY)
    if search is None:
        return None
    if search.panel != panel:
        if search.job.running:
            st.info(
                "A search of another panel is under way; starting one here stops it.", icon=":material/info:"
            )
        return None
    if search.what != what:
        stop()
        if search.job.running:
            st.info(
                "The search was stopped: it was for something else than is asked now.", icon=":material/info:"
            )
        return None
    return search


@st.fragment(run_every=EVERY)
def watch(
    search: Search[Found],
    words: Callable[[Found], tuple[float, str]],
    draw: Callable[[Found], None],
    keep: Callable[[Found | None, ExplorerError | None], None],
) -> None:
    """Progress, Cancel and the pictures so far; at the end what was found is kept and the page runs again.

    Args:
        search: that is under way.
        words: the share that is done, and what is being done.
        draw: shows what has been found so far.
        keep: takes what was found last, and why it ended before its end.
    """
    if st.session_state.get(_UNDER_WAY) is not search:
        st.rerun()
    job = search.job
    if not job.running:
        del st.session_state[_UNDER_WAY]
        keep(job.latest, job.error)
        st.rerun()
    share, doing = words(job.latest) if job.latest is not None else (0.0, "Waiting for its turn")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(share, text=doing)
        cancelled = st.button("Cancel", icon=":material/close:", key=f"cancel {search.panel}")
    if cancelled:
        job.cancel()
        job.wait(5)  # the step that has begun
        del st.session_state[_UNDER_WAY]
        keep(job.latest, Cancelled("Cancelled"))
        st.rerun()
    if job.latest is not None:
        draw(job.latest)


def time_left(share: float, since: float) -> str:
    """How long it will go on, by how long it took so far; "" while nobody knows."""
    if share < 0.02:
        return ""
    seconds = (time.monotonic() - since) * (1 - share) / share
    return f", about {max(1, round(seconds)):,} s left"


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
