// Copies the address.  Without a secure context browsers give no clipboard: then the address is shown, selected.
export default function ({ parentElement: root }) {
  const [button, told] = [root.querySelector("button"), root.querySelector("span")];
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      told.textContent = "Copied.";
    } catch {
      told.textContent = location.href;
      getSelection().selectAllChildren(told);
    }
  };
}
