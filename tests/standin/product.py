"""The product's own commands on the stand-in: what a user types in NVIDIA's image, with tiny models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from standin.kit import HERE, environment

SCRIPTS = HERE.parents[1] / "scripts"


class Product:
    """Commands with one DATA_DIR, and short runs of the lanes on the CPU unless told otherwise."""

    def __init__(self, model: Path, data: Path) -> None:
        self.data = data
        self.settings = {
            "MODEL_NAME": str(model),
            "DATA_DIR": str(data),
            "EXAMPLES_DIR": str(HERE / "examples"),
            "DEVICE": "cpu",
            "PRECISION": "float16",
            "BATCH_SIZES": "2",
            "PROMPT_LENGTHS": "56",  # longer than a block of the KV cache, which has 32 tokens
            "NEW_TOKENS": "8",
            "LANES": "tensorrt-engine",
            "TRIALS": "1",
            "QUIET": "warn",
            "TRY_SETTINGS": "0",
            "NUM_ITERATIONS": "1",
            "WARMUP_LIMIT": "1",
            "THREADS": "1",
        }

    def copied(self, data: Path) -> Product:
        """The same with a copy of all that is built, for a test that changes it."""
        shutil.copytree(self.data, data, symlinks=True)
        other = Product(Path(self.settings["MODEL_NAME"]), data)
        other.settings = {**self.settings, "DATA_DIR": str(data)}
        return other

    def environment(self, **more: str) -> dict[str, str]:
        """The stand-in's environment with the package and these settings. TRTBENCH_IMAGE: the image's own Python runs."""
        env = environment(**{**self.settings, "TRTBENCH_IMAGE": "1", "PYTHONDONTWRITEBYTECODE": "1", **more})
        env["PYTHONPATH"] = os.pathsep.join([str(SCRIPTS), env["PYTHONPATH"]])
        return {name: value for name, value in env.items() if value}

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own and go on; whoever starts it ends it."""
        return subprocess.Popen(
            command,
            env=self.environment(**more),
            cwd=self.data.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; standard error is in `stdout` too, in order."""
        return subprocess.run(
            command,
            env=self.environment(**more),
            cwd=self.data.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=300,
        )

    def build(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "trtbench.engine", *words, **more)

    def bench(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "trtbench.bench", *words, **more)

    def engines(self) -> dict[str, dict[str, Any]]:
        """Every engine.json by its folder's name."""
        return {
            note.parent.name: json.loads(note.read_text()) for note in sorted(self.data.glob("engines/*/engine.json"))
        }

    def trials(self) -> list[dict[str, Any]]:
        """Every trial record, in the order of the places."""
        return [json.loads(path.read_text()) for path in sorted(self.data.glob("results/runs/*/trials/*.json"))]

    def absent(self) -> list[dict[str, Any]]:
        """What the latest run says of lanes that could not run."""
        found: list[dict[str, Any]] = json.loads(sorted(self.data.glob("results/runs/*/run.json"))[-1].read_text())[
            "absent"
        ]
        return found
