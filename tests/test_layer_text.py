"""A layer as text: what a link says and what people type comes back as the layer that torch would make."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from explorer.errors import ExplorerError, LayerError, ShapeError
from explorer.layer_code import code
from explorer.layer_text import read_code, read_layer, write_layer
from explorer.layers import KINDS, LayerSpec, output_shape

TYPED = {
    "nn.Conv2d(3, 10, 5, padding=2)": (3, 32, 32),
    "torch.nn.Conv2d(3, 96, kernel_size=11, stride=4)": (3, 227, 227),
    "Conv2d(16, 32, (3, 5), (2, 1), (1, 2), 2)": (16, 40, 40),
    "nn.Conv2d(8, 16, 3, groups=4, bias=False, padding='same')": (8, 20, 20),
    "nn.Conv2d(8, 16, 3, groups=8, padding_mode='reflect', padding=1)": (8, 20, 20),
    "nn.Conv1d(2, 4, 7, 3)": (2, 50),
    "nn.Conv3d(1, 2, 3, padding=[1, 0, 1])": (1, 8, 8, 8),
    "nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)": (4, 9, 9),
    "nn.MaxPool2d(2)": (5, 21, 21),
    "nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),": (5, 21, 21),
    "nn.AvgPool2d(3, 2, 1, count_include_pad=False)": (5, 21, 21),
    "nn.AdaptiveAvgPool2d((7, 5))": (5, 21, 21),
    "nn.AdaptiveAvgPool2d(1)": (5, 21, 21),
}


def torchs(line: str) -> nn.Module:
    name = line.strip().rstrip(",").removeprefix("torch.").removeprefix("nn.")
    made: nn.Module = eval(f"nn.{name}", {"nn": nn})
    return made


@pytest.mark.parametrize("line", TYPED)
def test_a_typed_line_is_the_layer_that_torch_makes(line: str):
    shape = TYPED[line]
    spec, same = read_code(line, shape)
    assert same == shape
    module = torchs(line).to("meta")
    assert output_shape(spec, shape) == tuple(module(torch.empty(1, *shape, device="meta")).shape[1:])
    again = torchs(code(spec))
    assert sum(p.numel() for p in again.parameters()) == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("line", "shape", "wanted"),
    [
        ("nn.Conv2d(16, 32, (3, 5), 2, 1)", (3, 32, 20), (16, 32, 20)),
        ("nn.Conv1d(4, 8, 3)", (3, 32, 20), (4, 20)),
        ("nn.Conv2d(4, 8, 3)", (3, 50), (4, 50, 50)),
        ("nn.Conv3d(1, 4, 3)", (3, 32, 20), (1, 16, 32, 20)),
        ("nn.MaxPool3d(2)", (3, 12), (3, 12, 12, 12)),
    ],
)
def test_the_input_follows_the_typed_line(line: str, shape: tuple[int, ...], wanted: tuple[int, ...]):
    spec, found = read_code(line, shape)
    assert found == wanted
    module = torchs(line).to("meta")
    assert output_shape(spec, found) == tuple(module(torch.empty(1, *found, device="meta")).shape[1:])


@pytest.mark.parametrize("line", TYPED)
def test_a_link_gives_the_layer_back(line: str):
    spec, shape = read_code(line, TYPED[line])
    assert read_layer(write_layer(spec, shape)) == (spec, shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_every_kind_goes_through_a_link(kind: str, dimensions: int):
    start = dict(KINDS[kind].start)
    spec = LayerSpec(kind, dimensions, **start)
    shape = (spec.in_channels, *np.arange(9, 9 + dimensions).tolist())
    text = write_layer(spec, shape)
    assert read_layer(text) == (spec, shape)
    assert text.isascii()
    assert " " not in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "conv",
        "conv~3",
        "conv~3x3x3x3x3",
        "conv~axb",
        "nonsense~3x8x8",
        "conv~3x8x8~z9",
        "conv~3x8x8~k",
        "conv~3x8x8~k-1",
        "conv~3x8x8~k3x3x3x3",
        "conv~3x8x8~mwild",
        "conv~3x8x8~k9",
        "conv~3x8x8~o0",
        "conv~999999x8x8",
        "conv~3x8x8~g2",
        "conv~3x8x8~k²",
        "conv~3x8x8" + "~k3" * 200,
        "<script>alert(1)</script>",
    ],
)
def test_hostile_links_get_one_sentence(text: str):
    with pytest.raises(ExplorerError) as raised:
        read_layer(text)
    assert str(raised.value).endswith(".")
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "is not a line such as"),
        ("hello", "is not a line such as"),
        ("nn.Conv2d(3, 10", "is not a line such as"),
        ("nn.Linear(3, 10)", "“Linear” is not a layer known here"),
        ("nn.Conv2d(3, 10)", "needs `kernel_size`"),
        ("nn.Conv2d(3, 10, 3, colour=1)", "has no parameter `colour`"),
        ("nn.Conv2d(3, 10, 3, kernel_size=3)", "the same parameter twice"),
        ("nn.Conv2d(3, 10, 3, 1, 1, 1, 1, True, 'zeros', 5)", "takes at most 9 values"),
        ("nn.Conv2d(3, 10, open('/etc/passwd'))", "Only plain numbers"),
        ("nn.Conv2d(3, 10, 3.5)", "Only plain numbers"),
        ("nn.Conv2d(*[3, 10], 3)", "Only plain numbers"),
        ("nn.Conv2d(3, 10, **{'kernel_size': 3})", "Only plain numbers"),
        ("__import__('os').system('true')", "is not a layer known here"),
        ("nn.Conv2d(3, 10, 2**30)", "Only plain numbers"),
        ("nn.Conv2d(3, 10, 1000000)", "more than the 100,000"),
        ("(" * 250 + ")" * 50, "is not a line such as"),
    ],
)
def test_what_is_no_layer_gets_one_sentence(line: str, says: str):
    with pytest.raises(LayerError if "100,000" not in says else ShapeError, match=says):
        read_code(line, (3, 32, 32))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nn.Conv2d(3, 10, 40)", "does not fit"),
        ("nn.Conv2d(3, 10, 3, groups=2)", "divisible"),
        ("nn.Conv2d(3, 10, 3, padding=40, padding_mode='reflect')", "finds at most 31"),
        ("nn.Conv2d(3, 10, 3, stride=2, padding='same')", "“same” goes with stride 1"),
        ("nn.MaxPool2d(2, padding=2)", "at most half of its window"),
    ],
)
def test_a_layer_that_torch_refuses_is_refused_with_the_cause(line: str, says: str):
    with pytest.raises(ShapeError, match=says):
        read_code(line, (3, 32, 32))
    with pytest.raises((RuntimeError, ValueError)):
        torchs(line)(torch.zeros(1, 3, 32, 32))
