"""What things are called in sentences, and why names are not read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from torch import Tensor, nn

from explorer.networks.reading import tables
from explorer.networks.reading.refusal import nearest
from explorer.networks.reading.values import (
    Bound,
    Function,
    Klass,
    Method,
    Partial,
    Symbol,
    Unread,
)

if TYPE_CHECKING:
    from explorer.networks.reading.walker import Walker


def told(value: object) -> str:
    """What a value is called in a sentence.

    >>> told(Symbol("torch.nn.ReLU")), told(3.5), told([1])
    ('nn.ReLU', '3.5', 'a list')
    """
    if isinstance(value, Symbol | Unread):
        short = re.sub(r"^torch\.nn\.functional\b", "F", value.path.removeprefix("builtins."))
        return short.removeprefix("torch.") if short.startswith("torch.nn") else short
    if isinstance(value, bool | int | float | None):
        return str(value)[:40]
    if isinstance(value, Function):
        return f"the function {value.name}"
    if isinstance(value, Klass):
        return f"the class {value.name}"
    if isinstance(value, Bound):
        return f"the method {value.function.name}"
    if isinstance(value, Method):
        return f"the method {value.name}"
    if isinstance(value, Tensor):
        return "a tensor"
    if isinstance(value, nn.Module):
        return f"a layer ({type(value).__name__})"
    names = {str: "a text", list: "a list", dict: "a dictionary", Partial: "a partial", slice: "a slice"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "a tuple")


def keyword(call: ast.AST | None, name: str) -> ast.keyword | None:
    """Where a call itself names an argument; None where the argument comes from elsewhere."""
    written = call.keywords if isinstance(call, ast.Call) else []
    return next((one for one in written if one.arg == name), None)


def unread(path: str) -> bool:
    """Whether a name has no part in the shape of a network, as an optimiser, a loss or a plot."""
    if any(path in table for table in (tables.BASES, tables.FUNCTIONS, tables.QUIET, tables.SAME)):
        return False
    if path.startswith("torch.nn.") and (
        path.endswith(("Loss", "_loss")) or ".functional.cross_entropy" in path
    ):
        return True
    return any(path == name or path.startswith(name + ".") for name in tables.UNREAD)


def skipped(reader: Walker, path: str) -> Unread:
    """What a call gives that is not made."""
    if not path.startswith(("builtins.", "typing", "d2l", "torch.nn.init", "warnings")) and "." in path:
        reader.left_out[path] = None
    return Unread(path)


def refuse_name(reader: Walker, path: str, node: ast.AST) -> NoReturn:
    """Why this name is not read, with the nearest that is."""
    shown = told(Symbol(path))
    for prefix, reason in tables.REASONS.items():
        if path == prefix or path.startswith(prefix + "."):
            reader.refuse(node, reason.format(shown))
    if path.startswith("another file"):
        reader.refuse(node, f"{path.rpartition('.')[2]} comes from another file: paste its code too.")
    parent, _, name = path.rpartition(".")
    siblings: Iterable[str] = (
        known.rpartition(".")[2]
        for known in (*tables.LAYERS, *tables.FUNCTIONS, *tables.FACTORIES, "torch.nn.Module")
        if known.rpartition(".")[0] == parent
    )
    if parent == "torchvision.models":
        reader.refuse_word(
            node, f"{name} is not a network of torchvision", name, nearest(name, tables.MODELS), "models."
        )
    if parent == "builtins":
        reader.refuse(node, f"{name} is not read.")
    prefix = told(Symbol(parent)) + "." if parent else ""
    if parent == "torch.nn":
        layer = tables.SYNONYMS.get(name) or nearest(name, siblings)
        if not layer and nearest(name, [word for word in tables.SYNONYMS]):
            layer = tables.SYNONYMS[nearest(name, list(tables.SYNONYMS))]
        reader.refuse_word(node, f"nn.{name} is not a layer that is read", name, layer, "nn.")
    if parent.startswith("torch"):
        reader.refuse_word(
            node, f"{shown} is not a function that is read", name, nearest(name, siblings), prefix
        )
    package = path.partition(".")[0]
    reader.refuse(node, f"{shown} is not read: of {package} nothing has a part in the shapes of a network.")
