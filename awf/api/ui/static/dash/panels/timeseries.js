// Lines over time: stacked or not, with thresholds, exemplars that lead to traces, and a legend.
/* global uPlot */
import { drawChart, valueAxis } from "../chart.js";
import { withAlpha } from "../colors.js";
import { el } from "../dom.js";
import { display, seriesColor, shownText } from "../fields.js";
import { aligned, seriesOf } from "../frames.js";
import { drawLegend } from "../legend.js";
import { traceHref } from "../links.js";
import { pointAt } from "../tip.js";
import { dateTime, utc } from "../time.js";

const finite = (values) => values.map((value) => (Number.isFinite(value) ? value : null));

function stacked(columns) {
  const sums = new Array(columns[0]?.length || 0).fill(0);
  const isKnown = sums.map((_, row) => columns.some((values) => values[row] !== null));
  // A series without a value adds nothing, but what stands on it must not float.
  return columns.map((values) => values.map((value, row) => {
    sums[row] += value ?? 0;
    return isKnown[row] ? sums[row] : null;
  }));
}

// `isAbove`: stacked on another series; a band between the two is its area.
function style(each, shade, isAbove) {
  const custom = each.config.custom || {};
  const kind = custom.drawStyle || "line";
  const fill = (custom.fillOpacity ?? 0) / 100;
  const paths = kind === "bars" ? uPlot.paths.bars({ size: [0.7, 60] })
    : kind === "points" ? () => null
      : custom.lineInterpolation === "stepAfter" ? uPlot.paths.stepped({ align: 1 })
        : custom.lineInterpolation === "stepBefore" ? uPlot.paths.stepped({ align: -1 })
          : custom.lineInterpolation === "smooth" ? uPlot.paths.spline() : undefined;
  const points = kind === "points" || custom.showPoints === "always" ? { show: true, size: custom.pointSize || 5 }
    : custom.showPoints === "never" ? { show: false } : { size: custom.pointSize || 5, filter: lonely };
  return {
    label: each.name, stroke: shade, width: custom.lineWidth ?? 1, paths, points, spanGaps: custom.spanNulls === true,
    dash: custom.lineStyle?.fill === "dash" ? custom.lineStyle.dash || [10, 10] : undefined,
    fill: fill && !isAbove ? withAlpha(shade, fill) : undefined,
  };
}

// A point without neighbours has no line to be seen by.
function lonely(chart, series) {
  const values = chart.data[series];
  return values.flatMap((value, row) => (value !== null && (values[row - 1] ?? null) === null && (values[row + 1] ?? null) === null ? [row] : []));
}

function bands(count, series, shades) {
  return Array.from({ length: count - 1 }, (_, index) => ({
    series: [count - index, count - index - 1],
    fill: withAlpha(shades[count - index - 1], (series[count - index - 1].config.custom?.fillOpacity ?? 0) / 100),
  }));
}

function yRange(config, softMax) {
  const custom = config.custom || {};
  return (_, low, high) => {
    if (low === null || low === undefined) return [config.min ?? 0, config.max ?? 1];
    let min = config.min ?? Math.min(low, custom.axisSoftMin ?? low);
    let max = config.max ?? Math.max(high, custom.axisSoftMax ?? high, softMax ?? high);
    if (min === max) {
      if (min === 0) max = 1;
      else if (config.min === undefined && min > 0) [min, max] = [min - Math.abs(min) * 0.1, max * 1.1];
      else max = min + Math.abs(min) * 0.1 || 1;
    }
    const [nice, top] = uPlot.rangeNum(min, max, 0.1, true);
    return [config.min ?? (custom.axisSoftMin !== undefined ? Math.min(custom.axisSoftMin, min) : low >= 0 && nice < 0 ? 0 : nice), config.max ?? top];
  };
}

function tooltipOf(chart, shown, raw, shades, mode, sort) {
  const row = chart.cursor.idx;
  if (row === null || row === undefined) return null;
  let lines = shown.map((each, index) => ({ each, index, value: raw[index][row] })).filter(({ value }) => value !== null && value !== undefined);
  if (!lines.length) return null;
  if (mode === "single") {
    const y = chart.cursor.top;
    const distance = ({ index }) => Math.abs(chart.valToPos(chart.data[index + 1][row], "y") - y);
    lines = [lines.reduce((best, line) => (distance(line) < distance(best) ? line : best))];
  }
  if (sort === "desc") lines.sort((a, b) => b.value - a.value);
  if (sort === "asc") lines.sort((a, b) => a.value - b.value);
  const hiddenCount = lines.length - 20;
  return [el("p", { class: "quiet", text: dateTime(chart.data[0][row]), title: utc(chart.data[0][row]) }),
    ...lines.slice(0, 20).map(({ each, index, value }) => el("p", { class: "tip-row" }, el("span", { class: "swatch", style: { background: shades[index] } }),
      el("span", { class: "entry-name", text: each.name }), el("span", { class: "num", text: shownText(display(each.config, value)) }))),
    hiddenCount > 0 && el("p", { class: "quiet", text: `and ${hiddenCount} more` })];
}

