"""Which filters make a layer's maps: followed channel by channel through the network.

A copy of the network without weights (on the meta device: nothing is computed, nothing allocated) runs once while
every elementary operation is followed.  For each tensor it is known which of its dimensions run along channels, and
for each channel which filters of which layers it comes from.  Convolutions and dense layers begin anew; batch
normalisation, activations and pools keep what comes in; sums (residual ones) join what meets; concatenations,
splits and shuffles move channels to other numbers.  What no rule tells of adds something `unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.dry_run import Operation, Watching, tensors, without_weights
from explorer.errors import LayerError, ModelError
from explorer.filters import FilterBank, Norm, bank_of
from explorer.stages import blank

Numbers = NDArray[np.int32]

PICTURE: Final = ""
"""Stands for the network's input among the layers."""

_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)


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
        """The unit that a filter makes; None where the chosen layer has none of it."""
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


def filters_behind(network: nn.Module, layer: str, size: int = 224, call: int = 1) -> Behind:
    """The layers whose filters make the maps of `layer`: itself, or those before it.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 5, 1))
    >>> origin = filters_behind(network, "2", 32).usual
    >>> origin.layer, origin.norm, origin.reads_picture, origin.filters.tolist()
    ('0', '1', True, [0, 1, 2, 3, 4, 5, 6, 7])

    Args:
        network: is not touched: it may be in use.
        layer: a module of it; of several things that it gives out, the first.
        size: side in pixels of the pictures it takes.
        call: which of its runs, from 1.

    Raises:
        LayerError: there is no such layer, it does not run, it holds no maps, or nothing before it has filters.
        ModelError: the network cannot run on such a picture, or not without its weights.
    """
    found: list[_Known | None] = []
    twin = _twin(network)
    trace = _Trace(twin)
    modules = dict(twin.named_modules())
    if layer not in modules or not layer:
        raise LayerError(f"{type(network).__name__} has no layer “{layer}”.")
    modules[layer].register_forward_hook(lambda module, args, output: found.append(trace.known(output)))
    trace.run(size)
    if not 1 <= call <= len(found):
        raise LayerError(f"{layer} runs {len(found)} times, so it has no run {call}.")
    known = found[call - 1]
    if known is None or len(known.dims) != 1:
        raise LayerError(f"What {layer} gives out cannot be followed back to filters.")
    return Behind(layer, trace.origins(known), known.unknown, known.mixed)


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


def first_layer(network: nn.Module, size: int = 224) -> Origin:
    """The first convolution that runs and reads the picture; the first one where none does.

    Raises:
        LayerError: the network has none.
        ModelError: it cannot run on such a picture.
    """
    twin = _twin(network)
    trace = _Trace(twin)
    trace.run(size)
    layers = [origin for origin in trace.layers() if not origin.dense]
    if not layers:
        raise LayerError(f"{type(network).__name__} has no convolution.")
    return next((origin for origin in layers if origin.reads_picture), layers[0])


def _twin(network: nn.Module) -> nn.Module:
    try:
        return without_weights(network).eval()
    except Exception as error:
        raise ModelError(f"The network cannot be copied: {error}") from error


# What is known of a tensor ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Part:
    """One term of what a tensor's channels are made of: a layer, and for each channel the number of its filter.

    `numbers` has an axis for each of the tensor's channel dimensions.  `bare`: nothing has happened to it since.
    """

    layer: str
    numbers: Numbers
    bare: bool = False


@dataclass(frozen=True, eq=False)
class _Known:
    """Of a tensor: the dimensions that run along channels, ascending, and what they are made of.

    `unknown`: of more than that; `mixed`: channels have been normalised together.
    """

    dims: tuple[int, ...]
    parts: tuple[_Part, ...]
    unknown: bool = False
    mixed: bool = False

    def moved(self, dims: Iterable[int], change: Callable[[Numbers], Numbers]) -> _Known:
        """With these dimensions, and the numbers changed alike in each part."""
        parts = tuple(replace(part, numbers=change(part.numbers)) for part in self.parts)
        return replace(self, dims=tuple(dims), parts=parts)

    def used(self) -> _Known:
        """After something has happened to the values."""
        return replace(self, parts=tuple(replace(part, bare=False) for part in self.parts))


