// The numbers of a window that slides: planes of cells, and frames that say which of them meet.  Picture, weights and
// bias may be changed; every plane that shows them, padding included, and every result follow.
export const PICTURE = 0; // flag of a cell of the picture itself
export const HOLE = 2; // and of one that no window may read
const PARTS = ["picture", "weights", "bias"];
const sameShape = (a, b) => a.length === b.length && a.every((size, axis) => size === b[axis]);

export class Worked {
  // animation: as `explorer.animation.to_json` writes it; numbers: {picture, weights, bias}, each {shape, values}, of
  // which `source` in the planes holds indices.  What was changed in `before`, another Worked, is kept where it fits.
  constructor(animation, numbers, before) {
    Object.assign(this, animation);
    const filled = (plane) => ({ ...plane, values: Float64Array.from(plane.values, (value) => value ?? -Infinity) });
    this.inputs = this.inputs.map(filled);
    this.kernels = this.kernels.map((planes) => planes.map(filled));
    this.numbers = numbers;
    this.own = {};
    this.dropped = []; // changes that no longer fit: {part, shape}
    for (const part of PARTS) {
      if (!numbers[part]) continue;
      const kept = before?.own[part];
      const fits = kept?.edited && sameShape(before.numbers[part].shape, numbers[part].shape);
      if (kept?.edited && !fits) this.dropped.push({ part, shape: before.numbers[part].shape, now: numbers[part].shape });
      this.own[part] = fits ? { edited: true, values: kept.values.slice() } : { edited: false, values: Float64Array.from(numbers[part].values) };
    }
    if (before) for (const part of PARTS) if (before.own[part]?.edited && !numbers[part]) this.dropped.push({ part, shape: before.numbers[part].shape, now: null });
    const across = (this.mode === "gather" ? this.inputs : this.outputs)[0].columns, weightsAcross = this.kernels[0]?.[0].columns ?? 0;
    // of each pattern plane and cell of every tap, and plane and cell of its weight: a frame adds one number to each
    this.forms = this.patterns.map((numbersOf) => {
      const form = new Int32Array((numbersOf.length / 6) * 4);
      for (let i = 0, to = 0; i < numbersOf.length; i += 6) {
        form[to++] = numbersOf[i];
        form[to++] = numbersOf[i + 1] * across + numbersOf[i + 2];
        form[to++] = numbersOf[i + 3];
        form[to++] = numbersOf[i + 4] * weightsAcross + numbersOf[i + 5];
      }
      return form;
    });
    this.across = across;
    this.boxes = this.patterns.map((_, pattern) => this.boxesOf(pattern));
    this.follow();
  }

  get edited() {
    return PARTS.some((part) => this.own[part]?.edited);
  }

  // ------------------------------------------------------------------ changes

  // One number, by its index in its part.
  change(part, index, value) {
    if (this.own[part].values[index] === value) return;
    this.own[part].values[index] = value;
    this.own[part].edited = true;
    this.follow();
  }

  // A part as a whole.
  replace(part, values) {
    this.own[part] = { edited: true, values: Float64Array.from(values) };
    this.follow();
  }

  // What was changed, as text for a link: "p8_-6.5_0~b1_2"; "" where nothing was.
  get text() {
    return PARTS.filter((part) => this.own[part]?.edited).map((part) => `${part[0]}${[...this.own[part].values].join("_")}`).join("~");
  }

  // The same text, taken back: what does not fit is left as it is.
  read(text) {
    for (const chunk of text.split("~")) {
      const part = PARTS.find((each) => each[0] === chunk[0]), values = chunk.slice(1).split("_").map(Number);
      if (this.own[part]?.values.length === values.length && values.every(Number.isFinite)) this.own[part] = { edited: true, values: Float64Array.from(values) };
    }
    this.follow();
  }

  // What the stage before makes of its numbers is this one's picture.
  feed(values) {
    this.own.picture = { edited: false, values: Float64Array.from(values) };
    this.follow();
  }

  reset() {
    for (const part of PARTS) if (this.own[part]?.edited) this.own[part] = { edited: false, values: Float64Array.from(this.numbers[part].values) };
    this.follow();
  }

  // Weights that find edges: the second half minus the first, along columns for the first filter, along rows for the
  // second, and so on; null where a window has one cell.
  edges() {
    const { rows, columns } = this.kernels[0][0], [, , ...sides] = this.numbers.weights.shape;
    if (rows * columns === 1) return null;
    const slices = sides.length > 2 ? sides[0] : 1, values = this.own.weights.values.slice();
    this.kernels.forEach((planes, kernel) =>
      planes.forEach(({ source }, plane) => {
        const filter = this.mode === "scatter" ? Math.floor(plane / slices) : kernel;
        const alongColumns = columns > 1 && (filter % 2 === 0 || rows === 1);
        source.forEach((index, at) => {
          const [place, size] = alongColumns ? [at % columns, columns] : [Math.floor(at / columns), rows];
          if (index >= 0) values[index] = Math.sign(2 * place - (size - 1));
        });
      }),
    );
    return values;
  }

