"""The courses' numbers against ours, and ours against torch and the reference file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.errors import ShapeError
from explorer.layers import LayerSpec
from explorer.worked_examples import (
    EXAMPLES,
    MEASURES,
    Claim,
    Example,
    chain,
    check,
    field_steps,
    judged,
    ours,
    written,
)

CLAIMS = [(example, claim) for example in EXAMPLES.values() for claim in example.claims]
IDS = [f"{example.key}-{number}-{claim.what}" for number, (example, claim) in enumerate(CLAIMS)]
claims = pytest.mark.parametrize(("example", "claim"), CLAIMS, ids=IDS)

POOLS = {"max_pool": nn.MaxPool2d, "average_pool": nn.AvgPool2d}


def in_torch(spec: LayerSpec) -> nn.Module:
    """torch's layer, typed from the fields."""
    if spec.kind in POOLS:
        return POOLS[spec.kind](spec.kernel_size, spec.stride, spec.padding)
    if spec.kind == "global_pool":
        return nn.AdaptiveAvgPool2d(1)
    channels = spec.in_channels, spec.out_channels
    if spec.kind == "separable":
        first = nn.Conv2d(
            spec.in_channels,
            spec.in_channels,
            spec.kernel_size,
            padding=spec.padding,
            groups=spec.in_channels,
            bias=False,
        )
        return nn.Sequential(first, nn.Conv2d(*channels, 1, bias=False))
    if spec.kind == "transposed":
        return nn.ConvTranspose2d(*channels, spec.kernel_size, spec.stride, spec.padding, spec.output_padding)
    groups = {"depthwise": spec.in_channels, "grouped": spec.groups}.get(spec.kind, 1)
    return nn.Conv2d(*channels, spec.kernel_size, spec.stride, spec.padding, spec.dilation, groups, spec.bias)


def torchs(example: Example, claim: Claim) -> float | tuple[int, ...]:
    """The number of a claim, by torch on the meta device."""
    if claim.of in ("share", "saving"):
        stack, beside = (torchs(example, Claim(claim.what, None, of=side)) for side in ("stack", "beside"))
        return stack / beside if claim.of == "share" else beside / stack
    stack = example.stack if claim.of == "stack" else example.beside
    with torch.device("meta"):
        layers = [in_torch(spec) for spec in stack]
        shapes = [torch.empty(1, *example.input_shape)]
    each = []
    for layer in layers:
        with FlopCounterMode(display=False) as counter:
            shapes.append(layer(shapes[-1]))
        each.append(counter.get_total_flops() // 2)
    kept = slice(None) if claim.layer is None else slice(claim.layer, claim.layer + 1)
    numbers = sum(p.numel() for layer in layers[kept] for p in layer.parameters())
    before, after = shapes[:-1][kept][0].shape[1:], shapes[1:][kept][-1].shape[1:]
    weights = [p for layer in layers[kept] for p in layer.parameters() if p.ndim > 1]
    answers = {
        "output": lambda: tuple(after),
        "side": lambda: after[1],
        "change": lambda: after[1] - before[1],
        "parameters": lambda: numbers,
        "filter": lambda: numbers / after[0],
        "macs": lambda: sum(each[kept]),
        "products": lambda: weights[-1][0].numel(),
        "channels": lambda: weights[-1].shape[1],
        "inputs": lambda: math.prod(before),
        "activations": lambda: math.prod(after),
        "dense": lambda: math.prod(before) * math.prod(after),
        "orders": lambda: math.log10(math.prod(before) * math.prod(after) / numbers),
        "receptive field": lambda: seen(stack[: claim.layer + 1 if claim.layer is not None else None]),
    }
    return answers[claim.what]()


def seen(stack: tuple[LayerSpec, ...]) -> int:
    """From the first to the last pixel of a row that changes one unit: the extent of its gradient, all weights one."""
    row = torch.ones(1, 1, 1025, requires_grad=True)
    value = row
    for spec in stack:
        kernel = torch.ones(1, 1, spec.kernel_size[0])
        value = nn.functional.conv1d(
            value,
            kernel,
            stride=spec.stride[0],
            padding=spec.padding[0] if isinstance(spec.padding, tuple) else "same",
            dilation=spec.dilation[0],
        )
        value = value / value.detach().max()
    value[0, 0, value.shape[2] // 2].backward()
    touched = row.grad[0, 0].nonzero()
    return int(touched.max() - touched.min()) + 1


@claims
def test_every_number_is_torchs(example: Example, claim: Claim):
    number = torchs(example, claim)
    assert ours(example, claim) == (pytest.approx(number) if isinstance(number, float) else number)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("example", "claim"),
    [pair for pair in CLAIMS if pair[1].golden_id],
    ids=[f"{claim.golden_id}-{example.key}" for example, claim in CLAIMS if claim.golden_id],
)
def test_numbers_and_verdicts_are_those_of_the_reference(example: Example, claim: Claim, shared: Path):
    items = json.loads((shared / "reference" / "golden.json").read_text())["items"]
    (item,) = (item for item in items if item["id"] == claim.golden_id)
    checked = check(example, claim)
    expected, number = np.sort(np.ravel(item["expected"])), np.sort(np.ravel(checked.ours))
    if item["verdict"] == "incomplete":
        assert number == np.floor(expected)
        assert claim.stated == expected
    elif number.size == 1:
        # two layers side by side may stand in one item
        assert np.isclose(number, expected, rtol=1e-12).any()
    else:
        assert number.tolist() == expected.tolist()
    if item["seed_value"] is None:
        assert claim.stated is None or item["kind"] in ("formula", "stated")
    elif isinstance(claim.stated, str):
        low, high = map(float, claim.stated.split("–"))
        assert low < item["seed_value"] < high
    else:
        assert claim.stated is not None
        assert np.sort(np.ravel(claim.stated)).tolist() == np.sort(np.ravel(item["seed_value"])).tolist()
    agreed = {
        "right": ("right", "not given"),
        "right_convention": ("right",),
        "right_rounded": ("rounded",),
        "right_truncated": ("cut",),
        "ambiguous": ("not given",),
        "incomplete": ("wrong",),
        "wrong": ("wrong",),
    }[item["verdict"]]
    if claim.golden_id == "params.same.004":  # "about the same number"
        agreed = ("rounded",)
    assert checked.verdict in agreed
    assert checked.agrees == (item["verdict"] not in ("wrong", "incomplete"))


def test_what_courses_get_wrong_is_said():
    wrong = {
        claim.golden_id: check(example, claim).why
        for example, claim in CLAIMS
        if not check(example, claim).agrees
    }
    assert wrong.keys() == {"alex.28M", "conv.out.needs_floor"}
    assert wrong["alex.28M"].startswith("62,378,344 parameters, not the 28,000,000 that is stated.")


@pytest.mark.parametrize(
    ("stated", "number", "verdict"),
    [
        (None, 7, "not given"),
        (760, 760, "right"),
        (761, 760, "wrong"),
        (750, 760, "wrong"),
        (800, 760, "rounded"),
        (700, 760, "cut"),
        (600, 760, "wrong"),
        (922e6, 921_601_000, "rounded"),
        (921e6, 921_601_000, "cut"),
        (920e6, 921_601_000, "rounded"),
        (4.5e10, 44_892_064_800, "rounded"),
        (0.3, 4200 / 13500, "rounded"),
        (0.31, 4200 / 13500, "rounded"),
        (0.32, 4200 / 13500, "wrong"),
        (0, 3, "wrong"),
        (-2, -2, "right"),
        ((3, 4), (3, 4), "right"),
        ((3, 4), (4, 3), "wrong"),
        ((3, 4), 12, "wrong"),
        ("8–9", 8.7, "rounded"),
        ("8–9", 9.1, "wrong"),
    ],
)
def test_a_number_is_read_to_as_many_digits_as_it_is_written_with(stated, number, verdict):
    assert judged(stated, number) == verdict


def test_examples_have_unlike_layers_and_known_measures():
    assert len(EXAMPLES) >= 15
    assert len(
        {(example.stack, example.beside, example.input_shape) for example in EXAMPLES.values()}
    ) == len(EXAMPLES)
    assert {claim.what for _, claim in CLAIMS} == set(MEASURES)
    assert all(example.key == key and example.claims for key, example in EXAMPLES.items())
    for example in EXAMPLES.values():
        assert chain(example.beside, example.input_shape) or not example.beside
        assert example.layer in (*example.stack, None)
        assert (example.layer is None) == (len(example.stack) > 1)


def test_layers_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ShapeError, match="reads 3 channels, but the input has 10"):
        chain([LayerSpec(), LayerSpec()], (3, 8, 8))


