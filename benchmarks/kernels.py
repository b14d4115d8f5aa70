"""How fast a picture follows the hand on the page of kernels, in Chromium, beside an empty redraw.

python -m benchmarks.kernels [--rounds 80]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks import results
from tests.browser import chromium
from tests.browser.serving import FLAGS, browsing, serving, settled, visiting

SIDE = 512
PICTURE = "astronaut"  # is 512 × 512 as it comes
CAMERA_SECONDS = 5
TURNS, LINKS = 40, 15
WARM = 5  # rounds before those that count
FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
NOTHING, REDRAW = "nothing", "redraw"

# What the hand does, in the page itself and by its clock: `rounds` lets acts take turns, and gives for each act a
# list of [ms until our code has done, ms until the frame after it is drawn].
HAND = """
(stencil, side) => {
  const find = (part) => stencil.querySelector(part);
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  // a frame's callbacks come before its layout and paint, the next task after them
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(null);
  }));
  const painted = () => new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('Nothing was painted.')), 10000);
    new MutationObserver((_, observer) => {
      observer.disconnect();
      resolve();
    }).observe(stencil, { attributes: true, attributeFilter: ['data-painted'] });
  });

  const pointer = (node, kind, u, v) => {
    const area = node.getBoundingClientRect();
    const place = { clientX: area.left + u * area.width, clientY: area.top + v * area.height, pointerId: 1 };
    node.dispatchEvent(new PointerEvent(kind, { ...place, bubbles: true, composed: true, cancelable: true }));
  };
  const point = (board) => () => {
    const output = find('output'), before = output.textContent;
    pointer(find(`.${board} .stage`), 'pointermove', random(), random());
    if (output.textContent === before) throw new Error('The numbers did not follow the pointer.');
  };
  const press = (text) => () => {
    const done = painted();
    [...stencil.querySelectorAll('button')].find((button) => button.textContent === text).click();
    return done;
  };

  // The floor: an image as large on a canvas as large, that is made of nothing.
  const canvas = Object.assign(document.createElement('canvas'), { width: side, height: side });
  canvas.style.cssText = 'position: fixed; right: 0; bottom: 0; width: 400px; z-index: 1000000';
  document.body.append(canvas);
  const context = canvas.getContext('2d'), image = context.createImageData(side, side);

  const acts = {
    nothing: () => {},
    redraw: () => {
      image.data.fill(255 * random());
      return () => context.putImageData(image, 0, 0);
    },
    stroke: () => {
      const brush = find('.brush'), sheet = find('.grid'), place = [random(), random()];
      brush.value = (4 * random() - 2).toFixed(3);
      brush.dispatchEvent(new Event('input'));
      return () => {
        const done = painted();
        pointer(sheet, 'pointerdown', ...place);
        return done;
      };
    },
    'point at the input': () => point('input'),
    'point at the output': () => point('output'),
    'new kernel': () => press('Negate'),
  };
  const after = { stroke: () => pointer(find('.grid'), 'pointerup', 0, 0) };

  const time = async (act) => {
    const start = performance.now();
    performance.mark('hand begins');
    await act?.();
    performance.mark('hand is done');
    const done = performance.now() - start;
    await frame();
    return [done, performance.now() - start];
  };
  const rounds = async (names, count, warm) => {
    const taken = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = -warm; round < count; round++)
      for (const name of names) {
        await pause(5 + 17 * random()); // any moment between two frames
        const found = await time(acts[name]());
        after[name]?.();
        if (round >= 0) taken[name].push(found);
      }
    return taken;
  };

  // From the last stroke to the address that tells of it.
  const link = async () => {
    await pause(1000);
    const before = location.href, stroke = acts.stroke();
    stroke();
    after.stroke();
    const start = performance.now();
    while (location.href === before) await pause(4);
    return performance.now() - start;
  };

  // A turn of a dial by a step, through Python and back.
  const turn = async (slider) => {
    await pause(500);
    const before = find('.grid').textContent;
    const step = async () => {
      const done = painted();
      slider.stepUp();
      slider.dispatchEvent(new Event('input'));
      await done;
    };
    const found = await time(step);
    if (find('.grid').textContent === before) throw new Error('The kernel did not follow the dial.');
    return found;
  };

  // [pictures, frames] in so many seconds.
  const watch = async (seconds) => {
    let frames = 0;
    const before = Number(stencil.dataset.painted), until = performance.now() + 1000 * seconds;
    while (performance.now() < until) await frame(), frames++;
    return [Number(stencil.dataset.painted) - before, frames];
  };
  window.hand = { rounds, link, turn, watch };
}
"""

EXPLANATION = """
In Chromium on the same machine, by the page's own clock; the photo has {side} × {side} pixels, the output too.
“Done”: from a pointer event on a cell or a board to the end of our code: the weight changed, the picture
convolved and painted, its numbers, histogram and ledger drawn.  “CPU”: what of that the page's thread ran; the
rest others ran on the same cores.  “On screen”: until the frame after that is drawn, which waits for the screen's
next turn, up to 16.7 ms at 60 Hz; so the floor stands beside it, in the same rounds, each act at any moment
between two frames: an empty redraw puts an image of that size on a canvas of that size, and a bare frame does
nothing at all.  “× redraw”: on screen, as a multiple of the empty redraw: ratio of the medians, in brackets where
four fifths of the rounds' own ratios lie.  Where the load above exceeds the cores, CPU is the figure to read.

