"""What the page on whole networks shows: totals, the table, and panels that go further."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.errors import ExplorerError
from explorer.images import plain
from explorer.network_failures import Failure
from explorer.networks.source import Network
from explorer.profiling import NetworkProfile
from explorer.quantities import si
from explorer.receptive_field import ReceptiveField
from explorer.ui import cache, controls, frame, link, net_controls
from explorer.ui.components.layer_table import Place, Repair, layer_table
from explorer.ui.net_panels.about import about
from explorer.ui.net_panels.compare import compare
from explorer.ui.net_panels.diagram import diagram
from explorer.ui.net_panels.go_on import go_on
from explorer.ui.net_panels.home import take_home
from explorer.ui.net_panels.memory import memory
from explorer.ui.net_panels.timing import timing
from explorer.ui.net_panels.where import where

UNBUILT: Final = "not built"
"""Path of a failure that belongs to no row."""


def table(network: Network) -> NetworkProfile:
    """Title, totals and the table of layers."""
    found = cache.table(network.source, network.input_shape)
    st.markdown(f"## {plain(network.title)}")
    stop = net_controls.stop(network, found)
    if stop:
        where = f" at {plain(stop.path)}" if stop.path else ""
        st.warning(f"Stops{where}: {plain(stop.sentence)}", icon=":material/warning:")
    st.html(f'<div class="figures">{"".join(_figures(found, stop))}</div>')
    repairs = net_controls.repairs(network, found)
    # a part that is not built has no row, and one of its name may stand in a round before
    shown = found if found.failure or not stop else replace(found, failure=replace(stop, path=UNBUILT))
    layer_table(
        "net table",
        shown,
        _choose,
        _chosen(found),
        [Repair(key, words) for key, (words, _) in repairs.items()],
        lambda key: net_controls.take(repairs[key][1]),
        height=760,
    )
    return found


def _figures(found: NetworkProfile, stop: Failure | None) -> list[str]:
    layers = sum(row.macs > 0 and row.parameters > 0 for row in found.leaves)
    # rows end where the net stops, and all that is counted in them; a net that was run has its weights behind too
    far = " so far" if stop else ""
    whole = " in the whole net" if found.failure else far
    figures = [
        (f"parameters{far}", si(found.parameters), f"{found.parameters:,}"),
        (f"MACs for one picture{far}", si(found.macs), f"{found.macs:,}; FLOPs are twice as many"),
        (
            f"of weights{whole}",
            si(found.weight_bytes, "B"),
            f"{found.weight_bytes:,} bytes: 4 for each float32",
        ),
        (f"activations{far}", si(found.activations), f"{found.activations:,} numbers in all maps together"),
        (
            f"layers with weights that multiply{far}",
            str(layers),
            "convolutions, dense layers, and attention, which counts once with its projections",
        ),
    ]
    maps = [
        row
        for row in found.leaves
        if row.outputs and len(row.outputs[0]) == 3 and min(row.outputs[0][1:]) > 1
    ]
    if maps and isinstance(maps[-1].field, ReceptiveField):  # behind windows of attention it is not known
        rows, columns = maps[-1].field.size
        beside = " + all" if maps[-1].field.everything else ""
        told = "its receptive field" + (", and all of the picture by a path beside" if beside else "")
        figures.append((f"pixels seen by a unit of the last map{far}", f"{rows} × {columns}{beside}", told))
    return [
        f'<div title="{escape(exact)}"><b>{escape(number)}</b><span>{escape(words)}</span></div>'
        for words, number, exact in figures
    ]


def _chosen(found: NetworkProfile) -> Place | None:
    path, _, call = link.read("row").rpartition("~")
    if not call.isdecimal():
        return None
    return next(
        ((row.path, row.call) for row in found.rows if (row.path, row.call) == (path, int(call))), None
    )


def _choose(place: Place | None) -> None:
    link.choose("row", f"{place[0]}~{place[1]}" if place else "")


Panel = Callable[[Network, NetworkProfile], None]
PANELS: Final[Mapping[str, tuple[str, Panel]]] = MappingProxyType(
    {
        "diagram": ("Diagram", diagram),
        "where": ("Where it goes", where),
        "memory": ("Memory", memory),
        "compare": ("Compare", compare),
        "time": ("Time", timing),
        "about": ("What to look at", about),
        "on": ("Go on", go_on),
        "home": ("Take home", take_home),
    }
)
"""Title and function of each panel, by its key in the link."""


@frame.part
def further(network: Network, found: NetworkProfile) -> None:
    """The choice of a panel, and the panel."""
    if net_controls.chosen_network() is not network:
        st.rerun()  # another net was taken down here: all of the page must have it
    titles = {key: title for key, (title, _) in PANELS.items()}
    panel = controls.choice("further", "Go further", titles, "the panel", buttons=True)
    try:
        PANELS[panel][1](network, found)
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
