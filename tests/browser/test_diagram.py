"""The diagram of a network on a page of its own, used by hand in Chromium."""

from __future__ import annotations

import io
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.serving import at_rest, serving, settled, visiting

# a page of the app's kind: the diagram, what it reported, and a button with which the page chooses
SCRIPT = """
import streamlit as st, torch, torchvision
from torch import nn
from explorer.profiling import profile
from explorer.ui.components.diagram import diagram

st.set_page_config(layout="wide")
name = st.query_params.get("net", "resnet18")

@st.cache_resource
def profiled(name):
    with torch.device("meta"):
        if name == "lenet":
            net = nn.Sequential(
                nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(),
                nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(),
                nn.Linear(84, 10),
            )
            return profile(net, (1, 28, 28), name="LeNet-5")
        if name == "halts":
            inner = nn.Sequential(nn.ReLU(), nn.Conv2d(9, 4, 1), nn.ReLU())
            return profile(nn.Sequential(nn.Conv2d(3, 8, 3), inner), (3, 9, 9), name="Halts")
        if name == "halts late":
            many = [each for _ in range(12) for each in (nn.Conv2d(8, 8, 3, padding=1), nn.MaxPool2d(3, 1, 1))]
            return profile(nn.Sequential(nn.Conv2d(3, 8, 3), *many, nn.Linear(9, 4)), (3, 64, 64), name="Late")
        if name == "spiteful":
            return profile(nn.Sequential(nn.Conv2d(3, 8, 3)), (3, 9, 9), name="=<img src=x onerror=alert(1)> & \\"a\\"")
        extra = {"init_weights": False} if name == "googlenet" else {}
        return profile(torchvision.models.get_model(name, **extra), (3, 224, 224), name=name)

held = st.session_state.setdefault("held", {"chosen": None})
if st.button("Choose one far down"):
    held["chosen"] = ("layer4.1.conv2", 0)
diagram("diagram", profiled(name), lambda place: held.update(chosen=place), held["chosen"])
st.title("Networks")
st.write(f"chosen={held['chosen']} end")
"""
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("diagram") / "diagram_page.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port={port}"]
    root = str(Path(__file__).resolve().parents[2])
    with serving(command, wait=False, PYTHONPATH=root) as running:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{running}/_stcore/health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield running


def open_page(page: Page, address: str, net: str = "resnet18") -> Page:
    page.goto(f"{address}/?net={net}")
    expect(page.get_by_text("chosen=")).to_be_visible(timeout=60_000)
    expect(nodes(page).first).to_be_attached()
    return settled(page)


def nodes(page: Page) -> Locator:
    return page.locator(".canvas .node")


def node(page: Page, words: str) -> Locator:
    """The node whose name begins with these words."""
    return page.locator(f'.canvas .node[aria-label^="{words}"]').first


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def boxes(page: Page) -> list[dict[str, float]]:
    """Rectangles of what is no frame, in the drawing's own pixels."""
    return page.locator(".canvas").evaluate(
        """canvas => [...canvas.querySelectorAll('.node:not([aria-label$=", open"]) > .outline')].map((shape) => {
            const { x, y, width, height } = shape.getBBox();
            return { x, y, width, height };
        })"""
    )


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["x"] + one["width"] <= other["x"]
        or other["x"] + other["width"] <= one["x"]
        or one["y"] + one["height"] <= other["y"]
        or other["y"] + other["height"] <= one["y"]
    )


def focused(page: Page) -> str:
    """The name of what has the focus, through shadow roots."""
    return str(
        page.evaluate(
            """() => {
                let node = document.activeElement;
                while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
                return node?.getAttribute("aria-label") ?? "";
            }"""
        )
    )


