"""The command of a fleet, with a cluster that is none: its exit statuses, its files, what it refuses."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from a_cluster import MODEL, ACluster, machine

from liars import Story
from trtbench.comparison import bundle
from trtbench.errors import UserError
from trtbench.fleet import __main__ as command
from trtbench.fleet import conducting
from trtbench.fleet.cluster import Job
from trtbench.fleet.cluster import State as Seen

PLAN = f"name: first\nmodels: [{MODEL}]\nprecisions: [float16]\nkinds:\n  small: {{resource: small}}\nrepeats: 2\n"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


@pytest.fixture
def fleet(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Call it with a cluster and more options; its exit status. Time passes from look to look alone."""

    def call(cluster: ACluster | None, *options: str) -> int:
        @contextlib.contextmanager
        def reached(address: str | None, settings: object) -> Iterator[ACluster]:
            assert cluster is not None, "no cluster was to be asked"
            yield cluster

        def look(self: conducting.Conductor, *rest: object) -> None:
            started(self, *rest)
            self._sleep = cluster.look  # type: ignore[union-attr]

        monkeypatch.setattr(command, "reached", reached)
        monkeypatch.setattr(conducting.Conductor, "__init__", look)
        return command.main([str(plan), "--results-dir", str(tmp_path / "results"), *options])

    started = conducting.Conductor.__init__
    return call


def two(**more: object) -> ACluster:
    return ACluster([machine(name, small=1.0) for name in "ab"], **more)  # type: ignore[arg-type]


def test_all_runs_are_back(fleet: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet(two()) == 0
    home = tmp_path / "results" / "fleets" / "first"
    said = capsys.readouterr()
    assert "2 of 2 runs are back" in said.out and "is back (2 of 2)" in said.err
    names = {path.name for path in home.iterdir()}
    assert names == {
        ".lock",
        "plan.yaml",
        "state.jsonl",
        "bundles",
        "fleet.json",
        "fleet.csv",
        "fleet.md",
        "fleet.html",
    }
    assert (home / "plan.yaml").read_text() == PLAN
    before = (home / "state.jsonl").read_bytes(), (home / "fleet.json").read_bytes()

    (home / "fleet.json").unlink()
    assert fleet(None, "--page") == 0
    assert before == ((home / "state.jsonl").read_bytes(), (home / "fleet.json").read_bytes())
    with pytest.raises(UserError, match="add --resume"):
        fleet(two())
    cluster = two()
    assert fleet(cluster, "--resume", "--report-lang", "fr") == 0 and not cluster.jobs
    assert "revenues sur 2" in capsys.readouterr().out


def test_some_runs_are_not_back(fleet: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(job: Job, place: str) -> Seen | None:
        return Seen("failed", place, "it ended with exit status 2") if "-float16-2-" in job.id else None

    assert fleet(two(troubles=fails)) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 runs is back" in out and "it ended with exit status 2" in out
    assert fleet(two(), "--resume") == 0


def test_the_audit_refuses_a_figure(fleet: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    def lying(run: str, seed: int) -> bytes:
        story = Story(rounds=3, iterations=3, new=32, seed=seed).tell()
        for trial in story.trials:
            if trial.lane == "tensorrt-engine":
                for record in trial.cells:
                    assert record.e2e is not None
                    record.e2e.times = [time // 1000 for time in record.e2e.times]
        story.run.settings["MODEL_NAME"] = json.loads(run)["model"]
        story.seal()
        return bundle.make(story.run, story.trials, story.judged, story.workload, [])

    assert fleet(two(made=lying)) == 3
    assert "VOID: of 2 runs the audit refuses at least one figure" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resume"], "holds no fleet"),
        (["--page"], "holds no fleet"),
        (["--page", "--resume"], "no place beside"),
        (["--page", "--address", ""], "no place beside"),
    ],
)
def test_what_can_not_be_is_refused_and_leaves_nothing(
    fleet: Callable[..., int], options: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        fleet(None, *options)
    assert not (tmp_path / "results").exists()


def test_a_plan_in_the_place_of_another_keeps_what_is_there(
    fleet: Callable[..., int], plan: Path, tmp_path: Path
) -> None:
    assert fleet(two()) == 0
    journal = (tmp_path / "results" / "fleets" / "first" / "state.jsonl").read_bytes()
    plan.write_text(PLAN.replace("float16", "bfloat16"))
    with pytest.raises(UserError, match="the plan no longer has"):
        fleet(two(), "--resume")
    assert (tmp_path / "results" / "fleets" / "first" / "state.jsonl").read_bytes() == journal
    assert (tmp_path / "results" / "fleets" / "first" / "plan.yaml").read_text() == PLAN
