"""Memory of training and use: held to real runs on the CPU, to torch's optimisers, and to reference data."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint, checkpoint_sequential
from torchvision import models as zoo

from explorer.altered_training import altered, blocks
from explorer.errors import ModelError, ShapeError
from explorer.figures.memory_charts import memory_chart
from explorer.memory import (
    GPUS,
    Gpu,
    Line,
    Memory,
    Setting,
    estimate,
    fits,
    growth,
    largest_batch,
    measured,
    rule_of_thumb,
)
from explorer.networks.classics import classic
from explorer.profiling import profile
from tests.test_field_tracing import REFERENCE, bare

FACTS: Any = json.loads(REFERENCE.read_text())["memory_facts_batch2"] if REFERENCE.exists() else {}


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + functional.relu(self.norm(self.conv(x))))


def residual() -> nn.Sequential:
    """Modules and functions, a pooling, dropout, a dense layer: 8 × 20 × 20 pictures."""
    return nn.Sequential(
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(Block(16), Block(16), Block(16)),
        *(nn.Flatten(), nn.Dropout(), nn.Linear(1600, 10)),
    )


class Checkpointed(nn.Module):
    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.inside, x, use_reentrant=False)


def chain() -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((8, 16), (16, 24)):
        layers += [
            nn.Conv2d(before, after, 3),
            nn.ReLU(),
            nn.Conv2d(after, after, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers)


SHAPE = (8, 20, 20)


def kept(network: nn.Module, batch: int, half: bool = False, shape: tuple[int, ...] = SHAPE) -> int:
    """Bytes that autograd keeps in a real forward on the CPU, weights left out."""
    owned = {each.untyped_storage()._cdata for each in [*network.parameters(), *network.buffers()]}
    found: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in owned:
            found[storage._cdata] = storage
        return tensor

    dtype = next(network.parameters()).dtype
    pictures = torch.randn(batch, *shape, dtype=dtype)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        network.train()(pictures)
    return sum(storage.nbytes() for storage in found.values())


def value(terms: str) -> float:
    return float(eval(terms.replace(",", "").replace("×", "*"), {"__builtins__": {}}))


# Against real runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 3, 8])
@pytest.mark.parametrize("build", [residual, chain])
def test_saved_bytes_are_those_of_a_real_run(build: Callable[[], nn.Module], batch: int) -> None:
    network = build()
    assert estimate(network, SHAPE, Setting(batch)).saved == kept(network, batch)


@pytest.mark.shared
@pytest.mark.parametrize("name", list(FACTS) or ["resnet18"])
def test_saved_bytes_of_known_networks_are_those_of_real_runs(name: str) -> None:
    found = estimate(bare(name), (3, 224, 224), Setting(2))
    # the reference has googlenet without its auxiliary heads
    if name != "googlenet":
        assert (found.saved, found.gradients.value, found.optimiser.value, found.inference.total) == tuple(
            FACTS[name][key] for key in ("saved_cpu", "grad", "optim", "infer_peak")
        )
    found = estimate(classic("googlenet-no-aux").build(), (3, 224, 224), Setting(2))
    assert found.saved == FACTS["googlenet"]["saved_cpu"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_numbers_throughout_are_those_of_a_real_run(dtype: Any) -> None:
    network = chain().to(getattr(torch, dtype))
    found = estimate(chain(), SHAPE, Setting(2, dtype))
    assert found.saved == kept(network, 2)
    assert found.weights.value == sum(each.nbytes for each in network.parameters())


@pytest.mark.parametrize("build", [residual, chain])
def test_mixed_numbers_are_those_of_torchs_autocast(build: Callable[[], nn.Module]) -> None:
    network = build()
    found = estimate(network, SHAPE, Setting(3, "mixed"))
    assert found.saved == kept(network, 3, half=True)
    full = estimate(network, SHAPE, Setting(3))
    assert (found.weights, found.optimiser) == (full.weights, full.optimiser)  # weights stay in float32
    assert found.saved < full.saved


def test_a_weight_that_is_used_twice_is_cast_once() -> None:
    shared = nn.Conv2d(8, 8, 3, padding=1)
    network = nn.Sequential(shared, nn.ReLU(), shared)
    assert estimate(network, SHAPE, Setting(2, "mixed")).saved == kept(network, 2, half=True)


def test_mixed_resnet_is_that_of_torchs_autocast() -> None:
    network = zoo.resnet18()
    found = estimate(network, (3, 64, 64), Setting(2, "mixed"))
    assert found.saved == kept(network, 2, half=True, shape=(3, 64, 64))


def test_autocast_gives_matrices_half_numbers_and_keeps_norms_whole() -> None:
    seen = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.dense = nn.LayerNorm(8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            dense = self.dense(x)
            seen.extend([dense.dtype, self.norm(dense).dtype, dense.softmax(-1).dtype, (dense + x).dtype])
            return dense

    network = altered(Watched().to("meta"), half=torch.float16)
    network(torch.empty(2, 8, device="meta"))
    # https://docs.pytorch.org/docs/stable/amp.html, the lists for CUDA
    assert seen == [torch.float16, torch.float32, torch.float32, torch.float32]


def with_relus(network: nn.Module, in_place: bool) -> nn.Module:
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = in_place
    return network


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_relus_in_place_are_those_of_a_real_run(written: bool, in_place: bool) -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2), nn.Tanh())
    given = with_relus(network, written)
    found = estimate(given, SHAPE, Setting(2, in_place=in_place))
    assert found.saved == kept(with_relus(network, in_place), 2)
    assert found.inference == estimate(with_relus(network, in_place), SHAPE, Setting(2)).inference
    assert given[2].inplace is written  # type: ignore[index]


def test_relus_in_place_need_less_in_use() -> None:
    beside, over = (estimate(chain(), SHAPE, Setting(4, in_place=each)) for each in (False, True))
    assert over.inference.total < beside.inference.total


def test_functions_are_switched_too() -> None:
    class Narrowing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(functional.relu(self.first(x), False))

    network, one = Narrowing(), 16 * 16 * 4
    written, beside, over = (
        estimate(network, (8, 16, 16), Setting(in_place=each)).inference.total for each in (None, False, True)
    )
    # picture, map and ReLU's; picture, map, and the one channel that comes of it
    assert (written, beside, over) == (24 * one, 24 * one, 17 * one)


def test_in_place_that_autograd_refuses_is_a_sentence() -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Sigmoid(), nn.ReLU())
    found = estimate(network, SHAPE, Setting(2, in_place=True))
    assert found.training is None
    assert "a ReLU writes over numbers" in found.why
    real = with_relus(network, True)
    with pytest.raises(RuntimeError, match="inplace"):
        real(torch.randn(2, *SHAPE)).sum().backward()


@pytest.mark.parametrize("half", [False, True])
def test_checkpointed_blocks_are_those_of_a_real_run(half: bool) -> None:
    network = residual()
    assert blocks(network) == ("3", "4", "5")
    real = copy.deepcopy(network)
    for place in (3, 5):
        forward = real[place].forward
        real[place].forward = lambda x, forward=forward: checkpoint(forward, x, use_reentrant=False)
    setting = Setting(2, "mixed" if half else "float32", checkpointed=("3", "5"))
    found = estimate(network, SHAPE, setting)
    assert found.saved == kept(real, 2, half)
    assert found.saved < estimate(network, SHAPE, Setting(2, setting.dtype)).saved
    assert found.why == ""


def test_checkpointed_slices_are_those_of_torch() -> None:
    network = chain()
    assert blocks(network) == ("[0:5]", "[5:10]")

    class Sliced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = network

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint_sequential(self.inside, 2, x, use_reentrant=False)

    # torch does not checkpoint the last of its slices
    found = estimate(network, SHAPE, Setting(2, checkpointed=("[0:5]",)))
    assert found.saved == kept(Sliced(), 2)
    real = nn.Sequential(*(Checkpointed(part) for part in (network[:5], network[5:])))
    both = estimate(network, SHAPE, Setting(2, checkpointed=blocks(network)))
    assert both.saved == kept(real, 2) < found.saved


@pytest.mark.parametrize("path", ["9", "[3:30]", "[4:2]", "3[0:1]"])
def test_a_block_that_is_not_there_is_a_sentence(path: str) -> None:
    with pytest.raises(ModelError, match="has no block"):
        estimate(residual(), SHAPE, Setting(checkpointed=(path,)))


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "densenet121", "vit_b_32", "swin_t", "mobilenet_v2"])
def test_known_networks_can_be_checkpointed(name: str) -> None:
    network = bare(name)
    paths = blocks(network)
    found = estimate(network, (3, 224, 224), Setting(2, checkpointed=paths))
    assert found.why == ""
    assert found.saved < 0.6 * estimate(network, (3, 224, 224), Setting(2)).saved


# Weights, gradients, optimisers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("sgd", lambda weights: torch.optim.SGD(weights, lr=0.1)),
        ("momentum", lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9)),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_states_are_those_of_torchs_optimisers(name: str, build: Any, dtype: Any) -> None:
    network = residual().to(getattr(torch, dtype))
    optimiser = build(list(network.parameters()))
    network(torch.randn(2, *SHAPE, dtype=getattr(torch, dtype))).sum().backward()
    optimiser.step()
    states = [each for state in optimiser.state.values() for each in state.values()]
    found = estimate(residual(), SHAPE, Setting(2, dtype, name))
    assert found.optimiser.value == sum(each.nbytes for each in states if isinstance(each, Tensor))
    assert found.gradients.value == sum(
        each.grad.nbytes for each in network.parameters() if each.grad is not None
    )
    assert found.weights.value == sum(each.nbytes for each in [*network.parameters(), *network.buffers()])
    for product in (found.weights, found.gradients, found.optimiser):
        assert value(product.terms) == product.value


def test_stages_hold_what_they_say() -> None:
    found = estimate(residual(), SHAPE, Setting(4))
    use, between, fullest = found.stages.values()
    assert sum(use.values()) == found.inference_peak
    assert sum(fullest.values()) == found.training_peak
    assert between["activations"] == found.saved
    assert found.fullest in ("in the backward", "while the optimiser steps")
    figure = memory_chart(found.stages, dark=False)
    drawn = [sum(bar.x[place] for bar in figure.data) for place in range(3)]
    assert drawn == pytest.approx([sum(parts.values()) / 1e3 for parts in found.stages.values()])


def test_without_weights_nothing_is_trained() -> None:
    found = estimate(nn.Sequential(nn.MaxPool2d(2)), SHAPE, Setting(2))
    assert (found.training, found.training_peak, list(found.stages)) == (None, 0, ["in use"])
    assert "no weights" in found.why


def test_one_value_for_each_channel_needs_two_pictures() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8))
    assert "more than one value of each channel" in estimate(network, SHAPE, Setting(1)).why
    assert estimate(network, SHAPE, Setting(2)).why == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"batch": 0}, "at least one picture"),
        ({"dtype": "int8"}, "no type of number"),
        ({"optimiser": "lion"}, "no optimiser"),
    ],
)
def test_settings_refuse_nonsense(change: Any, sentence: str) -> None:
    with pytest.raises((ShapeError, ModelError), match=sentence):
        Setting(**change)


# The batch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{}, {"dtype": "mixed"}, {"in_place": True}, {"checkpointed": ("3", "4")}, {"optimiser": "sgd"}],
)
def test_memory_grows_as_lines(change: Any) -> None:
    network = residual()
    lines = growth(network, SHAPE, Setting(**change))
    assert lines.saved is not None
    assert lines.training is not None
    found = {batch: estimate(network, SHAPE, Setting(batch, **change)) for batch in (1, 2, 3, 8, 200)}
    for batch, memory in found.items():
        assert memory.saved == lines.saved.at(batch)
        assert memory.inference_peak >= lines.inference.at(batch)
        assert memory.training_peak >= lines.training.at(batch)
    assert found[200].training_peak == lines.training.at(200)
    assert found[200].inference_peak == lines.inference.at(200)


@pytest.mark.parametrize("change", [{}, {"dtype": "mixed"}, {"checkpointed": ("3", "4", "5")}])
def test_the_largest_batch_fits_and_one_more_does_not(change: Any) -> None:
    network = residual()
    cards = [Gpu("small", size + 500 * 2**20) for size in (300_000, 400_000, 1_500_000, 40_000_000)]
    for fit in fits(network, SHAPE, Setting(**change), cards).rows:
        limit = fit.gpu.usable
        assert fit.training is not None
        for batch, peak in ((fit.training, "training_peak"), (fit.inference, "inference_peak")):
            if batch:
                assert getattr(estimate(network, SHAPE, Setting(batch, **change)), peak) <= limit
            assert getattr(estimate(network, SHAPE, Setting(batch + 1, **change)), peak) > limit


def test_the_search_agrees_with_trying_every_batch() -> None:
    def peak(batch: int) -> int:
        return max(410, 400 + 7 * batch, 30 * batch - 900)

    for limit in range(380, 1_200):
        tried = max((batch for batch in range(1, 100) if peak(batch) <= limit), default=0)
        assert largest_batch(limit, Line(30, -900), peak) == tried


def test_a_network_for_one_picture_has_no_largest_batch() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(100, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.dense(x.reshape(1, -1)[:, :100])

    with pytest.raises(ModelError, match="fixed number of pictures"):
        growth(nn.Sequential(One(), nn.Unflatten(0, (1, 1))).append(nn.Flatten(0, 4)), (10, 10), Setting())


def test_cards_are_smaller_than_they_are_called() -> None:
    for card in GPUS:
        sold = int(card.name.split(", ")[1].removesuffix(" GB")) * 10**9
        assert 0.9 * sold < card.usable < 1.1 * sold
        assert card.usable < card.total


# The courses -----------------------------------------------------------------------------------------


def test_vgg16_of_the_course() -> None:
    """Stanford's table: 15.2 M numbers by its own rows (it says 24 M), 138 M parameters."""
    known = classic("vgg16-nbis")
    setting = Setting(1, optimiser="adam")
    found: Memory = estimate(known.build(), known.input_shape, setting)
    rule = rule_of_thumb(profile(known.build(), known.input_shape), setting)
    assert rule.activations == 15_237_608
    assert (rule.both.value, rule.weights.value) == (121_900_864, 4 * 4 * 138_357_544)
    assert (found.saved, found.inference.total, found.training_peak) == (
        73_254_912,
        26_292_224,
        3_036_408_576,
    )
    saved = growth(known.build(), known.input_shape, setting).saved
    assert saved is not None
    assert saved.first_above(int(found.weights.value + found.gradients.value + found.optimiser.value)) == 31


@pytest.mark.shared
def test_figures_of_the_course_are_the_reference(shared: Path) -> None:
    stated = json.loads((shared / "reference" / "golden.json").read_text())["memory_measured"]
    known = classic("vgg16-nbis")
    momentum = estimate(known.build(), known.input_shape, Setting(1, optimiser="momentum"))
    rule = rule_of_thumb(profile(known.build(), known.input_shape), Setting(1))
    assert momentum.training_peak == stated["vgg16_train_peak_momentum_b1"]
    assert momentum.saved == stated["vgg16_saved_for_backward"]
    assert rule.forward.value == stated["vgg16_naive_sum_table"]
    assert rule.both.value == stated["vgg16_naive_x2"]


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "mixed"])
def test_a_real_gpu_holds_what_is_estimated(dtype: Any) -> None:
    setting = Setting(8, dtype)
    found = estimate(zoo.resnet18(), (3, 224, 224), setting)
    held, reserved = measured(zoo.resnet18(), (3, 224, 224), setting)
    assert 0.85 * held < found.training_peak < 1.1 * held
    assert reserved >= held
