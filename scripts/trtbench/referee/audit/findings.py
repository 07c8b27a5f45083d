"""The one table of everything the audit can say: code, levels, condition. The sentences are in report/words/audit.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import msgspec

from trtbench.figures.base import may_be_base
from trtbench.figures.summary import Where

PASS, WARN, FAIL = "pass", "warn", "fail"
LEVELS = (FAIL, WARN, PASS)
Value = int | float | str


class Finding(msgspec.Struct, kw_only=True, frozen=True):
    """One thing the audit says. Without a lane it touches every lane, without a cell every cell.

    `figures` are what the sentence of `code` is filled with; units are in the sentence.
    """

    code: str
    level: str
    lane: str | None = None
    precision: str | None = None
    cell: Where | None = None
    figures: dict[str, Value] = {}

    def touches(self, lane: str, precision: str, cell: Where | None = None) -> bool:
        """Whether this is about the figures of that lane (in that cell; None: in any)."""
        return (
            (self.lane is None or (self.lane, self.precision) == (lane, precision))
            and (self.cell is None or cell is None or self.cell == cell)
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Row:
    """What must hold for the finding to be made, and the levels it comes with; the first is the usual one."""

    levels: tuple[str, ...]
    condition: str


THEMES = (
    "count",
    "rate",
    "time",
    "ceiling",
    "parity",
    "fairness",
    "steady",
    "machine",
    "provenance",
    "base",
    "aa",
)

TABLE: dict[str, Row] = {
    # count: law 2
    "count.new_ids": Row((FAIL,), "a call returned other than batch rows of exactly new_tokens ids"),
    "count.ids": Row((FAIL,), "an id is below 0 or beyond the model's vocabulary"),
    "count.prompt_returned": Row((FAIL,), "every row of a call begins with the ids of its own prompt"),
    "count.padding": Row(
        (FAIL, WARN),
        "30 % of the ids are one id repeated to the end of the row (8 and more), under 5 % in the best PyTorch lane; "
        "warn for quantised lanes and where there is no PyTorch lane to compare with",
    ),
    "count.iterations": Row((WARN,), "a pass holds another number of times than NUM_ITERATIONS"),
    # rate: law 3
    "rate.disagrees": Row((FAIL,), "ids returned over seconds spent differ from the printed throughput by over 0.1 %"),
    # time: law 4
    "time.window": Row((FAIL,), "the calls of a pass and what stood between them do not fill the time that it took"),
    "time.between": Row(
        (FAIL,),
        "between the calls of one pass stood over four times as much as in the other, and 50 ms a call and 1 s more",
    ),
    "time.watched": Row(
        (FAIL,),
        "the CPU was watched for another time than the passes took (2 s, 2 % and half a second for each million prompt ids)",
    ),
    "time.kind": Row(
        (FAIL, WARN),
        "each of the last three warm-up calls (of six or more, or of 2 s), or the calls of the pass for energy, took over twice "
        "as long as the timed calls, or under a third, and nobody else is known to have been there; warn (the verdict is "
        "weak): their median 1.4 times as long, or under half, in half of three or more trials",
    ),
    "time.excused": Row(
        (WARN,), "untimed calls of a trial fit its times only if somebody else slowed them; the verdict is weak"
    ),
    "time.order": Row((FAIL,), "the passes of a cell, or the cells of a trial, do not lie behind one another in it"),
    "time.wall": Row((FAIL,), "parts of a trial, or the warm-up of a cell, add up to more than there was time for"),
    "time.unaccounted": Row((FAIL,), "for more of a cell or trial than its untimed calls take nothing is recorded"),
    "time.overlap": Row((FAIL,), "by both of its clocks a trial began before the one at the place before it had ended"),
    "time.unstamped": Row((WARN,), "the clocks beside a trial's times are absent"),
    # ceiling: law 8
    "ceiling.generation": Row((FAIL,), "a whole generation is shorter than the roofline floor on nominal figures"),
    "ceiling.prefill": Row((FAIL,), "a time to first token is shorter than the floor of the prefill"),
    "ceiling.decode": Row(
        (FAIL,), "a trial's mean generation less its fastest first token is shorter than the floor of the decode steps"
    ),
    "ceiling.measured": Row((WARN,), "one of the three above against the measured bandwidth of a CPU"),
    "ceiling.unknown": Row((WARN,), "model shape, stored precision or bandwidth is not known, so nothing was checked"),
    "ceiling.packed": Row(
        (WARN,),
        "the checkpoint is quantised and the lane states more bits: the ceiling is that of the fewest that may be read",
    ),
    "ceiling.no_peak": Row((WARN,), "the card's peak is not known: operations bound nothing"),
    "ceiling.zero": Row((FAIL,), "a time is zero or negative"),
    "ceiling.same_times": Row((FAIL,), "three or more calls of a pass took equally many nanoseconds"),
    "ceiling.ttft_above_whole": Row(
        (FAIL,),
        "every first token took 10 % longer than any whole generation, three or more of each; no disturbed pass of under 1 s",
    ),
    "ceiling.tpot_negative": Row((WARN,), "the mean time to first token is above the mean of the whole generation"),
    # parity
    "parity.near": Row((FAIL,), "under 99 % of a trial's judged ids are near the reference's first choice"),
    "parity.first": Row(
        (FAIL,),
        "so few of a trial's judged first tokens are near that a lane which is as good as asked for has a chance of under "
        "0.3 % of it",
    ),
    "parity.sampled": Row(
        (FAIL,),
        "sampled ids do not follow the reference's distribution (4 standard errors; 18 for first tokens, which are few)",
    ),
    "parity.quantised": Row(
        (FAIL, WARN),
        "a quantised lane is under its tolerance on real weights; warn: on synthetic ones it can't be judged",
    ),
    "parity.same_answer": Row(
        (FAIL, WARN),
        "all calls of a trial returned the same ids though their prompts differ; warn: no other lane's answers differ",
    ),
    "parity.unstable": Row((WARN,), "greedy ids differ between trials of one lane"),
    "parity.unscored": Row((WARN,), "returned ids of a lane and cell, or its first tokens, were not judged"),
    "parity.changed": Row(
        (FAIL,), "a trial's ids are not those that the judge looked at, or the trial was slipped in after it had looked"
    ),
    "parity.gone": Row((FAIL,), "a trial that the judge looked at is not among the records"),
    "parity.homeless": Row((FAIL,), "the judge scored ids that no record holds at their place"),
    "parity.judgement": Row((FAIL,), "the judgement is of another run, or of other margins or sampling"),
    "parity.score": Row(
        (FAIL,),
        "a score is there twice and differs, is left out though there was time, or no reference model gives such a one",
    ),
    "parity.lines": Row((FAIL,), "what the judge says of a lane does not follow from its scores and the records"),
    "parity.earlier": Row(
        (WARN,),
        "an earlier program judged: it compared only the first trials, did not say which trials it looked at, and what it "
        "says does not follow from all of them",
    ),
    "parity.absent": Row((WARN,), "there is no judgement of this run's model"),
    # fairness: law 2
    "fairness.workload": Row((FAIL,), "a trial's workload digest is not the run's"),
    "fairness.prompts": Row((FAIL,), "the prompts handed over are not those of the workload, or differ between lanes"),
    "fairness.unmade": Row((WARN,), "the prompts of a pass are too many to be made again and held against its digest"),
    "fairness.model": Row((FAIL,), "a trial's model digest is not the run's"),
    "fairness.precision": Row((FAIL,), "a lane computes or stores in another precision than was asked for"),
    "fairness.weights": Row((FAIL,), "a lane holds under 75 % of the bytes that its weights take as stated"),
    "fairness.settings": Row(
        (FAIL,), "sampling, iterations, warm-up, threads or cards were set otherwise than in the run"
    ),
    "fairness.threads": Row((FAIL,), "CPU lanes use different numbers of threads"),
    "fairness.device": Row((FAIL,), "lanes ran on different devices"),
    "fairness.machine": Row((FAIL,), "a trial ran on another machine"),
    "fairness.reuse": Row((FAIL,), "prefix or block reuse was on, or the engine took blocks from earlier calls"),
    "fairness.setting": Row(
        (FAIL,), "a trial was timed with another value of its engine's setting than was chosen before the first trial"
    ),
    "fairness.choice": Row((FAIL,), "the value that was chosen is not the one that the tries speak for"),
    "fairness.offered": Row((FAIL,), "more values of a setting were tried for a lane than any lane is offered"),
    "fairness.cards": Row((FAIL,), "a lane says that it split the model over more or fewer cards than TP_SIZE"),
    "fairness.more_cards": Row((FAIL,), "a trial's record lists more or fewer cards than TP_SIZE"),
    "fairness.idle_card": Row(
        (FAIL,), "one of the cards of a trial took under a quarter of the memory that the most loaded of them took"
    ),
    "fairness.graphs": Row((WARN,), "CUDA graphs were on in this lane and off in the best PyTorch lane"),
    "fairness.no_workload": Row(
        (WARN,), "workload.json is absent: the prompts handed over are only held against each other"
    ),
    "fairness.unstated": Row(
        (WARN,),
        "a lane does not say what precision, threads, CUDA graphs or reuse it ran with, or what its weights take (4 KiB at least)",
    ),
    # steady
    "steady.drift": Row(
        (WARN,), "a robust trend of over 2 % through a trial (1 %), or through all trials of a lane (5 %)"
    ),
    "steady.first": Row((WARN,), "a first timed call is far off the others (modified z above 5, 10 % and more)"),
    "steady.first_busy": Row(
        (WARN,), "the same of a slower one, while others used over 5 % of the CPU or disturbed the trial"
    ),
    "steady.compile": Row(
        (FAIL,), "the same call takes three times the median in at least half of three or more trials"
    ),
    "steady.unsettled": Row((WARN,), "the warm-up had not settled when the clock started"),
    "steady.no_warmup": Row((WARN,), "no first call or no warm-up is recorded"),
    "steady.outliers": Row((WARN,), "one lane has outliers and the other has not: intervals are too narrow then"),
    "steady.trials": Row(
        (WARN,),
        "each trial holds still, but trials differ: means of three or more over 5 % apart, F over 25 and over the calls of a trial",
    ),
    # machine
    "machine.throttled": Row(
        (FAIL, WARN), "heat or hardware throttled a GPU; fail with its clock down by 10 % meanwhile"
    ),
    "machine.clock": Row(
        (FAIL, WARN), "a trial's SM clock is under 90 % of its lane's median; warn: under 90 % of the run's median"
    ),
    "machine.neighbour": Row((WARN,), "another process was on the GPU"),
    "machine.busy": Row((WARN,), "other processes used over 5 % of the CPU during the timed calls of a trial"),
    "machine.disturbed": Row((WARN,), "a trial that others disturbed counts: the machine did not become quiet"),
    "machine.changed": Row((FAIL,), "power cap, governor or driver differs between trials"),
    "machine.swap": Row((WARN,), "swap grew by over 64 MiB during a trial"),
    "machine.unwatched": Row(
        (WARN,), "telemetry is absent or incomplete, the driver's version too; of memory, under 1 MiB counts as absent"
    ),
    # provenance
    "provenance.simulated": Row(
        (FAIL,), "a lane is a stand-in, by its statement or by any name or version of its software (+simulated)"
    ),
    "provenance.runtime": Row((FAIL,), "a statement names another runtime than the lane's"),
    "provenance.announced": Row((FAIL,), "the engine of another lane announced itself in a trial's log"),
    "provenance.library": Row(
        (FAIL, WARN),
        "a lane states another release of its software than the environment lists or its log announces; "
        "warn: one of the two is no version",
    ),
    "provenance.not_installed": Row((WARN,), "the environment does not list the software that a lane runs in"),
    "provenance.artefact": Row((WARN,), "a lane that runs a built engine does not say from which model and version"),
    "provenance.card": Row(
        (FAIL, WARN),
        "statement or telemetry names another card, more or fewer cards, or another bus or clock, than the environment; "
        "warn: the lane could not tell which card",
    ),
    "provenance.cards": Row(
        (FAIL, WARN), "a card's bus, clocks or memory differ between trials; warn: its uuid, or the CPU's cache"
    ),
    "provenance.machine": Row(
        (FAIL, WARN), "the machine's name does not follow from what the machine is; warn: part of that was taken out"
    ),
    "provenance.config": Row(
        (FAIL,), "config, architecture, parameters or digest do not follow from config.json and the files' digests"
    ),
    "provenance.config_unknown": Row(
        (WARN,), "config.json's text or the files' digests are not in a record: its shape is taken on trust"
    ),
    "provenance.schema": Row((FAIL,), "a record has another schema version than its run"),
    "provenance.old": Row((WARN,), "the run was recorded before schema 2, and lacks what later checks need"),
    "provenance.rules": Row((FAIL,), "a disturbed trial was told by other limits than this program's"),
    "provenance.disturbed": Row((FAIL,), "who disturbed a trial was decided otherwise than its telemetry says"),
    "provenance.changed": Row((FAIL,), "a record's checksum does not fit: it was changed after it was written"),
    "provenance.mixed": Row(
        (FAIL, WARN), "trials of other runs; warn when workload, machine, model and settings are the same"
    ),
    "provenance.not_interleaved": Row(
        (WARN,), "by the places and rounds of its trials a lane did not take turns with the others, or it says so"
    ),
    "provenance.engine": Row(
        (FAIL,), "an engine was built from another model, or for another GPU, capability or version"
    ),
    "provenance.versions": Row(
        (FAIL,), "runtime, libraries, Python or the environment that they are in change between trials of a lane"
    ),
    "provenance.environment": Row(
        (FAIL,), "a lane ran in an environment that is neither the run's own nor one that its row names"
    ),
    "provenance.shared": Row(
        (WARN,),
        "lanes of one Python outside of containers do not list the same packages: something was installed between",
    ),
    "provenance.copied": Row((FAIL,), "two trials' times are the same, or the same times a factor"),
    "provenance.gap": Row((FAIL,), "trial numbers of a lane are missing before its last"),
    "provenance.attempts": Row((FAIL,), "of the attempts at a trial one is missing, or there twice"),
    "provenance.retried": Row((FAIL,), "a trial was run again though it had neither failed nor been disturbed"),
    "provenance.position": Row((FAIL,), "a place of the run before its last has no record: one was taken away"),
    "provenance.twice": Row((FAIL,), "a place of the run has two records"),
    "provenance.rounds": Row((FAIL,), "the run says that it ended after more rounds than there are trials of"),
    "provenance.cells": Row(
        (FAIL, WARN),
        "a trial holds two records of one cell, or one that counts has other cells than were asked for; "
        "warn (the verdict is weak): a lane measured a cell in some of its trials only",
    ),
    "provenance.failed": Row(
        (FAIL, WARN),
        "a trial is said to have failed and holds what only one that did not can hold; "
        "warn: all of its figures, without what the lane says of itself",
    ),
    "provenance.lane": Row(
        (WARN,), "of a lane and precision that was to run there is no trial and no reason (base.unaccounted apart)"
    ),
    "provenance.unlisted": Row(
        (FAIL,),
        "a lane that ran or was to run is not among the run's lanes, or a PyTorch lane not among its candidates",
    ),
    "provenance.unasked": Row((FAIL,), "a trial is of a lane that its own LANES does not name"),
    "provenance.setting": Row(
        (FAIL, WARN),
        "a setting that is fixed when a run opens (EQUIVALENCE_MARGIN, SEED, TARGET_PRECISION and others) differs between "
        "the run and a trial; warn: TARGET_PRECISION, or EQUIVALENCE_MARGIN after the first trial, where none of them carries "
        "what was fixed",
    ),
    "provenance.headline": Row(
        (FAIL,), "the run's headline is not the one that its trials carried, or that HEADLINE gives"
    ),
    "provenance.bandwidth": Row(
        (FAIL, WARN), "the run's measured bandwidth is not the one that its trials carried; warn: before schema 2"
    ),
    "provenance.stripped": Row(
        (FAIL,), "a trial lacks what every trial has, or what came with a version and an earlier trial of its run has"
    ),
    "provenance.left_out": Row(
        (WARN,), "a trial says that something beside its timed passes failed, or hung at its end"
    ),
    "provenance.unsealed": Row((WARN,), "a trial does not carry what the run had fixed before it"),
    # base: law 13
    "base.rules": Row((FAIL,), "the run's own rules take a lane for slower more easily than this program does"),
    "base.absent": Row((WARN,), "a PyTorch lane was asked for and has no figures"),
    "base.excused": Row(
        (WARN,), "a lane is noted as absent and has trials that count: the note excuses none that is missing"
    ),
    "base.left": Row((FAIL,), "a lane left early, and the records and the run's own rules do not say so"),
    "base.vanished": Row(
        (FAIL, WARN),
        "a lane has no trial in a round that the run finished, did not fail in it and did not leave; "
        "warn for lanes that are neither PyTorch nor the headline",
    ),
    "base.unchecked": Row(
        (WARN,), "trials in no round that all lanes shared: whether others beside them are missing can't be told"
    ),
    "base.unaccounted": Row((FAIL,), "of a PyTorch lane that was to run there is no trial and no reason"),
    # a/a
    "aa.differs": Row((WARN,), "the best PyTorch lane's odd and even trials differ (Welch, 95 %)"),
    "aa.few": Row((WARN,), "fewer than three trials in a half"),
} | {theme: Row((PASS,), "evidence was there and nothing above was found") for theme in THEMES}


def found(
    code: str,
    lane: tuple[str, str] | None = None,
    cell: Where | None = None,
    level: str | None = None,
    **figures: Value,
) -> Finding:
    """Make a finding of the table; `lane` is (lane, precision). A code or level that is not in it is a mistake here."""
    row = TABLE[code]
    chosen_level = level or row.levels[0]
    if chosen_level not in row.levels:
        raise ValueError(f"{code} has no level {chosen_level}")
    lane_name, precision = lane or (None, None)
    return Finding(code=code, level=chosen_level, lane=lane_name, precision=precision, cell=cell, figures=figures)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Fails first, then warns, then passes; within a level by theme, code, lane and cell."""
    return sorted(
        findings,
        key=lambda f: (
            LEVELS.index(f.level),
            THEMES.index(f.code.split(".")[0]),
            f.code,
            f.lane or "",
            f.precision or "",
            f.cell or (0, 0, 0),
            sorted((name, str(value)) for name, value in f.figures.items()),
        ),
    )


