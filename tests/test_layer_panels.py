"""The panels on one layer: what they print, held to torch, to brute force and to the reference numbers."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.figures.layer_charts import saving_chart
from explorer.layer_choices import gap
from explorer.layer_text import read_layer, write_layer
from explorer.layers import LayerSpec
from explorer.networks.source import Source, load
from explorer.profiling import profile
from explorer.ui.layer_panels import cost, solve
from explorer.ui.layer_panels.stacks import fields_of, traced_rows
from explorer.worked_examples import EXAMPLES
from tests.test_pages import choices, visit
from tests.test_worked_examples import in_torch

CONV = "conv~3x32x32~o10~k5~p2"


def table(at: AppTest, head: str) -> list[list[str]]:
    """The cells of the tables that begin so, without their heads."""
    blocks = (block for element in at.markdown for block in element.value.split("\n\n"))
    bodies = (block for block in blocks if block.startswith(f"| {head}"))
    rows = [row for body in bodies for row in body.splitlines()[2:]]
    return [
        [plain(cell) for cell in row.strip().removeprefix("|").removesuffix("|").split("|")] for row in rows
    ]


def plain(text: str) -> str:
    """Without what only bold, escapes and line breaks need."""
    text = re.sub(r"\*\*|[\\\u200b\u2060]", "", text).replace("\u00a0", " ")
    return unescape(text).strip()


def value(product: str) -> float:
    """What a product that is written for people comes to."""
    if product.startswith("log₁₀ of "):
        return math.log10(value(product.removeprefix("log₁₀ of ")))
    for sign, python in ((",", ""), ("×", "*"), ("·", "*"), ("−", "-"), ("⌊", "math.floor("), ("⌋", ")")):
        product = product.replace(sign, python)
    return float(eval(product))


def above(at: AppTest) -> tuple[str, str]:
    """The shapes that stand above: of the input and of the output."""
    (shown,) = (
        json.loads(each.proto.json)
        for each in at.get("bidi_component")
        if each.proto.component_name.endswith("outcome")
    )
    return shown["before"], shown["after"]


def told(at: AppTest) -> str:
    return plain("\n".join(each.value for each in [*at.markdown, *at.caption, *at.info]))


def number(text: str) -> int:
    return int(text.replace(",", ""))


def counted(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
    """Parameters, MACs and the output's shape by torch itself, on a device that computes nothing."""
    module = module.to("meta")
    with FlopCounterMode(display=False) as counter:
        out = module(torch.empty(1, *shape, device="meta"))
    return (
        sum(each.numel() for each in module.parameters()),
        counter.get_total_flops() // 2,
        tuple(out.shape[1:]),
    )


# Cost ------------------------------------------------------------------------------------------------

LAYERS: list[tuple[str, nn.Module, tuple[int, ...]]] = [
    (CONV, nn.Conv2d(3, 10, 5, padding=2), (3, 32, 32)),
    ("conv~3x480x640~o8~k480x640", nn.Conv2d(3, 8, (480, 640)), (3, 480, 640)),
    ("grouped~8x20x30~o12~k3x5~s2~g4", nn.Conv2d(8, 12, (3, 5), stride=2, groups=4), (8, 20, 30)),
    ("depthwise~16x14x14~o32~k3~p1", nn.Conv2d(16, 32, 3, padding=1, groups=16), (16, 14, 14)),
    ("pointwise~64x56x56~o32", nn.Conv2d(64, 32, 1), (64, 56, 56)),
    (
        "separable~3x12x12~o5~k3~b0",
        nn.Sequential(nn.Conv2d(3, 3, 3, groups=3, bias=False), nn.Conv2d(3, 5, 1, bias=False)),
        (3, 12, 12),
    ),
    ("dilated~4x30x30~o6~k3~d3", nn.Conv2d(4, 6, 3, dilation=3), (4, 30, 30)),
    ("transposed~4x8x8~o6~k4~s2~p1", nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), (4, 8, 8)),
    ("max_pool~6x9x9~k3~s2", nn.MaxPool2d(3, 2), (6, 9, 9)),
    ("global_pool~6x9x9", nn.AdaptiveAvgPool2d(1), (6, 9, 9)),
    ("conv~2x50~o3~k7", nn.Conv1d(2, 3, 7), (2, 50)),
    ("conv~2x8x9x10~o3~k3", nn.Conv3d(2, 3, 3), (2, 8, 9, 10)),
]


