"""A cell that does not fit into memory: known by its exception, told with its figures, cleared away before the next."""

from __future__ import annotations

import gc
import re
import sys
import traceback

import psutil

from trtbench.settings.cells import Cell

GIB = 2**30
# PyTorch: `Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.75 GiB of which 12.44 MiB is free.`
_ASKED = re.compile(r"tried to allocate ([\d.]+ ?(?:[KMGT]i?B|bytes))", re.IGNORECASE)
_FREE = re.compile(
    r"total capacity of ([\d.]+ ?[KMGT]i?B) of which ([\d.]+ ?(?:[KMGT]i?B|bytes)) is free", re.IGNORECASE
)
# ONNX Runtime: `Failed to allocate memory for requested buffer of size 4294967296`, and PyTorch on a CPU: `you tried to
# allocate 4294967296 bytes`.
_BYTES = re.compile(r"(?:requested buffer of size|tried to allocate) (\d{4,})\b", re.IGNORECASE)


def caused(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out (host or GPU), whichever library raised it."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(
            part in str(error).lower()
            for part in ("out of memory", "can't allocate memory", "failed to allocate memory")
        )
    )


def hole_reason(error: BaseException, cell: Cell) -> str:
    """The reason of a hole: what did not fit, the figures as far as the message or the system tells them, what to lower."""
    text = str(error)
    asked, free, size = _ASKED.search(text), _FREE.search(text), _BYTES.search(text)
    figures = []
    if size is not None:
        figures.append(f"{int(size[1]) / GIB:.2f} GiB more were asked for")
    elif asked is not None:
        figures.append(f"{asked[1]} more were asked for")
    if free is not None:
        figures.append(f"{free[2]} of the GPU's {free[1]} were free")
    elif "cuda" not in text.lower():
        memory = psutil.virtual_memory()
        figures.append(f"{memory.available / GIB:.1f} of the machine's {memory.total / GIB:.1f} GiB are free")
    in_brackets = f" ({', '.join(figures)})" if figures else ""
    lower = "BATCH_SIZES, PROMPT_LENGTHS or NEW_TOKENS" if cell.batch > 1 else "PROMPT_LENGTHS or NEW_TOKENS"
    return f"out of memory with batch {cell.batch} and {cell.prompt_length} + {cell.new_tokens} tokens{in_brackets}; lower {lower}"


def clear_frames(error: BaseException | None) -> None:
    """Empty the frames of an exception and of those that led to it: their variables hold what did not fit."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def give_memory_back() -> None:
    """Give memory back to the system, the pool of torch's allocator too where torch is in use."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