def voiding(findings: Iterable[Finding], lanes: Iterable[tuple[str, str]], cell: Where) -> Finding | None:
    """The first failed finding that touches one of these lanes in this cell."""
    compared = list(lanes)
    failed = [f for f in findings if f.level == FAIL and any(f.touches(*lane, cell) for lane in compared)]
    return ordered(failed)[0] if failed else None


def refusing(
    findings: Iterable[Finding], lane: tuple[str, str], bases: Iterable[tuple[str, str]], cell: Where
) -> Finding | None:
    """The failed finding that voids the comparison of a lane with its candidates in this cell: one that touches any of them,
    since a bound of the range may be that candidate's, else one that says of a PyTorch lane that it was kept from being a
    candidate, since it may be the base and nobody can tell."""
    failed = ordered(f for f in findings if f.level == FAIL)
    return voiding(failed, [lane, *bases], cell) or next((f for f in failed if _hides_base(f, lane[1])), None)


# Of these a PyTorch lane may have no figures of a cell, or too few of its fast ones, or others than it took.
HIDING = ("base.", "provenance.stripped", "provenance.cells", "provenance.failed", "provenance.changed", "time.")


def _hides_base(finding: Finding, precision: str) -> bool:
    """Whether a failure says that a lane which may be the base of this precision was kept from being it."""
    if finding.lane is None or finding.precision is None or not finding.code.startswith(HIDING):
        return False
    return may_be_base((finding.lane, finding.precision), precision)
