"""All maps of a layer side by side: coloured, scaled, sorted and chosen in the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.activations import ORDERS
from explorer.figures.signed import encoded_tables
from explorer.ui.components import register

_mount = register("wall", "_paint")
_TABLES: Final = encoded_tables()

SCOPES: Final[Mapping[str, str]] = MappingProxyType(
    {"map": "this map", "layer": "this layer", "net": "the whole net"}
)
"""Whose strongest value gets the ends of the colours, by its key in the link."""

SIZES: Final = ("fit", "small", "medium", "large")
"""Of the tiles: as suits their number, or as chosen."""


@dataclass(frozen=True)
class Look:
    """How the wall is looked at: the order of its maps, whose scale they have, the size of the tiles."""

    order: str = "number"
    scope: str = "map"
    size: str = "fit"

    def __post_init__(self) -> None:
        if self.order not in ORDERS or self.scope not in SCOPES or self.size not in SIZES:
            raise ValueError(
                f"A wall is not looked at in order of “{self.order}”, {self.scope}, {self.size}."
            )


def wall(
    name: str,
    label: str,
    maps_id: str,
    look: Look,
    selected: int,
    net_peak: float | None,
    on_pick: Callable[[int], None],
    on_look: Callable[[Look], None],
) -> None:
    """The wall of the maps that `map_store` holds under an id.

    Args:
        name: key of the instance.
        label: what the maps are, for readers of the screen.
        maps_id: of the maps.
        look: how they are looked at to begin with.
        selected: number of the chosen map.
        net_peak: the strongest value of the whole net; None where it is not known yet.
        on_pick: called with the number of a map that was picked.
        on_look: called with the look when the hand has settled on another.
    """

    def picked() -> None:
        number = st.session_state[name].get("picked")
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            on_pick(number)

    def looked() -> None:
        told = st.session_state[name].get("look")
        if isinstance(told, Mapping):
            try:
                on_look(Look(*(str(told.get(part)) for part in ("order", "scope", "size"))))
            except ValueError:  # no wall of ours says so
                return

    _mount(
        key=name,
        data={
            "label": label,
            "id": maps_id,
            "look": vars(look),
            "selected": selected,
            "netPeak": net_peak,
            "orders": {key: order.title for key, order in ORDERS.items()},
            "scopes": dict(SCOPES),
            "sizes": list(SIZES),
            "table": _TABLES["signed"],
        },
        on_picked_change=picked,
        on_look_change=looked,
    )
