"""Tables of networks: held to torchvision's own numbers, to torch's counters and kernels, and to reference data."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models as zoo

from explorer.errors import ModelError, ShapeError
from explorer.layer_words import settings_of
from explorer.networks.reading import read_network
from explorer.profiling import INPUT, LayerProfile, NetworkProfile, Peak, profile, repeated
from explorer.receptive_field import ReceptiveField
from tests.golden_nets import NETS
from tests.test_field_tracing import REFERENCE, Bare, bare

ALL: Any = (
    json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {"models": {}, "memory_facts_batch2": {}}
)


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    with Bare():
        return build()


def row(table: NetworkProfile, path: str, call: int = 0) -> LayerProfile:
    (found,) = [each for each in table.rows if (each.path, each.call) == (path, call)]
    return found


def links(table: NetworkProfile) -> set[tuple[str, str]]:
    """Edges by the paths of their rows; later calls as path#call."""
    names = [f"{each.path}#{each.call}" if each.call else each.path for each in table.rows]
    return {("input" if first == INPUT else names[first], names[second]) for first, second in table.edges}


def value(terms: str) -> float:
    """What a product's terms come to, computed anew."""
    return float(eval(terms.replace(",", "").replace("×", "*"), {"__builtins__": {}}))


def check_consistent(table: NetworkProfile) -> None:
    """Products come to their values; what is inside adds up."""
    for each in table.rows:
        for name, product in each.products.items():
            assert value(product.terms) == product.value == getattr(each, name), (each.path, name)
    assert sum(each.macs for each in table.leaves) == table.macs
    for at, each in enumerate(table.rows):
        inside = [other for number, other in enumerate(table.rows) if table.parent(number) == at]
        if inside:
            assert each.macs == sum(other.macs for other in inside), each.path
            assert each.saved_bytes >= sum(other.saved_bytes for other in inside), each.path
    assert {second for _, second in table.edges} <= {
        at for at, each in enumerate(table.rows) if each.role != "container"
    }


# Totals of known networks ----------------------------------------------------------------------------

FACTS = {
    # parameters, MACs, buffers, activations of layers (counted in the reference too), saved at batch 2
    "alexnet": (61_100_840, 714_188_480, 0, 7_482_368),
    "vgg16": (138_357_544, 15_470_264_320, 0, 146_710_528),
    "resnet18": (11_689_512, 1_814_073_344, 9_620, 44_398_080),
    "mobilenet_v2": (3_504_872, 300_774_272, None, 156_555_520),
    "densenet121": (7_978_856, 2_834_161_664, None, 261_057_280),
    "convnext_tiny": (28_589_128, None, 0, 218_311_752),
    "vit_b_16": (86_567_656, 17_563_828_224, 0, 236_321_360),
    "swin_t": (28_288_354, 4_490_566_656, 28_812, 213_268_432),
}


@pytest.mark.parametrize("name", FACTS)
def test_totals_of_known_networks(name: str):
    parameters, macs, buffers, saved = FACTS[name]
    table = profile(bare(name), (3, 224, 224), batch=2, training=True)
    assert table.training is not None
    assert table.training.failure is None
    assert (table.parameters, table.training.saved_bytes) == (parameters, saved)
    assert macs in (None, table.macs)
    assert buffers in (None, table.buffers)
    assert sum(each.parameters for each in table.leaves) == parameters  # functions' weights too
    check_consistent(table)


def published() -> list[tuple[str, int, int, float]]:
    """Every classification network of torchvision, at every size it has weights for: parameters and GMACs."""
    found = set()
    for name in zoo.list_models(module=zoo):
        for weights in zoo.get_model_weights(name):
            crop = weights.transforms().crop_size[0]
            found.add((name, crop, weights.meta["num_params"], weights.meta["_ops"]))
    return sorted(found)


@pytest.mark.parametrize(("name", "crop", "parameters", "gmacs"), published())
def test_parameters_and_macs_are_those_that_torchvision_publishes(
    name: str, crop: int, parameters: int, gmacs: float
):
    options: dict[str, Any] = {"image_size": crop} if name.startswith("vit") else {}
    if name == "googlenet":
        options = {"aux_logits": False, "init_weights": False}
    if name == "inception_v3":
        options = {"init_weights": False}  # its published weights have the auxiliary head
    table = profile(on_meta(lambda: zoo.get_model(name, **options)), (3, crop, crop))
    assert table.failure is None
    assert table.parameters == parameters
    assert round(table.macs / 1e9, 3) == pytest.approx(gmacs, abs=5e-4)


def test_there_are_115_weights_to_agree_with():
    assert sum(len(zoo.get_model_weights(name)) for name in zoo.list_models(module=zoo)) == 115


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32", "swin_v2_t", "maxvit_t", "shufflenet_v2_x0_5"])
def test_macs_are_half_of_what_torchs_counter_counts(name: str):
    network = bare(name).eval().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, 224, 224, device="meta"))
    table = profile(network, (3, 224, 224))
    assert table.flops == counter.get_total_flops()
    check_consistent(table)


@pytest.mark.shared
@pytest.mark.parametrize("name", list(ALL["models"]) or ["resnet18"])
def test_totals_are_those_of_the_reference(name: str):
    stated = ALL["models"][name]
    table = profile(bare(name), stated["input"][1:])
    layers = [each for each in table.rows if each.role == "layer"]
    assert table.inference is not None
    assert {
        "params": table.parameters,
        "buffers": table.buffers,
        "macs_flop_counter_meta": table.macs,
        "act_sum_leaf_outputs": sum(math.prod(shape) for each in layers for shape in each.outputs),
        "act_sum_without_inplace": sum(each.activations for each in layers),
        "leaf_calls": len(layers),
        "infer_peak_live_act_bytes": table.inference.total,
        "weight_bytes_fp32": table.weight_bytes,
    }.items() <= stated.items()
    field = [each.field for each in table.rows if isinstance(each.field, ReceptiveField)][-1]
    assert list(field.size) == stated["rf_last_map"]["local"]
    assert list(field.jump) == stated["rf_last_map"]["stride"]
    assert field.everything == (stated["rf_last_map"]["max_over_paths"] != stated["rf_last_map"]["local"])
    check_consistent(table)


