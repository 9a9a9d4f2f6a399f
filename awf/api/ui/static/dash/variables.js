// The choices of a dashboard: one value, several, or all of them.
import { el } from "./dom.js";
import { menu } from "./menu.js";

const ALL = "$__all";

function labelOf(variable, chosen) {
  const text = (value) => variable.options.find((option) => option.value === value)?.text ?? value;
  return chosen.length > 2 ? `${chosen.length} chosen` : chosen.map(text).join(", ") || "None";
}

function single(variable, state) {
  const select = el("select", { id: `var-${variable.name}` });
  const options = variable.options.some((option) => option.value === variable.chosen[0]) ? variable.options : [...variable.chosen.map((value) => ({ text: value, value })), ...variable.options];
  select.append(...options.map((option) => el("option", { value: option.value, text: option.text, selected: option.value === variable.chosen[0] })));
  select.addEventListener("change", () => state.choose(variable.name, [select.value]));
  return select;
}

function checkboxes(variable, state, update, close) {
  const chosen = new Set(variable.chosen);
  const search = el("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${variable.label}` });
  const boxes = variable.options.map((option) => {
    const box = el("input", { type: "checkbox", checked: chosen.has(option.value) });
    box.addEventListener("change", () => {
      if (!box.checked) chosen.delete(option.value);
      else if (option.value === ALL) chosen.clear();
      else chosen.delete(ALL);
      if (box.checked) chosen.add(option.value);
      if (!chosen.size && variable.options[0]?.value === ALL) chosen.add(ALL);
      for (const each of boxes) each.box.checked = chosen.has(each.option.value);
      update([...chosen]);
    });
    return { option, box, line: el("label", { class: "choice" }, box, el("span", { text: option.text })) };
  });
  search.addEventListener("input", () => {
    for (const { option, line } of boxes) line.hidden = !option.text.toLowerCase().includes(search.value.toLowerCase());
  });
  return [boxes.length > 8 && search, el("div", { class: "choices" }, ...boxes.map((each) => each.line)), variable.cut && el("p", { class: "quiet", text: variable.cut }),
    el("button", { type: "button", class: "plain", text: "Done", on: { click: close } })].filter(Boolean);
}

function multiple(variable, state) {
  let waiting;
  const root = menu(labelOf(variable, variable.chosen), (close) => checkboxes(variable, state, (values) => {
    variable.chosen = values;
    root.setLabel(labelOf(variable, values));
    clearTimeout(waiting);
    // Several clicks in a row are one change.
    waiting = setTimeout(() => state.choose(variable.name, values), 350);
  }, close), { title: variable.label });
  return root;
}

function typed(variable, state) {
  const input = el("input", { id: `var-${variable.name}`, value: variable.chosen[0] || "" });
  input.addEventListener("change", () => state.choose(variable.name, [input.value]));
  return input;
}

export function drawVariables(host, variables, state) {
  const open = host.querySelector("[aria-expanded=true]");
  if (open) return; // someone is choosing: their list must not go away
  const shown = variables.filter((variable) => variable.hide !== 2 && variable.type !== "constant");
  host.replaceChildren(...shown.map((variable) => {
    const control = variable.type === "textbox" ? typed(variable, state) : variable.multi ? multiple(variable, state) : single(variable, state);
    const label = variable.hide === 1 ? null : el(variable.multi ? "span" : "label", { class: "variable-label", for: variable.multi ? null : `var-${variable.name}`, text: variable.label, title: variable.description });
    return el("div", { class: "variable" }, label, control, variable.error && el("p", { class: "problem-line", role: "alert", text: variable.error.detail }));
  }));
  host.hidden = !shown.length;
}
