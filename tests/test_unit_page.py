"""One map on the page on feature maps, run without a browser: what it says, what it refuses, where it leads."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer.images import sample_photo
from explorer.tray import search
from explorer.ui import unit_patches
from explorer.unit_facts import peaks_of
from tests.test_pages import choices, visit

LAYERS = {
    "conv_stem": ("40-30", "Filter 3 of **conv\\_stem** (Conv2dSame) reads the picture, normalised"),
    "blocks.2.1.conv_dw": (
        "9-11",
        "Filter 3 of **blocks\\.2\\.1\\.conv\\_dw** (Conv2d) reads blocks\\.2\\.1\\.bn1\\.act",
    ),
    "blocks.1.1": ("0-0", "then batch norm, plus"),
    "classifier": ("0-0", "**Its number**"),
}


def told(at: AppTest) -> str:
    return " ".join(
        text.value for kind in (at.markdown, at.info, at.warning, at.error, at.caption) for text in kind
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_a_cell_names_the_filter_that_made_it(layer: str):
    place, words = LAYERS[layer]
    at = visit("features", module=layer, map="3", place=place, deeper="home")
    assert not at.warning
    assert not at.error
    assert words in told(at)


def test_without_a_pinned_cell_the_strongest_is_opened():
    at = visit("features", module="conv_stem", map="3", deeper="home")
    assert "the strongest cell: click any other in the map" in told(at)


def test_a_pool_leads_to_the_layer_below():
    at = visit("features", module="global_pool", map="7", deeper="home")
    assert "the mean over a whole map of" in told(at)
    below = at.button(key="layer below")
    assert "conv" in below.label or "bn" in below.label
    below.click().run()
    assert choices(at)["module"] == below.label.removeprefix("Open ")
    assert choices(at)["map"] == "7"
    assert not at.error


@pytest.mark.parametrize("place", ["112-0", "3", "-1-2", "1-x", "9" * 50, "<b>"])
def test_a_cell_that_is_not_there_gets_one_sentence(place: str):
    at = visit("features", module="conv_stem", place=place, deeper="home")
    assert [("pins the cell" in warning.value) for warning in at.warning] == [True]
    assert "place" not in choices(at)


@pytest.mark.parametrize(
    ("name", "value"), [("veil", "fog"), ("slope", "hill"), ("drawn", "badly"), ("sheer", "101"), ("inside", "out")]
)  # fmt: skip
def test_nonsense_about_the_unit_gets_one_sentence(name: str, value: str):
    at = visit("features", deeper="home", **{name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert name not in choices(at)


def test_a_pinned_cell_is_forgotten_with_its_layer():
    at = visit("features", module="conv_stem", place="40-30", deeper="home")
    at.session_state["choice:module"] = "blocks.2.1.conv_dw"
    at.session_state["choices since the last run"] = True
    at.run()
    assert not at.warning
    assert "place" not in choices(at)


def test_the_gradient_says_how_much_of_it_lies_inside_the_frame():
    at = visit(
        "features", module="blocks.2.1.conv_dw", place="9-11", veil="gradient", slope="cell", deeper="home"
    )
    assert not at.error
    assert not at.warning
    assert choices(at)["veil"] == "gradient"


def test_the_tray_begins_with_the_samples_and_finds_the_strongest():
    at = visit("features", module="blocks.2.1.conv_dw", map="3", inside="patches", deeper="home")
    for _ in range(20):
        if "Strongest in 10 pictures" in told(at):
            break
        at.run()
    assert "Strongest in 10 pictures" in told(at)
    tray = at.session_state["tray of pictures"]
    found = next(iter(tray.found.values()))
    cat = sample_photo("cat")
    assert set(found) == set(tray.photos)
    from explorer.models import DEFAULT_MODEL, NetworkInput, card
    from explorer.ui import cache

    fed = NetworkInput(card(DEFAULT_MODEL), cat)
    maps = cache.probe(DEFAULT_MODEL).maps(fed.tensor(), ["blocks.2.1.conv_dw"])["blocks.2.1.conv_dw"]
    assert found[cat.digest].of(3) == peaks_of(maps).of(3)


def test_an_emptied_tray_leaves_the_pages_picture():
    at = visit("features", inside="patches", deeper="home")
    at.button(key="tray empty").click().run()
    assert not at.error
    assert re.search(r"Strongest in 1 picture\b|in none of 1 picture", told(at))
    assert at.session_state["tray of pictures"].photos == {}
    at.button(key="tray samples").click().run()
    assert len(at.session_state["tray of pictures"].photos) == 10


def test_the_tray_holds_fifty():
    tray = unit_patches._Tray()
    from explorer.images import Photo

    photos = [Photo(f"{n}", sample_photo("cat").pixels[: n + 1]) for n in range(60)]
    unit_patches._put(tray, photos)
    assert len(tray.photos) == 50
    assert tray.trouble == ("The tray holds 50 pictures: take one off first.",)
    unit_patches._remove(tray, list(tray.photos)[:5])
    assert len(tray.photos) == 45
    assert tray.trouble == ()


def test_a_search_that_is_cancelled_keeps_what_it_found_and_waits(monkeypatch: pytest.MonkeyPatch):
    def slowly(*args: Any) -> Iterator[Any]:
        for step in search(*args):
            time.sleep(0.4)
            yield step

    monkeypatch.setattr(unit_patches, "search", slowly)
    at = visit("features", module="blocks.2.1.conv_dw", inside="patches", deeper="home")
    at.button(key="cancel tray").click().run()
    for _ in range(3):
        assert re.fullmatch(r"Search \d more pictures", at.button(key="search tray").label)
        assert at.session_state["tray of pictures"].job is None
        assert "Strongest in" in told(at)
        at.run()
    before = int(at.button(key="search tray").label.split()[1])
    assert before < 10
    monkeypatch.setattr(unit_patches, "search", search)
    at.button(key="search tray").click().run()
    for _ in range(20):
        if "Strongest in 10 pictures" in told(at):
            break
        at.run()
    assert "Strongest in 10 pictures" in told(at)


def test_random_weights_are_opened_like_others():
    at = visit(
        "features", model="random~model~squeezenet1_1.IMAGENET1K_V1", module="features.3", map="70", deeper="home"
    )  # fmt: skip
    assert not at.error
    assert "features\\.3\\.expand3x3" in told(at)
