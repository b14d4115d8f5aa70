"""What pages show of domain objects: rooms, panes, filmstrips, costs, things to take home."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.figures.heat import Look, overlay
from explorer.figures.pictures import png
from explorer.images import plain
from explorer.models import NetworkInput
from explorer.recording import Tape
from explorer.saliency import METHODS, Saliency
from explorer.take_home import PICTURE, needs_picture, saliency_code
from explorer.ui import cache, link
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.heat_view import Pane
from explorer.ui.components.tiles import Tile, tiles
from explorer.ui.numbers import percent


def pane(fed: NetworkInput, probabilities: npt.NDArray[np.float32], found: Saliency) -> Pane:
    """One map under its class, what the network gave that class, and what a reader must know."""
    method, index = METHODS[found.spec.method], found.spec.class_index
    title = f"{fed.card.labels[index]} · probability {percent(float(probabilities[index]))}"
    if method.needs_gradient:
        return Pane(title, found.heat, found.note)
    note = f"{method.name} asks for no class: this map is the same for every one. {found.note}".strip()
    return Pane(f"{method.name} · no class", found.heat, note)


def filmstrip(fed: NetworkInput, drawn: Saliency, usual: str, look: Look) -> None:
    """The map of one class at every stage, shallow to deep; click or slide to the one to draw large."""
    spec = drawn.spec
    of_class = (
        f" for {plain(fed.card.labels[spec.class_index])}" if METHODS[spec.method].needs_gradient else ""
    )
    st.markdown(
        f"**Layer by layer**, shallow to deep{of_class}: each map on its own scale; ★ marks the usual layer."
    )
    tiles(
        "filmstrip",
        "Layer",
        [
            Tile(name, f"{rows} × {columns}", image, name, "★" if name == usual else "")
            for name, (rows, columns), image in cache.film(fed, spec.method, spec.class_index, look.colours)
        ],
        spec.layer,
        link.chooser("stage"),
        slider=True,
    )


def cost(fed: NetworkInput, tape: Tape, maps: Sequence[Saliency]) -> None:
    """What the network was fed, and what the answer took."""
    crop = fed.card.preprocessing.crop
    st.markdown("**What the network was fed**")
    pixels = "; image-rendering: pixelated" if crop < 160 else ""
    st.html(
        f'<img src="{cache.fed_image(fed)}" width="160" style="border-radius: 8px{pixels}" '
        f'alt="The picture as the network is given it, {crop} × {crop} pixels">'
    )
    _, device = cache.device()
    share = f"{100 * fed.share:.0f} % of the picture" if fed.share < 0.995 else "the whole picture"
    grey = " of grey" if fed.card.preprocessing.channels == 1 else ""
    st.caption(
        f"{crop} × {crop} pixels{grey}, from {share}. Forward pass {tape.forward_ms:.0f} ms, "
        f"backward to the layer {maps[0].backward_ms:.0f} ms, on {plain(device)}."
    )
    if tape.note:
        st.info(plain(tape.note))


def saliency_downloads(fed: NetworkInput, maps: Sequence[Saliency], scale: float, look: Look) -> None:
    """The link, overlays, raw maps, and code that draws the first map again with public packages."""
    card, photo, spec = fed.card, fed.photo, maps[0].spec
    named = photo.sample or photo.name.rpartition(".")[0] or photo.name
    with st.expander("Take it home", icon=":material/download:"):
        copy_link("copy link")
        with st.container(horizontal=True):
            for found in maps:
                _download_map(fed, found, scale, look, named, several=len(maps) > 1)
            if needs_picture(photo):
                download(
                    "Picture as PNG", lambda: png(photo.pixels), PICTURE, "The code reads it under this name."
                )
            code = saliency_code(fed, spec)
            stem = file_stem(named, card.labels[spec.class_index])
            download("Code as .py", code, f"{stem}.py", "Runs with public packages alone.")
        rows, columns = maps[0].heat.shape
        st.caption(
            f"The .npy holds the {rows} × {columns} values that {plain(spec.layer)} gives, as they are. The code draws "
            f"the same map with pytorch-grad-cam, which stretches it to 0–1 and enlarges it to "
            f"{card.preprocessing.crop} × {card.preprocessing.crop} before saving."
        )
        st.code(code, language="python", height=360)


def _download_map(
    fed: NetworkInput, found: Saliency, scale: float, look: Look, named: str, several: bool
) -> None:
    label = fed.card.labels[found.spec.class_index]
    stem, of_class = file_stem(named, label), f" of {label}" if several else ""
    download(
        f"Overlay{of_class} as PNG",
        lambda: png(overlay(fed.photo.pixels, found.heat, scale, fed.box, look)),
        f"{stem}.png",
        "At the photograph's own resolution.",
    )
    download(
        f"Map{of_class} as .npy",
        lambda: npy(found.heat),
        f"{stem}.npy",
        "float32, not scaled, not enlarged.",
    )


def download(label: str, data: str | Callable[[], bytes], file_name: str, explained: str) -> None:
    """A button; what takes time to make is made when it is pressed."""
    st.download_button(label, data, file_name, on_click="ignore", help=explained)


def npy(array: npt.NDArray[np.float32]) -> bytes:
    """The array as a .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def file_stem(*parts: str) -> str:
    """A file name of letters, digits and hyphens, from anything.

    >>> file_stem("my photo", "Egyptian cat")
    'my-photo-egyptian-cat'
    """
    words = (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:40] for part in parts)
    return "-".join(word for word in words if word) or "picture"
