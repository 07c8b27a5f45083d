"""What does not fit a card: bytes by hand, bounds as properties, and the verdicts of `possible` and `claims`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_roofline import batches, news, prompts, shapes

import trtbench.claims
import trtbench.possible
from trtbench.errors import UserError
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA, ModelShape
from trtbench.referee import claim_table, fits, roofline
from trtbench.referee.claim import Answer, Claim, examine
from trtbench.referee.claim_table import Row
from trtbench.referee.roofline import PRECISIONS, Machine
from trtbench.report.claim_text import told
from trtbench.report.language import ENGLISH


def _llama(hidden: int, mlp: int, layers: int, heads: int, kv_heads: int) -> ModelShape:
    return ModelShape("LlamaForCausalLM", layers, hidden, heads, kv_heads, hidden // heads, mlp, 32000)


LLAMA_7B = _llama(4096, 11008, 32, 32, 32)
LLAMA_13B = _llama(5120, 13824, 40, 40, 40)
LLAMA_70B = _llama(8192, 28672, 80, 64, 8)
FP16 = PRECISIONS["float16"]
RTX_4090 = fits.machine_of(cards.fastest("RTX 4090"))
precisions = st.sampled_from(list(PRECISIONS.values()))
# Small models and small memories, so that all of it, a part or nothing fits.
machines = st.builds(
    Machine, st.floats(1e6, 1e9), st.none(), st.just(0.0) | st.floats(1, 1e5), st.floats(1, 1e7), st.floats(1e4, 1e9)
)


def lines_of(answer: Answer) -> list[str]:
    return [told(ENGLISH, line) for line in answer.lines]


def test_bytes_by_hand() -> None:
    fit = fits.fit(LLAMA_7B, FP16, RTX_4090, 512, 2048, 129)
    assert fit is not None
    assert fit.weights == 2 * 6_738_415_616
    assert fit.cache == 512 * (2048 + 128) * 32 * 2 * 32 * 128 * 2  # the last new id is read by nobody
    assert fit.held == 24 * 2**30
    assert not fit.whole and fit.machines == 24
    assert fits.fit(LLAMA_7B, FP16, Machine(1e12), 1, 1, 1) is None


def test_all_experts_are_held_and_a_step_reads_the_active_ones() -> None:
    mixture = dataclasses.replace(LLAMA_7B, experts=8, active_experts=2, expert_intermediate=11008, sparse_layers=32)
    card = Machine(1e12, memory=60e9, link=64e9)
    fit = fits.fit(mixture, FP16, card, 1, 1, 1)
    assert fit is not None and not fit.whole and fit.weights == 2 * mixture.parameters > 70e9
    assert fits.link_seconds(roofline.decode_floor(mixture, FP16, card, 1, 1), 1, card) == 0
    sentences = [told(ENGLISH, line) for line in fits.sentences(mixture, FP16, card, 1, 1, 1)]
    assert any("rules out no more" in sentence for sentence in sentences)


@settings(deadline=None)
@given(shapes, precisions, machines, batches, prompts, news, st.floats(0, 1))
def test_an_honest_run_is_never_refuted(
    shape: ModelShape,
    precision: roofline.Precision,
    machine: Machine,
    batch: int,
    prompt: int,
    new: int,
    slack: float,
) -> None:
    """A run that keeps as much as goes into memory and cache, reads it and the rest at once at full speed, and takes all
    steps one after the other; a slower one even less."""
    assert machine.memory is not None and machine.link is not None

    def seconds(floor: roofline.Floor) -> float:
        outside = max(0.0, floor.traffic - machine.memory - machine.cache)
        return max((floor.traffic - outside - machine.cache) / machine.bandwidth, outside / machine.link)

    first = max(prompt, 1)
    steps = [seconds(roofline.decode_floor(shape, precision, machine, batch, first + step)) for step in range(new - 1)]
    whole = seconds(roofline.prefill_floor(shape, precision, machine, batch, first)) + sum(steps)
    whole = whole * (1 + slack) + 1e-12
    floor = roofline.generation_floor(shape, precision, machine, batch, prompt, new)
    assert not fits.refutes(floor, new, machine, whole)
    if new > 1:
        decode = roofline.decode_floor(shape, precision, machine, batch, first, new - 1)
        assert not fits.refutes(decode, new - 1, machine, sum(steps) + 1e-12)


@settings(deadline=None)
@given(shapes, precisions, machines, batches, prompts, news)
def test_more_memory_fewer_sequences_and_fewer_bits_never_make_it_harder(
    shape: ModelShape, precision: roofline.Precision, machine: Machine, batch: int, prompt: int, new: int
) -> None:
    def hard(
        machine: Machine = machine, batch: int = batch, prompt: int = prompt, precision: roofline.Precision = precision
    ) -> tuple[float, float]:
        floor = roofline.generation_floor(shape, precision, machine, batch, prompt, new)
        fit = fits.fit(shape, precision, machine, batch, prompt, new)
        assert fit is not None and fit.whole == (fit.machines == 1) == (fit.outside == 0)
        return fit.outside, fits.link_seconds(floor, new, machine)

    base = tuple(value * (1 + 1e-9) + 1e-12 for value in hard())
    easier = [
        hard(machine=dataclasses.replace(machine, memory=(machine.memory or 0) * 2)),
        hard(machine=dataclasses.replace(machine, link=(machine.link or 0) * 2)),
        hard(batch=max(batch - 1, 1)),
        hard(prompt=max(prompt - 1, 0)),
        *(
            hard(precision=other)
            for other in PRECISIONS.values()
            if other.weight_bits <= precision.weight_bits and other.kv_bits <= precision.kv_bits
        ),
    ]
    assert all(outside <= base[0] and seconds <= base[1] for outside, seconds in easier)


@settings(deadline=None)
@given(shapes, precisions, machines, batches, prompts, news, st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_what_fits_is_judged_as_if_the_memory_were_not_known(
    shape: ModelShape,
    precision: roofline.Precision,
    machine: Machine,
    batch: int,
    prompt: int,
    new: int,
    seconds: float,
    rate: float,
) -> None:
    claim = Claim(batch, prompt, new, seconds, rate)
    wide = dataclasses.replace(machine, memory=1e12)
    unknown = dataclasses.replace(machine, memory=None)
    assert examine(shape, precision, wide, claim).possible == examine(shape, precision, unknown, claim).possible
    # A memory that is too small only ever takes away.
    if examine(shape, precision, machine, claim).possible:
        assert examine(shape, precision, unknown, claim).possible


@pytest.mark.parametrize(
    ("shape", "batch", "prompt", "tokens", "rate", "possible", "words"),
    [
        # Llama-2-13B in fp16 on a 24 GB card, as sonar #598 has it with offload at 2.4 tok/s.
        (LLAMA_13B, 1, 0, 0, 2.4, True, "POSSIBLE only with offload of 0.26 GB to the host"),
        (LLAMA_13B, 1, 0, 0, 30, True, "Otherwise it takes int8 or fp8, or at least 2 such cards"),
        (LLAMA_13B, 1, 4000, 100, 30, False, "which allows at most 20"),
        (LLAMA_70B, 1, 0, 0, 5, False, "at most 0.57 tokens/s at batch 1"),
        (LLAMA_70B, 1, 0, 0, 0.5, True, "at least 6 such cards"),
        (LLAMA_7B, 512, 2048, 128, 500, False, "KV cache (583.85 GB)"),
        (LLAMA_7B, 512, 2048, 128, 50, True, "at least 24 such cards"),
        (LLAMA_7B, 1, 128, 200, 50, True, "; the card holds 25.77 GB (24 GiB)."),
    ],
)
def test_what_does_not_fit_an_rtx_4090(
    shape: ModelShape, batch: int, prompt: int, tokens: int, rate: float, possible: bool, words: str
) -> None:
    answer = examine(shape, FP16, RTX_4090, Claim(batch, prompt, tokens, None, rate))
    assert answer.possible == possible, answer.lines
    assert words in "\n".join(lines_of(answer))
    assert lines_of(answer)[-1].startswith(
        "POSSIBLE" if possible else "IMPOSSIBLE: the rate is above what the link allows"
    )


def test_a_time_is_held_against_the_link_too() -> None:
    for milliseconds, possible in ((100e3, False), (200e3, True)):
        answer = examine(LLAMA_70B, FP16, RTX_4090, Claim(1, 128, 100, milliseconds / 1e3, None))
        assert answer.possible == possible
    assert (
        "IMPOSSIBLE: the time is shorter than the link allows"
        in lines_of(examine(LLAMA_70B, FP16, RTX_4090, Claim(1, 128, 100, 100, None)))[-1]
    )


@pytest.mark.parametrize(
    ("gpu", "possible"), [("RTX 5090", False), ("GH200 96GB", True), ("GB10", True), ("RTX PRO 6000", True)]
)
def test_a_card_near_its_host_reads_more_of_it(gpu: str, possible: bool) -> None:
    """70B in 8 bits takes 69 GB: 37 GB are beyond a 5090, and 64 GB/s of them make 1.8 steps a second."""
    answer = examine(LLAMA_70B, PRECISIONS["int8"], fits.machine_of(cards.fastest(gpu)), Claim(1, 0, 0, None, 3.5))
    assert answer.possible == possible


def test_what_is_beyond_a_gh200_comes_over_its_own_link() -> None:
    machine = fits.machine_of(cards.fastest("GH200 96GB"))
    assert machine.link == 450e9
    answer = examine(LLAMA_70B, FP16, machine, Claim(1, 0, 0, None, 14))
    assert not answer.possible and "450 GB/s at most" in "\n".join(lines_of(answer))
    assert examine(LLAMA_70B, FP16, machine, Claim(1, 0, 0, None, 12)).possible


def _config(folder: Path) -> str:
    file = folder / "config.json"
    config = {"vocab_size": 32000, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80}
    config = {**config, "model_type": "llama", "num_attention_heads": 64, "num_key_value_heads": 8}
    file.write_text(json.dumps(config), encoding="utf-8")
    return str(file)


def test_possible_takes_the_memory_of_other_and_of_rebuilt_cards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", _config(tmp_path), "--tokens-per-s", "5"]
    assert trtbench.possible.main([*model, "--gpu", "RTX 4090"]) == 1
    assert trtbench.possible.main([*model, "--gpu", "RTX 4090", "--memory-gb", "192"]) == 0
    assert trtbench.possible.main([*model, "--bandwidth-gbs", "1000"]) == 0
    assert "holds" not in capsys.readouterr().out.splitlines()[-4:][0]
    assert trtbench.possible.main([*model, "--bandwidth-gbs", "1000", "--memory-gb", "80"]) == 1
    assert "the card holds 85.90 GB (80 GiB)" in capsys.readouterr().out
    with pytest.raises(UserError, match="'0'"):
        trtbench.possible.main([*model, "--bandwidth-gbs", "1000", "--memory-gb", "0"])


def test_claims_says_it_of_each_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"name": "fast", "batch": 1, "new_tokens": 100, "latency_ms": 20e3, "throughput": 5},
        {"name": "slow", "batch": 1, "new_tokens": 100, "latency_ms": 200e3, "throughput": 0.5},
    ]
    file = tmp_path / "claims.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    options = [str(file), "--model", _config(tmp_path), "--precision", "fp16", "--gpu"]
    assert trtbench.claims.main([*options, "RTX 4090"]) == 1
    said = capsys.readouterr().out
    assert "FAIL claims.memory - fast: weights and KV cache take 138.0 GB in float16" in said
    assert "WARN claims.offload - slow" in said and "claims.offload - fast" not in said
    assert trtbench.claims.main([*options, "B200"]) == 0
    assert "Nothing found" in capsys.readouterr().out


def test_one_row_is_refuted_once() -> None:
    """A rate that the card's own memory refutes needs no second reason."""
    row = Row(name="x", batch=1, new_tokens=100, throughput=50.0)
    codes = {finding.code for finding in claim_table.check([row], LLAMA_70B, FP16, RTX_4090)}
    assert "claims.ceiling" in codes and "claims.memory" not in codes


def test_the_audit_of_runs_knows_no_memory() -> None:
    """Its rooflines are as they were: a run that was measured did fit."""
    machine = fits.machine_of(cards.fastest("H200"))
    without = dataclasses.replace(machine, memory=None, link=None)
    tiny = dataclasses.replace(machine, memory=1.0, link=1.0)
    floors = {roofline.generation_floor(TINYLLAMA, FP16, each, 8, 128, 200) for each in (machine, without, tiny)}
    assert len(floors) == 1
