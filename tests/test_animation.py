"""The sliding window's numbers: played again from what the browser gets, and held to torch's own layers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.animation import HOLE, PADDING, PICTURE, Animation, animate, stages, to_json, weight_shape
from explorer.errors import LayerError, ShapeError
from explorer.layers import ADAPTIVE, KINDS, POOLS, LayerSpec, Sizes, output_shape, unread, unread_cells
from explorer.worked import LARGEST, drawable, worked_numbers

SETTINGS = 25  # random layers of every kind, in 1-D, 2-D and 3-D together
MODES = ("zeros", "reflect", "replicate", "circular")
CASES = [(kind, seed) for kind in KINDS for seed in range(SETTINGS)]


# Random layers, torch's own, and playing frames again ---------------------------------------------------------


def random_layer(kind: str, random: np.random.Generator, largest: int = 10) -> tuple[LayerSpec, Sizes]:
    """A possible layer and the shape of an input for it."""
    for _ in range(1000):
        dimensions = int(random.choice([1, 2, 2, 3]))
        top = largest if dimensions < 3 else 6
        kernel_top = (5 if largest < 20 else 11) if dimensions < 3 else 3

        def sizes(low: int, high: int, axes: int = dimensions) -> Sizes:
            return tuple(int(number) for number in random.integers(low, high + 1, axes))

        groups = int(random.choice([1, 2, 3])) if kind in ("grouped", "transposed") else 1
        channels = groups * int(random.integers(1, 4))
        fields: dict[str, Any] = {
            "in_channels": channels,
            "out_channels": channels * int(random.integers(1, 3)),
            "kernel_size": sizes(1, kernel_top),
            "stride": sizes(1, 3),
            "padding": sizes(0, 3),
            "dilation": sizes(1, 3),
            "groups": groups,
            "bias": bool(random.integers(2)),
            "padding_mode": str(random.choice(MODES)),
            "output_padding": sizes(0, 2),
            "ceil_mode": bool(random.integers(2)),
            "count_include_pad": bool(random.integers(2)),
            "output_size": sizes(1, 5),
        }
        if random.random() < 0.15 and kind not in POOLS and kind != "transposed":
            fields |= {"padding": str(random.choice(["same", "valid"])), "stride": 1}
        try:
            spec = LayerSpec(kind, dimensions, **fields)
            shape = (channels, *sizes(1, top))
            output_shape(spec, shape)
        except ShapeError:
            continue
        return spec, shape
    raise AssertionError(f"no possible {kind} in 1000 tries")


def torch_layers(spec: LayerSpec) -> list[nn.Module]:
    """The layer as torch has it, its numbers of double precision."""

    def convolution(inputs: int, outputs: int, groups: int = 1) -> nn.Module:
        return getattr(nn, f"Conv{spec.dimensions}d")(
            inputs,
            outputs,
            spec.kernel_size,
            spec.stride,
            spec.padding,
            spec.dilation,
            groups,
            spec.bias,
            spec.padding_mode,
            dtype=torch.float64,
        )

    rank = f"{spec.dimensions}d"
    if spec.kind == "transposed":
        return [
            getattr(nn, f"ConvTranspose{rank}")(
                spec.in_channels,
                spec.out_channels,
                spec.kernel_size,
                spec.stride,
                spec.padding,
                spec.output_padding,
                spec.groups,
                spec.bias,
                spec.dilation,
                dtype=torch.float64,
            )
        ]
    if spec.kind == "max_pool":
        pool = getattr(nn, f"MaxPool{rank}")
        return [pool(spec.kernel_size, spec.stride, spec.padding, spec.dilation, ceil_mode=spec.ceil_mode)]
    if spec.kind == "average_pool":
        pool = getattr(nn, f"AvgPool{rank}")
        return [pool(spec.kernel_size, spec.stride, spec.padding, spec.ceil_mode, spec.count_include_pad)]
    if spec.kind in ADAPTIVE:
        size = 1 if spec.kind == "global_pool" else spec.output_size
        return [getattr(nn, f"AdaptiveAvgPool{rank}")(size)]
    if spec.kind == "depthwise":
        return [convolution(spec.in_channels, spec.out_channels, spec.in_channels)]
    if spec.kind == "separable":
        mixing = getattr(nn, f"Conv{rank}")
        return [
            convolution(spec.in_channels, spec.in_channels, spec.in_channels),
            mixing(spec.in_channels, spec.out_channels, 1, bias=spec.bias, dtype=torch.float64),
        ]
    return [convolution(spec.in_channels, spec.out_channels, spec.groups)]


def mask(kind: str, size: Sizes) -> np.ndarray:
    """1 for each weight that a masked convolution uses, cell by cell."""
    allowed = np.zeros(size)
    centre = tuple(side // 2 for side in size)
    for cell in np.ndindex(size):  # tuples compare in raster order
        allowed[cell] = cell < centre or (kind == "masked_b" and cell == centre)
    return allowed


def torch_results(spec: LayerSpec, picture: np.ndarray, weights: Any, bias: Any) -> list[np.ndarray]:
    """What torch's layers give, stage by stage, as planes (channels · depth, rows, columns)."""
    x = torch.from_numpy(picture).double()[None]
    results = []
    with torch.no_grad():
        for index, layer in enumerate(torch_layers(spec)):
            if spec.kind not in POOLS:
                values = weights[index] * (
                    mask(spec.kind, spec.kernel_size) if spec.kind.startswith("masked") else 1
                )
                layer.weight.copy_(torch.from_numpy(np.asarray(values)))
                if bias[index] is not None:
                    layer.bias.copy_(torch.from_numpy(bias[index]))
            x = layer(x)
            results.append(as_planes(x[0].numpy()))
    return results


