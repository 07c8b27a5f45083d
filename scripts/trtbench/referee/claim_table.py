"""Published rows held against themselves and against a card, as findings in English."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trtbench.model.shape import ModelShape
from trtbench.referee import claim_precision, fits, roofline
from trtbench.referee.claim_formats.row import Row
from trtbench.referee.claim_rate import AGREEMENT, AGREES, CONTRADICTS, DECODE, ONE, PROMPT, REQUESTS, held
from trtbench.referee.claim_units import MS

PASS, WARN, FAIL = "pass", "warn", "fail"
LEVELS = (FAIL, WARN, PASS)

# Code: level, when it is made, what to do about it. They stand in docs/methodology.md too.
TABLE: dict[str, tuple[str, str, str]] = {
    "claims.rate": (
        FAIL,
        "rate x time is not the number of new tokens (2 %), and no prompt left out of the rate explains it",
        "Rate and time contradict each other: refuse both.",
    ),
    "claims.prompt": (
        FAIL,
        "rate x time is the number of prompt and new tokens together (2 %)",
        "Prompt tokens are no output: divide by the new ones.",
    ),
    "claims.ceiling": (FAIL, "time or rate is beyond the roofline of the card", "Not possible on this card."),
    "claims.memory": (
        FAIL,
        "weights and KV cache do not fit the card, and its link is too slow for the part that lies outside",
        "Not possible on one such card in this precision: ask for the quantisation, the number of cards, and what the host's "
        "processor computed.",
    ),
    "claims.offload": (
        WARN,
        "weights and KV cache do not fit the card",
        "Only with offload, a smaller precision or several cards: ask for it.",
    ),
    "claims.decode": (
        WARN,
        "rate x time is above the new tokens, and the rate may leave the prompt's time out",
        "Compare it with no rate over the whole time.",
    ),
    "claims.speculative": (
        WARN,
        "the file speaks of speculative decoding, and a step may make several tokens",
        "Not judged against the ceiling: ask for the figures without it.",
    ),
    "claims.unit": (
        WARN,
        "a name says no unit, and rate and time do not tell it",
        "Say it: --latency-unit s or ms, --throughput-unit tokens or requests.",
    ),
    "claims.incomplete": (
        WARN,
        "of time, rate, batch, new tokens and precision something is missing that a check needs",
        "Ask for latency, throughput, batch and new tokens; --batch, --prompt and --tokens say what a file leaves out.",
    ),
    "claims": (PASS, "evidence was there and nothing above was found", ""),
}


@dataclass(frozen=True)
class ClaimFinding:
    """One thing said of a row: a code of TABLE, and a sentence with its figures."""

    code: str
    name: str = ""
    sentence: str = ""

    @property
    def level(self) -> str:
        """pass, warn or fail."""
        return TABLE[self.code][0]

    @property
    def advice(self) -> str:
        """What to do about it."""
        return TABLE[self.code][2]


def check(
    rows: Sequence[Row],
    shape: ModelShape | None = None,
    precision: roofline.Precision | None = None,
    machine: roofline.Machine | None = None,
    said: bool = False,
) -> list[ClaimFinding]:
    """Findings about published rows, fails first: each row against itself and, with shape, precision and machine, against the
    roofline. `precision` is that of rows which say none and, where the user `said` it, of those whose word is not known."""
    findings: list[ClaimFinding] = []
    for row in rows:
        judge = _Judge(row, shape, precision, machine, said)
        findings += judge.against_itself() + judge.against_card()
    if not findings:
        return [ClaimFinding("claims")]
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


class _Judge:
    """One row, with what it can be held against."""

    def __init__(
        self,
        row: Row,
        shape: ModelShape | None,
        precision: roofline.Precision | None,
        machine: roofline.Machine | None,
        said: bool,
    ) -> None:
        self.row, self.shape, self.precision = row, shape, precision
        self.unknown: str | None = None
        if precision is not None:
            self.precision, self.unknown = claim_precision.of_row(row.precision, row.cache, precision, said)
        self.machine = machine and fits.together(machine, row.cards or 1)
        # Lengths that vary are means; rounded down they bound less.
        self.prompt, self.tokens = int(row.prompt or 0), int(row.new_tokens or 0)

    def found(self, code: str, sentence: str) -> list[ClaimFinding]:
        return [ClaimFinding(code, self.row.name, f"{self.row.name}: {sentence}")]

    def against_itself(self) -> list[ClaimFinding]:
        """Rate against time, or each rate against what the file says that it was made of."""
        row = self.row
        findings = []
        for part in row.sums:
            product = part.rate * part.seconds
            if not math.isclose(product, part.tokens, rel_tol=AGREEMENT):
                findings += self.found(
                    "claims.rate",
                    f"{part.rate:,.1f} tok/s x {part.seconds * 1e3:,.1f} ms is {product:,.0f} where {part.tokens:,.0f} "
                    f"{part.what} were counted.",
                )
        missing = [
            name
            for name, value in (
                ("latency", row.latency),
                ("throughput", row.throughput),
                ("batch", row.batch),
                ("new tokens", row.new_tokens),
            )
            if value is None and not (row.sums and name in ("latency", "throughput"))
        ]
        if missing:
            are = "are" if len(missing) > 1 else "is"
            return findings + self.found(
                "claims.incomplete",
                f"{', '.join(missing)} {are} missing, so that not all of its figures can be held against each other.",
            )
        if row.sums or row.at_most:
            return findings + ([] if row.sums or self._has_card() else self._nothing_to_check())
        return findings + self._rate_and_time()

    def _has_card(self) -> bool:
        return self.shape is not None and self.machine is not None and self.precision is not None

    def _nothing_to_check(self) -> list[ClaimFinding]:
        return self.found(
            "claims.incomplete",
            "its means are over requests that overlap: without --model and a card nothing was checked.",
        )

    def _rate_and_time(self) -> list[ClaimFinding]:
        row = self.row
        batch, rate, latency = row.batch or 1, row.throughput or 0.0, row.latency or 0.0
        if row.latency_unit is None:
            return self._open_unit(batch, rate, latency)
        if row.rate_unit == "total":
            if not row.prompt:
                return self.found(
                    "claims.incomplete", "its rate counts prompt tokens, and how many there are is not said."
                )
            made, product = batch * (row.prompt + (row.new_tokens or 0)), rate * latency / 1e3
            if math.isclose(product, made, rel_tol=AGREEMENT):
                return []
            return self._contradiction(rate, latency, product, made, "prompt and new tokens")
        prefill = None
        if self.shape is not None and self.machine is not None and self.precision is not None:
            prefill = roofline.prefill_floor(self.shape, self.precision, self.machine, batch, max(self.prompt, 1))
        decode_only = row.rate_unit == "decode"
        verdict = held(batch, row.prompt or 0, row.new_tokens or 0, latency / 1e3, rate, prefill, decode_only)
        if verdict.word == REQUESTS:
            return self.found(
                "claims.unit" if row.rate_unit is None else "claims.rate",
                f"{rate:,.1f} a second x {latency:,.1f} ms is {verdict.product:,.1f}, the batch of {batch}: that is a rate of "
                "requests, not of tokens.",
            )
        if verdict.word == ONE:
            return self.found(
                "claims.unit",
                f"{rate:,.1f} tok/s x {latency:,.1f} ms is {row.new_tokens or 0:,.0f}, the new tokens of one sequence: that is a "
                f"rate of one of the {batch}, not of all.",
            )
        if verdict.word == AGREES or (decode_only and verdict.word != CONTRADICTS):
            return []
        said = f"{rate:,.1f} tok/s x {latency:,.1f} ms is {verdict.product:,.0f} tokens"
        new = f"{verdict.made:,.0f} are new"
        if verdict.word == PROMPT:
            return self.found("claims.prompt", f"{said}: prompt and output together, {new}.")
        if verdict.left is None:
            return self.found("claims.rate", f"{said} where {new}.")
        left = f"{verdict.left * 1e3:,.1f} ms"
        if verdict.word == CONTRADICTS:
            wrong = "which is too short"
            if verdict.most is not None:
                which = f"{row.prompt:,.0f} ids take" if row.prompt else "one of a length that is not said takes"
                wrong = f"which is too long: {which} {verdict.most * 1e3:,.1f} ms at most"
            return self.found(
                "claims.rate", f"{said} where {new}; a rate without the prompt's time leaves {left} for it, {wrong}."
            )
        if verdict.word == DECODE:
            return self.found(
                "claims.decode",
                f"the rate leaves the prompt out: {said} where {new}, and its steps leave {left} for the prompt.",
            )
        return self.found(
            "claims.decode",
            "rate and time contradict each other unless the rate leaves the prompt out, which then took "
            f"{left}: {said} where {new}.",
        )

    def _contradiction(self, rate: float, latency: float, product: float, made: float, what: str) -> list[ClaimFinding]:
        return self.found(
            "claims.rate",
            f"{rate:,.1f} tok/s x {latency:,.1f} ms is {product:,.0f} where {made:,.0f} {what} were made.",
        )

    def _open_unit(self, batch: int, rate: float, latency: float) -> list[ClaimFinding]:
        """A time that may be in s or ms and agrees with its rate in neither, or in both."""
        product, made = rate * latency, batch * (self.row.new_tokens or 0)
        if product < made * (1 - AGREEMENT) and self.row.rate_unit in ("tokens", "decode"):
            return self.found(
                "claims.rate",
                f"{rate:,.1f} tok/s x {latency:,.1f} s is {product:,.0f} tokens where {made:,.0f} are new, and in ms a thousandth.",
            )
        return self.found(
            "claims.unit",
            f"a latency of {latency:,g} says no unit: with its rate it is {product:,.0f} tokens in s and {product / 1e3:,.1f} in ms "
            f"where {made:,.0f} are new.",
        )

    def against_card(self) -> list[ClaimFinding]:
        """Time and rate against the least that the card needs."""
        shape, machine, precision, row = self.shape, self.machine, self.precision, self.row
        if shape is None or machine is None or precision is None:
            return []
        unknown = []
        if self.unknown is not None:
            unknown = self.found(
                "claims.incomplete",
                f"weights in {self.unknown!r} are not known here: held against the card in the fewest bits there are, 1; "
                "--precision says otherwise.",
            )
        if not self.tokens:
            return unknown
        if row.speculative:
            return unknown + self.found("claims.speculative", "not judged against the ceiling: speculative decoding.")
        batch, steps = row.batch or 1, max(self.tokens - 1, 1)
        alone = 1 if row.at_most else batch  # of a request among others no more is known than that it ran
        floors = []
        if row.latency is not None:
            # A time without a unit is refuted where it is too short in the longer one.
            seconds = row.latency * (MS["s"] if row.latency_unit is None else 1) / 1e3
            whole = roofline.generation_floor(shape, precision, machine, alone, self.prompt, self.tokens)
            floors.append(("whole generation", whole, self.tokens, seconds))
        if row.decode is not None and self.tokens > 1:
            later = roofline.decode_floor(shape, precision, machine, alone, self.prompt, self.tokens - 1)
            floors.append(("decode", later, self.tokens - 1, row.decode / 1e3))
        if row.throughput is not None and row.batch is not None and row.rate_unit != "total":
            # A rate may leave the prefill out, so only the decode steps bound it.
            decode = roofline.decode_floor(shape, precision, machine, batch, self.prompt, steps)
            floors.append(("decode", decode, steps, batch * steps / row.throughput))
        beyond = [
            ClaimFinding(
                "claims.ceiling",
                row.name,
                f"{row.name}: {floor.seconds / seconds:,.2f} times what {machine.bandwidth / 1e9:,.1f} GB/s and "
                f"{precision.name} weights allow{_on(machine)} ({what}).",
            )
            for what, floor, _, seconds in floors
            if floor.refutes(seconds)
        ]
        return unknown + beyond + self._against_memory(alone, precision, machine, floors)

    def _against_memory(
        self,
        batch: int,
        precision: roofline.Precision,
        machine: roofline.Machine,
        floors: Sequence[tuple[str, roofline.Floor, int, float]],
    ) -> list[ClaimFinding]:
        """Whether model and cache fit the memory, and whether the link allows the times (s) of so many passes if they don't. What
        the roofline refutes is left to it."""
        fit = self.shape and fits.fit(self.shape, precision, machine, batch, self.prompt, self.tokens)
        if not fit or fit.whole:
            return []
        taken = (
            f"weights and KV cache take {fit.needed / 1e9:,.1f} GB in {precision.name} where "
            f"{'the card holds' if fit.cards == 1 else f'the {fit.cards:,} cards hold'} {fit.held / 1e9:,.1f} GB"
        )
        on_card, layers = self.row.on_card, self.shape.layers if self.shape else 0
        if on_card is None:
            return self.found(
                "claims.offload",
                f"{taken}; how many of {layers} layers lie on the card is not known, and the host may compute the others.",
            )
        if on_card < layers:
            return self.found(
                "claims.offload",
                f"{taken}; at most {on_card:,.0f} of {layers} layers lie on the card, and the host computes the others.",
            )
        for what, floor, passes, seconds in floors:
            if fits.refutes(floor, passes, machine, seconds) and not floor.refutes(seconds):
                ratio = fits.link_seconds(floor, passes, machine) / seconds
                link = f"{(machine.link or 0.0) / 1e9:,.0f} GB/s"
                return self.found(
                    "claims.memory", f"{taken}: {ratio:,.2f} times what a link of {link} to the rest allows ({what})."
                )
        return self.found("claims.offload", f"{taken}.")


def _on(machine: roofline.Machine) -> str:
    return "" if machine.cards == 1 else f" on {machine.cards:,} cards"
