"""Pictures that say how they were made: PNG with text inside."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from explorer.errors import ImageError


def annotated_png(pixels: np.ndarray, notes: Mapping[str, str]) -> bytes:
    """Exact PNG bytes of RGB pixels, uint8 (H, W, 3), with international text chunks.

    >>> made = annotated_png(np.zeros((2, 2, 3), np.uint8), {"seed": "7"})
    >>> Image.open(BytesIO(made)).text["seed"]
    '7'

    Raises:
        ImageError: other pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ImageError(f"A picture is (height, width, 3) of uint8, not {pixels.shape} of {pixels.dtype}.")
    texts = PngInfo()
    for key, value in notes.items():
        texts.add_itxt(key, value)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()
