"""Fill the made parts of docs/methodology.md: tables of what was simulated and measured from benchmarks/*.json, the audit's
table from the program.

    python3 tools/methodology.py [--check]

What stands between `<!-- NAME -->` and `<!-- /NAME -->` is made here and never typed. --check writes nothing and ends
with status 1 when the file is not what would be made.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from trtbench.referee.audit.findings import PASS, TABLE  # noqa: E402

DOCUMENT = ROOT / "docs" / "methodology.md"
COVERAGE = ROOT / "benchmarks" / "coverage.json"
DISTURBANCE = ROOT / "benchmarks" / "disturbance.json"
NEIGHBOUR = ROOT / "benchmarks" / "neighbour.json"
QUANTISED = ROOT / "benchmarks" / "quantised.json"
OPTIMUM = ROOT / "benchmarks" / "against_optimum.json"
CLOCKS = ROOT / "benchmarks" / "clocks.json"
CONFUSION = ROOT / "benchmarks" / "confusion.json"
FUZZ = ROOT / "benchmarks" / "fuzz.json"
SCALE = ROOT / "benchmarks" / "audit_scale.json"


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def coverage(found: dict[str, Any]) -> str:
    names = list(found["coverage"][0]["coverage"])
    head = ["noise", *(f"{n} trials" if n.isdigit() else n for n in names), "trials at stop", "A/A called different"]
    rows = [
        [
            row["scenario"] + (" (no target)" if row["limit"] else ""),
            *(percent(row["coverage"][name]) for name in names),
            f"{row['trials_at_stop']:.1f}",
            percent(max(row["aa"].values())),
        ]
        for row in found["coverage"]
    ]
    notes = [f"- {row['scenario']}: {row['limit']}." for row in found["coverage"] if row["limit"]]
    size = f"{found['runs']:,} simulated runs a row, {found['iterations']} iterations a trial, seed {found['seed']}"
    rule = (
        f"stop: from {found['min_rounds']} trials on, half-width within {found['target_precision']:.0%} twice running, "
        f"{found['most_trials']} at most"
    )
    return "\n".join([table(head, rows), "", f"{size}; {rule}.", *notes])


def power(found: dict[str, Any]) -> str:
    sizes = ["5", "8", "10", "20", "stop"]
    head = ["noise of trial means"]
    head += [f"true 3 % found, {n}" for n in sizes]
    head += ["true 5 % called equivalent, at most", "equal lanes called equivalent, 10"]
    rows = [
        [
            percent(row["noise"]),
            *(percent(row["found_3"][n]) for n in sizes),
            f"{max(row['equivalent_5'].values()):.2%}".replace("%", " %"),
            percent(row["equivalent_0"]["10"]),
        ]
        for row in found["power"]
    ]
    missed = found["missed"] or ["none"]
    return "\n".join([table(head, rows), "", f"Targets missed: {'; '.join(missed)}."])


def candidates(found: dict[str, Any]) -> str:
    looks = list(found["candidates"][0]["looks"])
    head = ["PyTorch lanes", *(f"{n} rounds" if n.isdigit() else n for n in looks), "smallest mean alone, at least"]
    head += ["candidates at stop"]
    head += ["called faster, at most", "called slower, at most", "the fastest left", "another left", "rounds at stop"]
    head += ["firm at stop"]
    rows = []
    for row in found["candidates"]:
        by_look = row["looks"]
        rows.append(
            [
                row["scenario"] + (" (no target)" if row["limit"] else ""),
                *(percent(by_look[n]["coverage"]) for n in looks),
                percent(min(look["coverage_of_smallest"] for look in by_look.values())),
                f"{by_look['stop']['candidates']:.2f}",
                *(percent(max(look[word] for look in by_look.values())) for word in ("false_faster", "false_slower")),
                f"{row['fastest_left']:.2%}".replace("%", " %"),
                percent(row["another_left"]) if row["another_left"] is not None else "-",
                f"{row['rounds_at_stop']:.1f}",
                percent(by_look["stop"]["firm"]),
            ]
        )
    notes = [f"- {row['scenario']}: {row['limit']}." for row in found["candidates"] if row["limit"]]
    size = f"{found['runs']:,} simulated runs a row, at most {found['most_trials']} rounds"
    rule = (
        f"a candidate is not slower at {found['candidate_level']:.0%}; a lane leaves at {found['leave_ratio']:g} times the "
        f"time, or slower at {found['leave_level']:.1%}"
    )
    return "\n".join([table(head, rows), "", f"{size}; {rule}.", *notes])


def candidates_power(found: dict[str, Any]) -> str:
    looks = list(found["candidates"][0]["looks"])
    told = [f"after {n}" if n.isdigit() else f"at the {n}" for n in looks]
    head = ["PyTorch lanes", *(f"3 % faster found, {n}" for n in told), *(f"3 % slower found, {n}" for n in told)]
    head += ["5 % called equivalent, at most", "trials of the lane with most, at stop"]
    rows = [
        [
            row["scenario"],
            *(percent(row["looks"][n]["found_faster"]) for n in looks),
            *(percent(row["looks"][n]["found_slower"]) for n in looks),
            f"{max(look['equivalent_5'] for look in row['looks'].values()):.2%}".replace("%", " %"),
            f"{row['looks']['stop']['trials']:.1f}",
        ]
        for row in found["candidates"]
        if not row["limit"]
    ]
    return table(head, rows)


def disturbance(found: dict[str, Any]) -> str:
    """By how much a neighbour shifts each lane's times, a table a machine."""
    parts = []
    for machine, of in found.items():
        levels = list(next(iter(of["lanes"].values()))["shifts"])
        head = [
            "lane",
            "rounds",
            "ms alone",
            *(f"{float(level):.0%} of all cores".replace("%", " %") for level in levels),
        ]
        rows = [
            [
                f"`{name}`",
                str(lane["rounds"]),
                f"{lane['ms']:.1f}",
                *(_shift(lane["shifts"][level]) for level in levels),
            ]
            for name, lane in of["lanes"].items()
        ]
        size = f"{of['model']}, {of['prompt_length']} + {of['new_tokens']}, {of['precision']}, batch 1"
        note = f" {of['note'].capitalize()}." if "note" in of else ""
        parts.append(f"On {machine} ({of['device']}): {size}.{note}\n\n{table(head, rows)}")
    return "\n\n".join(parts)


