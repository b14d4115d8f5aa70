"""The list of parts on the page that builds a net, used by hand in Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from explorer.networks.classics import CLASSICS
from explorer.networks.editing import move
from explorer.networks.parts import PARTS
from explorer.networks.spec import NetworkSpec, Part, part
from explorer.networks.storing import from_link, to_link
from explorer.ui.components import FOLDER
from tests.browser.serving import at_rest, settled, visiting

EMPTY = NetworkSpec("Net", (3, 32, 32))
SMALL = NetworkSpec(
    "Net", (3, 32, 32), (part("conv", padding=1), part("relu"), part("max_pool"), part("flatten"))
)
GROUPED = NetworkSpec(
    "Net",
    (3, 32, 32),
    (part("conv", padding=1), part("sequence", part("relu"), part("dropout")), part("max_pool")),
)


def visit(page: Page, address: str, spec: NetworkSpec | None = SMALL) -> Page:
    net = f"&net=parts~{to_link(spec)}" if spec else ""
    page.goto(f"{address}/networks?origin=build{net}")
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_visible(timeout=60_000)
    return settled(page)


def rows(page: Page) -> Locator:
    return page.locator(".builder .rows > .row")


def row(page: Page, words: str) -> Locator:
    """The row whose kind, name and settings have these words."""
    return rows(page).filter(has_text=words).first


def shown(page: Page) -> list[str]:
    """Titles of the rows on the screen, those inside of others with a dot for each level."""
    return page.locator(".builder .rows").evaluate(
        """rows => [...rows.children].map((row) => "·".repeat(row.getAttribute("aria-level") - 1)
            + (row.querySelector(".kind")?.firstChild.textContent ?? "empty"))"""
    )


def held(page: Page) -> NetworkSpec:
    """The network that the page's link holds: what Python has heard."""
    source = parse_qs(urlparse(page.url).query).get("net", ["classic~resnet18"])[0]
    origin, _, text = source.partition("~")
    found = from_link(text) if origin == "parts" else CLASSICS[text].spec
    assert found
    return found


def holds(
    page: Page, wanted: NetworkSpec | Callable[[NetworkSpec], bool], seconds: float = 15
) -> NetworkSpec:
    """Wait until Python holds this network, or one that is so."""
    end = time.monotonic() + seconds
    while True:
        now = held(page)
        if now == wanted or (callable(wanted) and wanted(now)):
            return now
        assert time.monotonic() < end, now
        page.wait_for_timeout(50)


def calm(page: Page) -> NetworkSpec:
    """What Python holds once nothing has changed for a while."""
    while True:
        before = held(settled(page))
        page.wait_for_timeout(1500)
        if held(settled(page)) == before:
            return before


def parts(page: Page, *wanted: Part) -> None:
    holds(page, lambda spec: spec.parts == wanted)


def kinds(spec: NetworkSpec) -> list[str]:
    return [each.kind for each in spec.parts]


def titles(*keys: str) -> list[str]:
    return [PARTS[key].title for key in keys]


def choose(page: Page, words: str) -> None:
    row(page, words).locator(".says").click()


def add(page: Page, words: str) -> None:
    page.keyboard.press("Insert")
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def focused(page: Page) -> str:
    return page.evaluate(
        """() => {
            let node = document.activeElement;
            while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
            return node.getAttribute("aria-label") ?? node.id;
        }"""
    )


# ------------------------------------------------------------------------------- quick work


def test_ten_edits_in_quick_succession_are_all_there(page: Page, address: str):
    visit(page, address, EMPTY)
    page.get_by_role("button", name="Add", exact=True).focus()
    wanted = [
        "conv",
        "batch_norm",
        "relu",
        "conv",
        "relu",
        "max_pool",
        "dropout2d",
        "conv",
        "flatten",
        "linear",
    ]
    for key in wanted:
        add(page, PARTS[key].title)
    assert shown(page) == titles(*wanted)  # on the screen at once
    holds(page, lambda spec: kinds(spec) == wanted)
    settled(page)
    assert shown(page) == titles(*wanted)
    expect(rows(page).last).to_contain_text("10")


