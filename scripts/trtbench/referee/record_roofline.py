"""From a record to its roofline: what the model's shape, the stored precision and the machine allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

from trtbench.errors import UserError
from trtbench.figures.summary import Figures, Where
from trtbench.machine import cards
from trtbench.model.shape import ModelShape
from trtbench.records.run import Run
from trtbench.records.telemetry import Gpu
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


def roof(trial: Trial, run: Run) -> Roof | str:
    """The roofline of a finished trial, or in one sentence why it is not known."""
    statement = trial.statement
    if statement is None:
        return "the lane made no statement"
    try:
        shape = ModelShape.from_config(trial.model.config)
        precision = stored_precision(statement)
    except UserError as error:
        return str(error)
    if on_gpu(statement):
        return _gpu_roof(trial, statement, shape, precision)
    if not run.read_bandwidth:
        return "the memory bandwidth of this machine was not measured"
    cache = trial.environment.last_level_cache or 0
    machine = roofline.Machine(run.read_bandwidth, None, cache)
    return Roof(shape, precision, machine, run.read_bandwidth, None, MEASURED)


def on_gpu(statement: Statement) -> bool:
    return not statement.device.lower().startswith("cpu")


def stored_precision(statement: Statement) -> roofline.Precision:
    """How the lane stores weights and KV cache, as it says; peak of the faster of storing and computing precision.

    Raises UserError for a weight precision that is not in the table."""
    weights = roofline.precision(statement.weight_precision)
    factor, kv_bits = weights.peak_factor, weights.kv_bits
    if known_precision(statement.compute_precision):
        factor = max(factor, roofline.precision(statement.compute_precision).peak_factor)
    if statement.kv_precision is not None and known_precision(statement.kv_precision):
        kv_bits = min(roofline.precision(statement.kv_precision).kv_bits, 32)
    return dataclasses.replace(weights, peak_factor=factor, kv_bits=kv_bits)


def known_precision(precision: str) -> bool:
    try:
        roofline.precision(precision)
    except UserError:
        return False
    return True


def _gpu_roof(trial: Trial, statement: Statement, shape: ModelShape, precision: roofline.Precision) -> Roof | str:
    gpus = (trial.telemetry.gpus if trial.telemetry else None) or []
    names = [gpu.name for gpu in gpus] or trial.environment.gpus or [statement.device_name]
    table_rows = [_card(name) for name in names]
    driver_bandwidths = [driver_bandwidth(gpu) for gpu in gpus] or [None] * len(table_rows)
    bandwidth = gate_bandwidth = cache = 0.0
    for row, from_driver in zip(table_rows, driver_bandwidths):
        from_table = row.bandwidth if row else None
        if from_driver and from_table and abs(from_driver / from_table - 1) > DISAGREE:
            from_driver = None
        if not from_driver and not from_table:
            return f"the memory bandwidth of {', '.join(names)} is not known"
        bandwidth += from_driver or from_table or 0.0
        gate_bandwidth += max(from_driver or 0.0, from_table or 0.0)
        cache += row.cache if row else UNKNOWN_CACHE
    peaks = [row.peak for row in table_rows if row and row.peak]
    gate_peaks = [row.gate_peak for row in table_rows if row and row.gate_peak]
    all_known = len(peaks) == len(gate_peaks) == len(table_rows)
    machine = roofline.Machine(gate_bandwidth, sum(gate_peaks) if all_known else None, cache)
    return Roof(shape, precision, machine, bandwidth, sum(peaks) if all_known else None, NOMINAL)


def _card(name: str) -> cards.Card | None:
    try:
        return cards.fastest(name)
    except UserError:
        return None


def driver_bandwidth(gpu: Gpu) -> float | None:
    """Nominal bytes/s from bus width and highest memory clock, where the driver told both."""
    if not gpu.memory_bus_width or not gpu.memory_clock_max:
        return None
    return cards.bandwidth_from_clock(gpu.memory_bus_width, gpu.memory_clock_max)


def roofs(trials: Iterable[Trial], run: Run) -> set[Roof]:
    """What bounds a lane in its trials; nothing where it is not known of one of them, since nothing bounds that one."""
    found = {roof(trial, run) for trial in trials}
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
