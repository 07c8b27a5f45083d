"""Write a GGUF file of a Llama architecture as a normal folder.

    python -m trtbench.model.gguf_conversion FILE FOLDER QUANTISATION

A process of its own, so that nothing of another format is read where lanes run. transformers dequantises the weights and reads
the tokenizer out of the file; they are written in float32, in which the stored scales and offsets give exact products.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DEQUANTISED = (
    "dequantised_from"  # where config.json says what the weights were stored in before, wherever the folder goes
)
ARCHITECTURES = {"llama": "LlamaForCausalLM"}
KEPT = (
    *("model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "attention_bias", "mlp_bias"),
    *("tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id", "use_cache"),
)


def config_of(described: dict[str, Any]) -> dict[str, Any]:
    """The config.json: what transformers read from the file's head, in words that 4.57 and 5.x both know."""
    rope = described.get("rope_parameters") or {}
    theta = rope.get("rope_theta", described.get("rope_theta"))
    if rope.get("rope_type", "default") != "default" or theta is None:
        raise SystemExit(f"its rotary embedding ({rope}) is not known here")
    kind = described["model_type"]
    if kind not in ARCHITECTURES:
        raise SystemExit(f"a GGUF file of model_type {kind} is not known here")
    # The file stores this number in float32: its neighbours have eight digits more than anyone wrote.
    epsilon = float(f"{described['rms_norm_eps']:.6g}")
    return {
        "architectures": [ARCHITECTURES[kind]],
        **{name: described[name] for name in KEPT if described.get(name) is not None},
        "rope_theta": theta,
        "rope_scaling": None,
        "rms_norm_eps": epsilon,
        "torch_dtype": "float32",
    }


def main(file: Path, folder: Path, quantisation: str) -> None:
    """Convert `file`, whose matrices are stored in `quantisation`, into the empty `folder`."""
    import torch
    import transformers
    from safetensors.torch import save_file

    transformers.utils.logging.disable_progress_bar()
    source = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name, "local_files_only": True}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
    model = transformers.AutoModelForCausalLM.from_pretrained(**source)
    config = config_of(model.config.to_dict())
    tied = bool(config.get("tie_word_embeddings"))
    weights = {
        name: tensor.detach().to(torch.float32).contiguous().clone()
        for name, tensor in model.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }
    file_of_weights = folder / "model.safetensors"
    save_file(weights, file_of_weights, metadata={"format": "pt"})
    _write(folder / "config.json", {**config, DEQUANTISED: quantisation})
    file_of_weights.chmod((folder / "config.json").stat().st_mode)  # safetensors makes it private
    ends = {
        name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id") if config.get(name) is not None
    }
    _write(folder / "generation_config.json", ends)
    # Written by the tokenizers library itself, because files saved by transformers 5 do not load in 4.57.
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    words = {
        name: str(value)
        for name in ("bos_token", "eos_token", "unk_token", "pad_token")
        if (value := getattr(tokenizer, name)) is not None
    }
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **words,
            "model_max_length": config["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
            **({"chat_template": tokenizer.chat_template} if tokenizer.chat_template else {}),
        },
    )


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
