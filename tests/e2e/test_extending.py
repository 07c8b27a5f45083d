"""docs/extending.md, held true: a lane made exactly as the page says is one new file and one row, and it runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from trtbench.settings.knobs import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text()


def blocks() -> tuple[str, str, str]:
    """The path that the page names, the file it shows, and the row."""
    path = re.search(r"The file `([^`]+)`", PAGE)
    python = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert path and len(python) == 2
    return path[1], python[0], python[1]


def test_a_lane_is_one_file_and_one_row(tmp_path: Path, tiny_model: Path) -> None:
    name, text, row = blocks()
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "scripts", tree / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    assert not (tree / name).exists()
    (tree / name).write_text(text)
    table = tree / "scripts" / "trtbench" / "settings" / "lanes.py"
    head, opening, rest = table.read_text().partition("LANES: dict[str, Row] = {\n")
    assert opening
    table.write_text(head + opening + row + rest)
    settings = {
        "MODEL_NAME": str(tiny_model),
        "DATA_DIR": str(tmp_path / "data"),
        "LANES": "pytorch-eager,toy",
        "TRIALS": "3",
        "QUIET": "warn",
        "NUM_ITERATIONS": "3",
        "WARMUP_LIMIT": "2",
        "PROMPT_LENGTHS": "16",
        "NEW_TOKENS": "8",
        "THREADS": "1",
        "PYTHONPATH": str(tree / "scripts"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "trtbench.bench", "--local", "--compare"],
        env={**os.environ, **settings},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Toy" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 3, "the referee has something to say about its ids"
    report = json.loads((tmp_path / "data" / "results" / "benchmark_comparison_report.json").read_text())
    codes = {finding["code"] for finding in report["findings"] if finding["level"] == "fail"}
    assert any(code.startswith("parity.") for code in codes), codes
    (against,) = [a for cell in report["cells"] for a in cell["against"] if a["lane"] == "toy"]
    assert against["verdict"]["word"] not in ("faster", "slower", "equivalent")
