// The numbers behind a cell: channels ranked by what they add, one of them open to window × weights = products.
const PAGE = 16; // channels at once
const MAP = 56; // CSS pixels of a small map's longer side
const GAP = 26; // CSS pixels between the three sheets: for × and =
const LARGEST = 58, READABLE = 54; // CSS pixels of a cell; below it five digits hardly fit
const SIGNS = ["×", "="];

const between = (value, highest) => Math.min(Math.max(value, 0), highest);
const floatsIn = (text) => new Float32Array(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);

// Five digits, fewer where they are enough.
export const number = (value) => {
  const size = Math.abs(value), short = Number(value.toPrecision(5));
  return (size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(3) : String(short)).replaceAll("-", "−");
};
const brief = (value) => (value === 0 ? "0" : Math.abs(value) < 0.005 || Math.abs(value) >= 1000 ? value.toExponential(0) : String(Number(value.toPrecision(Math.abs(value) < 0.1 ? 1 : 3)))).replaceAll("-", "−").replace(/^(−?)0\./, "$1.");

class UnitLedger {
  constructor(root) {
    Object.assign(this, { root, page: 0, chosen: null, picked: false, tap: 0 });
    this.find = (part) => root.querySelector(part);
    this.find(".before").onclick = () => this.turn(-1);
    this.find(".after").onclick = () => this.turn(1);
    this.find(".go").onclick = () => this.tell("opened", this.chosen);
    this.wireSheets();
    new ResizeObserver(() => this.data && this.paintOpen()).observe(root);
  }

  receive(data, tell) {
    const text = JSON.stringify([data.reads, data.channels, data.kernel]), same = this.text === text;
    Object.assign(this, { data, tell, text });
    this.tables = { signed: tableOf(data.tables.signed), weights: tableOf(data.tables.weights) };
    this.window = floatsIn(data.window);
    this.weights = floatsIn(data.weights);
    this.pictures = Uint8Array.from(atob(data.maps.entries), (character) => character.charCodeAt(0));
    this.taps = data.kernel[0] * data.kernel[1];
    this.sums = data.channels.map((_, channel) => {
      let sum = 0;
      for (let tap = channel * this.taps; tap < (channel + 1) * this.taps; tap++) sum += this.window[tap] * this.weights[tap];
      return sum;
    });
    this.most = Math.max(...data.order.slice(0, 1).map((channel) => Math.abs(this.sums[channel])), 0);
    // another cell of the same map leaves the channel open that the hand has opened
    if (!same || !this.picked) Object.assign(this, { page: 0, chosen: data.order[0], picked: false });
    this.tap = between(this.tap, this.taps - 1);
    this.paintSum();
    this.paintCards();
    this.paintOpen();
    this.root.dataset.painted = Number(this.root.dataset.painted ?? 0) + 1;
  }

  // ------------------------------------------------------------------ the sum

  paintSum() {
    const { data, sums, taps } = this, count = data.channels.length, products = count * taps;
    const sum = sums.reduce((all, one) => all + one, 0), rows = [];
    const channels = count > 1 ? `${count.toLocaleString("en")} channels` : "1 channel";
    rows.push([`<b>Sum of ${products.toLocaleString("en")} product${products > 1 ? "s" : ""}</b> <small>${channels}${taps > 1 ? ` × ${data.kernel.join(" × ")}` : ""}</small>`, number(sum)]);
    if (data.bias !== null) rows.push([`<b>+ bias</b> <small>${number(data.bias)}</small>`, number(sum + data.bias)]);
    for (const { title, words, result } of data.steps) rows.push([`<b></b> <small></small>`, number(result), title, words]);
    const list = this.find(".sum");
    list.replaceChildren(
      ...rows.map(([label, value, title, words]) => {
        const row = document.createElement("li"), lead = document.createElement("span"), end = document.createElement("span");
        lead.innerHTML = label; // numbers alone; names of layers come as text
        if (title !== undefined) {
          lead.querySelector("b").textContent = title;
          lead.querySelector("small").textContent = words;
        }
        end.textContent = value;
        row.append(lead, end);
        return row;
      }),
    );
    const gap = Math.abs(data.value - data.torch), off = data.magnitude > 0 ? gap / data.magnitude : gap, agrees = off < 1e-5;
    const check = document.createElement("li"), words = document.createElement("span");
    check.className = "check";
    words.textContent = `${agrees ? "✓ torch has" : "✗ torch has"} ${number(data.torch)}, ${gap === 0 ? "the very same" : `${gap.toExponential(0).replace("-", "−")} away`}`;
    words.title = `Difference over the sum of all strengths: ${off.toExponential(1)}; float32 keeps about 1e-7 for each sum.`;
    check.append(words);
    list.append(check);
    Object.assign(this.root.dataset, { sum, value: data.value, torch: data.torch });
  }

