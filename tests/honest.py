"""Honest runs of every kind by name, each from a seed: the audit must raise no failure over any of them."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Sequence

import msgspec

import factory
from cheats.changes import TORCH, TRT, beside_a_neighbour, drawn_anew, offered
from liars import DEMO, MS, TINYLLAMA, Story
from trtbench.machine.child import STUBBORN
from trtbench.measure import limits
from trtbench.records.run import Unquiet
from trtbench.records.trial import LeftOut, Sampling, Trial


def skewed(draw: random.Random) -> float:
    return draw.expovariate(1.0)


def outlying(draw: random.Random) -> float:
    return draw.gauss(0, 1) + (40 if draw.random() < 0.05 else 0)


def after_a_reboot(seed: int) -> Story:
    """The machine was started anew half way, and with it the clock that has no date."""
    story = Story(seed=seed).tell()
    late = [t for t in story.trials if t.position > 6]
    moved(late, 7 * factory.SLOT - 1000 * MS)
    return story


def whose_default_cannot_compute_the_cell(seed: int) -> Story:
    """Nothing was tried, and a paged cache has no window: the other value is taken."""
    story = Story(seed=seed).tell()
    offered(story, TRT, {"paged": [], "whole": []}, "whole")
    assert story.run.tried is not None
    story.run.tried[0].failure = "it leaves the window out"
    return story


def after_its_clock_was_set(seed: int) -> Story:
    """It had been three hours ahead."""
    story = Story(seed=seed).tell()
    for t in story.trials:
        if t.position > 6:
            t.started = (datetime.datetime.fromisoformat(t.started) - datetime.timedelta(hours=3)).isoformat()
    return story


def moved(trials: Sequence[Trial], by: int) -> None:
    """Take so much off every reading of perf_counter_ns."""
    for t in trials:
        records = [part for record in t.cells for part in (record, record.e2e, record.ttft)]
        for stamped in (t, *records):
            assert stamped is not None and stamped.began is not None and stamped.ended is not None
            stamped.began, stamped.ended = stamped.began - by, stamped.ended - by


def beside_somebody_at_first(seed: int) -> Story:
    """A neighbour took its cores while it warmed up, and not while the clock ran; the trial counts, as nobody waits for quiet."""
    story = Story(seed=seed).tell()
    assert story.run.rules is not None
    story.run.rules = msgspec.structs.replace(story.run.rules, quiet="warn")
    story.run.unquiet = Unquiet(position=1, kind="warn")
    for t in story.of(TRT):
        t.cells[0].warmup = [3 * time for time in t.cells[0].warmup]
        factory.stamped(t, t.began or 0)
        beside_a_neighbour(t, story)
    return story


def beside_a_little_somebody_at_first(seed: int) -> Story:
    """As much of a neighbour as no limit minds, all of it while the lane warmed up."""
    story = Story(
        seed=seed, gpu=None, default_precision="float32", latency={TORCH: 50000.0, "onnxruntime": 30000.0}, first=2000.0
    ).tell()
    for t in story.of("onnxruntime"):
        t.cells[0].warmup = [3 * time for time in t.cells[0].warmup]
        factory.stamped(t, t.began or 0)
        assert t.telemetry is not None
        t.telemetry.cpu = factory.cpu_use(0.0095, t.seconds)
    return story


def compiling_at_first(seed: int) -> Story:
    """A first call that takes as long as it likes."""
    story = Story(seed=seed).tell()
    for t in story.of(TORCH):
        t.cells[0].first_call = 90_000 * MS
        factory.stamped(t, t.began or 0)
    return story


def compiling_anew(seed: int) -> Story:
    """A compiler whose search ends elsewhere in each process: no call of a trial differs from the others, the trials do."""
    story = Story(seed=seed).tell()
    drawn_anew(story, TORCH, (1.0, 1.03, 1.07, 1.1, 1.11))
    return story


def getting_hot(seed: int) -> Story:
    """A laptop whose clock has fallen by the time it is warm."""
    story = Story(
        seed=seed, gpu=None, default_precision="float32", latency={TORCH: 50000.0, "onnxruntime": 30000.0}, first=2000.0
    ).tell()
    for t in story.trials:
        t.cells[0].warmup = [round(time / 1.9) for time in t.cells[0].warmup]
        factory.stamped(t, t.began or 0)
    return story


def hanging_beside(seed: int) -> Story:
    """An engine whose own times hang, and whose shutdown hangs: both are waited for."""
    story = Story(seed=seed).tell()
    for t in story.of(TRT):
        assert t.ended is not None and t.cells[0].e2e is not None
        t.left_out = [LeftOut(kind="engine_metrics", reason="it hung"), LeftOut(kind="close", reason="it hung")]
        hung = limits.extra_call(t.cells[0].e2e.times) + limits.CLOSE + 2 * STUBBORN
        later(story, t, round(hung * 1e9))
    return story


def in_two_environments(seed: int) -> Story:
    """A rival that pins another torch and transformers ran in an environment of its own, with another Python."""
    story = Story(seed=seed, latency={TORCH: 2000.0, "vllm": 1000.0}).tell()
    own = {"torch": "0.9+cu130", "transformers": "4.57.3"}
    for t in story.of("vllm"):
        libraries = {**t.environment.libraries, **own}
        t.environment = msgspec.structs.replace(t.environment, venv=".venv-vllm", python="3.12.3", libraries=libraries)
        assert t.statement is not None
        t.statement.versions = {"vllm": "1.0", "torch": "0.9+cu130"}
    return story


def in_two_images(seed: int) -> Story:
    """A step that ran in a container of another image: its Python is the run's own too, and lists other packages."""
    story = in_two_environments(seed)
    for t in story.trials:
        t.environment = msgspec.structs.replace(t.environment, venv=None, container="docker")
    return story


