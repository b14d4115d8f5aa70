"""Code mended: one number where a layer expects another than arrives, one word where it is not known."""

from __future__ import annotations

import ast
import copy
import inspect
from collections import Counter
from collections.abc import Sequence
from typing import Final

import torch
from torch import nn

from explorer.networks.reading import budget
from explorer.networks.reading.network import Shape, read_network
from explorer.networks.reading.refusal import CodeError, Place, Spelling
from explorer.networks.reading.tables import LAYERS
from explorer.networks.reading.text import Source, clean, parse

_FIRST: Final = (
    "in_channels",
    "in_features",
    "num_features",
    "num_channels",
    "normalized_shape",
    "embed_dim",
)
"""What a layer expects to arrive, its first argument."""
_NAMED_LINES: Final = 4
"""Most lines that the name of a change lists."""


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
    if place.line != place.end_line:
        return None
    edited = _replaced(text, [place], str(arrived))
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


# A word that is not known ----------------------------------------------------------------------------------


def respell(source: str, error: CodeError) -> tuple[str, str] | None:
    """The code with the word that an error calls unknown made the one that was meant, and what the change is called.

    A name of torch is changed wherever it is written the same way; one that the code itself gives a value, as `x` and
    `self`, may mean something else elsewhere, so there the one place is changed.  Texts and comments stay.  None where
    no other word is near, or the word does not stand in the code.

    >>> code = "nn.Sequential(nn.Conv2D(3, 8, 3), nn.Conv2D(8, 8, 3))"
    >>> try: read_network(code)
    ... except CodeError as error: respell(code, error)
    ('Change Conv2D to Conv2d in line 1', 'nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))')
    """
    wish = error.instead
    if wish is None:
        return None
    try:
        tree, text = parse(clean(source))
    except CodeError:
        return None
    places = [place for place in _same_word(tree, text, wish) if _at(text, place) == wish.word]
    if not places:
        return None
    lines = [str(line) for line in sorted({place.line for place in places})]
    where = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(lines[:-1])} and {lines[-1]}"
    if len(lines) > _NAMED_LINES:
        where = f"{len(lines)} lines"
    return f"Change {wish.word} to {wish.meant} in {where}", _replaced(text, places, wish.meant)


def refusal(module: nn.Module, input_shape: Shape) -> CodeError | None:
    """Why the forward of a network that was read is refused; None where it runs, or torch itself refuses it."""
    try:
        # a copy: lazy layers would take their sizes from this run
        with torch.no_grad(), budget.fresh():
            copy.deepcopy(module)(torch.empty(1, *input_shape, device="meta"))
    except CodeError as error:
        return error
    except Exception:  # torch's own words name no word of the code
        return None
    return None


def _same_word(tree: ast.Module, text: Source, wish: Spelling) -> list[Place]:
    """Where the word that is not known is written, and means the same."""
    nodes = list(ast.walk(tree))
    named = [node for node in nodes if isinstance(node, ast.Attribute | ast.Name | ast.keyword)]
    here = next((node for node in named if _last(node) == wish.word and text.word(node) == wish.place), None)
    own = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    whole = _dotted(here)
    if here is not None and (not whole or whole.partition(".")[0] in own):
        return [wish.place]
    found: list[ast.AST] = []
    for node in named:
        path = _dotted(node)
        # passed on under another name, it is looked for wherever it is an attribute of something imported
        alike = path == whole if whole else "." in path and path.partition(".")[0] not in own
        if path and alike and _last(node) == wish.word:
            found.append(node)
    if "." not in whole:  # a name as it was imported
        imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        found += [alias for node in imports for alias in node.names if alias.name == wish.word]
    return [text.word(node) for node in found]


def _last(node: ast.AST) -> str | None:
    """The name that a node ends with."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.keyword(arg=name):
            return name
    return None


def _dotted(node: ast.AST | None) -> str:
    """A name, or names with dots between; "" of anything else.

    >>> [_dotted(ast.parse(code, mode="eval").body) for code in ("nn.functional.relu", "f().relu")]
    ['nn.functional.relu', '']
    """
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


# The text --------------------------------------------------------------------------------------------------


def _at(text: Source, place: Place) -> str:
    """What stands at a place within a line."""
    return text.lines[place.line - 1][place.column - 1 : place.end_column - 1]


def _replaced(text: Source, places: Sequence[Place], word: str) -> str:
    """The code as it was given, with other text at places that each lie within a line."""
    lines = list(text.lines)
    for place in sorted(places, key=lambda each: each.column, reverse=True):
        line = lines[place.line - 1]
        lines[place.line - 1] = line[: place.column - 1] + word + line[place.end_column - 1 :]
    return "\n".join(lines)