def test_edits_of_every_kind_in_quick_succession_are_done_in_order(page: Page, address: str):
    visit(page, address)
    choose(page, "Convolution")
    press = page.keyboard.press
    press("Control+d")  # conv conv relu pool flatten
    press("ArrowDown")
    press("Delete")  # conv conv pool flatten
    press("Alt+ArrowUp")  # conv pool conv flatten
    press("Control+d")  # conv pool pool conv flatten
    press("Control+g")  # conv pool (pool) conv flatten
    press("Alt+ArrowDown")  # conv pool conv (pool) flatten
    press("Control+d")  # conv pool conv (pool) (pool) flatten
    press("Home")
    press("Delete")  # pool conv (pool) (pool) flatten
    add(page, "GELU")  # pool gelu conv …
    press("Alt+ArrowDown")  # pool conv gelu …
    pool = part("max_pool")
    group = part("sequence", pool)
    parts(page, pool, part("conv", padding=1), part("gelu"), group, group, part("flatten"))
    settled(page)
    assert shown(page) == [
        *titles("max_pool", "conv", "gelu"),
        "Group",
        "·Max pooling",
        "Group",
        "·Max pooling",
        "Flatten",
    ]


def test_undo_in_the_middle_of_quick_work_loses_nothing(page: Page, address: str):
    visit(page, address)
    choose(page, "ReLU")
    press = page.keyboard.press
    press("Control+d")
    press("Control+d")
    press("Control+z")
    press("Delete")  # waits until the list is known again
    add(page, "Tanh")
    press("Control+z")
    press("Control+z")
    press("Control+Shift+z")
    calm(page)
    assert shown(page) == titles("conv", "relu", "max_pool", "flatten")
    for _ in range(5):
        press("Control+z")
    press("Control+y")
    calm(page)
    assert shown(page) == titles("conv", "relu", "relu", "max_pool", "flatten")


def test_a_quick_hand_on_a_slow_line_meets_no_error(page: Page, address: str):
    held: list[tuple[WebSocketRoute, str | bytes]] = []
    slow = False

    def relay(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda data: held.append((socket, data)) if slow else socket.send(data))
        socket.on_message(server.send)

    page.route_web_socket("**/_stcore/stream", relay)
    visit(page, address)
    choose(page, "ReLU")
    before = calm(page)
    slow = True
    for key in "ddddzzzz":  # the last answers name messages that the first ones would let the browser forget
        page.keyboard.press(f"Control+{key}")
        page.wait_for_timeout(700)
    page.wait_for_timeout(1500)
    slow = False
    assert len(held) > 100
    for socket, data in held:
        socket.send(data)
    assert calm(page) == before
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-connection-state", "CONNECTED")


def test_an_edit_is_on_the_screen_before_python_has_heard(page: Page, address: str):
    visit(page, address, CLASSICS["resnet152"].spec)
    choose(page, "Convolution")
    before, now = rows(page).first.evaluate(
        """(first) => {
            const key = { key: "d", ctrlKey: true, bubbles: true, composed: true };
            const rows = first.parentElement, before = rows.children.length;
            for (let turn = 0; turn < 5; turn++)
                rows.querySelector('[tabindex="0"]').dispatchEvent(new KeyboardEvent("keydown", key));
            return [before, rows.children.length]; // in the same turn of the browser's loop: nothing has been sent
        }"""
    )
    assert now == before + 5
    holds(page, lambda spec: kinds(spec)[:6] == ["conv"] * 6)


# ------------------------------------------------------------------------------- keys


