"use strict";
function openFold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target && target.closest("details"); fold; fold = fold.parentElement.closest("details")) { fold.open = true; }
  const inside = target && target.matches("article, figure, section") && target.querySelector("details");
  if (inside) { inside.open = true; }
}
window.addEventListener("hashchange", openFold);
openFold();
if (document.body.classList.contains("appendix")) {
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details:not(.whole)")) { fold.open = true; }
  });
}
// What the page shows can be kept when it is mailed alone: tables as CSV, figures as SVG in the colours of the screen.
function csvOf(table) {
  const written = (cell) => cell.textContent.trim().replace(/^(?=[=@\t\r]|[+-](?![\d.]))/, "'").replaceAll('"', '""');
  return [...table.rows].map((row) => [...row.cells].map((cell) => `"${written(cell)}"`).join(",") + "\r\n").join("");
}
function svgOf(picture) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const copy = picture.cloneNode(true);
  copy.setAttribute("style", "background: var(--paper)");
  return new XMLSerializer().serializeToString(copy).replaceAll("currentColor", "var(--ink)").replaceAll(/var\((--[a-z-]+)\)/g, (_, name) => colour(name));
}
function keeps(link, name, type, write) {
  link.download = name;
  link.addEventListener("click", () => { link.href = URL.createObjectURL(new Blob([write()], { type })); });
}
for (const table of document.querySelectorAll("main table")) {
  const link = document.createElement("a");
  link.className = "csv";
  link.textContent = "CSV";
  link.href = "#";
  const name = table.caption.textContent.toLowerCase().replaceAll(/[^a-z\d]+/g, "-").slice(0, 60);
  keeps(link, `${name}.csv`, "text/csv", () => csvOf(table));
  table.caption.append(" ", link);
}
for (const link of document.querySelectorAll("figure .files a[href$='.svg']")) {
  const picture = (link.closest(".plot") || link.closest("figure")).querySelector("svg");
  keeps(link, link.getAttribute("href").split("/").at(-1), "image/svg+xml", () => svgOf(picture));
}
