// Grafana's colour names and palettes, for dark and light pages.
const HUES = {
  red: ["#FFA6B0", "#FF7383", "#F2495C", "#E02F44", "#C4162A"],
  orange: ["#FFCB7D", "#FFB357", "#FF9830", "#FF780A", "#FA6400"],
  yellow: ["#FFF899", "#FFEE52", "#FADE2A", "#F2CC0C", "#E0B400"],
  green: ["#C8F2C2", "#96D98D", "#73BF69", "#56A64B", "#37872D"],
  blue: ["#C0D8FF", "#8AB8FF", "#5794F2", "#3274D9", "#1F60C4"],
  purple: ["#DEB6F2", "#CA95E5", "#B877D9", "#A352CC", "#8F3BB8"],
};
const SHADES = ["super-light", "light", "", "semi-dark", "dark"];
const NEUTRAL = { transparent: "transparent", text: "var(--text)", white: "#ffffff", black: "#000000", gray: "#8e8e8e", grey: "#8e8e8e" };

// The classic palette, by name so that light pages get the darker shades.
const PALETTE = ["green", "semi-dark-yellow", "light-blue", "semi-dark-orange", "red", "blue", "purple", "dark-purple",
  "dark-green", "dark-yellow", "dark-blue", "dark-orange", "dark-red", "light-purple", "light-green", "light-orange",
  "light-red", "semi-dark-blue", "semi-dark-green", "semi-dark-purple"];

export const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

export function color(name, fallback = "#8e8e8e") {
  if (!name) return fallback;
  if (name in NEUTRAL) return NEUTRAL[name];
  const found = /^(?:(super-light|light|semi-dark|dark)-)?([a-z]+)$/.exec(name);
  if (found && HUES[found[2]]) {
    const shade = SHADES.indexOf(found[1] || "");
    return HUES[found[2]][isDark() ? shade : Math.min(4, shade + 1)];
  }
  // A value of CSS that is no colour must not get into a style.
  return CSS.supports("color", name) ? name : fallback;
}

export const paletteColor = (index) => color(PALETTE[index % PALETTE.length]);

export function byName(name) {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  return paletteColor(hash);
}

// Text in a hue on the page's own background: light pages need the dark shades of it.
export function textColor(name) {
  if (!isDark()) {
    const found = /^(?:(?:super-light|light|semi-dark|dark)-)?([a-z]+)$/.exec(name || "");
    if (found && found[1] === "yellow") return "#8A5A00";
    if (found && found[1] === "orange") return "#B34A00";
    if (found && HUES[found[1]]) return HUES[found[1]][4];
  }
  return color(name, "var(--text)");
}

function rgb(text) {
  const number = parseInt(text.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

export function withAlpha(text, alpha) {
  if (/^#[0-9a-f]{6}$/i.test(text)) return `rgba(${rgb(text).join(",")},${alpha})`;
  return alpha >= 1 ? text : `color-mix(in srgb, ${text} ${Math.round(alpha * 100)}%, transparent)`;
}

const SCHEMES = {
  Oranges: ["#fff5eb", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704"], Blues: ["#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"],
  Greens: ["#f7fcf5", "#c7e9c0", "#74c476", "#238b45", "#00441b"], Reds: ["#fff5f0", "#fcbba1", "#fb6a4a", "#cb181d", "#67000d"],
  Purples: ["#fcfbfd", "#dadaeb", "#9e9ac8", "#6a51a3", "#3f007d"], Greys: ["#ffffff", "#d9d9d9", "#969696", "#525252", "#000000"],
  Spectral: ["#5e4fa2", "#66c2a5", "#ffffbf", "#f46d43", "#9e0142"], RdYlGn: ["#1a9850", "#91cf60", "#ffffbf", "#fc8d59", "#d73027"],
  Turbo: ["#30123b", "#28bceb", "#a4fc3c", "#fb7e21", "#7a0403"], GrYlRd: ["#73BF69", "#FADE2A", "#F2495C"], RdYlGr: ["#F2495C", "#FADE2A", "#73BF69"],
  BlYlRd: ["#5794F2", "#FADE2A", "#F2495C"], blues: ["#C0D8FF", "#1F60C4"], reds: ["#FFA6B0", "#C4162A"], greens: ["#C8F2C2", "#37872D"],
};

// Where a share of 0..1 lies in a scheme. Dark pages turn the sequential ones round, so that little stays dark.
export function schemeColor(name, share, reverse = false) {
  const stops = (SCHEMES[name] || SCHEMES.Oranges).map(rgb);
  const sequential = /^[A-Z][a-z]+s$/.test(name);
  const turned = (sequential && isDark()) !== reverse;
  const at = Math.min(1, Math.max(0, turned ? 1 - share : share)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  const mixed = stops[low].map((part, index) => Math.round(part + (stops[low + 1][index] - part) * (at - low)));
  return `rgb(${mixed.join(",")})`;
}
