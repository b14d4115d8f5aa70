"""Kernels: every preset against scipy, OpenCV, scikit-image or its published table; the text of a link."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from PIL import ImageFilter
from scipy import ndimage
from skimage import data, filters

from explorer.errors import KernelError
from explorer.kernels import (
    GROUPS,
    KERNELS,
    MAX_TEXT,
    Kernel,
    learned_kernels,
    parse_number,
    read_kernel,
    write_preset,
)

PICTURE = data.camera()[100:196, 180:280].astype(np.float64)
INSIDE = np.s_[20:-20, 20:-20]
"""Far enough from the borders that no reference reads beyond them."""


def weights(text: str) -> np.ndarray:
    return read_kernel(text)[2].weights[0]


def answer(text: str) -> np.ndarray:
    """What a kernel makes of the picture, computed by OpenCV, which does not flip (a correlation)."""
    return cv2.filter2D(PICTURE, cv2.CV_64F, weights(text))[INSIDE]


def rows(table: str) -> list[list[float]]:
    return [[float(value) for value in line.split()] for line in table.split("/")]


# ----------------------------------------------------------------------------- presets against references


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("identity", lambda p: p),
        ("shift~3~0", lambda p: np.roll(p, 3, axis=1)),
        ("shift~-2~4", lambda p: ndimage.shift(p, (4, -2), order=0)),
        ("box~5", lambda p: ndimage.uniform_filter(p, 5)),
        ("gaussian~5~1.2", lambda p: ndimage.gaussian_filter(p, 1.2, radius=2)),
        ("gaussian~11~0.3", lambda p: ndimage.gaussian_filter(p, 0.3, radius=5)),
        ("motion~7~0", lambda p: ndimage.uniform_filter1d(p, 7, axis=1)),
        ("motion~7~90", lambda p: ndimage.uniform_filter1d(p, 7, axis=0)),
        ("sharpen~0.7", lambda p: p - 0.7 * ndimage.laplace(p)),
        ("unsharp~9~1~1.5", lambda p: filters.unsharp_mask(p, 1, 1.5, preserve_range=True)),
        ("sobel_x", lambda p: ndimage.sobel(p, axis=1)),
        ("sobel_y", lambda p: ndimage.sobel(p, axis=0)),
        ("sobel_x", lambda p: cv2.Sobel(p, cv2.CV_64F, 1, 0)),
        ("sobel_y", lambda p: cv2.Sobel(p, cv2.CV_64F, 0, 1)),
        ("scharr_x", lambda p: cv2.Scharr(p, cv2.CV_64F, 1, 0)),
        ("scharr_y", lambda p: cv2.Scharr(p, cv2.CV_64F, 0, 1)),
        ("prewitt_x", lambda p: ndimage.prewitt(p, axis=1)),
        ("prewitt_y", lambda p: ndimage.prewitt(p, axis=0)),
        # scikit-image convolves, which flips both the sign and the place that a 2×2 kernel answers for.
        ("roberts_1", lambda p: np.roll(-filters.roberts_pos_diag(p), (1, 1), (0, 1))),
        ("roberts_2", lambda p: np.roll(-filters.roberts_neg_diag(p), (1, 1), (0, 1))),
        ("laplacian_4", ndimage.laplace),
        ("laplacian_4", lambda p: cv2.Laplacian(p, cv2.CV_64F, ksize=1)),
        ("laplacian_8", lambda p: 9 * (ndimage.uniform_filter(p, 3) - p)),
        ("outline", lambda p: 9 * (p - ndimage.uniform_filter(p, 3))),
        ("dog~9~0.8~1.1", lambda p: filters.difference_of_gaussians(p, 0.8, 1.1, truncate=4)),
    ],
)
def test_preset_does_to_a_picture_what_the_reference_does(text: str, reference):
    expected = np.asarray(reference(PICTURE))[INSIDE]
    if text.startswith("dog"):
        # The reference cuts each blur at four of its own σ, 3 and 4 pixels; the window keeps 4 for both.
        assert np.abs(answer(text) - expected).max() < 0.02 * np.abs(expected).max()
    else:
        assert np.abs(answer(text) - expected).max() < 1e-9


@pytest.mark.parametrize("size", [3, 5, 11])
@pytest.mark.parametrize("sigma", [0.5, 1, 3.7])
def test_gaussian_is_opencvs(size: int, sigma: float):
    line = cv2.getGaussianKernel(size, sigma, cv2.CV_64F)
    assert weights(f"gaussian~{size}~{sigma}") == pytest.approx(line @ line.T, rel=1e-12)


@pytest.mark.parametrize(("key", "ksize"), [("sobel", 3), ("scharr", cv2.FILTER_SCHARR)])
def test_sobel_and_scharr_are_opencvs_derivative_kernels(key: str, ksize: int):
    for name, (dx, dy) in {"x": (1, 0), "y": (0, 1)}.items():
        row, column = cv2.getDerivKernels(dx, dy, ksize, ktype=cv2.CV_64F)
        assert (weights(f"{key}_{name}") == column @ row.T).all()


@pytest.mark.parametrize("theta", [0, 30, 90, 135, 250])
@pytest.mark.parametrize(("wavelength", "sigma", "phase"), [(6, 2.5, 0), (3.5, 1.4, 90), (10, 4, 215)])
def test_gabor_is_opencvs_and_scikit_images(theta: int, wavelength: float, sigma: float, phase: int):
    """Their y points down, so their angle is the opposite; OpenCV's kernel is turned by 180° besides."""
    ours = weights(f"gabor~11~{theta}~{wavelength}~{sigma}~{phase}")
    opencv = cv2.getGaborKernel(
        (11, 11), sigma, np.radians(-theta), wavelength, 1, np.radians(phase), cv2.CV_64F
    )
    assert np.abs(ours - opencv[::-1, ::-1]).max() < 1e-12
    scikit = filters.gabor_kernel(
        1 / wavelength, np.radians(-theta), sigma_x=sigma, sigma_y=sigma, n_stds=20, offset=np.radians(phase)
    )
    middle = np.array(scikit.shape) // 2
    cut = scikit.real[middle[0] - 5 : middle[0] + 6, middle[1] - 5 : middle[1] + 6]
    assert np.abs(ours - cut * 2 * np.pi * sigma**2).max() < 1e-12