class _UnknownError(Exception):
    """No rule tells where the channels went."""


def _together(known: Sequence[_Known], dims: tuple[int, ...]) -> _Known:
    """The sum of several tensors with the same channels."""
    parts: dict[str, _Part] = {}
    for part in (part for each in known for part in each.parts):
        before = parts.get(part.layer)
        if before is None:
            parts[part.layer] = part
        elif before.numbers.shape == part.numbers.shape:
            # a concatenation cut into pieces and joined again: each channel has one number
            numbers = np.where(before.numbers >= 0, before.numbers, part.numbers)
            parts[part.layer] = replace(before, numbers=numbers)
    unknown, mixed = any(each.unknown for each in known), any(each.mixed for each in known)
    return _Known(dims, tuple(parts.values()), unknown, mixed)


# Rules -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Call:
    """One operation: its arguments by name, what is known of its tensors, and the shape of what came out."""

    arguments: Mapping[str, Any]
    look: Callable[[Any], _Known | None]
    shape: tuple[int, ...]
    name: str

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def input(self) -> Tensor:
        found: Tensor = next(iter(self.arguments.values()))
        return found

    @property
    def known(self) -> _Known:
        found = self.look(self.input)
        if found is None:
            raise _UnknownError("nothing is known of what comes in")
        return found

    def dim(self, name: str = "dim") -> int:
        """A dimension of the input, counted from the front."""
        return int(self[name]) % self.input.dim()


def _same(call: _Call) -> _Known:
    return call.known


def _kept(call: _Call) -> _Known:
    """Each channel is changed by itself, or at least keeps its number."""
    return call.known.used()


def _mixed(call: _Call) -> _Known:
    return replace(call.known.used(), mixed=True)


def _pointwise(call: _Call) -> _Known:
    """Tensors as large as the result are its terms; smaller ones (gates, scales, offsets) change it."""
    terms: list[_Known] = []
    more = False
    for tensor in tensors(tuple(call.arguments.values())):
        known = call.look(tensor)
        if known is None:
            continue
        if tuple(tensor.shape) == call.shape and known.parts:
            terms.append(known)
        else:
            # a product scales what is there; a sum adds something else
            more |= known.unknown or call.name in ("add", "add_", "sub", "sub_")
    if not terms:
        raise _UnknownError("only something smaller comes in")
    dims = terms[0].dims
    if any(known.dims != dims for known in terms):
        raise _UnknownError("channels of one meet places of the other")
    met = _together([known.used() for known in terms], dims)
    return replace(met, unknown=met.unknown or more)


def _reduced(call: _Call) -> _Known:
    count = call.input.dim()
    named = call.arguments.get("dim")
    gone = (
        set(range(count))
        if named is None
        else {d % count for d in ([named] if isinstance(named, int) else named)}
    )
    known = call.known
    if gone & set(known.dims):
        raise _UnknownError("channels are added up")
    if call.arguments.get("keepdim"):
        return known.used()
    left = [dim for dim in range(count) if dim not in gone]
    return replace(known.used(), dims=tuple(left.index(dim) for dim in known.dims))


def _permute(call: _Call) -> _Known:
    order = [dim % call.input.dim() for dim in call["dims"]]
    return _ordered(call.known, order)


def _transpose(call: _Call) -> _Known:
    order = list(range(call.input.dim()))
    first, second = call.dim("dim0"), call.dim("dim1")
    order[first], order[second] = second, first
    return _ordered(call.known, order)


def _ordered(known: _Known, order: Sequence[int]) -> _Known:
    """Dimension n comes from `order[n]`."""
    axes = [known.dims.index(old) for old in order if old in known.dims]
    dims = [new for new, old in enumerate(order) if old in known.dims]
    return known.moved(dims, lambda numbers: numbers.transpose(axes))


