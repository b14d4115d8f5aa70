"""The page on whole networks, run without a browser: what it shows, and what becomes of bad input."""

from __future__ import annotations

import re
import string
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest
import streamlit as st
import torch
import torchvision
from streamlit.testing.v1 import AppTest
from torch.utils.flop_counter import FlopCounterMode

from explorer.net_export import folds_of, table_lines, to_course_listing, to_csv, to_markdown, totals
from explorer.networks.source import Source, of_parts, write_source
from explorer.networks.spec import NetworkSpec, part
from explorer.ui import net_show
from tests.test_layer_panels import plain
from tests.test_pages import choices, visit

CODE = "nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))"


def figures(at: AppTest) -> dict[str, tuple[str, str]]:
    """The large figures under the title: by their words, the number and what is told on hover."""
    (found,) = [each.proto.body for each in at.get("html") if 'class="figures"' in each.proto.body]
    entries = re.findall(r'<div title="([^"]*)"><b>([^<]*)</b><span>([^<]*)</span></div>', found)
    return {words: (number, exact) for exact, number, words in entries}


def titles(at: AppTest) -> list[str]:
    return [plain(each.value.removeprefix("## ")) for each in at.markdown if each.value.startswith("## ")]


def test_totals_are_torchs() -> None:
    at = visit("networks", net="classic~vgg16")
    assert titles(at) == ["VGG-16"]
    with torch.device("meta"):
        vgg = torchvision.models.vgg16().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        vgg(torch.empty(1, 3, 224, 224, device="meta"))
    told = figures(at)
    weights = sum(weight.numel() for weight in vgg.parameters())
    assert told["parameters"] == ("138 M", f"{weights:,}")
    assert told["MACs for one picture"] == (
        "15.5 G",
        f"{counter.get_total_flops() // 2:,}; FLOPs are twice as many",
    )
    assert told["of weights"] == ("553 MB", f"{4 * weights:,} bytes: 4 for each float32")
    assert told["layers with weights that multiply"][0] == "16"
    # Simonyan & Zisserman's net ends in a pool: 212 pixels
    assert told["pixels seen by a unit of the last map"][0] == "212 × 212"


def test_code_in_a_link_is_shown() -> None:
    at = visit("networks", net=write_source(Source("code", CODE)))
    assert not at.warning
    assert figures(at)["parameters"] == ("314", "314")  # 3·3·3·8 + 8, and 8·10 + 10
    assert at.text_area[0].value == CODE


def test_another_input_is_given() -> None:
    at = visit("networks", net="classic~resnet18", input="3x64x64")
    assert [each.value for each in at.number_input] == [3, 64, 64]
    at.number_input(key="input rows").set_value(128).run()
    assert choices(at)["input"] == "3x128x64"
    assert not at.exception


@pytest.mark.parametrize(
    "query",
    [
        {"net": "classic~resnet5O"},
        {"net": "rubbish"},
        {"net": "code~AAAA"},
        {"net": "code~own"},
        {"net": "parts~1AAAA"},
        {"net": "classic~resnet18", "input": "3x99999x1"},
        {"net": write_source(Source("code", "import os\nos.system('true')"))},
    ],
)
def test_a_link_that_names_no_network_says_so_and_shows_the_usual_one(query: dict[str, str]) -> None:
    at = visit("networks", **query)
    (said,) = [plain(each.value) for each in at.warning]
    assert said.startswith("The link's network cannot be shown.")
    assert titles(at) == ["ResNet-18"]


def test_a_net_in_trouble_is_shown_as_far_as_it_goes() -> None:
    spec = NetworkSpec("Broken", (1, 28, 28), (part("conv", out_channels=8), part("linear")))
    at = visit("networks", net=write_source(of_parts(spec)))
    assert titles(at) == ["Broken"]
    told = figures(at)
    assert told["parameters so far"] == ("80", "80")  # the convolution before the trouble
    assert told["layers with weights that multiply so far"][0] == "1"
    assert all(words.endswith(" so far") for words in told)
    (said,) = [plain(each.value) for each in at.warning]
    assert said.startswith("Stops at linear1: Linear “linear1” cannot follow")


