// A picture, a kernel and what comes of them, under the hand: everything that moves is computed here, and Python
// is told when the hand rests.  What is settled comes back in `data`; an echo never undoes what the hand did since.
const REST = 250; // ms without a touch before Python hears of it
const SLICE = 10; // ms of a frame that a long convolution may take before the browser draws and listens again
const BANDS = 16; // rows are convolved in so many bands: what a slice may overrun by
const LIVE_SIDE = 320; // longest side of the live picture in pixels
const SMALL_SIDE = 232; // and of a channel's small picture
const UNREAD = [214, 39, 97, 215];
const PARTS = ["red", "green", "blue", "sum", "colour"]; // what the large output may show; the last: three channels of one picture

const VIEWS = [
  ["signed", "Signed", "Blue below zero, white at zero, red above"],
  ["photo", "As a photograph", "0 black, 255 white; what lies outside is clipped"],
];
const ACTIVATION_NAMES = { none: "", relu: "ReLU", abs: "| · |", sigmoid: "sigmoid", tanh: "tanh" };

// Several planes as one row of numbers.
function joined(planes) {
  const all = new Float32Array(planes.length * planes[0].length);
  planes.forEach((plane, index) => all.set(plane, index * plane.length));
  return all;
}

class Stencil {
  constructor(bench) {
    const board = (name) => {
      const find = (part) => bench.querySelector(`.${name} ${part}`);
      find(".size").title = "rows × columns";
      return { name, stage: find(".stage"), picture: find(".picture"), veil: find(".veil"), marks: find(".marks"), size: find(".size") };
    };
    Object.assign(this, { bench, input: board("input"), output: board("output"), at: null, pinned: false, met: null, seen: {}, mine: {}, sent: 0, rests: {}, turn: 0, finished: 0, paintings: 0 });
    this.find = (part) => bench.querySelector(part);
    this.grid = new KernelGrid(this.find(".weights"), {
      touched: (row, column, differences) => (this.retouch(row, column, differences), this.tellKernel()),
      reshaped: () => ((this.met = null), this.prepare(), this.tellKernel()),
      met: (cell) => this.meet(cell),
    });
    this.wire();
  }

  get kernel() {
    return this.grid.kernel;
  }

  receive(data, tell) {
    const changed = (name, told = name) => {
      if (this.mine[told] > data.answered[told]) return false; // Python has not heard yet what the hand did since
      const text = JSON.stringify(data[name] ?? null);
      return this.seen[name] !== text && ((this.seen[name] = text), true);
    };
    Object.assign(this, { data, tell, sent: Math.max(this.sent, ...Object.values(data.answered)) });
    if (changed("tables")) this.tables = { signed: tableOf(data.tables.signed), weights: tableOf(data.tables.weights) };
    const newView = changed("view") && ((this.view = { ...data.view }), true);
    if (changed("at")) {
      this.pinned = Boolean(data.at);
      if (data.at) this.at = { row: data.at[0], column: data.at[1] };
    }
    const newKernel = changed("kernel"), renamed = changed("name", "kernel");
    if (newKernel || renamed) this.grid.take(data.kernel, data.name);
    const newPicture = changed("photoId"), newSetting = changed("setting");
    this.dress();
    if (newPicture && this.stream) this.stopCamera(); // another picture is wanted
    else if (newPicture) this.load();
    if (newSetting || newKernel) this.prepare(); // of the old picture, until the new one is there
    else if (newView && this.result) this.paintOutput();
  }

  // ------------------------------------------------------------------ the picture

  // It travels apart, and may come after the rest.
  load() {
    const { photoId, width, height } = this.data, address = window.cnnExplorerPhotos?.get(photoId);
    if (!address || this.stream || this.loaded === photoId) return;
    this.loaded = photoId;
    const image = new Image();
    image.onload = () => {
      if (photoId !== this.data.photoId || this.stream) return;
      this.picture = this.pixelsOf(image, width, height);
      this.prepare();
    };
    image.src = address;
  }

  pixelsOf(image, width, height) {
    this.paper ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    Object.assign(this.paper.canvas, { width, height });
    this.paper.drawImage(image, 0, 0, width, height);
    return this.paper.getImageData(0, 0, width, height);
  }

