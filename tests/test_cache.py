"""What the server keeps: networks for everybody, pictures' tapes for one session."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer import models
from explorer.errors import Cancelled, WeightsError
from explorer.models import ModelCard
from explorer.recording import Recorder
from explorer.ui import cache

NAMES = [f"{name}.IMAGENET1K_V1" for name in ("resnet18", "alexnet", "vgg11", "vgg13")]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Keys in the order of their building; each network is a small one of random numbers."""
    keys: list[str] = []

    def build(card: ModelCard, file: Path | None) -> nn.Module:
        keys.append(card.key)
        layers = (
            nn.Conv2d(3, 4, 3, stride=8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 10),
        )
        return nn.Sequential(*layers)

    monkeypatch.setattr(models, "build_network", build)
    monkeypatch.setenv("CNN_EXPLORER_WEIGHTS", str(tmp_path))
    for key in NAMES:
        (tmp_path / models.card(key).file_name).touch()
    cache.recorder.clear()
    yield keys
    cache.recorder.clear()


def test_a_network_is_loaded_once(built: list[str]):
    assert cache.recorder(NAMES[0]) is cache.recorder(NAMES[0])
    assert built == NAMES[:1]


def test_the_least_recently_used_network_is_released_though_the_collector_was_told_to_leave_it(
    built: list[str],
):
    """`process.settle` freezes what is loaded: a network must go by its count of references alone."""
    assert cache.MAX_LOADED == 3
    released = [weakref.ref(cache.recorder(key).network) for key in NAMES[:3]]
    cache.recorder(NAMES[0])
    cache.recorder(NAMES[3])
    gc.collect()
    assert [reference() is None for reference in released] == [False, True, False]
    cache.recorder(NAMES[0])
    assert built == NAMES


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2", "googlenet", "vit_b_32"])
def test_real_networks_hold_no_circle_that_would_keep_them(name: str):
    """Frozen and then let go, their weights are freed without the collector's help."""
    import torchvision

    options = {"init_weights": False} if name == "googlenet" else {}
    recorder = Recorder(torchvision.models.get_model(name, **options))
    tape = recorder.record(torch.zeros(1, 3, 224, 224), [recorder.default.name])
    tape.gradients([0], [recorder.default.name])
    weight = weakref.ref(next(recorder.network.parameters()))
    gc.collect()
    gc.disable()
    try:
        recorder.close()
        del recorder, tape
        assert weight() is None
    finally:
        gc.enable()


def test_who_asks_for_the_same_network_waits_for_it_and_who_asks_for_another_does_not(
    built: list[str], monkeypatch: pytest.MonkeyPatch
):
    loaded = cache.recorder(NAMES[0])
    build, begun, go_on = models.build_network, threading.Event(), threading.Event()

    def slowly(card: ModelCard, file: Path | None) -> nn.Module:
        begun.set()
        assert go_on.wait(30)
        return build(card, file)

    monkeypatch.setattr(models, "build_network", slowly)
    got: list[Recorder] = []
    sessions = [threading.Thread(target=lambda: got.append(cache.recorder(NAMES[2]))) for _ in range(4)]
    for session in sessions:
        session.start()
    assert begun.wait(30)
    started = time.monotonic()
    assert cache.recorder(NAMES[0]) is loaded
    assert time.monotonic() - started < 5
    assert got == []
    go_on.set()
    for session in sessions:
        session.join()
    assert built == [NAMES[0], NAMES[2]]
    assert len({id(recorder) for recorder in got}) == 1


def test_a_failed_load_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CNN_EXPLORER_WEIGHTS", str(tmp_path))
    card = models.card("squeezenet1_1.IMAGENET1K_V1")
    (tmp_path / card.file_name).touch()
    with pytest.raises(WeightsError):
        cache.recorder(card.key)
    import torchvision

    torch.save(torchvision.models.squeezenet1_1().state_dict(), tmp_path / card.file_name)
    assert cache.recorder(card.key).default.grid == (13, 13)
    cache.recorder.clear()


def test_who_leaves_loses_the_place_at_the_desk_and_the_download(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    from tests.hub import Hub, held

    monkeypatch.setenv("CNN_EXPLORER_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    card = models.card("resnet50.IMAGENET1K_V2")
    seat, go_on, outcome = cache.Seat(), threading.Event(), []

    def wait_for_a_turn() -> None:
        try:
            outcome.append(cache.desk().run(lambda: "served", owner=seat.owner))
        except Cancelled as error:
            outcome.append(str(error))

    with Hub() as hub:
        monkeypatch.setenv("CNN_EXPLORER_HUB", hub.address)
        answer = hub.answers[card.file_name] = held(bytes(600_000))
        download = seat.wait_for(card)
        assert seat.wait_for(card) is download
        assert answer.begun.wait(10)
        begun = threading.Event()
        busy = threading.Thread(
            target=lambda: cache.desk().run(lambda: (begun.set(), go_on.wait(30)), owner="somebody else")
        )
        busy.start()
        assert begun.wait(10)
        waiting = threading.Thread(target=wait_for_a_turn)
        waiting.start()
        deadline = time.monotonic() + 10
        while not cache.desk()._waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        seat.leave()
        waiting.join(10)
        go_on.set()
        busy.join()
        answer.go_on.set()
        assert outcome == ["The session has left."]
        assert download.state == "cancelled"
        assert seat.download is None
