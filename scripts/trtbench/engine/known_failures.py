"""Messages of engines and drivers that people really meet, each with our sentence and what to do about it.

The fragments are short because the exact texts change from release to release; the log always has the whole message.
docs/troubleshooting.md lists the same rows by what the user sees, and a test holds the two together.
"""

from __future__ import annotations

import dataclasses
import re

EVERY, TENSORRT_LLM = "", "tensorrt"


@dataclasses.dataclass(frozen=True)
class Symptom:
    """`pattern` is looked for in a log, without regard to case; `reason` says what it means, `remedy` what to do. What it says is
    true of lanes of this `family` (settings/lanes.py) and untrue of the others, or of EVERY lane, in a container or outside."""

    name: str
    family: str
    pattern: str
    reason: str
    remedy: str


# The first row that is found counts, so a cause stands before the message that always follows it.
SYMPTOMS = (
    Symptom(
        "old-driver",
        EVERY,
        r"driver on your system is too old|unsupported display driver|forward compatibility was attempted|"
        r"driver version is insufficient|\berror 803\b",
        "the NVIDIA driver is too old for the CUDA that the engine uses",
        "install a newer driver on the host (WSL2: in Windows), for CUDA 13 at least 580; see NVIDIA_SETUP.md",
    ),
    Symptom(
        "lost-gpu",
        EVERY,
        r"gpu is lost|fallen off the bus|device (?:was |is )?lost|devicelost|uncorrectable ecc|\becc error|"
        r"cudaErrorECCUncorrectable|\berror 214\b",
        "the GPU is lost: the driver no longer reaches it, or its memory gave an error that cannot be corrected",
        "look for Xid in the system log (dmesg | grep -i xid), restart the machine, then go on with --resume",
    ),
    Symptom(
        "gpu-fault",
        EVERY,
        r"unspecified launch failure|illegal memory access|cudaErrorLaunchFailure|launch timed out",
        "the GPU stopped this process after a fault in its work",
        "look for Xid in the system log (dmesg | grep -i xid); when it comes again, leave this lane out of LANES",
    ),
    Symptom(
        "unsupported-gpu",
        TENSORRT_LLM,
        r"no kernel image is available",
        "this GPU is not supported: TensorRT-LLM 1.2.1 needs compute capability 8.0 or newer, "
        "and RTX 20xx, GTX 16xx, T4 and V100 have less",
        "use an RTX 30xx, A100 or newer; the PyTorch and CPU lanes still run",
    ),
    Symptom(
        "other-gpu",
        TENSORRT_LLM,
        r"generated on an incompatible device|incompatible device, expecting compute",
        "the TensorRT engine was built on another kind of GPU",
        "run bash scripts/build_engine.sh again: it builds one for this GPU",
    ),
    Symptom(
        "other-tensorrt",
        TENSORRT_LLM,
        r"version tag does not match|stdVersionRead == kSERIALIZATION_VERSION|older plan file|newer plan file",
        "the TensorRT engine was built by another version of TensorRT",
        "run bash scripts/build_engine.sh again: it builds one for this version",
    ),
    Symptom(
        "out-of-memory",
        EVERY,
        r"out of memory|OutOfMemory|cudaErrorMemoryAllocation|GPU memory \(\d+ bytes\) could not be allocated",
        "CUDA out of memory",
        "close other programs that use the GPU (nvidia-smi lists them), or lower BATCH_SIZES, PROMPT_LENGTHS or "
        "NEW_TOKENS, or take a smaller model or, where the lane has one, a PRECISION of fewer bits",
    ),
    Symptom(
        "damaged-engine",
        TENSORRT_LLM,
        r"failed to deserialize cuda engine|deserializeCudaEngine: Error|kSAFE_SERIALIZATION_VERSION",
        "the TensorRT engine is damaged: TensorRT cannot read it",
        "build it again: bash scripts/build_engine.sh --rebuild",
    ),
    Symptom(
        "engine-too-small",
        TENSORRT_LLM,
        r"must not exceed engine max batch size|should not exceed max_seq_len|exceeds maximum input length",
        "the workload is larger than the sizes that the engine was built for",
        "run bash scripts/build_engine.sh with the same settings as the benchmark",
    ),
    Symptom(
        "no-profile",
        TENSORRT_LLM,
        r"satisfyProfile|does not satisfy any optimization profile",
        "the TensorRT engine has no optimisation profile for a step of this size",
        "build it again: bash scripts/build_engine.sh --rebuild, with the same settings as the benchmark",
    ),
    Symptom(
        "pdl-before-sm90",
        TENSORRT_LLM,
        r"griddepcontrol|requires \.target sm_90\b",
        "FlashInfer compiled a kernel with programmatic dependent launch, which this GPU does not have (before compute "
        "capability 9.0)",
        "set TRTLLM_ENABLE_PDL=0, which loses nothing on such a GPU, or use release:1.2.1, whose FlashInfer does not do it",
    ),
    Symptom(
        "bus-error",
        EVERY,
        r"bus error|SIGBUS|signal:? 7\b|unable to open shared memory",
        "shared memory is too small: a process ended with a bus error",
        "start a container with --ipc=host or --shm-size=2g (Compose: shm_size), and --ulimit memlock=-1; elsewhere df -h "
        "/dev/shm tells what is free",
    ),
    Symptom(
        "mpi-slots",
        TENSORRT_LLM,
        r"are already filled|not enough slots available",
        "MPI has no free slot for the executor's worker",
        "set OMPI_MCA_rmaps_base_oversubscribe=1, and do not start this program under mpirun or a job scheduler's "
        "launcher",
    ),
    Symptom(
        "mpi-root",
        TENSORRT_LLM,
        r"(?:mpirun|prted) has detected an attempt to run as root",
        "Open MPI refuses to run as root",
        "set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1, or start the container with --user",
    ),
    Symptom(
        "mpi-spawn",
        TENSORRT_LLM,
        r"MPI_ERR_SPAWN|MPI_ERR_UNKNOWN|MPI_Comm_spawn|COMM_SELF\.Spawn|could not spawn processes|\bPRTE\b",
        "MPI cannot start the executor's worker",
        "set TLLM_WORKER_USE_SINGLE_PROCESS=1, with which none is started: images from 1.3.0rc27 on ship an Open MPI 5 in which "
        "that fails, for root above all; in release:1.2.1 start the container with --ipc=host",
    ),
    Symptom(
        "mpi-init",
        TENSORRT_LLM,
        r"opal_init failed|orte_init failed|ompi_mpi_init|PMIX ERROR",
        "Open MPI cannot initialise itself",
        "unset OMPI_*, PMIX_* and SLURM_* variables that come from outside the container, and keep the image's own "
        "entrypoint, which sets LD_LIBRARY_PATH",
    ),
    Symptom(
        "no-libmpi",
        TENSORRT_LLM,
        r"libmpi\S*: cannot open shared object|libmpi\.so",
        "TensorRT-LLM finds no Open MPI library",
        "run it in NVIDIA's image; outside, install Open MPI (Debian and Ubuntu: libopenmpi-dev)",
    ),
    Symptom(
        "no-tensorrt",
        TENSORRT_LLM,
        r"No module named '?tensorrt'?(?![\w.])|libnvinfer\S*: cannot open shared object",
        "TensorRT-LLM is here, but TensorRT itself cannot be imported",
        "run it in NVIDIA's image with its own entrypoint; do not install tensorrt beside it with pip",
    ),
    Symptom(
        "no-engine-runtime",
        TENSORRT_LLM,
        r"No module named '?tensorrt_llm\._tensorrt_engine",
        "this release of TensorRT-LLM no longer runs TensorRT engines (1.3.0rc20 was the last that did)",
        "use release:1.2.1, or run the lane tensorrt-pytorch, the only TensorRT-LLM lane in this image",
    ),
    Symptom(
        "unknown-architecture",
        TENSORRT_LLM,
        r"unknown architecture for AutoModelForCausalLM",
        "TensorRT-LLM's own PyTorch runtime does not know this model's architecture",
        "leave tensorrt-pytorch out of LANES; tensorrt-engine may still run it",
    ),
    Symptom(
        "calibration",
        TENSORRT_LLM,
        r"couldn't reach .* on the hub|unsupported dataset name|trust_remote_code=True|BuilderConfig '3\.0\.0' not found",
        "the calibration texts could not be read",
        "they are written into DATA_DIR/cache/calibration: look whether that folder can be read; "
        "or choose a PRECISION without calibration (float16, int8, int4)",
    ),
    Symptom(
        "other-transformers",
        TENSORRT_LLM,
        r"`rope_scaling` must be a dictionary|requires (?:the )?transformers|upgrade transformers|"
        r"does not recognize this architecture|cannot import name .* from '(?:transformers|tensorrt_llm)",
        "the converter and the installed transformers or tensorrt_llm do not fit together",
        "use NVIDIA's image as it is: its converter beside its own transformers, nothing upgraded; a model that needs a "
        "newer transformers cannot be converted by this release",
    ),
    Symptom(
        "main-guard",
        EVERY,
        r"before the\s+current process has finished its bootstrapping phase",
        "the engine's worker imported the program again and started it a second time",
        "start the benchmark through scripts/ or python -m, not from a script without a main guard",
    ),
    Symptom(
        "disk-full",
        EVERY,
        r"no space left on device",
        "the disk is full",
        "free space, or name with DATA_DIR a folder on another disk",
    ),
    Symptom(
        "unknown-flag",
        TENSORRT_LLM,
        r"unrecognized arguments: |no such option: ",
        "the tool does not know a flag that this program passes: it is of another release",
        "use release:1.2.1; data/engines/contract_probe.json lists what differs",
    ),
    Symptom(
        "worker-died",
        TENSORRT_LLM,
        r"executor worker died|worker has died|executor worker returned error",
        "the executor's worker ended without saying why",
        "most often shared memory is too small (start the container with --ipc=host) or the system ended it because memory "
        "ran out (look at the system log)",
    ),
)
KILLED = Symptom(
    "killed",
    EVERY,
    "",
    "the system ended the process (SIGKILL), which it does when memory runs out",
    "look at the system log; free memory or give the container more, or take a smaller model, batch or sequence",
)
LOST_GPU = next(symptom for symptom in SYMPTOMS if symptom.name == "lost-gpu")
BUS_ERROR = next(symptom for symptom in SYMPTOMS if symptom.name == "bus-error")
SLOW_START = Symptom(
    "slow-start",
    TENSORRT_LLM,
    "",
    "TensorRT-LLM did not start",
    "known causes: too little shared memory (--ipc=host), a VPN or WSL2 network that Open MPI waits for (set "
    "OMPI_MCA_btl_tcp_if_include=lo, or TLLM_WORKER_USE_SINGLE_PROCESS=1, with which Open MPI starts no process), another "
    "engine on the same GPU, or a large model on a slow disk (raise ENGINE_START_LIMIT)",
)
SLOW_START_OF_ANOTHER = Symptom(
    "slow-start",
    EVERY,
    "",
    "the engine did not start",
    "known causes: another engine on the same GPU, or a large model on a slow disk (raise ENGINE_START_LIMIT)",
)


def slow_start(family: str) -> Symptom:
    """What is known of a lane of this family that doesn't get through its start."""
    return SLOW_START if family == SLOW_START.family else SLOW_START_OF_ANOTHER


def explain(text: str, family: str = TENSORRT_LLM) -> Symptom | None:
    """The first known failure that a log or a message shows, or None; only one that is true of this family of lanes. What builds
    engines is TensorRT-LLM's."""
    for symptom in SYMPTOMS:
        if symptom.family in (EVERY, family) and re.search(symptom.pattern, text, re.IGNORECASE):
            return symptom
    return None


def cause(text: str, with_remedy: bool = False) -> str:
    """Why a tool failed, from its output, in half a sentence: what is known of its messages, else its last line."""
    failure = explain(text)
    if failure is not None:
        return f"{failure.reason}: {failure.remedy}" if with_remedy else failure.reason
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
