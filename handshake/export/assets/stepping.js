// Acts on keys: `keys` has a function for each. What is typed into a field stays there, but for
// Escape; keys with Ctrl, Alt or Meta are the browser's.
function stepping(keys) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches?.("input") && event.key !== "Escape") return;
    if (document.querySelector("dialog[open]")) return;
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key](event);
  });
}
