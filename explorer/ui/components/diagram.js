// A network as a picture: a graph of boxes, or its maps as slabs to scale.  Drag to move, pinch or Ctrl and the wheel
// to zoom, click to choose, double-click or Enter to open.
const SVG = "http://www.w3.org/2000/svg";
const LIGHT = { ground: "#ffffff", text: "#16212a", quiet: "#51606b", line: "#8896a0", box: "#ffffff", frame: "#f3f6f8", border: "#c3ccd3", block: "#5b6a76", wrong: "#b3261e" };
const DARK = { ground: "#0e1418", text: "#e8eff3", quiet: "#a3b2bc", line: "#71818c", box: "#182127", frame: "#131b20", border: "#3a4852", block: "#93a3ae", wrong: "#ff8a80" };
const FAR = [0.02, 4], READABLE = 0.72, STEP = 1.25;

const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
const n = (value) => Math.round(value * 10) / 10;
const bytesOfColour = (colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));

export function mixed(colour, other, part) {
  const [a, b] = [bytesOfColour(colour), bytesOfColour(other)];
  return `#${a.map((value, at) => Math.round(value * part + b[at] * (1 - part)).toString(16).padStart(2, "0")).join("")}`;
}

function words(x, y, text, { size = 12, weight = 400, fill, anchor = "start" }) {
  return `<text x="${n(x)}" y="${n(y)}" font-size="${size}"${weight === 400 ? "" : ` font-weight="${weight}"`} fill="${fill}"${anchor === "start" ? "" : ` text-anchor="${anchor}"`}>${escaped(text)}</text>`;
}

// What a node is in one sentence: for its name, its title and the list.
function told(node) {
  const parts = [node.title && node.role !== "input" ? `${node.title}: ${node.kind}` : node.kind];
  if (node.times > 1) parts[0] += ` ×${node.times}`;
  if (node.settings) parts.push(node.settings);
  if (node.outputs.length) parts.push(`output ${shapeText(node.outputs)}`);
  if (node.parameters) parts.push(`${exact(node.parameters)} parameters`);
  if (node.macs) parts.push(`${exact(node.macs)} MACs (${(100 * node.share).toFixed(node.share < 0.0995 ? 1 : 0)} % of the net)`);
  if (node.stop) parts.push(`${node.stop.words}: ${node.stop.sentence}`);
  return parts.join(", ");
}

// ------------------------------------------------------------------------------ the graph

function graphText(graph, placed, look, live) {
  const frames = [], boxes = [], curves = [], heads = [];
  graph.nodes.forEach((node, at) => {
    if (node.opened) {
      frames.push(frameText(node, at, placed.boxes[at], look, live));
      heads.push(headText(node, at, placed.boxes[at], look, live));
    } else boxes.push(boxText(node, at, placed.boxes[at], look, live));
  });
  placed.paths.forEach(({ d }, at) => {
    const [source, target, shapes] = graph.edges[at];
    const { stop } = graph.nodes[target], from = graph.nodes[source].title;
    // without shapes it is not known what arrived: the order alone is drawn
    const name = shapes.length ? `${from} → ${graph.nodes[target].title}: ${shapeText(shapes)}` : `After ${from} it stops`;
    const line = `stroke="${stop ? look.wrong : look.line}"${shapes.length ? "" : ' stroke-dasharray="5 4"'}`;
    const wide = live ? `<path d="${d}" fill="none" stroke="transparent" stroke-width="11"/>` : "";
    curves.push(`<g class="edge" data-edge="${at}"><title>${escaped(name)}</title>${wide}<path class="curve" d="${d}" fill="none" ${line} stroke-width="1.4" marker-end="url(#${stop ? "halt" : "arrow"})"/></g>`);
  });
  return `${frames.join("")}${curves.join("")}${heads.join("")}${boxes.join("")}`;
}

function opening(node, at, live) {
  const role = live ? ` role="button" tabindex="-1" aria-pressed="false" aria-label="${escaped(told(node))}${node.opens ? (node.opened ? ", open" : ", closed") : ""}"` : "";
  return `<g class="node" data-at="${at}"${role}><title>${escaped(told(node))}</title>`;
}

