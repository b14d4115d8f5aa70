"""Practice against torch: each answer is what torch's own layers say."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.errors import ExplorerError, ShapeError
from explorer.exercises import LEVELS, MOST, questions
from explorer.layers import LayerSpec
from explorer.marking import SLIPS, Attempt, marked, parse_answer
from explorer.questions import KINDS, Question

SETS = {(seed, level): questions(seed, level) for level in LEVELS for seed in range(12)}
ASKED = [question for drawn in SETS.values() for question in drawn]


def in_torch(spec: LayerSpec) -> nn.Module:
    """torch's layer, typed from the fields."""
    if spec.kind == "max_pool":
        return nn.MaxPool2d(spec.kernel_size, spec.stride, spec.padding, ceil_mode=spec.ceil_mode)
    if spec.kind == "average_pool":
        return nn.AvgPool2d(spec.kernel_size, spec.stride, spec.padding)
    channels = spec.in_channels, spec.out_channels
    if spec.kind == "transposed":
        return nn.ConvTranspose2d(*channels, spec.kernel_size, spec.stride, spec.padding, spec.output_padding)
    if spec.kind == "separable":
        own = spec.in_channels
        return nn.Sequential(
            nn.Conv2d(own, own, spec.kernel_size, spec.stride, spec.padding, groups=own, bias=spec.bias),
            nn.Conv2d(*channels, 1, bias=spec.bias),
        )
    groups = {"depthwise": spec.in_channels, "grouped": spec.groups}.get(spec.kind, 1)
    return nn.Conv2d(*channels, spec.kernel_size, spec.stride, spec.padding, spec.dilation, groups, spec.bias)


def torchs(question: Question) -> int | tuple[int, ...]:
    if question.kind == "receptive field":
        rows, columns = (seen(question.stack, axis) for axis in (0, 1))
        return rows if rows == columns else (rows, columns)
    with torch.device("meta"):
        network = nn.Sequential(*map(in_torch, question.stack))
        with FlopCounterMode(display=False) as counter:
            output = network(torch.empty(1, *question.input_shape))
    if question.kind == "parameters":
        return sum(weight.numel() for weight in network.parameters())
    return tuple(output.shape[1:]) if question.kind == "shape" else counter.get_total_flops() // 2


