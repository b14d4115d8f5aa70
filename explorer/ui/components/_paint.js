// Numbers into colours, for components that paint maps.  The tables come from Python, where colours are decided.

// 255 entries of red, green, blue: 127 is zero.
export const tableOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

// Entry of a signed value on a scale that ends at ±peak.
export const entry = (value, peak) => 127 + Math.round(127 * Math.min(Math.max(peak > 0 ? value / peak : 0, -1), 1));

export const shade = (table, value, peak) => {
  const at = 3 * entry(value, peak);
  return [table[at], table[at + 1], table[at + 2]];
};

export const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

// Any colour that CSS knows, as bytes.
export function bytesOf(colour) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
}

// Black or white, whichever can be read on this colour (WCAG's relative luminance).
export function ink([red, green, blue]) {
  const linear = (byte) => (byte <= 10.31475 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) > 0.179 ? "#000" : "#fff";
}

// One 32-bit word for each entry: the machines that browsers run on are little-endian.
const words = (table) => Uint32Array.from({ length: table.length / 3 }, (_, i) => (0xff000000 | (table[3 * i + 2] << 16) | (table[3 * i + 1] << 8) | table[3 * i]) >>> 0);

export function paintSigned(image, values, peak, table) {
  const pixels = new Uint32Array(image.data.buffer), colours = words(table);
  const scale = peak > 0 ? 127 / peak : 0;
  for (let i = 0; i < values.length; i++) {
    const at = values[i] * scale;
    pixels[i] = colours[at >= 127 ? 254 : at <= -127 ? 0 : (127.5 + at) | 0];
  }
  return image;
}

// Values as grey of 0..255; what lies outside is clipped.
export function paintPhotograph(image, values) {
  for (let i = 0; i < values.length; i++) {
    image.data[4 * i] = image.data[4 * i + 1] = image.data[4 * i + 2] = values[i]; // clamped and rounded by the array itself
    image.data[4 * i + 3] = 255;
  }
  return image;
}

// Every second, third … value of each row and column: a small picture of a large one.
export function thinned(values, columns, step) {
  const rows = values.length / columns, height = Math.ceil(rows / step), width = Math.ceil(columns / step);
  const small = new Float32Array(height * width);
  let at = 0;
  for (let row = 0; row < rows; row += step) for (let column = 0; column < columns; column += step) small[at++] = values[row * columns + column];
  return small;
}

// Three planes of values as red, green and blue, clipped.
export function paintColours(image, planes) {
  planes.forEach((values, channel) => {
    for (let i = 0; i < values.length; i++) image.data[4 * i + channel] = values[i];
  });
  for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255;
  return image;
}

// A veil of one colour over the chosen rows × columns (`inside`), or over all else.
export function paintVeil(image, rows, columns, inside, [red, green, blue, alpha]) {
  const pixels = new Uint32Array(image.data.buffer), { width, height } = image;
  const word = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) pixels[y * width + x] = Boolean(rows[y] && columns[x]) === inside ? word : 0;
  return image;
}

// Bars of a histogram, each in the colour of its values.
export function drawHistogram(canvas, { histogram, min, max }, colourAt, text) {
  const context = canvas.getContext("2d"), { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const highest = Math.log1p(Math.max(...histogram)), bins = histogram.length; // of the logarithm: a flat sky would hide all else
  for (let bin = 0; bin < bins; bin++) {
    const tall = highest ? (Math.log1p(histogram[bin]) / highest) * (height - 2) : 0;
    const from = Math.round((bin * width) / bins), to = Math.round(((bin + 1) * width) / bins);
    context.fillStyle = css(colourAt(min + ((bin + 0.5) / bins) * (max - min)));
    context.fillRect(from, height - tall, to - from, tall);
    context.fillStyle = text; // an outline: white bars must show on white paper
    if (tall) context.fillRect(from, height - tall - 1, to - from, 1);
  }
}

// A canvas of so many CSS pixels, sharp on fine screens; gives its context in CSS pixels.
export function sized(canvas, width, height) {
  const ratio = globalThis.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return Object.assign(context, { textAlign: "center", textBaseline: "middle" });
}

export const FONT = '"Source Sans", "Source Sans 3", sans-serif'; // a canvas inherits none

// Size of the letters in which these lines fit into a cell.
export function lettersOf(side, lines) {
  const longest = Math.max(...lines.map((line) => line.length), 1);
  return Math.min(14, (side - 4) / Math.max(lines.length, 1) / 1.15, ((side - 4) / longest) * 1.75);
}

// A cell of numbers: lines of text in the middle of a box.  Cells side by side share a size, as small as one needs.
export function drawCell(context, x, y, side, colour, lines, hatched, size) {
  context.fillStyle = css(colour);
  context.fillRect(x, y, side - 1, side - 1);
  context.fillStyle = context.strokeStyle = ink(colour);
  if (hatched) {
    context.save();
    context.globalAlpha = 0.45;
    context.lineWidth = 1;
    context.beginPath();
    for (let at = 6; at < 2 * side; at += 6) {
      context.moveTo(x + Math.max(0, at - side), y + Math.min(at, side - 1));
      context.lineTo(x + Math.min(at, side - 1), y + Math.max(0, at - side));
    }
    context.stroke();
    context.restore();
  }
  if (size < 6) return;
  context.font = `${size}px ${FONT}`;
  lines.forEach((line, index) => context.fillText(line, x + side / 2 - 0.5, y + side / 2 + (index - (lines.length - 1) / 2) * size * 1.18, side - 4));
}
