/* global PICTURE, HOLE, Worked */
// A window that slides over planes of numbers: drawn step by step, at the pace of the hand or of the clock, over worked
// numbers or the visitor's own.
const SPEEDS = [[0.5, "½×"], [1, "1×"], [2, "2×"], [4, "4×"], [16, "16×"]];
const PACE = 650; // ms for a frame at 1×
const IDLE_PACE = 1600; // ms for a frame of a page that nobody has touched
const LARGEST = 36; // CSS pixels of a cell
const COMFORT = 14, PHONE_COMFORT = 17, COARSE_COMFORT = 22; // of one whose number is read with ease, and of one that a finger meets
const TIGHT = 10, SMALLEST = 9; // whatever the height becomes, and where not even the width suffices
const PHONE = 480, TALLEST_PHONE = 700; // CSS pixels across, and down: a phone scrolls
const LEGIBLE = 8; // CSS pixels of letters; a longer number is rounded before it gets smaller
const FAINTEST = 6.5; // CSS pixels of letters, under which a board's numbers are left to its colours and to pointing
const TALLEST = 400, SUM = 112; // CSS pixels of planes and sum together, where comfort allows it, and of the sum
const FULL_CHROME = 130; // CSS pixels of a full screen that are neither
const GAP = 14, CAPTION = 22; // CSS pixels between planes, and above a board for its name
const ASIDE = 22, BELOW = 10; // and between boards
const NARROWEST_SUM = 300; // CSS pixels that the sum must have to stand beside the planes
const WRITTEN_OUT = 48; // products that are all written; of more, one channel's at a time
const LONG = 60; // products of one channel that get a box of their own to be scrolled
const EASE = 0.35; // part of a frame in which the window glides on
const ACCENT = "#d62761"; // the winner of a maximum, and hatching over what is never read
const CHOSEN = "#e8710a"; // the cell that is being edited
const HUES = { red: "#d32f2f", green: "#2e7d32", blue: "#1e6fd0" };
const MORE_HUES = ["#0b7285", "#c05c00", "#7048b6", "#a61e4d", "#5c7c1a", "#3557c4", "#8a6d00", "#087f5b"];
const LARGEST_NUMBER = 999;
const RESTS = 400; // ms after which a hand that changed numbers is taken to rest

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const coarse = () => matchMedia("(pointer: coarse)").matches;
const digits = (value, places) => (value === -Infinity ? "−∞" : String(Number(value.toFixed(places))).replace("-", "−"));
const whole = (value) => digits(value, 2); // in a cell
const exact = (value) => digits(value, 4); // in words
const factor = (value) => (value < 0 ? `(${exact(value)})` : exact(value));
const mixed = (part, of, over) => of.map((byte, index) => Math.round(part * byte + (1 - part) * over[index]));
const by = (shape) => shape.join("×");

// Widths of texts in letters of 1 pixel: measuring is dear, and the same few numbers come again and again.
const widths = new Map();
function widthOf(context, text) {
  if (!widths.has(text)) {
    context.font = `100px ${FONT}`;
    widths.set(text, context.measureText(text).width / 100);
  }
  return widths.get(text);
}

class Player {
  constructor(root) {
    this.root = root;
    this.find = (part) => root.querySelector(part);
    Object.assign(this, { frame: 0, glide: 1, playing: false, idle: true, hovered: null, met: null, opened: 0, pinned: false, speed: 1, seen: "", cursor: null });
    this.find(".speed").append(...SPEEDS.map(([value, text]) => new Option(text, value, false, value === 1)));
    this.find(".full").hidden = !document.fullscreenEnabled;
    this.wire();
  }

  receive(data, tell) {
    Object.assign(this, { data, tell });
    const fresh = data.identity !== this.seen;
    if (fresh) this.take(data);
    this.paper = this.papers();
    // what the link says counts where it changed: by Back, by a reload; unless the hand has just moved the pin again
    if (fresh || (data.at !== this.at && !this.rest)) {
      this.pinned = data.at !== null;
      this.frame = data.at ?? this.frame;
      if (this.pinned) this.play(false, false);
      else if (fresh && this.idle && !still()) this.play(true, false);
    }
    this.at = data.at;
    this.measure();
    if (fresh) this.cursor = this.editing ? this.firstCell() : null;
    this.draw();
    if (fresh) this.dressEditor(true);
  }

  // Another layer, or another of its views.
  take(data) {
    const same = this.worked && this.data.stage === data.stage ? this.worked : undefined;
    this.seen = data.identity;
    this.worked = new Worked(data.animation, data.numbers, same);
    if (!same && data.own) this.worked.read(data.own);
    Object.assign(this, { hovered: null, met: null, cell: null, opened: 0, frame: 0, cursor: null });
    for (const part of ["mode", "reduce", "inputs", "kernels", "outputs", "frames"]) this[part] = this.worked[part];
    this.tables ??= { signed: tableOf(data.tables.signed), weights: tableOf(data.tables.weights) };
    this.hues = new Map();
    for (const { label } of this.inputs) this.hue(label);
    const made = document._playerMade?.[data.stage - 1];
    if (made && made.chain === this.chain) this.worked.feed(made.values);
    const names = { picture: "picture", weights: "kernel", bias: "biases" };
    this.say(this.worked.dropped.map(({ part, shape, now }) => `Your ${names[part]} (${by(shape)}) ${part === "bias" ? "do" : "does"} not fit ${now ? `this layer’s ${by(now)}` : "this layer, which has none"}: the worked numbers are back.`).join(" "));
    this.pass();
    this.report();
  }

  // What was changed goes into the link when the hand rests.
  report() {
    clearTimeout(this.reporting);
    this.reporting = setTimeout(() => {
      const { text } = this.worked;
      if (text !== (this.told ?? this.data.own)) this.tell("own", { text: (this.told = text), when: Date.now() });
    }, RESTS);
  }

  // Of all stages of one layer.
  get chain() {
    return this.seen.slice(0, this.seen.lastIndexOf(" "));
  }

  get results() {
    return this.worked.results;
  }

  // The results go on to the stage after this one, a player of its own.
  pass() {
    const made = { chain: this.chain, stage: this.data.stage, values: this.results.flat() };
    (document._playerMade ??= {})[made.stage] = made;
    document.dispatchEvent(new CustomEvent("player-made", { detail: made }));
  }