def test_keys_walk_open_and_shut(page: Page, address: str):
    visit(page, address, GROUPED)
    choose(page, "Convolution")
    page.keyboard.press("ArrowDown")
    assert focused(page).startswith("Group, sequence1, 2 parts, 64 × 32 × 32")
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("ReLU")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == titles("conv", "sequence", "max_pool")
    expect(row(page, "Group")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("End")
    assert focused(page).startswith("Max pooling, max_pool1")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert focused(page) == "part-0-out_channels"
    page.keyboard.press("Escape")
    assert focused(page).startswith("Convolution")


def test_keys_move_a_part_into_a_group_through_it_and_out(page: Page, address: str):
    visit(page, address, GROUPED)
    choose(page, "Convolution")
    seen = []
    for _ in range(5):
        page.keyboard.press("Alt+ArrowDown")
        seen.append(shown(page).index("Convolution") if "Convolution" in shown(page) else "inside")
    assert seen == ["inside", "inside", "inside", 3, 4]
    conv = part("conv", padding=1)
    parts(page, GROUPED.parts[1], part("max_pool"), conv)
    for _ in range(3):
        page.keyboard.press("Alt+ArrowUp")
    parts(page, part("sequence", part("relu"), conv, part("dropout")), part("max_pool"))


def test_several_are_chosen_grouped_and_repeated(page: Page, address: str):
    visit(page, address)
    choose(page, "Convolution")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator('.builder .row[aria-selected="true"]')).to_have_count(3)
    page.get_by_role("button", name="Repeat × 2").click()
    expect(page.get_by_label("Times", exact=True)).to_have_value("2")
    parts(page, Part("sequence", {"times": 2}, inside=SMALL.parts[:3]), part("flatten"))
    settled(page)
    expect(row(page, "Group")).to_contain_text("64 × 8 × 8")
    page.get_by_role("button", name="Take apart").click()
    parts(page, *SMALL.parts[:3] * 2, part("flatten"))
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    holds(page, SMALL)


def test_branches_are_made_of_a_part(page: Page, address: str):
    visit(page, address)
    choose(page, "ReLU")
    page.get_by_role("button", name="Branches", exact=True).click()
    choose(page, "ReLU")
    add(page, "Sigmoid")
    parts(page, SMALL.parts[0], part("branches", part("relu"), part("sigmoid")), *SMALL.parts[2:])


def test_an_empty_group_takes_its_first_part(page: Page, address: str):
    visit(page, address)
    choose(page, "Flatten")
    add(page, "Group")
    assert shown(page)[-2:] == ["Group", "·empty"]
    add(page, "Linear")
    holds(page, lambda spec: spec.parts[4:] == (part("sequence", part("linear")),))
    page.keyboard.press("Delete")
    expect(rows(page).last).to_contain_text("empty: passes on what arrives")


# ------------------------------------------------------------------------------- the menu


