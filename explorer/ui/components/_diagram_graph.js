// Where the boxes of a network's graph stand, and the curves between them.
//
// Each open block is laid out by itself, inside first, and is one box where it stands: so frames never meet, and the
// time follows the largest block, not the network. What crosses a frame goes through a port in its border.
const NODE_GAP = 22, RANK_GAP = 30, FRAME = { side: 14, head: 32, foot: 12 };
const DENSE = 2.2; // edges per box; beyond it, long ones are arcs at the side, as dense blocks are drawn
const LINE = 15;

const ROUND = { add: "+", sub: "−", mul: "×", cat: "cat" };
const DIGITS = new Intl.NumberFormat("en-US");
const exact = (number) => DIGITS.format(number);
const shapeText = (shapes) => shapes.map((shape) => shape.map(exact).join(" × ") || "1 number").join(", ");

const ruler = document.createElement("canvas").getContext("2d");
const widths = new Map();
const FACE = '"Source Sans Pro", "Source Sans 3", "Segoe UI", Helvetica, Arial, sans-serif';

function widthOf(text, size = 12, weight = 400) {
  const key = `${size}/${weight}/${text}`;
  if (!widths.has(key)) {
    ruler.font = `${weight} ${size}px ${FACE}`;
    widths.set(key, ruler.measureText(text).width * 1.04);
  }
  return widths.get(key);
}

// What fits; what does not ends in an ellipsis.
export function clipped(text, width, size, weight) {
  if (widthOf(text, size, weight) <= width) return text;
  let end = text.length - 1;
  while (end > 1 && widthOf(`${text.slice(0, end)}…`, size, weight) > width) end -= 1;
  return `${text.slice(0, end).trimEnd()}…`;
}

const isRound = (node) => node.role === "operation" && !node.stop && node.kind.replace(/_+$/, "") in ROUND;
export const signOf = (node) => ROUND[node.kind.replace(/_+$/, "")];

// The lines of a box: what it is, its settings, its shape.
function linesOf(node) {
  const lines = [];
  if (node.settings) lines.push({ text: node.settings, size: 11.5, quiet: true });
  if (node.outputs.length) lines.push({ text: shapeText(node.outputs), size: 11.5 });
  if (node.stop) lines.push({ text: node.stop.words, size: 11.5, wrong: true });
  return lines;
}

export function sizeOf(node) {
  if (isRound(node)) return { w: 34, h: 34 };
  const head = widthOf(node.kind, 12.5, 650) + 8 + widthOf(node.title, 11.5) + (node.opens ? 24 : 0) + (node.times > 1 ? widthOf(`×${node.times}`, 11.5, 650) + 18 : 0);
  const widest = Math.max(head, ...linesOf(node).map((line) => widthOf(line.text, line.size, line.wrong ? 650 : 400)));
  return { w: Math.round(Math.min(230, Math.max(92, widest + 26))), h: 24 + LINE * linesOf(node).length + 4 };
}

// A frame is wide enough for its head.
function leastOf(node) {
  const kind = widthOf(node.kind, 12, 650) + (node.times > 1 ? widthOf(` ×${node.times}`, 12, 650) : 0);
  return Math.min(270, kind + widthOf(node.title, 12) + 66);
}

// Nodes get x, y, w, h (left, top), edges a path; all in CSS pixels. `across`: left to right.
export function layout({ nodes, edges }, across) {
  const boxes = nodes.map((node) => ({ ...sizeOf(node), x: 0, y: 0 }));
  const inside = new Map([[-1, []]]);
  nodes.forEach((node, at) => {
    if (node.opened) inside.set(at, []);
    inside.get(node.parent).push(at);
  });
  const frames = new Map([...inside].map(([at, children]) => [at, { at, children, links: new Map(), entries: new Set(), exits: new Set(), least: at < 0 ? 0 : leastOf(nodes[at]) }]));
  const above = (at) => (at < 0 ? [] : [at, ...above(nodes[at].parent)]);

  // an edge in pieces, one for each frame that it runs in
  const routes = edges.map(([source, target]) => {
    const ups = above(source), downs = above(target);
    const shared = ups.find((at) => downs.includes(at)) ?? -1;
    const pieces = [];
    const link = (frame, from, to) => {
      const key = `${from}>${to}:${source}`;
      frames.get(frame).links.set(key, { from, to });
      pieces.push({ frame, key });
    };
    let from = source;
    for (const frame of ups.slice(1, shared < 0 ? undefined : ups.indexOf(shared))) {
      frames.get(frame).exits.add(source);
      link(frame, from, `o${source}`);
      from = frame;
    }
    const way = downs.slice(1, shared < 0 ? undefined : downs.indexOf(shared)).toReversed();
    link(shared, from, way[0] ?? target);
    way.forEach((frame, step) => {
      frames.get(frame).entries.add(source);
      link(frame, `i${source}`, way[step + 1] ?? target);
    });
    return { source, target, pieces };
  });

  // innermost first: nodes stand before what is inside them
  for (const at of [...frames.keys()].toSorted((a, b) => b - a)) place(frames.get(at), boxes, frames, across);
  const origins = new Map([[-1, { x: 0, y: 0 }]]);
  nodes.forEach((node, at) => {
    const origin = origins.get(node.parent);
    boxes[at].x += origin.x;
    boxes[at].y += origin.y;
    if (node.opened) origins.set(at, boxes[at]);
  });
  const paths = routes.map(({ source, target, pieces }) => {
    const points = pieces.flatMap(({ frame, key }) => {
      const origin = origins.get(frame);
      return frames.get(frame).links.get(key).points.map((point) => ({ ...point, x: point.x + origin.x, y: point.y + origin.y, arc: point.arc + (across ? origin.y : origin.x) }));
    });
    return { source, target, d: curve(points, across), end: points.at(-1) };
  });
  return { boxes, paths, width: frames.get(-1).w, height: frames.get(-1).h };
}

