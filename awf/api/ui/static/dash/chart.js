// What every chart over time shares: uPlot's frame, axes, the shared crosshair, zoom, thresholds and annotations.
/* global uPlot */
import { color, isDark, withAlpha } from "./colors.js";
import { el } from "./dom.js";
import { stepsOf } from "./fields.js";
import { axisTime, dateTime, utc } from "./time.js";
import { formatParts } from "./units.js";

const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export const ink = () => (isDark()
  ? { text: "#c5cad3", grid: "rgba(204,204,220,.10)", page: "#1b1d23" }
  : { text: "#44505f", grid: "rgba(36,41,46,.10)", page: "#ffffff" });

function timeAxis() {
  const { text, grid } = ink();
  return {
    stroke: text, font: FONT, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, size: 26, space: 70,
    values: (_, splits, __, ___, step) => splits.map((at) => (at === null ? "" : axisTime(at, step))),
  };
}

// Steps of an axis of durations, in seconds: half a minute rather than 25 s.
const LADDER = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

function steps(unit) {
  if (unit !== "s" && unit !== "ms") return undefined;
  const factor = unit === "ms" ? 1000 : 1;
  const small = [-6, -5, -4, -3, -2, -1].flatMap((power) => [1, 2, 5].map((each) => each * 10 ** power));
  const large = [1, 2, 4, 12, 26, 52].map((weeks) => weeks * 604800);
  return [...new Set([...small, ...LADDER, ...large])].map((each) => each * factor);
}

// A mark of an axis: "0.5 s", where a value would be "0.500 s".
export function roundText(value, unit, decimals) {
  const { prefix, text, suffix } = formatParts(value, unit, decimals);
  return prefix + (text.includes(".") ? text.replace(/\.?0+$/, "") : text) + suffix;
}

export function valueAxis(config, extra = {}) {
  const { text, grid } = ink();
  return {
    scale: "y", stroke: text, font: FONT, grid: { stroke: grid, width: 1 }, ticks: { show: false }, gap: 6, space: 26, incrs: steps(config.unit),
    values: (_, splits) => splits.map((value) => (value === null ? "" : roundText(value, config.unit, config.decimals))),
    size: (chart, values) => {
      if (!values) return 30;
      chart.ctx.font = chart.axes[1].font[0];
      const widest = Math.max(0, ...values.map((value) => chart.ctx.measureText(value).width)) / devicePixelRatio;
      return Math.ceil(widest) + 14;
    },
    ...extra,
  };
}

function thresholdLines(config, chart) {
  const mode = config.custom?.thresholdsStyle?.mode || "off";
  if (mode === "off") return;
  const { ctx, bbox } = chart;
  const steps = stepsOf(config);
  ctx.save();
  steps.forEach((step, index) => {
    const shade = color(step.color);
    if (shade === "transparent") return;
    const bottom = Number.isFinite(step.value) ? step.value : chart.scales.y.min;
    const top = steps[index + 1]?.value ?? chart.scales.y.max;
    if (mode.includes("area")) {
      const y = chart.valToPos(Math.min(top, chart.scales.y.max), "y", true);
      const height = chart.valToPos(Math.max(bottom, chart.scales.y.min), "y", true) - y;
      ctx.fillStyle = withAlpha(shade, 0.12);
      if (height > 0) ctx.fillRect(bbox.left, y, bbox.width, height);
    }
    if (!mode.includes("area") || mode.includes("line")) {
      if (!Number.isFinite(step.value) || step.value < chart.scales.y.min || step.value > chart.scales.y.max) return;
      const y = Math.round(chart.valToPos(step.value, "y", true));
      ctx.strokeStyle = withAlpha(shade, 0.8);
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash(mode.startsWith("dashed") ? [8 * devicePixelRatio, 6 * devicePixelRatio] : []);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
  });
  ctx.restore();
}

function annotationLines(events, chart) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const event of events) {
    const shade = color(event.color, "#5794F2");
    const x = chart.valToPos(event.at, "x", true);
    const end = chart.valToPos(event.end, "x", true);
    ctx.strokeStyle = shade;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const each of end > x + 1 ? [x, end] : [x]) {
      ctx.beginPath();
      ctx.moveTo(Math.round(each), bbox.top);
      ctx.lineTo(Math.round(each), bbox.top + bbox.height);
      ctx.stroke();
    }
    if (end > x + 1) {
      ctx.fillStyle = withAlpha(shade, 0.1);
      ctx.fillRect(x, bbox.top, end - x, bbox.height);
    }
  }
  ctx.restore();
}

// Small handles under the lines, so that their text can be read by pointer and by keyboard.
function annotationHandles(events, chart, tip) {
  for (const event of events) {
    if (event.end < chart.scales.x.min || event.at > chart.scales.x.max) continue;
    const left = Math.max(0, chart.valToPos(Math.max(event.at, chart.scales.x.min), "x"));
    const right = chart.valToPos(Math.min(event.end, chart.scales.x.max), "x");
    const said = `${event.name}: ${event.text}`;
    const handle = el("button", { type: "button", class: "annotation", "aria-label": `${said}, ${utc(event.at)}`, style: {
      left: `${left - 5}px`, width: `${Math.max(10, right - left + 10)}px`, "--shade": color(event.color, "#5794F2") } });
    const show = () => tip.show(handle.getBoundingClientRect(), [
      el("strong", { text: event.name }), el("p", { text: event.text }),
      el("p", { class: "quiet", text: event.end > event.at ? `${dateTime(event.at)} to ${dateTime(event.end)}` : dateTime(event.at), title: utc(event.at) }),
      el("p", { class: "tags" }, ...event.tags.map((tag) => el("span", { class: "label", text: tag })))]);
    for (const name of ["mouseenter", "focus", "click"]) handle.addEventListener(name, show);
    for (const name of ["mouseleave", "blur"]) handle.addEventListener(name, () => tip.hide());
    chart.over.append(handle);
  }
}

// Draw a chart into `host`; `options` are uPlot's beside the common ones. Returns it; its owner destroys it.
export function drawChart(host, data, context, { config, ...options }) {
  const events = context.annotations.filter((event) => event.end >= context.range.from && event.at <= context.range.to);
  const hooks = options.hooks || {};
  const chart = new uPlot({
    width: Math.max(80, host.clientWidth), height: Math.max(50, host.clientHeight), ms: 1, padding: [8, 20, 0, 0],
    legend: { show: false },
    focus: { alpha: 1 },
    ...options,
    cursor: { sync: context.sync ? { key: context.sync, setSeries: false } : undefined, drag: { x: true, y: false, setScale: false }, points: { size: 7 }, focus: { prox: 24 }, y: false, ...options.cursor },
    axes: [timeAxis(), ...(options.axes || [valueAxis(config)])],
    scales: { x: { time: true, min: context.range.from, max: context.range.to, range: [context.range.from, context.range.to] }, ...options.scales },
    hooks: {
      ...hooks,
      drawClear: [...(hooks.drawClear || []), (drawn) => thresholdLines(config, drawn)],
      draw: [...(hooks.draw || []), (drawn) => annotationLines(events, drawn)],
      ready: [...(hooks.ready || []), (ready) => annotationHandles(events, ready, context.tip)],
      setSelect: [(selected) => {
        const { left, width } = selected.select;
        if (width < 6) return;
        const from = Math.round(selected.posToVal(left, "x"));
        const to = Math.round(selected.posToVal(left + width, "x"));
        selected.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        context.state.change({ from: String(from), to: String(to) });
      }],
    },
  }, data, host);
  context.keep(() => chart.destroy());
  return chart;
}
