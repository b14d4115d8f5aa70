"""The table of a network in pages of its own, used by hand in Chromium."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
import torchvision
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from torch import nn

from explorer.net_export import folds_of, rows_to_json, table_lines
from explorer.profiling import NetworkProfile, profile
from explorer.ui.components import FOLDER
from tests.browser.serving import at_rest, serving, settled, visiting

# two pages of the app's kind: a table, what it reported, and a button with which the page chooses
SCRIPT = """
import streamlit as st, torch, torchvision
from torch import nn
from explorer.profiling import profile
from explorer.ui.components.layer_table import Repair, layer_table

st.set_page_config(layout="wide")
held = st.session_state.setdefault("held", {"chosen": None, "repairs": [], "net": None})
if st.button("Take VGG-16"):
    held["net"] = "vgg16"
name = held["net"] or st.query_params.get("net", "resnet18")

@st.cache_resource
def profiled(name):
    with torch.device("meta"):
        if name == "broken":
            first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
            many = [nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(30)]
            net = nn.Sequential(first, *many, nn.Sequential(nn.Conv2d(16, 4, 3)), nn.Flatten())
        elif name == "spiteful":
            net, name = nn.Sequential(nn.Conv2d(3, 8, 3)), "=<img src=x onerror=alert(1)> & \\"a\\""
        elif name == "frozen":
            net = nn.Sequential(nn.Conv2d(3, 8, 3).requires_grad_(False), nn.BatchNorm2d(8))
        else:
            net = torchvision.models.get_model(name)
    return profile(net, (3, 224, 224), name=name)

if st.button("Choose one far down"):
    held["chosen"] = ("layer4.1.conv2", 0)
table = profiled(name)
repairs = [Repair("narrow", "Let it read 8 channels"), Repair("wide", "Make 16 arrive")] if table.failure else []
layer_table("table", table, lambda place: held.update(chosen=place), held["chosen"], repairs, held["repairs"].append)
st.title("Networks")
st.write(f"chosen={held['chosen']} repairs={held['repairs']} end")
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("layer_table") / "table_page.py"
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


@cache
def profiled(name: str) -> NetworkProfile:
    with torch.device("meta"):
        return profile(torchvision.models.get_model(name), (3, 224, 224), name=name)


def open_page(page: Page, address: str, net: str = "resnet18") -> Page:
    page.goto(f"{address}/?net={net}")
    expect(said(page)).to_be_visible(timeout=60_000)
    expect(rows(page).first).to_be_visible()
    return settled(page)


def said(page: Page, words: str = "chosen=") -> Locator:
    """What the server holds."""
    return page.get_by_text(words)


def rows(page: Page) -> Locator:
    return page.locator(".body .row")


def row(page: Page, path: str, call: int = 0) -> Locator:
    """A row by its path, as its name tells on hover; the second call of a path stands below the first."""
    return page.locator(f'.body .row:has(> .name[title="{path}"])').nth(call)


def shown(page: Page) -> list[str]:
    """Paths of the rows from the top; all where the table does not scroll."""
    names = page.locator(".body .row > .name").evaluate_all(
        "cells => cells.map((c) => [parseFloat(c.parentElement.style.top), c.title]).sort((a, b) => a[0] - b[0])"
    )
    return [name for _, name in names]


def focused(page: Page) -> dict[str, str | None]:
    """What has the focus, through shadow roots."""
    return page.evaluate(
        """() => {
            let node = document.activeElement;
            while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
            const row = node.closest(".row");
            return {role: node.getAttribute("role"), text: node.textContent, classes: node.className,
                    path: row?.querySelector(".name")?.title ?? null, index: row?.getAttribute("aria-rowindex")};
        }"""
    )


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def product(page: Page) -> Locator:
    return page.locator("#product")


def cell(page: Page, path: str, key: str) -> Locator:
    return row(page, path).locator(f".cell.{key}")


