"""How fast a wall of maps is on screen, in Chromium, beside the network's own forward; and what thirty sessions keep.

python -m benchmarks.features [--rounds 12] [--sessions 30]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import torch
from playwright.sync_api import Page
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from benchmarks import results
from explorer import process
from explorer.activations import Probe
from explorer.figures.wall import packed
from explorer.images import SAMPLES, sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, card, load_network
from explorer.recording import Recorder
from tests.browser.serving import browsing, serving, settled, visiting

RESNET = "random~model~resnet50.IMAGENET1K_V2"
VGG = "random~model~vgg16.IMAGENET1K_V1"
WALLS = {"layer1.2": "256 × 56 × 56", "layer4.2": "2,048 × 7 × 7", "relu": "64 × 112 × 112"}
"""Layers of ResNet-50, which are stations of its strip, and their shapes."""
LAYERS_EACH = 3
PICTURE = next(iter(SAMPLES))

# From a click on a station to the frame after its maps are painted: [ms until they are there, ms of our code that
# lays and paints them, ms from their coming to the frame].
WALL = """
(button) => new Promise((resolve) => {
  window.cnnExplorerMaps.clear(); // as if the layer had never been looked at
  const start = performance.now(), dispatch = window.dispatchEvent;
  window.dispatchEvent = (event) => {
    if (event.type !== 'cnn-explorer-maps') return dispatch.call(window, event);
    window.dispatchEvent = dispatch;
    const there = performance.now();
    dispatch.call(window, event); // the wall paints at once
    const ours = performance.now() - there;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve([there - start, ours, performance.now() - there]);
      port2.postMessage(null);
    });
    return true;
  };
  button.click();
})
"""

# A change by hand on the wall that is there: ms until the frame after it.
CHANGE = """
async ([name, value]) => {
  const find = (root, what) => {
    for (const e of root.querySelectorAll('*')) {
      if (e.matches(what)) return e;
      const inner = e.shadowRoot && find(e.shadowRoot, what);
      if (inner) return inner;
    }
  };
  const select = find(document, `.wall [name=${name}]`), start = performance.now();
  select.value = value;
  select.dispatchEvent(new Event('change'));
  await new Promise((resolve) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(null);
  }));
  return performance.now() - start;
}
"""

# All of the wall scrolled by, in two orders and on two scales: ms of the longest task.
SCROLL = """
async () => {
    const find = (root, what) => { for (const e of root.querySelectorAll('*')) {
        if (e.matches(what)) return e;
        const inner = e.shadowRoot && find(e.shadowRoot, what);
        if (inner) return inner; } };
    const [sheet, order, scope] = ['.sheet', '[name=order]', '[name=scope]'].map((e) => find(document, e));
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    let longest = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
    }).observe({ type: 'longtask' });
    const change = (select, value) => { select.value = value; select.dispatchEvent(new Event('change')); };
    for (const value of ['variance', 'mean']) {
        change(order, value);
        for (let top = 0; top < sheet.scrollHeight; top += 900) { sheet.scrollTop = top; await pause(30); }
        change(scope, value === 'mean' ? 'map' : 'layer');
        await pause(60);
    }
    return longest;
}
"""

EXPLANATION = """
ResNet-50 with random weights and the cat, in Chromium on the same machine, by the page's own clock; medians of {rounds}
with the 95th percentile in brackets.

- “forward”: the network's whole forward alone in a process of its own, with the app's settings; “to the layer”: the
  forward that the wall asks for, which ends at its layer;
- “packed”: the maps as bytes for the browser, with their orders and measures;
- “click to maps there”: from a click on a station of the strip to its maps in the browser: message, run of the page,
  forward to the layer, bytes; a layer that nobody has asked for in this session;
- “painting”: what our code takes to lay and colour them, at once when they are there;
- “on screen”: from the maps there to the frame after they are painted, in which Streamlit puts what else the run
  brought on the page: the chosen map, the filters;
- “new order”, “new scale”: from the choice to the frame after it, on the wall that is there;
- “longest task”: while the whole wall is scrolled by, in two orders and on two scales; a browser reports those beyond
  50 ms, and 0 stands for none.
"""

MEMORY = """
{sessions} sessions that stay, each on {each} layers that it visits one after the other, drawn from those of the network
with the largest maps, on pictures in turn; each answers a run of the whole page, the strip and the first panel
included.  Proportional set size of the server, before the first session and after the last.  2,000 MB are allowed.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--sessions", type=int, default=30)
    wish = parser.parse_args()
    process.set_threads()
    times = forwards(wish.rounds)
    with serving() as address, browsing() as browser, visiting(browser) as page:
        for layer, found in walls(page, address, wish.rounds).items():
            times[layer] |= found
    columns = [
        "forward",
        "to the layer",
        "packed",
        "click to maps there",
        "painting",
        "on screen",
        "new order",
        "new scale",
        "longest task",
    ]
    rows = [
        [WALLS[layer], *(results.spread(times[layer][column]) for column in columns), ratio(times[layer])]
        for layer in WALLS
    ]
    body = results.table(["wall", *(f"{column}, ms" for column in columns), "on screen ÷ forward"], rows)
    kept = []
    for model in (DEFAULT_MODEL, VGG):
        with serving() as address:
            before, after, seconds = crowd(address, model, wish.sessions)
        title = card(model).title
        kept.append([title, f"{before:,.0f}", f"{after:,.0f}", f"{after - before:,.0f}", f"{seconds:.0f}"])
    head = [f"{wish.sessions} sessions on", "warm server, MB", "with them, MB", "more, MB", "took, s"]
    told = EXPLANATION.format(rounds=wish.rounds)
    memory = MEMORY.format(sessions=wish.sessions, each=LAYERS_EACH)
    results.write(
        "features",
        "Walls of feature maps",
        f"{body}\n{told}\n{results.table(head, kept)}\n{memory}",
        torch.device("cpu"),
    )


