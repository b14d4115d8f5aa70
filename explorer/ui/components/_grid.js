// The weights of a kernel as a sheet of cells: painted, typed, nudged, turned.  It knows the kernel and the hand
// alone; what is to follow from a change it leaves to whoever made it.
export const CHANNELS = ["Red", "Green", "Blue"];
const SETTLED = 250; // ms after the last turn of the wheel: then it is one change to undo
const LONGEST = 11; // cells along a side
const OPERATIONS = [
  ["Mirror", "Change left and right", mirror],
  ["Flip", "Change top and bottom", flipVertical],
  ["Rotate", "A quarter turn clockwise", rotate],
  ["Negate", "Turn every sign", negate],
  ["Sum to 1", "Divide by the sum, so that the brightness stays", normalise],
  ["Zero mean", "Take the mean away, so that a plain surface gives 0", zeroMean],
  ["Clear", "All weights 0", clear],
];
const SECOND_THOUGHT = 1500; // ms after a minus in which a digit makes it a sign

export const clamp = (value, highest) => Math.min(Math.max(value, 0), highest);
export const showWeight = (weight) => (fraction(weight) || showNumber(weight)).replace("-", "−");
// A fraction that people would write, where the decimals have no end: 1/9, −2/3; else "".
function fraction(weight) {
  if (Math.abs(weight) >= 10 || String(weight).length < 8) return "";
  for (let below = 3; below <= LARGEST_BELOW; below++) {
    const above = Math.round(weight * below);
    if (above && weight === above / below) return `${above}/${below}`;
  }
  return "";
}
const LARGEST_BELOW = 121; // as many as a kernel can have weights
// Two digits, without the zero in front of the point: for many in little room.
export const brief = (weight) => showNumber(Number(weight.toPrecision(2))).replace("-", "−").replace(/^(−?)0\./, "$1.");
const ROOMY = 4; // columns that have room for whole numbers
// What people type: a comma serves as a point too.
const typed = (text) => parseNumber(/^[^.]*,[^,]*$/.test(text) ? text.replace(",", ".") : text);
export const copyOf = ({ height, width, channels: sheets }) => ({ height, width, channels: sheets.map((sheet) => Float64Array.from(sheet)) });
export const element = (tag, properties) => Object.assign(document.createElement(tag), { ...(tag === "button" && { type: "button" }), ...properties });
// A colour of its own for each weight.
export const hueOf = (tap, taps) => `hsl(${Math.round((360 * tap) / taps)} 85% 45%)`;

export class KernelGrid {
  // touched(row, column, differences by channel): one weight changed; reshaped(): any number of them, or the size;
  // met(row, column, or null): the pointer is over a weight.
  constructor(board, { touched, reshaped, met }) {
    Object.assign(this, { board, touched, reshaped, met, channel: 0, cell: [0, 0], brush: 1, erasing: false, history: new History() });
    this.find = (part) => board.querySelector(part);
    this.sheet = this.find(".grid");
    this.wireControls();
    this.wirePointer();
    this.wireKeys();
  }

  // Another kernel, given from outside.
  take(kernel, name) {
    const known = this.kernel && JSON.stringify(copyOf(this.kernel));
    this.kernel = copyOf(kernel);
    if (known !== JSON.stringify(copyOf(kernel))) this.history.push(copyOf(kernel));
    this.name = name;
  }

  // A change by hand to all of it.
  change(kernel, remember = true) {
    this.say("");
    this.kernel = kernel;
    this.name = "Custom";
    if (remember) this.history.push(copyOf(kernel));
    this.dress();
    this.reshaped();
  }

  // What cannot be done, in one sentence; "" takes it away.
  say(sentence) {
    put(this.find(".trouble"), sentence);
  }

  refuse(text) {
    this.say(`“${text.slice(0, 20)}” is no weight: numbers up to 1,000,000 and fractions such as 1/9 are.`);
  }

  setWeight(row, column, value) {
    const { width, channels: sheets } = this.kernel, at = row * width + column;
    const differences = sheets.map((sheet, index) => (this.channel < 0 || this.channel === index ? value - sheet[at] : 0));
    if (differences.every((difference) => difference === 0)) return;
    sheets.forEach((sheet, index) => differences[index] && (sheet[at] = value));
    this.name = "Custom";
    this.dress();
    this.touched(row, column, differences);
  }

