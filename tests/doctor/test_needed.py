"""Which environments a call needs: by its options, the card and its driver, and what is there, before anything is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trtbench.doctor import needed
from trtbench.errors import UserError
from trtbench.settings import environments, lanes
from trtbench.settings.choosing import chosen_lanes
from trtbench.settings.knobs import ROOT, Settings

MAIN = "make\t.venv-cuda\t-\tneeded\tcuda-torch\tcuda"
ONNX = "make\t.venv-onnxruntime\tcpu\t{}\tonnxruntime-cuda"
VLLM = "make\t.venv-vllm\t-\tneeded\tvllm"
RUN = "run\t.venv-cuda"
CPU = ["make\t.venv\tcpu\tneeded\tlocal", "run\t.venv"]
NO_CARD = [CPU[0], "run\t.venv\tcpu"]  # what was planned is what runs


class Machine:
    """A machine with a card (or none), and a clone without any environment."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
        monkeypatch.setattr(environments, "ROOT", folder)
        monkeypatch.setattr(needed, "ROOT", folder)
        monkeypatch.setattr(sys, "version_info", (3, 12, 1))
        # None of what this Python has bears on it: only an own Python's packages do.
        monkeypatch.setattr(environments.Interpreter, "has", lambda python, module: bool(python.name))
        for name in ("TRTBENCH_IMAGE", "TRTBENCH_PYTHON", "CUDA_VISIBLE_DEVICES"):
            monkeypatch.delenv(name, raising=False)

    def card(
        self,
        name: str = "NVIDIA GeForce RTX 4090",
        driver: str = "580.95.05",
        capability: str = "8.9",
        count: int = 1,
    ) -> None:
        program = self.folder / "bin" / "nvidia-smi"
        rows = [f"echo '{index}, {name}, {driver}, 24564, 24000, {capability}'\n" for index in range(count)]
        program.write_text("#!/bin/sh\n" + "".join(rows))
        program.chmod(0o755)

    def made(self, name: str, stamp: str | None) -> None:
        """An environment that is there; without a stamp it is somebody's own."""
        program = self.folder / name / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\necho \'["3.12.1", ["/"]]\'\n')
        program.chmod(0o755)
        if stamp is not None:
            (self.folder / name / ".stamp").write_text(stamp)

    def __call__(self, *options: str) -> list[str]:
        environments._asked.cache_clear()
        assert needed.main(options) == 0
        return self.capsys.readouterr().out.splitlines()

    def said(self) -> str:
        return self.capsys.readouterr().err


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, monkeypatch, capsys)


def test_without_a_card_it_is_the_environment_of_the_processor(machine: Machine) -> None:
    for options in ([], ["--local"], ["--local", "--quick"], ["--family", "onnxruntime"]):
        assert machine(*options) == NO_CARD
    with pytest.raises(UserError, match="DEVICE=cuda, but nvidia-smi is not here"):
        machine("--local", "--device", "gpu")


@pytest.mark.parametrize("options", [["--cpu"], ["--local", "--device", "cpu"]])
def test_on_request_it_is_also_with_a_card(options: list[str], machine: Machine) -> None:
    machine.card()
    assert machine(*options) == CPU


def test_a_card_gets_its_own_and_the_lanes_theirs(machine: Machine) -> None:
    machine.card()
    optional = ONNX.format("optional")
    assert machine("--local") == machine() == [MAIN, optional, RUN]
    assert machine("--family", "pytorch") == [MAIN, RUN]
    assert machine("--family", "onnxruntime") == [MAIN, ONNX.format("needed"), RUN]
    assert machine("--lanes", "pytorch-eager,pytorch-tuned") == [MAIN, RUN]
    assert machine("--lanes", "pytorch-eager,onnxruntime") == [MAIN, ONNX.format("needed"), RUN]


def test_vllm_is_made_on_request_alone(machine: Machine) -> None:
    machine.card()
    assert machine("--family", "vllm", "--install") == [VLLM]
    assert machine("--lanes", "pytorch-eager,vllm") == [MAIN, VLLM, RUN]
    with pytest.raises(
        UserError, match=r"the lane vllm needs vllm, .*bench_vllm.sh --install makes .venv-vllm for it, or vllm/"
    ):
        machine("--family", "vllm")
    machine.made(".venv-vllm", "1 2")
    assert machine("--family", "vllm") == [MAIN, VLLM, RUN]
    assert VLLM.replace("needed", "optional") in machine("--local")


def test_what_somebody_made_is_left_alone_and_what_is_half_made_is_not(machine: Machine) -> None:
    machine.card()
    machine.made(".venv-vllm", None)
    assert machine("--family", "vllm") == [MAIN, RUN]
    (machine.folder / ".venv-vllm" / ".stamp").write_text(environments.UNFINISHED)
    with pytest.raises(UserError, match="needs vllm"):
        machine("--family", "vllm")
    assert machine("--family", "vllm", "--install") == [VLLM]


