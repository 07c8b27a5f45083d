"""Put the runs of against_optimum.sh beside each other and write them down."""

import datetime
import json
import statistics
import sys
from pathlib import Path


def spread(times: list[float]) -> float:
    """Standard deviation as a share of the mean."""
    return statistics.stdev(times) / statistics.fmean(times)


work, out = Path(sys.argv[1]), Path(sys.argv[2])
rows = []
for launcher in ("process", "inline"):
    file = work / f"{launcher}.json"
    row = {
        "tool": f"optimum-benchmark 0.6.0, {launcher} launcher",
        "wall_s": int((work / f"{launcher}.wall").read_text()) / 1e3,
    }
    if file.is_file():
        report = json.loads(file.read_text())
        prefill = report["prefill"]["latency"]["values"]
        decode = report["decode"]["latency"]["values"]
        whole = [p + d for p, d in zip(prefill, decode)]
        row |= {"samples": len(whole), "mean_ms": statistics.fmean(whole) * 1e3, "spread": spread(whole)}
    rows.append(row)
file = next((work / "ours").glob("runs/*/trials/*.json"))
trial = json.loads(file.read_text())
cell, cold = trial["cells"][0], trial["cold"]
times = [t / 1e9 for t in cell["e2e"]["times"]]
start = int((work / "ours.start").read_text()) / 1e3
end = start + int((work / "ours.wall").read_text()) / 1e3
began = datetime.datetime.fromisoformat(trial["started"]).timestamp()
judged = (file.parents[1] / "judge.json").stat().st_mtime
parts = {
    "until the trial begins": began - start,
    "its imports and loading": (cold["imports"] + cold["load"]) / 1e9,
    "first call and warm-up": (cell["first_call"] + sum(cell["warmup"])) / 1e9,
    "timed generations": sum(times),
    "first tokens": sum(cell["ttft"]["times"]) / 1e9,
}
parts["memory and the rest of the trial"] = trial["seconds"] - sum(list(parts.values())[1:])
parts |= {"judge": judged - began - trial["seconds"], "comparison, report, page and chart": end - judged}
rows.append(
    {
        "tool": "this project",
        "wall_s": int((work / "ours.wall").read_text()) / 1e3,
        "samples": len(times),
        "mean_ms": statistics.fmean(times) * 1e3,
        "spread": spread(times),
        "warmup_calls": len(cell["warmup"]),
        "parts_s": parts,
    }
)
out.write_text(json.dumps({"cpu": trial["environment"]["cpu_model"], "rows": rows}, indent=1) + "\n")
for row in rows:
    print(
        " | ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
        )
    )
