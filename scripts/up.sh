#!/usr/bin/env bash
# Runs a profile of docker-compose.yml with the exit status that counts: plain `up` ends with 0 when its service fails.
# scripts/up.ps1 is the same for PowerShell: flags, exit status and help text are equal, and a test holds them so.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TEXT'
Usage: up [OPTION ...] [PROFILE]

Builds what the profile needs, runs its service in Docker, and checks that its results are new.

  profile        service              result
  auto           benchmark-full       engine, all lanes interleaved, comparison (the default)
  build-only     build-engine         the TensorRT engine
  pytorch-only   benchmark-pytorch    the PyTorch lanes
  tensorrt-only  benchmark-tensorrt   the TensorRT-LLM lanes
  vllm-only      benchmark-vllm       the vLLM lane, in vLLM's own image
  compare-only   compare-results      the comparison, without a GPU
  cpu            benchmark-cpu        the CPU lanes and their comparison, without a GPU

Options:
  --no-build  take the image as it is
  --help      show this text

Exit status: the service's own; 2 for a wrong argument, 3 when Docker Compose is not there,
4 when the service ended well and its results are not from this run.
TEXT
}

refuse() {
  printf 'error: %s\n' "$1" >&2
  exit "$2"
}

profile='' build=yes
for argument in "$@"; do
  case $argument in
    --help) usage; exit 0 ;;
    --no-build) build=no ;;
    -*) refuse "$argument is not an option; --help lists them." 2 ;;
    *)
      [ -z "$profile" ] || refuse "one profile at a time: $profile or $argument." 2
      profile=$argument
      ;;
  esac
done

results=data/results
comparison=("$results/benchmark_comparison_report.json" "$results/benchmark_comparison.png")
fresh=()
case ${profile:=auto} in
  auto) service=benchmark-full fresh=("${comparison[@]}") ;;
  build-only) service="build-engine" ;;
  pytorch-only) service=benchmark-pytorch fresh=("$results/pytorch_benchmark.json") ;;
  tensorrt-only) service=benchmark-tensorrt fresh=("$results/tensorrt_benchmark.json") ;;
  vllm-only) service=benchmark-vllm fresh=("$results/vllm_benchmark.json") ;;
  compare-only) service=compare-results fresh=("${comparison[@]}") ;;
  cpu) service=benchmark-cpu fresh=("${comparison[@]}") ;;
  *) refuse "$profile is not a profile; --help lists them." 2 ;;
esac

if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  refuse "Docker Compose is not installed; see NVIDIA_SETUP.md." 3
fi
compose+=(--profile "$profile")

# services: the profile's services as Compose has them, with what the environment and .env set
services() {
  "${compose[@]}" config 2>/dev/null | awk '/^[^ ]/ { inside = /^services:/ } inside'
}

# A card is reserved by its number, which can't be a list: for several, docker/compose.cards.yml takes the place of that.
had=$(services) || had=''
size=$(sed -En 's/^ +TP_SIZE: *["'\'']?([0-9]+)["'\'']?$/\1/p' <<<"$had" | head -n 1)
if [[ ${size:-1} -gt 1 && $had == *device_ids:* ]]; then
  if [ -z "${COMPOSE_FILE:-}" ] && [ -f .env ]; then
    COMPOSE_FILE=$(sed -En 's/^ *(export +)?COMPOSE_FILE=["'\'']?([^"'\'' #]*).*/\2/p' .env | tail -n 1)
  fi
  if [ -z "${COMPOSE_FILE:-}" ]; then
    COMPOSE_FILE=docker-compose.yml
    [ ! -f docker-compose.override.yml ] || COMPOSE_FILE+=${COMPOSE_PATH_SEPARATOR:-:}docker-compose.override.yml
  fi
  # Right behind the first one, so that the user's own files have the last word.
  first=${COMPOSE_FILE%%"${COMPOSE_PATH_SEPARATOR:-:}"*}
  COMPOSE_FILE=$first${COMPOSE_PATH_SEPARATOR:-:}docker/compose.cards.yml${COMPOSE_FILE#"$first"}
  export COMPOSE_FILE
  had=$(services) || had=device_ids:
  [[ $had != *device_ids:* ]] ||
    refuse "TP_SIZE above 1 needs Docker Compose 2.24.4 or newer; update it, or set TP_SIZE=1." 3
fi

# What it takes, where a Python is here to tell; settings that are wrong are told by the service.
bash scripts/doctor.sh --estimate "$profile" 2>/dev/null || true

# For the images' labels, where this is a clone and git is here: a public address, without a password that may stand in it.
if [ -e .git ] && command -v git >/dev/null; then
  export TRTBENCH_REVISION TRTBENCH_SOURCE
  TRTBENCH_REVISION=$(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || true)
  TRTBENCH_SOURCE=$(git remote get-url origin 2>/dev/null | sed -En 's#^(https?://)([^/]*@)?#\1#p' || true)
fi

# Docker would make a missing folder as root.
mkdir -p "$results"
began=$(mktemp)
trap 'rm -f "$began"' EXIT

# An old container would show its old output, and Compose 1.29 fails on one whose image was made anew.
"${compose[@]}" rm --force --stop "$service"
[ "$build" = no ] || "${compose[@]}" build "$service"
status=0
"${compose[@]}" up --no-build --exit-code-from "$service" "$service" || status=$?
[ "$status" = 0 ] || refuse "$service ended with exit status $status; its messages stand above." "$status"

if [ "$profile" = build-only ]; then
  compgen -G 'data/engines/*/engine.json' >/dev/null || refuse "$service ended well, but data/engines holds no engine." 4
fi
for file in "${fresh[@]}"; do
  [ "$file" -nt "$began" ] || refuse "$service ended well, but $file is not from this run." 4
done
