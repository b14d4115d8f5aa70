"""What is drawn of a layer, as the page's components take it: for its own runs, and for browsers that ask ahead."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from explorer.animation import View, animate, to_json
from explorer.layer_code import code
from explorer.layer_steps import Equation, equations, in_words, mathml
from explorer.layer_text import write_layer
from explorer.layers import AXES, LayerSpec, Sizes, output_shape, unread_cells
from explorer.ui.components.outcome import Line, Working
from explorer.ui.components.outcome import content as outcome_content
from explorer.ui.components.player import Numbers, Words
from explorer.ui.components.player import content as player_content
from explorer.worked import drawable, worked_numbers

VIEWS: Final[Mapping[str, str]] = MappingProxyType(
    {"scatter": "Scatter: each input pixel gives", "equivalent": "The convolution that does the same"}
)
"""How a transposed convolution may be seen; the usual one first."""

MOST_PRODUCTS: Final = 1_000_000
"""In 2-D no control leads beyond; the widest windows in 3-D would take a browser minutes."""


def view_of(spec: LayerSpec, seen: str) -> View:
    """How a layer's window moves: only a transposed one leaves a choice.

    >>> view_of(LayerSpec(), "equivalent"), view_of(LayerSpec("transposed"), "equivalent")
    ('gather', 'equivalent')
    """
    if spec.kind != "transposed":
        return "gather"
    return "equivalent" if seen == "equivalent" else "scatter"


def identity(spec: LayerSpec, shape: Sizes, view: View) -> str:
    """What all that is drawn follows from, as one text."""
    return f"{write_layer(spec, shape)} {view}"


@dataclass(frozen=True)
class Drawn:
    """All that is drawn of a layer, as JSON.

    Texts, since lists that are kept make every collection of garbage longer.

    Attributes:
        answer: the content of the outcome.
        windows: a list with the content of each stage's player; empty where there is too much to draw.
        products: how many all windows together have.
    """

    answer: str
    windows: str
    products: int


def draw(spec: LayerSpec, shape: Sizes, view: View) -> Drawn:
    """All that is drawn of a layer."""
    small, size, cut = drawable(spec, shape)
    products = _products(small, size, view)
    windows = _windows(spec, shape, view, small, size, cut) if products <= MOST_PRODUCTS else []
    answer = {"identity": identity(spec, shape, view), **_answer(spec, shape)}
    return Drawn(json.dumps(answer, allow_nan=False), json.dumps(windows, allow_nan=False), products)


# The answer ------------------------------------------------------------------------------------------


def by(sizes: Sizes) -> str:
    """Sizes for reading: "3 × 32 × 32"."""
    return " × ".join(f"{size:,}" for size in sizes)


def _answer(spec: LayerSpec, shape: Sizes) -> dict[str, Any]:
    """The output's shape, the line of torch that makes the layer, and the equation with the values put in."""
    out, names = output_shape(spec, shape), AXES[spec.dimensions]
    return outcome_content(
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
            # a browser breaks no line inside a formula, but between two
            " ".join(map(_math, [maths[0], *(f'<mo form="infix">=</mo>{each}' for each in maths[1:])])),
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


# The window ------------------------------------------------------------------------------------------


def _windows(
    spec: LayerSpec, shape: Sizes, view: View, small: LayerSpec, size: Sizes, cut: str
) -> list[dict[str, Any]]:
    """The window at work on small whole numbers, stage by stage."""
    picture: NDArray[Any]
    picture, weights, bias = worked_numbers(small, size)
    stages = animate(small, picture, weights, bias, view, whole=spec)
    unread = unread_cells(small, size).ravel().tolist()
    words = Words(by(size), by(small.kernel_size), by(output_shape(small, size)))
    contents = []
    for number, stage in enumerate(stages):
        contents.append(
            player_content(
                to_json(stage),
                replace(words if len(stages) == 1 else Words(), cut="" if number else cut),
                Numbers(
                    picture,
                    weights[number] if weights else None,
                    bias[number] if bias else None,
                    stage=number,
                ),
                f"{identity(spec, shape, view)} {number}",
                # a pointwise second stage reads all, and an equivalent convolution may take rows away: none to hatch
                unread if number == 0 and view != "equivalent" and any(unread) else (),
            )
        )
        picture = np.stack([plane.values for plane in stage.outputs])  # the next one reads it
    return contents


def _products(spec: LayerSpec, shape: Sizes, view: View) -> int:
    """How many products all windows together have."""
    if view == "scatter":
        cells, channels = shape, spec.out_channels
    else:
        cells, channels = output_shape(spec, shape), spec.in_channels
    return math.prod(cells) * math.prod(spec.kernel_size) * channels // spec.groups
