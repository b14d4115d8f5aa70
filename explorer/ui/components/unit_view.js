// One map beside the picture that was fed.  Every value is here, so that the pointer waits for nobody; Python is told
// of the pinned cell and of what lies over the picture when the hand rests.
const REST = 200; // ms without a touch before Python hears of it
const DEEP = [42, 212]; // entries of the colours of a gradient's signs
const SMALLEST = 7; // CSS pixels of a frame that can still be seen

const within = (value, highest) => Math.min(Math.max(value, 0), highest);
const bytesIn = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const minus = (text) => text.replace("-", "−");

// The shortest decimal that is this very float32.
export function exactly(value) {
  for (let digits = 1; digits < 10; digits++) if (Math.fround(Number(value.toPrecision(digits))) === value) return minus(String(Number(value.toPrecision(digits))));
  return minus(String(value));
}

// First and last pixel that a cell sees along one axis, beyond the picture too.
export function span({ size, jump, start }, axis, cell) {
  const first = start[axis] + cell * jump[axis];
  return [first, first + size[axis] - 1];
}

// Those of them that a cell really sees: padding sees nothing, and a stride may leave the last rows unread.
export function seenBy(field, axis, cell, length) {
  const [first, last] = span(field, axis, cell);
  return field.spans ? field.spans[axis].map((pixels) => pixels[cell]) : [Math.max(first, 0), Math.min(last, length - 1)];
}

// The cell whose field has its middle nearest to a pixel.
export function cellAt({ size, jump, start }, axis, pixel, cells) {
  return within(Math.round((pixel - start[axis] - (size[axis] - 1) / 2) / jump[axis]), cells - 1);
}

class UnitView {
  constructor(root) {
    Object.assign(this, { root, at: null, pinned: false, sent: 0, seen: {}, rest: 0 });
    this.find = (part) => root.querySelector(part);
    this.map = this.board("map");
    this.photo = this.board("photo");
    for (const board of [this.map, this.photo]) this.wire(board);
    this.find(".opacity input").oninput = (event) => this.setLook({ opacity: Number(event.target.value) });
    new ResizeObserver(() => this.values && this.paint()).observe(root);
  }

  board(name) {
    const find = (part) => this.find(`.${name} ${part}`);
    return { name, stage: find(".stage"), marks: find(".marks"), size: find(".size") };
  }

  receive(data, tell) {
    const changed = (name, value) => {
      const text = JSON.stringify(value ?? null);
      return this.seen[name] !== text && ((this.seen[name] = text), true);
    };
    Object.assign(this, { data, tell });
    if (changed("tables", data.tables)) this.table = tableOf(data.tables.signed);
    const newMap = changed("map", [data.map, data.rows, data.columns]);
    if (newMap) {
      this.values = new Float32Array(bytesIn(data.map).buffer);
      this.peak = this.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    }
    if (changed("gradient", data.gradient)) this.slopes = data.gradient && Object.fromEntries(["signed", "strength"].map((key) => [key, bytesIn(data.gradient[key])]));
    // what the hand did since counts more than what Python last heard
    if (data.answered >= this.sent) {
      this.sent = data.answered;
      if (changed("look", data.look) || !this.look) this.look = { ...data.look };
      if (changed("at", data.at)) {
        this.pinned = Boolean(data.at);
        if (data.at) this.at = [...data.at];
      }
    }
    if (!this.at || (newMap && !this.pinned)) this.at = [...data.start];
    this.at = [within(this.at[0], data.rows - 1), within(this.at[1], data.columns - 1)];
    this.dress();
    this.paint();
  }

  // The picture travels apart, and may come after the rest.
  load() {
    const address = window.cnnExplorerPhotos?.get(this.data.photoId), image = this.find("img");
    if (address && image.getAttribute("src") !== address) image.src = address;
  }

  // ------------------------------------------------------------------ painting

