"""Weights' files are found, or come whole or not at all, and every failure says what to do."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer import weights
from explorer.errors import Cancelled, WeightsError
from explorer.models import CATALOGUE, ModelCard
from tests import hub as hubs
from tests.hub import Hub

BODY = bytes(range(256)) * 800  # 204,800 bytes: several chunks
NAME = f"tiny-{hashlib.sha256(BODY).hexdigest()[:8]}.pth"
CARD = replace(CATALOGUE["resnet50.IMAGENET1K_V2"], file_name=NAME, megabytes=len(BODY) / 1e6)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Hub() as running:
        monkeypatch.setenv("CNN_EXPLORER_HUB", running.address)
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one's own weights, empty; torch's cache is another one."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("CNN_EXPLORER_WEIGHTS", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "torch" / "hub" / "checkpoints"


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what another thread or process brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.01)


def put(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def failure(card: ModelCard = CARD) -> str:
    """What a visitor reads when the download fails: one sentence that names the file and the folder."""
    with pytest.raises(WeightsError) as raised:
        weights.fetch(card)
    sentence = str(raised.value)
    assert sentence.startswith(f"{card.file_name} could not be downloaded, since ")
    assert sentence.endswith(f"/{card.file_name} and put it into {weights.target_folder()}.")
    assert "\n" not in sentence
    return sentence


class TestFinding:
    def test_own_folder_comes_before_torchs_cache(self, folder: Path, cache: Path) -> None:
        assert weights.locate(CARD) is None
        in_cache = put(cache / NAME)
        assert weights.locate(CARD) == in_cache
        own = put(folder / NAME)
        assert weights.locate(CARD) == own

    def test_without_own_folder_torchs_cache_is_the_target(
        self, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert weights.target_folder() == folder
        monkeypatch.delenv("CNN_EXPLORER_WEIGHTS")
        assert weights.target_folder() == cache
        assert str(cache) == os.path.join(torch.hub.get_dir(), "checkpoints")

    def test_folder_under_the_files_name_is_no_file(self, folder: Path) -> None:
        (folder / NAME).mkdir(parents=True)
        assert weights.locate(CARD) is None

    def test_availability_says_what_it_takes(self, folder: Path) -> None:
        card = CATALOGUE["resnet50.IMAGENET1K_V2"]
        assert weights.availability(CATALOGUE["efficientnet_lite0"]) == "embedded"
        assert weights.availability(card) == "download 103 MB"  # 97.79 MiB
        put(folder / card.file_name)
        assert weights.availability(card) == "on this machine"

    def test_file_in_place_is_used_as_it_is_and_nothing_downloaded(self, folder: Path, hub: Hub) -> None:
        own = put(folder / NAME, b"fine-tuned")
        assert weights.fetch(CARD) == own
        assert hub.requests == []

    def test_addresses_are_torchvisions_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CNN_EXPLORER_HUB", raising=False)
        cards = [card for card in CATALOGUE.values() if card.source == "torchvision"]
        assert [weights._hub_url(card.file_name) for card in cards] == [card.url for card in cards]

    def test_hash_in_the_name_is_read_as_torch_reads_it(self) -> None:
        for card in CATALOGUE.values():
            found = torch.hub.HASH_REGEX.search(card.file_name)
            assert found
            assert weights.hash_prefix(card.file_name) == found[1]
            assert re.fullmatch("[0-9a-f]{8,10}", found[1])


class TestGoodDownload:
    def test_file_arrives_whole_and_alone(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.good(BODY)
        assert weights.fetch(CARD) == folder / NAME
        assert (folder / NAME).read_bytes() == BODY
        assert os.listdir(folder) == [NAME]

    def test_length_need_not_be_announced(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.Answer(BODY)
        assert weights.fetch(CARD).read_bytes() == BODY

    def test_progress_counts_bytes_of_bytes(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)
        seen: list[tuple[int, int]] = []

        def progress(received: int, total: int) -> None:
            seen.append((received, total))
            if received >= len(BODY) // 2:
                hub.answers[NAME].go_on.set()

        weights.fetch(replace(CARD, megabytes=1), progress)
        assert seen[0][1] in (1_000_000, len(BODY))  # the card's figure until the hub has said better
        assert seen[-1][1] == len(BODY)
        received = [count for count, _ in seen]
        assert received == sorted(received)
        assert received[-1] >= len(BODY) // 2

    def test_file_does_not_bear_its_name_before_it_is_whole(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)
        download = weights.request(CARD)
        until(lambda: download.received >= len(BODY) // 2)
        assert not (folder / NAME).exists()
        hub.answers[NAME].go_on.set()
        assert download.wait(20)
        assert (download.state, download.received, download.total) == ("done", len(BODY), len(BODY))
        assert (folder / NAME).read_bytes() == BODY
        download.leave()
        assert download.state == "done"

    def test_many_sessions_share_one_download(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)
        paths: list[Path] = []
        sessions = [threading.Thread(target=lambda: paths.append(weights.fetch(CARD))) for _ in range(8)]
        for session in sessions:
            session.start()
        until(lambda: (download := weights._running.get(folder / NAME)) and download._waiting == 8)
        hub.answers[NAME].go_on.set()
        for session in sessions:
            session.join()
        assert hub.requests == [NAME]
        assert paths == [folder / NAME] * 8

    def test_different_files_download_at_once(self, folder: Path, hub: Hub) -> None:
        other = replace(CARD, file_name="other-" + NAME.removeprefix("tiny-"))
        hub.answers |= {NAME: hubs.held(BODY), other.file_name: hubs.good(BODY)}
        waiting = weights.request(CARD)
        assert weights.fetch(other) == folder / other.file_name
        assert waiting.state == "running"
        waiting.leave()

    def test_redirection_to_http_is_followed(self, folder: Path, hub: Hub) -> None:
        hub.answers |= {NAME: hubs.redirect(f"{hub.address}/elsewhere"), "elsewhere": hubs.good(BODY)}
        assert weights.fetch(CARD).read_bytes() == BODY


class TestCancel:
    def test_download_goes_on_while_somebody_waits(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)
        first, second = weights.request(CARD), weights.request(CARD)
        assert first is second
        first.leave()
        assert second.state == "running"
        hub.answers[NAME].go_on.set()
        assert second.wait(20)
        assert second.state == "done"

    def test_last_to_leave_stops_it_and_no_file_appears(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)
        first, second = weights.request(CARD), weights.request(CARD)
        hub.answers[NAME].begun.wait(20)
        first.leave()
        second.leave()
        assert second.state == "cancelled"
        assert second.wait(0)
        hub.answers[NAME].go_on.set()
        until(lambda: os.listdir(folder) == [])
        assert second.error is None

    def test_what_progress_raises_ends_the_waiting(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)

        def press_cancel(received: int, total: int) -> None:
            raise Cancelled("Stopped.")

        with pytest.raises(Cancelled, match="Stopped"):
            weights.fetch(CARD, press_cancel)
        assert (folder / NAME) not in weights._running

    def test_new_request_after_cancelling_starts_anew(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = abandoned = hubs.held(BODY)
        cancelled = weights.request(CARD)
        assert abandoned.begun.wait(20)
        cancelled.leave()
        hub.answers[NAME] = hubs.good(BODY)
        assert weights.fetch(CARD).read_bytes() == BODY
        abandoned.go_on.set()
        until(lambda: os.listdir(folder) == [NAME])
        assert cancelled.state == "cancelled"

    def test_stopped_by_somebody_else_says_so(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)

        def all_leave(received: int, total: int) -> None:
            weights._running[folder / NAME].leave()

        with pytest.raises(Cancelled, match=f"The download of {NAME} was stopped"):
            weights.fetch(CARD, all_leave)


class TestFailure:
    def test_cut_off_in_the_middle(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.cut_off(BODY)
        assert "the download was cut off after 0.1 of 0.2 MB" in failure()
        assert os.listdir(folder) == []

    def test_cut_off_without_announced_length_is_found_by_the_hash(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.Answer(BODY[:-1])
        assert "127.0.0.1 sent has the SHA-256" in failure()

    def test_wrong_hash(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.wrong(BODY)
        found = hashlib.sha256(hubs.wrong(BODY).body).hexdigest()[:8]
        assert f"SHA-256 {found}… instead of {weights.hash_prefix(NAME)}…" in failure()
        assert os.listdir(folder) == []

    def test_not_found(self, folder: Path, hub: Hub) -> None:
        assert "127.0.0.1 answers 404 Not Found" in failure()
        assert os.listdir(folder) == []

    def test_refused(self, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CNN_EXPLORER_HUB", hubs.refused_address())
        assert "127.0.0.1 refused the connection" in failure()

    def test_no_network(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_names(*args: object, **kwargs: object) -> None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.delenv("CNN_EXPLORER_HUB", raising=False)
        monkeypatch.setattr(socket, "getaddrinfo", no_names)
        for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(proxy, raising=False)
        assert "download.pytorch.org cannot be found" in failure()

    def test_silence_at_the_start(self, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "TIMEOUT_SECONDS", 1.0)
        hub.answers[NAME] = hubs.silent()
        assert "127.0.0.1 did not answer for 1 seconds" in failure()

    def test_silence_in_the_middle(self, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "TIMEOUT_SECONDS", 0.3)
        hub.answers[NAME] = hubs.held(BODY)
        assert "the download was cut off after 0.1 of 0.2 MB" in failure()

    def test_redirection_leaves_the_web_for_nothing(self, folder: Path, hub: Hub) -> None:
        put(folder.parent / "secret", BODY)
        hub.answers[NAME] = hubs.redirect((folder.parent / "secret").as_uri())
        failure()
        assert not (folder / NAME).exists()

    def test_redirection_to_ftp_is_not_followed(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.redirect(hubs.refused_address().replace("http", "ftp"))
        assert "127.0.0.1 cannot be reached (unknown url type: ftp)" in failure()

    @pytest.mark.parametrize("address", ["ftp://mirror/models", "file:///srv/models", "mirror", "https://"])
    def test_hub_elsewhere_than_on_the_web_is_refused(
        self, folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CNN_EXPLORER_HUB", address)
        with pytest.raises(WeightsError, match=re.escape(f"CNN_EXPLORER_HUB is “{address}”")):
            weights.fetch(CARD)

    @pytest.mark.parametrize("address", ["http://ann:secret@mirror", "https://ann:secret@mirror:8080/models"])
    def test_hub_with_a_password_is_refused_without_showing_it(
        self, folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CNN_EXPLORER_HUB", address)
        with pytest.raises(WeightsError, match="holds a user name or password") as raised:
            weights.fetch(CARD)
        assert "secret" not in str(raised.value)

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
    def test_full_disk(self, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        @contextlib.contextmanager
        def on_a_full_disk(path: Path) -> Iterator[tuple[Path, io.BufferedWriter]]:
            with open("/dev/full", "wb") as file:
                yield path.with_suffix(".part"), file

        hub.answers[NAME] = hubs.good(BODY)
        monkeypatch.setattr(weights, "_temporary", on_a_full_disk)
        assert f"the disk of {folder} is full" in failure()

    def test_folder_that_is_a_file(self, folder: Path, hub: Hub) -> None:
        put(folder)
        hub.answers[NAME] = hubs.good(BODY)
        assert f"{folder} cannot be written to (File exists)" in failure()

    @pytest.mark.parametrize(
        ("code", "cause"),
        [
            (errno.EROFS, "/data is read-only"),
            (errno.EACCES, "writing to /data is not permitted"),
            (errno.EDQUOT, "the disk of /data is full"),
            (errno.EIO, "/data cannot be written to (Input/output error)"),
        ],
    )
    def test_disk_troubles_are_told_apart(self, code: int, cause: str) -> None:
        assert weights._disk_cause(Path("/data"), OSError(code, os.strerror(code))) == cause

    def test_unforeseen_failure_reaches_those_who_wait(
        self, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(url: str) -> None:
            raise ValueError("a defect")

        monkeypatch.setattr(weights, "_request", broken)
        assert "the download broke off (ValueError: a defect)" in failure()
        assert "a defect" in caplog.text

    def test_after_a_failure_the_next_request_tries_again(self, folder: Path, hub: Hub) -> None:
        failure()
        hub.answers[NAME] = hubs.good(BODY)
        assert weights.fetch(CARD).read_bytes() == BODY


# Run in a process of its own: fetches the tiny file, as the user `nobody` if that is asked for.
FETCH = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from dataclasses import replace
from explorer import weights
from explorer.models import CATALOGUE
card = replace(CATALOGUE["resnet50.IMAGENET1K_V2"], file_name={NAME!r}, megabytes=0.2)
if "nobody" in sys.argv:
    os.seteuid(65534)
try:
    weights.fetch(card)
except weights.WeightsError as error:
    print(error)
"""