def as_planes(values: np.ndarray) -> np.ndarray:
    """(channels, *sizes) as (channels · depth, rows, columns)."""
    rows = values.shape[-2] if values.ndim > 2 else 1
    return values.reshape(-1, rows, values.shape[-1])


def from_json(plane: dict[str, Any], field: str = "values") -> np.ndarray:
    numbers = [-np.inf if number is None else number for number in plane[field]]
    return np.array(numbers, float).reshape(plane["rows"], plane["columns"])


def play(data: dict[str, Any]) -> np.ndarray:
    """Every output (planes, rows, columns), from the input planes, the kernels, the bias and the frames alone."""
    inputs = [from_json(plane) for plane in data["inputs"]]
    kernels = [[from_json(plane) for plane in planes] for planes in data["kernels"]]
    made = np.full((len(data["outputs"]), *from_json(data["outputs"][0]).shape), np.nan)
    if data["mode"] == "scatter":
        made[:] = np.array(data["bias"] or [0.0] * len(made))[:, None, None]
    for frame in data["frames"]:
        plane, row, column = frame["at"]
        flat = data["patterns"][frame["pattern"]]
        taps = [flat[i : i + 6] for i in range(0, len(flat), 6)]
        shift = frame["shift"]
        products = []
        for p, r, c, *weight in taps:
            p, r, c = p + shift[0], r + shift[1], c + shift[2]
            assert min(p, r, c) >= 0
            factor = 1.0 if frame["filter"] < 0 else kernels[frame["filter"]][weight[0]][weight[1], weight[2]]
            if data["mode"] == "scatter":
                made[p, r, c] += inputs[plane][row, column] * factor
            else:
                products.append(inputs[p][r, c] * factor)
        if data["mode"] == "gather":
            assert np.isnan(made[plane, row, column]), "a cell that two frames complete"
            bias = data["bias"][plane] if data["bias"] else 0
            made[plane, row, column] = max(products) if data["reduce"] == "max" else sum(products) + bias
            made[plane, row, column] /= frame["divisor"]
    return made


def kept(animation: Animation, planes: np.ndarray) -> np.ndarray:
    """Cells of the output planes that the padding does not crop."""
    return planes[np.stack([plane.flags for plane in animation.outputs]) != HOLE]


