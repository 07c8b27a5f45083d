"""Run the benchmark: model, workload, preparation, interleaved trials, views, and on request the comparison.

python -m trtbench.bench [--local] [--family NAME] [--compare] [--resume [RUN]] [--new-run] [--quiet] [settings]
"""

from __future__ import annotations

import datetime
import errno
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtbench import device as devices
from trtbench import host, judge, judgement, lanes, models, nvml, runner, runs, symptoms, trtllm_bench, views, workload
from trtbench.configure import Parser, add_flags, resolve
from trtbench.errors import UserError
from trtbench.progress import Progress
from trtbench.records import SCHEMA, Failure, Sampling, Trial, encode, write_whole
from trtbench.runs import Absent, Run
from trtbench.schedule import Entrant, rounds
from trtbench.selection import check_lengths, chosen_lanes, entrants_of, shapes
from trtbench.settings import ROWS, Settings, show
from trtbench.stopping import Stop, enough
from trtbench.trial import Spec

# Settings that may differ between steps of one run: they choose what is run, not how it is measured.
FREE = (
    "LANES",
    "TRIALS",
    "TIME_BUDGET",
    "TARGET_PRECISION",
    "HEADLINE",
    "EQUIVALENCE_MARGIN",
    "REPORT_LANG",
    "LOG_LEVEL",
    "OFFLINE",
    "DATA_DIR",
    "RESULTS_DIR",
    "PRECISION",
    "MODEL_NAME",
    "MODEL_SOURCE",
    "MODEL_REVISION",
    "PROMPTS_FILE",
    "EXAMPLES_DIR",
    "ENGINE_START_LIMIT",
    "TRTLLM_BENCH",
    "PROFILE",
    "ENERGY",
)


def parser() -> Parser:
    made = Parser(prog="bench", description="Run lanes in fresh, interleaved processes and keep every raw time.")
    made.add_argument("--local", action="store_true", help="the defaults of scripts/bench_local.sh")
    made.add_argument(
        "--family",
        default=None,
        choices=sorted({row.family for row in lanes.LANES.values()}),
        help="only lanes of this family, added to the current run when workload, machine and settings are the same",
    )
    made.add_argument("--build", action="store_true", help="build the TensorRT engine first, where its lane runs")
    made.add_argument("--compare", action="store_true", help="compare afterwards and print the report")
    made.add_argument(
        "--resume",
        nargs="?",
        const="",
        default=None,
        metavar="RUN",
        help="run what is missing of the latest run (or of RUN)",
    )
    made.add_argument(
        "--pick-up",
        action="store_true",
        help="go on with the latest run when it was cut off and is asked for again; the compose services do so",
    )
    made.add_argument("--new-run", action="store_true", help="never add to the current run")
    made.add_argument("--quiet", action="store_true", help="no progress")
    add_flags(made)
    return made


class GpuLost(UserError):
    """The card that the lanes run on is gone; what was finished is kept."""