@pytest.mark.parametrize("theta", [0, 45, 90, 135])
def test_gabor_answers_most_to_waves_that_travel_its_way(theta: int):
    y, x = np.mgrid[30:-31:-1, -30:31]
    directions = np.radians([0, 45, 90, 135])
    waves = [np.cos(2 * np.pi * (x * np.cos(a) + y * np.sin(a)) / 6) for a in directions]
    strengths = [np.abs(cv2.filter2D(wave, cv2.CV_64F, weights(f"gabor~11~{theta}"))).max() for wave in waves]
    assert np.argmax(strengths) == theta // 45


def test_log_is_scipys_without_its_mean():
    point = np.zeros((11, 11))
    point[5, 5] = 1
    response = ndimage.gaussian_laplace(point, 1.3, mode="constant", radius=5)
    assert weights("log~11~1.3") == pytest.approx(response - response.mean(), abs=1e-15)


def test_log_does_to_a_picture_what_scipy_does_once_the_window_holds_it():
    expected = ndimage.gaussian_laplace(PICTURE, 1.0)[INSIDE]
    assert np.abs(answer("log~11~1") - expected).max() < 1e-3 * np.abs(expected).max()


def test_log_answers_most_to_blobs_of_radius_root_two_sigma():
    """On a dark disc, among the scales of Lindeberg 1998 (σ²·LoG), the best σ is radius / √2."""
    y, x = np.mgrid[-20:21, -20:21]
    disc = -255.0 * (x**2 + y**2 <= 2.1**2)
    sigmas = np.arange(5, 30) / 10
    scores = [s**2 * (weights(f"log~11~{s}") * disc[15:26, 15:26]).sum() for s in sigmas]
    assert min(scores) > 0
    assert sigmas[np.argmax(scores)] == pytest.approx(2.1 / np.sqrt(2), abs=0.2)


