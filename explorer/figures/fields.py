"""Receptive fields: the box on the photograph, what is read of a whole picture, the cells of each map below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from explorer.figures.heat import Bytes, Look, overlay
from explorer.preprocessing import CropBox
from explorer.receptive_field import Box

_HERE: Final = {False: (11, 110, 153), True: (76, 194, 241)}
"""The accent, on light and on dark."""
_CELL: Final = {False: (205, 212, 217), True: (74, 82, 90)}
SPAN: Final = 0.999
"""The share of pixels whose gradient is within the colour map; single ones beyond take its end."""


def field_on_photo(
    pixels: Bytes, region: Box, heat: NDArray[np.float32] | None = None, dark: bool = False, side: int = 480
) -> Bytes:
    """The photo with a unit's box, RGBA (h, w, 4): what of it hangs over the edges is hatched, the rest is clear.

    Beyond as much again as the photo on each side nothing is drawn: the box stays open there.

    Args:
        pixels: uint8 (H, W, 3).
        region: rows and columns that the unit sees, over the edges too.
        heat: float32 (H, W), what each pixel counts for.
        dark: whether the page is.
        side: pixels of the result's long side, about.

    >>> photo = np.zeros((20, 20, 3), np.uint8)
    >>> field_on_photo(photo, ((-5, 4), (0, 9)), side=100).shape
    (100, 80, 4)
    """
    if heat is not None:
        scale = float(np.quantile(heat, SPAN)) or float(heat.max())
        whole = CropBox(0, 0, *pixels.shape[:2])
        pixels = overlay(pixels, heat, scale, whole, Look(opacity=100))
    margins = [
        (min(max(-first, 0), size), min(max(last - size + 1, 0), size))
        for (first, last), size in zip(region, pixels.shape, strict=False)
    ]
    lengths = [before + size + after for (before, after), size in zip(margins, pixels.shape, strict=False)]
    # whole factors where it grows: pixels stay squares
    factor = side / max(lengths)
    factor = int(factor) if factor >= 1 else factor
    height, width = (round(length * factor) for length in lengths)
    top, left = (round(before * factor) for before, _ in margins)
    canvas = np.zeros((height, width, 4), np.uint8)
    (first_row, last_row), (first_column, last_column) = (
        (round((first + before) * factor), round((last + 1 + before) * factor))
        for (first, last), (before, _) in zip(region, margins, strict=True)
    )
    inside = np.s_[max(first_row, 0) : max(last_row, 0), max(first_column, 0) : max(last_column, 0)]
    canvas[inside] = _hatch(height, width, dark)[inside]
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    filter_ = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
    photo = np.asarray(Image.fromarray(pixels).resize(size, filter_))[: height - top, : width - left]
    canvas[top : top + photo.shape[0], left : left + photo.shape[1], :3] = photo
    canvas[top : top + photo.shape[0], left : left + photo.shape[1], 3] = 255
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    box = (first_column, first_row, last_column - 1, last_row - 1)
    if box[2] - box[0] < 6 or box[3] - box[1] < 6:  # so small that its frame would hide it
        box = (box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4)
    draw.rectangle(box, outline=(255, 255, 255, 255), width=4)
    draw.rectangle((box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1), outline=(*_HERE[dark], 255), width=2)
    return np.asarray(image)


def crop_on_photo(
    pixels: Bytes, crop: CropBox, region: Box, square: tuple[int, int], dark: bool = False, side: int = 240
) -> Bytes:
    """The whole photo, pale where nothing is read of it, with the box of a unit: RGB (h, w, 3).

    Args:
        pixels: uint8 (H, W, 3).
        crop: the part that is read.
        region: rows and columns that the unit sees, in pixels of the square that the part was scaled to.
        square: (height, width) of it.
        dark: whether the page is.
        side: pixels of the result's long side.

    >>> photo = np.zeros((30, 50, 3), np.uint8)
    >>> shown = crop_on_photo(photo, CropBox(0, 10, 30, 30), ((0, 9), (0, 9)), (60, 60), side=100)
    >>> shown.shape, shown[30, 5].tolist(), shown[30, 50].tolist()
    ((60, 100, 3), [166, 166, 166], [0, 0, 0])
    """
    factor = side / max(pixels.shape[:2])
    height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
    photo = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
    top, left, bottom, right = (
        round(edge * factor) for edge in (crop.top, crop.left, crop.top + crop.height, crop.left + crop.width)
    )
    page = np.float32(20 if dark else 255)
    pale = (photo + (page - photo) * np.float32(0.65)).round().astype(np.uint8)
    pale[top:bottom, left:right] = photo[top:bottom, left:right]
    image = Image.fromarray(pale)
    ends = []
    for (first, last), length, start, of in zip(
        region, square, (crop.top, crop.left), (crop.height, crop.width), strict=True
    ):
        inside = min(max(first, 0), length), min(max(last + 1, 0), length)
        ends.append([round((start + at / length * of) * factor) for at in inside])
    (first_row, last_row), (first_column, last_column) = ends
    box = (first_column, first_row, max(last_column - 1, first_column), max(last_row - 1, first_row))
    draw = ImageDraw.Draw(image)
    draw.rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=(255, 255, 255), width=1)
    draw.rectangle(box, outline=_HERE[dark], width=2)
    return np.asarray(image)


def _hatch(height: int, width: int, dark: bool) -> Bytes:
    """Stripes of the accent, RGBA."""
    rows, columns = np.indices((height, width))
    stripes = np.empty((height, width, 4), np.uint8)
    stripes[..., :3] = _HERE[dark]
    stripes[..., 3] = np.where((rows + columns) % 8 < 3, 150, 30)
    return stripes


def field_on_map(
    shape: tuple[int, int], rows: Sequence[int], columns: Sequence[int], dark: bool = False, side: int = 240
) -> Bytes:
    """The cells of a map, those that a unit reads in the accent, those of padding hatched: RGBA (h, w, 4).

    Args:
        shape: (height, width) of the map.
        rows: that are read, ascending; below 0 and beyond the last they are padding.
        columns: likewise.
        dark: whether the page is.
        side: pixels of the result's long side, at most, if a pixel a cell is not more.  Lines are two pixels wide and
            cells an even number: it can be shown at half its size.

    >>> field_on_map((7, 7), range(-1, 2), range(2, 5), side=80).shape
    (80, 70, 4)
    """
    read = (np.asarray(rows, int), np.asarray(columns, int))
    starts = [min(0, *at) if at.size else 0 for at in read]
    ends = [max(size, *(at + 1)) if at.size else size for at, size in zip(read, shape, strict=True)]
    height, width = (end - start for start, end in zip(starts, ends, strict=True))
    cells = np.zeros((height, width, 4), np.uint8)
    on_map = np.s_[-starts[0] : shape[0] - starts[0], -starts[1] : shape[1] - starts[1]]
    cells[on_map] = (*_CELL[dark], 255)
    seen = np.zeros((height, width), bool)
    seen[np.ix_(read[0] - starts[0], read[1] - starts[1])] = True
    padding = seen.copy()
    padding[on_map] = False
    cells[seen] = (*_HERE[dark], 255)
    size = side // max(height, width)
    size = size // 2 * 2 or max(size, 1)
    drawn = cells.repeat(size, 0).repeat(size, 1)
    hatched = padding.repeat(size, 0).repeat(size, 1)
    drawn[hatched] = _hatch(height * size, width * size, dark)[hatched]
    if size >= 8:  # lines between cells
        for edge in (0, 1):
            drawn[edge::size] = drawn[:, edge::size] = 0
    if seen.any() and size * min(seen.any(0).sum(), seen.any(1).sum()) < 10:  # so small that it needs a frame
        image = Image.fromarray(drawn)
        down, across = np.flatnonzero(seen.any(1)) * size, np.flatnonzero(seen.any(0)) * size
        frame = (across[0] - 5, down[0] - 5, across[-1] + size + 4, down[-1] + size + 4)
        ImageDraw.Draw(image).rectangle([int(edge) for edge in frame], outline=(*_HERE[dark], 255), width=2)
        drawn = np.asarray(image)
    return drawn
