"""Models that run: from a Hugging Face folder, or put together again from a checkpoint's tensors."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from tensorrt_llm._standin import names, quant
from tensorrt_llm._standin.contract import contract


def load_hugging_face(folder: Path) -> tuple[Any, int]:
    """Load a folder as the PyTorch runtime does, which computes in what config.json states, in bfloat16 where it states
    nothing; weights of another type are converted. Returns the model and its weights' bytes."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    architecture = config.architectures[0]
    if not contract()["architectures"].get(architecture, {}).get("pytorch_runtime"):
        raise ValueError(f"Unknown architecture for AutoModelForCausalLM: {architecture}")
    stated = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    dtype = getattr(torch, stated.get("dtype") or stated.get("torch_dtype") or "bfloat16")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    return model, sum(parameter.nbytes for parameter in model.parameters())


def from_tensors(config: dict[str, Any], tensors: names.Tensors) -> Any:
    """Build the transformers model that a checkpoint's config and tensors describe, in the config's dtype."""
    import transformers
    from safetensors.torch import save_file

    family = names.FAMILIES[config["architecture"]]
    quantisation = config["quantization"]
    algorithm = quantisation["quant_algo"]
    dtype = getattr(torch, config["dtype"])
    plain = quant.dequantise(tensors, algorithm, quantisation.get("group_size") or 128, dtype)
    state = names.from_checkpoint(family, config, plain)
    hf_config = _hf_config(family, config, state)
    with tempfile.TemporaryDirectory() as folder:
        hf_config.save_pretrained(folder)
        save_file(state, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    if algorithm == "FP8":
        _quantise_activations(model, family, config["num_hidden_layers"], tensors)
    return model


def _hf_config(family: str, config: dict[str, Any], state: names.Tensors) -> Any:
    import transformers

    common = {
        "vocab_size": config["vocab_size"],
        "num_hidden_layers": config["num_hidden_layers"],
        "num_attention_heads": config["num_attention_heads"],
        "hidden_size": config["hidden_size"],
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "architectures": [{"llama": "LlamaForCausalLM", "opt": "OPTForCausalLM", "gpt2": "GPT2LMHeadModel"}[family]],
    }
    if family == "gpt2":
        return transformers.GPT2Config(
            n_positions=config["max_position_embeddings"],
            n_inner=config["intermediate_size"],
            activation_function=config["hidden_act"],
            layer_norm_epsilon=config["norm_epsilon"],
            **common,
        )
    if family == "opt":
        return transformers.OPTConfig(
            ffn_dim=state["model.decoder.layers.0.fc1.weight"].shape[0],
            word_embed_proj_dim=config["hidden_size"],
            max_position_embeddings=config["max_position_embeddings"],
            activation_function=config["hidden_act"],
            do_layer_norm_before=config["do_layer_norm_before"],
            **common,
        )
    scaling = dict(config.get("rotary_scaling") or {})
    if int(transformers.__version__.split(".")[0]) >= 5:
        rope: dict[str, Any] = {
            "rope_parameters": {"rope_type": "default", **scaling, "rope_theta": config["rotary_base"]}
        }
    else:
        rope = {"rope_theta": config["rotary_base"], "rope_scaling": scaling or None}
    return transformers.LlamaConfig(
        intermediate_size=config["intermediate_size"],
        num_key_value_heads=config["num_key_value_heads"],
        head_dim=config["head_size"],
        max_position_embeddings=config["max_position_embeddings"],
        hidden_act=config["hidden_act"],
        rms_norm_eps=config["norm_epsilon"],
        attention_bias=config["attn_bias"],
        **rope,
        **common,
    )


def _quantise_activations(model: Any, family: str, layers: int, tensors: names.Tensors) -> None:
    """Round the inputs of every FP8 layer to E4M3 with the scale that calibration found."""
    for prefix, modules in names.linear_prefixes(family, layers):
        scale = float(tensors[f"{prefix}.activation_scaling_factor"])

        def rounded(module: Any, inputs: tuple[torch.Tensor, ...], scale: float = scale) -> tuple[torch.Tensor, ...]:
            return ((quant.to_fp8(inputs[0], scale).float() * scale).to(inputs[0].dtype), *inputs[1:])

        for module in modules:
            model.get_submodule(module).register_forward_pre_hook(rounded)


def read_weights(folder: Path) -> names.Tensors:
    """Read all safetensors of a Hugging Face folder."""
    from safetensors.torch import load_file

    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        shards = ["model.safetensors"]
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing:
        raise OSError(f"Error no file named {missing[0]} found in directory {folder}.")
    return {name: value for shard in shards for name, value in load_file(folder / shard).items()}
