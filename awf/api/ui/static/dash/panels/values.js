// One value a series, for stats, gauges, bars and pies: which, its name, text and colour.
import { color, textColor } from "../colors.js";
import { configOf, display } from "../fields.js";
import { seriesOf, tablesOf } from "../frames.js";
import { reduce } from "../reduce.js";
import { transform } from "../transforms.js";

function everyRow(panel, answer) {
  const [tables] = transform(tablesOf(answer), panel.transformations);
  return tables.flatMap((table) => {
    const names = table.fields.find((field) => field.type === "string");
    return table.fields.filter((field) => field.type === "number").flatMap((field) => field.values.map((value, row) => ({
      name: names?.values[row] || field.name, value, values: [value], times: [], config: configOf(panel, { name: field.name, refId: table.refId, type: "number" }) })));
  });
}

// Return [{name, value, values, times, config, shown, shade, ink}].
export function valuesOf(panel, answer) {
  const options = panel.options?.reduceOptions || {};
  const calc = options.calcs?.[0] || "lastNotNull";
  const found = options.values ? everyRow(panel, answer) : seriesOf(panel, answer).map((each) => ({ ...each, value: reduce(each.values, calc) }));
  const all = found.flatMap((each) => each.values).filter((value) => Number.isFinite(value));
  const low = all.length ? Math.min(...all) : 0;
  const high = all.length ? Math.max(...all) : 1;
  return found.map((each, index) => {
    const min = each.config.min ?? Math.min(0, low);
    const max = each.config.max ?? Math.max(high, min + 1e-9);
    const shown = display(each.config, each.value, { index, name: each.name, min, max });
    return { ...each, min, max, shown, shade: color(shown.color, "var(--text)"), ink: textColor(shown.color) };
  });
}

export const share = (each) => (Number.isFinite(each.value) ? Math.min(1, Math.max(0, (each.value - each.min) / (each.max - each.min || 1))) : 0);

export function emptyValue(panel) {
  const config = configOf(panel, { name: "", type: "number" });
  return config.noValue || "No data";
}
