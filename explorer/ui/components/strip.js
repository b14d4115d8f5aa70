// Stations along depth as a radio group of maps, over a slider whose steps are all layers in the order of their run.
const REST = 280; // ms without a touch before Python hears of another layer
const LATE = 8000; // ms after which what was asked for is no longer waited for
const PICTURE = 192; // pixels of the picture's side

export default function ({ data, parentElement: root, setTriggerValue }) {
  const strip = root.querySelector(".strip"), find = (part) => strip.querySelector(part);
  const [group, slider, before, after, output] = [".group", "input", ".before", ".after", "output"].map(find);
  const S = (strip._state ??= { at: "", told: "", asked: "", until: 0, timer: 0, wanted: "" });
  const places = data.places.map(([key, title, kind, shape, quiet]) => ({ key, title, kind, shape, quiet }));
  // an echo of an earlier choice must not undo the one that is on its way
  if (data.selected === S.asked || performance.now() > S.until) S.asked = "";
  if (S.told !== data.selected && !S.timer && !S.asked) S.at = S.told = data.selected;

  // ------------------------------------------------------------------ stations

  while (group.children.length > data.tiles.length) group.lastChild.remove();
  while (group.children.length < data.tiles.length) group.append(make());
  const buttons = [...group.children];
  const colours = (S.colours ??= words(tableOf(data.table)));
  data.tiles.forEach((tile, index) => {
    const [canvas, label, detail] = buttons[index].children;
    put(label, tile.label);
    put(detail, tile.detail);
    buttons[index].title = tile.hint;
    buttons[index].setAttribute("aria-label", tile.hint);
    if (canvas._drawn === tile.entries) return;
    canvas._drawn = tile.entries;
    paint(canvas, tile);
  });

  function make() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tile";
    button.setAttribute("role", "radio");
    button.innerHTML = '<canvas aria-hidden="true"></canvas><span class="label"></span><span class="detail"></span>';
    return button;
  }

  // A map as it is; numbers without places as rows of a square.
  function paint(canvas, { rows, columns, entries }) {
    const cells = Uint8Array.from(atob(entries), (c) => c.charCodeAt(0)), side = rows === 1 ? Math.ceil(Math.sqrt(columns)) : columns;
    canvas.width = side;
    canvas.height = rows === 1 ? Math.ceil(columns / side) : rows;
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer).fill(colours[127]);
    cells.forEach((entry, at) => (pixels[at] = colours[entry]));
    context.putImageData(image, 0, 0);
  }

  // The picture travels apart, and may come later.
  function picture(address) {
    const wanted = `${data.photo} ${data.box}`;
    if (S.wanted === wanted) return;
    S.wanted = wanted;
    const image = new Image();
    image.onload = () => {
      if (S.wanted !== wanted) return;
      const canvas = find("figure canvas");
      canvas.width = canvas.height = PICTURE;
      const [left, top, width, height] = data.box;
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(image, left, top, width, height, 0, 0, PICTURE, PICTURE);
    };
    image.src = address;
  }
  const end = awaitPhoto(strip, data.photo, picture);

  // ------------------------------------------------------------------ steps

  const steps = () => places.filter(({ key, quiet }) => !quiet || key === S.at);
  const place = () => steps().findIndex(({ key }) => key === S.at);

  function show() {
    const list = steps(), at = place(), here = list[at];
    slider.max = list.length - 1;
    slider.value = at;
    slider.setAttribute("aria-valuetext", here ? `${here.title}, ${here.kind}, ${here.shape}` : "none");
    before.disabled = at <= 0;
    after.disabled = at >= list.length - 1;
    const counted = ` · layer ${at + 1} of ${list.length}`;
    if (output.textContent !== here?.title + counted) output.innerHTML = "<b></b><span></span>";
    putName(output.firstChild, here?.title ?? "");
    put(output.lastChild, counted);
    const passed = places.filter(({ quiet }) => quiet).length;
    output.title = passed ? `${passed} of the ${places.length} layers change nothing (Identity, Dropout, Flatten …) and are passed over; the search has them all` : "";
    const chosen = data.tiles.findIndex(({ key }) => key === S.at);
    // where the strip is longer than the page is wide: the station that comes at or after the layer
    const order = new Map(places.map(({ key }, index) => [key, index]));
    const near = data.tiles.findIndex(({ key }) => order.get(key) >= order.get(S.at));
    if (S.near !== near && buttons[near]) {
      const row = find(".row"), { offsetLeft, offsetWidth } = buttons[near];
      if (offsetLeft < row.scrollLeft || offsetLeft + offsetWidth > row.scrollLeft + row.clientWidth) row.scrollLeft = offsetLeft - row.clientWidth / 2;
    }
    S.near = near;
    buttons.forEach((button, index) => {
      button.setAttribute("aria-checked", index === chosen);
      button.tabIndex = index === Math.max(chosen, 0) ? 0 : -1;
    });
  }

  function go(key, wait) {
    S.at = key;
    show();
    clearTimeout(S.timer);
    S.timer = setTimeout(() => {
      S.timer = 0;
      Object.assign(S, { told: key, asked: key, until: performance.now() + LATE });
      setTriggerValue("picked", key);
    }, wait);
  }

  const step = (by) => {
    const list = steps(), to = place() + by;
    if (list[to]) go(list[to].key, REST);
  };
  before.onclick = () => step(-1);
  after.onclick = () => step(1);
  slider.oninput = () => go(steps()[Number(slider.value)].key, REST);
  buttons.forEach((button, index) => {
    button.onclick = () => go(data.tiles[index].key, 0);
    button.onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const next = (index + by + buttons.length) % buttons.length;
      buttons[next].focus();
      go(data.tiles[next].key, REST);
    };
  });
  put(find("figure .detail"), data.input);
  show();
  return end;
}
