// A dial from min to max, with its thresholds around it.
import { color } from "../colors.js";
import { el, svg } from "../dom.js";
import { shownText, stepsOf } from "../fields.js";
import { emptyValue, share, valuesOf } from "./values.js";

const START = -120;
const SWEEP = 240;

function point(radius, part) {
  const angle = ((START + SWEEP * part) * Math.PI) / 180;
  return `${(100 + radius * Math.sin(angle)).toFixed(2)} ${(100 - radius * Math.cos(angle)).toFixed(2)}`;
}

function arc(radius, from, to) {
  return `M ${point(radius, from)} A ${radius} ${radius} 0 ${(to - from) * SWEEP > 180 ? 1 : 0} 1 ${point(radius, to)}`;
}

function dial(each, options) {
  const max = each.config.max ?? (each.config.unit === "percentunit" ? 1 : each.config.unit === "percent" ? 100 : each.max);
  const ranged = { ...each, max };
  const place = (value) => share({ ...ranged, value });
  const steps = stepsOf(each.config);
  const ring = options.showThresholdMarkers === false ? [] : steps.map((step, index) => {
    const from = Number.isFinite(step.value) ? place(step.value) : 0;
    const to = steps[index + 1] ? place(steps[index + 1].value) : 1;
    return to > from && svg("path", { d: arc(92, from, to), style: { fill: "none", stroke: color(step.color), "stroke-width": "4" } });
  });
  const part = share(ranged);
  return el("figure", { class: "gauge", role: "img", "aria-label": `${each.name}: ${shownText(each.shown)}` },
    svg("svg", { viewBox: "0 0 200 160" }, svg("path", { d: arc(76, 0, 1), class: "track" }),
      part > 0 && svg("path", { d: arc(76, 0, part), style: { fill: "none", stroke: each.shade, "stroke-width": "22" } }), ...ring,
      svg("text", { x: 100, y: 112, class: "gauge-text", style: { fill: each.ink }, text: shownText(each.shown) })),
    el("figcaption", { text: each.name }));
}

export function draw(body, { panel, answer }) {
  const values = valuesOf(panel, answer);
  body.replaceChildren(values.length
    ? el("div", { class: "gauges" }, ...values.slice(0, 24).map((each) => dial(each, panel.options || {})))
    : el("p", { class: "none", text: emptyValue(panel) }));
}
