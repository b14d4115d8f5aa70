"""Units switched off, and maps side by side, used by hand in Chromium."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.serving import at_rest, settled, visiting

LAYER = "blocks.4.2"
ANSWER = 20_000
"""Milliseconds that a busy server may take."""


def shown(page: Page, address: str, query: str) -> Locator:
    page.goto(f"{address}/features?module={LAYER}&{query}")
    film = page.locator(".st-key-film")
    expect(film.locator(".lines button, .pair").first).to_be_visible(timeout=60_000)
    settled(page)
    return film


def chosen(page: Page, name: str, value: str | None) -> None:
    """Wait until the address says so of a choice, or nothing."""
    page.wait_for_function(
        "([name, value]) => new URLSearchParams(location.search).get(name) === value",
        arg=[name, value],
        timeout=ANSWER,
    )


def query(page: Page, name: str) -> str:
    return parse_qs(urlsplit(page.url).query)[name][0]


def test_units_are_switched_by_mouse_and_by_key_and_the_answers_move(page: Page, address: str) -> None:
    film = shown(page, address, "deeper=up&map=5")
    lines = film.locator(".effects .unit .line")
    answers = film.locator(".pairs .lines button")
    expect(answers.first).to_have_attribute("aria-label", re.compile(r"^tiger cat: \d+\.\d %$"))
    before = answers.first.get_attribute("aria-label")
    first, second = (lines.nth(n).locator(".name").inner_text() for n in (0, 1))

    switch = lines.nth(0).get_by_role("switch", name=f"Unit {first}")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    chosen(page, "off", first)
    # the strongest supporter is gone: the class loses, and says by how much
    expect(answers.first).to_have_attribute("aria-label", re.compile(r"→"), timeout=ANSWER)
    expect(answers.first.locator(".difference")).to_have_text(re.compile("^−"))

    switch.focus()
    page.keyboard.press("ArrowDown")
    expect(lines.nth(1).get_by_role("switch")).to_be_focused()
    page.keyboard.press("Space")
    chosen(page, "off", "-".join(sorted((first, second), key=int)))
    expect(lines.nth(1).get_by_role("switch")).to_have_attribute("aria-checked", "false")

    film.get_by_role("button", name="Restore all").click()
    chosen(page, "off", None)
    expect(answers.first).to_have_attribute("aria-label", str(before), timeout=ANSWER)
    expect(lines.nth(0).get_by_role("switch")).to_have_attribute("aria-checked", "true")


def test_units_and_classes_are_chosen_by_mouse_and_by_key(page: Page, address: str) -> None:
    film = shown(page, address, "deeper=up&map=5")
    lines = film.locator(".effects .unit .line")
    unit = lines.nth(1).locator(".name").inner_text()
    lines.nth(0).locator(".pick").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen(page, "map", unit)
    expect(film.get_by_text(f"What unit {unit} gives each class")).to_be_visible(timeout=ANSWER)

    answers = film.locator(".pairs .lines button")
    name = answers.nth(1).locator(".name").inner_text()
    answers.nth(1).click()
    expect(film.get_by_text(f"The units that {name} rests on")).to_be_visible(timeout=ANSWER)
    assert query(page, "upclass").isdecimal()


def test_pairs_are_chosen_and_turned_by_key(page: Page, address: str) -> None:
    film = shown(page, address, "deeper=compare&sidepicture=coffee&sideorder=number")
    pairs = film.locator(".pair")
    expect(pairs).to_have_count(24)
    expect(pairs.first).to_have_attribute("aria-checked", "true")
    pairs.first.focus()
    page.keyboard.press("ArrowRight")
    chosen(page, "map", "1")
    expect(film.get_by_text("Unit 1 gives")).to_be_visible(timeout=ANSWER)
    page.keyboard.press("PageDown")
    chosen(page, "sidepage", "1")
    expect(film.locator(".pager [role=status]")).to_have_text("25–48 of 112", timeout=ANSWER)
    assert pairs.first.locator("img").first.evaluate("image => image.naturalWidth") == 14


def test_another_network_is_chosen_from_the_list(page: Page, address: str) -> None:
    page.goto(f"{address}/features?module={LAYER}&deeper=compare&sidewith=network")
    film = page.locator(".st-key-film")
    film.get_by_role("button", name="The other network").click(timeout=60_000)
    film.get_by_role("combobox", name="Search: The other network").fill("squeezenet 1.1")
    page.keyboard.press("Enter")
    chosen(page, "sidemodel", "squeezenet1_1.IMAGENET1K_V1")
    expect(film.locator(".pair").first).to_be_visible(timeout=60_000)
    expect(film.locator(".heads")).to_contain_text("SqueezeNet 1.1")
    expect(film.get_by_role("table")).to_contain_text("features.12")


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (800, True)])
@pytest.mark.parametrize("panel", ["deeper=up&off=top4", "deeper=compare&sidewith=random"])
def test_axe_finds_nothing(browser: Browser, address: str, panel: str, width: int, dark: bool) -> None:
    with visiting(browser, width=width, dark=dark) as page:
        shown(page, address, panel)
        at_rest(page)
        found = Axe().run(page, context=".st-key-film").response["violations"]
        told = [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]
        assert not told
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