  get first() {
    return this.kernel.channels[Math.max(this.channel, 0)];
  }

  get weight() {
    return this.first[this.cell[0] * this.kernel.width + this.cell[1]];
  }

  nudge(direction, times = 1) {
    const whole = this.kernel.channels.every((sheet) => sheet.every(Number.isInteger));
    this.setWeight(...this.cell, Math.round((this.weight + direction * times * (whole ? 1 : 0.1)) * 1e10) / 1e10);
  }

  remember() {
    this.history.push(copyOf(this.kernel));
    this.dress();
  }

  undo() {
    if (this.history.canUndo) this.change(copyOf(this.history.undo()), false);
  }

  redo() {
    if (this.history.canRedo) this.change(copyOf(this.history.redo()), false);
  }

  // ------------------------------------------------------------------ what it shows

  dress({ rgb, flip, colours, table } = this.look) {
    this.look = { rgb, flip, colours, table };
    const { height, width, channels: sheets } = this.kernel;
    this.channel = Math.min(this.channel, sheets.length - 1);
    this.cell = [Math.min(this.cell[0], height - 1), Math.min(this.cell[1], width - 1)];
    this.build();
    this.buildTabs();
    const { first, channel, cell: chosen } = this, peak = Math.max(...sheets.flatMap((sheet) => Array.from(sheet, Math.abs)));
    const shown = Array.from(first, (weight) => (width > ROOMY ? brief(weight) : showWeight(weight)));
    this.sheet.style.setProperty("--longest", Math.max(2, ...shown.map((text) => text.length)));
    this.cells.forEach((cell, at) => {
      const row = Math.floor(at / width), column = at % width, mixed = channel < 0 && sheets.some((other) => other[at] !== first[at]);
      const colour = mixed ? [200, 200, 200] : shade(table, first[at], peak), face = [first[at], mixed, colour, colours].join();
      cell.tabIndex = row === chosen[0] && column === chosen[1] ? 0 : -1;
      if (cell.dataset.face === face || cell.firstElementChild) return; // a stroke changes one; a field is dressed when it is closed
      cell.dataset.face = face;
      put(cell, mixed ? "…" : shown[at]);
      Object.assign(cell.style, { background: css(colour), color: ink(colour) });
      cell.classList.toggle("stencilled", colours);
      cell.setAttribute("aria-label", `Row ${row + 1}, column ${column + 1}: ${mixed ? "differs by channel" : showWeight(first[at])}`);
      cell.title = mixed ? "Differs by channel" : String(first[at]);
    });
    this.sheet.setAttribute("aria-label", `Weights, ${height} rows × ${width} columns`);
    put(this.find(".name"), this.name);
    put(this.find(".size"), `${height} × ${width}${sheets.length > 1 ? " × 3" : ""}${flip ? ", turned" : ""}`);
    this.find(".height").value = height;
    this.find(".width").value = width;
    this.find(".erase").setAttribute("aria-pressed", this.erasing);
    this.find(".undo").disabled = !this.history.canUndo;
    this.find(".redo").disabled = !this.history.canRedo;
  }

  // As many cells as the kernel has weights; the same nodes serve until its size changes.
  build() {
    const { height, width } = this.kernel, { sheet } = this;
    if (sheet.dataset.size === `${height} × ${width}`) return;
    sheet.dataset.size = `${height} × ${width}`;
    sheet.style.gridTemplateColumns = `repeat(${width}, minmax(0, 1fr))`;
    sheet.style.setProperty("--columns", width);
    sheet.style.maxWidth = `${Math.min(330, 64 * width)}px`;
    this.cells = [];
    sheet.replaceChildren(
      ...Array.from({ length: height }, (_, at) => {
        const row = element("div", { className: "cells" }), cells = Array.from({ length: width }, () => element("div", { className: "cell" }));
        row.setAttribute("role", "row");
        for (const cell of cells) cell.setAttribute("role", "gridcell");
        cells.forEach((cell, column) => cell.style.setProperty("--hue", hueOf(at * width + column, height * width)));
        row.append(...cells);
        this.cells.push(...cells);
        return row;
      }),
    );
  }

