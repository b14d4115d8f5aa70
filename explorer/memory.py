"""What memory a network needs: in use and in training, for a batch, a type of number, an optimiser.

Nothing is estimated from formulas: a copy without numbers goes through a whole training step (`training_step`), and
what tensors hold at the same time is added up.  Left out, since they hang on the device: the scratch space of its
kernels (cuDNN's workspaces), what its allocator rounds up and keeps in reserve, and the context of the driver, which
the table of GPUs takes off beforehand.  MB = 10^6 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from explorer.altered_training import altered
from explorer.dry_run import weights_of, without_weights
from explorer.errors import ModelError, ShapeError
from explorer.layer_costs import ITEM_BYTES, Product
from explorer.live_memory import Peak
from explorer.network_runs import Calls
from explorer.profiling import LayerProfile, NetworkProfile
from explorer.training_step import OPTIMISERS, Training, inference_peak, train

Dtype = Literal["float32", "float16", "bfloat16", "mixed"]
Part = Literal["weights", "gradients", "optimiser", "activations", "rest"]

DTYPES: Final[Mapping[Dtype, str]] = MappingProxyType(
    {
        "float32": "float32",
        "mixed": "mixed (autocast)",
        "float16": "float16 throughout",
        "bfloat16": "bfloat16 throughout",
    }
)
"""Types of numbers, in words.  Mixed: weights in float32, activations in float16 where autocast says so."""

TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam", "adamw": "AdamW"}
)
"""The optimisers, in words."""

_STATES: Final[Mapping[str, int]] = MappingProxyType({"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2})
"""Numbers that an optimiser keeps for each weight."""

MOST_BATCH: Final = 2**26
"""A batch so large that whatever does not grow with it no longer counts."""


_NONE: Final = Product("0", 0)


@dataclass(frozen=True)
class Setting:
    """How a network is run.

    Attributes:
        batch: pictures at once.
        dtype: of numbers; "mixed" is autocast as on a CUDA GPU.
        optimiser: one of `OPTIMISERS`.
        in_place: whether ReLUs write over their input; None: as the network has them.
        checkpointed: blocks (`altered_training.blocks`) that keep their input alone and are computed again.
    """

    batch: int = 1
    dtype: Dtype = "float32"
    optimiser: str = "adam"
    in_place: bool | None = None
    checkpointed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ShapeError(f"A batch has at least one picture, not {self.batch}.")
        if self.dtype not in DTYPES:
            raise ModelError(f"There is no type of number “{self.dtype}”; there are {', '.join(DTYPES)}.")
        if self.optimiser not in OPTIMISERS:
            raise ModelError(f"There is no optimiser “{self.optimiser}”; there are {', '.join(OPTIMISERS)}.")

    @property
    def stored(self) -> torch.dtype:
        """The type of weights."""
        kind: torch.dtype = getattr(torch, "float32" if self.dtype == "mixed" else self.dtype)
        return kind


@dataclass(frozen=True)
class Memory:
    """What a network needs, in bytes.

    Attributes:
        setting: that it was measured with.
        weights: of parameters and buffers.
        inference: the most that a forward without gradients holds beside the weights.
        gradients, optimiser: of the weights; what the optimiser keeps between steps.
        saved: kept by autograd between forward and backward; with autocast the half copies of weights too.
        training: the most that a training step holds beside the weights; None where it cannot be trained.
        why: the sentence that says why it cannot; "" where it can.
    """

    setting: Setting
    weights: Product
    inference: Peak
    gradients: Product = _NONE
    optimiser: Product = _NONE
    saved: int = 0
    training: Peak | None = None
    why: str = ""

    def __post_init__(self) -> None:
        if bool(self.why) == (self.training is not None):
            raise ValueError("Either a network is trained, or a sentence says why not.")

    @property
    def inference_peak(self) -> int:
        """In use, with the weights."""
        return int(self.weights.value) + self.inference.total

    @property
    def training_peak(self) -> int:
        """In training, with the weights; 0 where there is none."""
        return int(self.weights.value) + self.training.total if self.training else 0

    @property
    def stages(self) -> Mapping[str, Mapping[Part, int]]:
        """What is held when: in use, between forward and backward, and at the fullest moment of a step."""
        weights = int(self.weights.value)
        found: dict[str, Mapping[Part, int]] = {
            "in use": {"weights": weights, "activations": self.inference.total}
        }
        if self.training is None:
            return found
        state = int(self.optimiser.value)
        found["between forward and backward"] = {
            "weights": weights,
            "optimiser": state,
            "activations": self.saved,
        }
        parts = self.training.parts
        held = min(state, parts.get("optimiser", 0))
        found["at the fullest"] = {
            "weights": weights,
            "gradients": parts.get("gradients", 0),
            "optimiser": held,
            "activations": parts.get("input", 0) + parts.get("activations", 0),
            "rest": parts.get("backward", 0) + parts.get("optimiser", 0) - held,
        }
        return found

    @property
    def fullest(self) -> str:
        """When in a training step the most is held, in words."""
        parts = self.training.parts if self.training else {}
        if parts.get("backward", 0):
            return "in the backward"
        if parts.get("optimiser", 0) > self.optimiser.value:
            return "while the optimiser steps"
        return "at the end of the forward"


def estimate(module: nn.Module, input_shape: Sequence[int], setting: Setting) -> Memory:
    """The memory of a network.

    >>> net = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 28 * 28, 10))
    >>> found = estimate(net, (3, 32, 32), Setting(batch=8))
    >>> str(found.weights), str(found.optimiser), found.saved, found.training_peak
    ('126,666×4 = 506,664', '2×126,666×4 + 4×4 = 1,013,344', 499712, 3324344)

    Args:
        module: is not touched; may be on the meta device.
        input_shape: of one picture.

    Raises:
        ModelError: the network does not run with such a batch, or has no such block.
    """
    shape = _checked(input_shape)
    twin = _twin(module, shape, setting)
    used = inference_peak(twin.eval(), _pictures(setting.batch, shape, setting))
    if used is None:
        raise ModelError(f"The network does not run with {_counted(setting.batch)} of this size.")
    weights = _weights(twin, setting)
    step, why = _trained(module, twin, shape, setting)
    if step is None:
        return Memory(setting, weights, used, why=why)
    size = ITEM_BYTES[str(setting.stored).removeprefix("torch.")]
    return Memory(
        setting,
        weights,
        used,
        Product(f"{step.gradient_bytes // size:,}×{size}", step.gradient_bytes),
        _state(step, size),
        step.saved_bytes,
        step.step,
    )


def _weights(twin: nn.Module, setting: Setting) -> Product:
    size = ITEM_BYTES[str(setting.stored).removeprefix("torch.")]
    terms: dict[int, int] = {}
    parameters = list(twin.parameters())
    for tensor in weights_of(twin):
        terms[tensor.element_size()] = terms.get(tensor.element_size(), 0) + tensor.numel()
    written = " + ".join(f"{count:,}×{bytes_each}" for bytes_each, count in terms.items() if count)
    total = sum(tensor.nbytes for tensor in weights_of(twin))
    buffers = total - sum(parameter.nbytes for parameter in parameters)
    if buffers and all(parameter.element_size() == size for parameter in parameters):
        count = sum(parameter.numel() for parameter in parameters)
        written = f"{count:,}×{size} + {buffers:,}"
    return Product(written or "0", total)


def _state(step: Training, size: int) -> Product:
    """What the optimiser keeps: Adam's two means are as large as the gradients; it counts steps for each tensor."""
    states = _STATES[step.optimiser]
    count, rest = step.gradient_bytes // size, step.optimiser_bytes - states * step.gradient_bytes
    if not states:
        return Product("0", step.optimiser_bytes)
    times = f"{states}×" if states > 1 else ""
    counters = f" + {rest // 4:,}×4" if rest else ""
    return Product(f"{times}{count:,}×{size}{counters}", step.optimiser_bytes)