def seen(stack: tuple[LayerSpec, ...], axis: int) -> int:
    """From the first to the last pixel of a row that changes one unit, by the gradient of positive weights."""
    row = torch.ones(1, 1, 600, dtype=torch.float64, requires_grad=True)
    value = row
    for spec in stack:
        kernel = torch.ones(1, 1, spec.kernel_size[axis], dtype=torch.float64)
        value = nn.functional.conv1d(value, kernel, stride=spec.stride[axis], dilation=spec.dilation[axis])
    value[0, 0, value.shape[2] // 2].backward()
    touched = row.grad[0, 0].nonzero()
    return int(touched.max() - touched.min()) + 1


# The questions ---------------------------------------------------------------------------------------


def test_360_answers_are_torchs():
    assert len(ASKED) == 360
    for question in ASKED:
        assert question.answer == torchs(question), question.text


@pytest.mark.parametrize("level", LEVELS)
def test_a_full_set_has_all_kinds_in_turn_and_no_two_alike(level: int):
    drawn = questions(5, level, MOST)
    assert len({question.text for question in drawn}) == len(set(drawn)) == MOST
    assert Counter(question.kind for question in drawn) == dict.fromkeys(KINDS, MOST // 4)
    assert questions(5, level, 3) == drawn[:3]


@pytest.mark.parametrize(
    ("level", "digest"), [(1, "04d53ff9902129e3"), (2, "8b9cbeff371b9bdf"), (3, "394ab5cd447c1654")]
)
def test_a_seed_means_the_same_questions_for_ever(level: int, digest: str):
    """A changed digest breaks the links that a class was given."""
    told = "\n".join(f"{question.text} {question.answer}" for question in questions(2024, level))
    assert hashlib.sha256(told.encode()).hexdigest()[:16] == digest


def test_seeds_and_levels_differ():
    assert len(set(SETS.values())) == len(SETS)
    assert questions(-3, 1) != questions(3, 1)


def layers_of(level: int) -> list[tuple[Question, LayerSpec]]:
    return [
        (question, spec)
        for (_, each), drawn in SETS.items()
        if each == level
        for question in drawn
        for spec in question.stack
    ]


def test_level_1_is_one_plain_convolution():
    for question, spec in layers_of(1):
        plain = LayerSpec(
            in_channels=spec.in_channels, out_channels=spec.out_channels, kernel_size=spec.kernel_size[0]
        )
        assert spec == plain
        assert question.kind == "receptive field" or question.layer == spec
        assert len(set(question.stack)) == 1


def test_level_2_has_strides_padding_pooling_and_floors_but_nothing_of_level_3():
    layers = layers_of(2)
    assert {spec.kind for _, spec in layers} == {"conv", "max_pool", "average_pool"}
    assert all(len(set(spec.kernel_size)) == 1 and set(spec.dilation) == {1} for _, spec in layers)
    shapes = [question for question, _ in layers if question.kind == "shape"]
    floored = [question for question in shapes if "tfrac" in "".join(question.working)]
    assert 0.25 < len(floored) / len(shapes) < 0.75
    assert {spec.stride[0] for _, spec in layers} >= {1, 2, 3, 4}
    assert any(set(spec.padding) != {0} for _, spec in layers)


def test_level_3_has_all_the_rest():
    layers = layers_of(3)
    kinds = {"conv", "grouped", "depthwise", "separable", "transposed", "max_pool", "average_pool"}
    assert {spec.kind for _, spec in layers} == kinds
    assert any(set(spec.dilation) != {1} for _, spec in layers)
    assert any(spec.ceil_mode for _, spec in layers)
    for kind in KINDS:
        assert any(len(question.stack) > 1 for question, _ in layers if question.kind == kind)
        assert any(len(set(spec.kernel_size)) == 2 for question, spec in layers if question.kind == kind)


def test_numbers_stay_small_and_windows_leave_something():
    for question in ASKED:
        answer = question.answer
        largest = max(answer) if isinstance(answer, tuple) else answer
        assert 1 < largest <= {"macs": 5e8, "parameters": 5e6}.get(question.kind, 230), question.text
        if question.kind == "shape":
            assert min(answer[1:]) >= 3, question.text
        for spec in question.stack:
            assert all(stride <= kernel for stride, kernel in zip(spec.stride, spec.kernel_size, strict=True))


@pytest.mark.parametrize(("level", "count"), [(0, 10), (4, 10), (1, 0), (1, MOST + 1)])
def test_no_such_set(level: int, count: int):
    with pytest.raises(ExplorerError, match=str(level) if level in (0, 4) else str(count)):
        questions(1, level, count)


# In words --------------------------------------------------------------------------------------------


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text.replace("{,}", "").replace(",", ""))]


def test_a_question_names_what_its_answer_needs():
    for question in ASKED:
        told = numbers_in(question.text)
        if question.kind == "receptive field":
            needed = [side for spec in question.stack for side in (*spec.kernel_size, *spec.stride)]
        else:
            needed = [*question.input_shape]
            for spec in question.stack:
                needed += [*spec.kernel_size, *spec.stride, *spec.padding, *spec.output_padding]
                needed += [] if "pool" in spec.kind else [spec.out_channels]
                needed += [spec.groups] if spec.kind == "grouped" else []
        needed += [holes for spec in question.stack for holes in spec.dilation if holes > 1]
        assert {0, *told} >= set(needed), question.text
        assert ("without biases" in question.text) == (
            question.kind == "parameters" and any("pool" not in s.kind and not s.bias for s in question.stack)
        )
        assert ("ceil" in question.text) == any(spec.ceil_mode for spec in question.stack)


def evaluated(formula: str) -> float:
    """A line of LaTeX as a number."""
    formula = formula.replace("{,}", "")
    for sign, python in ((r"\times", "*"), (r"\cdot", "*")):
        formula = formula.replace(sign, python)
    formula = re.sub(r"(\d+)\\tfrac\{(\d+)\}\{(\d+)\}", r"(\1+\2/\3)", formula)
    formula = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", formula)
    for sign, python in (
        (r"\left\lfloor", "floor("),
        (r"\right\rfloor", ")"),
        (r"\left\lceil", "ceil("),
        (r"\right\rceil", ")"),
    ):
        formula = formula.replace(sign, python)
    assert re.fullmatch(r"(?:floor|ceil|[-+*/()\d\s])+", formula), formula
    return eval(formula, {"floor": math.floor, "ceil": math.ceil})


