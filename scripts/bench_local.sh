#!/usr/bin/env bash
# The whole pipeline on this machine: no Docker, no GPU. It makes its own environment first.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

local_package bench --local --compare "$@"
