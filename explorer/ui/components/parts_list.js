// The parts of a network: an edit is done here at once, and sent with a number until Python has answered it.  Python
// does each once and in order; what it sends back is taken when nothing of ours is on its way any more.
const ROW = 34; // CSS pixels of a row, as in the style
const STEP = 13; // and of a level
const TYPING = 300; // ms without a key before a typed value is sent
const SAME_STEP = 1500; // ms within which the next value of a setting belongs to the same step back
const PATIENCE = 4000; // ms after which edits that were not answered are sent again
const NO_CLICK = 300; // ms after the lifting of a finger in which its click comes, if it does
const SAME_TAP = 700; // ms within which a click belongs to the tap before it
const BAR = 60; // the navigation at the top, which lies over the page
const UNKNOWN = new Set(["undo", "redo", "open", "ungroup", "repair"]); // Python alone knows what comes of these
const GRIP = '<svg viewBox="0 0 8 14"><circle cx="2" cy="2" r="1.1"/><circle cx="6" cy="2" r="1.1"/><circle cx="2" cy="7" r="1.1"/><circle cx="6" cy="7" r="1.1"/><circle cx="2" cy="12" r="1.1"/><circle cx="6" cy="12" r="1.1"/></svg>';

const NUMBERS = new Intl.NumberFormat("en-US");
const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
const shapeText = (shape) => shape.map((size) => NUMBERS.format(size)).join(" × ");
const sameList = (a, b) => a.length === b.length && a.every((value, index) => value === b[index]);
const startsWith = (path, start) => start.length <= path.length && start.every((value, index) => value === path[index]);

// What a field holds as the value that is meant: a number, two of them, or the text as it was typed.
export function valueOf(type, text) {
  const plain = text.trim();
  if (type === "number") return plain !== "" && Number.isFinite(Number(plain.replace("−", "-"))) ? Number(plain.replace("−", "-")) : plain;
  const whole = plain.replace(/(?<=\d)[,\u202f ](?=\d{3}(\D|$))/g, "");
  if (/^-?\d{1,15}$/.test(whole)) return Number(whole);
  const pair = type === "pair" && /^(\d{1,9})\s*(?:[x×*;,]|\s)\s*(\d{1,9})$/i.exec(plain);
  return pair ? [Number(pair[1]), Number(pair[2])] : plain;
}

export const textOf = (value) => (Array.isArray(value) ? value.join(" × ") : String(value));

// Where a part that is taken out of `path` and shall stand in front of what is at `place` stands afterwards.
export function afterwards(path, count, place) {
  const around = path.slice(0, -1), index = path.at(-1), depth = around.length;
  if (place.length <= depth || !startsWith(place, around) || place[depth] < index + count) return place;
  return place.map((value, level) => (level === depth ? value - count : value));
}

