"""Maps of evidence agree with pytorch-grad-cam, and say honestly what they do not show."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import densenet

from explorer.errors import ClassError, LayerError, ModelError
from explorer.recording import Recorder, Tape, default_stage, find_stages
from explorer.references import PAPERS
from explorer.saliency import METHODS, SaliencySpec, cam, explain, explain_all, normalise, upsample
from tests.zoo import embedded, package_maps, pictures, seeded

ARCHITECTURES = {
    "alexnet": 128,
    "convnext_tiny": 96,
    "densenet121": 96,
    "efficientnet_b0": 96,
    "googlenet": 96,
    "inception_v3": 128,
    "maxvit_small": 224,
    "mnasnet0_5": 96,
    "mobilenet_v2": 96,
    "mobilenet_v3_small": 96,
    "regnet_y_400mf": 96,
    "resnet18": 96,
    "shufflenet_v2_x0_5": 96,
    "squeezenet1_1": 96,
    "swin_t": 96,
    "swin_v2_t": 96,
    "vgg11": 64,
    "vit_b_32": 224,
}
"""One of each family that torchvision has, and the side in pixels of the pictures it is shown."""


def raw_map(tape: Tape, method: str, layer: str, index: int) -> np.ndarray:
    """A method's map before ReLU, from the tape's activations and gradients."""
    activation, (gradient,) = tape.activation(layer)[0], tape.gradients([index], [layer])
    return METHODS[method].function(activation, gradient[0, 0]).cpu().numpy()


def assert_same_map(tape: Tape, spec: SaliencySpec, wanted: np.ndarray):
    """Equal to 3e-6 of what is summed up, so to less than the 1e-5 that is promised."""
    activation, (gradient,) = tape.activation(spec.layer)[0], tape.gradients([spec.class_index], [spec.layer])
    summed = float((gradient[0, 0].abs() * activation.abs()).sum(0).max())
    tolerance = min(3e-6 * max(summed, float(np.abs(wanted).max())), 1e-5)
    assert np.abs(wanted).max() > 10 * tolerance, "an empty map agrees with anything"
    assert np.abs(raw_map(tape, spec.method, spec.layer, spec.class_index) - wanted).max() <= tolerance
    found = explain(tape, spec)
    assert np.abs(found.heat - np.maximum(wanted, 0)).max() <= tolerance
    assert found.raw_range == pytest.approx((wanted.min(), wanted.max()), abs=tolerance)


def assert_close(got: np.ndarray, wanted: np.ndarray):
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    assert wanted.any()


# ------------------------------------------------------------------------------- agreement with the package


@pytest.fixture
def densenet_not_in_place(monkeypatch: pytest.MonkeyPatch):
    """The package keeps the very tensor that DenseNet's last ReLU overwrites, and so draws another map."""
    functional = SimpleNamespace(**vars(nn.functional))
    functional.relu = lambda maps, inplace: torch.relu(maps)
    monkeypatch.setattr(densenet, "F", functional)


@pytest.mark.usefixtures("densenet_not_in_place")
@pytest.mark.parametrize(("name", "size"), [("embedded", 224), *ARCHITECTURES.items()])
def test_grad_cam_agrees_with_the_package_before_normalisation(name: str, size: int):
    network = embedded() if name == "embedded" else seeded(name)
    layer = default_stage(find_stages(network, size)).name
    x, classes = pictures(4, size), [281, 7, 999, 0]
    wanted = package_maps("GradCAM", network, layer, x, classes)
    alone = package_maps("GradCAM", network, layer, x[:1], classes[:1])
    recorder = Recorder(network, size)
    batch = recorder.record(x, [layer])
    for row, index in enumerate(classes):
        assert_same_map(batch.image(row), SaliencySpec("grad_cam", layer, index), wanted[row])
    assert_same_map(recorder.record(x[:1], [layer]), SaliencySpec("grad_cam", layer, 281), alone[0])


@pytest.mark.gpu
@pytest.mark.usefixtures("densenet_not_in_place")
@pytest.mark.parametrize(("name", "size"), [("embedded", 224), *ARCHITECTURES.items()])
def test_grad_cam_on_a_gpu_agrees_with_the_package_there(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
):
    # TF32 rounds products to 10 bits, each layout of memory in its own way: far more than is promised
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    network = (embedded() if name == "embedded" else seeded(name)).to("cuda")
    layer = default_stage(find_stages(network, size)).name
    x, classes = pictures(4, size).to("cuda"), [281, 7, 999, 0]
    wanted = package_maps("GradCAM", network, layer, x, classes)
    alone = package_maps("GradCAM", network, layer, x[:1], classes[:1])
    recorder = Recorder(network, size)
    batch = recorder.record(x, [layer])
    assert batch.logits.device.type == "cuda"
    for row, index in enumerate(classes):
        assert_same_map(batch.image(row), SaliencySpec("grad_cam", layer, index), wanted[row])
    assert_same_map(recorder.record(x[:1], [layer]), SaliencySpec("grad_cam", layer, 281), alone[0])


