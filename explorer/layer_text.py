"""A layer as text: short in a link, and as people type it in the words of torch or Keras."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from explorer.errors import LayerError, ShapeError
from explorer.layer_code import code
from explorer.layers import AXES, KINDS, LayerSpec, Sizes, output_shape

MAX_TEXT: Final = 300
MAX_NUMBER: Final = 100_000
"""Largest channel, size or window that is read."""

_LETTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "out_channels": "o",
        "kernel_size": "k",
        "stride": "s",
        "padding": "p",
        "dilation": "d",
        "groups": "g",
        "bias": "b",
        "padding_mode": "m",
        "output_padding": "q",
        "ceil_mode": "c",
        "count_include_pad": "i",
        "output_size": "t",
    }
)
_FIELDS: Final = {letter: field for field, letter in _LETTERS.items()}


def write_layer(spec: LayerSpec, input_shape: Sizes) -> str:
    """A layer and what it is given as the text of a link; `read_layer` reads it back.

    >>> write_layer(LayerSpec(kernel_size=5, padding=2), (3, 32, 32))
    'conv~3x32x32~o10~k5~p2'
    """
    usual = LayerSpec(spec.kind, spec.dimensions, spec.in_channels, _usual_out(spec.kind, spec.in_channels))
    parts = [spec.kind, "x".join(map(str, input_shape))]
    for field in KINDS[spec.kind].fields:
        value = getattr(spec, field)
        if field in _LETTERS and (value != getattr(usual, field) or field in ("out_channels", "kernel_size")):
            parts.append(_LETTERS[field] + _write(value))
    return "~".join(parts)


def _usual_out(kind: str, channels: int) -> int:
    return channels if kind == "depthwise" else 10


def _write(value: Any) -> str:
    if isinstance(value, tuple):
        return str(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))
    return str(int(value)) if isinstance(value, bool) else str(value)


def read_layer(text: str) -> tuple[LayerSpec, Sizes]:
    """A possible layer, and the shape (channels, *sizes) of its input, from its text in a link.

    >>> spec, shape = read_layer("max_pool~64x112x112~k3~s2~p1")
    >>> spec.kernel_size, output_shape(spec, shape)
    ((3, 3), (64, 56, 56))

    Raises:
        LayerError: it is no such text.
        ShapeError: the layer is not possible.
    """
    kind, _, rest = text.partition("~")
    shape, *settings = rest.split("~")
    if len(text) > MAX_TEXT or kind not in KINDS or not re.fullmatch(r"\d{1,6}(x\d{1,6}){1,3}", shape):
        raise LayerError(f"“{_short(text)}” is not a layer.")
    sizes = tuple(map(int, shape.split("x")))
    given: dict[str, Any] = {}
    for setting in settings:
        field = _FIELDS.get(setting[:1])
        if field not in KINDS[kind].fields:
            raise LayerError(f"“{_short(setting)}” sets nothing of this layer ({KINDS[kind].title}).")
        given[field] = _read(field, setting[1:])
    given.setdefault("out_channels", _usual_out(kind, sizes[0]))
    return _possible(LayerSpec(kind, len(sizes) - 1, sizes[0], **given), sizes)


def _read(field: str, text: str) -> Any:
    if field in ("padding_mode",) or (field == "padding" and text in ("same", "valid")):
        return text
    if not re.fullmatch(r"\d{1,6}(x\d{1,6}){0,2}", text):
        raise LayerError(f"“{_short(text)}” is no value for `{field}`.")
    numbers = tuple(map(int, text.split("x")))
    if field in ("bias", "ceil_mode", "count_include_pad"):
        return bool(numbers[0])
    return numbers if len(numbers) > 1 else numbers[0]


def _possible(spec: LayerSpec, shape: Sizes) -> tuple[LayerSpec, Sizes]:
    largest = max((*shape, spec.out_channels, *spec.kernel_size, *spec.stride, *spec.dilation))
    if largest > MAX_NUMBER:
        told = f"{largest:,}" if largest < 10**12 else "A number of more than 12 digits"
        raise ShapeError(f"{told} is more than the {MAX_NUMBER:,} that is counted here.")
    output_shape(spec, shape)
    return spec, shape


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


# As people type it -----------------------------------------------------------------------------------


class OtherLine(LayerError):
    """The line is no layer that is known here, but `line`, in torch's words, does the same or nearly so."""

    def __init__(self, sentence: str, line: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True)
