"""“What does each layer see?”, used by hand in Chromium."""

from __future__ import annotations

import base64
import io
import json
import re
from functools import cache
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from explorer.activations import FeatureMaps, Probe
from explorer.figures.signed import SIGNED, entries, signed_picture
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, card, load_network
from explorer.recording import Recorder
from tests.browser.serving import at_rest, settled, visiting

LONG = 30_000
"""Milliseconds that a run may take on a machine that others use too."""
RESNET = "random~model~resnet50.IMAGENET1K_V2"
# The wall scrolled to its end: [pixels of its canvas, of what can be seen of it, of all] at every stop.
SCROLL = """
async () => {
    const find = (root, what) => { for (const e of root.querySelectorAll('*')) {
        if (e.matches(what)) return e;
        const inner = e.shadowRoot && find(e.shadowRoot, what);
        if (inner) return inner; } };
    const [sheet, canvas] = ['.sheet', '.room canvas'].map((e) => find(document, e)), found = [];
    for (let top = 0; top < sheet.scrollHeight; top += 900) {
        sheet.scrollTop = top;
        for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
        const [box, own] = [sheet.getBoundingClientRect(), canvas.getBoundingClientRect()];
        if (own.top > box.top + 1 || own.bottom < Math.min(box.bottom, box.top + sheet.scrollHeight - top) - 8)
            throw new Error(`At ${top} a part of the wall is not painted.`);
        found.push([canvas.width * canvas.height, sheet.clientWidth * sheet.clientHeight * devicePixelRatio ** 2,
            sheet.clientWidth * sheet.scrollHeight * devicePixelRatio ** 2]);
    }
    return found;
}
"""
TABLE = SIGNED["activations"].table()


def open_page(page: Page, address: str, query: str = "") -> Page:
    page.goto(f"{address}/features{query}")
    painted(page)
    return settled(page)


def wall(page: Page) -> Locator:
    return page.locator(".wall")


def painted(page: Page, words: str = ".") -> None:
    expect(wall(page)).to_have_attribute("data-painted", re.compile(words), timeout=60_000)


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def layout(page: Page) -> dict[str, int]:
    return json.loads(wall(page).get_attribute("data-layout"))


def pixels(page: Page) -> np.ndarray:
    """What the wall has painted: (rows, columns, 3)."""
    address = wall(page).locator(".room canvas").evaluate("canvas => canvas.toDataURL()")
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA")
    return np.asarray(image)[..., :3]


def tile(shot: np.ndarray, told: dict[str, int], place: int, shape: tuple[int, int]) -> np.ndarray:
    """The colours in the middle of each cell of the tile at a place of the order: (h, w, 3)."""
    left = told["edge"] + (place % told["abreast"]) * (told["side"] + told["gap"])
    top = told["edge"] + (place // told["abreast"]) * told["step"] - told["top"]
    rows, columns = (np.arange(size) + 0.5 for size in shape)
    down = (top + rows * told["tall"] / shape[0]).astype(int)
    right = (left + columns * told["side"] / shape[1]).astype(int)
    return shot[down][:, right]


@cache
def probe() -> Probe:
    return Probe(Recorder(load_network(DEFAULT_MODEL)))


@cache
def maps_of(layer: str) -> FeatureMaps:
    ready = card(DEFAULT_MODEL).preprocessing
    return probe().feature_maps(ready.tensor(sample_photo("cat").pixels), layer)


@pytest.fixture
def received(page: Page) -> list[int]:
    """Sizes in bytes of the messages that the server has sent."""
    sizes: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: sizes.append(len(data)))

    page.on("websocket", listen)
    return sizes


# ------------------------------------------------------------------------------- the wall


@pytest.mark.parametrize("scope", ["map", "layer", "net"])
def test_what_is_painted_is_what_the_colour_rule_says(page: Page, address: str, scope: str):
    open_page(page, address, f"?module=blocks.3.0.conv_pw&scope={scope}&tile=large")
    maps = maps_of("blocks.3.0.conv_pw")
    shot, told = pixels(page), layout(page)
    assert told["rows"] == 28
    ready = card(DEFAULT_MODEL).preprocessing
    strongest = max(probe().strengths(ready.tensor(sample_photo("cat").pixels)).values())
    for place in range(told["first"], min(told["last"], 12)):
        values = maps.values[place]
        painted_ = tile(shot, told, place, values.shape)
        if scope == "map":
            assert np.array_equal(painted_, signed_picture(values))
            continue
        entry = entries(values, maps.peak if scope == "layer" else strongest).astype(int)
        # what travelled was rounded on the map's own scale: one entry of 255 to either side
        near = np.stack([TABLE[np.clip(entry + step, 0, 254)] for step in (-1, 0, 1)])
        assert (near == painted_).all(-1).any(0).all()
        assert (near[1] == painted_).all(-1).mean() > 0.6


