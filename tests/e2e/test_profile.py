"""PROFILE=1 through the product: a file beside the first trial's log, and records that know nothing of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trtbench.settings.knobs import ROOT

pytest.importorskip("torch")
pytest.importorskip("transformers")


def test_a_profile_lies_beside_the_first_trials_log(tiny_model: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "LANES": "pytorch-eager", "TRIALS": "2", "QUIET": "warn"}
    env |= {"NUM_ITERATIONS": "1", "WARMUP_LIMIT": "1", "PROMPT_LENGTHS": "16", "NEW_TOKENS": "5", "THREADS": "1"}
    env |= {"MODEL_NAME": str(tiny_model)}
    done = subprocess.run(
        [sys.executable, "-m", "trtbench.bench", "--local", "--data-dir", str(tmp_path), "--profile", "1"],
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = (tmp_path / "results" / "runs").iterdir()
    (found,) = (run / "logs").glob("*.profile.json")  # of the first trial alone
    assert "-t1-" in found.name
    (cell,) = json.loads(found.read_text())["cells"]
    assert (cell["steps"], cell["events"]) == (4, "operators")
    assert "aten::linear" in {line["name"] for line in cell["by_name"]}
    trials = [json.loads(path.read_text()) for path in (run / "trials").glob("*.json")]
    assert [len(t["cells"][0]["e2e"]["times"]) for t in trials] == [1, 1]
