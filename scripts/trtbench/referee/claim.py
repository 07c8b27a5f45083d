"""One published speed against the roofline of a card and against itself, in sentences."""

from __future__ import annotations

from dataclasses import dataclass

from trtbench.model.shape import ModelShape
from trtbench.referee import fits, roofline
from trtbench.referee.claim_rate import AGREES, CONTRADICTS, DECODE, ONE, PROMPT, REQUESTS, Held, held


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
    lines: tuple[str, ...]


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
            f"Claimed: {claim.latency_s * 1e3:,.1f} ms for {claim.batch} x {claim.tokens} new tokens"
            f" where the least is {whole.seconds * 1e3:,.1f} ms" + _compared(whole, claim.latency_s, machine)
        )
        if whole.refutes(claim.latency_s):
            faults.append("the time is shorter than the memory or the tensor cores allow")
        elif fits.refutes(whole, claim.tokens, machine, claim.latency_s):
            faults.append(
                f"the time is shorter than the link allows for what does not fit one card in {precision.name}, if it computed all"
            )
    if claim.rate is not None:
        seconds = claim.batch * steps / claim.rate
        lines.append(f"Claimed: {claim.rate:,.1f} tokens/s" + _compared(decode, seconds, machine))
        if decode.refutes(seconds):
            faults.append("the rate is above the ceiling")
        elif fits.refutes(decode, steps, machine, seconds):
            faults.append(
                f"the rate is above what the link allows for what does not fit one card in {precision.name}, if it computed all"
            )
    if claim.rate is not None and claim.latency_s is not None:
        prefill = roofline.prefill_floor(shape, precision, machine, claim.batch, max(claim.prompt, 1))
        verdict = held(claim.batch, claim.prompt, claim.tokens, claim.latency_s, claim.rate, prefill)
        if verdict.word != AGREES:
            lines.append(_disagreement(verdict, claim, claim.latency_s, prefill.seconds))
        if verdict.word in (PROMPT, REQUESTS, CONTRADICTS):
            faults.append("rate and time contradict each other")
    fit = fits.fit(shape, precision, machine, claim.batch, claim.prompt, claim.tokens)
    only = "" if fit is None or fit.whole else f" only with offload of {fit.outside / 1e9:,.2f} GB to the host"
    lines.append(
        f"IMPOSSIBLE: {'; '.join(faults)}."
        if faults
        else f"POSSIBLE{only}: nothing here rules it out, which doesn't make it true."
    )
    return Answer(not faults, tuple(lines))


def _allowed(
    shape: ModelShape,
    precision: roofline.Precision,
    machine: roofline.Machine,
    decode: roofline.Floor,
    steps: int,
    batch: int,
) -> list[str]:
    """What a decode step reads, and how many tokens a second the machine allows at most."""
    top_rate = roofline.ceiling(decode, batch * steps)
    per_step = decode.traffic / steps
    cache = " and the KV cache" if per_step > roofline.weight_bytes(shape, precision) else ""
    together = "" if machine.cards == 1 else f" of {machine.cards:,} cards together"
    lines = [
        f"A decode step reads {_amount(per_step)}: {shape.parameters_read / 1e6:,.1f} M weights in "
        f"{precision.name}{cache}.",
        f"At {machine.bandwidth / 1e9:,.0f} GB/s{together} that allows at most {top_rate:,.1f} tokens/s"
        + (" (the peak of the tensor cores is the bound)" if decode.bound == "peak" else "")
        + f" at batch {batch}.",
    ]
    if per_step <= machine.cache:
        lines.append(
            f"But all of it fits into the last-level cache ({machine.cache / 2**20:.0f} MiB), "
            "so memory bandwidth rules nothing out."
        )
    return lines


def _amount(count: float) -> str:
    return f"{count / 1e9:.3f} GB" if count >= 1e8 else f"{count / 1e6:.3f} MB"


def _compared(floor: roofline.Floor, seconds: float, machine: roofline.Machine) -> str:
    """How a time (s) stands to its floor, as the end of a sentence."""
    ratio = floor.seconds / seconds
    if floor.refutes(seconds):
        return f": {ratio:.2f} times the ceiling."
    if ratio > 1:
        return f": {ratio:.2f} times the ceiling, which rounded figures or the last-level cache explain."
    share = roofline.mbu(floor, seconds, machine.bandwidth)
    return f": {ratio:.0%} of the ceiling (memory bandwidth utilisation {share:.0%})."


def _disagreement(verdict: Held, claim: Claim, seconds: float, prefill: float) -> str:
    """Why rate x time is not the tokens made; `seconds` is the whole time, `prefill` the prompt's floor (s)."""
    product, made = verdict.product, verdict.made
    start = f"Rate x time is {product:,.0f} tokens where {made:,.0f} were made ({product / made:.2f} times as many): "
    if verdict.word == PROMPT:
        return f"{start}that is prompt and output together: prompt tokens were counted as output."
    if verdict.word == REQUESTS:
        return f"{start}that is the batch of {claim.batch}, a rate of requests and not of tokens."
    if verdict.word == ONE:
        return f"{start}that is a rate of one of the {claim.batch} sequences, not of all."
    if verdict.left is None and product < made:
        return f"{start}fewer tokens came than were asked for, or the time holds more than the generation."
    counted = "prompt tokens were counted, ratios were averaged or padding was counted"
    if verdict.left is None:
        return f"{start}{counted}, or the rate leaves out part of the time."
    left = f"{verdict.left * 1e3:,.1f} ms of the {seconds * 1e3:,.1f} ms"
    least = f"its least is {prefill * 1e3:,.1f} ms"
    if verdict.word == DECODE:
        return f"{start}the rate leaves the prompt out: the steps after the first token leave {left} for the prompt, and {least}."
    if verdict.word == CONTRADICTS:
        if verdict.most is not None:
            which = f"{claim.prompt:,} ids take" if claim.prompt else "one of a length that is not said takes"
            least = f"{which} {verdict.most * 1e3:,.1f} ms at most"
        return f"{start}{counted}; a rate that leaves the prompt out would leave {left} for the prompt, and {least}."
    return (
        f"{start}rate and time contradict each other unless the rate leaves the prompt out, which then took {left}; "
        f"else {counted}."
    )
