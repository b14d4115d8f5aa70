"""What makes a number of a map: from it back to the convolution or dense layer whose products were summed.

From a layer's output the data flow is followed back, number by number, through activations, normalisations, sums and
mere rearrangements (concatenated, shuffled or flattened maps), along one path; then one forward gives the numbers.

    reading = read(flow, x, "blocks.1.0.bn1", 17)  # one forward, for one map
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from explorer.activations import Layer, as_maps
from explorer.convolution import Pair
from explorer.data_flow import (
    ATTENTION,
    BATCH_NORMS,
    DENSE,
    JOINED,
    PADDING,
    VIEWS,
    DataFlow,
    Node,
    Products,
    Wanted,
    at,
    rearranged,
    spread,
)
from explorer.dry_run import operations
from explorer.errors import LayerError
from explorer.unit_sources import PICTURE, NoProducts, Reading
from explorer.unit_steps import NORMS, Stretch, floats

_POOLS: Final = {
    **dict.fromkeys(
        operations("max_pool2d_with_indices adaptive_max_pool2d"), "the largest value of a window of"
    ),
    **dict.fromkeys(operations("avg_pool2d _adaptive_avg_pool2d"), "the mean over a window of"),
    **dict.fromkeys(operations("mean"), "the mean over a whole map of"),
}
_ATTENTION: Final = {ATTENTION} | operations(
    "bmm _softmax _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_efficient_attention "
    "_scaled_dot_product_flash_attention"
)


def read(flow: DataFlow, x: Tensor, key: str, unit: int) -> Reading:
    """What makes one map of a layer for a picture (1, channels, H, W): one forward up to the layer.

    Raises:
        LayerError: a layer or unit that is not there.
        NoProducts: no convolution or dense layer makes it by sums of products and steps that can be followed.
    """
    layer = flow.probe.layer(key)
    if not 0 <= unit < layer.channels:
        raise LayerError(f"{key} has no unit {unit}: they go from 0 to {layer.channels - 1}.")
    if layer.layout == "heads":
        raise NoProducts(
            f"Where the heads of {layer.name} look is a softmax of products of queries with keys, which its weights "
            "make anew of each picture’s tokens: behind a cell stands no single sum of products."
        )
    if key not in flow.made:
        raise NoProducts(f"What {key} gives cannot be followed back to weights.")
    return _path(flow, layer, unit).reading(x)


def source_layer(flow: DataFlow, key: str, unit: int) -> str:
    """The layer whose cells see what this unit's do: where maps lie side by side, the one that it came from.

    A layer of several paths sees what any of them does; a unit of one path may see less.  Asks no network.

    Raises:
        LayerError: a layer or unit that is not there.
    """
    layer = flow.probe.layer(key)
    if key not in flow.made:
        return key
    node, found, beside = flow.made[key], key, False
    place = _places(layer, node, unit)
    while True:
        name = flow.key(node)
        if beside and name not in ("", PICTURE) and flow.made[name].shape == node.shape:
            if not _in_order(node, place):
                return found
            found, beside = name, False
        if node.rearranges:
            beside |= node.packet in JOINED
            try:
                node, place = _before(layer, node, place)
            except NoProducts:
                return found
        elif _keeps_places(node):
            node = node.parents[0]
        else:
            return found


# Going back ------------------------------------------------------------------------------------------


def _places(layer: Layer, node: Node, unit: int) -> Tensor:
    """Which elements of a layer's output are the cells (h, w) of a map."""
    return as_maps(node.positions, layer.layout)[0, unit].contiguous()


def _before(layer: Layer, node: Node, place: Tensor) -> tuple[Node, Tensor]:
    """The one tensor that elements were in before a mere rearrangement, and where they were in it."""
    for parent, before in rearranged(node, place):
        if before.min() >= 0:
            return parent, before
        if node.packet is PADDING:
            raise NoProducts(f"The outer cells of {layer.key} are padding: they are no sums of products.")
        if before.max() >= 0:
            raise NoProducts(f"The cells of one map of {layer.key} come from different layers.")
    raise NoProducts(f"{layer.key} holds weights side by side with maps: it cannot be followed.")


