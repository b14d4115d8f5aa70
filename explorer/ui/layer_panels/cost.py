"""What a layer costs: every number as its product, and beside it the layers that could stand in its place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

import streamlit as st

from explorer.figures.layer_charts import saving_chart
from explorer.layer_costs import Costs, Product, costs, separable_saving
from explorer.layers import MASKED, POOLS, LayerSpec, Sizes
from explorer.worked_examples import chain, written


def cost(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The panel."""
    price = costs(spec, shape, batch, dtype)
    binary = " and ".join(
        f"{in_1024s(int(bytes_of.value))} of {what}"
        for what, bytes_of in (("output", price.output_bytes), ("weights", price.weight_bytes))
    )
    parts = [
        "**What it costs**: parameters once, MACs and numbers for each picture.",
        _table(spec, price, batch, dtype),
        ":small[A MAC is a multiply-add: one product, added to a sum. FLOPs count both, so FLOPs = 2 × MACs. As papers "
        "do, biases and pooling are left out. k, M, G are 10³, 10⁶, 10⁹; in steps of "
        f"1,024 instead, this layer has {binary}.]",
        *_notes(spec, price),
        *(part for rival in rivals(spec) for part in _beside(spec, shape, rival)),
    ]
    if spec.kind == "separable":
        parts.append(
            "**The saving** over the filters and the size of the kernel: close to K² where there are many filters."
        )
    # one element: the panel follows the hand, and each element costs the browser a millisecond
    st.markdown("\n\n".join(parts))
    if spec.kind == "separable":
        _saving(spec)


_NO_BREAK, _MAY_BREAK = "\u00a0", "\u200b"
_PREFIXES: Final = ("", *(f"{_NO_BREAK}{letter}" for letter in "kMGTPEZ"))


# In words --------------------------------------------------------------------------------------------


def short(number: float) -> str:
    """A count with an SI prefix.

    >>> short(760), short(768_000), short(921_601_000), short(999_999)
    ('760', '768\\xa0k', '922\\xa0M', '1\\xa0M')
    """
    thousands = 0
    while float(f"{number:.3g}") >= 1000 and thousands < len(_PREFIXES) - 1:
        number, thousands = number / 1000, thousands + 1
    return f"{number:.3g}{_PREFIXES[thousands]}"


def breakable(terms: str) -> str:
    """A product that a narrow table may break after any sign of multiplication."""
    return terms.replace("×", f"×{_MAY_BREAK}")


def memory(count: int) -> str:
    """Bytes with a decimal prefix.

    >>> memory(512), memory(40_960)
    ('512\\xa0B', '41\\xa0kB')
    """
    text = short(count)
    return f"{text}B" if _NO_BREAK in text else f"{text}{_NO_BREAK}B"


def in_1024s(count: int) -> str:
    """Bytes with a binary prefix.

    >>> in_1024s(512), in_1024s(2_000), in_1024s(67_108_864)
    ('512 B', '1.953 KiB', '64 MiB')
    """
    number, steps = float(count), 0
    while number >= 1024 and steps < 4:
        number, steps = number / 1024, steps + 1
    return f"{number:,.4g} {('', 'Ki', 'Mi', 'Gi', 'Ti')[steps]}B"


def times(ratio: float) -> str:
    """How many times, for reading.

    >>> times(1_212_632.9), times(41_404.6), times(12.345)
    ('1.21 million', '41,405', '12.3')
    """
    for unit, word in ((1e9, "billion"), (1e6, "million")):
        if ratio >= unit:
            return f"{ratio / unit:,.3g} {word}"
    return f"{ratio:,.0f}" if ratio >= 1000 else f"{ratio:.3g}"


