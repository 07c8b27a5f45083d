"""Fill the tables of docs/performance.md and docs/fairness.md from benchmarks/*.json.

    python3 tools/performance.py [--check]

What stands between `<!-- NAME -->` and `<!-- /NAME -->` is made here and never typed. --check writes nothing and ends
with status 1 when a file is not what would be made.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PERFORMANCE = ROOT / "docs" / "performance.md"
FAIRNESS = ROOT / "docs" / "fairness.md"
BENCHMARKS = ROOT / "benchmarks"


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}".replace("%", " %")


def cpu_lanes(entries: list[dict[str, Any]]) -> str:
    """A table a model: what each lane took, and the share of the measured bandwidth."""
    head = [
        "lane",
        "ms a generation",
        "trials, ms",
        "TTFT ms",
        "ms a token",
        "of the measured bandwidth",
        "prepared, s",
    ]
    head += ["a trial, s", "speed-up"]
    parts = []
    for entry in entries:
        rows = []
        for lane in entry["lanes"]:
            speedup = lane["speedup"]
            interval = "" if speedup is None or speedup[1] is None else f" ({speedup[1]:.2f}-{speedup[2]:.2f})"
            rows.append(
                [
                    f"`{lane['lane']}`",
                    f"{lane['ms']:,.0f}",
                    ", ".join(f"{ms:,.0f}" for ms in lane["trials_ms"]),
                    f"{lane['ttft_ms']:,.0f}",
                    f"{lane['ms_a_token']:,.1f}",
                    percent(lane["bandwidth_share"]),
                    "-" if lane["prepare_s"] is None else f"{lane['prepare_s']:.0f}",
                    ", ".join(f"{seconds:.0f}" for seconds in lane["trial_s"]),
                    "base" if speedup is None else f"{speedup[0]:.2f}x{interval}",
                ]
            )
        parts.append(
            f"`{entry['model']}` ({entry['parameters'] / 1e6:,.1f} M), {entry['prompt_length']} + {entry['new_tokens']}, float32, "
            f"{entry['iterations']} iterations a trial, {entry['cpu']}, read bandwidth {entry['read_gb_s']:.1f} GB/s, "
            f"{entry['disturbed']} disturbed and run again{_took(entry)}{entry.get('note', '')}:\n\n"
            + table(head, rows)
        )
    return "\n\n".join(parts)


def _took(entry: dict[str, Any]) -> str:
    return f", {entry['took_s']:.0f} s in all" if entry.get("took_s") else ""


def cpu_products(found: dict[str, Any]) -> str:
    """How fast PyTorch multiplies there: rows with whole and with sliced matrices, and one row."""
    products = table(
        ["matrix", "rows", "whole, GFLOP/s", f"in slices of at most {found['slice_rows']:,} rows, GFLOP/s"],
        [
            [row["matrix"], str(row["rows"]), f"{row['whole_gflops']:.0f}", f"{row['sliced_gflops']:.0f}"]
            for row in found["products"]
        ],
    )
    used = sorted({1, found["threads"]})
    ways = [(f"{way}_gb_s_{n}", f"{name}, {n} thread{'s' if n > 1 else ''}, GB/s") for n in used for way, name in NAMES]
    single = table(
        ["matrix", *(name for _, name in ways)],
        [[row["matrix"], *(f"{row[key]:.1f}" for key, _ in ways)] for row in found["single_rows"]],
    )
    few = table(
        ["matrix", "rows", "`F.linear`, µs", "sums in one loop, µs"],
        [
            [row["matrix"], str(row["rows"]), f"{row['library_us']:,.0f}", f"{row['sums_us']:,.0f}"]
            for row in found["few_rows"]
        ],
    )
    parts = [products, "One row:", single, "A few rows:", few, f"{found['cpu']}, torch {found['torch']}."]
    return "\n\n".join(parts)


NAMES = (("library", "`F.linear`"), ("sum", "compiled sum"))


def vllm_settings(found: dict[str, Any]) -> str:
    """Each setting of vLLM that was looked at, and its processes' means by batch."""
    batches = list(next(iter(found["settings"].values()))["ms"])
    head = ["setting", *(f"ms a generation, batch {batch}" for batch in batches), "started in, s"]
    rows = [
        [
            name,
            *(", ".join(f"{ms:.0f}" for ms in row["ms"][batch]) for batch in batches),
            ", ".join(f"{seconds:.0f}" for seconds in row["load_s"]),
        ]
        for name, row in found["settings"].items()
    ]
    return f"{table(head, rows)}\n\nOne figure a process. {found['note']}."


