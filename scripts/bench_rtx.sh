#!/usr/bin/env bash
# The lane of TensorRT for RTX, added to the current run.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

local_package bench --family tensorrt-rtx "$@"
