"""How a network is wired: from a layer's map back to the convolution or dense layer whose products were summed.

One blank forward tells of each tensor which elementary operation made it, of which others.  From the output of a
layer `Wiring` goes back, number by number, through activations, normalisations, sums and mere rearrangements
(concatenated, shuffled or flattened maps).  The operation itself is read, not the settings of a module: padding that
a layer adds in its own forward, groups and shared weights are those that ran.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.activations import Layer, Probe, as_maps
from explorer.convolution import Pair
from explorer.dry_run import Operation, Watching, tensors
from explorer.errors import LayerError, ModelError
from explorer.stages import blank
from explorer.unit_sources import PICTURE, Floats, NoProducts, Reading, Reals, Step

_ops: Any = torch.ops.aten
_CONVOLUTION: Final = _ops.convolution
_DENSE: Final = (_ops.addmm, _ops.mm)
_SAME: Final = (_ops.clone, _ops._to_copy, _ops.alias, _ops.detach, _ops.lift_fresh)
_MOVED: Final = (
    _ops.view,
    _ops._unsafe_view,
    _ops._reshape_alias,
    _ops.permute,
    _ops.transpose,
    _ops.t,
    _ops.slice,
    _ops.select,
    _ops.unsqueeze,
    _ops.squeeze,
    _ops.expand,
    _ops.split,
    _ops.split_with_sizes,
    _ops.unbind,
    _ops.roll,
    _ops.flip,
    _ops.pixel_shuffle,
    _ops.channel_shuffle,
)
_POOLS: Final = {
    _ops.max_pool2d_with_indices: "the largest value of a window of",
    _ops.adaptive_max_pool2d: "the largest value of a window of",
    _ops.avg_pool2d: "the mean over a window of",
    _ops._adaptive_avg_pool2d: "the mean over a window of",
    _ops.mean: "the mean over a whole map of",
}
_POINTWISE: Final = (_ops.hardswish, _ops.hardswish_)
"""Those that torch does not tag as such."""

_ATTENTION: Final = (
    _ops._native_multi_head_attention,
    _ops.bmm,
    _ops._softmax,
    _ops._scaled_dot_product_flash_attention_for_cpu,
    _ops._scaled_dot_product_efficient_attention,
    _ops._scaled_dot_product_flash_attention,
)
_TITLES: Final = {
    "relu": "ReLU",
    "hardswish": "Hardswish",
    "hardsigmoid": "hard sigmoid",
    "silu": "SiLU",
    "gelu": "GELU",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "native_batch_norm": "batch norm",
    "native_layer_norm": "layer norm",
    "native_group_norm": "group norm",
}
_SIGNS: Final = {"add": "+", "sub": "−", "mul": "×", "div": "÷"}


@dataclass(frozen=True, eq=False)
class _Node:
    """One tensor of a forward: result number `which` of operation number `ordinal`; no operation: the picture.

    `args` hold nodes in the place of tensors that depend on the forward, and weights as they are.
    """

    ordinal: int
    which: int
    shape: tuple[int, ...]
    function: Any = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None

    @property
    def packet(self) -> Any:
        return self.function.overloadpacket if self.function is not None else None

    @property
    def name(self) -> str:
        """The operation's, without the sign of working in place."""
        return str(self.packet._qualified_op_name).rpartition("::")[2].removesuffix("_")

    @property
    def parents(self) -> list[_Node]:
        """The tensors that it was made of, weights apart."""
        return [
            each
            for value in self.args
            for each in (value if isinstance(value, list | tuple) else [value])
            if isinstance(each, _Node)
        ]

    @property
    def positions(self) -> Tensor:
        """The number of each of its elements, in its own shape."""
        return torch.arange(math.prod(self.shape)).reshape(self.shape)


class _Found(Exception):
    """The rest of the forward is not needed."""