def tried_settings(found: dict[str, Any]) -> str:
    """What was tried on one machine: a line for each lane, cell and value that was timed."""
    rows = [
        [
            f"`{line['lane']}`",
            f"{line['batch']} x ({line['prompt_length']} + {line['new_tokens']})",
            f"`{line['setting']}={line['value']}`",
            ", ".join(f"{seconds * 1e3:,.0f}" for seconds in line["seconds"]),
            "yes" if line["chosen"] else "",
        ]
        for line in found["tried"]
        if line["seconds"]
    ]
    head = ["lane", "cell", "value", "ms a generation, one a process", "taken"]
    dates = sorted({line["date"] for line in found["tried"]})
    of = f"{found['machine']}, `{found['model']}`, {found['precision']}, {found['iterations']} calls a process after its warm-up"
    return f"{table(head, rows)}\n\n{of}, {' and '.join(dates)}; {found['note']}."


def tiles(found: dict[str, Any]) -> str:
    """How the kernels of a decode step were cut, and what a generation took with them, its kernels one by one."""
    kinds = list(found["pytorch-tuned"][0]["kernels_us"])
    rows = []
    for row in found["pytorch-tuned"]:
        options = ", ".join(f"`{name}={value}`" for name, value in row.get("inductor_options", {}).items())
        what = "; ".join(part for part in (row["cut"], options, row.get("note", "")) if part)
        again = ", ".join(f"{ms:.1f}" for ms in row.get("again_ms", ())) or "-"
        each = [f"{row['kernels_us'][kind]:.1f}" for kind in kinds]
        rows.append([what, row["kv_cache"], f"{row['ms']:.1f}", again, *each])
    head = ["kernels cut", "KV cache", "ms", "ms, later processes", *(f"{kind}, µs" for kind in kinds)]
    return f"{table(head, rows)}\n\n{found['note'].replace('again_ms', 'later processes').replace('kernels_us', 'µs')}"


def profiles(found: dict[str, Any]) -> str:
    """What PROFILE=1 saw of a decode step on a card, beside what the step took while nobody looked."""
    rows = []
    for one in found["profiles"]:
        most = [f"`{shortened(kernel['name'])}` {percent(kernel['share'])}" for kernel in one["by_name"][:3]]
        times = [f"{one[name]:,.0f}" for name in ("step_us", "busy_us_per_step", "gap_us_per_step")]
        rows.append(
            [
                f"`{one['lane']}`",
                str(one["batch"]),
                percent(one["mbu"]),
                f"{one['events_per_step']:.0f}",
                *times,
                ", ".join(most),
            ]
        )
    head = ["lane", "batch", "MBU", "kernels a step", "step, µs", "busy, µs", "between kernels, µs", "most of it"]
    return f"{table(head, rows)}\n\n{found['note']}. Step: without the profiler, which makes it longer."


def shortened(name: str) -> str:
    """Begin and end of a kernel's name: many differ in their last characters only."""
    return name if len(name) <= 32 else f"{name[:18]}…{name[-12:]}"


def of_file(name: str) -> Any:
    return json.loads((BENCHMARKS / f"{name}.json").read_text(encoding="utf-8"))


def made() -> dict[Path, str]:
    """The documents with their made parts made anew."""
    parts = {
        PERFORMANCE: {
            "cpu_lanes": cpu_lanes(of_file("cpu_lanes")),
            "cpu_products": cpu_products(of_file("cpu_products")),
            "tiles": tiles(of_file("tiles")),
            "profiles": profiles(of_file("h200_profiles")),
        },
        FAIRNESS: {
            "cpu_settings": tried_settings(of_file("cpu_settings")),
            "h200_tries": tried_settings(of_file("h200_tries")),
            "vllm_settings": vllm_settings(of_file("vllm_settings")),
        },
    }
    return {path: filled(path.read_text(encoding="utf-8"), of, path) for path, of in parts.items()}


def filled(text: str, parts: dict[str, str], path: Path) -> str:
    for name, content in parts.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(block.findall(text)) != 1:
            raise SystemExit(f"there must be one block {name} in {path}")
        text = block.sub(lambda found, content=content: f"{found[1]}{content}\n{found[2]}", text)
    return text


def main() -> int:
    status = 0
    for path, text in made().items():
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            print(f"{path.relative_to(ROOT)} is not what tools/performance.py makes", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
