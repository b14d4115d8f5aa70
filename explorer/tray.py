"""A tray of pictures, and where in all of them a unit answers most strongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image

from explorer.activations import Probe
from explorer.convolution import Pair
from explorer.heads import attended
from explorer.images import Photo
from explorer.models import NetworkInput
from explorer.unit_facts import Peaks, peaks_of

MOST: Final = 50
"""Pictures on a tray."""

SHORT_SIDE: Final = 256
LONG_SIDE: Final = 512
"""Sides in pixels of a picture on the tray: at most 0.4 MB each, 20 MB for all."""


def for_tray(photo: Photo) -> Photo:
    """The picture as small as the tray keeps it, in its proportions; one that is small enough stays as it is.

    >>> for_tray(Photo("wide", np.zeros((300, 400, 3), np.uint8))).size
    '341×256'
    """
    scale = min(
        1.0,
        SHORT_SIDE / min(photo.width, photo.height),
        LONG_SIDE / max(photo.width, photo.height),
    )
    if scale == 1:
        return photo
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    smaller = Image.fromarray(photo.pixels).resize(size, Image.Resampling.LANCZOS)
    return Photo(photo.name, np.asarray(smaller), photo.sample, photo.notes)


@dataclass(frozen=True)
class Spot:
    """One place where a unit answers: its picture's digest, the value, the cell (row, column).

    Of attention's heads without a class token also the token that looks there most: its cell and how much it does.
    """

    digest: str
    value: float
    cell: Pair
    query: tuple[Pair, float] | None = None


def search(
    probe: Probe, layer: str, inputs: Sequence[NetworkInput], below: bool = False
) -> Iterator[Mapping[str, Peaks]]:
    """What has been found so far, by the pictures' digests: one forward for each, worked out when it is asked for.

    Args:
        probe: of the network.
        layer: key of the layer.
        inputs: the pictures before the network.
        below: look for what lies furthest below zero; heads look nowhere less than not at all.

    Raises:
        LayerError: a layer that is not there.
    """
    heads = probe.layer(layer).layout == "heads"
    found: dict[str, Peaks] = {}
    for fed in inputs:
        x = fed.tensor()
        found[fed.photo.digest] = (
            attended(probe, x, layer) if heads else peaks_of(probe.maps(x, [layer])[layer], below=below)
        )
        yield MappingProxyType(dict(found))


def strongest(found: Mapping[str, Peaks], unit: int, count: int) -> tuple[Spot, ...]:
    """The strongest places of a unit in all pictures, by digest: at most `count`, furthest from zero first."""
    spots = [
        Spot(digest, value, cell, query)
        for digest, peaks in found.items()
        for (value, cell), query in zip(peaks.of(unit), peaks.pairs(unit), strict=True)
    ]
    return tuple(sorted(spots, key=lambda spot: -abs(spot.value))[:count])
