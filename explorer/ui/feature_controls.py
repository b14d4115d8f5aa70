"""Controls of the page on feature maps: which layer, which of its maps."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from explorer.activations import HEADS, ORDERS, FeatureMaps, Layer, Probe
from explorer.models import DEFAULT_MODEL, NetworkInput
from explorer.ui import cache, link
from explorer.ui.components.wall import SCOPES, SIZES, Look

_CHOSEN_OF = "network that the layer was chosen of"


@dataclass(frozen=True, eq=False)
class Subject:
    """What is looked at: a picture before a network, one layer's maps, and one of them.

    Attributes:
        fed: the picture and the network.
        probe: reads any layer of it.
        maps: what the chosen layer makes of the picture.
        unit: number of the chosen map, from 0.
    """

    fed: NetworkInput
    probe: Probe
    maps: FeatureMaps
    unit: int

    @property
    def layer(self) -> Layer:
        """The chosen layer."""
        return self.maps.layer


def layer(fed: NetworkInput) -> Layer:
    """The layer that the link asks for; else the network's second stage, where shapes begin."""
    probe = cache.probe(fed.card.key)
    known = {layer.key: layer for layer in probe.layers}
    usual = cache.recorder(fed.card.key).stages[:2][-1].name
    asked = link.read("module", usual)
    if link.read("model", DEFAULT_MODEL) != fed.card.key:  # the link's own network is on its way
        return known.get(asked, known[usual])
    if (
        st.session_state.get(_CHOSEN_OF, fed.card.key) != fed.card.key
    ):  # layers of another network mean nothing here
        number = link.read("map")
        if asked not in known:
            link.forget("module", "map")
        elif not number.isdecimal() or int(number) >= known[asked].channels:
            link.forget("map")
    st.session_state[_CHOSEN_OF] = fed.card.key
    return known[link.read_among("module", known, usual, "the layer")]


def subject(fed: NetworkInput) -> Subject:
    """What the link asks to look at; else the first map of the usual layer.

    Raises:
        LayerError: the layer's values are no numbers.
    """
    maps = cache.feature_maps(fed, layer(fed).key)
    waiting = link.read("model", DEFAULT_MODEL) != fed.card.key  # the number is another network's
    unit = 0 if waiting else link.read_number("map", 0, 0, maps.layer.channels - 1)
    return Subject(fed, cache.probe(fed.card.key), maps, unit)


def look() -> Look:
    """How the wall is looked at, as the link or the visitor's hand has it."""
    usual = Look()
    return Look(
        order=link.read_among("order", ORDERS, usual.order, "the order"),
        scope=link.read_among("scope", SCOPES, usual.scope, "the scale of"),
        size=link.read_among("tile", SIZES, usual.size, "tiles of the size"),
    )


def take_look(settled: Look) -> None:
    """Keep how the wall has come to be looked at."""
    link.choose("order", settled.order)
    link.choose("scope", settled.scope)
    link.choose("tile", settled.size)


def take_layer(key: str) -> None:
    """Look at another layer; its maps have other numbers, and other filters made them.

    From one attention's heads to another's the number stays: so a token can be followed through all layers.
    """
    between_heads = HEADS in key and HEADS in link.read("module")
    link.choose("module", key)
    link.forget("filters", *([] if between_heads else ["map"]))


def take_unit(number: int) -> None:
    """Look at another map of the layer."""
    link.choose("map", str(number))
