"""Every cache of the app, each with what it holds and how much.

What derives from a visitor's picture is cached for that visitor's session alone.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import streamlit as st
import torch
from torch import nn

from explorer import heads, journey, memory, moving, process, saliency, similarity, unit_tracing, weights
from explorer.ablation import To
from explorer.activations import Ablation, FeatureMaps, Probe
from explorer.animation import View
from explorer.canvas import sides
from explorer.convolution import ConvSpec, Equivariance, Pair, equivariance
from explorer.data_flow import DataFlow
from explorer.desk import desk
from explorer.devices import choose_device, device_name
from explorer.effective_field import EffectiveField
from explorer.figures.heat import Look, overlay
from explorer.figures.pictures import data_uri, jpeg, png, square_thumbnail, thumbnail
from explorer.figures.sights import Sight, sight_picture
from explorer.figures.tokens import gaze_picture, pair_picture
from explorer.figures.wall import packed
from explorer.filter_tracing import Behind, Origin, filters_behind, first_layer, load_bank
from explorer.filters import (
    ORDERS,
    Dead,
    Duplicates,
    FilterBank,
    Statistics,
    dead_filters,
    duplicates,
    statistics_of,
)
from explorer.heads import Gaze
from explorer.images import SAMPLES, Photo, sample_photo
from explorer.kernels import KERNELS, Kernel, learned_kernels
from explorer.layer_text import read_layer
from explorer.map_shelf import MapShelf
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
from explorer.ui.layer_drawn import Drawn, draw
from explorer.ui.layer_panels import stacks
from explorer.unit_sources import Reading
from explorer.untrained import read_key

MAX_LOADED = 3
"""Networks kept loaded."""

KEPT_MAPS = 800 * 10**6
"""Bytes of layers' maps that all sessions together keep."""

