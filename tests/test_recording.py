"""One forward is kept whole, and asking it leaves no trace on the network."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models
from torch import Tensor, nn
from torchvision.models.regnet import BlockParams

from explorer import recording
from explorer.errors import ClassError, LayerError, ModelError
from explorer.recording import MOVED_TO_CPU, Recorder, Stage, find_stages
from explorer.stages import MOST_STAGES
from tests.zoo import embedded, pictures, seeded

CLASSES = 10


def small() -> nn.Module:
    """Three resolutions, a ReLU in place, and a second one in place on a stage's output."""

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
                nn.Conv2d(8, 12, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
                nn.Conv2d(12, 16, 3, padding=1),
                nn.BatchNorm2d(16),
            )
            self.fc = nn.Linear(16, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            maps = nn.functional.relu(self.features(x), inplace=True)
            return self.fc(maps.mean((2, 3)))

    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(small(), size=32)


@pytest.fixture
def x() -> Tensor:
    return pictures(4, 32)


def plain_gradients(x: Tensor, index: int) -> dict[str, Tensor]:
    """d logit / d map of the small network, by writing its forward out."""
    network = small().requires_grad_(False)
    layers = network.features
    found: dict[str, Tensor] = {}
    value = x
    for position, layer in enumerate(layers):
        value = layer(value.clone())
        if position in (1, 4, 7):
            value = value.detach().requires_grad_() if position == 1 else value
            value.retain_grad()
            found[f"features.{position}"] = value
    network.fc(value.relu().mean((2, 3)))[:, index].sum().backward()
    return {name: kept.grad for name, kept in found.items() if kept.grad is not None}


# ------------------------------------------------------------------------------------------------- stages


@pytest.fixture
def regnet_on_meta(monkeypatch: pytest.MonkeyPatch):
    """RegNet works its widths out with tensors, which must hold numbers."""
    widths = BlockParams.from_init_params.__func__

    def with_numbers(cls: Any, *args: Any, **options: Any) -> Any:
        with torch.device("cpu"):
            return widths(cls, *args, **options)

    monkeypatch.setattr(BlockParams, "from_init_params", classmethod(with_numbers))


def on_meta(name: str) -> nn.Module:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        return torchvision.models.get_model(name, **options)


# The layers that pytorch-grad-cam's README and tutorials name, `layer4[-1]` and the like, resolved.
USUAL_LAYERS = {
    "alexnet": "features.12",
    "convnext_tiny": "features.7.2",
    "convnext_base": "features.7.2",
    "densenet121": "features.norm5",
    "densenet201": "features.norm5",
    "efficientnet_b0": "features.8",
    "efficientnet_v2_s": "features.7",
    "googlenet": "inception5b",
    "inception_v3": "Mixed_7c",
    "maxvit_t": "blocks.3",
    "mnasnet0_5": "layers.16",
    "mobilenet_v2": "features.18",
    "mobilenet_v3_large": "features.16",
    "mobilenet_v3_small": "features.12",
    "regnet_x_400mf": "trunk_output.block4",
    "regnet_y_8gf": "trunk_output.block4",
    "resnet18": "layer4.1",
    "resnet50": "layer4.2",
    "resnext101_64x4d": "layer4.2",
    "shufflenet_v2_x1_0": "conv5.2",
    "squeezenet1_0": "features.12",
    "squeezenet1_1": "features.12",
    "swin_t": "features.7.1.norm1",
    "swin_v2_s": "features.7.1.norm1",
    "vgg11": "features.20",
    "vgg16": "features.30",
    "vgg19_bn": "features.52",
    "vit_b_16": "encoder.layers.encoder_layer_11.ln_1",
    "vit_h_14": "encoder.layers.encoder_layer_31.ln_1",
    "wide_resnet50_2": "layer4.2",
}


@pytest.mark.usefixtures("regnet_on_meta")
@pytest.mark.parametrize(("name", "layer"), USUAL_LAYERS.items())
def test_deepest_stage_is_the_usual_grad_cam_layer(name: str, layer: str):
    stages = find_stages(on_meta(name))
    assert stages[-1].name == layer
    assert recording.default_stage(stages) == stages[-1]
    assert 4 <= len(stages) <= MOST_STAGES
    sides = [stage.grid[0] for stage in stages]
    assert sides == sorted(sides, reverse=True)


def test_embedded_network_has_a_stage_at_each_resolution():
    found = [(stage.name, stage.channels, stage.grid[0]) for stage in find_stages(embedded())]
    assert found == [
        ("blocks.0.0", 16, 112),
        ("blocks.1.1", 24, 56),
        ("blocks.2.1", 40, 28),
        ("blocks.4.2", 112, 14),
        ("bn2", 1280, 7),
    ]


def test_vit_stages_are_evenly_spaced_blocks_ending_with_the_last():
    assert len(find_stages(on_meta("vit_b_16"))) == 12
    blocks = [int(stage.name.split("_layer_")[1].split(".")[0]) for stage in find_stages(on_meta("vit_l_16"))]
    assert blocks == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]


