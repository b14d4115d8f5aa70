"""Upward: which classes a unit supports, which units a class rests on, and what happens without them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import ablation
from explorer.ablation import Off, To
from explorer.activations import TOGETHER
from explorer.errors import ExplorerError, LayerError
from explorer.images import plain
from explorer.models import NetworkInput
from explorer.references import PAPERS
from explorer.ui import cache, controls, feature_controls, frame, link
from explorer.ui.components.before_after import Pair, before_after
from explorer.ui.components.effects import Effect, effects
from explorer.ui.feature_controls import Subject
from explorer.ui.numbers import typeset

Floats = NDArray[np.float32]

TOP: Final = 5
"""Classes shown, of the most probable."""
LINES: Final = 16
"""Units ranked; a network that takes more than `SLOW` multiply-adds gets half, since each is tried."""
SLOW: Final = 2.0
_USUAL_STRONGEST: Final = 8

_WHICH: Final = {
    "none": "Nothing",
    "unit": "This unit",
    "list": "Chosen units",
    "strongest": "The strongest",
    "all": "The whole layer",
}
_TO: Final = {"zero": "zero", "mean": "their mean over this picture"}
_WITHOUT_ALL: Final[Mapping[To, str]] = MappingProxyType(
    {
        "zero": "off: what comes after knows of the picture only what goes around the layer.",
        "mean": "flat, each at its mean over this picture: what comes after still knows how much there is of what each "
        "unit looks for, not where.",
    }
)
_LAST: Final = "units off and class, and what they were of"
_TYPED: Final = "units that could not be read, and why"
_PLACE: Final = ("network", "picture", "part that is fed", "layer")


def up(subject: Subject) -> None:
    """The panel."""
    layer = subject.layer
    if layer.layout == "heads":
        st.info(
            plain(
                f"These maps show where the heads of {layer.name} look; classes rest on what is made of it: look at "
                f"{layer.name}, the attention’s own output."
            )
        )
        return
    _live(subject.fed, link.read("map", "0"))


@frame.part
def _live(fed: NetworkInput, asked: str) -> None:
    """What a switch sets in motion: it runs alone, without the walls and maps above it.

    Args:
        fed: the picture and the network; a part keeps what it is given for as long as its page: not the maps, then.
        asked: the unit in the link when the page ran.
    """
    if link.read("map", "0") != asked:
        st.rerun()  # another unit is for the whole page
    try:
        _show(feature_controls.subject(fed))
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")


def _show(subject: Subject) -> None:
    layer = subject.layer
    _forget_stale(subject)
    scores = cache.class_scores(subject.fed)
    class_index = link.read_number("upclass", int(scores.argmax()), 0, len(scores) - 1)
    if len(scores) > 1 and not np.ptp(scores):
        st.info(
            f"All {len(scores):,} classes get the same score, {typeset(float(scores[0]), '.4g')}: the last layer says "
            "the same of anything, as it does while all its weights are zero (some networks begin their training so, "
            "torchvision’s ViT for one). Until it has learned, no unit moves any class.",
            icon=":material/casino:" if subject.fed.card.source == "random" else ":material/info:",
        )
        return
    to = _to(subject)
    classes = tuple(dict.fromkeys([*map(int, np.argsort(-scores, kind="stable")[:TOP]), class_index]))
    support = cache.unit_support(subject.fed, layer.key, classes, to)
    of_class = support[classes.index(class_index)]
    off = _off(subject)
    units = ablation.units_off(off, layer, subject.unit, of_class)

    with st.container(key="up-bench", horizontal=True):
        with st.container(key="up-answers"):
            _switches(subject, off, units, class_index, int((of_class > 0).sum()), to)
            _answers(subject, scores, units, to, class_index)
            _of_unit(subject, scores, classes, support, to, class_index)
        with st.container(key="up-units"):
            _of_class(subject, scores, class_index, of_class, to, units, off)
    paper = PAPERS["molchanov2017"]
    removed = "activation" if to == "zero" else "(activation − its mean)"
    st.caption(
        f"**Slope**: Σ gradient · {removed}: by how much the logit would fall without the unit, were everything behind "
        f"the layer a straight line ([{paper.citation}]({paper.url})). **Fact**: the unit is switched off and the "
        "network is asked again. Where they differ, what comes after bends: another unit takes over, a ReLU closes, "
        "attention looks elsewhere."
    )


# --------------------------------------------------------------------------- what is switched off


def _to(subject: Subject) -> To:
    """What units that are off become; of a layer of single numbers always zero."""
    if subject.layer.grid == (1, 1):
        return "zero"
    return "mean" if link.read_among("offto", _TO, "zero", "the value") == "mean" else "zero"


def _off(subject: Subject) -> Off:
    try:
        return ablation.read_off(link.read("off"), subject.layer)
    except LayerError as error:
        st.warning(plain(f"The link's units cannot be switched off. {error}"), icon=":material/link_off:")
        link.choose("off", "")
        return Off()


def _forget_stale(subject: Subject) -> None:
    """Units that are off belong to a picture, a network and a layer; elsewhere all are on, and a sentence says so.

    The class goes back to the first prediction where picture or network is another.  What a link brings with them
    counts.
    """
    here, names = (*subject.fed.identity, subject.layer.key), ("off", "upclass")
    texts = tuple(map(link.read, names))
    before, place = st.session_state.get(_LAST, (texts, here))
    moved = [what for what, old, new in zip(_PLACE, place, here, strict=True) if old != new]
    if link.spoke():
        moved = []  # what the address brings belongs together
    if texts[0] and moved and texts[0] == before[0]:
        st.info(f"The {moved[0]} is another one now: everything is on again.", icon=":material/restart_alt:")
        link.choose("off", "")
    if moved and moved != ["layer"] and texts[1] == before[1]:
        link.forget("upclass")
    st.session_state[_LAST] = tuple(map(link.read, names)), here


def _take(off: Off) -> None:
    st.session_state.pop(_TYPED, None)
    link.choose("off", off.text)


def _restore() -> None:
    """All on again; what they would become is asked no more, and so it is the usual."""
    _take(Off())
    link.forget("offto")


def _switches(
    subject: Subject, off: Off, units: tuple[int, ...], class_index: int, supporting: int, to: To
) -> None:
    layer, key = subject.layer, "off control"
    st.session_state[key] = off.which

    def choose() -> None:
        which = st.session_state[key]
        if which == "strongest":
            _take(Off("strongest", strongest=min(_USUAL_STRONGEST, layer.channels)))
        elif which == "list":  # goes on from what is off, where that can be listed
            _take(Off("list", units if len(ablation.runs(units)) <= ablation.MOST_LISTED else ()))
        elif which == "none":
            _restore()
        else:
            _take(Off(which))

    st.segmented_control(
        "Switched off",
        list(_WHICH),
        required=True,
        width="stretch",
        format_func=_WHICH.__getitem__,
        key=key,
        on_change=choose,
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="up-more"):
        if off.which == "strongest":
            _count(subject, off, class_index)
        if off.which == "list":
            _list(subject, off)
        if layer.grid != (1, 1) and off.which != "none":
            controls.choice("offto", "They become", _TO, "the value", buttons=True)
    label = plain(subject.fed.card.labels[class_index])
    listed = ablation.listed(units) or "type their numbers, or switch some off in the list"
    said = {
        "none": f"All {layer.channels:,} units of {plain(layer.key)} are on.",
        "unit": f"Unit {subject.unit} of {plain(layer.key)} is off; choose another and it is that one.",
        "list": f"{_units(len(units))} of {layer.channels:,} off: {listed}.",
        "strongest": f"Off: the {_units(len(units))} with the greatest slope for {label}, of {layer.channels:,}."
        + (f" Only {supporting:,} of them support it." if len(units) > supporting else ""),
        "all": f"All {layer.channels:,} units of {plain(layer.key)} are {_WITHOUT_ALL[to]}",
    }[off.which]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(said)
        if off.which != "none":
            st.button("Restore all", icon=":material/restart_alt:", key="restore all", on_click=_restore)


def _units(count: int) -> str:
    return f"{count:,} unit{'' if count == 1 else 's'}"


def _count(subject: Subject, off: Off, class_index: int) -> None:
    key = "strongest control"
    st.session_state[key] = off.strongest
    st.number_input(
        f"How many of {subject.layer.channels:,}, for {plain(subject.fed.card.labels[class_index])}",
        1,
        subject.layer.channels,
        key=key,
        on_change=lambda: _take(Off("strongest", strongest=int(st.session_state[key]))),
    )


def _list(subject: Subject, off: Off) -> None:
    """The numbers as they are typed; what cannot be read stays, and all else as it is."""
    key, layer = "listed control", subject.layer
    typed, trouble = st.session_state.get(_TYPED, ("", ""))
    st.session_state[key] = typed if trouble else ablation.listed(off.units)

    def take() -> None:
        try:
            _take(Off("list", ablation.read_units(st.session_state[key], layer)))
        except LayerError as error:
            st.session_state[_TYPED] = st.session_state[key], str(error)

    with st.container(key="up-list"):
        st.text_input(
            f"Units, from 0 to {layer.channels - 1:,}", key=key, placeholder="3, 17, 20–40", on_change=take
        )
        if trouble:
            st.caption(f":red[{plain(trouble)} The units that are off stay as they were.]")


# --------------------------------------------------------------------------- what it does


def _answers(subject: Subject, scores: Floats, units: tuple[int, ...], to: To, class_index: int) -> None:
    """Probabilities before and after."""
    fed = subject.fed
    after = cache.class_scores(fed, ablation.ablation_of(units, subject.layer, to))
    if not np.isfinite(after).all():
        raise LayerError("Without these units the class scores are no numbers.")
    entries = [
        Pair(
            move.class_index,
            fed.card.labels[move.class_index],
            move.before,
            move.after,
            f"Class {move.class_index}: logit {move.logit_before:.3f} → {move.logit_after:.3f}, "
            f"probability {move.before:.4g} → {move.after:.4g}",
        )
        for move in ablation.moves(scores, after, TOP, (class_index,))
    ]
    st.markdown(_answers_title(fed, scores, after) if units else "**The answers**, with all units on")
    before_after("up classes", "Classes", entries, class_index, bool(units), _take_class)
    _search(subject)


def _answers_title(fed: NetworkInput, before: Floats, after: Floats) -> str:
    """The headline; where another class wins now, which."""
    first, now = int(before.argmax()), int(after.argmax())
    title = "**The answers before and after**, in percent and points"
    if first == now:
        return title
    return f"{title}. The most probable is now **{plain(fed.card.labels[now])}**, not {plain(fed.card.labels[first])}"


def _take_class(index: int) -> None:
    link.choose("upclass", str(index))


def _search(subject: Subject) -> None:
    key, labels = "upclass search", subject.fed.card.labels

    def searched() -> None:
        if (index := st.session_state[key]) is not None:
            _take_class(index)
            st.session_state[key] = None

    st.selectbox(
        "Another class",
        range(len(labels)),
        index=None,
        format_func=lambda index: f"{labels[index]} · {index}",
        filter_mode="contains",
        key=key,
        on_change=searched,
        placeholder=f"Search all {len(labels):,} classes",
    )


def _of_unit(
    subject: Subject, scores: Floats, classes: tuple[int, ...], support: Floats, to: To, class_index: int
) -> None:
    """What the unit that is looked at gives each of the classes."""
    unit = subject.unit
    without = cache.unit_effects(subject.fed, subject.layer.key, (unit,), to)[0]
    st.markdown(f"**What unit {unit} gives each class**, in logits")
    entries = [
        Effect(
            index,
            subject.fed.card.labels[index],
            float(support[row, unit]),
            float(scores[index]) - float(without[index]),
            hint=f"Class {index}: logit {scores[index]:.3f}, without the unit {without[index]:.3f}",
        )
        for row, index in enumerate(classes)
    ]
    effects("unit classes", f"What unit {unit} gives each class", entries, class_index, _take_class)


def _of_class(
    subject: Subject,
    scores: Floats,
    class_index: int,
    support: Floats,
    to: To,
    units: tuple[int, ...],
    off: Off,
) -> None:
    """The layer's units by what they give one class, each with a switch."""
    fed, layer = subject.fed, subject.layer
    lines = ablation.ranked(support, LINES if fed.card.gmacs <= SLOW else LINES // 2)
    shown = tuple(dict.fromkeys([*lines, *off.units[:LINES], subject.unit]))
    without: dict[int, Any] = {}
    for first in range(0, len(shown), TOGETHER):  # a few at a time: others at the desk come between
        some = shown[first : first + TOGETHER]
        without |= dict(zip(some, cache.unit_effects(fed, layer.key, some, to), strict=True))
    label = plain(fed.card.labels[class_index])
    rest = layer.channels - len(shown)
    st.markdown(
        f"**The units that {label} rests on**, in logits. Click one to look at it; its switch turns it off."
    )
    entries = [
        Effect(
            unit,
            str(unit),
            float(support[unit]),
            float(scores[class_index]) - float(without[unit][class_index]),
            unit in units,
            f"{label}: logit {scores[class_index]:.3f}, without the unit {without[unit][class_index]:.3f}",
        )
        for unit in shown
    ]
    effects(
        "class units",
        f"Units of {layer.key} by what they give {label}",
        entries,
        subject.unit,
        feature_controls.take_unit,
        lambda unit: _switch(off, unit, units),
    )
    if not support.any():
        st.caption(
            f"Nothing that this layer gives reaches the logit of {label}: its slope is 0 for every unit."
        )
        return
    positive = int((support > 0).sum())
    st.caption(
        f"{positive:,} of {layer.channels:,} units support it by the slope, {int((support < 0).sum()):,} speak against "
        f"it; the slopes add up to {typeset(float(support.sum(dtype=np.float64)), '+.2f')}."
        + (f" Not shown: {_units(rest)} between these." if rest > 0 else "")
        + (f" Unit {subject.unit}, below, is the one that is looked at." if subject.unit == shown[-1] else "")
        + (" Below these are units that were chosen." if {*off.units[:LINES]} - {*lines} else "")
    )


def _switch(off: Off, unit: int, units: tuple[int, ...]) -> None:
    try:
        _take(off.toggled(unit, units))
    except LayerError:  # more are off than a list holds: begin a new one
        _take(Off("list", (unit,)))
