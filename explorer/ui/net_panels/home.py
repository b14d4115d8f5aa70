"""The network as code and as a file; and where to go on with it."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from explorer.images import plain
from explorer.networks.code import code
from explorer.networks.source import Network
from explorer.networks.storing import write
from explorer.profiling import NetworkProfile
from explorer.ui import show
from explorer.ui.components.copy_link import copy_link

STYLES: dict[Literal["class", "sequential"], str] = {"class": "A class", "sequential": "nn.Sequential"}


def take_home(network: Network, found: NetworkProfile) -> None:
    """The link, a runnable module of PyTorch, and a file that this page opens again."""
    copy_link("copy net link")
    spec, stem = network.spec, show.file_stem(network.title)
    if network.code:
        st.caption("This network was pasted: its code is yours already.")
        st.code(network.source.text, language=None, height=420)
        return
    if spec is None or found.failure or (network.plan and network.plan.trouble):
        _elsewhere(network)
        return
    style = st.segmented_control(
        "Written as",
        list(STYLES),
        format_func=STYLES.__getitem__,
        default="class",
        required=True,
        key="net code style",
    )
    text = code(spec, style or "class")
    with st.container(horizontal=True):
        show.download("Code as .py", text.encode, f"{stem}.py", "Runs with PyTorch alone.")
        show.download(
            "Network as .json", write(spec).encode, f"{stem}.json", "Opens here again, under “File”."
        )
    st.code(text, language=None, height=420)


def _elsewhere(network: Network) -> None:
    """What there is of a network that is no chain of parts, or cannot run."""
    known = network.classic
    if known and known.line:
        st.markdown("A public package makes this network:")
        st.code(known.line, language=None)
    elif known:
        st.info(
            f"No public package makes {plain(known.title)}, and it is no chain of parts that could be written down."
        )
    else:
        st.info("There is no code for a network that cannot run yet: mend it first, above.")
