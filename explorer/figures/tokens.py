"""What a token looks at: how it divides its attention over the picture, or one pair of tokens in full."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from explorer.figures.pictures import thumbnail
from explorer.figures.sights import Sight, sight_picture
from explorer.figures.signed import Bytes, Values
from explorer.figures.veil import veiled
from explorer.receptive_field import Box, ReceptiveField

_KEY: Final = (11, 110, 153, 255)
_WHITE: Final = (255, 255, 255, 255)
_BLACK: Final = (0, 0, 0, 255)
_GAP: Final = 8
_DASH: Final = 4
"""Pixels of a dash, and of the gap behind it."""
_OPAQUE: Final = 0.8
"""Of the colour of the largest share: the picture still shows."""


def gaze_picture(
    picture: Bytes, shares: Values, own: ReceptiveField | None, token: Box | None, side: int = 256
) -> Bytes:
    """The picture in grey, red where a token looks, uint8 (H, W, 3), at most `side` wide and high; the token in dashes.

    Args:
        picture: uint8 (H, W, 3), as the network is fed it.
        shares: of attention (h, w); the largest gets full colour.
        own: the pixels that the tokens stand for; None: together they stand for the whole picture.
        token: rows and columns of the one that looks, ends included; None where that is not known.

    >>> gaze_picture(np.zeros((64, 64, 3), np.uint8), np.eye(4), None, ((0, 15), (0, 15))).shape
    (64, 64, 3)
    """
    mixed = thumbnail(veiled(picture, shares, own, _OPAQUE, grey=True), side)
    image = Image.fromarray(mixed)
    if token:
        _frame(ImageDraw.Draw(image), token, image.width / picture.shape[1], dashed=True)
    return np.asarray(image)


def pair_picture(picture: Bytes, query: Sight, key: Sight, side: int = 256) -> Bytes:
    """A square, RGBA (side, side, 4): the query's pixels, the key's, and below both in the picture.

    There the key is framed, and the query by dashes.

    Args:
        picture: uint8 (H, W, 3), as the network is fed it.
        query: of the token that looks.
        key: of the token that is looked at.

    >>> query, key = (Sight(box, box) for box in (((0, 15), (0, 15)), ((16, 31), (48, 63))))
    >>> pair_picture(np.zeros((64, 64, 3), np.uint8), query, key).shape
    (256, 256, 4)
    """
    half = (side - _GAP) // 2
    canvas = Image.new("RGBA", (side, side))
    for left, token in ((0, query), (side - half, key)):
        patch = Image.fromarray(sight_picture(picture, token, half))
        canvas.paste(_fitted(patch, half, Image.Resampling.NEAREST), (left, 0))
    small = _fitted(Image.fromarray(picture), half, Image.Resampling.LANCZOS)
    scale = small.width / picture.shape[1]
    draw = ImageDraw.Draw(small)
    for token, dashed in ((query, True), (key, False)):
        if token.read:
            _frame(draw, token.read, scale, dashed)
    canvas.paste(small, ((side - small.width) // 2, side - half))
    return np.asarray(canvas)


def _fitted(image: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    """As large as a square of so many pixels holds."""
    factor = side / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, resampling)


def _frame(draw: ImageDraw.ImageDraw, box: Box, scale: float, dashed: bool) -> None:
    """Around a box, dark and light, so that it is seen on any picture."""
    (top, bottom), (left, right) = (
        (round(first * scale), round((last + 1) * scale) - 1) for first, last in box
    )
    edges = (left - 2, top - 2, right + 2, bottom + 2)
    if not dashed:
        draw.rectangle(edges, outline=_WHITE, width=1)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=_KEY, width=2)
        return
    draw.rectangle(edges, outline=_BLACK, width=2)
    for start in range(edges[0], edges[2], 2 * _DASH):
        for row in (edges[1], edges[3] - 1):
            draw.rectangle((start, row, min(start + _DASH, edges[2]) - 1, row + 1), fill=_WHITE)
    for start in range(edges[1], edges[3], 2 * _DASH):
        for column in (edges[0], edges[2] - 1):
            draw.rectangle((column, start, column + 1, min(start + _DASH, edges[3]) - 1), fill=_WHITE)
