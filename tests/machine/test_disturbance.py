"""Who disturbed a trial: decided from what others did, whatever the times of the trial are."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factory
from trtbench.machine.disturbance import CPU_FLOOR, disturbances, early_clocks, said
from trtbench.measure import rules
from trtbench.records.telemetry import CpuUse, Disturbance, Gpu
from trtbench.records.trial import Trial
from trtbench.settings.knobs import Settings

RULES = rules.sealed(Settings(), "cpu")
LIMIT = RULES.foreign_cpu


def kinds(trial: Trial, clock: int | None = None) -> list[str]:
    return [one.kind for one in disturbances(trial, RULES, {"GPU-1": clock} if clock else {})]


def on_cpu(whole: CpuUse, *cells: CpuUse) -> Trial:
    return factory.trial(
        telemetry=factory.telemetry(cpu=whole), cells=[factory.cell_record(cpu=use) for use in cells or (whole,)]
    )


def use(share: float, seconds: float = 60.0, stolen: float = 0.0) -> CpuUse:
    """`share` of four cores taken by others, and `stolen`."""
    return CpuUse(seconds=seconds, cores=4, others=share * 4 * seconds, stolen=stolen * 4 * seconds)


def on_gpu(**seen: object) -> Trial:
    fields = dict(foreign_compute=0, idle_utilisation=0.0, early_clock=1980, early_reasons=["gpu_idle"]) | seen
    gpu = Gpu(uuid="GPU-1", name="NVIDIA H100", samples=9, **fields)  # type: ignore[arg-type]
    return factory.trial(telemetry=factory.telemetry(gpus=[gpu]))


# The CPU


@pytest.mark.parametrize(
    ("trial", "expected"),
    [
        (on_cpu(use(0.0)), []),
        (on_cpu(use(0.9 * LIMIT)), []),
        (on_cpu(use(1.1 * LIMIT)), ["cpu"]),
        (on_cpu(use(0.6 * LIMIT, stolen=0.6 * LIMIT)), ["cpu"]),
        (on_cpu(use(0.1 * LIMIT), use(0.0), use(5 * LIMIT, seconds=10)), ["cell_cpu"]),
        (on_cpu(use(2 * LIMIT), use(9 * LIMIT)), ["cpu"]),
        # Steps of the kernel's counters, in a cell of a moment.
        (on_cpu(use(0.0), CpuUse(seconds=0.2, cores=4, others=CPU_FLOOR * 0.9, stolen=0.0)), []),
    ],
)
def test_others_on_the_cpu(trial: Trial, expected: list[str]) -> None:
    assert kinds(trial) == expected


def test_the_share_and_the_limit_stand_in_the_reason() -> None:
    (one,) = disturbances(on_cpu(use(0.25)), RULES, {})
    assert (one.value, one.limit) == (pytest.approx(0.25), LIMIT)


def test_without_telemetry_nobody_is_accused() -> None:
    assert kinds(factory.trial(telemetry=None)) == []


# The GPU


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, []),
        ({"foreign_compute": 1}, ["gpu_process"]),
        ({"foreign_compute": None, "idle_utilisation": None, "early_clock": None, "early_reasons": None}, []),
        ({"idle_utilisation": 40.0}, ["gpu_used"]),
        ({"idle_utilisation": 4.0}, []),  # a desktop is drawn
        ({"early_reasons": ["gpu_idle", "sw_power_cap"]}, []),
        ({"early_reasons": ["hw_thermal_slowdown"]}, ["gpu_throttled"]),
        ({"early_clock": 1200}, ["gpu_clock"]),
        ({"early_clock": 1900}, []),
    ],
)
def test_others_on_the_gpu(seen: dict[str, object], expected: list[str]) -> None:
    assert kinds(on_gpu(**seen), clock=1980) == expected


def test_a_clock_that_was_always_low_is_the_cards_own() -> None:
    """Locked clocks, or a card that never goes higher: nobody did that to this trial."""
    trials = [on_gpu(early_clock=1200), on_gpu(early_clock=1195)]
    assert early_clocks(trials) == {"GPU-1": 1200}
    assert disturbances(trials[1], RULES, early_clocks(trials)) == []


def test_each_of_several_cards_is_held_to_its_own_clock() -> None:
    def on_both(first: int, second: int, **seen: object) -> Trial:
        trial, other = on_gpu(early_clock=first), on_gpu(early_clock=second, **seen)
        assert trial.telemetry and trial.telemetry.gpus and other.telemetry and other.telemetry.gpus
        (card,) = other.telemetry.gpus
        card.uuid = "GPU-2"
        trial.telemetry.gpus.append(card)
        return trial

    trials = [on_both(1980, 1500), on_both(1970, 1490), on_both(1960, 1100)]
    clocks = early_clocks(trials)
    assert clocks == {"GPU-1": 1980, "GPU-2": 1500}
    assert [disturbances(trial, RULES, clocks) for trial in trials[:2]] == [[], []]
    (one,) = disturbances(trials[2], RULES, clocks)
    assert (one.kind, one.value, one.limit) == ("gpu_clock", 1100, 1350)


def test_of_two_cards_that_were_disturbed_the_worse_is_told_once() -> None:
    trial = on_gpu(foreign_compute=1, early_clock=1500)
    assert trial.telemetry and trial.telemetry.gpus
    (card,) = trial.telemetry.gpus
    trial.telemetry.gpus.append(msgspec.structs.replace(card, uuid="GPU-2", foreign_compute=2, early_clock=1200))
    told = disturbances(trial, RULES, {"GPU-1": 1980, "GPU-2": 1980})
    assert [(one.kind, one.value) for one in told] == [("gpu_process", 2), ("gpu_clock", 1200)]


def test_what_the_lanes_own_load_does_is_no_disturbance() -> None:
    """Throttling and clocks while the calls are timed, power capping, memory, swap: findings, and no reason to repeat."""
    trial = on_gpu(
        throttle_reasons=["hw_thermal_slowdown", "sw_power_cap"],
        sm_clock=[900] * 20,
        temperature=[95] * 20,
        power=[700.0] * 20,
        foreign_processes=0,
    )
    assert trial.telemetry is not None
    trial.telemetry.swap_used_after = 2**34
    trial.telemetry.load_average = 64.0
    assert kinds(trial, clock=1980) == []


# Nobody looked at the times


@given(st.data(), st.sampled_from([0.0, 0.9 * LIMIT, 1.1 * LIMIT, 0.25]), st.integers(0, 1))
def test_other_times_give_the_same_decision(data: st.DataObject, share: float, foreign: int) -> None:
    """Whatever the trial's times are: calls, warm-up, first call, cold costs, seconds, ids."""
    trial = on_gpu(foreign_compute=foreign)
    assert trial.telemetry is not None
    trial.telemetry.cpu = use(share)
    decision = disturbances(trial, RULES, {"GPU-1": 1980})
    other = msgspec.convert(msgspec.to_builtins(trial), Trial)
    nanoseconds = st.integers(1, 10**12)
    other.seconds = data.draw(st.floats(0, 1e6))
    other.cold.load = other.cold.imports = data.draw(nanoseconds)
    for record in other.cells:
        record.first_call, record.settled = data.draw(nanoseconds), data.draw(st.booleans())
        record.warmup = data.draw(st.lists(nanoseconds, max_size=5))
        for part in (record.e2e, record.ttft):
            assert part is not None
            part.times = [data.draw(nanoseconds) for _ in part.times]
            part.foreign_cpu = [data.draw(st.floats(0, 100)) for _ in part.times]
            part.began, part.ended = data.draw(nanoseconds), data.draw(nanoseconds)
    assert disturbances(other, RULES, {"GPU-1": 1980}) == decision


@pytest.mark.parametrize("kind", ["cpu", "cell_cpu", "gpu_process", "gpu_used", "gpu_throttled", "gpu_clock"])
def test_every_kind_has_words(kind: str) -> None:
    assert said(Disturbance(kind=kind, value=2, limit=1))
