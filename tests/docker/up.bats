#!/usr/bin/env bats
# scripts/up.sh with Docker replaced on PATH.

setup() {
  root=$BATS_TEST_TMPDIR/clone
  mkdir -p "$root/scripts" "$BATS_TEST_TMPDIR/bin"
  cp "$BATS_TEST_DIRNAME/../../scripts/up.sh" "$root/scripts/"
  cat >"$BATS_TEST_TMPDIR/bin/docker" <<'FAKE'
#!/usr/bin/env bash
echo "$*" >>"$CALLS"
case $* in
  *version*) exit "${NO_COMPOSE:-0}" ;;
  *" config")
    case ${COMPOSE_FILE:-} in
      *compose.cards.yml*) [ -z "${OLD:-}" ] || cat "$OLD" ;;
      *) [ -z "${CONFIG:-}" ] || cat "$CONFIG" ;;
    esac
    exit "${CONFIG_STATUS:-0}"
    ;;
  *" build "*) exit "${BUILD_STATUS:-0}" ;;
  *" up "*)
    echo "files: ${COMPOSE_FILE:-none}" >>"$CALLS"
    for file in ${WRITES:-}; do mkdir -p "$(dirname "$file")"; touch "$file"; done
    exit "${UP_STATUS:-0}"
    ;;
esac
FAKE
  printf '#!/bin/sh\nexec docker "$@"\n' >"$BATS_TEST_TMPDIR/bin/docker-compose"
  chmod +x "$BATS_TEST_TMPDIR/bin/docker" "$BATS_TEST_TMPDIR/bin/docker-compose"
  export CALLS=$BATS_TEST_TMPDIR/calls PATH=$BATS_TEST_TMPDIR/bin:$PATH
  results=data/results
  both="$results/benchmark_comparison_report.json $results/benchmark_comparison.png"
}

up() { run bash "$root/scripts/up.sh" "$@"; }

@test "auto is the default; it is built, run, and its results are new" {
  WRITES=$both up
  [ "$status" -eq 0 ]
  grep -q "compose --profile auto build benchmark-full" "$CALLS"
  grep -q "compose --profile auto up --no-build --exit-code-from benchmark-full benchmark-full" "$CALLS"
}

@test "results of an earlier run are not taken for new ones" {
  mkdir -p "$root/$results"
  (cd "$root" && touch -d '1 hour ago' $both)
  up auto
  [ "$status" -eq 4 ]
  [[ $output == *"is not from this run"* ]]
}

@test "no results at all are not taken for new ones" {
  up compare-only
  [ "$status" -eq 4 ]
}

@test "the service's exit status is passed on" {
  UP_STATUS=7 WRITES=$both up auto
  [ "$status" -eq 7 ]
  [[ $output == *"benchmark-full ended with exit status 7"* ]]
}

@test "a failed build ends it before anything runs" {
  BUILD_STATUS=17 up cpu
  [ "$status" -eq 17 ]
  ! grep -q " up " "$CALLS"
}

@test "--no-build builds nothing" {
  WRITES="$results/pytorch_benchmark.json" up --no-build pytorch-only
  [ "$status" -eq 0 ]
  ! grep -q " build " "$CALLS"
}

@test "build-only wants an engine to be there" {
  up build-only
  [ "$status" -eq 4 ]
  WRITES=data/engines/one/engine.json up build-only
  [ "$status" -eq 0 ]
}

@test "what it takes is told first; what can't be told is left out" {
  printf 'echo "estimate: for $2"; exit "${DOCTOR_STATUS:-0}"\n' >"$root/scripts/doctor.sh"
  WRITES=$both up auto
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == "estimate: for auto" ]]
  DOCTOR_STATUS=2 WRITES=$both up auto
  [ "$status" -eq 0 ]
}

@test "an unknown profile, an unknown option and two profiles are refused" {
  for words in nonsense --nonsense "auto cpu"; do
    # shellcheck disable=SC2086
    up $words
    [ "$status" -eq 2 ]
    [[ $output == error:* ]]
  done
  [ ! -e "$CALLS" ]
}

@test "without the plugin docker-compose is taken" {
  NO_COMPOSE=1 WRITES=$both up auto
  [ "$status" -eq 0 ]
  grep -q "^--profile auto up" "$CALLS"
}

@test "without any Compose it says so" {
  rm "$BATS_TEST_TMPDIR/bin/docker-compose"
  mkdir "$BATS_TEST_TMPDIR/few"
  for tool in bash cat dirname mktemp mkdir rm; do ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/few/"; done
  ln -s "$BATS_TEST_TMPDIR/bin/docker" "$BATS_TEST_TMPDIR/few/docker"
  ln -s "$(command -v env)" "$BATS_TEST_TMPDIR/few/env"
  NO_COMPOSE=1 PATH=$BATS_TEST_TMPDIR/few up auto
  [ "$status" -eq 3 ]
  [[ $output == *"Docker Compose is not installed"* ]]
}

# resolved TP_SIZE [LINE]: what Compose makes of the file, a reservation of one card among it
resolved() {
  export CONFIG=$BATS_TEST_TMPDIR/config
  printf 'services:\n  one:\n    deploy:\n      %s\n    environment:\n      TP_SIZE: "%s"\nx-gpu:\n  device_ids:\n' \
    "${2:-device_ids:}" "$1" >"$CONFIG"
}

# files WANTED: the files that the container was started with
files() { [ "$(grep '^files' "$CALLS" | tail -n 1)" = "files: $1" ]; }

@test "several cards: the file for them is added, behind the first one" {
  resolved 2
  WRITES=$both up auto
  [ "$status" -eq 0 ]
  files docker-compose.yml:docker/compose.cards.yml
  touch "$root/docker-compose.override.yml"
  WRITES=$both up auto
  files docker-compose.yml:docker/compose.cards.yml:docker-compose.override.yml
  COMPOSE_FILE=docker-compose.yml:docker/compose.tight.yml WRITES=$both up auto
  files docker-compose.yml:docker/compose.cards.yml:docker/compose.tight.yml
  echo "COMPOSE_FILE='docker-compose.yml:docker/compose.ca.yml' # of this network" >"$root/.env"
  WRITES=$both up auto
  files docker-compose.yml:docker/compose.cards.yml:docker/compose.ca.yml
}

@test "one card, no card and what is no number: no file is added" {
  for size in 1 '' two; do
    resolved "$size"
    WRITES=$both up auto
    [ "$status" -eq 0 ]
    files none
  done
  resolved 2 'count: 2'
  WRITES=$both up auto
  [ "$status" -eq 0 ]
  files none
  CONFIG_STATUS=1 WRITES=$both up auto
  [ "$status" -eq 0 ]
}

@test "a Compose that can't give several cards is told before anything is built" {
  resolved 4
  OLD=$CONFIG up auto
  [ "$status" -eq 3 ]
  [[ $output == *"TP_SIZE above 1 needs Docker Compose 2.24.4 or newer"* ]]
  ! grep -q " build " "$CALLS"
}
