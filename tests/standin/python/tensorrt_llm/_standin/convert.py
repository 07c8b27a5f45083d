"""The three converters: a Hugging Face folder in, config.json and a file of weights for each rank out."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import tensorrt_llm
from tensorrt_llm._standin import failures, hardware, ranks
from tensorrt_llm._standin.cli import argparse_parser
from tensorrt_llm._standin.log import elapsed, python_log

ALGORITHMS = {"int8": "W8A16", "int4": "W4A16"}


def read_config(folder: str, name: str = "config.json") -> dict[str, Any]:
    """Read a Hugging Face config.json as it stands, without today's transformers translating it."""
    config: dict[str, Any] = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
    return config


def trust(folder: str) -> None:
    """What a folder's `auto_map` names is loaded, whether or not transformers knows the model itself: the real converters and
    quantize.py pass trust_remote_code=True."""
    names = ("config.json", "tokenizer_config.json")
    maps = [read_config(folder, name).get("auto_map") or {} for name in names if (Path(folder) / name).is_file()]
    references = [reference for entry in maps for reference in entry.values()]
    for reference in (name for entry in references for name in ([entry] if isinstance(entry, str) else entry) if name):
        from transformers.dynamic_module_utils import get_class_from_dynamic_module

        get_class_from_dynamic_module(reference, folder)


def infer_dtype(asked: str, config: dict[str, Any]) -> str:
    """Resolve "auto": the config's dtype, but float16 for float32 or none."""
    if asked != "auto":
        return asked
    found = config.get("dtype") or config.get("torch_dtype") or "float16"
    inferred = "float16" if found == "float32" else str(found)
    python_log("I", f"Specified dtype 'auto'; inferred dtype {inferred!r}.")
    return inferred


def common_config(architecture: str, dtype: str, algorithm: str | None) -> dict[str, Any]:
    """Keys that all checkpoints have."""
    return {
        "simulated": hardware.SIMULATED,
        "architecture": architecture,
        "dtype": dtype,
        "logits_dtype": "float32",
        "mapping": {"world_size": 1, "tp_size": 1, "pp_size": 1, "cp_size": 1, "gpus_per_node": 8},
        "quantization": {
            "quant_algo": algorithm,
            "kv_cache_quant_algo": None,
            "group_size": 128,
            "has_zero_point": False,
            "pre_quant_scale": False,
            "exclude_modules": None,
        },
    }


def llama_config(config: dict[str, Any], dtype: str, algorithm: str | None) -> dict[str, Any]:
    """TensorRT-LLM's config of a Llama, read from the names that transformers 4 gives the fields."""
    heads = config["num_attention_heads"]
    return common_config(config["architectures"][0], dtype, algorithm) | {
        "vocab_size": config["vocab_size"],
        "hidden_size": config["hidden_size"],
        "num_hidden_layers": config["num_hidden_layers"],
        "num_attention_heads": heads,
        "num_key_value_heads": config.get("num_key_value_heads") or heads,
        "head_size": config.get("head_dim") or config["hidden_size"] // heads,
        "hidden_act": config.get("hidden_act", "silu"),
        "intermediate_size": config["intermediate_size"],
        "norm_epsilon": config.get("rms_norm_eps", 1e-6),
        "position_embedding_type": "rope_gpt_neox",
        "max_position_embeddings": config.get("max_position_embeddings", 2048),
        "rotary_base": config.get("rope_theta", 10000.0),
        "rotary_scaling": config.get("rope_scaling"),
        "attn_bias": bool(config.get("bias") or config.get("attention_bias")),
        "mlp_bias": False,
        "tie_word_embeddings": bool(config.get("tie_word_embeddings", False)),
    }


