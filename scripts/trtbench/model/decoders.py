"""Whether a configuration is that of a decoder that the installed transformers has itself.

Its tables are read as text and nothing is imported: that would bring torch into the process that runs the trials. Standard
library only and Python 3.8 syntax, because the doctor looks too, with the host's own Python, which mostly has no transformers:
what the tables would say is unknown there.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

CAUSAL = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
# Families with a class here read both ways, or read another text first, unless their config.json says that they are decoders.
MASKED = "MODEL_FOR_MASKED_LM_MAPPING_NAMES"
SEQUENCES = ("MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES", "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES")
# Classes with a head for something else than the next token.
OTHER_HEADS = {
    MASKED: "guesses words that are masked",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES": "classifies texts",
    "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES": "classifies tokens",
    "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES": "marks answers in a text",
    "MODEL_FOR_MULTIPLE_CHOICE_MAPPING_NAMES": "chooses among texts",
    "MODEL_FOR_NEXT_SENTENCE_PREDICTION_MAPPING_NAMES": "holds sentences against each other",
}
# What transformers' own classes read as: each id sees those after it.
BOTH_WAYS = {"attn_type": "bi", "is_causal": False, "use_bidirectional_attention": True}


@functools.lru_cache(maxsize=1)
def tables() -> dict[str, dict[str, str]] | None:
    """transformers' own tables from model_type to the name of a class, by the name of the table; None where it is not installed
    or keeps them otherwise."""
    try:
        package = importlib.util.find_spec("transformers")
    except (ImportError, ValueError):
        return None
    if package is None or not package.origin:
        return None
    source = Path(package.origin).parent / "models" / "auto" / "modeling_auto.py"
    try:
        lines = ast.parse(source.read_text(encoding="utf-8")).body
    except (OSError, ValueError, SyntaxError):
        return None
    found = {}
    for line in lines:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        value = getattr(line, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Call) and len(value.args) == 1:
            try:
                found[target.id] = dict(ast.literal_eval(value.args[0]))
            except (ValueError, TypeError):  # made of other tables, or no table
                continue
    return found if found.get(CAUSAL) else None


def installed() -> str:
    """The installed transformers, in words."""
    try:
        return f"transformers {importlib.metadata.version('transformers')}"
    except importlib.metadata.PackageNotFoundError:
        return "transformers"


def native(config: dict[str, Any]) -> bool | None:
    """Whether transformers has a causal language model of its own for this configuration, without code of the model's; None
    where that is unknown."""
    known = tables()
    if known is None:
        return None
    classes = {name for table in known.values() for entry in table.values() for name in _names(entry)}
    return str(config.get("model_type")) in known[CAUSAL] and config["architectures"][0] in classes


def no_decoder(config: dict[str, Any]) -> str | None:
    """Why the model of a configuration is no decoder, which continues a text from left to right; None where nothing says so."""
    kind, architecture = str(config.get("model_type")), config["architectures"][0]
    text = config.get("text_config")
    if config.get("is_encoder_decoder") is True:
        return f"says is_encoder_decoder: {architecture} reads one text and writes another"
    for part in (config, text if isinstance(text, dict) else {}):
        for name, value in BOTH_WAYS.items():
            if type(part.get(name)) is type(value) and part[name] == value:
                return f"says {name}={str(value).lower()}: {architecture} reads a text in both directions"
    known = tables()
    if known is None:
        return None
    causal = known[CAUSAL]
    if kind not in causal:
        if any(kind in table for table in known.values()):
            return f"says model_type={kind}, for which {installed()} has no causal language model ({architecture})"
        return None  # newer than this transformers, or another's: the lanes say what they make of it
    writers = {name for entry in causal.values() for name in _names(entry)}
    head = next((does for table, does in OTHER_HEADS.items() if architecture in _classes(known, table)), None)
    if head is not None and architecture not in writers:
        return f"names {architecture}, which {head}"
    if config.get("is_decoder") is not True and config.get("causal") is not True:
        if kind in known.get(MASKED, {}):
            return f"says model_type={kind} without is_decoder: {architecture} reads a text in both directions"
        if any(known[name].get(kind, causal[kind]) != causal[kind] for name in SEQUENCES if name in known):
            return f"says model_type={kind} without is_decoder: {architecture} reads one text and writes another"
    return None


def _names(entry: Any) -> tuple[str, ...]:
    return (entry,) if isinstance(entry, str) else tuple(entry)


def _classes(known: dict[str, dict[str, str]], table: str) -> set[str]:
    return {name for entry in known.get(table, {}).values() for name in _names(entry)}
