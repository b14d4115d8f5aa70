"""Two pictures, two networks, or a network before and after it learned: their maps side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import similarity, weights
from explorer.activations import FeatureMaps
from explorer.errors import ExplorerError, LayerError
from explorer.figures.heat import COLOURS
from explorer.figures.pictures import data_uri
from explorer.figures.signed import ink, signed_png
from explorer.figures.wall import reduced
from explorer.images import MAX_BYTES, SAMPLES, Photo, decode_photo, plain, sample_photo
from explorer.models import RANDOM, ModelCard, NetworkInput, card
from explorer.references import PAPERS
from explorer.ui import cache, controls, feature_controls, link
from explorer.ui.components.pairs import MapPair, pairs
from explorer.ui.components.picker import Option, picker
from explorer.ui.components.tiles import Tile, tiles
from explorer.ui.feature_controls import Subject
from explorer.ui.numbers import typeset

WITH: Final = {"picture": "Another picture", "network": "Another network", "random": "Random weights"}
SCALES: Final = {"pair": "each pair", "map": "each map", "all": "all maps"}
PAGE: Final = 24
"""Pairs shown at once."""
CELLS: Final = 56
"""Cells along a side of a small map; of larger ones the strongest of each block is shown."""

_EDGES: Final = (
    " Edges and colours come through random filters too: the first layers show them before anything was "
    "learned."
)
_PICTURES_ONLY: Final = frozenset({"differ", "there"})
"""Orders of pairs that compare strengths, which two networks' units do not share."""

_OWN, _SECOND = "own photo", "second photo"
"""Session keys: the visitor's picture, and the one to compare with; the latter takes 48 MB at most, as any picture."""
_TURN, _TROUBLE = "second upload turn", "trouble with a second photo"

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sides:
    """What is compared: this side and the other, and their names for reading.

    Attributes:
        here, there: the maps.
        fed: what the other network is fed.
        names: of both sides.
        partners: which of the other's units is shown beside each unit: itself, or the most alike.
        alike: correlations of the maps of each pair, (C,).
        same_net: whether it is the same network, so that its units are the same.
    """

    here: FeatureMaps
    there: FeatureMaps
    fed: NetworkInput
    names: tuple[str, str]
    partners: NDArray[np.int64]
    alike: Numbers
    same_net: bool


def compare(subject: Subject) -> None:
    """The panel."""
    asked = controls.choice("sidewith", "Compare with", WITH, "the other side", buttons=True)
    fed = {"picture": _other_picture, "network": _other_network, "random": _other_weights}[asked](subject)
    if fed is None:
        return
    there = cache.feature_maps(fed, _other_layer(subject, fed) if asked == "network" else subject.layer.key)
    if asked == "random" and there.layer != subject.layer:
        raise LayerError(f"With random weights {subject.layer.key} is not the same layer.")
    if fed.card.source == "random":
        st.caption(":material/casino: The weights of the other side are random: nothing there was learned.")
    sides = _sides(subject, fed, there, asked)
    _large(subject, sides)
    _pairs(subject, sides, asked)
    if asked != "picture":
        _alignment(subject, sides)


# --------------------------------------------------------------------------- the other side


def _other_picture(subject: Subject) -> NetworkInput | None:
    known: dict[str, Photo | None] = dict.fromkeys(SAMPLES)
    for key, name in ((controls.OWN, _OWN), ("second", _SECOND)):
        if (photo := st.session_state.get(name)) is not None:
            known = {key: photo, **known}
    usual = next(key for key, sample in SAMPLES.items() if key != subject.fed.photo.sample)
    if (asked := link.read("sidepicture", usual)) in (controls.OWN, "second") and asked not in known:
        st.info("Links carry no pictures: give the other one again, or go on with ours.")
        link.choose("sidepicture", usual)
    key = link.read_among("sidepicture", known, usual, "the other picture")
    titles = {controls.OWN: "Yours", "second": "Your second"}
    mine = [
        Tile(one, titles[one], cache.tile_image(photo), photo.name) for one, photo in known.items() if photo
    ]
    tiles(
        "other picture",
        "The other picture",
        [*mine, *cache.sample_tiles()],
        key,
        link.chooser("sidepicture"),
        size=54,
    )
    _upload()
    photo = known[key] or sample_photo(key)
    if photo.digest == subject.fed.photo.digest:
        st.info("Both sides are the same picture: choose another one for either.")
        return None
    return NetworkInput(subject.fed.card, photo, subject.fed.whole)


