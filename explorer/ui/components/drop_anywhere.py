"""Makes the whole page take a picture: dropped anywhere, or pasted."""

from __future__ import annotations

from explorer.ui.components import register

_mount = register("drop_anywhere")


def drop_anywhere(name: str) -> None:
    """Hand files that are dropped or pasted anywhere to the page's uploader; `name` is the key of the instance."""
    _mount(key=name)
