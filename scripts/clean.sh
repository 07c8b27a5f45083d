#!/usr/bin/env bash
# Lists what lies where, with sizes, and deletes what is named; never results: bash scripts/clean.sh [NAME...]
set -uo pipefail

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
# The host's own Python, because the clone's may be what goes.
for python in python3 python; do
  if command -v "$python" >/dev/null 2>&1 &&
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
    PYTHONPATH=$scripts${PYTHONPATH:+:$PYTHONPATH} exec "$python" -B -m trtbench.doctor.clean "$@"
  fi
done
printf 'error: this needs Python 3.8 or newer and finds none; install it: sudo apt-get install python3\n' >&2
exit 2
