"""Heat over photographs: the colour tables, and the blend.  The browser blends by the same rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from explorer.errors import ExplorerError

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Colours:
    """A colour map for strength 0..1: perceptually even, so that equal steps of heat look equal."""

    name: str
    source: str | None

    @cache  # noqa: B019: as many tables as there are entries in COLOURS
    def table(self) -> Bytes:
        """(256, 4) RGBA.  Alpha follows strength: what did not count leaves the photograph as it is."""
        strength = np.arange(256, dtype=np.uint8)
        if self.source is None:  # a spotlight: what did not count falls into the dark
            table = np.zeros((256, 4), np.uint8)
            table[:, 3] = 255 - strength
            return table
        from matplotlib import colormaps

        table = np.asarray(np.round(colormaps[self.source](strength) * 255), np.uint8)
        table[:, 3] = strength
        return table


# Never jet: its bright bands draw edges where the heat has none.
COLOURS: Mapping[str, Colours] = MappingProxyType(
    {
        "inferno": Colours("Inferno", "inferno"),
        "viridis": Colours("Viridis", "viridis"),
        "cividis": Colours("Cividis (colour-blind safe)", "cividis"),
        "spotlight": Colours("Spotlight", None),
    }
)


@dataclass(frozen=True)
class Look:
    """How heat lies on a photograph.

    `opacity` and `threshold` are percent (of full strength, of the scale); `wipe` is where the plain photograph
    ends and the heat begins, in percent of the width.
    """

    opacity: int = 75
    threshold: int = 0
    wipe: int = 0
    colours: str = "inferno"

    def __post_init__(self) -> None:
        for name, highest in (("opacity", 100), ("threshold", 95), ("wipe", 100)):
            if not 0 <= getattr(self, name) <= highest:
                raise ExplorerError(f"`{name}` is {getattr(self, name)}; it goes from 0 to {highest} percent.")
        if self.colours not in COLOURS:
            raise ExplorerError(f"There is no colour map “{self.colours}”; there are {', '.join(COLOURS)}.")


def tint(strength: Floats, look: Look) -> npt.NDArray[np.float32]:
    """Colour (H, W, 3) in 0..255 and alpha (H, W, 1) in 0..1 of strengths (H, W), as one (H, W, 4) array."""
    strength = np.clip(strength, 0, 1)
    strength = np.where(strength < look.threshold / 100, 0, strength)
    rgba = COLOURS[look.colours].table()[np.round(strength * 255).astype(np.uint8)].astype(np.float32)
    rgba[..., 3] *= look.opacity / 100 / 255
    return rgba


def overlay(pixels: Bytes, strength: Floats, corner: tuple[int, int], look: Look) -> Bytes:
    """The photograph with heat laid on a part of it, at the photograph's own resolution.

    Args:
        pixels: the photograph, uint8 (H, W, 3).
        strength: heat over its scale, already at the size of the part, float (h, w).
        corner: row and column of the part's first pixel.
        look: opacity, threshold and colours (the wipe is for the screen alone).

    Returns:
        uint8 (H, W, 3); outside the part the photograph is unchanged.
    """
    top, left = corner
    height, width = strength.shape
    rgba = tint(strength, look)
    alpha = rgba[..., 3:]
    mixed = pixels.copy()
    part = mixed[top : top + height, left : left + width]
    part[:] = np.round(part * (1 - alpha) + rgba[..., :3] * alpha).astype(np.uint8)
    return mixed


def on_white(strength: Floats, look: Look) -> Bytes:
    """The map alone, uint8 (H, W, 3): where it counts, over a plain ground."""
    ground = np.full((*strength.shape, 3), 255, np.uint8)
    return overlay(ground, strength, (0, 0), look)
