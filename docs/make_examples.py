"""Run the examples that pages show, and write what they print below them.

A `python` block with a `text` block right after it is a program and its output; it runs from the root of the checkout,
after the programs above it on the page. A `console` block is a part of one session in a new folder: lines that begin
with `$ ` are typed, the others came back. A block with `title="PATH"` is a file of that folder.

Run from the root of the checkout:  .venv/bin/python -m docs.make_examples [PAGE ...]
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from docs.forked import forked_commands

HERE = Path(__file__).parent
BLOCK = re.compile(r'^```(\w+)(?: title="([^"\n]+)")?\n(.*?)^```\n', flags=re.M | re.S)
PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```\n", flags=re.M | re.S)
END = "\x1eend of a command\x1e"
PASSING = {  # what differs between two runs that say the same
    r"\b[0-9a-f]{64}\b": "(digest)",
    r"\b[0-9a-f]{40}\b|(?<=commit )[0-9a-f]{12}\b": "(commit)",
    r"\d{4}-\d\d-\d\dT[\d:.]+(?:\+00:00|Z)": "(time)",
    r"(?<=report.html line )\d+": "(line)",
    r"\b\d+(?= source files)|(?<=\()\d+(?= files\))": "(n)",
}


def pages() -> list[Path]:
    """Every page with an example."""
    return [page for page in sorted(HERE.rglob("*.md")) if has_examples(page.read_text("utf-8"))]


def has_examples(text: str) -> bool:
    """Whether a page shows a program with its output, or a session."""
    return bool(PROGRAM.search(text)) or any(match[1] == "console" for match in BLOCK.finditer(text))


def worked(text: str) -> str:
    """Return the page with the output that its examples have now."""
    return with_sessions(with_programs(text))


def lasting(text: str) -> str:
    """Return the page without what changes from run to run: digests, times, commits, lines, numbers of files."""
    for pattern, name in PASSING.items():
        text = re.sub(pattern, name, text)
    return text


def with_programs(text: str) -> str:
    """Run every program of the page, in order, with one set of names."""
    names: dict[str, object] = {"__name__": "example"}

    def ran(match: re.Match[str]) -> str:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(match[1], "example", "exec"), names)  # noqa: S102  (a page of this repository)
        return f"```python\n{match[1]}```\n\n```text\n{_tidy(printed.getvalue())}```\n"

    return PROGRAM.sub(ran, text)


def with_sessions(text: str, python: Path | None = None) -> str:
    """Type every command of the page, in order, in one shell, with this Python's `seedlock` or another's."""
    blocks = [match for match in BLOCK.finditer(text) if match[1] == "console" or match[2]]
    if not any(match[1] == "console" for match in blocks):
        return text
    with tempfile.TemporaryDirectory() as folder:
        answers = iter(_typed(blocks, Path(folder).resolve(), python))

    def answered(match: re.Match[str]) -> str:
        if match[1] != "console":
            return match[0]
        shown = "".join(f"$ {command}\n{next(answers)}" for command in commands(match[3]))
        return f"```console\n{shown}```\n"

    return BLOCK.sub(answered, text)


def commands(session: str) -> Iterator[str]:
    """Return what is typed in a session; a command goes on where its line ends in a backslash."""
    command, goes_on = "", False
    for line in session.splitlines():
        if goes_on or line.startswith("$ "):
            command = f"{command}\n{line}" if goes_on else line[2:]
            goes_on = line.endswith("\\")
            if not goes_on:
                yield command


def _typed(blocks: list[re.Match[str]], folder: Path, python: Path | None) -> list[str]:
    """What each command of the page printed, in order."""
    home, tools, files = (folder / name for name in ("home", "bin", "files"))
    for path in (home, tools, files):
        path.mkdir()
    (tools / "python").write_text(f'#!/bin/sh\nexec "{python or sys.executable}" "$@"\n')
    (tools / "python").chmod(0o755)
    script = [f"cd '{home}'", "exec 2>&1"]
    for number, match in enumerate(blocks):
        if match[2]:
            (files / str(number)).write_text(match[3], "utf-8")
            script += [f"mkdir -p \"$(dirname '{home}/{match[2]}')\"", f"cp '{files}/{number}' '{home}/{match[2]}'"]
        else:
            for command in commands(match[3]):
                script += ["(exit ${status:-0})", command, "status=$?", f"printf '{END}'"]
    (folder / "session.sh").write_text("\n".join(script) + "\n", "utf-8")
    environment = _environment(tools, python)
    with forked_commands(tools, python or Path(sys.executable), environment):
        done = subprocess.run(
            ["bash", str(folder / "session.sh")], env=environment, capture_output=True, text=True, check=True
        )
    return [_tidy(part.replace(str(home), "~")) for part in done.stdout.split(END)[:-1]]


def _environment(tools: Path, python: Path | None) -> dict[str, str]:
    """A shell like anybody's: no colours, a name for git, and the code of this checkout or of the Python told."""
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {
        **kept,
        **who,
        "PATH": f"{tools}:{os.environ['PATH']}",
        **({"PYTHONPATH": str(HERE.parent)} if python is None else {}),
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


IDENTITY = {"NAME": "A Researcher", "EMAIL": "researcher@example.org"}


def _tidy(printed: str) -> str:
    """Return output without spaces at the ends of lines, ending in one line feed."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Write the pages named, or all, anew."""
    for page in [Path(name).resolve() for name in sys.argv[1:]] or pages():
        old = page.read_text("utf-8")
        new = worked(old)
        if lasting(new) != lasting(old):
            page.write_text(new, "utf-8")
            print(f"wrote {page.relative_to(HERE)}")


if __name__ == "__main__":
    main()