function exemplarMarks(chart, exemplars, config, tip) {
  const { min, max } = chart.scales.y;
  const marks = exemplars.filter((each) => each.at >= chart.scales.x.min && each.at <= chart.scales.x.max).map((each) => {
    const value = Math.min(Math.max(each.value, min), max);
    const mark = el("a", { class: "exemplar", href: each.labels.trace_id ? traceHref(each.labels.trace_id) : null, tabindex: "-1",
      "aria-label": `Exemplar ${shownText(display(config, each.value))}: open the trace`,
      style: { left: `${chart.valToPos(each.at, "x")}px`, top: `${chart.valToPos(value, "y")}px` } });
    const { __name__: _, le: __, instance: ___, ...labels } = each.series;
    mark.addEventListener("mouseenter", () => tip.show(mark.getBoundingClientRect(), [el("strong", { text: `Exemplar ${shownText(display(config, each.value))}` }),
      el("p", { class: "quiet", text: dateTime(each.at), title: utc(each.at) }),
      ...Object.entries({ ...labels, ...each.labels }).map(([key, text]) => el("p", { class: "tip-row" }, el("span", { class: "quiet", text: key }), el("span", { text }))),
      each.labels.trace_id && el("p", { text: "Click to open the trace." })]));
    mark.addEventListener("mouseleave", () => tip.hide());
    return mark;
  });
  chart.over.append(...marks);
}

export function draw(body, context) {
  const { panel, answer, memory } = context;
  const all = seriesOf(panel, answer).filter((each) => !each.config.custom?.hideFrom?.viz);
  memory.hidden ??= new Set();
  const allShades = all.map((each, index) => seriesColor(each.config, each, index));
  const shown = all.filter((each) => !memory.hidden.has(each.name));
  const shades = all.flatMap((each, index) => (memory.hidden.has(each.name) ? [] : [allShades[index]]));
  const config = all[0]?.config || {};
  const isStacked = ["normal", "percent"].includes(config.custom?.stacking?.mode);
  const [times, ...columns] = aligned(shown);
  const raw = columns.map(finite);
  const drawn = isStacked ? stacked(raw) : raw;
  const host = el("div", { class: "chart" });
  const legend = drawLegend(all.map((each, index) => ({ ...each, color: allShades[index] })).filter((each) => !each.config.custom?.hideFrom?.legend), panel.options?.legend, memory.hidden, context.redraw);
  body.classList.toggle("side", panel.options?.legend?.placement === "right");
  body.replaceChildren(...[host, legend].filter(Boolean));
  const tooltip = panel.options?.tooltip || {};
  const exemplars = answer.queries.flatMap((query) => query.exemplars || []);
  drawChart(host, [times || [], ...drawn], context, {
    config,
    series: [{}, ...shown.map((each, index) => style(each, shades[index], isStacked && index > 0))],
    bands: isStacked && shown.length ? [...bands(shown.length, shown, shades)] : [],
    scales: { y: { range: yRange(config) } },
    axes: [valueAxis(config, { side: config.custom?.axisPlacement === "right" ? 1 : 3, label: undefined })],
    hooks: {
      ready: exemplars.length ? [(chart) => exemplarMarks(chart, exemplars, config, context.tip)] : [],
      setCursor: [(chart) => {
        // Only the chart under the pointer tells: the others share the crosshair.
        if (!chart.over.matches(":hover") || tooltip.mode === "none" || chart.over.querySelector(".exemplar:hover, .annotation:hover")) return;
        const content = tooltipOf(chart, shown, raw, shades, tooltip.mode, tooltip.sort);
        if (!content) { context.tip.hide(); return; }
        const box = chart.over.getBoundingClientRect();
        context.tip.show(pointAt(box.left + chart.cursor.left, box.top + chart.cursor.top), content.filter(Boolean));
      }],
    },
  }).over.addEventListener("mouseleave", () => context.tip.hide());
}