@pytest.mark.parametrize(
    ("name", "driver", "capability", "build"),
    [
        ("NVIDIA GeForce RTX 4090", "580.95.05", "8.9", "-"),
        ("NVIDIA GeForce RTX 4090", "550.54.15", "8.9", "cu126"),
        ("Tesla V100-SXM2-16GB", "580.95.05", "7.0", "cu126"),
        ("NVIDIA H100 80GB HBM3", "525.60.13", "9.0", "cu126"),
        ("NVIDIA GeForce RTX 5090", "575.51.02", "12.0", None),
        ("NVIDIA GeForce RTX 4090", "470.256.02", "8.9", None),
        ("Tesla K80", "470.256.02", "3.7", None),
    ],
)
def test_the_build_of_torch_follows_driver_and_card(
    name: str, driver: str, capability: str, build: str | None, machine: Machine
) -> None:
    machine.card(name, driver, capability)
    if build is None:
        with pytest.raises(UserError) as refused:
            machine("--local")
        said = str(refused.value)
        assert said.startswith("no torch that this project installs runs on") and "--cpu" in said and "\n" not in said
        return
    folder, torch, _, *locks = machine("--family", "pytorch")[0].split("\t")[1:]
    assert (folder, torch) == (".venv-cuda", build)
    assert ("cuda-torch" in locks) is (build == "-"), "by hash, or by version from PyTorch's index"


def test_another_build_than_pypi_s_is_marked_as_not_tried(machine: Machine) -> None:
    machine.card(driver="550.54.15")
    needed.main(["--family", "pytorch"])
    assert machine.said().startswith("NOT TRIED: driver 550.54.15 takes torch's build cu126")


def test_a_lane_whose_packages_need_more_is_left_out_or_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.card(driver="550.54.15")
    needed.main(["--local"])
    told = machine.capsys.readouterr()
    assert (
        "onnxruntime is left out: its packages are built for CUDA 13, and NVIDIA driver 550.54.15 has 12.0" in told.err
    )
    assert "onnxruntime" not in told.out
    with pytest.raises(
        UserError, match=r"LANES='pytorch-eager,vllm': the lane vllm can't run here: its packages are built for"
    ):
        machine("--lanes", "pytorch-eager,vllm")
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    machine.card()
    with pytest.raises(UserError, match="needs? Python 3.11 or newer, and this is 3.10"):
        machine("--family", "onnxruntime")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lanes", "foo"], "LANES='foo' names 'foo', which is no lane"),
        (["--lanes", "openvino"], "the lane openvino runs on cpu, and DEVICE is cuda"),
        (["--batch-sizes", "x"], "BATCH_SIZES='x' is not valid"),
        (["--quick"], "--quick goes with --local"),
        (["--lanes", "pytorch-eager,tensorrt-engine"], "the lane tensorrt-engine needs tensorrt_llm"),
        (["--family", "tensorrt"], "the lane tensorrt-engine needs tensorrt_llm"),
        (["--lanes", "onnxruntime", "--precision", "fp8"], "PRECISION='fp8': no chosen lane runs it on cuda"),
        (["--headline", "foo"], "HEADLINE='foo' is no lane"),
        (["--model-name", "/no/such/folder"], "/no/such/folder"),
        (
            ["--family", "openvino"],
            "can run here on cuda: openvino runs on cpu; --cpu (DEVICE=cpu) runs them on the processor.",
        ),
        (
            ["--family", "vllm", "--install", "--cpu"],
            "no lane of the family vllm can run here on cpu: vllm runs on cuda",
        ),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_made(options: list[str], said: str, machine: Machine) -> None:
    machine.card()
    with pytest.raises(UserError) as refused:
        machine(*options)
    assert said in str(refused.value)


def test_a_python_that_was_named_for_its_torch_is_taken_as_it_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.card()
    monkeypatch.setenv("TRTBENCH_PYTHON", sys.executable)
    assert machine("--family", "pytorch") == [MAIN, RUN], "it has no torch: environments are made with it"
    monkeypatch.setattr(environments.Interpreter, "has", lambda python, module: module != "tensorrt_llm")
    monkeypatch.setattr(environments.Interpreter, "release", lambda python, distribution: None)
    assert machine("--family", "pytorch") == ["run\t-"]
    # vLLM is in it, ONNX Runtime's package for a card is not.
    assert machine("--lanes", "pytorch-eager,vllm,onnxruntime") == [ONNX.format("needed"), "run\t-"]


def test_a_lane_s_install_is_no_matter_of_lanes_of_other_families(machine: Machine) -> None:
    """LANES of `.env`, for instance; as the benchmark itself takes it."""
    machine.card()
    others = ["--lanes", "pytorch-eager,pytorch-tuned"]
    assert machine("--family", "vllm", "--install", *others) == [VLLM]
    assert machine("--family", "onnxruntime", *others) == [MAIN, ONNX.format("needed"), RUN]
    assert machine(*others) == [MAIN, RUN]


