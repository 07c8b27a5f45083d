"""The model's tokenizer and the ids that its embedding has: every id is held against them before any lane runs."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtbench.errors import UserError
from trtbench.model.placeholders import refuse_placeholder

if TYPE_CHECKING:
    from tokenizers import Tokenizer


# Families whose embedding in transformers knows no padding: nobody reads the id, and many fine-tunes of GPT-2 name one beyond it.
# Of all others a padding id beyond the embedding is an AssertionError where the model is made.
PAD_UNREAD = (
    *("bloom", "codegen", "falcon", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gpt_neox_japanese", "gptj", "mamba"),
    *("mpt", "openai-gpt"),
)


def tokenizer_file(folder: Path) -> Path:
    """The tokenizer.json of a model's folder; a UserError where there is none, or something else in its place."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise UserError(f"{folder} has no tokenizer.json; convert its tokenizer to the fast format first.")
    refuse_placeholder(file)
    return file


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model's folder. Raises UserError with what its tokenizer.json looks like, where it is none."""
    from tokenizers import Tokenizer

    file = tokenizer_file(folder)
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower class
        raise UserError(f"{file} {_unreadable(file, error)}.") from None


def _unreadable(file: Path, error: Exception) -> str:
    """Why the tokenizers library does not take the file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as fault:
        return f"is not JSON, or was cut off ({fault}); fetch it again"
    if not isinstance(content, dict) or "model" not in content:
        return "is JSON, but no tokenizer: it has no part named model; fetch it again"
    return (
        f"is not in a form that tokenizers {importlib.metadata.version('tokenizers')}, which is installed here, can read "
        f"({str(error).strip().rstrip('.')}): it was saved by another version; install that, or save the tokenizer again with this one"
    )


def size(config: dict[str, Any]) -> int | None:
    """How many ids the model's embedding has, as its config.json says: `vocab_size`, that of the language model's own part
    where there are several; None where it says nothing."""
    text = config.get("text_config")
    for part in (text if isinstance(text, dict) else {}, config):
        rows = part.get("vocab_size")
        if isinstance(rows, int) and not isinstance(rows, bool) and rows > 0:
            return rows
    return None


def check_special_ids(config: dict[str, Any], where: str) -> None:
    """Refuse ids of a config.json that the embedding does not have, and a first id that is none. `where` names the file."""
    rows = size(config)
    first = config.get("bos_token_id")
    if first is not None and (not isinstance(first, int) or isinstance(first, bool) or first < 0):
        raise UserError(
            f"{where} says bos_token_id={json.dumps(first)[:60]}, which is not one id; it takes one "
            f"{f'from 0 to {rows - 1}' if rows else 'of the vocabulary'}, or null where sequences begin without."
        )
    read = ("bos_token_id",) if config.get("model_type") in PAD_UNREAD else ("bos_token_id", "pad_token_id")
    for name in read:  # an end is never read: all lanes are told to go on
        number = config.get(name)
        if rows and isinstance(number, int) and number >= rows:
            raise UserError(
                f"{where} says {name}={number}, and the model has the ids 0 to {rows - 1} (vocab_size={rows}); the two do "
                "not belong together: take the config.json that belongs to the weights."
            )


def first_id(config: dict[str, Any]) -> int | None:
    """The id that every sequence begins with, where the model has one."""
    first: int | None = config.get("bos_token_id")
    return first


def end_id(config: dict[str, Any]) -> int:
    """The (first) id that ends a sequence, for engines that want one; -1 where the model has none among its ids."""
    ends = config.get("eos_token_id")
    end = ends[0] if isinstance(ends, list) and ends else ends
    rows = size(config)
    return end if isinstance(end, int) and not (rows and end >= rows) else -1


def check_prompt(ids: Sequence[int], rows: int | None, tokenizer: Tokenizer, prompt: str) -> None:
    """Refuse a prompt with an id that the model's `rows` do not have; `prompt` names it."""
    beyond = next((number for number in ids if rows and number >= rows), None)
    if beyond is not None:
        raise UserError(
            f"{prompt} holds the token {tokenizer.id_to_token(beyond)!r} with the id {beyond}, and the model has the ids 0 to "
            f"{(rows or 0) - 1} (vocab_size={rows}): its tokenizer.json was made for another model or has added tokens; take "
            "the tokenizer that belongs to it, or leave that token out of the prompts."
        )
