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
from explorer.figures.fields import crop_on_photo
from explorer.images import Photo, sample_photo
from explorer.marking import Attempt
from explorer.models import DEFAULT_MODEL, NetworkInput, card, load_network
from explorer.preprocessing import CropBox
from explorer.receptive_field import CLASSICS, ReceptiveField, receptive_field, stack_of, table
from explorer.ui.layer_panels import stacks
from explorer.ui.layer_panels.sheet import score, sheet
from explorer.ui.layer_panels.stack_code import read_lines
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


def test_a_kernel_alone_is_a_convolution_as_it_is_said_aloud():
    steps = read_stack("3x3, 5×5s2")
    assert [(step.kind, step.kernel_size, step.stride) for step in steps] == [
        ("conv", (3, 3), (1, 1)),
        ("conv", (5, 5), (2, 2)),
    ]
    with pytest.raises(LayerError, match="“3” is not a layer"):
        read_stack("3x3, 3")


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
        "conv2: 1 row and 1 column read",
        "conv1: 3 rows and 3 columns read",
        "The picture: 5 rows and 5 columns read",
    ]
    bodies = "".join(element.proto.body for element in at.get("html"))
    assert "8×8; rows −1 to 3; columns 3 to 7" in bodies


def test_the_effective_field_is_that_of_the_picture_on_screen():
    at = opened(stack="c5-c5-c5", square="40", unit="12_9", picture="coffee")
    pixels = stacks.exact_square(sample_photo("coffee").pixels, 40)
    strength = stacks.unit_gradient(read_stack("c5-c5-c5"), pixels, (12, 9), stacks.CHANNELS).astype(float)
    core, inside = numbers(r"\*\*(\d+)\u00a0%\*\* of all gradient; the whole box (\d+)\u00a0%", told(at))
    middle = strength[12 + 3 : 12 + 10, 9 + 3 : 9 + 10].sum() / strength.sum()
    assert core == round(100 * middle)
    assert inside == 100
    (count,) = numbers(r"([\d,]+) pixels count at least", told(at))
    assert count == (strength >= 0.0455 * strength.max()).sum()


def test_the_own_weights_of_the_installed_network_are_used():
    at = opened(stack="net.lite0", depth="4")
    assert "the network's own weights" in told(at)
    assert "**19×19 pixels**" in told(at)
    at = opened(stack="net.googlenet")
    heat = at.toggle(key="field heat")
    assert heat.disabled
    assert not heat.value
    assert "The gradient needs weights" in heat.help


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


def test_an_empty_field_clears_the_stack_and_says_what_may_be_done():
    at = opened(stack="c3-c3")
    at.text_input(key="typed stack").input("").run()
    assert choices(at)["stack"] == "none"
    assert "No layer yet" in at.info[0].value
    assert "type or paste layers" in at.info[0].value
    at.text_input(key="typed stack").input("c5").run()
    assert "**5×5 pixels**" in told(at)


def test_lines_of_torch_are_typed_and_a_dense_layer_ends_the_stack_with_a_sentence():
    at = opened()
    at.text_input(key="typed stack").input(
        "nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(9, 2)"
    ).run()
    assert choices(at)["stack"] == "c5"
    assert not at.error
    (note,) = (info.value for info in at.info if "Flatten" in info.value)
    assert "ends at Flatten in line 1" in note
    assert "dense layer" in note


def test_pasted_lines_are_read_and_a_missing_bracket_is_named_with_its_line():
    at = opened()
    at.text_area(key="pasted stack").input("nn.Conv2d(3, 8, 3),\nnn.Conv2d(8, 8, 3\nnn.MaxPool2d(2)")
    button(at, "Read them").click().run()
    assert "Line 2: a “)” is missing" in re.sub(r"[\\\u2060]", "", at.error[0].value)
    assert "stack" not in choices(at)
    at.text_area(key="pasted stack").input("nn.Conv2d(3, 8, 3),\nnn.Conv2d(8, 8, 3),\nnn.MaxPool2d(2)")
    button(at, "Read them").click().run()
    assert not at.error
    assert choices(at)["stack"] == "c3-c3-p2"
    button(at, "Read them").click().run()
    assert not at.exception


