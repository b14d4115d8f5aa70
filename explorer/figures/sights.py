"""What one cell sees of a picture, on a ground as large as its whole field: all cells of a map at one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from explorer.convolution import Pair
from explorer.errors import ShapeError
from explorer.figures.signed import Bytes
from explorer.receptive_field import Box, ReceptiveField

_UNREAD: Final = (128, 128, 128, 52)
_PADDING: Final = (128, 128, 128, 24)
_STROKE: Final = (128, 128, 128, 130)
_STEP: Final = 8
"""Pixels from one stroke of the hatching to the next, along an axis."""


@dataclass(frozen=True)
class Sight:
    """What is drawn of a picture for one cell, in the picture's pixels, ends included.

    Attributes:
        ground: rows and columns that are drawn; beyond the picture they are padding.
        read: those of the picture that the cell reads, inside the ground; None where it reads padding alone.

    Raises:
        ShapeError: a ground without pixels, or pixels read outside of it.
    """

    ground: Box
    read: Box | None

    def __post_init__(self) -> None:
        if any(first > last for first, last in self.ground):
            raise ShapeError(f"The ground {self.ground} has no pixels.")
        read = self.read or self.ground
        for (first, last), (low, high) in zip(read, self.ground, strict=True):
            if not low <= first <= last <= high:
                raise ShapeError(f"The pixels {self.read} do not lie on the ground {self.ground}.")

    def padded(self, shape: Pair) -> bool:
        """Whether some of the ground lies beyond a picture of this (height, width)."""
        return any(first < 0 or last >= size for (first, last), size in zip(self.ground, shape, strict=True))

    def unread(self, shape: Pair) -> bool:
        """Whether some of the ground lies inside such a picture and is not read."""
        if self.read is None:
            return all(
                first < size and last >= 0 for (first, last), size in zip(self.ground, shape, strict=True)
            )
        return self.read != tuple(
            (max(first, 0), min(last, size - 1))
            for (first, last), size in zip(self.ground, shape, strict=True)
        )


def sight(field: ReceptiveField | None, cell: Pair, shape: Pair) -> Sight:
    """What is drawn for a cell of a picture of this (height, width).

    The ground is the cell's field with its padding; along an axis where the field is no smaller than the picture, it
    is the picture. Without a field all of the picture is drawn.

    >>> sight(ReceptiveField((5, 5), (2, 2), (-2, -2)), (0, 3), (9, 9))
    Sight(ground=((-2, 2), (4, 8)), read=((0, 2), (4, 8)))
    """
    whole = (0, shape[0] - 1), (0, shape[1] - 1)
    if field is None:
        return Sight(whole, whole)
    rows, columns = (
        region if region[1] - region[0] < last else (first, last)
        for region, (first, last) in zip(field.region(cell), whole, strict=True)
    )
    return Sight((rows, columns), field.clipped(cell, shape))


def sight_picture(picture: Bytes, shown: Sight, side: int) -> Bytes:
    """The pixels that are read, in their place on the ground, RGBA (h, w, 4), the long side about `side`.

    Padding is hatched; what is left of the picture is a plain, quiet grey.  Small grounds grow by whole numbers, so
    that pixels are squares.

    Args:
        picture: uint8 (H, W, 3), as the network is fed it.
        shown: what of it.
        side: pixels of the result's long side at most, or for long thin grounds on the short side one.

    >>> sight_picture(np.zeros((9, 9, 3), np.uint8), Sight(((-2, 2), (4, 8)), ((0, 2), (4, 8))), 128).shape
    (125, 125, 4)
    """
    longest = max(last - first + 1 for first, last in shown.ground)
    factor = side // longest if longest <= side else side / longest
    (top, _), (left, _) = shown.ground
    height, width = (max(1, round((last - first + 1) * factor)) for first, last in shown.ground)
    canvas = np.full((height, width, 4), _PADDING, np.uint8)
    down, across = np.indices((height, width))
    canvas[(down + across) % _STEP < 2] = _STROKE

    def placed(box: Box) -> tuple[slice, slice]:
        """Where rows and columns of the picture lie on the canvas: a pixel at least."""
        rows, columns = (
            slice(
                first := min(round((low - start) * factor), most - 1),
                max(round((high + 1 - start) * factor), first + 1),
            )
            for (low, high), start, most in zip(box, (top, left), (height, width), strict=True)
        )
        return rows, columns

    inside = [
        (max(first, 0), min(last, size - 1))
        for (first, last), size in zip(shown.ground, picture.shape, strict=False)
    ]
    if all(first <= last for first, last in inside):
        canvas[placed((inside[0], inside[1]))] = _UNREAD
    if shown.read is None:
        return canvas
    (first_row, last_row), (first, last) = shown.read
    place = placed(shown.read)
    cut = Image.fromarray(picture[first_row : last_row + 1, first : last + 1])
    size = place[1].stop - place[1].start, place[0].stop - place[0].start
    method = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
    canvas[place] = np.asarray(cut.resize(size, method).convert("RGBA"))
    return canvas
