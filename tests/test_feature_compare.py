"""Maps side by side: every picture on screen is decoded and held to plain hooks on networks of the test's own."""

from __future__ import annotations

import base64
import json
import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from torch import nn

from explorer.figures.signed import SIGNED
from explorer.images import SAMPLES, decode_photo, sample_photo
from explorer.models import DEFAULT_MODEL, RANDOM, NetworkInput, card, load_network
from explorer.ui.feature_panels import compare
from tests.test_pages import choices, visit
from tests.test_unit_page import key_of_tokens
from tests.zoo import embedded

LAYER = "blocks.2.1"
CHANNELS, SIDE = 40, 28


def given(network: nn.Module, layer: str, fed: NetworkInput) -> np.ndarray[Any, Any]:
    """The maps (C, h, w) of a layer by a plain hook."""
    kept = []
    network.get_submodule(layer).register_forward_hook(
        lambda module, args, output: kept.append(output.clone())
    )
    with torch.no_grad():
        network(fed.tensor())
    return kept[0][0].numpy()


def fed(model: str = DEFAULT_MODEL, picture: str = "cat") -> NetworkInput:
    return NetworkInput(card(model), sample_photo(picture))


def component(at: AppTest, kind: str) -> dict[str, Any]:
    (shown,) = (
        json.loads(each.proto.json)
        for each in at.get("bidi_component")
        if each.proto.component_name.endswith(f"_{kind}")
    )
    return shown


def decoded(uri: str) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def coloured(values: np.ndarray[Any, Any], peak: float) -> np.ndarray[Any, Any]:
    """Blue, white, red by the rule that the browser has too: Math.round(127 + 127 · v / peak)."""
    table = SIGNED["activations"].table()
    return table[np.floor(127.5 + 127 * np.clip(values.astype(np.float64) / peak, -1, 1)).astype(int)]


def near(shown: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> bool:
    """Equal but for entries on the edge between two colours: the test's own forward sums in another order."""
    differs = (shown != wanted).any(-1)
    return (
        shown.shape == wanted.shape
        and differs.mean() < 0.02
        and np.abs(shown.astype(int) - wanted).max() < 12
    )


def told(at: AppTest) -> str:
    return " ".join(each.value for each in [*at.markdown, *at.caption, *at.info]).replace("\\", "")


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in re.findall(r"[−+-]?\d+\.?\d*(?:e-?\d+)?", text)]


def test_two_pictures_show_the_same_units_on_one_scale():
    at = visit("features", deeper="compare", module=LAYER, map="7", sidepicture="coffee")
    assert not at.warning
    here, there = (given(embedded(), LAYER, fed(picture=name)) for name in ("cat", "coffee"))
    shown = component(at, "pairs")
    assert shown["heads"] == [SAMPLES["cat"].title, SAMPLES["coffee"].title]
    assert (shown["selected"], shown["pages"], shown["words"]) == (7, 2, f"1–24 of {CHANNELS}")
    difference = here.mean((1, 2)) - there.mean((1, 2))
    wanted = np.argsort(-np.abs(difference), kind="stable")[: compare.PAGE]
    assert [pair["key"] for pair in shown["pairs"]] == wanted.tolist()
    for pair in shown["pairs"]:
        unit = pair["key"]
        peak = max(float(np.abs(here[unit]).max()), float(np.abs(there[unit]).max()))
        assert near(decoded(pair["first"]), coloured(here[unit], peak))
        assert near(decoded(pair["second"]), coloured(there[unit], peak))
        assert pair["label"] == str(unit)
        assert numbers(pair["detail"]) == [pytest.approx(difference[unit], abs=0.006)]
        r = np.corrcoef(here[unit].ravel(), there[unit].ravel())[0, 1]
        assert numbers(pair["hint"])[-1] == pytest.approx(r, abs=0.006)
    text = told(at)
    assert (
        f"Unit 7 gives **{here[7].mean():.3g}** on average for Cat and **{there[7].mean():.3g}** for Coffee"
        in text
    )
    assert "CKA" not in text


