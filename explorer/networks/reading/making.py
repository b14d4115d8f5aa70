"""Layers, networks and classes are made: their arguments checked, their number and depth limited."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from explorer.networks.reading import budget, members, naming, tables
from explorer.networks.reading.refusal import CodeError, nearest
from explorer.networks.reading.values import (
    Function,
    Klass,
    Lazy,
    ReadModule,
    Symbol,
    Unread,
    words,
)

if TYPE_CHECKING:
    from explorer.networks.reading.walker import Walker


_COUNTS: Final = words(
    "in_channels out_channels in_features out_features num_features groups num_groups num_channels "
    "embed_dim num_heads d_model nhead input_size hidden_size num_embeddings embedding_dim num_layers "
    "upscale_factor downscale_factor in1_features in2_features dim_feedforward input_channels "
    "squeeze_channels"
)
"""Arguments that are one whole number, 1 or more."""


_WINDOWS: Final = frozenset({"kernel_size", "stride", "dilation"})
"""Arguments that are one whole number for each axis, 1 or more."""


def build(
    reader: Walker, path: str, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> nn.Module:
    """A layer of torch on the meta device.

    Raises:
        CodeError: an argument is missing, unknown or of the wrong kind, or torch refuses the values.
    """
    layer, shown = tables.LAYERS[path], naming.told(Symbol(path))
    arguments, keywords = _checked(reader, layer, shown, arguments, keywords, node)
    _count(reader, node)
    if layer is nn.TransformerEncoder:
        _check_copies(reader, arguments, keywords, node)
    with torch.device("meta"):
        module: nn.Module = _native(reader, shown, layer, arguments, keywords, node)
    if isinstance(module, Lazy):
        with torch.device("meta"):  # its other arguments are tried out on an input that all of them accept
            _native(reader, shown, module.target, [_fitting(keywords, arguments), *arguments], keywords, node)
    elif type(module) not in tables.CONTAINERS:
        inside = sum(1 for _ in module.modules()) - 1
        _count(reader, node, inside)
        _check_weights(reader, module, shown, node)
    reader.calls[id(module)] = (module, node)
    return module


def _check_copies(reader: Walker, arguments: list[Any], keywords: dict[str, Any], node: ast.AST) -> None:
    """TransformerEncoder copies the layer that it is given."""
    given = dict(zip(("encoder_layer", "num_layers"), arguments, strict=False)) | keywords
    layer, number = given["encoder_layer"], given["num_layers"]
    if not isinstance(layer, nn.TransformerEncoderLayer):
        reader.refuse(node, f"nn.TransformerEncoder: encoder_layer is {naming.told(layer)}.")
    check_circles(reader, layer, node)
    if budget.current().modules + number * sum(1 for _ in layer.modules()) > budget.MODULES:
        reader.refuse(node, f"more than {budget.MODULES:,} layers are built.")


def _fitting(keywords: dict[str, Any], arguments: list[Any]) -> int:
    groups = keywords.get("groups", arguments[5] if len(arguments) > 5 else 1)
    return groups if isinstance(groups, int) and groups > 0 else 1


def _count(reader: Walker, node: ast.AST, modules: int = 1) -> None:
    why = budget.current().built(modules)
    if why:
        reader.refuse(node, why)


def _native(
    reader: Walker, shown: str, function: Any, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> Any:
    """A constructor of torch; whatever it says is told as one sentence about the call."""
    try:
        return function(*arguments, **keywords)
    except RecursionError:
        raise
    except (
        TypeError,
        ValueError,
        RuntimeError,
        LookupError,
        AssertionError,
        AttributeError,
        Warning,
    ) as error:
        text = str(error).strip().partition("\n")[0].removesuffix(".")[:200]
        if "overflow" in text or "Overflow" in text:
            text = "its weights have more elements than can be counted"
        reader.refuse(node, f"{shown}: {text or 'its arguments do not fit together'}.")
    except ArithmeticError:
        reader.refuse(node, f"{shown}: its arguments do not fit together.")


def _check_weights(reader: Walker, module: nn.Module, shown: str, node: ast.AST) -> None:
    for parameter in module.parameters():
        if parameter.numel() > budget.ELEMENTS:
            reader.refuse(node, f"{shown} has a weight of {parameter.numel():,} elements, beyond all limits.")


def _checked(
    reader: Walker,
    layer: type[nn.Module],
    shown: str,
    arguments: list[Any],
    keywords: dict[str, Any],
    node: ast.AST,
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments, once they are such as this layer can be given."""
    keywords = {name: value for name, value in keywords.items() if name != "device"}
    if keywords.pop("dtype", None) is not None:
        reader.refuse(node, f"{shown}: dtype is not read here; the table counts for any.")
    if issubclass(layer, tables.CONTAINERS):
        return _contents(reader, layer, shown, arguments, keywords, node), {}
    signature = tables.signature(layer)
    if signature is None:
        return arguments, keywords
    positions = [one for one in signature.parameters.values() if one.kind in (one.POSITIONAL_OR_KEYWORD,)]
    names = [one.name for one in positions if one.name not in ("device", "dtype")]
    free = any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
    spread = any(one.kind is one.VAR_POSITIONAL for one in signature.parameters.values())
    if len(arguments) > len(names) and not spread:
        reader.refuse(node, f"{shown} takes {len(names)} arguments, and {len(arguments)} are given.")
    given = dict(zip(names, arguments, strict=False))
    known = [*names, *(one.name for one in signature.parameters.values() if one.kind is one.KEYWORD_ONLY)]
    for name, value in keywords.items():
        if name not in known and not free:
            place = _written(node, name, [])
            reason, near = f"{shown} has no argument “{name}”", nearest(_synonym(name), known)
            reader.refuse_word(place, reason, name, near, written=naming.keyword(node, name))
        if name in given:
            reader.refuse(node, f"{shown} is given {name} twice.")
        given[name] = value
    missing = [one.name for one in positions if one.default is one.empty and one.name not in given]
    if missing:
        reader.refuse(node, f"{shown} needs {' and '.join(missing)}.")
    for name, value in given.items():
        _check_argument(reader, layer, shown, name, value, _written(node, name, names))
    return (
        [members.native(reader, value, node) for value in arguments],
        {name: members.native(reader, value, node) for name, value in keywords.items()},
    )


