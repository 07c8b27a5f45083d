"""Scenarios that a test runs in a process of their own; each prints one line of JSON last."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from typing import Any

PROMPTS = [[5, 9, 17, 33, 41, 7, 8], [3, 4, 5, 6, 7, 8, 9]]
SIZES = {"max_batch_size": 4, "max_num_tokens": 128, "skip_tokenizer_init": True}


def _engine(folder: str, **more: Any) -> Any:
    from tensorrt_llm._tensorrt_engine import LLM

    return LLM(model=folder, **(SIZES | more))


def _params(tokens: int = 20, **more: Any) -> Any:
    from tensorrt_llm import SamplingParams

    return SamplingParams(
        **(
            {"max_tokens": tokens, "end_id": 2, "ignore_eos": True, "detokenize": False, "return_perf_metrics": True}
            | more
        )
    )


def parity(engine: str, model: str, dtype: str) -> Any:
    """Greedy ids of the engine beside those of transformers' generate on the original model."""
    import torch
    import transformers

    with _engine(engine, kv_cache_config={"enable_block_reuse": False, "max_tokens": 256}) as llm:
        ours = [result.outputs[0].token_ids for result in llm.generate(PROMPTS, _params())]
    reference = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
    made = reference.generate(
        torch.tensor(PROMPTS), max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    return {"engine": ours, "transformers": made[:, len(PROMPTS[0]) :].tolist()}


def lengths(engine: str, model: str) -> Any:
    """Token counts and finish reasons under the defaults, with an end of sequence, and streamed."""
    with _engine(engine, tokenizer=model, skip_tokenizer_init=False) as llm:
        exact = llm.generate(PROMPTS[0], _params())
        third = exact.outputs[0].token_ids[2]
        default = llm.generate(PROMPTS[0], _params(32, ignore_eos=True))
        bare = llm.generate("w5 w9", None)
        ended = llm.generate(PROMPTS[0], _params(ignore_eos=False, end_id=third))
        steps = [
            list(step.outputs[0].token_ids_diff) for step in llm.generate_async(PROMPTS[0], _params(), streaming=True)
        ]
        return {
            "exact": [exact.outputs[0].token_ids, exact.outputs[0].finish_reason, exact.outputs[0].text],
            "default_max_tokens": type(_params())().max_tokens,
            "default": default.outputs[0].length,
            "bare": [bare.outputs[0].length, bare.outputs[0].finish_reason, bool(bare.outputs[0].text)],
            "ended": [ended.outputs[0].token_ids, ended.outputs[0].finish_reason],
            "steps": steps,
        }


def kv_cache(engine: str) -> Any:
    """Block reuse by default and off, and what a pool bound that isn't rounded per sequence does."""
    found: dict[str, Any] = {}
    long = [[3 + (number * 5) % 300 for number in range(40)], [4 + (number * 7) % 300 for number in range(40)]]
    for name, config in (
        ("default", {}),
        ("tight", {"enable_block_reuse": False, "max_tokens": 2 * 48}),
        ("rounded", {"enable_block_reuse": False, "max_tokens": 128}),
    ):
        with _engine(engine, kv_cache_config=config) as llm:
            llm.generate(long, _params(8))
            again = llm.generate(long, _params(8))
        metrics = [result.outputs[0].request_perf_metrics for result in again]
        found[name] = {
            "ids": [result.outputs[0].token_ids for result in again],
            "reused": [metric.kv_cache_metrics.num_reused_blocks for metric in metrics],
            "together": len({metric.timing_metrics.first_scheduled_time for metric in metrics}) == 1,
        }
        times = metrics[0].timing_metrics
        order = [times.arrival_time, times.first_scheduled_time, times.first_token_time, times.last_token_time]
        found[name]["ordered"] = order == sorted(order)
    return found


def _raised(action: Callable[[], Any]) -> list[str]:
    try:
        action()
    except Exception as error:
        return [type(error).__name__, str(error), str(error.__cause__)]
    return ["nothing", "", ""]


def refusals(engine: str, model: str, opt: str) -> Any:
    """What each runtime refuses, as [class, message, cause]."""
    import tensorrt_llm
    from tensorrt_llm import SamplingParams
    from tensorrt_llm.llmapi import CudaGraphConfig, KvCacheConfig

    found = {
        "unknown": _raised(lambda: _engine(engine, no_such_argument=1)),
        "torch argument on the engine": _raised(lambda: _engine(engine, cuda_graph_config=None)),
        "engine argument on torch": _raised(
            lambda: tensorrt_llm.LLM(model=model, extended_runtime_perf_knob_config=None)
        ),
        "unknown on torch": _raised(lambda: tensorrt_llm.LLM(model=model, no_such_argument=1)),
        "engine folder on torch": _raised(lambda: tensorrt_llm.LLM(model=engine, skip_tokenizer_init=True)),
        "opt on torch": _raised(lambda: tensorrt_llm.LLM(model=opt, skip_tokenizer_init=True)),
        "kv field": _raised(lambda: KvCacheConfig(block_reuse=False)),
        "kv type": _raised(lambda: KvCacheConfig(max_tokens="many")),
        "kv range": _raised(lambda: KvCacheConfig(free_gpu_memory_fraction=1.5)),
        "kv dtype": _raised(lambda: _engine(engine, kv_cache_config=KvCacheConfig(dtype="fp8"))),
        "graph sizes": _raised(lambda: CudaGraphConfig(batch_sizes=[1, 2], max_batch_size=4)),
        "graph sizes of that maximum": _raised(lambda: CudaGraphConfig(batch_sizes=[1, 4], max_batch_size=4)),
        "sampling field": _raised(lambda: SamplingParams(max_new_tokens=3)),
        "sampling positional": _raised(lambda: SamplingParams(2)),
        "batch above the engine's": _raised(lambda: _engine(engine, max_batch_size=5)),
    }
    with _engine(engine, max_num_tokens=8192) as llm:
        found["too long"] = _raised(lambda: llm.generate([5] * 40, _params(25)))
        found["no end id"] = _raised(lambda: llm.generate([5] * 4, SamplingParams(max_tokens=2)))
        found["text without tokenizer"] = _raised(lambda: llm.generate("w5", _params(2)))
        found["not implemented"] = _raised(lambda: llm.generate([5] * 4, _params(2, use_beam_search=True)))
    with _engine(engine, max_num_tokens=16) as llm:
        found["prompt above max_num_tokens"] = _raised(lambda: llm.generate([5] * 20, _params(2)))
    return found


def ranks(engine: str, model: str) -> Any:
    """An engine of two GPUs: ids, what the LLM says of its ranks, and what both runtimes refuse. Takes a rank's file away."""
    from pathlib import Path

    import tensorrt_llm
    from tensorrt_llm._standin.engine import load_engine

    found: dict[str, Any] = {}
    with _engine(engine, kv_cache_config={"enable_block_reuse": False, "max_tokens": 256}) as llm:
        found["engine"] = [result.outputs[0].token_ids for result in llm.generate(PROMPTS, _params())]
        found["engine ranks"] = llm.args.parallel_config.tp_size
        found["worker"] = type(llm._executor).__name__
    found["another number"] = _raised(lambda: _engine(engine, tensor_parallel_size=4))
    os.environ["STANDIN_GPU"] = "1"
    found["one GPU"] = _raised(lambda: _engine(engine))
    found["one GPU, torch"] = _raised(lambda: tensorrt_llm.LLM(model=model, tensor_parallel_size=2, **SIZES))
    os.remove(os.path.join(engine, "rank1.engine"))
    found["one file"] = _raised(lambda: load_engine(Path(engine)))
    return found


def torch_runtime(model: str, dtype: str = "float16") -> Any:
    """The PyTorch runtime on a Hugging Face folder."""
    import tensorrt_llm
    from tensorrt_llm.llmapi import CudaGraphConfig, KvCacheConfig

    with tensorrt_llm.LLM(
        model=model,
        dtype=dtype,
        max_batch_size=4,
        max_seq_len=64,
        max_num_tokens=128,
        kv_cache_config=KvCacheConfig(enable_block_reuse=False, max_tokens=256),
        disable_overlap_scheduler=True,
        cuda_graph_config=CudaGraphConfig(batch_sizes=[2]),
        enable_autotuner=False,
    ) as llm:
        engine = getattr(llm._executor, "engine", None)
        return {
            "ids": [result.outputs[0].token_ids for result in llm.generate(PROMPTS, _params())],
            "executor": type(llm._executor).__name__,
            "dtype": str(engine.model_engine.dtype) if engine else None,
            "children": len(multiprocessing.active_children()),
        }


def process(engine: str) -> Any:
    """The worker is a child of this process, and it ends with shutdown."""
    llm = _engine(engine)
    child = llm._executor._process.pid
    alive = os.path.exists(f"/proc/{child}")
    llm.shutdown()
    return {
        "own": os.getpid(),
        "worker": child,
        "alive": alive,
        "after": os.path.exists(f"/proc/{child}"),
        "left": len(multiprocessing.active_children()),
    }


def wait_to_be_killed(engine: str) -> Any:
    """Say which process the worker is, then wait."""
    llm = _engine(engine)
    print(json.dumps(llm._executor._process.pid), flush=True)
    time.sleep(600)
    return None


def start(engine: str) -> Any:
    """Load and generate once."""
    with _engine(engine) as llm:
        return llm.generate(PROMPTS[0], _params()).outputs[0].token_ids


def describe() -> Any:
    """Names, fields and defaults of the Python side, as a probe would ask for them."""
    import dataclasses
    import inspect

    import tensorrt
    import tensorrt_llm
    from tensorrt_llm import _tensorrt_engine, llmapi

    def of_model(kind: Any) -> dict[str, Any]:
        return {name: info.get_default() for name, info in kind.model_fields.items()}

    return {
        "version": tensorrt_llm.__version__,
        "simulated": tensorrt_llm.SIMULATED,
        "tensorrt": tensorrt.__version__,
        "positional": [
            name
            for name, parameter in inspect.signature(_tensorrt_engine.LLM.__init__).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ][1:],
        "tensorrt_llm._tensorrt_engine.LLM": of_model(llmapi.TrtLlmArgs),
        "tensorrt_llm.LLM": of_model(llmapi.TorchLlmArgs),
        "tensorrt_llm.llmapi.KvCacheConfig": of_model(llmapi.KvCacheConfig),
        "tensorrt_llm.llmapi.CudaGraphConfig": of_model(llmapi.CudaGraphConfig),
        "tensorrt_llm.llmapi.ExtendedRuntimePerfKnobConfig": of_model(llmapi.ExtendedRuntimePerfKnobConfig),
        "tensorrt_llm.SamplingParams": {
            field.name: field.default for field in dataclasses.fields(tensorrt_llm.SamplingParams)
        },
        "graphs": llmapi.TorchLlmArgs(model="m").cuda_graph_config.max_batch_size,
    }


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])), flush=True)
