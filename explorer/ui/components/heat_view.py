"""A photograph under one heat map, or two under one scale; blended, wiped and read off in the browser."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.figures.heat import COLOURS, Look
from explorer.models import NetworkInput
from explorer.ui.components import register

_mount = register("heat_view")


@dataclass(frozen=True, eq=False)
class Pane:
    """One map: its title, the heat (h, w) as the layer gives it, a sentence where there is one to say."""

    title: str
    heat: npt.NDArray[np.float32]
    note: str = ""


def _encoded(values: npt.NDArray[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


# the colour tables never change: encoded once
_TABLES = {
    key: {"name": colours.name, "table": _encoded(colours.table())} for key, colours in COLOURS.items()
}


def heat_view(
    name: str,
    fed: NetworkInput,
    panes: Sequence[Pane],
    scale: float,
    look: Look,
    on_look: Callable[[Mapping[str, float | str]], None],
) -> None:
    """The viewer.

    Args:
        name: key of the instance.
        fed: the picture, which the page's `photo_store` holds under its digest, and the part that was fed.
        panes: one map, or two to compare.
        scale: the heat value that gets the end of the colour map, for all panes alike.
        look: opacity, threshold, colours and wipe.
        on_look: called with the new look when the visitor's hand has come to rest.
    """

    def looked() -> None:
        if (settled := st.session_state[name].get("look")) is not None:
            on_look(settled)

    _mount(
        key=name,
        data={
            "photoId": fed.photo.digest,
            "height": fed.photo.height,
            "width": fed.photo.width,
            "box": vars(fed.box),
            "panes": [
                {
                    "title": pane.title,
                    "note": pane.note,
                    "rows": pane.heat.shape[0],
                    "columns": pane.heat.shape[1],
                    "heat": _encoded(pane.heat.astype("<f4")),
                }
                for pane in panes
            ],
            "scale": scale,
            "look": vars(look),
            "colours": _TABLES,
        },
        on_look_change=looked,
    )
