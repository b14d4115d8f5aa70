"""Which filters make a layer's maps: followed back, element by element, through the network's data flow.

Of each map a few cells are followed to the convolutions and dense layers that they come from.  Batch normalisation,
activations and pools keep a channel; sums (residual ones) have several terms; concatenations, splits and shuffles
move channels to other numbers.  What no rule tells of adds something `unknown`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.activations import as_maps
from explorer.data_flow import (
    BATCH_NORMS,
    CONVOLUTION,
    JOINED,
    DataFlow,
    Node,
    at,
    looked_up,
    rearranged,
)
from explorer.dry_run import operations
from explorer.errors import LayerError
from explorer.filters import FilterBank, Norm, bank_of

Numbers = NDArray[np.int32]

_NORMS: Final = nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm
_MIXING: Final = operations("native_layer_norm native_group_norm _softmax")
_REDUCED: Final = operations("mean sum amax")
_GLU: Final = operations("glu")
_BY_CHANNEL: Final = operations(
    "max_pool2d_with_indices adaptive_max_pool2d avg_pool2d _adaptive_avg_pool2d upsample_nearest2d "
    "upsample_bilinear2d upsample_bicubic2d reflection_pad2d replication_pad2d native_dropout"
)
"""What computes each channel (N, C, …) from its own numbers, wherever they stand in it."""


@dataclass(frozen=True, eq=False)
class Origin:
    """A layer whose filters make units of another: one term of its sum, or the only one.

    Attributes:
        layer: the convolution or dense layer.
        filters: (units,) the number of the filter that each unit of the chosen layer comes from; -1 for none.
        norm: the batch normalisation directly behind it, "" where there is none.
        reads: shape (channels, rows, columns) of what a dense layer was flattened from; None else.
        reads_picture: whether it reads the picture's own channels.
        dense: whether it is a dense layer.
    """

    layer: str
    filters: Numbers
    norm: str = ""
    reads: tuple[int, int, int] | None = None
    reads_picture: bool = False
    dense: bool = False

    def __post_init__(self) -> None:
        if self.filters.ndim != 1 or not (self.filters >= 0).any():
            raise LayerError(f"{self.layer} makes none of {self.filters.size} units.")

    def unit_of(self, number: int) -> int | None:
        """The unit that a filter makes, the first of several; None where the chosen layer has none of it."""
        units = np.flatnonzero(self.filters == number)
        return int(units[0]) if units.size else None

    def filter_of(self, unit: int) -> int | None:
        """The filter that a unit comes from; None where it is another layer's, or there is no such unit."""
        number = int(self.filters[unit]) if 0 <= unit < len(self.filters) else -1
        return number if number >= 0 else None


@dataclass(frozen=True)
class Behind:
    """Where a layer's maps come from.

    Attributes:
        layer: the chosen one.
        origins: what makes its units: the layer that runs last, the nearest, first.
        unknown: whether something adds to them that cannot be followed, which is rare.
        mixed: whether a normalisation across channels lies between, so that other units have a say.
    """

    layer: str
    origins: tuple[Origin, ...]
    unknown: bool = False
    mixed: bool = False

    def __post_init__(self) -> None:
        if not self.origins:
            raise LayerError(
                f"No convolution or dense layer whose filters could be shown stands before {self.layer}."
            )

    @property
    def usual(self) -> Origin:
        """The one to show first: the nearest convolution; a dense layer where there is none."""
        return next((origin for origin in self.origins if not origin.dense), self.origins[0])

    def of_unit(self, unit: int) -> tuple[Origin, ...]:
        """Those that make a unit, the nearest first."""
        return tuple(origin for origin in self.origins if origin.filter_of(unit) is not None)