def test_a_map_that_densenet_overwrites_is_drawn_from_what_it_was():
    network, layer = seeded("densenet121"), "features.norm5"
    x = pictures(1, 96)
    package = package_maps("GradCAM", network, layer, x, [281])[0]
    tape = Recorder(network, 96).record(x, [layer])
    activation, (gradient,) = tape.activation(layer)[0], tape.gradients([281], [layer])
    assert activation.min() < 0
    assert_close(cam.grad_cam(activation.relu(), gradient[0, 0]).numpy(), package)  # the package's


@pytest.mark.parametrize("layer", ["blocks.2.1", "blocks.4.2", "bn2"])
@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "layer_cam", "xgrad_cam"])
def test_methods_agree_with_the_package_at_every_depth(method: str, layer: str):
    network, x = embedded(), pictures(2, 96)
    wanted = package_maps(METHODS[method].package, network, layer, x, [281, 162])
    tape = Recorder(network, 96).record(x, [layer])
    for row, index in enumerate([281, 162]):
        assert_same_map(tape.image(row), SaliencySpec(method, layer, index), wanted[row])


def test_eigen_cam_agrees_with_the_package_up_to_its_sign():
    network, x = embedded(), pictures(1)
    for layer in ("blocks.1.1", "bn2"):  # more places than channels, and fewer
        wanted = package_maps("EigenCAM", network, layer, x, [0])[0]
        found = raw_map(Recorder(network).record(x), "eigen_cam", layer, 0)
        sign = np.sign((found * wanted).sum())
        assert_close(found, sign * wanted)
        assert found.max() >= -found.min()


def test_grad_cam_plus_plus_is_the_papers_formula_in_exact_arithmetic():
    torch.manual_seed(0)
    activation = torch.rand(6, 5, 5)
    gradient = torch.randn(6, 5, 5) * 1e-6  # where the package's 1e-6 in the denominator drowns it
    A, G = activation.double(), gradient.double()
    alpha = G**2 / (2 * G**2 + A.sum((1, 2), keepdim=True) * G**3)
    wanted = ((alpha * G.relu()).sum((1, 2))[:, None, None] * A).sum(0)
    assert_close(cam.grad_cam_plus_plus(activation, gradient).numpy(), wanted.numpy())


def test_grad_cam_plus_plus_agrees_with_the_package_where_gradients_are_large():
    network, x = embedded(), pictures(1)
    with torch.no_grad():
        network.classifier.weight *= 1e4
    wanted = package_maps("GradCAMPlusPlus", network, "bn2", x, [281])[0]
    assert_close(raw_map(Recorder(network).record(x), "grad_cam_plus_plus", "bn2", 281), wanted)


def test_grad_cam_of_a_linear_head_is_the_class_activation_map():
    """Where averaging and one linear layer follow, Grad-CAM is Zhou's CAM, up to the number of cells."""
    network = seeded("resnet18")
    tape = Recorder(network).record(pictures(1))
    wanted = torch.einsum("c,chw->hw", network.fc.weight[281], tape.activation("layer4.1")[0]) / 49
    assert_close(raw_map(tape, "grad_cam", "layer4.1", 281), wanted.detach().numpy())


# ---------------------------------------------------------------------------------------------- honesty


class Toy(nn.Module):
    """Two maps, the red and the green channel, and three classes with weights to read."""

    def __init__(self, weights: list[list[float]]):
        super().__init__()
        self.maps = nn.Conv2d(3, 2, 1, bias=False)
        self.fc = nn.Linear(2, len(weights), bias=False)
        with torch.no_grad():
            self.maps.weight.copy_(torch.eye(2, 3)[:, :, None, None])
            self.fc.weight.copy_(torch.tensor(weights))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.maps(x).mean((2, 3)))


@pytest.fixture
def toy() -> Tape:
    x = torch.zeros(1, 3, 4, 4)
    x[0, 0, 1, 2] = 16.0  # one red place
    x[0, 1, 3, 0] = 32.0  # one green place, twice as bright
    return Recorder(Toy([[1.0, 0.0], [-1.0, 0.0], [1.0, -1.0]]), 4).record(x)


def test_heat_keeps_the_raw_values_and_the_range_before_relu(toy: Tape):
    found = explain(toy, SaliencySpec("grad_cam", "maps", 2))
    wanted = np.zeros((4, 4), np.float32)
    wanted[1, 2] = 1.0  # weight 1 / 16 cells × 16
    np.testing.assert_allclose(found.heat, wanted)
    assert found.raw_range == (-2.0, 1.0)
    assert found.peak == 1.0
    assert found.note == ""
    assert found.backward_ms > 0


def test_no_positive_evidence_is_said(toy: Tape):
    found = explain(toy, SaliencySpec("grad_cam", "maps", 1))
    assert found.empty
    assert found.note == "No positive evidence for this class at this layer."
    assert found.raw_range == (-1.0, 0.0)
    assert not found.heat.any()
    assert not normalise(found.heat).any()


