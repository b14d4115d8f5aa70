// A window that slides: planes of numbers, and frames that say which cells meet.  Every number comes from Python;
// here it is drawn, step by step, at the pace of the hand or of the clock.
const SPEEDS = [[0.5, "½×"], [1, "1×"], [2, "2×"], [4, "4×"], [16, "16×"]];
const PACE = 650; // ms for a frame at 1×
const IDLE_PACE = 1600; // ms for a frame of a page that nobody has touched
const LARGEST = 44; // CSS pixels of a cell
const TALLEST_BOARD = 330; // CSS pixels of a plane
const COMFORT = 14; // and of one whose number is read with ease
const GAP = 14, LABEL = 17; // CSS pixels between planes, and above one for its name
const LETTER = 6.5; // CSS pixels of a letter of a name, at most
const PICTURE = 0, HOLE = 2; // flags of a cell of the picture itself, and of one that no window may read
const BLANK = [188, 188, 188]; // of a cell that is yet to come
const EASE = 0.35; // part of a frame in which the window glides on
const ACCENT = "#d62761"; // the winner of a maximum, and hatching over what is never read

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const whole = (value) => (value === null ? "−∞" : Number.isInteger(value) ? String(value) : value.toFixed(2)).replace("-", "−");

class Player {
  constructor(root) {
    this.root = root;
    this.find = (part) => root.querySelector(part);
    Object.assign(this, { frame: 0, glide: 1, playing: false, idle: true, hovered: null, pinned: false, speed: 1, seen: "" });
    this.find(".speed").append(...SPEEDS.map(([value, text]) => new Option(text, value, false, value === 1)));
    this.wire();
  }

  receive(data, tell) {
    Object.assign(this, { data, tell });
    const text = JSON.stringify([data.animation, data.unread]), fresh = text !== this.seen;
    if (fresh) {
      this.seen = text;
      Object.assign(this, data.animation, { hovered: null, frame: 0 });
      this.results = this.computed();
      this.boxes = this.patterns.map((_, pattern) => this.boxesOf(pattern));
      this.tables = { signed: tableOf(data.tables.signed), weights: tableOf(data.tables.weights) };
      this.peak = Math.max(1e-9, ...this.results.flat().map((value) => Math.abs(value)));
      this.weightPeak = Math.max(1e-9, ...this.kernels.flat().flatMap((plane) => plane.values).map((value) => Math.abs(value)));
    }
    // what the link says counts where it changed: by Back, by a reload; unless the hand has just moved the pin again
    if (fresh || (data.at !== this.at && !this.rest)) {
      this.pinned = data.at !== null;
      this.frame = data.at ?? this.frame;
      if (this.pinned) this.play(false);
      else if (fresh && this.idle && !still()) this.play(true);
    }
    this.at = data.at;
    this.measure();
    this.draw();
  }

  // ------------------------------------------------------------------ what the numbers say

  value([plane, row, column]) {
    const { columns, values } = this.inputs[plane];
    return values[row * columns + column];
  }

  weight([, , , plane, row, column], filter) {
    if (plane < 0) return 1;
    const { columns, values } = this.kernels[filter][plane];
    return values[row * columns + column];
  }

  // The cells that meet in a frame: plane, row, column; kernel plane, row, column.  Windows of one form share a pattern.
  taps({ pattern, shift: [plane, row, column] }) {
    const numbers = this.patterns[pattern], found = [];
    for (let i = 0; i < numbers.length; i += 6) {
      const [p, r, c, ...weight] = numbers.slice(i, i + 6);
      found.push([p + plane, r + row, c + column, ...weight]);
    }
    return found;
  }

  products(index) {
    const frame = this.frames[index];
    return this.taps(frame).map((tap) => {
      const value = this.value(tap), weight = this.weight(tap, frame.filter);
      return { tap, value, weight, product: value === null ? null : value * weight };
    });
  }

  // Of a gathered output: {sum, result}.
  outcome(index) {
    const products = this.products(index), { filter, divisor } = this.frames[index], [plane] = this.frames[index].at;
    const values = products.map(({ product }) => product).filter((product) => product !== null);
    if (this.reduce === "max") {
      const result = values.length ? Math.max(...values) : null; // a dilated window may lie in the padding alone
      return { products, result, winner: products.findIndex(({ product }) => product === result) };
    }
    const sum = values.reduce((a, b) => a + b, 0);
    if (this.reduce === "mean") return { products, sum, divisor, result: sum / divisor };
    return { products, sum, bias: this.bias[plane] ?? 0, filter, result: sum + (this.bias[plane] ?? 0) };
  }

