"""The diagram of a network: its maps as slabs to scale, or a graph whose blocks open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

import streamlit as st

from explorer import net_graph
from explorer.figures.layer_hues import HUES
from explorer.net_export import FAMILIES
from explorer.network_failures import Failure
from explorer.profiling import INPUT, NetworkProfile
from explorer.ui.components import register
from explorer.ui.components.layer_table import Place

_mount = register("diagram", "vendor/dagre", "_diagram_graph", "_diagram_slabs")

MOST_OPEN: Final = 300
"""Boxes that may be opened at once: more can be opened one by one, but not read."""

_STOP: Final = "stop"
"""Key of the box that stands for what could not follow."""

_NOTE: Final = (
    "Height follows rows, depth columns, thickness channels: each by its square root. Dense layers are bars."
)
_TRUNK: Final = " Only what all data passes: blocks with branches are one slab; the graph shows their inside."


def diagram(
    name: str,
    profile: NetworkProfile,
    on_choose: Callable[[Place], None],
    chosen: Place | None = None,
    height: int = 620,
    stop: Failure | None = None,
) -> None:
    """The picture of a network: by itself slabs for a chain, a graph where it branches.

    What is open, the drawing and its direction are kept for the session under `name` and " view".

    Args:
        name: key of the instance, one for the page.
        profile: of the network; where it fails, up to there.
        on_choose: called with the row of the box that was clicked.
        chosen: the row that is marked, or the closed block that holds it.
        height: of the drawing, in CSS pixels.
        stop: of a network whose profile does not fail since its end is not built: what could not follow.
    """
    view = _view(name, profile)
    stop = profile.failure or stop

    def message(event: str) -> Mapping[str, Any]:
        wish = st.session_state[name].get(event)
        if not isinstance(wish, Mapping):
            return {}
        view["answered"] = max(view["answered"], _whole(wish.get("count")))
        return wish

    def choose() -> None:
        wish = message("chosen")
        place = wish.get("path"), wish.get("call")
        found = [(row.path, row.call) for row in profile.rows if (row.path, row.call) == place]
        if found:
            on_choose(found[0])

    def toggle() -> None:
        wish, known = message("toggled"), net_graph.blocks(profile)
        if wish.get("all") is True:
            view["open"] = known
        elif wish.get("all") is False:
            view["open"] = net_graph.usually_open(profile)
        elif wish.get("key") in known:
            view["open"] = frozenset(view["open"] ^ {wish["key"]})

    def look() -> None:
        wish = message("look")
        if wish.get("drawing") in ("boxes", "graph"):
            view["drawing"] = wish["drawing"]
        view["across"] = wish.get("across") is True

    drawn = net_graph.graph(profile, view["open"])
    slabs = net_graph.slabs(profile)
    row = _row(profile, chosen)
    _mount(
        key=name,
        data={
            "net": profile.name,
            "graph": stopped(drawn, profile, stop) if stop else dict(net_graph.to_json(drawn)),
            "slabs": [_slab(slab) for slab in slabs],
            "stop": stop and _end(profile, stop),
            "drawing": view["drawing"],
            "across": view["across"],
            "openable": len(profile.leaves) <= MOST_OPEN,
            "families": dict(FAMILIES),
            "hues": dict(HUES),
            "note": _NOTE + ("" if net_graph.is_chain(profile) else _TRUNK),
            "chosen": None if row is None else _marked(drawn, slabs, row),
            "answered": view["answered"],
            "height": height,
        },
        on_chosen_change=choose,
        on_toggled_change=toggle,
        on_look_change=look,
    )


def stopped(drawn: net_graph.Graph, profile: NetworkProfile, stop: Failure) -> dict[str, Any]:
    """The graph as the browser takes it, with a "stop" on the box where the network stops.

    Where that is no layer's box, as of a part that is not built or of a failure in between two layers, there is one
    more.  An edge leads to it: where the data came from; where that is not known, from what ran last, without shapes.
    """
    message = net_graph.to_json(drawn)
    nodes: list[dict[str, Any]] = list(message["nodes"])  # type: ignore[call-overload]
    edges: list[list[Any]] = list(message["edges"])  # type: ignore[call-overload]
    places = {node.key: at for at, node in enumerate(drawn.nodes)}
    row = _failed(profile)
    node = None if row is None else drawn.holding(row)
    if node and not node.opened:
        at = places[node.key]
        nodes[at] = nodes[at] | {"stop": _words(stop, node.role in ("block", "fold"))}
    else:
        at = len(nodes)
        nodes.append(
            {
                "key": _STOP,
                "path": stop.path,
                "call": 0,
                "title": stop.path.rpartition(".")[2],
                "level": nodes[places[node.key]]["level"] + 1 if node else 0,
                "kind": stop.kind,
                "family": "",
                "role": "stop",
                "settings": "",
                "outputs": (),
                "parameters": 0,
                "macs": 0,
                "share": 0.0,
                "times": 1,
                "parent": places[node.key] if node else -1,
                "opens": False,
                "opened": False,
                "stop": _words(stop, False),
            }
        )
    if not any(target == at for _, target, _ in edges):
        before = places[_last_run(drawn, profile)]
        if before != at:
            edges.append([before, at, ()])
    return {"nodes": nodes, "edges": edges}


def _words(stop: Failure, inside: bool) -> dict[str, str]:
    return {"words": "stops inside" if inside else "stops here", "sentence": stop.sentence}


def _failed(profile: NetworkProfile) -> int | None:
    """The row that failed, layer or block; None of the network itself, and of what has no row."""
    if profile.failure is None:
        return None
    found = [at for at, row in enumerate(profile.rows) if row.path == profile.failure.path]
    return found[-1] if found and (found[-1] or profile.rows[0].role != "container") else None


def _last_run(drawn: net_graph.Graph, profile: NetworkProfile) -> str:
    """Key of the box of the layer that ran last; of the picture, where none did."""
    ran = [at for at, row in enumerate(profile.rows) if row.role != "container" and row.outputs]
    node = drawn.holding(ran[-1]) if ran else None
    return node.key if node else net_graph.PICTURE


def _end(profile: NetworkProfile, stop: Failure) -> dict[str, str]:
    """Where it stops, for the drawing of slabs."""
    row = _failed(profile)
    settings = "" if row is None else net_graph.short(profile.rows[row].settings)
    return {"kind": stop.kind, "settings": settings, **_words(stop, False)}


def _view(name: str, profile: NetworkProfile) -> dict[str, Any]:
    """How the network is looked at in this session; another network is looked at afresh."""
    view: dict[str, Any] = st.session_state.setdefault(f"{name} view", {"net": None, "answered": 0})
    if view["net"] != profile.name:
        view |= {
            "net": profile.name,
            "open": net_graph.usually_open(profile),
            "drawing": "boxes" if net_graph.is_chain(profile) else "graph",
            "across": False,
        }
    return view


def _row(profile: NetworkProfile, place: Place | None) -> int | None:
    return next((at for at, row in enumerate(profile.rows) if (row.path, row.call) == place), None)


def _whole(number: object) -> int:
    return number if isinstance(number, int) else 0


def _slab(slab: net_graph.Slab) -> dict[str, Any]:
    fields = asdict(slab)
    del fields["rows"]
    return fields | {"key": f"slab {slab.row}" if slab.row != INPUT else net_graph.PICTURE}


def _marked(drawn: net_graph.Graph, slabs: tuple[net_graph.Slab, ...], row: int) -> dict[str, str | None]:
    """What stands for a row in each of the drawings."""
    node = drawn.holding(row)
    slab = next((slab for slab in slabs if row in slab.rows), None)
    return {"graph": node.key if node else None, "boxes": f"slab {slab.row}" if slab else None}
