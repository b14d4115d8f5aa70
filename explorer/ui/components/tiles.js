// Pictures to click: a radio group (arrow keys move and choose), over a slider where order matters; or buttons, of which
// none stays chosen.
export default function ({ data, parentElement: root, setTriggerValue }) {
  const group = root.querySelector(".group");
  const slider = root.querySelector(".slider");
  const { tiles } = data;
  put(root.querySelector(".name"), data.title);
  group.setAttribute("aria-label", data.label);
  group.setAttribute("role", data.buttons ? "group" : "radiogroup");
  group.style.setProperty("--size", `${data.size}px`);
  group.classList.toggle("row", data.slider);
  group.classList.toggle("whole", data.whole);
  slider.hidden = !data.slider;

  const focused = root.activeElement?.dataset?.key;
  const buttons = tiles.map((tile) => group.querySelector(`[data-key="${CSS.escape(tile.key)}"]`) ?? make(tile));
  // moving nodes costs a layout, and runs come often: only where something moved
  if (buttons.some((button, index) => group.children[index] !== button) || group.children.length > buttons.length)
    group.replaceChildren(...buttons);
  if (focused) buttons.find((button) => button.dataset.key === focused)?.focus();
  tiles.forEach((tile, index) => fill(buttons[index], tile));
  mark(tiles.findIndex((tile) => tile.key === data.selected));

  function make(tile) {
    const button = document.createElement("button");
    button.type = "button";
    if (!data.buttons) button.setAttribute("role", "radio");
    button.dataset.key = tile.key;
    const image = document.createElement("img");
    image.alt = "";
    const label = document.createElement("span");
    label.className = "label";
    const detail = document.createElement("span");
    detail.className = "detail";
    button.append(image, label, detail);
    return button;
  }

  function fill(button, tile) {
    const [image, label, detail] = button.children;
    if (image.getAttribute("src") !== tile.image) image.src = tile.image;
    put(label, tile.mark ? `${tile.label} ${tile.mark}` : tile.label);
    put(detail, tile.detail);
    detail.hidden = !tile.detail;
    button.title = [tile.label, tile.detail].filter(Boolean).join(", ");
  }

  function mark(chosen) {
    buttons.forEach((button, index) => {
      if (!data.buttons) button.setAttribute("aria-checked", index === chosen);
      button.tabIndex = index === Math.max(chosen, 0) ? 0 : -1;
    });
    slider.max = tiles.length - 1;
    slider.value = chosen;
    slider.setAttribute("aria-label", data.label);
    slider.setAttribute("aria-valuetext", tiles[chosen]?.label ?? "none");
  }

  function pick(index) {
    if (!data.buttons) mark(index); // at once: the answer of the server follows
    setTriggerValue("picked", tiles[index].key);
  }

  buttons.forEach((button, index) => {
    button.onclick = () => pick(index);
    button.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = (index + step + tiles.length) % tiles.length;
      buttons[next].focus();
      if (!data.buttons) pick(next);
    };
  });
  slider.oninput = () => pick(Number(slider.value));
}
