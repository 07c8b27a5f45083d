"""Describe the classes that the contract names, as they are in the installed tensorrt_llm; printed as JSON, last line.

    python -m trtbench.engine.contract.classes CONTRACT.json

A process of its own: the import takes long, prints to standard output, starts MPI and may hang.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any


def import_class(dotted: str) -> Any:
    """Import `package.module.Name`."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def as_json(value: Any) -> Any:
    """A default as JSON, or as its text when JSON cannot hold it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"text": repr(value)[:200]}


def describe(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Fields with defaults of one class; for an LLM also the positional arguments of its constructor."""
    description: dict[str, Any] = {}
    described_class = import_class(name)
    if entry["kind"] == "llm":
        parameters = list(inspect.signature(described_class.__init__).parameters.values())[1:]
        description["positional"] = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        described_class = import_class(entry["args_class"])
    if entry["kind"] == "dataclass":
        description["fields"] = {
            field.name: as_json(None if field.default is dataclasses.MISSING else field.default)
            for field in dataclasses.fields(described_class)
        }
    else:
        description["fields"] = {
            field: as_json(None if info.is_required() else info.get_default(call_default_factory=False))
            for field, info in described_class.model_fields.items()
        }
    return description


def main() -> None:
    contract = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer: dict[str, Any] = {"classes": {}, "python": sys.version.split()[0]}
    for module in ("tensorrt_llm", "tensorrt", "transformers"):
        with contextlib.suppress(ImportError):
            answer[module] = str(importlib.import_module(module).__version__)
    # The first import decides; a second attempt would only repeat the message.
    import tensorrt_llm

    answer["simulated"] = bool(getattr(tensorrt_llm, "SIMULATED", False))
    for name, entry in contract["python"].items():
        if entry["kind"] == "result":
            continue
        try:
            answer["classes"][name] = describe(name, entry)
        except Exception as error:  # whatever is wrong with one class is an answer about it
            answer["classes"][name] = {"error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
