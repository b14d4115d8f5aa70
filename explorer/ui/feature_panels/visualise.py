"""Feature visualisation: a picture that excites a map, one of its cells, a class or a mixture of maps most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import streamlit as st

from explorer.canvas import Holding
from explorer.errors import Cancelled, ExplorerError
from explorer.figures.annotated import annotated_png
from explorer.images import plain
from explorer.models import NetworkInput
from explorer.references import PAPERS
from explorer.ui import cache, controls, link, under_way
from explorer.ui.feature_controls import Subject
from explorer.ui.feature_panels import searching
from explorer.ui.feature_panels.inversion import seed
from explorer.ui.feature_panels.searching import Tile
from explorer.ui.numbers import readable
from explorer.ui.show import download, file_stem
from explorer.visualisation import (
    LIMIT,
    MOST_ITERATIONS,
    Class,
    Direction,
    Robustness,
    Settings,
    Target,
    Unit,
    Vision,
    Visualisation,
)
from explorer.visualisation_code import visualisation_code

_ITERATIONS: Final = (64, 128, 256, 512, 1024)
_SIGNS: Final[Mapping[str, str]] = MappingProxyType({"most": "Most", "least": "Least"})
_WAYS: Final[Mapping[str, Robustness]] = MappingProxyType(
    {"full": "full", "jitter": "jitter", "none": "none"}
)
_WAY_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {"full": "Moved, scaled, turned", "jitter": "Moved", "none": "As it is"}
)
_HELD: Final[Mapping[str, Holding]] = MappingProxyType({"waves": "frequencies", "pixels": "pixels"})
_HELD_WORDS: Final[Mapping[str, str]] = MappingProxyType({"waves": "Frequencies", "pixels": "Pixels"})
_HUES: Final[Mapping[str, str]] = MappingProxyType(
    {"photos": "As in photographs", "each": "Red, green, blue apart"}
)

_KEPT, MOST_KEPT = "pictures that excite", 8
"""Session key of what was found, newest first, and how many are kept: 0.2 MB each for 224 pixels."""
_GOING_ON: Final = "search to go on with"
"""Session key of the newest one's search: 1 MB for 224 pixels; it keeps no network alive."""


@dataclass(frozen=True)
class _Sought:
    """What is searched for: in which network, in words, what the visitor's picture has of it."""

    network: str
    target: Target
    settings: Settings
    title: str
    here: float


@dataclass(frozen=True, eq=False)
class _Kept:
    """A picture that was found, and for what."""

    sought: _Sought
    vision: Vision
    cancelled: bool


def visualise(subject: Subject) -> None:
    """The panel."""
    st.markdown(
        "**What excites it most?** No photograph: from grey noise a picture is moved uphill until it excites the map, "
        "or the class, as far as it goes. It shows what the network looks for there, and often more than one thing."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width=330):
            target, title, here = _target(subject)
        with st.container(width=150):
            sign = controls.choice("excitesign", "Excite it", _SIGNS, "the sign", buttons=True)
        with st.popover("More", icon=":material/tune:"):
            settings, iterations = _settings(subject, sign)
        sought = _Sought(subject.fed.card.key, target, settings, title, here)
        search = searching.going("visualise", sought)
        _buttons(subject, sought, iterations, search is not None)
    if search is not None:
        under_way.show(
            search,
            "cancel visualise",
            partial(_words, since=search.since),
            partial(_keep, sought),
            partial(_live, sought),
        )
    _gallery(subject, hide=search is not None)
    paper = PAPERS["olah2017"]
    random = (
        " The weights are random: what excites a unit is then an accident."
        if subject.fed.card.source == "random"
        else ""
    )
    st.caption(
        f"After [{plain(paper.citation)}]({paper.url}): frequencies that fall off as in photographs, colours along "
        "the axes in which those of photographs are independent, and before each look a small move, scaling and turn; "
        "Adam, with no other prior. Under “More” each can be switched off: the value rises as well, and the picture "
        f"becomes noise.{random}"
    )


# --------------------------------------------------------------------------- what is sought


