// The grid of panels: rows that fold, panels where the dashboard puts them, one panel alone.
import { el } from "./dom.js";
import { fillText } from "./links.js";
import { Panel } from "./panel.js";

const COLUMNS = 24;

// Sections: [{row, panels}]; what stands before the first row has none.
export function sectionsOf(model) {
  const sections = [{ row: null, panels: [] }];
  const ordered = [...(model.panels || [])].sort((a, b) => (a.gridPos?.y ?? 0) - (b.gridPos?.y ?? 0) || (a.gridPos?.x ?? 0) - (b.gridPos?.x ?? 0));
  for (const panel of ordered) {
    if (panel.type === "row") sections.push({ row: panel, panels: [...(panel.panels || [])] });
    else sections.at(-1).panels.push(panel);
  }
  return sections.filter((section) => section.row || section.panels.length);
}

// A repeated panel stands once for each chosen value of its variable.
export function repeated(panel, chosenOf) {
  const values = panel.repeat ? chosenOf(panel.repeat) : [];
  if (!values.length) return [{ panel, scoped: {} }];
  const { x = 0, y = 0, w = COLUMNS, h = 8 } = panel.gridPos || {};
  const isDown = panel.repeatDirection === "v";
  const perRow = isDown ? 1 : Math.min(values.length, panel.maxPerRow || 4);
  const width = isDown ? w : Math.floor(COLUMNS / perRow);
  return values.map((value, index) => ({
    panel: { ...panel, gridPos: { w: width, h, x: isDown ? x : (index % perRow) * width, y: y + Math.floor(index / perRow) * h } },
    scoped: { [panel.repeat]: [value] },
  }));
}

export class Board {
  constructor(host, model, page) {
    Object.assign(this, { host, model, page, panels: [], folded: new Set() });
    for (const { row } of sectionsOf(model)) if (row?.collapsed) this.folded.add(row.id);
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const panel = this.panels.find((each) => each.element === entry.target);
        if (!panel) continue;
        panel.isSeen = entry.isIntersecting;
        if (panel.isSeen && panel.isStale) panel.refresh();
      }
    }, { rootMargin: "300px" });
  }

  // Build everything anew: at the start, when a repeated panel's variable changes, and for one panel alone.
  build() {
    for (const panel of this.panels) panel.destroy();
    this.seen.disconnect();
    this.panels = [];
    const alone = this.page.state.viewPanel;
    const sections = sectionsOf(this.model);
    const shown = alone ? sections.flatMap((section) => section.panels).filter((panel) => panel.id === alone) : [];
    if (shown.length) {
      this.host.replaceChildren(el("div", { class: "grid alone" }, this.#place(shown[0], {}).element));
    } else {
      this.host.replaceChildren(...sections.map((section) => this.#section(section)));
    }
    for (const panel of this.panels) this.seen.observe(panel.element);
  }

  #section({ row, panels }) {
    const top = Math.min(...panels.map((panel) => panel.gridPos?.y ?? 0));
    const placed = panels.flatMap((panel) => repeated(panel, this.page.chosenOf));
    const grid = el("div", { class: "grid", id: row ? `row-${row.id}` : null, hidden: row && this.folded.has(row.id) }, ...placed.map(({ panel, scoped }) => {
      const made = this.#place(panel, scoped);
      const { x = 0, y = 0, w = 12, h = 8 } = panel.gridPos || {};
      made.element.style.setProperty("grid-column", `${x + 1} / span ${w}`);
      made.element.style.setProperty("grid-row", `${y - top + 1} / span ${h}`);
      made.element.style.setProperty("--rows", h);
      return made.element;
    }));
    if (!row) return grid;
    const isFolded = this.folded.has(row.id);
    const button = el("button", { type: "button", "aria-expanded": String(!isFolded), "aria-controls": `row-${row.id}` }, el("span", { class: "fold", "aria-hidden": "true" }), fillText(row.title, this.page.state),
      el("span", { class: "quiet", text: ` ${panels.length} panel${panels.length === 1 ? "" : "s"}` }));
    button.addEventListener("click", () => {
      const folds = !this.folded.delete(row.id);
      if (folds) this.folded.add(row.id);
      grid.hidden = folds;
      button.setAttribute("aria-expanded", String(!folds));
    });
    return el("section", { class: "row" }, el("h2", {}, button), grid);
  }

  #place(panel, scoped) {
    const made = new Panel(panel, this.page, scoped);
    this.panels.push(made);
    return made;
  }

  get repeats() {
    return (this.model.panels || []).some((panel) => panel.repeat || (panel.panels || []).some((each) => each.repeat));
  }

  refresh() {
    return Promise.all(this.panels.map((panel) => panel.refresh()));
  }

  redraw() {
    for (const panel of this.panels) panel.redraw();
  }
}
