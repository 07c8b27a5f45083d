"""How to run the same again: the settings that are not the defaults, and a command with all of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from trtbench.comparison.clean_text import plain
from trtbench.comparison.result import Comparison
from trtbench.settings.knobs import DEFAULTS, ROWS, defaults_of, show

# Where results lie and how they are told changes no figure, and a folder's name is nobody's business.
PRIVATE = ("DATA_DIR", "RESULTS_DIR", "REPORT_LANG", "LOG_LEVEL", "OFFLINE")


def changed(comparison: Comparison) -> dict[str, str]:
    """Settings of the run that are not the defaults, as a user would type them; private ones are left out."""
    return _differing(comparison, DEFAULTS)


def _differing(comparison: Comparison, defaults: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: plain(show(name, value))
        for name, value in sorted(comparison.settings.items())
        if name in ROWS and name not in PRIVATE and _comparable(value) != _comparable(defaults[name])
    }


def _comparable(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, list)) else value


def again(comparison: Comparison) -> str:
    """A command that runs the same again: what was typed, and every setting that came from elsewhere before it."""
    command = plain(comparison.command, 2000)
    typed = command.split()
    local = "--local" in typed or "bench_local" in command
    defaults = defaults_of("" if not local else "quick" if "--quick" in typed else "local")
    prefix = []
    for name, value in _differing(comparison, defaults).items():
        flag = "--" + name.lower().replace("_", "-")
        if not any(word == flag or word.startswith(flag + "=") or word.startswith(name + "=") for word in typed):
            prefix.append(f"{name}={shlex.quote(value)}")
    return " ".join([*prefix, command])
