"""Signed values: the colours of activations and weights, white at zero.  The browser paints by the same rule."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from explorer.errors import ExplorerError, ImageError

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.floating]

#: The entry of zero, in the middle of 255: the same number of colours on either side.
ZERO: Final = 127


@dataclass(frozen=True)
class SignedColours:
    """A colour map for values around zero: equal strength looks equally dark, whatever the sign."""

    name: str
    source: str

    def table(self) -> Bytes:
        """(255, 3) red, green, blue; entry 127 is zero, exactly white.

        >>> SIGNED["weights"].table()[ZERO].tolist()
        [255, 255, 255]
        """
        return _table(self.source)


SIGNED: Mapping[str, SignedColours] = MappingProxyType(
    {
        "activations": SignedColours("Blue, white, red", "RdBu_r"),
        "weights": SignedColours("Brown, white, teal", "BrBG"),
    }
)


@cache
def _table(source: str) -> Bytes:
    """ColorBrewer's eleven colours, white for the three about the middle, spaced anew.

    Between them the way is straight in CIELAB, and lightness falls in equal steps from white to the lighter of the two
    ends: both arms are equally dark at equal strength, so that a grey print tells strength too.  (The middle is a grey
    at the source, 247 or 245, and with its neighbours kept, the first steps away from zero would be twice the others.)
    """
    from matplotlib import colormaps
    from skimage.color import lab2rgb, rgb2lab

    brewer = np.delete(colormaps[source].resampled(11)(np.arange(11))[:, :3], (4, 6), axis=0)
    brewer[4] = 1
    lab = rgb2lab(brewer)
    lightness = np.linspace(100, max(lab[0, 0], lab[-1, 0]), ZERO + 1)
    # np.interp wants rising places: from the dark end to white
    negative, positive = (
        np.stack([np.interp(lightness, arm[:, 0], part) for part in arm.T], axis=-1)
        for arm in (lab[:5], lab[:3:-1])
    )
    table: Bytes = np.round(255 * lab2rgb(np.concatenate([negative[:0:-1], positive]))).astype(np.uint8)
    table[ZERO] = 255
    table.flags.writeable = False  # one for all callers
    return table


def encoded_tables() -> dict[str, str]:
    """Both tables as they travel to the browser: base64, "signed" for activations and "weights"."""
    keys = {"signed": "activations", "weights": "weights"}
    return {name: b64encode(SIGNED[key].table().tobytes()).decode() for name, key in keys.items()}


def entries(values: Values, peak: float | None = None) -> Bytes:
    """Entries in a signed table: ⌊127.5 + 127 · v / peak⌋ in float64, beyond ±peak the table's ends.

    `Math.round(127 + 127 * Math.min(Math.max(v / peak, -1), 1))` in the browser.

    Args:
        values: of any shape; so are the entries.
        peak: the strength that gets the ends; None for their own strongest.  At 0 all is white.

    >>> entries(np.array([[-2.0, -1.0, 0.0, 0.5, 1.0]]), peak=1)
    array([[  0,   0, 127, 191, 254]], dtype=uint8)

    Raises:
        ExplorerError: values or peak that are no numbers, or a peak below 0.
    """
    largest = _strongest(values)
    peak = largest if peak is None else peak
    if not 0 <= peak < np.inf:
        raise ExplorerError(
            f"The strength that gets the ends of the colours is {peak}; it must be 0 or more."
        )
    if peak == 0:
        return np.full(values.shape, ZERO, np.uint8)
    strength = np.clip(values.astype(np.float64) / peak, -1, 1)
    return np.floor(ZERO + 0.5 + ZERO * strength).astype(np.uint8)


def _strongest(values: Values) -> float:
    """Largest |v|; refuses what is not finite, since no colour would be true."""
    if not np.isfinite(values).all():
        broken = int((~np.isfinite(values)).sum())
        raise ExplorerError(
            f"{broken} of {values.size} values are infinite or not a number: they have no colour."
        )
    return float(np.abs(values).max(initial=0))


def signed_picture(values: Values, peak: float | None = None, kind: str = "activations") -> Bytes:
    """Values (H, W) as colours (H, W, 3) of the table `SIGNED[kind]`; see `entries` for `peak` and errors."""
    return SIGNED[kind].table()[entries(values, peak)]


def signed_png(values: Values, peak: float | None = None, kind: str = "activations") -> bytes:
    """The same as a PNG with a palette: one byte a pixel before compression."""
    image = Image.fromarray(entries(values, peak))
    image.putpalette(SIGNED[kind].table().tobytes())
    buffer = BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def as_photograph(values: Values) -> Bytes:
    """Values (H, W) as grey levels: clipped to 0..255, rounded half to even, as a browser's canvas does.

    >>> as_photograph(np.array([[-3.0, 0.5, 1.5, 254.6, 900.0]]))
    array([[  0,   0,   2, 255, 255]], dtype=uint8)

    Raises:
        ExplorerError: values that are infinite or no numbers.
    """
    _strongest(values)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def clipped(values: Values) -> tuple[int, int]:
    """How many values `as_photograph` changes by more than rounding would: below -0.5, and above 255.5.

    The half keeps the sums' last digits out: -1e-14 is a zero.

    >>> clipped(np.array([[-20.0, -1e-14, 255.4, 300.0, 301.0]]))
    (1, 2)
    """
    return int((values < -0.5).sum()), int((values > 255.5).sum())


def ink(colour: Sequence[int] | Bytes) -> str:
    """Black or white, whichever is easier to read on a colour (3,) of 0..255: at least 4.5 : 1.

    >>> ink((255, 255, 255)), ink((103, 0, 31))
    ('#000', '#fff')

    Source: WCAG 2.2, relative luminance and contrast ratio.
    """
    part = np.asarray(colour, np.float64) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    # (L + 0.05) / 0.05 against 1.05 / (L + 0.05)
    return "#000" if (luminance + 0.05) ** 2 >= 0.05 * 1.05 else "#fff"


def enlarged(picture: Bytes, side: int) -> Bytes:
    """A small picture (H, W) or (H, W, 3) with each pixel a square, as large as `side` allows; never smaller.

    >>> enlarged(np.zeros((3, 5, 3), np.uint8), 128).shape
    (75, 125, 3)
    """
    if side < 1 or not picture.size:
        raise ImageError(f"A picture of shape {picture.shape} cannot be {side} pixels wide.")
    times = max(1, side // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)
