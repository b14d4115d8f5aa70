"""Units switched off on the page of feature maps: held to a network with zeroed weights, and to torch's softmax."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor, nn

from explorer.ablation import (
    MOST_LISTED,
    Off,
    ablation_of,
    listed,
    moves,
    ranked,
    read_off,
    read_units,
    units_off,
)
from explorer.activations import Ablation, Layer
from explorer.errors import LayerError
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, card
from explorer.ui.feature_panels import up
from tests.test_pages import choices, visit
from tests.zoo import embedded

LAYER = Layer("conv", 1, 1, "Conv2d", 40, (7, 7), "maps")
CONV = "blocks.4.1.conv_pw"


# --------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    "text", ["", "unit", "all", "list", "top1", "top40", "0", "39", "0-5-39", "0..7-12-39", "3..39"]
)
def test_what_is_off_reads_as_it_was_written(text: str):
    assert read_off(text, LAYER).text == text


@pytest.mark.parametrize(
    "text",
    [
        "none of it",
        "top0",
        "top",
        "5-",
        "-5",
        "40",
        "3-41",
        "²",
        "1" * 50,
        "<b>",
        "top9999999",
        "3..",
        "3..40",
        "..5",
        "1...3",
    ],
)
def test_units_that_are_not_there_are_refused(text: str):
    with pytest.raises(LayerError):
        read_off(text, LAYER)


def test_the_strongest_are_at_most_all():
    assert read_off("top40", LAYER) == Off("strongest", strongest=40)
    with pytest.raises(LayerError, match="has 40 units; the 41 strongest"):
        read_off("top41", LAYER)


def test_a_list_is_bounded_and_sorted():
    apart = tuple(range(0, 2 * MOST_LISTED, 2))
    with pytest.raises(LayerError, match=f"up to {MOST_LISTED} units or ranges"):
        Off("list", (*apart, 2 * MOST_LISTED))
    with pytest.raises(LayerError):
        Off("list", (5, 3))
    with pytest.raises(LayerError):
        Off("all", (1,))
    with pytest.raises(LayerError, match="up to"):
        Off("list", apart).toggled(999, apart)
    assert Off("list", apart).toggled(2, apart).units == (0, *apart[2:])
    assert Off("list", tuple(range(5000))).text == "0..4999"


@pytest.mark.parametrize(
    ("typed", "units"),
    [
        ("3, 17", (3, 17)),
        ("17 3 3", (3, 17)),
        ("20-23;1", (1, 20, 21, 22, 23)),
        ("5 – 3", (3, 4, 5)),
        ("7 to 9, 8..10", (7, 8, 9, 10)),
        ("", ()),
        (" , ", ()),
    ],
)
def test_units_are_typed_as_numbers_and_ranges(typed: str, units: tuple[int, ...]):
    assert read_units(typed, LAYER) == units
    assert read_units(listed(units), LAYER) == units


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("3, 40", "conv has no unit 40: they go from 0 to 39"),
        ("30-99", "no unit 99"),
        ("3, x", "“x” is neither a unit’s number nor a range such as 20–40"),
        ("1-2-3", "“1-2-3” is neither"),
        ("-5", "“-5” is neither"),
        ("²", "neither"),
        ("1" * 400, "“11111111111111111111” is neither"),
    ],
)
def test_what_is_no_unit_gets_one_sentence(typed: str, sentence: str):
    with pytest.raises(LayerError, match=re.escape(sentence)):
        read_units(typed, LAYER)


def test_units_that_are_off_follow_the_choice():
    support = np.array([0.1, -4, 3, 0, 2], np.float32)
    layer = Layer("conv", 1, 1, "Conv2d", 5, (7, 7), "maps")
    assert units_off(Off(), layer, 3, support) == ()
    assert units_off(Off("unit"), layer, 3, support) == (3,)
    assert units_off(Off("list", (0, 4)), layer, 3, support) == (0, 4)
    assert units_off(Off("strongest", strongest=2), layer, 3, support) == (2, 4)
    assert units_off(Off("all"), layer, 3, support) == (0, 1, 2, 3, 4)
    assert ablation_of((), layer, "zero") == ()
    assert ablation_of((2, 4), layer, "mean") == (Ablation("conv", (2, 4), "mean"),)
    assert ablation_of((0, 1, 2, 3, 4), layer, "zero") == (Ablation("conv", None, "zero"),)


@pytest.mark.parametrize(
    ("support", "most", "expected"),
    [
        ([3, 2, 1], 8, (0, 1, 2)),
        ([1, 2, 3, 4, -5, -6, -7, -8], 4, (3, 2, 1, 7)),  # a quarter against
        ([1, 2, 3, 4, 5, 6, 7, 0], 4, (6, 5, 4, 3)),  # nothing speaks against
        ([1, -1, -2, -3, -4, -5, -6, -7], 4, (0, 5, 6, 7)),  # one alone supports
        ([0, 0, 0, 0, 0], 4, (0, 1, 2, 3)),
    ],
)
def test_units_are_ranked_both_ways(support: list[float], most: int, expected: tuple[int, ...]):
    assert ranked(np.array(support, np.float32), most) == expected


def test_classes_move_by_torchs_softmax():
    generator = torch.Generator().manual_seed(0)
    before, after = torch.randn(2, 30, generator=generator) * 3
    found = moves(before.numpy(), after.numpy(), 3, (17,))
    wanted = {*before.topk(3).indices.tolist(), *after.topk(3).indices.tolist(), 17}
    assert {move.class_index for move in found} == wanted
    for move in found:
        assert move.before == pytest.approx(float(before.softmax(0)[move.class_index]), rel=1e-5)
        assert move.after == pytest.approx(float(after.softmax(0)[move.class_index]), rel=1e-5)
        assert (move.logit_before, move.logit_after) == (before[move.class_index], after[move.class_index])
    assert [move.before for move in found] == sorted((move.before for move in found), reverse=True)


# --------------------------------------------------------------------------------------------------- panel


@pytest.fixture(scope="module")
def fed() -> NetworkInput:
    return NetworkInput(card(DEFAULT_MODEL), sample_photo("cat"))


def scores(fed: NetworkInput, *units: int) -> Tensor:
    """The embedded network's logits where the weights of these output channels of `CONV` are zero."""
    network: nn.Module = embedded()
    module = network.get_submodule(CONV)
    with torch.no_grad():
        module.weight[list(units)] = 0
        return network(fed.tensor())[0]


