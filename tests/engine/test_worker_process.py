"""Where TensorRT-LLM's engine runs: what the installed release and its MPI allow, told without importing either."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from standin.kit import environment
from standin.product import SCRIPTS
from trtbench.engine import worker_process
from trtbench.errors import Unsupported
from trtbench.lanes.lane import choice_of
from trtbench.settings.lanes import LANES

ASK = """
import json, sys
from trtbench.engine import worker_process as w
found = {"known": w.known(), "open_mpi": w.open_mpi(), "can_choose": w.can_choose(), "cannot_spawn": w.cannot_spawn()}
found["imported"] = [name for name in ("tensorrt_llm", "mpi4py", "torch") if name in sys.modules]
print(json.dumps(found))
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is remembered of another test, and the caller's own variable does not count."""
    monkeypatch.delenv(worker_process.VARIABLE, raising=False)
    yield
    worker_process.known.cache_clear()
    worker_process.open_mpi.cache_clear()


def asked(python: str = ASK, **more: str) -> Any:
    env = environment(**more)
    env["PYTHONPATH"] = os.pathsep.join([str(SCRIPTS), env["PYTHONPATH"]])
    env.pop(worker_process.VARIABLE, None)
    done = subprocess.run(
        [sys.executable, "-c", python], env=env | more, capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_release_and_library_are_asked_without_an_import() -> None:
    found = asked()
    assert found == {"known": True, "open_mpi": 4, "can_choose": True, "cannot_spawn": False, "imported": []}


def test_open_mpi_5_leaves_nothing_to_choose() -> None:
    found = asked(STANDIN_OPEN_MPI="5.0.10rc2")
    assert (found["open_mpi"], found["cannot_spawn"], found["can_choose"]) == (5, True, False)


def test_what_the_user_set_is_not_tried_against() -> None:
    assert asked(**{worker_process.VARIABLE: "1"})["can_choose"] is False


def test_a_library_that_is_absent_or_another_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert worker_process.open_mpi() is None, "this environment has no mpi4py"
    worker_process.open_mpi.cache_clear()
    package = tmp_path / "mpi4py"
    package.mkdir()
    (package / "__init__.py").write_text("class rc: initialize = True\n")
    (package / "MPI.py").write_text("def Get_library_version(): return 'MPICH Version: 5.0'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert worker_process.open_mpi() is None and not worker_process.cannot_spawn()


def test_a_library_that_is_loaded_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = types.SimpleNamespace(Get_library_version=lambda: "Open MPI v5.0.10rc2, package: Open MPI root@build")
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", loaded)
    assert worker_process.open_mpi() == 5


def test_a_release_without_the_switch_has_nothing_to_choose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    utilities = tmp_path / "tensorrt_llm" / "llmapi" / "utils.py"
    utilities.parent.mkdir(parents=True)
    utilities.write_text("")
    (tmp_path / "tensorrt_llm" / "__init__.py").write_text("raise ImportError('not to be imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert not worker_process.known() and not worker_process.can_choose()
    assert choice_of("tensorrt-engine", "cuda") is None
    utilities.write_text(f"os.environ.get('{worker_process.VARIABLE}', '0')\n")
    worker_process.known.cache_clear()
    assert choice_of("tensorrt-engine", "cuda") is choice_of("tensorrt-pytorch", "cuda") is not None


def test_every_choice_that_depends_on_the_machine_names_a_function() -> None:
    offered = {choice.offered for row in LANES.values() for choice in row.choices.values() if choice.offered}
    assert offered == {"trtbench.engine.worker_process:can_choose"}
    assert choice_of("vllm", "cuda") is LANES["vllm"].choices["cuda"], "which depends on nothing"
    assert choice_of("pytorch-eager", "cpu") is None


SET = """
import json, os
from trtbench.engine import worker_process as w
from tensorrt_llm.llmapi.utils import enable_worker_single_process_for_tp1 as in_calling_process
found = []
for value in {values!r}:
    w.set_place(value)
    found.append([os.environ.get(w.VARIABLE), in_calling_process()])
print(json.dumps(found))
"""


def test_on_several_cards_there_is_nothing_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_asked", lambda: "Open MPI v4.1.9a1")
    assert worker_process.set_place("", 2) == ""
    assert worker_process.VARIABLE not in os.environ
    monkeypatch.setattr(worker_process, "_asked", lambda: "Open MPI v5.0.10rc2")
    worker_process.open_mpi.cache_clear()
    with pytest.raises(
        Unsupported, match=r"TP_SIZE=2 needs 2 processes, and Open MPI 5 cannot spawn them; take .* Open MPI 4"
    ):
        worker_process.set_place("", 2)


@pytest.mark.parametrize(
    ("values", "more", "expected"),
    [
        (["0", "1", "0"], {}, [["0", False], ["1", True], ["0", False]]),
        ([""], {}, [[None, False]]),
        ([""], {"STANDIN_OPEN_MPI": "5.0.10rc2"}, [["1", True]]),
        ([""], {"STANDIN_OPEN_MPI": "5.0.10rc2", worker_process.VARIABLE: "0"}, [["0", False]]),
        ([""], {worker_process.VARIABLE: "1"}, [["1", True]]),
    ],
)
def test_the_next_llm_takes_the_place_that_is_set(values: list[str], more: dict[str, str], expected: Any) -> None:
    """TensorRT-LLM remembers what it read first: a second value in one process must not be lost."""
    assert asked(SET.format(values=values), **more) == expected
