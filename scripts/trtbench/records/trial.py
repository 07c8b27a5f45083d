"""What a trial writes: typed, versioned, sealed.

Times are integer nanoseconds of `time.perf_counter_ns`, memory is bytes, throughput is never stored (it is
computed from raw times and counted ids). What is not known is absent (null), never zero.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from trtbench.errors import UserError
from trtbench.records.checking import check_json, check_names, check_settings
from trtbench.records.files import Strict, as_read, check_fields, check_schema, encode, read_as, write_whole
from trtbench.records.telemetry import CpuUse, Disturbance, Telemetry
from trtbench.settings.cells import Amount, Calls, Cell, Count, Place, Positive, Rows
from trtbench.settings.lanes import LANES


class Sampling(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Greedy when `temperature` is 0."""

    temperature: Amount = 0.0
    top_p: Amount = 1.0
    seed: Count = 0


class Statement(Strict):
    """What a lane says about itself once loaded; asked of the engine wherever the engine can tell.

    `built_from`: what a prepared engine was built for: `model` (digest), `gpu` (name), `version` (of the runtime).
    """

    runtime: str
    runtime_version: str
    device: str
    device_name: str
    compute_precision: str
    weight_precision: str
    kv_precision: str | None = None
    threads: Count | None = None
    cuda_graphs: bool | None = None
    prefix_reuse: bool | None = None
    attention: str | None = None
    built_from: dict[str, str] | None = None
    simulated: bool = False
    versions: dict[str, str] = {}
    notes: list[str] = []


class Cold(Strict):
    """One-off costs in nanoseconds, never averaged into a steady figure. `prepare` is conversion, build or
    compilation; when its result came from the cache, `prepare_cached` is true and the time is that of the making."""

    imports: Count | None = None
    load: Count | None = None
    prepare: Count | None = None
    prepare_cached: bool | None = None
    prepared_bytes: Count | None = None


class Pass(Strict):
    """Timed calls of one kind: `times[i]` ns gave the ids `outputs[output[i]]` (batch rows of new ids).

    `foreign_cpu[i]` is the CPU time in seconds that other processes used meanwhile, as far as the kernel's
    counters (10 ms steps) tell. `prompts_digest` is the SHA-256 of the prompt ids handed over, in order. `began` and
    `ended` are perf_counter_ns around the whole pass, by which readings of telemetry are assigned to it.
    """

    times: Calls[Positive]
    outputs: Calls[Rows]
    output: Calls[Place]
    prompts_digest: str
    foreign_cpu: Calls[Amount] | None = None
    began: Count | None = None
    ended: Count | None = None


class Memory(Strict):
    """Bytes, from a pass of its own. `peak_rss` is the process tree's; weights, KV pool and torch's peaks as far as the
    lane can tell. `gpu_peak` is all memory in use on the cards during the timed passes, `gpu_baseline` what was in use
    before the trial, `gpu_processes` the part of the trial's own processes at the peak, each where the driver tells."""

    peak_rss: Count | None = None
    load_peak_rss: Count | None = None
    weights: Count | None = None
    kv_pool: Count | None = None
    torch_allocated: Count | None = None
    torch_reserved: Count | None = None
    gpu_peak: Count | None = None
    gpu_baseline: Count | None = None
    gpu_processes: Count | None = None


class Energy(Strict):
    """A pass of its own: generations one after the other from `began` to `ended` (perf_counter_ns), `tokens` new ids in
    all. `watts` is the cards' mean power meanwhile, from their counters of energy, `idle_watts` what they take before the
    trial touches them. Joules per token: watts x seconds / tokens."""

    began: Count
    ended: Count
    tokens: Positive
    watts: Amount | None = None
    idle_watts: Amount | None = None


class EngineMetrics(Strict):
    """What an engine's own clock says of one generation, nanoseconds for each sequence of the batch: from its arrival to
    the start of its first step, to its first token, to its last. `reused_blocks` are KV blocks taken from earlier calls.

    They stand beside our figures and never in their place: an engine's clock starts after the ids are handed over."""

    queued: list[Count]
    ttft: list[Count]
    e2e: list[Count]
    reused_blocks: Count | None = None


class CellRecord(Strict):
    """One cell of a trial: measured, or a hole with its reason. `cpu`: who used the CPU from the first timed call to
    the last (schema 2). `setting`: the value of the lane's choice that it was measured with."""

    cell: Cell
    hole: str | None = None
    first_call: Positive | None = None
    warmup: list[Positive] = []
    settled: bool | None = None
    e2e: Pass | None = None
    ttft: Pass | None = None
    memory: Memory | None = None
    energy: Energy | None = None
    engine_metrics: EngineMetrics | None = None
    cpu: CpuUse | None = None
    setting: str | None = None


class Environment(Strict):
    """The machine and the software. `machine` is a digest of what must be equal for records to be comparable;
    `last_level_cache` is the CPU's, all of its parts together, in bytes."""

    machine: str
    cpu_model: str
    cores: Count
    physical_cores: Count | None
    memory: Count
    governor: str | None
    os: str
    kernel: str
    python: str
    libraries: dict[str, str]
    git_commit: str | None
    container: str | None
    gpus: list[str] | None = None
    driver: str | None = None
    cuda: str | None = None
    last_level_cache: Count | None = None


