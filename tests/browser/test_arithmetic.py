"""What the browser computes, against torch, numpy and Pillow: `_convolution.js`, `_kernel.js`, `_worked.js`."""

from __future__ import annotations

import base64
import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from explorer.animation import HOLE, animate, stages, to_json
from explorer.layers import KINDS, POOLS, LayerSpec, Sizes
from explorer.ui.components.player import Numbers
from explorer.worked import worked_numbers
from tests.browser.serving import ROOT, visiting
from tests.test_animation import random_layer, torch_results

COMPONENTS = ROOT / "explorer" / "ui" / "components"
MODES = ("zeros", "reflect", "replicate", "circular")
CASES = 200
# torch says that it copies the picture for an even kernel; the numbers are what we ask for
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

LOAD = """async (parts) => {
  const load = (text) => import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  for (const [name, text] of Object.entries(parts)) window[name] = await load(text);
  window.floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  window.encoded = (array) => {
    const bytes = new Uint8Array(array.buffer);
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  };
}"""


@pytest.fixture(scope="module")
def scripts(browser: Browser) -> Iterator[Page]:
    """An empty page with the modules `convolution`, `kernel`, `worked`, and arrays in and out of base64."""
    parts = {
        name: (COMPONENTS / f"_{name}.js").read_text(encoding="utf-8")
        for name in ("convolution", "kernel", "worked")
    }
    with visiting(browser) as page:
        page.goto("about:blank")
        page.evaluate(LOAD, parts)
        yield page


def encoded(values: NDArray[Any]) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def floats(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), "<f4")


# ----------------------------------------------------------------------------------- convolution


@dataclass(frozen=True, eq=False)
class Case:
    """A picture (channels, height, width), weights (1 or channels, rows, columns), and how the window moves."""

    picture: NDArray[np.float32]
    weights: NDArray[np.float64]
    stride: tuple[int, int]
    padding: str | tuple[int, int]
    dilation: tuple[int, int]
    mode: str

    def message(self) -> dict[str, Any]:
        _, height, width = self.picture.shape
        return {
            "planes": [encoded(plane) for plane in self.picture],
            "height": height,
            "width": width,
            "weights": self.weights.reshape(len(self.weights), -1).tolist(),
            "spec": {
                "kernelHeight": self.weights.shape[1],
                "kernelWidth": self.weights.shape[2],
                "stride": self.stride,
                "padding": self.padding,
                "dilation": self.dilation,
                "mode": self.mode,
            },
        }

    def torch(self, picture: torch.Tensor | None = None) -> torch.Tensor | None:
        """What torch.nn.Conv2d makes of it in float64, (rows, columns); None where it refuses.

        torch has padding="same" for stride 1 alone: with a stride it is every so many of those numbers.
        """
        same = self.padding == "same"
        channels = len(self.picture)
        layer = torch.nn.Conv2d(
            channels,
            1,
            self.weights.shape[1:],
            stride=1 if same else self.stride,
            padding=self.padding,
            dilation=self.dilation,
            padding_mode=self.mode,
            bias=False,
            dtype=torch.float64,
        )
        layer.weight.data[:] = torch.from_numpy(self.weights)
        picture = torch.from_numpy(self.picture).double() if picture is None else picture
        try:
            result = layer(picture[None])[0, 0]
        except RuntimeError:
            return None
        return result[:: self.stride[0], :: self.stride[1]] if same else result


def random_case(random: np.random.Generator, largest: int, side: int) -> Case:
    """A case with a kernel of sides up to `largest`, some weights of it zero, on a picture with sides up to `side`."""
    two = lambda low, high: tuple(random.integers(low, high + 1, 2).tolist())  # noqa: E731
    channels = int(random.choice([1, 3]))
    shape = (int(random.choice([1, channels])), *two(1, largest))
    return Case(
        picture=random.integers(0, 256, (channels, *two(1, side))).astype(np.float32),
        weights=random.normal(size=shape) * (random.random(shape) < 0.8),
        stride=two(1, 4),
        padding="same" if random.random() < 0.5 else two(0, 6),
        dilation=two(1, 3),
        mode=str(random.choice(MODES)),
    )