  // All outputs as planes of numbers, computed here from the frames alone.
  computed() {
    const planes = this.outputs.map(({ rows, columns }, plane) => Array.from({ length: rows * columns }, () => (this.mode === "scatter" ? (this.bias[plane] ?? 0) : 0)));
    this.frames.forEach((frame, index) => {
      if (this.mode === "gather") {
        const [plane, row, column] = frame.at;
        planes[plane][row * this.outputs[plane].columns + column] = this.outcome(index).result;
      } else for (const [plane, row, column, product] of this.scattered(index)) planes[plane][row * this.outputs[plane].columns + column] += product;
    });
    return planes;
  }

  // Of a scattering frame: which cells of the output take which products.
  scattered(index) {
    const frame = this.frames[index], value = this.value(frame.at);
    return this.taps(frame).map((tap) => [tap[0], tap[1], tap[2], value * this.weight(tap, frame.filter)]);
  }

  // For each plane the box around what a pattern reads: top, left, bottom, right.
  boxesOf(pattern) {
    const boxes = new Map();
    for (const [plane, row, column] of this.taps({ pattern, shift: [0, 0, 0] })) {
      const [top, left, bottom, right] = boxes.get(plane) ?? [row, column, row + 1, column + 1];
      boxes.set(plane, [Math.min(top, row), Math.min(left, column), Math.max(bottom, row + 1), Math.max(right, column + 1)]);
    }
    return boxes;
  }

  // The box of a frame in one plane, if it reads any of it.
  box({ pattern, shift: [first, row, column] }, plane) {
    const box = this.boxes[pattern].get(plane - first);
    return box && [box[0] + row, box[1] + column, box[2] + row, box[3] + column];
  }

  // ------------------------------------------------------------------ where things stand

  // Cells as large as the widest row of planes allows, the same in all three places.
  measure() {
    this.ground = null;
    const boards = { inputs: this.inputs, kernels: this.kernels.length ? this.kernels[this.shownFilter] : [], outputs: this.outputs };
    this.find(".kernels").hidden = !boards.kernels.length;
    this.find(".planes").classList.toggle("pooling", !boards.kernels.length);
    this.find(".planes").classList.toggle("one", boards.kernels.length === 1 && this.inputs.length === 1);
    this.boards = {};
    for (const [name, planes] of Object.entries(boards)) {
      if (!planes.length) continue;
      const figure = this.find(`.${name}`), room = Math.max(figure.clientWidth, 120), canvas = figure.querySelector("canvas");
      const widest = Math.max(...planes.map(({ columns }) => columns)), tallest = Math.max(...planes.map(({ rows }) => rows));
      const named = Math.min(room, LETTER * Math.max(...planes.map(({ label }) => label.length)));
      const abreast = Math.max(1, Math.min(planes.length, Math.floor((room + GAP) / (Math.max(widest * COMFORT, named) + GAP))));
      const cell = Math.max(9, Math.min(LARGEST, Math.floor((room - (abreast - 1) * GAP) / abreast / widest), Math.floor(TALLEST_BOARD / tallest)));
      const pitch = Math.max(widest * cell, named) + GAP;
      const places = planes.map((_, index) => ({ left: (index % abreast) * pitch, top: Math.floor(index / abreast) * (tallest * cell + GAP + LABEL) + LABEL }));
      this.boards[name] = { canvas, planes, cell, places, width: abreast * pitch - GAP, height: Math.ceil(planes.length / abreast) * (tallest * cell + GAP + LABEL) - GAP };
    }
  }

  get shown() {
    return this.hovered ?? this.frame;
  }

  get shownFilter() {
    return Math.max(this.frames[Math.min(this.shown, this.frames.length - 1)].filter, 0);
  }

  // ------------------------------------------------------------------ drawing

