// A photograph under heat.  Python sends the map as small as the layer made it; scaling, colouring, blending,
// wiping and reading values off happen here, so that a slider or the mouse never waits for the server.
const REST = 300; // ms without a touch before Python hears of a new look
const FINEST = 448; // side of the painted map; the browser smooths it up to the photograph

const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const bytes = (text) => Uint8ClampedArray.from(atob(text), (c) => c.charCodeAt(0));

// Value at (x, y), both 0..1 over the map: of the cell there, or between the centres of cells, as cv2's and
// torch's linear resize have it.
export function sample({ heat, rows, columns }, x, y, cells) {
  if (cells) return heat[Math.min(Math.floor(y * rows), rows - 1) * columns + Math.min(Math.floor(x * columns), columns - 1)];
  const column = Math.min(Math.max(x * columns - 0.5, 0), columns - 1);
  const row = Math.min(Math.max(y * rows - 0.5, 0), rows - 1);
  const left = Math.floor(column), top = Math.floor(row);
  const right = Math.min(left + 1, columns - 1), bottom = Math.min(top + 1, rows - 1);
  const u = column - left, v = row - top;
  const upper = heat[top * columns + left] * (1 - u) + heat[top * columns + right] * u;
  const lower = heat[bottom * columns + left] * (1 - u) + heat[bottom * columns + right] * u;
  return upper * (1 - v) + lower * v;
}

// Colours the map into `image`: alpha is the table's own (it follows strength) times the opacity.
export function colour(image, map, scale, table, look) {
  const { width, height, data } = image;
  const floor = look.threshold / 100, opacity = look.opacity / 100;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let strength = scale > 0 ? Math.min(Math.max(sample(map, (x + 0.5) / width, (y + 0.5) / height, look.cells) / scale, 0), 1) : 0;
      if (strength < floor) strength = 0;
      const from = 4 * Math.round(255 * strength), to = 4 * (y * width + x);
      data[to] = table[from];
      data[to + 1] = table[from + 1];
      data[to + 2] = table[from + 2];
      data[to + 3] = table[from + 3] * opacity;
    }
  }
  return image;
}

export const short = (value) => (value === 0 ? "0" : Math.abs(value) >= 0.01 && Math.abs(value) < 1000 ? value.toPrecision(3) : value.toExponential(1));