def _upload() -> None:
    """A second picture of one's own, beside the page's."""
    turn = st.session_state.setdefault(_TURN, 0)
    name = f"second upload {turn}"

    def take() -> None:
        if (upload := st.session_state[name]) is None:
            return
        st.session_state[_TURN] += 1  # the uploader is made anew, so that the same file can be given again
        try:
            st.session_state[_SECOND] = decode_photo(upload.getvalue(), upload.name)
            link.choose("sidepicture", "second")
        except ExplorerError as error:
            st.session_state[_TROUBLE] = str(error)

    with st.expander("A second picture of your own", icon=":material/upload:"):
        st.file_uploader(
            "A second picture",
            key=name,
            on_change=take,
            label_visibility="collapsed",
            max_upload_size=MAX_BYTES // 10**6,
        )
    if trouble := st.session_state.pop(_TROUBLE, None):
        st.error(plain(trouble), icon=":material/image_not_supported:")


def _other_network(subject: Subject) -> NetworkInput | None:
    here = subject.fed.card.key
    others = [option for option in cache.model_options() if option.key != here]
    key = link.read("sidemodel")
    if key.startswith(RANDOM) and key != here:  # a net of one's own, by a link
        others = [Option(key, card(key).name, "Random weights", "", "random"), *others]
    key = link.read_among("sidemodel", ["", *(option.key for option in others)], "", "the other network")
    picker(
        "other network", "The other network", "networks", others, key, link.chooser("sidemodel", "sidelayer")
    )
    if not key:
        st.caption(
            "Choose a network: it is given the same picture. Weights that are not here yet are downloaded first."
        )
        return None
    if not _arrived(card(key)):
        return None
    return NetworkInput(card(key), subject.fed.photo, subject.fed.whole)


def _other_weights(subject: Subject) -> NetworkInput | None:
    """The same architecture with random weights, or the trained one where this is the random one."""
    here = subject.fed.card.key
    architecture = f"{RANDOM}model~"
    if here.startswith(architecture):
        other = card(here.removeprefix(architecture))
    elif here.startswith(RANDOM):
        st.info("This network has no trained weights: there is nothing to compare its random ones with.")
        return None
    else:
        other = card(architecture + here)
    if not _arrived(other):
        return None
    return NetworkInput(other, subject.fed.photo, subject.fed.whole)


def _at_hand(wanted: ModelCard) -> bool:
    return wanted.source != "torchvision" or weights.locate(wanted) is not None


def _arrived(wanted: ModelCard) -> bool:
    """Whether this network can be asked now; while its weights are on their way their progress is shown.

    Raises:
        ExplorerError: it cannot be had, or its file cannot be used.
    """
    if not _at_hand(wanted):
        seat = cache.seat()
        if (
            seat.download is not None
            and seat.download.path.name != wanted.file_name
            and seat.download.state == "running"
        ):
            st.info("Another network is being downloaded: this one can be had after it.")
            return False
        download = seat.wait_for(wanted)
        if download.error:
            seat.stop_waiting()
            raise download.error
        if download.state == "running":
            _progress(wanted)
            return False
        seat.stop_waiting()
    with st.spinner(f"Loading {plain(wanted.title)} …"):
        cache.probe(wanted.key)
    return True


@st.fragment(run_every=0.3)
def _progress(wanted: ModelCard) -> None:
    download = cache.seat().download
    if download is None or download.state != "running":
        st.rerun()
    received, total = download.received / 1e6, max(download.total / 1e6, 1e-6)
    st.progress(
        min(received / total, 1.0),
        text=f"Downloading {plain(wanted.title)}: {received:,.1f} of {total:,.1f} MB",
    )
    if st.button("Cancel", icon=":material/close:", key="cancel second download"):
        cache.seat().stop_waiting()
        link.forget("sidemodel")
        st.rerun()


def _other_layer(subject: Subject, fed: NetworkInput) -> str:
    """The layer of the other network: the one that stands where this one does, unless the reader chose another."""
    here, there = subject.probe.layers, cache.probe(fed.card.key).layers
    usual = similarity.counterpart(subject.layer, here, there).key
    key = link.read_among("sidelayer", {layer.key for layer in there}, usual, "the other layer")
    options = [
        Option(
            layer.key,
            layer.key,
            layer.name.partition(".")[0],
            f"{layer.kind} · {layer.channels:,} × {layer.grid[0]} × {layer.grid[1]}",
            "proposed" if layer.key == usual else "",
        )
        for layer in there
    ]
    picker("other layer", "Its layer", "layers", options, key, link.chooser("sidelayer"))
    return key


