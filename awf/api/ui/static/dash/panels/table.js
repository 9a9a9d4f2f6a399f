// Tables: merged queries, units, thresholds as colours of text or cell, links; sorted by a click on a heading.
import { color, textColor, withAlpha } from "../colors.js";
import { el, link } from "../dom.js";
import { configOf, display, shownText, stepsOf } from "../fields.js";
import { tablesOf } from "../frames.js";
import { hrefOf, traceHref } from "../links.js";
import { dateTime, utc } from "../time.js";
import { sortRows, transform } from "../transforms.js";
import { emptyValue } from "./values.js";

const MAX_ROWS = 500;

function cellText(field, config, value) {
  if (field.type === "time" && value !== null && !config.unit) return el("time", { text: dateTime(value), title: utc(value) });
  return document.createTextNode(value === null || value === undefined || value === "" ? config.noValue || "" : shownText(display(config, value)));
}

function painted(cell, field, config, value, bounds) {
  const kind = config.custom?.cellOptions?.type || "auto";
  const isMapped = (config.mappings || []).length > 0;
  if (value === null || (typeof value !== "number" && !isMapped)) return;
  const context = { min: config.min ?? bounds[0], max: config.max ?? bounds[1] };
  const name = display(config, value, context).color;
  if (kind === "color-text") {
    cell.style.setProperty("color", textColor(name));
    if (stepsOf(config).length > 1) cell.style.setProperty("font-weight", "600");
  } else if (kind === "color-background") {
    cell.style.setProperty("background", withAlpha(color(name), 0.3));
  } else if (kind === "gauge") {
    const part = Math.min(1, Math.max(0, (value - context.min) / (context.max - context.min || 1)));
    cell.prepend(el("span", { class: "cell-bar" }, el("span", { style: { width: `${part * 100}%`, background: color(name) } })));
  }
}

function bodyRow(table, configs, bounds, row, state) {
  const fields = Object.fromEntries(table.fields.map((field) => [field.name, field.values[row]]));
  return el("tr", {}, ...table.fields.map((field, place) => {
    const config = configs[place];
    const value = field.values[row];
    const text = cellText(field, config, value);
    const [wanted] = config.links || [];
    const href = config.isTrace ? traceHref(value) : wanted ? hrefOf(wanted.url, state, { value, config, fields, labels: field.labels, name: field.name }) : "";
    const isNumber = field.type === "number";
    const shown = config.isTrace ? `${String(value).slice(0, 10)}…` : text.textContent;
    const cell = el("td", { class: isNumber ? "num" : "", "data-label": config.displayName || field.name, title: config.isTrace ? value : shown.length > 30 ? shown : null },
      href && value !== null ? link(href, shown, { title: wanted?.title }) : text);
    painted(cell, field, config, value, bounds[place]);
    return cell;
  }));
}

function headRow(table, configs, memory, redraw) {
  return el("tr", {}, ...table.fields.map((field, place) => {
    const isSorted = memory.sort?.name === field.name;
    const order = isSorted ? (memory.sort.desc ? "descending" : "ascending") : "none";
    const press = () => {
      memory.sort = isSorted ? (memory.sort.desc ? { name: field.name, desc: false } : {}) : { name: field.name, desc: true };
      redraw();
    };
    return el("th", { scope: "col", class: field.type === "number" ? "num" : "", "aria-sort": order },
      el("button", { type: "button", class: "sort", on: { click: press }, text: configs[place].displayName || field.name },
        isSorted && el("span", { "aria-hidden": "true", text: memory.sort.desc ? " ↓" : " ↑" })));
  }));
}

function boundsOf(field) {
  const numbers = field.values.filter((value) => Number.isFinite(value));
  return numbers.length ? [Math.min(0, ...numbers), Math.max(...numbers)] : [0, 1];
}

export function draw(body, context) {
  const { panel, answer, memory, state, redraw } = context;
  const [tables, unknown] = transform(tablesOf(answer), panel.transformations);
  if (unknown.length) context.say(`This page does not know the transformation ${unknown.join(", ")}; the table is shown without it.`);
  if (!tables.length || !tables[0].fields.length) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  const [wanted] = panel.options?.sortBy || [];
  memory.sort ??= wanted ? { name: wanted.displayName, desc: Boolean(wanted.desc) } : {};
  if (tables.length > 1) context.say(`The first of ${tables.length} tables is shown.`);
  let table = tables[0];
  if (memory.sort.name) table = sortRows(table, memory.sort.name, memory.sort.desc);
  let configs = table.fields.map((field) => ({ ...configOf(panel, { name: field.name, refId: field.refId || table.refId, type: field.type }), ...field.config }));
  const isShown = (_, place) => !configs[place].custom?.hidden && !configs[place].custom?.hideFrom?.viz;
  table = { ...table, fields: table.fields.filter(isShown) };
  configs = configs.filter((config) => !config.custom?.hidden && !config.custom?.hideFrom?.viz);
  const count = table.fields[0].values.length;
  if (count > MAX_ROWS) context.say(`${MAX_ROWS} of ${count} rows are shown.`);
  const bounds = table.fields.map(boundsOf);
  const rows = Array.from({ length: Math.min(count, MAX_ROWS) }, (_, row) => bodyRow(table, configs, bounds, row, state));
  const head = panel.options?.showHeader === false ? null : el("thead", {}, headRow(table, configs, memory, redraw));
  const scroll = body.querySelector(".scroll")?.scrollTop || 0;
  const box = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": panel.title || "Table" }, el("table", { class: "data cards" }, head, el("tbody", {}, ...rows)));
  body.replaceChildren(box);
  box.scrollTop = scroll;
}
