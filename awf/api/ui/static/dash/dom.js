// Elements without markup: text from telemetry only ever becomes text, never HTML.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, options, children) {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    } else if (name === "text") {
      element.textContent = value;
    } else if (name === "style") {
      for (const [property, setting] of Object.entries(value)) element.style.setProperty(property, setting);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function el(tag, options = {}, ...children) {
  return fill(document.createElement(tag), options, children);
}

export function svg(tag, options = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), options, children);
}

// A link to http(s) or to this server; anything else (javascript:, data:) stays text.
export function safeHref(url) {
  try {
    const target = new URL(url, location.href);
    return target.protocol === "http:" || target.protocol === "https:" ? target.href : "";
  } catch {
    return "";
  }
}

export function link(url, text, options = {}) {
  const href = safeHref(url);
  if (!href) return el("span", { text });
  const away = new URL(href).origin !== location.origin;
  return el("a", { href, text, rel: away ? "noreferrer" : null, ...options });
}