def _in_order(node: Node, place: Tensor) -> bool:
    """Whether elements are one whole map of a tensor, row by row."""
    height, width = node.shape[-2:]
    return len(node.shape) == 4 and torch.equal(
        place.reshape(-1) % (height * width), torch.arange(height * width)
    )


def _keeps_places(node: Node) -> bool:
    """Whether each number follows from the one in its place, and from weights that are known."""
    # as instance normalisation it computes the statistics of this very map
    fixed = node.pointwise or (node.packet in BATCH_NORMS and not node.args[5])
    return fixed and len(node.parents) == 1


def _path(flow: DataFlow, layer: Layer, unit: int) -> _Path:
    node = flow.made[layer.key]
    place = _places(layer, node, unit)
    steps: list[Stretch] = []
    while (products := node.products) is None:
        if node.packet is None:
            raise NoProducts(f"{layer.key} is the picture itself, rearranged: no weights make it.")
        if node.rearranges:
            node, place = _before(layer, node, place)
        elif node.packet in NORMS or (node.packet in BATCH_NORMS and _keeps_places(node)):
            steps.append(Stretch(flow, node, place, node.parents[0]))
            node = node.parents[0]
        elif node.pointwise:
            main, other = _operands(flow, layer, node)
            steps.append(Stretch(flow, node, place, main, other))
            node, place = main, spread(main, node, place)
        else:
            raise _none(flow, layer, node)
    return _Path(flow, layer, unit, node, products, place, tuple(reversed(steps)))


def _operands(flow: DataFlow, layer: Layer, node: Node) -> tuple[Node, Node | Tensor | None]:
    """The tensor that goes on, and the one that it is added to, multiplied by …"""
    operands = node.operands
    reached = [each for each in node.parents if each.from_picture]
    if not reached or len(operands) > 2:
        raise _none(flow, layer, node)
    if len(reached) == 1:
        return reached[0], next((each for each in operands if each is not reached[0]), None)
    first, second = reached
    if first.shape != second.shape:  # a gate for each map: the map goes on
        return (first, second) if first.shape == node.shape else (second, first)
    # x + f(x): the longer way round is the one that weights were added on
    return (second, first) if _leads_to(first, second) else (first, second)


def _none(flow: DataFlow, layer: Layer, node: Node) -> NoProducts:
    below = next((found for parent in node.parents if (found := flow.key(parent))), "")
    what = below or "what is before it"
    if node.packet in _POOLS:
        return NoProducts(f"Behind each cell of {layer.key} stands {_POOLS[node.packet]} {what}.", below)
    if node.packet in _ATTENTION:
        return NoProducts(
            f"{layer.key} is computed in one step by attention, which mixes tokens anew for each picture: what its "
            "last weights read cannot be seen from outside."
        )
    return NoProducts(
        f"{layer.key} is computed from several numbers by {node.name}: no single filter makes it.", below
    )


def _leads_to(first: Node, second: Node) -> bool:
    """Whether the second was computed from the first."""
    waiting, seen = [second], set()
    while waiting:
        node = waiting.pop()
        if node is first:
            return True
        if node.ordinal > first.ordinal and node not in seen:
            seen.add(node)
            waiting += node.parents
    return False


