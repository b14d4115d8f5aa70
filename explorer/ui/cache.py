"""Every cache of the app, each with what it holds and how much.

What derives from a visitor's picture is cached for that visitor's session alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import streamlit as st
import torch

from explorer import process, saliency, weights
from explorer.desk import desk
from explorer.devices import choose_device, device_name
from explorer.figures.heat import Look, overlay
from explorer.figures.pictures import data_uri, jpeg, png, square_thumbnail, thumbnail
from explorer.images import SAMPLES, Photo, sample_photo
from explorer.models import CATALOGUE, CropBox, ModelCard, card, load_network
from explorer.recording import Recorder, Tape
from explorer.saliency import Saliency, SaliencySpec
from explorer.ui.components.picker import Option
from explorer.ui.components.tiles import Tile

TILE = 128
"""Side of a sample's thumbnail in pixels: twice what is shown, for fine screens."""

FILM = 192
"""Side of a picture of the filmstrip, likewise."""

# A photo is known by the digest of its pixels: hashing the pixels on every run would cost more than the run.
_BY_DIGEST: dict[str | type[Any], Callable[[Any], Any]] = {Photo: lambda photo: (photo.name, photo.digest)}


class Seat:
    """What a session holds of the server: its place at the desk, and at most one download."""

    def __init__(self) -> None:
        self.owner = secrets.token_hex(8)
        self.download: weights.Download | None = None

    def wait_for(self, wanted: ModelCard) -> weights.Download:
        """The download of this network's weights, joined once; another one is left."""
        if self.download is None or self.download.path.name != wanted.file_name:
            self.stop_waiting()
            self.download = weights.request(wanted)
        return self.download

    def stop_waiting(self) -> None:
        """Leave the download, if there is one; it stops when nobody else waits for it."""
        download, self.download = self.download, None
        if download:
            download.leave()

    def leave(self) -> None:
        """The session has ended: nothing is done for it any more."""
        desk().forget(self.owner)
        self.stop_waiting()


@st.cache_resource(scope="session", show_spinner=False, on_release=Seat.leave)
def seat() -> Seat:
    """This session's seat."""
    return Seat()


@st.cache_resource(show_spinner=False)
def device() -> tuple[torch.device, str]:
    """The device networks run on, and its name.  Asked once: asking a GPU takes time."""
    chosen = choose_device()
    return chosen, device_name(chosen)


@st.cache_resource(max_entries=3, show_spinner=False)
def recorder(model: str) -> Recorder:
    """A loaded network with its taps, for every session; the three used last are kept."""
    chosen, _ = device()
    made = Recorder(load_network(model).to(chosen), size=card(model).preprocessing.crop)
    process.settle()  # what was loaded stays: the collector need not look at it again
    return made


@st.cache_resource(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def tape(model: str, photo: Photo, every_stage: bool = False) -> Tape:
    """One forward pass of a photo; the last four of a session, in memory that `recording` bounds for all.

    By default gradients reach the usual layer alone: such tapes are small, and forwards of several sessions
    share a batch.  The film of all stages has one of its own, recorded when the large map is on screen: in a
    class that clicks at once everybody sees that map first.
    """
    taps = recorder(model)
    layers = None if every_stage else [taps.default.name]
    return desk().record(taps, card(model).preprocessing.tensor(photo.pixels), layers, owner=seat().owner)


@st.cache_data(scope="session", max_entries=256, show_spinner=False, hash_funcs=_BY_DIGEST)
def heat(model: str, photo: Photo, specs: tuple[SaliencySpec, ...]) -> list[Saliency]:
    """Maps of one photo, for several classes or layers in one backward pass."""
    usual = recorder(model).default.name
    recorded = tape(model, photo, every_stage=any(spec.layer != usual for spec in specs))
    return desk().run(saliency.explain_all, recorded, specs, owner=seat().owner)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def photo_file(photo: Photo) -> bytes:
    """The photo as it travels to the browser."""
    return jpeg(photo.pixels)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def tile_image(photo: Photo) -> str:
    """The photo as a tile's picture."""
    return data_uri(jpeg(square_thumbnail(photo.pixels, TILE)))


@st.cache_resource(show_spinner=False)
def sample_tiles() -> tuple[Tile, ...]:
    """The sample pictures, to be clicked."""
    return tuple(
        Tile(key, sample.title, data_uri(jpeg(square_thumbnail(sample_photo(key).pixels, TILE))))
        for key, sample in SAMPLES.items()
    )


def model_options() -> list[Option]:
    """The catalogue as the picker shows it.  Not cached: a download changes what is on this machine."""
    return [
        Option(
            key,
            entry.title,
            entry.family,
            f"{entry.year} · {entry.parameters / 1e6:,.1f} M parameters"
            + (f" · top-1 {entry.top1:.1f} %" if entry.top1 is not None else ""),
            weights.availability(entry),
        )
        for key, entry in CATALOGUE.items()
    ]


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def fed_picture(model: str, photo: Photo) -> bytes:
    """The picture as the network was given it, PNG."""
    return png(card(model).preprocessing.image(photo.pixels))


@st.cache_data(scope="session", max_entries=32, show_spinner=False, hash_funcs=_BY_DIGEST)
def film(
    model: str, photo: Photo, method: str, class_index: int, colours: str
) -> list[tuple[str, tuple[int, int], str]]:
    """Name, grid and picture (a data URI) of every stage's map, shallow to deep, each on its own scale."""
    stages = recorder(model).stages
    found = heat(model, photo, tuple(SaliencySpec(method, stage.name, class_index) for stage in stages))
    small = thumbnail(card(model).preprocessing.image(photo.pixels), FILM)
    whole = CropBox(0, 0, *small.shape[:2])
    look = Look(opacity=85, colours=colours)
    return [
        (
            one.spec.layer,
            (one.heat.shape[0], one.heat.shape[1]),
            data_uri(jpeg(overlay(small, one.heat, one.peak, whole, look))),
        )
        for one in found
    ]


def dry_run(model: str, photo: Photo) -> None:
    """What the first visitor would wait for: the first pass of each kind, forward and back, is slow."""
    sample_tiles()
    taps = recorder(model)
    x = card(model).preprocessing.tensor(photo.pixels)
    for layers in ([taps.default.name], None):
        recorded = desk().record(taps, x, layers, owner="warm-up")
        best = int(recorded.probabilities()[0].argmax())
        specs = [SaliencySpec("grad_cam", layer, best) for layer in recorded.layers]
        desk().run(saliency.explain_all, recorded, specs, owner="warm-up")