def _view(call: _Call) -> _Known:
    """The same numbers in the same order, in other dimensions: channels may be cut or joined, not mixed with places."""
    before, after, known = tuple(call.input.shape), call.shape, call.known
    dims: list[int] = []
    sizes: list[int] = []
    old = new = 0
    while old < len(before) or new < len(after):
        # the shortest runs of dimensions, before and after, that hold as many numbers
        first, start = old, new
        left = before[old] if old < len(before) else 1
        right = after[new] if new < len(after) else 1
        old, new = min(old + 1, len(before)), min(new + 1, len(after))
        while left != right:
            if left < right:
                left, old = left * before[old], old + 1
            else:
                right, new = right * after[new], new + 1
        channels = [dim for dim in range(first, old) if dim in known.dims]
        if not channels:
            continue
        if math.prod(before[dim] for dim in channels) != left:
            raise _UnknownError("channels and places in one dimension")
        run = [dim for dim in range(start, new) if after[dim] > 1] or [start]
        dims += run
        sizes += [after[dim] for dim in run]
    return known.moved(dims, lambda numbers: numbers.reshape(sizes))


def _unsqueeze(call: _Call) -> _Known:
    at = call["dim"] % (call.input.dim() + 1)
    return replace(call.known, dims=tuple(dim + (dim >= at) for dim in call.known.dims))


def _squeeze(call: _Call) -> _Known:
    count, named = call.input.dim(), call.arguments.get("dim")
    wanted = range(count) if named is None else [named] if isinstance(named, int) else named
    gone = {dim % count for dim in wanted if call.input.shape[dim] == 1}
    left = [dim for dim in range(count) if dim not in gone]
    axes = tuple(axis for axis, dim in enumerate(call.known.dims) if dim in gone)
    dims = [left.index(dim) for dim in call.known.dims if dim not in gone]
    return call.known.moved(dims, lambda numbers: numbers.squeeze(axes))


def _expand(call: _Call) -> _Known:
    more = len(call.shape) - call.input.dim()
    return replace(call.known, dims=tuple(dim + more for dim in call.known.dims))


def _select(call: _Call) -> _Known:
    at, known = call.dim(), call.known
    dims = tuple(dim - (dim > at) for dim in known.dims if dim != at)
    if at not in known.dims:
        return replace(known, dims=dims)
    return known.moved(dims, lambda numbers: numbers.take(call["index"], axis=known.dims.index(at)))


def _slice(call: _Call) -> _Known:
    at, known = call.dim(), call.known
    if at not in known.dims:
        return known
    cut = slice(call["start"], call["end"], call["step"])
    return known.moved(known.dims, partial(_cut, known.dims.index(at), cut))


def _cut(axis: int, cut: slice, numbers: Numbers) -> Numbers:
    return numbers[(slice(None),) * axis + (cut,)]


def _cat(call: _Call) -> _Known:
    at = call["dim"] % len(call.shape)
    pieces = [(tensor, _as_channel(call.look(tensor), tensor, at)) for tensor in call["tensors"]]
    dims = next(known.dims for _, known in pieces if known is not None and known.parts)
    if any(known is not None and known.parts and known.dims != dims for _, known in pieces):
        raise _UnknownError("channels of one meet places of the other")
    unknown = any(known is not None and known.unknown for _, known in pieces)
    if at not in dims:  # a class token before the tokens of a picture
        met = _together([known for _, known in pieces if known is not None], dims)
        return replace(met, unknown=unknown)
    axis, first, terms = dims.index(at), 0, list[_Known]()
    sizes = tuple(call.shape[dim] for dim in dims)
    for tensor, known in pieces:
        place = (slice(None),) * axis + (slice(first, first + tensor.shape[at]),)
        if known is not None:
            terms.append(known.moved(dims, partial(_placed, sizes, place)))
        first += tensor.shape[at]
    return replace(_together(terms, dims), unknown=unknown)


def _as_channel(known: _Known | None, tensor: Tensor, at: int) -> _Known | None:
    """A channel that was taken out, and stands alone, as the only one of a dimension."""
    if known is None or known.dims or not known.parts or tensor.shape[at] != 1:
        return known
    return known.moved((at,), lambda numbers: numbers.reshape(1))


