// A heatmap of a histogram: one row a bucket, the colour says how much fell into it.
/* global uPlot */
import { drawChart, roundText, valueAxis } from "../chart.js";
import { schemeColor } from "../colors.js";
import { el } from "../dom.js";
import { seriesOf } from "../frames.js";
import { traceHref } from "../links.js";
import { pointAt } from "../tip.js";
import { dateTime, utc } from "../time.js";
import { formatValue } from "../units.js";
import { emptyValue } from "./values.js";

// Tempo's histogram_over_time names its buckets `__bucket`, and each holds only what is its own.
const edgeOf = (each) => Number((each.labels.le ?? each.labels.__bucket ?? each.name).replace("+Inf", "Infinity"));

// Return {times, edges, counts}: counts[row][column] is what fell between edges[row - 1] and edges[row].
export function bucketsOf(panel, answer) {
  const series = seriesOf(panel, answer).map((each) => ({ ...each, edge: edgeOf(each) })).filter((each) => !Number.isNaN(each.edge)).sort((a, b) => a.edge - b.edge);
  const counts = series.map((each, row) => each.values.map((value, column) => {
    if (!Number.isFinite(value)) return null;
    if (each.labels.__bucket) return value;
    // Buckets of Prometheus hold all that is smaller, too.
    return Math.max(0, value - (row ? series[row - 1].values[column] ?? 0 : 0));
  }));
  return { times: series[0]?.times || [], edges: series.map((each) => each.edge), counts };
}

// Rows without anything above and below what there is are left out, as they would only make the others thin.
function trimmed({ times, edges, counts }, least) {
  const isUsed = counts.map((row) => row.some((value) => value > least));
  const first = Math.max(0, isUsed.indexOf(true) - 1);
  const last = Math.min(edges.length - 1, isUsed.lastIndexOf(true) + 1);
  return { times, edges: edges.slice(first, last + 1), counts: counts.slice(first, last + 1), below: first ? edges[first - 1] : 0 };
}

function scaleOf(options, highest) {
  const { exponent = 0.5, scale = "exponential", scheme = "Oranges", reverse = false, mode = "scheme", fill = "dark-orange" } = options.color || {};
  const bend = scale === "linear" ? 1 : exponent;
  const name = mode === "opacity" ? (fill.includes("blue") ? "Blues" : fill.includes("green") ? "Greens" : "Oranges") : scheme;
  return (value) => schemeColor(name, 0.12 + 0.88 * (value / highest) ** bend, reverse);
}

function cells(chart, map, least, shade, gap) {
  const { ctx } = chart;
  const step = map.times.length > 1 ? map.times[1] - map.times[0] : 60e3;
  ctx.save();
  ctx.beginPath();
  ctx.rect(chart.bbox.left, chart.bbox.top, chart.bbox.width, chart.bbox.height);
  ctx.clip();
  map.counts.forEach((row, place) => {
    const top = chart.valToPos(place + 1, "y", true);
    const bottom = chart.valToPos(place, "y", true);
    row.forEach((value, column) => {
      if (value === null || value <= least) return;
      const left = chart.valToPos(map.times[column] - step, "x", true);
      const right = chart.valToPos(map.times[column], "x", true);
      ctx.fillStyle = shade(value);
      ctx.fillRect(left, top, Math.max(1, right - left - gap), Math.max(1, bottom - top - gap));
    });
  });
  ctx.restore();
}

function colourScale(shade, highest, unit) {
  const stops = Array.from({ length: 12 }, (_, index) => shade((highest * (index + 1)) / 12));
  return el("div", { class: "colour-scale" }, el("span", { text: formatValue(0, unit) }), el("span", { class: "ramp", style: { background: `linear-gradient(90deg, ${stops.join(",")})` } }), el("span", { text: formatValue(highest, unit) }));
}

