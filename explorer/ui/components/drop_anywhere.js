// Files dropped or pasted anywhere go where the uploader's own button would put them: one way in, one set of checks.
export default function ({ parentElement: root }) {
  const veil = root.querySelector(".veil");
  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

  function give(file) {
    const input = document.querySelector("[data-testid=stFileUploaderDropzoneInput]");
    if (!input || !file) return false;
    const files = new DataTransfer();
    files.items.add(file);
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }
  function over(event) {
    if (!holdsFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  }
  function leave(event) {
    if (!event.relatedTarget) veil.hidden = true;
  }
  function drop(event) {
    veil.hidden = true;
    if (!holdsFile(event)) return;
    // the uploader's own field takes its own drops
    if (event.target.closest?.("[data-testid=stFileUploaderDropzone]")) return;
    event.preventDefault();
    event.stopPropagation();
    give(event.dataTransfer.files[0]);
  }
  function paste(event) {
    if (give(event.clipboardData?.files[0])) event.preventDefault();
  }

  const heard = { dragover: over, dragleave: leave, drop, paste };
  for (const [name, listener] of Object.entries(heard)) window.addEventListener(name, listener, true);
  return () => {
    for (const [name, listener] of Object.entries(heard)) window.removeEventListener(name, listener, true);
  };
}
