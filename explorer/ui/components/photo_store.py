"""Carries a picture to the browser once, for every component of the page that shows it.

A component's data travel again whenever a part of them changes; a photograph beside a heat map would travel
with every click.  So it has a component of its own that draws nothing, and others find it by its id.
"""

from __future__ import annotations

from explorer.ui.components import register

_mount = register("photo_store")


def photo_store(name: str, photo_id: str, encoded: bytes) -> None:
    """Hold an encoded picture (JPEG or PNG) in the browser under its id, 64 characters of ASCII.

    Args:
        name: key of the instance.
        photo_id: a photo's digest.
        encoded: the picture.
    """
    # a component takes bytes only as the whole of its data: the id goes in front
    _mount(key=name, data=photo_id.encode("ascii").ljust(64) + encoded)