def _table(spec: LayerSpec, price: Costs, batch: int, dtype: str) -> str:
    masked = spec.kind in MASKED
    pictures = "1 picture" if batch == 1 else f"{batch:,} pictures"
    rows = [
        ("Parameters", price.parameters, short),
        *([("of them not masked", price.live_parameters, short)] if masked else []),
        ("MACs, multiply-adds", price.macs, short),
        *([("of them not masked", price.live_macs, short)] if masked else []),
        ("FLOPs, 2 × MACs", price.flops, short),
        ("Numbers that come out", price.activations, short),
        (f"Bytes of the output, {pictures}, {dtype}", price.output_bytes, memory),
        (f"Bytes of the parameters, {dtype}", price.weight_bytes, memory),
    ]
    lines = [
        f"| {name} | **{product.value:,}** | {words(int(product.value))} | {breakable(product.terms)} |"
        for name, product, words in rows
    ]
    return "\n".join(["| what | exactly | short | as a product |", "|:--|--:|--:|:--|", *lines])


def _notes(spec: LayerSpec, price: Costs) -> Iterator[str]:
    """What has to be said of this kind, and the dense layer that would do the same."""
    if spec.kind in POOLS:
        yield (
            "**A pooling is free** as papers count: nothing is learned, and comparing or adding is no "
            "multiply-add. It still takes time, to move the numbers."
        )
    if spec.kind == "transposed" and any(map(any, spec.margins)):
        yield "Products that the padding cuts off are made all the same: they count."
    if spec.kind in MASKED:
        yield "Weights that are masked are stored and multiplied all the same, as zeros."
    if spec.kind == "max_pool":
        yield "**No dense layer can do the same**: a maximum is no sum."
        return
    dense = price.dense_parameters
    if dense.value == price.parameters.value:
        yield "**It is a dense layer already**: every number that comes out has weights of its own for every input."
        return
    more = f", {times(price.parameter_ratio.value)} times as many" if price.parameter_ratio else ""
    yield (
        f"**A dense layer that does the same** has {dense} parameters: {short(dense.value)}{more}. "
        "It shares no weights between places."
    )


# Beside other layers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rival:
    """Layers that could stand in a layer's place: what the table calls them, what they have in common with it."""

    name: str
    sentence: str
    stack: tuple[LayerSpec, ...]


def rivals(spec: LayerSpec) -> list[Rival]:
    """What to compare a layer with.

    >>> [rival.name for rival in rivals(LayerSpec(in_channels=64, out_channels=64, kernel_size=7))]
    ['three of 3×3']
    """
    found = []
    if spec.kind == "separable" or (spec.groups > 1 and spec.kind != "transposed"):
        standard = replace(spec, kind="conv", groups=1)
        found.append(Rival("standard convolution", _against_standard(spec), (standard,)))
    if spec.groups == 1 and spec.kind in ("conv", "dilated"):
        if max(spec.dilation) > 1:
            full = replace(spec, kind="conv", kernel_size=spec.extent, dilation=(1,) * spec.dimensions)
            sentence = (
                f"**The holes are free**: a window without them that spans as much, {written(spec.extent)}, has "
                "a weight for every place."
            )
            found.append(Rival("without holes", sentence, (full,)))
        elif stack := threes(spec):
            found.append(_threes_rival(spec, stack))
    return found


