// Answers of the server as series to draw, and as tables.
import { configOf } from "./fields.js";

const number = (value) => (typeof value === "string" ? Number(value) : value);

function labelsText(labels) {
  const { __name__: name = "", ...rest } = labels;
  const pairs = Object.entries(rest).map(([key, value]) => `${key}="${value}"`);
  return pairs.length ? `${name}{${pairs.join(", ")}}` : name;
}

function autoName(labels, siblings) {
  const keys = Object.keys(labels).filter((key) => siblings.some((each) => each.labels[key] !== labels[key]));
  return keys.length === 1 ? labels[keys[0]] : labelsText(labels);
}

function nameOf(series, query) {
  const legend = query.legend;
  if (legend && legend !== "__auto") {
    return legend.replace(/\{\{\s*([^{}\s]+)\s*\}\}/g, (_, key) => series.labels[key] ?? "");
  }
  return (legend === "__auto" ? autoName(series.labels, query.series) : labelsText(series.labels)) || query.expr;
}

// Series of all queries: {name, labels, refId, times, values, config, index}; times in milliseconds.
export function seriesOf(panel, answer) {
  const found = [];
  for (const query of answer.queries) {
    for (const each of query.series || []) {
      const name = nameOf(each, query);
      const series = { name, labels: each.labels, refId: query.ref_id, times: query.times, values: each.values.map(number), index: found.length };
      series.config = configOf(panel, { name, refId: query.ref_id, type: "number" });
      if (series.config.displayName) series.name = series.config.displayName.replace(/\$\{__field\.labels\.(\w+)\}/g, (_, key) => each.labels[key] ?? "");
      found.push(series);
    }
  }
  return found;
}

// All series on one set of times, as uPlot wants them.
export function aligned(series) {
  const all = [...new Set(series.flatMap((each) => each.times))].sort((a, b) => a - b);
  const isShared = series.every((each) => each.times.length === all.length);
  if (isShared) return [all, ...series.map((each) => each.values)];
  const place = new Map(all.map((at, index) => [at, index]));
  return [all, ...series.map((each) => {
    const values = new Array(all.length).fill(null);
    each.times.forEach((at, index) => { values[place.get(at)] = each.values[index]; });
    return values;
  })];
}

// Tables, one a query: {refId, fields: [{name, type, values, labels}]}.
export function tablesOf(answer) {
  const several = answer.queries.filter((query) => query.series || query.traces).length > 1;
  return answer.queries.map((query) => {
    if (query.traces) return traceTable(query);
    if (query.lines) return lineTable(query);
    return query.format === "table" ? labelTable(query, several) : timeTable(query);
  }).filter((table) => table.fields.length);
}

function labelTable(query, several) {
  const keys = [...new Set((query.series || []).flatMap((each) => Object.keys(each.labels)))].sort();
  const fields = [{ name: "Time", type: "time", values: [] }, ...keys.map((name) => ({ name, type: "string", values: [] })),
    { name: several ? `Value #${query.ref_id}` : "Value", type: "number", values: [] }];
  for (const each of query.series || []) {
    each.values.forEach((value, index) => {
      if (value === null) return;
      fields[0].values.push(query.times[index]);
      keys.forEach((key, place) => fields[place + 1].values.push(each.labels[key] ?? ""));
      fields.at(-1).values.push(number(value));
    });
  }
  return { refId: query.ref_id, fields: query.series?.length ? fields : [] };
}

function timeTable(query) {
  const columns = (query.series || []).map((each) => ({ name: nameOf(each, query), type: "number", values: each.values.map(number), labels: each.labels }));
  return { refId: query.ref_id, fields: columns.length ? [{ name: "Time", type: "time", values: query.times }, ...columns] : [] };
}

function traceTable(query) {
  const column = (name, type, key) => ({ name, type, values: query.traces.map((each) => each[key]), config: key === "duration_ms" ? { unit: "ms" } : key === "trace_id" ? { isTrace: true } : {} });
  if (!query.traces.length) return { refId: query.ref_id, fields: [] };
  if (query.format === "spans") {
    const keys = [...new Set(query.traces.flatMap((each) => Object.keys(each.attributes)))];
    const selected = keys.map((name) => ({ name, type: "string", values: query.traces.map((each) => each.attributes[name] ?? ""), config: {} }));
    return { refId: query.ref_id, fields: [column("Trace ID", "string", "trace_id"), column("Start time", "time", "at"), column("Name", "string", "name"), ...selected, column("Duration", "number", "duration_ms")] };
  }
  return { refId: query.ref_id, fields: [column("Trace ID", "string", "trace_id"), column("Start time", "time", "at"), column("Service", "string", "service"), column("Name", "string", "name"), column("Duration", "number", "duration_ms")] };
}

function lineTable(query) {
  if (!query.lines.length) return { refId: query.ref_id, fields: [] };
  return { refId: query.ref_id, fields: [{ name: "Time", type: "time", values: query.lines.map((each) => each.at) }, { name: "Line", type: "string", values: query.lines.map((each) => each.line) }] };
}
