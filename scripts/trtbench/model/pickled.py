"""Weights that come as pickle files alone: which files they are, and what a model must bring so that they can be converted.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

from collections.abc import Collection

from trtbench.errors import UserError

SETTING = "CONVERT_PICKLE"
WEIGHTS = "pytorch_model.bin"
INDEX = "pytorch_model.bin.index.json"
CONVERTED = (
    "converted_from"  # where config.json says which file the weights were converted from, wherever the folder goes
)
OFFER = (
    f"{SETTING}=1 converts {WEIGHTS} to safetensors, once, with torch's weights-only loading, which runs no code that a "
    "pickle file holds"
)
# What transformers makes a fast tokenizer from, where tokenizer.json is absent.
TOKENIZERS = (
    ("vocab.json", "merges.txt"),
    ("tokenizer.model",),
    ("spiece.model",),
    ("sentencepiece.bpe.model",),
    ("vocab.txt",),
)


def first_file(names: Collection[str]) -> str | None:
    """The file that a folder's pickle weights begin with, as transformers looks for it: the one that has them all, or the index
    of several; None where the folder has none."""
    return next((name for name in (WEIGHTS, INDEX) if name in names), None)


def tokenizer_files(names: Collection[str]) -> tuple[str, ...] | None:
    """The files that the model's tokenizer is in; None where a fast one can't be made of what is there."""
    return next((files for files in (("tokenizer.json",), *TOKENIZERS) if set(files) <= set(names)), None)


def no_tokenizer(where: str) -> str:
    """Say that a folder has nothing to make a fast tokenizer of."""
    wanted = ", ".join(" with ".join(files) for files in TOKENIZERS)
    return f"{where} has no tokenizer.json, and nothing that one can be converted from ({wanted})."


def shard_names(listed: Collection[str], names: Collection[str], where: str) -> list[str]:
    """The pickle files that an index names, `listed` there; `names` are those of the folder. Raises UserError for one that is
    not in it, or is no pickle file of it."""
    for name in listed:
        if not isinstance(name, str) or not name.endswith(".bin") or name not in names:
            raise UserError(f"{where} lacks {str(name)[:100]!r}, which its {INDEX} names; fetch the model again.")
    return sorted(listed)
