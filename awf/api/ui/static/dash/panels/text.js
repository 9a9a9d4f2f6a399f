// Text panels: the part of Markdown that our dashboards use. HTML in them is shown as the text it is.
import { el } from "../dom.js";
import { fillText, hrefOf } from "../links.js";

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

function inline(text, state) {
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(last, found.index));
    const [whole, code, strong, em, label, url] = found;
    const href = url && hrefOf(url, state);
    if (code) parts.push(el("code", { text: code }));
    else if (strong) parts.push(el("strong", { text: strong }));
    else if (em) parts.push(el("em", { text: em }));
    else parts.push(href ? el("a", { href, text: label }) : whole);
    last = found.index + whole.length;
  }
  return [...parts, text.slice(last)];
}

function block(lines, state) {
  const heading = /^(#{1,4})\s+(.*)/.exec(lines[0]);
  if (heading) return [el(`h${Math.min(6, heading[1].length + 2)}`, {}, ...inline(heading[2], state)), ...(lines.length > 1 ? block(lines.slice(1), state) : [])];
  if (lines.every((line) => /^\s*([-*]|\d+\.)\s/.test(line))) {
    return [el(/^\s*\d/.test(lines[0]) ? "ol" : "ul", {}, ...lines.map((line) => el("li", {}, ...inline(line.replace(/^\s*([-*]|\d+\.)\s+/, ""), state))))];
  }
  return [el("p", {}, ...inline(lines.join(" "), state))];
}

export function draw(body, { panel, state }) {
  const options = panel.options || {};
  const content = fillText(options.content ?? panel.content ?? "", state);
  if (options.mode === "code" || options.mode === "html") {
    body.replaceChildren(el("pre", { text: content }));
    return;
  }
  const blocks = content.split(/\n\s*\n/).map((each) => each.split("\n").filter((line) => line.trim())).filter((lines) => lines.length);
  body.replaceChildren(el("div", { class: "prose" }, ...blocks.flatMap((lines) => block(lines, state))));
}
