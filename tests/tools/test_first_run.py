"""docs/first-run.md: each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "first-run.md").read_text(encoding="utf-8"))


def test_every_test_that_stands_for_a_finding_is_there() -> None:
    assert len(NAMED) > 20
    for file, test in NAMED:
        assert (ROOT / file).is_file(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"
