// A network's table: a tree grid (ARIA treegrid pattern) whose rows exist only while they can be seen.
const ROW = 30; // CSS pixels of a row, as in the style
const SPARE = 8; // rows drawn beyond each edge
const OPEN_AT_FIRST = 45; // lines at most of a tree that opens by itself
const TERMS = 12; // of a sum that is written out

const NUMBERS = new Intl.NumberFormat("en-US");
const exact = (number) => NUMBERS.format(number).replace("-", "−");
const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
const PREFIXES = [["", 1], ["k", 1e3], ["M", 1e6], ["G", 1e9], ["T", 1e12], ["P", 1e15]];

// Four digits and an SI prefix: 11.69 M
export function brief(number) {
  if (number < 1000) return String(number);
  const [prefix, unit] = PREFIXES.findLast(([, size]) => number >= size * 0.99995);
  return `${(number / unit).toPrecision(4)} ${prefix}`;
}

export const megabytes = (bytes) => `${(bytes / 1e6).toPrecision(4)} MB = ${(bytes / 2 ** 20).toPrecision(4)} MiB`;

export function percent(part, whole) {
  if (!whole || !part) return "0 %";
  const value = (100 * part) / whole;
  return value < 0.01 ? "< 0.01 %" : `${value.toFixed(value < 1 ? 2 : 1)} %`;
}

const shapeText = (shapes, sign = " × ") => shapes.map((shape) => shape.map(exact).join(sign) || "1 number").join(", ");

function fieldText(field) {
  if (!field || field === "everything") return field ?? "";
  const [rows, columns, , , , , everything] = field;
  return (rows === columns ? exact(rows) : `${exact(rows)} × ${exact(columns)}`) + (everything ? " + all" : "");
}

// Rows of the message as objects, each with its place in the tree.
function linesOf(table) {
  const lines = table.rows.map((row, index) => {
    const line = { index, parent: -1, children: [], texts: {} };
    table.fields.forEach((field, place) => (line[field] = row[place]));
    return line;
  });
  const above = [];
  for (const line of lines) {
    while (above.length && above.at(-1).level >= line.level) above.pop();
    line.parent = above.length ? above.at(-1).index : -1;
    above.at(-1)?.children.push(line.index);
    line.leaf = line.role === "layer" || line.role === "operation";
    above.push(line);
  }
  const roots = lines.filter((line) => line.parent < 0).map((line) => line.index);
  for (const line of lines) {
    const siblings = line.parent < 0 ? roots : lines[line.parent].children;
    line.siblings = siblings.length;
    line.last = line.path + (line.call ? ` (call ${line.call + 1})` : "");
  }
  for (const siblings of [roots, ...lines.map((line) => line.children)]) siblings.forEach((child, place) => (lines[child].place = place + 1));
  return lines;
}

const isOpenAt = (line, depth) => line.role !== "fold" && line.depth < depth;

