"""What units do to classes: two bars from zero in each line, the slope and the fact, and a switch for a unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from explorer.ui.components import register

_mount = register("effects")


@dataclass(frozen=True)
class Effect:
    """One line.

    Attributes:
        key: of the unit or class.
        label: its name.
        slope: what it gives by the gradient, in logits.
        fact: what is lost without it, in logits; None where that was not measured.
        off: whether it is switched off; None where there is no switch.
        hint: more, for who points at it.
    """

    key: int
    label: str
    slope: float
    fact: float | None = None
    off: bool | None = None
    hint: str = ""


def effects(
    name: str,
    label: str,
    entries: Sequence[Effect],
    selected: int,
    on_pick: Callable[[int], None],
    on_switch: Callable[[int], None] | None = None,
) -> None:
    """Lines to choose from, all on one scale.

    Args:
        name: key of the instance.
        label: what the lines are, for readers of the screen.
        entries: in their order.
        selected: key of the chosen one.
        on_pick: called with the key of a line that was picked.
        on_switch: called with the key of a line that was switched on or off.
    """

    def told(event: str, call: Callable[[int], None] | None) -> Callable[[], None]:
        def take() -> None:
            key = st.session_state[name].get(event)
            if call and isinstance(key, int) and any(entry.key == key for entry in entries):
                call(key)

        return take

    _mount(
        key=name,
        data={
            "label": label,
            "entries": [asdict(entry) for entry in entries],
            "selected": selected,
            "switches": on_switch is not None,
        },
        on_picked_change=told("picked", on_pick),
        on_switched_change=told("switched", on_switch),
    )
