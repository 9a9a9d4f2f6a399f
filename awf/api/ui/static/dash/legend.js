// Legends: a table with calculations or a list; a click shows one series alone, with Ctrl it hides one.
import { el } from "./dom.js";
import { display, shownText } from "./fields.js";
import { heading, reduce } from "./reduce.js";

function pressed(event, entry, entries, hidden, redraw) {
  if (event.ctrlKey || event.metaKey) {
    if (!hidden.delete(entry.name)) hidden.add(entry.name);
  } else {
    const isAlone = !hidden.has(entry.name) && entries.every((each) => each === entry || hidden.has(each.name));
    hidden.clear();
    if (!isAlone) for (const each of entries) if (each.name !== entry.name) hidden.add(each.name);
  }
  redraw();
}

function entryButton(entry, entries, hidden, redraw) {
  return el("button", { type: "button", class: "entry", "aria-pressed": String(!hidden.has(entry.name)), title: `${entry.name}\nClick: this one alone. Ctrl+click: hide or show it.`,
    on: { click: (event) => pressed(event, entry, entries, hidden, redraw) } },
  el("span", { class: "swatch", style: { background: entry.color } }), el("span", { class: "entry-name", text: entry.name }));
}

// `entries` are {name, color, values, config}.
export function drawLegend(entries, options, hidden, redraw) {
  const settings = options || {};
  if (settings.showLegend === false || settings.displayMode === "hidden" || !entries.length) return null;
  const calcs = settings.calcs || [];
  if (settings.displayMode !== "table") {
    return el("div", { class: "legend list" }, ...entries.map((entry) => el("span", { class: hidden.has(entry.name) ? "off" : "" },
      entryButton(entry, entries, hidden, redraw),
      ...calcs.map((calc) => el("span", { class: "calc", text: `${heading(calc)}: ${shownText(display(entry.config, reduce(entry.values, calc)))}` })))));
  }
  const sortBy = settings.sortBy && calcs.find((calc) => heading(calc) === settings.sortBy);
  const sorted = sortBy ? [...entries].sort((a, b) => (reduce(a.values, sortBy) - reduce(b.values, sortBy)) * (settings.sortDesc ? -1 : 1)) : entries;
  const head = el("tr", {}, el("th", { scope: "col", text: "Name" }), ...calcs.map((calc) => el("th", { class: "num", scope: "col", text: heading(calc) })));
  const rows = sorted.map((entry) => el("tr", { class: hidden.has(entry.name) ? "off" : "" },
    el("td", {}, entryButton(entry, entries, hidden, redraw)),
    ...calcs.map((calc) => el("td", { class: "num", text: shownText(display(entry.config, reduce(entry.values, calc))) }))));
  return el("div", { class: "legend", tabindex: "0", role: "region", "aria-label": "Legend" }, el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)));
}