def _target(subject: Subject) -> tuple[Target, str, float]:
    """What to excite, in words, and what it is on the visitor's picture."""
    layer, unit, values = subject.layer, subject.unit, subject.maps.values
    row, column = np.unravel_index(int(values[unit].argmax()), values[unit].shape)
    which = {"unit": f"Map {unit} of {layer.key}"}
    if layer.grid != (1, 1):
        which["cell"] = f"The middle cell of map {unit}"
    which["class"] = "A class"
    direction = values[:, row, column]
    if layer.layout != "heads" and direction.any():
        where = f"at ({row}, {column}), where map {unit} is strongest" if layer.grid != (1, 1) else "here"
        which["mix"] = f"What {layer.key} says {where}"
    chosen = controls.choice("excite", "What to excite", which, "what to excite")
    if chosen == "class":
        return _class(subject.fed)
    if chosen == "mix":
        weights = tuple(float(value) for value in direction)
        length = float(np.linalg.norm(direction))
        cells = values.reshape(len(values), -1).astype(np.float64)
        along = direction.astype(np.float64) @ cells / length
        purity = along / np.linalg.norm(cells, axis=0).clip(1e-6)
        return Direction(layer.key, weights), which["mix"], float((along * purity.clip(0.1)).mean())
    if chosen == "cell":
        middle = values[unit, layer.grid[0] // 2, layer.grid[1] // 2]
        return Unit(layer.key, unit, "centre"), f"{which['cell']} of {layer.key}", float(middle)
    return Unit(layer.key, unit), which["unit"], float(values[unit].mean(dtype=np.float64))


def _class(fed: NetworkInput) -> tuple[Target, str, float]:
    scores, labels = cache.class_scores(fed), fed.card.labels
    index, key = (
        link.read_number("exciteclass", int(scores.argmax()), 0, len(scores) - 1),
        "exciteclass control",
    )
    st.session_state[key] = index
    st.selectbox(
        "Class",
        range(len(labels)),
        format_func=lambda number: f"{labels[number]} · {number}",
        filter_mode="contains",
        key=key,
        on_change=lambda: link.choose("exciteclass", str(st.session_state[key])),
    )
    return Class(index), labels[index], float(scores[index])


def _settings(subject: Subject, sign: str) -> tuple[Settings, int]:
    sides = cache.canvas_sides(subject.fed.card.key)
    sizes = {str(side): f"{side} × {side} pixels" for side in sides}
    side = controls.choice("exciteside", "Size", sizes, "the size")
    counts = {str(count): f"{count:,}" for count in _ITERATIONS}
    steps = controls.choice("excitesteps", "Iterations", counts, "the number of iterations", usual="256")
    way = controls.choice("exciteway", "Before each look it is", _WAY_WORDS, "the moves")
    held = controls.choice("excitehold", "The picture is held as", _HELD_WORDS, "the way it is held")
    hues = controls.choice("excitehues", "Its colours vary", _HUES, "the colours")
    chosen = Settings(
        int(side),
        seed("exciteseed"),
        1 if sign == "most" else -1,
        _HELD[held],
        _WAYS[way],
        hues == "each",
    )
    return chosen, int(steps)


# --------------------------------------------------------------------------- starting, and what was found


def _buttons(subject: Subject, sought: _Sought, iterations: int, busy: bool) -> None:
    st.button(
        "Search",
        icon=":material/auto_awesome:",
        type="primary",
        key="start visualise",
        disabled=busy,
        on_click=_start,
        args=(subject, sought, iterations),
    )
    last: tuple[_Sought, Visualisation] | None = st.session_state.get(_GOING_ON)
    if last is not None and last[0] == sought and not busy:
        st.button(
            "Go on",
            icon=":material/resume:",
            key="go on visualise",
            help=f"{iterations:,} iterations more, from where it stopped",
            disabled=last[1].done + iterations > MOST_ITERATIONS,
            on_click=_go_on,
            args=(subject, sought, last[1], iterations),
        )


def _start(subject: Subject, sought: _Sought, iterations: int) -> None:
    _go_on(
        subject, sought, Visualisation(sought.target, subject.fed.preprocessing, sought.settings), iterations
    )


def _go_on(subject: Subject, sought: _Sought, search: Visualisation, iterations: int) -> None:
    st.session_state[_GOING_ON] = sought, search
    searching.begin("visualise", sought, search.run(subject.probe, iterations))


def _keep(sought: _Sought, vision: Vision | None, error: ExplorerError | None) -> None:
    if error is not None and not isinstance(error, Cancelled):
        st.session_state["trouble with a search"] = error
    if vision is None:
        return
    found: list[_Kept] = st.session_state.get(_KEPT, [])
    others = [one for one in found if one.sought != sought]
    st.session_state[_KEPT] = [_Kept(sought, vision, error is not None), *others][:MOST_KEPT]


def _words(vision: Vision, since: float) -> tuple[float, str]:
    share = vision.done / vision.of
    return share, f"Iteration {vision.done:,} of {vision.of:,}{under_way.time_left(share, since)}"


def _live(sought: _Sought, vision: Vision) -> None:
    searching.tiles([_tile(_Kept(sought, vision, False))], width=336, lively=True)


def _gallery(subject: Subject, hide: bool) -> None:
    """What was found in this session, newest first; while a search goes on, those before it."""
    searching.troubles(st.session_state.pop("trouble with a search", None))
    found: list[_Kept] = st.session_state.get(_KEPT, [])
    if not found:
        return
    if hide:
        st.markdown("**Found before**")
        searching.tiles([_tile(one) for one in found], width=224)
        return
    newest, others = found[0], found[1:]
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=352):
            searching.tiles([_tile(newest)], width=336)
        with st.container(width=300):
            _about(newest)
            _home(subject, newest)
    if others:
        st.markdown(f"**Found before**, the last {MOST_KEPT} are kept")
        searching.tiles([_tile(one) for one in others], width=160)


