"""Why a network stops at a layer: one sentence with the layer, what it expects, and what arrives."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from explorer.errors import ExplorerError


@dataclass(frozen=True)
class Failure:
    """Where a network stops.

    Attributes:
        path: of the row that failed; "" for the network itself.
        kind: of that row, "Conv2d".
        sentence: for the visitor: the layer, what it expects, what arrives.
        expected: in words, "64 channels"; "" where that cannot be told.
        arrived: in words, "32 channels", or the shapes that arrived.
    """

    path: str
    kind: str
    sentence: str
    expected: str = ""
    arrived: str = ""

    def __post_init__(self) -> None:
        if not self.sentence:
            raise ValueError(f"The failure of “{self.path}” says nothing.")


def explain(
    error: Exception, path: str, kind: str, module: nn.Module | None, arrived: Sequence[Tensor]
) -> Failure:
    """What an error means that a module, or an operation where there is no module, met with these tensors."""
    if isinstance(error, ExplorerError):  # a whole sentence already, as of code that was read
        return Failure(path, kind, str(error))
    where = f"{kind} “{path}”" if path else f"The network ({kind})"
    if module is None and kind in _TITLES:
        where = f"The {_TITLES[kind]} “{path}”"
    shapes = [tuple(tensor.shape) for tensor in arrived]
    found = misfit(module, shapes) if module is not None else _of_operation(kind, error, shapes)
    if module is not None and len(shapes) > 1 and "tuple" in str(error):
        found = "one tensor", f"{len(shapes)} together"
    if found is None and shapes and any(sign in str(error) for sign in _TOO_SMALL):
        found = "a map at least as large as its window", _described(shapes[0])
    if found is not None:
        expected, met = found
        return Failure(path, kind, f"{where} expects {expected}, but {_arrives(met)}.", expected, met)
    met = _listed([_written(_without_batch(shape)) for shape in shapes])
    return Failure(path, kind, f"{where} {_otherwise(error, met)}", "", met)


def without_output(kind: str, result: object) -> Failure:
    """A network whose forward gives no tensor."""
    return Failure(
        "", kind, f"The network ({kind}) gives no numbers: its forward returns {type(result).__name__}."
    )


Found = tuple[str, str] | None
"""What is expected, and what arrives."""


def misfit(module: nn.Module, shapes: Sequence[tuple[int, ...]]) -> Found:
    """What a module expects and what it meets, batch included; None where the shapes are not the reason."""
    if not shapes:
        return None
    if isinstance(module, _FOR_MAPS) and len(shapes[0]) < 3:
        return "a map of channels × height × width", _described(shapes[0])
    for kind in type(module).__mro__:
        if kind in _EXPECTATIONS:
            return _EXPECTATIONS[kind](module, shapes[0])
    return None


def _convolution(m: Any, shape: tuple[int, ...]) -> Found:
    dimensions = len(m.kernel_size)
    if len(shape) not in (dimensions + 1, dimensions + 2):
        return _a_map(dimensions, m.in_channels), _described(shape)
    channels = shape[-dimensions - 1]
    if channels != m.in_channels:
        return _count(m.in_channels, "channel"), _count(channels, "channel")
    if m.transposed:
        return None
    padding = [0] * dimensions if m.padding == "valid" else m.padding
    if padding == "same":
        return None
    if m.padding_mode in ("reflect", "circular"):
        for size, margin in zip(shape[-dimensions:], padding, strict=True):
            if margin > size - (m.padding_mode == "reflect"):
                return f"a map larger than its {m.padding_mode} padding of {margin}", _sizes(
                    shape, dimensions
                )
    extents = [d * (k - 1) + 1 for k, d in zip(m.kernel_size, m.dilation, strict=True)]
    return _large_enough(extents, padding, shape)


def _pool(dimensions: int, m: Any, shape: tuple[int, ...]) -> Found:
    if len(shape) not in (dimensions + 1, dimensions + 2):
        return _a_map(dimensions), _described(shape)
    kernel, padding, dilation = (
        _repeated(value, dimensions) for value in (m.kernel_size, m.padding, getattr(m, "dilation", 1))
    )
    for size, margin in zip(kernel, padding, strict=True):
        if margin > size // 2:
            return f"padding of at most {size // 2}, half its window of {size}", f"padding of {margin}"
    return _large_enough([d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)], padding, shape)


def _large_enough(extents: Sequence[int], padding: Sequence[int], shape: tuple[int, ...]) -> Found:
    sizes = shape[-len(extents) :]
    least = [max(1, extent - 2 * margin) for extent, margin in zip(extents, padding, strict=True)]
    if all(size >= needed for size, needed in zip(sizes, least, strict=True)):
        return None
    return f"a map of at least {_written(least)}", _sizes(shape, len(extents))


def _linear(m: Any, shape: tuple[int, ...]) -> Found:
    if not shape or shape[-1] == m.in_features:
        return None
    if len(shape) == 4:
        whole = math.prod(shape[1:])
        return _count(m.in_features, "number"), f"{_described(shape)} (flattened, {whole:,})"
    return _count(m.in_features, "number"), _count(shape[-1], "number")


def _batch_norm(dimensions: tuple[int, ...], m: Any, shape: tuple[int, ...]) -> Found:
    if len(shape) not in dimensions:
        return _a_map(dimensions[-1] - 2, m.num_features), _described(shape)
    channels = shape[-dimensions[-1] + 1] if isinstance(m, _InstanceNorm) else shape[1]
    if channels != m.num_features and (m.affine or m.track_running_stats or isinstance(m, _BatchNorm)):
        return _count(m.num_features, "channel"), _count(channels, "channel")
    if m.training and math.prod(shape) == shape[1]:
        return "more than one value of each channel while it is trained", "1"
    if isinstance(m, _InstanceNorm) and math.prod(shape[2:]) == 1:
        return "more than one value of each channel", "1"
    return None


def _group_norm(m: Any, shape: tuple[int, ...]) -> Found:
    if len(shape) > 1 and shape[1] != m.num_channels:
        return _count(m.num_channels, "channel"), _count(shape[1], "channel")
    return None


def _layer_norm(m: Any, shape: tuple[int, ...]) -> Found:
    wanted = tuple(m.normalized_shape)
    if shape[-len(wanted) :] == wanted:
        return None
    # one axis: its size says it all
    if len(wanted) == 1:
        return f"{wanted[0]:,} numbers in the last axis", f"{shape[-1]:,}" if shape else "a single number"
    return f"{_written(wanted)} in the last axes", _written(shape[1:])


def _attention(m: Any, shape: tuple[int, ...]) -> Found:
    if len(shape) not in (2, 3):
        return f"tokens of {_count(m.embed_dim, 'feature')}", _described(shape)
    return (f"{m.embed_dim:,} features", f"{shape[-1]:,}") if shape[-1] != m.embed_dim else None


def _recurrent(m: Any, shape: tuple[int, ...]) -> Found:
    if len(shape) not in (2, 3):
        return f"a sequence of {_count(m.input_size, 'feature')}", _described(shape)
    return (f"{m.input_size:,} features", f"{shape[-1]:,}") if shape[-1] != m.input_size else None


def _prelu(m: Any, shape: tuple[int, ...]) -> Found:
    channels = shape[1] if len(shape) > 1 else 1
    if m.num_parameters in (1, channels):
        return None
    return _count(m.num_parameters, "channel"), _count(channels, "channel")


def _softmax(m: Any, shape: tuple[int, ...]) -> Found:
    axes = len(shape)
    if m.dim is None or -axes <= m.dim < axes:
        return None
    return f"an axis {m.dim}", _written(_without_batch(shape))


def _unflatten(m: Any, shape: tuple[int, ...]) -> Found:
    wanted = tuple(m.unflattened_size)
    return f"{math.prod(wanted):,} numbers for {_written(wanted)}", f"{shape[m.dim]:,}"


def _shuffle(m: Any, shape: tuple[int, ...]) -> Found:
    square = m.upscale_factor**2
    return f"channels in multiples of {square}", f"{shape[-3]:,}" if len(shape) > 2 else _written(shape)


def _unshuffle(m: Any, shape: tuple[int, ...]) -> Found:
    factor = m.downscale_factor
    return f"rows and columns in multiples of {factor}", _described(shape)


def _flatten(m: Any, shape: tuple[int, ...]) -> Found:
    last = max(m.start_dim, m.end_dim)
    return (f"an axis {last}", _described(shape)) if last >= len(shape) else None


def _halved(m: Any, shape: tuple[int, ...]) -> Found:
    if not -len(shape) <= m.dim < len(shape) or shape[m.dim] % 2 == 0:
        return None
    return f"an even size along axis {m.dim}", f"{shape[m.dim]:,}"


def _padding(m: Any, shape: tuple[int, ...]) -> Found:
    sides = list(m.padding)
    sizes = list(reversed(shape))[: len(sides) // 2]
    for size, before, after in zip(sizes, sides[::2], sides[1::2], strict=False):
        if size + before + after < 1:
            return f"a map of more than {-before - after} along the axis that it cuts", f"{size:,}"
        if isinstance(m, nn.modules.padding._ReflectionPadNd) and max(before, after) >= size:
            return f"a map larger than its padding of {max(before, after)}", f"{size:,}"
    return None


def _upsample(m: Any, shape: tuple[int, ...]) -> Found:
    factors = _repeated(m.scale_factor, len(shape) - 2) if m.scale_factor else []
    if any(int(size * factor) < 1 for size, factor in zip(shape[2:], factors, strict=False)):
        return f"a map that leaves something at {m.scale_factor:g} times its size", _written(shape[2:])
    return None


def _embedding(m: Any, shape: tuple[int, ...]) -> Found:
    return "whole numbers that choose among its entries", "a picture"


def _channel_shuffle(m: Any, shape: tuple[int, ...]) -> Found:
    return f"channels in multiples of {m.groups}", f"{shape[1]:,}"


Expectation = Callable[[Any, tuple[int, ...]], Found]


def _in_dimensions(dimensions: int, *kinds: type[nn.Module]) -> dict[type, Expectation]:
    return dict.fromkeys(kinds, lambda module, shape: _pool(dimensions, module, shape))


def _norm(dimensions: tuple[int, ...]) -> Expectation:
    return lambda module, shape: _batch_norm(dimensions, module, shape)


_EXPECTATIONS: Final[Mapping[type, Expectation]] = MappingProxyType(
    {
        nn.modules.conv._ConvNd: _convolution,
        **_in_dimensions(1, nn.MaxPool1d, nn.AvgPool1d),
        **_in_dimensions(2, nn.MaxPool2d, nn.AvgPool2d),
        **_in_dimensions(3, nn.MaxPool3d, nn.AvgPool3d),
        nn.Linear: _linear,
        **dict.fromkeys((nn.BatchNorm1d, nn.InstanceNorm1d), _norm((2, 3))),
        **dict.fromkeys((nn.BatchNorm2d, nn.InstanceNorm2d), _norm((4,))),
        **dict.fromkeys((nn.BatchNorm3d, nn.InstanceNorm3d), _norm((5,))),
        nn.GroupNorm: _group_norm,
        nn.LayerNorm: _layer_norm,
        nn.MultiheadAttention: _attention,
        nn.RNNBase: _recurrent,
        nn.PReLU: _prelu,
        nn.Embedding: _embedding,
        nn.PixelUnshuffle: _unshuffle,
        nn.ChannelShuffle: _channel_shuffle,
        nn.Flatten: _flatten,
        nn.GLU: _halved,
        **dict.fromkeys((nn.modules.padding._ReflectionPadNd, nn.modules.padding._ConstantPadNd), _padding),
        nn.Upsample: _upsample,
        **dict.fromkeys((nn.Softmax, nn.LogSoftmax, nn.Softmin), _softmax),
        nn.Unflatten: _unflatten,
        nn.PixelShuffle: _shuffle,
    }
)
"""By the class of a module: what it expects and what it met, or None where the shape is not the reason."""


_FOR_MAPS: Final = (
    *(nn.LocalResponseNorm, nn.Upsample, nn.Unfold, nn.ChannelShuffle, nn.LPPool2d, nn.PixelShuffle),
    *(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.PixelUnshuffle),
)

# Operations ------------------------------------------------------------------------------------------


_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{"add": "sum", "sub": "difference", "mul": "product", "div": "quotient"},
        **dict.fromkeys(("cat", "concat", "concatenate"), "concatenation"),
        **dict.fromkeys(("matmul", "mm", "bmm"), "matrix product"),
        **{"bool": "decision", "item": "number", "tolist": "list", "index": "choice"},
    }
)
_POINTWISE: Final = ("add", "sub", "mul", "div", "maximum", "minimum")
_TOO_SMALL: Final = (
    "Output size is too small",
    "Kernel size can't be greater",
    "smaller than kernel size",
    "sliding blocks is",
)


def _of_operation(kind: str, error: Exception, shapes: Sequence[tuple[int, ...]]) -> Found:
    text = str(error)
    met = _listed([_written(_without_batch(shape)) for shape in shapes])
    if kind in _POINTWISE and len(shapes) == 2 and not _broadcast(*shapes):
        return "two of the same shape", met
    if _TITLES.get(kind) == "concatenation" and len(shapes) > 1:
        if len({len(shape) for shape in shapes}) > 1:
            return "all to have as many axes", met
        along = re.search(r"except in dimension (\d+)", text)
        maps = along and along[1] == "1" and len(shapes[0]) == 4
        return ("maps of the same height and width" if maps else "all other axes to be the same"), met
    if _TITLES.get(kind) == "matrix product" and len(shapes) == 2 and min(map(len, shapes)) > 1:
        columns, rows = shapes[0][-1], shapes[1][-2]
        return (f"a second factor of {_count(columns, 'row')}", f"{rows:,}") if rows != columns else None
    if kind == "linear" and len(shapes) > 1 and shapes[0][-1] != shapes[1][-1]:
        return _count(shapes[1][-1], "number"), _count(shapes[0][-1], "number")
    if kind in ("conv1d", "conv2d", "conv3d") and "channel" in text and len(shapes) > 1:
        return _count(shapes[1][1], "channel"), _count(shapes[0][1], "channel")
    if kind in ("view", "reshape", "flatten", "unflatten") and shapes:
        shape = re.search(r"shape '\[(.*?)\]' is invalid", text)
        if shape:
            sizes = [int(size) for size in shape[1].split(",")]
            fixed = math.prod(size for size in sizes if size > 0)
            many = "a multiple of " if -1 in sizes else ""
            return f"{many}{_count(fixed, 'number')}", f"{math.prod(shapes[0]):,}"
    return None


def _broadcast(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    pairs = zip(reversed(left), reversed(right), strict=False)
    return all(a == b or 1 in (a, b) for a, b in pairs)


_VALUES: Final = (
    "on a meta tensor",
    "out of meta tensor",
    "Cannot copy out",
    "meta tensors",
    "data-independent",
    "data-dependent",
    "from the 'Meta' backend",
)
"""Signs that what comes out depends on more than shapes."""


def _otherwise(error: Exception, met: str) -> str:
    """The rest of a sentence about an error that no shape explains."""
    text = " ".join(str(error).replace("torch.Size", "").split())
    arriving = f" where {_arrives(met)}" if met else ""
    if "forward() missing" in text:
        names = text.partition(": ")[2]
        return f"cannot run on one picture: its forward also asks for {names}."
    if "forward() takes" in text:
        return "cannot be called in this way: its forward takes another number of inputs than it is given."
    if isinstance(error, NotImplementedError) and '"forward"' in text:
        return "has no forward: nothing says how it runs."
    if any(sign in text for sign in _VALUES):
        return "looks at the values of what arrives, and a table of shapes has no values."
    if isinstance(error, RecursionError):
        return "calls itself without end."
    if "Storage size calculation overflowed" in text or "numel: integer multiplication overflow" in text:
        return f"would make more numbers than a computer can count{arriving}."
    cause = re.split(r"(?<=[.!?])\s", text)[0].rstrip(".") or type(error).__name__
    return f"cannot run{arriving}: {cause}."


# Words -----------------------------------------------------------------------------------------------


def _written(shape: Sequence[int]) -> str:
    return " × ".join(f"{size:,}" for size in shape) or "a single number"


def _sizes(shape: tuple[int, ...], dimensions: int) -> str:
    return _written(shape[-dimensions:])


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 else shape


def _described(shape: tuple[int, ...]) -> str:
    """What arrives where its very axes are not those that are expected."""
    sizes = _without_batch(shape)
    if len(sizes) == 1:
        return f"a row of {_count(sizes[0], 'number')}"
    return f"{'a map of ' if len(sizes) == 3 else ''}{_written(sizes)}"


def _a_map(dimensions: int, channels: int | None = None) -> str:
    axes = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}[max(1, dimensions)]
    return " × ".join([_count(channels, "channel") if channels else "channels", *axes])


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _arrives(met: str) -> str:
    """What arrives as a clause; a name that was just said is not said again."""
    number = re.fullmatch(r"([\d,]+)(?: (?:channel|number)s?)?", met)
    if number:
        return f"{number[1]} {'arrives' if number[1] == '1' else 'arrive'}"
    return f"{met} {'arrive' if ' and ' in met else 'arrives'}"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _repeated(value: Any, count: int) -> list[int]:
    return list(value) if isinstance(value, tuple | list) else [value] * count
