#!/usr/bin/env bash
# The TensorRT engine: download, convert_checkpoint.py, trtllm-build; skipped when nothing that went in has changed.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

package engine "$@"
