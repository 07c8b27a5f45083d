"""What the PyTorch lanes share: loading a Hugging Face folder on 4.57 and 5.x, and what torch says of itself."""

from __future__ import annotations

import inspect
from typing import Any

import torch
import transformers

from trtbench.lanes.base import Plan, Unsupported
from trtbench.records import Memory, Statement

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def load_model(plan: Plan, attention: str = "sdpa") -> Any:
    """Load the causal LM in the plan's precision onto its device, eval mode, no gradients, safetensors only."""
    if plan.precision not in DTYPES:
        raise Unsupported(f"PyTorch runs float32, float16 and bfloat16 here, not {plan.precision}")
    torch.set_num_threads(plan.threads)
    torch.set_grad_enabled(False)
    # The name of the argument changed from torch_dtype to dtype in transformers 4.56; 5.x warns about the old one.
    parameters = inspect.signature(transformers.PreTrainedModel.from_pretrained).parameters
    name = "dtype" if "dtype" in parameters or int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            plan.model,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            attn_implementation=attention,
            **{name: DTYPES[plan.precision]},
        )
    except (ValueError, KeyError) as error:
        raise Unsupported(
            f"transformers {transformers.__version__} cannot load this model: {_first_line(error)}"
        ) from error
    # The checkpoint's own defaults (end id, penalties, top-k) would fill whatever a call leaves open: no end id there,
    # and the sequence would stop early.
    model.generation_config = transformers.GenerationConfig()
    return model.to(plan.device).eval()


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


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
