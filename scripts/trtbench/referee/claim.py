"""One published speed against the roofline of a card and against itself, in sentences that any language can fill in."""

from __future__ import annotations

from dataclasses import dataclass

from trtbench.model.shape import ModelShape
from trtbench.referee import fits, roofline
from trtbench.referee.claim_rate import AGREES, CONTRADICTS, DECODE, ONE, PROMPT, REQUESTS, Held, held
from trtbench.referee.claim_said import Said, joined, said


@dataclass(frozen=True)
class Claim:
    """What somebody published: `latency_s` of a whole generation (s), `rate` in output tokens/s of all
    sequences together; one of the two may be None. `prompt` and `tokens` are ids a sequence, 0 if unknown."""

    batch: int
    prompt: int
    tokens: int
    latency_s: float | None
    rate: float | None


@dataclass(frozen=True)
class Answer:
    """The verdict and the sentences that explain it, in reading order."""

    possible: bool
    lines: tuple[Said, ...]


def examine(shape: ModelShape, precision: roofline.Precision, machine: roofline.Machine, claim: Claim) -> Answer:
    """Hold a claim against the roofline of a machine and against itself."""
    # A rate may leave the prefill out, so only decode steps bound it, from the shortest context on.
    steps = max(claim.tokens - 1, 1)
    decode = roofline.decode_floor(shape, precision, machine, claim.batch, claim.prompt, steps)
    lines = _allowed(shape, precision, machine, decode, steps, claim.batch)
    lines += fits.sentences(shape, precision, machine, claim.batch, claim.prompt, claim.tokens)
    faults = []
    if claim.latency_s is not None:
        whole = roofline.generation_floor(shape, precision, machine, claim.batch, claim.prompt, claim.tokens)
        lines.append(
            said(
                "claim.time",
                ms=claim.latency_s * 1e3,
                batch=claim.batch,
                tokens=claim.tokens,
                least=whole.seconds * 1e3,
                compared=_compared(whole, claim.latency_s, machine),
            )
        )
        if whole.refutes(claim.latency_s):
            faults.append(said("claim.time_too_short"))
        elif fits.refutes(whole, claim.tokens, machine, claim.latency_s):
            faults.append(said("claim.time_against_link", precision=precision.name))
    if claim.rate is not None:
        seconds = claim.batch * steps / claim.rate
        lines.append(said("claim.rate", rate=claim.rate, compared=_compared(decode, seconds, machine)))
        if decode.refutes(seconds):
            faults.append(said("claim.rate_too_high"))
        elif fits.refutes(decode, steps, machine, seconds):
            faults.append(said("claim.rate_against_link", precision=precision.name))
    if claim.rate is not None and claim.latency_s is not None:
        prefill = roofline.prefill_floor(shape, precision, machine, claim.batch, max(claim.prompt, 1))
        verdict = held(claim.batch, claim.prompt, claim.tokens, claim.latency_s, claim.rate, prefill)
        if verdict.word != AGREES:
            lines.append(_disagreement(verdict, claim, claim.latency_s, prefill.seconds))
        if verdict.word in (PROMPT, REQUESTS, CONTRADICTS):
            faults.append(said("claim.contradict"))
    if faults:
        word, why = said("claim.impossible"), joined("claim.and", faults)
    else:
        fit = fits.fit(shape, precision, machine, claim.batch, claim.prompt, claim.tokens)
        word = said("claim.possible")
        if fit is not None and not fit.whole:
            word = said("claim.possible_offloaded", outside=fit.outside / 1e9)
        why = said("claim.nothing_against")
    lines.append(said("claim.verdict", word=word, why=why))
    return Answer(not faults, tuple(lines))


def _allowed(
    shape: ModelShape,
    precision: roofline.Precision,
    machine: roofline.Machine,
    decode: roofline.Floor,
    steps: int,
    batch: int,
) -> list[Said]:
    """What a decode step reads, and how many tokens a second the machine allows at most."""
    top_rate = roofline.ceiling(decode, batch * steps)
    per_step = decode.traffic / steps
    reading = said("claim.reading", gbs=machine.bandwidth / 1e9)
    if machine.cards != 1:
        reading = said("claim.reading_together", gbs=machine.bandwidth / 1e9, cards=machine.cards)
    lines = [
        said(
            "claim.step_cache" if per_step > roofline.weight_bytes(shape, precision) else "claim.step",
            amount=_amount(per_step),
            weights=shape.parameters_read / 1e6,
            precision=precision.name,
        ),
        said(
            "claim.most_peak" if decode.bound == "peak" else "claim.most", reading=reading, rate=top_rate, batch=batch
        ),
    ]
    if per_step <= machine.cache:
        lines.append(said("claim.in_cache", mib=machine.cache / 2**20))
    return lines


def _amount(count: float) -> Said:
    return said("claim.gigabytes", count=count / 1e9) if count >= 1e8 else said("claim.megabytes", count=count / 1e6)


def _compared(floor: roofline.Floor, seconds: float, machine: roofline.Machine) -> Said:
    """How a time (s) stands to its floor, as the end of a sentence."""
    ratio = floor.seconds / seconds
    if floor.refutes(seconds):
        return said("claim.above", ratio=ratio)
    if ratio > 1:
        return said("claim.rounded", ratio=ratio)
    return said("claim.share", ratio=ratio, share=roofline.mbu(floor, seconds, machine.bandwidth))


def _disagreement(verdict: Held, claim: Claim, seconds: float, prefill: float) -> Said:
    """Why rate x time is not the tokens made; `seconds` is the whole time, `prefill` the prompt's floor (s)."""
    product, made = verdict.product, claim.batch * claim.tokens
    why = _why(verdict, claim, seconds * 1e3, prefill * 1e3)
    return said("claim.product", product=round(product), made=made, ratio=product / made, why=why)


def _why(verdict: Held, claim: Claim, ms: float, least: float) -> Said:
    """What explains it, as the end of a sentence; `ms` is the whole time, `least` the prompt's floor (ms)."""
    if verdict.word == PROMPT:
        return said("claim.with_prompt")
    if verdict.word == REQUESTS:
        return said("claim.requests", batch=claim.batch)
    if verdict.word == ONE:
        return said("claim.one", batch=claim.batch)
    if verdict.left is None and verdict.product < verdict.made:
        return said("claim.fewer")
    counted = said("claim.counted")
    if verdict.left is None:
        return said("claim.part", counted=counted)
    left = verdict.left * 1e3
    if verdict.word == DECODE:
        return said("claim.decode", left=left, ms=ms, least=least)
    if verdict.word != CONTRADICTS:
        return said("claim.unless", left=left, ms=ms, counted=counted)
    if verdict.most is None:
        return said("claim.too_short", counted=counted, left=left, ms=ms, least=least)
    most = verdict.most * 1e3
    if not claim.prompt:
        return said("claim.too_long_unsaid", counted=counted, left=left, ms=ms, most=most)
    return said("claim.too_long", counted=counted, left=left, ms=ms, prompt=claim.prompt, most=most)