  hue(label) {
    const [name] = label.split(", ");
    if (!this.hues.has(name)) this.hues.set(name, HUES[name] ?? MORE_HUES[this.hues.size % MORE_HUES.length]);
    return this.hues.get(name);
  }

  // Colours of the page, for a canvas knows no variables.
  papers() {
    const style = getComputedStyle(this.root), accent = style.getPropertyValue("--st-primary-color"), text = style.color;
    const known = `${accent} ${text}`;
    if (this.paper?.known === known) return this.paper;
    const back = bytesOf(style.getPropertyValue("--st-background-color")), [primary, letters] = [bytesOf(accent), bytesOf(text)];
    this.ground = this.kernelGround = null;
    return {
      known, accent, text, line: css(mixed(0.3, letters, back)), blank: css(mixed(0.08, letters, back)),
      padding: css(mixed(0.1, primary, back)), stripes: css(mixed(0.3, primary, back)),
      hole: css(mixed(0.1, letters, back)), holeStripes: css(mixed(0.25, letters, back)),
    };
  }

  // ------------------------------------------------------------------ where things stand

  // What each board shows; the kernel's also its bias.
  planesOf(board) {
    if (board === "inputs") return this.inputs;
    if (board === "outputs") return this.outputs;
    if (!this.kernels.length) return [];
    const bias = this.biasPlane();
    return bias ? [...this.kernels[this.shownFilter], bias] : this.kernels[this.shownFilter];
  }

  // A filter's bias; where cells scatter, a kernel is an input channel's, and gives to several filters.
  biasPlane() {
    const own = this.worked.own.bias?.values;
    if (!own) return null;
    let source = [this.worked.filterOf(this.frames[this.shown].at[0])];
    if (this.mode === "scatter") {
      const each = this.worked.numbers.weights.shape[1], group = Math.floor(this.shownFilter / (this.kernels.length / (own.length / each)));
      source = Array.from({ length: each }, (_, index) => group * each + index);
    }
    return { label: "bias", rows: 1, columns: source.length, values: source.map((index) => own[index]), flags: source.map(() => PICTURE), source, part: "bias" };
  }

  // Planes side by side, so many abreast: their places, and the size of it all.
  flow(planes, cell, abreast) {
    const places = [], above = this.label * 1.5;
    let [left, top, width, tallest] = [0, above, 0, 0];
    planes.forEach(({ rows, columns, label }, index) => {
      if (index && index % abreast === 0) [left, top, tallest] = [0, top + tallest + GAP + above, 0];
      places.push({ left, top });
      const wide = Math.max(columns * cell, this.letters(label));
      width = Math.max(width, left + wide);
      left += wide + GAP;
      tallest = Math.max(tallest, rows * cell);
    });
    return { places, width: Math.ceil(width), height: top + tallest };
  }

  letters(label) {
    return this.label * (1.2 + widthOf(this.scratch, label));
  }

  // The largest cells, the same on all boards, with which all of it, the sum included, is as tall as wished for; then
  // the least height.  The sum stands where it costs least.
  arrange(room, tallest, largest) {
    const all = ["inputs", "kernels", "outputs"].map((name) => this.planesOf(name)), captions = [this.letters("Input") + 60, this.letters("Filter 1 of 64"), this.letters("Output") + 60];
    const variants = (index, cell) => {
      const found = [];
      for (let abreast = all[index].length; abreast >= 1; abreast--) {
        const board = this.flow(all[index], cell, abreast);
        board.wide = Math.max(board.width, captions[index]);
        board.tall = board.height + CAPTION + BELOW;
        if (board.wide <= room) found.push(board);
      }
      return all[index].length ? found : [{ places: [], width: 0, height: 0, wide: -ASIDE, tall: 0 }];
    };
    const ways = {
      row: (i, k, o) => [i.wide + k.wide + o.wide + 2 * ASIDE, Math.max(i.tall, k.tall, o.tall)],
      side: (i, k, o) => [i.wide + Math.max(k.wide, o.wide) + ASIDE, Math.max(i.tall, k.tall + o.tall), i.wide >= NARROWEST_SUM ? Math.max(i.tall + SUM, k.tall + o.tall) : Infinity],
      top: (i, k, o) => [Math.max(i.wide, k.wide + o.wide + ASIDE), i.tall + Math.max(k.tall, o.tall)],
      stack: (i, k, o) => [Math.max(i.wide, k.wide, o.wide), i.tall + k.tall + o.tall],
    };
    const comfort = room < PHONE ? PHONE_COMFORT : coarse() ? COARSE_COMFORT : COMFORT;
    if (!all[1].length) delete ways.top; // the output would stand beside nothing
    for (let cell = largest; cell >= SMALLEST; cell--) {
      let best = null;
      const [inputs, kernels, outputs] = [0, 1, 2].map((index) => variants(index, cell));
      for (const i of inputs) for (const k of kernels) for (const o of outputs) for (const [name, measure] of Object.entries(ways)) {
        const [wide, bare, under = bare + SUM] = measure(i, k, o), beside = room - wide - ASIDE >= NARROWEST_SUM, tall = beside ? Math.max(bare, SUM) : under;
        if (wide <= room && tall < (best?.tall ?? Infinity)) best = { name, cell, tall, beside, boards: { inputs: i, kernels: k, outputs: o } };
      }
      // comfort is worth twice the height, and no more
      if (best && best.tall <= tallest * (cell > comfort ? 1 : cell > TIGHT ? 2 : Infinity)) return best;
    }
    return this.arrange(room + 60, Infinity, SMALLEST); // what is wider than any room is scrolled
  }

  measure() {
    const { full } = this, room = Math.max(this.root.clientWidth - (full ? 56 : 0), 160);
    const place = [this.seen, room, full, full && innerHeight].join(" ");
    if (this.measured === place) return;
    this.measured = place;
    this.ground = this.kernelGround = null;
    this.scratch ??= new OffscreenCanvas(1, 1).getContext("2d");
    const found = this.arrange(room, full ? innerHeight - FULL_CHROME : room < PHONE ? TALLEST_PHONE : TALLEST, full ? 110 : LARGEST), { inputs, kernels } = found.boards;
    for (const way of ["row", "side", "top", "stack"]) this.root.classList.toggle(way, way === found.name);
    this.root.classList.toggle("beside", found.beside);
    // the output begins right below the kernel, whatever the height of the input beside them
    this.root.style.gridTemplateColumns = found.name === "side" && !found.beside ? `${inputs.wide}px minmax(0, 1fr)` : "";
    this.root.style.gridTemplateRows = found.name === "side" ? `auto ${kernels.tall}px ${found.beside ? "auto" : `${Math.max(inputs.tall - kernels.tall, 0)}px`}` : "";
    this.find(".kernels").hidden = !this.kernels.length;
    this.find("output").style.minHeight = "";
    this.sumHeight = 0;
    this.boards = {};
    for (const [name, { places, width, height }] of Object.entries(found.boards)) {
      if (!places.length) continue;
      const canvas = this.find(`.${name} canvas`);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      this.boards[name] = { canvas, planes: this.planesOf(name), cell: found.cell, places, width, height };
    }
  }

