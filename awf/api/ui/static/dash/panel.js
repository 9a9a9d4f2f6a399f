// One panel: its frame, its data, and what it says when there is none, when it failed or cannot be drawn here.
import { el } from "./dom.js";
import { fillText, panelLinks } from "./links.js";
import * as bargauge from "./panels/bargauge.js";
import * as gauge from "./panels/gauge.js";
import * as heatmap from "./panels/heatmap.js";
import * as logs from "./panels/logs.js";
import * as nodegraph from "./panels/nodegraph.js";
import * as piechart from "./panels/piechart.js";
import * as stat from "./panels/stat.js";
import * as statetimeline from "./panels/statetimeline.js";
import * as table from "./panels/table.js";
import * as text from "./panels/text.js";
import * as timeseries from "./panels/timeseries.js";
import * as traces from "./panels/traces.js";
import { emptyValue } from "./panels/values.js";

const KINDS = { timeseries, graph: timeseries, stat, singlestat: stat, gauge, bargauge, piechart, table, heatmap, "state-timeline": statetimeline, nodeGraph: nodegraph, logs, traces, text };
const IS_CHART = new Set(["timeseries", "graph", "heatmap", "state-timeline"]);

const hasData = (query) => query.series?.some((each) => each.values.some((value) => value !== null)) || query.lines?.length || query.traces?.length;

export class Panel {
  // `page` is what the panels share: {api, state, tip, annotations, sync}. `scoped` are the values of a repeated panel.
  constructor(panel, page, scoped = {}) {
    this.panel = panel;
    this.page = page;
    this.scoped = scoped;
    this.memory = {};
    this.undo = [];
    this.isSeen = false;
    this.isStale = true;
    this.kind = KINDS[panel.type];
    this.element = this.#frame();
    this.resized = new ResizeObserver(() => this.#onResize());
    this.resized.observe(this.body);
  }

  get state() {
    return Object.keys(this.scoped).length ? Object.create(this.page.state, { chosen: { value: { ...this.page.state.chosen, ...this.scoped } } }) : this.page.state;
  }

  #frame() {
    const { panel, page } = this;
    const id = `panel-${panel.id}-${Object.values(this.scoped).flat().join("-")}`;
    this.title = el("h3", { id, text: fillText(panel.title, this.state) });
    this.body = el("div", { class: `body kind-${panel.type.replace(/[^a-z-]/g, "")}` });
    this.notes = el("div", { class: "notes" });
    this.status = el("span", { class: "panel-status", role: "status" });
    const about = panel.description && el("button", { type: "button", class: "about", "aria-label": `About this panel: ${panel.description}`, text: "i" });
    if (about) {
      const show = () => page.tip.show(about.getBoundingClientRect(), fillText(panel.description, this.state).split("\n").filter(Boolean).map((line) => el("p", { text: line })));
      for (const name of ["mouseenter", "focus", "click"]) about.addEventListener(name, show);
      for (const name of ["mouseleave", "blur"]) about.addEventListener(name, () => page.tip.hide());
    }
    this.links = el("span", { class: "panel-links" });
    const isAlone = page.state.viewPanel === panel.id;
    const view = el("a", { class: "view", href: page.state.address({ viewPanel: isAlone ? null : panel.id }), "aria-label": isAlone ? `Back from ${panel.title}` : `${panel.title} alone`, title: isAlone ? "Back to all panels" : "This panel alone", text: isAlone ? "✕" : "⤢",
      on: { click: (event) => { event.preventDefault(); page.view(isAlone ? null : panel.id); } } });
    return el("section", { class: panel.transparent ? "panel clear" : "panel", "aria-labelledby": id },
      el("header", { class: panel.title ? "" : "bare" }, this.title, about, this.links, this.status, view), this.body, this.notes);
  }

