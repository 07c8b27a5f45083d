"""A browser for the tests of pages, and the scripts that drive it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lacking import lacking

BROWSER = Path(__file__).parent / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def starts(browser: str) -> bool:
    """Whether it is a browser: Ubuntu has a program of that name that only says where to get one."""
    return subprocess.run([browser, "--version"], capture_output=True).returncode == 0


def chromium() -> str:
    """The path of a browser that starts, with what drives it installed; else the test is skipped."""
    found = next((path for name in NAMES if (path := shutil.which(name)) and starts(path)), None)
    if found is None:
        lacking(f"none of {', '.join(NAMES)} is installed and starts")
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            lacking(f"{tool} is not installed")
    if not (BROWSER / "node_modules" / ".package-lock.json").is_file():
        made = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=BROWSER, capture_output=True, text=True
        )
        if made.returncode != 0:
            lacking(f"npm ci failed: {made.stderr.strip()[-300:]}")
    return found
