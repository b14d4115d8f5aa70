"""Live sliders in a page of two dials, used by hand in Chromium."""

from __future__ import annotations

import itertools
import math
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.errors import ExplorerError
from explorer.ui.components.dials import Dial, _count, _turned
from tests.browser.serving import serving, settled, visiting

# `late` is what the page does after its dials; the words at its end come only from runs that were not cut short
SCRIPT = """
import time
import streamlit as st
from explorer.ui.components.dials import Dial, dials

held = st.session_state.setdefault("held", {"angle": 40, "sigma": 1.25})
turns = st.session_state.setdefault("turns", [])
late = float(st.query_params.get("late", 0))

def on_turn(key, value):
    held[key] = value
    turns.append((key, value))

if st.button("Start again"):
    held.update(angle=0, sigma=1)
both = not st.checkbox("One alone")
column = st.columns([220, 500])[0] if "narrow" in st.query_params else st.container()
with column:
    dials("dials", [
        Dial("angle", "Angle", 0, 180, 1, held["angle"], "°"),
        *([Dial("sigma", "Width σ of the bell", 0.1, 5, 0.1, held["sigma"])] if both else []),
    ], on_turn)
time.sleep(late)
st.title("Dials")
st.write(f"angle={held['angle']} sigma={held['sigma']} turns={len(turns)} end")
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("dials") / "dials_page.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port={port}"]
    with serving(command, wait=False) as running:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{running}/_stcore/health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield running


def open_page(page: Page, address: str, query: str = "") -> Page:
    page.goto(f"{address}/{query}")
    expect(said(page)).to_be_visible()
    return settled(page)


def said(page: Page, words: str = "angle=") -> Locator:
    """What the server holds."""
    return page.get_by_text(words)


def held(page: Page) -> dict[str, float]:
    parts = said(page).inner_text().removesuffix(" end").split()
    return {name: float(value) for name, value in (part.split("=") for part in parts)}


def angle(page: Page) -> Locator:
    return page.get_by_label("Angle", exact=True)


def exact(page: Page, label: str) -> Locator:
    return page.get_by_label(f"{label}, exact value")


def grip(page: Page, slider: Locator, value: float) -> tuple[float, float]:
    """Where on the page the slider's thumb stands at this value of 0..180; a thumb is 16 pixels wide."""
    area = slider.bounding_box()
    assert area
    return area["x"] + 8 + (area["width"] - 16) * value / 180, area["y"] + area["height"] / 2


def seize(page: Page, value: float = 40) -> None:
    page.mouse.move(*grip(page, angle(page), value))
    page.mouse.down()


def drag(page: Page, start: int, end: int, steps: int, pause: int) -> None:
    """Moves a seized thumb, with this many ms between two moves."""
    for step in range(1, steps + 1):
        page.mouse.move(*grip(page, angle(page), start + (end - start) * step / steps))
        page.wait_for_timeout(pause)


def watch(page: Page) -> None:
    """Writes down each slider value that the browser draws, and each text of the server."""
    angle(page).evaluate(
        """slider => {
            window.drawn = []; window.heard = [];
            const look = () => {
                drawn.push(slider.valueAsNumber);
                const text = document.body.innerText.match(/angle=(\\d+) .*end/)?.[1];
                if (text && text !== heard.at(-1)) heard.push(text);
                requestAnimationFrame(look);
            };
            look();
        }"""
    )


# ------------------------------------------------------------------------------- dragging


def test_the_server_follows_before_the_hand_lets_go(page: Page, address: str):
    open_page(page, address)
    seize(page)
    drag(page, 40, 90, steps=10, pause=20)
    expect(said(page, "angle=90 ")).to_be_visible()
    drag(page, 90, 130, steps=10, pause=20)
    expect(said(page, "angle=130 ")).to_be_visible()
    expect(exact(page, "Angle")).to_have_value("130")
    page.mouse.up()
    settled(page)
    assert held(page) | {"turns": 0} == {"angle": 130, "sigma": 1.25, "turns": 0}


def test_messages_keep_a_pace_and_the_last_value_arrives(page: Page, address: str):
    open_page(page, address)
    seize(page)
    started = time.monotonic()
    drag(page, 40, 180, steps=140, pause=4)
    seconds = time.monotonic() - started
    page.mouse.up()
    expect(said(page, "angle=180 ")).to_be_visible()
    settled(page)
    turns = held(page)["turns"]
    assert 4 <= turns <= seconds / 0.06 + 2


