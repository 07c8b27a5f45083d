"""Whether the torch of an interpreter can use the card: asked by computing a sum there, in a process of its own."""

from __future__ import annotations

import json
import os

from trtbench.machine.checks import last_line, run_program
from trtbench.settings.environments import Interpreter

SECONDS = 120  # torch's first import from a slow disk takes most of it
QUESTION = """
import json
import torch
told = {"version": str(torch.__version__), "cuda": torch.version.cuda}
try:
    told["sum"] = float(torch.ones(2, device="cuda").sum())
except Exception as error:
    told["error"] = (str(error).strip().splitlines() or [type(error).__name__])[0]
print(json.dumps(told))
"""


def why_not(python: Interpreter) -> str:
    """Why its torch can't use the card, as a sentence without its full stop; empty where it can, and where it gave no answer in
    time."""
    # The card that the trials get, whose order of cards is NVML's.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    status, out, err = run_program(python.program, "-c", QUESTION, seconds=SECONDS)
    if status is None:
        return ""
    try:
        told = json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return f"importing torch fails: {last_line(err)}"
    if told.get("sum") == 2.0:
        return ""
    if not told["cuda"]:
        return f"torch {told['version']} is a build without CUDA"
    return f"torch {told['version']}, built for CUDA {told['cuda']}, can't use the card: {told.get('error', 'it adds wrongly')}"
