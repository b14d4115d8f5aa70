"""The numbers behind a cell of a map: every channel that its window reads, ranked, each open to its products.

The products are computed in the browser from the values and weights that are shown; their sum is held against
torch's own value under the eyes of the reader.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.convolution import Pair
from explorer.figures.signed import encoded_tables, entries
from explorer.ui.components import register
from explorer.unit_sources import Ledger, Reading

_mount = register("unit_ledger", "_paint")

_TABLES: Final = encoded_tables()
MAPS: Final = 96
"""Channels whose maps are drawn, those that count most; others have their numbers alone."""
MAP_SIDE: Final = 32
"""Cells of a small map along a side: larger ones are thinned, the strongest value of each block stays."""


def unit_ledger(
    name: str,
    reading: Reading,
    cell: Pair,
    reads: str,
    channels: Sequence[str],
    steps: Sequence[tuple[str, str]],
    open_label: str,
    on_open: Callable[[int], None],
) -> None:
    """The ledger of one cell.

    Args:
        name: key of the instance.
        reading: what makes the map.
        cell: row and column.
        reads: what is read, in words.
        channels: a name for each channel.
        steps: what follows the sum: a title and how it is computed, one for each of `reading.steps`.
        open_label: of the button that opens a channel's own map; "" where it has none.
        on_open: called with the position of the channel whose map is to be opened.
    """

    def opened() -> None:
        chosen = st.session_state[name].get("opened")
        if isinstance(chosen, int | float) and 0 <= chosen < len(channels):
            on_open(int(chosen))

    ledger = reading.ledger(cell)
    order = np.argsort(-np.abs(ledger.contributions), kind="stable")
    drawn = order[:MAPS]
    small, step = thinned(reading.inputs[drawn])
    peak = float(np.abs(reading.inputs[drawn]).max(initial=0))
    _mount(
        key=name,
        data={
            "reads": reads,
            "channels": list(channels),
            "kernel": reading.kernel_size,
            "dilation": reading.dilation,
            "corner": reading.corner(cell),
            "window": _encoded(ledger.window, "<f4"),
            "weights": _encoded(ledger.weights, "<f4"),
            "padding": ledger.padding.ravel().tolist(),
            "order": order.tolist(),
            "maps": {
                "entries": base64.b64encode(entries(small, peak).tobytes()).decode(),
                "rows": small.shape[1],
                "columns": small.shape[2],
                "step": step,
                "shape": reading.inputs.shape[1:],
            },
            "peak": peak,
            "weightPeak": float(np.abs(reading.weights).max(initial=0)),
            "bias": reading.bias,
            "steps": [
                {"title": title, "words": words, "result": result}
                for (title, words), result in zip(steps, ledger.results, strict=True)
            ],
            "value": ledger.value,
            "torch": float(reading.values[cell]),
            "magnitude": bound(reading, ledger, cell),
            "openLabel": open_label,
            "tables": _TABLES,
        },
        on_opened_change=opened,
    )


def bound(reading: Reading, ledger: Ledger, cell: Pair) -> float:
    """The sum of strengths behind a value, as the steps scale it: what float32's rounding is measured by."""
    magnitude = ledger.magnitude
    for step in reading.steps:
        if step.scale is not None and step.shift is not None:
            magnitude = abs(float(step.scale[cell])) * magnitude + abs(float(step.shift[cell]))
        elif step.other is not None and step.title == "×":
            magnitude *= abs(float(step.other[cell]))
        elif step.other is not None:
            magnitude += abs(float(step.other[cell]))
    return magnitude


def thinned(maps: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], int]:
    """Maps (n, h, w) of at most `MAP_SIDE` cells a side, and how many cells became one: the strongest stays.

    >>> small, step = thinned(np.array([[[1, -3, 0] * 16] * 40], np.float32))
    >>> small.shape, step, float(small[0, 0, 0])
    ((1, 20, 24), 2, -3.0)
    """
    count, height, width = maps.shape
    step = -(-max(height, width) // MAP_SIDE)
    if step == 1:
        return maps, 1
    rows, columns = -(-height // step), -(-width // step)
    padded = np.zeros((count, rows * step, columns * step), np.float32)
    padded[:, :height, :width] = maps
    blocks = padded.reshape(count, rows, step, columns, step).transpose(0, 1, 3, 2, 4)
    blocks = blocks.reshape(count, rows, columns, step * step)
    strongest = np.abs(blocks).argmax(-1)[..., None]
    return np.take_along_axis(blocks, strongest, -1)[..., 0], step


def _encoded(values: npt.NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()
