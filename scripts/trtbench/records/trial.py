"""What a trial writes: typed, versioned, sealed.

Times are integer nanoseconds of `time.perf_counter_ns`, memory is bytes, throughput is never stored (it is
computed from raw times and counted ids). What is not known is absent (null), never zero.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from trtbench.errors import UserError
from trtbench.records.checking import check_json, check_names, check_settings, later_fields
from trtbench.records.files import Strict, as_read, check_fields, check_schema, encode, read_as, write_whole
from trtbench.records.identity import MARK
from trtbench.records.telemetry import Card, CpuUse, Disturbance, Telemetry
from trtbench.settings.cells import Amount, Calls, Cell, Count, Place, Positive, Rows
from trtbench.settings.knobs import ROWS
from trtbench.settings.lanes import LANES

CONFIG_TEXT = 20_000  # characters of a config.json that a record holds at most: what is read of a text from strangers
MODEL_FILES = 4096  # files of one model at most
Folder = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]  # of an environment: no path
Version = Annotated[str, msgspec.Meta(max_length=32, pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
Ranks = Annotated[int, msgspec.Meta(ge=2, le=int(ROWS["TP_SIZE"].high or 0))]
Asked = Literal["compute_precision", "weight_precision", "kv_precision", "cuda_graphs"]


class Sampling(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Greedy when `temperature` is 0."""

    temperature: Amount = 0.0
    top_p: Amount = 1.0
    seed: Count = 0


class Statement(Strict):
    """What a lane says about itself once loaded; asked of the engine wherever the engine can tell.

    `built_from`: what a prepared engine was built for: `model` (digest), `gpu` (name), `version` (of the runtime).
    `asked`: the fields that hold what was only asked for, because the engine does not tell them; `tensor_parallel`: ranks that
    the model is split over, each with a card or, on a CPU, a process of its own; absent where it is one (schema 2).
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
    asked: Annotated[list[Asked], msgspec.Meta(max_length=len(get_args(Asked)))] | None = None
    tensor_parallel: Ranks | None = None


class Cold(Strict):
    """One-off costs in nanoseconds, never averaged into a steady figure. `prepare` is conversion, build or
    compilation; when its result came from the cache, `prepare_cached` is true, the time is that of the making, and `lookup`
    what finding and checking it took in this process (schema 2)."""

    imports: Count | None = None
    load: Count | None = None
    prepare: Count | None = None
    prepare_cached: bool | None = None
    prepared_bytes: Count | None = None
    lookup: Count | None = None


class Pass(Strict):
    """Timed calls of one kind: `times[i]` ns gave the ids `outputs[output[i]]` (batch rows of new ids).

    `foreign_cpu[i]` is the CPU time in seconds that other processes used meanwhile, as far as the kernel's
    counters (10 ms steps) tell. `prompts_digest` is the SHA-256 of the prompt ids handed over, in order. `began` and
    `ended` are perf_counter_ns around the whole pass, by which readings of telemetry are assigned to it; `between`
    nanoseconds of it were no timed call's: collecting garbage, reading counters (schema 2).
    """

    times: Calls[Positive]
    outputs: Calls[Rows]
    output: Calls[Place]
    prompts_digest: str
    foreign_cpu: Calls[Amount] | None = None
    began: Count | None = None
    ended: Count | None = None
    between: Count | None = None


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
    the last (schema 2). `setting`: the value of the lane's choice that it was measured with. `began` and `ended` are
    perf_counter_ns around all of it, warm-up and memory too (schema 2)."""

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
    began: Count | None = None
    ended: Count | None = None


class Environment(Strict):
    """The machine and the software. `machine` is a digest of what must be equal for records to be comparable;
    `last_level_cache` is the CPU's, all of its parts together, in bytes; `cards` are what `gpus` names; `venv` is the environment
    of its own in which the lane ran, `python` and `libraries` are of that one; `program` is the version of this program (schema 2)."""

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
    cards: list[Card] | None = None
    venv: Folder | None = None
    program: Version | None = None