  draw() {
    const { frames, shown } = this, frame = frames[shown];
    if (this.drawnFilter !== this.shownFilter) {
      this.drawnFilter = this.shownFilter;
      this.measure();
    }
    const context = {};
    for (const [name, { canvas, width, height }] of Object.entries(this.boards)) context[name] = sized(canvas, width, height);
    this.taken = this.mode === "gather" ? this.outcome(shown) : { products: this.scattered(shown) };
    this.drawInputs(context.inputs);
    if (context.kernels) this.drawKernel(context.kernels);
    this.drawOutputs(context.outputs, frame);
    this.explain(frame, this.taken);
    this.dress();
  }

  // Between two frames the window moves, and nothing else.
  slide() {
    const { canvas, width, height } = this.boards.inputs;
    if (this.mode === "gather") this.drawInputs(sized(canvas, width, height));
  }

  cells(context, board, paint) {
    const { planes, places, cell } = this.boards[board], fillStyle = getComputedStyle(this.root).color;
    planes.forEach(({ label }, index) => {
      Object.assign(context, { font: `12px ${FONT}`, textAlign: "left", fillStyle });
      context.fillText(label, places[index].left, places[index].top - LABEL / 2);
      context.textAlign = "center";
    });
    const drawn = [];
    planes.forEach((plane, index) => {
      for (let row = 0; row < plane.rows; row++)
        for (let column = 0; column < plane.columns; column++) {
          const { colour, lines, hatched } = paint(plane, index, row, column);
          drawn.push([places[index].left + column * cell, places[index].top + row * cell, cell, colour, lines, hatched]);
        }
    });
    const size = Math.min(...drawn.map(([, , , , lines]) => lettersOf(cell, lines)));
    for (const place of drawn) drawCell(context, ...place, size);
  }

  // Numbers and hatching of the input are the same in every frame: drawn once, then copied.
  drawGround(context) {
    const { canvas } = context, ink = getComputedStyle(this.root).color;
    if (this.ground?.ink === ink) {
      context.save();
      context.resetTransform();
      context.drawImage(this.ground.copy, 0, 0);
      return context.restore();
    }
    const values = this.inputs.flatMap((plane) => plane.values).filter((value) => value !== null);
    const [least, most] = [Math.min(0, ...values), Math.max(1, ...values)];
    this.cells(context, "inputs", (plane, index, row, column) => {
      const value = plane.values[row * plane.columns + column], flag = plane.flags[row * plane.columns + column];
      const grey = value === null ? 140 : 70 + (165 * (value - least)) / (most - least);
      return { colour: flag ? [grey, grey, grey].map((byte) => 0.35 * byte + 120) : [grey, grey, grey], lines: [whole(value)], hatched: flag !== 0 };
    });
    this.hatchUnread(context);
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    copy.getContext("2d").drawImage(canvas, 0, 0);
    this.ground = { copy, ink };
  }

  drawInputs(context) {
    const { cell, places } = this.boards.inputs, { products, winner } = this.taken;
    this.drawGround(context);
    const accent = getComputedStyle(this.root).getPropertyValue("--st-primary-color");
    if (this.mode === "scatter") return this.outline(context, "inputs", [this.frames[this.shown].at], accent);
    // the cells that are read, framed one by one; between them the holes of a dilated window stay free
    for (const { tap } of products) {
      const place = places[tap[0]];
      Object.assign(context, { strokeStyle: accent, lineWidth: Math.max(1.5, cell / 16) });
      context.strokeRect(place.left + tap[2] * cell + 1, place.top + tap[1] * cell + 1, cell - 3, cell - 3);
    }
    if (winner >= 0) {
      const { tap } = products[winner], place = places[tap[0]];
      Object.assign(context, { strokeStyle: ACCENT, lineWidth: Math.max(3, cell / 9) });
      context.strokeRect(place.left + tap[2] * cell + 2, place.top + tap[1] * cell + 2, cell - 5, cell - 5);
    }
    for (const [offset] of this.boxes[this.frames[this.shown].pattern]) this.window(context, offset + this.frames[this.shown].shift[0], accent);
  }

