"""A question about a layer or a stack: in words, with its answer and its working."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal, TypeAlias

from explorer.layer_costs import costs
from explorer.layer_steps import steps
from explorer.layers import POOLS, LayerSpec, Sizes, output_shape
from explorer.receptive_field import receptive_field
from explorer.worked_examples import chain, field, field_steps, macs, parameters, written

Answer: TypeAlias = int | Sizes
Stack: TypeAlias = tuple[LayerSpec, ...]
Kind: TypeAlias = Literal["shape", "parameters", "macs", "receptive field"]

KINDS: Final[tuple[Kind, ...]] = ("shape", "parameters", "macs", "receptive field")


@dataclass(frozen=True)
class Question:
    """A question about a layer or a stack.

    Attributes:
        kind: one of `KINDS`.
        input_shape: (channels, rows, columns) of what the first layer reads.
        stack: the layers, first to last.
    """

    kind: Kind
    input_shape: Sizes
    stack: Stack

    @property
    def layer(self) -> LayerSpec | None:
        """The layer, where there is one alone."""
        return self.stack[0] if len(self.stack) == 1 else None

    @property
    def text(self) -> str:
        """The question in words.

        >>> Question("macs", (3, 32, 32), (LayerSpec(kernel_size=5),)).text.split(") ")[1]
        'goes into a convolution with 10 filters of 5×5, stride 1, no padding. How many MACs does it take?'
        """
        layers = "; then ".join(
            _described(spec, self.kind, len(list(alike))) for spec, alike in groupby(self.stack)
        )
        if self.kind != "receptive field":
            read = f"An input of {written(self.input_shape)} (channels × rows × columns) goes into {layers}."
            return f"{read} {_ASKED[self.kind]}"
        sides = ", along each side," if isinstance(self.answer, int) else " (rows × columns)"
        return (
            f"{layers[0].upper()}{layers[1:]}. How many input pixels{sides} does one unit of the output see?"
        )

    @property
    def answer(self) -> Answer:
        """A number; a shape as (channels, rows, columns); the field of a rectangle as (rows, columns)."""
        return answered(self.kind, self.input_shape, self.stack)

    @property
    def working(self) -> tuple[str, ...]:
        """The way to the answer, a line each: Markdown, with LaTeX between dollar signs.

        >>> for line in Question("macs", (3, 32, 32), (LayerSpec(kernel_size=5),)).working:
        ...     print(line)
        10×28×28 come out, and each number is a sum of products.
        $5 \\times 5 \\times 3 \\times 10 \\times 28 \\times 28 = 588{,}000$
        """
        return _WORKINGS[self.kind](self)

    @property
    def plain_working(self) -> tuple[str, ...]:
        """The same without LaTeX, for paper.

        >>> Question("macs", (3, 32, 32), (LayerSpec(kernel_size=5),)).plain_working[1]
        '5 × 5 × 3 × 10 × 28 × 28 = 588,000'
        """
        return tuple(_FORMULA.sub(lambda found: _without_latex(found[1]), line) for line in self.working)


def answered(kind: Kind, input_shape: Sizes, stack: Stack) -> Answer:
    """What is asked of a stack.

    >>> answered("receptive field", (3, 32, 32), (LayerSpec(kernel_size=3),))
    3

    Raises:
        ShapeError: layers that do not fit.
    """
    layers = chain(stack, input_shape)
    if kind == "shape":
        return output_shape(*layers[-1])
    return {"parameters": parameters, "macs": macs, "receptive field": field}[kind](layers)


# In words --------------------------------------------------------------------------------------------

_ASKED: Final[Mapping[Kind, str]] = {
    "shape": "What shape comes out?",
    "parameters": "How many parameters are there?",
    "macs": "How many MACs does it take?",
}
_NAMES: Final = {
    "conv": "a convolution",
    "grouped": "a grouped convolution",
    "depthwise": "a depthwise convolution",
    "separable": "a depthwise separable convolution",
    "transposed": "a transposed convolution",
    "max_pool": "max pooling",
    "average_pool": "average pooling",
}


def _described(spec: LayerSpec, kind: Kind, times: int) -> str:
    window, pool = written(spec.kernel_size), spec.kind in POOLS
    name = f"{times} times {_NAMES[spec.kind]}" if times > 1 else _NAMES[spec.kind]
    if pool or kind == "receptive field":
        parts = [f"{name} of {window}"]
    elif spec.kind == "separable":
        parts = [f"{name} of {window} to {_counted(spec.out_channels, 'channel')}"]
    else:
        parts = [f"{name} with {_counted(spec.out_channels, 'filter')} of {window}"]
    parts += [f"{spec.groups} groups"] * (spec.kind == "grouped")
    parts += [f"stride {_each(spec.stride)}"]
    if kind != "receptive field":  # padding changes no field's size
        margin = tuple(before for before, _ in spec.margins)
        parts += [f"padding {_each(margin)}" if any(margin) else "no padding"]
    parts += [f"dilation {_each(spec.dilation)}"] * (set(spec.dilation) != {1})
    parts += [f"output padding {_each(spec.output_padding)}"] * any(spec.output_padding)
    parts += ["rounded up (ceil mode)"] * spec.ceil_mode
    if kind == "parameters" and not pool:
        parts += ["with biases" if spec.bias else "without biases"]
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _each(sizes: Sizes) -> str:
    return written(sizes[0] if len(set(sizes)) == 1 else sizes)


# The working -----------------------------------------------------------------------------------------


def _numbered(question: Question, number: int) -> str:
    return f"Layer {number}: " if len(question.stack) > 1 else ""


def _latex(terms: str) -> str:
    return terms.replace("×", r" \times ").replace(",", "{,}")


_FORMULA: Final = re.compile(r"\$([^$]*)\$")
_SIGNS: Final = {
    r"\left\lfloor ": "⌊",
    r" \right\rfloor": "⌋",
    r"\left\lceil ": "⌈",
    r" \right\rceil": "⌉",
    r" \cdot ": "·",
    r"\times": "×",
    r"\,": "·",
    "-": "−",
}


def _without_latex(formula: str) -> str:
    r"""A formula in one line of plain signs.

    >>> _without_latex(r"\left\lfloor \frac{6 + 2 \cdot 1 - 3}{2} \right\rfloor + 1 = 2\tfrac{1}{2}")
    '⌊(6 + 2·1 − 3)/2⌋ + 1 = 2 1/2'
    """
    formula = formula.replace("{,}", ",")
    formula = re.sub(r"(?<=\d)\\tfrac", r" \\tfrac", formula)
    formula = re.sub(r"\\t?frac\{(-?\w+)\}\{(\w+)\}", r"\1/\2", formula)
    formula = re.sub(r"\\t?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/\2", formula)
    for sign, plain in _SIGNS.items():
        formula = formula.replace(sign, plain)
    return formula


def _shape_working(question: Question) -> tuple[str, ...]:
    lines = []
    for number, (spec, shape) in enumerate(chain(question.stack, question.input_shape), 1):
        layer = _numbered(question, number)
        kept = "Pooling keeps the channels" if spec.kind in POOLS else "A channel for each filter"
        lines.append(f"{layer}{kept}: {spec.out_channels}.")
        axes = [steps(spec, size, axis) for axis, size in enumerate(shape[1:])]
        formulas = [[step.formula for step in axis] for axis in axes]
        names = ("Rows and columns",) if formulas[0] == formulas[1] else ("Rows", "Columns")
        lines.append(f"{layer}{' and '.join(names).capitalize()}: ${formulas[0][0]}$")
        for name, axis, formula in zip(names, axes, formulas, strict=False):
            unread = axis[-1].words if "never" in axis[-1].words else ""
            lines.append(f"{layer}{name}: ${' = '.join(formula[1:])}$. {unread}".rstrip())
    return (*lines, f"The output is {written(question.answer)}.")


def _product_working(question: Question) -> tuple[str, ...]:
    lines, values = [], []
    for number, (spec, shape) in enumerate(chain(question.stack, question.input_shape), 1):
        layer = _numbered(question, number)
        if spec.kind in POOLS:
            lines.append(f"{layer}Pooling has no weights.")
            continue
        cost = costs(spec, shape)
        product = cost.parameters if question.kind == "parameters" else cost.macs
        if question.kind == "parameters":
            words = {
                "depthwise": "Each filter reads one channel",
                "separable": "One filter for each channel, then 1×1 over all channels",
            }.get(spec.kind, f"Each filter reads {_counted(spec.in_channels // spec.groups, 'channel')}")
            words += ", with one bias." if spec.bias else ", without a bias."
        elif spec.kind == "transposed":
            words = f"Each number of the {written(shape)} that go in meets its channel's whole kernels."
        else:
            words = f"{written(output_shape(spec, shape))} come out, and each number is a sum of products."
        lines.append(f"{layer}{words}")
        lines.append(f"{layer}${_latex(product.terms)} = {_latex(f'{product.value:,}')}$")
        values.append(f"{product.value:,}")
    if len(values) > 1:
        lines.append(f"Together: ${_latex(' + '.join(values))} = {_latex(written(question.answer))}$")
    return tuple(lines)


def _field_working(question: Question) -> tuple[str, ...]:
    lines = [
        "A pixel sees itself: size 1, jump 1. A layer adds (K − 1)·D jumps; its stride makes jumps longer."
    ]
    path = field_steps(question.stack)
    square = isinstance(question.answer, int)
    for axis, name in enumerate(("",) if square else (" rows", " columns")):
        for number, step in enumerate(path, 1):
            below = receptive_field(path[: number - 1])
            size, jump = below.size[axis], below.jump[axis]
            window, holes, stride = step.kernel_size[axis], step.dilation[axis], step.stride[axis]
            size_now = size + (window - 1) * holes * jump
            spread = rf"({window} - 1) \cdot " + (rf"{holes} \cdot " if holes > 1 else "") + str(jump)
            lines.append(
                f"Layer {number}{name}: size ${size} + {spread} = {size_now}$, "
                rf"jump ${jump} \cdot {stride} = {jump * stride}$"
            )
    return (*lines, f"One unit sees {written(question.answer)} pixels{' along each side' * square}.")


_WORKINGS: Final[Mapping[Kind, Callable[[Question], tuple[str, ...]]]] = {
    "shape": _shape_working,
    "parameters": _product_working,
    "macs": _product_working,
    "receptive field": _field_working,
}
