"""Telemetry against recorded answers: what goes into a record, what is absent, what happens when NVML fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import factory
from tape import answers, play, two_cards
from trtbench.errors import UserError
from trtbench.figures.summary import Figures, figures, shape
from trtbench.machine import device, host, nvml, telemetry
from trtbench.machine.telemetry import Watch
from trtbench.records.telemetry import Gpu, Telemetry
from trtbench.records.trial import CellRecord, Energy, Trial
from trtbench.referee.audit import machine
from trtbench.referee.audit.context import Context
from trtbench.referee.audit.findings import Finding

EVERY = 0.01  # seconds between two looks in these tests
GONE = 4194303  # an id that no process here has: one of another process table
UUIDS = ("GPU-aaaa1111", "GPU-bbbb2222", "GPU-cccc3333")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "GONE", 0.0)
    monkeypatch.setattr(telemetry, "FORGETS", 0.0)


def watched(
    windows: int = 1,
    before: float = 0.1,
    during: float = 0.25,
    root: int | None = None,
    looks: int = 0,
    cards: int = 1,
) -> tuple[Watch, Trial]:
    """Watch `windows` pairs of passes as a trial makes them, the first after `before` seconds of idling.

    A loaded machine looks less often in the same time: the trial ends after so many `looks` at the soonest.
    """
    watch = Watch(EVERY, cards)
    watch.start()
    watch.follow(root or os.getpid())
    watch.phase("import")
    time.sleep(before)
    watch.phase("load")
    trial = factory.trial(
        cells=[factory.cell_record() for _ in range(windows)], statement=factory.statement(device="cuda")
    )
    for record in trial.cells:
        for part in (record.e2e, record.ttft):
            assert part is not None
            part.began = time.perf_counter_ns()
            time.sleep(during / 2)
            part.ended = time.perf_counter_ns()
        record.energy = energy_of(record)
    deadline = time.monotonic() + 10
    while watch.looks < looks and time.monotonic() < deadline:
        time.sleep(EVERY)
    watch.stop()
    assert trial.telemetry is not None
    watch.fill(trial, trial.telemetry)
    return watch, trial


def energy_of(record: CellRecord) -> Energy:
    assert record.e2e is not None and record.e2e.began is not None
    assert record.ttft is not None and record.ttft.ended is not None
    return Energy(began=record.e2e.began, ended=record.ttft.ended, tokens=100)


def told(trial: Trial) -> Telemetry:
    assert trial.telemetry is not None
    return trial.telemetry


def gpu(trial: Trial) -> Gpu:
    (found,) = told(trial).gpus or []
    return found


def audit_of(trial: Trial) -> list[Finding]:
    """What the audit says of the machine."""
    return machine.check(Context.of(factory.run(("pytorch-eager",)), [trial]))


def unwatched(trial: Trial) -> str:
    """What the audit says was not watched."""
    return ", ".join(str(f.figures["what"]) for f in audit_of(trial) if f.code == "machine.unwatched")


# What goes into a record


def test_a_trial_on_an_h200_has_all_its_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = {"pid": GONE, "usedGpuMemory": 817889280}
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=[*[[]] * 4, *[[ours]] * 20, []]))
    _, trial = watched(looks=30)
    found = gpu(trial)
    assert (found.name, found.memory_bus_width, found.memory_clock_max, found.power_cap) == (
        "NVIDIA H200",
        6016,
        3201,
        700,
    )
    assert found.memory_baseline == 644939776
    assert found.memory_peak == 1472069632
    assert found.samples >= 5
    assert set(found.sm_clock or []) == {1980} and set(found.temperature or []) == {38}
    assert found.power is not None and all(120 < watts < 130 for watts in found.power)
    assert found.throttle_reasons is not None
    assert found.energy is not None and found.energy > 0
    assert told(trial).problems == []
    memory = trial.cells[0].memory
    assert memory is not None
    assert (memory.gpu_peak, memory.gpu_baseline, memory.gpu_processes) == (1472069632, 644939776, 817889280)
    made = figures([trial], shape(trial.cells[0].cell))
    assert isinstance(made, Figures)
    assert made.gpu_memory == 1472069632 - 644939776


def test_samples_are_those_of_the_timed_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The clock rises by one at every look: which looks were kept can be read off it.
    play(monkeypatch, tmp_path, answers(**{"nvmlDeviceGetClockInfo@0@1": list(range(1000, 3000))}))
    watch, trial = watched(before=0.3)
    kept = gpu(trial).sm_clock or []
    assert kept == list(range(kept[0], kept[0] + len(kept)))
    assert kept[0] - 1000 >= 10, "the looks before the first pass are left out"
    assert len(kept) == gpu(trial).samples < watch.looks


def test_idle_power_is_from_before_the_trial_touches_the_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, answers(PowerUsage=[200000] + [80000] * 4 + [300000], ComputeRunningProcesses=[[]]))
    watch = Watch(0.05)
    watch.start()
    watch.phase("import")
    time.sleep(0.2)
    watch.phase("prepare")
    time.sleep(0.3)
    watch.stop()
    trial = factory.trial()
    watch.fill(trial, told(trial))
    assert gpu(trial).idle_power == 80


def test_a_card_in_use_has_no_idle_power(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=[[{"pid": 4194303, "usedGpuMemory": 1}]]))
    assert gpu(watched()[1]).idle_power is None


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("PowerUsage", "power"),
        ("TotalEnergyConsumption", "energy"),
        ("UtilizationRates", "utilisation"),
        ("CurrentClocksEventReasons", "throttle_reasons"),
        ("ComputeRunningProcesses", "foreign_processes"),
        ("EnforcedPowerLimit", "power_cap"),
        ("PowerManagementDefaultLimit", "power_cap_default"),
        ("MemoryBusWidth", "memory_bus_width"),
        ("MemoryInfo", "memory_peak"),
        ("nvmlDeviceGetTemperature@0@0", "temperature"),
        ("nvmlDeviceGetClockInfo@0@1", "sm_clock"),
    ],
)
@pytest.mark.parametrize("how", [None, [{"error": 3}], [{"error": 999}]])
def test_what_a_card_does_not_tell_is_absent_never_zero(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, question: str, field: str, how: Any
) -> None:
    play(monkeypatch, tmp_path, answers(**{question: how}))
    _, trial = watched(before=0.02, during=0.08)
    assert getattr(gpu(trial), field) is None
    assert told(trial).problems == []
    assert gpu(trial).name == "NVIDIA H200"


def test_older_names_of_questions_are_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed = answers(CurrentClocksEventReasons=None, CurrentClocksThrottleReasons=[0x24], EnforcedPowerLimit=None)
    changed["nvmlDeviceGetPowerManagementLimit@0"] = [350000]
    play(monkeypatch, tmp_path, changed)
    found = gpu(watched()[1])
    assert found.throttle_reasons == ["sw_power_cap", "sw_thermal_slowdown"]
    assert found.power_cap == 350


def test_a_cap_that_was_lowered_stands_beside_its_makers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, answers(EnforcedPowerLimit=[350000], PowerManagementDefaultLimit=[700000]))
    found = gpu(watched(before=0.02, during=0.08)[1])
    assert (found.power_cap, found.power_cap_default) == (350, 700)


def test_reasons_have_names() -> None:
    assert nvml.names(0) == []
    assert nvml.names(0x1 | 0x8 | 0x40 | 0x80) == [
        "gpu_idle",
        "hw_slowdown",
        "hw_thermal_slowdown",
        "hw_power_brake_slowdown",
    ]
    assert nvml.names(0x1000) == ["reason_0x1000"]


def test_a_long_trial_keeps_evenly_spaced_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(telemetry, "KEPT", 10)
    play(monkeypatch, tmp_path, answers(**{"nvmlDeviceGetClockInfo@0@1": list(range(1000, 3000))}))
    kept = gpu(watched(during=0.6)[1]).sm_clock or []
    steps = {b - a for a, b in zip(kept, kept[1:])}
    assert 5 <= len(kept) <= 10 and len(steps) == 1 and steps.pop() > 1


# Before the first call: what somebody did to the card before the lane could have done it


def test_what_is_from_before_is_apart_from_what_the_lane_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Idle looks first (import), then those of loading, then the first call."""
    clocks = [300] * 4 + [1500] * 4 + [1980] * 400
    tape = answers(
        **{"nvmlDeviceGetClockInfo@0@1": clocks},
        CurrentClocksEventReasons=[0x1] * 4 + [0x40] * 400,
        UtilizationRates=[{"gpu": 3, "memory": 0}] * 4 + [{"gpu": 99, "memory": 50}] * 400,
        ComputeRunningProcesses=[[]],
    )
    play(monkeypatch, tmp_path, tape)
    watch = Watch(0.05)
    watch.start()
    watch.phase("import")
    while watch.looks < 4:
        time.sleep(0.002)
    watch.phase("load")
    while watch.looks < 8:
        time.sleep(0.002)
    watch.phase("warm-up")
    time.sleep(0.2)
    watch.stop()
    trial = factory.trial()
    watch.fill(trial, told(trial))
    found = gpu(trial)
    assert found.early_reasons == ["gpu_idle"], "heat under the lane's own load is the lane's own"
    assert found.idle_utilisation == 3
    assert found.early_clock == 1500, "neither the idle clock nor that of the first call"
    assert found.foreign_compute == 0


