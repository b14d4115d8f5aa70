"""How fast the table of a large network and the list of parts answer a hand, in Chromium, beside an empty frame.

python -m benchmarks.networks [--rounds 12]
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
import torchvision
from playwright.sync_api import Page, expect

from benchmarks import results
from explorer import process
from explorer.net_export import folds_of, rows_to_json
from explorer.networks.classics import CLASSICS
from explorer.networks.storing import to_link
from explorer.profiling import profile
from explorer.ui.components import FOLDER
from tests.browser.serving import browsing, serving, settled, visiting

NETWORK = "efficientnet_b7"
PARTS = "resnet152"
STEPS = ("drawn first", "sorted", "all opened", "scrolled")

# Until the frame after something was done.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"

# A table by itself: ms of an empty frame, and of each step of the hand until the frame after it.
TABLE = """
async ([html, css, script, table, rounds]) => {
  const painted = PAINTED;
  document.body.innerHTML = "<p id=word>0</p><div id=host style='width:1300px'></div>";
  const module = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const found = [];
  for (let round = 0; round < rounds; round++) {
    const host = document.createElement("div");
    document.querySelector("#host").replaceChildren(host);
    const root = host.attachShadow({ mode: "open" });
    root.innerHTML = `<style>${css}</style>${html}`;
    const data = { table, chosen: null, answered: 0, repairs: [], formats: [], exported: null, hues: {}, height: 600 };
    const steps = [
      () => (document.querySelector("#word").textContent = round + 1),
      () => module.default({ data, parentElement: root, setStateValue() {}, setTriggerValue() {} }),
      () => root.querySelector('[data-sort="macs"]').click(),
      () => {
        root.querySelector(".status .back").click();
        root.querySelector('[data-depth="Infinity"]').click();
      },
      () => (root.querySelector(".scroller").scrollTop = 15000),
    ];
    const times = [];
    for (const step of steps) {
      await painted();
      const start = performance.now();
      step();
      await painted();
      times.push(performance.now() - start);
    }
    if (!root.querySelector(".body .row")) throw new Error("nothing was drawn");
    found.push(times);
  }
  return found;
}
""".replace("PAINTED", PAINTED)

# A part doubled by its key in the list: [ms of an empty frame, ms until the frame that shows it] for each round.
EDIT = """
async (first, rounds) => {
  const painted = PAINTED, found = [], rows = first.parentElement, word = document.createElement("p");
  document.body.append(word);
  const key = { key: "d", ctrlKey: true, bubbles: true, composed: true };
  const time = async (step) => {
    await painted();
    const start = performance.now();
    step();
    await painted();
    return performance.now() - start;
  };
  for (let round = 0; round < rounds; round++) {
    const empty = await time(() => (word.textContent = round));
    const count = rows.children.length, press = new KeyboardEvent("keydown", key);
    const edit = await time(() => rows.querySelector('[tabindex="0"]').dispatchEvent(press));
    if (rows.children.length !== count + 1) throw new Error("nothing came");
    found.push([empty, edit]);
  }
  return found;
}
""".replace("PAINTED", PAINTED)

EXPLANATION = """
From the hand to the frame after the answer is painted, in Chromium on the same machine, by the page's own clock: median
of {rounds} with the 95th percentile in brackets, and its ratio to an empty frame, in which one word changes on the same
page (in brackets where four fifths of the rounds' own ratios lie).  The table is that of {network}, {rows:,} rows; the
list is {parts} as parts, in which one is doubled by its key.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    process.set_threads()
    with torch.device("meta"):
        made = profile(torchvision.models.get_model(NETWORK), (3, 224, 224), name=NETWORK)
    table = rows_to_json(made, folds_of(made))
    with serving() as address, browsing() as browser:
        with visiting(browser) as page:
            times = of_table(page, table, rounds)
            lines = [
                line(f"table, {step}", times[:, n], times[:, 0]) for n, step in enumerate(STEPS, start=1)
            ]
        with visiting(browser) as page:
            times = of_list(page, address, rounds)
            lines.append(line("list of parts, an edit", times[:, 1], times[:, 0]))
    told = EXPLANATION.format(rounds=rounds, network=NETWORK, rows=len(table["rows"]), parts=PARTS)
    body = results.table(["a hand's doing", "ms", "empty frame, ms", "ratio"], lines)
    results.write("networks", "The table and the list of parts", f"{body}\n{told}", torch.device("cpu"))


def of_table(page: Page, table: object, rounds: int) -> np.ndarray:
    """Milliseconds (rounds, 1 + steps), an empty frame first."""
    html, css = ((FOLDER / f"layer_table.{kind}").read_text("utf-8") for kind in ("html", "css"))
    script = "\n".join((FOLDER / name).read_text("utf-8") for name in ("_shared.js", "layer_table.js"))
    page.goto("about:blank")
    return np.array(page.evaluate(TABLE, [html, css, script, table, rounds + 1]))[1:]


def of_list(page: Page, address: str, rounds: int) -> np.ndarray:
    """Milliseconds (rounds, 2) of an empty frame and of an edit."""
    page.goto(f"{address}/networks?origin=build&net=parts~{to_link(CLASSICS[PARTS].spec)}")
    rows = page.locator(".builder .rows > .row")
    expect(rows.first).to_be_visible(timeout=60_000)
    settled(page)
    rows.filter(has_text="Convolution").first.locator(".says").click()
    settled(page)
    return np.array(rows.first.evaluate(EDIT, rounds + 1))[1:]


def line(name: str, times: np.ndarray, floor: np.ndarray) -> list[str]:
    """A row of the table of results."""
    return [name, *map(results.spread, (times, floor)), results.ratio(times, floor)]


if __name__ == "__main__":
    main()
