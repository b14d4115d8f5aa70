"""About a kernel: its sum and norm, whether it is separable, what it costs, which waves it lets through."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.convolution import output_shape
from explorer.figures.kernel_plots import kernel_picture, response_picture
from explorer.figures.pictures import png
from explorer.figures.signed import enlarged, signed_picture
from explorer.images import Photo
from explorer.kernel_facts import costs, dilated, frequency_response, rank, separate
from explorer.kernels import Kernel, Weights
from explorer.ui import kernel_controls
from explorer.ui.components.stencil import Laying
from explorer.ui.kernel_panels.pictures import Figure, figures
from explorer.ui.numbers import readable

_COLOURS = ("Red", "Green", "Blue")
_SIDE, _SAMPLES = 128, 64


def about(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The panel."""
    preset, _, _ = kernel_controls.chosen_kernel()
    st.markdown(
        "What the weights tell before they meet a picture. "
        + (f"**{preset.title}**: {preset.sentence[0].lower()}{preset.sentence[1:]}" if preset else "")
    )
    if preset:
        st.latex(preset.formula)
    if (kernel.weights == kernel.weights[0]).all():
        _grid(kernel.weights[0], "", laying)
    else:
        for colour, grid in zip(_COLOURS, kernel.weights, strict=True):
            _grid(grid, colour, laying)
    _costs(photo, kernel, laying)


def _grid(weights: Weights, colour: str, laying: Laying) -> None:
    """Pictures and facts of one grid (h, w), its waves as it is laid: with the holes of dilation."""
    height, width = weights.shape
    response = frequency_response(dilated(weights, laying.spec.dilation), _SAMPLES)
    separation, thin = _separation(weights)
    filtering = describe_response(response)
    figures(
        [
            Figure(
                png(kernel_picture(weights[None], _SIDE)),
                f"{colour} weights" if colour else "Weights",
                f"{height} × {width}",
                width=_SIDE,
            ),
            *thin,
            Figure(
                png(enlarged(response_picture(response), _SIDE)),
                "Frequencies",
                "0 in the middle",
                "Frequency response, even areas in the middle, finest detail at the rim: "
                + filtering.replace("**", ""),
                _SIDE,
            ),
        ]
    )
    total, norm = float(weights.sum()), float(np.linalg.norm(weights))
    thrice = " On each of three colours, which are then added up." if laying.colour == "rgb" else ""
    st.markdown(
        f"- **Sum {readable(round(total, 9))}**: {_sum_words(total)}{thrice}\n"
        f"- **Norm {readable(norm)}** (Euclidean): the noise of a camera is multiplied by it.\n"
        f"- {separation}\n"
        f"- {filtering}"
    )


def _sum_words(total: float) -> str:
    if abs(total) < 1e-9:
        return "even areas turn to zero, only differences are left."
    if abs(total - 1) < 1e-9:
        return "even areas keep their brightness."
    return f"even areas are multiplied by {readable(total)}."


def _separation(weights: Weights) -> tuple[str, list[Figure]]:
    """Is it a column times a row?  In words, and the two as pictures."""
    products = rank(weights)
    if products == 0:
        return "**All zero**: nothing is let through.", []
    parts = separate(weights)
    cell = _SIDE // max(weights.shape)
    thin = [
        Figure(
            png(enlarged(signed_picture(part, kind="weights"), cell * max(part.shape))),
            title,
            width=cell * part.shape[1],
        )
        for title, part in (
            ("= column" if products == 1 else "≈ column", parts.column[:, None]),
            ("× row", parts.row[None]),
        )
    ]
    column, row = (", ".join(map(readable, part)) for part in (parts.column, parts.row))
    if products == 1:
        words = "**Separable** (rank 1): two thin passes do the same."
    else:
        words = (
            f"**Not separable** (rank {products}): the sum of {products} columns times rows. The nearest single "
            f"one leaves {100 * parts.residual:.0f} % of the norm."
        )
    return f"{words} Column ({column}), row ({row}).", thin


def describe_response(response: NDArray[np.float32]) -> str:
    """What a frequency response (n, n) does to waves, read off its numbers; n even, zero at n // 2.

    >>> describe_response(frequency_response(np.full((3, 3), 1 / 9), 64))
    '**Low-pass**: even areas × 1, the finest waves × 0.16 on average. Detail is smoothed away.'
    """
    middle = len(response) // 2
    strongest, even = float(response.max()), float(response[middle, middle])
    if strongest == 0:
        return "**Nothing** is let through."
    # half a cycle a pixel; the other two sides of the rim mirror these
    finest = float(np.concatenate([response[0], response[1:, 0]]).mean())
    measured = f"even areas × {readable(round(even, 6))}, the finest waves × {readable(round(finest, 6))} on average."
    if response.min() > 0.99 * strongest:
        return f"**All-pass**: every wave × {readable(round(strongest, 6))}. Nothing is sorted out."
    if even > 0.9 * strongest and finest < 0.5 * strongest:
        return f"**Low-pass**: {measured} Detail is smoothed away."
    if even < 0.1 * strongest:
        if finest > 0.5 * strongest:
            return f"**High-pass**: {measured} Fine detail is left, slow changes go."
        down, across = np.unravel_index(int(response.argmax()), response.shape)
        period = len(response) / np.hypot(int(down) - middle, int(across) - middle)
        return (
            f"**Band-pass**: {measured} Waves about {readable(round(float(period), 1))} pixels long "
            f"pass best, × {readable(round(strongest, 6))}."
        )
    return f"**Lets all through, unevenly**: {measured} The strongest × {readable(round(strongest, 6))}."


def _costs(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """Products for this picture, as the kernel is and in two passes."""
    rows, columns = output_shape((photo.height, photo.width), laying.spec)
    channels = 3 if laying.colour == "rgb" else 1
    whole, thin = costs(kernel.height, kernel.width)
    colours = f" × {channels} colours" if channels > 1 else ""
    st.markdown(
        f"**Cost**: {kernel.height}×{kernel.width} = {whole} products a pixel{colours}; for this result of "
        f"{rows}×{columns} pixels {whole * channels * rows * columns:,} in total."
    )
    if all(rank(grid) == 1 for grid in kernel.weights) and laying.spec.stride == (1, 1):
        st.markdown(
            f"A column and then a row: {kernel.height} + {kernel.width} = {thin} products a pixel{colours}, "
            f"{thin * channels * rows * columns:,} in total"
            + (f", {whole / thin:.1f} times fewer." if thin < whole else ": no gain at this size.")
        )
