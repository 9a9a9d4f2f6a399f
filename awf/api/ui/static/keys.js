// The keyboard: j and k go through a list, Enter opens, a and r answer what is asked, g and a letter goes to a page, ? tells.
(function () {
  "use strict";

  const PAGES = { i: "/ui/incidents", a: "/ui/approvals", e: "/ui/executions", d: "/ui/dashboards" };
  let chosen = "";
  let isGoing = false;

  function links() {
    return [...document.querySelectorAll("table.list td.main a")];
  }

  function choose(step) {
    const all = links();
    if (!all.length) return;
    const at = all.findIndex((link) => link.getAttribute("href") === chosen);
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    chosen = next.getAttribute("href");
    show();
    next.focus();
  }

  function show() {
    links().forEach((link) => {
      link.closest("tr").classList.toggle("at-hand", link.getAttribute("href") === chosen);
    });
  }

  function focus(selector) {
    const element = document.querySelector(selector);
    if (element) element.focus();
    return Boolean(element);
  }

  const keys = {
    j: () => choose(1),
    k: () => choose(-1),
    a: () => focus("[id^=approve-]"),  // focus, not press: Enter decides
    r: () => focus("[id^=reason-]"),
    "/": () => focus("#words"),
    g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); },
    "?": () => document.getElementById("keys").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isGoing && PAGES[event.key]) {
      location.assign(PAGES[event.key]);
      return;
    }
    if (keys[event.key] && document.getElementById("keys")) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  document.addEventListener("htmx:afterSettle", show);
})();