def test_a_layer_that_runs_twice_counts_where_it_ran_last():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.relu, self.pool, self.fc = nn.ReLU(), nn.MaxPool2d(2), nn.Linear(4 * 14 * 14, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.relu(self.second(self.pool(self.relu(self.first(x)))))
            return self.fc(maps.flatten(1))

    # `relu` ran at 28×28 too, but its last run, which a tape keeps, was at 14×14.
    assert find_stages(Twice(), 28) == (Stage("first", 4, (28, 28)), Stage("relu", 4, (14, 14)))


def test_find_stages_leaves_mode_hooks_and_statistics_as_they_were():
    network = small().train()
    network.fc.eval()
    statistics = network.features[7].running_mean.clone()
    find_stages(network, 32)
    assert network.training
    assert not network.fc.training
    assert torch.equal(network.features[7].running_mean, statistics)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_that_cannot_run_says_why_and_keeps_no_hooks():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(7, CLASSES))
    with pytest.raises(
        ModelError, match=r"cannot run on a picture of 32×32 pixels: .*shapes cannot be multiplied"
    ):
        find_stages(network, 32)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_without_class_scores_is_refused():
    with pytest.raises(ModelError, match="gives 1×4×30×30 where one row of class scores is needed"):
        find_stages(nn.Sequential(nn.Conv2d(3, 4, 3)), 32)


def test_a_network_without_maps_has_no_default_stage():
    with pytest.raises(LayerError, match="no layer that holds a map"):
        Recorder(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, CLASSES)), 32)


# ----------------------------------------------------------------------------------------------- recording


def test_tape_keeps_what_the_network_computes(recorder: Recorder, x: Tensor):
    tape = recorder.record(x)
    network = small()
    with torch.no_grad():
        torch.testing.assert_close(tape.logits, network(x))
        torch.testing.assert_close(tape.activation("features.4"), network.features[:5](x))
    np.testing.assert_allclose(tape.probabilities().sum(1), 1, rtol=1e-6)
    assert tape.layers == ("features.1", "features.4", "features.7")
    assert tape.classes == CLASSES
    assert tape.forward_ms > 0
    torch.testing.assert_close(recorder.logits(x), tape.logits)


def test_a_map_that_a_later_layer_overwrites_is_kept_as_it_was(recorder: Recorder, x: Tensor):
    kept = recorder.record(x).activation("features.7")
    with torch.no_grad():
        torch.testing.assert_close(kept, small().features(x))
    assert kept.min() < 0  # before the ReLU in place that follows


@pytest.mark.parametrize("layers", [["features.1"], ["features.4", "features.7"], ["features.7"], None])
def test_gradients_agree_with_the_forward_written_out(
    recorder: Recorder, x: Tensor, layers: list[str] | None
):
    tape = recorder.record(x, layers)
    for index in (0, 7):
        wanted = plain_gradients(x, index)
        for layer, gradient in zip(tape.layers, tape.gradients([index], tape.layers), strict=True):
            torch.testing.assert_close(gradient[0], wanted[layer], rtol=1e-5, atol=1e-8)


def test_several_classes_at_once_are_the_same_as_one_by_one(recorder: Recorder, x: Tensor):
    tape = recorder.record(x)
    together = tape.gradients([3, 1, 4], tape.layers)
    for layer, gradients in zip(tape.layers, together, strict=True):
        assert gradients.shape == (3, *tape.activation(layer).shape)
        for index, gradient in zip([3, 1, 4], gradients, strict=True):
            torch.testing.assert_close(
                gradient[None], tape.gradients([index], [layer])[0], rtol=1e-5, atol=1e-8
            )


def test_graph_begins_at_the_first_layer_asked_for(recorder: Recorder, x: Tensor):
    tape = recorder.record(x, ["features.7"])
    assert tape.activation("features.1").shape == (4, 8, 32, 32)  # kept, to be looked at
    with pytest.raises(
        LayerError, match=r"features\.1 was recorded without gradients; with them: features\.7"
    ):
        tape.gradients([0], ["features.1"])
    graph = tape._pass.graph
    assert graph is not None
    assert graph.maps["features.7"].is_leaf
    assert not graph.maps["features.4"].requires_grad
    assert recorder.record(x).nbytes > tape.nbytes


