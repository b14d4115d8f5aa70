"""What makes a number of a map: the window and the weights behind it, and what follows their sum, step by step.

`explorer.unit_tracing` finds it for any layer of any network.

    reading = read(DataFlow(probe), x, "blocks.1.0.bn1", 17)  # one forward, for one map
    ledger = reading.ledger((3, 5))                           # every product behind its cell in row 3, column 5
    ledger.window[0] * ledger.weights[0]                      # of the first channel that it reads
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.activations import Layer
from explorer.convolution import Pair
from explorer.errors import LayerError

Floats = NDArray[np.float32]
Reals = NDArray[np.float64]

PICTURE: Final = "picture"
"""Stands for the network's input among the layers that are read."""


class NoProducts(LayerError):
    """A map that no weights make directly, in one sentence; `below` is the layer to look at next, or ""."""

    def __init__(self, sentence: str, below: str = ""):
        super().__init__(sentence)
        self.below = below


@dataclass(frozen=True, eq=False)
class Step:
    """What follows the sum of products: a normalisation, an activation, something that is added.

    Attributes:
        title: "batch norm", "ReLU", "+", "×".
        layer: whose output it is, "" where no layer ends there.
        scale, shift: of a normalisation, float64 (h, w): value · scale + shift; else None.
        other: what is added, multiplied …, float64 (h, w); else None.
        other_layer: the layer whose output that is, a weight's name, or "".
        after: torch's own values behind this step, float32 (h, w).
        apply: the step once more, on float64 (h, w): independent of `after`.
    """

    title: str
    layer: str
    after: Floats
    apply: Callable[[Reals], Reals]
    scale: Reals | None = None
    shift: Reals | None = None
    other: Reals | None = None
    other_layer: str = ""


@dataclass(frozen=True, eq=False)
class Ledger:
    """Every number behind one cell of a map.

    Attributes:
        window: what is read, float64 (n, rows, columns); 0 in the padding.
        padding: bool (rows, columns): what of the window is padding.
        weights: float64 (n, rows, columns).
        contributions: the sum of each channel's products, float64 (n,).
        bias: added to their sum; 0.0 where the layer has none.
        total: sum of products and bias.
        results: what each step makes of it.
        magnitude: the sum of the products' strengths: what rounding errors are to be measured by.
    """

    window: Reals
    padding: NDArray[np.bool_]
    weights: Reals
    contributions: Reals
    bias: float
    total: float
    results: tuple[float, ...]
    magnitude: float

    @property
    def value(self) -> float:
        """The cell's value, from the products alone."""
        return self.results[-1] if self.results else self.total


@dataclass(frozen=True, eq=False)
class Reading:
    """What makes one map of one layer for one picture.

    Attributes:
        layer: the layer; `unit` is the map's number.
        module: name of the convolution or dense layer whose products are summed; `kind` says which.
        filter: number of its filter.
        reads: key of the layer that it reads, `PICTURE`, or "" for something in between.
        first_channel: number of the first channel of `reads` that is read; the others follow it.
        inputs: what it reads, float32 (n, H, W), without padding.
        weights: float32 (n, rows, columns).
        bias: its bias, None where it has none.
        stride, padding, dilation: (rows, columns) of the window; padding as many zeros above and on the left.
        places: (h, w, 2): the window (row, column) behind each cell; cells and windows differ where maps moved.
        made: torch's own sums with bias, float32 (h, w).
        steps: what follows.
    """

    layer: Layer
    unit: int
    module: str
    kind: str
    filter: int
    reads: str
    first_channel: int
    inputs: Floats
    weights: Floats
    bias: float | None
    stride: Pair
    padding: Pair
    dilation: Pair
    places: NDArray[np.int64]
    made: Floats
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.weights) or self.made.shape != self.layer.grid:
            raise LayerError(
                f"{self.layer.key} is given {len(self.inputs)} channels for {len(self.weights)} slices of weights."
            )

    @property
    def channels(self) -> range:
        """Numbers of the channels that are read, in `reads`."""
        return range(self.first_channel, self.first_channel + len(self.inputs))

    @property
    def kernel_size(self) -> Pair:
        """(rows, columns) of the window."""
        return self.weights.shape[1], self.weights.shape[2]

    @property
    def values(self) -> Floats:
        """The map itself, torch's own (h, w)."""
        return self.steps[-1].after if self.steps else self.made

    def corner(self, cell: Pair) -> Pair:
        """First row and column of what a cell's window reads; below 0 in the padding."""
        row, column = (int(place) for place in self.places[cell])
        return row * self.stride[0] - self.padding[0], column * self.stride[1] - self.padding[1]

    def ledger(self, cell: Pair) -> Ledger:
        """Every product behind a cell (row, column), summed anew in float64.

        Raises:
            LayerError: the map has no such cell.
        """
        if not all(0 <= at < size for at, size in zip(cell, self.layer.grid, strict=True)):
            raise LayerError(
                f"{self.layer.key} has no cell {cell}: its maps are {self.layer.grid[0]}×{self.layer.grid[1]}."
            )
        height, width = self.inputs.shape[1:]
        rows, columns = (
            first + dilation * np.arange(size)
            for first, dilation, size in zip(self.corner(cell), self.dilation, self.kernel_size, strict=True)
        )
        padding = ~(((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None, :])
        taken = self.inputs[:, rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)[None, :]]
        window = np.where(padding, 0.0, taken.astype(np.float64))
        weights = self.weights.astype(np.float64)
        products = window * weights
        contributions: Reals = products.sum((1, 2))
        bias = self.bias or 0.0
        total = float(contributions.sum()) + bias
        results: list[float] = []
        value: Reals = np.full(self.layer.grid, total)
        for step in self.steps:
            value = step.apply(value)
            results.append(float(value[cell]))
        return Ledger(
            window,
            padding,
            weights,
            contributions,
            bias,
            total,
            tuple(results),
            float(np.abs(products).sum()) + abs(bias),
        )
