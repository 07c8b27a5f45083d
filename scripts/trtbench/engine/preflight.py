"""What must be there before an engine is built: a GPU that this release supports, its driver and memory, disk, shared memory."""

from __future__ import annotations

from pathlib import Path

from trtbench.engine import contract
from trtbench.engine.plan import precision_row
from trtbench.errors import UserError
from trtbench.machine import requirements
from trtbench.machine.checks import Check
from trtbench.machine.requirements import Gpu, disk_check, gpu_checks, query_gpus, shared_memory_check
from trtbench.records.trial import Model


def gpu_in_use() -> Gpu | None:
    """The GPU that CUDA calls number 0."""
    return requirements.gpu_in_use(query_gpus()[0])


def capability(gpu: Gpu | None) -> str | None:
    """Compute capability as "8.6"; None where it isn't known."""
    return f"{gpu.capability[0]}.{gpu.capability[1]}" if gpu and gpu.capability else None


def check_machine(precisions: list[str], tp_size: int = 1) -> list[Check]:
    """Refuse a GPU, a driver, GPU memory or shared memory that can't do; return the checks, warnings among them. An engine for
    more cards than there are is built all the same: trtllm-build makes one part after the other."""
    checks = [*gpu_checks(), shared_memory_check()]
    seen = len(query_gpus()[0])
    if 0 < seen < tp_size:
        checks.append(
            Check(
                "cards",
                "warn",
                f"TP_SIZE={tp_size}: the engine is for {tp_size} cards, and nvidia-smi lists {seen}.",
                f"It can be built here, and runs only where there are {tp_size}.",
            )
        )
    _refuse(checks)
    gpu_capability = capability(gpu_in_use())
    for precision in precisions:
        minimum = precision_row(precision).get("min_compute_capability")
        if gpu_capability and minimum and _numbers(gpu_capability) < _numbers(minimum):
            raise UserError(
                f"PRECISION={precision} needs compute capability {minimum} or newer, and this GPU has {gpu_capability}; "
                "take float16, int8 or int4_awq."
            )
    return checks


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def check_disk(data: Path, weights: int, precisions: list[str]) -> None:
    """Refuse a disk without room for a checkpoint and an engine of each precision, with a gigabyte to spare."""
    relative_size = {"int8": 0.6, "fp8": 0.6, "int4": 0.4, "int4_awq": 0.4}
    needed_gb = sum(2.2 * relative_size.get(precision, 1.0) for precision in precisions) * weights / 1e9 + 1
    _refuse([disk_check(data, round(needed_gb, 1))])


def check_gpu_memory(model: Model, precision: str, tp_size: int = 1) -> None:
    """Refuse a model whose weights alone, in this precision, are more than so many GPUs like the first one hold."""
    gpu = gpu_in_use()
    # At least so many bytes a weight: what is quantised leaves the embeddings as they are.
    least = {"float32": 4.0, "int8": 1.0, "fp8": 1.0, "int4": 0.5, "int4_awq": 0.5}.get(precision, 2.0)
    weights = least * model.parameters
    if gpu and gpu.total_mib is not None and weights > tp_size * gpu.total_mib * 2**20:
        holder = f"{gpu.name} has" if tp_size == 1 else f"{tp_size} x {gpu.name} (TP_SIZE={tp_size}) have"
        raise UserError(
            f"MODEL_NAME={model.name} has {weights / 1e9:.1f} GB of weights in {precision}, and {holder} "
            f"{tp_size * gpu.total_mib * 2**20 / 1e9:.1f} GB of memory; take a smaller model, PRECISION=int8 or int4, or a "
            f"larger {'card' if tp_size == 1 else 'TP_SIZE'}."
        )


def too_large_for_gpu(weights: int) -> bool:
    """Whether a model of so many bytes, with a converted copy beside it, would fill the GPU."""
    gpu = gpu_in_use()
    free = gpu.free_mib if gpu else None
    return free is not None and 2 * weights > 0.8 * free * 2**20


def _refuse(checks: list[Check]) -> None:
    failed = [check for check in checks if check.level == "fail"]
    if failed:
        complaints = " ".join(
            f"{check.sentence.rstrip('.')}" + (f" -> {check.todo}." if check.todo else ".") for check in failed
        )
        raise UserError(f"this machine can't build an engine of TensorRT-LLM {_release()}: {complaints}")


def _release() -> str:
    return str(contract.load()["release"]["tensorrt_llm"])
