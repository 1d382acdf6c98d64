"use strict";
// Conveniences only: the page is complete without this script.

// A button in the heading of each column sorts the table by it.
const collator = new Intl.Collator("en", { numeric: true });
const valueOf = (cell) =>
  cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return collator.compare(String(a), String(b));
};
for (const table of document.querySelectorAll("table")) {
  const headings = [...table.tHead.rows[0].cells];
  if (table.tBodies[0].rows.length < 2) continue;
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row.cells[column]), row]);
      const known = rows.filter(([value]) => !Number.isNaN(value));
      const unknown = rows.filter(([value]) => Number.isNaN(value));
      known.sort((a, b) => compare(a[0], b[0]) * (descending ? -1 : 1));
      table.tBodies[0].append(...[...known, ...unknown].map(([, row]) => row));
    });
  });
}

// A field above each long table shows only the rows that have all words.
const LONG = 12;
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < LONG) continue;
  const label = document.createElement("label");
  label.className = "search";
  const field = document.createElement("input");
  field.type = "search";
  const found = document.createElement("output");
  label.append("Filter rows ", field, " ", found);
  const region = table.closest(".scroll");
  field.setAttribute("aria-label", `Filter rows: ${region.getAttribute("aria-label")}`);
  region.prepend(label);
  const texts = new Map();
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      if (!texts.has(row)) {
        texts.set(row, [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
      }
      row.hidden = !words.every((word) => texts.get(row).includes(word));
      shown += !row.hidden;
    }
    found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
}

// A field above the periodic table finds groups by name, structure, order or irrep.
const orders = [...document.querySelectorAll("#periodic .order")];
const groups = [...document.querySelectorAll("#periodic .group")];
if (groups.length > 1) {
  const label = document.createElement("label");
  label.className = "search";
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "S3, order 24, freq_1";
  const found = document.createElement("output");
  label.append("Find a group ", field, " ", found);
  orders[0].before(label);
  const textOf = new Map();
  for (const order of orders) {
    for (const group of order.querySelectorAll(".group")) {
      const irreps = [...group.querySelectorAll("strong")].map((name) => name.textContent);
      const title = group.querySelector("h4").textContent;
      const size = order.querySelector("h3").firstChild.textContent;
      textOf.set(group, `${title} ${size} ${irreps.join(" ")}`.toLowerCase());
    }
  }
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const group of groups) group.hidden = !textOf.get(group).includes(wanted);
    for (const order of orders) order.hidden = !order.querySelector(".group:not([hidden])");
    const shown = groups.filter((group) => !group.hidden).length;
    found.textContent = wanted ? `${shown} of ${groups.length} groups` : "";
  });
}

// A link to a run opens its panel.
const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", openTarget);
document.addEventListener("click", (event) => {
  if (event.target.closest?.('a[href^="#"]')) setTimeout(openTarget);
});
openTarget();

// Values read off the curves, under the pointer or at a place that arrow keys move.
const box = document.createElement("div");
box.id = "values";
box.hidden = true;
box.setAttribute("role", "status");
document.body.append(box);

const numbers = (text) => (text.match(/-?\d*\.?\d+(e[-+]?\d+)?/g) || []).map(Number);
const pointsOf = (path) => {
  const steps = numbers(path.getAttribute("d"));
  const points = [];
  let [x, y] = [0, 0];
  for (let i = 0; i + 1 < steps.length; i += 2) {
    x += steps[i];
    y += steps[i + 1];
    points.push([x, y]);
  }
  return points;
};
const heightAt = (points, place) => {
  // Points are rounded to tenths, so the ends of the axis may lie just outside.
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = Math.min(last, Math.max(first, place));
  if (Math.abs(x - place) > 0.5) return NaN;
  for (let i = 1; i < points.length; i++) {
    const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
    if (x >= x0 && x <= x1) return x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y1;
  }
  return NaN;
};
const stepAt = (axes, x) => {
  const [zero, start, end, first, last] = numbers(axes.dataset.x);
  if (x <= start) return (first * Math.max(0, x - zero)) / (start - zero);
  return first * (last / first) ** ((x - start) / (end - start));
};
const short = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
const show = (value, percent) => {
  const shown = percent ? 100 * value : value;
  return Math.abs(shown) < 1e-3 && shown !== 0 ? shown.toExponential(1) : short(shown);
};
const read = (axes, x) => {
  const [top, bottom] = numbers(axes.dataset.box);
  const [kind, low, high] = axes.dataset.y.split(" ");
  const lines = [`step ${short(Math.round(stepAt(axes, x)))}: ${axes.dataset.label}`];
  for (const series of axes.querySelectorAll(".series")) {
    const y = heightAt(pointsOf(series.querySelector("path")), x);
    if (Number.isNaN(y)) continue;
    const share = (bottom - y) / (bottom - top);
    const value = kind === "log" ? low * (high / low) ** share : +low + share * (high - low);
    lines.push(`${series.dataset.name}  ${show(value, axes.dataset.label.includes("%"))}`);
  }
  return lines;
};
const tell = (svg, clientX, clientY) => {
  const frame = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / frame.width;
  const [x, y] = [(clientX - frame.left) * scale, (clientY - frame.top) * scale];
  for (const axes of svg.querySelectorAll("[data-x]")) {
    const [top, bottom] = numbers(axes.dataset.box);
    const [zero, , end] = numbers(axes.dataset.x);
    if (y < top || y > bottom || x < zero || x > end) continue;
    const lines = read(axes, x);
    if (lines.length < 2) return;
    box.textContent = lines.join("\n");
    box.hidden = false;
    const room = document.documentElement.clientWidth - box.offsetWidth - 8;
    box.style.left = `${Math.max(4, Math.min(clientX + 14, room))}px`;
    box.style.top = `${Math.max(4, clientY - box.offsetHeight - 10)}px`;
    return;
  }
};
const hover = (event) => {
  const svg = event.target.closest?.("svg");
  box.hidden = true;
  if (svg) tell(svg, event.clientX, event.clientY);
};
document.addEventListener("pointermove", hover);
document.addEventListener("pointerdown", hover);
document.addEventListener("scroll", () => (box.hidden = true), { passive: true });

// Left and right move the place by a fortieth of the width, up and down change the panel.
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const hint = document.createElement("p");
Object.assign(hint, { id: "hint", hidden: true, textContent: "Arrow keys read values." });
document.body.append(hint);
for (const svg of document.querySelectorAll("svg")) {
  const panels = [...svg.querySelectorAll("[data-x]")].filter((axes) => axes.querySelector(".series"));
  if (!panels.length) continue;
  svg.tabIndex = 0;
  svg.setAttribute("aria-describedby", hint.id);
  let [share, panel] = [1, 0];
  const here = () => {
    const axes = panels[panel];
    const [top, bottom] = numbers(axes.dataset.box);
    const [zero, , end] = numbers(axes.dataset.x);
    const frame = svg.getBoundingClientRect();
    const scale = frame.width / svg.viewBox.baseVal.width;
    const x = zero + share * (end - zero);
    box.hidden = true;
    tell(svg, frame.left + x * scale, frame.top + ((top + bottom) / 2) * scale);
  };
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Escape") box.hidden = true;
    const move = KEYS[event.key];
    if (!move) return;
    share = Math.min(1, Math.max(0, share + move[0] / 40));
    panel = Math.min(panels.length - 1, Math.max(0, panel + move[1]));
    event.preventDefault();
    here();
  });
  svg.addEventListener("blur", () => (box.hidden = true));
}
