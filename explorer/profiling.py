"""A network as a table: every layer's shapes, parameters, multiplications, receptive field and memory.

A copy of the network that has shapes but no numbers (`explorer.dry_run`) runs once.  Forward hooks on that copy
tell which module is running; a torch function mode tells which operation a container calls itself (the residual
sum, a concatenation, `relu` as a function, attention's products); a dispatch mode counts what each elementary
operation costs, by torch's own formulas.  Nothing is hooked that others can see: any number of threads may profile
at once.

MACs are the multiplications of convolutions, dense layers and matrix products; no bias, normalisation, pooling or
activation.  FLOPs are twice as many.  MB = 10^6 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from types import MappingProxyType

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from explorer.dry_run import weights_of, without_weights
from explorer.errors import ModelError, ShapeError
from explorer.field_tracing import Field
from explorer.layer_costs import Product
from explorer.layer_words import parameter_product, shape_product
from explorer.live_memory import Peak
from explorer.network_failures import Failure
from explorer.network_runs import INPUT, Calls, Draft, Key, Role, Run, Shape
from explorer.training_step import OPTIMISERS, Training, inference_peak, train

__all__ = [
    "INPUT",
    "OPTIMISERS",
    "Failure",
    "LayerProfile",
    "NetworkProfile",
    "Peak",
    "Shape",
    "Training",
    "profile",
]


@dataclass(frozen=True)
class LayerProfile:
    """One row of the table: a module, or an operation that a module calls by itself.

    Attributes:
        path: "layer1.0.conv1"; "" for the network itself; an operation's is that of its module and its name,
            "layer1.0.add".
        kind: the class of the module, "Conv2d"; the name of the operation, "add".
        role: a "container" has rows inside; a "layer" has none; an "operation" is no module.
        depth: how many containers it stands in: 0 for the network.
        call: which run of this path it is, from 0.  A module may run more than once.
        settings: "3 × 3, 64 → 128, stride 2, padding 1"; "" where there is nothing to say.
        inputs, outputs: their shapes; no outputs of what failed, and of what it stands in.
        activations: elements of the outputs; 0 where it `shares`.
        shares: whether the output is a view of the input, or written over it: nothing new.
        parameters: of a layer its own, of a container all inside; each counted once, at its first use.  Of what
            failed none, and of what it stands in those of what ran: as with all that is counted here.
        trainable: those of them that are trained.
        buffers: elements of buffers, likewise.
        macs: multiplications; of a container of all inside.
        bytes: of new storage for the outputs, for one picture.
        saved_bytes: kept for the backward, each storage counted where it is first kept; of a container of all
            inside.  For the batch of the training pass; 0 without one.
        field: what a unit of the output sees; None where no rule tells.
        products: "parameters", "macs" and "activations" as products, where they are more than 0.  Of layers and
            operations alone.
    """

    path: str
    kind: str
    role: Role
    depth: int
    call: int
    settings: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    activations: int
    shares: bool
    parameters: int
    trainable: int
    buffers: int
    macs: int
    bytes: int
    saved_bytes: int
    field: Field | None
    products: Mapping[str, Product]

    def __post_init__(self) -> None:
        if self.trainable > self.parameters:
            raise ValueError(f"{self.trainable:,} of {self.parameters:,} parameters cannot be trained.")


@dataclass(frozen=True)
class NetworkProfile:
    """A network's rows and totals.

    Attributes:
        name: as it is shown.
        input_shape: (channels, height, width) of one picture.
        dtype: of numbers, by torch's name.
        rows: in the order of their run, a container before what is inside.  Where something failed, they end
            with it.
        edges: (from, to): which layer's or operation's output goes into which, by row; `INPUT` is the picture.
            Views that have no row are looked through.  Ascending by the second, then by the first.
        weight_bytes: of parameters and buffers.
        inference: the most bytes of activations that are held at once in a forward of `batch` pictures without
            gradients, the picture among them; None where such a batch cannot run.
        batch: of `inference` and `training`.
        training: the memory of a training step; None where it was not asked for.
        failure: why the rows end; None where the network ran.
    """

    name: str
    input_shape: Shape
    dtype: str
    rows: tuple[LayerProfile, ...]
    edges: tuple[tuple[int, int], ...]
    weight_bytes: int
    inference: Peak | None
    batch: int = 1
    training: Training | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        outside = [edge for edge in self.edges if not INPUT <= edge[0] < edge[1] < len(self.rows)]
        if outside:
            raise ValueError(f"Edge {outside[0]} is not between the {len(self.rows)} rows.")

    @property
    def leaves(self) -> tuple[LayerProfile, ...]:
        """Layers and operations: what runs, without the containers."""
        return tuple(row for row in self.rows if row.role != "container")

    @property
    def parameters(self) -> int:
        return self.rows[0].parameters

    @property
    def trainable(self) -> int:
        return self.rows[0].trainable

    @property
    def buffers(self) -> int:
        return self.rows[0].buffers

    @property
    def macs(self) -> int:
        return self.rows[0].macs

    @property
    def flops(self) -> int:
        """A multiplication and an addition each."""
        return 2 * self.macs

    @cached_property
    def activations(self) -> int:
        """Elements of all outputs that are new, layers' and operations'."""
        return sum(row.activations for row in self.leaves)

    @property
    def outputs(self) -> tuple[Shape, ...]:
        return self.rows[0].outputs

    def parent(self, row: int) -> int | None:
        """The container that a row stands in; None for the network itself."""
        depth = self.rows[row].depth
        return next((at for at in range(row - 1, -1, -1) if self.rows[at].depth < depth), None)


def profile(
    module: nn.Module,
    input_shape: Sequence[int],
    *,
    name: str = "",
    dtype: torch.dtype = torch.float32,
    batch: int = 1,
    training: bool = False,
    optimiser: str = "adam",
) -> NetworkProfile:
    """The table of a network: rows for one picture, as in use (not in training).

    >>> net = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 28 * 28, 10))
    >>> table = profile(net, (3, 32, 32))
    >>> for row in table.rows: print(row.path or "-", row.kind, row.outputs[0], row.parameters, row.macs)
    - Sequential (10,) 126666 1066240
    0 Conv2d (16, 28, 28) 1216 940800
    1 ReLU (16, 28, 28) 0 0
    2 Flatten (12544,) 0 0
    3 Linear (10,) 125450 125440
    >>> profile(net, (3, 28, 28)).failure.sentence
    'Linear “3” expects 12,544 numbers, but 9,216 arrive.'

    Args:
        module: is not touched: it may be in use, on any device.
        input_shape: of one picture, without the batch: (channels, height, width).
        name: as it is shown; the module's class where none is given.
        dtype: of weights and activations.
        batch: pictures in the batch that memory is measured with.
        training: whether to measure a training step; costs some more runs.
        optimiser: one of `OPTIMISERS`.

    Raises:
        ShapeError: sizes or a batch below 1.
        ModelError: the network cannot be copied, or there is no such optimiser.  What fails while it runs
            is no error: it is the result's `failure`.
    """
    shape = tuple(input_shape)
    if not shape or any(size < 1 for size in shape):
        raise ShapeError(f"A picture has sizes of at least 1, not {' × '.join(map(str, shape)) or 'none'}.")
    if batch < 1:
        raise ShapeError(f"A batch has at least one picture, not {batch}.")
    if optimiser not in OPTIMISERS:
        raise ModelError(f"There is no optimiser “{optimiser}”; there are {', '.join(OPTIMISERS)}.")
    try:
        twin = without_weights(module).to(dtype)
    except Exception as error:
        raise ModelError(f"The network cannot be copied: {error}") from error
    picture = torch.empty((1, *shape), dtype=dtype, device="meta")
    if any(map(is_lazy, twin.parameters())):
        # lazy layers get their weights in a first run; where it fails, so does the one that is watched
        with suppress(Exception), torch.no_grad(), Calls():
            twin.eval()(picture)
    run = Run(twin.eval())
    failure = run.forward(picture)
    run.result = None
    inference: Peak | None = run.holdings.peak
    saved: Mapping[Key, int] = {}
    step: Training | None = None
    if failure is None:
        pictures = torch.empty((batch, *shape), dtype=dtype, device="meta")
        if batch > 1:
            inference = inference_peak(twin, pictures)
        if training:
            step, saved = train(twin, pictures, optimiser)
    return NetworkProfile(
        name or type(module).__name__,
        shape,
        str(dtype).removeprefix("torch."),
        _rows(run, saved),
        run.edges,
        sum(tensor.nbytes for tensor in weights_of(twin)),
        inference,
        batch,
        step,
        failure,
    )


def _rows(run: Run, saved: Mapping[Key, int]) -> tuple[LayerProfile, ...]:
    macs = run.inside({draft: draft.macs for draft in run.drafts})
    return tuple(_row(draft, macs[draft], saved.get((draft.path, draft.call), 0)) for draft in run.drafts)


def _row(draft: Draft, macs: int, saved: int) -> LayerProfile:
    activations = 0 if draft.shares else sum(map(math.prod, draft.outputs))
    parameters = sum(weight.numel() for weight in draft.weights)
    products: dict[str, Product] = {}
    if draft.role != "container":
        if parameters:
            products["parameters"] = parameter_product(draft.module, draft.weights)
        if macs:
            products["macs"] = Product(" + ".join(draft.terms), macs)
        if activations:
            products["activations"] = shape_product(draft.outputs)
    return LayerProfile(
        draft.path,
        draft.kind,
        draft.role,
        draft.depth,
        draft.call,
        draft.settings,
        draft.inputs,
        draft.outputs,
        activations,
        draft.shares,
        parameters,
        sum(weight.numel() for weight in draft.weights if weight.requires_grad),
        draft.buffers,
        macs,
        draft.bytes,
        saved,
        draft.reach,
        MappingProxyType(products),
    )


# For the table ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Siblings that follow each other and are alike, so that a table may show one of them and ×N.

    Attributes:
        row: of the first of them.
        times: how many they are; 1 where a row has no likeness beside it.
        rows: of all of them, with all that is inside.
        inside: the groups inside the first.
    """

    row: int
    times: int
    rows: range
    inside: tuple[Group, ...]

    def __post_init__(self) -> None:
        if self.times < 1 or len(self.rows) % self.times:
            raise ValueError(f"{len(self.rows)} rows are not {self.times} alike.")


