"""Kernels as tiles, and what they let through, as small pictures."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from explorer.errors import ExplorerError, KernelError
from explorer.figures.heat import COLOURS
from explorer.figures.signed import Bytes, enlarged, entries, signed_picture

#: Lines between the cells of a grid, and the ground about one that is not square; it is no colour of a weight.
LINE: Final = 200
#: Cells of fewer pixels get no lines: they would hide the colours.
_LINED: Final = 6


def kernel_picture(weights: npt.NDArray[np.floating], side: int = 128, peak: float | None = None) -> Bytes:
    """A kernel as a square tile: a grid of signed colours, or three grids as one colour picture.

    Three grids are shown as papers show the filters of a first layer: red, green and blue are 0.5 + w / (2 max|w|),
    grey where the weights are zero (Krizhevsky 2012, fig. 3).  Grids that are all alike are shown as one.

    Args:
        weights: (1, h, w) or (3, h, w).
        side: pixels that the tile may take; cells are whole pixels, so it takes a little less.
        peak: the |weight| that gets the end of the scale, to compare tiles; None for the kernel's own.

    Returns:
        uint8 (s, s, 3), s <= side where a pixel a cell fits; what is not square lies in the middle of a grey ground.

    Raises:
        KernelError: other shapes.
        ExplorerError: weights that are infinite or no numbers.

    >>> kernel_picture(np.array([[[-1.0, 0.0, 1.0]]]), side=64).shape
    (64, 64, 3)
    """
    if weights.ndim != 3 or weights.shape[0] not in (1, 3) or not weights.size:
        raise KernelError(f"A kernel has the shape (1, h, w) or (3, h, w), not {weights.shape}.")
    if (weights == weights[0]).all():
        picture = signed_picture(weights[0], peak, "weights")
        lined = (side - 1) // max(picture.shape[:2]) >= _LINED
    else:
        # the entries' 0, 127 and 254 are -peak, zero and peak
        mixed = np.rint(entries(weights, peak) * (255 / 254)).astype(np.uint8)
        picture, lined = mixed.transpose(1, 2, 0), False
    picture = enlarged(picture, side - lined)
    if lined:
        picture = _lines(picture, weights.shape[1:])
    return _squared(picture)


def _lines(picture: Bytes, cells: tuple[int, ...]) -> Bytes:
    """Lines of one pixel between the cells and about them: white cells end somewhere on a white page."""
    height, width = picture.shape[:2]
    lined = np.full((height + 1, width + 1, 3), LINE, np.uint8)
    lined[:height, :width] = picture
    lined[:: height // cells[0]] = LINE
    lined[:, :: width // cells[1]] = LINE
    return lined


def _squared(picture: Bytes) -> Bytes:
    """The picture in the middle of a square as wide as its long side."""
    height, width = picture.shape[:2]
    long = max(height, width)
    top, left = (long - height) // 2, (long - width) // 2
    square = np.full((long, long, 3), LINE, np.uint8)
    square[top : top + height, left : left + width] = picture
    return square


def response_picture(response: npt.NDArray[np.floating]) -> Bytes:
    """How much of each frequency a kernel lets through, |DFT| (n, n), as viridis from 0 to its maximum.

    Dark frequencies are taken out, the brightest let through most; a kernel of zeros is all dark.

    >>> response_picture(np.eye(3))[:2, :2].tolist()
    [[[253, 231, 37], [68, 1, 84]], [[68, 1, 84], [253, 231, 37]]]

    Raises:
        ExplorerError: a response that is negative, infinite or not a number.
    """
    if not (np.isfinite(response).all() and (response >= 0).all()):
        raise ExplorerError("A frequency response has no negative, infinite or missing values.")
    strength = response / (response.max(initial=0) or 1)
    return COLOURS["viridis"].table()[np.rint(255 * strength).astype(np.uint8), :3]
