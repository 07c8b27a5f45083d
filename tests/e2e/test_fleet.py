"""Whole runs on a real cluster of Ray: three machines on loopback, one of them killed in mid run. Run alone: the machines share the
processors of this one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lacking import lacking
from ray_cluster import PYTHON, TOKEN, Asked
from trtbench.comparison import untrusted
from trtbench.fleet.handed_back import handed_back, reason

pytestmark = [pytest.mark.alone, pytest.mark.slow]

SETTINGS = {
    "LANES": "pytorch-eager",
    "TRIALS": "1",
    "NUM_ITERATIONS": "1",
    "WARMUP_LIMIT": "1",
    "QUIET": "warn",
    "TRY_SETTINGS": "0",
    "ENERGY": "0",
    "PROMPT_LENGTHS": "8",
    "NEW_TOKENS": "4",
    "THREADS": "1",
}


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return value


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def cluster(data: Path) -> Iterator[Asked]:
    if not PYTHON.is_file():
        lacking(f"{PYTHON.parents[1].name} is not there; bash scripts/fleet.sh --install makes it")
    asked = Asked(3, DATA_DIR=str(data))
    try:
        asked("connect", asked.url, TOKEN)
        yield asked
    finally:
        asked.end()


def job(name: str, run_id: str, model: Path, labels: dict[str, str] | None = None, **settings: str) -> list[Any]:
    """What `submit` takes: a whole run with a machine of one processor for itself."""
    run = {
        "id": run_id,
        "model": str(model),
        "precision": "float32",
        "settings": {**SETTINGS, **settings},
        "docker": False,
        "fleet": "of-a-test",
    }
    return [name, json.dumps(run), 0, 1, {}, labels or {}]


def submit(cluster: Asked, *job: Any) -> None:
    """Have a job taken, by a head that may not be up yet."""
    wait_for(lambda: cluster("submit", *job) is None)


def ended(cluster: Asked, name: str) -> Any:
    """The state of a job that has come to its end."""
    return wait_for(lambda: (state := cluster("state", name))[0] not in ("waiting", "running") and state)


def trials(data: Path, run_id: str) -> dict[str, bytes]:
    """Name and bytes of every trial file of a run."""
    paths = data.glob(f"results/fleet-runs/*/of-a-test/{run_id}/runs/*/trials/*.json")
    return {path.name: path.read_bytes() for path in paths}


def processes(run_id: str) -> list[psutil.Process]:
    """What measures a run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("RESULTS_DIR", "").endswith(f"/{run_id}") and process.status() != "zombie":
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_run_whose_machine_dies_is_lost_and_made_on_another(
    cluster: Asked, tiny_model: Path, data: Path, tmp_path: Path
) -> None:
    machines = {machine[0]: machine for machine in cluster("machines")}
    assert len(machines) == 3 and [machine[1:3] for machine in machines.values()] == [[0, 1]] * 3
    racks = {machine[4]["rack"]: name for name, machine in machines.items() if "rack" in machine[4]}
    assert cluster("state", "one")[0] == "unknown"

    # One is told where to run, for its machine to be killed; the others find room by themselves.
    submit(cluster, *job("lost-1", "lost", tiny_model, {"rack": "r1"}, TRIALS="2"))
    for name in ("one", "two"):
        submit(cluster, *job(f"{name}-1", name, tiny_model, {"rack": "!in(r1)"}))
    submit(cluster, *job("one-1", "another", tiny_model))
    wait_for(lambda: trials(data, "lost"))
    kept = trials(data, "lost")
    assert cluster("state", "lost-1")[:2] == ["running", racks["r1"]]
    cluster("kill", racks["r1"])
    assert ended(cluster, "lost-1")[:2] == ["lost", racks["r1"]]
    assert cluster("log", "lost-1") == ""
    assert {machine[0] for machine in cluster("machines")} == set(machines) - {racks["r1"]}
    wait_for(lambda: not processes("lost"), 15)

    submit(cluster, *job("lost-2", "lost", tiny_model, {"ray.io/node-id": f"!in({racks['r1']})"}, TRIALS="2"))
    submit(cluster, *job("failed-1", "failed", tmp_path / "no model"))
    submit(cluster, *job("stopped-1", "stopped", tiny_model, TRIALS="50"))
    bundles = {}
    for name in ("one-1", "two-1", "lost-2"):
        phase, machine, why = ended(cluster, name)
        log = cluster("log", name)
        assert (phase, why) == ("ended", ""), log[-2000:]
        assert machine in machines and machine != racks["r1"]
        bundles[name] = tmp_path / name
        bundles[name].write_bytes(handed_back(log).bundle)
    for name, path in bundles.items():
        comparison, kind = untrusted.read(path)
        assert kind == "bundle" and [f.lane for row in comparison.cells for f in row.figures] == ["pytorch-eager"], name

    # Nothing lost, nothing repeated: what was finished before the machine died is what it was.
    after = trials(data, "lost")
    assert len(after) == 2 and {name: after[name] for name in kept} == kept
    assert [len(trials(data, name)) for name in ("one", "two", "another")] == [1, 1, 0]

    # One that is stopped ended with all that it started, and one that failed says how.
    assert ended(cluster, "failed-1")[0::2] == ["failed", "it ended with exit status 2"]
    assert "no model" in reason(cluster("log", "failed-1"))
    wait_for(lambda: trials(data, "stopped"))
    cluster("stop", "stopped-1")
    cluster("stop", "never-there")
    assert ended(cluster, "stopped-1")[0] == "stopped"
    wait_for(lambda: not processes("stopped"), 15)

    # The same run, asked for once more by the same fleet, is handed back and not measured.
    submit(cluster, *job("lost-3", "lost", tiny_model, TRIALS="2"))
    assert ended(cluster, "lost-3")[0] == "ended"
    assert handed_back(cluster("log", "lost-3")).bundle != b"" and trials(data, "lost") == after
