"""Build docs/check.html: one self-contained page from the small modules of docs/check/, with nothing but Python.

Usage: python -m docs.make_check_page [--check]
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from pathlib import Path

SOURCES = Path(__file__).parent / "check"
PAGE = Path(__file__).parent / "check.html"
NAMED_IN = (Path(__file__).parent.parent / "README.md", Path(__file__).parent / "review.md")
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([^"]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+))", re.M)
_NAMED = re.compile(r"(SHA-256\s+is\s+)`[0-9a-f]{64}`")
_EXPORT_LIST = re.compile(r"^export \{ ([\w, ]+) \};\n", re.M)


def bundle(entry: str, sources: Path = SOURCES) -> str:
    """One script of `entry` and whatever it imports: each module is a function that returns what it exports.

    Raises
    ------
    ValueError
        Modules import each other in a circle, or an import or export is written in a way that is not read here.
    """
    written: dict[str, str] = {}
    _visit(entry, sources, written, ())
    return '"use strict";\nconst modules = {};\n' + "".join(written.values())


def _visit(name: str, sources: Path, written: dict[str, str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"modules in a circle: {' -> '.join((*above, name))}")
    if name in written:
        return
    source = (sources / name).read_text("utf-8")
    for match in _IMPORT.finditer(source):
        _visit(match[2], sources, written, (*above, name))
    written[name] = _module(name, source)


def _module(name: str, source: str) -> str:
    exported = [match[1] for match in _EXPORT.finditer(source)]
    exported += [one.strip() for match in _EXPORT_LIST.finditer(source) for one in match[1].split(",")]
    body = _IMPORT.sub(lambda match: f'const {match[1]} = modules["{match[2]}"];\n', source)
    body = _EXPORT_LIST.sub("", _EXPORT.sub("", body))
    if left := re.search(r"^(?:import|export)\b.*", body, re.M):
        raise ValueError(f"{name}: {left[0]!r} is not read here")
    return f'modules["{name}"] = (() => {{\n{body}return {{ {", ".join(exported)} }};\n}})();\n'


def page() -> str:
    """The whole page; its policy allows its own script by its digest, and no network.

    Inline styles are allowed: a report is parsed, never shown, under this policy, and its own styles would be refused
    aloud. No text of a file ever becomes markup here.
    """
    script, style = bundle("main.js"), (SOURCES / "page.css").read_text("utf-8")
    if "</script" in script.lower() or "</style" in style.lower():
        raise ValueError("a source would end the element it stands in")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src 'unsafe-inline'; worker-src blob:; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {"policy": policy, "style": style, "script": script}
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: parts[match[1]], (SOURCES / "page.html").read_text("utf-8"))


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def main() -> None:
    """Write the page, and its digest where it is named; with --check say whether it is what its sources make."""
    made = page().encode()
    digest = hashlib.sha256(made).hexdigest()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_bytes() == made else "docs/check.html is not what its sources make: ./just check-page")
    PAGE.write_bytes(made)
    for text in NAMED_IN:
        text.write_text(_NAMED.sub(rf"\1`{digest}`", text.read_text("utf-8")), "utf-8")
    print(f"{digest}  {PAGE.name} ({len(made):,} bytes)")


if __name__ == "__main__":
    main()