def torchs_field(network: nn.Sequential, side: int = 96) -> tuple[int, int]:
    """Rows and columns that the middle unit of the last map sees, by one backward pass of sums and means."""
    layers: list[nn.Module] = []
    for layer in network:
        if isinstance(layer, nn.MaxPool2d):
            layer = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
        if isinstance(layer, nn.Conv2d | nn.AvgPool2d):
            layers.append(layer)
    x = torch.ones(1, 3, side, side, requires_grad=True)
    out = nn.Sequential(*layers)(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    rows, columns = x.grad[0].abs().sum(0).nonzero(as_tuple=True)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


NETWORK = nn.Sequential(
    nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2)),
    nn.BatchNorm2d(8),
    nn.ReLU(inplace=True),
    nn.MaxPool2d(3, 2, 1),
    nn.Conv2d(8, 8, 3, padding="same", dilation=2, groups=8, bias=False),
    nn.GELU(),
    nn.Dropout2d(0.1),
    nn.AvgPool2d(2),
)


def test_what_torch_prints_of_a_network_is_read_with_the_field_that_torch_has():
    read = read_lines(str(NETWORK))
    assert receptive_field(read.steps).size == torchs_field(NETWORK)
    assert table(read.steps, (96, 96))[-1].output == tuple(NETWORK(torch.zeros(1, 3, 96, 96)).shape[2:])
    assert not read.notes


@pytest.mark.parametrize(
    "text",
    [
        "nn.Conv2d(3, 8, 3), nn.MaxPool2d(2)",
        "[nn.Conv2d(3, 8, 3), nn.MaxPool2d(2)]",
        "self.conv1 = nn.Conv2d(3, 8, 3)  # the first\nself.pool = torch.nn.MaxPool2d(\n    2\n)\n",
        "net = nn.Sequential(\n  nn.Conv2d(3, 8, 3),\n  nn.MaxPool2d(2),\n)",
        "nn.Sequential(OrderedDict([('a', nn.Conv2d(3, 8, 3)), ('b', nn.MaxPool2d(2))]))",
        "nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3)), nn.MaxPool2d(2))",
        "nn.Conv2d(3,8,3)nn.MaxPool2d(2)",  # a field of one line swallows the ends of pasted ones
    ],
)
def test_layers_are_found_however_they_are_written(text: str):
    assert write_stack(read_lines(text).steps) == "c3-p2"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "nn.Conv2d(3, 8, 3),\nnn.Conv2d(8, 8, 3\nnn.ReLU(),",
            "Line 2: a “)” is missing in “nn.Conv2d(8, 8, 3”.",
        ),
        (
            "self.a = nn.Conv2d(3, 8, 3\nself.b = nn.ReLU()",
            "Line 1: a “)” is missing in “self.a = nn.Conv2d(3, 8, 3”.",
        ),
        ("nn.Conv2d(3, 8, 3\nnn.ReLU())", "Line 1: a “)” is missing in “nn.Conv2d(3, 8, 3”."),
        ("nn.Sequential(\n  nn.ReLU(),\n", "Line 1: the “)” of “nn.Sequential(” is missing."),
        ("nn.Conv2d(3, 8, 3)\nnn.ReLU())", "Line 2 has a “)” too many."),
        ("\n\nnn.LSTM(3, 4)", "Line 3: “LSTM” is no layer whose field is known here"),
        ("nn.Conv1d(3, 4, 3)", "Line 1: Conv1d has not rows and columns"),
        (
            "nn.ConvTranspose2d(3, 4, 3)",
            "Line 1: It (transposed, 2-D) has no fields of one size: that takes a whole",
        ),
        ("nn.Conv2d(3, 8)", "Line 1: Conv2d needs kernel_size."),
        ("nn.Conv2d(3, 8, k)", "Line 1: Only plain numbers"),
        ("nn.Conv2d(3, 8, 3, groups=2)", "Line 1: "),
        ("F.relu(nn.Conv2d(3, 8, 3))", "Line 1: “F.relu” is no layer"),
        ("import os; os.system('x')", "Line 1: “import os; os.system('x')” is no layer"),
        ("nn.Conv2d", "Line 1: “nn.Conv2d” is no layer such as"),
        ("nn.ReLU()", "No convolution and no pooling stands there"),
        ("(" * 200, "the “)” of “(” is missing"),
        ("nn.Conv2d(3, 8, 3), " * 400, "8,000 characters are more"),
        ("nn.Conv2d(3, 8, " + "3," * 300, "a “)” is missing"),
    ],
    ids=lambda text: text[:24],
)
def test_lines_that_cannot_be_read_get_one_sentence_with_their_line(text: str, sentence: str):
    with pytest.raises((LayerError, ShapeError)) as refused:
        read_lines(text)
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 240


