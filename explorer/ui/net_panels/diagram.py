"""The network as a picture, for the eye and for a slide."""

from __future__ import annotations

import streamlit as st

from explorer.networks.source import Network
from explorer.profiling import NetworkProfile
from explorer.ui import link, net_controls
from explorer.ui.components.diagram import diagram as drawing
from explorer.ui.components.layer_table import Place

_CHOSEN = "diagram chose"


def diagram(network: Network, found: NetworkProfile) -> None:
    """The diagram; a box that is clicked is chosen in the table too."""
    path, _, call = link.read("row").rpartition("~")
    chosen = (path, int(call)) if call.isdecimal() else None
    drawing("net diagram", found, _choose, chosen, stop=net_controls.stop(network, found))
    if st.session_state.pop(_CHOSEN, False):
        st.rerun()  # the table above stands outside of this part


def _choose(place: Place) -> None:
    link.choose("row", f"{place[0]}~{place[1]}")
    st.session_state[_CHOSEN] = True
