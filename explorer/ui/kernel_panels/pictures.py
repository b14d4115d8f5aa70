"""Results and kernels as pictures with words under them, and numbers for reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.figures.kernel_plots import kernel_picture
from explorer.figures.pictures import data_uri, png
from explorer.figures.signed import Bytes, as_photograph, signed_picture, signed_png
from explorer.kernels import Kernel


def paint(result: NDArray[np.float32], shown: str, peak: float | None = None) -> bytes:
    """A result (H, W) as PNG: "signed" colours that end at ±peak, or as a "photo", clipped to 0..255."""
    return png(as_photograph(result)) if shown == "photo" else signed_png(result, peak)


def corner_tile(result: NDArray[np.float32], kernel: Kernel, shown: str, peak: float | None = None) -> Bytes:
    """A result (H, W) as uint8 (H, W, 3), the kernel that made it small in its lower right corner."""
    grey = as_photograph(result)[..., None].repeat(3, axis=-1)
    tile = grey if shown == "photo" else signed_picture(result, peak)
    corner = kernel_picture(kernel.weights, max(kernel.height, kernel.width, min(result.shape) // 3))
    corner = np.pad(corner, ((2, 0), (2, 0), (0, 0)), constant_values=255)
    height, width = corner.shape[:2]
    if height < tile.shape[0] and width < tile.shape[1]:  # a picture of few pixels has no room for it
        tile[-height:, -width:] = corner
    return tile


@dataclass(frozen=True)
class Figure:
    """A picture (PNG), the title and the words under it, what it shows for who does not see it, its width."""

    image: bytes
    title: str
    note: str = ""
    alt: str = ""
    width: int = 300


def figures(entries: Sequence[Figure]) -> None:
    """Figures side by side, below each other where there is no room."""
    st.html(f'<div style="display: flex; flex-wrap: wrap; gap: 14px">{"".join(map(_figure, entries))}</div>')


# pixels stay squares, however large; white is zero, and must end somewhere on a white page
_IMAGE: Final = (
    "max-width: 100%; display: block; image-rendering: pixelated; border-radius: 5px; "
    "border: 1px solid rgb(127 127 127 / 0.4)"
)


def _figure(entry: Figure) -> str:
    note = f"<br>{escape(entry.note)}" if entry.note else ""
    return (
        f'<figure style="margin: 0; width: max({entry.width}px, 5rem); max-width: 100%">'
        f'<img src="{data_uri(entry.image)}" alt="{escape(entry.alt or entry.title)}" '
        f'style="width: {entry.width}px; {_IMAGE}">'
        f'<figcaption style="font-size: 0.85rem; padding-top: 4px"><strong>{escape(entry.title)}</strong>'
        f"{note}</figcaption></figure>"
    )
