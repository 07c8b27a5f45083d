"""Lanes in environments of their own: two that can't be installed together, interleaved in one run on one machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import Bench
from lacking import lacking
from trtbench.records import run_folder
from trtbench.records.trial import Trial
from trtbench.settings import environments
from trtbench.settings.lanes import LANES

OLDER = "toy-older-eager"


@pytest.fixture
def older() -> environments.Interpreter:
    """The Python with the versions of NVIDIA's image."""
    interpreter = environments.ready(".venv-ngc")
    if interpreter is None:
        lacking("there is no .venv-ngc; scripts/test.sh makes it")
    return interpreter


@pytest.fixture
def run(bench: Bench, older: environments.Interpreter) -> list[Trial]:
    """pytorch-eager under transformers 5 and under 4.57 in turns, compared."""
    done = bench("--compare", LANES=f"pytorch-eager,{OLDER}", TRIALS="2", REPORT_LANG="en")
    assert done.returncode in (0, 3), done.stderr + done.stdout
    return run_folder.trials(bench.results, run_folder.listed(bench.results)[-1])


@pytest.mark.alone
@pytest.mark.usefixtures("toys")
def test_lanes_with_needs_in_conflict_take_turns_in_one_run(
    run: list[Trial], bench: Bench, older: environments.Interpreter
) -> None:
    own = environments.here()
    assert own.release("transformers").partition(".")[0] == "5" and older.release("transformers") == "4.57.3"
    by_lane = {name: [t for t in run if t.lane == name] for name in ("pytorch-eager", OLDER)}
    assert all(t.failure is None for t in run), [t.failure for t in run]
    for name, interpreter in (("pytorch-eager", own), (OLDER, older)):
        for trial in by_lane[name]:
            assert trial.environment.libraries["transformers"] == interpreter.release("transformers")
            assert trial.environment.venv == (interpreter.name or None)
            assert trial.environment.python == interpreter.version
            # Asked of the engine in the trial's process, in which only one of the two can be.
            assert trial.statement is not None
            assert trial.statement.versions["transformers"] == interpreter.release("transformers")
    # Turns: each round has both before the next begins.
    rounds = [(t.round, t.lane) for t in sorted(run, key=lambda trial: trial.position)]
    assert len(rounds) == 4 and all({lane for number, lane in rounds if number == n} == set(by_lane) for n in (1, 2))
    assert [number for number, _ in rounds] == sorted(number for number, _ in rounds)
    assert all(t.interleaved for t in run)
    # The same model, in float32: the ids are the same whatever the version.
    ids = {json.dumps(t.cells[0].e2e.outputs) for t in run if t.cells[0].e2e is not None}
    assert len(ids) == 1
    report = json.loads((bench.results / "benchmark_comparison_report.json").read_text())
    assert not [f for f in report["findings"] if f["level"] == "fail"], report["findings"]


def test_a_lane_s_own_environment_comes_before_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half made, made by somebody else, without what the lane needs, and inside an image."""
    from trtbench.settings import lanes

    folder = tmp_path / ".venv-vllm"
    (folder / "bin").mkdir(parents=True)
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    program = folder / "bin" / "python"
    packages = tmp_path / "packages"
    for module in ("vllm", "msgspec", "psutil"):
        (packages / module).mkdir(parents=True)
        (packages / module / "__init__.py").touch()
    program.write_text(f'#!/bin/sh\necho \'["3.12.1", ["{packages}"]]\'\n')
    program.chmod(0o755)
    environments._asked.cache_clear()
    monkeypatch.delenv("TRTBENCH_IMAGE", raising=False)
    found = lanes.interpreter("vllm", "cuda")
    assert found is not None and (found.name, found.version, found.program) == (".venv-vllm", "3.12.1", str(program))
    (folder / ".stamp").write_text("unfinished\n")
    assert lanes.interpreter("vllm", "cuda") is None
    (folder / ".stamp").write_text("12345 678\n")
    assert lanes.missing("vllm", "cuda") is None
    monkeypatch.setenv("TRTBENCH_IMAGE", "1")
    assert lanes.interpreter("vllm", "cuda") is None
    monkeypatch.delenv("TRTBENCH_IMAGE")
    (packages / "vllm" / "__init__.py").unlink()  # a folder of that name is no package
    assert lanes.missing("vllm", "cuda") == "needs vllm, which is not installed in .venv-vllm"
    (packages / "vllm" / "__init__.py").touch()
    (packages / "msgspec" / "__init__.py").unlink()
    said = "needs msgspec, which is not installed in .venv-vllm"
    assert lanes.missing("vllm", "cuda") == said, "a trial's process imports it"
    program.write_text("#!/bin/sh\nexit 1\n")
    environments._asked.cache_clear()
    assert lanes.missing("vllm", "cuda") == "needs vllm, which is not installed"


def test_every_environment_that_a_lane_names_has_a_row_and_its_locks() -> None:
    locks = environments.ROOT / "requirements"
    named = {folder for row in LANES.values() for folder in row.environments.values()}
    assert named | set(environments.MAIN.values()) <= set(environments.ENVIRONMENTS) | {".venv-ngc"}
    for folder, row in environments.ENVIRONMENTS.items():
        for lock in row.locks:
            assert (locks / f"{lock}.lock").is_file(), f"{folder} is made from {lock}.lock"
