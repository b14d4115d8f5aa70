"""What methods of tensors, layers, lists, dictionaries and texts give."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from explorer.networks.reading import budget, calls, making, members, naming, tables
from explorer.networks.reading.values import (
    Lazy,
    ReadModule,
    Scope,
    Super,
    Unread,
)

if TYPE_CHECKING:
    from explorer.networks.reading.walker import Walker


_FIELD: Final = re.compile(r"\{(\w*)(?::0?\d{0,2}d?)?\}")


def method(
    reader: Walker, owner: Any, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.Call
) -> Any:
    """What a method of a tensor, a layer, a list, a dictionary or a text gives."""
    if isinstance(owner, Super):
        return _of_super(reader, owner, name, arguments, keywords, node)
    if isinstance(owner, Tensor):
        return _tensor_method(reader, owner, name, arguments, keywords, node)
    if isinstance(owner, nn.Module):
        return module_method(reader, owner, name, tuple(arguments), keywords, node)
    if isinstance(owner, str):
        return _text_method(reader, owner, name, arguments, keywords, node)
    if isinstance(owner, list):
        if keywords:
            reader.refuse(node, f"{name}() of a list takes no named arguments.")
        if name in ("index", "count", "remove"):
            reader.comparable([owner, *arguments], node)
        if name == "extend":
            arguments = [reader.items(value, node) for value in arguments]
        result = reader.attempt(node, f"{name}()", _LISTS[name], owner, *arguments)
        reader.kept(owner, node)
        return result
    if isinstance(owner, dict):
        if name in ("items", "keys", "values"):
            return (
                [tuple(pair) for pair in owner.items()]
                if name == "items"
                else list(_keys_or_values(owner, name))
            )
        reader.key(arguments[0] if arguments else None, node)
        result = reader.attempt(node, f"{name}()", lambda: _DICTS[name](owner, *arguments, **keywords))
        reader.kept(owner, node)
        return result
    if name == "numel" and isinstance(owner, torch.Size):
        return owner.numel()
    reader.comparable([owner, *arguments], node)
    return reader.attempt(
        node, f"{name}()", tuple.index if name == "index" else tuple.count, owner, *arguments
    )


def _keys_or_values(owner: dict[Any, Any], name: str) -> Any:
    """Keys or values."""
    return owner.keys() if name == "keys" else owner.values()


_LISTS: Final[Mapping[str, Callable[..., Any]]] = {
    "append": list.append,
    "extend": list.extend,
    "insert": list.insert,
    "pop": list.pop,
    "index": list.index,
    "count": list.count,
    "copy": list.copy,
    "reverse": list.reverse,
    "remove": list.remove,
    "clear": list.clear,
}


_DICTS: Final[Mapping[str, Callable[..., Any]]] = {
    "get": dict.get,
    "pop": dict.pop,
    "update": dict.update,
    "setdefault": dict.setdefault,
    "copy": dict.copy,
}


def _of_super(
    reader: Walker, owner: Super, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.Call
) -> Any:
    if name == "__init__":
        making.initialise(reader, owner.me, arguments, keywords, node)
        return None
    if owner.native in (None, nn.Module):
        reader.refuse(node, "nn.Module itself has no forward.")
    reader.operation(node, making.written_out(reader, owner.me, node))
    for value in (*arguments, *keywords.values()):
        members.native(reader, value, node)
    return reader.attempt(
        node,
        "super().forward",
        lambda: owner.native.forward(owner.me, *arguments, **keywords),  # type: ignore[union-attr]
    )


def _tensor_method(
    reader: Walker, owner: Tensor, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.Call
) -> Any:
    keywords = {key: value for key, value in keywords.items() if key not in ("device", "non_blocking")}
    if any(isinstance(value, Unread) for value in arguments) and name not in tables.INITIALISED:
        return Unread("a result")
    if name == "requires_grad_" and isinstance(owner, nn.Parameter):
        return owner.requires_grad_(
            bool(arguments[0]) if arguments else bool(keywords.get("requires_grad", True))
        )
    dtype = next(
        (value for value in (*arguments, keywords.get("dtype")) if isinstance(value, torch.dtype)), None
    )
    if name == "to" and dtype is not None:
        return reader.attempt(node, "to()", lambda: owner.to(dtype))
    if name in tables.INITIALISED:
        return owner
    values = [members.native(reader, value, node) for value in arguments]
    named = {key: members.native(reader, value, node) for key, value in keywords.items()}
    reader.operation(node)
    if name in tables.PIECES:
        calls.check_pieces(reader, name, [owner, *values], named, node)
    if name in ("item", "tolist") and (owner.is_meta or owner.numel() > budget.ITEMS):
        reader.refuse(node, f"{name}() asks for the values of a tensor, and the table knows shapes alone.")
    return reader.attempt(node, f"{name}()", lambda: tables.METHODS[name](owner, *values, **named))


def _text_method(
    reader: Walker, owner: str, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> Any:
    if name == "join":
        parts = reader.items(arguments[0], node) if len(arguments) == 1 else []
        if not all(isinstance(part, str) for part in parts) or sum(map(len, parts)) > budget.TEXT:
            reader.refuse(node, "join() takes a list of short texts.")
        return owner.join(parts)
    if name == "format":
        return _filled(reader, owner, arguments, keywords, node)
    if keywords or not all(isinstance(value, str | tuple | int) for value in arguments):
        reader.refuse(node, f"these arguments of {name}() are not read.")
    if name == "replace" and (
        len(arguments) != 2 or len(owner) * (len(str(arguments[1])) + 1) > 100 * budget.TEXT
    ):
        reader.refuse(node, "replace() takes two short texts.")
    return reader.attempt(node, f"{name}()", _TEXTS[name], owner, *arguments)


_TEXTS: Final[Mapping[str, Callable[..., Any]]] = {
    "split": str.split,
    "lower": str.lower,
    "upper": str.upper,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "strip": str.strip,
    "lstrip": str.lstrip,
    "rstrip": str.rstrip,
    "replace": str.replace,
    "isdigit": str.isdigit,
    "title": str.title,
}


def _filled(reader: Walker, text: str, arguments: list[Any], keywords: dict[str, Any], node: ast.AST) -> str:
    """`"conv{}".format(i)`, its fields filled by ourselves: Python's own would read attributes."""
    count = 0

    def fill(found: re.Match[str]) -> str:
        nonlocal count
        key = found[1]
        index = int(key) if key.isdigit() else count
        count += not key
        if key and not key.isdigit():
            if key not in keywords:
                reader.refuse(node, f"format() is given no “{key}”.")
            return reader.name_part(keywords[key], node)
        if index >= len(arguments):
            reader.refuse(node, f"format() needs more values than the {len(arguments)} that it is given.")
        return reader.name_part(arguments[index], node)

    if re.search(r"[{}]", _FIELD.sub("", text)):
        reader.refuse(node, "of the formats, {}, {0} and {name} are read.")
    reader.tick(node, len(text) // 8)
    return _FIELD.sub(fill, text)


def idle(reader: Walker, owner: nn.Module, name: str, scope: Scope) -> Any:
    """Methods that change no shape give their module back, or nothing."""
    if name == "save_hyperparameters":
        if isinstance(owner, ReadModule):
            kept = {key: value for key, value in scope.method().arguments.items() if value is not owner}
            vars(owner)["_kept"].update(
                {key: value for key, value in kept.items() if not isinstance(value, nn.Module)}
            )
        return None
    if name in ("load_state_dict", "state_dict", "layer_summary", "board") or name.startswith("register"):
        return Unread(name)
    return owner


def module_method(
    reader: Walker,
    owner: nn.Module,
    name: str,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    node: ast.AST,
) -> Any:
    """Methods of modules, as torch has them."""
    if "_modules" not in vars(owner):
        reader.refuse(node, f"super().__init__() must be called before {name}().")
    if name == "forward":
        reader.operation(node, making.written_out(reader, owner, node))
        if isinstance(owner, ReadModule):
            return owner.forward(*arguments, **keywords)
        for value in (*arguments, *keywords.values()):
            members.native(reader, value, node)
        return reader.attempt(node, "forward", lambda: owner.forward(*arguments, **keywords))
    if name in ("parameters", "named_parameters", "modules", "named_modules", "children", "named_children"):
        return _listed(reader, owner, name, node)
    if name in ("items", "keys", "values") and isinstance(owner, nn.ModuleDict):
        return (
            [tuple(pair) for pair in owner._modules.items()]
            if name == "items"
            else list(_keys_or_values(dict(owner._modules), name))
        )
    if name == "requires_grad_":
        for parameter in _listed(reader, owner, "parameters", node):
            parameter.requires_grad_(bool(arguments[0]) if arguments else True)
        return owner
    if name in ("register_buffer", "register_parameter"):
        return _register(reader, owner, name, arguments, keywords, node)
    if name in ("add_module", "register_module"):
        given = dict(zip(("name", "module"), arguments, strict=False)) | keywords
        if given.keys() != {"name", "module"}:
            reader.refuse(node, f"{name}() takes a name and a layer.")
        making.check_name(reader, given["name"], node)
        making.check_layer(reader, given["module"], "number 2", f"{name}()", node)
        vars(owner)["_modules"][given["name"]] = given["module"]
        return None
    if name in ("append", "extend", "insert") and isinstance(owner, nn.Sequential | nn.ModuleList):
        return _grow(reader, owner, name, arguments, node)
    if name == "get_submodule" and len(arguments) == 1 and isinstance(arguments[0], str):
        for part in arguments[0].split("."):
            owner = members.of_module(reader, owner, part, node)
            if not isinstance(owner, nn.Module):
                reader.refuse(node, f"there is no layer “{part}”.")
        return owner
    reader.refuse(node, f"{name}() of {type(owner).__name__} is not read.")


def _listed(reader: Walker, owner: nn.Module, name: str, node: ast.AST) -> list[Any]:
    making.check_whole(reader, owner)
    listing: dict[str, Callable[[], Any]] = {
        "parameters": owner.parameters,
        "named_parameters": owner.named_parameters,
        "modules": owner.modules,
        "named_modules": owner.named_modules,
        "children": owner.children,
        "named_children": owner.named_children,
    }
    found = list(listing[name]())
    reader.tick(node, len(found))
    return found


def _grow(
    reader: Walker, owner: nn.Sequential | nn.ModuleList, name: str, arguments: tuple[Any, ...], node: ast.AST
) -> Any:
    layers = list(owner)
    if name == "insert" and len(arguments) == 2 and isinstance(arguments[0], int):
        layers.insert(arguments[0], arguments[1])
    elif name == "extend" and len(arguments) == 1:
        layers += reader.items(arguments[0], node)
    elif name == "append" and len(arguments) == 1:
        layers.append(arguments[0])
    else:
        reader.refuse(node, f"these arguments of {name}() are not read.")
    for number, layer in enumerate(layers, 1):
        making.check_layer(reader, layer, f"number {number}", f"nn.{type(owner).__name__}", node)
    reader.kept(layers, node)
    if name == "insert":
        owner._modules.clear()
        owner._modules.update({str(index): layer for index, layer in enumerate(layers)})
    else:
        for layer in layers[len(owner) :]:
            owner._modules[str(len(owner))] = layer
    return owner


def _register(
    reader: Walker,
    owner: nn.Module,
    name: str,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    node: ast.AST,
) -> None:
    given = dict(zip(("name", "tensor", "persistent"), arguments, strict=False)) | keywords
    given["tensor"] = given.pop("param", given.get("tensor"))
    making.check_name(reader, given.get("name"), node)
    tensor = given["tensor"]
    if not isinstance(tensor, Tensor | None) or isinstance(owner, Lazy):
        reader.refuse(node, f"{name}() takes a tensor, and {naming.told(tensor)} arrives.")
    if name == "register_parameter":
        if not isinstance(tensor, nn.Parameter | None):
            reader.refuse(node, "register_parameter() takes an nn.Parameter.")
        vars(owner)["_parameters"][given["name"]] = tensor
    else:
        vars(owner)["_buffers"][given["name"]] = None if tensor is None else tensor.to("meta")
