"""How numbers flow through a network: which elementary operation made which tensor, of which others.

A `DataFlow` is what one blank forward tells: a node for each tensor, without its numbers.  Going back from elements
of a tensor answers both who makes a layer's maps (`explorer.filter_tracing`) and what makes a single number of one
(`explorer.unit_tracing`).  The operation itself is read, not the settings of a module: padding that a layer adds in
its own forward, groups and shared weights are those that ran.

    flow = DataFlow(probe)
    node = flow.made["layer1.0"]       # the tensor that this layer gives
    node.packet, node.parents          # aten.relu_, and the tensor that it was given
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, chain, count, pairwise
from typing import Any, Final, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.activations import Layer, Probe
from explorer.dry_run import Operation, Watching, is_pointwise, operations, tensors
from explorer.errors import LayerError, ModelError
from explorer.stages import blank
from explorer.unit_sources import PICTURE

_ops: Any = torch.ops.aten

CONVOLUTION: Final = _ops.convolution
ATTENTION: Final = _ops._native_multi_head_attention
PADDING: Final = _ops.constant_pad_nd
DENSE: Final = operations("addmm mm")
BATCH_NORMS: Final = operations("native_batch_norm cudnn_batch_norm")
JOINED: Final = operations("cat stack")
VIEWS: Final = operations("view _unsafe_view")

_SAME: Final = operations("clone _to_copy alias detach lift_fresh")
_STRIDED: Final = operations("as_strided as_strided_")
_MOVED: Final = operations(
    "_reshape_alias permute transpose t slice select unsqueeze squeeze expand split split_with_sizes unbind "
    "roll flip pixel_shuffle channel_shuffle"
)
_REARRANGED: Final = _MOVED | VIEWS | JOINED | {PADDING}

_IDLE: Final = ("Identity", "Dropout", "Dropout2d", "StochasticDepth", "DropPath")


class Products(NamedTuple):
    """What a convolution or dense layer sums products of: nodes where they depend on the forward, else tensors."""

    input: Any
    weight: Any
    bias: Any


@dataclass(frozen=True, eq=False)
class Node:
    """One tensor of a forward.

    Attributes:
        ordinal: number of the operation that made it, -1 for the picture; `which` of its results it is.
        shape: its shape.
        function: torch's own operation, `torch.ops.aten.relu.default`; None for the picture.
        args, kwargs: what it was called with: nodes in the place of tensors of this forward, weights as they are.
        from_picture: whether it depends on the picture.
    """

    ordinal: int
    which: int
    shape: tuple[int, ...]
    function: Any = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    from_picture: bool = True

    @property
    def packet(self) -> Any:
        """The operation in all of its overloads, `torch.ops.aten.relu`."""
        return self.function.overloadpacket if self.function is not None else None

    @property
    def name(self) -> str:
        """The operation's, without the sign of working in place: "relu"."""
        return str(self.packet._qualified_op_name).rpartition("::")[2].removesuffix("_")

    @property
    def operands(self) -> list[Any]:
        """The nodes and weights that it was made of."""
        flat = chain.from_iterable(arg if isinstance(arg, list | tuple) else (arg,) for arg in self.args)
        return [each for each in flat if isinstance(each, Node | Tensor)]

    @property
    def parents(self) -> list[Node]:
        """The tensors of the forward that it was made of."""
        return [each for each in self.operands if isinstance(each, Node)]

    @property
    def positions(self) -> Tensor:
        """The number of each of its elements, in its own shape."""
        return torch.arange(math.prod(self.shape)).reshape(self.shape)

    @property
    def copies(self) -> bool:
        """Whether it holds the first parent's elements, each in its place."""
        # of 1×1 maps the strides alone are set anew
        strided = self.packet in _STRIDED and [parent.shape for parent in self.parents] == [self.shape]
        return strided or (self.packet in _SAME and bool(self.parents))

    @property
    def rearranges(self) -> bool:
        """Whether it holds its parents' elements, each in its place or in another, or padding: see `rearranged`."""
        return self.packet in _REARRANGED or self.copies

    @property
    def pointwise(self) -> bool:
        """Whether each element follows from the operands' in its place, smaller ones spread over it."""
        return is_pointwise(self.function)

    @property
    def products(self) -> Products | None:
        """What a convolution or dense layer read, its weight (filters, …) as the network keeps it, and its bias."""
        if self.packet is CONVOLUTION:
            return Products(*self.args[:3])
        if self.packet not in DENSE:
            return None
        bias, read, weight = self.args if len(self.args) == 3 else (None, *self.args)
        turned = isinstance(weight, Node) and weight.packet is _ops.t
        return Products(read, weight.args[0] if turned else weight, bias)


def at(node: Node, place: Tensor) -> tuple[Tensor, ...]:
    """The index of elements that are given by their numbers."""
    return tuple(torch.unravel_index(place, node.shape))


def looked_up(numbers: Tensor, place: Tensor) -> Tensor:
    """The numbers that stand in places, -1 where a place is."""
    return torch.where(place < 0, -1, numbers.reshape(-1)[place])


def rearranged(node: Node, place: Tensor) -> list[tuple[Node, Tensor]]:
    """The tensors before a rearrangement, and the numbers in them of elements of the result.

    -1 stands for what came from elsewhere: from another of the tensors, a weight, padding.  The operation is done to
    the numbers of the elements, so that no rule need tell what it does.
    """
    if node.copies:
        return [(node.parents[0], place)]
    several = isinstance(node.args[0], list | tuple)
    ends = accumulate((math.prod(each.shape) for each in node.operands), initial=0)
    ranges = list(zip(node.operands, pairwise(ends), strict=True))
    numbers = [torch.arange(*those).reshape(each.shape) for each, those in ranges]
    args, kwargs = ((node.args[1], -1), {}) if node.packet is PADDING else (node.args[1:], node.kwargs or {})
    made = tensors(node.function(numbers if several else numbers[0], *args, **kwargs))[node.which]
    before = looked_up(made, place)
    return [
        (each, torch.where((start <= before) & (before < end), before - start, -1))
        for each, (start, end) in ranges
        if isinstance(each, Node)
    ]


