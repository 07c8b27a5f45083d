"""Whose files stay behind: what root wrote into somebody's clone, in a container or by sudo, is given to its owner at the end."""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
import sys
from pathlib import Path

from trtbench.settings.knobs import ROOT, Settings

NOBODY = 65534  # an owner whom this user namespace doesn't know; nothing can be given to that one


def hand_over_at_exit(settings: Settings) -> None:
    """Once this process ends, however it does: what root has in the folders of data and results, and beside our sources, goes to
    the owner of that folder, or of the clone that it lies in. Of a container's user or of a rootless engine, whose root is the
    owner, nothing has to be given to anybody."""
    if os.geteuid() == 0:
        atexit.register(_hand_over, [settings.data.absolute(), settings.results.absolute(), ROOT / "scripts"])


def _hand_over(folders: list[Path]) -> None:
    for folder in folders:
        try:
            owner = _owner(folder)
            if owner is not None:
                _give(folder, owner)
        except OSError as error:
            print(
                f"{folder} holds files of root's, which can't be given to its owner ({error.strerror}); "
                f'sudo chown -R "$USER" {folder} does.',
                file=sys.stderr,
            )


def _owner(folder: Path) -> os.stat_result | None:
    """Whose folder it is, other than root's; None where nobody is known."""
    if not folder.is_dir():
        return None
    for place in (folder, ROOT) if ROOT in folder.parents else (folder,):
        status = place.stat()
        if status.st_uid not in (0, NOBODY):
            return status
    return None


def _give(folder: Path, owner: os.stat_result) -> None:
    """Give the owner what is root's in a folder, and the folder; no links are followed, and no other file system is entered.
    A file that has a second name elsewhere is left."""
    device = folder.stat().st_dev
    for _, below, files, at in os.fwalk(folder, topdown=False):
        for name in (*below, *files):
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                status = os.stat(name, dir_fd=at, follow_symlinks=False)
                once = stat.S_ISDIR(status.st_mode) or status.st_nlink == 1
                if status.st_uid == 0 and status.st_dev == device and once:
                    os.chown(name, owner.st_uid, owner.st_gid, dir_fd=at, follow_symlinks=False)
    if folder.stat().st_uid == 0:
        os.chown(folder, owner.st_uid, owner.st_gid)
