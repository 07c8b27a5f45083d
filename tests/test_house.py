"""The package is the house that docs/architecture.md describes: every module has its place, and no room imports upwards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

import pytest

from trtbench.settings.knobs import ROOT

HOUSE = ROOT / "scripts" / "trtbench"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TOP = {"__init__.py", "errors.py", "bench.py", "compare.py", "possible.py", "claims.py"}
# Tables grow by a row for each thing they list; what else grows is split.
TABLES = ("report/words/*", "machine/cards.py", "settings/knobs.py", "referee/audit/findings.py", "*.json")
# Other documents, but for reports that earlier versions wrote; one lane of docs/extending.md is the reader's to make.
DOCUMENTS = sorted(set(ROOT.glob("*.md")) | set(ROOT.glob("docs/**/*.md")) - set(ROOT.glob("docs/results/*/runs/*.md")))
TO_BE_MADE = {"scripts/trtbench/lanes/toy.py", "trtbench.lanes.toy"}
MOST_LINES = 350
# A path in code marks: with an ending that modules and data files have, or with a stroke for a room or folder.
# Paths from the repository's root, and the user's results, are not of the house.
NAMED = re.compile(
    r"`(?!scripts/|tests/|benchmarks/|tools/|results/)([\w/]+(?:\.(?:py|json|jsonl|css|js|html\.jinja)|/))`"
)


def files(house: Path) -> list[str]:
    """Every module and data file by its path below the house; not those of empty packages, which hold nothing."""
    return sorted(
        str(path.relative_to(house))
        for path in house.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not _empty_package(path)
    )


def _empty_package(path: Path) -> bool:
    """Whether the file is an `__init__.py` without a statement; one sentence about the room may stand in it."""
    if path.name != "__init__.py":
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in body)


def unnamed(house: Path, page: str) -> list[str]:
    """Files that the page does not name."""
    named = set(NAMED.findall(page))
    return [name for name in files(house) if name not in named]


def nowhere(house: Path, page: str) -> list[str]:
    """Paths that the page names and that do not exist."""
    return sorted(name for name in set(NAMED.findall(page)) if not (house / name).exists())


def lost(root: Path, text: str) -> list[str]:
    """Modules of ours that a document names from the repository's root or as Python does, and that do not exist."""
    paths = {name.rstrip("/.") for name in re.findall(r"scripts/trtbench/[\w/.]*", text)}
    modules = set(re.findall(r"\btrtbench(?:\.\w+)+", text))
    there = {name for name in paths if (root / name).exists()}
    there |= {
        name
        for name in modules
        if _module(root / "scripts", name) or _module(root / "scripts", name.rpartition(".")[0])
    }
    return sorted((paths | modules) - there - TO_BE_MADE)


def _module(scripts: Path, name: str) -> bool:
    """Whether there is such a module; `trtbench` alone is none, so that what is named in it has to exist."""
    path = scripts.joinpath(*name.split("."))
    return name.count(".") > 0 and (path.is_dir() or path.with_suffix(".py").is_file())


def too_long(house: Path) -> list[str]:
    """Files that are no table and have more lines than they may, with how many they have."""
    lines = {
        name: len((house / name).read_text(encoding="utf-8").splitlines())
        for name in files(house)
        if not any(fnmatch(name, table) for table in TABLES)
    }
    return [f"{name}: {count}" for name, count in lines.items() if count > MOST_LINES]


def astray(house: Path) -> list[str]:
    """Files at the top of the house that are no command."""
    return sorted(path.name for path in house.iterdir() if path.is_file() and path.name not in TOP)


def rooms(page: str) -> dict[str, set[str]]:
    """The rooms of the page's table, each with the rooms that it may import: those of its row, and theirs."""
    rows = re.findall(r"^\| `(\w+)/` \|.*\|([^|]*)\|$", page, re.MULTILINE)
    named = {room: set(re.findall(r"`(\w+)/`", cell)) for room, cell in rows}

    def reach(room: str) -> set[str]:
        return named[room].union(*map(reach, named[room]))

    return {room: reach(room) for room in named}


def upward(house: Path, page: str) -> list[str]:
    """Imports that the table does not allow. The commands at the top may import any room; rooms import no command."""
    allowed = rooms(page)
    wrong = []
    for path in sorted(house.glob("*/**/*.py")):
        room = path.relative_to(house).parts[0]
        for target in _imported(ast.parse(path.read_text(encoding="utf-8"))):
            if target not in {room, "errors", "__version__", *allowed.get(room, ())}:
                wrong.append(f"{path.relative_to(house)} imports {target}")
    return wrong


