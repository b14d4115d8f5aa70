"""The layers of a network along depth: a typical map of each station, and a slider over all layers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.figures.signed import encoded_tables, entries
from explorer.preprocessing import CropBox
from explorer.ui.components import register

_mount = register("strip", "_paint")
_TABLES: Final = encoded_tables()


@dataclass(frozen=True)
class Place:
    """One layer: its key, and its name, kind and shape as they are read.

    Attributes:
        quiet: whether it changes nothing, so that steps pass it over.
    """

    key: str
    title: str
    kind: str
    shape: str
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class Tile:
    """A station: the key of its layer, the words under its map, and the map (h, w), painted on its own scale."""

    key: str
    label: str
    detail: str
    hint: str
    values: NDArray[np.float32] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The map as a byte for each cell."""
        rows, columns = self.values.shape
        return {
            "key": self.key,
            "label": self.label,
            "detail": self.detail,
            "hint": self.hint,
            "rows": rows,
            "columns": columns,
            "entries": b64encode(entries(self.values).tobytes()).decode(),
        }


def strip(
    name: str,
    tiles: Sequence[Tile],
    places: Sequence[Place],
    selected: str,
    photo_id: str,
    box: CropBox,
    size: str,
    on_pick: Callable[[str], None],
) -> None:
    """The strip.

    Args:
        name: key of the instance.
        tiles: the stations, shallow to deep.
        places: all layers, in the order of their run.
        selected: key of the chosen one.
        photo_id: the picture, which stands before the first station; `photo_store` holds it.
        box: the part of it that the network is fed.
        size: of what it is fed, in words.
        on_pick: called with the key of a layer that was picked.
    """

    def picked() -> None:
        key = st.session_state[name].get("picked")
        if any(place.key == key for place in places):
            on_pick(key)

    _mount(
        key=name,
        data={
            "tiles": [tile.to_json() for tile in tiles],
            "places": [[place.key, place.title, place.kind, place.shape, place.quiet] for place in places],
            "selected": selected,
            "photo": photo_id,
            "input": size,
            "box": [box.left, box.top, box.width, box.height],
            "table": _TABLES["signed"],
        },
        on_picked_change=picked,
    )
