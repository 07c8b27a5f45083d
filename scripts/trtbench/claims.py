"""Figures from outside, held to the same rules: a table of one's own, or the file that a tool wrote.

    python3 -m trtbench.claims FILE [--model tinyllama --gpu "RTX 4070" --precision fp16]

FILE is JSON, JSON lines, CSV (commas, semicolons or tabs, decimal commas too) or a Markdown table whose rows say batch,
new_tokens, latency and throughput, under the names that people use; or what TensorRT-LLM's benchmark.py, trtllm-bench,
llama-bench, vllm bench, optimum-benchmark, guidellm, genai-perf or this program wrote.

Exit status 0: nothing found that can't be true, 1: a claim cannot be true, 2: bad input. Needs nothing but Python.
"""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from trtbench.comparison.clean_text import plain
from trtbench.errors import UserError, counted, run_main
from trtbench.referee import claim_options
from trtbench.referee.claim_formats import table
from trtbench.referee.claim_formats.row import Reading, Row
from trtbench.referee.claim_table import FAIL, PASS, check
from trtbench.referee.claim_units import settled
from trtbench.report.claim_text import told
from trtbench.report.language import ENGLISH


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a file of claims and say what was found; see the module's head for the exit status."""
    options = _parser().parse(arguments)
    has_card = options.gpu is not None or options.bandwidth_gbs is not None
    if (options.model is not None) != has_card:
        raise UserError("--model and --gpu (or --bandwidth-gbs) go together; give both for the roofline, or neither.")
    said = claim_options.said_precision(options) is not None
    roof = claim_options.roof(options) if has_card else None
    reading = _read(options.file)
    rows, notes = settled(
        [_filled(row, options) for row in reading.rows], options.latency_unit, options.throughput_unit
    )
    findings = check(rows, roof.shape, roof.precision, roof.machine, said) if roof else check(rows)
    _say(f"Read as {reading.source}: {counted(len(rows), 'row')}.")
    for note in (*reading.notes, *notes):
        _say(note)
    if roof is not None:
        _say(f"Held against {told(ENGLISH, roof.on)}")
        for cards, number in sorted(Counter(row.cards or 1 for row in rows).items()):
            if cards != roof.cards:
                _say(
                    f"{counted(number, 'row')} of {counted(cards, 'card')}, as the file says: what one allows counts so many times."
                )
    for finding in findings:
        if finding.level == PASS:
            _say("Nothing found, which doesn't make it true.")
        else:
            _say(f"{finding.level.upper()} {finding.code} - {finding.sentence}")
            print(f"  > {finding.advice}")
    return 1 if any(finding.level == FAIL for finding in findings) else 0


def _read(file: Path) -> Reading:
    try:
        return table.read(file)
    except UserError as error:  # it names what stands in the file
        raise UserError(plain(str(error), limit=600)) from None


def _filled(row: Row, options: Namespace) -> Row:
    """A row with what the file leaves out and the options say."""
    return dataclasses.replace(
        row,
        batch=row.batch or options.batch,
        prompt=row.prompt or options.prompt or None,
        new_tokens=row.new_tokens or options.tokens or None,
        cards=row.cards or options.cards,
    )


def _say(line: str) -> None:
    """Print a line in which names from the file stand, made safe to show."""
    print(plain(line, limit=600))


def _parser() -> claim_options.Parser:
    parser = claim_options.Parser("claims", __doc__)
    parser.add_argument("file", type=Path)
    claim_options.add(parser, model_required=False)
    parser.add_argument("--latency-unit", choices=("s", "ms"), help="of times whose name says no unit")
    parser.add_argument("--throughput-unit", choices=("tokens", "requests"), help="of rates whose name says no unit")
    return parser


if __name__ == "__main__":
    run_main(main)
