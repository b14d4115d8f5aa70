"""The panels under the instrument: what they print, held to numpy, scipy, OpenCV and torch."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage, signal
from streamlit.testing.v1 import AppTest
from torch.utils.flop_counter import FlopCounterMode

from explorer.convolution import ConvSpec, convolve, pad
from explorer.errors import ImageError
from explorer.figures.framed import FOUND, framed
from explorer.figures.signed import signed_picture
from explorer.images import Photo, sample_photo
from explorer.kernels import KERNELS, Kernel
from explorer.models import DEFAULT_MODEL, load_network
from explorer.ui import cache
from explorer.ui.components.stencil import Laying
from explorer.ui.kernel_panels import bank, find, results
from explorer.ui.kernel_panels.pictures import corner_tile, paint
from explorer.ui.kernel_show import PANELS
from explorer.ui.numbers import readable
from tests.test_pages import choices, visit

CAT = sample_photo("cat")
SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
THREE = "0_1~1_0~~-1_0~0_1~~0.5_0~0_0"


def grey(photo: Photo) -> np.ndarray:
    return np.asarray(Image.fromarray(photo.pixels).convert("L"), np.float64)


def square(side: int) -> Photo:
    """The middle of the cat, by another way than ours."""
    image = Image.fromarray(CAT.pixels)
    left = (CAT.width - CAT.height) // 2
    image = image.crop((left, 0, left + CAT.height, CAT.height))
    return Photo("square", np.asarray(image.resize((side, side), Image.Resampling.LANCZOS)))


def reduced(photo: Photo, side: int) -> Photo:
    """The photo with its longest side so many pixels."""
    height, width = (round(side * length / max(photo.pixels.shape[:2])) for length in photo.pixels.shape[:2])
    image = Image.fromarray(photo.pixels).resize((width, height), Image.Resampling.LANCZOS)
    return Photo("reduced", np.asarray(image))


def told(at: AppTest) -> str:
    """All that a visitor reads, Markdown as it is."""
    return "\n".join(element.value for element in [*at.markdown, *at.caption])


def numbers(pattern: str, text: str) -> list[float]:
    """The numbers that a pattern's groups find."""
    match = re.search(pattern, text)
    assert match, f"{pattern!r} is not in {text!r}"
    return [float(group.replace(",", "").replace("−", "-")) for group in match.groups()]


def tiles(at: AppTest, name: str) -> list[dict[str, Any]]:
    """The tiles that the browser was sent."""
    (found,) = (c for c in at.get("bidi_component") if c.proto.id.endswith(f"-{name}"))
    return json.loads(found.proto.json)["tiles"]


def pictures(at: AppTest) -> list[tuple[str, np.ndarray]]:
    """Words and pixels of each picture of the panel."""
    bodies = "".join(element.proto.body for element in at.get("html"))
    found = re.findall(r'<img src="([^"]+)" alt="([^"]*)"', bodies)
    return [(alt, pixels(source)) for source, alt in found]


