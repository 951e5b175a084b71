"""`python -m seedlock`; modules are not looked for in the working folder, which may be a stranger's repository."""

import os
import sys

if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 - pathlib could be the folder's own
    del sys.path[0]

from seedlock.cli import main

main()
