"""Whose files stay behind: what root wrote into somebody's clone, in a container or by sudo, is given to its owner at the end.

Root is careful here: a file that may be somebody else's by right is left, and a sentence says what would give it. What has a
second name elsewhere, or runs as its owner, is never given; docker/entrypoint.sh and scripts/lib.sh spare the same."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shlex
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Union

from trtbench.errors import user_name
from trtbench.records.result_files import CHART, PAGE, REPORT, benchmark_name
from trtbench.settings.knobs import ROOT, Settings
from trtbench.settings.lanes import LANES

NOBODY = 65534  # an owner whom this user namespace doesn't know; nothing can be given to that one
# What this program makes, by name: a folder with all in it (None), or with these parts of it.
Made = Mapping[str, Union["Made", None]]
_RESULTS: Made = dict.fromkeys(
    ["runs", REPORT, CHART, PAGE, *sorted({benchmark_name(row.family) for row in LANES.values()})]
)
MADE: Made = {**dict.fromkeys(("cache", "checkpoints", "engines", "models")), "results": _RESULTS, **_RESULTS}
WHOLE: Made = {".": None}


def hand_over_at_exit(settings: Settings) -> None:
    """Once this process ends, however it does: what root has in the folders of data and results, and beside our sources, goes to
    the owner of that folder, or of the clone that it lies in. Of a container's user or of a rootless engine, whose root is the
    owner, nothing has to be given to anybody."""
    if os.geteuid() == 0:
        atexit.register(_hand_over, [settings.data.absolute(), settings.results.absolute(), ROOT / "scripts"])


def _hand_over(folders: list[Path]) -> None:
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        try:
            _hand_over_one(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            print(
                f"{folder} holds files of root's, which can't be given to its owner ({error.strerror}); "
                f'sudo chown -R "$USER" {shlex.quote(str(folder))} does.',
                file=sys.stderr,
            )


def _hand_over_one(folder: Path) -> None:
    """Give what is in a folder without links in its path: in the clone all of it, elsewhere what this program makes."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        status, clone = os.fstat(at), ROOT.stat()
        # A mount point only seems to lie in the clone.
        inside = ROOT in folder.parents and status.st_dev == clone.st_dev
        owner = next((s.st_uid for s in (status, clone) if s.st_uid != 0), 0)
        if owner in (0, NOBODY):
            return
        if inside or (status.st_uid == owner and not _is_home(folder, owner)):
            group = status.st_gid if status.st_uid == owner else clone.st_gid
            _give(at, WHOLE if inside else MADE, status.st_dev, owner, group)
        elif left := _roots(at, folder):
            whose, user = user_name(status.st_uid), user_name(owner)
            print(
                f"{folder} belongs to {whose} and is not in this clone, so what root wrote there stays root's; "
                f"sudo chown -R {user} {' '.join(map(shlex.quote, left))} gives it to {user}.",
                file=sys.stderr,
            )
    finally:
        os.close(at)


def _is_home(folder: Path, owner: int) -> bool:
    """Whether a folder is anybody's home, as far as this machine knows."""
    homes = [user.pw_dir for user in pwd.getpwall()]
    with contextlib.suppress(KeyError):
        homes.append(pwd.getpwuid(owner).pw_dir)  # a directory service may know it, and not list it
    return folder.parent == Path("/home") or folder in [Path(home).resolve() for home in homes]


def _give(at: int, made: Made, device: int, owner: int, group: int) -> None:
    """Give the owner what is root's of these in an open folder; no links are followed, and nothing of another file system is
    given."""
    for name, parts in made.items():
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                if parts is None:
                    for _, below, files, there in os.fwalk(name, topdown=False, dir_fd=at):
                        for inner in (*below, *files):
                            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                                _give_one(inner, there, device, owner, group)
                else:
                    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                    try:
                        _give(folder, parts, device, owner, group)
                    finally:
                        os.close(folder)
            _give_one(name, at, device, owner, group)


def _give_one(name: str, at: int, device: int, owner: int, group: int) -> None:
    status = os.stat(name, dir_fd=at, follow_symlinks=False)
    spared = not stat.S_ISDIR(status.st_mode) and (
        status.st_nlink > 1 or status.st_mode & (stat.S_ISUID | stat.S_ISGID)
    )
    if status.st_uid == 0 and status.st_dev == device and not spared:
        os.chown(name, owner, group, dir_fd=at, follow_symlinks=False)


def _roots(at: int, folder: Path) -> list[str]:
    """What this program makes and root has in an open folder; links are nothing."""
    found = []
    for name in MADE:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=at, follow_symlinks=False)
            if status.st_uid == 0 and not stat.S_ISLNK(status.st_mode):
                found.append(str(folder / name))
    return found
