"""The run: model, workload, preparation, interleaved trials; from settings to records."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from trtbench.errors import UserError, counted
from trtbench.figures.base import departed, may_be_base
from trtbench.machine import bandwidth, device, host, quiet
from trtbench.machine.disturbance import disturbances, early_clocks
from trtbench.measure import gpu_lost, headline, opening, rules
from trtbench.measure.choosing import Choosing, Conditions
from trtbench.measure.interpreters import Interpreters
from trtbench.measure.progress import Progress
from trtbench.measure.rounds import Rounds
from trtbench.measure.spec import Spec
from trtbench.measure.trial_process import run_trial
from trtbench.model import chat_template, finding, folder_view, prompt_files, workload
from trtbench.records import run_folder
from trtbench.records.files import SCHEMA, encode, write_whole
from trtbench.records.run import Absent, Rules, Run
from trtbench.records.trial import Failure, Sampling, Sealed, Trial
from trtbench.settings.cells import shapes
from trtbench.settings.choosing import Entrant, chosen_lanes, entrants_of
from trtbench.settings.knobs import Settings
from trtbench.settings.lanes import LANES


class Measurement:
    """One call of the command, from settings to records."""

    def __init__(self, settings: Settings, sources: dict[str, str], options: Any, command: str) -> None:
        self.settings, self.sources, self.options, self.command = settings, sources, options, command
        self.progress = Progress(quiet=options.no_progress or settings.log_level == "error")
        self.results = settings.results.absolute()
        self.device = device.resolve(settings.device, settings.tp_size)
        self.cards = len(self.device.names or ())  # that every lane computes on; none on a CPU
        self.threads = settings.threads or host.usable_cores()
        self.names = chosen_lanes(settings, self.device.kind, options.family, self.device.capability)
        self.entrants, self.left_out = entrants_of(self.names, settings, self.device.kind)
        whole = options.family is None and options.resume is None
        self.headline = headline.headline(settings, self.names, self.entrants, self.device.kind, whole)
        self.interpreters = Interpreters(self.names, self.device)
        self.absent = [
            Absent(lane=e.lane, precision=e.precision, failure=Failure(phase="precision", reason=reason))
            for e, reason in self.left_out.items()
        ]

    @property
    def home(self) -> Path:
        """The run's folder."""
        return run_folder.folder(self.results, self.record.id)

    @property
    def interleaved(self) -> bool:
        """Whether all lanes of the run take turns."""
        return not (self.opened.joined or self.options.family is not None)

    def run(self) -> None:
        """Open the run, prepare its lanes and run their trials; what it knows then is in `record` and `known`."""
        look = quiet.Look()
        whole = self.options.family is None
        for note in headline.notes(self.entrants, self.left_out, whole, self.device.capability):
            self.progress.note(note)
        self.describe()
        self.opened = self.open()
        self.record = self.opened.run
        gone = departed(self.record)
        if self.entrants and all((e.lane, e.precision) in gone for e in self.entrants):
            raise UserError(
                f"every lane that was asked for has left run {self.record.id}, being slower than the best PyTorch lane in every "
                "cell; a new run with SLOW_LANES=keep keeps them."
            )
        self.entrants = [e for e in self.entrants if (e.lane, e.precision) not in gone]
        if not (self.home / "workload.json").is_file():
            write_whole(self.home / "workload.json", encode(self.workload))
        run_folder.write(self.results, self.record)
        self.progress.note(
            f"run {self.record.id}: {', '.join(map(str, self.entrants))}; {counted(self.threads, 'thread')} on {self.device.kind}"
        )
        self.see_whether_quiet(look)
        self.record.read_bandwidth = self.record.read_bandwidth or bandwidth.measured_bandwidth(self.threads)
        self.known = run_folder.trials(self.results, self.record.id)
        self.latecomers = self.without_a_turn()
        self.choosing = Choosing(
            self.record,
            self.known,
            self.settings,
            Conditions(
                self.interpreters.environments, self.model.digest, self.threads, self.device.kind, self.sampling
            ),
            self.progress,
            self.try_out,
            self.save,
        )
        self.prepare()
        self.trials()
        run_folder.write(self.results, self.record)

    def without_a_turn(self) -> set[Entrant]:
        """The entrants that come to a run whose rounds the others have had without them."""
        if max((t.round or 0 for t in self.known), default=0) < 2:
            return set()
        there = {(t.lane, t.precision) for t in self.known}
        return {e for e in self.entrants if (e.lane, e.precision) not in there}

    def tell_noise(self) -> None:
        """Tell who keeps the machine from being quiet before a download or a build, while there is time to end it."""
        if not self.progress.quiet:
            self.note_noise(quiet.Look(), rules.sealed(self.settings, self.device.kind))

    def note_noise(self, look: quiet.Look, limits: Rules) -> bool:
        """End a look and tell what it saw; whether it saw anything."""
        noise = look.noise(limits, self.cards)
        if noise is not None:
            self.progress.note(f"this machine is not quiet: {noise}")
        return noise is not None

    def see_whether_quiet(self, look: quiet.Look) -> None:
        """Tell who keeps the machine from being quiet, before minutes are spent; with QUIET=wait, wait a while for it."""
        limits = self.record.rules
        assert limits is not None
        if self.note_noise(look, limits) and limits.quiet == "wait":
            self.progress.note(f"waiting at most {limits.wait:g} s (QUIET=warn does not wait)")
            noise, _ = quiet.wait(limits, self.cards, lambda _: None)
            if noise is not None:
                self.progress.note("going on: a trial that is disturbed is run again once the machine is quiet")

    def describe(self) -> None:
        """Find the model, make the workload, look at the machine."""
        settings = self.settings
        file = Path(settings.prompts_file) if settings.prompts_file else prompt_files.PROMPTS
        prompts = prompt_files.read_prompts(file, self.progress.note)  # before a model is fetched
        self.progress.note(f"model {settings.model_name}")
        folder = finding.resolve(settings).absolute()
        self.model = finding.describe(folder, settings)
        finding.check_lengths(settings, self.model, self.sources)
        self.sampling = Sampling(temperature=settings.temperature, top_p=settings.top_p, seed=settings.seed)
        texts, name = chat_template.texts(prompts, folder, file.name)
        self.workload = workload.build(texts, folder, shapes(settings, "any"), self.sampling, name)
        if short := len(prompts) - len(self.workload.starts):
            self.progress.note(
                f"{file.name}: left out {counted(short, 'prompt')} of fewer than {workload.MIN_PROMPT_TOKENS} tokens"
            )
        self.model_path = folder_view.for_running(folder, (settings.data / "cache").absolute())

    def open(self) -> opening.Opened:
        """A new run, the one to resume, or the current one when a single step may join it."""
        fresh = Run(
            schema=SCHEMA,
            id=run_folder.new_id(self.results),
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(),
            workload_digest=self.workload.digest(),
            model_digest=self.model.digest,
            machine=self.interpreters.machine,
            settings=self.settings.public(),
            demonstration=self.model.synthetic,
            lanes=self.names,
            absent=self.absent,
            headline=self.headline,
            command=self.command,
            rules=rules.sealed(self.settings, self.device.kind),
            candidates=[key for e in self.entrants if may_be_base(key := (e.lane, e.precision), e.precision)],
            departures=[],
            tried=[],
        )
        options = self.options
        environments = {(e.lane, e.precision): self.interpreters.environments[e.lane] for e in self.entrants}
        return opening.open_run(
            self.results,
            fresh,
            environments,
            options.family,
            options.resume,
            options.pick_up,
            options.new_run,
            self.progress.note,
        )

    def spec(
        self,
        entrant: Entrant,
        index: int,
        attempt: int,
        position: int,
        number: int,
        prepare_only: bool = False,
        value: str | None = None,
    ) -> Spec:
        """What attempt `attempt` at trial `index` is told, at the run's place `position` in its round `number`. With a `value`
        the lane's choice is that in every cell, in place of what was chosen."""
        cells = shapes(self.settings, entrant.precision)
        return Spec(
            run=self.record.id,
            lane=entrant.lane,
            precision=entrant.precision,
            index=index,
            attempt=attempt,
            position=position,
            round=number,
            interleaved=self.interleaved and entrant not in self.latecomers,
            device=self.device.kind,
            threads=self.threads,
            tp_size=self.settings.tp_size,
            iterations=self.settings.num_iterations,
            warmup_limit=self.settings.warmup_limit,
            cells=cells,
            chosen=[value] * len(cells) if value is not None else self.choosing.chosen(entrant, cells),
            sampling=self.sampling,
            model_path=str(self.model_path),
            model=self.model,
            workload=str(run_folder.folder(self.results, self.record.id) / "workload.json"),
            workload_digest=self.workload.digest(),
            cache=str((self.settings.data / "cache").absolute()),
            output="",
            environment=self.interpreters.environments[entrant.lane],
            program=self.interpreters.of_lane[entrant.lane].program,
            settings=self.settings.public(),
            sealed=Sealed(
                headline=self.record.headline, lanes=self.record.lanes, candidates=self.record.candidates or []
            ),
            prepare_only=prepare_only,
            trying=value is not None and not prepare_only,
            start_limit=self.settings.engine_start_limit if LANES[entrant.lane].spawns else None,
        )

    def prepare(self) -> None:
        """Convert, build or compile once, before any trial, so that no trial pays for it, and find the settings to time."""
        ready = []
        for entrant in self.entrants:
            failure = self.prepared(entrant)
            if failure is not None:
                gpu_lost.check(failure, self.cards, self.record.id)
                self.leave_out(entrant, failure)
            else:
                ready.append(entrant)
                self.back(entrant)
        self.entrants = ready
        self.save()
        if not ready:
            raise UserError(
                "no lane could be prepared: "
                + "; ".join(f"{a.lane}: {a.failure.reason}" for a in self.record.absent)
                + "."
            )
        for entrant in ready:
            self.choosing.choose(entrant)
            self.prepare_apart(entrant)

    def prepare_apart(self, entrant: Entrant) -> None:
        """Prepare a lane whose cells are timed with different values again, as its trials will load it: once for each value."""
        spec = self.spec(entrant, 0, 0, 0, 0, prepare_only=True)
        if LANES[entrant.lane].prepares and len(set(spec.chosen)) > 1:
            run_trial(self.results, spec, self.progress.phase)

    def prepared(self, entrant: Entrant) -> Failure | None:
        """Prepare a lane, for each value of its choice that will be timed; None, or why that failed with all of them."""
        if not LANES[entrant.lane].prepares:
            # A process of its own would only import the engine; the first trial finds out as well whether that works.
            return None
        self.progress.preparing(str(entrant))
        failures: list[Failure | None] = []
        for place, value in enumerate(self.choosing.to_time(entrant)):
            spec = self.spec(entrant, 0, 0, 0, 0, prepare_only=True, value=value)
            preparation = run_trial(self.results, spec, self.progress.phase)
            failures.append(preparation.failure)
            if preparation.cold.prepare is not None and not preparation.cold.prepare_cached:
                named = f"{entrant} ({value})" if value and place else str(entrant)
                self.progress.note(f"prepared {named} in {preparation.cold.prepare / 1e9:.1f} s")
        return failures[0] if all(failures) else None

    def try_out(self, entrant: Entrant, value: str, number: int) -> Trial | None:
        """Time the cells with a value in a process of its own, again while somebody disturbs it; None where that does not end."""
        rules = self.record.rules
        assert rules is not None
        self.progress.preparing(f"{entrant} with {value}, {number}")
        waited = 0.0
        for again in range(rules.attempts):
            trial = run_trial(
                self.results,
                self.spec(entrant, number, again + 1, 0, 0, value=value),
                self.progress.phase,
                disturbed=lambda trial: disturbances(trial, rules, early_clocks([trial])),
                waited=waited,
            )
            if trial.failure is not None:
                gpu_lost.check(trial.failure, self.cards, self.record.id)
            if not trial.disturbed:
                return trial
            if rules.quiet == "warn":
                return None
            still, waited = quiet.wait(rules, self.cards, lambda _: None)
            if still is not None:
                return None
        return None

    def leave_out(self, entrant: Entrant, failure: Failure) -> None:
        """Note why an entrant runs no (further) trial; the rest goes on."""
        self.progress.note(f"{entrant} is left out: {failure.reason}." + (f" {failure.hint}" if failure.hint else ""))
        self.back(entrant)
        self.record.absent.append(Absent(lane=entrant.lane, precision=entrant.precision, failure=failure))
        self.save()

    def save(self) -> None:
        """Write what has changed in the run: nobody could tell it after a kill."""
        run_folder.write(self.results, self.record)

    def back(self, entrant: Entrant) -> None:
        """Forget why an entrant was left out by an earlier call."""
        self.record.absent = [
            a for a in self.record.absent if (a.lane, a.precision) != (entrant.lane, entrant.precision)
        ]

    def trials(self) -> None:
        """The rounds."""
        Rounds(
            self.record,
            self.known,
            self.entrants,
            self.settings,
            self.cards,
            self.sources["TIME_BUDGET"] != "default",
            self.progress,
            self.attempt,
            self.leave_out,
            self.save,
        ).run(self.opened.resumed, self.opened.joined, self.interleaved)

    def attempt(self, entrant: Entrant, index: int, attempt: int, position: int, number: int, waited: float) -> Trial:
        """One trial in a process of its own. Raises GpuLost."""
        rules = self.record.rules
        assert rules is not None
        trial = run_trial(
            self.results,
            self.spec(entrant, index, attempt, position, number),
            self.progress.phase,
            self.record.read_bandwidth,
            lambda trial: disturbances(trial, rules, early_clocks([*self.known, trial])),
            waited,
        )
        if trial.failure is not None:
            gpu_lost.check(trial.failure, self.cards, self.record.id)
        return trial