def pixels(source: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB"))


# All of them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_opens_with_any_kernel_and_picture(panel: str):
    at = visit("kernels", panel=panel)
    assert at.segmented_control(key="panel control").value == panel
    assert not at.warning
    for size in ((1, 1), (1, 40), (30, 7)):
        at.session_state["own photo"] = Photo("small.png", np.full((*size, 3), 99, np.uint8))
        at.session_state["choice:picture"] = "own"
        for kernel in ("7", "sobel_x", "gabor", "0~0", THREE):
            at.session_state["choice:kernel"] = kernel
            at.run()
            assert not at.exception
            assert not at.error
            assert len(at.warning) <= 1


@pytest.mark.parametrize(
    ("panel", "name", "value"),
    [
        ("about", "panel", "<b>x</b>"),
        ("bank", "bank", "sobel_x!nothing"),
        ("bank", "bank", "!".join(map(str, range(9)))),
        ("bank", "bank", "!"),
        ("bank", "bank", "9" * 20_000),
        ("bank", "scale", "log"),
        ("chain", "step1", "1_2"),
        ("chain", "between", "gelu"),
        ("shift", "right", "65"),
        ("shift", "jump", "0"),
        ("shift", "pooling", "min"),
        ("find", "seek", "all"),
        ("find", "row", "28"),
        ("find", "piece", "12"),
        ("find", "b", "nan"),
        ("home", "library", "matlab"),
    ],
)
def test_nonsense_in_the_link_gets_one_sentence_and_the_usual(panel: str, name: str, value: str):
    at = visit("kernels", **{"panel": panel, name: value})
    assert len(at.warning) == 1
    assert not at.error
    assert name not in choices(at)


def test_a_panel_is_chosen_and_reaches_the_address():
    at = visit("kernels")
    at.segmented_control(key="panel control").select("chain").run()
    assert choices(at) == {"panel": "chain"}
    assert "Linear steps fold into one" in told(at)


# About it --------------------------------------------------------------------------------------------


def test_facts_of_a_gaussian_agree_with_opencv_and_numpy():
    bell = cv2.getGaussianKernel(5, 1.2)
    weights = bell @ bell.T
    at = visit("kernels", kernel="gaussian~5~1.2")
    text = told(at)
    assert numbers(r"\*\*Sum (\S+)\*\*", text) == [1]
    assert numbers(r"\*\*Norm (\S+)\*\*", text) == pytest.approx([np.linalg.norm(weights)], rel=1e-3)
    assert "Separable" in text
    assert [latex.value.strip("$\n") for latex in at.latex] == [KERNELS["gaussian"].formula]
    spectrum = np.abs(np.fft.fft2(weights, (64, 64)))
    rim = [*spectrum[32], *np.delete(spectrum[:, 32], 32)]
    assert numbers(
        r"\*\*Low-pass\*\*: even areas × (\S+), the finest waves × (\S+) on", text
    ) == pytest.approx([spectrum[0, 0], np.mean(rim)], rel=1e-3)


def test_cost_is_half_of_the_operations_that_torch_counts():
    with FlopCounterMode(display=False) as counter:
        F.conv2d(torch.zeros(1, 1, CAT.height, CAT.width), torch.zeros(1, 1, 5, 5), padding=2)
    thin = FlopCounterMode(display=False)
    with thin:
        column = F.conv2d(torch.zeros(1, 1, CAT.height, CAT.width), torch.zeros(1, 1, 5, 1), padding=(2, 0))
        F.conv2d(column, torch.zeros(1, 1, 1, 5), padding=(0, 2))
    totals = [
        float(n.replace(",", ""))
        for n in re.findall(r"([\d,]+) in total", told(visit("kernels", kernel="gaussian")))
    ]
    assert totals == [counter.get_total_flops() / 2, thin.get_total_flops() / 2]


@pytest.mark.parametrize("text", ["sobel_x", "laplacian_8", "gabor~7~45", "1_2_3~4_5_6"])
def test_column_and_row_multiply_to_the_nearest_kernel_of_rank_one(text: str):
    weights = bank.read_bank(text)[text].weights[0]
    left, singular, right = np.linalg.svd(weights)
    shown = told(visit("kernels", kernel=text))
    rank = np.linalg.matrix_rank(weights)
    column, row = (
        np.array([float(n.replace("−", "-")) for n in part.split(", ")])
        for part in re.search(r"Column \(([^)]+)\), row \(([^)]+)\)", shown).groups()
    )
    nearest = singular[0] * np.outer(left[:, 0], right[0])
    assert np.outer(column, row) == pytest.approx(nearest, abs=2e-3 * singular[0])
    if rank == 1:
        assert "Separable" in shown
    else:
        (left_over,) = numbers(r"leaves (\d+) % of the norm", shown)
        assert left_over == pytest.approx(
            100 * np.sqrt((singular[1:] ** 2).sum() / (singular**2).sum()), abs=0.5
        )
        assert numbers(r"\(rank (\d+)\)", shown) == [rank]


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("identity", "All-pass"),
        ("shift~3~-2", "All-pass"),
        ("box~5", "Low-pass"),
        ("motion", "Low-pass"),
        ("laplacian_4", "High-pass"),
        ("outline", "High-pass"),
        ("sobel_y", "Band-pass"),
        ("dog", "Band-pass"),
        ("sharpen", "Lets all through, unevenly"),
        ("0_0~0_0", "Nothing"),
    ],
)
def test_the_kind_of_filter_is_what_textbooks_call_it(kernel: str, kind: str):
    assert f"**{kind}**" in told(visit("kernels", kernel=kernel))