def _sides(subject: Subject, fed: NetworkInput, there: FeatureMaps, asked: str) -> Sides:
    here = subject.maps
    if asked == "picture":
        names = _name(subject.fed.photo), _name(fed.photo)
    else:
        names = subject.fed.card.title, fed.card.title
    if asked == "network":
        partners, alike = similarity.partners(here.values, there.values)
    else:
        partners, alike = np.arange(len(here.values)), similarity.correlations(here.values, there.values)
    return Sides(here, there, fed, names, partners, alike, asked == "picture")


def _name(photo: Photo) -> str:
    return SAMPLES[photo.sample].title if photo.sample else photo.name


# --------------------------------------------------------------------------- maps side by side


def _peaks(sides: Sides, unit: int, scale: str) -> tuple[float, float]:
    """The values that get the ends of the colours, of the two maps of a pair."""
    if scale == "all":
        most = max(sides.here.peak, sides.there.peak)
        return most, most
    own = (
        float(np.abs(sides.here.values[unit]).max()),
        float(np.abs(sides.there.values[sides.partners[unit]]).max()),
    )
    return own if scale == "map" else (max(own), max(own))


def _image(values: NDArray[np.float32], peak: float, cells: int) -> str:
    return data_uri(signed_png(reduced(values, cells), peak))


def _large(subject: Subject, sides: Sides) -> None:
    """The chosen unit on both sides."""
    scale = link.read_among("sidescale", SCALES, _usual_scale(sides), "the scale")
    unit, other = subject.unit, int(sides.partners[subject.unit])
    peaks = _peaks(sides, unit, scale)
    figures = []
    for maps, number, peak, name, fed in (
        (sides.here, unit, peaks[0], sides.names[0], subject.fed),
        (sides.there, other, peaks[1], sides.names[1], sides.fed),
    ):
        values = maps.values[number]
        said = (
            f"mean {typeset(values.mean(dtype=np.float64))}, from {typeset(values.min())} to "
            f"{typeset(values.max())}; colours span ±{typeset(peak)}"
        )
        picture = (
            f'<img class="seen" src="{cache.fed_image(fed)}" alt="{escape(name)}, as the network is fed it">'
            if sides.same_net
            else ""
        )
        figures.append(
            f"<figure><figcaption><b>{escape(name)}</b><br>{escape(maps.layer.key)}, "
            f"{_word(maps)} {number}</figcaption>"
            f'<div>{picture}<img src="{_image(values, peak, 224)}" '
            f'alt="{_title(maps)} {number} of {escape(name)}: {escape(said)}"></div>'
            f"<small>{escape(said)}</small></figure>"
        )
    st.html(f'<div class="two-maps">{"".join(figures)}</div>')
    r, one, another = sides.alike[unit], _word(sides.here), _word(sides.there)
    if sides.same_net:
        here, there = (float(m.values[unit].mean(dtype=np.float64)) for m in (sides.here, sides.there))
        st.markdown(
            f"{one.capitalize()} {unit} gives **{typeset(here)}** on average for {plain(sides.names[0])} and "
            f"**{typeset(there)}** for {plain(sides.names[1])}. Correlation of the two maps, cell by "
            f"cell: **{typeset(r, '+.2f')}**."
        )
    elif sides.here.layer == sides.there.layer and (sides.partners == np.arange(len(sides.partners))).all():
        st.markdown(
            f"Correlation of the two maps, cell by cell: **{typeset(r, '+.2f')}**. A number has no meaning across "
            f"weights: {one} {unit} of the one is not {one} {unit} of the other."
        )
    else:
        st.markdown(
            f"Of the other layer’s {sides.there.layer.channels:,} {another}s, **{another} {other}** is the most like "
            f"{one} {unit} for this picture: correlation **{typeset(r, '+.2f')}**."
        )


def _word(maps: FeatureMaps) -> str:
    """What one of the layer's maps is called in a sentence."""
    return "head" if maps.layer.layout == "heads" else "unit"


def _title(maps: FeatureMaps) -> str:
    """What one of its pictures is called."""
    return "Head" if maps.layer.layout == "heads" else "Map"


def _usual_scale(sides: Sides) -> str:
    """The same unit can be compared in strength; units of other weights cannot."""
    return "pair" if sides.same_net else "map"


def _orders(sides: Sides, asked: str) -> Mapping[str, tuple[str, Numbers]]:
    """Title of each order of the pairs, and the number by which it sorts, largest first."""
    here, there = (m.values.mean((1, 2), dtype=np.float64) for m in (sides.here, sides.there))
    orders = {
        "alike": ("most alike", sides.alike),
        "unlike": ("least alike", -sides.alike),
        "number": ("number", -np.arange(len(here), dtype=np.float64)),
        "strong": ("largest mean here", here),
    }
    if asked == "picture":
        first = ("answers differ most", np.abs(here - there))
        return {"differ": first, **orders, "there": ("largest mean there", there)}
    return orders


