// A button that opens a box below it: Escape and a click elsewhere close it.
import { el } from "./dom.js";

let count = 0;

export function menu(label, fill, { title = "", className = "" } = {}) {
  count += 1;
  const id = `menu-${count}`;
  const button = el("button", { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-controls": id, title });
  button.append(label, el("span", { class: "caret", "aria-hidden": "true", text: " ▾" }));
  const box = el("div", { class: "menu-box", id, role: "dialog", "aria-label": title || label, hidden: true });
  const root = el("div", { class: `menu ${className}` }, button, box);
  const close = (focus) => {
    if (box.hidden) return;
    box.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focus) button.focus();
  };
  const outside = (event) => { if (!root.contains(event.target)) close(false); };
  button.addEventListener("click", () => {
    if (!box.hidden) { close(true); return; }
    box.replaceChildren(...fill(() => close(true)));
    box.hidden = false;
    button.setAttribute("aria-expanded", "true");
    root.classList.toggle("leftward", root.getBoundingClientRect().left + 300 > innerWidth);
    box.querySelector("input, button, a")?.focus();
  });
  root.addEventListener("keydown", (event) => { if (event.key === "Escape") close(true); });
  document.addEventListener("pointerdown", outside);
  root.setLabel = (text) => {
    button.firstChild.textContent = text;
    button.setAttribute("aria-label", title ? `${title}: ${text}` : text);
  };
  root.setLabel(label);
  return root;
}
