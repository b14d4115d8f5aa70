"""A layer as text: short in a link, and as people type it in torch's words."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from explorer.errors import LayerError, ShapeError
from explorer.layers import KINDS, LayerSpec, Sizes, output_shape

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
        raise ShapeError(f"{largest:,} is more than the {MAX_NUMBER:,} that is counted here.")
    output_shape(spec, shape)
    return spec, shape


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


# As people type it -----------------------------------------------------------------------------------

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


def read_code(text: str, input_shape: Sizes) -> tuple[LayerSpec, Sizes]:
    """A layer from the line of torch that makes it, and an input (channels, *sizes) for it.

    The input follows the line: it gets the layer's channels, and as many axes.  Nothing is run: the line is read
    as a tree, and only plain numbers, words and tuples are taken from it.

    >>> spec, shape = read_code("nn.Conv2d(3, 10, 5, padding=2)", (3, 32, 32))
    >>> output_shape(spec, shape)
    (10, 32, 32)

    Raises:
        LayerError: it is not such a line.
        ShapeError: torch would refuse the layer, or the input for it.
    """
    name, positional, named = _call(text)
    match = re.fullmatch(r"(Conv|ConvTranspose|MaxPool|AvgPool|AdaptiveAvgPool)([123])d", name)
    if not match:
        raise LayerError(
            f"“{_short(name)}” is not a layer known here: Conv, ConvTranspose, MaxPool, AvgPool and "
            "AdaptiveAvgPool are, in 1d, 2d and 3d."
        )
    (kind, order), dimensions = _CLASSES[match[1]], int(match[2])
    if len(positional) > len(order):
        raise LayerError(f"{name} takes at most {len(order)} values, not {len(positional)}.")
    given = dict(zip(order, positional, strict=False)) | named
    if len(given) < len(positional) + len(named):
        raise LayerError(f"{name} is given the same parameter twice.")
    unknown = [parameter for parameter in given if parameter not in order]
    if unknown:
        raise LayerError(f"{name} has no parameter `{_short(unknown[0])}`.")
    given.pop("return_indices", None)
    spec = _spec(name, kind, dimensions, given, input_shape)
    return _possible(spec, (spec.in_channels, *on_axes(input_shape[1:], dimensions)))


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
    if kind == "conv" and given.get("groups", 1) != 1:
        kind = "depthwise" if given["groups"] == given["in_channels"] else "grouped"
    if kind == "adaptive_pool" and given["output_size"] in (1, (1,) * dimensions):
        kind = "global_pool"
    try:
        spec = LayerSpec(kind, dimensions, **given)
    except TypeError:
        raise LayerError(f"{name} is given a value of the wrong sort.") from None
    return spec


def _call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Name, positional and named values of a call such as `nn.Conv2d(3, 10, 5)`."""
    try:
        node = ast.parse(text.strip().rstrip(","), mode="eval").body if len(text) <= MAX_TEXT else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        node = None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
        raise LayerError(
            f"“{_short(text)}” is not a line such as nn.Conv2d(3, 10, kernel_size=5, padding=2)."
        )
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
    try:
        positional = [_plain(argument) for argument in node.args]
        named = {keyword.arg or "**": _plain(keyword.value) for keyword in node.keywords}
    except (ValueError, TypeError):
        raise LayerError("Only plain numbers, words and tuples of numbers are read.") from None
    return name, positional, named


def _plain(node: ast.expr) -> Any:
    value = ast.literal_eval(node)
    if isinstance(value, list):
        value = tuple(value)
    parts = value if isinstance(value, tuple) else (value,)
    if not all(part is None or isinstance(part, int | str) for part in parts):
        raise ValueError(value)
    return value