@pytest.mark.parametrize(
    "name", ["Linear(9, 2)", "Flatten()", "AdaptiveAvgPool2d(1)", "AdaptiveAvgPool2d((7, 7))"]
)
def test_where_a_stack_ends_is_said_and_what_follows_is_not_read(name: str):
    read = read_lines(f"nn.Conv2d(3, 8, 3),\nnn.{name},\nnn.LSTM(3, 4)")
    assert write_stack(read.steps) == "c3"
    assert read.notes[0].startswith(f"The stack ends at {name.partition('(')[0]} in line 2: ")


def test_maps_that_torch_would_round_up_are_said_to_be_rounded_down():
    assert "rounded down" in read_lines("nn.MaxPool2d(3, 2, ceil_mode=True)").notes[0]
    at = opened(layer="max_pool~3x32x32~k3~s2~c1")
    assert "rounded down" in button(at, "Add the layer above").help


def test_what_is_cut_off_a_picture_is_said_and_shown():
    at = opened(picture="coffee")
    assert sample_photo("coffee").pixels.shape == (400, 600, 3)
    bodies = "".join(element.proto.body for element in at.get("html"))
    assert "the middle square, 400×400 of the 600×400 pixels of your picture, scaled to 224×224" in bodies
    assert "Of your whole picture" in bodies
    at.session_state["own photo"] = Photo("square.png", np.full((90, 90, 3), 99, np.uint8))
    at.session_state["choice:picture"] = "own"
    at.run()
    bodies = "".join(element.proto.body for element in at.get("html"))
    assert "the whole picture, 90×90 scaled to 224×224 pixels" in bodies
    assert "Of your whole picture" not in bodies


def test_the_whole_picture_is_faded_outside_of_the_crop_and_framed_where_the_unit_sees():
    pixels = np.full((300, 500, 3), 100, np.uint8)
    shown = crop_on_photo(
        pixels, CropBox(0, 100, 300, 300), ((0, 111), (112, 223)), (224, 224), side=500
    ).astype(int)
    assert shown.shape == (300, 500, 3)
    assert (shown[200, 100:400] == 100).all()
    for columns in (slice(0, 100), slice(400, 500)):  # towards white by 65 %
        assert (shown[200, columns] == round(100 + 155 * 0.65)).all()
    # half of 224 is half of 300: rows 0 to 149, columns 250 to 399
    framed = (shown == [11, 110, 153]).all(2).nonzero()
    assert [int(end) for each in framed for end in (each.min(), each.max())] == [0, 149, 250, 399]


def test_words_that_are_no_everyday_ones_are_explained_where_they_stand():
    at = opened()
    assert "One path: the longest chain of layers" in at.selectbox(key="stack start").help
    assert "He et al. 2015" in told(at)
    assert "variance 2 / inputs" in told(at)
    traced = opened(stack="net.efficientnet_b0")
    rows = [row for row in told(traced).splitlines() if row.startswith("| ") and "the box" in row]
    assert len(rows) > 10
    assert "| the box |" in rows[0]
    assert "and **everything** besides |" in rows[-1]
    assert "“everything besides”: squeeze-excite or attention" in told(traced)
    assert "Layers behind global pooling see everything" in told(traced)


