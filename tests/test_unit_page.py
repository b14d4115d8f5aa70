"""One map on the page on feature maps, run without a browser: what it says, what it refuses, where it leads."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.figures.pictures import jpeg
from explorer.images import SAMPLES, sample_photo
from explorer.journey import seen
from explorer.models import DEFAULT_MODEL, NetworkInput, card, load_network
from explorer.networks.source import of_parts
from explorer.networks.spec import NetworkSpec, part
from explorer.profiling import profile
from explorer.receptive_field import ReceptiveField
from explorer.tray import Spot, search, strongest
from explorer.ui import cache, unit_patches
from explorer.unit_facts import peaks_of
from explorer.untrained import write_key
from tests.test_feature_up import component
from tests.test_pages import choices, visit
from tests.test_untrained import key_of
from tests.zoo import embedded

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
    assert "the cell furthest from zero: click any other in the map" in told(at)


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
    fed = NetworkInput(card(DEFAULT_MODEL), cat)
    maps = cache.probe(DEFAULT_MODEL).maps(fed.tensor(), ["blocks.2.1.conv_dw"])["blocks.2.1.conv_dw"]
    assert found[cat.digest].of(3) == peaks_of(maps).of(3)


def test_places_below_zero_are_looked_for_too_where_there_are_any():
    at = visit("features", module="blocks.1.0", map="5", inside="patches", deeper="home", zeroside="below")
    searched(at, "Lowest in 10 pictures")
    assert not at.error
    values = [tile["label"] for tile in component(at, "tiles", "Strongest places")["tiles"]]
    numbers = [float(value.replace("−", "-")) for value in values]
    assert numbers == sorted(numbers)
    assert numbers[-1] < 0
    kept: list[Any] = []
    network = embedded()
    network.get_submodule("blocks.1.0").register_forward_hook(lambda *call: kept.append(call[2][0, 5]))
    with torch.no_grad():
        for photo in map(sample_photo, SAMPLES):
            network(NetworkInput(card(DEFAULT_MODEL), photo).tensor())
    assert numbers[0] == pytest.approx(float(min(plane.min() for plane in kept)), rel=1e-3)
    at.segmented_control(key="zeroside control").select("above").run()
    searched(at, "Strongest in 10 pictures")
    # what a ReLU gives has nothing below, and no choice
    at = visit(
        "features", module="blocks.1.0.bn1", map="5", inside="patches", deeper="home", zeroside="below"
    )
    searched(at, "Strongest in 10 pictures")
    assert not [one for one in at.segmented_control if one.key == "zeroside control"]


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
    assert tray.trouble == ("The tray holds 50 pictures, and 10 of 60 were left out: take others off first.",)
    unit_patches._put(tray, [photos[3], photos[59]])
    assert len(tray.photos) == 50
    assert tray.trouble == ("The tray holds 50 pictures, and “59” was left out: take others off first.",)
    unit_patches._put(tray, [photos[3]])  # it is there already
    assert tray.trouble == ()
    unit_patches._remove(tray, list(tray.photos)[:5])
    assert len(tray.photos) == 45
    assert tray.trouble == ()


class Upload:
    """A file as the browser hands it over."""

    def __init__(self, name: str, data: bytes):
        self.name, self._data = name, data

    def getvalue(self) -> bytes:
        return self._data


def uploaded(monkeypatch: pytest.MonkeyPatch, tray: unit_patches._Tray, *uploads: Upload) -> None:
    monkeypatch.setattr(unit_patches.st, "session_state", {"files": list(uploads)})
    unit_patches._take_uploads(tray, "files")


def jpeg_of(shade: int) -> bytes:
    pixels = np.full((40, 60, 3), shade, np.uint8)
    return jpeg(pixels)


def test_a_broken_file_among_good_ones_names_itself_and_the_good_ones_stay(monkeypatch: pytest.MonkeyPatch):
    tray = unit_patches._Tray()
    good = jpeg_of(90)
    uploaded(
        monkeypatch,
        tray,
        Upload("one.jpg", good),
        Upload("cut.jpg", jpeg_of(140)[:-60]),
        Upload("words.png", b"no picture at all"),
        Upload("two.jpg", jpeg_of(200)),
        Upload("one again.jpg", good),
    )
    assert [photo.name for photo in tray.photos.values()] == ["one.jpg", "two.jpg"]
    assert [sentence.partition("”")[0] for sentence in tray.trouble] == ["“cut.jpg", "“words.png"]


def test_many_broken_files_are_counted_and_the_fifty_first_picture_is_named(monkeypatch: pytest.MonkeyPatch):
    tray = unit_patches._Tray()
    uploaded(monkeypatch, tray, *(Upload(f"{n}.png", b"words") for n in range(9)))
    assert len(tray.trouble) == 5
    assert tray.trouble[3].startswith("“3.png” is ")
    assert tray.trouble[4] == "5 more of these 9 files cannot be read as pictures."
    uploaded(monkeypatch, tray, *(Upload(f"{n}.jpg", jpeg_of(5 * n)) for n in range(50)))
    assert (len(tray.photos), tray.trouble) == (50, ())
    uploaded(monkeypatch, tray, Upload("bad.gif", b"words"), Upload("late.jpg", jpeg_of(252)))
    assert len(tray.photos) == 50
    assert tray.trouble[0].startswith("“bad.gif” is ")
    assert tray.trouble[1] == (
        "The tray holds 50 pictures, and “late.jpg” was left out: take others off first."
    )


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


# --------------------------------------------------------------------------- attention's heads

ATTENTION = "block.self_attention@heads"


def key_of_tokens(class_token: bool) -> str:
    """A network whose tokens of 16 × 16 pixels look at each other once, with random weights."""
    first = [part("class_token")] if class_token else []
    parts = (
        part("conv", out_channels=24, kernel_size=16, stride=16),
        part("tokens"),
        *first,
        part("positions"),
        part("encoder_block", heads=3, name="block"),
        part("token_pool"),
        part("linear", out_features=4),
    )
    return f"random~{write_key(of_parts(NetworkSpec('tokens', (3, 64, 64), parts)))}"


ENLARGED = """\
net = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.ConvTranspose2d(4, 6, 2, 2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
x = torch.randn(1, 3, 64, 64)
net(x)
"""


def searched(at: AppTest, words: str) -> AppTest:
    for _ in range(20):
        if words in told(at):
            return at
        at.run()
    raise AssertionError(told(at))


def frames(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[Any]]:
    """What is drawn of pictures as patches, and as pairs, from now on."""
    single: list[Any] = []
    pairs: list[Any] = []
    patch, pair = cache.patch, cache.patch_pair
    monkeypatch.setattr(cache, "patch", lambda fed, shown: single.append((fed, shown)) or patch(fed, shown))
    monkeypatch.setattr(
        cache, "patch_pair", lambda fed, *shown: pairs.append((fed, *shown)) or pair(fed, *shown)
    )
    return single, pairs


def test_a_heads_strongest_places_are_the_patches_of_their_tokens(monkeypatch: pytest.MonkeyPatch):
    single, pairs = frames(monkeypatch)
    at = visit(
        "features",
        model=key_of_tokens(True),
        module=ATTENTION,
        map="1",
        inside="patches",
        deeper="home",
    )
    searched(at, "Strongest in 10 pictures**: the tokens’ own pixels")
    assert not at.error
    assert not at.warning
    assert "every query is the class token, which stands for no pixels" in told(at)
    assert single
    assert not pairs
    boxes = [shown.read for _, shown in single]
    assert all(shown.ground == shown.read for _, shown in single)
    for (top, bottom), (left, right) in boxes:
        assert (top % 16, bottom - top, left % 16, right - left) == (0, 15, 0, 15)
    spots = strongest(next(iter(at.session_state["tray of pictures"].found.values())), 1, 18)
    assert {(16 * spot.cell[0], 16 * spot.cell[1]) for spot in spots} == {
        (top, left) for (top, _), (left, _) in boxes
    }


def test_without_a_class_token_a_place_is_a_pair_and_both_are_shown(monkeypatch: pytest.MonkeyPatch):
    single, pairs = frames(monkeypatch)
    at = visit(
        "features",
        model=key_of_tokens(False),
        module=ATTENTION,
        map="2",
        inside="patches",
        deeper="home",
    )
    searched(at, "Strongest in 10 pictures**: the tokens’ own pixels")
    assert not at.error
    assert "a pair of a query and a key: on the right is the key" in told(at)
    assert not single
    spots = strongest(next(iter(at.session_state["tray of pictures"].found.values())), 2, 18)
    shown = {
        (*(axis[0] for axis in left.read), *(axis[0] for axis in right.read)) for _, left, right in pairs
    }
    assert shown == {
        (16 * spot.query[0][0], 16 * spot.query[0][1], 16 * spot.cell[0], 16 * spot.cell[1])
        for spot in spots
        if spot.query
    }


@pytest.mark.parametrize("class_token", [True, False])
def test_what_a_pinned_token_looks_at_is_shown_by_every_head(class_token: bool):
    at = visit(
        "features",
        model=key_of_tokens(class_token),
        module=ATTENTION,
        map="1",
        place="2-3",
        inside="products",
        deeper="home",
    )
    assert not at.error
    assert not at.warning
    assert "**What the token at row 2, column 3 looks at**. In the map above" in told(at)
    looks = "it is the class token that looks" if class_token else "it is the mean of all tokens that looks"
    assert looks in told(at)
    shown = component(at, "tiles", "What the token looks at")
    assert [tile["label"].split(":")[0] for tile in shown["tiles"]] == ["Head 0", "Head 1", "Head 2"]
    assert shown["selected"] == "1"
    assert all(tile["image"].startswith("data:image/jpeg") for tile in shown["tiles"])
    assert len({tile["image"] for tile in shown["tiles"]}) == 3
    assert all(tile["detail"].endswith("to the class token") == class_token for tile in shown["tiles"])


@pytest.mark.parametrize(("unit", "side"), [("0", 23), ("127", 31)])
def test_patches_of_maps_side_by_side_are_those_of_their_own_branch(
    unit: str, side: int, monkeypatch: pytest.MonkeyPatch
):
    """A pool on a Fire module, whose first maps come from 1 × 1 filters: 3 × 3 (2 apart), pool, fire, fire, pool."""
    single, _ = frames(monkeypatch)
    model = "random~model~squeezenet1_1.IMAGENET1K_V1"
    at = visit("features", model=model, module="features.5", map=unit, inside="patches", deeper="home")
    searched(at, "Strongest in 10 pictures")
    spots = strongest(next(iter(at.session_state["tray of pictures"].found.values())), int(unit), 18)
    inner = [
        shown.read
        for spot, (_, shown) in zip(spots, single, strict=True)
        if all(3 <= at <= 23 for at in spot.cell)
    ]
    assert inner
    assert {(bottom - top + 1, right - left + 1) for (top, bottom), (left, right) in inner} == {(side, side)}


def test_a_layer_whose_cells_see_nobody_knows_what_shows_the_part_at_their_place(
    monkeypatch: pytest.MonkeyPatch,
):
    single, _ = frames(monkeypatch)
    at = visit("features", model=key_of(ENLARGED), module="2", map="1", inside="patches", deeper="home")
    searched(at, "Strongest in 10 pictures**: the part at the cell’s place, for no rule tells what it sees")
    assert not at.error
    assert {tuple(last - first for first, last in shown.read) for _, shown in single} == {(1, 1)}


# --------------------------------------------------------------------------- at the picture's edges


def test_tiles_of_one_layer_have_one_scale_and_show_all_that_their_cells_see(monkeypatch: pytest.MonkeyPatch):
    single, _ = frames(monkeypatch)
    at = visit("features", module="blocks.3.0", map="5", inside="patches", deeper="home")
    searched(at, "Strongest in 10 pictures")
    shown = component(at, "tiles", "Strongest places")
    assert shown["whole"], "else squares are cut out of them"
    assert {tuple(last - first + 1 for first, last in one.ground) for _, one in single} == {(83, 83)}
    cut = [one for _, one in single if one.read != one.ground]
    assert cut
    assert "Hatched is padding" in told(at)
    table = profile(load_network(DEFAULT_MODEL), (3, 224, 224))
    field = seen(table, cache.probe(DEFAULT_MODEL).layer("blocks.3.0"))
    assert isinstance(field, ReceptiveField)
    spots = strongest(next(iter(at.session_state["tray of pictures"].found.values())), 5, 18)
    for spot, (fed, one), tile in zip(spots, single, shown["tiles"], strict=True):
        assert one.ground == field.region(spot.cell)
        assert one.read == field.clipped(spot.cell, (224, 224))
        image = Image.open(io.BytesIO(base64.b64decode(tile["image"].partition(",")[2])))
        assert image.size == (83, 83)
        drawn = np.asarray(image.convert("RGBA")).astype(int)
        (top, bottom), (left, right) = one.read
        (above, _), (before, _) = one.ground
        photograph = fed.image()[top : bottom + 1, left : right + 1]
        placed = drawn[top - above : bottom + 1 - above, left - before : right + 1 - before]
        assert np.abs(placed[..., :3] - photograph).mean() < 4  # where nothing is hatched a JPEG
        assert (placed[..., 3] == 255).all()
        assert (drawn[..., 3] == 255).sum() == photograph.shape[0] * photograph.shape[1]


def test_equal_strongest_values_are_said_to_be_in_no_order():
    at = visit("features", module="features.2.conv.0.2", map="5", inside="patches", deeper="home",
               model="random~model~mobilenet_v2.IMAGENET1K_V2")  # fmt: skip
    searched(at, "Strongest in 10 pictures")
    assert not at.error
    spots = strongest(next(iter(at.session_state["tray of pictures"].found.values())), 5, 10**4)
    alike = sum(spot.value == spots[0].value for spot in spots)
    assert ("exactly equal" in told(at)) == (alike > 1)


@pytest.mark.parametrize(
    ("values", "more", "said"),
    [
        ([6.0] * 6 + [5.5, 5.0], 0, "The first 6 are exactly equal: a ceiling such as the 6 of a ReLU6, or a tie"),
        ([6.0, 6.0], 0, "All 2 are exactly equal: a ceiling"),
        ([6.0, 6.0], 1, "All 2 are exactly equal, and so is 1 more that found no room: a ceiling"),
        ([-2.0, -2.0], 1200, "and so are 1,200 more that found no room"),
        ([7.0, 6.0, 6.0], 0, "Some of the values are exactly equal"),
        ([6.0000005, 6.0], 0, ""),
        ([1.0], 0, ""),
    ],
)  # fmt: skip
def test_what_is_said_of_equal_values(values: list[float], more: int, said: str):
    found = unit_patches._equals(values, more)
    assert said in found
    assert bool(found) == bool(said)
    assert not found or "means nothing" in found


def test_six_tiles_of_six_are_a_ceiling(monkeypatch: pytest.MonkeyPatch):
    held = [Spot(sample_photo("cat").digest, 6.0, (row, 3)) for row in range(2, 8)]
    monkeypatch.setattr(unit_patches, "strongest", lambda found, unit, count: tuple(held))
    at = visit("features", module="blocks.2.1.conv_dw", map="3", inside="patches", deeper="home")
    searched(at, "Strongest in")
    assert not at.error
    assert "All 6 are exactly equal: a ceiling such as the 6 of a ReLU6" in told(at)