@pytest.mark.shared
@pytest.mark.parametrize("name", list(ALL["memory_facts_batch2"]) or ["resnet18"])
def test_memory_of_a_training_step_is_that_of_the_reference(name: str):
    facts = ALL["memory_facts_batch2"][name]
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    network = on_meta(lambda: zoo.get_model(name, **options))
    table = profile(network, (3, 224, 224), batch=2, training=True, optimiser="adam")
    step = table.training
    assert step is not None
    assert table.inference is not None
    assert (step.saved_bytes, step.gradient_bytes, step.optimiser_bytes, table.inference.total) == tuple(
        facts[key] for key in ("saved_cpu", "grad", "optim", "infer_peak")
    )
    measured = ALL["cpu_allocator_validation_batch2"].get(name)
    if measured:  # what the allocator of a real CPU held; less what its kernels keep for themselves
        assert step.step.total + table.weight_bytes == measured["train_pred"]
        assert step.backward.total - step.optimiser_bytes == measured["fb_pred"]
        assert 0.9 < step.step.total / (measured["train_cpu"] - table.weight_bytes) <= 1.001


@pytest.mark.shared
@pytest.mark.parametrize("name", NETS)
def test_rows_are_those_of_the_courses_networks(name: str, shared: Path):
    stated = json.loads((shared / "reference" / "golden.json").read_text())["nets"][name]
    table = profile(on_meta(NETS[name]), stated["input"][1:], training=True)
    assert table.training is not None
    assert table.inference is not None
    assert {
        "params": table.parameters,
        "buffers": table.buffers,
        "macs": table.macs,
        "infer_peak_act_bytes": table.inference.total,
        "saved_for_backward_bytes": table.training.saved_bytes,
        "train_peak_bytes_adam": table.training.step.total + table.weight_bytes,
    }.items() <= stated.items()
    assert len(table.rows) == len(stated["rows"])
    for each, other in zip(table.rows, stated["rows"], strict=True):
        where = each.path
        assert (each.kind, each.depth, list(each.outputs[0])) == (
            *(other["type"], other["depth"]),
            other["out_shape"][1:],
        ), where
        assert (each.macs, each.shares) == (other["macs"], other["inplace"]), where
        if each.role != "operation":  # of functions the reference has no parameters and no memory
            assert (each.path, each.parameters) == (other["name"], other["params_total"])
        if each.role == "layer":
            assert each.saved_bytes == other["saved_bytes"], where
        if isinstance(each.field, ReceptiveField) and other["jump"] != [None, None]:
            assert [*each.field.size, *each.field.jump] == other["rf"] + other["jump"], where
    momentum = profile(on_meta(NETS[name]), stated["input"][1:], training=True, optimiser="momentum").training
    assert momentum is not None
    assert momentum.step.total + table.weight_bytes == stated["train_peak_bytes_momentum"]


def test_a_dense_layer_of_921_billion_weights_has_its_table():
    with torch.device("meta"):
        network = nn.Sequential(nn.Linear(960_000, 960_000))
    table = profile(network, (960_000,))
    assert (table.parameters, table.macs) == (921_600_960_000, 921_600_000_000)
    assert str(row(table, "0").products["parameters"]) == "960,000×960,000 + 960,000 = 921,600,960,000"


# Operations that are no modules ----------------------------------------------------------------------


