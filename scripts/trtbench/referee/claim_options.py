"""The options that every command on claims takes: what model, on what card, in what precision. Needs the standard library only."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from trtbench import __version__
from trtbench.errors import UserError
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA, ModelShape, config_of
from trtbench.referee import claim_precision, fits, roofline
from trtbench.referee.claim_formats.numbers import LEAST, MOST, MOST_CARDS
from trtbench.referee.claim_said import Said, said


@dataclass(frozen=True)
class Roof:
    """What bounds a claim: `machine` is one card, `place` that card in words, `cards` how many of them share the work and
    `precision` how weights are stored, where a row does not say it."""

    shape: ModelShape
    precision: roofline.Precision
    machine: roofline.Machine
    place: Said
    cards: int

    @property
    def on(self) -> Said:
        """Model and cards in words."""
        places = self.place if self.cards == 1 else said("claim.several", place=self.place, cards=self.cards)
        millions = self.shape.parameters / 1e6
        return said("claim.on", architecture=self.shape.architecture, parameters=millions, place=places)


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
        self.add_argument("--version", action="version", version=f"trtbench {__version__}")

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
    parser.add_argument("--cards", type=card_count, help="how many such cards share the work (default: one)")
    parser.add_argument(
        "--precision",
        help="how weights are stored: fp16, bf16, int8, … (default: as a quantised config.json says, else float16)",
    )
    parser.add_argument("--batch", type=count, help="sequences at once")
    parser.add_argument("--prompt", type=count_or_zero, default=0, help="prompt ids of a sequence, if known")
    parser.add_argument("--tokens", type=count, default=0, help="new tokens of each sequence")


def roof(options: argparse.Namespace) -> Roof:
    """Model and card of the options; raises UserError where one is missing or not known."""
    shape, stored = model(options.model)
    machine, place = card(options.gpu, options.bandwidth_gbs)
    if options.memory_gb is not None:
        machine = dataclasses.replace(machine, memory=options.memory_gb * 2**30, link=machine.link or fits.LINK)
    return Roof(shape, said_precision(options) or stored, machine, place, options.cards or 1)


def said_precision(options: argparse.Namespace) -> roofline.Precision | None:
    """How weights are stored, where the options say it; raises UserError for a name that isn't known."""
    return None if options.precision is None else roofline.precision(options.precision)


def model(name: str) -> tuple[ModelShape, roofline.Precision]:
    """The shape of a model by name (TinyLlama's, also the Hub's), config.json or folder, and how its weights are stored: as a
    quantised config.json says, else in float16. What lies under the name counts before the name."""
    if re.fullmatch(r"(tinyllama/)?tinyllama(-1\.1b.*)?", name, re.IGNORECASE) and not os.path.exists(name):
        return TINYLLAMA, claim_precision.of_config({})
    config = config_of(name)
    return ModelShape.from_config(config), claim_precision.of_config(config)


def card(gpu: str | None, bandwidth_gbs: float | None) -> tuple[roofline.Machine, Said]:
    """What bounds a card by its name or its bandwidth, and the card in words."""
    if gpu is not None and bandwidth_gbs is not None:
        raise UserError(
            "--gpu and --bandwidth-gbs exclude each other; "
            "give the first for a card in the table, the second for any other."
        )
    if gpu is not None:
        named = cards.fastest(gpu)
        return fits.machine_of(named), said("claim.card", name=named.name, source=named.source)
    if bandwidth_gbs is not None:
        # Peak and cache stay unknown: no bound by the one, no credit for the other.
        return roofline.Machine(bandwidth_gbs * 1e9), said("claim.other_card", gbs=bandwidth_gbs)
    raise UserError("No card is named; give --gpu, or --bandwidth-gbs for one that isn't in the table.")


def _whole(text: str, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not a whole number of at least {least}")
    return int(text)


def count(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def card_count(text: str) -> int:
    """A number of cards."""
    number = count(text)
    if number > MOST_CARDS:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {MOST_CARDS:,} cards")
    return number


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
