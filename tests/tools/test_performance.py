"""docs/performance.md and docs/fairness.md are what the committed figures make of them."""

from __future__ import annotations

import subprocess
import sys

from trtbench.settings.knobs import ROOT
from trtbench.settings.lanes import LANES


def test_the_documents_are_the_made_ones() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "performance.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_that_is_tried_stands_on_the_page_of_fairness() -> None:
    page = (ROOT / "docs" / "fairness.md").read_text(encoding="utf-8")
    for name, row in LANES.items():
        for choice in row.choices.values():
            assert f"`{choice.setting}`" in page or choice.setting == "decode", name