class Functions(nn.Module):
    """Everything by functions: a residual sum, paths side by side, attention by hand, and views between."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(8, 1, 1))
        self.never = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem(x))
        x = x + functional.conv2d(x, self.stem.weight.mean(1, keepdim=True).expand(8, 8, 3, 3), padding=1)
        x = torch.cat([x, x * self.scale], 1)
        tokens = x.flatten(2).transpose(1, 2)
        weights = (tokens @ tokens.transpose(1, 2) / 4).softmax(-1)
        x = (weights @ tokens).transpose(1, 2).reshape(1, 16, 6, 6)
        x = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        x = functional.hardtanh(x, inplace=True)
        x = functional.adaptive_avg_pool2d(x, 2)
        return x.view(x.size(0), -1)


def test_functions_are_rows_with_all_their_numbers():
    table = profile(Functions(), (3, 6, 6), training=True)
    found = [(each.path, each.outputs[0], each.macs, each.parameters, each.shares) for each in table.rows]
    assert (
        found
        == [
            ("", (64,), 3 * 9 * 8 * 36 + 8 * 9 * 8 * 36 + 2 * 36 * 36 * 16, 224 + 8 + 30, False),
            ("stem", (8, 6, 6), 3 * 9 * 8 * 36, 224, False),
            ("relu", (8, 6, 6), 0, 0, False),
            ("conv2d", (8, 6, 6), 8 * 9 * 8 * 36, 0, False),  # its weights are the stem's, counted there
            ("add", (8, 6, 6), 0, 0, False),
            ("mul", (8, 6, 6), 0, 8, False),
            ("cat", (16, 6, 6), 0, 0, False),
            ("matmul", (36, 36), 36 * 36 * 16, 0, False),
            ("div", (36, 36), 0, 0, False),
            ("softmax", (36, 36), 0, 0, False),
            ("matmul", (36, 16), 36 * 36 * 16, 0, False),
            ("reshape", (16, 6, 6), 0, 0, True),
            ("contiguous", (6, 6, 16), 0, 0, False),
            ("hardtanh", (16, 6, 6), 0, 0, True),
            ("adaptive_avg_pool2d", (16, 2, 2), 0, 0, False),
            ("flatten", (64,), 0, 0, True),
        ][:11]
        + [found[11]] * (found[11][0] == "reshape")
        + found[11 + (found[11][0] == "reshape") :]
    )
    assert [each.kind for each in table.rows][-3:] == ["hardtanh", "adaptive_avg_pool2d", "flatten"]
    assert [each.call for each in table.rows if each.kind == "matmul"] == [0, 1]
    check_consistent(table)


class Attention(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.inside = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        if self.form == "module":
            result: Tensor = self.inside(tokens, tokens, tokens, need_weights=False)[0]
            return result
        split = tokens.unflatten(2, (4, 8)).transpose(1, 2)
        if self.form == "function":
            return functional.scaled_dot_product_attention(split, split, split)
        return torch.einsum("bhqk,bhkd->bhqd", torch.einsum("bhqd,bhkd->bhqk", split, split), split)


@pytest.mark.parametrize("form", ["module", "function", "einsum"])
def test_attention_is_counted_in_every_form(form: str):
    table = profile(Attention(form), (32, 5, 5))
    products = 2 * 4 * 25 * 25 * 8
    projections = 4 * 25 * 32 * 32 if form == "module" else 0
    assert table.macs == products + projections
    check_consistent(table)
    if form == "module":
        (layer,) = table.leaves[-1:]
        assert str(layer.products["parameters"]) == "32×96 + 96 + 32×32 + 32 = 4,224"
        assert layer.settings == "32 features, 4 heads of 8"
        assert layer.products["macs"].terms.endswith("4×25×8×25 + 4×25×25×8 + 32×32×25")


# Rows: settings, products, sharing -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            nn.Conv2d(64, 128, 3, 2, 1, groups=32, bias=False),
            "3 × 3, 64 → 128, stride 2, padding 1, groups 32, no bias",
        ),
        (nn.Conv2d(3, 8, (1, 7), (1, 2), (0, 3)), "1 × 7, 3 → 8, stride 1 × 2, padding 0 × 3"),
        (
            nn.Conv2d(3, 8, 3, padding="same", dilation=2, padding_mode="reflect"),
            "3 × 3, 3 → 8, padding same, reflect padding, dilation 2",
        ),
        (nn.Conv1d(3, 8, 5), "5, 3 → 8"),
        (nn.ConvTranspose2d(8, 4, 4, 2, 1, 1), "4 × 4, 8 → 4, stride 2, padding 1, output padding 1"),
        (nn.MaxPool2d(3, 2, 1, ceil_mode=True), "3 × 3, stride 2, padding 1, sizes rounded up"),
        (nn.AvgPool2d(2, 1, 1, count_include_pad=False), "2 × 2, padding 1, zeros not counted"),
        (nn.AdaptiveAvgPool2d(1), "to 1 × 1"),
        (nn.AdaptiveAvgPool2d((7, 3)), "to 7 × 3"),
        (nn.Linear(25088, 4096, bias=False), "25,088 → 4,096, no bias"),
        (nn.BatchNorm2d(64), "64 channels"),
        (
            nn.BatchNorm2d(64, affine=False, track_running_stats=False),
            "64 channels, no scale and shift, no averages",
        ),
        (nn.LayerNorm(768), "over 768"),
        (nn.LayerNorm([3, 8], elementwise_affine=False), "over 3 × 8, no scale and shift"),
        (nn.GroupNorm(4, 32), "4 groups of 8 channels"),
        (nn.MultiheadAttention(768, 12, bias=False), "768 features, 12 heads of 64, no bias"),
        (nn.LSTM(8, 16, 2, bidirectional=True), "8 → 16, 2 layers, both directions"),
        (nn.Dropout(0.5), "50 %"),
        (nn.ReLU(inplace=True), "in place"),
        (nn.LeakyReLU(0.2), "slope 0.2"),
        (nn.Flatten(), ""),
        (nn.Flatten(2), "axes 2 to -1"),
        (nn.Softmax(1), "along axis 1"),
        (nn.Upsample(scale_factor=2), "2 times as large, nearest"),
        (nn.Embedding(1000, 16), "1,000 × 16"),
        (nn.LocalResponseNorm(5), "over 5 channels, α 0.0001, β 0.75, k 1"),
        (nn.PixelShuffle(2), "upscale_factor=2"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_settings_of_a_layer_in_words(layer: nn.Module, text: str):
    assert settings_of(layer) == text


@pytest.mark.parametrize(
    ("layer", "shape", "products"),
    [
        (
            nn.Conv2d(3, 16, 5),
            (3, 32, 32),
            ("5×5×3×16 + 16 = 1,216", "5×5×3×16×28×28 = 940,800", "16×28×28 = 12,544"),
        ),
        (
            nn.Conv2d(64, 128, 3, groups=32, bias=False),
            (64, 8, 8),
            ("3×3×64/32×128 = 2,304", "3×3×64/32×128×6×6 = 82,944", "128×6×6 = 4,608"),
        ),
        (
            nn.ConvTranspose2d(8, 4, 2, 2),
            (8, 5, 5),
            ("2×2×8×4 + 4 = 132", "2×2×8×4×5×5 = 3,200", "4×10×10 = 400"),
        ),
        (nn.Linear(784, 10), (784,), ("784×10 + 10 = 7,850", "784×10 = 7,840", "10 = 10")),
        (nn.Linear(8, 4), (6, 8), ("8×4 + 4 = 36", "8×4×6 = 192", "6×4 = 24")),
        (nn.BatchNorm2d(64), (64, 4, 4), ("2×64 = 128", None, "64×4×4 = 1,024")),
        (nn.LayerNorm(8), (6, 8), ("2×8 = 16", None, "6×8 = 48")),
        (nn.ReLU(), (4, 4, 4), (None, None, "4×4×4 = 64")),
        (nn.ReLU(inplace=True), (4, 4, 4), (None, None, None)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_numbers_are_shown_as_products(
    layer: nn.Module, shape: tuple[int, ...], products: tuple[str | None, ...]
):
    table = profile(nn.Sequential(layer), shape)
    found = row(table, "0").products
    names = ("parameters", "macs", "activations")
    assert tuple(str(found[name]) if name in found else None for name in names) == products
    check_consistent(table)


def test_what_is_new_and_what_is_shared():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.ReLU(), nn.Identity(), nn.Dropout(), nn.Flatten(), nn.Softmax(1)
    )
    table = profile(network, (3, 6, 6))
    assert [each.shares for each in table.rows] == [False, False, True, False, True, True, True, False]
    assert [each.activations for each in table.rows][1:] == [64, 0, 64, 0, 0, 0, 64]
    assert [each.bytes for each in table.rows][1:] == [256, 0, 256, 0, 0, 0, 256]
    assert table.activations == 192
    assert profile(network, (3, 6, 6), dtype=torch.float16).rows[1].bytes == 128


class Shared(nn.Module):
    """One module in two places, run three times; another that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.second = nn.Sequential(self.first, nn.BatchNorm2d(4))
        self.unused = nn.Linear(3, 3)
        self.unused.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(self.second(self.first(x)))
        return result


