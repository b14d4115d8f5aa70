"""A map's colours over the picture: what is zero lets it through.  The browser lays them by the same rule."""

from __future__ import annotations

from typing import Final

import numpy as np

from explorer.figures.signed import SIGNED, ZERO, Bytes, Values, entries
from explorer.receptive_field import ReceptiveField

_LUMINANCE: Final = (0.299, 0.587, 0.114)
"""Of red, green and blue, as television weighs them (ITU-R BT.601)."""


def veiled(
    picture: Bytes,
    values: Values,
    field: ReceptiveField | None,
    opacity: float,
    peak: float | None = None,
    times: int = 1,
    grey: bool = False,
) -> Bytes:
    """The picture under a map, uint8 (H, W, 3): red above zero, blue below, each cell a hard rectangle.

    A cell lies in the middle of what it sees, one jump wide; it covers the picture by its share of the peak.

    Args:
        picture: uint8 (H, W, 3), as the network is fed it, or enlarged.
        values: of the map (h, w).
        field: what its cells see; None: together they lie over the whole picture.
        opacity: of a cell at the peak, 0..1.
        peak: the strength that covers most; None for the map's own strongest.
        times: pixels of the picture, along an axis, for one that the network is fed.
        grey: whether the picture is drawn in grey, so that all that is coloured is the map's.

    >>> veiled(np.zeros((2, 4, 3), np.uint8), np.array([[0.0, 1.0]]), None, 1.0)[0].tolist()
    [[0, 0, 0], [0, 0, 0], [103, 0, 31], [103, 0, 31]]

    Source: `paintVeil` in explorer/ui/components/unit_view.js.
    """
    rows, columns = (
        _cells(
            length, cells, times, (field.size[axis], field.jump[axis], field.start[axis]) if field else None
        )
        for axis, (length, cells) in enumerate(zip(picture.shape, values.shape, strict=False))
    )
    found = np.pad(entries(values, peak), 1, constant_values=ZERO)[np.ix_(rows + 1, columns + 1)]
    weight = opacity * np.abs(found.astype(np.float64) - ZERO)[..., None] / ZERO
    below = as_grey(picture) if grey else picture
    mixed: Bytes = np.round(below * (1 - weight) + SIGNED["activations"].table()[found] * weight).astype(
        np.uint8
    )
    return mixed


def as_grey(picture: Bytes) -> Bytes:
    """The picture in grey, uint8 (H, W, 3), as light as it was."""
    light = np.round(picture @ np.array(_LUMINANCE)).astype(np.uint8)
    return np.repeat(light[..., None], 3, axis=2)


def _cells(length: int, cells: int, times: int, axis: tuple[int, int, int] | None) -> np.ndarray:
    """The cell that the middle of each pixel along one axis lies in; -1 or `cells` where it lies in none."""
    middles = np.arange(length) + 0.5
    if axis is None:
        found = middles * cells / length
    else:
        size, jump, start = axis
        found = (middles / times - start - (size - jump) / 2) / jump
    return np.clip(np.floor(found), -1, cells).astype(np.int64)
