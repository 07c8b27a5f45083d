"""Run optimum-benchmark once (its own environment): launcher, model folder, where the report goes."""

import json
import sys

from optimum_benchmark import (
    Benchmark,
    BenchmarkConfig,
    InferenceConfig,
    InlineConfig,
    ProcessConfig,
    PyTorchConfig,
)

if __name__ == "__main__":
    launcher, model, out = sys.argv[1:]
    config = BenchmarkConfig(
        name="peer",
        launcher=ProcessConfig() if launcher == "process" else InlineConfig(),
        scenario=InferenceConfig(
            latency=True,
            memory=True,
            warmup_runs=10,
            iterations=10,
            duration=0,
            input_shapes={"batch_size": 1, "sequence_length": 128},
            generate_kwargs={"max_new_tokens": 200, "min_new_tokens": 200},
        ),
        backend=PyTorchConfig(
            model=model, task="text-generation", device="cpu", torch_dtype="float32", no_weights=False
        ),
    )
    report = Benchmark.launch(config)
    with open(out, "w") as file:
        json.dump(report.to_dict(), file)