def averaged(fed: NetworkInput) -> Tensor:
    """The logits where every channel of `CONV` is its own mean."""
    network = embedded()
    network.get_submodule(CONV).register_forward_hook(
        lambda module, args, output: output.mean((2, 3), keepdim=True).expand(output.shape)
    )
    with torch.no_grad():
        return network(fed.tensor())[0]


def component(at: AppTest, kind: str, label: str = "") -> dict[str, Any]:
    """What the one component of this kind, whose label begins so, was given."""
    (shown,) = (
        data
        for each in at.get("bidi_component")
        if each.proto.component_name.endswith(f"_{kind}")
        and (data := json.loads(each.proto.json))["label"].startswith(label)
    )
    return shown


def told(at: AppTest) -> str:
    return " ".join(each.value for each in [*at.markdown, *at.caption, *at.info, *at.warning]).replace(
        "\\", ""
    )


def test_probabilities_after_are_those_of_a_network_without_the_weights(fed: NetworkInput):
    at = visit("features", deeper="up", module=CONV, off="3-17-200", map="17")
    assert not at.warning
    shown = component(at, "before_after")
    before, after = scores(fed).softmax(0), scores(fed, 3, 17, 200).softmax(0)
    assert shown["changed"]
    keys = [entry["key"] for entry in shown["entries"]]
    assert keys[0] == shown["selected"] == int(before.argmax())
    assert set(before.topk(5).indices.tolist()) <= set(keys)
    for entry in shown["entries"]:
        assert entry["before"] == pytest.approx(float(before[entry["key"]]), rel=1e-3, abs=1e-7)
        assert entry["after"] == pytest.approx(float(after[entry["key"]]), rel=1e-3, abs=1e-7)
        assert entry["label"] == fed.card.labels[entry["key"]]
    assert "3 units of 672 off: 3, 17, 200." in told(at)


