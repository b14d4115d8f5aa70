"""Weights' files: found on this machine, or downloaded once for everybody who waits for them.

A file is looked for in the folder that `CNN_EXPLORER_WEIGHTS` names, then in torch's own cache.  What
lies there under the right name is used as it is: it may be your own, fine-tuned or converted.  What is
downloaded is checked against the SHA-256 that the file's name carries, and gets that name only when it
is whole and on the disk.  `CNN_EXPLORER_HUB` names another address to download from (a mirror).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import io
import logging
import os
import re
import secrets
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import torch

from explorer.errors import Cancelled, WeightsError

if TYPE_CHECKING:
    from explorer.models import ModelCard

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be removed there, which serves the same end
    fcntl = None  # type: ignore[assignment]

HUB = "https://download.pytorch.org/models"
TIMEOUT_SECONDS = 20.0
"""How long the hub may stay silent, at the start or in the middle."""

CHUNK_BYTES = 1 << 18
POLL_SECONDS = 0.1

State = Literal["running", "done", "failed", "cancelled"]
Progress = Callable[[int, int], None]
"""Called with the bytes received and the bytes in all; it may raise `Cancelled` to stop waiting."""


def folders() -> tuple[Path, ...]:
    """Where weights are looked for, in this order."""
    own = os.environ.get("CNN_EXPLORER_WEIGHTS", "").strip()
    cache = Path(torch.hub.get_dir()).expanduser() / "checkpoints"
    return (Path(own).expanduser(), cache) if own else (cache,)


def target_folder() -> Path:
    """Where downloads go, and where a file may be put by hand: the first of `folders()`."""
    return folders()[0]


def locate(card: ModelCard) -> Path | None:
    """The file with these weights on this machine, or None; whatever bears the name counts."""
    paths = (folder / card.file_name for folder in folders())
    # Not Path.is_file: it raises for a folder that may not be read, where the next one may have the file.
    return next((path for path in paths if os.path.isfile(path)), None)


def availability(card: ModelCard) -> str:
    """What getting these weights takes: "embedded", "on this machine" or "download 103 MB"."""
    if card.source == "embedded":
        return "embedded"
    if locate(card):
        return "on this machine"
    return f"download {card.megabytes:,.0f} MB"


def fetch(card: ModelCard, on_progress: Progress | None = None) -> Path:
    """The file with these weights, downloaded if it is not here; returns when it is there.

    Whatever `on_progress` raises ends the waiting, and the download with it unless somebody else
    waits too.

    Raises:
        WeightsError: it is not here and cannot be had; says why, which file, and where to put it.
        Cancelled: the download was stopped.
    """
    here = locate(card)
    if here:
        return here
    download = request(card)
    try:
        while download.state == "running":
            if on_progress:
                on_progress(download.received, download.total)
            download.wait(POLL_SECONDS)
    finally:
        download.leave()
    if download.error:
        raise download.error
    if download.state == "cancelled":
        raise Cancelled(f"The download of {card.file_name} was stopped.")
    return download.path


def request(card: ModelCard) -> Download:
    """The download of this file: the one that is running, joined, or a new one.

    The caller has joined it, and owes it one `leave()`.

    Raises:
        WeightsError: `CNN_EXPLORER_HUB` is no address of http or https, or holds a password.
    """
    path = target_folder() / card.file_name
    with _registry:
        running = _running.get(path)
        if running is None:
            running = _running[path] = Download(card, path)
            running.start()
        running.join()
    return running


class Download:
    """One file on its way, in a thread of its own, for everybody in this process who waits for it.

    Attributes:
        path: where it will be.
        received: bytes so far.
        total: bytes in all; what the card says until the hub has said it.
        state: "running", then "done", "failed" or "cancelled" for good.
        error: the reason, when it has failed.
    """

    def __init__(self, card: ModelCard, path: Path) -> None:
        self.path = path
        self.received = 0
        self.total = round(card.megabytes * 1e6)
        self.state: State = "running"
        self.error: WeightsError | None = None
        self._url = _hub_url(card.file_name)
        self._waiting = 0
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin.  A daemon: a half-finished download never keeps the process alive."""
        threading.Thread(target=self._run, name=f"download {self.path.name}", daemon=True).start()

    def join(self) -> None:
        """Somebody more waits."""
        with _registry:
            self._waiting += 1

    def leave(self) -> None:
        """Somebody has cancelled, left, or got what he came for; the last one to leave stops it."""
        with _registry:
            self._waiting -= 1
            if self._waiting <= 0:
                self._end("cancelled")

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; True when it has ended."""
        return self._ended.wait(seconds)

    def _run(self) -> None:
        try:
            self._transfer()
        except WeightsError as error:
            self._end("failed", error)
        except Exception as error:
            # Nobody would see it in this thread, and those who wait would wait for ever.
            logging.getLogger(__name__).exception("Downloading %s failed", self.path.name)
            cause = f"the download broke off ({type(error).__name__}: {error})"
            self._end("failed", _missing(self.path, cause))

    def _end(self, state: State, error: WeightsError | None = None) -> None:
        """Settle the state, once and for all; the registry forgets the download."""
        with _registry:
            if self.state == "running":
                self.state, self.error = state, error
                del _running[self.path]
                self._ended.set()

    def _transfer(self) -> None:
        """Stream the file under another name, check it, then give it its name.

        A process killed at any moment leaves the file whole or absent, never half.
        """
        try:
            with _temporary(self.path) as (temporary, file):
                self._receive(file)
                self._publish(temporary)
        except OSError as error:  # those of the network have been explained where they arise
            raise _missing(self.path, _disk_cause(self.path.parent, error)) from error

    def _receive(self, file: io.BufferedWriter) -> None:
        """Write what the hub sends, down to the disk, and check it."""
        digest = hashlib.sha256()
        for chunk in self._chunks():
            file.write(chunk)
            digest.update(chunk)
            self.received += len(chunk)
            self.total = max(self.total, self.received)
        if self.state != "running":
            return
        expected, found = hash_prefix(self.path.name), digest.hexdigest()
        if not found.startswith(expected):
            cause = f"what {self._host} sent has the SHA-256 {found[: len(expected)]}… instead of {expected}…"
            raise _missing(self.path, cause)
        file.flush()
        os.fsync(file.fileno())
        file.close()  # Windows renames no open file

    def _publish(self, temporary: Path) -> None:
        # Under the lock: once a download has been reported as cancelled, no file appears.
        with _registry:
            if self.state == "running":
                os.replace(temporary, self.path)
                self._end("done")

    def _chunks(self) -> Iterator[bytes]:
        """The body of the hub's answer, until its end or until nobody waits for it."""
        try:
            with _opener().open(_request(self._url), timeout=TIMEOUT_SECONDS) as response:
                announced = response.headers.get("Content-Length")
                if announced:
                    self.total = int(announced)
                while self.state == "running" and (chunk := response.read1(CHUNK_BYTES)):
                    yield chunk
        except urllib.error.HTTPError as error:
            error.close()
            raise _missing(self.path, f"{self._host} answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._cut_off() if self.received else self._unreachable(error) from error
        if self.state == "running" and announced and self.received < self.total:
            raise self._cut_off()

    def _cut_off(self) -> WeightsError:
        got, total = self.received / 1e6, self.total / 1e6
        return _missing(self.path, f"the download was cut off after {got:,.1f} of {total:,.1f} MB")

    def _unreachable(self, error: Exception) -> WeightsError:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, socket.gaierror):
            cause = f"{self._host} cannot be found"
        elif isinstance(reason, TimeoutError):
            cause = f"{self._host} did not answer for {TIMEOUT_SECONDS:.0f} seconds"
        elif isinstance(reason, ConnectionRefusedError):
            cause = f"{self._host} refused the connection"
        else:
            cause = f"{self._host} cannot be reached ({reason})"
        return _missing(self.path, cause)

    @property
    def _host(self) -> str:
        return urlsplit(self._url).hostname or "the hub"


