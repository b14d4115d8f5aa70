"""Controls that return domain objects: a photo, a network.  The same on every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer import weights
from explorer.errors import ExplorerError
from explorer.figures.heat import COLOURS, Look
from explorer.images import MAX_BYTES, SAMPLES, Photo, decode_photo, plain, sample_photo
from explorer.models import CATALOGUE, DEFAULT_MODEL, RANDOM, ModelCard, NetworkInput, card
from explorer.quantities import si
from explorer.recording import Recorder
from explorer.references import PAPERS
from explorer.saliency import METHODS
from explorer.ui import cache, link
from explorer.ui.components.bars import Bar, bars
from explorer.ui.components.drop_anywhere import drop_anywhere
from explorer.ui.components.picker import Option, picker
from explorer.ui.components.tiles import Tile, tiles

OWN = "own"
DRAWING = 416
"""Side of the drawing paper in pixels: what a dialog has room for."""

_PHOTO, _TROUBLE, _TURN = "own photo", "trouble with a photo", "upload turn"
_IN_USE, _PICKED, _FAILED = "model in use", "model picked", "model that failed"
_UNTRAINED = "model with random weights"
_MIDDLE, _WHOLE = "middle", "whole"
_FITS = {_MIDDLE: "The middle", _WHOLE: "All, squeezed"}
# a new picture or network has other answers: the class goes back to the first prediction
_HANG_ON_PHOTO = ("class", "versus")
_HANG_ON_MODEL = ("class", "versus", "stage", "filters")


# --------------------------------------------------------------------------- choices in the link


def choice(
    name: str,
    label: str,
    options: Mapping[str, str],
    what: str,
    *,
    buttons: bool = False,
    usual: str = "",
) -> str:
    """One of a few options that lives in the link.

    Args:
        name: of the choice in the link.
        label: over the control.
        options: the words for each key.
        what: for the sentence about a link that asks for another, "the method".
        buttons: side by side instead of a list to open.
        usual: the default; the first where none is given.
    """
    chosen, key = link.read_among(name, options, usual or next(iter(options)), what), f"{name} control"
    st.session_state[key] = chosen
    named: dict[str, Any] = {
        "format_func": options.__getitem__,
        "key": key,
        "on_change": lambda: link.choose(name, st.session_state[key]),
    }
    if buttons:
        st.segmented_control(label, list(options), required=True, width="stretch", **named)
    else:
        st.selectbox(label, list(options), **named)
    return chosen


# --------------------------------------------------------------------------- picture


def photo() -> Photo:
    """The picture of this session, and the ways to change it: samples, upload, camera, drawing.

    It is kept under one session key, so that every page shows the same; a new one that cannot be read leaves
    the old in place and says why.
    """
    own: Photo | None = st.session_state.get(_PHOTO)
    first = next(iter(SAMPLES))
    if link.read("picture", first) == OWN and own is None:
        st.info("Links carry no pictures, and a reload forgets your own: give it again, or go on with ours.")
        link.choose("picture", first)
    key = link.read_among("picture", {OWN, *SAMPLES}, first, "the picture")
    shown = own if key == OWN and own is not None else sample_photo(key)

    mine = [Tile(OWN, "Yours", cache.tile_image(own), own.name)] if own else []
    tiles(
        "picture tiles",
        "Picture",
        [*mine, *cache.sample_tiles()],
        key,
        link.chooser("picture", *_HANG_ON_PHOTO),
        title="Picture",
        size=54,
    )
    turn = st.session_state.setdefault(_TURN, 0)
    name = f"upload {turn}"
    st.file_uploader(
        "Your own picture",
        key=name,
        on_change=lambda: _take_upload(name),
        label_visibility="collapsed",
        max_upload_size=MAX_BYTES // 10**6,
    )
    drop_anywhere("drop anywhere")
    if trouble := st.session_state.pop(_TROUBLE, None):
        st.error(plain(trouble), icon=":material/image_not_supported:")
    with st.container(horizontal=True, gap="small"):
        if st.button("Camera", icon=":material/photo_camera:", width="stretch"):
            _camera()
        if st.button("Draw", icon=":material/draw:", width="stretch"):
            _draw()
    _caption(shown)
    return shown


def _caption(shown: Photo) -> None:
    size = f"{shown.width} × {shown.height} pixels"
    if shown.sample:
        sample = SAMPLES[shown.sample]
        st.caption(f"**{plain(sample.title)}**, {size}. {plain(sample.credit)}")
    else:
        st.caption(" ".join([f"**{plain(shown.name)}**, {size}.", *map(plain, shown.notes)]))


def _take(taken: Photo) -> None:
    st.session_state[_PHOTO] = taken
    link.chooser("picture", *_HANG_ON_PHOTO)(OWN)


def _take_upload(name: str) -> None:
    """Read what was dropped.  The uploader is made anew, so that the same file can be dropped again."""
    upload = st.session_state[name]
    if upload is None:
        return
    st.session_state[_TURN] += 1
    try:
        _take(decode_photo(upload.getvalue(), upload.name))
    except ExplorerError as error:
        st.session_state[_TROUBLE] = str(error)


@st.dialog("Take a picture")
def _camera() -> None:
    st.markdown("The picture stays in this session's memory. Without a camera, upload a picture instead.")
    taken = st.camera_input("Camera", label_visibility="collapsed")
    if taken is None:
        return
    try:
        _take(decode_photo(taken.getvalue(), "Camera.jpg"))
    except ExplorerError as error:
        st.error(plain(str(error)))
        return
    st.rerun()


@st.dialog("Draw a picture")
def _draw() -> None:
    from streamlit_drawable_canvas import st_canvas  # works inside a running app only

    with st.container(horizontal=True, vertical_alignment="bottom"):
        stroke = st.slider("Brush", 2, 60, 14, key="brush")
        ink = st.color_picker("Ink", "#16212a", key="ink")
        ground = st.color_picker("Paper", "#ffffff", key="paper")
    canvas = st_canvas(
        stroke_width=stroke,
        stroke_color=ink,
        background_color=ground,
        width=DRAWING,
        height=DRAWING,
        drawing_mode="freedraw",
        return_image_data=True,
        key="drawing",
    )
    if st.button("Use this drawing", type="primary"):
        if canvas.image_bytes is None:
            st.error("There is nothing on the paper yet.")
            return
        # what a browser sends as a drawing is no more to be trusted than an uploaded file
        _take(decode_photo(canvas.image_bytes, "Drawing"))
        st.rerun()


# --------------------------------------------------------------------------- network


def network_input(photo: Photo) -> NetworkInput:
    """The photo before the network that was chosen, and the choice of the part that it is fed."""
    card = model()
    if NetworkInput(card, photo).share < 0.995:
        fit = choice("fit", "It is fed", _FITS, "the part", buttons=True)
    else:
        fit = link.read_among("fit", _FITS, _MIDDLE, "the part")
    return NetworkInput(card, photo, fit == _WHOLE)


def model() -> ModelCard:
    """The network of this session: always one that is loaded.

    A network whose weights are elsewhere is fetched first, with its progress shown; until it is here, and
    when it cannot be had, the page goes on with the one it had.  One that has no trained weights gets random ones.
    """
    top, below = st.container(), st.container()
    had: str = st.session_state.setdefault(_IN_USE, DEFAULT_MODEL)
    wanted = _wanted(had)
    with below:
        if wanted != had:
            try:
                if _arrived(card(wanted), had):
                    had = st.session_state[_IN_USE] = wanted
                    # classes and layers of the old network mean nothing now; a link's are the new one's
                    picked = st.session_state.pop(_PICKED, None) == wanted
                    link.forget(*(name for name in _HANG_ON_MODEL if picked or name not in st.query_params))
            except ExplorerError as error:
                cache.seat().stop_waiting()
                st.session_state[_FAILED] = wanted, str(error)
                link.choose("model", had)
                wanted = had
        _explain_failure(had)
        _describe(card(had))
    with top:
        options = (*cache.model_options(), *_random_options(had))
        picker("model picker", "Network", "networks", options, wanted, _pick_model)
    return card(had)


def _wanted(had: str) -> str:
    """The key of the link's network; where it cannot be had, a sentence says why and it is the one that was had."""
    key = link.read("model", DEFAULT_MODEL)
    if not key.startswith(RANDOM):
        return link.read_among("model", CATALOGUE, DEFAULT_MODEL, "the network")
    try:
        return card(key).key
    except ExplorerError as error:
        st.warning(plain(f"The link's network cannot be shown. {error}"), icon=":material/link_off:")
        link.choose("model", had)
        return had