  async refresh() {
    if (!this.isSeen) { this.isStale = true; return; }
    this.isStale = false;
    this.title.textContent = fillText(this.panel.title, this.state);
    this.links.replaceChildren(...panelLinks(this.panel, this.state));
    if (!this.kind) { this.#unknown(); return; }
    if (this.kind === text) { this.answer = { queries: [] }; this.redraw(); return; }
    this.abort?.abort();
    this.abort = new AbortController();
    const late = setTimeout(() => { this.status.textContent = "loading…"; }, this.answer ? 1500 : 300);
    try {
      const range = this.page.state.range;
      const points = Math.min(2000, Math.max(20, Math.round(this.body.clientWidth || 300)));
      const answer = await this.page.api.ask(`panels/${this.panel.id}`, { ...range, points, variables: this.state.chosen }, this.abort.signal);
      this.answer = answer;
      this.status.textContent = "";
      this.redraw();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#failed(error);
    } finally {
      clearTimeout(late);
    }
  }

  redraw() {
    if (!this.answer) return;
    this.#clear();
    const failures = this.answer.queries.filter((query) => query.error);
    const notes = this.answer.queries.filter((query) => query.cut).map((query) => `Query ${query.ref_id}: ${query.cut}.`);
    const said = [];
    if (failures.length && failures.length === this.answer.queries.length) {
      this.element.dataset.drawn = "problem";
      this.body.replaceChildren(this.#problem(failures[0].error, failures[0].expr));
      return;
    }
    const queries = this.answer.queries.filter((query) => !query.error);
    const keepsNothing = ["timeseries", "graph"].includes(this.panel.type) && !queries.some(hasData);
    if (keepsNothing) {
      const config = emptyValue(this.panel);
      this.body.replaceChildren(el("p", { class: "none", text: config === "No data" ? "No data in this time range" : config }));
    } else {
      try {
        this.kind.draw(this.body, { ...this.#context(), answer: { ...this.answer, queries }, say: (words) => said.push(words) });
      } catch (error) {
        console.error(error);
        this.body.replaceChildren(this.#problem({ detail: `This panel could not be drawn: ${error.message}` }));
      }
    }
    const broken = failures.map((query) => `Query ${query.ref_id}: ${query.error.detail}`);
    this.notes.replaceChildren(...broken.map((words) => el("p", { class: "warn", text: words })), ...[...notes, ...said].map((words) => el("p", { text: words })));
    this.element.dataset.drawn = this.body.querySelector(".none") ? "empty" : "yes";
  }

  #context() {
    return {
      panel: this.panel, range: { from: this.answer.from, to: this.answer.to }, annotations: this.page.annotations, tip: this.page.tip,
      state: this.state, memory: this.memory, sync: this.page.sync, redraw: () => this.redraw(), keep: (undo) => this.undo.push(undo),
    };
  }

  #clear() {
    for (const undo of this.undo.splice(0)) undo();
    this.notes.replaceChildren();
    this.width = this.body.clientWidth;
    this.height = this.body.clientHeight;
  }

  #onResize() {
    const isSame = Math.abs(this.body.clientWidth - (this.width ?? 0)) < 2 && Math.abs(this.body.clientHeight - (this.height ?? 0)) < 2;
    if (!this.answer || isSame || !IS_CHART.has(this.panel.type)) return;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.redraw());
  }

  #problem(problem, expr) {
    return el("div", { class: "problem", role: "alert" }, el("p", { text: problem.detail }), problem.hint && el("p", { class: "quiet", text: problem.hint }), expr && el("pre", {}, el("code", { text: expr })));
  }

  #failed(error) {
    this.status.textContent = "";
    // What was drawn before stays, and the panel says that it is old.
    if (this.answer && error.status !== 404) this.notes.replaceChildren(el("p", { class: "warn", text: `Not renewed: ${error.detail || error.message}` }));
    else { this.#clear(); this.element.dataset.drawn = "problem"; this.body.replaceChildren(this.#problem({ detail: error.detail || error.message, hint: error.hint })); }
  }

  #unknown() {
    const json = `/api/v1/dashboards/${encodeURIComponent(this.page.state.uid)}`;
    this.element.dataset.drawn = "unknown";
    this.body.replaceChildren(el("div", { class: "problem" }, el("p", { text: `This page does not draw panels of the type “${this.panel.type}”.` }),
      el("p", { class: "quiet" }, "Grafana does. Its definition is panel ", String(this.panel.id), " of ", el("a", { href: json, text: "the dashboard's JSON" }), ".")));
  }

  destroy() {
    this.abort?.abort();
    this.resized.disconnect();
    for (const undo of this.undo.splice(0)) undo();
  }
}
