"""Pictures of receptive fields: what is where, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.figures.fields import field_on_map, field_on_photo

LIGHT, DARK = (11, 110, 153), (76, 194, 241)
PHOTO = np.random.default_rng(3).integers(1, 255, (20, 30, 3), dtype=np.uint8)


def found(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """First and last row, first and last column of a colour at full strength."""
    rows, columns = np.nonzero((image == (*colour, 255)).all(-1))
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_a_field_inside_leaves_the_photo_as_it_is_but_for_its_frame():
    image = field_on_photo(PHOTO, ((5, 14), (10, 19)), side=300)
    assert image.shape == (200, 300, 4)
    enlarged = PHOTO.repeat(10, 0).repeat(10, 1)
    assert found(image, LIGHT) == (51, 148, 101, 198)
    outside = np.ones((200, 300), bool)
    outside[50:150, 100:200] = False
    outside[54:146, 104:196] = True
    np.testing.assert_array_equal(image[..., :3][outside], enlarged[outside])
    assert (image[..., 3] == 255).all()


@pytest.mark.parametrize("dark", [False, True])
def test_what_hangs_over_is_hatched_and_the_rest_outside_is_clear(dark: bool):
    image = field_on_photo(PHOTO, ((-10, 4), (20, 39)), dark=dark, side=300)
    # 10 rows above, 10 columns on the right: 30 × 40 pixels of 7
    assert image.shape == (210, 280, 4)
    assert found(image, DARK if dark else LIGHT) == (1, 103, 141, 278)
    assert not image[:70, :130].any()  # above the photo, beside the box
    assert not image[110:, 210:].any()
    hatched = image[10:60, 150:270]
    assert (hatched[..., :3] == (DARK if dark else LIGHT)).all()
    assert set(np.unique(hatched[..., 3])) == {30, 150}
    np.testing.assert_array_equal(image[120:, :130, :3], PHOTO.repeat(7, 0).repeat(7, 1)[50:, :130])


def test_a_box_far_beyond_the_photo_stays_open():
    image = field_on_photo(PHOTO, ((-1000, 1000), (0, 29)), side=600)
    assert image.shape == (600, 300, 4)  # a photo above, and one below
    assert not (image[0, 20:-20] == (*LIGHT, 255)).all(-1).any()


def test_a_large_photo_is_reduced_and_its_box_with_it():
    photo = np.full((1000, 500, 3), 128, np.uint8)
    image = field_on_photo(photo, ((100, 299), (100, 299)), side=480)
    assert image.shape == (480, 240, 4)
    assert found(image, LIGHT) == (49, 142, 49, 142)


def test_heat_brightens_the_pixels_that_count():
    heat = np.zeros((20, 30), np.float32)
    heat[10, 15] = 1
    grey = np.full((20, 30, 3), 100, np.uint8)
    image = field_on_photo(grey, ((0, 19), (0, 29)), heat, side=30 * 8)
    assert (image[40, 40, :3] == 100).all()  # no gradient: as it was
    assert image[84, 124, :3].sum() > 500  # the end of the colour map, nearly white
    assert (field_on_photo(grey, ((0, 19), (0, 29)), side=240)[84, 124, :3] == 100).all()


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [
        ((7, 7), (2, 3), (0, 1, 2)),
        ((5, 9), (-1, 0), (7, 8, 9, 10)),
        ((9, 9), (0, 2, 4), (1, 4, 7)),
        ((1, 1), (0,), (0,)),
        ((4, 4), (), ()),
    ],
)
def test_every_cell_of_a_map_is_what_it_is(
    shape: tuple[int, int], rows: tuple[int, ...], columns: tuple[int, ...]
):
    image = field_on_map(shape, rows, columns, side=240)
    top, left = min((0, *rows)), min((0, *columns))
    height, width = (
        max(size, *(at + 1 for at in (*read, 0))) - first
        for size, read, first in zip(shape, (rows, columns), (top, left), strict=True)
    )
    size = image.shape[0] // height
    assert image.shape == (height * size, width * size, 4)
    for row in range(top, top + height):
        for column in range(left, left + width):
            cell = image[(row - top) * size + 2 : (row - top + 1) * size, (column - left) * size + 2 :][
                :, : size - 2
            ]
            on_map = 0 <= row < shape[0] and 0 <= column < shape[1]
            if row in rows and column in columns:
                assert (cell[..., :3] == LIGHT).all()
                assert (cell[..., 3].min() == 255) == on_map
            elif on_map:
                assert (cell == (205, 212, 217, 255)).all()
            else:
                assert not cell.any()


def test_one_cell_of_many_is_framed():
    image = field_on_map((224, 224), (100,), (50,))
    assert image.shape == (224, 224, 4)
    assert found(image, LIGHT) == (95, 105, 45, 55)
