"""The prompts as token ids, the cells and the seed: the same for every lane, held by one digest.

All prompts form one ring of ids. The first sequences of a cell start where the prompts start, the next ones at
their second tokens, and so on until every place of the ring has been a start; then again, taking every second id,
every third, …. Each is behind the beginning-of-sequence id where the tokenizer has one and exactly as long as the cell
asks. So no two calls of a trial see the same prompt, and an engine that keeps prefixes or answers cannot gain. A sequence is
cut off within its prompt or goes on into the next one: that of a chat begins as its template does, and seldom ends where the
answer would begin.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from trtbench.errors import UserError
from trtbench.model import vocabulary
from trtbench.model.files import read_config
from trtbench.records.files import read_as
from trtbench.records.run_folder import folder
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell, Count, Id

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


def build(
    prompts: Sequence[str], tokenizer_folder: Path, cells: Sequence[Cell], sampling: Sampling, name: str
) -> Workload:
    """Turn prompts into ids with the model's own tokenizer, and leave out those with fewer than MIN_PROMPT_TOKENS ids. Raises
    UserError for a tokenizer that can't be read, a prompt with an id that the model has not, and where no prompt is left."""
    tokenizer = vocabulary.read_tokenizer(tokenizer_folder)
    config = read_config(tokenizer_folder)
    rows, bos = vocabulary.size(config), vocabulary.first_id(config)
    ring: list[int] = []
    starts: list[int] = []
    for number, prompt in enumerate(prompts, 1):
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        if bos is not None and ids[:1] == [bos]:
            ids = ids[1:]  # chat templates write it, and it stands before every sequence
        if len(ids) >= MIN_PROMPT_TOKENS:
            vocabulary.check_prompt(ids, rows, tokenizer, f"prompt {number} of {name}")
            starts.append(len(ring))
            ring += ids
    if not ring:
        raise UserError(
            f"PROMPTS_FILE: no prompt of {name} has {MIN_PROMPT_TOKENS} tokens, and shorter ones are left out."
        )
    return Workload(ring=ring, starts=starts, bos=bos, cells=list(cells), sampling=sampling, prompts_name=name)


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