def test_tiles_smaller_than_their_maps_show_the_strongest_of_each_block(page: Page, address: str):
    open_page(page, address, "?module=blocks.0.0&tile=small")
    values = maps_of("blocks.0.0").values[3]
    told = layout(page)
    block = told["block"]
    assert block > 1
    shown = tile(pixels(page), told, 3, (told["rows"], told["columns"]))
    entry = entries(values).astype(int)
    for row in range(told["rows"]):
        for column in range(told["columns"]):
            cells = entry[row * block : (row + 1) * block, column * block : (column + 1) * block]
            strongest = {tuple(TABLE[e]) for e in cells.ravel() if abs(e - 127) == np.abs(cells - 127).max()}
            assert tuple(shown[row, column]) in strongest


def test_orders_and_scales_change_in_the_browser_alone(page: Page, address: str, received: list[int]):
    open_page(page, address, "?module=blocks.2.0.bn1&tile=medium")
    at_rest(page)
    values = maps_of("blocks.2.0.bn1").values
    received.clear()
    measures = {
        "mean": values.mean((1, 2), dtype=np.float64),
        "maximum": values.max((1, 2)),
        "variance": values.var((1, 2), dtype=np.float64),
        "sparsity": (values == 0).mean((1, 2)),
    }
    for order, measure in measures.items():
        page.get_by_label("Sorted by").select_option(order)
        first = [int(n) for n in np.argsort(-measure, kind="stable")[:3]]
        shot, told = pixels(page), layout(page)
        for place, number in enumerate(first):
            if values[number].any():
                shown = tile(shot, told, place, values[number].shape)
                assert np.array_equal(shown, signed_picture(values[number])), (order, place)
    page.get_by_label("Colours span").select_option("layer")
    expect(page).to_have_url(
        re.compile("order=sparsity.*scope=layer|scope=layer.*order=sparsity"), timeout=LONG
    )
    settled(page)
    assert max(received) < 60_000 < values.size  # the maps themselves have not come again


def test_pointing_reads_a_map_and_clicking_chooses_it(page: Page, address: str):
    open_page(page, address, "?module=blocks.3.0.bn2&tile=medium")
    values = maps_of("blocks.3.0.bn2").values
    told = layout(page)
    number = 5
    left = told["edge"] + (number % told["abreast"]) * (told["side"] + told["gap"]) + 20
    top = told["edge"] + (number // told["abreast"]) * told["step"] + 20
    page.locator(".room").hover(position={"x": left, "y": top})
    output = wall(page).locator("output")
    zeros = 100 * float((values[number] == 0).mean())
    expect(output).to_contain_text(f"Map {number} of 0–239")
    expect(output).to_contain_text(f"{zeros:.1f} % zeros")
    expect(output).to_contain_text(f"{values[number].max():.3g}")
    page.locator(".room").click(position={"x": left, "y": top})
    expect(page).to_have_url(re.compile(r"map=5\b"), timeout=LONG)
    settled(page)
    expect(wall(page).locator(".option")).to_have_attribute("aria-selected", "true")
    dead = int((~values.any((1, 2))).sum())
    page.mouse.move(5, 5)
    expect(output).to_contain_text(f"{dead} of 240")


def test_the_wall_is_walked_with_keys(page: Page, address: str):
    open_page(page, address, "?module=blocks.3.0.bn2")
    sheet, option = page.get_by_role("listbox", name="240 maps of 14 × 14"), wall(page).locator(".option")
    sheet.focus()
    abreast = layout(page)["abreast"]
    for key, place in [("ArrowRight", 1), ("ArrowDown", 1 + abreast), ("ArrowLeft", abreast), ("End", 239)]:
        page.keyboard.press(key)
        expect(option).to_have_attribute("aria-posinset", str(place + 1))
    assert sheet.evaluate("sheet => sheet.scrollTop") > 0
    expect(option).to_be_in_viewport()
    page.keyboard.press("PageUp")
    place = int(option.get_attribute("aria-posinset"))
    assert place < 240
    page.keyboard.type("137")
    expect(option).to_have_attribute("aria-posinset", "138")
    page.wait_for_timeout(1300)
    page.keyboard.type("12")
    expect(option).to_have_attribute("aria-posinset", "13")
    page.keyboard.type("99")  # 129, but no 1299: the last digit begins anew
    expect(option).to_have_attribute("aria-posinset", "10")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    expect(option).to_have_attribute("aria-posinset", "1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"map=1\b"), timeout=LONG)
    expect(option).to_have_attribute("aria-selected", "true")


def test_of_two_thousand_maps_only_what_can_be_seen_is_painted(page: Page, address: str):
    open_page(page, address, f"?model={RESNET}&module=layer4.2")
    assert "2048" in page.get_by_role("listbox", name="2,048 maps of 7 × 7").locator(".option").get_attribute(
        "aria-setsize"
    )
    stops = page.evaluate(SCROLL)
    assert len(stops) > 5
    for painted_on, seen, all_of_it in stops:
        assert painted_on < 3 * seen < all_of_it


def test_numbers_without_places_are_cells_with_the_names_of_classes(page: Page, address: str):
    open_page(page, address, "?module=classifier&map=282")
    values = maps_of("classifier").values.ravel()
    sheet = page.get_by_role("listbox", name="1,000 numbers")
    expect(sheet.locator(".option")).to_have_attribute(
        "aria-label", f"Number 282 of 0–999, tiger cat: {values[282]:.3g}."
    )
    told, shot = layout(page), pixels(page)
    wanted = signed_picture(values[None])[0]
    for number in range(0, 300, 7):
        shown = tile(shot, told, number, (1, 1))[0, 0].astype(int)
        assert np.array_equal(shown, wanted[number]), number


# ------------------------------------------------------------------------------- layers along depth


def test_the_strip_its_slider_and_its_buttons_choose_the_layer(page: Page, address: str):
    open_page(page, address)
    stations = page.get_by_role("radiogroup", name="Stations along depth").get_by_role("radio")
    expect(stations).to_have_count(11)
    stations.nth(4).click()
    expect(page).to_have_url(re.compile("module=blocks.3.2"), timeout=LONG)
    expect(page.get_by_role("listbox", name="80 maps of 14 × 14")).to_be_visible()
    page.get_by_role("button", name="Next layer").click()
    expect(page).to_have_url(re.compile("module=blocks.3&|module=blocks.3$"), timeout=LONG)
    slider = page.get_by_role("slider", name="Layer, from the first to the last")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("module=blocks.4.0.conv_pw"), timeout=LONG)
    expect(slider).to_have_attribute("aria-valuetext", "blocks.4.0.conv_pw, Conv2d, 480 × 14 × 14")
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile("module=conv_stem"), timeout=LONG)
    expect(page.get_by_role("button", name="Previous layer")).to_be_disabled()
    settled(page)


