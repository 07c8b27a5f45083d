"""The command line in tests: `python(...)`, and `Bench` for short runs of the toy lanes on a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from trtbench.model.synthetic import Shape
from trtbench.settings.knobs import ROOT

TOY = Path(__file__).parent / "toy"
TINY = Shape(hidden=64, layers=2, heads=4, kv_heads=2, intermediate=128, vocab=512, positions=256)


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with the toy lanes, the package and these settings."""
    path = os.pathsep.join(map(str, (TOY, ROOT / "scripts")))
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **settings}


def python(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` to its end."""
    return subprocess.run(
        [sys.executable, *arguments], env=environment(**settings), capture_output=True, text=True, timeout=120
    )


class Bench:
    """`python -m trtbench.bench` with short trials of the toy lanes on the tiny model, unless told otherwise."""

    def __init__(self, model: Path, data: Path) -> None:
        self.data = data
        self.settings = {
            "MODEL_NAME": str(model),
            "DATA_DIR": str(data),
            "DEVICE": "cpu",
            "LANES": "toy-torch,toy-fast",
            "TRIALS": "2",
            "NUM_ITERATIONS": "2",
            "WARMUP_LIMIT": "2",
            "QUIET": "warn",
            "TRY_SETTINGS": "0",
            "PROMPT_LENGTHS": "16",
            "NEW_TOKENS": "8",
            "THREADS": "1",
        }

    def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return python("-m", "trtbench.bench", *arguments, **{**self.settings, **settings})

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start it and go on; whoever starts it ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "trtbench.bench", *arguments],
            env=environment(**{**self.settings, **settings}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def results(self) -> Path:
        return Path(self.settings.get("RESULTS_DIR", str(self.data / "results")))

    def runs(self) -> list[Path]:
        return sorted((self.results / "runs").iterdir())

    def trials(self, run: int = -1) -> dict[str, bytes]:
        """Name and bytes of every trial file of a run."""
        return {path.name: path.read_bytes() for path in sorted(self.runs()[run].glob("trials/*.json"))}

    def order(self, run: int = -1) -> list[str]:
        """Lanes of a run's trials, in the order they ran."""
        return [json.loads(data)["lane"] for data in self.trials(run).values()]
