"""Settings of the process are made once, and what the environment says already stays."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from explorer import process

ROOT = Path(__file__).resolve().parents[1]


def fresh(code: str, **environment: str) -> str:
    """What a new interpreter prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_importing_process_imports_nothing_heavy():
    heavy = fresh("import sys, explorer.process; print([n for n in ('torch', 'numpy') if n in sys.modules])")
    assert heavy == "[]"


def test_prepare_makes_waiting_threads_passive_and_counts_cores():
    told = fresh(
        "import os; from explorer import process; process.prepare(); import torch; process.set_threads();"
        "print(os.environ['OMP_WAIT_POLICY'], torch.get_num_threads(), process.threads())"
    )
    cores = min(process._cores(), process.MOST_THREADS)
    assert told == f"PASSIVE {cores} {cores}"


def test_what_the_environment_says_stays():
    told = fresh(
        "import os; from explorer import process; process.prepare(); import torch; process.set_threads();"
        "from threading import Thread; seen = [];"
        "later = Thread(target=lambda: seen.append(torch.get_num_threads())); later.start(); later.join();"
        "print(os.environ['OMP_WAIT_POLICY'], torch.get_num_threads(), seen)",
        OMP_WAIT_POLICY="ACTIVE",
        OMP_NUM_THREADS="1",
    )
    assert told == "ACTIVE 1 [1]"


@pytest.mark.parametrize("wish", ["", "0", "many", "-2", "2,1"])
def test_a_wish_that_is_no_number_is_passed_over(wish: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", wish)
    assert process.threads() == min(process._cores(), process.MOST_THREADS)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_freed_memory_is_kept_by_glibc():
    """After a large tensor is freed, the process stays as large; without it, it shrinks by all of that."""
    measure = (
        "import torch; size = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096;"
        "a = torch.ones(50_000_000); full = size(); del a; print(full - size() > 150_000_000)"
    )
    assert fresh(measure) == "True"
    assert fresh(f"from explorer import process; assert process.keep_freed_memory(); {measure}") == "False"


def test_elsewhere_nothing_is_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not process.keep_freed_memory()


def test_settle_puts_what_is_loaded_out_of_the_collectors_reach():
    gc.unfreeze()
    loaded = [[n] for n in range(1000)]
    try:
        process.settle()
        assert gc.get_freeze_count() > 1000
        assert not any(thing is loaded for thing in gc.get_objects())
    finally:
        gc.unfreeze()
