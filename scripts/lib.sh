# Shared by the scripts here; source it. It finds or makes the Python that runs the package.
# shellcheck shell=bash

set -Eeuo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TORCH_VERSION=2.13.0
NGC_TORCH_VERSION=2.10.0 # of the NGC image
TORCH_INDEX=${TORCH_INDEX-https://download.pytorch.org/whl}
TORCH_CPU_INDEX=${TORCH_CPU_INDEX-$TORCH_INDEX/cpu}
export TRTBENCH_COMMAND="${TRTBENCH_COMMAND:-bash scripts/$(basename "$0")${*:+ $*}}"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 2; }

# python_command: the newest interpreter here that is 3.10 or newer
python_command() {
  local name
  if [ -n "${TRTBENCH_PYTHON:-}" ] && ! "$TRTBENCH_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
    die "TRTBENCH_PYTHON='$TRTBENCH_PYTHON' is no Python 3.10 or newer that runs here; name one, or leave it empty."
  fi
  for name in "${TRTBENCH_PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
    [ -n "$name" ] || continue
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  die "no Python 3.10 or newer was found; install one, or name it in TRTBENCH_PYTHON."
}

# torch_in FOLDER: the version of torch in an environment, without what it was built for; nothing where there is none
torch_in() {
  "$1/bin/python" -c 'import importlib.metadata as m; print(m.version("torch").split("+")[0])' 2>/dev/null || true
}

# stamp FOLDER FILE...: what an environment was made from, the torch that was asked for and the one that is there
stamp() {
  local folder=$1
  shift
  { "$folder/bin/python" -V; echo "torch $TORCH_VERSION${TORCH_BUILD:+ $TORCH_BUILD}, is $(torch_in "$folder")"; cat "$@"; } | cksum
}

# make_environment FOLDER LOCK...: a virtual environment with these locks, made once. TORCH_BUILD says which torch comes first: the
# CPU build (unset), a build of PyTorch's index such as cu126, or none (-), where a lock has it
make_environment() {
  local folder=$1 python lock
  shift
  if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$(stamp "$folder" "$@" 2>/dev/null)" ]; then
    return
  fi
  python=$(python_command)
  may_make "$folder" "$python"
  say "setting up $(basename "$folder") (once, a few minutes)"
  take_proxies "$python"
  # First of all, so that it is known as ours whatever ends this; trtbench/settings/environments.py knows by this word that not
  # all of it is there.
  mkdir -p "$folder" && echo unfinished >"$folder/.stamp"
  [ -x "$folder/bin/python" ] || "$python" -m venv "$folder" ||
    die "$python could not make a virtual environment in $folder; the lines above say why."
  # pip takes torch 2.13.0 and 2.13.0+cu126 for the same and would leave the build for another driver or card.
  if [ -f "$folder/.torch" ] && [ "$(cat "$folder/.torch")" != "${TORCH_BUILD:-cpu}" ]; then
    "$folder/bin/python" -m pip uninstall --quiet --disable-pip-version-check --yes torch || true
  fi
  echo "${TORCH_BUILD:-cpu}" >"$folder/.torch"
  case ${TORCH_BUILD:-cpu} in
    -) ;;
    cpu) install_torch "$folder" "$TORCH_VERSION" "${TORCH_INSTEAD:-}" ;;
    *) install "$folder" "--index-url $TORCH_INDEX/$TORCH_BUILD" --index-url "$TORCH_INDEX/$TORCH_BUILD" "torch==$TORCH_VERSION" ;;
  esac
  for lock in "$@"; do
    install "$folder" "$(basename "$lock")" -r "$lock"
  done
  stamp "$folder" "$@" >"$folder/.stamp"
  give_to_owner "$folder"
}

# install FOLDER WHAT PIP-ARGUMENT...: into an environment
install() {
  local folder=$1 what=$2 status=0
  shift 2
  # pip ends with status 1 on Ctrl-C, as on any failure; this shell gets the signal too, and would go on.
  trap 'exit 130' INT
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || status=$?
  trap - INT
  [ "$status" = 0 ] || die "installing $what failed; the lines above say why."
}