@pytest.mark.parametrize("angle", [0, 25, 45, 90, 105, 135, 175])
def test_motion_blur_is_the_share_of_a_line_in_each_pixel(angle: int):
    """Against a million points laid on the line and counted pixel by pixel."""
    size = 7
    t = np.linspace(-8, 8, 1_000_001)
    x, y = t * np.cos(np.radians(angle)), t * np.sin(np.radians(angle))
    edges = np.arange(size + 1) - size / 2
    counts = np.histogram2d(-y, x, bins=(edges, edges))[0]
    assert np.abs(weights(f"motion~{size}~{angle}") - counts / counts.sum()).max() < 1e-4


def test_motion_blur_at_45_degrees_runs_to_the_upper_right_alone():
    slanted, diagonal = weights("motion~5~45"), np.fliplr(np.eye(5))
    assert ((slanted != 0) == (diagonal == 1)).all()
    assert slanted == pytest.approx(diagonal / 5)


def test_gradients_are_positive_towards_brighter():
    brighter_right = np.tile(np.arange(9.0), (9, 1))
    brighter_down = brighter_right.T
    for key in ("sobel", "scharr", "prewitt"):
        assert cv2.filter2D(brighter_right, -1, weights(f"{key}_x"))[4, 4] > 0
        assert cv2.filter2D(brighter_right, -1, weights(f"{key}_y"))[4, 4] == 0
        assert cv2.filter2D(brighter_down, -1, weights(f"{key}_y"))[4, 4] > 0
    up_left, up_right = -brighter_right - brighter_down, brighter_right - brighter_down
    assert cv2.filter2D(up_left, -1, weights("roberts_1"))[4, 4] > 0
    assert cv2.filter2D(up_right, -1, weights("roberts_2"))[4, 4] > 0


@pytest.mark.parametrize("angle", range(0, 360, 45))
@pytest.mark.parametrize("key", ["kirsch", "emboss", "corner"])
def test_compass_kernels_answer_most_where_their_direction_is_bright(key: str, angle: int):
    y, x = np.mgrid[1:-2:-1, -1:2]
    slopes = [x * np.cos(a) + y * np.sin(a) for a in np.radians(range(0, 360, 45))]
    answers = [(weights(f"{key}~{angle}") * slope).sum() for slope in slopes]
    assert np.argmax(answers) == angle // 45


@pytest.mark.parametrize(
    ("text", "table"),
    [
        # Kirsch 1971: N, NW, W, SW
        ("kirsch~90", "5 5 5 / -3 0 -3 / -3 -3 -3"),
        ("kirsch~135", "5 5 -3 / 5 0 -3 / -3 -3 -3"),
        ("kirsch~180", "5 -3 -3 / 5 0 -3 / 5 -3 -3"),
        ("kirsch~225", "-3 -3 -3 / 5 0 -3 / 5 5 -3"),
        ("kirsch~0", "-3 -3 5 / -3 0 5 / -3 -3 5"),
        ("emboss", "-2 -1 0 / -1 1 1 / 0 1 2"),
        # Gonzalez & Woods, whose y points down: horizontal, −45°, vertical, +45°
        ("line~0", "-1 -1 -1 / 2 2 2 / -1 -1 -1"),
        ("line~45", "-1 -1 2 / -1 2 -1 / 2 -1 -1"),
        ("line~90", "-1 2 -1 / -1 2 -1 / -1 2 -1"),
        ("line~135", "2 -1 -1 / -1 2 -1 / -1 -1 2"),
        ("corner~45", "-4 5 5 / -4 5 5 / -4 -4 -4"),
        ("corner~90", "5 5 5 / -4 5 -4 / -4 -4 -4"),
        ("sharpen", "0 -1 0 / -1 5 -1 / 0 -1 0"),
    ],
)
def test_preset_is_the_published_table(text: str, table: str):
    assert weights(text).tolist() == rows(table)