@pytest.mark.parametrize(("text", "module", "shape"), LAYERS, ids=[text for text, _, _ in LAYERS])
def test_costs_on_screen_are_torchs(text: str, module: nn.Module, shape: tuple[int, ...]):
    parameters, macs, out = counted(module, shape)
    at = visit("arithmetic", layer=text, batch="8", dtype="float16")
    assert not at.warning
    numbers = torch.Size(out).numel()
    shown = {what: number(exactly) for what, exactly, *_ in table(at, "what")}
    assert list(shown.values()) == [
        parameters, macs, 2 * macs, numbers, 8 * numbers * torch.float16.itemsize,
        parameters * torch.float16.itemsize,
    ]  # fmt: skip


@pytest.mark.parametrize("text", [text for text, _, _ in LAYERS])
def test_each_cost_is_the_product_that_stands_beside_it(text: str):
    for _, exactly, _, product in table(visit("arithmetic", layer=text), "what"):
        assert value(product) == number(exactly)


def test_a_masked_layer_tells_how_many_of_its_weights_count():
    at = visit("arithmetic", layer="masked_b~2x9x9~o4~k5~p2")
    shown = [number(exactly) for what, exactly, *_ in table(at, "what") if what == "of them not masked"]
    live = 4 * 2 * (2 * 5 + 3)  # two rows above, and three of the five in the middle
    assert shown == [live + 4, live * 9 * 9]


def test_the_dense_layer_is_torchs_linear():
    at = visit("arithmetic", layer=CONV)
    weights = sum(each.numel() for each in nn.Linear(3 * 32 * 32, 10 * 32 * 32, device="meta").parameters())
    assert f"= {weights:,} parameters: 31.5 M, {weights / 760:,.0f} times as many" in told(at)
    assert "It is a dense layer already" in told(visit("arithmetic", layer=LAYERS[1][0]))


def test_the_usual_panel_is_one_element_beside_its_choice():
    """Each element costs the browser a millisecond on every turn of a dial."""
    at = visit("arithmetic", layer=CONV)
    before = visit("arithmetic", layer=CONV, about="examples")
    (whole,) = (m.value for m in at.markdown if m.value.startswith("**What it costs**"))
    for what in ("| Parameters |", "A dense layer that does the same", "| two of 3×3 |"):
        assert what in whole
        assert not any(what in m.value for m in before.markdown)


def test_what_costs_nothing_is_said():
    pool = told(visit("arithmetic", layer="max_pool~6x9x9~k3~s2"))
    assert "A pooling is free" in pool
    assert "No dense layer can do the same" in pool


def test_memory_is_told_in_mebibytes_too_and_macs_are_explained():
    shown = told(visit("arithmetic", layer="conv~3x256x256~o64~k3~p1", batch="4"))
    assert f"{4 * 64 * 256 * 256 * 4 / 2**20:.0f} MiB of output" in shown
    assert shown.count("FLOPs = 2 × MACs") == 1
    assert "A MAC is a multiply-add: one product, added to a sum." in shown


BESIDE: list[tuple[str, nn.Module]] = [
    ("separable~64x28x28~o128~k3~p1", nn.Conv2d(64, 128, 3, padding=1)),
    ("separable~3x12x12~o5~k3~b0", nn.Conv2d(3, 5, 3, bias=False)),
    ("grouped~8x20x30~o12~k3x5~s2~g4", nn.Conv2d(8, 12, (3, 5), stride=2)),
    ("depthwise~16x14x14~o32~k3~p1", nn.Conv2d(16, 32, 3, padding=1)),
    ("dilated~4x30x30~o6~k3~p2~d2", nn.Conv2d(4, 6, 5, padding=2)),
    (
        "conv~64x56x56~o64~k7~p3~b0",
        nn.Sequential(*(nn.Conv2d(64, 64, 3, padding=1, bias=False) for _ in range(3))),
    ),
    (
        "conv~3x32x32~o10~k7~p2",
        nn.Sequential(nn.Conv2d(3, 10, 3, padding=1), nn.Conv2d(10, 10, 3, padding=1), nn.Conv2d(10, 10, 3)),
    ),
    ("conv~3x20~o4~k5", nn.Sequential(nn.Conv1d(3, 4, 3), nn.Conv1d(4, 4, 3))),
]


