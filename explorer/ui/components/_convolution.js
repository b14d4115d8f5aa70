// The arithmetic of a convolution: numbers in, numbers out, nothing of the screen.
// Planes are row-major Float32Arrays; pairs are [rows, columns]; "convolution" is what networks compute:
//   out[y, x] = Σ kernel[i, j] · padded[y·stride + i·dilation, x·stride + j·dilation]
// spec = {kernelHeight, kernelWidth, stride: pair, padding: "same" or pair, dilation: pair, mode}.

// How far each mode can pad a picture's side; torch.nn.functional.pad refuses the same.
const FARTHEST = {
  zeros: () => Infinity,
  reflect: (length) => length - 1,
  replicate: () => Infinity,
  circular: (length) => length,
};

// Grey as Pillow's convert("L") has it (ITU-R 601 in 16 bits), of `count` pixels of RGBA bytes.
export function grey(rgba, count) {
  const plane = new Float32Array(count);
  for (let i = 0, at = 0; i < count; i++, at += 4)
    plane[i] = (19595 * rgba[at] + 38470 * rgba[at + 1] + 7471 * rgba[at + 2] + 0x8000) >> 16;
  return plane;
}

// The planes R, G and B.
export function channels(rgba, count) {
  return [0, 1, 2].map((channel) => {
    const plane = new Float32Array(count);
    for (let i = 0, at = channel; i < count; i++, at += 4) plane[i] = rgba[at];
    return plane;
  });
}

// What happens along one axis (0: rows, 1: columns): the padding before and after, and the number of windows (0 if none).
function along(length, spec, axis) {
  const [kernel, stride, dilation] = [axis ? spec.kernelWidth : spec.kernelHeight, spec.stride[axis], spec.dilation[axis]];
  const reach = dilation * (kernel - 1);
  // as torch: where "same" needs an odd number, the odd one comes after
  const before = spec.padding === "same" ? Math.floor(reach / 2) : spec.padding[axis];
  const after = spec.padding === "same" ? reach - before : before;
  const room = length + before + after - reach - 1;
  const fits = room >= 0 && Math.max(before, after) <= FARTHEST[spec.mode](length);
  return { kernel, stride, dilation, before, after, windows: fits ? Math.floor(room / stride) + 1 : 0 };
}

export function margins(height, width, spec) {
  const [rows, columns] = [along(height, spec, 0), along(width, spec, 1)];
  return { top: rows.before, bottom: rows.after, left: columns.before, right: columns.after };
}

// [rows, columns] of the result; null where the window does not fit, or the mode cannot pad that far.
export function outputShape(height, width, spec) {
  const shape = [along(height, spec, 0).windows, along(width, spec, 1).windows];
  return shape.includes(0) ? null : shape;
}

// Which row (column) of a picture the padded one shows at `index`, `before` being the padding in front; -1: none, a zero.
export function source(index, length, before, mode) {
  const at = index - before;
  if (at >= 0 && at < length) return at;
  if (mode === "reflect") return at < 0 ? -at : 2 * (length - 1) - at;
  if (mode === "replicate") return at < 0 ? 0 : length - 1;
  if (mode === "circular") return (at + length) % length;
  return -1;
}

// The picture within its margins: {values, height, width}.
export function pad(plane, height, width, m, mode) {
  const padded = { height: height + m.top + m.bottom, width: width + m.left + m.right };
  const values = new Float32Array(padded.height * padded.width);
  const outside = [];
  for (let column = 0; column < padded.width; column++)
    if (column < m.left || column >= m.left + width) outside.push([column, source(column, width, m.left, mode)]);
  for (let row = 0; row < padded.height; row++) {
    const from = source(row, height, m.top, mode) * width;
    if (from < 0) continue;
    values.set(plane.subarray(from, from + width), row * padded.width + m.left);
    for (const [column, shown] of outside) if (shown >= 0) values[row * padded.width + column] = plane[from + shown];
  }
  return { values, ...padded };
}

// out += weight · the padded picture as that tap of the kernel sees it, in the rows from `from` to before `to`.
// One tap at a time: who changes one weight pays for one, with the difference as `weight`.
export function accumulate(out, rows, columns, padded, tapRow, tapColumn, weight, spec, from = 0, to = rows) {
  const { values, width } = padded;
  const [down, right] = spec.stride;
  const top = tapRow * spec.dilation[0], left = tapColumn * spec.dilation[1];
  for (let row = from; row < to; row++) {
    const end = (row + 1) * columns;
    let at = (row * down + top) * width + left;
    for (let i = row * columns; i < end; i++, at += right) out[i] += weight * values[at];
  }
}

// The same for four neighbouring taps at once: one sweep, where four would read and write `out` four times.
function accumulateFour(out, columns, padded, tapRow, tapColumn, [a, b, c, d], spec, from, to) {
  const { values, width } = padded;
  const [down, right] = spec.stride;
  const top = tapRow * spec.dilation[0], left = tapColumn * spec.dilation[1];
  const one = spec.dilation[1], two = 2 * one, three = 3 * one;
  for (let row = from; row < to; row++) {
    const end = (row + 1) * columns;
    let at = (row * down + top) * width + left;
    for (let i = row * columns; i < end; i++, at += right)
      out[i] += a * values[at] + b * values[at + one] + c * values[at + two] + d * values[at + three];
  }
}

