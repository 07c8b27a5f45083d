"""trtllm-bench: `latency` on an engine, with the real report's keys."""

from __future__ import annotations

import concurrent.futures
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from tensorrt_llm._standin.cli import ClickCommand
from tensorrt_llm._standin.contract import tool
from tensorrt_llm._standin.engine import engine_config, world_size
from tensorrt_llm._standin.log import python_log

SUBCOMMANDS = {
    "build": "not in the stand-in",
    "latency": "Run a latency test on a TRT-LLM engine.",
    "throughput": "not in the stand-in",
}
Timed = tuple[int, list[int], int]  # start, arrival of every token, prompt length; times in nanoseconds


def main() -> None:
    """Run the command."""
    entry = tool("trtllm-bench")
    group = ClickCommand("trtllm-bench [OPTIONS] COMMAND [ARGS]...", entry["flags"], SUBCOMMANDS)
    options, words = group.parse(sys.argv[1:])
    if words[0] != "latency":
        raise NotImplementedError(f"the stand-in does not implement trtllm-bench {words[0]}")
    command = ClickCommand("trtllm-bench latency [OPTIONS]", entry["subcommands"]["latency"]["flags"])
    latency(options, command.parse(words[1:])[0])


def latency(options: dict[str, Any], params: dict[str, Any]) -> None:
    """Stream every request of the dataset and write the report."""
    if Path(options["model"]).exists():
        raise ValueError("Model is a file or directory, please provide a model name.")
    requests = [json.loads(line) for line in Path(params["dataset"]).read_text(encoding="utf-8").splitlines() if line]
    requests = requests[: params["num_requests"] or None]
    if params["backend"] != "tensorrt":
        raise NotImplementedError("the stand-in implements trtllm-bench latency with --backend tensorrt only")
    assert params["max_seq_len"] is None, "max_seq_len is not a runtime parameter for C++ backend"
    config = engine_config(Path(params["engine_dir"]))
    build = config["build_config"]
    lengths = [(len(request["input_ids"]), request["output_tokens"]) for request in requests]
    longest = max(prompt + new for prompt, new in lengths)
    if longest > build["max_seq_len"]:
        raise RuntimeError(
            f"Engine supports a max sequence of {build['max_seq_len']}. Provided dataset contains a maximum sequence "
            f"of {longest}. Please rebuild a new engine tosupport this dataset."
        )
    timed = _run(params, build, requests)
    report = _report(options, params, config, lengths, timed)
    if params["report_json"]:
        python_log("I", f"Writing report to '{params['report_json']}'.")
        Path(params["report_json"]).write_text(json.dumps(report, indent=4), encoding="utf-8")
    print("=" * 59 + "\n= PERFORMANCE OVERVIEW (SIMULATED)\n" + "=" * 59)
    print(f"Total Latency (ms): {report['performance']['total_latency_ms']:.4f}", flush=True)


def _run(params: dict[str, Any], build: dict[str, Any], requests: list[dict[str, Any]]) -> list[Timed]:
    from tensorrt_llm import SamplingParams
    from tensorrt_llm._tensorrt_engine import LLM
    from tensorrt_llm.llmapi import ExtendedRuntimePerfKnobConfig

    with LLM(
        model=params["engine_dir"],
        skip_tokenizer_init=True,
        max_batch_size=1,
        max_num_tokens=build["max_num_tokens"],
        kv_cache_config={
            "free_gpu_memory_fraction": params["kv_cache_free_gpu_mem_fraction"],
            "enable_block_reuse": False,
        },
        extended_runtime_perf_knob_config=ExtendedRuntimePerfKnobConfig(
            cuda_graph_mode=True, cuda_graph_cache_size=1000
        ),
    ) as llm:

        def once(request: dict[str, Any]) -> Timed:
            sampling = SamplingParams(end_id=-1, pad_id=-1, max_tokens=request["output_tokens"])
            start = time.perf_counter_ns()
            arrivals: list[int] = []
            for output in llm.generate_async(request["input_ids"], sampling, streaming=True):
                arrivals += [time.perf_counter_ns()] * len(output.outputs[0].token_ids_diff)
            return start, arrivals, len(request["input_ids"])

        for request in random.choices(requests, k=params["warmup"]):
            once(request)
        width = params["concurrency"] if params["concurrency"] > 0 else len(requests)
        with concurrent.futures.ThreadPoolExecutor(max_workers=width) as pool:
            return list(pool.map(once, requests))


