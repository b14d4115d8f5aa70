"""The sheet of maps: what is drawn where, in which colours."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from explorer.activations import FeatureMaps, Layer
from explorer.errors import ImageError
from explorer.figures.map_sheet import MOST_MAPS, map_sheet


def maps(values: np.ndarray) -> FeatureMaps:
    channels, rows, columns = values.shape
    return FeatureMaps(
        Layer("a", 1, 1, "Conv2d", channels, (rows, columns), "maps"), values.astype(np.float32)
    )


def found(sheet: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of exactly this colour, below the legend."""
    return np.argwhere((sheet[90:] == colour).all(-1))


def ends() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The colours of ±peak: those of ColorBrewer's RdBu."""
    low, high = (255 * np.array(colormaps["RdBu_r"].resampled(11)((0, 10))[:, :3])).round().astype(int)
    return tuple(low.tolist()), tuple(high.tolist())


def test_each_map_has_whole_squares_in_the_colours_of_its_signs():
    values = np.zeros((2, 8, 8))
    values[0, 2, 3], values[1, 5, 6] = -1, 1
    sheet = map_sheet(maps(values), (1, 0), "Two", columns=2)
    low, high = (found(sheet, colour) for colour in ends())
    assert len(low) == len(high) == 8 * 8  # a cell is eight pixels a side
    assert high[:, 1].max() < low[:, 1].min()  # map 1 comes first
    (low_row, low_column), (high_row, high_column) = low.min(0), high.min(0)
    assert high_row - low_row == 8 * (5 - 2)
    assert low_column - high_column == (64 + 6) + 8 * (3 - 6)


def test_a_shared_scale_pales_the_weak_and_their_own_does_not():
    values = np.stack([np.full((4, 4), 1.0), np.full((4, 4), 10.0)])
    _, strongest = ends()
    assert len(found(map_sheet(maps(values), (0, 1), "own"), strongest)) == 2 * 64 * 64
    assert len(found(map_sheet(maps(values), (0, 1), "shared", peak=10), strongest)) == 64 * 64


def test_an_empty_or_endless_sheet_is_refused():
    with pytest.raises(ImageError, match="1 to 2,048 maps, not 0"):
        map_sheet(maps(np.zeros((1, 2, 2))), (), "none")
    with pytest.raises(ImageError, match="not 2,049"):
        map_sheet(maps(np.zeros((1, 2, 2))), (0,) * (MOST_MAPS + 1), "many")
