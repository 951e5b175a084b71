// Every number that report.html prints is the one in results.json, written as its format says, and none stands unbound.

import { canonical, resolve } from "./canonical.js";
import { changed, line } from "./lines.js";
import { formatValue, plainText } from "./numbers.js";

const FREE = "code, pre, svg, script, style, cite, time, title, head";
const SHOWN = 20;

// The page is parsed into a document that is never shown: nothing in it runs, and nothing is loaded.
export function checkPage(name, html, results) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const bound = page.querySelectorAll("[data-ref], [data-quoted]");
  const faults = [...bound].flatMap((element) => elementFaults(name, element, results));
  faults.push(...looseFaults(name, page));
  const what = `Every number that ${name} prints is the one in results.json, rounded as it says (${bound.length} bound)`;
  const more = faults.length > SHOWN ? `${faults.length - SHOWN} more are not listed.` : "";
  return { ...line("page", what, faults.slice(0, SHOWN)), note: more };
}

function elementFaults(name, element, results) {
  const quoted = element.getAttribute("data-quoted");
  const pointer = quoted ?? element.getAttribute("data-ref");
  const where = `${name} ${pointer}`;
  let value;
  let promised;
  try {
    value = resolve(results, pointer);
    promised = quoted === null ? formatValue(value, element.getAttribute("data-format") ?? "") : plainText(value);
  } catch (error) {
    return [changed(where, element.textContent.slice(0, 100), error.message)];
  }
  if (element.textContent !== promised) {
    return [changed(where, element.textContent.slice(0, 100), promised.slice(0, 100))];
  }
  const raw = canonical(value);
  return quoted === null && element.getAttribute("value") !== raw ? [changed(where, `value=${element.getAttribute("value")}`, raw)] : [];
}

// Digits outside bound elements, code, figures and references.
function looseFaults(name, page) {
  const faults = [];
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode() && faults.length <= SHOWN) {
    const { data, parentElement } = walker.currentNode;
    if (/\d/.test(data) && !parentElement.closest(`[data-ref], [data-quoted], ${FREE}`)) {
      faults.push(changed(name, data.trim().slice(0, 100), "no number outside results.json"));
    }
  }
  return faults;
}
