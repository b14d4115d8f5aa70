// Classes as buttons with two bars each, the probability before and after.  Arrow keys go from line to line.
const ROUND = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]; // shares that a full bar may stand for
// The difference of what is shown, not of what was rounded away: 35.6 → 35.7 is +0.1.
const tenths = (share) => Number((1000 * share).toFixed(0));
const points = (change) => (change ? `${change > 0 ? "+" : "−"}${(Math.abs(change) / 10).toFixed(1)}` : "±0.0");

export default function ({ data, parentElement: root, setTriggerValue }) {
  const list = root.querySelector(".lines"), told = root.querySelector(".told");
  list.setAttribute("aria-label", data.label);
  for (const part of root.querySelectorAll(".legend > :not(.full)")) part.hidden = !data.changed;
  while (list.children.length > data.entries.length) list.lastChild.remove();
  while (list.children.length < data.entries.length) list.append(make());

  const largest = Math.max(...data.entries.flatMap((entry) => [entry.before, entry.after]));
  const most = ROUND.find((share) => share >= largest) ?? largest;
  put(root.querySelector(".full"), `a full bar is ${100 * most} %`);
  data.entries.forEach((entry, place) => {
    const button = list.children[place], [name, scale, values, difference] = button.children, change = tenths(entry.after) - tenths(entry.before);
    put(name, entry.label);
    scale.children[0].style.width = `${(100 * entry.before) / most}%`;
    scale.children[1].style.width = `${(100 * entry.after) / most}%`;
    scale.children[1].hidden = !data.changed;
    put(values, data.changed ? `${inPercent(entry.before)} → ${inPercent(entry.after)}` : inPercent(entry.before));
    put(difference, data.changed ? points(change) : "");
    difference.className = `difference ${!change ? "" : change > 0 ? "up" : "down"}`;
    button.title = [entry.label, entry.hint].filter(Boolean).join(". ");
    button.setAttribute("aria-label", `${entry.label}: ${values.textContent}`);
    button.setAttribute("aria-pressed", entry.key === data.selected);
    button.onclick = () => {
      for (const other of list.children) other.setAttribute("aria-pressed", other === button);
      setTriggerValue("picked", entry.key);
    };
    button.onkeydown = (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      list.children[place + step]?.focus();
    };
  });

  const [first] = data.entries;
  put(told, data.changed && first ? `${first.label}: ${inPercent(first.before)} before, ${inPercent(first.after)} after` : "");

  function make() {
    const button = document.createElement("button");
    button.type = "button";
    button.innerHTML = '<span class="name"></span><span class="scale"><i></i><i class="after"></i></span><span class="values"></span><span class="difference"></span>';
    return button;
  }
}
