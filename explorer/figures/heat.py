"""Heat over photographs: the colour tables, and the blend.  The browser blends by the same rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from explorer.errors import ExplorerError
from explorer.preprocessing import CropBox
from explorer.saliency import linear_weights

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Colours:
    """A colour map for strength 0..1: perceptually even, so that equal steps of heat look equal."""

    name: str
    source: str | None

    def table(self) -> Bytes:
        """(256, 4) RGBA, alpha following strength: what did not count leaves the photograph as it is."""
        return _table(self.source)


# Never jet: its bright bands draw edges where the heat has none.
COLOURS: Mapping[str, Colours] = MappingProxyType(
    {
        "inferno": Colours("Inferno", "inferno"),
        "viridis": Colours("Viridis", "viridis"),
        "cividis": Colours("Cividis", "cividis"),
        "spotlight": Colours("Spotlight", None),
    }
)


@cache
def _table(source: str | None) -> Bytes:
    strength = np.arange(256, dtype=np.uint8)
    if source is None:  # a spotlight: what did not count falls into the dark
        table = np.zeros((256, 4), np.uint8)
        table[:, 3] = 255 - strength
        return table
    from matplotlib import colormaps

    table = np.asarray(np.round(colormaps[source](strength) * 255), np.uint8)
    table[:, 3] = strength
    return table


@dataclass(frozen=True)
class Look:
    """How heat lies on a photograph.

    `opacity` and `threshold` are percent (of full strength, of the scale); `wipe` is where the plain
    photograph ends and the heat begins, in percent of the width; `cells` shows the layer's own cells instead of
    a smooth passage between their centres.
    """

    opacity: int = 75
    threshold: int = 0
    wipe: int = 0
    colours: str = "inferno"
    cells: bool = False

    def __post_init__(self) -> None:
        for name, highest in (("opacity", 100), ("threshold", 95), ("wipe", 100)):
            if not 0 <= getattr(self, name) <= highest:
                raise ExplorerError(
                    f"`{name}` is {getattr(self, name)}; it goes from 0 to {highest} percent."
                )
        if self.colours not in COLOURS:
            raise ExplorerError(f"There is no colour map “{self.colours}”; there are {', '.join(COLOURS)}.")


def tint(strength: Floats, look: Look) -> Floats:
    """Colours (H, W, 4) of strengths (H, W): red, green, blue in 0..255, alpha in 0..1."""
    strength = np.clip(strength, 0, 1)
    strength = np.where(strength < look.threshold / 100, 0, strength)
    rgba = COLOURS[look.colours].table()[np.round(strength * 255).astype(np.uint8)].astype(np.float32)
    rgba[..., 3] *= look.opacity / 100 / 255
    return rgba


def overlay(pixels: Bytes, heat: Floats, scale: float, box: CropBox, look: Look) -> Bytes:
    """The photograph with heat laid on the part that the network saw, at the photograph's own resolution.

    Args:
        pixels: the photograph, uint8 (H, W, 3).
        heat: the map (h, w) as the layer gives it.
        scale: the heat that gets the end of the colour map; 0 leaves the photograph as it is.
        box: where in the photograph the map lies.
        look: opacity, threshold and colours (the wipe is for the screen alone).

    Returns:
        uint8 (H, W, 3); outside the box the photograph is unchanged.
    """
    height, width = pixels.shape[:2]
    rows, down = _spread(height, box.top, box.height, heat.shape[0], look.cells)
    columns, across = _spread(width, box.left, box.width, heat.shape[1], look.cells)
    strength = down @ heat @ across.T / np.float32(scale or np.inf)
    rgba = tint(strength.astype(np.float32), look)
    mixed = pixels.copy()
    part = mixed[rows, columns]
    alpha = rgba[..., 3:]
    part[:] = np.round(part * (1 - alpha) + rgba[..., :3] * alpha).astype(np.uint8)
    return mixed


def _spread(length: int, start: float, extent: float, cells: int, sharp: bool) -> tuple[slice, Floats]:
    """Along one axis: the pixels whose centres the map covers, and their weights (pixels, cells) in it.

    Linear between the centres of cells, flat beyond the outer ones: cv2's and torch's linear resize.  With `sharp`
    each pixel takes the cell that it lies in.
    """
    first, last = max(0, round(start)), min(length, round(start + extent))
    pixels = slice(first, max(last, first + 1))
    places = (np.arange(pixels.start, pixels.stop) + 0.5 - start) / extent
    if sharp:  # the centre of the cell that the pixel lies in
        places = (np.clip(np.floor(places * cells), 0, cells - 1) + 0.5) / cells
    return pixels, linear_weights(places, cells)
