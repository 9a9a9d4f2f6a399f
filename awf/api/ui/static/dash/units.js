// Numbers with their units, written the way Grafana writes them.
const SHORT = ["", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"];
const COUNT = ["", "K", "M", "B", "T"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL = ["", "k", "M", "G", "T", "P", "E"];
const SMALL = ["", "m", "µ", "n", "p"];

const MS = [[1000, 1, " ms"], [60e3, 1e3, " s"], [3600e3, 60e3, " mins"], [86400e3, 3600e3, " hours"],
  [31536e6, 86400e3, " days"], [Infinity, 31536e6, " years"]];
const S = [[1e-6, 1e-9, " ns"], [1e-3, 1e-6, " µs"], [1, 1e-3, " ms"], [60, 1, " s"], [3600, 60, " mins"],
  [86400, 3600, " hours"], [604800, 86400, " days"], [31536e3, 604800, " weeks"], [Infinity, 31536e3, " years"]];

// Three significant digits, none after the point for a whole number.
function autoDecimals(value) {
  // Without the noise of binary fractions: 0.00002 s are 20 µs, not 20.000000000000004.
  if (Number(value.toPrecision(12)) % 1 === 0) return 0;
  const magnitude = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))));
  return Math.min(20, Math.max(0, 2 - magnitude));
}

export function toFixed(value, decimals) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
  const text = value.toFixed(decimals ?? autoDecimals(value));
  return Number(text) === 0 ? text.replace("-", "") : text;
}

function scaled(value, factor, suffixes, decimals) {
  const size = Math.abs(value);
  let index = size < 1 || !Number.isFinite(size) ? 0 : Math.floor(Math.log(size) / Math.log(factor) + 1e-9);
  index = Math.min(index, suffixes.length - 1);
  // 999.9 rounds up to what the next unit is for.
  if (index + 1 < suffixes.length && Math.abs(Number(toFixed(value / factor ** index, decimals))) >= factor) index += 1;
  return [toFixed(value / factor ** index, decimals), suffixes[index]];
}

function duration(value, ladder, decimals, zero) {
  if (value === 0) return ["0", zero];
  const [, size, suffix] = ladder.find(([limit]) => Math.abs(value) < limit) || ladder[ladder.length - 1];
  const text = toFixed(value / size, decimals);
  return [text, text === "1" && /[a-z]{3,}s$/.test(suffix) ? suffix.slice(0, -1) : suffix];
}

function prefixed(symbol, factor, names) {
  return (value, decimals) => {
    if (factor === 1000 && value !== 0 && Math.abs(value) < 1 && symbol !== "B" && symbol !== "b") {
      const index = Math.min(SMALL.length - 1, Math.ceil(-Math.log10(Math.abs(value)) / 3));
      return [toFixed(value * 1000 ** index, decimals), ` ${SMALL[index]}${symbol}`];
    }
    const [text, name] = scaled(value, factor, names, decimals);
    return [text, ` ${name}${symbol}`];
  };
}

const count = (symbol) => (value, decimals) => {
  const [text, suffix] = scaled(value, 1000, COUNT, decimals);
  return [text, `${suffix} ${symbol}`];
};
const currency = (symbol) => (value, decimals) => {
  const [text, suffix] = scaled(value, 1000, COUNT, decimals);
  return [text.startsWith("-") ? text.slice(1) : text, suffix, (text.startsWith("-") ? "-" : "") + symbol];
};
const fixed = (suffix) => (value, decimals) => [toFixed(value, decimals), suffix];
const times = (factor, ladder, zero) => (value, decimals) => duration(value * factor, ladder, decimals, zero);
const moment = (value) => [new Date(value).toLocaleString(), ""];

function clock(seconds) {
  const whole = Math.round(Math.abs(seconds));
  const two = (number) => String(number).padStart(2, "0");
  return [`${seconds < 0 ? "-" : ""}${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`, ""];
}

