"""Where a network looks: maps of evidence for a class, drawn from a tape.

spec = SaliencySpec("grad_cam", tape.layers[-1], 281)
saliency = explain(tape, spec)
picture = normalise(upsample(saliency.heat, (224, 224)))
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.errors import ModelError
from explorer.recording import Tape
from explorer.saliency import cam
from explorer.saliency.method import Method

__all__ = [
    "METHODS",
    "Method",
    "Saliency",
    "SaliencySpec",
    "explain",
    "explain_all",
    "linear_weights",
    "normalise",
    "upsample",
]

METHODS: Mapping[str, Method] = MappingProxyType({method.key: method for method in cam.METHODS})
"""Every method by its key; the first is where to begin."""

NO_EVIDENCE = "No positive evidence for this class at this layer."


@dataclass(frozen=True)
class SaliencySpec:
    """What is asked: a method of `METHODS`, a stage's name, a class."""

    method: str
    layer: str
    class_index: int

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ModelError(f"“{self.method}” is none of the methods {', '.join(METHODS)}.")


@dataclass(frozen=True, eq=False)
class Saliency:
    """A map of evidence, with nothing scaled away.

    Attributes:
        spec: what was asked.
        heat: (h, w) float32, read-only, at the layer's own resolution, after ReLU, never normalised.
        raw_range: smallest and largest value before ReLU.
        backward_ms: wall time of the backward pass that it came from, which other maps may have shared.
        caveat: one sentence if the method is out of its depth at this layer, else "".
    """

    spec: SaliencySpec
    heat: NDArray[np.float32]
    raw_range: tuple[float, float]
    backward_ms: float
    caveat: str = ""

    @property
    def peak(self) -> float:
        """The strongest evidence, comparable between classes at one layer."""
        return float(self.heat.max())

    @property
    def empty(self) -> bool:
        """Whether no place speaks for the class."""
        return self.peak <= 0

    @property
    def note(self) -> str:
        """What a reader must know, in one or two sentences; "" for nothing."""
        return " ".join(filter(None, [NO_EVIDENCE if self.empty else "", self.caveat]))


def explain(tape: Tape, spec: SaliencySpec) -> Saliency:
    """The map of one question about a tape of one picture.  See `explain_all`."""
    return explain_all(tape, [spec])[0]


def explain_all(tape: Tape, specs: Sequence[SaliencySpec]) -> list[Saliency]:
    """The maps of several questions about a tape of one picture, in their order.

    Maps of one class share a backward pass through all its layers; classes asked at the same layers are
    batched.

    Raises:
        ClassError: a class outside the network's list.
        LayerError: a layer that the tape has no gradients of.
        ModelError: a map came out with values that are not numbers.
        ValueError: a tape of several pictures.
    """
    if len(tape.logits) != 1:
        raise ValueError(f"A map is of one picture; this tape has {len(tape.logits)}: take `tape.image(n)`.")
    gradients = _gradients(tape, specs)
    return [_saliency(tape, spec, gradients) for spec in specs]


def normalise(heat: NDArray[np.float32], scale: float | None = None) -> NDArray[np.float32]:
    """Heat as 0..1 of `scale`, or of its own peak; no evidence stays 0, and an empty map stays empty.

    Give several maps one scale to compare their strength: each on its own scale looks equally sure.

    >>> normalise(np.array([[0.0, 2.0]], np.float32)).tolist()
    [[0.0, 1.0]]
    >>> normalise(np.array([[0.0, 2.0]], np.float32), scale=8).tolist()
    [[0.0, 0.25]]
    """
    top = float(heat.max()) if scale is None else scale
    shown = np.clip(heat / top, 0, 1) if top > 0 else np.zeros_like(heat)
    return shown.astype(np.float32)


def upsample(heat: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Heat (h, w) enlarged to (H, W) by linear interpolation between the cells' centres, as OpenCV does it.

    >>> upsample(np.array([[0.0, 4.0]], np.float32), (1, 4)).tolist()
    [[0.0, 1.0, 3.0, 4.0]]
    """
    rows, columns = (
        linear_weights((np.arange(after) + 0.5) / after, before)
        for before, after in zip(heat.shape, size, strict=True)
    )
    enlarged = rows @ heat @ columns.T
    return enlarged.astype(np.float32)


def linear_weights(places: NDArray[np.floating[Any]], cells: int) -> NDArray[np.float32]:
    """How much of each cell of one axis stands at each place, (places, cells): linear between the cells' centres.

    Args:
        places: positions along the axis, 0 at its one border and 1 at its other; the outermost cells reach the border.
        cells: how many there are.

    >>> linear_weights(np.array([0.0, 0.5, 0.75]), 2).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    centred = np.clip(places * cells - 0.5, 0, cells - 1)
    distance = np.abs(centred[:, None] - np.arange(cells))
    weights: NDArray[np.float32] = np.maximum(1 - distance, 0).astype(np.float32)
    return weights


def _gradients(tape: Tape, specs: Sequence[SaliencySpec]) -> dict[tuple[int, str], tuple[Tensor, float]]:
    """The gradient (C, h, w) of each class at each layer, and the milliseconds of its backward pass."""
    asked: dict[int, set[str]] = {}
    for spec in specs:
        if METHODS[spec.method].needs_gradient:
            asked.setdefault(spec.class_index, set()).add(spec.layer)
    found = {}
    for layers in dict.fromkeys(tuple(sorted(names)) for names in asked.values()):
        classes = [index for index, names in asked.items() if tuple(sorted(names)) == layers]
        start = time.perf_counter()
        gradients = tape.gradients(classes, layers)
        if gradients[0].device.type != "cpu":
            torch.accelerator.synchronize(gradients[0].device)
        milliseconds = (time.perf_counter() - start) * 1e3
        for layer, by_class in zip(layers, gradients, strict=True):
            for index, gradient in zip(classes, by_class, strict=True):
                found[index, layer] = gradient[0], milliseconds
    return found


def _saliency(
    tape: Tape, spec: SaliencySpec, gradients: Mapping[tuple[int, str], tuple[Tensor, float]]
) -> Saliency:
    method = METHODS[spec.method]
    activation = tape.activation(spec.layer)[0]
    gradient, milliseconds = gradients.get(
        (spec.class_index, spec.layer), (torch.zeros_like(activation), 0.0)
    )
    raw = method.function(activation, gradient).cpu()
    low, high = float(raw.min()), float(raw.max())
    if not math.isfinite(low) or not math.isfinite(high):
        raise ModelError(f"{method.name} at {spec.layer} gave values that are not numbers: {low} to {high}.")
    # ReLU after the sum: only evidence for the class counts (Selvaraju 2017, equation 2).
    heat: NDArray[np.float32] = raw.relu().numpy()
    heat.flags.writeable = False
    caveat = method.needs_positive if method.needs_positive and float(activation.min()) < 0 else ""
    return Saliency(spec, heat, (low, high), milliseconds, caveat)
