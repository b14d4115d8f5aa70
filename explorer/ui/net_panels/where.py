"""Where the parameters, the work and the memory are."""

from __future__ import annotations

import streamlit as st

from explorer.figures.net_charts import along_depth, maps_chart, shares_chart
from explorer.networks.source import Network
from explorer.profiling import NetworkProfile


def where(network: Network, found: NetworkProfile) -> None:
    """Shares along depth on one axis, and how maps shrink and deepen."""
    dark = st.context.theme.type == "dark"
    bars = along_depth(found)
    st.markdown("**Where the parameters, the MACs and the memory are**, from the picture to the answer")
    st.plotly_chart(
        shares_chart(bars, dark), key="shares chart", theme=None, config={"displayModeBar": False}
    )
    together = (
        " Layers are taken together by the block they stand in." if len(bars) < len(found.leaves) // 2 else ""
    )
    st.caption(
        "Each bar is a share of the network's own total; bytes are those of the maps that come out, for one picture."
        + together
    )
    st.markdown("**Maps get smaller, and more**")
    st.plotly_chart(maps_chart(found, dark), key="maps chart", theme=None, config={"displayModeBar": False})
