"""Valid records for tests, made without an engine: `trial(...)`, `run(...)`, and `store(...)` to lay them into a results folder.

Every figure has a plain default; a test names only what it is about. Whatever has no argument of its own is a field of
the returned struct: set it there.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtbench import __version__
from trtbench.errors import UserError
from trtbench.measure import rules
from trtbench.model.shape import ModelShape
from trtbench.model.workload import Workload
from trtbench.records import run_folder
from trtbench.records.files import SCHEMA
from trtbench.records.identity import machine_name, model_digest, recorded
from trtbench.records.run import Run
from trtbench.records.telemetry import CpuUse, Telemetry
from trtbench.records.trial import (
    CellRecord,
    Cold,
    Environment,
    Failure,
    Memory,
    Model,
    Pass,
    Sampling,
    Statement,
    Trial,
    checksum,
    write_trial,
)
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import Settings
from trtbench.settings.lanes import LANES

RUN = "20260102-030405"
MS = 1_000_000  # nanoseconds
SLOT = 10_000_000 * MS  # from the begin of one trial to that of the next
GIB = 2**30
CELL = Cell(batch=1, prompt_length=32, new_tokens=8, precision="float32")


def a_workload(cells: Sequence[Cell] = (CELL,), sampling: Sampling | None = None) -> Workload:
    """Two prompts of ten ids each."""
    return Workload(
        ring=list(range(10, 30)),
        starts=[0, 10],
        bos=1,
        cells=list(cells),
        sampling=sampling or Sampling(seed=7),
        prompts_name="two.jsonl",
    )


def ids(cell: Cell, new_tokens: int | None = None, first: int = 100) -> list[list[int]]:
    """What one call returns: `batch` rows of new ids, all different."""
    length = cell.new_tokens if new_tokens is None else new_tokens
    return [[first + row * length + i for i in range(length)] for row in range(cell.batch)]


def timed_pass(milliseconds: Sequence[float], outputs: list[list[list[int]]]) -> Pass:
    """A pass with these times; call i returned `outputs[i]`, or the last of them."""
    return Pass(
        times=[round(ms * MS) for ms in milliseconds],
        outputs=outputs,
        output=[min(i, len(outputs) - 1) for i in range(len(milliseconds))],
        prompts_digest="d" * 64,
        foreign_cpu=[0.0] * len(milliseconds),
    )


def cell_record(
    cell: Cell = CELL, e2e_ms: Sequence[float] = (100.0, 102.0), ttft_ms: Sequence[float] = (20.0, 22.0), **more: Any
) -> CellRecord:
    """A cell that was measured."""
    fields: dict[str, Any] = dict(
        cell=cell,
        first_call=150 * MS,
        warmup=[round(e2e_ms[0] * MS) + offset for offset in range(6)],
        settled=True,
        e2e=timed_pass(e2e_ms, [ids(cell)]),
        ttft=timed_pass(ttft_ms, [ids(cell, 1)]),
        memory=Memory(peak_rss=2 * GIB, load_peak_rss=GIB, weights=GIB // 2),
        cpu=cpu_use(seconds=2.0),
    )
    return CellRecord(**{**fields, **more})


def model(**more: Any) -> Model:
    """A model whose digest follows from its files and its config from one of them."""
    config = more.get("config", {"vocab_size": 4096, "max_position_embeddings": 2048, "num_hidden_layers": 2})
    text = json.dumps(config, indent=2) + "\n"
    files = {
        "config.json": hashlib.sha256(text.encode()).hexdigest(),
        "model.safetensors": "5" * 64,
        "tokenizer.json": "7" * 64,
    }
    fields: dict[str, Any] = dict(
        name="demo",
        source="synthetic",
        revision=None,
        digest=model_digest(files),
        parameters=_parameters(config),
        architecture="LlamaForCausalLM",
        synthetic=True,
        config_text=text,
        files=files,
    )
    return Model(**{**fields, **more, "config": recorded(config)})


def _parameters(config: dict[str, Any]) -> int:
    """As many as the shape has; where that is not known, some."""
    try:
        return ModelShape.from_config(config).parameters
    except UserError:
        return 21_000_000


def distributions() -> list[str]:
    """Those of every lane, on every device."""
    return [name for row in LANES.values() for name in (row.distribution, *row.distributions.values()) if name]


def environment(**more: Any) -> Environment:
    """A machine whose name follows from what it is; it has every lane's runtime in version 1.0."""
    fields: dict[str, Any] = dict(
        cpu_model="Example CPU @ 2.00GHz",
        cores=4,
        physical_cores=2,
        memory=16 * GIB,
        governor=None,
        os="Example Linux 1",
        kernel="6.1.0",
        python="3.11.2",
        libraries={"numpy": "2.0.0", **dict.fromkeys(distributions(), "1.0")},
        git_commit=None,
        container=None,
        program=__version__,
    )
    fields |= more
    name = machine_name(fields["cpu_model"], fields["cores"], fields["memory"], fields.get("gpus"))
    return Environment(**{"machine": name, **fields})


def statement(precision: str = "float32", **more: Any) -> Statement:
    fields: dict[str, Any] = dict(
        runtime="Example",
        runtime_version="1.0",
        device="cpu",
        device_name="CPU",
        compute_precision=precision,
        weight_precision=precision,
        threads=2,
    )
    return Statement(**{**fields, **more})


def settings(**changed: Any) -> dict[str, Any]:
    """Public settings as they stand in a record; they ask for CELL."""
    cell: dict[str, Any] = dict(
        batch_sizes=(CELL.batch,), prompt_lengths=(CELL.prompt_length,), new_tokens=(CELL.new_tokens,)
    )
    return Settings(**{**cell, **changed}).public()


