"""How alike the maps of two layers are: unit by unit, and as a whole by centred kernel alignment.

The maps may be those of two pictures, of two networks, or of one before and after it has learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.activations import Layer
from explorer.convolution import Pair
from explorer.errors import ShapeError

Maps = NDArray[np.float32]
Numbers = NDArray[np.float64]

FINEST: Final = 14
"""Cells along a side in which maps are compared as wholes; larger ones are averaged down to them."""


def counterpart(layer: Layer, layers: Sequence[Layer], others: Sequence[Layer]) -> Layer:
    """The layer of another network that stands where this one does.

    Of those whose grid is the most like its own, the one at the nearest relative depth; heads go with heads alone,
    numbers without places with the same.

    Args:
        layer: one of `layers`.
        layers: of its network, in the order of their run.
        others: of the other network, likewise.
    """
    depth = _depth(layer, layers)

    def unlike(other: Layer) -> tuple[bool, float, float]:
        kinds = [(one.layout == "heads", one.grid == (1, 1)) for one in (layer, other)]
        finer = abs(math.log(other.grid[0] * other.grid[1] / (layer.grid[0] * layer.grid[1])))
        return kinds[0] != kinds[1], round(finer, 6), abs(_depth(other, others) - depth)

    return min(others, key=unlike)


def _depth(layer: Layer, layers: Sequence[Layer]) -> float:
    """0 for the first, 1 for the last."""
    return [one.key for one in layers].index(layer.key) / max(len(layers) - 1, 1)


def on_grid(maps: Maps, grid: Pair) -> Maps:
    """Maps (C, h, w) averaged down to a grid of at most as many cells: each new cell is the mean of those under it.

    >>> on_grid(np.arange(8, dtype=np.float32).reshape(1, 2, 4), (1, 2)).tolist()
    [[[2.5, 4.5]]]

    Raises:
        ShapeError: a finer grid.
    """
    rows, columns = maps.shape[1:]
    if not (1 <= grid[0] <= rows and 1 <= grid[1] <= columns):
        raise ShapeError(f"Maps of {rows}×{columns} cells cannot be averaged to {grid[0]}×{grid[1]}.")
    if grid == (rows, columns):
        return maps
    pooled: Maps = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(np.array(maps))[None], grid)[
        0
    ].numpy()
    return pooled


def shared_grid(first: Maps, second: Maps, finest: int | None = None) -> Pair:
    """The grid in which both can be compared: the smaller of the two, with at most `finest` cells along a side."""
    rows, columns = (min(pair) for pair in zip(first.shape[1:], second.shape[1:], strict=True))
    return (rows, columns) if finest is None else (min(rows, finest), min(columns, finest))


def correlations(first: Maps, second: Maps) -> Numbers:
    """Pearson's correlation over the cells of each pair of maps of the same number, (C,); 0 where one is constant.

    Raises:
        ShapeError: maps that are not as many, or of other grids.
    """
    if first.shape != second.shape:
        raise ShapeError(f"Maps {first.shape} and {second.shape} are no pairs.")
    products: Numbers = (_standard(first) * _standard(second)).sum(1)
    return products


def partners(first: Maps, second: Maps) -> tuple[NDArray[np.int64], Numbers]:
    """For each of the first maps the most correlated of the second: their numbers (C,), and the correlations (C,).

    The grids may differ: the finer is averaged down.

    Source: Li et al. 2016, Convergent Learning, section 3.1, with the cells of one picture as the examples.
    """
    grid = shared_grid(first, second)
    table = _standard(on_grid(first, grid)) @ _standard(on_grid(second, grid)).T
    best = table.argmax(1)
    return best, table[np.arange(len(table)), best]


def _standard(maps: Maps) -> Numbers:
    """Maps as rows (C, h·w) of mean 0 and length 1; of zeros where a map is constant."""
    rows = maps.reshape(len(maps), -1).astype(np.float64)
    rows = rows - rows.mean(1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    # what rounding leaves of a constant is no pattern
    still = lengths <= 1e-6 * np.abs(maps.reshape(len(maps), -1)).max(1, keepdims=True) * math.sqrt(
        rows.shape[1]
    )
    standard: Numbers = np.where(still, 0, rows / np.where(still, 1, lengths))
    return standard


def cka(first: Maps, second: Maps) -> float | None:
    """Linear centred kernel alignment of two layers for one picture, its cells as the examples: 1 alike, 0 unrelated.

    Both are averaged to one grid of at most `FINEST` cells a side.  The estimate of HSIC is the unbiased one: with
    fewer cells than units the usual one calls any two layers alike.  It can fall a little below 0.  None where there
    are fewer than four cells, or nothing varies.

    Source: Kornblith et al. 2019, arXiv:1905.00414, section 3; the unbiased estimate: Song et al. 2012, Feature
    Selection via Dependence Maximization, eq. 5, used so by Nguyen et al. 2021, arXiv:2010.15327.
    """
    grid = shared_grid(first, second, FINEST)
    if grid[0] * grid[1] < 4:
        return None
    kernels = []
    for maps in (first, second):
        small = on_grid(maps, grid).reshape(len(maps), -1).astype(np.float64)
        small = small - small.mean(1, keepdims=True)  # changes no unbiased estimate, and keeps numbers small
        strongest = np.abs(small).max()
        small = small / (strongest or 1)
        kernels.append(small.T @ small)
    both, own, other = (
        hsic(kernels[0], kernels[1]),
        hsic(kernels[0], kernels[0]),
        hsic(kernels[1], kernels[1]),
    )
    return both / math.sqrt(own * other) if own > 1e-12 and other > 1e-12 else None


def hsic(first: Numbers, second: Numbers) -> float:
    """The unbiased estimate of the Hilbert-Schmidt independence criterion of two kernel matrices (n, n), n ≥ 4.

    Source: Song et al. 2012, Feature Selection via Dependence Maximization, eq. 5.
    """
    n = len(first)
    one, two = first - np.diag(np.diag(first)), second - np.diag(np.diag(second))
    total = (one * two).sum() + one.sum() * two.sum() / ((n - 1) * (n - 2))
    return float(total - 2 * (one.sum(0) @ two.sum(0)) / (n - 2)) / (n * (n - 3))
