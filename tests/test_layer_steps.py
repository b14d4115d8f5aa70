"""The working of a layer's output size: each line is computed again from its LaTeX."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from explorer.errors import ShapeError
from explorer.layer_steps import steps
from explorer.layers import AXES, LayerSpec, output_size, unread
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
