"""The working of a layer's output size: each line is computed again from its LaTeX, its MathML and its plain text."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from explorer.errors import ShapeError
from explorer.layer_code import module
from explorer.layer_steps import equations, in_words, letters, mathml, steps
from explorer.layers import AXES, KINDS, LayerSpec, output_size, unread
from tests.layer_zoo import REFUSALS, draw, torch_shape

# torch copies the picture for these, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")


def computed(formula: str, **symbols: int) -> Fraction:
    """The value of a line of LaTeX, symbols replaced by numbers."""
    text = re.sub(r"(-?)(\d*)\\tfrac\{(\d+)\}\{(\d+)\}", r"\1(0\2 + F(\3, \4))", formula)
    text = re.sub(r"\\frac\{(.*)\}\{(\w+)\}", r"F(\1, \2)", text)
    for latex, python in {r"\left\lfloor": "floor(", r"\left\lceil": "ceil(", r"\right\rfloor": ")"}.items():
        text = text.replace(latex, python)
    text = text.replace(r"\right\rceil", ")").replace(r"\cdot", "*").replace(r"\,", "*").replace("2P", "2*P")
    text = re.sub(r"\b0+(\d)", r"\1", text)
    return Fraction(
        eval(text, {"floor": math.floor, "ceil": math.ceil, "F": lambda a, b: Fraction(a) / b, **symbols})
    )


def test_each_line_of_random_layers_comes_to_what_torch_makes():
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(500):
        kind, dimensions, numbers, shape = draw(rng)
        try:
            expected = torch_shape(kind, dimensions, numbers, shape)
        except REFUSALS:
            continue
        spec = LayerSpec(kind, dimensions, **numbers)
        for axis, size in enumerate(shape[1:]):
            working = steps(spec, size, axis)
            assert [step.value for step in working[:-1]] == [None] * (len(working) - 1)
            assert working[-1].value == computed(working[-1].formula) == expected[1 + axis]
            if kind in ("adaptive_pool", "global_pool"):
                continue
            before, after = spec.margins[axis]
            symbols = {
                "W": size,
                "K": spec.kernel_size[axis],
                "S": spec.stride[axis],
                "P": before + after if spec.padding == "same" else before,
                "D": spec.dilation[axis],
                "A": spec.output_padding[axis],
            }
            cut = len(working) == 7  # ceil mode, and the last window left out
            values = [computed(step.formula, **symbols) for step in working]
            assert values[:-2] == [expected[1 + axis] + cut] * (len(working) - 2), [
                s.formula for s in working
            ]
            assert values[-2:] == [expected[1 + axis]] * 2
            seen += 1
    assert seen > 250


def test_an_adaptive_windows_borders_are_those_of_torch():
    spec = LayerSpec("adaptive_pool", 1, output_size=5)
    first, last = steps(spec, 13)[2].formula.split(r" \ldots ")
    windows = [
        (computed(first.replace("i ", f"{i} ")), computed(last.replace("i ", f"{i} "))) for i in range(5)
    ]
    assert windows == [
        (0, 2),
        (2, 5),
        (5, 7),
        (7, 10),
        (10, 12),
    ]  # start_index, end_index of AdaptivePooling.h


@pytest.mark.parametrize(
    ("spec", "size", "words"),
    [
        (LayerSpec(kernel_size=3, stride=2), 7, "Every row is read."),
        (LayerSpec(kernel_size=3, stride=2), 6, "1 row at the end is never read."),
        (LayerSpec(kernel_size=2, stride=5), 11, "7 rows are never read, 4 of them at the end"),
        (LayerSpec(kernel_size=2, stride=5), 15, "9 rows are never read, 3 of them at the end"),
        (LayerSpec(kernel_size=1, stride=2), 5, "2 rows are never read."),
        (LayerSpec(kernel_size=11, stride=4, padding=1), 224, "2 rows at the end are never read."),
        (LayerSpec("max_pool", kernel_size=3, stride=2, ceil_mode=True), 6, "Every row is read."),
        (LayerSpec("transposed", kernel_size=2, stride=2, padding=2), 5, "2 rows are never read, 1 of them at the"),
        (LayerSpec("masked_a", 1, kernel_size=3, padding=1), 6, "1 position at the end is never read."),
    ],
)  # fmt: skip
def test_the_last_line_tells_what_is_never_read(spec: LayerSpec, size: int, words: str):
    assert steps(spec, size)[-1].words.startswith(words)


def test_counts_of_what_is_never_read_are_those_of_the_mask():
    rng = np.random.default_rng(4)
    told = 0
    for _ in range(300):
        kind, dimensions, numbers, shape = draw(rng, dimensions=1)
        numbers["stride"] = int(rng.integers(1, 7))
        try:
            spec = LayerSpec(kind, dimensions, **numbers)
            mask = unread(spec, shape)
        except ShapeError:
            continue
        if kind == "global_pool":
            continue
        words = steps(spec, shape[1])[-1].words
        counts = [int(number) for number in re.findall(r"\d+", words)]
        at_end = len(mask) - 1 - np.flatnonzero(~mask).max(initial=-1)
        assert counts[:1] == ([mask.sum()] if mask.any() else [])
        assert ("at the end" in words) == bool(at_end)
        if at_end:
            assert counts[-1] == at_end
            told += 1
    assert told > 20


def test_what_does_not_fit_has_no_working():
    for axis in range(len(AXES[2])):
        with pytest.raises(ShapeError):
            steps(LayerSpec(kernel_size=9), 8, axis)
    assert output_size(LayerSpec(kernel_size=9), 9) == steps(LayerSpec(kernel_size=9), 9)[-1].value == 1


# ------------------------------------------------------------------------------- as MathML and as plain text


def spoken(element: ElementTree.Element, symbols: dict[str, int]) -> str:
    """MathML as an expression of Python; letters are looked up, and a letter beside a number multiplies it."""
    inner = [spoken(child, symbols) for child in element]
    if element.tag == "mfrac":
        return f"F({inner[0]}, {inner[1]})"
    if element.tag == "mi":
        return f"({symbols[element.text or '']})"
    if element.tag == "mn":
        return f"({element.text})"
    if element.tag == "mspace":
        return "*"
    if element.tag == "mo":
        marks = {"⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "−": "-", "·": "*"}
        return marks.get(element.text or "", element.text or "")
    joined = "".join(inner)
    joined = re.sub(r"\)(?=F)", ")+", joined)  # a mixed number is a sum
    return re.sub(r"\)\((?=\d+\)|-?\d)", ")*(", joined)


def value_of(markup: str, symbols: dict[str, int] | None = None) -> Fraction:
    text = spoken(ElementTree.fromstring(f"<math>{markup}</math>"), symbols or {})
    ratio = {"F": lambda a, b: Fraction(a) / b, "floor": math.floor, "ceil": math.ceil}
    return Fraction(eval(text, ratio))


def value_in_words(text: str) -> Fraction:
    text = re.sub(r"(\d+) (\d+)/(\d+)", r"(\1 + F(\2, \3))", text)
    for sign, python in {"⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "−": "-", "·": "*"}.items():
        text = text.replace(sign, python)
    text = re.sub(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\) / (\d+)", r"F(\1, \2)", text)
    text = re.sub(r"(\d+) / (\d+)", r"F(\1, \2)", text)
    text = re.sub(r"(?<![\d\w)]) ?(\d+)/(\d+)", r"F(\1, \2)", text)
    return Fraction(eval(text, {"F": lambda a, b: Fraction(a) / b, "floor": math.floor, "ceil": math.ceil}))


def test_mathml_and_plain_text_of_random_layers_come_to_what_torch_makes():
    rng = np.random.default_rng(8)
    seen = 0
    for _ in range(400):
        kind, dimensions, numbers, shape = draw(rng)
        if kind in ("adaptive_pool", "global_pool"):
            continue
        try:
            expected = torch_shape(kind, dimensions, numbers, shape)
        except REFUSALS:
            continue
        spec = LayerSpec(kind, dimensions, **numbers)
        for axis, size in enumerate(shape[1:]):
            values = {letter.symbol: letter.value for letter in letters(spec, size, axis)}
            lines = steps(spec, size, axis)
            cut = len(lines) == 7
            wanted = expected[1 + axis] + cut
            assert value_of(mathml(lines[0].formula), values) == wanted
            assert value_of(mathml(lines[0].formula, values)) == wanted
            assert value_in_words(in_words(lines[0].formula, values)) == wanted
            for line in lines[:-1][: -1 if cut else None]:
                if not re.search("[A-Z]", line.formula):
                    assert value_of(mathml(line.formula)) == wanted
                    assert value_in_words(in_words(line.formula)) == wanted
            # the numbers put in by letter read as the second line does
            assert in_words(lines[0].formula, values) == in_words(lines[1].formula)
            seen += 1
    assert seen > 200


def test_each_letter_stands_in_the_mathml_and_carries_its_number():
    rng = np.random.default_rng(9)
    words = {
        "W": "input",
        "P": "padding",
        "D": "dilation",
        "K": "kernel",
        "S": "stride",
        "A": "output padding",
    }
    for kind in sorted(set(KINDS) - {"global_pool", "adaptive_pool"}):
        spec = LayerSpec(kind, 2, **KINDS[kind].start)
        size = int(rng.integers(9, 40))
        found = letters(spec, size)
        fields = {
            "W": size,
            "P": spec.margins[0][0],
            "D": spec.dilation[0],
            "K": spec.kernel_size[0],
            "S": spec.stride[0],
            "A": spec.output_padding[0],
        }
        assert {each.symbol: each.value for each in found} == {
            symbol: fields[symbol] for symbol in fields if symbol != "A" or kind == "transposed"
        }
        assert all(each.word == words[each.symbol] for each in found)
        assert all(each.sentence.startswith(f"{each.symbol}, {each.word}: ") for each in found)
        formula = steps(spec, size)[0].formula
        for markup in (mathml(formula), mathml(formula, {each.symbol: each.value for each in found})):
            tree = ElementTree.fromstring(f"<math>{markup}</math>")
            marked = {node.get("data-letter") for node in tree.iter() if node.get("data-letter")}
            assert marked == {each.symbol for each in found}


def test_the_letters_of_same_padding_are_the_sum_of_both_sides():
    spec = LayerSpec(kernel_size=(4, 3), padding="same", dilation=3)
    assert {each.symbol: each.value for each in letters(spec, 20, 0)}["P"] == 9  # 4 before, 5 after
    assert {each.symbol: each.value for each in letters(spec, 20, 1)}["P"] == 6


@pytest.mark.parametrize(
    ("spec", "sizes", "axes"),
    [
        (LayerSpec(kernel_size=5), (9, 9), [(0, 1)]),
        (LayerSpec(kernel_size=(5, 3)), (9, 9), [(0,), (1,)]),
        (LayerSpec(kernel_size=5), (9, 8), [(0,), (1,)]),
        (LayerSpec(dimensions=3, stride=(2, 1, 2)), (9, 9, 9), [(0, 2), (1,)]),
        (LayerSpec("masked_a", padding=1), (9, 9), [(0, 1)]),
        (LayerSpec("global_pool"), (9, 4), [(0, 1)]),
        (LayerSpec("adaptive_pool", output_size=(3, 4)), (9, 9), [(0,), (1,)]),
    ],
)
def test_equations_that_read_the_same_are_one(
    spec: LayerSpec, sizes: tuple[int, ...], axes: list[tuple[int]]
):
    made = equations(spec, sizes)
    assert [each.axes for each in made] == axes
    assert len({each.chain for each in made}) == len(made)


def test_a_merged_equation_keeps_what_each_axis_leaves_unread():
    (made,) = equations(LayerSpec("masked_a", kernel_size=3, stride=3), (7, 7))
    # rows: the mask reads the window's first two; columns: all three of a window, the last column never
    assert made.unread == (
        "3 rows are never read, 2 of them at the end.",
        "1 column at the end is never read.",
    )


def test_the_chain_is_formula_numbers_and_result():
    (made,) = equations(LayerSpec(kernel_size=5, padding=2), (32, 32))
    assert [in_words(line) for line in made.chain] == [
        "⌊(W + 2P − D·(K − 1) − 1) / S⌋ + 1",
        "⌊(32 + 2·2 − 1·(5 − 1) − 1) / 1⌋ + 1",
        "32",
    ]
    (chosen,) = equations(LayerSpec("adaptive_pool", output_size=7), (32, 32))
    assert [in_words(line) for line in chosen.chain] == ["O", "7"]
    (whole,) = equations(LayerSpec("global_pool"), (32, 32))
    assert [in_words(line) for line in whole.chain] == ["1"]


@pytest.mark.parametrize(
    "line", [r"\sqrt{2}", r"\frac{1}", r"\left\lfloor 3", "3)", "{2}", "<script>", "2 & 3", r"\frac 1 2"]
)
def test_what_is_no_line_of_a_working_is_refused(line: str):
    for write in (mathml, in_words):
        with pytest.raises(ValueError, match=r"working|fraction|closes|braces"):
            write(line)


def test_a_mask_in_a_flat_picture_leaves_the_last_column_unread() -> None:
    spec = LayerSpec("masked_a", in_channels=1, out_channels=1, kernel_size=5, padding=2)
    layer = module(spec)
    picture = torch.zeros(1, 1, 1, 4, requires_grad=True)
    layer(picture).sum().backward()
    assert picture.grad is not None
    reached = (picture.grad[0, 0].abs().sum(dim=0) > 0).tolist()
    assert reached == [True, True, True, False]
    (rows, columns) = (each for equation in equations(spec, (1, 4)) for each in equation.unread)
    assert (rows, columns) == ("Every row is read.", "1 column at the end is never read.")