  // ------------------------------------------------------------------ channels, ranked

  turn(by) {
    this.page = between(this.page + by, Math.ceil(this.data.order.length / PAGE) - 1);
    this.paintCards();
  }

  paintCards() {
    const { data } = this, count = data.order.length, from = this.page * PAGE, shown = data.order.slice(from, from + PAGE);
    put(this.find(".title"), count > 1 ? `What it reads: ${data.reads}, strongest first` : `What it reads: ${data.reads}`);
    put(this.find(".range"), `${from + 1}–${from + shown.length} of ${count.toLocaleString("en")}`);
    this.find(".pager").hidden = count <= PAGE;
    this.find(".before").disabled = from === 0;
    this.find(".after").disabled = from + PAGE >= count;
    const list = this.find(".cards");
    while (list.children.length > shown.length) list.lastChild.remove();
    while (list.children.length < shown.length) list.append(this.card());
    const reachable = shown.includes(this.chosen) ? this.chosen : shown[0];
    shown.forEach((channel, index) => this.fill(list.children[index], channel, from + index, channel === reachable));
  }

  card() {
    const card = Object.assign(document.createElement("button"), { type: "button", className: "card" });
    card.setAttribute("role", "radio");
    card.innerHTML = '<span class="name"></span><span class="pictures"><canvas class="map"></canvas><canvas class="slice"></canvas></span><span class="bar"></span><span class="adds"></span>';
    return card;
  }

