"""Where results go: a section of RESULTS.md for each benchmark, with the machine it was taken on."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from explorer.devices import device_name

RESULTS = Path(__file__).with_name("RESULTS.md")


def write(section: str, title: str, body: str, device: torch.device | None = None) -> None:
    """Put a section into RESULTS.md in place of the one of the same name and device, and print it."""
    device = device or torch.device("cpu")
    name = section if device.type == "cpu" else f"{section}, {device.type}"
    text = f"## {title}\n\n{machine(device)}\n\n{body.strip()}\n"
    print(text)
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{text}{end}\n"
    page = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n"
    old = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}\n", re.DOTALL)
    new = old.sub(lambda _: block, page) if old.search(page) else f"{page}\n{block}"
    RESULTS.write_text(new, encoding="utf-8")


def machine(device: torch.device) -> str:
    """Date, machine, versions and how busy the machine was, in words."""
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return (
        f"{datetime.date.today()}. Device: {device_name(device)}. Processor: {_processor()}, "
        f"{os.cpu_count()} cores{load}. torch {torch.__version__}, Python {platform.python_version()}, "
        f"{torch.get_num_threads()} threads."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is set to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def interleaved(
    runs: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[Callable[[], object]], float]
) -> dict[str, np.ndarray]:
    """Milliseconds of each run in each round.  They take turns: a busy machine slows all alike."""
    for run in runs.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(clock(run))
    return {name: np.array(times) for name, times in taken.items()}


def spread(values: Sequence[float] | np.ndarray) -> str:
    """Median, and the 95th percentile in brackets."""
    return f"{np.median(values):.0f} [{np.percentile(values, 95):.0f}]"


def ratio(times: np.ndarray, floor: np.ndarray) -> str:
    """Ratio of the medians, and in brackets where four fifths of the rounds' own ratios lie."""
    low, high = np.percentile(times / floor, [10, 90])
    return f"{np.median(times) / np.median(floor):.2f} [{low:.2f}–{high:.2f}]"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()
