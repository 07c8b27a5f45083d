"""The lower half of the page: the audit with its figures, the conditions, how to run the same again."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison
from trtbench.records.trial import Statement
from trtbench.referee.audit.findings import FAIL, PASS, WARN, Finding
from trtbench.report import audit_text, history
from trtbench.report.names import label
from trtbench.report.notices import stopped
from trtbench.report.numbers import number
from trtbench.report.page.markup import Html, join, tag
from trtbench.report.page.sections import table, word
from trtbench.report.story import again, changed
from trtbench.report.words.audit import HEADINGS
from trtbench.report.words.report import words

SHOWN = 60  # findings of one level; the JSON document holds all


def against(comparison: Comparison, lang: str, key: str) -> Html:
    """This run against another one; nothing without one."""
    found = comparison.history
    if found is None:
        return Html("")
    name = history.title(found, lang).capitalize()
    parts: list[str] = [tag("h2", name), *(tag("p", one, class_="note") for one in history.notices(found, lang))]
    if found.changes:
        rows = history.rows(found, comparison, lang)
        parts.append(table(name, history.head(lang), rows, (1, 2, 3, 4), key, history.note(found, lang)))
    told = [*history.remarks(found, comparison, lang), *history.differences(found, comparison, lang)]
    return tag("section", *parts, tag("ul", *(tag("li", tag("div", one, class_="wide")) for one in told)))


def audit(comparison: Comparison, lang: str, key: str) -> Html:
    """Fails and warnings with their figures and advice, and what passed."""
    say, heads = words(lang), HEADINGS[lang]
    parts: list[str] = [tag("h2", heads["title"].capitalize())]
    if not comparison.findings:
        return tag("section", *parts, tag("p", heads["not_audited"]))
    several = len({f.precision for row in comparison.cells for f in row.figures}) > 1
    lines = []
    for level in (FAIL, WARN):
        groups = audit_text.merged([f for f in comparison.findings if f.level == level])
        lines += [_line(group, lang, several) for group in groups[:SHOWN]]
    if lines:
        head = [say["level_word"], say["about"], say["finding"], say["advice"]]
        parts.append(table(heads["title"].capitalize(), head, lines, (), key))
    passed = audit_text.passes([f for f in comparison.findings if f.level == PASS or f.lane is not None], several)
    if passed:
        parts.append(tag("p", word("pass", heads["passed"]), " ", ", ".join(passed)))
    return tag("section", *parts)


def _line(group: Sequence[Finding], lang: str, several: bool) -> list[str]:
    heads, first = HEADINGS[lang], group[0]
    who = ", ".join(dict.fromkeys(plain(audit_text.lane_name(f, lang, several), NAME) for f in group))
    cells = list(dict.fromkeys(f.cell for f in group if f.cell is not None))
    where = ""
    if cells:
        where = heads["cell"].format(batch=cells[0][0], prompt=cells[0][1], new=cells[0][2])
        if len(cells) > 1:
            where += ", " + heads["more_one" if len(cells) == 2 else "more"].format(n=len(cells) - 1)
    return [
        word(first.level, heads[first.level]),
        join([who, tag("br"), tag("small", where)]) if where else join([who]),
        tag("div", plain(audit_text.sentence(first, lang)), " ", tag("small", tag("code", first.code)), class_="wide"),
        tag("div", plain(audit_text.advice(first, lang)), class_="wide"),
    ]


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
    say, it = words(lang), comparison.environment
    physical = it.physical_cores if it.physical_cores is not None else say["unknown"]
    bandwidth = comparison.read_bandwidth
    return [
        (say["gpu"], ", ".join(plain(name, NAME) for name in it.gpus) if it.gpus else None),
        (say["driver"], plain(it.driver, NAME) if it.driver else None),
        ("CUDA", plain(it.cuda, NAME) if it.cuda else None),
        (say["cpu"], plain(it.cpu_model, NAME)),
        (say["cores"], say["cores_of"].format(physical=physical, logical=it.cores)),
        (say["ram"], f"{number(it.memory / 2**30, lang, 1)} {say['gibibytes']}"),
        (say["read_bandwidth"], f"{number(bandwidth / 1e9, lang, 1)} {say['gigabytes_s']}" if bandwidth else None),
        (say["system"], plain(f"{it.os}, {it.kernel}", 2 * NAME)),
        (say["container"], plain(it.container, NAME) if it.container else None),
        (say["versions"], plain(", ".join([f"Python {it.python}", *(f"{k} {v}" for k, v in it.libraries.items())]))),
        (say["commit"], plain(it.git_commit, NAME) if it.git_commit else None),
    ]


def _statements(comparison: Comparison, lang: str, key: str) -> Html:
    say = words(lang)

    def told(value: object) -> str:
        if value is None:
            return say["unknown"]
        if isinstance(value, bool):
            return say["yes" if value else "no"]
        return plain(str(value), NAME)

    def more(statement: Statement) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(statement.versions.items()))
        return tag("div", plain("; ".join(part for part in (versions, *statement.notes) if part)), class_="wide")

    head = ["lane", "runtime", "computes", "stores", "kv", "graphs", "threads_word", "attention", "reuse", "notes"]
    rows = []
    for one in comparison.statements:
        said = one.statement
        rows.append(
            [
                label(one.lane, one.precision, comparison),
                plain(f"{said.runtime} {said.runtime_version}", NAME),
                told(said.compute_precision),
                told(said.weight_precision),
                told(said.kv_precision),
                told(said.cuda_graphs),
                told(said.threads),
                told(said.attention),
                told(said.prefix_reuse),
                more(said),
            ]
        )
    return table(say["what_statements"], [say[name] for name in head], rows, (), key)


def reproduce(comparison: Comparison, lang: str) -> Html:
    say = words(lang)
    if not comparison.command:
        return Html("")
    return tag(
        "section",
        tag("h2", say["again"]),
        tag("p", say["again_note"], class_="soft"),
        tag("pre", tag("code", again(comparison)), tabindex=0),
    )
