"""Probabilities before and after: two bars for each class, and the difference; a line chooses its class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.ui.components import register

_mount = register("before_after")


@dataclass(frozen=True)
class Pair:
    """One class: its probability, 0..1, before and after, and what else there is to say of it."""

    key: int
    label: str
    before: float
    after: float
    hint: str = ""


def before_after(
    name: str,
    label: str,
    entries: Sequence[Pair],
    selected: int,
    changed: bool,
    on_pick: Callable[[int], None],
) -> None:
    """Classes to choose from.

    Args:
        name: key of the instance.
        label: what the lines are, for readers of the screen.
        entries: in their order.
        selected: key of the chosen one.
        changed: whether anything was done; else there is no after.
        on_pick: called with the key of a class that was picked.
    """

    def picked() -> None:
        key = st.session_state[name].get("picked")
        if isinstance(key, int) and any(entry.key == key for entry in entries):
            on_pick(key)

    _mount(
        key=name,
        data={
            "label": label,
            "entries": [vars(entry) for entry in entries],
            "selected": selected,
            "changed": changed,
        },
        on_picked_change=picked,
    )
