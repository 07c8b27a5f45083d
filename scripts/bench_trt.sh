#!/usr/bin/env bash
# The lanes of TensorRT-LLM, added to the current run.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bench --family tensorrt "$@"