def _pairs(subject: Subject, sides: Sides, asked: str) -> None:
    orders = _orders(sides, asked)
    if link.read("sideorder") in _PICTURES_ONLY - orders.keys():
        link.forget("sideorder")  # chosen while pictures were compared
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = controls.choice(
            "sideorder", "Pairs sorted by", {k: t for k, (t, _) in orders.items()}, "the order"
        )
        scale = controls.choice("sidescale", "Colours span", SCALES, "the scale", usual=_usual_scale(sides))
    sorted_units = np.argsort(-orders[order][1], kind="stable")
    pages = -(-len(sorted_units) // PAGE)
    page = min(link.read_number("sidepage", 0, 0, 10**6), pages - 1)
    first = page * PAGE
    means = [m.values.mean((1, 2), dtype=np.float64) for m in (sides.here, sides.there)]
    one, another = _word(sides.here), _word(sides.there)
    digits = 2 if float(np.abs(means[0] - means[1][sides.partners]).max()) >= 0.5 else 4
    entries = []
    for unit in map(int, sorted_units[first : first + PAGE]):
        other, peaks = int(sides.partners[unit]), _peaks(sides, unit, scale)
        here, there = float(means[0][unit]), float(means[1][other])
        r = float(sides.alike[unit])
        detail = typeset(here - there, f"+.{digits}f") if order == "differ" else f"r {typeset(r, '+.2f')}"
        entries.append(
            MapPair(
                unit,
                _image(sides.here.values[unit], peaks[0], CELLS),
                _image(sides.there.values[other], peaks[1], CELLS),
                str(unit) if other == unit and asked != "network" else f"{unit} ↔ {other}",
                detail,
                f"{one.capitalize()} {unit}, and {another} {other} on the other side: means {typeset(here)} and "
                f"{typeset(there)}, correlation {typeset(r, '+.2f')}",
            )
        )
    words = f"{first + 1}–{first + len(entries)} of {len(sorted_units):,}"
    pairs(
        "map pairs",
        f"{_title(sides.here)}s of {subject.layer.key}, in pairs",
        sides.names,
        entries,
        subject.unit,
        page,
        pages,
        words,
        feature_controls.take_unit,
        lambda number: link.choose("sidepage", str(number)),
    )
    explained = {
        "picture": f"Numbers under a pair: its {one}, and the correlation of its maps, or by how much the means "
        "differ.",
        "network": f"Beside each {one} the one of the other layer whose map is the most correlated with it for this "
        "picture; maps of another grid are averaged down to the coarser. With many to choose from, some agree "
        "by chance.",
        "random": f"Beside each {one} the one of the same number." + ("" if one == "head" else _EDGES),
    }[asked]
    st.caption(explained)


# --------------------------------------------------------------------------- layers as wholes


def _alignment(subject: Subject, sides: Sides) -> None:
    """How alike the two layers are, and every stage with every other."""
    value = similarity.cka(sides.here.values, sides.there.values)
    rows, columns, table = cache.alignment(subject.fed, sides.fed)
    said = "cannot be told: it takes four cells at least" if value is None else f"**{value:.2f}**"
    st.markdown(
        f"**Layers as wholes**: the alignment (CKA) of {plain(sides.here.layer.key)} with "
        f"{plain(sides.there.layer.key)} for this picture is {said}; 1 is alike but for rotation and scale, 0 is "
        "unrelated. Every stage with every other:"
    )
    colours = COLOURS["viridis"].table()
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    lines = []
    for name, row in zip(rows, table, strict=True):
        cells = []
        for number in row:
            if number is None:
                cells.append("<td>–</td>")
                continue
            colour = colours[round(255 * min(max(number, 0.0), 1.0)), :3]
            style = f"background: rgb({' '.join(map(str, colour))}); color: {ink(colour)}"
            cells.append(f'<td style="{style}">{number:.2f}</td>')
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    st.html(
        '<div class="plain-table alignment" tabindex="0" role="region" aria-label="Alignment of stages"><table>'
        f"<caption>Down: {escape(sides.names[0])}. Across: {escape(sides.names[1])}.</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )
    kornblith, nguyen = PAPERS["kornblith2019"], PAPERS["nguyen2021"]
    st.caption(
        f"Linear CKA ([{kornblith.citation}]({kornblith.url})) with the unbiased estimate "
        f"([{nguyen.citation}]({nguyen.url})). The examples are the cells of this one picture, at most "
        f"{similarity.FINEST} × {similarity.FINEST}: neighbours are alike in any picture, so that unrelated layers do "
        "not come to 0 exactly."
    )
