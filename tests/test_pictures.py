"""Encoded pictures: exact, bare, and never larger than they were."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from explorer.errors import ImageError
from explorer.figures.pictures import data_uri, jpeg, png, square_thumbnail, thumbnail

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
SMOOTH = np.dstack([np.add.outer(np.arange(30), np.arange(40)).astype(np.uint8) * 3] * 3)


def opened(encoded: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(encoded))
    image.load()
    return image


@pytest.mark.parametrize(
    ("pixels", "mode"),
    [
        (RGB, "RGB"),
        (np.dstack([RGB, RGB[:, :, 0]]), "RGBA"),
        (RGB[:, :, 1], "L"),
        (RGB[:, ::-2], "RGB"),
        (RGB[:1, :1], "RGB"),
    ],
)
def test_png_gives_every_pixel_back(pixels: np.ndarray, mode: str) -> None:
    image = opened(png(pixels))
    assert (image.format, image.mode) == ("PNG", mode)
    assert np.array_equal(np.asarray(image), pixels)


def test_grey_may_have_a_channel_axis() -> None:
    assert png(RGB[:, :, :1]) == png(RGB[:, :, 0])


def test_png_holds_pixels_and_nothing_else() -> None:
    encoded, at, chunks = png(RGB), 8, []
    while at < len(encoded):
        length = int.from_bytes(encoded[at : at + 4], "big")
        chunks.append(encoded[at + 4 : at + 8])
        at += 12 + length
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


def test_jpeg_is_close_and_bare() -> None:
    image = opened(jpeg(SMOOTH))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (40, 30))
    assert np.abs(np.asarray(image).astype(int) - SMOOTH).max() <= 8
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_jpeg_keeps_colour_at_full_resolution() -> None:
    assert [layer[1:3] for layer in opened(jpeg(RGB)).layer] == [(1, 1)] * 3


def test_a_lower_quality_is_smaller() -> None:
    assert len(jpeg(RGB, 50)) < len(jpeg(RGB, 90))


@pytest.mark.parametrize("quality", [0, 96, -1])
def test_jpeg_refuses_a_quality_outside_its_scale(quality: int) -> None:
    with pytest.raises(ImageError, match=f"quality {quality} is outside 1–95"):
        jpeg(RGB, quality)


def test_jpeg_refuses_transparency() -> None:
    with pytest.raises(ImageError, match="transparency"):
        jpeg(np.zeros((2, 2, 4), np.uint8))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2, 3), np.float32),
        np.zeros((2, 2, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 2, 3), np.uint8),
        np.zeros((1, 2, 2, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused_by_type_and_shape(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError) as caught:
        png(pixels)
    assert f"{pixels.dtype} {pixels.shape}" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [
        ((300, 400), 100, (75, 100)),
        ((400, 300), 100, (100, 75)),
        ((30, 40), 100, (30, 40)),
        ((1, 5000), 100, (1, 100)),
        ((100, 100), 100, (100, 100)),
        ((3, 3), 1, (1, 1)),
    ],
)
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_thumbnail_bounds_the_long_side_and_never_enlarges(
    shape: tuple[int, int], side: int, expected: tuple[int, int], channels: tuple[int, ...]
) -> None:
    small = thumbnail(np.full((*shape, *channels), 200, np.uint8), side)
    assert small.shape == (*expected, *channels)
    assert small.dtype == np.uint8
    assert (small == 200).all()


def test_thumbnail_averages_fine_stripes() -> None:
    stripes = np.zeros((64, 640, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(thumbnail(stripes, 64)[:, 2:-2].astype(int) - 127.5).max() <= 3


def test_thumbnail_keeps_the_picture_the_right_way_up() -> None:
    quarters = np.zeros((200, 200, 3), np.uint8)
    quarters[:100, 100:] = (255, 0, 0)
    small = thumbnail(quarters, 20)
    assert small[4, 15].tolist() == [255, 0, 0]
    assert small[15, 4].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("shape", "side"), [((300, 400, 3), 100), ((400, 300, 3), 100), ((30, 40, 3), 100)])
def test_square_thumbnail_shows_the_middle(shape: tuple[int, ...], side: int) -> None:
    pixels = np.zeros(shape, np.uint8)
    height, width, _ = shape
    short = min(height, width)
    pixels[(height - short) // 2 : (height + short) // 2, (width - short) // 2 : (width + short) // 2] = 255
    square = square_thumbnail(pixels, side)
    assert square.shape == (min(side, short), min(side, short), 3)
    assert (square == 255).all()


@pytest.mark.parametrize("side", [0, -5])
def test_thumbnails_of_no_size_are_refused(side: int) -> None:
    for make in (thumbnail, square_thumbnail):
        with pytest.raises(ImageError, match=f"{side} pixels"):
            make(RGB, side)


@pytest.mark.parametrize(("encoded", "kind"), [(png(RGB), "image/png"), (jpeg(RGB), "image/jpeg")])
def test_data_uri_holds_the_very_bytes(encoded: bytes, kind: str) -> None:
    head, _, body = data_uri(encoded).partition(",")
    assert head == f"data:{kind};base64"
    assert base64.b64decode(body, validate=True) == encoded


def test_data_uri_refuses_what_is_no_picture() -> None:
    with pytest.raises(ImageError, match="3c 73 76 67"):
        data_uri(b"<svg onload=alert(1)>")