def _written(node: ast.AST, name: str, names: list[str]) -> ast.AST:
    """Where an argument is written, as far as it is written in the call itself."""
    if not isinstance(node, ast.Call) or any(isinstance(one, ast.Starred) for one in node.args):
        return node
    by_position = dict(zip(names, node.args, strict=False))
    by_name = {keyword.arg: keyword.value for keyword in node.keywords}
    return by_name.get(name) or by_position.get(name) or node


def _synonym(name: str) -> str:
    words = {"filters": "out_channels", "units": "out_features", "strides": "stride", "kernel": "kernel_size"}
    return words.get(name, {"use_bias": "bias", "rate": "p", "pool_size": "kernel_size"}.get(name, name))


def _check_argument(
    reader: Walker, layer: type[nn.Module], shown: str, name: str, value: Any, node: ast.AST
) -> None:
    if isinstance(value, Unread):
        reader.refuse(node, f"{shown}: {name} comes from {value.path}, which is not read.")
    if isinstance(value, nn.Module) and layer not in (nn.TransformerEncoder, nn.TransformerEncoderLayer):
        reader.refuse(node, f"{shown}: {name} is {naming.told(value)}, where a number is expected.")
    if isinstance(value, Tensor):
        reader.refuse(node, f"{shown}: {name} is a tensor, where a number is expected.")
    if name in _COUNTS:
        _check_count(reader, shown, name, value, node)
    elif name in _WINDOWS and value is not None:
        for one in value if isinstance(value, tuple | list) else (value,):
            _check_count(reader, shown, name, one, node)
    if name == "padding" and isinstance(value, str) and value not in ("same", "valid"):
        reader.refuse(node, f"{shown}: padding is “{value:.20}”; the words for it are “same” and “valid”.")
    if name == "num_layers" and isinstance(value, int) and value > budget.REPEATS:
        reader.refuse(node, f"{shown}: num_layers is {value:,}; at most {budget.REPEATS} are built.")
    if name == "hidden_channels" and isinstance(value, list) and len(value) > budget.REPEATS:
        reader.refuse(node, f"{shown}: {len(value):,} layers; at most {budget.REPEATS} are built.")


def _check_count(reader: Walker, shown: str, name: str, value: Any, node: ast.AST) -> None:
    if isinstance(value, float):
        advice = " (“//” divides into whole numbers)" if value == int(value) else ""
        reader.refuse(node, f"{shown}: {name} must be a whole number, and {value!r} arrives{advice}.")
    if not isinstance(value, int) or isinstance(value, bool):
        reader.refuse(node, f"{shown}: {name} must be a whole number, and {naming.told(value)} arrives.")
    if value < 1:
        reader.refuse(node, f"{shown}: {name} must be at least 1, and {value} arrives.")


