#!/usr/bin/env bash
# Puts Compose 2 beside Debian's Compose 1.29, because both must run the pipeline. Debian 12 has it in its next suite only:
# it is taken from there without touching this machine's own package sources.
set -Eeuo pipefail

if docker compose version >/dev/null 2>&1; then
  docker compose version
  exit 0
fi
next=trixie
codename=$(sed -n "s/^VERSION_CODENAME=//p" /etc/os-release)
[ -n "$codename" ] || { echo "error: /etc/os-release names no suite; install Compose 2 yourself." >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/sources" "$work/lists/partial" "$work/cache/archives/partial" "$work/deb"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
  if [ -f "$file" ] && grep -q "\b$codename\b" "$file"; then
    sed "s/\b$codename\b/$next/g" "$file" >"$work/sources/$(basename "$file")"
  fi
done
options=(-o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/sources" -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=root")
apt-get "${options[@]}" -qq update
(cd "$work/deb" && apt-get "${options[@]}" -qq download docker-compose)
dpkg -x "$work"/deb/docker-compose_*.deb "$work/root"
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
mkdir -p "$plugins"
install -m 755 "$(find "$work/root" -type f -name docker-compose -path '*cli-plugins*')" "$plugins/docker-compose"
docker compose version
