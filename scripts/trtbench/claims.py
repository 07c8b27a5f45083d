"""Figures from outside, held to the same rules: a table or another tool's JSON.

    python3 -m trtbench.claims FILE [--model tinyllama --gpu "RTX 4070" --precision fp16]

FILE is JSON (a list of objects, or an object with one) or CSV; each row says batch, new_tokens, latency and throughput,
under the names that tools use for them. Exit status 0: nothing found, 1: a claim cannot be true, 2: bad input.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from trtbench.errors import UserError, run_main
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA, ModelShape
from trtbench.referee import fits, roofline
from trtbench.referee.audit.findings import FAIL, PASS
from trtbench.referee.claim_table import check, read
from trtbench.report.audit_text import advice, sentence
from trtbench.report.language import ENGLISH


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a file of claims and say what was found; see the module's head for the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m trtbench.claims", allow_abbrev=False, description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", help="tinyllama, a config.json, or a folder that has one")
    parser.add_argument("--gpu", help='a card ("RTX 4070"); an ambiguous name is judged by the fastest')
    parser.add_argument("--precision", default="float16", help="how weights are stored (default: float16)")
    options = parser.parse_args(arguments)
    if (options.model is None) != (options.gpu is None):
        raise UserError("--model and --gpu go together; give both for the roofline, or neither.")
    shape = machine = None
    if options.model is not None:
        shape = TINYLLAMA if options.model.lower() == "tinyllama" else ModelShape.from_path(options.model)
        card = cards.fastest(options.gpu)
        machine = fits.machine_of(card)
    claim_findings = check(read(options.file), shape, roofline.precision(options.precision), machine)
    for finding in claim_findings:
        if finding.level == PASS:
            print("Nothing found, which doesn't make it true.")
        else:
            print(
                f"{finding.level.upper()} {finding.code} - {sentence(finding, ENGLISH)}\n  > {advice(finding, ENGLISH)}"
            )
    return 1 if any(finding.level == FAIL for finding in claim_findings) else 0


if __name__ == "__main__":
    run_main(main)
