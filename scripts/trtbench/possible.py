"""Can a published speed be true? `python3 -m trtbench.possible --model tinyllama --gpu "RTX 4070" …`.

Exit status 0: possible (which doesn't make it true), 1: impossible, 2: bad input. Needs no network, no GPU, and nothing but
Python.
"""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.errors import UserError, run_main
from trtbench.referee import claim_options, fits
from trtbench.referee.claim import Claim, examine
from trtbench.report.claim_text import told
from trtbench.report.language import ENGLISH


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer for one claim given as flags; see --help. Returns the exit status; raises UserError."""
    options = _parser().parse(arguments)
    if options.latency_ms is None and options.tokens_per_s is None:
        raise UserError("Nothing is claimed; give --latency-ms, --tokens-per-s or both.")
    if options.latency_ms is not None and not options.tokens:
        raise UserError("--latency-ms alone says nothing; give the new tokens of each sequence as --tokens.")
    roof = claim_options.roof(options)
    claim = Claim(
        options.batch or 1,
        options.prompt,
        options.tokens,
        None if options.latency_ms is None else options.latency_ms / 1e3,
        options.tokens_per_s,
    )
    answer = examine(roof.shape, roof.precision, fits.together(roof.machine, roof.cards), claim)
    print("\n".join(told(ENGLISH, line) for line in (roof.on, *answer.lines)))
    return 0 if answer.possible else 1


def _parser() -> claim_options.Parser:
    parser = claim_options.Parser(
        "possible",
        "Says whether a model's published speed can be true on a card, or on several, and why. Without --batch one sequence is meant.",
        "Exit status: 0 possible, 1 impossible, 2 bad input.",
    )
    claim_options.add(parser, model_required=True)
    parser.add_argument("--latency-ms", type=claim_options.positive, help="time of the whole generation")
    parser.add_argument("--tokens-per-s", type=claim_options.positive, help="output tokens/s, all sequences together")
    return parser


if __name__ == "__main__":
    run_main(main)
