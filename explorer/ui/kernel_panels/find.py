"""A feature detector: a kernel that looks like part of a drawing answers most where that part is."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from explorer.convolution import ConvSpec, best_matches, convolve
from explorer.errors import ImageError
from explorer.figures.framed import framed
from explorer.figures.kernel_plots import kernel_picture
from explorer.figures.pictures import png
from explorer.figures.signed import signed_png
from explorer.images import Photo, decode_photo
from explorer.kernels import MAX_SIDE, Kernel
from explorer.ui import controls, link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.components.stencil import Laying
from explorer.ui.kernel_panels.pictures import Figure, figures
from explorer.ui.kernel_panels.results import single_grid, turned
from explorer.ui.numbers import readable

SIDE: Final = 28
"""Of the drawing that is searched, in pixels: that of the digits that networks learned to read first."""

PAPER: Final = 280
_BRUSH: Final = 20
# a house: walls, roof, door; one line after another, in pixels of the paper
HOUSE: Final = (
    ((60, 130), (60, 250), (220, 250), (220, 130), (60, 130)),
    ((60, 130), (140, 50), (220, 130)),
    ((120, 250), (120, 190), (160, 190), (160, 250)),
)
SOUGHT: Final = {"cut": "A piece cut from the drawing", "above": "The kernel above"}

_CANVAS, _START, _STROKES, _DRAWN = "find canvas", "strokes to begin with", "own strokes", "own drawing"

Ink = NDArray[np.float32]


def find(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The panel."""
    st.markdown(
        "**A kernel is a template**: where the drawing looks like it, the products add up. Ink is 1, paper 0; "
        r"each place scores $z = \text{ReLU}(w^\top x + b)$. Draw more, and see what is found."
    )
    sought = controls.choice("seek", "Look for", SOUGHT, "what to look for", buttons=True)
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=PAPER + 4):
            ink = _drawing()
        with st.container(width=300):
            box, bias = _dials(sought)
    if box:
        weights = cut(ink, box)
    else:
        grey = single_grid(kernel)
        weights = turned(grey, laying)[0]
    height, width = weights.shape
    scores = convolve(ink[None], weights[None], ConvSpec((height, width), padding="same"), bias, "relu")
    found = best_matches(scores, apart=max(height, width) // 2)
    # the window of a score begins half of the kernel before it
    frames = [(row - (height - 1) // 2, column - (width - 1) // 2, height, width) for row, column, _ in found]
    paper = np.rint(255 * (1 - ink)).astype(np.uint8)
    listed = "; ".join(f"{number}: {readable(score)}" for number, (_, _, score) in enumerate(found, start=1))
    figures(
        [
            Figure(png(kernel_picture(weights[None], 140)), "Kernel w", f"{height} × {width}", width=140),
            Figure(
                png(framed(paper, frames, box)),
                "Best places",
                "brown: where it was cut" if box else "",
                f"The drawing with its best places framed: {listed or 'none'}",
                290,
            ),
            Figure(
                signed_png(scores),
                "Score z of each place",
                f"up to {readable(float(scores.max()))}",
                width=290,
            ),
        ]
    )
    _list(found, weights, bias)
    if box:
        st.caption(
            "Weights are +1 on ink and −1 on paper: ink that is missing earns nothing, ink too much costs. "
            f"With 0 on paper, a black page would match everywhere. The drawing is reduced to {SIDE} × {SIDE} pixels."
        )


def cut(ink: Ink, box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """A piece (row, column, height, width) of the drawing as weights: +1 where half a pixel or more is ink, else −1.

    >>> cut(np.array([[0, 1, 0.4]], dtype=np.float32), (0, 1, 1, 2)).tolist()
    [[1.0, -1.0]]
    """
    row, column, height, width = box
    return np.where(ink[row : row + height, column : column + width] >= 0.5, 1.0, -1.0)


def _dials(sought: str) -> tuple[tuple[int, int, int, int] | None, int]:
    """The piece to cut, or None where the kernel above is looked for; and the bias."""
    entries = []
    if sought == "cut":
        size = link.read_number("piece", 7, 3, MAX_SIDE)
        last = SIDE - size
        row, column = (
            # a larger piece moves in from the edge
            min(link.read_number(name, usual, 0, SIDE - 1), last)
            for name, usual in (("row", 20), ("column", 4))
        )
        entries = [
            Dial("row", "Cut at row", 0, last, 1, row),
            Dial("column", "Cut at column", 0, last, 1, column),
            Dial("piece", "Size", 3, MAX_SIDE, 1, size, "px"),
        ]
    bias = link.read_number("b", 0, -100, 100)
    entries.append(Dial("b", "Bias b", -100, 100, 1, bias))
    dials(f"find dials {sought}", entries, lambda key, value: link.choose(key, str(int(value))))
    return ((row, column, size, size) if sought == "cut" else None), bias


def _list(found: list[tuple[int, int, float]], weights: NDArray[np.float64], bias: int) -> None:
    """The places with their scores, and what a perfect one would get."""
    if not found:
        st.markdown(
            "**Nothing is found**: no place scores above zero. Raise the bias, or draw what is looked for."
        )
        return
    rows = "\n".join(
        f"| {number} | {row} | {column} | {readable(score)} |"
        for number, (row, column, score) in enumerate(found, 1)
    )
    st.markdown(f"| place | row | column | score z |\n|--:|--:|--:|--:|\n{rows}")
    most = float(weights[weights > 0].sum()) + bias
    st.markdown(
        "Row and column are those of the window's middle, counted from 0. "
        f"No drawing can score more than {readable(max(most, 0))}: ink exactly where weights are positive. "
        "A lower bias leaves only what comes near."
    )


# The drawing -----------------------------------------------------------------------------------------


def _drawing() -> Ink:
    """What is drawn, or the house until somebody draws."""
    from streamlit_drawable_canvas import st_canvas  # works inside a running app only

    # the canvas forgets its strokes when another panel is shown; given others to begin with, it begins anew
    if _CANVAS not in st.session_state:
        st.session_state[_START] = st.session_state.get(_STROKES) or _strokes()
    canvas = st_canvas(
        stroke_width=_BRUSH,
        stroke_color="#000000",
        background_color="#ffffff",
        width=PAPER,
        height=PAPER,
        drawing_mode="freedraw",
        initial_drawing=st.session_state[_START],
        return_image_data=True,
        key=_CANVAS,
    )
    sent = _sent(canvas)
    if sent:
        # what a browser sends as a drawing is no more to be trusted than an uploaded file
        st.session_state[_DRAWN] = to_ink(decode_photo(sent, "Drawing"))
        st.session_state[_STROKES] = canvas.json_data
    drawn: Ink = st.session_state.get(_DRAWN, house())
    return drawn


def _sent(canvas: Any) -> bytes | None:
    try:
        data: bytes | None = canvas.image_bytes
    except (AttributeError, TypeError, ValueError) as error:
        raise ImageError("The drawing that the browser sent cannot be read.") from error
    return data


def to_ink(drawing: Photo) -> Ink:
    """A drawing reduced to (28, 28): 1 where it is black, 0 where it is white."""
    small = Image.fromarray(drawing.pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return (1 - np.asarray(small) / 255).astype(np.float32)


@cache
def house() -> Ink:
    """The drawing to begin with."""
    fine = 8  # Pillow's lines are up to a pixel off: at eight times the size that is nothing
    paper = Image.new("RGB", (fine * PAPER, fine * PAPER), "white")
    pen, reach = ImageDraw.Draw(paper), fine * _BRUSH // 2
    for line in HOUSE:
        corners = [(fine * x, fine * y) for x, y in line]
        pen.line(corners, fill="black", width=2 * reach)
        for x, y in corners:  # round ends, as the brush has
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill="black")
    return to_ink(Photo("House", np.asarray(paper)))


def _strokes() -> dict[str, Any]:
    """The same for the canvas."""
    return {
        "objects": [
            {
                "type": "path",
                "path": [["M" if place == 0 else "L", *point] for place, point in enumerate(line)],
                "stroke": "#000000",
                "strokeWidth": _BRUSH,
                "strokeLineCap": "round",
                "strokeLineJoin": "round",
                "fill": None,
            }
            for line in HOUSE
        ]
    }
