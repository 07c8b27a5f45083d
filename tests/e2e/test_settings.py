"""Settings of engines, tried before the first timed trial by the real command on lanes that have something to choose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import Bench
from trtbench.comparison import audited
from trtbench.records import run_folder
from trtbench.records.run import Run, Tried
from trtbench.records.trial import Trial
from trtbench.referee.audit.findings import FAIL

pytestmark = pytest.mark.usefixtures("toys")
TRYING = {
    "TRY_SETTINGS": "1",
    "QUIET": "wait",
    "LANES": "toy-torch,toy-choice,toy-one-way",
    "BATCH_SIZES": "1,2",
}


@pytest.fixture(scope="module")
def bench(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench whose first run has tried everything."""
    made = Bench(tiny_model, tmp_path_factory.mktemp("settings"))
    made.settings |= TRYING | {"TOY_SECONDS": "0.02", "HEADLINE": "toy-choice", "TOY_UNDISTURBED": "1"}
    done = made("--compare")
    assert done.returncode in (0, 3), done.stderr
    made.said = done  # type: ignore[attr-defined]
    return made


def run_of(bench: Bench, number: int) -> tuple[Run, list[Trial]]:
    name = run_folder.listed(bench.results)[number]
    return run_folder.read(bench.results, name), run_folder.trials(bench.results, name)


def lines(run: Run, lane: str, batch: int) -> list[Tried]:
    return [line for line in run.tried or () if (line.lane, line.batch) == (lane, batch)]


def taken(run: Run, lane: str, batch: int) -> list[str]:
    return [line.value for line in lines(run, lane, batch) if line.chosen]


def test_the_faster_value_is_taken_cell_by_cell(bench: Bench) -> None:
    run, trials = run_of(bench, 0)
    assert (taken(run, "toy-choice", 1), taken(run, "toy-choice", 2)) == (["fancy"], ["plain"])
    assert all(len(line.seconds) >= 3 for batch in (1, 2) for line in lines(run, "toy-choice", batch))
    for trial in trials:
        if trial.lane == "toy-choice":
            assert {record.cell.batch: record.setting for record in trial.cells} == {1: "fancy", 2: "plain"}
            means = {r.cell.batch: sum(r.e2e.times) / len(r.e2e.times) / 1e9 for r in trial.cells if r.e2e}
            assert max(means.values()) < 0.05, "three times as long in the other way"


def test_a_lane_without_a_choice_names_no_setting(bench: Bench) -> None:
    run, trials = run_of(bench, 0)
    assert not lines(run, "toy-torch", 1)
    assert all(r.setting is None for t in trials if t.lane == "toy-torch" for r in t.cells)


def test_a_value_that_does_not_run_here_is_told_and_the_lane_runs_on(bench: Bench) -> None:
    run, trials = run_of(bench, 0)
    fancy = [line for line in lines(run, "toy-one-way", 1) if line.value == "fancy"]
    assert [(line.failure, line.chosen) for line in fancy] == [("there is no fancy way on this machine", False)]
    assert {t.failure for t in trials} == {None}


def test_nothing_that_was_tried_is_a_trial_of_the_run_and_every_report_shows_it(bench: Bench) -> None:
    run, trials = run_of(bench, 0)
    assert all(t.index >= 1 and t.position >= 1 for t in trials)
    assert {t.lane for t in trials} == {"toy-torch", "toy-choice", "toy-one-way"}
    said = " ".join(bench.said.stdout.split())  # type: ignore[attr-defined]
    assert "SETTINGS TRIED BEFORE THE FIRST TRIAL" in said
    assert "fancy: could not run (there is no fancy way on this machine)" in said
    report = json.loads((bench.results / "benchmark_comparison_report.json").read_text())
    assert len(report["tried"]) == len(run.tried or ())
    page = (bench.results / "benchmark_comparison.html").read_text(encoding="utf-8")
    assert "Settings tried before the first trial" in page and "Réglages essayés avant le premier essai" in page


def test_the_audit_finds_nothing_to_say_about_it(bench: Bench) -> None:
    findings = audited.load(bench.results, run_of(bench, 0)[0].id).findings
    assert not [f.code for f in findings if f.level == FAIL and f.code.startswith("fairness")]


