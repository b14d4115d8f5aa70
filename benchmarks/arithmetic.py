"""How fast the page of layers follows a control, and how smoothly its window slides, in Chromium, beside empty pages.

python -m benchmarks.arithmetic [--rounds 30]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
from playwright.sync_api import Page

from benchmarks import results
from benchmarks.pages import FLOOR, WORD
from tests.browser.serving import browsing, serving, settled, visiting

USUAL = "conv~3x32x32~o10~k5~p2"
HEAVIEST = {
    "the usual layer": USUAL,
    "15 × 15 weights, padding 12": "conv~3x32x32~o10~k15~p12",
    "3-D, 5 × 5 × 5 weights, padding 4": "conv~3x16x32x32~o10~k5~p4",
}
WARM, SECONDS, REST, REACH = 4, 6, 150, 150

# From the hand on a control to the frame after headline and window are drawn anew, whichever differ.
CHANGE = """
async ([touch, headline, window, prepare]) => {
  const player = document.player(), drawn = player.draw, view = document.querySelector('.st-key-view');
  // both live in shadow roots of their own, which a page's observer does not look into
  const head = document.headline(), words = head.textContent, seen = player.seen;
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(null);
  }));
  let observer;
  const changed = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('Nothing changed.')), 10000);
    const look = () => {
      const [now, shown] = [document.headline(), document.player()];
      if ((!headline || now.textContent !== words) && (!window || shown.seen !== seen)) resolve();
    };
    observer = new MutationObserver(look);
    for (const part of [head.getRootNode(), view])
      observer.observe(part, { subtree: true, childList: true, characterData: true });
    player.draw = (...rest) => {
      drawn.apply(player, rest);
      look();
    };
  });
  await eval(prepare)();
  for (let i = 0; i < 3; i++) await frame();
  const start = performance.now();
  eval(touch)();
  await changed;
  await frame();
  observer.disconnect();
  delete player.draw;
  return performance.now() - start;
}
"""

FINDERS = """
() => {
  const pierce = function* (root) {
    for (const element of root.querySelectorAll('*')) {
      yield element;
      if (element.shadowRoot) yield* pierce(element.shadowRoot);
    }
  };
  const find = (what, root = document) => {
    for (const element of pierce(root)) if (element.matches(what)) return element;
  };
  document.player = () => find('.player')._player;
  document.headline = () => find('.outcome h2');
  const dial = (key) => find(`.dial[data-key="${key}"] input[type=range]`);
  document.turn = (key, value) => {
    const slider = dial(key);
    slider.value = value;
    slider.dispatchEvent(new Event('input'));
  };
  const around = (what, words) =>
    [...document.querySelectorAll(`.st-key-inputs ${what}`)].find((element) => element.textContent.includes(words));
  document.press = (words) => around('button, [role=radio]', words).click();
  const write = (input, text) => {
    // React listens to its own setter's events alone
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, text);
    input.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const line = () => around('[data-testid=stTextInput]', '').querySelector('input');
  document.type = (text) => write(line(), text);
  document.enter = () =>
    line().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', keyCode: 13, bubbles: true }));
  document.open = (label) => around('[data-testid=stSelectbox]', label).querySelector('button').click();
  document.choose = (words) =>
    [...document.querySelectorAll('[role=option]')].find((option) => option.textContent === words).click();
  document.toggle = (words) => around('[data-testid=stCheckbox]', words).querySelector('input').click();
  // a hand that comes to a control is on it for a moment before it does anything
  document.reach = async (what, key) => {
    const element = {
      dial: () => dial(key),
      button: () => around('button, [role=radio]', key),
      option: () => [...document.querySelectorAll('[role=option]')].find((option) => option.textContent === key),
      toggle: () => around('[data-testid=stCheckbox]', key).querySelector('input'),
      line: () => line(),
    }[what]();
    element.dispatchEvent(new PointerEvent('pointerover', { bubbles: true, composed: true }));
    await new Promise((resolve) => setTimeout(resolve, %REACH%));
  };
}
""".replace("%REACH%", str(REACH))

# Milliseconds between the frames that the page is given, and of the player's own drawing; what there is to draw.
PLAY = """
async (seconds) => {
  const player = document.player(), drawn = player.draw, gaps = [], draws = [];
  player.touch();
  player.play(true);
  player.draw = (...rest) => {
    const start = performance.now();
    drawn.apply(player, rest);
    draws.push(performance.now() - start);
  };
  await new Promise(requestAnimationFrame);
  let last = performance.now();
  const until = last + 1000 * seconds;
  while (last < until) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  delete player.draw;
  return [gaps.slice(1), draws];
}
"""

# The same of a page with nothing but a bar that moves.
BARE = """
async (seconds) => {
  document.body.innerHTML = '<div style="width: 100px; height: 20px; background: teal"></div>';
  const gaps = [];
  let last = performance.now();
  const until = last + 1000 * seconds;
  while (last < until) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
    document.body.firstChild.style.transform = `translateX(${now % 500}px)`;
  }
  return gaps.slice(1);
}
"""

Act = tuple[str, bool, bool, str]


def reached(what: str, key: str) -> str:
    """A hand that comes to a control."""
    return f"() => document.reach({what!r}, {key!r})"


ACTS: Mapping[str, Callable[[int], Act]] = {
    "a dial: kernel": lambda turn: (
        f"() => document.turn('kernel_size', {5 + turn % 2})",
        True,
        True,
        reached("dial", "kernel_size"),
    ),
    "a dial: size": lambda turn: (
        f"() => document.turn('size', {33 + turn % 2})",
        True,
        False,
        reached("dial", "size"),
    ),
    "a dial: padding": lambda turn: (
        f"() => document.turn('padding', {3 + turn % 2})",
        True,
        True,
        reached("dial", "padding"),
    ),
    "a dial, to a number far away: size": lambda turn: (
        f"() => document.turn('size', {80 + 10 * (turn % 2)})",
        True,
        False,
        reached("dial", "size"),
    ),
    "a switch: bias": lambda turn: ("() => document.toggle('bias')", False, True, reached("toggle", "bias")),
    "buttons: axes": lambda turn: ("() => document.press('1-D')", True, True, reached("button", "1-D")),
    "a list: the kind": lambda turn: (
        "() => document.choose('Max pooling')",
        True,
        True,
        "async () => { document.open('Layer'); await new Promise((resolve) => setTimeout(resolve, 100)); "
        "await document.reach('option', 'Max pooling'); }",
    ),
    "a typed line": lambda turn: (
        "() => document.enter()",
        True,
        True,
        f"async () => {{ document.type('nn.Conv2d(3, 10, {5 + turn % 2}, padding={3 + turn % 2})'); "
        "await document.reach('line'); }",
    ),
}
"""What the hand does, turn by turn, whether headline and window differ after it, and what comes before the clock runs.

