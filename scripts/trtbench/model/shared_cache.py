"""Snapshots that other programs keep in the Hub's own cache (HF_HOME). This program takes nothing from there by itself, because
nothing there says which bytes were checked; it says where the folder lies.

Standard library only and Python 3.8 syntax, because the doctor looks here too. Layout: huggingface_hub, "Understand caching".
"""

from __future__ import annotations

import os
import re
from pathlib import Path


def cache() -> Path:
    """Where huggingface_hub keeps models, as the environment says."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")).expanduser()


def found(name: str, revision: str) -> Path | None:
    """The folder …/snapshots/COMMIT of the model `name`, a branch or tag being the commit that it last had; None where it
    isn't there."""
    home = cache() / f"models--{name.replace('/', '--')}"
    try:
        noted = (home / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        noted = revision
    folder = home / "snapshots" / noted
    return folder if re.fullmatch(r"[0-9a-f]{40}", noted) and (folder / "config.json").is_file() else None