class Wiring:
    """Which operation made which tensor of a network, of which others.

    It holds no picture and no activation, and the weights by reference.  It asks the network once when it is made,
    and once for each `read`: like every other question, where nothing else runs it.
    """

    def __init__(self, probe: Probe):
        self._probe = weakref.ref(probe)  # which is let go with its network
        self._made: dict[str, _Node] = {}
        self._keys: dict[_Node, list[str]] = {}
        network = probe.recorder.network
        self._weights = {id(weight): name for name, weight in network.named_parameters()}
        self._kinds = {name: type(module).__name__ for name, module in network.named_modules()}
        nodes: MutableMapping[Tensor, _Node] = WeakTensorKeyDictionary()
        picture = blank(network, probe.size)
        self._picture = nodes[picture] = _Node(-1, 0, tuple(picture.shape))
        count = 0

        def follow(operation: Operation) -> None:
            nonlocal count
            args, kwargs = tree_map(
                lambda value: nodes.get(value, value) if isinstance(value, Tensor) else value,
                (operation.args, operation.kwargs),
            )
            for which, made in enumerate(operation.outputs):
                nodes[made] = _Node(count, which, tuple(made.shape), operation.function, args, kwargs)
            count += 1

        def note(run: Layer, output: Tensor) -> None:
            if run.layout != "heads" and output in nodes:
                self._made[run.key] = nodes[output]
                self._keys.setdefault(nodes[output], []).append(run.key)

        with torch.no_grad(), Watching(follow):
            probe.run(picture, note)

    @property
    def probe(self) -> Probe:
        """Whose network it is.

        Raises:
            ModelError: the network was let go meanwhile.
        """
        probe = self._probe()
        if probe is None:
            raise ModelError("The network was let go meanwhile: choose it again.")
        return probe

    def read(self, x: Tensor, key: str, unit: int) -> Reading:
        """What makes one map of a layer for a picture (1, channels, H, W): one forward up to the layer.

        Raises:
            LayerError: a layer or unit that is not there.
            NoProducts: no convolution or dense layer makes it by sums of products and steps that can be followed.
        """
        layer = self.probe.layer(key)
        if not 0 <= unit < layer.channels:
            raise LayerError(f"{key} has no unit {unit}: they go from 0 to {layer.channels - 1}.")
        if layer.layout == "heads":
            raise NoProducts(
                f"{key} is what attention looks at, computed from queries and keys: no weights make it."
            )
        if key not in self._made:
            raise NoProducts(f"What {key} gives cannot be followed back to weights.")
        path = self._path(layer, unit)
        found = self._ask(x, key, path)
        return path.reading(found)

    def origin(self, key: str, unit: int) -> str:
        """The layer whose cells see what this unit's do: where maps lie side by side, the one that it came from.

        A layer of several paths sees what any of them does; a unit of one path may see less.  Asks no network.

        Raises:
            LayerError: a layer or unit that is not there.
        """
        layer = self.probe.layer(key)
        if key not in self._made:
            return key
        node, found, beside = self._made[key], key, False
        place = _places(layer, node, unit)
        while True:
            name = self.key(node)
            if beside and name not in ("", PICTURE) and self._made[name].shape == node.shape:
                if not _in_order(node, place):
                    return found
                found, beside = name, False
            try:
                if node.packet is _ops.cat:
                    node, place = _chosen(layer, node, place)
                    beside = True
                elif node.packet in _MOVED:
                    node, place = _moved(layer, node, place)
                elif node.packet in _SAME or _keeps_places(node):
                    node = node.parents[0]
                else:
                    return found
            except NoProducts:
                return found

    def _ask(self, x: Tensor, key: str, path: _Path) -> dict[_Node, Tensor]:
        """The numbers that a path needs, each taken right where it is made: later layers may work in place."""
        wanted: dict[int, list[tuple[_Node, _Index]]] = {}
        for node, index in path.wanted:
            wanted.setdefault(node.ordinal, []).append((node, index))
        found: dict[_Node, Tensor] = {}
        count = 0

        def take(operation: Operation) -> None:
            nonlocal count
            for node, index in wanted.get(count, ()):
                if operation.function is not node.function:
                    raise LayerError(f"{key} ran differently for this picture: it cannot be followed.")
                found[node] = _taken(operation.outputs[node.which], index)
            count += 1

        def stop(run: Layer, output: Tensor) -> None:
            if run.key == key:
                raise _Found

        def work() -> None:
            nonlocal count
            count = 0
            for node, index in wanted.get(-1, ()):
                found[node] = _taken(x, index)
            try:
                with torch.no_grad(), Watching(take):
                    self.probe.run(x, stop)
            except _Found:
                pass

        self.probe.recorder.guarded(work)
        return found

    # ------------------------------------------------------------------------------------- going back

    def _path(self, layer: Layer, unit: int) -> _Path:
        node = self._made[layer.key]
        place = _places(layer, node, unit)
        steps: list[_Stretch] = []
        while True:
            packet = node.packet
            if packet is None:
                raise NoProducts(f"{layer.key} is the picture itself, rearranged: no weights make it.")
            if packet is _CONVOLUTION or packet in _DENSE:
                return _Path(self, layer, unit, node, place, tuple(reversed(steps)))
            if packet in _SAME:
                node = node.parents[0]
            elif packet in (_ops.as_strided, _ops.as_strided_) and node.shape == node.parents[0].shape:
                node = node.parents[0]  # of 1×1 maps the strides alone are set anew
            elif packet in _MOVED or packet is _ops.constant_pad_nd:
                node, place = _moved(layer, node, place)
            elif packet is _ops.cat or packet is _ops.stack:
                node, place = _chosen(layer, node, place)
            elif packet in _NORMS and not (packet is _ops.native_batch_norm and node.args[5]):
                steps.append(_Stretch(node, place, None, None))
                node = node.parents[0]
            elif torch.Tag.pointwise in node.function.tags or packet in _POINTWISE:
                main, other = self._operands(layer, node)
                steps.append(_Stretch(node, place, main, other))
                node, place = main, _spread(main, node, place)
            else:
                raise self._none(layer, node)

    def _operands(self, layer: Layer, node: _Node) -> tuple[_Node, _Node | Tensor | None]:
        """The tensor that goes on, and the one that it is added to, multiplied by …"""
        operands = [value for value in node.args if isinstance(value, _Node | Tensor)]
        nodes = [value for value in operands if isinstance(value, _Node)]
        if not nodes or len(operands) > 2:
            raise self._none(layer, node)
        if len(operands) == 1:
            return nodes[0], None
        if len(nodes) == 1:
            return nodes[0], next(value for value in operands if value is not nodes[0])
        first, second = nodes
        if first.shape != second.shape:  # a gate for each map: the map goes on
            return (first, second) if first.shape == node.shape else (second, first)
        # x + f(x): the longer way round is the one that weights were added on
        return (second, first) if _leads_to(first, second) else (first, second)

    def _none(self, layer: Layer, node: _Node) -> NoProducts:
        below = next((found for parent in node.parents if (found := self.key(parent))), "")
        what = below or "what is before it"
        if node.packet in _POOLS:
            return NoProducts(f"Behind each cell of {layer.key} stands {_POOLS[node.packet]} {what}.", below)
        if node.packet in _ATTENTION:
            return NoProducts(
                f"{layer.key} is mixed by attention, whose weights are new for each picture: no filter holds them."
            )
        return NoProducts(
            f"{layer.key} is computed from several numbers by {node.name}: no single filter makes it.", below
        )

    def key(self, node: _Node) -> str:
        """The layer whose output a tensor is: the innermost that does something; `PICTURE`, or "" for none."""
        while node not in self._keys and node.packet in _SAME:
            node = node.parents[0]
        if node is self._picture:
            return PICTURE
        keys = self._keys.get(node, [""])
        return next((key for key in keys if self.kind(key.partition("~")[0]) not in _IDLE), keys[0])

    def weight_name(self, weight: Tensor) -> str:
        """A weight's name in the network, "" for what is none of its parameters."""
        return self._weights.get(id(weight), "")

    def kind(self, module: str) -> str:
        """A module's class."""
        return self._kinds.get(module, "")


