"""The same network in other rooms: its maps, where it looks, what its units see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer import weights
from explorer.errors import ExplorerError
from explorer.images import plain
from explorer.models import CATALOGUE, RANDOM, ModelCard, card
from explorer.networks.source import Network
from explorer.profiling import NetworkProfile
from explorer.ui import cache, frame
from explorer.ui.layer_panels.stacks import ANY
from explorer.untrained import NOTE, write_key

_ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "features": "Give it a picture: every map of every layer, and the filters that made them.",
        "saliency": "Give it a picture, pick an output, and see which parts of the picture spoke for it, layer by "
        "layer.",
    }
)
"""Rooms that feed the network a picture, and what they show of it."""

_DOORS: Final[Mapping[str, str]] = MappingProxyType(
    {"features": "Feature maps", "saliency": "Where it looks"}
)
"""What their doors lead to, before the weights."""

_SEEN: Final = (
    "What a unit of each of its layers sees of your picture: the receptive field, through all branches."
)


def go_on(network: Network, found: NetworkProfile) -> None:
    """A door to each room that can show this network, or the sentence why it cannot."""
    key, why = _written(network)
    untrained, refused = _untrained(key) if key else (None, why)
    trained = _trained(network)
    rooms = {room.path: room for room in frame.ROOMS}
    for path, sentence in _ASKED.items():
        if path not in rooms:
            continue
        notes = [f"Trained weights: {weights.availability(entry)}." for entry in trained]
        if refused:
            notes.append(f":material/block: {'Not with random weights. ' * bool(trained)}{plain(refused)}")
        doors = [("random weights", untrained.key)] if untrained else []
        doors += [("trained weights", entry.key) for entry in trained]
        labels = {f"{_DOORS[path]}, {which}": {"model": model} for which, model in doors}
        _room(rooms[path], sentence, notes, labels)
    without = _without_fields(key, why)
    seen = {"about": "field", "stack": f"{ANY}{key}"}
    notes = [f":material/block: {plain(without)}"] if without else []
    _room(rooms["arithmetic"], _SEEN, notes, {} if without else {"Receptive fields": seen})
    if untrained:
        st.info(plain(NOTE), icon=":material/casino:")
    if untrained or trained or not without:
        st.caption("Each door is a link too: copy it, and it opens the same network elsewhere.")


def _room(
    room: frame.Room, sentence: str, notes: Sequence[str], doors: Mapping[str, Mapping[str, str]]
) -> None:
    """What a room shows of the network, what has to be said of it, and its doors: words, and the choices behind."""
    with st.container(border=True):
        st.markdown(f"**{room.icon} {plain(room.title)}** {sentence}")
        for note in notes:
            st.caption(note)
        with st.container(horizontal=True):
            for label, query in doors.items():
                _door(room, label, query)


def _door(room: frame.Room, label: str, query: Mapping[str, str]) -> None:
    st.page_link(
        frame.entry(room),
        label=f"**{label}**",
        icon=":material/arrow_forward:",
        query_params=dict(query),
        width="content",
    )


def _written(network: Network) -> tuple[str, str]:
    """The network in a link, with its input where that is not its own; or why it is in none."""
    own = cache.network(network.source, None).input_shape
    try:
        return write_key(network.source, None if network.input_shape == own else network.input_shape), ""
    except ExplorerError as error:
        return "", str(error)


def _untrained(key: str) -> tuple[ModelCard | None, str]:
    """Its card with random weights, or why there is none."""
    try:
        return card(f"{RANDOM}{key}"), ""
    except ExplorerError as error:
        return None, str(error)


def _trained(network: Network) -> tuple[ModelCard, ...]:
    """Its architecture with the usual trained weights, where somebody trained it."""
    key = network.classic.key.removesuffix("-no-aux") if network.classic else ""
    return tuple(entry for entry in CATALOGUE.values() if entry.architecture == key or entry.key == key)[:1]


def _without_fields(key: str, why: str) -> str:
    """Why its receptive fields cannot be shown; "" where they can."""
    try:
        if key:
            cache.fields(key)
    except ExplorerError as error:
        return str(error)
    return why
