"""What the page on a layer paints before its run has answered: the same that the run then sends, and nothing else."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from explorer.layer_text import read_layer
from tests.browser.serving import serving, settled, visiting
from tests.browser.test_layer_page import (
    dial,
    dial_keys,
    follows,
    go,
    headline,
    layer,
    listening,
    open_page,
    query,
    toggle,
    words_of,
)

APP = """
import streamlit as st

from explorer.ui import ahead, server

settings = server.settings()
if not ahead.served:
    settings["routes"] = [*settings["routes"], ahead.route()]
app = st.App(server.SHELL, **settings)
"""

# What goes to Streamlit waits while `held` is a list: what the page then paints, no run has made.
HOLD = """
globalThis.WebSocket = class extends WebSocket {
  send(message) {
    if (globalThis.held) globalThis.held.push(() => super.send(message));
    else super.send(message);
  }
};
"""
RELEASE = "() => { const waiting = held; held = null; waiting.forEach((send) => send()); }"

# Of each view: what it was last drawn from, and what the last run sent it; what is the page's own is left out.
DRAWN = """() => Object.fromEntries([...document._ahead.views].filter(([, view]) => view.element.isConnected)
  .map(([name]) => [name, drawn[name]]))"""
SENT = """() => Object.fromEntries([...document._ahead.views].filter(([, view]) => view.element.isConnected)
  .map(([name, view]) => [name, view.data]))"""
WATCH = """() => {
  const { views } = document._ahead, { set } = views;
  globalThis.drawn = Object.fromEntries([...views].map(([name, view]) => [name, view.data]));
  views.set = (name, view) => {
    const { draw } = view;
    view.draw = (data) => draw((drawn[name] = data));
    return set.call(views, name, view);
  };
  for (const [name, view] of views) views.set(name, view);
}"""
OWN = ("told", "own", "tables")


@pytest.fixture(autouse=True, scope="module")
def patience() -> Iterator[None]:
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = tmp_path_factory.mktemp("app") / "app.py"
    app.write_text(APP, encoding="utf-8")
    with serving([sys.executable, "-m", "streamlit", "run", str(app), "--server.port={port}"]) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with visiting(browser) as page, listening(page):
        page.add_init_script(HOLD)
        yield page


def watched(page: Page, address: str, text: str, **more: str) -> Page:
    open_page(page, address, layer=text, **more)
    page.evaluate("document._ahead.views.get('player 0')?.element._player.play(false)")
    page.evaluate(WATCH)
    return page


def hold(page: Page) -> None:
    page.evaluate("() => { globalThis.held = []; }")


def contents(page: Page, script: str) -> dict[str, Any]:
    """Views and what they show, without what is the page's own."""
    return {
        name: {key: value for key, value in data.items() if key not in OWN}
        for name, data in page.evaluate(script).items()
    }


def painted(page: Page) -> str:
    """The layer that is painted ahead of the run."""
    page.wait_for_function("() => document._ahead.painted && !document._ahead.asking")
    return str(page.evaluate("document._ahead.painted.told.layer"))


def agreed(page: Page) -> dict[str, Any]:
    """Once the run has come to what is painted: what the views show, which is what it sent."""
    page.wait_for_function("() => !document._ahead.painted && !document._ahead.changes.length")
    settled(page)
    shown, sent = contents(page, DRAWN), contents(page, SENT)
    assert shown == sent
    return sent


def moves(page: Page) -> list[tuple[str, Any]]:
    """Every control of the layer on the page, each with another value."""
    found: list[tuple[str, Any]] = []
    for key in dial_keys(page):
        if key == "batch":
            continue
        slider = dial(page, key)
        low, high, step = (int(slider.get_attribute(name) or 0) for name in ("min", "max", "step"))
        now = int(slider.input_value())
        found.append((key, now + step if now < high else now - step))
        assert low <= found[-1][1]
    for label in ("Padding is", "Padded with", "Groups", "Layer"):
        box = (
            page.get_by_test_id("stSelectbox")
            .filter(has=page.get_by_text(label, exact=True))
            .locator("input")
        )
        if not box.count():
            continue
        now = box.input_value()
        box.click()
        offered = page.get_by_role("listbox").get_by_role("option").all_inner_texts()
        page.keyboard.press("Escape")
        found += [(label, words) for words in offered if words != now][: 3 if label == "Layer" else 1]
    for words in ("A bias for each channel", "Round up", "Zeros of the padding count"):
        found += [(words, None)] if toggle(page, words).count() else []
    found += [("axes", count) for count in (1, 2, 3)]
    if page.get_by_text("The convolution that does the same").count():
        found.append(("seen", "The convolution that does the same"))
    return found


