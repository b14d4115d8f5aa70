"""The code for a kernel's result, run as visitors would: in a process and folders of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.convolution import ACTIVATIONS, PADDING_MODES, ConvSpec, convolve
from explorer.errors import ExplorerError, ShapeError
from explorer.images import Photo, sample_photo
from explorer.kernel_code import LIBRARIES, KernelTask, kernel_code
from explorer.kernels import Kernel
from explorer.take_home import PICTURE, needs_picture

SHARPEN = Kernel("Sharpen", np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]))
CAT = sample_photo("cat")
WORTH_READING = KernelTask(CAT, (CAT.width, CAT.height), "grey", SHARPEN, ConvSpec(3, padding="same"))

# runs each folder's script by its name, with nothing of ours on the path
RUN_ALL = """
import os, runpy, sys
for folder in sys.argv[1:]:
    os.chdir(folder)
    runpy.run_path("reproduce.py")
"""


def random_task(seed: int) -> KernelTask:
    """Modes, paddings, colours and activations in turn; everything else at random."""
    rng = np.random.default_rng(seed)
    photo = sample_photo(["cat", "rocket", "camera", "coffee", "bird"][seed % 5])
    size = (photo.width, photo.height) if seed % 3 == 0 else tuple(rng.integers(70, 200, 2).tolist())
    colour = ("grey", "rgb", "rgb")[seed // 2 % 3]
    sides = tuple(rng.integers(1, 12, 2).tolist())
    weights = rng.normal(size=(3 if seed // 2 % 3 == 2 else 1, *sides))
    spec = ConvSpec(
        sides,
        stride=tuple(rng.choice([1, 1, 2, 3], 2).tolist()),
        padding="same" if seed // 4 % 2 else tuple(rng.integers(0, 7, 2).tolist()),
        dilation=tuple(rng.choice([1, 1, 2], 2).tolist()),
        padding_mode=PADDING_MODES[seed % 4],
    )
    return KernelTask(
        photo,
        size,
        colour,
        Kernel("Custom", weights),
        spec,
        bias=float(rng.choice([0, 12.5, -3])),
        activation=list(ACTIVATIONS)[seed % 5],
        flip=bool(rng.integers(2)),
    )


TASKS = {
    "sharpen": WORTH_READING,
    "valid": replace(WORTH_READING, spec=ConvSpec(3)),
    "box": replace(
        WORTH_READING, kernel=Kernel("Box blur", np.full((5, 5), 1 / 25)), spec=ConvSpec(5, padding=2)
    ),
    "even": replace(WORTH_READING, kernel=Kernel("Even", np.arange(8).reshape(2, 4)), spec=ConvSpec((2, 4))),
    "one weight": replace(WORTH_READING, kernel=Kernel("Identity", np.ones((1, 1))), spec=ConvSpec(1)),
    "one pixel": KernelTask(
        Photo("dot", np.full((1, 1, 3), (9, 200, 77), np.uint8)),
        (1, 1),
        "rgb",
        SHARPEN,
        ConvSpec(3, padding="same", padding_mode="circular"),
    ),
} | {str(seed): random_task(seed) for seed in range(40)}


def expected(task: KernelTask) -> np.ndarray:
    """Our result for the picture as Pillow reduces it."""
    picture = Image.fromarray(task.photo.pixels)
    if picture.size != task.size:
        picture = picture.resize(task.size, Image.Resampling.LANCZOS)
    planes = np.moveaxis(np.atleast_3d(picture.convert("L") if task.colour == "grey" else picture), -1, 0)
    weights = task.kernel.weights[:, ::-1, ::-1] if task.flip else task.kernel.weights
    return convolve(planes.astype(np.float32), weights, task.spec, task.bias, task.activation)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_script_reproduces_our_result_and_says_nothing(library: str, tmp_path: Path):
    for name, task in TASKS.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "reproduce.py").write_text(kernel_code(library, task), encoding="utf-8")
        if needs_picture(task.photo):
            Image.fromarray(task.photo.pixels).save(folder / PICTURE)
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN_ALL, *(str(tmp_path / name) for name in TASKS)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name, task in TASKS.items():
        theirs, ours = np.load(tmp_path / name / "result.npy"), expected(task)
        assert theirs.dtype == np.float32
        assert theirs.shape == ours.shape, name
        scale = max(np.ptp(ours), 1)
        assert np.abs(theirs - ours).max() < 1e-4 * scale, (name, np.abs(theirs - ours).max(), scale)
        with Image.open(tmp_path / name / "result.png") as saved:
            assert saved.mode == "L"
            # a value on a half may be rounded either way
            assert np.abs(np.asarray(saved) - ours.clip(0, 255)).max() <= 0.5 + 1e-4 * scale


def test_the_tasks_cover_every_choice():
    tasks = TASKS.values()
    for mode in PADDING_MODES:
        for same in (True, False):
            assert any(t.spec.padding_mode == mode and (t.spec.padding == "same") == same for t in tasks)
    chosen = {(t.colour, t.kernel.channels, t.flip) for t in tasks}
    assert chosen == {
        (*kind, flip) for kind in [("grey", 1), ("rgb", 1), ("rgb", 3)] for flip in (True, False)
    }
    assert {t.activation for t in tasks} == set(ACTIVATIONS)
    assert any(t.spec.dilation != (1, 1) and t.kernel.channels == 3 for t in tasks)


@pytest.mark.parametrize("library", LIBRARIES)
def test_code_has_no_line_without_need(library: str):
    code = kernel_code(library, WORTH_READING)
    for needless in ("bias", "stride", "dilation", "flip", "resize", "RGB", "relu", PICTURE, "explorer"):
        assert needless not in code
    assert len(code.splitlines()) <= 28
    assert "    [ 0., -1.,  0.],\n    [-1.,  5., -1.],\n    [ 0., -1.,  0.],\n" in code


@pytest.mark.parametrize("library", LIBRARIES)
def test_code_names_what_to_install(library: str):
    here = kernel_code(library, WORTH_READING)
    own = kernel_code(library, replace(WORTH_READING, photo=Photo("own", CAT.pixels)))
    assert "\npip install numpy pillow " in here
    assert all(package in here for package in LIBRARIES[library].packages)
    assert ("scikit-image" in here, "scikit-image" in own) == (True, False)
    assert f'Image.open("{PICTURE}").convert("L")' in own


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_lines_fit_a_page(library: str, task: KernelTask):
    lines = [line for line in kernel_code(library, task).splitlines() if not line.lstrip().startswith("[")]
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    ("weights", "written"),
    [
        (np.full((1, 2), 1 / 9), "    [1., 1.],\n]) / 9\n"),
        (np.array([[1, 2, 1]]) / 16, "    [0.0625,  0.125, 0.0625],\n])\n"),
        (np.array([[0.1, -0.0, 1e-10]]), "    [  0.1,    0., 1e-10],\n])\n"),
        (np.array([[1 / 3, -1 / 7]]), "    [ 7., -3.],\n]) / 21\n"),
        (np.array([[np.pi, 1e6]]), "    [3.141592654,    1000000.],\n])\n"),
    ],
)
def test_weights_are_written_short_and_exact(weights: np.ndarray, written: str):
    task = replace(WORTH_READING, kernel=Kernel("Custom", weights), spec=ConvSpec(weights.shape))
    assert written in kernel_code("scipy", task)


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        ({"spec": ConvSpec(5)}, ShapeError, "3×3 .* kernel size of 5×5"),
        ({"kernel": Kernel("Three", np.ones((3, 3, 3)))}, ShapeError, "3 grids"),
        ({"size": (451, 2), "spec": ConvSpec(3)}, ShapeError, "3 rows"),
        ({"activation": "softmax"}, ExplorerError, "softmax"),
    ],
)
def test_a_task_that_cannot_be_done_is_refused(
    change: dict[str, Any], error: type[ExplorerError], named: str
):
    with pytest.raises(error, match=named):
        replace(WORTH_READING, **change)


def test_an_unknown_library_is_named():
    with pytest.raises(ExplorerError, match="matlab"):
        kernel_code("matlab", WORTH_READING)