def test_outline_is_pillows_find_edges():
    size, scale, offset, table = ImageFilter.FIND_EDGES.filterargs
    assert (size, scale, offset) == ((3, 3), 1, 0)
    assert weights("outline").ravel().tolist() == list(table)


@pytest.mark.parametrize("angle", range(45, 360, 90))
def test_corner_is_found_where_it_is(angle: int):
    """A bright square has four corners; the largest answer is at the one whose inside lies that way."""
    picture = np.zeros((20, 20))
    picture[5:15, 5:15] = 255
    result = cv2.filter2D(picture, -1, weights(f"corner~{angle}"))
    place = np.unravel_index(result.argmax(), result.shape)
    assert place == {45: (14, 5), 135: (14, 14), 225: (5, 14), 315: (5, 5)}[angle]


def test_random_is_numpys_frozen_stream():
    """The first numbers of seed 0 as printed in many books: 1.76405235, 0.40015721, 0.97873798, 2.2408932."""
    expected = np.array([1.76405235, 0.40015721, 0.97873798, 2.2408932]) * np.sqrt(2 / 9)
    assert weights("random~3~0").ravel()[:4] == pytest.approx(expected, abs=1e-8)
    assert (weights("random~3~0") != weights("random~3~1")).all()
    assert weights("random~11~5").std() == pytest.approx(np.sqrt(2 / 121), rel=0.15)


UNIT_SUM = {"identity", "shift", "box", "gaussian", "motion", "sharpen", "unsharp", "emboss"}
FREE_SUM = {"gabor", "random"}


@pytest.mark.parametrize("key", KERNELS)
def test_sum_of_weights_is_as_documented(key: str):
    preset = KERNELS[key]
    for extreme in ("lowest", "usual", "highest"):
        total = preset.kernel(*(getattr(parameter, extreme) for parameter in preset.parameters)).weights.sum()
        if key not in FREE_SUM:
            assert total == pytest.approx(1 if key in UNIT_SUM else 0, abs=1e-12)


# ---------------------------------------------------------------------------------------- the registry


def test_presets_stand_in_the_order_of_their_groups():
    groups = [preset.group for preset in KERNELS.values()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=GROUPS.index)


@pytest.mark.parametrize("key", KERNELS)
def test_preset_is_complete_and_its_limits_hold(key: str):
    preset = KERNELS[key]
    # A key begins like no weight does, and holds no separator of rows.
    assert re.fullmatch(r"[a-z][a-z0-9_]*", preset.key)
    assert preset.key == key
    assert re.fullmatch(r"[A-Z].*\.", preset.sentence)
    assert preset.formula.count("{") == preset.formula.count("}")
    assert len({parameter.key for parameter in preset.parameters}) == len(preset.parameters)
    usual = list(preset.settings())
    for index, parameter in enumerate(preset.parameters):
        assert parameter.lowest <= parameter.usual <= parameter.highest
        for value in (parameter.lowest, parameter.highest):
            kernel = preset.kernel(*usual[:index], value)
            assert kernel.name == preset.title
            assert np.isfinite(kernel.weights).all()
        for value in (parameter.lowest - parameter.step, parameter.highest + parameter.step, float("nan")):
            with pytest.raises(KernelError, match=re.escape(parameter.label)):
                preset.kernel(*usual[:index], value)


def test_formula_of_tables_multiplies_to_the_weights():
    """Where a formula is made of matrices of numbers alone, their product is the kernel."""
    seen = 0
    for preset in KERNELS.values():
        bodies = re.findall(r"\\begin\{bmatrix\}([-\d&\\]+)\\end\{bmatrix\}", preset.formula)
        if not bodies:
            continue
        matrices = [[[int(v) for v in row.split("&")] for row in body.split(r"\\")] for body in bodies]
        product = np.linalg.multi_dot(matrices) if len(matrices) > 1 else np.array(matrices[0])
        angle = re.search(r"k_\{(\d+)\^\\circ\}", preset.formula)
        assert (preset.kernel(*([int(angle[1])] if angle else [])).weights[0] == product).all(), preset.key
        seen += 1
    assert seen == 16