- a stroke: press the pointer on a cell, with another value each time; {rounds} strokes in each of the settings;
- point: move the pointer to another place of the input or the output;
- a new kernel: “Negate”, so every weight is another: padded, convolved in slices of a frame, painted;
- a turn of a dial: Gabor's θ by a step: to Python, back, convolved and painted; {turns} turns;
- the link: from a stroke, through 250 ms in which the hand rests, to the address that has the weight;
- lens, colours: with the lens on the neighbourhood and a colour for each weight switched on.

The live camera (Chromium's fake one, 640 × 480, computed at 320 × 240): {camera}.
"""

Times = Mapping[str, np.ndarray]


def bench(page: Page, address: str, **choices: str) -> Page:
    """The page with these choices, its picture painted, and a hand in it."""
    page.goto(f"{address}/kernels?{urlencode({'picture': PICTURE, **choices})}")
    page.locator(".stencil[data-painted]").wait_for()
    settled(page)
    page.wait_for_timeout(1500)
    page.locator(".stencil").evaluate(HAND, SIDE)
    return page


def rounds(page: Page, acts: Sequence[str], count: int) -> Times:
    """For each act an array (count, 3) of milliseconds: CPU, done, on screen.  The floors take turns with them."""
    names, browser = [NOTHING, REDRAW, *acts], page.context.browser
    assert browser
    browser.start_tracing(page=page, categories=["-*", "blink.user_timing"])
    taken = page.evaluate("(wish) => hand.rounds(...wish)", [names, count, WARM])
    marks: dict[str, list[int]] = {"hand begins": [], "hand is done": []}
    for event in json.loads(browser.stop_tracing())["traceEvents"]:
        if event["name"] in marks:
            marks[event["name"]].append(event["tts"])  # µs that the page's thread has run
    begun, done = (np.array(found).reshape(-1, len(names))[WARM:] for found in marks.values())
    cpu = (done - begun) / 1e3
    return {name: np.column_stack([cpu[:, at], taken[name]]) for at, name in enumerate(names)}


def row(what: str, times: np.ndarray, floor: np.ndarray) -> list[str]:
    """Median and 95th percentile of the three clocks, and the multiple of the floor on the last."""
    spread = np.percentile(times, [50, 95], axis=0).T
    against = results.ratio(times[:, -1], floor[:, -1])
    return [what, *(f"{value:.1f}" for value in spread.ravel()), against]


def under_the_hand(page: Page, address: str, count: int) -> list[list[str]]:
    """Rows of strokes, pointing and new kernels."""
    rows: list[list[str]] = []
    floors: list[Times] = []

    def take(acts: Mapping[str, str], setting: str, count: int, **choices: str) -> None:
        times = rounds(bench(page, address, **choices), list(acts), count)
        floors.append(times)
        for act, words in acts.items():
            rows.append(row(f"{setting}: {words}", times[act], times[REDRAW]))
            print(" | ".join(rows[-1]), flush=True)

    hand = {
        "stroke": "a stroke on 5 × 5",
        "point at the input": "point at the input",
        "point at the output": "point at the output",
    }
    five, eleven = "gaussian~5~1.2", "gaussian~11~2"
    take(hand, "grey", count, kernel=five)
    take(hand, "RGB", count, kernel=five, colour="rgb")
    take(hand, "RGB, lens, colours", count, kernel=five, colour="rgb", lens="1", hues="1")
    for setting, colour in (("grey", "grey"), ("RGB", "rgb")):
        for words, kernel in (("5 × 5", five), ("11 × 11", eleven)):
            take({"new kernel": f"a new kernel of {words}"}, setting, count, kernel=kernel, colour=colour)
    for words, act in (("floor: an empty redraw", REDRAW), ("floor: a bare frame", NOTHING)):
        rows.append(
            row(words, *(np.concatenate([times[name] for times in floors]) for name in (act, REDRAW)))
        )
    return rows


def through_python(page: Page, address: str) -> list[list[str]]:
    """Rows of a dial's turns and of strokes that come into the link."""
    bench(page, address, kernel="gabor")
    slider = page.locator('.dial[data-key="theta"] [type=range]')
    turns = [slider.evaluate("(slider) => hand.turn(slider)") for _ in range(TURNS + 3)][3:]
    bench(page, address, kernel="gaussian~5~1.2")
    links = [page.evaluate("hand.link()") for _ in range(LINKS)]
    return [
        [what, *[""] * 4, *(f"{value:.0f}" for value in np.percentile(times, [50, 95])), ""]
        for what, times in (
            ("grey: a turn of a dial, 11 × 11", [on_screen for _, on_screen in turns]),
            ("grey: a stroke in the link", links),
        )
    ]


def live(browser: Browser, address: str) -> str:
    """Pictures a second of the live camera, in words."""
    words = []
    other = browser.browser_type.launch(executable_path=chromium.find(), args=[*FLAGS, *FAKE_CAMERA])
    try:
        for setting, colour in (("grey", "grey"), ("RGB", "rgb")):
            with visiting(other) as page:
                page.context.grant_permissions(["camera"])
                bench(page, address, kernel="gaussian~5~1.2", colour=colour)
                page.get_by_role("button", name="Live camera").click()
                page.get_by_text("nothing of it is sent").wait_for()
                page.wait_for_timeout(1000)
                pictures, frames = page.evaluate("(seconds) => hand.watch(seconds)", CAMERA_SECONDS)
            drawn = pictures / CAMERA_SECONDS
            words.append(f"{setting} {drawn:.0f} pictures a second of {frames / CAMERA_SECONDS:.0f} frames")
    finally:
        other.close()
    return ", ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=80)
    wish = parser.parse_args()
    with serving() as address, browsing() as browser:
        with visiting(browser) as page:
            rows = under_the_hand(page, address, wish.rounds) + through_python(page, address)
        camera = live(browser, address)
    head = ["what", "CPU, ms", "p95", "done, ms", "p95", "on screen, ms", "p95", "× redraw"]
    explained = EXPLANATION.format(side=SIDE, rounds=wish.rounds, turns=TURNS, camera=camera)
    results.write("kernels", "Kernels under the hand", f"{results.table(head, rows)}\n{explained}")


if __name__ == "__main__":
    main()
