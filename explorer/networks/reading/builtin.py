"""Python's own functions, as far as code for networks needs them, each with the limits of everything else."""

from __future__ import annotations

import ast
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from explorer.networks.reading import budget, calls, members, naming, tables
from explorer.networks.reading.values import Bound, Function, Klass, Method, Partial, Symbol, Unread

if TYPE_CHECKING:
    from explorer.networks.reading.walker import Walker

_KINDS: Final[dict[str, Any]] = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.bool": bool,
    "builtins.str": str,
    "builtins.list": list,
    "builtins.tuple": tuple,
    "builtins.dict": dict,
    "torch.Tensor": Tensor,
    "torch.nn.Module": nn.Module,
    "torch.nn.Parameter": nn.Parameter,
    "torch.Size": torch.Size,
    "torch.nn.conv._ConvNd": nn.modules.conv._ConvNd,
    "torch.nn.batchnorm._BatchNorm": nn.modules.batchnorm._BatchNorm,
    "collections.abc.Iterable": (list, tuple, str, dict),
    "collections.abc.Sequence": (list, tuple, str),
    **tables.LAYERS,
}
_NUMBERS: Final[dict[str, Any]] = {"abs": abs, "round": round, "float": float, "divmod": divmod, "pow": pow}


def call(reader: Walker, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.Call) -> Any:
    """What one of Python's own functions gives."""
    if name == "getattr" and 2 <= len(arguments) <= 3 and isinstance(arguments[1], str):
        if len(arguments) == 3 and not members.has(reader, arguments[0], arguments[1], node):
            return arguments[2]
        return members.attribute(reader, arguments[0], arguments[1], node)
    if name == "setattr" and len(arguments) == 3 and isinstance(arguments[1], str):
        return members.set_attribute(reader, arguments[0], arguments[1], arguments[2], node)
    if name == "hasattr" and len(arguments) == 2 and isinstance(arguments[1], str):
        return members.has(reader, arguments[0], arguments[1], node)
    if any(isinstance(value, Unread) for value in arguments):
        return Unread(f"builtins.{name}")
    if name in ("isinstance", "issubclass") and len(arguments) == 2:
        return _kind_of(reader, name, arguments[0], arguments[1], node)
    if name == "callable" and len(arguments) == 1:
        return isinstance(arguments[0], nn.Module | Function | Klass | Bound | Method | Symbol | Partial)
    if name == "dict":
        return dict(ordered(reader, arguments, keywords, node))
    if name in ("zip", "enumerate", "map", "filter", "sum", "min", "max", "range", "sorted", "any", "all"):
        return _over(reader, name, arguments, keywords, node)
    if keywords or len(arguments) > 3:
        naming.refuse_name(reader, f"builtins.{name}", node) if name in (
            "open",
            "eval",
            "exec",
            "compile",
        ) else None
        reader.refuse(node, f"these arguments of {name} are not read.")
    return _of_values(reader, name, arguments, node)


def _of_values(reader: Walker, name: str, arguments: list[Any], node: ast.AST) -> Any:
    first = arguments[0] if arguments else None
    if name in ("list", "tuple", "reversed", "iter", "set", "frozenset"):
        items = reader.items(first, node) if arguments else []
        if name in ("set", "frozenset"):
            return list(dict.fromkeys(reader.key(one, node) for one in items))
        return tuple(items) if name == "tuple" else items[::-1] if name == "reversed" else items
    if name == "len" and len(arguments) == 1:
        if isinstance(first, Tensor) and first.dim():
            return first.shape[0]
        if isinstance(first, list | tuple | dict | str | nn.Sequential | nn.ModuleList | nn.ModuleDict):
            return len(first)
        reader.refuse(node, f"{naming.told(first)} has no length.")
    if name == "int" and arguments:
        if isinstance(first, Tensor):
            reader.refuse(node, "int() asks for the values of a tensor, and the table knows shapes alone.")
        if not isinstance(first, int | float) and not (isinstance(first, str) and len(first) < 20):
            reader.refuse(node, f"int() cannot take {naming.told(first)}.")
        return reader.attempt(node, "int()", int, first)
    if name == "str" and arguments:
        return reader.name_part(first, node)
    if name == "bool" and arguments:
        return reader.truth(first, node)
    if name == "type" and len(arguments) == 1:
        return members.class_of(reader, first, node)
    if name in _NUMBERS and arguments:
        if name == "float" and isinstance(first, str) and len(first) < 20:
            return reader.attempt(node, "float()", float, first)
        if name == "abs" and isinstance(first, Tensor):
            return calls.function_of_torch(reader, "torch.abs", arguments, {}, node)
        if not all(isinstance(value, int | float) for value in arguments):
            reader.refuse(node, f"{name}() takes numbers.")
        if name == "pow":
            return reader.binary(ast.Pow(), arguments[0], arguments[-1], node)
        return reader.attempt(node, f"{name}()", _NUMBERS[name], *arguments)
    if name in ("slice",):
        return slice(*arguments)
    naming.refuse_name(reader, f"builtins.{name}", node)


