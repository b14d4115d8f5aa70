"""Inversion: the picture found again from a layer's features alone, early, middle and deep side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
import streamlit as st

from explorer.errors import Cancelled, ExplorerError
from explorer.figures.annotated import annotated_png
from explorer.figures.pictures import png
from explorer.images import plain
from explorer.inversion import LIMIT, Inversion, Reconstruction, Settings, invert, psnr
from explorer.inversion_code import inversion_code
from explorer.references import PAPERS
from explorer.take_home import PICTURE, needs_picture
from explorer.ui import cache, controls, link, under_way
from explorer.ui.feature_controls import Subject
from explorer.ui.feature_panels import searching
from explorer.ui.feature_panels.searching import Tile
from explorer.ui.show import download, file_stem

_LAYERS: Final[Mapping[str, str]] = MappingProxyType(
    {"three": "Early, middle, deep", "all": "Every stage", "this": "This layer"}
)
_ITERATIONS: Final = (64, 128, 256, 512, 1024)
MOST_SEED: Final = 9999

FULL: Final = 45.0
"""Decibels at which the bar under a picture is full: differences of one or two levels of 255."""

_KEPT, MOST_KEPT = "inversions found", 4
"""Session key of what was found, by what was asked, and how many are kept: some 2 MB each at most."""

_What = tuple[object, ...]


def inversion(subject: Subject) -> None:
    """The panel."""
    st.markdown(
        "**What does a layer still know of the picture?** From grey noise a picture is moved until the layer answers "
        "with the same features. Early layers give the picture back nearly as it was; deep ones keep what is in it, "
        "and forget where and how."
    )
    layers, settings = _layers(subject), None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width=430):
            controls.choice("invert", "From the features of", _LAYERS, "the layers", buttons=True)
        with st.popover("More", icon=":material/tune:"):
            settings = _settings(subject)
        what: _What = (subject.fed.identity, tuple(layers), settings)
        search = searching.going("inversion", what)
        kept: dict[_What, tuple[Inversion | None, ExplorerError | None]] = st.session_state.get(_KEPT, {})
        st.button(
            "Reconstruct again" if what in kept else "Reconstruct",
            icon=":material/image_search:",
            type="primary",
            key="start inversion",
            disabled=search is not None,
            on_click=_start,
            args=(subject, layers, settings, what),
        )
    if search is not None:
        under_way.show(
            search,
            "cancel inversion",
            partial(_words, since=search.since),
            partial(_keep, what),
            partial(_pictures, lively=True),
        )
    elif what in kept:
        found, error = kept[what]
        searching.troubles(error)
        if found is not None:
            _ended(found, error)
            _pictures(found)
            _home(subject, found)
    _explain(subject)


def _layers(subject: Subject) -> list[str]:
    """The layers that are inverted: stages of the network, or the chosen one alone."""
    which = link.read_among("invert", _LAYERS, "three", "the layers")
    stages = [stage.name for stage in cache.recorder(subject.fed.card.key).stages]
    if which == "this":
        return [subject.layer.key]
    if which == "three":
        stages = [stages[place] for place in sorted({0, len(stages) // 2, len(stages) - 1})]
    return stages


def _settings(subject: Subject) -> Settings:
    sides = cache.canvas_sides(subject.fed.card.key)
    side = controls.choice(
        "invertside", "Size", {str(side): f"{side} × {side} pixels" for side in sides}, "the size"
    )
    iterations = controls.choice(
        "invertsteps",
        "Iterations for each layer",
        {str(count): f"{count:,}" for count in _ITERATIONS},
        "the number of iterations",
        usual="256",
    )
    return Settings(int(side), int(iterations), seed("invertseed"))


def seed(name: str) -> int:
    """The number that all chance comes from, in the link under this name."""
    chosen, key = link.read_number(name, 0, 0, MOST_SEED), f"{name} control"
    st.session_state[key] = chosen
    st.number_input(
        "Seed",
        0,
        MOST_SEED,
        step=1,
        key=key,
        on_change=lambda: link.choose(name, str(st.session_state[key])),
        help="Of the noise to begin with and of all moves: the same seed finds the same picture.",
    )
    return chosen


def _start(subject: Subject, layers: list[str], settings: Settings, what: _What) -> None:
    fed = subject.fed
    steps = invert(subject.probe, fed.photo.pixels, fed.preprocessing, layers, settings)
    searching.begin("inversion", what, steps)


def _keep(what: _What, found: Inversion | None, error: ExplorerError | None) -> None:
    kept: dict[_What, tuple[Inversion | None, ExplorerError | None]] = st.session_state.setdefault(_KEPT, {})
    kept.pop(what, None)
    kept[what] = found, error
    while len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]


def _words(found: Inversion, since: float) -> tuple[float, str]:
    least = min(part.done for part in found.parts)
    left = under_way.time_left(found.fraction, since)
    waited = time.monotonic() - since
    return (
        found.fraction,
        f"Iteration {least:,} of {found.settings.iterations:,}: {waited:,.0f} s so far{left}",
    )


def _ended(found: Inversion, error: ExplorerError | None) -> None:
    iterations, done = found.settings.iterations, min(part.done for part in found.parts)
    if isinstance(error, Cancelled):
        st.caption(f"Cancelled after {done:,} of {iterations:,} iterations: this is how far it came.")
    elif found.ended == "time":
        st.caption(f"Ended after {LIMIT:.0f} s of computing, {done:,} of {iterations:,} iterations.")


def _pictures(found: Inversion, lively: bool = False) -> None:
    side = found.settings.side
    fed = Tile(
        found.original,
        "The picture",
        (f"{side} × {side}, as it is fed",),
        "The picture as the network is given it",
        1,
    )
    searching.tiles([fed, *map(_tile, found.parts)], lively=lively)


def _tile(part: Reconstruction) -> Tile:
    return Tile(
        part.pixels,
        part.layer.key,
        (
            f"{_decibels(part.psnr)} · features differ by {100 * part.distance:.1f} %",
            _size(part),
        ),
        f"The picture found from the features of {part.layer.key}: {_decibels(part.psnr)}",
        min(part.psnr / FULL, 1.0),
    )


def _decibels(value: float) -> str:
    return "the same" if math.isinf(value) else f"{value:.1f} dB"


def _size(part: Reconstruction) -> str:
    (rows, columns), channels = part.grid, part.layer.channels
    return f"{channels:,} numbers" if part.grid == (1, 1) else f"{channels:,} maps of {rows} × {columns}"


def _home(subject: Subject, found: Inversion) -> None:
    photo = subject.fed.photo
    grey = psnr(np.full_like(found.original, 128), found.original)
    st.caption(
        f"dB: peak signal to noise ratio against what the network was fed, 10·log₁₀(255² / mean squared difference). "
        f"More is closer; from 30 on the eye hardly sees a difference, and plain grey has {_decibels(grey)} here. "
        f"{found.seconds:,.0f} s of computing."
    )
    notes = {
        "Title": "Pictures found from features; the first is the original",
        "Layers": ", ".join(part.layer.key for part in found.parts),
        "PSNR": ", ".join(_decibels(part.psnr) for part in found.parts),
        "Iterations": ", ".join(str(part.done) for part in found.parts),
        "Network": subject.fed.card.title,
        "Seed": str(found.settings.seed),
        "Software": "CNN Explorer",
    }
    sheet = np.concatenate([found.original, *(part.pixels for part in found.parts)], axis=1)
    stem = file_stem(subject.fed.card.name, photo.sample or photo.name, "inverted")
    with st.container(horizontal=True, gap="small"):
        download(
            "Pictures as PNG",
            lambda: annotated_png(sheet, notes),
            f"{stem}.png",
            "Side by side; seed, layers and figures are written inside as text.",
        )
        if needs_picture(photo):
            download(
                "Your picture as PNG",
                lambda: png(photo.pixels),
                PICTURE,
                "The code reads it under this name.",
            )
        code = inversion_code(subject.fed, found)
        download(
            "Code as .py",
            code,
            f"{stem}.py",
            "Finds them again with public packages alone. Deep layers leave much open: another machine, which rounds "
            "otherwise, finds others that are as close.",
        )


def _explain(subject: Subject) -> None:
    inverting, visualising = PAPERS["mahendran2015"], PAPERS["olah2017"]
    random = (
        " The weights are random: what is lost here, no training has thrown away."
        if (subject.fed.card.source == "random")
        else ""
    )
    st.caption(
        f"After [{plain(inverting.citation)}]({inverting.url}): the relative distance of the features, the picture’s "
        "total variation (β = 2), small shifts before each look, Adam. What features leave open is filled with what is "
        "assumed: smooth, nearly grey, the deeper the more; and the frequencies of photographs "
        f"([{plain(visualising.citation)}]({visualising.url})). Another seed shows what is open.{random}"
    )
