"""What each lane ran in: a sentence a lane for the text, a table for the Markdown and the page, and the packages."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Software
from trtbench.records.trial import Environment
from trtbench.report.language import Language
from trtbench.report.names import bare_label, label


def sentences(comparison: Comparison, say: Language) -> list[str]:
    """One for each lane with figures."""
    return [
        say.pair(label(of.lane, of.precision, comparison), ", ".join(_parts(of, say))) for of in comparison.software
    ]


def table(comparison: Comparison, say: Language) -> tuple[list[str], list[list[str]]]:
    """Head and lines; no lines where no lane has figures."""
    head = [say("lane"), say("runtime"), say("software.torch"), "Python", say("software.venv")]
    return head, [
        [
            label(of.lane, of.precision, comparison),
            _runtime(of) or say("unknown"),
            plain(of.torch, NAME) if of.torch else "-",
            plain(of.python, NAME),
            plain(of.venv, NAME) if of.venv else say("software.run"),
        ]
        for of in comparison.software
    ]


def packages(comparison: Comparison, say: Language) -> list[tuple[str, str]]:
    """What was installed, once for all lanes that had the same; the title names the lanes where they did not."""
    lanes: dict[str, list[str]] = {}
    described: Sequence[Software | Environment] = comparison.software or [comparison.environment]
    for of in described:
        versions = ", ".join(f"{name} {version}" for name, version in {"Python": of.python, **of.libraries}.items())
        lanes.setdefault(plain(versions), []).extend([bare_label(of.lane)] if isinstance(of, Software) else [])
    if len(lanes) == 1:
        return [(say("versions"), next(iter(lanes)))]
    return [
        (say("software.packages_of", lanes=", ".join(dict.fromkeys(names))), versions)
        for versions, names in lanes.items()
    ]


def _parts(of: Software, say: Language) -> list[str]:
    runtime = _runtime(of)
    parts = [runtime] if runtime else []
    if of.torch and of.torch != of.runtime_version:
        parts.append(f"torch {plain(of.torch, NAME)}")
    parts.append(f"Python {plain(of.python, NAME)}")
    return [*parts, say("software.in", venv=plain(of.venv, NAME))] if of.venv else parts


def _runtime(of: Software) -> str:
    return plain(f"{of.runtime} {of.runtime_version}", NAME) if of.runtime else ""