@pytest.fixture(scope="module")
def cases() -> list[tuple[Case, NDArray[np.float64]]]:
    """200 seeded cases that torch takes, with its results."""
    random = np.random.default_rng(0)
    drawn = (random_case(random, 11, 48) for _ in itertools.count())
    taken = ((case, case.torch()) for case in drawn)
    return [
        (case, result.detach().numpy())
        for case, result in itertools.islice((pair for pair in taken if pair[1] is not None), CASES)
    ]


def test_convolution_equals_torch_in_200_random_cases(scripts: Page, cases: list[tuple[Case, NDArray[Any]]]):
    answers = scripts.evaluate(
        """(cases) => cases.map(({ planes, height, width, weights, spec }) => {
          const { margins, outputShape, pad, convolve } = convolution;
          const shape = outputShape(height, width, spec);
          const m = margins(height, width, spec);
          const paddeds = planes.map((plane) => pad(floats(plane), height, width, m, spec.mode));
          return { shape, values: encoded(convolve(paddeds, weights, spec, ...shape)) };
        })""",
        [case.message() for case, _ in cases],
    )
    worst = 0.0
    for (case, expected), answer in zip(cases, answers, strict=True):
        assert tuple(answer["shape"]) == expected.shape, case
        difference = np.abs(floats(answer["values"]).reshape(expected.shape) - expected).max()
        worst = max(worst, difference / max(np.abs(expected).max(), 1))
    assert worst < 1e-5, f"differs from torch by {worst:.1e} of the largest value"
    # the draw holds what it is for
    assert {case.mode for case, _ in cases if case.padding == "same"} == set(MODES)
    assert {side for case, _ in cases for side in case.weights.shape[1:]} == set(range(1, 12))


def test_nothing_comes_out_where_torch_refuses(scripts: Page):
    random = np.random.default_rng(1)
    drawn = [random_case(random, 5, 6) for _ in range(300)]
    shapes = scripts.evaluate(
        "(cases) => cases.map(({ height, width, spec }) => convolution.outputShape(height, width, spec))",
        [case.message() for case in drawn],
    )
    results = [case.torch() for case in drawn]
    assert [None if shape is None else tuple(shape) for shape in shapes] == [
        None if result is None else tuple(result.shape) for result in results
    ]
    assert 50 < sum(result is None for result in results) < 250


def test_the_ledger_of_any_number_is_what_torch_added_up(
    scripts: Page, cases: list[tuple[Case, NDArray[Any]]]
):
    random = np.random.default_rng(2)
    places = [[int(random.integers(side)) for side in expected.shape] for _, expected in cases]
    ledgers = scripts.evaluate(
        """([cases, places]) => cases.map(({ planes, height, width, weights, spec }, index) => {
          const { margins, pad, windowAt } = convolution;
          const m = margins(height, width, spec);
          const paddeds = planes.map((plane) => pad(floats(plane), height, width, m, spec.mode));
          return windowAt(paddeds, weights, spec, height, width, ...places[index], 12.5, "relu");
        })""",
        [[case.message() for case, _ in cases], places],
    )
    padded = 0
    for (case, expected), place, ledger in zip(cases, places, ledgers, strict=True):
        total = expected[tuple(place)]
        assert ledger["sum"] == pytest.approx(total, abs=1e-6)
        assert sum(ledger["sums"]) == pytest.approx(total, abs=1e-6)
        assert ledger["biased"] == pytest.approx(total + 12.5, abs=1e-6)
        assert ledger["result"] == pytest.approx(max(total + 12.5, 0), abs=1e-6)
        kernels = np.broadcast_to(case.weights, (len(case.picture), *case.weights.shape[1:]))
        for plane, kernel, products in zip(case.picture, kernels, ledger["channels"], strict=True):
            assert [product["weight"] for product in products] == kernel.ravel().tolist()
            rows = np.array([product["row"] for product in products]).reshape(kernel.shape)
            columns = np.array([product["column"] for product in products]).reshape(kernel.shape)
            assert (np.diff(rows, axis=0) == case.dilation[0]).all()
            assert (np.diff(columns, axis=1) == case.dilation[1]).all()
            for product in products:
                at, seen = (
                    (product["row"], product["column"]),
                    (product["sourceRow"], product["sourceColumn"]),
                )
                inside = all(0 <= index < side for index, side in zip(at, plane.shape, strict=True))
                assert product["padding"] is not inside
                assert seen == at or not inside
                assert product["value"] == (0 if -1 in seen else plane[seen])
                assert product["product"] == product["value"] * product["weight"]
                assert -1 not in seen or case.mode == "zeros"
                padded += product["padding"]
    assert padded > 500


