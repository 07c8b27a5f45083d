"""What the PyTorch lanes state alike: what torch says of itself, of a loaded model and of its memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
import transformers

from trtbench.model.torch_loading import own_share
from trtbench.records.trial import Memory, Statement


def state(model: Any, **more: Any) -> Statement:
    """The statement of a lane that runs a model of transformers; precision and attention are read off the loaded model."""
    weights = {str(p.dtype).removeprefix("torch.") for p in model.parameters()}
    fields: dict[str, Any] = dict(
        attention=getattr(model.config, "_attn_implementation", None),
        versions={"torch": str(torch.__version__), "transformers": transformers.__version__},
    )
    return statement_of(
        weights.pop() if len(weights) == 1 else "mixed", next(model.parameters()).device, **{**fields, **more}
    )


def statement_of(precision: str, device: torch.device, **more: Any) -> Statement:
    """The statement of any lane that computes and stores in one precision in this process, on this device."""
    fields: dict[str, Any] = dict(
        runtime="PyTorch",
        runtime_version=str(torch.__version__),
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        compute_precision=precision,
        weight_precision=precision,
        kv_precision=precision,
        threads=torch.get_num_threads(),
        cuda_graphs=False,
        prefix_reuse=False,
        versions={"torch": str(torch.__version__)},
    )
    statement = Statement(**{**fields, **more})
    if device.type == "cpu":
        statement.notes = [*statement.notes, waiting()]
    else:
        statement.notes = [*statement.notes, *allocating()]
    return statement


def allocating() -> list[str]:
    """What torch's GPU allocator is told by the environment, under its old name and its new one: NVIDIA's image sets it."""
    names = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
    return [f"{name}={os.environ[name][:200]}" for name in names if os.environ.get(name)]


def waiting() -> str:
    """How threads wait for one another. Spinning is fastest alone and slowest beside a neighbour, so it is stated."""
    policy = os.environ.get("OMP_WAIT_POLICY")
    return f"threads wait by OMP_WAIT_POLICY={policy}" if policy else "OMP_WAIT_POLICY is not set: waiting threads spin"


def memory(weights: Iterable[torch.Tensor], kv_pool: int | None = None) -> Memory:
    """Bytes of the weights as loaded, tensors that share their storage once, and the peaks of torch's CUDA allocator
    where there is one."""
    tensors = [own_share(weight) for weight in weights]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    by_part = Memory(weights=sum(storages.values()), kv_pool=kv_pool)
    if tensors[0].device.type == "cuda":
        by_part.torch_allocated = torch.cuda.max_memory_allocated()
        by_part.torch_reserved = torch.cuda.max_memory_reserved()
    return by_part
