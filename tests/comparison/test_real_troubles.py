"""What went wrong on a real card, knowingly: the records as they were written there, read and audited as a stranger's are."""

from __future__ import annotations

from pathlib import Path

import msgspec

from trtbench.comparison import untrusted
from trtbench.comparison.bundle import Bundle
from trtbench.comparison.result import Comparison
from trtbench.comparison.safe_reading import unpacked
from trtbench.report import markdown, text

DATA = Path(__file__).parents[1] / "data"


def recorded(name: str) -> tuple[Comparison, Bundle, dict[str, str]]:
    """The run compared, its records, and what the audit found by code."""
    path = DATA / f"{name}.bundle"
    comparison, _ = untrusted.read(path)
    bundle = msgspec.json.decode(unpacked(path, path.read_bytes()), type=Bundle)
    return comparison, bundle, {f.code: f.lane or "" for f in comparison.findings if f.level != "pass"}


def test_a_second_process_on_the_card_is_caught() -> None:
    """Another lane, knowingly started beside it on an H200, before disturbed trials were run again."""
    _, _, found = recorded("neighbour")
    assert found["machine.neighbour"] == "pytorch-triton"
    assert "machine.busy" in found


def test_a_trial_beside_a_second_process_is_run_again_and_does_not_count() -> None:
    """Beside the first of two trials another process multiplied matrices for 22 s (H200)."""
    comparison, bundle, found = recorded("neighbour_again")
    assert found == {}, "what was disturbed was run again, so the audit has nothing to say of it"
    (disturbed,) = comparison.disturbed
    assert [(disturbed.index, disturbed.attempt, disturbed.counts)] == [(1, 1, False)]
    assert [(reason.kind, reason.value) for reason in disturbed.reasons][1:] == [
        ("gpu_process", 1.0),
        ("gpu_used", 99.0),
    ]
    means = [sum(e2e.times) / len(e2e.times) / 1e6 for t in bundle.trials if (e2e := t.cells[0].e2e) is not None]
    beside, *alone = means
    assert beside > 2 * max(alone), "the other process more than doubled the times"
    (figures,) = comparison.cells[0].figures
    assert (figures.trials, round(figures.latency, 1)) == (2, 135.3) and max(alone) < 1.001 * min(alone)
    assert (
        "1 other process computed on a GPU, a GPU was 99.00% in use before it began; run again, so it does not count"
        in " ".join(text.render(comparison, "en").replace("* ", "").split())
    )


def test_a_batch_that_does_not_fit_on_the_card_is_a_hole_with_its_figures() -> None:
    """4,096 sequences of 2,028 positions on an H200: 187 GB of KV cache. The batch of 8 before it stands."""
    comparison, _, found = recorded("out_of_memory")
    assert set(found) == {"steady.unsettled", "aa.few"}, "three warm-up calls and one trial were asked for"
    small, large = comparison.cells
    assert [(f.lane, round(f.latency)) for f in small.figures] == [("pytorch-tuned", 3240)]
    assert (small.batch, large.batch, large.figures) == (8, 4096, [])
    (hole,) = large.holes
    assert hole.reason == (
        "out of memory with batch 4096 and 128 + 1900 tokens (3.96 GiB more were asked for, 2.05 GiB of the GPU's 139.80 GiB were "
        "free); lower BATCH_SIZES, PROMPT_LENGTHS or NEW_TOKENS"
    )
    assert "PyTorch tuned: not measured: out of memory with batch 4096" in markdown.render(comparison, "en")


def test_an_engine_that_refused_the_batch_lost_the_figures_of_the_smaller_one() -> None:
    """The same run: ONNX Runtime's exception was taken for a failure of the trial, so batch 8 has no figures either. Today it is a
    hole (tests/lanes/test_genai.py)."""
    comparison, _, _ = recorded("out_of_memory")
    (absent,) = comparison.failed
    assert (absent.lane, absent.failure.phase) == ("onnxruntime", "warm-up")
    assert absent.failure.reason == "RuntimeError: batch_size (4096) must be in [1, 32]"
    assert {f.lane for row in comparison.cells for f in row.figures} == {"pytorch-tuned"}
