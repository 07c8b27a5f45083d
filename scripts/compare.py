#!/usr/bin/env python3
"""Compare all lanes of the latest run: `python3 scripts/compare.py [--help]`."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def unfinished(environment: Path) -> bool:
    """Whether scripts/lib.sh did not come to the end of making it."""
    stamp = environment / ".stamp"
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == "unfinished"


def own_environment() -> None:
    """Go on in the environment that bench_local.sh made, when this Python lacks what comparing needs, or with what it
    lacks added."""
    pythons = [HERE.parent / name / "bin" / "python" for name in (".venv", ".venv-cuda")]
    whole = [python for python in pythons if python.is_file() and not unfinished(python.parents[1])]
    python = next(iter(whole), pythons[0])
    needed = ("msgspec", "numpy", "matplotlib", "jinja2", "psutil")
    lacking = [name for name in needed if importlib.util.find_spec(name) is None]
    if not lacking:
        return
    # NVIDIA's image, or the user's own Python with a torch: with what run_all.sh added beside its packages.
    own = bool(os.environ.get("TRTBENCH_PYTHON")) and importlib.util.find_spec("torch") is not None
    if own or importlib.util.find_spec("tensorrt_llm") is not None:
        sys.dont_write_bytecode = True  # it would be root's, in the user's clone
        beside = [sys.executable, "-B", str(HERE.parent / "docker" / "missing.py"), "--beside"]
        done = subprocess.run(beside, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(done.returncode)
        os.environ["TRTBENCH_PACKAGES"] = done.stdout.strip()
        return
    if python.is_file() and not os.environ.get("TRTBENCH_REEXEC"):
        os.environ["TRTBENCH_REEXEC"] = "1"
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    sys.exit(
        f"error: this Python lacks {', '.join(lacking)}; install requirements/compare.lock or run: bash scripts/bench_local.sh"
    )


if __name__ == "__main__":
    own_environment()
    from trtbench.compare import main
    from trtbench.errors import run_main

    run_main(main)
