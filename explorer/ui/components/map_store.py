"""Carries all maps of a layer to the browser once, for every component that shows them: see `photo_store`."""

from __future__ import annotations

from explorer.ui.components import register

_mount = register("map_store")


def map_store(name: str, maps_id: str, packed: bytes) -> None:
    """Hold a layer's maps in the browser under an id of at most 64 characters of ASCII.

    Args:
        name: key of the instance.
        maps_id: what tells these maps from others.
        packed: as `figures.wall.packed` makes them.
    """
    # a component takes bytes only as the whole of its data: the id goes in front
    _mount(key=name, data=maps_id.encode("ascii").ljust(64) + packed)
