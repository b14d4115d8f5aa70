"""Long jobs as panels show them, on the panel that times a network: how far, Cancel, what came of it, and why not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from explorer.desk import desk
from explorer.errors import ModelError
from explorer.timing import LayerTime, Progress, Speed, Timing
from explorer.ui import under_way
from explorer.ui.net_panels import timing
from tests.test_layer_panels import plain
from tests.test_pages import visit

FOUND = Timing((Speed(1, (0.25, 0.5, 0.25)),), (LayerTime("conv1", "Conv2d", 0.2),), "a machine")
CLOSED = threading.Event()


def quick(*_: object, **__: object) -> Iterator[Progress | Timing]:
    yield Progress(0, 1, "random weights")
    yield FOUND


def endless(*_: object, **__: object) -> Iterator[Progress | Timing]:
    CLOSED.clear()
    try:
        while True:
            time.sleep(0.01)
            yield Progress(3, 4, "forwards of one picture")
    finally:
        CLOSED.set()


def refused(*_: object, **__: object) -> Iterator[Progress | Timing]:
    raise ModelError("This network is too large to be run here: 5 parameters.")
    yield FOUND


def started(monkeypatch: pytest.MonkeyPatch, job: object, at: AppTest | None = None) -> AppTest:
    """The panel after its button, with this job in the measurement's place."""
    monkeypatch.setattr(timing, "measure", job)
    at = at or visit("networks", net="classic~lenet5", further="time")
    at.button(key="time it").click().run()
    assert not at.exception
    return at


def shown(at: AppTest) -> str:
    return "\n".join([each.proto.body for each in at.get("html")] + [each.value for each in at.warning])


def test_a_real_network_is_timed_and_its_layers_are_drawn() -> None:
    at = visit("networks", net="classic~lenet5-1998", further="time")
    at.button(key="time it").click().run()
    until = time.monotonic() + 60
    while "time it" not in {each.key for each in at.button}:
        assert time.monotonic() < until
        time.sleep(0.2)
        at.run()
    assert not at.exception
    assert not at.warning
    assert shown(at).count("pictures/s") == 2  # one at a time, and 16 at once
    assert at.button(key="time it").label == "Time it again"


def test_what_is_there_at_once_is_shown_without_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    at = started(monkeypatch, quick)
    assert "cancel timing" not in {each.key for each in at.button}
    assert "4 pictures/s" in shown(at)  # 1 / 0.25


def test_progress_is_told_and_cancelled_the_last_result_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    at = started(monkeypatch, endless, started(monkeypatch, quick))
    (bar,) = at.get("progress")
    assert (bar.proto.value, bar.proto.text) == (75, "Forwards of one picture: 3 of 4")
    assert "pictures/s" not in shown(at)
    assert desk().run(lambda: "others go between", owner="somebody else") == "others go between"
    at.button(key="cancel timing").click().run()
    assert CLOSED.wait(5)
    assert not at.get("progress")
    assert not at.warning
    assert "4 pictures/s" in shown(at)


def test_a_refusal_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    at = started(monkeypatch, refused)
    (said,) = [each.value for each in at.warning]
    assert plain(said) == "This network is too large to be run here: 5 parameters."
    assert at.button(key="time it").label == "Time it again"


def test_another_network_stops_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    at = started(monkeypatch, endless)
    at.session_state["choice:net"] = "classic~lenet5-1998"
    at.run()
    assert CLOSED.wait(5)
    assert not at.get("progress")
    assert at.button(key="time it").label == "Time it"


def test_it_ends_when_its_session_does(monkeypatch: pytest.MonkeyPatch) -> None:
    at = started(monkeypatch, endless)
    going = at.session_state["timing under way"]
    desk().forget(going.job._owner)
    assert CLOSED.wait(5)
    going.job.wait(5)
    assert not going.job.running
    at.run()
    assert not at.get("progress")
    assert not at.warning


def test_the_time_left_follows_from_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 130.0)
    assert under_way.time_left(0.25, since=100.0) == ", about 90 s left"
    assert under_way.time_left(0.01, since=100.0) == ""
