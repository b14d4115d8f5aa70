"""The sheet of maps: what is drawn where, in which colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import ImageDraw

from explorer.activations import FeatureMaps, Layer
from explorer.errors import ImageError
from explorer.figures.map_sheet import MOST_MAPS, map_sheet, veil_sheet


def maps(values: np.ndarray) -> FeatureMaps:
    channels, rows, columns = values.shape
    return FeatureMaps(
        Layer("a", 1, 1, "Conv2d", channels, (rows, columns), "maps"), values.astype(np.float32)
    )


def found(sheet: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of exactly this colour, below the legend."""
    return np.argwhere((sheet[ABOVE:] == colour).all(-1))


ABOVE = 115
"""Pixels of one line of title, and of the legend."""


def ends() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The colours of ±peak: those of ColorBrewer's RdBu."""
    low, high = (255 * np.array(colormaps["RdBu_r"].resampled(11)((0, 10))[:, :3])).round().astype(int)
    return tuple(low.tolist()), tuple(high.tolist())


def test_each_map_has_whole_squares_in_the_colours_of_its_signs():
    values = np.zeros((2, 8, 8))
    values[0, 2, 3], values[1, 5, 6] = -1, 1
    sheet = map_sheet(maps(values), (1, 0), "Two", columns=2)
    low, high = (found(sheet, colour) for colour in ends())
    cell = high[:, 0].max() - high[:, 0].min() + 1
    assert 90 < cell < 96, "two maps of eight cells in a row fill 1600 pixels"
    assert len(low) == len(high) == cell**2
    assert high[:, 1].max() < low[:, 1].min()  # map 1 comes first
    (low_row, low_column), (high_row, high_column) = low.min(0), high.min(0)
    assert high_row - low_row == cell * (5 - 2)
    assert low_column - high_column == (8 * cell + 8) + cell * (3 - 6)


def test_a_shared_scale_pales_the_weak_and_their_own_does_not():
    values = np.stack([np.full((4, 4), 1.0), np.full((4, 4), 10.0)])
    _, strongest = ends()
    own = len(found(map_sheet(maps(values), (0, 1), "own"), strongest))
    assert own == 2 * len(found(map_sheet(maps(values), (0, 1), "shared", peak=10), strongest)) > 0


@pytest.mark.parametrize(
    ("shape", "widest"),
    [
        ((1, 7, 7), 1700),
        ((12, 14, 14), 1800),
        ((64, 112, 112), 2200),
        ((10, 1, 1), 1700),
        ((2, 300, 2), 1700),
    ],
)
def test_sheets_of_few_maps_are_as_wide_as_a_slide(shape: tuple[int, int, int], widest: int):
    sheet = map_sheet(maps(np.ones(shape)), range(shape[0]), "Few")
    assert 1600 <= sheet.shape[1] <= widest
    assert sheet.shape[0] < 2400
    assert len(found(sheet, ends()[1])) % (shape[1] * shape[2]) == 0


def texts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float, str]]:
    """Left and right end of what is written from now on, and the words."""
    written: list[tuple[float, float, str]] = []
    plain = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, xy: tuple[float, float], words: str, *rest: Any, **how: Any) -> None:
        left, _, right, _ = self.textbbox(xy, words, font=how["font"], anchor=how.get("anchor"))
        written.append((left, right, words))
        plain(self, xy, words, *rest, **how)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return written


LONG = "EfficientNet-Lite0 · random weights · encoder.layers.encoder_layer_11.self_attention · heads · attention · "


@pytest.mark.parametrize(
    "name", ["a photograph with a long name, as cameras and mails give them.jpeg", "W" * 300]
)
def test_a_long_title_is_written_whole_inside_the_sheet(name: str, monkeypatch: pytest.MonkeyPatch):
    written = texts(monkeypatch)
    sheet = map_sheet(maps(np.ones((3, 7, 7))), range(3), LONG + name, word="head")
    assert all(left + 4 >= 32 and right <= sheet.shape[1] - 32 for left, right, _ in written)
    everything = "".join(words for _, _, words in written).replace(" ", "")
    assert (LONG + name).replace(" ", "") in everything
    assert [words for _, _, words in written][-3:] == ["head 0", "head 1", "head 2"]


def test_a_map_on_its_picture_has_a_title_and_a_scale(monkeypatch: pytest.MonkeyPatch):
    written = texts(monkeypatch)
    picture = np.random.default_rng(2).integers(0, 255, (896, 896, 3)).astype(np.uint8)
    values = np.array([[0.0, -2.5], [1.25, 0.0]])
    sheet = veil_sheet(picture, values, None, 0.7, 1, "resnet · layer1 · map 3 · a.png")
    words = " ".join(text for *_, text in written)
    assert "resnet · layer1 · map 3 · a.png" in words
    assert "from -2.5 to 2.5" in words
    assert "the ends cover 70 %" in words
    # where the map is zero, the very picture
    top = next(row for row in range(sheet.shape[0]) if (sheet[row, 32 : 32 + 448] == picture[0, :448]).all())
    assert (sheet[top + 448 : top + 896, 32 + 448 : 32 + 896] == picture[448:, 448:]).all()
    for colour in ends():
        assert (sheet[:top] == colour).all(-1).any(), "the scale has both ends"
    veil_sheet(picture, 0 * values, None, 0.7, 1, "nothing")
    assert "zero everywhere" in written[-1][2]


def test_an_empty_or_endless_sheet_is_refused():
    with pytest.raises(ImageError, match="1 to 2,048 maps, not 0"):
        map_sheet(maps(np.zeros((1, 2, 2))), (), "none")
    with pytest.raises(ImageError, match="not 2,049"):
        map_sheet(maps(np.zeros((1, 2, 2))), (0,) * (MOST_MAPS + 1), "many")