def test_one_forward_answers_every_question(recorder: Recorder, x: Tensor):
    runs: list[int] = []
    recorder.network.register_forward_pre_hook(lambda module, args: runs.append(len(args[0])))
    tape = recorder.record(x)
    tape.gradients([1], ["features.1"])
    tape.gradients([1, 2, 3], ["features.4", "features.7"])
    tape.activation("features.4")
    tape.probabilities()
    assert runs == [4]


def test_unknown_layers_and_classes_are_named(recorder: Recorder, x: Tensor):
    with pytest.raises(
        LayerError, match=r"“fc” is not a stage of Small; its stages are features.1, features.4"
    ):
        recorder.record(x, ["fc"])
    with pytest.raises(LayerError, match="No layer was asked for"):
        recorder.record(x, [])
    tape = recorder.record(x)
    with pytest.raises(ClassError, match=r"Class 1200 is outside 0–9\."):
        tape.gradients([1200], ["features.7"])
    with pytest.raises(ClassError, match=r"Class -1 is outside 0–9\."):
        tape.gradients([-1], ["features.7"])
    with pytest.raises(LayerError, match="“nowhere” is not a stage"):
        tape.activation("nowhere")


def test_damaged_weights_are_told(x: Tensor):
    network = small()
    with torch.no_grad():
        network.fc.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match="The class scores of Small are not numbers"):
        Recorder(network, 32).record(x)


def test_layers_can_be_named(x: Tensor):
    recorder = Recorder(small(), 32, layers=["features.6", "features.0"])
    assert recorder.stages == (Stage("features.0", 8, (32, 32)), Stage("features.6", 16, (8, 8)))
    assert recorder.record(x).gradients([2], ["features.0"])[0].shape == (1, 4, 8, 32, 32)
    with pytest.raises(LayerError, match="Small has no layer “conv9”"):
        Recorder(small(), 32, layers=["conv9"])
    with pytest.raises(LayerError, match="fc holds no map but 1×10 numbers"):
        Recorder(small(), 32, layers=["fc"])


@pytest.mark.parametrize(("name", "channels", "side"), [("vit_b_32", 768, 7), ("swin_t", 768, 7)])
def test_tokens_become_maps(name: str, channels: int, side: int):
    tape = Recorder(seeded(name)).record(pictures(1))
    layer = tape.layers[-1]
    assert tape.activation(layer).shape == (1, channels, side, side)
    assert tape.gradients([5, 6], [layer])[0].shape == (2, 1, channels, side, side)


def test_vit_map_is_in_reading_order():
    network = seeded("vit_b_32")
    x = torch.zeros(1, 3, 224, 224)
    x[:, :, 32 * 2 : 32 * 3, 32 * 5 : 32 * 6] = 4  # one patch, third row, sixth column
    first = "encoder.layers.encoder_layer_0.ln_1"
    recorder = Recorder(network)
    change = recorder.record(x).activation(first) - recorder.record(torch.zeros_like(x)).activation(first)
    strength = change[0].square().sum(0)
    assert divmod(int(strength.argmax()), 7) == (2, 5)


# --------------------------------------------------------------------------------------- pictures of a batch


def test_a_picture_of_a_batch_answers_like_a_tape_of_its_own(recorder: Recorder, x: Tensor):
    batch = recorder.record(x)
    for row in range(4):
        own, view = recorder.record(x[row : row + 1]), batch.image(row)
        torch.testing.assert_close(view.logits, own.logits)
        torch.testing.assert_close(view.activation("features.4"), own.activation("features.4"))
        best = int(own.logits.argmax())
        for classes in ([best], [(best + 1) % CLASSES], [0, 1, 2], [best]):
            for layers in (["features.7"], ["features.1", "features.7"]):
                for got, wanted in zip(
                    view.gradients(classes, layers), own.gradients(classes, layers), strict=True
                ):
                    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-7)


def test_the_first_question_of_batch_mates_shares_one_backward(
    recorder: Recorder, x: Tensor, monkeypatch: pytest.MonkeyPatch
):
    backwards: list[int] = []
    grad = torch.autograd.grad
    monkeypatch.setattr(
        torch.autograd, "grad", lambda *args, **named: backwards.append(1) or grad(*args, **named)
    )
    batch = recorder.record(x)
    for row in range(4):
        view = batch.image(row)
        view.gradients([int(view.logits.argmax())], view.layers)
    assert len(backwards) == 1