export default function ({ data, parentElement: root, setStateValue, setTriggerValue }) {
  const box = root.querySelector(".layers");
  const [query, depths, least, kinds, scroller, grid, head, body, foot, failure, told, back] = [".query", ".depths", ".least", ".kinds", ".scroller", ".grid", ".head", ".body", ".foot", ".failure", ".told", ".back"].map((found) => box.querySelector(found));
  const product = box.querySelector("#product");
  // at: the row (a place in `list`) and column that the keys move; -1 is the row itself
  const S = (box._state ??= { text: "", open: new Set(), shut: new Set(), kinds: new Set(), words: [], least: "", sort: null, columns: null, at: { row: 0, column: -1 }, drawn: new Map(), list: [], chosen: null, shown: undefined, sent: 0, asked: 0, handled: 0, waiting: new Map() });
  const { table } = data;
  scroller.style.maxHeight = `${data.height}px`;
  put(root.querySelector(".hues"), Object.entries(data.hues).map(([family, hue]) => `.${family} { --hue: ${hue}; }`).join("\n"));
  const shares = Object.entries(table.shares);
  const columns = [...table.columns, ...shares.map(([of, word]) => ({ key: `share_${of}`, of, title: `% of ${word}`, hint: `share of the net's ${word}`, numeric: true }))];

  const message = JSON.stringify(table);
  if (message !== S.text) adopt();
  // an answer to an older message never undoes what the hand chose since
  if (data.answered >= S.sent) {
    S.sent = data.answered;
    const place = JSON.stringify(data.chosen);
    if (place !== S.shown) {
      S.shown = place;
      S.chosen = data.chosen;
      const line = data.chosen && S.lines.find(({ path, call, role }) => role !== "fold" && path === data.chosen[0] && call === data.chosen[1]);
      if (line) reveal(line);
    }
  }
  tools();
  arrange();
  hand(data.exported);

  // ---------------------------------------------------------------------------- what is shown

  function adopt() {
    S.text = message;
    S.lines = linesOf(table);
    S.failed = S.lines.find((line) => line.failed);
    S.at = { row: 0, column: -1 };
    const known = new Set(S.lines.filter((line) => line.leaf).map((line) => line.kind));
    S.kinds = new Set([...S.kinds].filter((kind) => known.has(kind)));
    if (S.name !== table.name || !S.open.size) {
      S.name = table.name;
      let depth = 1;
      const visible = (limit) => S.lines.filter((line) => above(line).every((parent) => isOpenAt(parent, limit))).length;
      const deepest = Math.max(0, ...S.lines.map((line) => line.depth));
      while (depth < deepest && visible(depth + 1) <= OPEN_AT_FIRST) depth += 1;
      openTo(depth);
      scroller.scrollTop = 0;
    } else {
      // the same net, edited: what was open stays so, by its path
      S.open = new Set([...S.paths].flatMap((path) => S.lines.filter((line) => keyOf(line) === path).map((line) => line.index)));
    }
    S.wide = {};
    if (S.failed) reveal(S.failed);
  }

  function keyOf(line) {
    return `${line.role === "fold" ? `${line.times}×` : ""}${line.path}#${line.call}`;
  }

  function above(line) {
    const found = [];
    for (let at = line.parent; at >= 0; at = S.lines[at].parent) found.push(S.lines[at]);
    return found;
  }

  function openTo(depth) {
    S.depth = depth;
    S.open = new Set(S.lines.filter((line) => line.children.length && (depth === Infinity || isOpenAt(line, depth))).map((line) => line.index));
  }

  function reveal(line) {
    for (const parent of above(line)) {
      S.open.add(parent.index);
      S.shut.delete(parent.index);
    }
    S.depth = null;
    S.aim = line.index;
  }

  function filtering() {
    return S.words.length > 0 || S.kinds.size > 0 || S.least !== "";
  }

  function matches(line) {
    if (line.role === "fold") return false;
    if (S.kinds.size && !(line.leaf && S.kinds.has(line.kind))) return false;
    if (S.least && !(table.totals[S.least] && line[S.least] >= table.totals[S.least] / 100)) return false;
    line.search ??= `${line.path || line.name} ${line.kind} ${line.settings}`.toLowerCase();
    return S.words.every((word) => line.search.includes(word));
  }

  // The lines on the screen, in their order, and which of them can be opened.
  function listed() {
    S.found = null;
    if (S.sort) {
      S.found = S.lines.filter((line) => (line.leaf || (line.role === "container" && line.own)) && matches(line));
      const sign = S.sort.down ? -1 : 1;
      return S.found.toSorted((a, b) => sign * (sortValue(a) - sortValue(b)) || a.index - b.index);
    }
    if (!filtering()) return S.lines.filter((line) => (line.visible = line.parent < 0 || (S.lines[line.parent].visible && S.open.has(line.parent))));
    S.found = S.lines.filter(matches);
    S.kept = new Set(S.found.flatMap((line) => [line.index, ...above(line).map(({ index }) => index)]));
    return S.lines.filter((line) => (line.visible = S.kept.has(line.index) && (line.parent < 0 || (S.lines[line.parent].visible && !S.shut.has(line.parent)))));
  }

  function sortValue(line) {
    const key = S.sort.key.replace("share_", "");
    if (key === "field") return line.field === "everything" ? Infinity : line.field ? line.field[0] * line.field[1] + (line.field[6] ? 0.5 : 0) : -1;
    return amount(line, key);
  }

  // In a list without blocks, a block's line stands for what it keeps itself.
  function amount(line, key) {
    if (!S.sort || line.leaf) return line[key];
    return key === "parameters" ? line.own : 0;
  }

  function expandable(line) {
    if (S.sort || !line.children.length) return false;
    return !filtering() || line.children.some((child) => S.kept.has(child));
  }

  function isOpen(line) {
    return filtering() ? !S.shut.has(line.index) : S.open.has(line.index);
  }

  function arrange() {
    const focused = box.getRootNode().activeElement;
    const had = body.contains(focused) ? S.list[S.at.row]?.index : null;
    S.list = listed();
    S.most = {};
    S.paths = new Set([...S.open].map((index) => keyOf(S.lines[index])));
    const place = S.list.findIndex((line) => line.index === had);
    if (place >= 0) S.at.row = place;
    S.at.row = Math.max(0, Math.min(S.at.row, S.list.length - 1));
    layout();
    body.replaceChildren();
    S.drawn.clear();
    body.style.height = `${Math.max(S.list.length, 1) * ROW}px`;
    if (!S.list.length) body.innerHTML = '<div role="row"><div role="gridcell" class="none">No row is like that.</div></div>';
    grid.setAttribute("aria-label", `Layers of ${table.name}`);
    grid.setAttribute("aria-rowcount", S.list.length + 2);
    if (S.aim != null) {
      const aim = S.list.findIndex((line) => line.index === S.aim);
      if (aim >= 0) {
        S.at = { row: aim, column: -1 };
        toView(aim);
      }
      S.aim = null;
    }
    draw();
    if (had != null) focus(false);
    say();
  }

  function usual() {
    const width = box.clientWidth;
    if (width >= 1150) return ["kind", "settings", "inputs", "outputs", "activations", "parameters", "macs", "field", "bytes"];
    if (width >= 900) return ["kind", "settings", "outputs", "parameters", "macs", "field"];
    return width >= 620 ? ["kind", "outputs", "parameters", "macs", "field"] : ["outputs", "parameters", "macs"];
  }

  // Widths follow from the longest text of all lines, so that they stay while rows come and go.
  function layout() {
    const keys = S.columns ?? usual();
    S.shownColumns = columns.filter(({ key }) => key === "name" || keys.includes(key));
    const limits = { name: box.clientWidth < 620 ? 150 : box.clientWidth < 900 ? 220 : 300, settings: 190, kind: 190, inputs: 200, outputs: 200 };
    const tracks = S.shownColumns.map((column) => {
      const { key } = column, wide = key === "name" && S.sort ? "path" : key;
      return { key, size: Math.ceil(Math.min((S.wide[wide] ??= widest(column)), limits[key] ?? 300)) };
    });
    const grows = tracks.some(({ key }) => key === "settings") ? "settings" : "name";
    box.style.setProperty("--template", tracks.map(({ key, size }) => (key === grows ? `minmax(${size}px, 1fr)` : `${size}px`)).join(" "));
    box.style.setProperty("--all", `${tracks.reduce((all, { size }) => all + size, 0)}px`);
    box.style.setProperty("--name", `${tracks[0].size}px`);
    grid.setAttribute("aria-colcount", S.shownColumns.length);
    drawHead();
    drawFoot();
  }

  // CSS pixels of a column: of its longest text, with what stands beside it.
  function widest(column) {
    const head_ = ruler(column.title, 650) + (column.numeric ? 36 : 24);
    if (column.key === "name" && S.sort) return Math.max(head_, ...longest(S.lines.map((line) => line.last)).map((words) => ruler(words) + 44));
    if (column.key === "name") return S.lines.reduce((most, line) => Math.max(most, 14 * line.level + 6.8 * line.name.length + (line.times > 1 ? 40 : 0) + (line.call ? 40 : 0) + 62), head_);
    return Math.max(head_, ...longest(S.lines.map((line) => cellText(line, column))).map((words) => ruler(words) + 22));
  }

  // Measuring takes time: only those that may be the widest.
  function longest(texts) {
    const most = texts.reduce((longest_, words) => Math.max(longest_, words.length), 0);
    return [...new Set(texts.filter((words) => words.length >= most - 1))].slice(0, 12);
  }

  function ruler(words, weight = 400) {
    const style = (S.style ??= getComputedStyle(box));
    S.canvas ??= document.createElement("canvas").getContext("2d");
    S.canvas.font = `${weight} ${style.fontSize} ${style.fontFamily}`;
    return S.canvas.measureText(words).width;
  }

  // ---------------------------------------------------------------------------- cells

  function cellText(line, column) {
    const { key, of } = column;
    if (S.sort && !line.leaf) return of ? percent(amount(line, of), table.totals[of]) : column.numeric ? (key === "field" ? "" : exact(amount(line, key))) : key === "kind" ? line.kind : "";
    return (line.texts[key] ??= plainText(line, key, of));
  }

  function plainText(line, key, of) {
    if (key === "name") return line.name;
    if (of) return line.failed && line.leaf ? "" : percent(line[of], table.totals[of]);
    if (key === "kind" || key === "settings") return line[key];
    if (key === "inputs" || key === "outputs") return shapeText(line[key]);
    if (key === "field") return fieldText(line.field);
    return line.failed && line.leaf ? "" : exact(line[key]);
  }

  function hint(line, { key, of }) {
    if (line.failed && line.leaf) return "it did not run: nothing of it is counted";
    if (key === "parameters") return `${exact(line.trainable)} trained, ${exact(line.parameters - line.trainable)} frozen; ${exact(line.buffers)} in buffers`;
    if (key === "field" && line.field && line.field !== "everything") return fieldWords(line.field);
    if (key === "field" && line.field) return "every pixel of the picture";
    if (key === "bytes" || key === "saved_bytes") return megabytes(line[key]);
    if (key === "activations" && line.shares) return "a view of its input, or written over it: no new numbers";
    if (of) return `${exact(line[of])} of ${exact(table.totals[of])}`;
    return table.shares[key] ? `${percent(line[key], table.totals[key])} of the net's ${table.shares[key]}` : "";
  }

  function fieldWords([rows, columns_, jump, jumpAcross, start, startAcross, everything]) {
    const pair = (a, b) => (a === b ? exact(a) : `${exact(a)} and ${exact(b)}`);
    return `${exact(rows)} × ${exact(columns_)} pixels; the next unit's lies ${pair(jump, jumpAcross)} further (jump); the first begins at pixel ${pair(start, startAcross)} (offset)${everything ? "; a path aside shows every unit the whole map" : ""}`;
  }

  function marked(text) {
    const whole = escaped(text);
    if (!S.words.length) return whole;
    const pattern = S.words.map((word) => escaped(word).replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    return whole.replace(new RegExp(pattern, "gi"), (found) => `<mark>${found}</mark>`);
  }

  function rowHtml(line) {
    return S.shownColumns
      .map((column, place) => {
        const { key } = column;
        if (key === "name") return nameHtml(line);
        const words = cellText(line, column), tip = escaped(hint(line, column));
        const value = amount(line, column.of ?? key), whole = fullBar(column.of ?? key);
        const bar = (table.shares[key] || column.of) && value && whole ? `<span class="bar" style="--share:${(value / whole).toFixed(4)}"></span>` : "";
        const look = `cell ${key}${column.numeric ? " number" : ""}${words === "0" || words === "0 %" ? " zero" : ""}`;
        return `<div role="gridcell" class="${look}" data-column="${place}" aria-colindex="${place + 1}" tabindex="-1" title="${tip || escaped(words)}">${column.numeric ? words : marked(words)}${bar}</div>`;
      })
      .join("");
  }

  // What a bar of full width stands for: the net's total; in a list without blocks its largest row.
  function fullBar(key) {
    if (!S.sort) return table.totals[key];
    return (S.most[key] ??= S.list.reduce((most, line) => Math.max(most, amount(line, key) ?? 0), 0));
  }

  function nameHtml(line) {
    const words = S.sort ? line.path || line.name : line.name;
    const dot = line.family ? `<span class="dot ${line.family}"></span>` : "";
    const own = S.sort && !line.leaf ? '<span class="more">its own</span>' : "";
    const call = line.call ? `<span class="more">call ${line.call + 1}</span>` : "";
    const times = line.times > 1 ? `<span class="times">×${line.times}</span>` : "";
    const guides = S.sort ? "" : `<span class="guides" style="width:${14 * line.level}px"></span><span class="toggle" aria-hidden="true"${expandable(line) ? "" : ' style="visibility:hidden"'}></span>`;
    return `<div role="rowheader" class="cell name" aria-colindex="1" title="${escaped(line.path || line.name)}">${guides}${dot}<span class="text">${marked(words)}</span>${own}${call}${times}</div>`;
  }

  function rowNode(place) {
    const line = S.list[place];
    const row = document.createElement("div");
    row.className = `row${line.leaf ? " leaf" : " block"}${line.failed ? " failed" : ""}`;
    row.style.top = `${place * ROW}px`;
    row._place = place;
    const marks = { role: "row", tabindex: "-1", "aria-rowindex": place + 2, "aria-level": S.sort ? 1 : line.level + 1, "aria-posinset": S.sort ? place + 1 : line.place, "aria-setsize": S.sort ? S.list.length : line.siblings };
    if (expandable(line)) marks["aria-expanded"] = isOpen(line);
    if (line.role !== "fold") marks["aria-selected"] = isChosen(line);
    for (const [name, value] of Object.entries(marks)) row.setAttribute(name, value);
    row.innerHTML = rowHtml(line);
    return row;
  }

  function isChosen(line) {
    return Boolean(S.chosen) && line.role !== "fold" && line.path === S.chosen[0] && line.call === S.chosen[1];
  }

  // ---------------------------------------------------------------------------- drawing

  // What can be seen of the rows: the height between head and foot.
  function view() {
    return scroller.clientHeight - head.offsetHeight - foot.offsetHeight;
  }

  function draw() {
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - SPARE);
    const last = Math.min(S.list.length - 1, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW) + SPARE);
    // the row under the keys stays, or the focus would be lost
    const wanted = (place) => (place >= first && place <= last) || place === S.at.row;
    for (const [place, row] of S.drawn)
      if (!wanted(place)) {
        row.remove();
        S.drawn.delete(place);
      }
    const fresh = document.createDocumentFragment();
    for (let place = first; place <= last; place++) add(place);
    if (S.list.length) add(S.at.row);
    body.append(fresh);
    rove();

    function add(place) {
      if (S.drawn.has(place)) return;
      const row = rowNode(place);
      S.drawn.set(place, row);
      fresh.append(row);
    }
  }

  // One stop of the Tab key: the row or the cell where the keys are.
  function rove() {
    for (const node of body.querySelectorAll('[tabindex="0"]')) node.tabIndex = -1;
    const node = active();
    if (node) node.tabIndex = 0;
  }

  function active() {
    const row = S.drawn.get(S.at.row);
    return S.at.column < 0 ? row : (row?.querySelector(`[data-column="${S.at.column}"]`) ?? row);
  }

  function toView(place) {
    const top = place * ROW, room = Math.max(view(), ROW);
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + room) scroller.scrollTop = top + ROW - room;
  }

  function focus(scroll = true) {
    if (scroll) toView(S.at.row);
    draw();
    const node = active();
    node?.focus({ preventScroll: true });
    if (scroll) node?.scrollIntoView({ block: "nearest", inline: S.at.column < 0 ? "start" : "nearest" });
  }

  function drawHead() {
    const html = S.shownColumns.map((column, place) => {
      const sorted = S.sort?.key === column.key ? (S.sort.down ? "descending" : "ascending") : "none";
      const arrow = { descending: " ↓", ascending: " ↑", none: "" }[sorted];
      const inner = column.numeric ? `<button type="button" data-sort="${column.key}">${escaped(column.title)}${arrow}</button>` : escaped(column.title);
      return `<div role="columnheader" class="cell${column.key === "name" ? " name" : ""}${column.numeric ? " number" : ""}" aria-colindex="${place + 1}"${column.numeric ? ` aria-sort="${sorted}"` : ""} title="${escaped(column.hint)}">${inner}</div>`;
    });
    replace(head, `<div role="row" class="row" aria-rowindex="1">${html.join("")}</div>`);
  }

  function drawFoot() {
    const { totals } = table;
    const html = S.shownColumns.map((column, place) => {
      const { key } = column;
      const start = `class="cell${column.numeric ? " number" : ""}${key === "name" ? " name" : ""}" aria-colindex="${place + 1}"`;
      if (key === "name") return `<div role="rowheader" ${start}>${table.failure ? "Total so far" : "Total"}</div>`;
      if (!(key in totals)) return `<div role="gridcell" ${start}></div>`;
      const short = key.endsWith("bytes") ? `${brief(totals[key])}B` : brief(totals[key]);
      return `<div role="gridcell" ${start} data-total="${key}" tabindex="0" title="${exact(totals[key])}${key.endsWith("bytes") ? ` bytes: ${megabytes(totals[key])}` : ""}" aria-label="${exact(totals[key])}">${short}</div>`;
    });
    replace(foot, `<div role="row" class="row" aria-rowindex="${S.list.length + 2}">${html.join("")}</div>`);
  }

  // Only where it differs: a head that is written again takes the focus off its button.
  function replace(node, html) {
    if (node._html === html) return;
    const sort = box.getRootNode().activeElement?.dataset?.sort;
    node._html = html;
    node.innerHTML = html;
    if (sort) node.querySelector(`[data-sort="${sort}"]`)?.focus();
  }

  function counted() {
    const { layers, operations } = table.totals;
    const some = (count, word) => `${exact(count)} ${word}${count === 1 ? "" : "s"}`;
    return operations ? `${some(layers, "layer")}, ${some(operations, "operation")}` : some(layers, "layer");
  }

  // The chosen row where the search, the filters or the sorting leave it out; a shut block shows that it holds some.
  function hiddenChoice() {
    const line = (S.sort || filtering()) && S.lines.find(isChosen);
    return line && !S.list.includes(line) ? line : null;
  }

  function say() {
    const rows = S.lines.filter((line) => line.role !== "fold").length;
    const words = [];
    if (S.found && filtering()) {
      // blocks hold what their rows hold: only leaves are added up
      const leaves = S.found.filter((line) => line.leaf);
      const sum = (key) => percent(leaves.reduce((all, line) => all + line[key], 0), table.totals[key]);
      words.push(`${exact(S.found.length)} of ${exact(rows)} rows match`);
      if (leaves.length) words.push(`the layers among them have ${sum("parameters")} of the parameters and ${sum("macs")} of the MACs`);
    } else if (!S.sort) words.push(counted());
    if (S.sort) {
      const { title } = columns.find(({ key }) => key === S.sort.key);
      words.push(`sorted by ${title}, ${S.sort.down ? "largest" : "smallest"} first: ${exact(S.list.length)} layers and operations, without their blocks`);
    }
    const hidden = hiddenChoice();
    if (hidden) words.push(`the chosen row, ${hidden.path || table.name}, is not among them`);
    const sentence = words.join("; ");
    put(told, `${sentence[0].toUpperCase()}${sentence.slice(1)}.`);
    back.hidden = !S.sort && !filtering();
    put(back, S.sort ? "Back to the net's order" : "Show all rows");
  }

  // ---------------------------------------------------------------------------- tools

  function tools() {
    const deepest = Math.min(3, Math.max(1, ...S.lines.map((line) => line.depth)));
    const buttons = [...Array.from({ length: deepest }, (_, at) => at + 1), Infinity];
    replace(depths, `<span>Open to depth</span>${buttons.map((depth) => `<button type="button" data-depth="${depth}" aria-label="${depth === Infinity ? "Open all" : `Open to depth ${depth}`}">${depth === Infinity ? "all" : depth}</button>`).join("")}`);
    pressDepth();
    replace(least, `<option value="">All sizes</option>${shares.map(([key, word]) => `<option value="${key}">≥ 1 % of ${escaped(word)}</option>`).join("")}`);
    if (least.value !== S.least) least.value = S.least;
    const counts = new Map();
    for (const line of S.lines) if (line.leaf) counts.set(line.kind, { family: line.family, count: (counts.get(line.kind)?.count ?? 0) + 1 });
    const groups = Object.entries(table.families).map(([key, word]) => [key, word, [...counts].filter(([, { family }]) => family === key)]);
    const html = groups
      .filter(([, , members]) => members.length)
      .map(([key, word, members]) => `<span class="family ${key}"><span class="dot"></span>${escaped(word)} ${members.map(([kind, { count }]) => `<button type="button" data-kind="${escaped(kind)}">${escaped(kind)} <b>${exact(count)}</b></button>`).join("")}</span>`);
    replace(kinds, html.join(""));
    for (const chip of kinds.querySelectorAll("button")) chip.setAttribute("aria-pressed", S.kinds.has(chip.dataset.kind));
    failure.hidden = !table.failure;
    const repairs = data.repairs.map(({ key, label }) => `<button type="button" data-repair="${escaped(key)}">${escaped(label)}</button>`);
    replace(failure, table.failure ? `<span>${escaped(table.failure)}</span>${repairs.join("")}` : "");
  }

  function pressDepth() {
    for (const button of depths.querySelectorAll("button")) button.setAttribute("aria-pressed", Number(button.dataset.depth) === S.depth);
  }

  query.oninput = () => {
    S.words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    filter();
  };
  least.onchange = () => {
    S.least = least.value;
    filter();
  };
  kinds.onclick = (event) => {
    const chip = event.target.closest("button");
    if (!chip) return;
    const { kind } = chip.dataset;
    if (!S.kinds.delete(kind)) S.kinds.add(kind);
    chip.setAttribute("aria-pressed", S.kinds.has(kind));
    filter();
  };
  depths.onclick = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    S.sort = null;
    S.shut.clear();
    openTo(Number(button.dataset.depth));
    pressDepth();
    arrange();
  };
  back.onclick = () => {
    const hidden = hiddenChoice();
    if (S.sort) S.sort = null;
    else {
      S.kinds.clear();
      S.words = [];
      S.least = query.value = "";
      tools();
    }
    query.focus(); // the button is about to go
    if (hidden) reveal(hidden);
    filter();
  };
  failure.onclick = (event) => {
    const key = event.target.closest("button")?.dataset.repair;
    if (key != null) setTriggerValue("repair", key);
  };

  function filter() {
    S.shut.clear();
    S.at = { row: 0, column: -1 };
    scroller.scrollTop = 0;
    arrange();
  }

  head.onclick = (event) => {
    const key = event.target.closest("button")?.dataset.sort;
    if (!key) return;
    // largest first, smallest first, the net's order
    if (S.sort?.key !== key) S.sort = { key, down: true };
    else S.sort = S.sort.down ? { key, down: false } : null;
    filter();
  };

  // ---------------------------------------------------------------------------- the tree under the hand

  function toggle(place, open) {
    const line = S.list[place];
    if (!expandable(line) || isOpen(line) === open) return false;
    if (filtering()) S.shut[open ? "delete" : "add"](line.index);
    else S.open[open ? "add" : "delete"](line.index);
    S.depth = null;
    pressDepth();
    S.at = { row: place, column: -1 };
    arrange();
    return true;
  }

  function choose(place) {
    const line = S.list[place];
    if (line.role === "fold") return toggle(place, !isOpen(line));
    S.chosen = isChosen(line) ? null : [line.path, line.call];
    S.shown = JSON.stringify(S.chosen);
    S.sent += 1;
    for (const [at, row] of S.drawn) if (row.hasAttribute("aria-selected")) row.setAttribute("aria-selected", isChosen(S.list[at]));
    setStateValue("chosen", { count: S.sent, path: S.chosen?.[0] ?? null, call: S.chosen?.[1] ?? null });
    return true;
  }

  body.onclick = (event) => {
    const row = event.target.closest(".row");
    if (!row) return;
    const cell = event.target.closest(".cell");
    const column = Number(cell?.dataset.column ?? -1);
    S.at = { row: row._place, column: column > 0 ? column : -1 };
    if (event.target.closest(".toggle")) toggle(row._place, !isOpen(S.list[row._place]));
    else if (cell?.classList.contains("name")) {
      focus(false);
      choose(row._place);
    } else {
      focus(false);
      openProduct();
    }
  };

  // what gets the focus by other means than ours is where the keys go on; there is no `onfocusin`
  body.removeEventListener("focusin", S.follow);
  S.follow = (event) => {
    const row = event.target.closest(".row");
    if (!row) return;
    S.at = { row: row._place, column: Number(event.target.dataset.column ?? -1) };
    rove();
  };
  body.addEventListener("focusin", S.follow);

  body.onkeydown = (event) => {
    const { row, column } = S.at, line = S.list[row], last = S.list.length - 1, columns_ = S.shownColumns.length - 1;
    const page = Math.max(1, Math.floor(view() / ROW) - 1);
    const go = (to, across = column) => {
      S.at = { row: Math.max(0, Math.min(to, last)), column: across };
      focus();
    };
    const far = event.ctrlKey || event.metaKey;
    if (!line || event.altKey || event.target.closest("button, input")) return;
    if (event.key === "ArrowDown") go(row + 1);
    else if (event.key === "ArrowUp") go(row - 1);
    else if (event.key === "PageDown") go(row + page);
    else if (event.key === "PageUp") go(row - page);
    else if (event.key === "Home") column < 0 || far ? go(0) : go(row, 1);
    else if (event.key === "End") column < 0 || far ? go(last) : go(row, columns_);
    else if (event.key === "ArrowRight") {
      if (column >= 0) go(row, Math.min(column + 1, columns_));
      else if (!toggle(row, true) && columns_ > 0) go(row, 1);
    } else if (event.key === "ArrowLeft") {
      if (column > 1) go(row, column - 1);
      else if (column === 1) go(row, -1);
      else if (!toggle(row, false)) go(S.sort ? row : Math.max(S.list.findIndex(({ index }) => index === line.parent), 0));
    } else if (event.key === "Enter" || event.key === " ") {
      if (column < 0) choose(row);
      else openProduct();
    } else return;
    event.preventDefault();
  };

  foot.onclick = (event) => openTotal(event.target.closest("[data-total]"));
  foot.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    openTotal(event.target.closest("[data-total]"));
  };

  cancelAnimationFrame(S.due); // it would draw the table of the run before
  scroller.onscroll = () => {
    if (product.matches(":popover-open")) product.hidePopover();
    cancelAnimationFrame(S.due);
    S.due = requestAnimationFrame(draw);
  };

  // ---------------------------------------------------------------------------- a number, opened

  function openProduct() {
    const line = S.list[S.at.row], column = S.shownColumns[S.at.column];
    const cell = active();
    if (!column?.numeric || !cellText(line, column)) return;
    const { equation, parts, notes } = made(line, column);
    show(cell, `${line.last || line.name}: ${column.title.replace(/, (bytes|px)$/, "")}`, equation, parts, notes);
  }

  function openTotal(cell) {
    if (!cell) return;
    const key = cell.dataset.total, column = columns.find((each) => each.key === key), whole = table.totals[key];
    const holders = S.lines.filter((line) => (line.leaf ? line[key] : key === "parameters" && line.role === "container" && line.own));
    const values = holders.map((line) => (line.leaf ? line[key] : line.own));
    const notes = [`over ${exact(holders.length)} rows that have some`];
    if (key === "macs") notes.push(`FLOPs: 2 × ${exact(whole)} = ${exact(2 * whole)}`);
    if (key === "parameters") notes.push(hint({ ...table.totals }, column));
    if (key.endsWith("bytes")) notes.push(megabytes(whole));
    show(cell, `${table.name}: ${column.title.replace(", bytes", "")}`, `${summed(values, whole)}`, [], notes);
  }

  function summed(values, whole) {
    const terms = values.filter(Boolean);
    if (terms.length < 2) return exact(whole);
    const shown = terms.length > TERMS ? [...terms.slice(0, TERMS - 1).map(exact), "…", exact(terms.at(-1))] : terms.map(exact);
    return `${shown.join(" + ")} = ${exact(whole)}`;
  }

  // How a number of the table is made: the equation, the rows that it sums up, and what else there is to say.
  function made(line, { key, of }) {
    const value = amount(line, of ?? key);
    if (of) return { equation: `${exact(value)} ÷ ${exact(table.totals[of])} = ${percent(value, table.totals[of])}`, parts: [], notes: [] };
    if (key === "field") {
      if (line.field === "everything") return { equation: "everything", parts: [], notes: ["Each unit sees the whole picture."] };
      return { equation: `${exact(line.field[0])} × ${exact(line.field[1])} pixels`, parts: [], notes: [fieldWords(line.field)] };
    }
    const notes = [];
    if (key === "parameters") notes.push(hint(line, { key }));
    if (key === "macs" && value) notes.push(`FLOPs: 2 × ${exact(value)} = ${exact(2 * value)}`);
    if (key.endsWith("bytes")) notes.push(megabytes(value));
    if (table.shares[key] && value) notes.push(`${percent(value, table.totals[key])} of the net's ${table.shares[key]}`);
    if (S.sort && !line.leaf) return { equation: exact(value), parts: [], notes: ["kept by the block itself, in none of its layers", ...notes] };
    if (line.products[key]) return { equation: `${line.products[key]} = ${exact(value)}`, parts: [], notes };
    if (!line.leaf) {
      const parts = line.children.map((child) => S.lines[child]).filter((child) => child[key]).map((child) => [child.name, child[key]]);
      if (key === "parameters" && line.own) parts.unshift(["its own", line.own]);
      // what stands alone in a block is made as the block is
      const alone = parts.length === 1 && S.lines.find((child) => child.parent === line.index && child[key]);
      if (alone) return { ...made(alone, { key }), notes };
      return { equation: summed(parts.map(([, number]) => number), value), parts, notes };
    }
    if (line.shares && !value) notes.unshift("A view of its input, or written over it: no new numbers.");
    const numbers = shapeText(line.outputs, " × ").replaceAll(", ", " + ");
    if (key === "activations" && value) return { equation: /[×+]/.test(numbers) ? `${numbers} = ${exact(value)}` : exact(value), parts: [], notes };
    if (key === "bytes" && value && line.activations && value % line.activations === 0) return { equation: `${exact(line.activations)} × ${value / line.activations} = ${exact(value)}`, parts: [], notes: [`${value / line.activations} bytes a number (${table.dtype})`, ...notes] };
    if (!value && key === "macs") notes.unshift("It multiplies no weights: only convolutions, dense layers and matrix products count.");
    if (!value && key === "parameters") notes.unshift("It has nothing to learn.");
    return { equation: exact(value), parts: [], notes };
  }

  function show(anchor, of, equation, parts, notes) {
    const rows = parts.length > 1 ? `<table>${parts.map(([name, number]) => `<tr><td>${escaped(name)}</td><td>${exact(number)}</td></tr>`).join("")}</table>` : "";
    product.innerHTML = `<div class="of">${escaped(of)}</div><div class="equation">${escaped(equation)}</div>${rows}<div class="told">${notes.map(escaped).join("<br>")}</div><button type="button" class="act">Copy</button>`;
    const button = product.querySelector("button");
    button.onclick = async () => {
      try {
        await navigator.clipboard.writeText(equation);
        put(button, "Copied");
      } catch {
        box.getRootNode().getSelection?.()?.selectAllChildren(product.querySelector(".equation"));
        put(button, "Selected: press Ctrl+C");
      }
    };
    // before it closes: `ontoggle` comes a task later, when keys may have been pressed already
    product.onbeforetoggle = (event) => {
      if (event.newState === "closed" && product.contains(box.getRootNode().activeElement)) anchor.focus({ preventScroll: true });
    };
    putBeside(product, anchor);
    button.focus({ preventScroll: true });
  }

  // Beside what opened it, and never outside the window.
  function putBeside(panel, anchor) {
    if (!panel.matches(":popover-open")) panel.showPopover();
    const [at, size] = [anchor.getBoundingClientRect(), panel.getBoundingClientRect()];
    const below = at.bottom + 4 + size.height <= window.innerHeight || at.top < size.height + 12;
    panel.style.left = `${Math.max(8, Math.min(at.right - size.width, window.innerWidth - size.width - 8))}px`;
    panel.style.top = `${below ? Math.max(8, Math.min(at.bottom + 4, window.innerHeight - size.height - 8)) : at.top - size.height - 4}px`;
  }

  // ---------------------------------------------------------------------------- menus

  for (const button of box.querySelectorAll(".opens")) {
    const panel = box.querySelector(`#${button.dataset.menu}`);
    // a press on the button closes the panel before the click comes, which would open it again
    button.onpointerdown = () => (button._was = panel.matches(":popover-open"));
    button.onclick = (event) => {
      const was = event.detail > 0 && button._was;
      button._was = false;
      if (was) return;
      (button.dataset.menu === "columns" ? fillColumns : fillExports)(panel);
      putBeside(panel, button);
      panel.querySelector("input, button")?.focus();
    };
    panel.onbeforetoggle = (event) => {
      button.setAttribute("aria-expanded", event.newState === "open");
      if (event.newState === "closed" && panel.contains(box.getRootNode().activeElement)) button.focus();
    };
  }

  function fillColumns(panel) {
    const shown = new Set(S.shownColumns.map(({ key }) => key));
    panel.innerHTML = `${columns
      .filter(({ key }) => key !== "name")
      .map(({ key, title, hint: tip }) => `<label title="${escaped(tip)}"><input type="checkbox" value="${key}"${shown.has(key) ? " checked" : ""} />${escaped(title)}</label>`)
      .join("")}<hr><button type="button" class="act">As fits the width</button>`;
    panel.onchange = () => {
      S.columns = [...panel.querySelectorAll("input:checked")].map(({ value }) => value);
      S.at.column = -1;
      arrange();
    };
    panel.querySelector("button").onclick = () => {
      S.columns = null;
      S.at.column = -1;
      arrange();
      fillColumns(panel);
      panel.querySelector("button").focus();
    };
  }

  function fillExports(panel) {
    panel.onchange = null;
    panel.innerHTML = `<label><input type="checkbox" id="as-shown" />Only these rows, in this order</label><hr>${data.formats
      .map(({ key, title }) => `<div class="line" data-format="${key}"><span>${escaped(title)}</span><button type="button" class="act" data-way="copy" aria-label="Copy as ${escaped(title)}">Copy</button><button type="button" class="act" data-way="save" aria-label="Download as ${escaped(title)}">Download</button></div>`)
      .join("")}<p role="status">Markdown and LaTeX take the columns that are shown.</p>`;
    panel.onclick = (event) => {
      const button = event.target.closest("[data-way]");
      if (button) ask(button, panel.querySelector("#as-shown").checked, panel);
    };
  }

  // Python writes the text; the clipboard accepts a promise of it, while the press still counts as one.
  async function ask(button, asShown, panel) {
    const { format } = button.closest(".line").dataset, copying = button.dataset.way === "copy", words = panel.querySelector("p");
    S.asked = Math.max(S.asked, Date.now()) + 1; // larger than any before, of this visit or an earlier one
    const answer = new Promise((resolve) => S.waiting.set(S.asked, resolve));
    setTriggerValue("export", { count: S.asked, format, rows: asShown ? S.list.map(({ index }) => index) : null, flat: asShown && Boolean(S.sort), columns: S.shownColumns.map(({ key }) => key).filter((key) => !key.startsWith("share_")) });
    put(words, "Writing …");
    try {
      if (copying) {
        const blob = answer.then((file) => new Blob([file.text], { type: "text/plain" }));
        await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
        put(words, "Copied.");
      } else {
        const file = await answer;
        save(file);
        put(words, `Saved as ${file.file}.`);
      }
    } catch {
      // without a secure context browsers give no clipboard: then the text is shown, selected
      const { text: whole } = await answer;
      words.innerHTML = "Press Ctrl+C.<textarea readonly aria-label='The text to copy'></textarea>";
      const area = words.querySelector("textarea");
      area.value = whole;
      area.focus();
      area.select();
    }
  }

  function hand(file) {
    if (!file) return;
    S.waiting.get(file.count)?.(file);
    S.waiting.delete(file.count);
  }

  function save(file) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file.text], { type: `${file.mime};charset=utf-8` }));
    link.download = file.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // ---------------------------------------------------------------------------- width

  // the observer of the run before would draw that run's table
  let width = box.clientWidth;
  S.watch?.disconnect();
  S.watch = new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    const before = S.shownColumns.map(({ key }) => key).join();
    S.aim = null;
    if (!S.columns && columns.filter(({ key }) => key === "name" || usual().includes(key)).map(({ key }) => key).join() !== before) arrange();
    else draw();
  });
  S.watch.observe(box);
  return () => {
    S.watch.disconnect();
    cancelAnimationFrame(S.due);
  };
}