class Reading:
    """What a typed line means: the layer, the shape (channels, *sizes) of its input, and what was left out of it."""

    spec: LayerSpec
    shape: Sizes
    notes: tuple[str, ...] = ()


_CLASSES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "Conv": (
            "conv",
            (
                "in_channels",
                "out_channels",
                "kernel_size",
                "stride",
                "padding",
                "dilation",
                "groups",
                "bias",
                "padding_mode",
            ),
        ),
        "ConvTranspose": (
            "transposed",
            (
                "in_channels",
                "out_channels",
                "kernel_size",
                "stride",
                "padding",
                "output_padding",
                "groups",
                "bias",
                "dilation",
            ),
        ),
        "MaxPool": (
            "max_pool",
            ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"),
        ),
        "AvgPool": ("average_pool", ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")),
        "AdaptiveAvgPool": ("adaptive_pool", ("output_size",)),
    }
)
"""torch's names: our kind, and the parameters in their order."""


_KERAS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "Conv": (
            "conv",
            ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups"),
        ),
        "DepthwiseConv": (
            "depthwise",
            ("kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate"),
        ),
        "SeparableConv": (
            "separable",
            (
                "filters",
                "kernel_size",
                "strides",
                "padding",
                "data_format",
                "dilation_rate",
                "depth_multiplier",
            ),
        ),
        # behind these, versions of Keras differ
        "ConvTranspose": ("transposed", ("filters", "kernel_size", "strides", "padding")),
        "MaxPool": ("max_pool", ("pool_size", "strides", "padding", "data_format")),
        "AvgPool": ("average_pool", ("pool_size", "strides", "padding", "data_format")),
        "GlobalAvgPool": ("global_pool", ("data_format", "keepdims")),
        "GlobalMaxPool": ("max_pool", ("data_format", "keepdims")),
    }
)
"""Keras' names: our kind, and the parameters in their order, as far as they may stand without a name."""
_KERAS_NAMED: Final = frozenset({"use_bias", "input_shape", "output_padding", "dilation_rate", "data_format"})
_SHAPELESS: Final = re.compile(
    r"activation|name|trainable|dtype|\w+_initializer|\w+_regularizer|\w+_constraint"
)
"""Parameters of Keras that change no shape; what they are given is not looked at."""
_UNCHANGING: Final = re.compile(
    r"(Leaky|P|R)?ReLU6?|[CGS]?ELU|SiLU|Sigmoid|Tanh|Softmax|Hardswish|Mish|(Spatial)?Dropout(\dd|\dD)?|Identity"
    r"|(Batch|Instance|Layer|Group|Local\w*)Norm(alization)?(\dd)?|Activation"
)
"""Layers of torch and Keras through which a shape goes as it is."""
_FUNCTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "conv": "Conv",
        "conv_transpose": "ConvTranspose",
        "max_pool": "MaxPool",
        "avg_pool": "AvgPool",
        "adaptive_avg_pool": "AdaptiveAvgPool",
    }
)
"""Functions of torch and the layers that do the same."""


def read_code(text: str, input_shape: Sizes) -> tuple[LayerSpec, Sizes]:
    """A layer from the line that makes it, and an input (channels, *sizes) for it: `read_line`, without its notes.

    >>> spec, shape = read_code("nn.Conv2d(3, 10, 5, padding=2)", (3, 32, 32))
    >>> output_shape(spec, shape)
    (10, 32, 32)

    Raises:
        LayerError, ShapeError: as `read_line`.
    """
    reading = read_line(text, input_shape)
    return reading.spec, reading.shape


