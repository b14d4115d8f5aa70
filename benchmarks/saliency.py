"""What a Grad-CAM costs beside a plain forward: ours, pytorch-grad-cam's and captum's.

python -m benchmarks.saliency [--device cuda] [--rounds 9] [networks…]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
import torchvision.models
from torch import Tensor, nn

from benchmarks.results import interleaved, ratio, table, write
from explorer import process
from explorer.devices import choose_device
from explorer.models import DEFAULT_MODEL, build_network, card
from explorer.recording import Recorder
from explorer.saliency import SaliencySpec, explain_all

NETWORKS = ("resnet18", "resnet50", "vgg16", "efficientnet_lite0", "convnext_tiny", "vit_b_16")
FORWARD, FIRST, FIVE, SWITCH, ALL = "forward", "1 class", "top 5", "switch", "all stages"
PACKAGE, CAPTUM, CHANNELS_FIRST, AUTOCAST = "grad-cam", "captum", "channels first", "bf16 autocast"

EXPLANATION = f"""
Times as multiples of a forward without gradients, channels last (column “{FORWARD}”, in milliseconds): ratio
of the medians, in brackets where four fifths of the rounds' own ratios lie.  Columns take turns in a run.

- “{FIRST}”: record, and draw the most probable class at the deepest stage; “{FIVE}”: draw five classes;
- “{SWITCH}”: another class from a kept tape; “{ALL}”: record, and draw one class at every stage;
- “{PACKAGE}”: pytorch-grad-cam as its README has it; “{CAPTUM}”: `LayerGradCam` as documented, unscaled;
- “{CHANNELS_FIRST}”: the forward in the usual layout of memory; “{AUTOCAST}”, on CUDA: “{FIRST}” in it;
- kept: memory of a tape with gradients at the deepest stage, and at all stages.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--device", type=torch.device, default=choose_device())
    parser.add_argument("--rounds", type=int, default=9)
    wish = parser.parse_args()
    process.set_threads()
    warnings.simplefilter("ignore")
    heads, rows = [], []
    for name in wish.networks:
        times, kept = measure(name, wish.device, wish.rounds)
        columns = [column for column in times if column != FORWARD]
        heads = ["network", f"{FORWARD}, ms", *columns, "kept, MB"]
        floor = times[FORWARD]
        rows.append(
            [name, f"{np.median(floor):.1f}", *(ratio(times[column], floor) for column in columns), kept]
        )
        print(" | ".join(rows[-1]), flush=True)
    write("saliency", "Saliency", f"{table(heads, rows)}\n{EXPLANATION}", wish.device)


def measure(name: str, device: torch.device, rounds: int) -> tuple[dict[str, np.ndarray], str]:
    """Milliseconds of every column, and the megabytes that tapes of the network keep."""
    recorder, plain = Recorder(network(name).to(device)), network(name).to(device).requires_grad_(True)
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)).to(device)
    deepest = recorder.default.name
    tape, whole = recorder.record(x, [deepest]), recorder.record(x)
    best = tape.logits[0].topk(5).indices.tolist()

    def draw(layers: list[str] | None, classes: list[int]) -> None:
        record = recorder.record(x, layers)
        explain_all(record, [SaliencySpec("grad_cam", s, c) for s in record.layers for c in classes])

    def forward(model: nn.Module, picture: Tensor) -> None:
        with torch.no_grad():
            model(picture)

    last = x.contiguous(memory_format=torch.channels_last)
    runs: dict[str, Callable[[], object]] = {
        FORWARD: lambda: forward(recorder.network, last),
        FIRST: lambda: draw([deepest], best[:1]),
        FIVE: lambda: draw([deepest], best),
        SWITCH: lambda: explain_all(tape, [SaliencySpec("grad_cam", deepest, best[1])]),
        ALL: lambda: draw(None, best[:1]),
        PACKAGE: package(plain, deepest, x, best[0]),
        CAPTUM: captum(plain, deepest, x, best[0]),
        CHANNELS_FIRST: lambda: forward(plain, x),
    }
    if device.type == "cuda":

        def in_half() -> None:
            with torch.autocast("cuda", torch.bfloat16):
                draw([deepest], best[:1])

        runs[AUTOCAST] = in_half
    times = interleaved(runs, rounds, clock(device))
    return times, f"{tape.nbytes / 1e6:.1f} / {whole.nbytes / 1e6:.1f}"


def network(name: str) -> nn.Module:
    """The installed network, or torchvision's with seeded weights: what they are does not change the time."""
    if name == DEFAULT_MODEL:
        return build_network(card(DEFAULT_MODEL), None)
    torch.manual_seed(0)
    made: nn.Module = torchvision.models.get_model(name).eval()
    return made


def clock(device: torch.device) -> Callable[[Callable[[], object]], float]:
    """Milliseconds of a run: by the device's own events on CUDA, else by the wall."""

    def by_events(run: Callable[[], object]) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        run()
        end.record()
        torch.cuda.synchronize(device)
        return start.elapsed_time(end)

    def by_the_wall(run: Callable[[], object]) -> float:
        start = time.perf_counter()
        run()
        return (time.perf_counter() - start) * 1e3

    return by_events if device.type == "cuda" else by_the_wall


def package(model: nn.Module, layer: str, x: Tensor, index: int) -> Callable[[], object]:
    """pytorch-grad-cam, as its README has it."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def to_grid(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].unflatten(1, (14, 14)).movedim(-1, 1)

    reshape = to_grid if type(model).__name__ == "VisionTransformer" else None

    def run() -> None:
        with GradCAM(model, [model.get_submodule(layer)], reshape_transform=reshape) as cam:
            cam(x, [ClassifierOutputTarget(index)])

    return run


def captum(model: nn.Module, layer: str, x: Tensor, index: int) -> Callable[[], object]:
    """captum's LayerGradCam, as documented."""
    from captum.attr import LayerGradCam

    cam = LayerGradCam(model, model.get_submodule(layer))
    return lambda: cam.attribute(x, target=index)


if __name__ == "__main__":
    main()
