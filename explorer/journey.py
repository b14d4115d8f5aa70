"""One picture all the way down: the stations of a network, and one typical map at each.

A station is the last layer of each shape along the trunk: the layers that follow each other at the top of a
network, and inside its Sequentials.  A block with branches of its own is one step.  A transformer, whose shapes stay
the same, has a station at each of its stages.

    journey = travel(probe, x)
    [(stop.layer.name, stop.number) for stop in journey.stops]     # a layer, and its typical map
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.activations import Layer, Probe
from explorer.errors import LayerError
from explorer.field_tracing import Field
from explorer.profiling import NetworkProfile

MOST_STATIONS: Final = 16
"""A strip of more pictures than this is no longer read."""

FEWEST_SHAPES: Final = 4
"""A trunk with fewer shapes tells nothing: then the network's stages are stations too."""

SAME: Final = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "StochasticDepth", "Flatten", "DropPath")
"""Kinds of layers that change no number while nothing is trained."""


@dataclass(frozen=True)
class Station:
    """A layer on the way, and the kinds of all that the picture passed since the station before it, itself last."""

    layer: Layer
    passed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Stop:
    """What a picture becomes at a station.

    Attributes:
        station: where.
        number: of the map that is shown; for numbers without places the strongest.
        values: float32 (h, w), the typical map; of numbers without places all of them, (1, C).
        peak: the strongest value of the whole layer, whatever its sign.
        zeros: share of the layer's numbers that are zero, 0..1.
    """

    station: Station
    number: int
    values: NDArray[np.float32]
    peak: float
    zeros: float

    @property
    def layer(self) -> Layer:
        """The station's layer."""
        return self.station.layer


@dataclass(frozen=True, eq=False)
class Journey:
    """A picture at every station, and the class scores (classes,) at the end.

    Stations whose values are no numbers are left out; `broken` names their layers.
    """

    stops: tuple[Stop, ...]
    logits: NDArray[np.float32]
    broken: tuple[str, ...] = ()

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of the scores, (classes,)."""
        raised = np.exp(self.logits.astype(np.float64) - self.logits.max())
        probabilities: NDArray[np.float32] = (raised / raised.sum()).astype(np.float32)
        return probabilities


def typical(maps: NDArray[np.float32]) -> int:
    """Number of the map (C, h, w) whose pattern is most like the mean of all maps: largest correlation.

    Where nothing can be compared (one cell, constant maps) it is the strongest.

    >>> typical(np.array([[[1, 0], [0, 0]], [[0, 0], [0, 9]], [[0, 0], [1, 9]]], np.float32))
    1
    """
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    flat -= flat.mean(1, keepdims=True)
    middle = flat.mean(0)
    norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(middle)
    if not norms.max() > 0:
        return int(np.abs(maps).reshape(len(maps), -1).max(1).argmax())
    correlations = np.full(len(maps), -np.inf)
    np.divide(flat @ middle, norms, out=correlations, where=norms > 0)
    return int(correlations.argmax())


def trunk(network: nn.Module, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers that follow each other at the top of a network and inside its Sequentials, in the order of their run.

    What changes no number while nothing is trained (`SAME`) is left out.
    """
    names = set(_steps(network, ""))
    return tuple(
        layer
        for layer in layers
        if layer.name in names and layer.kind not in SAME and layer.layout != "heads"
    )


def _steps(module: nn.Module, path: str) -> Iterator[str]:
    for name, child in module.named_children():
        inside = f"{path}{name}"
        # a Sequential that runs as such, or a mere list: what is in it runs one after the other
        if type(child).forward in (nn.Sequential.forward, nn.Module.forward) and len(list(child.children())):
            yield from _steps(child, f"{inside}.")
        else:
            yield inside


def stations(probe: Probe) -> tuple[Station, ...]:
    """The stations of a network, shallow to deep, at most `MOST_STATIONS`.

    Raises:
        LayerError: it has no layer with a map.
    """
    layers = probe.layers
    way = trunk(probe.recorder.network, layers)
    ends = [list(group)[-1] for _, group in groupby(way, key=lambda layer: (layer.channels, layer.grid))]
    if sum(layer.grid != (1, 1) for layer in ends) < FEWEST_SHAPES:
        stages = {stage.name for stage in probe.recorder.stages}
        found = [layer for layer in layers if layer.name in stages and layer.layout != "heads"]
        ends = sorted({*way, *found} if found else way, key=layers.index)
        way = tuple(ends)
    if not ends:
        raise LayerError("This network has no layer that gives a map.")
    if len(ends) > MOST_STATIONS:
        places = np.linspace(0, len(ends) - 1, MOST_STATIONS).round().astype(int)
        ends = [ends[place] for place in places]
    borders = [-1, *(way.index(layer) for layer in ends)]
    return tuple(
        Station(layer, tuple(passed.kind for passed in way[before + 1 : at + 1]))
        for layer, (before, at) in zip(ends, pairwise(borders), strict=True)
    )


def travel(probe: Probe, x: Tensor) -> Journey:
    """What a picture (1, channels, H, W) becomes at every station of a network: one forward.

    Raises:
        LayerError: the network has no layer with a map.
    """
    way = stations(probe)
    maps = probe.maps(x, [station.layer.key for station in way])
    stops, broken = [], []
    for station in way:
        values = maps.pop(station.layer.key).contiguous().numpy()
        if np.isfinite(values).all():
            stops.append(_stop(station, values))
        else:
            broken.append(station.layer.key)
    logits = probe.logits(x)[0].numpy()
    return Journey(tuple(stops), logits, tuple(broken))


def _stop(station: Station, maps: NDArray[np.float32]) -> Stop:
    number = typical(maps)
    flat = station.layer.grid == (1, 1)
    values = maps.reshape(1, -1) if flat else maps[number]
    return Stop(station, number, values.copy(), float(np.abs(maps).max()), float((maps == 0).mean()))


def seen(table: NetworkProfile, layer: Layer) -> Field | None:
    """What a unit of a layer sees of the picture, from the network's table; None where no rule tells."""
    row = _row(table, layer)
    return None if row is None else table.rows[row].field


def macs_until(table: NetworkProfile, layer: Layer) -> int | None:
    """Multiplications from the pixels to the end of a layer, from the network's table; None where it is not there."""
    row = _row(table, layer)
    if row is None:
        return None
    depth, rows = table.rows[row].depth, table.rows
    end = next((n for n in range(row + 1, len(rows)) if rows[n].depth <= depth), len(rows))
    return sum(each.macs for each in rows[:end] if each.role != "container")


def _row(table: NetworkProfile, layer: Layer) -> int | None:
    places = (n for n, row in enumerate(table.rows) if (row.path, row.call) == (layer.name, layer.call - 1))
    return next(places, None)
