// Puts a dashboard's page together: its JSON, its choices, its panels, and their renewal.
import { Api } from "./api.js";
import { Board } from "./board.js";
import { el } from "./dom.js";
import { State } from "./state.js";
import { refreshMs } from "./time.js";
import { Tip } from "./tip.js";
import { drawToolbar } from "./toolbar.js";
import { drawVariables } from "./variables.js";

const host = document.getElementById("board");
const notice = document.getElementById("notice");

class Page {
  constructor(model, boards, api) {
    this.api = api;
    this.model = model;
    this.state = new State(host.dataset.uid, model);
    this.tip = new Tip();
    this.annotations = [];
    this.variables = [];
    this.sync = model.graphTooltip ? `dashboard-${this.state.uid}` : null;
    this.isPaused = false;
    this.board = new Board(host, model, this);
    this.chosenOf = this.chosenOf.bind(this);
    this.state.listeners.push((changed) => this.changed(changed));
    drawToolbar(document.getElementById("tools"), { model, state: this.state, boards, refresh: () => this.renew(), pause: () => this.pause() });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.isDue) this.renew(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.board.redraw());
  }

  chosenOf(name) {
    const variable = this.variables.find((each) => each.name === name);
    const chosen = this.state.chosen[name] || [];
    return chosen.includes("$__all") ? (variable?.options || []).map((option) => option.value).filter((value) => value !== "$__all") : chosen;
  }

  async changed(names) {
    if (names.includes("refresh") && names.length === 1) { this.plan(); return; }
    if (names.includes("chosen") && this.board.repeats) { await this.lookUp(); this.board.build(); }
    await this.renew();
  }

  view(id) {
    this.state.change({ viewPanel: id }, { quiet: true });
    this.board.build();
    this.board.refresh();
    if (id) scrollTo(0, 0);
  }

  asked() {
    return { ...this.state.range, variables: this.state.chosen };
  }

  async lookUp() {
    const { items } = await this.api.ask("variables", this.asked());
    this.variables = items;
    const chosen = Object.fromEntries(items.map((each) => [each.name, each.chosen]));
    this.state.change({ chosen: { ...this.state.chosen, ...chosen } }, { quiet: true });
    drawVariables(document.getElementById("variables"), items, this.state);
  }

  async renew() {
    clearTimeout(this.timer);
    this.isDue = false;
    try {
      const [, annotations] = await Promise.all([this.lookUp(), this.api.ask("annotations", this.asked())]);
      this.annotations = annotations.events;
      this.notice([...annotations.errors.map(({ name, error }) => `Annotations ${name}: ${error.detail}`), annotations.cut].filter(Boolean));
    } catch (error) {
      this.notice([error.detail || error.message, error.hint].filter(Boolean), "failure");
    }
    if (!this.board.panels.length) this.board.build();
    await this.board.refresh();
    document.body.dataset.renewed = String(Number(document.body.dataset.renewed || 0) + 1);
    this.plan();
  }

  notice(lines, kind = "note") {
    notice.className = lines.length ? kind : "";
    notice.replaceChildren(...lines.map((line) => el("p", { text: line })));
  }

  plan() {
    clearTimeout(this.timer);
    const wait = refreshMs(this.state.refresh);
    if (!wait || this.isPaused) return;
    // Nobody sees a page in the background; it is renewed when it comes to the front.
    this.timer = setTimeout(() => (document.hidden ? (this.isDue = true) : this.renew()), wait);
  }

  pause() {
    this.isPaused = !this.isPaused;
    if (this.isPaused) clearTimeout(this.timer);
    else this.renew();
    return this.isPaused;
  }
}

async function open() {
  const api = new Api(host.dataset.uid, host.dataset.csrf);
  try {
    const [model, boards] = await Promise.all([api.model(), api.all()]);
    await new Page(model, boards.items, api).renew();
  } catch (error) {
    host.replaceChildren(el("div", { class: "problem", role: "alert" }, el("p", { text: error.detail || error.message }), error.hint && el("p", { class: "quiet", text: error.hint })));
    if (!error.detail) throw error;
  }
}

open();