def bar(page: Page, path: str) -> float:
    """Length of the bar under a row's parameters, as a part of the cell without its margins of 10 px."""
    found = cell(page, path, "parameters").locator(".bar")
    length = (
        "bar => bar.getBoundingClientRect().width / (bar.parentElement.getBoundingClientRect().width - 20)"
    )
    return float(found.evaluate(length))


# ------------------------------------------------------------------------------- the tree


def test_the_tree_opens_and_closes_under_the_pointer(page: Page, address: str):
    open_page(page, address)
    assert shown(page)[:3] == ["resnet18", "conv1", "bn1"]
    block = row(page, "layer2.0")
    expect(block).to_have_attribute("aria-expanded", "false")
    expect(row(page, "layer2.0.conv1")).to_have_count(0)
    block.locator(".toggle").click()
    expect(block).to_have_attribute("aria-expanded", "true")
    expect(row(page, "layer2.0.conv1")).to_have_attribute("aria-level", "4")
    expect(said(page, "chosen=None")).to_be_visible()  # opening is not choosing
    block.locator(".toggle").click()
    expect(row(page, "layer2.0.conv1")).to_have_count(0)


def test_depths_open_so_many_levels(page: Page, address: str):
    open_page(page, address)
    table = profiled("resnet18")
    page.get_by_role("button", name="Open to depth 1").click()
    assert shown(page) == [line.path or "resnet18" for line in table.rows if line.depth <= 1]
    page.get_by_role("button", name="Open all").click()
    expect(page.get_by_role("button", name="Open all")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("treegrid")).to_have_attribute(
        "aria-rowcount", str(len(table_lines(table, folds_of(table))) + 2)
    )


def test_blocks_alike_are_one_line_until_it_is_opened(page: Page, address: str):
    open_page(page, address)
    fold = page.locator(".body .row", has=page.locator(".times"))
    expect(fold).to_have_count(1)
    expect(fold.locator(".times")).to_have_text("×2")
    expect(fold.locator(".cell.parameters")).to_have_text("147,968")
    expect(fold).not_to_have_attribute("aria-selected", "true")
    fold.locator(".cell.parameters").click()
    expect(product(page).locator(".equation")).to_have_text("2 × 73,984 = 147,968")
    page.keyboard.press("Escape")
    fold.locator(".name").click()  # it stands for several: opening it is all that it can do
    expect(row(page, "layer1.1")).to_be_visible()
    expect(row(page, "layer1.1.conv1")).to_have_count(0)
    row(page, "layer1.1").locator(".toggle").click()
    expect(row(page, "layer1.1.conv1")).to_be_visible()
    expect(said(page, "chosen=None")).to_be_visible()


def test_keys_walk_the_tree(page: Page, address: str):
    open_page(page, address)
    row(page, "bn1").focus()
    press(page, "Home")
    assert focused(page)["path"] == "resnet18"
    press(page, "ArrowDown", "ArrowDown", "ArrowUp")
    assert focused(page)["path"] == "conv1"
    press(page, "End")
    assert focused(page)["path"] == "fc"
    row(page, "layer3").focus()
    press(page, "ArrowLeft")  # open: closes
    expect(row(page, "layer3")).to_have_attribute("aria-expanded", "false")
    assert focused(page)["path"] == "layer3"
    press(page, "ArrowRight")  # opens again
    press(page, "ArrowDown", "ArrowRight", "ArrowDown")
    assert focused(page)["path"] == "layer3.0.conv1"
    press(page, "ArrowLeft")  # a leaf: to its block
    assert focused(page)["path"] == "layer3.0"
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert focused(page)["path"] == "resnet18"


def test_keys_walk_the_cells(page: Page, address: str):
    open_page(page, address)
    row(page, "conv1").focus()
    press(page, "ArrowRight")
    assert focused(page)["text"] == "Conv2d"
    press(page, "ArrowDown")
    assert focused(page)["text"] == "BatchNorm2d"
    press(page, "End")
    assert focused(page)["text"] == "3,211,264"
    press(page, "Home")
    assert focused(page)["text"] == "BatchNorm2d"
    press(page, "ArrowLeft")
    assert (focused(page)["role"], focused(page)["path"]) == ("row", "bn1")
    press(page, "ArrowRight", "Control+End")
    assert (focused(page)["text"], focused(page)["path"]) == ("Linear", "fc")


