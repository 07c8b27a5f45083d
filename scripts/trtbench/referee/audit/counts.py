"""count and rate: were exactly the ids asked for returned, and does the printed throughput follow from them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.figures.summary import Where
from trtbench.model.workload import Workload
from trtbench.records.trial import Pass, Trial
from trtbench.referee.audit.context import Context, Measured, numbers, quantised
from trtbench.referee.audit.findings import WARN, Finding, found

RATE_TOLERANCE = 0.001
LOOKED_AT = 10_000  # rows of a pass, where all of them return their prompts
TAIL = 8  # so many equal ids at the end of a row may be padding …
TAIL_SHARE, TAIL_HONEST = 0.30, 0.05  # … when they make this share of all ids, and only this of the base's


def count(context: Context) -> list[Finding]:
    """Ids counted from what was returned (law 2)."""
    findings: list[Finding] = []
    for key, where, measured in context.by_cell():
        findings += _new_ids(key, where, measured)
        findings += _vocabulary(key, where, measured)
        findings += _prompt_returned(context, key, where, measured)
        findings += _padding(context, key, where, measured)
        findings += _iterations(context, key, where, measured)
    return findings


def rows(part: Pass) -> Iterator[list[int]]:
    """Every sequence of a pass, each stored output once."""
    for output in part.outputs:
        yield from output


def _trials_where(measured: Sequence[Measured], condition: Callable[[Measured], bool]) -> list[Trial]:
    return [m.trial for m in measured if condition(m)]


def _new_ids(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    batch, prompt, new = where
    for part, expected in (("e2e", new), ("ttft", 1)):
        miscounted, lengths, sequences = [], set(), set()
        for m in measured:
            for output in getattr(m, part).outputs:
                row_lengths = {len(row) for row in output}
                if len(output) != batch or row_lengths != {expected}:
                    miscounted.append(m.trial)
                    lengths |= row_lengths
                    sequences.add(len(output))
        if miscounted:
            least, most = min(lengths, default=0), max(lengths, default=0)
            yield found(
                "count.new_ids",
                key,
                where,
                asked=expected,
                least=least,
                most=most,
                batch=batch,
                rows=min(sequences),
                prompt=prompt,
                trials=numbers(miscounted),
            )


def _vocabulary(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    size = measured[0].trial.model.config.get("vocab_size")
    limit = size if isinstance(size, int) else 2**31
    outside = _trials_where(
        measured,
        lambda m: any(row and (min(row) < 0 or max(row) >= limit) for part in (m.e2e, m.ttft) for row in rows(part)),
    )
    if outside:
        yield found("count.ids", key, where, vocabulary=limit, trials=numbers(outside))


def _prompt_returned(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    if context.workload is None:
        return
    compared = min(8, where[1], where[2])
    if compared < 4:
        return
    echoing = [m.trial for m in measured if _all_echo(context.workload, m.e2e, where[0], compared)]
    if echoing:
        yield found("count.prompt_returned", key, where, trials=numbers(echoing))


def _all_echo(workload: Workload, part: Pass, batch: int, compared: int) -> bool:
    """Whether every row of a pass, as far as it is looked at, begins with its prompt; the first that does not tells."""
    returned = (
        (call * batch + place, row)
        for call, number in enumerate(part.output)
        for place, row in enumerate(part.outputs[number][:batch])
    )
    looked_at = list(itertools.islice(returned, LOOKED_AT))
    return bool(looked_at) and all(row[:compared] == workload.sequence(k, compared) for k, row in looked_at)


def tail_share(measured: Sequence[Measured]) -> float:
    """Share of all ids that belong to a run of TAIL and more equal ids at the end of a row."""
    total = padded = 0
    for m in measured:
        for row in rows(m.e2e):
            total += len(row)
            length = 0
            while length < len(row) and row[-1 - length] == row[-1]:
                length += 1
            padded += length if length >= TAIL else 0
    return padded / total if total else 0.0


def _padding(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    share = tail_share(measured)
    if share < TAIL_SHARE:
        return
    base = context.base_in(key, where)
    base_share = tail_share(context.cells[base, where]) if base and base != key else None
    if base_share is not None and base_share >= TAIL_HONEST:
        return  # the model itself repeats one id
    level = WARN if base_share is None or quantised(measured[0].trial) else None
    yield found("count.padding", key, where, level, share=share)


def _iterations(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    asked = context.run.settings.get("NUM_ITERATIONS")
    if not isinstance(asked, int):
        return
    with_other_count = _trials_where(measured, lambda m: any(len(part.times) != asked for part in (m.e2e, m.ttft)))
    if with_other_count:
        least = min(len(part.times) for m in measured for part in (m.e2e, m.ttft))
        yield found("count.iterations", key, where, asked=asked, least=least, trials=numbers(with_other_count))


def rate(context: Context) -> list[Finding]:
    """The printed throughput against raw sums: ids returned over seconds spent, trial by trial (law 3)."""
    findings: list[Finding] = []
    for (key, where), printed in context.printed.items():
        log_rates = []
        for m in context.cells[key, where]:
            lengths = [sum(map(len, output)) for output in m.e2e.outputs]
            tokens = sum(lengths[number] for number in m.e2e.output)
            if tokens:
                log_rates.append(math.log(tokens / (sum(m.e2e.times) / 1e9)))
        raw = math.exp(math.fsum(log_rates) / len(log_rates)) if log_rates else 0.0
        if not math.isclose(raw, printed.throughput, rel_tol=RATE_TOLERANCE):
            findings.append(found("rate.disagrees", key, where, raw=raw, printed=printed.throughput))
    return findings
