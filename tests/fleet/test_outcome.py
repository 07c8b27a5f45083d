"""What is kept of a run: all that the table across machines needs, from comparisons of real records, and nothing unsafe."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factory
import fleets
import reports
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.errors import UserError
from trtbench.fleet import files, text
from trtbench.fleet.merging import merge
from trtbench.fleet.outcome import Outcome, of
from trtbench.fleet.ran import Ran
from trtbench.fleet.wanted import Kind, Wanted
from trtbench.records.trial import Energy
from trtbench.referee.audit.findings import found
from trtbench.settings.cells import MOST, Cell


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


def with_watts(watts: float) -> Comparison:
    """Three lanes with energy of a second and a token."""
    trials = factory.trials(reports.TRIALS)
    for trial in trials:
        trial.cells[0].energy = Energy(tokens=1, began=0, ended=10**9, watts=watts, idle_watts=None)
    return compare(factory.run(), trials)


@pytest.mark.parametrize(
    ("watts", "kept"), [(0.0, None), (5e-324, None), (1e-311, None), (0.9e-6, None), (1e-6, 1e-6), (1e18, None)]
)
def test_an_energy_that_cannot_be_is_none(watts: float, kept: float | None) -> None:
    assert {m.energy for m in of(with_watts(watts)).measured} == {kept}


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-311, 1e300, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["latency", "throughput"])
def test_a_time_or_rate_that_no_records_give_refuses_the_run(name: str, value: float) -> None:
    comparison = reports.honest()
    setattr(comparison.cells[0].figures[0], name, value)
    with pytest.raises(UserError, match=rf"the {name} of .* is .*, which no records can give"):
        of(comparison)


def test_an_interval_or_share_that_no_number_holds_is_none() -> None:
    comparison = reports.honest()
    (row,) = comparison.cells
    row.figures[0].near = float("nan")
    row.against = [
        msgspec.structs.replace(a, speedup=msgspec.structs.replace(a.speedup, low=0.0, high=float("inf")))
        for a in row.against
    ]
    kept = of(comparison)
    assert [(own.low, own.high) for own in kept.own] == [(None, None)]
    assert kept.measured[0].near is None


NANOSECONDS = st.one_of(st.sampled_from([1, 2, 10**8, MOST]), st.integers(1, MOST))
WATTS = st.one_of(st.sampled_from([0.0, 5e-324, 1e-311, 1e-6, 300.0, 1e18]), st.floats(0, 1e18))
PRICES = st.one_of(st.sampled_from([1e-6, 2.0, 999_999_999.0]), st.floats(1e-6, 999_999_999.0))


@st.composite
def compared(draw: st.DrawFn) -> Comparison:
    """Records with whatever times, powers and shapes a reader lets through."""
    cell = draw(st.sampled_from([(1, 1), (1, 131_072), (4096, 1)]))
    made = factory.trials({lane: reports.TRIALS[lane][:3] for lane in ("pytorch-eager", "onnxruntime")})
    for trial in made:
        (record,) = trial.cells
        record.cell = Cell(batch=cell[0], prompt_length=1, new_tokens=cell[1], precision="float32")
        assert record.e2e is not None and record.ttft is not None
        record.e2e.times, record.ttft.times = draw(NANOSECONDS.map(lambda ns: [ns] * 2)), [1, 1]
        record.energy = Energy(
            began=draw(NANOSECONDS), ended=draw(NANOSECONDS), tokens=draw(NANOSECONDS), watts=draw(WATTS)
        )
    return compare(factory.run(), made)


@given(st.lists(compared(), min_size=1, max_size=4), st.lists(PRICES, min_size=2, max_size=2))
@settings(max_examples=60, deadline=None)
def test_whatever_is_kept_can_be_put_together_and_written(given_back: list[Comparison], prices: list[float]) -> None:
    """And read back by who resumes: nothing is a number that JSON has no word for."""
    kinds = {name: Kind(cards=1, price=price) for name, price in zip(("h200", "h100"), prices)}
    runs = []
    for i, comparison in enumerate(given_back):
        kept = of(comparison)
        assert msgspec.json.decode(msgspec.json.encode(kept), type=Outcome) == kept
        for kind in kinds:
            for machine in range(3):
                wanted = Wanted(kind=kind, model="tinyllama", precision="float32", repeat=10 * i + machine, settings={})
                name = fleets.digest(f"{kind} {machine} {i}")
                runs.append(Ran(wanted=wanted, status="back", machine=name, card=name, attempts=1, outcome=kept))
    fleet = merge(msgspec.structs.replace(fleets.plan(), kinds=kinds), runs)
    assert fleet.tables and text.render(fleet, "fr")
    with tempfile.TemporaryDirectory() as folder:
        assert len(files.write(Path(folder), fleet, "en")) == 4


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
