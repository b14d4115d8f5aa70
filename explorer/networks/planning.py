"""What arrives at every part of a network and what leaves it; and where it cannot go on.

Nothing is built for it: shapes follow from the parts alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from explorer.errors import ExplorerError, ShapeError
from explorer.networks.opening import opened
from explorer.networks.parts import BLOCKS
from explorer.networks.shapes import joined, layer_shape, refuse_other_forms
from explorer.networks.spec import IndexPath, NetworkSpec, Part, Shape, layer_names


@dataclass(frozen=True)
class Placed:
    """A part where it stands.

    Attributes:
        path: where; repetitions of a group have the same.
        part: the part itself.
        input_shape, output_shape: of what arrives and leaves, without the batch.
        rounds: of a group, its parts in each repetition; of branches, one round with the branches.
    """

    path: IndexPath
    part: Part
    input_shape: Shape
    output_shape: Shape
    rounds: tuple[tuple[Placed, ...], ...] = ()


@dataclass(frozen=True)
class Trouble:
    """Where a network cannot go on.

    Attributes:
        path: the part that cannot follow.
        rounds: for each index of the path, how often the parts there had been gone through before.
        sentence: the part, and why, with the values.
        input_shape: what arrives at it.
    """

    path: IndexPath
    rounds: tuple[int, ...]
    sentence: str
    input_shape: Shape


@dataclass(frozen=True)
class Plan:
    """A network with all its shapes, as far as it goes.

    Attributes:
        spec: the network as it is wished.
        sound: as much of it as can be built: the network itself, or what stands before the trouble.
        placed: the parts of the sound network.
        output_shape: what leaves the last of these.
        trouble: where it cannot go on, or None.
    """

    spec: NetworkSpec
    sound: NetworkSpec
    placed: tuple[Placed, ...]
    output_shape: Shape
    trouble: Trouble | None = None


def planned(spec: NetworkSpec) -> Plan:
    """The network with its shapes, up to the first part that cannot follow.

    >>> from explorer.networks.spec import part
    >>> plan = planned(NetworkSpec("Small", (1, 28, 28), (part("conv"), part("linear"))))
    >>> plan.output_shape, plan.trouble.path
    ((64, 26, 26), (1,))
    >>> plan.trouble.sentence
    'Linear “linear1” cannot follow: it reads a row of numbers, but a map of 64 × 26 × 26 arrives.'
    """
    try:
        rounds, shape = _in_sequence(spec.parts, spec.input_shape, (), 1)
    except _Stop as stop:
        trouble = Trouble(stop.path, stop.counts, _sentence(spec, stop), stop.input_shape)
        whole = planned(_before(spec, stop.path, stop.counts))
        return Plan(spec, whole.spec, whole.placed, whole.output_shape, trouble)
    return Plan(spec, spec, rounds[0], shape)


def placed_inside(block: Part, input_shape: Shape) -> tuple[Placed, ...]:
    """The parts inside of a block, for an input on which the block itself can stand.

    >>> [placed.output_shape for placed in placed_inside(Part("encoder_block"), (197, 768))]
    [(197, 768), (197, 768)]
    """
    rounds, _ = _in_sequence(opened(block, input_shape).inside, input_shape, (), 1)
    return rounds[0]


def label(spec: NetworkSpec, path: IndexPath) -> str:
    """A part as a sentence names it: its title and what it is called, with the groups around it.

    >>> from explorer.networks.spec import part
    >>> net = NetworkSpec("Small", (1, 28, 28), (part("sequence", part("conv"), name="features"),))
    >>> label(net, (0, 0))
    'Convolution “features.0”'
    """
    parts, found, called = spec.parts, [], ""
    for depth, index in enumerate(path):
        found.append(layer_names(parts, top=depth == 0)[index])
        called = parts[index].about.title
        parts = parts[index].inside
    return f"{called} “{'.'.join(found)}”"


class _Stop(Exception):
    """A part cannot follow.  `counts` are the repetitions that each group around it had finished."""

    def __init__(self, path: IndexPath, cause: str, input_shape: Shape) -> None:
        super().__init__(cause)
        self.path, self.input_shape = path, input_shape
        self.counts: tuple[int, ...] = ()


def _in_sequence(
    parts: tuple[Part, ...], shape: Shape, path: IndexPath, times: int
) -> tuple[tuple[tuple[Placed, ...], ...], Shape]:
    """The parts one after the other, as often as is set, and the shape that leaves the last."""
    rounds: list[tuple[Placed, ...]] = []
    for number in range(times):
        arriving, placed = shape, []
        for index, part in enumerate(parts):
            try:
                placed.append(_placed(part, shape, (*path, index)))
            except _Stop as stop:
                stop.counts = (number, *stop.counts)
                raise
            shape = placed[-1].output_shape
        rounds.append(tuple(placed))
        if shape == arriving:
            # what follows is the same again
            rounds.extend(rounds[-1:] * (times - number - 1))
            break
    return tuple(rounds), shape


def _placed(part: Part, shape: Shape, path: IndexPath) -> Placed:
    if part.kind == "sequence":
        rounds, leaving = _in_sequence(part.inside, shape, path, part.whole("times"))
        return Placed(path, part, shape, leaving, rounds)
    if part.kind == "branches":
        _refuse_writing(part, shape, path)
        branches = []
        for index, branch in enumerate(part.inside):
            try:
                branches.append(_placed(branch, shape, (*path, index)))
            except _Stop as stop:
                stop.counts = (0, *stop.counts)
                raise
        try:
            leaving = joined([branch.output_shape for branch in branches], part.text("join"))
        except ExplorerError as error:
            raise _Stop(path, str(error), shape) from error
        return Placed(path, part, shape, leaving, (tuple(branches),))
    try:
        return Placed(path, part, shape, output_shape(part, shape))
    except ExplorerError as error:
        raise _Stop(path, str(error), shape) from error


def _refuse_writing(part: Part, shape: Shape, path: IndexPath) -> None:
    """Stop at a part of a branch that would write over what the other branches read."""
    if len(part.inside) < 2:
        return
    for index, branch in enumerate(part.inside):
        writer = _first_writer(branch)
        if writer is not None:
            deeper = (index, *writer)
            cause = f"In place it writes over the input that {len(part.inside)} branches read."
            stop = _Stop((*path, *deeper), cause, shape)
            stop.counts = (0,) * len(deeper)
            raise stop


def _first_writer(part: Part) -> IndexPath | None:
    """Where inside the part its own input is written over; () is the part itself, None: nowhere."""
    if any(name == "inplace" and value for name, value in part.settings):
        return ()
    for index, each in enumerate(part.inside):
        writer = _first_writer(each)
        if writer is not None:
            return (index, *writer)
        if part.kind == "sequence" and not _passes_on(each):
            return None
    return None


def _passes_on(part: Part) -> bool:
    """Whether the same numbers in the same memory leave as arrived, at least outside of training."""
    if part.kind == "sequence":
        return all(map(_passes_on, part.inside))
    if part.kind == "branches":
        return len(part.inside) == 1 and _passes_on(part.inside[0])
    return part.kind in _VIEWS or (part.kind == "token_pool" and part["take"] == "first")


_VIEWS: Final = frozenset({"flatten", "dropout", "dropout2d", "half", "tokens", "auxiliary_head"})


@lru_cache(maxsize=4096)
def output_shape(part: Part, input_shape: Shape) -> Shape:
    """Shape of what any part makes of an input of this shape, both without the batch.

    >>> output_shape(Part("residual_basic", {"out_channels": 128, "stride": 2}), (64, 56, 56))
    (128, 28, 28)

    Raises:
        ShapeError: it cannot read this input.
        ModelError: it would be beyond the limits of what is counted here.
    """
    if part.kind in BLOCKS:
        refuse_other_forms(part, input_shape)
        try:
            return _placed(opened(part, input_shape), input_shape, ()).output_shape
        except _Stop as stop:
            raise ShapeError(f"Inside, {_lowered(str(stop))}") from stop
    if part.inside or part.kind in ("sequence", "branches"):
        try:
            return _placed(part, input_shape, ()).output_shape
        except _Stop as stop:
            raise ShapeError(str(stop)) from stop
    return layer_shape(part, input_shape)


# What is told of a trouble ---------------------------------------------------------------------------


def _sentence(spec: NetworkSpec, stop: _Stop) -> str:
    times = ""
    for depth, count in enumerate(stop.counts[1:], start=1):
        if count:
            group = part_name(spec, stop.path[:depth])
            times += f", time {count + 1} of “{group}”,"
    return f"{label(spec, stop.path)}{times} cannot follow: {_lowered(str(stop))}"


def part_name(spec: NetworkSpec, path: IndexPath) -> str:
    """What a part is called, without the groups around it."""
    return label(spec, path).split("“")[-1].rstrip("”").rpartition(".")[2]


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _before(spec: NetworkSpec, path: IndexPath, counts: tuple[int, ...]) -> NetworkSpec:
    """What stands before the part at `path`, which the groups around it met after `counts` repetitions."""
    return replace(spec, parts=_until(spec.parts, path, counts[1:]))


def _until(parts: tuple[Part, ...], path: IndexPath, counts: tuple[int, ...]) -> tuple[Part, ...]:
    index, *deeper = path
    before = parts[:index]
    # branches are joined: half of them is another network, so none is kept
    if not deeper or parts[index].kind == "branches":
        return before
    group, finished = parts[index], counts[0]
    begun = _until(group.inside, tuple(deeper), counts[1:])
    if finished:
        before += (Part("sequence", {"times": finished}, group.name, group.inside),)
    if begun:
        before += (Part("sequence", name="" if finished else group.name, inside=begun),)
    return before
