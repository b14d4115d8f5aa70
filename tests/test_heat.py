"""Heat over photographs: the blend against cv2's resize and arithmetic done by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matplotlib import colormaps

from explorer.errors import ExplorerError
from explorer.figures.heat import COLOURS, Look, overlay
from explorer.preprocessing import CropBox

GREY = np.full((60, 90, 3), 128, np.uint8)


def full_box(pixels: np.ndarray) -> CropBox:
    return CropBox(0, 0, *pixels.shape[:2])


@pytest.mark.parametrize("key", COLOURS)
def test_every_colour_table_leaves_what_did_not_count_alone_or_darkens_it(key: str):
    table = COLOURS[key].table()
    assert table.shape == (256, 4)
    assert table.dtype == np.uint8
    if key == "spotlight":
        assert table[255, 3] == 0
        assert table[0].tolist() == [0, 0, 0, 255]
    else:
        assert table[0, 3] == 0
        assert table[255, 3] == 255


@pytest.mark.parametrize("key", [key for key in COLOURS if key != "spotlight"])
def test_colour_maps_grow_evenly_brighter(key: str):
    """Perceptually even: CIE lightness rises all the way, in steps of nearly one size (jet does neither)."""
    colours = COLOURS[key].table()[None, :, :3]
    lightness = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, :, 0]
    coarse = np.diff(lightness[::15])
    assert (coarse > 0).all()
    assert coarse.max() < 3 * coarse.mean()
    jet = colormaps["jet"](np.arange(256))[None, :, :3].astype(np.float32)
    assert (np.diff(cv2.cvtColor(jet, cv2.COLOR_RGB2LAB)[0, ::15, 0]) < 0).any()


def test_full_strength_at_full_opacity_is_the_end_of_the_colour_map():
    mixed = overlay(GREY, np.ones((7, 7), np.float32), 1.0, full_box(GREY), Look(opacity=100))
    end = np.round(255 * np.array(colormaps["inferno"](255)[:3]))
    assert (mixed == end.astype(np.uint8)).all()


def test_no_heat_leaves_the_photograph_as_it_is():
    for scale in (0.0, 1.0):
        assert (overlay(GREY, np.zeros((7, 7), np.float32), scale, full_box(GREY), Look()) == GREY).all()


def test_outside_the_box_the_photograph_is_unchanged():
    box = CropBox(top=10, left=20, height=30, width=40)
    mixed = overlay(GREY, np.ones((3, 3), np.float32), 1.0, box, Look(opacity=100))
    changed = (mixed != GREY).any(-1)
    assert changed[10:40, 20:60].all()
    changed[10:40, 20:60] = False
    assert not changed.any()


def test_enlarging_is_the_linear_resize_of_cv2():
    """Read back through a spotlight on white: grey level = strength."""
    heat = np.random.default_rng(0).random((7, 5)).astype(np.float32)
    white = np.full((64, 48, 3), 255, np.uint8)
    mixed = overlay(white, heat, 1.0, full_box(white), Look(opacity=100, colours="spotlight"))
    wanted = np.round(255 * cv2.resize(heat, (48, 64), interpolation=cv2.INTER_LINEAR))
    assert np.abs(mixed[..., 0] - wanted).max() <= 1


def test_blending_by_hand_at_one_pixel():
    """Half strength, 80 % opacity: alpha = 0.8 · 128/255."""
    mixed = overlay(GREY, np.full((1, 1), 0.5, np.float32), 1.0, full_box(GREY), Look(opacity=80))
    alpha = 0.8 * 128 / 255
    colour = np.round(255 * np.array(colormaps["inferno"](128)[:3]))
    assert np.abs(mixed[0, 0] - (128 * (1 - alpha) + colour * alpha)).max() <= 0.5 + 1e-4


def test_what_lies_under_the_threshold_is_hidden():
    heat = np.array([[0.2, 0.9]], np.float32)
    mixed = overlay(GREY, heat, 1.0, full_box(GREY), Look(threshold=50))
    assert (mixed[:, :22] == 128).all()
    assert (mixed[:, 68:] != 128).any()


def test_a_larger_scale_makes_the_same_heat_fainter():
    heat = np.full((2, 2), 0.3, np.float32)
    own, shared = (overlay(GREY, heat, scale, full_box(GREY), Look()) for scale in (0.3, 0.9))
    distance = [np.abs(mixed.astype(int) - 128).mean() for mixed in (own, shared)]
    assert distance[0] > distance[1] > 0


def test_a_box_that_overhangs_the_photograph_is_cut():
    mixed = overlay(GREY, np.ones((2, 2), np.float32), 1.0, CropBox(-5, -5, 100, 100), Look())
    assert mixed.shape == GREY.shape
    assert (mixed != GREY).any(-1).all()


def test_a_photograph_of_one_pixel_takes_heat():
    pixel = np.full((1, 1, 3), 10, np.uint8)
    assert overlay(pixel, np.ones((7, 7), np.float32), 1.0, full_box(pixel), Look()).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("wrong", "value"), [("opacity", 101), ("threshold", 96), ("wipe", -1), ("opacity", -5)]
)
def test_a_look_refuses_what_is_out_of_range_and_says_the_value(wrong: str, value: int):
    with pytest.raises(ExplorerError, match=rf"`{wrong}` is {value}; it goes from 0"):
        Look(**{wrong: value})


def test_there_is_no_jet():
    assert "jet" not in COLOURS
    with pytest.raises(ExplorerError, match="no colour map “jet”"):
        Look(colours="jet")


def test_cells_are_shown_as_they_are_where_that_is_asked_for():
    """The nearest neighbour of cv2, exact where cells are whole pixels."""
    heat = np.random.default_rng(1).random((6, 9)).astype(np.float32)
    white = np.full((60, 90, 3), 255, np.uint8)
    mixed = overlay(white, heat, 1.0, full_box(white), Look(opacity=100, colours="spotlight", cells=True))
    wanted = np.round(255 * cv2.resize(heat, (90, 60), interpolation=cv2.INTER_NEAREST))
    assert np.abs(mixed[..., 0] - wanted).max() <= 1
