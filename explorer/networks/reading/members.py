"""Attributes, entries and methods: answered from dictionaries and tables, never by looking into real objects."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from explorer.networks.reading import budget, making, naming, tables
from explorer.networks.reading.refusal import meant, nearest
from explorer.networks.reading.values import (
    Bound,
    Function,
    Klass,
    Lazy,
    Method,
    Partial,
    ReadModule,
    Scope,
    Super,
    Symbol,
    Unread,
    words,
)

if TYPE_CHECKING:
    from explorer.networks.reading.walker import Walker


IDLE: Final = words(
    "eval train to cuda cpu float half double bfloat16 apply zero_grad share_memory "
    "save_hyperparameters layer_summary load_state_dict state_dict register_forward_hook "
    "register_forward_pre_hook compile plot_summary register_full_backward_hook save_pretrained "
    "apply_init board"
)
"""Methods of modules that change no shape: they are skipped with all they are given."""


_MODULE: Final = words(
    "parameters named_parameters modules named_modules children named_children append extend insert "
    "add_module register_module register_buffer register_parameter items keys values requires_grad_ "
    "get_submodule pop"
)


_LIST: Final = words("append extend insert pop index count copy reverse remove clear")


_DICT: Final = words("items keys values get pop update setdefault copy")


_TEXT: Final = words(
    "format join split lower upper startswith endswith strip replace isdigit title rstrip lstrip"
)


_PLAIN: Final = (int, float, str, tuple, type(None))


def attribute(reader: Walker, owner: Any, name: str, node: ast.AST) -> Any:
    """What `owner.name` is."""
    if name.startswith("__"):
        return _dunder(reader, owner, name, node)
    if isinstance(owner, Unread):
        return Unread(f"{owner.path}.{name}"[-budget.TEXT :])
    if isinstance(owner, Symbol):
        return _of_symbol(reader, owner, name, node)
    if isinstance(owner, nn.Module):
        return of_module(reader, owner, name, node)
    if isinstance(owner, Klass):
        member = owner.find(name)
        if member is None:
            near = nearest(name, _names(owner))
            reader.refuse_word(node, f"the class {owner.name} has no “{name}”", name, near)
        return Bound(owner, member) if getattr(member, "wrapper", "") == "classmethod" else member
    if isinstance(owner, Super):
        member = owner.above.find(name) if owner.above else None
        if isinstance(member, Function):
            return Bound(owner.me, member)
        if member is not None:
            return member
        if name == "forward" or name in IDLE or name in _MODULE:
            return Method(owner, name) if name == "forward" else Method(owner.me, name)
        reader.refuse(node, f"the class above has no “{name}”.")
    if isinstance(owner, Tensor):
        return _of_tensor(reader, owner, name, node)
    for kind, names in (
        (list, _LIST),
        (dict, _DICT),
        (str, _TEXT),
        (tuple, frozenset({"index", "count", "numel"})),
    ):
        if isinstance(owner, kind):
            if name in names:
                return Method(owner, name)
            reason = f"{naming.told(owner)} has no “{name}” that is read"
            reader.refuse_word(node, reason, name, nearest(name, names))
    if isinstance(owner, Partial) and name == "func":
        return owner.function
    reader.refuse(node, f"{naming.told(owner)} has no “{name}” that is read.")


def _dunder(reader: Walker, owner: Any, name: str, node: ast.AST) -> Any:
    if name == "__init__":
        if isinstance(owner, Super):
            start = owner.above.find(name) if owner.above else None
            return Bound(owner.me, start) if isinstance(start, Function) else Method(owner, name)
        if isinstance(owner, Klass) and isinstance(owner.find(name), Function):
            return owner.find(name)
        if isinstance(owner, Symbol) and owner.path in tables.BASES:
            return Symbol(f"{owner.path}.__init__")
    if name == "__name__" and isinstance(owner, Symbol | Klass | Function | Unread):
        return owner.path.rpartition(".")[2] if isinstance(owner, Symbol | Unread) else owner.name
    if name == "__class__" and isinstance(owner, nn.Module):
        return class_of(reader, owner, node)
    if isinstance(owner, Unread):
        return owner
    reader.refuse(node, f"{name} reaches into Python itself and is not read.")


def class_of(reader: Walker, value: Any, node: ast.AST) -> Any:
    """`type(value)` of a module."""
    if isinstance(value, ReadModule):
        return value._klass
    if isinstance(value, nn.Module):
        return Symbol(f"torch.nn.{type(value).__name__}")
    if isinstance(value, Unread):
        return value
    reader.refuse(node, f"the type of {naming.told(value)} is not read.")


def _names(klass: Klass | None) -> list[str]:
    names: list[str] = []
    while klass is not None:
        names += klass.members
        klass = klass.base
    return names


def _of_symbol(reader: Walker, owner: Symbol, name: str, node: ast.AST) -> Any:
    path = tables.canonical(f"{owner.path}.{name}")
    if len(path) > 200:
        reader.refuse(node, "this name is too long.")
    if path in tables.CONSTANTS:
        return tables.CONSTANTS[path]
    if owner.path in tables.LAYERS or owner.path in tables.FUNCTIONS or owner.path == "torch.nn.Module":
        if name == "forward" and owner.path in tables.BASES:
            return Symbol(path)
        reader.refuse(node, f"{naming.told(owner)} has no “{name}” that is read.")
    return Symbol(path)


def of_module(reader: Walker, owner: nn.Module, name: str, node: ast.AST) -> Any:
    """An attribute of a layer: an entry of its dictionaries, a member of its class, or a method of our tables."""
    fields = vars(owner)
    for table in ("_modules", "_parameters", "_buffers", "_kept"):
        if name in fields.get(table, ()):
            return fields[table][name]
    if isinstance(owner, ReadModule):
        member = owner._klass.find(name)
        if isinstance(member, Function):
            if member.wrapper == "property":
                return reader.invoke(member, [owner], {}, node)
            if member.wrapper == "staticmethod":
                return member
            return Bound(owner._klass if member.wrapper == "classmethod" else owner, member)
        if member is not None or name in _names(owner._klass):
            return member
    if name in _MODULE or name in IDLE or name == "forward":
        return Method(owner, name)
    if name == "training":
        return bool(fields.get("training", True))
    if name == "device":
        return Unread("device")
    if name in fields and not name.startswith("_") and isinstance(fields[name], _PLAIN):
        return fields[name]
    known = [key for table in ("_modules", "_parameters", "_kept") for key in fields.get(table, ())]
    if isinstance(owner, ReadModule):
        known += _names(owner._klass)
    before = "" if "_modules" in fields else " (super().__init__() has not been called yet)"
    told = (
        f"self of {type(owner).__name__}" if isinstance(owner, ReadModule) else f"nn.{type(owner).__name__}"
    )
    reader.refuse_word(node, f"{told} has no “{name}”{before}", name, nearest(name, known))


def _of_tensor(reader: Walker, owner: Tensor, name: str, node: ast.AST) -> Any:
    if name in tables.TENSOR_ATTRIBUTES:
        reader.operation(node)
        if name in ("T", "mT"):
            return reader.attempt(
                node, f"x.{name}", owner.t if name == "T" else lambda: owner.transpose(-2, -1)
            )
        values: dict[str, Callable[[], Any]] = {
            "shape": lambda: owner.shape,
            "ndim": owner.dim,
            "requires_grad": lambda: owner.requires_grad,
            "dtype": lambda: owner.dtype,
            "is_cuda": lambda: False,
        }
        return values[name]()
    if name == "device":
        return Unread("device")
    if name in ("data", "grad"):
        return owner if name == "data" else None
    if name in tables.METHODS or name in tables.INITIALISED:
        return Method(owner, name)
    reader.refuse_word(node, f"a tensor has no “{name}” that is read", name, nearest(name, tables.METHODS))


def has(reader: Walker, owner: Any, name: str, node: ast.AST) -> bool:
    """`hasattr`: only what the code itself put there, or what layers show of themselves."""
    if isinstance(owner, nn.Module) and not name.startswith("__"):
        fields = vars(owner)
        if any(name in fields.get(table, ()) for table in ("_modules", "_parameters", "_buffers", "_kept")):
            return True
        known = isinstance(owner, ReadModule) and name in _names(owner._klass)
        return known or (name in fields and not name.startswith("_"))
    if isinstance(owner, Klass):
        return name in _names(owner)
    return False


def above(reader: Walker, node: ast.AST, given: list[Any], scope: Scope) -> Super:
    """`super()`, or `super(Class, self)`."""
    method = scope.method()
    owner, me = (given[0], given[1]) if len(given) == 2 else (method.owner, method.me)
    if not isinstance(owner, Klass) or not isinstance(me, ReadModule):
        reader.refuse(node, "super() stands outside a method of a class.")
    return Super(me, owner.base, owner.native)


def set_attribute(reader: Walker, owner: Any, name: str, value: Any, node: ast.AST) -> None:
    """`owner.name = value`."""
    if isinstance(owner, Unread):
        return
    if name.startswith("__"):
        reader.refuse(node, f"{name} belongs to Python.")
    if isinstance(owner, ReadModule):
        _set_on_module(reader, owner, name, value, node)
    elif isinstance(owner, nn.Module):
        _set_on_layer(reader, owner, name, value, node)
    elif isinstance(owner, Tensor):
        if name == "requires_grad" and isinstance(owner, nn.Parameter):
            reader.attempt(node, "requires_grad", owner.requires_grad_, bool(value))
        elif name != "data":
            reader.refuse(node, f"“{name}” of a tensor cannot be set.")
    else:
        reader.refuse(node, f"“{name}” of {naming.told(owner)} cannot be set.")


def _set_on_module(reader: Walker, owner: ReadModule, name: str, value: Any, node: ast.AST) -> None:
    fields = vars(owner)
    if name == "training":
        return
    if isinstance(value, nn.Module | nn.Parameter):
        if "_modules" not in fields:
            reader.refuse(node, f"super().__init__() must be called before self.{name} is set.")
        making.check_name(reader, name, node)
    elif name == "forward":
        reader.refuse(node, "self.forward is set; write def forward(self, x) in the class.")
    elif not isinstance(value, Tensor):
        reader.kept(value, node)
    for table in ("_modules", "_parameters", "_kept"):
        fields.get(table, {}).pop(name, None)
    if name in fields.get("_buffers", {}):
        if isinstance(value, Tensor):
            fields["_buffers"][name] = value
            return
        del fields["_buffers"][name]
    table = "_kept"
    if isinstance(value, nn.Module):
        table = "_modules"
    elif isinstance(value, nn.Parameter):
        table = "_parameters"
    fields[table][name] = value


def _set_on_layer(reader: Walker, owner: nn.Module, name: str, value: Any, node: ast.AST) -> None:
    fields = vars(owner)
    if isinstance(value, nn.Module) and not isinstance(owner, Lazy):
        making.check_name(reader, name, node)
        if name not in fields["_modules"]:
            known = [key for key in fields["_modules"] if not key.isdigit()]
            reason = f"nn.{type(owner).__name__} has no layer “{name}”"
            reader.refuse_word(node, reason, name, nearest(name, known))
        fields["_modules"][name] = value
    elif isinstance(value, nn.Parameter) and name in fields["_parameters"]:
        fields["_parameters"][name] = value
    elif value is None and name in fields["_parameters"]:
        fields["_parameters"][name] = None
    elif isinstance(value, bool) and name in ("inplace", "requires_grad", "bias", "ceil_mode", "affine"):
        fields[name] = value
    elif name == "training":
        return
    else:
        reader.refuse(
            node, f"“{name}” of nn.{type(owner).__name__} is given when it is made, and not set later."
        )


def entry(reader: Walker, owner: Any, index: Any, node: ast.AST) -> Any:
    """`owner[index]`."""
    if isinstance(owner, Unread) or isinstance(index, Unread):
        return Unread("an entry")
    if isinstance(owner, Tensor):
        _check_index(reader, index, node)
        reader.operation(node)
        return reader.kept(reader.attempt(node, "this index", lambda: owner[index]), node)
    if isinstance(owner, nn.Sequential | nn.ModuleList) and isinstance(index, slice):
        named = tables.ORDERED(list(owner._modules.items())[index])
        if isinstance(owner, nn.ModuleList):
            return making.build(reader, "torch.nn.ModuleList", [list(named.values())], {}, node)
        return making.build(reader, "torch.nn.Sequential", [named], {}, node)
    if isinstance(owner, nn.Sequential | nn.ModuleList):
        layers = list(owner)
        if not isinstance(index, int) or not -len(layers) <= index < len(layers):
            reader.refuse(node, f"there is no layer {naming.told(index)} among {len(layers)}.")
        return layers[index]
    if isinstance(owner, nn.ModuleDict):
        owner = dict(owner._modules)
    if isinstance(owner, dict):
        if reader.key(index, node) not in owner:
            shown = repr(index)[:40] if isinstance(index, str | int | float) else naming.told(index)
            known = [key for key in owner if isinstance(key, str)]
            reader.refuse(node, f"the dictionary has no key {shown}" + meant(str(index)[:60], known))
        return owner[index]
    if isinstance(owner, list | tuple | str):
        if isinstance(index, int) and not -len(owner) <= index < len(owner):
            reader.refuse(node, f"there is no entry {index} in {naming.told(owner)} of {len(owner)}.")
        return reader.kept(reader.attempt(node, "this index", lambda: owner[index]), node)
    reader.refuse(node, f"{naming.told(owner)} has no entries.")


def _check_index(reader: Walker, index: Any, node: ast.AST) -> None:
    for one in index if isinstance(index, tuple) else (index,):
        if isinstance(one, Tensor):
            if one.dtype in (torch.bool, torch.uint8):
                reader.refuse(
                    node, "what this mask selects depends on values, and the table knows shapes alone."
                )
        elif isinstance(one, list):
            if not all(isinstance(number, int) for number in one):
                reader.refuse(node, "a tensor is indexed by whole numbers.")
        elif not isinstance(one, int | slice | type(None) | type(...)):
            reader.refuse(node, f"a tensor is not indexed by {naming.told(one)}.")


def set_entry(reader: Walker, owner: Any, index: Any, value: Any, node: ast.AST) -> None:
    """`owner[index] = value`."""
    if isinstance(owner, Unread):
        return
    if isinstance(owner, nn.Sequential | nn.ModuleList) and isinstance(index, int):
        names = list(owner._modules)
        making.check_layer(reader, value, f"entry {index}", type(owner).__name__, node)
        if not -len(names) <= index < len(names):
            reader.refuse(node, f"there is no layer {index} among {len(names)}.")
        owner._modules[names[index]] = value
    elif isinstance(owner, nn.ModuleDict):
        making.check_name(reader, index, node)
        making.check_layer(reader, value, f"“{index}”", "nn.ModuleDict", node)
        owner._modules[index] = value
    elif isinstance(owner, Tensor):
        _check_index(reader, index, node)
        if not isinstance(value, Tensor | int | float):
            reader.refuse(node, f"a tensor cannot hold {naming.told(value)}.")
        reader.operation(node)
        reader.attempt(node, "this assignment", owner.__setitem__, index, value)
    elif isinstance(owner, dict | list) and not isinstance(index, slice):
        if isinstance(owner, dict):
            reader.key(index, node)
        reader.attempt(node, "this index", owner.__setitem__, index, reader.kept(value, node))
        reader.kept(owner, node)
    else:
        reader.refuse(node, f"an entry of {naming.told(owner)} cannot be set.")


def native(reader: Walker, value: Any, node: ast.AST, depth: int = 0) -> Any:
    """The value as torch may be given it.

    Raises:
        CodeError: torch has no use for it, or it is too large.
    """
    if isinstance(value, bool | float | Tensor | torch.dtype | nn.Module | type(None) | type(...)):
        return value
    if isinstance(value, int):
        if abs(value) > budget.WHOLE:
            reader.refuse(node, f"{value:,} is larger than any axis of a tensor can be.")
        return value
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and depth < 4:
        reader.tick(node, len(value))
        if len(value) > budget.AXES * 4 and not isinstance(value[0], Tensor | nn.Module):
            reader.refuse(node, f"{len(value):,} numbers are given; at most {budget.AXES * 4} are read here.")
        made = [native(reader, one, node, depth + 1) for one in value]
        return made if isinstance(value, list) else tuple(made)
    if isinstance(value, Symbol) and value.path in tables.LAYERS:
        return tables.LAYERS[value.path]
    if (
        isinstance(value, Symbol)
        and value.path.startswith("torch.nn.functional.")
        and value.path in tables.FUNCTIONS
    ):
        return tables.FUNCTIONS[value.path]
    if isinstance(value, Symbol) and value.path == "torch.contiguous_format":
        return torch.contiguous_format
    if isinstance(value, dict) and depth == 0:
        return {key: native(reader, one, node, 1) for key, one in value.items()}
    reader.refuse(node, f"{naming.told(value)} stands where a tensor or a number is expected.")