export default function ({ data, parentElement: root, setStateValue }) {
  const box = root.querySelector(".builder");
  const [head, tools, scroller, rows, none, drop, note, form, status, menu, query, kinds, nothing] = [".head", ".tools", ".scroller", ".rows", ".none", ".drop", ".note", ".form", ".sr", ".menu", ".query", ".kinds", ".nothing"].map((found) => box.querySelector(found));
  // at: key of the row where the hand is; count: how many siblings from `lead` on are chosen
  const S = (box._state ??= { number: 0, pending: [], later: [], asked: new Map(), token: null, text: "", at: "", lead: [], count: 1, unknown: false, wrong: null, typed: null, timers: {}, seenRefusal: 0, list: [] });
  Object.assign(S, { data, tell: setStateValue }); // fields outlive the run that made them
  put(root.querySelector(".hues"), Object.entries(data.hues).map(([family, hue]) => `.${family} { --hue: ${hue}; }`).join("\n"));

  receive();

  // ---------------------------------------------------------------------------- what Python says

  function receive() {
    const replaced = S.data.token !== S.token;
    if (replaced) Object.assign(S, { pending: [], later: [], unknown: false, token: S.data.token, text: "", typed: null });
    S.number = Math.max(S.number, S.data.answered);
    S.pending = S.pending.filter((wish) => wish.number > S.data.answered);
    complain();
    if (S.pending.length || S.typed) {
      draw();
      return;
    }
    const message = JSON.stringify([S.data.network, S.data.insides, S.data.trouble]);
    if (message !== S.text) adopt(message);
    draw();
    while (S.later.length && !S.unknown) S.later.shift()();
  }

  function adopt(message) {
    const old = S.tree;
    S.text = message;
    S.tree = structuredClone(S.data.network.parts);
    S.insides = S.data.insides;
    S.title = S.data.network.title;
    S.input = [...data.network.input];
    keepOpen(old ?? [], S.tree);
    if (S.data.trouble) {
      at(S.data.trouble.path).trouble = S.data.trouble;
      for (let depth = 1; depth < S.data.trouble.path.length; depth++) Object.assign(at(S.data.trouble.path.slice(0, depth)), { open: true, holds: true });
    }
    if (S.unknown && old) {
      const changed = difference(old, S.tree, []);
      if (changed) choose(changed);
    }
    S.unknown = false;
  }

  function keepOpen(old, fresh) {
    fresh.forEach((node, index) => {
      const before = old[index]?.kind === node.kind ? old[index] : null;
      node.open = before?.open ?? Boolean(node.inside);
      if (before?.openInside && node.block != null) node.openInside = before.openInside;
      if (node.inside) keepOpen(before?.inside ?? [], node.inside);
    });
  }

  // Path of the first part that is another than before; null where none is.
  function difference(old, fresh, path) {
    const own = (node) => JSON.stringify([node.kind, node.own, node.settings]);
    for (let index = 0; index < Math.max(old.length, fresh.length); index++) {
      const [a, b] = [old[index], fresh[index]];
      // what was taken out leaves the hand on what stands before it
      const place_ = fresh.length < old.length ? Math.max(index - 1, 0) : index;
      if (!a || !b || own(a) !== own(b)) return fresh.length ? [...path, place_] : path.length ? path : null;
      const deeper = b.inside && difference(a.inside ?? [], b.inside, [...path, index]);
      if (deeper) return deeper;
    }
    return null;
  }

  function complain() {
    const { number, sentence } = S.data.refused;
    if (number && number !== S.seenRefusal) {
      S.seenRefusal = number;
      const field = S.asked.get(number);
      if (field) S.wrong = { ...field, sentence };
      else S.note = sentence;
    } else if (!number) S.note = "";
    for (const asked of S.asked.keys()) if (asked <= S.data.answered) S.asked.delete(asked);
  }

  // ---------------------------------------------------------------------------- what the hand does

  // An edit waits where nobody knows yet how the list stands.
  function when(work) {
    flush();
    if (S.unknown || S.later.length) S.later.push(work);
    else work();
  }

  function send(wish, field) {
    S.number += 1;
    if (field) S.asked.set(S.number, field);
    S.note = "";
    S.text = ""; // the list is another now: the answer is taken even where it is what there was before
    S.pending.push({ ...wish, number: S.number, token: S.token });
    if (UNKNOWN.has(wish.do)) S.unknown = true;
    post();
  }

  function post() {
    S.posts = (S.posts ?? 0) + 1;
    S.tell("wishes", { post: S.posts, wishes: S.pending });
    clearTimeout(S.timers.again);
    S.timers.again = setTimeout(() => S.pending.length && box.isConnected && post(), PATIENCE);
  }

  function list(path) {
    return path.length > 1 ? at(path.slice(0, -1)).inside : S.tree;
  }

  function at(path) {
    return path.reduce((node, index) => (node.inside ?? node)[index], { inside: S.tree });
  }

  function exists(path) {
    let among = S.tree;
    for (const index of path) {
      if (!among?.[index]) return false;
      among = among[index].inside;
    }
    return path.length > 0;
  }

  function choose(path, count = 1) {
    for (let depth = 1; depth < path.length; depth++) if (exists(path.slice(0, depth))) at(path.slice(0, depth)).open = true;
    Object.assign(S, { at: path.join("."), lead: path, count });
  }

  // The parts that are chosen; null where none is, or a layer inside of a block.
  function chosen() {
    return S.at && !/[/+]/.test(S.at) && exists(S.lead) ? { path: S.lead, count: Math.min(S.count, list(S.lead).length - S.lead.at(-1)) } : null;
  }

  // Where a new part goes.
  function place() {
    if (S.at.endsWith("+")) return S.at.slice(0, -1).split(".").map(Number);
    const path = S.at.split("/")[0].split(".").map(Number);
    if (!S.at || !exists(path)) return [S.tree.length];
    const node = at(path);
    if (node.inside && !node.inside.length) return [...path, 0];
    const { path: lead, count } = chosen() ?? { path, count: 1 };
    return [...lead.slice(0, -1), lead.at(-1) + count];
  }

  function add(kind) {
    when(() => {
      const path = place();
      const holds = S.data.kinds[kind].family === "group" ? { inside: [], open: true } : {};
      list(path).splice(path.at(-1), 0, { kind, called: "", own: "", short: "", settings: null, ...holds });
      choose(path);
      done({ do: "add", path, name: kind }, `${S.data.kinds[kind].title} added`);
    });
  }

  function done(wish, words) {
    send(wish);
    put(status, words);
    draw();
    seek();
  }

  const ACTS = {
    duplicate() {
      const found = chosen();
      if (!found) return;
      const { path, count } = found, among = list(path), index = path.at(-1);
      among.splice(index + count, 0, ...structuredClone(among.slice(index, index + count)));
      choose([...path.slice(0, -1), index + count], count);
      done({ do: "duplicate", path, count }, "Duplicated");
    },
    delete() {
      const found = chosen();
      if (!found) return;
      const { path, count } = found, among = list(path), index = path.at(-1);
      among.splice(index, count);
      if (among.length) choose([...path.slice(0, -1), Math.min(index, among.length - 1)]);
      else if (path.length > 1) choose(path.slice(0, -1));
      else choose([]);
      done({ do: "delete", path, count }, "Deleted");
    },
    up: () => shift(-1),
    down: () => shift(1),
    group: () => wrap("sequence"),
    branches: () => wrap("branches"),
    repeat: () => wrap("sequence", 2),
    ungroup() {
      const found = chosen();
      if (found && at(found.path).inside) done({ do: "ungroup", path: found.path }, "Taken apart");
    },
    open() {
      const path = S.at.split("/")[0].split(".").map(Number);
      if (exists(path) && S.data.kinds[at(path).kind].family === "block") done({ do: "open", path }, "Opened up");
    },
  };

  // One step up or down: past a neighbour, into an open group, or out of the group at its end.
  function shift(by) {
    const found = chosen();
    if (!found) return;
    const { path, count } = found, among = list(path), index = path.at(-1), around = path.slice(0, -1);
    const beside = among[by < 0 ? index - 1 : index + count];
    let before; // in front of what it shall stand, as the list is now
    if (!beside) {
      if (!around.length) return;
      before = by < 0 ? around : [...around.slice(0, -1), around.at(-1) + 1];
    } else if (beside.inside && beside.open) before = by < 0 ? [...around, index - 1, beside.inside.length] : [...around, index + count, 0];
    else before = by < 0 ? [...around, index - 1] : [...around, index + count + 1];
    relocate(path, count, before);
  }

  function relocate(path, count, before) {
    const to = afterwards(path, count, before);
    if (sameList(to, path)) return;
    const parts = list(path).splice(path.at(-1), count);
    list(to).splice(to.at(-1), 0, ...parts);
    choose(to, count);
    done({ do: "move", path, count, to }, "Moved");
  }

  function wrap(kind, times = 1) {
    const found = chosen();
    if (!found) return;
    const { path, count } = found, among = list(path), index = path.at(-1);
    const inside = among.slice(index, index + count);
    const settings = kind === "sequence" ? { times } : { join: "add" };
    among.splice(index, count, { kind, called: "", own: "", short: "", settings, inside, open: true });
    choose(path);
    done({ do: "group", path, count, name: kind, value: times }, "Grouped");
  }

  function act(name) {
    if (name === "undo" || name === "redo") {
      flush();
      const step = () => done({ do: name }, name === "undo" ? "Undone" : "Done again");
      if (S.later.length) S.later.push(step);
      else step(); // one after the other need not wait
    } else if (name === "menu") openMenu();
    else when(ACTS[name]);
  }

  // A drag that ends in speed is a fling to Chromium: the next tap only stops it, and no click comes.  So the lifting
  // of a finger acts itself where no click has come, and one that comes after that is dropped.
  tools.onpointerdown = (event) => {
    S.pressed = event.target.closest("button");
    S.wasOpen = menu.matches(":popover-open"); // what the tap shuts is not opened again
  };
  tools.onpointerup = (event) => {
    const button = S.pressed;
    if (event.pointerType !== "touch" || !button || button.disabled) return;
    const { left, right, top, bottom } = button.getBoundingClientRect();
    if (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom) return;
    clearTimeout(S.lifted);
    S.lifted = setTimeout(() => {
      S.tapped = performance.now();
      act(button.dataset.act);
    }, NO_CLICK);
  };
  tools.onclick = (event) => {
    const button = event.target.closest("button");
    clearTimeout(S.lifted);
    const again = event.detail > 0 && performance.now() - (S.tapped ?? -Infinity) < SAME_TAP;
    if (button && !again) act(button.dataset.act);
  };

  // ---------------------------------------------------------------------------- the list

  function listed() {
    const found = [];
    const walk = (nodes, path) =>
      nodes.forEach((node, index) => {
        const here = [...path, index];
        const row = { node, path: here, key: here.join("."), level: here.length, place: index + 1, among: nodes.length, can: Boolean(node.inside) || node.block != null, open: Boolean(node.open) };
        found.push(row);
        if (!row.open) return;
        if (node.inside?.length) walk(node.inside, here);
        else if (node.inside) found.push({ empty: true, path: [...here, 0], key: `${here.join(".")}.0+`, level: here.length + 1, place: 1, among: 1 });
        else if (node.block != null && S.insides[node.block]) inner(S.insides[node.block], row, []);
      });
    const inner = (nodes, owner, path) =>
      nodes.forEach((node, index) => {
        const here = [...path, index], key = `${owner.key}/${here.join(".")}`;
        const row = { node, owner, fixed: true, path: owner.path, key, level: owner.level + here.length, place: index + 1, among: nodes.length, can: Boolean(node.inside?.length), open: !owner.node.shut?.includes(key) };
        found.push(row);
        if (row.can && row.open) inner(node.inside, owner, here);
      });
    walk(S.tree, []);
    return found;
  }

  function isChosen(row) {
    if (row.key === S.at) return true;
    if (row.fixed || row.empty || S.count < 2 || row.path.length !== S.lead.length || !startsWith(row.path, S.lead.slice(0, -1))) return false;
    const index = row.path.at(-1) - S.lead.at(-1);
    return index >= 0 && index < S.count;
  }

  function shapeHtml(row, before) {
    const { node } = row, shape = node.leaving;
    if (shape === undefined) return { html: "…", words: "shape not known yet" };
    if (node.trouble) return { html: "fails", words: "fails" };
    if (node.holds) return { html: "", words: "does not end" };
    if (shape === null) return { html: "not reached", words: "not reached" };
    const same = before && before.length === shape.length;
    const html = shape.map((size, index) => (same && before[index] === size ? NUMBERS.format(size) : `<b>${NUMBERS.format(size)}</b>`)).join(" × ");
    const last = node.last ? `; the last time ${shapeText(node.last)}` : "";
    return { html, words: `${shapeText(shape)} leaves${last}` };
  }

  function rowHtml(row) {
    const arrow = `<span class="toggle${row.can ? " on" : ""}"></span>`;
    const guides = `<span class="handle">${GRIP}</span><span class="guides" style="width:${STEP * (row.level - 1)}px"></span>${arrow}`;
    if (row.empty) return { html: `<div class="strip">${guides}<span class="says">empty: passes on what arrives</span></div>`, label: "Empty group: passes on what arrives" };
    const { node } = row, about = S.data.kinds[node.kind];
    const shape = shapeHtml(row, node.arriving);
    const times = node.kind === "sequence" && node.settings?.times > 1 ? ` <span class="times">× ${NUMBERS.format(node.settings.times)}</span>` : "";
    const more = [node.called && `<i>${escaped(node.called)}</i>`, times ? "" : escaped(node.short)].filter(Boolean).join(" · ");
    const trouble = node.trouble && !row.fixed ? `<div class="trouble"><p>${escaped(node.trouble.sentence)}</p><div>${node.trouble.repairs.map((label, index) => `<button type="button" data-repair="${index}">${escaped(label)}</button>`).join("")}</div></div>` : "";
    const tip = [about.title, node.called, node.short].filter(Boolean).join(" · ");
    const html = `<div class="strip" title="${escaped(tip)}">${guides}<span class="dot ${about.dot}"></span><span class="says"><span class="kind">${escaped(about.title)}${times}</span>${more ? `<span class="more">${more}</span>` : ""}</span><span class="shape" title="${escaped(shape.words)}">${shape.html}</span></div>${trouble}`;
    return { html, label: [about.title, node.called, node.short, shape.words, node.trouble?.sentence].filter(Boolean).join(", ") };
  }

  function draw() {
    const focused = box.getRootNode().activeElement;
    const had = rows.contains(focused) && !focused.dataset.repair;
    S.list = listed();
    if (S.at && !S.list.some((row) => row.key === S.at)) nearest();
    const here = Math.max(0, S.list.findIndex((row) => row.key === S.at));
    S.list.forEach((row, index) => {
      const node = rows.children[index] ?? rows.appendChild(document.createElement("div"));
      const { html, label } = rowHtml(row);
      if (node._html !== html) node.innerHTML = node._html = html;
      const look = ["row", row.fixed && "fixed", row.empty && "empty", row.node?.trouble && !row.fixed && "failed", row.node && row.node.leaving === null && !row.node.trouble && !row.node.holds && "unreached"].filter(Boolean).join(" ");
      if (node.className !== look) node.className = look;
      node._row = row;
      const marks = { role: "treeitem", tabindex: index === here ? 0 : -1, "aria-level": row.level, "aria-posinset": row.place, "aria-setsize": row.among, "aria-selected": isChosen(row), "aria-expanded": row.can ? row.open : null, "aria-label": label };
      for (const [name, value] of Object.entries(marks)) {
        if (value === null) node.removeAttribute(name);
        else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
      }
    });
    while (rows.children.length > S.list.length) rows.lastChild.remove();
    if (had) rows.children[here]?.focus({ preventScroll: true });
    none.hidden = S.list.length > 0;
    rows.hidden = !none.hidden;
    if (!none.hidden) put(none, "No parts yet: what arrives leaves as it came. Add one, or begin with a network above.");
    note.hidden = !S.note;
    put(note, S.note ?? "");
    drawTools();
    drawHead();
    drawForm();
  }

  // What was chosen is gone: the row next to where it was.
  function nearest() {
    let path = S.at.split(/[/+]/)[0].split(".").map(Number);
    while (path.length && !exists(path)) {
      const among = path.length > 1 ? exists(path.slice(0, -1)) && at(path.slice(0, -1)).inside : S.tree;
      if (among?.length) path = [...path.slice(0, -1), Math.min(path.at(-1), among.length - 1)];
      else path = path.slice(0, -1);
    }
    Object.assign(S, { at: path.join("."), lead: path, count: 1 });
    S.list = listed();
    // inside of what is shut
    while (path.length && !S.list.some((row) => row.key === path.join("."))) path = path.slice(0, -1);
    Object.assign(S, { at: path.join("."), lead: path });
  }

  function drawTools() {
    const found = chosen();
    const movable = (by) => found && (found.path.length > 1 || (by < 0 ? found.path[0] > 0 : found.path[0] + found.count < S.tree.length));
    // what was not answered yet may have made a step to undo
    const can = { duplicate: found, delete: found, up: movable(-1), down: movable(1), undo: S.data.undo || S.pending.length, redo: S.data.redo || S.pending.length };
    for (const [name, able] of Object.entries(can)) {
      const button = tools.querySelector(`[data-act="${name}"]`);
      if (!able && box.getRootNode().activeElement === button) (rows.querySelector('[tabindex="0"]') ?? tools.querySelector(".add")).focus();
      button.disabled = !able;
    }
  }

  // The row under the keys into sight, and the focus on it where the list has it.
  function seek(focus = false) {
    const node = rows.children[S.list.findIndex((row) => row.key === S.at)];
    if (!node) return;
    const top = node.offsetTop, bottom = top + node.offsetHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
    if (focus) node.focus({ preventScroll: true });
  }

  function go(row, extend = false) {
    if (!row) return;
    if (extend && !row.fixed && !row.empty && chosen() && row.path.length === S.lead.length && startsWith(row.path, S.lead.slice(0, -1))) {
      S.anchor ??= S.lead.at(-1);
      const index = row.path.at(-1), first = Math.min(S.anchor, index);
      Object.assign(S, { at: row.key, lead: [...row.path.slice(0, -1), first], count: Math.abs(S.anchor - index) + 1 });
    } else {
      S.anchor = null;
      Object.assign(S, { at: row.key, lead: row.path, count: 1 });
    }
    flush();
    draw();
    seek(true);
  }

  function toggle(row, open = !row.open) {
    if (!row.can || row.open === open) return false;
    if (!row.fixed) row.node.open = open;
    else row.owner.node.shut = open ? row.owner.node.shut.filter((key) => key !== row.key) : [...(row.owner.node.shut ?? []), row.key];
    draw();
    return true;
  }

  rows.onclick = (event) => {
    const repair = event.target.closest("[data-repair]");
    const row = event.target.closest(".row")?._row;
    if (repair) {
      choose(row.path);
      when(() => done({ do: "repair", name: repair.dataset.repair }, repair.textContent));
      seek(true);
    } else if (event.target.closest(".toggle.on")) {
      toggle(row);
    } else if (row && !event.target.closest(".trouble")) go(row, event.shiftKey);
  };
  rows.ondblclick = (event) => {
    const row = event.target.closest(".strip")?.parentElement._row;
    if (row && !event.target.closest(".toggle, .handle")) toggle(row);
  };

  rows.onkeydown = (event) => {
    if (event.target.closest("button")) return;
    const index = S.list.findIndex((row) => row.key === S.at), row = S.list[index], first = Math.max(index, 0);
    const far = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1);
    const { key, shiftKey } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // a range is made of neighbours: what is inside of them is passed over
    const beside = (by) => S.list[first + by] && shiftKey && row && !row.fixed && !row.empty ? S.list.find((each) => !each.fixed && !each.empty && sameList(each.path, [...row.path.slice(0, -1), row.path.at(-1) + by])) : S.list[index < 0 ? 0 : Math.max(0, Math.min(first + by, S.list.length - 1))];
    if (key === "ArrowDown") go(beside(1), shiftKey);
    else if (key === "ArrowUp") go(beside(-1), shiftKey);
    else if (key === "Home") go(S.list[0]);
    else if (key === "End") go(S.list.at(-1));
    else if (key === "PageDown") go(S.list[Math.min(first + far, S.list.length - 1)]);
    else if (key === "PageUp") go(S.list[Math.max(first - far, 0)]);
    else if (key === "ArrowRight") row && !toggle(row, true) && row.can && go(S.list[index + 1]);
    else if (key === "ArrowLeft") row && !toggle(row, false) && go(S.list.findLast((each, place_) => place_ < index && each.level < row.level));
    else if (key === " ") row && toggle(row);
    else if (key === "Enter") {
      if (row?.empty) openMenu();
      else form.querySelector("input, select, button")?.focus();
    } else if (key === "Delete" || key === "Backspace") act("delete");
    else if (key === "+") openMenu();
    else return;
    event.preventDefault();
  };

  // what gets the focus by other means than ours is where the keys go on
  rows.removeEventListener("focusin", S.follow);
  S.follow = (event) => {
    const row = event.target._row;
    if (row && !S.at) go(row);
  };
  rows.addEventListener("focusin", S.follow);

  box.onkeydown = (event) => {
    if (menu.contains(event.target)) return;
    const typing = event.target.closest("input:not([type=checkbox])");
    const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    let name = "";
    if (command && key === "z" && !typing) name = event.shiftKey ? "redo" : "undo";
    else if (command && key === "y" && !typing) name = "redo";
    else if (key === "insert" && !command && !event.altKey && !event.shiftKey && !typing) name = "menu";
    else if (command && key === "d") name = "duplicate";
    else if (command && key === "g") name = event.shiftKey ? "ungroup" : "group";
    else if (event.altKey && !command && key === "arrowup") name = "up";
    else if (event.altKey && !command && key === "arrowdown") name = "down";
    if (!name) return;
    event.preventDefault();
    act(name);
  };

  // ---------------------------------------------------------------------------- dragging

  rows.onpointerdown = (event) => {
    const node = event.target.closest(".handle")?.closest(".row"), row = node?._row;
    if (!row || row.fixed || row.empty || event.button || S.unknown) return;
    event.preventDefault();
    if (!isChosen(row)) go(row);
    const { path, count } = chosen();
    const own = (each) => each.path.length >= path.length && startsWith(each.path, path.slice(0, -1)) && each.path[path.length - 1] >= path.at(-1) && each.path[path.length - 1] < path.at(-1) + count;
    const start = { x: event.clientX, y: event.clientY }, bounds = node.getBoundingClientRect();
    let ghost = null, target = null, frame = 0, last = event;

    const move = (moved) => {
      last = moved;
      if (!ghost && Math.hypot(moved.clientX - start.x, moved.clientY - start.y) < 4) return;
      ghost ??= lift();
      ghost.style.transform = `translate(${moved.clientX - start.x}px, ${moved.clientY - start.y}px)`;
      aim(moved);
    };
    const lift = () => {
      const made = document.createElement("div");
      made.className = "ghost";
      Object.assign(made.style, { left: `${bounds.left}px`, top: `${bounds.top}px`, width: `${bounds.width}px` });
      const copy = node.cloneNode(true);
      copy.querySelector(".trouble")?.remove();
      copy.removeAttribute("role");
      made.append(copy);
      made.setAttribute("aria-hidden", "true");
      box.append(made);
      box.classList.add("dragging");
      [...rows.children].forEach((each) => each.classList.toggle("lifted", own(each._row)));
      frame = requestAnimationFrame(roll);
      return made;
    };
    // near an edge the list moves on
    const roll = () => {
      const { top, bottom } = scroller.getBoundingClientRect();
      const by = last.clientY < top + 24 ? -7 : last.clientY > bottom - 24 ? 7 : 0;
      if (by) {
        scroller.scrollTop += by;
        aim(last);
      }
      frame = requestAnimationFrame(roll);
    };
    const aim = ({ clientX, clientY }) => {
      const nodes = [...rows.children];
      let gap = nodes.findIndex((each) => clientY < each.getBoundingClientRect().top + each.firstChild.offsetHeight / 2);
      if (gap < 0) gap = nodes.length;
      const level = (clientX - rows.getBoundingClientRect().left - 30) / STEP + 1;
      const places = placesAt(gap).filter(({ before }) => !own({ path: before }) || sameList(before, path));
      target = places.toSorted((a, b) => Math.abs(a.before.length - level) - Math.abs(b.before.length - level))[0] ?? null;
      drop.hidden = !target;
      if (!target) return;
      const y = gap < nodes.length ? nodes[gap].offsetTop : nodes.at(-1).offsetTop + nodes.at(-1).offsetHeight;
      Object.assign(drop.style, { top: `${Math.max(0, y - 1.5)}px`, left: `${24 + STEP * (target.before.length - 1)}px` });
    };
    const end = (commit) => {
      cancelAnimationFrame(frame);
      ghost?.remove();
      drop.hidden = true;
      box.classList.remove("dragging");
      [...rows.children].forEach((each) => each.classList.remove("lifted"));
      for (const [name, listener] of Object.entries(listeners)) window.removeEventListener(name, listener, true);
      if (commit && ghost && target) when(() => relocate(path, count, target.before));
      seek(true);
    };
    const listeners = {
      pointermove: move,
      pointerup: () => end(true),
      pointercancel: () => end(false),
      keydown: (pressed) => {
        if (pressed.key !== "Escape") return;
        pressed.preventDefault();
        end(false);
      },
    };
    for (const [name, listener] of Object.entries(listeners)) window.addEventListener(name, listener, true);
  };

  // The places between two rows: in front of the lower one, or at the end of what the upper one ends.
  function placesAt(gap) {
    const [above, below] = [S.list[gap - 1], S.list[gap]], found = [];
    if (below && !below.fixed) found.push({ before: below.path });
    if (above && !below?.fixed) {
      if (above.node?.inside && !above.fixed && above.open) found.push({ before: [...above.path, 0] });
      // behind it, and behind each group that it is the last of
      for (let path = above.path; path.length; path = path.slice(0, -1)) {
        const end = [...path.slice(0, -1), path.at(-1) + (above.empty && path === above.path ? 0 : 1)];
        found.push({ before: end });
        if (path.at(-1) + 1 < list(path).length) break;
      }
    }
    return found;
  }

  // ---------------------------------------------------------------------------- fields

  // A typed value is on its way when the hand rests, or leaves the field.
  function type(field, wish, local) {
    clearTimeout(S.timers.typing);
    S.typed = { wish, field, local };
    S.timers.typing = setTimeout(flush, TYPING);
  }

  function flush() {
    clearTimeout(S.timers.typing);
    if (!S.typed) return;
    const { wish, field, local } = S.typed;
    S.typed = null;
    set(wish, field, local);
  }

  function set(wish, field, local) {
    if (S.unknown) {
      S.later.push(() => set(wish, field, local));
      return;
    }
    if (wish.path && !exists(wish.path)) return;
    const id = JSON.stringify([wish.do, wish.path, field.name]), now = performance.now();
    const more = S.lastSet === id && now - S.lastSetAt < SAME_STEP;
    Object.assign(S, { lastSet: id, lastSetAt: now });
    if (S.wrong?.id === field.id) S.wrong = null;
    local();
    send({ ...wish, more }, field);
    draw();
  }

  // A field of numbers or words: `meant` is its value as Python has it, `take` is given what was typed.
  function entry(id, label, { meant, take, step, numeric, lowest = -Infinity, highest = Infinity, words = [], hint = "", long = false }) {
    const holder = document.createElement("div");
    holder.className = "field";
    holder.innerHTML = `<label for="${id}">${escaped(label)}</label><div class="box"><input id="${id}" type="text" autocomplete="off" spellcheck="false"${numeric ? ' inputmode="decimal"' : ""}${long ? ` maxlength="${long}"` : ""} />${step ? '<button type="button" tabindex="-1" class="less">−</button><button type="button" tabindex="-1" class="plus">+</button>' : ""}</div>`;
    const input = holder.querySelector("input");
    if (hint) input.title = hint;
    const turn = (by) => {
      const value = valueOf("pair", input.value);
      if (typeof value === "string") return;
      const turned = Array.isArray(value) ? value.map((each) => bounded(each + by)) : bounded(value + by);
      input.value = textOf(turned);
      take(input.value, false);
    };
    const bounded = (value) => Math.min(Math.max(value, lowest), highest);
    input.oninput = () => take(input.value, false);
    input.onchange = () => take(input.value, true);
    input.onkeydown = (event) => {
      if (event.key === "Enter") take(input.value, true);
      else if (step && !event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) turn((event.key === "ArrowUp" ? 1 : -1) * step * (event.shiftKey ? 10 : 1));
      else if (event.key === "Escape") {
        seek(true);
        return;
      } else return;
      event.preventDefault();
    };
    if (step) {
      const [less, plus] = holder.querySelectorAll(".box button");
      less.setAttribute("aria-label", `${label}: less`);
      plus.setAttribute("aria-label", `${label}: more`);
      less.onclick = () => turn(-step);
      plus.onclick = () => turn(step);
    }
    if (words.length) {
      const chips = document.createElement("div");
      chips.className = "words";
      chips.innerHTML = words.map((word) => `<button type="button" data-word="${escaped(word)}">${escaped(word)}</button>`).join("");
      chips.onclick = (event) => {
        const word = event.target.closest("button")?.dataset.word;
        if (word == null) return;
        input.value = word;
        take(word, true);
      };
      holder.append(chips);
    }
    holder._show = () => {
      const focused = box.getRootNode().activeElement === input;
      const wrong = S.wrong?.id === id ? S.wrong : null;
      if (!wrong && !focused && S.typed?.field.id !== id && input.value !== meant()) input.value = meant();
      for (const chip of holder.querySelectorAll(".words button")) chip.setAttribute("aria-pressed", chip.dataset.word === meant());
      explain(holder, input, wrong);
    };
    return holder;
  }

  function explain(holder, input, wrong) {
    holder.classList.toggle("bad", Boolean(wrong));
    let why = holder.querySelector(".why");
    if (!wrong) {
      why?.remove();
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
      return;
    }
    why ??= holder.appendChild(Object.assign(document.createElement("p"), { className: "why", id: `${input.id}-why` }));
    why.setAttribute("role", "alert");
    put(why, wrong.sentence);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", why.id);
  }

  // What was typed is kept as it is until it is a value; the same value again is no edit.
  function taker(field, before, wishOf, local, type_) {
    return (typed, now) => {
      const value = type_ ? valueOf(type_, typed) : typed;
      const pending = S.typed?.field.id === field.id;
      if (!pending && JSON.stringify(value) === JSON.stringify(before()) && S.wrong?.id !== field.id) return;
      if (!now && type_ && typeof value === "string") return; // "3 ×" may become 3 × 5
      type(field, wishOf(value), () => local(value));
      if (now) flush();
    };
  }

  // ---------------------------------------------------------------------------- name and input

  function drawHead() {
    if (!head.firstChild) {
      const name = { id: "net-name", name: "title" };
      const title = entry("net-name", "Name", { meant: () => S.title, long: 80, take: (typed, now) => now && taker(name, () => S.title, (value) => ({ do: "title", name: value }), (value) => (S.title = value))(typed.trim(), true) });
      title.className += " title-field";
      const shape = document.createElement("div");
      shape.className = "shape";
      shape.className = "shape-fields";
      shape.setAttribute("role", "group");
      shape.setAttribute("aria-label", "Input: channels, rows, columns");
      ["Input channels", "Input rows", "Input columns"].forEach((label, index) => {
        const id = `net-input-${index}`;
        const take = taker({ id, name: `input ${index}` }, () => S.input[index], (value) => ({ do: "input", value: S.input.map((old, place_) => (place_ === index ? value : old)) }), (value) => typeof value === "number" && (S.input[index] = value), "whole");
        const field = entry(id, label, { meant: () => String(S.input[index]), step: 1, numeric: true, lowest: 1, highest: S.data.most[index], take });
        field.querySelector("label").className = "sr";
        field.querySelectorAll(".box button").forEach((button) => button.remove());
        shape.append(Object.assign(document.createElement("span"), { textContent: index ? "×" : "Input" }), field);
      });
      head.append(title, shape);
    }
    for (const field of head.querySelectorAll(".field")) field._show();
  }

  // ---------------------------------------------------------------------------- settings of what is chosen

  function drawForm() {
    const row = S.list.find((each) => each.key === S.at), found = chosen();
    const node = row?.node;
    const sign = !row ? "" : row.fixed ? `fixed ${row.key} ${row.node.kind}` : !found ? `empty ${row.key}` : found.count > 1 ? `many ${found.count} ${S.lead}` : `${row.key} ${node.kind} ${node.settings ? "set" : "new"} ${node.arriving ?? ""}`;
    if (S.formSign !== sign || !form._made) {
      const focused = form.contains(box.getRootNode().activeElement) ? box.getRootNode().activeElement.id : "";
      S.formSign = sign;
      form._made = true;
      form.replaceChildren(...formOf(row, found, node));
      if (focused) (form.querySelector(`[id="${focused}"]`) ?? rows.querySelector('[tabindex="0"]'))?.focus({ preventScroll: true });
    }
    for (const field of form.querySelectorAll(".field")) field._show?.();
  }

  function formOf(row, found, node) {
    const made = (html) => {
      const holder = document.createElement("template");
      holder.innerHTML = html;
      return [...holder.content.children];
    };
    if (!row) return S.list.length ? made('<p class="told">Choose a part to set it.</p>') : [];
    if (row.empty) return made('<p class="told">“Add” puts the first part into this group.</p>');
    const about = S.data.kinds[node.kind];
    const heading = `<h2><span class="dot ${about.dot}"></span>${escaped(about.title)}</h2>`;
    const buttons = (...acts) => {
      const holder = document.createElement("div");
      holder.className = "acts";
      holder.innerHTML = acts.map(([name, words, tip]) => `<button type="button" data-act="${name}" title="${escaped(tip)}">${escaped(words)}</button>`).join("");
      holder.onclick = (event) => event.target.closest("button") && act(event.target.closest("button").dataset.act);
      return holder;
    };
    const open = ["open", "Open up", "Turn the block into parts that can be changed"];
    if (row.fixed) {
      const owner = S.data.kinds[row.owner.node.kind].title;
      return [...made(`${heading}<p>${escaped(node.short ? `${node.short}. ` : "")}A layer of “${escaped(row.owner.node.called || owner)}”: it follows from the block's settings. Open the block up to change it.</p>`), buttons(open)];
    }
    const groups = [
      ["group", "Group", "Under one name (Ctrl+G)"],
      ["repeat", "Repeat × 2", "As a group that is gone through twice, each time with weights of its own"],
      ["branches", "Branches", "As branches that read the same input and are joined"],
    ];
    if (found.count > 1) return [...made(`<h2>${found.count} parts</h2>`), buttons(...groups)];
    const parts = made(`${heading}<p>${escaped(about.sentence)}${about.source ? ` <span class="source">${escaped(about.source)}.</span>` : ""}</p>`);
    const fields = document.createElement("div");
    fields.className = "fields";
    if (node.settings) {
      const path = row.path, current = () => (exists(path) ? at(path) : node);
      for (const setting of about.settings) fields.append(settingField(path, current, setting));
      const id = `part-${path.join("-")}-called`;
      const take = taker({ id, name: "call" }, () => current().own, (value) => ({ do: "call", path, name: value }), (value) => (current().own = value));
      const field = entry(id, "Name in code", { meant: () => current().own, long: 60, take: (typed, now) => now && take(typed.trim(), true) });
      const show = field._show;
      field._show = () => {
        field.querySelector("input").placeholder = current().own ? "" : current().called;
        show();
      };
      fields.append(field);
    }
    const acts = [];
    if (about.family === "block") acts.push(open);
    if (node.inside) acts.push(["ungroup", "Take apart", "What is inside stands in its place (Ctrl+Shift+G)"]);
    return [...parts, fields, buttons(...acts, ...groups)];
  }

  function settingField(path, current, setting) {
    const id = `part-${path.join("-")}-${setting.name}`, field = { id, name: setting.name };
    const wish = (value) => ({ do: "set", path, name: setting.name, value });
    const local = (value) => {
      current().settings[setting.name] = value;
    };
    const meant = () => current().settings?.[setting.name];
    if (setting.type === "whole" || setting.type === "pair" || setting.type === "number") {
      const take = taker(field, meant, wish, (value) => typeof value !== "string" && local(value), setting.type);
      const holder = entry(id, setting.title, { meant: () => textOf(meant()), take, numeric: setting.type !== "pair", step: setting.type === "number" ? 0 : setting.step, lowest: setting.lowest, highest: setting.highest, words: setting.type === "pair" ? setting.choices : divisors(setting, current()), hint: [setting.sentence, setting.type === "pair" ? "One number, or rows × columns." : ""].filter(Boolean).join(" ") });
      return holder;
    }
    const holder = document.createElement("div");
    holder.className = "field";
    if (setting.type === "switch") {
      holder.className += " switch";
      holder.innerHTML = `<label for="${id}"><input id="${id}" type="checkbox" />${escaped(setting.title)}</label>`;
    } else {
      holder.innerHTML = `<label for="${id}">${escaped(setting.title)}</label><div class="box"><select id="${id}">${setting.choices.map((choice) => `<option>${escaped(choice)}</option>`).join("")}</select></div>`;
    }
    if (setting.sentence) holder.title = setting.sentence;
    const input = holder.querySelector("input, select");
    const read = setting.type === "switch" ? () => input.checked : () => input.value;
    input.onchange = () => {
      const value = read();
      when(() => set(wish(value), field, () => local(value)));
    };
    holder._show = () => {
      if (setting.type === "switch") input.checked = meant() === true;
      else if (input.value !== meant()) input.value = meant();
      explain(holder, input, S.wrong?.id === id ? S.wrong : null);
    };
    return holder;
  }

  // Numbers that can be where one must divide another: the channels, or the rows and columns.
  function divisors({ name }, node) {
    const shape = node.arriving ?? [], channels = shape.length === 3 ? shape[0] : 0, leaves = node.settings?.out_channels;
    const common = (a, b) => (b ? common(b, a % b) : a);
    const whole = { heads: channels || shape.at(-1), head_channels: leaves ?? channels, group_width: leaves, size: common(shape[1], shape[2]), window: node.kind === "maxvit_block" && common(...shape.slice(1).map((size) => Math.ceil(size / node.settings.stride))) }[name];
    if (whole && channels + shape.length > 1) {
      const now = Math.log(node.settings[name]), far = (number) => Math.abs(Math.log(number) - now);
      const all = Array.from({ length: whole }, (_, index) => index + 1).filter((number) => whole % number === 0);
      return all.toSorted((a, b) => far(a) - far(b)).slice(0, 5).toSorted((a, b) => a - b).map(String);
    }
    if (name !== "groups" || !channels || node.kind === "resnext_bottleneck") return [];
    const leaving = node.settings?.out_channels ?? channels;
    const found = [];
    for (let number = 1; number <= channels && found.length < 40; number++) if (channels % number === 0 && leaving % number === 0) found.push(number);
    return (found.length > 5 ? [...found.slice(0, 3), ...found.slice(-2)] : found).map(String);
  }

  // ---------------------------------------------------------------------------- the menu of kinds

  const dense = (words) => words.toLowerCase().replace(/[\s\-_·]+/g, "");

  function suggested() {
    const path = place(), before = path.at(-1) > 0 ? list(path)[path.at(-1) - 1] : null;
    const arriving = before?.leaving;
    const { followers } = data;
    if (!before) return followers[""];
    if (followers[before.kind]) return followers[before.kind];
    if (arriving?.length === 1) return followers.row;
    if (arriving?.length === 2) return followers.token;
    return followers[S.data.kinds[before.kind].family] ?? followers[""];
  }

  function openMenu() {
    if (S.wasOpen || menu.matches(":popover-open")) {
      S.wasOpen = false;
      menu.hidePopover();
      return;
    }
    const button = tools.querySelector(".add").getBoundingClientRect();
    query.value = "";
    menu.showPopover();
    tools.querySelector(".add").setAttribute("aria-expanded", "true");
    const below = innerHeight - button.bottom - 14, above = button.top - BAR;
    const up = below < 330 && above > below;
    kinds.style.maxHeight = `${Math.max(150, Math.min(up ? above : below, 560) - 64)}px`;
    fill();
    const left = Math.max(8, Math.min(button.left, innerWidth - menu.offsetWidth - 8));
    Object.assign(menu.style, { left: `${left}px`, top: up ? "auto" : `${button.bottom + 5}px`, bottom: up ? `${innerHeight - button.top + 5}px` : "auto" });
    query.focus();
  }

  function fill() {
    const wanted = query.value.split(/\s+/).map(dense).filter(Boolean);
    const hit = ([key, kind]) => {
      const words = dense(`${kind.title} ${key} ${S.data.families[kind.family]} ${kind.sentence}`);
      return wanted.every((word) => words.includes(word));
    };
    // names before what stands in sentences
    const whole = dense(query.value);
    const rank = ([key, kind]) => (dense(kind.title) === whole || dense(key) === whole ? -1 : wanted.every((word) => dense(kind.title).startsWith(word) || dense(key).startsWith(word)) ? 0 : wanted.every((word) => dense(`${kind.title} ${key}`).includes(word)) ? 1 : 2);
    const all = Object.entries(S.data.kinds).filter(hit);
    const sections = wanted.length
      ? [["", all.toSorted((a, b) => rank(a) - rank(b))]]
      : [["Often comes next", suggested().map((key) => [key, S.data.kinds[key]])], ...Object.entries(S.data.families).map(([family, words]) => [words, all.filter(([, kind]) => kind.family === family)])];
    S.shown = sections.flatMap(([, entries]) => entries.map(([key]) => key));
    let number = 0;
    kinds.innerHTML = sections
      .filter(([, entries]) => entries.length)
      .map(([words, entries]) => {
        const lines = entries.map(([, kind]) => `<div class="kind-line" role="option" aria-selected="false" id="kind-${number}" data-index="${number++}"><span class="dot ${kind.dot}"></span><b>${escaped(kind.title)}</b><small>${escaped(kind.sentence)}</small></div>`);
        return `<div role="group"${words ? ` aria-label="${escaped(words)}"` : ""}>${words ? `<div class="family" role="presentation">${escaped(words)}</div>` : ""}${lines.join("")}</div>`;
      })
      .join("");
    kinds.hidden = !S.shown.length;
    nothing.hidden = !kinds.hidden;
    put(nothing, nothing.hidden ? "" : `No kind matches “${query.value}”.`);
    point(0);
  }

  function point(index) {
    const before = kinds.querySelector(".here");
    before?.classList.remove("here");
    before?.setAttribute("aria-selected", "false");
    S.here = S.shown.length ? Math.min(Math.max(index, 0), S.shown.length - 1) : -1;
    const line = kinds.querySelector(`#kind-${S.here}`);
    if (!line) {
      query.removeAttribute("aria-activedescendant");
      return;
    }
    line.classList.add("here");
    line.setAttribute("aria-selected", "true");
    query.setAttribute("aria-activedescendant", line.id);
    (line.previousElementSibling?.className === "family" ? line.previousElementSibling : line).scrollIntoView({ block: "nearest" });
    line.scrollIntoView({ block: "nearest" });
  }

  function pick(index) {
    const kind = S.shown[index];
    if (!kind) return;
    menu.hidePopover();
    add(kind);
    seek(true);
  }

  query.oninput = fill;
  menu.onkeydown = (event) => {
    event.stopPropagation();
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 6, PageUp: -6 }[event.key];
    if (by) point(S.here + by);
    else if (event.key === "Enter") pick(S.here);
    else if (event.key === "Escape") {
      menu.hidePopover();
      tools.querySelector(".add").focus();
    } else return;
    event.preventDefault();
  };
  kinds.onpointerdown = (event) => event.preventDefault(); // the search field keeps the focus
  kinds.onclick = (event) => {
    const line = event.target.closest(".kind-line");
    if (line) pick(Number(line.dataset.index));
  };
  menu.ontoggle = (event) => tools.querySelector(".add").setAttribute("aria-expanded", event.newState === "open");
}
