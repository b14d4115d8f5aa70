"""Live sliders: the page follows while the hand still drags."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.errors import ExplorerError
from explorer.ui.components import register

_mount = register("dials")


@dataclass(frozen=True)
class Dial:
    """One number to turn: its key, the words over it, its limits and step, its value, the unit behind it."""

    key: str
    label: str
    lowest: float
    highest: float
    step: float
    value: float
    unit: str = ""

    def __post_init__(self) -> None:
        limits = self.lowest <= self.value <= self.highest and math.isfinite(self.highest - self.lowest)
        if not (limits and 0 < self.step < math.inf):
            raise ExplorerError(
                f"{self.label} is {self.value}; it goes from {self.lowest} to {self.highest} "
                f"in steps of {self.step}."
            )

    def nearest(self, value: float) -> float:
        """The value that this dial can take next to any number; the browser rounds by the same rule.

        >>> Dial("sigma", "σ", 0.1, 5, 0.1, value=1).nearest(0.34)
        0.3
        >>> Dial("angle", "Angle", 0, 180, 25, value=0, unit="°").nearest(1e9)
        175
        """
        last = math.floor((self.highest - self.lowest) / self.step + 1e-9)
        within = min(max(value, self.lowest), self.highest)
        steps = min(round((within - self.lowest) / self.step), last)
        # -0.3 + 3 × 0.1 is 5.6e-17: what lies six digits under the step is noise
        return round(self.lowest + steps * self.step, max(0, 6 - math.floor(math.log10(self.step))))


def dials(
    name: str, entries: Sequence[Dial], on_turn: Callable[[str, float], None], *, ahead: bool = False
) -> None:
    """Sliders, each with a field for exact values, that send while they are dragged.

    At most one message in 60 ms, and none while the page still works on the one before: the last value always
    arrives, and the page is always allowed to finish.

    Args:
        name: key of the instance, one for the page.
        entries: the dials in their order; their values are what the page holds.
        on_turn: called with the key and the new value of each dial that was turned, before the page runs again.
        ahead: the page's components paint what a turn leads to before the page has run (`_ahead.js`).
    """

    def turned() -> None:
        for key, value in _turned(entries, st.session_state[name].get("turned")):
            on_turn(key, value)

    _mount(
        key=name,
        data={
            "dials": [vars(entry) for entry in entries],
            "ahead": ahead,
            "answered": _count(st.session_state.get(name, {}).get("turned")),
        },
        on_turned_change=turned,
    )


def _count(message: object) -> int:
    """Number of the browser's last message: a page that shows it has seen all up to it."""
    count = message.get("count") if isinstance(message, Mapping) else None
    return count if isinstance(count, int) else 0


def _turned(entries: Sequence[Dial], message: object) -> Iterator[tuple[str, float]]:
    """What a message asks for: keys of these dials alone, and values that they can take."""
    values = message.get("values") if isinstance(message, Mapping) else None
    if not isinstance(values, Mapping):
        return
    for entry in entries:
        value = values.get(entry.key)
        # NaN is the one number that is not itself (math.isnan fails on integers beyond a float)
        if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
            yield entry.key, entry.nearest(value)
