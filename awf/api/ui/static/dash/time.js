// Time ranges as Grafana writes them: "now-30m", "now-1d/d", milliseconds since 1970, or a date.
const UNITS = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3, M: 2592e6, y: 31536e6 };
export const QUICK = [["now-5m", "Last 5 minutes"], ["now-15m", "Last 15 minutes"], ["now-30m", "Last 30 minutes"],
  ["now-1h", "Last 1 hour"], ["now-3h", "Last 3 hours"], ["now-6h", "Last 6 hours"], ["now-12h", "Last 12 hours"],
  ["now-24h", "Last 24 hours"], ["now-2d", "Last 2 days"], ["now-7d", "Last 7 days"], ["now-30d", "Last 30 days"]];

const WORDS = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };

function rounded(moment, unit, up) {
  const date = new Date(moment);
  date.setMilliseconds(0);
  if ("mhdwMy".includes(unit)) date.setSeconds(0);
  if ("hdwMy".includes(unit)) date.setMinutes(0);
  if ("dwMy".includes(unit)) date.setHours(0);
  if (unit === "w") date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  if ("My".includes(unit)) date.setDate(1);
  if (unit === "y") date.setMonth(0);
  if (!up) return date.getTime();
  if (unit === "M") return date.setMonth(date.getMonth() + 1) - 1;
  if (unit === "y") return date.setFullYear(date.getFullYear() + 1) - 1;
  return date.getTime() + UNITS[unit] - 1;
}

// Return milliseconds since 1970, or null for what is no time.
export function parseTime(text, { now = Date.now(), up = false } = {}) {
  const written = String(text ?? "").trim();
  const found = /^now(?:([+-])(\d+)([smhdwMy]))?(?:\/([smhdwMy]))?$/.exec(written);
  if (found) {
    const [, sign, count, unit, round] = found;
    const moment = now + (count ? (sign === "-" ? -1 : 1) * Number(count) * UNITS[unit] : 0);
    return round ? rounded(moment, round, up) : moment;
  }
  if (/^\d{10,15}$/.test(written)) return Number(written);
  const date = written ? Date.parse(written.replace(" ", "T")) : NaN;
  return Number.isNaN(date) ? null : date;
}

export const isRelative = (text) => String(text).startsWith("now");

const two = (number) => String(number).padStart(2, "0");
export const clock = (moment) => { const d = new Date(moment); return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`; };
export const day = (moment) => { const d = new Date(moment); return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`; };
export const dateTime = (moment) => `${day(moment)} ${clock(moment)}`;
export const utc = (moment) => `${new Date(moment).toISOString().replace("T", " ").slice(0, 19)} UTC`;

export function describeRange(from, to) {
  const quick = to === "now" && QUICK.find(([start]) => start === from);
  if (quick) return quick[1];
  const last = to === "now" && /^now-(\d+)([smhdw])$/.exec(from);
  if (last) return `Last ${last[1]} ${WORDS[last[2]]}${last[1] === "1" ? "" : "s"}`;
  const shown = (text) => (isRelative(text) ? text : dateTime(parseTime(text)));
  return `${shown(from)} to ${shown(to)}`;
}

export function refreshMs(text) {
  const found = /^(\d+)(s|m|h)$/.exec(text || "");
  return found ? Math.max(5000, Number(found[1]) * UNITS[found[2]]) : 0;
}

// The marks of a time axis, short ones for short ranges.
export function axisTime(moment, stepMs) {
  const date = new Date(moment);
  if (stepMs >= UNITS.d) return `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  if (stepMs >= UNITS.m) {
    const isMidnight = !date.getHours() && !date.getMinutes();
    return isMidnight ? `${two(date.getMonth() + 1)}-${two(date.getDate())}` : `${two(date.getHours())}:${two(date.getMinutes())}`;
  }
  return clock(moment);
}
