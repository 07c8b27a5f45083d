"""Have a run judged in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trtbench.machine.child import run_child
from trtbench.records import judgement, run_folder
from trtbench.records.files import encode, write_whole
from trtbench.records.judgement import Judgement
from trtbench.referee.judge.spec import Spec
from trtbench.referee.judge.writing import judged


def start(results: Path, spec: Spec, phase: Callable[[str], None]) -> Judgement:
    """Judge a run in a fresh process and write judge.json into its folder; also when it fails, with the reason."""
    home = run_folder.folder(results, spec.run)
    request, log = home / ".judge.spec.json", home / "logs" / "judge.log"
    answer = Path(spec.output)
    write_whole(request, encode(spec))
    try:
        status = run_child("trtbench.referee.judge.judging", request, log, spec.threads, phase)
    finally:
        request.unlink(missing_ok=True)
    written = judgement.read(answer) if status == 0 else None
    if written is not None:
        return written
    reason = f"the judge ended with status {status}; its log is {log.name}"
    failed = judged(spec, failure=reason)
    judgement.write(answer, failed)
    return failed
