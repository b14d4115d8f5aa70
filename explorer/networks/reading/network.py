"""From a source to a network: which of the things that the code makes is meant, and where each layer is written."""

from __future__ import annotations

import ast
import contextlib
import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from explorer.networks.reading import budget, calls, making, naming
from explorer.networks.reading.interpreter import Reader
from explorer.networks.reading.refusal import CodeError, Place, meant
from explorer.networks.reading.statements import Continued, Left
from explorer.networks.reading.text import clean, parse
from explorer.networks.reading.values import Function, Klass, ReadModule

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A network that code describes.

    Attributes:
        module: on the meta device, in evaluation mode; lazy layers take their sizes from the first input.
        title: what the code calls it.
        names: everything in the code that could be chosen instead, this one too, in the order of the text.
        notes: what was left out, in sentences.
        input_shape: the input that the code itself tries, without the batch; None where it tries none.
        places: where the call of each layer is written, by its path in the module.
        calls: the same as nodes of the syntax tree.
    """

    module: nn.Module
    title: str
    names: tuple[str, ...]
    notes: tuple[str, ...]
    input_shape: Shape | None
    places: Mapping[str, Place]
    calls: Mapping[str, ast.Call]

    def ready(self, input_shape: Shape) -> nn.Module:
        """A copy whose lazy layers have met an input of this shape, as far as it comes.

        Where the input does not fit, layers behind that place stay lazy: the profile says why.
        """
        module = copy.deepcopy(self.module)
        # whatever goes wrong, the profile meets it again and explains it
        with torch.no_grad(), budget.fresh(), contextlib.suppress(Exception):
            module(torch.empty(1, *input_shape, device="meta"))
        return module


def read_network(source: str, name: str = "") -> ReadNetwork:
    """Reads model code and builds its network.

    Without a name it is the last module that the text itself makes, by an assignment or an expression; where it makes
    none, the last class that no other class uses, made without arguments; then the first function that needs none.

    >>> read_network("net = nn.Sequential(nn.Linear(28 * 28, 256), nn.ReLU(), nn.Linear(256, 10))").title
    'net'

    Raises:
        CodeError: it is not Python, not PyTorch, does something that is not read, or takes too long; or it holds no
            network, or none of this name.
    """
    tree, text = parse(clean(source))
    reader = Reader(text)
    with budget.fresh():
        try:
            reader.run(tree.body, reader.scope)
            choices = _choices(reader, tree)
            title, module = _chosen(reader, choices, name)
            making.check_whole(reader, module)
            module = _guarded(reader, module)
            return _told(reader, title, module.eval(), tuple(choices))
        except CodeError:
            raise
        except (Left, Continued):
            raise CodeError("“break” or “continue” stands outside a loop.") from None
        except RecursionError:
            raise CodeError("The code calls itself, or is nested, too deeply.") from None
        except Exception as error:
            # torch's own, out of a forward that the code runs while it builds itself
            line = line_of(error)
            said = str(error).strip().partition("\n")[0].removesuffix(".")[:200] or type(error).__name__
            raise text.error(f"torch refuses this: {said}.", line, 1 if line else 0) from error


def line_of(error: BaseException) -> int:
    """The line of the code that raised torch's own error in a forward; 0 where it is not known."""
    found = (re.match(r"Line (\d+):", note) for note in getattr(error, "__notes__", ()))
    return next((int(match[1]) for match in found if match), 0)


def _choices(reader: Reader, tree: ast.Module) -> dict[str, Any]:
    """Everything that could be the network, in the order of the text: modules made, classes and functions to call."""
    made = dict(reader.results)
    choices: dict[str, Any] = {}
    for name, value in reader.scope.names.items():
        if isinstance(value, Klass):
            usable = value.made is not None and _callable(value.find("__init__"), 1)
        else:
            usable = isinstance(value, Function) and _returns(value) and _callable(value, 0)
        if usable:
            choices[name] = value
    return choices | made


def _callable(function: Any, given: int) -> bool:
    """Whether it can be called with nothing (more than `self`)."""
    if not isinstance(function, Function):
        return True
    arguments = function.node.args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(function.defaults) - given
    return needed <= 0 and len(arguments.kwonlyargs) == len(function.keyword_defaults)


def _returns(function: Function) -> bool:
    return isinstance(function.node, ast.FunctionDef) and any(
        isinstance(part, ast.Return) and part.value is not None for part in ast.walk(function.node)
    )