def test_one_stop_of_the_tab_key_in_the_tree(page: Page, address: str):
    open_page(page, address)
    row(page, "layer2").focus()
    expect(page.locator('.body [tabindex="0"]')).to_have_count(1)
    press(page, "Tab", "Shift+Tab")
    assert focused(page)["path"] == "layer2"


# ------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("path", "key", "equation"),
    [
        ("conv1", "macs", "7×7×3×64×112×112 = 118,013,952"),
        ("conv1", "activations", "64×112×112 = 802,816"),
        ("conv1", "bytes", "802,816 × 4 = 3,211,264"),
        ("fc", "parameters", "512×1,000+1,000 = 513,000"),
        ("layer2", "parameters", "230,144 + 295,424 = 525,568"),
        ("layer1", "macs", "2 × 231,211,008 = 462,422,016"),
        ("conv1", "field", "7 × 7 pixels"),
        ("fc", "field", "everything"),
        ("relu", "macs", "0"),
    ],
)
def test_numbers_open_as_their_products(page: Page, address: str, path: str, key: str, equation: str):
    open_page(page, address)
    cell(page, path, key).scroll_into_view_if_needed()
    cell(page, path, key).click()
    found = product(page).locator(".equation").inner_text()
    assert found.replace(" ", "") == equation.replace(" ", "")
    page.keyboard.press("Escape")
    expect(product(page)).to_be_hidden()


def test_enter_opens_and_escape_closes_and_gives_the_focus_back(page: Page, address: str):
    open_page(page, address)
    row(page, "conv1").focus()
    press(page, "ArrowRight", "End", "ArrowLeft", "Enter")
    expect(product(page)).to_be_visible()
    expect(product(page).locator(".told")).to_contain_text("the next unit's lies 2 further (jump)")
    expect(product(page).locator(".told")).to_contain_text("begins at pixel −3 (offset)")
    assert focused(page)["text"] == "Copy"
    press(page, "Escape")
    expect(product(page)).to_be_hidden()
    assert (focused(page)["path"], focused(page)["text"]) == ("conv1", "7")


def test_products_can_be_copied(browser: Browser, address: str):
    with visiting(browser) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        open_page(page, address)
        cell(page, "conv1", "parameters").click()
        product(page).get_by_role("button", name="Copy").click()
        expect(product(page).get_by_role("button")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()").endswith(" = 9,408")


def test_trained_frozen_and_buffers_are_told(page: Page, address: str):
    open_page(page, address, "frozen")
    expect(cell(page, "0", "parameters")).to_have_attribute("title", "0 trained, 224 frozen; 0 in buffers")
    expect(cell(page, "1", "parameters")).to_have_attribute("title", "16 trained, 0 frozen; 17 in buffers")


def test_totals_are_short_and_open_exactly(page: Page, address: str):
    open_page(page, address)
    weights = sum(weight.numel() for weight in torchvision.models.resnet18().parameters())
    total = page.locator('[data-total="parameters"]')
    expect(total).to_have_text("11.69 M")
    expect(total).to_have_attribute("aria-label", f"{weights:,}")
    total.click()
    expect(product(page).locator(".equation")).to_contain_text(f"= {weights:,}")
    page.keyboard.press("Escape")
    page.locator('[data-total="macs"]').press("Enter")
    expect(product(page).locator(".equation")).to_contain_text("= 1,814,073,344")
    expect(product(page).locator(".told")).to_contain_text("2 × 1,814,073,344 = 3,628,146,688")
    page.keyboard.press("Escape")
    expect(page.locator('[data-total="bytes"]')).to_have_text("20.68 MB")
    expect(page.locator('[data-total="bytes"]')).to_have_attribute(
        "title", "20,678,560 bytes: 20.68 MB = 19.72 MiB"
    )


# ------------------------------------------------------------------------------- sort, filter, search


def test_sorting_goes_down_up_and_back(page: Page, address: str):
    open_page(page, address)
    before = shown(page)
    head = page.get_by_role("columnheader", name="MACs")
    expect(head).to_have_attribute("aria-sort", "none")
    leaves = [line for line in profiled("resnet18").rows if line.role != "container"]
    for order, sign in [("descending", -1), ("ascending", 1)]:
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", order)
        wanted = sorted(leaves, key=lambda line, sign=sign: sign * line.macs)
        assert shown(page)[:15] == [line.path for line in wanted[:15]]
    expect(page.get_by_role("status").first).to_contain_text("69 layers and operations, without their blocks")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "none")
    assert shown(page) == before
    assert focused(page)["text"] == "MACs"  # the button is still under the keys


