"""A window that slides over small grids of numbers: worked ones, or the visitor's own; the pace is the visitor's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st
from numpy.typing import NDArray

from explorer.figures.signed import encoded_tables
from explorer.ui.components import register

_mount = register("player", "_ahead", "_paint", "_worked")
_TABLES: Final = encoded_tables()

OWN: Final = re.compile(r"(?:[pwb]-?[\d._-]+(?:~[pwb]-?[\d._-]+)*)?", re.ASCII)
"""What the text of changed numbers looks like: parts by their first letters, "p8_-6.5_0~b1_2"."""
MOST_OWN: Final = 6_000
"""Characters: longer addresses are cut by some programs."""


@dataclass(frozen=True)
class Words:
    """What is said beside the names of input, kernel and output: sizes; and how the drawing differs from the layer."""

    input: str = ""
    kernel: str = ""
    output: str = ""
    cut: str = ""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the visitor may change: the indices in the animation's planes point into these.

    Attributes:
        picture: (channels, *sizes), without padding.
        weights, bias: as torch keeps them; None without.
        stage: which of a layer's animations it is: after the first, the picture is what the one before makes of it.
    """

    picture: NDArray[Any]
    weights: NDArray[Any] | None = None
    bias: NDArray[Any] | None = None
    stage: int = 0

    def __post_init__(self) -> None:
        if self.stage < 0:
            raise ValueError(f"The stage is {self.stage}, but the first one is 0.")

    def to_json(self) -> dict[str, Any]:
        """Each as its shape and its flattened values."""
        arrays = {"picture": self.picture, "weights": self.weights, "bias": self.bias}
        return {
            name: {"shape": list(array.shape), "values": array.ravel().tolist()}
            for name, array in arrays.items()
            if array is not None
        }


def content(
    animation: Mapping[str, Any], words: Words, numbers: Numbers, identity: str, unread: Sequence[bool]
) -> dict[str, Any]:
    """What is to be played, ready for JSON.

    Args:
        animation: `explorer.animation.to_json` of what is to be played.
        words: sizes, as they are to be written.
        numbers: the worked ones that the animation was made of.
        identity: what all of this follows from: while it stays, nothing is read anew.
        unread: for each cell of a channel, padding apart, slice by slice and row by row, whether nothing reads it;
            empty where there is none such.
    """
    return {
        "animation": animation,
        "words": vars(words),
        "numbers": numbers.to_json(),
        "stage": numbers.stage,
        "identity": identity,
        "unread": list(unread),
    }


def player(
    name: str,
    content: Mapping[str, Any],
    at: int | None,
    on_pin: Callable[[int | None], None],
    own: str = "",
    on_own: Callable[[str], None] = lambda text: None,
) -> None:
    """The player.

    Args:
        name: key of the instance.
        content: what is to be played, as `content` makes it.
        at: the step that is pinned; None: it plays.
        on_pin: called with the step that was pinned, or None.
        own: numbers of the visitor's own, as `on_own` was told them: read when the player is new on the page.
        on_own: called with the numbers that were changed, as text for a link; "" where none is any more.
    """

    def pinned() -> None:
        told = st.session_state[name].get("at")
        step = told.get("step") if isinstance(told, Mapping) else None
        on_pin(step if isinstance(step, int) and not isinstance(step, bool) and step >= 0 else None)

    def changed() -> None:
        told = st.session_state[name].get("own")
        text = told.get("text") if isinstance(told, Mapping) else None
        if isinstance(text, str) and OWN.fullmatch(text) and len(text) <= MOST_OWN:
            on_own(text)

    _mount(
        key=name,
        data={**content, "at": at, "own": own, "tables": _TABLES},
        on_at_change=pinned,
        on_own_change=changed,
    )
