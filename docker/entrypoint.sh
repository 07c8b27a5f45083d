#!/usr/bin/env bash
# Entrypoint of both images. It starts as root, becomes the owner of data/ for good, and runs the command in
# NVIDIA's environment. Steps that need the device for themselves wait for each other in scripts/lib.sh.
#   TRTBENCH_OWNED  the folder whose owner is taken (default data)
set -euo pipefail

owned=${TRTBENCH_OWNED:-data}
say() { printf '%s\n' "$*" >&2; }
# may_be_given: no for a folder of root's that is no part of the clone: on another disk, or with what is none of ours in it
may_be_given() {
  [ "$(stat -c %u "$owned")" = 0 ] || return 0
  [ "$(stat -c %d "$owned")" = "$(stat -c %d scripts)" ] || return 1
  [ -z "$(find "$owned" -mindepth 1 -maxdepth 1 ! -name .gitkeep ! -name cache ! -name checkpoints ! -name engines ! -name models \
    ! -name results ! -name runs ! -name 'benchmark_comparison*' ! -name '*_benchmark.json' -print -quit)" ]
}
[ -d "$owned" ] || { say "error: $PWD/$owned is not mounted; start this image through docker-compose.yml."; exit 2; }

if [ "$(id -u)" = 0 ] && [ -z "${TRTBENCH_DROPPED:-}" ]; then
  uid=$(stat -c %u "$owned") gid=$(stat -c %g "$owned")
  # Docker makes a missing data/ as root. Then it is meant for whoever made the clone.
  if [ "$uid" = 0 ] && [ -d scripts ] && [ "$(stat -c %u scripts)" != 0 ]; then
    uid=$(stat -c %u scripts) gid=$(stat -c %g scripts)
  fi
  # What root left there of what this program makes, by name, as with sudo or in NVIDIA's image as it comes: data/ may be a link to
  # a folder with more in it. The same is spared as in scripts/trtbench/records/ownership.py. What is in a folder comes first: once
  # it is somebody else's, it may be closed to this root, who has few privileges. Where owners can't be changed, all stays as it
  # is; 65534 is an owner whom a rootless engine doesn't know.
  give() {
    find "$@" -depth -xdev -uid 0 \( -type d -o -links 1 ! -perm /6000 \) -exec chown -h "$uid:$gid" {} + 2>/dev/null || true
  }
  if [ "$uid" != 0 ] && [ "$uid" != 65534 ] && may_be_given; then
    for folder in "$owned/results" "$owned"; do
      [ -L "$folder" ] || give "$folder"/{runs,.gitkeep} "$folder"/{benchmark_comparison*,*_benchmark.json}
    done
    give "$owned"/{cache,checkpoints,engines,models}
    give "$owned/results" "$owned" -maxdepth 0
  fi
  # MPI and Python's getpass look the user up; a uid of the host has no entry here. A read-only image keeps none.
  if ! getent passwd "$uid" >/dev/null && [ -w /etc/passwd ]; then
    echo "benchmark:x:$uid:$gid::/tmp/home:/bin/bash" >>/etc/passwd
  fi
  # A host may keep its cards to a group (often video); without it they are there and can't be opened.
  groups=''
  for device in /dev/nvidia*; do
    # Whom the file's mode lets in needs no group, and root's own is given to nobody.
    if [ -c "$device" ] && [[ $(stat -c %A "$device") != *rw? ]]; then
      group=$(stat -c %g "$device")
      [ "$group" = 0 ] || groups+=${groups:+,}$group
    fi
  done
  keep=(--clear-groups)
  [ -z "$groups" ] || keep=(--groups "$groups")
  export TRTBENCH_DROPPED=1
  exec setpriv --reuid "$uid" --regid "$gid" "${keep[@]}" --no-new-privs --inh-caps=-all --ambient-caps=-all \
    --bounding-set=-all -- bash "$0" "$@"
fi
unset TRTBENCH_DROPPED

# What docker-compose.yml hands on where it is set, and leaves as it was where it is not.
for given in "${!TRTBENCH_GIVEN_@}"; do
  [ -z "${!given}" ] || export "${given#TRTBENCH_GIVEN_}=${!given}"
  unset "$given"
done

export HOME=/tmp/home USER=benchmark LOGNAME=benchmark
mkdir -p "$HOME"
if [ "$(id -u)" = 0 ]; then
  # Open MPI refuses root unless told twice.
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
[ -w "$owned" ] || { say "error: user $(id -u) may not write $PWD/$owned; it belongs to user $(stat -c %u "$owned"); on the host," \
  "sudo chown $(id -u) DATA gives it, DATA being that folder there."; exit 2; }

if [ -x /opt/nvidia/nvidia_entrypoint.sh ]; then
  exec /opt/nvidia/nvidia_entrypoint.sh "$@"
fi
exec "$@"
