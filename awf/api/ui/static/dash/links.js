// Titles and links of dashboards with their variables filled in. Queries are filled in by the server.
import { el, link, safeHref } from "./dom.js";
import { formatValue } from "./units.js";

const REFERENCE = /\$\{([\w.]+|__data\.fields\[[^\]]+\]|__data\.fields\.[^}:]+)(?::([^}]+))?\}|\$(\w+)|\[\[(\w+)\]\]/g;

function formatted(values, format) {
  if (format === "csv" || format === "raw") return values.join(",");
  if (format === "pipe") return values.join("|");
  return values.length > 1 ? values.join(" + ") : values[0] ?? "";
}

const textOf = (state, name) => (state.chosen[name] || []).map((value) => (value === "$__all" ? "All" : value));

function builtIn(name, state) {
  switch (name) {
    case "__url_time_range": return state.timeQuery();
    case "__all_variables": return state.variableQuery();
    case "__from": return String(state.range.from);
    case "__to": return String(state.range.to);
    default: return undefined;
  }
}

// `row` is for links of a cell: {value, config, fields: {name: value}, labels, name}.
function ofRow(name, row) {
  if (!row) return undefined;
  if (name === "__value.raw" || name === "__value") return String(row.value ?? "");
  if (name === "__value.text") return formatValue(row.value, row.config?.unit, row.config?.decimals);
  if (name === "__value.numeric") return String(Number(row.value));
  if (name === "__field.name" || name === "__series.name") return row.name;
  if (name.startsWith("__field.labels.")) return row.labels?.[name.slice(15)] ?? "";
  const field = /^__data\.fields(?:\.([^[]+)|\["?([^"\]]+)"?\])(?:\.\w+)?$/.exec(name);
  if (field) return String(row.fields?.[field[1]?.replace(/\.(text|raw|numeric)$/, "") ?? field[2]] ?? "");
  return undefined;
}

function fill(template, state, row, encode) {
  return String(template || "").replace(REFERENCE, (whole, braced, format, plain, old) => {
    const name = braced || plain || old;
    const ready = builtIn(name, state);
    if (ready !== undefined) return ready;
    const cell = ofRow(name, row);
    if (cell !== undefined) return encode ? encodeURIComponent(cell) : cell;
    if (!(name in state.chosen)) return whole;
    if (format === "queryparam") return state.variableQuery([name]);
    const text = formatted(textOf(state, name), format);
    return encode ? encodeURIComponent(text) : text;
  });
}

export const fillText = (template, state) => fill(template, state, null, false);

// Grafana's addresses of dashboards lead to this page's.
function ours(url) {
  const found = /^\/?d\/([^/?#]+)(?:\/[^?#]*)?(.*)$/.exec(url);
  return found ? `/ui/dashboards/${found[1]}${found[2]}` : url;
}

export function hrefOf(template, state, row) {
  const url = ours(fill(template, state, row, true));
  // Other paths of Grafana lead nowhere on this server.
  return url.startsWith("/") && !url.startsWith("/ui/") ? "" : safeHref(url);
}

export const traceHref = (traceId) => `/ui/traces/${encodeURIComponent(traceId)}`;

export function dashboardLinks(model, state, boards) {
  const found = [];
  for (const each of model.links || []) {
    if (each.type === "dashboards") {
      const tags = each.tags || [];
      const time = each.keepTime ? state.timeQuery() : "";
      for (const board of boards.filter((board) => tags.every((tag) => board.tags.includes(tag)))) {
        const query = [time, each.includeVars ? state.variableQuery() : ""].filter(Boolean).join("&");
        found.push({ href: `/ui/dashboards/${encodeURIComponent(board.uid)}${query ? `?${query}` : ""}`, title: board.title, isHere: board.uid === state.uid });
      }
    } else if (each.url) {
      let href = hrefOf(each.url, state);
      if (href) {
        const query = [each.keepTime ? state.timeQuery() : "", each.includeVars ? state.variableQuery() : ""].filter(Boolean).join("&");
        if (query) href += (href.includes("?") ? "&" : "?") + query;
        found.push({ href, title: fillText(each.title, state) || href });
      }
    }
  }
  return found;
}

export function panelLinks(panel, state) {
  return (panel.links || []).map((each) => {
    const href = hrefOf(each.url, state);
    const title = fillText(each.title, state) || "Link";
    return href ? link(href, title) : el("span", { text: `${title} (only in Grafana)` });
  });
}