def test_code_that_fails_is_told_under_the_title() -> None:
    code = "nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(16, 8, 3))"
    at = visit("networks", net=write_source(Source("code", code)))
    (said,) = [plain(each.value) for each in at.warning]
    assert said == "Stops at 1: Conv2d “1” expects 16 channels, but 8 arrive."
    told = figures(at)
    assert told["layers with weights that multiply so far"][0] == "1"
    assert {words for words in told if not words.endswith(" so far")} == {"of weights in the whole net"}
    # 3·3·3·8 + 8 and 3·3·16·8 + 8 numbers of four bytes
    assert told["of weights in the whole net"][1] == f"{4 * (224 + 1160):,} bytes: 4 for each float32"


def test_what_fails_is_counted_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    tables: list[Any] = []
    monkeypatch.setattr(net_show, "layer_table", lambda *given, **_: tables.append(given[1]))
    at = visit("networks", net=write_source(Source("code", SQUARE)), input="3x32x32")
    told = figures(at)
    before = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.Conv2d(16, 32, 3))
    count = sum(weight.numel() for weight in before.parameters())
    assert count == 5_088
    assert told["parameters so far"][1] == f"{count:,}"
    assert told["MACs for one picture so far"][1].startswith(f"{32 * 32 * 27 * 16 + 16 * 16 * 144 * 32:,};")
    assert told["layers with weights that multiply so far"][0] == "2"
    assert told["of weights in the whole net"][1] == f"{4 * (count + 15_690):,} bytes: 4 for each float32"
    (table,) = tables
    assert totals(table)["parameters"] == sum(row.parameters for row in table.leaves) == count
    shown = table_lines(table, folds_of(table))
    for written in (to_markdown(table, shown), to_course_listing(table, shown), to_csv(table, shown)):
        assert f"{count:,}" in written or f",{count}," in written
        assert "15,690" not in written
        assert "15690" not in written


def test_layers_that_multiply_are_counted_with_attention() -> None:
    """ViT-B/16: a convolution, two dense layers in each of 12 blocks and the head, and 12 attentions."""
    at = visit("networks", net="classic~vit_b_16")
    assert figures(at)["layers with weights that multiply"][0] == str(1 + 2 * 12 + 1 + 12)


@pytest.mark.parametrize("panel", ["where", "diagram", "memory", "compare", "time", "about", "on", "home"])
@pytest.mark.parametrize("net", ["classic~lenet5", "classic~vit_b_16", "classic~lenet5-1998"])
def test_every_panel_opens(panel: str, net: str) -> None:
    at = visit("networks", net=net, further=panel)
    assert not at.warning
    assert not at.error


def test_the_code_to_take_home_makes_the_same_network() -> None:
    at = visit("networks", net="classic~lenet5", further="home")
    written: dict[str, object] = {}
    (code,) = [each.value for each in at.code]
    exec(code, written)
    made = next(
        each for each in written.values() if isinstance(each, type) and each.__name__.startswith("LeNet")
    )
    assert sum(weight.numel() for weight in made().parameters()) == 61_706


def test_networks_beside_each_other() -> None:
    at = visit("networks", net="classic~resnet50", further="compare", beside="vgg16_and_mobilenet_v2")
    bodies = [each.proto.body for each in at.get("html") if 'class="plain-table"' in each.proto.body]
    assert len(bodies) == 2
    for number in ("25,557,032", "138,357,544", "3,504,872"):
        assert number in bodies[0]
    assert "× 5.41" in bodies[0]  # 138,357,544 / 25,557,032
    assert "112 × 112" in bodies[1]
    # each network stands over its two columns
    assert re.findall(r'<th scope="colgroup" colspan="2">([^<]*)</th>', bodies[1]) == [
        "ResNet-50",
        "VGG-16",
        "MobileNetV2",
    ]
    head, body = bodies[1].split("<tbody>")
    assert head.count("parameters") == head.count("MACs") == 3
    assert {row.count("<td>") for row in body.split("</tr>")[:-1]} == {6}


def test_refused_code_keeps_the_network_and_says_why() -> None:
    at = visit("networks", net="classic~resnet18", origin="code")
    at.text_area[0].set_value("nn.Sequential(nn.Conv2D(3, 8, 3))").run()
    (said,) = [plain(each.value) for each in at.error]
    assert "Line 1" in said
    assert "Conv2d" in said
    line, mark = next(each.value for each in at.code if "^" in each.value).splitlines()
    assert line == "nn.Sequential(nn.Conv2D(3, 8, 3))"
    assert line[mark.index("^") :].startswith(("nn.Conv2D", "Conv2D"))
    assert titles(at) == ["ResNet-18"]
    at.text_area[0].set_value(CODE).run()
    assert not at.error
    assert figures(at)["parameters"][1] == "314"