def gpt_config(config: dict[str, Any], dtype: str, algorithm: str | None) -> dict[str, Any]:
    """TensorRT-LLM's config of a GPT-2."""
    return common_config(config["architectures"][0], dtype, algorithm) | {
        "vocab_size": config["vocab_size"],
        "hidden_size": config["n_embd"],
        "num_hidden_layers": config["n_layer"],
        "num_attention_heads": config["n_head"],
        "num_key_value_heads": config["n_head"],
        "hidden_act": config.get("activation_function", "gelu_new"),
        "intermediate_size": config.get("n_inner") or 4 * config["n_embd"],
        "norm_epsilon": config.get("layer_norm_epsilon", 1e-5),
        "position_embedding_type": "learned_absolute",
        "max_position_embeddings": config["n_positions"],
        "gpt_variant": "gpt2",
        "bias": True,
    }


def opt_config(config: dict[str, Any], dtype: str, algorithm: str | None) -> dict[str, Any]:
    """TensorRT-LLM's config of an OPT; the script writes no feed-forward size and no epsilon."""
    common = common_config(config["architectures"][0], dtype, algorithm)
    common["quantization"] = {"quant_algo": algorithm}
    common["mapping"] = {"world_size": 1, "tp_size": 1, "pp_size": 1}
    return common | {
        "vocab_size": config["vocab_size"],
        "hidden_size": config["hidden_size"],
        "num_hidden_layers": config["num_hidden_layers"],
        "num_attention_heads": config["num_attention_heads"],
        "position_embedding_type": "learned_absolute",
        "hidden_act": config.get("activation_function", "relu"),
        "max_position_embeddings": config["max_position_embeddings"],
        "do_layer_norm_before": config.get("do_layer_norm_before", True),
    }


def checkpoint_weights(folder: str, config: dict[str, Any], bits: int | None) -> dict[str, Any]:
    """Read, rename and cast the weights; with `bits`, quantise every linear layer but the head."""
    import torch

    from tensorrt_llm._standin import models, names, quant

    family, layers = names.FAMILIES[config["architecture"]], config["num_hidden_layers"]
    dtype = getattr(torch, config["dtype"])
    tensors = names.to_checkpoint(family, layers, models.read_weights(Path(folder)))
    tensors = {name: value.to(dtype).contiguous() for name, value in tensors.items()}
    if bits is not None:
        for prefix, _ in names.linear_prefixes(family, layers):
            stored, scale = quant.quantise_per_channel(tensors[f"{prefix}.weight"], bits)
            tensors[f"{prefix}.weight"], tensors[f"{prefix}.per_channel_scale"] = stored, scale
    return tensors


def save(folder: str, config: dict[str, Any], tensors: dict[str, Any] | None) -> None:
    """Write config.json and, unless that is what should fail, each rank's weights."""
    (Path(folder) / "config.json").write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    if tensors is not None and not failures.failing("no-weights"):
        from safetensors.torch import save_file

        for rank, part in enumerate(ranks.split(tensors, config["mapping"]["world_size"])):
            save_file(part, Path(folder) / f"rank{rank}.safetensors")


def _refuse_unimplemented(tool: str, args: argparse.Namespace, implemented: set[str]) -> None:
    """Name a flag that the contract knows but the stand-in doesn't act on, rather than ignore it."""
    defaults = vars(argparse_parser(tool).parse_args([]))
    for name, value in vars(args).items():
        if name not in implemented and value != defaults.get(name):
            raise NotImplementedError(f"the stand-in does not implement --{name} of {tool}")
    if args.pp_size != 1:
        raise NotImplementedError("the stand-in splits layers over GPUs, and does not put them one behind the other")


COMMON = {
    "model_dir",
    "output_dir",
    "dtype",
    "use_weight_only",
    "weight_only_precision",
    "workers",
    "log_level",
    "load_model_on_cpu",
    "tp_size",
    "pp_size",
}