_maps = MapShelf(KEPT_MAPS)

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
        _maps.forget(self.owner)
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
    times = max(1, FILM // small.shape[0])  # the few pixels of a digit's network stay squares
    small = small.repeat(times, 0).repeat(times, 1)
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


@st.cache_data(scope="session", max_entries=64, show_spinner=False, hash_funcs=_BY_DIGEST)
def tile_image(photo: Photo) -> str:
    """The photo as a tile's picture, a data URI of some 5 kB: a full tray shows 50."""
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
    for number, kernel in enumerate(learned()):
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


@st.cache_resource(max_entries=32, show_spinner=False)
def fields(written: str) -> stacks.Fields:
    """The fields of any network, by its text as `untrained.write_key` has it."""
    source, given = read_key(written)
    found = network(source, given)
    return stacks.fields_of(found.title, table(source, found.input_shape))


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


# Any layer's maps -----------------------------------------------------------------------------------------


@st.cache_resource(max_entries=MAX_LOADED, show_spinner=False, on_release=Probe.close)
def probe(model: str) -> Probe:
    """The loaded network with a tap on every module, shared by all sessions."""
    taps, side = recorder(model), card(model).preprocessing.crop
    return desk().run(Probe, taps, side)  # at the desk: nothing else runs the network meanwhile


def feature_maps(fed: NetworkInput, layer: str) -> FeatureMaps:
    """What a layer makes of a picture: 0.1 to 3 MB for most, 13 MB for VGG's first layers, 80 MB for the largest.

    The last three of a session, of all sessions together at most `KEPT_MAPS` bytes: what had to go is made anew.
    """
    used, owner = probe(fed.card.key), seat().owner
    key = (fed.identity, layer)
    return _maps.get(
        owner, key, lambda: desk().run(lambda: used.feature_maps(fed.tensor(), layer), owner=owner)
    )


@st.cache_resource(scope="session", max_entries=3, show_spinner=False, hash_funcs=_BY_DIGEST)
def packed_maps(fed: NetworkInput, layer: str) -> bytes:
    """A layer's maps as they travel to the wall: a byte for each cell, 4 MB at most."""
    return packed(feature_maps(fed, layer), unit_names(fed, layer))


def unit_names(fed: NetworkInput, layer: str) -> tuple[str, ...]:
    """What a layer's maps are called, where they have names: classes, and attention's heads."""
    used = probe(fed.card.key)
    asked = used.layer(layer)
    if asked.layout == "heads":
        return tuple(f"head {number}" for number in range(asked.channels))
    classes = asked.layout == "vector" and asked.channels == fed.card.class_count
    return fed.card.labels if classes and asked == used.layers[-1] else ()


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def net_peak(fed: NetworkInput) -> float:
    """The strongest number that any layer makes of a picture, whatever its sign; numbers without end apart."""
    used = probe(fed.card.key)
    strengths = desk().run(lambda: used.strengths(fed.tensor()), owner=seat().owner)
    return max((strength for strength in strengths.values() if math.isfinite(strength)), default=0.0)


@st.cache_data(scope="session", max_entries=64, show_spinner=False, hash_funcs=_BY_DIGEST)
def class_scores(fed: NetworkInput, ablations: tuple[Ablation, ...] = ()) -> npt.NDArray[np.float32]:
    """The logits (classes,) of a picture, with units switched off: 4 kB each."""
    used = probe(fed.card.key)
    return desk().run(lambda: used.logits(fed.tensor(), ablations)[0].numpy(), owner=seat().owner)


@st.cache_data(scope="session", max_entries=16, show_spinner=False, hash_funcs=_BY_DIGEST)
def unit_support(fed: NetworkInput, layer: str, classes: tuple[int, ...], to: To) -> npt.NDArray[np.float32]:
    """What each unit of a layer gives each class by the slope, (K, C): 0.2 MB at most."""
    used = probe(fed.card.key)
    return desk().run(lambda: used.support(fed.tensor(), layer, classes, to).numpy(), owner=seat().owner)


@st.cache_data(scope="session", max_entries=64, show_spinner=False, hash_funcs=_BY_DIGEST)
def unit_effects(fed: NetworkInput, layer: str, units: tuple[int, ...], to: To) -> npt.NDArray[np.float32]:
    """The logits (U, classes) without each of a few units alone: 16 kB for the four that share a forward."""
    used = probe(fed.card.key)
    return desk().run(lambda: used.effects(fed.tensor(), layer, units, to).numpy(), owner=seat().owner)


@st.cache_data(scope="session", max_entries=8, show_spinner=False, hash_funcs=_BY_DIGEST)
def alignment(
    first: NetworkInput, second: NetworkInput
) -> tuple[list[str], list[str], list[list[float | None]]]:
    """The stages of two networks, and how alike each of the one is to each of the other: see `similarity.cka`."""
    found: list[dict[str, npt.NDArray[np.float32]]] = []
    for fed in (first, second):
        used = probe(fed.card.key)
        last = {layer.name: layer.key for layer in used.layers if layer.layout != "heads"}  # runs
        keys = [last[stage.name] for stage in recorder(fed.card.key).stages]
        found.append(desk().run(_coarse_maps, used, fed, keys, owner=seat().owner))
    table = [[similarity.cka(one, other) for other in found[1].values()] for one in found[0].values()]
    return list(found[0]), list(found[1]), table


def _coarse_maps(used: Probe, fed: NetworkInput, keys: list[str]) -> dict[str, npt.NDArray[np.float32]]:
    """The maps of these layers, averaged down to what `similarity.cka` looks at."""
    maps = {name: found.numpy() for name, found in used.maps(fed.tensor(), keys).items()}
    finest = similarity.FINEST
    return {
        name: similarity.on_grid(one, similarity.shared_grid(one, one, finest)) for name, one in maps.items()
    }


@st.cache_resource(scope="session", max_entries=2, show_spinner=False, hash_funcs=_BY_DIGEST)
def travelled(fed: NetworkInput) -> journey.Journey:
    """What a picture becomes at every station of a network: a map each, 0.3 MB together for most."""
    used = probe(fed.card.key)
    return desk().run(lambda: journey.travel(used, fed.tensor()), owner=seat().owner)


@st.cache_resource(max_entries=MAX_LOADED, show_spinner=False)
def model_table(model: str) -> NetworkProfile:
    """The table of a loaded network for the picture that it is fed: shapes, work, what units see."""
    ready = card(model).preprocessing
    shape = (ready.channels, ready.crop, ready.crop)
    return profile(recorder(model).network, shape, name=card(model).title)


@st.cache_resource(scope="session", max_entries=32, show_spinner=False, hash_funcs=_BY_DIGEST)
def moved(fed: NetworkInput, motion: moving.Motion, layers: tuple[str, ...]) -> tuple[moving.Moved, ...]:
    """How layers answer a motion of the picture: a few numbers each."""
    used = probe(fed.card.key)
    return desk().run(lambda: moving.compare(used, fed.tensor(), motion, layers), owner=seat().owner)


@st.cache_resource(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def moved_unit(fed: NetworkInput, motion: moving.Motion, layer: str, unit: int) -> moving.Triple:
    """One unit's maps before and after a motion: 0.2 MB a map at most."""
    used = probe(fed.card.key)
    return desk().run(lambda: moving.unit_maps(used, fed.tensor(), motion, layer, unit), owner=seat().owner)


# One unit -------------------------------------------------------------------------------------------------

_flows: WeakKeyDictionary[Probe, DataFlow] = WeakKeyDictionary()
"""How numbers flow through each loaded network, a few hundred operations; let go with it."""


def _flow(used: Probe) -> DataFlow:
    if used not in _flows:  # at the desk, which does one thing after the other
        _flows[used] = DataFlow(used)
    return _flows[used]


@st.cache_data(max_entries=512, show_spinner=False)
def origin(model: str, layer: str, unit: int) -> str:
    """The layer whose cells see what those of a unit do."""
    used = probe(model)
    return desk().run(lambda: unit_tracing.source_layer(_flow(used), layer, unit), owner=seat().owner)


@st.cache_resource(scope="session", max_entries=1, show_spinner=False, hash_funcs=_BY_DIGEST)
def reading(fed: NetworkInput, layer: str, unit: int) -> Reading:
    """What makes one map: the maps that it reads, 13 MB at most for VGG's first layers, 0.1 to 3 MB for most."""
    used = probe(fed.card.key)
    return desk().run(lambda: unit_tracing.read(_flow(used), fed.tensor(), layer, unit), owner=seat().owner)


@st.cache_resource(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def pixel_gradient(fed: NetworkInput, layer: str, unit: int, cell: Pair | None) -> npt.NDArray[np.float32]:
    """d unit / d pixel, (channels, H, W), of one cell or of the map's mean: 0.6 MB for 224 pixels."""
    used = probe(fed.card.key)
    found = desk().run(
        lambda: used.pixel_gradient(fed.tensor(), layer, unit, cell).numpy(), owner=seat().owner
    )
    return cast("npt.NDArray[np.float32]", found)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def fed_file(fed: NetworkInput) -> bytes:
    """The picture as the network is given it, as it travels to the browser: 0.1 MB."""
    return png(fed.image())


@st.cache_data(scope="session", max_entries=48, show_spinner=False, hash_funcs=_BY_DIGEST)
def patch(fed: NetworkInput, shown: Sight) -> str:
    """What a cell sees of what the network is given, as a small picture: a data URI of 5 kB, or 40 with padding."""
    drawn = sight_picture(fed.image(), shown, TILE)
    photo = (drawn[..., 3] == 255).all() and all(last - first >= TILE // 2 for first, last in shown.ground)
    return data_uri(jpeg(drawn[..., :3]) if photo else png(drawn))


@st.cache_data(scope="session", max_entries=48, show_spinner=False, hash_funcs=_BY_DIGEST)
def patch_pair(fed: NetworkInput, query: Sight, key: Sight) -> str:
    """Two tokens of what the network is given, and where they are in it: a data URI of some 30 kB."""
    return data_uri(png(pair_picture(fed.image(), query, key)))


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def gaze(fed: NetworkInput, layer: str, token: Pair) -> Gaze:
    """What a token of a picture looks at, by every head: 80 kB at most."""
    used = probe(fed.card.key)
    return desk().run(lambda: heads.gaze(used, fed.tensor(), layer, token), owner=seat().owner)


@st.cache_data(scope="session", max_entries=4, show_spinner=False, hash_funcs=_BY_DIGEST)
def gaze_pictures(fed: NetworkInput, layer: str, token: Pair) -> tuple[str, ...]:
    """The picture for every head, red where the token looks: data URIs of some 15 kB."""
    own = journey.seen(model_table(fed.card.key), probe(fed.card.key).layer(layer))
    field = own if isinstance(own, ReceptiveField) else None
    picture = fed.image()
    frame = field.clipped(token, (picture.shape[0], picture.shape[1])) if field else None
    return tuple(
        data_uri(jpeg(gaze_picture(picture, shares, field, frame)))
        for shares in gaze(fed, layer, token).shares
    )


# A layer under the hand -----------------------------------------------------------------------------------


@st.cache_resource(max_entries=64, show_spinner=False)
def layer_drawn(layer: str, view: View) -> Drawn:
    """What is drawn of a link's layer, for its page and browsers that paint ahead: 25 kB for most, 0.2 MB at most.

    Who asks for one that is being made waits for it.
    """
    return draw(*read_layer(layer), view)


# Filters: the network's own weights, nothing of a visitor's ------------------------------------------------

_BY_LAYER: dict[str | type[Any], Callable[[Any], Any]] = {
    Origin: lambda origin: (origin.layer, origin.norm, origin.reads, origin.reads_picture)
}


@st.cache_resource(max_entries=64, show_spinner=False)
def behind(model: str, layer: str) -> Behind:
    """The layers whose filters make another's maps: a few thousand numbers."""
    used = probe(model)
    return desk().run(lambda: filters_behind(_flow(used), layer), owner=seat().owner)


@st.cache_resource(max_entries=MAX_LOADED, show_spinner=False)
def first_filters(model: str) -> Origin:
    """The layer that reads the picture."""
    used = probe(model)
    return desk().run(lambda: first_layer(_flow(used)), owner=seat().owner)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_BY_LAYER)
def filter_bank(model: str, origin: Origin, folded: bool) -> FilterBank:
    """A layer's filters, 40 MB at most, for most below 10."""
    if folded:
        return filter_bank(model, origin, False).folded()
    return load_bank(recorder(model).network, origin)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_LAYER)
def filter_marks(model: str, origin: Origin, folded: bool) -> tuple[tuple[Dead, ...], Duplicates]:
    """The dead and the double among them; whether one is dead is asked behind the batch normalisation."""
    dead = dead_filters(filter_bank(model, origin, False))
    return dead, desk().run(duplicates, filter_bank(model, origin, folded))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_LAYER)
def filter_statistics(model: str, origin: Origin, folded: bool) -> Statistics:
    """What a layer's weights are like."""
    return statistics_of(filter_bank(model, origin, folded))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_LAYER)
def filter_order(model: str, origin: Origin, folded: bool, order: str) -> npt.NDArray[np.int64]:
    """The numbers of a layer's filters in one of `filters.ORDERS`."""
    return desk().run(ORDERS[order].arrange, filter_bank(model, origin, folded))


@st.cache_data(max_entries=32, show_spinner=False)
def canvas_sides(model: str) -> tuple[int, ...]:
    """The sides of pictures that can be searched for with this network, its own first."""
    used = probe(model)
    return desk().run(sides, used, card(model).preprocessing.channels, owner=seat().owner)


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
    used, usual = probe(fed.card.key), taps.stages[:2][-1].name
    packed(desk().run(used.feature_maps, fed.tensor(), usual, owner="warm-up"))
    desk().run(journey.travel, used, fed.tensor(), owner="warm-up")
    model_table(fed.card.key)
