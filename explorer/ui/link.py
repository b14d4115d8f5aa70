"""Choices that live in the link: once the address speaks, then the session does, and the address follows.

A choice is a short text under one name, which is its query parameter too.  What equals its default is left
out of the address, so that a link carries only what somebody chose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import streamlit as st

_PREFIX = "choice:"
_RUN = "choices of this run"
_WRITTEN = "page and address of the last run"
_CHOSEN = "choices since the last run"
_SENT = "address that the browser was sent last"
_SPOKE = "the address speaks in this run"
_WHOLE = "the whole page runs"
_NOTES = "where sentences about the link stand"


def begin(page: str) -> None:
    """Start a run of a page.

    Where the address is not what the last run left there, the browser's Back or Forward changed it: then it
    speaks again.  On another page it only adds: what was chosen elsewhere is kept.  A quick hand's next choice
    comes with the address as it was before the last run's was there: then the choice counts.
    """
    now = st.query_params.to_dict()
    last_page, written = st.session_state.get(_WRITTEN, (page, now))
    by_hand = st.session_state.pop(_CHOSEN, False)
    st.session_state[_SPOKE] = now != written and not by_hand
    if st.session_state[_SPOKE]:
        st.session_state[_SENT] = now
        names = now if page != last_page else {*now, *written}
        for name in names:
            st.session_state[_PREFIX + name] = now.get(name, "")
    st.session_state[_WRITTEN] = page, now
    st.session_state[_RUN], st.session_state[_WHOLE] = {}, True
    st.session_state[_NOTES] = st.container()


def spoke() -> bool:
    """Whether this run's choices are those of the address: they belong together, and none is left from before."""
    return bool(st.session_state.get(_SPOKE))


def read(name: str, default: str = "") -> str:
    """The choice under `name`: the visitor's, else the address's, else `default`."""
    key = _PREFIX + name
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(name, "")
    st.session_state[_RUN][name] = default
    return str(st.session_state[key]) or default


def choose(name: str, value: str) -> None:
    """Make a choice; the address follows at the end of the run."""
    st.session_state[_PREFIX + name] = value
    st.session_state[_CHOSEN] = True


def forget(*names: str) -> None:
    """Drop choices that no longer make sense, so that each takes its default again."""
    for name in names:
        st.session_state[_PREFIX + name] = ""


def chooser(name: str, *stale: str) -> Callable[[str], None]:
    """A callback that makes the choice `name` and forgets those that hung on the old one."""

    def pick(value: str) -> None:
        choose(name, value)
        forget(*stale)

    return pick


def read_among(name: str, known: Collection[str], default: str, what: str) -> str:
    """The choice under `name` where it is one of `known`; else a sentence says so and `default` is taken."""
    value = read(name, default)
    if value in known:
        return value
    _complain(f"The link asks for {what} {value[:60]}, which does not exist here; the usual one is shown.")
    choose(name, default)
    return default


def read_number(name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number within its limits; for anything else a sentence says so and `default` is taken."""
    text = read(name) or str(default)
    if text.removeprefix("-").isdecimal() and lowest <= int(text) <= highest:
        st.session_state[_RUN][name] = str(default)
        return int(text)
    _complain(f"The link's {name} {text[:60]} is outside {lowest}–{highest}; the usual one is shown.")
    forget(name)
    return default


def _complain(sentence: str) -> None:
    from explorer.images import plain  # brings numpy and Pillow: not before the server is up

    # at the top of the page: the control that reads the choice may stand in something closed
    st.session_state[_NOTES].warning(plain(sentence), icon=":material/link_off:")


def write() -> None:
    """Bring the address up to date with this run's choices, in one step of the browser's history."""
    now = st.query_params.to_dict()
    wanted = {name: value for name, value in now.items() if name not in st.session_state[_RUN]}
    for name, default in st.session_state[_RUN].items():
        value = st.session_state[_PREFIX + name]
        if value not in ("", default):
            wanted[name] = value
    # a message that was on its way brings an older address: what counts is what the browser was sent last
    if wanted != now or wanted != st.session_state.get(_SENT, now):
        st.query_params.from_dict(wanted)
    st.session_state[_SENT] = wanted
    st.session_state.pop(_CHOSEN, None)
    st.session_state[_SPOKE] = st.session_state[_WHOLE] = False
    st.session_state[_WRITTEN] = st.session_state[_WRITTEN][0], wanted


def write_of_part() -> None:
    """The same for a part of the page that runs alone; where the whole page runs, it writes at its end."""
    if not st.session_state.get(_WHOLE):
        write()
