"""trtllm-build: a checkpoint folder in, config.json and an engine for each rank out."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import tensorrt_llm
from tensorrt_llm._standin import failures, hardware
from tensorrt_llm._standin.cli import argparse_parser
from tensorrt_llm._standin.contract import contract, tool
from tensorrt_llm._standin.engine import write_engine
from tensorrt_llm._standin.log import elapsed, python_log, trt_log

IMPLEMENTED = {
    "checkpoint_dir",
    "output_dir",
    "max_batch_size",
    "max_input_len",
    "max_seq_len",
    "max_beam_width",
    "max_num_tokens",
    "opt_num_tokens",
    "kv_cache_type",
    "workers",
    "log_level",
    "input_timing_cache",
    "output_timing_cache",
    "profiling_verbosity",
    "monitor_memory",
}


def main() -> None:
    """Run the command."""
    parser = argparse_parser("trtllm-build")
    args = parser.parse_args()
    _refuse_unimplemented(parser, args)
    started = time.time()
    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    failures.at_first_gpu_use()
    workers = min(hardware.gpu_count(), args.workers)
    folder = Path(args.checkpoint_dir)
    pretrained = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if args.multiple_profiles == "enable" and args.opt_num_tokens is not None:
        raise RuntimeError(
            "multiple_profiles is enabled, while opt_num_tokens is set. They are not supposed to be "
            "working in the same time for now."
        )
    if workers < 1:
        raise ValueError("max_workers must be greater than 0")
    if pretrained["architecture"] not in contract()["architectures"]:
        raise AssertionError(f"Unsupported model architecture: {pretrained['architecture']}")
    weights = [folder / f"rank{rank}.safetensors" for rank in range(pretrained["mapping"]["world_size"])]
    for file in weights:
        if not file.is_file():
            raise AssertionError(f"No such file: {file}")
    build = _build_config(args, pretrained)
    trt_log("I", f"Build TensorRT engine Unnamed Network 0 (compute {hardware.compute_capability()})")
    if pretrained["quantization"]["quant_algo"] == "FP8" and float(hardware.compute_capability()) < 8.9:
        trt_log(
            "E",
            "IBuilder::buildSerializedNetwork: Error Code 9: API Usage Error (Target GPU SM "
            f"{hardware.compute_capability().replace('.', '')} is not supported for FP8)",
        )
        raise AssertionError("Engine building failed, please check the error log.")
    failures.at_build()
    _save_timing_cache(args.output_timing_cache)
    config = {
        "simulated": hardware.SIMULATED,
        "version": tensorrt_llm.__version__,
        "pretrained_config": pretrained,
        "build_config": build,
    }
    for rank, file in enumerate(weights):
        write_engine(Path(args.output_dir), config, file.read_bytes(), rank)
        python_log("I", f"Serializing engine to {Path(args.output_dir) / f'rank{rank}.engine'}...")
    python_log("I", f"Total time of building all engines: {elapsed(time.time() - started)}")


def _refuse_unimplemented(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Name a flag that the contract knows but the stand-in doesn't act on; plugins and features only get recorded."""
    defaults = vars(parser.parse_args([]))
    recorded = {
        flag[2:] for flag, row in tool("trtllm-build")["flags"].items() if row.get("group") == "Plugin config arguments"
    }
    for name, value in vars(args).items():
        if name not in IMPLEMENTED | recorded and value != defaults.get(name):
            raise NotImplementedError(f"the stand-in does not implement --{name} of trtllm-build")


def _plugin_config(args: argparse.Namespace, dtype: str) -> dict[str, Any]:
    config: dict[str, Any] = {"dtype": dtype}
    for name, default in contract()["engine_config"]["plugin_config"].items():
        value = getattr(args, name)
        is_switch = isinstance(default, bool)
        config[name] = {"enable": True, "disable": False if is_switch else None}.get(value, value)
        config[name] = dtype if config[name] == "auto" else config[name]
    config["paged_kv_cache"] = getattr(args, "kv_cache_type", "PAGED") == "PAGED"
    for name, value in config.items():
        python_log("I", f"Set PluginConfig.{name} to {value}.")
    return config


def _build_config(args: argparse.Namespace, pretrained: dict[str, Any]) -> dict[str, Any]:
    """The sizes that the engine will really have, after the builder's own corrections."""
    plugins = _plugin_config(args, pretrained["dtype"])
    positions = pretrained["max_position_embeddings"]
    sequence = args.max_seq_len or positions
    if sequence > positions:
        python_log(
            "W",
            f"max_seq_len {sequence} is larger than max_position_embeddings {positions}, the model "
            "accuracy might be affected",
        )
    input_len = args.max_input_len
    if input_len > sequence:
        python_log(
            "W", f"max_input_len is {input_len} is larger than max_seq_len {sequence}, clipping it to max_seq_len"
        )
        input_len = sequence
    num_tokens, largest = args.max_num_tokens, sequence * args.max_batch_size
    if num_tokens > largest:
        python_log(
            "W",
            f"max_num_tokens ({num_tokens}) shouldn't be greater than max_seq_len * max_batch_size "
            f"({largest}), specifying to max_seq_len * max_batch_size ({largest}).",
        )
        num_tokens = largest
    if plugins["context_fmha"] and num_tokens < plugins["tokens_per_block"]:
        python_log(
            "W",
            f"When enable_context_fmha is turned on, max_num_tokens ({num_tokens}) should be at least "
            f"tokens_per_block ({plugins['tokens_per_block']}), specifying to tokens_per_block",
        )
        num_tokens = plugins["tokens_per_block"]
    optimal = args.opt_num_tokens
    if optimal is None and not plugins["multiple_profiles"]:
        optimal = min(args.max_batch_size * args.max_beam_width, num_tokens)
    return dict(contract()["engine_config"]["build_config"]) | {
        "max_input_len": input_len,
        "max_seq_len": sequence,
        "max_batch_size": args.max_batch_size,
        "max_beam_width": args.max_beam_width,
        "max_num_tokens": num_tokens,
        "opt_num_tokens": optimal,
        "kv_cache_type": getattr(args, "kv_cache_type", "PAGED"),
        "profiling_verbosity": args.profiling_verbosity,
        "input_timing_cache": args.input_timing_cache,
        "output_timing_cache": args.output_timing_cache,
        "monitor_memory": args.monitor_memory,
        "plugin_config": plugins,
    }


def _save_timing_cache(path: str) -> None:
    """Write where told, which by default is the working directory."""
    Path(path).write_bytes(b"stand-in timing cache\n")
    python_log("I", f"Timing cache serialized to {path}")