export default function ({ data, parentElement: root, setStateValue }) {
  const view = root.querySelector(".view");
  const S = (view._state ??= { look: null, sent: null, photoId: null, timer: 0, probe: null, tables: {} });
  const [legend, high, output] = [view.querySelector(".legend canvas"), view.querySelector(".high"), view.querySelector("output")];
  const field = (name) => view.querySelector(`[name=${name}]`);

  if (JSON.stringify(data.look) !== S.sent) {
    S.look = { ...data.look };
    S.sent = JSON.stringify(data.look);
  }
  if (S.photoId !== data.photoId) {
    S.photoId = data.photoId;
    S.probe = null;
  }
  if (!field("colours").options.length) {
    for (const [key, { name, table }] of Object.entries(data.colours)) {
      field("colours").add(new Option(name, key));
      S.tables[key] = bytes(table);
    }
  }

  const { box, width, height } = data;
  const whole = box.top <= 0.5 && box.left <= 0.5 && box.height >= height - 1 && box.width >= width - 1;
  const list = view.querySelector(".panes");
  while (list.children.length > data.panes.length) list.lastChild.remove();
  while (list.children.length < data.panes.length) list.append(make());
  const panes = data.panes.map((pane, index) => ({ ...pane, heat: floats(pane.heat), figure: list.children[index] }));
  panes.forEach(dress);
  const end = awaitPhoto(view, data.photoId, lay);
  wire();
  paint();

  // What the controls show, and what they do: this run's `setStateValue` is the one to call.
  function wire() {
    put(high, `${short(data.scale)} at the peak`);
    for (const name of ["opacity", "threshold", "wipe"]) {
      const input = field(name);
      input.value = S.look[name];
      input.nextElementSibling.textContent = `${S.look[name]} %`;
      input.oninput = () => setLook(name, Number(input.value));
    }
    field("cells").checked = S.look.cells;
    field("cells").onchange = () => setLook("cells", field("cells").checked);
    field("colours").value = S.look.colours;
    field("colours").onchange = () => setLook("colours", field("colours").value);
    if (!S.probe) output.textContent = hint();
    else read(S.probe.x, S.probe.y);
  }

  // The photograph travels apart from the maps, and may come after them.
  function lay(address) {
    for (const { figure } of panes) {
      const image = figure.querySelector("img");
      if (image.getAttribute("src") !== address) image.src = address;
    }
  }

  function make() {
    const figure = document.createElement("figure");
    figure.innerHTML =
      '<figcaption><div class="title"></div><div class="note"></div></figcaption><div class="stage" tabindex="0" role="img">' +
      '<img alt="" draggable="false" /><div class="layer"><canvas></canvas></div><div class="box"></div><div class="edge"></div><div class="probe" hidden></div></div>';
    return figure;
  }

  function dress({ title, note, heat, rows, columns, figure }) {
    put(figure.querySelector(".title"), title);
    put(figure.querySelector(".note"), note);
    const stage = figure.querySelector(".stage");
    // as large as the column allows, never taller than most of the window, never blown up past use
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.width = `min(100%, calc(68vh * ${width / height}), ${Math.max(8 * width, 320)}px)`;
    stage.style.minHeight = `${Math.min(40, height)}px`;
    stage.classList.toggle("small", Math.max(width, height) < 120);
    const place = { left: (100 * box.left) / width, top: (100 * box.top) / height, width: (100 * box.width) / width, height: (100 * box.height) / height };
    for (const part of [figure.querySelector("canvas"), figure.querySelector(".box")])
      for (const [side, value] of Object.entries(place)) part.style[side] = `${value}%`;
    figure.querySelector(".box").classList.toggle("whole", whole);
    const peak = heat.indexOf(heat.reduce((a, b) => Math.max(a, b), -Infinity));
    const where = `row ${Math.round(box.top + ((Math.floor(peak / columns) + 0.5) / rows) * box.height)}, column ${Math.round(box.left + (((peak % columns) + 0.5) / columns) * box.width)}`;
    stage.setAttribute("aria-label", `The picture under its heat map: ${title}. ${note || `Strongest at ${where} of ${height} × ${width} pixels.`} Arrow keys read values off.`);
    stage.onpointermove = (event) => {
      const area = stage.getBoundingClientRect();
      const x = (event.clientX - area.left) / area.width, y = (event.clientY - area.top) / area.height;
      if (event.buttons & 1 && S.dragging) setLook("wipe", Math.round(100 * Math.min(Math.max(x, 0), 1)));
      else read(x, y);
    };
    stage.onpointerdown = (event) => {
      const area = stage.getBoundingClientRect();
      S.dragging = Math.abs((event.clientX - area.left) / area.width - S.look.wipe / 100) < 0.03;
      if (S.dragging) stage.setPointerCapture(event.pointerId);
      else stage.onpointermove(event);
    };
    stage.onpointerup = () => (S.dragging = false);
    // a finger leaves when it is lifted: what it pointed at stays until it points again
    stage.onpointerleave = (event) => event.pointerType === "mouse" && read(null);
    stage.onblur = () => read(null);
    stage.onkeydown = (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (event.key === "Escape") read(null);
      if (!move) return;
      event.preventDefault();
      const from = S.probe ?? { x: 0.5, y: 0.5 };
      read(Math.min(Math.max(from.x + move[0], 0), 0.9999), Math.min(Math.max(from.y + move[1], 0), 0.9999));
    };
  }

  // The value under the pointer, in every pane at the same place of the picture.
  function read(x, y) {
    S.probe = x === null ? null : { x, y };
    for (const { figure } of panes) {
      const probe = figure.querySelector(".probe");
      probe.hidden = !S.probe;
      if (S.probe) Object.assign(probe.style, { left: `${100 * x}%`, top: `${100 * y}%` });
    }
    if (!S.probe) return void (output.textContent = hint());
    const row = Math.floor(y * height), column = Math.floor(x * width);
    const u = (x * width - box.left) / box.width, v = (y * height - box.top) / box.height;
    const at = `Row ${row}, column ${column}: `;
    if (u < 0 || v < 0 || u > 1 || v > 1) return void (output.textContent = `${at}outside the part that the network was shown.`);
    const values = panes.map((pane) => {
      const value = sample(pane, u, v, S.look.cells);
      return data.scale > 0 ? `${short(value)} (${Math.round((100 * value) / data.scale)} % of the peak)` : short(value);
    });
    const { rows, columns } = panes[0];
    const cell = `cell ${Math.min(Math.floor(v * rows), rows - 1)}, ${Math.min(Math.floor(u * columns), columns - 1)} of ${rows} × ${columns}`;
    output.textContent = `${at}${values.join("  |  ")}, ${cell}`;
  }

  function hint() {
    const first = matchMedia("(pointer: coarse)").matches ? "Tap the picture to read values." : "Point at the picture to read values.";
    return whole ? first : `${first} Outside the dashed frame the network saw nothing.`;
  }

  function setLook(name, value) {
    S.look[name] = value;
    wire();
    paint();
    clearTimeout(S.timer);
    S.timer = setTimeout(() => setStateValue("look", { ...S.look }), REST);
  }

  function paint() {
    const table = S.tables[S.look.colours];
    // runs come often and most change no map: painting the same again would cost a frame
    const drawn = JSON.stringify([data.panes, data.box, data.scale, S.look]);
    if (view._drawn === drawn) return;
    view._drawn = drawn;
    for (const pane of panes) {
      const canvas = pane.figure.querySelector("canvas");
      const shrink = Math.min(1, FINEST / Math.max(box.width, box.height));
      canvas.width = Math.max(1, Math.round(box.width * shrink));
      canvas.height = Math.max(1, Math.round(box.height * shrink));
      const context = canvas.getContext("2d");
      context.putImageData(colour(context.createImageData(canvas.width, canvas.height), pane, data.scale, table, S.look), 0, 0);
      pane.figure.querySelector(".layer").style.clipPath = `inset(0 0 0 ${S.look.wipe}%)`;
      const edge = pane.figure.querySelector(".edge");
      edge.style.left = `${S.look.wipe}%`;
      edge.hidden = S.look.wipe <= 0;
    }
    const strip = legend.getContext("2d"), line = strip.createImageData(256, 1);
    colour(line, { heat: Float32Array.from({ length: 256 }, (_, i) => i / 255), rows: 1, columns: 256 }, 1, table, { ...S.look, opacity: 100, threshold: 0 });
    strip.putImageData(line, 0, 0);
    view.dataset.painted = panes.map((pane) => pane.title).join(" | ");
  }

  return () => {
    clearTimeout(S.timer);
    end();
  };
}