def do(page: Page, what: str, value: Any) -> None:
    """What a hand does; nothing is waited for."""
    if what in ("Padding is", "Padded with", "Groups", "Layer"):
        box = (
            page.get_by_test_id("stSelectbox").filter(has=page.get_by_text(what, exact=True)).locator("input")
        )
        box.scroll_into_view_if_needed()
        page.wait_for_timeout(100)
        box.fill(value)
        expect(page.get_by_role("listbox").get_by_role("option", name=value, exact=True)).to_be_visible()
        box.press("Enter")
    elif what == "axes":
        page.get_by_role("radio", name=f"{value}-D").click()
    elif what == "seen":
        page.get_by_role("radio", name=value).click()
    elif value is None:
        toggle(page, what).locator("label").click()
    else:
        dial(page, what).fill(str(value))


@pytest.mark.parametrize(
    "text",
    [
        "conv~3x16x16~o4~k3~s2~p1",
        "conv~2x9x12~o2~k3x2~p1~mreflect",
        "grouped~4x9~o4~k3~g2",
        "transposed~2x4x4~o2~k3~s3~p1~q1",
        "separable~3x8x8~o4~k3",
        "max_pool~2x3x6x6~k2",
        "average_pool~2x9x9~k3~s2~p1",
        "adaptive_pool~2x9x9~t4",
    ],
)
def test_what_is_painted_ahead_is_what_the_run_then_sends(page: Page, address: str, text: str):
    watched(page, address, text)
    todo, done = moves(page), 0
    for what, value in todo:
        if page.evaluate("document._ahead.told.layer") != text:
            go(page, layer=text)
            expect(headline(page)).to_have_text(words_of(*read_layer(text)))
            page.wait_for_function(f"document._ahead.told.layer === {json.dumps(text)}")
            settled(page)
            page.wait_for_timeout(50)
        if what == "axes" and read_layer(text)[0].dimensions == value:
            continue
        before = page.evaluate("document._ahead.base.layer + document._ahead.base.seen")
        hold(page)
        do(page, what, value)
        ahead = painted(page)
        assert page.evaluate("document._ahead.base.layer + document._ahead.base.seen") != before, what
        # no run has been asked yet, and the answer is torch's
        assert headline(page).inner_text() == words_of(*read_layer(ahead)), what
        shown = contents(page, DRAWN)
        page.evaluate(RELEASE)
        sent = agreed(page)
        assert (layer(page) == read_layer(ahead)) or what == "seen"
        assert {name: shown[name] for name in sent if name in shown} == {
            name: sent[name] for name in sent if name in shown
        }
        done += 1
    assert done >= 5
    follows(page)


