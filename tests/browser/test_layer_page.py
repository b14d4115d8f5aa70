"""“What shape comes out?”, used by hand in Chromium: shapes and every number of the window are torch's."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.layer_text import read_layer
from explorer.layers import KINDS, LayerSpec, Sizes
from explorer.ui.layer_controls import USUAL
from explorer.worked import drawable, worked_numbers
from tests.browser.serving import at_rest, settled, visiting
from tests.test_animation import mask, torch_layers, torch_results

# torch says that it copies the picture for an even kernel; the numbers are what we ask for
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

HOLE = 2  # flag of a cell that the padding crops
NUMBER = re.compile(r"−?(?:∞|\d+(?:\.\d+)?)")


# ------------------------------------------------------------------------------- the page and its layer


@pytest.fixture(autouse=True, scope="module")
def patience() -> Iterator[None]:
    """A machine that does other work too may take longer than the usual five seconds."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


@contextmanager
def listening(page: Page) -> Iterator[Page]:
    """What our scripts complain of in the console fails the test."""
    complaints: list[str] = []

    def listen(message: Any) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        # Streamlit asks for its host's settings, and for an icon from outside, which we forbid
        if message.type == "error" and "404" not in text and "fonts.gstatic" not in text:
            complaints.append(text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert not complaints


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    with listening(page):
        yield page


@pytest.fixture(scope="module")
def shared(browser: Browser, address: str) -> Iterator[Page]:
    """One window for tests that only look at what a link shows."""
    with visiting(browser) as page, listening(page):
        yield open_page(page, address)


def players(page: Page) -> Locator:
    return page.locator(".player")


def open_page(page: Page, address: str, **choices: str) -> Page:
    page.goto(f"{address}/arithmetic?{urlencode(choices)}")
    expect(players(page).first).to_have_attribute("data-frame", re.compile(r"\d"))
    return settled(page)


def go(page: Page, **choices: str) -> None:
    """Another link in the same window, as Back and Forward come to it."""
    page.evaluate(
        "(link) => { history.pushState({}, '', link); dispatchEvent(new PopStateEvent('popstate', { state: {} })) }",
        f"?{urlencode(choices)}",
    )


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def layer(page: Page) -> tuple[LayerSpec, Sizes]:
    """What the link names."""
    return read_layer(query(page).get("layer", USUAL))


def headline(page: Page) -> Locator:
    return page.locator(".st-key-view").get_by_role("heading").filter(has_text="→")


def torch_shape(spec: LayerSpec, shape: Sizes) -> Sizes:
    with torch.device("meta"):
        made = torch.nn.Sequential(*torch_layers(spec))(torch.zeros(1, *shape, dtype=torch.float64))
    return tuple(made.shape[1:])


def words_of(spec: LayerSpec, shape: Sizes) -> str:
    """The headline that torch would write."""
    return " → ".join(
        " × ".join(f"{size:,}" for size in sizes) for sizes in (shape, torch_shape(spec, shape))
    )


def worked(spec: LayerSpec, shape: Sizes) -> list[NDArray[np.float64]]:
    """torch's numbers for what is drawn, stage by stage: planes (channels · depth, rows, columns)."""
    small, size, _ = drawable(spec, shape)
    return torch_results(small, *worked_numbers(small, size))


TOLD = """(player) => {
  const { results, outputs, frames, mode, reduce } = player._player;
  return { results, flags: outputs.map((plane) => plane.flags), at: frames.map((frame) => frame.at), mode, reduce };
}"""


def computed(player: Locator, like: NDArray[np.float64]) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """What the player made of planes and frames, what is cropped left out, in the shape of torch's; and what it is."""
    told = player.evaluate(TOLD)
    values = np.array([[-np.inf if value is None else value for value in plane] for plane in told["results"]])
    return values[np.array(told["flags"]) != HOLE].reshape(like.shape), told


def agrees(told: NDArray[np.float64], expected: NDArray[np.float64], reduce: str) -> bool:
    """Whole numbers to the last digit, means to a millionth."""
    return bool(np.allclose(told, expected, rtol=0, atol=1e-6 if reduce == "mean" else 0))


def follows(page: Page, before: str | None = None) -> tuple[LayerSpec, Sizes]:
    """Wait until the page shows the layer in its link, another than before: torch's shape, and torch's numbers.

    Nothing may be wrong on the way: no exception, no warning.
    """
    deadline = time.monotonic() + 20
    problem = "the link stays as it was"
    while time.monotonic() < deadline:
        for kind in ("stException", "stAlert"):
            assert page.get_by_test_id(kind).count() == 0, page.get_by_test_id(kind).first.inner_text()
        if page.url != before:
            settled(page)
            problem = _difference(page)
            if not problem:
                return layer(page)
        page.wait_for_timeout(30)
    raise AssertionError(f"{problem}: {page.url}")


def _difference(page: Page) -> str:
    spec, shape = layer(page)
    if headline(page).inner_text() != words_of(spec, shape):
        return f"{headline(page).inner_text()} is not {words_of(spec, shape)}"
    expected = worked(spec, shape)
    if players(page).count() != len(expected):
        return f"{players(page).count()} players, not {len(expected)}"
    for player, planes in zip(players(page).all(), expected, strict=True):
        try:
            values, told = computed(player, planes)
        except ValueError as error:  # the layer before has another shape
            return str(error)
        if not agrees(values, planes, told["reduce"]):
            return "other numbers than torch's"
    return ""


# ------------------------------------------------------------------------------- the numbers

LAYERS = [
    ("conv~3x7x6~o2~k3x2~s2x1~p1~mreflect", ""),
    ("conv~2x12~o2~k3~d3~p2~mcircular", ""),
    ("conv~2x3x4x5~o2~k2x3x3~p0x1x1~b0", ""),
    ("grouped~4x6x6~o4~k3~p1~g2", ""),
    ("depthwise~2x5x6~o4~k3~p1~mreplicate", ""),
    ("pointwise~3x4x4~o2~s2", ""),
    ("separable~3x6x6~o4~k3~p1", ""),
    ("dilated~1x8x9~o2~k3~d2x3~p3", ""),
    ("transposed~2x3x4~o2~k3~s2~p1~q1", "scatter"),
    ("transposed~2x3x4~o2~k3~s2~p1~q1", "equivalent"),
    ("transposed~4x2x2x2~o4~k2~s2~g2~d2", "scatter"),
    ("transposed~1x5~o2~k4~s3~p2", "equivalent"),
    ("masked_a~2x6x6~o2~k3~p1", ""),
    ("masked_b~1x6x7~o2~k3x5~p1x2", ""),
    ("masked_a~1x4x4~o1~k1", ""),
    ("max_pool~2x7x7~k3~s2~p1~c1", ""),
    ("max_pool~1x3x3~k2~p1~d4", ""),
    ("max_pool~1x3x4x4~k2~s1x2x2", ""),
    ("average_pool~2x7x7~k3~s2~p1~i0~c1", ""),
    ("average_pool~1x11~k4~s2~p2", ""),
    ("global_pool~3x6x5", ""),
    ("adaptive_pool~2x7x6~t3x4", ""),
]

# From the first frame on, by the buttons under the planes: what is said at each.
STEPS = """(player) => {
  const find = (part) => player.querySelector(part), said = [];
  find(".scrub").value = 0;
  find(".scrub").dispatchEvent(new Event("input"));
  for (const _ of player._player.frames) {
    said.push(find("output").textContent);
    find(".forth").click();
  }
  return said;
}"""


def last_number(text: str) -> float:
    """Of a text with the typographer's minus."""
    return float(NUMBER.findall(text)[-1].replace("−", "-").replace("∞", "inf"))


def test_every_kind_is_opened_below():
    assert {text.partition("~")[0] for text, _ in LAYERS} == set(KINDS)


@pytest.mark.parametrize(("text", "seen"), LAYERS)
def test_every_number_of_the_window_is_torchs(shared: Page, text: str, seen: str):
    page = shared
    go(page, layer=text, **({"seen": seen} if seen else {}))
    if seen:
        title = {"scatter": "Transposed, cell by cell", "equivalent": "Transposed, as a convolution"}[seen]
        expect(page.get_by_text(title)).to_be_visible()
    spec, shape = follows(page)
    assert (spec, shape) == read_layer(text)
    expect(headline(page)).to_have_text(words_of(spec, shape))
    expected = worked(spec, shape)
    expect(players(page)).to_have_count(len(expected))
    small, size, _ = drawable(spec, shape)
    picture = worked_numbers(small, size)[0]
    for player, planes in zip(players(page).all(), expected, strict=True):
        values, told = computed(player, planes)
        assert agrees(values, planes, told["reduce"])
        assert told["mode"] == ("scatter" if seen == "scatter" else "gather")
        said = player.evaluate(STEPS)
        assert len(said) == len(told["at"])
        for words, (plane, row, column) in zip(said, told["at"], strict=True):
            one_row = picture.ndim == 2 if seen == "scatter" else planes.shape[1] == 1
            assert (f"position {column}: " if one_row else f"row {row}, column {column}: ") in words
            if seen == "scatter":
                cells = picture.reshape(-1, *picture.shape[-2:] if picture.ndim > 2 else (1, -1))
                assert f"{cells[plane, row, column]} times each weight is added to " in words
                assert last_number(words) == np.prod(small.kernel_size) * (small.out_channels // small.groups)
            else:
                half_a_digit = 0.005 if told["reduce"] == "mean" else 0
                assert last_number(words) == pytest.approx(planes[plane, row, column], abs=half_a_digit)


# ------------------------------------------------------------------------------- the answer


def answer(page: Page) -> Locator:
    return page.locator(".outcome")


def test_the_answer_is_torchs_and_can_be_copied(page: Page, address: str):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, address, layer="conv~3x32x30~o10~k5~p2~s2")
    spec, shape = layer(page)
    out = torch_shape(spec, shape)
    expect(answer(page).locator(".printed")).to_have_text(str(torch.Size([1, *out])))
    line = "nn.Conv2d(3, 10, kernel_size=5, stride=2, padding=2)"
    expect(answer(page).locator("pre")).to_have_text(line)
    answer(page).get_by_role("button", name="Copy", exact=True).click()
    expect(answer(page).get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == line
    answer(page).get_by_text("Step by step").click()
    answer(page).get_by_role("button", name="Copy as text").click()
    expect(answer(page).get_by_role("button", name="Copied")).to_be_visible()
    told = page.evaluate("navigator.clipboard.readText()")
    assert told.startswith(
        f"3 × 32 × 30 → {' × '.join(map(str, out))} (channels × rows × columns)\n{line}\nRows: ⌊(W + 2P"
    )
    assert f"⌊(30 + 2·2 − 1·(5 − 1) − 1) / 2⌋ + 1 = {out[2]}" in told
    assert "K kernel 5" in told


def test_a_letter_lights_its_number_and_its_word(page: Page, address: str):
    open_page(page, address, layer="conv~3x32x32~o10~k5~p3~s2")
    legend, lit = answer(page).locator(".legend button"), answer(page).locator(".equations .on")
    values = {"W": "32", "P": "3", "D": "1", "K": "5", "S": "2"}
    assert legend.all_inner_texts() == [
        f"{letter} {word} {values[letter]}"
        for letter, word in zip("WPDKS", ("input", "padding", "dilation", "kernel", "stride"), strict=True)
    ]
    note = answer(page).locator(".note")
    expect(note).to_have_text(re.compile("^Rows and columns: "))
    for letter, number in values.items():
        answer(page).locator(f".legend [data-letter={letter}]").hover()
        expect(lit).to_have_count(3)  # in the formula, among the numbers, in the legend
        assert lit.all_text_contents()[:2] == [letter, number]
        expect(note).to_have_text(re.compile(f"^{letter}, "))
    # a letter of the formula itself, and the keyboard
    answer(page).locator(".equations math [data-letter=K]").first.hover()
    expect(note).to_have_text("K, kernel: how many weights the window has along its rows.")
    page.mouse.move(2, 2)
    expect(lit).to_have_count(0)
    expect(note).to_have_text(re.compile("^Rows and columns: "))
    tab_to(page, "button on")
    expect(lit).to_have_count(3)
    page.keyboard.press("Enter")
    assert legend.first.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert legend.first.get_attribute("aria-pressed") == "false"


def test_the_working_stays_open_and_follows_the_controls(page: Page, address: str):
    open_page(page, address, layer="conv~3x31x31~o10~k4~s2")
    working = answer(page).locator(".working")
    expect(working).to_be_hidden()
    answer(page).get_by_text("Step by step").click()
    for kernel in (5, 7):
        spec, shape = turn(page, "kernel_size", kernel)
        expect(working).to_be_visible()
        sums, words = working.locator(".sum").all_inner_texts(), working.locator(".words").all_inner_texts()
        assert len(sums) == len(words) == 6
        assert sums[-1] == str(torch_shape(spec, shape)[1])
        assert all(sentence.endswith(".") for sentence in words)
        assert f"= {kernel} rows" in words[0]


def test_equations_that_are_alike_are_shown_once(shared: Page):
    for text, count in (
        ("conv~3x32x32~o10~k5", 1),
        ("conv~3x32x32~o10~k5x3", 2),
        ("masked_a~3x32x32~o10~k3~p1", 1),
        ("conv~1x9x9x9~o2~k3", 1),
        ("conv~1x9x8x7~o2~k3", 3),
        ("global_pool~3x9x8", 1),
    ):
        go(shared, layer=text)
        follows(shared)
        expect(answer(shared).locator(".equation")).to_have_count(count)


def test_a_reader_of_the_screen_hears_the_new_shape_and_only_that(page: Page, address: str):
    open_page(page, address)
    told = answer(page).get_by_role("status")
    expect(told).to_have_attribute("aria-live", "polite")
    expect(told).to_have_text("")
    turn(page, "padding", 0)
    expect(told).to_have_text("The output is 10 × 28 × 28.")


@pytest.mark.parametrize(("height", "width"), [(1000, 1440), (720, 1280)])
def test_the_window_is_on_the_first_screen(browser: Browser, address: str, height: int, width: int):
    with visiting(browser, width=width, height=height) as page, listening(page):
        open_page(page, address)
        at_rest(page)
        area = players(page).first.bounding_box()
        assert area
        assert area["y"] <= 290


# ------------------------------------------------------------------------------- controls


def inputs(page: Page) -> Locator:
    return page.locator(".st-key-inputs")


def dial(page: Page, key: str) -> Locator:
    return inputs(page).locator(f'.dial[data-key="{key}"] input[type=range]')


def dial_keys(page: Page) -> list[str]:
    return inputs(page).locator(".dial").evaluate_all("(dials) => dials.map((dial) => dial.dataset.key)")


def turn(page: Page, key: str, value: int) -> tuple[LayerSpec, Sizes]:
    before = page.url
    dial(page, key).fill(str(value))
    return follows(page, before)


def choose(page: Page, label: str, words: str) -> tuple[LayerSpec, Sizes]:
    before = page.url
    box = page.get_by_test_id("stSelectbox").filter(has=page.get_by_text(label, exact=True)).locator("input")
    box.scroll_into_view_if_needed()  # what scrolls closes the list
    page.wait_for_timeout(100)
    box.fill(words)
    expect(page.get_by_role("listbox").get_by_role("option", name=words, exact=True)).to_be_visible()
    box.press("Enter")
    return follows(page, before)


def toggle(page: Page, label: str) -> Locator:
    return inputs(page).get_by_test_id("stCheckbox").filter(has_text=label)


def switch(page: Page, label: str) -> tuple[LayerSpec, Sizes]:
    before = page.url
    toggle(page, label).locator("label").click()
    return follows(page, before)


def axes(page: Page, count: int) -> tuple[LayerSpec, Sizes]:
    before = page.url
    page.get_by_role("radio", name=f"{count}-D").or_(page.get_by_role("button", name=f"{count}-D")).click()
    return follows(page, before)


WINDOW = ["in_channels", "size", "out_channels", "kernel_size", "stride", "padding", "dilation"]
DIALS = {
    "conv~3x16x16~o4~k3~s2~p1~d2": WINDOW,
    "transposed~3x5x5~o2~k3~s3~p1~q1": [*WINDOW, "output_padding"],
    "grouped~4x9x9~o4~k3~g2": WINDOW,
    "adaptive_pool~3x9x9~t4": ["in_channels", "size", "output_size"],
}


@pytest.mark.parametrize("text", DIALS)
def test_every_dial_sets_its_number_and_nothing_else(page: Page, address: str, text: str):
    open_page(page, address, layer=text)
    spec, shape = layer(page)
    assert set(dial_keys(page)) == {*DIALS[text], "batch"}
    for key in DIALS[text]:
        slider = dial(page, key)
        low, high, step = (int(slider.get_attribute(name) or 0) for name in ("min", "max", "step"))
        now = int(slider.input_value())
        wanted = now + step if now < high else now - step
        assert low <= wanted <= high
        changed, sizes = turn(page, key, wanted)
        number = (wanted,) * spec.dimensions
        if key == "size":
            shape = (shape[0], *number)
        elif key == "in_channels":
            shape = (wanted, *shape[1:])
        fields = {name: getattr(spec, name) for name in KINDS[spec.kind].fields}
        fields |= {key: wanted if "channels" in key else number} if key != "size" else {}
        spec = LayerSpec(spec.kind, spec.dimensions, **fields)
        assert (changed, sizes) == (spec, shape)


def test_toggles_and_lists_set_their_field(page: Page, address: str):
    open_page(page, address, layer="conv~4x9x9~o4~k3~p1")
    assert switch(page, "A bias for each channel")[0].bias is False
    assert choose(page, "Padded with", "reflect")[0].padding_mode == "reflect"
    assert choose(page, "Padding is", "“same”: as large as the input")[0].padding == "same"
    assert "padding" not in dial_keys(page)
    assert choose(page, "Padding is", "a number")[0].padding == (1, 1)
    assert choose(page, "Layer", "Grouped")[0].kind == "grouped"
    assert choose(page, "Groups", "4")[0].groups == 4
    assert choose(page, "Layer", "Average pooling")[0].kind == "average_pool"
    turn(page, "size", 8)
    assert turn(page, "stride", 3)[0].padding == (1, 1), "it came along"
    assert switch(page, "Round up")[0].ceil_mode is True
    assert switch(page, "Zeros of the padding count")[0].count_include_pad is False


def test_each_axis_can_be_set_on_its_own(page: Page, address: str):
    open_page(page, address, layer="conv~1x9x9~o1~k3")
    each = toggle(page, "Each axis on its own")
    each.locator("label").click()
    expect(dial(page, "kernel_size 1")).to_be_visible()
    assert turn(page, "kernel_size 1", 5)[0].kernel_size == (3, 5)
    expect(each.locator("input")).to_be_disabled()
    assert turn(page, "size 0", 12)[1] == (1, 12, 9)
    assert turn(page, "stride 0", 2)[0].stride == (2, 1)
    for key, value in (("kernel_size 1", 3), ("size 0", 9), ("stride 0", 1)):
        turn(page, key, value)
    expect(each.locator("input")).to_be_enabled()
    each.locator("label").click()
    expect(dial(page, "kernel_size")).to_be_visible()
    assert turn(page, "kernel_size", 4)[0].kernel_size == (4, 4)


def test_a_typed_line_is_taken_or_refused_with_its_reason(page: Page, address: str):
    open_page(page, address, layer="conv~3x16x16~o4~k3")
    field = page.get_by_label("Or type a layer")

    def write(text: str) -> None:
        field.fill(text)
        field.press("Enter")

    before = page.url
    write("nn.Conv2d(3, 6, (3, 5), stride=2, padding='valid')")
    assert follows(page, before)[0].kernel_size == (3, 5)
    expect(field).to_have_value("")
    before = page.url
    write("torch.nn.AvgPool2d(4, ceil_mode=True)")
    assert follows(page, before)[0].stride == (4, 4)
    before = page.url
    write("nn.Conv1d(4, 10, 3)")
    assert follows(page, before)[1] == (4, 16), "the input follows"

    before = page.url
    for text, sentence in (
        ("nn.Conv1d(4, 10, 50)", "A window of 50 positions does not fit into 16"),
        ("nn.Conv2d(3, 10, 3, groups=2)", "groups"),
        ("F.conv1d(x, w)", "is a function"),
        ("__import__('os').system('true')", "is not a"),
        ("nn.Conv2d(3, 10", "a “)” is missing"),
    ):
        write(text)
        alert = page.get_by_test_id("stAlert")
        expect(alert).to_contain_text(sentence)
        expect(alert).to_have_count(1)
        expect(field).to_have_value(text)
        assert page.url == before
        assert page.get_by_test_id("stException").count() == 0
    # the reason stands there for as long as the line does
    page.mouse.click(*cell(page, "outputs", 0, 0, 2))
    expect(page).to_have_url(re.compile("step=0_2"))
    before = page.url
    expect(page.get_by_test_id("stAlert")).to_contain_text("a “)” is missing")
    write("nn.MaxPool2d(2)")
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    assert follows(page, before)[0].kind == "max_pool"


def test_a_dense_layer_offers_the_convolution_that_does_the_same(page: Page, address: str):
    open_page(page, address, layer="conv~3x8x6~o4~k3")
    field = page.get_by_label("Or type a layer")
    field.fill("nn.Linear(144, 5)")
    field.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_contain_text("reads all pixels at once and has no window")
    before = page.url
    page.get_by_role("button", name="Take nn.Conv2d(3, 5, kernel_size=(8, 6))").click()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    assert follows(page, before) == (LayerSpec(out_channels=5, kernel_size=(8, 6)), (3, 8, 6))
    expect(field).to_have_value("")


def test_a_line_of_keras_is_read_and_what_is_left_out_is_told(page: Page, address: str):
    open_page(page, address, layer="conv~3x9x9~o4~k3")
    before = page.url
    field = page.get_by_label("Or type a layer")
    field.fill("x = layers.Conv2D(6, (3, 3), strides=2, padding='same', activation='relu')(x)")
    field.press("Enter")
    assert follows(page, before) == (LayerSpec(out_channels=6, stride=2, padding=1), (3, 9, 9))
    expect(change(page)).to_contain_text(re.compile(r"activation changes no shape:\W* it is left out\."))
    change(page).get_by_role("button", name="Undo").click()
    expect(change(page)).to_have_count(0)
    assert follows(page)[0].out_channels == 4


def change(page: Page) -> Locator:
    """What the last change could not keep."""
    return page.locator(".st-key-layer-change")


def test_another_kind_tells_what_it_could_not_keep_and_can_be_undone(page: Page, address: str):
    text = "grouped~8x9x9~o8~k3~s2~p1~b0~mreflect~g4"
    open_page(page, address, layer=text)
    made, _ = choose(page, "Layer", "Pointwise (1×1)")
    assert (made.stride, made.out_channels, made.bias) == ((2, 2), 8, False)
    expect(change(page)).to_contain_text(
        re.compile(r"groups went from 4 to 1:\W* a pointwise layer has none\.")
    )
    before = page.url
    change(page).get_by_role("button", name="Undo").click()
    assert follows(page, before) == read_layer(text)
    expect(change(page)).to_have_count(0)
    # nothing is lost: nothing is said
    assert choose(page, "Layer", "Transposed")[0].groups == 4
    choose(page, "Layer", "Convolution")
    expect(change(page)).to_contain_text(
        re.compile(
            r"Groups went from 4 to 1 and output padding went from 1 to 0:\W* a convolution has none\."
        )
    )
    # another hand's move: what was kept for Undo is no longer the layer before
    turn(page, "kernel_size", 2)
    expect(change(page)).to_have_count(0)


def test_two_dials_turned_at_once_never_make_an_impossible_layer(page: Page, address: str):
    """The stride may go down to 1 while output padding is 0, or output padding up to 2 while the stride is 3."""
    open_page(page, address, layer="transposed~1x4x4~o1~k3~s3~p1")
    before = page.url
    inputs(page).locator(".dials").filter(has=page.locator("[data-key=stride]")).evaluate(
        """(dials) => {
          for (const [key, value] of [["stride", 1], ["output_padding", 2]]) {
            const slider = dials.querySelector(`[data-key="${key}"] input[type=range]`);
            slider.value = value;
            slider.dispatchEvent(new Event("input"));
          }
        }"""
    )
    spec, _ = follows(page, before)
    page.wait_for_timeout(500)
    spec, _ = follows(page)
    assert (spec.stride[0], spec.output_padding[0]) in ((1, 0), (3, 2))


def random_move(page: Page, random: np.random.Generator) -> str | None:
    """One control moved somewhere else; what was moved, or None where there was nothing to move."""
    kind = str(random.choice(["dial", "dial", "dial", "dial", "list", "axes", "toggle", "each"]))
    before = page.url
    if kind == "dial":
        key = str(random.choice(dial_keys(page)))
        slider = dial(page, key)
        low, high, step = (int(slider.get_attribute(name) or 0) for name in ("min", "max", "step"))
        # near the low end: large windows in 3-D are slow
        wanted = low + step * int(random.integers(0, min((high - low) // step, 7) + 1))
        if wanted == int(slider.input_value()):
            return None
        turn(page, key, wanted)
        return f"{key} {wanted}"
    if kind == "list":
        lists = {
            "Groups": map(str, range(1, 9)),
            "Padding is": ["a number", "“same”: as large as the input", "“valid”: none"],
            "Padded with": ["zeros", "reflect", "replicate", "circular"],
        }
        shown = [label for label in lists if inputs(page).get_by_text(label, exact=True).count()]
        if not shown:
            return None
        label = str(random.choice(shown))
        box = inputs(page).get_by_test_id("stSelectbox").filter(has=page.get_by_text(label, exact=True))
        now = box.locator("input").input_value()
        box.locator("input").click()
        offered = page.get_by_role("listbox").get_by_role("option").all_inner_texts()
        page.keyboard.press("Escape")
        assert set(offered) <= set(lists[label]), "what cannot be is not offered"
        others = [words for words in offered if words != now]
        if not others:
            return None
        words = str(random.choice(others))
        choose(page, label, words)
        return words
    if kind == "axes":
        wanted = int(random.integers(1, 4))
        if wanted == layer(page)[0].dimensions:
            return None
        axes(page, wanted)
        return f"{wanted}-D"
    toggles = inputs(page).get_by_test_id("stCheckbox").filter(has=page.locator("input:enabled"))
    if not toggles.count():
        return None
    one = toggles.nth(int(random.integers(toggles.count())))
    words = one.inner_text()
    one.locator("label").click()
    if words.startswith("Each axis"):
        page.wait_for_timeout(300)
        follows(page)
    else:
        follows(page, before)
    return words


def test_a_random_walk_over_the_controls_never_meets_an_error(page: Page, address: str):
    open_page(page, address)
    random = np.random.default_rng(4)
    walked: list[str] = []
    for kind in random.permutation(list(KINDS)):
        if kind != layer(page)[0].kind:
            assert choose(page, "Layer", KINDS[str(kind)].title)[0].kind == kind
        for _ in range(30):
            moved = random_move(page, random)
            walked += [moved] if moved else []
            if len(walked) % 2 == 0 and moved:
                break
    assert len(walked) >= 20


HOSTILE = [
    "nonsense",
    "conv",
    "conv~3x32x32~k99",
    "conv~0x3x3~k1",
    "conv~3x32x32~z5",
    "conv~3x32x32~k3~s0",
    "max_pool~3x8x8~k2~p2",
    "conv~" + "9" * 400,
    "conv~99999x99999x99999~o99999~k99999999",
    "<img src=x onerror=alert(1)>~3x3x3",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_a_hostile_link_gets_one_sentence_and_the_usual_layer(shared: Page, text: str):
    page = shared
    go(page, layer=text)
    expect(page.get_by_test_id("stAlert")).to_have_count(1)
    expect(page.get_by_test_id("stAlert")).to_contain_text("The link's layer cannot be shown.")
    expect(headline(page)).to_have_text("3 × 32 × 32 → 10 × 32 × 32")
    expect(page).not_to_have_url(re.compile("layer="))
    assert page.get_by_test_id("stException").count() == 0
    go(page, layer="global_pool~1x3x3")
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    follows(page)


@pytest.mark.parametrize("step", ["0_98", "9_9", "0_-1e3"])
def test_a_step_that_is_not_there_is_no_pin(page: Page, address: str, step: str):
    open_page(page, address, step=step)
    assert "pinned" not in place(page).inner_text()
    follows(page)


# ------------------------------------------------------------------------------- the player under the hand


def place(page: Page, which: int = 0) -> Locator:
    return players(page).nth(which).locator(".place")


def at_frame(page: Page, frame: int, which: int = 0) -> None:
    expect(players(page).nth(which)).to_have_attribute("data-frame", str(frame))


def frame_of(page: Page) -> int:
    return int(players(page).first.get_attribute("data-frame") or -1)


def press(page: Page, name: str) -> None:
    players(page).first.get_by_role("button", name=name, exact=True).click()


def cell(page: Page, board: str, plane: int, row: int, column: int, which: int = 0) -> tuple[float, float]:
    """The middle of a cell, in the window."""
    canvas = players(page).nth(which).locator(f".{board} canvas")
    canvas.scroll_into_view_if_needed()
    x, y = (
        players(page)
        .nth(which)
        .evaluate(
            """(player, [board, plane, row, column]) => {
          const { canvas, places, cell, width } = player._player.boards[board];
          const area = canvas.getBoundingClientRect(), scale = area.width / width;
          return [
            area.left + (places[plane].left + (column + 0.5) * cell) * scale,
            area.top + (places[plane].top + (row + 0.5) * cell) * scale,
          ];
        }""",
            [board, plane, row, column],
        )
    )
    return x, y


# Frames that went by, and milliseconds that passed.
RUN = """async (player, seconds) => {
  const bench = player._player, count = bench.frames.length, [first, start] = [bench.frame, performance.now()];
  let [before, turns] = [first, 0];
  while (performance.now() - start < 1000 * seconds) {
    await new Promise(requestAnimationFrame);
    if (bench.frame < before) turns++;
    before = bench.frame;
  }
  return [turns * count + bench.frame - first, performance.now() - start];
}"""


def runs(page: Page, seconds: float, pace: float) -> None:
    """So many milliseconds for a frame, by the page's own clock."""
    frames, passed = players(page).first.evaluate(RUN, seconds)
    assert abs(frames - passed / pace) <= 1.5 + 0.02 * frames


def test_it_plays_slowly_until_a_hand_comes_then_at_the_speed_that_is_asked_for(page: Page, address: str):
    open_page(page, address)
    runs(page, 4, 1600)
    press(page, "Pause")
    runs(page, 1, np.inf)
    press(page, "Play")
    runs(page, 2, 650)
    page.get_by_label("Speed").select_option("4")
    runs(page, 1.5, 650 / 4)
    page.get_by_label("Speed").select_option("16")
    runs(page, 1.5, 650 / 16)


def test_buttons_scrub_and_keys_step(page: Page, address: str):
    open_page(page, address)  # 2 filters of 7 × 7
    players(page).first.get_by_label("Position").fill("10")
    at_frame(page, 10)
    expect(place(page)).to_have_text("output filter 0 of 10, row 1, column 3 · step 11 of 98")
    runs(page, 1, np.inf)
    press(page, "One on")
    at_frame(page, 11)
    press(page, "One back")
    press(page, "One back")
    at_frame(page, 9)
    page.locator(".inputs canvas").focus()
    for key, frame in (
        ("ArrowRight", 10),
        ("ArrowDown", 17),
        ("ArrowUp", 10),
        ("ArrowLeft", 9),
        ("Shift+ArrowRight", 19),
        ("Shift+ArrowDown", 89),
        ("Shift+ArrowDown", 97),
        ("ArrowRight", 97),
        ("Shift+ArrowUp", 27),
        ("End", 97),
        ("Home", 0),
        ("ArrowDown", 7),
    ):
        page.keyboard.press(key)
        at_frame(page, frame)
    assert players(page).first.locator("output").get_attribute("aria-live") == "polite"
    page.keyboard.press("Space")
    expect(players(page).first.get_by_role("button", name="Pause")).to_be_visible()
    assert players(page).first.locator("output").get_attribute("aria-live") == "off"
    page.keyboard.press("Space")
    expect(players(page).first.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("Enter")
    expect(place(page)).to_contain_text("pinned")
    expect(page).to_have_url(re.compile(r"step=0_\d"))
    page.keyboard.press("Escape")
    expect(place(page)).not_to_contain_text("pinned")
    expect(page).not_to_have_url(re.compile("step="))


def test_where_cells_scatter_an_arrow_down_goes_to_the_next_row_of_the_input(page: Page, address: str):
    open_page(page, address, layer="transposed~1x3x2~o1~k3~s2")
    page.locator(".inputs canvas").focus()
    page.keyboard.press("Space")
    players(page).first.get_by_label("Position").fill("0")
    page.locator(".inputs canvas").focus()
    page.keyboard.press("ArrowDown")
    at_frame(page, 2)
    expect(players(page).first.locator("output")).to_contain_text("Input row 1, column 0")


def test_pointing_shows_that_window_and_never_stops_the_play(page: Page, address: str):
    open_page(page, address)
    page.get_by_label("Speed").select_option("4")
    said = players(page).first.locator("output")
    page.mouse.move(*cell(page, "outputs", 1, 5, 3))
    expect(said).to_contain_text("filter 1 of 10, row 5, column 3: ")
    expect(place(page)).to_have_text("output filter 1 of 10, row 5, column 3 · step 88 of 98")
    assert players(page).first.get_by_label("Position").input_value() == "87", "the bar shows what is shown"
    at_frame(page, 49 + 5 * 7 + 3)
    runs(page, 1, 650 / 4)
    at_frame(page, 49 + 5 * 7 + 3)
    # five by five with two cells of padding: the window in whose middle the pixel lies
    page.mouse.move(*cell(page, "inputs", 1, 2 + 4, 2 + 6))
    expect(said).to_contain_text(re.compile("row 4, column 6: "))
    page.mouse.move(2, 2)
    expect(said).not_to_contain_text("row 4, column 6: ")
    expect(players(page).first.get_by_role("button", name="Pause")).to_be_visible()


def test_a_click_pins_and_the_pin_is_in_the_link(page: Page, address: str):
    open_page(page, address)
    page.mouse.click(*cell(page, "outputs", 0, 3, 2))
    page.mouse.move(2, 2)
    expect(page).to_have_url(re.compile("step=0_23"))
    at_frame(page, 23)
    runs(page, 1, np.inf)
    settled(page)
    page.reload()
    expect(place(page)).to_have_text(re.compile("step 24 of 98 · pinned$"))
    at_frame(page, 23)
    runs(page, 2, np.inf)
    # the pin goes along with the hand, and the link with it
    press(page, "One on")
    expect(page).to_have_url(re.compile("step=0_24"))
    expect(place(page)).to_have_text(re.compile("step 25 of 98 · pinned$"))
    page.go_back()
    expect(place(page)).to_have_text(re.compile("step 24 of 98 · pinned$"))
    # what plays is not pinned
    press(page, "Play")
    expect(page).not_to_have_url(re.compile("step="))
    expect(place(page)).not_to_contain_text("pinned")
    press(page, "Pause")
    page.mouse.click(*cell(page, "outputs", 1, 0, 0))
    expect(page).to_have_url(re.compile("step=0_49"))
    page.mouse.click(*cell(page, "outputs", 1, 0, 0))
    expect(page).not_to_have_url(re.compile("step="))


def test_another_layer_forgets_the_pin_and_the_same_step_can_be_pinned_there(page: Page, address: str):
    open_page(page, address)
    page.mouse.click(*cell(page, "outputs", 0, 0, 4))
    expect(page).to_have_url(re.compile("step=0_4"))
    turn(page, "padding", 1)
    assert "step" not in query(page)
    expect(place(page)).not_to_contain_text("pinned")
    page.mouse.click(*cell(page, "outputs", 0, 0, 4))
    expect(page).to_have_url(re.compile("step=0_4"))


def test_each_of_two_stages_has_its_own_pin(page: Page, address: str):
    open_page(page, address, layer="separable~2x4x4~o2~k3~p1")
    page.mouse.click(*cell(page, "outputs", 1, 2, 1, which=1))
    expect(page).to_have_url(re.compile("step=1_25"))
    settled(page)
    page.reload()
    expect(place(page, 1)).to_have_text(re.compile("step 26 of 32 · pinned$"))
    expect(place(page, 0)).not_to_contain_text("pinned")


PINK = """(player, board) => {
  const { canvas, planes, places, cell, width } = player._player.boards[board], ratio = canvas.width / width;
  const context = canvas.getContext("2d");
  return planes.map(({ rows, columns }, plane) => Array.from({ length: rows * columns }, (_, at) => {
    const [x, y] = [places[plane].left + (at % columns) * cell, places[plane].top + Math.floor(at / columns) * cell];
    const { data } = context.getImageData(ratio * (x + 1), ratio * (y + 1), ratio * (cell - 3), ratio * (cell - 3));
    let pink = 0;
    for (let i = 0; i < data.length; i += 4) pink += data[i] - data[i + 1] > 60 && data[i] - data[i + 2] > 25;
    return pink / (data.length / 4);
  }));
}"""


def pink(page: Page, planes: int) -> NDArray[np.float64]:
    """Of each cell of the drawn input the part that is in the colour of hatching and of winners: (planes, cells)."""
    found = np.array(players(page).first.evaluate(PINK, "inputs"))
    assert len(found) == planes
    return found


def test_max_pooling_marks_the_winner(page: Page, address: str):
    spec, shape = LayerSpec("max_pool", 2, 2, kernel_size=3, stride=2, padding=1), (2, 6, 7)
    open_page(page, address, layer="max_pool~2x6x7~k3~s2~p1")
    picture = torch.from_numpy(worked_numbers(spec, shape)[0]).double()
    most, winners = torch.nn.functional.max_pool2d(picture, 3, 2, 1, return_indices=True)
    press(page, "Pause")
    rows, columns = most.shape[1:]
    for frame in range(0, most.numel(), 5):
        players(page).first.get_by_label("Position").fill(str(frame))
        at_frame(page, frame)
        channel, cell_of = divmod(frame, rows * columns)
        marked = pink(page, 2).reshape(2, 8, 9)[:, 1:-1, 1:-1].reshape(2, -1) > 0.1
        expected = np.zeros((2, 42), bool)
        expected[channel, winners[channel].ravel()[cell_of]] = True
        np.testing.assert_array_equal(marked, expected)
        said = players(page).first.locator("output").inner_text()
        assert last_number(said) == most[channel].ravel()[cell_of]


@contextmanager
def calm(browser: Browser) -> Iterator[Page]:
    """A visitor who asks for less motion."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    try:
        with listening(context.new_page()) as page:
            yield page
    finally:
        context.close()


def test_nothing_moves_by_itself_for_those_who_ask_for_less_motion(browser: Browser, address: str):
    with calm(browser) as page:
        open_page(page, address)
        expect(players(page).first.get_by_role("button", name="Play")).to_be_visible()
        runs(page, 3, np.inf)
        assert frame_of(page) == 0
        turn(page, "padding", 1)
        runs(page, 2, np.inf)
        press(page, "Play")
        runs(page, 2, 650)
        assert players(page).first.evaluate("(player) => player._player.glide") == 1


def test_an_idle_page_stops_when_less_motion_is_asked_for(page: Page, address: str):
    open_page(page, address)
    expect(players(page).first.get_by_role("button", name="Pause")).to_be_visible()
    page.emulate_media(reduced_motion="reduce")
    expect(players(page).first.get_by_role("button", name="Play")).to_be_visible()
    runs(page, 2, np.inf)


def test_a_window_that_reads_nothing_can_be_pointed_at_and_pinned(page: Page, address: str):
    open_page(page, address, layer="masked_a~1x3x3~o1~k1")
    said = players(page).first.locator("output")
    page.mouse.move(*cell(page, "inputs", 0, 1, 1))
    page.mouse.click(*cell(page, "outputs", 0, 2, 1))
    expect(said).to_contain_text("row 2, column 1: no cell is read: 0 + bias")
    expect(page).to_have_url(re.compile("step=0_7"))


def test_what_is_too_much_to_draw_is_said(page: Page, address: str):
    page.goto(f"{address}/arithmetic?layer=conv~3x32x32x32~o10~k15~p7")
    expect(headline(page)).to_have_text("3 × 32 × 32 × 32 → 10 × 32 × 32 × 32")
    expect(page.get_by_text("products are too many to be drawn one by one")).to_be_visible()
    expect(players(page)).to_have_count(0)
    before = page.url
    dial(page, "kernel_size").fill("3")
    expect(players(page)).to_have_count(1)
    page.wait_for_url(lambda url: url != before)  # the address follows at the end of the run


# ------------------------------------------------------------------------------- the sum, channel by channel

SUM = """(player) => ({
  parts: [...player.querySelectorAll(".part")].map((part) => ({
    name: part.querySelector(".name").textContent, terms: part.querySelector(".terms").textContent,
    end: part.querySelector(".end").textContent, open: part.classList.contains("open"),
    hue: getComputedStyle(part).borderLeftColor,
  })),
  total: player.querySelector(".total").textContent,
})"""


def number_of(text: str) -> float:
    return float(text.replace("−", "-").strip("(= )"))


def added_up(terms: str) -> float:
    """Of a text like ": 3·(−2) + 0·1"."""
    pairs = [pair.split("·") for pair in terms.removeprefix(": ").split(" + ")]
    return sum(number_of(value) * number_of(weight) for value, weight in pairs)


@pytest.mark.parametrize("text", ["conv~3x7x7~o2~k3~p1", "conv~3x32x32~o10~k5~p2", "conv~6x5x5~o2~k2"])
def test_the_sum_is_written_channel_by_channel(page: Page, address: str, text: str):
    open_page(page, address, layer=text)
    spec, shape = layer(page)
    small, size, _ = drawable(spec, shape)
    picture, (weights,), (bias,) = worked_numbers(small, size)
    assert bias is not None
    numbers = torch.from_numpy(picture).double()[None], torch.from_numpy(weights).double()
    # one group for each channel: what it gives alone
    each = torch.nn.functional.conv2d(
        numbers[0], numbers[1].reshape(-1, 1, *numbers[1].shape[2:]).reshape(
            small.out_channels, small.in_channels, 1, *numbers[1].shape[2:]
        ).swapaxes(0, 1).reshape(-1, 1, *numbers[1].shape[2:]),
        padding=small.padding, groups=small.in_channels,
    )[0].reshape(small.in_channels, small.out_channels, -1)  # fmt: skip
    names = ["red", "green", "blue"] if spec.in_channels == 3 else [f"channel {n} of 6" for n in range(3)]
    press(page, "Pause")
    positions = each.shape[-1]
    for frame in (0, 3, positions - 1, positions, 2 * positions - 1):
        players(page).first.get_by_label("Position").fill(str(frame))
        at_frame(page, frame)
        told = players(page).first.evaluate(SUM)
        channels = each[:, frame // positions, frame % positions].tolist()
        assert [part["name"] for part in told["parts"]] == names
        assert [number_of(part["end"]) for part in told["parts"]] == channels
        assert len({part["hue"] for part in told["parts"]}) == len(names)
        for part, own in zip(told["parts"], channels, strict=True):
            count = int(np.prod(small.kernel_size))
            assert part["open"] or part["terms"] == f": {count} products"
            assert not part["open"] or added_up(part["terms"]) == own
            assert not part["open"] or part["terms"].count("·") == count
        offset = int(bias[frame // positions])
        said = [
            f"{name} {own:g}" if own >= 0 else f"{name} (−{-own:g})"
            for name, own in zip(names, channels, strict=True)
        ]
        said.append(f"bias {offset}" if offset >= 0 else f"bias (−{-offset})")
        assert " ".join(told["total"].split()) == (
            " + ".join(said) + f" = {sum(channels) + offset:g}"
        ).replace("= -", "= −")


def test_of_a_long_sum_the_channel_that_is_pointed_at_opens(page: Page, address: str):
    open_page(page, address)
    press(page, "Pause")
    opened = lambda: [part["open"] for part in players(page).first.evaluate(SUM)["parts"]]  # noqa: E731
    assert opened() == [True, False, False]
    page.mouse.move(*cell(page, "inputs", 2, 4, 4))
    assert opened() == [False, False, True]
    page.mouse.move(*cell(page, "kernels", 1, 1, 1))
    assert opened() == [False, True, False]
    page.mouse.move(2, 2)
    assert opened() == [True, False, False]
    players(page).first.get_by_role("button", name="blue").focus()
    page.keyboard.press("Enter")
    assert opened() == [False, False, True]
    page.keyboard.press("Home")
    assert opened() == [False, False, True]
    assert "blue" in page.evaluate("() => { let e = document.activeElement; while (e.shadowRoot?.activeElement)"
                                   " e = e.shadowRoot.activeElement; return e.textContent }")  # fmt: skip


# ------------------------------------------------------------------------------- own numbers

OWN = """(player) => {
  const { own, numbers } = player._player.worked;
  return Object.fromEntries(Object.entries(own).map(([part, { values, edited }]) =>
    [part, { values: [...values], shape: numbers[part].shape, edited }]));
}"""


def editor(page: Page, which: int = 0) -> Locator:
    return players(page).nth(which).get_by_label("Number of")


def edit(page: Page, which: int = 0) -> None:
    players(page).nth(which).get_by_role("button", name="Edit numbers").click()
    expect(editor(page, which)).to_be_visible()


def note(page: Page, which: int = 0) -> Locator:
    return players(page).nth(which).locator(".note")


def own_numbers(page: Page) -> tuple[Any, list[Any], list[Any]]:
    """Picture, weights and biases as they stand in the players."""
    told = [player.evaluate(OWN) for player in players(page).all()]
    array = lambda part: np.array(part["values"]).reshape(part["shape"]) if part else None  # noqa: E731
    return (
        array(told[0]["picture"]),
        [array(each.get("weights")) for each in told],
        [array(each.get("bias")) for each in told],
    )


def own_results_are_torchs(page: Page) -> None:
    spec, shape = layer(page)
    small, _, _ = drawable(spec, shape)
    expected = torch_results(small, *own_numbers(page))
    for player, planes in zip(players(page).all(), expected, strict=True):
        values, told = computed(player, planes)
        assert agrees(values, planes, told["reduce"])


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("conv~3x7x6~o2~k3x2~s2x1~p1~mreflect", ""),
        ("conv~2x12~o2~k3~d3~p2~mcircular", ""),
        ("conv~2x3x4x5~o2~k2x3x3~p0x1x1", ""),
        ("separable~3x6x6~o4~k3~p1~mreplicate", ""),
        ("transposed~2x3x4~o2~k3~s2~p1~q1", "scatter"),
        ("transposed~2x3x4~o2~k3~s2~p1~q1", "equivalent"),
        ("masked_b~1x6x7~o2~k3x5~p1x2", ""),
        ("max_pool~2x7x7~k3~s2~p1~c1", ""),
        ("average_pool~2x7x7~k3~s2~p1~i0~c1", ""),
    ],
)
def test_whatever_is_typed_the_results_are_torchs(shared: Page, text: str, seen: str):
    page = shared
    go(page, layer=text, **({"seen": seen} if seen else {}))
    follows(page)
    edit(page)
    expect(editor(page)).to_be_focused()
    before = own_numbers(page)[0].ravel()
    page.keyboard.type("-12")
    own_results_are_torchs(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.type("4,25")
    page.keyboard.press("Enter")
    after = own_numbers(page)[0].ravel()
    assert after[:2].tolist() == [-12, 4.25]
    assert after[2:].tolist() == before[2:].tolist()
    own_results_are_torchs(page)
    press(page, "One less")
    assert own_numbers(page)[0].ravel()[2] == before[2] - 1
    for which in range(players(page).count()):
        if which:
            edit(page, which)
        if own_numbers(page)[1][which] is None:
            continue
        player = players(page).nth(which)
        player.locator("[data-part=weights][data-set=random]").click()
        if player.get_by_role("button", name="Edge").is_enabled():
            player.get_by_role("button", name="Edge").click()
        page.mouse.click(*cell(page, "kernels", 0, 0, 0, which))
        page.keyboard.type("7")
        last = player.evaluate("(player) => player._player.boards.kernels.planes.length - 1")
        page.mouse.click(*cell(page, "kernels", last, 0, 0, which))
        expect(editor(page, which)).to_have_attribute("aria-label", re.compile("bias"))
        page.keyboard.type("-.5")
        _, weights, bias = own_numbers(page)
        assert 7 in weights[which]
        assert -0.5 in bias[which]
        own_results_are_torchs(page)
    press(page, "One bright pixel")
    assert sorted(own_numbers(page)[0].ravel())[-2:] == [0, 9] or own_numbers(page)[0].shape[0] > 1
    own_results_are_torchs(page)
    for player in players(page).all():
        player.get_by_role("button", name="Reset to the worked numbers").click()
        player.get_by_role("button", name="Edit numbers").click()
    follows(page)


def test_own_numbers_stay_where_they_fit_and_go_with_a_sentence_where_not(page: Page, address: str):
    open_page(page, address, layer="conv~1x6x6~o2~k3~p1")
    edit(page)
    page.keyboard.type("42")
    before = page.url
    dial(page, "stride").fill("2")
    expect(headline(page)).to_have_text("1 × 6 × 6 → 2 × 3 × 3")
    expect(players(page).first).to_have_attribute("data-frame", "0")
    settled(page)
    assert page.url != before
    assert own_numbers(page)[0].ravel()[0] == 42
    own_results_are_torchs(page)
    expect(note(page)).to_have_text("These are your own numbers.")
    dial(page, "size").fill("5")
    expect(note(page)).to_have_text(
        "Your picture (1×6×6) does not fit this layer’s 1×5×5: the worked numbers are back."
    )
    follows(page)
    expect(players(page).first.get_by_role("button", name="Reset to the worked numbers")).to_be_hidden()


def test_cells_are_chosen_by_hand_and_padding_leads_to_what_it_copies(page: Page, address: str):
    open_page(page, address, layer="conv~1x5x5~o1~k3~p2~mreflect")
    page.mouse.dblclick(*cell(page, "inputs", 0, 2, 3))
    expect(editor(page)).to_have_attribute("aria-label", "Number of input, row 0, column 1")
    # torch reflects: two to the left of the first column stands the third
    page.mouse.click(*cell(page, "inputs", 0, 2, 0))
    expect(editor(page)).to_have_attribute("aria-label", "Number of input, row 0, column 2")
    page.keyboard.type("77")
    shown = players(page).first.evaluate("(player) => [...player._player.inputs[0].values]")
    ring = torch.nn.functional.pad(torch.from_numpy(own_numbers(page)[0])[None], (2, 2, 2, 2), "reflect")
    assert shown == ring.ravel().tolist()
    assert shown.count(77) == 3
    page.keyboard.press("Escape")
    assert 77 not in own_numbers(page)[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    expect(editor(page)).to_have_attribute("aria-label", "Number of input, row 1, column 1")
    page.keyboard.press("Escape")
    expect(editor(page)).to_be_hidden()
    page.wait_for_url(lambda url: "numbers=p" in url)
    settled(page)
    go(page, layer="conv~1x5x5~o1~k3~p2")
    follows(page)
    edit(page)
    page.mouse.click(*cell(page, "inputs", 0, 0, 0))
    expect(note(page)).to_have_text("This is padding, 0 by rule: it stays.")


def test_the_keyboard_alone_changes_picture_and_kernel(page: Page, address: str):
    open_page(page, address, layer="conv~1x4x4~o1~k2")
    page.locator(".inputs canvas").focus()
    page.keyboard.press("e")
    expect(editor(page)).to_be_focused()
    page.keyboard.type("5")
    page.locator(".kernels canvas").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(editor(page)).to_have_attribute("aria-label", "Number of input, weight of row 1, column 1")
    page.keyboard.type("-3")
    assert own_numbers(page)[1][0].ravel()[3] == -3
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(editor(page)).to_have_attribute("aria-label", "Number of bias")
    own_results_are_torchs(page)


def test_who_leaves_a_field_and_types_on_finds_the_page_as_it_was(page: Page, address: str):
    open_page(page, address, layer="conv~3x7x7~o2~k3")
    edit(page)
    editor(page).press("Escape")
    expect(editor(page)).to_be_hidden()
    full = "() => document.fullscreenElement !== null"
    page.keyboard.press("f")
    page.keyboard.press("e")
    page.wait_for_timeout(300)
    assert not page.evaluate(full)
    expect(editor(page)).to_be_hidden()
    # after another key they are keys of the player again
    page.keyboard.press("ArrowRight")
    page.keyboard.press("e")
    expect(editor(page)).to_be_visible()


WRITTEN = """(player) => {
  const { draw } = player._player, written = {}, { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text) {
    const board = this.canvas.closest?.("figure")?.className;
    if (/^[−\\d.]+$/.test(text)) written[board] = (written[board] ?? 0) + 1;
    return fillText.apply(this, arguments);
  };
  player._player.ground = player._player.kernelGround = null;
  player._player.draw();
  CanvasRenderingContext2D.prototype.fillText = fillText;
  return written;
}"""


def test_cells_too_small_for_numbers_have_none_and_tell_them_when_pointed_at(page: Page, address: str):
    open_page(page, address, layer="conv~3x32x32~o2~k32")
    players(page).first.evaluate("(player) => player._player.play(false)")
    player = players(page).first
    cells = player.evaluate("(player) => player._player.boards.kernels.cell")
    assert cells < 11
    assert player.evaluate(WRITTEN) == {}
    weights = player.evaluate("(player) => [...player._player.boards.kernels.planes[0].values]")
    columns = player.evaluate("(player) => player._player.boards.kernels.planes[0].columns")
    # Streamlit's bar lies over the first rows
    for row, column in ((9, 0), (20, 5), (columns - 1, columns - 1)):
        cell(page, "kernels", 0, row, column)  # it is scrolled to
        page.wait_for_timeout(300)
        page.mouse.move(*cell(page, "kernels", 0, row, column))
        told = f"row {row}, column {column}: {weights[row * columns + column]:g}".replace("-", "−")
        expect(player.locator(".kernels .size")).to_contain_text(told)
    page.mouse.move(0, 0)
    expect(player.locator(".kernels .size")).not_to_contain_text("row")
    # where there is room they are written
    go(page, layer="conv~3x7x7~o2~k3")
    expect(headline(page)).to_have_text("3 × 7 × 7 → 2 × 5 × 5")
    assert player.evaluate(WRITTEN)["kernels"] == 28  # 27 weights and a bias


@pytest.mark.parametrize("text", ["abc", "1000", "--1", "1e5", "0.00001"])
def test_what_is_no_number_is_said_and_the_number_before_comes_back(page: Page, address: str, text: str):
    open_page(page, address, layer="conv~1x4x4~o1~k2")
    edit(page)
    before = own_numbers(page)[0].ravel()[0]
    editor(page).fill(text)
    expect(editor(page)).to_have_attribute("aria-invalid", "true")
    editor(page).press("Enter")
    expect(note(page)).to_contain_text(f"“{text}” is no number from −999 to 999")
    assert own_numbers(page)[0].ravel()[0] == before


# ------------------------------------------------------------------------------- how it looks


def test_the_player_fits_into_the_window(browser: Browser, address: str):
    for width, height in ((1440, 1000), (1280, 720)):
        with visiting(browser, width=width, height=height) as page:
            open_page(page, address)
            area = players(page).first.bounding_box()
            assert area
            assert area["height"] <= 450
            assert area["y"] + area["height"] <= height


INKS = """(player, flag) => {
  const { boards, inputs, ground } = player._player, { canvas, places, cell, width } = boards.inputs;
  const plane = inputs[0], found = [], ratio = canvas.width / width, side = ratio * (cell - 1);
  const linear = (byte) => (byte /= 255) <= 0.04045 ? byte / 12.92 : ((byte + 0.055) / 1.055) ** 2.4;
  plane.flags.forEach((each, at) => {
    if (each !== flag) return;
    const [row, column] = [Math.floor(at / plane.columns), at % plane.columns], bright = [];
    const [x, y] = [places[0].left + column * cell, places[0].top + row * cell];
    const { data } = ground.getContext("2d").getImageData(ratio * x, ratio * y, side, side);
    for (let i = 0; i < data.length; i += 4)
      bright.push(0.2126 * linear(data[i]) + 0.7152 * linear(data[i + 1]) + 0.0722 * linear(data[i + 2]));
    bright.sort((a, b) => a - b);
    found.push([bright[0], bright[bright.length >> 1], bright.at(-1)]);
  });
  return found;
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_numbers_of_the_padding_can_be_read_and_the_padding_is_told_from_the_picture(
    browser: Browser, address: str, dark: bool
):
    with visiting(browser, dark=dark) as page:
        open_page(page, address, layer="conv~1x5x5~o1~k3~p1")
        padding = np.array(players(page).first.evaluate(INKS, 1))
        # ink is the far end of the scale: dark on light, light on dark; the cell is in its middle and at the other end
        ink = padding[:, 2 if dark else 0]
        for ground in (padding[:, 1], padding[:, 0 if dark else 2]):
            light, deep = np.maximum(ink, ground), np.minimum(ink, ground)
            assert ((light + 0.05) / (deep + 0.05)).min() >= 4.5
        colours = players(page).first.evaluate("(player) => player._player.paper")
        assert colours["padding"] != colours["stripes"]
        red, _, blue = map(int, re.findall(r"\d+", colours["padding"]))
        assert blue - red > 8, "the picture's cells are grey"


def test_no_number_leaves_its_cell(page: Page, address: str):
    open_page(page, address, layer="max_pool~4x7x7~k3~s2~p1")
    edit(page)
    page.keyboard.type("-888.88")
    # one pixel between cells is bare
    painted = players(page).first.evaluate(
        """(player) => {
          const { ground, boards, inputs } = player._player, { places, cell } = boards.inputs;
          const { rows, columns } = inputs[0];
          const context = ground.getContext("2d");
          let painted = 0;
          for (const { left, top } of places.slice(0, 1)) for (let column = 1; column <= columns; column++) {
            const { data } = context.getImageData(left + column * cell - 1, top, 1, rows * cell);
            for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
          }
          return painted;
        }"""
    )
    assert painted == 0


def test_what_was_made_smaller_is_said_at_the_player(page: Page, address: str):
    open_page(page, address, layer="max_pool~4x7x7~k3~s2~p1")
    expect(players(page).first.locator(".head")).to_contain_text(
        "Drawn smaller than your layer: 3 of 4 channels."
    )
    labels = players(page).first.evaluate("(player) => player._player.inputs.map(({ label }) => label)")
    assert labels == ["channel 0 of 4", "channel 1 of 4", "channel 2 of 4"]


def test_the_lecture_hall_gets_a_full_screen_and_keys_are_explained(page: Page, address: str):
    open_page(page, address)
    side = lambda: players(page).first.evaluate("(player) => player._player.boards.inputs.cell")  # noqa: E731
    before = side()
    players(page).first.get_by_role("button", name="Full screen").click()
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.wait_for_timeout(300)
    assert side() >= 1.5 * before
    page.keyboard.press("?")
    expect(players(page).first.get_by_text("play or pause")).to_be_visible()
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement === null")
    page.wait_for_timeout(300)
    assert side() == before


def test_a_finger_gets_larger_cells_and_can_change_a_number(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True)
    try:
        with listening(context.new_page()) as page:
            open_page(page, address, layer="conv~1x6x6~o1~k3~p1")
            assert players(page).first.evaluate("(player) => player._player.boards.inputs.cell") >= 22
            players(page).first.get_by_role("button", name="Edit numbers").tap()
            page.touchscreen.tap(*cell(page, "inputs", 0, 3, 3))
            before = own_numbers(page)[0][0, 2, 2]
            players(page).first.get_by_role("button", name="One more").tap()
            assert own_numbers(page)[0][0, 2, 2] == before + 1
            own_results_are_torchs(page)
    finally:
        context.close()


# ------------------------------------------------------------------------------- what is never read

UNREAD = [
    "conv~3x32x32~o10~k5~s4",
    "conv~1x9x12~o2~k2~s5x3",
    "masked_a~3x7x7~o2~k3~s3",
    "masked_b~1x8x8~o1~k3x5~s4~p1",
    "conv~2x5x5~o1~k2~s4~p2~mcircular",
    "conv~1x7x7~o1~k1~s3~p2~mreflect",
    "average_pool~2x8x8~k2~s3",
    "average_pool~1x9x9~k2~s4~c1",
    "transposed~3x4x4~o2~k1~s3~p3",
    "dilated~1x12x12~o1~k2~d3~s5",
    "separable~2x8x8~o2~k2~s3",
    "conv~1x11~o1~k2~s4",
    "conv~1x4x5x5~o1~k1~s3",
    "conv~3x8x8~o2~k3~p1",
]


def met(spec: LayerSpec, shape: Sizes) -> NDArray[np.bool_]:
    """Which cells of a channel reach the output: where torch's gradient through weights of one is not zero."""
    cells = torch.zeros(1, *shape, dtype=torch.float64, requires_grad=True)
    made = cells
    for stage in torch_layers(spec):
        for name, numbers in stage.named_parameters():
            ones = mask(spec.kind, spec.kernel_size) if spec.kind.startswith("masked") else np.ones(1)
            numbers.data[:] = torch.from_numpy(ones) if name == "weight" else 0
        made = stage(made)
    made.sum().backward()
    assert cells.grad is not None
    seen = cells.grad[0].numpy() != 0
    assert (seen == seen[0]).all()
    return seen[0]


@pytest.mark.parametrize("text", UNREAD)
def test_what_no_window_reads_is_counted_and_hatched(shared: Page, text: str):
    page = shared
    go(page, layer=text)
    spec, shape = follows(page)
    assert (spec, shape) == read_layer(text)
    notes = answer(page).locator(".note").all_inner_texts()
    seen = met(spec, shape)
    names = {1: ["Positions"], 2: ["Rows", "Columns"], 3: ["Slices", "Rows", "Columns"]}[spec.dimensions]
    for axis, name in enumerate(names):
        unread = int((~seen.any(axis=tuple(each for each in range(seen.ndim) if each != axis))).sum())
        (said,) = [note for note in notes if name.lower() in note.partition(":")[0].lower()]
        one = name[:-1].lower()
        wanted = rf"\b{unread} {one}s? " if unread else rf"[Ee]very {one}\b.* is read"
        assert re.search(wanted, said), f"{unread} {name} are not read, but: {said}"

    small, size, _ = drawable(spec, shape)
    drawn = met(small, size)
    part = re.compile(f"{(~drawn).sum()} of {drawn.size} cells never read: hatched")
    words = players(page).first.locator(".inputs .size")
    expect(words).to_have_text(part) if not drawn.all() else expect(words).not_to_contain_text("never")
    hatched = (
        pink(page, small.in_channels * (size[1] + 2 * spec.margins[0][0] if len(size) > 3 else 1)) > 0.03
    )
    picture = [
        [flag == 0 for flag in plane["flags"]]
        for plane in players(page).first.evaluate("(player) => player._player.inputs")
    ]
    np.testing.assert_array_equal(hatched[np.array(picture)].reshape(-1, *drawn.shape)[0], ~drawn)
    assert not hatched[~np.array(picture)].any()


# ------------------------------------------------------------------------------- for everybody


def focus(page: Page) -> str:
    """What has the focus, through shadow roots: the board or the dial around it, its type, class and name."""
    return page.evaluate(
        "() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement)"
        " e = e.shadowRoot.activeElement; const around = (what) => e?.closest?.(what);"
        " return [around('figure')?.className, around('.dial')?.dataset.key, e?.type, e?.className,"
        " e?.getAttribute?.('aria-label')].join(' ') }"
    )


def tab_to(page: Page, name: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if name in focus(page):
            return
    raise AssertionError(f"Tab never reaches {name}")


def test_everything_works_with_the_keyboard_alone(page: Page, address: str):
    open_page(page, address)
    page.locator("h1").click()
    before = page.url
    tab_to(page, "kernel_size range")
    page.keyboard.press("ArrowLeft")
    assert follows(page, before)[0].kernel_size == (4, 4)
    assert "kernel_size range" in focus(page), "the hand stays where it was"
    tab_to(page, "inputs ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    frame = frame_of(page)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"step=0_{frame}"))
    tab_to(page, "Position")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(f"step=0_{frame + 1}"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    browser: Browser, address: str, dark: bool, width: int
):
    with visiting(browser, width=width, dark=dark) as page, listening(page):
        open_page(page, address, layer="separable~3x8x8~o4~k3x2~s3")
        at_rest(page)
        found = Axe().run(page).response["violations"]
        ours = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        assert not ours, [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in ours]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        for part in page.locator(".player canvas").all():
            area = part.bounding_box()
            assert area
            assert area["x"] >= 0
            assert area["x"] + area["width"] <= width


# ------------------------------------------------------------------------------------- the panels


def open_panel(page: Page, address: str, panel: str, **choices: str) -> Page:
    open_page(page, address, about=panel, **choices)
    return at_rest(page)


def test_what_is_half_typed_is_no_answer_and_a_second_try_is_there(page: Page, address: str):
    open_panel(page, address, "practice", seed="3", level="2")
    answer = page.get_by_role("textbox", name="Your answer")
    answer.fill("1×2")
    page.get_by_text("Work it out").click()
    settled(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    answer.fill("hello")
    answer.press("Enter")
    expect(page.get_by_text("three numbers, channels × rows × columns, such as 10×28×28")).to_be_visible()
    answer.fill("1×2×3")
    answer.press("Enter")
    expect(page.get_by_text("One more try")).to_be_visible()
    second = page.get_by_role("textbox", name="Your second answer")
    second.fill("24×15×15")  # max pooling of 3×3 at stride 2 on 24×32×32
    second.press("Enter")
    expect(page.get_by_text("24×15×15 is right. On the second try")).to_be_visible()
    expect(page.get_by_text("The answer is 24×15×15.")).to_be_visible()


def test_marks_of_practice_survive_a_reload_and_go_when_it_begins_again(page: Page, address: str):
    open_panel(page, address, "practice", seed="3", level="2")
    answer = page.get_by_role("textbox", name="Your answer")
    answer.fill("24×15×15")
    answer.press("Enter")
    expect(page.get_by_role("radio", name="1 ✓")).to_be_visible()
    page.reload()
    expect(page.get_by_role("radio", name="1 ✓")).to_be_visible()
    expect(page.get_by_text("1 of 1 points")).to_be_visible()
    page.get_by_role("button", name="Begin again").click()
    expect(page.get_by_role("radio", name="1 ✓")).to_have_count(0)
    settled(page)
    page.reload()
    expect(page.get_by_role("textbox", name="Your answer")).to_be_editable()
    at_rest(page)
    expect(page.get_by_role("radio", name="1 ✓")).to_have_count(0)
    answer.fill("24×15×15")
    answer.press("Enter")
    expect(page.get_by_role("radio", name="1 ✓")).to_be_visible()
    # another set has answers of its own
    open_panel(page, address, "practice", seed="4", level="2")
    expect(page.get_by_role("textbox", name="Your answer")).to_be_editable()
    at_rest(page)
    expect(page.get_by_role("radio", name="1 ✓")).to_have_count(0)


def test_the_sheet_with_its_key_opens_from_the_file_alone(page: Page, address: str, tmp_path: Path):
    open_panel(page, address, "practice", seed="3", level="2")
    with page.expect_download() as download:
        page.get_by_role("button", name="Sheet with the key").click()
    file = tmp_path / "sheet.html"
    download.value.save_as(file)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    expect(page.get_by_role("heading", name="Answer key")).to_be_visible()
    assert page.locator(".room").count() == 10
    page.emulate_media(media="print")
    assert page.locator(".key").evaluate("section => getComputedStyle(section).breakBefore") == "page"
    words = page.locator(".key > ol > li").first.inner_text()
    assert words.startswith("24×15×15")
    assert "⌊29/2⌋ + 1" in words


def test_a_window_is_taken_by_a_click_and_by_keys(page: Page, address: str):
    open_panel(page, address, "solve", layer="conv~3x32x32~o6~k3", to="28")
    page.get_by_text("K 7 · S 1 · P 1 · D 1").click()
    expect(page).to_have_url(re.compile("k7~p1"))
    expect(headline(page)).to_have_text("3 × 32 × 32 → 6 × 28 × 28")
    settled(page)
    windows = page.get_by_role("radiogroup", name="Click one")
    windows.get_by_role("radio").nth(1).focus()
    page.keyboard.press("ArrowUp")
    expect(page).to_have_url(re.compile("k5(&|$)"))


def test_lines_of_torch_are_pasted_and_a_missing_bracket_is_named(page: Page, address: str):
    open_panel(page, address, "field", stack="c3-c3")
    typed = page.get_by_role("textbox", name="Or type a stack")
    typed.fill("")
    typed.press("Enter")
    expect(page.get_by_text("No layer yet")).to_be_visible()
    page.get_by_text("Paste lines of torch").click()
    lines = page.get_by_role("textbox", name="Layers, an nn.Sequential")
    lines.fill("nn.Conv2d(3, 8, 3),\nnn.Conv2d(8, 8, 3\nnn.Flatten()")
    page.get_by_role("button", name="Read them").click()
    expect(
        page.get_by_text(re.compile("Line 2:.* a “\\)” is missing in “nn.Conv2d\\(8, 8, 3”"))
    ).to_be_visible()
    lines.fill("nn.Conv2d(3, 8, 3),\nnn.Conv2d(8, 8, 3),\nnn.Flatten()")
    page.get_by_role("button", name="Read them").click()
    expect(page.get_by_text("The stack ends at Flatten in line 3")).to_be_visible()
    expect(page.get_by_text("5×5 pixels")).to_be_visible()
    assert query(page)["stack"] == "c3-c3"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800])
def test_axe_finds_nothing_serious_in_the_panels_and_nothing_is_cut_off(
    browser: Browser, address: str, dark: bool, width: int
):
    links = (
        {"about": "field", "picture": "coffee"},
        {"about": "field", "stack": "net.efficientnet_b0"},
        {"about": "solve", "to": "16"},
        {"about": "examples", "example": "alexnet"},
        {"about": "practice", "level": "3"},
    )
    with visiting(browser, width=width, dark=dark) as page, listening(page):
        for choices in links:
            open_panel(page, address, choices["about"], **{k: v for k, v in choices.items() if k != "about"})
            found = Axe().run(page).response["violations"]
            ours = [rule for rule in found if rule["impact"] in ("serious", "critical")]
            assert not ours, [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in ours]
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_numbers_of_ones_own_are_in_the_link(page: Page, address: str):
    open_page(page, address, layer="conv~1x5x5~o1~k3")
    player = players(page).first
    player.get_by_role("button", name="Edit numbers").click()
    player.get_by_role("button", name="One bright pixel").click()
    player.get_by_role("button", name="Edge").click()
    picture, weights = torch.zeros(1, 1, 5, 5), torch.tensor([-1.0, 0, 1]).expand(1, 1, 3, 3)
    picture[0, 0, 2, 2] = 9
    page.wait_for_url(lambda url: "numbers=p" in url)
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    bias = player.evaluate("(player) => player._player.worked.own.bias.values[0]")
    wanted = (torch.nn.functional.conv2d(picture, weights) + bias).flatten().tolist()
    read = "(player) => player._player.results.flat()"
    assert player.evaluate(read) == wanted
    # another browser, the same numbers; taken back, they leave the link
    page.goto(page.url)
    expect(players(page).first).to_have_attribute("data-frame", re.compile(r"\d"))
    assert players(page).first.evaluate(read) == wanted
    players(page).first.get_by_role("button", name="Edit numbers").click()
    players(page).first.get_by_role("button", name="Reset").click()
    page.wait_for_url(lambda url: "numbers" not in url)


@pytest.mark.parametrize("text", ["p1_2", "p<script>", "q1", "w1_2_x", "~~", "p" + "9_" * 9000])
def test_numbers_in_a_link_that_are_none_are_dropped(page: Page, address: str, text: str):
    open_page(page, address, layer="conv~1x5x5~o1~k3", numbers=text)
    assert not players(page).first.evaluate("(player) => player._player.worked.edited")


def test_the_hand_stays_on_a_dial_while_others_come_and_go(page: Page, address: str):
    open_page(page, address, layer="conv~1x5x5~o1~k3")
    expect(inputs(page).locator("[data-key=dilation]")).to_be_visible()
    field = inputs(page).get_by_label("Kernel, exact value")
    field.focus()
    page.keyboard.press("ArrowUp")
    follows(page)
    page.keyboard.press("ArrowUp")
    page.wait_for_url(lambda url: "k5" in url)
    expect(inputs(page).locator("[data-key=dilation]")).to_have_count(0)
    expect(field).to_be_focused()


def test_a_number_that_a_dial_cannot_take_is_said(page: Page, address: str):
    open_page(page, address, layer="conv~1x5x5~o1~k3")
    field = inputs(page).get_by_label("Kernel, exact value")
    field.fill("99")
    field.press("Enter")
    said = inputs(page).locator("[data-key=kernel_size] .limit")
    expect(said).to_have_text("99 is not possible here: 1 to 5; 5 is taken.")
    field.fill("4")
    expect(said).to_be_empty()


@pytest.mark.parametrize(
    "layer", ["", "?layer=conv~64x224x224~o128~k11~s4~p5~d3", "?layer=transposed~1x5x5~o1~k3~s2"]
)
def test_on_a_phone_the_equation_is_seen_to_its_end_and_the_code_beside_copy(
    layer: str, browser: Browser, address: str
):
    with visiting(browser, width=420) as page:
        page.goto(f"{address}/arithmetic{layer}")
        settled(page)
        maths = page.locator(".equation .sum math")
        expect(maths.last).to_be_in_viewport()
        frame = page.locator(".outcome").bounding_box()
        for each in maths.all():
            box = each.bounding_box()
            assert box["x"] >= frame["x"]
            assert box["x"] + box["width"] <= frame["x"] + frame["width"] <= 420
        result = page.locator(".after").inner_text().split(" × ")[-1]
        assert (maths.last.text_content() or "").replace(",", "") == f"={result}"
        wide = page.locator(".outcome pre").evaluate("(pre) => [pre.scrollWidth, pre.clientWidth]")
        assert wide[0] == wide[1]