// One frame: its children and ports by dagre; then its own size, and the points of the links in it.
function place(frame, boxes, frames, across) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: across ? "LR" : "TB", nodesep: NODE_GAP, ranksep: RANK_GAP, marginx: 0, marginy: 0, ranker: frame.children.length > 120 ? "longest-path" : "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const child of frame.children) graph.setNode(String(child), { width: boxes[child].w, height: boxes[child].h });
  const ports = [...[...frame.entries].map((source) => `i${source}`), ...[...frame.exits].map((source) => `o${source}`)];
  for (const port of ports) graph.setNode(port, { width: 4, height: 4 });
  const links = [...frame.links.entries()], long = new Set();
  if (links.length > 14 && links.length > DENSE * frame.children.length) {
    for (const [key] of farther(links)) long.add(key);
  }
  for (const [key, { from, to }] of links) if (!long.has(key)) graph.setEdge(String(from), String(to), { weight: 1 }, key);
  // several ports stand side by side at the border
  for (const [name, set, letter] of [["roof", frame.entries, "i"], ["floor", frame.exits, "o"]]) {
    if (set.size < 2) continue;
    graph.setNode(name, { width: 1, height: 1 });
    for (const source of set) name === "roof" ? graph.setEdge(name, `${letter}${source}`, { weight: 60 }, name) : graph.setEdge(`${letter}${source}`, name, { weight: 60 }, name);
  }
  dagre.layout(graph);

  const names = graph.nodes().filter((name) => name !== "roof" && name !== "floor");
  const at = (name) => graph.node(String(name));
  const lefts = names.map((name) => at(name).x - at(name).width / 2), tops = names.map((name) => at(name).y - at(name).height / 2);
  const rights = names.map((name) => at(name).x + at(name).width / 2), bottoms = names.map((name) => at(name).y + at(name).height / 2);
  const span = { left: Math.min(...lefts, Infinity), top: Math.min(...tops, Infinity), right: Math.max(...rights, -Infinity), bottom: Math.max(...bottoms, -Infinity) };
  // long curves of its own ranks may lead around the boxes
  for (const [key, { from, to }] of links) {
    if (long.has(key)) continue;
    for (const { x, y } of graph.edge(String(from), String(to), key).points) {
      span.left = Math.min(span.left, across ? Infinity : x - 6);
      span.right = Math.max(span.right, across ? -Infinity : x + 6);
      span.top = Math.min(span.top, across ? y - 6 : Infinity);
      span.bottom = Math.max(span.bottom, across ? y + 6 : -Infinity);
    }
  }
  const own = frame.at >= 0, pad = own ? { ...FRAME, before: FRAME.side, after: FRAME.side } : { head: 10, foot: 10, before: 10, after: 10 };
  // the way from a port to the first box is room enough
  if (own && frame.entries.size) across ? (pad.before = 0) : (pad.head = 24);
  if (own && frame.exits.size) across ? (pad.after = 0) : (pad.foot = 0);
  // an arc leaves to the right (or, across, below), farther out the farther it leads
  const bulge = (from, to) => 16 + 0.3 * Math.abs(across ? at(to).x - at(from).x : at(to).y - at(from).y);
  const room = Math.max(0, ...[...long].map((key) => bulge(frame.links.get(key).from, frame.links.get(key).to) * 0.78));
  const filled = span.right - span.left + pad.before + pad.after + (across ? 0 : room), outer = Math.max(filled, frame.least);
  const shift = { x: pad.before - span.left + (across ? 0 : (outer - filled) / 2), y: pad.head - span.top };
  frame.w = outer;
  frame.h = span.bottom - span.top + pad.head + pad.foot + (across ? room : 0);
  for (const child of frame.children) Object.assign(boxes[child], { x: at(child).x - boxes[child].w / 2 + shift.x, y: at(child).y - boxes[child].h / 2 + shift.y });
  if (own) Object.assign(boxes[frame.at], { w: frame.w, h: frame.h });

  // how far each rank reaches along the flow: a curve passes it straight
  const ranks = new Map();
  for (const name of names) {
    const node = at(name), middle = Math.round(across ? node.x : node.y), half = (across ? node.width : node.height) / 2;
    ranks.set(middle, Math.max(ranks.get(middle) ?? 0, half));
  }
  frame.ports = new Map(ports.map((port) => [port, { x: at(port).x + shift.x, y: at(port).y + shift.y }]));
  for (const [key, link] of links) {
    const source = Number(key.slice(key.lastIndexOf(":") + 1));
    const start = endOf(link.from, `o${source}`, true), end = endOf(link.to, `i${source}`, false);
    if (long.has(key)) {
      const reach = bulge(link.from, link.to), far = across ? span.bottom + shift.y + reach : span.right + shift.x + reach;
      // it leaves late and arrives early, so that the two can be told apart
      const side = (name, part) => {
        if (typeof name === "string") return frame.ports.get(name);
        const { x, y, w, h } = boxes[name];
        return across ? { x: x + part * w, y: y + h } : { x: x + w, y: y + part * h };
      };
      // from a port the way begins at the border of the frame, and ends there
      link.points = [...(typeof link.from === "number" ? [] : start.slice(0, 1)), side(link.from, 0.75), { ...side(link.to, 0.25), arc: far }, ...(typeof link.to === "number" ? [] : end.slice(-1))];
      continue;
    }
    const bends = graph.edge(String(link.from), String(link.to), key).points.slice(1, -1).flatMap(({ x, y }) => {
      const half = ranks.get(Math.round(across ? x : y));
      if (half === undefined) return [];
      const here = { x: x + shift.x, y: y + shift.y };
      return across ? [{ ...here, x: here.x - half }, { ...here, x: here.x + half }] : [{ ...here, y: here.y - half }, { ...here, y: here.y + half }];
    });
    link.points = [...start, ...bends, ...end];
  }

  // where a link leaves or enters: the border of a box, a port of the frame, or the port of a frame inside
  function endOf(name, port, leaving) {
    if (typeof name === "string") {
      const { x, y } = frame.ports.get(name);
      const border = across ? { x: leaving ? 0 : frame.w, y } : { x, y: leaving ? 0 : frame.h };
      return leaving ? [border, { x, y }] : [{ x, y }, border];
    }
    const box = boxes[name], inner = frames.get(name)?.ports.get(port);
    const offset = inner ?? { x: box.w / 2, y: box.h / 2 };
    return [across ? { x: box.x + (leaving ? box.w : 0), y: box.y + offset.y } : { x: box.x + offset.x, y: box.y + (leaving ? box.h : 0) }];
  }
}

