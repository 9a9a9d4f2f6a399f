// Grafana's transformations of tables, as far as our dashboards use them; others are named in the panel.
import { heading, reduce } from "./reduce.js";
import { pattern } from "./fields.js";

const rowsOf = (table) => Array.from({ length: table.fields[0]?.values.length || 0 }, (_, row) => row);

function uniqueNames(fields) {
  const counts = {};
  for (const field of fields) counts[field.name] = (counts[field.name] || 0) + 1;
  const seen = {};
  return fields.map((field) => {
    if (counts[field.name] === 1) return field;
    seen[field.name] = (seen[field.name] || 0) + 1;
    return { ...field, name: `${field.name} ${seen[field.name]}` };
  });
}

function joinByField(tables, options) {
  const key = options.byField || tables[0]?.fields[0]?.name;
  const joined = tables.filter((table) => table.fields.some((field) => field.name === key));
  if (!joined.length) return tables;
  const keys = new Map();
  for (const table of joined) {
    for (const value of table.fields.find((field) => field.name === key).values) keys.set(value, true);
  }
  let wanted = [...keys.keys()];
  if (options.mode === "inner") {
    wanted = wanted.filter((value) => joined.every((table) => table.fields.find((field) => field.name === key).values.includes(value)));
  }
  const first = joined[0].fields.find((field) => field.name === key);
  const others = joined.flatMap((table) => {
    const places = new Map(table.fields.find((field) => field.name === key).values.map((value, row) => [value, row]));
    return table.fields.filter((field) => field.name !== key)
      .map((field) => ({ ...field, refId: table.refId, values: wanted.map((value) => (places.has(value) ? field.values[places.get(value)] : null)) }));
  });
  return [{ refId: joined[0].refId, fields: [{ ...first, values: wanted }, ...uniqueNames(others)] }];
}

// One table with a row for each set of equal labels; values of several queries stand side by side.
function merge(tables) {
  const isKey = (field) => field.type !== "number";
  const names = [...new Set(tables.flatMap((table) => table.fields.map((field) => field.name)))];
  const shared = names.filter((name) => tables.every((table) => table.fields.some((field) => field.name === name && isKey(field))));
  const rows = new Map();
  for (const table of tables) {
    for (const row of rowsOf(table)) {
      const at = (name) => table.fields.find((field) => field.name === name)?.values[row] ?? null;
      const id = JSON.stringify(shared.map(at));
      const merged = rows.get(id) || {};
      for (const field of table.fields) merged[field.name] = field.values[row];
      rows.set(id, merged);
    }
  }
  const types = Object.fromEntries(tables.flatMap((table) => table.fields.map((field) => [field.name, field])));
  const listed = [...rows.values()];
  return [{ refId: tables[0]?.refId, fields: names.map((name) => ({ ...types[name], values: listed.map((row) => row[name] ?? null) })) }];
}

function organize(tables, { excludeByName = {}, includeByName = {}, indexByName = {}, renameByName = {} }) {
  const included = Object.keys(includeByName).some((name) => includeByName[name]);
  return tables.map((table) => {
    const kept = table.fields.filter((field) => !excludeByName[field.name] && (!included || includeByName[field.name]));
    const order = (field, place) => indexByName[field.name] ?? 1000 + place;
    const sorted = kept.map((field, place) => [order(field, place), field]).sort((a, b) => a[0] - b[0]);
    return { ...table, fields: sorted.map(([, field]) => ({ ...field, name: renameByName[field.name] || field.name })) };
  });
}

export function sortRows(table, name, desc) {
  const field = table.fields.find((each) => each.name === name);
  if (!field) return table;
  const rank = (value) => (value === null || value === undefined || Number.isNaN(value) ? -Infinity : value);
  const compare = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a ?? "").localeCompare(String(b ?? ""), undefined, { numeric: true }) : rank(a) - rank(b));
  const rows = rowsOf(table).sort((a, b) => compare(field.values[a], field.values[b]) * (desc ? -1 : 1));
  return { ...table, fields: table.fields.map((each) => ({ ...each, values: rows.map((row) => each.values[row]) })) };
}

function reduced(tables, options) {
  const names = options.reducers?.length ? options.reducers : ["lastNotNull"];
  const fields = tables.flatMap((table) => table.fields).filter((field) => field.type === "number");
  return [{ refId: tables[0]?.refId, fields: [{ name: "Field", type: "string", values: fields.map((field) => field.name) },
    ...names.map((name) => ({ name: heading(name), type: "number", values: fields.map((field) => reduce(field.values, name)) }))] }];
}

function labelsToFields(tables) {
  return tables.map((table) => {
    const keys = [...new Set(table.fields.flatMap((field) => Object.keys(field.labels || {})))];
    const time = table.fields.find((field) => field.type === "time");
    const values = table.fields.filter((field) => field.labels);
    const columns = [{ name: "Time", type: "time", values: [] }, ...keys.map((name) => ({ name, type: "string", values: [] })), { name: "Value", type: "number", values: [] }];
    for (const field of values) {
      field.values.forEach((value, row) => {
        if (value === null) return;
        columns[0].values.push(time?.values[row]);
        keys.forEach((key, place) => columns[place + 1].values.push(field.labels[key] ?? ""));
        columns.at(-1).values.push(value);
      });
    }
    return values.length ? { ...table, fields: columns } : table;
  });
}

function filterFields(tables, options) {
  const names = new Set(options.include?.names || []);
  const wanted = pattern(options.include?.pattern || "");
  const keep = (field) => names.has(field.name) || (options.include?.pattern && wanted?.test(field.name));
  return tables.map((table) => ({ ...table, fields: table.fields.filter(keep) }));
}

const TRANSFORMS = {
  joinByField, seriesToColumns: joinByField, merge, organize, labelsToFields, reduce: reduced, filterFieldsByName: filterFields,
  sortBy: (tables, options) => tables.map((table) => (options.sort || []).reduce((sorted, each) => sortRows(sorted, each.field, each.desc), table)),
  limit: (tables, options) => tables.map((table) => ({ ...table, fields: table.fields.map((field) => ({ ...field, values: field.values.slice(0, options.limitField ?? 10) })) })),
  renameByRegex: (tables, options) => tables.map((table) => ({ ...table, fields: table.fields.map((field) => ({ ...field, name: renamed(field.name, options) })) })),
};

function renamed(name, options) {
  try {
    return name.replace(new RegExp(options.regex), options.renamePattern || "");
  } catch {
    return name;
  }
}

// Return the tables and the names of transformations that are not known here.
export function transform(tables, transformations) {
  const unknown = [];
  for (const { id, options = {}, disabled } of transformations || []) {
    if (disabled) continue;
    const apply = TRANSFORMS[id];
    if (!apply) unknown.push(id);
    else if (tables.length) tables = apply(tables, options);
  }
  return [tables, unknown];
}
