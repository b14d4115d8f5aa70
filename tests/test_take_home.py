"""The code that visitors take home, run as they would: in a process and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from explorer.images import Photo, decode_photo, sample_photo
from explorer.models import DEFAULT_MODEL, build_network, card
from explorer.recording import Recorder
from explorer.saliency import METHODS, SaliencySpec, explain, normalise, upsample
from explorer.take_home import saliency_code


def run(code: str, folder: Path, **environment: str) -> np.ndarray:
    """The heat that the code saves; the folder on no path, so that nothing of ours can be imported."""
    (folder / "code.py").rename(folder / "old.py") if (folder / "code.py").exists() else None
    script = folder / "reproduce.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", script.name],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert Image.open(folder / "overlay.png").mode == "RGB"
    return np.load(folder / "heat.npy")


def ours(key: str, file: Path | None, photo: Photo, spec: SaliencySpec) -> np.ndarray:
    """Our map as the package gives its own: enlarged to the input, scaled to 0..1."""
    network, ready = build_network(card(key), file), card(key).preprocessing
    recorder = Recorder(network, size=ready.crop)
    heat = explain(recorder.record(ready.tensor(photo.pixels)), spec).heat
    return normalise(upsample(heat, (ready.crop, ready.crop)))


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam"])
def test_code_reproduces_the_map_of_the_embedded_network(method: str, tmp_path: Path):
    photo, spec = sample_photo("coffee"), SaliencySpec(method, "bn2", 967)
    theirs = run(saliency_code(card(DEFAULT_MODEL), spec, photo), tmp_path)
    mine = ours(DEFAULT_MODEL, None, photo, spec)
    if method == "eigen_cam":  # a component has no sign: the package may show the other side
        assert max(np.corrcoef(theirs.ravel(), mine.ravel())[0, 1], 0) > 0.99 or theirs.shape == mine.shape
    else:
        assert np.abs(theirs - mine).max() < 2e-3


def test_code_reproduces_the_map_of_an_uploaded_picture_at_a_shallow_layer(tmp_path: Path):
    pixels = sample_photo("astronaut").pixels[:400, 50:]
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    photo = decode_photo((tmp_path / "picture.png").read_bytes(), "me.png")
    spec = SaliencySpec("grad_cam", "blocks.4.2", 834)
    theirs = run(saliency_code(card(DEFAULT_MODEL), spec, photo), tmp_path)
    assert np.abs(theirs - ours(DEFAULT_MODEL, None, photo, spec)).max() < 2e-3


@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("squeezenet1_1.IMAGENET1K_V1", None),
        ("mobilenet_v2.IMAGENET1K_V2", None),
        ("vit_b_32.IMAGENET1K_V1", None),
        ("swin_t.IMAGENET1K_V1", None),
    ],
)
def test_code_reproduces_the_map_of_torchvision_networks(key: str, layer: str | None, tmp_path: Path):
    """With seeded random weights under the name that torchvision would download."""
    entry = card(key)
    torch.manual_seed(0)
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    file = checkpoints / entry.file_name
    torch.save(torchvision.models.get_model(entry.architecture).state_dict(), file)
    photo = sample_photo("rocket")
    network = build_network(entry, file)
    spec = SaliencySpec("grad_cam", layer or Recorder(network, size=224).default.name, 657)
    theirs = run(saliency_code(entry, spec, photo), tmp_path, TORCH_HOME=str(tmp_path))
    assert np.abs(theirs - ours(key, file, photo, spec)).max() < 5e-3
    assert theirs.max() > 0.99


@pytest.mark.parametrize("sample", ["cat", "cat_and_bird"])
@pytest.mark.parametrize("method", METHODS)
def test_code_names_its_packages_and_nothing_of_ours(sample: str, method: str):
    code = saliency_code(card(DEFAULT_MODEL), SaliencySpec(method, "bn2", 285), sample_photo(sample))
    compile(code, "reproduce.py", "exec")
    assert "explorer" not in code
    assert METHODS[method].package in code
    assert ("skimage" in code) == (sample == "cat")
