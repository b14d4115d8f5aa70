"""What happens when code calls something: a layer is built or run, a function of torch applied, a class made."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING, Any, Final, NoReturn

from torch import Tensor, nn

from explorer.networks.reading import budget, builtin, making, members, methods, naming, tables
from explorer.networks.reading.refusal import CodeError
from explorer.networks.reading.values import (
    Bound,
    Function,
    Klass,
    Lazy,
    Method,
    Partial,
    ReadModule,
    Scope,
    Symbol,
    Unread,
)

if TYPE_CHECKING:
    from explorer.networks.reading.walker import Walker


_SAID: Final = {
    "meshgrid": ("indexing", "ij"),
    "grid_sample": ("align_corners", False),
    "affine_grid": ("align_corners", False),
}
"""Defaults that torch warns about where they are not said."""


def call(
    reader: Walker,
    function: Any,
    arguments: list[Any],
    keywords: dict[str, Any],
    node: ast.Call,
    scope: Scope,
) -> Any:
    """What a call gives."""
    match function:
        case Bound(me, method):
            return reader.invoke(method, [me, *arguments], keywords, node)
        case Function():
            return reader.invoke(function, arguments, keywords, node)
        case Klass():
            return making.make(reader, function, arguments, keywords, node)
        case Partial(inner, first, named):
            return call(reader, inner, [*first, *arguments], {**named, **keywords}, node, scope)
        case nn.Module():
            return run(reader, function, arguments, keywords, node, scope)
        case Method():
            return methods.method(reader, function.me, function.name, arguments, keywords, node)
        case Symbol(path):
            return _named(reader, path, arguments, keywords, node, scope)
    reader.refuse(node, f"{naming.told(function)} cannot be called.")


def _named(
    reader: Walker, path: str, arguments: list[Any], keywords: dict[str, Any], node: ast.Call, scope: Scope
) -> Any:
    name = path.rpartition(".")[2]
    if path in tables.LAYERS:
        return making.build(reader, path, arguments, keywords, node)
    if path in tables.FACTORIES or path in tables.FUNCTIONS:
        return function_of_torch(reader, path, arguments, keywords, node)
    if path.startswith("builtins."):
        return builtin.call(reader, name, arguments, keywords, node)
    if path.startswith("torchvision.models.") and name in tables.MODELS:
        return making.model(reader, name, arguments, keywords, node)
    if path.endswith(".__init__"):
        if not arguments or not isinstance(arguments[0], ReadModule):
            reader.refuse(node, f"{naming.told(Symbol(path))} needs self.")
        return making.initialise(reader, arguments[0], arguments[1:], keywords, node)
    if path == "torch.nn.Parameter":
        return making.parameter(reader, arguments, keywords, node)
    if path == "functools.partial" and arguments:
        return Partial(arguments[0], tuple(arguments[1:]), keywords)
    if path == "collections.OrderedDict":
        return builtin.ordered(reader, arguments, keywords, node)
    if path == "torch.Size":
        return builtin.call(reader, "tuple", arguments, keywords, node)
    if path in tables.SAME and arguments:
        return making.copied(reader, arguments[0], node) if path == "copy.deepcopy" else arguments[0]
    if path == "torch.nn.Module":
        reader.refuse(node, "nn.Module itself has no layers: write a class that extends it.")
    naming.refuse_name(reader, path, node)


def run(
    reader: Walker,
    module: nn.Module,
    arguments: list[Any],
    keywords: dict[str, Any],
    node: ast.Call,
    scope: Scope,
) -> Any:
    """The forward of a layer, on shapes."""
    if "_modules" not in vars(module):
        reader.refuse(node, f"{naming.told(module)} runs before its super().__init__().")
    if isinstance(module, nn.ModuleList | nn.ModuleDict) and not isinstance(module, ReadModule):
        reader.refuse(node, f"nn.{type(module).__name__} cannot be called: go through it with “for”.")
    if any(isinstance(value, Unread) for value in arguments):
        return Unread("a result")
    if not isinstance(module, ReadModule):
        first = arguments[0] if arguments else next(iter(keywords.values()), None)
        if not isinstance(first, Tensor | list | tuple):
            what = naming.told(first) if arguments else "nothing"
            reader.refuse(node, f"nn.{type(module).__name__} runs on a tensor, and {what} arrives.")
        for value in (*arguments, *keywords.values()):
            members.native(reader, value, node)
    reader.operation(node, making.written_out(reader, module, node))
    outside = scope.method() is reader.scope
    if outside and arguments and isinstance(arguments[0], Tensor):
        reader.example = tuple(arguments[0].shape[1:])
        if any(isinstance(one, Lazy) for one in module.modules()):
            module = copy.deepcopy(module)  # what the code tries out does not settle the network's own sizes
    try:
        return module(*arguments, **keywords)
    except (CodeError, RecursionError):
        raise
    except Exception as error:
        if outside:
            reader.notes[f"Line {node.lineno}: the network does not accept this input."] = None
            return Unread("a result")
        located(reader, node, error)
        raise


def located(reader: Walker, node: ast.AST, error: BaseException) -> None:
    """Writes on torch's own error which line of the code it comes from, the innermost alone."""
    if not any(note.startswith("Line ") for note in getattr(error, "__notes__", ())):
        line = reader.source.place(node).line
        error.add_note(f"Line {line}: {reader.source.lines[line - 1].strip()[:200]}")


