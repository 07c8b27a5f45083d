"""quantize.py: FP8 and 4-bit AWQ storage with a local calibration set, whose reader keeps the real one's traps."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tensorrt_llm._standin import convert, failures, hardware, ranks
from tensorrt_llm._standin.cli import argparse_parser
from tensorrt_llm._standin.log import python_log

MAKERS = {
    "LlamaForCausalLM": convert.llama_config,
    "MistralForCausalLM": convert.llama_config,
    "OPTForCausalLM": convert.opt_config,
    "GPT2LMHeadModel": convert.gpt_config,
}
IMPLEMENTED = {
    "model_dir",
    "output_dir",
    "dtype",
    "qformat",
    "calib_dataset",
    "calib_size",
    "calib_max_seq_length",
    "batch_size",
    "awq_block_size",
    "device",
    "device_map",
    "seed",
    "tp_size",
    "pp_size",
    "tokenizer_max_seq_length",
    "export_format",
}


def main() -> None:
    """examples/quantization/quantize.py."""
    args = argparse_parser("quantize").parse_args()
    if args.model_dir is None:
        raise ValueError("One of source checkpoint (model_dir, nemo_ckpt_path) must be specified")
    failures.at_first_gpu_use()
    if hardware.gpu_count() == 0:
        raise OSError("GPU is required for inference.")
    convert._refuse_unimplemented("quantize", args, IMPLEMENTED)
    if args.qformat not in ("full_prec", "fp8", "int4_awq"):
        raise NotImplementedError(f"the stand-in does not implement --qformat {args.qformat}")
    convert.trust(args.model_dir)
    source = convert.read_config(args.model_dir)
    dtype = convert.infer_dtype(args.dtype, source)
    config = MAKERS[source["architectures"][0]](source, dtype, None)
    ranks.mapping(config, args.tp_size)
    tensors = convert.checkpoint_weights(args.model_dir, config, None)
    if args.qformat != "full_prec":
        if "awq" in args.qformat and args.calib_size > 32:
            python_log(
                "I",
                f"AWQ calibration could take longer with calib_size = {args.calib_size}, Using calib_size=32 instead",
            )
            args.calib_size = 32
        texts = calibration_texts(args.calib_dataset)[: args.calib_size]
        python_log("I", "Starting quantization...")
        peaks = _peaks(args, config, tensors, texts)
        (_fp8 if args.qformat == "fp8" else _awq)(args, config, tensors, peaks)
    config |= {"producer": {"name": "modelopt", "version": "stand-in"}}
    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    convert.save(args.output_dir, config, tensors)
    python_log("I", f"Quantized model exported to {args.output_dir} \nTotal time used 0.00 s.")


def calibration_texts(where: str) -> list[str]:
    """Read the texts as the real reader would: what it does depends on words in the path."""
    python_log("I", "Loading calibration dataset")
    folder = Path(where)
    if failures.failing("calib-network"):
        raise ConnectionError(f"Couldn't reach '{where}' on the Hub (LocalEntryNotFoundError)")
    if "scienceqa" in where.lower() or "science_qa" in where.lower():
        raise NotImplementedError("the stand-in does not implement the multimodal calibration reader")
    if "cnn_dailymail" in where:
        if not folder.is_dir():
            raise ConnectionError(f"Couldn't reach '{where}' on the Hub (LocalEntryNotFoundError)")
        raise ValueError("BuilderConfig '3.0.0' not found. Available: ['default']")
    if where == "pileval":
        raise ConnectionError("Couldn't reach the pile validation set")
    if not folder.is_dir():
        raise NotImplementedError(f"Unsupported dataset name or local repo directory: {where}.")
    python_log(
        "I",
        f"Recognized local dataset repo {where} for calibration; assuming the calibration data are in the "
        "train split and text column.",
    )
    files = sorted(path for path in folder.iterdir() if path.suffix in (".jsonl", ".json"))
    if not files:
        raise FileNotFoundError(f"No (supported) data files found in {where}")
    named = [path for path in files if any(word in path.stem for word in ("train", "test", "valid"))]
    train = [path for path in named if "train" in path.stem] if named else files
    if not train:
        raise ValueError('Unknown split "train". Should be one of ' + str([path.stem for path in named]) + ".")
    rows = [json.loads(line) for path in train for line in path.read_text(encoding="utf-8").splitlines() if line]
    if any("text" not in row for row in rows):
        raise KeyError("Column text not in the dataset.")
    return [row["text"] for row in rows]


def _peaks(
    args: argparse.Namespace, config: dict[str, Any], tensors: dict[str, Any], texts: list[str]
) -> dict[str, float]:
    """Run the texts through the model; return the largest absolute input of every linear layer by its prefix."""
    import torch
    import transformers

    from tensorrt_llm._standin import models, names

    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model_dir)
    model = models.from_tensors(config, tensors)
    family = names.FAMILIES[config["architecture"]]
    peaks: dict[str, float] = {}
    for prefix, modules in names.linear_prefixes(family, config["num_hidden_layers"]):

        def watch(module: Any, inputs: tuple[Any, ...], prefix: str = prefix) -> None:
            peaks[prefix] = max(peaks.get(prefix, 0.0), float(inputs[0].abs().max()))

        for module in modules:
            model.get_submodule(module).register_forward_pre_hook(watch)
    with torch.inference_mode():
        for text in texts:
            ids = tokenizer(text, truncation=True, max_length=args.calib_max_seq_length)["input_ids"]
            if ids:
                model(input_ids=torch.tensor([ids]))
    if not peaks:
        raise ValueError("the calibration set has no text")
    return peaks


def _fp8(args: argparse.Namespace, config: dict[str, Any], tensors: dict[str, Any], peaks: dict[str, float]) -> None:
    import torch

    from tensorrt_llm._standin import quant

    config["quantization"]["quant_algo"] = "FP8"
    for prefix, peak in peaks.items():
        weight = tensors[f"{prefix}.weight"]
        scale = max(float(weight.abs().max()), 1e-8) / quant.FP8_MAX
        tensors[f"{prefix}.weight"] = quant.to_fp8(weight, scale)
        tensors[f"{prefix}.weights_scaling_factor"] = torch.tensor([scale])
        tensors[f"{prefix}.activation_scaling_factor"] = torch.tensor([max(peak, 1e-8) / quant.FP8_MAX])


def _awq(args: argparse.Namespace, config: dict[str, Any], tensors: dict[str, Any], peaks: dict[str, float]) -> None:
    from tensorrt_llm._standin import quant

    config["quantization"] |= {"quant_algo": "W4A16_AWQ", "group_size": args.awq_block_size}
    for prefix in peaks:
        stored, scales = quant.quantise_per_group(tensors[f"{prefix}.weight"], args.awq_block_size)
        tensors[f"{prefix}.weight"], tensors[f"{prefix}.weights_scaling_factor"] = stored, scales