def test_a_start_and_a_layer_are_chosen():
    at = opened(stack="c3-c3", unit="1_1")
    at.selectbox(key="stack start").select("alexnet").run()
    assert choices(at) == {"about": "field", "stack": "alexnet"}
    at.selectbox(key="field layer").select(3).run()
    assert choices(at)["depth"] == "3"
    assert "**51×51 pixels**" in told(at)
    at.toggle(key="field heat").set_value(False).run()
    assert "gradient" not in told(at)


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
    at.text_input(key=f"answer {seed} {level} {number}").input(text)
    button(at, "Check").click().run()


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
        assert "The working:" in told(at)
    assert "**2 of 2 points**, 8 to go." in told(at)
    marks = at.segmented_control(key="practice question").options
    assert [str(mark) for mark in marks][:3] == ["1 ✓", "2 ✓", "3"]


def test_two_tries_are_announced_and_a_slip_is_named_after_the_first():
    at = practising()
    assert "two tries" in told(at)
    assert "counts 1, on the second try ½" in told(at)
    question = questions(1, 1)[1]
    assert question.kind == "parameters"
    spec = question.layer
    weights = spec.kernel_size[0] ** 2 * spec.in_channels * spec.out_channels
    answer(at, 1, f"{weights:,}")
    assert "biases are forgotten" in at.warning[0].value
    assert "One more try" in at.warning[0].value
    assert "working:" not in told(at)
    assert right(1) not in told(at)
    assert not at.text_input(key="answer 1 1 1").disabled
    answer(at, 1, torch_answer(question))
    assert "it counts ½" in at.success[0].value
    assert "**½ of 1 points**, 9 to go." in told(at)
    assert str(at.segmented_control(key="practice question").options[1]) == "2 ½"


def test_the_second_wrong_answer_stands_and_shows_the_working():
    at = practising()
    answer(at, 1, "2")
    answer(at, 1, "3")
    assert len(at.error) == 1
    assert f"**The answer is {right(1)}.** The working:" in told(at)
    field = at.text_input(key="answer 1 1 1")
    assert field.disabled
    assert field.value == "3"
    assert button(at, "Check").disabled
    assert "**0 of 1 points**, 9 to go." in told(at)


def test_the_same_answer_in_other_words_costs_no_try():
    at = practising()
    assert questions(1, 1)[0].kind == "shape"
    for text in ("1×2×3", "(1, 2, 3)", "1 2 3"):
        answer(at, 0, text)
    assert "the try is still yours" in at.warning[0].value
    answer(at, 0, right(0))
    assert "it counts ½" in at.success[0].value


def test_who_asks_for_the_working_gets_it_and_no_points():
    at = practising()
    button(at, "Show the working").click().run()
    assert f"**The answer is {right(0)}.** The working:" in told(at)
    assert "**0 of 1 points**, 9 to go." in told(at)
    assert at.text_input(key="answer 1 1 0").disabled
    assert not [found for found in at.button if found.label == "Show the working"]


def test_an_answer_that_is_only_typed_is_none():
    at = practising()
    at.text_input(key="answer 1 1 0").input("1×1×1").run()
    assert not at.warning
    assert not at.error
    assert "points**" not in told(at)


def test_a_try_that_is_left_is_still_there_after_a_look_at_another_question():
    at = practising()
    answer(at, 0, "1×1×1")
    at.segmented_control(key="practice question").select(4).run()
    assert str(at.segmented_control(key="practice question").options[0]) == "1 ↻"
    at.segmented_control(key="practice question").select(0).run()
    assert "One more try" in at.warning[0].value
    assert at.text_input(key="answer 1 1 0").value == "1×1×1"


@pytest.mark.parametrize("text", ["1.2k", "10×16", "ten", "<b>", "9" * 200, "-4", ""])
def test_what_is_no_answer_gets_one_sentence_and_can_be_mended(text: str):
    at = practising()
    answer(at, 0, text)
    assert len(at.warning) == 1
    assert "three numbers, channels × rows × columns, such as 10×28×28" in at.warning[0].value
    assert not at.error
    assert "working:" not in told(at)
    assert not at.text_input(key="answer 1 1 0").disabled
    answer(at, 0, right(0))
    assert len(at.success) == 1
    assert "½" not in at.success[0].value


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


def test_what_is_asked_is_explained_beside_the_question():
    at = practising()
    at.segmented_control(key="practice question").select(2).run()
    (asked,) = (m for m in at.markdown if m.value.startswith("**3.**"))
    assert "MACs" in asked.value
    assert "one product, added to a sum" in asked.help