def read_line(text: str, input_shape: Sizes) -> Reading:
    """A layer from the line of torch or Keras that makes it, as code or as torch prints it.

    The input follows the line: it gets the layer's channels, and as many axes.  Nothing is run: the line is read
    as a tree, and only plain numbers, words and tuples are taken from it.

    >>> reading = read_line("x = layers.Conv2D(8, 3, padding='same', activation='relu')(x)", (3, 32, 32))
    >>> reading.spec.padding, output_shape(reading.spec, reading.shape)
    ('same', (8, 32, 32))
    >>> reading.notes
    ('`activation` changes no shape: it is left out.',)

    Raises:
        OtherLine: another line is meant, or as near as torch comes to it.
        LayerError: it is not such a line.
        ShapeError: torch would refuse the layer, or the input for it.
    """
    call = _call(text)
    path = _path(call.func)
    name = path[-1]
    if match := re.fullmatch(r"(Conv|ConvTranspose|MaxPool|AvgPool|AdaptiveAvgPool)([123])d", name):
        if {"keras", "layers", "tf"} & set(path[:-1]):
            raise LayerError(f"Keras writes {name[:-1]}D, with a capital D; torch's is nn.{name}.")
        return _torch(name, match[1], int(match[2]), call, input_shape)
    if keras := _keras_name(name):
        if "nn" in path[:-1]:
            raise LayerError(
                f"torch writes {name[:-1]}d, with a small d; with a capital D it is Keras' layer."
            )
        return _keras(name, *keras, call, input_shape)
    raise _unknown(name, call, input_shape)


def _torch(name: str, family: str, dimensions: int, call: ast.Call, input_shape: Sizes) -> Reading:
    kind, order = _CLASSES[family]
    given = _given(name, order, call, lambda parameter: parameter in order)
    given.pop("return_indices", None)
    spec = _spec(name, kind, dimensions, given, input_shape)
    return Reading(*_possible(spec, (spec.in_channels, *on_axes(input_shape[1:], dimensions))))


def _given(name: str, order: Sequence[str], call: ast.Call, known: Callable[[str], bool]) -> dict[str, Any]:
    """The values of a call by the names of its parameters, of which `known` tells whether there is such a one."""
    if len(call.args) > len(order):
        raise LayerError(f"{name} takes at most {len(order)} values without a name, not {len(call.args)}.")
    named = [(keyword.arg or "**", keyword.value) for keyword in call.keywords]
    pairs = [*zip(order, call.args, strict=False), *named]
    given = {parameter: _plain(value) for parameter, value in pairs if not _is_shapeless(parameter, known)}
    if len({parameter for parameter, _ in pairs}) < len(pairs):
        raise LayerError(f"{name} is given the same parameter twice.")
    unknown = [parameter for parameter in given if not known(parameter)]
    if unknown:
        raise LayerError(f"{name} has no parameter `{_short(unknown[0])}`.")
    return given


def _is_shapeless(parameter: str, known: Callable[[str], bool]) -> bool:
    return known(parameter) and bool(_SHAPELESS.fullmatch(parameter))


def on_axes(sizes: Sizes, dimensions: int) -> Sizes:
    """Sizes for another number of axes: the last ones, or the first once more in front, of at most 16 slices.

    >>> on_axes((32, 20), 1), on_axes((32, 20), 3)
    ((20,), (16, 32, 20))
    """
    if len(sizes) >= dimensions:
        return sizes[-dimensions:]
    front = (sizes[0],) * (dimensions - len(sizes))
    return tuple(min(size, 16) if dimensions == 3 else size for size in front) + sizes


def _spec(name: str, kind: str, dimensions: int, given: dict[str, Any], shape: Sizes) -> LayerSpec:
    needed = {"conv": ("in_channels", "out_channels", "kernel_size"), "adaptive_pool": ("output_size",)}
    for parameter in needed.get("conv" if kind == "transposed" else kind, ("kernel_size",)):
        if parameter not in given:
            raise LayerError(f"{name} needs `{parameter}`.")
    if kind in ("max_pool", "average_pool") and given.get("stride") is None:
        given["stride"] = given["kernel_size"]  # as torch has it
    given.setdefault("in_channels", shape[0])
    kind = _with_groups(kind, given)
    if kind == "adaptive_pool" and given["output_size"] in (1, (1,) * dimensions):
        kind = "global_pool"
    try:
        spec = LayerSpec(kind, dimensions, **given)
    except TypeError:
        raise LayerError(f"{name} is given a value of the wrong sort.") from None
    return spec


def _with_groups(kind: str, fields: Mapping[str, Any]) -> str:
    """A convolution with groups is of another kind here."""
    if kind != "conv" or fields.get("groups", 1) == 1:
        return kind
    return "depthwise" if fields["groups"] == fields["in_channels"] else "grouped"


