"""Every page, run without a browser: what it computes and which widgets it offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from torchvision import models as zoo

from explorer.images import SAMPLES, decode_photo
from explorer.models import CATALOGUE, DEFAULT_MODEL
from explorer.networks.source import Source, write_source
from explorer.saliency import METHODS
from explorer.ui.frame import ROOMS

ROOT = Path(__file__).resolve().parents[1]
SHELL = ROOT / "explorer" / "ui" / "shell.py"


def visit(path: str = "saliency", **query: str) -> AppTest:
    """A fresh session on a page, with choices in its address."""
    at = AppTest.from_file(str(SHELL), default_timeout=120)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    if path:
        at.switch_page(str(ROOT / "pages" / f"{path}.py")).run()
    assert not at.exception
    return at


def choices(at: AppTest) -> dict[str, Any]:
    """What the address says."""
    return {
        name: values[0] if isinstance(values, list) else values for name, values in at.query_params.items()
    }


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.path or "home")
def test_every_page_opens_with_its_title_and_sentence_and_without_errors(room):
    at = visit(room.path)
    assert at.title[0].value == room.title
    assert room.sentence in [text.value for text in at.markdown]
    assert not at.error
    assert not at.warning


def test_the_saliency_page_tells_where_it_computed_and_what_was_fed():
    told = " ".join(caption.value for caption in visit().caption)
    assert "224 × 224 pixels, from 51 % of the picture. Forward pass" in told
    assert "CPU" in told
    assert "Chelsea" in told


def test_choices_in_the_address_are_taken():
    at = visit(picture="coffee", method="layer_cam", stage="blocks.4.2", colours="viridis", opacity="40")
    assert not at.warning
    assert at.selectbox(key="method control").value == "layer_cam"
    assert "Coffee" in at.caption[0].value
    assert choices(at)["stage"] == "blocks.4.2"


def test_what_is_usual_stays_out_of_the_address():
    at = visit(picture="cat", model=DEFAULT_MODEL, method="grad_cam", opacity="75", wipe="0")
    assert choices(at) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("picture", "unicorn"),
        ("model", "../../etc/passwd"),
        ("method", "grad_cam_3000"),
        ("stage", "blocks.99"),
        ("class", "1000"),
        ("class", "-1"),
        ("class", "²"),
        ("versus", "9" * 400),
        ("opacity", "101"),
        ("colours", "**jet**"),
        ("cells", "2"),
        ("fit", "stretched"),
    ],
)
def test_nonsense_in_the_address_gets_one_sentence_and_the_usual(name: str, value: str):
    at = visit(**{name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert choices(at) == {}


def test_a_method_is_chosen_with_its_widget_and_reaches_the_address():
    at = visit()
    at.selectbox(key="method control").select("eigen_cam").run()
    assert choices(at) == {"method": "eigen_cam"}
    assert any(METHODS["eigen_cam"].sentence[:20] in caption.value for caption in at.caption)


def test_the_whole_picture_can_be_fed():
    at = visit()
    at.segmented_control(key="fit control").select("whole").run()
    assert choices(at) == {"fit": "whole"}
    assert any("from the whole picture" in caption.value for caption in at.caption)


def test_a_class_that_is_searched_is_drawn_and_the_search_is_cleared():
    at = visit()
    at.selectbox(key="class search").select(504).run()
    assert choices(at) == {"class": "504"}
    assert at.selectbox(key="class search").value is None


def test_every_sample_opens():
    at = visit()
    for key, sample in SAMPLES.items():
        at.session_state["choice:picture"] = key
        at.run()
        assert not at.exception
        assert not at.error
        assert any(sample.title in caption.value for caption in at.caption)


def test_a_picture_of_one_colour_gets_a_map_or_a_sentence_never_nan():
    from io import BytesIO

    from PIL import Image

    at = visit()
    for shade, size in ((0, (224, 224)), (255, (1, 1)), (128, (1, 3000))):
        file = BytesIO()
        Image.new("L", size, shade).save(file, "PNG")
        at.session_state["own photo"] = decode_photo(file.getvalue(), f"{shade}.png")
        at.session_state["choice:picture"] = "own"
        at.run()
        assert not at.exception
        assert not at.error


def test_the_catalogue_in_the_picker_is_whole():
    from explorer.ui import cache

    options = cache.model_options()
    assert [option.key for option in options] == list(CATALOGUE)
    assert options[0].badge == "embedded"
    assert all(option.badge for option in options)
    assert len({(option.title, option.group) for option in options}) == len(options)


def test_pages_share_no_choice_but_the_picture_and_the_network_that_is_fed():
    """A choice is kept when pages switch: one name with two meanings would be misread."""
    names = {room.path: set(visit(room.path).session_state["choices of this run"]) for room in ROOMS[1:]}
    fed = {"saliency", "features"}  # a picture before a trained network: the same one on both
    assert names["saliency"] & names["features"] == {"picture", "model", "fit"}
    for path, own in names.items():
        assert own, path
        for other in names.keys() - {path}:
            assert own & names[other] <= (
                {"picture", "model", "fit"} if {path, other} == fed else {"picture"}
            )


def words(at: AppTest) -> str:
    """All small and large print, as it is read."""
    texts = [each.value for kind in (at.markdown, at.caption, at.info) for each in kind]
    return " ".join(texts).replace("\\", "")


def test_a_network_with_random_weights_says_so_and_is_asked():
    at = visit(model="random~classic~lenet5", picture="coffee")
    assert not at.warning
    assert not at.error
    (note,) = at.info
    assert "Random weights" in note.value
    assert "means nothing" in note.value
    assert "Its strongest outputs" in words(at)
    assert "32 × 32 pixels of grey, from" in words(at)
    assert "61.7 k parameters · 417 k multiply-adds" in words(at)
    assert choices(at) == {"model": "random~classic~lenet5", "picture": "coffee"}
    assert len(at.selectbox(key="class search").options) == 10
    (code,) = [each.value for each in at.code]
    assert "torch.manual_seed(0)" in code


def test_with_trained_weights_nothing_is_said_of_random_ones():
    at = visit()
    assert not at.info
    assert "Its best guesses" in words(at)


def test_a_class_of_the_network_before_is_not_taken_along():
    """Ten outputs have no class 504; a link's own class counts."""
    at = visit(**{"class": "504"})
    at.session_state["choice:model"] = "random~classic~lenet5"
    at.session_state["model picked"] = "random~classic~lenet5"
    at.run()
    assert not at.warning
    assert choices(at) == {"model": "random~classic~lenet5"}
    assert not visit(model="random~classic~lenet5", **{"class": "7"}).warning


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("random~classic~lenet6", "There is no classic network"),
        ("random~code~own", "too long for a link"),
        ("random~rubbish", "names no network"),
        ("random~model~nothing", "There is no network"),
        ("random~classic~vit_h_14", "the most is 1.00 GB"),
        ("random~classic~dense-480x640", "fed as squares"),
        ("random~classic~mlp", "holds a map"),
    ],
)
def test_a_random_network_that_cannot_be_had_is_refused_in_a_sentence(key: str, why: str):
    at = visit(model=key)
    (said,) = [each.value.replace("\\", "") for each in at.warning]
    assert said.startswith("The link's network cannot be shown.")
    assert why in said
    assert not at.error
    assert choices(at) == {}