def test_a_typical_map_is_painted_at_each_station(page: Page, address: str):
    open_page(page, address)
    canvas = page.locator(".strip .tile canvas").nth(3)
    address_ = canvas.evaluate("canvas => canvas.toDataURL()")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(address_.partition(",")[2]))).convert("RGB"))
    maps = maps_of("blocks.2.1").values
    mean = maps.mean(0).ravel()
    typical = int(np.argmax([np.corrcoef(plane.ravel(), mean)[0, 1] for plane in maps]))
    assert np.array_equal(shown, signed_picture(maps[typical]))
    expect(page.locator(".strip .tile").nth(3)).to_have_attribute("title", re.compile(f"map {typical},"))


def test_the_strip_begins_with_the_picture_that_is_fed(page: Page, address: str):
    open_page(page, address)

    def difference(key: str) -> float:
        drawn = page.locator(".strip figure canvas").evaluate("canvas => canvas.toDataURL()")
        shown = Image.open(io.BytesIO(base64.b64decode(drawn.partition(",")[2]))).convert("RGB")
        wanted = Image.fromarray(card(DEFAULT_MODEL).preprocessing.image(sample_photo(key).pixels))
        small = np.asarray(wanted.resize(shown.size, Image.Resampling.BILINEAR)).astype(float)
        return float(np.abs(small - np.asarray(shown)).mean())

    for key, title in (("coffee", "Coffee"), ("rocket", "Rocket"), ("cat", "Cat")):
        page.get_by_role("radiogroup", name="Picture").get_by_role("radio", name=title, exact=True).click()
        settled(page)
        page.wait_for_timeout(500)  # the picture is decoded
        others = [difference(other) for other in ("coffee", "rocket", "cat") if other != key]
        assert difference(key) < 8 < min(others), key