def _percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    picked = {f"p{round(q * 100)}": ordered[int(len(ordered) * q)] for q in (0.5, 0.9, 0.95, 0.99)}
    return picked | {"minimum": ordered[0], "maximum": ordered[-1], "average": sum(ordered) / len(ordered)}


def _report(
    options: dict[str, Any],
    params: dict[str, Any],
    config: dict[str, Any],
    lengths: list[tuple[int, int]],
    timed: list[Timed],
) -> dict[str, Any]:
    build, pretrained = config["build_config"], config["pretrained_config"]
    latencies = [(arrivals[-1] - start) / 1e6 for start, arrivals, _ in timed]
    first = [(arrivals[0] - start) / 1e6 for start, arrivals, _ in timed]
    between = [(a[-1] - a[0]) / 1e6 / max(len(a) - 1, 1) for _, a, _ in timed]
    tokens = [len(arrivals) for _, arrivals, _ in timed]
    speeds = [
        1e3 * (n - 1) / (total - ttft) if n > 1 else 0.0
        for n, total, ttft in zip(tokens, latencies, first, strict=True)
    ]
    users = [1e3 * n / total for n, total in zip(tokens, latencies, strict=True)]
    total_ms = (max(a[-1] for _, a, _ in timed) - min(start for start, _, _ in timed)) / 1e6
    mean = {
        name: sum(values) / len(timed)
        for name, values in {
            "latency": latencies,
            "ttft": first,
            "tpot": between,
            "speed": speeds,
            "user": users,
        }.items()
    }
    prompts = sum(length for _, _, length in timed)
    output = 1e3 * sum(tokens) / total_ms
    whole = [float(prompt + new) for prompt, new in lengths]
    return {
        "engine": {
            "model": options["model"],
            "model_path": str(options["model_path"]),
            "engine_dir": params["engine_dir"],
            "version": config["version"],
            "backend": "TRT",
            "dtype": pretrained["dtype"],
            "kv_cache_dtype": pretrained["quantization"].get("kv_cache_quant_algo"),
            "quantization": pretrained["quantization"]["quant_algo"],
            "max_input_length": build["max_input_len"],
            "max_sequence_length": build["max_seq_len"],
        },
        "machine": None,
        "world_info": {
            "tp_size": world_size(config),
            "pp_size": 1,
            "ep_size": None,
            "world_size": world_size(config),
            "max_batch_size": 1,
            "max_num_tokens": build["max_num_tokens"],
            "scheduling_policy": "GUARANTEED_NO_EVICT",
            "kv_cache_percentage": params["kv_cache_free_gpu_mem_fraction"],
            "issue_rate": 1e9 * len(timed) / max(max(s for s, _, _ in timed) - min(s for s, _, _ in timed), 1),
        },
        "request_info": {
            "num_requests": len(timed),
            "avg_num_concurrent_requests": sum(latencies) / total_ms,
            "avg_input_length": prompts / len(timed),
            "avg_output_length": sum(tokens) / len(timed),
        },
        "performance": {
            "total_latency_ms": total_ms,
            "avg_request_latency_ms": mean["latency"],
            "request_throughput_req_s": 1e3 * len(timed) / total_ms,
            "system_output_throughput_tok_s": output,
            "system_total_throughput_tok_s": 1e3 * (prompts + sum(tokens)) / total_ms,
            "output_throughput_per_user_tok_s": mean["user"],
            "output_throughput_per_gpu_tok_s": output,
            "request_latency_percentiles_ms": _percentiles(latencies),
        },
        "streaming_metrics": {
            "token_output_speed_tok_s": mean["speed"],
            "avg_ttft_ms": mean["ttft"],
            "avg_tpot_ms": mean["tpot"],
            "tpot_percentiles": _percentiles(between),
            "ttft_percentiles": _percentiles(first),
            "gen_tps_percentiles": _percentiles(speeds),
        },
        "dataset": {
            "isl_stats": _percentiles([float(prompt) for prompt, _ in lengths]),
            "osl_stats": _percentiles([float(new) for _, new in lengths]),
            "seq_len_stats": _percentiles(whole),
            "num_requests": len(timed),
            "dataset_path": params["dataset"],
        },
    }
