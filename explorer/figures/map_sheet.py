"""All maps of a layer on one sheet, numbered, with a legend: for print, slides and papers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from explorer.activations import FeatureMaps
from explorer.errors import ImageError
from explorer.figures.signed import SIGNED, Bytes, enlarged, signed_picture

LEAST: Final = 64
"""Pixels of a small map's side on the sheet, about: cells are whole squares."""

MOST_MAPS: Final = 2048
_MARGIN, _GAP, _WORDS, _BAR = 24, 6, 18, 16


def map_sheet(
    maps: FeatureMaps,
    order: Sequence[int],
    title: str,
    peak: float | None = None,
    columns: int | None = None,
) -> Bytes:
    """The sheet, uint8 (height, width, 3), white.

    Args:
        maps: of one layer.
        order: numbers of the maps to be drawn, in their order.
        title: the line above them.
        peak: the strength that gets the ends of the colours; None: each map its own.
        columns: maps in a row; None: as many as make the sheet about square.

    >>> from explorer.activations import Layer
    >>> layer = Layer("relu", 1, 1, "ReLU", 2, (4, 4), "maps")
    >>> map_sheet(FeatureMaps(layer, np.ones((2, 4, 4), np.float32)), (0, 1), "Two maps", columns=2).shape
    (210, 608, 3)

    Raises:
        ImageError: no maps, or more than `MOST_MAPS`.
    """
    if not 1 <= len(order) <= MOST_MAPS:
        raise ImageError(f"A sheet has 1 to {MOST_MAPS:,} maps, not {len(order):,}.")
    rows, across = maps.layer.grid
    times = max(1, math.ceil(LEAST / max(rows, across)))
    height, width = rows * times + _WORDS + _GAP, max(across * times, 40) + _GAP
    columns = columns or max(1, round(math.sqrt(len(order) * height / width)))
    font, head = ImageFont.load_default(12), ImageFont.load_default(18)
    size = max(columns * width, 560) + 2 * _MARGIN, -(-len(order) // columns) * height + 2 * _MARGIN + 74
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 6), title, fill="#16212a", font=head)
    _legend(sheet, draw, peak, font)
    for place, number in enumerate(order):
        left, top = _MARGIN + place % columns * width, _MARGIN + 74 + place // columns * height
        picture = signed_picture(maps.values[number], peak)
        tile = Image.fromarray(enlarged(picture, times * max(rows, across)))
        sheet.paste(tile, (left, top))
        draw.rectangle((left - 1, top - 1, left + tile.width, top + tile.height), outline="#c9d2d8")
        draw.text((left, top + tile.height + 2), str(number), fill="#16212a", font=font)
    return np.asarray(sheet)


_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, peak: float | None, font: _Font) -> None:
    """The colours from the lowest to the highest value, and what their ends are."""
    bar = SIGNED["activations"].table()[None].repeat(_BAR, axis=0)
    top = _MARGIN + 26
    sheet.paste(Image.fromarray(bar), (_MARGIN, top))
    draw.rectangle((_MARGIN - 1, top - 1, _MARGIN + bar.shape[1], top + _BAR), outline="#c9d2d8")
    ends = "each map on its own scale" if peak is None else f"from -{peak:.4g} to {peak:.4g}"
    draw.text((_MARGIN + bar.shape[1] + 12, top + 1), f"{ends}; white is 0", fill="#16212a", font=font)