class Bench:
    """One call of the command, from settings to records."""

    def __init__(self, settings: Settings, sources: dict[str, str], options: Any) -> None:
        self.settings, self.sources, self.options = settings, sources, options
        self.progress = Progress(quiet=options.quiet or settings.log_level == "error")
        self.results = settings.results.absolute()
        self.device = devices.resolve(settings.device)
        self.threads = settings.threads or host.usable_cores()
        self.names = chosen_lanes(settings, self.device.kind, options.family)
        self.entrants, self.absent = entrants_of(self.names, settings, self.device.kind)

    def run(self) -> str:
        """Do all of it; return the run's id."""
        settings = self.settings
        self.progress.note(f"model {settings.model_name}")
        self.model_path = models.resolve(settings).absolute()
        self.model = models.describe(self.model_path, settings)
        check_lengths(settings, self.model)
        prompts = Path(settings.prompts_file) if settings.prompts_file else workload.PROMPTS
        self.sampling = Sampling(temperature=settings.temperature, top_p=settings.top_p, seed=settings.seed)
        self.workload = workload.build(
            workload.read_prompts(prompts), self.model_path, shapes(settings, "any"), self.sampling, prompts.name
        )
        self.environment = host.environment(self.device.names, self.device.driver, self.device.cuda)
        self.record = self.open_run()
        home = runs.folder(self.results, self.record.id)
        if not (home / "workload.json").is_file():
            write_whole(home / "workload.json", encode(self.workload))
        runs.write(self.results, self.record)
        self.progress.note(
            f"run {self.record.id}: {', '.join(map(str, self.entrants))}; {self.threads} threads on {self.device.kind}"
        )
        self.record.read_bandwidth = self.record.read_bandwidth or runner.measured_bandwidth(self.threads)
        self.known = runs.trials(self.results, self.record.id)
        self.prepare()
        self.trials()
        runs.write(self.results, self.record)
        self.judge()
        if self.settings.trtllm_bench:
            trtllm_bench.beside(
                self.settings, home, self.model_path, self.workload, runs.counting(self.known), self.progress.note
            )
        self.progress.done()
        return self.record.id

    def build(self) -> None:
        """Build the engines that the lane tensorrt-engine needs; without any TensorRT-LLM lane there is nothing to do."""
        from trtbench import contract, engine

        if "tensorrt-engine" in self.names:
            engine.build(self.settings, self.progress.note)
        elif self.settings.lanes == ("auto",):
            reason = contract.no_build()
            if "tensorrt-pytorch" not in self.names:
                raise UserError(reason)
            self.progress.note(reason)

    def open_run(self) -> Run:
        """A new run, the one to resume, or the current one when a single step may join it."""
        public = self.settings.public()
        fresh = Run(
            schema=SCHEMA,
            id=runs.new_id(self.results),
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(),
            workload_digest=self.workload.digest(),
            model_digest=self.model.digest,
            machine=self.environment.machine,
            settings=public,
            demonstration=self.model.synthetic,
            lanes=self.names,
            absent=self.absent,
            headline=self.headline(),
            command=command(),
        )
        self.joined = False
        if self.options.pick_up and self.options.resume is None and not self.options.new_run:
            self.options.resume = self.cut_off(fresh)
        if self.options.resume is not None:
            current = runs.read(self.results, runs.find(self.results, self.options.resume or None))
            reason = differs(current, fresh)
            if reason:
                raise UserError(
                    f"run {current.id} cannot be resumed: {reason}; give the settings it was started with, or start a new run."
                )
            current.stopped, current.absent = None, fresh.absent
            current.lanes += [name for name in self.names if name not in current.lanes]
            return current
        there = runs.listed(self.results)
        if self.options.family is not None and not self.options.new_run and there:
            current = runs.read(self.results, there[-1])
            if differs(current, fresh) is None:
                current.stopped = None
                self.joined = bool(set(current.lanes) - set(self.names)) or bool(runs.trials(self.results, current.id))
                current.lanes += [name for name in self.names if name not in current.lanes]
                current.absent += [a for a in self.absent if a not in current.absent]
                current.headline = current.headline or fresh.headline
                return current
        return fresh

    def cut_off(self, fresh: Run) -> str | None:
        """The latest run, when it never came to its end and is what is asked for again."""
        there = runs.listed(self.results)
        latest = runs.read(self.results, there[-1]) if there else None
        if latest is None or latest.stopped is not None or differs(latest, fresh) is not None:
            return None
        same = set(self.names) <= set(latest.lanes) if self.options.family else set(self.names) == set(latest.lanes)
        if same:
            self.progress.note(f"run {latest.id} was cut off; going on with it")
        return latest.id if same else None

    def headline(self) -> str | None:
        """The lane of the headline, fixed before the run: HEADLINE, else tensorrt-engine, else the first not of PyTorch."""
        wanted = self.settings.headline
        if wanted and wanted not in lanes.LANES:
            raise UserError(f"HEADLINE={wanted!r} is no lane; there are {', '.join(lanes.LANES)}.")
        if wanted:
            return wanted
        rows = {name: lanes.LANES[name] for name in self.names}
        others = [name for name, row in rows.items() if not row.baseline and row.family != "pytorch"]
        return "tensorrt-engine" if "tensorrt-engine" in others else (others[0] if others else None)

    def spec(self, entrant: Entrant, index: int, attempt: int, position: int, prepare_only: bool = False) -> Spec:
        return Spec(
            run=self.record.id,
            lane=entrant.lane,
            precision=entrant.precision,
            index=index,
            attempt=attempt,
            position=position,
            interleaved=not (self.joined or self.options.family is not None),
            device=self.device.kind,
            threads=self.threads,
            iterations=self.settings.num_iterations,
            warmup_limit=self.settings.warmup_limit,
            cells=shapes(self.settings, entrant.precision),
            sampling=self.sampling,
            model_path=str(self.model_path),
            model=self.model,
            workload=str(runs.folder(self.results, self.record.id) / "workload.json"),
            workload_digest=self.workload.digest(),
            cache=str((self.settings.data / "cache").absolute()),
            output="",
            environment=self.environment,
            settings=self.settings.public(),
            prepare_only=prepare_only,
            start_limit=self.settings.engine_start_limit if lanes.LANES[entrant.lane].spawns else None,
        )

    def prepare(self) -> None:
        """Convert, build or compile once, before any trial, so that no trial pays for it."""
        ready = []
        for entrant in self.entrants:
            self.progress.preparing(str(entrant))
            made = runner.run_trial(
                self.results, self.spec(entrant, 0, 0, 0, prepare_only=True), self.progress.phase, None
            )
            if made.failure is not None:
                self.check_gpu(made.failure)
                self.leave_out(entrant, made.failure)
            else:
                ready.append(entrant)
                if made.cold.prepare is not None and not made.cold.prepare_cached:
                    self.progress.note(f"prepared {entrant} in {made.cold.prepare / 1e9:.1f} s")
        self.entrants = ready
        if not ready:
            runs.write(self.results, self.record)
            raise UserError(
                "no lane could be prepared: "
                + "; ".join(f"{a.lane}: {a.failure.reason}" for a in self.record.absent)
                + "."
            )

    def leave_out(self, entrant: Entrant, failure: Failure) -> None:
        """Note why an entrant runs no (further) trial; the rest goes on."""
        self.progress.note(f"{entrant} is left out: {failure.reason}." + (f" {failure.hint}" if failure.hint else ""))
        self.record.absent = [
            a for a in self.record.absent if (a.lane, a.precision) != (entrant.lane, entrant.precision)
        ]
        self.record.absent.append(Absent(lane=entrant.lane, precision=entrant.precision, failure=failure))

    def trials(self) -> None:
        """Rounds of trials until there are as many as asked for, the interval is narrow enough, or the time is spent."""
        began = time.monotonic()
        position = max((trial.position for trial in self.known), default=0)
        first = {e: 1 + max((t.index for t in self.finished(e)), default=0) for e in self.entrants}
        if self.options.resume is not None:
            first = dict.fromkeys(self.entrants, 1)
        limit = self.settings.trials or 1000
        asked = self.sources["TIME_BUDGET"] != "default"
        ordered = rounds(self.entrants, self.settings.seed + (position if self.joined else 0))
        done = self.started = 0
        while self.entrants:
            if done >= limit:
                self.record.stopped = f"all {limit} trials of each lane were run"
                break
            stop = enough(
                runs.counting(self.known),
                self.record,
                self.settings,
                Stop(
                    rounds=done,
                    spent=time.monotonic() - began,
                    next_round=self.progress.expected([str(e) for e in self.entrants]),
                    budget=self.settings.time_budget if not self.settings.trials or asked else None,
                    asked=asked,
                ),
            )
            if stop is not None:
                self.record.stopped = stop
                break
            order = next(ordered)
            for place, entrant in enumerate(order):
                if entrant not in self.entrants:
                    continue
                index = first[entrant] + done
                if any(t.index == index for t in self.finished(entrant)):
                    continue
                position += 1
                rest = [e for e in order[place:] if e in self.entrants]
                self.one(entrant, index, position, rest, done, limit if self.settings.trials else 0)
            done += 1
        self.progress.note(f"stopped: {self.record.stopped or 'no lane is left'}")

    def judge(self) -> None:
        """Have the reference model score what the lanes returned."""
        if not runs.counting(self.known):
            return
        self.progress.note("judging what the lanes returned")
        found = judge.start(
            self.results,
            judge.Spec(
                run_folder=str(runs.folder(self.results, self.record.id)),
                run=self.record.id,
                model_path=str(self.model_path),
                model=self.model,
                workload_digest=self.workload.digest(),
                sampling=self.sampling,
                device=self.device.kind,
                threads=self.threads,
                seed=self.settings.seed,
                output=str(judgement.path(self.results, self.record.id)),
            ),
            self.progress.phase,
        )
        if found.failure:
            self.progress.note(f"not judged: {found.failure}")

    def finished(self, entrant: Entrant) -> list[Trial]:
        return [t for t in runs.counting(self.known) if (t.lane, t.precision) == (entrant.lane, entrant.precision)]

    def one(
        self, entrant: Entrant, index: int, position: int, round_rest: Sequence[Entrant], done: int, limit: int
    ) -> None:
        """One trial; a lane that fails twice and never succeeded runs no more."""
        earlier = [t for t in self.known if (t.lane, t.precision, t.index) == (entrant.lane, entrant.precision, index)]
        self.started += 1
        ahead = [str(e) for e in self.entrants]
        remaining = [*(str(e) for e in round_rest), *ahead * (limit - done - 1)] if limit else []
        self.progress.trial(self.started, self.started - 1 + len(remaining) if limit else None, str(entrant), remaining)
        trial = runner.run_trial(
            self.results,
            self.spec(entrant, index, len(earlier) + 1, position),
            self.progress.phase,
            self.record.read_bandwidth,
        )
        self.known.append(trial)
        if trial.failure is None:
            self.progress.finished(str(entrant), trial.seconds)
            return
        self.check_gpu(trial.failure)
        failed = [
            t
            for t in self.known
            if (t.lane, t.precision) == (entrant.lane, entrant.precision)
            and t.failure is not None
            and t.failure.reason != symptoms.LOST_GPU.reason
        ]
        self.progress.note(
            f"{entrant}, trial {index}: {trial.failure.reason}."
            + (f" {trial.failure.hint}" if trial.failure.hint else "")
        )
        if len(failed) >= 2 and not self.finished(entrant):
            self.entrants.remove(entrant)
            self.leave_out(entrant, trial.failure)

    def check_gpu(self, failure: Failure) -> None:
        """End the run when a trial failed because the card is gone: no other lane would fare better on it."""
        if self.device.kind != "cuda":
            return
        told = failure.reason == symptoms.LOST_GPU.reason
        gone = nvml.lost()
        if told or gone is not None:
            raise GpuLost(
                f"{symptoms.LOST_GPU.reason}{f' ({gone})' if gone else ''}; what run {self.record.id} has finished is kept: "
                f"{symptoms.LOST_GPU.remedy}."
            )