function frameText(node, at, { x, y, w, h }, look, live) {
  return `${opening(node, at, live)}<rect class="outline" x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" rx="10" fill="${groundOf(node, look)}" stroke="${look.border}" stroke-width="1.2"/></g>`;
}

const groundOf = (node, look) => (node.level % 2 ? mixed(look.frame, look.ground, 0.45) : look.frame);

// Stands over the curves, which are broken behind its words.
function headText(node, at, { x, y, w }, look, live) {
  const kind = node.times > 1 ? `${node.kind} ×${node.times}` : node.kind, room = w - 44, used = widthOf(kind, 12, 650);
  const halo = `stroke="${groundOf(node, look)}" stroke-width="5" stroke-linejoin="round" paint-order="stroke"`;
  const title = room - used > 24 ? words(x + 12 + used + 8, y + 19, clipped(node.title, room - used - 8, 12), { fill: look.quiet }) : "";
  return `<g class="head" data-of="${at}"><g ${halo}>${words(x + 12, y + 19, clipped(kind, room, 12, 650), { weight: 650, fill: look.text })}${title}</g>${live ? toggleText(x + w - 18, y + 15, "−", look) : ""}</g>`;
}

function toggleText(x, y, sign, look) {
  return `<g class="toggle"><circle cx="${n(x)}" cy="${n(y)}" r="12" fill="transparent"/><circle cx="${n(x)}" cy="${n(y)}" r="7.5" fill="${look.ground}" stroke="${look.line}"/>${words(x, y + 4, sign, { size: 12, weight: 650, fill: look.text, anchor: "middle" })}</g>`;
}

function boxText(node, at, { x, y, w, h }, look, live) {
  const hue = look.hues[node.family] ?? look.block, middle = x + w / 2;
  let text = opening(node, at, live);
  if (isRound(node)) {
    const sign = signOf(node);
    return `${text}<circle class="outline" cx="${n(middle)}" cy="${n(y + h / 2)}" r="${n(w / 2 - 1)}" fill="${mixed(hue, look.ground, 0.16)}" stroke="${hue}" stroke-width="1.6"/>${words(middle, y + h / 2 + (sign.length > 1 ? 4 : 6), sign, { size: sign.length > 1 ? 11.5 : 19, weight: sign.length > 1 ? 650 : 500, fill: look.text, anchor: "middle" })}</g>`;
  }
  for (let sheet = node.opens ? (node.times > 1 ? 2 : 1) : 0; sheet > 0; sheet -= 1) text += `<rect x="${n(x + 4 * sheet)}" y="${n(y + 4 * sheet)}" width="${n(w)}" height="${n(h)}" rx="8" fill="${look.box}" stroke="${look.border}"/>`;
  const fill = node.stop ? mixed(look.wrong, look.box, 0.12) : node.family ? mixed(hue, look.box, 0.1) : look.box;
  const border = node.stop ? look.wrong : node.family ? mixed(hue, look.ground, 0.6) : node.role === "input" ? look.line : look.block;
  text += `<rect class="outline" x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" rx="8" fill="${fill}" stroke="${border}" stroke-width="${node.stop ? 1.8 : 1.3}"/>`;
  if (node.family) text += `<path d="M${n(x + 5)} ${n(y + 1)}h-0.5a3.8 3.8 0 0 0-3.8 6v${n(h - 14)}a3.8 3.8 0 0 0 3.8 6h.5z" fill="${hue}"/>`;
  const room = w - 24 - (node.opens ? 22 : 0), left = x + 13, pill = node.times > 1 ? widthOf(`×${node.times}`, 11.5, 650) + 18 : 0;
  const kind = clipped(node.kind, room - pill, 12.5, 650), used = widthOf(kind, 12.5, 650);
  text += words(left, y + 18, kind, { size: 12.5, weight: 650, fill: look.text });
  if (pill) text += `<rect x="${n(left + used + 7)}" y="${n(y + 6)}" width="${n(pill - 8)}" height="16" rx="8" fill="${mixed(look.block, look.ground, 0.22)}"/>${words(left + used + 7 + (pill - 8) / 2, y + 18, `×${node.times}`, { size: 11.5, weight: 650, fill: look.text, anchor: "middle" })}`;
  const rest = room - used - pill - 7;
  if ((rest > 14 || widthOf(node.title, 11.5) <= rest) && node.role !== "input" && node.title !== node.kind) text += words(left + used + pill + 7, y + 18, clipped(node.title, rest, 11.5), { size: 11.5, fill: look.quiet });
  linesOf(node).forEach((line, place) => (text += words(left, y + 33.5 + LINE * place, clipped(line.text, w - 22, line.size), { size: line.size, weight: line.wrong ? 650 : 400, fill: line.wrong ? look.wrong : line.quiet ? look.quiet : look.text })));
  if (node.share >= 0.005) text += `<rect x="${n(x + 12)}" y="${n(y + h - 5)}" width="${n((w - 24) * node.share)}" height="2.6" rx="1.3" fill="${hue}"/>`;
  if (node.opens && live) text += toggleText(x + w - 15, y + 14, "+", look);
  return `${text}</g>`;
}