def test_bars_of_a_sorted_list_are_parts_of_its_largest_row(page: Page, address: str):
    open_page(page, address)
    whole = sum(weight.numel() for weight in torchvision.models.resnet18().parameters())
    assert bar(page, "fc") == pytest.approx(513_000 / whole, abs=0.02)
    page.get_by_role("columnheader", name="Parameters").get_by_role("button").click()
    # 3·3·512·512 = 2,359,296 has layer4.0.conv2, as have layer4.1's two; layer4.0.conv1 half of it
    assert bar(page, "layer4.0.conv2") == pytest.approx(1, abs=0.02)
    assert bar(page, "layer4.0.conv1") == pytest.approx(0.5, abs=0.02)
    assert bar(page, "fc") == pytest.approx(513_000 / 2_359_296, abs=0.02)
    page.get_by_role("button", name="Linear 1", exact=True).click()
    assert bar(page, "fc") == pytest.approx(1, abs=0.02)


def test_sorting_by_field_puts_everything_last(page: Page, address: str):
    open_page(page, address)
    head = page.get_by_role("columnheader", name="Field, px").get_by_role("button")
    head.click()
    expect(rows(page).first.locator(".field")).to_have_text("everything")
    head.click()
    expect(rows(page).first.locator(".field")).to_have_text("7")


def test_a_block_that_keeps_parameters_is_in_the_sorted_list(page: Page, address: str):
    """All parameters of the list together are the net's, in a net with layer scales that stand in no layer."""
    open_page(page, address, "convnext_tiny")
    page.get_by_role("columnheader", name="Parameters").get_by_role("button").click()
    scroller, numbers = page.locator(".scroller"), {}
    for top in range(0, int(scroller.evaluate("node => node.scrollHeight")), 300):
        scroller.evaluate("(node, top) => (node.scrollTop = top)", top)
        page.wait_for_timeout(40)  # two frames
        numbers |= dict(
            rows(page).evaluate_all(
                """rows => rows.map((row) =>
                [row.ariaRowIndex, Number(row.querySelector(".parameters").textContent.replaceAll(",", ""))])"""
            )
        )
    assert sum(numbers.values()) == sum(
        weight.numel() for weight in torchvision.models.convnext_tiny().parameters()
    )


def test_chips_keep_some_kinds_and_count_them(page: Page, address: str):
    open_page(page, address)
    chip = page.get_by_role("button", name="Linear 1", exact=True)
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    assert shown(page) == ["resnet18", "fc"]
    page.get_by_role("button", name="MaxPool2d 1", exact=True).click()
    assert shown(page) == ["resnet18", "maxpool", "fc"]
    expect(page.locator(".status .told")).to_contain_text("2 of 85 rows match")
    expect(page.locator(".status .told")).to_contain_text("4.4 % of the parameters")  # 513,000 of 11,689,512
    page.get_by_role("button", name="Show all rows").click()
    expect(page.locator(".status .told")).to_have_text("60 layers, 9 operations.")
    counts = {
        chip.inner_text().split()[0]: int(chip.locator("b").inner_text())
        for chip in page.locator(".kinds button").all()
    }
    assert counts["Conv2d"] == sum(isinstance(m, nn.Conv2d) for m in torchvision.models.resnet18().modules())


