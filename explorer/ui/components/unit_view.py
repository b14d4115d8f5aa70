"""One map large beside the picture that the network was fed: values, receptive fields, overlay and gradient.

What moves under the pointer is computed in the browser: every value of the map is there, exact, and a cell's
receptive field follows from its size, jump and start.  Python hears which cell was pinned and what is laid over the
picture, when the hand has come to rest.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.convolution import Pair
from explorer.figures.signed import encoded_tables, entries
from explorer.receptive_field import ReceptiveField
from explorer.ui.components import register

_mount = register("unit_view", "_paint")

_TABLES: Final = encoded_tables()

VEILS: Final = {"none": "Nothing", "map": "Map", "gradient": "Gradient"}
"""What may be laid over the picture."""
SOURCES: Final = {"mean": "the map's mean", "cell": "the pinned cell"}
"""What the gradient is of."""
DRAWN: Final = {"signed": "signed", "strength": "strength"}
"""How a pixel's three slopes become one colour: their sum, or the sum of their strengths."""


@dataclass(frozen=True)
class Look:
    """What is laid over the picture: one of `VEILS`, `SOURCES` and `DRAWN`, and its opacity in percent."""

    veil: str = "map"
    source: str = "mean"
    drawn: str = "signed"
    opacity: int = 70

    @classmethod
    def read(cls, sent: Any) -> Look:
        """What a browser sent; what makes no sense keeps its usual value."""
        usual = cls()
        if not isinstance(sent, Mapping):
            return usual
        known = {"veil": VEILS, "source": SOURCES, "drawn": DRAWN}
        found = {name: sent[name] for name, among in known.items() if sent.get(name) in among}
        opacity = sent.get("opacity")
        if isinstance(opacity, int | float) and 0 <= opacity <= 100:
            found["opacity"] = int(opacity)
        return replace(usual, **found)


@dataclass(frozen=True)
class Framed:
    """What is framed on the picture for a cell of the map.

    Attributes:
        field: of all cells; None where nothing is framed.
        note: a sentence on it, "" where there is none to say.
        verb: what a cell does with these pixels, "It sees".
        frame: what the frame is.
        patch: what is cut out of a picture for a cell.
    """

    field: ReceptiveField | None
    note: str = ""
    verb: str = "It sees"
    frame: str = "what the cell sees"
    patch: str = "what the cell sees of each"


@dataclass(frozen=True, eq=False)
class Gradient:
    """d unit / d pixel: `slopes` (3, H, W), and a sentence on it."""

    slopes: npt.NDArray[np.float32]
    note: str


def unit_view(
    name: str,
    title: str,
    values: npt.NDArray[np.float32],
    photo_id: str,
    shape: Pair,
    framed: Framed,
    gradient: Gradient | None,
    at: Pair | None,
    start: Pair,
    look: Look,
    on_pin: Callable[[Pair | None], None],
    on_look: Callable[[Look], None],
) -> None:
    """The map and the picture.

    Args:
        name: key of the instance.
        title: of the map.
        values: of the map (h, w).
        photo_id: under which the page's `photo_store` holds the picture as it is fed.
        shape: (height, width) of that picture in pixels.
        framed: what is framed on the picture for a cell.
        gradient: where one is asked for.
        at: row and column of the pinned cell.
        start: the cell that is framed before anything is pointed at.
        look: what is laid over the picture.
        on_pin: called with the cell that was pinned, or None.
        on_look: called with another look.
    """

    def told() -> None:
        message = st.session_state[name].get("told")
        if not isinstance(message, Mapping):
            return
        match message.get("at"):
            case [int() | float() as row, int() | float() as column]:
                cell = (int(row), int(column))
                if all(0 <= place < size for place, size in zip(cell, values.shape, strict=True)):
                    on_pin(cell)
            case None:
                on_pin(None)
        on_look(Look.read(message.get("look")))

    heard = st.session_state.get(name, {}).get("told")
    count = heard.get("count") if isinstance(heard, Mapping) else None
    _mount(
        key=name,
        data={
            "title": title,
            "map": base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode(),
            "rows": values.shape[0],
            "columns": values.shape[1],
            "photoId": photo_id,
            "height": shape[0],
            "width": shape[1],
            "field": _field(framed.field) if framed.field else None,
            "fieldNote": framed.note,
            "verb": framed.verb,
            "frame": framed.frame,
            "gradient": _encoded(gradient) if gradient else None,
            "at": at,
            "start": start,
            "look": vars(look),
            "choices": {"veil": VEILS, "source": SOURCES, "drawn": DRAWN},
            "answered": count if isinstance(count, int) else 0,
            "tables": _TABLES,
        },
        on_told_change=told,
    )


def _field(field: ReceptiveField) -> dict[str, Any]:
    """A field for the browser; `spans` along rows and columns: first and last pixel of every cell."""
    spans = [[each.first.tolist(), each.last.tolist()] for each in field.spans or ()]
    return {"size": field.size, "jump": field.jump, "start": field.start, "spans": spans or None}


def _encoded(gradient: Gradient) -> dict[str, Any]:
    """Both pictures of a gradient, a byte for each pixel, on scales of their own.

    A few pixels have most of a gradient: full colour begins at the strongest hundredth of those that have any.
    """
    planes = {"signed": gradient.slopes.sum(0), "strength": np.abs(gradient.slopes).sum(0)}
    return {
        "note": gradient.note,
        **{
            key: base64.b64encode(entries(plane, _full(plane)).tobytes()).decode()
            for key, plane in planes.items()
        },
    }


def _full(plane: npt.NDArray[np.float32]) -> float:
    strengths = np.abs(plane[plane != 0])
    return float(np.quantile(strengths, 0.99)) if strengths.size else 0.0