def test_coverage_is_the_gradient_of_the_sum_of_all_windows(scripts: Page):
    random = np.random.default_rng(3)
    drawn = [random_case(random, 7, 20) for _ in range(120)]
    ones = [replace(case, picture=case.picture[:1], weights=np.ones_like(case.weights[:1])) for case in drawn]
    counts = scripts.evaluate(
        """(cases) => cases.map(({ height, width, spec }) =>
          [Array.from(convolution.coverage(height, spec, 0)), Array.from(convolution.coverage(width, spec, 1))])""",
        [case.message() for case in ones],
    )
    unread = 0
    for case, (rows, columns) in zip(ones, counts, strict=True):
        picture = torch.zeros(case.picture.shape, dtype=torch.float64, requires_grad=True)
        if (result := case.torch(picture)) is None:
            continue
        result.sum().backward()
        # windows are products of rows and columns, and so are their numbers
        np.testing.assert_array_equal(np.outer(rows, columns), picture.grad[0].numpy())
        unread += (picture.grad == 0).any().item()
    assert unread > 10


def test_changing_a_weight_by_its_difference_is_convolving_anew(
    scripts: Page, cases: list[tuple[Case, NDArray[Any]]]
):
    answers = scripts.evaluate(
        """(cases) => cases.map(({ planes, height, width, weights, spec }) => {
          const { margins, outputShape, pad, convolve, accumulate } = convolution;
          const [rows, columns] = outputShape(height, width, spec);
          const m = margins(height, width, spec);
          const paddeds = planes.map((plane) => pad(floats(plane), height, width, m, spec.mode));
          const before = weights.map((kernel) => kernel.map((weight, tap) => weight - (tap === kernel.length - 1)));
          const half = Math.floor(rows / 2);
          const out = convolve(paddeds, before, spec, rows, columns, undefined, 0, half);
          convolve(paddeds, before, spec, rows, columns, out, half, rows);
          const last = [spec.kernelHeight - 1, spec.kernelWidth - 1];
          for (const padded of paddeds)
            for (const slice of [[0, half], [half]]) accumulate(out, rows, columns, padded, ...last, 1, spec, ...slice);
          return encoded(out);
        })""",
        [case.message() for case, _ in cases[:50]],
    )
    for (_, expected), answer in zip(cases, answers, strict=False):
        np.testing.assert_allclose(floats(answer).reshape(expected.shape), expected, rtol=1e-5, atol=2e-3)


def test_windows_inside_the_picture_are_those_that_sum_all_of_a_picture_of_ones(scripts: Page):
    random = np.random.default_rng(12)
    drawn = [random_case(random, 7, 20) for _ in range(120)]
    results = [
        replace(
            case, picture=np.ones_like(case.picture[:1]), weights=np.ones_like(case.weights[:1]), mode="zeros"
        ).torch()
        for case in drawn
    ]
    pairs = [
        (case, result.detach().numpy())
        for case, result in zip(drawn, results, strict=True)
        if result is not None
    ]
    random_values = [random.normal(size=result.shape).astype(np.float32) for _, result in pairs]
    answers = scripts.evaluate(
        """([cases, values]) => cases.map(({ height, width, spec }, index) => {
          const columns = convolution.outputShape(height, width, spec)[1];
          const inside = convolution.insideOf(height, width, spec);
          return [inside, convolution.innerPeak(floats(values[index]), columns, inside)];
        })""",
        [[replace(case, mode="zeros").message() for case, _ in pairs], list(map(encoded, random_values))],
    )
    within = 0
    for (case, result), values, (inside, peak) in zip(pairs, random_values, answers, strict=True):
        top, bottom, left, right = inside
        full = result == case.weights[0].size
        expected = np.zeros_like(full)
        expected[top : max(bottom, 0), left : max(right, 0)] = True
        np.testing.assert_array_equal(expected, full)
        assert peak == np.abs(values[full] if full.any() else values).max()
        within += full.any() and not full.all()
    assert within > 30