def test_another_question_takes_a_picture_out_of_its_batch_once(recorder: Recorder, x: Tensor):
    runs: list[int] = []
    recorder.network.register_forward_pre_hook(lambda module, args: runs.append(len(args[0])))
    view = recorder.record(x).image(1)
    best = int(view.logits.argmax())
    view.gradients(
        [(best + 1) % CLASSES], ["features.7"]
    )  # the deepest stage costs next to nothing in a batch
    assert runs == [4]
    view.gradients([(best + 1) % CLASSES], ["features.1"])
    view.gradients([(best + 2) % CLASSES], ["features.4"])
    assert runs == [4, 1]


def test_short_heads_are_told_from_long_ones():
    assert Recorder(embedded()).short_head
    assert Recorder(seeded("resnet18")).short_head
    assert not Recorder(seeded("vit_b_32")).short_head
    assert not Recorder(seeded("alexnet")).short_head


# ------------------------------------------------------------------------------------------------- traces


def test_recording_leaves_no_hooks_gradients_or_modes(recorder: Recorder, x: Tensor):
    before = [(len(module._forward_hooks), module.training) for module in recorder.network.modules()]
    tape = recorder.record(x)
    tape.gradients([1, 2], tape.layers)
    recorder.logits(x)
    assert [(len(module._forward_hooks), module.training) for module in recorder.network.modules()] == before
    assert all(
        parameter.grad is None and not parameter.requires_grad for parameter in recorder.network.parameters()
    )
    assert recording._recording.get() is None
    assert torch.is_grad_enabled()
    assert not recorder.network(x).requires_grad  # the taps act only while something is recorded
    recorder.close()
    assert not any(module._forward_hooks for module in recorder.network.modules())


def test_a_failed_recording_is_over(recorder: Recorder):
    with pytest.raises(RuntimeError, match="expected input"):
        recorder.record(torch.zeros(1, 5, 32, 32))
    assert recording._recording.get() is None


def test_two_recorders_of_one_network_do_not_mix(x: Tensor):
    network = small()
    deep, shallow = Recorder(network, 32, ["features.7"]), Recorder(network, 32, ["features.1"])
    assert deep.record(x).layers == ("features.7",)
    graph = shallow.record(x)._pass.graph
    assert graph is not None
    assert list(graph.maps) == ["features.1"]


def test_a_dropped_recorder_frees_its_network_without_the_collector(x: Tensor):
    network = small()
    alive = weakref.ref(network)
    recorder = Recorder(network, 32)
    tape = recorder.record(x)
    tape.gradients([0], tape.layers)
    gc.collect()
    gc.disable()
    try:
        del network, recorder, tape
        assert alive() is None
    finally:
        gc.enable()


def test_recording_is_deterministic(recorder: Recorder, x: Tensor):
    first, second = recorder.record(x), recorder.record(x)
    assert torch.equal(first.logits, second.logits)
    for one, other in zip(
        first.gradients([3], first.layers), second.gradients([3], second.layers), strict=True
    ):
        assert torch.equal(one, other)


# ------------------------------------------------------------------------------------------------- threads


def test_threads_on_shared_networks_get_what_they_would_get_alone():
    recorders = [Recorder(embedded()), Recorder(seeded("resnet18")), Recorder(seeded("squeezenet1_1"))]
    x = pictures(4, 128)

    def ask(request: int) -> tuple[Tensor, Tensor]:
        recorder = recorders[request % 3]
        tape = recorder.record(x[request % 4][None], [recorder.default.name] if request % 2 else None)
        layer = tape.layers[-1 - request % len(tape.layers)]
        return tape.logits, tape.gradients([request % 1000], [layer])[0]

    alone = [ask(request) for request in range(200)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(200)))
    for (logits, gradients), (wanted_logits, wanted) in zip(together, alone, strict=True):
        assert torch.equal(logits, wanted_logits)
        assert torch.equal(gradients, wanted)


def test_threads_may_ask_one_tape():
    tape = Recorder(small(), 32).record(pictures(4, 32))
    alone = [tape.gradients([index], tape.layers) for index in range(CLASSES)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda n: tape.gradients([n % CLASSES], tape.layers), range(200)))
    for request, found in enumerate(together):
        for got, wanted in zip(found, alone[request % CLASSES], strict=True):
            assert torch.equal(got, wanted)


