// States over time: one row a series, equal neighbours are one stretch, the colour and the word say the state.
import { drawChart, valueAxis } from "../chart.js";
import { color, withAlpha } from "../colors.js";
import { el } from "../dom.js";
import { display, shownText } from "../fields.js";
import { seriesOf } from "../frames.js";
import { pointAt } from "../tip.js";
import { dateTime } from "../time.js";
import { emptyValue } from "./values.js";

const MAX_ROWS = 60;
const ROW_PX = 17;

// Stretches of equal text: [{from, to, text, shade}].
export function stretchesOf(each, until) {
  const found = [];
  each.times.forEach((at, row) => {
    const value = each.values[row];
    const end = each.times[row + 1] ?? until;
    if (value === null) return;
    const shown = display(each.config, value, { name: each.name });
    const text = shownText(shown);
    const last = found.at(-1);
    if (last && last.text === text && last.to === at) last.to = end;
    else found.push({ from: at, to: end, text, shade: color(shown.color) });
  });
  return found;
}

function paint(chart, rows, height) {
  const { ctx } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(chart.bbox.left, chart.bbox.top, chart.bbox.width, chart.bbox.height);
  ctx.clip();
  ctx.font = `${12 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  rows.forEach((row, place) => {
    const middle = chart.valToPos(rows.length - place - 0.5, "y", true);
    const half = ((chart.valToPos(0, "y", true) - chart.valToPos(1, "y", true)) * height) / 2;
    for (const each of row.stretches) {
      const left = chart.valToPos(each.from, "x", true);
      const width = chart.valToPos(each.to, "x", true) - left;
      ctx.fillStyle = withAlpha(each.shade, 0.75);
      ctx.fillRect(left, middle - half, Math.max(1, width - ratio), half * 2);
      if (ctx.measureText(each.text).width + 10 * ratio < width) {
        ctx.fillStyle = "#111217";
        ctx.fillText(each.text, Math.max(left, chart.bbox.left) + 5 * ratio, middle);
      }
    }
  });
  ctx.restore();
}

export function draw(body, context) {
  const { panel, answer, tip, range } = context;
  const options = panel.options || {};
  const all = seriesOf(panel, answer);
  if (all.length > MAX_ROWS) context.say(`${MAX_ROWS} of ${all.length} rows are shown.`);
  const rows = all.slice(0, MAX_ROWS).map((each) => ({ ...each, stretches: stretchesOf(each, Math.min(range.to, each.times.at(-1) + (each.times[1] - each.times[0] || 0))) }));
  if (!rows.some((row) => row.stretches.length)) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  const host = el("div", { class: "chart" });
  const scroller = el("div", { class: "tall" }, host);
  const states = new Map(rows.flatMap((row) => row.stretches.map((each) => [each.text, each.shade])));
  const legend = options.legend?.showLegend !== false && el("div", { class: "legend list" }, ...[...states].slice(0, 20).map(([text, shade]) => el("span", { class: "entry" }, el("span", { class: "swatch", style: { background: shade } }), el("span", { text }))));
  body.replaceChildren(...[scroller, legend].filter(Boolean));
  host.style.setProperty("height", `${Math.max(scroller.clientHeight, rows.length * ROW_PX + 34)}px`);
  const most = Math.max(12, Math.floor((host.clientWidth * 0.4) / 6.4));
  const short = (name) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
  const times = rows[0].times;
  const chart = drawChart(host, [times, times.map(() => null)], context, {
    config: {},
    series: [{}, { points: { show: false } }],
    scales: { y: { range: [0, rows.length] } },
    axes: [valueAxis({}, { grid: { show: false }, splits: () => rows.map((_, place) => place + 0.5), values: () => [...rows].reverse().map((row) => short(row.name)), space: 8 })],
    hooks: {
      drawAxes: [(drawn) => paint(drawn, rows, options.rowHeight ?? 0.9)],
      setCursor: [(moved) => {
        if (!moved.over.matches(":hover") || moved.over.querySelector(".annotation:hover")) return;
        const row = rows[rows.length - 1 - Math.floor(moved.posToVal(moved.cursor.top, "y"))];
        const at = moved.posToVal(moved.cursor.left, "x");
        const found = row?.stretches.find((each) => each.from <= at && at <= each.to);
        if (!found) { tip.hide(); return; }
        const box = moved.over.getBoundingClientRect();
        tip.show(pointAt(box.left + moved.cursor.left, box.top + moved.cursor.top), [el("strong", { text: row.name }),
          el("p", { class: "tip-row" }, el("span", { class: "swatch", style: { background: found.shade } }), el("span", { text: found.text })),
          el("p", { class: "quiet", text: `${dateTime(found.from)} to ${dateTime(found.to)}` })]);
      }],
    },
  });
  chart.over.addEventListener("mouseleave", () => tip.hide());
}
