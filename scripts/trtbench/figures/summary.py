"""Records to figures: what one lane did in one cell. No engine is imported from here on.

Headline figures are geometric means of trial means, so that latency, throughput and speed-up agree to the last digit:
throughput = batch · new tokens / latency, and a ratio of latencies is the exponential of the difference of mean logs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec

from trtbench.records.trial import CellRecord, Energy, Memory, Trial, simulated
from trtbench.settings.cells import Cell

Where = tuple[int, int, int]  # batch, prompt length, new tokens


class Figures(msgspec.Struct, kw_only=True):
    """One lane in one cell over its trials. Times in ms, memory in bytes, throughput in output tokens per second.

    `latency_trials` are the trials' mean whole-generation times; `median`, `minimum` and `maximum` are over all
    iterations. `ttft` is the time of a generation of one token; `tpot` is (latency - ttft) / (new tokens - 1).

    `gpu_memory` is device memory at its peak less what was in use before the trial, `gpu_processes` the part that the
    driver assigns to the trial's processes. `energy` is in J per new token of the whole card, `idle_energy` the part of it
    that the idle card would have taken meanwhile.

    `mbu` and `mfu` are shares of the machine's bandwidth and peak, `ceiling_tok_s` the throughput that it allows at most;
    `ceiling_basis` says whether against nominal figures or a measured bandwidth. `near`, `equal`, `exact` (shares),
    `perplexity` and `bleu` (0 to 100) are the judge's. Each is None where it is not known. `left` is the round after which
    the lane ran no further trial, by the run's own rules.

    `engine_queued`, `engine_ttft` and `engine_latency` are by the engine's own clock, of one more generation a trial: times of
    the batch's last sequence, mean over trials. They stand beside our figures and enter none. `reused_blocks` are the most KV
    blocks that one of those generations took from earlier calls.
    """

    lane: str
    precision: str
    trials: int
    iterations: int
    latency: float
    latency_trials: list[float]
    median: float
    minimum: float
    maximum: float
    outliers: int
    ttft: float
    ttft_trials: list[float]
    tpot: float | None
    throughput: float
    peak_rss: int | None
    gpu_memory: int | None
    weights: int | None
    kv_pool: int | None
    load_ms: float | None
    import_ms: float | None
    prepare_ms: float | None
    prepare_cached: bool | None
    first_call_ms: float | None
    settled: bool
    interleaved: bool
    simulated: bool
    runtime: str
    compute_precision: str
    weight_precision: str
    mbu: float | None = None
    mfu: float | None = None
    ceiling_tok_s: float | None = None
    ceiling_basis: str | None = None
    near: float | None = None
    equal: float | None = None
    perplexity: float | None = None
    exact: float | None = None
    bleu: float | None = None
    gpu_processes: int | None = None
    torch_allocated: int | None = None
    torch_reserved: int | None = None
    energy: float | None = None
    idle_energy: float | None = None
    left: int | None = None
    engine_queued: float | None = None
    engine_ttft: float | None = None
    engine_latency: float | None = None
    reused_blocks: int | None = None


class Hole(msgspec.Struct, kw_only=True, frozen=True):
    """A lane that has no figures in a cell, with the reason."""

    lane: str
    precision: str
    reason: str


def shape(cell: Cell) -> Where:
    """Batch, prompt length, new tokens: what makes a row of the report, whatever the precision."""
    return cell.batch, cell.prompt_length, cell.new_tokens


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(math.log(value) for value in values))


def outliers(trials: Sequence[Sequence[float]]) -> int:
    """How many times have a modified z-score above 3.5: 0.6745 · |x - median| / MAD (Iglewicz & Hoaglin, 1993), x being
    the time over the median of its own trial: a trial that is slower as a whole is no outlier in all of its calls.

    They are counted and shown, never dropped."""
    values = [time / statistics.median(times) for times in trials for time in times]
    middle = statistics.median(values)
    mad = statistics.median(abs(value - middle) for value in values)
    if mad == 0:
        return 0
    return sum(1 for value in values if 0.6745 * abs(value - middle) / mad > 3.5)


def figures(trials: Sequence[Trial], where: Where) -> Figures | Hole:
    """Figures of the trials of one lane and precision in the cell `where`. Trials must be without failure."""
    records = [record for trial in trials for record in trial.cells if shape(record.cell) == where]
    measured = [record for record in records if record.e2e is not None and record.ttft is not None]
    if measured:
        return _measured(trials, measured, where)
    reason = next((record.hole for record in records if record.hole), "was not measured")
    return Hole(lane=trials[0].lane, precision=trials[0].precision, reason=reason)


def _measured(trials: Sequence[Trial], measured: Sequence[CellRecord], where: Where) -> Figures:
    """Figures of the cell's records that have times, out of all `trials` of the lane."""
    first_trial = trials[0]
    batch, _, new_tokens = where
    e2e = [record.e2e.times for record in measured if record.e2e is not None]
    ttft = [record.ttft.times for record in measured if record.ttft is not None]
    latency_trials = [statistics.fmean(times) / 1e6 for times in e2e]
    ttft_trials = [statistics.fmean(times) / 1e6 for times in ttft]
    times_ms = [time / 1e6 for times in e2e for time in times]
    latency, first_token = geometric_mean(latency_trials), geometric_mean(ttft_trials)
    statement = next((trial.statement for trial in trials if trial.statement is not None), None)
    energies = [record.energy for record in measured if record.energy is not None]
    memories = [record.memory for record in measured if record.memory is not None]
    own_clocks = [m for record in measured if (m := record.engine_metrics) is not None and any(m.e2e)]
    return Figures(
        lane=first_trial.lane,
        precision=first_trial.precision,
        trials=len(measured),
        iterations=len(times_ms),
        latency=latency,
        latency_trials=latency_trials,
        median=statistics.median(times_ms),
        minimum=min(times_ms),
        maximum=max(times_ms),
        outliers=outliers(e2e),
        ttft=first_token,
        ttft_trials=ttft_trials,
        tpot=(latency - first_token) / (new_tokens - 1) if new_tokens > 1 else None,
        throughput=batch * new_tokens / latency * 1e3,
        peak_rss=_maximum([m.peak_rss for m in memories]),
        gpu_memory=_maximum([_above_baseline(m) for m in memories]),
        weights=_maximum([m.weights for m in memories]),
        kv_pool=_maximum([m.kv_pool for m in memories]),
        load_ms=_median_ms([trial.cold.load for trial in trials]),
        import_ms=_median_ms([trial.cold.imports for trial in trials]),
        prepare_ms=_median_ms([trial.cold.prepare for trial in trials]),
        prepare_cached=all(trial.cold.prepare_cached for trial in trials)
        if first_trial.cold.prepare_cached is not None
        else None,
        first_call_ms=_median_ms([record.first_call for record in measured]),
        settled=all(record.settled for record in measured),
        interleaved=all(trial.interleaved for trial in trials),
        simulated=any(map(simulated, trials)),
        runtime=f"{statement.runtime} {statement.runtime_version}" if statement else "unknown",
        compute_precision=statement.compute_precision if statement else "unknown",
        weight_precision=statement.weight_precision if statement else "unknown",
        gpu_processes=_maximum([m.gpu_processes for m in memories]),
        torch_allocated=_maximum([m.torch_allocated for m in memories]),
        torch_reserved=_maximum([m.torch_reserved for m in memories]),
        energy=_median([_per_token(e, e.watts) for e in energies]),
        idle_energy=_median([_per_token(e, e.idle_watts) for e in energies if e.watts is not None]),
        engine_queued=_mean_ms([m.queued for m in own_clocks]),
        engine_ttft=_mean_ms([m.ttft for m in own_clocks if any(m.ttft)]),
        engine_latency=_mean_ms([m.e2e for m in own_clocks]),
        reused_blocks=_maximum([m.reused_blocks for m in own_clocks]),
    )


def _above_baseline(memory: Memory) -> int | None:
    """None too where nothing is above it: then somebody else gave back more than the trial took, and nothing is known."""
    above = (memory.gpu_peak or 0) - (memory.gpu_baseline or 0)
    return above if above > 0 else None


def _per_token(energy: Energy, watts: float | None) -> float | None:
    return None if watts is None else watts * (energy.ended - energy.began) / 1e9 / energy.tokens


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _maximum(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _mean_ms(batches: Sequence[Sequence[int]]) -> float | None:
    """Mean over generations of the time of the batch's last sequence, ms; a generation without times is passed over."""
    last = [max(times) / 1e6 for times in batches if times]
    return statistics.fmean(last) if last else None


def _median_ms(nanoseconds: Sequence[int | None]) -> float | None:
    return _median([value / 1e6 for value in nanoseconds if value is not None])


def memory_of(f: Figures) -> int | None:
    """The memory that counts: the GPU's where there is one, else the process tree's peak resident set. Bytes."""
    return f.gpu_memory if f.gpu_memory is not None else f.peak_rss
