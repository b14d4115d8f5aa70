"""Where a unit answers most: over all pictures of a tray, as patches of photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import streamlit as st
import torch

from explorer.background import Background
from explorer.convolution import Pair
from explorer.errors import Cancelled, ExplorerError
from explorer.figures.sights import Sight, sight
from explorer.images import MAX_BYTES, SAMPLES, Photo, decode_photo, plain, sample_photo
from explorer.models import NetworkInput
from explorer.tray import MOST, SHORT_SIDE, Spot, for_tray, search, strongest
from explorer.ui import cache, controls, link, under_way, unit_controls
from explorer.ui.components.tiles import Tile, tiles
from explorer.ui.components.unit_view import Framed
from explorer.ui.feature_controls import Subject
from explorer.ui.numbers import typeset
from explorer.unit_facts import PEAKS, Peaks, peaks_of

SHOWN: Final = 18
"""Patches at once."""
KEPT_LAYERS: Final = 2
"""Layers whose places are kept for a session: 50 pictures and 2,048 maps take 5 MB each."""
WINDOWED: Final = frozenset(
    {"ShiftedWindowAttention", "ShiftedWindowAttentionV2", "RelativePositionalMultiHeadAttention"}
)
"""Kinds of attention whose heads have no map of the whole picture."""
SENTENCES: Final = 5
"""On files that are no pictures, at once."""
_TRAY = "tray of pictures"
_SIDES: Final = {"above": "Above zero", "below": "Below zero"}
_Key = tuple[str, str, bool, bool]
"""Network, layer, whether the whole picture is fed, whether what lies below zero is looked for."""
_Task = tuple[_Key, frozenset[str]]
"""What is searched, and the digests of the pictures that it is searched in."""
_NOTHING: Final[_Task] = ("", "", False, False), frozenset()


@dataclass
class _Tray:
    """A session's tray.

    Attributes:
        photos: by their digests, 20 MB at most; samples, which all sessions share, are not counted.
        found: strongest places by network, layer, part that is fed and side of zero; within, by picture.
        job: the search that is under way, and for what.
        stopped: what is not searched again by itself.
        trouble: why files were not taken.
        turn: of the uploader, which is made anew for each lot.
        own: digest of the page's picture, and that picture as the tray would keep it.
    """

    photos: dict[str, Photo] = field(default_factory=dict)
    found: dict[_Key, dict[str, Peaks]] = field(default_factory=dict)
    job: Background[Mapping[str, Peaks]] | None = None
    job_of: _Task = _NOTHING
    stopped: _Task = _NOTHING
    trouble: tuple[str, ...] = ()
    turn: int = 0
    own: tuple[str, Photo | None] = ("", None)


def _tray() -> _Tray:
    """This session's tray: it begins with the samples."""
    if _TRAY not in st.session_state:
        st.session_state[_TRAY] = _Tray({photo.digest: photo for photo in map(sample_photo, SAMPLES)})
    tray: _Tray = st.session_state[_TRAY]
    return tray


def patches(subject: Subject, cell: Pair | None) -> None:
    """The strongest places of the unit in all pictures, and the tray."""
    tray = _tray()
    inputs = {digest: _before(subject, photo) for digest, photo in tray.photos.items()}
    page = subject.fed.photo
    if _own(tray, page).digest not in inputs:
        inputs[page.digest] = subject.fed
    # each in a place of its own: the browser closes a tray that what stands above it pushes on
    with st.container():
        below = _below(subject)
    known = tray.found.setdefault(_key(subject, below), {})
    while len(tray.found) > KEPT_LAYERS:
        tray.found.pop(next(iter(tray.found)))
    for digest in set(known) - set(inputs):
        del known[digest]
    if subject.layer.layout != "heads":  # a head's maps do not tell which tokens look
        known[page.digest] = peaks_of(torch.from_numpy(subject.maps.values.copy()), below=below)
    with st.container():
        _search(subject, tray, inputs, known, below)
    with st.container():
        _show(subject, {digest: known[digest] for digest in inputs if digest in known}, inputs, below)
    _edit(subject, tray)


