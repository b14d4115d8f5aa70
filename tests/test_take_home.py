"""The code that visitors take home, run as they would: in a process and a folder of its own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from skimage import data

from explorer.images import decode_photo, sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, build_network, card, load_network
from explorer.networks.source import Source, of_parts, write_source
from explorer.networks.spec import NetworkSpec, part
from explorer.recording import Recorder
from explorer.saliency import METHODS, SaliencySpec, explain, explain_all, normalise, upsample
from explorer.take_home import LOADERS, PICTURE, needs_picture, saliency_code


def run(code: str, folder: Path, **environment: str) -> np.ndarray:
    """The heat that the code saves; the folder on no path, so that nothing of ours can be imported."""
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
    with Image.open(folder / "overlay.png") as overlay:
        assert overlay.mode == "RGB"
    return np.load(folder / "heat.npy")


def ours(fed: NetworkInput, file: Path | None, spec: SaliencySpec) -> np.ndarray:
    """Our map as the package gives its own: stretched to 0..1, enlarged to the input, stretched again."""
    side = fed.card.preprocessing.crop
    recorder = Recorder(build_network(fed.card, file), size=side)
    heat = explain(recorder.record(fed.tensor()), spec).heat
    enlarged = upsample(normalise(heat - heat.min()), (side, side))
    return normalise(enlarged - enlarged.min())


def strongest(network: torch.nn.Module, x: torch.Tensor) -> SaliencySpec:
    """Grad-CAM of the one of twenty classes with the most evidence: an untrained network has none for many."""
    recorder = Recorder(network)
    tape = recorder.record(x)
    specs = [SaliencySpec("grad_cam", recorder.default.name, index) for index in range(20)]
    recorder.close()
    return max(explain_all(tape, specs), key=lambda found: found.peak).spec


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "layer_cam", "xgrad_cam"])
def test_code_reproduces_the_map_of_the_embedded_network(method: str, tmp_path: Path):
    fed, spec = NetworkInput(card(DEFAULT_MODEL), sample_photo("coffee")), SaliencySpec(method, "bn2", 967)
    theirs = run(saliency_code(fed, spec), tmp_path)
    assert np.abs(theirs - ours(fed, None, spec)).max() < 1e-4


def test_code_reproduces_the_map_of_an_uploaded_picture_at_a_shallow_layer(tmp_path: Path):
    pixels = sample_photo("astronaut").pixels[:400, 50:]
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    photo = decode_photo((tmp_path / "picture.png").read_bytes(), "me.png")
    spec = SaliencySpec("grad_cam", "blocks.4.2", 834)
    fed = NetworkInput(card(DEFAULT_MODEL), photo)
    theirs = run(saliency_code(fed, spec), tmp_path)
    assert np.abs(theirs - ours(fed, None, spec)).max() < 1e-4


def test_code_feeds_the_whole_picture_where_the_page_does(tmp_path: Path):
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("coffee"), whole=True)
    spec = SaliencySpec("grad_cam", "bn2", 967)
    theirs = run(saliency_code(fed, spec), tmp_path)
    assert np.abs(theirs - ours(fed, None, spec)).max() < 1e-4
    middle = ours(NetworkInput(fed.card, fed.photo), None, spec)
    assert np.abs(theirs - middle).max() > 0.1


@pytest.mark.parametrize(
    "key",
    [
        "squeezenet1_1.IMAGENET1K_V1",
        "mobilenet_v2.IMAGENET1K_V2",
        "vit_b_32.IMAGENET1K_V1",
        "swin_t.IMAGENET1K_V1",
    ],
)
def test_code_reproduces_the_map_of_torchvision_networks(key: str, tmp_path: Path):
    """With seeded random weights under the name that torchvision would download."""
    entry = card(key)
    torch.manual_seed(0)
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    file = checkpoints / entry.file_name
    state = torchvision.models.get_model(entry.architecture).state_dict()
    # an untrained network's gradients are so faint that the 1e-7 in the package's denominators would show;
    # a ViT's head even begins as zeros
    last = [name for name, value in state.items() if value.dim() > 1][-1]
    state[last] = 100 * torch.randn_like(state[last])
    torch.save(state, file)
    photo = sample_photo("rocket")
    Image.fromarray(photo.pixels).save(tmp_path / PICTURE)
    network = build_network(entry, file)
    fed = NetworkInput(entry, photo, whole=key.startswith("squeezenet"))
    spec = strongest(network, fed.tensor())
    theirs = run(saliency_code(fed, spec), tmp_path, TORCH_HOME=str(tmp_path))
    assert np.abs(theirs - ours(fed, file, spec)).max() < 1e-3
    assert theirs.max() > 0.99


@pytest.mark.parametrize("sample", LOADERS)
def test_samples_that_the_code_loads_are_those_pictures_to_the_pixel(sample: str):
    theirs = getattr(data, LOADERS[sample])()
    colours = theirs if theirs.ndim == 3 else np.stack([theirs] * 3, -1)
    assert (sample_photo(sample).pixels == colours).all()
    assert not needs_picture(sample_photo(sample))


@pytest.mark.parametrize("sample", ["cat", "cat_and_bird"])
@pytest.mark.parametrize("method", METHODS)
def test_code_names_its_packages_and_nothing_of_ours(sample: str, method: str):
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo(sample))
    code = saliency_code(fed, SaliencySpec(method, "bn2", 285))
    compile(code, "reproduce.py", "exec")
    assert "explorer" not in code
    assert METHODS[method].package in code
    assert ("skimage" in code) == (sample == "cat")


OWN = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.data = nn.Conv2d(1, 6, 5)
        nn.init.kaiming_normal_(self.data.weight)
        self.last = nn.LazyLinear(10)

    def forward(self, x):
        return self.last(torch.flatten(F.relu(self.data(x)), 1))

data = transforms = Image = 1  # names that the code around it needs
"""