@pytest.mark.parametrize(("text", "module"), BESIDE, ids=[text for text, _ in BESIDE])
def test_the_layer_beside_it_costs_what_torch_counts(text: str, module: nn.Module):
    spec, shape = read_layer(text)
    parameters, macs, out = counted(module, shape)
    this, other, ratio = table(visit("arithmetic", layer=text), "layer")
    assert (number(other[1]), number(other[3])) == (parameters, macs)
    assert float(ratio[1]) == pytest.approx(parameters / number(this[1]), rel=0.005)
    assert float(ratio[3]) == pytest.approx(macs / number(this[3]), rel=0.005)
    for row in (this, other):
        assert (value(row[2]), value(row[4])) == (number(row[1]), number(row[3]))
    (rival,) = cost.rivals(spec)
    assert cost.chain(rival.stack, shape)[-1][0].out_channels == out[0]


@pytest.mark.parametrize("padding", [0, 1, 2, 3, 4, 7, (1, 5), "same"])
@pytest.mark.parametrize("kernel", [5, 7, 9])
def test_threes_see_and_leave_as_much_as_the_larger_window(kernel: int, padding: Any):
    spec = LayerSpec(in_channels=1, out_channels=1, kernel_size=kernel, padding=padding)
    stack = nn.Sequential(
        *(nn.Conv2d(1, 1, 3, padding=layer.padding, bias=False) for layer in cost.threes(spec))
    ).double()
    size = (kernel, kernel)  # the smallest that every padding fits
    own = nn.Conv2d(1, 1, kernel, padding=padding)
    assert stack(torch.ones(1, 1, *size).double()).shape == own(torch.ones(1, 1, *size)).shape
    for layer in stack:
        nn.init.ones_(layer.weight)
    picture = torch.ones(1, 1, 31, 31, dtype=torch.double, requires_grad=True)
    result = stack(picture)
    result[0, 0, result.shape[2] // 2, result.shape[3] // 2].backward()
    assert torch.count_nonzero(picture.grad) == kernel**2


@pytest.mark.parametrize("changes", [{"kernel_size": 3}, {"kernel_size": 4}, {"kernel_size": (5, 7)}])
def test_some_windows_have_no_threes(changes: dict[str, Any]):
    assert not cost.threes(LayerSpec(**changes))
    assert not cost.threes(LayerSpec(kernel_size=5, stride=2))


@pytest.mark.parametrize("kernel", [(3, 3), (5, 3), (4,)])
def test_the_chart_of_the_saving_is_what_torch_counts(kernel: tuple[int, ...]):
    figure = saving_chart(kernel, 24, dark=False)
    conv = {1: nn.Conv1d, 2: nn.Conv2d}[len(kernel)]
    for line in figure.data:
        size = tuple(map(int, line.name.split("×"))) if line.mode == "lines" else kernel
        for filters, saved in list(zip(line.x, line.y, strict=True))[::7]:
            shape = (6, *(20,) * len(kernel))
            _, standard, _ = counted(conv(6, filters, size), shape)
            parts = nn.Sequential(conv(6, 6, size, groups=6), conv(6, filters, 1))
            assert saved == pytest.approx(standard / counted(parts, shape)[1])
    assert [line.x[0] for line in figure.data if line.mode == "markers"] == [24]


def test_a_separable_layer_has_the_chart_and_others_have_none():
    assert len(visit("arithmetic", layer="separable~3x12x12~o5~k3").get("plotly_chart")) == 1
    assert not visit("arithmetic").get("plotly_chart")


# Solve backwards -------------------------------------------------------------------------------------


def brute(shape: tuple[int, ...], to: tuple[int, ...], make: Any) -> list[tuple[int, int, int, int]]:
    """All windows that torch itself makes such a shape with."""
    found = []
    picture = torch.empty(1, *shape, device="meta")
    for window in itertools.product(range(1, 16), range(1, 9), range(8), range(1, 5)):
        if window[0] == 1 and window[3] > 1:
            continue  # a single weight has no neighbour to be away from
        try:
            out = make(*window)(picture)
        except RuntimeError:
            continue
        if tuple(out.shape[2:]) == to:
            found.append(window)
    return found


def lines(at: AppTest) -> list[str]:
    """The windows that can be clicked, as they are written."""
    return [plain(str(option)) for radio in at.radio for option in radio.options]


def rows(at: AppTest) -> list[tuple[int, ...]]:
    return [tuple(map(int, re.findall(r"[KSPD] (\d+)", line))) for line in lines(at)]


def blanks(size: int, window: tuple[int, int, int, int]) -> int:
    """How many outputs along an axis torch makes of padding alone: ones under ones give 0 there."""
    k, s, p, d = window
    sums = torch.nn.functional.conv1d(torch.ones(1, 1, size), torch.ones(1, 1, k), None, s, p, d)
    return int((sums == 0).sum())


def in_order(
    windows: list[tuple[int, int, int, int]], sizes: tuple[int, ...], to: tuple[int, ...]
) -> list[tuple[int, int, int, int]]:
    """Those most in use first, then those without holes, then the smallest; last what reads padding alone."""

    def usual(window: tuple[int, int, int, int]) -> bool:
        k, s, p, d = window
        if d > 1 or s > k:
            return False
        exact = all(k + (out - 1) * s == size for size, out in zip(sizes, to, strict=True))
        return 2 * p + 1 == k or (p == 0 and exact)

    return sorted(
        windows,
        key=lambda window: (
            any(blanks(size, window) for size in sizes),
            window[3],
            not usual(window),
            window,
        ),
    )


def take(at: AppTest, window: str) -> AppTest:
    """Click the window that is written so."""
    for radio in at.radio:
        for option in radio.options:
            if plain(str(option)).startswith(f"{window},"):
                return radio.set_value(option).run()
    raise AssertionError(window)


@pytest.mark.parametrize(
    ("layer", "to", "make"),
    [
        ("conv~1x14x14~o1~k3", "7", lambda k, s, p, d: nn.Conv2d(1, 1, k, s, p, d, device="meta")),
        ("conv~1x14x9~o1~k3", "5x4", lambda k, s, p, d: nn.Conv2d(1, 1, k, s, p, d, device="meta")),
        ("pointwise~1x16x16~o1", "14", lambda k, s, p, d: nn.Conv2d(1, 1, k, s, p, d, device="meta")),
        ("max_pool~1x20x20~k2~s2~c1", "6", lambda k, s, p, d: nn.MaxPool2d(k, s, p, d)),
        ("conv~1x30~o1~k3", "9", lambda k, s, p, d: nn.Conv1d(1, 1, k, s, p, d, device="meta")),
    ],
)
def test_windows_are_those_that_brute_force_finds_in_torch(layer: str, to: str, make: Any):
    _, shape = read_layer(layer)
    sizes = tuple(map(int, to.split("x"))) * (1 if "x" in to else len(shape) - 1)
    wanted = brute(shape, sizes, make)
    assert wanted
    at = visit("arithmetic", about="solve", layer=layer, to=to)
    assert rows(at) == in_order(wanted, shape[1:], sizes)
    assert f"{len(wanted)} windows lead" in told(at)
    for line, window in zip(lines(at), rows(at), strict=True):
        count = blanks(shape[1], window)
        assert ("only padding is read" in line) == any(blanks(size, window) for size in shape[1:])
        assert not count or f"for {count} row" in line or len(shape) == 2
        for product, size in re.findall(r"(⌊[^=]*) = (\d+)", line):
            assert value(product) == int(size) in sizes, line
        assert (shape[1] + 2 * window[2] - window[3] * (window[0] - 1) - 1) // window[1] + 1 == sizes[0]


def test_average_poolings_are_found_without_dilation():
    found = brute((1, 20, 20), (6, 6), lambda k, s, p, d: nn.AvgPool2d(k, s, p if d == 1 else 99))
    listed = rows(visit("arithmetic", about="solve", layer="adaptive_pool~1x20x20~t7", to="6"))
    assert listed == in_order(found, (20, 20), (6, 6))


def test_windows_that_people_use_come_first_and_those_over_padding_last():
    """Halving 32: a 2 × 2 pool, then the windows of VGG's and ResNet's kind; last one that skips into the padding."""
    at = visit("arithmetic", about="solve", layer="conv~1x32x32~o1~k3", to="16")
    assert rows(at)[:4] == [(2, 2, 0, 1), (3, 2, 1, 1), (5, 2, 2, 1), (7, 2, 3, 1)]
    assert rows(at)[-1] == (1, 3, 7, 1)
    # begins at −7, −4, −1, 2, …, 29, 32, 35, 38: six of the sixteen lie outside 0 … 31
    assert lines(at)[-1].endswith("for 6 rows, 6 columns only padding is read")


def test_transposed_windows_lead_to_the_size_in_torch_and_none_is_missed():
    found = lines(visit("arithmetic", about="solve", layer="transposed~1x5x5~o1~k3~s2", to="9"))
    picture = torch.empty(1, 1, 5, 5, device="meta")
    every = set()
    for k, s, p, d, a in itertools.product(range(1, 16), range(1, 9), range(8), range(1, 5), range(8)):
        if a < s and (k > 1 or d == 1) and 4 * s - 2 * p + d * (k - 1) + a + 1 == 9:
            assert nn.ConvTranspose2d(1, 1, k, s, p, a, dilation=d, device="meta")(picture).shape[2:] == (
                9,
                9,
            )
            every.add((k, s, p, d, a))
    listed = [
        (
            *map(int, re.findall(r"[KSPD] (\d+)", line)),
            int((re.findall(r"output_padding` (\d)", line) or [0])[0]),
        )
        for line in found
    ]
    assert len(listed) == len(set(listed))
    assert set(listed) == every


def test_filters_leave_the_usual_and_reach_the_address():
    at = visit("arithmetic", about="solve", layer="conv~1x15x15~o1~k3", to="7")
    every = rows(at)
    for name in ("odd", "solid", "exact"):
        at.toggle(key=f"solve {name}").set_value(True).run()
    assert rows(at) == [(k, s, p, d) for k, s, p, d in every if k % 2 and d == 1 and not (15 + 2 * p - k) % s]
    assert all("; nothing is left over" in line for line in lines(at))
    assert choices(at) == {
        "about": "solve", "layer": "conv~1x15x15~o1~k3", "to": "7", "odd": "1", "solid": "1", "exact": "1",
    }  # fmt: skip


def test_rows_that_are_left_over_are_counted_on_each_axis():
    at = visit("arithmetic", about="solve", layer="conv~1x8x9~o1~k3", to="3x4")
    # 8 rows: 8 - 3 = 5 is no multiple of 2; 9 columns: 9 - 3 = 6 is
    (line,) = (line for line in lines(at) if line.startswith("K 3 · S 2 · P 0 · D 1"))
    assert line.endswith("since ⌊(8 + 2·0 − 3)/2⌋ + 1 = 3 and ⌊(9 + 2·0 − 3)/2⌋ + 1 = 4; 1 row is left over")


def test_a_window_that_is_taken_becomes_the_layer_above():
    at = visit("arithmetic", about="solve", to="16")
    assert [radio.value for radio in at.radio] == [None] * len(at.radio)
    take(at, "K 3 · S 2 · P 1 · D 1")
    assert not at.exception
    assert choices(at)["layer"] == "conv~3x32x32~o10~k3~s2~p1"
    assert above(at) == ("3 × 32 × 32", "10 × 16 × 16")
    (chosen,) = (radio.value for radio in at.radio if radio.value)
    assert plain(chosen).startswith("K 3 · S 2 · P 1 · D 1,")


def test_one_axis_alone_leaves_the_other_as_it_is():
    at = visit("arithmetic", about="solve", to="16x32", along="rows")
    take(at, "K 2 · S 2 · P 0 · D 1")
    spec, shape = read_layer(choices(at)["layer"])
    assert (spec.kernel_size, spec.stride, spec.padding) == ((2, 5), (2, 1), (0, 2))
    assert above(at)[1] == "10 × 16 × 32"
    assert shape == (3, 32, 32)


def test_the_size_follows_the_layer_until_one_is_chosen():
    at = visit("arithmetic", about="solve", layer="conv~3x32x32~o10~k5")
    assert "from 32 rows and columns to 28" in told(at)
    at.session_state["choice:to"] = "30"
    at.run()
    at.session_state["choice:layer"] = "conv~3x32x32~o10~k3"
    at.run()
    assert "from 32 rows and columns to 30" in told(at)
    at.session_state["choice:layer"] = "conv~3x32x32~o10~k7"
    at.run()
    assert "from 32 rows and columns to 30" in told(at)
    assert choices(at)["to"] == "30"


def test_where_nothing_leads_there_a_sentence_says_so():
    at = visit("arithmetic", about="solve", layer="conv~3x500x500~o10~k5", to="300")
    assert at.info[0].value == (
        "No window leads from 500 rows and columns to 300. "
        "The nearest that any of them reaches are 257 (at stride 2) and 444 (at stride 1)."
    )
    at = visit("arithmetic", about="solve", to="20x10")
    alone = [len(brute((3, 32), (to,), lambda *w: nn.Conv1d(3, 1, *w, device="meta"))) for to in (20, 10)]
    assert min(alone) > 0
    assert at.info[0].value.endswith(
        f"There are {alone[0]} for the rows and {alone[1]} for the columns, but none does both: try each axis alone."
    )
    usual = {"odd": "1", "solid": "1", "exact": "1"}
    at = visit("arithmetic", about="solve", layer="conv~3x32x32~o10~k5", to="16", **usual)
    assert rows(at) == [(1, 3, 7, 1)]  # 32 + 14 - 1 = 15 · 3; wider odd windows at stride 2 leave a row
    at = visit("arithmetic", about="solve", layer="conv~3x224x224~o10~k5", to="112", **usual)
    assert at.info[0].value.endswith("but none that passes all filters: take one off.")


@pytest.mark.parametrize(
    ("layer", "make"),
    [
        ("conv~1x200~o1~k3", lambda k, s, p, d: nn.Conv1d(1, 1, k, s, p, d, device="meta")),
        ("max_pool~1x90~k2~s2", lambda k, s, p, d: nn.MaxPool1d(k, s, p, d)),
        ("average_pool~1x90~k2~s2", lambda k, s, p, d: nn.AvgPool1d(k, s, p if d == 1 else 99)),
    ],
)
def test_the_sizes_next_to_one_that_nothing_reaches_are_torchs(layer: str, make: Any):
    spec, shape = read_layer(layer)
    reached: set[int] = set()
    for window in itertools.product(range(1, 16), range(1, 9), range(8), range(1, 5)):
        with contextlib.suppress(RuntimeError):
            reached.add(make(*window)(torch.empty(1, *shape, device="meta")).shape[2])
    missing = sorted(set(range(1, shape[1] + 30)) - reached)
    assert missing
    for size in missing:
        below, above = gap(spec, shape[1], size)
        assert (below and below[1]) == max((r for r in reached if r < size), default=None)
        assert (above and above[1]) == min((r for r in reached if r > size), default=None)


def test_the_exercise_of_courses_begins_with_its_answer():
    """32×32×3 → 28×28×6, which K, S, P?"""
    at = visit("arithmetic", about="solve", layer="conv~3x32x32~o6~k3", to="28")
    assert lines(at)[0].startswith("K 5 · S 1 · P 0 · D 1, since ⌊(32 + 2·0 − 5)/1⌋ + 1 = 28; nothing")
    take(at, "K 5 · S 1 · P 0 · D 1")
    assert above(at)[1] == "6 × 28 × 28"


@pytest.mark.parametrize(
    ("name", "value"),
    [("to", "0"), ("to", "<b>"), ("to", "12345"), ("odd", "2"), ("along", "depth"), ("about", "x")],
)
def test_nonsense_in_the_link_gets_one_sentence_and_the_usual(name: str, value: str):
    at = visit("arithmetic", **{"about": "solve", "layer": "conv~3x32x20~o10~k3", name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert name not in choices(at)


@pytest.mark.parametrize("text", [text for text, _, _ in LAYERS])
def test_every_kind_can_be_solved_for_and_every_row_be_taken(text: str):
    spec, shape = read_layer(text)
    at = visit("arithmetic", about="solve", layer=text)
    assert not at.exception
    assert not at.warning
    base = solve.windowed(spec)
    axes = tuple(range(spec.dimensions))
    target = tuple(solve.output_size(spec, size, axis) for axis, size in enumerate(shape[1:]))
    for way in solve.ways(base, shape, target, axes):
        made = solve.with_window(base, axes, way)
        assert read_layer(write_layer(made, shape)) == (made, shape)


# Worked examples -------------------------------------------------------------------------------------

AGREES, ROUNDED, WRONG, NONE = "✓ agrees", "≈ rounded", "✗ not right", "ours alone"


def claims(at: AppTest) -> dict[str, list[str]]:
    """What the course says, what we count and the verdict, by what it is about."""
    return {row[0]: row[1:] for row in table(at, "what")}


@pytest.mark.parametrize("key", EXAMPLES)
def test_every_example_opens_with_a_verdict_on_every_number(key: str):
    at = visit("arithmetic", about="examples", example=key)
    assert not at.exception
    assert not at.warning
    example = EXAMPLES[key]
    assert example.course in told(at)
    shown = table(at, "what")
    assert len(shown) == len(example.claims)
    for row in shown:
        assert re.match(rf"{AGREES}|{ROUNDED}|≈ cut off|{WRONG}|{NONE}", row[3]), row
        assert re.search(r"\d", row[2])


@pytest.mark.parametrize("key", [key for key, example in EXAMPLES.items() if example.layer])
def test_parameters_and_macs_of_an_example_are_torchs_and_so_are_their_products(key: str):
    example = EXAMPLES[key]
    spec = example.stack[0]
    with torch.device("meta"):
        module = in_torch(spec)
    parameters, macs, out = counted(module, example.input_shape)
    truth = {
        "parameters": parameters,
        "MACs": macs,
        "numbers that come out": torch.Size(out).numel(),
        "output": "×".join(f"{size:,}" for size in out),
        "rows that come out": out[1],
    }
    for what, (_, counting, _) in claims(visit("arithmetic", about="examples", example=key)).items():
        if what == "output":
            shown, _, product = counting.partition(", rows ")
            assert value(product) == out[1]
        else:
            product, _, shown = counting.rpartition(" = ")
            if product:
                assert value(product) == pytest.approx(value(shown), rel=0.005)
        if what in truth:
            assert shown.replace(",", "") == str(truth[what]).replace(",", "")


def test_the_field_of_an_example_is_written_as_its_sum():
    shown = claims(visit("arithmetic", about="examples", example="three-3x3"))
    assert shown["receptive field"][:2] == ["7", "1 + 2·1 + 2·1 + 2·1 = 7"]
    vgg = claims(visit("arithmetic", about="examples", example="vgg16"))["receptive field"][1]
    product, _, size = vgg.rpartition(" = ")
    assert value(product) == int(size) == 212  # Araujo et al. 2019, table 1


@pytest.mark.shared
def test_what_the_reference_calls_wrong_is_called_so(shared: Path):
    golden = {
        item["id"]: item for item in json.loads((shared / "reference" / "golden.json").read_text())["items"]
    }
    wrong = {
        (key, number)
        for key, example in EXAMPLES.items()
        for number, claim in enumerate(example.claims)
        if golden.get(claim.golden_id, {}).get("verdict") == "wrong"
    }
    assert wrong
    for key, number in wrong:
        assert WRONG in table(visit("arithmetic", about="examples", example=key), "what")[number][3]


def test_an_example_that_is_picked_sets_the_layer_above():
    at = visit("arithmetic", about="examples")
    at.selectbox(key="example control").select("alexnet-conv1").run()
    assert not at.exception
    assert choices(at) == {
        "about": "examples", "example": "alexnet-conv1", "layer": "conv~3x227x227~o96~k11~s4",
    }  # fmt: skip
    assert above(at)[1] == "96 × 55 × 55"
    shown = claims(at)
    assert shown["parameters"] == ["34,944", "(11×11×3 + 1)×96 = 34,944", f"{AGREES}."]
    assert shown["MACs"][0] == "–"
    following = list(EXAMPLES)[list(EXAMPLES).index("alexnet-conv1") + 1]
    next(button for button in at.button if button.label == "Next").click().run()
    assert choices(at)["example"] == following


def test_any_layer_of_a_stack_can_stand_above():
    at = visit("arithmetic", about="examples", example="vgg16")
    layers = at.selectbox(key="example layer")
    assert layers.value is None
    layers.select("Max pooling 2×2: 512×14×14 → 512×7×7").run()
    assert choices(at)["layer"] == "max_pool~512x14x14~k2~s2"
    assert above(at)[1] == "512 × 7 × 7"
    assert at.selectbox(key="example layer").value == "Max pooling 2×2: 512×14×14 → 512×7×7"


def test_an_example_can_be_set_again_after_the_layer_was_changed():
    at = visit("arithmetic", about="examples", layer="conv~3x9x9~o1~k3")
    (again,) = (button for button in at.button if button.label == "Set the layer above")
    again.click().run()
    assert above(at)[1] == "10 × 32 × 32"
    assert not [button for button in at.button if button.label == "Set the layer above"]


def test_an_example_that_is_none_gets_one_sentence():
    at = visit("arithmetic", about="examples", example="vgg99")
    assert len(at.warning) == 1
    assert "example" not in choices(at)


# Any network's fields ---------------------------------------------------------------------------------


def test_a_network_of_a_link_shows_its_fields() -> None:
    """LeNet-5 by hand: 5; 5 + 1 = 6, jump 2; 6 + 4·2 = 14; 14 + 2 = 16, jump 4."""
    at = visit("arithmetic", about="field", stack="net~classic~lenet5")
    assert not at.warning
    rows = [row for row in table(at, "layer |") if row[1][0].isdigit()]
    assert [(row[0].removeprefix("▸ "), *row[1:4]) for row in rows] == [
        ("c1", "28×28", "5×5", "1"),
        ("s2", "14×14", "6×6", "2"),
        ("c3", "10×10", "14×14", "2"),
        ("s4", "5×5", "16×16", "4"),
    ]
    assert at.selectbox(key="stack start").value == "net~classic~lenet5"
    assert choices(at) == {"about": "field", "stack": "net~classic~lenet5"}


def test_what_a_unit_of_any_network_uses_is_asked_with_random_weights() -> None:
    at = visit("arithmetic", about="field", stack="net~classic~lenet5", uses="1")
    told = plain(" ".join(each.value for each in (*at.markdown, *at.caption)))
    assert "What it uses, with random weights" in told
    assert "as torch starts each layer, with seed 0" in told


@pytest.mark.parametrize("builder", ["vgg16", "resnet18", "googlenet", "densenet121", "convnext_tiny"])
def test_fields_of_a_table_are_those_of_the_trace(builder: str) -> None:
    """Two ways through all branches: one follows operations, the other the modules of a run."""
    source = Source("classic", builder)
    network = load(source)
    found = fields_of(network.title, profile(network.module, network.input_shape))
    assert found.side == 224
    assert [(row.name, row.output, row.field) for row in found.rows] == [
        (row.name, row.output, row.field) for row in traced_rows(f"net.{builder}")
    ]


@pytest.mark.parametrize(
    ("stack", "why"),
    [
        ("net~classic~dense-480x640", "480 × 640 pixels; squares of at most 1,024"),
        ("net~classic~mlp", "No layer of MLP 784-256-10 has units with a place"),
        ("net~classic~nothing", "There is no classic network"),
        ("net~code~own", "too long for a link"),
        ("net~", "names no network"),
    ],
)
def test_a_stack_that_is_no_network_says_so(stack: str, why: str) -> None:
    at = visit("arithmetic", about="field", stack=stack)
    (said,) = [plain(each.value) for each in at.warning]
    assert said.startswith("The link's stack cannot be shown.")
    assert why in said
    assert choices(at) == {"about": "field"}


def test_units_of_the_stack_before_are_not_taken_along() -> None:
    at = visit("arithmetic", about="field", stack="c3-c3-c3-c3-c3-c3", depth="6", unit="100_100")
    at.session_state["choice:stack"] = "net~classic~lenet5"
    at.query_params.clear()
    at.run()
    assert not at.warning
