"""Build the documents as a site, strictly: whatever Sphinx warns of, and any reference that leads nowhere, is an error.

    bash scripts/site.sh [FOLDER]

FOLDER is `site` where none is given. No network is needed, neither for building nor for looking at it. Exit status: 0 built and
sound, 1 something is wrong with the documents, 2 FOLDER is something else.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from check import broken
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OURS = ".buildinfo"  # what Sphinx leaves in a site


def main(arguments: list[str]) -> int:
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    site = Path(*arguments) if arguments else ROOT / "site"
    if site.is_dir() and any(site.iterdir()) and not (site / OURS).is_file():
        print(f"error: {site} is no site that was built here; name another folder.", file=sys.stderr)
        return 2
    # A page that is gone from the documents must not stay.
    shutil.rmtree(site, ignore_errors=True)
    with tempfile.TemporaryDirectory() as kept:
        strict = ["-W", "--keep-going", "-n", "-q", "-E"]
        status = build_main(["-b", "html", "-c", str(HERE), *strict, "-d", kept, str(ROOT), str(site)])
    wrong = broken(site) if site.is_dir() else []
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if status or wrong:
        print("error: the site has broken links or other faults; the lines above name them.", file=sys.stderr)
        return 1
    print(site / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