  // The planes that windows lie on.
  get taps() {
    return this.mode === "scatter" ? this.outputs : this.inputs;
  }

  // CSS pixels of the letters of a name.
  get label() {
    return this.full ? 18 : 12;
  }

  get full() {
    return this.root.getRootNode().fullscreenElement === this.root;
  }

  get shown() {
    return this.hovered ?? this.frame;
  }

  get shownFilter() {
    return Math.max(this.frames[Math.min(this.shown, this.frames.length - 1)].filter, 0);
  }

  // ------------------------------------------------------------------ drawing

  draw() {
    const context = {};
    if (this.boards.kernels) this.boards.kernels.planes = this.planesOf("kernels");
    for (const [name, { canvas, width, height }] of Object.entries(this.boards)) context[name] = sized(canvas, width, height);
    this.taken = this.worked.outcome(this.shown);
    this.drawInputs(context.inputs);
    if (context.kernels) this.drawKernel(context.kernels);
    this.drawOutputs(context.outputs);
    this.explain();
    this.dress();
  }

  // Between two frames the window moves, and nothing else.
  slide() {
    const { canvas, width, height } = this.boards.inputs;
    if (this.mode === "gather") this.drawInputs(sized(canvas, width, height));
  }

  // Numbers have changed.
  redraw() {
    this.ground = this.kernelGround = null;
    this.pass();
    this.draw();
    this.dressEditor();
    this.report();
  }

  // Cells of a board: `paint` gives [fill, ink, number, stripes]; the last two may be missing.
  cells(context, board, paint) {
    const { planes, places, cell } = this.boards[board], { paper, label: size } = this;
    Object.assign(context, { textAlign: "left", font: `${size}px ${FONT}` });
    planes.forEach(({ label }, index) => {
      // in colour are those that a sum runs over
      const { left, top } = places[index], named = board === "kernels" ? label !== "bias" : (board === "inputs") === (this.mode === "gather");
      if (named) {
        context.fillStyle = this.hue(label);
        context.fillRect(left, top - 1.25 * size, 0.75 * size, 0.9 * size);
      }
      context.fillStyle = paper.text;
      context.fillText(label, left + (named ? 1.1 * size : 0), top - 0.75 * size);
    });
    context.textAlign = "center";
    const written = [], striped = new Map();
    planes.forEach((plane, index) => {
      if (board !== "inputs") {
        // white stands for zero, on white paper too
        context.fillStyle = paper.line;
        context.fillRect(places[index].left - 1, places[index].top - 1, plane.columns * cell + 1, plane.rows * cell + 1);
      }
      for (let at = 0; at < plane.values.length; at++) {
        const x = places[index].left + (at % plane.columns) * cell, y = places[index].top + Math.floor(at / plane.columns) * cell;
        const [fill, dark, value, stripes] = paint(plane, index, at);
        context.fillStyle = fill;
        context.fillRect(x, y, cell - 1, cell - 1);
        if (stripes) striped.has(stripes) ? striped.get(stripes).push(x, y) : striped.set(stripes, [x, y]);
        if (value !== undefined) written.push(dark, value, x + cell / 2 - 0.5, y + cell / 2 + 0.5);
      }
    });
    for (const [stripes, cells] of striped) this.stripe(context, board, cells, stripes, 6, 1);
    this.write(context, written, cell);
  }

  // Slanting lines over cells [x, y, x, y, …], in one stroke.
  stripe(context, board, cells, strokeStyle, apart, lineWidth, globalAlpha = 1) {
    const { cell, width, height } = this.boards[board];
    context.save();
    context.beginPath();
    for (let i = 0; i < cells.length; i += 2) context.rect(cells[i], cells[i + 1], cell - 1, cell - 1);
    context.clip();
    context.beginPath();
    for (let at = 0; at < width + height; at += apart) {
      context.moveTo(at, 0);
      context.lineTo(at - height, height);
    }
    Object.assign(context, { strokeStyle, lineWidth, globalAlpha });
    context.stroke();
    context.restore();
  }

  // Numbers [ink, value, x, y, …], each as large as its cell allows.
  write(context, written, cell) {
    const usual = Math.min(cell * 0.62, this.full ? 48 : 15), room = cell - 3;
    if (usual < FAINTEST) return;
    let set = 0;
    for (let i = 0; i < written.length; i += 4) {
      const value = written[i + 1];
      let text = whole(value), needs = widthOf(context, text);
      for (let places = 1; places >= 0 && !Number.isInteger(value) && needs * LEGIBLE > room; places--) {
        text = digits(value, places);
        needs = widthOf(context, text);
      }
      const size = Math.round(Math.min(usual, room / needs) * 2) / 2;
      if (widths.fresh !== widths.size || size !== set) context.font = `${(set = size)}px ${FONT}`;
      widths.fresh = widths.size;
      context.fillStyle = written[i];
      context.fillText(text, written[i + 2], written[i + 3]);
    }
  }

  // Numbers and hatching of the input are the same in every frame: drawn once, then copied.
  drawGround(context) {
    const { canvas } = context, { paper } = this;
    if (this.ground) {
      context.save();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.drawImage(this.ground, 0, 0);
      return void context.restore();
    }
    const [least, most] = this.worked.range, greys = new Map();
    const grey = (value) => {
      if (!greys.has(value)) {
        const byte = Math.round(most > least ? 70 + (165 * (value - least)) / (most - least) : 200), bytes = [byte, byte, byte];
        greys.set(value, [css(bytes), ink(bytes), value]);
      }
      return greys.get(value);
    };
    this.cells(context, "inputs", (plane, _, at) => {
      const value = plane.values[at], flag = plane.flags[at];
      if (flag === PICTURE) return grey(value);
      return flag === HOLE ? [paper.hole, paper.text, value, paper.holeStripes] : [paper.padding, paper.text, value, paper.stripes];
    });
    this.hatchUnread(context);
    this.ground = new OffscreenCanvas(canvas.width, canvas.height);
    this.ground.getContext("2d").drawImage(canvas, 0, 0);
  }

