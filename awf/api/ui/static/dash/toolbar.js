// Time range, refresh, and the way to the other dashboards.
import { el } from "./dom.js";
import { dashboardLinks } from "./links.js";
import { menu } from "./menu.js";
import { dateTime, describeRange, isRelative, parseTime, QUICK } from "./time.js";

const REFRESHES = [["", "Off"], ["5s", "5 s"], ["10s", "10 s"], ["30s", "30 s"], ["1m", "1 min"], ["5m", "5 min"], ["15m", "15 min"]];

function absoluteForm(state, close) {
  const shown = (text) => (isRelative(text) ? text : dateTime(parseTime(text)));
  const from = el("input", { id: "range-from", value: shown(state.from), spellcheck: "false" });
  const to = el("input", { id: "range-to", value: shown(state.to), spellcheck: "false" });
  const failure = el("p", { class: "failure", role: "alert", hidden: true });
  const form = el("form", { class: "range-form" }, el("label", { for: "range-from", text: "From" }), from, el("label", { for: "range-to", text: "To" }), to, failure,
    el("p", { class: "quiet", text: "A time such as 2026-01-31 12:00:00, or now-1h." }), el("button", { class: "primary", text: "Apply" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [start, end] = [parseTime(from.value), parseTime(to.value, { up: true })];
    const wrong = start === null ? `“${from.value}” is no time` : end === null ? `“${to.value}” is no time` : end <= start ? "The end must come after the start" : "";
    failure.textContent = wrong;
    failure.hidden = !wrong;
    if (wrong) return;
    const written = (text, moment) => (isRelative(text.trim()) ? text.trim() : String(moment));
    close();
    state.change({ from: written(from.value, start), to: written(to.value, end) });
  });
  return form;
}

function rangeMenu(state) {
  const root = menu(describeRange(state.from, state.to), (close) => [
    el("div", { class: "range-box" }, absoluteForm(state, close), el("div", { class: "quick" }, ...QUICK.map(([from, text]) => el("button", { type: "button", class: "plain", "aria-current": state.from === from && state.to === "now" ? "true" : null, text,
      on: { click: () => { close(); state.change({ from, to: "now" }); } } }))))], { title: "Time range", className: "range" });
  state.listeners.push(() => root.setLabel(describeRange(state.from, state.to)));
  return root;
}

function shift(state, how) {
  const { from, to } = state.range;
  const span = to - from;
  if (how === "out") state.change({ from: String(from - span / 2), to: String(to + span / 2) });
  else state.change({ from: String(from + (how * span) / 2), to: String(to + (how * span) / 2) });
}

function iconButton(text, label, act) {
  return el("button", { type: "button", "aria-label": label, title: label, text, on: { click: act } });
}

export function drawToolbar(host, { model, state, boards, refresh, pause }) {
  const links = dashboardLinks(model, state, boards);
  const others = links.length && menu(model.links?.[0]?.title || "Dashboards", () => [el("ul", { class: "plain-list" }, ...dashboardLinks(model, state, boards).map((each) => el("li", {},
    el("a", { href: each.href, "aria-current": each.isHere ? "page" : null, text: each.title }))))], { title: "Other dashboards" });
  const every = el("select", { id: "refresh-every", "aria-label": "Refresh every" }, ...REFRESHES.map(([value, text]) => el("option", { value, text, selected: value === state.refresh })));
  if (!REFRESHES.some(([value]) => value === state.refresh)) every.append(el("option", { value: state.refresh, text: state.refresh, selected: true }));
  every.addEventListener("change", () => state.change({ refresh: every.value }, {}));
  const pauser = el("button", { type: "button", "aria-pressed": "false", text: "Pause" });
  pauser.addEventListener("click", () => {
    const paused = pause();
    pauser.setAttribute("aria-pressed", String(paused));
    pauser.textContent = paused ? "Resume" : "Pause";
  });
  host.replaceChildren(...[others, el("span", { class: "group" }, iconButton("‹", "Earlier", () => shift(state, -1)), rangeMenu(state), iconButton("›", "Later", () => shift(state, 1)), iconButton("−", "Zoom out", () => shift(state, "out"))),
    el("span", { class: "group" }, el("button", { type: "button", text: "Refresh", on: { click: refresh } }), every, pauser)].filter(Boolean));
}
