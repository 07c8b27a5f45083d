#!/usr/bin/env bash
# A private Docker engine for tests: own data, own socket, gone when its owner is gone.
#
#   source tests/docker/engine.sh        engine_missing; engine_start [DOCKERD OPTION …]; engine_stop
#   bash tests/docker/engine.sh run [DOCKERD OPTION …] -- COMMAND …    run COMMAND with DOCKER_HOST set
#   bash tests/docker/engine.sh hold [DOCKERD OPTION …]    print the DOCKER_HOST, stay until standard input ends
#   bash tests/docker/engine.sh missing  say why no engine can be had here and exit 1, or exit 0
#
# Exit status of run: COMMAND's, or 125 when the engine did not start.

# The reason why this machine cannot start an engine, or nothing.
engine_missing() {
  local tool
  for tool in dockerd docker ip setpriv setsid; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || { echo "$tool is not installed"; return 0; }
  done
  [ "$(id -u)" -eq 0 ] || echo "dockerd needs root"
}

engine_start() {
  local deadline
  ENGINE_DIR=$(mktemp -d -t engine.XXXXXX) || return 1
  export DOCKER_HOST=unix://$ENGINE_DIR/docker.sock
  ENGINE_BRIDGES=()
  # An engine without a bridge must not take away the one that another has made meanwhile.
  [ -e /sys/class/net/docker0 ] || [[ " $* " == *" --bridge none "* ]] || ENGINE_BRIDGES=(docker0)
  mkdir "$ENGINE_DIR/bin"
  # Docker accepts a GPU reservation only when this hook is on the engine's PATH; here it has nothing to do.
  printf '#!/bin/sh\nexit 0\n' >"$ENGINE_DIR/bin/nvidia-container-runtime-hook"
  chmod +x "$ENGINE_DIR/bin/nvidia-container-runtime-hook"
  PATH=$ENGINE_DIR/bin:$PATH:/usr/sbin:/sbin setsid setpriv --pdeathsig TERM dockerd \
    --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" --pidfile "$ENGINE_DIR/pid" \
    -H "$DOCKER_HOST" "$@" >"$ENGINE_DIR/log" 2>&1 </dev/null &
  ENGINE_PID=$!
  deadline=$((SECONDS + 60))
  until docker version >/dev/null 2>&1; do
    if ! kill -0 "$ENGINE_PID" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      echo "engine.sh: dockerd did not start; the end of its log:" >&2
      tail -n 20 "$ENGINE_DIR/log" >&2
      engine_stop
      return 1
    fi
    sleep 0.1
  done
}

engine_stop() {
  local mount bridge
  [ -n "${ENGINE_DIR:-}" ] || return 0
  # Bridges outlive the engine that made them.
  mapfile -t -O "${#ENGINE_BRIDGES[@]}" ENGINE_BRIDGES < <(
    docker network ls --quiet --filter driver=bridge --filter type=custom 2>/dev/null | sed 's/^/br-/')
  if kill "$ENGINE_PID" 2>/dev/null; then
    wait "$ENGINE_PID" 2>/dev/null
  fi
  awk -v dir="$ENGINE_DIR/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r | while read -r mount; do
    umount "$mount"
  done
  for bridge in "${ENGINE_BRIDGES[@]}"; do
    # One that another engine has taken into use meanwhile has ports.
    if [ -d "/sys/class/net/$bridge/brif" ] && [ -z "$(ls "/sys/class/net/$bridge/brif")" ]; then
      PATH=$PATH:/usr/sbin:/sbin ip link delete "$bridge"
    fi
  done
  rm -rf "$ENGINE_DIR"
  unset ENGINE_DIR ENGINE_PID ENGINE_BRIDGES DOCKER_HOST
}

engine_main() {
  local verb=${1:-} reason options=()
  [ "$#" -eq 0 ] || shift
  case $verb in
    missing)
      reason=$(engine_missing)
      [ -z "$reason" ] && return 0
      echo "$reason"
      return 1
      ;;
    hold)
      engine_start "$@" || return 125
      echo "$DOCKER_HOST"
      # cat as a child: a trapped signal is acted on at once only while bash waits for a job.
      cat >/dev/null <&0 &
      wait $!
      ;;
    run)
      while [ "$#" -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
      [ "$#" -ge 2 ] || { echo "engine.sh: run needs '--' and a command" >&2; return 2; }
      shift
      engine_start "${options[@]}" || return 125
      "$@"
      ;;
    *)
      echo "engine.sh: '$verb' is not a verb; run, hold or missing" >&2
      return 2
      ;;
  esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -u
  trap 'engine_stop' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  engine_main "$@"
fi
