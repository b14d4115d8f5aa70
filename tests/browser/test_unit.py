"""One map, used by hand in Chromium: its numbers are torch's, its frames the gradient's, its products add up."""

from __future__ import annotations

import base64
import io
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.figures.signed import signed_picture
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, card
from tests.browser.serving import at_rest, settled, visiting
from tests.zoo import embedded

LAYER, UNIT = "blocks.2.1.conv_dw", 3


@pytest.fixture(scope="module")
def given_and_made() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the layer is given, its weights, and what it makes of the cat: a plain hook on a network of our own."""
    network, kept = embedded(), []
    module = network.get_submodule(LAYER)
    module.register_forward_hook(
        lambda *call: kept.append((call[1][0].numpy().copy(), call[2].numpy().copy()))
    )
    with torch.no_grad():
        network(NetworkInput(card(DEFAULT_MODEL), sample_photo("cat")).tensor())
    return kept[0][0][0], module.weight.detach().numpy(), kept[0][1][0]


def open_page(page: Page, address: str, **query: str) -> Page:
    page.goto(
        f"{address}/features?{urlencode({'module': LAYER, 'map': str(UNIT), 'deeper': 'home', **query})}"
    )
    expect(page.locator(".unit")).to_have_attribute("data-painted", re.compile(r"\d"), timeout=60_000)
    return settled(page)


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def stage(page: Page, board: str) -> Locator:
    return page.locator(f".unit .{board} .stage")


def point(page: Page, board: str, v: float, u: float, click: bool = False) -> None:
    """The pointer at a place of a picture, (down, across) in 0..1."""
    place = stage(page, board)
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box
    position = {"x": u * box["width"], "y": v * box["height"]}
    if click:
        place.click(position=position)
    else:
        place.hover(position=position)


def test_what_is_pointed_at_is_torchs_value_and_the_frame_its_field(page: Page, address: str, given_and_made):
    _, _, made = given_and_made
    open_page(page, address)
    rows, columns = made[UNIT].shape
    picture = stage(page, "map").locator(".picture").evaluate("canvas => canvas.toDataURL()")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).convert("RGB"))
    assert np.array_equal(pixels, signed_picture(made[UNIT]))
    for row, column in ((0, 0), (9, 11), (27, 27)):
        point(page, "map", (row + 0.5) / rows, (column + 0.5) / columns)
        expect(page.locator(".unit .value")).to_contain_text(f"Row {row}, column {column}:")
        unit = page.locator(".unit")
        assert float(unit.get_attribute("data-value") or "") == made[UNIT][row, column]
        shown = page.locator(".unit .value").inner_text().rpartition(": ")[2].rstrip(".").replace("−", "-")
        assert np.float32(shown) == made[UNIT][row, column]
        # size 67, jump 8, start -26: held to gradients in test_unit_facts.py
        expected = [[max(8 * at - 26, 0), min(8 * at - 26 + 66, 223)] for at in (row, column)]
        assert json.loads(unit.get_attribute("data-box") or "") == expected
    expect(page.locator(".unit .sees")).to_contain_text("33 rows below")


def test_a_place_of_the_photo_finds_the_cell_that_looks_there(page: Page, address: str):
    open_page(page, address)
    # the middle of cell (9, 11)'s field: rows 46 to 112, columns 62 to 128
    point(page, "photo", 79.5 / 224, 95.5 / 224)
    expect(page.locator(".unit .value")).to_contain_text("Row 9, column 11:")


def test_the_frame_stops_where_a_stride_leaves_the_last_row_unread(page: Page, address: str):
    """SqueezeNet's 3 × 3 windows, 2 pixels apart, read 223 of 224 rows: the gradient of its last cells ends there."""
    model = "random~model~squeezenet1_1.IMAGENET1K_V1"
    open_page(page, address, model=model, module="features.3", map="70", place="54-54")
    expect(page.locator(".unit .value")).to_contain_text("Row 54, column 54, pinned", timeout=60_000)
    assert json.loads(page.locator(".unit").get_attribute("data-box") or "") == [[212, 222], [212, 222]]
    seen = page.locator(".unit .sees")
    expect(seen).to_contain_text(
        "11 × 11 pixels; 3 rows below, 3 columns on the right of its 15 × 15 are padding"
    )
    expect(seen).to_contain_text("Unread beside its frame: row 223, column 223.")
    stage(page, "map").focus()
    page.keyboard.press("ArrowLeft")
    expect(seen).to_contain_text("Unread beside its frame: row 223.")
    page.keyboard.press("Shift+ArrowUp")
    expect(seen).not_to_contain_text("Unread")


def test_keys_move_and_pin_and_let_go(page: Page, address: str):
    open_page(page, address, place="9-11")
    stage(page, "map").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator(".unit .value")).to_contain_text("Row 20, column 12, pinned")
    page.wait_for_url(re.compile("place=20-12"))
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "place" not in url)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("place=19-12"))


