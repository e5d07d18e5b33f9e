"use strict";
(() => {
  const PRINTED = 680; // px: what fits an A4 page between its margins
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const contents = new Map();
  for (const each of document.querySelectorAll("script.payload")) {
    contents.set(each.dataset.figure, each);
  }
  const drawn = new Set();

  // Colours live in the style sheet alone: an element that wears one tells its value.
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function colourOf(role, known) {
    if (!known.has(role)) {
      probe.style.color = `var(--${role})`;
      known.set(role, getComputedStyle(probe).color);
    }
    return known.get(role);
  }

  function coloured(value, known) {
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) {
      return value.length && typeof value[0] === "object"
        ? value.map((each) => coloured(each, known)) : value;
    }
    if (value.role) return colourOf(value.role, known);
    const made = {};
    for (const key of Object.keys(value)) made[key] = coloured(value[key], known);
    return made;
  }

  function specification(element) {
    const known = new Map();
    const content = JSON.parse(contents.get(element.id).textContent);
    for (const trace of content.data) {
      if (trace.customdata && content.labels.length) {
        trace.text = trace.customdata.map((at) => content.labels[at]);
      }
    }
    const layout = { ...coloured(content.layout, known), autosize: true };
    if (touch) layout.dragmode = false; // a finger on a picture scrolls the page
    return [coloured(content.data, known), layout, {
      displayModeBar: false, responsive: true, doubleClick: "reset+autosize",
    }];
  }

  function draw(element) {
    window.Plotly.react(element, ...specification(element));
    drawn.add(element);
  }

  // One picture a task, so that the page answers in between.
  const waiting = [];
  function drawNext() {
    draw(waiting.shift());
    if (waiting.length) setTimeout(drawNext);
  }
  function want(element) {
    if (waiting.push(element) === 1) setTimeout(drawNext);
  }
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      want(entry.target);
    }
  }, { rootMargin: "500px 0px" });
  const figures = [...document.querySelectorAll(".figure")];
  for (const figure of figures) near.observe(figure);

  const button = document.getElementById("theme");
  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }
  function themeChanged() {
    button.textContent = isDark() ? "Light" : "Dark";
    for (const figure of drawn) want(figure);
  }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    themeChanged();
  });
  dark.addEventListener("change", themeChanged);
  themeChanged();

  let before;
  window.addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    for (const figure of figures) {
      near.unobserve(figure);
      draw(figure);
      window.Plotly.relayout(figure, { width: Math.min(PRINTED, figure.clientWidth || PRINTED) });
    }
  });
  window.addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    for (const figure of drawn) want(figure);
  });

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.append(...head.childNodes);
      head.append(sorter);
      sorter.addEventListener("click", () => sort(table, heads, column));
    });
  }
  function sort(table, heads, column) {
    const down = heads[column].ariaSort !== "descending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].ariaSort = down ? "descending" : "ascending";
    const keys = new Map([...table.tBodies[0].rows].map((row) => {
      const cell = row.cells[column];
      return [row, cell.dataset.value === undefined ? cell.textContent : +cell.dataset.value];
    }));
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const rows = [...keys.keys()].sort((a, b) => order(keys.get(a), keys.get(b)));
    table.tBodies[0].append(...(down ? rows.reverse() : rows));
  }
})();
