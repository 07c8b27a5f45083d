"""Figures of a lane in a cell: they agree with each other and with the raw times."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

import factory
from trtbench.figures.speedup import interval
from trtbench.figures.summary import Figures, Hole, figures, outliers, shape
from trtbench.records.trial import Cold, Memory, Trial
from trtbench.settings.cells import Cell

WHERE = shape(factory.CELL)


def of(trials: list[Trial], where: tuple[int, int, int] = WHERE) -> Figures:
    found = figures(trials, where)
    assert isinstance(found, Figures)
    return found


times = st.lists(st.integers(10**5, 10**11).map(lambda ns: ns / factory.MS), min_size=1, max_size=6)


@given(each=st.lists(times, min_size=1, max_size=6), batch=st.integers(1, 64), new=st.integers(2, 300))
def test_throughput_times_latency_is_the_number_of_tokens(each: list[list[float]], batch: int, new: int) -> None:
    cell = Cell(batch=batch, prompt_length=32, new_tokens=new, precision="float32")
    record = [
        factory.trial(cell=cell, cells=[factory.cell_record(cell, ms, ms, e2e=p, ttft=p)]) for ms, p in passes(each)
    ]
    found = of(record, shape(cell))
    assert found.throughput * found.latency / 1e3 == pytest.approx(batch * new, rel=1e-12)


def passes(each: list[list[float]]) -> list[tuple[list[float], object]]:
    return [(ms, factory.timed_pass(ms, [[[1]]])) for ms in each]


@given(
    lane=st.lists(st.floats(min_value=1.0, max_value=1e4), min_size=3, max_size=6),
    base=st.lists(st.floats(min_value=1.0, max_value=1e4), min_size=3, max_size=6),
)
def test_the_speed_up_is_the_ratio_of_the_latencies_shown(lane: list[float], base: list[float]) -> None:
    made = factory.trials({"pytorch-eager": base, "onnxruntime": lane})
    a, b = (of([t for t in made if t.lane == name]) for name in ("pytorch-eager", "onnxruntime"))
    assert interval(b.latency_trials, a.latency_trials).ratio == pytest.approx(a.latency / b.latency, rel=1e-12)


def test_headline_figures_are_of_trial_means_and_not_of_pooled_iterations() -> None:
    """A trial of many iterations weighs as much as a trial of few."""
    found = of([factory.trial(e2e_ms=[100.0]), factory.trial(e2e_ms=[400.0] * 9, index=2)])
    assert found.latency == pytest.approx(200.0)  # geometric mean of 100 and 400
    assert found.latency_trials == [100.0, 400.0]
    assert (found.trials, found.iterations) == (2, 10)
    assert (found.minimum, found.median, found.maximum) == (100.0, 400.0, 400.0)


def test_tpot_is_what_the_other_tokens_take() -> None:
    found = of([factory.trial(e2e_ms=[100.0, 100.0], ttft_ms=[30.0, 30.0])])
    assert found.tpot == pytest.approx((100.0 - 30.0) / (factory.CELL.new_tokens - 1))


def test_outliers_are_counted_and_never_dropped() -> None:
    steady = [100.0, 101.0, 99.0, 100.5, 99.5]
    found = of([factory.trial(e2e_ms=[*steady, 500.0])])
    assert found.outliers == 1
    assert found.iterations == 6
    assert found.maximum == 500.0
    assert found.latency == pytest.approx(statistics.fmean([*steady, 500.0]))
    assert outliers([steady]) == 0
    assert outliers([[100.0] * 5]) == 0


def test_a_slow_trial_is_not_an_outlier_in_all_of_its_calls() -> None:
    """The report and the audit count by the same definition: against the median of the own trial."""
    steady = [100.0, 101.0, 99.0, 100.5, 99.5]
    assert outliers([steady, steady, [2 * ms for ms in steady]]) == 0
    assert outliers([steady, [2 * ms for ms in steady] + [500.0]]) == 1


def test_one_off_costs_stand_apart() -> None:
    cold = [
        Cold(imports=factory.MS, load=ms * factory.MS, prepare=9 * factory.MS, prepare_cached=True) for ms in (5, 7, 90)
    ]
    with_cold = of([factory.trial(index=i, cold=c) for i, c in enumerate(cold)])
    assert (with_cold.load_ms, with_cold.import_ms, with_cold.prepare_ms, with_cold.prepare_cached) == (
        7.0,
        1.0,
        9.0,
        True,
    )
    assert with_cold.first_call_ms == 150.0
    without = of([factory.trial(index=i, cold=Cold()) for i in range(3)])
    assert with_cold.latency == without.latency
    assert (without.load_ms, without.prepare_ms, without.prepare_cached) == (None, None, None)


def test_memory_is_the_most_of_any_trial_and_absent_where_unknown() -> None:
    memories = [Memory(peak_rss=5), Memory(peak_rss=9), Memory()]
    found = of([factory.trial(cells=[factory.cell_record(memory=m)], index=i) for i, m in enumerate(memories)])
    assert (found.peak_rss, found.gpu_memory, found.kv_pool) == (9, None, None)


def test_a_cell_without_figures_is_a_hole_with_its_reason() -> None:
    hole = factory.cell_record(e2e=None, ttft=None, hole="out of memory with batch 1")
    assert figures([factory.trial(cells=[hole])], WHERE) == Hole(
        lane="pytorch-eager", precision="float32", reason="out of memory with batch 1"
    )
    other = figures([factory.trial()], (64, 32, 8))
    assert isinstance(other, Hole)
    assert other.reason == "was not measured"


def test_marks_of_any_trial_are_kept() -> None:
    assert of([factory.trial(), factory.trial(index=2, interleaved=False)]).interleaved is False
    assert of([factory.trial(cells=[factory.cell_record(settled=False)]), factory.trial(index=2)]).settled is False
    simulated = factory.trial(statement=factory.statement(simulated=True), index=2)
    assert of([factory.trial(), simulated]).simulated is True


@pytest.mark.parametrize(
    ("peak", "baseline", "shown"), [(None, 5, None), (30, 10, 20), (30, None, 30), (10, 10, None), (5, 10, None)]
)
def test_gpu_memory_is_what_is_above_the_baseline_or_not_known(
    peak: int | None, baseline: int | None, shown: int | None
) -> None:
    record = factory.cell_record(memory=Memory(gpu_peak=peak, gpu_baseline=baseline))
    found = figures([factory.trial(cells=[record])], shape(factory.CELL))
    assert isinstance(found, Figures)
    assert found.gpu_memory == shown
