"""Plant mistakes in the program, one at a time, and see that the tests catch each: is the suite still as strict?

    python benchmarks/mutations.py [NAME ...] [--list | --baseline]

mutations.toml, beside this file, holds the mistakes. The checkout's tracked files are copied to a temporary folder and
changed there. A mistake is caught when its tests ran and failed; tests that can't be collected catch nothing, and a
mistake whose text is not found exactly once is STALE. Exit status 0: all caught; 1: not all; 2: a name is wrong.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tomllib

HERE = Path(__file__).resolve().parent
LIMIT = 600  # seconds for the tests of one mistake
FOUND_FAULTS = 1  # pytest's and bats' exit status when tests ran and failed; pytest: 2 to 5 when none could run


def checkout() -> Path:
    """The top of the checkout in which this is called."""
    done = subprocess.run(["git", "rev-parse", "--show-toplevel"], check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def copy(root: Path, to: Path) -> None:
    """Copy the tracked files, as they are now."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, to / name, follow_symlinks=False)


def run(tests: list[str], root: Path) -> tuple[int, str]:
    """Run the tests, those of bats first; the first exit status that is not 0, and the output up to there."""
    bats = [test for test in tests if test.endswith(".bats")]
    python = [test for test in tests if test not in bats]
    commands = [["bats", *bats]] if bats else []
    commands += [[sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *python]] if python else []
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # a changed file of the same size and second would be stale
    status, said = 0, ""
    for command in commands:
        try:
            done = subprocess.run(command, cwd=root, env=env, timeout=LIMIT, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            return 124, f"{said}no end within {LIMIT} seconds\n"
        status, said = done.returncode, said + done.stdout + done.stderr
        if status:
            break
    return status, said


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these mistakes")
    parser.add_argument("--list", action="store_true", help="name the mistakes and what a user would suffer")
    parser.add_argument("--baseline", action="store_true", help="change nothing: all tests must pass")
    options = parser.parse_args()
    known = {m["name"]: m for m in tomllib.loads((HERE / "mutations.toml").read_text(encoding="utf-8"))["mutation"]}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no mutation is called {', '.join(unknown)}")
    chosen = [known[name] for name in options.names or known]
    if options.list:
        print(*(f"{m['name']}: {m['why']}" for m in chosen), sep="\n")
        return 0
    good, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        root = Path(folder)
        copy(checkout(), root)
        for m in chosen:
            file, since = root / m["file"], time.monotonic()
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            if text.count(m["find"]) != 1:
                print(f"STALE     {m['name']}: its text is {text.count(m['find'])} times in {m['file']}", flush=True)
                continue
            if not options.baseline:
                file.write_text(text.replace(m["find"], m["replace"]), encoding="utf-8")
            status, said = run(m["tests"], root)
            file.write_text(text, encoding="utf-8")
            right = status == (0 if options.baseline else FOUND_FAULTS)
            good += right
            words = ("passed", "FAILED") if options.baseline else ("caught", "SURVIVED" if status == 0 else "BROKEN")
            print(f"{words[not right]:<9} {m['name']}  {time.monotonic() - since:.1f} s", flush=True)
            if not right:
                print(f"  status {status}\n" + "\n".join(said.splitlines()[-15:]), flush=True)
    print(f"{good} of {len(chosen)} {'passed' if options.baseline else 'caught'}, {time.monotonic() - began:.0f} s")
    return 0 if good == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