def energy_lost(seed: int) -> Story:
    """A pass for energy that fails in its last call: its seconds stand in the cell, and no figure of it."""
    story = Story(seed=seed, new=20, latency={TORCH: 200.0, TRT: 100.0}).tell()
    for t in story.of(TRT):
        (cell,) = t.cells
        assert cell.ended is not None
        cell.energy, t.left_out = None, [LeftOut(kind="energy", reason="it broke")]
        cell.ended += round(4.9e9)
        later(story, t, round(4.9e9))
    return story


def later(story: Story, trial: Trial, by: int) -> None:
    """The trial ends so many nanoseconds later, and all that come behind it begin and end later."""
    assert trial.ended is not None and trial.began is not None
    moved([t for t in story.trials if t.position > trial.position], -by)
    for t in story.trials:
        if t.position > trial.position:
            t.started = (datetime.datetime.fromisoformat(t.started) + datetime.timedelta(seconds=by / 1e9)).isoformat()
    trial.ended += by
    trial.seconds = (trial.ended - trial.began) / 1e9


HONEST: dict[str, Callable[[int], Story]] = {
    "plain": lambda seed: Story(seed=seed),
    "noisy": lambda seed: Story(seed=seed, spread=(0.05, 0.15)),
    "skewed": lambda seed: Story(seed=seed, spread=(0.02, 0.05), noise=skewed),
    "with outliers": lambda seed: Story(seed=seed, noise=outlying),
    "slow": lambda seed: Story(seed=seed, latency={TORCH: 90000.0, TRT: 60000.0}, first=2000.0),
    "fast but possible": lambda seed: Story(seed=seed, latency={TORCH: 900.0, TRT: 835.0}, first=4.9),
    "quantised and saying so": lambda seed: Story(
        seed=seed, latency={TORCH: 2000.0, TRT: 330.0}, precision={TRT: "int4_awq"}, near={TRT: 0.93}
    ),
    "quantised, random weights": lambda seed: Story(
        seed=seed, latency={TORCH: 2000.0, TRT: 500.0}, precision={TRT: "int8"}, near={TRT: 0.09}, synthetic=True
    ),
    "cache-sized model": lambda seed: Story(
        seed=seed, config=DEMO, latency={TORCH: 200.0, TRT: 9.0}, first=0.6, gpu="NVIDIA GeForce RTX 4090"
    ),
    "tied embeddings": lambda seed: Story(
        seed=seed, config={**TINYLLAMA, "tie_word_embeddings": True}, latency={TORCH: 1500.0, TRT: 850.0}
    ),
    "grouped heads": lambda seed: Story(seed=seed, config={**TINYLLAMA, "num_key_value_heads": 1}),
    "batch 32": lambda seed: Story(seed=seed, batch=32, new=50, rounds=5, latency={TORCH: 900.0, TRT: 320.0}, first=60),
    "on a CPU": lambda seed: Story(
        seed=seed, gpu=None, default_precision="float32", latency={TORCH: 50000.0, "onnxruntime": 30000.0}, first=2000
    ),
    "cache-sized on a CPU": lambda seed: Story(
        seed=seed,
        gpu=None,
        config=DEMO,
        default_precision="float32",
        latency={TORCH: 1100.0, "onnxruntime": 310.0},
        first=25,
    ),
    "unknown card": lambda seed: Story(seed=seed, gpu="NVIDIA Example 9000"),
    "split over two cards": lambda seed: Story(seed=seed, cards=2, latency={TORCH: 1500.0, TRT: 600.0}),
    "split over two cards of a data centre": lambda seed: Story(
        seed=seed, cards=2, gpu="NVIDIA H200", batch=32, latency={TORCH: 1500.0, TRT: 150.0}
    ),
    "split over two processes": lambda seed: Story(
        seed=seed,
        gpu=None,
        cards=2,
        default_precision="float32",
        latency={TORCH: 50000.0, "pytorch-compile": 40000.0, "pytorch-triton": 30000.0},
        first=2000,
    ),
    "three trials": lambda seed: Story(seed=seed, rounds=3),
    "sampled": lambda seed: Story(seed=seed, sampling=Sampling(temperature=0.8, top_p=0.9, seed=7)),
    "two new tokens": lambda seed: Story(seed=seed, new=2, latency={TORCH: 40.0, TRT: 26.0}, spread=(0.05, 0.2)),
    "taken up again after a reboot": after_a_reboot,
    "its clock was set": after_its_clock_was_set,
    "its default cannot compute the cell": whose_default_cannot_compute_the_cell,
    "beside somebody at first": beside_somebody_at_first,
    "beside a little somebody at first": beside_a_little_somebody_at_first,
    "compiling at first": compiling_at_first,
    "compiling anew in each process": compiling_anew,
    "getting hot": getting_hot,
    "hanging beside its figures": hanging_beside,
    "a pass for energy that failed late": energy_lost,
    "in two environments": in_two_environments,
    "in two images": in_two_images,
    "equal lanes": lambda seed: Story(seed=seed, latency={TORCH: 1000.0, TRT: 1000.0}),
}


def honest(name: str, seed: int) -> Story:
    """That run, told and sealed."""
    story = HONEST[name](seed)
    return (story if story.trials else story.tell()).seal()