  drawInputs(context) {
    const { cell, places } = this.boards.inputs, { products, winner } = this.taken, { accent } = this.paper, frame = this.frames[this.shown];
    this.drawGround(context);
    if (this.mode === "scatter") this.outline(context, "inputs", [frame.at], accent);
    else {
      // the cells that are read, framed one by one; between them the holes of a dilated window stay free
      Object.assign(context, { strokeStyle: accent, lineWidth: Math.max(1, cell / 16) });
      context.beginPath();
      const [down, right] = this.drift(this.boxes(frame));
      for (const { tap } of products) context.rect(places[tap[0]].left + (tap[2] - right) * cell + 0.5, places[tap[0]].top + (tap[1] - down) * cell + 0.5, cell - 2, cell - 2);
      context.stroke();
      if (winner >= 0) {
        const { tap } = products[winner], place = places[tap[0]];
        Object.assign(context, { strokeStyle: ACCENT, lineWidth: Math.max(3, cell / 9) });
        context.strokeRect(place.left + tap[2] * cell + 2, place.top + tap[1] * cell + 2, cell - 5, cell - 5);
      }
      for (const [plane, box] of this.boxes(frame)) this.window(context, plane, box, accent);
    }
    this.markChosen(context, "inputs");
  }

  // `unread` tells of a channel's cells, slice by slice; the padding between them is not counted.
  hatchUnread(context) {
    const { unread } = this.data, { cell, places } = this.boards.inputs, cells = [];
    if (!unread.includes(true)) return;
    let seen = 0;
    this.inputs.forEach(({ columns, flags }, plane) =>
      flags.forEach((flag, at) => {
        if (flag === PICTURE && unread[seen++ % unread.length]) cells.push(places[plane].left + (at % columns) * cell, places[plane].top + Math.floor(at / columns) * cell);
      }),
    );
    this.stripe(context, "inputs", cells, ACCENT, 9, 1.5, 0.8);
  }

  // Of a frame [plane, box] of each plane that it reads.
  boxes(frame) {
    return [...this.worked.boxes[frame.pattern].keys()].map((offset) => [offset + frame.shift[0], this.worked.box(frame, offset + frame.shift[0])]);
  }

  // Rows and columns that the gliding window has yet to go.
  drift([[plane, now] = []]) {
    const last = now && this.hovered === null && this.glide < 1 && this.frame ? this.worked.box(this.frames[this.frame - 1], plane) : null;
    if (!last || Math.abs(last[0] - now[0]) + Math.abs(last[1] - now[1]) > 6) return [0, 0];
    return [(now[0] - last[0]) * (1 - this.glide), (now[1] - last[1]) * (1 - this.glide)];
  }

  window(context, plane, [top, left, bottom, right], accent) {
    const { cell, places } = this.boards.inputs, [down, across] = this.drift([[plane, [top, left]]]);
    for (const [strokeStyle, lineWidth] of [["#fff", 5], [accent, 3]]) {
      Object.assign(context, { strokeStyle, lineWidth });
      context.strokeRect(places[plane].left + (left - across) * cell - 0.5, places[plane].top + (top - down) * cell - 0.5, (right - left) * cell, (bottom - top) * cell);
    }
  }

  outline(context, board, cells, colour) {
    const { cell, places } = this.boards[board];
    for (const [strokeStyle, lineWidth] of [["#fff", 4], [colour, 2.5]]) {
      Object.assign(context, { strokeStyle, lineWidth });
      context.beginPath();
      for (const [plane, row, column] of cells) context.rect(places[plane].left + column * cell, places[plane].top + row * cell, cell - 1, cell - 1);
      context.stroke();
    }
  }

  // The cell that is edited, and the padding that copies it.
  markChosen(context, board) {
    if (!this.cursor || this.cursor.board !== board) return;
    const { cell, places, planes } = this.boards[board], chosen = this.number(this.cursor);
    planes.forEach((plane, index) =>
      plane.source.forEach((source, at) => {
        if (!chosen || source !== chosen.index || (plane.part ?? chosen.part) !== chosen.part || (board === "kernels" && !plane.part && chosen.part === "bias")) return;
        const own = plane.flags[at] === PICTURE;
        Object.assign(context, { strokeStyle: CHOSEN, lineWidth: own ? Math.max(3, cell / 8) : 2 });
        context.setLineDash(own ? [] : [3, 3]);
        context.strokeRect(places[index].left + (at % plane.columns) * cell + 1, places[index].top + Math.floor(at / plane.columns) * cell + 1, cell - 3, cell - 3);
      }),
    );
    context.setLineDash([]);
  }

  drawKernel(context) {
    const { paper, tables } = this, { weightPeak } = this.worked, { canvas } = context;
    const bias = this.biasPlane(), known = `${this.shownFilter} ${bias?.source}`;
    if (this.kernelGround?.known === known) {
      context.save();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.drawImage(this.kernelGround.copy, 0, 0);
      context.restore();
    } else {
      this.cells(context, "kernels", (plane, _, at) => {
        if (plane.flags[at] === HOLE) return [paper.hole, "", undefined, paper.holeStripes];
        const colour = shade(tables.weights, plane.values[at], weightPeak);
        return [css(colour), ink(colour), plane.values[at]];
      });
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      copy.getContext("2d").drawImage(canvas, 0, 0);
      this.kernelGround = { known, copy };
    }
    this.markChosen(context, "kernels");
    const [name] = (this.mode === "scatter" ? this.inputs : this.outputs)[this.frames[this.shown].at[0]].label.split(", ");
    put(this.find(".kernels .name"), this.kernels.length > 1 ? (this.mode === "scatter" ? `Kernel of ${name}` : name.replace("f", "F")) : "Kernel");
    put(this.find(".kernels .size"), [this.data.words.kernel, this.pointedAt("kernels")].filter(Boolean).join(", "));
  }

