#!/bin/sh
# Check every study here, link by link, and run its analysis again; fails at the first link that does not hold.
# Needs `seedlock` on the PATH, or SEEDLOCK=FOLDER of its checkout. Options go on to it:  sh verify.sh --require T2
set -eu
cd "$(dirname "$0")"
PATH="${SEEDLOCK:+$SEEDLOCK/.venv/bin:}$PATH"
exec seedlock verify --replay "$@"
