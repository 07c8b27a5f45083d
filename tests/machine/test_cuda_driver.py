"""The driver that programs get, asked in a process of its own; and the cards that can do with an older one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cuda_library import cuda_library
from trtbench.engine import contract
from trtbench.machine import cuda_driver, requirements
from trtbench.machine.checks import Check

STANDIN = Path(__file__).resolve().parents[1] / "standin" / "bin"
H100, GEFORCE = "NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090"


def driver(monkeypatch: pytest.MonkeyPatch, card: str, version: str, library: str | None, ask: bool = True) -> Check:
    """The check `driver` beside a card of this name, under the environment of a program that finds this library."""
    monkeypatch.setenv("PATH", f"{STANDIN}:/usr/bin:/bin")
    monkeypatch.setenv("STANDIN_GPU_NAME", card)
    monkeypatch.setenv("STANDIN_DRIVER", version)
    monkeypatch.setenv("LD_LIBRARY_PATH", library or "/nowhere")
    return next(check for check in requirements.gpu_checks(ask_driver=ask) if check.name == "driver")


def test_an_old_driver_with_the_images_library_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check = driver(monkeypatch, H100, "550.90.07", cuda_library(tmp_path))
    assert check.level == "warn"
    assert check.sentence == "CUDA 13.1 runs by forward compatibility: NVIDIA driver 550.90.07, CUDA from the image."
    assert check.figures["cuda"]["library"] == str(tmp_path / "libcuda.so.1")


def test_an_old_driver_without_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = cuda_library(tmp_path, version=12040)
    check = driver(monkeypatch, H100, "550.90.07", library)
    assert check.level == "fail"
    assert "NVIDIA driver 550.90.07 is too old: programs get CUDA 12.4 here, and need 13" in check.sentence
    assert "not started through the image's entrypoint" in check.sentence
    monkeypatch.setenv("_CUDA_COMPAT_STATUS", "CUDA Driver UNAVAILABLE (cuInit(0) returned 804)")
    check = driver(monkeypatch, H100, "550.90.07", library)
    assert "NVIDIA's entrypoint says: CUDA Driver UNAVAILABLE (cuInit(0) returned 804)" in check.sentence
    assert "entrypoint" not in driver(monkeypatch, GEFORCE, "570.133.07", library).sentence


@pytest.mark.parametrize("version", ["580.65.06", "590.44.01"])
def test_a_new_driver_is_ok_when_it_answers(version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check = driver(monkeypatch, GEFORCE, version, cuda_library(tmp_path, version=13000))
    assert (check.level, check.sentence) == (
        "ok",
        f"NVIDIA driver {version} (580 or newer is needed), CUDA 13.0 for programs.",
    )


@pytest.mark.parametrize(
    ("card", "version", "status", "name", "words"),
    [
        (GEFORCE, "570.1", 804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "not for this card: install driver 580"),
        (GEFORCE, "580.1", 804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "off LD_LIBRARY_PATH"),
        (H100, "595.1", 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "older than the driver off LD_LIBRARY_PATH"),
        (H100, "580.1", 802, "CUDA_ERROR_SYSTEM_NOT_READY", "nvidia-fabricmanager"),
        (H100, "580.1", 999, "CUDA_ERROR_UNKNOWN", "nvidia_uvm"),
        (H100, "580.1", 100, "CUDA_ERROR_NO_DEVICE", "CUDA_VISIBLE_DEVICES"),
        (H100, "580.1", 3, "CUDA_ERROR_NOT_INITIALIZED", "NVIDIA_SETUP.md"),
    ],
)
def test_a_driver_that_does_not_start_is_refused_by_its_error(
    card: str, version: str, status: int, name: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check = driver(monkeypatch, card, version, cuda_library(tmp_path, status, 13010, name))
    assert check.level == "fail"
    assert (
        f"CUDA does not start on {card} with NVIDIA driver {version}: {name} ({status}), from {tmp_path}"
        in check.sentence
    )
    assert words in check.todo


def test_a_driver_that_hangs_or_crashes_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cuda_driver, "SECONDS", 1)
    check = driver(monkeypatch, H100, "580.1", cuda_library(tmp_path / "hangs", before="sleep(60);"))
    assert check.level == "fail" and "gives no answer: it gave no answer within 1 seconds" in check.sentence
    monkeypatch.setattr(cuda_driver, "SECONDS", 30)
    check = driver(monkeypatch, H100, "580.1", cuda_library(tmp_path / "crashes", before="abort();"))
    assert check.level == "fail" and "asking it ended with status -6" in check.sentence


@pytest.mark.parametrize(
    ("card", "version", "level", "words"),
    [
        (H100, "550.90.07", "warn", "on data-centre cards such as NVIDIA H100 80GB HBM3 the image's CUDA 13 runs"),
        (H100, "525.85.12", "fail", "needs 580 or newer, or 535 by forward compatibility"),
        (GEFORCE, "570.133.07", "fail", "is too old; the image's CUDA 13 needs 580 or newer."),
        ("NVIDIA RTX A6000", "570.133.07", "warn", "whether NVIDIA RTX A6000 here is one isn't known"),
        ("NVIDIA TITAN V", "570.133.07", "fail", "too old"),
        (H100, "580.65.06", "ok", "580 or newer is needed"),
    ],
)
def test_on_a_host_the_name_of_the_card_decides(
    card: str, version: str, level: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the host's own library says: containers get another."""
    library = cuda_library(tmp_path, status=804, name="CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE")
    check = driver(monkeypatch, card, version, library, ask=False)
    assert check.level == level and words in check.sentence
    # Where programs run but find no library, the number decides too, and that is said.
    absent = driver(monkeypatch, card, version, None)
    assert absent.level == ("warn" if level == "ok" else level)
    assert absent.sentence == f"{check.sentence} Programs find no libcuda.so.1 here, so the driver can't be asked."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[
            (name, True)
            for name in (
                "NVIDIA A100-SXM4-80GB", "NVIDIA A100-PCIE-40GB", "NVIDIA A100 80GB PCIe", "NVIDIA A10", "NVIDIA A10G",
                "NVIDIA A30", "NVIDIA A40", "NVIDIA A2", "NVIDIA A800-SXM4-80GB", "NVIDIA L4", "NVIDIA L40", "NVIDIA L40S",
                "NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA H200", "NVIDIA H20", "NVIDIA GH200 480GB", "NVIDIA B200",
                "NVIDIA GB200", "NVIDIA B300 SXM6 AC", "Tesla T4", "Tesla V100-SXM2-16GB",
                "NVIDIA RTX PRO 6000 Blackwell Server Edition", "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
            )
        ],
        *[
            (name, None)
            for name in (
                "NVIDIA RTX A6000", "NVIDIA RTX A4000", "NVIDIA RTX 6000 Ada Generation", "Quadro RTX 8000",
                "NVIDIA RTX 4000 SFF Ada Generation", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
            )
        ],
        *[
            (name, False)
            for name in (
                "NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 3050 Laptop GPU", "NVIDIA TITAN RTX", "Simulated GPU",
                "NVIDIA T400 4GB", "NVIDIA GeForce GTX 1650",
            )
        ],
    ],
)  # fmt: skip
def test_the_class_of_a_card_is_read_from_its_name(name: str, expected: bool | None) -> None:
    assert cuda_driver.data_centre(name) is expected


def test_the_limits_are_the_contracts() -> None:
    limits = contract.load()["limits"]
    assert limits["min_driver"] == str(cuda_driver.MIN_DRIVER)
    assert limits["min_driver_with_forward_compatibility"] == str(cuda_driver.MIN_DRIVER_WITH_COMPATIBILITY)
    for name, least in (
        ("min_gpu_memory_gb", requirements.MIN_GPU_MEMORY_MIB),
        ("enough_gpu_memory_gb", requirements.ROOMY_GPU_MEMORY_MIB),
    ):
        assert 0.9 <= least / 1024 / limits[name] <= 1


@pytest.mark.parametrize(
    ("total", "level", "words"),
    [("3072", "fail", "at least 4 GB"), ("4096", "warn", "small models only"), ("6144", "warn", "small models only"),
     ("8188", "ok", "8 GB are enough")],
)  # fmt: skip
def test_gpu_memory(total: str, level: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{STANDIN}:/usr/bin:/bin")
    monkeypatch.setenv("STANDIN_GPU_MEMORY_MB", total)
    check = next(check for check in requirements.gpu_checks(ask_driver=False) if check.name == "gpu-memory")
    assert check.level == level and words in check.sentence
