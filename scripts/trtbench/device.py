"""Which device the lanes run on, found without importing an engine."""

from __future__ import annotations

import dataclasses

from trtbench.errors import UserError


@dataclasses.dataclass(frozen=True)
class Device:
    """`kind` is cpu or cuda; the rest is known for GPUs only."""

    kind: str
    names: list[str] | None = None
    driver: str | None = None
    cuda: str | None = None


def resolve(wanted: str) -> Device:
    """Turn DEVICE into a device; auto is cuda where NVML finds a GPU. cuda without one is a UserError."""
    if wanted == "cpu":
        return Device("cpu")
    found, reason = _gpus()
    if found is not None:
        return found
    if wanted == "cuda":
        raise UserError(f"DEVICE=cuda, but {reason}; set DEVICE=cpu or see NVIDIA_SETUP.md.")
    return Device("cpu")


def _gpus() -> tuple[Device | None, str]:
    try:
        import pynvml
    except ImportError:
        return None, "nvidia-ml-py is not installed, so no GPU can be looked for"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return None, f"no NVIDIA driver answers ({error})"
    try:
        count = pynvml.nvmlDeviceGetCount()
        if count == 0:
            return None, "the NVIDIA driver sees no GPU"
        names = [_text(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(i))) for i in range(count)]
        version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        return Device(
            "cuda", names[:1], _text(pynvml.nvmlSystemGetDriverVersion()), f"{version // 1000}.{version % 1000 // 10}"
        ), ""
    except pynvml.NVMLError as error:
        return None, f"the NVIDIA driver does not answer ({error})"
    finally:
        pynvml.nvmlShutdown()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