def trial(
    lane: str = "pytorch-eager",
    e2e_ms: Sequence[float] = (100.0, 102.0),
    ttft_ms: Sequence[float] = (20.0, 22.0),
    *,
    cell: Cell = CELL,
    index: int = 1,
    attempt: int = 1,
    position: int = 1,
    failure: Failure | None = None,
    **more: Any,
) -> Trial:
    """A finished trial with one cell (`cells=[...]` for others), or a failed one; `more` are fields of Trial."""
    fields: dict[str, Any] = dict(
        schema=SCHEMA,
        run=RUN,
        lane=lane,
        precision=cell.precision,
        index=index,
        attempt=attempt,
        position=position,
        interleaved=True,
        started="2026-01-02T03:04:05+00:00",
        seconds=0.0,
        workload_digest=a_workload((cell,)).digest(),
        settings=settings(),
        model=model(),
        environment=environment(),
        failure=failure,
        statement=None if failure else statement(cell.precision, runtime=LANES[lane].runtime or "Example"),
        cold=Cold() if failure else Cold(imports=900 * MS, load=500 * MS),
        cells=[] if failure else [cell_record(cell, e2e_ms, ttft_ms)],
        telemetry=telemetry(),
        round=index,
        disturbed=[],
    )
    made = stamped(Trial(**{**fields, **more}), position * SLOT)
    for name in ("started", "seconds", "began", "ended"):
        setattr(made, name, more.get(name, getattr(made, name)))
    made.checksum = checksum(made)
    return made


def telemetry(others: float = 0.0, **more: Any) -> Telemetry:
    """A machine left alone over ten seconds; `others`: the share of all cores that somebody else took."""
    fields: dict[str, Any] = dict(
        load_average=0.5, swap_used_before=0, swap_used_after=0, read_bandwidth=2e10, cpu=cpu_use(others), waited=0.0
    )
    return Telemetry(**{**fields, **more})


def cpu_use(others: float = 0.0, seconds: float = 10.0) -> CpuUse:
    return CpuUse(seconds=seconds, cores=4, others=others * 4 * seconds, stolen=0.0)


OPENED = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
BETWEEN = 2 * MS  # what stands between two calls


def stamped(trial: Trial, at: int) -> Trial:
    """The clocks of a trial as they would be had it begun at `at` (ns after the run was opened) and its parts taken what they
    say."""
    now = at + 1000 * MS
    trial.began, trial.started = at, (OPENED + datetime.timedelta(microseconds=now // 1000)).isoformat()
    now += sum(part or 0 for part in (trial.cold.imports, trial.cold.load))
    for record in trial.cells:
        if record.e2e is None or record.ttft is None:
            continue
        record.began = now
        now += (record.first_call or 0) + sum(record.warmup) + (len(record.warmup) + 1) * BETWEEN
        for part in (record.e2e, record.ttft):
            part.began, part.between = now, BETWEEN * len(part.times)
            part.ended = now = now + sum(part.times) + part.between
            now += MS if part is record.ttft else part.between
        if record.cpu is not None and not record.cpu.others + record.cpu.stolen:
            record.cpu.seconds = round((record.ttft.ended - record.e2e.began) / 1e9, 3)
        if record.energy is not None:
            took = record.energy.ended - record.energy.began
            record.energy.began, record.energy.ended = now, now + took
            now += took
        now += max(record.e2e.times)
        record.ended = now
    trial.ended = now + 500 * MS
    trial.seconds = (trial.ended - at) / 1e9
    return trial


def trials(means: dict[str, Sequence[float]], **more: Any) -> list[Trial]:
    """Interleaved trials: for each lane the mean latency in ms of each of its trials (two iterations, 1 % apart)."""
    rounds = max(len(values) for values in means.values())
    made: list[Trial] = []
    for index in range(rounds):
        for lane, values in means.items():
            if index < len(values):
                ms = values[index]
                made.append(
                    trial(
                        lane,
                        (ms * 0.995, ms * 1.005),
                        (ms * 0.1, ms * 0.1),
                        index=index + 1,
                        position=len(made) + 1,
                        **more,
                    )
                )
    return made


def run(lanes: Sequence[str] = ("pytorch-eager", "onnxruntime"), **more: Any) -> Run:
    """The run.json beside these trials; the headline is its first lane that is not PyTorch."""
    fields: dict[str, Any] = dict(
        schema=SCHEMA,
        id=RUN,
        created="2026-01-02T03:04:05+00:00",
        workload_digest=a_workload().digest(),
        model_digest=model().digest,
        machine=environment().machine,
        settings=settings(),
        demonstration=True,
        headline=next((lane for lane in lanes if not LANES[lane].baseline), None),
        lanes=list(lanes),
        stopped="all 3 trials of each lane were run",
        read_bandwidth=2e10,
        command="bash scripts/bench_local.sh",
        rules=rules.sealed(Settings(), "cpu"),
        candidates=[(lane, CELL.precision) for lane in lanes if LANES[lane].baseline],
        departures=[],
    )
    return Run(**{**fields, **more})


def store(results: Path, record: Run, made: Sequence[Trial]) -> Path:
    """Write run.json and the trials as a run of the results folder; return the run's folder."""
    run_folder.write(results, record)
    home = run_folder.folder(results, record.id)
    for each in made:
        each.run = record.id
        write_trial(home / "trials" / run_folder.trial_name(each), each)
    return home
