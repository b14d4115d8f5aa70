"""The panels "Receptive field" and "Practice": what they say, held to torch."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn
from torchvision import models as zoo

from explorer.errors import ExplorerError, LayerError, ShapeError
from explorer.exercises import questions
from explorer.images import Photo, sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, card, load_network
from explorer.receptive_field import CLASSICS, ReceptiveField, receptive_field, stack_of, table
from explorer.ui.layer_panels import stacks
from explorer.ui.layer_panels.practice import score, sheet
from explorer.ui.layer_panels.stacks import NETWORKS, read_stack, write_stack
from explorer.worked_examples import written
from tests.test_kernel_panels import numbers, pictures, told
from tests.test_pages import choices, visit

CAT = sample_photo("cat")
HOSTILE = (
    "<b>x</b>",
    "c",
    "c0",
    "c3s0",
    "c3s99",
    "c65",
    "p2s2s2",
    "p3p2",
    "c3s2psame",
    "c3ssame",
    "p2psame",
    "c3--d",
    "c3x3x3",
    "net.nothing",
    "c³",
    "-".join(["c3"] * 21),
    "-".join(["c64s16p64"] * 20),
    "9" * 30_000,
)


def torch_stack(steps: Any, channels: int = 1) -> nn.Sequential:
    """The same layers in torch, as it pads and steps by itself; sums as the only weights."""
    layers: list[nn.Module] = []
    for step in steps:
        if step.kind == "max":
            layers.append(nn.MaxPool2d(step.kernel_size, step.stride, step.padding))
        elif step.kind == "mean":
            layers.append(nn.AvgPool2d(step.kernel_size, step.stride, step.padding))
        else:
            layers.append(
                nn.Conv2d(
                    channels, channels, step.kernel_size, step.stride, step.padding, step.dilation, bias=False
                )
            )
            nn.init.ones_(layers[-1].weight)
    return nn.Sequential(*layers)


# A stack as text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSICS)
def test_every_classic_survives_its_text(name: str):
    steps = stack_of(name)
    again = read_stack(write_stack(steps))
    assert [(s.extent, s.stride, s.padding, s.kind) for s in again] == [
        (s.extent, s.stride, s.padding, s.kind) for s in steps
    ]
    assert len({step.name for step in again}) == len(steps)


def test_a_text_means_the_layers_that_torch_makes_of_it():
    steps = read_stack("C3x5 s".replace(" ", "") + "2x1p1, p3s2p1 → a2-c3psame d2".replace(" d2", "d2"))
    shape = torch_stack(steps)(torch.zeros(1, 1, 40, 50)).shape
    assert table(steps, (40, 50))[-1].output == tuple(shape[2:])
    assert write_stack(steps) == "c3x5s2x1p1-p3s2p1-a2-c3psamed2"
    assert [step.name for step in steps] == ["conv1", "pool1", "pool2", "conv2"]


def test_random_texts_come_back_and_agree_with_torch():
    random = np.random.default_rng(11)
    for _ in range(60):
        pieces = []
        for _ in range(random.integers(1, 7)):
            kind, kernel = random.choice(["c", "p", "a"]), int(random.integers(1, 5))
            piece = f"{kind}{kernel}s{random.integers(1, 3)}p{random.integers(0, kernel // 2 + 1)}"
            pieces.append(piece + (f"d{random.integers(1, 4)}" if kind == "c" else ""))
        steps = read_stack("-".join(pieces))
        assert read_stack(write_stack(steps)) == steps
        try:
            expected = tuple(torch_stack(steps)(torch.zeros(1, 1, 64, 64)).shape[2:])
        except RuntimeError:
            with pytest.raises(ShapeError):
                table(steps, (64, 64))
        else:
            assert table(steps, (64, 64))[-1].output == expected


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_nonsense_is_refused_in_one_short_sentence(text: str):
    with pytest.raises((LayerError, ShapeError)) as refused:
        read_stack(text)
    assert len(str(refused.value)) < 160
    assert str(refused.value).endswith(".")


# What counts of a field ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unit"),
    [("c3p1-c3p1-p2-c3d2", (0, 0)), ("c3p1-c3p1-p2-c3d2", (20, 11)), ("c7s2p3-p3s2p1-c5p2-a2", (3, 5))],
)
def test_computing_only_what_a_unit_sees_changes_nothing(text: str, unit: tuple[int, int]):
    steps, pixels = read_stack(text), stacks.exact_square(CAT.pixels, 60)
    found = stacks.stack_effect(steps, pixels, unit)
    whole = stacks.unit_gradient(steps, pixels, unit, stacks.CHANNELS)
    np.testing.assert_allclose(found.heat, whole / whole.max(), atol=1e-5)
    assert found.inside == pytest.approx(1, abs=1e-6)
    assert 0 < (found.heat > 0).sum() < 60 * 60


def test_what_would_take_too_long_is_told():
    steps = read_stack("-".join(["c31p15"] * 20))
    with pytest.raises(ShapeError, match="multiply-adds"):
        stacks.stack_effect(steps, np.zeros((600, 600, 3), np.uint8), (300, 300))


def test_a_unit_that_sees_padding_alone_is_told():
    with pytest.raises(ShapeError, match="padding alone"):
        stacks.stack_effect(read_stack("c3p9"), np.zeros((8, 8, 3), np.uint8), (0, 0))


def test_the_gradient_of_the_installed_network_is_that_of_finite_differences():
    """A small step into a pixel changes the unit as the gradient says; the network is left as it was."""
    network, fed = load_network(DEFAULT_MODEL), NetworkInput(card(DEFAULT_MODEL), CAT)
    layer, unit, x = "blocks.1.0.conv_dw", (20, 30), fed.tensor()
    field = next(row.field for row in stacks.traced_rows("net.lite0") if row.name == layer)
    found = stacks.network_effect(network, layer, x, unit, field)
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())

    outputs: list[torch.Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda *call: outputs.append(call[2].double()))
    (top, bottom), (left, right) = field.region(unit)
    places = [(row, column) for row in (top, top + 4, bottom + 1) for column in (left + 5, right)]
    with torch.no_grad():
        network = network.double()
        expected = []
        for row, column in places:
            strength = 0.0
            for colour in range(3):
                ends = []
                for step in (-1e-6, 1e-6):
                    moved = x.double().clone()
                    moved[0, colour, row, column] += step
                    network(moved)
                    ends.append(float(outputs.pop()[0, :, unit[0], unit[1]].sum()))
                strength += abs(ends[1] - ends[0]) / 2e-6
            expected.append(strength)
    hook.remove()
    ours = np.array([found.heat[place] for place in places])
    assert max(expected) > 0
    assert expected[4] == expected[5] == ours[4] == ours[5] == 0  # a row beyond the box
    np.testing.assert_allclose(ours / ours.max(), np.array(expected) / max(expected), rtol=1e-3)


@pytest.mark.parametrize(
    ("key", "size", "jump"),
    [("net.densenet121", 2071, 32), ("net.inception_v3", 1311, 32), ("net.vgg16", 212, 32)],
)
def test_fields_of_networks_are_the_published_ones(key: str, size: int, jump: int):
    """Araujo et al. 2019, table of the appendix."""
    rows = stacks.traced_rows(key)
    assert rows[-1].field.size == (size, size)
    assert rows[-1].field.jump == (jump, jump)


def test_maps_of_a_network_are_as_large_as_torch_makes_them():
    network, outputs = zoo.resnet18(weights=None).eval(), {}
    for name, module in network.named_modules():
        module.register_forward_hook(lambda _, args, output, name=name: outputs.__setitem__(name, output))
    with torch.no_grad():
        network(torch.zeros(1, 3, 224, 224))
    rows = stacks.traced_rows("net.resnet18")
    assert len(rows) > 10
    for row in rows:
        assert tuple(outputs[row.name].shape[2:]) == row.output


@pytest.mark.parametrize("key", NETWORKS)
def test_every_network_can_be_traced(key: str):
    rows = stacks.traced_rows(key)
    assert len(rows) > 5
    assert all(isinstance(row.field, ReceptiveField) and min(row.output) > 0 for row in rows)
    jumps = [row.field.jump[0] for row in rows]
    assert jumps[-1] == max(jumps) > 8


# The panel on the page -------------------------------------------------------------------------------


def button(at: AppTest, label: str) -> Any:
    return next(found for found in at.button if found.label == label)


def opened(**query: str) -> AppTest:
    return visit("arithmetic", about="field", **query)


def test_the_panel_opens_on_vgg16_with_its_212_pixels():
    at = opened()
    assert "**212×212 pixels**: rows 6 to 217, columns 6 to 217" in told(at)
    assert "| **▸ pool5** | 7×7 | 212×212 | 32 | −90 |" in told(at)
    assert "1\u00a0+\u00a02·(3\u00a0−\u00a01)\u00a0=\u00a05" in told(at)
    assert not at.warning
    assert choices(at) == {"about": "field"}


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_a_hostile_stack_in_the_link_gets_one_sentence_and_the_usual_one(text: str):
    at = opened(stack=text)
    assert len(at.warning) == 1
    assert not at.error
    assert "212×212" in told(at)
    assert choices(at) == {"about": "field"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unit", "7_0"),
        ("unit", "1"),
        ("unit", "-1_2"),
        ("unit", "²_1"),
        ("depth", "19"),
        ("depth", "x"),
        ("square", "7"),
        ("uses", "2"),
    ],
)
def test_nonsense_about_the_unit_gets_one_sentence(name: str, value: str):
    at = opened(**{name: value})
    assert len(at.warning) == 1
    assert "rows 6 to 217" in told(at)


def test_region_and_table_agree_with_one_hot_gradients():
    """With sums as weights, what a pixel changes is what the unit sees."""
    text, unit, side = "c5s2p2-p3-c3d2p1-a2", (0, 2), 64
    at = opened(stack=text, unit="0_2", square=str(side), uses="0")
    x = torch.ones(1, 1, side, side, requires_grad=True)
    # a max passes one gradient on: a mean sees as far, and passes all
    layers = [
        nn.AvgPool2d(m.kernel_size, m.stride, m.padding) if isinstance(m, nn.MaxPool2d) else m
        for m in torch_stack(read_stack(text))
    ]
    output = nn.Sequential(*layers)(x)
    output[0, 0, *unit].backward()
    rows, columns = torch.nonzero(x.grad[0, 0], as_tuple=True)
    first, last, left, right = numbers(
        r"rows (−?\d+) to (−?\d+), columns (−?\d+) to (−?\d+)\. The next", told(at)
    )
    assert max(first, 0) == rows.min() == 0 > first
    assert min(last, side - 1) == rows.max()
    assert (left, right) == (columns.min(), columns.max())
    assert f"pool2** | {output.shape[2]}×{output.shape[3]} |" in told(at)
    assert f"It hangs over the picture by {-first:.0f} rows above: padding" in told(at)


def test_every_map_below_is_drawn():
    at = opened(stack="c3p1-c3s2", unit="0_2", square="8", uses="0")
    shown = {alt: image.shape for alt, image in pictures(at)}
    assert [alt for alt in shown if "read" in alt] == [
        "conv2: 1 rows and 1 columns are read",
        "conv1: 3 rows and 3 columns are read",
        "The picture: 5 rows and 5 columns are read",
    ]
    bodies = "".join(element.proto.body for element in at.get("html"))
    assert "8×8; rows −1 to 3; columns 3 to 7" in bodies


def test_the_effective_field_is_that_of_the_picture_on_screen():
    at = opened(stack="c5-c5-c5", square="40", unit="12_9", picture="coffee")
    pixels = stacks.exact_square(sample_photo("coffee").pixels, 40)
    strength = stacks.unit_gradient(read_stack("c5-c5-c5"), pixels, (12, 9), stacks.CHANNELS).astype(float)
    core, inside = numbers(r"\*\*(\d+)%\*\* of all gradient; the whole box (\d+)%", told(at))
    middle = strength[12 + 3 : 12 + 10, 9 + 3 : 9 + 10].sum() / strength.sum()
    assert core == round(100 * middle)
    assert inside == 100
    (count,) = numbers(r"strongest are ([\d,]+),", told(at))
    assert count == (strength >= 0.0455 * strength.max()).sum()


def test_the_own_weights_of_the_installed_network_are_used():
    at = opened(stack="net.lite0", depth="4")
    assert "the network's own weights" in told(at)
    assert "**19×19 pixels**" in told(at)
    at = opened(stack="net.googlenet")
    assert "The gradient needs weights" in told(at)


def test_layers_are_added_taken_away_and_cleared():
    at = opened(stack="lenet5")
    button(at, "Remove the last").click().run()
    assert choices(at) == {"about": "field", "stack": "c5-a2-c5-a2", "square": "32"}
    button(at, "Add the layer above").click().run()
    assert choices(at)["stack"] == "c5-a2-c5-a2-c5p2"
    assert at.text_input(key="typed stack").value == "c5-a2-c5-a2-c5p2"
    button(at, "Clear").click().run()
    assert choices(at)["stack"] == "none"
    assert "a unit is a pixel" in at.info[0].value
    assert button(at, "Remove the last").disabled


def test_a_typed_stack_is_taken_and_a_bad_one_leaves_what_was():
    at = opened()
    at.text_input(key="typed stack").input("c3, c3, c3").run()
    assert choices(at)["stack"] == "c3-c3-c3"
    assert "**7×7 pixels**" in told(at)
    at.text_input(key="typed stack").input("c3-q4").run()
    assert len(at.error) == 1
    assert "q4" in at.error[0].value
    assert at.text_input(key="typed stack").value == "c3-q4"
    assert choices(at)["stack"] == "c3-c3-c3"


def test_a_start_and_a_layer_are_chosen():
    at = opened(stack="c3-c3", unit="1_1")
    at.selectbox(key="stack start").select("alexnet").run()
    assert choices(at) == {"about": "field", "stack": "alexnet"}
    at.selectbox(key="field layer").select(3).run()
    assert choices(at)["depth"] == "3"
    assert "**51×51 pixels**" in told(at)
    at.toggle(key="field heat").set_value(False).run()
    assert "effective" not in told(at)


def test_a_layer_without_fields_cannot_be_added_and_says_why():
    at = opened(layer="transposed~3x8x8~o4~k3")
    add = button(at, "Add the layer above")
    assert add.disabled
    assert "The layer above" in add.help


def test_a_picture_too_small_for_the_stack_is_told_and_can_be_made_larger():
    at = opened(stack="c11-c11", square="16")
    assert len(at.warning) == 1
    assert "conv2" in at.warning[0].value
    assert any("side dial" in c.proto.id for c in at.get("bidi_component"))


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (90, 7)])
def test_any_picture_can_be_looked_at(size: tuple[int, int]):
    at = opened(stack="lenet5")
    at.session_state["own photo"] = Photo("small.png", np.full((*size, 3), 99, np.uint8))
    at.session_state["choice:picture"] = "own"
    at.run()
    assert not at.exception
    assert not at.error
    assert pictures(at)


# Practice --------------------------------------------------------------------------------------------


def practising(**query: str) -> AppTest:
    return visit("arithmetic", about="practice", **query)


def answer(at: AppTest, number: int, text: str, seed: int = 1, level: int = 1) -> None:
    at.segmented_control(key="practice question").select(number).run()
    at.text_input(key=f"answer {seed} {level} {number}").input(text).run()


def right(number: int, seed: int = 1, level: int = 1) -> str:
    return written(questions(seed, level)[number].answer)


def torch_answer(question: Any) -> str:
    """The answer of torch itself to a question about one convolution."""
    spec = question.layer
    layer = nn.Conv2d(spec.in_channels, spec.out_channels, spec.kernel_size)
    if question.kind == "parameters":
        return str(sum(parameter.numel() for parameter in layer.parameters()))
    return "×".join(map(str, layer(torch.zeros(1, *question.input_shape)).shape[1:]))


def test_the_answers_of_torch_are_right():
    at = practising(seed="5")
    for number in (0, 1):
        answer(at, number, torch_answer(questions(5, 1)[number]), seed=5)
        assert len(at.success) == 1
        assert not at.error
        assert "**The working**" in told(at)
    assert "**2 of 2 right**, 8 to go." in told(at)
    marks = at.segmented_control(key="practice question").options
    assert [str(mark) for mark in marks][:3] == ["1 ✓", "2 ✓", "3"]


def test_a_slip_is_named_and_the_answer_stands():
    at = practising()
    question = questions(1, 1)[1]
    assert question.kind == "parameters"
    spec = question.layer
    weights = spec.kernel_size[0] ** 2 * spec.in_channels * spec.out_channels
    answer(at, 1, f"{weights:,}")
    assert "biases are forgotten" in at.error[0].value
    assert "working" in told(at)
    field = at.text_input(key="answer 1 1 1")
    assert field.disabled
    assert field.value == f"{weights:,}"
    assert "**0 of 1 right**, 9 to go." in told(at)


@pytest.mark.parametrize("text", ["1.2k", "10×16", "ten", "<b>", "9" * 200, "-4"])
def test_what_is_no_answer_gets_one_sentence_and_can_be_mended(text: str):
    at = practising()
    answer(at, 0, text)
    assert len(at.warning) == 1
    assert not at.error
    assert "working" not in told(at)
    assert not at.text_input(key="answer 1 1 0").disabled
    answer(at, 0, right(0))
    assert len(at.success) == 1


def test_answers_stay_out_of_the_link_and_live_while_the_session_does():
    at = practising(seed="12", level="2")
    answer(at, 0, right(0, 12, 2), 12, 2)
    assert choices(at) == {"about": "practice", "seed": "12", "level": "2"}
    at.number_input(key="practice seed").set_value(13).run()
    assert choices(at)["seed"] == "13"
    assert not at.success
    at.number_input(key="practice seed").set_value(12).run()
    assert len(at.success) == 1


def test_a_class_with_one_link_has_the_same_questions():
    asked = [next(m.value for m in practising(seed="77", level="3").markdown if m.value.startswith("**1.**"))]
    asked.append(
        next(m.value for m in practising(seed="77", level="3").markdown if m.value.startswith("**1.**"))
    )
    assert asked[0] == asked[1]
    new = practising(seed="77", level="3")
    button(new, "New ten").click().run()
    assert choices(new)["seed"] != "77"


def test_after_ten_answers_the_score_and_all_of_them_are_shown():
    at = practising(level="3", seed="4")
    asked = questions(4, 3)
    for number in range(10):
        text = "1×1×1" if asked[number].kind == "shape" else written(asked[number].answer)
        if number:  # the next one that is open
            button(at, "Next").click().run()
        at.text_input(key=f"answer 4 3 {number}").input(text).run()
    shapes = sum(question.kind == "shape" for question in asked)
    assert 0 < shapes < 10
    assert f"### {10 - shapes} of 10 right" in told(at)
    rows = re.findall(r"^\| \d+ \|.*$", told(at), re.M)
    assert len(rows) == 10
    assert all(written(question.answer) in row for question, row in zip(asked, rows, strict=True))
    button(at, "Begin again").click().run()
    assert "10 right" not in told(at)
    assert at.text_input(key="answer 4 3 0").value == ""


@pytest.mark.parametrize(
    ("name", "value"), [("seed", "0"), ("seed", "x"), ("level", "4"), ("question", "11")]
)
def test_nonsense_in_a_practice_link_gets_one_sentence(name: str, value: str):
    at = practising(**{name: value})
    assert len(at.warning) == 1
    assert choices(at) == {"about": "practice"}


class Words(HTMLParser):
    """The words of a page, and whether every element is closed."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.items: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "li":
            self.items.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "li" in self.open:
            self.items[-1] += data


