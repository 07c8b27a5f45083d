"""The lane of the headline: what can never be one is told before the run, what a later step may bring is not refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import python
from trtbench.errors import UserError
from trtbench.measure.headline import headline, notes
from trtbench.settings import lanes
from trtbench.settings.choosing import Entrant, entrants_of
from trtbench.settings.knobs import Settings

EAGER, TUNED, TRITON, ONNX, VINO, TRT = (
    "pytorch-eager", "pytorch-tuned", "pytorch-triton", "onnxruntime", "openvino", "tensorrt-engine",
)  # fmt: skip


def chosen(names: list[str], whole: bool = True, **settings: object) -> str | None:
    made = Settings(**settings)  # type: ignore[arg-type]
    return headline(made, names, entrants_of(names, made, "cpu")[0], "cpu", whole)


def test_without_a_setting_it_is_the_first_lane_that_is_not_of_pytorch() -> None:
    assert chosen([EAGER, VINO, ONNX]) == VINO
    assert chosen([EAGER, TUNED]) is None
    trt = [Entrant(EAGER, "float16"), Entrant(TRT, "float16")]
    assert headline(Settings(), [EAGER, "vllm", TRT], trt, "cuda", True) == TRT


def test_a_lane_of_the_run_is_taken_also_the_one_of_pytorch_that_is_never_the_base() -> None:
    assert chosen([EAGER, ONNX, VINO], headline=VINO) == VINO
    entrants = [Entrant(EAGER, "float16"), Entrant(TRITON, "float16")]
    assert headline(Settings(headline=TRITON), [EAGER, TRITON], entrants, "cuda", True) == TRITON


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("warp-drive", r"HEADLINE='warp-drive' is no lane; there are pytorch-eager, "),
        (EAGER, r"HEADLINE='pytorch-eager' is a PyTorch lane that may be the base, .*; name one that is not: .*onnxruntime"),
        (TUNED, r"HEADLINE='pytorch-tuned' is a PyTorch lane that may be the base"),
    ],
)  # fmt: skip
def test_what_can_never_be_one_is_refused_by_a_step_too(declared: str, said: str, whole: bool) -> None:
    with pytest.raises(UserError, match=said):
        chosen([EAGER, ONNX], whole, headline=declared)


def test_a_whole_run_refuses_a_lane_that_it_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "missing", lambda name, device: None)
    with pytest.raises(UserError) as refused:
        chosen([EAGER, ONNX], headline=VINO)
    assert str(refused.value) == (
        "HEADLINE='openvino' is not among the lanes of this run, pytorch-eager, onnxruntime; "
        "name one of them, onnxruntime, or add the lane to LANES."
    )
    with pytest.raises(UserError, match=r"none of them can be it, so leave it empty, or add the lane to LANES\."):
        chosen([EAGER], headline=VINO)


def test_a_lane_that_cannot_run_here_says_why_and_is_not_to_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lanes, "missing", lambda name, device: "needs x, which is not installed" if name == TRT else None
    )
    with pytest.raises(UserError) as refused:
        chosen([EAGER, ONNX], headline=TRT)
    assert "(tensorrt-engine runs on cuda and needs x, which is not installed); name one of them" in str(refused.value)
    assert "add the lane" not in str(refused.value)


@pytest.mark.parametrize("names", [[EAGER], [ONNX]])
def test_a_step_takes_a_lane_that_another_step_brings(names: list[str]) -> None:
    assert chosen(names, whole=False, headline=TRT) == TRT


def test_over_cards_it_is_a_lane_that_splits_the_model() -> None:
    assert chosen([EAGER, ONNX, VINO], tp_size=2) is None
    vllm = [Entrant(EAGER, "float16"), Entrant("vllm", "float16")]
    assert headline(Settings(tp_size=2), [EAGER, ONNX, "vllm"], vllm, "cuda", True) == "vllm"
    assert headline(Settings(), [EAGER, ONNX, "vllm"], vllm, "cuda", True) == ONNX


def test_a_lane_that_is_left_out_over_cards_is_refused_by_a_step_too() -> None:
    with pytest.raises(UserError) as refused:
        chosen([EAGER, ONNX], tp_size=2, headline=ONNX)
    assert str(refused.value) == (
        "HEADLINE='onnxruntime' is left out: onnxruntime runs a model on one card, and TP_SIZE is 2; leave it empty, or set "
        "TP_SIZE=1."
    )
    with pytest.raises(UserError, match=r"name one that splits it, vllm or tensorrt-engine or .*, or set TP_SIZE=1\."):
        chosen([EAGER], whole=False, tp_size=2, headline=ONNX)


def test_a_lane_that_runs_in_none_of_the_precisions_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"HEADLINE='onnxruntime' does not run PRECISION=bfloat16 on cpu; it runs float32"
    ):
        chosen([EAGER, ONNX], headline=ONNX, precision=("bfloat16",))
    assert chosen([EAGER, ONNX], headline=ONNX, precision=("bfloat16", "int8")) == ONNX


def told(names: list[str], whole: bool = True, **settings: object) -> list[str]:
    return list(notes(*entrants_of(names, Settings(**settings), "cpu"), whole))  # type: ignore[arg-type]


def test_what_is_left_out_of_a_run_is_told_before_it() -> None:
    (note,) = told([EAGER, ONNX], precision=("bfloat16", "int8"))
    assert note.startswith(
        "onnxruntime bfloat16 is left out: onnxruntime does not run bfloat16 on cpu (it runs float32, "
    )
    assert told([EAGER, ONNX], precision=("float32", "int8")) == []


def test_a_run_that_will_compare_nothing_says_so() -> None:
    (note,) = told([ONNX, VINO])
    assert note.startswith("no PyTorch lane is among the lanes of this run: ")
    assert told([ONNX]) == told([ONNX, VINO], whole=False) == told([EAGER, VINO]) == []


@pytest.mark.parametrize(
    ("arguments", "declared"),
    [((), "toy-torch"), ((), "toy-choice"), ((), "toy-fasst"), (("--family", "toyfast"), "toy-torch")],
)
def test_the_command_ends_with_one_sentence_and_has_written_nothing(
    tmp_path: Path, arguments: tuple[str, ...], declared: str
) -> None:
    data = tmp_path / "data"
    done = python(
        "-m", "trtbench.bench", *arguments,
        DEVICE="cpu", DATA_DIR=str(data), MODEL_NAME="demo", LANES="toy-torch,toy-fast", HEADLINE=declared,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: HEADLINE='{declared}' is ")
    assert done.stderr.count("\n") == 1
    assert not data.exists()
