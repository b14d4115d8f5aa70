"""A search for a picture in a real browser: started, watched, cancelled; and nothing that axe complains of."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.serving import at_rest, settled


def test_a_search_shows_its_picture_while_it_goes_on_and_stops_at_cancel(page: Page, address: str) -> None:
    page.goto(f"{address}/features?deeper=visualise&exciteside=128&excitesteps=1024")
    at_rest(page)
    page.get_by_role("button", name="Search", exact=True).click()
    picture = page.locator(".found img").first
    expect(picture).to_be_visible(timeout=30_000)
    first = picture.get_attribute("src")
    expect(picture).not_to_have_attribute("src", str(first), timeout=30_000)  # it moves
    assert str(first).startswith("data:image/")
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Go on")).to_be_visible(timeout=30_000)
    settled(page)
    expect(page.get_by_text("Cancelled after")).to_be_visible()
    still = page.locator(".found img").first.get_attribute("src")
    page.wait_for_timeout(1500)
    assert page.locator(".found img").first.get_attribute("src") == still
    at_rest(page)
    found = Axe().run(page, context=".found").response["violations"]
    assert not found


@pytest.mark.parametrize(
    ("query", "button", "kinds"),
    [
        ("deeper=visualise&exciteside=128&excitesteps=64", "Search", ["png", "py"]),
        ("deeper=inversion&invert=this&invertside=128&invertsteps=64", "Reconstruct", ["png", "py"]),
    ],
)
def test_what_was_found_goes_home(
    page: Page, address: str, query: str, button: str, kinds: list[str]
) -> None:
    page.goto(f"{address}/features?{query}")
    at_rest(page)
    page.get_by_role("button", name=button, exact=True).click()
    buttons = page.get_by_test_id("stDownloadButton").get_by_role("button")
    expect(buttons).to_have_count(len(kinds), timeout=90_000)
    settled(page)
    for one, kind in zip(buttons.all(), kinds, strict=True):
        with page.expect_download(timeout=30_000) as waiting:
            one.click()
        assert waiting.value.suggested_filename.endswith(f".{kind}")
        content = Path(waiting.value.path()).read_bytes()
        if kind == "py":
            compile(content, "found.py", "exec")
        else:
            image = Image.open(io.BytesIO(content))
            assert min(image.size) >= 128
            assert image.info["Seed"] == "0"


def test_a_unit_that_nothing_moves_is_told(page: Page, address: str) -> None:
    page.goto(f"{address}/features?module=bn1&map=11&deeper=visualise&exciteside=128&excitesteps=64")
    at_rest(page)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("No picture on the way moved it from 0")).to_be_visible(timeout=60_000)