def test_every_equation_of_every_working_holds():
    seen_equations = 0
    for question in ASKED:
        for line in question.working:
            for formula in re.findall(r"\$([^$]*)\$", line):
                if re.search("[A-Z]", formula):
                    continue  # in letters
                values = [evaluated(side) for side in formula.split(" = ")]
                # the lines of a shape are one equation: what is left is what comes out
                assert len(set(values)) == 1, (question.text, line)
                seen_equations += len(values) > 1
    assert seen_equations > 600


def test_a_working_ends_in_the_answer():
    for question in ASKED:
        last = [line for line in question.working if "no weights" not in line][-1]
        answer = question.answer if isinstance(question.answer, tuple) else (question.answer,)
        assert numbers_in(last)[-len(answer) :] == list(answer), (question.text, last)


def test_a_working_tells_what_is_never_read():
    question = Question("shape", (3, 12, 9), (LayerSpec(kernel_size=4, stride=3),))
    assert [line for line in question.working if "never" in line] == [
        next(line for line in question.working if line.startswith("Rows: ") and "12" in line),
        next(line for line in question.working if line.startswith("Columns: ") and "9" in line),
    ]
    assert any("2 rows at the end are never read." in line for line in question.working)
    assert any("2 columns at the end are never read." in line for line in question.working)


# Reading answers -------------------------------------------------------------------------------------

SHAPE = Question("shape", (3, 16, 16), (LayerSpec(padding=1),))
COUNT = Question("parameters", (3, 16, 16), (LayerSpec(),))
SQUARE = Question("receptive field", (3, 16, 16), (LayerSpec(),))
OBLONG = Question("receptive field", (3, 16, 16), (LayerSpec(kernel_size=(3, 5)),))


@pytest.mark.parametrize(
    "text",
    [
        "10×16×16",
        "10, 16, 16",
        "(10,16,16)",
        "[10, 16, 16]",
        "torch.Size([10, 16, 16])",
        "10 16 16",
        " 10 x 16 X 16 ",
        "10*16*16",
        "10;16;16",
        "10·16·16",
        "10@16x16",
        "10 by 16 by 16",
        "= 10×16×16.",
        "1×10×16×16",
        "torch.Size([1, 10, 16, 16])",
    ],
)
def test_a_shape_is_read_however_it_is_typed(text: str):
    assert parse_answer(text, SHAPE) == (10, 16, 16)


@pytest.mark.parametrize(
    "text",
    [
        "1216",
        "1 216",
        "1,216",
        "1'216",
        "1_216",
        "1\u202f216",
        " 1216 ",
        "(1216)",
        "= 1216",
        "1,216 parameters",
    ],
)
def test_a_number_is_read_with_any_separator(text: str):
    assert parse_answer(text, COUNT) == 1216


def test_long_numbers_fields_and_channels():
    assert parse_answer("4,921,344", COUNT) == 4_921_344
    assert parse_answer("1,024×7×7", SHAPE) == parse_answer("1,024, 7, 7", SHAPE) == (1024, 7, 7)
    assert parse_answer("10,128,128", SHAPE) == (10, 128, 128)
    assert parse_answer("588,000 MACs", Question("macs", (3, 16, 16), (LayerSpec(),))) == 588_000
    assert parse_answer("3", SQUARE) == parse_answer("3×3", SQUARE) == 3
    assert parse_answer("3×5", OBLONG) == (3, 5)


@pytest.mark.parametrize(
    ("text", "question", "cause"),
    [
        ("", COUNT, "Nothing is typed yet; asked for: one whole number, such as 1,216."),
        ("  ", SHAPE, "Nothing is typed yet; asked for: three numbers"),
        ("1.2k", COUNT, "“1.2k” is not a whole number; asked for: one whole number, such as 1,216."),
        ("1,2", COUNT, "“1,2” is not"),
        ("1,216 345", COUNT, "is not a whole"),
        ("12e3", COUNT, "“12e3” is not"),
        ("-5", COUNT, "“-5” is not"),
        ("٣", COUNT, "is not a whole"),
        (
            "seven",
            SHAPE,
            "“seven” is not a whole number; asked for: three numbers, channels × rows × columns, such as",
        ),
        ("10×16", SHAPE, "“10×16” has 2 numbers; asked for: three numbers"),
        ("16", SHAPE, "“16” has 1 number; asked for: three numbers"),
        ("2×10×16×16", SHAPE, "has 4"),
        ("10×13.5×13.5", SHAPE, "“13.5” is not a whole number: round down"),
        ("10××16", SHAPE, "A number is missing; asked for: three numbers"),
        ("3×5", SQUARE, "“3×5” has 2 numbers; asked for: one whole number, such as 7."),
        ("5×5", COUNT, "“5×5” has 2 numbers; asked for: one"),
        ("3", OBLONG, "“3” has 1 number; asked for: two numbers, rows × columns, such as 7×5."),
        ("1×3×5", OBLONG, "has 3 numbers"),
        ("1" * 5000, COUNT, "5000 characters are too many; asked for: one"),
    ],
)
def test_what_is_no_answer_is_said(text: str, question: Question, cause: str):
    with pytest.raises(ExplorerError, match=re.escape(cause)):
        parse_answer(text, question)