@pytest.mark.parametrize(("net", "boxes_all"), [("resnet18", 70), ("googlenet", 198)])
@pytest.mark.parametrize("direction", ["Top to bottom", "Left to right"])
def test_no_box_lies_over_another(page: Page, address: str, net: str, boxes_all: int, direction: str):
    open_page(page, address, net)
    press(page, direction)
    press(page, "Open all")
    expect(page.locator('.canvas .node:not([aria-label$=", open"])')).to_have_count(boxes_all)
    found = boxes(page)
    assert len(found) == boxes_all
    assert all(apart(one, other) for one, other in combinations(found, 2))
    # every curve begins and ends at the border of a box
    ends = page.locator(".edge .curve").evaluate_all(
        """curves => curves.flatMap((curve) => {
            const at = [0, curve.getTotalLength()].map((length) => curve.getPointAtLength(length));
            return at.map(({ x, y }) => [x, y]);
        })"""
    )
    for x, y in ends:
        assert any(
            box["x"] - 1.5 <= x <= box["x"] + box["width"] + 1.5
            and box["y"] - 1.5 <= y <= box["y"] + box["height"] + 1.5
            for box in found
        ), (x, y)


def test_frames_hold_what_is_inside(page: Page, address: str):
    open_page(page, address, "googlenet")
    held = page.locator(".canvas").evaluate(
        """canvas => {
            const frame = canvas.querySelector('.node[aria-label^="inception3a"] > .outline').getBBox();
            return [...canvas.querySelectorAll('.node[aria-label^="branch"] > .outline')].map((shape) => {
                const box = shape.getBBox();
                return box.x > frame.x && box.y > frame.y && box.x + box.width < frame.x + frame.width
                    && box.y + box.height < frame.y + frame.height;
            });
        }"""
    )
    assert held == [True] * 4


@pytest.mark.parametrize("direction", ["Top to bottom", "Left to right"])
def test_curves_of_a_dense_block_stay_in_its_frame(page: Page, address: str, direction: str):
    open_page(page, address, "densenet121")
    press(page, direction)
    block = node(page, "denseblock2")
    block.focus()
    page.keyboard.press("Enter")
    expect(block).to_have_attribute("aria-label", re.compile("open$"))
    found = page.locator(".canvas").evaluate(
        """canvas => ["denseblock1", "denseblock2"].map((name) => {
            const frame = canvas.querySelector(`.node[aria-label^="${name}"] > .outline`).getBBox();
            const curves = [...canvas.querySelectorAll(".edge .curve")].map((curve) => {
                const length = curve.getTotalLength();
                return Array.from({ length: 21 }, (_, at) => curve.getPointAtLength((length * at) / 20));
            });
            const [right, bottom] = [frame.x + frame.width, frame.y + frame.height];
            const holds = ({ x, y }) => x > frame.x && y > frame.y && x < right && y < bottom;
            const among = curves.filter((points) => holds(points[0]) && holds(points.at(-1)));
            const far = (points, side) => Math.max(...points.map((point) => point[side]));
            const beyond = (points, side) => far(points, side) > far([points[0], points.at(-1)], side) + 10;
            const arcs = among.filter((points) => beyond(points, "x") || beyond(points, "y"));
            return [arcs.length, among.filter((points) => !points.every(holds)).length];
        })"""
    )
    # of L(L − 1)/2 between layers all but L − 1 lead around others, in arcs; and those to the last concatenation
    for layers, (arcs, _) in zip((6, 12), found, strict=True):
        assert arcs >= (layers - 1) * (layers - 2) // 2
    assert [outside for _, outside in found] == [0, 0]


def test_a_double_click_opens_a_block_and_its_sign_closes_it(page: Page, address: str):
    open_page(page, address)
    before = nodes(page).count()
    node(page, "layer1").scroll_into_view_if_needed()
    press(page, "Fit")
    block = node(page, "1: BasicBlock")
    expect(block).to_have_attribute("aria-label", re.compile("closed$"))
    block.dblclick()
    expect(block).to_have_attribute("aria-label", re.compile("open$"))
    expect(nodes(page)).to_have_count(before + 7)
    block.focus()
    page.keyboard.press("Enter")
    expect(nodes(page)).to_have_count(before)
    press(page, "As at first")
    expect(nodes(page)).to_have_count(before)