def test_facts_are_those_of_a_network_without_each_unit_and_slopes_are_autograds(fed: NetworkInput):
    at = visit("features", deeper="up", module=CONV, map="17", upclass="285")
    lines = component(at, "effects", "Units of")
    assert lines["selected"] == 17
    whole = scores(fed)
    network = embedded()
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        output = output.detach().requires_grad_()
        kept.append(output)
        return output.clone()

    network.get_submodule(CONV).register_forward_hook(keep)
    network(fed.tensor())[0, 285].backward()
    assert kept[0].grad is not None
    support = (kept[0].grad * kept[0]).sum((0, 2, 3)).detach()
    tolerance = 1e-4 * float(support.abs().max())
    units = [entry["key"] for entry in lines["entries"]]
    assert units[-1] == 17
    assert set(support.topk(12).indices.tolist()) | set((-support).topk(4).indices.tolist()) == set(
        units[:-1]
    )
    for entry in lines["entries"]:
        assert entry["slope"] == pytest.approx(float(support[entry["key"]]), rel=1e-3, abs=tolerance)
        assert entry["off"] is False
    for entry in lines["entries"][::5]:
        fact = float(whole[285] - scores(fed, entry["key"])[285])
        assert entry["fact"] == pytest.approx(fact, rel=1e-3, abs=1e-4)
    # the unit that is looked at, for each of the likely classes, says the same of this one
    of_classes = component(at, "effects", "What unit 17")
    same = next(entry for entry in of_classes["entries"] if entry["key"] == 285)
    assert (same["slope"], same["fact"]) == (lines["entries"][-1]["slope"], lines["entries"][-1]["fact"])
    for entry in of_classes["entries"]:
        fact = float((whole - scores(fed, 17))[entry["key"]])
        assert entry["fact"] == pytest.approx(fact, rel=1e-3, abs=1e-4)


def test_switches_add_to_a_list_and_restore_all_empties_it(monkeypatch: pytest.MonkeyPatch):
    shown = up.effects

    def with_buttons(name: str, *args: Any) -> None:
        """The component, and its switches as buttons, since there is no browser to press them."""
        shown(name, *args)
        if name == "class units":
            for entry in args[1]:
                st.button(f"unit {entry.key}", key=f"switch {entry.key}", on_click=args[4], args=(entry.key,))

    monkeypatch.setattr(up, "effects", with_buttons)
    at = visit("features", deeper="up", module=CONV, map="17")
    assert not component(at, "before_after")["changed"]
    first, second = (entry["key"] for entry in component(at, "effects", "Units of")["entries"][:2])
    for unit in (first, second):
        at.button(key=f"switch {unit}").click().run()
    assert choices(at)["off"] == "-".join(map(str, sorted((first, second))))
    off = [entry["key"] for entry in component(at, "effects", "Units of")["entries"] if entry["off"]]
    assert sorted(off) == sorted((first, second))
    at.button(key=f"switch {first}").click().run()
    assert choices(at)["off"] == str(second)
    at.button(key="restore all").click().run()
    assert "off" not in choices(at)
    assert choices(at)["map"] == "17"
    assert not component(at, "before_after")["changed"]
    # of a whole layer a switch brings one unit back
    at.segmented_control(key="off control").select("all").run()
    at.button(key=f"switch {first}").click().run()
    assert choices(at)["off"] == listed(tuple(n for n in range(672) if n != first)).replace(
        ", ", "-"
    ).replace("–", "..")
    # where more lie apart than a list holds, it begins a new one
    at.segmented_control(key="off control").select("strongest").run()
    at.number_input(key="strongest control").set_value(300).run()
    at.button(key=f"switch {first}").click().run()
    assert choices(at)["off"] == str(first)


def test_ranges_are_typed_and_what_cannot_be_read_stays_with_a_sentence(fed: NetworkInput):
    at = visit("features", deeper="up", module=CONV, map="17", off="list")
    at.text_input(key="listed control").set_value("200, 3-5").run()
    assert choices(at)["off"] == "3..5-200"
    assert at.text_input(key="listed control").value == "3–5, 200"
    assert "4 units of 672 off: 3–5, 200." in told(at)
    shown = {entry["key"]: entry["after"] for entry in component(at, "before_after")["entries"]}
    after = scores(fed, 3, 4, 5, 200).softmax(0)
    for key, value in shown.items():
        assert value == pytest.approx(float(after[key]), rel=1e-3, abs=1e-7)
    at.text_input(key="listed control").set_value("3-5, 672").run()
    assert choices(at)["off"] == "3..5-200"
    assert at.text_input(key="listed control").value == "3-5, 672"
    assert f"{CONV} has no unit 672" in told(at)
    assert "they go from 0 to 671." in told(at)
    assert "The units that are off stay as they were." in told(at)
    at.text_input(key="listed control").set_value("1-1000000").run()
    assert "has no unit 1,000,000" in told(at)
    at.text_input(key="listed control").set_value("").run()
    assert choices(at)["off"] == "list"
    assert "has no unit" not in told(at)


def test_chosen_units_have_a_line_too_wherever_they_rank():
    ranks = [
        entry["key"]
        for entry in component(visit("features", deeper="up", module=CONV), "effects", "Units")["entries"]
    ]
    far = next(unit for unit in range(672) if unit not in ranks)
    at = visit("features", deeper="up", module=CONV, off=str(far))
    entries = {entry["key"]: entry for entry in component(at, "effects", "Units")["entries"]}
    assert entries[far]["off"]
    assert "Below these are units that were chosen." in told(at)


