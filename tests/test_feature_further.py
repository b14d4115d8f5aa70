"""Panels of the page on feature maps that compute little of their own: equivariance, and what is taken home."""

from __future__ import annotations

import io
import json

import numpy as np
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.activations import ORDERS, Probe, ordered
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, card, load_network
from explorer.recording import Recorder
from explorer.ui.feature_controls import Subject
from explorer.ui.feature_panels import home
from tests.test_pages import visit


def text(at: AppTest) -> str:
    """All that is written on the page, without the signs that keep it from acting."""
    parts = [
        *(one.value for one in at.markdown),
        *(one.value for one in at.caption),
        *(one.value for one in at.info),
    ]
    return " ".join(parts).replace("\\", "").replace("\u2060", "")


def components(at: AppTest, name: str) -> list[dict]:
    found = [one for one in at.get("bidi_component") if one.proto.component_name.endswith(name)]
    return [json.loads(one.proto.json) for one in found]


def test_equivariance_tells_of_whole_and_half_cells():
    at = visit("features", deeper="equivariance", module="blocks.4.2", map="5", across="32")
    assert "A cell of this layer is 16 pixels: the shift is 2 cells to the right, whole cells" in text(at)
    assert "Map 5 of blocks.4.2" in text(at)
    # the middle 12 of 14 columns came from inside the picture
    assert "168 of 196 places are compared" in text(at)
    at = visit("features", deeper="equivariance", module="blocks.4.2", across="8")
    assert "0.5 cells to the right, between cells" in text(at)


def test_equivariance_of_a_layer_without_places_and_of_a_shift_too_far_is_a_sentence():
    at = visit("features", deeper="equivariance", module="classifier")
    assert "classifier has no places that could move" in text(at)
    at = visit("features", deeper="equivariance", motion="zoom", percent="900")
    assert any("percent 900 is outside 50–200" in one.value for one in at.warning)
    assert not at.exception


def subject_of(layer: str, unit: int) -> Subject:
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("cat"))
    probe = Probe(Recorder(load_network(DEFAULT_MODEL)))
    return Subject(fed, probe, probe.feature_maps(fed.tensor(), layer), unit)


def test_tensors_are_what_a_plain_forward_gives():
    subject = subject_of("blocks.2.1", 3)
    kept = []
    network = load_network(DEFAULT_MODEL)
    network.get_submodule("blocks.2.1").register_forward_hook(
        lambda module, args, output: kept.append(output)
    )
    with torch.no_grad():
        scores = network(subject.fed.tensor())[0].numpy()
    data = np.load(
        io.BytesIO(home.tensors(subject.maps, scores, subject.fed.card.labels)), allow_pickle=False
    )
    assert np.abs(data["maps"] - kept[0][0].numpy()).max() < 1e-4
    assert (data["logits"] == scores).all()
    assert str(data["layer"]) == "blocks.2.1"
    assert str(data["labels"][scores.argmax()]) == subject.fed.card.labels[scores.argmax()]


def test_the_photo_under_a_map_keeps_its_size():
    made = home._on_photo(subject_of("blocks.4.2", 8))
    assert made.shape == sample_photo("cat").pixels.shape


def test_the_panel_offers_everything_in_the_order_of_the_wall():
    at = visit("features", deeper="home", module="blocks.5.3", map="17", order="variance")
    labels = [button.label for button in at.get("download_button")]
    assert labels == ["Wall as PNG", "Map 17 as PNG", "Map 17 on the photo", "Tensors as .npz", "Code as .py"]
    assert "map **17**" in text(at)
    assert any("maps[17]" in block.value for block in at.code)
    at = visit("features", deeper="home", module="classifier", map="281", picture="cat_and_bird")
    labels = [button.label for button in at.get("download_button")]
    assert "Map 281 on the photo" not in labels
    assert "Picture as PNG" in labels


def test_orders_are_what_their_names_say():
    maps = subject_of("blocks.1.1", 0).maps
    values = maps.values.reshape(len(maps.values), -1).astype(np.float64)
    expected = {
        "mean": values.mean(1),
        "maximum": values.max(1),
        "variance": values.var(1),
        "sparsity": (values == 0).mean(1),
    }
    assert set(expected) | {"number"} == set(ORDERS)
    for key, numbers in expected.items():
        sorted_numbers = numbers[list(ordered(maps, key))]
        assert (np.diff(sorted_numbers) <= 1e-9).all(), key
    assert ordered(maps, "number") == tuple(range(len(values)))


def test_pictures_are_pngs_of_whole_cells():
    subject = subject_of("blocks.1.1", 7)
    from explorer.figures.pictures import png
    from explorer.figures.signed import enlarged, signed_picture

    with Image.open(io.BytesIO(png(enlarged(signed_picture(subject.maps.values[7]), home.SIDE)))) as picture:
        assert picture.size == (896, 896)
