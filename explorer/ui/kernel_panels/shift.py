"""Equivariance: does it matter whether the picture is shifted before it is convolved, or after?"""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

from explorer.convolution import ConvSpec
from explorer.images import Photo
from explorer.kernels import Kernel
from explorer.ui import cache, controls, kernel_controls, link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.components.stencil import Laying
from explorer.ui.kernel_panels.pictures import Figure, figures, paint
from explorer.ui.kernel_panels.results import SMALL, fitted
from explorer.ui.numbers import readable

POOLINGS: Final = {"none": "None", "max": "Maximum of 2×2", "mean": "Mean of 2×2"}
FARTHEST: Final = 64


def shift(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The panel."""
    st.markdown(
        "**Shift the picture and the result shifts with it**: convolution asks the same question everywhere. "
        "Stride and pooling ask at every second, third … place only: then a shift by one pixel gives other answers."
    )
    right, down, stride = _dials()
    pooling = controls.choice("pooling", "Pooling", POOLINGS, "the pooling", buttons=True)
    small = cache.working_photo(photo, SMALL)
    spec = ConvSpec((kernel.height, kernel.width), stride, dilation=laying.spec.dilation)
    its = fitted(
        Laying(spec, laying.colour, laying.flip, laying.bias, laying.activation),
        kernel,
        (small.height, small.width),
    )
    found = cache.shifted(small, kernel, its, (down, right), pooling)
    shown = kernel_controls.view().shown
    peak = float(max(np.abs(found.before).max(), np.abs(found.after).max()))
    figures(
        [
            Figure(paint(found.before, shown, peak), "Shifted, then convolved", width=310),
            Figure(paint(found.after, shown, peak), "Convolved, then shifted", width=310),
            Figure(
                paint(found.difference, "signed", peak),
                "Difference",
                f"on the same scale, ±{readable(peak)}",
                width=310,
            ),
        ]
    )
    largest = float(np.abs(found.difference).max())
    verdict = (
        "**No difference at all.**"
        if largest == 0
        else f"**Largest difference {readable(largest)}**, where values reach {readable(peak)}."
    )
    st.markdown(f"{verdict} {_steps(right, down, stride * (1 if pooling == 'none' else 2))}")
    st.caption(
        f"On a copy of {small.width} × {small.height} pixels, shifted around its edges, so that nothing is lost there. "
        "Colour, bias and activation as above."
    )


def _dials() -> tuple[int, int, int]:
    """Shift to the right and down, and the stride."""
    entries = [
        Dial(
            "right",
            "Shift right",
            -FARTHEST,
            FARTHEST,
            1,
            link.read_number("right", 25, -FARTHEST, FARTHEST),
            "px",
        ),
        Dial(
            "down",
            "Shift down",
            -FARTHEST,
            FARTHEST,
            1,
            link.read_number("down", 10, -FARTHEST, FARTHEST),
            "px",
        ),
        Dial("jump", "Stride", 1, 4, 1, link.read_number("jump", 1, 1, 4)),
    ]
    dials("shift dials", entries, lambda key, value: link.choose(key, str(int(value))))
    right, down, stride = (int(entry.value) for entry in entries)
    return right, down, stride


def _steps(right: int, down: int, step: int) -> str:
    """Is the shift a whole number of steps of so many pixels?

    >>> _steps(4, -8, 4)
    'One step is 4 pixels: this shift is 1 and −2 whole steps, so it passes through.'
    """
    if step == 1:
        return "One step is 1 pixel: every shift is a whole number of steps."
    if right % step or down % step:
        counts = " and ".join(readable(pixels / step) for pixels in (right, down))
        return (
            f"One step is {step} pixels: this shift is {counts} steps, so its windows fall on other pixels."
        )
    counts = " and ".join(readable(pixels // step) for pixels in (right, down))
    return f"One step is {step} pixels: this shift is {counts} whole steps, so it passes through."
