// Bars, one a series, from min to max.
import { color, withAlpha } from "../colors.js";
import { el } from "../dom.js";
import { shownText, stepsOf } from "../fields.js";
import { emptyValue, share, valuesOf } from "./values.js";

const CELLS = 30;

function filling(each, options, part) {
  const width = `${(part * 100).toFixed(1)}%`;
  if (options.displayMode === "lcd") {
    const steps = stepsOf(each.config);
    const shade = (value) => color([...steps].reverse().find((step) => value >= step.value)?.color || "green");
    return el("div", { class: "bar lcd" }, ...Array.from({ length: CELLS }, (_, index) => {
      const at = (index + 0.5) / CELLS;
      const own = shade(each.min + at * (each.max - each.min));
      return el("span", { style: { background: at <= part ? own : withAlpha(own, 0.15) } });
    }));
  }
  const inner = options.displayMode === "gradient"
    ? { width, background: `linear-gradient(90deg, ${withAlpha(each.shade, 0.35)}, ${each.shade})` }
    : { width, background: withAlpha(each.shade, 0.35), "border-right": `2px solid ${each.shade}` };
  return el("div", { class: options.showUnfilled === false ? "bar bare" : "bar" }, el("span", { class: "fill", style: inner }));
}

export function draw(body, { panel, answer }) {
  const options = panel.options || {};
  const values = valuesOf(panel, answer);
  if (!values.length) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  const rows = values.slice(0, 60).map((each) => el("div", { class: "bar-row" },
    el("span", { class: "bar-name", text: each.name, title: each.name }), filling(each, options, share(each)),
    el("span", { class: "bar-value num", style: { color: options.valueMode === "text" ? "var(--text)" : each.ink }, text: each.value === null ? each.config.noValue || "No data" : shownText(each.shown) })));
  body.replaceChildren(el("div", { class: options.namePlacement === "top" ? "bars top" : "bars" }, ...rows));
}
