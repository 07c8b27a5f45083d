"""The results book is what its command makes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loading import load
from trtbench.comparison import untrusted
from trtbench.report.language import ENGLISH, FRENCH
from trtbench.report.words.terms import TERMS
from trtbench.settings.knobs import ROOT

book = load("tools/book")

H200 = ROOT / "docs" / "results" / "h200" / "runs"
BUNDLES = sorted((ROOT / "docs" / "results").glob("*/runs/*.bundle"))


def test_the_book_is_what_its_command_makes() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "book.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


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


def test_what_the_h100s_page_calls_unfair_is_its_first_sentence_and_the_sentence_of_its_report() -> None:
    folder = ROOT / "docs" / "results" / "h100"
    page, report = ((folder / name).read_text(encoding="utf-8") for name in ("README.md", "runs/run-all.md"))
    comparison, _ = untrusted.read(folder / "runs" / "run-all.bundle")
    assert page.split("\n\n")[1].startswith("**The one run here is not fair to vLLM")
    assert "### PyTorch tuned, Triton kernels and vLLM\n\n**Not fair to vLLM" in page
    assert "vLLM is 1.98x slower than PyTorch tuned" in " ".join(book.headline_of(comparison))
    assert "0.51x" in report
    (vllm,) = (stated.statement for stated in comparison.statements if stated.lane == "vllm")
    assert any("the engine in a process of its own" in note for note in vllm.notes)


# Any folder

TURNS, ALONE = H200 / "bench-local.bundle", H200 / "pytorch-tuned.bundle"
HEAD = """
title = "A card"
introduction = "First what is unfair."
not_measured = "- All the rest."
"""


def a_run(name: str, text: str = "Said by a person.", shown: bool = False) -> str:
    return f'\n[[run]]\nname = "{name}"\ntitle = "Run {name}"\ntext = "{text}"\n' + ("shown = true\n" if shown else "")


def a_folder(clone: Path, card: str, source: str, **bundles: Path) -> Path:
    folder = clone / "docs" / "results" / card
    (folder / "runs").mkdir(parents=True)
    for name, bundle in bundles.items():
        shutil.copy(bundle, folder / "runs" / f"{name}.bundle")
    (folder / "book.toml").write_text(source, encoding="utf-8")
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of a project that the book writes into, without a card."""
    for name, block in {"README.md": "results", "README.fr.md": "results", "docs/performance.md": "attempts"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"Before.\n<!-- {block} -->\n<!-- /{block} -->\nAfter.\n", encoding="utf-8")
    return tmp_path


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


WARNINGS = ("steady.first", "steady.trials", "steady.unsettled", "aa.few")


def test_a_bundle_and_a_few_lines_make_the_page_of_any_card(clone: Path) -> None:
    source = HEAD + a_run("alone", "Only a lane.") + a_run("turns", "Several lanes.", shown=True)
    folder = a_folder(clone, "l4", source, turns=TURNS, alone=ALONE)
    assert book.main([], clone) == 0
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert page.startswith("# A card\n\nFirst what is unfair.\n\n")
    headings = re.findall(r"^##+ (.*)", page, re.MULTILINE)
    assert headings == [
        "Runs in turns", "Run turns", "Single trials: one lane a run, not in turns", "Run alone", "Not measured",
    ]  # fmt: skip
    turns, alone = page.split("### Run turns\n\n")[1].split("## Single trials")
    assert turns.startswith(
        "Several lanes.\n\nNVIDIA H200, Intel(R) Xeon(R) Processor, driver 580.159.04, 2026-11-28 22:09 UTC. "
    )
    assert "float16, 128 prompt ids + 200 new, greedy. PyTorch 2.11.0+cu130, ONNX Runtime GenAI 0.18.0. " in turns
    assert "| PyTorch eager (left after round 1) | 1 | 43 | 4,682.8 | 0.05x | " in turns
    assert "| PyTorch tuned | 1 | 937 | 213.5 | base | " in turns
    assert (
        "| ONNX Runtime | 1 | 674 | 296.6 | 0.72x (0.64-0.80) | 4.17 | 29.3% | 100.0% | 3.74 | 0.443 | 3 × 5 |" in turns
    )
    assert "- Batch 1: ONNX Runtime is 1.39x slower than PyTorch tuned (1.24-1.55) - " in turns
    assert "- Triton kernels, batch 8: pytorch-triton runs one sequence" in turns
    assert [turns.count(f"- `{warn}` (") for warn in WARNINGS] == [1, 1, 1, 1]
    assert "[Report](runs/turns.md), [records](runs/turns.bundle)." in turns  # no chart was drawn
    assert "J/token" in turns and "J/token" not in alone and "speed-up" not in alone and "Headline" not in alone
    assert "NVIDIA H200" in (folder / "runs" / "alone.md").read_text(encoding="utf-8")
    assert book.main(["--check"], clone) == 0


