"""One worker for all sessions: they share forwards, take turns, and lose their place when they leave."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from explorer import desk as desk_module
from explorer.desk import PATIENCE, Desk
from explorer.errors import Cancelled, ModelError
from explorer.recording import MOVED_TO_CPU, Recorder, Tape


class Counting(nn.Module):
    """A small network that notes how many pictures each forward had."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 10)
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return self.fc(self.conv(x).relu().mean((2, 3)))


@pytest.fixture
def recorder() -> Recorder:
    torch.manual_seed(0)
    made = Recorder(Counting(), 8)
    made.network.sizes.clear()
    return made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as made:
        yield made


class Busy:
    """A desk whose worker is held at a job, so that what is asked meanwhile waits."""

    def __init__(self, pool: ThreadPoolExecutor):
        self.desk = Desk()
        self._pool = pool
        self._go_on = threading.Event()
        begun = threading.Event()
        self._held = pool.submit(self.desk.run, lambda: (begun.set(), self._go_on.wait(20)))
        assert begun.wait(10)

    def ask(self, function: Callable[..., Any], *args: Any, **named: Any) -> Future[Any]:
        """Ask from another thread; returns when the question waits in line."""
        last = self.desk._waiting[-1:]
        future = self._pool.submit(function, *args, **named)
        deadline = time.monotonic() + 10
        while self.desk._waiting[-1:] == last and not future.done() and time.monotonic() < deadline:
            time.sleep(0.0005)
        return future

    def go_on(self) -> None:
        self._go_on.set()


@pytest.fixture
def busy(pool: ThreadPoolExecutor) -> Iterator[Busy]:
    made = Busy(pool)
    yield made
    made.go_on()


def picture(seed: int, size: int = 8) -> Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


# --------------------------------------------------------------------------------------------- batching


def test_pictures_that_wait_together_share_forwards(recorder: Recorder, busy: Busy):
    asked = [busy.ask(busy.desk.record, recorder, picture(n), owner=f"student {n}") for n in range(10)]
    busy.go_on()
    tapes: list[Tape] = [future.result(10) for future in asked]
    assert recorder.network.sizes == [4, 4, 2]
    for n, tape in enumerate(tapes):
        torch.testing.assert_close(tape.logits, recorder.logits(picture(n)))
        (gradient,) = tape.gradients([3], ["conv"])
        wanted = recorder.record(picture(n)).gradients([3], ["conv"])[0]
        torch.testing.assert_close(gradient, wanted)


def test_a_picture_that_waits_alone_runs_alone(recorder: Recorder):
    desk = Desk()
    tape = desk.record(recorder, picture(0), ["conv"])
    assert recorder.network.sizes == [1]
    assert tape.layers == ("conv",)
    assert len(tape.logits) == 1


def test_only_like_pictures_share_a_forward(recorder: Recorder, busy: Busy):
    other = Recorder(Counting(), 8)
    other.network.sizes.clear()
    asked = [
        busy.ask(busy.desk.record, recorder, picture(0)),
        busy.ask(busy.desk.record, recorder, picture(1, size=12)),
        busy.ask(busy.desk.record, other, picture(2)),
        busy.ask(busy.desk.record, recorder, picture(3)),
    ]
    busy.go_on()
    for future in asked:
        assert future.result(10).logits.shape == (1, 10)
    assert sorted(recorder.network.sizes) == [1, 2]
    assert other.network.sizes == [1]


def test_networks_with_long_heads_are_not_batched(recorder: Recorder, busy: Busy):
    recorder.short_head = False
    asked = [busy.ask(busy.desk.record, recorder, picture(n)) for n in range(3)]
    busy.go_on()
    for future in asked:
        future.result(10)
    assert recorder.network.sizes == [1, 1, 1]


def test_a_batch_of_ones_own_stays_whole(recorder: Recorder, busy: Busy):
    asked = [busy.ask(busy.desk.record, recorder, picture(n).expand(2, -1, -1, -1)) for n in range(2)]
    busy.go_on()
    assert [len(future.result(10).logits) for future in asked] == [2, 2]


def test_a_bad_picture_fails_alone(recorder: Recorder, busy: Busy):
    asked = [
        busy.ask(busy.desk.record, recorder, picture(n) * (torch.nan if n == 1 else 1)) for n in range(3)
    ]
    busy.go_on()
    with pytest.raises(ModelError, match="The class scores of Counting are not numbers"):
        asked[1].result(10)
    for n in (0, 2):
        torch.testing.assert_close(asked[n].result(10).logits, recorder.logits(picture(n)))


