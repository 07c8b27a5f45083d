"""Records that nobody wrote, for as long as it is let: what comes of them, and benchmarks/fuzz.json with the figures.

    PYTHONPATH=scripts:tests python benchmarks/fuzz.py SECONDS [SEED]

The examples are those of tests/records/test_fuzz.py (tests/fuzzing.py), from other seeds. Each goes through the whole of
compare.py: reading, audit, comparison, report. A hang is more than 5 s, a flood more than 512 MiB beside what the process
has. Exit status 1 where anything but a report or a sentence came of one; the place in our code is printed.
"""

from __future__ import annotations

import json
import platform
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzzing import KINDS, Example, Runs, examples
from trtbench.records.files import encode, write_whole

FILE = Path(__file__).with_suffix(".json")
AT_ONCE = 100  # examples of one seed


def main(seconds: float, first_seed: int) -> int:
    kinds: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    faults: Counter[str] = Counter()
    slowest = 0.0
    begun = time.monotonic()
    seeds = 0
    with tempfile.TemporaryDirectory() as scratch:
        runs = Runs(Path(scratch))

        kind = KINDS[0]

        def once(example: Example) -> None:
            nonlocal slowest
            if time.monotonic() - begun > seconds:
                return
            start = time.monotonic()
            outcome = runs.outcome(example)
            slowest = max(slowest, time.monotonic() - start)
            kinds[kind][outcome.kind] += 1
            if outcome.kind not in ("report", "refused"):
                faults[f"{outcome.kind}: {outcome.said}"] += 1
                print(outcome.kind, outcome.said, example, file=sys.stderr)

        while time.monotonic() - begun < seconds:
            kind = KINDS[seeds % len(KINDS)]
            fuzz = given(examples(runs.made, kind))(once)
            fuzz = settings(
                max_examples=AT_ONCE,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(fuzz)
            seed(first_seed + seeds)(fuzz)()
            seeds += 1
    total: Counter[str] = sum(kinds.values(), Counter())
    figures = {
        "seconds": round(time.monotonic() - begun),
        "seeds": [first_seed, first_seed + seeds - 1],
        "inputs": total.total(),
        "reports": total["report"],
        "refused": total["refused"],
        "tracebacks": total["traceback"],
        "hangs": total["hang"],
        "floods": total["memory"],
        "slowest_s": round(slowest, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "by_record": {kind: dict(sorted(count.items())) for kind, count in kinds.items()},
        "python": platform.python_version(),
    }
    write_whole(FILE, encode(figures))
    print(json.dumps(figures, indent=1))
    for fault, count in faults.most_common():
        print(count, fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, int(sys.argv[2]) if len(sys.argv) > 2 else 1))
