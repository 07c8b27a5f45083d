"""fairness: did every lane get the same work on the same machine under the same conditions (law 2)."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from trtbench.errors import UserError
from trtbench.figures.base import Key
from trtbench.figures.summary import Where
from trtbench.model.shape import ModelShape
from trtbench.records.identity import UNNAMED, card_name
from trtbench.records.trial import Statement, Trial
from trtbench.referee import roofline
from trtbench.referee.audit.context import Context, Measured, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.referee.record_roofline import kept_bits, known_precision, on_gpu
from trtbench.settings.knobs import QUANTISED

# Settings that must be the run's in every trial; the rest chooses what is run, or is in the workload's digest.
SAME_SETTINGS = ("TEMPERATURE", "TOP_P", "NUM_ITERATIONS", "WARMUP_LIMIT", "THREADS", "TP_SIZE")
LEAST_BYTES = 2**12  # a page of memory: no model's weights take less
MOST_PROMPT_IDS = 100_000_000  # of one pass, that are made again: some seconds; of all passes ten times as many
HELD = 0.75  # of the bytes that the weights take as stated; the next smaller precision has half


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for key, members in context.groups.items():
        findings += _identity(context, key, members)
        findings += _precision(key, members)
        findings += _weights(context, key)
        reused = [t for t in members if (t.statement and t.statement.prefix_reuse) or _reused_blocks(t)]
        if reused:
            findings.append(found("fairness.reuse", key, trials=numbers(reused)))
        findings += _unstated(key, members)
    made: dict[tuple[Where, int, int], str] = {}
    for key, where, measured in context.by_cell():
        findings += _prompts(context, key, where, measured, made)
    if context.workload is None:
        findings.append(found("fairness.no_workload"))
    findings += _conditions(context)
    return findings


def _reused_blocks(trial: Trial) -> bool:
    """Whether the engine itself says that it took KV blocks from earlier calls; the memory pass had that call's prompts."""
    return any(r.engine_metrics is not None and (r.engine_metrics.reused_blocks or 0) > 0 for r in trial.cells)


