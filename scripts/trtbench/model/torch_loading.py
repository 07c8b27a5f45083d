"""A Hugging Face folder as a PyTorch model, under transformers 4.57 and 5.x; the lanes and the judge load it here."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
import transformers

from trtbench.errors import Unsupported

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def load_model(folder: Path, precision: str, device: str, threads: int) -> Any:
    """Load the causal LM in `folder` in this precision onto the device, eval mode, no gradients, safetensors only. How it
    computes attention is left to transformers: not every architecture has SDPA.

    Raises Unsupported for a precision that PyTorch does not run here and for a model that transformers cannot load."""
    if precision not in DTYPES:
        raise Unsupported(f"PyTorch runs float32, float16 and bfloat16 here, not {precision}")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    # The name of the argument changed from torch_dtype to dtype in transformers 4.56; 5.x warns about the old one.
    parameters = inspect.signature(transformers.PreTrainedModel.from_pretrained).parameters
    name = "dtype" if "dtype" in parameters or int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **{name: DTYPES[precision]},
        )
    except (ValueError, KeyError, ImportError) as error:
        raise Unsupported(
            f"transformers {transformers.__version__} cannot load this model: {_first_line(error)}"
        ) from error
    # The checkpoint's own defaults (end id, penalties, top-k) would fill whatever a call leaves open: no end id there,
    # and the sequence would stop early.
    model.generation_config = transformers.GenerationConfig()
    return model.to(device).eval()


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
