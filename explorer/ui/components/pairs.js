// Pairs of maps as a radio group: arrow keys move and choose, Home and End go to the ends, Page keys turn the page.
export default function ({ data, parentElement: root, setTriggerValue }) {
  const group = root.querySelector(".group"), pager = root.querySelector(".pager"), heads = root.querySelector(".heads");
  const [back, words, on] = pager.children;
  group.setAttribute("aria-label", data.label);
  put(heads.firstElementChild, data.heads[0]);
  put(heads.lastElementChild, data.heads[1]);
  pager.hidden = data.pages < 2;
  put(words, data.words);
  back.disabled = data.page === 0;
  on.disabled = data.page === data.pages - 1;
  back.onclick = () => turn(-1);
  on.onclick = () => turn(1);

  while (group.children.length > data.pairs.length) group.lastChild.remove();
  while (group.children.length < data.pairs.length) group.append(make());
  const buttons = [...group.children];
  data.pairs.forEach((pair, place) => {
    const button = buttons[place], [pictures, line] = button.children;
    [pair.first, pair.second].forEach((image, side) => {
      const node = pictures.children[side];
      if (node.getAttribute("src") !== image) node.src = image;
    });
    put(line.children[0], pair.label);
    put(line.children[1], pair.detail);
    button.title = pair.hint;
    button.setAttribute("aria-label", pair.hint);
    button.onclick = () => pick(place);
    button.onkeydown = (event) => {
      const to = { ArrowRight: place + 1, ArrowDown: place + 1, ArrowLeft: place - 1, ArrowUp: place - 1, Home: 0, End: buttons.length - 1 }[event.key];
      const page = { PageUp: -1, PageDown: 1 }[event.key];
      if (to === undefined && !page) return;
      event.preventDefault();
      if (page) turn(page);
      else if (buttons[to]) {
        buttons[to].focus();
        pick(to);
      }
    };
  });
  mark(data.pairs.findIndex((pair) => pair.key === data.selected));

  function mark(chosen) {
    buttons.forEach((button, place) => {
      button.setAttribute("aria-checked", place === chosen);
      button.tabIndex = place === Math.max(chosen, 0) ? 0 : -1;
    });
  }

  function pick(place) {
    mark(place); // at once: the answer of the server follows
    setTriggerValue("picked", data.pairs[place].key);
  }

  function turn(step) {
    const to = data.page + step;
    if (to >= 0 && to < data.pages) setTriggerValue("turned", to);
  }

  function make() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pair";
    button.setAttribute("role", "radio");
    button.innerHTML = '<span class="pictures"><img alt="" /><img alt="" /></span><span class="words"><span></span><span></span></span>';
    return button;
  }
}
