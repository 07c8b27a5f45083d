"""The options that every command on claims takes: what model, on what card, in what precision. Needs the standard library only."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from trtbench.errors import UserError
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA, ModelShape, config_of
from trtbench.referee import fits, roofline
from trtbench.referee.claim_formats.numbers import LEAST, MOST


@dataclass(frozen=True)
class Roof:
    """What bounds a claim; `place` is the card in words."""

    shape: ModelShape
    machine: roofline.Machine
    place: str


class Parser(argparse.ArgumentParser):
    """A command's options: what is wrong with them is a UserError, and none may be abbreviated."""

    def __init__(self, command: str, description: str | None, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"python3 -m trtbench.{command}",
            allow_abbrev=False,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """One sentence, exit status 2."""
        raise UserError(f"{message}; see {self.prog} --help.")

    def parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """The options given. Raises UserError."""
        try:
            return self.parse_args(arguments)
        except ValueError as error:  # an argument that Python itself can't take, such as an integer of 5,000 digits
            raise UserError(f"{error}; see {self.prog} --help.") from None


def add(parser: Parser, model_required: bool) -> None:
    """Add the options that say what a claim is held against, and how many sequences and ids it is of."""
    parser.add_argument("--model", required=model_required, help="tinyllama, a config.json, or a folder that has one")
    parser.add_argument("--gpu", help='a card ("RTX 4070"); an ambiguous name is judged by the fastest')
    parser.add_argument("--bandwidth-gbs", type=positive, help="memory bandwidth in GB/s, for other cards")
    parser.add_argument("--memory-gb", type=positive, help="memory in GiB, for other cards and rebuilt ones")
    parser.add_argument(
        "--precision",
        help="how weights are stored: fp16, bf16, int8, … (default: as a quantised config.json says, else float16)",
    )
    parser.add_argument("--batch", type=count, help="sequences at once")
    parser.add_argument("--prompt", type=count_or_zero, default=0, help="prompt ids of a sequence, if known")
    parser.add_argument("--tokens", type=count, default=0, help="new tokens of each sequence")


def roof(options: argparse.Namespace) -> Roof:
    """Model and card of the options; raises UserError where one is missing or not known."""
    shape = model(options.model)
    machine, place = card(options.gpu, options.bandwidth_gbs)
    if options.memory_gb is not None:
        machine = dataclasses.replace(machine, memory=options.memory_gb * 2**30, link=machine.link or fits.LINK)
    return Roof(shape, machine, place)


def precision(options: argparse.Namespace) -> roofline.Precision:
    """How the weights are stored: as the options say, else in the bits that a quantised config.json names, else in float16."""
    if options.precision is not None:
        return roofline.precision(options.precision)
    stored = roofline.precision("float16")
    config = {} if options.model is None or _is_tinyllama(options.model) else config_of(options.model)
    bits = roofline.packed_bits(config)
    if bits is None:
        return stored
    method = str(config["quantization_config"].get("quant_method", "quantised"))
    fastest = max(each.peak_factor for each in roofline.PRECISIONS.values())
    return dataclasses.replace(stored, name=f"{method} ({bits:g} bits)", weight_bits=bits, peak_factor=fastest)


def _is_tinyllama(name: str) -> bool:
    return re.fullmatch(r"(tinyllama/)?tinyllama(-1\.1b.*)?", name, re.IGNORECASE) is not None


def model(name: str) -> ModelShape:
    """The shape of a model by name (TinyLlama's, also the Hub's), config.json or folder."""
    if _is_tinyllama(name):
        return TINYLLAMA
    return ModelShape.from_path(name)


def card(gpu: str | None, bandwidth_gbs: float | None) -> tuple[roofline.Machine, str]:
    """What bounds a card by its name or its bandwidth, and the card in words."""
    if gpu is not None and bandwidth_gbs is not None:
        raise UserError(
            "--gpu and --bandwidth-gbs exclude each other; "
            "give the first for a card in the table, the second for any other."
        )
    if gpu is not None:
        named = cards.fastest(gpu)
        return fits.machine_of(named), f"{named.name} (figures from: {named.source})"
    if bandwidth_gbs is not None:
        # Peak and cache stay unknown: no bound by the one, no credit for the other.
        return roofline.Machine(bandwidth_gbs * 1e9), f"a card of {bandwidth_gbs:g} GB/s"
    raise UserError("No card is named; give --gpu, or --bandwidth-gbs for one that isn't in the table.")


def _whole(text: str, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not a whole number of at least {least}")
    return int(text)


def count(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def count_or_zero(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def positive(text: str) -> float:
    """A number above 0 that a benchmark can give."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not LEAST <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not a number above 0")
    return number