def test_a_link_is_somebody_s_own_whatever_lies_behind_it(machine: Machine) -> None:
    machine.card()
    for name in (".venv-vllm", ".venv-cuda"):
        machine.made(f"elsewhere/{name}", "a stamp of another clone")
        (machine.folder / name).symlink_to(machine.folder / "elsewhere" / name)
    assert machine("--family", "vllm") == [RUN] and machine("--family", "vllm", "--install") == []


def test_an_old_card_gets_no_environment_without_kernels_for_it(machine: Machine) -> None:
    machine.card("NVIDIA GeForce GTX 1080", capability="6.1")
    assert machine("--local") == ["make\t.venv-cuda\tcu126\tneeded\tcuda", RUN]
    with pytest.raises(
        UserError, match="its packages have kernels for compute capability 7.5 and newer, and this card has 6.1"
    ):
        machine("--lanes", "pytorch-eager,vllm")


def test_a_card_that_is_not_used_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.card()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    needed._say_once.cache_clear()
    needed.main(["--local"])
    assert "no card is used: CUDA_VISIBLE_DEVICES='5' shows no GPU of this machine" in machine.said()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    broken = machine.folder / "bin" / "nvidia-smi"
    broken.write_text("#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n")
    needed.main(["--local"])
    assert (
        "no card is used: nvidia-smi fails: Failed to initialize NVML: Driver/library version mismatch"
        in machine.said()
    )
    monkeypatch.setenv("GPU_INDEX", "7")
    machine.card()
    with pytest.raises(UserError, match="GPU_INDEX=7 is no GPU of this machine: it takes a number from 0 to 0"):
        machine("--local")


def test_over_several_cards_only_lanes_that_split_a_model_get_their_environment(machine: Machine) -> None:
    machine.card(count=2)
    assert machine("--local", "--tp-size", "2") == [MAIN, RUN]
    assert ONNX.format("optional") in machine("--local")
    needed.main(["--local", "--tp-size", "2"])
    assert "onnxruntime is left out: onnxruntime runs a model on one card, and TP_SIZE is 2" in machine.said()
    assert machine("--lanes", "pytorch-eager,vllm", "--tp-size", "2") == [MAIN, VLLM, RUN]
    for options in (["--lanes", "onnxruntime"], ["--family", "onnxruntime"]):
        with pytest.raises(UserError, match="TP_SIZE=2: no chosen lane splits a model over cards; pytorch-eager, "):
            machine(*options, "--tp-size", "2")


def test_fewer_cards_than_a_model_is_split_over_are_refused_before_anything_is_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.card()
    with pytest.raises(UserError, match="TP_SIZE=2 needs 2 cards, and this machine has 1; set TP_SIZE to 1"):
        machine("--local", "--tp-size", "2")
    assert machine("--local", "--cpu", "--tp-size", "2") == CPU
    machine.card(count=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(UserError, match=r"1 of the 2 of this machine can be seen \(CUDA_VISIBLE_DEVICES=1\)"):
        machine("--local", "--tp-size", "2")


def test_install_tells_what_it_takes(machine: Machine) -> None:
    machine.card()
    needed.main(["--family", "vllm", "--install"])
    assert "9.0 GB on the disk" in machine.said()


def test_in_an_image_nothing_is_made_for_a_lane(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.card()
    monkeypatch.setenv("TRTBENCH_IMAGE", "1")
    assert machine("--local") == [MAIN, RUN]


def test_the_help_needs_no_environment(tmp_path: Path) -> None:
    """With an interpreter alone: what stands on its path is not there."""
    env = {"PATH": os.environ["PATH"], "TRTBENCH_PYTHON": sys.executable, "PYTHONNOUSERSITE": "1"}
    script = f"cd {tmp_path} && cp -r {ROOT / 'scripts'} . && bash scripts/bench_local.sh --help && ls -a"
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--cpu" in done.stdout and "--install" in done.stdout and ".venv" not in done.stdout.splitlines()[-5:]


def test_every_lane_on_request_has_an_environment_of_its_own() -> None:
    for name, row in lanes.LANES.items():
        assert not row.on_request or row.environments, name


@pytest.mark.parametrize(("name", "capability"), [("NVIDIA A100-SXM4-80GB", "8.0"), ("Tesla T4", "7.5")])
def test_a_lane_that_something_speaks_against_runs_where_it_is_named_alone(
    name: str, capability: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.card(name, capability=capability)
    needed.main(["--local"])
    told = machine.capsys.readouterr()
    assert "tensorrt-rtx is left out: TensorRT for RTX" in told.err and "LANES=tensorrt-rtx tries it" in told.err
    assert machine("--lanes", "pytorch-eager,tensorrt-rtx") == [MAIN, ONNX.format("needed"), RUN]
    monkeypatch.setattr(lanes, "missing", lambda name, device: None)
    assert "tensorrt-rtx" not in chosen_lanes(Settings(), "cuda", None, capability)
    assert "tensorrt-rtx" in chosen_lanes(Settings(), "cuda", None, "8.9")
