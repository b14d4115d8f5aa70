"""A long list to search, in groups: networks, classes, presets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.ui.components import register

_mount = register("picker")


@dataclass(frozen=True)
class Option:
    """One line: its key, title, a detail in small print, a badge at its end, and the group it stands in."""

    key: str
    title: str
    group: str
    detail: str = ""
    badge: str = ""


def picker(
    name: str,
    label: str,
    things: str,
    options: Sequence[Option],
    selected: str,
    on_pick: Callable[[str], None],
) -> None:
    """A button that shows the chosen option and opens a searchable list.

    Args:
        name: key of the instance.
        label: what is being chosen, shown above.
        things: what the options are, many of them: "networks".
        options: neighbours of the same group stand under one heading.
        selected: key of the chosen option.
        on_pick: called with the key that was picked.
    """

    def picked() -> None:
        if (key := st.session_state[name].get("picked")) is not None:
            on_pick(key)

    _mount(
        key=name,
        data={
            "label": label,
            "things": things,
            "options": [vars(option) for option in options],
            "selected": selected,
        },
        on_picked_change=picked,
    )
