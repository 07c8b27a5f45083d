"""Sentences that records hold in English: each that lanes, trials and judge can write has a row, and a French report tells it.

They are collected from the source, so that a new one without a row fails here.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator

import pytest

import factory
from trtbench.comparison.clean_text import plain
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.engine import known_failures
from trtbench.lanes.onnxruntime.card import refusal
from trtbench.measure import out_of_memory
from trtbench.records.run import Absent
from trtbench.records.trial import Failure
from trtbench.report import markdown, text
from trtbench.report.language import ENGLISH, FRENCH
from trtbench.report.page import document
from trtbench.report.recorded import told
from trtbench.report.words.recorded import NOTES, RECORDED
from trtbench.settings.cells import Cell
from trtbench.settings.choosing import one_card_only
from trtbench.settings.knobs import ROOT

HOUSE = ROOT / "scripts" / "trtbench"
ROOMS = ("lanes", "measure", "referee/judge", "model/torch_loading.py", "engine/on_disk.py", "engine/worker_process.py")
RAISED = ("Unsupported", "WrongCount")  # exceptions whose text a record keeps
SHAPES = ("model/config_*.py", "referee/roofline.py")  # and here UserError: why a ceiling is not known
KEPT = ("reason", "hint", "hole", "failure", "notes", "attention")  # arguments that a record keeps
RETURNED = (  # functions of which it keeps what they return
    *("notes", "graphs_for", "attention", "refusal", "set_for_the_card", "waiting", "set_place", "where"),
    *("find", "damage", "_dead", "_hung", "entrants_of", "_of_cards"),
)
LISTS = ("notes",)  # variables that become such an argument
HOLE = "\0"  # what only the run knows
FILLED = ("WORD", "7", "WORD and WORD", "")
NO_SENTENCE = (
    "",
    "TRTLLM",
    HOLE,
    f"{HOLE}.",
    f"{HOLE}: {HOLE}",
)  # names, and places that hold a whole sentence of another place


def variants(node: ast.expr | None) -> list[str]:
    """The texts that an expression can be, with HOLE for what stands elsewhere."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in itertools.product(*(_part(value) for value in node.values))]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = variants(node.left) or [HOLE], variants(node.right) or [HOLE]
        return ["".join(pair) for pair in itertools.product(*sides)]
    if isinstance(node, ast.IfExp):
        return variants(node.body) + variants(node.orelse)
    if isinstance(node, ast.BoolOp):
        return [said for value in node.values for said in variants(value)]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [said for element in node.elts for said in variants(element)]
    if isinstance(node, ast.Starred):
        return variants(node.value)
    return variants(node.elt) if isinstance(node, (ast.ListComp, ast.GeneratorExp)) else []


def _part(node: ast.expr) -> list[str]:
    if not isinstance(node, ast.FormattedValue):
        return variants(node)
    choices = node.value
    if isinstance(choices, ast.IfExp):
        return [said for side in (choices.body, choices.orelse) for said in variants(side) or [HOLE]]
    if isinstance(choices, (ast.JoinedStr, ast.Constant)):
        return variants(choices) or [HOLE]
    if isinstance(choices, ast.Call) and getattr(choices.func, "id", "") == "counted":
        return [f"7 {noun}s" for noun in variants(choices.args[1])]
    return [HOLE]


def sources() -> Iterator[ast.AST]:
    for room in ROOMS:
        place = HOUSE / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            yield _Inlined(tree).visit(tree)


class _Inlined(ast.NodeTransformer):
    """Names that a file gives a text once stand for that text."""

    def __init__(self, tree: ast.AST) -> None:
        given: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                given.setdefault(node.targets[0].id, []).append(node.value)
        self.texts = {
            name: values[0]
            for name, values in given.items()
            if len(values) == 1
            and isinstance(values[0], (ast.Constant, ast.JoinedStr, ast.IfExp))
            and variants(values[0])
        }

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.texts.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def of_shapes() -> Iterator[str]:
    """Why no ceiling is known for a model or a precision."""
    for file in (file for pattern in SHAPES for file in sorted(HOUSE.glob(pattern))):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UserError":
                yield from variants(node.args[0])