  // Outputs up to the shown frame are filled; the others are still blank.
  drawOutputs(context) {
    const { paper, tables, results } = this, { peak } = this.worked;
    // who points at one cell, or has changed a number, still sees the others
    const all = this.pinned || this.editing, last = this.mode === "scatter" ? this.shown : all ? this.frames.length - 1 : Math.max(this.frame, this.shown);
    let filled;
    if (this.mode === "scatter") filled = this.worked.compute(last + 1);
    else {
      filled = this.outputs.map(({ values }) => Array.from({ length: values.length }));
      for (let index = 0; index <= last; index++) {
        const [plane, row, column] = this.frames[index].at, at = row * this.outputs[plane].columns + column;
        filled[plane][at] = results[plane][at];
      }
    }
    this.cells(context, "outputs", (plane, index, at) => {
      const value = filled[index][at], stripes = plane.flags[at] === PICTURE ? "" : paper.holeStripes;
      if (stripes) return [paper.hole, paper.text, value, stripes];
      if (value === undefined) return [paper.blank, ""];
      const colour = shade(tables.signed, value, peak);
      return [css(colour), ink(colour), value];
    });
    const cells = this.mode === "scatter" ? this.taken.products.map(({ tap }) => tap) : [this.frames[this.shown].at];
    this.outline(context, "outputs", cells, paper.accent);
  }

  // ------------------------------------------------------------------ in words

  // "filter 1, row 2, column 3", or less where there is less to be told apart.
  placeOf([plane, row, column], planes) {
    return `${planes.length > 1 ? `${planes[plane].label}, ` : ""}${planes[plane].rows === 1 ? "position" : `row ${row}, column`} ${column}`;
  }

  explain() {
    const { products, result, divisor } = this.taken, { at } = this.frames[this.shown];
    const groups = [];
    for (const product of products) {
      if (groups.at(-1)?.plane !== product.tap[0]) groups.push({ plane: product.tap[0], kernel: product.kernel, products: [] });
      groups.at(-1).products.push(product);
    }
    const part = ({ products: own }) => {
      if (this.mode === "scatter") return [own.map(({ value, weight, product }) => `${factor(value)}·${factor(weight)} = ${exact(product)}`).join(", ")];
      if (this.reduce === "max") return [`the largest of ${own.map(({ value }) => exact(value)).join(", ")}`, exact(result)];
      if (this.reduce === "mean") return [`(${own.map(({ value }) => factor(value)).join(" + ")}) / ${divisor}`, exact(result)];
      return [own.map(({ value, weight }) => `${factor(value)}·${factor(weight)}`).join(" + "), exact(own.reduce((total, { product }) => total + product, 0))];
    };
    this.writeParts(groups, part, products.length);
    put(this.find(".where"), this.mode === "scatter" ? `Input ${this.placeOf(at, this.inputs)}: ` : `Output ${this.placeOf(at, this.outputs)}: `);
    this.writeTotal(this.totalOf(groups, this.taken));
    this.root.dataset.frame = this.shown;
    if (result === undefined) delete this.root.dataset.value;
    else this.root.dataset.value = result;
  }

  // The last line: [text, hue] of what is added, and of what comes out.
  totalOf(groups, { products, bias, result, winner }) {
    if (this.mode === "scatter") return [[`${exact(products[0]?.value ?? 0)} times each weight is added to ${products.length} cells of the output.`]];
    if (this.reduce === "max") return winner < 0 ? [["The window lies in the padding alone."]] : [];
    if (this.reduce === "mean" || (groups.length === 1 && !this.worked.own.bias)) return [];
    const added = groups.map(({ plane, products: own }) => [`${this.inputs[plane].label} ${factor(own.reduce((total, { product }) => total + product, 0))}`, this.hue(this.inputs[plane].label)]);
    if (this.worked.own.bias) added.push([`bias ${factor(bias)}`]);
    const line = added.flatMap((each, index) => (index ? [["+"], each] : [each]));
    return [...(groups.length ? [] : [["no cell is read: 0 +"]]), ...line, [`= ${exact(result)}`, "", true]];
  }

  writeTotal(line) {
    const total = this.find(".total"), known = JSON.stringify(line);
    if (this.written === known) return;
    this.written = known;
    total.replaceChildren(
      ...line.map(([text, hue, last]) => {
        const word = document.createElement(last ? "b" : "span");
        word.textContent = `${text} `;
        if (hue) {
          word.className = "of";
          word.style.setProperty("--hue", hue);
        }
        return word;
      }),
    );
  }

  // One part for each plane that is read, in its colour.  Buttons stay where they are: one may have the focus.
  writeParts(groups, part, count) {
    const parts = this.find(".parts"), folding = groups.length > 1 && count > WRITTEN_OUT;
    const form = `${groups.length} ${folding}`;
    if (parts.dataset.form !== form) {
      parts.dataset.form = form;
      parts.replaceChildren(
        ...groups.map((_, index) => {
          const box = document.createElement("span"), name = document.createElement(folding ? "button" : "b");
          const [terms, end] = [document.createElement("span"), document.createElement("b")];
          box.className = "part";
          [name.className, terms.className, end.className] = ["name", "terms", "end"];
          if (folding) {
            Object.assign(name, { type: "button" });
            name.onclick = () => {
              this.opened = index;
              this.explain();
            };
          }
          box.append(name, terms, end);
          return box;
        }),
      );
    }
    const met = this.met === null ? -1 : groups.findIndex((group) => group[this.met.board === "kernels" ? "kernel" : "plane"] === this.met.plane);
    const open = met >= 0 ? met : Math.min(this.opened, groups.length - 1);
    groups.forEach((group, index) => {
      const box = parts.children[index], [name, terms, end] = box.children, [text, equals] = part(group), { label } = this.taps[group.plane];
      const shown = !folding || index === open, length = group.products.length;
      box.style.setProperty("--hue", this.hue(label));
      box.classList.toggle("open", shown);
      box.classList.toggle("long", shown && length > LONG);
      put(name, label);
      put(terms, shown ? `: ${text}` : `: ${length} products`);
      put(end, equals === undefined ? "" : `${this.reduce === "max" ? " is " : " = "}${equals}`);
      if (folding) name.setAttribute("aria-expanded", shown);
      // what scrolls must be reached by keys
      if (shown && length > LONG) terms.tabIndex = 0;
      else terms.removeAttribute("tabindex");
    });
  }

