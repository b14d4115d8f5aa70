"""A server of the app on a free port, and Chromium, for tests, screenshots and benchmarks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import chromium

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str] | None = None, wait: bool = True, **environment: str) -> Iterator[str]:
    """The address of a fresh server; by default `streamlit run app.py`, warmed up.

    `command` may hold "{port}".  The server's log is printed when it does not come up.
    """
    port = free_port()
    streamlit = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port={port}"]
    command = [part.format(port=port) for part in command or [*streamlit, "--server.headless=true"]]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "STREAMLIT_SERVER_HEADLESS": "true", **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            if wait:
                _wait_until_ready(address, process)
            yield address
        except BaseException:
            log.seek(0)
            print(log.read(), file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise RuntimeError(f"The server is not ready after {READY_SECONDS} s, or has ended ({process.poll()}).")


@contextmanager
def browsing() -> Iterator[Browser]:
    """A headless Chromium."""
    program = chromium.find()
    if program is None:
        raise RuntimeError("There is no Chromium: `python tests/browser/chromium.py` installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser, *, width: int = 1440, height: int = 1000, dark: bool = False
) -> Iterator[Page]:
    """A page in a session of its own, nothing remembered."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(30_000)
    try:
        yield context.new_page()
    finally:
        context.close()


def settled(page: Page) -> Page:
    """The page once the script has run and nothing is awaited any more."""
    app = page.locator("[data-testid=stApp]")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
    return page


def at_rest(page: Page) -> Page:
    """The page once nothing fades any more: what Streamlit replaces loses its contrast on the way out."""
    settled(page)
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    page.wait_for_timeout(800)  # the fade itself
    return page
