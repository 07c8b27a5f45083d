"""All records of a run to one comparison: figures per cell and lane, and each lane against the best PyTorch lane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from trtbench import __version__
from trtbench.comparison import software
from trtbench.comparison.cards import card_states
from trtbench.comparison.result import Against, Comparison, Disturbed, FailedAttempt, Row, Stated
from trtbench.figures.base import Key, cells_of, grouped, headline_cells, headline_level, rivals_of
from trtbench.figures.disturbed import any_counts, left_out, lost, unequal
from trtbench.figures.speedup import Verdict, interval_over, verdict_over
from trtbench.figures.summary import Figures, Hole, Where, figures, memory_of
from trtbench.figures.turns import out_of_turn
from trtbench.records.files import SCHEMA
from trtbench.records.judgement import Judgement
from trtbench.records.run import Absent, Run, counting, sort_key
from trtbench.records.trial import Trial
from trtbench.records.trtllm_report import LANE, Latency
from trtbench.referee import record_roofline
from trtbench.referee.audit.findings import WARN, Finding, refusing
from trtbench.referee.record_roofline import on_gpu
from trtbench.settings import lanes
from trtbench.settings.lanes import LANES

# Findings that warn of a time, since an honest one may look so, and on which nothing firm can stand.
DOUBTS = (
    *("time.kind", "time.excused", "ceiling.measured", "ceiling.packed"),
    *("provenance.mixed", "provenance.cells"),
)

# Findings that a lane's ids went unjudged, and their reasons that are no failure of the judge.
UNJUDGED = ("parity.absent", "parity.unscored")
NO_FAILURE = ("", "absent", "other_model", "other_workload")


def compare(
    run: Run,
    trials: Sequence[Trial],
    findings: Sequence[Finding] = (),
    judgement: Judgement | None = None,
    reports: Sequence[Latency] = (),
) -> Comparison:
    """Compare all trials of a run; the result does not depend on their order. `findings` are the audit's of these trials:
    those that fail void the verdicts they touch. `reports` are NVIDIA's own benchmark's, which stand beside the figures."""
    trials = sorted(trials, key=sort_key)
    groups = grouped(trials)
    settings = run.settings
    margin = float(settings["EQUIVALENCE_MARGIN"])
    sharing = headline_cells(groups, run)
    ran_on = record_roofline.hardware(trials)
    roofs = {key: record_roofline.roofs(members, run, ran_on) for key, members in groups.items()}
    losers, losses = left_out(trials), lost(trials)
    unquiet = any_counts(trials)
    left = {(d.lane, d.precision): d.round for d in run.departures or ()}
    software_of = {(s.lane, s.precision): s for s in software.of_lanes(groups)}
    cells = []
    for where in cells_of(groups):
        outcomes = [figures(members, where) for members in groups.values()]
        for f in outcomes:
            if isinstance(f, Figures):
                record_roofline.fill(f, where, roofs[f.lane, f.precision])
                f.left = left.get((f.lane, f.precision))
                _score(f, where, judgement)
        row = _row(where, outcomes, run, margin, sharing, findings)
        words_put_back = {}
        if losers:
            all_outcomes = [figures(_with(members, losers), where) for members in groups.values()]
            put_back = _row(where, all_outcomes, run, margin, sharing, findings)
            words_put_back = {key: a.verdict.word for key, a in put_back.by_lane.items()}
        doubts = [f for f in findings if f.code in DOUBTS and f.level == WARN and f.cell in (None, where)]
        row.against = [_weighed(a, losses, unquiet, words_put_back if losers else None, doubts) for a in row.against]
        row.against = [_without_judge(a, row, findings) for a in row.against]
        row.against = [msgspec.structs.replace(a, torches=software.torches(a, software_of)) for a in row.against]
        row.trtllm_bench = [report for report in reports if _beside(report, row)]
        cells.append(row)
    measured = [f for row in cells for f in row.figures]
    asked_for = {t.lane for t in trials} | {a.lane for a in run.absent}
    return Comparison(
        schema=SCHEMA,
        run=run.id,
        created=run.created,
        command=run.command,
        stopped=run.stopped,
        model=trials[0].model,
        environment=trials[0].environment,
        settings=settings,
        demonstration=run.demonstration,
        simulated=any(f.simulated for f in measured),
        interleaved=not out_of_turn([t for members in groups.values() for t in members]),
        workload_digest=run.workload_digest,
        read_bandwidth=run.read_bandwidth,
        headline_lane=run.headline,
        cells=cells,
        failed=failures(run, trials, set(groups)),
        not_run=[lane for lane in LANES if lane not in asked_for and _could_run(lane, trials)],
        findings=list(findings),
        statements=list(_statements(groups)),
        disturbed=list(_disturbed(trials)),
        tried=[line for line in run.tried or () if line.lane in {t.lane for t in trials}],
        failed_attempts=list(_failed_attempts(trials)),
        cards=card_states(groups),
        software=list(software_of.values()),
        program=__version__,
    )


def _could_run(lane: str, trials: Sequence[Trial]) -> bool:
    """Whether the machine has what the lane runs on: a run on a card could not have had a lane of processors alone, and one
    without a card none of those that need one. A card that is too old or too new for the lane counts as none."""
    environment = trials[0].environment
    on_a_card = any(t.statement is not None and on_gpu(t.statement) for t in trials)
    devices = {"cuda"} if on_a_card else {"cpu", "cuda"} if environment.gpus else {"cpu"}
    capabilities = [card.compute_capability for card in environment.cards or () if card.compute_capability]
    if any(lanes.unable(lane, capability) for capability in capabilities):
        devices.discard("cuda")
    return not devices.isdisjoint(LANES[lane].devices)


def _beside(report: Latency, row: Row) -> bool:
    """Whether a report of NVIDIA's own benchmark, which runs one sequence at a time, is of an engine with figures in the row."""
    same_cell = row.where == (1, report.prompt_length, report.new_tokens)
    return same_cell and any((f.lane, f.precision) == (LANE, report.precision) for f in row.figures)


