"""The commands that documents show in fenced blocks, and the one way for a test elsewhere to say that it runs one of them."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from trtbench.settings.knobs import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")} - {ROOT / "README.md"})]

_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)

Done = TypeVar("Done")


def fences(text: str) -> list[tuple[str, str]]:
    """Language and content of each fenced block."""
    return [(language, re.sub(f"(?m)^{indent}", "", content)) for indent, language, content in _FENCE.findall(text)]


def without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def in_block(block: str) -> Iterator[str]:
    """The commands of a block as a shell reads them, whole where they go on in the next line, without remarks."""
    whole = re.sub(r"(?<=\|)\n\s*", " ", re.sub(r"\\\n\s*", "", block))
    for line in whole.splitlines():
        command = re.sub(r"\s{2,}#.*", "", line).strip()
        if command and not command.startswith("#"):
            yield command


def commands() -> dict[str, str]:
    """Each command once, with the first document that shows it; README.md's first, in its order."""
    found: dict[str, str] = {}
    for path in DOCUMENTS:
        for language, block in fences(path.read_text(encoding="utf-8")):
            for command in in_block(block) if language == "bash" else ():
                found.setdefault(command, path.relative_to(ROOT).as_posix())
    return found


def apart(command: str) -> tuple[dict[str, str], list[str]]:
    """The settings before a command, and its words."""
    words = shlex.split(command)
    settings: dict[str, str] = {}
    while words and (assigned := _ASSIGNED.fullmatch(words[0])):
        settings[assigned[1]] = assigned[2]
        del words[0]
    return settings, words


def as_shown(run: Callable[..., Done], command: str, **settings: str) -> Done:
    """Run a command that a document shows, word by word: `run` gets its words, and the settings. A test that calls this is how
    tests/e2e/test_documents.py knows that a command which it does not run itself is run."""
    assert command in commands(), f"no document shows: {command}"
    shown, words = apart(command)
    return run(*words, **{**shown, **settings})


def run_by_others() -> dict[str, str]:
    """The commands that tests hand to `as_shown`, with the test. A call that is no part of a test's own body does not count, nor
    does one whose command is not written out there."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "as_shown" in text:
            found.update(handed_over(text, path.relative_to(ROOT).as_posix()))
    return found


def handed_over(source: str, name: str) -> dict[str, str]:
    tests = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_"))
    return {
        call.args[1].value: f"{name}::{test.name}"
        for test in tests
        for call in ast.walk(test)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "as_shown"
        and len(call.args) == 2
        and isinstance(call.args[1], ast.Constant)
        and isinstance(call.args[1].value, str)
    }


def spans() -> list[tuple[str, Path]]:
    """What stands in single backquotes, in one line or two."""
    return [
        (" ".join(span.split()), path)
        for path in DOCUMENTS
        for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", without_fences(path.read_text(encoding="utf-8")))
    ]