def test_a_chart_is_drawn_where_there_is_none(clone: Path) -> None:
    """The command of docs/results/CONTRIBUTING.md: python3 tools/book.py --charts"""
    folder = a_folder(clone, "l4", HEAD + a_run("turns", "Several lanes.", shown=True), turns=TURNS)
    assert book.main(["--charts"], clone) == 0
    picture = folder / "runs" / "turns.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000
    assert ", [chart](runs/turns.png), " in (folder / "README.md").read_text(encoding="utf-8")
    picture.write_bytes(b"drawn by another matplotlib")
    assert book.main(["--charts"], clone) == 0
    assert picture.read_bytes() == b"drawn by another matplotlib"


def test_the_readmes_show_the_run_that_is_marked_and_another_when_the_mark_moves(clone: Path) -> None:
    marked, unmarked = (HEAD + a_run("turns", shown=shown) for shown in (True, False))
    one = a_folder(clone, "one", marked, turns=TURNS)
    other = a_folder(clone, "other", unmarked, turns=TURNS)
    for here, there in ((one, other), (other, one)):
        (here / "book.toml").write_text(marked, encoding="utf-8")
        (there / "book.toml").write_text(unmarked, encoding="utf-8")
        assert book.main([], clone) == 0
        for name in ("README.md", "README.fr.md"):
            page = (clone / name).read_text(encoding="utf-8")
            assert re.findall(r"docs/results/(\w+)/runs/turns\.md", page) == [here.name]
            assert page.startswith("Before.\n") and page.endswith("<!-- /results -->\nAfter.\n")


def test_both_readmes_say_the_same_of_the_run(clone: Path) -> None:
    a_folder(clone, "l4", HEAD + a_run("turns", shown=True), turns=TURNS)
    read = book.books(clone / "docs" / "results")
    english, french = book.shown_table(read, ENGLISH), book.shown_table(read, FRENCH)
    for said in ("**NVIDIA H200**, 2026-11-28: `tinyllama` (synthetic weights), float16, 128 prompt ids + 200 new, "
                 "3 trials of each lane that stayed (", "| ONNX Runtime | 1 | 674 | 0.72x (0.64-0.80) | 29.3% | 4.17 |",
                 "inconclusive in 1", "weak: fewer than five trials.",
                 "Nobody has measured `tensorrt-engine` and `tensorrt-pytorch` yet."):  # fmt: skip
        assert said in english
    assert "| ONNX Runtime | 1 | 674 | 0,72x (0,64-0,80) | 29,3\u202f% | 4,17 |" in french
    assert len(english.splitlines()) == len(french.splitlines())
    never = [word for term in TERMS.values() for word in term.never]
    assert [word for word in never if re.search(rf"(?<![\w-]){word}(?![\w-])", french)] == []
    read[0].runs[0][1].cells[0].figures[0].lane = "tensorrt-engine"
    assert "Nobody has measured `tensorrt-pytorch` yet." in book.shown_table(read, ENGLISH)


def test_cells_of_several_sizes_and_precisions_and_uneven_trials_are_told_apart(clone: Path) -> None:
    a_folder(clone, "l4", HEAD + a_run("turns", shown=True), turns=TURNS)
    read = book.books(clone / "docs" / "results")
    comparison = read[0].runs[0][1]
    assert "prompt + new" not in book.figures_table(comparison, ENGLISH)
    triton, onnxruntime = comparison.cells[0].figures[3:]
    triton.trials, onnxruntime.precision, comparison.cells[1].prompt_length = 7, "int4", 1024
    told = book.shown_table(read, ENGLISH)
    assert (
        "float16, int4, 128 prompt ids + 200 new, 1024 prompt ids + 200 new, 3 to 7 trials of each lane that stayed ("
        in told
    )
    assert "| ONNX Runtime int4 | 1 | 128 + 200 | 674 |" in told
    assert "| ONNX Runtime float16 | 8 | 1024 + 200 | 3,183 |" in told
    assert "de 3 à 7 essais de chaque voie restée jusqu\u2019au bout (" in book.shown_table(read, FRENCH)
    assert [line.partition(":")[0] for line in book.headline_of(comparison)][-1] == "- Batch 8, 1024 + 200"