# may_make FOLDER PYTHON: what stands in the way of a virtual environment, told before anything is tried
may_make() {
  local folder=$1 python=$2 place=$1 owner
  [ -e "$folder" ] || place=$(dirname "$folder")
  if ! [ -w "$place" ] || ! [ -x "$place" ]; then
    owner=$(stat -L -c %U "$place")
    [ "$owner" != "$(user)" ] || die "$place cannot be written, though it is yours: its mode or a read-only mount forbids it."
    die "$place belongs to $owner, and $(user) may not write it; it is yours after: sudo chown -R $(user) '$place'"
  fi
  if [ -n "${TORCH_BUILD:-}" ] && [ -e "$folder" ] && { [ -L "$folder" ] || ! [ -f "$folder/.stamp" ]; }; then
    die "$folder was not made by this project, so nothing is installed into it; install what lacks yourself, or remove it."
  fi
  if [ -L "$folder/bin/python" ] && ! [ -x "$folder/bin/python" ]; then
    die "$folder was made with a Python that is not here, or that $(user) may not run ($(readlink "$folder/bin/python")): remove the folder" \
      "to have it made anew."
  fi
  [ -x "$folder/bin/python" ] || "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    die "$python cannot make a virtual environment; install its venv module (Debian and Ubuntu: python3-venv)."
}

# take_proxies PYTHON: pip needs what .env says of the network before anybody else reads that file
take_proxies() {
  local pairs pair
  [ -f "$ROOT/.env" ] || return 0
  pairs=$(PYTHONPATH="$ROOT/scripts" "$1" -B -m trtbench.settings handed-on) || exit
  while IFS= read -r pair; do
    [ -z "$pair" ] || export "${pair?}"
  done <<<"$pairs"
}

# user: who runs this; a container may have no name for it
user() { id -un 2>/dev/null || id -u; }

# give_to_owner FOLDER: what root made in somebody's clone, as with sudo, is theirs, or they could not go on without it; the same is
# spared as in trtbench/records/ownership.py
give_to_owner() {
  local owner
  owner=$(stat -c %u:%g "$ROOT") || return 0
  [ "$(id -u)" != 0 ] || [ "${owner%:*}" = 0 ] || [ -L "$1" ] ||
    find "$1" -depth -xdev -uid 0 \( -type d -o -links 1 ! -perm /6000 \) -exec chown -h "$owner" {} + 2>/dev/null || true
}

# make_ngc_environment FOLDER: the versions of the NGC image; torch's too, where PyTorch's index has the CPU build of it
make_ngc_environment() {
  local TORCH_INSTEAD=$TORCH_VERSION TORCH_VERSION=$NGC_TORCH_VERSION
  make_environment "$1" "$ROOT/requirements/ngc.lock"
}

# untested_torch FOLDER: says so where that environment has another torch than the NGC image
untested_torch() {
  local there
  there=$(torch_in "$1")
  [ "$there" = "$NGC_TORCH_VERSION" ] ||
    say "NOT TESTED: torch $NGC_TORCH_VERSION, the NGC image's; $(basename "$1") has $there (no CPU build was to be had; remove the folder to try again)"
}

# install_torch FOLDER VERSION [INSTEAD]: the CPU build, from PyTorch's own index where that answers within seconds and has it.
# Elsewhere whatever the default index has of it, which may be gigabytes; or rather INSTEAD, where that is given.
install_torch() {
  local folder=$1 version=$2 instead=${3:-} source=()
  [ "$(torch_in "$folder")" != "$version" ] || return 0
  if cpu_index_has "$folder" "$version"; then
    source=(--index-url "$TORCH_CPU_INDEX")
  elif [ -n "$instead" ]; then
    say "$(basename "$folder") gets torch $instead in the place of $version, of which no CPU build is to be had here"
    install_torch "$folder" "$instead"
    return
  else
    say "PyTorch's CPU wheel index does not answer, or not with torch $version; taking it from the default index"
  fi
  install "$folder" "torch $version" "${source[@]}" "torch==$version"
}