export function draw(body, context) {
  const { panel, answer, tip } = context;
  const options = panel.options || {};
  const least = options.filterValues?.le ?? 0;
  const map = trimmed(bucketsOf(panel, answer), least);
  const highest = Math.max(0, ...map.counts.flat().filter((value) => value !== null));
  if (!highest) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  const unit = options.yAxis?.unit || panel.fieldConfig?.defaults?.unit || "short";
  const cellUnit = options.cellValues?.unit || "short";
  const shade = scaleOf(options, highest);
  const edge = (row) => (row < 0 ? roundText(map.below, unit) : Number.isFinite(map.edges[row]) ? roundText(map.edges[row], unit) : "∞");
  const host = el("div", { class: "chart" });
  body.replaceChildren(...[host, options.legend?.show !== false && colourScale(shade, highest, cellUnit)].filter(Boolean));
  const every = Math.ceil(map.edges.length / Math.max(2, host.clientHeight / 22));
  const chart = drawChart(host, [map.times, map.times.map(() => null)], context, {
    config: {},
    series: [{}, { show: true, points: { show: false } }],
    scales: { y: { range: [0, map.edges.length] } },
    axes: [valueAxis({}, { splits: () => map.edges.map((_, row) => row + 1).filter((row) => row % every === 0), values: (_, rows) => rows.map((row) => edge(row - 1)), space: 10 })],
    hooks: {
      drawAxes: [(drawn) => cells(drawn, map, least, shade, (options.cellGap ?? 1) * devicePixelRatio)],
      ready: [(ready) => marks(ready, answer, map, unit, tip)],
      setCursor: [(moved) => {
        if (!moved.over.matches(":hover") || moved.over.querySelector(".exemplar:hover, .annotation:hover")) return;
        const row = Math.floor(moved.posToVal(moved.cursor.top, "y"));
        const at = moved.posToVal(moved.cursor.left, "x");
        const column = map.times.findIndex((time) => time >= at);
        const value = map.counts[row]?.[column];
        if (value === null || value === undefined) { tip.hide(); return; }
        const box = moved.over.getBoundingClientRect();
        tip.show(pointAt(box.left + moved.cursor.left, box.top + moved.cursor.top), [el("p", { class: "quiet", text: dateTime(map.times[column]), title: utc(map.times[column]) }),
          el("p", { class: "tip-row" }, el("span", { text: `${edge(row - 1)} to ${edge(row)}` }), el("span", { class: "num", text: formatValue(value, cellUnit) }))]);
      }],
    },
  });
  chart.over.addEventListener("mouseleave", () => tip.hide());
}

// Where a value lies between the edges of its bucket.
function heightOf(map, value) {
  const row = map.edges.findIndex((edge) => value <= edge);
  if (row < 0) return map.edges.length;
  const low = row ? map.edges[row - 1] : map.below;
  return Number.isFinite(map.edges[row]) ? Math.max(0, row + (value - low) / (map.edges[row] - low)) : row + 0.5;
}

function marks(chart, answer, map, unit, tip) {
  const { min, max } = chart.scales.x;
  for (const each of answer.queries.flatMap((query) => query.exemplars || [])) {
    if (each.at < min || each.at > max || !each.labels.trace_id) continue;
    const mark = el("a", { class: "exemplar", href: traceHref(each.labels.trace_id), tabindex: "-1", "aria-label": `Exemplar ${formatValue(each.value, unit)}: open the trace`,
      style: { left: `${chart.valToPos(each.at, "x")}px`, top: `${chart.valToPos(heightOf(map, each.value), "y")}px` } });
    mark.addEventListener("mouseenter", () => tip.show(mark.getBoundingClientRect(), [el("strong", { text: `Exemplar ${formatValue(each.value, unit)}` }), el("p", { class: "quiet", text: dateTime(each.at) }), el("p", { text: "Click to open the trace." })]));
    mark.addEventListener("mouseleave", () => tip.hide());
    chart.over.append(mark);
  }
}
