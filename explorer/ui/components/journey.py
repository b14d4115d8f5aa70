"""One picture all the way down, as a film: each station's map beside what its strongest cell sees."""

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

_mount = register("journey", "_paint")
_TABLES: Final = encoded_tables()

Rectangle = tuple[float, float, float, float]
"""Left, top, width, height, each as a share of the picture's or the map's side."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A station as it is shown.

    Attributes:
        key: of its layer; "" for the picture itself.
        title, shape: its name, and what it holds.
        label: the shape in a few letters.
        story: what happened since the station before, and what to read off, a sentence each.
        caption: what the painted map is.
        values: the map that is painted, on its own scale; (1, C) for numbers without places; None: the picture.
        cell: where on the map its strongest cell is; None where there is none.
        sees: the part of the picture which that cell sees; None where that is not known.
        answers: the classes with the highest probabilities, where it is the end.
    """

    key: str
    title: str
    shape: str
    label: str
    story: Sequence[str]
    caption: str = ""
    values: NDArray[np.float32] | None = field(default=None, repr=False)
    cell: Rectangle | None = None
    sees: Rectangle | None = None
    answers: Sequence[tuple[str, float]] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it; the map as a byte for each cell."""
        told = {name: value for name, value in vars(self).items() if name != "values"}
        if self.values is None:
            return told
        rows, columns = self.values.shape
        cells = b64encode(entries(self.values).tobytes()).decode()
        return {**told, "rows": rows, "columns": columns, "entries": cells}


def journey(
    name: str,
    frames: Sequence[Frame],
    photo_id: str,
    box: CropBox,
    selected: str,
    on_pick: Callable[[str], None],
) -> None:
    """The film.

    Args:
        name: key of the instance.
        frames: the picture itself, then the stations, shallow to deep.
        photo_id: the picture; `photo_store` holds it.
        box: the part of it that the network is fed.
        selected: key of the layer that the page looks at.
        on_pick: called with the key of a station's layer that was picked.
    """

    def picked() -> None:
        key = st.session_state[name].get("picked")
        if key and any(frame.key == key for frame in frames):
            on_pick(key)

    _mount(
        key=name,
        data={
            "frames": [frame.to_json() for frame in frames],
            "photo": photo_id,
            "box": [box.left, box.top, box.width, box.height],
            "selected": selected,
            "table": _TABLES["signed"],
        },
        on_picked_change=picked,
    )