def _call(text: str) -> ast.Call:
    """The call in a line such as `nn.Conv2d(3, 10, 5)`, `self.first = …`, `model.add(…)` or `(first): …`."""
    line = re.sub(r"^\s*(>>>\s*|\(\w+\):\s*)*", "", text).strip().rstrip(",; ")
    _count_brackets(line)
    try:
        body = ast.parse(line).body if len(text) <= MAX_TEXT and "\\" not in line else []
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        body = []
    if len(body) > 1:
        raise LayerError(f"One layer is read here at a time; these are {len(body)} lines.")
    node: ast.AST | None = body[0] if body else None
    if isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Call) and len(node.args) == 1:
        node = node.func  # a layer of Keras at work: Conv2D(8, 3)(x)
    if isinstance(node, ast.Call) and _path(node.func)[-1] == "add" and len(node.args) == 1:
        node = node.args[0]
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
        raise LayerError(
            f"“{_short(text)}” is not a line such as nn.Conv2d(3, 10, kernel_size=5, padding=2)."
        )
    return node


def _count_brackets(line: str) -> None:
    """Name a bracket that is missing: Python's own words on it are no help to a beginner."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
    if "'" in bare or '"' in bare:
        raise LayerError(f"“{_short(line)}” has a quotation mark that is not closed.")
    for opening, closing in ("()", "[]"):
        more = bare.count(opening) - bare.count(closing)
        if more > 0:
            raise LayerError(
                f"“{_short(line)}” has a “{opening}” that is not closed: a “{closing}” is missing."
            )
        if more < 0:
            raise LayerError(f"“{_short(line)}” has one “{closing}” too many.")


def _path(node: ast.AST) -> tuple[str, ...]:
    """The names of `torch.nn.Conv2d` from left to right; "" stands for what is no name."""
    if isinstance(node, ast.Attribute):
        return (*_path(node.value), node.attr)
    return (node.id,) if isinstance(node, ast.Name) else ("",)


def _plain(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        value = 0.5
    if isinstance(value, list):
        value = tuple(value)
    parts = value if isinstance(value, tuple) else (value,)
    if not all(part is None or isinstance(part, int | str) for part in parts):
        raise LayerError("Only plain numbers, words and tuples of numbers are read.")
    return value


def _unknown(name: str, call: ast.Call, shape: Sizes) -> LayerError:
    """Why a name is no layer here, and what is, where anything comes near."""
    if name in ("Linear", "Dense", "LazyLinear"):
        return _dense(name, call, shape)
    if (match := re.fullmatch(r"([a-z_]+?)([123])d", name)) and match[1] in _FUNCTIONS:
        return LayerError(
            f"{name} is a function: what it reads and its weights come from elsewhere, so the line alone has no "
            f"shape; the layer that does the same is nn.{_FUNCTIONS[match[1]]}{match[2]}d."
        )
    if _UNCHANGING.fullmatch(name):
        return LayerError(f"{name} changes no shape: {_times(shape)} goes in, and {_times(shape)} comes out.")
    if name == "Flatten":
        return LayerError(f"Flatten lays {_times(shape)} in one row: {math.prod(shape):,} numbers.")
    if name in ("Sequential", "ModuleList"):
        return LayerError(f"{name} holds several layers; one is read here at a time.")
    return LayerError(
        f"“{_short(name)}” is not a layer known here: Conv, ConvTranspose, MaxPool, AvgPool and AdaptiveAvgPool are, "
        "in 1d, 2d and 3d, and Keras' Conv2D and its kin."
    )


def _dense(name: str, call: ast.Call, shape: Sizes) -> LayerError:
    """A dense layer is a convolution: its window as large as the picture, or one cell where it reads other numbers."""
    order = ("units",) if name == "Dense" else ("out_features", "bias")
    order = ("in_features", *order) if name == "Linear" else order
    bias = "use_bias" if name == "Dense" else "bias"
    given = _given(name, order, call, lambda each: each in (*order, bias) or name == "Dense")
    units = given.get(order[-1] if name == "Dense" else "out_features")
    if not isinstance(units, int) or not 1 <= units <= MAX_NUMBER:
        return LayerError(f"{name} needs the number of its outputs, from 1 to {MAX_NUMBER:,}.")
    numbers, axes, biased = math.prod(shape), len(shape) - 1, bool(given.get(bias, True))
    reads = given.get("in_features", numbers)
    if not isinstance(reads, int) or not 1 <= reads <= MAX_NUMBER:
        return LayerError(f"{name} needs the number of its inputs, from 1 to {MAX_NUMBER:,}.")
    if reads == numbers:
        line = code(LayerSpec("conv", axes, shape[0], units, kernel_size=shape[1:], bias=biased))
        return OtherLine(
            f"{name} is a dense layer: it reads all pixels at once and has no window. On {_times(shape)} = "
            f"{numbers:,} numbers, {line} does the same.",
            line,
        )
    line = code(LayerSpec("conv", axes, reads, units, kernel_size=1, bias=biased))
    return OtherLine(
        f"{name} is a dense layer: it has no window. It reads {reads:,} numbers, but {_times(shape)} are {numbers:,}; "
        f"where {reads:,} channels arrive, as behind a global pooling, {line} does the same at each position.",
        line,
    )


def _times(shape: Sizes) -> str:
    return " × ".join(f"{size:,}" for size in shape)


# Keras -----------------------------------------------------------------------------------------------


def _keras_name(name: str) -> tuple[str, int] | None:
    """Family and number of axes of a layer of Keras, by any of its names.

    >>> _keras_name("MaxPooling2D"), _keras_name("Conv3DTranspose"), _keras_name("Conv2d")
    (('MaxPool', 2), ('ConvTranspose', 3), None)
    """
    match = re.fullmatch(r"(\w+?)([123])D(Transpose)?", name)
    if not match:
        return None
    family = match[1].replace("Convolution", "Conv").replace("Pooling", "Pool").replace("Average", "Avg")
    family += match[3] or ""
    return (family, int(match[2])) if family in _KERAS else None


def _keras(name: str, family: str, dimensions: int, call: ast.Call, input_shape: Sizes) -> Reading:
    kind, order = _KERAS[family]
    known = {*order, *_KERAS_NAMED}
    given = _given(name, order, call, lambda each: each in known or bool(_SHAPELESS.fullmatch(each)))
    left_out = [
        keyword.arg for keyword in call.keywords if keyword.arg and keyword.arg not in (*known, "name")
    ]
    notes = [f"`{'` and `'.join(left_out)}` {_verbs(len(left_out))} left out."] if left_out else []
    shape = _keras_input(given, (input_shape[0], *on_axes(input_shape[1:], dimensions)), dimensions)
    if family.startswith("Global"):
        if not given.get("keepdims"):
            notes.append("Keras then drops the axes of size 1.")
        if family == "GlobalMaxPool":
            whole = LayerSpec("max_pool", dimensions, shape[0], kernel_size=shape[1:], stride=shape[1:])
            return Reading(*_possible(whole, shape), tuple(notes))
        return Reading(*_possible(LayerSpec("global_pool", dimensions, shape[0]), shape), tuple(notes))
    fields = _keras_fields(name, kind, given, shape)
    kind = _with_groups(kind, fields)
    padding = given.get("padding", "valid")
    if padding not in ("same", "valid"):
        reason = " adds all of it in front, torch's layers on both sides alike" if padding == "causal" else ""
        raise LayerError(
            f"{name}'s padding is “same” or “valid”; “{_short(str(padding))}”{reason or ' is neither'}."
        )
    if kind == "transposed" and given.get("output_padding") is not None:
        raise LayerError(f"{name}'s `output_padding` means other sizes than torch's: it is not read here.")
    window = LayerSpec(kind, dimensions, **fields)
    fields |= _keras_padding(name, window, shape, padding == "same")
    if padding == "same" and kind != "transposed" and max(window.stride) > 1:
        notes.append(f"Keras' padding “same” depends on the input: this is the one for {_times(shape[1:])}.")
    return Reading(*_possible(LayerSpec(kind, dimensions, **fields), shape), tuple(notes))


def _verbs(count: int) -> str:
    return "changes no shape: it is" if count == 1 else "change no shape: they are"


def _keras_input(given: dict[str, Any], shape: Sizes, dimensions: int) -> Sizes:
    """The shape of the input, which the line may name, channels last."""
    named = given.pop("input_shape", None)
    if named is None:
        return shape
    if not isinstance(named, tuple) or len(named) != dimensions + 1:
        raise LayerError(f"`input_shape` has {dimensions} sizes and the channels, {dimensions + 1} numbers.")
    if given.get("data_format") != "channels_first":
        named = (named[-1], *named[:-1])
    whole = tuple(there if here is None else here for here, there in zip(named, shape, strict=True))
    if not all(isinstance(size, int) and size > 0 for size in whole):
        raise LayerError("`input_shape` is made of whole numbers from 1 on, or None.")
    return whole


def _keras_fields(name: str, kind: str, given: dict[str, Any], shape: Sizes) -> dict[str, Any]:
    """The fields of our layer, but for the padding."""
    needed = {"max_pool": (), "average_pool": (), "depthwise": ("kernel_size",)}
    for parameter in needed.get(kind, ("filters", "kernel_size")):
        if parameter not in given:
            raise LayerError(f"{name} needs `{parameter}`.")
    fields: dict[str, Any] = {"in_channels": shape[0]}
    pooling = kind in ("max_pool", "average_pool")
    window = given.get("pool_size", 2) if pooling else given["kernel_size"]
    strides = given.get("strides")
    fields |= {"kernel_size": window, "stride": (window if pooling else 1) if strides is None else strides}
    if pooling:
        return fields
    multiplier = given.get("depth_multiplier", 1)
    if kind == "separable" and (multiplier != 1 or given.get("use_bias", True)):
        raise LayerError(
            f"{name} has one bias, after its second part, and may have several filters a channel; the separable layer "
            "here is the same with use_bias=False and depth_multiplier=1."
        )
    if not isinstance(multiplier, int) or multiplier < 1:
        raise LayerError(f"`depth_multiplier` is {multiplier!r}: a whole number from 1 on is meant.")
    fields |= {
        "out_channels": shape[0] * multiplier if kind == "depthwise" else given["filters"],
        "dilation": given.get("dilation_rate", 1),
        "groups": given.get("groups", 1),
        "bias": bool(given.get("use_bias", True)),
    }
    return fields


def _keras_padding(name: str, window: LayerSpec, shape: Sizes, same: bool) -> dict[str, Any]:
    """What our layer adds where Keras' adds its own; refused where torch cannot add so.

    Keras' “same” makes size / stride numbers, rounded up, and adds the odd row at the end.
    Source: tensorflow.org/api_docs/python/tf/nn, “Notes on padding”.
    """
    axes = list(zip(shape[1:], window.extent, window.stride, strict=True))
    if window.kind == "transposed":
        # without padding it makes at least size · stride numbers
        fields: dict[str, Any] = {"output_padding": tuple(max(step - extent, 0) for _, extent, step in axes)}
        totals = [max(extent - step, 0) if same else 0 for _, extent, step in axes]
    else:
        fields = {}
        totals = [
            max((-(-size // step) - 1) * step + extent - size, 0) if same else 0
            for size, extent, step in axes
        ]
    pooling = window.kind in ("max_pool", "average_pool")
    if same and set(window.stride) == {1} and not pooling and window.kind != "transposed":
        return {"padding": "same"}
    if pooling and any(totals):
        fields["count_include_pad"] = False
    odd = [axis for axis, total in enumerate(totals) if total % 2]
    half = tuple(total // 2 for total in totals)
    if not odd:
        return fields | {"padding": half}
    if pooling and all(window.stride[axis] > 1 for axis in odd):
        return fields | {
            "padding": half,
            "ceil_mode": True,
        }  # the odd row lies beyond the end, and is not read
    before, after, axis = half[odd[0]], totals[odd[0]] - half[odd[0]], AXES[window.dimensions][odd[0]]
    sentence = (
        f"{name}'s “same” adds {before} {axis} before this input and {after} after it, and torch's layers add as many "
        "on both sides"
    )
    fields["padding"] = tuple(total - total // 2 for total in totals)
    if window.kind == "transposed":
        fields["output_padding"] = tuple(
            extra + total % 2 for extra, total in zip(fields["output_padding"], totals, strict=True)
        )
    names = KINDS[window.kind].fields
    try:
        near = LayerSpec(
            window.kind, window.dimensions, **{each: getattr(window, each) for each in names} | fields
        )
        reached = output_shape(near, shape)
    except ShapeError:
        raise LayerError(f"{sentence}.") from None
    if pooling:
        raise LayerError(f"{sentence}.")
    line = " ".join(code(near).split())
    raise OtherLine(f"{sentence}; {line} makes {_times(reached)} too, of windows one place earlier.", line)
