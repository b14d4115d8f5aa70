"""A window that slides over small grids of numbers; every number is Python's, the pace is the visitor's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from explorer.figures.signed import encoded_tables
from explorer.ui.components import register

_mount = register("player", "_paint")
_TABLES: Final = encoded_tables()


@dataclass(frozen=True)
class Words:
    """What is said beside the names of input, kernel and output: sizes."""

    input: str = ""
    kernel: str = ""
    output: str = ""


def player(
    name: str,
    animation: Mapping[str, Any],
    words: Words,
    unread: Sequence[bool],
    at: int | None,
    on_pin: Callable[[int | None], None],
) -> None:
    """The player.

    Args:
        name: key of the instance.
        animation: `explorer.animation.to_json` of what is to be played.
        words: sizes, as they are to be written.
        unread: for each cell of a channel, padding apart, slice by slice and row by row, whether nothing reads it;
            empty where there is none such.
        at: the step that is pinned; None: it plays.
        on_pin: called with the step that was pinned, or None.
    """

    def pinned() -> None:
        told = st.session_state[name].get("at")
        step = told.get("step") if isinstance(told, Mapping) else None
        on_pin(step if isinstance(step, int) and not isinstance(step, bool) and step >= 0 else None)

    _mount(
        key=name,
        data={
            "animation": animation,
            "words": vars(words),
            "unread": list(unread),
            "at": at,
            "tables": _TABLES,
        },
        on_at_change=pinned,
    )