def test_the_menu_says_what_usually_comes_next_and_is_searched(page: Page, address: str):
    visit(page, address)
    choose(page, "Max pooling")
    page.get_by_role("button", name="Add", exact=True).click()
    menu = page.get_by_role("listbox", name="Kinds of parts")
    expect(menu.get_by_role("group").first).to_have_attribute("aria-label", "Often comes next")
    expect(menu.get_by_role("option").first).to_contain_text("Convolution")
    assert menu.get_by_role("option").count() == len(PARTS) + 4
    query = page.get_by_role("combobox", name="Search the kinds of parts")
    query.fill("squeeze")
    expect(menu.get_by_role("option").first).to_contain_text("Squeeze and excite")
    query.fill("no such part")
    expect(page.get_by_text("No kind matches “no such part”.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Add", exact=True).click()
    menu.get_by_role("option").first.click()
    # twice as many channels behind a pooling
    parts(page, *SMALL.parts[:3], part("conv", padding=1, out_channels=128), part("flatten"))


# ------------------------------------------------------------------------------- settings


def test_settings_are_set_and_the_shapes_follow(page: Page, address: str):
    visit(page, address)
    choose(page, "Convolution")
    page.get_by_label("Output channels", exact=True).fill("96")
    page.get_by_label("Kernel", exact=True).fill("3x5")
    page.get_by_label("Stride", exact=True).press("ArrowUp")
    page.get_by_label("Bias").uncheck()
    page.get_by_label("Padding with").select_option("reflect")
    wanted = part(
        "conv", out_channels=96, kernel_size=(3, 5), stride=2, padding=1, bias=False, padding_mode="reflect"
    )
    parts(page, wanted, *SMALL.parts[1:])
    settled(page)
    # (32 + 2 − 3)/2 + 1 rows, (32 + 2 − 5)/2 + 1 columns, rounded down
    expect(row(page, "Convolution").locator(".shape")).to_have_text("96 × 16 × 15")
    expect(row(page, "Convolution")).to_contain_text("3 × 5, 96, stride 2")
    page.get_by_role("button", name="valid").click()
    holds(page, lambda spec: spec.parts[0]["padding"] == "valid")


def test_a_turned_number_is_one_step_back(page: Page, address: str):
    visit(page, address)
    choose(page, "Convolution")
    field = page.get_by_label("Kernel", exact=True)
    for _ in range(4):
        field.press("ArrowUp")
    expect(field).to_have_value("7")
    holds(page, lambda spec: spec.parts[0]["kernel_size"] == 7)
    row(page, "Convolution").press("Control+z")
    holds(page, SMALL)
    settled(page)
    expect(field).to_have_value("3")


def test_what_is_typed_wrong_gets_one_sentence_and_stays_to_be_mended(page: Page, address: str):
    visit(page, address)
    choose(page, "Convolution")
    field = page.get_by_label("Kernel", exact=True)
    field.fill("0")
    field.press("Enter")
    why = page.get_by_text("`kernel_size` is 0: a whole number from 1 to 1,024, or two of them is meant.")
    expect(why).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("0")
    field.fill("three")
    field.press("Tab")
    expect(page.get_by_text("`kernel_size` is 'three'")).to_be_visible()
    assert held(page) == SMALL
    field.fill("5")
    holds(page, lambda spec: spec.parts[0]["kernel_size"] == 5)
    expect(page.locator(".builder .why")).to_have_count(0)


def test_names_of_parts_the_net_and_its_input(page: Page, address: str):
    visit(page, address)
    choose(page, "Convolution")
    name = page.get_by_label("Name in code")
    name.fill("class")
    name.press("Enter")
    expect(
        page.get_by_text("“class” cannot name a layer: Python and torch use the word themselves.")
    ).to_be_visible()
    name.fill("stem")
    name.press("Enter")
    expect(row(page, "Convolution")).to_contain_text("stem")
    title = page.get_by_label("Name", exact=True)
    title.fill("My first")
    title.press("Enter")
    page.get_by_label("Input rows").fill("64")
    page.get_by_label("Input columns").fill("48")
    wanted = (part("conv", name="stem", padding=1), *SMALL.parts[1:])
    holds(page, NetworkSpec("My first", (3, 64, 48), wanted))
    settled(page)
    expect(row(page, "Max pooling").locator(".shape")).to_have_text("64 × 32 × 24")
    page.get_by_label("Input rows").fill("0")
    page.get_by_label("Input rows").press("Enter")
    expect(page.get_by_text("The input has 0 rows: a whole number from 1 to 4,096 is meant.")).to_be_visible()


def test_groups_that_divide_the_channels_are_offered(page: Page, address: str):
    visit(page, address, replace(SMALL, input_shape=(12, 32, 32), parts=(part("conv", out_channels=8),)))
    choose(page, "Convolution")
    chips = (
        page.locator(".builder .field")
        .filter(has=page.get_by_label("Groups", exact=True))
        .locator(".words button")
    )
    expect(chips).to_have_text(["1", "2", "4"])
    chips.last.click()
    holds(page, lambda spec: spec.parts[0]["groups"] == 4)


# ------------------------------------------------------------------------------- trouble, blocks, beginnings


def test_a_part_that_fails_says_why_and_is_repaired(page: Page, address: str):
    visit(page, address, replace(SMALL, parts=(part("conv"), part("linear"), part("relu"))))
    failed = page.locator(".builder .row.failed")
    expect(failed).to_contain_text(
        "Linear “linear1” cannot follow: it reads a row of numbers, but a map of 64 × 30 × 30"
    )
    expect(row(page, "ReLU")).to_contain_text("not reached")
    failed.get_by_role("button", name="Add a flatten before it").press("Enter")
    parts(page, part("conv"), part("flatten"), part("linear"), part("relu"))
    settled(page)
    expect(failed).to_have_count(0)
    expect(row(page, "ReLU").locator(".shape")).to_have_text("10")


def test_a_block_shows_its_layers_and_is_opened_up(page: Page, address: str):
    visit(
        page, address, replace(SMALL, input_shape=(64, 16, 16), parts=(part("residual_basic"), part("relu")))
    )
    choose(page, "Residual, basic")
    page.keyboard.press("ArrowRight")
    assert shown(page)[1:4] == ["·Branches", "··Group", "···Convolution"]
    choose(page, "Convolution")
    page.keyboard.press("Delete")  # it is the block's
    expect(page.get_by_text("it follows from the block's settings")).to_be_visible()
    assert len(shown(page)) == 11
    page.get_by_role("button", name="Open up").click()
    holds(page, lambda spec: spec.parts[0].kind == "sequence" and kinds(spec)[1:] == ["relu"])
    settled(page)
    choose(page, "Batch norm")
    page.keyboard.press("Delete")
    body = holds(page, lambda spec: len(spec.parts[0].inside[0].inside[0].inside) == 4)
    assert [each.kind for each in body.parts[0].inside[0].inside[0].inside] == [
        "conv",
        "relu",
        "conv",
        "batch_norm",
    ]


def test_it_begins_with_a_classic_or_with_nothing_and_goes_back(page: Page, address: str):
    visit(page, address)
    begin = page.locator(".picker").filter(has_text="Begin with")
    begin.get_by_role("button").click()
    begin.get_by_role("combobox").fill(CLASSICS["lenet5"].title)
    page.keyboard.press("Enter")
    holds(page, lambda spec: spec == CLASSICS["lenet5"].spec)
    settled(page)
    expect(row(page, "Convolution")).to_contain_text("5 × 5, 6")
    begin.get_by_role("button").click()
    begin.get_by_role("combobox").fill("empty")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No parts yet")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    holds(page, lambda spec: spec == CLASSICS["lenet5"].spec)
    page.get_by_role("button", name="Undo").click()
    holds(page, SMALL)


def test_the_browsers_back_brings_the_list_back(page: Page, address: str):
    visit(page, address)
    choose(page, "ReLU")
    page.keyboard.press("Delete")
    holds(page, lambda spec: kinds(spec) == ["conv", "max_pool", "flatten"])
    settled(page)
    page.go_back()
    expect(rows(page)).to_have_count(4)
    choose(page, "Max pooling")
    page.keyboard.press("Delete")
    holds(page, lambda spec: kinds(spec) == ["conv", "relu", "flatten"])


def test_names_are_never_markup(page: Page, address: str):
    visit(page, address, replace(SMALL, name='<img src=x onerror=alert(1)> "&'))
    expect(page.get_by_label("Name", exact=True)).to_have_value('<img src=x onerror=alert(1)> "&')
    choose(page, "Convolution")
    page.get_by_label("Kernel", exact=True).fill("<img src=x>")
    page.get_by_label("Kernel", exact=True).press("Enter")
    expect(page.get_by_text("`kernel_size` is '<img src=x>'")).to_be_visible()
    assert page.locator(".builder img").count() == 0


# ------------------------------------------------------------------------------- dragging


def centre(target: Locator) -> tuple[float, float]:
    box = target.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, what: str, onto: str, part_of_row: float, level: int = 1, drop: bool = True) -> None:
    page.locator(".builder .tools").scroll_into_view_if_needed()
    row(page, what).hover()
    page.mouse.move(*centre(row(page, what).locator(".handle")))
    page.mouse.down()
    box = row(page, onto).bounding_box()
    assert box
    page.mouse.move(box["x"] + 30 + 13 * (level - 1), box["y"] + box["height"] * part_of_row, steps=8)
    if drop:
        page.mouse.up()