_IDLE: Final = ("Identity", "Dropout", "Dropout2d", "StochasticDepth", "DropPath")
_NORMS: Final = (_ops.native_batch_norm, _ops.native_layer_norm, _ops.native_group_norm)
_Index = tuple[Any, ...]


def _taken(tensor: Tensor, index: _Index) -> Tensor:
    return tensor[index].detach().cpu().clone()


def _places(layer: Layer, node: _Node, unit: int) -> Tensor:
    """Which elements of a layer's output are the cells (h, w) of a map."""
    return as_maps(node.positions, layer.layout)[0, unit].contiguous()


def _at(node: _Node, place: Tensor) -> _Index:
    """The index of elements that are given by their numbers."""
    return tuple(torch.unravel_index(place, node.shape))


def _moved(layer: Layer, node: _Node, place: Tensor) -> tuple[_Node, Tensor]:
    """The elements of the tensor before a mere rearrangement: the operation is done to their numbers."""
    (parent,) = node.parents
    if node.packet is _ops.constant_pad_nd:
        made = _ops.constant_pad_nd(parent.positions, node.args[1], -1)
    else:
        made = tensors(node.function(parent.positions, *node.args[1:], **(node.kwargs or {})))[node.which]
    before = made.reshape(-1)[place]
    if before.min() < 0:
        raise NoProducts(f"The outer cells of {layer.key} are padding: they are no sums of products.")
    return parent, before