def test_sizes_are_odd_and_compass_directions_whole():
    for text in ("gaussian~4", "kirsch~44", "random~3~0.5", "shift~0.5"):
        with pytest.raises(KernelError, match="in steps of"):
            read_kernel(text)
    assert read_kernel("gaussian~5~1.25")[1] == (5, 1.25)


def test_too_many_values_are_refused():
    with pytest.raises(KernelError, match="Box blur takes 1 values, not 2"):
        KERNELS["box"].kernel(3, 3)


# ---------------------------------------------------------------------------------------------- Kernel


def test_kernel_keeps_a_copy_that_cannot_be_written():
    own = np.ones((2, 4))
    kernel = Kernel("Custom", own)
    own[0, 0] = 7
    assert (kernel.channels, kernel.height, kernel.width) == (1, 2, 4)
    assert kernel.weights[0, 0, 0] == 1
    assert kernel.weights.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        kernel.weights[0, 0, 0] = 2


def test_flipped_turns_correlation_into_convolution():
    kernel = Kernel("Custom", np.random.default_rng(0).normal(size=(3, 5)))
    turned = ndimage.correlate(PICTURE, kernel.flipped().weights[0], mode="constant")
    assert np.abs(turned - ndimage.convolve(PICTURE, kernel.weights[0], mode="constant")).max() < 1e-9


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 3, 3), "2×3×3"),
        ((4, 3, 3), "4×3×3"),
        ((3,), "not 3"),
        ((1, 1, 3, 3), "1×1×3×3"),
        ((12, 12), "12×12"),
        ((3, 1, 12), "1×12"),
        ((0, 3), "0×3"),
    ],
)
def test_kernel_refuses_other_shapes(shape: tuple[int, ...], words: str):
    with pytest.raises(KernelError, match=words):
        Kernel("Custom", np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1_000_001, -1e300])
def test_kernel_refuses_weights_that_are_no_use(value: float):
    with pytest.raises(KernelError, match=re.escape(f"not {value:g}.")):
        Kernel("Custom", np.array([[1, value]]))


def test_learned_kernels_are_the_same_float32_numbers_and_short_in_a_link():
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    kernels = learned_kernels(weight)
    assert [kernel.name for kernel in kernels] == ["Learned 0", "Learned 1", "Learned 2", "Learned 3"]
    for kernel, original in zip(kernels, weight, strict=True):
        assert (kernel.weights.astype(np.float32) == original).all()
        assert (read_kernel(kernel.text)[2].weights == kernel.weights).all()
        assert len(kernel.text) < 27 * 13


@pytest.mark.parametrize("shape", [(4, 1, 3, 3), (3, 3, 3), (4, 3, 16, 16)])
def test_learned_kernels_refuse_layers_that_are_not_for_colour_or_too_large(shape: tuple[int, ...]):
    with pytest.raises(KernelError):
        learned_kernels(np.zeros(shape, np.float32))


# ---------------------------------------------------------------------------------------- text of a link


@pytest.mark.parametrize("seed", range(50))
def test_weights_come_back_from_their_text_bit_for_bit(seed: int):
    chance = np.random.default_rng(seed)
    shape = (chance.choice([1, 3]), *chance.integers(1, 12, size=2))
    own = chance.normal(size=shape) * 10.0 ** chance.integers(-250, 5)
    own[chance.random(shape) < 0.2] = -0.0
    text = Kernel("Custom", own).text
    preset, values, kernel = read_kernel(text)
    assert (preset, values) == (None, ())
    assert kernel.weights.tobytes() == own.tobytes()
    assert re.fullmatch(r"[\d.e_~-]+", text)


def test_the_longest_kernel_has_a_text_that_is_read():
    kernel = Kernel("Custom", np.full((3, 11, 11), -1.2345678901234567e-100))
    assert len(kernel.text) == 9076 < MAX_TEXT
    assert (read_kernel(kernel.text)[2].weights == kernel.weights).all()


