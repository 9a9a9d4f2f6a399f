// A series to one number: the calculations that legends, stats and gauges name.
const isNumber = (value) => typeof value === "number" && !Number.isNaN(value);

const CALCULATIONS = {
  lastNotNull: (values) => values.findLast(isNumber) ?? null,
  last: (values) => values.at(-1) ?? null,
  firstNotNull: (values) => values.find(isNumber) ?? null,
  first: (values) => values[0] ?? null,
  min: (values) => extreme(values, Math.min),
  max: (values) => extreme(values, Math.max),
  mean: (values) => { const some = values.filter(isNumber); return some.length ? total(some) / some.length : null; },
  sum: (values) => { const some = values.filter(isNumber); return some.length ? total(some) : null; },
  count: (values) => values.length,
  range: (values) => { const some = values.filter(isNumber); return some.length ? extreme(some, Math.max) - extreme(some, Math.min) : null; },
  diff: (values) => { const some = values.filter(isNumber); return some.length ? some.at(-1) - some[0] : null; },
  median: (values) => { const some = values.filter(isNumber).sort((a, b) => a - b); return some.length ? some[Math.floor((some.length - 1) / 2)] : null; },
  distinctCount: (values) => new Set(values).size,
  changeCount: (values) => values.filter((value, index) => index && value !== values[index - 1]).length,
};
const HEADINGS = {
  lastNotNull: "Last *", last: "Last", firstNotNull: "First *", first: "First", min: "Min", max: "Max", mean: "Mean", sum: "Total",
  count: "Count", range: "Range", diff: "Difference", median: "Median", distinctCount: "Distinct", changeCount: "Changes",
};

const total = (values) => values.reduce((sum, value) => sum + value, 0);

function extreme(values, choose) {
  let found = null;
  for (const value of values) if (isNumber(value)) found = found === null ? value : choose(found, value);
  return found;
}

export const isKnown = (name) => name in CALCULATIONS;
export const heading = (name) => HEADINGS[name] || name;
export const reduce = (values, name = "lastNotNull") => (CALCULATIONS[name] || CALCULATIONS.lastNotNull)(values);
