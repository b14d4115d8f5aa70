// The numbers behind one number, drawn: the ledger of products, and the lens on the neighbourhood.
// On canvases, since hundreds of cells follow the pointer; their words stand in labels beside them.

// For reading: whole numbers whole, others with two digits after the point.
export const readable = (value) => (Number.isInteger(value) ? String(value) : Math.abs(value) < 0.005 || Math.abs(value) >= 1e6 ? value.toExponential(2) : value.toFixed(2)).replace("-", "−");

const GAP = 16; // CSS pixels between channels
const LARGEST_CELL = 70, TALLEST = 480; // CSS pixels of a cell, and of a channel's cells together
const LENS_SIDE = 440, LENS_ACROSS = 11, LENS_DOWN = 7; // CSS pixels across, and cells at least

const plain = (value) => [value, value, value];
// Padding looks like what it shows, under a mist.
const misted = (colour) => colour.map((byte) => 0.5 * byte + 75);

// Pixel × weight of every product, channel by channel.  `room`: CSS pixels across; `hue(tap)`: a frame for each weight, or null.
export function drawLedger(canvas, seen, width, room, hue) {
  const height = seen[0].length / width, third = (room - 2 * GAP) / 3;
  const beside = seen.length > 1 && third / width >= 27; // else the channels stand below each other
  const below = beside ? 1 : seen.length;
  const side = Math.max(16, Math.min(LARGEST_CELL, Math.floor((beside ? third : room - GAP) / width), Math.floor(TALLEST / height / below)));
  const [across, down] = [width * side + GAP, height * side + GAP];
  const context = sized(canvas, (beside ? seen.length : 1) * across - GAP, below * down - GAP);
  const lines = seen.map((products) => products.map(({ value, weight, product }) => cellLines(value, weight, product, side)));
  const size = Math.min(...lines.flat().map((texts) => lettersOf(side, texts)));
  seen.forEach((products, channel) => {
    const [x, y] = beside ? [channel * across, 0] : [0, channel * down];
    products.forEach(({ value, padding }, tap) => {
      const colour = seen.length === 1 ? plain(value) : plain(0.35 * value).map((byte, index) => (index === channel ? value : byte));
      const [left, top] = [x + (tap % width) * side, y + Math.floor(tap / width) * side];
      drawCell(context, left, top, side, padding ? misted(colour) : colour, lines[channel][tap], padding, size);
      if (!hue) return;
      Object.assign(context, { strokeStyle: hue(tap), lineWidth: 3 });
      context.strokeRect(left + 1.5, top + 1.5, side - 4, side - 4);
    });
  });
}

// As much as a cell has room for; the label has it all.
function cellLines(value, weight, product, side) {
  if (side >= 44) return [`${readable(value)} × ${showWeight(weight)}`, `= ${readable(product)}`];
  return side >= 27 ? [readable(value), `×${brief(weight)}`] : [readable(value)];
}

// The window [top, left, height, width] and what lies around it; `at(row, column)` gives {values, inside} or null beyond the padding.
export function drawLens(canvas, [top, left, height, width], room, at, accent) {
  const across = Math.max(LENS_ACROSS, width + 2), down = Math.max(LENS_DOWN, height + 2), side = Math.floor(Math.min(room, LENS_SIDE) / across);
  const context = sized(canvas, across * side, down * side);
  const [firstRow, firstColumn] = [top - ((down - height) >> 1), left - ((across - width) >> 1)];
  const cells = Array.from({ length: down * across }, (_, cell) => at(firstRow + Math.floor(cell / across), firstColumn + (cell % across)));
  const size = Math.min(...cells.filter(Boolean).map(({ values }) => lettersOf(side, values.map(readable))));
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++) {
      const seen = cells[y * across + x];
      if (!seen) continue;
      const colour = seen.values.length > 1 ? seen.values : plain(seen.values[0]);
      drawCell(context, x * side, y * side, side, seen.inside ? colour : misted(colour), seen.values.map(readable), !seen.inside, size);
    }
  for (const [strokeStyle, lineWidth] of [["#fff", 5], [accent, 3]]) {
    Object.assign(context, { strokeStyle, lineWidth });
    context.strokeRect((left - firstColumn) * side - 0.5, (top - firstRow) * side - 0.5, width * side, height * side);
  }
}
