"""What the server answers to a browser that paints ahead: by the page's own functions, and a sentence for the rest."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import torch
from starlette.requests import Request

from explorer.errors import ExplorerError
from explorer.layer_text import read_layer, write_layer
from explorer.layers import KINDS
from explorer.ui import ahead, layer_controls, warmup
from explorer.ui.layer_drawn import MOST_PRODUCTS, VIEWS, draw
from tests.test_animation import torch_layers


@pytest.fixture(autouse=True)
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has woken up."""
    state = warmup.WarmUp()
    state.done.set()
    monkeypatch.setattr(warmup, "state", state)


def asked(**query: str) -> dict[str, Any]:
    """The server's answer to a query."""
    request = Request({"type": "http", "query_string": urlencode(query).encode(), "headers": []})
    told: dict[str, Any] = json.loads(bytes(ahead.answer(request).body))
    return told


def changed(text: str, *changes: tuple[str, Any]) -> str:
    spec, shape = read_layer(text)
    for control, value in changes:
        spec, shape = layer_controls.changed(spec, shape, control, value)
    return write_layer(spec, shape)


CHANGES = [
    ("conv~3x32x32~o10~k5~p2", "kernel_size", 7, "conv~3x32x32~o10~k7~p2"),
    ("conv~3x32x32~o10~k5~p2", "kernel_size 1", 3, "conv~3x32x32~o10~k5x3~p2"),
    ("conv~3x32x32~o10~k5~p2", "size", 64, "conv~3x64x64~o10~k5~p2"),
    ("conv~3x32x32~o10~k5~p2", "size 0", 64, "conv~3x64x32~o10~k5~p2"),
    ("conv~3x32x32~o10~k5~p2", "in_channels", 4, "conv~4x32x32~o10~k5~p2"),
    ("conv~3x32x32~o10~k5~p2", "padding", 0, "conv~3x32x32~o10~k5"),
    ("conv~3x32x32~o10~k5~p2", "padding", "“same”: as large as the input", "conv~3x32x32~o10~k5~psame"),
    ("conv~3x32x32~o10~k5~psame", "padding", "a number", "conv~3x32x32~o10~k5~p2"),
    ("conv~3x32x32~o10~k5~p2", "padding_mode", "circular", "conv~3x32x32~o10~k5~p2~mcircular"),
    ("conv~3x32x32~o10~k5~p2", "bias", False, "conv~3x32x32~o10~k5~p2~b0"),
    ("conv~3x32x32~o10~k5~p2", "axes", "1-D", "conv~3x32~o10~k5~p2"),
    ("conv~3x32x32~o10~k5~p2", "kind", "Max pooling", "max_pool~3x32x32~k5~p2"),
    ("conv~3x32x32~o10~k5~p2", "typed", " nn.MaxPool2d(2) ", "max_pool~3x32x32~k2~s2"),
    ("conv~3x32x32~o10~k5~p2", "undo", "max_pool~3x32x32~k2", "max_pool~3x32x32~k2"),
    ("depthwise~4x9x9~o8~k3", "in_channels", 5, "depthwise~5x9x9~o10~k3"),
    ("grouped~4x9x9~o4~k3~g2", "groups", "4", "grouped~4x9x9~o4~k3~g4"),
    ("average_pool~2x9x9~k2~s2", "ceil_mode", True, "average_pool~2x9x9~k2~s2~c1"),
    # what is not possible leaves the layer as it is
    ("conv~3x8x8~o10~k5", "kernel_size", 9, "conv~3x8x8~o10~k5"),
    ("conv~3x8x8~o10~k5", "stride", 0, "conv~3x8x8~o10~k5"),
    ("conv~3x8x8~o10~k5~p7", "padding_mode", "reflect", "conv~3x8x8~o10~k5~p7~mreflect"),
    ("conv~3x7x7~o10~k5~p7", "padding_mode", "reflect", "conv~3x7x7~o10~k5~p7"),
    ("average_pool~2x9x9~k2~s2", "bias", False, "average_pool~2x9x9~k2~s2"),
]


