#!/usr/bin/env bash
# Many whole runs on many cards and machines, which Ray places: bash scripts/fleet.sh --help
#   --install  only makes the environment that this needs, on each machine: its `ray` starts the machine's part of a cluster
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Ray sends its makers a report of every start unless told otherwise.
export RAY_USAGE_STATS_ENABLED=0

# fleet PYTHON ARGUMENT...
fleet() {
  local python=$1
  shift
  PYTHONPATH="$ROOT/scripts${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -B -m trtbench.fleet "$@"
}

case " $* " in
  *" --help "* | *" -h "* | *" --version "*) fleet "$(python_command)" "$@" ;;
esac
TORCH_BUILD=- make_environment "$ROOT/.venv-fleet" "$ROOT/requirements/compare.lock" "$ROOT/requirements/fleet.lock"
[ "${1:-}" != --install ] || exit 0
fleet "$ROOT/.venv-fleet/bin/python" "$@"