def test_text_is_as_people_would_write_it():
    assert (
        Kernel("Custom", np.array([[0, -1.5], [100_000, 1 / 9]])).text == "0_-1.5~100000_0.1111111111111111"
    )
    colour = read_kernel("1_0~~0_1~~0.5_-0.5")[2]
    assert colour.weights.tolist() == [[[1, 0]], [[0, 1]], [[0.5, -0.5]]]


@pytest.mark.parametrize("key", KERNELS)
def test_presets_come_back_from_their_text(key: str):
    preset = KERNELS[key]
    for extreme in ("lowest", "usual", "highest"):
        values = tuple(getattr(parameter, extreme) for parameter in preset.parameters)
        found, settings, kernel = read_kernel(write_preset(preset, values))
        assert found is preset
        assert settings == values
        assert (kernel.weights == preset.kernel(*values).weights).all()
        custom = read_kernel(kernel.text)
        assert (custom[2].weights == kernel.weights).all()


def test_preset_text_says_every_value_and_no_needless_zero():
    assert write_preset(KERNELS["gaussian"], (5.0, 2.0)) == "gaussian~5~2"
    assert write_preset(KERNELS["gaussian"]) == "gaussian~5~1"
    assert write_preset(KERNELS["identity"], ()) == "identity"
    with pytest.raises(KernelError, match="Size"):
        write_preset(KERNELS["gaussian"], (13,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25),
        ("-1", -1),
        ("−1", -1),
        ("+.5", 0.5),
        ("3.", 3),
        ("1e-3", 0.001),
        ("1/9", 1 / 9),
        ("-1/9", -1 / 9),
        (" 2 / 3 ", 2 / 3),
        ("1/-4", -0.25),
        ("0/5", 0),
    ],
)
def test_numbers_and_fractions_are_read(text: str, value: float):
    assert parse_number(text) == value


NO_NUMBERS = ["", " ", "1/0", "0/0", "1/9/2", "one", "nan", "inf", "-inf", "0x10", "1_0", "٣", "1 2", "1,5"]
NO_NUMBERS += [
    "--1",
    ".",
    "1e",
    "=1+1",
    "1\n2",
    "9" * 400,
    "1e999",
    "1/1e999",
    "1e308/1e-308",
    "1" * 50_000 + "x",
]


@pytest.mark.parametrize("text", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
def test_other_numbers_are_refused(text: str):
    with pytest.raises(KernelError, match=r"^“.*(is not a number|divides by zero|is too large a number)\.$"):
        parse_number(text)


HOSTILE = {
    "": "is not a number",
    "~": "is not a number",
    "~~~~~": "is not a number",
    "1__2": "is not a number",
    "1~": "is not a number",
    "1_2~3": "rectangles",
    "1_2~~1_2~3_4~~1_2": "rectangles",
    "1_2~~1_2": "2×1×2",
    "1~~1~~1~~1": "4×1×1",
    "nan": "There is no kernel",
    "1_nan": "“nan” is not a number",
    "-inf": "is not a number",
    "1e999": "too large",
    "1000001": "±1,000,000",
    "1/0": "divides by zero",
    "sobel": "There is no kernel “sobel”",
    "Gaussian": "There is no kernel",
    "__class__~3": "is not a number",
    "gaussian~13": "Size is 3 to 11 px, not 13",
    "gaussian~1e999": "too large",
    "gaussian~5~0": "σ is 0.3 to 5 px, not 0",
    "gaussian~5~nan": "is not a number",
    "gaussian~": "is not a number",
    "gaussian~5~1~1": "takes 2 values, not 3",
    "identity~1": "takes 0 values, not 1",
    "<script>alert(1)</script>": "is not a number",
    "\u202e\x00\x1b[31m": "is not a number",
    "~".join(["_".join("1" * 12)] * 12): "12×12",
    "1_" * 5_000 + "1": "10,001 characters",
    "1" * 1_000_000: "1,000,000 characters",
}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_in_one_short_sentence(text: str):
    with pytest.raises(KernelError, match=HOSTILE[text]) as caught:
        read_kernel(text)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert len(sentence) < 130
    for quoted in re.findall("“(.*?)”", sentence):
        assert len(quoted) <= 40
