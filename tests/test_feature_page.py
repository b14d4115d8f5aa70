"""The page on feature maps, run without a browser: what it shows, what the link says, and what becomes of bad input."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

from explorer.images import Photo, sample_photo
from explorer.models import DEFAULT_MODEL, card, load_network
from explorer.networks.source import Source, write_source
from explorer.ui import cache, feature_controls, link
from explorer.ui.feature_show import PANELS
from tests.test_pages import choices, visit

USUAL = "blocks.1.1"

# the logarithm of what is negative somewhere: from there on nothing is a number
BROKEN = """
class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 5, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x = torch.log(self.first(x) - 99.0)
        x = self.pool(self.second(x))
        return self.head(torch.flatten(x, 1))
"""
TINY = "nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))"


def of_code(code: str) -> str:
    return f"random~{write_source(Source('code', code, ''))}@3x32x32"


def data_of(at: AppTest, component: str) -> Any:
    """What a component of the page was sent: JSON, or bytes."""
    for element in at.main.get("bidi_component") or at.get("bidi_component"):
        proto = element.proto
        if proto.component_name.endswith(f"cnn_explorer_{component}"):
            kind = proto.WhichOneof("data")
            return json.loads(proto.json) if kind == "json" else getattr(proto, kind)
    raise AssertionError(f"There is no {component} on the page.")


def own(at: AppTest) -> dict[str, Any]:
    """What the address says of the page itself; panels have names of their own."""
    names = ("module", "map", "order", "scope", "tile", "deeper", "model", "picture", "fit")
    return {name: value for name, value in choices(at).items() if name in names}


def figures(at: AppTest) -> dict[str, str]:
    (found,) = [each.proto.body for each in at.get("html") if "strongest value" in each.proto.body]
    return {words: number for number, words in re.findall(r"<b>([^<]*)</b><span>([^<]*)</span>", found)}


def output_of(layer: str) -> Tensor:
    """A layer's output for the cat, by torch's own hook on a network of our own."""
    network, kept = load_network(DEFAULT_MODEL), []
    network.get_submodule(layer).register_forward_hook(lambda _m, _i, output: kept.append(output.clone()))
    with torch.no_grad():
        network(card(DEFAULT_MODEL).preprocessing.tensor(sample_photo("cat").pixels))
    return kept[0][0]


def test_the_page_opens_on_the_second_stage_with_its_figures():
    at = visit("features")
    assert not at.warning
    assert own(at) == {}
    output = output_of(USUAL)
    told = figures(at)
    assert told["maps × rows × columns"] == "24 × 56 × 56"
    assert told["strongest value"] == f"{float(output.abs().max()):.3g}"
    assert told["are zero"] == f"{100 * float((output == 0).float().mean()):.1f} %"
    assert told["pixels a cell sees"] == "19 × 19"  # 3, then 3 (jump 2), then 3 and 3 (jump 2 and 4)


def test_the_strip_shows_each_station_and_every_layer():
    at = visit("features")
    told = data_of(at, "strip")
    assert [tile["label"] for tile in told["tiles"]] == [
        "112×112", "112×112", "56×56", "28×28", "14×14", "14×14", "7×7", "7×7", "7×7", "1,280", "1,000",
    ]  # fmt: skip
    ran = []
    network = load_network(DEFAULT_MODEL)
    for name, module in network.named_modules():
        if name:
            module.register_forward_hook(lambda _m, _i, _o, name=name: ran.append(name))
    with torch.no_grad():
        network(torch.zeros(1, 3, 224, 224))
    assert [place[0] for place in told["places"]] == ran
    assert told["selected"] == USUAL


def test_the_picker_lists_every_layer_a_module_before_what_is_inside():
    at = visit("features")
    pickers = [
        json.loads(each.proto.json)
        for each in at.get("bidi_component")
        if each.proto.component_name.endswith("picker")
    ]
    (layers,) = [each for each in pickers if each["label"] == "Layer"]
    keys = [option["key"] for option in layers["options"]]
    assert len(keys) == len(set(keys)) == len(cache.probe(DEFAULT_MODEL).layers)
    assert keys.index("blocks.1.1") < keys.index("blocks.1.1.conv_dw")
    groups = [option["group"] for option in layers["options"]]
    assert len(set(groups)) == sum(a != b for a, b in zip(groups, ["", *groups], strict=False))


def test_choices_in_the_link_are_taken():
    at = visit("features", module="blocks.3.0", map="7", order="variance", scope="layer", tile="large")
    assert not at.warning
    told = data_of(at, "wall")
    assert told["selected"] == 7
    assert told["look"] == {"order": "variance", "scope": "layer", "size": "large"}
    assert told["netPeak"] is None
    assert own(at) == {
        "module": "blocks.3.0",
        "map": "7",
        "order": "variance",
        "scope": "layer",
        "tile": "large",
    }


def test_the_whole_nets_scale_is_its_strongest_number():
    strongest, network = [], load_network(DEFAULT_MODEL)
    for module in network.modules():
        module.register_forward_hook(lambda _m, _i, output: strongest.append(float(output.abs().max())))
    with torch.no_grad():
        network(card(DEFAULT_MODEL).preprocessing.tensor(sample_photo("cat").pixels))
    at = visit("features", scope="net")
    assert data_of(at, "wall")["netPeak"] == pytest.approx(max(strongest), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("module", "blocks.99"),
        ("module", "../../etc/passwd"),
        ("map", "24"),
        ("map", "-1"),
        ("map", "²"),
        ("order", "beauty"),
        ("scope", "**world**"),
        ("tile", "huge"),
        ("deeper", "nowhere"),
    ],
)
def test_nonsense_in_the_link_gets_one_sentence_and_the_usual(name: str, value: str):
    at = visit("features", **{name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert own(at) == {}


def test_another_layer_forgets_the_number_of_the_map():
    at = visit("features", map="23")
    at.session_state["choice:module"] = "blocks.0.0"  # which has 16
    at.session_state["choice:map"] = ""
    at.run()
    assert not at.warning
    assert data_of(at, "wall")["selected"] == 0


def test_a_layer_of_another_network_is_forgotten_without_a_word():
    at = visit("features", module="blocks.3.0", map="50", deeper="journey")
    at.session_state["choice:model"] = of_code(TINY)
    at.run()
    assert not at.exception
    assert not at.warning
    assert not {"module", "map"} & set(own(at))


def test_the_same_layer_of_another_network_keeps_no_number_that_it_does_not_have():
    at = visit("features", model=of_code(TINY), module="0", map="7", deeper="journey")
    assert data_of(at, "wall")["selected"] == 7
    at.session_state["choice:model"] = of_code(TINY.replace("8", "5"))
    at.run()
    assert not at.warning
    assert (own(at)["module"], data_of(at, "wall")["selected"]) == ("0", 0)


def test_random_weights_are_told_on_the_page():
    at = visit("features", model=of_code(TINY))
    assert not at.exception
    assert any("weights are random" in caption.value for caption in at.caption)
    assert not any("weights are random" in caption.value for caption in visit("features").caption)


def test_values_that_are_no_numbers_get_sentences_and_leave_the_strip():
    at = visit("features", model=of_code(BROKEN))
    assert not at.exception
    assert not at.error
    at = visit("features", model=of_code(BROKEN), module="second")
    assert not at.exception
    told = " ".join(warning.value for warning in at.warning)
    assert "no numbers" in told
    assert "second" in told
    assert data_of(at, "strip")["selected"] == "second"
    at = visit("features", model=of_code(BROKEN), module="first", deeper="journey")
    assert not at.exception
    assert "NaN" not in json.dumps(data_of(at, "journey"))


def test_numbers_without_places_and_names_of_classes():
    at = visit("features", module="classifier", map="281")
    assert not at.exception
    assert figures(at)["numbers"] == "1,000"
    packed = data_of(at, "map_store")
    length = int.from_bytes(packed[64:68], "little")
    head = json.loads(packed[68 : 68 + length])
    assert head["names"] == list(card(DEFAULT_MODEL).labels)
    assert head["grid"] == [1, 1]


@pytest.mark.parametrize("shade", [0, 128])
def test_a_picture_of_one_colour_shows_maps(shade: int):
    at = visit("features")
    at.session_state["own photo"] = Photo("plain.png", np.full((50, 70, 3), shade, np.uint8))
    at.session_state["choice:picture"] = "own"
    at.run()
    assert not at.exception
    assert not at.error
    assert data_of(at, "wall")["id"]


def test_the_journey_ends_with_the_networks_five_best_answers():
    at = visit("features", deeper="journey")
    frames = data_of(at, "journey")["frames"]
    assert frames[0]["shape"] == "3 × 224 × 224"
    with torch.no_grad():
        scores = load_network(DEFAULT_MODEL)(
            card(DEFAULT_MODEL).preprocessing.tensor(sample_photo("cat").pixels)
        )
    probabilities, best = scores.softmax(-1)[0].topk(5)
    assert [label for label, _ in frames[-1]["answers"]] == [
        card(DEFAULT_MODEL).labels[n] for n in best.tolist()
    ]
    assert [value for _, value in frames[-1]["answers"]] == pytest.approx(probabilities.tolist(), rel=1e-4)


def test_what_a_station_sees_follows_its_strongest_cell():
    at = visit("features", deeper="journey")
    frames = {frame["key"]: frame for frame in data_of(at, "journey")["frames"]}
    frame = frames["bn1"]  # one convolution of 3 × 3 with stride 2, padded after the last row alone
    left, top, width, height = frame["sees"]
    cell_left, cell_top, cell_width, cell_height = frame["cell"]
    assert (cell_width, cell_height) == (1 / 112, 1 / 112)
    assert left * 224 == pytest.approx(2 * cell_left * 112)
    assert top * 224 == pytest.approx(2 * cell_top * 112)
    assert width * 224 == pytest.approx(min(3, 224 - left * 224))
    assert height * 224 == pytest.approx(min(3, 224 - top * 224))


@pytest.mark.parametrize("panel", list(PANELS))
def test_every_panel_opens_for_maps_and_for_numbers_without_places(panel: str):
    for module in (USUAL, "classifier"):
        at = visit("features", deeper=panel, module=module)
        assert not at.exception, (panel, module)
        assert not at.error, (panel, module)


def moved_to(at: AppTest, layer: str) -> AppTest:
    """Choose another layer, as the strip does."""
    at.session_state["choice:module"] = layer
    at.session_state["choices since the last run"] = True
    return at.run()


def test_a_pinned_cell_stays_where_the_next_layer_has_the_same_grid():
    at = visit("features", module="blocks.2.1.conv_dw", place="9-12", deeper="home")
    at = moved_to(at, "blocks.2.1.bn2")
    assert choices(at)["place"] == "9-12"
    assert not at.warning
    assert "place" not in choices(moved_to(at, "blocks.4.0"))
    assert not at.warning


def test_heads_keep_their_number_from_layer_to_layer(monkeypatch: pytest.MonkeyPatch):
    chosen = {"module": "encoder.0.attention@heads", "map": "2", "filters": "x"}
    monkeypatch.setattr(link, "read", lambda name, default="": chosen.get(name, default))
    monkeypatch.setattr(link, "choose", chosen.__setitem__)
    monkeypatch.setattr(link, "forget", lambda *names: [chosen.pop(name, None) for name in names])
    feature_controls.take_layer("encoder.1.attention@heads")
    assert chosen == {"module": "encoder.1.attention@heads", "map": "2"}
    feature_controls.take_layer("encoder.1.mlp")
    assert chosen == {"module": "encoder.1.mlp"}
