#!/usr/bin/env bash
# Compose 1.29 and Compose 2 beside each other, because both must run the pipeline; what is here already is taken.
# Debian 12 has the second in its next suite only: it is taken from there without touching this machine's own package sources.
set -Eeuo pipefail

release=${OS_RELEASE:-/etc/os-release}
first() { docker-compose version --short 2>/dev/null | grep -q '^1[.]'; }
second() { docker compose version 2>/dev/null; }
install_package() { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$1"; }

if ! first; then
  install_package docker-compose
  # It imports distutils, which Python 3.12 has no more and setuptools brings.
  first || install_package python3-setuptools
  first || { echo "error: this system's packages have no Compose 1.29 that runs, and the tests need one." >&2; exit 1; }
fi
docker-compose version --short

second && exit
if grep -q '^ID=ubuntu$' "$release"; then
  install_package docker-compose-v2
  second
  exit
fi
next=trixie
codename=$(sed -n "s/^VERSION_CODENAME=//p" "$release")
[ -n "$codename" ] || { echo "error: $release names no suite; install Compose 2 yourself." >&2; exit 1; }

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