def _identity(context: Context, key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """Digests, machine and settings are the run's."""
    run = context.run
    identities: list[tuple[str, str, Callable[[Trial], str]]] = [
        ("fairness.workload", run.workload_digest, lambda t: t.workload_digest),
        ("fairness.model", run.model_digest, lambda t: t.model.digest),
        ("fairness.machine", run.machine, lambda t: t.environment.machine),
    ]
    for code, expected, digest_of in identities:
        differing = [t for t in members if digest_of(t) != expected]
        if differing:
            yield found(code, key, found=digest_of(differing[0])[:12], wanted=expected[:12], trials=numbers(differing))
    for name in SAME_SETTINGS:
        if name not in run.settings:
            continue
        differing = [t for t in members if t.settings.get(name) != run.settings[name]]
        if differing:
            yield found(
                "fairness.settings",
                key,
                name=name,
                found=str(differing[0].settings.get(name)),
                wanted=str(run.settings[name]),
                trials=numbers(differing),
            )


def _precision(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """What was asked for is what is computed in, or for quantised lanes what the weights are stored in."""
    mismatches = []
    for trial in members:
        precisions_asked = [trial.precision, *(record.cell.precision for record in trial.cells)]
        if len(set(precisions_asked)) > 1:
            mismatches.append((trial, precisions_asked[1]))
        elif trial.statement is not None:
            stated = [trial.statement.weight_precision]
            if trial.precision not in QUANTISED:
                stated.append(trial.statement.compute_precision)
            mismatches += [
                (trial, name)
                for name in stated
                if known_precision(name) and _canonical(name) != _canonical(trial.precision)
            ]
    if mismatches:
        yield found(
            "fairness.precision", key, asked=key[1], found=mismatches[0][1], trials=numbers([t for t, _ in mismatches])
        )


def _canonical(precision: str) -> str:
    return roofline.precision(precision).name if known_precision(precision) else precision


def _weights(context: Context, key: Key) -> Iterator[Finding]:
    """The bytes that a lane says its weights take, against what they take in the precision that it states."""
    too_light = []
    for trial in context.groups[key]:
        held_bytes = min((told for told in _weights_told(trial) if told is not None), default=None)
        if held_bytes is None or trial.statement is None or not known_precision(trial.statement.weight_precision):
            continue
        try:
            shape = ModelShape.from_config(trial.model.config)
        except UserError:
            return
        bits = roofline.precision(trial.statement.weight_precision).weight_bits
        least_bytes = shape.parameters * min(bits, kept_bits(trial, shape, told=False) or bits) / 8
        if held_bytes < HELD * least_bytes:
            too_light.append((trial, held_bytes, least_bytes))
    if too_light:
        trial, held_bytes, least_bytes = too_light[0]
        stated = trial.statement.weight_precision if trial.statement else "?"
        yield found(
            "fairness.weights",
            key,
            held=held_bytes / 1e6,
            least=least_bytes / 1e6,
            precision=stated,
            trials=numbers([t for t, _, _ in too_light]),
        )


def _weights_told(trial: Trial) -> list[int | None]:
    """The bytes of weights that a trial's lane tells in each of the cells that it measured, None where it tells none."""
    return [r.memory.weights if r.memory else None for r in trial.cells if r.e2e is not None]


def _unstated(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    missing = set()
    for trial in members:
        statement = trial.statement
        if statement is None:
            missing.add("statement")
            continue
        if not known_precision(statement.compute_precision) or not known_precision(statement.weight_precision):
            missing.add("precision")
        if statement.threads is None and not on_gpu(statement):
            missing.add("threads")
        if statement.cuda_graphs is None and on_gpu(statement):
            missing.add("CUDA graphs")
        if statement.prefix_reuse is None:
            missing.add("prefix reuse")
        if any((told or 0) < LEAST_BYTES for told in _weights_told(trial)):
            missing.add("weights")
    if missing:
        yield found("fairness.unstated", key, what=", ".join(sorted(missing)))


def _prompts(
    context: Context, key: Key, where: Where, measured: Sequence[Measured], made: dict[tuple[Where, int, int], str]
) -> Iterator[Finding]:
    """The digests of what was handed over: against the workload's, else against the most common of all lanes. `made` are
    those of the workload so far: cell, first call, calls."""
    with_other_prompts, too_many = [], []
    for part in ("e2e", "ttft"):
        usual = "" if context.workload else _most_common_digest(context, where, part)
        for m in measured:
            calls = len(getattr(m, part).times)
            asked = where, 0 if part == "e2e" else len(m.e2e.times), calls
            if context.workload is not None and asked not in made:
                ids = calls * where[0] * where[1]
                ids_made = sum(batch * prompt * of_calls for (batch, prompt, _), _, of_calls in made)
                if ids > MOST_PROMPT_IDS or ids_made + ids > 10 * MOST_PROMPT_IDS:
                    too_many.append(m.trial)
                    continue
                made[asked] = context.workload.digest_calls(m.record.cell, *asked[1:])
            if getattr(m, part).prompts_digest != made.get(asked, usual):
                with_other_prompts.append(m.trial)
    if with_other_prompts:
        yield found("fairness.prompts", key, where, trials=numbers(with_other_prompts))
    if too_many:
        yield found("fairness.unmade", key, where, most=MOST_PROMPT_IDS, trials=numbers(too_many))


def _most_common_digest(context: Context, where: Where, part: str) -> str:
    counts: Counter[str] = Counter(
        getattr(m, part).prompts_digest
        for (_, cell), members in context.cells.items()
        if cell == where
        for m in members
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
    findings = []
    for key, pairs in stated.items():
        findings += _differing(key, pairs, "fairness.device", _device(base), _device, _same_device)
        if not on_gpu(base) and base.threads is not None:
            of_cpu = [(t, s) for t, s in pairs if not on_gpu(s) and s.threads is not None]
            findings += _differing(key, of_cpu, "fairness.threads", base.threads, lambda s: s.threads)
        if key != reference and on_gpu(base) and base.cuda_graphs is False and pairs[0][1].cuda_graphs:
            findings.append(found("fairness.graphs", key, base=reference[0]))
    return findings


def _device(statement: Statement) -> str:
    return f"GPU {statement.device_name}" if on_gpu(statement) else "CPU"


def _same_device(one: str, other: str) -> bool:
    """Whether two lanes mean one device: engines do not all write a card's name alike, and one may not tell it, which
    provenance.card says."""
    unnamed = f"GPU {UNNAMED}" in (one, other) and "CPU" not in (one, other)
    return unnamed or card_name(one) == card_name(other)


def _differing(
    key: Key,
    pairs: Sequence[tuple[Trial, Statement]],
    code: str,
    expected: Any,
    stated_by: Callable[[Statement], Any],
    same: Callable[[Any, Any], bool] = operator.eq,
) -> list[Finding]:
    differing = [(trial, stated_by(s)) for trial, s in pairs if not same(stated_by(s), expected)]
    if not differing:
        return []
    return [
        found(code, key, found=str(differing[0][1]), wanted=str(expected), trials=numbers([t for t, _ in differing]))
    ]
