"""How long a visitor waits, in Chromium: the first page, a click on another class, a run that changes nothing.

python -m benchmarks.pages
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks import results
from tests.browser.serving import ROOT, browsing, free_port, serving, settled, visiting

STARTS, CLICKS = 3, 40

FLOOR = {
    "app.py": "import streamlit as st\napp = st.App('main.py')\n",
    "main.py": "import time\nimport streamlit as st\nst.title('Nothing')\nst.button('again')\nst.text(time.time())\n",
    ".streamlit/config.toml": (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"),
}

# From the click to the frame after the map is painted, by the browser's own clock.
SWITCH = """
(button) => new Promise((resolve) => {
  const find = (root) => {
    for (const e of root.querySelectorAll('*')) {
      if (e.classList?.contains('view')) return e;
      const inner = e.shadowRoot && find(e.shadowRoot);
      if (inner) return inner;
    }
  };
  const view = find(document);
  const start = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - start));
  }).observe(view, { attributes: true, attributeFilter: ['data-painted'] });
  button.click();
})
"""

# From a click on the class that is drawn already to the app's word that its run has ended: nothing differs.
NO_OP = """
(button) => new Promise((resolve) => {
  const app = document.querySelector('[data-testid=stApp]');
  const start = performance.now();
  let changes = 0; // to "running" and back: both may come at once
  new MutationObserver((records, observer) => {
    changes += records.length;
    if (changes < 2 || app.getAttribute('data-test-script-state') === 'running') return;
    observer.disconnect();
    resolve(performance.now() - start);
  }).observe(app, { attributes: true, attributeFilter: ['data-test-script-state'] });
  button.click();
})
"""

# The floor: from a click to the one word that changes.  Such runs end before the app says that they began.
WORD = """
(button) => new Promise((resolve) => {
  const start = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - start));
  }).observe(document.querySelector('[data-testid=stText]'), { subtree: true, childList: true, characterData: true });
  button.click();
})
"""


def start_once(browser: Browser, folder: Path, sights: Mapping[str, tuple[str, str]]) -> dict[str, float]:
    """Seconds from `streamlit run` in a folder to healthy, then to each sight: what is awaited at which address."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        f"--server.port={port}",
        "--server.headless=true",
    ]
    address, begun, taken = f"http://127.0.0.1:{port}", time.perf_counter(), {}
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        taken["healthy"] = time.perf_counter() - begun
        for what, (path, awaited) in sights.items():
            with visiting(browser) as page:
                page.goto(f"{address}/{path}")
                page.locator(awaited).first.wait_for(timeout=60_000)
                taken[what] = time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait()
    return taken


def clicks(page: Page) -> list[float]:
    """Milliseconds of clicks that change the class, going round the first five answers."""
    taken = []
    for turn in range(CLICKS + 5):
        button = page.locator("button.class").nth((turn + 1) % 5)
        taken.append(button.evaluate(SWITCH))
        settled(page)
        page.wait_for_timeout(50)
    return taken[5:]


def runs_of(page: Page, button: str, script: str) -> list[float]:
    """Milliseconds that a script in the page measures after a click on the button."""
    taken = []
    for _ in range(CLICKS + 5):
        taken.append(page.locator(button).first.evaluate(script))
        page.wait_for_timeout(50)
    return taken[5:]


def main() -> None:
    home, deep = {"home page": ("", "h3")}, {"first map, on a deep link": ("saliency", ".view[data-painted]")}
    with tempfile.TemporaryDirectory() as name, browsing() as browser:
        empty = Path(name)
        for file, text in FLOOR.items():
            (empty / file).parent.mkdir(exist_ok=True)
            (empty / file).write_text(text, encoding="utf-8")
        starts: dict[str, list[float]] = defaultdict(list)
        for _ in range(STARTS):
            for folder, sights, mark in (
                (empty, {"its title": ("", "h1")}, "empty app: "),
                (ROOT, home, ""),
                (ROOT, deep, ""),
            ):
                for what, seconds in start_once(browser, folder, sights).items():
                    starts[f"{mark}`streamlit run` to {what}, s"].append(seconds)
        runs: dict[str, list[float]] = {}
        command = [sys.executable, "-m", "streamlit", "run", str(empty / "app.py"), "--server.port={port}"]
        with serving(wait=True) as address, serving(command, wait=False) as bare, visiting(browser) as page:
            page.goto(f"{address}/saliency")
            page.locator(".view[data-painted]").wait_for()
            settled(page)
            page.wait_for_timeout(2000)
            runs["click on another class to painted map, ms"] = clicks(page)
            runs["a run that changes nothing, ms"] = runs_of(page, "button.class[aria-pressed=true]", NO_OP)
            page.goto(bare)
            page.get_by_text("again").wait_for()
            runs["empty app: a run that changes one word, ms"] = runs_of(
                page, "[data-testid=stButton] button", WORD
            )
    rows = [[what, *spread(values, 2)] for what, values in starts.items()]
    rows += [[what, *spread(values)] for what, values in runs.items()]
    body = results.table(["what", "median", "p95", "least"], rows)
    results.write(
        "pages",
        "What a visitor waits for",
        f"{body}\n\nIn Chromium on the same machine, by the browser's clock; {STARTS} starts on a warm disk in turns, "
        f"{CLICKS} clicks and runs.\nThe server warms up while the first page is asked for.  “Empty app”: Streamlit "
        "with a title and a button, the floor.",
    )


def spread(values: Sequence[float], digits: int = 0) -> list[str]:
    """Median, 95th percentile and least, for a row."""
    return [f"{value:.{digits}f}" for value in (np.median(values), np.percentile(values, 95), min(values))]


if __name__ == "__main__":
    main()