def repeated(rows: Sequence[LayerProfile]) -> tuple[Group, ...]:
    """The rows as a tree, in which siblings that repeat are one group.

    Alike are rows of the same kind, settings, shapes and numbers (but for the bytes that are kept for the
    backward, since of two alike the first may keep what both read), with alike rows inside.

    >>> block = lambda: nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    >>> table = profile(nn.Sequential(block(), block(), block(), nn.Flatten()), (8, 6, 6))
    >>> (network,) = repeated(table.rows)
    >>> [(table.rows[group.row].path, group.times, len(group.rows)) for group in network.inside]
    [('0', 3, 9), ('3', 1, 1)]
    """
    return _groups(rows, 0, len(rows))


def _groups(rows: Sequence[LayerProfile], start: int, end: int) -> tuple[Group, ...]:
    siblings = [at for at in range(start, end) if rows[at].depth == rows[start].depth]
    spans = [range(at, after) for at, after in pairwise([*siblings, end])]
    found: list[Group] = []
    for _, alike in groupby(spans, lambda span: [_likeness(rows[at], rows[span[0]].depth) for at in span]):
        copies = list(alike)
        first = copies[0]
        found.append(
            Group(
                first.start,
                len(copies),
                range(first.start, copies[-1].stop),
                _groups(rows, first.start + 1, first.stop),
            )
        )
    return tuple(found)


def _likeness(row: LayerProfile, depth: int) -> tuple[object, ...]:
    """What rows that are alike have in common; depth is counted from their own."""
    return (
        *(row.kind, row.role, row.depth - depth, row.settings, row.inputs, row.outputs, row.shares),
        *(row.parameters, row.trainable, row.buffers, row.macs, row.activations),
    )
