// Predictions as buttons: press one for its map, press the small one to see its map beside the chosen one's.
const PANES = '<svg viewBox="0 0 16 16" aria-hidden="true"><rect x="1.5" y="3" width="5.5" height="10" rx="1"/><rect x="9" y="3" width="5.5" height="10" rx="1"/></svg>';

export default function ({ data, parentElement: root, setTriggerValue }) {
  const list = root.querySelector(".bars");
  list.setAttribute("aria-label", data.label);
  while (list.children.length > data.bars.length) list.lastChild.remove();
  while (list.children.length < data.bars.length) list.append(make());

  data.bars.forEach((bar, place) => {
    const [choose, beside] = list.children[place].children;
    const [strip, label, value] = choose.children;
    strip.style.width = `${100 * bar.probability}%`;
    put(label, bar.label);
    put(value, inPercent(bar.probability));
    choose.title = `${bar.label}: class ${bar.index}, probability ${bar.probability.toPrecision(4)}`;
    choose.setAttribute("aria-pressed", bar.index === data.selected);
    choose.onclick = () => {
      for (const row of list.children) row.children[0].setAttribute("aria-pressed", row === list.children[place]);
      setTriggerValue("picked", bar.index);
    };
    const pressed = bar.index === data.second;
    beside.setAttribute("aria-pressed", pressed);
    beside.disabled = bar.index === data.selected;
    beside.setAttribute("aria-label", pressed ? `Stop comparing with ${bar.label}` : `Compare with ${bar.label}, side by side`);
    beside.title = beside.disabled ? "This is the map that is drawn" : beside.getAttribute("aria-label");
    beside.onclick = () => setTriggerValue("compared", pressed ? -1 : bar.index);
  });

  function make() {
    const row = document.createElement("div");
    row.className = "row";
    row.innerHTML = `<button type="button" class="class"><span class="bar"></span><span class="label"></span><span class="value"></span></button><button type="button" class="beside">${PANES}</button>`;
    return row;
  }
}
