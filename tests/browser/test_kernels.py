"""“Draw a kernel”, used by hand in Chromium: what the instrument shows is what torch, numpy and Pillow say."""

from __future__ import annotations

import base64
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.figures.pictures import png, thumbnail
from explorer.figures.signed import as_photograph, signed_picture
from explorer.images import sample_photo
from explorer.kernels import KERNELS, read_kernel
from tests.browser import chromium
from tests.browser.serving import FLAGS, at_rest, settled, visiting
from tests.browser.test_arithmetic import Case, floats, random_case

# torch says that it copies the picture for an even kernel; the numbers are what we ask for
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

SAME: dict[str, Any] = {"stride": (1, 1), "padding": "same", "dilation": (1, 1), "mode": "zeros"}
# 5 × 5 zeros on a small picture, and 3 × 3 weights that no turn leaves as they are
EMPTY = {"kernel": "~".join(["0_0_0_0_0"] * 5), "side": "64"}
UNEVEN = np.array([[[1, 2, 3], [4, 5, 6], [7, 8, -20.5]]])


# ------------------------------------------------------------------------------- the page and what it holds

# Once no convolution is under way: weights, result, parts and picture of the same moment.
STATE = """async (bench) => {
  const stencil = bench._stencil;
  if (!stencil.result || stencil.finished !== stencil.turn)
    await new Promise((done) => {
      stencil.finish = () => {
        delete stencil.finish;
        stencil.finish();
        done();
      };
    });
  const encoded = (array) => {
    const bytes = new Uint8Array(array.buffer), pieces = [];
    for (let i = 0; i < bytes.length; i += 32768) pieces.push(String.fromCharCode(...bytes.subarray(i, i + 32768)));
    return btoa(pieces.join(""));
  };
  const { kernel, shape, result, parts, picture, at, pinned } = stencil;
  return {
    weights: kernel.channels.map((sheet) => [...sheet]), sides: [kernel.height, kernel.width],
    shape, result: encoded(result), parts: parts.map(encoded),
    pixels: encoded(picture.data), size: [picture.height, picture.width],
    at: [at.row, at.column], pinned,
  };
}"""


@dataclass(frozen=True, eq=False)
class State:
    """Weights (C, h, w), result (H', W'), its parts (C, H', W'), picture (H, W, 3), and the pixel that is explained."""

    weights: NDArray[np.float64]
    result: NDArray[np.float32]
    parts: NDArray[np.float32]
    picture: NDArray[np.uint8]
    at: tuple[int, int]
    pinned: bool


def bench(page: Page) -> Locator:
    return page.locator(".stencil")


def state(page: Page) -> State:
    told = bench(page).evaluate(STATE)
    pixels = np.frombuffer(base64.b64decode(told["pixels"]), np.uint8).reshape(*told["size"], 4)
    assert (pixels[..., 3] == 255).all()
    return State(
        np.array(told["weights"], np.float64).reshape(-1, *told["sides"]),
        floats(told["result"]).reshape(told["shape"]),
        np.stack([floats(part).reshape(told["shape"]) for part in told["parts"]]),
        pixels[..., :3],
        tuple(told["at"]),
        told["pinned"],
    )


def weights(page: Page) -> NDArray[np.float64]:
    return state(page).weights


def open_page(page: Page, address: str, **query: str) -> Page:
    page.goto(f"{address}/kernels?{urlencode(query)}")
    expect(bench(page)).to_have_attribute("data-painted", re.compile(r"\d"))
    return settled(page)


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def text_of(kernel: NDArray[np.float64]) -> str:
    """Weights (C, h, w) as a link has them."""
    return "~~".join(
        "~".join("_".join(repr(float(w)).removesuffix(".0") for w in row) for row in grid) for grid in kernel
    )


def canvas(page: Page, board: str, layer: str = "picture") -> NDArray[np.uint8]:
    """RGBA (rows, columns, 4) of a canvas of the input or the output."""
    address = page.locator(f".{board} canvas.{layer}").evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))


def number(text: str) -> float:
    """The last number of a text, written with the typographer's minus."""
    return float(re.findall(r"−?\d+(?:\.\d+)?(?:e[+−]?\d+)?", text)[-1].replace("−", "-"))


@pytest.fixture(autouse=True, scope="module")
def patience() -> Iterator[None]:
    """A machine that does other work too may take longer than the usual five seconds."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """A window; what our scripts complain of in the console fails the test."""
    complaints: list[str] = []

    def listen(message: Any) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        # Streamlit asks for its host's settings, and for an icon from outside, which we forbid
        if message.type == "error" and "404" not in text and "fonts.gstatic" not in text:
            complaints.append(text)

    page.on("console", listen)
    yield page
    assert not complaints


# ------------------------------------------------------------------------------- oracles


def planes(picture: NDArray[np.uint8], colour: str = "grey") -> NDArray[np.float32]:
    """(C, H, W) of what is convolved: Pillow's grey, or red, green and blue."""
    grey = np.asarray(Image.fromarray(picture).convert("L"))[None]
    return (grey if colour == "grey" else np.moveaxis(picture, 2, 0)).astype(np.float32)


def convolved(case: Case) -> NDArray[np.float64]:
    result = case.torch()
    assert result is not None
    return result.detach().numpy()


def met(case: Case) -> NDArray[np.bool_]:
    """Which pixels of a picture (H, W) the windows read with weights other than 0: where torch's gradient is not 0."""
    picture = torch.zeros(case.picture.shape, dtype=torch.float64, requires_grad=True)
    result = case.torch(picture)
    assert result is not None
    result.sum().backward()
    return picture.grad[0].numpy() != 0