  // `unread` tells of a channel's cells, slice by slice; the padding between them is not counted.
  hatchUnread(context) {
    const { unread } = this.data, { cell, places, width, height } = this.boards.inputs;
    if (!unread.includes(true)) return;
    let cells = 0;
    context.save();
    context.beginPath();
    this.inputs.forEach(({ columns, flags }, plane) =>
      flags.forEach((flag, at) => {
        if (flag === PICTURE && unread[cells++ % unread.length]) context.rect(places[plane].left + (at % columns) * cell, places[plane].top + Math.floor(at / columns) * cell, cell - 1, cell - 1);
      }),
    );
    context.clip();
    context.beginPath();
    for (let at = -height; at < width; at += 9) {
      context.moveTo(at, 0);
      context.lineTo(at + height, height);
    }
    Object.assign(context, { strokeStyle: ACCENT, lineWidth: 1.5, globalAlpha: 0.8 });
    context.stroke();
    context.restore();
  }

  // The window's hull glides from where the last frame had it.
  window(context, plane, accent) {
    const { cell, places } = this.boards.inputs, now = this.box(this.frames[this.shown], plane);
    const last = this.hovered === null && this.glide < 1 && this.frame ? this.box(this.frames[this.frame - 1], plane) : null;
    const from = last ?? now, far = Math.abs(from[0] - now[0]) + Math.abs(from[1] - now[1]) > 6;
    const [top, left, bottom, right] = now.map((end, index) => (far ? end : from[index] + (end - from[index]) * this.glide));
    for (const [strokeStyle, lineWidth] of [["#fff", 5], [accent, 3]]) {
      Object.assign(context, { strokeStyle, lineWidth });
      context.strokeRect(places[plane].left + left * cell - 0.5, places[plane].top + top * cell - 0.5, (right - left) * cell, (bottom - top) * cell);
    }
  }

  outline(context, board, cells, colour) {
    const { cell, places } = this.boards[board];
    for (const [plane, row, column] of cells)
      for (const [strokeStyle, lineWidth] of [["#fff", 5], [colour, 3]]) {
        Object.assign(context, { strokeStyle, lineWidth });
        context.strokeRect(places[plane].left + column * cell, places[plane].top + row * cell, cell - 1, cell - 1);
      }
  }

  drawKernel(context) {
    this.cells(context, "kernels", (plane, _, row, column) => {
      const value = plane.values[row * plane.columns + column], hole = plane.flags[row * plane.columns + column] === HOLE;
      return { colour: hole ? [150, 150, 150] : shade(this.tables.weights, value, this.weightPeak), lines: hole ? [] : [whole(value)], hatched: hole };
    });
    const scattering = this.mode === "scatter", which = scattering ? "Input channel" : "Filter";
    put(this.find(".kernels .name"), this.kernels.length > 1 ? `${which} ${this.shownFilter + 1} of ${this.kernels.length}` : "Kernel");
    // each filter has a bias; where cells scatter, a kernel is an input channel's, and the biases stand in the output from the start
    const bias = scattering || !this.bias.length ? "" : `bias ${whole(this.bias[this.frames[this.shown].at[0]])}`;
    put(this.find(".kernels .size"), [this.data.words.kernel, bias].filter(Boolean).join(", "));
  }

  // Outputs up to the shown frame are filled; the others are still blank (undefined; null is −∞).
  drawOutputs(context, frame) {
    const filled = this.outputs.map(({ rows, columns }, plane) => Array.from({ length: rows * columns }, () => (this.mode === "scatter" ? (this.bias[plane] ?? 0) : undefined)));
    // who points at one cell still sees the others that were there
    const last = this.mode === "scatter" ? this.shown : this.pinned ? this.frames.length - 1 : Math.max(this.frame, this.shown);
    for (let index = 0; index <= last; index++) {
      if (this.mode === "scatter") for (const [plane, row, column, product] of this.scattered(index)) filled[plane][row * this.outputs[plane].columns + column] += product;
      else {
        const [plane, row, column] = this.frames[index].at, at = row * this.outputs[plane].columns + column;
        filled[plane][at] = this.results[plane][at];
      }
    }
    this.cells(context, "outputs", (plane, index, row, column) => {
      const value = filled[index][row * plane.columns + column];
      const hatched = plane.flags[row * plane.columns + column] !== 0;
      return value === undefined ? { colour: BLANK, lines: [], hatched } : { colour: shade(this.tables.signed, value, this.peak), lines: [whole(value)], hatched };
    });
    const accent = getComputedStyle(this.root).getPropertyValue("--st-primary-color");
    this.outline(context, "outputs", this.mode === "scatter" ? this.scattered(this.shown) : [frame.at], accent);
  }