def test_a_part_is_dragged_by_its_handle(page: Page, address: str):
    visit(page, address)
    drag(page, "Convolution", "Max pooling", 0.9, drop=False)
    expect(page.locator(".builder .ghost")).to_be_visible()
    expect(page.locator(".builder .drop")).to_be_visible()
    page.mouse.up()
    expect(page.locator(".builder .ghost")).to_have_count(0)
    parts(page, *SMALL.parts[1:3], SMALL.parts[0], SMALL.parts[3])
    drag(page, "Flatten", "ReLU", 0.1)
    parts(page, SMALL.parts[3], *SMALL.parts[1:3], SMALL.parts[0])


def test_a_part_is_dragged_into_a_group_and_out_of_it(page: Page, address: str):
    visit(page, address, GROUPED)
    conv, group, pool = GROUPED.parts
    drag(page, "Max pooling", "ReLU", 0.2, level=2)
    parts(page, conv, replace_inside(group, pool, *group.inside))
    settled(page)
    drag(page, "Max pooling", "Convolution", 0.2)
    parts(page, pool, conv, group)
    settled(page)
    drag(page, "Convolution", "Dropout", 0.9, level=2)
    parts(page, pool, replace_inside(group, *group.inside, conv))
    settled(page)
    drag(page, "Convolution", "Dropout", 0.9)
    parts(
        page, pool, replace_inside(group, *group.inside, conv)
    )  # behind the group is behind the part itself
    drag(page, "Group", "Max pooling", 0.2)
    parts(page, replace_inside(group, *group.inside, conv), pool)


