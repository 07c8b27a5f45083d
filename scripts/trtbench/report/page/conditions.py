"""The end of the page: the conditions of the run, and how to run the same again."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison
from trtbench.records.trial import Statement
from trtbench.report.names import label
from trtbench.report.notices import stopped
from trtbench.report.numbers import number
from trtbench.report.page.elements import table
from trtbench.report.page.markup import Html, join, tag
from trtbench.report.rerun import again, changed
from trtbench.report.words.report import words


def conditions(comparison: Comparison, lang: str, key: str) -> Html:
    """Model and workload, machine, settings, what the lanes say of themselves."""
    say = words(lang)
    settings = changed(comparison)
    rows = [[tag("code", name), tag("div", tag("code", value), class_="wide")] for name, value in settings.items()]
    parts = [
        tag("h2", say["conditions"]),
        tag("h3", say["what_model"]),
        _facts(_model(comparison, lang)),
        tag("h3", say["what_machine"]),
        _facts(_machine(comparison, lang)),
        tag("h3", say["what_settings"]),
        table(say["what_settings"], [say["setting"], say["value"]], rows, (), f"{key}-settings")
        if rows
        else tag("p", say["no_settings"]),
    ]
    if comparison.statements:
        parts += [tag("h3", say["what_statements"]), _statements(comparison, lang, f"{key}-says")]
    return tag("section", *parts)


def _facts(facts: Sequence[tuple[str, str | None]]) -> Html:
    return tag(
        "dl", *(join([tag("dt", name), tag("dd", tag("bdi", value))]) for name, value in facts if value is not None)
    )


def _model(comparison: Comparison, lang: str) -> list[tuple[str, str | None]]:
    say, model = words(lang), comparison.model
    return [
        (say["model"], plain(model.name, NAME)),
        (say["source"], plain(model.source, NAME)),
        (say["revision"], plain(model.revision, NAME) if model.revision else None),
        (say["digest"], plain(model.digest, NAME)),
        (say["architecture"], plain(model.architecture, NAME)),
        (say["parameters"], f"{number(model.parameters / 1e6, lang, 1)} M"),
        (say["workload_digest"], plain(comparison.workload_digest, NAME)),
        (say["order"], say["interleaved_yes" if comparison.interleaved else "interleaved_no"]),
        (say["run"], plain(comparison.run, NAME)),
        (say["created"], plain(comparison.created, NAME)),
        (say["stopped"], stopped(comparison.stopped, lang) if comparison.stopped else None),
    ]


def _machine(comparison: Comparison, lang: str) -> list[tuple[str, str | None]]:
    say, machine = words(lang), comparison.environment
    physical = machine.physical_cores if machine.physical_cores is not None else say["unknown"]
    bandwidth = comparison.read_bandwidth
    return [
        (say["gpu"], ", ".join(plain(name, NAME) for name in machine.gpus) if machine.gpus else None),
        (say["driver"], plain(machine.driver, NAME) if machine.driver else None),
        ("CUDA", plain(machine.cuda, NAME) if machine.cuda else None),
        (say["cpu"], plain(machine.cpu_model, NAME)),
        (say["cores"], say["cores_of"].format(physical=physical, logical=machine.cores)),
        (say["ram"], f"{number(machine.memory / 2**30, lang, 1)} {say['gibibytes']}"),
        (say["read_bandwidth"], f"{number(bandwidth / 1e9, lang, 1)} {say['gigabytes_s']}" if bandwidth else None),
        (say["system"], plain(f"{machine.os}, {machine.kernel}", 2 * NAME)),
        (say["container"], plain(machine.container, NAME) if machine.container else None),
        (
            say["versions"],
            plain(", ".join([f"Python {machine.python}", *(f"{k} {v}" for k, v in machine.libraries.items())])),
        ),
        (say["commit"], plain(machine.git_commit, NAME) if machine.git_commit else None),
    ]


def _statements(comparison: Comparison, lang: str, key: str) -> Html:
    say = words(lang)

    def fact(value: object) -> str:
        if value is None:
            return say["unknown"]
        if isinstance(value, bool):
            return say["yes" if value else "no"]
        return plain(str(value), NAME)

    def notes(statement: Statement) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(statement.versions.items()))
        return tag("div", plain("; ".join(part for part in (versions, *statement.notes) if part)), class_="wide")

    head = ["lane", "runtime", "computes", "stores", "kv", "graphs", "threads_word", "attention", "reuse", "notes"]
    rows = []
    for stated in comparison.statements:
        statement = stated.statement
        rows.append(
            [
                label(stated.lane, stated.precision, comparison),
                plain(f"{statement.runtime} {statement.runtime_version}", NAME),
                fact(statement.compute_precision),
                fact(statement.weight_precision),
                fact(statement.kv_precision),
                fact(statement.cuda_graphs),
                fact(statement.threads),
                fact(statement.attention),
                fact(statement.prefix_reuse),
                notes(statement),
            ]
        )
    return table(say["what_statements"], [say[name] for name in head], rows, (), key)


def reproduce(comparison: Comparison, lang: str) -> Html:
    """The command that runs the same again; nothing where none was recorded."""
    say = words(lang)
    if not comparison.command:
        return Html("")
    return tag(
        "section",
        tag("h2", say["again"]),
        tag("p", say["again_note"], class_="soft"),
        tag("pre", tag("code", again(comparison)), tabindex=0),
    )
