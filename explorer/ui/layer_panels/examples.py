"""Worked examples of courses: one click sets the layer, and each of the course's numbers stands beside ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.images import plain
from explorer.layer_costs import Product, costs
from explorer.layers import ADAPTIVE, KINDS, LayerSpec, Sizes, output_shape
from explorer.ui import layer_controls, link
from explorer.ui.layer_panels.cost import breakable
from explorer.worked_examples import EXAMPLES, MEASURES, Claim, Example, Layers, chain, check, digits, written

VERDICTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "right": "✓ **agrees**",
        "rounded": "≈ **rounded**",
        "cut": "≈ **cut off**, not rounded",
        "wrong": "✗ **not right**",
        "not given": "**ours alone**: the course gives no number",
    }
)
"""What a course's number is worth, in words."""
_FEW: Final = 3
"""Layers whose products are written out; of more, their numbers."""


def examples(spec: LayerSpec, shape: Sizes, batch: int, dtype: str) -> None:
    """The panel."""
    example = _chosen()
    counts = any(claim.what == "macs" for claim in example.claims)
    st.markdown(
        f"**{plain(example.title)}** ({plain(example.course)}). {example.sentence}",
        help="A MAC is a multiply-add: one product, added to a sum." if counts else None,
    )
    _layers(example, spec, shape)
    rows = [_row(example, claim) for claim in example.claims]
    st.markdown("\n".join(["| what | the course | we count | verdict |", "|:--|--:|:--|:--|", *rows]))


def _chosen() -> Example:
    """The example of the link, and the list to choose another from, which sets the layer above."""
    keys = list(EXAMPLES)
    now, key = link.read_among("example", keys, keys[0], "the example"), "example control"
    st.session_state[key] = now
    place, button = st.columns((3, 1), vertical_alignment="bottom")
    place.selectbox(
        "Example",
        keys,
        format_func=lambda name: f"{EXAMPLES[name].title} · {EXAMPLES[name].course}",
        key=key,
        on_change=lambda: _pick(st.session_state[key]),
        filter_mode="contains",
    )
    following = keys[(keys.index(now) + 1) % len(keys)]
    button.button(
        "Next",
        icon=":material/navigate_next:",
        on_click=_pick,
        args=(following,),
        width="stretch",
        help=f"{keys.index(now) + 1} of {len(keys)}",
    )
    return EXAMPLES[now]


def _pick(key: str) -> None:
    link.choose("example", key)
    layer_controls.take_layer(EXAMPLES[key].stack[0], EXAMPLES[key].input_shape)


def _layers(example: Example, spec: LayerSpec, shape: Sizes) -> None:
    """Which of the example's layers stands above, and the way to put another there."""
    every = chain(example.stack, example.input_shape), chain(example.beside, example.input_shape)
    choices = {
        _name(*layer) + (" (beside it)" if number else ""): layer
        for number, stack in enumerate(every)
        for layer in stack
    }
    key = "example layer"
    now = next((name for name, layer in choices.items() if layer == (spec, shape)), None)
    if len(choices) == 1:
        if now is None:
            st.button(
                "Set the layer above",
                icon=":material/arrow_upward:",
                on_click=layer_controls.take_layer,
                args=next(iter(choices.values())),
            )
        return
    st.session_state[key] = now

    def take() -> None:
        if (name := st.session_state[key]) is not None:
            layer_controls.take_layer(*choices[name])

    st.selectbox(
        "Its layer that is shown above",
        list(choices),
        key=key,
        on_change=take,
        placeholder="Choose one of its layers",
    )


def _name(spec: LayerSpec, shape: Sizes) -> str:
    window = {"global_pool": "", "adaptive_pool": ""}.get(spec.kind, f" {written(spec.kernel_size)}")
    title = KINDS[spec.kind].title.removesuffix(" (1×1)")
    return f"{title}{window}: {written(shape)} → {written(output_shape(spec, shape))}"


def _row(example: Example, claim: Claim) -> str:
    found = check(example, claim)
    stated = "–" if claim.stated is None else written(claim.stated)
    product, number = working(example, claim), f"**{written(found.ours)}**"
    if product == written(found.ours):
        product = ""
    if claim.what == "output":
        counted = f"{number}, rows {product}"
    else:
        counted = f"{breakable(product)} = {number}" if product else number
    verdict = " ".join(filter(None, (f"{VERDICTS[found.verdict]}{_how(claim, found.verdict)}.", claim.note)))
    return f"| {_about(example, claim)} | {stated} | {counted} | {verdict} |"


