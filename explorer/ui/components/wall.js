// The maps of a layer as tiles on one canvas, of which only what can be seen is drawn.  The entries that came are each
// map's own scale; another scale is another table of 255 colours for each map, another order a list of numbers: neither
// asks the server.
const REST = 250; // ms without a touch before Python hears of a new look
const TILES = { small: 44, medium: 76, large: 128 }; // CSS pixels, at least
const FIT = [60, 150]; // the least and the most of tiles that suit their number
const CELL = { fit: 17, small: 12, medium: 20, large: 28 }; // of numbers without places
const EDGE = 4; // CSS pixels around all tiles: for outlines
const LABEL = 15; // and below each for its number
const TALLEST = 470, LOWEST = 190; // CSS pixels of the sheet
const BEYOND = 260; // CSS pixels drawn above and below what is seen
const SOON = 1200; // ms between the digits of one number
const MANY = 64; // maps, of which one is not found at a glance
const DIGITS = 3;
const FAINT = 0.001; // of the layer’s strongest value: a map that stays below hardly answers

const short = (value) => {
  const size = Math.abs(value);
  const text = size === 0 ? "0" : size >= 1e5 || size < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(DIGITS)));
  return text.replace("-", "−");
};

// Fewer cells than the maps have, where tiles are smaller: of each block the strongest cell stands for it.
export function thicken(entries, from, rows, columns, block) {
  const high = Math.ceil(rows / block), wide = Math.ceil(columns / block), small = new Uint8Array(high * wide).fill(127);
  for (let row = 0, at = from; row < rows; row++) {
    const line = Math.floor(row / block) * wide;
    for (let column = 0; column < columns; column++, at++) {
      const to = line + Math.floor(column / block);
      if (Math.abs(entries[at] - 127) > Math.abs(small[to] - 127)) small[to] = entries[at];
    }
  }
  return small;
}

