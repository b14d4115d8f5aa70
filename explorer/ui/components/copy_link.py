"""A button that copies the address of what is on screen."""

from __future__ import annotations

from explorer.ui.components import register

_mount = register("copy_link")


def copy_link(name: str) -> None:
    """The button; `name` is the key of the instance."""
    _mount(key=name)