def _with(members: Sequence[Trial], losers: Sequence[Trial]) -> list[Trial]:
    """A lane's trials that count, and those of it that were left out."""
    key = members[0].lane, members[0].precision
    return [*members, *(t for t in losers if (t.lane, t.precision) == key)]


def _weighed(
    a: Against,
    losses: Mapping[Key, tuple[int, float]],
    unquiet: bool,
    words_put_back: Mapping[Key, str] | None,
    doubts: Sequence[Finding],
) -> Against:
    """The comparison with the reasons why little hangs on it. `words_put_back` are the verdicts with the disturbed trials put
    back, None where there are none; `doubts` findings of this cell which say that a time may not be what it seems."""
    if a.verdict.word in ("none", "void"):
        return a
    key = a.lane, a.precision
    reasons = {
        "few": a.speedup.weak,
        "not_quiet": unquiet,
        "lost": unequal(key, a.candidates, losses),
        "put_back": words_put_back is not None and words_put_back.get(key) != a.verdict.word,
        "doubted": any(f.touches(*compared) for f in doubts for compared in [key, *a.candidates]),
    }
    return msgspec.structs.replace(a, weak=[reason for reason, holds in reasons.items() if holds])


def _without_judge(a: Against, row: Row, findings: Sequence[Finding]) -> Against:
    """The comparison, with the word for it where nobody judged what its lane returned, whatever the verdict."""
    (f,) = (f for f in row.figures if (f.lane, f.precision) == (a.lane, a.precision))
    reasons = [
        str(x.figures.get("reason", ""))
        for x in findings
        if x.code in UNJUDGED and x.touches(f.lane, f.precision, row.where)
    ]
    if not reasons or f.near is not None or f.perplexity is not None:
        return a
    failed = any(reason not in NO_FAILURE for reason in reasons)
    return msgspec.structs.replace(a, weak=[*a.weak, "judge_failed" if failed else "unjudged"])


def _disturbed(trials: Sequence[Trial]) -> Iterator[Disturbed]:
    """Every trial that others disturbed and that did not fail."""
    kept = {id(trial) for trial in counting(trials)}
    for t in trials:
        if t.disturbed and t.failure is None:
            yield Disturbed(
                lane=t.lane,
                precision=t.precision,
                index=t.index,
                attempt=t.attempt,
                counts=id(t) in kept,
                reasons=t.disturbed,
            )