def collected(tree: ast.AST) -> Iterator[str]:
    """Every sentence of a source that goes into a record."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in RAISED and node.args:
                yield from variants(node.args[0])
            if name == "leave_out":
                yield from variants(node.args[-1])
            if name == "append" and getattr(getattr(node.func, "value", None), "id", "") in LISTS:
                yield from variants(node.args[0])
            for keyword in node.keywords:
                if keyword.arg in KEPT and name != "Term":
                    yield from variants(keyword.value)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(getattr(target, "id", "") in (*LISTS, "compiled") for target in targets):
                yield from variants(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name in RETURNED:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    yield from variants(inner.value)


def known(sentence: str) -> bool:
    """Whether a French report has words of its own for the sentence, with anything in its places."""
    fills = itertools.product(FILLED, repeat=sentence.count(HOLE))
    for fill in itertools.islice(fills, 3**6):
        parts = iter(fill)
        whole = "".join(next(parts) if letter == HOLE else letter for letter in sentence)
        if told(whole, FRENCH) != FRENCH.quote(plain(whole)):
            return True
    return False


WRITTEN = sorted(({said for tree in sources() for said in collected(tree)} | set(of_shapes())) - set(NO_SENTENCE))


def test_the_sources_are_read() -> None:
    assert len(WRITTEN) > 90
    assert {"static KV cache", f"pytorch-triton runs one sequence, not a batch of {HOLE}"} <= set(WRITTEN)


@pytest.mark.parametrize("sentence", WRITTEN)
def test_each_sentence_that_can_go_into_a_record_has_its_french_one(sentence: str) -> None:
    assert known(sentence), "add a row to report/words/recorded.py"


def test_a_sentence_without_a_row_is_found() -> None:
    assert not known(f"{HOLE} has no row in the table and is written by nobody")
    (sentence,) = set(collected(ast.parse('raise Unsupported(f"nobody {wrote} this" if a else "or that")'))) - {
        "or that"
    }
    assert sentence == f"nobody {HOLE} this" and not known(sentence)


@pytest.mark.parametrize("symptom", [*known_failures.SYMPTOMS, known_failures.KILLED, known_failures.SLOW_START,
                                     known_failures.SLOW_START_OF_ANOTHER], ids=lambda symptom: symptom.name)  # fmt: skip
def test_what_is_known_of_failures_is_told_in_french(symptom: known_failures.Symptom) -> None:
    assert known(symptom.reason) and known(symptom.remedy) and known(f"{symptom.remedy} (log: /a/b.log)")
    assert told(f"{symptom.remedy} (log: /a/b.log)", FRENCH).endswith("(journal\u00a0: /a/b.log)")


@pytest.mark.parametrize(
    ("error", "batch", "expected"),
    [
        (
            "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.75 GiB of which 12.44 MiB is free.",
            8,
            "mémoire insuffisante pour un lot de 8 et 32 + 8 jetons (20,00 Mio de plus étaient demandés, 12,44 Mio étaient libres "
            "sur les 7,75 Gio du GPU) ; baissez BATCH_SIZES, PROMPT_LENGTHS ou NEW_TOKENS",
        ),
        (
            "cuda: Failed to allocate memory for requested buffer of size 4294967296",
            1,
            "mémoire insuffisante pour un lot de 1 et 32 + 8 jetons (4,00 Gio de plus étaient demandés) ; baissez PROMPT_LENGTHS ou "
            "NEW_TOKENS",
        ),
        ("cuda out of memory", 1, "mémoire insuffisante pour un lot de 1 et 32 + 8 jetons ; baissez PROMPT_LENGTHS ou NEW_TOKENS"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_fit_is_told_with_its_figures(error: str, batch: int, expected: str) -> None:
    cell = Cell(batch=batch, prompt_length=32, new_tokens=8, precision="float32")
    said = told(out_of_memory.hole_reason(RuntimeError(error), cell), FRENCH)
    assert said.replace("\u00a0", " ").replace("\u202f", " ") == expected


def test_what_the_host_has_left_is_told_too() -> None:
    cell = Cell(batch=1, prompt_length=32, new_tokens=8, precision="float32")
    said = told(out_of_memory.hole_reason(MemoryError("can't allocate memory"), cell), FRENCH)
    assert "Gio sont libres sur les" in said and "«" not in said


def test_words_of_others_are_quoted_in_a_sentence_of_ours() -> None:
    said = told("transformers 5.1 cannot load this model: KeyError: 'x y'", FRENCH)
    assert said == "transformers 5.1 ne peut pas charger ce modèle\u00a0: «\u00a0KeyError: 'x y'\u00a0»"
    assert told("RuntimeError: out of luck", FRENCH) == "«\u00a0RuntimeError: out of luck\u00a0»"
    assert told("sdpa", FRENCH, quoted=False) == "sdpa"


def test_a_sentence_within_a_sentence_is_told_as_well() -> None:
    said = told(
        "TensorRT-LLM did not start within ENGINE_START_LIMIT=900 seconds: Open MPI refuses to run as root", FRENCH
    )
    assert said.replace("\u00a0", " ") == (
        "TensorRT-LLM n’a pas démarré dans le délai ENGINE_START_LIMIT=900 s : Open MPI refuse de tourner sous root"
    )


def test_a_lane_of_one_card_is_told_by_its_label() -> None:
    said = told(one_card_only("onnxruntime", 2), FRENCH)
    assert said == "ONNX Runtime fait tourner un modèle sur une seule carte, et TP_SIZE vaut 2"


def test_numbers_are_written_anew() -> None:
    said = told(refusal("ONNX Runtime GenAI", "CUDA", 0, 2200 * 2**20), FRENCH)
    assert "des poids de 2\u202f200" in said and "0\u00a0Mio de la carte" in said


@pytest.mark.parametrize(("english", "french"), RECORDED)
def test_an_english_report_has_the_record_s_own_words(english: str, french: str) -> None:
    for sentence in (english, f"{english}."):
        assert told(sentence, ENGLISH, 1000) == plain(sentence, 1000)


def test_no_row_hides_behind_an_earlier_one() -> None:
    """Its own sentence, with a word in each place of text, is told by the row itself."""
    for row, (english, french) in enumerate(RECORDED):
        if "{" in english:
            continue
        said = told(english, FRENCH, 1000)
        assert said == plain(FRENCH.typeset(french), 1500), (row, english)


@pytest.mark.parametrize(
    "hostile", ["\x1b[31m", "\u202e", "{0}", "{x:said}", "A" * 50_000, "in a cell of " * 4000, "a: b; " * 9000]
)
def test_hostile_text_is_cleaned_and_cut(hostile: str) -> None:
    for sentence in (hostile, f"engine {hostile}", f"transformers 1 cannot load this model: {hostile}"):
        said = told(sentence, FRENCH)
        assert len(said) < 700 and "\x1b" not in said and "\u202e" not in said


REASON = "pytorch-tuned does not read quantised weights"
HINT = "The trial's log has the whole message."


def failed() -> Comparison:
    failure = Failure(phase="load", reason=REASON, hint=HINT)
    hole = factory.trial("openvino", index=1, position=99)
    hole.cells = [
        factory.cell_record(
            hole="OpenVINO's paged attention does not compute this model's attention", e2e=None, ttft=None
        )
    ]
    trials = factory.trials({"pytorch-eager": [100.0, 101.0, 99.0], "onnxruntime": [50.0, 50.5, 49.5]})
    for trial in trials:
        trial.statement = factory.statement(
            notes=[NOTES[0][0]], attention="compiled sums over the used positions; SDPA in prefill"
        )
    lanes = ["pytorch-eager", "pytorch-tuned", "onnxruntime", "openvino"]
    absent = [Absent(lane="pytorch-tuned", precision="float32", failure=failure)]
    return compare(factory.run(lanes, absent=absent, headline="onnxruntime"), [*trials, hole])


@pytest.mark.parametrize("render", [text.render, markdown.render, document.render], ids=["text", "markdown", "page"])
def test_every_format_tells_it_in_the_language_and_none_in_the_other(render: Callable[..., str]) -> None:
    """The page has both; an English sentence stands in it once a place, in the English article."""
    made = failed()
    french = " ".join(render(made, "fr").split())
    french = french.partition('<article lang="fr"')[2].partition("</article>")[0] or french
    for there in ("PyTorch tuned ne lit pas de poids quantifiés", "Le journal de l’essai contient le message entier",
                  "l’attention paginée d’OpenVINO ne calcule pas"):  # fmt: skip
        assert there in french.replace("\\", "")
    for absent in (REASON, HINT, "paged attention"):
        assert absent not in french
    english = render(made, "en")
    assert REASON in " ".join(english.split())
