"""Both LLM classes: the engine runtime (_TrtLLM) and the PyTorch runtime (LLM)."""

from __future__ import annotations

import atexit
import json
import threading
import time
import types
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorrt_llm import sampling_params as sampling
from tensorrt_llm._standin import failures, hardware, proxy
from tensorrt_llm._standin.engine import engine_config, world_size
from tensorrt_llm._standin.log import python_log
from tensorrt_llm.llmapi import llm_args
from tensorrt_llm.llmapi.results import RequestOutput
from tensorrt_llm.sampling_params import SamplingParams


class BaseLLM:
    """What both runtimes share."""

    _args_class: Any
    _runtime = ""

    def __init__(
        self,
        model: str | Path,
        tokenizer: Any = None,
        tokenizer_mode: str = "auto",
        skip_tokenizer_init: bool = False,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        revision: str | None = None,
        tokenizer_revision: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._executor: proxy.Executor | None = None
        python_log("I", f"Using LLM with {self._runtime} backend")
        for name in kwargs:
            if name not in self._args_class.model_fields:
                raise self._refused(f"{type(self).__name__} got invalid argument: {name}")
        self.args = self._args_class(
            model=model,
            tokenizer=tokenizer,
            tokenizer_mode=tokenizer_mode,
            skip_tokenizer_init=skip_tokenizer_init,
            trust_remote_code=trust_remote_code,
            tensor_parallel_size=tensor_parallel_size,
            dtype=dtype,
            revision=revision,
            tokenizer_revision=tokenizer_revision,
            **kwargs,
        )
        llm_args.refuse_unimplemented(self.args)
        failures.at_first_gpu_use()
        if not Path(model).is_dir():
            raise ValueError(f"the stand-in loads local folders only, got {model}")
        world = self._world_size()
        # A property of the real one's arguments, and no field of them.
        object.__setattr__(self.args, "parallel_config", types.SimpleNamespace(tp_size=world, world_size=world))
        if hardware.gpu_count() < world:
            raise RuntimeError(f"Only {hardware.gpu_count()} GPUs are available, but {world} are required.")
        self._build_config: dict[str, Any] = {}
        spec = self._spec() | {"world_size": world}
        self.tokenizer = self._load_tokenizer()
        self._next_id = 1
        self._lock = threading.Lock()
        self._executor = proxy.create(spec)
        atexit.register(failures.at_exit)
        atexit.register(BaseLLM._shut_down_at_exit, weakref.ref(self))

    @staticmethod
    def _refused(message: str) -> ValueError:
        python_log("E", f"Failed to parse the arguments for the LLM constructor: {message}")
        return ValueError(message)

    def _spec(self) -> dict[str, Any]:
        raise NotImplementedError

    def _world_size(self) -> int:
        return int(self.args.tensor_parallel_size)

    def _check(self, prompt_length: int, params: Any) -> None:
        raise NotImplementedError

    def _load_tokenizer(self) -> Any:
        if self.args.skip_tokenizer_init:
            return None
        given = self.args.tokenizer
        if given is not None and not isinstance(given, (str, Path)):
            return given
        import transformers

        if given is not None:
            return transformers.AutoTokenizer.from_pretrained(str(given))
        try:
            return transformers.AutoTokenizer.from_pretrained(str(self.args.model))
        except Exception as error:  # the real one warns for whatever went wrong and goes on without
            python_log("W", f"Failed to load tokenizer from {self.args.model}: {error}")
            return None

    def generate(
        self, inputs: Any, sampling_params: Any = None, use_tqdm: bool = True
    ) -> RequestOutput | list[RequestOutput]:
        """Run one prompt, or a list of prompts as one batch, to the end."""
        single = not isinstance(inputs, list) or (bool(inputs) and isinstance(inputs[0], int))
        prompts = [inputs] if single else inputs
        params = sampling_params if isinstance(sampling_params, list) else [sampling_params] * len(prompts)
        results = self._submit(list(zip(prompts, params, strict=True)), streaming=False)
        for result in results:
            result.result()
        return results[0] if single else results

    def generate_async(self, inputs: Any, sampling_params: Any = None, streaming: bool = False) -> RequestOutput:
        """Start one prompt; iterate over the result when it streams."""
        return self._submit([(inputs, sampling_params)], streaming)[0]

    def _submit(self, prompts: Sequence[tuple[Any, Any]], streaming: bool) -> list[RequestOutput]:
        if self._executor is None:
            raise RuntimeError("LLM is shutting down")
        results, requests = [], []
        for prompt, given in prompts:
            arrival = time.monotonic()
            params = self._prepare(given)
            text, ids = self._token_ids(prompt, params)
            self._check(len(ids), params)
            with self._lock:
                number, self._next_id = self._next_id, self._next_id + 1
            tokenizer = self.tokenizer if params.detokenize else None
            results.append(RequestOutput(number, text, ids, tokenizer, params.skip_special_tokens))
            requests.append(
                {
                    "id": number,
                    "prompt": ids,
                    "arrival": arrival,
                    "streaming": streaming,
                    "max_tokens": params.max_tokens,
                    "end_id": -1 if params.ignore_eos else params.end_id,
                    "stop_ids": list(params.stop_token_ids or []),
                    "min_tokens": params.min_tokens or 0,
                    "greedy": params._greedy_decoding,
                    "top_k": params.top_k,
                    "top_p": params.top_p,
                    "temperature": params.temperature,
                    "seed": params.seed,
                    "metrics": params.return_perf_metrics,
                }
            )
        self._executor.submit(requests, results)
        return results

    def _prepare(self, given: Any) -> Any:
        params = SamplingParams() if given is None else given
        if not isinstance(params, SamplingParams):
            raise TypeError(f"The sampling_params must be type SamplingParams or None, but got {type(params)}")
        sampling.refuse_unimplemented(params)
        if params.end_id is None:
            if self.tokenizer is None:
                raise ValueError(
                    "tokenizer is required to reset end_id if it is None, or you can explicitly specify the end_id "
                    "for sampling_params"
                )
            params._setup(self.tokenizer)
        params.return_perf_metrics = params.return_perf_metrics or self.args.return_perf_metrics
        if params.return_perf_metrics:
            failures.at_metrics()
        return params

    def _token_ids(self, prompt: Any, params: Any) -> tuple[str | None, list[int]]:
        if isinstance(prompt, dict):
            prompt = prompt["prompt_token_ids"] if "prompt_token_ids" in prompt else prompt["prompt"]
        if isinstance(prompt, str):
            if self.tokenizer is None:
                raise ValueError("tokenizer is required to tokenize string prompt")
            return prompt, list(self.tokenizer.encode(prompt, add_special_tokens=params.add_special_tokens))
        if isinstance(prompt, list) and all(isinstance(item, int) for item in prompt):
            return None, list(prompt)
        raise TypeError(f"The inputs must be type str or list of int, but got {type(prompt)}")

    def get_stats(self, timeout: float | None = 2) -> list[dict[str, Any]]:
        """Not implemented: the real figures come from the C++ runtime."""
        raise NotImplementedError("the stand-in does not implement get_stats")

    def shutdown(self) -> None:
        """Stop the worker; harmless when done twice."""
        running, self._executor = getattr(self, "_executor", None), None
        if running is not None:
            failures.at_shutdown()
            running.shutdown()

    @staticmethod
    def _shut_down_at_exit(reference: weakref.ref[BaseLLM]) -> None:
        instance = reference()
        if instance is not None:
            instance.shutdown()

    def __enter__(self) -> BaseLLM:
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: types.TracebackType | None) -> None:
        self.shutdown()

    def __getstate__(self) -> None:
        raise RuntimeError("LLM object can not be pickled.")

    def __del__(self) -> None:
        self.shutdown()