def _own(tray: _Tray, page: Photo) -> Photo:
    """The page's picture as the tray would keep it; samples stay as they are, since all sessions share them."""
    if tray.own[0] != page.digest:
        tray.own = page.digest, page if page.sample else for_tray(page)
    return tray.own[1] or page


def _below(subject: Subject) -> bool:
    """Whether places below zero are asked for, of a layer that goes there."""
    if not (subject.maps.values < 0).any():
        return False
    return controls.choice("zeroside", "Strongest", _SIDES, "the side of zero", buttons=True) == "below"


def _key(subject: Subject, below: bool) -> _Key:
    return subject.fed.card.key, subject.layer.key, subject.fed.whole, below


def _before(subject: Subject, photo: Photo) -> NetworkInput:
    """A picture of the tray before the page's network, fed as the page's own is."""
    return NetworkInput(subject.fed.card, photo, subject.fed.whole)


# ------------------------------------------------------------------------------------------- the search


def _search(
    subject: Subject, tray: _Tray, inputs: Mapping[str, NetworkInput], known: dict[str, Peaks], below: bool
) -> None:
    """Forwards of the pictures that are new to this layer, at the desk; shown while they are on their way."""
    key = _key(subject, below)
    if tray.job and tray.job_of[0] != key:
        _stop(tray)
    if tray.job and (not tray.job.running or not _new(inputs, known) <= tray.job_of[1]):
        _take(tray, known)
    missing = _new(inputs, known)
    if not missing:
        return
    if tray.stopped[0] == key and missing <= tray.stopped[1]:
        st.button(
            f"Search {len(missing)} more picture{'s' if len(missing) > 1 else ''}",
            icon=":material/search:",
            key="search tray",
            on_click=lambda: setattr(tray, "stopped", _NOTHING),
        )
        return
    if tray.job is None:
        new = [fed for digest, fed in inputs.items() if digest in missing]
        tray.job = Background(
            search(subject.probe, subject.layer.key, new, below), cache.seat().owner, "search"
        )
        tray.job_of = key, missing
        tray.job.wait(0.3)  # a small net is through with the samples at once
    if tray.job.running:
        _progress(tray, tray.job)
    else:
        _take(tray, known)


def _new(inputs: Mapping[str, NetworkInput], known: Mapping[str, Peaks]) -> frozenset[str]:
    return frozenset(inputs) - frozenset(known)


def _take(tray: _Tray, known: dict[str, Peaks]) -> None:
    """Keep what a search has found so far; one that broke off is not begun again by itself."""
    job, tray.job = tray.job, None
    if job is None:
        return
    job.cancel()
    known.update(job.latest or {})
    if job.error:
        tray.stopped = tray.job_of
        if not isinstance(job.error, Cancelled):
            st.warning(plain(str(job.error)), icon=":material/info:")


def _stop(tray: _Tray) -> None:
    job, tray.job = tray.job, None
    if job:
        job.cancel()


def _progress(tray: _Tray, job: Background[Mapping[str, Peaks]]) -> None:
    of = len(tray.job_of[1])

    def words(_: Mapping[str, Peaks]) -> tuple[float, str]:
        return job.steps / of, f"Looking through the tray: {job.steps} of {of} pictures"

    # what was found is taken by `_search`, when the page runs again
    under_way.watch(job, "cancel tray", lambda: tray.job is job, words, lambda *_: None)


# ------------------------------------------------------------------------------------------- what is shown