# -------------------------------------------------------------------------------------------------- memory


def test_nbytes_is_what_autograd_saves_and_the_maps(recorder: Recorder, x: Tensor):
    weights = {tensor.data_ptr() for tensor in [*recorder.network.parameters(), *recorder.network.buffers()]}
    memory: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            memory[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept):
        tape = recorder.record(x)
    graph = tape._pass.graph
    assert graph is not None
    for tensor in [x, graph.output, *graph.maps.values()]:
        memory[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    assert recorder.record(x).nbytes == sum(memory.values())


@pytest.fixture
def small_shelf(monkeypatch: pytest.MonkeyPatch) -> int:
    limit = 2_000_000
    monkeypatch.setattr(recording, "_shelf", recording._Shelf(limit))
    return limit


def test_tapes_beyond_the_limit_let_go_and_run_again_when_asked(
    recorder: Recorder, x: Tensor, small_shelf: int
):
    tapes = [recorder.record(x) for _ in range(6)]
    sizes = [tape.nbytes for tape in tapes]
    assert sum(sizes) < small_shelf
    assert sizes[0] < sizes[-1]  # asked longest ago, so it let go
    for one, other in zip(
        tapes[0].gradients([1], tapes[0].layers), tapes[-1].gradients([1], tapes[-1].layers), strict=True
    ):
        assert torch.equal(one, other)
    assert tapes[0].nbytes == sizes[-1]
    assert sum(tape.nbytes for tape in tapes) < small_shelf


# --------------------------------------------------------------------------------------- a card that is full


class Full:
    """Stands in for a function that runs out of a graphics card's memory when it is first called."""

    def __init__(self, function: Any):
        self.function, self.calls = function, 0

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.function(*args, **named)


def test_a_forward_that_fills_the_card_runs_on_the_processor(
    recorder: Recorder, x: Tensor, monkeypatch: pytest.MonkeyPatch
):
    wanted = recorder.record(x).logits
    moves: list[Any] = []
    monkeypatch.setattr(recorder, "to", moves.append)
    monkeypatch.setattr(recorder.network, "forward", Full(recorder.network.forward))
    tape = recorder.record(x)
    assert moves == ["cpu"]
    assert tape.note == MOVED_TO_CPU
    assert torch.equal(tape.logits, wanted)
    assert recorder.record(x).note == ""


def test_a_backward_that_fills_the_card_runs_on_the_processor(
    recorder: Recorder, x: Tensor, monkeypatch: pytest.MonkeyPatch
):
    tape = recorder.record(x)
    (wanted,) = tape.gradients([1], ["features.4"])
    monkeypatch.setattr(torch.autograd, "grad", Full(torch.autograd.grad))
    (found,) = tape.gradients([1], ["features.4"])
    assert torch.equal(found, wanted)
    assert tape.note == MOVED_TO_CPU


def test_a_tape_from_before_the_network_moved_runs_again(recorder: Recorder, x: Tensor):
    tape = recorder.record(x)
    (wanted,) = tape.gradients([1], ["features.4"])
    runs: list[int] = []
    recorder.network.register_forward_pre_hook(lambda module, args: runs.append(len(args[0])))
    recorder.device = torch.device("cpu", 0)  # another name of the same device: as good as a move
    for _ in range(2):
        assert torch.equal(tape.gradients([1], ["features.4"])[0], wanted)
    assert runs == [4]


def test_other_errors_of_a_forward_are_not_taken_for_a_full_card(
    recorder: Recorder, x: Tensor, monkeypatch: pytest.MonkeyPatch
):
    def fail(*args: Any):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(recorder.network, "forward", fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        recorder.record(x)


@pytest.mark.gpu
def test_a_tape_of_a_cuda_device_agrees_with_the_processor():
    x = pictures(2)
    here, there = Recorder(embedded()), Recorder(embedded().to("cuda"))
    assert there.device.type == "cuda"
    wanted, tape = here.record(x), there.record(x)
    torch.testing.assert_close(tape.logits, wanted.logits, rtol=1e-2, atol=1e-2)
    for got, want in zip(
        tape.gradients([281], tape.layers), wanted.gradients([281], wanted.layers), strict=True
    ):
        torch.testing.assert_close(got.cpu(), want, rtol=1e-2, atol=float(want.abs().max()) * 1e-2)
    there.to("cpu")
    torch.testing.assert_close(tape.gradients([281], ["bn2"])[0], wanted.gradients([281], ["bn2"])[0])