def filters_behind(flow: DataFlow, key: str) -> Behind:
    """The layers whose filters make the maps of a layer: itself, or those before it.

    >>> from explorer.activations import Probe
    >>> from explorer.recording import Recorder
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5))
    >>> probe = Probe(Recorder(network, 8), 8)
    >>> origin = filters_behind(DataFlow(probe), "2").usual
    >>> origin.layer, origin.norm, origin.reads_picture, origin.filters.tolist()
    ('0', '1', True, [0, 1, 2, 3, 4, 5, 6, 7])

    Args:
        flow: of its network.
        key: the layer, see `activations.Layer.key`.

    Raises:
        LayerError: there is no such layer, it holds no maps, or nothing before it has filters.
    """
    layer = flow.probe.layer(key)
    if key not in flow.made:
        raise LayerError(f"What {key} gives out cannot be followed back to filters.")
    node = flow.made[key]
    makers = _makers(flow, node, _sampled(as_maps(node.positions, layer.layout)[0]))
    made: dict[str, tuple[Node, Numbers]] = {}
    for maker, filters in makers.found.items():
        if maker is not flow.picture:
            last, others = made.get(flow.bank(maker), (maker, filters))
            made[flow.bank(maker)] = last, _together(others, filters)
    if not made and makers.unknown:
        raise LayerError(f"What {key} gives out cannot be followed back to filters.")
    origins = tuple(_origin(flow, maker, filters) for maker, filters in made.values())
    return Behind(layer.name, origins, makers.unknown, makers.mixed)


def first_layer(flow: DataFlow) -> Origin:
    """The first convolution that runs and reads the picture; the first one where none does.

    Raises:
        LayerError: the network has none.
    """
    layers = [
        node for node in flow.nodes if node.from_picture and node.packet is CONVOLUTION and flow.bank(node)
    ]
    if not layers:
        raise LayerError(f"{type(flow.probe.recorder.network).__name__} has no convolution.")
    node = next((node for node in layers if _is_picture(flow, node.parents[0])), layers[0])
    return _origin(flow, node, _every_filter(node))


def load_bank(network: nn.Module, origin: Origin) -> FilterBank:
    """The filters of an origin, with the batch normalisation behind it.

    Raises:
        LayerError, ShapeError: they cannot be shown as pictures, see `filters.bank_of`.
    """
    norm: Any = network.get_submodule(origin.norm) if origin.norm else None
    if norm is not None and norm.running_var is None:
        norm = None  # its scale is another for every picture
    return bank_of(
        origin.layer,
        network.get_submodule(origin.layer),
        norm=None if norm is None else Norm.of(origin.norm, norm),
        reads=origin.reads,
        reads_picture=origin.reads_picture,
    )


# Going back ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Makers:
    """What some units come from.

    Attributes:
        found: what convolutions and dense layers made, and the picture, the nearest first: for each unit the number of
            the filter, or of the picture's channel, that it comes from; -1 for none, or for several.
        unknown: whether they come from something else too; `mixed`: channels have been normalised together.
    """

    found: dict[Node, Numbers]
    unknown: bool
    mixed: bool


def _makers(flow: DataFlow, node: Node, place: Tensor) -> _Makers:
    """What makes units of a tensor, of which a few elements are given: (units, elements), -1 for none."""
    found: dict[Node, Numbers] = {}
    unknown = mixed = False
    waiting = {node: [place]}
    while waiting:
        node = max(waiting, key=lambda each: each.ordinal)  # all that was made of it has been asked before
        for place in waiting.pop(node):
            if node is flow.picture or flow.bank(node):
                filters, several = _filters(node, place)
                unknown |= several
                if (filters >= 0).any():
                    found[node] = _together(found.get(node, filters), filters)
                continue
            mixed |= node.packet in _MIXING
            terms, more = _terms(node, place)
            unknown |= more
            for parent, there in terms:
                if parent.from_picture and (there >= 0).any():
                    asked = waiting.setdefault(parent, [])
                    if not any(torch.equal(there, each) for each in asked):
                        asked.append(there)
    return _Makers(found, unknown, mixed)


def _terms(node: Node, place: Tensor) -> tuple[list[tuple[Node, Tensor]], bool]:
    """The tensors that elements come from, and where they were in them; and whether from something else too."""
    if node.rearranges:
        return rearranged(node, place), False
    reached = [parent for parent in node.parents if parent.from_picture]
    if not reached:
        return [], True
    source, places = reached[0], [place]
    if node.packet in _BY_CHANNEL:
        places = [looked_up(_amid(source, node), place)]
    elif node.packet in _REDUCED:
        # the first and the last of what is added up: of several channels they are of several filters
        dims = node.args[1] if len(node.args) > 1 else None
        keep = len(node.args) > 2 and node.args[2]
        ends = (end(source.positions, tuple(dims or ()), keep) for end in (torch.amin, torch.amax))
        places = [torch.cat([looked_up(each, place) for each in ends], -1)]
    elif node.packet in _GLU:
        places = [looked_up(source.positions.chunk(2, *node.args[1:])[0], place)]
    elif node.packet not in BATCH_NORMS | _MIXING:
        whole = [parent for parent in reached if node.pointwise and parent.shape == node.shape]
        # smaller ones: a product scales what is there, a sum adds something else
        more = len(whole) < len(reached) and node.name in ("add", "sub")
        return [(parent, place) for parent in whole], more or not whole
    return [(source, each) for each in places], False