@pytest.mark.parametrize(
    ("order", "measure"),
    [
        (
            "alike",
            lambda here, there: [
                np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(here, there, strict=True)
            ],
        ),
        (
            "unlike",
            lambda here, there: [
                -np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(here, there, strict=True)
            ],
        ),
        ("number", lambda here, there: -np.arange(len(here))),
        ("strong", lambda here, there: here.mean((1, 2))),
        ("there", lambda here, there: there.mean((1, 2))),
    ],
)
def test_pairs_are_sorted_and_paged(order: str, measure: Any):
    here, there = (given(embedded(), LAYER, fed(picture=name)) for name in ("cat", "coffee"))
    at = visit(
        "features",
        deeper="compare",
        module=LAYER,
        sidepicture="coffee",
        sideorder=order,
        sidepage="1",
        sidescale="all",
    )
    shown = component(at, "pairs")
    wanted = np.argsort(-np.asarray(measure(here, there)), kind="stable")[compare.PAGE :]
    assert [pair["key"] for pair in shown["pairs"]] == wanted.tolist()
    assert shown["words"] == f"25–{CHANNELS} of {CHANNELS}"
    peak = max(float(np.abs(here).max()), float(np.abs(there).max()))
    assert near(decoded(shown["pairs"][3]["second"]), coloured(there[wanted[3]], peak))


def test_random_weights_stand_beside_the_trained_ones_each_on_its_own_scale():
    at = visit("features", deeper="compare", module=LAYER, map="7", sidewith="random")
    other = f"{RANDOM}model~{DEFAULT_MODEL}"
    assert not at.warning
    here, there = given(embedded(), LAYER, fed()), given(load_network(other), LAYER, fed(other))
    shown = component(at, "pairs")
    for pair in shown["pairs"][::5]:
        unit = pair["key"]
        assert near(decoded(pair["first"]), coloured(here[unit], float(np.abs(here[unit]).max())))
        assert near(decoded(pair["second"]), coloured(there[unit], float(np.abs(there[unit]).max())))
    text = told(at)
    assert "The weights of the other side are random: nothing there was learned." in text
    assert "A number has no meaning across weights" in text
    table = next(each.proto.body for each in at.get("html") if "Alignment of stages" in each.proto.body)
    stages = ["blocks.0.0", "blocks.1.1", "blocks.2.1", "blocks.4.2", "bn2"]
    assert re.findall(r'scope="row">([^<]*)<', table) == stages
    values = [float(number) for number in re.findall(r">(-?\d\.\d\d)</td>", table)]
    assert len(values) == 25
    # one cell of the table is the sentence's number
    assert f"is **{values[12]:.2f}**" in text


def test_what_was_usual_for_two_pictures_is_not_kept_for_random_weights():
    at = visit("features", deeper="compare", module=LAYER)
    assert at.selectbox(key="sidescale control").value == "pair"
    at.segmented_control(key="sidewith control").select("random").run()
    assert at.selectbox(key="sidescale control").value == "map"
    assert "sidescale" not in at.query_params


def test_of_a_network_with_random_weights_the_trained_one_is_the_other_side():
    at = visit(
        "features", deeper="compare", module=LAYER, sidewith="random", model=f"{RANDOM}model~{DEFAULT_MODEL}"
    )
    assert not at.warning
    heads = component(at, "pairs")["heads"]
    assert heads == [card(f"{RANDOM}model~{DEFAULT_MODEL}").title, card(DEFAULT_MODEL).title]


