"""What the page on a layer's arithmetic shows: the result and why, the sliding window, and panels that go further."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.animation import View, animate, to_json
from explorer.errors import ExplorerError
from explorer.images import plain
from explorer.layer_code import code
from explorer.layer_steps import Equation, equations, in_words, mathml
from explorer.layers import AXES, LayerSpec, Sizes, output_shape, unread_cells
from explorer.ui import controls, frame, layer_controls, link
from explorer.ui.components.outcome import Line, Working, outcome
from explorer.ui.components.player import OWN, Numbers, Words, player
from explorer.ui.layer_panels.cost import cost
from explorer.ui.layer_panels.examples import examples
from explorer.ui.layer_panels.field import field
from explorer.ui.layer_panels.practice import practice
from explorer.ui.layer_panels.solve import solve_backwards
from explorer.worked import drawable, worked_numbers

VIEWS: Final[Mapping[str, str]] = MappingProxyType(
    {"scatter": "Scatter: each input pixel gives", "equivalent": "The convolution that does the same"}
)

MOST_PRODUCTS: Final = 1_000_000
"""In 2-D no control leads beyond; the widest windows in 3-D would take a browser minutes."""


def by(sizes: Sizes) -> str:
    """Sizes for reading: "3 × 32 × 32"."""
    return " × ".join(f"{size:,}" for size in sizes)


def result(spec: LayerSpec, shape: Sizes) -> None:
    """The output's shape, the line of torch that makes the layer, and the equation with the values put in."""
    out, names = output_shape(spec, shape), AXES[spec.dimensions]
    outcome(
        "outcome",
        by(shape),
        by(out),
        " × ".join(("channels", *names)),
        f"torch.Size({[1, *out]})",
        code(spec),
        [_working(equation, names) for equation in equations(spec, shape[1:])],
    )


def _working(equation: Equation, names: Sequence[str]) -> Working:
    """An equation as it is to be shown: numbers know which letter they stand for."""
    own = [names[axis] for axis in equation.axes]
    values = {letter.symbol: letter.value for letter in equation.letters}
    formula, *more = equation.chain
    # the same line as the second of the chain, but each number marked with its letter
    maths = [mathml(formula), *([mathml(formula, values)] if len(more) > 1 else []), *map(mathml, more[-1:])]
    return Working(
        " and ".join(own).capitalize(),
        Line(
            _math("<mo>=</mo>".join(maths)),
            " = ".join(map(in_words, equation.chain)),
            _never_read(equation, own),
        ),
        equation.letters,
        tuple(
            Line(_math(mathml(step.formula)), in_words(step.formula), step.words) for step in equation.steps
        ),
    )


def _never_read(equation: Equation, names: Sequence[str]) -> str:
    """The sentences of several axes as one, where all of them are read whole."""
    if all(sentence.startswith("Every ") for sentence in equation.unread):
        return f"Every {' and every '.join(name[:-1] for name in names)} is read."
    why = " A step that would lead beyond the end is not made." if "at the end" in equation.unread[0] else ""
    return " ".join(dict.fromkeys(equation.unread)) + why


def _math(inner: str) -> str:
    return f'<math displaystyle="true">{inner}</math>'


def sliding(spec: LayerSpec, shape: Sizes) -> None:
    """The window at work on small whole numbers."""
    view: View = "gather"
    if spec.kind == "transposed":
        chosen = controls.choice("seen", "Seen as", VIEWS, "the view", buttons=True)
        view = "scatter" if chosen == "scatter" else "equivalent"
    small, size, cut = drawable(spec, shape)
    if (count := _products(small, size, view)) > MOST_PRODUCTS:
        st.info(f"{count:,} products are too many to be drawn one by one; a smaller kernel is.")
        return
    picture: NDArray[Any]
    picture, weights, bias = worked_numbers(small, size)
    stages = animate(small, picture, weights, bias, view, whole=spec)
    unread = unread_cells(small, size).ravel().tolist()
    for number, stage in enumerate(stages):
        step = link.read("step").partition("_")
        pinned = (
            int(step[2])
            if step[0] == str(number) and step[2].isdecimal() and int(step[2]) < len(stage.frames)
            else None
        )
        words = Words(by(size), by(small.kernel_size), by(output_shape(small, size)))
        player(
            f"player {number}",
            to_json(stage),
            replace(words if len(stages) == 1 else Words(), cut="" if number else cut),
            Numbers(
                picture, weights[number] if weights else None, bias[number] if bias else None, stage=number
            ),
            f"{spec} {shape} {view} {number}",
            # a pointwise second stage reads all; rows that an equivalent convolution takes away are not there to hatch
            unread if number == 0 and view != "equivalent" and any(unread) else (),
            pinned,
            _pin(number),
            _own_numbers(number),
            link.chooser(f"numbers{number or ''}"),
        )
        picture = np.stack([plane.values for plane in stage.outputs])  # the next one reads it


def _products(spec: LayerSpec, shape: Sizes, view: View) -> int:
    """How many products all windows together have."""
    if view == "scatter":
        cells, channels = shape, spec.out_channels
    else:
        cells, channels = output_shape(spec, shape), spec.in_channels
    return math.prod(cells) * math.prod(spec.kernel_size) * channels // spec.groups


def _pin(stage: int) -> Callable[[int | None], None]:
    return lambda step: link.choose("step", "" if step is None else f"{stage}_{step}")


def _own_numbers(stage: int) -> str:
    """What the link says of the visitor's own numbers; what is none is dropped."""
    text = link.read(f"numbers{stage or ''}")
    return text if OWN.fullmatch(text) else ""


Panel = Callable[[LayerSpec, Sizes, int, str], None]
PANELS: Final[Mapping[str, tuple[str, Panel]]] = MappingProxyType(
    {
        "cost": ("Cost", cost),
        "field": ("Receptive field", field),
        "solve": ("Solve backwards", solve_backwards),
        "examples": ("Worked examples", examples),
        "practice": ("Practice", practice),
    }
)
"""Title and function of each panel, by its key in the link."""


@frame.part
def further(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The choice of a panel, and the panel."""
    if layer_controls.chosen_layer() != (spec, shape):
        st.rerun()  # a layer was taken down here: all of the page must have it
    titles = {key: title for key, (title, _) in PANELS.items()}
    panel = controls.choice("about", "Go further", titles, "the panel", buttons=True)
    try:
        PANELS[panel][1](spec, shape, batch, dtype)
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
