"""A text that the visitor's own browser keeps, and gives back to a session that does not know it: after a reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from explorer.ui.components import register

_mount = register("kept")
MOST_KEPT = 10_000
"""Characters of a text that is given back."""


def kept(name: str, slot: str, text: str, known: bool, on_found: Callable[[str], None]) -> None:
    """The keeper; nothing is seen of it.

    Args:
        name: key of the instance.
        slot: what the text is kept under; one for each text.
        text: what is to be kept; "" for nothing.
        known: whether the session knows what it asks to be kept: else the browser keeps what it has, and tells.
        on_found: called with what the browser had kept, where the session did not know; anybody may have written it.
    """

    def found() -> None:
        told = st.session_state[name].get("found")
        back = told.get("text") if isinstance(told, Mapping) and told.get("slot") == slot else None
        if isinstance(back, str) and 0 < len(back) <= MOST_KEPT:
            on_found(back)

    _mount(key=name, data={"slot": slot, "text": text, "known": known}, on_found_change=found)