  // Where cells are too small for numbers, the one under the pointer in words.
  pointedAt(name) {
    if (this.cell?.board !== name || this.boards[name].cell * 0.62 >= FAINTEST) return "";
    const [plane, row, column] = this.cell.at, { planes } = this.boards[name], shown = planes[plane], at = row * shown.columns + column;
    const value = name === "outputs" ? this.results[plane][at] : shown.values[at];
    return `${this.placeOf([0, ...this.within(name, plane, row, column)], [shown])}: ${value === undefined ? "none yet" : exact(value)}`;
  }

  say(sentence) {
    put(this.find(".note"), sentence);
  }

  dress() {
    const last = this.frames.length - 1, scrub = this.find(".scrub"), scatters = this.mode === "scatter";
    const place = `${scatters ? "input" : "output"} ${this.placeOf(this.frames[this.shown].at, scatters ? this.inputs : this.outputs)} · step ${this.shown + 1} of ${last + 1}`;
    Object.assign(scrub, { max: last, value: this.shown });
    scrub.setAttribute("aria-valuetext", place);
    put(this.find(".place"), `${place}${this.pinned ? " · pinned" : ""}`);
    const play = this.find(".play");
    put(play, this.playing ? "Pause" : "Play");
    play.setAttribute("aria-pressed", this.playing);
    // steps by hand are read out, those of the clock are not
    this.find("output").setAttribute("aria-live", this.playing ? "off" : "polite");
    const unread = this.data.unread.filter(Boolean).length;
    const never = unread ? `${unread} of ${this.data.unread.length} cells never read: hatched` : "";
    put(this.find(".title"), this.data.animation.title);
    put(this.find(".cut"), this.data.words.cut);
    put(this.find(".inputs .size"), [this.data.words.input, never, this.pointedAt("inputs")].filter(Boolean).join(", "));
    put(this.find(".outputs .size"), [this.data.words.output, this.pointedAt("outputs")].filter(Boolean).join(", "));
    const edits = this.editing ? "arrow keys choose a cell, digits change it" : "arrow keys step, Enter pins, Escape lets go";
    for (const [name, told] of [["Input", edits], ["Kernel", this.editing ? edits : "the weights of the filter that is laid on"], ["Output", "arrow keys step, Enter pins, Escape lets go"]])
      this.find(`.${name.toLowerCase()}s canvas`).setAttribute("aria-label", `${name}: ${told}`);
    this.find(".kernels canvas").tabIndex = this.editing ? 0 : -1;
  }

  // ------------------------------------------------------------------ own numbers

  get editing() {
    return this.root.classList.contains("editing");
  }

  // Which number a cell shows: {part, index, value}; null where it shows none that could be changed.
  number({ board, plane, row, column }) {
    const shown = this.boards[board].planes[plane], index = shown?.source?.[row * shown.columns + column] ?? -1;
    if (index < 0 || (board === "inputs" && this.data.stage > 0)) return null;
    const part = board === "inputs" ? "picture" : (shown.part ?? "weights");
    return { part, index, value: this.worked.own[part].values[index] };
  }

  edit(editing) {
    this.touch();
    if (editing) this.play(false);
    this.root.classList.toggle("editing", editing);
    this.find(".editor").hidden = !editing;
    this.find(".edit").setAttribute("aria-pressed", editing);
    this.say("");
    this.choose(editing ? this.firstCell() : null, editing && !coarse());
  }

  // The first number of the picture; of the kernel, where the picture is what the stage before gave.
  firstCell() {
    for (const [board, { planes }] of Object.entries(this.boards)) {
      if (board === "outputs") continue;
      const plane = this.data.stage > 0 && board === "inputs" ? -1 : planes.findIndex(({ flags }) => flags.includes(PICTURE));
      if (plane < 0) continue;
      const at = planes[plane].flags.indexOf(PICTURE), { columns } = planes[plane];
      return { board, plane, row: Math.floor(at / columns), column: at % columns };
    }
    return null;
  }

  choose(cursor, focus = true) {
    this.cursor = cursor;
    const number = cursor && this.number(cursor);
    if (number) this.before = number.value;
    this.find(".field").setAttribute("aria-invalid", false);
    this.draw();
    this.dressEditor(true);
    if (focus && cursor) {
      this.find(".field").focus({ preventScroll: true });
      this.find(".field").select();
    }
  }

  // `anew`: the field shows another number; else the hand may be typing there.
  dressEditor(anew = false) {
    const { edited } = this.worked, field = this.find(".field"), number = this.cursor && this.number(this.cursor);
    this.find(".reset").hidden = !edited;
    if (edited && !this.find(".note").textContent) this.say("These are your own numbers.");
    if (!edited && this.find(".note").textContent === "These are your own numbers.") this.say("");
    if (!this.editing) return;
    this.find(".for-picture").hidden = this.data.stage > 0;
    this.find(".for-weights").hidden = !this.kernels.length;
    const edge = this.find("[data-set=edge]"), none = this.kernels.length > 0 && this.worked.edges() === null;
    Object.assign(edge, { disabled: none, title: none ? "A window of one cell finds no edges." : "The second half minus the first" });
    for (const part of [".field", ".less", ".more", ".sign"]) this.find(part).disabled = !number;
    const { board, plane, row, column } = this.cursor ?? {}, shown = this.cursor && this.boards[board].planes[plane];
    const name = !shown ? "" : shown.part === "bias" ? "bias" : `${board === "inputs" ? "" : "weight of "}${this.placeOf([0, ...this.within(board, plane, row, column)], [shown])}`;
    const told = !shown ? "" : shown.part === "bias" ? name : `${shown.label}, ${name}`;
    put(this.find(".which"), told);
    field.setAttribute("aria-label", `Number of ${told}`);
    if (number && (anew || field !== this.root.getRootNode().activeElement)) field.value = exact(number.value);
  }

  // Rows and columns of the picture, padding not counted.
  within(board, plane, row, column) {
    if (board !== "inputs") return [row, column];
    const { flags, columns } = this.boards[board].planes[plane], first = flags.indexOf(PICTURE);
    return [row - Math.floor(first / columns), column - (first % columns)];
  }

  // To the next number that can be changed, over the end of a plane into the one beside it.
  move(down, right) {
    let { board, plane, row, column } = this.cursor;
    const { planes } = this.boards[board];
    for (;;) {
      [row, column] = [row + down, column + right];
      if (row < 0 || row >= planes[plane].rows) return;
      if (column < 0 || column >= planes[plane].columns) {
        plane += right;
        if (!planes[plane]) return;
        column = right > 0 ? 0 : planes[plane].columns - 1;
        row = Math.min(row, planes[plane].rows - 1);
      }
      if (planes[plane].flags[row * planes[plane].columns + column] === PICTURE) return this.choose({ board, plane, row, column });
    }
  }