def test_products_add_up_to_torchs_value_and_lead_to_the_map_below(page: Page, address: str, given_and_made):
    given, weights, made = given_and_made
    open_page(page, address)
    point(page, "map", 9.5 / 28, 11.5 / 28, click=True)
    page.wait_for_url(re.compile("place=9-11"))
    ledger = page.locator(".ledger")
    expect(page.get_by_text("Row 9, column 11. Filter 3")).to_be_visible()
    value = float(made[UNIT][9, 11])
    expect(ledger).to_have_attribute("data-torch", re.compile(re.escape(f"{value:.6f}"[:7])))
    window = given[UNIT][7:12, 9:14].astype(np.float64)
    products = window * weights[UNIT, 0]
    assert float(ledger.get_attribute("data-sum") or "") == pytest.approx(products.sum(), rel=1e-12)
    assert float(ledger.get_attribute("data-torch") or "") == value
    expect(ledger.locator(".check")).to_contain_text("✓ torch has")
    sheets = ledger.locator(".sheets")
    sheets.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    words = ledger.locator("output").inner_text().replace("−", "-")
    assert words.startswith("Row 1, column 1 of the window: ")
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", words)[2:5]]
    assert numbers == pytest.approx([window[1, 1], weights[UNIT, 0, 1, 1], products[1, 1]], rel=1e-4)
    ledger.locator(".go").click()
    page.wait_for_url(re.compile(r"module=blocks\.2\.1\.bn1\.act"))
    expect(page.locator(".unit .value")).to_contain_text("Row 9, column 11, pinned")
    assert query(page)["map"] == str(UNIT)


def test_channels_are_ranked_and_walked_with_keys(page: Page, address: str):
    open_page(page, address, module="blocks.1.1.conv_pwl", map="0", place="30-30")
    ledger = page.locator(".ledger")
    names = ledger.locator(".card .adds")
    expect(names).to_have_count(16)
    strengths = [abs(float(text.replace("−", "-"))) for text in names.all_inner_texts()]
    assert strengths == sorted(strengths, reverse=True)
    ledger.locator(".card").first.focus()
    for _ in range(16):
        page.keyboard.press("ArrowRight")
    expect(ledger.locator(".range")).to_have_text("17–32 of 144")
    expect(ledger.locator(".card[aria-checked=true]")).to_be_focused()
    expect(ledger.locator(".which")).to_have_text(
        ledger.locator(".card[aria-checked=true] .name").inner_text()
    )


def test_the_gradient_of_a_pinned_cell_lies_in_its_frame(page: Page, address: str):
    open_page(page, address, place="9-11")
    page.get_by_role("button", name="Gradient", exact=True).click()
    page.get_by_role("button", name="the pinned cell").click()
    expect(page.locator(".unit .note")).to_contain_text("All of it lies inside the frame")
    page.wait_for_url(re.compile("slope=cell"))
    painted = page.locator(".unit .veil").evaluate(
        """canvas => {
          const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const box = [1e9, -1, 1e9, -1];
          for (let at = 3; at < data.length; at += 4) {
            if (!data[at]) continue;
            const pixel = (at - 3) / 4, row = Math.floor(pixel / width / 2), column = Math.floor((pixel % width) / 2);
            box[0] = Math.min(box[0], row); box[1] = Math.max(box[1], row);
            box[2] = Math.min(box[2], column); box[3] = Math.max(box[3], column);
          }
          return box;
        }"""
    )
    assert painted[0] >= 46
    assert painted[1] <= 112
    assert painted[2] >= 62
    assert painted[3] <= 128
    assert painted[1] > painted[0]


def png_of(side: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(side).integers(0, 255, (side, side, 3)).astype(np.uint8)).save(
        file, "PNG"
    )
    return file.getvalue()


def test_a_tray_takes_pictures_and_refuses_what_is_none(page: Page, address: str):
    open_page(page, address, inside="patches")
    expect(page.get_by_text("Strongest in 10 pictures")).to_be_visible(timeout=60_000)
    page.get_by_text("The tray of pictures").click()
    expect(page.get_by_text("10 of 50 pictures")).to_be_visible()
    page.locator("[data-testid=stExpander] input[type=file]").last.set_input_files(
        [
            {"name": "noise.png", "mimeType": "image/png", "buffer": png_of(300)},
            {"name": "evil.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nnothing of the sort"},
        ]
    )
    expect(page.get_by_text("“evil.png”")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("11 of 50 pictures")).to_be_visible()
    expect(page.get_by_text("Strongest in 11 pictures")).to_be_visible(timeout=60_000)
    # the search above has come and gone: what is said stays open
    expect(page.get_by_text("“evil.png”")).to_be_visible()
    expect(page.get_by_text("11 of 50 pictures")).to_be_visible()
    spots = page.get_by_role("group", name="Strongest places").get_by_role("button")
    values = [float(text.replace("−", "-")) for text in spots.locator(".label").all_inner_texts()]
    assert len(values) == 18
    assert values == sorted(values, reverse=True)
    other = page.get_by_role("group", name="Strongest places").get_by_role("button", name="Coins").first
    place = other.get_attribute("data-key") or ""
    other.click()
    page.wait_for_url(re.compile("picture=coins"))
    expect(page.locator(".unit .value")).to_contain_text("pinned", timeout=60_000)
    assert query(page)["place"] == place.rpartition(":")[2]
    shown = page.locator(".unit .value").inner_text().rpartition(": ")[2].rstrip(".").replace("−", "-")
    assert float(shown) == pytest.approx(float(other.locator(".label").inner_text()), rel=1e-3)


@pytest.mark.parametrize(("dark", "inside"), [(False, "products"), (True, "patches")])
def test_axe_finds_nothing(browser: Browser, address: str, dark: bool, inside: str):
    with visiting(browser, dark=dark) as page:
        open_page(page, address, inside=inside, place="9-11", veil="gradient")
        at_rest(page)
        found = Axe().run(page, context=".st-key-unit-bench")
        assert found.violations_count == 0, found.generate_report()
        if inside == "products":
            found = Axe().run(page)
            ours = [
                violation["id"]
                for violation in found.response["violations"]
                for node in violation["nodes"]
                if "ledger" in json.dumps(node["target"])
            ]
            assert not ours
