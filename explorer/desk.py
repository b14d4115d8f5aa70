"""The desk: one thread that runs the networks for all sessions.

Sessions ask and wait.  Forwards that wait at the same time share a batch; short jobs of different sessions
take turns; long jobs are generators, advanced one step at a time behind the short ones.  Torch then never
competes with itself for the cores, and a session that leaves loses its place.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from explorer import process
from explorer.errors import Cancelled
from explorer.recording import Recorder, Tape

WIDTH = 4
"""Pictures that share a forward: in a batch of 4 each costs half of one alone, in a larger hardly less."""

PATIENCE = 8
"""Short jobs that may go before a long one that waits: else a full class would stop it for good."""

Result = TypeVar("Result")

_END = object()


@dataclass(eq=False)
class _Job:
    """Something to do for an owner; `kind` is "record", "run", "step" or "close"."""

    kind: str
    owner: str
    work: Callable[[], Any]
    number: int = 0
    future: Future[Any] = field(default_factory=Future)
    # Of recordings: what pictures must have in common to share a forward, and the picture.
    batch: tuple[Any, ...] | None = None
    x: Tensor | None = None

    @property
    def long(self) -> bool:
        return self.kind == "step"


class _Visit:
    """One long job in progress: whose it is, and whether that session has left."""

    def __init__(self, owner: str):
        self.owner = owner
        self.left = False


class Desk:
    """One worker that runs all torch work.

    Every method may be called from any thread.  `owner` is a name of the session that asks; work without one
    belongs to nobody in particular, and `forget` does not reach it.
    """

    def __init__(self, width: int = WIDTH):
        self.width = width
        self._waiting: list[_Job] = []
        self._wake = threading.Condition()
        self._numbers = itertools.count(1)
        self._served: dict[str, int] = {}
        self._recorded: dict[str, int] = {}
        self._visits: set[_Visit] = set()
        self._short_in_a_row = 0
        # torch's number of threads holds for threads that start after it is set.
        process.set_threads()
        self._worker = threading.Thread(target=self._work, name="desk", daemon=True)
        self._worker.start()

    def record(
        self,
        recorder: Recorder,
        x: Tensor,
        layers: Sequence[str] | None = None,
        owner: str = "",
        newest: bool = False,
    ) -> Tape:
        """The tape of one picture (1, 3, H, W); blocks until it is there.

        Pictures that wait for the same recorder and layers share a forward, where a shared tape is as quick
        to ask as one's own (`Recorder.short_head`).

        Args:
            newest: drop the owner's older recordings that still wait; whoever waits for them gets
                `Cancelled`.

        Raises:
            Cancelled: the session left, or asked for something newer.
        """
        names = recorder.known(layers)
        job = _Job("record", owner, lambda: recorder.record(x, names), x=x)
        if recorder.short_head and len(x) == 1:
            job.batch = (recorder, names, x.shape, x.dtype)
        tape: Tape = self._ask(job, newest)
        return tape

    def run(
        self, function: Callable[..., Result], *args: Any, owner: str = "", newest: bool = False
    ) -> Result:
        """The result of a short job, `function(*args)`, such as a gradient; blocks until it is there.

        Raises:
            Cancelled: the session left, or asked for something newer.
        """
        result: Result = self._ask(_Job("run", owner, lambda: function(*args)), newest)
        return result

    def stream(self, generator: Iterator[Result], owner: str = "") -> Iterator[Result]:
        """What a long job yields, as it comes.

        Each step is worked out when it is asked for.  Stop iterating and the job stops; its generator is
        closed.

        Raises:
            Cancelled: the session left.
        """
        visit = _Visit(owner)
        with self._wake:
            self._visits.add(visit)
        try:
            while not visit.left:
                value = self._ask(_Job("step", owner, lambda: next(generator, _END)))
                if value is _END:
                    return
                yield value
            raise Cancelled("The session has left.")
        finally:
            with self._wake:
                self._visits.discard(visit)
            # Closed by the worker, which may be in the midst of a step; nobody waits for it.
            self._put(_Job("close", "", getattr(generator, "close", lambda: None)))

    def forget(self, owner: str) -> None:
        """Drop whatever a session still waits for: it has left."""
        if owner:
            with self._wake:
                for visit in self._visits:
                    visit.left = visit.left or visit.owner == owner
                self._drop(lambda job: job.owner == owner, "The session has left.")
                self._served.pop(owner, None)
                self._recorded.pop(owner, None)

    # -------------------------------------------------------------------------------------------- asking

    def _ask(self, job: _Job, newest: bool = False) -> Any:
        if threading.current_thread() is self._worker:  # a job that asks the desk would wait for itself
            return job.work()
        self._put(job, newest)
        return job.future.result()

    def _put(self, job: _Job, newest: bool = False) -> None:
        with self._wake:
            if newest and job.owner:
                self._drop(
                    lambda old: (old.kind, old.owner) == (job.kind, job.owner),
                    "Something newer was asked for.",
                )
            job.number = next(self._numbers)
            self._waiting.append(job)
            self._wake.notify()

    def _drop(self, which: Callable[[_Job], bool], why: str) -> None:
        dropped = [job for job in self._waiting if which(job)]
        self._waiting = [job for job in self._waiting if not which(job)]
        for job in dropped:
            job.future.set_exception(Cancelled(why))

    # ------------------------------------------------------------------------------------------- working

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._waiting:
                    self._served.clear()  # nobody waits, so nobody has waited longer than others
                    self._recorded.clear()
                    self._wake.wait()
                jobs = self._take()
            if len(jobs) > 1:
                self._run_batch(jobs)
            else:
                self._run(jobs[0])
            del jobs  # or the last job's tensors would live until the next one comes

    def _take(self) -> list[_Job]:
        """The next job, with those that share its forward."""
        first = min(self._waiting, key=self._turn)
        self._short_in_a_row = 0 if first.long else self._short_in_a_row + 1
        mates = [job for job in self._waiting if job.batch and job.batch == first.batch and job is not first]
        jobs = [first, *sorted(mates, key=self._turn)[: self.width - 1]]
        for job in jobs:
            self._waiting.remove(job)
            if job.owner:
                self._served[job.owner] = next(self._numbers)
                self._recorded.pop(job.owner, None)
                if job.kind == "record":
                    self._recorded[job.owner] = job.number
        return jobs

    def _turn(self, job: _Job) -> tuple[bool, int]:
        """Short before long; then who has waited longest since they came, or since they were last served.

        The first short job after an owner's recording, its map, keeps the recording's place.  Else every
        picture would be recorded before any map is drawn, and the tapes of all be kept meanwhile.
        """
        behind = job.long and self._short_in_a_row < PATIENCE
        if job.kind == "run" and job.owner in self._recorded:
            return behind, self._recorded[job.owner]
        return behind, max(job.number, self._served.get(job.owner, 0))

    def _run(self, job: _Job) -> None:
        try:
            result = job.work()
        except BaseException as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def _run_batch(self, jobs: list[_Job]) -> None:
        recorder, layers, *_ = jobs[0].batch or ()
        try:
            tape = recorder.record(torch.cat([job.x for job in jobs if job.x is not None]), layers)
        except Exception:
            tape = None
        for row, job in enumerate(jobs):
            if tape is None:  # one of the pictures may be the cause: each on its own, each its own answer
                self._run(job)
            else:
                job.future.set_result(tape.image(row))


_lock = threading.Lock()
_desk: Desk | None = None


def desk() -> Desk:
    """The process's one desk, made when it is first asked for."""
    global _desk
    with _lock:
        if _desk is None:
            _desk = Desk()
        return _desk
