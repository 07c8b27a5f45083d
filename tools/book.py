"""Write the results book, docs/results/<card>/, from the records in it, its table in both READMEs, and the table of attempts in
docs/performance.md; no figure in them is typed.

    python3 tools/book.py [--check] [--charts]

Every folder has runs/*.bundle, each read and audited again as a stranger's is, and a book.toml, written by hand: what a person
must say of the folder and of each run, in the order in which they stand (docs/results/CONTRIBUTING.md lists its keys). Each
bundle becomes a report beside it; the folder's README.md has a section for each run. The run that is marked `shown = true`,
one in all folders, is the table of README.md and README.fr.md.

--check writes nothing and ends with status 1 when a file is not what would be made. --charts draws the product's chart of each
run that has none (it differs from one matplotlib to the next, so nothing checks it). What is wrong with a folder is one sentence
and status 2.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]

from book_folder import SOURCE, Attempt, Book, RunSaid, Table, books, in_turns, named_file, variants_of  # noqa: E402

from trtbench.comparison.result import Comparison, Row  # noqa: E402
from trtbench.errors import UserError  # noqa: E402
from trtbench.figures.summary import Figures  # noqa: E402
from trtbench.referee.audit.findings import FAIL, WARN, Finding  # noqa: E402
from trtbench.report import audit_text  # noqa: E402
from trtbench.report.headline import lead, verdict_sentence  # noqa: E402
from trtbench.report.language import ENGLISH, FRENCH, Language  # noqa: E402
from trtbench.report.markdown import code, escape, render  # noqa: E402
from trtbench.report.names import bare_label, label, place, several_precisions  # noqa: E402
from trtbench.report.notices import stopped  # noqa: E402
from trtbench.report.remarks import failure_sentences, left  # noqa: E402
from trtbench.settings.lanes import LANES  # noqa: E402

UNKNOWN = "not known"
READMES = {"README.md": ENGLISH, "README.fr.md": FRENCH}


# What records say


def shapes(comparison: Comparison) -> list[tuple[int, int]]:
    """Prompt ids and new ids of the cells, each once."""
    return list(dict.fromkeys((row.prompt_length, row.new_tokens) for row in comparison.cells))


def _speedup(f: Figures, row: Row, _: Comparison, say: Language) -> str | None:
    against = row.by_lane.get((f.lane, f.precision))
    if against is None:
        bases = {(a.base, a.base_precision) for a in row.against}
        return say("base") if (f.lane, f.precision) in bases else None
    if against.verdict.word == "void":
        return say("void")
    return say.times(against.speedup.ratio) + say.in_brackets(against.speedup)


def _lane(f: Figures, _: Row, comparison: Comparison, say: Language) -> str:
    name = escape(label(f.lane, f.precision, comparison))
    return f"{name} ({left(f, say)})" if f.left is not None else name


def _share(value: float | None, say: Language) -> str | None:
    return None if value is None else say.percent(value)


def _figure(value: float | None, say: Language, digits: int) -> str | None:
    return None if value is None else say.number(float(value), digits)


def _gibibytes(f: Figures, say: Language) -> str | None:
    return None if f.gpu_memory is None else say.number(f.gpu_memory / 2**30, 2)


# A column: its head in both languages, and what stands in it for a lane in a cell; None where that is not known.
COLUMNS: dict[str, tuple[tuple[str, str], Callable[[Figures, Row, Comparison, Language], str | None]]] = {
    "lane": (("lane", "voie"), _lane),
    "batch": (("batch", "lot"), lambda f, row, c, say: str(row.batch)),
    "shape": (("prompt + new", "entrée + nouveaux"), lambda f, row, c, say: f"{row.prompt_length} + {row.new_tokens}"),
    "rate": (("output tok/s", "jetons produits/s"), lambda f, row, c, say: _figure(f.throughput, say, 0)),
    "ms": (("ms", "ms"), lambda f, row, c, say: _figure(f.latency, say, 1)),
    "speedup": (("speed-up", "accélération"), _speedup),
    "ttft": (("TTFT (ms)", "TTFT (ms)"), lambda f, row, c, say: _figure(f.ttft, say, 2)),
    "mbu": (("MBU", "MBU"), lambda f, row, c, say: _share(f.mbu, say)),
    "near": (("near", "proches"), lambda f, row, c, say: _share(f.near, say)),
    "memory": (("GPU GiB", "Gio GPU"), lambda f, row, c, say: _gibibytes(f, say)),
    "energy": (("J/token", "J/jeton"), lambda f, row, c, say: _figure(f.energy, say, 3)),
    "trials": (
        ("trials × iterations", "essais × itérations"),
        lambda f, row, c, say: f"{f.trials} × {f.iterations // f.trials}",
    ),
}
IN_README = ("lane", "batch", "shape", "rate", "speedup", "mbu", "ttft")
EXPLAINED_IN_README = ("speedup", "mbu", "ttft")

WORDS = {
    "synthetic": ("{model} (synthetic weights)", "{model} (poids synthétiques)"),
    "shape": (
        "{prompt:i} prompt ids + {new:i} new",
        "{prompt:i} {prompt:identifiant|identifiants} d'entrée + {new:i} {new:nouveau|nouveaux}",
    ),
    "same": ("{high:trial} of each lane", "{high:trial} de chaque voie"),
    "range": ("{low:i} to {high:trial} of each lane", "de {low:i} à {high:trial} de chaque voie"),
    "stayed": ("{trials} that stayed", "{trials} restée jusqu'au bout"),
    "line": (
        "**{card}**, {date}: {facts} ([report]({link})).",
        "**{card}**, {date} : {facts} ([rapport]({link}), en anglais).",
    ),
    "unmeasured": (
        "**What it does not say: how fast TensorRT-LLM is.** Nobody has measured {lanes} yet.",
        "**Ce que ce tableau ne dit pas : la vitesse de TensorRT-LLM.** Personne n'a encore mesuré {lanes}.",
    ),
    "books": ("All runs, by card: {links}.", "Toutes les exécutions, par carte : {links} (en anglais)."),
}


def figures_table(comparison: Comparison, say: Language, keys: Sequence[str] = tuple(COLUMNS)) -> str:
    """A row for every lane and cell; columns that nothing in the run has are left out."""
    several = len(shapes(comparison)) > 1
    columns = {}
    for key in keys:
        write = COLUMNS[key][1]
        texts = [write(f, row, comparison, say) for row in comparison.cells for f in row.figures]
        if any(text is not None for text in texts) and (key != "shape" or several):
            columns[COLUMNS[key][0][say.place]] = [text or "-" for text in texts]
    rows = [list(line) for line in zip(*columns.values(), strict=True)]
    return table(list(columns), rows, ["---", *["---:"] * (len(columns) - 1)])


def model_of(comparison: Comparison, say: Language) -> str:
    name = code(comparison.model.name)
    return say.fill(WORDS["synthetic"], model=name) if comparison.model.synthetic else name


def facts_of(comparison: Comparison, say: Language) -> list[str]:
    """Model, precisions, prompt and new ids."""
    precisions = list(dict.fromkeys(f.precision for row in comparison.cells for f in row.figures))
    sizes = [say.fill(WORDS["shape"], prompt=prompt, new=new) for prompt, new in shapes(comparison)]
    return [model_of(comparison, say), *precisions, *sizes]


def conditions(comparison: Comparison) -> str:
    """When, on what and with which software: one paragraph, all of it from the records."""
    environment = comparison.environment
    lines = [f"{escape(place(comparison))}, {escape(environment.cpu_model)}"]
    if environment.driver is not None:
        lines.append(f"driver {escape(environment.driver)}")
    lines.append(f"{comparison.created[:16].replace('T', ' ')} UTC")
    greedy = ["greedy"] if comparison.settings.get("TEMPERATURE") == 0 else []
    software = []
    for ran_in in comparison.software:
        words = f"{ran_in.runtime} {ran_in.runtime_version}"
        if ran_in.torch is not None and ran_in.torch != ran_in.runtime_version:
            words += f" with torch {ran_in.torch}"
        software.append(escape(words))
    sentences = [
        ", ".join(lines),
        ", ".join([*facts_of(comparison, ENGLISH), *greedy]),
        ", ".join(dict.fromkeys(software)),
    ]
    if environment.git_commit is not None:
        commit, _, changes = environment.git_commit.partition("+")
        sentences.append(f"Program at commit {code(commit[:7])}{' with changes' if changes else ''}")
    if comparison.stopped:
        sentences.append(f"Stopped: {escape(stopped(comparison.stopped, ENGLISH))}")
    return ". ".join(sentences) + "."


def cell_of(row: Row, comparison: Comparison) -> str:
    """What a sentence about a cell begins with."""
    several = len(shapes(comparison)) > 1
    return f"Batch {row.batch}" + (f", {row.prompt_length} + {row.new_tokens}" if several else "")


def headline_of(comparison: Comparison) -> Iterator[str]:
    """The headline of each cell, as the report has it."""
    for row in comparison.cells:
        for a in row.against:
            if a.headline:
                yield f"- {cell_of(row, comparison)}: {escape(verdict_sentence(a, comparison, ENGLISH), 2000)}"


def missing_in(comparison: Comparison) -> Iterator[str]:
    """What was asked for and has no figures: lanes, and cells of lanes that have the same reason."""
    for absent in comparison.failed:
        yield f"- {escape(bare_label(absent.lane))}: {escape(failure_sentences(absent.failure, ENGLISH))}"
    for row in comparison.cells:
        for hole in row.holes:
            name = escape(label(hole.lane, hole.precision, comparison))
            yield f"- {name}, {cell_of(row, comparison).lower()}: {escape(hole.reason)}"


def warns_of(comparison: Comparison) -> Iterator[str]:
    """What the audit found, once for the run: the lanes of which it says the same stand in one line."""
    several = several_precisions(comparison)
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for group in audit_text.merged([f for f in comparison.findings if f.level in (FAIL, WARN)]):
        first = group[0]
        alike.setdefault((first.level, first.code, audit_text.sentence(first, ENGLISH)), []).extend(group)
    for (level, name, sentence), findings in alike.items():
        who = ", ".join(dict.fromkeys(audit_text.lane_name(f, ENGLISH, several) for f in findings))
        cells = audit_text.cells_of(findings, ENGLISH)
        where = f"{who}; {cells}" if cells else who
        yield f"- {'**FAIL** ' if level == FAIL else ''}{code(name)} ({escape(where)}): {escape(sentence)}"


# Writing


def table(head: Sequence[str], rows: Sequence[Sequence[str]], rule: Sequence[str] | None = None) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule or ["---"] * len(head), *rows])


def number(value: float | None, form: str = ",.1f") -> str:
    return UNKNOWN if value is None else format(value, form)


def section(book: Book, said: RunSaid, comparison: Comparison) -> list[str]:
    """One run: what a person says first, then what the records say."""
    parts = [f"### {said.title}", said.text.strip(), conditions(comparison), figures_table(comparison, ENGLISH)]
    lists = {
        "Headline of each cell:": headline_of(comparison),
        "Asked for, and without figures:": missing_in(comparison),
        "The audit warns:": warns_of(comparison),
    }
    for title, lines in lists.items():
        text = "\n".join(lines)
        parts += [title, text] if text else []
    links = [f"[Report](runs/{said.name}.md)"]
    if (book.folder / "runs" / f"{said.name}.png").is_file():
        links.append(f"[chart](runs/{said.name}.png)")
    return [*parts, ", ".join([*links, f"[records](runs/{said.name}.bundle)."])]


LEGEND = """How to read the tables: output tok/s and ms are of a whole generation, prompt included, mean of the trials. The speed-up is
against the fastest PyTorch lane of the cell (`base`), with its 95 % interval where there are trials enough. TTFT: a generation of
one token. MBU: share of the memory bandwidth (a card's nominal one) that decode used. Near: share of ids that the reference model
would choose or nearly choose. GPU GiB: peak, less what was in use before. J/token: of the whole card."""

ALONE = """Nothing here is a comparison: each of these is a run with one lane (or with lanes one after the other), so a drift of the machine
stands between any two of them. They are good for the order of magnitude and for what the audit says of each."""


def readme(book: Book) -> str:
    """The README.md of a folder."""
    parts = [f"# {book.source.title}", book.source.introduction.strip()]
    parts += [
        f"This file and the reports are made by `python3 tools/book.py` from the bundles in [runs](runs), which `compare.py --bundle`\n"
        f"wrote, and the words in [{SOURCE}]({SOURCE}); a test holds them equal.",
        LEGEND,
    ]
    for title, first, turns in (
        ("Runs in turns", [], True),
        ("Single trials: one lane a run, not in turns", [ALONE], False),
    ):
        sections = [section(book, *run) for run in book.runs if in_turns(run[1]) is turns]
        if sections:
            parts += [f"## {title}", *first, *(part for one in sections for part in one)]
    for attempt in book.source.attempt:
        parts += [f"## {attempt.title}", attempt.text.strip(), *attempt_table(book, attempt)]
    parts += ["## Not measured", book.source.not_measured.strip()]
    return "\n\n".join(parts) + "\n"


def attempt_table(book: Book, attempt: Attempt) -> list[str]:
    """The table of an attempt, and the note that its file has."""
    content = named_file(book, attempt.file)
    if attempt.file.endswith(".log"):
        return [calls_table(content)]
    try:
        made = msgspec.json.decode(content, type=Table)
    except msgspec.MsgspecError as error:
        raise UserError(
            f"docs/results/{book.folder.name}/{attempt.file} is no table of columns, rows and a note: {error}."
        ) from None
    rows = [[cell if isinstance(cell, str) else f"{cell:,}" for cell in line] for line in made.rows]
    return [table(made.columns, rows, ["---", *["---:"] * (len(made.columns) - 1)]), made.note]


def calls_table(log: str) -> str:
    """The better call of each kind in a log with lines of batch, new ids, seconds, sequences, {lengths}."""
    best: dict[tuple[int, int], float] = {}
    for line in log.splitlines():
        found = re.match(r"(\d+) (\d+) ([\d.]+) \1 \{\2\}$", line)
        if found:
            key = int(found[1]), int(found[2])
            best[key] = min(best.get(key, 1e9), float(found[3]))
    rows = [
        [str(b), f"{b * n / s:,.0f}", f"{s * 1e3:,.1f}", f"{best[b, 1] * 1e3:,.1f}"]
        for (b, n), s in best.items()
        if n > 1
    ]
    return table(["batch", "output tok/s", "ms", "ms to one id"], rows, ["---:"] * 4)


def attempts(read: Sequence[Book]) -> str:
    """The table of docs/performance.md: what measure.py wrote, one line a variant."""
    rows = []
    for book, told in ((one, told) for one in read for told in one.source.performance):
        for v in variants_of(book, told):
            sizes = [str(v["batch"]), str(v["prompt"]), number(v["tokens_per_s"], ",.0f"), number(v["whole_ms"])]
            kernels = (v.get("profile") or {}).get("kernels_per_step")
            inside = [number(v["first_token_ms"], ".2f"), number(v["step_us"], ",.0f")]
            inside.append(UNKNOWN if kernels is None else f"{kernels / told.profiled_steps:.0f}")
            rows.append([f"`{Path(told.file).name}`", f"`{v['name']}`", *sizes, *inside, number(v["near"], ".0%")])
    head = [
        "file",
        "attempt",
        "batch",
        "prompt ids",
        "output tok/s",
        "ms",
        "first id, ms",
        "step, µs",
        "kernels a step",
    ]
    return table([*head, "near"], rows) + "\n"


def trials_of(comparison: Comparison, say: Language) -> str:
    """How many trials stand behind the figures of the lanes that stayed."""
    figures = [f for row in comparison.cells for f in row.figures]
    counts = [f.trials for f in figures if f.left is None] or [f.trials for f in figures]
    form = WORDS["same" if min(counts) == max(counts) else "range"]
    text = say.fill(form, low=min(counts), high=max(counts))
    gone = any(f.left is not None for f in figures)
    return say.fill(WORDS["stayed"], trials=text) if gone else text


def shown_table(read: Sequence[Book], say: Language) -> str:
    """What the READMEs show of the book: one run, what it does not say, and where the others are."""
    book, said, comparison = next((b, said, c) for b in read for said, c in b.runs if said.shown)
    facts = ", ".join([*facts_of(comparison, say), trials_of(comparison, say)])
    told: dict[str, Any] = {"card": escape(place(comparison)), "date": comparison.created[:10], "facts": facts}
    sentence = lead(comparison, say)
    parts = [
        say.fill(WORDS["line"], link=f"docs/results/{book.folder.name}/runs/{said.name}.md", **told),
        figures_table(comparison, say, IN_README),
        " ".join(say(f"explained.{term}") for term in EXPLAINED_IN_README),
        say.pair(f"**{sentence.capitals(say)}**", escape(sentence.sentence, 2000)) + ".",
    ]
    measured = {f.lane for b in read for _, c in b.runs for row in c.cells for f in row.figures}
    unmeasured = [f"`{lane}`" for lane, row in LANES.items() if row.family == "tensorrt" and lane not in measured]
    if unmeasured:
        first, last = ", ".join(unmeasured[:-1]), unmeasured[-1]
        lanes = say("listed", first=first, last=last) if first else last
        parts.append(say.fill(WORDS["unmeasured"], lanes=lanes))
    links = [f"[{escape(place(b.runs[0][1]))}](docs/results/{b.folder.name}/README.md)" for b in read if b.runs]
    parts.append(say.fill(WORDS["books"], links=", ".join(links)))
    return "\n\n".join(parts) + "\n"


def filled(path: Path, name: str, content: str) -> str:
    """The file's text with the block of that name made anew."""
    page = path.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if len(block.findall(page)) != 1:
        raise UserError(f"{path.name} must have one block <!-- {name} --> ... <!-- /{name} -->.")
    return block.sub(lambda found: found[1] + content + found[2], page)


def made(root: Path, read: Sequence[Book]) -> dict[Path, str]:
    """Every file that is made, and its text."""
    files: dict[Path, str] = {}
    for book in read:
        for said, comparison in book.runs:
            files[book.folder / "runs" / f"{said.name}.md"] = render(comparison, "en")
        files[book.folder / "README.md"] = readme(book)
    for name, say in READMES.items():
        files[root / name] = filled(root / name, "results", shown_table(read, say))
    document = root / "docs" / "performance.md"
    files[document] = filled(document, "attempts", attempts(read))
    return files


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Make the book of the clone at `root`, or check it; the exit status."""
    check = "--check" in arguments
    try:
        for unknown in sorted(set(arguments) - {"--check", "--charts"}):
            raise UserError(f"{unknown} is not known; --check and --charts are.")
        read = books(root / "docs" / "results")
        if "--charts" in arguments and not check:
            from trtbench.report import chart

            for book in read:
                for said, comparison in book.runs:
                    picture = book.folder / "runs" / f"{said.name}.png"
                    if not picture.is_file():  # it differs from one matplotlib to the next
                        chart.write(picture, comparison, "en")
        files = made(root, read)
    except UserError as error:
        print(f"book: {error}", file=sys.stderr)
        return 2
    wrong = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in wrong:
        if check:
            print(f"{path.relative_to(root)} is not what tools/book.py makes", file=sys.stderr)
        else:
            path.write_text(files[path], encoding="utf-8")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