  // ------------------------------------------------------------------ what follows from them

  follow() {
    const fill = (plane, values) => {
      const { source } = plane;
      for (let at = 0; at < source.length; at++) if (source[at] >= 0) plane.values[at] = values[source[at]];
    };
    for (const plane of this.inputs) fill(plane, this.own.picture.values);
    for (const plane of this.kernels.flat()) fill(plane, this.own.weights.values);
    this.results = this.compute(this.frames.length);
    const peakOf = (values) => values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1e-9);
    this.peak = Math.max(...this.results.map(peakOf));
    this.weightPeak = Math.max(1e-9, ...this.kernels.flat().map((plane) => peakOf(plane.values)));
    const cells = this.inputs.flatMap(({ values, flags }) => Array.from(values).filter((_, at) => !flags[at]));
    this.range = [Math.min(...cells, Infinity), Math.max(...cells, -Infinity)];
  }

  // Of a plane of the output.  torch keeps one number a filter; a filter has as many planes as the output has slices.
  biasOf(plane) {
    const values = this.own.bias?.values;
    return values ? values[this.filterOf(plane)] : 0;
  }

  filterOf(plane) {
    const filters = this.own.bias?.values.length;
    return filters ? Math.floor(plane / (this.outputs.length / filters)) : 0;
  }

  // All planes of the output after so many frames.  What no frame has completed yet is undefined; where cells scatter,
  // the bias stands there from the start.
  compute(count) {
    const { outputs, frames, inputs, kernels, forms, across } = this, scatters = this.mode === "scatter", largest = this.reduce === "max";
    const planes = outputs.map(({ rows, columns }, plane) => Array.from({ length: rows * columns }, () => (scatters ? this.biasOf(plane) : undefined)));
    for (let index = 0; index < count; index++) {
      const { at, filter, pattern, shift, divisor } = frames[index], form = forms[pattern], start = shift[1] * across + shift[2];
      const kernel = filter < 0 ? null : kernels[filter];
      if (scatters) {
        const value = inputs[at[0]].values[at[1] * inputs[at[0]].columns + at[2]];
        for (let i = 0; i < form.length; i += 4) planes[form[i] + shift[0]][form[i + 1] + start] += value * kernel[form[i + 2]].values[form[i + 3]];
        continue;
      }
      let total = largest ? -Infinity : 0;
      for (let i = 0; i < form.length; i += 4) {
        const value = inputs[form[i] + shift[0]].values[form[i + 1] + start];
        if (largest) total = value > total ? value : total;
        else total += kernel ? value * kernel[form[i + 2]].values[form[i + 3]] : value;
      }
      planes[at[0]][at[1] * outputs[at[0]].columns + at[2]] = largest ? total : total / divisor + this.biasOf(at[0]);
    }
    return planes;
  }

  // The cells that meet in a frame: [{tap: plane, row, column; kernel: its plane and cell, value, weight, product}].
  // Where cells scatter, the taps are of the output, and the value is the cell's.
  products(index) {
    const { at, filter, pattern, shift } = this.frames[index], form = this.forms[pattern], numbers = this.patterns[pattern], scatters = this.mode === "scatter";
    const given = scatters ? this.inputs[at[0]].values[at[1] * this.inputs[at[0]].columns + at[2]] : 0, found = [];
    for (let i = 0, from = 0; i < form.length; i += 4, from += 6) {
      const tap = [numbers[from] + shift[0], numbers[from + 1] + shift[1], numbers[from + 2] + shift[2]];
      const value = scatters ? given : this.inputs[tap[0]].values[tap[1] * this.across + tap[2]];
      const weight = filter < 0 ? 1 : this.kernels[filter][form[i + 2]].values[form[i + 3]];
      found.push({ tap, kernel: form[i + 2], value, weight, product: value * weight });
    }
    return found;
  }

  // A frame in words to be: {products, result, sum, bias, divisor, winner}, as far as its kind has them.
  outcome(index) {
    const products = this.products(index), { divisor, at } = this.frames[index];
    if (this.mode === "scatter") return { products };
    const result = this.results[at[0]][at[1] * this.outputs[at[0]].columns + at[2]];
    // a dilated window may lie in the padding alone: then nothing wins
    if (this.reduce === "max") return { products, result, winner: products.findIndex(({ value }) => value === result && value > -Infinity) };
    const sum = products.reduce((total, { product }) => total + product, 0);
    return this.reduce === "mean" ? { products, sum, divisor, result } : { products, sum, bias: this.biasOf(at[0]), result };
  }

  // ------------------------------------------------------------------ where windows stand

  // For each plane the box around what a pattern reads: top, left, bottom, right.
  boxesOf(pattern) {
    const boxes = new Map(), numbers = this.patterns[pattern];
    for (let i = 0; i < numbers.length; i += 6) {
      const [plane, row, column] = [numbers[i], numbers[i + 1], numbers[i + 2]];
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
}
