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
