"""What forbids the network for a model."""

from __future__ import annotations

import os

from trtbench.settings.knobs import Settings


def offline_by(settings: Settings) -> str | None:
    """The setting that forbids the network, as the user would write it."""
    if settings.offline:
        return "OFFLINE=1"
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE"):
            return f"{name}={os.environ[name]}"
    return None
