"""How long a visitor waits, in Chromium: the first page, a click on another class, a run that changes nothing.

python -m benchmarks.pages
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks import results
from tests.browser.serving import ROOT, browsing, free_port, serving, settled, visiting

STARTS, CLICKS = 3, 40

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
  let ran = false;
  new MutationObserver((_, observer) => {
    const running = app.getAttribute('data-test-script-state') === 'running';
    ran ||= running;
    if (!ran || running) return;
    observer.disconnect();
    resolve(performance.now() - start);
  }).observe(app, { attributes: true, attributeFilter: ['data-test-script-state'] });
  button.click();
})
"""


def start_once(browser: Browser) -> dict[str, float]:
    """Seconds from `streamlit run` to: healthy, the home page, the saliency page with its map."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    address, begun, taken = f"http://127.0.0.1:{port}", time.perf_counter(), {}
    with visiting(browser) as page, visiting(browser) as deep:
        process = subprocess.Popen(
            [*command, "--server.headless=true"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.02)
            taken["healthy"] = time.perf_counter() - begun
            page.goto(address)
            page.get_by_role("link", name="Open “Where does it look?”").wait_for()
            taken["home page"] = time.perf_counter() - begun
            deep.goto(f"{address}/saliency")
            deep.locator(".view[data-painted]").wait_for(timeout=60_000)
            taken["first map"] = time.perf_counter() - begun
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


def no_ops(page: Page) -> list[float]:
    """Milliseconds of runs of the page in which nothing changes."""
    taken = []
    for _ in range(CLICKS + 5):
        taken.append(page.locator("button.class[aria-pressed=true]").evaluate(NO_OP))
        page.wait_for_timeout(50)
    return taken[5:]


def main() -> None:
    with browsing() as browser:
        starts = [start_once(browser) for _ in range(STARTS)]
        with serving() as address, visiting(browser) as page:
            page.goto(f"{address}/saliency")
            page.locator(".view[data-painted]").wait_for()
            settled(page)
            switched = clicks(page)
            idle = no_ops(page)
    rows = [
        [f"`streamlit run` to {what}, s", *spread([start[what] for start in starts], 2)] for what in starts[0]
    ]
    rows.append(["click on another class to painted map, ms", *spread(switched)])
    rows.append(["a run that changes nothing, ms", *spread(idle)])
    body = results.table(["what", "median", "p95", "least"], rows)
    results.write(
        "pages",
        "What a visitor waits for",
        f"{body}\n\nIn Chromium on the same machine, by the browser's clock; {STARTS} starts on a warm disk, "
        f"{CLICKS} clicks and runs.\nThe server warms up while the first pages are asked for.",
    )


def spread(values: list[float], digits: int = 0) -> list[str]:
    """Median, 95th percentile and least, for a row."""
    return [f"{value:.{digits}f}" for value in (np.median(values), np.percentile(values, 95), min(values))]


if __name__ == "__main__":
    main()
