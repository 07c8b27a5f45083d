"""Whole runs on a real cluster of Ray: three machines on loopback, one of them killed in mid run. Run alone: the machines share the
processors of this one."""

from __future__ import annotations

import json
import os
import subprocess
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
from trtbench.settings.knobs import ROOT

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


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet") / "data"


@pytest.fixture(scope="module")
def cluster(data: Path) -> Iterator[Asked]:
    if not PYTHON.is_file():
        lacking(f"{PYTHON.parents[1].name} is not there; bash scripts/fleet.sh --install makes it")
    asked = Asked(3, DATA_DIR=str(data))
    try:
        asked("connect", asked.url, TOKEN)
        yield asked
    finally:
        asked.end()


def plan_of(model: Path, **settings: str) -> str:
    """A plan of three runs, for whatever machine."""
    rows = {**SETTINGS, **settings}
    return json.dumps(
        {
            "name": "three",
            "models": [str(model)],
            "precisions": ["float32"],
            "kinds": {"any": {"price": 2}},
            "settings": rows,
            "repeats": 3,
            "currency": "EUR",
        }
    )


def fleet(cluster: Asked, *arguments: object) -> subprocess.Popen[str]:
    """The command as a user types it, and the token that this cluster asks for."""
    return subprocess.Popen(
        ["bash", "scripts/fleet.sh", *map(str, arguments), "--address", cluster.url],
        cwd=ROOT,
        env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def events(home: Path, kind: str) -> list[dict[str, Any]]:
    """Those of a kind in a fleet's journal."""
    try:
        lines = (home / "state.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [event for event in map(json.loads, lines) if event["event"] == kind]


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
    paths = data.glob(f"results/fleet-runs/*/*/{run_id}/runs/*/trials/*.json")
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


def test_a_machine_dies_in_mid_run_and_nothing_is_lost_or_repeated(
    cluster: Asked, tiny_model: Path, data: Path, tmp_path: Path
) -> None:
    machines = {machine[0]: machine for machine in cluster("machines")}
    assert len(machines) == 3 and [machine[1:3] for machine in machines.values()] == [[0, 1]] * 3
    plan, home = tmp_path / "plan.yaml", tmp_path / "results" / "fleets" / "three"
    plan.write_text(plan_of(tiny_model, TRIALS="2"))
    command = fleet(cluster, plan, "--results-dir", tmp_path / "results")
    wait_for(lambda: len(events(home, "placing")) == 3)
    jobs = {event["run"]: event["job"] for event in events(home, "placing")}

    # The head is needed; of the others, one on which the first of two trials is done.
    def victim() -> tuple[str, str] | None:
        for run, name in jobs.items():
            phase, machine, _ = cluster("state", name)
            if phase == "running" and "rack" in machines[machine][4] and trials(data, run):
                return run, machine
        return None

    run, machine = wait_for(victim)
    kept, its = trials(data, run), processes(run)
    assert its and len(kept) == 1
    cluster("kill", machine)
    wait_for(lambda: not any(process.is_running() and process.status() != "zombie" for process in its), 20)

    said, _ = command.communicate(timeout=240)
    assert command.returncode == 0, said
    assert f"{run} was lost with its machine" in said
    (lost,) = events(home, "ended")
    assert (lost["run"], lost["how"], lost["node"]) == (run, "lost", machine)
    assert sorted(event["run"] for event in events(home, "back")) == sorted(jobs)
    assert len(events(home, "placing")) == 4 and machine not in {event["node"] for event in events(home, "back")}
    for name in jobs:
        comparison, kind = untrusted.read(home / "bundles" / f"{name}.json.gz")
        assert kind == "bundle" and [f.trials for row in comparison.cells for f in row.figures] == [2]
    # What was finished before the machine died is what it was: here both are one machine, with one disk.
    after = trials(data, run)
    assert len(after) == 2 and {name: after[name] for name in kept} == kept

    document = json.loads((home / "fleet.json").read_text())
    assert document["statuses"] == {"back": 3}
    assert [line["losses"] for line in document["runs"] if line["id"] == run] == [1]
    assert "3 of 3 runs are back" in said and (home / "fleet.html").is_file()

    again = fleet(cluster, plan, "--results-dir", tmp_path / "results", "--resume")
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0 and "submitted" not in said, said
    assert len(events(home, "placing")) == 4


def test_a_run_that_fails_or_is_stopped_says_so_and_leaves_nothing_behind(
    cluster: Asked, tiny_model: Path, data: Path, tmp_path: Path
) -> None:
    assert cluster("state", "one")[0] == "unknown"
    submit(cluster, *job("failed-1", "failed", tmp_path / "no model"))
    submit(cluster, *job("one-1", "one", tiny_model))
    submit(cluster, *job("one-1", "another", tiny_model))
    assert ended(cluster, "failed-1")[0::2] == ["failed", "it ended with exit status 2"]
    assert "no model" in reason(cluster("log", "failed-1"))
    submit(cluster, *job("stopped-1", "stopped", tiny_model, TRIALS="50"))
    assert ended(cluster, "one-1")[0] == "ended"
    first = handed_back(cluster("log", "one-1"))
    assert len(trials(data, "one")) == 1 and not trials(data, "another")

    wait_for(lambda: trials(data, "stopped"))
    cluster("stop", "stopped-1")
    cluster("stop", "never-there")
    assert ended(cluster, "stopped-1")[0] == "stopped"
    wait_for(lambda: not processes("stopped"), 15)

    # The same run, asked for once more by the same fleet, is handed back and not measured.
    submit(cluster, *job("one-2", "one", tiny_model))
    assert ended(cluster, "one-2")[0] == "ended"
    assert handed_back(cluster("log", "one-2")) == first and len(trials(data, "one")) == 1