def test_the_sheet_has_every_question_and_tells_no_answer_that_was_not_asked_for():
    asked = questions(9, 2)
    given = {0: asked[0].answer, 2: 3}
    words = Words(sheet(asked, given, 9, 2))
    assert not words.open
    assert len(words.items) == 10
    for number, (question, item) in enumerate(zip(asked, words.items, strict=True)):
        assert question.text in item
        if number == 0:
            assert f"Answer: {written(question.answer)} ✓" in item
        elif number == 2:
            assert f"Answer: 3 ✗; right: {written(question.answer)}" in item
        else:
            assert item.endswith("Answer:")
    assert score(asked, given) == 1
    assert "1 of 2 answered right" in sheet(asked, given, 9, 2)
    every = dict(enumerate(question.answer for question in asked))
    assert "10 of 10 right" in sheet(asked, every, 9, 2)


def test_levels_that_are_not_there_are_told():
    with pytest.raises(ExplorerError):
        questions(1, 4)


def test_fields_grow_as_a_formula_of_its_own_says():
    """Size by the sum over layers of (extent - 1) times all strides before, Araujo et al. 2019, equation 2."""
    steps = read_stack("c7s2p3-p3s2p1-c3d2-c5s3-a2")
    size = 1 + sum(
        (step.extent[0] - 1) * int(np.prod([before.stride[0] for before in steps[:number]]))
        for number, step in enumerate(steps)
    )
    assert receptive_field(steps).size == (size, size)
