"""`openvino`: OpenVINO GenAI on a CPU, in the precision asked for and without reuse of prompts."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

from trtbench.errors import Unsupported
from trtbench.lanes import prepared
from trtbench.lanes.lane import Lane
from trtbench.lanes.openvino import reach
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Memory, Statement
from trtbench.settings.cells import Cell

# What the engine is asked to compute in. Without the hint it takes bfloat16 where the CPU can.
_COMPUTE = {"float32": "f32", "bfloat16": "bf16", "int8": "f32", "int4": "f32"}


class OpenVino(Lane):
    """LLMPipeline with its paged attention (the default) or its stateful one, whichever was found faster; the paged one keeps
    the prefixes of earlier prompts unless it is told not to."""

    pipeline: Any = None

    def prepare(self) -> Prepared:
        if self.plan.precision not in _COMPUTE:
            raise Unsupported(f"OpenVINO runs {', '.join(_COMPUTE)} here, not {self.plan.precision}")
        return prepared.made(self.folder(), self._convert)

    def _convert(self, folder: Path) -> None:
        """Trace the model into `folder`."""
        failure = prepared.convert(
            *(sys.executable, "-m", "trtbench.lanes.openvino.export"),
            *(str(self.plan.model), str(folder), self.stored()),
        )
        if failure:
            raise Unsupported(f"the conversion for OpenVINO failed: {failure}")

    def stored(self) -> str:
        return reach.stored_as(self.plan.precision)

    def folder(self) -> Path:
        return reach.folder_of(self.plan.cache, self.plan.model_digest, self.plan.precision)

    def load(self) -> None:
        import openvino
        import openvino_genai

        folder = self.folder()
        prepared.require(folder)
        self.reach = reach.Reach.read(folder)
        self.ov, self.genai = openvino, openvino_genai
        hint = _COMPUTE[self.plan.precision]
        self.backend = self.plan.value or "SDPA"
        refusals = [self.reach.refusal(self.backend, cell.prompt_length + cell.new_tokens) for cell in self.plan.cells]
        if all(refusals):  # of a graph that has no paged form the pipeline would say it at length
            raise Unsupported(refusals[0])
        options = {
            "ATTENTION_BACKEND": self.backend,
            "INFERENCE_PRECISION_HINT": hint,
            "KV_CACHE_PRECISION": hint,
            "INFERENCE_NUM_THREADS": self.plan.threads,
        }
        scheduler = {"scheduler_config": self.scheduler()} if self.backend == "PA" else {}
        self.pipeline = openvino_genai.LLMPipeline(str(folder), "CPU", **options, **scheduler)
        self.engine_states = self.ask_engine(folder, options)

    def scheduler(self) -> Any:
        """The paged backend's scheduler: nothing kept from earlier prompts, and room for every cell. What it is by default but
        for that; a pool in bytes of its own choice would grow while the clock runs."""
        scheduler = self.genai.SchedulerConfig()
        scheduler.enable_prefix_caching = False
        scheduler.max_num_batched_tokens = max(cell.batch * cell.prompt_length for cell in self.plan.cells)
        scheduler.max_num_seqs = self.plan.max_batch
        return scheduler

    def ask_engine(self, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
        """What the engine says it computes in and with how many threads, from the same model compiled with the same options."""
        core = self.ov.Core()
        plain = {name: value for name, value in options.items() if name != "ATTENTION_BACKEND"}
        compiled = core.compile_model(str(folder / "openvino_model.xml"), "CPU", plain)
        return {
            "precision": str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()),
            "kv": str(compiled.get_property("KV_CACHE_PRECISION").get_type_name()),
            "threads": int(compiled.get_property("INFERENCE_NUM_THREADS")),
            "activations": int(compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE")),
            "device": core.get_property("CPU", "FULL_DEVICE_NAME"),
        }

    def begin(self, cell: Cell) -> None:
        refusal = self.reach.refusal(self.backend, cell.prompt_length + cell.new_tokens)
        if refusal:
            raise Unsupported(refusal)

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        import numpy as np

        configuration = self.genai.GenerationConfig()
        configuration.max_new_tokens = new_tokens
        configuration.ignore_eos = True
        sampling = self.plan.sampling
        configuration.do_sample = sampling.temperature > 0
        if sampling.temperature > 0:
            configuration.temperature, configuration.top_p, configuration.rng_seed = (
                sampling.temperature,
                sampling.top_p,
                sampling.seed,
            )
        ids = np.array(prompts, dtype=np.int64)
        inputs = self.ov.Tensor(ids)
        if self.backend == "PA" and len(prompts) > 1:  # takes a batch apart by its mask only
            inputs = self.genai.TokenizedInputs(inputs, self.ov.Tensor(np.ones_like(ids)))
        return [list(row) for row in self.pipeline.generate(inputs, configuration).tokens]

    def statement(self) -> Statement:
        names = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}
        version = importlib.metadata.version("openvino-genai")
        notes = []
        if self.stored() != "float32":
            group = self.engine_states["activations"]
            notes = [f"activations are quantised to int8 in groups of {group}" if group else "activations stay float32"]
        if self.stored() == "int4":
            notes.append("the head's weights in int8")
        return Statement(
            runtime="OpenVINO GenAI",
            runtime_version=version,
            device="cpu",
            device_name=self.engine_states["device"],
            compute_precision=names.get(self.engine_states["precision"], self.engine_states["precision"]),
            weight_precision=self.plan.precision,
            kv_precision=names.get(self.engine_states["kv"], self.engine_states["kv"]),
            threads=self.engine_states["threads"],
            cuda_graphs=False,
            prefix_reuse=False,
            attention=f"{self.backend} backend",
            versions={"openvino": importlib.metadata.version("openvino"), "openvino-genai": version},
            notes=notes,
        )

    def memory(self) -> Memory:
        return Memory(weights=sum(f.stat().st_size for f in self.folder().glob("openvino_model.bin")))

    def close(self) -> None:
        self.pipeline = None