  async startCamera() {
    const told = this.find(".told"), camera = this.find(".camera");
    camera.disabled = true; // a second stream would never be stopped
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } } });
    } catch (error) {
      const why = { NotAllowedError: "The browser does not grant the camera.", NotFoundError: "There is no camera." };
      put(told, why[error?.name] ?? "The camera cannot be had: browsers give it on https or localhost alone.");
      return;
    } finally {
      camera.disabled = false;
    }
    put(told, "Live, in this browser alone: nothing of it is sent.");
    this.dress();
    const video = element("video", { srcObject: this.stream, muted: true, playsInline: true });
    await video.play().catch(() => {}); // a stream that was stopped meanwhile
    const step = () => {
      if (!this.stream) return;
      if (!this.bench.isConnected) return void this.stopCamera();
      // a frame must not overtake the one before: on a slow machine none would ever be finished
      if (video.videoWidth && this.finished === this.turn) {
        const shrink = Math.min(1, LIVE_SIDE / Math.max(video.videoWidth, video.videoHeight));
        this.picture = this.pixelsOf(video, Math.round(video.videoWidth * shrink), Math.round(video.videoHeight * shrink));
        this.prepare();
      }
      requestAnimationFrame(step);
    };
    step();
  }

  stopCamera() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    put(this.find(".told"), "");
    this.dress();
    this.loaded = ""; // the camera has painted over it
    this.load();
  }

  // ------------------------------------------------------------------ the arithmetic

  get rgb() {
    return this.data.setting.colour === "rgb";
  }

  // The weights as they are laid on the picture; of a drawn cell, where its weight is laid.
  get used() {
    return (this.data.setting.flip ? flipVertical(mirror(this.kernel)) : this.kernel).channels;
  }

  laid([row, column]) {
    const { height, width } = this.kernel;
    return this.data.setting.flip ? [height - 1 - row, width - 1 - column] : [row, column];
  }

  // Planes in their padding: made anew for another picture, setting, or size of the kernel.
  prepare() {
    if (!this.picture) return;
    const { width, height, data } = this.picture, { stride, padding, dilation, mode } = this.data.setting;
    const spec = { kernelHeight: this.kernel.height, kernelWidth: this.kernel.width, stride, padding, dilation, mode };
    const middle = this.middle;
    this.spec = spec;
    this.extent = [dilation[0] * (spec.kernelHeight - 1) + 1, dilation[1] * (spec.kernelWidth - 1) + 1];
    this.around = margins(height, width, spec);
    this.shape = outputShape(height, width, spec);
    this.inner = this.shape && insideOf(height, width, spec);
    this.planes = this.rgb ? channels(data, width * height) : [grey(data, width * height)];
    this.paintInput();
    if (!this.shape) return void this.paintNothing();
    this.padded = this.planes.map((plane) => pad(plane, height, width, this.around, mode));
    if (middle && !this.pinned) [this.at.row, this.at.column] = this.nearest(middle); // it stays over the same part of the picture
    this.at ??= { row: this.shape[0] >> 1, column: this.shape[1] >> 1 };
    this.at = { row: clamp(this.at.row, this.shape[0] - 1), column: clamp(this.at.column, this.shape[1] - 1) };
    this.compute();
  }

  // The middle of the window, in pixels of the picture.
  get middle() {
    if (!this.at || !this.shape) return null;
    const { stride } = this.spec, { top, left } = this.around, [height, width] = this.extent;
    return [this.at.row * stride[0] - top + (height - 1) / 2, this.at.column * stride[1] - left + (width - 1) / 2];
  }

  // The window whose middle is nearest to a place of the picture.
  nearest([row, column]) {
    const { stride } = this.spec, { top, left } = this.around, [height, width] = this.extent;
    return [Math.round((row + top - (height - 1) / 2) / stride[0]), Math.round((column + left - (width - 1) / 2) / stride[1])];
  }

  // All of it, a slice of each frame at a time: a long one neither freezes the page nor delays the next stroke.
  compute() {
    const [rows, columns] = this.shape, turn = ++this.turn, { spec, used, padded } = this;
    const parts = padded.map(() => new Float32Array(rows * columns)), band = Math.ceil(rows / BANDS), work = [];
    parts.forEach((part, channel) => {
      for (let from = 0; from < rows; from += band)
        work.push([[padded[channel]], [used[channel] ?? used[0]], spec, rows, columns, part, from, Math.min(from + band, rows)]);
    });
    let next = 0;
    const go = () => {
      if (turn !== this.turn) return; // another has begun
      const until = performance.now() + SLICE;
      while (next < work.length && performance.now() < until) convolve(...work[next++]);
      if (next < work.length) return void requestAnimationFrame(go);
      this.parts = parts;
      this.finished = turn;
      this.finish();
    };
    go();
  }

  // One weight changed: one pass with the difference, not one for each weight.
  retouch(row, column, differences) {
    if (!this.shape) return;
    if (this.finished !== this.turn) return void this.compute(); // one with the old weights is under way
    const [rows, columns] = this.shape, place = this.laid([row, column]);
    this.parts.forEach((part, channel) => {
      const difference = differences[channel] ?? differences[0];
      if (difference) accumulate(part, rows, columns, this.padded[channel], ...place, difference, this.spec);
    });
    this.finish();
  }

  // The sum over channels, the bias, the activation.
  finish() {
    const { bias, activation } = this.data.setting, [first, second, third] = this.parts;
    if (this.result?.length !== first.length) this.result = new Float32Array(first.length);
    if (second) for (let i = 0; i < first.length; i++) this.result[i] = first[i] + second[i] + third[i];
    activate(second ? this.result : first, bias, activation, this.result);
    this.paintOutput();
  }

  // ------------------------------------------------------------------ painting

  get accent() {
    return getComputedStyle(this.bench).getPropertyValue("--st-primary-color");
  }

  // As wide as its board, never taller than most of the window; large pixels are shown as squares.
  lay({ stage, picture, veil }, width, height) {
    if (picture.width !== width || picture.height !== height) for (const canvas of [picture, veil]) Object.assign(canvas, { width, height });
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.maxWidth = `calc(50vh * ${Math.max(width / height, 0.02)})`;
    picture.classList.toggle("large", stage.clientWidth * (globalThis.devicePixelRatio || 1) >= width);
    const context = picture.getContext("2d");
    return [context, context.createImageData(width, height)];
  }

  paintInput() {
    const { width, height, data } = this.picture, [context, image] = this.lay(this.input, width, height);
    if (this.rgb) image.data.set(data);
    else paintPhotograph(image, this.planes[0]);
    context.putImageData(image, 0, 0);
    put(this.input.size, `${height} × ${width}`);
    this.paintVeil();
  }

  paintNothing() {
    const { height, width } = this.picture, { picture, marks, size } = this.output;
    this.finished = ++this.turn;
    this.result = this.parts = null;
    for (const canvas of [picture, marks, this.input.marks]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    put(size, "none");
    put(this.find("output"), `The window, ${this.extent.join(" × ")}, does not fit into ${height} × ${width} pixels with this padding.`);
    for (const part of [".min", ".mean", ".max", ".clipped", ".unread"]) put(this.find(part), "");
    this.find(".parts").hidden = true;
  }

  // The result, or one channel's part of the sum.
  paintOutput() {
    if (this.finished !== this.turn) return; // the one under way will paint, perhaps in another size
    const [rows, columns] = this.shape, part = this.parts.length > 1 ? PARTS.indexOf(this.view.part) : -1, coloured = PARTS[part] === "colour";
    const values = coloured ? joined(this.parts) : (this.parts[part] ?? this.result);
    const [context, image] = this.lay(this.output, columns, rows);
    const signed = this.view.shown === "signed" && !coloured, all = statistics(values);
    const peak = (signed && innerPeak(values, columns, this.inner)) || all.peak, numbers = { ...all, peak }; // of a plain picture only the border answers
    if (coloured) paintColours(image, this.parts);
    else if (signed) paintSigned(image, values, peak, this.tables.signed);
    else paintPhotograph(image, values);
    context.putImageData(image, 0, 0);
    const alone = coloured ? ", before the sum" : this.parts[part] ? `, ${PARTS[part]} alone` : "";
    put(this.output.size, `${rows} × ${columns}${alone}`);
    this.mark(); // it reads sizes, so it comes before the texts that change: else the browser would lay out twice
    this.paintNumbers(numbers, values.length, signed);
    this.paintParts();
    this.bench.dataset.painted = ++this.paintings;
  }

  paintNumbers({ min, mean, max, peak, below, above, histogram }, count, signed) {
    const canvas = this.find(".histogram");
    drawHistogram(canvas, { histogram, min, max }, (value) => (signed ? shade(this.tables.signed, value, peak) : [value, value, value]), getComputedStyle(this.bench).color);
    canvas.title = `Histogram of the output, from ${readable(min)} to ${readable(max)}; heights are logarithmic`;
    canvas.setAttribute("aria-label", canvas.title);
    put(this.find(".min"), `min ${readable(min)}`);
    put(this.find(".mean"), `mean ${readable(mean)}`);
    put(this.find(".max"), `max ${readable(max)}`);
    const outside = [below && `${below.toLocaleString("en")} below 0`, above && `${above.toLocaleString("en")} above 255`].filter(Boolean);
    put(this.find(".clipped"), signed ? `Blue is negative, red positive; full colour at ±${readable(peak)}, the strongest away from the padding.` : outside.length ? `Clipped: ${outside.join(", ")}, of ${count.toLocaleString("en")} values.` : "No value is clipped.");
  }

  // Each channel's part of the sum, on one scale, the sum, and the three as one picture: to be clicked.
  paintParts() {
    const list = this.find(".parts"), several = this.parts.length > 1, { bias, activation } = this.data.setting;
    list.hidden = !several;
    if (!several) return;
    if (!list.children.length) list.append(...PARTS.map((part, index) => this.partButton(part, ["+", "+", "=", "", ""][index])));
    const [rows, columns] = this.shape, step = Math.ceil(Math.max(rows, columns) / SMALL_SIDE), height = Math.ceil(rows / step), width = Math.ceil(columns / step);
    const small = [...this.parts, this.result].map((values) => thinned(values, columns, step)), peaks = small.map((values) => statistics(values).peak), most = Math.max(...peaks.slice(0, 3));
    const sum = ["sum", bias && ` + ${readable(bias)}`, ACTIVATION_NAMES[activation] && `, ${ACTIVATION_NAMES[activation]}`].filter(Boolean).join("");
    list.querySelectorAll("button").forEach((button, index) => {
      const [canvas, label] = button.children, context = canvas.getContext("2d"), image = context.createImageData(width, height);
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      if (PARTS[index] === "colour") paintColours(image, small.slice(0, 3));
      else if (this.view.shown === "signed") paintSigned(image, small[index], index < 3 ? most : peaks[3], this.tables.signed);
      else paintPhotograph(image, small[index]);
      context.putImageData(image, 0, 0);
      put(label, [...CHANNELS.map((name) => `k ⋆ ${name.toLowerCase()}`), sum, "the three in colour"][index]);
      button.setAttribute("aria-pressed", PARTS[index] === this.view.part);
    });
  }

  partButton(part, sign) {
    const made = element("button", { onclick: () => this.setView({ part }) }), place = element("span", {});
    made.append(document.createElement("canvas"), document.createElement("span"));
    place.append(made, sign); // the sign stays on its line
    return place;
  }

  // Pixels that no window reads are hatched; those that the weight under the pointer meets are tinted.
  paintVeil() {
    const { width, height } = this.picture, { spec } = this, context = this.input.veil.getContext("2d"), image = context.createImageData(width, height);
    const [rows, columns] = [coverage(height, spec, 0), coverage(width, spec, 1)];
    const unread = this.shape ? width * height - rows.filter(Boolean).length * columns.filter(Boolean).length : 0;
    if (this.met) {
      const [tap, cells] = [this.laid(this.met), this.kernel.height * this.kernel.width];
      const alone = { ...spec, kernelHeight: 1, kernelWidth: 1 }; // that weight travels like a kernel of its own
      const seen = [height, width].map((length, axis) => {
        const met = new Uint8Array(length), before = [this.around.top, this.around.left][axis];
        for (let window = 0; window < this.shape[axis]; window++) {
          const at = source(window * alone.stride[axis] + tap[axis] * alone.dilation[axis], length, before, alone.mode);
          if (at >= 0) met[at] = 1;
        }
        return met;
      });
      paintVeil(image, ...seen, true, [...bytesOf(hueOf(this.met[0] * this.kernel.width + this.met[1], cells)), 150]);
    } else if (unread) paintVeil(image, rows, columns, false, UNREAD);
    this.input.veil.classList.toggle("hatched", !this.met);
    context.putImageData(image, 0, 0);
    const share = (100 * unread) / (width * height);
    put(this.find(".unread"), unread ? `${unread.toLocaleString("en")} pixels (${share.toFixed(share < 10 ? 1 : 0)} %) are never read: hatched.` : "");
  }

  // Where the window lies in the picture, and its pixel in the output.
  mark() {
    const [rows, columns] = this.shape, { width, height } = this.picture, { spec, extent, at } = this;
    const [top, left] = [at.row * spec.stride[0] - this.around.top, at.column * spec.stride[1] - this.around.left];
    const taps = [], { colours } = this.view;
    if (colours || Math.max(...spec.dilation) > 1)
      for (let tap = 0; tap < spec.kernelHeight * spec.kernelWidth; tap++) {
        const drawn = [Math.floor(tap / spec.kernelWidth), tap % spec.kernelWidth], [i, j] = this.laid(drawn);
        taps.push([top + i * spec.dilation[0], left + j * spec.dilation[1], colours ? this.hue(tap) : this.accent]);
      }
    this.frame(this.input, [height, width], [top, left, ...extent], taps);
    this.frame(this.output, [rows, columns], [at.row, at.column, 1, 1], []);
    this.explain(top, left);
  }

  hue(tap) {
    return hueOf(tap, this.kernel.height * this.kernel.width);
  }

  frame({ stage, marks }, [rows, columns], [top, left, height, width], taps) {
    const context = sized(marks, stage.clientWidth, stage.clientHeight), [u, v] = [stage.clientWidth / columns, stage.clientHeight / rows];
    for (const [row, column, colour] of taps) {
      context.fillStyle = colour;
      context.fillRect(column * u, row * v, Math.max(u, 2), Math.max(v, 2));
    }
    // a window of three pixels is a speck on a photograph: its frame is never smaller than can be seen
    const [w, h] = [Math.max(width * u, 10), Math.max(height * v, 10)];
    for (const [strokeStyle, lineWidth, dash] of [["rgb(0 0 0 / 0.65)", 6, []], ["#fff", 4, []], [this.accent, 2, this.pinned ? [] : [5, 3]]]) {
      Object.assign(context, { strokeStyle, lineWidth });
      context.setLineDash(dash);
      context.strokeRect((left + width / 2) * u - w / 2, (top + height / 2) * v - h / 2, w, h);
    }
  }

  // ------------------------------------------------------------------ the numbers behind a number

  explain(top, left) {
    const { bias, activation, flip } = this.data.setting, { width, height } = this.picture, { row, column } = this.at;
    const found = windowAt(this.padded, this.used, this.spec, height, width, row, column, bias, activation);
    const taps = found.channels[0].length, count = found.channels.length * taps;
    const [room, lensRoom] = [".ledger", ".lens"].map((part) => this.find(part).clientWidth); // before the text, as above
    const sum = found.sums.length > 1 ? `${found.sums.map(readable).join(" + ").replaceAll("+ −", "− ")} = ${readable(found.sum)}` : `sum of ${count} product${count > 1 ? "s" : ""} = ${readable(found.sum)}`;
    const steps = [`Row ${row}, column ${column}${this.pinned ? ", pinned" : ""}: ${sum}`];
    if (bias) steps.push(`with bias ${readable(bias)}: ${readable(found.biased)}`);
    if (activation !== "none") steps.push(`after ${ACTIVATION_NAMES[activation]}: ${readable(found.result)}`);
    put(this.find("output"), steps.join("; "));
    this.bench.dataset.value = found.result;

    const ledger = this.find(".ledger canvas");
    drawLedger(ledger, found.channels, this.spec.kernelWidth, room, this.view.colours ? (tap) => this.hue(flip ? taps - 1 - tap : tap) : null);
    ledger.setAttribute("aria-label", `Pixel times weight: ${found.channels.map((products) => products.map(({ value, weight }) => `${readable(value)} × ${showWeight(weight)}`).join(", ")).join("; ")}`);
    if (!this.view.lens) return;
    const lens = this.find(".lens canvas");
    drawLens(lens, [top, left, ...this.extent], lensRoom, (y, x) => this.pixel(y, x), this.accent);
    lens.setAttribute("aria-label", `Pixels around row ${top + (this.extent[0] >> 1)}, column ${left + (this.extent[1] >> 1)} of the input`);
  }

  // What stands at a place of the picture or of its padding; null beyond.
  pixel(row, column) {
    const { width, height } = this.picture, [y, x] = [row + this.around.top, column + this.around.left];
    if (y < 0 || x < 0 || y >= this.padded[0].height || x >= this.padded[0].width) return null;
    return { values: this.padded.map((plane) => plane.values[y * plane.width + x]), inside: row >= 0 && column >= 0 && row < height && column < width };
  }

  // ------------------------------------------------------------------ what Python hears

  tellKernel() {
    const { height, width, channels: sheets } = this.kernel;
    this.settle("kernel", { height, width, channels: sheets.map((sheet) => [...sheet]) });
  }

  // When the hand rests.  What is sent counts as seen, so that its echo changes nothing.
  settle(name, value) {
    this.seen[name] = JSON.stringify(value);
    if (name === "kernel") this.seen.name = JSON.stringify("Custom");
    this.mine[name] = Infinity; // the number of the message that carries it, once there is one
    clearTimeout(this.rests[name]);
    this.rests[name] = setTimeout(() => {
      if (name === "kernel" && this.shape) this.compute(); // differences of float32 leave a trace of every stroke
      this.mine[name] = this.sent += 1;
      this.tell(name, { count: this.sent, value });
    }, REST);
  }

  setView(change) {
    Object.assign(this.view, change);
    this.dress();
    if (this.result) this.paintOutput();
    this.settle("view", { ...this.view });
  }

  // ------------------------------------------------------------------ controls and hands

  // What the controls show.
  dress() {
    this.grid.dress({ rgb: this.rgb, flip: this.data.setting.flip, colours: this.view.colours, table: this.tables.weights });
    const camera = this.find(".camera");
    camera.setAttribute("aria-pressed", Boolean(this.stream));
    put(camera, this.stream ? "Stop the camera" : "Live camera");
    [...this.find(".views").children].forEach((view, index) => view.setAttribute("aria-pressed", VIEWS[index][0] === this.view.shown));
    this.find(".lens-switch").checked = this.view.lens;
    this.find(".colours-switch").checked = this.view.colours;
    this.find(".lens canvas").hidden = !this.view.lens;
    this.find(".boards").classList.toggle("wide", this.kernel.width > 6);
  }

  wire() {
    this.find(".camera").onclick = () => (this.stream ? this.stopCamera() : this.startCamera());
    this.find(".views").append(...VIEWS.map(([shown, textContent, title]) => element("button", { textContent, title, onclick: () => this.setView({ shown }) })));
    this.find(".lens-switch").onchange = (event) => this.setView({ lens: event.target.checked });
    this.find(".colours-switch").onchange = (event) => this.setView({ colours: event.target.checked });
    new ResizeObserver(() => this.result && this.paintOutput()).observe(this.bench);
    for (const board of [this.input, this.output]) this.wireStage(board);
  }

  wireStage(board) {
    const { stage, name } = board;
    stage.setAttribute("aria-label", `${name}: arrow keys move the window, with Shift by ten; Enter pins it, Escape lets it go`);
    stage.onpointermove = (event) => this.shape && !this.pinned && this.move(...this.place(board, event));
    stage.onclick = (event) => {
      if (!this.shape) return;
      const was = this.pinned && String([this.at.row, this.at.column]);
      this.move(...this.place(board, event));
      this.pin(was !== String([this.at.row, this.at.column]));
    };
    stage.onkeydown = (event) => {
      const step = event.shiftKey ? 10 : 1;
      const way = { ArrowLeft: [0, -step], ArrowRight: [0, step], ArrowUp: [-step, 0], ArrowDown: [step, 0] }[event.key];
      if (!this.at || !this.shape) return;
      if (event.key === "Escape") this.pin(false);
      if (event.key === "Enter") this.pin(!this.pinned);
      if (!way) return;
      event.preventDefault();
      this.move(this.at.row + way[0], this.at.column + way[1]);
      if (this.pinned) this.pin(true);
    };
  }

  // Of an event: the output's own pixel, or the window whose middle is nearest to a pixel of the input.
  place(board, event) {
    const area = board.stage.getBoundingClientRect();
    const [v, u] = [(event.clientY - area.top) / area.height, (event.clientX - area.left) / area.width];
    if (board === this.output) return [Math.floor(v * this.shape[0]), Math.floor(u * this.shape[1])];
    return this.nearest([Math.floor(v * this.picture.height), Math.floor(u * this.picture.width)]);
  }

  move(row, column) {
    [row, column] = [clamp(row, this.shape[0] - 1), clamp(column, this.shape[1] - 1)];
    if (this.at?.row === row && this.at?.column === column) return;
    this.at = { row, column };
    this.mark();
  }

  pin(pinned) {
    this.pinned = pinned;
    this.mark();
    this.settle("at", pinned ? [this.at.row, this.at.column] : null);
  }

  // The pointer is over a weight: with a colour for each, every pixel that this one meets is shown.
  meet(cell) {
    const next = cell && this.view.colours && this.shape ? cell : null;
    if (String(next) === String(this.met)) return;
    this.met = next;
    if (this.picture) this.paintVeil();
  }
}

export default function ({ data, parentElement: root, setStateValue }) {
  const bench = root.querySelector(".stencil");
  const stencil = (bench._stencil ??= new Stencil(bench));
  stencil.receive(data, setStateValue);
  return awaitPhoto(bench, data.photoId, () => stencil.load());
}
