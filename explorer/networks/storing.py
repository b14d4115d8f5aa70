"""A network as text: JSON for a file, and a short form for a link.  What is read is anybody's, until it is a spec.

The form, version 1:

    {"format": "cnn-explorer-network", "version": 1, "name": "Small", "input": [1, 28, 28],
     "parts": [{"kind": "conv", "kernel_size": 5, "name": "first"}, {"kind": "sequence", "inside": […]}]}

Settings stand beside the kind; those that are left out have their defaults.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from explorer.errors import ModelError
from explorer.networks.spec import MAX_DEPTH, NetworkSpec, Part

FORMAT: Final = "cnn-explorer-network"
VERSION: Final = 1
MAX_TEXT: Final = 200_000
"""Longest JSON that is read, in characters."""
MAX_LINK: Final = 8_000
"""Longest text of a link, in characters."""


def write(spec: NetworkSpec) -> str:
    """The network as JSON for people: a part on each line, keys in one order, defaults left out.

    >>> from explorer.networks.spec import part
    >>> print(write(NetworkSpec("Small", (1, 28, 28), (part("conv", kernel_size=5), part("relu")))))
    {
      "format": "cnn-explorer-network",
      "version": 1,
      "name": "Small",
      "input": [1, 28, 28],
      "parts": [
        {"kind": "conv", "kernel_size": 5},
        {"kind": "relu"}
      ]
    }
    """
    head = [
        f"  {_dumped(key)}: {_dumped(value)},"
        for key, value in (
            ("format", FORMAT),
            ("version", VERSION),
            ("name", spec.name),
            ("input", spec.input_shape),
        )
    ]
    return "\n".join(["{", *head, f'  "parts": {_listed(spec.parts, 1)}', "}"])


def read(text: str) -> NetworkSpec:
    """A network from its JSON.

    Raises:
        ModelError: it is too long, no JSON, or not such a network.
    """
    if len(text) > MAX_TEXT:
        raise ModelError(f"The text is {len(text):,} characters long; {MAX_TEXT:,} are the most.")
    return _network(_parsed(text, "text"))


def to_link(spec: NetworkSpec) -> str:
    """The network as short text for a link; `from_link` reads it back.

    Raises:
        ModelError: it is too large for a link.
    """
    compact = json.dumps(
        [spec.name, spec.input_shape, [_plain(part) for part in spec.parts]],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    packed = base64.urlsafe_b64encode(zlib.compress(compact.encode(), 9)).decode().rstrip("=")
    link = f"{VERSION}{packed}"
    if len(link) > MAX_LINK:
        raise ModelError(
            f"The network takes {len(link):,} characters; a link has {MAX_LINK:,} at most: save it as a file."
        )
    return link


def from_link(link: str) -> NetworkSpec:
    """A network from the text of a link.

    Raises:
        ModelError: it is too long, cut off, damaged, or not such a network.
    """
    if len(link) > MAX_LINK:
        raise ModelError(f"The link is {len(link):,} characters long; {MAX_LINK:,} are the most.")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", link, re.ASCII):
        raise ModelError("The link is no network: letters, digits, - and _ are meant.")
    if link[0] != str(VERSION):
        raise ModelError(f"The link's network is of version “{link[0]}”; version {VERSION} is read here.")
    try:
        packed = base64.b64decode(link[1:] + "=" * (-(len(link) - 1) % 4), altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(packed, MAX_TEXT)
        whole = unpacking.eof and not unpacking.unused_data
        if unpacking.unconsumed_tail:
            raise ModelError(f"The link unpacks to more than {MAX_TEXT:,} characters.")
        text = raw.decode()
    except (binascii.Error, zlib.error, UnicodeDecodeError) as error:
        raise ModelError("The link's network is damaged, or only a part of it was copied.") from error
    if not whole:
        raise ModelError("The link's network is cut off: only a part of it was copied.")
    data = _parsed(text, "link")
    if not isinstance(data, list) or len(data) != 3:
        raise ModelError("The link's network is not a name, an input and parts.")
    return _network(
        {"format": FORMAT, "version": VERSION, "name": data[0], "input": data[1], "parts": data[2]}
    )


# Writing ---------------------------------------------------------------------------------------------


def _plain(part: Part) -> dict[str, Any]:
    """A part as JSON knows it: the kind, the name if it has one, its settings, and what is inside."""
    plain: dict[str, Any] = {"kind": part.kind}
    if part.name:
        plain["name"] = part.name
    plain |= dict(part.settings)
    if part.inside:
        plain["inside"] = [_plain(each) for each in part.inside]
    return plain


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _listed(parts: Iterable[Part], level: int) -> str:
    margin = "  " * (level + 1)
    lines = [f"{margin}{_written(part, level + 1)}" for part in parts]
    return "[\n" + ",\n".join(lines) + "\n" + "  " * level + "]" if lines else "[]"


def _written(part: Part, level: int) -> str:
    plain = _plain(part)
    plain.pop("inside", None)
    line = _dumped(plain)
    return f'{line[:-1]}, "inside": {_listed(part.inside, level)}}}' if part.inside else line


# Reading ---------------------------------------------------------------------------------------------


def _parsed(text: str, what: str) -> object:
    # a reader of JSON goes one step deeper at each bracket: too many are refused before it begins
    if _nesting(text) > 2 * MAX_DEPTH + 4:
        raise ModelError(
            f"The {what} is nested {_nesting(text)} deep; {MAX_DEPTH} levels of parts are the most."
        )
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The {what} is not JSON: {_first_line(error)}.") from error


def _nesting(text: str) -> int:
    """How deep brackets are nested, those within strings left out."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ModelError(f"`{twice[:40]}` stands twice in one place.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ModelError(f"{name} is not a number that can be used.")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")[:120]


def _network(data: object) -> NetworkSpec:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelError(f"The text is not a network: it has no `format` “{FORMAT}”.")
    version = data.get("version")
    if version != VERSION or not isinstance(version, int) or isinstance(version, bool):
        raise ModelError(f"The network is of version {_shown(version)}; version {VERSION} is read here.")
    unknown = sorted(data.keys() - {"format", "version", "name", "input", "parts"})
    if unknown:
        raise ModelError(f"A network has no `{unknown[0][:40]}`; it has a name, an input and parts.")
    name, shape = data.get("name"), data.get("input")
    if not isinstance(name, str):
        raise ModelError(f"The network's name is {_shown(name)}: a text is meant.")
    if not isinstance(shape, list):
        raise ModelError(f"The network's input is {_shown(shape)}: channels, rows and columns are meant.")
    return NetworkSpec(name, tuple(shape), _parts(data.get("parts")))


def _parts(data: object) -> tuple[Part, ...]:
    if not isinstance(data, list):
        raise ModelError(f"The parts are {_shown(data)}: a list is meant.")
    return tuple(map(_part, data))


def _part(data: object) -> Part:
    if not isinstance(data, dict):
        raise ModelError(f"A part is {_shown(data)}: its kind and settings are meant.")
    settings = dict(data)
    kind, name, inside = settings.pop("kind", None), settings.pop("name", ""), settings.pop("inside", [])
    if not isinstance(kind, str) or not isinstance(name, str):
        raise ModelError(f"The kind and the name of a part are texts, not {_shown(kind)} and {_shown(name)}.")
    return Part(kind, settings, name, _parts(inside))


def _shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
