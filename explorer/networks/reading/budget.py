"""How much a stranger's code may do: steps, calls, layers, sizes, time.

Steps are counted, so that the same code always gets the same answer; the time of the thread's own processor stands
behind them.  A budget belongs to one thread, for one reading or one forward pass.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

CHARACTERS: Final = 100_000
"""Longest source."""
STEPS: Final = 100_000
"""Most expressions and statements evaluated; long lists and texts count for more."""
CALLS: Final = 5_000
"""Most layers and operations called in one forward pass, or while reading."""
MODULES: Final = 2_000
"""Most layers built."""
DEPTH: Final = 30
"""Most functions, and most containers, inside one another."""
NESTING: Final = 60
"""Most expressions, and most brackets, inside one another."""
ITEMS: Final = 4_096
"""Longest list, tuple or dictionary."""
TEXT: Final = 1_000
"""Longest text."""
WHOLE: Final = 2**31 - 1
"""Largest number that a layer or an operation is given: what one axis of a tensor may hold."""
NUMBER: Final = 2**63 - 1
"""Largest whole number at all."""
ELEMENTS: Final = 2**48
"""Most elements of one tensor."""
AXES: Final = 16
"""Most axes of a tensor."""
PIECES: Final = 1_024
"""Most pieces that one tensor is cut into."""
REPEATS: Final = 64
"""Most layers that one layer builds by a number (`num_layers`)."""
SECONDS: Final = 0.8
"""Most processor time."""


class Budget:
    """What one run has used so far."""

    __slots__ = ("calls", "deadline", "depth", "modules", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self.calls = 0
        self.modules = 0
        self.depth = 0
        self.deadline = time.thread_time() + SECONDS

    def spent(self, steps: int = 1) -> str:
        """Counts steps; "" or, where the budget is used up, why."""
        before = self.steps
        self.steps += steps
        if self.steps > STEPS:
            return f"the code takes more than {STEPS:,} steps: is there a loop that does not end?"
        if before >> 7 != self.steps >> 7 and time.thread_time() > self.deadline:
            return f"the code takes longer than {SECONDS:g} s."
        return ""

    def called(self, operations: int = 1) -> str:
        """Counts calls of layers and operations."""
        self.calls += operations
        if self.calls > CALLS:
            return f"more than {CALLS:,} layers and operations are called."
        if time.thread_time() > self.deadline:
            return f"the code takes longer than {SECONDS:g} s."
        return ""

    def built(self, modules: int = 1) -> str:
        """Counts layers that are built."""
        self.modules += modules
        return f"more than {MODULES:,} layers are built." if self.modules > MODULES else ""


_thread = threading.local()


def current() -> Budget:
    """The budget of what runs in this thread."""
    budget: Budget | None = getattr(_thread, "budget", None)
    assert budget is not None, "nothing runs in this thread"
    return budget


def running() -> bool:
    """Whether this thread reads code, or runs the forward pass of code that was read."""
    return getattr(_thread, "budget", None) is not None


@contextmanager
def fresh() -> Iterator[Budget]:
    """A budget of its own for what happens inside, and the one before given back at the end."""
    before = getattr(_thread, "budget", None)
    _thread.budget = Budget()
    try:
        yield _thread.budget
    finally:
        _thread.budget = before