def test_every_answer_as_it_is_written_is_read_and_right():
    for question in ASKED:
        answer = question.answer if isinstance(question.answer, tuple) else (question.answer,)
        typed = "×".join(f"{number:,}" for number in answer)
        assert marked(question, parse_answer(typed, question)).right


# Slips: each answer is counted by hand ---------------------------------------------------------------

CONV = LayerSpec(kernel_size=5, padding=2)
FLOORED = LayerSpec(kernel_size=3, stride=2)
FAR = (LayerSpec(kernel_size=3, stride=2), LayerSpec(in_channels=10, kernel_size=3, dilation=2))


@pytest.mark.parametrize(
    ("kind", "shape", "stack", "answer", "slip"),
    [
        ("shape", (3, 32, 32), (CONV,), (32, 32, 10), "channels come first"),
        ("shape", (3, 32, 40), (CONV,), (10, 40, 32), "rows and columns"),
        ("shape", (3, 32, 32), (CONV,), (3, 32, 32), "as many channels"),
        ("shape", (3, 32, 32), (CONV,), (10, 28, 28), "the padding is forgotten"),
        ("shape", (3, 32, 32), (CONV,), (10, 30, 30), "2P"),
        ("shape", (3, 32, 32), (CONV,), (10, 31, 31), "the + 1"),
        ("shape", (3, 32, 32), (FLOORED,), (10, 16, 16), "rounded down"),
        ("shape", (3, 32, 32), (FLOORED,), (10, 30, 30), "the stride"),
        (
            "shape",
            (3, 32, 32),
            (LayerSpec("max_pool", kernel_size=3, stride=2, ceil_mode=True),),
            (3, 15, 15),
            "ceil",
        ),
        ("shape", (3, 32, 32), (LayerSpec("dilated", dilation=3),), (10, 30, 30), "the dilation"),
        (
            "shape",
            (3, 8, 8),
            (LayerSpec("transposed", stride=2, padding=1, output_padding=1),),
            (10, 15, 15),
            "the output padding",
        ),
        ("shape", (3, 8, 8), (LayerSpec("transposed", stride=2, padding=1),), (10, 4, 4), "the other way"),
        ("parameters", (3, 32, 32), (CONV,), 750, "biases are forgotten"),
        ("parameters", (3, 32, 32), (LayerSpec(kernel_size=5, bias=False),), 760, "no biases"),
        ("parameters", (3, 32, 32), (CONV,), 751, "each filter has a bias"),
        ("parameters", (3, 32, 32), (CONV,), 753, "changed places"),
        ("parameters", (3, 32, 32), (CONV,), 260, "more channels than one"),
        ("parameters", (3, 32, 32), (CONV,), 76, "one filter"),
        ("parameters", (3, 32, 32), (CONV,), 160, "K·K"),
        ("parameters", (3, 32, 32), (CONV,), 768_000, "MACs"),
        (
            "parameters",
            (4, 8, 8),
            (LayerSpec("grouped", in_channels=4, out_channels=8, groups=2),),
            296,
            "its group",
        ),
        ("parameters", (3, 8, 8), (LayerSpec("separable"),), 280, "its group"),
        ("macs", (3, 32, 32), (CONV,), 1_536_000, "FLOPs"),
        ("macs", (3, 32, 32), (CONV,), 778_240, "biases is not counted"),
        ("macs", (3, 32, 32), (CONV,), 760, "parameters"),
        ("macs", (3, 32, 32), (CONV,), 750, "weights"),
        ("macs", (3, 32, 32), (LayerSpec(kernel_size=5),), 768_000, "place of its output"),
        ("macs", (3, 8, 8), (LayerSpec("transposed", stride=2),), 78_030, "transposed one of its input"),
        ("macs", (3, 32, 32), (CONV,), 256_000, "more channels than one"),
        ("macs", (3, 32, 32), (CONV,), 76_800, "one filter"),
        ("macs", (4, 8, 8), (LayerSpec("depthwise", in_channels=4, out_channels=4),), 5_184, "its group"),
        ("macs", (3, 32, 32), (CONV,), 588_000, "the padding"),
        ("macs", (3, 32, 32), (FLOORED,), 243_000, "the stride"),
        ("receptive field", (3, 32, 32), (LayerSpec(kernel_size=(3, 5)),), (5, 3), "changed places"),
        ("receptive field", (3, 32, 32), FAR, 7, "the strides"),
        (
            "receptive field",
            (3, 32, 32),
            (FAR[0], LayerSpec(in_channels=10, kernel_size=5, dilation=3)),
            11,
            "the dilation",
        ),
        (
            "receptive field",
            (3, 32, 32),
            (FAR[0], LayerSpec(in_channels=10, kernel_size=5, dilation=3)),
            7,
            "strides and dilation",
        ),
        ("receptive field", (3, 32, 32), FAR, 13, "own stride"),
        (
            "receptive field",
            (3, 32, 32),
            (LayerSpec("max_pool", kernel_size=2, stride=2), LayerSpec(kernel_size=7)),
            7,
            "pooling",
        ),
        ("receptive field", (3, 32, 32), (LayerSpec(), LayerSpec(in_channels=10)), 6, "not K"),
        ("receptive field", (3, 32, 32), (LayerSpec(), LayerSpec(in_channels=10)), 9, "multiplied"),
        ("receptive field", (3, 32, 32), (LayerSpec(), LayerSpec(in_channels=10)), 4, "in the middle"),
        (
            "receptive field",
            (3, 32, 32),
            (LayerSpec(), LayerSpec(in_channels=10), LayerSpec(in_channels=10)),
            8,
            "begins with one",
        ),
    ],
)
def test_a_likely_slip_is_named(kind, shape, stack, answer, slip):
    mark = marked(Question(kind, shape, stack), answer)
    assert not mark.right
    assert slip in mark.sentence