def _convert(args: argparse.Namespace, families: set[str], make_config: Any, config_first: bool = False) -> None:
    if not getattr(args, "load_model_on_cpu", False):
        failures.at_first_gpu_use()
    failures.at_convert()
    trust(args.model_dir)
    source = read_config(args.model_dir)
    architecture = source["architectures"][0]
    if architecture not in families:
        raise NotImplementedError(f"the stand-in's converter does not know {architecture}")
    algorithm = ALGORITHMS[args.weight_only_precision] if args.use_weight_only else None
    config = make_config(source, infer_dtype(args.dtype, source), algorithm)
    ranks.mapping(config, args.tp_size)
    if config_first:
        save(args.output_dir, config, None)
    started = time.time()
    bits = int(args.weight_only_precision[3:]) if args.use_weight_only else None
    tensors = checkpoint_weights(args.model_dir, config, bits)
    if not config_first:
        print(f"Total time of reading and converting: {time.time() - started:.3f} s")
    started = time.time()
    save(args.output_dir, config, tensors)
    if not config_first:
        print(f"Total time of saving checkpoint: {time.time() - started:.3f} s")


def main_llama() -> None:
    """examples/models/core/llama/convert_checkpoint.py."""
    print(tensorrt_llm.__version__)
    args = argparse_parser("convert-llama").parse_args()
    started = time.time()
    os.makedirs(args.output_dir, exist_ok=True)
    if args.model_dir is None and args.meta_ckpt_dir is None:
        shape = {
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": args.vocab_size,
            "hidden_size": args.n_embd,
            "num_hidden_layers": args.n_layer,
            "num_attention_heads": args.n_head,
            "num_key_value_heads": args.n_kv_head,
            "intermediate_size": args.inter_size,
            "max_position_embeddings": args.n_positions,
            "rms_norm_eps": args.rms_norm_eps,
        }
        save(args.output_dir, llama_config(shape, infer_dtype(args.dtype, {}), None), None)
    else:
        _refuse_unimplemented("convert-llama", args, COMMON)
        if args.weight_only_precision not in ALGORITHMS:
            raise NotImplementedError(f"the stand-in does not implement {args.weight_only_precision}")
        _convert(args, {"LlamaForCausalLM", "MistralForCausalLM"}, llama_config)
    print(f"Total time of converting checkpoints: {elapsed(time.time() - started)}")


def main_gpt() -> None:
    """examples/models/core/gpt/convert_checkpoint.py."""
    print(tensorrt_llm.__version__)
    args = argparse_parser("convert-gpt").parse_args()
    started = time.time()
    os.makedirs(args.output_dir, exist_ok=True)
    if args.model_dir is None:
        raise NotImplementedError("No source model path specified!")
    _refuse_unimplemented("convert-gpt", args, COMMON | {"gpt_variant"})
    python_log("I", f"Gpt variant: {_gpt_variant(args)}")
    _convert(args, {"GPT2LMHeadModel"}, gpt_config)
    print(f"Total time of converting checkpoints: {elapsed(time.time() - started)}")


def _gpt_variant(args: argparse.Namespace) -> str:
    if args.gpt_variant is None:
        python_log("I", "Inferring gpt variant from path...")
        model_type = read_config(args.model_dir)["model_type"]
        for variant in ("starcoder2", "starcoder", "santacoder", "gpt2", "persimmon", "kosmos-2", "jais", "nemotron"):
            if variant in args.model_dir or variant == model_type:
                args.gpt_variant = variant
                break
    if args.gpt_variant != "gpt2":
        raise AssertionError(f"the stand-in converts gpt2 only, the variant is {args.gpt_variant}")
    return str(args.gpt_variant)


def main_opt() -> None:
    """examples/models/contrib/opt/convert_checkpoint.py."""
    print(tensorrt_llm.__version__)
    args = argparse_parser("convert-opt").parse_args()
    assert args.pp_size == 1, "Pipeline parallelism is not supported."
    started = time.time()
    os.makedirs(args.output_dir, exist_ok=True)
    if args.model_dir is None:
        raise OSError(
            "Incorrect path_or_model_id: 'None'. Please provide either the path to a local folder or the "
            "repo_id of a model on the Hub."
        )
    _refuse_unimplemented("convert-opt", args, COMMON)
    _convert(args, {"OPTForCausalLM"}, opt_config, config_first=True)
    print(f"Weights loaded. Total time: {elapsed(time.time() - started)}")
    print(f"Total time of converting checkpoints: {elapsed(time.time() - started)}")
