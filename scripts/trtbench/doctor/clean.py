"""What lies where, with sizes, and deleting of it what the user names: `bash scripts/clean.sh [NAME...]`.

Results are never deleted, under whatever name. Standard library only and Python 3.8 syntax, because it runs with the host's own
Python: the environment of the clone may be what is deleted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from trtbench.errors import UserError, run_main, whose, why
from trtbench.model.built_in import PACKAGED
from trtbench.records import lock
from trtbench.settings import reading
from trtbench.settings.environments import ENVIRONMENTS, STAMP, UNFINISHED
from trtbench.settings.knobs import ROOT, Settings

KINDS = {
    "models": "models, fetched or made",
    "engines": "TensorRT engines",
    "checkpoints": "what engines are built from",
    "cache": "what lanes converted and compiled",
}
# Environments of the clone in which no lane runs, and the script that makes each.
BESIDE = {".venv-fleet": "fleet.sh", ".venv-site": "site.sh", ".venv-ngc": "test.sh"}
DEVICE_LOCK = "device.lock"  # docker-compose.yml has it in the cache
MODEL_LOCKS = (".*.lock", "packaged/.*.lock", "hub/*/.lock", "converted/*/.lock")
ASIDE = "-deleted"  # what is being deleted, renamed first: no half of it is ever taken for the whole
FLEET_LOCKS = (
    "fleet-runs/*/*/.lock",
    "fleet-runs/*/*/*/.lock",
)  # each run of a fleet has a folder of results of its own
KEPT = "results are never deleted here; move or delete them yourself"


@dataclasses.dataclass(frozen=True)
class Item:
    """Something that can be deleted, by the name that it is listed with."""

    name: str
    path: Path
    note: str = ""


@dataclasses.dataclass
class Size:
    """Bytes on the disk that a deletion gives back: those of a file with a second name elsewhere stay."""

    blocks: dict[tuple[int, int], list[int]] = dataclasses.field(default_factory=dict)  # names to go, all names, bytes

    def add(self, status: os.stat_result) -> None:
        is_folder = stat.S_ISDIR(status.st_mode)
        row = self.blocks.setdefault(
            (status.st_dev, status.st_ino), [0, 1 if is_folder else status.st_nlink, status.st_blocks * 512]
        )
        row[0] += 1

    @property
    def bytes(self) -> int:
        return sum(size for seen, names, size in self.blocks.values() if seen >= names)


def listing(settings: Settings) -> list[Item]:
    """Everything that can be named, in a fixed order: environments of the clone, then the folders of DATA_DIR and their parts."""
    items = [
        Item(path.name, path, _environment_note(path))
        for path in sorted(ROOT.glob(".venv*"))
        if path.is_dir() or path.is_symlink()
    ]
    for kind, note in KINDS.items():
        home = settings.data.absolute() / kind
        parts = [Item(f"{kind}/{name}", path) for name, path in _parts(kind, home)]
        items += [Item(kind, home, note), *parts]
    return items


def _environment_note(path: Path) -> str:
    if path.is_symlink():
        return f"a link to {os.readlink(path)}, which stays"
    script = BESIDE.get(path.name)
    note = f"of scripts/{script}" if script else "" if path.name in ENVIRONMENTS else "none of this version's"
    with contextlib.suppress(OSError):
        if (path / STAMP).read_text(encoding="utf-8").strip() == UNFINISHED:
            note = "half made"
    return note


def _parts(kind: str, home: Path) -> Iterator[tuple[str, Path]]:
    """The parts of a folder by their names: models by the ones that MODEL_NAME knows."""
    for path in sorted(_children(home)):
        if kind == "models" and path.name in ("packaged", "hub", "converted") and not path.is_symlink():
            for part in sorted(_children(path)):
                yield _model_name(path.name, part), part
        else:
            yield path.name, path


def _children(folder: Path) -> list[Path]:
    """What is in a folder, but for locks, which others may be waiting for, and for what is committed."""
    try:
        return [path for path in folder.iterdir() if path.name != ".gitkeep" and not path.name.endswith(".lock")]
    except OSError:
        return []


def _model_name(kind: str, part: Path) -> str:
    if kind == "hub" and part.name.startswith("models--"):
        return part.name[len("models--") :].replace("--", "/", 1)
    if kind == "packaged":
        name = next((name for name in PACKAGED if part.name.startswith(f"{name}-")), None)
        if name is not None and sum(other.name.startswith(f"{name}-") for other in _children(part.parent)) == 1:
            return name
    return f"{kind}/{part.name}"


def chosen(names: Sequence[str], settings: Settings, results: Sequence[Path]) -> list[Item]:
    """The items of these names, in the order given. Raises UserError for a name that is none, and for one of results."""
    items = listing(settings)
    known = {item.name: item for item in items}
    found = []
    for name in names:
        item = known.get(name) or known.get(name.rstrip("/"))
        if item is None:
            if any(_overlap(place, result) for place in _meant(name, settings) for result in results):
                raise UserError(f"{name!r} is, holds or lies in a folder of results ({results[0]}); {KEPT}.")
            raise UserError(f"{name!r} is nothing that can be deleted here; there is {', '.join(known) or 'nothing'}.")
        found.append(item)
    return list(dict.fromkeys(found))


def _meant(name: str, settings: Settings) -> list[Path]:
    """Where a name leads that is not listed: from here, from the clone, and from its data."""
    bases = (Path.cwd(), ROOT, ROOT / "data", settings.data.absolute())
    return [Path(os.path.realpath(base / os.path.expanduser(name))) for base in bases]


def _overlap(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def result_folders(settings: Settings) -> list[Path]:
    """Every folder in which results are looked for with these settings, or without them; without links."""
    places = [settings.results, settings.data / "results", ROOT / "data" / "results"]
    return list(dict.fromkeys(Path(os.path.realpath(place)) for place in places))


def weigh(item: Item, results: Sequence[Path]) -> Size:
    """What deleting gives back. Raises UserError where results are in it, or something that this user may not delete."""
    size = Size()
    if not os.path.lexists(item.path):  # a folder of DATA_DIR in which nothing was put yet
        return size
    if item.path.is_symlink() and item.name not in KINDS:
        if not os.access(item.path.parent, os.W_OK | os.X_OK):
            raise UserError(f"{item.path.parent} can't be written{whose(item.path.parent)}.")
        size.add(item.path.lstat())
        return size
    place = Path(os.path.realpath(item.path))
    if any(_overlap(place, result) for result in results):
        raise UserError(f"{item.name} is, holds or lies in a folder of results; {KEPT}.")
    _walk(item, place, size, _identities(results))
    if item.name in KINDS:  # the folder itself stays
        status = place.stat()
        size.blocks.pop((status.st_dev, status.st_ino), None)
    return size


def _identities(folders: Sequence[Path]) -> set[tuple[int, int]]:
    """What tells folders by whatever path they are reached: a mount has another."""
    found = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            status = folder.stat()
            found.add((status.st_dev, status.st_ino))
    return found


def _walk(item: Item, folder: Path, size: Size, results: set[tuple[int, int]]) -> None:
    try:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            size.add(status)
            return
        entries = list(os.scandir(folder))
    except OSError as error:
        raise UserError(f"{folder}: {why(error, folder)}; nothing of {item.name} was deleted.") from None
    if (status.st_dev, status.st_ino) in results or _holds_runs(folder):
        raise UserError(f"{item.name} holds results ({folder}); {KEPT}.")
    if entries and not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder} can't be written{whose(folder)}; nothing of {item.name} was deleted.")
    size.add(status)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            _walk(item, Path(entry.path), size, results)
        else:
            with contextlib.suppress(FileNotFoundError):
                size.add(entry.stat(follow_symlinks=False))


def _holds_runs(folder: Path) -> bool:
    """Whether these are results of an earlier RESULTS_DIR: folders of runs as records/run_folder.py lays them out."""
    if folder.name != "runs":
        return False
    return any((path / "run.json").exists() for path in _children(folder))


def delete(item: Item) -> None:
    """Delete an item whole: of a folder of DATA_DIR all parts, of the others the thing itself. Raises OSError."""
    if item.name in KINDS:
        for path in _children(item.path):
            _delete_path(path)
    else:
        _delete_path(item.path)


def _delete_path(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    aside = path.with_name(path.name + ASIDE)
    if path.name.startswith(".venv"):
        aside = path.with_name(f".venv-{path.name[1:]}{ASIDE}")  # as .gitignore has them
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside)  # of a deletion that was cut off
    path.rename(aside)
    shutil.rmtree(aside)


@contextlib.contextmanager
def nobody_runs(settings: Settings, results: Sequence[Path]) -> Iterator[None]:
    """Keep runs and builds out to the end of the block. Raises UserError while there is one."""
    data = settings.data.absolute()
    places = [(place, ".lock") for place in results] + [(data / "engines", ".lock"), (data / "cache", DEVICE_LOCK)]
    places += [(path.parent, path.name) for place in results for pattern in FLEET_LOCKS for path in place.glob(pattern)]
    # Of a model that is being fetched or made.
    places += [(path.parent, path.name) for pattern in MODEL_LOCKS for path in (data / "models").glob(pattern)]

    def refuse(holder: str) -> NoReturn:
        who = f" (process {holder})" if holder.isdigit() else ""
        raise UserError(f"a run or a build is in progress{who}; wait for it: what it works with is not deleted.")

    with contextlib.ExitStack() as locks:
        for folder, name in places:
            if not (folder / name).exists():
                continue
            try:
                file = lock.opened(folder, name)
            except OSError as error:
                path = folder / name
                raise UserError(
                    f"{path}: {why(error, path)}; without it nobody can tell whether a run is in progress."
                ) from None
            locks.enter_context(lock.held(file, refuse))
        yield


def clean(names: Sequence[str], settings: Settings) -> str:
    """Delete what is named and return what is told of it. Raises UserError before anything is deleted where one of it can't be."""
    results = result_folders(settings)
    items = chosen(names, settings, results)
    with nobody_runs(settings, results):
        freed = [weigh(item, results).bytes for item in items]
        lines = []
        for item, size in zip(items, freed):
            if not os.path.lexists(item.path):  # it went with one that was named before
                continue
            try:
                delete(item)
            except OSError as error:
                path = error.filename or item.path
                raise UserError(f"{path} can't be deleted: {why(error, path)}.") from None
            lines.append((item.name, size))
    told = [f"deleted {name} ({_readable(size)})" for name, size in lines]
    total = _union(items, lines)
    return "\n".join([*told, f"{total:,} bytes freed"]) + "\n"


