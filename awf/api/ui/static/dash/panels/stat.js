// A large number with its unit, coloured by thresholds, over a sparkline.
import { withAlpha } from "../colors.js";
import { el, svg } from "../dom.js";
import { emptyValue, valuesOf } from "./values.js";

function sparkline(each, range) {
  const points = each.times.map((at, row) => [at, each.values[row]]).filter(([, value]) => Number.isFinite(value));
  if (points.length < 2) return null;
  const values = points.map(([, value]) => value);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const x = ([at]) => ((at - range.from) / (range.to - range.from)) * 100;
  const y = ([, value]) => 38 - ((value - low) / (high - low || 1)) * 34;
  const line = points.map((point) => `${x(point).toFixed(2)},${y(point).toFixed(2)}`).join(" ");
  const area = `${x(points[0]).toFixed(2)},40 ${line} ${x(points.at(-1)).toFixed(2)},40`;
  return svg("svg", { class: "spark", viewBox: "0 0 100 40", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polygon", { points: area, style: { fill: each.shade, opacity: 0.16 } }),
    svg("polyline", { points: line, style: { fill: "none", stroke: each.shade, "stroke-width": "1.5", "vector-effect": "non-scaling-stroke" } }));
}

function one(each, options, range, isNamed) {
  const mode = options.colorMode || "value";
  const { prefix, text, suffix } = each.shown;
  const inner = el("div", { class: "stat-text" },
    isNamed && el("span", { class: "stat-name", text: each.name }),
    options.textMode !== "name" && el("span", { class: "stat-value", style: { "--chars": Math.max(5, prefix.length + text.length + suffix.length * 0.62), color: mode === "value" ? each.ink : mode === "none" ? "var(--text)" : "" } },
      prefix && el("span", { class: "unit", text: prefix }), el("span", { text }), suffix && el("span", { class: "unit", text: suffix })));
  const isFilled = mode.startsWith("background");
  const line = options.graphMode !== "none" && !isFilled && sparkline(each, range);
  return el("div", { class: `stat${isFilled ? " filled" : ""}${line ? " sparkling" : ""}`, style: isFilled ? { background: `linear-gradient(120deg, ${each.shade}, ${withAlpha(each.shade, 0.75)})` } : {} }, line, inner);
}

export function draw(body, { panel, answer, range }) {
  const options = panel.options || {};
  const values = valuesOf(panel, answer);
  if (!values.length) {
    body.replaceChildren(el("div", { class: "stat" }, el("div", { class: "stat-text" }, el("span", { class: "stat-value none", text: emptyValue(panel) }))));
    return;
  }
  const textMode = options.textMode || "auto";
  const isNamed = ["name", "value_and_name"].includes(textMode) || (textMode === "auto" && values.length > 1);
  body.replaceChildren(el("div", { class: "stats" }, ...values.slice(0, 50).map((each) => {
    const shown = each.value === null ? { ...each, shown: { prefix: "", text: each.config.noValue || "No data", suffix: "" }, ink: "var(--quiet)" } : each;
    return one(shown, options, range, isNamed);
  })));
}
