"""The prompts as token ids, the cells and the seed: the same for every lane, held by one digest.

All prompts form one ring of ids. The first sequences of a cell start where the prompts start, the next ones at
their second tokens, and so on until every place of the ring has been a start; then again, taking every second id,
every third, …. Each is behind the beginning-of-sequence id where the tokenizer has one and exactly as long as the cell
asks. So no two calls of a trial see the same prompt, and an engine that keeps prefixes or answers cannot gain.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from trtbench.errors import UserError, counted
from trtbench.model import vocabulary
from trtbench.model.files import read_config
from trtbench.records.files import read_as
from trtbench.records.run_folder import folder
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell, Count, Id

PROMPTS = Path(__file__).with_name("prompts.jsonl")
MIN_PROMPT_TOKENS = 8
TURN = 4096  # ids that a ring is written out to, where it has fewer


class Workload(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """`ring`: ids of all prompts in a row; `starts`: where each prompt begins; `bos`: first id of every sequence."""

    ring: list[Id]
    starts: list[Count]
    bos: Id | None
    cells: list[Cell]
    sampling: Sampling
    prompts_name: str

    def digest(self) -> str:
        """SHA-256 over ids, cells and sampling (not over the name of the prompts)."""
        parts = msgspec.json.encode(
            [self.ring, self.starts, self.bos, sorted(self.cells), self.sampling], order="deterministic"
        )
        return hashlib.sha256(parts).hexdigest()

    def sequence(self, k: int, length: int) -> list[int]:
        """Return the prompt ids number `k` (0, 1, …), `length` tokens."""
        head = [] if self.bos is None else [self.bos]
        size = len(self.ring)
        start, step = _order(tuple(self.starts), size)[k % size], 1 + k // size
        body = [self.ring[(start + i * step) % size] for i in range(length - len(head))]
        return head + body

    def prompts(self, cell: Cell, call: int) -> list[list[int]]:
        """Return the batch number `call` of the cell: `batch` lists of `prompt_length` ids."""
        first = call * cell.batch
        return [self.sequence(first + row, cell.prompt_length) for row in range(cell.batch)]

    def digest_calls(self, cell: Cell, first: int, calls: int) -> str:
        """`digest_prompts` of so many calls of the cell from number `first` on, holding no more than one sequence of them."""
        texts = _texts(tuple(self.ring))
        order = _order(tuple(self.starts), len(self.ring))
        head = "" if self.bos is None else f"{self.bos},"
        length = cell.prompt_length - (self.bos is not None)
        state = hashlib.sha256()
        for call in range(first, first + calls):
            opening = "[["
            for k in range(call * cell.batch, (call + 1) * cell.batch):
                body = ",".join(_wound(texts, order[k % len(order)], 1 + k // len(order), len(order), length))
                state.update(f"{opening}{head}{body}".rstrip(",").encode())
                opening = "],["
            state.update(b"]]")
        return state.hexdigest()


@functools.lru_cache(maxsize=4)
def _texts(ring: tuple[int, ...]) -> list[str]:
    """The ids of the ring as they are written, a short ring several times over, so that `_wound` takes long pieces of it."""
    return [str(number) for number in ring] * max(1, TURN // len(ring))


def _wound(items: list[str], start: int, step: int, size: int, length: int) -> list[str]:
    """`length` items from `start` on, taking every `step`th, around a ring of `size` that `items` hold once or more."""
    step = step % size or size
    taken: list[str] = []
    while len(taken) < length:
        piece = items[start : start + step * (length - len(taken)) : step]
        taken += piece
        start = (start + len(piece) * step) % len(items)
    return taken


@functools.lru_cache(maxsize=4)
def _order(starts: tuple[int, ...], size: int) -> list[int]:
    """Every place of the ring once: all prompts' first tokens, then their second tokens, …"""
    ends = (*starts[1:], size)
    places = [(place - first, place) for first, end in zip(starts, ends) for place in range(first, end)]
    return [place for _, place in sorted(places)]


def digest_prompts(batches: Iterable[Sequence[Sequence[int]]]) -> str:
    """SHA-256 over batches of prompt ids in the order they were handed over."""
    state = hashlib.sha256()
    for batch in batches:
        state.update(json.dumps(batch, separators=(",", ":")).encode())
    return state.hexdigest()


def read_prompts(path: Path) -> list[str]:
    """Read prompts from JSON lines (`.jsonl`: a string, or an object with `prompt` or `text`) or from a text file
    (a paragraph a prompt). A UserError tells an empty file, one that is not UTF-8 and a bad line apart."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"PROMPTS_FILE={str(path)!r} cannot be read: {error.strerror or error}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"PROMPTS_FILE={str(path)!r} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    if path.suffix == ".jsonl":
        prompts = [_prompt_of(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    else:
        paragraphs = re.split(r"\n\s*\n", text)
        prompts = [" ".join(paragraph.split()) for paragraph in paragraphs]
    prompts = [prompt for prompt in prompts if prompt.strip()]
    if not prompts:
        raise UserError(f"PROMPTS_FILE={str(path)!r} is empty; it takes at least one prompt.")
    return prompts


def _prompt_of(path: Path, number: int, line: str) -> str:
    try:
        value = json.loads(line)
    except ValueError:
        raise UserError(f"PROMPTS_FILE={str(path)!r}, line {number}, is not JSON.") from None
    if isinstance(value, dict):
        value = value.get("prompt", value.get("text"))
    if not isinstance(value, str):
        raise UserError(
            f"PROMPTS_FILE={str(path)!r}, line {number}: a string, or an object with prompt or text, is wanted."
        )
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(f"PROMPTS_FILE={str(path)!r}, line {number}, holds half a surrogate pair, which is no text.")
    return value


def build(
    prompts: Sequence[str], tokenizer_folder: Path, cells: Sequence[Cell], sampling: Sampling, name: str
) -> Workload:
    """Turn prompts into ids with the model's own tokenizer. Raises UserError for a tokenizer that can't be read, and when a
    prompt is too short to use or has an id that the model has not."""
    tokenizer = vocabulary.read_tokenizer(tokenizer_folder)
    config = read_config(tokenizer_folder)
    rows = vocabulary.size(config)
    ring: list[int] = []
    starts: list[int] = []
    for number, prompt in enumerate(prompts, 1):
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        if len(ids) < MIN_PROMPT_TOKENS:
            raise UserError(
                f"prompt {number} of {name} is too short: {counted(len(ids), 'token')}, at least {MIN_PROMPT_TOKENS} are wanted."
            )
        vocabulary.check_prompt(ids, rows, tokenizer, f"prompt {number} of {name}")
        starts.append(len(ring))
        ring += ids
    return Workload(
        ring=ring,
        starts=starts,
        bos=vocabulary.first_id(config),
        cells=list(cells),
        sampling=sampling,
        prompts_name=name,
    )


def read_workload(results: Path, run: str) -> Workload | None:
    """The workload of a run; None where the folder does not hold it."""
    path = folder(results, run) / "workload.json"
    return check_workload(read_as(Workload, path, links=False), str(path)) if os.path.lexists(path) else None


def check_workload(workload: Workload, where: str) -> Workload:
    """Refuse a workload that was decoded and whose prompts do not lie in its ring of ids: no prompt can be made of it."""
    starts, size = workload.starts, len(workload.ring)
    if not size or starts[:1] != [0] or starts != sorted(set(starts)) or starts[-1] >= size:
        raise UserError(f"{where} holds a workload whose prompts do not lie in its ring of ids.")
    return workload
