"""Write the results book docs/results/h200 from the records in it, and the table of docs/performance.md; nothing is typed.

    python3 tools/book.py [--check] [--charts]

Every runs/*.bundle is read and audited again, as a stranger's is, and becomes a report beside it; README.md has one table
over all of them and the audit's findings. --check writes nothing and ends with status 1 when a file is not what would be
made. --charts draws the product's chart of each run too (it differs from one matplotlib to the next, so nothing checks it).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from trtbench.comparison import untrusted  # noqa: E402
from trtbench.comparison.result import Comparison  # noqa: E402
from trtbench.report import audit_text, markdown  # noqa: E402
from trtbench.report.language import ENGLISH  # noqa: E402
from trtbench.settings.lanes import LANES  # noqa: E402

BOOK = ROOT / "docs" / "results" / "h200"
UNKNOWN = "not known"

HEAD = """# NVIDIA H200, synthetic TinyLlama, fp16

**One run on this card took its lanes in turns**, started as a person without Docker would (`bash scripts/bench_local.sh`): three
rounds, so every verdict in it is weak; ONNX Runtime ran in an environment of its own. Python, torch and all packages were there already,
from folders, since no index was in reach: what `pip` makes on a card is not in it. vLLM and TensorRT-LLM are not in it either.

Then follow single trials, each a run of its own with one lane, on two other machines of the same kind: good for the order of magnitude
and for what the audit says of each, not for comparing lanes that lie close together. How they came about, and what each attempt was
expected to give, stands in [performance.md](../../performance.md).

Random weights in the exact shape of TinyLlama-1.1B (`MODEL_NAME=tinyllama`); compile and Triton ran on those of an earlier
commit, as the digests in the records say. This file and the reports are made by
`python3 tools/book.py` from the bundles in [runs](runs), which `compare.py --bundle` wrote; a test holds them equal.
"""

VLLM = """## vLLM

The lane `vllm` (0.24.0) ran once on the card, called directly and not by the product, **while `pytorch-tuned` was being
compiled on the same card and the same cores**. That is no result and no record; it shows that the lane starts, takes the
ids and returns as many as asked for. The better of two calls each, from [vllm-first.log](attempts/vllm-first.log):
"""

FOOT = """## Not measured

- TensorRT-LLM (`tensorrt-engine`, `tensorrt-pytorch`): its container could not run on this machine, which has no Docker
  and no way to fetch the image. Its numbers will come from users: [CONTRIBUTING.md](../CONTRIBUTING.md).
- TensorRT for RTX: its plugin was registered on such a card and listed no device, as on every Hopper card.
- OpenVINO: it has no NVIDIA device.
- A speed-up over vLLM at batch 1, 8 and 32, 1,024 prompt ids through the product, bfloat16, and joules per token of every
  lane in one run: the run that was to give them was cut off.

The run with all of them that is missing is one command on a machine with this card:

    MODEL_NAME=tinyllama PRECISION=float16 BATCH_SIZES=1,8,32 TRIALS=auto \\
      LANES=pytorch-eager,pytorch-compile,pytorch-tuned,pytorch-triton,vllm bash scripts/run_all.sh
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def number(value: float | None, form: str = ",.1f", scale: float = 1.0) -> str:
    return UNKNOWN if value is None else format(value * scale, form)


def warnings_of(comparison: Comparison) -> list[str]:
    return sorted({f.code for f in comparison.findings if f.level in ("warn", "fail")})


def lines_of(name: str, comparison: Comparison) -> list[list[str]]:
    """A row of the table for every lane and batch of one run."""
    made = []
    for row in comparison.cells:
        for f in row.figures:
            made.append(
                [
                    f"[{LANES[f.lane].label}](runs/{name}.md)",
                    str(row.batch),
                    number(f.throughput, ",.0f"),
                    number(f.latency),
                    number(f.ttft, ",.2f"),
                    number(f.mbu, ".0%"),
                    number(f.near, ".0%"),
                    number(f.gpu_memory, ".2f", 2**-30),
                    number(f.energy, ".3f"),
                    f"{f.trials} × {f.iterations // f.trials}",
                    ", ".join(f"`{code}`" for code in warnings_of(comparison)) or "none",
                ]
            )
    return made