def _imported(tree: ast.AST) -> Iterable[str]:
    """The first part below `trtbench` of every import, wherever it stands in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "trtbench":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("trtbench."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("trtbench."))


def small_house(tmp_path: Path) -> tuple[Path, str]:
    """A house of two rooms in which nothing is wrong, and its page."""
    house = tmp_path / "house"
    for name, text in {
        "__init__.py": '__version__ = "1"\n',
        "bench.py": "from trtbench.upper import work\n",
        "lower/__init__.py": "",
        "lower/table.py": "from trtbench.errors import UserError\n",
        "upper/__init__.py": '"""The upper room."""\n',
        "upper/work.py": "from trtbench.lower import table\n",
        "upper/look.css": "p { margin: 0 }\n",
    }.items():
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        (house / name).write_text(text)
    page = (
        "| room | what | may import |\n|---|---|---|\n| `lower/` | a table | |\n| `upper/` | work, `lower/` too | `lower/` |\n"
        "`__init__.py`, `bench.py`, `lower/table.py`, `upper/work.py`, `upper/look.css` and `settings` of `.env`"
    )
    return house, page


def wrong(house: Path, page: str) -> list[list[str]]:
    return [unnamed(house, page), nowhere(house, page), too_long(house), astray(house), upward(house, page)]


def test_every_module_stands_on_the_page() -> None:
    assert unnamed(HOUSE, PAGE) == []


@pytest.mark.parametrize("name", ["architecture.md", "methodology.md"])
def test_every_path_on_the_page_exists(name: str) -> None:
    assert nowhere(HOUSE, (ROOT / "docs" / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_that_a_document_names_exists(document: Path) -> None:
    assert lost(ROOT, document.read_text(encoding="utf-8")) == []


def test_a_module_that_moved_is_missed_in_a_document(tmp_path: Path) -> None:
    (tmp_path / "scripts" / "trtbench" / "settings").mkdir(parents=True)
    (tmp_path / "scripts" / "trtbench" / "settings" / "knobs.py").touch()
    text = (
        "See `scripts/trtbench/settings/knobs.py`, [it](../scripts/trtbench/settings/) or `trtbench.settings.knobs.Settings`; "
        "not `scripts/trtbench/settings.py`, `trtbench.settings.gone.Row` nor `python -m trtbench.knobs`."
    )
    assert lost(tmp_path, text) == ["scripts/trtbench/settings.py", "trtbench.knobs", "trtbench.settings.gone.Row"]


def test_no_file_but_a_table_is_long() -> None:
    assert too_long(HOUSE) == []


def test_only_commands_stand_at_the_top() -> None:
    assert astray(HOUSE) == []


def test_no_room_imports_upwards() -> None:
    assert set(rooms(PAGE)) == {path.name for path in HOUSE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert upward(HOUSE, PAGE) == []


def test_a_house_in_order_passes(tmp_path: Path) -> None:
    assert wrong(*small_house(tmp_path)) == [[], [], [], [], []]


def test_what_is_wrong_in_a_house_is_found(tmp_path: Path) -> None:
    house, page = small_house(tmp_path)
    (house / "upper" / "new.py").write_text("")
    (house / "upper" / "prompts.jsonl").write_text("")
    (house / "lower" / "__init__.py").write_text("LIMIT = 1\n")
    (house / "lower" / "long.py").write_text("import os\n" * (MOST_LINES + 1))
    (house / "lower" / "just.py").write_text("import os\n" * MOST_LINES)
    (house / "lower" / "table.py").write_text(
        "def later():\n    from trtbench import compare\n    import trtbench.upper.work\n"
    )
    (house / "helpers.py").write_text("")
    (house / "report" / "words").mkdir(parents=True)
    (house / "report" / "words" / "all.py").write_text("import os\n" * (MOST_LINES + 1))
    page += ", `upper/gone.py`, `cellar/`, `lower/just.py`, `lower/long.py`, `helpers.py`, `report/words/all.py`"
    assert wrong(house, page) == [
        ["lower/__init__.py", "upper/new.py", "upper/prompts.jsonl"],
        ["cellar/", "upper/gone.py"],
        [f"lower/long.py: {MOST_LINES + 1}"],
        ["helpers.py"],
        ["lower/table.py imports compare", "lower/table.py imports upper"],
    ]