// ------------------------------------------------------------------------------ slabs

function slabsText(slabs, found, look, live) {
  const parts = found.arrows.map(({ x, y, to, wrong }) => `<path d="M${n(x)} ${n(y)}H${n(to)}" fill="none" stroke="${wrong ? look.wrong : look.line}" stroke-width="1.4" marker-end="url(#${wrong ? "halt" : "arrow"})"/>`);
  if (found.stop) parts.push(stopText(found.stop, look));
  found.slabs.forEach(({ slab, x, y, w, h, dx, dy }, at) => {
    const hue = look.hues[slab.family] ?? mixed(look.block, look.ground, 0.55), edge = mixed(hue, look.text, 0.7);
    const name = `${slab.kind}${slab.settings ? ` ${slab.settings}` : ""}${slab.then.length ? `, then ${slab.then.join(", ")}` : ""}: ${shapeText([slab.shape])}`;
    const role = live ? ` role="button" tabindex="-1" aria-pressed="false" aria-label="${escaped(name)}"` : "";
    const face = (d, part) => `<path d="${d}" fill="${mixed(hue, look.ground, part)}" stroke="${edge}" stroke-width="0.8" stroke-linejoin="round"/>`;
    const [X, Y, W, H, DX, DY] = [x, y, w, h, dx, dy].map(n);
    parts.push(
      `<g class="node" data-at="${at}"${role}><title>${escaped(name)}</title>${face(`M${X} ${Y}l${DX} ${-DY}h${W}l${-DX} ${DY}z`, 0.3)}${face(`M${n(x + w)} ${Y}l${DX} ${-DY}v${H}l${-DX} ${DY}z`, 0.78)}${face(`M${X} ${Y}h${W}v${H}h${-W}z`, 0.5)}` +
        `<path class="outline" d="M${X} ${n(y + h)}v${-H}l${DX} ${-DY}h${W}v${H}l${-DX} ${DY}z" fill="none" stroke="transparent" stroke-width="1.2"/></g>`,
    );
  });
  for (const { text, x, y } of found.labels) parts.push(words(x, y, text, { weight: 650, fill: look.text, anchor: "middle" }));
  for (const { text, x, y, strong, wrong } of found.words) parts.push(words(x, y, text, { size: 11, weight: strong ? 650 : 400, fill: wrong ? look.wrong : strong ? look.text : look.quiet, anchor: "middle" }));
  return parts.join("");
}

// A ring with a cross: nothing comes behind it.
function stopText({ x, y, r, name }, look) {
  const arm = r * 0.42, [left, right, high, low] = [x - arm, x + arm, y - arm, y + arm].map(n);
  return `<g class="stop"><title>${escaped(name)}</title><circle cx="${n(x)}" cy="${n(y)}" r="${r}" fill="${mixed(look.wrong, look.ground, 0.12)}" stroke="${look.wrong}" stroke-width="1.8"/><path d="M${left} ${high}L${right} ${low}M${right} ${high}L${left} ${low}" fill="none" stroke="${look.wrong}" stroke-width="2.2" stroke-linecap="round"/></g>`;
}

