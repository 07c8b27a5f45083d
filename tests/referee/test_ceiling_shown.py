"""The ceiling that is shown is the one that is kept: what lies below it raises nothing, what lies above it a finding."""

from __future__ import annotations

import dataclasses

import pytest

import factory
from honest import HONEST, honest
from liars import DEMO, TINYLLAMA
from trtbench.comparison.comparing import compare
from trtbench.figures.summary import Figures
from trtbench.records.run import Run
from trtbench.records.trial import Trial
from trtbench.referee.audit import audit
from trtbench.report.ceiling import excess, line, share
from trtbench.settings.cells import Cell

SHAPE = (2, 64, 16)
TOKENS = SHAPE[0] * SHAPE[2]


@dataclasses.dataclass(frozen=True)
class Place:
    """A model on a machine."""

    config: dict[str, object]
    card: str | None = None  # None: a CPU
    cache: int | None = 32 * 2**20
    precision: str = "float16"

    def trial(self, seconds: float, lane: str = "onnxruntime", index: int = 1) -> Trial:
        """A trial whose whole generations all take about so long; the passes are consistent with it."""
        cell = Cell(batch=SHAPE[0], prompt_length=SHAPE[1], new_tokens=SHAPE[2], precision=self.precision)
        on_card = {"device": "cuda", "device_name": self.card} if self.card else {}
        ms = seconds * 1e3
        return factory.trial(
            lane,
            (ms, ms * 1.0001, ms * 1.0002),
            (ms / 10, ms / 10 + 1e-3, ms / 10 + 2e-3),
            cell=cell,
            index=index,
            model=factory.model(config=self.config),
            statement=factory.statement(self.precision, **on_card),
            environment=factory.environment(last_level_cache=self.cache, gpus=[self.card] if self.card else None),
        )

    def run(self) -> Run:
        return factory.run(read_bandwidth=4e10)

    def shown(self, *seconds: float) -> Figures:
        """The figures of a lane with a trial of each of these times."""
        trials = [self.trial(s, index=i + 1) for i, s in enumerate(seconds)]
        (f,) = compare(self.run(), trials).cells[0].figures
        return f

    def refused(self, seconds: float) -> bool:
        """Whether the gate finds a whole generation too fast."""
        run, trial = self.run(), self.trial(seconds)
        return any(
            f.code == "ceiling.generation" or (f.code == "ceiling.measured" and f.figures["what"] == "generation")
            for f in audit(run, [trial])
        )


# Some of the model in the cache, none of it, and a cache that is not known; on a card also the peak as the bound.
BOUNDED = {
    "card": Place(TINYLLAMA, "NVIDIA GeForce RTX 4070"),
    "card with much cache": Place(TINYLLAMA, "NVIDIA GeForce RTX 4090"),
    "data centre card": Place(TINYLLAMA, "NVIDIA H100 80GB HBM3"),
    "int4 on a card": Place(TINYLLAMA, "NVIDIA GeForce RTX 4090", precision="int4_awq"),
    "cpu": Place(TINYLLAMA, precision="float32"),
    "half of it in the cache of a cpu": Place(DEMO, precision="float32", cache=40 * 2**20),
    "cpu whose cache is not known": Place(DEMO, precision="float32", cache=None),
    "in the cache of a card, the peak bounds": Place(DEMO, "NVIDIA GeForce RTX 4090"),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_the_gate_finds_what_is_above_the_shown_ceiling_and_nothing_below_it(name: str) -> None:
    place = BOUNDED[name]
    ceiling = place.shown(1.0).ceiling_tok_s
    assert ceiling is not None
    least = TOKENS / ceiling
    assert not place.refused(least * 1.001)
    assert place.refused(least * 0.999)
    assert excess(place.shown(least * 1.001)) is None
    assert excess(place.shown(least * 0.99)) == pytest.approx(1 / 0.99, rel=1e-3)


def test_a_model_in_the_cache_of_a_cpu_has_no_ceiling_and_no_mbu_at_any_speed() -> None:
    place = Place(DEMO, precision="float32", cache=256 * 2**20)
    f = place.shown(1e-4)
    assert (f.ceiling_tok_s, f.ceiling_basis, f.mbu) == (None, "cached", None)
    assert not place.refused(1e-4)


def test_a_model_in_the_cache_of_a_card_is_bounded_by_the_peak_alone() -> None:
    f = BOUNDED["in the cache of a card, the peak bounds"].shown(1e-2)
    assert f.ceiling_basis == "cached" and f.ceiling_tok_s is not None
    assert (line(f), share(f), f.mbu) == (None, None, None)


def test_mbu_stands_only_where_the_memory_alone_could_serve_the_steps() -> None:
    place = BOUNDED["half of it in the cache of a cpu"]
    slow, fast = place.shown(0.5), place.shown(0.02)
    assert slow.mbu is not None and 0 < slow.mbu < 1
    assert fast.mbu is None
    assert excess(fast) is None  # what the cache may keep is in the ceiling


def test_one_trial_above_the_ceiling_is_enough_for_words() -> None:
    place = BOUNDED["cpu"]
    ceiling = place.shown(1.0).ceiling_tok_s
    assert ceiling is not None
    least = TOKENS / ceiling
    f = place.shown(least * 0.9, least * 2, least * 2)
    assert f.throughput < ceiling
    assert excess(f) == pytest.approx(1 / 0.9, rel=1e-3)
    assert share(f) is None


def test_no_ceiling_is_shown_where_one_trial_has_none_or_where_the_gate_knows_none() -> None:
    place = BOUNDED["cpu"]
    trials = [place.trial(1.0, index=1), place.trial(1.0, index=2)]
    trials[1].statement = None
    (f,) = compare(place.run(), trials).cells[0].figures
    assert (f.ceiling_tok_s, f.ceiling_basis, f.mbu) == (None, None, None)
    (f,) = compare(factory.run(read_bandwidth=None), trials[:1]).cells[0].figures
    assert f.ceiling_basis is None


def test_the_ceiling_is_that_of_the_smallest_cache_that_a_trial_names() -> None:
    place, roomy = BOUNDED["cpu"], dataclasses.replace(BOUNDED["cpu"], cache=2**30)
    both = [place.trial(1.0, index=1), roomy.trial(1.0, index=2)]
    (f,) = compare(place.run(), both).cells[0].figures
    assert f.ceiling_tok_s == place.shown(1.0).ceiling_tok_s
    assert f.ceiling_tok_s != roomy.shown(1.0).ceiling_tok_s


def test_the_loosest_ceiling_of_a_lanes_trials_is_shown() -> None:
    """The weights of one trial are stored in half the bytes, as its statement says."""
    place = BOUNDED["cpu"]
    both = [place.trial(1.0, index=1), place.trial(1.0, index=2)]
    assert both[1].statement is not None
    both[1].statement.weight_precision = "bfloat16"
    (f,) = compare(place.run(), both).cells[0].figures
    alone = place.shown(1.0).ceiling_tok_s
    assert f.ceiling_tok_s is not None and alone is not None and f.ceiling_tok_s > 1.5 * alone


@pytest.mark.parametrize("name", HONEST)
def test_no_honest_lane_is_shown_above_its_ceiling(name: str) -> None:
    story = honest(name, 5)
    rows = compare(story.run, story.trials).cells
    for f in (f for row in rows for f in row.figures):
        assert excess(f) is None
        assert (share(f) or 0) <= 1
        assert (f.mbu or 0) <= 1
