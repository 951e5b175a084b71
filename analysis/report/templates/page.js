"use strict";
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not(.whole)")) { details.open = true; }
});
if (location.hash) {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target && target.querySelector("details");
  if (details) { details.open = true; }
}