# The numbers of a path -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Path:
    """The way from a convolution or dense layer, and what it sums, to a map: `place` are the map's cells in it."""

    flow: DataFlow
    layer: Layer
    unit: int
    node: Node
    products: Products
    place: Tensor
    stretches: tuple[Stretch, ...]

    def __post_init__(self) -> None:
        index = at(self.node, self.place)[1]
        if int(index.min()) != int(index.max()):
            raise NoProducts(f"The cells of one map of {self.layer.key} come from different filters.")

    @property
    def filter(self) -> int:
        """Number of the filter."""
        return int(at(self.node, self.place)[1].reshape(-1)[0])

    @property
    def dense(self) -> bool:
        """Whether a dense layer sums the products."""
        return self.node.packet in DENSE

    @property
    def channels(self) -> slice:
        """The channels that a convolution reads: those of the filter's group."""
        groups = self.node.args[8]
        width = self.products.input.shape[1] // groups
        first = self.filter // (self.node.shape[1] // groups) * width
        return slice(first, first + width)

    @property
    def padded(self) -> tuple[Node, Pair]:
        """What a convolution reads, before zeros were put around it; their rows above and columns on the left."""
        node: Node = self.products.input
        if node.packet is not PADDING:
            return node, (0, 0)
        amounts, value = node.args[1], [*node.args[2:], *(node.kwargs or {}).values(), 0][0]
        if value != 0 or len(amounts) != 4 or min(amounts) < 0:
            return node, (0, 0)
        return node.parents[0], (amounts[2], amounts[0])

    @property
    def wanted(self) -> dict[str, Wanted]:
        """The numbers of a forward that the sum needs."""
        index, products = at(self.node, self.place), self.products
        inputs: Wanted = (products.input, (index[0],)) if self.dense else (self.padded[0], (0, self.channels))
        computed = {"weight": products.weight, "bias": products.bias}.items()
        return {
            "made": (self.node, index),
            "inputs": inputs,
            **{name: (each, (...,)) for name, each in computed if isinstance(each, Node)},
        }

    def reading(self, x: Tensor) -> Reading:
        """The path with its numbers for a picture."""
        parts: tuple[_Path | Stretch, ...] = (self, *self.stretches)
        wanted = {(part, name): each for part in parts for name, each in part.wanted.items()}
        taken = self.flow.numbers(x, self.layer.key, wanted)
        found, *following = ({name: taken[part, name] for name in part.wanted} for part in parts)
        module = self.flow.owner(self.products.weight)
        weight = found.get("weight", self.products.weight).detach().cpu()
        bias = found.get("bias", self.products.bias)
        window = self._of_dense if self.dense else self._of_convolution
        return Reading(
            layer=self.layer,
            unit=self.unit,
            module=module,
            kind=self.flow.kind(module).__name__ if module else "",
            filter=self.filter,
            bias=None if bias is None else float(bias.detach().reshape(-1)[self.filter]),
            made=floats(found["made"]),
            steps=tuple(stretch.step(its) for stretch, its in zip(self.stretches, following, strict=True)),
            **window(found["inputs"], weight, module),
        )

    def _of_convolution(self, inputs: Tensor, weight: Tensor, module: str) -> dict[str, Any]:
        if self.node.args[6]:
            raise NoProducts(f"{module} is a transposed convolution: its windows lie in what it makes.")
        source, before = self.padded
        stride, padding, dilation = (_pair(self.node.args[number]) for number in (3, 4, 5))
        return {
            "reads": self.flow.key(source),
            "first_channel": self.channels.start,
            "inputs": floats(inputs),
            "weights": floats(weight[self.filter]),
            "stride": stride,
            "padding": (padding[0] + before[0], padding[1] + before[1]),
            "dilation": dilation,
            "places": torch.stack(at(self.node, self.place)[2:], -1).numpy(),
        }

    def _of_dense(self, inputs: Tensor, weight: Tensor, module: str) -> dict[str, Any]:
        height, width = self.layer.grid
        # (features, filters) where nothing turned it
        weights = weight[self.filter] if weight.shape[0] == self.node.shape[1] else weight[:, self.filter]
        source = below = self.products.input
        while below.copies or below.packet in VIEWS:
            below = below.parents[0]
            if self.flow.key(below):
                source = below
                break
        maps = source.shape[1:]
        if len(maps) == 3 and (height, width) == (1, 1) and math.prod(maps) == len(weights) > maps[0]:
            # they were flattened
            inputs, weights = inputs.reshape(maps), weights.reshape(maps)
            places = torch.zeros(1, 1, 2, dtype=torch.int64)
        else:
            inputs, weights = inputs.movedim(-1, 0), weights[:, None, None]
            places = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)
        return {
            "reads": self.flow.key(source),
            "first_channel": 0,
            "inputs": floats(inputs),
            "weights": floats(weights),
            **{"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)},
            "places": places.numpy(),
        }


def _pair(values: Any) -> Pair:
    one = list(values)
    return (int(one[0]), int(one[-1]))
