"""Settings of the process that numerical libraries run in: made once, here, each with its reason.

Call `prepare` before torch is first imported, `set_threads` before the first thread that computes is
started, and `settle` after whatever imports or loads something heavy.  The measured effects stand in
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import sys

MOST_THREADS = 8
"""Beyond this a forward of one picture gains nothing, and the sessions' own threads want cores too."""

# mallopt's numbers in glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


# What is frozen is not freed when the process ends, and C++ extensions would report it as leaked, at length.
atexit.register(gc.unfreeze)


def prepare() -> None:
    """What must be set before torch is imported.  What the environment says already stays."""
    # OpenMP threads that wait for the next layer spin by default.  Where others want the cores, each waits
    # for a spinning one to be sent away: a forward of 20 ms took up to 1,500 ms.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # OpenMP reads this when it is loaded, for threads of every origin; torch.set_num_threads alone holds
    # only for the thread that calls it and those started later.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads()))
    keep_freed_memory()


def set_threads() -> None:
    """Let torch use as many threads as there are cores for us, in this thread and in those started later."""
    import torch

    torch.set_num_threads(threads())


def threads() -> int:
    """How many threads one network runs on: `OMP_NUM_THREADS`, else the cores this process may use."""
    wish = os.environ.get("OMP_NUM_THREADS", "")
    return int(wish) if wish.isdecimal() and int(wish) else min(_cores(), MOST_THREADS)


def keep_freed_memory() -> bool:
    """Let glibc keep what tensors free, instead of giving it back to the kernel and having every page
    zeroed again.

    Maps of a network are of some megabytes, which glibc maps and unmaps one by one.  One arena, so that
    what one thread freed serves the next.  Returns whether it was set: only glibc knows these settings.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    # Each call gives 1 for success.
    return all([mallopt(_TRIM_THRESHOLD, 2**31 - 1), mallopt(_MMAP_THRESHOLD, 2**30), mallopt(_ARENA_MAX, 1)])


def settle() -> None:
    """Collect garbage, then tell the collector to leave alone whatever is loaded by now.

    Streamlit collects after every run of a page.  With torch and the networks among what is searched, that
    held the interpreter, and so every session, for 0.2 to 0.3 s each time; now it takes next to nothing.
    """
    gc.collect()
    gc.freeze()


def _cores() -> int:
    """Cores that this process may use: fewer than the machine has in a container or under taskset."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
