"""Layers against torch: which are possible, what comes out, what is read."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.errors import ShapeError
from explorer.layers import AXES, KINDS, LayerSpec, live_weights, output_shape, output_size, parts, unread
from tests.layer_zoo import REFUSALS, draw, masked, torch_layer, torch_shape

# torch copies the picture for these, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

# the cause in torch's words, and in ours
CAUSES = {
    r"divisible by": r"must be divisible by",
    r"padding='same' is not supported": r"goes with stride 1",
    r"not str|type str|found element of type str|must be (tuple of ints|int)": r"is for convolutions",
    r"Kernel size can't be greater": r"A window of \d+ \w+ does not fit into \d+",
    r"size.*too small|Invalid computed output size": r"does not fit into \d+|Nothing is left: \d+",
    r"negative dimension": r"Nothing is left: \d+",
    r"Padding size should be less|wrapping around more than once": r"finds at most \d+ \w+",
    r"at most half|equal to half": r"at most half of its window, \d+ of \d+ \w+, not \d+",
    r"output padding must be smaller": r"`output_padding` \(\d+ \w+\) must be smaller",
    r"channels, but got|Invalid channel dimensions": r"reads \d+ channels, but the input has \d+",
    r"input image .* smaller than kernel": r"larger than the input of \d+: in 3-D",
}


def spec_of(kind: str, dimensions: int, numbers: dict) -> LayerSpec:
    return LayerSpec(kind, dimensions, **numbers)


def cause(refusal: str) -> str:
    """The key of `CAUSES` for torch's words."""
    return next(cause for cause in CAUSES if re.search(cause, refusal, re.IGNORECASE))


def alone(ours: str, kind: str, dimensions: int, numbers: dict, shape: tuple) -> str:
    """What torch says of that alone which our sentence is about: the channels, or one axis."""
    if "channels" in ours:
        shape = (shape[0], *[20] * dimensions)
    else:
        axis = next(at for at, name in enumerate(AXES[dimensions]) if name in ours)
        numbers = {
            name: value[axis] if isinstance(value, tuple) else value for name, value in numbers.items()
        }
        dimensions, shape = 1, (numbers["in_channels"], shape[1 + axis])
    with pytest.raises(REFUSALS) as refusal:
        torch_shape(kind, dimensions, numbers, shape)
    return str(refusal.value)


