"""What a lecturer would point at in this network's table."""

from __future__ import annotations

import streamlit as st

from explorer.images import plain
from explorer.networks.classics import general_sights
from explorer.networks.source import Network
from explorer.profiling import NetworkProfile


def about(network: Network, found: NetworkProfile) -> None:
    """The idea of a classic, and numbers worth a look; of any other network those that every one has."""
    if known := network.classic:
        paper = known.reference
        st.markdown(f"**{plain(known.title)}, {known.year}.** {plain(known.idea)}")
        st.caption(f"{plain(known.note)} [{plain(paper.citation)}]({paper.url})".strip())
    sights = (network.classic.look_at if network.classic else ()) or general_sights(found)
    st.markdown("**What to look at**\n\n" + "\n".join(f"- {plain(sight.text)}" for sight in sights))