def test_beside_another_network_each_unit_finds_its_most_correlated():
    other = f"{RANDOM}classic~resnet18"
    at = visit(
        "features",
        deeper="compare",
        module=LAYER,
        map="7",
        sidewith="network",
        sidemodel=other,
        sidelayer="layer2.0",
    )
    assert not at.warning
    here, there = given(embedded(), LAYER, fed()), given(load_network(other), "layer2.0", fed(other))
    assert here.shape[1:] == there.shape[1:] == (SIDE, SIDE)
    with np.errstate(invalid="ignore"):  # of maps that are zero throughout
        table = np.nan_to_num(np.corrcoef(here.reshape(CHANNELS, -1), there.reshape(128, -1)))
    table = table[:CHANNELS, CHANNELS:]
    shown = component(at, "pairs")
    order = np.argsort(-table.max(1), kind="stable")[: compare.PAGE]
    assert [pair["key"] for pair in shown["pairs"]] == order.tolist()
    for pair in shown["pairs"]:
        unit = pair["key"]
        best = int(table[unit].argmax())
        assert pair["label"] == f"{unit} ↔ {best}"
        assert numbers(pair["detail"].removeprefix("r "))[0] == pytest.approx(table[unit, best], abs=0.006)
    assert f"**unit {table[7].argmax()}** is the most like unit 7" in told(at)
    # the layer that is proposed has the same grid
    at = visit("features", deeper="compare", module=LAYER, sidewith="network", sidemodel=other)
    pickers = [
        json.loads(each.proto.json)
        for each in at.get("bidi_component")
        if each.proto.component_name.endswith("_picker")
    ]
    proposed = next(one for one in pickers if one["label"] == "Its layer")
    chosen = next(option for option in proposed["options"] if option["key"] == proposed["selected"])
    assert chosen["badge"] == "proposed"
    assert f"× {SIDE} × {SIDE}" in chosen["detail"]


def test_no_network_is_loaded_before_one_is_chosen():
    at = visit("features", deeper="compare", module=LAYER, sidewith="network")
    assert "Choose a network: it is given the same picture" in told(at)
    assert not [each for each in at.get("bidi_component") if each.proto.component_name.endswith("_pairs")]


def test_a_second_picture_of_ones_own_is_compared():
    at = visit("features", deeper="compare", module=LAYER)
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).save(file, "PNG")
    at.session_state["second photo"] = decode_photo(file.getvalue(), "noise <b>.png")
    at.session_state["choice:sidepicture"] = "second"
    at.run()
    assert not at.exception
    assert component(at, "pairs")["heads"][1] == "noise <b>.png"
    page = " ".join(each.proto.body for each in at.get("html"))
    assert "<b>.png" not in page
    assert "noise &lt;b&gt;.png" in page


def test_the_same_picture_twice_is_told():
    at = visit("features", deeper="compare", module=LAYER, sidepicture="cat")
    assert "Both sides are the same picture" in told(at)
    assert not at.warning


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sidewith", "mirror"),
        ("sidepicture", "unicorn"),
        ("sideorder", "best"),
        ("sidescale", "log"),
        ("sidepage", "-1"),
    ],
)
def test_nonsense_in_the_link_gets_one_sentence(name: str, value: str):
    at = visit("features", deeper="compare", module=LAYER, **{name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert name not in choices(at)


@pytest.mark.parametrize("value", ["resnet5000", f"{RANDOM}classic~nothing", f"{RANDOM}~~"])
def test_a_network_that_is_not_there_is_told(value: str):
    at = visit("features", deeper="compare", module=LAYER, sidewith="network", sidemodel=value)
    assert len(at.warning) == 1
    assert not at.error


def test_a_vector_has_pairs_of_single_numbers():
    at = visit("features", deeper="compare", module="classifier", sidepicture="coffee", sidewith="random")
    assert not at.warning
    shown = component(at, "pairs")
    assert decoded(shown["pairs"][0]["first"]).shape == (1, 1, 3)
    assert "cannot be told: it takes four cells at least" in told(at)


def test_an_order_of_pictures_is_forgotten_where_networks_are_compared():
    at = visit("features", deeper="compare", module=LAYER, sideorder="differ", sidewith="random")
    assert not at.warning
    assert "sideorder" not in choices(at)


def test_attentions_heads_are_compared_as_heads():
    at = visit(
        "features",
        model=key_of_tokens(True),
        module="block.self_attention@heads",
        map="1",
        deeper="compare",
        sidewith="picture",
    )
    assert not at.error
    words = told(at)
    assert "Head 1 gives **" in words
    assert "Numbers under a pair: its head" in words
    html = " ".join(block.proto.body for block in at.get("html"))
    assert html.count("heads, head 1<") == 2
    assert "unit 1" not in words + html
    assert all(pair["hint"].startswith("Head ") for pair in component(at, "pairs")["pairs"])
    maps = visit("features", module="blocks.3.0", map="5", deeper="compare", sidewith="picture")
    assert "Unit 5 gives **" in told(maps)
