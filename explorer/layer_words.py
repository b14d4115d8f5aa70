"""What a module of torch is set to, in words, and its numbers as the products that they are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from torch import Tensor, nn

from explorer.dry_run import Operation
from explorer.layer_costs import Product

# Settings --------------------------------------------------------------------------------------------


def settings_of(module: nn.Module) -> str:
    """What a layer is set to, defaults left out; "" where there is nothing to say.

    >>> settings_of(nn.Conv2d(64, 128, 3, stride=2, padding=1, groups=32, bias=False))
    '3 × 3, 64 → 128, stride 2, padding 1, groups 32, no bias'
    >>> settings_of(nn.Linear(784, 10)), settings_of(nn.ReLU())
    ('784 → 10', '')
    """
    for kind in type(module).__mro__:
        if kind in _SETTINGS:
            return ", ".join(text for text in _SETTINGS[kind](module) if text)
    return "" if next(module.children(), None) else module.extra_repr()


def _window(sizes: Any) -> str:
    return " × ".join(f"{size:,}" for size in sizes) if isinstance(sizes, Iterable) else f"{sizes:,}"


def _pair(sizes: Any, dimensions: int) -> str:
    return _window(sizes if isinstance(sizes, Iterable) else [sizes] * dimensions)


def _unless(default: Any, name: str, value: Any) -> str:
    """`name value`, one number where all axes are alike; "" where it is the default."""
    values = _listed(value)
    if value == "valid" or all(each == default for each in values):
        return ""
    return f"{name} {values[0] if len(set(values)) == 1 else _window(values)}"


def _convolution(m: Any) -> Iterable[str]:
    yield f"{_window(m.kernel_size)}, {m.in_channels:,} → {m.out_channels:,}"
    yield _unless(1, "stride", m.stride)
    yield _unless(0, "padding", m.padding)
    yield _unless(0, "output padding", m.output_padding)
    yield "" if m.padding_mode == "zeros" or not _unless(0, "", m.padding) else f"{m.padding_mode} padding"
    yield _unless(1, "dilation", m.dilation)
    yield _unless(1, "groups", m.groups)
    yield "" if m.bias is not None else "no bias"


def _pool(dimensions: int, m: Any) -> Iterable[str]:
    yield _pair(m.kernel_size, dimensions)
    yield _unless(1, "stride", m.stride)
    yield _unless(0, "padding", m.padding)
    yield _unless(1, "dilation", getattr(m, "dilation", 1))
    yield "sizes rounded up" if m.ceil_mode else ""
    yield (
        "" if getattr(m, "count_include_pad", True) or not _unless(0, "", m.padding) else "zeros not counted"
    )


def _adaptive(dimensions: int, m: Any) -> Iterable[str]:
    size = m.output_size
    yield "to " + (_pair(size, dimensions) if None not in _listed(size) else str(size))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _linear(m: Any) -> Iterable[str]:
    yield f"{m.in_features:,} → {m.out_features:,}"
    yield "" if m.bias is not None else "no bias"


def _bilinear(m: Any) -> Iterable[str]:
    yield f"{m.in1_features:,} and {m.in2_features:,} → {m.out_features:,}"
    yield "" if m.bias is not None else "no bias"


def _batch_norm(m: Any) -> Iterable[str]:
    yield f"{m.num_features:,} channels"
    yield "" if m.affine else "no scale and shift"
    yield (
        "" if m.track_running_stats or isinstance(m, nn.modules.instancenorm._InstanceNorm) else "no averages"
    )


def _layer_norm(m: Any) -> Iterable[str]:
    yield f"over {_window(m.normalized_shape)}"
    yield "" if m.elementwise_affine else "no scale and shift"


def _group_norm(m: Any) -> Iterable[str]:
    yield f"{m.num_groups:,} groups of {m.num_channels // m.num_groups:,} channels"
    yield "" if m.affine else "no scale and shift"


def _attention(m: Any) -> Iterable[str]:
    yield f"{m.embed_dim:,} features, {m.num_heads:,} head{'s' if m.num_heads > 1 else ''} of {m.head_dim:,}"
    yield "" if m.in_proj_bias is not None else "no bias"


def _recurrent(m: Any) -> Iterable[str]:
    yield f"{m.input_size:,} → {m.hidden_size:,}"
    yield f"{m.num_layers} layers" if m.num_layers > 1 else ""
    yield "both directions" if m.bidirectional else ""
    yield "" if m.bias else "no bias"


def _in_place(m: Any) -> Iterable[str]:
    yield "in place" if getattr(m, "inplace", False) else ""


def _dropout(m: Any) -> Iterable[str]:
    yield f"{100 * m.p:g} %"
    yield from _in_place(m)


def _leaky(m: Any) -> Iterable[str]:
    yield f"slope {m.negative_slope:g}"
    yield from _in_place(m)


def _flatten(m: Any) -> Iterable[str]:
    yield "" if (m.start_dim, m.end_dim) == (1, -1) else f"axes {m.start_dim} to {m.end_dim}"


def _softmax(m: Any) -> Iterable[str]:
    yield f"along axis {m.dim}"


def _embedding(m: Any) -> Iterable[str]:
    yield f"{m.num_embeddings:,} × {m.embedding_dim:,}"


def _upsample(m: Any) -> Iterable[str]:
    yield (
        f"to {_window(_listed(m.size))}"
        if m.size is not None
        else f"{_times(_listed(m.scale_factor))} as large"
    )
    yield str(m.mode)


def _response(m: Any) -> Iterable[str]:
    yield f"over {m.size} channels, α {m.alpha:g}, β {m.beta:g}, k {m.k:g}"


def _times(values: Sequence[float]) -> str:
    return " × ".join(f"{value:g}" for value in values) + (" times" if len(values) == 1 else "")


_Words = Callable[[Any], Iterable[str]]


def _in_dimensions(words: Callable[[int, Any], Iterable[str]], *kinds: type[nn.Module]) -> dict[type, _Words]:
    def of(dimensions: int) -> _Words:
        return lambda module: words(dimensions, module)

    return {kind: of(number) for number, kind in enumerate(kinds, 1)}


_SETTINGS: Final[Mapping[type, _Words]] = MappingProxyType(
    {
        nn.modules.conv._ConvNd: _convolution,
        **_in_dimensions(_pool, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
        **_in_dimensions(_pool, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
        **_in_dimensions(_adaptive, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
        **_in_dimensions(_adaptive, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
        nn.Linear: _linear,
        nn.Bilinear: _bilinear,
        nn.modules.batchnorm._NormBase: _batch_norm,
        nn.LayerNorm: _layer_norm,
        nn.GroupNorm: _group_norm,
        nn.LocalResponseNorm: _response,
        nn.MultiheadAttention: _attention,
        nn.RNNBase: _recurrent,
        nn.modules.dropout._DropoutNd: _dropout,
        nn.LeakyReLU: _leaky,
        **dict.fromkeys(
            (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.Mish, nn.SELU, nn.CELU), _in_place
        ),
        nn.Flatten: _flatten,
        **dict.fromkeys((nn.Softmax, nn.LogSoftmax), _softmax),
        nn.Embedding: _embedding,
        nn.Upsample: _upsample,
    }
)
"""By the class of a module, or the nearest that it descends from: the parts of its text."""


# Products --------------------------------------------------------------------------------------------


def parameter_product(module: nn.Module | None, parameters: Sequence[Tensor]) -> Product:
    """How many weights these parameters are, by their shapes; those of a convolution as window × read × filters.

    >>> conv = nn.Conv2d(3, 16, 5)
    >>> str(parameter_product(conv, list(conv.parameters())))
    '5×5×3×16 + 16 = 1,216'
    >>> norm = nn.BatchNorm2d(64)
    >>> str(parameter_product(norm, list(norm.parameters())))
    '2×64 = 128'
    """
    terms = Counter(
        _filters(module, parameter) if parameter.dim() > 2 else _product(reversed(parameter.shape))
        for parameter in parameters
    )
    text = " + ".join(term if count == 1 else f"{count}×{term}" for term, count in terms.items())
    return Product(text or "0", sum(parameter.numel() for parameter in parameters))


def _filters(module: nn.Module | None, weight: Tensor) -> str:
    if not isinstance(module, nn.modules.conv._ConvNd):
        return _product(weight.shape)
    read = f"{module.in_channels:,}" + (f"/{module.groups:,}" if module.groups > 1 else "")
    return f"{_product(weight.shape[2:])}×{read}×{module.out_channels:,}"


def shape_product(shapes: Sequence[Sequence[int]]) -> Product:
    """Elements of tensors of these shapes.

    >>> str(shape_product([(64, 112, 112)]))
    '64×112×112 = 802,816'
    """
    return Product(" + ".join(map(_product, shapes)) or "0", sum(map(math.prod, shapes)))


def mac_term(operation: Operation) -> str:
    """The multiplications of one operation, as the product that they are; "" where no rule writes it."""
    name = operation.function._schema.name.partition("::")[2]
    return _TERMS[name](operation) if name in _TERMS else ""


def _convolution_term(operation: Operation) -> str:
    x, weight, *_ = operation.args
    transposed, groups = operation.args[6], operation.args[8]
    sites = (x if transposed else operation.outputs[0]).shape[2:]
    inside, outside = weight.shape[:2] if transposed else (weight.shape[1] * groups, weight.shape[0])
    outside *= groups if transposed else 1
    read = f"{inside:,}" + (f"/{groups:,}" if groups > 1 else "")
    many = [x.shape[0]] if x.shape[0] > 1 else []
    return f"{_product(weight.shape[2:])}×{read}×{outside:,}×{_product([*sites, *many])}"


def _matmul_term(left: int, operation: Operation) -> str:
    a, b = operation.args[left : left + 2]
    *batch, rows, inner = a.shape
    return _product(
        [*(size for size in (*batch,) if size > 1), inner, b.shape[-1], *([rows] if rows > 1 else [])]
    )


def _attention_term(operation: Operation) -> str:
    query, key, value = operation.args[:3]
    many = [size for size in query.shape[:-2] if size > 1]
    scores = _product([*many, query.shape[-2], query.shape[-1], key.shape[-2]])
    mixed = _product([*many, query.shape[-2], key.shape[-2], value.shape[-1]])
    return f"{scores} + {mixed}"


_TERMS: Final[Mapping[str, Callable[[Operation], str]]] = MappingProxyType(
    {
        "convolution": _convolution_term,
        **dict.fromkeys(("mm", "bmm"), lambda operation: _matmul_term(0, operation)),
        **dict.fromkeys(("addmm", "baddbmm"), lambda operation: _matmul_term(1, operation)),
        "_scaled_dot_product_flash_attention_for_cpu": _attention_term,
    }
)


def _product(sizes: Iterable[int]) -> str:
    return "×".join(f"{size:,}" for size in sizes) or "1"
