"""Run the benchmark: model, workload, preparation, interleaved trials, judgement, and on request the comparison.

python -m trtbench.bench [--local] [--family NAME] [--compare] [--resume [RUN]] [--new-run] [--no-progress] [settings]
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from trtbench.engine import contract, trtllm_bench
from trtbench.engine.contract import probe
from trtbench.errors import UserError, why
from trtbench.machine import device
from trtbench.machine.child import interrupt
from trtbench.measure.gpu_lost import GpuLost
from trtbench.measure.run import Measurement
from trtbench.model.finding import to_be_fetched
from trtbench.records import judgement
from trtbench.records.ownership import hand_over_at_exit
from trtbench.records.run import counting
from trtbench.records.run_folder import locked
from trtbench.referee.judge import asking
from trtbench.referee.judge.spec import Spec
from trtbench.report.family_files import write_benchmarks
from trtbench.settings.environments import may_be_made
from trtbench.settings.options import parser, settings_for


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser("bench").parse_args(arguments)
    settings, sources = settings_for(options, lambda requested: device.resolve(requested).kind)
    if options.install:
        raise UserError(
            "--install makes environments of a clone, for bench_local.sh and the step scripts outside of an image; here "
            "this Python runs the lanes, so leave it out."
        )
    hand_over_at_exit(settings)
    measurement = Measurement(settings, sources, options, command())
    if options.build or to_be_fetched(settings):
        measurement.tell_noise()
    if options.build:
        build(measurement)
    elif options.family == "tensorrt":
        tell_no_engines(measurement)
    try:
        with locked(measurement.results):
            try:
                measurement.run()
            except GpuLost:
                if counting(measurement.known):
                    write_benchmarks(measurement.results, measurement.record.id)
                raise
            judge(measurement)
            if settings.trtllm_bench:
                run_trtllm_bench(measurement)
            measurement.progress.done()
            write_benchmarks(measurement.results, measurement.record.id)
    except OSError as error:
        raise _disk_error(error, str(measurement.results)) from None
    run_id = measurement.record.id
    if not counting(measurement.known):
        raise UserError(f"run {run_id}: no trial was finished; the reasons stand above and in its folder.")
    if options.compare:
        from trtbench import compare

        view_options = [
            "--results-dir",
            str(measurement.results),
            "--report-lang",
            settings.report_lang,
            "--run",
            run_id,
        ]
        return compare.main(view_options)
    return 0


def build(measurement: Measurement) -> None:
    """Build the engines that the lane tensorrt-engine needs; without any TensorRT-LLM lane there is nothing to do."""
    note = measurement.progress.note
    if "tensorrt-engine" in measurement.names:
        from trtbench.engine.build import build as build_engines

        build_engines(measurement.settings, note)
        return
    without = measurement.settings.lanes == ("auto",) and "tensorrt-pytorch" not in measurement.names
    if without and (measurement.device.kind == "cpu" or not may_be_made()):
        raise UserError(contract.no_build())
    tell_no_engines(measurement)
    examples = Path(measurement.settings.examples_dir or contract.load()["examples_dir"])
    if "tensorrt-pytorch" in measurement.names and contract.tool_path("trtllm-build", examples) is None:
        probe.tell_pytorch_runtime(examples, measurement.settings.data.absolute(), note)


def tell_no_engines(measurement: Measurement) -> None:
    """Say why tensorrt-engine is not among the lanes, where nobody left it out."""
    if measurement.settings.lanes == ("auto",) and "tensorrt-engine" not in measurement.names:
        measurement.progress.note(contract.no_build())


def judge(measurement: Measurement) -> None:
    """Have the reference model score what the lanes returned."""
    if not counting(measurement.known):
        return
    measurement.progress.note("judging what the lanes returned")
    spec = Spec(
        run_folder=str(measurement.home),
        run=measurement.record.id,
        model_path=str(measurement.model_path),
        model=measurement.model,
        workload_digest=measurement.workload.digest(),
        sampling=measurement.sampling,
        device=measurement.device.kind,
        threads=measurement.threads,
        seed=measurement.settings.seed,
        output=str(judgement.path(measurement.results, measurement.record.id)),
    )
    judged = asking.start(measurement.results, spec, measurement.progress.phase)
    if judged.failure:
        measurement.progress.note(f"not judged: {judged.failure}")


def run_trtllm_bench(measurement: Measurement) -> None:
    """Run NVIDIA's own benchmark on the same engines; its figure stands beside ours."""
    trtllm_bench.beside(
        measurement.settings,
        measurement.home,
        measurement.model_path,
        measurement.workload,
        counting(measurement.known),
        measurement.progress.note,
    )


def _disk_error(error: OSError, results: str) -> Exception:
    """What a user is told of an error of the disk; other errors go on as they are."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"the disk is full ({error.filename or results}); finished trials are kept: "
            "free space and go on with --resume."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(f"{error.filename or results} cannot be written: {why(error, error.filename or results)}.")
    return error


def command() -> str:
    """What the user typed, as far as this process can know; secrets never stand in it, they have no flag."""
    return os.environ.get("TRTBENCH_COMMAND") or shlex.join(["python3", "-m", "trtbench.bench", *sys.argv[1:]])


if __name__ == "__main__":
    from trtbench.errors import run_main

    # Between children too: while it downloads, or waits for a quiet machine.
    signal.signal(signal.SIGTERM, interrupt)
    run_main(main)
