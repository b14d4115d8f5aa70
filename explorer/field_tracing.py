"""What the units of a whole network see, through all of its branches.

A copy of the network without weights (on the meta device: nothing is computed, nothing allocated) runs once
while a `Tracer` follows every elementary operation.  For each tensor it knows which of its dimensions run
along the picture's rows and columns, and the field of its units along both.  Windows (convolutions, pools)
widen the field; where branches meet (sum, product, concatenation) it becomes the smallest box around all of
them; a mean over the map, a normalisation over it, or attention marks what they reach as seeing everything.
Maps side by side keep fields of their own until weights mix them: a tensor's channels are labelled by branch.
Operations are followed by rules, one each in `_RULES`; pointwise ones are known by torch's own tag.  Behind one
that no rule tells of (a window partition, as in Swin; a transposed convolution) fields are not known, and layers
there are left out rather than guessed.

Size, jump and start hold for units whose field is inside the picture, and bound the others'.  What each unit sees
of a picture of this very size, `Spans` tell: there padding sees nothing, and rows that no window reads are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.convolution import Pair
from explorer.dry_run import Operation, Watching, is_pointwise, without_weights
from explorer.errors import ModelError
from explorer.receptive_field import Axis, ReceptiveField, Spans
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
class _Window:
    """A window along one dimension: units that it spans, its stride, units of padding before, dilation.

    `read`, where padding mirrors the map: the unit that stands at each place, padding included.
    """

    extent: int = 1
    stride: int = 1
    before: int = 0
    dilation: int = 1
    read: NDArray[np.int64] | None = None

    def over(self, axis: Axis, before: int, after: int) -> Axis:
        """The field along an axis of so many units after this window, when that leaves so many."""
        spans = axis.spans
        if spans is None or len(spans.first) != before:
            spans = None
        elif self.read is not None:
            spans = spans.read(self.read[:, None])
        else:
            spans = spans.under(range(0, self.extent, self.dilation), self.stride, self.before, after)
        return replace(axis.under(self.extent, self.stride, self.before), spans=spans)


@dataclass(frozen=True)
class _Sight:
    """What the units of a tensor see: where they are, their field along both axes, and whether all besides.

    `grid` tells rows and columns of units apart where they share a dimension.  `labels` tell which of `kinds` holds
    for which channel, where not all see the same: an array of the tensor's dimensions, of size 1 along the batch
    and wherever units have a place.
    """

    places: Places
    axes: tuple[Axis, Axis] = (Axis(), Axis())
    everything: bool = False
    grid: Pair | None = None
    kinds: tuple[_Sight, ...] = ()
    labels: NDArray[np.int64] | None = None

    @property
    def placed(self) -> frozenset[int]:
        """The axes along which units differ in place."""
        return _NOWHERE.union(*self.places)

    @property
    def field(self) -> Field:
        if len(self.placed) < 2:
            return EVERYTHING
        whole = ReceptiveField.of(*self.axes, self.everything)
        if self.labels is None:
            return whole
        parts = tuple(ReceptiveField.of(*kind.axes, kind.everything) for kind in self.kinds)
        return replace(whole, parts=parts, part_of=self.labels.ravel())

    @property
    def alike(self) -> _Sight:
        """The same, of all channels together."""
        return self if self.labels is None else replace(self, kinds=(), labels=None)

    def labelled(self, labels: NDArray[np.int64], kinds: Sequence[_Sight]) -> _Sight:
        """With a kind for each channel; kinds that are the same become one."""
        known: dict[Any, int] = {}
        number = [known.setdefault(kind.identity, len(known)) for kind in kinds]
        used, found = np.unique(np.array(number)[labels], return_inverse=True)
        if len(used) == 1:
            return self.alike
        different = tuple(kinds[number.index(kind)].alike for kind in used)
        return replace(self, kinds=different, labels=found.reshape(labels.shape))

    @property
    def identity(self) -> Any:
        """Equal for kinds whose units see the same."""
        spans = (axis.spans for axis in self.axes)
        return (
            self.axes,
            self.everything,
            *(s and (s.length, s.first.tobytes(), s.last.tobytes()) for s in spans),
        )

    def mixed(self, over: Iterable[int], places: Places) -> _Sight:
        """With these places, after mixing all units along some dimensions."""
        everything = self.everything or any(self.places[dim] for dim in over)
        return replace(self.alike, places=places, everything=everything)

    def under(self, dim: int, window: _Window, before: int, after: int) -> _Sight:
        """After a window over one dimension, of so many units before and after."""
        if not self.places[dim] or (
            (window.extent, window.stride, window.before) == (1, 1, 0) and before == after
        ):
            return self
        if len(self.places[dim]) > 1:
            raise _UnknownError("a window over rows and columns in one dimension")
        (number,) = self.places[dim]

        def moved(sight: _Sight) -> _Sight:
            rows, columns = (
                window.over(axis, before, after) if along == number else axis
                for along, axis in enumerate(sight.axes)
            )
            return replace(sight, axes=(rows, columns))

        return replace(moved(self), kinds=tuple(moved(kind) for kind in self.kinds))


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
    spans = axes[0].spans
    for axis in axes[1:]:
        spans = spans.around(axis.spans) if spans and axis.spans else None
    return Axis(max(axis.start + axis.size for axis in axes) - start, jumps.pop(), start, spans)


# Rules -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Call:
    """One operation: its arguments by name, the sights of its tensors, the shapes of what came out."""

    arguments: Mapping[str, Any]
    sights: Callable[[Any], _Sight | None]
    shapes: Sequence[tuple[int, ...]]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first tensor that came out."""
        return self.shapes[0]

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