def test_sobels_strongest_wave_is_four_pixels_long_and_multiplied_by_eight():
    # by hand: |2 sin 2πf| · (2 + 2 cos 0), largest at f = 1/4
    assert numbers(r"about (\S+) pixels long pass best, × (\S+)\.", told(visit("kernels"))) == [4, 8]


def test_three_grids_are_told_apart():
    at = visit("kernels", kernel=THREE)
    sums = re.findall(r"\*\*Sum (\S+)\*\*", told(at))
    assert sums == ["2", "0", "0.5"]
    assert [alt.split()[0] for alt, _ in pictures(at) if alt.endswith("weights")] == ["Red", "Green", "Blue"]


# Learned ---------------------------------------------------------------------------------------------


def test_learned_tiles_are_what_torch_makes_of_the_networks_own_layer():
    network = load_network(DEFAULT_MODEL)
    layer = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    middle = square(224)
    picture = torch.tensor(np.moveaxis(middle.pixels, -1, 0), dtype=torch.float64)[None]
    with torch.no_grad():
        expected = F.conv2d(picture, layer.weight.double(), stride=layer.stride, padding=1)[0].numpy()
    sent = tiles(visit("kernels", panel="learned"), "learned tiles")
    assert len(sent) == len(expected) == 32
    for tile, result in zip(sent, expected, strict=True):
        # the first row and column read padding; the kernel covers the corner
        colours = signed_picture(result, np.abs(result[1:, 1:]).max())
        difference = np.abs(pixels(tile["image"])[:70].astype(int) - colours[:70])
        assert difference.max() <= 12, tile["label"]  # one colour's step at most
        assert difference.mean() < 0.1


def test_a_learned_kernel_that_is_taken_is_marked_and_named():
    at = visit("kernels", panel="learned")
    at.session_state["choice:kernel"] = cache.learned()[4].text
    at.run()
    (found,) = (c for c in at.get("bidi_component") if c.proto.id.endswith("-learned tiles"))
    assert json.loads(found.proto.json)["selected"] == "4"
    assert "Learned 4" in told(at)


# Bank ------------------------------------------------------------------------------------------------


def test_feature_maps_reach_what_scipy_finds():
    at = visit("kernels", panel="bank", bank="sobel_x!sharpen!0_0_0~0_0_7~0_0_0")
    picture = grey(square(256))
    kernels = [
        SOBEL,
        np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        np.array([[0, 0, 0], [0, 0, 7], [0, 0, 0]]),
    ]
    for tile, weights in zip(tiles(at, "bank tiles"), kernels, strict=True):
        inside = signal.correlate2d(picture, weights, mode="valid")
        assert numbers(r"±(\S+)", tile["detail"]) == pytest.approx([np.abs(inside).max()], rel=1e-3)


def test_one_scale_for_all_pales_the_weaker_maps():
    own = tiles(visit("kernels", panel="bank", bank="sobel_x!identity"), "bank tiles")
    same = tiles(visit("kernels", panel="bank", bank="sobel_x!identity", scale="one"), "bank tiles")
    result = grey(square(256))
    strongest = np.abs(signal.correlate2d(result, SOBEL, mode="valid")).max()
    assert own[0]["image"] == same[0]["image"]
    expected = signed_picture(result, strongest)[:100]
    assert (pixels(same[1]["image"])[:100] == expected).all()
    assert (pixels(own[1]["image"])[:100] == signed_picture(result, result[1:-1, 1:-1].max())[:100]).all()


def test_kernels_are_added_taken_out_and_put_back():
    at = visit("kernels", panel="bank", kernel="box~5")
    add, usual = at.button[-2:]
    assert add.label == "Add the kernel above"
    assert add.disabled  # eight are enough
    assert usual.disabled
    at.multiselect(key="bank control").unselect("sharpen").run()
    at.button[-2].click().run()
    assert choices(at)["bank"] == bank.USUAL.replace("sharpen!", "") + "!box~5"
    assert tiles(at, "bank tiles")[-1]["label"] == "Box blur (5)"
    assert at.button[-2].disabled
    at.button[-1].click().run()
    assert "bank" not in choices(at)
    assert len(tiles(at, "bank tiles")) == 8


