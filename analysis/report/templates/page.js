"use strict";
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not(.whole)")) { details.open = true; }
});
function openFold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target && target.matches("article, figure") && target.querySelector("details");
  if (details) { details.open = true; }
}
window.addEventListener("hashchange", openFold);
openFold();