@pytest.mark.parametrize(
    ("kind", "oracle"),
    [
        ("none", lambda z: z),
        ("relu", torch.relu),
        ("abs", torch.abs),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
    ],
)
def test_activations_are_torchs(scripts: Page, kind: str, oracle: Any):
    values = np.random.default_rng(4).normal(scale=4, size=200).astype(np.float32)
    values[:4] = [0, -1e6, 1e6, -1.5]
    answer = scripts.evaluate(
        "([values, kind]) => encoded(convolution.activate(floats(values), 1.5, kind, new Float32Array(200)))",
        [encoded(values), kind],
    )
    expected = oracle(torch.from_numpy(values).double() + 1.5).numpy()
    np.testing.assert_allclose(floats(answer), expected, rtol=1e-6, atol=1e-12)


def test_grey_and_channels_are_pillows(scripts: Page):
    ends = np.array(list(itertools.product([0, 1, 127, 128, 254, 255], repeat=3)), np.uint8)
    pixels = np.concatenate([ends, np.random.default_rng(5).integers(0, 256, (20_000, 3), np.uint8)])
    image = Image.fromarray(pixels[None]).convert("RGBA")
    answer = scripts.evaluate(
        """([text, count]) => {
          const rgba = Uint8ClampedArray.from(atob(text), (c) => c.charCodeAt(0));
          return [convolution.grey(rgba, count), ...convolution.channels(rgba, count)].map(encoded);
        }""",
        [base64.b64encode(image.tobytes()).decode(), len(pixels)],
    )
    grey, *channels = map(floats, answer)
    np.testing.assert_array_equal(grey, np.asarray(image.convert("L"))[0])
    np.testing.assert_array_equal(np.stack(channels, axis=1), pixels)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.random.default_rng(6).normal(100, 200, 5000), id="either side of black and white"),
        pytest.param(np.random.default_rng(7).uniform(-9, -1, 500), id="all negative"),
        pytest.param(np.arange(256.0), id="a photograph's range"),
        pytest.param(np.full(10, 7.0), id="flat"),
    ],
)
def test_statistics_are_numpys(scripts: Page, values: NDArray[np.float64]):
    values = values.astype(np.float32).astype(np.float64)
    told = scripts.evaluate(
        """(values) => {
          const told = convolution.statistics(floats(values));
          return { ...told, histogram: Array.from(told.histogram) };
        }""",
        encoded(values),
    )
    assert (told["min"], told["max"], told["peak"]) == (values.min(), values.max(), np.abs(values).max())
    assert told["mean"] == pytest.approx(values.mean(), rel=1e-9)
    assert (told["below"], told["above"]) == ((values < -0.5).sum(), (values > 255.5).sum())
    assert sum(told["histogram"]) == len(values)
    if values.min() < values.max():
        np.testing.assert_array_equal(told["histogram"], np.histogram(values, 64)[0])


# ---------------------------------------------------------------------------------------- kernel


def operate(scripts: Page, operation: str, weights: NDArray[np.float64], *more: int) -> NDArray[np.float64]:
    """An operation of `_kernel.js` on (channels, height, width); the kernel that it was given must stay as it was."""
    channels, height, width = weights.shape
    kernel = {"height": height, "width": width, "channels": weights.reshape(channels, -1).tolist()}
    result, untouched = scripts.evaluate(
        """([operation, given, more]) => {
          const result = kernel[operation](given, ...more);
          return [{ ...result, channels: result.channels.map((values) => Array.from(values)) }, given];
        }""",
        [operation, kernel, more],
    )
    assert untouched == kernel
    return np.array(result["channels"]).reshape(channels, result["height"], result["width"])