def _trained(
    module: nn.Module, twin: nn.Module, shape: tuple[int, ...], setting: Setting
) -> tuple[Training | None, str]:
    """A training step, or why there is none."""
    if not any(parameter.requires_grad for parameter in twin.parameters()):
        return None, "Nothing in this network is trained: it has no weights."
    pictures = _pictures(setting.batch, shape, setting)
    step, _ = train(twin, pictures, setting.optimiser)
    if step.failure is None:
        return step, ""
    if setting.in_place and "modified by an inplace operation" in step.failure.sentence:
        return (
            None,
            "In place fails here: a ReLU writes over numbers that another layer keeps for its backward.",
        )
    return None, step.failure.sentence


def _checked(input_shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(input_shape)
    if not shape or any(size < 1 for size in shape):
        raise ShapeError(f"A picture has sizes of at least 1, not {' × '.join(map(str, shape)) or 'none'}.")
    return shape


def _pictures(batch: int, shape: tuple[int, ...], setting: Setting) -> Tensor:
    return torch.empty((batch, *shape), dtype=setting.stored, device="meta")


def _twin(module: nn.Module, shape: tuple[int, ...], setting: Setting) -> nn.Module:
    try:
        twin = without_weights(module).to(setting.stored)
    except Exception as error:
        raise ModelError(f"The network cannot be copied: {error}") from error
    if any(map(is_lazy, twin.parameters())):
        with suppress(Exception), torch.no_grad(), Calls():
            twin.eval()(_pictures(1, shape, setting))
    half = torch.float16 if setting.dtype == "mixed" else None
    return altered(twin, in_place=setting.in_place, half=half, checkpointed=setting.checkpointed)


def _counted(batch: int) -> str:
    return "one picture" if batch == 1 else f"a batch of {batch:,} pictures"


# How memory grows with the batch ---------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """`per_picture` × batch + `fixed` bytes."""

    per_picture: int
    fixed: int

    def at(self, batch: int) -> int:
        return self.per_picture * batch + self.fixed

    def first_above(self, size: int) -> int | None:
        """The smallest batch with more bytes than that; None where there is none.

        >>> Line(10, 5).first_above(25), Line(10, 5).first_above(24), Line(0, 5).first_above(9)
        (3, 2, None)
        """
        if self.at(1) > size:
            return 1
        return (size - self.fixed) // self.per_picture + 1 if self.per_picture > 0 else None


@dataclass(frozen=True)
class Growth:
    """How memory grows: every tensor's bytes are a line over the batch, so that a peak is the highest of lines.

    Attributes:
        saved: for the backward: a sum of lines, one itself, for every batch.
        inference, training: the steepest line of the peak with the weights: no batch needs less, large ones need
            just this.  None where the network cannot be trained.
    """

    inference: Line
    saved: Line | None = None
    training: Line | None = None


def growth(module: nn.Module, input_shape: Sequence[int], setting: Setting) -> Growth:
    """How a network's memory grows with the batch; the setting's own batch does not matter.

    Raises:
        ModelError: the network does not run with large batches.
    """
    shape = _checked(input_shape)
    largest = _large(math.prod(shape))
    found = []
    for batch in (largest, largest + 1):
        try:
            found.append(estimate(module, shape, _with_batch(setting, batch)))
        except ModelError as error:
            raise ModelError(f"This network takes a fixed number of pictures at a time: {error}") from error
    first, second = found
    inference = _line(largest, first.inference_peak, second.inference_peak)
    if first.training is None or second.training is None:
        return Growth(inference)
    return Growth(
        inference,
        _line(largest, first.saved, second.saved),
        _line(largest, first.training_peak, second.training_peak),
    )


def _large(numbers: int) -> int:
    # torch counts bytes in 63 bits; a network's widest map has some hundred times the numbers of its picture
    return max(2, min(MOST_BATCH, 2**48 // numbers))


def _with_batch(setting: Setting, batch: int) -> Setting:
    return Setting(batch, setting.dtype, setting.optimiser, setting.in_place, setting.checkpointed)


def _line(batch: int, first: int, second: int) -> Line:
    return Line(second - first, first - (second - first) * batch)


def largest_batch(limit: int, line: Line, peak: Callable[[int], int]) -> int:
    """The largest batch whose peak is at most `limit` bytes; 0 where not one picture fits.

    Args:
        line: the steepest of the peak's lines: what it promises to be too much is too much.
        peak: of a batch; asked as rarely as can be, since it may take a second.
    """
    if line.per_picture < 1:
        return MOST_BATCH if peak(1) <= limit else 0
    high = min((limit - line.fixed) // line.per_picture, MOST_BATCH)
    if high < 1 or peak(high) <= limit:
        return max(high, 0)
    low = 0
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if peak(middle) <= limit else (low, middle)
    return low


@dataclass(eq=False)
class Peaks:
    """A peak for any batch, measured where the line does not already tell it.

    Attributes:
        line: the steepest.
        measure: the peak of a batch, in bytes.
        known: batches that have been measured.
    """

    line: Line
    measure: Callable[[int], int]
    known: dict[int, int] = field(default_factory=dict)

    def __call__(self, batch: int) -> int:
        # the highest of lines: where it meets the steepest, it stays on it
        met = [one for one, size in self.known.items() if size == self.line.at(one)]
        if met and batch >= min(met):
            return self.line.at(batch)
        if batch not in self.known:
            self.known[batch] = self.measure(batch)
        return self.known[batch]


def training_peaks(module: nn.Module, input_shape: Sequence[int], setting: Setting, line: Line) -> Peaks:
    """Training peaks with the weights; a batch that cannot be trained counts as nothing."""
    return Peaks(line, lambda batch: estimate(module, input_shape, _with_batch(setting, batch)).training_peak)


def inference_peaks(module: nn.Module, input_shape: Sequence[int], setting: Setting, line: Line) -> Peaks:
    """Peaks of a network in use, with the weights."""
    shape = _checked(input_shape)

    def measure(batch: int) -> int:
        twin = _twin(module, shape, setting)
        peak = inference_peak(twin.eval(), _pictures(batch, shape, setting))
        return int(_weights(twin, setting).value) + peak.total if peak else 0

    return Peaks(line, measure)


# GPUs ------------------------------------------------------------------------------------------------


CONTEXT: Final = 500 * 2**20
"""Bytes that CUDA and its libraries hold before the first tensor: some 0.4 to 0.6 GB, by card and version."""


@dataclass(frozen=True)
class Gpu:
    """A graphics card.

    Attributes:
        name: with the memory that it is sold with.
        total: bytes that torch reports as its capacity: less than the name says, since error correction and the
            driver take some.
    """

    name: str
    total: int

    @property
    def usable(self) -> int:
        """What is left for tensors: `total` less `CONTEXT`."""
        return max(0, self.total - CONTEXT)


def _gib(number: float) -> int:
    return int(number * 2**30)


# Sold sizes: NVIDIA's data sheets.  Capacities: the lowest that torch's messages about lack of memory state, on Linux;
# drivers differ by some 0.2 GiB.  Seen in issues on GitHub:
# T4 14.56 (Zheng-Chong/CatVTON#133) to 14.76 (xinge008/Cylinder3D#109),
# RTX 4090 23.61 (pinokiofactory/flux-webui#11) to 23.68 (zai-org/CogVideo#36),
# A100 39.50 (TianheWu/CoSeR#10) to 39.59 (raoyongming/DenseCLIP#52),
# A100 79.14 (lianqi1008/Control-GIC#6) to 79.35 (Instruction-Tuning-with-GPT-4/GPT-4-LLM#16),
# H100 79.11 (vllm-project/vllm#27508).
GPUS: Final = (
    Gpu("T4, 16 GB", _gib(14.56)),
    Gpu("RTX 4090, 24 GB", _gib(23.61)),
    Gpu("A100, 40 GB", _gib(39.50)),
    Gpu("A100, 80 GB", _gib(79.14)),
    Gpu("H100, 80 GB", _gib(79.11)),
)
"""Capacities as torch reports them ("GPU 0 has a total capacity of …")."""


def gpus() -> tuple[Gpu, ...]:
    """`GPUS`, and this machine's own where it has one."""
    if not torch.cuda.is_available():
        return GPUS
    own = torch.cuda.get_device_properties(0)
    return (Gpu(f"{own.name} (this machine)", own.total_memory), *GPUS)


@dataclass(frozen=True)
class Fit:
    """The largest batches on a GPU: in use, and in training (None where the network cannot be trained)."""

    gpu: Gpu
    inference: int
    training: int | None


@dataclass(frozen=True)
class Fits:
    """How memory grows, and what fits where."""

    growth: Growth
    rows: tuple[Fit, ...]


def fits(
    module: nn.Module, input_shape: Sequence[int], setting: Setting, cards: Sequence[Gpu] = GPUS
) -> Fits:
    """The largest batches on each GPU; the setting's own batch does not matter.

    Raises:
        ModelError: the network takes a fixed number of pictures.
    """
    found = growth(module, input_shape, setting)
    used = inference_peaks(module, input_shape, setting, found.inference)
    trained = training_peaks(module, input_shape, setting, found.training) if found.training else None
    # the smallest first: where its batch meets the line, those of the others do too, and need no run
    batches = {
        card: Fit(
            card,
            largest_batch(card.usable, found.inference, used),
            largest_batch(card.usable, found.training, trained) if found.training and trained else None,
        )
        for card in sorted(cards, key=lambda card: card.usable)
    }
    return Fits(found, tuple(batches[card] for card in cards))


def measured(module: nn.Module, input_shape: Sequence[int], setting: Setting) -> tuple[int, int]:
    """The same on this machine's GPU: the peak bytes of tensors in a second training step, and of its allocator.

    Weights are random.  The allocator's figure has the rounding and reserve that an estimate leaves out; the first
    has cuDNN's workspaces.  Call it from the desk: it computes.

    Raises:
        ModelError: this machine has no CUDA GPU, or the GPU's memory does not suffice.
    """
    from explorer.devices import is_out_of_memory
    from explorer.timing import with_weights

    if not torch.cuda.is_available():
        raise ModelError("There is no CUDA GPU on this machine.")
    device = torch.device("cuda")
    try:
        network = with_weights(module, device).to(setting.stored).train()
        network = altered(
            network, in_place=setting.in_place, checkpointed=setting.checkpointed, without_numbers=False
        )
        steps = OPTIMISERS[setting.optimiser](network.parameters())
        pictures = torch.randn((setting.batch, *input_shape), dtype=setting.stored, device=device)
        for again in (False, True):
            steps.zero_grad()
            torch.cuda.synchronize()
            if again:
                torch.cuda.reset_peak_memory_stats()
            with torch.autocast("cuda", torch.float16, enabled=setting.dtype == "mixed"):
                result = network(pictures)
            result.float().sum().backward()
            del result
            steps.step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise ModelError(f"The GPU's memory does not suffice for {_counted(setting.batch)}.") from error
        raise
    finally:
        torch.cuda.empty_cache()


# What the courses teach ------------------------------------------------------------------------------


_MAPS: Final = ("Conv", "Linear", "Pool", "Attention", "matmul", "conv", "pool", "cat", "add")
"""What gives maps of its own in a course's table; activations, norms, dropout and views do not."""


@dataclass(frozen=True)
class RuleOfThumb:
    """Memory of training as courses work it out by hand.

    Attributes:
        activations: of one picture: the picture and what convolutions, poolings and dense layers give.
        forward: their bytes for the batch, once; what a network in use is said to need beside the weights.
        both: twice as many, for forward and backward.
        weights: the parameters themselves, their gradients, and what the optimiser keeps.

    Source: Stanford CS231n, "ConvNet architectures", computational considerations.
    """

    activations: int
    forward: Product
    both: Product
    weights: Product

    @cached_property
    def total(self) -> int:
        return int(self.both.value + self.weights.value)


def rule_of_thumb(found: NetworkProfile, setting: Setting) -> RuleOfThumb:
    """The courses' figures for this network, in float32 as they reckon.

    >>> from explorer.profiling import profile
    >>> net = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 28 * 28, 10))
    >>> rule = rule_of_thumb(profile(net, (3, 32, 32)), Setting(batch=8, optimiser="momentum"))
    >>> str(rule.both), str(rule.weights)
    ('15,626×4×8×2 = 1,000,064', '126,666×4×3 = 1,519,992')
    """
    count = math.prod(found.input_shape) + sum(
        row.activations for row in found.leaves if _is_map(row) and not row.shares
    )
    times = 2 + _STATES[setting.optimiser]
    forward = count * 4 * setting.batch
    return RuleOfThumb(
        count,
        Product(f"{count:,}×4×{setting.batch:,}", forward),
        Product(f"{count:,}×4×{setting.batch:,}×2", 2 * forward),
        Product(f"{found.parameters:,}×4×{times}", found.parameters * 4 * times),
    )


def _is_map(row: LayerProfile) -> bool:
    return any(sign in row.kind for sign in _MAPS)
