"""What a neighbour on another card of the machine costs: one plan with `cards` of the whole machine and one with `cards: 1`.

    bash scripts/fleet.sh alone.yaml; bash scripts/fleet.sh beside.yaml
    PYTHONPATH=scripts python benchmarks/side_by_side.py RESULTS/fleets/alone RESULTS/fleets/beside

Both have the same model, precision and settings (QUIET: warn, so that nothing is repeated); `beside` has `repeats: 2`.
benchmarks/side_by_side.json has for each fleet and lane the means of its trials, and what others took of the processors meanwhile.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from trtbench.comparison import untrusted
from trtbench.comparison.bundle import Bundle
from trtbench.comparison.safe_reading import unpacked
from trtbench.figures.summary import geometric_mean
from trtbench.records.files import decode_as, encode, write_whole


def lanes(fleet: Path) -> dict[str, dict[str, Any]]:
    """Of all runs of a fleet together, by lane."""
    figures: dict[str, dict[str, Any]] = {}
    for path in sorted((fleet / "bundles").iterdir()):
        untrusted.read(path)
        bundle = decode_as(Bundle, unpacked(path, path.read_bytes()), str(path))
        for trial in sorted(bundle.trials, key=lambda trial: trial.index):
            row = figures.setdefault(trial.lane, {"latency_ms": [], "others_share_of_cpu": []})
            (cell,) = trial.cells
            assert cell.e2e is not None and trial.telemetry is not None and trial.telemetry.cpu is not None
            row["latency_ms"].append(round(statistics.fmean(cell.e2e.times) / 1e6, 2))
            row["others_share_of_cpu"].append(round(trial.telemetry.cpu.share, 3))
    for row in figures.values():
        row["geometric_mean_ms"] = round(geometric_mean(row["latency_ms"]), 2)
    return figures


def main(alone: Path, beside: Path) -> None:
    fleet = json.loads((alone / "fleet.json").read_text())
    (place,) = fleet["places"].values()
    sides = {"alone": lanes(alone), "beside": lanes(beside)}
    figures = {
        "card": place,
        "model": fleet["runs"][0]["model"],
        "precision": fleet["runs"][0]["precision"],
        "cell": {name: fleet["tables"][0][name] for name in ("batch", "prompt_length", "new_tokens")},
        "lanes": {
            lane: {
                **{side: sides[side][lane] for side in sides},
                "ratio": round(sides["beside"][lane]["geometric_mean_ms"] / row["geometric_mean_ms"], 4),
            }
            for lane, row in sides["alone"].items()
        },
    }
    write_whole(Path(__file__).with_suffix(".json"), encode(figures))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