def test_after_ten_answers_the_points_and_all_of_them_are_shown():
    at = practising(level="3", seed="4")
    asked = questions(4, 3)
    for number in range(10):
        if number:  # the next one that is open
            button(at, "Next").click().run()
        if asked[number].kind == "shape":
            answer(at, number, "1×1×1", 4, 3)
        answer(at, number, written(asked[number].answer), 4, 3)
    shapes = sum(question.kind == "shape" for question in asked)
    assert shapes == 3
    assert "### 8½ of 10 points" in told(at)
    rows = re.findall(r"^\| \d+ \|.*$", told(at), re.M)
    assert len(rows) == 10
    assert all(written(question.answer) in row for question, row in zip(asked, rows, strict=True))
    assert sum("1×1×1, then" in row and "½" in row for row in rows) == shapes
    button(at, "Begin again").click().run()
    assert "10 points" not in told(at)
    assert at.text_input(key="answer 4 3 0").value == ""


@pytest.mark.parametrize(
    ("name", "value"), [("seed", "0"), ("seed", "x"), ("level", "4"), ("question", "11")]
)
def test_nonsense_in_a_practice_link_gets_one_sentence(name: str, value: str):
    at = practising(**{name: value})
    assert len(at.warning) == 1
    assert choices(at) == {"about": "practice"}


class Words(HTMLParser):
    """The words of a page by question, whether every element is closed, and what it would fetch."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.items: list[str] = []
        self.fetched: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.fetched += [value for name, value in attrs if name in ("src", "href", "srcset")]
        self.fetched += [tag] * (tag in ("script", "link", "iframe"))
        if tag != "meta":
            self.open.append(tag)
        if tag == "li" and self.open.count("li") == 1:
            self.items.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "li" in self.open:
            self.items[-1] += data


def test_the_sheet_has_every_question_and_tells_no_answer_that_was_not_asked_for():
    asked = questions(9, 2)
    made = {
        0: Attempt(asked[0], (asked[0].answer,)),
        1: Attempt(asked[1], (3, asked[1].answer)),
        2: Attempt(asked[2], (3, 4)),
        3: Attempt(asked[3], (3,)),
        5: Attempt(asked[5], (), given_up=True),
    }
    page = sheet(asked, made, 9, 2)
    words = Words(page)
    assert not words.open
    assert not words.fetched
    assert "url(" not in page
    assert "@import" not in page
    assert len(words.items) == 10
    told = {
        0: f"Answer: {written(asked[0].answer)} ✓",
        1: f"Answer: 3, then {written(asked[1].answer)} ½",
        2: f"Answer: 3, then 4 ✗; right: {written(asked[2].answer)}",
        3: "Answer: 3 ↻",
        5: f"Answer: – ✗; right: {written(asked[5].answer)}",
    }
    for number, (question, item) in enumerate(zip(asked, words.items, strict=True)):
        assert question.text in item
        assert item.endswith(told.get(number, "Answer:"))
    assert score(made) == 1.5
    assert "1½ of 4 points" in page
    assert "Answer key" not in page
    every = {number: Attempt(question, (question.answer,)) for number, question in enumerate(asked)}
    assert "10 of 10 points" in sheet(asked, every, 9, 2)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_key_has_every_answer_with_its_working_after_the_questions(level: int):
    asked = questions(9, level)
    page = sheet(asked, {}, 9, level, "https://example.org/arithmetic?seed=9&level=2", key=True)
    words = Words(page)
    assert not words.open
    assert not words.fetched
    assert len(words.items) == 20
    assert page.index('class="key"') > page.index(words.items[9].removesuffix("Answer:").replace("<", "&lt;"))
    assert ".key { break-before: page" in page
    for question, item in zip(asked, words.items[10:], strict=True):
        assert item.startswith(written(question.answer))
        assert all(line in item for line in question.plain_working)
        assert not re.search(r"[\\\\{}$]", item)
    assert page.count('class="room') == 10
    assert "https://example.org/arithmetic?seed=9&amp;level=2" in page


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
