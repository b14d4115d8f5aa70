// A searchable list in groups, after the ARIA combobox pattern: type to narrow, arrows to move, Enter to choose.
const BAR = 60; // the navigation at the top, which lies over the page

export default function ({ data, parentElement: root, setTriggerValue }) {
  const picker = root.querySelector(".picker");
  const [open, panel, input, list, none] = [".open", ".panel", "input", ".list", ".none"].map((s) => picker.querySelector(s));
  const chosen = data.options.find((option) => option.key === data.selected);
  put(picker.querySelector(".name"), data.label);
  putName(open.querySelector(".title"), chosen?.title ?? "Choose …");
  put(open.querySelector(".detail"), [chosen?.detail, chosen?.badge].filter(Boolean).join(" · "));
  input.placeholder = `Search ${data.options.length} ${data.things}`;
  input.setAttribute("aria-label", `Search: ${data.label}`);
  list.setAttribute("aria-label", data.label);

  let shown = [];
  let here = -1;

  // “resnet 50”, “ResNet-50” and “resnet50” are one wish
  const dense = (text) => text.toLowerCase().replace(/[\s\-_·]+/g, "");
  const words = (text) => text.split(/\s+/).map(dense).filter(Boolean);
  const matches = (option, wanted) => {
    const text = dense(`${option.title} ${option.group} ${option.key} ${option.detail} ${option.badge}`);
    return wanted.every((word) => text.includes(word));
  };

  function fill() {
    const wanted = words(input.value);
    shown = data.options.filter((option) => matches(option, wanted));
    list.replaceChildren();
    let group = null, holder = list;
    shown.forEach((option, index) => {
      if (option.group !== group) {
        group = option.group;
        holder = document.createElement("div");
        holder.setAttribute("role", "group");
        holder.setAttribute("aria-label", group);
        const heading = document.createElement("div");
        heading.className = "heading";
        heading.setAttribute("role", "presentation");
        heading.textContent = group;
        holder.append(heading);
        list.append(holder);
      }
      const line = document.createElement("div");
      line.className = "option";
      line.id = `option-${index}`;
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", option.key === data.selected);
      for (const part of ["title", "badge", "detail"]) {
        const span = document.createElement("span");
        span.className = part;
        putName(span, option[part]);
        line.append(span);
      }
      line.onpointerdown = (event) => event.preventDefault(); // the search field keeps the focus
      line.onclick = () => choose(index);
      holder.append(line);
    });
    none.hidden = shown.length > 0;
    none.textContent = shown.length ? "" : `Nothing matches “${input.value}”.`;
    list.hidden = !shown.length;
    if (input.value) list.scrollTop = 0; // the first match, not where the list stood before
    move(input.value ? 0 : Math.max(shown.findIndex((option) => option.key === data.selected), 0));
  }

  function move(index) {
    list.querySelector(".here")?.classList.remove("here");
    here = shown.length ? Math.min(Math.max(index, 0), shown.length - 1) : -1;
    const line = list.querySelector(`#option-${here}`);
    line?.classList.add("here");
    // the first of a group brings its heading into view
    (line?.previousElementSibling?.className === "heading" ? line.previousElementSibling : line)?.scrollIntoView({ block: "nearest" });
    if (line) input.setAttribute("aria-activedescendant", line.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function show(visible) {
    panel.hidden = !visible;
    open.setAttribute("aria-expanded", visible);
    if (!visible) return;
    input.value = "";
    fill();
    fit();
    input.focus();
  }

  // Down where there is room, up where there is more of it, never beyond the window.
  function fit() {
    const button = open.getBoundingClientRect();
    const below = window.innerHeight - button.bottom, above = button.top - BAR;
    const up = below < 320 && above > below;
    panel.classList.toggle("up", up);
    list.style.maxHeight = `${Math.max((up ? above : below) - 90, 140)}px`;
  }

  function choose(index) {
    const option = shown[index];
    if (!option) return;
    show(false);
    open.focus();
    if (option.key !== data.selected) setTriggerValue("picked", option.key);
  }

  open.onclick = () => show(panel.hidden);
  input.oninput = fill;
  input.onkeydown = (event) => {
    const page = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (page) move(here + page);
    else if (event.key === "Enter") choose(here);
    else if (event.key === "Escape") {
      show(false);
      open.focus();
    } else return;
    event.preventDefault();
  };
  picker.onfocusout = (event) => {
    if (!picker.contains(event.relatedTarget) && !panel.hidden && event.relatedTarget) show(false);
  };
}