def test_a_clock_that_was_hardly_looked_at_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=[[]]))
    watch = Watch(0.05)
    watch.start()
    watch.phase("import")
    time.sleep(0.3)
    watch.phase("load")
    watch.phase("warm-up")
    watch.stop()
    trial = factory.trial()
    watch.fill(trial, told(trial))
    assert gpu(trial).early_clock is None


def test_a_program_that_also_draws_does_not_compute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A browser on a desktop: how busy it keeps the card shows in the utilisation."""
    both = on_card([1, 7])
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=both, GraphicsRunningProcesses=on_card([7])))
    found = gpu(watched(root=2**22 + 5)[1])
    assert (found.foreign_processes, found.foreign_compute) == (2, 1)


# Energy


def test_joules_per_token_come_from_the_counter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The counter moves with the real time: 300 W, whatever the looks fall on."""
    play(monkeypatch, tmp_path, answers(PowerUsage=[80000], ComputeRunningProcesses=[[]]))
    import pynvml

    began = time.perf_counter_ns()
    counter = lambda *_: (time.perf_counter_ns() - began) // 1_000_000 * 300  # noqa: E731 - mJ
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", counter, raising=False)
    _, trial = watched(during=0.5)
    energy = trial.cells[0].energy
    assert energy is not None and energy.watts is not None
    assert energy.watts == pytest.approx(300, rel=0.02)
    assert energy.idle_watts == 80
    seconds = (energy.ended - energy.began) / 1e9
    made = figures([trial], shape(trial.cells[0].cell))
    assert isinstance(made, Figures)
    assert made.energy == pytest.approx(energy.watts * seconds / 100)
    assert made.idle_energy == pytest.approx(80 * seconds / 100)


