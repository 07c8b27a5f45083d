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

# has_tensorrt PYTHON: whether TensorRT-LLM is installed for it. It is looked for, not imported, which takes seconds and
# prints; and not in the working folder, where any folder of that name would do.
has_tensorrt() {
  "$1" -c 'import importlib.util, sys
sys.path = [place for place in sys.path if place]
found = importlib.util.find_spec("tensorrt_llm")
sys.exit(found is None or found.origin is None)' >/dev/null 2>&1
}

# in_nvidias_image PYTHON: what our own image sets up once and NVIDIA's has not: the packages that it lacks, for
# trtbench/__init__.py to put at the end of the path; a home, where the user has none; Open MPI's leave to be root
in_nvidias_image() {
  local folder file
  for file in docker/missing.py requirements/image.lock; do
    [ -f "$ROOT/$file" ] || die "$ROOT/$file is not there; give the container the whole clone, not scripts/ alone."
  done
  if ! [ -w "${HOME:-/nowhere}" ]; then
    HOME=$(mktemp -d)
    export HOME
  fi
  folder=$("$1" -B "$ROOT/docker/missing.py" --beside) || exit
  # No __pycache__, which would be root's in the user's clone.
  export TRTBENCH_PACKAGES=$folder PYTHONDONTWRITEBYTECODE=1
  id -un >/dev/null 2>&1 || export USER=benchmark LOGNAME=benchmark
  [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
}

# local_package MODULE ARGUMENT...: a command of the package in the local environment, in an image in the image's Python;
# it replaces this shell, so signals and the exit status are its own
local_package() {
  if [ -n "${TRTBENCH_IMAGE:-}" ]; then
    package_in "$(command -v python3)" "$@"
  fi
  make_environment "$ROOT/.venv" "$ROOT/requirements/local.lock"
  package_in "$ROOT/.venv/bin/python" "$@"
}

# package MODULE ARGUMENT...: the same in the Python that has TensorRT-LLM, where there is one
package() {
  local python
  if [ -z "${TRTBENCH_IMAGE:-}" ]; then
    python=$(python_command)
    if has_tensorrt "$python"; then
      in_nvidias_image "$python"
      package_in "$python" "$@"
    fi
  fi
  local_package "$@"
}

# package_in PYTHON MODULE ARGUMENT...
package_in() {
  local python=$1 module=$2
  shift 2
  export PYTHONPATH="$ROOT/scripts${PYTHONPATH:+:$PYTHONPATH}"
  exec "$python" -m "trtbench.$module" "$@"
}

# bench ARGUMENT...: the benchmark itself
bench() { package bench "$@"; }
