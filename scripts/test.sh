#!/usr/bin/env bash
# All checks: lint, types, shell, tests, and the PyTorch lanes again under the versions of the NGC image.
#   bash scripts/test.sh [--lint] [pytest arguments]
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

lint() {
  local python=$ROOT/.venv/bin scripts
  "$python/ruff" check .
  "$python/ruff" format --check .
  "$python/mypy"
  mapfile -t scripts < <(git ls-files '*.sh' '*.bash' .ci/run)
  if command -v shellcheck >/dev/null; then shellcheck -x "${scripts[@]}"; else lacking shellcheck; fi
  mapfile -t yaml < <(git ls-files '*.yml' '*.yaml')
  [ ${#yaml[@]} = 0 ] || "$python/yamllint" --strict "${yaml[@]}"
}

shell_tests() {
  local files
  mapfile -t files < <(git ls-files 'tests/*.bats')
  [ ${#files[@]} -gt 0 ] || return 0
  if command -v bats >/dev/null; then bats "${files[@]}"; else lacking bats; fi
}

make_environment "$ROOT/.venv" requirements/local.lock
if [ ! -x .venv/bin/ruff ] || [ "$(cat .venv/.stamp-test 2>/dev/null)" != "$(stamp .venv requirements/*.lock)" ]; then
  say "setting up what the tests need (once)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/test.lock
  stamp .venv requirements/*.lock >.venv/.stamp-test
fi
lint
[ "${1:-}" != --lint ] || exit 0
shell_tests
if [ $# -gt 0 ]; then
  .venv/bin/python -m pytest "$@"
else
  # Each core takes what is left to do. What needs a Docker engine shares one.
  .venv/bin/python -m pytest -n logical --dist worksteal -m "not docker"
  .venv/bin/python -m pytest -m docker tests/docker
  make_environment "$ROOT/.venv-ngc" requirements/ngc.lock
  say "again under transformers 4.57.3 and numpy 1.26.4"
  # Only the files that have such tests: the others import what this environment lacks.
  mapfile -t files < <(git grep -l 'pytest.mark.ngc' -- 'tests/*.py')
  .venv-ngc/bin/python -m pytest -n logical --dist worksteal -m ngc "${files[@]}"
fi
for tool in "${skipped[@]}"; do say "SKIPPED: $tool"; done
