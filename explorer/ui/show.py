"""What pages show of domain objects: rooms, panes, filmstrips, costs, things to take home."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.figures.heat import Look, overlay
from explorer.figures.pictures import png
from explorer.images import Photo, plain
from explorer.models import ModelCard
from explorer.recording import Tape
from explorer.saliency import METHODS, Saliency
from explorer.take_home import PICTURE, needs_picture, saliency_code
from explorer.ui import cache, link
from explorer.ui.components.heat_view import Pane
from explorer.ui.components.tiles import Tile, tiles


def percent(probability: float) -> str:
    """A probability for reading.

    >>> percent(0.81234), percent(0.0001), percent(0.0)
    ('81.2 %', '< 0.1 %', '0.0 %')
    """
    return "< 0.1 %" if 0 < probability < 0.0005 else f"{100 * probability:.1f} %"


def pane(card: ModelCard, probabilities: npt.NDArray[np.float32], found: Saliency) -> Pane:
    """One map under its class and what the network gave that class."""
    index = found.spec.class_index
    return Pane(f"{card.labels[index]} · {percent(float(probabilities[index]))}", found.heat, found.note)


def filmstrip(card: ModelCard, photo: Photo, spec_of: Saliency, usual: str, look: Look) -> None:
    """The map of one class at every stage, shallow to deep; click or slide to the one to draw large."""
    spec = spec_of.spec
    st.markdown(
        f"**Layer by layer**, shallow to deep, for {plain(card.labels[spec.class_index])}. "
        "Each map is on its own scale; ★ marks the usual layer."
    )
    frames = cache.film(card.key, photo, spec.method, spec.class_index, look.colours)
    tiles(
        "filmstrip",
        "Layer",
        [
            Tile(name, f"{rows} × {columns}", image, name, "★" if name == usual else "")
            for name, (rows, columns), image in frames
        ],
        spec.layer,
        link.chooser("layer"),
        slider=True,
    )


def cost(card: ModelCard, photo: Photo, tape: Tape, maps: Sequence[Saliency]) -> None:
    """What the network was fed, and what the answer took."""
    crop = card.preprocessing.crop
    st.markdown("**What the network was fed**")
    st.image(
        cache.fed_picture(card.key, photo),
        width=160,
        alt=f"The middle of the picture, {crop} × {crop} pixels, as the network was given it",
    )
    _, device = cache.device()
    st.caption(
        f"{crop} × {crop} pixels. Forward {tape.forward_ms:.0f} ms, "
        f"back to the layer {maps[0].backward_ms:.0f} ms, on {plain(device)}."
    )
    if tape.note:
        st.info(plain(tape.note))


def saliency_downloads(card: ModelCard, photo: Photo, found: Saliency, scale: float, look: Look) -> None:
    """The overlay, the raw map, and code that draws the map again with public packages."""
    spec = found.spec
    box = card.preprocessing.view(photo.height, photo.width)
    stem = _file_stem(
        photo.sample or photo.name.rpartition(".")[0] or photo.name, card.labels[spec.class_index]
    )
    with st.expander("Take it home", icon=":material/download:"):
        st.download_button(
            "Overlay as PNG",
            lambda: png(overlay(photo.pixels, found.heat, scale, box, look)),
            f"{stem}.png",
            "image/png",
            on_click="ignore",
            width="stretch",
            help="At the photograph's own resolution.",
        )
        rows, columns = found.heat.shape
        st.download_button(
            "Map as .npy",
            lambda: _npy(found.heat),
            f"{stem}.npy",
            "application/octet-stream",
            on_click="ignore",
            width="stretch",
            help=f"{rows} × {columns} float32, as {spec.layer} gives it: not scaled, not enlarged.",
        )
        if needs_picture(photo):
            st.download_button(
                "Picture as PNG",
                lambda: png(photo.pixels),
                PICTURE,
                "image/png",
                on_click="ignore",
                width="stretch",
                help="As this page uses it; the code reads it under this name.",
            )
        code = saliency_code(card, spec, photo)
        st.download_button(
            "Code as .py", code, f"{stem}.py", "text/x-python", on_click="ignore", width="stretch"
        )
        st.caption(f"{METHODS[spec.method].name} with pytorch-grad-cam, and nothing of ours:")
        st.code(code, language="python", height=320)


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _file_stem(*parts: str) -> str:
    """A file name of letters, digits and hyphens, from anything.

    >>> _file_stem("my photo", "Egyptian cat")
    'my-photo-egyptian-cat'
    """
    words = (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:40] for part in parts)
    return "-".join(word for word in words if word) or "saliency"
