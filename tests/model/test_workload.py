"""The prompts as ids: exact lengths, no two calls alike, one digest over all of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factory
from trtbench.errors import UserError
from trtbench.model.prompt_files import PROMPTS, read_prompts
from trtbench.model.workload import Workload, build, digest_prompts
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell


def ring(sizes: list[int], bos: int | None = 1) -> Workload:
    """Prompts of these sizes whose ids are all different."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return Workload(
        ring=list(range(100, 100 + sum(sizes))),
        starts=starts,
        bos=bos,
        cells=[],
        sampling=Sampling(),
        prompts_name="x",
    )


@given(
    sizes=st.lists(st.integers(8, 40), min_size=1, max_size=6),
    k=st.integers(0, 100_000),
    length=st.integers(2, 500),
    bos=st.sampled_from([None, 1]),
)
def test_every_sequence_is_exactly_as_long_as_asked(sizes: list[int], k: int, length: int, bos: int | None) -> None:
    sequence = ring(sizes, bos).sequence(k, length)
    assert len(sequence) == length
    assert (sequence[0] == bos) == (bos is not None)


@given(sizes=st.lists(st.integers(8, 40), min_size=1, max_size=6), length=st.integers(8, 60))
def test_no_two_sequences_are_alike(sizes: list[int], length: int) -> None:
    workload = ring(sizes)
    # Far beyond the number of places in the ring: a large batch and many iterations.
    sequences = [tuple(workload.sequence(k, length)) for k in range(3 * sum(sizes))]
    assert len(set(sequences)) == len(sequences)


def test_the_first_sequences_start_where_the_prompts_start() -> None:
    workload = ring([10, 8, 12], bos=None)
    assert [workload.sequence(k, 2)[0] for k in range(3)] == [100, 110, 118]
    assert [workload.sequence(k, 2)[0] for k in range(3, 6)] == [101, 111, 119]


@given(batch=st.integers(1, 9), calls=st.integers(2, 30))
def test_no_two_calls_of_a_cell_share_a_row(batch: int, calls: int) -> None:
    cell = Cell(batch=batch, prompt_length=20, new_tokens=4, precision="any")
    rows = [tuple(row) for call in range(calls) for row in ring([30, 30]).prompts(cell, call)]
    assert len(set(rows)) == batch * calls


def test_the_committed_prompts_never_repeat_in_a_long_trial(tiny_model: Path) -> None:
    workload = build(read_prompts(PROMPTS), tiny_model, [], Sampling(), "x")
    rows = {tuple(workload.sequence(k, 32)) for k in range(2 * len(workload.ring))}
    assert len(rows) == 2 * len(workload.ring)


# The digest


def test_the_digest_is_of_ids_cells_and_sampling() -> None:
    base = factory.a_workload()
    other_cell = Cell(batch=2, prompt_length=32, new_tokens=8, precision="any")
    changed = [
        msgspec.structs.replace(base, ring=[*base.ring[:-1], 99]),
        msgspec.structs.replace(base, starts=[0, 9]),
        msgspec.structs.replace(base, bos=None),
        msgspec.structs.replace(base, cells=[other_cell]),
        msgspec.structs.replace(base, sampling=Sampling(temperature=0.7, seed=7)),
        msgspec.structs.replace(base, sampling=Sampling(seed=8)),
    ]
    digests = [each.digest() for each in (base, *changed)]
    assert len(set(digests)) == len(digests)


def test_the_digest_does_not_depend_on_the_order_of_cells_or_the_name() -> None:
    one, two = (Cell(batch=b, prompt_length=32, new_tokens=8, precision="any") for b in (1, 2))
    base = factory.a_workload((one, two))
    assert factory.a_workload((two, one)).digest() == base.digest()
    assert msgspec.structs.replace(base, prompts_name="other").digest() == base.digest()


def test_prompts_handed_over_in_another_order_have_another_digest() -> None:
    assert digest_prompts([[[1, 2]], [[3, 4]]]) != digest_prompts([[[3, 4]], [[1, 2]]])


# Prompts to ids


def test_the_committed_prompts_are_many_long_and_in_two_languages(tiny_model: Path) -> None:
    prompts = read_prompts(PROMPTS)
    assert len(prompts) >= 8
    assert all(len(prompt.split()) >= 80 for prompt in prompts)
    assert any(" the " in prompt for prompt in prompts)
    assert any(" les " in prompt for prompt in prompts)
    workload = build(prompts, tiny_model, [], Sampling(), "x")
    sizes = [b - a for a, b in zip(workload.starts, [*workload.starts[1:], len(workload.ring)])]
    assert min(sizes) >= 100


def test_prompts_that_are_too_short_are_left_out(tiny_model: Path) -> None:
    long = "A long enough prompt about how the weather was in April."
    alone = build([long], tiny_model, [], Sampling(), "mine.txt")
    both = build(["a", long, "b"], tiny_model, [], Sampling(), "mine.txt")
    assert (both.ring, both.starts) == (alone.ring, [0])
    with pytest.raises(UserError, match=r"no prompt of mine\.txt has 8 tokens"):
        build(["a", "b"], tiny_model, [], Sampling(), "mine.txt")


def test_a_beginning_of_sequence_id_that_a_prompt_brings_is_not_doubled(tiny_model: Path) -> None:
    prompt = "A long enough prompt about how the weather was in April."
    plain = build([prompt], tiny_model, [], Sampling(), "x")
    rendered = build([f"<s>{prompt}"], tiny_model, [], Sampling(), "x")
    assert plain.bos == 1
    assert rendered.sequence(0, 9) == plain.sequence(0, 9)
    assert rendered.sequence(0, 9)[:2] != [1, 1]


def test_a_model_without_a_fast_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        build(["x"], tmp_path, [], Sampling(), "x")


def test_ids_are_those_of_the_models_own_tokenizer(tiny_model: Path) -> None:
    from tokenizers import Tokenizer

    prompt = read_prompts(PROMPTS)[0]
    workload = build([prompt], tiny_model, [], Sampling(), "x")
    assert Tokenizer.from_file(str(tiny_model / "tokenizer.json")).decode(workload.ring) == prompt
    assert workload.bos == 1