def _windows(
    call: _Call,
    kernel: Sequence[int],
    strides: Sequence[int],
    befores: Sequence[int],
    dilations: Sequence[int],
) -> _Sight:
    sight, first = call.input, len(call.shape) - len(kernel)
    each = zip(kernel, strides, befores, dilations, strict=True)
    for dim, (size, stride, before, dilation) in enumerate(each, first):
        window = _Window(dilation * (size - 1) + 1, stride, before, dilation)
        sight = sight.under(dim, window, call.input_shape[dim], call.shape[dim])
    return sight


def _convolution(call: _Call) -> _Sight:
    if call["transposed"]:
        raise _UnknownError("a transposed convolution")
    kernel = call["weight"].shape[2:]
    stride, padding, dilation = (
        _repeated(call[name], len(kernel)) for name in ("stride", "padding", "dilation")
    )
    sight = _windows(call, kernel, stride, padding, dilation)
    mixed = sight.mixed([1], (sight.places[0], _NOWHERE, *sight.places[2:]))
    groups = call["groups"]
    if sight.labels is None or groups == 1:
        return mixed
    # each group of filters reads channels of its own
    read = [tuple(np.unique(group)) for group in sight.labels.reshape(groups, -1)]
    kinds = {group: _around([sight.kinds[number] for number in group], mixed.places) for group in read}
    labels = np.repeat([list(kinds).index(group) for group in read], call.shape[1] // groups)
    return mixed.labelled(labels.reshape(1, -1, *(1,) * len(kernel)), list(kinds.values()))


def _pool(count: int, call: _Call) -> _Sight:
    kernel = _repeated(call["kernel_size"], count)
    stride = _repeated(call["stride"] or kernel, count)
    dilation = _repeated(call.arguments.get("dilation", [1]), count)
    return _windows(call, kernel, stride, _repeated(call["padding"], count), dilation)


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
        sight = sight.under(dim, _Window(extents.pop(), strides.pop()), before, size)
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
    if not call.arguments.get("training"):
        return call.input
    return call.input.mixed(range(len(call.input.places)), call.input.places)


def _pad(mode: str, call: _Call) -> _Sight:
    sight, amounts = call.input, list(call.arguments.values())[1]
    for number, before in enumerate(amounts[::2], 1):
        dim = len(sight.places) - number
        size, padded = call.input_shape[dim], call.shape[dim]
        if size != padded and not sight.places[dim]:
            sight = sight.alike
        places = np.arange(padded) - before
        if mode == "replicate":
            places = places.clip(0, size - 1)
        elif mode == "reflect":
            places = np.abs(size - 1 - np.abs(size - 1 - places))
        sight = sight.under(dim, _Window(before=before, read=places), size, padded)
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
    return _turned(call.input, call.dims("dims"))


def _transpose(call: _Call) -> _Sight:
    order = list(range(len(call.input.places)))
    first, second = (call[name] % len(order) for name in ("dim0", "dim1"))
    order[first], order[second] = order[second], order[first]
    return _turned(call.input, order)


def _turn(call: _Call) -> _Sight:
    return _turned(call.input, range(len(call.input.places))[::-1])


def _turned(sight: _Sight, order: Sequence[int]) -> _Sight:
    labels = None if sight.labels is None else sight.labels.transpose(order)
    return replace(sight, places=tuple(sight.places[dim] for dim in order), labels=labels)


def _expand(call: _Call) -> _Sight:
    return replace(call.input.alike, places=_aligned(call.input, len(call.shape)))


def _unsqueeze(call: _Call) -> _Sight:
    places = list(call.input.places)
    places.insert(call["dim"] % (len(places) + 1), _NOWHERE)
    return replace(call.input.alike, places=tuple(places))


def _squeeze(call: _Call) -> _Sight:
    dims = [dim for dim in call.dims("dim") if call.input_shape[dim] == 1]
    places = (place for dim, place in enumerate(call.input.places) if dim not in dims)
    return replace(call.input.alike, places=tuple(places))


def _select(call: _Call) -> _Sight:
    (dim,) = call.dims("dim")
    return replace(call.input.alike, places=(*call.input.places[:dim], *call.input.places[dim + 1 :]))


def _slice(call: _Call) -> _Sight:
    (dim,) = call.dims("dim")
    first, _, step = slice(call["start"], call["end"], call["step"]).indices(call.input_shape[dim])
    # tokens, rows and columns in one dimension, stay where they are when the class token leaves
    if len(call.input.places[dim]) > 1:
        return call.input
    last = first + (call.shape[dim] - 1) * step
    sight = _cut(call.input, dim, slice(first, last + 1, step))
    return sight.under(dim, _Window(1, step, -first), call.input_shape[dim], call.shape[dim])


def _cut(sight: _Sight, dim: int, channels: slice) -> _Sight:
    """Some of the channels that lie along a dimension."""
    if sight.labels is None or sight.labels.shape[dim] == 1:
        return sight
    kept = (slice(None),) * dim + (channels,)
    return sight.labelled(sight.labels[kept], sight.kinds)


def _split(call: _Call) -> list[_Sight]:
    (dim,) = call.dims("dim")
    if call.input.places[dim]:
        raise _UnknownError("a map cut into pieces")
    ends = list(accumulate(shape[dim] for shape in call.shapes))
    return [_cut(call.input, dim, slice(*ends)) for ends in pairwise([0, *ends])]


def _shuffled(call: _Call) -> _Sight:
    sight = call.input
    if sight.labels is None:
        return sight
    channels, groups = sight.labels.ravel(), call["groups"]
    labels = channels.reshape(groups, -1).T.reshape(sight.labels.shape)
    return replace(sight, labels=labels)


def _cat(call: _Call) -> _Sight:
    sights = [sight for tensor in call["tensors"] if (sight := call.sights(tensor)) is not None]
    along = sights[0].places[call["dim"] % len(call.shape)]
    # the class token may stand before the tokens of a picture
    if along and (len(sights) > 1 or len(along) == 1):
        raise _UnknownError("maps side by side")
    met = _around(sights, _met(sights, len(call.shape)))
    dim = call["dim"] % len(call.shape)
    if along or dim == 0 or len(sights) < len(call["tensors"]):
        return met
    labels: list[NDArray[np.int64]] = []
    kinds: list[_Sight] = []
    for sight, tensor in zip(sights, call["tensors"], strict=True):
        size = [1] * len(call.shape)
        size[dim] = tensor.shape[dim]
        own = np.full(size, len(kinds))
        labels.append(own if sight.labels is None else own + sight.labels)
        kinds += sight.kinds or [sight]
    if len({(*each.shape[:dim], *each.shape[dim + 1 :]) for each in labels}) > 1:
        return met
    return met.labelled(np.concatenate(labels, dim), kinds)


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
    if sight.labels is not None:
        size = [
            1 if place or dim == 0 else size
            for dim, (place, size) in enumerate(zip(found, after, strict=True))
        ]
        if before[0] != after[0] or math.prod(size) != sight.labels.size:
            return replace(sight.alike, places=tuple(found))
        sight = replace(sight, labels=sight.labels.reshape(size))
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
    if len(sights) == 1 and len(sights[0].places) == len(call.shape):
        return sights[0]
    met = _around(sights, _met(sights, len(call.shape)))
    if all(sight.labels is None for sight in sights):
        return met
    # every channel meets the one that stands against it
    labels = np.zeros((1,) * len(call.shape), np.int64)
    meeting: list[tuple[_Sight, ...]] = [()]
    for sight in sights:
        kinds = sight.kinds or (sight,)
        labels = labels * len(kinds) + (0 if sight.labels is None else sight.labels)
        meeting = [(*before, kind) for before in meeting for kind in kinds]
    used, found = np.unique(labels, return_inverse=True)
    return met.labelled(
        found.reshape(labels.shape), [_around(meeting[number], met.places) for number in used]
    )


def _aligned(sight: _Sight, dims: int) -> Places:
    return (_NOWHERE,) * (dims - len(sight.places)) + sight.places


def _met(sights: Sequence[_Sight], dims: int) -> Places:
    """The places in a tensor of so many dimensions that several are broadcast to."""
    aligned = zip(*(_aligned(sight, dims) for sight in sights), strict=True)
    return tuple(_NOWHERE.union(*places) for places in aligned)


_Rule = Callable[[_Call], _Sight | list[_Sight]]
"""Gives one sight for all that came out, or one for each."""

_RULES: Final[Mapping[str, _Rule]] = MappingProxyType(
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
        "constant_pad_nd": partial(_pad, "constant"),
        "reflection_pad2d": partial(_pad, "reflect"),
        "replication_pad2d": partial(_pad, "replicate"),
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
        **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _shuffled),
        "cat": _cat,
        **dict.fromkeys(("view", "_unsafe_view"), _view),
        **dict.fromkeys(("detach", "alias", "_to_copy"), _same),
    }
)
"""What an operation of aten does to the sight of its tensors, by its name."""