@pytest.mark.parametrize("shape", [(1, 3, 3), (1, 2, 5), (3, 4, 3), (1, 1, 1), (3, 11, 11)])
@pytest.mark.parametrize(
    ("operation", "oracle"),
    [
        ("mirror", lambda w: np.flip(w, 2)),
        ("flipVertical", lambda w: np.flip(w, 1)),
        ("rotate", lambda w: np.rot90(w, -1, axes=(1, 2))),
        ("negate", np.negative),
        ("normalise", lambda w: w / w.sum((1, 2), keepdims=True)),
        ("zeroMean", lambda w: w - w.mean((1, 2), keepdims=True)),
        ("clear", np.zeros_like),
    ],
)
def test_operations_on_a_kernel_are_numpys(
    scripts: Page, operation: str, oracle: Any, shape: tuple[int, int, int]
):
    weights = np.random.default_rng(8).normal(size=shape)
    np.testing.assert_allclose(operate(scripts, operation, weights), oracle(weights), rtol=1e-12, atol=1e-15)


def test_normalising_leaves_alone_what_sums_to_nothing(scripts: Page):
    weights = np.array([[[-1.0, 0, 1]], [[0.1, 0.2, -0.3]], [[1.0, 2, 1]]])
    np.testing.assert_array_equal(operate(scripts, "normalise", weights)[:2], weights[:2])


def test_negating_makes_no_minus_zero(scripts: Page):
    assert not np.signbit(operate(scripts, "negate", np.array([[[0.0, 1, -0.0]]]))[0, 0, ::2]).any()


@pytest.mark.parametrize("old", [(1, 1), (2, 2), (3, 3), (3, 4), (5, 2)])
@pytest.mark.parametrize("grown", [(5, 5), (6, 6), (11, 8)])
def test_growing_a_kernel_changes_no_pixel_and_shrinking_it_again_no_weight(
    scripts: Page, old: tuple[int, int], grown: tuple[int, int]
):
    random = np.random.default_rng(9)
    weights = random.normal(size=(1, *old))
    larger = operate(scripts, "resize", weights, *grown)
    assert larger.shape == (1, *grown)
    picture = random.integers(0, 256, (1, 20, 20)).astype(np.float32)
    small, large = (
        Case(picture, kernel, (1, 1), "same", (1, 1), "zeros").torch().detach()
        for kernel in (weights, larger)
    )
    np.testing.assert_allclose(large, small, atol=1e-9)
    np.testing.assert_array_equal(operate(scripts, "resize", larger, *old), weights)


def test_shrinking_keeps_the_centre(scripts: Page):
    weights = np.arange(25.0).reshape(1, 5, 5)
    np.testing.assert_array_equal(operate(scripts, "resize", weights, 3, 1)[0], [[7], [12], [17]])
    np.testing.assert_array_equal(
        operate(scripts, "resize", weights, 2, 4)[0], [[11, 12, 13, 14], [16, 17, 18, 19]]
    )


@pytest.mark.parametrize(
    "text",
    ["0.25", "-1", "1/9", " -1 / 9 ", "2/-3", "+.5", "7.", "1e-3", "2.5E2/5", "0", "-1000000", "1/3000000"],
)
def test_numbers_are_read_as_python_reads_them(scripts: Page, text: str):
    above, _, below = text.replace(" ", "").partition("/")
    expected = float(Fraction(float(above))) / float(below or 1)
    assert scripts.evaluate("(text) => kernel.parseNumber(text)", text) == expected


