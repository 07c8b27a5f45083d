"""A Hugging Face folder as a PyTorch model, under transformers 4.57 and 5.x; the lanes and the judge load it here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from trtbench.errors import Unsupported, first_line
from trtbench.model.kv_cache import undivided

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def load_model(folder: Path, precision: str, device: str, threads: int, as_made: bool = False, tp_size: int = 1) -> Any:
    """Load the causal LM in `folder` in this precision onto the device, eval mode, no gradients, safetensors only. How it
    computes attention is left to transformers: not every architecture has SDPA. `as_made`: unless its default leaves out a cap
    on attention's scores that the model was made with, as transformers 4.57 does for Gemma 2 under SDPA. With a `tp_size` this
    process is one of so many ranks, and gets its share by the plan that transformers has for the architecture.

    Raises Unsupported for a precision that PyTorch does not run here, for a model that transformers cannot load, and for
    weights that are missing or are no numbers."""
    if precision not in DTYPES:
        raise Unsupported(f"PyTorch runs float32, float16 and bfloat16 here, not {precision}")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    attention: dict[str, str] = {}
    split = _split(folder, device, tp_size) if tp_size > 1 else {}
    try:
        if as_made and _caps_scores(folder):
            attention = {"attn_implementation": "eager"}
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `_check_whole` names them; transformers only says that there are some
            **attention,
            **split,
            **as_argument(DTYPES[precision]),
        )
    except (ValueError, KeyError, ImportError) as error:
        raise Unsupported(
            f"transformers {transformers.__version__} cannot load this model: {first_line(error)}"
        ) from error
    _check_whole(model, info)
    # The checkpoint's own defaults (end id, penalties, top-k) would fill whatever a call leaves open: no end id there,
    # and the sequence would stop early.
    model.generation_config = transformers.GenerationConfig()
    return model.eval() if split else model.to(device).eval()


def _split(folder: Path, device: str, tp_size: int) -> dict[str, Any]:
    """What has transformers give each rank its share. Raises Unsupported where it has no plan for the architecture, or heads don't
    divide: it would then share a head between ranks."""
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    text = config.get_text_config()
    if not getattr(text, "base_model_tp_plan", None):
        raise Unsupported(f"transformers {transformers.__version__} has no tensor-parallel plan for {text.model_type}")
    sizes = {"attention heads": "num_attention_heads", "key-value heads": "num_key_value_heads"}
    if reason := undivided({what: getattr(text, name, None) or tp_size for what, name in sizes.items()}, tp_size):
        raise Unsupported(reason)
    return {"tp_plan": "auto", "device_mesh": torch.distributed.init_device_mesh(device, (tp_size,))}


def own_share(weight: torch.Tensor) -> torch.Tensor:
    """What this process holds of a weight that may be split over ranks."""
    return weight.to_local() if hasattr(weight, "to_local") else weight


def _caps_scores(folder: Path) -> bool:
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return bool(getattr(config.get_text_config(), "attn_logit_softcapping", None))


def as_argument(dtype: torch.dtype) -> dict[str, torch.dtype]:
    """The precision as from_pretrained takes it: the argument's name changed from torch_dtype to dtype in transformers 4.56, and
    5.x warns about the old one."""
    parameters = inspect.signature(transformers.PreTrainedModel.from_pretrained).parameters
    new = "dtype" in parameters or int(transformers.__version__.split(".")[0]) >= 5
    return {"dtype" if new else "torch_dtype": dtype}


def _check_whole(model: Any, info: Mapping[str, Any]) -> None:
    """Refuse a model of which a part does not come from its files: transformers fills in random weights with no more than a
    warning, other ones in each process, and a judge that loads it so would take them for the reference."""
    troubles = {
        "missing_keys": ("is not in its files", "are not in its files"),
        "mismatched_keys": ("has another size in its files", "have another size in its files"),
    }
    for key, (of_one, of_many) in troubles.items():
        names = sorted(name if isinstance(name, str) else name[0] for name in info[key])
        if names:
            others, trouble = (f" and {len(names) - 1} more", of_many) if len(names) > 1 else ("", of_one)
            raise Unsupported(
                f"{names[0]}{others} of this model {trouble}, and random weights would stand in for them; save or fetch the "
                "whole model again, with the names that transformers gives its weights"
            )
    for name, weight in model.named_parameters():
        if weight.dtype in DTYPES.values() and weight.numel():
            lowest, highest = torch.aminmax(own_share(weight.detach()))  # a NaN is both; no copy of the weight is made
            if not bool(torch.isfinite(lowest) & torch.isfinite(highest)):
                kind = str(weight.dtype).removeprefix("torch.")
                raise Unsupported(f"{name} of this model holds values that are infinite or no numbers in {kind}")
