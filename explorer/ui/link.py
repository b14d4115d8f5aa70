"""Choices that live in the link: once the address speaks, then the session does, and the address follows.

A choice is a short text under one name, which is its query parameter too.  What equals its default is left
out of the address, so that a link carries only what somebody chose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import streamlit as st

_PREFIX = "choice:"
_RUN = "choices of this run"


def begin() -> None:
    """Forget which choices the last run of the script read: only those of this page belong in its address."""
    st.session_state[_RUN] = {}


def read(name: str, default: str = "") -> str:
    """The choice under `name`: the visitor's, else the address's, else `default`."""
    key = _PREFIX + name
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(name, default)
    st.session_state[_RUN][name] = default
    return str(st.session_state[key])


def choose(name: str, value: str) -> None:
    """Make a choice; the address follows at the end of the run."""
    st.session_state[_PREFIX + name] = value


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
    value = read(name, default) or default
    if value in known:
        return value
    _complain(f"The link asks for {what} {value[:60]}, which does not exist here; this is {default}.")
    choose(name, default)
    return default


def read_number(name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number within its limits; for anything else a sentence says so and `default` is taken."""
    text = read(name) or str(default)
    if text.removeprefix("-").isdecimal() and lowest <= int(text) <= highest:
        st.session_state[_RUN][name] = str(default)
        return int(text)
    _complain(f"The link's {name} {text[:60]} is outside {lowest}–{highest}; this is {default}.")
    forget(name)
    return default


def _complain(sentence: str) -> None:
    from explorer.images import plain  # brings numpy and Pillow: not before the server is up

    st.warning(plain(sentence), icon=":material/link_off:")


def write() -> None:
    """Bring the address up to date with this run's choices."""
    for name, default in st.session_state[_RUN].items():
        value = st.session_state[_PREFIX + name]
        if value in ("", default):
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get(name) != value:
            st.query_params[name] = value