def test_back_goes_step_by_step_the_way_that_was_come(page: Page, address: str):
    open_page(page, address)
    addresses = [page.url]

    def step(act) -> None:
        act()
        expect(page).not_to_have_url(addresses[-1], timeout=LONG)
        settled(page)
        addresses.append(page.url)

    step(lambda: page.locator(".strip .tile").nth(4).click())
    assert query(page) == {"module": "blocks.3.2"}, "nothing that nobody chose"
    step(lambda: page.locator(".strip .tile").nth(3).click())
    page.goto(f"{address}/features?place=27-18")
    painted(page)
    settled(page)
    addresses.append(page.url)
    for _ in range(2):
        step(page.get_by_role("button", name="Open its map").click)
    assert [("place" in url) for url in addresses[-3:]] == [True] * 3
    for url in addresses[-2::-1]:
        page.go_back()
        expect(page).to_have_url(url, timeout=LONG)
        settled(page)
        pinned = parse_qs(urlsplit(url).query).get("place")
        if pinned:
            row, column = pinned[0].split("-")
            expect(page.locator(".unit").get_by_text(f"Row {row}, column {column}")).to_contain_text("pinned")


def test_any_layer_is_found_by_its_name(page: Page, address: str):
    open_page(page, address)
    page.locator(".picker .open").last.click()
    page.get_by_role("combobox", name="Search: Layer").fill("blocks.5 conv_dw")
    expect(page.locator(".picker .option")).to_have_count(4)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("module=blocks.5.0.conv_dw"), timeout=LONG)
    expect(page.get_by_role("listbox", name="672 maps of 7 × 7")).to_be_visible()


# ------------------------------------------------------------------------------- the journey


def station(page: Page) -> int:
    return int(page.locator(".journey").get_attribute("data-station"))


def test_the_journey_plays_stops_steps_and_leads_to_a_layer(page: Page, address: str):
    open_page(page, address, "?deeper=journey")
    film = page.locator(".journey")
    expect(film).to_have_attribute("data-station", "0")
    expect(film.locator(".shape")).to_have_text("3 × 224 × 224")
    film.get_by_label("Speed").select_option("4")
    film.get_by_role("button", name="Play").click()
    expect(film).to_have_attribute("data-station", "3", timeout=10_000)
    film.get_by_role("button", name="Pause").click()
    stands = film.get_attribute("data-at")
    page.wait_for_timeout(400)
    assert film.get_attribute("data-at") == stands
    before = station(page)
    film.get_by_role("button", name="One station on").click()
    assert float(film.get_attribute("data-at")) == int(float(stands)) + 1
    film.get_by_role("slider", name="Where the picture is").focus()
    page.keyboard.press("Home")
    expect(film).to_have_attribute("data-station", "0")
    page.keyboard.press("ArrowRight")
    expect(film).to_have_attribute("data-at", "1.00")
    page.keyboard.press("End")
    expect(film.locator(".answers div").first).to_contain_text("tiger cat")
    expect(film.get_by_role("button", name="One station on")).to_be_disabled()
    film.get_by_role("button", name="Play").click()  # from the beginning
    expect(film).to_have_attribute("data-station", re.compile("^[12]$"))
    film.locator(".rail button").nth(5).click()
    expect(page).to_have_url(re.compile("module=blocks.3.2"), timeout=LONG)
    settled(page)
    expect(film).to_have_attribute("data-at", "5.00")
    assert before < 11


def test_who_wants_no_motion_sees_stations_and_nothing_between(browser: Browser, address: str):
    with visiting(browser) as page:
        page.emulate_media(reduced_motion="reduce")
        open_page(page, address, "?deeper=journey")
        film = page.locator(".journey")
        for at in ("2", "2.9"):
            film.get_by_role("slider", name="Where the picture is").evaluate(
                "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }", at
            )
            address_ = film.locator(".map canvas").evaluate("canvas => canvas.toDataURL()")
            data = io.BytesIO(base64.b64decode(address_.partition(",")[2]))
            shown = {
                tuple(colour)
                for colour in np.asarray(Image.open(data).convert("RGB"))[:100, :100].reshape(-1, 3)
            }
            assert shown <= {tuple(colour) for colour in TABLE} | {(255, 255, 255), (0xD6, 0x27, 0x61)}


# ------------------------------------------------------------------------------- for everybody


@pytest.mark.parametrize(("width", "dark"), [(1440, True), (800, False), (390, False)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    browser: Browser, address: str, width: int, dark: bool
):
    with visiting(browser, width=width, dark=dark) as page:
        open_page(page, address, "?deeper=journey&map=3")
        at_rest(page)
        found = Axe().run(page).response["violations"]
        # Streamlit's own list of pages in the menu of a narrow window is no list of ours
        ours = [
            rule
            for rule in found
            if rule["impact"] in ("serious", "critical")
            and not all("SidebarNav" in node["html"] or "<li" in node["html"] for node in rule["nodes"])
        ]
        assert not ours, [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in ours]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_random_weights_are_told_where_the_maps_are(page: Page, address: str):
    open_page(page, address, f"?model={RESNET}&module=relu")
    expect(page.get_by_text("The weights are random: what you see")).to_be_visible()
