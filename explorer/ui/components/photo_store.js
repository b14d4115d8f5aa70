// Keeps the last pictures as blobs, found by their id in `window.cnnExplorerPhotos`; whoever came first is told.
const KEPT = 4;

export default function ({ data }) {
  const photos = (window.cnnExplorerPhotos ??= new Map());
  const id = new TextDecoder().decode(data.subarray(0, 64)).trim();
  if (photos.has(id)) return;
  photos.set(id, URL.createObjectURL(new Blob([data.subarray(64)])));
  for (const old of [...photos.keys()].slice(0, -KEPT)) {
    URL.revokeObjectURL(photos.get(old));
    photos.delete(old);
  }
  window.dispatchEvent(new CustomEvent("cnn-explorer-photo", { detail: id }));
}
