"""What a run consists of: lanes, precisions, cells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import factory
from trtbench.engine import contract
from trtbench.errors import UserError
from trtbench.model.finding import check_lengths
from trtbench.settings import lanes
from trtbench.settings.cells import Cell, shapes
from trtbench.settings.choosing import Entrant, chosen_lanes, entrants_of
from trtbench.settings.knobs import ROOT, Settings

pytestmark = pytest.mark.usefixtures("toys")
BOTH = ("toy-fast", "toy-torch")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lanes, "missing", lambda name, device: None if name.startswith("toy-") else "needs x, which is not installed"
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


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("family", "own", "image", "compose"),
    [
        (
            "tensorrt",
            "tensorrt-engine runs on cuda and needs x, which is not installed; "
            "tensorrt-pytorch runs on cuda and needs x, which is not installed",
            "nvcr.io/nvidia/tensorrt-llm/release:1.2.1",
            "--profile tensorrt-only up benchmark-tensorrt",
        ),
        (
            "vllm",
            "vllm runs on cuda and needs x, which is not installed",
            "vllm/vllm-openai:v0.32.0",
            "--profile vllm-only up benchmark-vllm",
        ),
    ],
)
def test_a_family_that_cannot_run_names_its_own_lanes_and_the_image(
    family: str, own: str, image: str, compose: str
) -> None:
    with pytest.raises(UserError) as refused:
        chosen_lanes(Settings(), "cpu", family)
    assert str(refused.value) == (
        f"no lane of the family {family} can run here on cpu: {own}; "
        f"{image} has it: docker compose {compose}, as README.md shows."
    )


def test_a_family_whose_modules_are_there_names_the_device_and_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "missing", lambda name, device: None)
    with pytest.raises(UserError) as refused:
        chosen_lanes(Settings(), "cpu", "vllm")
    assert str(refused.value) == "no lane of the family vllm can run here on cpu: vllm runs on cuda."


@pytest.mark.usefixtures("nothing_installed")
def test_a_named_lane_says_which_image_has_what_it_lacks() -> None:
    with pytest.raises(UserError) as refused:
        chosen_lanes(Settings(lanes=("vllm",)), "cuda", None)
    assert str(refused.value) == (
        "the lane vllm needs x, which is not installed; bash scripts/bench_vllm.sh --install makes .venv-vllm for it, or "
        "vllm/vllm-openai:v0.32.0 has it: docker compose --profile vllm-only up benchmark-vllm, as README.md shows, or leave the lane "
        "out of LANES."
    )


def services() -> dict[str, str]:
    """The services of docker-compose.yml, by name, each as its text."""
    text = (ROOT / "docker-compose.yml").read_text()
    parts = re.split(r"^  ([\w-]+):\n", text.partition("\nservices:\n")[2], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


@pytest.mark.parametrize("name", [name for name, row in lanes.LANES.items() if row.image])
def test_the_image_of_a_lane_is_the_one_that_compose_builds_on(name: str) -> None:
    row = lanes.LANES[name]
    words = row.compose.split()
    assert words[::2] == ["--profile", "up"]
    text = services()[words[3]]
    assert f"profiles: [{words[1]}]" in text
    assert f"scripts/{row.script}" in text
    shared = (ROOT / "docker-compose.yml").read_text().partition("\nservices:\n")[0]
    base = re.compile(r"^ *BASE_IMAGE: \$\{\w+:-([^}]+)\}", re.MULTILINE)
    assert (base.findall(text) or base.findall(shared)) == [row.image]
    if row.family == "tensorrt":
        assert row.image == contract.load()["release"]["image"]


@pytest.mark.parametrize("family", ["tensorrt", "vllm"])
def test_the_command_ends_with_one_sentence(family: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "DATA_DIR": str(tmp_path), "DEVICE": "cpu"}
    done = subprocess.run(
        [sys.executable, "-m", "trtbench.bench", "--family", family],
        env={name: value for name, value in environment.items() if name != "LANES"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    said = re.fullmatch(rf"error: no lane of the family {family} can run here on cpu: (.*)\.\n", done.stderr)
    assert said, done.stderr
    others = [name for name, row in lanes.LANES.items() if row.family != family]
    assert not [name for name in others if re.search(rf"{name} (needs|runs)", said[1])]
    assert ("docker compose --profile" in said[1]) == ("not installed" in said[1])
    assert not list(tmp_path.iterdir())


def test_tensorrt_for_rtx_is_refused_on_a_data_centre_card_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "missing", lambda name, device: None)
    said = r'tensorrt-rtx can\'t run on this card: TensorRT for RTX says on a card of 9.0: "The engine cannot run on this GPU, which has '
    with pytest.raises(UserError, match=said + r"compute capability 9\.0\. Supported compute capabilities: 8\.0 8\.6"):
        chosen_lanes(Settings(lanes=("tensorrt-rtx",)), "cuda", None, "9.0")
    chosen = {capability: chosen_lanes(Settings(), "cuda", None, capability) for capability in ("9.0", "8.9", "12.0")}
    assert ["tensorrt-rtx" in names for names in chosen.values()] == [False, True, True]
    assert "onnxruntime" in chosen["9.0"]


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


ONE_CARD = "{} runs a model on one card, and TP_SIZE is 2"


def test_a_lane_that_splits_no_model_is_left_out_with_a_sentence() -> None:
    names = ["pytorch-eager", "pytorch-compile", "pytorch-tuned", "onnxruntime", "openvino"]
    entrants, absent = entrants_of(names, Settings(tp_size=2, device="cpu"), "cpu")
    assert [entrant.lane for entrant in entrants] == names[:3]
    assert absent == {Entrant(name, "float32"): ONE_CARD.format(name) for name in names[3:]}
    assert entrants_of(names, Settings(), "cpu")[1] == {}


def test_it_is_left_out_in_each_precision_that_was_asked_for_and_that_it_has() -> None:
    settings = Settings(tp_size=2, precision=("float16", "float32", "int4"))
    _, absent = entrants_of(["pytorch-eager", "pytorch-triton"], settings, "cuda")
    told = {entrant.precision: reason for entrant, reason in absent.items() if entrant.lane == "pytorch-triton"}
    assert told == dict.fromkeys(
        set(lanes.LANES["pytorch-triton"].precisions["cuda"]) & {"float16", "float32"},
        ONE_CARD.format("pytorch-triton"),
    )


def test_where_no_lane_splits_it_the_run_is_refused() -> None:
    able = {
        "cpu": "pytorch-eager, pytorch-compile, pytorch-tuned",
        "cuda": r"pytorch-eager, .*, vllm, tensorrt-engine, .*",
    }
    for device in ("cpu", "cuda"):
        told = rf"^TP_SIZE=2: no chosen lane splits a model over cards; {able[device]}.* do, or set TP_SIZE=1\.$"
        with pytest.raises(UserError, match=told):
            entrants_of(["onnxruntime"], Settings(tp_size=2), device)


@pytest.mark.usefixtures("nothing_installed")
def test_what_is_left_out_need_not_be_installed() -> None:
    settings = Settings(lanes=("toy-torch", "onnxruntime"), tp_size=2)
    assert chosen_lanes(settings, "cpu", None) == ["toy-torch", "onnxruntime"]


def test_every_combination_is_a_cell() -> None:
    found = shapes(Settings(batch_sizes=(1, 8), prompt_lengths=(32, 64), new_tokens=(16,)), "float32")
    assert found == [
        Cell(batch=b, prompt_length=p, new_tokens=16, precision="float32") for b in (1, 8) for p in (32, 64)
    ]


@pytest.mark.parametrize("name", ["max_position_embeddings", "n_positions"])
def test_sequences_longer_than_the_model_are_refused(name: str) -> None:
    model = factory.model(config={name: 300})
    check_lengths(Settings(prompt_lengths=(100,), new_tokens=(200,)), model, {})
    with pytest.raises(UserError, match=r"PROMPT_LENGTHS=50,101 and NEW_TOKENS=200 make 301 tokens, but demo has 300"):
        check_lengths(Settings(prompt_lengths=(50, 101), new_tokens=(200,)), model, {})
    with pytest.raises(UserError, match=r"MAX_INPUT_LEN=301 and NEW_TOKENS=200 make 501 tokens"):
        check_lengths(Settings(prompt_lengths=(301,), new_tokens=(200,)), model, {"MAX_INPUT_LEN": "environment"})
    check_lengths(Settings(prompt_lengths=(9999,)), factory.model(config={}), {})


@pytest.mark.parametrize(
    "config",
    [
        {"n_positions": 300},
        {"max_seq_len": 300, "model_type": "mpt"},
        {"text_config": {"max_position_embeddings": 300}, "model_type": "gemma3"},
    ],
)
def test_positions_are_found_under_every_name(config: dict[str, Any]) -> None:
    model = factory.model(config=config)
    check_lengths(Settings(prompt_lengths=(100,), new_tokens=(200,)), model, {})
    with pytest.raises(UserError, match="300 positions"):
        check_lengths(Settings(prompt_lengths=(101,), new_tokens=(200,)), model, {})
