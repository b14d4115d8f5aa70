"""A network as it is edited: a name, the shape of its input, and its parts in order.

Nothing here knows torch.  Everything is checked once, when it is made, and never changes.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeAlias

from explorer.errors import ModelError
from explorer.networks.parts import GROUPS, MAX_CHANNELS, MAX_SIZE, PARTS, PartKind, Value

Shape: TypeAlias = tuple[int, ...]
"""Without the batch: (channels, rows, columns) of a map, (features,) of a row of numbers."""

IndexPath: TypeAlias = tuple[int, ...]
"""Where a part stands: (3, 1) is part 1 inside part 3 of the network.  () is the network itself."""

MAX_PARTS: Final = 1000
"""Most parts of a network, repetitions and the layers of blocks that have a number of them counted."""
MAX_DEPTH: Final = 8
MAX_NAME: Final = 40
MAX_TITLE: Final = 80

# what nn.Module itself calls so, and a layer therefore cannot be
_WORDS: Final = (
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches "
    "eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu "
    "load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters "
    "register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook "
    "register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty "
    "train training type xpu zero_grad append extend insert pop"
)
_TAKEN: Final = frozenset(_WORDS.split())


@dataclass(frozen=True, init=False)
class Part:
    """One part of a network.

    Attributes:
        kind: key of `PARTS`.
        settings: those that differ from their defaults, by name in alphabetical order; `part["stride"]` reads any.
        name: what the layer is called in code and in the table; "": by its kind and number.
        inside: the parts of a group ("sequence", "branches").

    >>> part = Part("conv", {"out_channels": 96, "kernel_size": (11, 11), "stride": 1})
    >>> part.settings, part["padding"]
    ((('kernel_size', 11), ('out_channels', 96)), 0)

    Raises:
        ModelError: there is no such kind or setting, or a value is outside its limits.
    """

    kind: str
    settings: tuple[tuple[str, Value], ...]
    name: str
    inside: tuple[Part, ...]

    def __init__(
        self,
        kind: str,
        settings: Mapping[str, object] | tuple[tuple[str, object], ...] = (),
        name: str = "",
        inside: tuple[Part, ...] = (),
    ) -> None:
        if kind not in PARTS:
            near = dict.fromkeys([*get_close_matches(kind[:MAX_NAME], PARTS, 5), *PARTS])
            listed = ", ".join(list(near)[:10])
            raise ModelError(
                f"There is no part “{kind[:MAX_NAME]}”; there are {listed} and {len(PARTS) - 10} others."
            )
        known = PARTS[kind]
        kept = {key: known.setting(key).accepted(value) for key, value in dict(settings).items()}
        differing = sorted((key, value) for key, value in kept.items() if value != known.setting(key).default)
        _check_name(name)
        if inside and kind not in GROUPS:
            raise ModelError(f"“{known.title}” has no parts inside.")
        _check_siblings(inside)
        for field, value in (
            ("kind", kind),
            ("settings", tuple(differing)),
            ("name", name),
            ("inside", tuple(inside)),
        ):
            object.__setattr__(self, field, value)

    def __getitem__(self, name: str) -> Value:
        default = PARTS[self.kind].setting(name).default
        return dict(self.settings).get(name, default)

    @property
    def about(self) -> PartKind:
        """Its kind."""
        return PARTS[self.kind]

    def whole(self, name: str) -> int:
        """A setting that is a whole number.

        >>> Part("linear").whole("out_features")
        10
        """
        value = self[name]
        if not isinstance(value, int):
            raise TypeError(f"`{name}` of a {self.kind} is not one whole number: {value!r}")
        return value

    def text(self, name: str) -> str:
        """A setting that is a word."""
        value = self[name]
        if not isinstance(value, str):
            raise TypeError(f"`{name}` of a {self.kind} is not a word: {value!r}")
        return value

    def number(self, name: str) -> float:
        """A setting that is a number."""
        value = self[name]
        if not isinstance(value, int | float):
            raise TypeError(f"`{name}` of a {self.kind} is not a number: {value!r}")
        return float(value)

    @property
    def size(self) -> int:
        """How many parts it stands for.

        >>> Part("sequence", {"times": 3}, inside=(Part("conv"), Part("relu"))).size
        6
        """
        if self.kind == "sequence":
            return self.whole("times") * max(1, sum(part.size for part in self.inside))
        if self.kind == "branches":
            return 1 + sum(part.size for part in self.inside)
        return self.whole("layers") if self.kind in ("vgg_block", "dense_block") else 1

    @property
    def depth(self) -> int:
        """How deep parts are nested: 1 where nothing is inside."""
        return 1 + max((part.depth for part in self.inside), default=0)


def part(kind: str, *inside: Part, name: str = "", **settings: object) -> Part:
    """A part, written shortly.

    >>> part("sequence", part("conv", out_channels=8), part("relu"), name="features", times=2).size
    4
    """
    return Part(kind, settings, name, inside)


@dataclass(frozen=True)
class NetworkSpec:
    """A network: its name, its input (channels, rows, columns), and its parts, one after the other.

    Raises:
        ModelError: the name or the shape is none, two parts have one name, or there are too many parts or levels.
    """

    name: str
    input_shape: tuple[int, int, int]
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if not (
            0 < len(self.name) <= MAX_TITLE and self.name.isprintable() and self.name.strip() == self.name
        ):
            raise ModelError(
                f"“{_visible(self.name)}” is no name for a network: 1 to {MAX_TITLE} characters that can be seen "
                "are meant."
            )
        if not isinstance(self.input_shape, tuple) or len(self.input_shape) != 3:
            raise ModelError(f"An input has channels, rows and columns, not {self.input_shape!r}.")
        for what, number, highest in zip(
            ("channels", "rows", "columns"), self.input_shape, (MAX_CHANNELS, MAX_SIZE, MAX_SIZE), strict=True
        ):
            if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= highest:
                raise ModelError(
                    f"The input has {number!r} {what}: a whole number from 1 to {highest:,} is meant."
                )
        _check_siblings(self.parts)
        depth = max((each.depth for each in self.parts), default=0)
        if depth > MAX_DEPTH:
            raise ModelError(f"Parts are nested {depth} deep; {MAX_DEPTH} levels are the most.")
        size = sum(each.size for each in self.parts)
        if size > MAX_PARTS:
            raise ModelError(
                f"The network has {size:,} parts, repeated ones counted; {MAX_PARTS:,} are the most."
            )

    def walk(self) -> Iterator[tuple[IndexPath, Part]]:
        """Every part with its path, groups before what is inside."""
        return _walk(self.parts, ())


def _walk(parts: tuple[Part, ...], path: IndexPath) -> Iterator[tuple[IndexPath, Part]]:
    for index, each in enumerate(parts):
        yield (*path, index), each
        yield from _walk(each.inside, (*path, index))


def part_at(spec: NetworkSpec, path: IndexPath) -> Part:
    """The part at a path.

    Raises:
        ModelError: there is none.
    """
    parts, found = spec.parts, None
    for index in path:
        if not 0 <= index < len(parts):
            raise ModelError(f"There is no part at {'.'.join(map(str, path))} of “{spec.name}”.")
        found = parts[index]
        parts = found.inside
    if found is None:
        raise ModelError("The network itself is not one of its parts.")
    return found


def names(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """What siblings are called: their own names, else their kind and number.

    >>> names((part("conv"), part("relu"), part("conv"), part("linear", name="head")))
    ('conv1', 'relu1', 'conv2', 'head')
    """
    taken = {each.name for each in parts if each.name}
    counts: dict[str, int] = {}
    found = []
    for each in parts:
        name = each.name
        while not name:
            counts[each.kind] = counts.get(each.kind, 0) + 1
            candidate = f"{each.kind}{counts[each.kind]}"
            name = "" if candidate in taken else candidate
        found.append(name)
    return tuple(found)


def layer_names(parts: tuple[Part, ...], top: bool) -> tuple[str, ...]:
    """What the layers of these siblings are called in code.

    On the top level, or where one has a name of its own, as `names`; else they are numbered, as in torch.
    """
    if top or any(each.name for each in parts):
        return names(parts)
    return tuple(map(str, range(len(parts))))


def _check_name(name: str) -> None:
    if not name:
        return
    if len(name) > MAX_NAME or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ModelError(
            f"“{_visible(name)}” cannot name a layer: a letter, then letters, digits and _ are meant, "
            f"{MAX_NAME} at most."
        )
    if keyword.iskeyword(name) or name in _TAKEN:
        raise ModelError(f"“{name}” cannot name a layer: Python and torch use the word themselves.")


def _check_siblings(parts: tuple[Part, ...]) -> None:
    seen: set[str] = set()
    for each in parts:
        if each.name and each.name in seen:
            raise ModelError(f"Two parts beside each other are called “{each.name}”.")
        seen.add(each.name)


def _visible(text: str) -> str:
    shown = "".join(character if character.isprintable() else "·" for character in text[: MAX_NAME + 1])
    return shown if len(shown) <= MAX_NAME else f"{shown[: MAX_NAME - 1]}…"