def spread(operand: Node | Tensor, node: Node, place: Tensor) -> Tensor:
    """The elements of an operand that elements of a pointwise result follow from: it may have been smaller."""
    numbers = torch.arange(math.prod(operand.shape)).reshape(operand.shape)
    return place if operand.shape == node.shape else numbers.expand(node.shape).reshape(-1)[place]


Wanted = tuple[Node, tuple[Any, ...]]
"""A tensor, and the index of the elements of it whose numbers are asked for."""

Asked = TypeVar("Asked")


class _Found(Exception):
    """The rest of the forward is not needed."""


class DataFlow:
    """Which operation made which tensor of a network, of which others.

    It holds no picture and no activation, and the weights by reference.  It asks the network once when it is made,
    and once for `numbers`: like every other question, where nothing else runs it.

    Attributes:
        nodes: every tensor, in the order of their making.
        made: what each layer gives, by its key; without heads of attention.
        picture: the network's input.
    """

    def __init__(self, probe: Probe):
        self._probe = weakref.ref(probe)  # which is let go with its network
        network = probe.recorder.network
        self._names = {
            id(tensor): name for name, tensor in chain(network.named_buffers(), network.named_parameters())
        }
        self._kinds = {name: type(module) for name, module in network.named_modules()}
        self._keys: dict[Node, list[str]] = {}
        self.made: dict[str, Node] = {}
        known: MutableMapping[Tensor, Node] = WeakTensorKeyDictionary()
        picture = blank(network, probe.size)
        self.picture = known[picture] = Node(-1, 0, tuple(picture.shape))
        self.nodes = [self.picture]
        ordinals = count()

        def follow(operation: Operation) -> None:
            ordinal = next(ordinals)
            args, kwargs = tree_map(
                lambda value: known.get(value, value) if isinstance(value, Tensor) else value,
                (operation.args, operation.kwargs),
            )
            reached = any(tensor in known and known[tensor].from_picture for tensor in operation.inputs)
            for which, made in enumerate(operation.outputs):
                shape = tuple(made.shape)
                known[made] = Node(ordinal, which, shape, operation.function, args, kwargs, reached)
                self.nodes.append(known[made])

        def note(run: Layer, output: Tensor) -> None:
            if run.layout != "heads" and output in known:
                self.made[run.key] = known[output]
                self._keys.setdefault(known[output], []).append(run.key)

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

    def numbers(self, x: Tensor, key: str, wanted: Mapping[Asked, Wanted]) -> dict[Asked, Tensor]:
        """Numbers of a picture's forward (1, channels, H, W) up to a layer, on the CPU.

        Each is taken right where it is made: later layers may work in place.

        Raises:
            LayerError: other operations run for this picture.
        """
        made: dict[int, list[tuple[Asked, Node, Any]]] = {}
        for asked, (node, index) in wanted.items():
            made.setdefault(node.ordinal, []).append((asked, node, index))
        found: dict[Asked, Tensor] = {}
        probe = self.probe

        def work() -> None:
            ordinals = count()

            def follow(operation: Operation) -> None:
                for asked, node, index in made.get(next(ordinals), ()):
                    if operation.function is not node.function:
                        raise LayerError(f"{key} ran differently for this picture: it cannot be followed.")
                    found[asked] = operation.outputs[node.which][index].detach().cpu().clone()

            def stop(run: Layer, output: Tensor) -> None:
                if run.key == key:
                    raise _Found

            for asked, _, index in made.get(self.picture.ordinal, ()):
                found[asked] = x[index].detach().cpu().clone()
            with suppress(_Found), torch.no_grad(), Watching(follow):
                probe.run(x, stop)

        probe.recorder.guarded(work)
        return found

    def key(self, node: Node) -> str:
        """The layer whose output a tensor is: the innermost that does something; `PICTURE`, or "" for none."""
        while node not in self._keys and node.copies:
            node = node.parents[0]
        if node is self.picture:
            return PICTURE
        keys = self._keys.get(node, [""])
        return next((key for key in keys if self.kind(key.partition("~")[0]).__name__ not in _IDLE), keys[0])

    def kind(self, module: str) -> type:
        """A module's class; `type(None)` where there is no such module."""
        return self._kinds.get(module, type(None))

    def weight_name(self, weight: Any) -> str:
        """A weight's name in the network, "" for what is none of its parameters and buffers."""
        return self._names.get(id(weight), "")

    def owner(self, weight: Any) -> str:
        """The module whose weight this is, or is computed from, as weight normalisation does; "" where none is."""
        if isinstance(weight, Node):
            operands = () if weight.from_picture else weight.operands
            return next((found for each in operands if (found := self.owner(each))), "")
        name = self.weight_name(weight)
        inside = [name[:end] for end, letter in enumerate(name) if letter == "."]
        layers = [each for each in inside if issubclass(self.kind(each), nn.Conv2d | nn.Linear)]
        return layers[-1] if layers else inside[-1] if inside else ""

    def bank(self, node: Node) -> str:
        """The convolution or dense layer whose filters' sums of products a tensor holds; "" where none's."""
        weight = node.args[7] if node.packet is ATTENTION else node.products and node.products.weight
        name = self.owner(weight)
        transposed = node.packet is CONVOLUTION and node.args[6]
        return name if issubclass(self.kind(name), nn.Conv2d | nn.Linear) and not transposed else ""
