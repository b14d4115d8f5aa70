"""Edits of one click that help where a network cannot go on.

Candidates follow from the settings that the part has and from what stands before it.  Each is tried: only those
are offered after which the part is no longer in trouble.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from explorer.errors import ExplorerError, ShapeError
from explorer.networks.editing import change, delete, insert, put, wrap
from explorer.networks.parts import MAX_SIZE, TOKENS, Value
from explorer.networks.planning import Trouble, label, output_shape, planned
from explorer.networks.spec import IndexPath, NetworkSpec, Part, Shape, part, part_at

MOST: Final = 6
"""Most repairs that are offered."""


@dataclass(frozen=True)
class Repair:
    """An edit after which a part is no longer in trouble.

    Attributes:
        label: as a button says it: "Add a flatten before it".
        before: the network that it is for.
        after: what it makes of it.
    """

    label: str
    before: NetworkSpec
    after: NetworkSpec

    def __call__(self, spec: NetworkSpec) -> NetworkSpec:
        """The repaired network; another than the one it is for stays as it is."""
        return self.after if spec == self.before else spec


def repairs(spec: NetworkSpec, trouble: Trouble | None = None) -> tuple[Repair, ...]:
    """What helps the part in trouble, the mildest first; () where nothing is wrong.

    >>> net = NetworkSpec("Small", (1, 28, 28), (part("conv"), part("linear")))
    >>> [repair.label for repair in repairs(net)]
    ['Add a flatten before it', 'Add global average pooling and a flatten before it', 'Remove “linear1”']
    """
    trouble = trouble or planned(spec).trouble
    if trouble is None:
        return ()
    found: dict[NetworkSpec, Repair] = {}
    for candidate in _candidates(spec, trouble):
        if len(found) == MOST - 1:
            break
        try:
            after = candidate.edit()
        except ExplorerError:
            continue  # beyond the limits of a setting, or of a network
        if after not in found and _goes_on(after, candidate.path, trouble):
            found[after] = Repair(candidate.label, spec, after)
    name = label(spec, trouble.path).partition("“")[2].rstrip("”")
    removed = Repair(f"Remove “{name}”", spec, delete(spec, trouble.path))
    found[removed.after] = removed
    return tuple(found.values())


@dataclass(frozen=True)
class _Candidate:
    """An edit that may help, and where the part in trouble stands after it."""

    label: str
    edit: Callable[[], NetworkSpec]
    path: IndexPath


def _goes_on(after: NetworkSpec, path: IndexPath, trouble: Trouble) -> bool:
    """Whether the part, now at `path`, goes on: there is no trouble any more, or only behind it."""
    now = planned(after).trouble
    if now is None:
        return True
    part_met = tuple(zip(trouble.rounds, path, strict=True))
    return tuple(zip(now.rounds, now.path, strict=True))[: len(part_met)] > part_met


def _candidates(spec: NetworkSpec, trouble: Trouble) -> Iterator[_Candidate]:
    path, arriving = trouble.path, trouble.input_shape
    each = part_at(spec, path)
    yield from _forms(spec, path, each, arriving)
    for title, settings in _settings(each, arriving):
        yield _Candidate(title, partial(change, spec, path, **settings), path)
    if each.kind == "branches":
        yield from _branches(spec, path, each, arriving)
    yield from _before(spec, path)
    yield from _larger_input(spec, trouble)


def _forms(spec: NetworkSpec, path: IndexPath, each: Part, arriving: Shape) -> Iterator[_Candidate]:
    """A map where a row of numbers or tokens are read, and the other way round."""
    *around, index = path
    if each.kind in TOKENS and len(arriving) == 3:
        yield _Candidate(
            "Make tokens of the map before it",
            partial(insert, spec, path, part("tokens")),
            (*around, index + 1),
        )
    if len(arriving) == 2:
        edit = partial(insert, spec, path, part("token_pool"))
        yield _Candidate("Take one token before it", edit, (*around, index + 1))
        for earlier, sibling in enumerate(_siblings(spec, path)[:index]):
            if sibling.kind == "tokens":
                yield _Candidate(
                    "Remove “Tokens” before it",
                    partial(delete, spec, (*around, earlier)),
                    (*around, index - 1),
                )
    if each.kind == "linear" and len(arriving) == 3:
        flatten, pool = part("flatten"), part("global_average_pool")
        yield _Candidate(
            "Add a flatten before it", partial(insert, spec, path, flatten), (*around, index + 1)
        )
        yield _Candidate(
            "Add global average pooling and a flatten before it",
            lambda: insert(insert(spec, path, flatten), path, pool),
            (*around, index + 2),
        )
    if len(arriving) == 1:
        for earlier, sibling in enumerate(_siblings(spec, path)[:index]):
            if sibling.kind == "flatten":
                edit = partial(delete, spec, (*around, earlier))
                yield _Candidate("Remove the flatten before it", edit, (*around, index - 1))


def _siblings(spec: NetworkSpec, path: IndexPath) -> tuple[Part, ...]:
    return part_at(spec, path[:-1]).inside if path[:-1] else spec.parts


def _settings(each: Part, arriving: Shape) -> Iterator[tuple[str, dict[str, Value]]]:
    """Other values of the settings that may be the cause, one at a time."""
    known = {setting.name for setting in each.about.settings}
    sizes = arriving[1:] if len(arriving) == 3 else ()
    width = arriving[0] if sizes else arriving[-1]
    if "inplace" in known and each["inplace"]:
        yield "Not in place", {"inplace": False}
    if "padding" in known and each["padding"] == "same":
        half = _half(each["kernel_size"])
        yield f"Padding {_text(half)} instead of “same”", {"padding": half}
        yield "Stride 1", {"stride": 1}
    if "groups" in known:
        yield from _group_settings(each, arriving[0])
    for name in ("heads", "head_channels"):
        if name in known:
            yield from _dividing(each, name, each.whole("out_channels") if "out_channels" in known else width)
    if "group_width" in known:
        yield from _dividing(each, "group_width", each.whole("out_channels"))
    if each.kind == "shuffle_unit":
        for leaving in (width, each.whole("out_channels") // 2 * 2 + 2):
            yield f"Make output channels {leaving:,}", {"out_channels": leaving}
        yield "Stride 2", {"stride": 2}
    for name in ("size", "window"):
        if name in known and sizes and each.kind in ("partition_attention", "maxvit_block"):
            stride = each.whole("stride") if "stride" in known else 1
            yield from _dividing(each, name, math.gcd(*(-(-size // stride) for size in sizes)))
    if "across" in known:
        yield "Windows instead of a grid", {"across": "window"}
    if "output_padding" in known and each["output_padding"] != 0:
        yield "Output padding 0", {"output_padding": 0}
    if "padding_mode" in known and each["padding_mode"] != "zeros":
        yield "Padding with zeros", {"padding_mode": "zeros"}
    if "padding" in known and sizes and not isinstance(each["padding"], str):
        half = _half(each["kernel_size"])
        # padding lets a window fit; half of it is the most that a pooling takes, and what keeps the size
        for padding in (*range(1, min(8, _highest(half)) + 1), half, 0):
            if padding != each["padding"]:
                yield (
                    f"Padding {_text(padding)} instead of {_text(each['padding'])}",
                    {"padding": padding},
                )
    if "dilation" in known and each["dilation"] != 1:
        yield "Dilation 1", {"dilation": 1}
    if "kernel_size" in known and sizes:
        fitting = _pair(
            tuple(min(size, kernel) for size, kernel in zip(sizes, _both(each["kernel_size"]), strict=True))
        )
        for kernel in (fitting, 1):
            # a pooling of one pixel is none
            if kernel != each["kernel_size"] and not (kernel == 1 and each.about.family == "pooling"):
                yield (
                    f"Kernel {_text(kernel)} instead of {_text(each['kernel_size'])}",
                    {"kernel_size": kernel, **({"padding": 0} if kernel == 1 and "padding" in known else {})},
                )
    for name in ("out_channels", "growth", "multiplier", "scale_factor", "out_features", "width", "layers"):
        if name in known:
            yield from _smaller(each, name)


def _dividing(each: Part, name: str, whole: int) -> Iterator[tuple[str, dict[str, Value]]]:
    """Values that divide a number, those near the present one first."""
    title, now = each.about.setting(name).title, each.whole(name)
    for divisor in sorted(_divisors(whole), key=lambda divisor: (abs(math.log(divisor / now)), divisor))[:2]:
        if divisor != now:
            yield f"{title} {divisor:,} instead of {now:,}", {name: divisor}


def _group_settings(each: Part, channels: int) -> Iterator[tuple[str, dict[str, Value]]]:
    groups = each.whole("groups")
    if each.kind == "resnext_bottleneck":
        return
    keeps = each.kind in ("group_norm", "channel_shuffle")
    leaving = channels if keeps else each.whole("out_channels")
    divisors = _divisors(math.gcd(channels, leaving))
    for divisor in sorted(divisors, key=lambda divisor: (abs(math.log(divisor / groups)), divisor))[:3]:
        yield f"Make groups {divisor:,}", {"groups": divisor}
    if not keeps and channels % groups == 0:
        nearest = max(1, round(leaving / groups)) * groups
        yield f"Make output channels {nearest:,}", {"out_channels": nearest}
    yield "Make groups 1", {"groups": 1}


def _smaller(each: Part, name: str) -> Iterator[tuple[str, dict[str, Value]]]:
    title, value = each.about.setting(name).title, each.whole(name)
    lowest = int(each.about.setting(name).lowest)
    while value > lowest:
        value = max(lowest, value // 10)
        yield f"{title} {value:,} instead of {each.whole(name):,}", {name: value}


def _branches(spec: NetworkSpec, path: IndexPath, each: Part, arriving: Shape) -> Iterator[_Candidate]:
    """Branches that do not meet: 1 × 1 convolutions bring them to one shape, or they are joined otherwise."""
    try:
        shapes = [output_shape(branch, arriving) for branch in each.inside]
    except ExplorerError:
        return
    if shapes and all(len(shape) == 3 for shape in shapes):
        title = "Add 1 × 1 convolutions that bring the branches to one shape"
        yield _Candidate(title, partial(_brought_together, spec, path, shapes), path)
    if each["join"] != "cat":
        edit = partial(change, spec, path, join="cat")
        yield _Candidate("Put the channels side by side instead", edit, path)
    for index in reversed(range(len(shapes))):
        yield _Candidate(f"Remove branch {index + 1}", partial(delete, spec, (*path, index)), path)


def _brought_together(spec: NetworkSpec, path: IndexPath, shapes: Sequence[Shape]) -> NetworkSpec:
    """Every branch brought to the smallest map among them, and to its channels where they are not put side by side."""
    target = max(shapes, key=lambda shape: (-math.prod(shape[1:]), shape[0]))
    channels_stay = part_at(spec, path)["join"] == "cat"
    for index, shape in enumerate(shapes):
        wanted = (shape[0], *target[1:]) if channels_stay else target
        if shape != wanted:
            spec = _projected(spec, (*path, index), shape, wanted)
    return spec


def _projected(spec: NetworkSpec, path: IndexPath, shape: Shape, target: Shape) -> NetworkSpec:
    """The branch with a 1 × 1 convolution at its end that brings it from one shape to the other.

    Raises:
        ShapeError: no stride does.
    """
    strides = []
    for size, wanted in zip(shape[1:], target[1:], strict=True):
        stride = next((each for each in range(1, size + 1) if (size - 1) // each + 1 == wanted), None)
        if stride is None:
            raise ShapeError(f"No stride brings {size} to {wanted}.")
        strides.append(stride)
    settings = {"out_channels": target[0], "kernel_size": 1, "stride": tuple(strides), "bias": False}
    projection = Part("conv", settings)
    branch = part_at(spec, path)
    if branch.kind == "sequence" and branch.whole("times") == 1:
        return put(spec, path, Part("sequence", {}, branch.name, (*branch.inside, projection)))
    return insert(wrap(spec, path), (*path, 1), projection)


def _before(spec: NetworkSpec, path: IndexPath) -> Iterator[_Candidate]:
    """Without a pooling or a stride before it, the nearest first."""
    siblings = _siblings(spec, path)
    for index in reversed(range(path[-1])):
        at, earlier = (*path[:-1], index), siblings[index]
        if earlier.about.family == "pooling" and earlier.kind not in _NO_POOLING:
            name = label(spec, at).partition("“")[2].rstrip("”")
            edit = partial(delete, spec, at)
            yield _Candidate(f"Remove the pooling “{name}” before it", edit, (*path[:-1], path[-1] - 1))
            return


_NO_POOLING: Final = ("upsample", "zero_pad", "half", "channel_shuffle")


def _larger_input(spec: NetworkSpec, trouble: Trouble) -> Iterator[_Candidate]:
    """The smallest power of two times the input with which the part goes on."""
    if len(trouble.input_shape) != 3:
        return
    channels, rows, columns = spec.input_shape
    factor = 2
    while max(rows, columns) * factor <= MAX_SIZE:
        shape = (channels, rows * factor, columns * factor)
        larger = NetworkSpec(spec.name, shape, spec.parts)
        if _goes_on(larger, trouble.path, trouble):
            title = f"An input of {shape[1]:,} × {shape[2]:,} pixels"
            yield _Candidate(title, partial(replace, larger), trouble.path)
            return
        factor *= 2


# Numbers ---------------------------------------------------------------------------------------------


def _both(value: Value) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (int(value), int(value))


def _pair(values: tuple[int, ...]) -> Value:
    return values[0] if len(set(values)) == 1 else (values[0], values[1])


def _half(kernel: Value) -> Value:
    return _pair(tuple(size // 2 for size in _both(kernel)))


def _highest(value: Value) -> int:
    return max(_both(value))


def _text(value: Value) -> str:
    return " × ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _divisors(number: int) -> Iterable[int]:
    small = [each for each in range(1, math.isqrt(number) + 1) if number % each == 0]
    return {*small, *(number // each for each in small)}