def _rule(operation: Any) -> _Rule:
    name = operation._schema.name.partition("::")[2]
    if name in _RULES:
        return _RULES[name]
    if is_pointwise(operation):
        return _pointwise
    raise _UnknownError(name)


class Tracer:
    """Keeps the sight of every tensor that the picture reaches; None where it is not known."""

    def __init__(self) -> None:
        self._sights: MutableMapping[Tensor, _Sight | None] = WeakTensorKeyDictionary()

    def start(self, picture: Tensor) -> None:
        """The picture of (batch, channels, height, width), whose pixels see themselves."""
        rows, columns = (Axis(spans=Spans.of_pixels(length)) for length in picture.shape[-2:])
        self._sights[picture] = _Sight((_NOWHERE, _NOWHERE, frozenset({0}), frozenset({1})), (rows, columns))

    def field(self, tensor: Tensor) -> Field | None:
        """The field of a tensor's units; None where no rule tells, or the picture does not reach it."""
        sight = self._sights.get(tensor)
        return sight.field if sight is not None else None

    def follow(self, operation: Operation) -> None:
        """Takes one operation that has run."""
        reached = [self._sights[tensor] for tensor in operation.inputs if tensor in self._sights]
        if not reached or not operation.outputs:
            return
        found = None if None in reached else self._ruled(operation)
        sights = found if isinstance(found, list) else [found] * len(operation.outputs)
        for output, sight in zip(operation.outputs, sights, strict=True):
            self._sights[output] = sight

    def _ruled(self, operation: Operation) -> _Sight | list[_Sight] | None:
        schema = operation.function._schema.arguments
        arguments = {entry.name: entry.default_value for entry in schema}
        arguments |= dict(zip(arguments, operation.args, strict=False)) | operation.kwargs
        try:
            shapes = [tuple(output.shape) for output in operation.outputs]
            return _rule(operation.function)(_Call(arguments, self._sight, shapes))
        except (_UnknownError, LookupError, ValueError, TypeError):
            # the last three: an overload with other arguments than its rule reads
            return None

    def _sight(self, value: Any) -> _Sight | None:
        return self._sights.get(value) if isinstance(value, Tensor) else None
