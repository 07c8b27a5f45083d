"""Records to findings. Each theme is a module with one function; the table of all findings is in trtbench.referee.audit.findings.

Right of the record: nothing here imports an engine. The time is linear in the number of records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trtbench.model.workload import Workload
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run
from trtbench.records.trial import Trial
from trtbench.referee.audit import (
    bases,
    ceiling,
    clock,
    counts,
    fairness,
    machine,
    parity,
    provenance,
    settings,
    split,
    steady,
    who,
)
from trtbench.referee.audit.context import Context
from trtbench.referee.audit.findings import PASS, Finding, found, ordered

CHECKS: dict[str, Callable[[Context], list[Finding]]] = {
    "count": counts.count,
    "rate": counts.rate,
    "time": clock.check,
    "ceiling": ceiling.check,
    "parity": parity.check,
    "fairness": lambda context: [*fairness.check(context), *settings.check(context), *split.check(context)],
    "steady": steady.check,
    "machine": machine.check,
    "provenance": lambda context: [*provenance.check(context), *who.check(context)],
    "base": bases.check,
    "aa": steady.aa,
}


def audit(
    run: Run, trials: Sequence[Trial], judgement: Judgement | None = None, workload: Workload | None = None
) -> list[Finding]:
    """Everything there is to say about these records, fails first; the order of `trials` does not matter.

    A theme in which nothing is found gives each lane a `pass`; lacking evidence is a finding of its own, so it never
    passes. Without the workload, prompts are held against each other instead of against what was to be handed over.
    """
    context = Context.of(run, trials, judgement, workload)
    findings: list[Finding] = []
    for theme, check in CHECKS.items():
        of_theme = check(context)
        findings += of_theme
        for key in context.groups:
            if (theme == "aa" and key != context.base) or (theme == "base" and not bases.evident(context)):
                continue
            if not any(f.touches(*key) for f in of_theme):
                findings.append(found(theme, key, level=PASS))
    return ordered(findings)
