"""Make docs/possible.html, the command `trtbench.possible` as a page, from its sources in scripts/trtbench/report/claim_page/, the
tables of cards and precisions, and the sentences of the reports.

    python3 tools/possible_page.py [--check]

--check writes nothing and ends with status 1 when the file is not what would be made.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from trtbench.report.claim_page import document  # noqa: E402

PAGE = ROOT / "docs" / "possible.html"


def main(check: bool) -> int:
    made = document.render()
    if not check:
        PAGE.write_text(made, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != made:
        print("docs/possible.html is not what tools/possible_page.py makes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