class Model(Strict):
    """Which model: where it came from and the digest over its weights, configuration and tokenizer.

    Of schema 2: `dequantised` is the coarser format that its weights were stored in before, `converted` the pickle file that
    they were converted from, all values unchanged; `files` are the names and SHA-256 of all that the digest is over,
    `config_text` is config.json as it lies among them, absent where it is too long."""

    name: str
    source: str
    revision: str | None
    digest: str
    parameters: Count
    architecture: str
    synthetic: bool
    config: dict[str, Any]
    dequantised: str | None = None
    converted: str | None = None
    config_text: Annotated[str, msgspec.Meta(max_length=CONFIG_TEXT)] | None = None
    files: Annotated[dict[str, str], msgspec.Meta(max_length=MODEL_FILES)] | None = None


class Failure(Strict):
    """Why a trial or a lane gave no figures: where it stopped and one sentence."""

    phase: str
    reason: str
    hint: str | None = None


class LeftOut(Strict):
    """What stands beside a trial's figures and is absent because it failed, and why; `close` is the end of its process."""

    kind: Literal["memory", "energy", "engine_metrics", "profile", "close"]
    reason: str


class Sealed(Strict):
    """What the run had fixed when a trial began: its headline, its lanes, and the lanes that may be the base, each with its
    precision."""

    headline: str | None
    lanes: list[str]
    candidates: list[tuple[str, str]]


class Trial(Strict, tag="trial", tag_field="kind"):
    """One fresh process with one lane: the unit of replication.

    Of schema 2: `round` is the run's round it ran in, from 1; `disturbed` says why it is not to count, empty where nobody
    disturbed it. What is run again, because it failed or was disturbed, is the next `attempt` at the same `index`. `began` and
    `ended` are perf_counter_ns in the process that started the trial's, around all of it: `seconds`. `sealed` is what the run
    had fixed by then: run.json alone could be changed afterwards. `announced`: versions of engines by distribution, as they
    announced themselves in the trial's log. `left_out`: what failed beside the timed passes, one of a kind.
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
    began: Count | None = None
    ended: Count | None = None
    announced: dict[str, str] | None = None
    sealed: Sealed | None = None
    left_out: Annotated[list[LeftOut], msgspec.Meta(max_length=8)] | None = None
    checksum: str = ""


def simulated(trial: Trial) -> bool:
    """Whether the stand-in for tests made a trial: its lane says so, or one of the names and versions that the lane, what was
    prepared for it and the environment give for its software. The last one is not the lane's to lose; where the environment
    lists nothing of the lane's, whatever is simulated in it counts."""
    row = LANES[trial.lane]
    distributions = (row.distribution, *row.distributions.values())
    of_lane = {_plain(module.partition(".")[0]) for module in (*row.modules, *distributions)}
    libraries = {_plain(name): version for name, version in trial.environment.libraries.items()}
    listed = [version for name, version in libraries.items() if name in of_lane]
    names = listed or (list(libraries.values()) if row.modules else [])
    statement = trial.statement
    if statement is not None:
        built_from = statement.built_from or {}
        names += [statement.runtime, statement.runtime_version, statement.device_name, *statement.notes]
        names += [*statement.versions.values(), *built_from.values()]
    names += [version for name, version in (trial.announced or {}).items() if _plain(name) in of_lane]
    return (statement is not None and statement.simulated) or any(MARK in name for name in names)


def _plain(distribution: str) -> str:
    """A distribution's name as package indexes compare names."""
    return distribution.lower().replace("_", "-")


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
    check_fields(trial.schema, path, {"round": trial.round, "disturbed": trial.disturbed}, later_fields(trial))
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


def json_schema() -> bytes:
    """The JSON Schema of a trial record; a test holds the committed file equal to it."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Trial), order="deterministic"), indent=1) + b"\n"