def test_the_next_run_of_the_same_kind_takes_what_was_found_and_another_kind_does_not(bench: Bench) -> None:
    before = run_of(bench, 0)[0].tried
    again = bench("--new-run", TRIALS="1")
    assert again.returncode == 0, again.stderr
    assert "trying" not in again.stderr
    run, _ = run_of(bench, -1)
    assert run.tried == before
    other = bench("--new-run", TRIALS="1", LANES="toy-choice", THREADS="2")
    assert "toy-choice float32: trying toy.way=plain and fancy" in other.stderr


def test_without_trying_the_makers_defaults_are_timed_and_said(bench: Bench) -> None:
    done = bench("--new-run", "--compare", TRIALS="1", TRY_SETTINGS="0", LANES="toy-torch,toy-choice")
    run, trials = run_of(bench, -1)
    assert {line.value for line in run.tried or () if line.chosen} == {"plain"}
    assert all(r.setting == "plain" for t in trials if t.lane == "toy-choice" for r in t.cells)
    assert "its makers' default: TRY_SETTINGS=0" in " ".join(done.stdout.split())


def test_a_run_that_is_taken_up_again_keeps_its_settings(bench: Bench) -> None:
    first = bench("--new-run", TRIALS="1", LANES="toy-choice")
    assert first.returncode == 0, first.stderr
    before = run_of(bench, -1)[0].tried
    for file in (bench.data / "cache" / "settings").iterdir():
        file.write_text("{}")  # what was kept can't be read any more
    more = bench("--resume", TRIALS="2", LANES="toy-choice")
    assert more.returncode == 0, more.stderr
    run, trials = run_of(bench, -1)
    assert run.tried == before and len(trials) == 2
    assert {r.setting for t in trials for r in t.cells if r.cell.batch == 1} == {"fancy"}


def test_a_default_that_cannot_be_prepared_here_gives_way_unless_it_is_all_that_was_asked_for(bench: Bench) -> None:
    done = bench("--new-run", TRIALS="1", HEADLINE="", LANES="toy-other-way")
    assert done.returncode == 0, done.stderr
    run, trials = run_of(bench, -1)
    assert taken(run, "toy-other-way", 1) == taken(run, "toy-other-way", 2) == ["fancy"]
    assert {r.setting for t in trials for r in t.cells} == {"fancy"} and not run.absent
    alone = bench("--new-run", TRIALS="1", HEADLINE="", LANES="toy-other-way", TRY_SETTINGS="0")
    assert alone.returncode != 0 and "the plain way does not compile on this machine" in alone.stderr


def test_nothing_is_tried_in_cells_that_the_choice_does_not_bear_on(bench: Bench) -> None:
    done = bench("--new-run", "--compare", TRIALS="1", HEADLINE="", LANES="toy-torch,toy-choice-alone")
    assert done.returncode in (0, 3), done.stderr
    run, trials = run_of(bench, -1)
    assert taken(run, "toy-choice-alone", 1) == ["fancy"] and taken(run, "toy-choice-alone", 2) == ["plain"]
    beyond = lines(run, "toy-choice-alone", 2)
    assert {line.failure for line in beyond} == {"it bears on 1 sequence at most"} and not any(
        line.seconds for line in beyond
    )
    own = [r for t in trials if t.lane == "toy-choice-alone" for r in t.cells]
    assert {r.cell.batch: r.setting for r in own} == {1: "fancy", 2: "plain"}
    findings = audited.load(bench.results, run.id).findings
    assert not [f.code for f in findings if f.level == FAIL and f.code.startswith("fairness")]
    alone = bench("--new-run", TRIALS="1", HEADLINE="", LANES="toy-choice-alone", BATCH_SIZES="2")
    assert alone.returncode == 0 and "trying" not in alone.stderr


def test_on_a_machine_that_is_not_left_alone_the_makers_defaults_stand_and_nothing_is_kept(
    tiny_model: Path, tmp_path: Path
) -> None:
    bench = Bench(tiny_model, tmp_path / "data")
    bench.settings |= {"TRY_SETTINGS": "1", "LANES": "toy-choice,toy-one-way", "TRIALS": "1", "TOY_DISTURBED": "1"}
    done = bench("--compare")
    assert done.returncode in (0, 3), done.stderr
    run, trials = run_of(bench, 0)
    assert {line.failure for line in run.tried or ()} == {"others on this machine disturbed what was tried"}
    assert all(not line.seconds and line.chosen == (line.value == "plain") for line in run.tried or ())
    assert all(r.setting == "plain" for t in trials for r in t.cells)
    assert not (bench.data / "cache" / "settings").exists()
    assert done.stderr.count("engines run with their makers' defaults") == 1
