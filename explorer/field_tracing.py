"""What the units of a whole network see, through all of its branches.

A copy of the network without weights (on the meta device: nothing is computed, nothing allocated) runs once
while a `Tracer` follows every elementary operation.  For each tensor it knows which of its dimensions run
along the picture's rows and columns, and the field of its units along both.  Windows (convolutions, pools)
widen the field; where branches meet (sum, product, concatenation) it becomes the smallest box around all of
them; a mean over the map, a normalisation over it, or attention marks what they reach as seeing everything.
Operations are followed by rules, one each in `_RULES`; pointwise ones are known by torch's own tag.  Behind one
that no rule tells of (a window partition, as in Swin; a transposed convolution) fields are not known, and layers
there are left out rather than guessed.

The result holds for units whose field is inside the picture, and bounds the others'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.convolution import Pair
from explorer.dry_run import Operation, Watching, without_weights
from explorer.errors import ModelError
from explorer.receptive_field import Axis, ReceptiveField
from explorer.stages import blank

EVERYTHING: Final = "everything"
"""The field of what is no map any more: after global pooling or a dense layer units have no place."""

Field = ReceptiveField | Literal["everything"]


def from_module(network: nn.Module, input_size: int | Pair = 224) -> Mapping[str, Field]:
    """The field of the units of every layer, by the layer's name, in the order of their last run.

    The box is the one around all paths.  Where a path aside sees the whole map (squeeze-excite, attention),
    the field says `everything`, and its box is that of the paths without it.

    >>> block = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2))
    >>> fields = from_module(nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)))
    >>> fields["0.2"].size, fields["0.2"].jump, fields["1"]
    ((5, 5), (4, 4), 'everything')

    Args:
        network: is not touched: it may be in use.
        input_size: (height, width) of its picture; one number for both.

    Raises:
        ModelError: the network cannot run on such a picture, or not without its weights.
    """
    height, width = input_size if isinstance(input_size, tuple) else (input_size, input_size)
    twin = without_weights(network).eval()
    tracer = Tracer()
    found: dict[str, Field] = {}

    def note(name: str, module: nn.Module, args: Any, output: Any) -> None:
        found.pop(name, None)
        field = tracer.field(output) if isinstance(output, Tensor) else None
        if field is not None:
            found[name] = field

    for name, layer in twin.named_modules():
        if name:
            layer.register_forward_hook(partial(note, name))
    picture = blank(twin, 1).to("meta").expand(-1, -1, height, width)
    tracer.start(picture)
    try:
        with torch.no_grad(), Watching(tracer.follow):
            twin(picture)
    except Exception as error:
        cause = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"The fields of this network cannot be traced on a picture of {height}×{width} pixels: {cause}"
        ) from error
    return MappingProxyType(found)


# What is known of a tensor ---------------------------------------------------------------------------

Places = tuple[frozenset[int], ...]
"""For each dimension of a tensor the axes of the picture that it runs along: 0 for rows, 1 for columns."""

_NOWHERE: Final[frozenset[int]] = frozenset()


class _UnknownError(Exception):
    """No rule tells what the units see."""


@dataclass(frozen=True)
class _Sight:
    """What the units of a tensor see: where they are, their field along both axes, and whether all besides.

    `grid` tells rows and columns of units apart where they share a dimension.
    """

    places: Places
    axes: tuple[Axis, Axis] = (Axis(), Axis())
    everything: bool = False
    grid: Pair | None = None

    @property
    def placed(self) -> frozenset[int]:
        """The axes along which units differ in place."""
        return _NOWHERE.union(*self.places)

    @property
    def field(self) -> Field:
        return ReceptiveField.of(*self.axes, self.everything) if len(self.placed) == 2 else EVERYTHING

    def mixed(self, over: Iterable[int], places: Places) -> _Sight:
        """With these places, after mixing all units along some dimensions."""
        return replace(
            self, places=places, everything=self.everything or any(self.places[dim] for dim in over)
        )

    def under(self, dim: int, extent: int, stride: int, before: int) -> _Sight:
        """After a window over one dimension."""
        if not self.places[dim] or (extent, stride, before) == (1, 1, 0):
            return self
        if len(self.places[dim]) > 1:
            raise _UnknownError("a window over rows and columns in one dimension")
        axes = tuple(
            axis.under(extent, stride, before) if number in self.places[dim] else axis
            for number, axis in enumerate(self.axes)
        )
        return replace(self, axes=(axes[0], axes[1]))


def _around(sights: Sequence[_Sight], places: Places) -> _Sight:
    """The smallest field around those of several tensors that meet, whose units have these places."""
    placed = _NOWHERE.union(*(sight.placed for sight in sights))
    # a tensor without place, such as the gate of squeeze-excite, has seen the whole map
    everything = any(sight.everything or sight.placed != placed for sight in sights)
    axes = [_box([s.axes[axis] for s in sights if axis in s.placed] or [Axis()]) for axis in (0, 1)]
    grids = {sight.grid for sight in sights if len(sight.placed) == 2}
    return _Sight(places, (axes[0], axes[1]), everything, grids.pop() if len(grids) == 1 else None)


def _box(axes: Sequence[Axis]) -> Axis:
    jumps = {axis.jump for axis in axes}
    if len(jumps) > 1:
        raise _UnknownError("branches of different strides meet")
    start = min(axis.start for axis in axes)
    return Axis(max(axis.start + axis.size for axis in axes) - start, jumps.pop(), start)


# Rules -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Call:
    """One operation: its arguments by name, the sights of its tensors, the shape of what came out."""

    arguments: Mapping[str, Any]
    sights: Callable[[Any], _Sight | None]
    shape: tuple[int, ...]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def input(self) -> _Sight:
        """The sight of the first argument, `self` or `input`."""
        sight = self.sights(next(iter(self.arguments.values())))
        if sight is None:
            raise _UnknownError("only a weight depends on the picture")
        return sight

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(next(iter(self.arguments.values())).shape)

    def dims(self, name: str) -> list[int]:
        """Dimensions of the input, counted from the front; all where none is named."""
        count = len(self.input.places)
        value = self[name]
        named = [value] if isinstance(value, int) else value or range(count)
        return [dim % count for dim in named]


def _windows(call: _Call, extents: Iterable[int], strides: Sequence[int], befores: Sequence[int]) -> _Sight:
    sight = call.input
    windows = list(zip(extents, strides, befores, strict=True))
    for dim, window in enumerate(windows, len(sight.places) - len(windows)):
        sight = sight.under(dim, *window)
    return sight


def _convolution(call: _Call) -> _Sight:
    if call["transposed"]:
        raise _UnknownError("a transposed convolution")
    kernel = call["weight"].shape[2:]
    stride, padding, dilation = (
        _repeated(call[name], len(kernel)) for name in ("stride", "padding", "dilation")
    )
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sight = _windows(call, extents, stride, padding)
    return sight.mixed([1], (sight.places[0], _NOWHERE, *sight.places[2:]))


def _pool(count: int, call: _Call) -> _Sight:
    kernel = _repeated(call["kernel_size"], count)
    stride = _repeated(call["stride"] or kernel, count)
    dilation = _repeated(call.arguments.get("dilation", [1]), count)
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    return _windows(call, extents, stride, _repeated(call["padding"], count))


def _repeated(values: Sequence[int], count: int) -> list[int]:
    return list(values) * count if len(values) == 1 else list(values)


def _adaptive_pool(call: _Call) -> _Sight:
    sight = call.input
    for dim, size in enumerate(call["output_size"], len(sight.places) - len(call["output_size"])):
        before = call.input_shape[dim]
        if size == 1:
            places = (*sight.places[:dim], _NOWHERE, *sight.places[dim + 1 :])
            sight = sight.mixed([dim], places)
            continue
        firsts = [unit * before // size for unit in range(size)]
        ends = [-(-(unit + 1) * before // size) for unit in range(size)]
        extents = {end - first for first, end in zip(firsts, ends, strict=True)}
        strides = {after - first for first, after in pairwise(firsts)}
        if len(extents) > 1 or len(strides) > 1:
            raise _UnknownError("adaptive pooling with windows of different sizes")
        sight = sight.under(dim, extents.pop(), strides.pop(), 0)
    return sight


def _reduced(call: _Call) -> _Sight:
    dims = call.dims("dim")
    kept = call.arguments.get("keepdim", False)
    places = [
        _NOWHERE if dim in dims else place
        for dim, place in enumerate(call.input.places)
        if kept or dim not in dims
    ]
    return call.input.mixed(dims, tuple(places))


def _softmax(call: _Call) -> _Sight:
    return call.input.mixed(call.dims("dim"), call.input.places)


def _layer_norm(call: _Call) -> _Sight:
    count = len(call.input.places)
    return call.input.mixed(range(count - len(call["normalized_shape"]), count), call.input.places)


def _group_norm(call: _Call) -> _Sight:
    return call.input.mixed(range(1, len(call.input.places)), call.input.places)


def _batch_norm(call: _Call) -> _Sight:
    # as instance normalisation it computes the statistics of this very map
    over = range(len(call.input.places)) if call.arguments.get("training") else ()
    return call.input.mixed(over, call.input.places)


def _pad(call: _Call) -> _Sight:
    sight, amounts = call.input, list(call.arguments.values())[1]
    for number, before in enumerate(amounts[::2], 1):
        sight = sight.under(len(sight.places) - number, 1, 1, before)
    return sight


def _matmul(left_name: str, right_name: str, call: _Call) -> _Sight:
    left, right = (call.sights(call[name]) for name in (left_name, right_name))
    nowhere = (_NOWHERE,) * len(call.shape)
    rows, columns = (sight.places if sight else nowhere for sight in (left, right))
    batch = tuple(a | b for a, b in zip(rows[:-2], columns[:-2], strict=True))
    met = _around([sight for sight in (left, right) if sight], (*batch, rows[-2], columns[-1]))
    return replace(met, everything=met.everything or bool(rows[-1] | columns[-2]))


def _attention(call: _Call) -> _Sight:
    """Each query looks at all keys: the values that it mixes lie anywhere."""
    sights = [sight for name in ("query", "key", "value") if (sight := call.sights(call[name])) is not None]
    query, value = (call.sights(call[name]) for name in ("query", "value"))
    nowhere = (_NOWHERE,) * len(call.shape)
    places = ((query.places if query else nowhere)[:-1]) + (value.places if value else nowhere)[-1:]
    met = _around(sights, places)
    over = any(sight.places[-2] for name in ("key", "value") if (sight := call.sights(call[name])))
    return replace(met, everything=met.everything or over)


def _permute(call: _Call) -> _Sight:
    return replace(call.input, places=tuple(call.input.places[dim] for dim in call.dims("dims")))


def _transpose(call: _Call) -> _Sight:
    places = list(call.input.places)
    first, second = (call[name] % len(places) for name in ("dim0", "dim1"))
    places[first], places[second] = places[second], places[first]
    return replace(call.input, places=tuple(places))


def _turn(call: _Call) -> _Sight:
    return replace(call.input, places=call.input.places[::-1])


def _expand(call: _Call) -> _Sight:
    return replace(call.input, places=_aligned(call.input, len(call.shape)))


def _unsqueeze(call: _Call) -> _Sight:
    places = list(call.input.places)
    places.insert(call["dim"] % (len(places) + 1), _NOWHERE)
    return replace(call.input, places=tuple(places))


def _squeeze(call: _Call) -> _Sight:
    dims = [dim for dim in call.dims("dim") if call.input_shape[dim] == 1]
    places = (place for dim, place in enumerate(call.input.places) if dim not in dims)
    return replace(call.input, places=tuple(places))


def _select(call: _Call) -> _Sight:
    (dim,) = call.dims("dim")
    return replace(call.input, places=(*call.input.places[:dim], *call.input.places[dim + 1 :]))


def _slice(call: _Call) -> _Sight:
    (dim,) = call.dims("dim")
    first, _, step = slice(call["start"], call["end"], call["step"]).indices(call.input_shape[dim])
    # tokens, rows and columns in one dimension, stay where they are when the class token leaves
    return call.input if len(call.input.places[dim]) > 1 else call.input.under(dim, 1, step, -first)


def _split(call: _Call) -> _Sight:
    if any(call.input.places[dim] for dim in call.dims("dim")):
        raise _UnknownError("a map cut into pieces")
    return call.input


def _cat(call: _Call) -> _Sight:
    sights = [sight for tensor in call["tensors"] if (sight := call.sights(tensor)) is not None]
    along = sights[0].places[call["dim"] % len(call.shape)]
    # the class token may stand before the tokens of a picture
    if along and (len(sights) > 1 or len(along) == 1):
        raise _UnknownError("maps side by side")
    return _around(sights, _met(sights, len(call.shape)))


def _view(call: _Call) -> _Sight:
    """The same numbers in the same order, in other dimensions."""
    sight, before, after = call.input, call.input_shape, call.shape
    found: list[frozenset[int]] = []
    old = 0
    while len(found) < len(after):
        # the shortest runs of dimensions, before and after, that hold as many numbers
        first, new = old, len(found)
        left, right = before[old] if old < len(before) else 1, after[new]
        old, new = old + 1, new + 1
        while left != right:
            if left < right:
                left, old = left * before[old], old + 1
            else:
                right, new = right * after[new], new + 1
        if new == len(after):
            old = len(before)  # what is left are dimensions of one unit
        run = after[len(found) : new]
        held = _NOWHERE.union(*sight.places[first:old])
        grid = _grid(sight.places[first:old], before[first:old])
        if grid and held == {0, 1}:
            sight = replace(sight, grid=grid)
        found += _shared_out(held, run, sight.grid)
    return replace(sight, places=tuple(found))


def _grid(places: Places, sizes: Sequence[int]) -> Pair | None:
    """Rows and columns of units, if these dimensions are those two, in this order, and nothing else."""
    long = [(place, size) for place, size in zip(places, sizes, strict=True) if size > 1]
    if [place for place, _ in long] != [{0}, {1}]:
        return None
    return long[0][1], long[1][1]


def _shared_out(held: frozenset[int], sizes: Sequence[int], grid: Pair | None) -> list[frozenset[int]]:
    """The places of dimensions of these sizes that together hold some axes."""
    long = [dim for dim, size in enumerate(sizes) if size > 1] or [len(sizes) - 1]
    found = [_NOWHERE] * len(sizes)
    if held == {0, 1} and tuple(sizes[dim] for dim in long) == grid:
        found[long[0]], found[long[1]] = frozenset({0}), frozenset({1})
    elif held and len(long) > 1:
        raise _UnknownError("rows or columns cut into pieces")
    else:
        found[long[0]] = held
    return found


def _same(call: _Call) -> _Sight:
    return call.input


def _pointwise(call: _Call) -> _Sight:
    sights = [
        sight
        for tensor in tree_leaves(dict(call.arguments))
        if isinstance(tensor, Tensor) and (sight := call.sights(tensor)) is not None
    ]
    return _around(sights, _met(sights, len(call.shape)))


def _aligned(sight: _Sight, dims: int) -> Places:
    return (_NOWHERE,) * (dims - len(sight.places)) + sight.places


def _met(sights: Sequence[_Sight], dims: int) -> Places:
    """The places in a tensor of so many dimensions that several are broadcast to."""
    aligned = zip(*(_aligned(sight, dims) for sight in sights), strict=True)
    return tuple(_NOWHERE.union(*places) for places in aligned)


_RULES: Final[Mapping[str, Callable[[_Call], _Sight]]] = MappingProxyType(
    {
        "convolution": _convolution,
        "avg_pool1d": partial(_pool, 1),
        **dict.fromkeys(("max_pool2d_with_indices", "avg_pool2d"), partial(_pool, 2)),
        "avg_pool3d": partial(_pool, 3),
        **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), _adaptive_pool),
        **dict.fromkeys(("mean", "sum", "amax"), _reduced),
        **dict.fromkeys(("_softmax", "_safe_softmax"), _softmax),
        "native_layer_norm": _layer_norm,
        "native_group_norm": _group_norm,
        "native_batch_norm": _batch_norm,
        **dict.fromkeys(("constant_pad_nd", "reflection_pad2d", "replication_pad2d"), _pad),
        "mm": partial(_matmul, "self", "mat2"),
        "bmm": partial(_matmul, "self", "mat2"),
        "addmm": partial(_matmul, "mat1", "mat2"),
        "baddbmm": partial(_matmul, "batch1", "batch2"),
        "_scaled_dot_product_flash_attention_for_cpu": _attention,
        "permute": _permute,
        "transpose": _transpose,
        "t": _turn,
        "expand": _expand,
        "unsqueeze": _unsqueeze,
        "squeeze": _squeeze,
        "select": _select,
        "slice": _slice,
        **dict.fromkeys(("split", "split_with_sizes"), _split),
        "cat": _cat,
        **dict.fromkeys(("view", "_unsafe_view"), _view),
        **dict.fromkeys(("detach", "alias", "_to_copy"), _same),
        # pointwise, though torch does not tag them so
        **dict.fromkeys(("hardswish", "hardswish_", "_prelu_kernel"), _pointwise),
    }
)
"""What an operation of aten does to the sight of its tensors, by its name."""


def _rule(operation: Any) -> Callable[[_Call], _Sight]:
    name = operation._schema.name.partition("::")[2]
    if name in _RULES:
        return _RULES[name]
    if torch.Tag.pointwise in operation.tags:
        return _pointwise
    raise _UnknownError(name)


class Tracer:
    """Keeps the sight of every tensor that the picture reaches; None where it is not known."""

    def __init__(self) -> None:
        self._sights: MutableMapping[Tensor, _Sight | None] = WeakTensorKeyDictionary()

    def start(self, picture: Tensor) -> None:
        """The picture of (batch, channels, height, width), whose pixels see themselves."""
        self._sights[picture] = _Sight((_NOWHERE, _NOWHERE, frozenset({0}), frozenset({1})))

    def field(self, tensor: Tensor) -> Field | None:
        """The field of a tensor's units; None where no rule tells, or the picture does not reach it."""
        sight = self._sights.get(tensor)
        return sight.field if sight is not None else None

    def follow(self, operation: Operation) -> None:
        """Takes one operation that has run."""
        reached = [self._sights[tensor] for tensor in operation.inputs if tensor in self._sights]
        if not reached or not operation.outputs:
            return
        sight = None if None in reached else self._ruled(operation)
        for output in operation.outputs:
            self._sights[output] = sight

    def _ruled(self, operation: Operation) -> _Sight | None:
        schema = operation.function._schema.arguments
        arguments = {entry.name: entry.default_value for entry in schema}
        arguments |= dict(zip(arguments, operation.args, strict=False)) | operation.kwargs
        try:
            shape = tuple(operation.outputs[0].shape)
            return _rule(operation.function)(_Call(arguments, self._sight, shape))
        except (_UnknownError, LookupError, ValueError, TypeError):
            # the last three: an overload with other arguments than its rule reads
            return None

    def _sight(self, value: Any) -> _Sight | None:
        return self._sights.get(value) if isinstance(value, Tensor) else None