def doors(at: AppTest) -> dict[tuple[str, str], dict[str, str]]:
    """Of the panel “Go on”: (page, label) to the choices behind."""
    found = [each.proto for each in at.get("page_link")]
    return {(each.page, plain(each.label).strip("*")): dict(parse_qsl(each.query_string)) for each in found}


ROOMS_OF_A_NET = {
    ("features", "Feature maps, random weights"): {"model": "random~classic~lenet5"},
    ("saliency", "Where it looks, random weights"): {"model": "random~classic~lenet5"},
    ("arithmetic", "Receptive fields"): {"about": "field", "stack": "net~classic~lenet5"},
}


def test_doors_lead_to_the_same_net() -> None:
    at = visit("networks", net="classic~lenet5", further="on")
    assert doors(at) == ROOMS_OF_A_NET
    (note,) = at.info
    assert "means nothing" in note.value


def test_doors_carry_the_input() -> None:
    found = doors(visit("networks", net="classic~resnet18", input="3x64x64", further="on"))
    assert found["saliency", "Where it looks, random weights"] == {"model": "random~classic~resnet18@3x64x64"}
    assert found["arithmetic", "Receptive fields"]["stack"] == "net~classic~resnet18@3x64x64"
    # with trained weights it is fed as they were trained
    assert found["saliency", "Where it looks, trained weights"] == {"model": "resnet18.IMAGENET1K_V1"}


def test_doors_to_the_network_that_is_installed() -> None:
    found = doors(visit("networks", net="classic~efficientnet_lite0", further="on"))
    assert found["saliency", "Where it looks, trained weights"] == {"model": "efficientnet_lite0"}


@pytest.mark.parametrize(
    ("query", "left", "why"),
    [
        ({"net": "classic~dense-480x640"}, set(), "480 × 640 pixels"),
        (
            {"net": "classic~vit_h_14"},
            {
                ("saliency", "Where it looks, trained weights"),
                ("features", "Feature maps, trained weights"),
                ("arithmetic", "Receptive fields"),
            },
            "the most is 1.00 GB",
        ),
        (
            {"net": write_source(of_parts(NetworkSpec("Half", (1, 28, 28), (part("conv"), part("linear")))))},
            {("arithmetic", "Receptive fields")},
            "Half cannot run yet",
        ),
        ({"net": "classic~mlp"}, set(), "No layer of MLP 784-256-10 holds a map"),
        ({"net": "classic~mlp"}, set(), "No layer of MLP 784-256-10 has units with a place"),
    ],
)
def test_a_door_that_leads_nowhere_is_not_there_and_says_why(
    query: dict[str, str], left: set[tuple[str, str]], why: str
) -> None:
    at = visit("networks", further="on", **query)
    assert set(doors(at)) == left
    assert why in plain(" ".join(each.value for each in at.caption))
    assert all(plain(each.value).startswith("Stops at ") for each in at.warning)  # of the net that cannot run


def test_code_that_fits_no_link_has_no_door() -> None:
    noise = Random(0).choices(string.ascii_letters, k=12_000)  # that cannot be packed
    long = f"# {''.join(noise)}\n{CODE}"
    at = visit("networks", net="classic~resnet18", origin="code", further="on")
    at.text_area[0].set_value(long).run()
    assert not at.error
    assert not doors(at)
    assert "The code is too long for a link" in plain(" ".join(each.value for each in at.caption))


BROKEN = """\
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
)
"""
SQUARE = """\
nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
)
"""
UNREAD = "This code has not been read yet"


def read_it(at: AppTest) -> None:
    (button,) = [each for each in at.button if each.label == "Read it"]
    button.click().run()


def captions(at: AppTest) -> str:
    return plain(" ".join(each.value for each in at.caption))


@pytest.fixture
def repair_button(monkeypatch: pytest.MonkeyPatch) -> str:
    """The table's repairs as plain buttons, which these runs can press; the key of the first."""

    def buttons(*given: Any, **_: Any) -> None:
        repairs, repair = given[4:6]
        for each in repairs:
            st.button(each.label, key=f"repair {each.key}", on_click=repair, args=(each.key,))

    monkeypatch.setattr(net_show, "layer_table", buttons)
    return "repair 0"


