"""What the server does before the first visitor needs it: imports, the embedded network, one dry run.

The server answers at once and warms up in a thread of its own, so that nobody waits for imports in front of
a blank page; pages say what they wait for (`state.doing`).
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

HEAD_START = 1.0
"""Seconds in which the first page has the interpreter to itself, unless it needs a network."""

log = logging.getLogger("explorer")


@dataclass
class WarmUp:
    """How far the warm-up is; written by its thread alone, read by every page."""

    doing: str = "Waking up"
    seconds: float = 0.0
    failure: BaseException | None = None
    wanted: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def ready(self) -> bool:
        return self.done.is_set() and self.failure is None


state = WarmUp()
_start = threading.Lock()
_thread: threading.Thread | None = None


def start() -> WarmUp:
    """Begin to warm up, once in a process; later calls only return the state."""
    global _thread
    with _start:
        if _thread is None:
            _thread = threading.Thread(target=_run, name="warm-up", daemon=True)
            _thread.start()
    return state


def wait(seconds: float) -> bool:
    """Wait for the end, at most so long, as somebody who needs it now; True when it has ended."""
    start().wanted.set()
    return state.done.wait(seconds)


def _run() -> None:
    # 0.14 s of a regular expression that the first page's icon needs: while the browser is still loading
    import streamlit.emojis  # noqa: F401

    state.wanted.wait(HEAD_START)
    begun = time.perf_counter()
    try:
        _warm()
    except BaseException as error:  # the pages show it: a thread's traceback would be lost
        log.exception("warm-up failed")
        state.failure = error
    finally:
        state.seconds = time.perf_counter() - begun
        state.done.set()


def _warm() -> None:
    from explorer import process

    process.prepare()
    state.doing = "Starting PyTorch"
    import torch  # noqa: F401

    process.set_threads()
    state.doing = "Reading the catalogue of networks"
    from explorer import images
    from explorer.models import DEFAULT_MODEL, NetworkInput, card

    state.doing = f"Loading {card(DEFAULT_MODEL).name}"
    from explorer.ui import cache

    state.doing = "A first look at the sample picture"
    photo = images.sample_photo(next(iter(images.SAMPLES)))
    cache.dry_run(NetworkInput(card(DEFAULT_MODEL), photo))
    process.settle()
