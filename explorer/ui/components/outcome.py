"""The answer of the page on a layer: the shapes, the line of torch, and how the sizes follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from explorer.layer_steps import Letter
from explorer.ui.components import register

_mount = register("outcome", "_ahead")


@dataclass(frozen=True)
class Line:
    """A line of a working: MathML, the same as plain text, and a sentence."""

    math: str
    text: str
    words: str


@dataclass(frozen=True)
class Working:
    """One equation: which axes it is of, the equation in a line, its letters, and every step to it.

    Of `equation` the words tell what is never read.
    """

    title: str
    equation: Line
    letters: tuple[Letter, ...]
    steps: tuple[Line, ...]


def content(
    before: str, after: str, axes: str, printed: str, code: str, workings: Sequence[Working]
) -> dict[str, Any]:
    """What the answer says, ready for JSON.

    Args:
        before, after: the shapes of input and output, as they are to be written.
        axes: what the numbers of a shape count.
        printed: the output's shape as torch prints it.
        code: the lines that make the layer.
        workings: an equation for each group of axes.
    """
    return {
        "before": before,
        "after": after,
        "axes": axes,
        "printed": printed,
        "code": code,
        "workings": [asdict(working) for working in workings],
    }


def outcome(name: str, content: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """The answer.

    Args:
        name: key of the instance.
        content: what it says, as `content` makes it, and its `identity`.
        told: what a browser that paints ahead must know of the page (`layer_controls.told`).
    """
    _mount(key=name, data={**content, "told": told})
