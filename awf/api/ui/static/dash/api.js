// The server's answers; what goes wrong is a problem with words and a hint, whatever went wrong.
export class Problem extends Error {
  constructor({ detail, hint = "", status = 0 }) {
    super(detail);
    this.detail = detail;
    this.hint = hint;
    this.status = status;
  }
}

export class Api {
  constructor(uid, csrf) {
    this.base = `/api/v1/dashboards/${encodeURIComponent(uid)}`;
    this.csrf = csrf;
  }

  model() {
    return this.#send(this.base, { method: "GET" });
  }

  all() {
    return this.#send("/api/v1/dashboards", { method: "GET" });
  }

  ask(path, asked, signal) {
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": this.csrf };
    return this.#send(`${this.base}/${path}`, { method: "POST", headers, body: JSON.stringify(asked), signal });
  }

  async #send(path, options) {
    let response;
    try {
      response = await fetch(path, { credentials: "same-origin", ...options });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ detail: "The AWF server does not answer.", hint: "The page tries again with the next refresh." });
    }
    const body = await response.json().catch(() => ({}));
    if (response.status === 401) throw new Problem({ detail: "The session has ended.", hint: "Load the page again to log in.", status: 401 });
    if (!response.ok) throw new Problem({ detail: body.detail || `The server answers ${response.status}.`, hint: body.hint, status: response.status });
    return body;
  }
}
