"""What a run consists of: lanes, precisions, cells."""

from __future__ import annotations

import pytest

import factory
from trtbench.errors import UserError
from trtbench.model.finding import check_lengths
from trtbench.settings import lanes
from trtbench.settings.cells import Cell, shapes
from trtbench.settings.choosing import Entrant, chosen_lanes, entrants_of
from trtbench.settings.knobs import Settings

pytestmark = pytest.mark.usefixtures("toys")
BOTH = ("toy-fast", "toy-torch")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lanes, "missing", lambda name: None if name.startswith("toy-") else "needs x, which is not installed"
    )


def test_named_lanes_run_in_the_users_order() -> None:
    assert chosen_lanes(Settings(lanes=BOTH), "cpu", None) == list(BOTH)


@pytest.mark.usefixtures("nothing_installed")
def test_auto_takes_what_is_installed() -> None:
    assert chosen_lanes(Settings(), "cpu", None) == [name for name in lanes.LANES if name.startswith("toy-")]


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("settings", "device", "family", "said"),
    [
        (Settings(lanes=("warp-drive",)), "cpu", None, "names 'warp-drive', which is no lane; there are pytorch-eager"),
        (
            Settings(lanes=("onnxruntime",)),
            "cpu",
            None,
            "the lane onnxruntime needs x, which is not installed; install it",
        ),
        (Settings(lanes=("toy-fast",)), "cuda", None, "the lane toy-fast runs on cpu, and DEVICE is cuda"),
        (Settings(), "cuda", None, "no lane can run here on cuda"),
        (Settings(), "cpu", "onnxruntime", "no lane of the family onnxruntime can run here on cpu"),
    ],
)
def test_lanes_that_cannot_run_are_told(settings: Settings, device: str, family: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        chosen_lanes(settings, device, family)


def test_onnxruntime_says_why_it_does_not_run_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "missing", lambda name: None)
    with pytest.raises(UserError, match=r"runs on cpu \(the package onnxruntime-genai has no CUDA provider"):
        chosen_lanes(Settings(lanes=("onnxruntime",)), "cuda", None)


def test_a_step_runs_only_its_family() -> None:
    assert chosen_lanes(Settings(lanes=BOTH), "cpu", "toyfast") == ["toy-fast"]
    assert chosen_lanes(Settings(lanes=("toy-torch",)), "cpu", "toyfast") == ["toy-fast"]


# Precisions


def test_auto_precision_is_the_devices_own() -> None:
    entrants, absent = entrants_of(["toy-fast", "toy-torch"], Settings(), "cpu")
    assert entrants == [Entrant("toy-fast", "float32"), Entrant("toy-torch", "float32")]
    assert absent == {}


def test_a_precision_that_a_lane_does_not_run_is_noted_with_what_it_runs() -> None:
    entrants, absent = entrants_of(["toy-fast", "onnxruntime"], Settings(precision=("bfloat16", "int8")), "cpu")
    assert entrants == [Entrant("toy-fast", "bfloat16"), Entrant("onnxruntime", "int8")]
    assert list(absent) == [Entrant("toy-fast", "int8"), Entrant("onnxruntime", "bfloat16")]
    assert absent[Entrant("toy-fast", "int8")] == "toy-fast does not run int8 on cpu (it runs float32, bfloat16)"


def test_a_baseline_runs_its_default_beside_quantised_lanes() -> None:
    entrants, _ = entrants_of(["toy-torch", "onnxruntime"], Settings(precision=("int8", "int4")), "cpu")
    assert entrants[0] == Entrant("toy-torch", "float32")
    assert {e.precision for e in entrants[1:]} == {"int8", "int4"}


def test_a_precision_that_no_lane_runs_is_refused() -> None:
    with pytest.raises(
        UserError, match="PRECISION='float16': no chosen lane runs it on cpu; toy-fast runs float32, bfloat16"
    ):
        entrants_of(["toy-fast"], Settings(precision=("float16",)), "cpu")


# Cells


def test_every_combination_is_a_cell() -> None:
    found = shapes(Settings(batch_sizes=(1, 8), prompt_lengths=(32, 64), new_tokens=(16,)), "float32")
    assert found == [
        Cell(batch=b, prompt_length=p, new_tokens=16, precision="float32") for b in (1, 8) for p in (32, 64)
    ]


@pytest.mark.parametrize("name", ["max_position_embeddings", "n_positions"])
def test_sequences_longer_than_the_model_are_refused(name: str) -> None:
    model = factory.model(config={name: 300})
    check_lengths(Settings(prompt_lengths=(100,), new_tokens=(200,)), model)
    with pytest.raises(UserError, match=r"PROMPT_LENGTHS=50,101 and NEW_TOKENS=200 make 301 tokens, but demo has 300"):
        check_lengths(Settings(prompt_lengths=(50, 101), new_tokens=(200,)), model)
    check_lengths(Settings(prompt_lengths=(9999,)), factory.model(config={}))
