// Classes as buttons with two bars each, the probability before and after.  Arrow keys go from line to line.
const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
const points = (change) => (Math.abs(change) < 0.0005 ? "±0.0" : `${change > 0 ? "+" : "−"}${(100 * Math.abs(change)).toFixed(1)}`);

export default function ({ data, parentElement: root, setTriggerValue }) {
  const list = root.querySelector(".lines"), told = root.querySelector(".told");
  list.setAttribute("aria-label", data.label);
  root.querySelector(".legend").hidden = !data.changed;
  while (list.children.length > data.entries.length) list.lastChild.remove();
  while (list.children.length < data.entries.length) list.append(make());

  const most = Math.max(...data.entries.flatMap((entry) => [entry.before, entry.after]), 1e-9);
  data.entries.forEach((entry, place) => {
    const button = list.children[place], [name, scale, values, difference] = button.children, change = entry.after - entry.before;
    put(name, entry.label);
    scale.children[0].style.width = `${(100 * entry.before) / most}%`;
    scale.children[1].style.width = `${(100 * entry.after) / most}%`;
    scale.children[1].hidden = !data.changed;
    put(values, data.changed ? `${percent(entry.before)} → ${percent(entry.after)}` : percent(entry.before));
    put(difference, data.changed ? points(change) : "");
    difference.className = `difference ${Math.abs(change) < 0.0005 ? "" : change > 0 ? "up" : "down"}`;
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
  put(told, data.changed && first ? `${first.label}: ${percent(first.before)} before, ${percent(first.after)} after` : "");

  function make() {
    const button = document.createElement("button");
    button.type = "button";
    button.innerHTML = '<span class="name"></span><span class="scale"><i></i><i class="after"></i></span><span class="values"></span><span class="difference"></span>';
    return button;
  }
}