  // ------------------------------------------------------------------ in words

  explain(frame, { products, sum, result, bias, winner, divisor }) {
    const place = ([plane, row, column], planes) => `${planes.length > 1 ? `${planes[plane].label}, ` : ""}${planes[plane].rows === 1 ? "position" : `row ${row}, column`} ${column}`;
    const factor = (number) => (number < 0 || Object.is(number, -0) ? `(${whole(number)})` : whole(number));
    let text;
    if (this.mode === "scatter") text = `Input ${place(frame.at, this.inputs)}: ${whole(this.value(frame.at))} times each weight is added to ${products.length} cells of the output.`;
    else if (this.reduce === "max") text = `Output ${place(frame.at, this.outputs)}: the largest of ${products.map(({ value }) => whole(value)).join(", ")} is ${whole(products[winner].value)}.`;
    else if (this.reduce === "mean") text = `Output ${place(frame.at, this.outputs)}: (${products.map(({ value }) => factor(value)).join(" + ")}) / ${divisor} = ${whole(result)}.`;
    else {
      const groups = Map.groupBy ? Map.groupBy(products, ({ tap }) => tap[0]) : products.reduce((map, product) => map.set(product.tap[0], [...(map.get(product.tap[0]) ?? []), product]), new Map());
      const channels = [...groups.values()].map((list) => list.map(({ value, weight }) => `${factor(value)}·${factor(weight)}`).join(" + "));
      const sums = [...groups.values()].map((list) => list.reduce((total, { product }) => total + product, 0));
      const written = !channels.length ? "no cell is read: 0" : channels.length > 1 ? `${channels.map((terms, index) => `[${terms}] = ${whole(sums[index])}`).join("; ")}; together ${whole(sum)}` : `${channels[0]} = ${whole(sum)}`;
      text = `Output ${place(frame.at, this.outputs)}: ${written}${this.bias.length ? `; with the bias ${whole(bias)}: ${whole(result)}` : ""}.`;
    }
    put(this.find("output"), text);
    this.root.dataset.frame = this.shown;
    if (result === undefined) delete this.root.dataset.value;
    else this.root.dataset.value = result;
  }

  dress() {
    const last = this.frames.length - 1, scrub = this.find(".scrub");
    Object.assign(scrub, { max: last, value: this.frame });
    scrub.setAttribute("aria-valuetext", `step ${this.frame + 1} of ${last + 1}`);
    put(this.find(".place"), `${this.shown + 1} of ${last + 1}${this.pinned ? ", pinned" : ""}`);
    const play = this.find(".play");
    put(play, this.playing ? "Pause" : "Play");
    play.setAttribute("aria-pressed", this.playing);
    // steps by hand are read out, those of the clock are not
    this.find("output").setAttribute("aria-live", this.playing ? "off" : "polite");
    const unread = this.data.unread.filter(Boolean).length;
    const never = unread ? `${unread} of ${this.data.unread.length} cells never read: hatched` : "";
    put(this.find(".inputs .size"), [this.data.words.input, never].filter(Boolean).join(", "));
    put(this.find(".outputs .size"), this.data.words.output);
    for (const [name, canvas] of [["Input", this.find(".inputs canvas")], ["Output", this.find(".outputs canvas")]])
      canvas.setAttribute("aria-label", `${name}: arrow keys step, Enter pins, Escape lets go`);
    this.find(".kernels canvas").setAttribute("aria-label", "The weights of the filter that is laid on");
  }

  // ------------------------------------------------------------------ time

  play(playing) {
    this.playing = playing;
    cancelAnimationFrame(this.ticket);
    if (!playing) return void this.dress();
    let last = performance.now(), passed = 0; // of a frame
    const tick = (now) => {
      if (!this.playing || !this.root.isConnected) return;
      if (this.idle && still()) return void this.play(false);
      // the first frame may have begun before the clock was read
      passed += (Math.max(now - last, 0) * this.speed) / (this.idle ? IDLE_PACE : PACE);
      last = now;
      const turned = Math.floor(passed);
      passed -= turned;
      this.frame = (this.frame + turned) % this.frames.length;
      const glide = still() ? 1 : Math.min(passed / EASE, 1);
      const slid = glide !== this.glide;
      this.glide = glide;
      if (turned) this.draw();
      else if (slid) this.slide();
      this.ticket = requestAnimationFrame(tick);
    };
    this.ticket = requestAnimationFrame(tick);
    this.dress();
  }

