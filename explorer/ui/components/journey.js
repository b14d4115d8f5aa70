// A picture on its way through a network: at each station its map, the cell that is strongest there, and the part of the
// picture which that cell sees.  Between stations one fades into the next, where motion is welcome.
const PACE = 1700; // ms from station to station at 1×
const GLIDE = 0.45; // the part of it that fades; in the rest the station stands
const SPEEDS = [[0.5, "½×"], [1, "1×"], [2, "2×"], [4, "4×"]];
const SIDE = 448; // pixels of the two large pictures
const INK = "#d62761"; // of frames: neither sign's colour

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const between = (a, b, part) => (a && b ? a.map((from, index) => from + (b[index] - from) * part) : part < 0.5 ? a : b);

export default function ({ data, parentElement: root, setTriggerValue }) {
  const view = root.querySelector(".journey"), find = (part) => view.querySelector(part);
  const S = (view._state ??= { at: 0, playing: false, speed: 1, since: 0, ticket: 0, known: "", pictures: [], photo: null, told: -1 });
  const [slider, play, back, on, rail, speed] = ["input", ".play", ".back", ".on", ".rail", "select"].map(find);
  const { frames } = data, last = frames.length - 1;
  const colours = (S.colours ??= words(tableOf(data.table)));
  if (!speed.options.length) speed.append(...SPEEDS.map(([value, text]) => new Option(text, value, false, value === 1)));

  const known = JSON.stringify([data.photo, data.box, frames.map(({ key, entries }) => [key, entries?.length, entries?.slice(0, 400)])]);
  if (S.known !== known) Object.assign(S, { known, pictures: frames.map(picture), photo: null, told: -1, at: Math.min(S.at, last) });
  slider.max = last;
  fillRail();
  const end = awaitPhoto(view, data.photo, fetchPhoto);

  // A map as it is; numbers without places as rows of a square; nothing for the picture itself, which comes apart.
  function picture({ rows, columns, entries }) {
    const canvas = document.createElement("canvas");
    if (!entries) return canvas;
    const cells = Uint8Array.from(atob(entries), (c) => c.charCodeAt(0));
    canvas.width = rows === 1 ? Math.ceil(Math.sqrt(columns)) : columns;
    canvas.height = rows === 1 ? Math.ceil(columns / canvas.width) : rows;
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer).fill(colours[127]);
    cells.forEach((entry, at) => (pixels[at] = colours[entry]));
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function fetchPhoto(address) {
    if (S.photo) return;
    const image = new Image();
    image.onload = () => {
      if (S.known !== known) return;
      const canvas = S.pictures[0];
      canvas.width = canvas.height = SIDE;
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(image, ...data.box, 0, 0, SIDE, SIDE);
      S.photo = canvas;
      S.rail = "";
      fillRail();
      draw();
    };
    image.src = address;
  }

  function fillRail() {
    if (S.rail !== known) {
      S.rail = known;
      rail.replaceChildren(
        ...frames.map((frame, index) => {
          const button = document.createElement("button");
          button.type = "button";
          const small = document.createElement("canvas");
          const { width, height } = S.pictures[index];
          [small.width, small.height] = index ? [width, height] : [84, 84];
          if (index || S.photo) small.getContext("2d").drawImage(S.pictures[index], 0, 0, small.width, small.height);
          const label = document.createElement("span");
          label.textContent = frame.label;
          button.append(small, label);
          return button;
        }),
      );
    }
    [...rail.children].forEach((button, index) => {
      const frame = frames[index], chosen = frame.key && frame.key === data.selected;
      button.setAttribute("aria-label", `${frame.title}, ${frame.shape}${chosen ? ", the layer that the page looks at" : ""}`);
      button.title = `${frame.title}, ${frame.shape}`;
      button.lastChild.classList.toggle("here", Boolean(chosen));
      button.onclick = () => {
        start(false);
        move(index);
        if (frame.key && frame.key !== data.selected) setTriggerValue("picked", frame.key);
      };
    });
  }

  // ------------------------------------------------------------------ drawing

  function draw() {
    const from = Math.min(Math.floor(S.at), last), to = Math.min(from + 1, last), part = S.at - from;
    const glide = still() ? Math.round(part) : Math.max(0, (part - (1 - GLIDE)) / GLIDE), eased = glide * glide * (3 - 2 * glide);
    paint(find(".photo canvas"), [[S.photo, 1]], between(frames[from].sees, frames[to].sees, eased), true);
    paint(find(".map canvas"), [[S.pictures[from], 1], [S.pictures[to], eased]], between(frames[from].cell, frames[to].cell, eased), false);
    const told = eased < 0.5 ? from : to;
    slider.value = S.at;
    slider.setAttribute("aria-valuetext", `${frames[told].title}, station ${told} of ${last}`);
    back.disabled = S.at <= 0;
    on.disabled = S.at >= last;
    view.dataset.at = S.at.toFixed(2);
    view.dataset.station = told;
    if (S.told !== told) tell(told);
  }

  function paint(canvas, layers, frame, dim) {
    if (canvas.width !== SIDE) canvas.width = canvas.height = SIDE;
    const context = canvas.getContext("2d");
    context.globalAlpha = 1;
    context.clearRect(0, 0, SIDE, SIDE);
    for (const [image, alpha] of layers) {
      if (!image?.width || !alpha) continue;
      context.globalAlpha = alpha;
      context.imageSmoothingEnabled = image === S.photo;
      context.drawImage(image, 0, 0, SIDE, SIDE);
    }
    context.globalAlpha = 1;
    if (!frame) return;
    const [x, y, width, height] = frame.map((share) => share * SIDE);
    if (dim) {
      context.fillStyle = "rgb(20 26 32 / 0.5)";
      context.beginPath();
      context.rect(0, 0, SIDE, SIDE);
      context.rect(x, y, width, height);
      context.fill("evenodd");
    }
    for (const [line, colour] of [[6, "#fff"], [3, INK]]) {
      context.lineWidth = line;
      context.strokeStyle = colour;
      context.strokeRect(Math.max(x, 2), Math.max(y, 2), Math.min(x + width, SIDE - 2) - Math.max(x, 2), Math.min(y + height, SIDE - 2) - Math.max(y, 2));
    }
  }

  function tell(index) {
    S.told = index;
    const { title, shape, story, answers, caption, sees } = frames[index];
    putName(find(".title"), title);
    put(find(".shape"), shape);
    find("ul").replaceChildren(
      ...story.map((sentence) => {
        const item = document.createElement("li");
        item.textContent = sentence;
        return item;
      }),
    );
    find(".answers").replaceChildren(
      ...answers.map(([label, probability]) => {
        const row = document.createElement("div"), bar = document.createElement("i"), name = document.createElement("span"), value = document.createElement("span");
        bar.style.width = `${100 * probability}%`;
        name.textContent = label;
        value.textContent = probability > 0 && probability < 0.0005 ? "< 0.1 %" : `${(100 * probability).toFixed(1)} %`;
        row.append(bar, name, value);
        return row;
      }),
    );
    put(find(".photo figcaption"), !sees ? "" : sees[2] >= 1 && sees[3] >= 1 ? "All of it is seen." : "Framed: what the strongest cell sees.");
    put(find(".map figcaption"), caption);
    find(".map canvas").setAttribute("aria-label", `${title}: ${caption}`);
    [...rail.children].forEach((button, place) => {
      button.classList.toggle("past", place <= index);
      if (place === index) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    const { offsetLeft, offsetWidth } = rail.children[index];
    if (offsetLeft < rail.scrollLeft || offsetLeft + offsetWidth > rail.scrollLeft + rail.clientWidth) rail.scrollLeft = offsetLeft - rail.clientWidth / 2;
  }

  // ------------------------------------------------------------------ playing

  function move(to) {
    S.at = Math.min(Math.max(to, 0), last);
    draw();
  }

  function start(playing) {
    if (playing && S.at >= last) S.at = 0;
    S.playing = playing;
    S.since = performance.now();
    put(play, playing ? "❚❚ Pause" : "▶ Play");
    cancelAnimationFrame(S.ticket);
    if (playing) S.ticket = requestAnimationFrame(tick);
    draw();
  }

  function tick(now) {
    if (!S.playing || !view.isConnected) return;
    S.at = Math.min(S.at + (Math.max(now - S.since, 0) * S.speed) / PACE, last);
    S.since = now;
    draw();
    if (S.at >= last) start(false);
    else S.ticket = requestAnimationFrame(tick);
  }

  const step = (by) => {
    start(false);
    move(by > 0 ? Math.floor(S.at) + 1 : Math.ceil(S.at) - 1);
  };
  play.onclick = () => start(!S.playing);
  back.onclick = () => step(-1);
  on.onclick = () => step(1);
  speed.onchange = () => (S.speed = Number(speed.value));
  slider.oninput = () => {
    if (S.playing) start(false);
    move(Number(slider.value));
  };
  view.onkeydown = (event) => {
    if (event.target === speed || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === " " && event.target === slider) start(!S.playing);
    else if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "Home" || event.key === "End") {
      start(false);
      move(event.key === "Home" ? 0 : last);
    } else return;
    event.preventDefault();
  };
  start(S.playing);
  return end;
}