def vllm() -> str:
    """What the log of the first start says: batch, new ids, seconds, sequences, lengths."""
    best: dict[tuple[int, int], float] = {}
    for line in (BOOK / "attempts" / "vllm-first.log").read_text().splitlines():
        found = re.match(r"(\d+) (\d+) ([\d.]+) \1 \{\2\}$", line)
        if found:
            key = int(found[1]), int(found[2])
            best[key] = min(best.get(key, 1e9), float(found[3]))
    rows = [
        [str(b), f"{b * n / s:,.0f}", f"{s * 1e3:,.1f}", f"{best[b, 1] * 1e3:,.1f}"]
        for (b, n), s in best.items()
        if n > 1
    ]
    return table(["batch", "output tok/s", "ms", "ms to one id"], rows)


def attempts() -> str:
    """The table of docs/performance.md: what measure.py wrote, one line a variant."""
    rows = []
    for name, steps in (("first", 2), ("second", 1)):
        for v in json.loads((BOOK / "attempts" / f"{name}.json").read_text())["variants"]:
            sizes = [str(v["batch"]), str(v["prompt"]), number(v["tokens_per_s"], ",.0f"), number(v["whole_ms"])]
            kernels = (v.get("profile") or {}).get("kernels_per_step")
            inside = [number(v["first_token_ms"], ".2f"), number(v["step_us"], ",.0f")]
            inside.append(UNKNOWN if kernels is None else f"{kernels / steps:.0f}")
            rows.append([f"`{name}.json`", f"`{v['name']}`", *sizes, *inside, number(v["near"], ".0%")])
    head = [
        "file",
        "attempt",
        "batch",
        "prompt ids",
        "output tok/s",
        "ms",
        "first id, ms",
        "step, µs",
        "kernels a step",
    ]
    return table([*head, "near"], rows)


def made() -> dict[Path, str]:
    """Every file of the book and its text."""
    files: dict[Path, str] = {}
    rows: dict[bool, list[list[str]]] = {True: [], False: []}  # by whether several lanes took turns
    notes: dict[bool, list[str]] = {True: [], False: []}
    for bundle in sorted((BOOK / "runs").glob("*.bundle")):
        comparison, _ = untrusted.read(bundle)
        files[bundle.with_suffix(".md")] = markdown.render(comparison, "en")
        several = len({f.lane for row in comparison.cells for f in row.figures}) > 1
        rows[several] += lines_of(bundle.stem, comparison)
        for finding in comparison.findings:
            if finding.level in ("warn", "fail"):
                said = audit_text.sentence(finding, ENGLISH)
                notes[several].append(f"- {bundle.stem}: {finding.level} `{finding.code}`: {said}")
    head = [
        "lane",
        "batch",
        "output tok/s",
        "ms",
        "TTFT ms",
        "MBU",
        "near",
        "GPU GiB",
        "J/token",
        "trials × iterations",
    ]
    parts = [
        HEAD,
        "## A run in turns\n",
        "128 prompt ids, 200 new ids, greedy; the whole generation is timed. Speed-ups and intervals stand in the [report]"
        "(runs/bench-local.md), columns as below.\n",
        table([*head, "audit warns"], rows[True]) + "\n",
        "What the audit says of it:\n",
        "\n".join(dict.fromkeys(notes[True])) + "\n",
        "## Single trials\n",
        "128 prompt ids, 200 new ids, greedy; the whole generation is timed. MBU against the card's nominal bandwidth; near:\n"
        "share of ids that the reference model would choose or nearly choose; J/token of the whole card, only where that pass\n"
        "was made. A machine that another process used is named by the audit in the last column.\n",
        table([*head, "audit warns"], rows[False]) + "\n",
        "What the audit says of them:\n",
        "\n".join(dict.fromkeys(notes[False])) + "\n",
        "`machine.neighbour` at the Triton kernels is as it should be: another lane was knowingly started on the card at the\n"
        "same time, and the audit caught it. A test keeps that record.\n",
        VLLM,
        vllm() + "\n",
        FOOT,
    ]
    files[BOOK / "README.md"] = "\n".join(parts)
    document = ROOT / "docs" / "performance.md"
    block = f"<!-- attempts -->\n{attempts()}\n<!-- /attempts -->"
    files[document] = re.sub(
        "<!-- attempts -->.*<!-- /attempts -->", lambda _: block, document.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    return files


def main() -> int:
    files = made()
    if "--check" in sys.argv:
        wrong = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
        for path in wrong:
            print(f"{path.relative_to(ROOT)} is not what tools/book.py makes", file=sys.stderr)
        return 1 if wrong else 0
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    if "--charts" in sys.argv:
        from trtbench.report import chart

        for bundle in sorted((BOOK / "runs").glob("*.bundle")):
            chart.write(bundle.with_suffix(".png"), untrusted.read(bundle)[0], "en")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
