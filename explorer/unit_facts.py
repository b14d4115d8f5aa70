"""What one map amounts to: its statistics, its rank among the maps of its layer, where it is strongest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from explorer.activations import FeatureMaps
from explorer.convolution import Pair
from explorer.errors import LayerError

PEAKS: Final = 4
"""Strongest places that are kept of each map of each picture."""


@dataclass(frozen=True)
class UnitFacts:
    """Numbers of one map.

    Attributes:
        mean, deviation, minimum, maximum: of its cells; the deviation is that of these cells (divided by their number).
        cells: how many it has.
        zeros, negative: how many are exactly 0, and below 0.
        mean_rank, maximum_rank: its place in the layer, 1 the strongest; equals share the better place.
        maps: how many the layer has.
    """

    mean: float
    deviation: float
    minimum: float
    maximum: float
    cells: int
    zeros: int
    negative: int
    mean_rank: int
    maximum_rank: int
    maps: int


def unit_facts(maps: FeatureMaps, unit: int) -> UnitFacts:
    """The numbers of one map of a layer.

    Raises:
        LayerError: there is no such map.
    """
    if not 0 <= unit < len(maps.values):
        raise LayerError(f"{maps.layer.key} has no unit {unit}: they go from 0 to {len(maps.values) - 1}.")
    cells = maps.values[unit]
    means, maxima = maps.values.mean((1, 2), dtype=np.float64), maps.values.max((1, 2))
    return UnitFacts(
        mean=float(cells.mean(dtype=np.float64)),
        deviation=float(cells.std(dtype=np.float64)),
        minimum=float(cells.min()),
        maximum=float(cells.max()),
        cells=cells.size,
        zeros=int((cells == 0).sum()),
        negative=int((cells < 0).sum()),
        mean_rank=1 + int((means > means[unit]).sum()),
        maximum_rank=1 + int((maxima > maxima[unit]).sum()),
        maps=len(maps.values),
    )


@dataclass(frozen=True, eq=False)
class Peaks:
    """The strongest places of every map of one layer for one picture.

    Attributes:
        values: float32 (C, n), strongest first; infinite where a map has fewer.
        cells: int32 (C, n, 2), their rows and columns.
        queries, shares: of attention's heads without a class token, whose places are means over all tokens that
            look: the cell of the token that looks there most, (C, n, 2), and how much it does, (C, n); else None.
    """

    values: NDArray[np.float32]
    cells: NDArray[np.int32]
    queries: NDArray[np.int32] | None = None
    shares: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.cells.shape != (*self.values.shape, 2):
            raise LayerError(f"{self.values.shape} values do not stand at {self.cells.shape} places.")
        if self.queries is not None and (
            self.shares is None
            or self.queries.shape != self.cells.shape
            or self.shares.shape != self.values.shape
        ):
            raise LayerError(f"{self.queries.shape} tokens do not look at {self.cells.shape} places.")

    def of(self, unit: int) -> list[tuple[float, Pair]]:
        """Value and cell of each place of one map."""
        return [
            (float(value), (int(row), int(column)))
            for value, (row, column) in zip(self.values[unit], self.cells[unit], strict=True)
            if np.isfinite(value)
        ]

    def pairs(self, unit: int) -> list[tuple[Pair, float] | None]:
        """Of each place of one map, in the same order: the token that looks there most, and how much; or None."""
        places = range(len(self.of(unit)))
        if self.queries is None or self.shares is None:
            return [None for _ in places]
        rows, columns = self.queries[unit].T
        return [((int(rows[n]), int(columns[n])), float(self.shares[unit, n])) for n in places]


def peaks_of(maps: Tensor, count: int = PEAKS, below: bool = False) -> Peaks:
    """The strongest places of maps (C, h, w) above zero: cells that no neighbour exceeds; or those furthest below it.

    Of neighbours that are equal the first counts.  Where nothing is above zero a unit does not answer, and has no
    place.

    >>> found = peaks_of(torch.tensor([[[0.0, 3.0, 2.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]))
    >>> found.of(0)
    [(3.0, (0, 1)), (1.0, (2, 0))]
    """
    if below:
        lowest = peaks_of(-maps, count)
        return Peaks(-lowest.values, lowest.cells)
    channels, height, width = maps.shape
    around = functional.max_pool2d(maps[None], 3, stride=1, padding=1)[0]
    # the first of equal neighbours: every cell is ranked by its value, then by its place
    place = torch.arange(height * width, dtype=torch.float64).reshape(height, width)
    tops = (maps == around) & (maps > 0)
    first = -functional.max_pool2d(torch.where(tops, -place, -torch.inf)[None], 3, stride=1, padding=1)[0]
    alone = tops & (first == place)
    strengths = torch.where(alone, maps, -torch.inf).reshape(channels, -1)
    found = strengths.topk(min(count, height * width), dim=1)
    cells = torch.stack([found.indices // width, found.indices % width], -1)
    return Peaks(found.values.float().numpy(), cells.to(torch.int32).numpy())
