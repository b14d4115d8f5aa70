"""Long jobs as panels show them: one of each kind for a session, how far it is, Cancel, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

import streamlit as st

from explorer.background import Background
from explorer.errors import Cancelled, ExplorerError
from explorer.ui import cache

Step = TypeVar("Step")
Words = Callable[[Step], tuple[float, str]]
"""Of a step: the share that is done, 0..1, and what is being done."""
End = Callable[[Step | None, ExplorerError | None], None]
"""Takes the last step, and why the job ended before its end."""

EVERY: Final = 0.5
"""Seconds between two looks at a job."""

AT_ONCE: Final = 0.3
"""Seconds that the page waits when a job begins: a refusal, or what a small network gives, is there at once."""


@dataclass(frozen=True, eq=False)
class UnderWay(Generic[Step]):
    """A job under way.

    Attributes:
        slot: session key that it is kept under; each holds one job: a second would only make both slower.
        what: what it works out, as its panel asks for it.
        job: at the desk.
        since: when it was begun, by `time.monotonic`.
    """

    slot: str
    what: Any
    job: Background[Step]
    since: float


def begin(slot: str, what: Any, steps: Iterator[Step], name: str) -> None:
    """Start a job, called by this name in sentences; the one that was in this slot stops."""
    stop(slot)
    job = Background(steps, cache.seat().owner, name)
    job.wait(AT_ONCE)
    st.session_state[slot] = UnderWay(slot, what, job, time.monotonic())


def stop(slot: str) -> None:
    """No further step of this slot's job is begun; nothing is kept of it."""
    going: UnderWay[Any] | None = st.session_state.pop(slot, None)
    if going is not None:
        going.job.cancel()


def at(slot: str) -> UnderWay[Any] | None:
    """What is in this slot."""
    going: UnderWay[Any] | None = st.session_state.get(slot)
    return going


def show(
    going: UnderWay[Step],
    key: str,
    words: Words[Step],
    keep: End[Step],
    draw: Callable[[Step], None] | None = None,
    patience: float = 5.0,
) -> None:
    """`watch` a slot's job; when it has ended the slot is empty, and `keep` has what it found."""

    def end(latest: Step | None, error: ExplorerError | None) -> None:
        del st.session_state[going.slot]
        keep(latest, error)

    watch(going.job, key, partial(_is_there, going), words, end, draw, patience)


def _is_there(going: UnderWay[Any]) -> bool:
    return at(going.slot) is going


@st.fragment(run_every=EVERY)
def watch(
    job: Background[Step],
    key: str,
    wanted: Callable[[], bool],
    words: Words[Step],
    end: End[Step],
    draw: Callable[[Step], None] | None = None,
    patience: float = 5.0,
) -> None:
    """Progress, Cancel, and what there is so far; after the end the page runs again.

    Args:
        job: that goes on.
        key: of the button Cancel.
        wanted: whether it is still what the page waits for; else the page runs again.
        words: how far a step is.
        end: told once, before the page runs again.
        draw: shows the latest step; None for nothing.
        patience: seconds that Cancel waits for the step that has begun.
    """
    if not wanted():
        st.rerun()
    if not job.running:
        end(job.latest, job.error)
        st.rerun()
    share, doing = words(job.latest) if job.latest is not None else (0.0, "Waiting for its turn")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(share, text=doing)
        cancelled = st.button("Cancel", icon=":material/close:", key=key)
    if cancelled:
        job.cancel()
        job.wait(patience)
        end(job.latest, Cancelled("Cancelled") if job.running else job.error)
        st.rerun()
    if job.latest is not None and draw is not None:
        draw(job.latest)


def time_left(share: float, since: float) -> str:
    """How long it will go on, by how long it took so far; "" while nobody knows."""
    if share < 0.02:
        return ""
    seconds = (time.monotonic() - since) * (1 - share) / share
    return f", about {max(1, round(seconds)):,} s left"
