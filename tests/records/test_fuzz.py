"""Records that nobody wrote: whatever stands in any field of any file, `compare.py` ends with a report or with one sentence.

Seeded, so that a change of the program is told from chance; benchmarks/fuzz.py goes on with other seeds for as long as it
is let.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzzing import KINDS, Example, Runs, examples, examples_at, fields
from trtbench.records import judgement

EXAMPLES = 30  # of each kind of record
OF_A_FIELD = 4  # all that `edges` gives
SEED = 20261128


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


def outcomes(runs: Runs, strategy: st.SearchStrategy[Example], examples: int, first: int) -> list[str]:
    """What so many examples come to; each to a report or a refusal."""
    came_to = []

    @seed(first)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[
            Phase.generate
        ],  # an example is small from the start, and one that hangs would be tried a hundred times
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def fuzz(example: Example) -> None:
        outcome = runs.outcome(example)
        came_to.append(outcome.kind)
        assert outcome.kind in ("report", "refused"), f"{outcome.kind}: {outcome.said}"

    fuzz()
    return came_to


@pytest.mark.parametrize("part", ["run.json", "workload.json", judgement.FILE, "trial 1", "trial 2", "trial 3"])
def test_whatever_stands_in_a_field_comes_to_a_report_or_a_sentence(part: str, runs: Runs) -> None:
    kind, _, third = part.partition(" ")
    places = fields(runs.made, kind)[int(third) - 1 :: 3] if third else fields(runs.made, kind)
    came_to = []
    for number, (story, place) in enumerate(places):
        came_to += outcomes(runs, examples_at(runs.made, kind, story, place), OF_A_FIELD, SEED + number)
    # Both happen: neither does the reader let everything in nor refuse whatever was touched.
    assert min(came_to.count("report"), came_to.count("refused")) > len(came_to) / 10 > 1


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_became_of_a_file_comes_to_a_report_or_a_sentence(kind: str, runs: Runs) -> None:
    assert len(outcomes(runs, examples(runs.made, kind), EXAMPLES, SEED)) >= EXAMPLES
