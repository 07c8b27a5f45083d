"""NVIDIA's own `trtllm-bench latency` on the same engine and prompts, on request (TRTLLM_BENCH=1).

It stands beside our figures and changes none: it streams one sequence at a time, and its clock is its own. In some
releases it fails on engines that trtllm-build made (docs/tensorrt-contract.md), so a failure is told and nothing more.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from trtbench.engine import contract, known_failures, model_folder, on_disk, plan, tools
from trtbench.engine.runtime_folder import on_local_disk
from trtbench.errors import UserError
from trtbench.model.workload import Workload
from trtbench.records import trtllm_report
from trtbench.records.trial import Trial
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import Settings


def beside(
    settings: Settings, home: Path, model: Path, workload: Workload, trials: Sequence[Trial], say: Callable[[str], None]
) -> list[Path]:
    """Run it once for every engine and cell of batch 1 that has figures; return the reports, in the run's folder `home`."""
    if settings.tp_size > 1:
        say(
            f"trtllm-bench latency is not run: it is set beside engines of one card here, and TP_SIZE is {settings.tp_size}"
        )
        return []
    written = []
    engine_trials = [trial for trial in trials if trial.lane == trtllm_report.LANE]
    if not engine_trials:
        say(
            "trtllm-bench latency runs on TensorRT engines, and tensorrt-engine has no trial in this run: it is not run"
        )
    for precision in sorted({trial.precision for trial in engine_trials}):
        of_precision = [trial for trial in engine_trials if trial.precision == precision]
        cells = [record.cell for record in of_precision[0].cells if record.e2e is not None and record.cell.batch == 1]
        if not cells:
            say("trtllm-bench latency runs one sequence at a time, and no measured cell has batch 1: it is not run")
        for cell in cells:
            report = home / trtllm_report.name(precision, cell)
            try:
                sentence = _run_cell(settings, report, model, workload, of_precision, cell)
            except UserError as error:
                sentence = f"trtllm-bench latency is left out: {error}"
            say(sentence)
            written += [report] if report.is_file() else []
    return written


def _run_cell(
    settings: Settings, report: Path, model: Path, workload: Workload, trials: Sequence[Trial], cell: Cell
) -> str:
    """Run it for one cell; return the sentence that sets its figure beside ours."""
    data = settings.data.absolute()
    examples = Path(settings.examples_dir or contract.load()["examples_dir"])
    command = contract.command("trtllm-bench", examples)
    first = trials[0]
    sizes = plan.sizes_for([record.cell for record in first.cells])
    engine_or_reason = on_disk.find(on_disk.home(data), first.model.digest, first.precision, sizes, [])
    if isinstance(engine_or_reason, str):
        raise UserError(f"TensorRT engine not found: {engine_or_reason}")
    engine_folder, _ = engine_or_reason
    calls = settings.num_iterations
    rows = [
        {"task_id": call, "input_ids": workload.prompts(cell, call)[0], "output_tokens": cell.new_tokens}
        for call in range(calls)
    ]
    work = data / "cache" / "trtllm-bench"
    work.mkdir(parents=True, exist_ok=True)
    dataset = work / "requests.jsonl"
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report.unlink(missing_ok=True)
    with on_local_disk(engine_folder) as folder:
        status, text = tools.captured(
            [
                *command,
                *("--model", f"trtbench/{plan.slug(first.model.name)}"),
                *("--model_path", str(model_folder.for_tools(model, data / "cache"))),
                *("--workspace", str(work), "latency", "--engine_dir", str(folder), "--backend", "tensorrt"),
                *("--dataset", str(dataset), "--num_requests", str(calls), "--warmup", "2", "--concurrency", "1"),
                *("--report_json", str(report)),
            ],
            tools.environment(data / "cache", examples),
            2 * settings.engine_start_limit,
        )
    report.with_suffix(".log").write_text(text, encoding="utf-8")
    if status != 0:
        ending = "took too long" if status is None else f"failed with status {status}"
        raise UserError(f"it {ending} ({known_failures.cause(text)})")
    theirs = trtllm_report.read(report)
    times = [
        time
        for trial in trials
        for record in trial.cells
        if record.cell == cell and record.e2e is not None
        for time in record.e2e.times
    ]
    return (
        f"trtllm-bench latency, {first.precision}, {cell.prompt_length} + {cell.new_tokens} tokens: {theirs.latency:.2f} ms a request; "
        f"ours {statistics.fmean(times) / 1e6:.2f} ms ({report.name})"
    )
