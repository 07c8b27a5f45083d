#!/usr/bin/env bash
# Says what this machine lacks for the benchmark, and what to do about it: bash scripts/doctor.sh --help
set -uo pipefail

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
python=''
for candidate in python3 python; do
  if command -v "$candidate" >/dev/null 2>&1 &&
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  printf 'error: the doctor needs Python 3.8 or newer and finds none; install it: sudo apt-get install python3\n' >&2
  exit 1
fi
# -B: checking a machine leaves nothing behind on it, and root's __pycache__ would be in the user's way.
PYTHONPATH=$scripts${PYTHONPATH:+:$PYTHONPATH} exec "$python" -B -m trtbench.doctor "$@"