def _contents(
    reader: Walker,
    layer: type[nn.Module],
    shown: str,
    arguments: list[Any],
    keywords: dict[str, Any],
    node: ast.AST,
) -> list[Any]:
    """The layers that a container is given."""
    if keywords.keys() - {"modules"} or (keywords and arguments):
        reader.refuse(node, f"{shown} has no argument “{next(iter(keywords))}”.")
    arguments = [*arguments, *keywords.values()]
    if issubclass(layer, nn.Sequential):
        if len(arguments) == 1 and isinstance(arguments[0], dict):
            named = arguments[0]
            if not isinstance(named, tables.ORDERED):
                reader.refuse(node, f"{shown} takes no plain dictionary: write OrderedDict(…) around it.")
            for key, value in named.items():
                check_layer(reader, value, f"“{key}”", shown, node)
                check_name(reader, key, node)
            return [tables.ORDERED(named)]
        for number, value in enumerate(arguments, 1):
            if isinstance(value, list | tuple | nn.ModuleList) and not isinstance(value, nn.Sequential):
                reader.refuse(
                    node, f"{shown} takes layers one by one, and a list arrives: write a “*” before it."
                )
            check_layer(reader, value, f"number {number}", shown, _nth(node, number))
        return arguments
    if not arguments:
        return []
    if len(arguments) > 1:
        reader.refuse(
            node, f"{shown} takes one list, and {len(arguments)} arguments are given: put [ ] around them."
        )
    value = arguments[0]
    if issubclass(layer, nn.ModuleDict):
        if not isinstance(value, dict):
            reader.refuse(node, f"{shown} takes a dictionary, and {naming.told(value)} arrives.")
        for key, one in value.items():
            check_layer(reader, one, f"“{key}”", shown, node)
            check_name(reader, key, node)
        return [value]
    if not isinstance(value, list | tuple | nn.ModuleList | nn.Sequential):
        reader.refuse(node, f"{shown} takes a list of layers, and {naming.told(value)} arrives.")
    values = list(value)
    for number, one in enumerate(values, 1):
        check_layer(reader, one, f"number {number}", shown, node)
    return [values]


def _nth(node: ast.AST, number: int) -> ast.AST:
    if not isinstance(node, ast.Call) or any(isinstance(one, ast.Starred) for one in node.args):
        return node
    return node.args[number - 1] if number <= len(node.args) else node


def check_name(reader: Walker, name: Any, node: ast.AST) -> None:
    """Refuses names that a layer cannot have, as those of nn.Module itself."""
    if (
        not isinstance(name, str)
        or not name
        or "." in name
        or hasattr(nn.Module, name)
        or name.startswith("__")
    ):
        reader.refuse(node, f"a layer cannot be called {name!r:.40}: choose another name.")
    if name in ("_klass", "_kept"):
        reader.refuse(node, f"a layer cannot be called {name!r}: choose another name.")


def check_layer(reader: Walker, value: Any, which: str, shown: str, node: ast.AST) -> None:
    """Refuses what stands where a layer is expected: often its class, which was not called."""
    if isinstance(value, nn.Module):
        return
    if isinstance(value, Symbol | Klass):
        name = value.name if isinstance(value, Klass) else naming.told(value)
        reader.refuse(node, f"{which} of {shown} is the class {name} itself: write {name}(…).")
    if isinstance(value, Function):
        reader.refuse(node, f"{which} of {shown} is {naming.told(value)}: write {value.name}(…).")
    reader.refuse(node, f"{which} of {shown} is {naming.told(value)}, and no layer.")


def parameter(reader: Walker, arguments: list[Any], keywords: dict[str, Any], node: ast.AST) -> nn.Parameter:
    """`nn.Parameter`: a weight of the network's own."""
    given = dict(zip(("data", "requires_grad"), arguments, strict=False)) | keywords
    data = given.pop("data", None)
    learned = given.pop("requires_grad", True)
    if not isinstance(data, Tensor) or given:
        reader.refuse(node, f"nn.Parameter needs a tensor, and {naming.told(data)} arrives.")
    reader.operation(node)
    if not data.is_floating_point():
        reader.refuse(node, "nn.Parameter needs a tensor of floating-point numbers.")
    return nn.Parameter(data.detach().to("meta"), requires_grad=bool(learned))


