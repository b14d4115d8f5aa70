"""Edits of a network: each gives a new one, and leaves the old as it was.

Paths are those of `NetworkSpec.walk`.  Two parts beside each other never get one name: the later one is numbered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from explorer.errors import ModelError
from explorer.networks.opening import opened
from explorer.networks.parts import BLOCKS, GROUPS, PARTS
from explorer.networks.planning import Placed, planned
from explorer.networks.spec import MAX_NAME, IndexPath, NetworkSpec, Part, Shape, part_at

Parts = tuple[Part, ...]
MAX_STEPS = 200
"""Steps that a history keeps."""


def new_part(kind: str) -> Part:
    """A typical part of its kind, as a button adds it.

    >>> new_part("conv")["padding"]
    1

    Raises:
        ModelError: there is no such kind.
    """
    return Part(kind, PARTS[kind].start if kind in PARTS else {})


def add(spec: NetworkSpec, part: Part, group: IndexPath = ()) -> NetworkSpec:
    """The part at the end of the network, or of a group.

    Raises:
        ModelError: there is no such group.
    """
    count = len(part_at(spec, group).inside if group else spec.parts)
    return insert(spec, (*group, count), part)


def insert(spec: NetworkSpec, path: IndexPath, part: Part) -> NetworkSpec:
    """The part so that it stands at `path`, and what stood there behind it.

    Raises:
        ModelError: there is no such place.
    """

    def edit(parts: Parts, index: int) -> Parts:
        if not 0 <= index <= len(parts):
            raise ModelError(f"There is no place {index} among {len(parts)} parts.")
        return _joined(parts[:index], (part,), parts[index:])

    return _edited(spec, path, edit)


def put(spec: NetworkSpec, path: IndexPath, *parts: Part) -> NetworkSpec:
    """These parts in place of the one at `path`: none removes it.

    Raises:
        ModelError: there is no such part.
    """
    part_at(spec, path)
    return _edited(
        spec, path, lambda siblings, index: _joined(siblings[:index], parts, siblings[index + 1 :])
    )


def change(spec: NetworkSpec, path: IndexPath, **settings: object) -> NetworkSpec:
    """The part at `path` with other settings.

    >>> from explorer.networks.spec import part
    >>> change(NetworkSpec("Net", (3, 8, 8), (part("conv"),)), (0,), stride=2).parts[0].settings
    (('stride', 2),)

    Raises:
        ModelError: there is no such part or setting, or a value is outside its limits.
    """
    part = part_at(spec, path)
    return put(spec, path, Part(part.kind, {**dict(part.settings), **settings}, part.name, part.inside))


def rename(spec: NetworkSpec, path: IndexPath, name: str) -> NetworkSpec:
    """The part at `path` under another name; "": by its kind and number.

    Raises:
        ModelError: it cannot be a layer's name, or a part beside it has it.
    """
    part = part_at(spec, path)
    siblings = part_at(spec, path[:-1]).inside if path[:-1] else spec.parts
    if name and any(each.name == name for index, each in enumerate(siblings) if index != path[-1]):
        raise ModelError(f"A part beside it is called “{name[:MAX_NAME]}” already.")
    return put(spec, path, Part(part.kind, part.settings, name, part.inside))


def delete(spec: NetworkSpec, path: IndexPath) -> NetworkSpec:
    """The network without the part at `path`.

    Raises:
        ModelError: there is no such part.
    """
    return put(spec, path)


def duplicate(spec: NetworkSpec, path: IndexPath) -> NetworkSpec:
    """The part at `path` once more, behind itself.

    Raises:
        ModelError: there is no such part, or the network would become too large.
    """
    return insert(spec, (*path[:-1], path[-1] + 1), part_at(spec, path))


def move(spec: NetworkSpec, path: IndexPath, to: IndexPath) -> NetworkSpec:
    """The part at `path` taken out, and put so that it stands at `to` afterwards.

    >>> from explorer.networks.spec import part
    >>> net = NetworkSpec("Net", (3, 8, 8), (part("relu"), part("conv"), part("dropout")))
    >>> [each.kind for each in move(net, (0,), (2,)).parts]
    ['conv', 'dropout', 'relu']

    Raises:
        ModelError: there is no such part or place.
    """
    return insert(delete(spec, path), to, part_at(spec, path))


def wrap(
    spec: NetworkSpec, path: IndexPath, count: int = 1, name: str = "", kind: str = "sequence"
) -> NetworkSpec:
    """`count` parts from `path` on, as one group.

    Raises:
        ModelError: there are not so many, or the kind is not one of groups.
    """
    if kind not in GROUPS:
        raise ModelError(f"“{kind[:MAX_NAME]}” is not a group; there are {', '.join(sorted(GROUPS))}.")

    def edit(parts: Parts, index: int) -> Parts:
        if not 1 <= count <= len(parts) - index:
            raise ModelError(f"From there on there are {len(parts) - index} parts, not {count}.")
        group = Part(kind, {}, name, parts[index : index + count])
        return _joined(parts[:index], (group,), parts[index + count :])

    part_at(spec, path)
    return _edited(spec, path, edit)


def unwrap(spec: NetworkSpec, path: IndexPath) -> NetworkSpec:
    """What is inside the group at `path` in its place, as often as it was repeated.

    Raises:
        ModelError: it is not a group, or it has several branches, which cannot stand one after the other.
    """
    group = part_at(spec, path)
    if group.kind not in GROUPS:
        raise ModelError(f"“{group.about.title}” is not a group: there is nothing to take out.")
    if group.kind == "branches" and len(group.inside) > 1:
        raise ModelError(
            f"{len(group.inside)} branches read the same input: they cannot stand one after the other."
        )
    times = group.whole("times") if group.kind == "sequence" else 1
    return put(spec, path, *group.inside * times)


def open_block(spec: NetworkSpec, path: IndexPath) -> NetworkSpec:
    """The block at `path` as a group of the parts that it stands for.

    Where a group around it is repeated, the first time counts: what is inside must fit each time.

    Raises:
        ModelError: it is not a block, the network does not reach it, or its parts would be too many.
    """
    part = part_at(spec, path)
    if part.kind not in BLOCKS:
        raise ModelError(f"“{part.about.title}” is not a block: there is nothing to open.")
    arriving = {shape for shape in arrivals(spec, path)}
    if not arriving:
        raise ModelError(f"“{part.about.title}” cannot be opened: what arrives is not known.")
    groups = {opened(part, shape) for shape in arriving}
    if len(groups) > 1:
        shapes = " and ".join(f"{shape[0]:,}" for shape in sorted(arriving))
        raise ModelError(
            f"“{part.about.title}” is repeated with {shapes} channels arriving: take its group apart first."
        )
    return put(spec, path, groups.pop())


def arrivals(spec: NetworkSpec, path: IndexPath) -> tuple[Shape, ...]:
    """The shapes that arrive at the part at `path`, one for each repetition, as far as the network goes."""
    return tuple(placed.input_shape for placed in _all(planned(spec).placed) if placed.path == path)


def _all(placed: tuple[Placed, ...]) -> list[Placed]:
    found = []
    for each in placed:
        found.append(each)
        for inside in each.rounds:
            found += _all(inside)
    return found


def _edited(spec: NetworkSpec, path: IndexPath, edit: Callable[[Parts, int], Parts]) -> NetworkSpec:
    """The network with `edit` done to the siblings at `path` and the last index of it."""
    if not path:
        raise ModelError("The network itself is not one of its parts.")
    *around, index = path
    if not around:
        return replace(spec, parts=edit(spec.parts, index))
    group = part_at(spec, tuple(around))
    if group.kind not in GROUPS:
        raise ModelError(f"“{group.about.title}” has no parts inside.")
    inside = edit(group.inside, index)
    return put(spec, tuple(around), Part(group.kind, group.settings, group.name, inside))


def _joined(before: Parts, new: Parts, after: Parts) -> Parts:
    """All of them, the new ones under names that the others leave free."""
    taken = {each.name for each in (*before, *after) if each.name}
    named = []
    for each in new:
        name = each.name
        stem, number = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr]
        while name in taken:
            number = str(int(number or 1) + 1)
            name = f"{stem[: MAX_NAME - len(number)]}{number}"
        if name:
            taken.add(name)
        named.append(each if name == each.name else Part(each.kind, each.settings, name, each.inside))
    return (*before, *named, *after)


# What was, and can be again --------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """A network, those before it, and those that were undone.

    >>> net = NetworkSpec("Net", (3, 8, 8))
    >>> history = History(net).done(add(net, new_part("conv")))
    >>> history.undone().now == net, history.undone().redone() == history
    (True, True)
    """

    now: NetworkSpec
    before: tuple[NetworkSpec, ...] = ()
    after: tuple[NetworkSpec, ...] = ()

    def done(self, spec: NetworkSpec) -> History:
        """After a step to another network; what had been undone is forgotten.  No step where nothing changed."""
        if spec == self.now:
            return self
        return History(spec, (*self.before, self.now)[-MAX_STEPS:])

    def undone(self) -> History:
        """One step back, if there is one."""
        if not self.before:
            return self
        return History(self.before[-1], self.before[:-1], (self.now, *self.after))

    def redone(self) -> History:
        """One step forward again, if there is one."""
        if not self.after:
            return self
        return History(self.after[0], (*self.before, self.now), self.after[1:])