def test_the_typographers_minus_is_a_minus(scripts: Page):
    assert scripts.evaluate("(text) => kernel.parseNumber(text)", "−1/4") == -0.25


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "1/0",
        "0/0",
        "1/",
        "/2",
        "1//2",
        "1/2/3",
        "--1",
        "1e",
        ".",
        "1 2",
        "0x10",
        "Infinity",
        "NaN",
        "1e999",
        "1000001",
    ],
)
def test_nonsense_and_what_is_too_large_is_no_number(scripts: Page, text: str):
    assert math.isnan(scripts.evaluate("(text) => kernel.parseNumber(text)", text))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1"),
        (-1, "-1"),
        (0.25, "0.25"),
        (1 / 9, "0.1111"),
        (-2 / 3, "-0.6667"),
        (0.1 + 0.2, "0.3"),
        (12.3456, "12.35"),
        (-1234.5, "-1235"),
        (0.0123, "0.0123"),
        (1e-7, "1e-7"),
        (-0.000123, "-1.2e-4"),
        (1_000_000, "1000000"),
    ],
)
def test_numbers_are_shown_short(scripts: Page, value: float, shown: str):
    assert scripts.evaluate("(value) => kernel.showNumber(value)", value) == shown


def test_what_is_shown_is_the_number_to_half_of_its_last_digit(scripts: Page):
    random = np.random.default_rng(10)
    values = (random.normal(size=500) * 10 ** random.uniform(-9, 5, 500)).tolist()
    shown = scripts.evaluate("(values) => values.map(kernel.showNumber)", values)
    for value, text in zip(values, shown, strict=True):
        assert len(text) <= 7 + text.startswith("-")
        assert float(text) == pytest.approx(value, rel=0.051, abs=0)
        if abs(value) >= 0.001:
            assert abs(float(text) - value) <= max(0.5001e-4, 0.5001e-3 * abs(value))


def test_a_stroke_has_no_holes_and_keeps_to_the_line(scripts: Page):
    ends = np.random.default_rng(11).integers(0, 11, (100, 2, 2))
    strokes = scripts.evaluate("(ends) => ends.map(([from, to]) => kernel.line(from, to))", ends.tolist())
    for (start, end), cells in zip(ends, map(np.array, strokes), strict=True):
        steps = np.abs(end - start).max()
        assert cells[0].tolist() == start.tolist()
        assert cells[-1].tolist() == end.tolist()
        assert len(cells) == steps + 1
        ideal = start + np.linspace(0, 1, steps + 1)[:, None] * (end - start)
        assert np.abs(cells - ideal).max() <= 0.5 + 1e-9
        assert (np.abs(np.diff(cells, axis=0)).max(axis=1, initial=0) == 1).all()


def test_history_goes_back_forward_and_forgets_what_was_undone(scripts: Page):
    assert scripts.evaluate(
        """() => {
          const history = new kernel.History();
          const able = () => [history.canUndo, history.canRedo];
          const told = [able()];
          for (const state of ["a", "b", "c"]) history.push(state);
          told.push(able(), history.undo(), history.undo(), able(), history.undo(), history.redo());
          history.push("d");
          told.push(able(), history.redo(), history.undo(), history.undo());
          return told;
        }"""
    ) == [
        *[[False, False], [True, False], "b", "a", [False, True], "a", "b"],
        *[[True, False], "d", "b", "a"],
    ]


def test_history_keeps_as_many_states_as_it_may(scripts: Page):
    undone = scripts.evaluate(
        """() => {
          const history = new kernel.History(5);
          for (let state = 0; state < 20; state++) history.push(state);
          const undone = [];
          while (history.canUndo) undone.push(history.undo());
          return undone;
        }"""
    )
    assert undone == [18, 17, 16, 15]


# ---------------------------------------------------------------------------- the window's own numbers

Worked = tuple[NDArray[Any], tuple[NDArray[Any], ...], tuple[NDArray[Any] | None, ...]]


def own_numbers(random: np.random.Generator, worked: Worked) -> Worked:
    """Quarters from −9 to 9 in place of the worked numbers: their products and sums are exact."""

    def quarters(like: NDArray[Any] | None) -> Any:
        return None if like is None else random.integers(-36, 37, like.shape) / 4

    picture, weights, bias = worked
    return quarters(picture), tuple(map(quarters, weights)), tuple(map(quarters, bias))


