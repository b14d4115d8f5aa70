// What every component may use; `register` puts it in front of each.

// Runs come often and change little, and writing the same text again would cost a layout.
const put = (node, text) => node.textContent !== text && (node.textContent = text);

// A module's name, which may break behind its dots and underscores, not in the middle of a word.
const putName = (node, text) => node.textContent !== text && node.replaceChildren(...text.split(/(?<=[._])/).flatMap((part) => [part, document.createElement("wbr")]));

// A share for reading: what is not nothing is not written as nothing, nor what is not all as all.
const inPercent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : share < 1 && share >= 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`);

// Gives `arrived` the address of the picture `id`, now or when it comes.  A new run comes without the end of the one
// before: what `element` waited for until then is dropped.  Returns the end.
function awaitPhoto(element, id, arrived) {
  const look = () => window.cnnExplorerPhotos?.has(id) && arrived(window.cnnExplorerPhotos.get(id));
  window.removeEventListener("cnn-explorer-photo", element._awaited);
  element._awaited = (event) => event.detail === id && look();
  window.addEventListener("cnn-explorer-photo", element._awaited);
  look();
  return () => window.removeEventListener("cnn-explorer-photo", element._awaited);
}
