"""The memory of one training step, measured on a network without numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn

from explorer.dry_run import Watching, tensors
from explorer.live_memory import Holdings, Peak
from explorer.network_failures import Failure, explain
from explorer.network_runs import Calls, Key, Run

OPTIMISERS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "sgd": partial(torch.optim.SGD, lr=0.1),
        "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
        "adam": partial(torch.optim.Adam, lr=1e-3),
        "adamw": partial(torch.optim.AdamW, lr=1e-3),
    }
)
"""What may step the weights, by name."""


@dataclass(frozen=True)
class Training:
    """The memory of one training step: forward, the sum of all outputs as loss, backward, optimiser.

    Measured on the second step, when the optimiser holds its state.  Peaks leave out weights and buffers; they are
    what the tensors hold, without the scratch space of a device's kernels and what its allocator rounds up.

    Attributes:
        batch: pictures in a batch.
        optimiser: one of `OPTIMISERS`.
        saved_bytes: kept by autograd between forward and backward; parameters and buffers left out.
        gradient_bytes: of the gradients of the parameters.
        optimiser_bytes: of its state between steps.
        forward, backward, step: the peak until the end of each.
        failure: why there are no numbers: a network may run in a different way when it is trained.
    """

    batch: int
    optimiser: str
    saved_bytes: int = 0
    gradient_bytes: int = 0
    optimiser_bytes: int = 0
    forward: Peak = field(default_factory=lambda: Peak(0, {}))
    backward: Peak = field(default_factory=lambda: Peak(0, {}))
    step: Peak = field(default_factory=lambda: Peak(0, {}))
    failure: Failure | None = None


def inference_peak(network: nn.Module, pictures: Tensor) -> Peak | None:
    """The most that a forward without gradients holds at once, pictures included; None where it fails.

    Args:
        network: on the meta device, in the mode that it is used in.
        pictures: (batch, …).
    """
    holdings = Holdings.beside(network)
    holdings.add(pictures, "input")
    try:
        with torch.no_grad(), Calls(), Watching(holdings.follow):
            network(pictures)
    except Exception:
        return None
    return holdings.peak


def train(network: nn.Module, pictures: Tensor, optimiser: str) -> tuple[Training, Mapping[Key, int]]:
    """The memory of a training step, and what each row keeps for the backward.

    Args:
        network: on the meta device; it is put into training, and its weights get gradients.
        pictures: (batch, …).
        optimiser: one of `OPTIMISERS`.
    """
    run = Run(network.train())
    holdings = run.holdings
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def note_gradient(parameter: Tensor) -> None:
        if parameter.grad is not None:
            holdings.rename(parameter.grad, "gradients")

    for parameter in trained:
        parameter.register_post_accumulate_grad_hook(note_gradient)  # type: ignore[no-untyped-call]
    steps = OPTIMISERS[optimiser](trained) if trained else None

    failure = run.forward(pictures, training=True)
    if failure is not None:
        return Training(len(pictures), optimiser, failure=failure), {}
    saved = run.saved()
    forward = backward = step = holdings.peak
    result, run.result = run.result, None
    run.kept.clear()
    try:
        with Watching(holdings.follow):
            # the second step is as all that follow: the optimiser has its state
            for again in (False, True):
                if again:
                    for tensor in tensors(list(steps.state.values()) if steps else []):
                        holdings.rename(tensor, "optimiser")
                    if steps:
                        steps.zero_grad()
                    holdings.forget_peak()
                    holdings.phase = "activations"
                    with Calls():
                        result = network(pictures)
                forward = backward = step = holdings.peak
                loss: Any = sum(each.float().sum() for each in tensors(result) if each.is_floating_point())
                result = None
                if steps is None or not isinstance(loss, Tensor) or not loss.requires_grad:
                    continue
                holdings.phase = "backward"
                loss.backward()  # type: ignore[no-untyped-call]
                loss = None
                backward = holdings.peak
                holdings.phase = "optimiser"
                steps.step()
                step = holdings.peak
    except Exception as error:
        failure = explain(error, "", type(network).__name__, None, ())
        return Training(len(pictures), optimiser, failure=failure), {}
    gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
    states = tensors(list(steps.state.values()) if steps else [])
    return Training(
        len(pictures),
        optimiser,
        saved.get(("", 0), 0),
        sum(tensor.nbytes for tensor in gradients),
        sum(tensor.nbytes for tensor in states),
        forward,
        backward,
        step,
    ), saved