def messages(spec: LayerSpec, worked: Worked, view: Any = "gather") -> list[dict[str, Any]]:
    """What the player gets of each stage."""
    picture, weights, bias = worked
    told = []
    for stage, animation in enumerate(animate(spec, *worked, view)):
        numbers = Numbers(picture, *((weights[stage], bias[stage]) if weights else ()), stage=stage)
        told.append({"animation": to_json(animation), "numbers": numbers.to_json()})
        picture = np.stack([plane.values for plane in animation.outputs])
    return told


def parts(own: Worked, stage: int) -> dict[str, list[float]]:
    """A stage's own numbers by their names; after the first stage the picture is not one's own."""
    picture, weights, bias = own
    named = {"picture": picture} if stage == 0 else {}
    if weights:
        named |= {"weights": weights[stage], "bias": bias[stage]}
    return {name: array.ravel().tolist() for name, array in named.items() if array is not None}


OWN = """(cases) => cases.map((stages) => {
  let made = null;
  return stages.map(({ animation, numbers, own }) => {
    const bench = new worked.Worked(animation, numbers);
    if (made) bench.feed(made);
    for (const [part, values] of Object.entries(own))
      // half of a part as a whole, half one by one
      if (values.length % 2) bench.replace(part, values);
      else values.forEach((value, index) => bench.change(part, index, value));
    made = bench.results.flat();
    const outcomes = bench.frames.map((frame, index) => {
      const { winner, products } = bench.outcome(index);
      return winner >= 0 ? products[winner].tap : null;
    });
    return { results: bench.results, outcomes, edited: bench.edited };
  });
})"""


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_own_numbers_are_torchs(scripts: Page, kind: str):
    """Every padding copies the numbers that were changed, every result follows, to the last bit of a sum."""
    cases, expected = [], []
    for seed in range(12):
        random = np.random.default_rng([seed, 17, *kind.encode()])
        spec, shape = random_layer(kind, random, largest=8)
        worked = worked_numbers(spec, shape, seed)
        own = own_numbers(random, worked)
        for view in ("scatter", "equivalent") if kind == "transposed" else ("gather",):
            told = messages(spec, worked, view)
            cases.append([{**each, "own": parts(own, stage)} for stage, each in enumerate(told)])
            expected.append(torch_results(spec, *own))
    answers = scripts.evaluate(OWN, cases)
    for case, answer, results in zip(cases, answers, expected, strict=True):
        assert len(answer) == len(results)
        for told, seen, result in zip(case, answer, results, strict=True):
            assert seen["edited"]
            flags = np.array([plane["flags"] for plane in told["animation"]["outputs"]])
            values = np.array(seen["results"], float)[flags != HOLE].reshape(result.shape)
            np.testing.assert_allclose(values, result, rtol=1e-12 if "pool" in kind else 0, atol=0)