@pytest.mark.parametrize(("before", "control", "value", "after"), CHANGES)
def test_a_change_leads_where_the_control_does(before: str, control: str, value: Any, after: str):
    assert changed(before, (control, value)) == after
    told = asked(layer=before, seen="scatter", changes=json.dumps([[control, value]]))
    assert told["told"]["layer"] == after
    spec, shape = read_layer(after)
    with torch.device("meta"):
        out = torch.nn.Sequential(*torch_layers(spec))(torch.zeros(1, *shape, dtype=torch.float64))
    assert told["answer"]["printed"] == str(out.shape)


def test_changes_follow_each_other():
    told = asked(
        layer="conv~3x32x32~o10~k5~p2",
        seen="equivalent",
        changes=json.dumps([["kind", "Transposed"], ["stride", 2], ["seen", VIEWS["scatter"]]]),
    )
    assert told["told"]["layer"] == "transposed~3x32x32~o10~k5~s2~p2"
    assert told["told"]["seen"] == "scatter"
    assert told["windows"][0]["animation"]["mode"] == "scatter"
    assert told["answer"]["after"] == "10 × 63 × 63"


@pytest.mark.parametrize("kind", KINDS)
def test_what_controls_show_is_what_a_change_takes(kind: str):
    """A control set to what it shows already changes nothing, whatever the kind."""
    spec, shape, _ = layer_controls.as_kind(*read_layer("conv~4x9x9~o4~k3~p1"), kind)
    shows = layer_controls.ahead_of(spec, shape, "scatter")["controls"]
    assert {"kind", "axes", "seen"} <= set(shows)
    for control, value in shows.items():
        if control != "seen":
            assert layer_controls.changed(spec, shape, control, value) == (spec, shape), control


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"layer": "nonsense"},
        {"layer": "conv~" + "9" * 9000},
        {"layer": "conv~3x32x32~o10~k5", "changes": "[["},
        {"layer": "conv~3x32x32~o10~k5", "changes": "[" * 3000},
        {"layer": "conv~3x32x32~o10~k5", "changes": "{}"},
        {"layer": "conv~3x32x32~o10~k5", "changes": "[1]"},
        {"layer": "conv~3x32x32~o10~k5", "changes": json.dumps([["stride", 1]] * 25)},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["stride", 1e999]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["stride", true]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["stride x", 2]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["size 2", 2]]'},
        {"layer": "conv~3x32x32~o10~k5~psame", "changes": '[["padding 0", 2]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["groups 0", 2]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["kind", "<b>"]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["kind", ["conv"]]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["bias", "no"]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["__class__", 1]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["typed", "import os"]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": '[["undo", "conv~0"]]'},
        {"layer": "conv~3x32x32~o10~k5", "changes": f'[["size", {10**12}]]'},
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(query: dict[str, str]):
    told = asked(**query)
    assert set(told) == {"refused"}
    assert 10 < len(told["refused"]) < 300
    assert told["refused"].rstrip().endswith((".", "?", ")"))


def test_a_server_that_wakes_up_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warmup, "state", warmup.WarmUp())
    assert asked(layer="conv~3x32x32~o10~k5") == {"refused": "The server is still waking up."}


def test_too_much_to_draw_is_counted_and_not_sent():
    drawn = draw(*read_layer("conv~3x16x32x32~o10~k15~p12"), "gather")
    assert drawn.products > MOST_PRODUCTS
    assert json.loads(drawn.windows) == []
    assert json.loads(drawn.answer)["after"]


def test_pages_tell_of_the_address_once_the_server_has_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ahead, "served", False)
    ahead.route()
    assert ahead.served is True


def test_no_control_takes_what_it_cannot_be():
    spec, shape = read_layer("pointwise~3x4x4~o2")
    for control in ("kernel_size", "output_size", "groups"):
        with pytest.raises(ExplorerError, match="takes"):
            layer_controls.changed(spec, shape, control, 2)