  put(value) {
    const number = this.number(this.cursor);
    this.say("");
    this.worked.change(number.part, number.index, Math.min(Math.max(value, -LARGEST_NUMBER), LARGEST_NUMBER));
    this.redraw();
  }

  // What stands in the field: a number, or NaN.
  typed() {
    const text = this.find(".field").value.trim().replace("−", "-").replace(",", ".");
    const value = /^[-+]?(\d+\.?\d{0,4}|\.\d{1,4})$/.test(text) ? Number(text) + 0 : NaN;
    return Math.abs(value) <= LARGEST_NUMBER ? value : NaN;
  }

  // The end of typing: what is no number is said, and the number before comes back.
  settle() {
    if (!this.cursor || !this.number(this.cursor)) return;
    const field = this.find(".field"), text = field.value.trim();
    if (Number.isNaN(this.typed()) && text) this.say(`“${text.slice(0, 20)}” is no number from −${LARGEST_NUMBER} to ${LARGEST_NUMBER} with at most four digits after the point.`);
    field.setAttribute("aria-invalid", false);
    this.before = this.number(this.cursor).value;
    this.dressEditor(true);
  }

  set(part, kind) {
    const { own, numbers } = this.worked, { length } = own[part].values, sides = numbers[part].shape.slice(1);
    const [low, high] = part === "picture" ? [0, 9] : [-2, 2];
    const cells = sides.reduce((a, b) => a * b, 1), middle = sides.reduce((at, size) => at * size + (size >> 1), 0);
    const made = {
      random: () => Array.from({ length }, () => low + Math.floor(Math.random() * (high - low + 1))),
      ones: () => Array.from({ length }, () => 1),
      bright: () => Array.from({ length }, (_, at) => (at % cells === middle ? 9 : 0)),
      edge: () => this.worked.edges(),
    }[kind]();
    this.touch();
    this.say("");
    this.worked.replace(part, made);
    this.redraw();
    this.dressEditor(true);
  }

  // ------------------------------------------------------------------ time

  play(playing, dress = true) {
    this.playing = playing;
    cancelAnimationFrame(this.ticket);
    if (!playing) return void (dress && this.dress());
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
    if (dress) this.dress();
  }

  // A hand: from now on nothing moves by itself unless it is asked to.
  touch() {
    this.idle = false;
  }