def test_a_full_card_moves_the_network_and_every_tape_says_so(
    recorder: Recorder, busy: Busy, monkeypatch: pytest.MonkeyPatch
):
    forward, moves = recorder.network.forward, []

    def full_until_moved(x: Tensor) -> Tensor:
        if not moves:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(x)

    monkeypatch.setattr(recorder.network, "forward", full_until_moved)
    monkeypatch.setattr(recorder, "to", moves.append)
    asked = [busy.ask(busy.desk.record, recorder, picture(n)) for n in range(2)]
    busy.go_on()
    tapes = [future.result(10) for future in asked]
    assert moves == ["cpu"]
    assert [tape.note for tape in tapes] == [MOVED_TO_CPU, MOVED_TO_CPU]
    assert busy.desk.record(recorder, picture(5)).note == ""


# ------------------------------------------------------------------------------------------ short and long


def test_run_gives_the_result_or_the_exception_to_the_asker_alone(pool: ThreadPoolExecutor):
    desk = Desk()

    def work(n: int) -> int:
        if n % 5 == 0:
            raise ModelError(f"{n} is no good.")
        return n * n

    asked = [pool.submit(desk.run, work, n, owner=str(n)) for n in range(20)]
    for n, future in enumerate(asked):
        if n % 5 == 0:
            with pytest.raises(ModelError, match=f"^{n} is no good"):
                future.result(10)
        else:
            assert future.result(10) == n * n


def test_all_work_is_done_by_one_thread(recorder: Recorder, pool: ThreadPoolExecutor):
    desk = Desk()
    names = {pool.submit(desk.run, threading.current_thread).result(10) for _ in range(8)}
    names |= set(desk.stream(threading.current_thread() for _ in range(3)))
    assert len(names) == 1
    assert threading.current_thread() not in names


def test_a_job_may_ask_the_desk_itself(recorder: Recorder):
    desk = Desk()
    tape = desk.run(lambda: desk.record(recorder, picture(0)))
    torch.testing.assert_close(tape.logits, recorder.logits(picture(0)))
    assert desk.run(lambda: list(desk.stream(iter([1, 2])))) == [1, 2]


def test_sessions_take_turns_however_much_one_asks(busy: Busy):
    done: list[str] = []
    asked = [busy.ask(busy.desk.run, done.append, "greedy", owner="greedy") for _ in range(6)]
    asked += [busy.ask(busy.desk.run, done.append, name, owner=name) for name in ("ann", "bob")]
    busy.go_on()
    for future in asked:
        future.result(10)
    assert done[:3] == ["greedy", "ann", "bob"]
    assert done[3:] == ["greedy"] * 5


def test_a_map_is_drawn_before_the_pictures_that_came_after_its_own(recorder: Recorder, busy: Busy):
    recorder.short_head = False  # one picture at a time
    done: list[str] = []

    def ask(name: str) -> None:
        busy.desk.record(recorder, picture(0), owner=name)
        done.append(f"{name}'s picture")
        busy.desk.run(done.append, f"{name}'s map", owner=name)
        busy.desk.run(done.append, f"{name}'s second map", owner=name)

    recorder.network.register_forward_hook(lambda *seen: time.sleep(0.02))  # time to ask for the map
    asked = [busy.ask(ask, name) for name in ("ann", "bob", "eve", "joe")]
    busy.go_on()
    for future in asked:
        future.result(10)
    # Bob's picture is under way when Ann asks for her map; it is drawn before Eve's picture is begun.
    assert done.index("ann's map") < done.index("eve's picture")
    assert done.index("bob's map") < done.index("joe's picture")
    assert done.index("ann's second map") > done.index("eve's picture")


def test_work_of_nobody_comes_in_its_turn(busy: Busy):
    done: list[str] = []
    asked = [busy.ask(busy.desk.run, done.append, name, owner=name) for name in ("ann", "", "bob", "")]
    busy.go_on()
    for future in asked:
        future.result(10)
    assert done == ["ann", "", "bob", ""]


def test_a_stream_gives_each_value_in_order():
    assert list(Desk().stream(iter(range(7)), owner="ann")) == list(range(7))


def test_short_jobs_go_before_the_next_step_of_a_long_one(busy: Busy, pool: ThreadPoolExecutor):
    done: list[str] = []

    def steps(name: str) -> Iterator[int]:
        for n in range(2):
            done.append(f"{name} {n}")
            yield n

    long = busy.ask(lambda: list(busy.desk.stream(steps("long"), owner="ann")))
    short = [busy.ask(busy.desk.run, done.append, f"short {n}", owner="bob") for n in range(3)]
    busy.go_on()
    assert long.result(10) == [0, 1]
    for future in short:
        future.result(10)
    assert done == ["short 0", "short 1", "short 2", "long 0", "long 1"]


