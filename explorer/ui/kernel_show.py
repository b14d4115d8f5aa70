"""Under the instrument: what can be done further with the photo, the kernel and the way it is laid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.errors import ExplorerError
from explorer.images import Photo, plain
from explorer.kernels import Kernel
from explorer.ui import controls, frame, kernel_controls
from explorer.ui.components.stencil import Laying
from explorer.ui.kernel_panels.about import about
from explorer.ui.kernel_panels.bank import bank
from explorer.ui.kernel_panels.chain import chain
from explorer.ui.kernel_panels.find import find
from explorer.ui.kernel_panels.learned import learned
from explorer.ui.kernel_panels.shift import shift
from explorer.ui.kernel_panels.take_home import take_home

Panel = Callable[[Photo, Kernel, Laying], None]
PANELS: Final[Mapping[str, tuple[str, Panel]]] = MappingProxyType(
    {
        "about": ("About it", about),
        "learned": ("Learned", learned),
        "bank": ("Bank", bank),
        "chain": ("Chain", chain),
        "shift": ("Shift", shift),
        "find": ("Find", find),
        "home": ("Take home", take_home),
    }
)
"""Title and function of each panel, by its key in the link."""


@frame.part
def further(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The choice of a panel, and the panel."""
    _, _, now = kernel_controls.chosen_kernel()
    if (now.name, now.text) != (kernel.name, kernel.text):
        st.rerun()  # a kernel was taken down here: the instrument above must have it too
    titles = {key: title for key, (title, _) in PANELS.items()}
    panel = controls.choice("panel", "Go further", titles, "the panel", buttons=True)
    try:
        PANELS[panel][1](photo, kernel, laying)
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