def _show(
    subject: Subject, found: Mapping[str, Peaks], inputs: Mapping[str, NetworkInput], below: bool
) -> None:
    places = strongest(found, subject.unit, PEAKS * len(found))
    spots = places[:SHOWN]
    count = f"{len(found)} picture{'s' if len(found) != 1 else ''}"
    if not spots:
        st.markdown(f"**Nowhere**: this unit is {_side(below)} zero in none of {count}.")
        return
    framed = unit_controls.framed(subject)
    st.markdown(
        f"**{'Lowest' if below else 'Strongest'} in {count}**: {framed.patch}. Pick one to look at its picture."
    )
    if subject.layer.layout == "heads":
        st.caption(_asking(spots[0].query is not None))
    elif subject.layer.kind in WINDOWED:
        st.caption(
            "Its heads look inside windows, each token at those of its own window alone, so that where one head looks "
            "is no map of the picture; these maps are what all heads make together."
        )
    entries = [_tile(subject, framed, spot, inputs[spot.digest]) for spot in spots]
    tiles(
        "unit patches",
        "Strongest places",
        entries,
        "",
        lambda key: _open(subject, inputs, key),
        size=92 if spots[0].query is None else 150,
        buttons=True,
        whole=True,
    )
    more = sum(place.value == spots[0].value for place in places[SHOWN:])
    st.caption(
        f"Places where it is {_side(below)} zero and no neighbour is {'lower' if below else 'stronger'}, {PEAKS} of a "
        f"picture at most, the {'lowest' if below else 'strongest'} first."
        f"{_equals([spot.value for spot in spots], more)}{_grounds(subject, framed, spots)}"
    )


def _side(below: bool) -> str:
    return "below" if below else "above"


def _asking(pairs: bool) -> str:
    """Of attention's heads: which tokens look, and what the numbers are."""
    if not pairs:
        return (
            "A place in a head’s attention is a pair of a query and a key. Here every query is the class token, which "
            "stands for no pixels; the pictures are the keys, and below each is the share of its attention."
        )
    return (
        "A place in a head’s attention is a pair of a query and a key: on the right is the key, the token that is "
        "looked at, on the left the query that looks there most, and below both in the picture, the query’s frame "
        "dashed. The first number is that query’s share of attention, the second the mean over all queries, by which "
        "the places are ordered."
    )


def _tile(subject: Subject, framed: Framed, spot: Spot, fed: NetworkInput) -> Tile:
    key, name = f"{spot.digest}:{spot.cell[0]}-{spot.cell[1]}", plain_name(fed.photo)
    shown = _sight(subject, framed, spot.cell)
    if spot.query is not None:
        asks, share = spot.query
        pair = cache.patch_pair(fed, _sight(subject, framed, asks), shown)
        return Tile(key, f"{_percent(share)} · mean {_percent(spot.value)}", pair, name)
    value = _percent(spot.value) if subject.layer.layout == "heads" else typeset(spot.value, ".4g")
    return Tile(key, value, cache.patch(fed, shown), name)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def plain_name(photo: Photo) -> str:
    """A picture's name for a tile: short."""
    return photo.name if len(photo.name) <= 22 else f"{photo.name[:12]}…{photo.name[-9:]}"


def _sight(subject: Subject, framed: Framed, cell: Pair) -> Sight:
    """What is drawn of a picture for a cell; all of it where nothing narrower is known."""
    return sight(framed.field, cell, _shape(subject))


def _shape(subject: Subject) -> Pair:
    """Height and width of what the network is fed."""
    return subject.fed.preprocessing.crop, subject.fed.preprocessing.crop


def _grounds(subject: Subject, framed: Framed, spots: Sequence[Spot]) -> str:
    """What is no photograph on the tiles; "" where all of them are read from edge to edge."""
    cells = [cell for spot in spots for cell in (spot.cell, spot.query and spot.query[0]) if cell]
    shown, shape = [_sight(subject, framed, cell) for cell in cells], _shape(subject)
    words = []
    if any(one.padded(shape) for one in shown):
        words.append("hatched is padding, which no picture fills")
    if any(one.unread(shape) for one in shown):
        words.append("plain grey is the part of the picture that the cell does not read")
    sentence = "; ".join(words)
    return f" {sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _equals(values: Sequence[float], more: int) -> str:
    """Where the strongest of the values, in their order, are equal: that they are, and what that means.

    Args:
        values: of the places that are shown.
        more: places as strong as the first that are not shown.
    """
    alike = sum(value == values[0] for value in values)
    if alike > 1:
        which = f"All {alike}" if alike == len(values) else f"The first {alike}"
        left = f", and so {'is' if more == 1 else 'are'} {more:,} more that found no room" if more else ""
        return (
            f" {which} are exactly equal{left}: a ceiling such as the 6 of a ReLU6, or a tie, so that their order "
            "means nothing."
        )
    if len(set(values)) < len(values):
        return " Some of the values are exactly equal: the order of those means nothing."
    return ""