def _how(claim: Claim, verdict: str) -> str:
    """How a number is rounded.

    >>> _how(Claim("parameters", 922e6), "rounded"), _how(Claim("macs", "8–9"), "rounded")
    (' to 3 digits', ' to a range')
    """
    if verdict != "rounded" or isinstance(claim.stated, tuple) or claim.stated is None:
        return ""
    if isinstance(claim.stated, str):
        return " to a range"
    return f" to {(places := digits(claim.stated))} digit{'s' * (places > 1)}"


def _about(example: Example, claim: Claim) -> str:
    """What a claim is about.

    >>> vgg = EXAMPLES["three-3x3"]
    >>> _about(vgg, vgg.claims[3]), _about(vgg, vgg.claims[4])
    ('parameters, convolution 7×7 beside it', 'parameters, as a share of those beside it')
    """
    title = MEASURES[claim.what].title
    if claim.layer is not None:
        several = _is_field(claim) and claim.layer
        title += f", layers 1 to {claim.layer + 1}" if several else f", layer {claim.layer + 1}"
    beside = "beside it"
    if len(example.beside) == 1:
        (other,) = example.beside
        beside = f"{KINDS[other.kind].title.lower()} {written(other.kernel_size)} beside it"
    return (
        title
        + {
            "beside": f", {beside}",
            "share": ", as a share of those beside it",
            "saving": ", how many times as many beside it",
            "stack": "",
        }[claim.of]
    )


# Our numbers as products -----------------------------------------------------------------------------


def working(example: Example, claim: Claim) -> str:
    """What our number is made of, as Markdown; "" where it is what was given.

    >>> course = EXAMPLES["ten-filters"]
    >>> working(course, course.claims[2])
    '(5×5×3 + 1)×10'
    """
    if claim.of in ("stack", "beside"):
        return _working(_about_layers(example, claim, claim.of == "beside"), claim.what)
    this, other = (
        written(MEASURES[claim.what].of(_about_layers(example, claim, beside))) for beside in (False, True)
    )
    return f"{this} / {other}" if claim.of == "share" else f"{other} / {this}"


def _is_field(claim: Claim) -> bool:
    return claim.what == "receptive field"


def _about_layers(example: Example, claim: Claim, beside: bool) -> Layers:
    """The layers that are counted; a field looks through all layers below."""
    layers = chain(example.beside if beside else example.stack, example.input_shape)
    if claim.layer is None:
        return layers
    return layers[0 if _is_field(claim) else claim.layer : claim.layer + 1]


def _working(layers: Layers, what: str) -> str:
    spec, shape = layers[-1]
    price, out = costs(spec, shape), output_shape(spec, shape)
    if what == "parameters":
        return _sum([costs(*layer).parameters for layer in layers])
    if what == "macs":
        return _sum([costs(*layer).macs for layer in layers])
    if what in ("output", "side"):
        return working_along(spec, shape[1])
    if what == "change":
        return f"{working_along(spec, shape[1])} − {shape[1]:,}"
    if what == "receptive field":
        jumps = [math.prod(below.stride[0] for below, _ in layers[:place]) for place in range(len(layers))]
        reach = (f"{layer.extent[0] - 1}·{jump}" for (layer, _), jump in zip(layers, jumps, strict=True))
        return " + ".join(["1", *reach])
    return {
        "filter": f"{price.parameters.value:,} / {spec.out_channels:,}",
        "products": written((*spec.kernel_size, spec.in_channels // spec.groups)),
        "channels": "",
        "inputs": written(layers[0][1]),
        "activations": written(out),
        "dense": price.dense_macs.terms,
        "orders": f"log₁₀ of {price.dense_macs.value:,} / {price.parameters.value:,}",
    }[what]


def working_along(spec: LayerSpec, size: int, axis: int = 0) -> str:
    """How many rows come out of so many, with the values put in; likewise along the other axes.

    >>> working_along(LayerSpec(kernel_size=11, stride=4), 227), working_along(LayerSpec("transposed", stride=2), 2)
    ('⌊(227 + 2·0 − 11)/4⌋ + 1', '(2 − 1)·2 − 2·0 + 3 + 0')
    """
    extent, stride, (before, after) = spec.extent[axis], spec.stride[axis], spec.margins[axis]
    if spec.kind in ADAPTIVE:
        return str(spec.output_size[axis])
    if spec.kind == "transposed":
        return f"({size:,} − 1)·{stride} − 2·{before} + {extent} + {spec.output_padding[axis]}"
    padding = f"2·{before}" if before == after else str(before + after)
    return f"⌊({size:,} + {padding} − {extent})/{stride}⌋ + 1"


def _sum(products: list[Product]) -> str:
    priced = [product for product in products if product.value]
    if len(priced) <= _FEW:
        return " + ".join(product.terms for product in priced) or "0"
    return " + ".join(f"{product.value:,}" for product in priced)