def _chosen(layer: Layer, node: _Node, place: Tensor) -> tuple[_Node, Tensor]:
    """Of several tensors side by side the one that a map is of."""
    parents, firsts, numbers = node.parents, [0], []
    for parent in parents:
        numbers.append(parent.positions + firsts[-1])
        firsts.append(firsts[-1] + math.prod(parent.shape))
    if len(parents) != len(node.args[0]):
        raise NoProducts(f"{layer.key} holds weights side by side with maps: it cannot be followed.")
    before = node.function(numbers, *node.args[1:], **(node.kwargs or {})).reshape(-1)[place]
    which = torch.bucketize(before, torch.tensor(firsts[1:]), right=True)
    if which.min() != which.max():
        raise NoProducts(f"The cells of one map of {layer.key} come from different layers.")
    chosen = int(which.reshape(-1)[0])
    return parents[chosen], before - firsts[chosen]


def _in_order(node: _Node, place: Tensor) -> bool:
    """Whether elements are one whole map of a tensor, row by row."""
    height, width = node.shape[-2:]
    return len(node.shape) == 4 and torch.equal(
        place.reshape(-1) % (height * width), torch.arange(height * width)
    )


def _keeps_places(node: _Node) -> bool:
    """Whether each number follows from the one in its place, and from weights that are known."""
    if node.packet is _ops.native_batch_norm:
        return not node.args[5]
    pointwise = torch.Tag.pointwise in getattr(node.function, "tags", ()) or node.packet in _POINTWISE
    return pointwise and len(node.parents) == 1


def _spread(operand: _Node | Tensor, node: _Node, place: Tensor) -> Tensor:
    """Elements of an operand that meet those of a result: it may have been spread over rows and columns."""
    shape = operand.shape
    if tuple(shape) == node.shape:
        return place
    numbers = torch.arange(math.prod(shape)).reshape(shape)
    return numbers.expand(node.shape).reshape(-1)[place]


def _leads_to(first: _Node, second: _Node) -> bool:
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


# From the products to the map ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Stretch:
    """One step of a path, before its numbers are known; `place` are its cells in the result."""

    node: _Node
    place: Tensor
    main: _Node | None
    other: _Node | Tensor | None


