"""Predictions that are the buttons: a label, a probability, and its bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.ui.components import register

_mount = register("bars")


@dataclass(frozen=True)
class Bar:
    """One answer of the network."""

    class_index: int
    label: str
    probability: float


def bars(
    name: str,
    label: str,
    entries: Sequence[Bar],
    selected: int,
    second: int | None,
    on_pick: Callable[[int], None],
    on_compare: Callable[[int | None], None],
) -> None:
    """Buttons for classes; each has a smaller one that lays its map beside the chosen one.

    Args:
        name: key of the instance.
        label: what the group is, for readers of the screen.
        entries: the classes in their order.
        selected: the class whose map is drawn.
        second: the class it is compared with, if any.
        on_pick: called with the class index that was picked.
        on_compare: called with the class to compare with, or None to stop comparing.
    """

    def picked() -> None:
        if (index := st.session_state[name].get("picked")) is not None:
            on_pick(int(index))

    def compared() -> None:
        if (index := st.session_state[name].get("compared")) is not None:
            on_compare(int(index) if index >= 0 else None)

    _mount(
        key=name,
        data={
            "label": label,
            "bars": [
                {"index": entry.class_index, "label": entry.label, "probability": entry.probability}
                for entry in entries
            ],
            "selected": selected,
            "second": -1 if second is None else second,
        },
        on_picked_change=picked,
        on_compared_change=compared,
    )