def _open(subject: Subject, inputs: Mapping[str, NetworkInput], key: str) -> None:
    """Make a patch's picture the page's, and pin its cell."""
    digest, _, place = key.partition(":")
    if digest not in inputs:
        return
    row, _, column = place.partition("-")
    unit_controls.take_pin((int(row), int(column)))
    if digest != subject.fed.photo.digest:
        take_photo(inputs[digest].photo)


def take_photo(photo: Photo) -> None:
    """Make a picture of the tray the page's: a sample as it is, another as the tray keeps it."""
    pick = link.chooser("picture", "class", "versus")
    if photo.sample:
        pick(photo.sample)
    else:
        st.session_state["own photo"] = photo
        pick(controls.OWN)
    unit_controls.lead_elsewhere()


# ------------------------------------------------------------------------------------------- the tray


def _edit(subject: Subject, tray: _Tray) -> None:
    """What lies on the tray, and what can be put there."""
    # the same words always: under others the browser would take it for a new one and close it
    with st.expander("The tray of pictures", icon=":material/photo_library:"):
        st.caption(
            f"{len(tray.photos)} of {MOST} pictures. They stay in this session, with at most {SHORT_SIDE} pixels on "
            "the short side; the page's own picture is searched too."
        )
        name = f"tray upload {tray.turn}"
        st.file_uploader(
            "Add pictures",
            key=name,
            accept_multiple_files=True,
            on_change=lambda: _take_uploads(tray, name),
            max_upload_size=MAX_BYTES // 10**6,
        )
        for sentence in tray.trouble:
            st.error(plain(sentence), icon=":material/image_not_supported:")
        page = _own(tray, subject.fed.photo)
        with st.container(horizontal=True, gap="small"):
            if page.digest not in tray.photos:
                st.button("Add the page's picture", key="tray own", on_click=lambda: _put(tray, [page]))
            left = [key for key in SAMPLES if sample_photo(key).digest not in tray.photos]
            if left:
                st.button(
                    "Add the samples",
                    key="tray samples",
                    on_click=lambda: _put(tray, [sample_photo(key) for key in left]),
                )
            if tray.photos:
                st.button("Empty it", key="tray empty", on_click=lambda: _remove(tray, list(tray.photos)))
        if tray.photos:
            tiles(
                "tray tiles",
                "On the tray: pick one to take it off",
                [
                    Tile(digest, plain_name(photo), cache.tile_image(photo))
                    for digest, photo in tray.photos.items()
                ],
                "",
                lambda digest: _remove(tray, [digest]),
                title="Pick a picture to take it off",
                size=54,
                buttons=True,
            )


def _take_uploads(tray: _Tray, name: str) -> None:
    """Put what was dropped on the tray; each file that is no picture gets a sentence."""
    uploads = st.session_state[name] or []
    tray.turn += 1
    photos: list[Photo] = []
    trouble: list[str] = []
    for upload in uploads:
        try:
            photos.append(for_tray(decode_photo(upload.getvalue(), upload.name)))
        except ExplorerError as error:
            trouble.append(str(error))
    _put(tray, photos)
    if len(trouble) > SENTENCES:
        more = len(trouble) - SENTENCES + 1
        trouble[SENTENCES - 1 :] = [f"{more} more of these {len(uploads)} files cannot be read as pictures."]
    tray.trouble = (*trouble, *tray.trouble)


def _put(tray: _Tray, photos: list[Photo]) -> None:
    """Put pictures on the tray as long as there is room; one that is there already takes none."""
    left: list[Photo] = []
    for photo in photos:
        if photo.digest in tray.photos:
            continue
        if len(tray.photos) < MOST:
            tray.photos[photo.digest] = photo
        else:
            left.append(photo)
    what = f"“{left[0].name}” was" if len(left) == 1 else f"{len(left)} of {len(photos)} were"
    full = f"The tray holds {MOST} pictures, and {what} left out: take others off first."
    tray.trouble = (full,) if left else ()


def _remove(tray: _Tray, digests: list[str]) -> None:
    tray.trouble = ()
    for digest in digests:
        tray.photos.pop(digest, None)
        for found in tray.found.values():
            found.pop(digest, None)