def _random_options(had: str) -> list[Option]:
    """Networks without trained weights: the last one of one's own, and each of the catalogue before it learned.

    Of weights that share an architecture nothing is left to tell them apart: it stands there once.
    """
    if had.startswith(RANDOM):
        st.session_state[_UNTRAINED] = had
    # their own cards would be made of runs without numbers, which every first visitor would wait for
    first: dict[str, ModelCard] = {}
    for known in CATALOGUE.values():
        first.setdefault(known.name, known)
    found = {f"{RANDOM}model~{one.key}": (one.name, one.parameters) for one in first.values()}
    if own := st.session_state.get(_UNTRAINED):
        found = {own: (card(own).name, card(own).parameters)} | found
    return [
        Option(key, name, "Random weights", f"{si(parameters)} parameters, none of them trained", "random")
        for key, (name, parameters) in found.items()
    ]


def _pick_model(key: str) -> None:
    st.session_state.pop(_FAILED, None)
    st.session_state[_PICKED] = key
    link.choose("model", key)


def _explain_failure(had: str) -> None:
    """Why a network could not be had, until another is picked; and a way to try again."""
    if _FAILED not in st.session_state:
        return
    wanted, cause = st.session_state[_FAILED]
    st.error(
        plain(f"{card(wanted).title} cannot be shown; the page goes on with {card(had).title}. {cause}"),
        icon=":material/cloud_off:",
    )
    if card(wanted).source != "random":  # which fails again
        with st.container(horizontal=True):
            st.button("Try again", icon=":material/refresh:", on_click=_pick_model, args=(wanted,))
            random = f"{RANDOM}model~{wanted}"
            st.button("With random weights", icon=":material/casino:", on_click=_pick_model, args=(random,))


