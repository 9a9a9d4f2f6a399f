// A pie or a donut, its legend with values and shares.
import { color, paletteColor } from "../colors.js";
import { el, svg } from "../dom.js";
import { shownText } from "../fields.js";
import { toFixed } from "../units.js";
import { pointAt } from "../tip.js";
import { emptyValue, valuesOf } from "./values.js";

function slice(from, to, inner) {
  const at = (radius, part) => `${(100 + radius * Math.sin(part * 2 * Math.PI)).toFixed(2)} ${(100 - radius * Math.cos(part * 2 * Math.PI)).toFixed(2)}`;
  // A full circle has no arc of its own: its ends would be one point.
  const end = Math.min(to, from + 0.9999);
  const large = end - from > 0.5 ? 1 : 0;
  const back = inner ? `L ${at(inner, end)} A ${inner} ${inner} 0 ${large} 0 ${at(inner, from)} Z` : "L 100 100 Z";
  return `M ${at(95, from)} A 95 95 0 ${large} 1 ${at(95, end)} ${back}`;
}

function legendTable(parts, columns) {
  const heads = { value: "Value", percent: "Percent" };
  return el("div", { class: "legend", tabindex: "0", role: "region", "aria-label": "Legend" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Name" }), ...columns.map((column) => el("th", { class: "num", scope: "col", text: heads[column] })))),
    el("tbody", {}, ...parts.map((each) => el("tr", {},
      el("td", {}, el("span", { class: "entry" }, el("span", { class: "swatch", style: { background: each.paint } }), el("span", { class: "entry-name", text: each.name }))),
      ...columns.map((column) => el("td", { class: "num", text: column === "value" ? shownText(each.shown) : `${toFixed(each.part * 100, 0)}%` })))))));
}

export function draw(body, { panel, answer, tip }) {
  const options = panel.options || {};
  const values = valuesOf(panel, answer).filter((each) => each.value > 0).sort((a, b) => b.value - a.value);
  const sum = values.reduce((all, each) => all + each.value, 0);
  if (!sum) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  let from = 0;
  const parts = values.map((each, place) => {
    const mode = each.config.color?.mode || "palette-classic";
    const paint = mode === "palette-classic" ? paletteColor(each.index ?? place) : color(each.shown.color);
    const part = { ...each, part: each.value / sum, from, paint };
    from += part.part;
    return part;
  });
  const inner = options.pieType === "donut" ? 58 : 0;
  const paths = parts.map((each) => {
    const path = svg("path", { d: slice(each.from, each.from + each.part, inner), class: parts.length > 1 ? "slice" : "slice whole", style: { fill: each.paint } });
    path.addEventListener("mousemove", (event) => tip.show(pointAt(event.clientX, event.clientY), [el("strong", { text: each.name }), el("p", { class: "num", text: `${shownText(each.shown)} · ${toFixed(each.part * 100, 1)}%` })]));
    path.addEventListener("mouseleave", () => tip.hide());
    return path;
  });
  const label = parts.map((each) => `${each.name} ${toFixed(each.part * 100, 0)}%`).join(", ");
  const pie = el("div", { class: "pie" }, svg("svg", { viewBox: "0 0 200 200", role: "img", "aria-label": label }, ...paths));
  const legend = options.legend || {};
  const columns = (legend.values || []).filter((each) => each === "value" || each === "percent");
  body.classList.toggle("side", legend.placement === "right");
  body.replaceChildren(...[pie, legend.showLegend !== false && legend.displayMode !== "hidden" && legendTable(parts, columns)].filter(Boolean));
}
