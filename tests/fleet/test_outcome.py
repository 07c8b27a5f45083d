"""What is kept of a run: all that the table across machines needs, from comparisons of real records, and nothing unsafe."""

from __future__ import annotations

import msgspec
import pytest

import factory
import reports
from trtbench.comparison.comparing import compare
from trtbench.fleet.outcome import Outcome, of
from trtbench.records.trial import Energy
from trtbench.referee.audit.findings import found


def test_figures_and_the_headline_are_those_of_the_comparison() -> None:
    comparison = reports.honest()
    kept = of(comparison)
    (row,) = comparison.cells
    assert [(m.lane, m.latency, m.throughput) for m in kept.measured] == [
        (f.lane, f.latency, f.throughput) for f in row.figures
    ]
    (own,) = kept.own
    against = next(a for a in row.against if a.headline)
    assert (own.lane, own.base, own.word) == ("onnxruntime", "pytorch-eager", "faster")
    assert (own.ratio, own.low, own.high) == (against.speedup.ratio, against.speedup.low, against.speedup.high)
    assert (kept.word, kept.model, kept.fails) == ("faster", "example/model", 0)
    assert (kept.model_digest, kept.workload_digest) == (comparison.model.digest, comparison.workload_digest)
    assert (kept.program, kept.machine) == (comparison.environment.program, comparison.environment.machine)


def test_it_is_small_and_reads_back_as_it_was() -> None:
    kept = of(reports.audited())
    data = msgspec.json.encode(kept)
    assert len(data) < 4096
    assert msgspec.json.decode(data, type=Outcome) == kept


def test_cards_are_named_as_reports_name_them() -> None:
    environment = factory.environment(gpus=["NVIDIA H200", "NVIDIA H200"])
    kept = of(compare(factory.run(), factory.trials(reports.TRIALS, environment=environment)))
    assert (kept.place, kept.cards, kept.cpu) == ("2 × NVIDIA H200", 2, "Example CPU @ 2.00GHz")


def test_a_finding_refuses_the_figures_that_it_touches_and_no_others() -> None:
    kept = of(reports.refused())
    assert {m.lane: m.refused for m in kept.measured} == {
        "pytorch-eager": "",
        "openvino": "",
        "onnxruntime": "provenance.changed",
    }
    assert (kept.word, kept.fails) == ("void", 1)


def test_a_finding_of_another_cell_or_a_warning_refuses_nothing() -> None:
    elsewhere = found("count.new_ids", ("onnxruntime", "float32"), cell=(64, 1, 1))
    warning = found("base.absent", ("onnxruntime", "float32"))
    kept = of(compare(factory.run(), factory.trials(reports.TRIALS), [elsewhere, warning]))
    assert {m.refused for m in kept.measured} == {""}
    assert (kept.fails, kept.warns) == (1, 1)


def test_a_stand_in_is_called_simulated() -> None:
    kept = of(reports.simulated())
    assert {m.lane for m in kept.measured if m.simulated} == {"onnxruntime"}
    assert (kept.simulated, kept.word) == (True, "simulated")


@pytest.mark.parametrize("name", ["demo", "tinyllama"])
def test_a_made_up_size_and_random_weights_are_two_things(name: str) -> None:
    made = factory.trials(reports.TRIALS, model=factory.model(name=name, synthetic=True))
    kept = of(compare(factory.run(demonstration=True), made))
    assert (kept.demonstration, kept.synthetic) == (name == "demo", True)


def test_only_settings_that_bear_on_a_figure_and_differ_are_kept() -> None:
    asked = factory.settings(num_iterations=7, lanes=("vllm",), report_lang="fr", results_dir="/somewhere")
    kept = of(compare(factory.run(settings=asked), factory.trials(reports.TRIALS)))
    assert kept.settings["NUM_ITERATIONS"] == "7"
    assert not {"LANES", "REPORT_LANG", "RESULTS_DIR", "DATA_DIR", "MODEL_NAME"} & set(kept.settings)
    assert "SEED" not in kept.settings


def test_energy_is_kept_per_token_and_a_disturbed_trial_that_counts_is_told() -> None:
    trials = factory.trials(reports.TRIALS)
    for trial in trials:
        trial.cells[0].energy = Energy(tokens=100, began=0, ended=10**9, watts=50.0, idle_watts=None)
    comparison = compare(factory.run(), trials)
    assert {m.energy for m in of(comparison).measured} == {0.5}
    assert not any(m.disturbed for m in of(comparison).measured)


def test_texts_of_a_record_are_made_safe_and_cut() -> None:
    kept = of(reports.hostile())
    data = msgspec.json.encode(kept).decode()
    for sign in ("\\u001b", "\x1b", "\u202e", "\\n"):
        assert sign not in data
    assert len(kept.model) < 120 and len(data) < 16_000


@pytest.mark.parametrize("kind", ["honest", "refused", "simulated", "few", "beside", "hostile"])
def test_every_kind_of_comparison_can_be_kept(kind: str) -> None:
    kept = of(getattr(reports, kind)())
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Outcome) == kept
