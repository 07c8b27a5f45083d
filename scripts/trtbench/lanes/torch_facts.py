"""What the PyTorch lanes share: loading a Hugging Face folder on 4.57 and 5.x, and what torch says of itself."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from trtbench.lanes.lane import Plan
from trtbench.records.trial import Memory, Statement


def state(model: Any, plan: Plan, **more: Any) -> Statement:
    """The statement of a PyTorch lane; precision and attention are read off the loaded model."""
    weights = {str(p.dtype).removeprefix("torch.") for p in model.parameters()}
    precision = weights.pop() if len(weights) == 1 else "mixed"
    device = next(model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    fields: dict[str, Any] = dict(
        runtime="PyTorch",
        runtime_version=str(torch.__version__),
        device=str(device),
        device_name=name,
        compute_precision=precision,
        weight_precision=precision,
        kv_precision=precision,
        threads=torch.get_num_threads(),
        cuda_graphs=False,
        prefix_reuse=False,
        attention=getattr(model.config, "_attn_implementation", None),
        versions={"torch": str(torch.__version__), "transformers": transformers.__version__},
    )
    return Statement(**{**fields, **more})


def memory(model: Any) -> Memory:
    """Bytes of the weights as loaded, and the peaks of torch's CUDA allocator where there is one."""
    seen = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in model.parameters()}
    found = Memory(weights=sum(seen.values()))
    if torch.cuda.is_available() and next(model.parameters()).device.type == "cuda":
        found.torch_allocated = torch.cuda.max_memory_allocated()
        found.torch_reserved = torch.cuda.max_memory_reserved()
    return found