const tip = (id, fill) => `<marker id="${id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6.5" markerHeight="6.5" orient="auto"><path d="M0 0.6 8 4 0 7.4z" fill="${fill}"/></marker>`;
const defs = (look) => `<defs>${tip("arrow", look.line)}${tip("halt", look.wrong)}</defs>`;

// A file of its own: nothing in it refers to the page.
export function fileText(name, inner, box, look, ground) {
  const [x, y, w, h] = box.map(n);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="${SVG}" viewBox="${x} ${y} ${w} ${h}" width="${w}" height="${h}" font-family="${escaped(FACE)}"><title>${escaped(name)}</title>${defs(look)}${ground ? `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="${ground}"/>` : ""}${inner}</svg>\n`;
}

// ------------------------------------------------------------------------------ the component

export default function ({ data, parentElement: root, setTriggerValue }) {
  const box = root.querySelector(".diagram");
  const [canvas, said, legend, note, list, menu, exporter] = [".canvas", ".said", ".legend", ".note", ".list", ".menu", ".opens"].map((found) => box.querySelector(found));
  const S = (box._state ??= { net: null, drawing: null, across: false, key: null, chosen: null, shown: undefined, sent: 0, asked: 0, view: { x: 0, y: 0, k: 1 }, moved: false, text: "" });
  const dark = luminance(getComputedStyle(box).getPropertyValue("--st-background-color")) < 0.4;
  const look = { ...(dark ? DARK : LIGHT), hues: data.hues };
  const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;

  const fresh = S.net !== data.net;
  if (fresh) Object.assign(S, { net: data.net, drawing: data.drawing, across: data.across, key: null, moved: false });
  if (S.drawing === "boxes" && data.slabs.length < 2) S.drawing = "graph";
  if (data.answered >= S.sent) {
    S.sent = data.answered;
    S.chosen = data.chosen;
  }
  draw();

  function luminance(colour) {
    ruler.fillStyle = "#ffffff";
    ruler.fillStyle = colour.trim() || "#ffffff";
    const [r, g, b] = bytesOfColour(ruler.fillStyle.startsWith("#") ? ruler.fillStyle : "#ffffff");
    return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
  }

  // ---------------------------------------------------------------------------- drawing

  function made(palette, live) {
    if (S.drawing === "boxes") {
      const found = standing(data.slabs, data.stop);
      return { inner: slabsText(data.slabs, found, palette, live), box: [0, found.top, found.width, found.height], found };
    }
    const start = performance.now(), placed = layout(data.graph, S.across);
    box.dataset.milliseconds = (performance.now() - start).toFixed(1);
    return { inner: graphText(data.graph, placed, palette, live), box: [0, 0, placed.width, placed.height], placed };
  }

  function draw() {
    const text = JSON.stringify([data.graph, data.slabs, data.stop, S.drawing, S.across, dark]);
    if (text !== S.text) {
      const before = S.text && !fresh && S.key && where(S.key), focused = canvas.contains(box.getRootNode().activeElement);
      S.text = text;
      Object.assign(S, made(look, true));
      const name = `Diagram of ${data.net}: arrow keys move along the edges, Enter opens a block, plus and minus zoom.`;
      canvas.innerHTML = `<svg xmlns="${SVG}" role="group" aria-label="${escaped(name)}" font-family="${escaped(FACE)}">${defs(look)}<g class="view">${S.inner}</g></svg>`;
      const after = before && where(S.key);
      // what was opened stays under the hand
      if (before && after) move({ ...S.view, x: S.view.x + (before.x - after.x) * S.view.k, y: S.view.y + (before.y - after.y) * S.view.k });
      else {
        frame();
        fit();
        showPlace(haltPlace());
      }
      if (!nodeAt(S.key)) S.key = (items().find(({ key }) => key !== "picture") ?? items()[0]).key;
      reach(S.key, focused);
      describe();
    }
    mark();
    tools();
  }

  function items() {
    return S.drawing === "boxes" ? data.slabs : data.graph.nodes;
  }

  function keyOf(element) {
    return items()[element.dataset.at].key;
  }

  function nodeAt(key) {
    const at = items().findIndex((item) => item.key === key);
    return at < 0 ? null : canvas.querySelector(`.node[data-at="${at}"]`);
  }

  // The corner of a node, in the drawing's own pixels.
  function where(key) {
    const at = items().findIndex((item) => item.key === key);
    if (S.drawing === "boxes") return S.found?.slabs[at];
    return S.placed?.boxes[at];
  }

  function middle(key) {
    const { x, y, w, h } = where(key), node = items().find((item) => item.key === key);
    return { x: x + w / 2, y: node.opened ? y : y + h / 2 };
  }

  function mark() {
    const pressed = S.chosen?.[S.drawing] ?? null;
    for (const element of canvas.querySelectorAll(".node")) {
      const on = keyOf(element) === pressed;
      element.setAttribute("aria-pressed", on);
    }
    for (const element of canvas.querySelectorAll(".edge")) {
      const [source, target] = data.graph.edges[element.dataset.edge];
      element.classList.toggle("lit", [source, target].some((at) => data.graph.nodes[at].key === pressed));
    }
    if (pressed !== S.shown) {
      S.shown = pressed;
      if (pressed && nodeAt(pressed)) {
        reach(pressed, false);
        show(pressed);
      }
    }
    const item = items().find(({ key }) => key === pressed);
    put(said, item ? sentence(item) : "");
  }

  function sentence(item) {
    if (S.drawing === "graph") return told(item);
    return canvas.querySelector(`.node[data-at="${items().indexOf(item)}"]`).getAttribute("aria-label");
  }

  function describe() {
    const shown = new Set(items().map(({ family }) => family).filter(Boolean));
    legend.innerHTML = Object.entries(data.families).filter(([key]) => shown.has(key)).map(([key, title]) => `<span><i style="--hue:${data.hues[key]}"></i>${escaped(title)}</span>`).join("");
    put(note, S.drawing === "boxes" ? `${data.note} Drag to move it.` : "A box’s bar is its share of the net’s MACs. A double click opens a block; drag to move, Ctrl and the wheel zoom.");
    if (S.drawing === "boxes") {
      const names = data.slabs.map((slab, at) => canvas.querySelector(`.node[data-at="${at}"]`).getAttribute("aria-label"));
      if (data.stop) names.push(S.found.stop.name);
      list.innerHTML = `<ol>${names.map((name) => `<li>${escaped(name)}</li>`).join("")}</ol>`;
      return;
    }
    const names = data.graph.nodes.map((node) => node.path || node.title);
    const next = data.graph.nodes.map(() => []);
    for (const [source, target, shapes] of data.graph.edges) next[source].push(shapes.length ? `${names[target]} (${shapeText(shapes)})` : names[target]);
    list.innerHTML = `<ol>${data.graph.nodes.map((node, at) => `<li>${escaped(`${node.path ? `${node.path}, ` : ""}${told(node)}`)}${node.opened ? "; open" : next[at].length ? `; goes to ${escaped(next[at].join(", "))}` : ""}</li>`).join("")}</ol>`;
  }

  // ---------------------------------------------------------------------------- moving

  function move(view, gently = false) {
    S.view = { ...view, k: Math.min(FAR[1], Math.max(FAR[0], view.k)) };
    const group = canvas.querySelector(".view");
    group.classList.toggle("moving", gently && !reduced);
    group.style.transform = `translate(${n(S.view.x)}px, ${n(S.view.y)}px) scale(${S.view.k})`;
  }

  // Slabs are low: the window is as high as they are.
  function frame() {
    const wide = canvas.clientWidth || 800, [, , w, h] = S.box;
    const high = S.drawing === "boxes" ? h * Math.min(1.3, Math.max(READABLE, wide / w)) + 24 : S.box[3] + 24;
    canvas.style.height = `${Math.round(Math.min(data.height, Math.max(260, high)))}px`;
  }

  // All of it, where it can be read; otherwise from its start.
  function fit(whole = false) {
    const [x, y, w, h] = S.box, wide = canvas.clientWidth || 800, high = canvas.clientHeight || data.height;
    const all = Math.min(wide / w, high / h, 1.6);
    const k = whole ? Math.min(1.6, all) : Math.max(all, Math.min(READABLE, S.drawing === "boxes" ? high / h : 1));
    const left = w * k <= wide ? (wide - w * k) / 2 : S.drawing === "boxes" || S.across ? 0 : (wide - w * k) / 2;
    move({ k, x: left - x * k, y: (h * k <= high ? (high - h * k) / 2 : S.across ? (high - h * k) / 2 : 0) - y * k });
  }

  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const k = Math.min(FAR[1], Math.max(FAR[0], S.view.k * factor));
    move({ k, x: x - ((x - S.view.x) * k) / S.view.k, y: y - ((y - S.view.y) * k) / S.view.k });
  }

  // Where the net stops, if it does: of a long one that is what is looked for.
  function haltPlace() {
    if (S.drawing === "graph") return S.placed.boxes[data.graph.nodes.findIndex(({ stop }) => stop)];
    const halt = S.found.stop;
    return halt && { x: halt.x - halt.r, y: halt.y - halt.r, w: 2 * halt.r, h: 2 * halt.r };
  }

  function show(key) {
    showPlace(where(key), true);
  }

  // What is outside comes in.
  function showPlace(place, gently = false) {
    const { k } = S.view;
    if (!place) return;
    const inside = (start, length, room, shift) => {
      const [low, high] = [start * k + shift, (start + Math.min(length, 120)) * k + shift];
      return low < 16 ? 16 - low : high > room - 16 ? room - 16 - high : 0;
    };
    const dx = inside(place.x, place.w, canvas.clientWidth, S.view.x), dy = inside(place.y, place.h, canvas.clientHeight, S.view.y);
    if (dx || dy) move({ ...S.view, x: S.view.x + dx, y: S.view.y + dy }, gently);
  }

  canvas.onwheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const rect = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.004)), event.clientX - rect.left, event.clientY - rect.top);
  };

  const hands = (S.hands ??= new Map());
  canvas.onpointerdown = (event) => {
    if (event.button) return;
    hands.set(event.pointerId, { x: event.clientX, y: event.clientY });
    S.moved = false;
  };
  canvas.onpointermove = (event) => {
    const hand = hands.get(event.pointerId);
    if (!hand) return;
    const now = { x: event.clientX, y: event.clientY };
    if (!S.moved && Math.hypot(now.x - hand.x, now.y - hand.y) < 4) return;
    if (!S.moved) canvas.setPointerCapture(event.pointerId);
    S.moved = true;
    canvas.classList.add("held");
    if (hands.size === 2) {
      const [other] = [...hands].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const rect = canvas.getBoundingClientRect();
      zoom(Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(hand.x - other.x, hand.y - other.y)), (now.x + other.x) / 2 - rect.left, (now.y + other.y) / 2 - rect.top);
    } else move({ ...S.view, x: S.view.x + now.x - hand.x, y: S.view.y + now.y - hand.y });
    hands.set(event.pointerId, now);
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    hands.delete(event.pointerId);
    canvas.classList.remove("held");
  };

  // ---------------------------------------------------------------------------- choosing and opening

  function nodeUnder(event) {
    const head = event.target.closest(".head");
    return head ? canvas.querySelector(`.node[data-at="${head.dataset.of}"]`) : event.target.closest(".node");
  }

  canvas.onclick = (event) => {
    if (S.moved) return void (S.moved = false);
    const element = nodeUnder(event);
    if (!element) return;
    const key = keyOf(element);
    reach(key, true);
    if (event.target.closest(".toggle")) toggle(key);
    else choose(key);
  };
  canvas.ondblclick = (event) => {
    const element = nodeUnder(event);
    if (element && !event.target.closest(".toggle")) toggle(keyOf(element));
  };

  function counted() {
    S.sent = Math.max(S.sent + 1, Date.now()); // larger than any before, of this visit or an earlier one
    return S.sent;
  }

  function choose(key) {
    const item = items().find((each) => each.key === key);
    if (item.role === "input" || item.role === "stop" || item.kind === "Input") return;
    S.chosen = { ...S.chosen, [S.drawing]: key };
    setTriggerValue("chosen", { count: counted(), path: item.path, call: item.call });
    mark();
  }

  function toggle(key) {
    const item = items().find((each) => each.key === key);
    if (!item.opens) return;
    setTriggerValue("toggled", { count: counted(), key });
  }

  function toggleAll(all) {
    S.key = null; // nothing to keep under the hand: the drawing is shown from its start
    setTriggerValue("toggled", { count: counted(), all });
  }

  // The one node that Tab reaches.
  function reach(key, focus) {
    for (const element of canvas.querySelectorAll('.node[tabindex="0"]')) element.setAttribute("tabindex", "-1");
    const element = nodeAt(key);
    if (!element) return;
    S.key = key;
    element.setAttribute("tabindex", "0");
    if (focus) element.focus({ preventScroll: true });
  }

  S.entered = (event) => {
    const element = event.target.closest(".node");
    if (element && keyOf(element) !== S.key) reach(keyOf(element), false);
  };
  if (!S.listening) {
    S.listening = true;
    canvas.addEventListener("focusin", (event) => S.entered(event));
  }

  function beyond(direction) {
    if (S.drawing === "boxes") {
      const at = data.slabs.findIndex(({ key }) => key === S.key);
      return data.slabs[at + ({ ArrowRight: 1, ArrowLeft: -1 }[direction] ?? 0)]?.key;
    }
    const { nodes, edges } = data.graph, here = nodes.findIndex(({ key }) => key === S.key);
    const [on, back] = S.across ? ["ArrowRight", "ArrowLeft"] : ["ArrowDown", "ArrowUp"];
    const from = middle(S.key), nearest = (keys, cost) => keys.toSorted((a, b) => cost(middle(a)) - cost(middle(b)))[0];
    const apart = (place) => Math.hypot(place.x - from.x, place.y - from.y);
    if (nodes[here].opened) {
      // a frame: on goes inside, back to what leads into it
      const inner = nodes.find((node) => node.parent === here);
      if (direction === on) return inner.key;
      if (direction === back) return nodes[here].parent >= 0 ? nodes[nodes[here].parent].key : nodes[Math.max(0, here - 1)].key;
    }
    if (direction === on) return nearest(edges.filter(([source]) => source === here).map(([, target]) => nodes[target].key), apart);
    if (direction === back) return nearest(edges.filter(([, target]) => target === here).map(([source]) => nodes[source].key), apart);
    const later = direction === "ArrowRight" || direction === "ArrowDown";
    const along = (place) => (S.across ? place.y - from.y : place.x - from.x), aside = (place) => Math.abs(S.across ? place.x - from.x : place.y - from.y);
    const beside = nodes.map(({ key }) => key).filter((key) => key !== S.key && (later ? along(middle(key)) > 4 : along(middle(key)) < -4) && aside(middle(key)) < 60);
    return nearest(beside, (place) => apart(place) + 3 * aside(place));
  }

  canvas.onkeydown = (event) => {
    const list_ = items(), item = list_.find(({ key }) => key === S.key);
    if (event.ctrlKey || event.metaKey || event.altKey || !item) return;
    const to = { Home: list_[0].key, End: list_.at(-1).key }[event.key] ?? (event.key.startsWith("Arrow") ? beyond(event.key) : null);
    if (to) {
      reach(to, true);
      show(to);
    } else if (event.key === "Enter") item.opens ? toggle(S.key) : choose(S.key);
    else if (event.key === " ") choose(S.key);
    else if (event.key === "+" || event.key === "=") zoom(STEP);
    else if (event.key === "-") zoom(1 / STEP);
    else if (event.key === "0") fit(true);
    else if (event.key === "Escape" && S.drawing === "graph" && item.parent >= 0) {
      reach(list_[item.parent].key, true);
      show(list_[item.parent].key);
    } else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
  };

  // ---------------------------------------------------------------------------- tools

  function tools() {
    for (const button of box.querySelectorAll("[data-drawing]")) {
      const { drawing } = button.dataset;
      button.setAttribute("aria-pressed", drawing === S.drawing);
      button.disabled = drawing === "boxes" && data.slabs.length < 2;
      button.onclick = () => changed({ drawing });
    }
    for (const button of box.querySelectorAll("[data-across]")) {
      const across = button.dataset.across === "yes";
      button.setAttribute("aria-label", button.title);
      button.setAttribute("aria-pressed", across === S.across);
      button.onclick = () => changed({ across });
    }
    const graph = S.drawing === "graph";
    for (const part of [".directions", ".all", ".usual"]) box.querySelector(part).hidden = !graph;
    box.querySelector(".all").disabled = !data.openable;
    box.querySelector(".all").title = data.openable ? "" : "Too many boxes to read: open one block after the other";
    box.querySelector(".all").onclick = () => toggleAll(true);
    box.querySelector(".usual").onclick = () => toggleAll(false);
    for (const button of box.querySelectorAll("[data-zoom]")) button.onclick = () => (button.dataset.zoom === "fit" ? fit(true) : zoom(button.dataset.zoom === "in" ? STEP : 1 / STEP));
  }

  function changed(what) {
    Object.assign(S, what);
    S.key = null;
    S.shown = undefined;
    setTriggerValue("look", { count: counted(), drawing: S.drawing, across: S.across });
    draw();
  }

  // a press on the button closes the panel before the click comes, which would open it again
  exporter.onpointerdown = () => (S.wasOpen = menu.matches(":popover-open"));
  exporter.onclick = (event) => {
    const was = event.detail > 0 && S.wasOpen;
    S.wasOpen = false;
    if (was) return;
    menu.showPopover();
    const [at, size] = [exporter.getBoundingClientRect(), menu.getBoundingClientRect()];
    menu.style.left = `${Math.max(8, Math.min(at.right - size.width, window.innerWidth - size.width - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(at.bottom + 4, window.innerHeight - size.height - 8))}px`;
    menu.querySelector("select").focus();
  };
  menu.onbeforetoggle = (event) => {
    exporter.setAttribute("aria-expanded", event.newState === "open");
    if (event.newState === "closed" && menu.contains(box.getRootNode().activeElement)) exporter.focus();
  };
  for (const button of menu.querySelectorAll("[data-save]")) button.onclick = () => save(button.dataset.save);

  async function save(kind) {
    const ground = menu.querySelector(".ground").value, palette = { ...(ground === "dark" ? DARK : LIGHT), hues: data.hues };
    const { inner, box: place } = made(palette, false);
    const text = fileText(data.net, inner, place, palette, ground === "none" ? "" : palette.ground);
    const svg = new Blob([text], { type: "image/svg+xml;charset=utf-8" });
    deliver(kind === "svg" ? svg : await painted(svg, place), kind);
  }

  async function painted(svg, [, , w, h]) {
    const picture = new Image(), url = URL.createObjectURL(svg);
    try {
      picture.src = url;
      await picture.decode();
      // browsers paint at most so many pixels a side
      const scale = Math.min(2, 16000 / w, 16000 / h), sheet = document.createElement("canvas");
      [sheet.width, sheet.height] = [Math.round(w * scale), Math.round(h * scale)];
      sheet.getContext("2d").drawImage(picture, 0, 0, sheet.width, sheet.height);
      return await new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  function deliver(blob, kind) {
    const link = document.createElement("a"), stem = data.net.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "") || "network";
    link.href = URL.createObjectURL(blob);
    link.download = `${stem}-${S.drawing === "boxes" ? "maps" : "graph"}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // ---------------------------------------------------------------------------- width

  let width = canvas.clientWidth;
  // a new run comes without the end of the one before
  canvas._watch?.disconnect();
  const watch = (canvas._watch = new ResizeObserver(() => {
    if (canvas.clientWidth === width) return;
    const was = width;
    width = canvas.clientWidth;
    if (was) move({ ...S.view, x: S.view.x + (width - was) / 2 });
    else fit();
  }));
  watch.observe(canvas);
  return () => watch.disconnect();
}