_registry = threading.RLock()
_running: dict[Path, Download] = {}


def hash_prefix(file_name: str) -> str:
    """The first digits of the SHA-256, which torch's hub writes into every file's name; "" without.

    >>> hash_prefix("mnasnet0.5_top1_67.823-3ffadce67e.pth")
    '3ffadce67e'
    """
    found = re.search(r"-([0-9a-f]{8,64})\.", file_name)
    return found[1] if found else ""


def _hub_url(file_name: str) -> str:
    hub = os.environ.get("CNN_EXPLORER_HUB", "").strip() or HUB
    parts = urlsplit(hub)
    if parts.username or parts.password:
        raise WeightsError(
            "CNN_EXPLORER_HUB holds a user name or password, but weights come without one only."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WeightsError(
            f"CNN_EXPLORER_HUB is “{hub}”, but weights come from http and https addresses only."
        )
    return f"{hub.rstrip('/')}/{file_name}"


def _request(url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"User-Agent": "cnn-explorer", "Accept-Encoding": "identity"})


def _opener() -> urllib.request.OpenerDirector:
    """An opener that knows http and https alone: no redirection leads to a file or an ftp server."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[tuple[Path, io.BufferedWriter]]:
    """A file beside `path` to write into, locked while it is ours, and gone afterwards.

    The lock falls with the process, so what a killed one left behind can be told from what another
    one is writing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*.part"):
        _remove_abandoned(leftover)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            with contextlib.suppress(OSError):  # some network disks know no locks
                _lock(file)
            yield temporary, file
    finally:
        temporary.unlink(missing_ok=True)


def _remove_abandoned(leftover: Path) -> None:
    with contextlib.suppress(OSError):
        with leftover.open("rb") as file:
            _lock(file)
        leftover.unlink()


def _lock(file: io.IOBase) -> None:
    """Raises BlockingIOError when another process, or another download of this one, holds the file."""
    if fcntl:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _disk_cause(folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {folder} is full"
    if error.errno == errno.EROFS:
        return f"{folder} is read-only"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"writing to {folder} is not permitted"
    return f"{folder} cannot be written to ({error.strerror or error})"


def _missing(path: Path, cause: str) -> WeightsError:
    return WeightsError(
        f"{path.name} could not be downloaded, since {cause}; without a network, get it from {HUB}/{path.name} "
        f"and put it into {path.parent}."
    )
