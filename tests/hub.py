"""A hub of weights on this machine that answers well, badly, slowly, or not at all.

with Hub() as hub:
    hub.answers["net-0123abcd.pth"] = cut_off(body)
    os.environ["CNN_EXPLORER_HUB"] = hub.address
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

CHUNK_BYTES = 16_384


@dataclass
class Answer:
    """What the hub does when it is asked for a file.

    Attributes:
        body: what it sends.
        status: of the answer.
        announced: the length that it states; None for stating none.
        pause: seconds between two chunks of 16 kB.
        held_after: bytes after which it waits until `go_on` is set; None for never.
        location: where it redirects to; "" for nowhere.
    """

    body: bytes = b""
    status: int = 200
    announced: int | None = None
    pause: float = 0.0
    held_after: int | None = None
    location: str = ""
    go_on: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)


def good(body: bytes) -> Answer:
    """The whole file."""
    return Answer(body, announced=len(body))


def slow(body: bytes, seconds: float) -> Answer:
    """The whole file, in about so many seconds."""
    return Answer(body, announced=len(body), pause=seconds * CHUNK_BYTES / len(body))


def held(body: bytes) -> Answer:
    """Half of the file; the other half once `go_on` is set."""
    return Answer(body, announced=len(body), held_after=len(body) // 2)


def cut_off(body: bytes) -> Answer:
    """Half of the file, with the length of the whole: the connection breaks in the middle."""
    return Answer(body[: len(body) // 2], announced=len(body))


def wrong(body: bytes) -> Answer:
    """As many bytes as meant, one of them another."""
    return Answer(bytes([body[0] ^ 1]) + body[1:], announced=len(body))


def silent() -> Answer:
    """Takes the request, and says nothing until `go_on` is set."""
    return Answer(held_after=0)


def redirect(location: str) -> Answer:
    """Sends elsewhere."""
    return Answer(status=302, announced=0, location=location)


def refused_address() -> str:
    """An address on this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class Hub:
    """The server: `answers` by file name (404 for others), `requests` in the order they came."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        """For the variable CNN_EXPLORER_HUB."""
        return f"http://127.0.0.1:{self._server.server_port}/models"

    def __enter__(self) -> Hub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for answer in self.answers.values():
            answer.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(hub) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                hub.requests.append(name)
                answer = hub.answers.get(name, Answer(b"no such file", status=404))
                answer.begun.set()
                with contextlib.suppress(ConnectionError):  # the visitor cancelled
                    _send(self, answer)

            def log_message(self, format: str, *args: object) -> None:
                """A test's output is not a server's log."""

        return Handler


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    if answer.held_after == 0:
        answer.go_on.wait(60)
    handler.send_response(answer.status)
    if answer.announced is not None:
        handler.send_header("Content-Length", str(answer.announced))
    if answer.location:
        handler.send_header("Location", answer.location)
    handler.end_headers()
    for start in range(0, len(answer.body), CHUNK_BYTES):
        if answer.held_after is not None and start >= answer.held_after:
            answer.go_on.wait(60)
        handler.wfile.write(answer.body[start : start + CHUNK_BYTES])
        if answer.pause:
            answer.go_on.wait(answer.pause)