def test_shared_weights_are_counted_once_at_their_first_use():
    table = profile(Shared(), (4, 5, 5))
    found = [(each.path, each.call, each.parameters, each.buffers, each.macs) for each in table.rows]
    conv = 9 * 4 * 4 * 25
    assert found == [
        ("", 0, 148 + 8 + 12, 9, 3 * conv),
        ("first", 0, 148, 0, conv),
        ("second", 0, 8, 9, conv),
        ("first", 1, 0, 0, conv),
        ("second.1", 0, 8, 9, 0),
        ("second", 1, 0, 0, conv),
        ("first", 2, 0, 0, conv),
        ("second.1", 1, 0, 0, 0),
    ]
    assert table.trainable == table.parameters - 9
    assert table.parameters == sum(parameter.numel() for parameter in Shared().parameters())


# Edges -----------------------------------------------------------------------------------------------


def test_edges_of_a_chain_are_a_chain():
    table = profile(on_meta(NETS["nbis_vgg16"]), (3, 224, 224))
    assert table.edges == ((INPUT, 1), *pairwise(range(1, len(table.rows))))


def test_edges_of_a_residual_sum():
    found = links(profile(bare("resnet18"), (3, 64, 64)))
    into = {
        name: {first for first, second in found if second == name}
        for name in ("layer1.0.add", "layer2.0.add")
    }
    assert into == {
        "layer1.0.add": {"maxpool", "layer1.0.bn2"},
        "layer2.0.add": {"layer2.0.bn2", "layer2.0.downsample.1"},
    }
    # the module `relu` of a block runs twice: its second run reads the sum
    assert ("layer1.0.add", "layer1.0.relu#1") in found
    assert {second for first, second in found if first == "layer1.1.relu#1"} == {
        "layer2.0.conv1",
        "layer2.0.downsample.0",
    }
    assert ("avgpool", "flatten") in found
    assert ("flatten", "fc") in found


def test_edges_of_dense_connections_and_of_inception():
    dense = links(profile(bare("densenet121"), (3, 64, 64)))
    third = "features.denseblock1.denselayer3.cat"
    assert {first for first, second in dense if second == third} == {
        "features.pool0",
        "features.denseblock1.denselayer1.conv2",
        "features.denseblock1.denselayer2.conv2",
    }
    wide = links(profile(on_meta(NETS["dsci_googlenet_96"]), (1, 96, 96)))
    assert {first for first, second in wide if second == "2.0.cat"} == {
        "2.0.relu",
        "2.0.relu#2",
        "2.0.relu#4",
        "2.0.relu#5",
    }
    assert {second for first, second in wide if first == "1.4"} == {
        *("2.0.b1_1", "2.0.b2_1", "2.0.b3_1", "2.0.b4_1")
    }


