"""What git has of this repository, as a clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

from trtbench.settings.knobs import ROOT


def bring_changes(root: Path) -> None:
    """Into a clone, the changes that git knows of and that are not committed yet: a file that was not added, or is ignored, is in
    no clone."""
    change = subprocess.run(["git", "diff", "--binary", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    if change:
        subprocess.run(["git", "apply", "-"], cwd=root, input=change, check=True, umask=0o077)
