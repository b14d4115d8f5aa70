"""Every cache of the app, each with what it holds and how much.

What derives from a visitor's picture is cached for that visitor's session alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
import torch
from torch import nn

from explorer import memory, process, saliency, weights
from explorer.convolution import ConvSpec, Equivariance, Pair, equivariance
from explorer.desk import desk
from explorer.devices import choose_device, device_name
from explorer.effective_field import EffectiveField
from explorer.figures.heat import Look, overlay
from explorer.figures.pictures import data_uri, jpeg, png, square_thumbnail, thumbnail
from explorer.images import SAMPLES, Photo, sample_photo
from explorer.kernels import KERNELS, Kernel, learned_kernels
from explorer.models import CATALOGUE, DEFAULT_MODEL, ModelCard, NetworkInput, card, load_network
from explorer.networks.classics import CLASSICS
from explorer.networks.source import Network, Picture, Source, load
from explorer.preprocessing import CropBox
from explorer.profiling import NetworkProfile, profile
from explorer.receptive_field import ReceptiveField, Row, Step
from explorer.recording import Recorder, Tape
from explorer.saliency import Saliency, SaliencySpec
from explorer.ui.components.picker import Option
from explorer.ui.components.stencil import Laying
from explorer.ui.components.tiles import Tile
from explorer.ui.kernel_panels import results
from explorer.ui.kernel_panels.pictures import corner_tile
from explorer.ui.layer_panels import stacks

MAX_LOADED = 3
"""Networks kept loaded."""

TILE = 128
"""Side of a sample's thumbnail in pixels: twice what is shown, for fine screens."""

FILM = 192
"""Side of a picture of the filmstrip, likewise."""

# Pictures and inputs are known by digests: hashing the pixels on every run would cost more than the run.
_BY_DIGEST: dict[str | type[Any], Callable[[Any], Any]] = {
    Photo: lambda photo: photo.digest,
    NetworkInput: lambda fed: fed.identity,
    Kernel: lambda kernel: kernel.text,
    Laying: repr,
}


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


@st.cache_resource(max_entries=MAX_LOADED, show_spinner=False, on_release=Recorder.close)
def recorder(model: str) -> Recorder:
    """A loaded network with its taps, shared by all sessions; the least recently used is released first.

    Who asks for one that is being loaded waits for it; who asks for another does not.
    """
    chosen, _ = device()
    made = Recorder(load_network(model).to(chosen), size=card(model).preprocessing.crop)
    process.settle()  # what was loaded stays: the collector need not look at it again
    return made