def _placed(sizes: tuple[int, ...], place: tuple[slice, ...], numbers: Numbers) -> Numbers:
    whole = np.full(sizes, -1, np.int32)
    whole[place] = numbers
    return whole


def _roll(call: _Call) -> _Known:
    if {dim % call.input.dim() for dim in call["dims"]} & set(call.known.dims):
        raise _UnknownError("channels are rolled")
    return call.known.used()


_RULES: Final[Mapping[str, Callable[[_Call], _Known]]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"),
                *("max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d"),
                *("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d"),
                *("constant_pad_nd", "reflection_pad2d", "replication_pad2d", "native_dropout"),
                *("hardswish", "hardswish_", "_prelu_kernel", "glu"),
            ),
            _kept,
        ),
        **dict.fromkeys(("native_layer_norm", "native_group_norm", "_softmax"), _mixed),
        **dict.fromkeys(("mean", "sum", "amax"), _reduced),
        **dict.fromkeys(
            (*("detach", "alias", "_to_copy", "clone", "contiguous"),),
            _same,
        ),
        "permute": _permute,
        "transpose": _transpose,
        "t": lambda call: _ordered(call.known, (1, 0)),
        **dict.fromkeys(("view", "_unsafe_view", "_reshape_alias"), _view),
        "unsqueeze": _unsqueeze,
        "squeeze": _squeeze,
        "expand": _expand,
        "select": _select,
        "slice": _slice,
        "cat": _cat,
        "roll": _roll,
    }
)
"""What an operation of aten does to the channels of its tensors, by its name; pointwise ones are known by their tag."""


