"""All maps of a layer on one sheet, numbered, with a legend: for print, slides and papers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from explorer.activations import FeatureMaps
from explorer.errors import ImageError
from explorer.figures.captions import EDGE, INK, legend, lines_of
from explorer.figures.signed import Bytes, Values, enlarged, signed_picture
from explorer.figures.veil import veiled
from explorer.receptive_field import ReceptiveField

LEAST: Final = 64
"""Pixels of a small map's side on the sheet, about: cells are whole squares."""
WIDE: Final = 1600
"""Pixels that a sheet is wide at least: a slide's."""

MOST_MAPS: Final = 2048
_MARGIN, _GAP = 32, 8
_HEAD, _LINE = 30, 38
"""Pixels of the title's letters, and from one of its lines to the next."""
_LEGEND: Final = 20
_BAR: Final = 508, 24
_LEAST_WIDE: Final = 960
"""Pixels that the sheet of one map is wide at least."""
_BELOW: Final = 22
"""Pixels from the legend to the maps."""


def map_sheet(
    maps: FeatureMaps,
    order: Sequence[int],
    title: str,
    peak: float | None = None,
    columns: int | None = None,
    word: str = "",
) -> Bytes:
    """The sheet, uint8 (height, width, 3), white; `WIDE` pixels wide at least.

    Args:
        maps: of one layer.
        order: numbers of the maps to be drawn, in their order.
        title: above them, in as many lines as it takes.
        peak: the strength that gets the ends of the colours; None: each map its own.
        columns: maps in a row; None: as many as make the sheet about square.
        word: what stands before each map's number: "head".

    >>> from explorer.activations import Layer
    >>> layer = Layer("relu", 1, 1, "ReLU", 2, (4, 4), "maps")
    >>> map_sheet(FeatureMaps(layer, np.ones((2, 4, 4), np.float32)), (0, 1), "Two maps", columns=2).shape
    (962, 1600, 3)

    Raises:
        ImageError: no maps, or more than `MOST_MAPS`.
    """
    if not 1 <= len(order) <= MOST_MAPS:
        raise ImageError(f"A sheet has 1 to {MOST_MAPS:,} maps, not {len(order):,}.")
    rows, across = maps.layer.grid
    times = max(1, math.ceil(LEAST / max(rows, across)))
    columns = columns or max(
        1, round(math.sqrt(len(order) * (rows * times + 30) / (max(across * times, 40) + _GAP)))
    )
    # few maps grow until their sheet is a slide's, but no map beyond the slide
    room = (WIDE - 2 * _MARGIN) / columns - _GAP
    times = max(times, min(math.ceil(room / across), (WIDE - 2 * _MARGIN) // max(rows, across)))
    letters = min(max(12, max(rows, across) * times // 10), 28)
    font = ImageFont.load_default(letters)
    names = [f"{word} {number}".strip() for number in order]
    widest = math.ceil(max(font.getlength(name) for name in names))
    height, width = rows * times + letters + 8 + _GAP, max(across * times, widest) + _GAP
    wide = max(columns * width + 2 * _MARGIN, WIDE)
    down = -(-len(order) // columns) * height
    ends = "each on its own scale" if peak is None else _span(peak)
    sheet, top = _opened(title, f"{ends}; white is 0", wide, down)
    draw = ImageDraw.Draw(sheet)
    for place, (number, name) in enumerate(zip(order, names, strict=True)):
        left, upper = _MARGIN + place % columns * width, top + place // columns * height
        picture = signed_picture(maps.values[number], peak)
        tile = Image.fromarray(enlarged(picture, times * max(rows, across)))
        sheet.paste(tile, (left, upper))
        draw.rectangle((left - 1, upper - 1, left + tile.width, upper + tile.height), outline=EDGE)
        draw.text((left, upper + tile.height + 4), name, fill=INK, font=font)
    return np.asarray(sheet)


def veil_sheet(
    picture: Bytes, values: Values, field: ReceptiveField | None, opacity: float, times: int, title: str
) -> Bytes:
    """One map over its picture, as `veil.veiled` lays it, with a title and a scale: uint8 (height, width, 3), white.

    Args:
        picture: uint8 (H, W, 3), what the network is fed, `times` as large along each axis.
        values: of the map (h, w).
        field: what its cells see; None: together they lie over the whole picture.
        opacity: of a cell at the peak, 0..1.
        times: see `picture`.
        title: above the picture, in as many lines as it takes.

    Raises:
        ExplorerError: values that are infinite or no numbers.
    """
    laid = veiled(picture, values, field, opacity, times=times)
    peak = float(np.abs(values).max())
    words = f"{_span(peak)}; 0 is clear, the ends cover {100 * opacity:.0f} %"
    if peak == 0:
        words = "zero everywhere: nothing lies over the picture"
    sheet, top = _opened(
        title, words, max(laid.shape[1] + 2 * _MARGIN, _LEAST_WIDE), laid.shape[0] + _MARGIN // 2
    )
    sheet.paste(Image.fromarray(laid), ((sheet.width - laid.shape[1]) // 2, top))
    return np.asarray(sheet)


def _span(peak: float) -> str:
    # the letters have no minus sign
    return f"from -{peak:.4g} to {peak:.4g}" if peak else "zero everywhere"


def _opened(title: str, words: str, wide: int, down: int) -> tuple[Image.Image, int]:
    """A white sheet with its title, the colours and words on them, and where the rest of it, `down` high, begins."""
    head, small = ImageFont.load_default(_HEAD), ImageFont.load_default(_LEGEND)
    lines = lines_of(title, wide - 2 * _MARGIN, head)
    bar = min(_BAR[0], wide // 3)
    notes = lines_of(words, wide - 2 * _MARGIN - bar - 14, small)
    legend_top = _MARGIN + len(lines) * _LINE + 10
    high = max(_BAR[1], len(notes) * (_LEGEND + 4))
    top = legend_top + high + _BELOW
    sheet = Image.new("RGB", (wide, top + down + _MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + number * _LINE), line, fill=INK, font=head)
    legend(sheet, (_MARGIN, legend_top), (bar, _BAR[1]), notes, small)
    return sheet, top
