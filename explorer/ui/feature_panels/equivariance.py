"""Equivariance, measured: move the picture, and see which layers' maps move along, stay, or become others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.activations import HEADS, Layer
from explorer.figures.moving_chart import moving_chart
from explorer.figures.pictures import png
from explorer.figures.signed import Bytes
from explorer.images import plain
from explorer.moving import Motion, Moved, along_depth
from explorer.references import PAPERS
from explorer.ui import cache, controls, link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.feature_controls import Subject
from explorer.ui.kernel_panels.pictures import Figure, figures, paint
from explorer.ui.numbers import readable


@dataclass(frozen=True)
class _Turn:
    """One number of a motion: its name in the link and in `Motion`, the words over it, its limits."""

    name: str
    field: str
    label: str
    lowest: int
    highest: int
    usual: int
    unit: str


_MOTIONS: Final[Mapping[str, tuple[str, tuple[_Turn, ...]]]] = MappingProxyType(
    {
        "shift": (
            "Shift",
            (
                _Turn("across", "right", "To the right", -96, 96, 16, "px"),
                _Turn("lower", "down", "Down", -96, 96, 0, "px"),
            ),
        ),
        "turn": ("Turn", (_Turn("degrees", "degrees", "Clockwise", -180, 180, 20, "°"),)),
        "zoom": ("Scale", (_Turn("percent", "factor", "Enlarged to", 50, 200, 130, "%"),)),
    }
)


def equivariance(subject: Subject) -> None:
    """The panel."""
    st.markdown(
        "**Move the picture: do the maps move along?** A convolution asks the same question everywhere, so its maps "
        "follow a shift. A stride asks at every second place only; nothing in a network is made to follow a turn or a "
        "change of scale. What a network answers should stay as it was."
    )
    kind = controls.choice(
        "motion",
        "The picture is",
        {key: words for key, (words, _) in _MOTIONS.items()},
        "the motion",
        buttons=True,
    )
    motion = _motion(kind)
    layers = _layers(subject)
    answers = cache.moved(subject.fed, motion, tuple(layer.key for layer in layers))
    st.plotly_chart(
        moving_chart(answers, subject.layer.key, st.context.theme.type == "dark"),
        key="moving chart",
        theme=None,
        config={"displayModeBar": False},
    )
    st.caption(
        "Correlation over all maps and all places of a layer that were inside the picture before, each map about its "
        "own mean. Solid: the moved picture's maps against the picture's maps, moved afterwards. Dotted: against the "
        f"picture's maps as they are. {_sources()}"
    )
    chosen = next((answer for answer in answers if answer.layer == subject.layer), None)
    if chosen is not None:
        _chosen_map(subject, motion, chosen, kind)
    else:
        st.info(_unmoved(subject.layer))


def _unmoved(layer: Layer) -> str:
    """Why a layer has no line of its own."""
    name = plain(layer.key)
    if layer.layout == "heads":
        return (
            f"{name} is not measured: its maps are shares of one attention, which is divided anew over all tokens when "
            f"the picture moves. What the heads make together is measured as {plain(layer.name)}."
        )
    return f"{name} has no places that could move: choose a layer with larger maps."


def _motion(kind: str) -> Motion:
    _, turns = _MOTIONS[kind]
    values = {turn.name: link.read_number(turn.name, turn.usual, turn.lowest, turn.highest) for turn in turns}
    entries = [
        Dial(turn.name, turn.label, turn.lowest, turn.highest, 1, values[turn.name], turn.unit)
        for turn in turns
    ]
    dials("motion dials", entries, lambda key, value: link.choose(key, str(int(value))))
    scale = 100 if kind == "zoom" else 1
    return Motion(**{turn.field: values[turn.name] / scale for turn in turns})


def _layers(subject: Subject) -> tuple[Layer, ...]:
    """Layers along depth, the chosen one among them in its place."""
    shown = {layer.key for layer in along_depth(subject.probe.layers)}
    if min(subject.layer.grid) > 1 and not subject.layer.key.endswith(HEADS):
        shown.add(subject.layer.key)
    return tuple(layer for layer in subject.probe.layers if layer.key in shown)


def _chosen_map(subject: Subject, motion: Motion, answer: Moved, kind: str) -> None:
    """The chosen map of the picture and of the moved one, what equivariance would give, and the difference."""
    st.markdown(f"**Map {subject.unit} of {plain(subject.layer.key)}**: {_told(answer)}")
    found = cache.moved_unit(subject.fed, motion, subject.layer.key, subject.unit)
    inside = found.inside.numpy()
    before, now, then = (
        np.where(mask, maps.numpy(), 0).astype(np.float32)
        for maps, mask in (
            (found.before, np.ones_like(inside)),
            (found.of_moved, inside),
            (found.moved_after, inside),
        )
    )
    peak = max(float(np.abs(maps).max()) for maps in (before, now, then))
    moved_picture = motion.applied(subject.fed.tensor(), subject.fed.card.preprocessing.crop)[0]
    figures(
        [
            Figure(png(_as_picture(moved_picture.numpy(), subject)), "The picture, moved", width=176),
            Figure(paint(before, "signed", peak), "Map of the picture", width=176),
            Figure(paint(now, "signed", peak), "Map of the moved picture", width=176),
            Figure(
                paint(then, "signed", peak),
                "Map, moved afterwards",
                "what equivariance would give",
                width=176,
            ),
            Figure(
                paint(now - then, "signed", peak), "Difference", f"same scale, ±{readable(peak)}", width=176
            ),
        ]
    )
    side = subject.fed.card.preprocessing.crop / subject.layer.grid[1]
    if kind == "shift":
        st.markdown(_steps(motion, side))


def _as_picture(x: NDArray[np.float32], subject: Subject) -> Bytes:
    """A network's input (C, H, W) as pixels again."""
    ready = subject.fed.preprocessing
    channels = len(x)
    mean, std = (np.array(part[:channels])[:, None, None] for part in (ready.mean, ready.std))
    pixels: Bytes = np.rint(255 * np.clip(x * std + mean, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return pixels


def _told(answer: Moved) -> str:
    if answer.equivariance is None:
        return "the layer's maps do not vary here, so there is nothing to compare."
    stay = "" if answer.invariance is None else f"; with the maps as they were, {answer.invariance:.3f}"
    return (
        f"over all {answer.layer.channels} maps of the layer the correlation with the maps moved along is "
        f"**{answer.equivariance:.3f}**{stay}. {answer.cells:,} of {answer.layer.grid[0] * answer.layer.grid[1]:,} "
        "places are compared."
    )


def _steps(motion: Motion, side: float) -> str:
    """Is the shift a whole number of cells?

    >>> _steps(Motion(right=24), 16)
    'A cell of this layer is 16 pixels: the shift is 1.5 cells to the right, between cells, so values change.'
    """
    parts: list[str] = []
    for amount, words in ((motion.right, ("to the right", "to the left")), (motion.down, ("down", "up"))):
        if amount:
            parts.append(f"{abs(amount) / side:.3g} {'cells ' if not parts else ''}{words[amount < 0]}")
    if not parts:
        return "Nothing moves."
    whole = all(float(amount / side).is_integer() for amount in (motion.right, motion.down))
    verdict = "whole cells, so the maps can follow" if whole else "between cells, so values change"
    return f"A cell of this layer is {side:.3g} pixels: the shift is {' and '.join(parts)}, {verdict}."


def _sources() -> str:
    papers = (PAPERS["lenc2015"], PAPERS["zhang2019"])
    return " ".join(f"[{plain(paper.citation)}]({paper.url})" for paper in papers)
