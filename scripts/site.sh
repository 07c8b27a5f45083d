#!/usr/bin/env bash
# The documents as a site, with every link checked: bash scripts/site.sh [FOLDER]; without a folder in site/.
#   --install  only makes the environment that this needs
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TORCH_BUILD=- make_environment "$ROOT/.venv-site" "$ROOT/requirements/site.lock"
[ "${1:-}" != --install ] || exit 0
exec "$ROOT/.venv-site/bin/python" -B "$ROOT/tools/site/build.py" "$@"