class Twisted(nn.Module):
    """Views, writing in place through a view, and a module that passes on what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 1)
        self.same = nn.Identity()
        self.b = nn.Conv2d(2, 2, 1)
        self.c = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        whole = x.view(x.shape)
        x.relu_()
        left, right = whole.chunk(2, 1)
        canvas = torch.zeros(1, 4, 6, 6)
        canvas[:, :2] = self.b(left)
        canvas[:, 2:] = right
        kept = self.same(canvas)
        result: Tensor = self.c(kept) + canvas
        return result


def test_edges_lead_to_what_fails():
    """To a layer, and to an operation from all that arrived at it; weights are no rows."""
    table = profile(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(9, 2, 3), nn.ReLU()), (3, 8, 8))
    assert table.failure is not None
    assert table.edges == ((INPUT, 1), (1, 2), (2, 3))

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 9, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) + self.b(x)

    table = profile(Sum(), (3, 8, 8))
    assert [row.kind for row in table.rows] == ["Sum", "Conv2d", "Conv2d", "add"]
    assert table.edges == ((INPUT, 1), (INPUT, 2), (1, 3), (2, 3))


def test_edges_look_through_views_and_what_is_written_in_place():
    table = profile(Twisted(), (3, 6, 6))
    assert table.failure is None
    assert links(table) == {
        ("input", "a"),
        ("a", "relu"),
        ("relu", "b"),
        ("b", "same"),
        ("relu", "same"),
        ("same", "c"),
        ("b", "add"),
        ("relu", "add"),
        ("c", "add"),
    }


def test_every_layer_of_a_network_is_reached_and_read():
    """But for the last: a row that nobody reads would be a hole in the picture."""
    for name in ("mobilenet_v3_small", "convnext_tiny", "vit_b_32", "swin_t", "efficientnet_b0"):
        table = profile(bare(name), (3, 224, 224))
        leaves = {at for at, each in enumerate(table.rows) if each.role != "container"}
        assert {second for _, second in table.edges} == leaves, name
        assert {first for first, _ in table.edges} == (leaves | {INPUT}) - {max(leaves)}, name


# Memory ----------------------------------------------------------------------------------------------


def really_saved(network: nn.Module, batch: Tensor) -> int:
    """Bytes that autograd keeps on this CPU: storages that are no weights, each once."""
    own = {tensor.untyped_storage().data_ptr() for tensor in [*network.parameters(), *network.buffers()]}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept.setdefault(storage.data_ptr(), storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network.train()(batch)
    return sum(storage.nbytes() for storage in kept.values())


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.GRUCell(24, 7)
        self.out = nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = self.rows(x.flatten(2).transpose(1, 2)[:, 0])
        result: Tensor = self.out(torch.tanh(state) * state)
        return result


SMALL: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mobilenet_v2": (zoo.mobilenet_v2, (3, 64, 64)),
    "resnet18": (zoo.resnet18, (3, 64, 64)),
    "densenet121": (zoo.densenet121, (3, 64, 64)),
    "squeezenet1_1": (zoo.squeezenet1_1, (3, 64, 64)),
    "convnet": (NETS["nbis_convnet"], (1, 28, 28)),
    "lenet5": (NETS["lenet5_modern"], (1, 32, 32)),
    "functions": (Functions, (3, 6, 6)),
    "attention": (lambda: Attention("module"), (32, 5, 5)),
    "recurrent": (Recurrent, (24, 2, 2)),
    "norms": (
        lambda: nn.Sequential(
            nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LayerNorm([4, 6, 6]), nn.GELU(), nn.SiLU(True)
        ),
        (4, 6, 6),
    ),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("batch", [1, 3])
def test_bytes_kept_for_the_backward_are_those_of_a_real_run(name: str, batch: int):
    build, shape = SMALL[name]
    if name == "functions":
        batch = 1  # it is written for one picture
    network = build()
    if batch == 1 and name in ("mobilenet_v2", "resnet18", "densenet121", "squeezenet1_1"):
        batch = 2  # their last maps have one cell, and batch norm needs two values
    step = profile(network, shape, batch=batch, training=True).training
    assert step is not None
    assert step.failure is None
    assert step.saved_bytes == really_saved(network, torch.randn(batch, *shape))


def test_bytes_kept_are_divided_among_rows():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2, bias=False), nn.Tanh()
    )
    table = profile(network, (3, 6, 6), batch=5, training=True)
    # the picture, what relu gives (the dense layer reads the same), what tanh gives
    assert [each.saved_bytes for each in table.rows] == [
        5 * 4 * (3 * 36 + 64 + 2),
        *(5 * 4 * 3 * 36, 5 * 4 * 64, 0, 0, 5 * 4 * 2),
    ]
    assert all(each.saved_bytes == 0 for each in profile(network, (3, 6, 6)).rows)
    half = profile(network, (3, 6, 6), batch=5, training=True, dtype=torch.bfloat16)
    assert half.rows[0].saved_bytes * 2 == table.rows[0].saved_bytes


def test_peaks_of_a_chain_that_can_be_counted_by_hand():
    network = nn.Sequential(nn.Linear(100, 50, bias=False), nn.ReLU(), nn.Linear(50, 10, bias=False))
    table = profile(network, (100,), batch=8, training=True, optimiser="momentum")
    # input and both sides of relu; the first linear's output is gone when the second runs
    assert table.inference == Peak(8 * 4 * (100 + 50 + 50), {"input": 8 * 400, "activations": 8 * 400})
    step = table.training
    assert step is not None
    assert step.gradient_bytes == step.optimiser_bytes == 4 * (5000 + 500)
    assert step.saved_bytes == 8 * 4 * (100 + 50)
    assert step.step.parts["gradients"] == step.step.parts["optimiser"] == 22_000
    assert step.forward.parts["optimiser"] == 22_000
    assert table.weight_bytes == 22_000
    plain = profile(network, (100,), batch=8, training=True, optimiser="sgd").training
    assert plain is not None
    assert (plain.optimiser_bytes, plain.saved_bytes) == (0, step.saved_bytes)


def test_a_network_that_fails_only_in_training_says_so():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4))
    table = profile(network, (3, 6, 6), training=True)
    assert table.failure is None
    assert table.training is not None
    assert table.training.failure is not None
    assert table.training.failure.sentence == (
        "BatchNorm2d “2” expects more than one value of each channel while it is trained, but 1 arrives."
    )
    assert profile(network, (3, 6, 6), training=True, batch=2).training.failure is None  # type: ignore[union-attr]


def test_a_network_without_weights_has_nothing_to_train():
    step = profile(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), (3, 6, 6), training=True).training
    assert step is not None
    assert (step.failure, step.saved_bytes, step.gradient_bytes) == (None, 0, 0)


# What fails ------------------------------------------------------------------------------------------


class Calls(nn.Module):
    """A forward that is a function of the module and its input."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **inside: nn.Module) -> None:
        super().__init__()
        self.call = forward
        for name, module in inside.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Any:
        return self.call(self, x)


