"""Rate against time: what explains a disagreement, within bounds, and one answer of both commands."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trtbench.claims
import trtbench.possible
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA
from trtbench.referee import claim_table, fits, roofline
from trtbench.referee.claim import Claim, examine
from trtbench.referee.claim_formats.row import Row

FP16 = roofline.precision("fp16")
SLOW = roofline.Machine(20e9)
H200 = fits.machine_of(cards.fastest("H200"))


def row(batch: int, prompt: int, tokens: int, milliseconds: float, rate: float) -> Row:
    return Row("x", batch=batch, new_tokens=tokens, prompt=prompt or None, latency=milliseconds, throughput=rate)


@pytest.mark.parametrize(
    ("claim", "code", "words"),
    [
        ((1, 0, 128, 1050, 190_500), "claims.rate", "too long: one of a length that is not said takes 688.0 ms at most"),
        ((1, 0, 128, 1050, 190.5), "claims.decode", "contradict each other unless"),
        ((1, 0, 128, 1050, 20_000), "claims.rate", "takes 1,039.5 ms at most"),  # the steps take 0.6 % of the time
        ((1, 16, 128, 200e3, 60), "claims.rate", "too long: 16 ids take 2,133.3 ms at most"),
        ((1, 16, 128, 2200, 60), "claims.decode", ""),  # a start of 83 ms
        ((1, 8000, 128, 50e3, 60), "claims.decode", ""),
        ((1, 8000, 128, 500e3, 60), "claims.rate", "8,000 ids take"),
        ((32, 1000, 100, 30e3, 1000), "claims.decode", ""),  # 32 tokens a step
    ],
)  # fmt: skip
def test_what_is_left_for_the_prompt_is_not_longer_than_a_prompt_takes(
    claim: tuple[int, int, int, float, float], code: str, words: str
) -> None:
    (finding,) = claim_table.check([row(*claim)])
    assert finding.code == code and words in finding.sentence, finding.sentence


def test_a_decode_rate_is_held_to_the_prompt_that_is_said() -> None:
    honest = dataclasses.replace(row(1, 16, 128, 2200, 60), rate_unit="decode")
    assert [f.code for f in claim_table.check([honest])] == ["claims"]
    late = dataclasses.replace(honest, latency=200e3)
    assert [f.code for f in claim_table.check([late])] == ["claims.rate"]
    # 2.4 s x 60 tok/s is 144, prompt and output: by chance, since the rate leaves the prompt out.
    chance = dataclasses.replace(honest, latency=2400.0)
    assert [f.code for f in claim_table.check([chance])] == ["claims"]


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ("--batch 8 --tokens 200 --latency-ms 4000 --tokens-per-s 50", 0, "that is a rate of one of the 8 sequences"),
        ("--batch 8 --tokens 200 --latency-ms 4000 --tokens-per-s 2", 1, "a rate of requests and not of tokens"),
        ("--batch 1 --tokens 200 --latency-ms 4000 --tokens-per-s 0.25", 1, "a rate of requests and not of tokens"),
        ("--prompt 16 --tokens 128 --latency-ms 200000 --tokens-per-s 60", 1, "16 ids take 2,133.3 ms at most"),
        ("--tokens 128 --latency-ms 200000 --tokens-per-s 60", 0, "contradict each other unless"),
        ("--tokens 128 --latency-ms 300000 --tokens-per-s 60", 1, "a length that is not said takes 297,000.0 ms at most"),
    ],
)  # fmt: skip
def test_possible_tells_what_claims_tells(
    options: str, status: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = ["--model", "tinyllama", "--gpu", "H200"]
    assert trtbench.possible.main([*card, *options.split()]) == status
    assert words in capsys.readouterr().out
    names = {"--batch": "batch", "--prompt": "prompt", "--tokens": "new_tokens", "--latency-ms": "latency_ms"}
    words_of = options.split()
    said = {names.get(name, "tokens_per_s"): float(value) for name, value in zip(words_of[::2], words_of[1::2])}
    file = tmp_path / "claims.json"
    file.write_text(json.dumps([{"batch": 1} | said]), encoding="utf-8")
    assert trtbench.claims.main([str(file), *card]) == status


@settings(deadline=None)
@given(
    st.sampled_from([1, 2, 8, 64]),
    st.sampled_from([0, 1, 16, 128, 4096]),
    st.sampled_from([1, 2, 20, 200]),
    st.floats(1, 1e7),
    st.floats(1e-3, 1e5) | st.sampled_from(["tokens", "all", "one", "requests"]),
    st.sampled_from([SLOW, H200, fits.machine_of(cards.fastest("RTX 4070"))]),
)
def test_both_commands_answer_alike(
    batch: int, prompt: int, tokens: int, milliseconds: float, rate: float | str, machine: roofline.Machine
) -> None:
    made = {"tokens": batch * tokens, "all": batch * (prompt + tokens), "one": tokens, "requests": batch}
    if isinstance(rate, str):
        rate = made[rate] / milliseconds * 1e3
    answer = examine(TINYLLAMA, FP16, machine, Claim(batch, prompt, tokens, milliseconds / 1e3, rate))
    found = claim_table.check([row(batch, prompt, tokens, milliseconds, rate)], TINYLLAMA, FP16, machine)
    assert answer.possible == all(each.level != claim_table.FAIL for each in found), (answer.lines, found)
