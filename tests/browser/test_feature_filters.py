"""The filters behind a layer's maps, chosen by mouse and by key in Chromium."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.serving import at_rest, settled

ANSWER = 20_000
"""Milliseconds that a busy server may take."""


def shown(page: Page, address: str, query: str) -> Page:
    page.goto(f"{address}/features?deeper=filters&{query}")
    settled(page)
    expect(page.get_by_text("How the weights are spread")).to_be_visible(timeout=60_000)
    return at_rest(page)


def filter_tile(page: Page, number: int) -> Locator:
    group = page.get_by_role("radiogroup", name="Filter", exact=True)
    return group.locator(f"[data-key='{number}']")


def test_a_filter_chosen_by_mouse_and_by_key_chooses_its_map(page: Page, address: str) -> None:
    shown(page, address, "module=conv_stem&map=5")
    expect(filter_tile(page, 5)).to_have_attribute("aria-checked", "true")
    filter_tile(page, 7).click()
    expect(page).to_have_url(re.compile(r"[?&]map=7(&|$)"), timeout=ANSWER)
    expect(page.get_by_text("Filter 7", exact=True)).to_be_visible(timeout=ANSWER)
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"[?&]map=8(&|$)"), timeout=ANSWER)
    expect(filter_tile(page, 8)).to_be_focused(timeout=ANSWER)
    expect(page.get_by_text("Filter 8 makes map 8 of this very layer.")).to_be_visible(timeout=ANSWER)
    page.get_by_role("link", name="Lay this filter on the picture").click()
    expect(page.get_by_text("Learned 8")).to_be_visible(timeout=30_000)


def test_choosing_a_filter_of_the_first_layer_goes_to_its_maps(page: Page, address: str) -> None:
    shown(page, address, "module=blocks.1.1&filters=first")
    filter_tile(page, 3).click()
    expect(page).to_have_url(re.compile(r"[?&]module=conv_stem(&|$)"), timeout=ANSWER)
    expect(page).to_have_url(re.compile(r"[?&]map=3(&|$)"), timeout=ANSWER)
    expect(page.get_by_text("Filter 3", exact=True)).to_be_visible(timeout=ANSWER)


def test_a_slice_chosen_by_key_chooses_its_channel(page: Page, address: str) -> None:
    shown(page, address, "module=blocks.1.1&map=3&filters_by=channel")
    group = page.get_by_role("radiogroup", name="Input channel", exact=True)
    first, second = group.get_by_role("radio").all()[:2]
    expect(first).to_have_attribute("aria-checked", "true")
    channel = second.get_attribute("data-key")
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text(f"Each tile is the slice that reads channel {channel}:")).to_be_visible(
        timeout=ANSWER
    )
    expect(page.get_by_role("spinbutton", name="Input channel")).to_have_value(str(channel), timeout=ANSWER)


@pytest.mark.parametrize("query", ["module=conv_stem&map=11", "module=blocks.1.1&map=3"])
def test_axe_finds_nothing(page: Page, address: str, query: str) -> None:
    shown(page, address, query)
    found = Axe().run(page, context=".st-key-film")
    assert not found.response["violations"], found.generate_report()
