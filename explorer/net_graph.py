"""A network as a picture: boxes and curves between them, or its maps as slabs to scale.

`graph` takes a profile and what is open, and gives what is drawn; where each box stands is the browser's business.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from explorer.errors import LayerError
from explorer.net_export import family, folds_of
from explorer.profiling import INPUT, LayerProfile, NetworkProfile, Shape

READABLE: Final = 40
"""Boxes at most of a drawing that opens blocks by itself."""

PICTURE: Final = "picture"
"""Key of the node that stands for the network's input."""

NodeRole = Literal["input", "layer", "operation", "block", "fold"]

# what a box leaves out: channels stand in its shape, the rest in the table
_LEFT_OUT = re.compile(r".*→.*|.* channels|no bias|in place|padding .*|sizes rounded up")


@dataclass(frozen=True)
class Node:
    """A box of the drawing, or the frame around an open block.

    Attributes:
        key: unlike any other: path and call, and ×N for a fold; what `open` names.
        row: of the profile; of a fold, the first of its blocks; `INPUT` for the picture.
        rows: all that it stands for.
        title: the last part of its path, "conv1"; of a fold both ends, "0 … 4".
        settings: the short ones, "3 × 3, stride 2"; the profile has all.
        outputs: shapes; of a fold the last block's.
        share: of the network's MACs, from 0 to 1.
        times: blocks alike, one after another, that a fold stands for; 1 otherwise.
        parent: key of the frame that it stands in; "" where there is none.
        opens: whether there is something inside.
        opened: whether it is a frame, and its inside is drawn.
    """

    key: str
    row: int
    rows: range
    path: str
    call: int
    title: str
    kind: str
    family: str
    role: NodeRole
    settings: str
    outputs: tuple[Shape, ...]
    parameters: int
    macs: int
    share: float
    times: int
    parent: str
    opens: bool
    opened: bool

    def __post_init__(self) -> None:
        if self.opened and not self.opens:
            raise LayerError(f"There is nothing inside “{self.key}” that could be open.")


@dataclass(frozen=True)
class Edge:
    """Data from one box to another: what layers and operations inside hand over, merged.

    Attributes:
        source, target: keys of nodes that are not open.
        shapes: of what flows, each once.
        leaves: the profile's edges that it stands for.
    """

    source: str
    target: str
    shapes: tuple[Shape, ...]
    leaves: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if self.source == self.target:
            raise LayerError(f"An edge goes from one box to another, not from “{self.source}” to itself.")


