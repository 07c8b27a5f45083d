"""The results book is what its command makes, and the run beside which another process used the card is caught."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trtbench.comparison import untrusted
from trtbench.settings.knobs import ROOT

BUNDLES = sorted((ROOT / "docs" / "results").glob("*/runs/*.bundle"))
NEIGHBOUR = Path(__file__).parents[1] / "data" / "neighbour.bundle"


def test_the_book_is_what_its_command_makes() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "book.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_process_on_a_real_card_is_caught() -> None:
    """Recorded on an H200 while another lane ran on it, knowingly started beside."""
    comparison, _ = untrusted.read(NEIGHBOUR)
    found = {f.code: f for f in comparison.findings if f.level != "pass"}
    assert found["machine.neighbour"].lane == "pytorch-triton"
    assert "machine.busy" in found


def test_a_trial_alone_on_a_real_card_has_no_neighbour() -> None:
    comparison, _ = untrusted.read(ROOT / "docs" / "results" / "h200" / "runs" / "pytorch-tuned.bundle")
    assert {f.code for f in comparison.findings if f.level != "pass"} & {"machine.neighbour", "machine.busy"} == set()
    assert [f.near for row in comparison.cells for f in row.figures] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_every_bundle_in_the_books_is_read_as_a_strangers_and_has_no_fail(bundle: Path) -> None:
    """What docs/results/CONTRIBUTING.md promises: nothing joins the book that the audit refuses."""
    comparison, _ = untrusted.read(bundle)
    assert [f.code for f in comparison.findings if f.level == "fail"] == []
    assert not comparison.simulated
    assert any(row.figures for row in comparison.cells)


def test_there_are_bundles() -> None:
    assert BUNDLES
