"""`python -m seedlock`."""

from seedlock.cli import main

main()
