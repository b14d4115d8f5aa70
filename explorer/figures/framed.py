"""Places found in a small picture, framed and numbered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from explorer.figures.signed import Bytes, enlarged

#: "You are here", and where a kernel was cut from.
FOUND: Final = "#0b6e99"
CUT: Final = "#8c510a"

Box = tuple[int, int, int, int]


def framed(picture: Bytes, found: Sequence[Box], cut: Box | None = None, side: int = 336) -> Bytes:
    """A grey picture (H, W) enlarged to at most `side` pixels, with frames: (h, w, 3).

    Args:
        picture: uint8, dark ink on light paper.
        found: (row, column, height, width) of each place, best first: numbered from 1, the first frame thicker.
        cut: where the kernel was cut from, in brown.
        side: pixels of the result's long side.

    >>> framed(np.full((28, 28), 255, np.uint8), [(2, 3, 5, 5)]).shape
    (336, 336, 3)
    """
    image = Image.fromarray(enlarged(picture, side)).convert("RGB")
    draw, cell = ImageDraw.Draw(image), image.width // picture.shape[1]
    font = ImageFont.load_default(15)
    if cut:
        draw.rectangle(_corners(cut, cell), outline=CUT, width=5)
    for number, box in reversed(list(enumerate(found, start=1))):
        left, top, right, bottom = _corners(box, cell)
        draw.rectangle((left, top, right, bottom), outline=FOUND, width=3 if number == 1 else 1)
        # a frame may begin outside of the picture, its number may not
        left, top = max(left, 0), max(top, 0)
        draw.rectangle((left, top, left + 15, top + 17), fill=FOUND)
        draw.text((left + 8, top + 9), str(number), fill="#ffffff", font=font, anchor="mm")
    return np.asarray(image)


def _corners(box: Box, cell: int) -> tuple[int, int, int, int]:
    row, column, height, width = box
    return column * cell, row * cell, (column + width) * cell - 1, (row + height) * cell - 1