def test_search_finds_names_kinds_and_settings_and_marks_them(page: Page, address: str):
    open_page(page, address)
    search = page.get_by_role("searchbox")
    search.fill("layer3 stride 2")
    assert [path for path in shown(page) if path.count(".") >= 2] == [
        "layer3.0.conv1",
        "layer3.0.downsample",
        "layer3.0.downsample.0",
    ]
    expect(page.locator(".status .told")).to_contain_text("2 of 85 rows match")
    assert {mark.lower() for mark in page.locator(".body mark").all_inner_texts()} <= {
        "layer3",
        "stride",
        "2",
    }
    search.fill("BATCHNORM")
    expect(page.locator(".status .told")).to_contain_text("20 of 85 rows match")
    expect(page.locator(".body mark").first).to_have_text("BatchNorm")
    row(page, "layer1").locator(".toggle").click()  # what was found can be closed too
    expect(row(page, "layer1.0")).to_have_count(0)
    search.fill("no such <layer>(")
    expect(page.locator(".none")).to_have_text("No row is like that.")
    expect(page.locator(".status .told")).to_contain_text("0 of 85 rows match")


def test_only_rows_above_one_percent(page: Page, address: str):
    open_page(page, address)
    page.get_by_label("Rows that are shown").select_option("parameters")
    whole = profiled("resnet18").parameters
    wanted = [line for line in profiled("resnet18").rows if line.parameters >= whole / 100]
    expect(page.locator(".status .told")).to_contain_text(f"{len(wanted)} of 85 rows match")
    page.get_by_role("columnheader", name="Parameters").get_by_role("button").click()
    assert len(shown(page)) == sum(line.role != "container" for line in wanted)


def test_columns_can_be_chosen(page: Page, address: str):
    open_page(page, address)
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("% of MACs").check()
    page.get_by_label("Settings").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("columnheader", name="Settings")).to_have_count(0)
    expect(cell(page, "conv1", "share_macs")).to_have_text("6.5 %")
    cell(page, "conv1", "share_macs").click()
    expect(product(page).locator(".equation")).to_have_text("118,013,952 ÷ 1,814,073,344 = 6.5 %")


# ------------------------------------------------------------------------------- choosing, failing


