"""One number of the code changed, where a layer expects another than arrives."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from typing import Final

from torch import nn

from explorer.networks.reading.network import read_network
from explorer.networks.reading.refusal import CodeError, Place
from explorer.networks.reading.tables import LAYERS
from explorer.networks.reading.text import Source, clean

_FIRST: Final = (
    "in_channels",
    "in_features",
    "num_features",
    "num_channels",
    "normalized_shape",
    "embed_dim",
)
"""What a layer expects to arrive, its first argument."""


def suggest(source: str, path: str, expected: int, arrived: int, name: str = "") -> tuple[str, str] | None:
    """The code with the number that this layer expects made the one that arrives, and what the change is called.

    Only where the number stands in the layer's own call, as a number (or a product of numbers), and that call makes
    this layer alone; None otherwise.

    >>> suggest("nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(64, 64, 3))", "1", 64, 32)
    ('Change 64 to 32 in line 1: in_channels of Conv2d', 'nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3))')
    """
    try:
        read = read_network(source, name)
    except CodeError:
        return None
    call = read.calls.get(path)
    if call is None or arrived < 1 or Counter(map(id, read.calls.values()))[id(call)] > 1:
        return None
    found = _argument(read.module.get_submodule(path), call)
    if found is None or _number(found[1]) != expected:
        return None
    argument, literal = found
    text = clean(source)
    place = text.place(literal)
    edited = _replaced(text, place, str(arrived))
    if edited is None:
        return None
    try:
        after = read_network(edited, name).module.get_submodule(path)
    except (CodeError, AttributeError):
        return None
    if getattr(after, argument, None) not in (arrived, (arrived,)):
        return None
    told = f"Change {expected} to {arrived} in line {place.line}: {argument} of {type(after).__name__}"
    return told, edited


def _argument(layer: nn.Module, call: ast.Call) -> tuple[str, ast.expr] | None:
    """Name and expression of what the layer expects to arrive."""
    if type(layer) not in LAYERS.values():
        return None
    names = list(inspect.signature(type(layer).__init__).parameters)[1:]
    for index, name in enumerate(names[:2]):
        if name not in _FIRST:
            continue
        for keyword in call.keywords:
            if keyword.arg == name:
                return name, keyword.value
        plain = not any(isinstance(one, ast.Starred) for one in call.args[: index + 1])
        return (name, call.args[index]) if plain and index < len(call.args) else None
    return None


def _number(node: ast.expr) -> int | None:
    """The value of a number, or of a product of numbers, that is written out."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _number(node.left), _number(node.right)
        return left * right if left is not None and right is not None else None
    return None


def _replaced(text: Source, place: Place, number: str) -> str | None:
    if place.line != place.end_line:
        return None
    lines = list(text.lines)
    line = lines[place.line - 1]
    lines[place.line - 1] = line[: place.column - 1] + number + line[place.end_column - 1 :]
    return "\n".join(lines)
