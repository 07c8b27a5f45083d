"""Make the example under docs/examples/local from its bundle, and with it the sample reports of README.md and README.fr.md.

    python3 tools/readme.py [--check] [--charts]

The run in run.bundle is read and audited again, as a stranger's is; report, rapport and page are what the program says of
it today, and the READMEs' samples, between `<!-- sample -->` and `<!-- /sample -->`, are their first blocks. --check writes
nothing and ends with status 1 when a file is not what would be made. --charts draws the PNG too (it differs from one
matplotlib to the next, so nothing checks it).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from trtbench.comparison import untrusted  # noqa: E402
from trtbench.comparison.result import Comparison  # noqa: E402
from trtbench.report import text  # noqa: E402
from trtbench.report.page import document  # noqa: E402

EXAMPLE = ROOT / "docs" / "examples" / "local"
SAMPLES = {"README.md": "report.txt", "README.fr.md": "rapport.txt"}


def filled(page: str, name: str, content: str) -> str:
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if len(block.findall(page)) != 1:
        raise SystemExit(f"there must be one block {name}")
    return block.sub(lambda found: found[1] + content + found[2], page)


def sample(report: str) -> str:
    """The report down to its first three blocks: latency, throughput, memory."""
    blocks = report.split("\n\n")
    last = next(i for i, block in enumerate(blocks) if re.match(r"M[EÉ]M", block))
    return "```text\n" + "\n\n".join(blocks[: last + 1]) + "\n```\n"


def files(comparison: Comparison) -> dict[Path, str]:
    """Everything that is text, by its path."""
    reports = {"report.txt": text.render(comparison, "en"), "rapport.txt": text.render(comparison, "fr")}
    made = {EXAMPLE / name: report for name, report in reports.items()}
    made[EXAMPLE / "benchmark_comparison.html"] = document.render(comparison, "en")
    for name, report in SAMPLES.items():
        readme = (ROOT / name).read_text(encoding="utf-8")
        made[ROOT / name] = filled(readme, "sample", sample(reports[report]))
    return made


def main(check: bool, charts: bool) -> int:
    status = 0
    comparison, _ = untrusted.read(EXAMPLE / "run.bundle")
    if charts and not check:
        from trtbench.report import chart

        chart.write(EXAMPLE / "benchmark_comparison.png", comparison, "en")
    for path, content in files(comparison).items():
        if check and path.read_text(encoding="utf-8") != content:
            print(f"{path.relative_to(ROOT)} is not what tools/readme.py makes", file=sys.stderr)
            status = 1
        elif not check:
            path.write_text(content, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:], "--charts" in sys.argv[1:]))