def test_a_typed_line_is_painted_at_the_enter(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    field = page.get_by_label("Or type a layer")
    field.fill("nn.MaxPool2d(2)")
    page.wait_for_function("[...document._ahead.ready.values()].some(({ answer }) => answer)")
    hold(page)
    # in the very event: what comes after the key finds it drawn
    now = field.evaluate(
        """(field) => {
          field.focus();
          const enter = { key: 'Enter', code: 'Enter', keyCode: 13, bubbles: true };
          field.dispatchEvent(new KeyboardEvent('keydown', enter));
          return document._ahead.views.get('outcome').element.querySelector('h2').textContent;
        }"""
    )
    assert re.sub(r"\s+", " ", now).strip() == "3 × 32 × 32 → 3 × 16 × 16"
    page.evaluate(RELEASE)
    agreed(page)
    assert follows(page)[0].kind == "max_pool"


def test_a_line_that_is_refused_paints_nothing(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    field = page.get_by_label("Or type a layer")
    field.fill("nn.Conv2d(3, 10, 99)")
    field.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    assert page.evaluate("document._ahead.painted") is None
    assert headline(page).inner_text() == "3 × 32 × 32 → 10 × 32 × 32"


def test_five_quick_changes_end_where_they_lead_and_never_step_back(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k3")
    page.evaluate(
        """() => {
          const head = document._ahead.views.get('outcome').element.querySelector('.after');
          globalThis.seen = [head.textContent];
          new MutationObserver(() => seen.at(-1) !== head.textContent && seen.push(head.textContent))
            .observe(head, { childList: true, characterData: true, subtree: true });
        }"""
    )
    slider = dial(page, "kernel_size")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    toggle(page, "A bias for each channel").locator("label").click()
    page.wait_for_function("() => document._ahead.base.layer === 'conv~3x32x32~o10~k8~b0'")
    agreed(page)
    spec, _ = follows(page)
    assert (spec.kernel_size, spec.bias) == ((8, 8), False)
    sizes = [int(words.split(" × ")[1]) for words in page.evaluate("seen")]
    assert sizes[0] == 30
    assert sizes[-1] == 25
    assert sizes == sorted(sizes, reverse=True), "an older answer was shown again"


def test_an_older_answer_is_not_drawn_over_what_is_painted(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    hold(page)
    dial(page, "kernel_size").fill("7")
    assert painted(page) == "conv~3x32x32~o10~k7~p2"
    page.wait_for_function("() => held.length")
    page.evaluate("() => { globalThis.first = held; held = []; }")
    dial(page, "kernel_size").fill("9")
    page.wait_for_function("() => document._ahead.painted?.told.layer === 'conv~3x32x32~o10~k9~p2'")
    # the run for 7 answers when the hand is at 9 already
    page.evaluate("() => first.forEach((send) => send())")
    page.wait_for_function("() => document._ahead.told.layer === 'conv~3x32x32~o10~k7~p2'")
    assert headline(page).inner_text() == "3 × 32 × 32 → 10 × 28 × 28"
    page.evaluate(RELEASE)
    agreed(page)
    assert follows(page)[0].kernel_size == (9, 9)


def test_the_hand_keeps_its_control(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k3")
    dial(page, "padding").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        painted_or_agreed = "() => !document._ahead.asking && !document._ahead.changes.length"
        page.wait_for_function(painted_or_agreed)
    agreed(page)
    assert follows(page)[0].padding == (3, 3)
    key = page.evaluate(
        """() => { let at = document.activeElement; while (at?.shadowRoot) at = at.shadowRoot.activeElement;
                   return at?.closest('.dial')?.dataset.key; }"""
    )
    assert key == "padding"


def test_back_takes_the_way_back_whatever_is_painted(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    dial(page, "kernel_size").fill("7")
    agreed(page)
    assert follows(page)[0].kernel_size == (7, 7)
    hold(page)
    dial(page, "kernel_size").fill("9")
    assert painted(page) == "conv~3x32x32~o10~k9~p2"
    page.evaluate("() => { held = null; }")  # the hand's word is lost
    page.go_back()
    page.wait_for_function("() => document._ahead.told.layer === 'conv~3x32x32~o10~k5~p2'")
    agreed(page)
    assert follows(page)[0].kernel_size == (5, 5)


def test_what_comes_too_late_for_its_layer_is_not_painted(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    late: list[Route] = []
    page.route("**/api/layer*", lambda route: late.append(route))
    dial(page, "kernel_size").fill("7")
    page.wait_for_function("() => document._ahead.told.layer === 'conv~3x32x32~o10~k7~p2'")
    go(page, layer="max_pool~3x8x8~k2")
    expect(headline(page)).to_have_text("3 × 8 × 8 → 3 × 7 × 7")
    assert late
    for route in late:
        route.continue_()
    page.unroute("**/api/layer*")
    page.wait_for_function("() => !document._ahead.asking")
    page.wait_for_timeout(300)
    assert page.evaluate("document._ahead.painted") is None
    assert headline(page).inner_text() == "3 × 8 × 8 → 3 × 7 × 7"
    agreed(page)


def test_what_was_asked_before_back_is_not_painted_after_it(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    late: list[Route] = []
    page.route("**/api/layer*", lambda route: late.append(route))
    hold(page)
    toggle(page, "A bias for each channel").locator("label").click()
    page.wait_for_function("() => document._ahead.asking")
    page.evaluate("() => dispatchEvent(new PopStateEvent('popstate', { state: {} }))")
    for route in late:
        route.continue_()
    page.unroute("**/api/layer*")
    page.wait_for_function("() => !document._ahead.asking")
    assert page.evaluate("document._ahead.painted") is None
    assert "bias" not in contents(page, DRAWN)["outcome"]["code"]


def lie(page: Page, address: str) -> None:
    """From now on the server tells of another layer than was asked for."""
    other = page.request.get(f"{address}/api/layer?layer=max_pool~3x8x8~k2").text()
    page.route("**/api/layer*", lambda route: route.fulfill(body=other, content_type="application/json"))


def test_where_the_run_says_otherwise_the_run_is_believed(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    lie(page, address)
    hold(page)
    dial(page, "kernel_size").fill("7")
    assert painted(page) == "max_pool~3x8x8~k2"
    assert headline(page).inner_text() == "3 × 8 × 8 → 3 × 7 × 7"
    page.evaluate(RELEASE)
    expect(headline(page)).to_have_text("3 × 32 × 32 → 10 × 30 × 30")
    agreed(page)
    follows(page)


def test_what_no_run_comes_to_does_not_stay(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    hold(page)
    toggle(page, "A bias for each channel").locator("label").click()
    assert painted(page) == "conv~3x32x32~o10~k5~p2~b0"
    page.wait_for_function("() => !document._ahead.painted")
    assert "bias" not in contents(page, DRAWN)["outcome"]["code"]
    assert contents(page, DRAWN) == contents(page, SENT)


def test_where_nothing_answers_ahead_the_page_follows_all_the_same(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    page.route("**/api/layer*", lambda route: route.fulfill(status=404))
    before = page.url
    dial(page, "kernel_size").fill("7")
    assert follows(page, before)[0].kernel_size == (7, 7)
    asked: list[str] = []
    page.on("request", lambda request: "/api/layer" in request.url and asked.append(request.url))
    before = page.url
    dial(page, "kernel_size").fill("9")
    assert follows(page, before)[0].kernel_size == (9, 9)
    agreed(page)
    assert not asked, "it was told no"


def test_own_numbers_stay_through_what_is_painted_ahead(page: Page, address: str):
    own = "p" + "_".join(["1"] * 3 * 4 * 4)
    watched(page, address, "conv~3x4x4~o2~k3", numbers=own)
    hold(page)
    dial(page, "out_channels").fill("3")
    painted(page)
    values = "() => [...document._ahead.views.get('player 0').element._player.worked.own.picture.values]"
    assert page.evaluate(values) == [1] * 48
    page.evaluate(RELEASE)
    agreed(page)
    assert page.evaluate(values) == [1] * 48
    assert query(page)["numbers"] == own


def test_the_undo_of_a_change_is_painted_too(page: Page, address: str):
    watched(page, address, "conv~3x16x16~o4~k3~s2~p1")
    do(page, "Layer", "Max pooling")
    agreed(page)
    follows(page)
    hold(page)
    page.get_by_role("button", name="Undo").click()
    assert painted(page) == "conv~3x16x16~o4~k3~s2~p1"
    page.evaluate(RELEASE)
    agreed(page)
    assert follows(page)[0].kind == "conv"


def test_a_hand_on_its_way_finds_the_answer_there(page: Page, address: str):
    watched(page, address, "conv~3x32x32~o10~k5~p2")
    dial(page, "kernel_size").hover()
    page.wait_for_function("[...document._ahead.ready.values()].filter(({ answer }) => answer).length >= 2")
    asked: list[str] = []
    page.on("request", lambda request: "/api/layer" in request.url and asked.append(request.url))
    hold(page)
    shown = dial(page, "kernel_size").evaluate(
        """(slider) => {
          slider.value = 6;
          slider.dispatchEvent(new Event('input'));
          return document._ahead.views.get('outcome').element.querySelector('.after').textContent;
        }"""
    )
    assert shown == "10 × 31 × 31"
    page.evaluate(RELEASE)
    agreed(page)
    assert all("kernel_size%22%2C6" not in url for url in asked)
