"""What a control may reach, and the exercise backwards, against torch."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from explorer.errors import ShapeError
from explorer.layer_choices import HIGHEST, Solution, limits, possible, solve
from explorer.layers import KINDS, LayerSpec
from tests.layer_zoo import REFUSALS, draw, torch_shape

# torch copies the picture for these, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

CHANNELS = ("in_channels", "out_channels", "groups")


def torch_makes(spec: LayerSpec, shape: tuple[int, ...]) -> bool:
    numbers = {field.name: getattr(spec, field.name) for field in fields(spec)}
    try:
        torch_shape(spec.kind, spec.dimensions, numbers, shape)
    except REFUSALS:
        return False
    return True


def with_value(spec: LayerSpec, shape: tuple, name: str, axis: int, value: int) -> tuple[dict, tuple]:
    """The numbers of the layer and its input's shape after one control was moved."""
    numbers = {field.name: getattr(spec, field.name) for field in fields(spec)}
    if name == "size":
        return numbers, (*shape[: axis + 1], value, *shape[axis + 2 :])
    if name in CHANNELS:
        return {**numbers, name: value}, ((value, *shape[1:]) if name == "in_channels" else shape)
    now = numbers[name]
    if isinstance(now, str):  # another padding than “same” or “valid”: as much on every axis
        now = tuple(after for _, after in spec.margins)
    return {**numbers, name: (*now[:axis], value, *now[axis + 1 :])}, shape


class TestLimits:
    @pytest.mark.parametrize("kind", KINDS)
    def test_hold_exactly_what_torch_makes(self, kind: str):
        rng = np.random.default_rng(5)
        checked = outside = 0
        while checked < 10:
            _, dimensions, numbers, shape = draw(rng, kind, highest_size=9)
            try:
                spec = LayerSpec(kind, dimensions, **numbers)
                found = limits(spec, shape)
            except ShapeError:
                continue
            checked += 1
            assert set(found) == set(KINDS[kind].fields) & {*CHANNELS, *HIGHEST} | {"size"}
            for name, axes in found.items():
                assert len(axes) == (1 if name in CHANNELS else dimensions)
                for axis, values in enumerate(axes):
                    lowest = 0 if "padding" in name else 1
                    # no gaps that halving would not see: every value up to 14 is tried
                    for value in {*range(lowest, 15), values[-1], values[-1] + 1}:
                        if value > values[-1] >= HIGHEST.get(name, values[-1] + 1):
                            continue
                        moved, input_shape = with_value(spec, shape, name, axis, value)
                        try:
                            torch_shape(kind, dimensions, moved, input_shape)
                        except REFUSALS:
                            assert value not in values, (spec, shape, name, axis, value)
                            outside += 1
                        else:
                            assert value in values, (spec, shape, name, axis, value)
        assert outside > 10 or kind in ("pointwise", "global_pool", "adaptive_pool"), outside

    def test_hold_the_values_that_are_set(self):
        spec = LayerSpec(kernel_size=(80, 3), padding=40)
        found = limits(spec, (3, 9, 9))
        assert 80 in found["kernel_size"][0]
        assert 40 in found["padding"][1]
        assert found["size"][0][0] == 1

    def test_of_an_impossible_layer_are_refused(self):
        with pytest.raises(ShapeError, match="does not fit"):
            limits(LayerSpec(kernel_size=9), (3, 8, 8))

    def test_channels_step_so_that_groups_divide_them(self):
        found = limits(LayerSpec("grouped", in_channels=48, out_channels=12, groups=4), (48, 8, 8))
        assert found["groups"] == ((1, 2, 3, 4, 6, 12),)
        assert found["in_channels"][0][:3] == range(4, 16, 4)
        depthwise = limits(LayerSpec("depthwise", in_channels=3, out_channels=12), (3, 8, 8))
        assert depthwise["in_channels"] == ((1, 2, 3, 4, 6, 12),)
        assert depthwise["out_channels"][0][:2] == range(3, 9, 3)


def test_possible_agrees_with_torch_on_padding_modes():
    spec = LayerSpec(kernel_size=3, padding=4)
    for mode, size in itertools.product(("zeros", "reflect", "replicate", "circular"), range(1, 8)):
        changed = replace(spec, padding_mode=mode)
        assert possible(spec, (3, size, size), padding_mode=mode) == torch_makes(changed, (3, size, size))


class TestSolve:
    @pytest.mark.parametrize(
        ("size", "result"), [(7, 3), (32, 28), (32, 32), (13, 6), (9, 1), (5, 12), (1, 1)]
    )
    def test_finds_what_torch_makes_of_every_window(self, size: int, result: int):
        expected = []
        # the rows of the padded input are their numbers, so the last that a window reads is the largest value
        for kernel, stride, padding, dilation in itertools.product(
            range(1, 16), range(1, 9), range(8), range(1, 5)
        ):
            padded = torch.arange(float(size + 2 * padding)).reshape(1, 1, 1, -1)
            if dilation * (kernel - 1) >= padded.numel() or (kernel == 1 and dilation > 1):
                continue
            windows = functional.unfold(padded, (1, kernel), (1, dilation), stride=(1, stride))
            if windows.shape[-1] == result:
                leftover = padded.numel() - 1 - int(windows.max())
                expected.append(Solution(kernel, stride, padding, dilation, leftover))
        assert solve(size, result) == expected
        assert expected

    def test_keeps_to_the_values_that_are_given(self):
        found = solve(224, 112, kernel_sizes=[7, 3], strides=[2], paddings=[1, 3], dilations=[1])
        assert found == [Solution(3, 2, 1, 1, 1), Solution(7, 2, 3, 1, 1)]

    def test_finds_nothing_where_nothing_leads_there(self):
        assert solve(4, 100) == []
