"""Fill the made parts of README.md and README.fr.md: the sample report, from the files under docs/examples/local.

    python3 tools/readme.py [--check]

What stands between `<!-- NAME -->` and `<!-- /NAME -->` is made here and never typed. --check writes nothing and ends
with status 1 when a file is not what would be made.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "local"
SAMPLES = {"README.md": EXAMPLE / "report.txt", "README.fr.md": EXAMPLE / "rapport.txt"}


def filled(text: str, name: str, content: str) -> str:
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if len(block.findall(text)) != 1:
        raise SystemExit(f"there must be one block {name}")
    return block.sub(lambda found: found[1] + content + found[2], text)


def sample(report: Path) -> str:
    """The report down to its first three blocks: latency, throughput, memory."""
    blocks = report.read_text(encoding="utf-8").split("\n\n")
    last = next(i for i, block in enumerate(blocks) if re.match(r"M[EÉ]M", block))
    return "```text\n" + "\n\n".join(blocks[: last + 1]) + "\n```\n"


def main(check: bool) -> int:
    status = 0
    for name, report in SAMPLES.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        made = filled(text, "sample", sample(report))
        if check and made != text:
            print(f"{name} is not what tools/readme.py makes", file=sys.stderr)
            status = 1
        elif not check:
            path.write_text(made, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
