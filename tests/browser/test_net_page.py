"""The page on whole networks, used by hand in Chromium: code with a wrong word, a net that stops, and narrow tables."""

from __future__ import annotations

import io
from urllib.parse import urlencode

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.figures.layer_hues import HUES
from explorer.networks.source import Source, of_parts, write_source
from explorer.networks.spec import NetworkSpec, part
from tests.browser.serving import at_rest, visiting

BROKEN = NetworkSpec("Broken", (1, 28, 28), (part("conv", out_channels=8), part("relu"), part("linear")))
MISSPELT = "net = nn.Sequential(\n    nn.Conv2D(3, 8, 3), nn.ReLU(),\n    nn.Conv2D(8, 8, 3),\n)\n"


def open_page(page: Page, address: str, source: Source, **choices: str) -> Page:
    page.goto(f"{address}/networks?{urlencode({'net': write_source(source), **choices})}")
    expect(page.locator(".layers .row").first).to_be_visible(timeout=60_000)
    return at_rest(page)


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        (rule["id"], [node["html"][:160] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


def test_a_misspelt_word_is_mended_with_one_key(page: Page, address: str):
    open_page(page, address, Source("classic", "lenet5"), origin="code")
    box = page.get_by_role("textbox", name="PyTorch code")
    box.fill(MISSPELT)
    box.press("Control+Enter")
    button = page.get_by_role("button", name="Change Conv2D to Conv2d in lines 2 and 3")
    expect(button).to_be_visible()
    assert not serious(at_rest(page))
    button.press("Enter")
    expect(page.get_by_role("heading", name="net", exact=True)).to_be_visible()
    expect(box).to_have_value(MISSPELT.replace("Conv2D", "Conv2d"))
    expect(button).to_have_count(0)


def hue(mark: Locator) -> str:
    return str(mark.evaluate("mark => getComputedStyle(mark).backgroundColor"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_built_net_that_stops_is_mended_in_its_list_and_marked_in_its_diagram(
    browser: Browser, address: str, dark: bool
):
    with visiting(browser, width=800, dark=dark) as page:
        open_page(page, address, of_parts(BROKEN))
        repairs = page.get_by_role("button", name="Add a flatten before it")
        expect(repairs).to_have_count(1)
        expect(page.locator(".builder").get_by_role("button", name="Add a flatten before it")).to_be_visible()
        expect(page.locator(".layers .failure")).to_contain_text("cannot follow")
        # a family has one colour in all three
        written = HUES["convolution"].removeprefix("#")
        red, green, blue = bytes.fromhex(written)
        assert {
            hue(page.locator(".builder .dot").first),
            hue(page.locator(".layers .body .dot").first),
            hue(page.locator(".diagram .legend i").first),
        } == {f"rgb({red}, {green}, {blue})"}
        # slabs end in a cross, the graph in a box that says why
        expect(page.locator(".canvas .stop title")).to_contain_text("cannot follow")
        page.get_by_role("button", name="Graph", exact=True).click()
        stop = page.locator('.canvas .node[aria-label*="stops here"]')
        expect(stop).to_have_count(1)
        expect(page.locator(".canvas .edge")).to_have_count(3)
        stop.press("Enter")
        assert not serious(at_rest(page))
        repairs.press("Enter")
        expect(stop).to_have_count(0)
        expect(page.locator(".layers .failure")).to_be_hidden()


def edges(table: Locator) -> tuple[float, float]:
    """How far the outermost pixels of a table's free rows differ from the page, left and right."""
    seen = np.asarray(Image.open(io.BytesIO(table.screenshot())).convert("RGB")).astype(int)
    # in the middle of a table's width nothing is shaded; most of its height holds no ink
    left, right = (np.median(seen[:, side], axis=0) for side in (1, -2))
    ground = np.median(seen[:, seen.shape[1] // 2], axis=0)
    return float(np.abs(left - ground).max()), float(np.abs(right - ground).max())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_tables_beside_each_other_fit_or_show_that_there_is_more(browser: Browser, address: str, dark: bool):
    with visiting(browser, width=800, dark=dark) as page:
        compared = {"further": "compare", "beside": "vgg16_and_mobilenet_v2"}
        open_page(page, address, Source("classic", "resnet18"), **compared)
        table = page.get_by_role("region", name="By the size of the maps")
        assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
        assert max(edges(table)) < 3
        assert not serious(page)
        page.set_viewport_size({"width": 420, "height": 900})
        at_rest(page)
        assert table.evaluate("table => table.scrollWidth > table.clientWidth")
        left, right = edges(table)
        assert left < 3
        assert right > 25
        table.evaluate("table => table.scrollTo(table.scrollWidth, 0)")
        page.wait_for_timeout(300)
        left, right = edges(table)
        assert left > 25
        assert right < 3
