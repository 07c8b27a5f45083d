#!/usr/bin/env python3
"""What a neighbour on the CPU does to a run's verdict, with real engines. Writes benchmarks/neighbour.json.

    PYTHONPATH=scripts python benchmarks/neighbour.py [--repeats 10] [--lanes pytorch-eager,onnxruntime] [--trials 3]

One run with nobody beside it, then runs with a neighbour that keeps a core busy for a part of them (from a seeded moment on,
for PASSING seconds), then runs with a neighbour that never leaves. What is held: with the passing neighbour the
verdict's word is that of the quiet run and the intervals overlap; under constant load no verdict is firm. Exit status 1
where one of them is not. Only on a machine that is quiet else. A run waits WAIT seconds for quiet here, in place of a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from trtbench.machine import host
from trtbench.records import run_folder
from trtbench.records.run import counting

PASSING, WAIT, SEED = 8.0, 15.0, 20261128
# It ends with whoever started it, also when that is killed.
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
BENCH = (
    "import sys; from trtbench.machine import disturbance; disturbance.WAIT = float(sys.argv.pop(1)); "
    "from trtbench import bench; sys.exit(bench.main(sys.argv[1:]))"
)


def one_run(kind: str, folder: Path, settings: dict[str, str], draw: random.Random) -> dict[str, Any]:
    """Run the benchmark beside such a neighbour; what its report and its records say."""
    env = {**os.environ, **settings, "RESULTS_DIR": str(folder)}
    began = time.monotonic()
    neighbour = start_neighbour() if kind == "constant" else None
    wait = "2" if kind == "constant" else str(WAIT)
    command = [sys.executable, "-c", BENCH, wait, "--local", "--compare", "--new-run", "--no-progress"]
    bench = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if kind == "passing":
        while not list(folder.glob("runs/*/trials/*.json")) and bench.poll() is None:
            time.sleep(0.1)
        time.sleep(draw.uniform(0, 10))
        neighbour = start_neighbour()
        time.sleep(PASSING)
    if kind == "passing" and neighbour is not None:
        end(neighbour)
    _, said = bench.communicate()
    if kind == "constant" and neighbour is not None:
        end(neighbour)
    if bench.returncode != 0:
        raise SystemExit(f"the {kind} run ended with status {bench.returncode}: {said[-500:]}")
    report = json.loads((folder / "benchmark_comparison_report.json").read_text(encoding="utf-8"))
    (against,) = (a for row in report["cells"] for a in row["against"] if a["headline"])
    trials = run_folder.trials(folder, report["run"])
    kept = counting(trials)
    return {
        "word": against["verdict"]["word"],
        "low": against["speedup"]["low"],
        "high": against["speedup"]["high"],
        "weak": against["weak"],
        "trials": len(kept),
        "run_again": len(trials) - len(kept),
        "disturbed_that_count": sum(bool(t.disturbed) for t in kept),
        "seconds": round(time.monotonic() - began, 1),
    }


def start_neighbour() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)


def end(neighbour: subprocess.Popen[bytes]) -> None:
    os.killpg(neighbour.pid, signal.SIGKILL)
    neighbour.wait()


def broken(kind: str, run: dict[str, Any], quiet: dict[str, Any]) -> list[str]:
    """What does not hold in a run with a neighbour."""
    wrong = []
    if kind == "passing" and run["word"] != quiet["word"]:
        wrong.append(f"{run['word']} beside a passing neighbour, {quiet['word']} without")
    if kind == "passing" and (run["low"] > quiet["high"] or quiet["low"] > run["high"]):
        wrong.append("the intervals of the quiet run and of that with a passing neighbour lie apart")
    if kind == "constant" and not any(reason != "few" for reason in run["weak"]):
        wrong.append(f"a firm {run['word']} under constant load")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a neighbour on the CPU does to verdicts.")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--lanes", default="pytorch-eager,onnxruntime")
    parser.add_argument("--trials", default="3")
    parser.add_argument("--new-tokens", default="32")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    draw = random.Random(SEED)
    found: dict[str, Any] = {
        "machine": f"{os.cpu_count()} x {host.cpu_model()}",
        "lanes": options.lanes,
        "model": "demo",
        "new_tokens": int(options.new_tokens),
        "trials": int(options.trials),
        "repeats": [],
    }
    with tempfile.TemporaryDirectory() as scratch:
        settings = {
            "DATA_DIR": str(Path(scratch, "data")),
            "LANES": options.lanes,
            "TRIALS": options.trials,
            "NEW_TOKENS": options.new_tokens,
            "QUIET": "wait",
            "TRY_SETTINGS": "0",
            "NUM_ITERATIONS": "3",
            "WARMUP_LIMIT": "2",
        }
        quiet = found["quiet"] = one_run("quiet", Path(scratch, "quiet"), settings, draw)
        print(json.dumps(quiet), flush=True)
        for number in range(2 * options.repeats):
            kind = "passing" if number < options.repeats else "constant"
            run = one_run(kind, Path(scratch, str(number)), settings, draw)
            found["repeats"].append({"kind": kind, **run, "broken": broken(kind, run, quiet)})
            print(kind, json.dumps(found["repeats"][-1]), flush=True)
            options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if any(repeat["broken"] for repeat in found["repeats"]) else 0


if __name__ == "__main__":
    sys.exit(main())
