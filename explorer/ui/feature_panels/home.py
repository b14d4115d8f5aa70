"""Things to take home: the wall as a sheet, one map as a picture, the numbers, code that makes them again, the link."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st

from explorer.activations import ORDERS, FeatureMaps, ordered
from explorer.feature_code import feature_code
from explorer.figures.map_sheet import MOST_MAPS, map_sheet, veil_sheet
from explorer.figures.pictures import png
from explorer.figures.signed import enlarged, signed_picture
from explorer.images import plain
from explorer.receptive_field import ReceptiveField
from explorer.take_home import PICTURE, closeup, layer_stem, needs_picture, short_stem
from explorer.ui import cache, feature_controls, unit_controls
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.unit_view import Look
from explorer.ui.feature_controls import Subject
from explorer.ui.show import download

SIDE: Final = 896
"""Pixels of a single map's picture, about: its cells are whole squares."""


def take_home(subject: Subject) -> None:
    """The panel."""
    layer, fed = subject.layer, subject.fed
    word = _word(subject)
    stem, one = stem_of(subject), f"{word.capitalize()} {subject.unit}"
    single = f"{stem}-{word}-{subject.unit}"
    st.markdown(
        f"The {word}s of **{plain(_named(subject))}** as they are on the wall, {word} **{subject.unit}**, the numbers "
        "behind them, and a script that makes them again without this app."
    )
    copy_link("copy feature link")
    # what is made when a button is pressed is made outside the run: it can ask neither the link nor a session's cache
    order, peak = _shown(subject)
    field = unit_controls.framed(subject).field
    logits = cache.tape(fed).logits[0].numpy()
    with st.container(horizontal=True):
        download(
            "Wall as PNG",
            lambda: png(_sheet(subject, order, peak)),
            f"{stem}-wall.png",
            _of_the_sheet(subject),
        )
        download(
            f"{one} as PNG",
            lambda: png(enlarged(signed_picture(subject.maps.values[subject.unit]), SIDE)),
            f"{single}.png",
            "In the colours of the wall, its own strongest value at their ends; cells are squares.",
        )
        if layer.grid != (1, 1):
            download(
                f"{one} on the photo",
                lambda: png(_on_photo(subject, field)),
                f"{single}-on-photo.png",
                "As it lies over the picture on this page: red above zero, blue below, in hard cells, with a scale.",
            )
        download(
            "Tensors as .npz",
            lambda: tensors(subject.maps, logits, fed.card.labels),
            f"{stem}.npz",
            "“maps” float32 (channels, rows, columns), “logits”, “labels”, “layer”.",
        )
        if needs_picture(fed.photo):
            download(
                "Picture as PNG", lambda: png(fed.photo.pixels), PICTURE, "The code reads it under this name."
            )
        code = feature_code(fed, layer, subject.unit)
        download("Code as .py", code, f"{single}.py", "Runs with public packages alone.")
    st.code(code, language="python", height=420)


def _word(subject: Subject) -> str:
    """What one of the layer's maps is called."""
    return "head" if subject.layer.layout == "heads" else "map"


def _named(subject: Subject) -> str:
    """The layer, as it is called on the page."""
    layer = subject.layer
    run = f" · run {layer.call}" if layer.call > 1 else ""
    return f"{layer.name}{' · heads' if layer.layout == 'heads' else ''}{run}"


def stem_of(subject: Subject) -> str:
    """What the names of all files begin with: the network and its weights, the layer, the picture."""
    card, photo = subject.fed.card, subject.fed.photo
    weights = "random" if card.source == "random" else card.weights
    picture = photo.sample or photo.name.rpartition(".")[0] or photo.name
    parts = short_stem(card.name), short_stem(weights), layer_stem(subject.layer), short_stem(picture)
    return "-".join(part for part in parts if part)


def _title(subject: Subject, what: str = "") -> str:
    """The network and its weights, the layer, the map and the picture."""
    card, layer = subject.fed.card, subject.layer
    parts = card.title, _named(subject), layer.kind, what, subject.fed.photo.name
    return " · ".join(part for part in parts if part)


def _sheet(subject: Subject, order: Sequence[int], peak: float | None) -> np.ndarray:
    word = "head" if subject.layer.layout == "heads" else ""
    return map_sheet(subject.maps, order[:MOST_MAPS], _title(subject), peak, word=word)


def _shown(subject: Subject) -> tuple[Sequence[int], float | None]:
    """The maps in the order of the wall, and the strength at the ends of the colours; None: each its own."""
    look = feature_controls.look()
    peak = None
    if look.scope != "map":
        peak = subject.maps.peak if look.scope == "layer" else cache.net_peak(subject.fed)
    return ordered(subject.maps, look.order), peak


def _of_the_sheet(subject: Subject) -> str:
    count = min(subject.layer.channels, MOST_MAPS)
    order = ORDERS[feature_controls.look().order].title
    return f"{count:,} {_word(subject)}s by {order}, numbered, with a legend."


def _on_photo(subject: Subject, field: ReceptiveField | None) -> np.ndarray:
    """The map over what the network is fed, as the page lays it, some `SIDE` pixels wide."""
    times = max(1, round(SIDE / subject.fed.preprocessing.crop))
    return veil_sheet(
        closeup(subject.fed, times),
        subject.maps.values[subject.unit],
        field,
        Look().opacity / 100,
        times,
        _title(subject, f"{_word(subject)} {subject.unit}"),
    )


def tensors(maps: FeatureMaps, logits: np.ndarray, labels: Sequence[str]) -> bytes:
    """The numbers as an .npz file that numpy reads without pickle."""
    file = io.BytesIO()
    np.savez_compressed(
        file, maps=maps.values, logits=logits, labels=np.array(labels), layer=np.array(maps.layer.key)
    )
    return file.getvalue()
