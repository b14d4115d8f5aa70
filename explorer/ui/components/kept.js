// Keeps a text in this browser.  Where it may keep nothing (a private window, a setting), all goes on without.
export default function ({ data: { slot, text, known }, parentElement: root, setStateValue }) {
  const keeper = root.querySelector(".kept"), place = `CNN Explorer: ${slot}`;
  try {
    if (text) localStorage.setItem(place, text);
    else if (known) localStorage.removeItem(place);
    else if (keeper.dataset.told !== slot) {
      keeper.dataset.told = slot; // once: Python may have found it unfit
      const found = localStorage.getItem(place);
      if (found) setStateValue("found", { slot, text: found });
    }
  } catch {
    keeper.dataset.told = slot;
  }
}