def _over(reader: Walker, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.Call) -> Any:
    """Functions that go over lists."""
    if name == "range":
        return _range(reader, arguments, node)
    if not arguments:
        reader.refuse(node, f"{name}() needs an argument.")
    if name == "enumerate":
        start = keywords.get("start", arguments[1] if len(arguments) > 1 else 0)
        if not isinstance(start, int):
            reader.refuse(node, "enumerate() starts at a whole number.")
        return [(start + index, value) for index, value in enumerate(reader.items(arguments[0], node))]
    if name == "zip":
        return list(zip(*(reader.items(value, node) for value in arguments), strict=False))
    if name in ("map", "filter"):
        if len(arguments) != 2:
            reader.refuse(node, f"{name}() takes a function and one list.")
        made = []
        for value in reader.items(arguments[1], node):
            reader.tick(node)
            result = calls.call(reader, arguments[0], [value], {}, node, reader.scope)
            if name == "map":
                made.append(result)
            elif reader.truth(result, node):
                made.append(value)
        return made
    several = name in ("min", "max") and len(arguments) > 1
    items = arguments if several else reader.items(arguments[0], node)
    if name in ("any", "all"):
        return (any if name == "any" else all)([reader.truth(value, node) for value in items])
    if name == "sum":
        total = keywords.get("start", arguments[1] if len(arguments) > 1 else 0)
        for value in items:
            reader.tick(node)
            total = reader.binary(ast.Add(), total, value, node)
        return total
    reverse = bool(keywords.pop("reverse", False)) if name == "sorted" else False
    if keywords or not all(isinstance(value, int | float | str) for value in items):
        reader.refuse(node, f"{name}() is read for numbers and texts.")
    if name == "sorted":
        return reader.attempt(node, "sorted()", lambda: sorted(items, reverse=reverse))
    return reader.attempt(node, f"{name}()", min if name == "min" else max, items)


def _range(reader: Walker, arguments: list[Any], node: ast.AST) -> list[int]:
    if not 1 <= len(arguments) <= 3 or not all(isinstance(value, int) for value in arguments):
        odd = next((value for value in arguments if not isinstance(value, int)), None)
        reader.refuse(node, f"range() takes one to three whole numbers, not {naming.told(odd)}.")
    numbers = reader.attempt(node, "range()", range, *arguments)
    count = max(0, -(-(numbers.stop - numbers.start) // numbers.step))
    if count > budget.ITEMS:
        reader.refuse(node, f"this range is {count:,} long; at most {budget.ITEMS:,} are gone through.")
    reader.tick(node, count // 16)
    return list(numbers)


def _kind_of(reader: Walker, name: str, value: Any, kind: Any, node: ast.AST) -> bool:
    for one in kind if isinstance(kind, tuple | list) else (kind,):
        if isinstance(one, Klass):
            known: Any = one.made or ()
        elif isinstance(one, Symbol) and one.path in _KINDS:
            known = _KINDS[one.path]
        else:
            reader.refuse(node, f"{name}() does not know {naming.told(one)}.")
        if name == "issubclass":
            below = value.made if isinstance(value, Klass) else _KINDS.get(getattr(value, "path", ""))
            if isinstance(below, type) and issubclass(below, known):
                return True
        elif isinstance(value, known) or (
            isinstance(known, type) and issubclass(getattr(value, "target", type(None)), known)
        ):
            return True
    return False


def ordered(
    reader: Walker, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> OrderedDict[Any, Any]:
    """A dictionary of pairs and keywords."""
    made: OrderedDict[Any, Any] = OrderedDict()
    if arguments and isinstance(arguments[0], dict):
        made.update(arguments[0])
    elif arguments:
        for pair in reader.items(arguments[0], node):
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                reader.refuse(node, f"a dictionary is made of pairs, and {naming.told(pair)} arrives.")
            made[reader.key(pair[0], node)] = pair[1]
    made.update(keywords)
    return made