def test_each_slip_is_met_in_practice():
    """A slip that no question of ours can lead to is no likely one."""
    for kind, slips in SLIPS.items():
        for slip in slips:
            assert any(
                slip.sentence in marked(question, wrong).sentence
                for question in ASKED
                if question.kind == kind and (wrong := tried(slip, question)) is not None
            ), slip.sentence


def tried(slip, question: Question):
    try:
        return slip.wrong(question)
    except ShapeError:
        return None


def test_any_other_wrong_answer_is_wrong_and_no_more():
    assert marked(COUNT, 12_345).sentence == "12,345 is not right."
    assert marked(SHAPE, (10, 16, 16)).sentence == "10×16×16 is right."


# Tries -----------------------------------------------------------------------------------------------


def test_right_at_once_counts_one_on_the_second_try_half_and_then_nothing():
    fresh = Attempt(COUNT)
    assert (fresh.points, fresh.right, fresh.over) == (0, False, False)
    assert (fresh.answered(280).points, fresh.answered(280).over) == (1, True)
    once = fresh.answered(270)
    assert (once.points, once.over) == (0, False)
    assert (once.answered(280).points, once.answered(280).over) == (0.5, True)
    assert (once.answered(281).points, once.answered(281).over) == (0, True)
    assert Attempt(COUNT, (270,), given_up=True).over


@pytest.mark.parametrize("answers", [(280, 5), (5, 5), (5, 6, 280)])
def test_no_answer_follows_a_right_one_none_is_given_twice_and_there_are_two(answers: tuple[int, ...]):
    assert COUNT.answer == 3 * 3 * 3 * 10 + 10
    with pytest.raises(ExplorerError):
        Attempt(COUNT, answers)


def test_a_working_on_paper_has_the_numbers_of_the_one_on_screen_and_no_latex():
    for question in ASKED:
        for shown, paper in zip(question.working, question.plain_working, strict=True):
            assert not re.search(r"[\\\\{}$]", paper), paper
            digits = [re.findall(r"\d+", line.replace("{,}", "").replace(",", "")) for line in (shown, paper)]
            assert digits[0] == digits[1]
