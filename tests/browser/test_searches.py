"""A search for a picture in a real browser: started, watched, cancelled; and nothing that axe complains of."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
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