@dataclass(frozen=True, eq=False)
class _Path:
    """The way from a convolution or dense layer to a map: which numbers of a forward are needed."""

    wiring: Wiring
    layer: Layer
    unit: int
    node: _Node
    place: Tensor
    stretches: tuple[_Stretch, ...]

    @property
    def wanted(self) -> Iterator[tuple[_Node, _Index]]:
        yield self.node, _at(self.node, self.place)
        node, index = self._input
        yield node, index
        for value in (self._weight, self._bias):
            if isinstance(value, _Node):
                yield value, (Ellipsis,)
        for stretch in self.stretches:
            yield stretch.node, _at(stretch.node, stretch.place)
            if isinstance(stretch.other, _Node):
                yield self._other_of(stretch)
            if stretch.main is None:
                for statistic, index in _statistics(stretch):
                    yield statistic, index

    def _other_of(self, stretch: _Stretch) -> tuple[_Node, _Index]:
        assert isinstance(stretch.other, _Node)
        return stretch.other, _at(stretch.other, _spread(stretch.other, stretch.node, stretch.place))

    # -------------------------------------------------------------------------------- the operation

    @property
    def _dense(self) -> bool:
        return self.node.packet in _DENSE

    @property
    def _arguments(self) -> tuple[Any, ...]:
        """Input, weight, bias."""
        args = self.node.args
        if not self._dense:
            return args[:3]
        return (args[1], args[2], args[0]) if self.node.packet is _ops.addmm else (args[0], args[1], None)

    @property
    def _weight(self) -> Any:
        """As the network keeps it, (filters, …): a dense layer's is turned for the product."""
        weight = self._arguments[1]
        if self._dense and isinstance(weight, _Node) and weight.packet is _ops.t:
            weight = weight.args[0]
        return weight

    @property
    def _bias(self) -> Any:
        return self._arguments[2]

    @property
    def _unit(self) -> int:
        """Number of the filter."""
        index = _at(self.node, self.place)[1]
        if int(index.min()) != int(index.max()):
            raise NoProducts(f"The cells of one map of {self.layer.key} come from different filters.")
        return int(index.reshape(-1)[0])

    @property
    def module(self) -> str:
        name = self.wiring.weight_name(self._weight) if isinstance(self._weight, Tensor) else ""
        return name.rpartition(".")[0]

    @property
    def _group(self) -> tuple[int, int]:
        """The first channel that is read, and how many are."""
        groups, channels = self.node.args[8], self._arguments[0].shape[1]
        width = channels // groups
        return self._unit // (self.node.shape[1] // groups) * width, width

    @property
    def _padded(self) -> tuple[_Node, Pair]:
        """What is read, before zeros were put around it; their rows above and columns on the left."""
        node: _Node = self._arguments[0]
        if self._dense or node.packet is not _ops.constant_pad_nd:
            return node, (0, 0)
        amounts = node.args[1]
        value = node.args[2] if len(node.args) > 2 else (node.kwargs or {}).get("value", 0)
        if value != 0 or len(amounts) != 4 or min(amounts) < 0:
            return node, (0, 0)
        return node.parents[0], (amounts[2], amounts[0])

    @property
    def _input(self) -> tuple[_Node, _Index]:
        if not self._dense:
            first, width = self._group
            return self._padded[0], (0, slice(first, first + width))
        rows = _at(self.node, self.place)[0]
        return self._arguments[0], (rows,)

    # ---------------------------------------------------------------------------------- the numbers

    def reading(self, found: dict[_Node, Tensor]) -> Reading:
        """The path with its numbers."""
        unit = self._unit
        weight = self._weight if isinstance(self._weight, Tensor) else found[self._weight]
        weight = weight.detach().cpu()
        if isinstance(self._bias, _Node):
            bias: Tensor | None = found[self._bias]
        else:
            bias = self._bias
        common: dict[str, Any] = {
            "layer": self.layer,
            "unit": self.unit,
            "module": self.module,
            "kind": self.wiring.kind(self.module),
            "filter": unit,
            "bias": None if bias is None else float(bias.detach().reshape(-1)[unit]),
            "made": _floats(found[self.node]),
            "steps": tuple(self._step(stretch, found) for stretch in self.stretches),
        }
        if self._dense:
            return self._of_dense(found, weight, unit, common)
        if self.node.args[6]:
            raise NoProducts(f"{self.module} is a transposed convolution: its windows lie in what it makes.")
        source, before = self._padded
        stride, padding, dilation = (_pair(self.node.args[number]) for number in (3, 4, 5))
        rows, columns = _at(self.node, self.place)[2:]
        return Reading(
            **common,
            reads=self.wiring.key(source),
            first_channel=self._group[0],
            inputs=_floats(found[source]),
            weights=_floats(weight[unit]),
            stride=stride,
            padding=(padding[0] + before[0], padding[1] + before[1]),
            dilation=dilation,
            places=torch.stack([rows, columns], -1).numpy(),
        )

    def _of_dense(
        self, found: dict[_Node, Tensor], weight: Tensor, unit: int, common: dict[str, Any]
    ) -> Reading:
        node, _ = self._input
        values, height, width = found[node], *self.layer.grid
        # (features, filters) where nothing turned it
        slices = weight[unit] if weight.shape[0] == self.node.shape[1] else weight[:, unit]
        source, below = node, node
        while below.packet in (*_SAME, _ops.view, _ops._unsafe_view):
            below = below.parents[0]
            if self.wiring.key(below):
                source = below
                break
        shape = source.shape
        grid = (shape[2], shape[3]) if len(shape) == 4 and (height, width) == (1, 1) else (1, 1)
        if math.prod(grid) > 1 and shape[1] * math.prod(grid) == len(slices):  # maps that were flattened
            inputs, weights = values.reshape(shape[1:]), slices.reshape(shape[1:])
            places = torch.zeros(1, 1, 2, dtype=torch.int64)
        else:
            inputs, weights = values.movedim(-1, 0), slices[:, None, None]
            places = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)
        return Reading(
            **common,
            reads=self.wiring.key(source),
            first_channel=0,
            inputs=_floats(inputs),
            weights=_floats(weights),
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
            places=places.numpy(),
        )

    def _step(self, stretch: _Stretch, found: dict[_Node, Tensor]) -> Step:
        node, layer = stretch.node, self.wiring.key(stretch.node)
        after = _floats(found[node])
        if stretch.main is None:
            scale, shift = _affine(stretch, found)
            return Step(
                _TITLES[node.name],
                layer,
                after,
                lambda value: value * scale + shift,
                scale=scale,
                shift=shift,
            )
        if stretch.other is None:
            return Step(_title(node), layer, after, _again(node, {stretch.main: None}))
        if isinstance(stretch.other, _Node):
            other, name = found[stretch.other], self.wiring.key(stretch.other)
        else:
            spread = _spread(stretch.other, node, stretch.place)
            other = stretch.other.detach().cpu().reshape(-1)[spread]
            name = self.wiring.weight_name(stretch.other)
        known = other.double()
        again = _again(node, {stretch.main: None}, stretch.other, known)
        return Step(
            _SIGNS.get(node.name, node.name), layer, after, again, other=known.numpy(), other_layer=name
        )


