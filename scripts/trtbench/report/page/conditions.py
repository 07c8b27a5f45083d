"""The conditions of the run, as facts for the end of the page. A fact that is not known is None and left out."""

from __future__ import annotations

from trtbench.comparison.clean_text import NAME, REASON, plain
from trtbench.comparison.result import Comparison
from trtbench.report import cards, software
from trtbench.report.language import Language
from trtbench.report.names import gpus, label, moment, program, split
from trtbench.report.notices import stopped
from trtbench.report.page.fields import Field, Table
from trtbench.report.recorded import told
from trtbench.report.rerun import changed

NOTES = 2 * REASON  # characters of what a lane says of itself
Facts = dict[str, "str | None"]  # as the template names them


def model(comparison: Comparison, say: Language) -> Facts:
    """Model, workload and run."""
    of = comparison.model
    return {
        "name": plain(of.name, NAME),
        "source": say(source) if (source := f"source.{of.source}") in say else plain(of.source, NAME),
        "revision": _known(of.revision),
        "digest": plain(of.digest, NAME),
        "architecture": plain(of.architecture, NAME),
        "parameters": f"{say.number(of.parameters / 1e6, 1)} M",
        "workload": plain(comparison.workload_digest, NAME),
        "run": plain(comparison.run, NAME),
        "created": moment(comparison.created),
        "stopped": stopped(comparison.stopped, say) if comparison.stopped else None,
    }


def machine(comparison: Comparison, say: Language) -> Facts:
    """What the run was measured on."""
    of, bandwidth = comparison.environment, comparison.read_bandwidth
    return {
        "gpus": gpus(comparison) or None,
        "split": split(comparison, say),
        "driver": _known(of.driver),
        "cuda": _known(of.cuda),
        "cpu": plain(of.cpu_model, NAME),
        "cores": say("cores_unknown", logical=of.cores)
        if of.physical_cores is None
        else say("cores_of", physical=of.physical_cores, logical=of.cores),
        "ram": f"{say.number(of.memory / 2**30, 1)} {say('gibibytes')}",
        "bandwidth": f"{say.number(bandwidth / 1e9, 1)} {say('gigabytes_s')}" if bandwidth else None,
        "system": plain(f"{of.os}, {of.kernel}", 2 * NAME),
        "container": _known(of.container),
        "program": program(comparison, say),
        "commit": _known(of.git_commit),
    }


def _known(text: str | None) -> str | None:
    return plain(text, NAME) if text else None


def settings(comparison: Comparison, say: Language) -> Table | None:
    """The settings that are not the defaults."""
    rows = [[Field("code", name), Field("long code", value)] for name, value in changed(comparison).items()]
    return Table([say("setting"), say("value")], rows) if rows else None


def software_of_lanes(comparison: Comparison, say: Language) -> Table | None:
    """What each lane ran in."""
    head, rows = software.table(comparison, say)
    return Table(head, rows) if rows else None


def card_states(comparison: Comparison, say: Language) -> Table | None:
    """How the card was during the timed calls."""
    head, rows = cards.table(comparison, say)
    words = say("card.held_back")
    return Table(head, rows, [i for i in range(1, len(head)) if head[i] != words]) if rows else None


def statements(comparison: Comparison, say: Language) -> Table | None:
    """What the lanes say of themselves."""

    def fact(value: object, asked: bool = False) -> str:
        if asked and value is not None:
            return say("asked.mark", value=fact(value))
        if value is None:
            return say("unknown")
        if isinstance(value, bool):
            return say("yes" if value else "no")
        return told(str(value), say, NAME, quoted=False)

    head = ("lane", "runtime", "computes", "stores", "kv", "graphs", "threads_word", "attention", "reuse", "notes")
    rows: list[list[str | Field]] = []
    for stated in comparison.statements:
        of = stated.statement
        versions = ", ".join(f"{name} {version}" for name, version in sorted(of.versions.items()))
        notes = [told(note, say, quoted=False) for note in of.notes]
        said = ("compute_precision", "weight_precision", "kv_precision", "cuda_graphs", "threads", "attention")
        rows.append(
            [
                label(stated.lane, stated.precision, comparison),
                plain(f"{of.runtime} {of.runtime_version}", NAME),
                *(fact(getattr(of, name), name in (of.asked or [])) for name in (*said, "prefix_reuse")),
                Field("long", plain(say.clauses(part for part in (versions, *notes) if part), NOTES) or "-"),
            ]
        )
    return Table([say(name) for name in head], rows) if rows else None