@pytest.mark.parametrize("late", [0.0, 0.25])
def test_no_older_echo_moves_the_slider_under_the_hand(page: Page, address: str, late: float):
    """A hand that only rises draws values that only rise, and a slow page still gets to its end meanwhile."""
    open_page(page, address, f"?late={late}")
    seize(page)
    watch(page)
    drag(page, 40, 170, steps=65, pause=30)
    drawn, heard = page.evaluate("[drawn, heard]")
    assert all(a <= b for a, b in itertools.pairwise(drawn))
    assert len(set(drawn)) > 30
    assert len(heard) >= 5, "answers that were drawn while the hand was dragging"
    page.mouse.up()
    expect(said(page, "angle=170 ")).to_be_visible()
    settled(page)
    assert page.evaluate("drawn.at(-1)") == 170
    assert all(a <= b for a, b in itertools.pairwise(page.evaluate("drawn")))


def test_there_and_back_again_ends_where_the_hand_ends(page: Page, address: str):
    """The last value equals one that the server showed before: only its number tells them apart."""
    open_page(page, address, "?late=0.2")
    angle(page).focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(35)
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(35)
    page.wait_for_timeout(1500)
    settled(page)
    expect(angle(page)).to_have_value("40")
    assert held(page)["angle"] == 40
    assert held(page)["turns"] > 1


# ------------------------------------------------------------------------------- keys and typing


def test_arrow_keys_turn_by_one_step(page: Page, address: str):
    open_page(page, address)
    angle(page).focus()
    page.keyboard.press("ArrowRight")
    expect(said(page, "angle=41 ")).to_be_visible()
    page.keyboard.press("End")
    expect(said(page, "angle=180 ")).to_be_visible()
    expect(angle(page)).to_have_attribute("aria-valuetext", "180 °")
    exact(page, "Angle").focus()
    page.keyboard.press("ArrowDown")
    expect(said(page, "angle=179 ")).to_be_visible()
    expect(angle(page)).to_have_value("179")


def test_a_typed_value_counts_at_once_and_is_not_rewritten_under_the_fingers(page: Page, address: str):
    open_page(page, address)
    field = exact(page, "Width σ of the bell")
    expect(field).to_have_value("1.25")  # off the steps, as the page holds it
    field.fill("")
    field.press_sequentially("0.34", delay=120)
    expect(said(page, "sigma=0.3 ")).to_be_visible()
    expect(field).to_have_value("0.34")
    field.press("Enter")
    expect(field).to_have_value("0.3")
    expect(page.get_by_label("Width σ of the bell", exact=True)).to_have_value("0.3")


@pytest.mark.parametrize(
    ("typed", "wanted"), [("999", "180"), ("-20", "0"), ("12.6", "13"), ("", "40"), ("-", "40")]
)
def test_what_is_typed_beyond_the_limits_becomes_the_limit(page: Page, address: str, typed: str, wanted: str):
    open_page(page, address)
    field = exact(page, "Angle")
    field.fill("")
    field.press_sequentially(typed)
    field.press("Tab")
    expect(field).to_have_value(wanted)
    expect(angle(page)).to_have_value(wanted)
    expect(said(page, f"angle={wanted} ")).to_be_visible()


def test_two_dials_turned_at_once_both_arrive(page: Page, address: str):
    open_page(page, address, "?late=0.3")
    angle(page).fill("100")
    page.get_by_label("Width σ of the bell", exact=True).fill("2")
    angle(page).fill("101")
    expect(said(page, "angle=101 sigma=2")).to_be_visible()
    settled(page)
    assert held(page)["sigma"] == 2


def test_the_page_can_turn_the_dials_too(page: Page, address: str):
    open_page(page, address)
    angle(page).fill("100")
    expect(said(page, "angle=100 ")).to_be_visible()
    for _ in range(2):  # the second time the value is the one that was sent last
        page.get_by_role("button", name="Start again").click()
        expect(angle(page)).to_have_value("0")
        expect(exact(page, "Width σ of the bell")).to_have_value("1")
        settled(page)
        angle(page).fill("100")
        expect(said(page, "angle=100 ")).to_be_visible()
        settled(page)