@dataclass(frozen=True)
class Graph:
    """What is drawn: frames before what is inside, in the order of execution."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def boxes(self) -> tuple[Node, ...]:
        """Nodes without the frames."""
        return tuple(node for node in self.nodes if not node.opened)

    def holding(self, row: int) -> Node | None:
        """The frame of a row, or the box that it is in; None where the drawing has neither."""
        for node in self.nodes:
            if node.row == row and node.role != "fold":
                return node
        return next((node for node in reversed(self.nodes) if row in node.rows), None)


# The tree -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Item:
    """A row with all that is inside, or a fold of them."""

    row: int
    rows: range
    times: int
    inside: tuple[_Item, ...]

    def key(self, rows: Sequence[LayerProfile]) -> str:
        row = rows[self.row]
        return f"{row.path}~{row.call}" + (f"×{self.times}" if self.times > 1 else "")


def _tree(profile: NetworkProfile) -> tuple[_Item, ...]:
    """What stands in the network itself; it has no frame."""
    rows = profile.rows
    folds = {fold.first: fold for fold in folds_of(profile)}
    linked = set(profile.edges)

    def follows(first: int, size: int, times: int) -> bool:
        """Whether each block reads the one before it: blocks side by side are no ×N."""
        starts = [first + size * copy for copy in range(times)]
        return all(
            any((a, b) in linked for a in range(start - size, start) for b in range(start, start + size))
            for start in starts[1:]
        )

    def item(at: int, end: int) -> _Item:
        return _Item(at, range(at, end), 1, tuple(items(at + 1, end)))

    def items(start: int, end: int) -> Iterator[_Item]:
        while start < end:
            fold = folds.get(start)
            if fold and follows(fold.first, fold.size, fold.times):
                copies = tuple(item(at, at + fold.size) for at in range(start, fold.end, fold.size))
                yield _Item(start, range(start, fold.end), fold.times, copies)
                start = fold.end
            else:
                after = next((at for at in range(start + 1, end) if rows[at].depth <= rows[start].depth), end)
                yield item(start, after)
                start = after

    return tuple(items(1 if rows[0].role == "container" else 0, len(rows)))


def usually_open(profile: NetworkProfile) -> frozenset[str]:
    """Keys of the blocks that are open at first: all of a small network, of a larger one what reads well.

    Level by level, as long as there are at most `READABLE` boxes; then the first of each kind of block that has
    branches, as an example.
    """
    rows, level, opened = profile.rows, _tree(profile), set[str]()
    if len(profile.leaves) <= READABLE:
        return blocks(profile)
    while True:
        fuller = tuple(inner for item in level for inner in (item.inside or (item,)))
        if len(fuller) > READABLE or fuller == level:
            break
        opened |= {item.key(rows) for item in level if item.inside}
        level = fuller
    boxes, shown = len(level), set[str]()
    joins = _joins(profile)
    for item in level:
        kind, more = rows[item.row].kind, item.times - 1
        block = item.inside[0] if item.times > 1 else item
        more += len(block.inside) - 1
        if kind in shown or boxes + more > READABLE or not any(row in joins for row in block.rows):
            continue
        shown.add(kind)
        boxes += more
        opened |= {item.key(rows), block.key(rows)}
    return frozenset(opened)


def _joins(profile: NetworkProfile) -> frozenset[int]:
    """Rows that read two others or more."""
    reads: dict[int, int] = {}
    for _, target in profile.edges:
        reads[target] = reads.get(target, 0) + 1
    return frozenset(row for row, times in reads.items() if times > 1)


def blocks(profile: NetworkProfile) -> frozenset[str]:
    """Keys of all that can be open."""
    return frozenset(_blocks(_tree(profile), profile.rows))


def _blocks(items: Sequence[_Item], rows: Sequence[LayerProfile]) -> Iterator[str]:
    for item in items:
        if item.inside:
            yield item.key(rows)
            yield from _blocks(item.inside, rows)


# The graph ------------------------------------------------------------------------------------------


def graph(profile: NetworkProfile, open: Collection[str] = ()) -> Graph:
    """The boxes and curves of a network.

    >>> import torch
    >>> from torch import nn
    >>> from explorer.profiling import profile
    >>> with torch.device("meta"):
    ...     net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), nn.Flatten())
    >>> found = profile(net, (3, 8, 8))
    >>> [node.key for node in graph(found).nodes], [node.key for node in graph(found, {"0~0"}).boxes]
    (['picture', '0~0', '1~0'], ['picture', '0.0~0', '0.1~0', '1~0'])

    Args:
        profile: of the network.
        open: keys of blocks whose inside is drawn; others, and those in closed blocks, say nothing.
    """
    rows = profile.rows
    nodes = [_picture(profile)]
    holder = {INPUT: PICTURE}

    def add(items: Sequence[_Item], parent: str) -> None:
        for item in items:
            key = item.key(rows)
            opened = bool(item.inside) and key in open
            nodes.append(_node(profile, item, parent, opened))
            if opened:
                add(item.inside, key)
            else:
                holder.update(dict.fromkeys(item.rows, key))

    add(_tree(profile), "")
    merged: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for source, target in profile.edges:
        ends = holder[source], holder[target]
        if ends[0] != ends[1]:
            merged.setdefault(ends, []).append((source, target))
    return Graph(
        tuple(nodes),
        tuple(
            Edge(source, target, _shapes(profile, leaves), tuple(leaves))
            for (source, target), leaves in merged.items()
        ),
    )


def _picture(profile: NetworkProfile) -> Node:
    return Node(
        key=PICTURE,
        row=INPUT,
        rows=range(0),
        path="",
        call=0,
        title="picture",
        kind="Input",
        family="",
        role="input",
        settings="",
        outputs=(profile.input_shape,),
        parameters=0,
        macs=0,
        share=0.0,
        times=1,
        parent="",
        opens=False,
        opened=False,
    )


def _node(profile: NetworkProfile, item: _Item, parent: str, opened: bool) -> Node:
    rows = profile.rows
    row = rows[item.row]
    tops = [rows[inner.row] for inner in item.inside] if item.times > 1 else [row]
    macs = sum(top.macs for top in tops)
    ends = [top.path.rpartition(".")[2] for top in (tops[0], tops[-1])]
    role: NodeRole = "block"
    if item.times > 1:
        role = "fold"
    elif row.role == "layer" or row.role == "operation":
        role = row.role
    return Node(
        key=item.key(rows),
        row=item.row,
        rows=item.rows,
        path=row.path,
        call=row.call,
        title=_span(*ends) or profile.name,
        kind=row.kind,
        family=family(row.kind, row.role),
        role=role,
        settings=short(row.settings),
        outputs=tops[-1].outputs,
        parameters=sum(top.parameters for top in tops),
        macs=macs,
        share=macs / profile.macs if profile.macs else 0.0,
        times=item.times,
        parent=parent,
        opens=bool(item.inside),
        opened=opened,
    )


def _span(first: str, last: str) -> str:
    """Both ends of a fold's names; what they begin with is said once where numbers follow.

    >>> _span("0", "11"), _span("layer0", "layer11"), _span("conv", "conv")
    ('0 … 11', 'layer0 … 11', 'conv')
    """
    if first == last:
        return first
    number = last.removeprefix(first.rstrip("0123456789"))
    return f"{first} … {number if number.isdecimal() else last}"


def _shapes(profile: NetworkProfile, edges: Sequence[tuple[int, int]]) -> tuple[Shape, ...]:
    found: dict[Shape, None] = {}
    for source, target in edges:
        given = (profile.input_shape,) if source == INPUT else profile.rows[source].outputs
        # of several outputs those that arrive; a view on the way may have given them another shape
        arrived = [shape for shape in given if shape in profile.rows[target].inputs]
        found.update(dict.fromkeys(arrived or given))
    return tuple(found)


def short(settings: str) -> str:
    """Settings as a box shows them: without channels, padding and bias.

    >>> short("7 × 7, 3 → 64, stride 2, padding 3, no bias")
    '7 × 7, stride 2'
    """
    return ", ".join(part for part in settings.split(", ") if not _LEFT_OUT.fullmatch(part))


# Slabs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slab:
    """Maps of one shape, as a block whose edges follow channels, rows and columns.

    Attributes:
        row: that makes it; `INPUT` for the picture.
        rows: all that it stands for: those that are branched around, and what keeps its shape.
        kind: of the layer, or of the block that it comes out of.
        settings: the short ones of a layer; "" of a block.
        then: kinds of what follows and keeps the shape: normalisation, activation, dropout.
        family: of the layer; of a block, of what multiplies most in it; "" for the picture.
        shape: as the network has it.
        size: (channels, rows, columns); (numbers, 1, 1) of a dense layer, (width, tokens, 1) of a sequence.
    """

    row: int
    rows: range
    path: str
    call: int
    kind: str
    settings: str
    then: tuple[str, ...]
    family: str
    shape: Shape
    size: tuple[int, int, int]

    def __post_init__(self) -> None:
        if min(self.size) < 0:
            raise LayerError(f"A slab has sizes of at least 0, not {self.size}.")


def trunk(profile: NetworkProfile) -> tuple[int, ...]:
    """Rows of the layers and operations that all data goes through: no edge leads around them."""
    around = [0] * (len(profile.rows) + 1)
    for source, target in profile.edges:
        around[source + 1] += 1
        around[target] -= 1
    passing, found = 0, []
    joined = {target for _, target in profile.edges}
    for index, row in enumerate(profile.rows):
        passing += around[index]
        if row.role != "container" and passing == 0 and index in joined and row.outputs:
            found.append(index)
    return tuple(found)


def is_chain(profile: NetworkProfile) -> bool:
    """Whether each layer reads the one before it alone."""
    return len(trunk(profile)) == sum(bool(row.outputs) for row in profile.leaves)


def slabs(profile: NetworkProfile) -> tuple[Slab, ...]:
    """The maps of a network's trunk; the picture first, what keeps a shape joined to what made it.

    >>> import torch
    >>> from torch import nn
    >>> from explorer.profiling import profile
    >>> with torch.device("meta"):
    ...     net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
    >>> [(slab.kind, slab.then, slab.size) for slab in slabs(profile(net, (3, 8, 8)))]  # doctest: +ELLIPSIS
    [('Input', (), (3, 8, 8)), ('Conv2d', ('ReLU',), (8, 6, 6)), ('MaxPool2d', (), (8, 3, 3)), ...]
    """
    rows = profile.rows
    picture = profile.input_shape
    found = [Slab(INPUT, range(0), "", 0, "Input", "", (), "", picture, _size(picture))]
    before = INPUT
    for index in trunk(profile):
        row, last = rows[index], found[-1]
        skipped = [at for at in range(before + 1, index) if rows[at].role != "container"]
        keeps = family(row.kind, row.role) in ("normalisation", "activation", "other")
        if not skipped and keeps and row.outputs[0] == last.shape and last.row != INPUT:
            rest = range(last.rows.start, index + 1)
            found[-1] = replace(last, rows=rest, then=(*last.then, row.kind))
        else:
            block = _around(profile, skipped[0], index) if skipped else None
            if block and (block.path, block.call) == (last.path, last.call) and row.outputs[0] == last.shape:
                found[-1] = replace(last, row=index, rows=range(last.rows.start, index + 1), then=())
                before = index
                continue
            kind = block.kind if block else row.kind
            found.append(
                Slab(
                    index,
                    range(before + 1, index + 1),
                    block.path if block else row.path,
                    block.call if block else row.call,
                    kind,
                    "" if block else short(row.settings),
                    (),
                    _main_family(rows, [*skipped, index]),
                    row.outputs[0],
                    _size(row.outputs[0]),
                )
            )
        before = index
    return tuple(found)


def _around(profile: NetworkProfile, first: int, last: int) -> LayerProfile | None:
    """The smallest block that holds both rows; None where that is the network itself."""
    at = profile.parent(last)
    while at is not None and at > first:
        at = profile.parent(at)
    if not at:
        return None
    return profile.rows[at]


def _main_family(rows: Sequence[LayerProfile], indices: Sequence[int]) -> str:
    """Of what multiplies most; where nothing does, of the last."""
    most = max(reversed(indices), key=lambda index: rows[index].macs)
    return family(rows[most].kind, rows[most].role)


def _size(shape: Shape) -> tuple[int, int, int]:
    match shape:
        case ():
            return (1, 1, 1)
        case (numbers,):
            return (numbers, 1, 1)
        case (tokens, width):
            return (width, tokens, 1)
        case (channels, *_, high, wide):
            return (channels, high, wide)
    raise AssertionError  # the cases above are all


# For the browser ------------------------------------------------------------------------------------


def to_json(found: Graph) -> Mapping[str, object]:
    """Nodes and edges as the component takes them; an edge names its nodes by their place."""
    place = {node.key: index for index, node in enumerate(found.nodes)}
    levels = {"": 0}  # frames around
    for node in found.nodes:
        levels[node.key] = levels[node.parent] + 1
    return MappingProxyType(
        {
            "nodes": [
                {
                    "key": node.key,
                    "path": node.path,
                    "call": node.call,
                    "title": node.title,
                    "level": levels[node.parent],
                    "kind": node.kind,
                    "family": node.family,
                    "role": node.role,
                    "settings": node.settings,
                    "outputs": node.outputs,
                    "parameters": node.parameters,
                    "macs": node.macs,
                    "share": node.share,
                    "times": node.times,
                    "parent": place[node.parent] if node.parent else -1,
                    "opens": node.opens,
                    "opened": node.opened,
                }
                for node in found.nodes
            ],
            "edges": [[place[edge.source], place[edge.target], edge.shapes] for edge in found.edges],
        }
    )