def test_the_box_shows_the_mended_code(repair_button: str) -> None:
    at = visit("networks", net=write_source(Source("code", BROKEN)), origin="code")
    assert at.text_area[0].value == BROKEN
    at.button(key=repair_button).click().run()
    mended = at.text_area[0].value
    assert mended.split() == BROKEN.replace("32, 64", "16, 64").split()
    assert UNREAD not in captions(at)
    read_it(at)
    assert choices(at)["net"] == write_source(Source("code", mended))


def test_the_box_follows_the_link_back() -> None:
    at = visit("networks", net=write_source(Source("code", BROKEN)), origin="code")
    at.text_area[0].set_value(CODE).run()
    at.query_params["net"] = write_source(Source("code", BROKEN))
    at.run()
    assert at.text_area[0].value == BROKEN
    assert UNREAD not in captions(at)


MISSPELT = """\
net = nn.Sequential(
    nn.Conv2D(3, 8, 3), nn.Relu(), nn.Conv2D(8, 8, 3),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(),
)
"""


def offered(at: AppTest, label: str) -> Any:
    (button,) = [each for each in at.button if each.label.startswith("Change ")]
    assert plain(button.label) == label
    return button


def test_a_misspelt_word_is_mended_in_the_box() -> None:
    at = visit("networks", net="classic~resnet18", origin="code")
    at.text_area[0].set_value(MISSPELT).run()
    offered(at, "Change Conv2D to Conv2d in line 2").click().run()
    assert at.text_area[0].value == MISSPELT.replace("Conv2D", "Conv2d")
    assert titles(at) == ["ResNet-18"]
    offered(at, "Change Relu to ReLU in line 2").click().run()
    mended = at.text_area[0].value
    assert mended == MISSPELT.replace("Conv2D", "Conv2d").replace("Relu", "ReLU")
    assert not at.error
    assert not [each for each in at.button if each.label.startswith("Change ")]
    assert choices(at)["net"] == write_source(Source("code", mended))
    assert figures(at)["parameters"][1] == str(3 * 9 * 8 + 8 + 8 * 9 * 8 + 8)
    assert UNREAD not in captions(at)


def test_a_misspelt_word_of_a_forward_is_mended_from_the_table(repair_button: str) -> None:
    code = (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Conv2d(3, 8, 3)\n    def forward(self, x):\n"
        "        return torch.flaten(F.max_pooling2d(self.a(x), 2), 1)\n"
    )
    at = visit("networks", net=write_source(Source("code", code)), origin="code")
    (said,) = [plain(each.value) for each in at.warning]
    assert said.endswith("did you mean F.max_pool2d?")
    at.button(key=repair_button).click().run()
    at.button(key=repair_button).click().run()
    assert at.text_area[0].value == code.replace("max_pooling2d", "max_pool2d").replace("flaten", "flatten")
    assert not at.warning


def test_a_file_with_a_misspelt_word_is_mended_and_the_box_keeps_its_draft() -> None:
    at = visit("networks", net="classic~resnet18", origin="code")
    at.text_area[0].set_value("nn.Sequential(").run()
    at.segmented_control(key="origin control").select("file").run()
    at.file_uploader[0].upload("net.py", MISSPELT.replace("Relu", "ReLU").encode()).run()
    offered(at, "Change Conv2D to Conv2d in line 2").click().run()
    assert titles(at) == ["net"]
    at.segmented_control(key="origin control").select("code").run()
    assert at.text_area[0].value == "nn.Sequential("


TWO = """\
small = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
large = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
"""


def test_the_network_that_was_chosen_of_several_outlives_edits_of_the_code() -> None:
    at = visit("networks", net=write_source(Source("code", TWO)), origin="code")
    assert (titles(at), at.selectbox(key="net in code").value) == (["large"], "large")
    at.selectbox(key="net in code").select("small").run()
    assert titles(at) == ["small"]
    edited = TWO.replace("64", "32")
    at.text_area[0].set_value(edited).run()
    assert titles(at) == ["small"]
    assert choices(at)["net"] == write_source(Source("code", edited, "small"))
    at.text_area[0].set_value(edited.replace("nn.Linear", "nn.Linaer", 1)).run()
    offered(at, "Change Linaer to Linear in line 1").click().run()
    assert choices(at)["net"] == write_source(Source("code", edited, "small"))
    # without a network of that name it is the usual one
    at.text_area[0].set_value(edited.replace("small", "tiny")).run()
    assert titles(at) == ["large"]
    assert choices(at)["net"] == write_source(Source("code", edited.replace("small", "tiny")))


