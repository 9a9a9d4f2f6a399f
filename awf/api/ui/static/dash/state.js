// What the address says of a dashboard: time range, variables, refresh, one panel alone; as in Grafana's addresses.
import { parseTime } from "./time.js";

export class State {
  constructor(uid, model) {
    const query = new URLSearchParams(location.search);
    this.uid = uid;
    this.from = query.get("from") || model.time?.from || "now-1h";
    this.to = query.get("to") || model.time?.to || "now";
    if (parseTime(this.from) === null || parseTime(this.to, { up: true }) === null) [this.from, this.to] = ["now-1h", "now"];
    this.refresh = query.has("refresh") ? query.get("refresh") : model.refresh || "";
    this.viewPanel = Number((query.get("viewPanel") || "").replace("panel-", "")) || null;
    this.chosen = {};
    for (const name of new Set(query.keys())) {
      if (name.startsWith("var-")) this.chosen[name.slice(4)] = query.getAll(name).map((value) => (value === "All" ? "$__all" : value));
    }
    this.listeners = [];
    this.fixed = new Set((model.templating?.list || []).filter((each) => each.type === "constant" || each.skipUrlSync).map((each) => each.name));
  }

  get range() {
    const now = Date.now();
    return { from: Math.round(parseTime(this.from, { now })), to: Math.round(parseTime(this.to, { now, up: true })) };
  }

  // The part of the address that links carry on.
  timeQuery() {
    return new URLSearchParams({ from: this.from, to: this.to }).toString();
  }

  // Constants and the like are the dashboard's own: no address carries them.
  variableQuery(names = Object.keys(this.chosen).filter((name) => !this.fixed.has(name))) {
    const query = new URLSearchParams();
    for (const name of names) for (const value of this.chosen[name] || []) query.append(`var-${name}`, value);
    return query.toString();
  }

  address(changes = {}) {
    const query = new URLSearchParams(`${this.timeQuery()}&${this.variableQuery()}`);
    if (this.refresh !== null) query.set("refresh", this.refresh);
    const panel = "viewPanel" in changes ? changes.viewPanel : this.viewPanel;
    if (panel) query.set("viewPanel", panel);
    return `${location.pathname}?${query}`;
  }

  change(changes, { quiet = false } = {}) {
    Object.assign(this, changes);
    history.replaceState(null, "", this.address());
    if (!quiet) for (const listener of this.listeners) listener(Object.keys(changes));
  }

  choose(name, values, options) {
    this.change({ chosen: { ...this.chosen, [name]: values } }, options);
  }
}