# Chain -----------------------------------------------------------------------------------------------


def chain_oracle(names: list[str], relu: bool) -> tuple[np.ndarray, np.ndarray]:
    """Result of the chain and of the one kernel, by scipy, on the cat at 256 pixels."""
    kernels = [KERNELS[name].kernel().weights[0] for name in names]
    reach = sum(len(kernel) // 2 for kernel in kernels)
    result = picture = np.pad(grey(reduced(CAT, 256)), reach)
    one = np.ones((1, 1))
    for place, kernel in enumerate(kernels):
        result = signal.correlate2d(np.maximum(result, 0) if relu and place else result, kernel, mode="valid")
        one = signal.convolve2d(one, kernel)
    return result, signal.correlate2d(picture, one, mode="valid")


LARGEST = r"largest difference \*\*(\S+)\*\*; the result goes from (\S+) to (\S+)\."


def test_a_chain_with_relu_differs_from_one_kernel_by_what_scipy_finds():
    at = visit("kernels", panel="chain", between="relu", step3="laplacian_4")
    result, single = chain_oracle(["sobel_x", "gaussian", "laplacian_4"], relu=True)
    assert "They do not agree" in told(at)
    inside = result[4:-4, 4:-4]
    wanted = [np.abs(result - single).max(), inside.min(), inside.max()]
    assert numbers(LARGEST, told(at)) == pytest.approx(wanted, rel=1e-3)


def test_a_chain_without_relu_agrees_with_the_one_kernel():
    at = visit("kernels", panel="chain", step3="laplacian_4")
    text = told(at)
    result, _ = chain_oracle(["sobel_x", "gaussian", "laplacian_4"], relu=False)
    assert "**They agree**" in text
    difference, least, most = numbers(LARGEST, text)
    inside = result[4:-4, 4:-4]
    assert (least, most) == pytest.approx((inside.min(), inside.max()), rel=1e-3)
    assert difference < 1e-5 * (most - least)
    # the same figure as under the pictures, border left out in both
    (peak,) = numbers(
        r"Its result</strong><br>up to ±([^<]+)<", "".join(e.proto.body for e in at.get("html"))
    )
    assert peak == pytest.approx(max(-least, most), rel=1e-3)
    assert np.abs(result).max() > 1.05 * peak  # with the border it would be another
    assert "9×9. It takes 81 products a pixel, the chain 3·3 + 5·5 + 3·3 = 43" in text
    (last,) = (image for alt, image in pictures(at) if alt.startswith("The picture after step 3"))
    inside = np.abs(result[4:-4, 4:-4]).max()
    assert np.abs(last.astype(int) - signed_picture(result, inside)).max() <= 12


def test_relu_between_blurs_cuts_nothing_and_the_page_says_so():
    text = told(visit("kernels", panel="chain", between="relu", step1="gaussian"))
    assert "They agree all the same" in text


def test_three_grids_are_chained_as_their_sum():
    at = visit("kernels", panel="chain", kernel=THREE, step1="above", step2="none")
    weights = np.array([[-0.5, 1], [1, 1]])
    small = reduced(CAT, 256)
    inside = signal.correlate2d(grey(small), weights, mode="valid")
    assert numbers(
        r"\. Custom</strong><br>up to ±([^<]+)<", "".join(e.proto.body for e in at.get("html"))
    ) == (pytest.approx([inside.max()], rel=1e-3))


# Shift -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["none", "max", "mean"])
@pytest.mark.parametrize(("right", "down", "jump"), [(25, 10, 1), (25, 10, 2), (-12, 8, 2), (7, -33, 3)])
def test_the_difference_of_a_shift_is_what_torch_finds(pooling: str, right: int, down: int, jump: int):
    at = visit("kernels", panel="shift", right=str(right), down=str(down), jump=str(jump), pooling=pooling)
    step = jump * (1 if pooling == "none" else 2)
    picture = torch.tensor(grey(reduced(CAT, 256)))[None, None]
    picture = picture[..., : picture.shape[2] // step * step, : picture.shape[3] // step * step]

    def response(seen: torch.Tensor) -> torch.Tensor:
        padded = F.pad(seen, (1, 1, 1, 1), mode="circular")
        result = F.conv2d(padded, torch.tensor(SOBEL)[None, None], stride=jump)
        return {
            "none": lambda z: z,
            "max": lambda z: F.max_pool2d(z, 2),
            "mean": lambda z: F.avg_pool2d(z, 2),
        }[pooling](result)

    before = response(torch.roll(picture, (down, right), (2, 3)))
    after = torch.roll(response(picture), (round(down / step), round(right / step)), (2, 3))
    largest = float((before - after).abs().max())
    text = told(at)
    if largest == 0:
        assert "**No difference at all.**" in text
        assert right % step == 0
        assert down % step == 0
    else:
        assert numbers(r"\*\*Largest difference (\S+)\*\*", text) == pytest.approx([largest], rel=1e-3)
        assert f"One step is {step} pixels: this shift is" in text


def test_a_picture_smaller_than_a_step_gets_one_sentence():
    at = visit("kernels", panel="shift", jump="4")
    at.session_state["own photo"] = Photo("small.png", np.full((2, 2, 3), 99, np.uint8))
    at.session_state["choice:picture"] = "own"
    at.run()
    assert [warning.value for warning in at.warning if "smaller than one step" in warning.value]


# Find ------------------------------------------------------------------------------------------------


def test_scores_and_places_are_scipys():
    at = visit("kernels", panel="find", b="-3")
    ink = find.house().astype(np.float64)
    piece = np.where(ink[20:27, 4:11] >= 0.5, 1, -1)
    scores = np.maximum(ndimage.correlate(ink, piece, mode="constant") - 3, 0)
    rows = [
        numbers(r"\| \d \| (\d+) \| (\d+) \| (\S+) \|", line)
        for line in told(at).splitlines()
        if re.match(r"\| \d", line)
    ]
    assert rows[0][:2] == [23, 7]  # where it was cut
    assert rows[0][2] == pytest.approx(scores.max(), rel=1e-3)
    for row, column, score in rows:
        assert score == pytest.approx(scores[int(row), int(column)], rel=1e-3)
        around = scores[max(0, int(row) - 3) : int(row) + 4, max(0, int(column) - 3) : int(column) + 4]
        assert score == pytest.approx(around.max(), rel=1e-3)
    most = (piece > 0).sum() - 3
    assert f"more than {most}:" in told(at)


def test_a_low_bias_finds_nothing_and_says_so():
    assert "Nothing is found" in told(visit("kernels", panel="find", b="-100"))


def test_the_kernel_above_is_looked_for_and_turned_where_asked():
    ink = find.house().astype(np.float64)
    for way, function in (("cross", ndimage.correlate), ("flip", ndimage.convolve)):
        at = visit("kernels", panel="find", seek="above", kernel="kirsch~0", way=way)
        weights = np.array([[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]])
        scores = function(ink, weights, mode="constant")
        first = next(line for line in told(at).splitlines() if line.startswith("| 1 |"))
        row, column, score = numbers(r"\| 1 \| (\d+) \| (\d+) \| (\S+) \|", first)
        assert score == pytest.approx(scores.max(), rel=1e-3)
        assert scores[int(row), int(column)] == pytest.approx(scores.max(), rel=1e-3)


def test_ink_is_one_on_black_and_the_share_of_black_between():
    paper = np.full((56, 56, 3), 255, np.uint8)
    paper[:28] = 0
    paper[28, ::2] = 0
    ink = find.to_ink(Photo("Drawing", paper))
    assert ink.shape == (28, 28)
    assert (ink[:14] == 1).all()
    assert ink[14] == pytest.approx(0.25, abs=0.01)
    assert (ink[15:] == 0).all()


@pytest.mark.parametrize(
    "sent", ["", "no comma", "data:image/png;base64,@@@", "data:image/png;base64,AAAA", 7]
)
def test_what_is_no_drawing_is_refused_with_a_sentence(sent: Any):
    from streamlit_drawable_canvas import CanvasResult

    with pytest.raises(ImageError):
        find.decode_photo(find._sent(CanvasResult(None, sent, True)), "Drawing")


def test_frames_lie_where_the_window_is():
    picture = framed(np.full((28, 28), 255, np.uint8), [(2, 3, 5, 4)])
    teal = np.array([int(FOUND[at : at + 2], 16) for at in (1, 3, 5)])
    rows, columns = np.nonzero((picture == teal).all(axis=-1))
    assert (rows.min(), rows.max() + 1) == (24, 84)
    assert (columns.min(), columns.max() + 1) == (36, 84)


# Take home -------------------------------------------------------------------------------------------


def test_code_of_a_reduced_sample_gives_what_is_on_screen(tmp_path: Path):
    at = visit(
        "kernels", panel="home", picture="coffee", kernel="gabor~7~45", library="scipy", stride="2", bias="9"
    )
    (tmp_path / "reproduce.py").write_text(at.code[0].value, encoding="utf-8")
    subprocess.run([sys.executable, "reproduce.py"], cwd=tmp_path, check=True, timeout=120)
    photo = reduced(sample_photo("coffee"), 512)
    kernel = KERNELS["gabor"].kernel(7, 45)
    shown = results.lay(photo, kernel, Laying(ConvSpec(7, 2, "same"), bias=9))
    assert max(photo.width, photo.height) == 512
    assert np.load(tmp_path / "result.npy") == pytest.approx(shown, abs=2e-3)


def test_what_can_be_taken_home_depends_on_the_picture():
    at = visit("kernels", panel="home")
    assert [b.proto.label for b in at.get("download_button")] == [
        "Code as .py",
        "Result as PNG",
        "Result as .npy",
    ]
    at.session_state["own photo"] = Photo("mine.png", CAT.pixels[::-1])
    at.session_state["choice:picture"] = "own"
    at.run()
    assert "Picture as PNG" in [b.proto.label for b in at.get("download_button")]
    assert 'Image.open("picture.png")' in at.code[0].value


# Shared ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec", [ConvSpec(3, padding="same"), ConvSpec(5, 2, 4, 2, "circular"), ConvSpec((1, 4), 3, 0)]
)
def test_the_inner_peak_reads_no_padding(spec: ConvSpec):
    """Laid on ones, windows of ones sum to less wherever they read a zero of the padding."""
    noise = np.random.default_rng(0).normal(size=(1, 20, 23))
    zeros = ConvSpec(spec.kernel_size, spec.stride, spec.padding, spec.dilation)
    ones = torch.ones(1, 1, *spec.kernel_size, dtype=torch.float64)
    padded = torch.tensor(pad(np.ones((1, 20, 23)), zeros))[None]
    whole = (
        F.conv2d(padded, ones, stride=spec.stride, dilation=spec.dilation)[0, 0].numpy() == ones.sum().item()
    )
    result = convolve(noise.astype(np.float32), ones[0].numpy(), spec)
    assert results.inner_peak(result, spec, (20, 23)) == np.abs(result[whole]).max()


def test_a_picture_all_padding_is_scaled_by_its_strongest():
    assert results.inner_peak(np.array([[-5.0]], np.float32), ConvSpec(3, padding="same"), (1, 1)) == 5


def test_as_a_photo_values_are_clipped_and_exact():
    image = Image.open(BytesIO(paint(np.array([[-4.0, 100.4, 300.0]], np.float32), "photo")))
    assert np.asarray(image).tolist() == [[0, 100, 255]]


def test_a_tile_too_small_for_its_kernel_shows_the_result_alone():
    tile = corner_tile(np.array([[1.0]], np.float32), Kernel("x", np.ones((3, 3))), "photo")
    assert tile.tolist() == [[[1, 1, 1]]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (12.0, "12"),
        (999.94, "999.9"),
        (-2048.4, "−2,048"),
        (0.05, "0.05"),
        (3e-7, "3e−07"),
    ],
)
def test_numbers_are_fit_to_be_read(value: float, text: str):
    assert readable(value) == text