def _failed_attempts(trials: Sequence[Trial]) -> Iterator[FailedAttempt]:
    """Every attempt that failed. What is called failed does not count, so it is named."""
    counted = {(t.run, t.lane, t.precision, t.index) for t in counting(trials)}
    for t in trials:
        if t.failure is not None:
            yield FailedAttempt(
                lane=t.lane,
                precision=t.precision,
                index=t.index,
                attempt=t.attempt,
                reason=t.failure.reason,
                again=(t.run, t.lane, t.precision, t.index) in counted,
            )


def _statements(groups: Mapping[tuple[str, str], Sequence[Trial]]) -> Iterator[Stated]:
    for (lane, precision), trials in groups.items():
        statement = next((t.statement for t in trials if t.statement is not None), None)
        if statement is not None:
            yield Stated(lane=lane, precision=precision, statement=statement)


def _score(f: Figures, where: Where, judgement: Judgement | None) -> None:
    """Put what the judge says of the lane's answers into its figures."""
    for score in judgement.lanes if judgement else ():
        if (score.lane, score.precision, score.batch, score.prompt_length, score.new_tokens) == (
            f.lane,
            f.precision,
            *where,
        ):
            f.near, f.equal, f.perplexity = score.near, score.equal, score.perplexity
            f.exact, f.bleu = score.exact, score.bleu


def failures(run: Run, trials: Sequence[Trial], measured: set[tuple[str, str]]) -> list[Absent]:
    """Lanes that were asked for and have no figures, each with its last reason."""
    failed = {(a.lane, a.precision): a for a in run.absent if (a.lane, a.precision) not in measured}
    for trial in trials:
        if trial.failure is not None and (trial.lane, trial.precision) not in measured:
            absent = Absent(lane=trial.lane, precision=trial.precision, failure=trial.failure)
            failed.setdefault((trial.lane, trial.precision), absent)
    return [failed[lane] for lane in sorted(failed)]


def _row(
    where: Where,
    outcomes: Sequence[Figures | Hole],
    run: Run,
    margin: float,
    cells: int,
    findings: Sequence[Finding],
) -> Row:
    measured = [f for f in outcomes if isinstance(f, Figures)]
    against = []
    for f in measured:
        bases = rivals_of(f, measured, run, cells)
        if not bases:
            continue
        base = bases[0]
        in_headline = f.lane == run.headline
        own_level = headline_level(cells) if in_headline else 0.95
        against.append(
            Against(
                lane=f.lane,
                precision=f.precision,
                base=base.lane,
                base_precision=base.precision,
                same_precision=f.precision == base.precision,
                headline=in_headline,
                speedup=interval_over(f.latency_trials, [base.latency_trials for base in bases], own_level),
                verdict=_verdict(f, bases, where, margin, own_level, findings),
                candidates=[(base.lane, base.precision) for base in bases],
                reduction=1 - f.latency / base.latency,
                gain=f.throughput / base.throughput - 1,
                memory_variation=_variation(f, base),
            )
        )
    return Row(
        batch=where[0],
        prompt_length=where[1],
        new_tokens=where[2],
        figures=measured,
        holes=[h for h in outcomes if isinstance(h, Hole)],
        against=against,
    )


def _verdict(
    f: Figures, bases: Sequence[Figures], where: Where, margin: float, level: float, findings: Sequence[Finding]
) -> Verdict:
    """The verdict of the trial means, unless a stand-in is in it (none, ever) or a failed finding voids it."""
    if f.simulated or any(base.simulated for base in bases):
        return Verdict(word="none", reason="simulated")
    failed = refusing(findings, (f.lane, f.precision), [(base.lane, base.precision) for base in bases], where)
    if failed is not None:
        return Verdict(word="void", reason=failed.code)
    return verdict_over(f.latency_trials, [base.latency_trials for base in bases], margin, level)


def _variation(f: Figures, base: Figures) -> float | None:
    """How much more memory than the base; None where the two were not measured in the same memory, and where the base has
    none: that was not measured."""
    memory, base_memory = memory_of(f), memory_of(base)
    if memory is None or not base_memory or (f.gpu_memory is None) != (base.gpu_memory is None):
        return None
    return memory / base_memory - 1