def replace_inside(group: Part, *inside: Part) -> Part:
    return Part(group.kind, group.settings, group.name, inside)


def test_escape_gives_a_drag_up(page: Page, address: str):
    visit(page, address)
    drag(page, "Convolution", "Max pooling", 0.9, drop=False)
    page.keyboard.press("Escape")
    expect(page.locator(".builder .ghost")).to_have_count(0)
    page.mouse.up()
    settled(page)
    assert held(page) == SMALL
    assert shown(page) == titles("conv", "relu", "max_pool", "flatten")


def test_a_finger_drags_and_adds(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 390, "height": 900}, has_touch=True, is_mobile=True)
    try:
        page = context.new_page()
        visit(page, address)
        row(page, "Convolution").scroll_into_view_if_needed()
        row(page, "Convolution").locator(".says").tap()
        page.evaluate("window.scrollBy(0, 300)")
        page.wait_for_timeout(300)
        touch = context.new_cdp_session(page)
        x, y = centre(row(page, "Convolution").locator(".handle"))
        _, end = centre(row(page, "Max pooling"))

        def send(kind: str, *points: tuple[float, float]) -> None:
            spots = [{"x": across, "y": down} for across, down in points]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

        send("touchStart", (x, y))
        for step in range(1, 9):
            send("touchMove", (x, y + (end + 12 - y) * step / 8))
        send("touchEnd")
        parts(page, *SMALL.parts[1:3], SMALL.parts[0], SMALL.parts[3])
        settled(page)
        page.wait_for_timeout(500)
        offered = page.get_by_role("option").filter(has_text="ReLU").first
        for _ in range(2):  # where the page still moves on after the drag, a tap may only bring it to rest
            page.get_by_role("button", name="Add", exact=True).tap()
            page.wait_for_timeout(1500)
            if offered.is_visible():
                break
        offered.tap()
        holds(page, lambda spec: len(spec.parts) == 5)
    finally:
        context.close()


def test_a_tap_at_once_after_a_drag_opens_the_menu_and_a_second_one_shuts_it(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 390, "height": 900}, has_touch=True, is_mobile=True)
    try:
        page = context.new_page()
        visit(page, address)
        row(page, "Convolution").scroll_into_view_if_needed()
        add = page.get_by_role("button", name="Add", exact=True)
        touch = context.new_cdp_session(page)

        def send(kind: str, *points: tuple[float, float]) -> None:
            spots = [{"x": across, "y": down} for across, down in points]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

        x, y = centre(row(page, "Convolution").locator(".handle"))
        _, end = centre(row(page, "Max pooling"))
        send("touchStart", (x, y))
        for step in range(1, 5):
            send("touchMove", (x, y + (end + 12 - y) * step / 4))
        send("touchEnd")
        send("touchStart", centre(add))  # the page may have moved on with the part
        send("touchEnd")
        menu = page.locator(".builder .menu")
        expect(menu).to_be_visible()
        page.wait_for_timeout(1500)  # Python's answer comes meanwhile
        expect(menu).to_be_visible()
        add.tap()
        page.wait_for_timeout(800)
        expect(menu).to_be_hidden()
    finally:
        context.close()