  get accent() {
    return getComputedStyle(this.root).getPropertyValue("--st-primary-color");
  }

  paint() {
    const { rows, columns, height, width } = this.data;
    this.map.stage.style.aspectRatio = `${columns} / ${rows}`;
    this.photo.stage.style.aspectRatio = `${width} / ${height}`;
    const picture = this.find(".picture"), ratio = globalThis.devicePixelRatio || 1;
    picture.classList.toggle("dense", this.map.stage.clientWidth * ratio < columns);
    this.paintOn(picture, columns, rows, (image) => paintSigned(image, this.values, this.peak, this.table));
    this.paintOn(this.find(".scale"), 255, 1, (image) => paintSigned(image, Float32Array.from({ length: 255 }, (_, at) => at - 127), 127, this.table));
    this.paintVeil();
    this.mark();
    this.root.dataset.painted = Number(this.root.dataset.painted ?? 0) + 1;
  }

  paintOn(canvas, width, height, fill) {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    fill(image);
    context.putImageData(image, 0, 0);
  }

  // Colours over the photograph: what is zero lets it through.
  paintVeil() {
    const { rows, columns, height, width, field } = this.data, { veil, drawn, opacity } = this.look, canvas = this.find(".veil");
    if (canvas.width !== 2 * width) Object.assign(canvas, { width: 2 * width, height: 2 * height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    const gradient = veil === "gradient" && this.slopes?.[drawn];
    this.find("img").classList.toggle("grey", Boolean(gradient));
    if (veil === "none" || (veil === "gradient" && !gradient) || (!gradient && rows * columns === 1)) return; // one number has no place
    const paper = new OffscreenCanvas(gradient ? width : columns, gradient ? height : rows), ink = paper.getContext("2d");
    const image = ink.createImageData(paper.width, paper.height), pixels = image.data;
    for (let at = 0; at < pixels.length / 4; at++) {
      const number = gradient ? gradient[at] : entry(this.values[at], this.peak), strength = Math.abs(number - 127) / 127;
      // pixels of a gradient are small and mostly weak: one deep colour for each sign, and more of it
      const shown = gradient ? (number > 127 ? DEEP[1] : DEEP[0]) : number;
      pixels.set(this.table.subarray(3 * shown, 3 * shown + 3), 4 * at);
      pixels[4 * at + 3] = 2.55 * opacity * (gradient ? Math.sqrt(strength) : strength);
    }
    ink.putImageData(image, 0, 0);
    // a cell lies in the middle of what it sees, one jump wide
    const place = (axis) => (gradient || !field ? 0 : field.start[axis] + (field.size[axis] - field.jump[axis]) / 2);
    const [tall, wide] = gradient || !field ? [height, width] : [rows * field.jump[0], columns * field.jump[1]];
    context.imageSmoothingEnabled = false;
    context.drawImage(paper, 2 * place(1), 2 * place(0), 2 * wide, 2 * tall);
  }

  // The cell, and what it sees.
  mark() {
    const { rows, columns, height, width, field } = this.data, [row, column] = this.at;
    this.frame(this.map, [rows, columns], [row, column, 1, 1]);
    const box = field && [seenBy(field, 0, row, height), seenBy(field, 1, column, width)];
    const seen = box && box.every(([first, last]) => first <= last);
    this.frame(this.photo, [height, width], seen && [box[0][0], box[1][0], box[0][1] - box[0][0] + 1, box[1][1] - box[1][0] + 1]);
    this.explain(box, seen);
  }

  frame({ stage, marks }, [rows, columns], place) {
    const [wide, tall] = [stage.clientWidth, stage.clientHeight], context = sized(marks, wide, tall);
    if (!place) return;
    const [u, v] = [wide / columns, tall / rows], [top, left, height, width] = place;
    const [w, h] = [Math.max(width * u, SMALLEST), Math.max(height * v, SMALLEST)];
    const x = within((left + width / 2) * u - w / 2, wide - w), y = within((top + height / 2) * v - h / 2, tall - h);
    for (const [strokeStyle, lineWidth, dash] of [["rgb(0 0 0 / 0.65)", 5, []], ["#fff", 3.5, []], [this.accent, 2, this.pinned ? [] : [5, 3]]]) {
      Object.assign(context, { strokeStyle, lineWidth });
      context.setLineDash(dash);
      context.strokeRect(x + 1.5, y + 1.5, w - 3, h - 3);
    }
  }

  // Rows or columns of the picture that would be inside its field, did every window between have neighbours.
  unread(axis, [first, last]) {
    const [from, to] = span(this.data.field, axis, this.at[axis]), length = [this.data.height, this.data.width][axis], name = axis ? "column" : "row";
    return [[Math.max(from, 0), first - 1], [last + 1, Math.min(to, length - 1)]].filter(([low, high]) => low <= high).map(([low, high]) => (low === high ? `${name} ${low}` : `${name}s ${low}–${high}`));
  }

  explain(box, seen) {
    const { rows, columns, height, width, field, fieldNote } = this.data;
    const [row, column] = this.at, value = this.values[row * columns + column];
    put(this.find(".value"), `${rows * columns > 1 ? `Row ${row}, column ${column}` : "Its one number"}${this.pinned ? ", pinned" : ""}: ${exactly(value)}.`);
    let sees = "";
    if (seen) {
      const over = [0, 1].flatMap((axis) => {
        const [first, last] = span(field, axis, this.at[axis]);
        return [[Math.max(-first, 0), axis ? "columns on the left" : "rows above"], [Math.max(last - [height, width][axis] + 1, 0), axis ? "columns on the right" : "rows below"]];
      });
      const padded = over.filter(([count]) => count).map(([count, where]) => `${count} ${count === 1 ? where.replace("s ", " ") : where}`);
      sees = `${this.data.verb} rows ${box[0].join("–")} and columns ${box[1].join("–")}: ${box[0][1] - box[0][0] + 1} × ${box[1][1] - box[1][0] + 1} pixels${padded.length ? `; ${padded.join(", ")} of its ${field.size.join(" × ")} are padding` : ""}.`;
      const unread = [0, 1].flatMap((axis) => this.unread(axis, box[axis]));
      if (unread.length) sees += ` Unread beside its frame: ${unread.join(", ")}.`;
    } else if (field) sees = "It sees padding alone.";
    put(this.find(".sees"), [sees, fieldNote].filter(Boolean).join(" "));
    this.root.dataset.value = value;
    this.root.dataset.box = seen ? JSON.stringify(box) : "";
  }

  // ------------------------------------------------------------------ controls and hands

  dress() {
    const { title, rows, columns, height, width, gradient, choices } = this.data, { look } = this, slopes = look.veil === "gradient";
    const single = rows * columns === 1, end = single ? String(Number(this.peak.toPrecision(3))) : exactly(Math.fround(this.peak));
    put(this.find(".name"), title);
    this.root.classList.toggle("single", single);
    put(this.map.size, rows * columns > 1 ? `${rows} × ${columns}` : "one number");
    put(this.photo.size, `${height} × ${width} pixels`);
    put(this.find(".framed"), this.data.frame);
    put(this.find(".low"), this.peak ? `−${end}` : "zero everywhere");
    put(this.find(".high"), this.peak ? end : "");
    this.find(".scale").setAttribute("aria-label", "Blue is negative, white zero, red positive");
    for (const group of this.root.querySelectorAll(".choice")) this.offer(group, this.fitting(choices[group.dataset.choice]));
    this.find(".slopes").hidden = !slopes;
    this.find(".opacity").hidden = look.veil === "none";
    this.find(".opacity input").value = look.opacity;
    put(this.find(".note"), slopes ? (gradient?.note ?? "The gradient is on its way.") : "");
    for (const { name, stage } of [this.map, this.photo])
      stage.setAttribute("aria-label", `${name === "map" ? title : "The picture as it is fed"}: arrow keys move from cell to cell, with Shift by ten; Enter pins the cell, Escape lets it go`);
  }

  // One number has no place over the picture.
  fitting(choices) {
    const single = this.data.rows * this.data.columns === 1;
    return single ? Object.fromEntries(Object.entries(choices).filter(([key]) => key !== "map")) : choices;
  }

  offer(group, choices) {
    const name = group.dataset.choice, options = Object.entries(choices);
    if (group.children.length !== options.length + 1) {
      const button = ([key, words]) => Object.assign(document.createElement("button"), { type: "button", textContent: words, onclick: () => this.setLook({ [name]: key }) });
      const lead = Object.assign(document.createElement("span"), { textContent: group.getAttribute("aria-label") });
      group.replaceChildren(lead, ...options.map(button));
    }
    [...group.children].slice(1).forEach((button, index) => {
      const key = options[index][0], idle = key === "cell" && !this.pinned;
      button.setAttribute("aria-pressed", key === (name === "veil" && !(this.look.veil in choices) ? "none" : name === "source" && !this.pinned ? "mean" : this.look[name]));
      button.disabled = idle;
      button.title = idle ? "Pin a cell first" : "";
    });
  }

  setLook(change) {
    Object.assign(this.look, change);
    this.dress();
    this.paintVeil();
    this.settle();
  }

  wire(board) {
    const { stage } = board;
    stage.onpointermove = (event) => !this.pinned && this.move(...this.place(board, event));
    stage.onclick = (event) => {
      const was = this.pinned && String(this.at);
      this.move(...this.place(board, event));
      this.pin(was !== String(this.at));
    };
    stage.onkeydown = (event) => {
      const step = event.shiftKey ? 10 : 1;
      const way = { ArrowLeft: [0, -step], ArrowRight: [0, step], ArrowUp: [-step, 0], ArrowDown: [step, 0] }[event.key];
      if (event.key === "Escape" && this.pinned) this.pin(false);
      if (event.key === "Enter") this.pin(!this.pinned);
      if (!way) return;
      event.preventDefault();
      this.move(this.at[0] + way[0], this.at[1] + way[1]);
      if (this.pinned) this.settle();
    };
  }

  // Of an event: the map's own cell, or the one that looks at a pixel of the picture.
  place({ name, stage }, event) {
    const area = stage.getBoundingClientRect(), { rows, columns, height, width, field } = this.data;
    const [v, u] = [(event.clientY - area.top) / area.height, (event.clientX - area.left) / area.width];
    if (name === "map" || !field) return [Math.floor(v * rows), Math.floor(u * columns)];
    return [cellAt(field, 0, Math.floor(v * height), rows), cellAt(field, 1, Math.floor(u * width), columns)];
  }

  move(row, column) {
    const { rows, columns } = this.data, next = [within(row, rows - 1), within(column, columns - 1)];
    if (String(next) === String(this.at)) return;
    this.at = next;
    this.mark();
  }

  pin(pinned) {
    this.pinned = pinned;
    this.dress();
    this.mark();
    this.settle(0);
  }

  // When the hand rests; a click is an end in itself.  What is sent counts as seen, so that its echo changes nothing.
  settle(rest = REST) {
    const at = this.pinned ? [...this.at] : null, look = { ...this.look };
    this.seen.at = JSON.stringify(at);
    this.seen.look = JSON.stringify(look);
    const count = (this.sent += 1);
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.tell("told", { count, at, look }), rest);
  }
}

export default function ({ data, parentElement: root, setStateValue }) {
  const bench = root.querySelector(".unit");
  const view = (bench._view ??= new UnitView(bench));
  view.receive(data, setStateValue);
  return awaitPhoto(bench, data.photoId, () => view.load());
}
