// A graph of who works for whom: nodes in layers from left to right, edges with their number.
import { el, svg } from "../dom.js";
import { formatValue } from "../units.js";
import { tablesOf } from "../frames.js";
import { pointAt } from "../tip.js";
import { transform } from "../transforms.js";
import { emptyValue } from "./values.js";

const MAX_EDGES = 150;

const columnOf = (table, name) => table.fields.find((field) => field.name.toLowerCase() === name)?.values;

// Edges as Grafana reads them: a table with source and target, and mainstat for the number.
export function edgesOf(tables) {
  return tables.flatMap((table) => {
    const [sources, targets, stats] = ["source", "target", "mainstat"].map((name) => columnOf(table, name));
    return sources && targets ? sources.map((source, row) => ({ source, target: targets[row], stat: stats?.[row] ?? null })) : [];
  });
}

function titlesOf(tables) {
  return new Map(tables.flatMap((table) => {
    const [ids, titles] = ["id", "title"].map((name) => columnOf(table, name));
    return ids && titles && !columnOf(table, "source") ? ids.map((id, row) => [id, titles[row]]) : [];
  }));
}

// A node stands right of all that lead to it; a circle ends after as many rounds as there are nodes.
export function layersOf(edges) {
  const depth = new Map(edges.flatMap(({ source, target }) => [[source, 0], [target, 0]]));
  for (let round = 0; round < depth.size; round += 1) {
    let moved = false;
    for (const { source, target } of edges) {
      if (source !== target && depth.get(target) <= depth.get(source) && depth.get(source) + 1 < depth.size) {
        depth.set(target, depth.get(source) + 1);
        moved = true;
      }
    }
    if (!moved) break;
  }
  const layers = [];
  for (const [node, layer] of depth) (layers[layer] ||= []).push(node);
  return layers.filter(Boolean);
}

// Each node near the middle of those that lead to it, so that few edges cross.
function ordered(layers, edges) {
  const rank = new Map(layers[0].sort().map((node, row) => [node, row / layers[0].length]));
  for (const layer of layers.slice(1)) {
    const middle = (node) => {
      const before = edges.filter((edge) => edge.target === node && rank.has(edge.source)).map((edge) => rank.get(edge.source));
      return before.length ? before.reduce((sum, each) => sum + each, 0) / before.length : 1;
    };
    const placed = layer.map((node) => [middle(node), node]).sort((a, b) => a[0] - b[0] || String(a[1]).localeCompare(b[1]));
    placed.forEach(([, node], row) => rank.set(node, row / layer.length));
    layer.splice(0, layer.length, ...placed.map(([, node]) => node));
  }
  return layers;
}

function label(node, titles, [x, y], isFirst, room) {
  const name = String(titles.get(node) ?? node);
  const most = Math.max(6, Math.floor(room / 6.6));
  const text = name.length > most ? `${name.slice(0, most - 1)}…` : name;
  return svg("g", {}, svg("title", { text: name }), svg("circle", { cx: x, cy: y, r: 5, class: "node" }),
    svg("text", { x: isFirst ? x - 9 : x + 9, y: y + 4, class: "node-name", "text-anchor": isFirst ? "end" : "start", text }));
}

export function draw(body, { panel, answer, tip, say }) {
  const [tables, unknown] = transform(tablesOf(answer), panel.transformations);
  if (unknown.length) say(`This page does not know the transformation ${unknown.join(", ")}.`);
  const all = edgesOf(tables);
  if (!all.length) {
    body.replaceChildren(el("p", { class: "none", text: emptyValue(panel) }));
    return;
  }
  if (all.length > MAX_EDGES) say(`${MAX_EDGES} of ${all.length} edges are shown.`);
  const edges = all.slice(0, MAX_EDGES);
  const titles = titlesOf(tables);
  const layers = ordered(layersOf(edges), edges);
  const width = Math.max(220, body.clientWidth - 10);
  const height = Math.max(120, body.clientHeight - 8, Math.max(...layers.map((layer) => layer.length)) * 20);
  const room = Math.min(150, width * 0.34);
  const place = new Map();
  layers.forEach((layer, column) => layer.forEach((node, row) => place.set(node, [
    layers.length > 1 ? room + (column * (width - 2 * room)) / (layers.length - 1) : width / 2, ((row + 0.5) * height) / layer.length])));
  const unit = panel.options?.edges?.mainStatUnit || "";
  const highest = Math.max(...edges.map((edge) => edge.stat || 0), 1e-9);
  const paths = edges.map((edge) => {
    const [[x, y], [u, v]] = [place.get(edge.source), place.get(edge.target)];
    const path = svg("path", { d: `M ${x} ${y} C ${(x + u) / 2} ${y}, ${(x + u) / 2} ${v}, ${u} ${v}`, class: "edge", style: { "stroke-width": String(1 + 4 * Math.max(0, edge.stat || 0) / highest) } });
    path.addEventListener("mousemove", (event) => tip.show(pointAt(event.clientX, event.clientY), [el("strong", { text: `${edge.source} → ${edge.target}` }), edge.stat !== null && el("p", { class: "num", text: formatValue(edge.stat, unit) })].filter(Boolean)));
    path.addEventListener("mouseleave", () => tip.hide());
    return path;
  });
  const said = edges.map((edge) => `${edge.source} to ${edge.target}${edge.stat === null ? "" : ` ${formatValue(edge.stat, unit)}`}`).join(", ");
  const nodes = [...place].map(([node, at]) => label(node, titles, at, layers[0].includes(node), layers.length > 2 ? room * 0.8 : room - 12));
  body.replaceChildren(el("div", { class: "scroll" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "graph", role: "img", "aria-label": said }, ...paths, ...nodes)));
}