  // A hand: from now on nothing moves by itself unless it is asked to.
  touch() {
    this.idle = false;
  }

  go(frame) {
    const within = Math.min(Math.max(frame, 0), this.frames.length - 1);
    if (this.pinned) return this.pin(within); // the pin goes along
    this.touch();
    this.frame = within;
    this.glide = 1;
    this.draw();
  }

  pin(frame) {
    this.touch();
    this.pinned = frame !== null;
    if (frame !== null) {
      this.frame = frame;
      this.play(false);
    }
    this.hovered = null;
    this.glide = 1;
    this.draw();
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.rest = 0;
      this.tell("at", { step: frame, when: Date.now() }); // the same step may be pinned again on another layer
    }, 200);
  }

  // ------------------------------------------------------------------ hands

  wire() {
    this.find(".play").onclick = () => {
      if (this.pinned) this.pin(null);
      this.touch();
      this.play(!this.playing);
    };
    this.find(".back").onclick = () => (this.play(false), this.go(this.frame - 1));
    this.find(".forth").onclick = () => (this.play(false), this.go(this.frame + 1));
    this.find(".scrub").oninput = (event) => {
      const wanted = Number(event.target.value); // to stop is to show where it stopped
      this.play(false);
      this.go(wanted);
    };
    this.find(".speed").onchange = (event) => {
      this.touch();
      this.speed = Number(event.target.value);
    };
    for (const board of ["inputs", "outputs"]) {
      const canvas = this.find(`.${board} canvas`);
      canvas.onpointermove = (event) => this.hover(this.frameAt(board, event));
      canvas.onpointerleave = () => this.hover(null);
      canvas.onclick = (event) => {
        const frame = this.frameAt(board, event);
        if (frame !== null) this.pin(this.pinned && frame === this.frame ? null : frame);
      };
      canvas.onkeydown = (event) => {
        const { columns } = (this.mode === "gather" ? this.outputs : this.inputs)[0], step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
        if (event.key === "Escape") this.pin(null);
        if (event.key === "Enter") this.pin(this.pinned ? null : this.frame);
        if (event.key === " ") this.find(".play").click();
        if (step) {
          this.play(false);
          this.go(this.frame + step * (event.shiftKey ? 10 : 1));
        }
        if (step || event.key === " ") event.preventDefault();
      };
    }
    new ResizeObserver(() => this.frames && (this.measure(), this.draw())).observe(this.root);
  }

  // The clock runs on; only what is shown is the hovered window.
  hover(frame) {
    if (frame === this.hovered) return;
    this.hovered = frame;
    this.draw();
  }

  // The frame that an output cell belongs to, or the one whose window's middle is nearest to an input cell.
  frameAt(board, event) {
    const { canvas, planes, places, cell, width } = this.boards[board], area = canvas.getBoundingClientRect(), scale = width / area.width;
    const [x, y] = [(event.clientX - area.left) * scale, (event.clientY - area.top) * scale];
    const plane = places.findIndex(({ left, top }, index) => x >= left && y >= top && x < left + planes[index].columns * cell && y < top + planes[index].rows * cell);
    if (plane < 0) return null;
    const [row, column] = [Math.floor((y - places[plane].top) / cell), Math.floor((x - places[plane].left) / cell)];
    const own = (board === "outputs") === (this.mode === "gather");
    const distance = (frame) => {
      if (own) return frame.at[0] === plane && frame.at[1] === row && frame.at[2] === column ? 0 : Infinity;
      const box = this.box(frame, plane);
      return box ? Math.abs((box[0] + box[2] - 1) / 2 - row) + Math.abs((box[1] + box[3] - 1) / 2 - column) : Infinity;
    };
    let best = null, least = Infinity;
    this.frames.forEach((frame, index) => {
      const far = distance(frame) + (frame.filter === this.frames[this.frame].filter || own ? 0 : 0.25);
      if (far < least) [best, least] = [index, far];
    });
    return best;
  }
}

export default function ({ data, parentElement: root, setStateValue }) {
  const bench = root.querySelector(".player");
  (bench._player ??= new Player(bench)).receive(data, setStateValue);
}