def _shift(of: dict[str, float]) -> str:
    return f"{of['shift']:+.1%} ({of['low']:+.1%} to {of['high']:+.1%})".replace("%", " %")


def neighbour(found: dict[str, Any]) -> str:
    """What a neighbour did to verdicts: the quiet run, then each repeat."""
    head = [
        "run",
        "verdict",
        "interval",
        "trials that count",
        "run again",
        "disturbed and counted",
        "weak because",
        "s",
    ]

    def line(name: str, of: dict[str, Any]) -> list[str]:
        counts = [str(of[field]) for field in ("trials", "run_again", "disturbed_that_count")]
        weak = ", ".join(of["weak"]).replace("_", " ") or "-"
        return [name, of["word"], f"{of['low']:.2f}-{of['high']:.2f}", *counts, weak, f"{of['seconds']:.0f}"]

    rows = [line("nobody beside it", found["quiet"])]
    rows += [line(repeat["kind"], repeat) for repeat in found["repeats"]]
    broken = sum(bool(repeat["broken"]) for repeat in found["repeats"])
    size = f"{found['model']}, 128 + {found['new_tokens']}, {found['trials']} trials of {found['lanes'].replace(',', ' and ')}"
    held = f"held in {len(found['repeats']) - broken} of {len(found['repeats'])} runs with a neighbour"
    return f"{table(head, rows)}\n\n{found['machine']}, {size}; {held}."


def quantised(found: dict[str, Any]) -> str:
    """How near quantised lanes come, right and with a mistake: a table a grid."""
    entrants = list(dict.fromkeys((row["precision"], row["lane"]) for row in found["rows"]))
    by_place = {(row["grid"], row["mistake"], row["precision"], row["lane"]): row for row in found["rows"]}
    parts = []
    for grid, differ in found["logits_differ"].items():
        head = ["mistake", *(f"{precision} `{lane}`" for precision, lane in entrants)]
        rows = [
            [mistake, *(_nearness(by_place[(grid, mistake, *entrant)]) for entrant in entrants)]
            for mistake in dict.fromkeys(row["mistake"] for row in found["rows"])
        ]
        parts.append(
            f"Weights {grid} (float32 logits differ from the model's by at most {differ:.0e} of their deviation):\n\n"
            + table(head, rows)
        )
    size = (
        f"{found['model']}, {found['prompt_length']} + {found['new_tokens']}, {found['calls']} prompts, {found['cpu']}; "
        f"in brackets the least of 2,000 draws of {found['draw']} answers, as many as the judge scores, and the perplexity."
    )
    return "\n\n".join([*parts, size])


def _nearness(row: dict[str, Any]) -> str:
    return f"{percent(row['near'])} ({percent(row['lowest_draw'])}; {row['perplexity']:.1f})"


def optimum(found: dict[str, Any]) -> str:
    """The same samples by optimum-benchmark and by this program, and where this program's seconds go."""
    rows = [
        [row["tool"], f"{row['wall_s']:.1f}", str(row["samples"]), f"{row['mean_ms']:,.0f}", percent(row["spread"])]
        for row in found["rows"]
    ]
    own = found["rows"][-1]
    parts = "; ".join(f"{name} {seconds:.1f} s" for name, seconds in own["parts_s"].items())
    head = ["tool", "s in all", "samples", "ms a generation", "spread of the samples"]
    return (
        f"{table(head, rows)}\n\n{found['cpu']}. This project's seconds, {own['warmup_calls']} warm-up calls: {parts}."
    )


