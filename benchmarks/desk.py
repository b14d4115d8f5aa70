"""A class of 30 that clicks without pause: the desk, and pytorch-grad-cam under a lock.

python -m benchmarks.desk [--users 30] [--seconds 12]
"""

from __future__ import annotations

import argparse
import threading
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.results import table, write
from explorer import process, saliency
from explorer.desk import Desk
from explorer.devices import choose_device
from explorer.models import DEFAULT_MODEL, build_network, card
from explorer.recording import Recorder, Tape
from explorer.saliency import SaliencySpec

Click = Callable[[int, Tensor], None]
"""What a click does, for the user of this number, with this picture."""

EXPLANATION = """
Each user clicks again as soon as the answer is there.  A click is a new picture: its classes, and Grad-CAM of
the most probable one, at the deepest stage or at every stage.  “Then another class”: every second click is
another class of the same picture instead.  “Package”: pytorch-grad-cam as its README has it, one user at a
time, at the deepest stage.  CPU: of the whole process, a click.  The ways take turns in slices of the time.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=12.0)
    wish = parser.parse_args()
    process.set_threads()
    warnings.simplefilter("ignore")
    ways = {
        "desk, deepest stage": by_desk(deepest=True, switching=False),
        "desk, deepest stage, then another class": by_desk(deepest=True, switching=True),
        "desk, every stage": by_desk(deepest=False, switching=False),
        "desk, every stage, then another class": by_desk(deepest=False, switching=True),
        "package under a lock": by_package(),
    }
    waits: dict[str, list[float]] = {name: [] for name in ways}
    cpu = dict.fromkeys(ways, 0.0)
    slices = 2
    for _ in range(slices):
        for name, click in ways.items():
            found, spent = crowd(click, wish.users, wish.seconds / slices)
            waits[name] += found
            cpu[name] += spent
    rows = [
        [
            name,
            *(f"{np.percentile(waits[name], share):.2f}" for share in (50, 95)),
            f"{len(waits[name]) / wish.seconds:.1f}",
            f"{cpu[name] / len(waits[name]) * 1e3:.0f}",
        ]
        for name in ways
    ]
    head = ["way", "p50, s", "p95, s", "clicks a second", "CPU, ms a click"]
    write("desk", f"{wish.users} users without pause", f"{table(head, rows)}\n{EXPLANATION}", choose_device())


def crowd(click: Click, users: int, seconds: float) -> tuple[list[float], float]:
    """Seconds that each click took, and the processor's seconds for all of them."""
    waits: list[float] = []
    end = time.perf_counter() + seconds

    def user(number: int) -> None:
        noise = torch.Generator().manual_seed(number)
        while time.perf_counter() < end:
            x = torch.randn(1, 3, 224, 224, generator=noise)
            start = time.perf_counter()
            click(number, x)
            waits.append(time.perf_counter() - start)

    threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
    begun = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits, time.process_time() - begun


def by_desk(deepest: bool, switching: bool) -> Click:
    recorder = Recorder(build_network(card(DEFAULT_MODEL), None).to(choose_device()))
    desk, tapes = Desk(), dict[int, Tape]()
    layers = [recorder.default.name] if deepest else None

    def click(number: int, x: Tensor) -> None:
        owner, tape = str(number), tapes.pop(number, None)
        if tape is None:
            tape = desk.record(recorder, x, layers, owner=owner)
            rank = 0
            if switching:
                tapes[number] = tape
        else:
            rank = 1
        index = int(tape.logits[0].topk(2).indices[rank])
        specs = [SaliencySpec("grad_cam", layer, index) for layer in tape.layers]
        desk.run(saliency.explain_all, tape, specs, owner=owner)

    return click


def by_package() -> Click:
    from pytorch_grad_cam import GradCAM

    network = build_network(card(DEFAULT_MODEL), None).to(choose_device()).requires_grad_(True)
    lock = threading.Lock()

    def click(number: int, x: Tensor) -> None:
        with lock, GradCAM(network, [network.get_submodule("bn2")]) as cam:
            cam(x, None)

    return click


if __name__ == "__main__":
    main()
