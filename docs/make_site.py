"""Build the documentation as pages: stage docs/, the registry and the reports, and call zensical.

Files that the site does not carry are named by their path in the repository.

Usage: python -m docs.make_site
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

from seedlock.prereg.site.registry import as_markdown, registry

HERE = Path(__file__).parent
SOURCES = HERE / "check"
STAGED = HERE.parent / "build" / "pages"
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)")
PAGES = {".md", ".png", ".svg", ".jpg", ".js", ".html"}


def stage() -> None:
    """Copy pages and pictures; a link that leaves `docs/` becomes the file's path in the repository."""
    shutil.rmtree(STAGED, ignore_errors=True)
    for source in sorted(path for path in HERE.rglob("*") if path.suffix in PAGES and SOURCES not in path.parents):
        target = STAGED / source.relative_to(HERE)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(_with_paths(source.read_text("utf-8"), source), "utf-8")
        else:
            shutil.copyfile(source, target)
    stage_registry(HERE.parent, STAGED)


def stage_registry(root: Path, to: Path) -> None:
    """Write the registry of the repository's studies as a page, with the reports that it leads to beside it."""
    entries = registry(root)
    (to / "registry.md").write_text(as_markdown(entries), "utf-8")
    for entry in entries:
        if entry.report:
            report = Path(entry.report).parent
            shutil.copytree(root / report, to / report, ignore=shutil.ignore_patterns("data", "posteriors", "*.md"))
            if entry.state == "withdrawn":
                mark_withdrawn(to / entry.report, entry.says)


def mark_withdrawn(page: Path, reason: str) -> None:
    """Mark the copy of a report whose registration was withdrawn since; the report itself stays as it is."""
    notice = (
        '<p role="note" style="margin: 0; padding: 1rem; background: #7a1f1f; color: #fff">'
        f"<strong>This registration was withdrawn after this report was built.</strong> {html.escape(reason)}</p>"
    )
    page.write_text(page.read_text("utf-8").replace("<main>", f"{notice}<main>", 1), "utf-8")


def _with_paths(text: str, page: Path) -> str:
    def shown(match: re.Match[str]) -> str:
        target = (page.parent / match[2]).resolve()
        if target.is_relative_to(HERE) and target.suffix in PAGES:
            return match[0]
        path = target.relative_to(HERE.parent).as_posix()
        return f"`{path}`" if match[1].strip("`") == path else f"{match[1]} (`{path}`)"

    return LINK.sub(shown, text)


def main() -> None:
    """Stage and build; a broken link inside the pages stops it."""
    stage()
    command = [str(Path(sys.executable).parent / "zensical"), "build", "--strict", "--clean"]
    sys.exit(subprocess.run(command, cwd=HERE.parent, check=False).returncode)


if __name__ == "__main__":
    main()