def model(
    reader: Walker, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> nn.Module:
    """A network of torchvision, without its weights."""
    options = {}
    for key, value in keywords.items():
        if key in tables.IGNORED_MODEL_ARGUMENTS:
            if value not in (None, False) and key in ("weights", "pretrained"):
                reader.notes[f"The weights of {name} are not loaded: the table counts shapes."] = None
        elif key in tables.MODEL_ARGUMENTS and isinstance(value, bool | int | float):
            options[key] = value
        else:
            reader.refuse(node, f"models.{name}: {key} is not read here.")
    if not 1 <= int(options.get("num_classes", 1)) <= budget.WHOLE:
        reader.refuse(node, f"models.{name}: num_classes is {options['num_classes']}.")
    if len(arguments) > 1:
        reader.refuse(node, f"models.{name}: name the arguments, as num_classes=10.")
    reader.tick(node, budget.STEPS // 8)
    module: nn.Module = _native(reader, f"models.{name}", tables.build_model, [name, options], {}, node)
    _count(reader, node, sum(1 for _ in module.modules()))
    reader.calls[id(module)] = (module, node)
    return module


def make(
    reader: Walker, klass: Klass, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> ReadModule:
    """A module of a class of the code."""
    if klass.made is None:
        reader.refuse(node, f"the class {klass.name} is no module: write class {klass.name}(nn.Module).")
    _count(reader, node)
    module = klass.made.__new__(klass.made)
    module.__dict__["_kept"] = {}
    start = klass.find("__init__")
    if isinstance(start, Function):
        reader.invoke(start, [module, *arguments], keywords, node)
    else:
        initialise(reader, module, arguments, keywords, node)
    if "_modules" not in vars(module):
        reader.refuse(node, f"__init__ of {klass.name} never calls super().__init__().")
    reader.calls[id(module)] = (module, node)
    return module


def initialise(
    reader: Walker, module: ReadModule, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
) -> None:
    """`super().__init__(…)` where the class above is torch's own."""
    klass = module._klass
    native = klass.native or nn.Module
    if native is nn.Module:
        if (arguments or keywords) and not klass.learner:
            reader.refuse(node, "super().__init__() of nn.Module takes no arguments.")
        nn.Module.__init__(module)
        return
    shown = naming.told(Symbol(next(path for path, layer in tables.LAYERS.items() if layer is native)))
    arguments, keywords = _checked(reader, native, shown, arguments, keywords, node)
    with torch.device("meta"):
        _native(reader, shown, native.__init__, [module, *arguments], keywords, node)
    _check_weights(reader, module, shown, node)


def copied(reader: Walker, value: Any, node: ast.AST) -> Any:
    """`copy.deepcopy` of a layer, which costs what building it costs."""
    if not isinstance(value, nn.Module):
        return value
    check_circles(reader, value, node)
    _count(reader, node, sum(1 for _ in value.modules()))
    return copy.deepcopy(value)


def written_out(reader: Walker, module: nn.Module, node: ast.AST | None) -> int:
    """How many layers run when this one does, as far as no forward of the code decides it."""

    def inside(one: Any) -> Iterable[Any]:
        own = isinstance(one, ReadModule) and one._klass.find("forward") is not None
        return () if own else (child for child in one._modules.values() if child is not None)

    return _walk(reader, module, inside, node)


def check_whole(reader: Walker, module: nn.Module) -> None:
    """That nothing of the network contains itself or is nested too deeply to be copied and shown.

    Raises:
        CodeError: it is.
    """
    check_circles(reader, module, None)
    size = written_out(reader, module, None)
    if size > budget.CALLS:
        raise CodeError(f"Written out, the network has {size:,} layers; at most {budget.CALLS:,} are run.")


def check_circles(reader: Walker, module: nn.Module, node: ast.AST | None) -> None:
    """That nothing of a layer contains itself or is nested too deeply, what it keeps in lists included."""

    def inside(one: Any) -> Iterable[Any]:
        if isinstance(one, nn.Module):
            kept = one._kept.values() if isinstance(one, ReadModule) else ()
            return (child for child in (*one._modules.values(), *kept) if _has_parts(child))
        values = one.values() if isinstance(one, dict) else one
        return (child for child in values if _has_parts(child))

    _walk(reader, module, inside, node)


def _has_parts(value: Any) -> bool:
    return isinstance(value, nn.Module | list | dict | tuple)


def _walk(reader: Walker, root: Any, inside: Any, node: ast.AST | None) -> int:
    """Counts what stands inside, each time it stands there; refuses circles and great depth."""
    sizes: dict[int, int] = {}
    around: set[int] = set()
    todo: list[tuple[Any, list[Any] | None]] = [(root, None)]
    while todo:
        one, parts = todo.pop()
        if parts is not None:
            sizes[id(one)] = 1 + sum(sizes[id(part)] for part in parts)
            around.discard(id(one))
            continue
        if id(one) in sizes:
            continue
        if id(one) in around or len(around) > budget.DEPTH:
            circle = id(one) in around
            reason = (
                "something contains itself" if circle else f"layers are nested more than {budget.DEPTH} deep"
            )
            if node is not None:
                reader.refuse(node, f"{reason}.")
            raise CodeError(f"In this network {reason}.")
        around.add(id(one))
        parts = list(inside(one))
        todo.append((one, parts))
        todo += [(part, None) for part in parts]
    return sizes[id(root)]
