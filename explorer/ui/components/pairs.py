"""Maps in pairs, side by side, a page at a time: click a pair to look at its unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.ui.components import register

_mount = register("pairs")


@dataclass(frozen=True)
class MapPair:
    """Two maps: the unit that is chosen by a click, both as data URIs, what stands under them, and a sentence."""

    key: int
    first: str
    second: str
    label: str
    detail: str
    hint: str


def pairs(
    name: str,
    label: str,
    heads: tuple[str, str],
    entries: Sequence[MapPair],
    selected: int,
    page: int,
    pages: int,
    words: str,
    on_pick: Callable[[int], None],
    on_page: Callable[[int], None],
) -> None:
    """A page of pairs.

    Args:
        name: key of the instance.
        label: what the pairs are, for readers of the screen.
        heads: what the first and the second map of every pair are of.
        entries: the pairs of this page.
        selected: key of the chosen pair.
        page: from 0.
        pages: how many there are.
        words: what the page shows, "1–24 of 112".
        on_pick: called with the key of a pair that was picked.
        on_page: called with the number of a page that was picked.
    """

    def picked() -> None:
        key = st.session_state[name].get("picked")
        if isinstance(key, int) and any(entry.key == key for entry in entries):
            on_pick(key)

    def turned() -> None:
        number = st.session_state[name].get("turned")
        if isinstance(number, int) and 0 <= number < pages:
            on_page(number)

    _mount(
        key=name,
        data={
            "label": label,
            "heads": list(heads),
            "pairs": [vars(entry) for entry in entries],
            "selected": selected,
            "page": page,
            "pages": pages,
            "words": words,
        },
        on_picked_change=picked,
        on_turned_change=turned,
    )