def test_a_network_of_several_that_cannot_be_made_is_told_and_not_exchanged() -> None:
    code = (
        "class Small(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Linear(784, 10)\n    def forward(self, x):\n        return self.a(x.flatten(1))\n"
    )
    at = visit("networks", net=write_source(Source("code", code + TWO, "Small")), origin="code")
    assert titles(at) == ["Small"]
    at.text_area[0].set_value(code.replace("nn.Linear", "nn.Linaer") + TWO).run()
    assert "Linaer" in plain(at.error[0].value)
    assert titles(at) == ["Small"]
    # nor is a network taken that is chosen and cannot be made
    at = visit("networks", net=write_source(Source("code", code.replace("Linear", "Linaer") + TWO)))
    at.selectbox(key="net in code").select("Small").run()
    assert "Linaer" in plain(at.error[0].value)
    assert titles(at) == ["large"]


def test_repairs_of_a_built_net_stand_in_one_place(repair_button: str) -> None:
    """In the list of parts, at the part; where the list is not shown, under the table."""
    spec = NetworkSpec("Broken", (1, 28, 28), (part("conv", out_channels=8), part("linear")))
    link = write_source(of_parts(spec))

    def under_the_table(at: AppTest) -> list[str]:
        return [each.label for each in at.button if each.key and each.key.startswith("repair ")]

    assert not under_the_table(visit("networks", net=link))
    at = visit("networks", net=link, origin="classic")
    assert under_the_table(at)[0] == "Add a flatten before it"
    at.button(key=repair_button).click().run()
    assert not at.warning


def test_code_that_was_typed_and_not_read_is_kept_and_marked() -> None:
    at = visit("networks", net=write_source(Source("code", BROKEN)), origin="code")
    assert UNREAD not in captions(at)
    at.text_area[0].set_value("nn.Sequential(nn.Conv2D(3, 8, 3))").run()
    assert f"{UNREAD}: the table shows the code as it was read last." in captions(at)
    at.query_params["net"] = write_source(Source("code", CODE))
    at.run()
    assert at.text_area[0].value == "nn.Sequential(nn.Conv2D(3, 8, 3))"
    assert UNREAD in captions(at)
    # nor does it get lost where the box is not drawn for a while
    at.segmented_control(key="origin control").select("classic").run()
    assert not at.text_area
    at.segmented_control(key="origin control").select("code").run()
    assert at.text_area[0].value == "nn.Sequential(nn.Conv2D(3, 8, 3))"
    at.text_area[0].set_value(CODE).run()
    assert UNREAD not in captions(at)


def test_the_example_beside_a_classic_is_marked() -> None:
    at = visit("networks", net="classic~resnet18", origin="code")
    assert f"{UNREAD}: the table shows ResNet-18." in captions(at)
    read_it(at)
    assert UNREAD not in captions(at)
    assert titles(at) != ["ResNet-18"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (CODE, "Chosen because the code runs with it."),
        (SQUARE, "Found by trying: none of the usual inputs fits the code, 3×28×28 does."),
        (BROKEN, "No square input that was tried fits; 3×224×224 gets furthest."),
        (f"net = {CODE}\nnet(torch.randn(1, 3, 48, 48))", "Taken from the code, which tries it itself."),
    ],
)
def test_why_it_is_given_this_input(code: str, said: str) -> None:
    link = write_source(Source("code", code))
    assert said in captions(visit("networks", net=link))
    assert said not in captions(visit("networks", net=link, input="3x64x64"))


def test_an_input_chosen_by_hand_outlives_edits_of_the_code_alone(repair_button: str) -> None:
    at = visit("networks", net=write_source(Source("code", BROKEN)), origin="code")
    at.number_input(key="input rows").set_value(64).run()
    at.button(key=repair_button).click().run()
    assert choices(at)["input"] == "3x64x224"
    at.text_area[0].set_value(BROKEN.replace("64", "80")).run()
    assert [each.value for each in at.number_input] == [3, 64, 224]
    read_it(at)
    assert choices(at)["input"] == "3x64x224"
    at.text_area[0].set_value("nn.Sequential(nn.Flatten(), nn.Linear(784, 10))").run()
    assert [each.value for each in at.number_input] == [1, 28, 28]
    assert "Chosen because the code runs with it." in captions(at)
