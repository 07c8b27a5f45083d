"""A model folder as ONNX Runtime GenAI takes it, written by the package's own builder; a card is not needed for any provider."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trtbench.errors import Unsupported
from trtbench.lanes import prepared
from trtbench.lanes.lane import Plan

# The builder's words for precisions.
PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "int8": "int8", "int4": "int4"}
CONFIG = "genai_config.json"


def folder_of(plan: Plan, distribution: str, provider: str) -> Path:
    """Where the model that was converted for a provider lies: named by all that went into it. `distribution` has the builder."""
    key = prepared.key(
        *(plan.model_digest, plan.precision, "harmless end id", *([provider] if provider != "cpu" else [])),
        libraries=(distribution, "onnx", "transformers", "torch"),
    )
    return plan.cache / "onnxruntime" / f"{'' if provider == 'cpu' else provider + '-'}{plan.precision}-{key}"


def convert(folder: Path, plan: Plan, provider: str) -> None:
    """Have the builder write the model into `folder`, for a provider by the builder's name. Raises Unsupported in its words."""
    failure = prepared.convert(
        *(sys.executable, "-m", "onnxruntime_genai.models.builder"),
        *("-i", str(plan.model), "-o", str(folder)),
        *("-p", PRECISIONS[plan.precision], "-e", provider),
        *("-c", str(plan.cache / "onnx-builder")),
        # Older builders run a model's own code unless they are told not to.
        *("--extra_options", "hf_remote=false"),
    )
    config = folder / CONFIG
    if failure or not config.is_file():
        raise Unsupported(f"the model builder of onnxruntime-genai failed: {failure or f'it wrote no {CONFIG}'}")
    written = json.loads(config.read_text())
    written["model"]["eos_token_id"] = [harmless_end(written["model"])]
    config.write_text(json.dumps(written, indent=1))


def harmless_end(model: dict[str, Any]) -> int:
    """An id to end at in place of the model's own. The engine insists on one of the vocabulary (given none it takes the
    padding id), and its min_length would mask a logit: so one that models hardly pick: padding or the last of the vocabulary."""
    own = model.get("eos_token_id")
    ends = own if isinstance(own, list) else [own]
    pad, rows = model.get("pad_token_id"), model["vocab_size"]
    return pad if isinstance(pad, int) and pad < rows and pad not in (*ends, model.get("bos_token_id")) else rows - 1


def end_of(folder: Path) -> int:
    """The id that the engine ends at."""
    return int(json.loads((folder / CONFIG).read_text())["model"]["eos_token_id"][0])


def weights(folder: Path) -> int:
    """Bytes of the graph and its weights on disk."""
    return sum(file.stat().st_size for file in folder.glob("*.onnx*"))