def test_figures_that_are_no_records_become_a_table_with_its_note(clone: Path) -> None:
    attempt = '\n[[attempt]]\nfile = "by-hand.json"\ntitle = "By hand"\ntext = "No result."\n'
    folder = a_folder(clone, "l4", HEAD + a_run("turns", shown=True) + attempt, turns=TURNS)
    table = '{"note": "Six calls.", "columns": ["setting", "batch 32"], "rows": [["0", 12766]]}'
    (folder / "by-hand.json").write_text(table, encoding="utf-8")
    assert book.main([], clone) == 0
    shown = "## By hand\n\nNo result.\n\n| setting | batch 32 |\n| --- | ---: |\n| 0 | 12,766 |\n\nSix calls.\n"
    assert shown in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["docs/results/l4/README.md", "docs/results/l4/runs/turns.md", "README.fr.md"])
def test_the_check_names_a_file_that_was_edited_and_leaves_it(
    clone: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    a_folder(clone, "l4", HEAD + a_run("turns", shown=True), turns=TURNS)
    assert book.main([], clone) == 0
    page = (clone / name).read_text(encoding="utf-8")
    (clone / name).write_text(page.replace("674", "764", 1), encoding="utf-8")
    before = contents(clone)
    assert book.main(["--check"], clone) == 1
    assert capsys.readouterr().err == f"{name} is not what tools/book.py makes\n"
    assert contents(clone) == before


GOOD = HEAD + a_run("turns", shown=True)
WRONG = {
    "a bundle that is not named": (HEAD, "runs/turns.bundle is not named in docs/results/l4/book.toml"),
    "a name without a bundle": (GOOD + a_run("gone"), "names the run gone, and there is no runs/gone.bundle"),
    "a name twice": (GOOD + a_run("turns"), "names the run turns twice"),
    "an unknown key": (GOOD + "speed = 3\n", "docs/results/l4/book.toml can't be read: Object contains unknown field `speed`"),
    "a key too few": (GOOD.replace('title = "Run turns"', ""), "missing required field `title`"),
    "no TOML": ("title =", "docs/results/l4/book.toml can't be read: "),
    "no run shown": (HEAD + a_run("turns"), "`shown = true` stands at 0 runs (none)"),
    "an attempt without its file": (
        GOOD + '\n[[attempt]]\nfile = "a.json"\ntitle = "A"\ntext = "B"\n', "names the file a.json, which can't be read"
    ),
    "an attempt that is no table": (
        GOOD + '\n[[attempt]]\nfile = "book.toml"\ntitle = "A"\ntext = "B"\n', "book.toml is no table of columns, rows and a note"
    ),
    "variants that are none": (
        GOOD + '\n[[performance]]\nfile = "book.toml"\n', "docs/results/l4/book.toml is not what measure.py writes"
    ),
}  # fmt: skip


def refused(clone: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence with which the book ends; nothing is written."""
    before = contents(clone)
    assert book.main([], clone) == 2
    error = capsys.readouterr().err
    assert error.startswith("book: ") and error.count("\n") == 1
    assert contents(clone) == before
    return error


@pytest.mark.parametrize("wrong", WRONG)
def test_a_source_that_does_not_fit_is_one_sentence(
    clone: Path, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    source, said = WRONG[wrong]
    a_folder(clone, "l4", source, turns=TURNS)
    assert said in refused(clone, capsys)


def test_two_runs_shown_a_single_lane_shown_and_what_is_left_over_are_one_sentence(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_folder(clone, "l4", GOOD, turns=TURNS)
    other = a_folder(clone, "t4", HEAD + a_run("alone", shown=True), alone=ALONE)
    assert "the run alone has `shown = true`, and its lanes did not take turns" in refused(clone, capsys)
    shutil.rmtree(other)
    other = a_folder(clone, "t4", GOOD, turns=TURNS)
    assert "`shown = true` stands at 2 runs (l4/turns, t4/turns)" in refused(clone, capsys)
    (other / "book.toml").unlink()
    assert "docs/results/t4/book.toml is missing" in refused(clone, capsys)
    shutil.rmtree(other)
    (folder / "runs" / "gone.png").write_bytes(b"")
    assert "docs/results/l4/runs/gone.png is left over" in refused(clone, capsys)
    (folder / "runs" / "gone.png").unlink()
    (clone / "README.fr.md").write_text("No block.\n", encoding="utf-8")
    assert "README.fr.md must have one block <!-- results -->" in refused(clone, capsys)


def test_an_unknown_argument_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert book.main(["--chart"], ROOT) == 2
    assert "--chart" in capsys.readouterr().err