def test_a_click_chooses_and_the_page_chooses_too(page: Page, address: str):
    open_page(page, address)
    node(page, "bn1").click()
    expect(page.get_by_text("chosen=('bn1', 0)")).to_be_visible()
    expect(node(page, "bn1")).to_have_attribute("aria-pressed", "true")
    press(page, "Choose one far down")
    expect(page.get_by_text("chosen=('layer4.1.conv2', 0)")).to_be_visible()
    marked = page.locator('.canvas .node[aria-pressed="true"]')
    # the closed block that holds it, and it comes into sight
    expect(marked).to_have_count(1)
    expect(marked).to_have_attribute("aria-label", re.compile("^1: BasicBlock.*512 × 7 × 7"))
    page.wait_for_timeout(400)
    box, canvas = marked.bounding_box(), page.locator(".canvas").bounding_box()
    assert box
    assert canvas
    assert canvas["y"] <= box["y"]
    assert box["y"] + box["height"] <= canvas["y"] + canvas["height"]


def test_arrows_walk_along_the_edges(page: Page, address: str):
    open_page(page, address)
    node(page, "conv1").focus()
    walked = []
    for _ in range(4):
        page.keyboard.press("ArrowDown")
        walked.append(focused(page).split(":")[0])
    assert walked[:3] == ["bn1", "relu", "maxpool"]
    page.keyboard.press("ArrowUp")
    assert focused(page).startswith("maxpool")
    page.keyboard.press(" ")
    expect(page.get_by_text("chosen=('maxpool', 0)")).to_be_visible()
    page.keyboard.press("Home")
    assert focused(page).startswith("Input")
    page.keyboard.press("End")
    assert focused(page).startswith("fc")


def test_one_tab_reaches_the_drawing_and_one_leaves_it(page: Page, address: str):
    open_page(page, address)
    assert page.locator('.canvas .node[tabindex="0"]').count() == 1


def scale(page: Page) -> float:
    return float(page.locator(".view").evaluate("view => new DOMMatrix(getComputedStyle(view).transform).a"))


def test_it_zooms_by_buttons_keys_and_the_wheel_with_ctrl_alone(page: Page, address: str):
    open_page(page, address)
    first = scale(page)
    press(page, "Larger")
    assert scale(page) == pytest.approx(first * 1.25)
    press(page, "Smaller")
    assert scale(page) == pytest.approx(first)
    node(page, "conv1").focus()
    page.keyboard.press("+")
    assert scale(page) == pytest.approx(first * 1.25)
    canvas = page.locator(".canvas")
    canvas.hover()
    now = scale(page)
    page.mouse.wheel(0, 30)
    assert scale(page) == now
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    assert scale(page) > now
    press(page, "Fit")
    sizes = canvas.evaluate(
        """canvas => {
            const { width, height } = canvas.querySelector('.view').getBoundingClientRect();
            return [canvas.clientWidth, canvas.clientHeight, width, height];
        }"""
    )
    assert sizes[2] <= sizes[0] + 2
    assert sizes[3] <= sizes[1] + 2


def test_a_drag_moves_and_chooses_nothing(page: Page, address: str):
    open_page(page, address)
    box = node(page, "bn1").bounding_box()
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 60, steps=4)
    page.mouse.up()
    moved = node(page, "bn1").bounding_box()
    assert moved
    assert (moved["x"] - box["x"], moved["y"] - box["y"]) == (
        pytest.approx(100, abs=1),
        pytest.approx(50, abs=1),
    )
    page.wait_for_timeout(300)
    expect(page.get_by_text("chosen=None")).to_be_visible()