class TestOtherProcesses:
    def test_killed_process_leaves_nothing_broken(self, folder: Path, hub: Hub) -> None:
        hub.answers[NAME] = hubs.held(BODY)
        process = subprocess.Popen([sys.executable, "-c", FETCH])
        try:
            until(lambda: folder.is_dir() and any(path.stat().st_size for path in folder.iterdir()), 60)
            half = os.listdir(folder)
            assert NAME not in half

            # While the other process lives, what it writes is left alone.
            other = replace(CARD, file_name=NAME)
            abandoned, hub.answers[NAME] = hub.answers[NAME], hubs.cut_off(BODY)
            failure(other)
            assert os.listdir(folder) == half
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert weights.locate(CARD) is None
        assert os.listdir(folder) == half

        hub.answers[NAME] = hubs.good(BODY)
        assert weights.fetch(CARD).read_bytes() == BODY
        assert os.listdir(folder) == [NAME]
        abandoned.go_on.set()

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be nobody")
    def test_folder_without_permission(self, folder: Path, hub: Hub) -> None:
        folder.mkdir()
        folder.chmod(0o555)
        hub.answers[NAME] = hubs.good(BODY)
        process = subprocess.run(
            [sys.executable, "-c", FETCH, "nobody"], capture_output=True, text=True, check=True
        )
        assert f"writing to {folder} is not permitted" in process.stdout
        assert os.listdir(folder) == []
