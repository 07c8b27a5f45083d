# Shared by the scripts here; source it. It finds or makes the Python that runs the package.
# shellcheck shell=bash

set -Eeuo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TORCH_VERSION=2.13.0
TORCH_CPU_INDEX=${TORCH_CPU_INDEX-https://download.pytorch.org/whl/cpu}
export TRTBENCH_COMMAND="${TRTBENCH_COMMAND:-bash scripts/$(basename "$0")${*:+ $*}}"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 2; }

# python_command: the newest interpreter here that is 3.10 or newer
python_command() {
  local name
  for name in "${TRTBENCH_PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
    [ -n "$name" ] || continue
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  die "no Python 3.10 or newer was found; install one, or name it in TRTBENCH_PYTHON."
}

# stamp FOLDER FILE...: what an environment was made from
stamp() {
  local folder=$1
  shift
  { "$folder/bin/python" -V; echo "torch $TORCH_VERSION"; cat "$@"; } | cksum
}

# make_environment FOLDER LOCK...: a virtual environment with these locks and torch's CPU build, made once
make_environment() {
  local folder=$1 python lock
  shift
  if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$(stamp "$folder" "$@" 2>/dev/null)" ]; then
    return
  fi
  python=$(python_command)
  say "setting up $(basename "$folder") (once, a few minutes)"
  rm -f "$folder/.stamp"
  [ -x "$folder/bin/python" ] || "$python" -m venv "$folder" ||
    die "$python cannot make a virtual environment; install its venv module (Debian and Ubuntu: python3-venv)."
  install_torch "$folder"
  for lock in "$@"; do
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$lock" ||
      die "installing $(basename "$lock") failed; the lines above say why."
  done
  stamp "$folder" "$@" >"$folder/.stamp"
}

# install_torch FOLDER: the CPU build, from PyTorch's own index where that answers within seconds
install_torch() {
  local folder=$1 source=()
  if "$folder/bin/python" -c "import importlib.metadata as m, sys; sys.exit(m.version('torch').split('+')[0] != '$TORCH_VERSION')" 2>/dev/null; then
    return
  fi
  if [ -n "$TORCH_CPU_INDEX" ] && "$folder/bin/python" - "$TORCH_CPU_INDEX" 2>/dev/null <<'PY'
import sys, urllib.request
urllib.request.urlopen(sys.argv[1].rstrip("/") + "/torch/", timeout=5).read(1)
PY
  then
    source=(--index-url "$TORCH_CPU_INDEX")
  else
    say "PyTorch's CPU wheel index does not answer; taking torch from the default index"
  fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${source[@]}" "torch==$TORCH_VERSION" ||
    die "installing torch $TORCH_VERSION failed; the lines above say why."
}

# runner_python: the image's own Python inside the project's images, else the local environment
runner_python() {
  if [ -n "${TRTBENCH_IMAGE:-}" ]; then
    command -v python3
  else
    make_environment "$ROOT/.venv" "$ROOT/requirements/local.lock"
    echo "$ROOT/.venv/bin/python"
  fi
}

# take_device: wait for whoever has the device. The containers share a lock file (TRTBENCH_EXCLUSIVE); what this shell becomes
# inherits the lock and holds it until it ends, however it ends. A shell in which nothing is started holds none.
take_device() {
  [ -n "${TRTBENCH_EXCLUSIVE:-}" ] || return 0
  mkdir -p "$(dirname "$TRTBENCH_EXCLUSIVE")"
  exec 9>>"$TRTBENCH_EXCLUSIVE"
  if ! flock --nonblock 9; then
    say "another step has the device; waiting for it to end"
    flock 9
  fi
  unset TRTBENCH_EXCLUSIVE  # what it starts in turn would wait for itself
}

# package MODULE ARGUMENT...: a command of the package; replaces this shell, so signals and the exit status are its own
package() {
  local python module=$1
  shift
  python=$(runner_python)
  export PYTHONPATH="$ROOT/scripts${PYTHONPATH:+:$PYTHONPATH}"
  take_device
  exec "$python" -m "trtbench.$module" "$@"
}

# bench ARGUMENT...: the benchmark itself
bench() { package bench "$@"; }