const FORMATS = {
  none: fixed(""), short: (value, decimals) => scaled(value, 1000, SHORT, decimals), sishort: prefixed("", 1000, DECIMAL),
  percent: fixed("%"), percentunit: (value, decimals) => [toFixed(value * 100, decimals), "%"],
  ns: times(1e-9, S, " ns"), µs: times(1e-6, S, " µs"), ms: times(1, MS, " ms"), s: times(1, S, " s"),
  m: times(60, S, " min"), h: times(3600, S, " hour"), d: times(86400, S, " day"),
  dtdurations: times(1, S, " s"), dtdurationms: times(1, MS, " ms"), clocks: clock, dthms: clock,
  bytes: prefixed("B", 1024, BINARY), decbytes: prefixed("B", 1000, DECIMAL), kbytes: (v, d) => prefixed("B", 1024, BINARY)(v * 1024, d),
  bits: prefixed("b", 1024, BINARY), decbits: prefixed("b", 1000, DECIMAL), mbytes: (v, d) => prefixed("B", 1024, BINARY)(v * 1048576, d),
  binBps: prefixed("B/s", 1024, BINARY), Bps: prefixed("B/s", 1000, DECIMAL), bps: prefixed("b/s", 1000, DECIMAL), binbps: prefixed("b/s", 1024, BINARY),
  hertz: prefixed("Hz", 1000, DECIMAL),
  ops: count("ops/s"), eps: count("evt/s"), reqps: count("req/s"), rps: count("rd/s"), wps: count("wr/s"), iops: count("io/s"),
  cps: count("c/s"), mps: count("msg/s"), opm: count("ops/m"), rpm: count("rd/m"), wpm: count("wr/m"), reqpm: count("req/m"), cpm: count("c/m"),
  currencyUSD: currency("$"), currencyEUR: currency("€"), currencyGBP: currency("£"), currencyJPY: currency("¥"),
  bool: (value) => [value ? "True" : "False", ""], bool_yes_no: (value) => [value ? "Yes" : "No", ""], bool_on_off: (value) => [value ? "On" : "Off", ""],
  locale: (value, decimals) => [value.toLocaleString(undefined, { maximumFractionDigits: decimals ?? autoDecimals(value) }), ""],
  string: (value) => [String(value), ""],
  dateTimeAsIso: (value) => [new Date(value).toISOString(), ""], dateTimeAsLocal: moment, dateTimeAsSystem: moment,
  dateTimeFromNow: (value) => [relative(value), ""],
  celsius: fixed(" °C"), rotrpm: fixed(" rpm"),
};

export function relative(milliseconds, now = Date.now()) {
  const seconds = (now - milliseconds) / 1000;
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [0, "s"]].find(([each]) => Math.abs(seconds) >= each);
  const text = `${Math.floor(Math.abs(seconds) / (size || 1))} ${unit}`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

// Return {text, suffix, prefix}: a stat shows the unit smaller than the number.
export function formatParts(value, unit = "", decimals = null) {
  if (value === null || value === undefined) return { prefix: "", text: "", suffix: "" };
  if (typeof value === "string") return { prefix: "", text: value, suffix: "" };
  let format = FORMATS[unit || "none"];
  if (!format && unit.startsWith("suffix:")) format = fixed(` ${unit.slice(7)}`);
  if (!format && unit.startsWith("prefix:")) format = (v, d) => [toFixed(v, d), "", `${unit.slice(7)} `];
  if (!format && unit.startsWith("currency:")) format = currency(unit.slice(9));
  // A unit that is no id is shown as it stands, as in Grafana.
  const [text, suffix, prefix = ""] = (format || fixed(` ${unit}`))(value, decimals);
  return { prefix, text, suffix };
}

export function formatValue(value, unit, decimals) {
  const { prefix, text, suffix } = formatParts(value, unit, decimals);
  return prefix + text + suffix;
}
