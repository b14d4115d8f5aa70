// Sliders that send while they are dragged.  Streamlit drops a run when the next message comes, so the next value
// waits until the page has answered: it turns as fast as it can be drawn, and is never starved.
const PACE = 60; // ms between two messages
const PATIENCE = 1000; // ms after which an answer, or a rest of the hand, is waited for no longer
const AHEAD = 250; // ms that a message waits for what is painted ahead of it
const LOOK = 15; // ms between two looks whether the page is done

// The value that the dial can take next to any number; Python rounds by the same rule.
export function nearest({ lowest, highest, step }, value) {
  const last = Math.floor((highest - lowest) / step + 1e-9);
  const within = Math.min(Math.max(value, lowest), highest);
  const steps = Math.min(Math.round((within - lowest) / step), last);
  return Number((lowest + steps * step).toFixed(Math.max(0, 6 - Math.floor(Math.log10(step)))));
}

export default function ({ data, parentElement: root, setStateValue }) {
  const list = root.querySelector(".dials");
  // held: what the hand set, until the page answers the message that carried it (Infinity: none has yet), so that an
  // older echo never overwrites a newer value
  const S = (list._state ??= { held: new Map(), sent: 0, sentAt: -PACE, touchedAt: 0, typing: null, timer: 0 });
  S.setStateValue = setStateValue;
  S.answered = data.answered;
  list.toggleAttribute("data-ahead", Boolean(data.ahead));
  // what the hand set and no run has answered
  if (data.ahead) document._ahead?.hands.set(list, () => S.sent > S.answered || [...S.held.values()].some((held) => held.message === Infinity));
  S.sent = Math.max(S.sent, data.answered);

  for (const [key, held] of S.held) {
    const gone = !data.dials.some((dial) => dial.key === key);
    const lost = held.message < Infinity && performance.now() - S.touchedAt > PATIENCE && !running();
    if (gone || lost || held.message <= S.answered) S.held.delete(key);
  }
  const rows = data.dials.map((dial) => list.querySelector(`[data-key="${CSS.escape(dial.key)}"]`) ?? make(dial));
  // a node that moves loses the hand: others come and go around those that stay
  Array.from(list.children).filter((row) => !rows.includes(row)).forEach((row) => row.remove());
  rows.forEach((row, index) => list.children[index] !== row && list.insertBefore(row, list.children[index] ?? null));
  data.dials.forEach((dial, index) => fill(rows[index], dial));
  pump();

  function make({ key }) {
    const row = document.createElement("div");
    row.className = "dial";
    row.dataset.key = key;
    row.innerHTML = '<label></label><span class="value"><input type="number" /><span class="unit"></span></span><input type="range" /><span class="limit" role="status"></span>';
    return row;
  }

  function fill(row, dial) {
    const [label, field, slider, limit] = ["label", "[type=number]", "[type=range]", ".limit"].map((part) => row.querySelector(part));
    put(label, dial.label);
    put(row.querySelector(".unit"), dial.unit);
    slider.id = label.htmlFor = `dial-${dial.key}`;
    field.setAttribute("aria-label", `${dial.label}, exact value`);
    for (const input of [field, slider]) Object.assign(input, { min: dial.lowest, max: dial.highest, step: dial.step });
    show();

    slider.oninput = () => {
      put(limit, "");
      turn(nearest(dial, slider.valueAsNumber));
    };
    field.oninput = () => {
      put(limit, "");
      S.typing = dial.key; // the text is left alone until it is finished: 1 may become 12
      const typed = field.valueAsNumber;
      if (typed >= dial.lowest && typed <= dial.highest) turn(nearest(dial, typed));
    };
    field.onchange = () => {
      S.typing = null;
      const typed = field.valueAsNumber;
      if (Number.isNaN(typed)) return void show();
      const taken = nearest(dial, typed);
      turn(taken);
      put(limit, taken === typed ? "" : `${typed} is not possible here: ${dial.lowest} to ${dial.highest}${dial.step === 1 ? "" : ` in steps of ${dial.step}`}; ${taken} is taken.`);
    };
    field.onblur = () => {
      S.typing = null;
      show();
    };

    function show() {
      const value = S.held.get(dial.key)?.value ?? dial.value;
      if (slider.valueAsNumber !== value) slider.value = value;
      slider.setAttribute("aria-valuetext", `${value} ${dial.unit}`.trim());
      if (S.typing !== dial.key && field.value !== String(value)) field.value = value;
    }

    function turn(value) {
      S.touchedAt = performance.now();
      const before = S.held.get(dial.key)?.value ?? dial.value;
      if (value !== before) {
        S.held.set(dial.key, { value, message: Infinity });
        if (data.ahead) document._ahead?.change(dial.key, value, before);
      }
      show();
      pump();
    }
  }

  // Sends what the hand set since the last message, as soon as the page has answered that one.
  function pump() {
    clearTimeout(S.timer);
    const fresh = [...S.held.values()].filter((held) => held.message === Infinity);
    if (!fresh.length) return;
    const waited = performance.now() - S.sentAt;
    const busy = S.sent > S.answered || running();
    // one thing at a time: the server has what is to be painted sooner where it does not also run the page
    const painting = data.ahead && document._ahead?.asking && waited < AHEAD;
    if (waited < PACE) S.timer = setTimeout(pump, PACE - waited);
    else if (painting || (busy && waited < PATIENCE)) S.timer = setTimeout(pump, LOOK);
    else {
      S.sent += 1;
      S.sentAt = performance.now();
      for (const held of fresh) held.message = S.sent;
      const values = Object.fromEntries([...S.held].map(([key, { value }]) => [key, value]));
      S.setStateValue("turned", { count: S.sent, values });
    }
  }

  // Whether the script runs: an echo comes from its middle, and what follows it must be drawn too.
  function running() {
    return document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "running";
  }

  return () => clearTimeout(S.timer);
}
