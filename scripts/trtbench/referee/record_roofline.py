"""From a record to its roofline: what the model's shape, the stored precision and the machine allow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Sequence

from trtbench.errors import UserError
from trtbench.figures.summary import Figures, Where
from trtbench.machine import cards
from trtbench.model.shape import ModelShape
from trtbench.records.run import Run
from trtbench.records.telemetry import Card, Gpu
from trtbench.records.trial import Statement, Trial
from trtbench.referee import roofline

NOMINAL, MEASURED, CACHED = "nominal", "measured", "cached"
# Credit for the last-level cache of a card that is not in the table: twice the largest there is in it.
UNKNOWN_CACHE = 256 * 2**20
DISAGREE = 0.25  # how far the driver's bandwidth may be from the table's before the driver's is not believed


@dataclasses.dataclass(frozen=True)
class Roof:
    """What bounds one lane. `machine` is the most that may be true: the gate's floors come from it, and the ceiling that is
    shown. `bandwidth` (bytes/s) and `peak` (FLOP/s, None if unknown) are what utilisation is shown against; `basis` says
    where they come from."""

    shape: ModelShape
    precision: roofline.Precision
    machine: roofline.Machine
    bandwidth: float
    peak: float | None
    basis: str

    def generation(self, batch: int, prompt: int, new: int) -> roofline.Floor:
        return roofline.generation_floor(self.shape, self.precision, self.machine, batch, prompt, new)

    def prefill(self, batch: int, prompt: int) -> roofline.Floor:
        return roofline.prefill_floor(self.shape, self.precision, self.machine, batch, prompt)

    def decode(self, batch: int, prompt: int, new: int) -> roofline.Floor:
        """The steps after the first new id; `new` is at least 2."""
        return roofline.decode_floor(self.shape, self.precision, self.machine, batch, prompt, new - 1)


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What a run's trials ran on: `cards` of each (where the records differ, those that allow least), a name and the driver's
    bandwidth in bytes/s each, none for a CPU; and the CPU's last-level `cache` in bytes, the smallest that a trial names."""

    cards: tuple[tuple[str, float | None], ...]
    cache: int


def hardware(trials: Iterable[Trial]) -> Hardware:
    """What all of these trials together say that they ran on. No lane brings its own: the environment's word comes before
    telemetry's, both before what a lane states, and where trials differ the least counts."""
    trials = list(trials)
    caches = [trial.environment.last_level_cache for trial in trials]
    cache = min((size for size in caches if size is not None), default=0)
    by_source: list[set[tuple[tuple[str, float | None], ...]]] = [set(), set(), set(), set()]
    for trial in trials:
        gpus = (trial.telemetry.gpus if trial.telemetry else None) or ()
        by_source[0].add(tuple((card.name, driver_bandwidth(card)) for card in trial.environment.cards or ()))
        by_source[1].add(tuple((gpu.name, driver_bandwidth(gpu)) for gpu in gpus))
        by_source[2].add(tuple((name, None) for name in trial.environment.gpus or ()))
        if trial.statement is not None and on_gpu(trial.statement):
            by_source[3].add(((trial.statement.device_name, None),))
    candidates = next((found - {()} for found in by_source if found - {()}), {()})
    return Hardware(min(candidates, key=_allowed), cache)


def _allowed(cards_used: tuple[tuple[str, float | None], ...]) -> tuple[float, float, str]:
    """How much cards allow, to take the least by: the gate's bandwidth and peak; cards that are not known come last."""
    allowed = _of_cards(cards_used)
    if isinstance(allowed, str):
        return math.inf, math.inf, repr(cards_used)
    return allowed[0].bandwidth, allowed[0].peak or math.inf, repr(cards_used)


def roof(trial: Trial, run: Run, ran_on: Hardware | None = None) -> Roof | str:
    """The roofline of a finished trial on the hardware of its run (by default its own), or in one sentence why it is not
    known."""
    ran_on = ran_on or hardware([trial])
    statement = trial.statement
    if statement is None:
        return "the lane made no statement"
    try:
        shape = ModelShape.from_config(trial.model.config)
        precision = stored_precision(statement, kept_bits(trial, shape, told=True))
    except UserError as error:
        return str(error)
    if on_gpu(statement):
        allowed = _of_cards(ran_on.cards)
        if isinstance(allowed, str):
            return allowed
        machine, bandwidth, peak = allowed
        if statement.tensor_parallel is None:  # nobody has to send anything
            machine = dataclasses.replace(machine, peer=None)
        return Roof(shape, precision, machine, bandwidth, peak, NOMINAL)
    if not run.read_bandwidth:
        return "the memory bandwidth of this machine was not measured"
    machine = roofline.Machine(run.read_bandwidth, None, ran_on.cache)
    return Roof(shape, precision, machine, run.read_bandwidth, None, MEASURED)


def on_gpu(statement: Statement) -> bool:
    return not statement.device.lower().startswith("cpu")


