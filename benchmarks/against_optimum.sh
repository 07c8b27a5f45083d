#!/usr/bin/env bash
# Side by side with optimum-benchmark 0.6.0: the same model folder, lengths and number of samples, PyTorch eager, batch 1.
#   bash benchmarks/against_optimum.sh [MODEL_FOLDER]
# It makes an environment of its own (optimum-benchmark 0.6.0 needs transformers 4.57) beside this file and writes
# benchmarks/against_optimum.json.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

here=$ROOT/benchmarks
venv=$here/.venv-optimum
if [ ! -f "$venv/.done" ]; then
  "$(python_command)" -m venv "$venv"
  install_torch "$venv"
  "$venv/bin/python" -m pip install --quiet "optimum-benchmark==0.6.0" "transformers==4.57.6"
  touch "$venv/.done"
fi
make_environment "$ROOT/.venv" "$ROOT/requirements/local.lock"
model=${1:-$(PYTHONPATH=$ROOT/scripts "$ROOT/.venv/bin/python" -c '
from trtbench.model import finding
from trtbench.settings import reading
print(finding.resolve(reading.resolve({}, environment={"MODEL_NAME": "demo"})[0]))')}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for launcher in process inline; do
  start=$(date +%s%3N)
  (cd "$work" && "$venv/bin/python" "$here/optimum_run.py" "$launcher" "$model" "$work/$launcher.json") >"$work/$launcher.log" 2>&1 ||
    say "optimum-benchmark ($launcher) ended with status $?; last line: $(tail -n 1 "$work/$launcher.log")"
  echo $(($(date +%s%3N) - start)) >"$work/$launcher.wall"
done
start=$(date +%s%3N)
echo "$start" >"$work/ours.start"
TRIALS=1 NUM_ITERATIONS=10 WARMUP_LIMIT=10 bash "$ROOT/scripts/bench_local.sh" --lanes pytorch-eager --model-name "$model" \
  --prompt-lengths 128 --new-tokens 200 \
  --results-dir "$work/ours" --no-progress >"$work/ours.log" 2>&1
echo $(($(date +%s%3N) - start)) >"$work/ours.wall"
"$ROOT/.venv/bin/python" "$here/optimum_table.py" "$work" "$here/against_optimum.json"