@pytest.mark.parametrize("spec", [LayerSpec("global_pool"), LayerSpec("transposed"), LayerSpec(dimensions=1)])
def test_layers_without_a_field_of_one_size_are_refused(spec: LayerSpec):
    with pytest.raises(ShapeError, match="Layer 2"):
        field_steps([LayerSpec(), spec])


def test_steps_of_a_field_keep_window_and_padding():
    (first, second) = field_steps(
        [
            LayerSpec(kernel_size=(3, 4), padding="same", dilation=2),
            LayerSpec("average_pool", kernel_size=(2, 3), stride=(2, 1), padding=(1, 0)),
        ]
    )
    assert (first.kernel_size, first.dilation, first.before, first.kind) == ((3, 4), (2, 2), (2, 3), "conv")
    assert (second.kernel_size, second.stride, second.padding, second.kind) == (
        (2, 3),
        (2, 1),
        (1, 0),
        "mean",
    )


def test_numbers_are_written_for_reading():
    assert written((1000, 7, 7)) == "1,000×7×7"
    assert written("8–9") == "8–9"
    assert written(54.75) == "54.75"


def test_the_variant_of_alexnet_with_28_million_is_one():
    """As its note says: 11×11 without padding in the second convolution, poolings of 2×2."""
    with torch.device("meta"):
        convolutions = nn.Sequential(
            nn.Conv2d(3, 96, 11, 4), nn.MaxPool2d(2),
            nn.Conv2d(96, 256, 11), nn.MaxPool2d(2),
            nn.Conv2d(256, 384, 3), nn.Conv2d(384, 384, 3), nn.Conv2d(384, 256, 3), nn.MaxPool2d(2),
        )  # fmt: skip
        assert convolutions(torch.empty(1, 3, 227, 227)).shape[2:] == (1, 1)
        net = nn.Sequential(convolutions, nn.Linear(256, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 1000))
    (claim,) = (claim for claim in EXAMPLES["alexnet"].claims if claim.stated == 28e6)
    assert f"{sum(each.numel() for each in net.parameters()):,}" in claim.note
