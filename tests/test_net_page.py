"""The page on whole networks, run without a browser: what it shows, and what becomes of bad input."""

from __future__ import annotations

import re
import string
from random import Random
from urllib.parse import parse_qsl

import pytest
import torch
import torchvision
from streamlit.testing.v1 import AppTest
from torch.utils.flop_counter import FlopCounterMode

from explorer.networks.source import Source, of_parts, write_source
from explorer.networks.spec import NetworkSpec, part
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
    assert told["convolutions and dense layers"][0] == "16"
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
    assert figures(at)["parameters"] == ("80", "80")  # the convolution before the trouble


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


def test_refused_code_keeps_the_network_and_says_why() -> None:
    at = visit("networks", net="classic~resnet18", origin="code")
    at.text_area[0].set_value("nn.Sequential(nn.Conv2D(3, 8, 3))").run()
    (said,) = [plain(each.value) for each in at.error]
    assert "Line 1" in said
    assert "Conv2d" in said
    assert titles(at) == ["ResNet-18"]
    at.text_area[0].set_value(CODE).run()
    assert not at.error
    assert figures(at)["parameters"][1] == "314"


def doors(at: AppTest) -> dict[tuple[str, str], dict[str, str]]:
    """Of the panel “Go on”: (page, label) to the choices behind."""
    found = [each.proto for each in at.get("page_link")]
    return {(each.page, plain(each.label).strip("*")): dict(parse_qsl(each.query_string)) for each in found}


ROOMS_OF_A_NET = {
    ("features", "Random weights"): {"model": "random~classic~lenet5"},
    ("saliency", "Random weights"): {"model": "random~classic~lenet5"},
    ("arithmetic", "Receptive fields"): {"about": "field", "stack": "net~classic~lenet5"},
}


def test_doors_lead_to_the_same_net() -> None:
    at = visit("networks", net="classic~lenet5", further="on")
    assert doors(at) == ROOMS_OF_A_NET
    (note,) = at.info
    assert "means nothing" in note.value


def test_doors_carry_the_input() -> None:
    found = doors(visit("networks", net="classic~resnet18", input="3x64x64", further="on"))
    assert found["saliency", "Random weights"] == {"model": "random~classic~resnet18@3x64x64"}
    assert found["arithmetic", "Receptive fields"]["stack"] == "net~classic~resnet18@3x64x64"
    # with trained weights it is fed as they were trained
    assert found["saliency", "Trained weights"] == {"model": "resnet18.IMAGENET1K_V1"}


def test_doors_to_the_network_that_is_installed() -> None:
    found = doors(visit("networks", net="classic~efficientnet_lite0", further="on"))
    assert found["saliency", "Trained weights"] == {"model": "efficientnet_lite0"}


@pytest.mark.parametrize(
    ("query", "left", "why"),
    [
        ({"net": "classic~dense-480x640"}, set(), "480 × 640 pixels"),
        (
            {"net": "classic~vit_h_14"},
            {
                ("saliency", "Trained weights"),
                ("features", "Trained weights"),
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
    assert not at.warning


def test_code_that_fits_no_link_has_no_door() -> None:
    noise = Random(0).choices(string.ascii_letters, k=12_000)  # that cannot be packed
    long = f"# {''.join(noise)}\n{CODE}"
    at = visit("networks", net="classic~resnet18", origin="code", further="on")
    at.text_area[0].set_value(long).run()
    assert not at.error
    assert not doors(at)
    assert "The code is too long for a link" in plain(" ".join(each.value for each in at.caption))