# cpu_index_has FOLDER VERSION: whether PyTorch's index answers with that CPU build for this Python and this machine
cpu_index_has() {
  [ -n "$TORCH_CPU_INDEX" ] && "$1/bin/python" - "$TORCH_CPU_INDEX" "$2" 2>/dev/null <<'PY'
import platform, re, sys, urllib.request
index, version = sys.argv[1:]
page = urllib.request.urlopen(index.rstrip("/") + "/torch/", timeout=5).read().decode()
python = "cp%d%d" % sys.version_info[:2]
build = rf"torch-{re.escape(version)}((\+|%2B)cpu)?-{python}-[\w.-]*{re.escape(platform.machine())}\.whl"
sys.exit(re.search(build, page, re.IGNORECASE) is None)
PY
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
  elif [ "$1" = bench ]; then
    bench_here "$@"
  fi
  make_environment "$ROOT/.venv" "$ROOT/requirements/local.lock"
  package_in "$ROOT/.venv/bin/python" "$@"
}

# bench_here bench ARGUMENT...: the benchmark in the environments that it needs on this machine, which are made first
bench_here() {
  local python plan lines line word folder build need locks
  python=$(python_command) || exit
  case " $* " in
    *" --help "* | *" -h "* | *" --version "*) PYTHONPATH="$ROOT/scripts" exec "$python" -B -m trtbench.doctor.needed "${@:2}" ;;
  esac
  plan=$(PYTHONPATH="$ROOT/scripts" "$python" -B -m trtbench.doctor.needed "${@:2}") || exit
  mapfile -t lines <<<"$plan"
  for line in "${lines[@]}"; do
    IFS=$'\t' read -r word folder build need locks <<<"$line"
    case $word in
      make) make_planned "$folder" "$build" "$need" "$locks" ;;
      run)
        # What was planned is what runs: where nvidia-smi is not here, another library may still show a card.
        [ -z "$build" ] || export DEVICE=$build
        run_in "$python" "$folder" "$@"
        ;;
    esac
  done
  exit 0  # --install: there is nothing to run
}

# make_planned FOLDER BUILD needed|optional LOCKS: one line of the plan; the run goes on without what is optional
make_planned() {
  local folder=$ROOT/$1 TORCH_BUILD=$2 need=$3 lock locks=() before status=0
  for lock in $4; do locks+=("$ROOT/requirements/$lock.lock"); done
  # The CPU's own environment is made as the tests make it.
  [ "$TORCH_BUILD" != cpu ] || [ "$1" != .venv ] || unset TORCH_BUILD
  before=$(cat "$folder/.stamp" 2>/dev/null || echo unfinished)
  (make_environment "$folder" "${locks[@]}") || status=$?
  [ "$status" != 0 ] || return 0
  if [ "$before" = unfinished ]; then
    [ "$need" != optional ] || [ "$status" = 130 ] || { say "$1 could not be made; the run goes on without its lanes"; return 0; }
    exit "$status"
  fi
  # pip fetches all before it installs any: without a network, what was whole is whole still.
  [ -L "$folder" ] || echo "$before" >"$folder/.stamp"
  [ "$need" = optional ] && [ "$status" != 130 ] || exit "$status"
  say "$1 could not be brought up to date; its lanes run in what is there"
}

# run_in PYTHON FOLDER MODULE ARGUMENT...: in that environment; in PYTHON itself, with what it lacks beside it, where FOLDER is -
run_in() {
  local python=$1 folder=$2
  shift 2
  if [ "$folder" = - ]; then
    TRTBENCH_PACKAGES=$("$python" -B "$ROOT/docker/missing.py" --beside) || exit
    export TRTBENCH_PACKAGES
    package_in "$python" "$@"
  fi
  package_in "$ROOT/$folder/bin/python" "$@"
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

# package MODULE ARGUMENT...: the same in the Python that has TensorRT-LLM, where there is one
package() {
  local python
  if [ -z "${TRTBENCH_IMAGE:-}" ]; then
    if python=$(python_command 2>/dev/null) && has_tensorrt "$python"; then
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
  # As activating an environment does: engines look for their tools (ninja) there.
  [ ! -f "$(dirname "$python")/../pyvenv.cfg" ] || PATH=$(dirname "$python"):$PATH
  export PYTHONPATH="$ROOT/scripts${PYTHONPATH:+:$PYTHONPATH}"
  take_device
  exec "$python" -m "trtbench.$module" "$@"
}

# bench ARGUMENT...: the benchmark itself
bench() { package bench "$@"; }