def test_a_random_network_that_cannot_be_recorded_leaves_the_one_that_was_had():
    """It has tokens and no map: known only once it has run."""
    code = (
        "class Net(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.embed = nn.Linear(49, 8)\n"
        "  def forward(self, x):\n    return self.embed(x.reshape(-1, 16, 49)).mean(1)\n"
    )
    at = visit(model=f"random~{write_source(Source('code', code))}@1x28x28")
    (said,) = [each.value.replace("\\", "") for each in at.error]
    assert said.startswith("Net · random weights cannot be shown; the page goes on with EfficientNet-Lite0.")
    assert "no layer that holds a map" in said
    assert not [button for button in at.button if button.label == "Try again"]  # it would fail again
    assert "Its best guesses" in words(at)


def test_one_s_own_network_stays_in_the_picker(monkeypatch: pytest.MonkeyPatch):
    from explorer.ui import controls

    shown: list[Any] = []
    monkeypatch.setattr(controls, "picker", lambda *args: shown.append(args[3]))
    at = visit(model="random~classic~lenet5")
    at.session_state["choice:model"] = DEFAULT_MODEL
    at.run()
    for options in (shown[0], shown[-1]):
        own = [(option.key, option.title) for option in options if option.group == "Random weights"]
        assert own[:3] == [
            ("random~classic~lenet5", "LeNet-5, as it is taught"),
            (f"random~model~{DEFAULT_MODEL}", "EfficientNet-Lite0"),
            ("random~model~alexnet.IMAGENET1K_V1", "AlexNet"),
        ]
        # each architecture of torchvision's once, whatever weights there are of it
        assert len(own) == 2 + len(zoo.list_models(zoo))
