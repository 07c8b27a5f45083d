"""Stand-in for the TensorRT Python package: its version and nothing else."""

from __future__ import annotations

import os

from tensorrt_llm._standin.hardware import SIMULATED as SIMULATED

__version__ = os.environ.get("STANDIN_TENSORRT", "10.14.1.48")
