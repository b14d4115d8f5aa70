"""Convolution against torch, scipy and facts from the courses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage, signal
from skimage import data, feature
from torch import nn

from explorer.convolution import (
    ACTIVATIONS,
    PADDING_MODES,
    ConvSpec,
    best_matches,
    chain,
    channel_results,
    convolve,
    coverage,
    equivariance,
    output_shape,
    output_size,
    pad,
    pool,
    unread,
)
from explorer.errors import ExplorerError, ShapeError

CASES = 400
# torch copies the picture for these, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, ConvSpec, float]:
    """Picture, weights, spec and bias; some do not fit together."""
    rng = np.random.default_rng(seed)
    kernel_size = tuple(rng.integers(1, 12, 2).tolist())
    spec = ConvSpec(
        kernel_size,
        stride=tuple(rng.integers(1, 4, 2).tolist()),
        padding="same" if rng.random() < 0.4 else tuple(rng.integers(0, 9, 2).tolist()),
        dilation=tuple(rng.choice([1, 1, 1, 2, 3], 2).tolist()),
        padding_mode=PADDING_MODES[seed % 4],
    )
    channels = int(rng.choice([1, 3]))
    picture = rng.integers(0, 256, (channels, *rng.integers(1, 40, 2))).astype(np.float32)
    weights = rng.normal(size=(rng.choice([1, channels]), *kernel_size))
    return picture, weights, spec, float(rng.normal(0, 50))


def by_torch(picture: np.ndarray, weights: np.ndarray, spec: ConvSpec, bias: float = 0.0) -> np.ndarray:
    """nn.Conv2d in float64, which pads by itself; it has “same” for stride 1 alone: the rest is left out."""
    same = spec.padding == "same"
    layer = nn.Conv2d(
        len(picture),
        1,
        spec.kernel_size,
        stride=1 if same else spec.stride,
        padding=spec.padding,
        dilation=spec.dilation,
        padding_mode=spec.padding_mode,
        dtype=torch.float64,
    )
    grids = np.broadcast_to(weights, (len(picture), *spec.kernel_size))
    layer.load_state_dict({"weight": torch.tensor(grids)[None], "bias": torch.tensor([bias]).double()})
    with torch.no_grad():
        result = layer(torch.tensor(picture).double()[None])[0, 0].numpy()
    return result[:: spec.stride[0], :: spec.stride[1]] if same else result


def test_convolve_agrees_with_torch_and_refuses_where_torch_refuses():
    compared = refused = 0
    for seed in range(CASES):
        picture, weights, spec, bias = random_case(seed)
        try:
            theirs = by_torch(picture, weights, spec, bias)
        except RuntimeError:
            with pytest.raises(ShapeError):
                convolve(picture, weights, spec, bias)
            refused += 1
            continue
        ours = convolve(picture, weights, spec, bias)
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape == output_shape(picture.shape[1:], spec)
        assert np.abs(ours - theirs).max() <= 1e-6 * max(1, np.abs(theirs).max()), (seed, spec)
        compared += 1
    assert compared >= 200
    assert refused >= 40


def test_channels_sum_to_the_result():
    rng = np.random.default_rng(0)
    picture, weights = rng.normal(size=(3, 20, 30)).astype(np.float32), rng.normal(size=(3, 4, 3))
    spec = ConvSpec((4, 3), stride=2)
    parts = channel_results(picture, weights, spec)
    for part, channel, grid in zip(parts, picture, weights, strict=True):
        expected = signal.correlate2d(channel, grid, mode="valid")[::2, ::2]
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(parts.sum(axis=0) - 7, convolve(picture, weights, spec, -7.0), atol=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("zeros", "constant"), ("reflect", "mirror"), ("replicate", "nearest"), ("circular", "wrap")],
)
def test_same_padding_agrees_with_scipy(ours: str, theirs: str):
    picture = data.camera()[200:290, 200:270].astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(5, 7))
    result = convolve(picture[None], weights[None], ConvSpec((5, 7), padding="same", padding_mode=ours))
    expected = ndimage.correlate(picture.astype(np.float64), weights, mode=theirs)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    ("key", "theirs"),
    [
        ("none", nn.Identity()),
        ("relu", nn.ReLU()),
        ("abs", torch.abs),
        ("sigmoid", nn.Sigmoid()),
        ("tanh", nn.Tanh()),
    ],
)
def test_activations_agree_with_torch_for_sums_of_any_size(key: str, theirs: Any):
    sums = np.concatenate([[-1e9, -800, 0, 800, 1e9], np.linspace(-20, 20, 401)])
    ours = convolve(sums[None, None].astype(np.float32), np.ones((1, 1, 1)), ConvSpec(1), activation=key)
    expected = theirs(torch.tensor(sums.astype(np.float32)).double()).numpy()
    np.testing.assert_allclose(ours[0], expected, rtol=1e-6, atol=1e-7)


def test_every_activation_is_compared_with_torch():
    marks = test_activations_agree_with_torch_for_sums_of_any_size.pytestmark
    assert [key for key, _ in marks[0].args[1]] == list(ACTIVATIONS)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_pad_agrees_with_torch(mode: str):
    picture = np.random.default_rng(2).normal(size=(3, 9, 6)).astype(np.float32)
    theirs = nn.functional.pad(
        torch.tensor(picture)[None], (5, 5, 4, 4), mode="constant" if mode == "zeros" else mode
    )
    ours = pad(picture, ConvSpec(3, padding=(4, 5), padding_mode=mode))
    assert ours.dtype == np.float32
    assert (ours == theirs[0].numpy()).all()


class TestOutputSize:
    def test_agrees_with_torch_on_the_meta_device(self):
        rng = np.random.default_rng(3)
        for _ in range(500):
            size, kernel, stride, padding, dilation = (
                int(rng.integers(low, high)) for low, high in [(1, 300), (1, 12), (1, 6), (0, 9), (1, 5)]
            )
            layer = nn.Conv1d(1, 1, kernel, stride, padding, dilation, device="meta")
            spec = ConvSpec(kernel, stride, padding, dilation)
            try:
                theirs = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
            except RuntimeError:
                with pytest.raises(ShapeError):
                    output_size(size, spec)
            else:
                assert output_size(size, spec) == output_size(size, spec, axis=1) == theirs

    @pytest.mark.parametrize("mode", PADDING_MODES)
    def test_same_keeps_the_size_divided_by_the_stride_rounded_up(self, mode: str):
        for size in range(20, 26):
            for kernel in range(1, 12):
                for stride in range(1, 5):
                    spec = ConvSpec(kernel, stride, "same", 2, mode)
                    assert output_size(size, spec) == -(-size // stride)

    @pytest.mark.shared
    def test_is_what_the_courses_state(self, shared: Path):
        facts = {
            "conv.out.nbis.valid": (7, ConvSpec(3)),
            "conv.out.nbis": (227, ConvSpec(11, stride=4)),
            "conv.out.002.pad": (32, ConvSpec(5, padding=2)),
            "conv.out.002.stride": (224, ConvSpec(7, stride=2, padding=3)),
            "conv.out.003.title": (7, ConvSpec(3)),
            "conv.out.003.stride": (7, ConvSpec(3, stride=2)),
            "conv.down2": (56, ConvSpec(3, stride=2, padding=1)),
            "ex.conv.out": (32, ConvSpec(5, padding=2)),
            "ex.conv.5x5.nopad": (32, ConvSpec(5)),
            "alex.c1.out": (227, ConvSpec(11, stride=4)),
            "alex.pool1": (55, ConvSpec(3, stride=2)),
            "alex.pool3": (13, ConvSpec(3, stride=2)),
            "alex.002.conv2": (27, ConvSpec(5, padding="same")),
            "alex.002.conv4": (13, ConvSpec(3, padding="same")),
            "resnet34.pool": (112, ConvSpec(3, stride=2, padding=1)),
            # stated without the floor: 54.75
            "conv.out.needs_floor": (224, ConvSpec(11, stride=4, padding=1)),
        }
        items = json.loads((shared / "reference" / "golden.json").read_text())["items"]
        stated = {item["id"]: np.ravel(item["expected"]).astype(int) for item in items if item["id"] in facts}
        for name, (size, spec) in facts.items():
            # sides may stand beside the number of channels
            assert output_size(size, spec) in stated[name], name


class TestCoverage:
    @pytest.mark.parametrize("mode", PADDING_MODES)
    def test_is_the_gradient_of_the_sum_of_all_windows(self, mode: str):
        rng = np.random.default_rng(4)
        for _ in range(100):
            size, kernel, stride, dilation = (int(rng.integers(1, high)) for high in (40, 8, 6, 4))
            spec = ConvSpec(kernel, stride, min(size - 1, int(rng.integers(0, 6))), dilation, mode)
            before, after = spec.margins((size, size))[0]
            row = torch.ones(1, 1, 1, size, requires_grad=True)
            padded = nn.functional.pad(
                row, (before, after, 0, 0), mode="constant" if mode == "zeros" else mode
            )
            if padded.shape[-1] < spec.extent[0]:
                with pytest.raises(ShapeError):
                    coverage(size, spec)
                continue
            windows = nn.functional.unfold(padded, (1, kernel), dilation=dilation, stride=stride)
            (gradient,) = torch.autograd.grad(windows.sum(), row)
            for axis in (0, 1):
                assert coverage(size, spec, axis).tolist() == gradient.flatten().tolist()

    def test_unread_pixels_are_those_that_change_nothing(self):
        shape, spec = (11, 14), ConvSpec((2, 3), stride=(4, 5), padding=(1, 0))
        picture = torch.zeros(1, 1, *shape, requires_grad=True)
        ones = torch.ones(1, 1, 2, 3)
        result = nn.functional.conv2d(picture, ones, stride=spec.stride, padding=spec.padding)
        (gradient,) = torch.autograd.grad(result.sum(), picture)
        never = gradient[0, 0].numpy() == 0
        found = unread(shape, spec)
        assert (never == (found.rows[:, None] | found.columns)).all()
        assert found.pixels == never.sum() > 0

    def test_all_is_read_at_stride_1(self):
        found = unread((30, 40), ConvSpec(5))
        assert (found.pixels, found.rows.any(), found.columns.any()) == (0, False, False)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"kernel_size": 0}, "kernel size is 0"),
            ({"kernel_size": (3, 2.5)}, "2.5"),
            ({"kernel_size": (3, 3, 3)}, "(3, 3, 3)"),
            ({"kernel_size": 3, "stride": 0}, "stride is 0"),
            ({"kernel_size": 3, "padding": -1}, "padding is -1"),
            ({"kernel_size": 3, "padding": "full"}, "'full'"),
            ({"kernel_size": 3, "dilation": (1, 0)}, "dilation is (1, 0)"),
            ({"kernel_size": 3, "padding_mode": "mirror"}, "mirror"),
        ],
    )
    def test_a_spec_refuses_nonsense_and_names_it(self, arguments: dict[str, Any], named: str):
        with pytest.raises(ShapeError) as refusal:
            ConvSpec(**arguments)
        assert named in str(refusal.value)

    @pytest.mark.parametrize(
        ("shape", "arguments", "named"),
        [
            ((4, 9), {"kernel_size": 5}, ("5 rows", "4 of the picture", "0 of padding")),
            ((9, 3), {"kernel_size": 3, "dilation": 3, "padding": 1}, ("7 columns", "into 5")),
            (
                (9, 3),
                {"kernel_size": 1, "padding": 3, "padding_mode": "reflect"},
                ("at most 2 columns", "of 3", "3 are"),
            ),
            (
                (2, 9),
                {"kernel_size": 2, "padding": 3, "padding_mode": "circular"},
                ("at most 2 rows", "3 are"),
            ),
            ((0, 9), {"kernel_size": 1}, ("0 rows",)),
        ],
    )
    def test_a_picture_too_small_is_told_in_numbers(
        self, shape: tuple[int, int], arguments: dict[str, Any], named: tuple[str, ...]
    ):
        spec = ConvSpec(**arguments)
        for question in (output_shape, unread):
            with pytest.raises(ShapeError) as refusal:
                question(shape, spec)
            for words in named:
                assert words in str(refusal.value)

    @pytest.mark.parametrize("mode", ["reflect", "circular"])
    def test_padding_is_refused_where_torch_refuses(self, mode: str):
        picture = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
        for amount in range(8):
            spec = ConvSpec(3, padding=amount, padding_mode=mode)
            try:
                theirs = nn.functional.pad(torch.tensor(picture), [amount] * 4, mode=mode)
            except RuntimeError:
                with pytest.raises(ShapeError, match=f"“{mode}” finds at most [34] rows"):
                    pad(picture, spec)
            else:
                assert (pad(picture, spec) == theirs.numpy()).all()

    def test_weights_must_match_the_picture_and_the_spec(self):
        picture = np.zeros((1, 9, 9), dtype=np.float32)
        with pytest.raises(ShapeError, match="3, 3, 3"):
            convolve(picture, np.zeros((3, 3, 3)), ConvSpec(3))
        with pytest.raises(ShapeError, match="3×4, but the kernel size is 4×3"):
            convolve(picture, np.zeros((1, 3, 4)), ConvSpec((4, 3)))
        with pytest.raises(ShapeError, match=r"\(9, 9\)"):
            convolve(picture[0], np.zeros((1, 3, 3)), ConvSpec(3))

    def test_unknown_activations_and_poolings_are_named(self):
        picture = np.zeros((1, 9, 9), dtype=np.float32)
        with pytest.raises(ExplorerError, match="softmax"):
            convolve(picture, np.zeros((1, 3, 3)), ConvSpec(3), activation="softmax")
        with pytest.raises(ExplorerError, match="median"):
            equivariance(picture, np.zeros((1, 3, 3)), ConvSpec(3), (1, 1), pooling="median")


def test_a_picture_of_one_pixel_can_be_convolved():
    picture = np.full((1, 1, 1), 200, dtype=np.float32)
    weights = np.arange(9.0).reshape(1, 3, 3)
    # zeros: only the middle weight meets the pixel; copies: all nine do
    for mode, expected in {"zeros": 800, "replicate": 7200, "circular": 7200}.items():
        spec = ConvSpec(3, padding="same", padding_mode=mode)
        assert convolve(picture, weights, spec).tolist() == [[expected]]
    with pytest.raises(ShapeError, match="at most 0 rows"):
        convolve(picture, weights, ConvSpec(3, padding="same", padding_mode="reflect"))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pool_agrees_with_torch(size: int):
    result = np.random.default_rng(5).normal(size=(23, 16)).astype(np.float32)
    x = torch.tensor(result)[None]
    assert (pool(result, "max", size) == nn.functional.max_pool2d(x, size)[0].numpy()).all()
    np.testing.assert_allclose(
        pool(result, "mean", size), nn.functional.avg_pool2d(x, size)[0].numpy(), rtol=1e-5, atol=1e-6
    )


def test_pool_refuses_a_result_smaller_than_its_square():
    with pytest.raises(ShapeError, match="2 rows does not fit into 1"):
        pool(np.zeros((1, 8), dtype=np.float32), "max")


class TestEquivariance:
    picture = np.moveaxis(data.chelsea()[60:165, 100:233], -1, 0).astype(np.float32)
    weights = np.random.default_rng(6).normal(size=(3, 4, 5))

    @pytest.mark.parametrize("spec", [ConvSpec((4, 5)), ConvSpec((4, 5), padding=2, dilation=3)])
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_any_shift_passes_at_stride_1(self, spec: ConvSpec, activation: str):
        found = equivariance(self.picture, self.weights, spec, (7, -20), activation=activation, bias=3)
        assert found.before.shape == (105, 133)
        assert not found.difference.any()
        assert found.before.std() > 0

    @pytest.mark.parametrize("pooling", ["none", "max", "mean"])
    @pytest.mark.parametrize("stride", [(2, 2), (3, 2)])
    def test_only_whole_steps_pass_through_stride_and_pooling(self, pooling: str, stride: tuple[int, int]):
        spec = ConvSpec((4, 5), stride)
        rows, columns = (number * (1 if pooling == "none" else 2) for number in stride)
        for shift, passes in {(4 * rows, -3 * columns): True, (1, 0): False, (rows, 1): False}.items():
            found = equivariance(self.picture, self.weights, spec, shift, pooling, "relu")
            assert found.before.shape == (105 // rows, 133 // columns)
            assert found.difference.any() != passes
            assert (found.difference == found.before - found.after).all()

    def test_the_sides_are_what_they_are_called(self):
        """By torch, which pads a torus with its own hands."""
        spec = ConvSpec((4, 5), stride=2)
        cut, (down, right) = self.picture[:, :104, :132], (3, 8)
        around = nn.functional.pad(
            torch.tensor(np.roll(cut, (down, right), (1, 2)))[None], (2, 2, 1, 2), "circular"
        )
        theirs = nn.functional.conv2d(around.double(), torch.tensor(self.weights)[None], stride=2)[0, 0]
        found = equivariance(self.picture, self.weights, spec, (down, right))
        np.testing.assert_allclose(found.before, theirs, rtol=1e-5, atol=1e-2)
        still = equivariance(self.picture, self.weights, spec, (0, 0)).before
        # 3 / 2 rows, rounded: 2; 8 / 2 columns: 4
        assert (found.after[2:, 4:] == still[:-2, :-4]).all()

    def test_a_picture_smaller_than_a_step_is_refused(self):
        tiny = np.zeros((1, 5, 40), dtype=np.float32)
        with pytest.raises(ShapeError, match="5×40 pixels is smaller than one step of 6×2"):
            equivariance(tiny, np.ones((1, 1, 1)), ConvSpec(1, stride=(3, 1)), (1, 1), "max")


class TestChain:
    picture = data.camera()[200:280, 200:261].astype(np.float32) - 128
    kernels = tuple(
        np.random.default_rng(7 + height).normal(size=(height, width))
        for height, width in [(3, 3), (2, 5), (11, 1), (4, 4)]
    )

    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    def test_without_relu_one_composed_kernel_does_the_same_everywhere(self, count: int):
        composed = self.kernels[0]
        for kernel in self.kernels[1:count]:
            composed = signal.convolve2d(composed, kernel)
        ours = chain(self.picture, self.kernels[:count], relu_between=False)
        spec = ConvSpec(composed.shape, padding="same")
        theirs = by_torch(self.picture[None], composed[None], spec)
        assert ours.shape == self.picture.shape
        assert np.abs(ours - theirs).max() < 1e-6 * np.abs(theirs).max()

    def test_relu_stands_between_kernels_and_not_after_the_last(self):
        first, second = self.kernels[:2]
        # composed size 4×7: one row above, two below, three columns on either side
        x = nn.functional.pad(torch.tensor(self.picture).double()[None, None], (3, 3, 1, 2))
        x = nn.functional.conv2d(x, torch.tensor(first)[None, None]).relu()
        x = nn.functional.conv2d(x, torch.tensor(second)[None, None])[0, 0]
        ours = chain(self.picture, (first, second), relu_between=True)
        np.testing.assert_allclose(ours, x, rtol=1e-5, atol=1e-3)
        assert ours.min() < 0
        assert np.abs(ours - chain(self.picture, (first, second), relu_between=False)).max() > 1

    def test_an_empty_chain_is_the_picture(self):
        assert (chain(self.picture, (), relu_between=True) == self.picture).all()


class TestBestMatches:
    def test_agree_with_the_peaks_of_scikit_image(self):
        for seed in range(20):
            noise = np.random.default_rng(seed).normal(size=(40, 50))
            result = ndimage.gaussian_filter(noise, 2).astype(np.float32)
            theirs = feature.peak_local_max(
                result, min_distance=4, threshold_abs=0, exclude_border=False, num_peaks=6, p_norm=np.inf
            )
            found = best_matches(result, count=6, apart=4)
            assert [(row, column) for row, column, _ in found] == [tuple(peak) for peak in theirs.tolist()]
            assert [score for *_, score in found] == [float(result[tuple(peak)]) for peak in theirs]

    def test_an_object_is_found_where_it_stands(self):
        picture = np.zeros((1, 60, 80), dtype=np.float32)
        shape = np.random.default_rng(9).random((1, 7, 7))
        places = {(12, 20): 1.0, (40, 63): 0.5, (3, 3): 0.75}
        for (row, column), strength in places.items():
            picture[0, row - 3 : row + 4, column - 3 : column + 4] = strength * shape[0]
        result = convolve(picture, shape - shape.mean(), ConvSpec(7, padding="same"))
        found = best_matches(result, count=3, apart=7)
        assert [place[:2] for place in found] == sorted(places, key=places.__getitem__, reverse=True)

    def test_of_equal_neighbours_the_first_stays(self):
        found = best_matches(np.ones((6, 9), dtype=np.float32), count=9, apart=4)
        assert found == [(0, 0, 1.0), (0, 5, 1.0), (5, 0, 1.0), (5, 5, 1.0)]

    def test_nothing_positive_is_no_match(self):
        assert best_matches(np.full((5, 5), -1, dtype=np.float32)) == []
        assert best_matches(np.zeros((5, 5), dtype=np.float32)) == []
