"""The code of a layer makes the layer."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
import torch
from torch import nn

from explorer.errors import ShapeError
from explorer.layer_code import code, module
from explorer.layers import KINDS, LayerSpec, live_weights, output_shape
from tests.layer_zoo import draw, masked, torch_layer

# torch copies the picture for these, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")


def run(source: str) -> nn.Module:
    """The last expression of the code, after its imports."""
    *before, last = ast.parse(source).body
    names = {"nn": nn, "torch": torch}
    exec(compile(ast.Module(before, []), "code", "exec"), names)
    assert isinstance(last, ast.Expr)
    made = eval(compile(ast.Expression(last.value), "code", "eval"), names)
    assert isinstance(made, nn.Module)
    return made


def arguments(layer: nn.Module) -> str:
    """What a layer prints of itself: all its arguments.  A pooling keeps (2, 2) and 2 apart, which are the same."""
    return re.sub(r"\((\d+)(?:, \1)*,?\)", r"\1", repr(layer))


@pytest.mark.parametrize("kind", KINDS)
def test_code_and_module_are_torchs_layer_on_random_layers(kind: str):
    rng = np.random.default_rng(6)
    made = 0
    while made < 25:
        _, dimensions, numbers, shape = draw(rng, kind)
        try:
            spec = LayerSpec(kind, dimensions, **numbers)
            expected = output_shape(spec, shape)
        except ShapeError:
            continue
        made += 1
        with torch.device("meta"):
            layers = [run(code(spec)), module(spec)]
            oracle = torch_layer(kind, dimensions, numbers)
            for layer in layers:
                assert arguments(layer) == arguments(oracle)
                assert tuple(layer(torch.zeros(2, *shape)).shape) == (2, *expected)


@pytest.mark.parametrize("kind", ["masked_a", "masked_b"])
def test_masked_weights_stay_zero_when_the_layer_learns(kind: str):
    spec = LayerSpec(kind, in_channels=2, out_channels=3, kernel_size=(3, 5), padding=(1, 2))
    for layer in (run(code(spec)), module(spec)):
        picture = torch.randn(1, 2, 6, 7)
        layer(picture).square().sum().backward()
        torch.optim.SGD(layer.parameters(), lr=0.1).step()
        layer(picture)
        live = masked(layer.weight, kind).bool()
        assert (layer.weight[~live] == 0).all()
        assert (layer.weight[live] != 0).all()
        assert (live[0, 0].numpy() == live_weights(spec)).all()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (LayerSpec(kernel_size=5, padding=2), "nn.Conv2d(3, 10, kernel_size=5, padding=2)"),
        (LayerSpec(dimensions=1, padding="same"), 'nn.Conv1d(3, 10, kernel_size=3, padding="same")'),
        (LayerSpec(kernel_size=(3, 1), stride=(1, 2)), "nn.Conv2d(3, 10, kernel_size=(3, 1), stride=(1, 2))"),
        (LayerSpec("depthwise", out_channels=3, bias=False), "nn.Conv2d(3, 3, kernel_size=3, groups=3, bias=False)"),
        (LayerSpec("pointwise", 3), "nn.Conv3d(3, 10, kernel_size=1)"),
        (LayerSpec("max_pool", kernel_size=2, stride=2), "nn.MaxPool2d(kernel_size=2)"),
        (LayerSpec("max_pool", stride=2, ceil_mode=True), "nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)"),
        (LayerSpec("average_pool", kernel_size=3), "nn.AvgPool2d(kernel_size=3, stride=1)"),
        (LayerSpec("global_pool", 1), "nn.AdaptiveAvgPool1d(output_size=1)"),
        (
            LayerSpec("transposed", stride=2, padding=1, output_padding=1),
            "nn.ConvTranspose2d(3, 10, kernel_size=3, stride=2, padding=1, output_padding=1)",
        ),
        (
            LayerSpec("separable", padding=1),
            "nn.Sequential(\n    nn.Conv2d(3, 3, kernel_size=3, padding=1, groups=3),\n"
            "    nn.Conv2d(3, 10, kernel_size=1),\n)",
        ),
    ],
)  # fmt: skip
def test_what_is_torchs_default_is_left_out(spec: LayerSpec, expected: str):
    assert code(spec) == expected