  // Which channel is painted, where there are three.
  buildTabs() {
    const tabs = this.find(".tabs"), three = this.kernel.channels.length === 3, kind = this.look.rgb ? String(three) : "";
    if (tabs.dataset.kind !== kind) {
      tabs.dataset.kind = kind;
      const names = kind && three ? ["All", ...CHANNELS] : [];
      const switches = names.map((name, index) => element("button", { textContent: name, title: index ? `Paint the weights of ${name.toLowerCase()}` : "Paint all three at once", onclick: () => ((this.channel = index - 1), this.dress()) }));
      const change = element("button", {
        textContent: three ? "One for all" : "One for each channel",
        title: three ? "The weights shown here for red, green and blue alike" : "Weights of their own for red, green and blue",
        onclick: () => this.change({ ...this.kernel, channels: three ? [this.first] : CHANNELS.map(() => Float64Array.from(this.first)) }),
      });
      tabs.replaceChildren(...switches, ...(kind ? [change] : []));
    }
    if (three) [...tabs.children].slice(0, 4).forEach((tab, index) => tab.setAttribute("aria-pressed", index - 1 === this.channel));
  }

  // ------------------------------------------------------------------ hands

  wireControls() {
    const tool = ([textContent, title, operation]) => {
      const act = () => {
        const made = operation(this.kernel);
        if (JSON.stringify(copyOf(made)) !== JSON.stringify(copyOf(this.kernel))) this.change(made);
        else this.say(operation === normalise && this.first.reduce((sum, weight) => sum + weight, 0) === 0 ? "The weights sum to 0: no factor makes that 1." : `“${textContent}” changes nothing here.`);
      };
      return element("button", { textContent, title, onclick: act });
    };
    this.find(".tools").append(
      element("button", { className: "undo", textContent: "Undo", title: "Take the last change back (Ctrl+Z)", onclick: () => this.undo() }),
      element("button", { className: "redo", textContent: "Redo", title: "Make it again (Ctrl+Y)", onclick: () => this.redo() }),
      ...OPERATIONS.map(tool),
    );
    const [height, width] = [this.find("select.height"), this.find("select.width")];
    for (const select of [height, width]) {
      for (let length = 1; length <= LONGEST; length++) select.add(new Option(length, length));
      select.onchange = () => this.change(resize(this.kernel, Number(height.value), Number(width.value)));
    }
    const brush = this.find(".brush");
    brush.oninput = () => {
      const value = typed(brush.value);
      brush.setAttribute("aria-invalid", Number.isNaN(value));
      if (!Number.isNaN(value)) this.brush = value;
    };
    brush.onchange = () => {
      if (brush.getAttribute("aria-invalid") === "true") {
        this.refuse(brush.value);
        brush.value = showNumber(this.brush);
      } else this.say("");
      brush.setAttribute("aria-invalid", false);
    };
    this.find(".erase").onclick = () => ((this.erasing = !this.erasing), this.dress());
  }

  wirePointer() {
    const { sheet } = this;
    const cellAt = (event) => {
      const area = sheet.getBoundingClientRect(), { height, width } = this.kernel;
      return [clamp(Math.floor(((event.clientY - area.top) / area.height) * height), height - 1), clamp(Math.floor(((event.clientX - area.left) / area.width) * width), width - 1)];
    };
    let stroke = null;
    sheet.onpointerdown = (event) => {
      if (event.target.matches("input")) return;
      event.preventDefault();
      const cell = cellAt(event);
      stroke = { value: this.erasing || event.button === 2 ? 0 : this.brush, last: cell };
      sheet.setPointerCapture(event.pointerId);
      this.select(cell);
      this.setWeight(...cell, stroke.value);
    };
    sheet.onpointermove = (event) => {
      const cell = cellAt(event);
      if (stroke) {
        for (const [row, column] of line(stroke.last, cell)) this.setWeight(row, column, stroke.value);
        stroke.last = cell;
      } else this.met(cell);
    };
    sheet.onpointerup = sheet.onpointercancel = () => {
      if (stroke) this.remember();
      stroke = null;
    };
    sheet.onpointerleave = () => this.met(null);
    sheet.oncontextmenu = (event) => event.preventDefault();
    sheet.ondblclick = () => this.edit(String(this.weight));
    const turn = (event) => {
      if (!sheet.contains(sheet.getRootNode().activeElement)) return; // nobody is at the weights: the page scrolls
      event.preventDefault();
      this.cell = cellAt(event);
      this.nudge(-Math.sign(event.deltaY), event.shiftKey ? 10 : 1);
      clearTimeout(this.rest);
      this.rest = setTimeout(() => this.remember(), SETTLED);
    };
    sheet.addEventListener("wheel", turn, { passive: false });
  }

