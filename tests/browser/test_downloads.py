"""Every button that gives a file gives it: what is made when it is pressed is made outside the page's run."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from explorer.activations import Probe
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, card, load_network
from explorer.recording import Recorder
from tests.browser.serving import settled

PLACES = {
    "features?deeper=home": 5,
    "features?deeper=home&module=classifier": 4,
    "features?deeper=home&scope=net&order=variance&module=blocks.3.0": 5,
    "kernels?panel=home": 3,
    "networks?further=home": 2,
    "saliency": 3,
    "arithmetic?about=practice": 2,
}
"""Addresses, and how many files each offers."""


def downloads(page: Page, address: str, place: str, count: int) -> dict[str, bytes]:
    """Every file that the place offers, by its name: so many."""
    page.goto(f"{address}/{place}")
    settled(page)
    if place == "saliency":
        page.get_by_text("Take it home").click()
    buttons = page.get_by_test_id("stDownloadButton").get_by_role("button")
    expect(buttons).to_have_count(count, timeout=60_000)
    settled(page)
    found = {}
    for button in buttons.all():
        with page.expect_download(timeout=30_000) as waiting:
            button.click()
        found[waiting.value.suggested_filename] = Path(waiting.value.path()).read_bytes()
    return found


@pytest.mark.parametrize("place", PLACES)
def test_every_file_that_is_offered_comes(page: Page, address: str, place: str):
    found = downloads(page, address, place, PLACES[place])
    assert len(found) == PLACES[place], list(found)
    for name, content in found.items():
        kind = name.rpartition(".")[2]
        if kind == "png":
            assert Image.open(io.BytesIO(content)).size > (1, 1), name
        elif kind == "npz":
            assert zipfile.is_zipfile(io.BytesIO(content)), name
        elif kind == "npy":
            assert np.load(io.BytesIO(content)).size, name
        elif kind == "py":
            compile(content, name, "exec")
        else:
            assert content.decode().lstrip()[0] in "<{", name


def test_the_tensors_are_those_of_the_layer(page: Page, address: str):
    found = downloads(page, address, "features?deeper=home&module=blocks.2.1&picture=coffee", 5)
    (content,) = (content for name, content in found.items() if name.endswith(".npz"))
    tensors = np.load(io.BytesIO(content))
    fed = card(DEFAULT_MODEL).preprocessing.tensor(sample_photo("coffee").pixels)
    maps = Probe(Recorder(load_network(DEFAULT_MODEL))).feature_maps(fed, "blocks.2.1")
    assert np.array_equal(tensors["maps"], maps.values)
    assert str(tensors["layer"]) == "blocks.2.1"
    assert len(tensors["labels"]) == len(tensors["logits"]) == 1000
    (sheet,) = (content for name, content in found.items() if name.endswith("-wall.png"))
    assert Image.open(io.BytesIO(sheet)).size[0] > 500
