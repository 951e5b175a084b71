"""What pyproject.toml cannot say: an archive and a wheel name the commit that they were built from."""

from __future__ import annotations

import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).parent
NAMED = Path("seedlock", "prereg", "base", "build_commit.txt")


def built_from() -> str:
    """The commit of this work tree, if every tracked file is as it says; what the archive names, if this is one."""
    if not (HERE / ".git").exists():
        named = HERE / "src" / NAMED
        return named.read_text("ascii") if named.is_file() else ""
    git = ["git", "-C", str(HERE)]
    changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, check=False)
    if changed.returncode or changed.stdout:
        return ""
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout


class NamedWheel(build_py):
    """The package's files, and the commit beside them; an editable install asks its checkout instead."""

    def run(self) -> None:
        """Build as always, and name the commit."""
        super().run()
        if not self.editable_mode:
            (Path(self.build_lib) / NAMED).write_text(built_from(), "ascii")


class NamedArchive(sdist):
    """The sources, and the commit beside them."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Lay the sources out as always, and name the commit."""
        super().make_release_tree(base_dir, files)
        (Path(base_dir) / "src" / NAMED).write_text(built_from(), "ascii")


setup(cmdclass={"build_py": NamedWheel, "sdist": NamedArchive})