def test_a_method_out_of_its_depth_says_so():
    tape = Recorder(embedded()).record(pictures(1))
    deep, shallow = explain_all(
        tape, [SaliencySpec("grad_cam_plus_plus", layer, 281) for layer in ("bn2", "blocks.2.1")]
    )
    assert "negative activations" not in deep.note  # after ReLU6
    assert "negative activations" in shallow.note
    assert np.isfinite(shallow.raw_range).all()


def test_infinite_maps_are_refused():
    x = torch.zeros(1, 3, 4, 4)
    x[0, 0, 0] = 2e37
    x[0, 0, 1] = -2e37
    tape = Recorder(Toy([[1e3, 0.0]]), 4).record(x)  # the score, 1e3 times the mean, is still finite
    with pytest.raises(ModelError, match="HiResCAM at maps gave values that are not numbers"):
        explain(tape, SaliencySpec("hires_cam", "maps", 0))


def test_heat_cannot_be_changed(toy: Tape):
    with pytest.raises(ValueError, match="read-only"):
        explain(toy, SaliencySpec("grad_cam", "maps", 0)).heat[0, 0] = 1


def test_what_cannot_be_asked_is_refused(toy: Tape):
    with pytest.raises(ModelError, match=r"“magic” is none of the methods grad_cam, hires_cam"):
        SaliencySpec("magic", "maps", 0)
    with pytest.raises(ClassError, match=r"Class 3 is outside 0–2\."):
        explain(toy, SaliencySpec("grad_cam", "maps", 3))
    with pytest.raises(LayerError, match="fc was recorded without gradients"):
        explain(toy, SaliencySpec("grad_cam", "fc", 0))
    with pytest.raises(ValueError, match="has 2: take"):
        explain(toy.recorder.record(torch.zeros(2, 3, 4, 4)), SaliencySpec("grad_cam", "maps", 0))


# ------------------------------------------------------------------------------------------- many at once


def test_many_questions_get_the_answers_of_one_by_one_in_their_order():
    tape = Recorder(embedded()).record(pictures(1))
    specs = [
        SaliencySpec(method, layer, index)
        for index in (281, 3)
        for layer in ("bn2", "blocks.1.1")
        for method in METHODS
    ] + [SaliencySpec("grad_cam", "blocks.4.2", 700)]
    for spec, found in zip(specs, explain_all(tape, specs), strict=True):
        alone = explain(tape, spec)
        assert found.spec == spec
        np.testing.assert_allclose(found.heat, alone.heat, rtol=1e-4, atol=1e-5 * max(alone.peak, 1e-30))


def count_backwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of classes with each backward pass."""
    sizes: list[int] = []
    grad = torch.autograd.grad

    def counted(output: Tensor, sources: list[Tensor], seeds: Tensor, **options: bool) -> tuple[Tensor, ...]:
        sizes.append(len(seeds) if options.get("is_grads_batched") else 1)
        return grad(output, sources, seeds, **options)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    return sizes


def test_a_filmstrip_and_a_top_five_take_one_backward_each(monkeypatch: pytest.MonkeyPatch):
    tape = Recorder(embedded()).record(pictures(1))
    backwards = count_backwards(monkeypatch)
    explain_all(tape, [SaliencySpec("grad_cam", layer, 281) for layer in tape.layers])
    explain_all(tape, [SaliencySpec(method, "bn2", 281) for method in METHODS])
    assert backwards == [1, 1]
    explain_all(tape, [SaliencySpec("grad_cam", "bn2", index) for index in (5, 6, 7, 8, 9)])
    assert backwards == [1, 1, 5]
    explain_all(tape, [SaliencySpec("eigen_cam", "bn2", 281)])
    assert backwards == [1, 1, 5]


def test_every_method_is_registered_whole():
    assert next(iter(METHODS)) == "grad_cam"
    for key, method in METHODS.items():
        assert method.key == key
        assert method.paper in PAPERS
        assert method.sentence.endswith(".")


# ---------------------------------------------------------------------------------------- maps to pictures


@pytest.mark.parametrize(
    ("shape", "size"), [((7, 7), (224, 224)), ((14, 10), (299, 173)), ((1, 1), (5, 6)), ((9, 9), (4, 3))]
)
def test_upsample_is_opencvs_linear_resize(shape: tuple[int, int], size: tuple[int, int]):
    heat = np.random.default_rng(0).random(shape, np.float32)
    wanted = cv2.resize(heat, size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(upsample(heat, size), wanted, atol=1e-6)


def test_normalise_keeps_zero_at_zero_and_shares_a_scale():
    heat = np.array([[1.0, 4.0], [2.0, 0.0]], np.float32)
    assert normalise(heat).tolist() == [[0.25, 1.0], [0.5, 0.0]]
    assert normalise(heat, scale=8).max() == 0.5
    assert normalise(heat, scale=2).max() == 1.0
    assert normalise(np.zeros((2, 2), np.float32)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert normalise(heat).dtype == np.float32