class TestOutputShape:
    def test_agrees_with_torch_on_5000_random_layers_refused_ones_included(self):
        rng = np.random.default_rng(0)
        refused = dict.fromkeys(CAUSES, 0)
        made = dict.fromkeys(itertools.product(KINDS, AXES), 0)
        for _ in range(5000):
            kind, dimensions, numbers, shape = draw(rng)
            try:
                expected = torch_shape(kind, dimensions, numbers, shape)
            except REFUSALS as error:
                refused[cause(str(error))] += 1
                with pytest.raises(ShapeError) as caught:
                    output_shape(spec_of(kind, dimensions, numbers), shape)
                ours = str(caught.value)
                if not re.search(CAUSES[cause(str(error))], ours):
                    # more than one thing is wrong: what we name is, where torch sees nothing else
                    assert re.search(CAUSES[cause(alone(ours, kind, dimensions, numbers, shape))], ours), (
                        shape
                    )
            else:
                made[kind, dimensions] += 1
                assert output_shape(spec_of(kind, dimensions, numbers), shape) == expected, (
                    kind,
                    numbers,
                    shape,
                )
        assert sum(refused.values()) >= 500
        assert min(refused.values()) >= 2, refused
        assert min(made.values()) >= 10, made

    def test_agrees_with_torch_where_numbers_are_really_computed(self):
        rng = np.random.default_rng(1)
        for _ in range(600):
            kind, dimensions, numbers, shape = draw(rng, highest_size=7)
            try:
                expected = torch_shape(kind, dimensions, numbers, shape, device="cpu")
            except REFUSALS:
                with pytest.raises(ShapeError):
                    output_shape(spec_of(kind, dimensions, numbers), shape)
            else:
                assert output_shape(spec_of(kind, dimensions, numbers), shape) == expected, (
                    kind,
                    numbers,
                    shape,
                )

    @pytest.mark.parametrize(
        ("spec", "input_shape", "expected"),
        [
            # the courses' exercises and nets
            (LayerSpec(kernel_size=5, padding=2), (3, 32, 32), (10, 32, 32)),
            (LayerSpec(out_channels=96, kernel_size=11, stride=4), (3, 227, 227), (96, 55, 55)),
            (LayerSpec(in_channels=1, kernel_size=11, stride=4, padding=1), (1, 224, 224), (10, 54, 54)),
            (LayerSpec("max_pool", in_channels=96, kernel_size=3, stride=2), (96, 55, 55), (96, 27, 27)),
            (LayerSpec("pointwise", in_channels=64, out_channels=32), (64, 56, 56), (32, 56, 56)),
            (LayerSpec("global_pool", in_channels=10), (10, 7, 7), (10, 1, 1)),
            # Dumoulin & Visin 2016, relations 13 and 14
            (LayerSpec("transposed", stride=2, padding=1), (3, 3, 3), (10, 5, 5)),
            (LayerSpec("transposed", stride=2, padding=1, output_padding=1), (3, 3, 3), (10, 6, 6)),
        ],
    )
    def test_of_known_layers(self, spec: LayerSpec, input_shape: tuple, expected: tuple):
        assert output_shape(spec, input_shape) == expected

    @pytest.mark.parametrize("shape", [(3, 8), (3, 8, 8, 8), (3, 0, 8), ()])
    def test_refuses_other_axes_and_empty_inputs(self, shape: tuple):
        with pytest.raises(ShapeError):
            output_shape(LayerSpec(), shape)


class TestLayerSpec:
    @pytest.mark.parametrize(
        ("numbers", "sentence"),
        [
            ({"kind": "dense"}, "There is no layer “dense”"),
            ({"dimensions": 4}, "1, 2 or 3 dimensions, not 4"),
            ({"kernel_size": 0}, "`kernel_size` is 0: a whole number from 1"),
            ({"stride": 1.5}, "`stride` is 1.5"),
            ({"padding": -1}, "`padding` is -1: a whole number from 0"),
            ({"padding": "full"}, "`padding` is 'full'"),
            ({"kernel_size": (3, 3, 3)}, "has 3 numbers, but the layer has 2 axes"),
            ({"padding_mode": "mirror"}, "There is no padding “mirror”"),
            ({"kind": "grouped", "in_channels": 48, "groups": 5}, "`in_channels` (48) must be divisible by `groups`"),
            ({"kind": "depthwise"}, "`out_channels` (10) must be divisible by `in_channels` (3)"),
        ],
    )  # fmt: skip
    def test_refuses_nonsense_with_its_values(self, numbers: dict, sentence: str):
        with pytest.raises(ShapeError, match=re.escape(sentence)):
            LayerSpec(**numbers)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("dimensions", AXES)
    def test_each_kind_starts_as_a_layer_that_torch_makes(self, kind: str, dimensions: int):
        spec = LayerSpec(kind, dimensions, **KINDS[kind].start)
        shape = (spec.in_channels, *(12, 13, 14)[:dimensions])
        numbers = {name: getattr(spec, name) for name in KINDS["conv"].fields + KINDS["transposed"].fields}
        numbers |= {name: getattr(spec, name) for name in ("ceil_mode", "count_include_pad", "output_size")}
        assert output_shape(spec, shape) == torch_shape(kind, dimensions, numbers, shape)

    def test_what_a_kind_does_not_use_does_not_tell_two_layers_apart(self):
        assert LayerSpec("pointwise", kernel_size=5, groups=7) == LayerSpec("pointwise")
        assert LayerSpec("global_pool", out_channels=9).out_channels == 3
        assert replace(LayerSpec("depthwise", out_channels=12), in_channels=4).groups == 4

    def test_equal_layers_are_one_key(self):
        assert (
            len(
                {
                    LayerSpec(kernel_size=3),
                    LayerSpec(kernel_size=(3, 3)),
                    LayerSpec(kernel_size=(np.int64(3), 3)),
                }
            )
            == 1
        )


