// Log lines, newest first; a line opens to its labels.
import { color } from "../colors.js";
import { el, link } from "../dom.js";
import { traceHref } from "../links.js";
import { clock, dateTime, utc } from "../time.js";
import { emptyValue } from "./values.js";

const LEVELS = { critical: "purple", fatal: "purple", error: "red", err: "red", warning: "yellow", warn: "yellow", info: "green", debug: "blue", trace: "light-blue" };

function levelOf(labels) {
  const said = String(labels.level || labels.detected_level || labels.severity_text || "").toLowerCase();
  return said in LEVELS ? said : "";
}

function details(labels) {
  return el("dl", { class: "log-labels" }, ...Object.entries(labels).sort(([a], [b]) => a.localeCompare(b)).map(([key, value]) => el("div", {},
    el("dt", { text: key }), el("dd", {}, /^trace_?id$/i.test(key) && value ? link(traceHref(value), value) : document.createTextNode(value)))));
}

function entry(line, key, isOpen, options, memory) {
  const level = levelOf(line.labels);
  const wrap = options.wrapLogMessage !== false;
  const item = el("details", { class: "log", open: isOpen, style: { "--level": level ? color(LEVELS[level]) : "var(--line)" } },
    el("summary", {}, options.showTime !== false && el("time", { text: clock(line.at), title: `${dateTime(line.at)} · ${utc(line.at)}` }),
      level && el("span", { class: "log-level", text: level }), el("span", { class: wrap ? "log-line" : "log-line cut", text: line.line })),
    details(line.labels));
  item.addEventListener("toggle", () => (item.open ? memory.open.add(key) : memory.open.delete(key)));
  return item;
}

export function draw(body, { panel, answer, memory }) {
  const options = panel.options || {};
  const lines = answer.queries.flatMap((query) => query.lines || []);
  lines.sort((a, b) => (options.sortOrder === "Ascending" ? a.at - b.at : b.at - a.at));
  if (!lines.length) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  memory.open ??= new Set();
  const scroll = body.querySelector(".logs")?.scrollTop || 0;
  const keys = lines.map((line) => `${line.at} ${line.line}`);
  const box = el("div", { class: "logs", tabindex: "0", role: "region", "aria-label": panel.title || "Logs" }, ...lines.map((line, index) => entry(line, keys[index], memory.open.has(keys[index]), options, memory)));
  body.replaceChildren(box);
  box.scrollTop = scroll;
}
