"""A chain: kernels in sequence.  Without ReLU between, one kernel does the same; with it, none does."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

from explorer.figures.kernel_plots import kernel_picture
from explorer.figures.pictures import png
from explorer.images import Photo
from explorer.kernels import KERNELS, Kernel
from explorer.ui import cache, controls, kernel_controls
from explorer.ui.components.stencil import Laying
from explorer.ui.kernel_panels.pictures import Figure, figures, paint
from explorer.ui.kernel_panels.results import SMALL, Chained, single_grid
from explorer.ui.numbers import readable

USUAL: Final = ("sobel_x", "gaussian", "none", "none")
ABOVE, NONE = "above", "none"
BETWEEN: Final = {"nothing": "Nothing", "relu": "ReLU"}


def chain(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The panel."""
    st.markdown(
        "**Linear steps fold into one.** Kernels in sequence do what a single larger kernel does, so a deep network "
        "without anything between its layers would be no deeper than one. ReLU between them changes that."
    )
    kernels = _steps(kernel)
    relu = controls.choice("between", "Between the steps", BETWEEN, "what is between", buttons=True) == "relu"
    small = cache.working_photo(photo, SMALL)
    if not kernels:
        st.info("No step is chosen: the picture stays as it is.")
        return
    # what turns each kernel turns their product too
    used = tuple(one.flipped() if laying.flip else one for one in kernels)
    done = cache.chained(small, used, relu)
    shown = kernel_controls.view().shown
    figures(
        [
            Figure(
                paint(result, shown, peak),
                f"{number}. {one.name}" + (", ReLU" if relu and number < len(kernels) else ""),
                f"up to ±{readable(round(peak, 3))}",
                f"The picture after step {number}, {one.name}",
                240,
            )
            for number, (one, result, peak) in enumerate(
                zip(kernels, done.steps, done.peaks[:-1], strict=True), 1
            )
        ]
    )
    _equivalent(kernels, done, laying, shown, relu)
    _compare(done, relu)
    three = ", of three grids their sum" if kernel.channels == 3 else ""
    st.caption(
        f"In grey, on a copy of {small.width} × {small.height} pixels, with zeros around it; stride 1, no bias{three}. "
        "“Up to” and “from … to” leave out the border, where a window reads zeros; the difference does not."
    )


def _steps(kernel: Kernel) -> list[Kernel]:
    """The kernels that are chosen, in their order."""
    titles = {
        NONE: "—",
        ABOVE: f"Above: {kernel.name}",
        **{key: preset.title for key, preset in KERNELS.items()},
    }
    chosen = []
    for place, (column, usual) in enumerate(zip(st.columns(len(USUAL)), USUAL, strict=True), start=1):
        options = {usual: titles[usual], **titles}
        with column:
            chosen.append(controls.choice(f"step{place}", f"Step {place}", options, f"step {place}"))
    return [single_grid(kernel) if key == ABOVE else KERNELS[key].kernel() for key in chosen if key != NONE]


def _equivalent(kernels: list[Kernel], done: Chained, laying: Laying, shown: str, relu: bool) -> None:
    """The single kernel, its result, and the difference."""
    weights = done.equivalent[::-1, ::-1] if laying.flip else done.equivalent
    height, width = weights.shape
    sizes = " + ".join(f"{one.height}·{one.width}" for one in kernels)
    steps = sum(one.height * one.width for one in kernels)
    peak, without = float(np.abs(done.difference).max()), ", were there no ReLU" if relu else ""
    st.markdown(
        f"**The single kernel for this chain{without}**: {height}×{width}. It takes {height * width} products a pixel, "
        f"the chain {sizes} = {steps}."
    )
    figures(
        [
            Figure(
                png(kernel_picture(weights[None], 160)), "The single kernel", f"{height} × {width}", width=160
            ),
            Figure(
                paint(done.single, shown, done.peaks[-1]),
                "Its result",
                f"up to ±{readable(round(done.peaks[-1], 3))}",
                width=240,
            ),
            Figure(
                paint(done.difference, "signed", max(peak, 1e-3 * _range(done))),
                "Chain minus single kernel",
                f"up to ±{readable(peak)}",
                width=240,
            ),
        ]
    )


def _range(done: Chained) -> float:
    least, most = done.ends
    return most - least


def _compare(done: Chained, relu: bool) -> None:
    """The largest difference, in words."""
    largest, span = float(np.abs(done.difference).max()), _range(done)
    least, most = (readable(round(end, 3)) for end in done.ends)
    measured = f"largest difference **{readable(largest)}**; the result goes from {least} to {most}"
    if largest > 1e-5 * span:
        st.markdown(
            f"**They do not agree**: {measured}. ReLU cut what was negative on the way, and no single kernel can."
        )
    elif relu:
        st.markdown(
            f"**They agree all the same**: {measured}. Nothing between the steps was negative, so ReLU cut nothing."
        )
    else:
        st.markdown(f"**They agree**: {measured}." + (" That difference is rounding." if largest else ""))