// The sum over channels (a kernel of one channel serves all), added to `out`: all rows, or those that `accumulate` takes.
export function convolve(paddeds, weights, spec, rows, columns, out = new Float32Array(rows * columns), from = 0, to = rows) {
  const { kernelHeight, kernelWidth } = spec;
  paddeds.forEach((padded, channel) => {
    const kernel = weights[channel] ?? weights[0];
    for (let i = 0; i < kernelHeight; i++) {
      const line = kernel.slice(i * kernelWidth, (i + 1) * kernelWidth);
      let j = 0;
      for (; j + 4 <= kernelWidth; j += 4) {
        const four = line.slice(j, j + 4);
        if (four.some(Boolean)) accumulateFour(out, columns, padded, i, j, four, spec, from, to);
      }
      for (; j < kernelWidth; j++) if (line[j]) accumulate(out, rows, columns, padded, i, j, line[j], spec, from, to);
    }
  });
  return out;
}

// One function of all kinds: V8 keeps it within the loop, where a table of functions would be called for each pixel.
function activation(z, kind) {
  switch (kind) {
    case "relu":
      return z > 0 ? z : 0;
    case "abs":
      return Math.abs(z);
    case "sigmoid":
      return 1 / (1 + Math.exp(-z));
    case "tanh":
      return Math.tanh(z);
    default:
      return z;
  }
}

// The activation (none, relu, abs, sigmoid, tanh) of each value plus bias, written into `out`.
export function activate(values, bias, kind, out) {
  // the usual one in a loop of its own: four times as fast as where the kind is asked for at each pixel
  if (kind === "none") for (let i = 0; i < values.length; i++) out[i] = values[i] + bias;
  else for (let i = 0; i < values.length; i++) out[i] = activation(values[i] + bias, kind);
  return out;
}

// Everything behind one number of the result: {channels, sums, sum, biased, result}.  `channels` holds for each
// channel a list of its products {row, column, value, weight, product, padding, sourceRow, sourceColumn}: the place
// in the picture, which may lie outside (then `padding` is true); the source is what is seen there, -1 for a zero.
export function windowAt(paddeds, weights, spec, height, width, row, column, bias, kind) {
  const { top, left } = margins(height, width, spec);
  const seen = paddeds.map((padded, channel) =>
    Array.from(weights[channel] ?? weights[0], (weight, tap) => {
      const y = row * spec.stride[0] + Math.floor(tap / spec.kernelWidth) * spec.dilation[0];
      const x = column * spec.stride[1] + (tap % spec.kernelWidth) * spec.dilation[1];
      const value = padded.values[y * padded.width + x];
      const place = { row: y - top, column: x - left };
      const padding = place.row < 0 || place.row >= height || place.column < 0 || place.column >= width;
      const sourceRow = source(y, height, top, spec.mode), sourceColumn = source(x, width, left, spec.mode);
      return { ...place, value, weight, product: weight * value, padding, sourceRow, sourceColumn };
    }),
  );
  const sums = seen.map((products) => products.reduce((sum, { product }) => sum + product, 0));
  const sum = sums.reduce((a, b) => a + b, 0);
  return { channels: seen, sums, sum, biased: sum + bias, result: activation(sum + bias, kind) };
}

// How often windows read each row (axis 0) or column (axis 1) of the picture, through its padding too.
export function coverage(length, spec, axis) {
  const { kernel, stride, dilation, before, windows } = along(length, spec, axis);
  const counts = new Uint32Array(length);
  for (let window = 0; window < windows; window++)
    for (let tap = 0; tap < kernel; tap++) {
      const read = source(window * stride + tap * dilation, length, before, spec.mode);
      if (read >= 0) counts[read]++;
    }
  return counts;
}

// Rows and columns of the result whose windows read no padding: [first row, after the last, first column, after the last].
export function insideOf(height, width, spec) {
  return [height, width].flatMap((length, axis) => {
    const { kernel, stride, dilation, before, windows } = along(length, spec, axis);
    return [Math.ceil(before / stride), Math.min(windows, Math.floor((length - 1 - dilation * (kernel - 1) + before) / stride) + 1)];
  });
}

// The largest |value| there, which colours are scaled by: padding makes edges that no picture has, and they would
// pale all else.  Where every window reads padding, the largest of all.
export function innerPeak(values, columns, [top, bottom, left, right]) {
  const whole = top >= bottom || left >= right, [first, last, from, to] = whole ? [0, values.length / columns, 0, columns] : [top, bottom, left, right];
  let peak = 0;
  for (let row = first; row < last; row++)
    for (let i = row * columns + from, end = row * columns + to; i < end; i++) {
      const size = Math.abs(values[i]);
      if (size > peak) peak = size;
    }
  return peak;
}

const BINS = 64;

// {min, max, mean, peak: the largest |value|, below 0 and above 255 (by more than rounding): how many, histogram: 64 equal bins from min to max}.
// Plain counting, without branches on signs that nobody can predict: `for … of` over an array of this size costs
// eight times as much.
export function statistics(values) {
  let min = Infinity, max = -Infinity, sum = 0, below = 0, above = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value < min) min = value;
    if (value > max) max = value;
    below += Number(value < -0.5);
    above += Number(value > 255.5);
    sum += value;
  }
  const histogram = new Uint32Array(BINS);
  const scale = max > min ? BINS / (max - min) : 0;
  for (let i = 0; i < values.length; i++) histogram[Math.min(((values[i] - min) * scale) | 0, BINS - 1)]++;
  return { min, max, mean: sum / values.length, peak: Math.max(-min, max), below, above, histogram };
}