  go(frame) {
    const within = Math.min(Math.max(frame, 0), this.frames.length - 1);
    this.hovered = null;
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
    const on = (part, act) => (this.find(part).onclick = act);
    on(".play", () => {
      if (this.pinned) this.pin(null);
      this.touch();
      this.play(!this.playing);
    });
    on(".back", () => (this.play(false), this.go(this.frame - 1)));
    on(".forth", () => (this.play(false), this.go(this.frame + 1)));
    on(".edit", () => this.edit(!this.editing));
    on(".full", () => this.enlarge());
    on(".ask", () => this.ask());
    on(".reset", () => {
      this.say("");
      this.worked.reset();
      this.redraw();
      this.dressEditor(true);
    });
    on(".less", () => (this.put(this.number(this.cursor).value - 1), this.dressEditor(true)));
    on(".more", () => (this.put(this.number(this.cursor).value + 1), this.dressEditor(true)));
    on(".sign", () => (this.put(0 - this.number(this.cursor).value), this.dressEditor(true)));
    for (const button of this.root.querySelectorAll("[data-set]")) button.onclick = () => this.set(button.dataset.part, button.dataset.set);
    const field = this.find(".field");
    field.oninput = () => {
      const value = this.typed();
      field.setAttribute("aria-invalid", Number.isNaN(value));
      if (!Number.isNaN(value)) this.put(value);
    };
    field.onchange = () => this.settle();
    this.find(".scrub").oninput = (event) => {
      const wanted = Number(event.target.value); // to stop is to show where it stopped
      this.play(false);
      this.go(wanted);
    };
    this.find(".speed").onchange = (event) => {
      this.touch();
      this.speed = Number(event.target.value);
    };
    for (const board of ["inputs", "kernels", "outputs"]) this.wireBoard(board);
    this.root.onpointerdown = () => void (this.escaped = false); // a handler that gives false would keep the focus away
    this.root.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.key(event)) return;
      event.preventDefault();
      event.stopPropagation(); // the page has keys of its own
    };
    this.root.onfullscreenchange = () => {
      this.find(".full").setAttribute("aria-pressed", this.full);
      this.measure();
      this.draw();
    };
    document.addEventListener("player-made", ({ detail }) => {
      if (!this.worked || detail.stage !== this.data.stage - 1 || detail.chain !== this.chain || !this.root.isConnected) return;
      this.worked.feed(detail.values);
      this.redraw();
    });
    new ResizeObserver(() => {
      if (!this.frames) return;
      const known = this.measured;
      this.measure();
      if (known !== this.measured) this.draw();
    }).observe(this.root);
    // what stands below must not jump with every frame: the sum's room grows, and never shrinks again
    const sum = this.find("output");
    new ResizeObserver(() => {
      if (sum.offsetHeight <= this.sumHeight) return;
      this.sumHeight = sum.offsetHeight;
      sum.style.minHeight = `${this.sumHeight}px`;
    }).observe(sum);
  }

  wireBoard(board) {
    const canvas = this.find(`.${board} canvas`);
    canvas.onpointermove = (event) => {
      const cell = this.cellAt(board, event), before = this.cell?.at;
      this.cell = cell && { board, at: cell };
      this.meet(board, cell);
      if (board !== "kernels") this.hover(cell && this.frameOf(board, cell));
      if (String(before) !== String(cell) && this.boards[board].cell * 0.62 < FAINTEST) this.draw();
      canvas.title = this.pointedAt(board); // the caption may be far above
    };
    canvas.onpointerleave = () => {
      this.cell = null;
      this.meet(board, null);
      this.hover(null);
      if (this.boards[board].cell * 0.62 < FAINTEST) this.draw();
    };
    canvas.onclick = (event) => {
      const cell = this.cellAt(board, event);
      if (!cell) return;
      if (this.editing && board !== "outputs") return this.point(board, cell);
      const frame = board === "kernels" ? null : this.frameOf(board, cell);
      if (frame !== null) this.pin(this.pinned && frame === this.frame ? null : frame);
    };
    canvas.ondblclick = (event) => {
      const cell = this.cellAt(board, event);
      if (!cell || board === "outputs" || this.editing) return;
      this.edit(true);
      this.point(board, cell);
    };
  }

  // A click on a number that is to be changed; on padding, the cell that it copies.
  point(board, [plane, row, column]) {
    this.say("");
    const number = this.number({ board, plane, row, column });
    if (!number) {
      const { flags, columns } = this.boards[board].planes[plane], flag = flags[row * columns + column];
      if (board === "inputs" && this.data.stage > 0) return this.say("These are the results of the part above: change its numbers.");
      if (board === "kernels") return this.say("This weight is masked: it is never used.");
      return this.say(flag === HOLE ? "This 0 is put between the cells: it stays." : `This is padding, ${this.reduce === "max" ? "−∞" : "0"} by rule: it stays.`);
    }
    const { planes } = this.boards[board];
    for (const [at, shown] of planes.entries()) {
      if (board === "kernels" && at !== plane) continue;
      const own = shown.source.findIndex((index, cell) => index === number.index && shown.flags[cell] === PICTURE);
      if (own >= 0) return this.choose({ board, plane: at, row: Math.floor(own / shown.columns), column: own % shown.columns });
    }
  }

  // What a key does, where it does something: then true.
  key(event) {
    const { target, key } = event;
    // who has just left a field may still be typing: letters do nothing until another key has been pressed
    const typing = this.escaped && key.length === 1 && key !== " ";
    this.escaped = typing;
    if (target === this.find(".field")) return this.fieldKey(event);
    if (typing) return false;
    if (target.matches("select, .terms")) return false;
    const onBoard = target.matches("canvas"), editsHere = this.editing && onBoard && !target.closest(".outputs");
    const { columns } = (this.mode === "gather" ? this.outputs : this.inputs)[0];
    const arrow = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[key];
    if (editsHere && (arrow || /^[-−\d.,]$/.test(key) || key === "Enter")) {
      const board = target.closest("figure").className, inside = this.cursor?.board === board;
      if (!inside) {
        const plane = this.boards[board].planes.findIndex(({ flags }) => flags.includes(PICTURE)), { flags, columns: across } = this.boards[board].planes[plane], at = flags.indexOf(PICTURE);
        this.choose({ board, plane, row: Math.floor(at / across), column: at % across });
      } else if (arrow) this.move(...arrow);
      if (key === "Enter" || arrow) this.find(".field").focus({ preventScroll: true });
      else this.type(key);
      return true;
    }
    const short = key.toLowerCase();
    if (short === "e") return (this.edit(!this.editing), true);
    if (short === "f" && document.fullscreenEnabled) return (this.enlarge(), true);
    if (key === "?") return (this.ask(), true);
    if (key === "Escape") {
      if (this.editing) this.edit(false);
      else if (this.pinned) this.pin(null);
      else return false;
      return true;
    }
    if (key === " " && !target.matches("button")) return (this.find(".play").click(), true);
    if (key === "Enter" && onBoard) return (this.pin(this.pinned ? null : this.frame), true);
    if (target.matches("input")) return false; // the bar has its own
    const far = { Home: -Infinity, End: Infinity }[key], step = arrow ? (arrow[0] * columns + arrow[1]) * (event.shiftKey ? 10 : 1) : far;
    if (step === undefined) return false;
    this.play(false);
    this.go(this.frame + step);
    return true;
  }

  // A digit typed on a board begins a number.
  type(text) {
    const field = this.find(".field");
    field.focus({ preventScroll: true });
    field.value = text;
    field.oninput();
  }

  fieldKey({ key, shiftKey }) {
    const arrow = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Enter: shiftKey ? [0, -1] : [0, 1] }[key];
    if (arrow) {
      this.settle();
      this.move(...arrow);
      this.find(".field").select();
      return true;
    }
    if (key !== "Escape") return false;
    const { value } = this.number(this.cursor), changed = value !== this.before || exact(value) !== this.find(".field").value;
    if (changed) {
      if (value !== this.before) this.put(this.before);
      this.choose(this.cursor);
    } else {
      this.edit(false);
      this.find(".inputs canvas").focus({ preventScroll: true });
      this.escaped = true;
    }
    return true;
  }

  enlarge() {
    this.touch();
    if (this.full) document.exitFullscreen();
    else this.root.requestFullscreen().catch(() => this.say("This browser does not let the player fill the screen."));
  }

  ask() {
    const keys = this.find(".keys");
    keys.hidden = !keys.hidden;
    this.find(".ask").setAttribute("aria-expanded", !keys.hidden);
  }

  // The channel under the pointer: its part of the sum opens.
  meet(board, cell) {
    const met = cell && board !== (this.mode === "gather" ? "outputs" : "inputs") ? { board, plane: cell[0] } : null;
    if (met?.board === this.met?.board && met?.plane === this.met?.plane) return;
    this.met = met;
    this.explain();
  }

  // The clock runs on; only what is shown is the hovered window.
  hover(frame) {
    if (frame === this.hovered) return;
    this.hovered = frame;
    this.draw();
  }

  // Plane, row and column under the pointer, or null.
  cellAt(board, event) {
    const { canvas, planes, places, cell, width } = this.boards[board], area = canvas.getBoundingClientRect(), scale = width / area.width;
    const [x, y] = [(event.clientX - area.left) * scale, (event.clientY - area.top) * scale];
    const plane = places.findIndex(({ left, top }, index) => x >= left && y >= top && x < left + planes[index].columns * cell && y < top + planes[index].rows * cell);
    return plane < 0 ? null : [plane, Math.floor((y - places[plane].top) / cell), Math.floor((x - places[plane].left) / cell)];
  }

  // The frame that a cell belongs to, or the one whose window's middle is nearest to it.
  frameOf(board, [plane, row, column]) {
    const own = (board === "outputs") === (this.mode === "gather");
    const distance = (frame) => {
      if (own) return frame.at[0] === plane && frame.at[1] === row && frame.at[2] === column ? 0 : Infinity;
      const box = this.worked.box(frame, plane);
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
  const player = (bench._player ??= new Player(bench));
  document._ahead.receive(`player ${data.stage}`, data, (shown) => player.receive(shown, setStateValue), bench);
}
