"""What a layer costs: weights, multiplications, memory, each as the product that it is.

MACs are the multiplications of a convolution: no bias, no pooling.  FLOPs count the addition too: 2 × MACs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from explorer.errors import ShapeError
from explorer.layers import MASKED, POOLS, LayerSpec, Sizes, live_weights, output_shape, parts

ITEM_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
)
"""Bytes of one number, by torch's name of its type."""


@dataclass(frozen=True)
class Product:
    """A number and what it is made of: the terms, with thousands separators, as they are written.

    >>> str(Product("(5×5×3 + 1)×10", 760))
    '(5×5×3 + 1)×10 = 760'
    """

    terms: str
    value: float

    def __str__(self) -> str:
        # of a ratio below a thousand, four figures
        exact = isinstance(self.value, int) or self.value >= 1000
        return f"{self.terms} = " + (f"{self.value:,.0f}" if exact else f"{self.value:.4g}")


@dataclass(frozen=True)
class Costs:
    """What one layer costs.  All but the bytes of the output are for one image.

    Attributes:
        parameters: weights and biases that are stored: (F·F·Cin/groups + 1)·Cout.
        live_parameters: those that count: fewer than are stored where the layer is masked.
        macs: multiplications that are made; of a transposed convolution also those that the padding cuts off.
        live_macs: those with weights that count.
        flops: 2 × macs.
        activations: numbers that come out.
        output_bytes: of a whole batch.
        weight_bytes: of the stored parameters.
        dense_parameters: of the dense layer from all inputs to all outputs, which could do the same.
        dense_macs: its multiplications.
        parameter_ratio, mac_ratio: how many times as many the dense layer has; None where the layer has none.
    """

    parameters: Product
    live_parameters: Product
    macs: Product
    live_macs: Product
    flops: Product
    activations: Product
    output_bytes: Product
    weight_bytes: Product
    dense_parameters: Product
    dense_macs: Product
    parameter_ratio: Product | None
    mac_ratio: Product | None


def costs(spec: LayerSpec, input_shape: Sizes, batch: int = 1, dtype: str = "float32") -> Costs:
    """What the layer costs for inputs of (channels, *sizes).

    >>> course = costs(LayerSpec(kernel_size=5, padding=2), (3, 32, 32))
    >>> str(course.parameters), str(course.macs)
    ('(5×5×3 + 1)×10 = 760', '5×5×3×10×32×32 = 768,000')
    >>> str(costs(LayerSpec("separable", out_channels=5, bias=False), (3, 12, 12)).macs)
    '3×3×3×10×10 + 1×1×3×5×10×10 = 4,200'

    Raises:
        ShapeError: the layer does not fit the input, or there is no such batch or type.
    """
    if batch < 1:
        raise ShapeError(f"A batch has at least one image, not {batch}.")
    if dtype not in ITEM_BYTES:
        raise ShapeError(f"There is no type “{dtype}”; there are {', '.join(ITEM_BYTES)}.")
    result = output_shape(spec, input_shape)
    prices, shape = [], input_shape
    for part in parts(spec):
        prices.append(_priced(part, shape))
        shape = output_shape(part, shape)
    parameters, live_parameters, macs, live_macs = map(_sum, zip(*prices, strict=True))
    outputs, inputs, item = math.prod(result), math.prod(input_shape), ITEM_BYTES[dtype]
    dense_macs = Product(f"({_times(*input_shape)})×({_times(*result)})", inputs * outputs)
    dense_parameters = dense_macs
    if spec.bias:
        dense_parameters = Product(
            f"({_times(*input_shape)} + 1)×({_times(*result)})", (inputs + 1) * outputs
        )
    return Costs(
        parameters,
        live_parameters,
        macs,
        live_macs,
        flops=Product(f"2×{macs.value:,}", 2 * macs.value),
        activations=Product(_times(*result), outputs),
        output_bytes=Product(f"{batch:,}×{outputs:,}×{item}", batch * outputs * item),
        weight_bytes=Product(f"{parameters.value:,}×{item}", parameters.value * item),
        dense_parameters=dense_parameters,
        dense_macs=dense_macs,
        parameter_ratio=_ratio(dense_parameters, parameters),
        mac_ratio=_ratio(dense_macs, macs),
    )


def separable_saving(kernel_size: int | Sizes, out_channels: int) -> float:
    """How many times as many MACs a convolution has as the separable one, for any channels that go in and any size.

    K²·Cout / (K² + Cout), for K weights a side, or the numbers of weights along each axis.

    >>> round(separable_saving(3, 256), 3)
    8.694

    Source: Howard et al. 2017, arXiv:1704.04861, section 3.1.
    """
    weights = kernel_size**2 if isinstance(kernel_size, int) else math.prod(kernel_size)
    return weights * out_channels / (weights + out_channels)


def _priced(spec: LayerSpec, input_shape: Sizes) -> tuple[Product, Product, Product, Product]:
    """Parameters, those that count, MACs, those that count, of one part."""
    if spec.kind in POOLS:
        return (Product("0", 0),) * 4
    # every input of a transposed convolution meets the whole kernel, of any other every output does
    sites = input_shape[1:] if spec.kind == "transposed" else output_shape(spec, input_shape)[1:]
    read = f"×{spec.in_channels:,}" + (f"/{spec.groups:,}" if spec.groups > 1 else "")
    if spec.kind == "depthwise":
        read = ""  # one channel

    def prices(window: str, weights: int) -> tuple[Product, Product]:
        filters, each = spec.out_channels, weights * spec.in_channels // spec.groups
        parameters = Product(f"{window}{read}×{filters:,}", each * filters)
        if spec.bias:
            parameters = Product(f"({window}{read} + 1)×{filters:,}", (each + 1) * filters)
        macs = Product(f"{window}{read}×{filters:,}×{_times(*sites)}", each * filters * math.prod(sites))
        return parameters, macs

    parameters, macs = prices(_times(*spec.kernel_size), math.prod(spec.kernel_size))
    if spec.kind not in MASKED:
        return parameters, parameters, macs, macs
    live = int(live_weights(spec).sum())
    live_parameters, live_macs = prices(f"{live:,}", live)
    return parameters, live_parameters, macs, live_macs


def _sum(products: Sequence[Product]) -> Product:
    return Product(" + ".join(each.terms for each in products), sum(each.value for each in products))


def _ratio(more: Product, less: Product) -> Product | None:
    if not less.value:
        return None
    return Product(f"{more.value:,}/{less.value:,}", more.value / less.value)


def _times(*numbers: int) -> str:
    return "×".join(f"{number:,}" for number in numbers)
