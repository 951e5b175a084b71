// A report runs its template's one script and loads nothing: whatever else a page could do to its reader is named.

import { sha256 } from "./canonical.js";
import { changed, line } from "./lines.js";

const TEMPLATE_SCRIPTS = new Set([
  "0815814fd81158739a804fda05cd6a66e05045a4447a04533d55b03cdcb4eb4c",
  "cfef28c16241025cc458ec913dabb96d89b69b97e021a23f66e794634b9e1d7d",
  "4eb032ff087e4eaf53d861527b414feb3f384b3ccac395ca65b78eab1a38b59b",
]);
const NO_ELEMENTS = "form, iframe, frame, object, embed, base, link, meta[http-equiv]:not([http-equiv='Content-Security-Policy' i])";
const SOURCES = new Set(["src", "srcset", "poster", "background", "action", "formaction", "data", "ping"]);
const OUTSIDE_CSS = /@import|image-set\(|url\(\s*["']?(?!["']?(?:#|data:))/i;
const SHOWN = 20;

// The page is parsed into a document that is never shown: nothing in it runs, and nothing is loaded.
export async function checkMarkup(name, html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const found = [...page.querySelectorAll(NO_ELEMENTS)].map((element) => `<${element.localName}>`);
  for (const script of page.querySelectorAll("script")) {
    const isData = script.getAttribute("type") === "application/json" && !script.hasAttribute("src");
    if (!isData && (script.hasAttribute("src") || !TEMPLATE_SCRIPTS.has(await sha256(new TextEncoder().encode(script.textContent))))) {
      found.push(`<script> ${script.textContent.slice(0, 80)}`);
    }
  }
  for (const style of page.querySelectorAll("style")) {
    if (OUTSIDE_CSS.test(style.textContent)) {
      found.push("<style> that loads something");
    }
  }
  for (const element of page.querySelectorAll("*")) {
    found.push(...[...element.attributes].filter((one) => isForeign(element, one)).map((one) => `<${element.localName} ${one.name}="${one.value.slice(0, 80)}">`));
  }
  const faults = found.slice(0, SHOWN).map((what) => changed(name, what, "only what the report's template writes"));
  const more = found.length > SHOWN ? `${found.length - SHOWN} more are not listed.` : "";
  return line("page", `${name} runs no script but its template's and loads nothing from elsewhere`, faults, more);
}

function isForeign(element, { name, localName, value }) {
  if (/^on/i.test(name) || name === "srcdoc") {
    return true;
  }
  if (SOURCES.has(name)) {
    return !value.startsWith("data:image/");
  }
  if (localName === "href") {
    return ["a", "area"].includes(element.localName) ? /^[\s\p{Cc}]*(?!https?:)[a-z][a-z0-9+.-]*:/iu.test(value) : !/^(?:#|data:image\/)/.test(value);
  }
  return OUTSIDE_CSS.test(value) && (name === "style" || element.namespaceURI === "http://www.w3.org/2000/svg");
}