class Model(Strict):
    """Which model: where it came from and the digest over its weights, configuration and tokenizer. `dequantised`: the
    coarser format that its weights were stored in before (schema 2)."""

    name: str
    source: str
    revision: str | None
    digest: str
    parameters: Count
    architecture: str
    synthetic: bool
    config: dict[str, Any]
    dequantised: str | None = None


class Failure(Strict):
    """Why a trial or a lane gave no figures: where it stopped and one sentence."""

    phase: str
    reason: str
    hint: str | None = None


class Trial(Strict, tag="trial", tag_field="kind"):
    """One fresh process with one lane: the unit of replication.

    Of schema 2: `round` is the run's round it ran in, from 1; `disturbed` says why it is not to count, empty where nobody
    disturbed it. What is run again, because it failed or was disturbed, is the next `attempt` at the same `index`.
    """

    schema: int
    run: str
    lane: str
    precision: str
    index: Place
    attempt: Place
    position: Place
    interleaved: bool
    started: str
    seconds: Amount
    workload_digest: str
    settings: dict[str, Any]
    model: Model
    environment: Environment
    failure: Failure | None = None
    statement: Statement | None = None
    cold: Cold = msgspec.field(default_factory=Cold)
    cells: list[CellRecord] = []
    telemetry: Telemetry | None = None
    round: Place | None = None
    disturbed: list[Disturbance] | None = None
    checksum: str = ""


def simulated(trial: Trial) -> bool:
    """Whether the stand-in for tests made a trial: its lane says so, or the environment names a distribution of the lane
    that calls itself simulated. The second mark is not the lane's to lose."""
    libraries = trial.environment.libraries
    marked = any(libraries.get(module, "").endswith("+simulated") for module in LANES[trial.lane].modules)
    return marked or (trial.statement is not None and trial.statement.simulated)


def checksum(trial: Trial) -> str:
    """SHA-256 over the trial's JSON without its checksum and without nulls, so that a field added to the schema later
    (absent in older records) does not change it: tells a record changed after it was written."""
    plain = msgspec.structs.replace(trial, checksum="")
    return hashlib.sha256(
        msgspec.json.encode(_without_nulls(msgspec.to_builtins(plain)), order="deterministic")
    ).hexdigest()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_without_nulls(part) for part in value]
    return value


def write_trial(path: Path, trial: Trial) -> None:
    """Seal the trial with its checksum and write it whole."""
    trial.checksum = checksum(as_read(trial))
    write_whole(path, encode(trial))


def read_trial(path: Path) -> Trial:
    """Read one trial; refuses other schema versions, unknown lanes, passes whose lists do not fit together, and whatever
    is no file of its own: a pipe would be waited for, and a link leads to what is not of this run."""
    return check_trial(read_as(Trial, path, links=False), str(path))


def check_trial(trial: Trial, path: str) -> Trial:
    """Refuse a trial that was decoded and does not hold together; `path` says where it came from."""
    check_schema(trial.schema, path)
    check_fields(trial.schema, path, {"round": trial.round, "disturbed": trial.disturbed}, _later_fields(trial))
    check_names(path, [trial.lane], {trial.precision, *(record.cell.precision for record in trial.cells)})
    check_settings(path, trial.settings)
    check_json(path, "model.config", trial.model.config)
    for record in trial.cells:
        for part in (record.e2e, record.ttft):
            if part is None:
                continue
            if len(part.times) != len(part.output) or not part.times:
                raise UserError(f"{path}: {len(part.times)} times stand beside {len(part.output)} outputs.")
            if max(part.output) >= len(part.outputs):
                raise UserError(f"{path}: an output number is beyond the {len(part.outputs)} stored outputs.")
            if part.foreign_cpu is not None and len(part.foreign_cpu) != len(part.times):
                raise UserError(f"{path}: {len(part.times)} times stand beside {len(part.foreign_cpu)} CPU readings.")
    return trial


def _later_fields(trial: Trial) -> dict[str, Any]:
    """Fields of schema 2 that may be absent in it and can't be in schema 1."""
    telemetry = trial.telemetry or Telemetry()
    gpu_fields = ("foreign_compute", "idle_utilisation", "idle_temperature", "early_clock", "early_reasons")
    later = {"cpu": telemetry.cpu, "waited": telemetry.waited, "QUIET": trial.settings.get("QUIET")}
    later["model.dequantised"] = trial.model.dequantised
    later |= {f"cells.{i}.cpu": record.cpu for i, record in enumerate(trial.cells)}
    later |= {f"cells.{i}.setting": record.setting for i, record in enumerate(trial.cells)}
    return later | {
        f"gpus.{i}.{name}": getattr(gpu, name) for i, gpu in enumerate(telemetry.gpus or []) for name in gpu_fields
    }


def json_schema() -> bytes:
    """The JSON Schema of a trial record; a test holds the committed file equal to it."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Trial), order="deterministic"), indent=1) + b"\n"