def test_memory_power_and_energy_are_of_all_cards_in_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """300 W on one and 200 W on the other, idle at 80 and 60 W; 3 GB taken on one and 2 GB on the other."""

    def taken(gigabytes: int) -> list[dict[str, int]]:
        """Asked once for the facts and once before the trial."""
        total = 8 * 10**9
        return [{"total": total, "used": 0}] * 2 + [{"total": total, "used": gigabytes * 10**9}]

    first = answers(PowerUsage=[80000], ComputeRunningProcesses=[[]], MemoryInfo=taken(3))
    play(monkeypatch, tmp_path, two_cards(first, PowerUsage=[60000], MemoryInfo=taken(2)), CUDA_VISIBLE_DEVICES="0,1")
    import pynvml

    began = time.perf_counter_ns()
    counter = lambda card: (time.perf_counter_ns() - began) // 1_000_000 * (300, 200)[card]  # noqa: E731 - mJ
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", counter, raising=False)
    watch, trial = watched(during=0.5, cards=2)
    assert watch.counts_energy
    gpus = told(trial).gpus or []
    assert [found.uuid for found in gpus] == [gpus[0].uuid, "GPU-second"]
    assert [found.memory_peak for found in gpus] == [3 * 10**9, 2 * 10**9]
    energy, memory = trial.cells[0].energy, trial.cells[0].memory
    assert energy is not None and energy.watts == pytest.approx(500, rel=0.02) and energy.idle_watts == 140
    assert memory is not None and (memory.gpu_peak, memory.gpu_baseline) == (5 * 10**9, 0)