def _tile(one: _Kept) -> Tile:
    settings, vision = one.sought.settings, one.vision
    least = "" if settings.sign > 0 else "Least: "
    notes = (
        f"{readable(vision.value)} · seed {settings.seed} · {vision.done:,} iterations",
        *_unusual(settings),
    )
    return Tile(
        vision.pixels,
        f"{least}{one.sought.title}",
        notes,
        f"A picture that was found: {least}{one.sought.title}",
    )


def _unusual(settings: Settings) -> tuple[str, ...]:
    """What a picture was made without."""
    usual = Settings(settings.side)
    words = [
        *(["held as pixels"] if settings.holding != usual.holding else []),
        *([_WAY_WORDS[settings.robustness].lower()] if settings.robustness != usual.robustness else []),
        *(["colours apart"] if settings.one_by_one else []),
    ]
    return (", ".join(words),) if words else ()


_MEASURE: Final = {"all": "the map’s mean", "centre": "the cell"}


def _about(one: _Kept) -> None:
    """What the picture does, beside noise and the visitor's own."""
    vision, target = one.vision, one.sought.target
    what = "the score" if isinstance(target, Class) else "the mixture"
    if isinstance(target, Unit):
        what = _MEASURE[target.cell]
    st.html(
        f'<div class="figures"><div><b>{readable(vision.value)}</b><span>{what} on this picture</span></div>'
        f"<div><b>{readable(one.sought.here)}</b><span>on yours, when it was started</span></div>"
        f"<div><b>{readable(vision.start)}</b><span>on the noise it began with</span></div></div>"
    )
    if one.cancelled:
        st.caption(f"Cancelled after {vision.done:,} of {vision.of:,} iterations.")
    elif vision.ended == "time":
        st.caption(f"Ended after {LIMIT:.0f} s of computing, at {vision.done:,} of {vision.of:,} iterations.")
    elif vision.ended == "flat":
        st.caption(
            f"Ended after {vision.done:,} iterations: nothing that could be changed moves it any more. A ReLU that is "
            "silent everywhere gives 0 and has no slope; look at the layer before it."
        )
    elif vision.value == vision.start == 0:
        st.caption(
            "No picture on the way moved it from 0: its filter is dead, or a ReLU behind it stays shut whatever is "
            "seen."
        )
    took = f"{vision.seconds:,.0f} s" if vision.seconds >= 1 else "Less than 1 s"
    st.caption(f"{took} of computing at {one.sought.settings.side} × {one.sought.settings.side} pixels.")


def _home(subject: Subject, one: _Kept) -> None:
    """The picture with its seed inside, and code that finds it again."""
    stem = file_stem(one.sought.title, f"seed {one.sought.settings.seed}")
    with st.container(horizontal=True, gap="small"):
        download(
            "Picture as PNG",
            lambda: annotated_png(one.vision.pixels, _notes(one)),
            f"{stem}.png",
            "Seed and settings are written inside as text.",
        )
        if subject.fed.card.key != one.sought.network:
            return
        target = one.sought.target
        layer = None if isinstance(target, Class) else subject.probe.layer(target.layer)
        code = visualisation_code(subject.fed, layer, target, one.sought.settings, one.vision.done)
        download("Code as .py", code, f"{stem}.py", "Finds it again with public packages alone.")


def _notes(one: _Kept) -> dict[str, str]:
    settings = one.sought.settings
    made: dict[str, Any] = {
        "Title": one.sought.title,
        "Network": one.sought.network,
        "Sign": "most" if settings.sign > 0 else "least",
        "Value": one.vision.value,
        "Iterations": one.vision.done,
        "Seed": settings.seed,
        "Side": settings.side,
        "Held as": settings.holding,
        "Robustness": settings.robustness,
        "Colours": "apart" if settings.one_by_one else "decorrelated",
        "Software": "CNN Explorer",
    }
    return {key: str(value) for key, value in made.items()}
