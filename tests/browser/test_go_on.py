"""From one's own code to where it looks, used by hand in Chromium."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.serving import at_rest, settled, visiting

CODE = """\
nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 7),
)
"""


def door(page: Page, number: int, words: str) -> None:
    """Go through the door with these words, of those in the panel."""
    link = page.get_by_role("link", name=words).nth(number)
    link.focus()
    page.keyboard.press("Enter")


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        (rule["id"], [node["html"][:160] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


def test_own_code_is_read_and_goes_on_to_where_it_looks(page: Page, address: str, browser: Browser):
    page.goto(f"{address}/networks?origin=code&further=on")
    settled(page)
    page.get_by_role("textbox", name="PyTorch code").fill(CODE)
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_role("heading", name="Sequential")).to_be_visible()
    at_rest(page)
    assert not serious(page)
    door(page, 0, "Where it looks, random weights")
    page.wait_for_url(re.compile("/saliency"))
    expect(page.locator(".view")).to_have_attribute("data-painted", re.compile("^output [0-6]"))
    at_rest(page)
    assert not serious(page)
    expect(page.get_by_text("nobody has trained this network")).to_be_visible()
    expect(page.get_by_text("28 × 28 pixels of grey")).to_be_visible()
    expect(page.get_by_placeholder("Search all 7 classes")).to_be_visible()
    expect(page.locator(".picker .title").first).to_have_text("Sequential")
    model = parse_qs(urlsplit(page.url).query)["model"][0]
    assert model.startswith("random~code~")
    title = page.locator(".view").get_attribute("data-painted")

    # the link opens the same elsewhere
    with visiting(browser) as other:
        other.goto(page.url)
        expect(other.locator(".view")).to_have_attribute("data-painted", str(title))
        settled(other)

    # another network, and back to one's own through the picker
    page.locator(".picker .open").click()
    page.get_by_role("combobox", name="Search: Network").fill("EfficientNet-Lite0")
    page.keyboard.press("Enter")
    expect(page.locator(".view")).to_have_attribute("data-painted", re.compile("tiger cat|tabby"))
    settled(page)
    page.locator(".picker .open").click()
    page.get_by_role("combobox", name="Search: Network").fill("random sequential")
    page.keyboard.press("Enter")
    expect(page.locator(".view")).to_have_attribute("data-painted", str(title))


def test_one_s_own_net_shows_its_fields(page: Page, address: str):
    page.goto(f"{address}/networks?net=classic~lenet5&further=on")
    settled(page)
    door(page, 0, "Receptive fields")
    page.wait_for_url(re.compile("/arithmetic"))
    settled(page)
    expect(page.get_by_text("16×16 pixels")).to_be_visible()  # of s4
    assert parse_qs(urlsplit(page.url).query)["stack"] == ["net~classic~lenet5"]