def test_a_last_layer_that_says_nothing_is_said(monkeypatch: pytest.MonkeyPatch):
    from explorer.ui import cache

    monkeypatch.setattr(cache, "class_scores", lambda fed, ablations=(): np.zeros(1000, np.float32))
    at = visit("features", deeper="up", module=CONV)
    assert not at.error
    assert "All 1,000 classes get the same score, 0: the last layer says the same of anything" in told(at)
    assert not [one for one in at.get("bidi_component") if one.proto.component_name.endswith("_effects")]


def test_groups_are_switched_off_with_one_control_each(fed: NetworkInput):
    at = visit("features", deeper="up", module=CONV, map="17")
    control = at.segmented_control(key="off control")
    control.select("unit").run()
    assert choices(at)["off"] == "unit"
    assert "Unit 17 of blocks.4.1.conv_pw is off" in told(at)
    at.session_state["choice:map"] = "18"
    at.run()
    assert "Unit 18 of" in told(at)
    at.segmented_control(key="off control").select("strongest").run()
    assert choices(at)["off"] == "top8"
    at.number_input(key="strongest control").set_value(3).run()
    assert choices(at)["off"] == "top3"
    lines = component(at, "effects", "Units of")["entries"]
    assert [entry["off"] for entry in lines[:4]] == [True, True, True, False]
    at.segmented_control(key="off control").select("list").run()
    assert choices(at)["off"] == "-".join(map(str, sorted(entry["key"] for entry in lines[:3])))
    at.segmented_control(key="offto control").select("mean").run()
    assert choices(at)["offto"] == "mean"
    at.segmented_control(key="off control").select("all").run()
    assert "All 672 units of blocks.4.1.conv_pw are flat, each at its mean over this picture" in told(at)
    # a network that cannot know the picture from this layer: a block's shortcut goes around it
    wanted = averaged(fed).softmax(0)
    for entry in component(at, "before_after")["entries"]:
        assert entry["after"] == pytest.approx(float(wanted[entry["key"]]), rel=1e-3, abs=1e-6)
    assert not at.warning
    assert not at.error


def test_another_picture_network_part_or_layer_switches_everything_on_again_and_says_so():
    for name, value, what in (
        ("picture", "coffee", "picture"),
        ("fit", "whole", "part that is fed"),
        ("module", "blocks.4.0.conv_pw", "layer"),
    ):
        at = visit("features", deeper="up", module=CONV, off="3-17")
        assert component(at, "before_after")["changed"]
        at.session_state[f"choice:{name}"] = value
        at.run()
        assert [info.value for info in at.info] == [f"The {what} is another one now: everything is on again."]
        assert "off" not in choices(at)
        assert not component(at, "before_after")["changed"]
        at.run()
        assert not at.info


def test_a_link_brings_its_own_units_for_its_own_picture():
    at = visit("features", deeper="up", module=CONV, off="3-17")
    at.query_params["picture"], at.query_params["off"] = "coffee", "4"
    at.run()
    assert not at.info
    assert choices(at)["off"] == "4"


@pytest.mark.parametrize(
    ("name", "value"),
    [("off", "672"), ("off", "<script>"), ("off", "3--4"), ("upclass", "1000"), ("offto", "max")],
)
def test_nonsense_in_the_link_gets_one_sentence(name: str, value: str):
    at = visit("features", deeper="up", module=CONV, **{name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert choices(at) == {"deeper": "up", "module": CONV}


def test_numbers_without_places_can_be_switched_off_to_zero_alone(fed: NetworkInput):
    at = visit("features", deeper="up", module="classifier", map="281", off="unit", offto="mean")
    assert not at.warning
    assert not any(control.key == "offto control" for control in at.segmented_control)
    shown = next(entry for entry in component(at, "before_after")["entries"] if entry["key"] == 281)
    logits = scores(fed)
    logits[281] = 0
    assert shown["after"] == pytest.approx(float(logits.softmax(0)[281]), rel=1e-3, abs=1e-6)
    # of the logits themselves each gives its own class all, and the others nothing
    lines = component(at, "effects", "What unit 281")["entries"]
    for entry in lines:
        wanted = float(scores(fed)[281]) if entry["key"] == 281 else 0.0
        assert entry["slope"] == pytest.approx(wanted, abs=1e-3)
        assert entry["fact"] == pytest.approx(wanted, abs=1e-3)