def test_a_row_is_chosen_by_its_name_and_by_enter(page: Page, address: str):
    open_page(page, address)
    row(page, "layer2").locator(".text").click()
    expect(said(page, "chosen=('layer2', 0)")).to_be_visible()
    expect(row(page, "layer2")).to_have_attribute("aria-selected", "true")
    settled(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(said(page, "chosen=('layer2.0', 0)")).to_be_visible()
    expect(page.locator('.body [aria-selected="true"]')).to_have_count(1)
    assert focused(page)["path"] == "layer2.0"  # the run that follows leaves the keys where they are
    page.keyboard.press("Enter")
    expect(said(page, "chosen=None")).to_be_visible()
    expect(page.locator('.body [aria-selected="true"]')).to_have_count(0)


def test_a_chosen_row_that_is_filtered_out_is_told_and_shown_again(page: Page, address: str):
    open_page(page, address)
    page.get_by_role("button", name="Open all").click()
    row(page, "layer1.0.conv1").locator(".text").click()
    expect(said(page, "chosen=('layer1.0.conv1', 0)")).to_be_visible()
    told = page.locator(".status .told")
    expect(told).not_to_contain_text("chosen")
    page.get_by_role("searchbox").fill("conv")
    expect(told).not_to_contain_text("chosen")
    page.get_by_role("searchbox").fill("layer4")
    expect(told).to_contain_text("the chosen row, layer1.0.conv1, is not among them")
    page.get_by_role("button", name="Show all rows").click()
    expect(told).not_to_contain_text("chosen")
    expect(row(page, "layer1.0.conv1")).to_be_in_viewport()


def test_second_calls_are_rows_of_their_own(page: Page, address: str):
    open_page(page, address)
    page.get_by_role("button", name="Open all").click()
    row(page, "layer1.0.relu", call=1).locator(".text").click()
    expect(said(page, "chosen=('layer1.0.relu', 1)")).to_be_visible()
    expect(row(page, "layer1.0.relu", call=1)).to_contain_text("call 2")


def test_the_page_can_choose_and_the_table_opens_to_it(page: Page, address: str):
    open_page(page, address)
    for _ in range(2):  # the second time the page chooses what it chose before
        page.get_by_role("button", name="Choose one far down").click()
        chosen = page.locator('.body [aria-selected="true"]')
        expect(chosen.locator(".name")).to_have_attribute("title", "layer4.1.conv2")
        expect(chosen).to_be_in_viewport()
        settled(page)
        page.locator(".scroller").evaluate("scroller => (scroller.scrollTop = 0)")
        row(page, "conv1").locator(".text").click()
        expect(said(page, "chosen=('conv1', 0)")).to_be_visible()
        settled(page)


def test_a_net_that_fails_shows_where_and_offers_repairs(page: Page, address: str):
    open_page(page, address, "broken")
    failed = page.locator(".body .row.failed")
    expect(failed).to_be_in_viewport()
    expect(failed.locator(".name")).to_have_attribute("title", "31.0")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("expects 16 channels, but 8 arrive")
    expect(page.locator(".foot .name")).to_have_text("Total so far")
    alert.get_by_role("button", name="Make 16 arrive").click()
    expect(said(page, "repairs=['wide']")).to_be_visible()
    settled(page)
    alert.get_by_role("button", name="Let it read 8 channels").press("Enter")
    expect(said(page, "repairs=['wide', 'narrow']")).to_be_visible()


def test_names_are_never_markup(page: Page, address: str):
    open_page(page, address, "spiteful")
    expect(page.locator(".body img, .foot img")).to_have_count(0)
    expect(rows(page).first.locator(".text")).to_have_text('=<img src=x onerror=alert(1)> & "a"')
    page.get_by_role("searchbox").fill("img")
    expect(page.locator(".body mark")).to_have_text("img")
    rows(page).first.locator(".macs").click()
    expect(product(page).locator(".of")).to_contain_text("=<img src=x onerror=alert(1)>")


# ------------------------------------------------------------------------------- exports


def downloaded(page: Page, title: str) -> tuple[str, str]:
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download as {title}").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes().decode("utf-8")


def test_exports_are_downloaded(page: Page, address: str):
    open_page(page, address)
    table = profiled("resnet18")
    page.get_by_role("button", name="Export").click()
    name, text = downloaded(page, "CSV")
    assert name == "resnet18.csv"
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(record["path"], int(record["macs"])) for record in records] == [
        (line.path, line.macs) for line in table.rows
    ]
    name, text = downloaded(page, "JSON")
    assert name == "resnet18.json"
    assert [record["parameters"] for record in json.loads(text)["rows"]] == [
        line.parameters for line in table.rows
    ]
    name, text = downloaded(page, "Course listing")
    assert name == "resnet18.txt"
    assert text.startswith("INPUT:")
    expect(page.locator("#exports p")).to_have_text("Saved as resnet18.txt.")


def test_exports_take_what_is_shown(page: Page, address: str):
    open_page(page, address)
    page.get_by_role("button", name="Columns").click()
    for column in ["Settings", "Input", "Activations", "Field, px", "Output, bytes"]:
        page.get_by_label(column, exact=True).uncheck()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Linear 1", exact=True).click()
    page.get_by_role("columnheader", name="MACs").get_by_role("button").click()
    page.get_by_role("button", name="Export").click()
    page.get_by_label("Only these rows, in this order").check()
    _, text = downloaded(page, "Markdown")
    assert text.splitlines()[:3] == [
        "| Layer | Kind | Output | Parameters | MACs |",
        "| :--- | :--- | :--- | ---: | ---: |",
        "| fc | Linear | 1,000 | 513,000 | 512,000 |",
    ]
    assert len(text.splitlines()) == 5
    assert text.splitlines()[3] == "| **Total of these rows** |  |  | **513,000** | **512,000** |"