def _amid(source: Node, node: Node) -> Tensor:
    """For each element of a result an element of the source in the same channel, in the middle of its map."""
    numbers = source.positions.flatten(2)
    middle = numbers[..., numbers.shape[2] // 2]
    return middle.reshape(*middle.shape, *(1 for _ in node.shape[2:])).expand(node.shape)


def _filters(node: Node, place: Tensor) -> tuple[Numbers, bool]:
    """The number of the channel that elements of each unit are of, -1 for none; whether any are of several."""
    channels = at(node, place.clamp(min=0))[_channel_dim(node)]
    last = torch.where(place < 0, -1, channels).amax(1)
    first = torch.where(place < 0, last[:, None], channels).amin(1)
    numbers: Numbers = torch.where(first == last, last, -1).numpy().astype(np.int32)
    return numbers, bool((first != last).any())


def _together(numbers: Numbers, others: Numbers) -> Numbers:
    """One number for each unit: of channels that were taken apart and joined again each has its own."""
    return np.where(numbers >= 0, numbers, others)


def _channel_dim(node: Node) -> int:
    """Which dimension of a picture, or of what a layer with filters made, runs along channels."""
    return 1 if node.packet in (None, CONVOLUTION) else len(node.shape) - 1


def _every_filter(node: Node) -> Numbers:
    return np.arange(node.shape[_channel_dim(node)], dtype=np.int32)


def _sampled(numbers: Tensor) -> Tensor:
    """Of each unit's elements (units, …) the first, the middle and the last of each dimension: (units, few)."""
    for dim in range(1, numbers.dim()):
        count = numbers.shape[dim]
        numbers = numbers.index_select(dim, torch.tensor(sorted({0, count // 2, count - 1})))
    return numbers.flatten(1)


# What is told of a layer -----------------------------------------------------------------------------


def _origin(flow: DataFlow, node: Node, filters: Numbers) -> Origin:
    """The layer that made a tensor, with what stands around it."""
    read = node.products.input if node.products else node.args[0]
    dense = node.packet is not CONVOLUTION
    return Origin(
        flow.bank(node),
        filters,
        norm=_norm(flow, node),
        reads=_flattened(read) if dense else None,
        reads_picture=not dense and _is_picture(flow, read),
        dense=dense,
    )


def _norm(flow: DataFlow, node: Node) -> str:
    """The batch normalisation that reads every filter of a layer, and nothing that has happened to them since."""
    for later in reversed(flow.nodes):
        if later.packet in BATCH_NORMS and later.which == 0:
            name = flow.owner(later.args[3] if later.args[1] is None else later.args[1])
            if issubclass(flow.kind(name), _NORMS) and _is_bare(later.parents[0], node):
                return name
    return ""


def _is_bare(source: Node, node: Node) -> bool:
    """Whether a tensor holds all channels of another, at most with its elements elsewhere."""
    chain = [source]
    while chain[-1] is not node:
        last = chain[-1]
        if last.packet in JOINED or not last.rearranges or not last.parents:
            return False
        chain.append(last.parents[0])
    place = _sampled(source.positions.movedim(1, 0))
    for each in chain[:-1]:
        place = rearranged(each, place)[0][1]
    return np.array_equal(_filters(node, place)[0], _every_filter(node))


def _is_picture(flow: DataFlow, node: Node) -> bool:
    """Whether each channel of a tensor is that of the picture, perhaps scaled."""
    makers = _makers(flow, node, _sampled(node.positions.movedim(1, 0)))
    channels = np.arange(node.shape[1])
    return bool(makers.found) and all(
        maker is flow.picture and np.array_equal(filters, channels) for maker, filters in makers.found.items()
    )


def _flattened(node: Node) -> tuple[int, int, int] | None:
    """Shape (channels, rows, columns) of the maps whose numbers a row (1, n) holds, passed on one by one."""
    row = node.shape
    while node.shape == row and len(row) == 2 and row[0] == 1 and node.products is None and node.parents:
        node = node.parents[0]
    maps = node.shape[1:]
    return (maps[0], maps[1], maps[2]) if len(maps) == 3 and math.prod(maps) == math.prod(row) else None