def stored_precision(statement: Statement, packed: float | None = None) -> roofline.Precision:
    """How the lane stores weights and KV cache, as it says; peak of the faster of storing and computing precision. `packed`
    are the bits of a weight in a quantised checkpoint, which an engine may keep as it came whatever it computes in.

    Raises UserError for a weight precision that is not in the table."""
    weights = roofline.precision(statement.weight_precision)
    factor, kv_bits = weights.peak_factor, weights.kv_bits
    if packed is not None and packed < weights.weight_bits:
        factor = max(factor, max(each.peak_factor for each in roofline.PRECISIONS.values()))
        weights = dataclasses.replace(weights, weight_bits=packed)
    if known_precision(statement.compute_precision):
        factor = max(factor, roofline.precision(statement.compute_precision).peak_factor)
    if statement.kv_precision is not None and known_precision(statement.kv_precision):
        kv_bits = min(roofline.precision(statement.kv_precision).kv_bits, 32)
    return dataclasses.replace(weights, peak_factor=factor, kv_bits=kv_bits)


def kept_bits(trial: Trial, shape: ModelShape, told: bool) -> float | None:
    """Fewest bits of a weight in a checkpoint that config.json calls quantised, which a lane may keep as they came whatever it
    computes in; None for any other. No fewer than its files show, of whose numbers each has eight bits, and than the lane's own
    bytes of weights show, where `told`. An input embedding that isn't the head may have 32 bits and is not read."""
    packed = roofline.packed_bits(trial.model.config)
    if packed is None or trial.model.config.get("text_config"):  # how much of them lies in a tower is not known
        return packed
    shown = [8 * trial.model.parameters / shape.parameters]
    apart = 0 if shape.tied else shape.vocab * shape.hidden
    held = [cell.memory.weights for cell in trial.cells if cell.memory and cell.memory.weights] if told else []
    if held:
        shown.append((8 * min(held) - 32 * apart) / max(1, shape.parameters - apart))
    return max(packed, min(16.0, max(shown)))


def known_precision(precision: str) -> bool:
    try:
        roofline.precision(precision)
    except UserError:
        return False
    return True


def _of_cards(cards_used: Sequence[tuple[str, float | None]]) -> tuple[roofline.Machine, float, float | None] | str:
    """What cards allow together: the machine for gates, bandwidth (bytes/s) and peak (FLOP/s) to show; or why that is not
    known. Each is a name and the driver's bandwidth."""
    names = [name for name, _ in cards_used]
    table_rows = [_card(name) for name in names]
    bandwidth = gate_bandwidth = cache = 0.0
    for row, (_, from_driver) in zip(table_rows, cards_used):
        from_table = row.bandwidth if row else None
        if from_driver and from_table and abs(from_driver / from_table - 1) > DISAGREE:
            from_driver = None
        if not from_driver and not from_table:
            return f"the memory bandwidth of {', '.join(names)} is not known"
        bandwidth += from_driver or from_table or 0.0
        gate_bandwidth += max(from_driver or 0.0, from_table or 0.0)
        cache += row.cache if row else UNKNOWN_CACHE
    if not bandwidth:
        return "no record names the card"
    peaks = [row.peak for row in table_rows if row and row.peak]
    gate_peaks = [row.gate_peak for row in table_rows if row and row.gate_peak]
    all_known = len(peaks) == len(gate_peaks) == len(table_rows)
    # Each of them sends, and the slowest link ends last.
    links = [row.peer for row in table_rows if row]
    machine = roofline.Machine(
        gate_bandwidth,
        sum(gate_peaks) if all_known else None,
        cache,
        cards=len(names),
        peer=min(links) if len(links) == len(names) else None,
    )
    return machine, bandwidth, sum(peaks) if all_known else None


def _card(name: str) -> cards.Card | None:
    try:
        return cards.fastest(name)
    except UserError:
        return None


def driver_bandwidth(gpu: Gpu | Card) -> float | None:
    """Nominal bytes/s from bus width and highest memory clock, where the driver told both."""
    if not gpu.memory_bus_width or not gpu.memory_clock_max:
        return None
    return cards.bandwidth_from_clock(gpu.memory_bus_width, gpu.memory_clock_max)


def roofs(trials: Iterable[Trial], run: Run, ran_on: Hardware | None = None) -> set[Roof]:
    """What bounds a lane in its trials; nothing where it is not known of one of them, since nothing bounds that one."""
    found = {roof(trial, run, ran_on) for trial in trials}
    known = {each for each in found if isinstance(each, Roof)}
    return known if len(known) == len(found) else set()


def fill(figures: Figures, cell: Where, lane_roofs: Collection[Roof]) -> Figures:
    """Set ceiling, MBU and MFU of the figures; they stay None where the roofline is not known.

    The ceiling is what the gate lets pass (`Floor.highest_rate`), in the trial that may be the fastest. MBU is over the decode
    steps (Databricks' definition divides by TPOT), MFU over the whole generation. There is no MBU where a cache serves what
    the steps read: all of it, or so much that the memory alone could not.
    """
    if not lane_roofs:
        return figures
    batch, prompt, new = cell
    wholes = {each: each.generation(batch, prompt, new) for each in lane_roofs}
    lane_roof = min(wholes, key=lambda each: wholes[each].least_seconds)
    whole = wholes[lane_roof]
    figures.ceiling_tok_s = whole.highest_rate(batch * new)
    figures.ceiling_basis = CACHED if whole.in_cache else lane_roof.basis
    decode_ms = figures.latency - figures.ttft
    if new > 1 and decode_ms > 0:
        steps = lane_roof.decode(batch, prompt, new)
        mbu = roofline.mbu(steps, decode_ms / 1e3, lane_roof.bandwidth)
        figures.mbu = mbu if mbu <= 1 and not steps.in_cache else None
    if lane_roof.peak is not None:
        figures.mfu = roofline.mfu(whole, figures.latency / 1e3, lane_roof.peak)
    return figures
