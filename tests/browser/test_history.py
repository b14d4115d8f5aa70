"""Back and Forward between pages, used by hand in Chromium: one step for each step of the hand."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.serving import at_rest, settled, visiting

LONG = 60_000
BUILD, SEE, LOOK = "Build a net", "What does each layer see?", "Where does it look?"


def to_room(page: Page, section: str, title: str) -> None:
    page.get_by_test_id("stTopNavSection").filter(has_text=section).click()
    page.get_by_role("menuitem", name=title).click()


def stands(page: Page, title: str, address: str) -> None:
    """Wait until this page is there, whole, at an address."""
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible(timeout=LONG)
    expect(page).to_have_url(re.compile(address), timeout=LONG)
    at_rest(page)


def steps(page: Page) -> int:
    count: int = page.evaluate("history.length")
    return count


def test_a_page_that_takes_over_what_was_chosen_elsewhere_is_one_step(page: Page, address: str):
    page.goto(f"{address}/networks?further=on")
    settled(page)
    to_room(page, "Networks", SEE)
    expect(page.locator(".wall")).to_have_attribute("data-painted", re.compile("."), timeout=LONG)
    settled(page)
    page.get_by_role("radio", name="Coffee").click()
    expect(page).to_have_url(re.compile("/features.*picture=coffee"), timeout=LONG)
    settled(page)

    before = steps(page)
    to_room(page, "Saliency", LOOK)
    stands(page, LOOK, "/saliency.*picture=coffee")
    assert steps(page) - before == 1
    to_room(page, "Networks", BUILD)
    stands(page, BUILD, "/networks.*further=on")
    page.get_by_role("link", name=re.compile("random weights", re.IGNORECASE)).first.click()
    stands(page, SEE, "/features.*picture=coffee.*model=random")
    assert steps(page) - before == 3

    page.go_back()
    stands(page, BUILD, "/networks.*further=on")
    page.go_back()
    # the network, too, is the one that was chosen last
    stands(page, LOOK, "/saliency.*picture=coffee&model=random")
    assert steps(page) - before == 3
    expect(page.get_by_role("radio", name="Coffee")).to_be_checked()
    page.go_forward()
    stands(page, BUILD, "/networks")
    page.go_forward()
    stands(page, SEE, "/features.*picture=coffee")
    expect(page.get_by_role("radio", name="Coffee")).to_be_checked()
    expect(page.locator(".picker .title").first).to_contain_text("ResNet-18")


def test_quick_steps_back_and_forward_lose_none(page: Page, address: str):
    page.goto(f"{address}/networks")
    stands(page, BUILD, "/networks")
    to_room(page, "Networks", SEE)
    stands(page, SEE, "/features")
    to_room(page, "Saliency", LOOK)
    stands(page, LOOK, "/saliency")
    count = steps(page)
    for _ in range(2):
        page.evaluate("history.go(-1)")
        page.evaluate("history.go(-1)")
        page.wait_for_timeout(150)
        page.evaluate("history.go(1)")
        page.wait_for_timeout(60)
        page.evaluate("history.go(1)")
    stands(page, LOOK, "/saliency")
    assert steps(page) == count
    page.go_back()
    stands(page, SEE, "/features")


def test_a_choice_of_the_hand_is_a_step_of_its_own(page: Page, address: str):
    page.goto(f"{address}/features")
    settled(page)
    before = steps(page)
    page.get_by_role("radio", name="Coffee").click()
    expect(page).to_have_url(re.compile("picture=coffee"), timeout=LONG)
    settled(page)
    page.get_by_role("radio", name="Bricks").click()
    expect(page).to_have_url(re.compile("picture=bricks"), timeout=LONG)
    settled(page)
    assert steps(page) - before == 2
    page.go_back()
    expect(page.get_by_role("radio", name="Coffee")).to_be_checked(timeout=LONG)


def test_a_phones_menu_shuts_behind_a_choice(browser: Browser, address: str):
    with visiting(browser, width=420) as page:
        page.goto(f"{address}/kernels")
        settled(page)
        page.get_by_test_id("stExpandSidebarButton").click()
        menu = page.get_by_test_id("stSidebar")
        expect(menu).to_have_attribute("data-collapsed", "false")
        page.get_by_test_id("stSidebarNavLink").filter(has_text="What shape comes out?").click()
        expect(page).to_have_url(re.compile("/arithmetic"), timeout=LONG)
        expect(menu).to_have_attribute("data-collapsed", "true")


def test_doors_take_picture_network_and_layer_along(page: Page, address: str):
    page.goto(f"{address}/saliency?picture=coffee&stage=blocks.2.1")
    stands(page, LOOK, "picture=coffee")
    page.get_by_role("link", name="The maps of this layer").click()
    stands(page, SEE, "/features.*module=blocks.2.1")
    expect(page).to_have_url(re.compile("picture=coffee"))
    expect(page.locator(".wall")).to_have_attribute("data-painted", re.compile("."), timeout=LONG)
    expect(page.locator(".picker .title").nth(1)).to_have_text("blocks.2.1")
    page.get_by_role("link", name="The parts of the picture that spoke for an answer").click()
    stands(page, LOOK, "/saliency.*picture=coffee")
    expect(page.get_by_role("radio", name="Coffee")).to_be_checked()