def saved(page: Page, name: str, ground: str = "light") -> bytes:
    page.get_by_role("button", name="Export").click()
    page.get_by_label("Background").last.select_option(ground)
    with page.expect_download() as waiting:
        press(page, name)
    page.keyboard.press("Escape")
    return Path(waiting.value.path()).read_bytes()


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_the_svg_stands_alone_and_names_every_node(page: Page, address: str):
    open_page(page, address)
    kinds = [
        label.split(": ")[1].split(",")[0].replace(" ×2", "")
        for label in nodes(page).evaluate_all("all => all.map((node) => node.getAttribute('aria-label'))")
        if ": " in label
    ]
    text = saved(page, "Download SVG").decode()
    root = ElementTree.fromstring(text.encode())
    words = texts(root)
    signs = {"add": "+"}
    for kind in set(kinds):
        least = kinds.count(kind)
        assert sum(signs.get(kind, kind) == word.replace(" ×2", "") for word in words) == least, kind
    told = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert len([title for title in told if "output" in title]) == nodes(page).count()
    assert "var(" not in text
    assert 'class="toggle"' not in text
    assert "transparent" not in text
    assert "font-family" in text
    # opened by itself, it is the same picture
    page.set_content(text.partition("?>")[2])
    assert page.locator("svg rect").count() > 20


def test_the_backgrounds_of_exports(page: Page, address: str):
    open_page(page, address, "lenet")
    corners = []
    for ground in ("light", "dark", "none"):
        with Image.open(io.BytesIO(saved(page, "Download PNG (2×)", ground))) as picture:
            corners.append(picture.convert("RGBA").getpixel((1, 1)))
            width = picture.width
    assert corners == [(255, 255, 255, 255), (14, 20, 24, 255), (0, 0, 0, 0)]
    root = ElementTree.fromstring(saved(page, "Download SVG"))
    assert width == pytest.approx(2 * float(root.attrib["width"]), abs=1)


def test_a_chain_is_slabs_to_scale(page: Page, address: str):
    open_page(page, address, "lenet")
    pressed = page.locator('[data-drawing="boxes"]')
    expect(pressed).to_have_attribute("aria-pressed", "true")
    expect(nodes(page)).to_have_count(9)
    # the front face is channels wide and rows high: of 28, 14, 10 and 5 rows, by their square roots
    heights = page.locator(".canvas .node > path:nth-of-type(3)").evaluate_all(
        "faces => faces.map((face) => face.getBBox().height)"
    )
    for rows, height in zip((28, 28, 14, 10, 5), heights, strict=False):
        assert height / heights[0] == pytest.approx((rows / 28) ** 0.5, abs=0.01)
    words = texts(ElementTree.fromstring(saved(page, "Download SVG")))
    for label in (
        "1 × 28 × 28",
        "6 × 28 × 28",
        "6 × 14 × 14",
        "16 × 10 × 10",
        "16 × 5 × 5",
        "400",
        "120",
        "84",
        "10",
    ):
        assert words.count(label) == 1, label
    assert words.count("Linear") == 3
    assert words.count("Sigmoid") == 4
    nodes(page).nth(3).click()
    expect(page.get_by_text("chosen=('3', 0)")).to_be_visible()
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("AvgPool2d")
    press(page, "Graph")
    expect(nodes(page)).to_have_count(13)
    expect(page.locator('.canvas .node[aria-pressed="true"]')).to_have_attribute(
        "aria-label", re.compile("^3: Conv2d")
    )


def test_words_of_slabs_do_not_meet(page: Page, address: str):
    for net in ("vgg16", "resnet18"):
        open_page(page, address, net)
        press(page, "Boxes to scale")
        found = page.locator(".view > text").evaluate_all(
            """words => words.map((word) => {
                const { x, y, width, height } = word.getBBox();
                return { x, y: y + 2, width, height: height - 4 };
            })"""
        )
        assert len(found) > 20
        assert all(apart(one, other) for one, other in combinations(found, 2)), net


