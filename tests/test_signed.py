"""Signed colours: against OpenCV's CIELAB, CIEDE2000, Pillow's palettes and the published contrast ratios."""

from __future__ import annotations

import io
import itertools

import cv2
import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image
from skimage.color import deltaE_ciede2000

from explorer.errors import ExplorerError, ImageError
from explorer.figures.signed import (
    SIGNED,
    ZERO,
    as_photograph,
    clipped,
    enlarged,
    entries,
    ink,
    signed_picture,
    signed_png,
)

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(40, 60)).astype(np.float32)

# Machado, Oliveira & Fernandes 2009, severity 1.0, for linear RGB
BLINDNESS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB (n, 3) of sRGB 0..255 (n, 3), by OpenCV."""
    return cv2.cvtColor((colours / 255).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]


def seen_by(blindness: str, colours: np.ndarray) -> np.ndarray:
    part = colours / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(BLINDNESS[blindness]).T, 0, 1)
    return 255 * np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


# ------------------------------------------------------------------------------- the tables


@pytest.mark.parametrize("kind", SIGNED)
def test_zero_and_nothing_else_is_exactly_white(kind: str):
    table = SIGNED[kind].table()
    assert table.shape == (255, 3)
    assert table.dtype == np.uint8
    assert np.flatnonzero((table == 255).all(axis=1)).tolist() == [ZERO]
    assert len(np.unique(table, axis=0)) == 255, "every strength has a colour of its own"


@pytest.mark.parametrize("kind", SIGNED)
def test_equal_strength_is_equally_dark_whatever_the_sign(kind: str):
    lightness = lab(SIGNED[kind].table())[:, 0]
    assert np.abs(lightness - lightness[::-1]).max() < 1
    falling = np.interp(np.arange(128), [0, 127], [100, lightness[-1]])
    assert np.abs(lightness[ZERO:] - falling).max() < 0.5
    assert lightness[-1] < 25, "the whole range of lightness is used"


@pytest.mark.parametrize("kind", SIGNED)
def test_equal_steps_look_nearly_equal(kind: str):
    """CIEDE2000 between colours eight entries apart; matplotlib's seismic is the counterexample."""

    def steps(table: np.ndarray) -> np.ndarray:
        coarse = lab(table)[ZERO % 8 :: 8].astype(np.float64)
        return deltaE_ciede2000(coarse[1:], coarse[:-1])

    found = steps(SIGNED[kind].table())
    assert found.min() > 0.6 * found.mean()
    assert found.max() < 2 * found.mean()
    seismic = steps(255 * colormaps["seismic"](np.linspace(0, 1, 255))[:, :3])
    assert seismic.max() / seismic.mean() > found.max() / found.mean()


