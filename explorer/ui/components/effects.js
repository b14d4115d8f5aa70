// Lines with two signed bars: press one to look at it, press its switch to turn it off.  Arrow keys go from line to line.
// As many digits in all lines as the largest number needs for three.
const writer = (largest) => {
  const digits = Math.min(Math.max(2 - Math.floor(Math.log10(largest || 1)), 0), 9);
  return (value) => {
    if (value === null) return "";
    const size = Math.abs(value).toFixed(digits);
    return `${Number(size) === 0 ? "" : value > 0 ? "+" : "−"}${size}`;
  };
};

export default function ({ data, parentElement: root, setTriggerValue }) {
  const list = root.querySelector(".lines"), measured = data.entries.some((entry) => entry.fact !== null);
  list.setAttribute("aria-label", data.label);
  list.classList.toggle("unit", data.switches);
  root.querySelector(".measured").hidden = !measured;
  while (list.children.length > data.entries.length) list.lastChild.remove();
  while (list.children.length < data.entries.length) list.append(make());

  const values = data.entries.flatMap((entry) => [entry.slope, entry.fact ?? 0]);
  const low = Math.min(0, ...values), high = Math.max(0, ...values), span = high - low || 1;
  const number = writer(Math.max(high, -low));
  const at = (value) => (100 * (value - low)) / span;

  data.entries.forEach((entry, place) => {
    const line = list.children[place], [pick, toggle] = line.children, [name, scale, numbers] = pick.children;
    put(name, entry.label);
    scale.style.setProperty("--zero", `${at(0)}%`);
    bar(scale.children[0], entry.slope);
    bar(scale.children[1], entry.fact);
    put(numbers.children[0], number(entry.slope));
    put(numbers.children[1], number(entry.fact));
    line.classList.toggle("off", entry.off === true);
    const words = [`${data.switches ? "Unit " : ""}${entry.label}: slope ${number(entry.slope)}`];
    if (entry.fact !== null) words.push(`fact ${number(entry.fact)}`);
    if (entry.off) words.push("switched off");
    pick.setAttribute("aria-label", words.join(", "));
    pick.title = [words.join(", "), entry.hint].filter(Boolean).join(". ");
    pick.setAttribute("aria-pressed", entry.key === data.selected);
    pick.onclick = () => {
      for (const other of list.children) other.children[0].setAttribute("aria-pressed", other === line);
      setTriggerValue("picked", entry.key);
    };
    toggle.hidden = !data.switches;
    toggle.setAttribute("aria-checked", !entry.off);
    toggle.setAttribute("aria-label", `Unit ${entry.label}`);
    toggle.title = entry.off ? "Switch it on" : "Switch it off";
    toggle.onclick = () => {
      toggle.setAttribute("aria-checked", Boolean(entry.off)); // at once: the answer follows
      line.classList.toggle("off", !entry.off);
      setTriggerValue("switched", entry.key);
    };
    line.onkeydown = (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], other = list.children[place + step];
      if (!step) return;
      event.preventDefault();
      other?.children[event.target === toggle ? 1 : 0].focus();
    };
  });

  function bar(node, value) {
    node.hidden = value === null;
    if (value === null) return;
    node.style.left = `${Math.min(at(0), at(value))}%`;
    node.style.width = `${Math.abs(at(value) - at(0))}%`;
    node.style.setProperty("--hue", value < 0 ? "var(--minus)" : "var(--plus)");
  }

  function make() {
    const line = document.createElement("div");
    line.className = "line";
    line.innerHTML = '<button type="button" class="pick"><span class="name"></span><span class="scale"><i class="slope"></i><i class="fact"></i></span><span class="numbers"><span></span><b></b></span></button><button type="button" class="switch" role="switch"><i></i></button>';
    return line;
  }
}
