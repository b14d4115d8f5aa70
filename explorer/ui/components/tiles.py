"""Pictures to click, one of them chosen: samples, a filmstrip of layers, the tiles of filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.ui.components import register

_mount = register("tiles")


@dataclass(frozen=True)
class Tile:
    """One picture: its key, the words under it, and the picture as a data URI."""

    key: str
    label: str
    image: str
    detail: str = ""
    mark: str = ""


def tiles(
    name: str,
    label: str,
    entries: Sequence[Tile],
    selected: str,
    on_pick: Callable[[str], None],
    *,
    title: str = "",
    size: int = 72,
    slider: bool = False,
    buttons: bool = False,
    whole: bool = False,
) -> None:
    """A radio group of pictures; or buttons, where to pick one is to do something with it.

    Args:
        name: key of the instance, one for the page.
        label: what the group is, for readers of the screen.
        entries: the tiles in their order.
        selected: key of the chosen tile, or one that none has.
        on_pick: called with the key of a tile that was picked, before the page runs again.
        title: words above the group; "" for none.
        size: side of a picture in pixels.
        slider: lay the tiles in one row over a slider, for things that have an order.
        buttons: none is the chosen one, and arrow keys only move from one to the next.
        whole: show pictures that are no squares from edge to edge, on a ground; else squares are cut out of them.
    """

    def picked() -> None:
        if (key := st.session_state[name].get("picked")) is not None:
            on_pick(key)

    _mount(
        key=name,
        data={
            "label": label,
            "title": title,
            "tiles": [vars(entry) for entry in entries],
            "selected": selected,
            "size": size,
            "slider": slider,
            "buttons": buttons,
            "whole": whole,
        },
        on_picked_change=picked,
    )
