"""`onnxruntime`: ONNX Runtime GenAI on a CPU, converted from the model folder by its own builder."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from trtbench.errors import Unsupported
from trtbench.lanes import prepared
from trtbench.lanes.lane import Lane
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Memory, Statement

SPINNING = "session.intra_op.allow_spinning"
_PRECISION = {"float32": "fp32", "int8": "int8", "int4": "int4"}


def _harmless_end(model: dict[str, Any]) -> int:
    """An id to end at in place of the model's own. The engine insists on one of the vocabulary (given none it takes the
    padding id), and its min_length would mask a logit: so one that models hardly pick: padding or the last of the vocabulary."""
    own = model.get("eos_token_id")
    ends = own if isinstance(own, list) else [own]
    pad, rows = model.get("pad_token_id"), model["vocab_size"]
    return pad if isinstance(pad, int) and pad < rows and pad not in (*ends, model.get("bos_token_id")) else rows - 1


class OnnxRuntime(Lane):
    """The engine's own generation loop, one call a token, as its documentation shows."""

    model: Any = None

    def prepare(self) -> Prepared:
        if self.plan.precision not in _PRECISION:
            raise Unsupported(f"ONNX Runtime GenAI runs float32, int8 and int4 on a CPU, not {self.plan.precision}")
        return prepared.made(self.folder(), self._convert)

    def _convert(self, folder: Path) -> None:
        """Have the package's own builder write the model into `folder`."""
        failure = prepared.convert(
            *(sys.executable, "-m", "onnxruntime_genai.models.builder"),
            *("-i", str(self.plan.model), "-o", str(folder)),
            *("-p", _PRECISION[self.plan.precision], "-e", "cpu"),
            *("-c", str(self.plan.cache / "onnx-builder")),
            # Older builders run a model's own code unless they are told not to.
            *("--extra_options", "hf_remote=false"),
        )
        config = folder / "genai_config.json"
        if failure or not config.is_file():
            raise Unsupported(
                f"the model builder of onnxruntime-genai failed: {failure or 'it wrote no genai_config.json'}"
            )
        written = json.loads(config.read_text())
        written["model"]["eos_token_id"] = [_harmless_end(written["model"])]
        config.write_text(json.dumps(written, indent=1))

    def folder(self) -> Path:
        """Where the converted model lies: named by all that went into it."""
        key = prepared.key(
            *(self.plan.model_digest, self.plan.precision, "harmless end id"),
            libraries=("onnxruntime-genai", "onnx", "transformers", "torch"),
        )
        return self.plan.cache / "onnxruntime" / f"{self.plan.precision}-{key}"

    def load(self) -> None:
        import onnxruntime_genai as og

        folder = self.folder()
        prepared.require(folder)
        self.og = og
        config = og.Config(str(folder))
        # Without this the engine behaves like one thread.
        options: dict[str, Any] = {"intra_op_num_threads": self.plan.threads, "inter_op_num_threads": 1}
        if self.plan.value:
            options[SPINNING] = self.plan.value
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        self.model = og.Model(config)
        self.config = json.loads((folder / "genai_config.json").read_text())
        self.end = self.config["model"]["eos_token_id"][0]

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        og, sampling = self.og, self.plan.sampling
        length = len(prompts[0]) + new_tokens
        # Seeded when greedy too: unseeded, every generator first reads the system's entropy, 12 ms on some virtual machines.
        search: dict[str, Any] = {
            "max_length": length,
            "batch_size": len(prompts),
            "do_sample": False,
            "random_seed": sampling.seed,
        }
        if sampling.temperature > 0:
            # The builder's configuration cuts to the 50 likeliest ids; the workload says nothing of that.
            search.update(do_sample=True, temperature=sampling.temperature, top_p=sampling.top_p, top_k=0)
        parameters = og.GeneratorParams(self.model)
        parameters.set_search_options(**search)
        generator = og.Generator(self.model, parameters)
        generator.append_tokens(prompts if len(prompts) > 1 else prompts[0])
        while generator.token_count() < length:
            generator.generate_next_token()
            if generator.is_done() and generator.token_count() < length:
                # It came up after all and was dropped. Put back, generation goes on as if it were any other id.
                if len(prompts) > 1:
                    break
                generator.append_tokens([self.end])
        rows = [generator.get_sequence(row)[len(prompts[0]) :].tolist() for row in range(len(prompts))]
        if len(rows) > 1 and any(self.end in row[:-1] for row in rows):
            raise Unsupported(
                f"ONNX Runtime GenAI fills a row of a batch up after id {self.end}, and this model's output has that id"
            )
        return rows

    def statement(self) -> Statement:
        import onnxruntime_genai

        return Statement(
            runtime="ONNX Runtime GenAI",
            runtime_version=onnxruntime_genai.__version__,
            device="cpu",
            device_name="CPU",
            compute_precision="float32",
            weight_precision=self.plan.precision,
            kv_precision="float32",
            threads=self.plan.threads,
            cuda_graphs=False,
            prefix_reuse=False,
            attention="GroupQueryAttention",
            versions={
                "onnxruntime-genai": onnxruntime_genai.__version__,
                "onnxruntime": importlib.metadata.version("onnxruntime"),
            },
            notes=self.activations(),
        )

    def activations(self) -> list[str]:
        """What the quantised kernels compute with, read off the converted graph (accuracy level 4 is int8)."""
        import onnx

        if self.plan.precision == "float32":
            return []
        graph = onnx.load(str(self.folder() / "model.onnx"), load_external_data=False).graph
        nodes = [node for node in graph.node if node.op_type == "MatMulNBits"]
        levels = {a.i for node in nodes for a in node.attribute if a.name == "accuracy_level"}
        kinds = sorted({node.op_type for node in graph.node if "MatMul" in node.op_type})
        return [
            f"kernels {', '.join(kinds)}" + (f", accuracy level {max(levels)} (4: int8 activations)" if levels else "")
        ]

    def memory(self) -> Memory:
        return Memory(weights=sum(f.stat().st_size for f in self.folder().glob("*.onnx*")))

    def close(self) -> None:
        self.model = None
