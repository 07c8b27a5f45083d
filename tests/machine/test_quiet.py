"""Whether the machine is quiet, and who keeps it from being so: looked at for real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from tape import answers, play, two_cards
from trtbench.machine import processes, quiet
from trtbench.measure import rules
from trtbench.settings.knobs import Settings

RULES = msgspec.structs.replace(rules.sealed(Settings(), "cpu"), foreign_cpu=0.10)
BURN = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"


@pytest.fixture
def stranger() -> Iterator[int]:
    """The id of a busy process that is nobody's child here: whoever started it has ended."""
    start = (
        "import subprocess, sys; "
        f"print(subprocess.Popen([sys.executable, '-c', {BURN!r}], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)"
    )
    pid = int(subprocess.run([sys.executable, "-c", start], check=True, capture_output=True, text=True).stdout)
    yield pid
    psutil.Process(pid).kill()


@pytest.mark.alone
def test_a_stranger_on_the_cpu_is_seen_and_named(stranger: int) -> None:
    noise = quiet.Look().noise(RULES, 0)
    assert noise is not None
    assert noise.share > 0.2 / (psutil.cpu_count() or 1)
    assert f"({stranger})" in str(noise)


@pytest.mark.alone
def test_our_own_work_is_not_noise() -> None:
    clock = processes.CpuClock(processes.tree_cpu)
    own = subprocess.Popen([sys.executable, "-c", BURN])
    subprocess.run([sys.executable, "-c", BURN.replace("20", "1")], check=True)
    use = clock.use()
    assert use is not None
    own.kill()
    own.wait()
    assert use.others < 0.6  # of two seconds of our own


@pytest.mark.alone
def test_what_has_ended_counts_as_ours_too() -> None:
    clock = processes.CpuClock(processes.ended_cpu)
    before = processes.ended_cpu()
    subprocess.run([sys.executable, "-c", BURN.replace("20", "1")], check=True)
    assert processes.ended_cpu() - before > 0.4
    use = clock.use()
    assert use is not None and use.seconds > 0.9 and use.others < 0.6


@pytest.mark.alone
def test_waiting_ends_at_its_limit_and_tells_once(stranger: int) -> None:
    told: list[quiet.Noise] = []
    still, waited = quiet.wait(msgspec.structs.replace(RULES, wait=3.0), 0, told.append)
    assert still is not None and waited >= 3.0
    assert len(told) == 1


def test_waiting_ends_when_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    noises = iter([quiet.Noise(0.5, ["a"]), quiet.Noise(0.2, ["a"]), None])
    monkeypatch.setattr(quiet.Look, "noise", lambda *_: next(noises))
    assert quiet.wait(RULES, 0, lambda _: None)[0] is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"ComputeRunningProcesses": [[{"pid": 1, "usedGpuMemory": 1}]]}, "(1) computes on the GPU"),
        ({"UtilizationRates": [{"gpu": 77, "memory": 3}]}, "the GPU is 77 % in use"),
        ({"CurrentClocksEventReasons": [0x40]}, "the GPU is throttled (hw_thermal_slowdown)"),
    ],
)
def test_the_card_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: dict[str, object], words: str
) -> None:
    idle = {
        "ComputeRunningProcesses": [[]],
        "UtilizationRates": [{"gpu": 0, "memory": 0}],
        "CurrentClocksEventReasons": [1],
    }
    play(monkeypatch, tmp_path, answers(**{**idle, **told}))
    lenient = msgspec.structs.replace(RULES, foreign_cpu=1.0)
    noise = quiet.Look().noise(lenient, 1)
    assert noise is not None and words in str(noise)
    assert quiet.Look().noise(lenient, 0) is None


def test_a_card_left_alone_is_quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, tmp_path, answers(ComputeRunningProcesses=[[]], UtilizationRates=[{"gpu": 0, "memory": 0}]))
    assert quiet.Look().noise(msgspec.structs.replace(RULES, foreign_cpu=1.0), 1) is None


@pytest.mark.parametrize(("cards", "words"), [(1, None), (2, "GPU 2 of 2 is 77 % in use")])
def test_as_many_cards_are_looked_at_as_the_run_uses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cards: int, words: str | None
) -> None:
    quiet_card = {"ComputeRunningProcesses": [[]], "UtilizationRates": [{"gpu": 0, "memory": 0}]}
    play(monkeypatch, tmp_path, two_cards(answers(**quiet_card), UtilizationRates=[{"gpu": 77, "memory": 3}]))
    noise = quiet.Look().noise(msgspec.structs.replace(RULES, foreign_cpu=9.0), cards)
    assert (noise.who[0] if noise else None) == words