  wireKeys() {
    const changed = (act) => () => (act(), this.remember());
    const keys = {
      "+": changed(() => this.nudge(1)),
      "=": changed(() => this.nudge(1)),
      "-": changed(() => ((this.minus = { at: performance.now(), cell: String(this.cell), before: this.weight }), this.nudge(-1))),
      Delete: changed(() => this.setWeight(...this.cell, 0)),
      Backspace: changed(() => this.setWeight(...this.cell, 0)),
      " ": changed(() => this.setWeight(...this.cell, this.erasing ? 0 : this.brush)),
      Enter: () => this.edit(String(this.weight)),
    };
    const ways = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    this.sheet.onkeydown = (event) => {
      if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
      const way = ways[event.key], { height, width } = this.kernel;
      if (way) this.select([clamp(this.cell[0] + way[0], height - 1), clamp(this.cell[1] + way[1], width - 1)]);
      else if (keys[event.key]) keys[event.key]();
      else if (/^[\d.]$/.test(event.key)) this.begin(event.key);
      else return;
      event.preventDefault();
    };
    this.board.onkeydown = (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.target.matches("input")) return;
      const back = event.key.toLowerCase() === "z" && !event.shiftKey, forth = event.key.toLowerCase() === "y" || (event.key.toLowerCase() === "z" && event.shiftKey);
      if (!back && !forth) return;
      event.preventDefault();
      if (back) this.undo();
      else this.redo();
    };
  }

  // A digit opens the field; behind a minus it shows that a sign was meant, not a nudge.
  begin(digit) {
    const signed = this.minus && this.minus.cell === String(this.cell) && performance.now() - this.minus.at < SECOND_THOUGHT;
    if (signed) this.setWeight(...this.cell, this.minus.before);
    this.minus = null;
    this.edit(signed ? `-${digit}` : digit, false);
  }

  select(cell) {
    this.chosen.tabIndex = -1;
    this.cell = cell;
    this.chosen.tabIndex = 0;
    this.chosen.focus({ preventScroll: true });
  }

  get chosen() {
    return this.cells[this.cell[0] * this.kernel.width + this.cell[1]];
  }

  // A field in the chosen cell: Enter takes what it says, Escape leaves all as it was.
  edit(text, selected = true) {
    const cell = this.chosen, place = [...this.cell];
    if (cell.firstElementChild) return;
    const field = element("input", { value: text, spellcheck: false, autocomplete: "off" });
    field.setAttribute("aria-label", `Weight in row ${place[0] + 1}, column ${place[1] + 1}`);
    let open = true;
    const close = (taken, focus = true) => {
      if (!open) return;
      open = false;
      const value = typed(field.value);
      field.remove();
      this.say("");
      if (taken && Number.isNaN(value)) this.refuse(field.value);
      else if (taken) {
        this.setWeight(...place, value);
        this.remember();
      }
      this.dress();
      if (focus) cell.focus({ preventScroll: true });
    };
    field.oninput = () => field.classList.toggle("wrong", Number.isNaN(typed(field.value)));
    field.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        close(event.key === "Enter");
      } else if (event.key === "Tab") close(true);
    };
    field.onblur = () => close(true, false);
    cell.append(field);
    field.focus();
    if (selected) field.select();
  }
}