def difference(result: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference as a share of the expected range, zero included."""
    assert result.shape == expected.shape
    span = max(expected.max(), 0) - min(expected.min(), 0)
    return float(np.abs(result - expected).max() / (span or 1))


def check(page: Page, expected: NDArray[np.float64]) -> State:
    """These are the weights, and the result is torch's."""
    seen = state(page)
    np.testing.assert_array_equal(seen.weights, expected)
    assert difference(seen.result, convolved(Case(planes(seen.picture), expected.copy(), **SAME))) < 1e-4
    return seen


# ------------------------------------------------------------------------------- the numbers

GRIDS = np.random.default_rng(0).normal(size=(3, 2, 3))
STATES = [
    {},
    {"kernel": "gaussian~5~1.2", "side": "128"},
    {"kernel": "0_-1_0~-1_5_-1~0_-1_0", "padding": "amount", "pad": "0", "stride": "2"},
    {"kernel": "gabor", "padding": "amount", "pad": "5", "mode": "reflect", "dilation": "2", "side": "256"},
    {"kernel": "random~5~7", "mode": "circular", "stride": "3", "side": "64"},
    {"kernel": "1_2_3_4_5~-1_0_.5_0_-2", "mode": "replicate", "dilation": "3", "picture": "text"},
    {"kernel": "box~3", "colour": "rgb", "bias": "-100", "activation": "relu", "side": "128"},
    {"kernel": text_of(GRIDS), "activation": "abs", "picture": "coffee", "side": "128"},
    {"kernel": "motion~11~45", "colour": "rgb", "mode": "reflect", "stride": "8", "side": "256"},
    {"kernel": "emboss", "way": "flip", "activation": "sigmoid", "bias": "-120", "side": "32"},
    {"kernel": "roberts_1", "way": "flip", "dilation": "6", "padding": "amount", "pad": "20", "side": "64"},
    {"kernel": "0.001", "activation": "tanh", "bias": "-1", "picture": "bricks", "side": "16"},
]
ACTIVATIONS = {
    "none": lambda z: z,
    "relu": torch.relu,
    "abs": torch.abs,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("link", STATES, ids=lambda link: urlencode(link)[:50] or "first look")
def test_what_the_page_shows_is_what_torch_computes(page: Page, address: str, link: dict[str, str]):
    open_page(page, address, **link)
    seen = state(page)
    picture = thumbnail(sample_photo(link.get("picture", "cat")).pixels, int(link.get("side", 512)))
    np.testing.assert_array_equal(seen.picture, picture)
    kernel = read_kernel(link.get("kernel", "sobel_x"))[2].weights.copy()
    np.testing.assert_array_equal(seen.weights, kernel)
    colour = "rgb" if len(kernel) == 3 else link.get("colour", "grey")
    stride, dilation, pad = (int(link.get(name, 1)) for name in ("stride", "dilation", "pad"))
    case = Case(
        planes(picture, colour),
        np.flip(kernel, (1, 2)).copy() if link.get("way") == "flip" else kernel,
        (stride, stride),
        (pad, pad) if link.get("padding") == "amount" else "same",
        (dilation, dilation),
        link.get("mode", "zeros"),
    )
    sums = torch.from_numpy(convolved(case)) + int(link.get("bias", 0))
    assert difference(seen.result, ACTIVATIONS[link.get("activation", "none")](sums).numpy()) < 1e-4
    expect(page.locator(".input .size")).to_have_text("{} × {}".format(*picture.shape))
    expect(page.locator(".output .size")).to_have_text("{} × {}".format(*sums.shape))
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


# Another picture, kernel and laying for the component that stands there, as Python would send them.
GIVE = f"""async (bench, [address, given]) => {{
  const stencil = bench._stencil, before = stencil.picture;
  window.cnnExplorerPhotos.set(given.photoId, address);
  stencil.receive({{ ...stencil.data, ...given }}, () => {{}});
  while (stencil.picture === before) await new Promise(requestAnimationFrame);
  return ({STATE})(bench);
}}"""
GIVE_ALL = f"""async (bench, cases) => {{
  const told = [];
  for (const one of cases) told.push(await ({GIVE})(bench, one));
  return told;
}}"""


def test_200_random_cases_on_the_page_differ_from_torch_by_less_than_a_ten_thousandth_of_the_range(
    page: Page, address: str, capsys: pytest.CaptureFixture[str]
):
    open_page(page, address)
    random = np.random.default_rng(20)
    wanted: list[NDArray[np.float64]] = []
    messages = []
    while len(wanted) < 200:
        case = random_case(random, 11, 48)
        channels, height, width = case.picture.shape
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        colour = "grey" if channels == 1 else "rgb"
        case = replace(case, picture=planes(pixels, colour))
        if (result := case.torch()) is None:
            continue
        kernel = {"channels": case.weights.reshape(len(case.weights), -1).tolist()}
        kernel |= dict(zip(("height", "width"), case.weights.shape[1:], strict=True))
        setting = {name: getattr(case, name) for name in ("stride", "padding", "dilation", "mode")}
        setting |= {"colour": colour, "flip": False, "bias": 0, "activation": "none"}
        given = {
            "photoId": f"case {len(wanted)}",
            "height": height,
            "width": width,
            "kernel": kernel,
            "setting": setting,
        }
        messages.append(["data:image/png;base64," + base64.b64encode(png(pixels)).decode(), given])
        wanted.append(result.detach().numpy())
    answers = bench(page).evaluate(GIVE_ALL, messages)
    worst = max(
        difference(floats(told["result"]).reshape(told["shape"]), result)
        for told, result in zip(answers, wanted, strict=True)
    )
    with capsys.disabled():
        print(f"\n200 cases on the page: largest difference from torch {worst:.1e} of the range")
    assert worst < 1e-4


# ------------------------------------------------------------------------------- the painted pixels


@pytest.mark.parametrize(
    "link",
    [
        {"kernel": "log", "side": "128"},
        {"kernel": "sharpen", "padding": "amount", "pad": "7", "stride": "3", "side": "128"},
    ],
)
def test_signed_and_photograph_are_painted_as_python_paints_them(
    page: Page, address: str, link: dict[str, str]
):
    open_page(page, address, **link)
    seen = state(page)
    stride, edge = (
        (int(link["stride"]), int(link["pad"])) if "pad" in link else (1, seen.weights.shape[1] // 2)
    )
    # where a picture of zeros in a padding of ones gives 0, the window lies inside
    around = torch.nn.functional.pad(torch.zeros(seen.picture.shape[:2])[None, None], [edge] * 4, value=1.0)
    kernel = torch.ones(1, 1, *seen.weights.shape[1:])
    inside = torch.nn.functional.conv2d(around, kernel, stride=stride)[0, 0].numpy() == 0
    peak = float(np.abs(seen.result[inside]).max())
    assert peak < np.abs(seen.result).max(), "the padding's edge is the strongest"

    painted = canvas(page, "output")
    assert (painted[..., 3] == 255).all()
    np.testing.assert_array_equal(painted[..., :3], signed_picture(seen.result, peak))
    assert number(page.locator(".clipped").inner_text()) == pytest.approx(peak, abs=0.006)
    for name in ("min", "mean", "max"):
        told = number(page.locator(f".range .{name}").inner_text())
        assert told == pytest.approx(getattr(seen.result.astype(float), name)(), abs=0.006)

    page.get_by_role("button", name="As a photograph").click()
    painted = canvas(page, "output")
    np.testing.assert_array_equal(painted[..., :3], as_photograph(seen.result)[..., None].repeat(3, 2))
    low, high = int((seen.result < -0.5).sum()), int((seen.result > 255.5).sum())
    assert low + high
    told = [f"{low:,} below 0"] * (low > 0) + [f"{high:,} above 255"] * (high > 0)
    expect(page.locator(".clipped")).to_have_text(
        f"Clipped: {', '.join(told)}, of {seen.result.size:,} values."
    )
    expect(page).to_have_url(re.compile("shown=photo"))


def test_the_input_is_painted_as_it_is_convolved(page: Page, address: str):
    open_page(page, address, picture="coffee", side="64")
    np.testing.assert_array_equal(
        canvas(page, "input")[..., :3], planes(state(page).picture)[0][..., None].repeat(3, 2)
    )
    page.get_by_text("Red, green, blue", exact=True).click()
    expect(page.locator(".parts")).to_be_visible()
    np.testing.assert_array_equal(canvas(page, "input")[..., :3], state(page).picture)


# ------------------------------------------------------------------------------- reading a number


def hover(page: Page, board: str, row: float, column: float, shape: tuple[int, int]) -> None:
    """Point at the middle of a pixel of the input or the output."""
    stage = page.locator(f".{board} .stage")
    stage.hover(trial=True)  # waits for a stage at rest: only then is its size the page's own
    area = stage.bounding_box()
    assert area
    x, y = (
        (at + 0.5) / count * area[side]
        for at, count, side in ((column, shape[1], "width"), (row, shape[0], "height"))
    )
    stage.hover(position={"x": x, "y": y})


def told_number(page: Page, seen: State, row: int, column: int) -> None:
    """The page explains this pixel of the result, in words and in `data-value`."""
    output = page.locator("output")
    expect(output).to_contain_text(f"Row {row}, column {column}")
    value = seen.result[row, column]
    assert number(output.inner_text()) == pytest.approx(value, abs=0.006)
    assert float(bench(page).get_attribute("data-value")) == pytest.approx(value, rel=1e-5, abs=1e-3)


def frame_drawn(page: Page, board: str) -> tuple[float, float, float, float]:
    """Where the window's frame is drawn, in shares of the board: top, left, bottom, right."""
    drawn = canvas(page, board, "marks")[..., 3] > 0
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    height, width = drawn.shape
    return rows[0] / height, columns[0] / width, (rows[-1] + 1) / height, (columns[-1] + 1) / width


def test_pointing_at_a_pixel_of_the_output_opens_it(page: Page, address: str):
    open_page(page, address, kernel=text_of(UNEVEN), side="16", bias="10", activation="relu")
    seen = state(page)
    shape = seen.result.shape
    picture = np.pad(planes(seen.picture)[0], 1)
    for row, column in [(0, 0), (4, 9), (shape[0] - 1, shape[1] - 1)]:
        hover(page, "output", row, column, shape)
        told_number(page, seen, row, column)
        # every product, in the order of the kernel
        patch = picture[row : row + 3, column : column + 3]
        label = page.locator(".ledger canvas").get_attribute("aria-label")
        assert label
        products = re.findall(r"([\d.]+) × (−?[\d.]+)", label)
        assert [(float(value), float(weight.replace("−", "-"))) for value, weight in products] == list(
            zip(patch.ravel().tolist(), UNEVEN.ravel().tolist(), strict=True)
        )
        total = float((patch * UNEVEN[0]).sum())
        words = page.locator("output").inner_text()
        assert number(words.split(";")[0]) == pytest.approx(total, abs=0.006)
        assert number(words.split(";")[1]) == pytest.approx(total + 10, abs=0.006)
        # the window, in both pictures; its line is 4 pixels wide
        for board, top, left, side in [("output", row, column, 1), ("input", row - 1, column - 1, 3)]:
            wanted = np.clip(np.array([top, left, top + side, left + side]) / [*shape, *shape], 0, 1)
            assert np.abs(np.array(frame_drawn(page, board)) - wanted).max() < 0.02, board


def test_pointing_at_the_input_opens_the_window_whose_middle_is_nearest(page: Page, address: str):
    open_page(page, address, kernel="box~5", side="64", stride="4", padding="amount", pad="1")
    seen = state(page)
    for row, column in [(0, 0), (12, 30), (20, 50), (42, 63)]:
        hover(page, "input", row, column, seen.picture.shape[:2])
        nearest = [
            int(np.abs(4 * np.arange(count) - 1 + 2 - at).argmin())
            for count, at in zip(seen.result.shape, (row, column), strict=True)
        ]
        told_number(page, seen, *nearest)


def test_keys_move_the_window_a_click_pins_it_and_escape_lets_it_go(page: Page, address: str):
    open_page(page, address, side="64")
    seen = state(page)
    shape = seen.result.shape
    hover(page, "output", 20, 30, shape)
    page.mouse.down()
    page.mouse.up()
    told_number(page, seen, 20, 30)
    hover(page, "output", 3, 3, shape)
    expect(page.locator("output")).to_contain_text("Row 20, column 30, pinned")
    for keys, place in [
        (["ArrowRight", "ArrowDown"], (21, 31)),
        (["Shift+ArrowRight", "Shift+ArrowUp"], (11, 41)),
        (["ArrowLeft"], (11, 40)),
        (["Shift+ArrowUp", "Shift+ArrowUp"], (0, 40)),
    ]:
        for key in keys:
            page.keyboard.press(key)
        told_number(page, seen, *place)
    expect(page).to_have_url(re.compile("at=0_40"))
    page.reload()
    expect(page.locator("output")).to_contain_text("Row 0, column 40, pinned")
    settled(page)
    told_number(page, seen, 0, 40)
    page.locator(".output .stage").focus()
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("at="))
    hover(page, "output", 3, 3, shape)
    told_number(page, seen, 3, 3)


def test_the_lens_shows_the_neighbourhood_and_reaches_the_link(page: Page, address: str):
    open_page(page, address, side="64")
    lens = page.locator(".lens canvas")
    expect(lens).to_be_hidden()
    page.get_by_label("Lens: the input around the window").check()
    expect(lens).to_be_visible()
    expect(page).to_have_url(re.compile("lens=1"))
    hover(page, "output", 10, 20, state(page).result.shape)
    expect(lens).to_have_attribute("aria-label", "Pixels around row 10, column 20 of the input")


# ------------------------------------------------------------------------------- painting


def cell(page: Page, row: int, column: int) -> tuple[float, float]:
    """The middle of a cell of the grid."""
    page.locator(".grid").scroll_into_view_if_needed()
    area = page.locator(".cells").nth(row).locator(".cell").nth(column).bounding_box()
    assert area
    return area["x"] + area["width"] / 2, area["y"] + area["height"] / 2


def drag(page: Page, *cells: tuple[int, int], steps: int = 1, button: Any = "left") -> None:
    page.locator(".grid").hover(position={"x": 3, "y": 3})  # waits until nothing moves any more
    places = [cell(page, *place) for place in cells]
    page.mouse.move(*places[0])
    page.mouse.down(button=button)
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up(button=button)


def test_strokes_paint_and_erase_without_holes(page: Page, address: str):
    open_page(page, address, **EMPTY)
    expected = np.zeros((1, 5, 5))
    drag(page, (0, 0), (4, 4))
    expected[0][np.diag_indices(5)] = 1
    check(page, expected)
    page.get_by_label("Brush").fill("-1/9")
    drag(page, (2, 0), (2, 4), (4, 4), steps=3)
    expected[0, 2], expected[0, 2:, 4] = -1 / 9, -1 / 9
    check(page, expected)
    expect(page.locator(".weights .name")).to_have_text("Custom")
    drag(page, (0, 0), (2, 2), button="right")
    expected[0, [0, 1, 2], [0, 1, 2]] = 0
    check(page, expected)
    page.get_by_role("button", name="Erase").click()
    drag(page, (2, 3), (2, 4))
    expected[0, 2, 3:] = 0
    check(page, expected)
    page.get_by_role("button", name="Erase").click()
    page.get_by_label("Brush").fill("nonsense")
    expect(page.get_by_label("Brush")).to_have_attribute("aria-invalid", "true")
    drag(page, (4, 0))
    expected[0, 4, 0] = -1 / 9
    check(page, expected)


def test_weights_are_typed_nudged_and_cleared(page: Page, address: str):
    open_page(page, address, **EMPTY)
    expected = np.zeros((1, 5, 5))
    page.locator(".cell").nth(0).focus()
    for keys, place, value in [
        (["ArrowRight", "ArrowDown", "+", "+", "="], (1, 1), 3),
        (["-"], (1, 1), 2),
        (["ArrowRight", "Enter", "type:1/9", "Enter"], (1, 2), 1 / 9),
        (["ArrowDown", "4", "2", "Enter"], (2, 2), 42),
        (["ArrowDown", "9", "Escape"], (3, 2), 0),
        (["ArrowUp", "Delete"], (2, 2), 0),
        # once a weight is no whole number, steps are tenths
        (["ArrowLeft", "-"], (2, 1), -0.1),
        (["-", "-"], (2, 1), -0.3),
        ([" "], (2, 1), 1),
        (["Backspace"], (2, 1), 0),
        (["ArrowDown", ".", "5", "Tab"], (3, 1), 0.5),
    ]:
        for key in keys:
            if key.startswith("type:"):
                page.keyboard.type(key.removeprefix("type:"))
            else:
                page.keyboard.press(key)
        expected[(0, *place)] = value
        check(page, expected)
    page.locator(".cell").nth(6).dblclick()
    page.keyboard.type("what?")
    page.keyboard.press("Enter")
    # the pointer's first press painted the brush's 1; words are no weight
    expected[0, 1, 1] = 1
    check(page, expected)
    page.mouse.move(*cell(page, 4, 4))
    page.locator(".cell").nth(6).focus()
    page.mouse.wheel(0, -100)
    page.mouse.wheel(0, -100)
    page.mouse.wheel(0, 100)
    expected[0, 4, 4] = 0.1
    check(page, expected)


def test_everything_done_can_be_undone_and_done_again(page: Page, address: str):
    open_page(page, address, **EMPTY)
    undo, redo = (page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    expect(undo).to_be_disabled()
    states = [np.zeros((1, 5, 5))]
    for place in [(0, 0), (2, 2), (4, 1)]:
        drag(page, place, (place[0], place[1] + 2))
        states.append(states[-1].copy())
        states[-1][0, place[0], place[1] : place[1] + 3] = 1
        check(page, states[-1])
    page.get_by_role("button", name="Negate").click()
    states.append(-states[-1])
    undo.click()
    check(page, states[3])
    page.locator(".cell").first.focus()
    for keys, now in [("Control+z", 2), ("Control+z", 1), ("Control+y", 2), ("Control+Shift+z", 3)]:
        page.keyboard.press(keys)
        check(page, states[now])
    redo.click()
    check(page, states[4])
    expect(redo).to_be_disabled()
    for _ in range(4):
        undo.click()
    check(page, states[0])
    expect(undo).to_be_disabled()
    # what is settled in the end is what the link says
    expect(page).to_have_url(re.compile(re.escape(EMPTY["kernel"])))


@pytest.mark.parametrize(
    "grids", [UNEVEN, np.random.default_rng(1).normal(size=(3, 4, 2))], ids=["one", "three"]
)
def test_a_kernel_is_turned_and_normalised_as_numpy_would(
    page: Page, address: str, grids: NDArray[np.float64]
):
    open_page(page, address, kernel=text_of(grids), side="32")
    colour = "grey" if len(grids) == 1 else "rgb"
    for name, operation in [
        ("Mirror", lambda w: np.flip(w, 2)),
        ("Flip", lambda w: np.flip(w, 1)),
        ("Rotate", lambda w: np.rot90(w, -1, (1, 2))),
        ("Negate", np.negative),
        ("Sum to 1", lambda w: w / w.sum((1, 2), keepdims=True)),
        ("Zero mean", lambda w: w - w.mean((1, 2), keepdims=True)),
        ("Clear", np.zeros_like),
    ]:
        page.get_by_role("button", name=name, exact=True).click()
        grids = operation(grids).copy()
        seen = state(page)
        np.testing.assert_allclose(seen.weights, grids, rtol=1e-12, atol=1e-14)
        assert difference(seen.result, convolved(Case(planes(seen.picture, colour), grids, **SAME))) < 1e-4


def test_sizes_go_from_1_to_11_and_keep_the_centre(page: Page, address: str):
    open_page(page, address, kernel=text_of(UNEVEN), side="32")
    rows, columns = page.locator("select.height"), page.locator("select.width")
    before = state(page).result
    for height, width in [(11, 11), (4, 7), (5, 6)]:
        rows.select_option(str(height))
        columns.select_option(str(width))
        seen = state(page)
        assert seen.weights.shape == (1, height, width)
        assert np.sort(seen.weights[seen.weights != 0]).tolist() == np.sort(UNEVEN.ravel()).tolist()
        check(page, seen.weights)
        # the weights around the centre are the same, and so is every number
        np.testing.assert_allclose(seen.result, before, atol=1e-2)
        expect(page.locator(".cell")).to_have_count(height * width)
    rows.select_option("1")
    columns.select_option("2")
    check(page, np.array([[[5.0, 6.0]]]))
    columns.select_option("1")
    check(page, np.array([[[5.0]]]))
    assert rows.locator("option").all_inner_texts() == [str(side) for side in range(1, 12)]
    expect(page).to_have_url(re.compile("kernel=5(&|$)"))


def sent_frames(page: Page) -> list[bytes | str]:
    """What the page sends to the server from its next opening on."""
    frames: list[bytes | str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))
    return frames


def test_a_settled_kernel_reaches_the_link_once_and_bit_for_bit(page: Page, address: str):
    frames = sent_frames(page)
    open_page(page, address, **EMPTY)
    page.get_by_label("Brush").fill("1/7")
    page.wait_for_timeout(400)
    steps, messages = page.evaluate("history.length"), len(frames)
    drag(page, (0, 0), (0, 4), (4, 4), (4, 0), steps=9)
    painted = weights(page)
    assert np.count_nonzero(painted) == 13
    expect(page).to_have_url(re.compile("0.14285714285714285"))
    page.wait_for_timeout(400)
    settled(page)
    assert len(frames) == messages + 1, "one message for one stroke"
    assert page.evaluate("history.length") == steps + 1, "one step of the browser's history"
    np.testing.assert_array_equal(read_kernel(query(page)["kernel"])[2].weights, painted)
    page.reload()
    expect(page.locator(".weights .name")).to_have_text("Custom")
    settled(page)
    check(page, painted)


def test_an_echo_never_undoes_a_newer_stroke(page: Page, address: str):
    open_page(page, address, **EMPTY)
    expected = np.zeros((1, 5, 5))
    slider = page.locator("[data-key=bias] input[type=range]")
    # strokes while Python runs for a dial, and while the echo of the stroke before is under way
    for turn, place in enumerate(itertools.product(range(3), range(4))):
        if turn % 3 == 0:
            slider.fill(str(10 * turn))
        drag(page, place)
        expected[(0, *place)] = 1
        np.testing.assert_array_equal(weights(page), expected)
        page.wait_for_timeout(60 + 35 * (turn % 8))
        np.testing.assert_array_equal(weights(page), expected)
    expect(page).to_have_url(re.compile(re.escape(text_of(expected))))
    settled(page)
    np.testing.assert_array_equal(weights(page), expected)
    assert query(page)["bias"] == "90"
    # the hand's strokes are all that there is to undo
    for _ in range(12):
        page.get_by_role("button", name="Undo", exact=True).click()
    np.testing.assert_array_equal(weights(page), np.zeros((1, 5, 5)))
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


# ------------------------------------------------------------------------------- presets


def pick_kernel(page: Page, words: str) -> None:
    page.locator(".picker .open").click()
    page.get_by_role("combobox", name="Search: Kernel to begin with").fill(words)
    page.keyboard.press("Enter")


def test_a_preset_replaces_the_kernel_and_its_dial_turns_it(page: Page, address: str):
    open_page(page, address, **EMPTY)
    drag(page, (1, 1))
    expect(page).to_have_url(re.compile("~0_1_0_0_0~"))
    pick_kernel(page, "gaussian blur")
    name = page.locator(".weights .name")
    expect(name).to_have_text("Gaussian blur")
    settled(page)
    check(page, KERNELS["gaussian"].kernel().weights)
    page.locator("[data-key=sigma] input[type=range]").fill("2.3")
    expect(page).to_have_url(re.compile("kernel=gaussian~5~2.3"))
    settled(page)
    turned = KERNELS["gaussian"].kernel(5, 2.3).weights
    check(page, turned)
    # edited, it keeps its numbers and loses its name
    page.locator(".cell[tabindex='0']").focus()
    for key in ["ArrowUp", "ArrowLeft", "3", "Enter"]:
        page.keyboard.press(key)
    expect(name).to_have_text("Custom")
    edited = turned.copy()
    edited[0, 0, 0] = 3
    check(page, edited)
    expect(page).to_have_url(re.compile("kernel=3_"))
    np.testing.assert_array_equal(read_kernel(query(page)["kernel"])[2].weights, edited)
    settled(page)
    check(page, edited)
    # and the preset comes back as it was
    page.get_by_role("button", name="Undo", exact=True).click()
    check(page, turned)


# ------------------------------------------------------------------------------- stencil colours and hatching

LAID = {"stride": "2", "dilation": "2", "padding": "amount", "pad": "3", "side": "64"}


@pytest.mark.parametrize(("mode", "way"), [("zeros", "cross"), ("reflect", "flip")])
def test_pointing_at_a_weight_tints_the_pixels_that_it_meets(page: Page, address: str, mode: str, way: str):
    open_page(page, address, kernel=text_of(UNEVEN), hues="1", mode=mode, way=way, **LAID)
    seen = state(page)
    for place in [(0, 2), (1, 0), (2, 2)]:
        page.mouse.move(*cell(page, *place))
        alone = np.zeros((1, 3, 3))
        alone[(0, *place)] = 1
        if way == "flip":
            alone = np.flip(alone, (1, 2)).copy()
        wanted = met(Case(planes(seen.picture), alone, (2, 2), (3, 3), (2, 2), mode))
        assert 0.2 < wanted.mean() < 0.8
        np.testing.assert_array_equal(canvas(page, "input", "veil")[..., 3] > 0, wanted)
    page.mouse.move(5, 5)
    assert page.locator(".input canvas.veil").evaluate("veil => veil.classList.contains('hatched')")


@pytest.mark.parametrize(
    ("link", "case"),
    [
        (
            {"kernel": "box~3", "stride": "4", "padding": "amount", "pad": "0"},
            {"stride": (4, 4), "padding": (0, 0), "dilation": (1, 1)},
        ),
        (
            {"kernel": "1_1", "stride": "3", "dilation": "2", "mode": "circular"},
            {"stride": (3, 3), "padding": "same", "dilation": (2, 2), "mode": "circular"},
        ),
        ({"kernel": "box~3"}, {}),
    ],
    ids=["stride 4", "two weights", "all read"],
)
def test_pixels_that_no_window_reads_are_hatched_and_counted(
    page: Page, address: str, link: dict[str, str], case: dict[str, Any]
):
    open_page(page, address, side="64", **link)
    seen = state(page)
    unread = ~met(Case(planes(seen.picture), np.ones_like(seen.weights), **{**SAME, **case}))
    np.testing.assert_array_equal(canvas(page, "input", "veil")[..., 3] > 0, unread)
    words = page.locator(".unread").inner_text()
    if unread.any():
        assert words.startswith(f"{unread.sum():,} pixels ({round(100 * unread.mean())} %)")
    else:
        assert words == ""


# ------------------------------------------------------------------------------- red, green, blue


def test_each_channel_has_its_part_of_the_sum_and_may_have_its_own_weights(page: Page, address: str):
    open_page(page, address, kernel=text_of(UNEVEN), colour="rgb", bias="25", side="64", picture="coffee")
    seen = state(page)
    one_by_one = [convolved(Case(plane[None], UNEVEN, **SAME)) for plane in planes(seen.picture, "rgb")]
    assert difference(seen.parts, np.stack(one_by_one)) < 1e-4
    assert difference(seen.result, sum(one_by_one) + 25) < 1e-4
    page.get_by_role("button", name="k ⋆ green").click()
    expect(page.locator(".output .size")).to_contain_text("green alone")
    inside = np.abs(seen.parts[1][1:-1, 1:-1]).max()
    np.testing.assert_array_equal(
        canvas(page, "output")[..., :3], signed_picture(seen.parts[1], float(inside))
    )
    page.get_by_role("button", name="the three in colour").click()
    expected = np.stack([as_photograph(part) for part in seen.parts], axis=-1)
    np.testing.assert_array_equal(canvas(page, "output")[..., :3], expected)

    page.get_by_role("button", name="One for each channel").click()
    expect(page.get_by_role("button", name="Red", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("kernel=1_2_3.*~~1_2_3.*~~1_2_3"))
    drag(page, (0, 0))
    drag(page, (1, 1))
    changed = state(page)
    grids = np.repeat(UNEVEN, 3, 0)
    grids[0, 1, 1] = 1  # the first cell was 1 before
    np.testing.assert_array_equal(changed.weights, grids)
    np.testing.assert_array_equal(changed.parts[1:], seen.parts[1:])
    case = Case(planes(seen.picture, "rgb"), grids, **SAME)
    assert difference(changed.result, convolved(case) + 25) < 1e-4
    page.get_by_role("button", name="All", exact=True).click()
    drag(page, (2, 2))
    grids[:, 2, 2] = 1
    np.testing.assert_array_equal(weights(page), grids)
    page.get_by_role("button", name="One for all").click()
    np.testing.assert_array_equal(weights(page), grids[:1])


def test_a_channel_alone_is_left_aside_when_there_is_one(page: Page, address: str):
    open_page(page, address, colour="rgb", bias="50", side="64", kernel="box~3", padding="amount", pad="0")
    page.get_by_role("button", name="k ⋆ red").click()
    page.get_by_text("Grey", exact=True).click()
    expect(page.locator(".parts")).to_be_hidden()
    settled(page)
    seen = state(page)
    peak = float(np.abs(seen.result).max())
    np.testing.assert_array_equal(canvas(page, "output")[..., :3], signed_picture(seen.result, peak))
    assert number(page.locator(".range .max").inner_text()) == pytest.approx(seen.result.max(), abs=0.006)


# ------------------------------------------------------------------------------- any picture, any link


def upload(page: Page, name: str, data: bytes) -> None:
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def test_a_picture_of_one_pixel_is_convolved(page: Page, address: str):
    open_page(page, address, kernel=text_of(UNEVEN), stride="2", mode="reflect")
    upload(page, "one.png", png(np.array([[[200, 100, 50]]], np.uint8)))
    expect(page.locator(".input .size")).to_have_text("1 × 1")
    settled(page)
    seen = state(page)
    grey = Image.new("RGB", (1, 1), (200, 100, 50)).convert("L").getpixel((0, 0))
    np.testing.assert_array_equal(seen.result, [[5 * grey]])
    expect(page.locator("output")).to_contain_text(f"Row 0, column 0: sum of 9 products = {5 * grey}")
    drag(page, (1, 1))
    np.testing.assert_array_equal(state(page).result, [[grey]])
    page.get_by_text("Choose", exact=True).click()
    expect(page.get_by_test_id("stAlert").or_(page.locator(".output .size")).first).to_be_visible()
    assert "Traceback" not in page.content()


def test_a_picture_of_12_million_pixels_is_convolved(page: Page, address: str):
    open_page(page, address, kernel=text_of(UNEVEN))
    rows, columns = np.mgrid[:3000, :4000].astype(np.float32)
    pixels = np.stack(
        [127 + 127 * np.sin(rows / 90), columns / 16, 127 + 127 * np.cos((rows + columns) / 40)], -1
    ).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    upload(page, "large.jpg", file.getvalue())
    expect(page.locator(".input .size")).to_have_text("384 × 512")
    settled(page)
    check(page, UNEVEN)
    page.get_by_label("Size of the picture, longest side").click()
    page.get_by_role("option", name="2048 pixels").click()
    expect(page.locator(".input .size")).to_have_text("1536 × 2048")
    settled(page)
    check(page, UNEVEN)


HOSTILE = [
    ({"kernel": "nonsense"}, ["no kernel “nonsense”"]),
    ({"kernel": "1e999"}, ["kernel cannot be shown"]),
    ({"kernel": "~".join(["_".join("1" * 12)] * 12)}, ["1 to 11"]),
    ({"kernel": "gaussian~5~nan"}, ["kernel cannot be shown"]),
    (
        {"stride": "99", "padding": "amount", "pad": "-1", "mode": "x", "bias": "1e5", "side": "7"},
        ["stride 99", "pad -1", "the padding x", "bias 1e5", "the size 7"],
    ),
    (
        {
            "activation": "<img src=x onerror=alert(1)>",
            "way": "up",
            "colour": "9",
            "hues": "no",
            "shown": "all",
        },
        ["the activation <img", "the way up", "the colours 9", "hues no", "the view all"],
    ),
    ({"at": "9_9_9"}, []),
    ({"at": "99999_99999"}, []),
]


@pytest.mark.parametrize(("link", "sentences"), HOSTILE, ids=lambda part: str(part)[:30])
def test_a_link_that_asks_for_nonsense_gets_a_sentence_and_the_usual(
    page: Page, address: str, link: dict[str, str], sentences: list[str]
):
    open_page(page, address, **link)
    alerts = page.get_by_test_id("stAlert")
    expect(alerts).to_have_count(len(sentences))
    told = " ".join(alerts.all_inner_texts())
    for sentence in sentences:
        assert sentence.lower() in told.lower()
    assert "Traceback" not in page.content()
    seen = check(page, KERNELS["sobel_x"].kernel().weights)
    assert seen.pinned is (link.get("at") == "99999_99999")


# ------------------------------------------------------------------------------- the camera


@pytest.fixture(scope="module")
def filming(browser: Browser) -> Iterator[Browser]:
    """A Chromium whose camera shows a moving picture."""
    other = browser.browser_type.launch(
        executable_path=chromium.find(), args=[*FLAGS, "--use-fake-device-for-media-stream"]
    )
    yield other
    other.close()


def camera(page: Page) -> Locator:
    return page.locator("button.camera")


def test_the_live_picture_is_convolved_here_and_sent_nowhere(filming: Browser, address: str):
    with visiting(filming) as page:
        page.context.grant_permissions(["camera"])
        frames = sent_frames(page)
        # the largest kernel on three channels: frames must not overtake each other
        grids = np.random.default_rng(3).normal(size=(3, 11, 11))
        open_page(page, address, kernel=text_of(grids), picture="coffee", side="64")
        camera(page).click()
        expect(page.locator(".told")).to_contain_text("nothing of it is sent")
        expect(camera(page)).to_have_text("Stop the camera")
        expect(page.locator(".input .size")).to_have_text("240 × 320")
        page.wait_for_timeout(300)
        settled(page)
        before = len(frames)
        shots = []
        for _ in range(3):
            seen = state(page)
            case = Case(planes(seen.picture, "rgb"), grids, **SAME)
            assert difference(seen.result, convolved(case)) < 1e-4
            shots.append(seen.picture)
            page.wait_for_timeout(400)
        assert (shots[0] != shots[1]).any()
        assert (shots[1] != shots[2]).any()
        assert len(frames) == before, "not one message while the camera runs"
        tracks = bench(page).evaluate_handle("bench => bench._stencil.stream.getTracks()")
        camera(page).click()
        expect(page.locator(".input .size")).to_have_text("43 × 64")
        expect(camera(page)).to_have_text("Live camera")
        assert tracks.evaluate("tracks => tracks.map((track) => track.readyState)") == ["ended"]
        np.testing.assert_array_equal(state(page).picture, thumbnail(sample_photo("coffee").pixels, 64))


def test_a_camera_that_is_refused_or_missing_gets_its_sentence(filming: Browser, page: Page, address: str):
    with visiting(filming) as other:
        open_page(other, address)
        camera(other).click()
        expect(other.locator(".told")).to_have_text("The browser does not grant the camera.")
        expect(camera(other)).to_have_text("Live camera")
        check(other, KERNELS["sobel_x"].kernel().weights)
    open_page(page, address)
    camera(page).click()
    expect(page.locator(".told")).to_have_text("There is no camera.")


# ------------------------------------------------------------------------------- for everybody


def focus(page: Page) -> str:
    """Class of the focused element, through shadow roots, behind that of the board around it."""
    return page.evaluate(
        "() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement)"
        " e = e.shadowRoot.activeElement; return `${e?.closest?.('figure')?.className} ${e?.className}` }"
    )


def tab_to(page: Page, name: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if name in focus(page):
            return
    raise AssertionError(f"Tab never reaches {name}")


def test_everything_works_with_the_keyboard_alone(page: Page, address: str):
    open_page(page, address, side="64")
    page.locator("h1").click()
    tab_to(page, "weights cell")
    for key in ["ArrowDown", "ArrowRight", "7", "Enter"]:
        page.keyboard.press(key)
    sobel = KERNELS["sobel_x"].kernel().weights.copy()
    sobel[0, 1, 1] = 7
    seen = check(page, sobel)
    expect(page).to_have_url(re.compile("kernel="))
    settled(page)
    assert "weights cell" in focus(page), "the hand stays where it was"
    tab_to(page, "output stage")
    row, column = seen.at
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    told_number(page, seen, row + 10, column + 1)
    page.keyboard.press("Enter")
    expect(page.locator("output")).to_contain_text("pinned")
    assert page.locator("output").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    browser: Browser, address: str, dark: bool, width: int
):
    with visiting(browser, width=width, dark=dark) as page:
        open_page(page, address, colour="rgb", hues="1", lens="1", stride="4", padding="amount", pad="0")
        at_rest(page)
        found = Axe().run(page).response["violations"]
        ours = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        assert not ours, [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in ours]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        for part in (
            ".input .stage",
            ".weights",
            ".output .stage",
            ".ledger canvas",
            ".lens canvas",
            ".picker",
        ):
            area = page.locator(part).first.bounding_box()
            assert area
            assert area["x"] >= 0
            assert area["x"] + area["width"] <= width


def test_a_digit_behind_a_minus_makes_it_a_sign(page: Page, address: str):
    open_page(page, address, **EMPTY)
    page.locator(".cell").nth(7).focus()
    expected = weights(page).copy()
    page.locator(".cell").nth(7).click()
    page.keyboard.type("-5")
    page.keyboard.press("Enter")
    expected[0, 1, 2] = -5
    check(page, expected)
    page.keyboard.press("Enter")
    page.keyboard.type("-0,25")
    page.keyboard.press("Enter")
    expected[0, 1, 2] = -0.25
    check(page, expected)


def test_the_wheel_scrolls_the_page_unless_somebody_is_at_the_weights(page: Page, address: str):
    open_page(page, address, kernel="sobel_x")
    before = weights(page).copy()
    page.mouse.move(*cell(page, 1, 1))
    page.mouse.wheel(0, 200)
    page.wait_for_timeout(400)
    np.testing.assert_array_equal(weights(page), before)
    assert "kernel=" not in page.url


def test_what_cannot_be_done_is_said_and_changes_nothing(page: Page, address: str):
    open_page(page, address, kernel="sobel_x")
    before = weights(page).copy()
    page.get_by_role("button", name="Sum to 1").click()
    expect(page.locator(".trouble")).to_have_text("The weights sum to 0: no factor makes that 1.")
    page.get_by_role("button", name="Zero mean").click()
    expect(page.locator(".trouble")).to_have_text("“Zero mean” changes nothing here.")
    page.locator("input.brush").fill("1/0")
    page.locator("input.brush").press("Tab")
    expect(page.locator(".trouble")).to_contain_text("“1/0” is no weight")
    np.testing.assert_array_equal(weights(page), before)
    expect(page.locator(".weights .name")).to_have_text("Sobel x")


def test_a_preset_is_seen_as_suits_it(page: Page, address: str):
    open_page(page, address)
    page.locator("button.open").first.click()
    page.keyboard.type("box")
    page.keyboard.press("Enter")
    expect(page.locator(".weights .name")).to_have_text("Box blur")
    expect(page.get_by_role("button", name="As a photograph")).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("shown=photo"))


def test_another_stride_leaves_the_window_over_the_same_part(page: Page, address: str):
    open_page(page, address, side="64", padding="amount", pad="1")
    hover(page, "output", 30, 40, state(page).result.shape)
    expect(page.locator("output")).to_contain_text("Row 30, column 40")
    turn_stride = page.locator(".dial[data-key=stride] input[type=number]")
    turn_stride.fill("2")
    turn_stride.press("Tab")
    expect(page.locator("output")).to_contain_text("Row 15, column 20")
