"""Failures that users meet, on demand: STANDIN_FAIL is a comma-separated list of the names below.

Each prints what the real tool prints, then ends as it does (exception, exit status, signal or hang).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import NoReturn

from tensorrt_llm._standin.log import cpp_log, python_log, trt_log

NAMES = {
    "import-tensorrt": "import: No module named tensorrt",
    "import-libmpi": "import: libmpi.so.40 is missing",
    "hang-import": "import: never returns",
    "old-driver": "first use of the GPU: the driver is too old",
    "oom-convert": "converter: out of GPU memory",
    "transformers-mismatch": "converter: the model's config needs another transformers",
    "no-weights": "converter: exit 0 with config.json only",
    "calib-network": "quantize.py: the calibration set is not local and the Hub is out of reach",
    "oom-build": "trtllm-build: out of GPU memory",
    "killed-build": "trtllm-build: killed by the kernel",
    "corrupt-engine": "trtllm-build: exit 0 with a truncated engine",
    "mpi-spawn": "LLM: MPI cannot spawn the worker",
    "mpi-slots": "LLM: all nodes already filled",
    "mpi-opal": "LLM: opal_init failed",
    "hang-start": "LLM: the worker never gets ready",
    "bad-compute": "LLM: engine built for another GPU",
    "version-mismatch": "LLM: engine built by another TensorRT",
    "oom-load": "LLM: out of GPU memory while loading",
    "shm": "LLM: bus error in the worker",
    "no-kernel": "LLM: GPU too old for the compiled kernels",
    "oom-run": "generate: out of GPU memory",
    "crash-run": "generate: the worker dies",
    "hang-run": "generate: never returns, from the STANDIN_FAIL_CALL-th on (1)",
    "raise-metrics": "generate: return_perf_metrics is refused",
    "crash-metrics": "generate with return_perf_metrics: the worker dies",
    "hang-metrics": "generate with return_perf_metrics: never returns",
    "hang-shutdown": "LLM.shutdown: never returns",
    "hang-exit": "the interpreter's end: never comes, as where MPI_Finalize waits for ever",
    "short-output": "generate: one token fewer than asked, although the end of sequence is ignored",
    "wrong-tokens": "generate: other ids than the model's",
}


def failing(name: str) -> bool:
    """Tell whether STANDIN_FAIL asks for this failure."""
    asked = [part.strip() for part in os.environ.get("STANDIN_FAIL", "").split(",") if part.strip()]
    unknown = sorted(set(asked) - set(NAMES))
    if unknown:
        raise SystemExit(f"STANDIN_FAIL: unknown failure {', '.join(unknown)}; known: {', '.join(NAMES)}")
    assert name in NAMES, name
    return name in asked


def hang() -> NoReturn:
    """Wait without end, but not longer than a minute after the parent has gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)
    outlive_parent()


def outlive_parent() -> NoReturn:
    """Stay as the orphan that a real MPI worker becomes, for STANDIN_LINGER seconds (60), then go."""
    time.sleep(float(os.environ.get("STANDIN_LINGER", "60")))
    os._exit(1)


def at_import() -> None:
    """Failures of `import tensorrt_llm`."""
    if failing("hang-import"):
        hang()
    if failing("import-tensorrt"):
        raise ModuleNotFoundError("No module named 'tensorrt'", name="tensorrt")
    if failing("import-libmpi"):
        raise ImportError("libmpi.so.40: cannot open shared object file: No such file or directory")


def at_first_gpu_use() -> None:
    """Failure of the first CUDA call."""
    if failing("old-driver"):
        print(
            "UserWarning: CUDA initialization: Unexpected error from cudaGetDeviceCount(). Error 803: system "
            "has unsupported display driver / cuda driver combination",
            file=sys.stderr,
        )
        raise RuntimeError(
            "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver by "
            "downloading and installing a new version"
        )


def at_convert() -> None:
    """Failures of a converter before it reads weights."""
    if failing("transformers-mismatch"):
        raise ValueError(
            "`rope_scaling` must be a dictionary with two fields, `type` and `factor`, got "
            "{'factor': 32.0, 'high_freq_factor': 4.0, 'low_freq_factor': 1.0, 'rope_type': 'llama3'}"
        )
    if failing("oom-convert"):
        import torch

        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 250.00 MiB. GPU 0 has a total capacity of 7.79 GiB of which "
            "120.94 MiB is free."
        )


