// What every component may use; `register` puts it in front of each.

// Runs come often and change little, and writing the same text again would cost a layout.
const put = (node, text) => node.textContent !== text && (node.textContent = text);

