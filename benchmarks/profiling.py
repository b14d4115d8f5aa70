"""What a table of a network costs beside torchinfo, fvcore, ptflops and calflops, and how far they are off.

python -m benchmarks.profiling [--rounds 5] [networks…]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torchvision.models
from torch import nn

from benchmarks.results import interleaved, ratio, table, write
from explorer import process
from explorer.profiling import profile

NETWORKS = ("vgg16", "resnet50", "resnet152", "mobilenet_v2", "efficientnet_b0", "vit_b_16", "swin_t")
SHAPE = (3, 224, 224)
FLOOR, OURS, TRAINING = "forward, meta", "ours", "ours, with training"

EXPLANATION = f"""
Processor time of one table for a network that stands in memory with its weights: “{OURS}” in milliseconds, the
others as multiples of it (ratio of the medians, in brackets where four fifths of the rounds' own ratios lie).
Columns take turns in a run.

- “{FLOOR}”: torch alone, the same network without weights on the meta device: the floor;
- “{TRAINING}”: with what is kept for the backward, and the peaks of a training step with Adam;
- torchinfo `summary`, fvcore `FlopCountAnalysis`, ptflops `get_model_complexity_info`, calflops
  `calculate_flops`, each as documented, on the CPU;
- MACs: multiples of ours, which are those of torch's own counter and of torchvision's documentation;
- MB: the most memory that one table adds to a process that has imported the package and built the network.
"""

Measure = Callable[[nn.Module], int]
Result = TypeVar("Result")


def ours(network: nn.Module) -> int:
    return profile(network, SHAPE).macs


def with_training(network: nn.Module) -> int:
    return profile(network, SHAPE, batch=2, training=True).macs


def by_torchinfo(network: nn.Module) -> int:
    from torchinfo import summary

    return int(summary(network, (1, *SHAPE), verbose=0, device="cpu").total_mult_adds)


def by_fvcore(network: nn.Module) -> int:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(network.eval(), torch.zeros(1, *SHAPE))
    return int(analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def by_ptflops(network: nn.Module) -> int:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(network, SHAPE, as_strings=False, print_per_layer_stat=False)
    return int(macs or 0)


def by_calflops(network: nn.Module) -> int:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(network, (1, *SHAPE), output_as_string=False, print_results=False)
    return int(macs)


PEERS: dict[str, Measure] = {
    "torchinfo": by_torchinfo,
    "fvcore": by_fvcore,
    "ptflops": by_ptflops,
    "calflops": by_calflops,
}
ALL: dict[str, Measure] = {OURS: ours, TRAINING: with_training} | PEERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", choices=ALL, help="print what one table of one network adds, in MB")
    wish = parser.parse_args()
    process.set_threads()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if wish.peak:
        print(added(ALL[wish.peak], wish.networks[0]))
        return
    present = [name for name in PEERS if usable(name)]
    missing = [name for name in PEERS if name not in present]
    times_rows, macs_rows, memory_rows = [], [], []
    for name in wish.networks:
        times, macs = measure(name, present, wish.rounds)
        floor = times[OURS]
        columns = [FLOOR, TRAINING, *present]
        times_rows.append(
            [name, f"{np.median(floor):.0f}", *(ratio(times[column], floor) for column in columns)]
        )
        macs_rows.append(
            [name, f"{macs[OURS] / 1e9:.3f}", *(f"{macs[peer] / macs[OURS]:.3f}" for peer in present)]
        )
        memory_rows.append([name, *(peak(each, name) for each in (OURS, TRAINING, *present))])
        print(" | ".join(times_rows[-1]), flush=True)
    body = "\n\n".join(
        [
            table(["time", f"{OURS}, ms", FLOOR, TRAINING, *present], times_rows),
            table(["MACs", f"{OURS}, 10^9", *present], macs_rows),
            table(["MB", OURS, TRAINING, *present], memory_rows),
        ]
    )
    note = f"\nNot installed here: {', '.join(missing)}.\n" if missing else ""
    write("profiling", "Tables of networks", f"{body}\n{EXPLANATION}{note}")


def measure(name: str, present: list[str], rounds: int) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Milliseconds of the processor of every column, and the MACs that each finds."""
    network = build(name)
    bare = build(name).to("meta")
    picture = torch.empty(1, *SHAPE, device="meta")
    tools = {each: ALL[each] for each in (OURS, TRAINING, *present)}
    macs = {each: quietly(lambda tool=tool: tool(network)) for each, tool in tools.items()}

    def floor() -> None:
        with torch.no_grad():
            bare(picture)

    runs: dict[str, Callable[[], object]] = {FLOOR: floor}
    runs |= {each: lambda tool=tool: tool(network) for each, tool in tools.items()}
    return interleaved(runs, rounds, lambda run: quietly(lambda: processor_time(run))), macs


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = torchvision.models.get_model(name).eval()
    return made


def processor_time(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return (time.process_time() - start) * 1e3


def quietly(run: Callable[[], Result]) -> Result:
    """Peers print; what they print is no result."""
    with contextlib.redirect_stdout(io.StringIO()):
        return run()


def usable(name: str) -> bool:
    """Whether a peer is installed, with all that it imports."""
    if importlib.util.find_spec(name) is None:
        return False
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def added(tool: Measure, name: str) -> str:
    """Megabytes that a table adds at most to this process, which has run the tool once on a small network."""
    quietly(lambda: tool(torchvision.models.squeezenet1_1().eval()))
    network = build(name)
    # the peak from here on: what getrusage tells is the parent's too
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    quietly(lambda: tool(network))
    return f"{(memory('VmHWM') - before) / 1e6:.1f}"


def memory(entry: str) -> int:
    """Bytes of a line of Linux' /proc/self/status: VmRSS is what is held now, VmHWM the most there was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{entry}:"))


def peak(tool: str, name: str) -> str:
    """`added`, in an interpreter of its own."""
    command = [sys.executable, "-m", "benchmarks.profiling", "--peak", tool, name]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "failed"


if __name__ == "__main__":
    main()
