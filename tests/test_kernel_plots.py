"""Tiles of kernels against their weights read back, and responses against matplotlib and NumPy's Fourier transform."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matplotlib import colormaps

from explorer.errors import ExplorerError, KernelError
from explorer.figures.kernel_plots import LINE, kernel_picture, response_picture
from explorer.figures.signed import SIGNED

SOBEL = np.outer([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0])[None]
RNG = np.random.default_rng(0)


def middles(tile: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Colours (rows, columns, 3) in the middles of the cells of a tile that they fill."""
    down = ((np.arange(rows) + 0.5) / rows * tile.shape[0]).astype(int)
    across = ((np.arange(columns) + 0.5) / columns * tile.shape[1]).astype(int)
    return tile[np.ix_(down, across)]


def test_a_tile_shows_each_weight_in_its_colour():
    tile = kernel_picture(SOBEL)
    table = SIGNED["weights"].table()
    # 2 is the peak: entry 254 of 0..254; 1 is half of it, ⌊127.5 + 63.5⌋; 0 is 127
    entries = [[64, 127, 191], [0, 127, 254], [64, 127, 191]]
    assert (middles(tile, 3, 3) == table[entries]).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (3, 5), (7, 1), (11, 11), (4, 9)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [20, 72, 128])
def test_a_tile_is_a_square_no_larger_than_asked(height: int, width: int, channels: int, side: int):
    tile = kernel_picture(RNG.normal(size=(channels, height, width)), side)
    assert tile.dtype == np.uint8
    assert tile.shape == (len(tile), len(tile), 3)
    assert side - max(height, width) <= len(tile) <= side


def test_lines_part_the_cells_of_grids_that_have_room_for_them():
    tile = kernel_picture(np.zeros((1, 4, 4)), 128)
    grey = (tile == LINE).all(axis=-1)
    assert np.flatnonzero(grey.all(axis=0)).tolist() == [0, 31, 62, 93, 124]
    assert np.flatnonzero(grey.all(axis=1)).tolist() == [0, 31, 62, 93, 124]
    assert (tile[~grey] == 255).all()
    assert (kernel_picture(np.zeros((1, 11, 11)), 40) == 255).all(), "too small for lines"


def test_what_is_not_square_lies_in_the_middle():
    tile = kernel_picture(np.ones((1, 1, 3)), 96)
    coloured = np.flatnonzero((tile != LINE).any(axis=(1, 2)))
    assert len(tile) == 94
    assert abs(coloured.min() - (len(tile) - 1 - coloured.max())) <= 1
    assert len(coloured) == 30
    assert (tile[:31] == LINE).all()


def test_three_grids_are_shown_as_papers_show_first_layers():
    weights = RNG.normal(size=(3, 7, 7)).astype(np.float32)
    tile = kernel_picture(weights, 128)
    assert tile.shape == (126, 126, 3)
    wanted = cv2.resize(
        (0.5 + weights / (2 * np.abs(weights).max())).transpose(1, 2, 0),
        None,
        fx=18,
        fy=18,
        interpolation=cv2.INTER_NEAREST,
    )
    assert np.abs(255 * (tile / 255 - wanted)).max() < 1.01, "255 levels, so that zero is one of them"


def test_three_grids_alike_are_shown_as_one():
    assert (kernel_picture(SOBEL.repeat(3, axis=0)) == kernel_picture(SOBEL)).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shared_peak_makes_tiles_comparable(channels: int):
    weights = RNG.normal(size=(channels, 5, 5))
    peak = float(np.abs(weights).max())
    assert (kernel_picture(weights, peak=peak) == kernel_picture(weights)).all()
    assert (kernel_picture(weights / 4, peak=peak) == kernel_picture(weights, peak=4 * peak)).all()
    assert (kernel_picture(weights / 4, peak=peak) != kernel_picture(weights)).any()


def test_a_peak_of_zero_colours_nothing():
    assert (kernel_picture(RNG.normal(size=(3, 2, 2)), peak=0) == 128).all()


def test_zeros_are_white_or_grey():
    assert (middles(kernel_picture(np.zeros((1, 3, 3))), 3, 3) == 255).all()
    assert (middles(kernel_picture(np.zeros((3, 3, 3))), 3, 3) == 255).all()


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (1, 0, 3), (1, 1, 3, 3)])
def test_what_is_no_kernel_is_refused(shape: tuple[int, ...]):
    with pytest.raises(KernelError, match=r"\(1, h, w\)"):
        kernel_picture(np.zeros(shape))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(channels: int, broken: float):
    weights = RNG.normal(size=(channels, 3, 3))
    weights[0, 1, 1] = broken
    with pytest.raises(ExplorerError, match="infinite or not a number"):
        kernel_picture(weights)


def test_a_response_is_viridis_from_zero_to_its_maximum():
    response = np.abs(np.fft.fftshift(np.fft.fft2(SOBEL[0], (65, 65)))).astype(np.float32)
    picture = response_picture(response)
    wanted = colormaps["viridis"](response / response.max(), bytes=True)[..., :3].astype(int)
    # matplotlib cuts where we round: at most the next of 256 colours
    assert picture.shape == (65, 65, 3)
    assert np.abs(picture - wanted).max() <= 4
    assert (picture[:, 32] == picture[32, 32]).all(), "Sobel x lets no constant rows through"
    brightest = np.unravel_index(picture.astype(int).sum(axis=-1).argmax(), (65, 65))
    assert response[brightest] > 0.99 * response.max()


def test_a_kernel_of_zeros_lets_nothing_through():
    dark = np.round(255 * np.array(colormaps["viridis"](0)[:3]))
    assert (response_picture(np.zeros((5, 5), np.float32)) == dark).all()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -1.0])
def test_responses_that_cannot_be_are_refused(broken: float):
    with pytest.raises(ExplorerError, match="no negative, infinite or missing"):
        response_picture(np.array([[1.0, broken]]))
