"""What the page on a layer's arithmetic shows: the result and why, the sliding window, and panels that go further."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.errors import ExplorerError
from explorer.images import plain
from explorer.layer_text import write_layer
from explorer.layers import LayerSpec, Sizes
from explorer.ui import cache, controls, frame, layer_controls, link
from explorer.ui.components.outcome import outcome
from explorer.ui.components.player import OWN, player
from explorer.ui.layer_drawn import MOST_PRODUCTS, VIEWS, view_of
from explorer.ui.layer_panels.cost import cost
from explorer.ui.layer_panels.examples import examples
from explorer.ui.layer_panels.field import field
from explorer.ui.layer_panels.practice import practice
from explorer.ui.layer_panels.solve import solve_backwards


def result(spec: LayerSpec, shape: Sizes) -> None:
    """The output's shape, the line of torch that makes the layer, and the equation with the values put in."""
    seen = layer_controls.seen()
    drawn = cache.layer_drawn(write_layer(spec, shape), view_of(spec, seen))
    outcome("outcome", json.loads(drawn.answer), layer_controls.told(spec, shape, seen))


def sliding(spec: LayerSpec, shape: Sizes) -> None:
    """The window at work on small whole numbers."""
    seen = layer_controls.seen()
    if spec.kind == "transposed":
        seen = controls.choice("seen", "Seen as", VIEWS, "the view", buttons=True)
    drawn = cache.layer_drawn(write_layer(spec, shape), view_of(spec, seen))
    if drawn.products > MOST_PRODUCTS:
        st.info(f"{drawn.products:,} products are too many to be drawn one by one; a smaller kernel is.")
        return
    for number, content in enumerate(json.loads(drawn.windows)):
        step = link.read("step").partition("_")
        frames = len(content["animation"]["frames"])
        pinned = (
            int(step[2]) if step[0] == str(number) and step[2].isdecimal() and int(step[2]) < frames else None
        )
        player(
            f"player {number}",
            content,
            pinned,
            _pin(number),
            _own_numbers(number),
            link.chooser(f"numbers{number or ''}"),
        )


def _pin(stage: int) -> Callable[[int | None], None]:
    return lambda step: link.choose("step", "" if step is None else f"{stage}_{step}")


def _own_numbers(stage: int) -> str:
    """What the link says of the visitor's own numbers; what is none is dropped."""
    text = link.read(f"numbers{stage or ''}")
    return text if OWN.fullmatch(text) else ""


Panel = Callable[[LayerSpec, Sizes, int, str], None]
PANELS: Final[Mapping[str, tuple[str, Panel]]] = MappingProxyType(
    {
        "cost": ("Cost", cost),
        "field": ("Receptive field", field),
        "solve": ("Solve backwards", solve_backwards),
        "examples": ("Worked examples", examples),
        "practice": ("Practice", practice),
    }
)
"""Title and function of each panel, by its key in the link."""


@frame.part
def further(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The choice of a panel, and the panel."""
    if layer_controls.chosen_layer() != (spec, shape):
        st.rerun()  # a layer was taken down here: all of the page must have it
    titles = {key: title for key, (title, _) in PANELS.items()}
    panel = controls.choice("about", "Go further", titles, "the panel", buttons=True)
    try:
        PANELS[panel][1](spec, shape, batch, dtype)
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
