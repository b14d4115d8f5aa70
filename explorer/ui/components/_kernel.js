// A kernel under the hand: numbers as people type them, turning and resizing, strokes, undo.
// kernel = {height, width, channels: [row-major weights]}; every operation gives a new one and leaves the old.

const LARGEST = 1e6; // weights beyond it are refused in Python too
const NUMBER = String.raw`([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)`;
const FRACTION = new RegExp(String.raw`^\s*${NUMBER}\s*(?:/\s*${NUMBER}\s*)?$`, "i");

// "0.25", "-1", "1/9", " -1 / 9 ": the number; NaN for anything else and for what is too large.
export function parseNumber(text) {
  // pasted text often has the typographer's minus
  const [, above, below = "1"] = FRACTION.exec(text.replaceAll("−", "-")) ?? [];
  const value = Number(above) / Number(below);
  return Math.abs(value) <= LARGEST ? value : NaN;
}

// A weight, short enough for a cell: 0.1111 for 1/9, 1e-7.
export function showNumber(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.001) return value.toExponential(1).replace(".0e", "e");
  return String(Number(size < 1 ? value.toFixed(4) : Number.isInteger(value) ? value : value.toPrecision(4)));
}

// The cell that lies on the pixel itself: with an even side torch's padding="same" has the shorter half in front.
const anchor = (side) => Math.floor((side - 1) / 2);

// A kernel of that size whose cell (row, column) of each channel is `weight(values, row, column)`.
function build(kernel, height, width, weight) {
  const channels = kernel.channels.map((values) =>
    Float64Array.from({ length: height * width }, (_, cell) => weight(values, Math.floor(cell / width), cell % width)),
  );
  return { height, width, channels };
}

// A kernel whose channels are `change(values)`.
const channelwise = (kernel, change) => ({ ...kernel, channels: kernel.channels.map((values) => Float64Array.from(change(values))) });

const total = (values) => values.reduce((sum, value) => sum + value, 0);

// Cut or filled up with zeros; what lies on the pixel itself stays there.
export function resize(kernel, height, width) {
  const down = anchor(kernel.height) - anchor(height), right = anchor(kernel.width) - anchor(width);
  return build(kernel, height, width, (values, row, column) => {
    const y = row + down, x = column + right;
    return y >= 0 && y < kernel.height && x >= 0 && x < kernel.width ? values[y * kernel.width + x] : 0;
  });
}

// Left and right change places.
export function mirror(kernel) {
  const { height, width } = kernel;
  return build(kernel, height, width, (values, row, column) => values[row * width + width - 1 - column]);
}

// Top and bottom change places.
export function flipVertical(kernel) {
  const { height, width } = kernel;
  return build(kernel, height, width, (values, row, column) => values[(height - 1 - row) * width + column]);
}

// A quarter turn clockwise.
export function rotate(kernel) {
  const { height, width } = kernel;
  return build(kernel, width, height, (values, row, column) => values[(height - 1 - column) * width + row]);
}

export function negate(kernel) {
  return channelwise(kernel, (values) => values.map((value) => 0 - value)); // `-value` would make -0 of 0
}

// Each channel's sum becomes 1; one that sums to nothing stays as it is.
export function normalise(kernel) {
  return channelwise(kernel, (values) => {
    const sum = total(values);
    return Math.abs(sum) < 1e-12 ? values : values.map((value) => value / sum);
  });
}

// Each channel's sum becomes 0.
export function zeroMean(kernel) {
  return channelwise(kernel, (values) => {
    const mean = total(values) / values.length;
    return values.map((value) => value - mean);
  });
}

export function clear(kernel) {
  return channelwise(kernel, (values) => values.map(() => 0));
}

// The cells [row, column] from one to another, both among them: a quick drag leaves no holes (Bresenham 1965).
export function line([row, column], [lastRow, lastColumn]) {
  const height = Math.abs(lastRow - row), width = Math.abs(lastColumn - column);
  const down = Math.sign(lastRow - row), right = Math.sign(lastColumn - column);
  const cells = [[row, column]];
  let error = width - height;
  while (row !== lastRow || column !== lastColumn) {
    const twice = 2 * error;
    if (twice > -height) {
      error -= height;
      column += right;
    }
    if (twice < width) {
      error += width;
      row += down;
    }
    cells.push([row, column]);
  }
  return cells;
}

// What was, for undo and redo; the state pushed last is the present one.
export class History {
  #states = [];
  #place = -1;
  #limit;

  constructor(limit = 200) {
    this.#limit = limit;
  }

  // What had been undone is forgotten, and so is the oldest beyond the limit.
  push(state) {
    this.#states = [...this.#states.slice(0, this.#place + 1), state].slice(-this.#limit);
    this.#place = this.#states.length - 1;
  }

  get canUndo() {
    return this.#place > 0;
  }

  get canRedo() {
    return this.#place < this.#states.length - 1;
  }

  // The state before (after); at the end of what is known, the present one.
  undo() {
    if (this.canUndo) this.#place--;
    return this.#states[this.#place];
  }

  redo() {
    if (this.canRedo) this.#place++;
    return this.#states[this.#place];
  }
}