def differs(current: Run, fresh: Run) -> str | None:
    """Say why trials of `fresh` cannot stand in the run `current`, or None."""
    if current.machine != fresh.machine:
        return "this is another machine"
    if current.model_digest != fresh.model_digest:
        return "the model is another one"
    if current.workload_digest != fresh.workload_digest:
        return "the prompts, cells or sampling differ"
    for name in ROWS:
        if name in FREE or name not in fresh.settings:
            continue
        if current.settings.get(name) != fresh.settings[name]:
            return f"{name} was {show(name, current.settings.get(name))} and is {show(name, fresh.settings[name])}"
    return None


def command() -> str:
    """What the user typed, as far as this process can know; secrets never stand in it, they have no flag."""
    return os.environ.get("TRTBENCH_COMMAND") or shlex.join(["python3", "-m", "trtbench.bench", *sys.argv[1:]])


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    settings, sources = resolve(vars(options), local=options.local)
    bench = Bench(settings, sources, options)
    if options.build:
        bench.build()
    try:
        with runs.locked(bench.results):
            try:
                run = bench.run()
            except GpuLost:
                if runs.counting(bench.known):
                    views.write_benchmarks(bench.results, bench.record.id)
                raise
            views.write_benchmarks(bench.results, run)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"the disk is full ({error.filename or bench.results}); finished trials are kept: "
                "free space and go on with --resume."
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(f"{error.filename or bench.results} cannot be written: {error.strerror}.") from None
        raise
    if not runs.counting(bench.known):
        raise UserError(f"run {run}: no trial was finished; the reasons stand above and in its folder.")
    if options.compare:
        from trtbench import compare

        return compare.main(["--results-dir", str(bench.results), "--report-lang", settings.report_lang, "--run", run])
    return 0


if __name__ == "__main__":
    from trtbench.errors import run_main

    run_main(main)
