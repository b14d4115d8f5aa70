"""Things to take home: the wall as a sheet, one map as a picture, the numbers, code that makes them again, the link."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st

from explorer.activations import ORDERS, FeatureMaps, ordered
from explorer.feature_code import feature_code
from explorer.figures.heat import Look, overlay
from explorer.figures.map_sheet import MOST_MAPS, map_sheet
from explorer.figures.pictures import png
from explorer.figures.signed import enlarged, signed_picture
from explorer.images import plain
from explorer.take_home import PICTURE, needs_picture
from explorer.ui import cache, feature_controls
from explorer.ui.components.copy_link import copy_link
from explorer.ui.feature_controls import Subject
from explorer.ui.show import download, file_stem

SIDE: Final = 896
"""Pixels of a single map's picture, about: its cells are whole squares."""


def take_home(subject: Subject) -> None:
    """The panel."""
    layer, fed = subject.layer, subject.fed
    named = fed.photo.sample or fed.photo.name.rpartition(".")[0] or fed.photo.name
    stem = file_stem(fed.card.name, layer.key, named)
    st.markdown(
        f"The maps of **{plain(layer.key)}** as they are on the wall, map **{subject.unit}**, the numbers behind them, "
        "and a script that makes them again without this app."
    )
    copy_link("copy feature link")
    # what is made when a button is pressed is made outside the run: it can ask neither the link nor a session's cache
    order, peak = _shown(subject)
    logits = cache.tape(fed).logits[0].numpy()
    with st.container(horizontal=True):
        download(
            "Wall as PNG",
            lambda: png(_sheet(subject, order, peak)),
            f"{stem}-wall.png",
            _of_the_sheet(subject),
        )
        download(
            f"Map {subject.unit} as PNG",
            lambda: png(enlarged(signed_picture(subject.maps.values[subject.unit]), SIDE)),
            f"{stem}-map-{subject.unit}.png",
            "In the colours of the wall, its own strongest value at their ends; cells are squares.",
        )
        if min(layer.grid) > 1:
            download(
                f"Map {subject.unit} on the photo",
                lambda: png(_on_photo(subject)),
                f"{stem}-map-{subject.unit}-on-photo.png",
                "What is above zero, at the photograph's own resolution.",
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
        download("Code as .py", code, f"{stem}.py", "Runs with public packages alone.")
    st.code(code, language="python", height=420)


def _sheet(subject: Subject, order: Sequence[int], peak: float | None) -> np.ndarray:
    card = subject.fed.card
    title = f"{card.title} · {subject.layer.key} · {subject.layer.kind} · {subject.fed.photo.name}"
    return map_sheet(subject.maps, order[:MOST_MAPS], title, peak)


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
    return f"{count:,} maps by {order}, numbered, with a legend."


def _on_photo(subject: Subject) -> np.ndarray:
    heat = np.maximum(subject.maps.values[subject.unit], 0)
    return overlay(subject.fed.photo.pixels, heat, float(heat.max()), subject.fed.box, Look())


def tensors(maps: FeatureMaps, logits: np.ndarray, labels: Sequence[str]) -> bytes:
    """The numbers as an .npz file that numpy reads without pickle."""
    file = io.BytesIO()
    np.savez_compressed(
        file, maps=maps.values, logits=logits, labels=np.array(labels), layer=np.array(maps.layer.key)
    )
    return file.getvalue()