@pytest.mark.parametrize("kind", SIGNED)
def test_the_colours_are_those_of_their_source(kind: str):
    """Every one lies near a colour of matplotlib's map, except about its grey middle."""
    table = SIGNED[kind].table()
    source = lab(255 * colormaps[SIGNED[kind].source](np.linspace(0, 1, 1001))[:, :3]).astype(np.float64)
    own = lab(table).astype(np.float64)
    away = deltaE_ciede2000(*np.broadcast_arrays(own[:, None], source)).min(axis=1)
    assert away[np.abs(np.arange(255) - ZERO) > 50].max() < 1.5
    assert away.max() < 3


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("kind", SIGNED)
def test_signs_stay_apart_for_the_colour_blind(kind: str, blindness: str):
    seen = lab(seen_by(blindness, SIGNED[kind].table())).astype(np.float64)
    strong = np.arange(ZERO // 4, ZERO + 1)  # a quarter of the peak and more
    apart = deltaE_ciede2000(seen[ZERO - strong], seen[ZERO + strong])
    assert apart.min() > 10, "2.3 is just noticeable"


# ------------------------------------------------------------------------------- values to colours


def test_entries_rise_with_the_values_and_put_zero_in_the_middle():
    values = np.concatenate([np.sort(VALUES.ravel()), [0.0]]).reshape(1, -1)
    found = entries(values).astype(int)[0]
    assert (np.diff(found[:-1]) >= 0).all()
    assert found[-1] == ZERO
    strongest = np.abs(values).argmax()
    assert found[strongest] == (254 if values[0, strongest] > 0 else 0)
    # by exact fractions: the entry whose strength is nearest
    nearest = np.abs(np.arange(-127, 128)[:, None] / 127 * np.abs(values).max() - values).argmin(0)
    assert np.abs(found - nearest).max() <= 1
    assert (found != nearest).mean() < 0.001


def test_signs_have_the_colours_of_their_names():
    activations = signed_picture(np.array([[-1.0, 0.0, 1.0]]))[0].astype(int)
    assert activations[0].argmax() == 2, "negative is blue"
    assert activations[1].tolist() == [255, 255, 255]
    assert activations[2].argmax() == 0, "positive is red"
    brown, _, teal = signed_picture(np.array([[-1.0, 0.0, 1.0]]), kind="weights")[0].astype(int)
    assert brown[0] > brown[1] > brown[2]
    assert teal.argmax() == 1
    assert teal[0] < teal[2]


def test_a_shared_peak_makes_pictures_comparable():
    weak = signed_picture(0.25 * VALUES, peak=float(np.abs(VALUES).max()))
    assert (weak == signed_picture(VALUES, peak=4 * float(np.abs(VALUES).max()))).all()
    assert (entries(VALUES, peak=1e-3)[np.abs(VALUES) > 1e-3] % 254 == 0).all(), "beyond the peak, the ends"


@pytest.mark.parametrize("values", [np.zeros((3, 4), np.float32), np.zeros((0, 4), np.float32)])
def test_nothing_is_white(values: np.ndarray):
    assert (signed_picture(values) == 255).all()
    assert signed_picture(values).shape == (*values.shape, 3)


def test_the_smallest_and_largest_numbers_have_colours():
    for strength in (1e-45, 3e38):
        found = entries(np.array([[-strength, 0, strength]], np.float32))
        assert found.tolist() == [[0, 127, 254]]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused(broken: float):
    values = VALUES.copy()
    values[3, 4] = broken
    with pytest.raises(ExplorerError, match="1 of 2400 values"):
        signed_picture(values)
    with pytest.raises(ExplorerError, match="1 of 2400 values"):
        as_photograph(values)
    with pytest.raises(ExplorerError, match="must be 0 or more"):
        signed_picture(VALUES, peak=broken)
    with pytest.raises(ExplorerError, match="-2"):
        signed_picture(VALUES, peak=-2)


@pytest.mark.parametrize("kind", SIGNED)
def test_the_png_holds_the_same_colours_in_fewer_bytes(kind: str):
    smooth = cv2.GaussianBlur(VALUES, (9, 9), 3)
    data = signed_png(smooth, kind=kind)
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P"
    assert not image.info
    picture = signed_picture(smooth, kind=kind)
    assert (np.asarray(image.convert("RGB")) == picture).all()
    whole = io.BytesIO()
    Image.fromarray(picture).save(whole, "PNG", compress_level=1)
    assert len(data) < 0.8 * len(whole.getvalue())


# ------------------------------------------------------------------------------- as a photograph


def test_a_photograph_is_what_opencv_saturates_to():
    values = (300 * VALUES).astype(np.float32)
    values[0, :4] = [0.5, 1.5, 2.5, 254.5]
    wanted = cv2.add(values, 0, dtype=cv2.CV_8U)
    assert (as_photograph(values) == wanted).all()


def test_clipped_counts_what_more_than_rounding_changed():
    values = RNG.uniform(-100, 400, (50, 50)).astype(np.float32)
    below, above = clipped(values)
    changed = np.abs(as_photograph(values) - values) > 0.5
    assert below == (changed & (values < 128)).sum() > 0
    assert above == (changed & (values > 128)).sum() > 0
    assert clipped(np.array([[0.0, 255.0, -1e-9, 255.00001]])) == (0, 0)


# ------------------------------------------------------------------------------- small helps


@pytest.mark.parametrize(
    ("colour", "wanted"),
    [
        ((255, 255, 255), "#000"),
        ((0, 0, 0), "#fff"),
        ((118, 118, 118), "#000"),  # #767676, the darkest grey that passes under white text: black has 4.62
        ((116, 116, 116), "#fff"),
        ((0, 0, 255), "#fff"),
        ((255, 0, 0), "#000"),
    ],
)
def test_ink_is_the_one_with_more_contrast(colour: tuple[int, int, int], wanted: str):
    assert ink(colour) == wanted


def test_ink_turns_once_on_each_arm():
    for kind in SIGNED:
        inks = [ink(colour) for colour in SIGNED[kind].table()]
        assert sum(a != b for a, b in itertools.pairwise(inks)) == 2
        assert inks[ZERO] == "#000"


def test_enlarging_is_nearest_neighbour():
    picture = signed_picture(VALUES[:7, :5], kind="weights")
    large = enlarged(picture, 126)
    assert (large == cv2.resize(picture, (90, 126), interpolation=cv2.INTER_NEAREST)).all()
    assert (enlarged(picture, 3) == picture).all()
    with pytest.raises(ImageError, match="0 pixels"):
        enlarged(picture, 0)
