"""What the page on a layer's arithmetic shows: the result and why, the sliding window, and panels that go further."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.animation import View, animate, to_json
from explorer.errors import ExplorerError
from explorer.images import plain
from explorer.layer_code import code
from explorer.layer_steps import steps
from explorer.layers import AXES, MASKED, LayerSpec, Sizes, live_weights, output_shape, rows_read
from explorer.ui import controls, frame, layer_controls, link
from explorer.ui.components.player import Words, player
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
    out = output_shape(spec, shape)
    st.markdown(f"## {by(shape)} → :primary[{by(out)}]")
    st.caption(
        f"channels × {' × '.join(AXES[spec.dimensions])}; torch prints `torch.Size({[1, *out]})`, "
        "the 1 for one picture."
    )
    st.code(code(spec), language=None)  # Streamlit's colours for Python are too pale to be read
    # a mask reads other rows than columns
    same = (
        spec.kind not in MASKED
        and len({(shape[1 + axis], *_along(spec, axis)) for axis in range(spec.dimensions)}) == 1
    )
    for axis in range(1 if same else spec.dimensions):
        words = AXES[spec.dimensions][axis] if not same else " and ".join(AXES[spec.dimensions])
        _equation(spec, shape[1 + axis], axis, words.capitalize())


def _along(spec: LayerSpec, axis: int) -> tuple[object, ...]:
    fields = (
        spec.kernel_size,
        spec.stride,
        spec.dilation,
        spec.output_padding,
        spec.output_size,
        spec.margins,
    )
    return tuple(field[axis] for field in fields)


def _equation(spec: LayerSpec, size: int, axis: int, words: str) -> None:
    lines = steps(spec, size, axis)
    chain = (
        " = ".join(step.formula for step in (lines[0], *lines[1:][:1], lines[-1]))
        if len(lines) > 1
        else lines[0].formula
    )
    st.latex(chain)
    st.caption(f"**{words}.** {plain(lines[-1].words)}".strip())
    if len(lines) > 2:
        with st.expander(f"Step by step: {words.lower()}"):
            for step in lines:
                left, right = st.columns((1.3, 1), vertical_alignment="center")
                left.latex(step.formula)
                right.caption(plain(step.words))


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
    stages = animate(small, *worked_numbers(small, size), view=view)
    unread = _unread_cells(small, size).ravel().tolist()
    if cut:
        st.caption(plain(cut))
    for number, stage in enumerate(stages):
        step = link.read("step").partition("_")
        pinned = (
            int(step[2])
            if step[0] == str(number) and step[2].isdecimal() and int(step[2]) < len(stage.frames)
            else None
        )
        st.markdown(f"**{plain(stage.title)}**")
        words = Words(by(size), by(small.kernel_size), by(output_shape(small, size)))
        player(
            f"player {number}",
            to_json(stage),
            words if len(stages) == 1 else Words(),
            # a pointwise second stage reads all; rows that an equivalent convolution takes away are not there to hatch
            unread if number == 0 and view != "equivalent" and any(unread) else (),
            pinned,
            _pin(number),
        )


def _products(spec: LayerSpec, shape: Sizes, view: View) -> int:
    """How many products all windows together have."""
    if view == "scatter":
        cells, channels = shape, spec.out_channels
    else:
        cells, channels = output_shape(spec, shape), spec.in_channels
    return math.prod(cells) * math.prod(spec.kernel_size) * channels // spec.groups


def _unread_cells(spec: LayerSpec, shape: Sizes) -> NDArray[np.bool_]:
    """Which cells of a channel change nothing in the output: bool of the input's sizes."""
    seen = live_weights(spec).astype(int)
    for axis, size in enumerate(shape[1:]):
        # weights along the first axis become rows along the last
        seen = np.tensordot(seen, rows_read(spec, size, axis).astype(int), axes=(0, 0))
    return np.asarray(seen == 0)


def _pin(stage: int) -> Callable[[int | None], None]:
    return lambda step: link.choose("step", "" if step is None else f"{stage}_{step}")


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