class _TrtLLM(BaseLLM):
    """Runs an engine folder; imported as `tensorrt_llm._tensorrt_engine.LLM`."""

    _args_class = llm_args.TrtLlmArgs
    _runtime = "TensorRT"

    def _world_size(self) -> int:
        """The engine's own; what was asked for may only say the same."""
        built, asked = world_size(engine_config(Path(self.args.model))), self.args.tensor_parallel_size
        if asked not in (1, built):
            raise ValueError(f"tp_size {asked} is not consistent with the engine's tp_size {built}")
        return built

    def _spec(self) -> dict[str, Any]:
        args = self.args
        assert args.kv_cache_config.dtype == "auto", "KvCacheConfig.dtype is not supported by the TensorRT backend."
        config = engine_config(Path(args.model))
        build = self._build_config = config["build_config"]
        if args.max_seq_len is not None and args.max_seq_len != build["max_seq_len"]:
            python_log(
                "W",
                f"max_seq_len [{args.max_seq_len}] is overridden by build_config.max_seq_len "
                f"[{build['max_seq_len']}] in build_config",
            )
        return {
            "runtime": "engine",
            "model": str(args.model),
            "max_batch_size": args.max_batch_size,
            "max_num_tokens": args.max_num_tokens,
            "max_beam_width": args.max_beam_width or build["max_beam_width"],
            "kv_cache": args.kv_cache_config.model_dump(),
            "chunked": args.enable_chunked_prefill,
        }

    def _check(self, prompt_length: int, params: Any) -> None:
        # The real one opens and parses the file for every request too, in the timed call.
        limit = engine_config(Path(self.args.model))["build_config"]["max_seq_len"]
        if not self.args.enable_chunked_prefill and prompt_length + (params.max_tokens or 0) > limit:
            raise ValueError(
                f"The sum of prompt length ({float(prompt_length)}) and query length (0) max_tokens "
                f"({params.max_tokens}) should not exceed max_seq_len ({limit})"
            )

    def save(self, engine_dir: str) -> None:
        """Not implemented: the product builds with trtllm-build."""
        raise NotImplementedError("the stand-in does not implement save")