  fill(card, channel, rank, reachable) {
    const { data, tables } = this, sum = this.sums[channel], name = data.channels[channel];
    put(card.querySelector(".name"), name);
    put(card.querySelector(".adds"), `${sum >= 0 ? "+" : ""}${number(sum)}`);
    card.setAttribute("aria-label", `${name} adds ${number(sum)}`);
    card.setAttribute("aria-checked", channel === this.chosen);
    card.tabIndex = reachable ? 0 : -1;
    const share = this.most > 0 ? (100 * Math.abs(sum)) / this.most : 0;
    card.querySelector(".bar").style.background = `linear-gradient(90deg, ${css(shade(tables.signed, sum, this.most))} ${share}%, transparent 0)`;
    this.paintMap(card.querySelector(".map"), rank);
    this.paintSlice(card.querySelector(".slice"), channel);
    card.onclick = () => this.choose(channel);
    card.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const place = between(rank + step, data.order.length - 1);
      this.page = Math.floor(place / PAGE);
      this.choose(data.order[place]);
      this.find('.card[aria-checked="true"]')?.focus();
    };
  }

  // The channel's map with its window; none for those that hardly count.
  paintMap(canvas, rank) {
    const { rows, columns, step, shape } = this.data.maps, cells = rows * columns, scale = MAP / Math.max(rows, columns);
    canvas.hidden = cells === 1 || (rank + 1) * cells > this.pictures.length;
    if (canvas.hidden) return;
    const context = sized(canvas, columns * scale, rows * scale), table = this.tables.signed;
    Object.assign(canvas.style, { width: `${columns * scale}px`, height: `${rows * scale}px` });
    const paper = new OffscreenCanvas(columns, rows), ink = paper.getContext("2d"), image = ink.createImageData(columns, rows);
    for (let at = 0; at < cells; at++) {
      const entryAt = 3 * this.pictures[rank * cells + at];
      image.data.set([table[entryAt], table[entryAt + 1], table[entryAt + 2], 255], 4 * at);
    }
    ink.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(paper, 0, 0, columns * scale, rows * scale);
    const [top, left] = this.data.corner, unit = scale / step;
    const [height, width] = this.data.kernel.map((size, axis) => this.data.dilation[axis] * (size - 1) + 1);
    if (height >= shape[0] && width >= shape[1]) return;
    const w = Math.max(width * unit, 5), h = Math.max(height * unit, 5);
    for (const [strokeStyle, lineWidth] of [["#fff", 3], [getComputedStyle(this.root).getPropertyValue("--st-primary-color"), 1.5]]) {
      Object.assign(context, { strokeStyle, lineWidth });
      context.strokeRect((left + width / 2) * unit - w / 2, (top + height / 2) * unit - h / 2, w, h);
    }
  }

  paintSlice(canvas, channel) {
    const [height, width] = this.data.kernel, side = Math.max(2, Math.floor(36 / Math.max(height, width)));
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d"), slice = this.weights.subarray(channel * this.taps, (channel + 1) * this.taps);
    context.putImageData(paintSigned(context.createImageData(width, height), slice, this.data.weightPeak, this.tables.weights), 0, 0);
    Object.assign(canvas.style, { width: `${Math.max(14, side * width)}px`, height: `${Math.max(14, side * height)}px` });
  }

  choose(channel) {
    Object.assign(this, { chosen: channel, picked: true });
    this.paintCards();
    this.paintOpen();
  }

  // ------------------------------------------------------------------ one channel's products

  numbers(tap) {
    const at = this.chosen * this.taps + tap, value = this.window[at], weight = this.weights[at];
    return [value, weight, value * weight];
  }

  paintOpen() {
    const { data, taps, tables } = this, [rows, columns] = data.kernel, go = this.find(".go");
    put(this.find(".which"), data.channels[this.chosen]);
    put(go, data.openLabel);
    go.hidden = !data.openLabel;
    const sheets = this.find(".sheets"), room = this.find(".open").clientWidth, fits = Math.floor((room - 2 * GAP - 4) / 3 / columns);
    const side = Math.max(10, Math.min(LARGEST, fits)), canvas = this.find(".sheets canvas"), across = columns * side + GAP;
    const context = sized(canvas, 3 * across - GAP, rows * side);
    Object.assign(canvas.style, { width: `${3 * across - GAP}px`, height: `${rows * side}px` });
    Object.assign(this, { side, across });
    const all = Array.from({ length: taps }, (_, tap) => this.numbers(tap));
    const write = side >= READABLE ? number : brief, lines = all.map((three) => three.map((value) => (side >= 18 ? [write(value)] : [])));
    const largest = Math.max(...all.map((three) => Math.abs(three[2])), 0);
    const peaks = [data.peak, data.weightPeak, largest], size = Math.min(...lines.flat().map((texts) => lettersOf(side, texts)));
    all.forEach((three, tap) => {
      const [row, column] = [Math.floor(tap / columns), tap % columns];
      three.forEach((value, sheet) => {
        const table = sheet === 1 ? tables.weights : tables.signed;
        drawCell(context, sheet * across + column * side, row * side, side, shade(table, value, peaks[sheet]), lines[tap][sheet], sheet !== 1 && data.padding[tap], size);
      });
    });
    const style = getComputedStyle(this.root);
    Object.assign(context, { fillStyle: style.color, font: `600 16px ${FONT}` });
    SIGNS.forEach((sign, index) => context.fillText(sign, (index + 1) * across - GAP / 2, (rows * side) / 2));
    const edge = style.getPropertyValue("--st-border-color");
    Object.assign(context, { strokeStyle: edge, lineWidth: 1 });
    for (let sheet = 0; sheet < 3; sheet++) context.strokeRect(sheet * across + 0.5, 0.5, columns * side - 2, rows * side - 2);
    Object.assign(context, { strokeStyle: style.getPropertyValue("--st-primary-color"), lineWidth: 2.5 });
    if (taps > 1) for (let sheet = 0; sheet < 3; sheet++) context.strokeRect(sheet * across + (this.tap % columns) * side + 0.5, Math.floor(this.tap / columns) * side + 0.5, side - 2, side - 2);
    sheets.setAttribute("aria-label", `Window × weights = products of ${data.channels[this.chosen]}; arrow keys read them one by one`);
    this.readTap();
  }

  readTap() {
    const [row, column] = [Math.floor(this.tap / this.data.kernel[1]), this.tap % this.data.kernel[1]], [value, weight, product] = this.numbers(this.tap);
    const where = this.taps > 1 ? `Row ${row}, column ${column} of the window: ` : "";
    put(this.find("output"), `${where}${number(value)}${this.data.padding[this.tap] ? " (padding)" : ""} × ${number(weight)} = ${number(product)}${this.taps > 1 ? `; all ${this.taps} together ${number(this.sums[this.chosen])}` : ""}`);
  }

  wireSheets() {
    const sheets = this.find(".sheets");
    const at = (row, column) => {
      const [rows, columns] = this.data.kernel, tap = between(row, rows - 1) * columns + between(column, columns - 1);
      if (tap === this.tap) return;
      this.tap = tap;
      this.paintOpen();
    };
    sheets.onpointermove = sheets.onpointerdown = (event) => {
      const area = sheets.querySelector("canvas").getBoundingClientRect();
      const [x, y] = [(event.clientX - area.left) % this.across, event.clientY - area.top];
      if (x < this.across - GAP) at(Math.floor(y / this.side), Math.floor(x / this.side));
    };
    sheets.onkeydown = (event) => {
      const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!way) return;
      event.preventDefault();
      at(Math.floor(this.tap / this.data.kernel[1]) + way[0], (this.tap % this.data.kernel[1]) + way[1]);
    };
  }
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  const bench = root.querySelector(".ledger");
  (bench._ledger ??= new UnitLedger(bench)).receive(data, setTriggerValue);
}