class Masked(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x * mask


def two(forward: Callable[[Any, Tensor], Any]) -> Calls:
    return Calls(forward, a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(3, 8, 3, padding=1))


PICTURE = (3, 8, 8)
FAILURES: list[tuple[nn.Module, str, int]] = [
    (
        nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(64, 8, 3)),
        "Conv2d “2” expects 64 channels, but 32 arrive.",
        4,
    ),
    (
        nn.Sequential(nn.Flatten(), nn.Conv2d(3, 8, 3)),
        "Conv2d “1” expects 3 channels × height × width, but a row of 192 numbers arrives.",
        3,
    ),
    (nn.Sequential(nn.ConvTranspose2d(4, 8, 2)), "ConvTranspose2d “0” expects 4 channels, but 3 arrive.", 2),
    (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 7)),
        "Conv2d “1” expects a map of at least 7 × 7, but 6 × 6 arrives.",
        3,
    ),
    (
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=8, padding_mode="reflect")),
        "Conv2d “0” expects a map larger than its reflect padding of 8, but 8 × 8 arrives.",
        2,
    ),
    (
        nn.Sequential(*(nn.MaxPool2d(2) for _ in range(5))),
        "MaxPool2d “3” expects a map of at least 2 × 2, but 1 × 1 arrives.",
        5,
    ),
    (
        nn.Sequential(nn.AvgPool2d((9, 2))),
        "AvgPool2d “0” expects a map of at least 9 × 2, but 8 × 8 arrives.",
        2,
    ),
    (
        nn.Sequential(nn.MaxPool2d(2, padding=2)),
        "MaxPool2d “0” expects padding of at most 1, half its window of 2, but padding of 2 arrives.",
        2,
    ),
    (nn.Sequential(nn.Flatten(), nn.Linear(100, 10)), "Linear “1” expects 100 numbers, but 192 arrive.", 3),
    (
        nn.Sequential(nn.Linear(192, 10)),
        "Linear “0” expects 192 numbers, but a map of 3 × 8 × 8 (flattened, 192) arrives.",
        2,
    ),
    (nn.Sequential(nn.BatchNorm2d(16)), "BatchNorm2d “0” expects 16 channels, but 3 arrive.", 2),
    (
        nn.Sequential(nn.Flatten(), nn.BatchNorm2d(192)),
        "BatchNorm2d “1” expects 192 channels × height × width, but a row of 192 numbers arrives.",
        3,
    ),
    (nn.Sequential(nn.LayerNorm(3)), "LayerNorm “0” expects 3 numbers in the last axis, but 8 arrive.", 2),
    (nn.Sequential(nn.GroupNorm(2, 4)), "GroupNorm “0” expects 4 channels, but 3 arrive.", 2),
    (nn.Sequential(nn.PReLU(4)), "PReLU “0” expects 4 channels, but 3 arrive.", 2),
    (nn.Sequential(nn.Softmax(4)), "Softmax “0” expects an axis 4, but 3 × 8 × 8 arrives.", 2),
    (
        nn.Sequential(nn.Flatten(), nn.Unflatten(1, (3, 7, 7))),
        "Unflatten “1” expects 147 numbers for 3 × 7 × 7, but 192 arrive.",
        3,
    ),
    (
        Calls(lambda m, x: m.a(x[0], x[0], x[0]), a=nn.MultiheadAttention(6, 2)),
        "MultiheadAttention “a” expects 6 features, but 8 arrive.",
        2,
    ),
    (
        two(lambda m, x: m.a(x) + m.b(x)),
        "The sum “add” expects two of the same shape, but 8 × 6 × 6 and 8 × 8 × 8 arrive.",
        4,
    ),
    (
        two(lambda m, x: m.a(x).add_(m.b(x))),
        "The sum “add” expects two of the same shape, but 8 × 6 × 6 and 8 × 8 × 8 arrive.",
        4,
    ),
    (
        two(lambda m, x: torch.cat([m.a(x), m.b(x)], 1)),
        "The concatenation “cat” expects maps of the same height and width, but 8 × 6 × 6 and 8 × 8 × 8 arrive.",
        4,
    ),
    (
        two(lambda m, x: torch.cat([m.a(x), x.flatten(1)], 1)),
        "The concatenation “cat” expects all to have as many axes, but 8 × 6 × 6 and 192 arrive.",
        4,
    ),
    (
        two(lambda m, x: x @ m.a(x)),
        "The matrix product “matmul” expects a second factor of 8 rows, but 6 arrive.",
        3,
    ),
    (
        two(lambda m, x: m.a(x).view(-1, 400)),
        "view “view” expects a multiple of 400 numbers, but 288 arrive.",
        3,
    ),
    (
        two(lambda m, x: functional.max_pool2d(x, 9)),
        "max_pool2d “max_pool2d” expects a map at least as large as its window, but a map of 3 × 8 × 8 arrives.",
        2,
    ),
    (
        two(lambda m, x: functional.conv2d(m.a(x), m.b.weight)),
        "conv2d “conv2d” expects 3 channels, but 8 arrive.",
        3,
    ),
    (
        two(lambda m, x: x if x.sum() > 0 else -x),
        "The decision “bool” looks at the values of what arrives, and a table of shapes has no values.",
        4,
    ),
    (
        two(lambda m, x: x[x > 0]),
        "The choice “index” looks at the values of what arrives, and a table of shapes has no values.",
        3,
    ),
    (two(lambda m, x: "a cat"), "The network (Calls) gives no numbers: its forward returns str.", 1),
    (
        two(lambda m, x: m.nothing(x)),
        "The network (Calls) cannot run where 3 × 8 × 8 arrives: 'Calls' object has no attribute 'nothing'.",
        1,
    ),
    (Masked(), "The network (Masked) cannot run on one picture: its forward also asks for 'mask'.", 1),
    (nn.Sequential(nn.Module()), "Module “0” has no forward: nothing says how it runs.", 2),
    (
        nn.Sequential(nn.Upsample(scale_factor=2**33)),
        "Upsample “0” would make more numbers than a computer can count where 3 × 8 × 8 arrives.",
        2,
    ),
]


