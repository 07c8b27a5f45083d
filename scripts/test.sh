#!/usr/bin/env bash
# All checks: lint, types, shell, tests, and the PyTorch lanes again under the versions of the NGC image.
#   bash scripts/test.sh [--fast | --lint | --selections | pytest arguments]
#     --fast        the linters and the quick tests, those of the package's rooms: for after each change
#     --lint        the linters alone
#     --selections  print the calls of bats and pytest that a whole run makes
# What the machine lacks (shellcheck, bats, a Docker engine) is skipped and named; with CI=true it is an error.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
skipped=()

# lacking TOOL: note that a tool is absent; in CI nothing may be
lacking() {
  [ "${CI:-}" != true ] || die "CI lacks $1; .ci/run must install it."
  skipped+=("$1")
  say "SKIPPED: $1 is not installed"
}

# call NAME WORD...: a command by its name, as a line with tabs between its words
call() { local IFS=$'\t'; printf '%s\n' "$*"; }

# The calls of a whole run. tests/test_selections.py holds that .venv's take every test, and each once.
selections() {
  local files
  mapfile -t files < <(git ls-files 'tests/*.bats')
  call shell bats "${files[@]}"
  # Each core takes what is left to do.
  call plain .venv/bin/python -m pytest -n logical --dist worksteal -m "not docker and not alone"
  # Those that look at what a neighbour does to a run: nothing else is to be one.
  call alone .venv/bin/python -m pytest -n 0 -m alone tests/e2e tests/machine
  # Those that share the images run one after another, and beside them the logins at a registry.
  call docker .venv/bin/python -m pytest -n 2 --dist loadfile -m docker
  # Only the files that have such tests: the others import what this environment lacks.
  mapfile -t files < <(git grep -l 'pytest.mark.ngc' -- 'tests/*.py')
  call ngc .venv-ngc/bin/python -m pytest -n logical --dist worksteal -m ngc "${files[@]}"
}

# selection NAME: make that call
selection() {
  local parts
  IFS=$'\t' read -r -a parts < <(selections | grep "^$1"$'\t')
  "${parts[@]:1}"
}

# The rooms: whatever folder of tests/ is none of the long ones.
fast_tests() {
  local long=() name
  for name in docker e2e shell standin; do long+=("--ignore=tests/$name"); done
  .venv/bin/python -m pytest -n logical --dist worksteal -m "not docker and not alone" "${long[@]}"
}

lint() {
  local python=$ROOT/.venv/bin scripts
  "$python/ruff" check .
  "$python/ruff" format --check .
  "$python/mypy"
  PYTHONPATH=scripts "$python/lint-imports" --no-logo
  mapfile -t scripts < <(git ls-files '*.sh' '*.bash' .ci/run)
  if command -v shellcheck >/dev/null; then shellcheck -x "${scripts[@]}"; else lacking shellcheck; fi
  mapfile -t yaml < <(git ls-files '*.yml' '*.yaml')
  [ ${#yaml[@]} = 0 ] || "$python/yamllint" --strict "${yaml[@]}"
}

# What mostly waits runs beside what computes. Its words are shown whole when it is waited for, and its status counts.
declare -A beside=()
said=$(mktemp -d)
trap end_all EXIT

# begin NAME COMMAND...: start it in a process group of its own, so that it can be ended with all that it started
begin() {
  local name=$1
  shift
  set -m
  "$@" </dev/null >"$said/$name" 2>&1 &
  beside[$name]=$!
  set +m
}

# finish NAME: wait for what was begun; its failure ends this script as one in the foreground does
finish() {
  local status=0
  wait "${beside[$1]}" || status=$?
  unset "beside[$1]"
  cat "$said/$1"
  return "$status"
}

end_all() {
  local job
  for job in "${beside[@]}"; do
    kill -INT -- "-$job" 2>/dev/null || true  # on which pytest takes down what its fixtures started
    wait "$job" 2>/dev/null || true
  done
  rm -rf "$said"
}

case ${1:-} in
  --selections) selections; exit ;;
  --fast | --lint) [ $# = 1 ] || die "$1 takes nothing beside it, and $2 was given." ;;
esac

make_environment "$ROOT/.venv" requirements/local.lock
if [ ! -x .venv/bin/ruff ] || [ "$(cat .venv/.stamp-test 2>/dev/null)" != "$(stamp .venv requirements/*.lock)" ]; then
  say "setting up what the tests need (once)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/test.lock
  stamp .venv requirements/*.lock >.venv/.stamp-test
fi
case ${1:-} in
  --lint) lint; exit ;;
  --fast) lint; fast_tests; exit ;;
  ?*)
    # Asked before anything runs: the linters would be waited for in vain. pytest knows its own options.
    refusal=$({ .venv/bin/python -m pytest --markers "$@" 2>&1 >/dev/null || true; } | sed -n 's/^.*: error: //p')
    [ -z "$refusal" ] || die "$refusal; known are --fast, --lint, --selections and what pytest takes."
    ;;
esac
if command -v bats >/dev/null; then begin shell selection shell; else lacking bats; fi
if [ $# = 0 ]; then
  begin site bash scripts/site.sh --install
  begin fleet bash scripts/fleet.sh --install
fi
lint
if [ $# -gt 0 ]; then
  [ -z "${beside[shell]:-}" ] || finish shell
  .venv/bin/python -m pytest "$@"
else
  finish site
  finish fleet
  begin environment make_ngc_environment "$ROOT/.venv-ngc"
  status=0
  selection plain || status=$?
  [ -z "${beside[shell]:-}" ] || finish shell || status=$?
  finish environment
  selection alone || status=$?
  # Not beside the tests above: some of them measure, and both together take no less time.
  torch=$(torch_in .venv-ngc)
  say "again under transformers 4.57.3, numpy 1.26.4 and torch $torch, and beside it what needs a Docker engine"
  begin docker selection docker
  selection ngc || status=$?
  finish docker || status=$?
  untested_torch .venv-ngc
  [ "$status" = 0 ] || exit "$status"
fi
for tool in "${skipped[@]}"; do say "SKIPPED: $tool"; done