The typed line makes of what the others left the layer that the next turn begins with.
"""

EXPLANATION = """
In Chromium on the same machine, by the page's own clock, {rounds} rounds in which the controls and the floor take
turns.  From the event on the control (of a list: the click on its entry; of a line: Enter) to the frame after the
headline and the player's window are drawn anew; the hand comes to the control {reach} ms before, and the next change
{rest} ms after the page is at rest.  “Far away” is a value that nothing could ask for before.  The floor is
an empty Streamlit app whose button
changes one word, in the same browser; “× floor” is the ratio of the medians, in brackets where four fifths of the
rounds' own ratios lie.  Asked: 60 ms at p95.  Where the load above exceeds the cores, the ratio is the figure to read.

{frames}

Playing at 1× for {seconds} s each.  “Frames a second”: those that the browser gave the page, of 60; “late”: that came
more than 25 ms after the one before; “drawing”: what our code takes of a frame in which it draws.  The bare page moves
one bar and draws nothing else.
"""


def bench(page: Page, address: str, layer: str) -> None:
    """The page with this layer, at rest."""
    page.goto(f"{address}/arithmetic?layer={quote(layer)}")
    page.locator(".player[data-frame]").first.wait_for()
    settled(page)
    page.wait_for_timeout(1500)
    page.evaluate(FINDERS)


def changes(page: Page, bare: Page, rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of each act and of the floor, round by round."""
    taken: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds + WARM):
        for name, act in ACTS.items():
            page.bring_to_front()
            milliseconds = page.evaluate(CHANGE, list(act(turn + 1)))
            settled(page)
            page.wait_for_timeout(REST)
            if turn >= WARM:
                taken[name].append(milliseconds)
        bare.bring_to_front()
        milliseconds = bare.locator("[data-testid=stButton] button").evaluate(WORD)
        bare.wait_for_timeout(REST)
        if turn >= WARM:
            taken["floor: an empty app changes one word"].append(milliseconds)
    return {name: np.array(times) for name, times in taken.items()}


def played(page: Page, address: str) -> list[list[str]]:
    """Rows of frames a second, late frames and drawing."""
    rows = []
    for words, layer in HEAVIEST.items():
        bench(page, address, layer)
        gaps, draws = page.evaluate(PLAY, SECONDS)
        drawing = [f"{value:.1f}" for value in np.percentile(draws, [50, 95])]
        rows.append([words, *cadence(gaps), *drawing])
    page.goto("about:blank")
    rows.append(["floor: a bare page", *cadence(page.evaluate(BARE, SECONDS)), "", ""])
    return rows


def cadence(gaps: list[float]) -> list[str]:
    return [f"{1000 / np.mean(gaps):.1f}", f"{100 * np.mean(np.array(gaps) > 25):.1f} %"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name)
        for file, text in FLOOR.items():
            (empty / file).parent.mkdir(exist_ok=True)
            (empty / file).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "streamlit", "run", str(empty / "app.py"), "--server.port={port}"]
        with serving() as address, serving(command, wait=False) as bare, browsing() as browser:
            with visiting(browser) as page, visiting(browser) as other:
                bench(page, address, USUAL)
                page.evaluate("document.player().play(false)")
                other.goto(bare)
                other.get_by_text("again").wait_for()
                times = changes(page, other, wish.rounds)
            with visiting(browser) as page:
                frames = played(page, address)
    floor = list(times.values())[-1]
    rows = [
        [what, *(f"{value:.0f}" for value in np.percentile(taken, [50, 95])), results.ratio(taken, floor)]
        for what, taken in times.items()
    ]
    body = results.table(["change", "median, ms", "p95", "× floor"], rows)
    head = ["playing", "frames a second", "late", "drawing, ms", "p95"]
    explained = EXPLANATION.format(
        rounds=wish.rounds, rest=REST, reach=REACH, seconds=SECONDS, frames=results.table(head, frames)
    )
    results.write("arithmetic", "Layers under the hand", f"{body}\n{explained}")


if __name__ == "__main__":
    main()
