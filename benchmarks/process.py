"""What each setting of the process does: every figure from a fresh interpreter.

python -m benchmarks.process [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import torch

from benchmarks.results import table, write

SPIN = "while True: pass"

# The network is measured alone, or beside one process that never rests for each core.
FORWARD = """
import json, sys, time
wish = json.loads(sys.argv[1])
from explorer import process
if wish["keep"]:
    process.keep_freed_memory()
import torch
if wish["threads"]:
    torch.set_num_threads(wish["threads"])
from explorer.models import DEFAULT_MODEL, build_network, card
from explorer.recording import Recorder
recorder = Recorder(build_network(card(DEFAULT_MODEL), None))
x = torch.randn(wish["pictures"], 3, 224, 224)
times = []
for _ in range(wish["rounds"]):
    start = time.perf_counter()
    recorder.logits(x)
    times.append((time.perf_counter() - start) * 1e3)
print(json.dumps(sorted(times)[len(times) // 2]))
"""

COLLECT = """
import gc, json, time
import plotly.graph_objects, skimage.data, streamlit, torchvision, torch
from explorer import desk, process, saliency
from explorer.models import DEFAULT_MODEL, build_network, card
from explorer.recording import Recorder
recorder = Recorder(build_network(card(DEFAULT_MODEL), None))
def collect():
    times = []
    for _ in range(7):
        start = time.perf_counter()
        gc.collect()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)[3]
before = collect()
process.settle()
print(json.dumps([before, collect()]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    passive, active = {"OMP_WAIT_POLICY": "PASSIVE"}, dict[str, str]()
    rows = []

    def compare(what: str, case: str, without: list[float], given: list[float]) -> None:
        rows.append(
            [what, case, *(f"{np.median(v):.1f} [{min(v):.1f}–{max(v):.1f}]" for v in (without, given))]
        )

    for busy, case in ((0, "alone"), (os.cpu_count() or 1, "beside a busy process on each core")):
        pairs = [(forward(active, busy), forward(passive, busy)) for _ in range(repeats)]
        compare("OMP_WAIT_POLICY=PASSIVE", f"a forward, {case}", *map(list, zip(*pairs, strict=True)))
    for pictures in (1, 4, 32):
        pairs = [
            (forward(passive, pictures=pictures), forward(passive, pictures=pictures, keep=True))
            for _ in range(repeats)
        ]
        compare("mallopt", f"a forward of {pictures}", *map(list, zip(*pairs, strict=True)))
    pairs = [(forward(passive, threads=1), forward(passive)) for _ in range(repeats)]
    compare("a thread for each core, not one", "a forward", *map(list, zip(*pairs, strict=True)))
    pairs = [tuple(fresh(COLLECT, {}, {})) for _ in range(repeats)]
    compare("gc.freeze", "gc.collect()", *map(list, zip(*pairs, strict=True)))
    head = ["setting", "measured", "without, ms", "with, ms"]
    note = f"Medians of {repeats} fresh interpreters for each figure, in brackets the least and the most."
    body = f"{table(head, rows)}\n\n{note}"
    write("process", "Settings of the process", body, torch.device("cpu"))


def forward(
    environment: Mapping[str, str], busy: int = 0, pictures: int = 1, keep: bool = False, threads: int = 0
) -> float:
    """Median milliseconds of a forward of the installed network."""
    wish = {"keep": keep, "threads": threads, "pictures": pictures, "rounds": 15 if pictures < 8 else 7}
    others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(busy)]
    try:
        return float(fresh(FORWARD, environment, wish))
    finally:
        for other in others:
            other.kill()
            other.wait()


def fresh(code: str, environment: Mapping[str, str], wish: Mapping[str, object]) -> list[float] | float:
    """What a fresh interpreter prints as JSON, with none of our settings but these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, json.dumps(wish)],
        env={**clean, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