def test_a_counter_on_one_of_two_cards_counts_no_energy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, two_cards(answers(), TotalEnergyConsumption=[{"error": 3}]))
    watch, trial = watched(cards=2)
    energy = trial.cells[0].energy
    assert not watch.counts_energy and energy is not None and energy.watts is None


@pytest.mark.parametrize("counter", [None, [5_000_000]])
def test_without_a_counter_that_moves_there_are_no_joules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, counter: Any
) -> None:
    play(monkeypatch, tmp_path, answers(TotalEnergyConsumption=counter))
    watch, trial = watched()
    assert watch.counts_energy is (counter is not None)
    assert trial.cells[0].energy is not None and trial.cells[0].energy.watts is None
    made = figures([trial], shape(trial.cells[0].cell))
    assert isinstance(made, Figures) and made.energy is None and made.idle_energy is None


# Other processes


@pytest.fixture
def child() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    yield process.pid
    process.kill()
    process.wait()


def on_card(*looks: list[int]) -> list[list[dict[str, int]]]:
    """One answer a look; the last one stays."""
    return [[{"pid": pid, "usedGpuMemory": 2**20} for pid in pids] for pids in looks]


def test_our_own_process_is_not_foreign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, child: int) -> None:
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=on_card([], [child])))
    assert gpu(watched(root=os.getpid())[1]).foreign_processes == 0


@pytest.mark.parametrize(
    ("looks", "count"),
    [
        ([[1]], 1),  # there before the trial and all the time
        ([[], [1]], 1),  # came in the middle and is not below the trial
        ([[], [GONE]], 1),  # of another process table, and still there when the trial has ended
        ([[GONE]] * 3 + [[]], 0),  # gone before the first timed call
        ([[], *[[GONE]] * 20, []], 0),  # of another process table, came and went with the trial
    ],
)
def test_others_on_the_card_are_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, looks: list[list[int]], count: int
) -> None:
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=on_card(*looks)))
    watch, trial = watched(root=2**22 + 5, looks=25)
    assert watch.looks > 22
    assert gpu(trial).foreign_processes == count
    assert ("machine.neighbour" in {f.code for f in audit_of(trial)}) is (count > 0)


def test_a_process_without_memory_leaves_the_memory_of_ours_absent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed = [[], *[[{"pid": GONE, "usedGpuMemory": None}]] * 20, []]
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=listed))
    memory = watched(looks=25)[1].cells[0].memory
    assert memory is not None and memory.gpu_processes is None and memory.gpu_peak is not None


# When NVML fails


def test_nvml_failing_in_the_middle_is_a_finding_and_no_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, answers(), NVML_BREAK="15:15")
    watch, trial = watched()
    assert watch.looks == 14, "the fifteenth broke off"
    assert told(trial).problems == ["NVML stopped answering: the GPU is lost"]
    assert gpu(trial).memory_baseline == 644939776
    assert "NVML stopped answering: the GPU is lost" in unwatched(trial)


