"""A file of prompts as people have it: text, JSON, JSON lines or a table, told apart by its content.

Its name decides only where it says what the file is (.json, .csv, …). What looks like data and isn't understood is
refused with the place, never read as prose. By its content a file is data when
- it begins with a JSON value that ends its line, or as JSON does (`[{"`, `{"prompt":`, `[1, 2`); `[Scene 1]`, `{note}` and
  `[1] A footnote` are prose. Or most of its lines are JSON objects, or all of them JSON strings;
- its first line is the header of a table: two names or more between commas, semicolons, tabs or bars, with no blank around
  these (`is_table`);
- it is of a kind that is refused (`prompt_other`): XML, HTML, YAML, TOML, a Markdown table, numbers alone, an unclear table.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from trtbench.errors import UserError, counted, why
from trtbench.model.prompt_json import is_json, json_records
from trtbench.model.prompt_other import AS_LINES, other_data
from trtbench.model.prompt_records import Chat, Malformed, Prompt, Unreadable, prompts_of
from trtbench.model.prompt_tables import is_name_alone, is_table, table_records

PROMPTS = Path(__file__).with_name("prompts.jsonl")
LIMIT = 16 * 2**20  # bytes that are read of a file
MOST = 1_000  # prompts that are taken of it, …
ENOUGH = 2 * 2**20  # … and no further one once they have so many letters

JSON_NAMES = (".json", ".jsonl", ".ndjson", ".jsonlines")
TABLE_NAMES = (".csv", ".tsv", ".psv")
OTHER_NAMES = {".yaml": "YAML", ".yml": "YAML", ".xml": "XML", ".html": "HTML", ".htm": "HTML", ".toml": "TOML"}
MAGIC = {
    b"PAR1": ("Parquet", AS_LINES),
    b"ARROW1": ("Arrow", AS_LINES),
    b"Obj\x01": ("Avro", AS_LINES),
    b"SQLite format 3\0": ("an SQLite database", AS_LINES),
    b"\x1f\x8b": ("packed with gzip", "unpack it first"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "unpack it first"),
    b"\xfd7zXZ\0": ("packed with xz", "unpack it first"),
    b"BZh": ("packed with bzip2", "unpack it first"),
    b"PK\x03\x04": ("a ZIP archive or an Excel workbook", "unpack it, or save its sheet as CSV"),
    b"\xd0\xcf\x11\xe0": ("an old Office document", "save its sheet as CSV"),
    b"%PDF-": ("a PDF", "save its text"),
    b"\x89HDF": ("HDF5", AS_LINES),
    b"\x93NUMPY": ("a NumPy array", "give text, not token ids"),
    b"GGUF": ("a model (GGUF)", "MODEL_NAME takes that"),
    b"version https://git-lfs.github.com/spec/": (
        "a Git LFS pointer and not the file itself",
        "fetch it with git lfs pull",
    ),
    codecs.BOM_UTF32_LE: ("UTF-32", "save it as UTF-8"),
    codecs.BOM_UTF16_LE: ("UTF-16", "save it as UTF-8"),
    codecs.BOM_UTF16_BE: ("UTF-16", "save it as UTF-8"),
}
LINE_END = re.compile(r"\r{0,2}\n|\r")  # also that of old Macs, and what a program for Windows writes twice


def read_prompts(path: Path, note: Callable[[str], None] = lambda _: None) -> list[Prompt]:
    """The prompts of a file, at most MOST; `note` is told what was left out. A UserError says what can't be read, and where."""
    try:
        return _read(path, note)
    except OSError as error:
        raise UserError(f"PROMPTS_FILE={str(path)!r} cannot be read: {why(error, path)}.") from None
    except Malformed as reason:
        raise UserError(f"PROMPTS_FILE={str(path)!r}{reason}") from None


def _read(path: Path, note: Callable[[str], None]) -> list[Prompt]:
    text, cut = _text(path)
    prompts: list[Prompt] = []
    letters = silent = 0
    for place, record in _records(path.suffix.lower(), text, cut):
        if len(prompts) >= MOST or letters >= ENOUGH:
            cut = True
            break
        try:
            new = prompts_of(record)
        except Unreadable as reason:
            raise Malformed(f", {place}: {reason}.") from None
        silent += not new
        prompts += new
        letters += sum(map(_letters, new))
    if not prompts and silent:
        raise Malformed(f" holds {counted(silent, 'conversation')}, and nobody asks anything in them.")
    if not prompts and cut:
        raise Malformed(f" holds no whole prompt in its first {LIMIT // 2**20} MiB.")
    if not prompts:
        raise Malformed(" is empty; it takes at least one prompt.")
    if silent:
        note(f"{path.name}: left out {counted(silent, 'conversation')} in which nobody asks anything")
    if cut or len(prompts) > MOST:
        prompts = prompts[:MOST]
        note(f"{path.name} is long: its first {counted(len(prompts), 'prompt')} are taken")
    return prompts


def _letters(prompt: Prompt) -> int:
    return sum(len(content) for _, content in prompt.messages) if isinstance(prompt, Chat) else len(prompt)


def _text(path: Path) -> tuple[str, bool]:
    """The file's text, and whether there is more of it than LIMIT."""
    with path.open("rb") as stream:
        data = stream.read(LIMIT)
        cut = bool(stream.read(1))
    for magic, (what, remedy) in MAGIC.items():
        if data.startswith(magic):
            raise Malformed(f" is {what}; {remedy}.")
    if (zero := data.find(0)) >= 0:
        raise Malformed(f" is no text: byte {zero} is zero; save it as UTF-8.")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data, final=not cut), cut
    except UnicodeDecodeError as error:
        raise Malformed(f" is not UTF-8 (byte {error.start}); save it as UTF-8.") from None


def _records(suffix: str, text: str, cut: bool) -> Iterator[tuple[str, object]]:
    """What the file holds, one after the other, each with its place."""
    plain = LINE_END.sub("\n", text)
    head = plain.lstrip()
    if not head:
        return iter(())
    if suffix in OTHER_NAMES:
        raise Malformed(f" is {OTHER_NAMES[suffix]} by its name; {AS_LINES}.")
    if suffix in TABLE_NAMES:
        return table_records(text, cut)
    if suffix not in JSON_NAMES and is_name_alone(plain):
        raise Malformed(
            ", line 1, is the name of a column alone; name the file .csv if it is a table, or leave that line out."
        )
    if suffix in JSON_NAMES or is_json(head):
        return json_records(plain, cut)
    if is_table(text):
        return table_records(text, cut)
    if reason := other_data(plain):
        raise Malformed(f", line 1, {reason}.")
    return _paragraphs(plain, cut)


def _paragraphs(text: str, cut: bool) -> Iterator[tuple[str, object]]:
    """A paragraph a prompt, its lines joined by one blank. Blanks beyond ASCII stay: they are part of what is written."""
    paragraphs = re.split(r"\n(?:[ \t\f\v]*\n)+", text)
    for number, paragraph in enumerate(paragraphs[:-1] if cut else paragraphs, 1):
        joined = " ".join(word for word in re.split(r"[ \t\n\f\v]+", paragraph) if word)
        if joined.strip():
            yield f"paragraph {number}", joined
