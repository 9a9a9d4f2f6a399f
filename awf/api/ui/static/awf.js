// Keeps relative times true and opened sections open while htmx replaces parts of the page.
(function () {
  "use strict";

  function relative(moment) {
    const seconds = (Date.now() - moment) / 1000;
    const span = Math.abs(seconds);
    if (span < 1) return "now";
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const [size, unit] = units.find(([each]) => span >= each);
    const text = Math.floor(span / size) + " " + unit;
    return seconds > 0 ? text + " ago" : "in " + text;
  }

  function refreshTimes() {
    document.querySelectorAll("time[datetime]").forEach((element) => {
      element.textContent = relative(Date.parse(element.getAttribute("datetime")));
    });
  }

  let shown = {};
  document.addEventListener("htmx:beforeSwap", () => {
    shown = {};
    document.querySelectorAll("details[id]").forEach((element) => { shown[element.id] = element.open; });
  });
  document.addEventListener("htmx:afterSettle", () => {
    document.querySelectorAll("details[id]").forEach((element) => {
      if (element.id in shown) element.open = shown[element.id];
    });
    refreshTimes();
  });

  setInterval(refreshTimes, 5000);
})();
