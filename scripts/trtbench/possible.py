"""Can a published speed be true? `python3 -m trtbench.possible --model tinyllama --gpu "RTX 4070" …`.

Exit status 0: possible (which doesn't make it true), 1: impossible, 2: bad input. Needs no network, no GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
from collections.abc import Sequence
from typing import NoReturn

from trtbench.errors import UserError, run_main
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA, ModelShape
from trtbench.referee import fits, roofline
from trtbench.referee.claim import Claim, examine


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
    if options.memory_gb is not None:
        machine = dataclasses.replace(machine, memory=options.memory_gb * 2**30, link=machine.link or fits.LINK)
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
        return fits.machine_of(card), f"{card.name} (figures from: {card.source})"
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
    parser.add_argument("--memory-gb", type=_positive, help="memory in GiB, for other cards and rebuilt ones")
    parser.add_argument("--precision", default="float16", help="how weights are stored (default: float16)")
    parser.add_argument("--batch", type=_count, default=1, help="sequences at once (default: 1)")
    parser.add_argument("--prompt", type=_count_or_zero, default=0, help="prompt ids of a sequence, if known")
    parser.add_argument("--tokens", type=_count, default=0, help="new tokens of each sequence")
    parser.add_argument("--latency-ms", type=_positive, help="time of the whole generation")
    parser.add_argument("--tokens-per-s", type=_positive, help="output tokens/s, all sequences together")
    return parser


if __name__ == "__main__":
    run_main(main)
