"""A layer as text: what a link says and what people type comes back as the layer that torch would make."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from explorer.errors import ExplorerError, LayerError, ShapeError
from explorer.layer_code import code, module
from explorer.layer_text import OtherLine, read_code, read_layer, read_line, write_layer
from explorer.layers import KINDS, LayerSpec, Sizes, output_shape
from explorer.ui.layer_controls import as_kind
from tests.layer_zoo import REFUSALS, draw, torch_shape

# torch copies the picture for these, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

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
        ("nn.Conv2d(3, 10", "a “.” that is not closed: a “.” is missing"),
        ("nn.Conv2d(3, 10, (3, 5)", "a “.” is missing"),
        ("nn.Conv2d(3, 10, [3, 5)", "a “.” is missing"),
        ("nn.Conv2d(3, 10, 3))", "has one “.” too many"),
        ("nn.Conv2d(3, 10, 3, padding='same)", "a quotation mark that is not closed"),
        ("nn.Conv2d(3, 10, 3); nn.ReLU()", "One layer is read here at a time; these are 2 lines"),
        ("nn.Sequential(nn.Conv2d(3, 10, 3), nn.ReLU())", "Sequential holds several layers"),
        ("F.conv2d(x, w, padding=1)", r"conv2d is a function: .* is nn\.Conv2d"),
        ("torch.nn.functional.max_pool2d(x, 2)", r"is nn\.MaxPool2d"),
        ("F.conv_transpose1d(x, w)", r"is nn\.ConvTranspose1d"),
        ("nn.ReLU(inplace=True)", "changes no shape: 3 × 32 × 32 goes in, and 3 × 32 × 32 comes out"),
        ("nn.BatchNorm2d(64)", "BatchNorm2d changes no shape"),
        ("layers.Dropout(0.5)", "Dropout changes no shape"),
        ("nn.Flatten()", "3 × 32 × 32 in one row: 3,072 numbers"),
        ("nn.Conv2D(3, 10, 5)", "torch writes Conv2d, with a small d"),
        ("layers.Conv2d(3, 10, 5)", "Keras writes Conv2D, with a capital D"),
        ("layers.Conv2D(32)", "needs `kernel_size`"),
        ("layers.Conv2D(32, 3, padding='causal')", "adds all of it in front"),
        ("layers.Conv2D(32, 3, padding='full')", "“full” is neither"),
        ("layers.Conv2D(32, 3, colour=1)", "has no parameter `colour`"),
        ("layers.Conv2D(32, 3, kernel_size=3)", "the same parameter twice"),
        ("layers.Conv2D(32, open('x'))", "Only plain numbers"),
        ("layers.Conv2D(32, 3, input_shape=(28, 28))", "3 numbers"),
        ("layers.Conv2D(32, 3, input_shape=(28, 28, 'a'))", "whole numbers"),
        ("layers.Conv2DTranspose(8, 3, 2, 'same', 1)", "takes at most 4 values"),
        ("layers.Conv2DTranspose(8, 3, output_padding=1)", "other sizes than torch's"),
        ("layers.SeparableConv2D(8, 3)", "the same with use_bias=False"),
        ("layers.DepthwiseConv2D(3, depth_multiplier=0)", "a whole number from 1"),
        ("layers.MaxPooling2D(2, strides=1, padding='same')", "adds 0 rows before this input and 1 after it"),
        ("nn.Conv2d(3, 10, " + "9" * 200 + ")", "100,000"),
        ("nn.Linear(3072, 0)", "number of its outputs"),
        ("nn.Linear()", "number of its outputs"),
        ("nn.Conv2d(3, 10, 3)\\0", "is not a line such as"),
        ("nn.Conv2d(3, 10, 3)\0", "is not a line such as"),
        ("\ud800(3)", "is not a"),
        ("lambda: nn.Conv2d(3, 10, 3)", "is not a line such as"),
        ("[nn.Conv2d(3, 10, 3) for _ in range(9)]", "is not a line such as"),
        ("nn.Conv2d(3, 10, (lambda: 3)())", "Only plain numbers"),
        ("nn.Conv2d(3, 10, " + "-" * 250 + "3)", "Only plain numbers|whole number|is not a line"),
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
        ("(" * 250 + ")" * 50, "a “.” is missing"),
        ("(" * 140 + ")" * 140, "is not a line such as"),
    ],
)
def test_what_is_no_layer_gets_one_sentence(line: str, says: str):
    with pytest.raises((LayerError, ShapeError), match=says) as raised:
        read_code(line, (3, 32, 32))
    assert isinstance(raised.value, LayerError) or "100,000" in says or "whole number" in says
    assert str(raised.value).endswith(".")
    assert len(str(raised.value)) < 260


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


# ------------------------------------------------------------------------------- as people paste it


@pytest.mark.parametrize(
    "line",
    [
        "nn.Conv2d(3, 10, 5, padding=2),",
        "self.conv1 = nn.Conv2d(3, 10, 5, padding=2)",
        "self.conv1: nn.Module = torch.nn.Conv2d(3, 10, 5, padding=2)",
        "conv = Conv2d(3, 10, 5, padding=2)  # the first",
        ">>> nn.Conv2d(3, 10, 5, padding=2);",
        "(conv1): Conv2d(3, 10, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))",
        "  nn.Conv2d(3, 10, 5, padding=2,)  ",
    ],
)
def test_a_line_is_read_in_any_dress(line: str):
    assert read_code(line, (3, 32, 32)) == (LayerSpec(kernel_size=5, padding=2), (3, 32, 32))


def test_nothing_of_a_line_is_run(monkeypatch: pytest.MonkeyPatch):
    """The parts of a call that are not looked at are not evaluated either."""
    run: list[Any] = []
    for owner, name in ((os, "system"), (subprocess, "run"), (subprocess, "Popen")):
        monkeypatch.setattr(owner, name, lambda *given, **named: run.append(given))
    for line in (
        "__import__('os').system('true')",
        "layers.Conv2D(8, 3, activation=__import__('os').system('true'))",
        "layers.Conv2D(8, 3)(__import__('os').system('true'))",
        "x[__import__('os').system('true')] = nn.Conv2d(3, 8, 3)",
        "nn.Conv2d(3, 8, 3, bias=__import__('os').system('true'))",
    ):
        with suppress(ExplorerError):
            read_line(line, (3, 32, 32))
    assert run == []


@pytest.mark.parametrize(
    ("line", "shape", "told"),
    [
        ("nn.Linear(3072, 10)", (3, 32, 32), "nn.Conv2d(3, 10, kernel_size=32)"),
        ("nn.Linear(60, out_features=7, bias=False)", (3, 4, 5), "nn.Conv2d(3, 7, kernel_size=(4, 5), bias=False)"),
        ("nn.LazyLinear(4)", (2, 9), "nn.Conv1d(2, 4, kernel_size=9)"),
        ("layers.Dense(10, activation='softmax')", (3, 8, 8), "nn.Conv2d(3, 10, kernel_size=8)"),
    ],
)  # fmt: skip
def test_a_dense_layer_is_told_as_the_convolution_that_does_the_same(line: str, shape: Sizes, told: str):
    with pytest.raises(OtherLine, match="reads all pixels at once and has no window") as raised:
        read_line(line, shape)
    assert raised.value.line == told
    assert told in str(raised.value)
    spec, _ = read_code(told, shape)
    convolution = module(spec)
    dense = nn.Linear(int(np.prod(shape)), spec.out_channels, bias=spec.bias)
    dense.weight.data[:] = convolution.weight.data.flatten(1)
    if spec.bias:
        dense.bias.data[:] = convolution.bias.data
    picture = torch.randn(2, *shape)
    torch.testing.assert_close(convolution(picture).flatten(1), dense(picture.flatten(1)))


@pytest.mark.parametrize(
    ("line", "shape", "told"),
    [
        ("nn.Linear(512, 10)", (3, 32, 32), "nn.Conv2d(512, 10, kernel_size=1)"),
        ("nn.Linear(784, 10, bias=False)", (3, 8, 8), "nn.Conv2d(784, 10, kernel_size=1, bias=False)"),
        ("nn.Linear(3, 10)", (3, 9), "nn.Conv1d(3, 10, kernel_size=1)"),
    ],
)
def test_a_dense_layer_of_other_numbers_is_told_as_a_window_of_one_cell(line: str, shape: Sizes, told: str):
    with pytest.raises(OtherLine, match="has no window") as raised:
        read_line(line, shape)
    assert raised.value.line == told
    spec, after = read_code(told, shape)
    assert after == (spec.in_channels, *shape[1:])
    assert f"reads {spec.in_channels} numbers" in str(raised.value)
    convolution, dense = module(spec), nn.Linear(spec.in_channels, spec.out_channels, bias=spec.bias)
    dense.weight.data[:] = convolution.weight.data.flatten(1)
    if spec.bias:
        dense.bias.data[:] = convolution.bias.data
    picture = torch.randn(2, *after)
    # torch's dense layer reads the last axis, at each position of the others
    torch.testing.assert_close(convolution(picture), dense(picture.movedim(1, -1)).movedim(-1, 1))


@pytest.mark.parametrize("line", ["nn.Linear(0, 10)", "nn.Linear('a', 10)", "nn.Linear(None, 10)"])
def test_a_dense_layer_without_a_number_of_inputs_is_refused(line: str):
    with pytest.raises(LayerError, match="the number of its inputs"):
        read_line(line, (3, 8, 8))


# ------------------------------------------------------------------------------- Keras


def tensorflow_padding(size: int, extent: int, stride: int) -> tuple[int, int]:
    """What “same” adds: as tensorflow.org/api_docs/python/tf/nn has it, by cases."""
    total = max(extent - stride, 0) if size % stride == 0 else max(extent - size % stride, 0)
    return total // 2, total - total // 2


def keras_numbers(
    kind: str,
    weight: torch.Tensor,
    picture: torch.Tensor,
    stride: int,
    dilation: int,
    groups: int,
    same: bool,
) -> torch.Tensor:
    """What Keras' layer makes, from a picture that is padded first: no layer of torch has to pad anything."""
    pads = [tensorflow_padding(n, dilation * (weight.shape[-1] - 1) + 1, stride) if same else (0, 0)
            for n in picture.shape[2:]]  # fmt: skip
    sides = [pad for pair in reversed(pads) for pad in pair]
    pad, functional = nn.functional.pad, nn.functional
    if kind == "max":
        return functional.max_pool2d(pad(picture, sides, value=-torch.inf), weight.shape[-1], stride)
    if kind == "mean":  # of the real cells alone
        ones = torch.ones_like(picture)
        summed, counted = (
            functional.avg_pool2d(pad(each, sides), weight.shape[-1], stride) for each in (picture, ones)
        )
        return summed / counted
    return functional.conv2d(pad(picture, sides), weight, None, stride, 0, dilation, groups)


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("kind", ["conv", "max", "mean"])
def test_keras_layers_make_the_same_numbers_or_are_refused(kind: str, same: bool):
    """Random windows: where a line is read, torch's layer makes the numbers of Keras' own padding."""
    rng = np.random.default_rng(5)
    read = refused = 0
    for _ in range(120):
        kernel, stride = (int(number) for number in rng.integers(1, 6, 2))
        dilation = int(rng.integers(1, 3)) if stride == 1 and kind == "conv" else 1
        shape = (4, *(int(number) for number in rng.integers(9, 15, 2)))
        groups = int(rng.choice([1, 2, 4])) if kind == "conv" else 1
        padding = "same" if same else "valid"
        line = {
            "conv": f"Conv2D(8, {kernel}, strides={stride}, padding={padding!r}, dilation_rate={dilation}, "
            f"groups={groups}, use_bias=False)",
            "max": f"layers.MaxPooling2D({kernel}, {stride}, {padding!r})",
            "mean": f"tf.keras.layers.AveragePooling2D(pool_size=({kernel}, {kernel}), strides={stride}, "
            f"padding={padding!r})",
        }[kind]
        picture = torch.from_numpy(rng.standard_normal((1, *shape)))
        weight = torch.from_numpy(rng.standard_normal((8, 4 // groups, kernel, kernel)))
        wanted = keras_numbers(kind, weight, picture, stride, dilation, groups, same)
        try:
            spec, found = read_code(line, shape)
        except OtherLine as other:
            refused += 1
            near, _ = read_code(other.line, shape)
            assert output_shape(near, shape) == tuple(wanted.shape[1:])
            continue
        except LayerError:
            refused += 1
            continue
        read += 1
        layer = module(spec).double()
        if kind == "conv":
            layer.weight.data[:] = weight
        assert found == shape
        torch.testing.assert_close(layer(picture), wanted)
    assert read > 30
    assert bool(refused) == same


@pytest.mark.parametrize(
    ("line", "shape", "wanted"),
    [
        # the examples in Keras' documentation: (28, 28, 3) → (26, 26, 2), (24, 24, 2), (28, 28, 2)
        ("Conv2D(2, 3, activation='relu', input_shape=(28, 28, 3))", (1, 9, 9), (2, 26, 26)),
        ("Conv2D(2, 3, activation='relu', dilation_rate=2, input_shape=(28, 28, 3))", (1, 9, 9), (2, 24, 24)),
        ("Conv2D(2, 3, activation='relu', padding='same', input_shape=(28, 28, 3))", (1, 9, 9), (2, 28, 28)),
        ("Conv1D(32, 3, activation='relu', input_shape=(10, 128))", (1, 9), (32, 8)),
        ("Conv3D(2, 3, activation='relu', input_shape=(28, 28, 28, 1))", (1, 9), (2, 26, 26, 26)),
        ("MaxPooling2D(pool_size=(2, 2), strides=(2, 2), padding='valid')", (1, 3, 4), (1, 1, 2)),
        ("layers.MaxPooling2D(2)", (3, 32, 32), (3, 16, 16)),
        ("layers.MaxPool2D()", (3, 33, 32), (3, 16, 16)),
        ("layers.MaxPooling2D(2, padding='same')", (3, 33, 32), (3, 17, 16)),
        ("layers.AveragePooling1D(3, strides=2)", (3, 32), (3, 15)),
        ("x = layers.Conv2D(32, (3, 3), strides=2, padding='same')(x)", (3, 33, 33), (32, 17, 17)),
        ("model.add(Conv2D(32, kernel_size=(3, 3), input_shape=(28, 28, 1)))", (3, 9, 9), (32, 26, 26)),
        ("model.add(keras.layers.Conv2D(32, 5, padding='same', input_shape=(None, None, 1)))", (3, 9, 7), (32, 9, 7)),
        ("DepthwiseConv2D(3, depth_multiplier=2)", (3, 9, 9), (6, 7, 7)),
        ("SeparableConv2D(12, 3, padding='same', use_bias=False)", (3, 9, 9), (12, 9, 9)),
        # size · stride with “same”; (size − 1) · stride + kernel with “valid”, never less than size · stride
        ("Conv2DTranspose(8, 4, strides=2, padding='same')", (3, 9, 9), (8, 18, 18)),
        ("Conv2DTranspose(8, 2, strides=2, padding='same')", (3, 9, 9), (8, 18, 18)),
        ("Conv2DTranspose(8, 3, strides=2)", (3, 9, 9), (8, 19, 19)),
        ("Conv2DTranspose(8, 2, strides=3)", (3, 9, 9), (8, 27, 27)),
        ("GlobalAveragePooling2D()", (3, 9, 9), (3, 1, 1)),
        ("GlobalMaxPooling2D(keepdims=True)", (3, 9, 7), (3, 1, 1)),
    ],
)  # fmt: skip
def test_lines_of_keras_have_the_shapes_of_its_documentation(line: str, shape: Sizes, wanted: Sizes):
    spec, found = read_code(line, shape)
    assert output_shape(spec, found) == wanted


def test_keras_transposed_windows_lie_where_the_gradient_of_its_convolution_puts_them():
    """A transposed convolution is defined by it: the gradient of the “same” convolution from the larger size."""
    rng = np.random.default_rng(6)
    read = 0
    for kernel, stride, size in itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (4, 5)):
        weight = torch.from_numpy(rng.standard_normal((2, 1, kernel, kernel)))
        large = torch.zeros(1, 1, size * stride, size * stride, dtype=torch.float64, requires_grad=True)
        seen = keras_numbers("conv", weight, large, stride, 1, 1, True)
        picture = torch.from_numpy(rng.standard_normal((1, 2, size, size)))
        (wanted,) = torch.autograd.grad((seen * picture).sum(), large)
        line = f"Conv2DTranspose(1, {kernel}, strides={stride}, padding='same', use_bias=False)"
        try:
            spec, _ = read_code(line, (2, size, size))
        except LayerError:
            assert (kernel - stride) % 2  # it would have to cut more on one side
            continue
        layer = module(spec).double()
        layer.weight.data[:] = weight
        torch.testing.assert_close(layer(picture), wanted)
        read += 1
    assert read >= 10


def test_what_a_line_leaves_out_is_told():
    def notes(line: str) -> tuple[str, ...]:
        return read_line(line, (3, 33, 33)).notes

    assert notes("nn.Conv2d(3, 10, 3)") == ()
    assert notes("Conv2D(8, 3, name='first')") == ()
    assert notes("Conv2D(8, 3, activation='relu')") == ("`activation` changes no shape: it is left out.",)
    assert notes("Conv2D(8, 3, activation='relu', kernel_initializer=he_normal())") == (
        "`activation` and `kernel_initializer` change no shape: they are left out.",
    )
    assert notes("Conv2D(8, 3, strides=2, padding='same')") == (
        "Keras' padding “same” depends on the input: this is the one for 33 × 33.",
    )
    assert notes("GlobalAveragePooling2D()") == ("Keras then drops the axes of size 1.",)


def test_what_torch_cannot_pad_so_is_refused_with_the_nearest_line():
    with pytest.raises(OtherLine, match="adds 0 rows before this input and 1 after it") as raised:
        read_line("Conv2D(32, (3,3), strides=2, padding='same', activation='relu')", (3, 32, 32))
    assert raised.value.line == "nn.Conv2d(3, 32, kernel_size=3, stride=2, padding=1)"
    assert "makes 32 × 16 × 16 too" in str(raised.value)


# ------------------------------------------------------------------------------- another kind

STARTS = [
    "conv~3x32x32~o10~k5~p2",
    "conv~4x20x31~o8~k3x5~psame~b0~mreflect",
    "conv~6x30x30~o4~k3~s2~p3~d3",
    "grouped~8x9x9~o8~g4~k3~mreflect~p1~b0",
    "depthwise~3x32x32~o6~k3~p1~s2",
    "pointwise~3x32x32~o10~s2~b0",
    "separable~3x32x32~o10~k3~p1",
    "dilated~3x32x32~o10~k3~p4~d2",
    "transposed~4x8x8~o8~k4~s2~p1~g2",
    "transposed~3x2x2~o8~k5~s3~p1~q2",
    "masked_a~3x32x32~o10~k7~p3",
    "masked_b~3x32x32~o10~k3~p1~mcircular",
    "max_pool~3x32x32~k3~s2~p1~d2~c1",
    "average_pool~3x33x32~k3x2~s2~p1~i0~c1",
    "global_pool~3x32x32",
    "adaptive_pool~3x32x32~t7x5",
]


def test_a_start_of_every_kind_is_tried():
    assert {text.partition("~")[0] for text in STARTS} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", STARTS)
def test_another_kind_keeps_what_both_leave_free_and_is_possible(text: str, kind: str):
    spec, shape = read_layer(text)
    made, sizes, notes = as_kind(spec, shape, kind)
    assert made.kind == kind
    assert sizes == shape, "the input is left alone"
    output_shape(made, sizes)
    told = " ".join(notes).lower()
    for field in KINDS[kind].fields:
        if field not in KINDS[spec.kind].fields or getattr(made, field) == getattr(spec, field):
            continue
        word = {"in_channels": "channels in", "out_channels": "channels out", "kernel_size": "kernel"}
        assert f"{word.get(field, field).replace('_', ' ')} went from" in told
        if (kind, field) in (("dilated", "dilation"), ("grouped", "out_channels"), ("grouped", "groups")):
            continue  # holes, and groups, are what makes them
        with pytest.raises(ShapeError):
            output_shape(replace(made, **{field: getattr(spec, field)}), sizes)
    if kind == "dilated" and KINDS[spec.kind].fields != ("in_channels",) and max(shape[1:]) > 9:
        assert max(made.dilation) > 1
    if kind == "grouped":
        assert made.groups > 1
    if kind == spec.kind:
        assert (made, notes) == (spec, ())


def test_random_layers_become_every_kind_and_every_number_of_axes():
    rng = np.random.default_rng(12)
    changed = 0
    for _ in range(150):
        kind, dimensions, numbers, shape = draw(rng)
        try:
            torch_shape(kind, dimensions, numbers, shape)
            spec = LayerSpec(kind, dimensions, **numbers)
            output_shape(spec, shape)
        except (*REFUSALS, ShapeError):
            continue
        for other, axes in itertools.product(KINDS, (1, 2, 3)):
            made, sizes, notes = as_kind(spec, shape, other, axes)
            output_shape(made, sizes)
            assert (made.kind, made.dimensions, sizes[0]) == (other, axes, shape[0])
            assert read_layer(write_layer(made, sizes)) == (made, sizes), "the link can say it"
            assert all(note.endswith(".") for note in notes)
            assert all(re.search("went|gone|stays", note) for note in notes)
            changed += bool(notes)
    assert changed > 300


@pytest.mark.parametrize(
    ("text", "kind", "axes", "notes"),
    [
        ("grouped~8x9x9~o8~g4~k3", "conv", 2, ["Groups went from 4 to 1: a convolution has none."]),
        ("grouped~8x9x9~o8~g4~k1", "pointwise", 2, ["Groups went from 4 to 1: a pointwise layer has none."]),
        ("conv~3x9x9~o10~k3~b0", "dilated", 2, ["Dilation went from 1 to 2. With 1 it would be a plain convolution."]),
        ("depthwise~3x9x9~o6~k3", "conv", 2, []),
        ("max_pool~3x9x9~k3~s2~p1~c1", "global_pool", 2,
         ["Kernel (3), stride (2), padding (1) and rounding up are gone: a global pooling has none."]),
        ("conv~3x9x7~o10~k3x5", "conv", 1, ["Of the sizes 9×7 only 7 stays."]),
        ("conv~3x9x9~o10~k3x5", "conv", 3, []),
    ],
)  # fmt: skip
def test_what_could_not_be_kept_is_told_in_words(text: str, kind: str, axes: int, notes: list[str]):
    made, _, told = as_kind(*read_layer(text), kind, axes)
    assert list(told) == notes
    if axes == 3:
        assert made.kernel_size == (3, 3, 5)
    if axes == 1:
        assert made.kernel_size == (5,)