def _union(items: Sequence[Item], lines: Sequence[tuple[str, int]]) -> int:
    """Bytes of all, those of a part of something else once."""
    whole = {item.name for item in items if item.name in KINDS}
    return sum(size for name, size in lines if name in whole or name.split("/")[0] not in whole)


def described(settings: Settings) -> str:
    """The list: what can be named, its size, what it is; and the results, which can't."""
    rows = []
    results = result_folders(settings)
    for item in listing(settings):
        note = item.note
        try:
            size = weigh(item, results).bytes
        except UserError as error:
            size = _size_of(item.path)
            note = "; ".join(filter(None, [note, str(error).split(";")[0].rstrip(".")]))
        rows.append((_readable(size), item.name, note))
    for place in results:
        if place.is_dir():
            rows.append((_readable(_size_of(place)), str(place), "results: never deleted here"))
    width = max((len(name) for _, name, _ in rows), default=0)
    lines = [f"{size:>9}  {name:<{width}}  {note}".rstrip() for size, name, note in rows]
    return (
        "\n".join([*lines, "", "bash scripts/clean.sh NAME... deletes; pip's own cache is pip's: pip cache info"])
        + "\n"
    )


def _size_of(place: Path) -> int:
    size = Size()
    for folder, _, files in os.walk(place):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            with contextlib.suppress(OSError):
                size.add(path.lstat())
    return size.bytes


def _readable(size: int) -> str:
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} B"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = reading.Parser(
        prog="clean.sh",
        description="Lists what lies where, with sizes, and deletes what is named. Results are never deleted.",
        epilog="Exit status: 0 done, 2 a name is unknown, is of results, or can't be deleted now. Nothing is asked.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="as listed: cache, models/smollm2, .venv-vllm; none: list"
    )
    options = parser.parse_args(arguments)
    settings, _ = reading.resolve({})
    sys.stdout.write(clean(options.names, settings) if options.names else described(settings))
    return 0


if __name__ == "__main__":
    run_main(main)