class LLM(BaseLLM):
    """Runs a Hugging Face folder with TensorRT-LLM's own PyTorch runtime."""

    _args_class = llm_args.TorchLlmArgs
    _runtime = "PyTorch"

    def __init__(
        self,
        model: str | Path,
        tokenizer: Any = None,
        tokenizer_mode: str = "auto",
        skip_tokenizer_init: bool = False,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        revision: str | None = None,
        tokenizer_revision: str | None = None,
        **kwargs: Any,
    ) -> None:
        only_trt = set(llm_args.TrtLlmArgs.model_fields) - set(llm_args.TorchLlmArgs.model_fields)
        wrong = [name for name in kwargs if name in only_trt]
        if wrong:
            self._executor = None
            raise ValueError(
                "The following arguments are specific to TensorRT backend and cannot be used with PyTorch backend: "
                f"{wrong}.\nPlease use 'from tensorrt_llm._tensorrt_engine import LLM' instead to use the TensorRT "
                "backend."
            )
        super().__init__(
            model,
            tokenizer,
            tokenizer_mode,
            skip_tokenizer_init,
            trust_remote_code,
            tensor_parallel_size,
            dtype,
            revision,
            tokenizer_revision,
            **kwargs,
        )

    def _spec(self) -> dict[str, Any]:
        args = self.args
        config = json.loads((Path(args.model) / "config.json").read_text(encoding="utf-8"))
        limit = args.max_seq_len or config.get("max_position_embeddings") or config.get("n_positions")
        batch = args.max_batch_size or 2048
        return {
            "runtime": "torch",
            "model": str(args.model),
            "padding": args.cuda_graph_config is not None
            and args.cuda_graph_config.enable_padding
            and args.cuda_graph_config.max_batch_size > 1,
            "max_batch_size": batch,
            "max_seq_len": limit,
            "max_num_tokens": args.max_num_tokens,
            "max_beam_width": 1,
            "kv_cache": args.kv_cache_config.model_dump(),
            "chunked": args.enable_chunked_prefill,
        }

    def _check(self, prompt_length: int, params: Any) -> None:
        limit = self.args.max_num_tokens
        if not self.args.enable_chunked_prefill and limit and prompt_length > limit:
            raise ValueError(
                f"The sum of prompt length ({float(prompt_length)}), query length (0) should not exceed "
                f"max_num_tokens ({limit})"
            )
