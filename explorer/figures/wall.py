"""All maps of a layer as bytes for the browser, which colours, scales and orders them by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from explorer.activations import ORDERS, FeatureMaps, ordered
from explorer.figures.signed import ZERO

SIDE: Final = 112
"""Cells along a side of a map on the wall; of a larger map the strongest cell of each block stands for the block."""

MOST_CELLS: Final = 4_000_000
"""Bytes that the maps of one wall take at most; beyond it blocks grow."""

MEASURES: Final = ("peak", "mean", "maximum", "minimum", "zeros", "deviation")
"""What is told of each map, in this order: of all its cells, not of the blocks.  `zeros` is a share, 0..1."""

Maps = npt.NDArray[np.float32]


def block_of(shape: Sequence[int]) -> int:
    """Side of the square blocks that maps (C, h, w) are reduced by for the wall; 1 where all cells are shown.

    >>> block_of((256, 56, 56)), block_of((64, 224, 224)), block_of((512, 112, 112))
    (1, 2, 2)
    """
    channels, rows, columns = shape
    block = -(-max(rows, columns) // SIDE)
    while channels * -(-rows // block) * -(-columns // block) > MOST_CELLS and block < max(rows, columns):
        block += 1
    return block


def strongest(maps: Maps, block: int) -> Maps:
    """Of each block of cells the value furthest from zero, with its sign: (C, h, w) -> (C, ⌈h/b⌉, ⌈w/b⌉).

    A mean would pale, and every second cell would miss, what a unit has found in one place.

    >>> strongest(np.array([[[0, 1, 3], [-2, 0, 0]]], np.float32), 2).tolist()
    [[[-2.0, 3.0]]]
    """
    if block == 1:
        return maps
    channels, rows, columns = maps.shape
    high, wide = -(-rows // block), -(-columns // block)
    padded = np.zeros((channels, high * block, wide * block), np.float32)
    padded[:, :rows, :columns] = maps
    blocks = padded.reshape(channels, high, block, wide, block)
    most, least = blocks.max((2, 4)), blocks.min((2, 4))
    found: Maps = np.where(most >= -least, most, least)
    return found


def reduced(values: Maps, side: int = SIDE) -> Maps:
    """One map (h, w) with at most `side` cells along a side; see `strongest`."""
    return strongest(values[None], -(-max(values.shape) // side))[0] if min(values.shape) > 1 else values


def own_entries(maps: Maps, peaks: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Entries (C, h, w) in a signed table, each map on its own scale: as `signed.entries` with that map's peak."""
    scale = np.where(peaks > 0, peaks, 1).astype(np.float64)[:, None, None]
    strength = np.clip(maps.astype(np.float64) / scale, -1, 1)
    return np.floor(ZERO + 0.5 + ZERO * strength).astype(np.uint8)


def measures(maps: Maps) -> npt.NDArray[np.float32]:
    """The numbers of `MEASURES` of every map: (6, C)."""
    rows = (
        np.abs(maps).max((1, 2)),
        maps.mean((1, 2), dtype=np.float64),
        maps.max((1, 2)),
        maps.min((1, 2)),
        (maps == 0).mean((1, 2)),
        maps.std((1, 2), dtype=np.float64),
    )
    return np.stack([row.astype(np.float32) for row in rows])


def packed(maps: FeatureMaps, names: Sequence[str] = ()) -> bytes:
    """All maps of a layer as they travel to the browser.

    Four bytes of a length, a JSON text of that length (padded with spaces to a multiple of four), then
    little-endian: `measures`, float32; the orders of `ORDERS`, int32 (5, C); and an entry for each cell, uint8
    (C, rows, columns), on its map's own scale.

    Args:
        maps: of the layer.
        names: of each map, where it has one: a class, a head.
    """
    block = block_of(maps.values.shape)
    small = strongest(maps.values, block)
    told = measures(maps.values)
    channels, rows, columns = small.shape
    head = json.dumps(
        {
            "channels": channels,
            "rows": rows,
            "columns": columns,
            "block": block,
            "grid": list(maps.layer.grid),
            "measures": list(MEASURES),
            "orders": list(ORDERS),
            "names": list(names),
        }
    ).encode()
    head = head.ljust(-(-len(head) // 4) * 4)
    orders = np.array([ordered(maps, key) for key in ORDERS], "<i4")
    entries = own_entries(small, told[0])
    return b"".join(
        (
            len(head).to_bytes(4, "little"),
            head,
            told.astype("<f4").tobytes(),
            orders.tobytes(),
            entries.tobytes(),
        )
    )