def test_a_sorted_list_is_exported_with_what_blocks_keep_themselves(page: Page, address: str):
    open_page(page, address, "convnext_tiny")
    page.get_by_role("columnheader", name="Parameters").get_by_role("button").click()
    page.get_by_role("button", name="Export").click()
    page.get_by_label("Only these rows, in this order").check()
    _, text = downloaded(page, "CSV")
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    weights = torchvision.models.convnext_tiny().parameters()
    assert sum(int(record["parameters"]) for record in records) == sum(weight.numel() for weight in weights)


def test_exports_are_copied(browser: Browser, address: str):
    with visiting(browser) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        open_page(page, address)
        page.get_by_role("button", name="Export").click()
        for title, start in [
            ("LaTeX", r"% \usepackage{booktabs}"),
            ("Markdown", "| Layer |"),
            ("LaTeX", r"% \use"),
        ]:
            page.get_by_role("button", name=f"Copy as {title}").click()
            expect(page.locator("#exports p")).to_have_text("Copied.")
            assert page.evaluate("navigator.clipboard.readText()").startswith(start)


def test_without_a_clipboard_the_text_is_shown_selected(page: Page, address: str):
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    open_page(page, address)
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Copy as CSV").click()
    area = page.get_by_label("The text to copy")
    expect(area).to_be_focused()
    assert area.input_value().startswith("path,call,name")


# ------------------------------------------------------------------------------- large nets


def test_rows_that_are_not_drawn_are_reached_by_keys(page: Page, address: str):
    open_page(page, address, "efficientnet_b7")
    page.get_by_role("button", name="Open all").click()
    count = int(page.get_by_role("treegrid").get_attribute("aria-rowcount") or 0)
    assert count > 1_200
    assert rows(page).count() < 60
    rows(page).first.focus()
    press(page, "End")
    assert focused(page)["path"] == "classifier.1"
    assert int(focused(page)["index"] or 0) == count - 1
    press(page, "PageUp", "PageUp")
    assert int(focused(page)["index"] or 0) < count - 20
    expect(page.locator(".body .row:focus")).to_be_in_viewport()
    press(page, "Home", *["ArrowDown"] * 40)
    assert focused(page)["index"] == "42"
    expect(page.locator(".body .row:focus")).to_be_in_viewport()
    page.mouse.move(700, 600)
    page.mouse.wheel(0, 9_000)  # the row under the keys is far out of sight and still has them
    page.wait_for_timeout(200)
    press(page, "ArrowDown")
    assert focused(page)["index"] == "43"
    expect(page.locator(".body .row:focus")).to_be_in_viewport()


# A table by itself, then sorted, opened, scrolled: [rows of the page, their first name] after each step.
HARNESS = """
async ([html, css, script, table]) => {
    document.body.innerHTML = "<div id=host style='width:1300px'></div>";
    const module = await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})));
    const root = document.querySelector("#host").attachShadow({mode: "open"});
    root.innerHTML = `<style>${css}</style>${html}`;
    const data = {table, chosen: null, answered: 0, repairs: [], formats: [], exported: null, hues: {}, height: 600};
    const steps = [
        () => module.default({data, parentElement: root, setStateValue() {}, setTriggerValue() {}}),
        () => root.querySelector('[data-sort="macs"]').click(),
        () => {
            root.querySelector('.status .back').click();
            root.querySelector('[data-depth="Infinity"]').click();
        },
        () => (root.querySelector('.scroller').scrollTop = 15000),
    ];
    const found = [];
    for (const step of steps) {
        step();
        for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
        const rows = [...root.querySelectorAll('.body .row')];
        const scroller = root.querySelector('.scroller'), box = scroller.getBoundingClientRect();
        const seen = rows.filter((row) => row.getBoundingClientRect().bottom > box.top + 60);
        found.push([rows.length, seen[0].textContent, scroller.scrollHeight]);
    }
    return found;
}
"""


