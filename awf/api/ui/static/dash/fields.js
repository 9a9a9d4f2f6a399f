// A field's settings (defaults and overrides), and how a value of it is shown: text and colour.
import { byName, color, paletteColor, schemeColor } from "./colors.js";
import { formatParts } from "./units.js";

function matches(matcher, field) {
  const wanted = matcher?.options;
  switch (matcher?.id) {
    case "byName": return field.name === wanted;
    case "byNames": return (wanted?.names || []).includes(field.name) !== (wanted?.mode === "exclude");
    case "byRegexp": return pattern(wanted)?.test(field.name) ?? false;
    case "byFrameRefID": return field.refId === wanted;
    case "byType": return field.type === wanted;
    default: return false;
  }
}

export function pattern(written) {
  try {
    const found = /^\/(.*)\/([gimsuy]*)$/s.exec(written || "");
    return found ? new RegExp(found[1], found[2].replace("g", "")) : new RegExp(`^(?:${written})$`);
  } catch {
    return null;
  }
}

function assign(target, path, value) {
  const parts = path.split(".");
  let place = target;
  for (const part of parts.slice(0, -1)) {
    if (part === "__proto__" || part === "constructor") return;
    place[part] = { ...place[part] };
    place = place[part];
  }
  const last = parts[parts.length - 1];
  if (last !== "__proto__") place[last] = value;
}

// `field` is {name, refId, type}: what overrides can be matched by.
export function configOf(panel, field) {
  const defaults = panel.fieldConfig?.defaults || {};
  const config = { ...defaults, custom: { ...defaults.custom } };
  for (const override of panel.fieldConfig?.overrides || []) {
    if (!matches(override.matcher, field)) continue;
    for (const { id, value } of override.properties || []) assign(config, id, value);
  }
  return config;
}

export function stepsOf(config) {
  const steps = config.thresholds?.steps || [];
  return steps.map((step) => ({ color: step.color, value: step.value ?? -Infinity }));
}

// Percentage thresholds are parts of the way from min to max.
function thresholdColor(config, value, min, max) {
  const steps = stepsOf(config);
  let at = value;
  if (config.thresholds?.mode === "percentage") at = ((value - min) / (max - min || 1)) * 100;
  let found = steps[0]?.color || "green";
  for (const step of steps) if (at >= step.value) found = step.color;
  return found;
}

function mapped(config, value, text) {
  for (const mapping of config.mappings || []) {
    const options = mapping.options || {};
    if (mapping.type === "value") {
      const found = options[text] ?? options[String(value)];
      if (found) return found;
    } else if (mapping.type === "range" && typeof value === "number") {
      if (value >= (options.from ?? -Infinity) && value <= (options.to ?? Infinity)) return options.result;
    } else if (mapping.type === "regex" && pattern(options.pattern)?.test(text)) {
      return options.result;
    } else if (mapping.type === "special") {
      const isNull = value === null || value === undefined;
      const kinds = { null: isNull, nan: Number.isNaN(value), "null+nan": isNull || Number.isNaN(value), true: value === true, false: value === false, empty: value === "" };
      if (kinds[options.match]) return options.result;
    }
  }
  return null;
}

// Return the name of a colour, of Grafana's own, of CSS, or one made from a scheme.
export function colorName(config, value, { index = 0, name = "", min = 0, max = 1 } = {}) {
  const mode = config.color?.mode || "thresholds";
  if (mode === "fixed" || mode === "shades") return config.color.fixedColor || "green";
  if (mode === "palette-classic") return paletteColor(index);
  if (mode === "palette-classic-by-name") return byName(name);
  if (mode.startsWith("continuous-")) {
    const scheme = mode.slice(11);
    return schemeColor(scheme, ((value ?? min) - min) / (max - min || 1));
  }
  if (typeof value !== "number") return config.noValue || value === null ? "text" : stepsOf(config)[0]?.color || "text";
  return thresholdColor(config, value, config.min ?? min, config.max ?? max);
}

export function display(config, value, context = {}) {
  const result = mapped(config, value, String(value));
  if (result && (result.text || result.color)) {
    const parts = result.text ? { prefix: "", text: result.text, suffix: "" } : formatParts(value, config.unit, config.decimals);
    return { ...parts, color: result.color || colorName(config, value, context) };
  }
  if (value === null || value === undefined) {
    return { prefix: "", text: config.noValue || "", suffix: "", color: "text", isEmpty: true };
  }
  return { ...formatParts(value, config.unit, config.decimals), color: colorName(config, value, context) };
}

export const shownText = (shown) => shown.prefix + shown.text + shown.suffix;

export function seriesColor(config, series, index) {
  const mode = config.color?.mode || "palette-classic";
  if (mode === "thresholds") {
    const last = [...series.values].reverse().find((value) => value !== null);
    return color(colorName(config, last ?? null, {}));
  }
  return color(colorName({ ...config, color: { ...config.color, mode } }, null, { index, name: series.name }));
}
