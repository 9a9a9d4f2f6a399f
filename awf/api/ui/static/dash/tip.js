// One tooltip for the whole page, kept inside the window.
import { el } from "./dom.js";

export class Tip {
  constructor() {
    this.box = el("div", { class: "tip", role: "tooltip", hidden: true });
    document.body.append(this.box);
    addEventListener("scroll", () => this.hide(), { passive: true });
  }

  // `place` is a rectangle in the window.
  show(place, content) {
    this.box.replaceChildren(...content);
    this.box.hidden = false;
    const { width, height } = this.box.getBoundingClientRect();
    const right = place.right + 12 + width <= innerWidth;
    const left = right ? place.right + 12 : Math.max(4, place.left - width - 12);
    const top = Math.min(Math.max(4, place.top), innerHeight - height - 4);
    this.box.style.setProperty("left", `${left}px`);
    this.box.style.setProperty("top", `${Math.max(4, top)}px`);
  }

  hide() {
    this.box.hidden = true;
  }
}

export const pointAt = (x, y) => ({ left: x, right: x, top: y, bottom: y });