def test_a_call_that_never_comes_back_does_not_hold_up_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(telemetry, "PATIENCE", 0.2)
    play(monkeypatch, tmp_path, answers())
    import pynvml

    free, looks = threading.Event(), iter(range(10**6))

    def hang(handle: int) -> int:
        if next(looks) > 5:
            free.wait(30)
        return 80000

    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", hang, raising=False)
    start = time.monotonic()
    _, trial = watched()
    assert time.monotonic() - start < 5
    assert told(trial).problems == ["NVML stopped answering: a call did not come back"]
    free.set()


@pytest.mark.parametrize(
    ("tape", "said"),
    [
        (answers(nvmlInit=[{"error": 9}]), "no NVIDIA driver answers (Driver Not Loaded)"),
        (answers(nvmlDeviceGetCount=[{"error": 999}]), "the NVIDIA driver does not answer (Unknown Error)"),
        (None, "nvidia-ml-py is not installed, so no GPU can be looked for"),
    ],
)
def test_without_nvml_the_gpu_is_absent_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tape: dict[str, list[Any]] | None, said: str
) -> None:
    if tape is None:
        monkeypatch.setitem(sys.modules, "pynvml", None)
    else:
        play(monkeypatch, tmp_path, tape)
    watch, trial = watched()
    assert told(trial).gpus is None
    assert told(trial).problems == [said]
    assert not watch.counts_energy
    assert "GPU" in unwatched(trial) and said in unwatched(trial)
    assert device.resolve("auto").kind == "cpu"
    with pytest.raises(UserError, match="DEVICE=cuda, but"):
        device.resolve("cuda")


def test_a_lost_card_is_known_and_a_sound_one_is_not_called_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flag = tmp_path / "lost"
    play(monkeypatch, tmp_path, answers(), NVML_LOST=str(flag))
    assert nvml.lost() is None
    flag.touch()
    assert nvml.lost() is not None
    flag.unlink()
    play(monkeypatch, tmp_path, two_cards(answers(), PowerUsage=[{"error": 15}]))
    assert nvml.lost() is None, "the second is not in use"
    assert nvml.lost(2) == "the GPU is lost"
    play(monkeypatch, tmp_path, answers())
    assert nvml.lost(2) == "the driver no longer sees it"
    play(monkeypatch, tmp_path, answers(nvmlDeviceGetCount=[0]))
    assert nvml.lost() == "the driver no longer sees it"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert nvml.lost() is None, "what was never asked cannot be lost"


# Which cards


def three_cards() -> dict[str, list[Any]]:
    found = answers(nvmlDeviceGetCount=[3])
    for i, uuid in enumerate(UUIDS):
        found[f"nvmlDeviceGetUUID@{i}"] = [uuid]
        found[f"nvmlDeviceGetName@{i}"] = [f"card {i}"]
    return found


@pytest.mark.parametrize(
    ("visible", "cards"),
    [
        (None, ["card 0", "card 1", "card 2"]),
        ("2,0", ["card 2", "card 0"]),
        ("GPU-bbbb2222", ["card 1"]),
        ("GPU-cc", ["card 2"]),
        ("GPU-", []),  # of all of them: names none
        ("1,7,0", ["card 1"]),  # CUDA stops at the first that is not there
        ("-1", []),
        ("", []),
    ],
)
def test_only_the_cards_that_cuda_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, visible: str | None, cards: list[str]
) -> None:
    play(monkeypatch, tmp_path, three_cards())
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with nvml.Session() as session:
        assert [card.name for card in session.cards] == cards
    if cards:
        assert device.resolve("cuda").names == cards[:1]
    else:
        with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES=.* shows no GPU"):
            device.resolve("cuda")


def test_a_card_chosen_by_a_number_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    play(monkeypatch, tmp_path, three_cards(), CUDA_VISIBLE_DEVICES="2", GPU_INDEX="2")
    assert device.resolve("auto").names == ["card 2"]
    play(monkeypatch, tmp_path, three_cards(), CUDA_VISIBLE_DEVICES="3", GPU_INDEX="3")
    for wanted in ("auto", "cuda"):
        with pytest.raises(UserError, match="GPU_INDEX=3 is no GPU of this machine: it takes a number from 0 to 2"):
            device.resolve(wanted)
    assert device.resolve("cpu").kind == "cpu"


