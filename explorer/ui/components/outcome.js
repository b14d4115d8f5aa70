// Shapes, the line of torch, and equations whose letters can be pointed at.  Math arrives as MathML made of numbers alone.
const QUIET = 600; // ms without another change before a reader of the screen hears the new shape
const SAID = 1600; // ms that a button says what it did

export default function ({ data, parentElement: root }) {
  const box = root.querySelector(".outcome");
  document._ahead.receive("outcome", data, (shown) => show(box, shown), box);
}

function show(box, data) {
  const find = (what) => box.querySelector(what);
  const S = (box._state ??= { held: null, timer: 0, heard: data.after });
  for (const part of ["before", "after", "axes", "printed", "code"]) put(find(`.${part}`), data[part]);
  draw();
  tell();

  find(".copy").onclick = () => copy(find(".copy"), data.code, find(".code"));
  find(".copy-all").onclick = () => copy(find(".copy-all"), asText(), find(".workings"));
  // one listener each for all letters: they come and go
  box.onpointerover = S.enter = ({ target }) => light(target.closest?.("[data-letter]")?.dataset.letter ?? S.held);
  box.onpointerleave = S.leave = () => light(S.held);
  if (!S.wired) {
    // of these there is no property to replace a listener by
    box.addEventListener("focusin", (event) => S.enter(event));
    box.addEventListener("focusout", () => S.leave());
    S.wired = true;
  }
  box.onclick = ({ target }) => {
    const letter = target.closest?.("[data-letter]")?.dataset.letter;
    if (!letter) return;
    S.held = letter === S.held ? null : letter;
    light(S.held);
  };
  box.onkeydown = ({ key }) => {
    if (key !== "Escape") return;
    S.held = null;
    light(null);
  };

  function draw() {
    const several = data.workings.length > 1;
    rows(find(".equations"), data.workings, makeEquation, (row, { title, equation, letters }) => {
      set(row.querySelector(".sum"), equation.math);
      row.querySelector(".sum").title = equation.text;
      put(row.querySelector(".title"), title);
      rows(row.querySelector(".legend"), letters, makeLetter, (item, { symbol, word, value, sentence }) => {
        const button = item.firstElementChild, [letter, words, number] = button.children;
        button.dataset.letter = symbol;
        button.title = sentence;
        put(letter, symbol);
        put(words, word);
        put(number, value.toLocaleString("en"));
      });
    });
    rows(find(".workings"), data.workings, makeWorking, (block, { title, steps }) => {
      const [head, ...cells] = block.children;
      head.hidden = !several;
      put(head, title);
      const lines = steps.flatMap(({ math, words }) => [[math, "sum"], [words, "words"]]);
      while (cells.length > lines.length) cells.pop().remove();
      lines.forEach(([content, kind], place) => {
        const cell = cells[place] ?? block.appendChild(document.createElement("div"));
        cell.className = kind;
        if (kind === "sum") set(cell, content);
        else put(cell, content);
      });
    });
    find("details").hidden = data.workings.every(({ steps }) => steps.length < 2);
    light(S.held);
  }

  function makeEquation() {
    const row = document.createElement("div");
    row.className = "equation";
    row.innerHTML = '<div class="sum"></div><div class="beside"><ul class="legend" aria-label="Letters of the formula"></ul><p class="note"><b class="title"></b>: <span class="never"></span></p></div>';
    return row;
  }

  function makeLetter() {
    const item = document.createElement("li");
    item.innerHTML = '<button type="button" aria-pressed="false"><i></i> <span></span> <b></b></button>';
    return item;
  }

  function makeWorking() {
    const block = document.createElement("div");
    block.className = "working";
    block.append(document.createElement("h3"));
    return block;
  }

  // A letter and its numbers lit wherever they stand, and its sentence in place of the equation's.
  function light(letter) {
    for (const each of box.querySelectorAll("[data-letter]")) {
      each.classList.toggle("on", each.dataset.letter === letter);
      if (each.matches("button")) each.setAttribute("aria-pressed", each.dataset.letter === S.held);
    }
    data.workings.forEach(({ title, equation, letters }, place) => {
      const row = find(".equations").children[place], meant = letters.find(({ symbol }) => symbol === letter);
      put(row.querySelector(".title"), meant ? `${meant.symbol}, ${meant.word}` : title);
      put(row.querySelector(".never"), meant ? meant.sentence.split(": ")[1] : equation.words);
    });
  }

  function tell() {
    if (data.after === S.heard) return;
    clearTimeout(S.timer);
    S.timer = setTimeout(() => {
      S.heard = data.after;
      put(find(".told"), `The output is ${data.after}.`);
    }, QUIET);
  }

  function asText() {
    const parts = data.workings.map(({ title, equation, letters, steps }) =>
      [`${title}: ${equation.text}`, ...letters.map(({ symbol, word, value }) => `  ${symbol} ${word} ${value}`), ...steps.map(({ text, words }) => `  ${text}   ${words}`)].join("\n"),
    );
    return [`${data.before} → ${data.after} (${data.axes})`, data.code, ...parts].join("\n");
  }
}

// As many children as entries, each filled: nodes stay, and with them the focus and what is open.
function rows(list, entries, make, fill) {
  while (list.children.length > entries.length) list.lastElementChild.remove();
  while (list.children.length < entries.length) list.append(make());
  entries.forEach((entry, place) => fill(list.children[place], entry));
}

function set(node, markup) {
  if (node._markup === markup) return;
  node.innerHTML = node._markup = markup;
}

// Without a secure context browsers give no clipboard: then what was to be copied is selected.
async function copy(button, text, shown) {
  const label = (button._label ??= button.textContent);
  try {
    await navigator.clipboard.writeText(text);
    put(button, "Copied");
  } catch {
    getSelection().selectAllChildren(shown);
    put(button, "Selected");
  }
  clearTimeout(button._timer);
  button._timer = setTimeout(() => put(button, label), SAID);
}
