"""Can a published speed be true? `python3 -m trtbench.possible --model tinyllama --gpu "RTX 4070" …`.

Exit status 0: possible (which doesn't make it true), 1: impossible, 2: bad input. Needs no network, no GPU.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from trtbench import cards, roofline
from trtbench.errors import UserError, run_main
from trtbench.shape import TINYLLAMA, ModelShape

AGREEMENT = 0.02  # how far rate x time may be from the tokens made: room for rounded figures


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
    top_rate = roofline.ceiling(decode, claim.batch * steps)
    per_step = decode.traffic / steps
    cache = " and the KV cache" if per_step > roofline.weight_bytes(shape, precision) else ""
    lines = [
        f"A decode step reads {_amount(per_step)}: {shape.parameters_read / 1e6:,.1f} M weights in "
        f"{precision.name}{cache}.",
        f"At {machine.bandwidth / 1e9:,.0f} GB/s that allows at most {top_rate:,.1f} tokens/s"
        + (" (the peak of the tensor cores is the bound)" if decode.bound == "peak" else "")
        + f" at batch {claim.batch}.",
    ]
    if per_step <= machine.cache:
        lines.append(
            f"But all of it fits into the last-level cache ({machine.cache / 2**20:.0f} MiB), "
            "so memory bandwidth rules nothing out."
        )
    faults = []
    if claim.latency_s is not None:
        whole = roofline.generation_floor(shape, precision, machine, claim.batch, claim.prompt, claim.tokens)
        lines.append(
            f"Claimed: {claim.latency_s * 1e3:,.1f} ms for {claim.batch} x {claim.tokens} new tokens"
            f" where the least is {whole.seconds * 1e3:,.1f} ms" + _compared(whole, claim.latency_s, machine)
        )
        if whole.refutes(claim.latency_s):
            faults.append("the time is shorter than the memory or the tensor cores allow")
    if claim.rate is not None:
        seconds = claim.batch * steps / claim.rate
        lines.append(f"Claimed: {claim.rate:,.1f} tokens/s" + _compared(decode, seconds, machine))
        if decode.refutes(seconds):
            faults.append("the rate is above the ceiling")
    if claim.rate is not None and claim.latency_s is not None:
        disagreement = _disagreement(claim, claim.rate * claim.latency_s)
        if disagreement:
            lines.append(disagreement)
            faults.append("rate and time contradict each other")
    lines.append(
        f"IMPOSSIBLE: {'; '.join(faults)}."
        if faults
        else "POSSIBLE: nothing here rules it out, which doesn't make it true."
    )
    return Answer(not faults, tuple(lines))


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


def _disagreement(claim: Claim, product: float) -> str | None:
    made = claim.batch * claim.tokens
    if math.isclose(product, made, rel_tol=AGREEMENT):
        return None
    with_prompt = claim.batch * (claim.prompt + claim.tokens)
    if claim.prompt and math.isclose(product, with_prompt, rel_tol=AGREEMENT):
        cause = "that is prompt and output together: prompt tokens were counted as output"
    elif product > made:
        cause = (
            "prompt tokens were counted, ratios were averaged, padding was counted, "
            "or the rate leaves out part of the time"
        )
    else:
        cause = "fewer tokens came than were asked for, or the time holds more than the generation"
    return (
        f"Rate x time is {product:,.0f} tokens where {made:,} were made ({product / made:.2f} times as many): {cause}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer for one claim given as flags; see --help. Returns the exit status; raises UserError."""
    options = _parser().parse_args(arguments)
    if options.latency_ms is None and options.tokens_per_s is None:
        raise UserError("Nothing is claimed; give --latency-ms, --tokens-per-s or both.")
    if options.latency_ms is not None and not options.tokens:
        raise UserError("--latency-ms alone says nothing; give the new tokens of each sequence as --tokens.")
    shape = _model(options.model)
    precision = roofline.precision(options.precision)
    machine, place = _machine(options.gpu, options.bandwidth_gbs)
    claim = Claim(
        options.batch,
        options.prompt,
        options.tokens,
        None if options.latency_ms is None else options.latency_ms / 1e3,
        options.tokens_per_s,
    )
    answer = examine(shape, precision, machine, claim)
    print(f"{shape.architecture}, {shape.parameters / 1e6:,.1f} M parameters, on {place}.")
    print("\n".join(answer.lines))
    return 0 if answer.possible else 1


def _machine(gpu: str | None, bandwidth_gbs: float | None) -> tuple[roofline.Machine, str]:
    if gpu is not None and bandwidth_gbs is not None:
        raise UserError(
            "--gpu and --bandwidth-gbs exclude each other; "
            "give the first for a card in the table, the second for any other."
        )
    if gpu is not None:
        card = cards.fastest(gpu)
        return (
            roofline.Machine(card.bandwidth, card.gate_peak, card.cache),
            f"{card.name} (figures from: {card.source})",
        )
    if bandwidth_gbs is not None:
        # Peak and cache stay unknown: no bound by the one, no credit for the other.
        return roofline.Machine(bandwidth_gbs * 1e9), f"a card of {bandwidth_gbs:g} GB/s"
    raise UserError("No card is named; give --gpu, or --bandwidth-gbs for one that isn't in the table.")


def _model(name: str) -> ModelShape:
    if re.fullmatch(r"(tinyllama/)?tinyllama(-1\.1b.*)?", name, re.IGNORECASE):
        return TINYLLAMA
    return ModelShape.from_path(name)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see python3 -m trtbench.possible --help.")


def _whole(text: str, least: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


def _count(text: str) -> int:
    return _whole(text, 1)


def _count_or_zero(text: str) -> int:
    return _whole(text, 0)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _parser() -> _Parser:
    parser = _Parser(
        prog="python3 -m trtbench.possible",
        allow_abbrev=False,
        description="Says whether a model's published speed can be true on one card, and why.",
        epilog="Exit status: 0 possible, 1 impossible, 2 bad input.",
    )
    parser.add_argument("--model", required=True, help="tinyllama, a config.json, or a folder that has one")
    parser.add_argument("--gpu", help='a card ("RTX 4070"); an ambiguous name is judged by the fastest')
    parser.add_argument("--bandwidth-gbs", type=_positive, help="memory bandwidth in GB/s, for other cards")
    parser.add_argument("--precision", default="float16", help="how weights are stored (default: float16)")
    parser.add_argument("--batch", type=_count, default=1, help="sequences at once (default: 1)")
    parser.add_argument("--prompt", type=_count_or_zero, default=0, help="prompt ids of a sequence, if known")
    parser.add_argument("--tokens", type=_count, default=0, help="new tokens of each sequence")
    parser.add_argument("--latency-ms", type=_positive, help="time of the whole generation")
    parser.add_argument("--tokens-per-s", type=_positive, help="output tokens/s, all sequences together")
    return parser


if __name__ == "__main__":
    run_main(main)