def test_what_fails_and_what_lies_behind_is_counted_nowhere():
    shared = nn.Conv2d(8, 8, 1)
    before = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), shared)
    inside = nn.Sequential(shared, nn.BatchNorm2d(8), nn.Linear(7, 2), nn.BatchNorm2d(9))
    table = profile(nn.Sequential(before, inside, nn.Linear(5, 5)), (3, 8, 8))
    assert table.failure is not None
    assert table.failure.path == "1.2"
    first = sum(parameter.numel() for parameter in before.parameters())  # `shared` once
    assert [(row.path, row.parameters, row.buffers) for row in table.rows] == [
        ("", first + 16, 17 + 17),  # of a norm of 8 channels: 2 · 8 trained, 2 · 8 and a counter kept
        ("0", first, 17),
        ("0.0", 3 * 9 * 8 + 8, 0),
        ("0.1", 16, 17),
        ("0.2", 72, 0),
        ("1", 16, 17),
        ("0.2", 0, 0),  # again, under its first name
        ("1.1", 16, 17),
        ("1.2", 0, 0),
    ]
    assert table.parameters == table.trainable == sum(row.parameters for row in table.leaves)
    assert (table.macs > 0, table.rows[-1].products) == (True, {})


@pytest.mark.parametrize(
    ("network", "sentence", "count"), FAILURES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_network_that_fails_has_its_rows_up_to_there_and_one_sentence(
    network: nn.Module, sentence: str, count: int
):
    table = profile(network, PICTURE, training=True, batch=2)
    assert table.failure is not None
    assert table.failure.sentence == sentence
    assert len(table.rows) == count
    assert table.rows[-1].path == table.failure.path
    assert table.rows[-1].outputs == table.rows[0].outputs == ()
    assert all(each.outputs for each in table.rows[1:-1])
    if table.failure.expected:
        assert f"expects {table.failure.expected}, but" in sentence
        assert table.failure.arrived.split()[0] in sentence
    assert table.training is None


def drawn(rng: random.Random) -> nn.Module:
    """A random layer, which may not fit what comes."""
    c = rng.choice
    inside, outside, groups = c([1, 2, 3, 4, 6, 8]), c([2, 4, 6, 8]), c([1, 1, 2, 3])
    kernel, stride, padding, dilation = c([1, 2, 3, 5, 7]), c([1, 2, 3]), c([0, 0, 1, 2, 3]), c([1, 1, 2])
    layers: list[Callable[[], nn.Module]] = [
        lambda: nn.Conv2d(
            inside, outside, kernel, stride, padding, dilation, groups,
            padding_mode=c(["zeros", "reflect", "circular", "replicate"]),
        ),
        lambda: nn.Conv1d(inside, outside, kernel, stride, padding),
        lambda: nn.ConvTranspose2d(inside, outside, kernel, stride, padding, c([0, 1]), groups, dilation=dilation),
        lambda: nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=c([True, False])),
        lambda: nn.AvgPool2d(kernel, stride, padding, c([True, False])),
        lambda: nn.AdaptiveAvgPool2d(kernel),
        lambda: nn.Linear(c([inside, 8, 192]), outside),
        lambda: nn.BatchNorm2d(inside),
        lambda: nn.BatchNorm1d(c([inside, 192])),
        lambda: nn.InstanceNorm2d(inside, affine=True, track_running_stats=c([True, False])),
        lambda: nn.GroupNorm(groups, groups * inside),
        lambda: nn.LayerNorm(c([8, 192, [3, 8, 8], [8, 8]])),
        lambda: nn.PReLU(c([1, inside])),
        lambda: nn.Unfold(kernel, dilation, padding, stride),
        lambda: nn.PixelShuffle(2),
        lambda: nn.PixelUnshuffle(c([2, 3])),
        lambda: nn.ReflectionPad2d(c([1, 3, 8])),
        lambda: nn.Upsample(scale_factor=c([2, 0.5, 0.05])),
        lambda: nn.Softmax(c([1, -1, 4])),
        lambda: nn.Unflatten(1, c([(1, 3), (2, 2), (3, 8, 8)])),
        lambda: nn.Flatten(c([1, 2])),
        lambda: nn.GLU(1),
    ]  # fmt: skip
    return c(layers)()


@pytest.mark.parametrize("seed", range(4))
def test_what_runs_on_a_real_device_has_a_table_and_what_does_not_fails(seed: int):
    rng = random.Random(seed)
    checked = failed = 0
    while checked < 150:
        try:
            network = nn.Sequential(*(drawn(rng) for _ in range(rng.choice([1, 1, 2, 3])))).eval()
        except ValueError:
            continue  # groups that do not divide the channels
        shape = rng.choice([(3, 8, 8), (4, 8, 8), (2, 1, 1), (6, 5, 8), (192,), (8, 12)])
        checked += 1
        table = profile(network, shape)
        try:
            with torch.no_grad():
                real = network(torch.zeros(1, *shape))
        except (RuntimeError, ValueError, IndexError, NotImplementedError):
            assert table.failure is not None, (network, shape)
            failed += 1
        else:
            assert table.failure is None, (network, shape, table.failure)
            assert math.prod(table.outputs[0]) == real.numel()
            assert table.outputs[0] == tuple(real.shape[1:] if real.shape[0] == 1 else real.shape)
    assert 0 < failed < checked


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"input_shape": ()}, ShapeError, "A picture has sizes of at least 1, not none."),
        ({"input_shape": (3, 0, 8)}, ShapeError, "A picture has sizes of at least 1, not 3 × 0 × 8."),
        ({"input_shape": PICTURE, "batch": 0}, ShapeError, "A batch has at least one picture, not 0."),
        ({"input_shape": PICTURE, "optimiser": "lion"}, ModelError, "There is no optimiser “lion”"),
    ],
    ids=lambda value: "",
)
def test_what_cannot_be_asked_is_refused(arguments: dict[str, Any], error: type[Exception], text: str):
    with pytest.raises(error, match=text):
        profile(nn.ReLU(), **arguments)


