"""What Streamlit's navigation leaves undone: Back goes by steps of the hand, a phone's menu shuts behind a choice."""

from __future__ import annotations

from explorer.ui.components import register

_mount = register("navigation")


def navigation(name: str) -> None:
    """Watch over history and menu, on every page; `name` is the key of the instance."""
    _mount(key=name)
