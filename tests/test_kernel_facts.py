"""Facts of kernels against numpy's and scipy's own answers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage, signal

from explorer.errors import KernelError
from explorer.kernel_facts import compose, compose_all, costs, frequency_response, rank, separate
from explorer.kernels import KERNELS

CHANCE = np.random.default_rng(7)
SHAPES = [(1, 1), (3, 3), (5, 2), (4, 7), (11, 11), (1, 9)]
SEPARABLE = [
    "identity",
    "shift",
    "box",
    "gaussian",
    "sobel_x",
    "sobel_y",
    "scharr_x",
    "scharr_y",
    "prewitt_x",
]
NOT_SEPARABLE = [
    "laplacian_4",
    "outline",
    "sharpen",
    "unsharp",
    "log",
    "dog",
    "emboss",
    "kirsch",
    "roberts_1",
]


# --------------------------------------------------------------------------------------- rank, separation


@pytest.mark.parametrize("shape", SHAPES)
def test_rank_is_numpys(shape: tuple[int, int]):
    for wanted in range(min(shape) + 1):
        weights = CHANCE.normal(size=(shape[0], wanted)) @ CHANCE.normal(size=(wanted, shape[1]))
        assert rank(weights) == np.linalg.matrix_rank(weights) == wanted


@pytest.mark.parametrize("key", KERNELS)
def test_rank_of_presets_is_numpys(key: str):
    weights = KERNELS[key].kernel().weights[0]
    assert rank(weights) == np.linalg.matrix_rank(weights, rtol=1e-12)


def test_the_presets_known_to_be_separable_are():
    for key in SEPARABLE:
        assert rank(KERNELS[key].kernel().weights[0]) == 1, key
    for key in NOT_SEPARABLE:
        assert rank(KERNELS[key].kernel().weights[0]) > 1, key
    assert rank(KERNELS["line"].kernel(0).weights[0]) == 1
    assert rank(KERNELS["line"].kernel(45).weights[0]) == 2
    assert [rank(KERNELS["gabor"].kernel(11, theta).weights[0]) for theta in (0, 30, 90)] == [1, 2, 1]


@pytest.mark.parametrize("key", SEPARABLE)
def test_column_then_row_do_what_the_separable_kernel_does(key: str):
    weights = KERNELS[key].kernel().weights[0]
    parts = separate(weights)
    picture = CHANCE.uniform(0, 255, (30, 40))
    two = cv2.sepFilter2D(picture, cv2.CV_64F, parts.row, parts.column)
    assert np.abs(two - cv2.filter2D(picture, cv2.CV_64F, weights)).max() < 1e-9
    assert parts.residual < 1e-14


def test_separation_of_whole_weights_is_whole():
    scharr = separate(KERNELS["scharr_y"].kernel().weights[0])
    assert scharr.column.tolist() == [-1, 0, 1]
    assert scharr.row.tolist() == [3, 10, 3]
    doubled = separate(np.array([[0, 0], [-4, 6], [-8, 12]]))
    assert doubled.column.tolist() == [0, 2, 4]
    assert doubled.row.tolist() == [-2, 3]


def test_separation_of_a_gaussian_is_opencvs_gaussian_twice():
    parts = separate(KERNELS["gaussian"].kernel(7, 1.5).weights[0])
    line = cv2.getGaussianKernel(7, 1.5, cv2.CV_64F).ravel()
    assert parts.column == pytest.approx(line, abs=1e-15)
    assert parts.row == pytest.approx(line, abs=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_other_product_comes_nearer(shape: tuple[int, int]):
    """Alternating least squares from many starts ends no nearer than the separation."""
    weights = CHANCE.normal(size=shape)
    parts = separate(weights)
    nearest = np.inf
    for _ in range(5):
        row = CHANCE.normal(size=shape[1])
        for _ in range(500):
            column = weights @ row / (row @ row)
            row = column @ weights / (column @ column)
        nearest = min(nearest, np.linalg.norm(weights - np.outer(column, row)) / np.linalg.norm(weights))
    assert parts.residual == pytest.approx(nearest, abs=1e-6)
    assert np.linalg.norm(weights - np.outer(parts.column, parts.row)) == pytest.approx(
        parts.residual * np.linalg.norm(weights), abs=1e-12
    )


def test_a_kernel_of_zeros_has_rank_0_and_separates_into_zeros():
    parts = separate(np.zeros((2, 3)))
    assert rank(np.zeros((2, 3))) == 0
    assert (parts.column.tolist(), parts.row.tolist(), parts.residual) == ([0, 0], [0, 0, 0], 0)


def test_costs_are_counted_in_products():
    assert costs(3, 5) == (15, 8)


# -------------------------------------------------------------------------------------- frequency response


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [11, 64, 65])
def test_frequency_response_is_the_padded_fft(shape: tuple[int, int], side: int):
    weights = CHANCE.normal(size=shape)
    expected = np.abs(np.fft.fftshift(np.fft.fft2(weights, s=(side, side))))
    response = frequency_response(weights, side)
    assert response.dtype == np.float32
    assert response == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_frequency_response_of_fewer_samples_than_weights_is_not_wrapped():
    weights = CHANCE.normal(size=(11, 9))
    for y, x in np.ndindex(5, 5):
        u, v = (y - 2) / 5, (x - 2) / 5
        waves = [w * np.exp(-2j * np.pi * (u * i + v * j)) for (i, j), w in np.ndenumerate(weights)]
        assert frequency_response(weights, 5)[y, x] == pytest.approx(abs(sum(waves)), rel=1e-5)


def test_frequency_response_of_one_row_is_scipys_freqz():
    taps = CHANCE.normal(size=7)
    _, expected = signal.freqz(taps, worN=2 * np.pi * np.arange(33) / 65)
    response = frequency_response(taps[None], 65)
    assert response[32, 32:] == pytest.approx(np.abs(expected), rel=1e-5)
    assert (response == response[0]).all()


def test_a_wave_comes_out_as_much_larger_as_the_response_says():
    weights = KERNELS["gaussian"].kernel(5, 1).weights[0]
    y, x = np.mgrid[:65, :65]
    wave = np.cos(2 * np.pi * (3 * x - 8 * y) / 65)
    filtered = ndimage.correlate(wave, weights, mode="wrap")
    gain = frequency_response(weights)[32 - 8, 32 + 3]
    assert np.abs(filtered - gain * wave).max() < 1e-6


# ------------------------------------------------------------------------------------------------- compose


@pytest.mark.parametrize("shapes", [((3, 3), (3, 3)), ((2, 5), (4, 1)), ((1, 1), (7, 6)), ((11, 11), (2, 3))])
def test_composed_kernel_does_what_two_do_in_sequence(shapes: tuple[tuple[int, int], tuple[int, int]]):
    picture = CHANCE.uniform(0, 255, (40, 50))
    first, second = (CHANCE.normal(size=shape) for shape in shapes)
    two = signal.correlate2d(signal.correlate2d(picture, first, "valid"), second, "valid")
    composed = compose(first, second)
    assert composed.shape == tuple(a + b - 1 for a, b in zip(*shapes, strict=True))
    assert np.abs(signal.correlate2d(picture, composed, "valid") - two).max() < 1e-9


def test_four_kernels_compose_to_one():
    picture = CHANCE.uniform(0, 255, (60, 60))
    kernels = [KERNELS[key].kernel().weights[0] for key in ("motion", "sobel_x", "roberts_1", "gaussian")]
    result = picture
    for kernel in kernels:
        result = signal.correlate(result, kernel, "valid")
    composed = compose_all(kernels)
    assert composed.shape == (16, 16)
    assert np.abs(signal.correlate(picture, composed, "valid") - result).max() < 1e-9


def test_none_compose_to_the_identity():
    assert compose_all([]).tolist() == [[1]]


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "weights", [np.zeros(3), np.zeros((0, 3)), np.zeros((1, 3, 3)), np.array([[np.nan]])]
)
@pytest.mark.parametrize("fact", [separate, rank, frequency_response, lambda w: compose(w, np.ones((1, 1)))])
def test_facts_need_one_grid_of_finite_weights(weights: np.ndarray, fact):
    with pytest.raises(KernelError, match="A grid of finite weights"):
        fact(weights)


def test_frequency_response_needs_a_side():
    with pytest.raises(KernelError, match="not 0"):
        frequency_response(np.ones((1, 1)), 0)
