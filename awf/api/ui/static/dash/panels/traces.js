// One trace: its spans in the order of their tree, each with its place in time; a span opens to its attributes.
import { el, svg } from "../dom.js";
import { traceHref } from "../links.js";
import { dateTime, utc } from "../time.js";
import { formatValue } from "../units.js";
import { emptyValue } from "./values.js";

const DEEPEST = 12;

function bar(span) {
  return svg("svg", { class: span.is_error ? "span-bar bad" : "span-bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: span.start.toFixed(1), width: span.width.toFixed(1), height: 10 }));
}

function row(span, memory) {
  const facts = [["service", span.service], ...span.attributes];
  const item = el("details", { open: memory.open.has(span.id) },
    el("summary", {}, el("span", { class: `span-name depth-${Math.min(span.depth, DEEPEST)}`, text: span.name }, span.is_error && el("span", { class: "status bad", text: "Error" })), bar(span),
      el("span", { class: "num", text: formatValue(span.duration_ms, "ms") })),
    span.message && el("p", { class: "failure", text: span.message }),
    el("dl", { class: "facts-list" }, ...facts.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { text: value })))));
  item.addEventListener("toggle", () => (item.open ? memory.open.add(span.id) : memory.open.delete(span.id)));
  return el("li", {}, item);
}

function waterfall(trace, memory) {
  const started = Math.round(trace.start_ms);
  return [
    el("p", { class: "meta" }, el("a", { href: traceHref(trace.trace_id), text: `Trace ${trace.trace_id}` }), " ", el("span", { class: "quiet", title: utc(started), text: `${dateTime(started)} · ${formatValue(trace.duration_ms, "ms")}` })),
    el("ol", { class: "spans" }, ...trace.spans.map((span) => row(span, memory))),
  ];
}

export function draw(body, { panel, answer, memory, say }) {
  memory.open ??= new Set();
  const traces = answer.queries.map((query) => query.trace).filter(Boolean);
  if (answer.queries.some((query) => query.traces?.length)) say("The query finds several traces; a panel of this type shows one, by its id.");
  if (!traces.length) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  const scroll = body.querySelector(".waterfall")?.scrollTop || 0;
  const box = el("div", { class: "waterfall", tabindex: "0", role: "region", "aria-label": panel.title || "Trace" }, ...traces.flatMap((trace) => waterfall(trace, memory)));
  body.replaceChildren(box);
  box.scrollTop = scroll;
}
