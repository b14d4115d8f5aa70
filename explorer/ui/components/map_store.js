// Keeps the last layers' maps, found by their id in `window.cnnExplorerMaps`; whoever came first is told.
const KEPT = 4;

export default function ({ data }) {
  const all = (window.cnnExplorerMaps ??= new Map());
  const text = new TextDecoder(), id = text.decode(data.subarray(0, 64)).trim();
  if (all.has(id)) return;
  const { buffer } = data.slice(64); // numbers are read at multiples of four, wherever the message had them
  const length = new DataView(buffer).getUint32(0, true);
  const maps = JSON.parse(text.decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const take = (Kind) => {
    const part = new Kind(buffer, at, maps.channels);
    at += part.byteLength;
    return part;
  };
  for (const name of maps.measures) maps[name] = take(Float32Array);
  maps.order = Object.fromEntries(maps.orders.map((key) => [key, take(Int32Array)]));
  maps.entries = new Uint8Array(buffer, at);
  maps.strongest = maps.peak.reduce((most, peak) => Math.max(most, peak), 0);
  all.set(id, maps);
  for (const old of [...all.keys()].slice(0, -KEPT)) all.delete(old);
  window.dispatchEvent(new CustomEvent("cnn-explorer-maps", { detail: id }));
}