def torch_error(reader: Walker, node: ast.AST, what: str, error: Exception) -> NoReturn:
    """Torch's own error goes on to whoever runs the network, who knows the shapes; it carries its line."""
    if isinstance(error, NotImplementedError) or "meta tensor" in str(error):
        reader.refuse(node, f"{what} asks for the values of a tensor, and the table knows shapes alone.")
    located(reader, node, error)
    raise error


def function_of_torch(
    reader: Walker, path: str, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> Any:
    """The result of a function of torch, or of math."""
    shown = naming.told(Symbol(path))
    keywords = {name: value for name, value in keywords.items() if name not in ("device", "generator")}
    for name in ("out", "pin_memory"):
        if name in keywords:
            reader.refuse(node, f"{shown}: {name} is not read here.")
    if any(isinstance(value, Unread) for value in (*arguments, *keywords.values())):
        return Unread("a result")
    values = [members.native(reader, value, node) for value in arguments]
    named = {name: members.native(reader, value, node) for name, value in keywords.items()}
    name = path.rpartition(".")[2]
    reader.operation(node)
    if path in tables.FACTORIES:
        named["device"] = "meta"
        return reader.attempt(node, shown, lambda: tables.FACTORIES[path](*values, **named))
    if name in tables.PIECES and values:
        check_pieces(reader, name, values, named, node)
    if (name == "einsum" and len(values) > 5) or (name == "meshgrid" and len(values) > 8):
        reader.refuse(node, f"{shown} is given more tensors than are read.")
    if name in _SAID:
        named.setdefault(*_SAID[name])
    if name == "linspace" and not all(
        isinstance(value, int | float) and abs(value) < 5_000 for value in values
    ):
        reader.refuse(node, "torch.linspace is read for up to 5,000 numbers.")
    return reader.attempt(node, shown, lambda: tables.FUNCTIONS[path](*values, **named))


def check_pieces(reader: Walker, name: str, values: list[Any], named: dict[str, Any], node: ast.AST) -> None:
    """That a tensor is not cut into more pieces than are kept."""
    tensor, how = values[0], values[1] if len(values) > 1 else None
    axis = named.get("dim", values[-1] if len(values) > (1 if name == "unbind" else 2) else 0)
    how = next(
        (named[key] for key in ("chunks", "split_size", "split_size_or_sections") if key in named), how
    )
    if (
        not isinstance(tensor, Tensor)
        or not isinstance(axis, int)
        or not -tensor.dim() <= axis < tensor.dim()
    ):
        return
    length = tensor.shape[axis]
    pieces = length
    if isinstance(how, int) and name != "unbind":
        pieces = min(how, length) if name in ("chunk", "tensor_split") else -(-length // max(how, 1))
        pieces = max(pieces, how) if name == "tensor_split" else pieces
    elif isinstance(how, list | tuple):
        pieces = len(how)
    if pieces > budget.PIECES:
        reader.refuse(node, f"{name} makes {pieces:,} pieces; at most {budget.PIECES:,} are kept.")
    reader.operation(node, pieces)


def check_tensor(reader: Walker, node: ast.AST, tensor: Tensor) -> None:
    """That a tensor can be counted."""
    if tensor.dim() > budget.AXES:
        reader.refuse(node, f"a tensor has {tensor.dim()} axes; at most {budget.AXES} are read.")
    if tensor.numel() > budget.ELEMENTS:
        shape = " × ".join(f"{size:,}" for size in tensor.shape)
        reader.refuse(node, f"a tensor of {shape} elements is larger than all limits.")


def note_example(reader: Walker, path: str, node: ast.Call, scope: Scope) -> None:
    """Keeps the shape that the code gives a summary of its network: `summary(net, (3, 224, 224))`."""
    if not path.rpartition(".")[2].endswith("summary"):
        return
    for value in [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "input_size")]:
        if isinstance(value, ast.Tuple | ast.List):
            sizes = [one.value for one in value.elts if isinstance(one, ast.Constant)]
            if len(sizes) in (3, 4) and all(type(size) is int and 0 < size <= budget.WHOLE for size in sizes):
                reader.example = tuple(size for size in sizes[-3:] if isinstance(size, int))
