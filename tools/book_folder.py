"""One folder of the results book as it is read: what a person says in its book.toml, its bundles read as a stranger's, and what
does not hold together. tools/book.py makes pages of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec

from trtbench.comparison import untrusted
from trtbench.comparison.result import Comparison
from trtbench.errors import UserError

SOURCE = "book.toml"


class _Said(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a person wrote; a key that is not known is refused."""


class RunSaid(_Said):
    """One run: `name` is its bundle's, without the ending."""

    name: str
    title: str
    text: str
    shown: bool = False


class Attempt(_Said):
    """Figures that are no records of the program: a log of calls, or a table as JSON (columns, rows, note)."""

    file: str
    title: str
    text: str


class Variants(_Said):
    """What measure.py wrote, for the table in docs/performance.md; `profiled_steps`: decode steps in each of its profiles."""

    file: str
    profiled_steps: int = 1


class Source(_Said):
    """The whole of a book.toml."""

    title: str
    introduction: str
    not_measured: str
    run: list[RunSaid] = []
    attempt: list[Attempt] = []
    performance: list[Variants] = []


class Table(msgspec.Struct, forbid_unknown_fields=True):
    """Figures taken by hand: how they were measured, and the table as it is to be shown."""

    note: str
    columns: list[str]
    rows: list[list[str | int | float]]


@dataclasses.dataclass(frozen=True)
class Book:
    """One folder: what is said of it, and its runs in the order in which they are said."""

    folder: Path
    source: Source
    runs: list[tuple[RunSaid, Comparison]]


def in_turns(comparison: Comparison) -> bool:
    """Whether several lanes took turns; else nothing in the run may be compared."""
    return comparison.interleaved and len({f.lane for row in comparison.cells for f in row.figures}) > 1


def books(results: Path) -> list[Book]:
    """All folders of the results book. Raises UserError where one does not hold together."""
    read = [_book(folder) for folder in sorted(results.iterdir()) if folder.is_dir()]
    shown = [f"{book.folder.name}/{said.name}" for book in read for said, _ in book.runs if said.shown]
    if len(shown) != 1:
        raise UserError(
            f"`shown = true` stands at {len(shown)} runs ({', '.join(shown) or 'none'}); it must stand at exactly one in all "
            f"{SOURCE}: the run whose table the READMEs show."
        )
    return read


def _book(folder: Path) -> Book:
    path = folder / SOURCE
    called = f"docs/results/{folder.name}/{SOURCE}"
    try:
        source = msgspec.toml.decode(path.read_bytes(), type=Source)
    except FileNotFoundError:
        raise UserError(f"{called} is missing: it says what the runs in this folder are.") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"{called} can't be read: {error}.") from None
    names = [said.name for said in source.run]
    bundles = sorted(bundle.stem for bundle in (folder / "runs").glob("*.bundle"))
    for twice in sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{called} names the run {twice} twice.")
    for name in sorted(set(bundles) - set(names)):
        raise UserError(f"runs/{name}.bundle is not named in {called}: give it a [[run]] with name, title and text.")
    for name in names:
        if name not in bundles:
            raise UserError(f"{called} names the run {name}, and there is no runs/{name}.bundle.")
    for made_of in sorted((folder / "runs").glob("*.md")) + sorted((folder / "runs").glob("*.png")):
        if made_of.stem not in bundles:
            raise UserError(
                f"docs/results/{folder.name}/runs/{made_of.name} is left over: there is no bundle of that name."
            )
    runs = [(said, untrusted.read(folder / "runs" / f"{said.name}.bundle")[0]) for said in source.run]
    for said, comparison in runs:
        if said.shown and not in_turns(comparison):
            raise UserError(f"{called}: the run {said.name} has `shown = true`, and its lanes did not take turns.")
    return Book(folder, source, runs)


def named_file(book: Book, name: str) -> str:
    """A file that the source names."""
    try:
        return (book.folder / name).read_text(encoding="utf-8")
    except OSError:
        raise UserError(
            f"docs/results/{book.folder.name}/{SOURCE} names the file {name}, which can't be read."
        ) from None


def variants_of(book: Book, told: Variants) -> list[dict[str, Any]]:
    """What measure.py wrote, one entry a variant."""
    try:
        found: list[dict[str, Any]] = json.loads(named_file(book, told.file))["variants"]
    except (ValueError, LookupError, TypeError):
        raise UserError(f"docs/results/{book.folder.name}/{told.file} is not what measure.py writes.") from None
    return found
