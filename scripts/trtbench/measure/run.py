"""The run: model, workload, preparation, interleaved trials; from settings to records."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtbench.engine import known_failures
from trtbench.errors import UserError, counted
from trtbench.machine import bandwidth, device, host, nvml
from trtbench.measure import opening
from trtbench.measure.progress import Progress
from trtbench.measure.schedule import rounds
from trtbench.measure.spec import Spec
from trtbench.measure.stopping import Stop, enough, every_trial
from trtbench.measure.trial_process import run_trial
from trtbench.model import finding, workload
from trtbench.records import run_folder
from trtbench.records.files import SCHEMA, encode, write_whole
from trtbench.records.run import Absent, Run, counting
from trtbench.records.trial import Failure, Sampling, Trial
from trtbench.settings.cells import shapes
from trtbench.settings.choosing import Entrant, chosen_lanes, entrants_of
from trtbench.settings.knobs import Settings
from trtbench.settings.lanes import LANES

MOST_ROUNDS = 1000  # of a run without TRIALS


class GpuLost(UserError):
    """The card that the lanes run on is gone; what was finished is kept."""


class Measurement:
    """One call of the command, from settings to records."""

    def __init__(self, settings: Settings, sources: dict[str, str], options: Any, command: str) -> None:
        self.settings, self.sources, self.options, self.command = settings, sources, options, command
        self.progress = Progress(quiet=options.quiet or settings.log_level == "error")
        self.results = settings.results.absolute()
        self.device = device.resolve(settings.device)
        self.threads = settings.threads or host.usable_cores()
        self.names = chosen_lanes(settings, self.device.kind, options.family)
        self.entrants, reasons = entrants_of(self.names, settings, self.device.kind)
        self.absent = [
            Absent(lane=e.lane, precision=e.precision, failure=Failure(phase="precision", reason=reason))
            for e, reason in reasons.items()
        ]

    @property
    def home(self) -> Path:
        """The run's folder."""
        return run_folder.folder(self.results, self.record.id)

    def run(self) -> None:
        """Open the run, prepare its lanes and run their trials; what it knows then is in `record` and `known`."""
        self.describe()
        self.opened = self.open()
        self.record = self.opened.run
        if not (self.home / "workload.json").is_file():
            write_whole(self.home / "workload.json", encode(self.workload))
        run_folder.write(self.results, self.record)
        self.progress.note(
            f"run {self.record.id}: {', '.join(map(str, self.entrants))}; {counted(self.threads, 'thread')} on {self.device.kind}"
        )
        self.record.read_bandwidth = self.record.read_bandwidth or bandwidth.measured_bandwidth(self.threads)
        self.known = run_folder.trials(self.results, self.record.id)
        self.prepare()
        self.trials()
        run_folder.write(self.results, self.record)

    def describe(self) -> None:
        """Find the model, make the workload, look at the machine."""
        settings = self.settings
        self.progress.note(f"model {settings.model_name}")
        self.model_path = finding.resolve(settings).absolute()
        self.model = finding.describe(self.model_path, settings)
        finding.check_lengths(settings, self.model)
        prompts = Path(settings.prompts_file) if settings.prompts_file else workload.PROMPTS
        self.sampling = Sampling(temperature=settings.temperature, top_p=settings.top_p, seed=settings.seed)
        self.workload = workload.build(
            workload.read_prompts(prompts), self.model_path, shapes(settings, "any"), self.sampling, prompts.name
        )
        self.environment = host.environment(self.device.names, self.device.driver, self.device.cuda)

    def open(self) -> opening.Opened:
        """A new run, the one to resume, or the current one when a single step may join it."""
        fresh = Run(
            schema=SCHEMA,
            id=run_folder.new_id(self.results),
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(),
            workload_digest=self.workload.digest(),
            model_digest=self.model.digest,
            machine=self.environment.machine,
            settings=self.settings.public(),
            demonstration=self.model.synthetic,
            lanes=self.names,
            absent=self.absent,
            headline=opening.headline(self.settings, self.names),
            command=self.command,
        )
        options = self.options
        return opening.open_run(
            self.results, fresh, options.family, options.resume, options.pick_up, options.new_run, self.progress.note
        )

    def spec(self, entrant: Entrant, index: int, attempt: int, position: int, prepare_only: bool = False) -> Spec:
        return Spec(
            run=self.record.id,
            lane=entrant.lane,
            precision=entrant.precision,
            index=index,
            attempt=attempt,
            position=position,
            interleaved=not (self.opened.joined or self.options.family is not None),
            device=self.device.kind,
            threads=self.threads,
            iterations=self.settings.num_iterations,
            warmup_limit=self.settings.warmup_limit,
            cells=shapes(self.settings, entrant.precision),
            sampling=self.sampling,
            model_path=str(self.model_path),
            model=self.model,
            workload=str(run_folder.folder(self.results, self.record.id) / "workload.json"),
            workload_digest=self.workload.digest(),
            cache=str((self.settings.data / "cache").absolute()),
            output="",
            environment=self.environment,
            settings=self.settings.public(),
            prepare_only=prepare_only,
            start_limit=self.settings.engine_start_limit if LANES[entrant.lane].spawns else None,
        )

    def prepare(self) -> None:
        """Convert, build or compile once, before any trial, so that no trial pays for it."""
        ready = []
        for entrant in self.entrants:
            self.progress.preparing(str(entrant))
            preparation = run_trial(
                self.results, self.spec(entrant, 0, 0, 0, prepare_only=True), self.progress.phase, None
            )
            if preparation.failure is not None:
                self.check_gpu(preparation.failure)
                self.leave_out(entrant, preparation.failure)
            else:
                ready.append(entrant)
                if preparation.cold.prepare is not None and not preparation.cold.prepare_cached:
                    self.progress.note(f"prepared {entrant} in {preparation.cold.prepare / 1e9:.1f} s")
        self.entrants = ready
        if not ready:
            run_folder.write(self.results, self.record)
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
        first_index = {e: 1 + max((t.index for t in self.finished(e)), default=0) for e in self.entrants}
        if self.opened.resumed:
            first_index = dict.fromkeys(self.entrants, 1)
        orders = rounds(self.entrants, self.settings.seed + (position if self.opened.joined else 0))
        rounds_done = self.started = 0
        limit = self.settings.trials or MOST_ROUNDS
        while self.entrants:
            if rounds_done >= limit:
                self.record.stopped = every_trial(limit)
                break
            stopped = self.why_stop(rounds_done, began)
            if stopped is not None:
                self.record.stopped = stopped
                break
            order = next(orders)
            for turn, entrant in enumerate(order):
                if entrant not in self.entrants:
                    continue
                index = first_index[entrant] + rounds_done
                if any(t.index == index for t in self.finished(entrant)):
                    continue
                position += 1
                rest_of_round = [e for e in order[turn:] if e in self.entrants]
                self.one_trial(entrant, index, position, self.ahead(rest_of_round, rounds_done))
            rounds_done += 1
        self.progress.note(f"stopped: {self.record.stopped or 'no lane is left'}")

    def why_stop(self, rounds_done: int, began: float) -> str | None:
        """In one sentence why no further round is run though fewer than the limit were, or None. `began` is the
        time.monotonic() of the first."""
        budget_was_set = self.sources["TIME_BUDGET"] != "default"
        return enough(
            counting(self.known),
            self.record,
            self.settings,
            Stop(
                rounds=rounds_done,
                spent=time.monotonic() - began,
                next_round=self.progress.expected([str(e) for e in self.entrants]),
                budget=self.settings.time_budget if not self.settings.trials or budget_was_set else None,
                asked=budget_was_set,
            ),
        )

    def finished(self, entrant: Entrant) -> list[Trial]:
        return [t for t in counting(self.known) if (t.lane, t.precision) == (entrant.lane, entrant.precision)]

    def ahead(self, rest_of_round: Sequence[Entrant], rounds_done: int) -> list[str]:
        """The entrants still to come, the next one first; empty while the number of rounds is open."""
        if not self.settings.trials:
            return []
        whole_rounds = [str(e) for e in self.entrants] * (self.settings.trials - rounds_done - 1)
        return [*(str(e) for e in rest_of_round), *whole_rounds]

    def one_trial(self, entrant: Entrant, index: int, position: int, ahead: list[str]) -> None:
        """One trial; a lane that fails twice and never succeeded runs no more."""
        earlier = [t for t in self.known if (t.lane, t.precision, t.index) == (entrant.lane, entrant.precision, index)]
        self.started += 1
        total = self.started - 1 + len(ahead) if self.settings.trials else None
        self.progress.trial(self.started, total, str(entrant), ahead)
        trial = run_trial(
            self.results,
            self.spec(entrant, index, len(earlier) + 1, position),
            self.progress.phase,
            self.record.read_bandwidth,
        )
        self.known.append(trial)
        if trial.failure is None:
            self.progress.finished(str(entrant), trial.seconds)
        else:
            self.note_failure(entrant, index, trial.failure)

    def note_failure(self, entrant: Entrant, index: int, failure: Failure) -> None:
        """Say why a trial failed; the entrant is left out when it is the second and none succeeded. Raises GpuLost."""
        self.check_gpu(failure)
        own_failures = [
            t
            for t in self.known
            if (t.lane, t.precision) == (entrant.lane, entrant.precision)
            and t.failure is not None
            and t.failure.reason != known_failures.LOST_GPU.reason
        ]
        self.progress.note(
            f"{entrant}, trial {index}: {failure.reason}." + (f" {failure.hint}" if failure.hint else "")
        )
        if len(own_failures) >= 2 and not self.finished(entrant):
            self.entrants.remove(entrant)
            self.leave_out(entrant, failure)

    def check_gpu(self, failure: Failure) -> None:
        """End the run when a trial failed because the card is gone: no other lane would fare better on it."""
        if self.device.kind != "cuda":
            return
        said_so = failure.reason == known_failures.LOST_GPU.reason
        loss = nvml.lost()
        if said_so or loss is not None:
            raise GpuLost(
                f"{known_failures.LOST_GPU.reason}{f' ({loss})' if loss else ''}; what run {self.record.id} has finished is kept: "
                f"{known_failures.LOST_GPU.remedy}."
            )