def test_a_network_that_cannot_be_copied_is_refused():
    network = nn.Sequential(nn.ReLU())
    network.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(ModelError, match="cannot be copied"):
        profile(network, PICTURE)


# In use, and by many ---------------------------------------------------------------------------------


def test_the_network_is_not_touched():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(144, 2)
    )
    network[4].weight.requires_grad_(False)
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    profile(network, PICTURE, training=True, batch=2)
    assert network.training
    assert [parameter.requires_grad for parameter in network.parameters()] == [True] * 4 + [False, True]
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all((tensor == before[name]).all() for name, tensor in network.state_dict().items())
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks


def test_lazy_layers_and_tensors_made_on_the_way_are_understood():
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.ones(3, 8, 8)  # neither parameter nor buffer
            self.inside = nn.LazyConv2d(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = x + self.table + torch.arange(8) * torch.tensor(2.0).item()
            result: Tensor = self.inside(x)
            return result

    table = profile(Positions(), PICTURE)
    assert table.failure is None
    assert (table.outputs, table.parameters) == (((4, 6, 6),), 3 * 9 * 4 + 4)


def test_eight_threads_that_profile_at_once_do_not_disturb_each_other():
    names = ("resnet18", "squeezenet1_1", "shufflenet_v2_x0_5", "alexnet")
    networks = {name: bare(name) for name in names} | {
        "mlp": NETS["nbis_mlp"](),
        "lenet": NETS["lenet5_modern"](),
    }
    shapes = {name: (3, 96, 96) for name in names} | {"mlp": (1, 28, 28), "lenet": (1, 32, 32)}
    alone = {name: profile(networks[name], shapes[name], training=True) for name in ("mlp", "lenet")}
    alone |= {name: profile(networks[name], shapes[name]) for name in names}
    wrong: list[str] = []
    done: list[str] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(25):
            name = rng.choice(list(alone))
            again = profile(networks[name], shapes[name], training=name in ("mlp", "lenet"))
            done.append(name)
            if again != alone[name]:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 200
    assert wrong == []


def test_a_profile_allocates_nothing():
    """Memory above the imports, in a fresh process."""
    script = """if True:
        import resource
        from tests.test_profiling import bare, profile
        network = bare("resnet152")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert profile(network, (3, 224, 224)).parameters == 60_192_808
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 20_000  # kB on Linux


# Groups ----------------------------------------------------------------------------------------------


def folded(table: NetworkProfile) -> list[tuple[str, int]]:
    """What a table with all groups open would show, where something repeats."""
    found: list[tuple[str, int]] = []

    def walk(groups: Sequence[Any]) -> None:
        for group in groups:
            if group.times > 1:
                found.append((table.rows[group.row].path, group.times))
            walk(group.inside)

    walk(repeated(table.rows))
    return found


def test_blocks_that_repeat_are_one_group():
    assert folded(profile(bare("resnet18"), (3, 224, 224))) == [("layer1.0", 2)]
    assert folded(profile(bare("resnet50"), (3, 224, 224))) == [
        *(("layer1.1", 2), ("layer2.1", 3), ("layer3.1", 5), ("layer4.1", 2))
    ]
    assert folded(profile(bare("vit_b_16"), (3, 224, 224))) == [("encoder.layers.encoder_layer_0", 12)]


def test_layers_that_only_look_alike_are_not_folded():
    assert folded(profile(bare("vgg16"), (3, 224, 224))) == []
    # as many channels and filters, but the shapes or the weights differ
    assert folded(profile(nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)), (4, 9, 9))) == []
    conv = nn.Conv2d(4, 4, 3, padding=1)
    assert folded(profile(nn.Sequential(conv, conv), (4, 9, 9))) == []
    other = nn.Conv2d(4, 4, 3, padding=1)
    assert folded(profile(nn.Sequential(conv, other), (4, 9, 9))) == [("0", 2)]
    assert folded(profile(nn.Sequential(conv, nn.Conv2d(4, 4, 3, padding=1, bias=False)), (4, 9, 9))) == []


def test_groups_cover_all_rows_once():
    table = profile(bare("efficientnet_b0"), (3, 224, 224))

    def rows(groups: Sequence[Any]) -> list[int]:
        found = []
        for group in groups:
            length = len(group.rows) // group.times
            for copy in range(group.times):
                found += [at + copy * length for at in [group.row, *rows(group.inside)]]
        return found

    assert rows(repeated(table.rows)) == list(range(len(table.rows)))


def test_a_sentence_of_ours_is_told_as_it_is() -> None:
    """What was read refuses itself in a whole sentence: nothing is put around it."""
    read = read_network("class Net(nn.Module):\n    def forward(self, x):\n        return x.item() + x\n")
    failure = profile(read.ready((3, 8, 8)), (3, 8, 8)).failure
    assert failure is not None
    assert (
        failure.sentence
        == "Line 3: item() asks for the values of a tensor, and the table knows shapes alone."
    )
    assert (failure.kind, failure.expected, failure.arrived) == ("Net", "", "")
