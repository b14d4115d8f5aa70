"""The code that finds pictures again, run as a visitor would, against the searches of the app."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from explorer.activations import Probe
from explorer.images import sample_photo
from explorer.inversion import Inversion, Settings, invert
from explorer.inversion_code import inversion_code
from explorer.models import DEFAULT_MODEL, NetworkInput, build_network, card, load_network
from explorer.recording import Recorder
from explorer.search_code import FOUND
from explorer.visualisation import Settings as Sought
from explorer.visualisation import Unit, Visualisation
from explorer.visualisation_code import visualisation_code


def ours(fed: NetworkInput, probe: Probe, layers: list[str], settings: Settings) -> Inversion:
    """The app's search; the clock stands still."""
    steps = invert(probe, fed.photo.pixels, fed.preprocessing, layers, settings, clock=lambda: 0.0)
    *_, found = steps
    return found


def theirs(code: str, folder: Path, **environment: str) -> tuple[np.ndarray, str]:
    """What the script saves and prints; the folder on no path, so that nothing of ours can be imported."""
    (folder / "find.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "find.py"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(folder / FOUND) as picture:
        return np.asarray(picture), done.stdout


def random_weights(key: str, folder: Path) -> Probe:
    """Of torchvision's network, seeded, under the name that torchvision would download."""
    entry = card(key)
    torch.manual_seed(0)
    checkpoints = folder / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(torchvision.models.get_model(entry.architecture).state_dict(), checkpoints / entry.file_name)
    return Probe(Recorder(build_network(entry, checkpoints / entry.file_name)))


def agree(found: Inversion, sheet: np.ndarray, printed: str) -> None:
    """Every pixel: whatever differs, if by rounding alone, Adam and ReLUs make visible within a few iterations."""
    original, *pictures = np.split(sheet, 1 + len(found.parts), axis=1)
    assert np.array_equal(original, found.original)
    likeness = [float(number) for number in re.findall(r": ([\d.]+) dB", printed)]
    for part, picture, said in zip(found.parts, pictures, likeness, strict=True):
        assert np.array_equal(picture, part.pixels)
        assert said == pytest.approx(peak_signal_noise_ratio(original, picture, data_range=255), abs=0.051)


@pytest.mark.parametrize(("whole", "side", "seed"), [(False, 64, 3), (True, 128, 0)])
def test_pictures_of_the_embedded_network(whole: bool, side: int, seed: int, tmp_path: Path) -> None:
    """Early, middle and deep have other rates, priors, shifts, and ways to be unlike."""
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("cat"), whole)
    probe = Probe(Recorder(load_network(DEFAULT_MODEL)))
    found = ours(fed, probe, ["blocks.0.0", "blocks.2.1", "bn2"], Settings(side, 24, seed))
    assert found.parts[0].psnr > found.parts[2].psnr + 2
    agree(found, *theirs(inversion_code(fed, found), tmp_path))


@pytest.mark.parametrize(
    ("key", "layers", "side"),
    [
        ("resnet18.IMAGENET1K_V1", ["relu", "layer2.0.relu~2"], 96),
        ("vit_b_32.IMAGENET1K_V1", ["conv_proj", "encoder.layers.encoder_layer_1.ln_1"], 224),
        ("vit_b_32.IMAGENET1K_V1", ["encoder.layers.encoder_layer_1.self_attention@heads"], 224),
        ("swin_t.IMAGENET1K_V1", ["features.3.0"], 224),
    ],
)
def test_pictures_of_torchvision_networks(key: str, layers: list[str], side: int, tmp_path: Path) -> None:
    fed, probe = NetworkInput(card(key), sample_photo("coffee"), side == 96), random_weights(key, tmp_path)
    found = ours(fed, probe, layers, Settings(side, 5))
    agree(found, *theirs(inversion_code(fed, found), tmp_path, TORCH_HOME=str(tmp_path)))


def test_what_excites_an_attentions_head(tmp_path: Path) -> None:
    key, target = "vit_b_32.IMAGENET1K_V1", Unit("encoder.layers.encoder_layer_1.self_attention@heads", 3)
    fed, probe = NetworkInput(card(key), sample_photo("cat")), random_weights(key, tmp_path)
    settings = Sought(224, robustness="jitter")
    *_, found = Visualisation(target, fed.preprocessing, settings).run(probe, 3, clock=lambda: 0.0)
    code = visualisation_code(fed, probe.layer(target.layer), target, settings, 3)
    picture, printed = theirs(code, tmp_path, TORCH_HOME=str(tmp_path))
    assert np.array_equal(picture, found.pixels)
    assert float(printed) == pytest.approx(found.value, rel=1e-6)
    assert found.value != found.start


def test_grey_pictures_from_a_dense_layer_of_a_network_without_trained_weights(tmp_path: Path) -> None:
    fed = NetworkInput(card("random~classic~lenet5"), sample_photo("cat_and_bird"))
    Image.fromarray(fed.photo.pixels).save(tmp_path / "picture.png")
    size = fed.card.preprocessing.crop
    probe = Probe(Recorder(load_network(fed.card.key), size), size)
    dense = next(layer.key for layer in probe.layers if layer.layout == "vector")
    found = ours(fed, probe, [probe.layers[0].key, dense], Settings(size, 24))
    agree(found, *theirs(inversion_code(fed, found), tmp_path))


def test_a_search_that_was_cancelled_is_found_as_far_as_it_came(tmp_path: Path) -> None:
    """The rate falls over all iterations that were meant, not over those that were made."""
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("coffee"))
    probe = Probe(Recorder(load_network(DEFAULT_MODEL)))
    steps = invert(probe, fed.photo.pixels, fed.preprocessing, ["blocks.1.1"], Settings(64, 24), lambda: 0.0)
    found = next(step for step in steps if step.parts[0].done == 16)
    agree(found, *theirs(inversion_code(fed, found), tmp_path))