def _again(
    node: _Node, main: dict[_Node, None], other: _Node | Tensor | None = None, known: Tensor | None = None
) -> Callable[[Reals], Reals]:
    """The same operation on other numbers."""

    def apply(value: Reals) -> Reals:
        given = torch.from_numpy(value.copy())
        args = [
            given.clone()
            if isinstance(arg, _Node) and arg in main
            else known
            if arg is other and other is not None
            else arg
            for arg in node.args
        ]
        result: Reals = node.function(*args, **(node.kwargs or {})).numpy()
        return result

    return apply


def _title(node: _Node) -> str:
    """An activation's name, with its limits."""
    name = node.name
    if name == "hardtanh" and tuple(node.args[1:3]) == (0, 6):
        return "ReLU6"
    numbers = [arg for arg in node.args[1:] if isinstance(arg, int | float) and not isinstance(arg, bool)]
    if name == "rsub" and numbers:
        return f"{numbers[0]:g} − x"
    if name in _SIGNS and numbers:
        return f"{_SIGNS[name]} {numbers[0]:g}"
    title = _TITLES.get(name, name)
    return f"{title}({', '.join(f'{number:g}' for number in numbers)})" if numbers else title


def _statistics(stretch: _Stretch) -> list[tuple[_Node, _Index]]:
    """Mean and 1 / deviation that a normalisation computed of this very picture, for each cell."""
    node = stretch.node
    if node.packet is _ops.native_batch_norm:
        return []
    if node.packet is _ops.native_group_norm:
        index = _at(node, stretch.place)
        groups = node.args[6]
        shape: tuple[int, ...] = (node.args[3], groups)
        where: _Index = (index[0], index[1] // (node.shape[1] // groups))
    else:
        kept = len(node.shape) - len(node.args[1])
        shape = (*node.shape[:kept], *(1 for _ in node.args[1]))
        index = _at(node, stretch.place)
        where = (*index[:kept], *(torch.zeros_like(index[0]) for _ in node.args[1]))
    return [(_Node(node.ordinal, which, shape, node.function), where) for which in (1, 2)]


def _affine(stretch: _Stretch, found: dict[_Node, Tensor]) -> tuple[Reals, Reals]:
    """A normalisation as a factor and a term for each cell, float64 (h, w)."""
    node, index = stretch.node, _at(stretch.node, stretch.place)
    if node.packet is _ops.native_batch_norm:
        weight, bias, mean, variance = (
            None if each is None else each.detach().cpu().double()[index[1]] for each in node.args[1:5]
        )
        if mean is None or variance is None:
            raise NoProducts("This normalisation keeps no statistics: they are another for every batch.")
        scale = torch.rsqrt(variance + node.args[7])
    else:
        mean, scale = (
            tensor.double()
            for which in (1, 2)
            for key, tensor in found.items()
            if (key.ordinal, key.which) == (node.ordinal, which)
        )
        group = node.packet is _ops.native_group_norm
        at = (index[1],) if group else index[len(node.shape) - len(node.args[1]) :]
        weight, bias = (
            None if each is None else each.detach().cpu().double()[at]
            for each in (node.args[1:3] if group else node.args[2:4])
        )
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return scale.numpy(), shift.numpy()


def _pair(values: Any) -> Pair:
    one = list(values)
    return (int(one[0]), int(one[-1]))


def _floats(tensor: Tensor) -> Floats:
    made: Floats = tensor.detach().float().contiguous().numpy()
    return made