@pytest.mark.parametrize(
    ("visible", "names"), [(None, ["card 0", "card 1"]), ("2,0", ["card 2", "card 0"]), ("0,1,2", ["card 0", "card 1"])]
)
def test_as_many_cards_are_taken_as_the_model_is_split_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, visible: str | None, names: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    play(monkeypatch, tmp_path, three_cards(), **({"CUDA_VISIBLE_DEVICES": visible} if visible else {}))
    for wanted in ("auto", "cuda"):
        found = device.resolve(wanted, 2)
        assert found.names == [card.name for card in found.cards or []] == names


@pytest.mark.parametrize(
    ("chosen", "tp_size", "said"),
    [
        ({}, 4, "TP_SIZE=4 needs 4 cards, and this machine has 3; set TP_SIZE to 3 or less."),
        (
            {"CUDA_VISIBLE_DEVICES": "1"},
            2,
            "TP_SIZE=2 needs 2 cards, and 1 of the 3 of this machine can be seen (CUDA_VISIBLE_DEVICES=1); set TP_SIZE to 1.",
        ),
        (
            {"GPU_INDEX": "2", "CUDA_VISIBLE_DEVICES": "2,3"},
            2,
            "TP_SIZE=2 needs 2 cards, and 1 of the 3 of this machine can be seen (GPU_INDEX=2, CUDA_VISIBLE_DEVICES=2,3); "
            "set TP_SIZE to 1.",
        ),
    ],
)
def test_fewer_cards_than_that_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: dict[str, str], tp_size: int, said: str
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "GPU_INDEX"):
        monkeypatch.delenv(name, raising=False)
    play(monkeypatch, tmp_path, three_cards(), **chosen)
    for wanted in ("auto", "cuda"):
        with pytest.raises(UserError) as refused:
            device.resolve(wanted, tp_size)
        assert str(refused.value) == said
    assert device.resolve("cpu", tp_size) == device.Device("cpu"), "so many processes"


def test_where_no_card_is_seen_that_is_what_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, three_cards(), CUDA_VISIBLE_DEVICES="")
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES='' shows no GPU"):
        device.resolve("cuda", 2)
    play(monkeypatch, tmp_path, three_cards(), CUDA_VISIBLE_DEVICES="7,8", GPU_INDEX="7")
    with pytest.raises(UserError, match="GPU_INDEX=7 is no GPU of this machine: it takes a number from 0 to 2"):
        device.resolve("auto", 2)


def test_only_the_card_in_use_is_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, three_cards(), CUDA_VISIBLE_DEVICES="1,2")
    watch = Watch(EVERY)
    watch.start()
    watch.stop()
    trial = factory.trial()
    watch.fill(trial, told(trial))
    assert [found.uuid for found in told(trial).gpus or []] == [UUIDS[1]]


def test_the_card_in_use_is_described_with_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What no lane can say otherwise later."""
    play(monkeypatch, tmp_path, answers(CudaComputeCapability=[[9, 0]]), CUDA_VISIBLE_DEVICES="0")
    (card,) = device.resolve("cuda").cards or []
    assert (card.name, card.memory_bus_width, card.memory_clock_max) == ("NVIDIA H200", 6016, 3201)
    assert (card.sm_clock_max, card.compute_capability) == (1980, "9.0")
    assert host.environment([card.name], cards=[card]).cards == [card]


def test_a_card_that_breaks_while_it_is_described_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    play(monkeypatch, tmp_path, answers(MemoryBusWidth=[{"error": 15}]), CUDA_VISIBLE_DEVICES="0")
    with pytest.raises(UserError, match="DEVICE=cuda, but the GPU is lost"):
        device.resolve("cuda")
    assert device.resolve("auto").kind == "cpu"
