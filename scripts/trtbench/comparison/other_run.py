"""The other side of `compare.py --against`."""

from __future__ import annotations

from pathlib import Path

from trtbench.comparison import audited, untrusted
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.errors import UserError
from trtbench.records import run_folder


def other_run(results: Path, run: str, wanted: str) -> tuple[Comparison, str]:
    """What `wanted` names, compared, and what it is: a run of these results, else something at that path. Raises
    UserError where that is `run` itself, nothing at all, or nothing to compare with."""
    if wanted == run:
        raise UserError(f"--against={wanted!r} is the run itself; give another one.")
    if wanted in run_folder.listed(results):
        other = audited.load(results, wanted)
        if not other.finished:
            raise UserError(f"run {wanted} has no finished trial; there is nothing to compare with.")
        return compare(other.run, other.trials, other.findings, other.judged), "run"
    path = Path(wanted)
    if not path.exists() and not path.is_symlink():
        others = ", ".join(name for name in run_folder.listed(results) if name != run) or "none"
        raise UserError(f"--against={wanted!r} is neither a file or folder nor a run; other runs: {others}.")
    return untrusted.read(path)