class _Trace:
    """Keeps what is known of every tensor that the picture reaches."""

    def __init__(self, twin: nn.Module) -> None:
        self._twin = twin
        self._known: MutableMapping[Tensor, _Known] = WeakTensorKeyDictionary()
        self._found: dict[str, Origin] = {}
        self._maps: MutableMapping[Tensor, tuple[int, int, int]] = WeakTensorKeyDictionary()
        self._dense: MutableMapping[Tensor, str] = WeakTensorKeyDictionary()
        for name, module in twin.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(partial(self._begin, name))
            elif isinstance(module, _NORMS):
                module.register_forward_hook(partial(self._normalised, name))
            if isinstance(module, nn.Linear):
                self._dense[module.weight] = name

    def run(self, size: int) -> None:
        """Follow a picture of `size` pixels; each of its channels is its own.

        Raises:
            ModelError: the network cannot run on it.
        """
        picture = blank(self._twin, 1).to("meta").expand(-1, -1, size, size)
        numbers = np.arange(picture.shape[1], dtype=np.int32)
        self._known[picture] = _Known((1,), (_Part(PICTURE, numbers),))
        try:
            with torch.no_grad(), Watching(self.follow):
                self._twin(picture)
        except Exception as error:
            cause = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ModelError(
                f"The filters of this network cannot be followed on a picture of {size}×{size} pixels: {cause}"
            ) from error

    def known(self, tensor: Any) -> _Known | None:
        """What is known of a tensor's channels; None where it is nothing, or no tensor."""
        given = tensor[0] if isinstance(tensor, tuple) and tensor else tensor
        known = self._known.get(given) if isinstance(given, Tensor) else None
        return known if known is not None and known.parts else None

    def layers(self) -> tuple[Origin, ...]:
        """Every layer with filters that ran, in the order of their last run; each with all of its own."""
        return tuple(self._found.values())

    def origins(self, known: _Known) -> tuple[Origin, ...]:
        """The layers that these channels come from, the nearest first."""
        parts = {part.layer: part for part in known.parts if (part.numbers >= 0).any()}
        return tuple(
            replace(self._found[name], filters=parts[name].numbers)
            for name in reversed(self._found)
            if name in parts
        )

    # what modules do

    def _begin(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        """A layer with filters: each channel of its output is one of them."""
        if isinstance(output, Tensor) and output.dim() >= 2:
            dense = isinstance(module, nn.Linear)
            self._known[output] = self._begun(name, tensors(args)[0], output, dense)

    def _begun(self, name: str, arrived: Tensor, output: Tensor, dense: bool) -> _Known:
        known = self._known.get(arrived)
        of_picture = known is not None and [part.layer for part in known.parts] == [PICTURE]
        if of_picture and known is not None:
            channels = known.parts[0].numbers.reshape(-1)
            of_picture = np.array_equal(channels, np.arange(channels.size))
        dim = output.dim() - 1 if dense else 1
        filters = np.arange(output.shape[dim], dtype=np.int32)
        self._found.pop(name, None)  # the last run counts
        self._found[name] = Origin(
            name,
            filters,
            reads=self._maps.get(arrived) if dense else None,
            reads_picture=of_picture and not dense,
            dense=dense,
        )
        return _Known((dim,), (_Part(name, filters, bare=True),))

    def _normalised(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        """A batch normalisation right behind a layer belongs to it."""
        known = self._known.get(tensors(args)[0])
        if not isinstance(output, Tensor) or known is None or len(known.parts) != 1 or known.unknown:
            return
        (part,) = known.parts
        whole = np.array_equal(part.numbers, self._found[part.layer].filters) if part.bare else False
        if whole:
            self._found[part.layer] = replace(self._found[part.layer], norm=name)

    # what operations do

    def follow(self, operation: Operation) -> None:
        """Takes one operation that has run."""
        if not operation.outputs:
            return
        name = operation.function._schema.name.partition("::")[2]
        if name == "t" and operation.inputs[0] in self._dense:
            self._dense[operation.outputs[0]] = self._dense[operation.inputs[0]]
        if not any(tensor in self._known for tensor in operation.inputs):
            return
        try:
            found = self._ruled(operation, name)
        except (_UnknownError, LookupError, ValueError, TypeError, StopIteration):
            # all but the first: an overload with other arguments than its rule reads
            found = [_Known((), (), unknown=True)] * len(operation.outputs)
        for output, known in zip(operation.outputs, found, strict=True):
            self._known[output] = known
            self._remember(operation, output)

    def _remember(self, operation: Operation, output: Tensor) -> None:
        """The map that a row of numbers was flattened from, as long as it is only looked at or passed through."""
        source = operation.inputs[0]
        if output.dim() != 2 or output.shape[0] != 1:
            return
        if source.dim() == 4 and source.numel() == output.numel():
            self._maps[output] = (source.shape[1], source.shape[2], source.shape[3])
        elif source in self._maps and source.shape == output.shape:
            self._maps[output] = self._maps[source]

    def _ruled(self, operation: Operation, name: str) -> list[_Known]:
        function = operation.function
        if name in ("mm", "addmm") and (layer := self._dense.get(operation.inputs[-1])):
            # a dense layer whose weights are used by whom it stands in, as attention does
            return [self._begun(layer, operation.inputs[-2], operation.outputs[0], dense=True)]
        schema = function._schema.arguments
        arguments: dict[str, Any] = {entry.name: entry.default_value for entry in schema}
        arguments |= dict(zip(arguments, operation.args, strict=False)) | operation.kwargs
        call = _Call(arguments, self._look, tuple(operation.outputs[0].shape), name)
        if name in ("split", "split_with_sizes"):
            return self._split(call, operation.outputs)
        rule = _RULES.get(name)
        if rule is None and torch.Tag.pointwise in function.tags:
            rule = _pointwise
        if rule is None:
            raise _UnknownError(name)
        return [rule(call)] * len(operation.outputs)

    @staticmethod
    def _split(call: _Call, outputs: Sequence[Tensor]) -> list[_Known]:
        at, known, first, found = call.dim(), call.known, 0, list[_Known]()
        for output in outputs:
            cut = slice(first, first + output.shape[at])
            first = cut.stop
            axis = known.dims.index(at) if at in known.dims else None
            found.append(known if axis is None else known.moved(known.dims, partial(_cut, axis, cut)))
        return found

    def _look(self, value: Any) -> _Known | None:
        return self._known.get(value) if isinstance(value, Tensor) else None
