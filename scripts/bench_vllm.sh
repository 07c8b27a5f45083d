#!/usr/bin/env bash
# The lane of vLLM, added to the current run.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bench --family vllm "$@"