def test_dials_come_and_go(page: Page, address: str):
    open_page(page, address)
    sigma = page.get_by_label("Width σ of the bell", exact=True)
    sigma.fill("3")
    page.get_by_text("One alone").click()
    expect(sigma).to_have_count(0)
    angle(page).fill("7")
    expect(said(page, "angle=7 sigma=3")).to_be_visible()
    page.get_by_text("One alone").click()
    expect(sigma).to_have_value("3")
    sigma.fill("4")
    expect(said(page, "angle=7 sigma=4")).to_be_visible()


# ------------------------------------------------------------------------------- what the browser says


DIALS = [Dial("angle", "Angle", 0, 180, 25, 25), Dial("sigma", "σ", -0.3, 5, 0.1, 1)]


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"count": 1, "values": {"angle": 62, "sigma": 0.04}}, [("angle", 50), ("sigma", 0.0)]),
        ({"values": {"angle": 1e300}}, [("angle", 175)]),
        ({"values": {"angle": -(10**400)}}, [("angle", 0)]),
        ({"values": {"angle": -math.inf, "sigma": math.inf}}, [("angle", 0), ("sigma", 5.0)]),
        ({"values": {"angle": math.nan, "sigma": "2", "phase": 1}}, []),
        ({"values": {"angle": True, "sigma": None}}, []),
        ({"values": [1, 2]}, []),
        ("angle", []),
        (None, []),
    ],
)
def test_only_these_dials_and_their_own_values_come_through(message: object, wanted: list[tuple[str, float]]):
    assert list(_turned(DIALS, message)) == wanted


@pytest.mark.parametrize("message", [None, "7", {"count": "7"}, {"count": math.nan}, {}])
def test_a_count_that_is_none_is_zero(message: object):
    assert _count(message) == 0
    assert _count({"count": 7}) == 7


def test_browser_and_server_know_the_same_values(page: Page, address: str):
    """Every step of each dial, against exact decimal arithmetic on the server's side of the test."""
    source = (Path("explorer/ui/components/dials.js")).read_text(encoding="utf-8")
    rule = source[source.index("export function nearest") : source.index("export default")].removeprefix(
        "export "
    )
    for lowest, highest, step in [
        (0, 180, 1),
        (-0.3, 5, 0.1),
        (0.1, 5, 0.1),
        (0, 1, 0.005),
        (1, 11, 2),
        (0, 100, 30),
    ]:
        dial = Dial("key", "Label", lowest, highest, step, lowest)
        asked = [lowest - 1 + (highest - lowest + 2) * i / 997 for i in range(998)]
        found = page.evaluate(
            f"([dial, asked]) => {{ {rule}; return asked.map((v) => nearest(dial, v)) }}", [vars(dial), asked]
        )
        allowed = [
            round(lowest * 1000 + i * step * 1000) / 1000
            for i in range(int((highest - lowest) / step + 1.000001))
        ]
        assert set(found) == set(allowed)
        assert [dial.nearest(value) for value in asked] == found


@pytest.mark.parametrize(
    "limits", [(0, 10, 1, 11), (0, 10, 0, 5), (0, 10, math.nan, 5), (0, math.inf, 1, 5), (0, 10, 1, math.nan)]
)
def test_a_dial_that_cannot_be_is_refused(limits: tuple[float, float, float, float]):
    with pytest.raises(ExplorerError, match="Size is"):
        Dial("size", "Size", *limits)


# ------------------------------------------------------------------------------- for everybody


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800, 260])
def test_axe_finds_nothing_and_nothing_is_cut_off(browser: Browser, address: str, dark: bool, width: int):
    with visiting(browser, width=width, dark=dark) as page:
        open_page(page, address)
        found = Axe().run(page).response["violations"]
        ours = [rule for rule in found if any("dials" in str(node["target"]) for node in rule["nodes"])]
        serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        assert not ours + serious, [(rule["id"], rule["nodes"]) for rule in ours + serious]
        for control in page.locator(".dial input").all():
            area = control.bounding_box()
            assert area
            assert area["height"] >= 22
            assert area["x"] >= 0
            assert area["x"] + area["width"] <= width