@pytest.mark.parametrize(
    ("key", "sample", "whole"),
    [
        ("random~classic~lenet5", "coffee", False),
        ("random~classic~resnet18@3x96x96", "rocket", True),
        ("random~model~efficientnet_lite0", "astronaut", False),
        (f"random~{write_source(Source('code', OWN))}@1x28x28", "coffee", False),
    ],
)
def test_code_reproduces_the_map_of_a_network_with_random_weights(
    key: str, sample: str, whole: bool, tmp_path: Path
):
    photo = sample_photo(sample)
    Image.fromarray(photo.pixels).save(tmp_path / PICTURE)
    fed = NetworkInput(card(key), photo, whole)
    side = fed.card.preprocessing.crop
    recorder = Recorder(load_network(key), size=side)
    specs = [SaliencySpec("grad_cam", recorder.default.name, index) for index in range(10)]
    found = max(explain_all(recorder.record(fed.tensor()), specs), key=lambda each: each.peak)
    enlarged = upsample(normalise(found.heat - found.heat.min()), (side, side))
    theirs = run(saliency_code(fed, found.spec), tmp_path)
    assert theirs.max() == 1
    assert np.abs(theirs - normalise(enlarged - enlarged.min())).max() < 1e-4


SPITEFUL = 'x"], print("out")  #'
LAYER = f"""\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict({{{SPITEFUL!r}: nn.Conv2d(1, 4, 3)}})

    def forward(self, x):
        return self.parts[{SPITEFUL!r}](x).mean((2, 3))
"""
TITLE = NetworkSpec(
    '"""; raise SystemExit(3); """\\',
    (1, 28, 28),
    (part("conv", out_channels=4), part("global_average_pool"), part("flatten")),
)


@pytest.mark.parametrize(
    ("source", "layer"), [(Source("code", LAYER), f"parts.{SPITEFUL}"), (of_parts(TITLE), "conv1")]
)
def test_names_of_networks_and_layers_stay_texts_in_the_code(source: Source, layer: str):
    """A link's network may be called anything."""
    fed = NetworkInput(card(f"random~{write_source(source)}@1x28x28"), sample_photo("coffee"))
    tree = ast.parse(saliency_code(fed, SaliencySpec("grad_cam", layer, 2)))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "print"]
    (asked,) = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get_submodule"
    ]
    assert asked == layer