def at_build() -> None:
    """Failures of trtllm-build while TensorRT works."""
    if failing("killed-build"):
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if failing("oom-build"):
        trt_log(
            "W",
            "Requested amount of GPU memory (33555480576 bytes) could not be allocated. There may not be "
            "enough free memory for allocation to succeed.",
        )
        trt_log(
            "E",
            "[virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 2: OutOfMemory (Requested size was "
            "33555480576 bytes.)",
        )
        raise AssertionError("Engine building failed, please check the error log.")


def at_spawn() -> None:
    """Failures of MPI before a worker exists."""
    if failing("mpi-spawn"):
        raise RuntimeError("MPI_ERR_SPAWN: could not spawn processes")
    if failing("mpi-slots"):
        print(
            "-" * 74 + "\nAll nodes which are allocated for this job are already filled.\n" + "-" * 74,
            file=sys.stderr,
            flush=True,
        )
        raise RuntimeError("MPI_ERR_SPAWN: could not spawn processes")
    if failing("mpi-opal"):
        print(
            "It looks like opal_init failed for some reason; your parallel process is\nlikely to abort.",
            file=sys.stderr,
            flush=True,
        )
        sys.stdout.flush()
        os._exit(1)


def at_worker_start() -> None:
    """Failures inside the worker while it loads."""
    if failing("hang-start"):
        hang()
    if failing("shm"):
        os.kill(os.getpid(), signal.SIGBUS)
    if failing("no-kernel"):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
    if failing("bad-compute"):
        incompatible_device("8.9", "8.6")
    if failing("version-mismatch"):
        version_tag_mismatch()
    if failing("oom-load"):
        message = "CUDA runtime error in ::cudaMallocAsync(ptr, n, mCudaStream->get()): out of memory"
        cpp_log("ERROR", message)
        raise RuntimeError(f"[TensorRT-LLM][ERROR] {message}")


def incompatible_device(expected: str, got: str) -> NoReturn:
    """The engine was built for another compute capability."""
    trt_log(
        "E",
        "IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error (The engine plan file is generated "
        f"on an incompatible device, expecting compute {expected} got compute {got}, please rebuild.)",
    )
    deserialisation_failed()


def version_tag_mismatch() -> NoReturn:
    """The engine was built by another TensorRT."""
    trt_log(
        "E",
        "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion "
        "stdVersionRead == kSERIALIZATION_VERSION failed.Version tag does not match. Note: Current Version: "
        "240, Serialized Engine Version: 239)",
    )
    deserialisation_failed()


def deserialisation_failed() -> NoReturn:
    """What follows every failed deserialisation."""
    message = "Assertion failed: Failed to deserialize cuda engine."
    cpp_log("ERROR", message)
    raise RuntimeError(f"[TensorRT-LLM][ERROR] {message}")


_batches = 0  # that this worker has run


def at_run(metrics: bool) -> None:
    """Failures inside the worker when requests arrive; `metrics`: they ask for the engine's own times."""
    global _batches
    _batches += 1
    if failing("oom-run"):
        python_log("E", "CUDA out of memory while executing a request")
        raise RuntimeError("CUDA out of memory. Tried to allocate 512.00 MiB.")
    if failing("crash-run") or (metrics and failing("crash-metrics")):
        os.kill(os.getpid(), signal.SIGKILL)
    if failing("hang-run") and _batches >= int(os.environ.get("STANDIN_FAIL_CALL", "1")):
        hang()
    if metrics and failing("hang-metrics"):
        hang()


def at_metrics() -> None:
    """Failure of asking for the engine's own times, before a request is sent."""
    if failing("raise-metrics"):
        raise RuntimeError("performance metrics are not available in this executor")


def at_shutdown() -> None:
    """LLM.shutdown, which joins threads and processes without a limit."""
    if failing("hang-shutdown"):
        hang()


def at_exit() -> None:
    """What MPI has the interpreter do at its end."""
    if failing("hang-exit"):
        hang()
