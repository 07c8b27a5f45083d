"""Typed access to a config.json: a wrong or missing value is a sentence that names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtbench.errors import UserError

MOST = 10**12  # no size of a model is above it


def shown(value: Any) -> str:
    """A value as a sentence names it, of any length."""
    try:
        written = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"
    return written if len(written) <= 200 else f"{written[:200]}…"


class Reader:
    """The dict of a Hugging Face config.json, or the part of one that describes the decoder. Each method raises UserError."""

    def __init__(self, config: Mapping[str, Any], architecture: str) -> None:
        self.config = config
        self.architecture = architecture

    def number(self, *names: str, default: int | None = None) -> int:
        """The first of `names` that is there and not null, a whole number above 0."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise UserError(f"config.json has {name}={shown(value)}; a whole number above 0 is needed.")
                if value > MOST:
                    raise UserError(
                        f"config.json has {name}={shown(value)}; no model has more than {MOST:,} of anything."
                    )
                return value
        if default is None:
            raise UserError(f"config.json lacks {' or '.join(names)}; a whole number above 0 is needed.")
        return default

    def count(self, name: str, default: int) -> int:
        """A whole number, which may be 0; null and nothing are `default`."""
        value = self.config.get(name)
        if value == 0 and not isinstance(value, (bool, float)):
            return 0
        return self.number(name, default=default)

    def flag(self, name: str, default: bool) -> bool:
        value = self.config.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise UserError(f"config.json has {name}={shown(value)}; true or false is needed.")
        return value

    def items(self, name: str) -> list[Any]:
        value = self.config.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise UserError(f"config.json has {name}={shown(value)}; a list is needed.")
        return value

    def layers_of(self, kind: str, layers: int, otherwise: int) -> int:
        """How many layers `layer_types` gives this kind; `otherwise` where the file has no such list."""
        types = self.items("layer_types")
        return types[:layers].count(kind) if types else otherwise

    def per_head(self, hidden: int, heads: int) -> int:
        if hidden % heads:
            raise UserError(
                f"config.json has a hidden size of {hidden} and {heads} attention heads; "
                "the first must be a multiple of the second."
            )
        return hidden // heads