def test_the_winner_of_a_maximum_follows_own_numbers(scripts: Page):
    spec, shape = LayerSpec("max_pool", in_channels=2, kernel_size=3, stride=2, padding=1), (2, 6, 7)
    worked = worked_numbers(spec, shape)
    picture = np.random.default_rng(5).permutation(84).reshape(shape) / 4.0  # no two alike
    own = (picture, (), ())
    (answer,) = scripts.evaluate(OWN, [[{**messages(spec, worked)[0], "own": parts(own, 0)}]])
    _, winners = torch.nn.functional.max_pool2d(torch.from_numpy(picture), 3, 2, 1, return_indices=True)
    places = [[plane, row - 1, column - 1] for plane, row, column in answer[0]["outcomes"]]
    wanted = [
        [plane, at // 7, at % 7]
        for plane, own_plane in enumerate(winners)
        for at in own_plane.ravel().tolist()
    ]
    assert places == wanted


KEPT = """([before, own, after]) => {
  const first = new worked.Worked(before.animation, before.numbers);
  for (const [part, values] of Object.entries(own)) first.replace(part, values);
  const second = new worked.Worked(after.animation, after.numbers, first);
  const told = { results: second.results, dropped: second.dropped.map(({ part }) => part), edited: second.edited };
  second.reset();
  return { ...told, worked: second.results };
}"""


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        ({"stride": 2}, []),
        ({"padding": 2, "padding_mode": "circular"}, []),
        ({"kernel_size": 2}, ["weights"]),
        ({"out_channels": 3}, ["weights", "bias"]),
        ({"bias": False}, ["bias"]),
        ({"size": (5, 6)}, ["picture"]),
        ({"kind": "max_pool"}, ["weights", "bias"]),
    ],
)
def test_own_numbers_survive_another_layer_where_they_fit(
    scripts: Page, change: dict[str, Any], dropped: list[str]
):
    before, shape = LayerSpec(in_channels=2, out_channels=2, kernel_size=3, padding=1), (2, 6, 6)
    after = replace(before, **{name: value for name, value in change.items() if name != "size"})
    shape_after: Sizes = (2, *change.get("size", shape[1:]))
    own = own_numbers(np.random.default_rng(6), worked_numbers(before, shape))
    worked = worked_numbers(after, shape_after)
    told = scripts.evaluate(
        KEPT,
        [messages(before, worked_numbers(before, shape))[0], parts(own, 0), messages(after, worked)[0]],
    )
    assert told["dropped"] == dropped
    pool = after.kind in POOLS
    mixed = (
        worked[0] if "picture" in dropped else own[0],
        () if pool else worked[1] if "weights" in dropped else own[1],
        () if pool else worked[2] if "bias" in dropped else own[2],
    )
    for numbers, results in ((mixed, told["results"]), (worked, told["worked"])):
        (wanted,) = torch_results(after, *numbers)
        np.testing.assert_array_equal(np.array(results).reshape(wanted.shape), wanted)


@pytest.mark.parametrize("kind", ["conv", "grouped", "depthwise", "transposed", "dilated"])
def test_edge_weights_answer_to_edges_alone(scripts: Page, kind: str):
    """A plain picture gives nothing; a step across columns speaks to the first filter, across rows to the second."""
    groups = 2 if kind == "grouped" else 1
    spec = LayerSpec(kind, in_channels=2, out_channels=2, kernel_size=3, groups=groups, bias=False)
    worked = worked_numbers(spec, (2, 7, 7))
    (told,) = messages(spec, worked, "equivalent" if kind == "transposed" else "gather")
    edges = np.array(
        scripts.evaluate(
            "({ animation, numbers }) => Array.from(new worked.Worked(animation, numbers).edges())", told
        )
    ).reshape(worked[1][0].shape)
    step = np.zeros((2, 7, 7))
    step[:, :, 4:] = 5
    inner = slice(2, -2)
    for picture, silent in ((np.full((2, 7, 7), 3.0), (0, 1)), (step, (1,)), (step.swapaxes(1, 2), (0,))):
        (result,) = torch_results(spec, picture, [edges], [None])
        for plane in (0, 1):
            assert (result[plane, inner, inner] == 0).all() == (plane in silent)


def test_a_window_of_one_cell_has_no_edges(scripts: Page):
    spec = LayerSpec(in_channels=2, out_channels=2, kernel_size=1)
    (told,) = messages(spec, worked_numbers(spec, (2, 4, 4)))
    assert (
        scripts.evaluate("({ animation, numbers }) => new worked.Worked(animation, numbers).edges()", told)
        is None
    )
    assert len(stages(spec)) == 1


# ---------------------------------------------------------------------------------------- linter


def test_names_that_the_linter_takes_for_granted_are_exported():
    text = re.sub(r"^\s*//.*$", "", (ROOT / ".oxlintrc.json").read_text(encoding="utf-8"), flags=re.M)
    told = {
        name
        for override in json.loads(text)["overrides"]
        if any("stencil" in files for files in override["files"])
        for name in override["globals"]
    }
    exported = {
        name
        for part in COMPONENTS.glob("_*.js")
        for name in re.findall(
            r"^export (?:const|function|class) (\w+)", part.read_text(encoding="utf-8"), re.M
        )
    }
    assert told
    assert told <= exported, f".oxlintrc.json lists what no part exports: {sorted(told - exported)}"