def _chosen(reader: Reader, choices: dict[str, Any], name: str) -> tuple[str, nn.Module]:
    if name:
        if name not in choices:
            raise CodeError(f"The code has no network “{name[:60]}”" + meant(name, choices))
        return name, _made(reader, name, choices[name])
    if reader.results:
        return reader.results[-1]
    classes = [label for label, value in choices.items() if isinstance(value, Klass)]
    used = {label for label in classes for other in reader.scope.names.values() if _uses(other, label)}
    free = [label for label in classes if label not in used]
    functions = [label for label, value in choices.items() if isinstance(value, Function)]
    if free or (classes and not functions):
        label = (free or classes)[-1]
        return label, _made(reader, label, choices[label])
    for label in functions:
        with_one = reader.invoke(choices[label], [], {}, None)
        if isinstance(with_one, nn.Module):
            return label, with_one
    waiting = [value.name for value in reader.scope.names.values() if isinstance(value, Klass) and value.made]
    if waiting:
        raise CodeError(
            f"The class {waiting[-1]} needs arguments: add a line that makes it, as net = {waiting[-1]}(…)."
        )
    raise CodeError("The code makes no network: no nn.Module is assigned, and no class extends nn.Module.")


def _uses(value: Any, name: str) -> bool:
    """Whether another class of the code names this one: then it is a part and not the whole."""
    if not isinstance(value, Klass) or value.name == name:
        return False
    if value.base is not None and value.base.name == name:
        return True
    nodes = [member.node for member in value.members.values() if isinstance(member, Function)]
    return any(isinstance(part, ast.Name) and part.id == name for node in nodes for part in ast.walk(node))


def _made(reader: Reader, name: str, value: Any) -> nn.Module:
    if isinstance(value, nn.Module):
        return value
    call = ast.Call(ast.Name(name, ast.Load()), [], [])
    place = value.node if isinstance(value, Function) else None
    if isinstance(value, Klass):
        start = value.find("__init__")
        place = start.node if isinstance(start, Function) else None
    if place is not None:
        ast.copy_location(call, place)
    else:
        call.lineno = call.end_lineno = 1
        call.col_offset = call.end_col_offset = 0
    module = calls.call(reader, value, [], {}, call, reader.scope)
    if not isinstance(module, nn.Module):
        raise CodeError(f"{name}() gives {naming.told(module)}, and no network.")
    reader.calls.pop(id(module), None)
    return module


def _guarded(reader: Reader, module: nn.Module) -> nn.Module:
    """The network under one budget: also a plain nn.Sequential around modules that are interpreted."""
    mixed = any(isinstance(part, ReadModule) for part in module.modules())
    if isinstance(module, ReadModule) or not mixed:
        return module
    native = type(module)
    klass = Klass(native.__name__, {}, None, native, reader)
    klass.made = type(native.__name__, (ReadModule, native), {"_klass": klass})
    module.__dict__["_kept"] = {}
    module.__class__ = klass.made
    return module


def _told(reader: Reader, title: str, module: nn.Module, names: tuple[str, ...]) -> ReadNetwork:
    notes = list(reader.notes)
    if reader.left_out:
        shown = ", ".join(list(reader.left_out)[:6]) + (", …" if len(reader.left_out) > 6 else "")
        notes.append(f"Left out, since it changes no shape: {shown}.")
    notes += _unregistered(module)
    written: dict[str, ast.Call] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        known = reader.calls.get(id(part))
        if known is not None and known[0] is part and isinstance(known[1], ast.Call):
            written[path] = known[1]
    places = {path: reader.source.place(node) for path, node in written.items()}
    return ReadNetwork(
        module,
        title,
        names if title in names else (*names, title),
        tuple(notes),
        reader.example,
        MappingProxyType(places),
        MappingProxyType(written),
    )


def _unregistered(module: nn.Module) -> list[str]:
    """Layers in plain lists, which torch neither counts nor trains."""
    registered = {id(part) for part in module.modules()}
    notes = []
    for part in module.modules():
        kept = part._kept if isinstance(part, ReadModule) else {}
        for name, value in kept.items():
            values = (
                value.values()
                if isinstance(value, dict)
                else value
                if isinstance(value, list | tuple)
                else ()
            )
            if any(isinstance(one, nn.Module) and id(one) not in registered for one in values):
                notes.append(
                    f"self.{name} of {type(part).__name__} is a plain list: torch does not count the layers in it "
                    "(nn.ModuleList registers them)."
                )
    return list(dict.fromkeys(notes))
