"""Trials that somebody disturbed, each with its reason: the same sentences for every format."""

from __future__ import annotations

from trtbench.comparison.result import Comparison
from trtbench.records.telemetry import Disturbance
from trtbench.report.language import Language
from trtbench.report.names import label

SHOWN = 20  # the JSON document holds all


def sentences(comparison: Comparison, say: Language) -> list[str]:
    """One for each of the first disturbed trials, and how many more there are; nothing where there are none."""
    said = []
    for trial in comparison.disturbed[:SHOWN]:
        why = ", ".join(_reason(one, say) for one in trial.reasons)
        key = "disturbed.counts" if trial.counts else "disturbed.again"
        said.append(say(key, lane=label(trial.lane, trial.precision, comparison), index=trial.index, why=why))
    more = len(comparison.disturbed) - SHOWN
    return said + ([say("disturbed.more", n=more)] if more > 0 else [])


def _reason(one: Disturbance, say: Language) -> str:
    value = round(one.value) if one.kind == "gpu_process" else one.value
    return say(f"disturbed.{one.kind}", value=value, limit=one.limit)