def _arrived(wanted: ModelCard, had: str) -> bool:
    """Whether this network is loaded now; while its weights are on their way their progress is shown.

    Raises:
        ExplorerError: it cannot be had, or its file cannot be used.
    """
    if wanted.source == "torchvision" and weights.locate(wanted) is None:
        download = cache.seat().wait_for(wanted)
        if download.error:
            raise download.error
        if download.state == "running":
            _progress(wanted, had)
            return False
    cache.seat().stop_waiting()
    with st.spinner(f"Loading {plain(wanted.title)} …"):
        cache.recorder(wanted.key)
    return True


@st.fragment(run_every=0.3)
def _progress(wanted: ModelCard, had: str) -> None:
    download = cache.seat().download
    if download is None or download.state != "running":
        st.rerun()
    received, total = download.received / 1e6, max(download.total / 1e6, 1e-6)
    st.progress(
        min(received / total, 1.0),
        text=f"Downloading {plain(wanted.title)}: {received:,.1f} of {total:,.1f} MB",
    )
    if st.button("Cancel", icon=":material/close:", key="cancel download"):
        cache.seat().stop_waiting()
        link.choose("model", had)
        st.rerun()


def _describe(used: ModelCard) -> None:
    """The card of the network in small print; of random weights in large."""
    if used.source == "random":
        st.info(plain(used.note), icon=":material/casino:")
        figures = [f"{si(used.parameters)} parameters", f"{si(round(used.gmacs * 1e9))} multiply-adds"]
    else:
        figures = [f"{used.gmacs:,.2f} G multiply-adds"]
    if used.top5 is not None:
        figures.append(f"right among five {used.top5:.1f} %")
    if used.paper:
        paper = PAPERS[used.paper]
        figures.append(f"[{plain(paper.citation)}]({paper.url})")
    st.caption(" · ".join(figures), help=plain(used.note) or None)


# --------------------------------------------------------------------------- saliency


def method() -> str:
    """The way a map is made; the key of one of `METHODS`."""
    key = choice("method", "Method", {entry: METHODS[entry].name for entry in METHODS}, "the method")
    chosen = METHODS[key]
    paper = PAPERS[chosen.paper]
    st.caption(f"{plain(chosen.sentence)} [{plain(paper.citation)}]({paper.url})")
    return key


TOP = 5


def classes(card: ModelCard, probabilities: npt.NDArray[np.float32]) -> tuple[int, int | None]:
    """The class whose map is drawn (the first prediction unless somebody chose), and one to compare with."""
    order = np.argsort(-probabilities, kind="stable")
    top = [int(index) for index in order[:TOP]]
    last = len(probabilities) - 1
    chosen = link.read_number("class", top[0], 0, last)
    second: int | None = link.read_number("versus", -1, -1, last)
    if second in (-1, chosen):
        second = None
    more = [index for index in (chosen, second) if index is not None and index not in top]
    labels = card.labels

    guesses = "strongest outputs" if card.source == "random" else "best guesses"
    st.markdown(f"**Its {guesses}.** Click one to see what supported it.")
    bars(
        "predictions",
        "Predictions",
        [Bar(index, labels[index], float(probabilities[index])) for index in (*top, *more)],
        chosen,
        second,
        lambda index: _pick_class(index, second),
        lambda index: link.choose("versus", "" if index is None else str(index)),
    )
    name = "class search"

    def searched() -> None:
        if (index := st.session_state[name]) is not None:
            _pick_class(index, second)
            st.session_state[name] = None

    st.selectbox(
        "Another class",
        range(card.class_count),
        index=None,
        format_func=lambda index: f"{labels[index]} · {index}",
        filter_mode="contains",
        key=name,
        on_change=searched,
        placeholder=f"Search all {card.class_count:,} classes",
    )
    return chosen, second


def _pick_class(index: int, second: int | None) -> None:
    link.choose("class", str(index))
    if index == second:
        link.forget("versus")


def layer(recorder: Recorder) -> str:
    """The layer whose map is drawn large: the film chooses it, the usual one to begin with."""
    names = [stage.name for stage in recorder.stages]
    return link.read_among("stage", names, recorder.default.name, "the layer")


def look() -> Look:
    """How heat lies on the photograph, as the link or the visitor's hand has it."""
    usual = Look()
    return Look(
        opacity=link.read_number("opacity", usual.opacity, 0, 100),
        threshold=link.read_number("threshold", usual.threshold, 0, 95),
        wipe=link.read_number("wipe", usual.wipe, 0, 100),
        colours=link.read_among("colours", COLOURS, usual.colours, "the colour map"),
        cells=link.read_number("cells", int(usual.cells), 0, 1) == 1,
    )


def take_look(settled: Mapping[str, float | str]) -> None:
    """Keep what the viewer's sliders have come to rest at."""
    for name in ("opacity", "threshold", "wipe", "colours"):
        link.choose(name, str(settled[name]))
    link.choose("cells", str(int(settled["cells"])))
