"""The engine's folder as the runtime gets it: in the temporary folder, on this machine's own disk or memory.

TensorRT-LLM opens and parses the engine's config.json for every request. Where DATA_DIR lies on a file system that answers
slowly (a network, or a folder of Windows under WSL2), that would stand inside every measured time, and inside those of no
other lane. So config.json is copied, and everything else, gigabytes of it, is linked.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trtbench.engine.on_disk import CONFIG

PREFIX = "trtbench-engine-"
LOCK = ".in-use"


class RuntimeFolder:
    """Such a folder for the engine in `engine`; `path` is where it is. Raises OSError where it cannot be made.

    It is in use while this process lives, and `remove` takes it away. One whose process was killed is taken away by the next.
    """

    def __init__(self, engine: Path) -> None:
        self._lock = -1
        _remove_left_behind()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        atexit.register(self.remove)
        # Under its name only once it is held: another process may be looking for those that nobody holds.
        self._lock, unnamed = tempfile.mkstemp(dir=self.path)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.rename(unnamed, self.path / LOCK)
        for file in sorted(engine.absolute().iterdir()):
            if file.name == CONFIG:
                shutil.copyfile(file, self.path / CONFIG)
            else:
                (self.path / file.name).symlink_to(file)

    def remove(self) -> None:
        """Take it away; a second time nothing happens."""
        atexit.unregister(self.remove)
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@contextlib.contextmanager
def on_local_disk(engine: Path) -> Iterator[Path]:
    """Such a folder to the end of the block, or the engine's own where it cannot be made."""
    try:
        folder = RuntimeFolder(engine)
    except OSError:
        yield engine
        return
    try:
        yield folder.path
    finally:
        folder.remove()


def _remove_left_behind() -> None:
    """Take away folders that nobody holds, of processes of this user that were killed. Only the lock tells: a process's number
    means something else in another container."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, held, or just being made or taken away
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
