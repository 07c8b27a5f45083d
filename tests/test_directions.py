"""The rule for imports between rooms (pyproject.toml, import-linter): it holds, and each part of it breaks when planted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trtbench.settings.knobs import ROOT


def lint(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter over the package below `home`/scripts."""
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(command), "--no-cache", "--no-logo", str(home / "pyproject.toml")],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(home / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with its rules, to plant something in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "scripts" / "trtbench", tmp_path / "scripts" / "trtbench")
    return tmp_path


def test_the_house_keeps_the_rule() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "planted", "contract"),
    [
        ("records/files.py", "from trtbench.report import text", "left to right"),
        ("settings/cells.py", "from trtbench.records import trial", "left to right"),
        ("machine/host.py", "from trtbench.model import shape", "left to right"),
        ("figures/speedup.py", "from trtbench.machine import cards", "Figures know"),
        ("report/text.py", "from trtbench.engine import plan", "What judges and tells"),
        ("doctor/access.py", "from trtbench.lanes import lane", "The doctor looks"),
        ("comparison/history.py", "import torch", "Right of the record"),
        # Inside a function it is an import all the same.
        ("comparison/history.py", "def late() -> None:\n    import transformers", "Right of the record"),
    ],
)
def test_a_planted_import_breaks_it(copy: Path, module: str, planted: str, contract: str) -> None:
    file = copy / "scripts" / "trtbench" / module
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{planted}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(contract in line for line in broken), done.stdout


def test_a_room_that_no_rule_knows_breaks_it(copy: Path) -> None:
    room = copy / "scripts" / "trtbench" / "attic"
    room.mkdir()
    (room / "__init__.py").touch()
    done = lint(copy)
    assert done.returncode == 1
    assert "attic" in done.stdout