# Results --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_frames_played_again_give_what_torch_gives(kind: str, seed: int):
    """Sums of whole numbers to the last bit; a mean may be divided in two steps there."""
    spec, shape = random_layer(kind, np.random.default_rng([seed, *kind.encode()]))
    picture, weights, bias = worked_numbers(spec, shape, seed)
    expected = torch_results(spec, picture, weights, bias)
    for view in ("scatter", "equivalent") if kind == "transposed" else ("gather",):
        shown = animate(spec, picture, weights, bias, view)
        assert len(shown) == len(expected) == (2 if kind == "separable" else 1)
        for animation, result in zip(shown, expected, strict=True):
            data = json.loads(json.dumps(to_json(animation), allow_nan=False))
            played = play(data)
            assert np.array_equal(played, [from_json(plane) for plane in data["outputs"]])
            assert np.array_equal([plane.values for plane in animation.outputs], played)
            played = kept(animation, played).reshape(result.shape)
            if animation.reduce == "mean":
                np.testing.assert_allclose(played, result, rtol=4e-16)
            else:
                assert np.array_equal(played, result)


def test_a_known_example_is_worked_as_printed():
    """Dumoulin & Visin 2016, figure 1.1: the kernel and the picture, nine sums."""
    picture = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
    kernel = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
    spec = LayerSpec(in_channels=1, out_channels=1, kernel_size=3, bias=False)
    (animation,) = animate(spec, np.array([picture]), [np.array([[kernel]])], [None])
    assert animation.outputs[0].values.tolist() == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]
    assert [frame.at for frame in animation.frames][:4] == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)]
    assert animation.bias == ()


# What is read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(20))
def test_the_ring_is_what_torch_pads(mode: str, seed: int):
    random = np.random.default_rng(seed)
    dimensions = seed % 3 + 1
    size = tuple(int(n) for n in random.integers(4, 8, dimensions))
    padding = tuple(int(n) for n in random.integers(0, 4, dimensions))
    spec = LayerSpec("conv", dimensions, 2, 1, kernel_size=1, padding=padding, padding_mode=mode)
    picture, weights, bias = worked_numbers(spec, (2, *size), seed)
    (animation,) = animate(spec, picture, weights, bias)
    ring = [side for pad in reversed(padding) for side in (pad, pad)]
    name = "constant" if mode == "zeros" else mode
    padded = F.pad(torch.from_numpy(picture).double()[None], ring, mode=name)[0].numpy()
    inside = F.pad(torch.ones(2, *size), ring).numpy()
    assert np.array_equal([plane.values for plane in animation.inputs], as_planes(padded))
    flags = np.stack([plane.flags for plane in animation.inputs])
    assert np.array_equal(flags, np.where(as_planes(inside) == 1, PICTURE, PADDING))


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in KINDS for seed in range(4)])
def test_windows_are_those_that_gradients_show(kind: str, seed: int):
    """With weights of one, the derivative of an output by an input is how often it is read (over the divisor)."""
    spec, shape = random_layer(kind, np.random.default_rng([seed, 7, *kind.encode()]), largest=6)
    part = replace(stages(spec)[0], padding_mode="zeros", bias=False)
    weights = [np.ones(weight_shape(part))] * (kind not in POOLS)
    (layer,) = torch_layers(part)
    if weights:
        once = mask(kind, part.kernel_size) if kind.startswith("masked") else np.ones(part.kernel_size)
        layer.weight.data[:] = torch.from_numpy(once)
    if kind == "max_pool":  # only the winner has a gradient: each cell wins once
        pictures = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
        derivative = layer(pictures).flatten(1).T.numpy()
    else:
        x = torch.zeros(1, *shape, dtype=torch.float64)
        rows = torch.autograd.functional.jacobian(layer, x)
        derivative = rows.reshape(-1, x.numel()).numpy()

    # a picture that counts its own cells tells which of them each padded plane shows
    picture = np.arange(1, derivative.shape[1] + 1).reshape(shape)
    for view in ("scatter", "equivalent") if kind == "transposed" else ("gather",):
        (animation,) = animate(part, picture, weights, [None] * len(weights), view)
        read = np.maximum([plane.values for plane in animation.inputs], 0).astype(int)
        inside = np.stack([plane.flags for plane in animation.outputs]) != HOLE
        written = np.where(inside, np.cumsum(inside).reshape(inside.shape), 0)
        # the first row and column are for padding and for what is cropped
        seen = np.zeros((len(derivative) + 1, picture.size + 1))
        for frame in animation.frames:
            for cell in map(tuple, frame.taps[:, :3]):
                pair = (frame.at, cell) if animation.mode == "gather" else (cell, frame.at)
                seen[written[pair[0]], read[pair[1]]] += 1 / frame.divisor
        np.testing.assert_allclose(seen[1:, 1:], derivative, atol=1e-12)