// Links of a frame that lead over more than one step of its longest way.
function farther(links) {
  const next = new Map(), steps = new Map(), waiting = new Map();
  for (const [, { from, to }] of links) {
    next.set(from, [...(next.get(from) ?? []), to]);
    waiting.set(to, (waiting.get(to) ?? 0) + 1);
    for (const name of [from, to]) steps.set(name, 0);
  }
  const ready = [...steps.keys()].filter((name) => !waiting.get(name));
  while (ready.length) {
    const from = ready.pop();
    for (const to of next.get(from) ?? []) {
      steps.set(to, Math.max(steps.get(to), steps.get(from) + 1));
      waiting.set(to, waiting.get(to) - 1);
      if (!waiting.get(to)) ready.push(to);
    }
  }
  return links.filter(([, { from, to }]) => steps.get(to) - steps.get(from) > 1);
}

// Through its points, along the flow at each of them.
function curve(points, across) {
  const n = (value) => Math.round(value * 10) / 10;
  let text = "", last = null;
  for (const point of points) {
    if (!last) text = `M${n(point.x)} ${n(point.y)}`;
    else if (!Number.isNaN(point.arc)) text += across ? `C${n(last.x)} ${n(point.arc)} ${n(point.x)} ${n(point.arc)} ${n(point.x)} ${n(point.y)}` : `C${n(point.arc)} ${n(last.y)} ${n(point.arc)} ${n(point.y)} ${n(point.x)} ${n(point.y)}`;
    else if (Math.abs(across ? point.y - last.y : point.x - last.x) < 0.5) text += `L${n(point.x)} ${n(point.y)}`;
    else {
      const middle = across ? (last.x + point.x) / 2 : (last.y + point.y) / 2;
      text += across ? `C${n(middle)} ${n(last.y)} ${n(middle)} ${n(point.y)} ${n(point.x)} ${n(point.y)}` : `C${n(last.x)} ${n(middle)} ${n(point.x)} ${n(middle)} ${n(point.x)} ${n(point.y)}`;
    }
    last = point;
  }
  return text;
}
