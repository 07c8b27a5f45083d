"""Records that nobody wrote: whatever stands in any field of any file, `compare.py` ends with a report or with one sentence.

Seeded, so that a change of the program is told from chance; benchmarks/fuzz.py goes on with other seeds for as long as it
is let.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzzing import KINDS, Runs, examples

EXAMPLES = 50  # of each kind of record


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("kind", KINDS)
def test_any_record_comes_to_a_report_or_a_sentence(kind: str, runs: Runs) -> None:
    came_to = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[
            Phase.generate
        ],  # an example is small from the start, and one that hangs would be tried a hundred times
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        example = data.draw(examples(runs.made, kind))
        outcome = runs.outcome(example)
        came_to.append(outcome.kind)
        assert outcome.kind in ("report", "refused"), f"{outcome.kind}: {outcome.said}"

    fuzz()
    # Both happen: neither does the reader let everything in nor refuse whatever was touched.
    assert came_to.count("refused") > EXAMPLES // 10
    assert came_to.count("report") > EXAMPLES // 10