def clocks(found: dict[str, Any]) -> str:
    """What the clocks of honest trials say, from the least to the most."""
    rows = [[name, f"{of['least']:,}", f"{of['most']:,}", f"{of['n']:,}"] for name, of in found["ranges"].items()]
    lanes = ", ".join(f"{number} of `{lane}`" for lane, number in found["lanes"].items())
    where = ", ".join(found["devices"])
    head = ["of cells and trials that nobody disturbed", "least", "most", "how many"]
    return "\n".join([table(head, rows), "", f"{found['trials']} trials: {lanes}; on {where}."])


def confusion(found: dict[str, Any]) -> str:
    """What was tried on the audit, a row a finding that was meant to tell it, and what it said of honest runs."""
    by_code: dict[str, list[dict[str, Any]]] = {}
    for cheat in found["cheats"]:
        by_code.setdefault(cheat["meant"], []).append(cheat)
    rows = [
        [
            f"`{meant}`",
            f"{sum(cheat['told'] for cheat in cheats)} of {len(cheats)}",
            "; ".join(c["run"] for c in cheats),
        ]
        for meant, cheats in by_code.items()
    ]
    honest = [
        [run["run"], "fail" if run["failed"] else "no failure", ", ".join(f"`{code}`" for code in run["also"]) or "-"]
        for run in found["honest"]
    ]
    told, failed = sum(cheat["told"] for cheat in found["cheats"]), sum(run["failed"] for run in found["honest"])
    return "\n".join(
        [
            f"{told} of {len(found['cheats'])} lies are told by the finding meant for them:",
            "",
            table(["meant to be told by", "told", "what was done to an honest run"], rows),
            "",
            f"{failed} of {len(found['honest'])} honest runs fail:",
            "",
            table(["honest run", "verdict of the audit", "warnings"], honest),
        ]
    )


def fuzz(found: dict[str, Any]) -> str:
    """What came of records that nobody wrote, by the kind of record that was changed."""
    head = ["changed", "inputs", "reports", "refused in one sentence", "tracebacks", "hangs", "floods"]
    kinds = ("report", "refused", "traceback", "hang", "memory")
    rows = [
        [name.removesuffix(".json"), f"{sum(of.values()):,}", *(f"{of.get(kind, 0):,}" for kind in kinds)]
        for name, of in found["by_record"].items()
    ]
    totals = ("inputs", "reports", "refused", "tracebacks", "hangs", "floods")
    rows.append(["all", *(f"{found[name]:,}" for name in totals)])
    return (
        f"{table(head, rows)}\n\nSeeds {found['seeds'][0]} to {found['seeds'][1]}, {found['seconds']} s of one process; "
        f"the slowest took {found['slowest_s']:.1f} s, the process {found['peak_mb']} MB."
    )


def scale(found: dict[str, Any]) -> str:
    """Time and memory of reading, auditing, comparing and printing, by the number of records."""
    rows = [
        [
            f"{row['records']:,}",
            f"{row['json_mb']:.0f}",
            f"{row['cpu_s']:.1f}",
            f"{row['seconds']:.1f}",
            f"{row['peak_mb']:.0f}",
        ]
        for row in found["rows"]
    ]
    grown = f"A record of {found['rows'][-1]['records']:,} takes {found['growth']:.2f} times what one of half as many takes."
    return f"{table(['records', 'MB of JSON', 's of CPU time', 's', 'peak MB'], rows)}\n\n{grown}"


def findings() -> str:
    rows = [
        [f"`{code}`", " or ".join(row.levels), row.condition] for code, row in TABLE.items() if row.levels != (PASS,)
    ]
    return table(["code", "level", "condition"], rows)


def filled(text: str) -> str:
    """The document with its made parts made anew."""
    found = json.loads(COVERAGE.read_text(encoding="utf-8"))
    parts = {"coverage": coverage(found), "power": power(found), "findings": findings()}
    parts |= {"candidates": candidates(found), "candidates_power": candidates_power(found)}
    parts["disturbance"] = disturbance(json.loads(DISTURBANCE.read_text(encoding="utf-8")))
    parts["neighbour"] = neighbour(json.loads(NEIGHBOUR.read_text(encoding="utf-8")))
    parts["quantised"] = quantised(json.loads(QUANTISED.read_text(encoding="utf-8")))
    parts["clocks"] = clocks(json.loads(CLOCKS.read_text(encoding="utf-8")))
    parts["confusion"] = confusion(json.loads(CONFUSION.read_text(encoding="utf-8")))
    parts["optimum"] = optimum(json.loads(OPTIMUM.read_text(encoding="utf-8")))
    parts["fuzz"] = fuzz(json.loads(FUZZ.read_text(encoding="utf-8")))
    parts["scale"] = scale(json.loads(SCALE.read_text(encoding="utf-8")))
    for name, made in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            sys.exit(f"{DOCUMENT} lacks the part {name}")
        text = pattern.sub(lambda match, made=made: match[1] + made + "\n" + match[2], text)
    return text


def main() -> int:
    there = DOCUMENT.read_text(encoding="utf-8")
    made = filled(there)
    if "--check" in sys.argv[1:]:
        return int(made != there)
    DOCUMENT.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