# ------------------------------------------------------------------------------- for everybody


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800, 360])
def test_axe_finds_nothing_and_nothing_overflows(browser: Browser, address: str, dark: bool, width: int):
    failing = replace(GROUPED, parts=(*GROUPED.parts, part("residual_basic"), part("linear"), part("relu")))
    with visiting(browser, width=width, dark=dark) as page:
        visit(page, address, failing)
        choose(page, "Residual, basic")
        page.keyboard.press("ArrowRight")
        choose(page, "Convolution")
        page.get_by_label("Kernel", exact=True).fill("0")
        page.get_by_label("Kernel", exact=True).press("Enter")
        expect(page.locator(".builder .why")).to_be_visible()
        at_rest(page)
        check(page)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("listbox", name="Kinds of parts")).to_be_visible()
        area = page.locator(".builder .menu").bounding_box()
        assert area
        assert area["x"] >= 0
        assert area["x"] + area["width"] <= width
        assert area["y"] + area["height"] <= 1000
        check(page)
        page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        inner = page.locator(".builder").evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert inner[0] <= inner[1]


def check(page: Page) -> None:
    violations = Axe().run(page).response["violations"]
    # a phone's navigation is Streamlit's own, and the builder has no <li>
    found = [(rule["id"], rule["nodes"]) for rule in violations if rule["id"] not in ("list", "listitem")]
    assert not found, found


# ------------------------------------------------------------------------------- the arithmetic in the browser


def run(page: Page, expression: str) -> Any:
    script = "\n".join((FOLDER / name).read_text("utf-8") for name in ("_shared.js", "parts_list.js"))
    page.goto("about:blank")
    return page.evaluate(
        f"""async (script) => {{
            const m = await import(URL.createObjectURL(new Blob([script], {{ type: "text/javascript" }})));
            return {expression};
        }}""",
        script,
    )


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("whole", " 64 ", 64),
        ("whole", "1,024", 1024),
        ("whole", "1,02", "1,02"),
        ("whole", "3 x 5", "3 x 5"),
        ("whole", "-1", -1),
        ("whole", "1e3", "1e3"),
        ("pair", "7", 7),
        ("pair", "3x5", [3, 5]),
        ("pair", "3 × 5", [3, 5]),
        ("pair", "3, 5", [3, 5]),
        ("pair", "3 5", [3, 5]),
        ("pair", "same", "same"),
        ("pair", "3 ×", "3 ×"),
        ("number", "1e-5", 1e-5),
        ("number", "−0.5", -0.5),
        ("number", "", ""),
        ("number", "Infinity", "Infinity"),
    ],
)
def test_what_is_typed_is_read(page: Page, kind: str, typed: str, value: object):
    assert run(page, f"m.valueOf({kind!r}, {typed!r})") == value


def test_a_moved_part_stands_where_python_puts_it(page: Page):
    """Every part of a tree in front of every other: by the browser's path `editing.move` puts it there."""
    inner = part("sequence", part("tanh", name="d"), name="c")
    group = part("sequence", part("gelu", name="b"), inner, part("elu", name="e"), name="a")
    spec = NetworkSpec("Net", (3, 8, 8), (part("conv", name="first"), group, part("flatten", name="last")))
    places = dict(spec.walk())
    asked = [(path, place) for path in places for place in places if place[: len(path)] != path]
    texts = [[list(path), list(place)] for path, place in asked]
    answers = run(page, f"{texts}.map(([path, place]) => m.afterwards(path, 1, place))")
    assert len(answers) > 30
    for (path, place), to in zip(asked, answers, strict=True):
        names = [each.name for _, each in move(spec, path, tuple(to)).walk()]
        behind = names.index(places[path].name) + len(
            list(NetworkSpec("n", (1, 1, 1), (places[path],)).walk())
        )
        assert names[behind] == places[place].name


def test_every_button_has_a_name_and_its_keys_are_told():
    html = (FOLDER / "parts_list.html").read_text("utf-8")
    for button in re.findall(r"<button.*?</button>", html):
        assert "title=" in button
