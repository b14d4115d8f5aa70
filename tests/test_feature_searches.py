"""The panels “Inversion” and “What excites it”: what they start, show, stop and keep."""

from __future__ import annotations

import base64
import re
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from streamlit.testing.v1 import AppTest

from tests.test_pages import choices, visit

SMALL = {"invert": "this", "module": "blocks.0.0", "invertside": "128", "invertsteps": "64"}
UNIT = {"deeper": "visualise", "module": "blocks.0.0", "map": "3", "exciteside": "128", "excitesteps": "64"}


def figures(at: AppTest) -> list[tuple[np.ndarray, str]]:
    """The pictures that are shown, with the words under them."""
    found = [each.proto.body for each in at.get("html") if 'class="found"' in each.proto.body]
    entries = re.findall(
        r'<figure[^>]*><img src="data:image/\w+;base64,([^"]*)".*?<figcaption>(.*?)</figcaption>', found[0]
    )
    return [
        (np.asarray(Image.open(BytesIO(base64.b64decode(data)))), re.sub("<[^>]*>", " ", words))
        for data, words in entries
    ]


def told(at: AppTest) -> str:
    return "\n".join(each.value for each in [*at.markdown, *at.caption, *at.info])


def finished(at: AppTest, key: str) -> AppTest:
    """The page once the search that this button begins has ended."""
    at.button(key=key).click().run()
    until, start = time.monotonic() + 200, f"start {key.split()[-1]}"
    while at.button(key=start).disabled:
        assert time.monotonic() < until
        time.sleep(0.2)
        at.run()
    assert not at.exception
    return at


def test_inversion_shows_the_pictures_their_likeness_and_keeps_them() -> None:
    at = visit("features", deeper="inversion", **SMALL)
    assert not at.warning
    assert not [each for each in at.get("html") if 'class="found"' in each.proto.body]
    finished(at, "start inversion")
    (original, _), (found, words) = figures(at)
    assert original.shape == found.shape == (128, 128, 3)
    likeness = peak_signal_noise_ratio(original, found, data_range=255)
    assert f"{likeness:.1f} dB" in words
    assert likeness > 15
    grey = peak_signal_noise_ratio(original, np.full_like(original, 128), data_range=255)
    assert f"plain grey has {grey:.1f} dB here" in told(at)
    # the cat is a picture of scikit-image's: the code needs no file of the visitor's
    assert [each.proto.label for each in at.get("download_button")][-2:] == ["Pictures as PNG", "Code as .py"]
    # other settings have other pictures; going back brings these
    at.segmented_control(key="invert control").select("three").run()
    assert not [each for each in at.get("html") if 'class="found"' in each.proto.body]
    at.segmented_control(key="invert control").select("this").run()
    assert np.array_equal(figures(at)[1][0], found)


def test_a_cancelled_inversion_shows_how_far_it_came() -> None:
    at = visit("features", deeper="inversion", **{**SMALL, "invert": "three", "invertsteps": "1024"})
    at.button(key="start inversion").click().run()
    assert at.button(key="start inversion").disabled
    search = at.session_state["search under way"]
    at.button(key="cancel inversion").click().run()
    assert not search.job.running
    assert not at.button(key="start inversion").disabled
    done = re.search(r"Cancelled after (\d+) of 1,024 iterations", told(at))
    assert done
    assert int(done.group(1)) < 1024
    assert len(figures(at)) == 4


def test_another_picture_stops_the_search_and_says_so() -> None:
    at = visit("features", deeper="inversion", **{**SMALL, "invertsteps": "1024", "invert": "three"})
    at.button(key="start inversion").click().run()
    search = at.session_state["search under way"]
    at.session_state["choice:picture"] = "coffee"
    at.run()
    assert "The search was stopped" in told(at)
    search.job.wait(30)
    assert not search.job.running
    assert "search under way" not in at.session_state
    assert not at.exception


def test_a_picture_that_excites_is_found_gone_on_with_and_kept() -> None:
    at = visit("features", **UNIT)
    assert not at.warning
    finished(at, "start visualise")
    (first, words), *_ = figures(at)
    assert first.shape == (128, 128, 3)
    assert "Map 3 of blocks.0.0" in words
    assert "seed 0 · 64 iterations" in words
    finished_words = figures(finished(at, "go on visualise"))[0][1]
    assert "seed 0 · 128 iterations" in finished_words
    assert not np.array_equal(figures(at)[0][0], first)
    at.number_input(key="exciteseed control").set_value(5).run()
    assert choices(at)["exciteseed"] == "5"
    finished(at, "start visualise")
    assert "seed 5" in figures(at)[0][1]
    assert any("Found before" in each.value for each in at.markdown)


def test_one_search_at_a_time() -> None:
    at = visit("features", **{**UNIT, **SMALL, "deeper": "inversion", "invertsteps": "1024"})
    at.button(key="start inversion").click().run()
    search = at.session_state["search under way"]
    at.segmented_control(key="deeper control").select("visualise").run()
    if search.job.running:
        assert "A search of another panel is under way" in told(at)
    finished(at, "start visualise")
    assert not search.job.running
    assert "Map 3 of blocks.0.0" in figures(at)[0][1]


def test_networks_with_random_weights_and_grey_pictures_work() -> None:
    at = visit(
        "features", model="random~classic~lenet5", deeper="visualise", excite="class", excitesteps="64"
    )
    assert "The weights are random: what excites a unit is then an accident" in told(at)
    finished(at, "start visualise")
    picture = figures(at)[0][0]
    assert picture.shape == (32, 32, 3)
    assert (picture == picture[..., :1]).all()
    at.segmented_control(key="deeper control").select("inversion").run()
    finished(at, "start inversion")
    assert len(figures(at)) >= 2


@pytest.mark.parametrize(
    ("panel", "name", "value"),
    [
        ("inversion", "invert", "sideways"),
        ("inversion", "invertside", "96"),
        ("inversion", "invertsteps", "999999"),
        ("inversion", "invertseed", "-1"),
        ("visualise", "excite", "dogs"),
        ("visualise", "exciteseed", "10000"),
        ("visualise", "exciteway", "upside down"),
    ],
)
def test_nonsense_in_the_link_gets_one_sentence(panel: str, name: str, value: str) -> None:
    at = visit("features", deeper=panel, **{name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert name not in choices(at)
