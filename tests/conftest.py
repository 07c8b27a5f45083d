"""What several test files share: a tiny model, short runs, the toy lanes, a disk that is nearly full."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from command import TINY, TOY, Bench
from trtbench.model.synthetic import write_synthetic
from trtbench.settings.knobs import ALIASES, ROWS

# A shell that starts a job in the background has it ignore Ctrl-C, and so would every process started from here.
signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes is not what these tests are about, and on a loaded machine one takes longer.
hypothesis.settings.register_profile("without deadline", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("without deadline")


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ROWS, *ALIASES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama folder of 0.1 M parameters; read-only by agreement."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    folder.mkdir()
    write_synthetic(folder, TINY, seed=3)
    return folder


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One DATA_DIR for all tests that convert the tiny model, so that it is converted once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def bench(tiny_model: Path, tmp_path: Path) -> Bench:
    return Bench(tiny_model, tmp_path / "data")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy lanes in this process and in those that it starts."""
    monkeypatch.syspath_prepend(str(TOY))
    import toy_table

    from trtbench.settings.lanes import LANES

    for name, row in toy_table.ROWS.items():
        monkeypatch.setitem(LANES, name, row)
    monkeypatch.setenv("PYTHONPATH", str(TOY))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a tmpfs of so many KiB and return it."""
    mounted: list[Path] = []

    def mount(kibibytes: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)], capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"a tmpfs cannot be mounted here (needs root): {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