def test_a_long_job_is_not_stopped_by_endless_short_ones(busy: Busy):
    done: list[str] = []
    long = busy.ask(lambda: next(busy.desk.stream(iter([done.append("long")]), owner="ann")))
    short = [busy.ask(busy.desk.run, done.append, "short", owner=f"{n}") for n in range(3 * PATIENCE)]
    step = next(job for job in busy.desk._waiting if job.long)
    step.work = lambda: done.append("step")
    busy.go_on()
    for future in [long, *short]:
        future.result(10)
    assert done.index("step") <= PATIENCE + 1


def test_long_jobs_of_two_sessions_advance_together(busy: Busy):
    done: list[str] = []

    def steps(name: str) -> Iterator[None]:
        for _ in range(3):
            done.append(name)
            yield time.sleep(0.01)  # long enough for the other to ask for its next step

    asked = [
        busy.ask(lambda name=name: list(busy.desk.stream(steps(name), owner=name))) for name in ("ann", "bob")
    ]
    busy.go_on()
    for future in asked:
        future.result(10)
    assert done == ["ann", "bob"] * 3


@pytest.mark.parametrize("how", ["close", "abandon", "error"])
def test_an_abandoned_stream_closes_its_generator(how: str):
    desk, closed, steps = Desk(), threading.Event(), []

    def work() -> Iterator[int]:
        try:
            for n in range(1000):
                steps.append(n)
                yield n
        finally:
            closed.set()

    stream = desk.stream(work())
    assert next(stream) == 0
    if how == "close":
        stream.close()
    elif how == "error":
        with pytest.raises(KeyError):
            stream.throw(KeyError)
    else:
        del stream
    assert closed.wait(10)
    assert steps == [0]


def test_an_error_in_a_long_job_reaches_its_session():
    def work() -> Iterator[int]:
        yield 1
        raise ModelError("The second step is no good.")

    stream = Desk().stream(work())
    assert next(stream) == 1
    with pytest.raises(ModelError, match="second step"):
        next(stream)


# --------------------------------------------------------------------------------------------- leaving


def test_a_session_that_leaves_loses_its_place(recorder: Recorder, busy: Busy):
    leaving = [
        busy.ask(busy.desk.record, recorder, picture(0), owner="ann"),
        busy.ask(busy.desk.run, pytest.fail, "This ran for nobody.", owner="ann"),
        busy.ask(lambda: list(busy.desk.stream(iter([1]), owner="ann"))),
    ]
    staying = busy.ask(busy.desk.record, recorder, picture(1), owner="bob")
    busy.desk.forget("ann")
    for future in leaving:
        with pytest.raises(Cancelled, match="The session has left"):
            future.result(10)
    busy.go_on()
    torch.testing.assert_close(staying.result(10).logits, recorder.logits(picture(1)))
    assert recorder.network.sizes == [1, 1]  # bob's, and the line above


def test_a_stream_of_a_session_that_left_between_two_steps_ends():
    desk, closed = Desk(), threading.Event()

    def work() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    stream = desk.stream(work(), owner="ann")
    assert next(stream) == 0
    desk.forget("ann")
    with pytest.raises(Cancelled, match="The session has left"):
        next(stream)
    assert closed.wait(10)
    assert not desk._visits


def test_forgetting_nobody_drops_nothing(busy: Busy):
    asked = busy.ask(busy.desk.run, lambda: 5)
    busy.desk.forget("")
    busy.desk.forget("somebody else")
    busy.go_on()
    assert asked.result(10) == 5


def test_the_newest_question_overtakes_what_the_same_session_asked_before(recorder: Recorder, busy: Busy):
    stale = [busy.ask(busy.desk.record, recorder, picture(n), owner="ann", newest=True) for n in range(4)]
    other = busy.ask(busy.desk.record, recorder, picture(8), owner="bob", newest=True)
    job = busy.ask(busy.desk.run, lambda: "another kind", owner="ann", newest=True)
    busy.go_on()
    for future in stale[:3]:
        with pytest.raises(Cancelled, match="Something newer was asked for"):
            future.result(10)
    torch.testing.assert_close(stale[3].result(10).logits, recorder.logits(picture(3)))
    assert other.result(10).logits.shape == (1, 10)
    assert job.result(10) == "another kind"


# --------------------------------------------------------------------------------------------- the process


def test_the_process_has_one_desk(monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor):
    monkeypatch.setattr(desk_module, "_desk", None)
    desks = {pool.submit(desk_module.desk).result(10) for _ in range(8)}
    assert len(desks) == 1


def test_the_worker_keeps_nothing_of_the_last_job(recorder: Recorder):
    desk = Desk()
    tape = desk.record(recorder, picture(0))
    alive = weakref.ref(tape._pass)
    del tape
    deadline = time.monotonic() + 5
    while alive() is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert alive() is None


def test_the_worker_uses_the_threads_that_the_process_sets(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    try:
        assert Desk().run(torch.get_num_threads) == 3
    finally:
        torch.set_num_threads(before)
