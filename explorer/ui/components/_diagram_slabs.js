// Maps as slabs in oblique projection: thickness to the right, rows upwards, columns into the depth.
// Edges follow the square root of the sizes: drawn in proportion, a first map would hide all others.
const TALL = 200, THICK = 34, SLANT = 0.34, NEIGHBOUR = 5, LEVEL = 150, HALT = 11;

const dense = (slab) => slab.shape.length < 2;

function measured(slabs) {
  const maps = slabs.filter((slab) => !dense(slab)), bars = slabs.filter(dense);
  const most = (list, axis) => Math.max(1, ...list.map(({ size }) => size[axis]));
  const side = TALL / Math.sqrt(Math.max(most(maps, 1), most(maps, 2))), thick = Math.min(2, THICK / Math.sqrt(most(maps, 0)));
  const long = Math.min(2.6, TALL / Math.sqrt(most(bars, 0)));
  return slabs.map((slab) => {
    const [channels, rows, columns] = slab.size;
    if (dense(slab)) return { slab, w: 9, h: Math.max(4, long * Math.sqrt(channels)), dx: 4, dy: 4 };
    const depth = Math.max(2, side * Math.sqrt(columns)) * SLANT;
    return { slab, w: Math.max(2.5, thick * Math.sqrt(channels)), h: Math.max(3, side * Math.sqrt(rows)), dx: depth, dy: depth * 0.72 };
  });
}

// "Conv2d", "3 × 3, stride 2" in short lines; neighbours alike are said once.
function wordsOf(group) {
  const runs = [];
  for (const { slab } of group) {
    const key = `${slab.kind}|${slab.settings}`;
    if (runs.at(-1)?.key === key) runs.at(-1).times += 1;
    else runs.push({ key, slab, times: 1 });
  }
  const said = runs.length > 3 ? [...runs.slice(0, 2), null, runs.at(-1)] : runs;
  const before = [], after = [];
  for (const run of said) {
    if (!run) before.push({ text: "…" });
    else {
      before.push({ text: run.times > 1 ? `${run.slab.kind} ×${run.times}` : run.slab.kind, strong: true });
      if (run.slab.settings) before.push(...run.slab.settings.split(", ").slice(0, 2).map((text) => ({ text })));
    }
  }
  for (const { slab } of group) for (const kind of slab.then) if (!after.includes(kind)) after.push(kind);
  return { before, after: after.map((text) => ({ text })) };
}

// Where slabs, arrows and words stand; `slabs` in their order, `stop` what could not follow, if anything.
export function standing(slabs, stop = null) {
  const groups = [];
  for (const each of measured(slabs)) {
    const last = groups.at(-1)?.at(-1)?.slab;
    if (last && !dense(last) && String(last.shape) === String(each.slab.shape)) groups.at(-1).push(each);
    else groups.push([each]);
  }
  const found = { slabs: [], arrows: [], words: [], labels: [], width: 0, height: 0 };
  let x = 24, low = 0;
  groups.forEach((group, at) => {
    const label = shapeText([group[0].slab.shape]), words = wordsOf(group);
    const body = group.reduce((sum, { w }) => sum + w + NEIGHBOUR, -NEIGHBOUR), tag = widthOf(label, 12, 650);
    if (at) {
      const wide = Math.max(26, ...[...words.before, ...words.after].map(({ text, strong }) => widthOf(text, 11, strong ? 650 : 400)));
      found.arrows.push({ x, y: LEVEL, to: x + wide + 12 });
      words.before.toReversed().forEach((line, up) => found.words.push({ ...line, x: x + wide / 2 + 5, y: LEVEL - 8 - 13.5 * up }));
      words.after.forEach((line, down) => found.words.push({ ...line, x: x + wide / 2 + 5, y: LEVEL + 16 + 13.5 * down }));
      x += wide + 18;
    }
    // the words under a slab need room; half of what they need may stand under the arrows
    const spare = Math.max(0, (tag - body) / 2 - (at ? 24 : 4));
    x += spare;
    const from = x;
    for (const { slab, w, h, dx, dy } of group) {
      const y = LEVEL - (h - dy) / 2;
      found.slabs.push({ slab, x, y, w, h, dx, dy });
      x += w + NEIGHBOUR;
      low = Math.max(low, y + h);
    }
    x -= NEIGHBOUR;
    const last = group.at(-1);
    found.labels.push({ text: label, x: (from + x) / 2, y: LEVEL + (last.h + last.dy) / 2 + 18 });
    x += Math.max(last.dx + 6, spare);
  });
  if (stop) {
    const before = [{ text: stop.kind, strong: true }, ...stop.settings.split(", ").filter(Boolean).slice(0, 2).map((text) => ({ text }))];
    const wide = Math.max(26, ...[...before, { text: stop.words, strong: true }].map(({ text, strong }) => widthOf(text, 11, strong ? 650 : 400)));
    found.arrows.push({ x, y: LEVEL, to: x + wide + 12, wrong: true });
    before.toReversed().forEach((line, up) => found.words.push({ ...line, x: x + wide / 2 + 5, y: LEVEL - 8 - 13.5 * up }));
    found.words.push({ text: stop.words, strong: true, wrong: true, x: x + wide / 2 + 5, y: LEVEL + 16 });
    found.stop = { x: x + wide + 14 + HALT, y: LEVEL, r: HALT, name: `${before.map(({ text }) => text).join(" ")}, ${stop.words}: ${stop.sentence}` };
    x += wide + 14 + 2 * HALT;
  }
  for (const line of [...found.labels, ...found.words]) low = Math.max(low, line.y);
  found.width = x + 20;
  const high = Math.min(...found.slabs.map(({ y, dy }) => y - dy), ...found.words.map(({ y }) => y - 11));
  found.top = high - 16;
  found.height = low + 16 - found.top;
  return found;
}
