"""The parts of a network under the hand: a list to add to, to move in and to set, that never loses an edit.

The browser does an edit at once and sends it with a number, together with all that have not been answered: whatever
Streamlit merges or drops, the next message carries it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from explorer.figures.layer_hues import HUES
from explorer.ui.components import register

_mount = register("parts_list")

MOST_WISHES: Final = 500
"""Most edits of one message that are looked at."""
_LONGEST: Final = 200


@dataclass(frozen=True)
class Wish:
    """An edit that the browser asks for.

    Attributes:
        number: of the edit: each is done once.
        token: of the list that it is for.
        do: what is asked for; the page knows what there is.
        path: the part, or the place, that is meant.
        count: so many parts beside each other, from `path` on.
        to: where a part goes.
        name: of a kind, a setting, a part or a repair.
        value: of a setting.
        more: whether it goes on with the edit before: both are one step.
    """

    number: int
    token: str
    do: str
    path: tuple[int, ...] = ()
    count: int = 1
    to: tuple[int, ...] = ()
    name: str = ""
    value: object = None
    more: bool = False


def parts_list(
    name: str, data: Mapping[str, Any], token: str, on_wishes: Callable[[Sequence[Wish]], None]
) -> None:
    """The list, the settings of what is chosen in it, and the menu of kinds.

    Args:
        name: key of the instance, one for the page.
        data: the network and the kinds, as `net_builder.listing` gives them.
        token: of this list; where it changes, the browser gives up what it has not sent.
        on_wishes: called with the edits of a message, old ones among them, before the page runs again.
    """

    def wished() -> None:
        on_wishes(tuple(wishes(st.session_state[name].get("wishes"))))

    # blocks and groups hold layers of several families
    hues = {**HUES, "block": HUES["other"], "group": HUES["other"]}
    _mount(key=name, data={**data, "token": token, "hues": hues}, on_wishes_change=wished)


def wishes(message: object) -> Iterator[Wish]:
    """The edits of a message; what makes no sense is left out.

    >>> [wish.path for wish in wishes({"wishes": [{"number": 1, "token": "a", "do": "delete", "path": [2, 0]}, 7]})]
    [(2, 0)]
    """
    sent = message.get("wishes") if isinstance(message, Mapping) else None
    for each in sent[:MOST_WISHES] if isinstance(sent, list) else ():
        if not isinstance(each, Mapping) or not _is_whole(each.get("number")):
            continue
        path, to, count = _path(each.get("path", [])), _path(each.get("to", [])), each.get("count", 1)
        words = [each.get(key, "") for key in ("token", "do", "name")]
        if path is None or to is None or not _is_whole(count) or not 1 <= count <= _LONGEST:
            continue
        if not all(isinstance(word, str) and len(word) <= _LONGEST for word in words):
            continue
        token, do, called = words
        value = _value(each.get("value"))
        yield Wish(each["number"], token, do, path, count, to, called, value, each.get("more") is True)


def _is_whole(value: object) -> bool:
    # a browser has one kind of numbers, and no whole one beyond these
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53


def _path(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > 20 or not all(map(_is_whole, value)):
        return None
    return tuple(value)


def _value(value: object) -> object:
    """A number, a word or a switch as it is; a list of numbers as a tuple."""
    if isinstance(value, list):
        return tuple(value[:3])
    if isinstance(value, float) and math.isfinite(value) and value == int(value) and abs(value) < 2**53:
        return int(value)
    return value[:_LONGEST] if isinstance(value, str) else value