def test_a_net_that_stops_is_drawn_to_there(page: Page, address: str):
    open_page(page, address, "halts")
    reason = "stops here: Conv2d “1.1” expects 9 channels, but 8 arrive."
    expect(page.locator(".canvas .stop title")).to_have_text(f"Conv2d 1 × 1, {reason}")
    press(page, "Graph")
    stop = node(page, "1: Conv2d")
    expect(stop).to_have_attribute("aria-label", re.compile(f"{re.escape(reason)}$"))
    wrong = stop.locator(".outline").get_attribute("stroke")
    expect(page.locator(".canvas .edge")).to_have_count(3)
    assert [
        edge.locator(".curve").get_attribute("stroke") == wrong
        for edge in page.locator(".canvas .edge").all()
    ] == [False, False, True]
    node(page, "0: ReLU").press("ArrowDown")
    assert reason in focused(page)
    page.keyboard.press("Enter")
    expect(page.get_by_text("chosen=('1.1', 0)")).to_be_visible()
    page.get_by_text("The drawing as text").click()
    assert reason in page.locator(".list li").last.inner_text()
    # closed, the block says that it stops inside
    node(page, "1: Sequential").press("Enter")
    expect(node(page, "1: Sequential")).to_have_attribute("aria-label", re.compile("stops inside: .*closed"))
    root = ElementTree.fromstring(saved(page, "Download SVG"))
    assert "stops inside" in texts(root)


@pytest.mark.parametrize("direction", ["Top to bottom", "Left to right"])
def test_a_long_net_is_shown_where_it_stops(page: Page, address: str, direction: str):
    open_page(page, address, "halts late")
    expect(page.locator(".canvas .stop")).to_be_in_viewport(ratio=1)
    press(page, "Graph")
    press(page, direction)
    expect(page.locator('.canvas .node[aria-label*="stops here"] .outline')).to_be_in_viewport(ratio=1)
    expect(node(page, "Input")).not_to_be_in_viewport()


@pytest.mark.parametrize("net", ["lenet", "resnet18"])
@pytest.mark.parametrize("dark", [False, True])
def test_everyone_can_use_it(browser: Browser, address: str, net: str, dark: bool):
    with visiting(browser, dark=dark) as page:
        open_page(page, address, net)
        page.get_by_text("The drawing as text").click()
        found = Axe().run(at_rest(page)).response["violations"]
        # what Streamlit's own frame has, and is not serious, is none of ours
        ours = [
            rule
            for rule in found
            if rule["impact"] in ("serious", "critical")
            or any("bidi" in str(node["target"]).lower() or "diagram" in str(node) for node in rule["nodes"])
        ]
        assert not ours, [(rule["id"], rule["nodes"]) for rule in ours]


def test_the_text_tells_nodes_and_edges(page: Page, address: str):
    open_page(page, address)
    page.get_by_text("The drawing as text").click()
    lines = page.locator(".list li").all_inner_texts()
    assert len(lines) == nodes(page).count()
    (pool,) = [line for line in lines if line.startswith("maxpool")]
    assert "goes to layer1.0.conv1 (64 × 56 × 56), layer1.0.add (64 × 56 × 56)" in pool


def test_a_hostile_name_is_only_text(page: Page, address: str):
    open_page(page, address, "spiteful")
    expect(page.locator(".canvas svg")).to_have_attribute(
        "aria-label", re.compile(r"<img src=x onerror=alert\(1\)> & \"a\"")
    )
    assert page.locator(".canvas img").count() == 0
    ElementTree.fromstring(saved(page, "Download SVG"))


def test_three_hundred_nodes_are_laid_out_quickly(page: Page, address: str):
    """The plan asks for 300 ms; a busy machine is given three times as many."""
    open_page(page, address, "googlenet")
    press(page, "Open all")
    expect(nodes(page)).to_have_count(291)
    times = []
    for direction in ("Left to right", "Top to bottom") * 2:
        press(page, direction)
        times.append(float(page.locator(".diagram").get_attribute("data-milliseconds") or "inf"))
    assert min(times) < 900, times