def test_of_a_thousand_rows_only_those_in_sight_are_on_the_page(page: Page):
    table = profiled("efficientnet_b7")
    message = rows_to_json(table, folds_of(table))
    assert len(message["rows"]) > 1_200
    html, css = ((FOLDER / f"layer_table.{kind}").read_text("utf-8") for kind in ("html", "css"))
    script = "\n".join((FOLDER / name).read_text("utf-8") for name in ("_shared.js", "layer_table.js"))
    page.goto("about:blank")
    first, ordered, opened, scrolled = page.evaluate(HARNESS, [html, css, script, message])
    assert all(count < 60 for count, _, _ in (first, ordered, opened, scrolled))
    line = opened[2] / len(message["rows"])
    assert 20 < line < 60  # room for every row, in CSS pixels
    # the heaviest layer comes first
    heaviest = max(row.macs for row in table.rows if row.role != "container")
    assert f"{heaviest:,}" in ordered[1]
    assert opened[1].startswith("features")
    # far down: the row that stands there in the tree
    place = round(15_000 / line)
    names = [row.path.rsplit(".", 1)[-1] for row in table.rows]
    assert any(scrolled[1].startswith(name) for name in names[place - 3 : place + 4])


# ------------------------------------------------------------------------------- for everybody


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("net", "width"), [("resnet18", 1440), ("resnet18", 420), ("broken", 800)])
def test_axe_finds_nothing_and_only_the_table_scrolls(
    browser: Browser, address: str, dark: bool, net: str, width: int
):
    with visiting(browser, width=width, dark=dark) as page:
        open_page(page, address, net)
        chosen = "layer2" if net == "resnet18" else "31"
        row(page, chosen).locator(".text").click()
        expect(
            said(page, f"chosen=('{chosen}', 0)")
        ).to_be_visible()  # the run has begun, and fades what it replaces
        at_rest(page)
        check(page)
        page.get_by_role("searchbox").fill("conv")
        rows(page).nth(2).locator(".number").first.click()
        expect(product(page)).to_be_visible()
        check(page)
        page.keyboard.press("Escape")
        for menu in ("Columns", "Export"):
            page.get_by_role("button", name=menu).click()
            check(page)
            area = page.locator(".menu:popover-open").bounding_box()
            assert area
            assert area["x"] >= 0
            assert area["x"] + area["width"] <= width
            page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def check(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    ours = [
        rule
        for rule in found
        if any("layers" in str(node) or "bidi" in str(node["target"]).lower() for node in rule["nodes"])
    ]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert not ours + serious, [(rule["id"], rule["nodes"]) for rule in ours + serious]


def test_columns_follow_the_width(browser: Browser, address: str):
    with visiting(browser, width=1440) as page:
        open_page(page, address)
        assert page.get_by_role("columnheader").count() == 10
        page.set_viewport_size({"width": 420, "height": 900})
        expect(page.get_by_role("columnheader")).to_have_count(4)
        page.set_viewport_size({"width": 1440, "height": 900})
        expect(page.get_by_role("columnheader")).to_have_count(10)


def test_another_width_keeps_the_net_that_is_shown(browser: Browser, address: str):
    with visiting(browser, width=1440) as page:
        open_page(page, address)
        page.get_by_role("button", name="Take VGG-16").click()
        total = page.locator('.foot [data-total="parameters"]')
        weights = sum(weight.numel() for weight in torchvision.models.vgg16().parameters())
        expect(total).to_have_attribute("aria-label", f"{weights:,}")
        settled(page)
        for width, count in ((1000, 6), (1440, 10), (420, 4)):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.get_by_role("columnheader")).to_have_count(count)
            at_rest(page)
            expect(total).to_have_attribute("aria-label", f"{weights:,}")
        page.set_viewport_size({"width": 400, "height": 900})  # as many columns: rows are drawn, no more
        page.locator(".scroller").evaluate("scroller => (scroller.scrollTop = scroller.scrollHeight)")
        expect(row(page, "classifier.6")).to_be_visible()
        assert bar(page, "classifier.6") == pytest.approx((4096 * 1000 + 1000) / weights, abs=0.02)
