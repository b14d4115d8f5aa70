"""The code that makes a layer's maps again, run as a visitor would, against a plain forward of ours."""

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

from explorer.activations import Layer, Probe
from explorer.feature_code import MAP, MAPS, feature_code
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, build_network, card, load_network
from explorer.recording import Recorder


def run(code: str, folder: Path, **environment: str) -> np.ndarray:
    """The maps that the code saves; the folder on no path, so that nothing of ours can be imported."""
    (folder / "maps.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "maps.py"],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / MAPS)


def agree(theirs: np.ndarray, ours: np.ndarray) -> None:
    assert theirs.shape == ours.shape
    assert np.abs(theirs - ours).max() <= 1e-4 * np.abs(ours).max()
    assert np.abs(ours).max() > 0


def test_maps_of_the_embedded_network_and_one_of_them_as_a_picture(tmp_path: Path):
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("cat"), whole=True)
    probe = Probe(Recorder(load_network(DEFAULT_MODEL)))
    maps = probe.feature_maps(fed.tensor(), "blocks.1.1")
    agree(run(feature_code(fed, maps.layer, 7), tmp_path), maps.values)
    with Image.open(tmp_path / MAP) as picture:
        drawn = np.asarray(picture.convert("RGB")).astype(int)
    assert drawn.shape == (56, 56, 3)
    values = maps.values[7]
    strong = np.abs(values) > np.abs(values).max() / 4
    assert ((drawn[..., 0] > drawn[..., 2]) == (values > 0))[strong].all()  # red above zero, blue below


@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("resnet18.IMAGENET1K_V1", "layer2.0.relu~2"),
        ("vit_b_32.IMAGENET1K_V1", "encoder.layers.encoder_layer_3.self_attention@heads"),
        ("vit_b_32.IMAGENET1K_V1", "encoder.layers.encoder_layer_5.ln_1"),
        ("swin_t.IMAGENET1K_V1", "features.3.1.mlp.0"),
        ("squeezenet1_1.IMAGENET1K_V1", "features.6.expand3x3_activation"),
    ],
)
def test_maps_of_torchvision_networks(key: str, layer: str, tmp_path: Path):
    """With seeded random weights under the name that torchvision would download."""
    entry = card(key)
    torch.manual_seed(0)
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(torchvision.models.get_model(entry.architecture).state_dict(), checkpoints / entry.file_name)
    fed = NetworkInput(entry, sample_photo("coffee"))
    probe = Probe(Recorder(build_network(entry, checkpoints / entry.file_name)))
    maps = probe.feature_maps(fed.tensor(), layer)
    agree(run(feature_code(fed, maps.layer, 0), tmp_path, TORCH_HOME=str(tmp_path)), maps.values)


def test_maps_of_a_dense_layer_without_trained_weights(tmp_path: Path):
    fed = NetworkInput(card("random~classic~lenet5"), sample_photo("coins"))
    Image.fromarray(fed.photo.pixels).save(tmp_path / "picture.png")
    probe = Probe(
        Recorder(load_network(fed.card.key), fed.card.preprocessing.crop), fed.card.preprocessing.crop
    )
    dense = next(layer for layer in probe.layers if layer.layout == "vector")
    maps = probe.feature_maps(fed.tensor(), dense.key)
    agree(run(feature_code(fed, dense, 2), tmp_path), maps.values)


@pytest.mark.parametrize("layout", ["maps", "channels last", "tokens", "vector", "heads"])
def test_code_can_be_read_and_names_nothing_of_ours(layout):
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("cat_and_bird"))
    code = feature_code(fed, Layer('odd "name"\\', 2, 2, "X", 5, (7, 7), layout), 4)
    compile(code, "maps.py", "exec")
    assert "explorer" not in code
    assert "found[1]" in code
    assert "picture.png" in code
