"""Panels of the page on feature maps that compute little of their own: equivariance, and what is taken home."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.activations import ORDERS, FeatureMaps, Layer, Probe, ordered
from explorer.figures.signed import signed_picture
from explorer.images import sample_photo
from explorer.journey import seen
from explorer.models import DEFAULT_MODEL, RANDOM, NetworkInput, card, load_network
from explorer.profiling import profile
from explorer.receptive_field import ReceptiveField
from explorer.recording import Recorder
from explorer.take_home import closeup, layer_stem
from explorer.ui.feature_controls import Subject
from explorer.ui.feature_panels import home
from tests.test_pages import visit
from tests.test_unit_page import ATTENTION, key_of_tokens


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
    at = visit("features", deeper="equivariance", model=key_of_tokens(True), module=ATTENTION)
    assert "is not measured: its maps are shares of one attention" in text(at)
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


def blended(subject: Subject, field: ReceptiveField, picture: np.ndarray, times: int) -> np.ndarray:
    """The map over the picture (H, W, 3), pixel by pixel from the definition, with the colours of matplotlib's source.

    As the page has it: colours by 127 steps a side; what covers a pixel grows with the step up to 70 %; and a cell
    covers the pixels whose middles are less than half a jump from the middle of its field.
    """
    values = subject.maps.values[subject.unit].astype(np.float64)
    peak, made = np.abs(values).max(), picture.astype(np.float64)
    centres = [
        [field.start[axis] + at * field.jump[axis] + field.size[axis] / 2 for at in range(values.shape[axis])]
        for axis in (0, 1)
    ]
    for row, down in enumerate(centres[0]):
        for column, across in enumerate(centres[1]):
            step = round(127 * values[row, column] / peak)
            top, left = (
                max(0, round(times * (middle - jump / 2)))
                for middle, jump in zip((down, across), field.jump, strict=True)
            )
            bottom, right = (
                max(0, round(times * (middle + jump / 2)))
                for middle, jump in zip((down, across), field.jump, strict=True)
            )
            cover = 0.7 * abs(step) / 127
            colour = signed_picture(np.array([[step / 127]]), 1.0)[0, 0]
            made[top:bottom, left:right] = (1 - cover) * made[top:bottom, left:right] + cover * colour
    return made


@pytest.mark.parametrize(("layer", "unit"), [("blocks.3.0", 5), ("blocks.1.0", 5), ("blocks.4.0.bn1", 9)])
def test_a_map_on_its_photo_is_the_pages_overlay_cell_by_cell(layer: str, unit: int):
    subject = subject_of(layer, unit)
    field = seen(profile(load_network(DEFAULT_MODEL), (3, 224, 224)), subject.layer)
    assert isinstance(field, ReceptiveField)
    sheet = home._on_photo(subject, field).astype(int)
    picture = closeup(subject.fed, 4)
    expected = blended(subject, field, picture, 4)
    laid = sheet[-(896 + 48) : -48, 32 : 32 + 896]
    assert np.abs(laid - expected).max() <= 1
    assert (np.abs(laid - expected) > 0.51).mean() < 0.01  # a value between two steps
    assert (subject.maps.values[unit] < 0).any() == (layer != "blocks.4.0.bn1")
    assert np.abs(laid - picture).max() > 60


def test_the_photo_under_a_map_is_what_the_network_is_fed_in_its_own_pixels():
    for key, whole in ((DEFAULT_MODEL, False), (DEFAULT_MODEL, True), ("random~classic~lenet5", False)):
        fed = NetworkInput(card(key), sample_photo("cat"), whole)
        shown = fed.image().astype(int)
        large = closeup(fed, 4)
        assert large.shape == (4 * shown.shape[0], 4 * shown.shape[1], 3)
        side = shown.shape[0]
        averages = large.reshape(side, 4, side, 4, 3).mean((1, 3))
        assert np.abs(averages - shown).mean() < 6
    sharp, soft = closeup(NetworkInput(card(DEFAULT_MODEL), sample_photo("astronaut")), 4), fed
    assert soft.preprocessing.channels == 1
    assert np.ptp(closeup(fed, 4), axis=-1).max() == 0
    assert np.ptp(sharp, axis=-1).max() > 0


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


@pytest.mark.parametrize("key", [DEFAULT_MODEL, "vit_b_32.IMAGENET1K_V1", "swin_t.IMAGENET1K_V1"])
def test_no_two_layers_and_no_two_weights_share_the_name_of_a_file(key: str):
    stems, layers = [], 0
    for model in (key, f"{RANDOM}model~{key}"):
        fed = NetworkInput(card(model), sample_photo("cat"))
        probe = Probe(Recorder(load_network(f"{RANDOM}model~{key}")))
        layers += len(probe.layers)
        for layer in probe.layers:
            maps = FeatureMaps(layer, np.zeros((layer.channels, *layer.grid), np.float32))
            stems.append(home.stem_of(Subject(fed, probe, maps, 0)))
    assert len(set(stems)) == layers
    assert sum("random" in stem for stem in stems) == layers / 2
    assert max(map(len, stems)) < 200
    for stem, layer in zip(stems, probe.layers, strict=False):
        assert stem.endswith("-heads-cat") == (layer.layout == "heads" or layer.name == "heads")
        assert layer.name.rpartition(".")[2] in stem


def test_names_that_are_alike_but_for_what_a_file_cannot_have_stay_apart():
    names = "a.b", "a b", "a-b", "a/b", "x." * 60 + "a.b", "y." * 60 + "a.b", "b.heads", "b.run.2"
    layers = [
        *(Layer(name, 1, 1, "Conv2d", 2, (4, 4), "maps") for name in names),
        Layer("b", 1, 1, "attention", 2, (4, 4), "heads"),
        Layer("b", 2, 2, "Conv2d", 2, (4, 4), "maps"),
    ]
    stems = [layer_stem(layer) for layer in layers]
    assert len(set(stems)) == len(layers)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", stem) for stem in stems)
    assert stems[4].startswith("x-x-")


def test_attentions_heads_are_heads_in_everything_that_is_taken_home():
    at = visit(
        "features", deeper="home", model=key_of_tokens(True), module="block.self_attention@heads", map="2"
    )
    assert not at.error
    labels = [button.label for button in at.get("download_button")]
    assert labels[:3] == ["Wall as PNG", "Head 2 as PNG", "Head 2 on the photo"]
    assert "head **2**" in text(at)
    assert "map **" not in text(at)


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
    from explorer.figures.signed import enlarged

    with Image.open(io.BytesIO(png(enlarged(signed_picture(subject.maps.values[7]), home.SIDE)))) as picture:
        assert picture.size == (896, 896)