class TestLiveWeights:
    @pytest.mark.parametrize("kind", ["masked_a", "masked_b"])
    @pytest.mark.parametrize("size", [(1,), (4,), (3, 3), (5, 2), (1, 3), (3, 4, 5)])
    def test_are_those_of_pixelcnn(self, kind: str, size: tuple):
        live = live_weights(LayerSpec(kind, len(size), kernel_size=size))
        assert live.tolist() == masked(torch.ones(1, 1, *size), kind)[0, 0].bool().tolist()

    @pytest.mark.parametrize(("kind", "itself"), [("masked_a", False), ("masked_b", True)])
    def test_show_a_pixel_only_what_was_read_before_it(self, kind: str, itself: bool):
        spec = LayerSpec(kind, in_channels=1, out_channels=1, kernel_size=5, padding=2, bias=False)
        weights = torch.from_numpy(live_weights(spec)).double()[None, None]
        picture = torch.zeros(1, 1, 7, 8, dtype=torch.float64, requires_grad=True)
        result = torch.nn.functional.conv2d(picture, weights, padding=2)
        (seen,) = torch.autograd.grad(result[0, 0, 3, 4], picture)
        last = int(seen.flatten().nonzero().max())
        assert last == 3 * 8 + 4 - (not itself)

    def test_are_all_of_any_other_kind(self):
        assert all(
            live_weights(LayerSpec(kind, **KINDS[kind].start)).all() for kind in KINDS if "mask" not in kind
        )


class TestUnread:
    def test_rows_are_those_that_change_nothing(self):
        rng = np.random.default_rng(2)
        found = dict.fromkeys(KINDS, 0)
        for _ in range(1000):
            kind, dimensions, numbers, shape = draw(rng, highest_size=8 - 2 * (rng.random() < 0.3))
            numbers |= {"bias": False}
            if rng.random() < 0.3:
                numbers["stride"] = 5
            try:
                torch_shape(kind, dimensions, numbers, shape)
            except REFUSALS:
                continue
            layer = torch_layer(kind, dimensions, numbers)
            for weight in layer.parameters():
                torch.nn.init.constant_(weight, 1)
                if kind.startswith("masked"):
                    weight.data *= masked(weight, kind)
            spec = spec_of(kind, dimensions, numbers)
            for axis, size in enumerate(shape[1:]):
                # one input a row: ones there, zeros elsewhere
                rows = torch.eye(size).reshape(
                    size, 1, *(size if each == axis else 1 for each in range(dimensions))
                )
                with torch.no_grad():
                    answers = layer(rows.expand(size, *shape)).flatten(1).amax(dim=1)
                ours = unread(spec, shape, axis)
                assert ours.tolist() == (answers == 0).tolist(), (kind, numbers, shape, axis)
                found[kind] += int(ours.any())
        assert all(
            count > 5 for kind, count in found.items() if kind not in ("global_pool", "adaptive_pool")
        ), found
        assert found["adaptive_pool"] == found["global_pool"] == 0


def test_a_separable_layer_is_its_parts_in_sequence():
    spec = LayerSpec("separable", in_channels=4, out_channels=6, kernel_size=(3, 5), stride=2, dilation=2)
    depthwise, pointwise = parts(spec)
    middle = output_shape(depthwise, (4, 20, 21))
    assert middle == (4, 8, 7)
    assert output_shape(pointwise, middle) == output_shape(spec, (4, 20, 21)) == (6, 8, 7)
    assert output_size(spec, 20) == 8