def forwards(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of the forwards and of packing, by layer."""
    probe = Probe(Recorder(load_network(RESNET)))
    x = NetworkInput(card(RESNET), sample_photo(PICTURE)).tensor()
    found: dict[str, dict[str, list[float]]] = {}
    for layer in WALLS:
        runs: dict[str, Callable[[], object]] = {
            "forward": partial(probe.recorder.logits, x),
            "to the layer": partial(probe.feature_maps, x, layer),
            "packed": partial(packed, probe.feature_maps(x, layer)),
        }
        taken = results.interleaved(runs, rounds, milliseconds)
        found[layer] = {name: list(values) for name, values in taken.items()}
    return found


def milliseconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def walls(page: Page, address: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of what a hand does on the page, by layer; layers take turns, and pictures change each round."""
    found: dict[str, dict[str, list[float]]] = {
        layer: {
            "click to maps there": [],
            "painting": [],
            "on screen": [],
            "new order": [],
            "new scale": [],
            "longest task": [],
        }
        for layer in WALLS
    }
    pictures = list(SAMPLES)
    for turn in range(rounds):
        # another picture: nothing that this session has seen is of use
        query = {"model": RESNET, "picture": pictures[turn % len(pictures)], "module": "avgpool"}
        page.goto(f"{address}/features?{urlencode(query)}")
        page.locator(".wall[data-painted]").wait_for(timeout=120_000)
        settled(page)
        for layer, taken in found.items():
            page.wait_for_timeout(500)
            there, ours, painted = page.locator(f".strip .tile[title^='{layer},']").evaluate(WALL)
            taken["click to maps there"].append(there)
            taken["painting"].append(ours)
            taken["on screen"].append(painted)
            settled(page)
            page.wait_for_timeout(300)
            taken["new order"].append(page.evaluate(CHANGE, ["order", "mean"]))
            taken["new scale"].append(page.evaluate(CHANGE, ["scope", "layer"]))
            page.evaluate(CHANGE, ["order", "number"])
            page.evaluate(CHANGE, ["scope", "map"])
            taken["longest task"].append(page.evaluate(SCROLL))
            page.evaluate(CHANGE, ["order", "number"])
            page.evaluate(CHANGE, ["scope", "map"])
            page.wait_for_timeout(600)
            settled(page)
    return found


def ratio(times: dict[str, list[float]]) -> str:
    """Painting as a multiple of the network's own forward."""
    return f"{np.median(times['on screen']) / np.median(times['forward']):.2f}"


# ------------------------------------------------------------------------------------- sessions


@contextmanager
def session(address: str) -> Iterator[ClientConnection]:
    """A visitor's connection, without a browser."""
    stream = address.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(
        stream, subprotocols=["streamlit"], origin=address, max_size=None, open_timeout=60
    ) as socket:
        yield socket


def visit(socket: ClientConnection, **choices: str) -> int:
    """Run the page with these choices in its address; gives the bytes that came."""
    asked = BackMsg()
    asked.rerun_script.page_name = "features"
    asked.rerun_script.query_string = urlencode(choices)
    socket.send(asked.SerializeToString())
    received = 0
    while True:
        data = socket.recv(timeout=120)
        received += len(data)
        answer = ForwardMsg()
        answer.ParseFromString(data)
        if answer.WhichOneof("type") == "script_finished":
            return received


def crowd(address: str, model: str, sessions: int) -> tuple[float, float, float]:
    """Megabytes of the server before and after so many sessions have come to stay, and the seconds they took."""
    server = own_server()
    probe = Probe(Recorder(load_network(model)))
    known = sorted(probe.layers, key=lambda layer: -layer.channels * layer.grid[0] * layer.grid[1])
    layers = [layer.key for layer in known[: max(sessions, LAYERS_EACH)]]
    del probe
    pictures = list(SAMPLES)
    with ExitStack() as stay:
        first = stay.enter_context(session(address))
        visit(first, model=model)  # the network itself is loaded
        before, start = used(server), time.perf_counter()
        for number in range(sessions):
            socket = stay.enter_context(session(address))
            for turn in range(LAYERS_EACH):
                layer = layers[(number + turn) % len(layers)]
                visit(socket, model=model, module=layer, picture=pictures[number % len(pictures)])
        return before, used(server), time.perf_counter() - start


def own_server() -> int:
    """The server's process: the child of ours that runs Streamlit."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,args="], stdout=subprocess.PIPE, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    (found,) = [
        int(pid) for pid, parent, command in rows if int(parent) == os.getpid() and "streamlit" in command
    ]
    return found


def used(server: int) -> float:
    """Megabytes that a process keeps in memory."""
    rollup = Path(f"/proc/{server}/smaps_rollup")
    if rollup.exists():
        line = next(line for line in rollup.read_text().splitlines() if line.startswith("Pss:"))
        return int(line.split()[1]) * 1024 / 1e6
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(server)], stdout=subprocess.PIPE, text=True, check=True
    )
    return int(listed.stdout) * 1024 / 1e6


if __name__ == "__main__":
    main()