def threes(spec: LayerSpec) -> tuple[LayerSpec, ...]:
    """The 3×3 convolutions, one on another, that see as much as a larger one and leave the same size.

    () where there are none: for a window that is no odd square larger than 3, or steps, or has holes.

    >>> [layer.padding for layer in threes(LayerSpec(kernel_size=7, padding=2))]
    [(1, 1), (1, 1), (0, 0)]

    Source: Simonyan & Zisserman 2015, arXiv:1409.1556, section 2.3.
    """
    kernel = spec.kernel_size[0]
    if (
        set(spec.kernel_size) != {kernel}
        or kernel < 5
        or not kernel % 2
        or {*spec.stride, *spec.dilation} != {1}
    ):
        return ()
    count = (kernel - 1) // 2
    layers = []
    for number in range(count):
        padding = spec.padding
        if not isinstance(padding, str):
            # as much in total, the most first, so that no window outgrows what is left
            padding = tuple(each // count + (number < each % count) for each in padding)
        channels = spec.out_channels if number else spec.in_channels
        layers.append(
            replace(spec, in_channels=channels, kernel_size=(3,) * spec.dimensions, padding=padding)
        )
    return tuple(layers)


def _threes_rival(spec: LayerSpec, stack: Sequence[LayerSpec]) -> Rival:
    count = {2: "two", 3: "three", 4: "four", 5: "five"}.get(len(stack), str(len(stack)))
    three, own = written(stack[0].kernel_size), written(spec.kernel_size)
    sentence = (
        f"**{count.capitalize()} windows of {three} see as much as one of {own}**: "
        f"1 + {len(stack)}·2 = {spec.kernel_size[0]}, with an activation after each."
    )
    if spec.in_channels < spec.out_channels:
        sentence += (
            f" Only the first reads {spec.in_channels:,} channels, the others {spec.out_channels:,}: "
            "it pays where the channels stay as many."
        )
    return Rival(f"{count} of {three}", sentence, tuple(stack))


def _against_standard(spec: LayerSpec) -> str:
    weights = math.prod(spec.kernel_size)
    if spec.kind == "separable":
        share = 1 / separable_saving(spec.kernel_size, spec.out_channels)
        return (
            "**First space, then channels**: its MACs are 1/K² + 1/Cout of the standard ones, "
            f"1/{weights} + 1/{spec.out_channels:,} = {share:.3g}."
            + (" Here that is no saving." if share >= 1 else "")
        )
    return (
        f"**Each filter reads one of {spec.groups:,} groups**: {spec.groups:,} times fewer weights and MACs than a "
        "convolution that reads all channels."
    )


def _beside(spec: LayerSpec, shape: Sizes, rival: Rival) -> tuple[str, str]:
    """What the layer and its rival have in common; parameters and MACs of both, and the ratio."""
    this, other = ((_total(stack, shape)) for stack in ((spec,), rival.stack))
    rows = [
        f"| {name} | **{parameters.value:,}** | {breakable(parameters.terms)} | **{macs.value:,}** | "
        f"{breakable(macs.terms)} |"
        for name, (parameters, macs) in (("this layer", this), (rival.name, other))
    ]
    shares = [there.value / here.value for here, there in zip(this, other, strict=True)]
    rows.append(f"| times as much | {times(shares[0])} | | {times(shares[1])} | |")
    head = "| layer | parameters | as a product | MACs | as a product |"
    return rival.sentence, "\n".join([head, "|:--|--:|:--|--:|:--|", *rows])


def _total(stack: Sequence[LayerSpec], shape: Sizes) -> tuple[Product, Product]:
    """Parameters and MACs of layers, one on another."""
    each = [costs(*layer) for layer in chain(stack, shape)]
    return summed([one.parameters for one in each]), summed([one.macs for one in each])


def summed(products: Sequence[Product]) -> Product:
    """A sum of products; those that are alike and follow each other are written once.

    >>> str(summed([Product("3×3×64", 576)] * 2)), str(summed([Product("2×3 + 1", 7), Product("4×5", 20)]))
    ('2×(3×3×64) = 1,152', '2×3 + 1 + 4×5 = 27')
    """
    terms = []
    for text, alike in groupby(products, key=lambda one: one.terms):
        count = len(list(alike))
        terms.append(f"{count}×({text})" if count > 1 else text)
    return Product(" + ".join(terms), sum(one.value for one in products))


def _saving(spec: LayerSpec) -> None:
    saved = separable_saving(spec.kernel_size, spec.out_channels)
    st.plotly_chart(
        saving_chart(spec.kernel_size, spec.out_channels, st.context.theme.type == "dark"),
        config={"displayModeBar": False},
        theme=None,
        key="saving chart",
        alt=f"Line chart: a separable layer has 1 / (1/K² + 1/Cout) times fewer MACs. This layer: {saved:.3g}.",
    )