export default function ({ data, parentElement: root, setStateValue, setTriggerValue }) {
  const view = root.querySelector(".wall"), find = (part) => view.querySelector(part), field = (name) => find(`[name=${name}]`);
  const [sheet, room, canvas, option, output] = [".sheet", ".room", ".room canvas", ".option", "output"].map(find);
  const S = (view._state ??= { look: null, sent: "", id: "", here: 0, met: null, timer: 0, drawn: "", told: null, picked: null });
  const colours = (S.colours ??= words(tableOf(data.table)));

  if (JSON.stringify(data.look) !== S.sent && !S.timer) {
    S.look = { ...data.look };
    S.sent = JSON.stringify(data.look);
  }
  if (S.told !== data.selected) S.picked = S.told = data.selected;
  if (S.id !== data.id) {
    Object.assign(S, { id: data.id, picked: data.selected, told: data.selected, here: data.selected, met: null, fresh: true });
  }
  sheet.setAttribute("aria-label", data.label);
  fill("order", data.orders);
  fill("scope", data.scopes);
  fill("size", Object.fromEntries(data.sizes.map((size) => [size, size])));
  if (!S.legend) {
    const strip = find(".legend canvas").getContext("2d"), image = strip.createImageData(255, 1);
    new Uint32Array(image.data.buffer).set(colours);
    strip.putImageData(image, 0, 0);
    S.legend = true;
  }

  let maps = null, L = null;
  const arrive = () => {
    const found = window.cnnExplorerMaps?.get(data.id);
    if (!found || found === maps) return;
    maps = found;
    lay();
  };

  function fill(name, options) {
    const select = field(name);
    if (!select.options.length) for (const [key, words_] of Object.entries(options)) select.add(new Option(words_, key));
    select.value = S.look[name];
    select.onchange = () => setLook(name, select.value);
  }

  function setLook(name, value) {
    S.look[name] = value;
    if (name === "order") sheet.scrollTop = 0;
    lay();
    clearTimeout(S.timer);
    S.timer = setTimeout(() => {
      S.timer = 0;
      S.sent = JSON.stringify(S.look);
      setStateValue("look", { ...S.look });
    }, REST);
  }

  // ------------------------------------------------------------------ where tiles stand

  function lay() {
    if (!maps) return;
    const { channels, rows, columns, grid } = maps, flat = grid[0] * grid[1] === 1, width = sheet.clientWidth - 2 * EDGE;
    if (width < 40) return; // the page has not been laid out
    const gap = flat ? 2 : 7, label = flat ? 0 : LABEL, tallest = Math.max(LOWEST, Math.min(TALLEST, Math.round(innerHeight * 0.46)));
    const sized = (wish) => {
      const abreast = Math.max(1, Math.floor((width + gap) / (wish + gap)));
      const side = Math.min(Math.floor((width - gap * (abreast - 1)) / abreast), Math.floor(wish * 1.3));
      const tall = Math.max(Math.round((side * rows) / columns), 4), step = tall + label + gap, lines = Math.ceil(channels / abreast);
      return { abreast, side, tall, step, lines, height: lines * step - gap + 2 * EDGE };
    };
    let size = sized(Math.min(flat ? CELL[S.look.size] : (TILES[S.look.size] ?? FIT[0]), width));
    // the largest tiles of which none is hidden, where they are large enough
    if (!flat && S.look.size === "fit") for (let wish = Math.min(FIT[1], width); wish > FIT[0]; wish -= 2) if (sized(wish).height <= tallest) {
      size = sized(wish);
      break;
    }
    const { abreast, side, tall, step, lines, height } = size;
    const order = maps.order[S.look.order], places = new Int32Array(channels);
    order.forEach((number, place) => (places[number] = place));
    L = { channels, flat, side, tall, gap, label, abreast, step, lines, order, places, width, height };
    room.style.height = `${height}px`;
    sheet.style.height = `${Math.min(height, tallest)}px`;
    if (S.fresh) {
      S.fresh = false;
      sheet.scrollTop = 0;
      const line = Math.floor(places[S.here] / abreast);
      if (S.here && (line + 1) * step > sheet.clientHeight) sheet.scrollTop = Math.max(0, line * step - sheet.clientHeight / 2);
    }
    S.drawn = "";
    scale();
    draw();
    point();
    tell();
  }

  const boxOf = (place) => ({ x: EDGE + (place % L.abreast) * (L.side + L.gap), y: EDGE + Math.floor(place / L.abreast) * L.step });

  // The strength that gets the ends of the colours: of one map; for numbers without places of the layer at least.
  const peakOf = (number) => {
    const { scope } = S.look;
    if (scope === "net" && data.netPeak !== null) return Math.max(data.netPeak, maps.strongest);
    return scope === "map" && !L.flat ? maps.peak[number] : maps.strongest;
  };

  function scale() {
    const own = S.look.scope === "map" && !L.flat, waiting = S.look.scope === "net" && data.netPeak === null;
    put(find(".low"), own ? "−peak" : `−${short(peakOf(0))}`);
    put(find(".high"), own ? "each map’s own peak" : waiting ? "measuring the net …" : short(peakOf(0)));
  }

  // ------------------------------------------------------------------ drawing

  function draw() {
    if (!L) return;
    const seen = sheet.clientHeight, top = Math.max(0, Math.min(sheet.scrollTop - BEYOND, L.height - seen));
    const bottom = Math.min(L.height, sheet.scrollTop + seen + BEYOND), ratio = devicePixelRatio || 1;
    const style = getComputedStyle(view), [text, accent] = [style.color, style.getPropertyValue("--st-primary-color")];
    const first = Math.max(0, Math.floor((top - EDGE) / L.step)) * L.abreast;
    const last = Math.min(L.channels, Math.ceil((bottom - EDGE) / L.step) * L.abreast);
    const drawn = JSON.stringify([S.id, S.look, S.picked, data.netPeak, first, last, L.width, ratio, text, accent]);
    if (drawn === S.drawn) return;
    S.drawn = drawn;
    const wide = L.width + 2 * EDGE, high = Math.ceil(bottom - top);
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
    Object.assign(canvas.style, { width: `${wide}px`, height: `${high}px`, top: `${top}px` });
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, -top * ratio);
    context.imageSmoothingEnabled = false;
    const { sprite, small } = atlas(first, last, ratio);
    context.textAlign = "center";
    context.textBaseline = "top";
    for (let place = first; place < last; place++) {
      const number = L.order[place], { x, y } = boxOf(place), chosen = number === S.picked, index = place - first;
      if (maps.peak[number] === 0 && !L.flat) hatch(context, x, y, text);
      else context.drawImage(sprite, (index % small.across) * small.wide, Math.floor(index / small.across) * small.high, small.wide, small.high, x, y, L.side, L.tall);
      context.strokeStyle = text;
      context.globalAlpha = 0.3;
      context.lineWidth = 1; // around the tile, so that no cell is under it
      context.strokeRect(x - 0.5, y - 0.5, L.side + 1, L.tall + 1);
      context.globalAlpha = 1;
      if (!L.label) continue;
      context.fillStyle = chosen ? accent : text;
      context.font = `${chosen ? 700 : 400} 12px ${FONT}`;
      const label = maps.names.length && L.side > 50 ? maps.names[number] : number;
      context.fillText(faint(number) ? `${label} ≈ 0` : label, x + L.side / 2, y + L.tall + 2, L.side);
    }
    const at = L.places[S.picked];
    if (at >= first && at < last) {
      const { x, y } = boxOf(at);
      context.strokeStyle = accent;
      context.lineWidth = 3;
      context.strokeRect(x - 2, y - 2, L.side + 4, L.tall + 4);
    }
    view.dataset.layout = JSON.stringify({ top, side: L.side, tall: L.tall, gap: L.gap, step: L.step, abreast: L.abreast, edge: EDGE, ratio, first, last, rows: small.high, columns: small.wide, block: small.block });
    view.dataset.painted = [S.id, S.look.order, S.look.scope, S.look.size, data.netPeak, S.picked].join(" ");
  }

  // The maps of some places as one picture, a pixel for each cell.
  function atlas(first, last, ratio) {
    const { rows, columns, entries } = maps;
    const block = Math.max(1, Math.ceil(rows / (L.tall * ratio)), Math.ceil(columns / (L.side * ratio)));
    const high = Math.ceil(rows / block), wide = Math.ceil(columns / block), across = Math.ceil(Math.sqrt(last - first)) || 1;
    const sprite = (S.sprite ??= document.createElement("canvas"));
    sprite.width = across * wide;
    sprite.height = Math.max(1, Math.ceil((last - first) / across)) * high;
    const context = sprite.getContext("2d"), image = context.createImageData(sprite.width, sprite.height);
    const pixels = new Uint32Array(image.data.buffer), shades = new Uint32Array(255);
    for (let place = first; place < last; place++) {
      const number = L.order[place], peak = peakOf(number), part = peak > 0 ? maps.peak[number] / peak : 0, index = place - first;
      for (let entry = 0; entry < 255; entry++) shades[entry] = colours[Math.floor(127.5 + (entry - 127) * part)];
      const start = number * rows * columns, cells = block > 1 ? thicken(entries, start, rows, columns, block) : entries;
      let from = block > 1 ? 0 : start;
      let to = Math.floor(index / across) * high * sprite.width + (index % across) * wide;
      for (let row = 0; row < high; row++, to += sprite.width) for (let column = 0; column < wide; column++) pixels[to + column] = shades[cells[from++]];
    }
    context.putImageData(image, 0, 0);
    return { sprite, small: { across, high, wide, block } };
  }

  // A map that is zero everywhere: stripes, for white might be many small values.
  function hatch(context, x, y, text) {
    context.save();
    context.beginPath();
    context.rect(x, y, L.side, L.tall);
    context.clip();
    context.globalAlpha = 0.35;
    context.strokeStyle = text;
    context.lineWidth = 1;
    context.beginPath();
    for (let at = 0; at < L.side + L.tall; at += 7) {
      context.moveTo(x + at, y);
      context.lineTo(x + at - L.tall, y + L.tall);
    }
    context.stroke();
    context.restore();
  }

  // ------------------------------------------------------------------ words

  // On its own scale a map of next to nothing looks like any other.
  const faint = (number) => S.look.scope === "map" && !L.flat && maps.peak[number] > 0 && maps.peak[number] < FAINT * maps.strongest;

  function describe(number) {
    const { peak, mean, maximum, minimum, zeros, deviation, channels, names } = maps;
    const name = `${L.flat ? "Number" : names.length ? names[number] : "Map"} ${names.length && !L.flat ? `(${number})` : number} of 0–${(channels - 1).toLocaleString("en")}${names.length && L.flat ? `, ${names[number]}` : ""}`;
    if (L.flat) return `${name}: ${short(maximum[number])}.`;
    if (peak[number] === 0) return `${name}: zero everywhere.`;
    if (deviation[number] === 0) return `${name}: ${short(mean[number])} everywhere.`;
    return `${name}: from ${short(minimum[number])} to ${short(maximum[number])}, mean ${short(mean[number])}, ${(100 * zeros[number]).toFixed(1)} % zeros.${faint(number) ? ` Next to nothing: the layer’s strongest is ${short(maps.strongest)}.` : ""}`;
  }

  function tell() {
    const dead = L.flat ? 0 : maps.peak.reduce((count, peak) => count + (peak === 0), 0);
    const small = maps.peak.reduce((count, _, number) => count + faint(number), 0);
    const nearly = small ? ` ${small} hardly answer${small > 1 ? "" : "s"}, with less than a thousandth of the layer’s strongest: marked ≈ 0.` : "";
    const blocks = maps.block > 1 ? ` Of each ${maps.block} × ${maps.block} cells the strongest is shown.` : "";
    const top = S.look.scope === "net" && data.netPeak > 20 * maps.strongest;
    const pale = top ? ` Pale, for the strongest here is ${short(maps.strongest)}, and ${short(data.netPeak)} in the whole net.` : "";
    const idle = `${coarse() ? "Tap" : "Point at"} a ${L.flat ? "cell" : "map"} to read it${coarse() ? "" : ", click it to open it"}.${L.channels > MANY && !coarse() ? " With keys: type its number." : ""}${dead ? ` ${dead} of ${L.channels} ${dead > 1 ? "are" : "is"} zero everywhere: hatched.` : ""}${nearly}${L.flat && S.look.scope === "map" ? " One number each: coloured on the layer’s scale." : ""}${pale}${blocks}`;
    put(output, S.met === null ? idle : describe(S.met));
  }

  const coarse = () => matchMedia("(pointer: coarse)").matches;

  // ------------------------------------------------------------------ the hand

  // The option that keys have reached: the one element that readers of the screen are told of.
  function point() {
    const { x, y } = boxOf(L.places[S.here]);
    Object.assign(option.style, { left: `${x - 3}px`, top: `${y - 3}px`, width: `${L.side + 6}px`, height: `${L.tall + L.label + 4}px` });
    option.setAttribute("aria-selected", S.here === S.picked);
    option.setAttribute("aria-setsize", L.channels);
    option.setAttribute("aria-posinset", L.places[S.here] + 1);
    option.setAttribute("aria-label", describe(S.here));
    sheet.setAttribute("aria-activedescendant", "here");
    option.classList.toggle("shown", view.getRootNode().activeElement === sheet || S.met === S.here);
  }

  function pick(number) {
    Object.assign(S, { picked: number, here: number });
    draw();
    point();
    setTriggerValue("picked", number);
  }

  function under(event) {
    if (!L) return null;
    const area = room.getBoundingClientRect(), x = event.clientX - area.left - EDGE, y = event.clientY - area.top - EDGE;
    const column = Math.floor(x / (L.side + L.gap)), place = Math.floor(y / L.step) * L.abreast + column;
    const inside = x >= 0 && y >= 0 && column < L.abreast && x % (L.side + L.gap) <= L.side && place < L.channels;
    return inside ? L.order[place] : null;
  }

  room.onpointermove = (event) => {
    const met = under(event);
    if (met === S.met) return;
    S.met = met;
    tell();
  };
  room.onpointerleave = (event) => {
    if (event.pointerType !== "mouse" || !L) return;
    S.met = null;
    tell();
  };
  room.onclick = (event) => {
    const number = under(event);
    if (number !== null) pick(number);
  };
  sheet.onfocus = () => L && point();
  sheet.onblur = () => L && point();
  // A number typed goes to its map: digits that follow each other soon belong together.
  const typed = ({ key, timeStamp }) => {
    const text = timeStamp - (S.typedAt ?? -SOON) < SOON ? S.typed + key : key;
    Object.assign(S, { typed: Number(text) < L.channels ? text : key, typedAt: timeStamp });
    return Number(S.typed) < L.channels ? Number(S.typed) : null;
  };

  sheet.onkeydown = (event) => {
    if (!L || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(sheet.clientHeight / L.step)) * L.abreast, at = L.places[S.here];
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + L.abreast, ArrowUp: at - L.abreast, PageDown: at + page, PageUp: at - page, Home: 0, End: L.channels - 1 }[event.key];
    const digit = /^\d$/.test(event.key);
    if (event.key === "Enter" || event.key === " ") pick(S.here);
    else if (to === undefined && !digit) return;
    else {
      const kept = event.key.startsWith("Page") ? Math.min(Math.max(to, 0), L.channels - 1) : to;
      if (digit) S.here = typed(event) ?? S.here;
      else if (kept >= 0 && kept < L.channels) S.here = L.order[kept];
      const { y } = boxOf(L.places[S.here]);
      if (y - EDGE < sheet.scrollTop) sheet.scrollTop = y - EDGE;
      else if (y + L.step > sheet.scrollTop + sheet.clientHeight) sheet.scrollTop = y + L.step - sheet.clientHeight;
      S.met = S.here;
      draw();
      point();
      tell();
    }
    event.preventDefault();
  };

  let due = 0;
  sheet.onscroll = () => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(draw);
  };
  let known = sheet.clientWidth;
  sheet._before?.(); // a new run comes without the end of the one before
  const watch = new ResizeObserver(() => {
    if (sheet.clientWidth === known) return;
    known = sheet.clientWidth;
    lay();
  });
  watch.observe(sheet);
  window.addEventListener("cnn-explorer-maps", arrive);
  arrive();
  sheet._before = () => {
    watch.disconnect();
    cancelAnimationFrame(due);
    window.removeEventListener("cnn-explorer-maps", arrive);
  };
  return sheet._before;
}
