"""fairness: did every lane get the same work on the same machine under the same conditions (law 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from trtbench.errors import UserError
from trtbench.figures.summary import Where
from trtbench.model.shape import ModelShape
from trtbench.model.workload import digest_prompts
from trtbench.records.trial import Statement, Trial
from trtbench.referee import roofline
from trtbench.referee.audit.context import Context, Key, Measured, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.referee.ceilings import known, on_gpu
from trtbench.settings.knobs import QUANTISED

# Settings that must be the run's in every trial; the rest chooses what is run, or is in the workload's digest.
SAME_SETTINGS = ("TEMPERATURE", "TOP_P", "NUM_ITERATIONS", "WARMUP_LIMIT", "THREADS")
HELD = 0.75  # of the bytes that the weights take as stated; the next smaller precision has half


def check(context: Context) -> list[Finding]:
    made: list[Finding] = []
    for key, members in context.groups.items():
        made += _identity(context, key, members)
        made += _precision(key, members)
        made += _weights(context, key)
        reused = [t for t in members if t.statement and t.statement.prefix_reuse]
        if reused:
            made.append(found("fairness.reuse", key, trials=numbers(reused)))
        made += _unstated(key, members)
    for key, where, measured in context.by_cell():
        made += _prompts(context, key, where, measured)
    made += _conditions(context)
    return made


def _identity(context: Context, key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """Digests, machine and settings are the run's."""
    run = context.run
    wanted: list[tuple[str, str, Callable[[Trial], str]]] = [
        ("fairness.workload", run.workload_digest, lambda t: t.workload_digest),
        ("fairness.model", run.model_digest, lambda t: t.model.digest),
        ("fairness.machine", run.machine, lambda t: t.environment.machine),
    ]
    for code, expected, of in wanted:
        wrong = [t for t in members if of(t) != expected]
        if wrong:
            yield found(code, key, found=of(wrong[0])[:12], wanted=expected[:12], trials=numbers(wrong))
    for name in SAME_SETTINGS:
        if name not in run.settings:
            continue
        wrong = [t for t in members if t.settings.get(name) != run.settings[name]]
        if wrong:
            yield found(
                "fairness.settings",
                key,
                name=name,
                found=str(wrong[0].settings.get(name)),
                wanted=str(run.settings[name]),
                trials=numbers(wrong),
            )


def _precision(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """What was asked for is what is computed in, or for quantised lanes what the weights are stored in."""
    wrong = []
    for trial in members:
        asked = [trial.precision, *(record.cell.precision for record in trial.cells)]
        if len(set(asked)) > 1:
            wrong.append((trial, asked[1]))
        elif trial.statement is not None:
            stated = [trial.statement.weight_precision]
            if trial.precision not in QUANTISED:
                stated.append(trial.statement.compute_precision)
            wrong += [
                (trial, name) for name in stated if known(name) and _canonical(name) != _canonical(trial.precision)
            ]
    if wrong:
        yield found("fairness.precision", key, asked=key[1], found=wrong[0][1], trials=numbers([t for t, _ in wrong]))


def _canonical(precision: str) -> str:
    return roofline.precision(precision).name if known(precision) else precision


def _weights(context: Context, key: Key) -> Iterator[Finding]:
    """The bytes that a lane says its weights take, against what they take in the precision that it states."""
    wrong = []
    for trial in context.groups[key]:
        held = max((r.memory.weights for r in trial.cells if r.memory and r.memory.weights), default=None)
        if held is None or trial.statement is None or not known(trial.statement.weight_precision):
            continue
        try:
            shape = ModelShape.from_config(trial.model.config)
        except UserError:
            return
        least = shape.parameters * roofline.precision(trial.statement.weight_precision).weight_bits / 8
        if held < HELD * least:
            wrong.append((trial, held, least))
    if wrong:
        trial, held, least = wrong[0]
        stated = trial.statement.weight_precision if trial.statement else "?"
        yield found(
            "fairness.weights",
            key,
            held=held / 1e6,
            least=least / 1e6,
            precision=stated,
            trials=numbers([t for t, _, _ in wrong]),
        )


def _unstated(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    missing = set()
    for trial in members:
        s = trial.statement
        if s is None:
            missing.add("statement")
            continue
        if not known(s.compute_precision) or not known(s.weight_precision):
            missing.add("precision")
        if s.threads is None and not on_gpu(s):
            missing.add("threads")
        if s.prefix_reuse is None:
            missing.add("prefix reuse")
    if missing:
        yield found("fairness.unstated", key, what=", ".join(sorted(missing)))


def _prompts(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """The digests of what was handed over: against the workload's, else against the most common of all lanes."""
    wrong = []
    for part in ("e2e", "ttft"):
        expected: dict[int, str] = {}
        common = "" if context.workload else _common(context, where, part)
        for m in measured:
            calls = len(getattr(m, part).times)
            if context.workload is not None and calls not in expected:
                first = 0 if part == "e2e" else len(m.e2e.times)
                batches = [context.workload.prompts(m.record.cell, first + call) for call in range(calls)]
                expected[calls] = digest_prompts(batches)
            if getattr(m, part).prompts_digest != expected.get(calls, common):
                wrong.append(m.trial)
    if wrong:
        yield found("fairness.prompts", key, where, trials=numbers(wrong))


def _common(context: Context, where: Where, part: str) -> str:
    counts: Counter[str] = Counter(
        getattr(m, part).prompts_digest for (_, at), ms in context.cells.items() if at == where for m in ms
    )
    return min(counts, key=lambda digest: (-counts[digest], digest))


def _conditions(context: Context) -> list[Finding]:
    """Device, threads and graphs, each lane against the best PyTorch lane (without one, against the first lane)."""
    stated: dict[Key, list[tuple[Trial, Statement]]] = {
        key: [(t, t.statement) for t in members if t.statement is not None] for key, members in context.groups.items()
    }
    stated = {key: pairs for key, pairs in stated.items() if pairs}
    if not stated:
        return []
    reference = context.base if context.base in stated else next(iter(stated))
    base = stated[reference][0][1]
    made = []
    for key, pairs in stated.items():
        made += _differing(key, pairs, "fairness.device", _device(base), _device)
        if not on_gpu(base) and base.threads is not None:
            of_cpu = [(t, s) for t, s in pairs if not on_gpu(s) and s.threads is not None]
            made += _differing(key, of_cpu, "fairness.threads", base.threads, lambda s: s.threads)
        if key != reference and on_gpu(base) and base.cuda_graphs is False and pairs[0][1].cuda_graphs:
            made.append(found("fairness.graphs", key, base=reference[0]))
    return made


def _device(statement: Statement) -> str:
    return f"GPU {statement.device_name}" if on_gpu(statement) else "CPU"


def _differing(
    key: Key, pairs: Sequence[tuple[Trial, Statement]], code: str, wanted: Any, of: Callable[[Statement], Any]
) -> list[Finding]:
    wrong = [(trial, of(s)) for trial, s in pairs if of(s) != wanted]
    if not wrong:
        return []
    return [found(code, key, found=str(wrong[0][1]), wanted=str(wanted), trials=numbers([t for t, _ in wrong]))]
