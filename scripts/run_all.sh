#!/usr/bin/env bash
# What profile auto runs: the engine build, PyTorch and TensorRT-LLM lanes interleaved, the comparison.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bench --build --compare "$@"
