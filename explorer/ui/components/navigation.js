// Streamlit pushes every change of the address as a step of the browser's history.  A page that has just come adds to its
// address what was chosen elsewhere: that completes the step which led here.  Only what follows a hand is one of its own.
const HAND = ["pointerdown", "keydown", "click", "input", "change", "drop", "paste"];
const NARROW = 768; // CSS pixels of a window whose menu lies over the page

export default function () {
  if (window.cnnExplorerCame) return; // once for as long as the window lives
  const came = (window.cnnExplorerCame = { by: "link" }); // what led here: the page's own address, Back, or a hand
  const push = history.pushState.bind(history);
  for (const name of HAND) window.addEventListener(name, () => (came.by = "hand"), true);
  window.addEventListener("popstate", () => (came.by = "back"), true);
  history.pushState = (state, unused, address) => {
    const leaves = new URL(address ?? "", location.href).pathname !== location.pathname;
    if (leaves) {
      if (came.by === "back") return; // told late, of the page that Back or Forward has left meanwhile
      came.by = "link";
    } else if (came.by !== "hand") {
      history.replaceState(state, unused, address);
      return;
    }
    push(state, unused, address);
  };
  window.addEventListener("click", (event) => {
    if (innerWidth > NARROW || !event.target.closest?.("[data-testid=stSidebarNavLink]")) return;
    setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click());
  });
}