@pytest.mark.parametrize("kind", ["masked_a", "masked_b"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_masked_windows_read_only_what_came_before(kind: str, dimensions: int, kernel: int):
    spec = LayerSpec(kind, dimensions, 2, 2, kernel_size=kernel, padding=kernel // 2)
    size = (4, 5, 6)[-dimensions:]
    (animation,) = animate(spec, *worked_numbers(spec, (2, *size)))
    depth = len(animation.inputs) // 2
    margins = np.array([0] * (3 - dimensions) + [kernel // 2] * dimensions)
    own_places = 0
    for frame in animation.frames:
        own = (frame.at[0] % (len(animation.outputs) // 2), *frame.at[1:])
        for plane, row, column in frame.taps[:, :3]:
            place = tuple(np.array((plane % depth, row, column)) - margins)
            assert place < own or (kind == "masked_b" and place == own)
            own_places += place == own
    assert own_places == (2 * len(animation.frames) if kind == "masked_b" else 0)
    unused = np.concatenate([plane.flags == HOLE for planes in animation.kernels for plane in planes])
    assert unused.sum() == 4 * (mask(kind, (kernel,) * dimensions) == 0).sum()
    values = np.concatenate([plane.values for planes in animation.kernels for plane in planes])
    assert not values[unused].any()


def test_padding_never_wins_a_maximum():
    spec = LayerSpec("max_pool", in_channels=1, kernel_size=3, stride=2, padding=1)
    (animation,) = animate(spec, -1 - np.arange(25).reshape(1, 5, 5))
    assert animation.outputs[0].values[0, 0] == -1
    assert np.isneginf(animation.inputs[0].values[animation.inputs[0].flags == PADDING]).all()
    assert to_json(animation)["inputs"][0]["values"][0] is None


def test_dilated_windows_leave_their_holes_unread():
    spec = LayerSpec("dilated", in_channels=1, out_channels=1, kernel_size=3, dilation=2)
    (animation,) = animate(spec, *worked_numbers(spec, (1, 5, 5)))
    assert {tuple(tap) for tap in animation.frames[0].taps[:, 1:3].tolist()} == {
        (row, column) for row in (0, 2, 4) for column in (0, 2, 4)
    }


def test_a_transposed_convolution_shows_what_it_crops_and_what_it_inserts():
    """4×4 by stride 2, kernel 3: the canvas has 9 rows, padding 1 crops one on each side, leaving 7."""
    spec = LayerSpec("transposed", in_channels=1, out_channels=1, kernel_size=3, stride=2, padding=1)
    numbers = worked_numbers(spec, (1, 4, 4))
    (scattered,) = animate(spec, *numbers)
    (equivalent,) = animate(spec, *numbers, view="equivalent")
    flags = scattered.outputs[0].flags
    assert flags.shape == (9, 9)
    assert (flags == HOLE).sum() == 81 - 49
    assert [row.tolist() for row in equivalent.inputs[0].flags[:2]] == [
        [PADDING] * 9,
        [PADDING, *[PICTURE, HOLE] * 3, PICTURE, PADDING],
    ]
    assert np.array_equal(equivalent.kernels[0][0].values, np.flip(scattered.kernels[0][0].values))


def test_output_padding_beyond_the_kernels_is_flagged():
    spec = LayerSpec(
        "transposed", 1, in_channels=1, out_channels=1, kernel_size=2, stride=3, output_padding=2
    )
    (scattered,) = animate(spec, *worked_numbers(spec, (1, 2)))
    assert scattered.outputs[0].flags.tolist() == [[PICTURE] * 5 + [PADDING] * 2]
    assert scattered.outputs[0].values[0, 5:].tolist() == list(scattered.bias) * 2


def test_planes_have_names():
    spec = LayerSpec("conv", 3, 3, 2, kernel_size=(2, 1, 1), padding=(1, 0, 0))
    (animation,) = animate(spec, *worked_numbers(spec, (3, 2, 4, 4)))
    assert [plane.label for plane in animation.inputs[:5]] == [
        "red, padding",
        "red, depth 0",
        "red, depth 1",
        "red, padding",
        "green, padding",
    ]
    assert animation.kernels[0][-1].label == "blue, depth 1"
    assert [plane.label for plane in animation.outputs[2:4]] == ["filter 0, depth 2", "filter 1, depth 0"]
    grouped = LayerSpec("grouped", in_channels=4, out_channels=2, groups=2, kernel_size=1)
    (animation,) = animate(grouped, *worked_numbers(grouped, (4, 3, 3)))
    assert [plane.label for plane in animation.kernels[1]] == ["channel 2", "channel 3"]


def names_of(spec: LayerSpec, shape: Sizes) -> list[tuple[list[str], list[str]]]:
    """Of what is drawn of a layer, stage by stage, the names of inputs and of outputs."""
    small, size, _ = drawable(spec, shape)
    shown = animate(small, *worked_numbers(small, size), whole=spec)
    return [
        tuple([plane.label for plane in planes] for planes in (each.inputs, each.outputs)) for each in shown
    ]


def test_colours_are_named_only_where_all_three_channels_are_a_pictures():
    colours = ["red", "green", "blue"]
    assert names_of(LayerSpec(in_channels=3), (3, 8, 8))[0][0] == colours
    assert names_of(LayerSpec("max_pool", in_channels=3), (3, 8, 8))[0] == (colours, colours)
    first_three = ["channel 0 of 4", "channel 1 of 4", "channel 2 of 4"]
    assert names_of(LayerSpec("max_pool", in_channels=4), (4, 8, 8))[0] == (first_three, first_three)
    assert names_of(LayerSpec(in_channels=64), (64, 8, 8))[0][0][2] == "channel 2 of 64"
    assert names_of(LayerSpec("conv", 1, in_channels=3), (3, 8))[0][0] == [
        "channel 0",
        "channel 1",
        "channel 2",
    ]
    assert names_of(LayerSpec(in_channels=1), (1, 8, 8))[0][0] == ["input"]


def test_names_count_in_the_whole_layer():
    """Two of eight channels of each of the first two of four groups; a filter of each."""
    grouped = LayerSpec("grouped", in_channels=32, out_channels=16, groups=4)
    assert names_of(grouped, (32, 8, 8))[0] == (
        ["channel 0 of 32", "channel 1 of 32", "channel 8 of 32", "channel 9 of 32"],
        ["filter 0 of 16", "filter 4 of 16"],
    )
    # three filters to a channel, of which two are drawn
    depthwise = LayerSpec("depthwise", in_channels=8, out_channels=24)
    assert names_of(depthwise, (8, 8, 8))[0][1] == [f"filter {number} of 24" for number in (0, 1, 3, 4)]
    separable = names_of(LayerSpec("separable", in_channels=8, out_channels=24), (8, 8, 8))
    assert separable[0][0] == separable[1][0] == [f"channel {number} of 8" for number in (0, 1, 2)]
    assert separable[1][1] == ["filter 0 of 24", "filter 1 of 24"]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in KINDS for seed in range(8)])
def test_every_cell_knows_which_number_it_shows(kind: str, seed: int):
    """Through its source each plane shows another picture and other weights as if it had been made of them."""
    random = np.random.default_rng([seed, 11, *kind.encode()])
    spec, shape = random_layer(kind, random)
    numbers = worked_numbers(spec, shape, seed)
    others = worked_numbers(spec, shape, seed + 1)
    for view in ("scatter", "equivalent") if kind == "transposed" else ("gather",):
        (shown, *_), (other, *_) = (animate(spec, *each, view) for each in (numbers, others))
        pairs = [(plane, new, others[0]) for plane, new in zip(shown.inputs, other.inputs, strict=True)]
        kernels = zip(sum(shown.kernels, ()), sum(other.kernels, ()), strict=True)
        pairs += [(plane, new, others[1][0]) for plane, new in kernels]
        made_up = {-np.inf} if kind == "max_pool" else {0.0}
        for plane, new, given in pairs:
            assert plane.source is not None
            known = plane.source >= 0
            assert known[plane.flags == PICTURE].all()
            assert np.array_equal(given.ravel()[plane.source[known]], new.values[known])
            assert set(plane.values[~known].tolist()) <= made_up
        assert all(plane.source is None for plane in shown.outputs)
        told = json.loads(json.dumps(to_json(shown)))
        assert told["inputs"][0]["source"] == shown.inputs[0].source.ravel().tolist()


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in KINDS for seed in range(10)])
def test_unread_cells_are_those_without_a_gradient(kind: str, seed: int):
    random = np.random.default_rng([seed, 13, *kind.encode()])
    spec, shape = random_layer(kind, random)
    layers = torch_layers(spec)
    cells = torch.zeros(1, *shape, dtype=torch.float64, requires_grad=True)
    for layer in layers:
        for name, values in layer.named_parameters():
            once = (
                mask(kind, spec.kernel_size) if kind.startswith("masked") and name == "weight" else np.ones(1)
            )
            values.data[:] = torch.from_numpy(once)
    if kind == "max_pool":  # a maximum gives its gradient to the winner alone: let each cell win once
        size = int(np.prod(shape[1:]))
        pictures = (
            torch.eye(size, dtype=torch.float64).reshape(size, 1, *shape[1:]).expand(-1, shape[0], *shape[1:])
        )
        met = layers[0](pictures).flatten(1).sum(1).reshape(shape[1:]).numpy() > 0
    else:
        torch.nn.Sequential(*layers)(cells).sum().backward()
        assert cells.grad is not None
        met = (cells.grad[0].sum(0) != 0).numpy()
    assert np.array_equal(unread_cells(spec, shape), ~met)


def test_unread_cells_of_an_input_that_does_not_fit_are_refused():
    with pytest.raises(ShapeError, match="3 channels"):
        unread_cells(LayerSpec(in_channels=3), (2, 8, 8))


def test_what_does_not_fit_is_refused_with_its_values():
    spec = LayerSpec(in_channels=1, out_channels=2, kernel_size=3)
    picture, weights, bias = worked_numbers(spec, (1, 5, 5))
    with pytest.raises(LayerError, match=r"Convolution.*scatter"):
        animate(spec, picture, weights, bias, "scatter")
    with pytest.raises(ShapeError, match=r"\(2, 1, 3, 3\).*\(2, 1, 3, 2\)"):
        animate(spec, picture, [weights[0][..., :2]], bias)
    with pytest.raises(ShapeError, match=r"2 biases.*\(1,\)"):
        animate(spec, picture, weights, [np.zeros(1)])
    with pytest.raises(ShapeError, match="1 sets"):
        animate(spec, picture)
    with pytest.raises(ShapeError, match="3"):
        animate(spec, picture[:, :2], weights, bias)


# What can be drawn ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_worked_numbers_are_small_and_stay(kind: str):
    spec, shape = random_layer(kind, np.random.default_rng(1))
    spec = replace(spec, bias=True)
    first, again, other = (worked_numbers(spec, shape, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(flat(first), flat(again), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(flat(first), flat(other), strict=True))
    many = [worked_numbers(spec, shape, seed) for seed in range(60)]
    assert set(np.concatenate([n[0].ravel() for n in many])) == set(range(10))
    if kind not in POOLS:
        assert set(np.concatenate([w.ravel() for n in many for w in n[1]])) == set(range(-2, 3))
        assert set(np.concatenate([b for n in many for b in n[2]])) == set(range(-3, 4))


def flat(numbers: Any) -> list[np.ndarray]:
    picture, weights, bias = numbers
    return [picture, *weights, *bias]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_is_small_and_of_the_same_kind(kind: str):
    random = np.random.default_rng([5, *kind.encode()])
    longest = 0
    for _ in range(40):
        spec, shape = random_layer(kind, random, largest=60)
        wide = int(random.choice([1, 5, 16]))
        if kind in ("grouped", "transposed"):
            wide *= spec.groups
        spec = replace(spec, in_channels=spec.in_channels * wide, out_channels=spec.out_channels * wide)
        shape = (spec.in_channels, *shape[1:])
        small, size, sentence = drawable(spec, shape)
        for field in (
            "kind", "dimensions", "kernel_size", "stride", "padding", "dilation", "padding_mode", "bias",
            "output_padding", "ceil_mode", "count_include_pad",
        ):  # fmt: skip
            assert getattr(small, field) == getattr(spec, field)
        assert (small.groups > 1) == (spec.groups > 1 and not (kind == "depthwise" and spec.in_channels == 1))
        assert size[0] == small.in_channels <= 4
        assert small.out_channels <= 4
        assert all(now <= was for now, was in zip(size, shape, strict=True))
        assert (sentence == "") == ((small, size) == (spec, shape))
        assert drawable(small, size) == (small, size, "")
        for axis, (now, most) in enumerate(zip(size[1:], LARGEST[spec.dimensions], strict=True)):
            reach = spec.extent[axis] + 2 * spec.stride[axis]
            assert now <= max(most, reach, sum(spec.margins[axis]) + 1)
            if kind in KINDS.keys() - POOLS - {"transposed"} and max(spec.dilation) == 1:
                assert unread_at_the_end(small, size, axis) == unread_at_the_end(spec, shape, axis)
        for animation in animate(small, *worked_numbers(small, size)):
            longest = max(longest, len(json.dumps(to_json(animation))))
    assert 1000 < longest < 200_000


def unread_at_the_end(spec: LayerSpec, shape: Sizes, axis: int) -> int:
    missed = unread(replace(spec, kind="conv", padding_mode="zeros"), shape, axis)[::-1]
    return len(missed) if missed.all() else int(np.argmin(missed))


def test_the_sentence_says_what_was_cut():
    spec = LayerSpec("depthwise", in_channels=64, out_channels=64, kernel_size=3, padding=1)
    small, size, sentence = drawable(spec, (64, 56, 56))
    assert (small.in_channels, small.out_channels, size) == (3, 3, (3, 7, 7))
    assert sentence == (
        "Drawn smaller than your layer: 3 of 64 channels, 3 of 64 filters and 7×7 of 56×56 cells. "
        "The window and its steps are the same."
    )
    pool = LayerSpec("adaptive_pool", in_channels=512, output_size=7)
    small, size, sentence = drawable(pool, (512, 14, 14))
    assert (small.output_size, size) == ((3, 3), (3, 6, 6))
    assert sentence == (
        "Drawn smaller than your layer: 3 of 512 channels, 6×6 of 14×14 cells and 3×3 of 7×7 regions."
    )


def test_largest_layers_stay_below_200_kb():
    heavy = [
        (LayerSpec(kernel_size=11, padding=5), (3, 64, 64)),
        (LayerSpec(kernel_size=11, padding=5, dilation=2), (3, 64, 64)),
        (LayerSpec("transposed", kernel_size=11, stride=4), (3, 64, 64)),
        (
            LayerSpec("grouped", in_channels=8, out_channels=8, groups=2, kernel_size=7, padding=3),
            (8, 64, 64),
        ),
        (LayerSpec("conv", 3, kernel_size=7, padding=3), (3, 32, 32, 32)),
        (LayerSpec("transposed", 3, kernel_size=5, stride=2), (3, 32, 32, 32)),
        (LayerSpec("max_pool", 3, in_channels=8, kernel_size=5, stride=1, padding=2), (8, 32, 32, 32)),
    ]
    for spec, shape in heavy:
        small, size, _ = drawable(spec, shape)
        for view in ("gather", "equivalent") if spec.kind == "transposed" else ("gather",):
            for animation in animate(small, *worked_numbers(small, size), view=view):
                assert len(json.dumps(to_json(animation))) < 200_000, (spec.kind, view, size)