@st.cache_resource(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def tape(fed: NetworkInput, every_stage: bool = False) -> Tape:
    """One forward pass; the last four of a session, in memory that `recording` bounds for all.

    By default gradients reach the usual layer alone: such tapes are small, and forwards of several sessions
    share a batch.  The film of all stages has one of its own, recorded when the large map is on screen: in a
    class that clicks at once everybody sees that map first.
    """
    taps = recorder(fed.card.key)
    layers = None if every_stage else [taps.default.name]
    return desk().record(taps, fed.tensor(), layers, owner=seat().owner)


@st.cache_data(scope="session", max_entries=256, show_spinner=False, hash_funcs=_BY_DIGEST)
def heat(fed: NetworkInput, specs: tuple[SaliencySpec, ...]) -> list[Saliency]:
    """Maps of one picture, for several classes or layers in one backward pass."""
    usual = recorder(fed.card.key).default.name
    recorded = tape(fed, every_stage=any(spec.layer != usual for spec in specs))
    return desk().run(saliency.explain_all, recorded, specs, owner=seat().owner)


@st.cache_data(scope="session", max_entries=32, show_spinner=False, hash_funcs=_BY_DIGEST)
def film(
    fed: NetworkInput, method: str, class_index: int, colours: str
) -> list[tuple[str, tuple[int, int], str]]:
    """Name, grid and picture (a data URI) of every stage's map, shallow to deep, each on its own scale."""
    stages = recorder(fed.card.key).stages
    found = heat(fed, tuple(SaliencySpec(method, stage.name, class_index) for stage in stages))
    small = thumbnail(fed.image(), FILM)
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


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def photo_file(photo: Photo) -> bytes:
    """The photo as it travels to the browser."""
    return jpeg(photo.pixels)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def exact_file(photo: Photo) -> bytes:
    """The photo as it travels to where its numbers count."""
    return png(photo.pixels)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def working_photo(photo: Photo, side: int) -> Photo:
    """The photo with its longest side at most so many pixels."""
    if max(photo.width, photo.height) <= side:
        return photo
    return Photo(photo.name, thumbnail(photo.pixels, side), photo.sample, photo.notes)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def tile_image(photo: Photo) -> str:
    """The photo as a tile's picture, a data URI."""
    return data_uri(jpeg(square_thumbnail(photo.pixels, TILE)))


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def fed_image(fed: NetworkInput) -> str:
    """The picture as the network is given it, a data URI."""
    return data_uri(png(fed.image()))


@st.cache_resource(show_spinner=False)
def sample_tiles() -> tuple[Tile, ...]:
    """The sample pictures, to be clicked."""
    return tuple(
        Tile(key, sample.title, data_uri(jpeg(square_thumbnail(sample_photo(key).pixels, TILE))))
        for key, sample in SAMPLES.items()
    )


@st.cache_resource(ttl=2, show_spinner=False)
def model_options() -> tuple[Option, ...]:
    """The catalogue as the picker shows it; asked anew now and then, since downloads change what is here."""
    return tuple(
        Option(
            key,
            entry.title,
            entry.family,
            f"{entry.year} · {entry.parameters / 1e6:,.1f} M parameters"
            + (f" · top-1 {entry.top1:.1f} %" if entry.top1 is not None else ""),
            weights.availability(entry),
        )
        for key, entry in CATALOGUE.items()
    )


@st.cache_resource(show_spinner=False)
def classic_options() -> tuple[Option, ...]:
    """The classic networks as the picker shows them."""
    return tuple(
        Option(key, entry.title, entry.family, f"{entry.year} · {entry.reference.citation}")
        for key, entry in CLASSICS.items()
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def network(source: Source, input_shape: Picture | None) -> Network:
    """A network that has shapes and no weights; nothing in it is a visitor's picture, so that all share it."""
    return load(source, input_shape)


@st.cache_resource(max_entries=32, show_spinner=False)
def table(source: Source, input_shape: Picture) -> NetworkProfile:
    """The table of that network."""
    found = network(source, input_shape)
    return profile(found.module, input_shape, name=found.title)


@st.cache_resource(max_entries=64, show_spinner=False)
def needs(source: Source, input_shape: Picture, setting: memory.Setting) -> memory.Memory:
    """What memory that network needs."""
    return memory.estimate(network(source, input_shape).module, input_shape, setting)


@st.cache_resource(max_entries=64, show_spinner=False)
def fits(source: Source, input_shape: Picture, setting: memory.Setting) -> memory.Fits:
    """The largest batches on each GPU; asked with a batch of 1, whatever is chosen."""
    return memory.fits(network(source, input_shape).module, input_shape, setting, memory.gpus())


@st.cache_resource(show_spinner=False)
def kernel_options() -> tuple[Option, ...]:
    """The kernels to begin with, as the picker shows them."""
    return tuple(Option(key, preset.title, preset.group, preset.sentence) for key, preset in KERNELS.items())


@st.cache_resource(show_spinner=False)
def learned() -> tuple[Kernel, ...]:
    """The kernels of the embedded network's first layer."""
    return learned_kernels(_first_convolution().weight.detach().cpu().numpy())


def _first_convolution() -> nn.Conv2d:
    return next(
        module for module in recorder(DEFAULT_MODEL).network.modules() if isinstance(module, nn.Conv2d)
    )


@st.cache_resource(show_spinner=False)
def learned_names() -> dict[str, str]:
    """Their names, by their text in a link."""
    return {kernel.text: kernel.name for kernel in learned()}


@st.cache_resource(show_spinner=False)
def learned_spec() -> ConvSpec:
    """How the embedded network lays them."""
    first = _first_convolution()
    rows, columns = first.kernel_size
    # timm's layer pads by itself, torch's attribute says 0
    return ConvSpec((rows, columns), (first.stride[0], first.stride[1]), "same")


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def middle_square(photo: Photo, side: int) -> Photo:
    """The middle square of the photo, at most so many pixels wide."""
    return Photo(photo.name, square_thumbnail(photo.pixels, side), photo.sample)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def learned_tiles(square: Photo, shown: str) -> tuple[Tile, ...]:
    """What each learned kernel makes of a small square photo, with the kernel in its corner."""
    laying, made = Laying(learned_spec(), "rgb"), []
    for number, kernel in enumerate(learned(), start=1):
        result = results.lay(square, kernel, laying)
        peak = results.inner_peak(result, laying.spec, (square.height, square.width))
        image = data_uri(png(corner_tile(result, kernel, shown, peak)))
        made.append(Tile(str(number), str(number), image))
    return tuple(made)


@st.cache_data(scope="session", max_entries=64, show_spinner=False, hash_funcs=_BY_DIGEST)
def small_result(photo: Photo, kernel: Kernel, laying: Laying) -> npt.NDArray[np.float32]:
    """A kernel laid on a small photo: (H', W'), some 0.2 MB each."""
    return results.lay(photo, kernel, laying)


@st.cache_data(scope="session", max_entries=8, show_spinner=False, hash_funcs=_BY_DIGEST)
def chained(photo: Photo, kernels: tuple[Kernel, ...], relu: bool) -> results.Chained:
    """Kernels in sequence on a small photo, and the single one that does the same."""
    return results.chained(photo, kernels, relu)


@st.cache_data(scope="session", max_entries=8, show_spinner=False, hash_funcs=_BY_DIGEST)
def shifted(
    photo: Photo, kernel: Kernel, laying: Laying, shift: tuple[int, int], pooling: str
) -> Equivariance:
    """A small photo shifted by (down, right) before it is convolved, and after."""
    return equivariance(
        results.planes(photo, laying.colour),
        results.turned(kernel, laying),
        laying.spec,
        shift,
        pooling,
        laying.activation,
        laying.bias,
    )


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def exact_square(photo: Photo, side: int) -> Photo:
    """The middle square of the photo, so many pixels wide."""
    return Photo(photo.name, stacks.exact_square(photo.pixels, side), photo.sample)


@st.cache_resource(show_spinner=False)
def traced(network: str) -> tuple[Row, ...]:
    """The fields of a whole network, by its key in `stacks.NETWORKS`."""
    return stacks.traced_rows(network)


@st.cache_data(scope="session", max_entries=32, show_spinner=False, hash_funcs=_BY_DIGEST)
def stack_effect(square: Photo, steps: tuple[Step, ...], unit: Pair) -> EffectiveField:
    """What a unit of a stack with random weights uses of a picture."""
    return desk().run(stacks.stack_effect, steps, square.pixels, unit, owner=seat().owner)


@st.cache_data(scope="session", max_entries=32, show_spinner=False, hash_funcs=_BY_DIGEST)
def network_effect(fed: NetworkInput, layer: str, unit: Pair, field: ReceptiveField) -> EffectiveField:
    """What a unit of the network that is fed uses of its input."""
    used = recorder(fed.card.key)

    def work() -> EffectiveField:
        picture = fed.tensor().to(used.device)
        return stacks.network_effect(used.network, layer, picture, unit, field)

    return desk().run(work, owner=seat().owner)


def dry_run(fed: NetworkInput) -> None:
    """What the first visitor would wait for: the first pass of each kind, forward and back, is slow."""
    sample_tiles()
    model_options()
    taps = recorder(fed.card.key)
    for layers in ([taps.default.name], None):
        recorded = desk().record(taps, fed.tensor(), layers, owner="warm-up")
        best = int(recorded.probabilities()[0].argmax())
        specs = [SaliencySpec("grad_cam", layer, best) for layer in recorded.layers]
        desk().run(saliency.explain_all, recorded, specs, owner="warm-up")
