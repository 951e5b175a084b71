"""Run every benchmark of this folder, or those named."""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path


def main(names: list[str]) -> None:
    """Call `main()` of each benchmark module in name order."""
    here = Path(__file__).parent
    known = sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}")
    print(f"python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    for name in names or known:
        print(f"\n== {name}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
