"""The card as the CUDA driver shows it to this process, asked of libcuda.so.1: the torch beside an engine may be one for CPUs,
and NVML knows a process in a container by another number."""

from __future__ import annotations

import ctypes
from typing import Any

from trtbench.errors import Unsupported

_NAME = 256  # bytes, more than any card's name has


class Card:
    """The first GPU that CUDA shows to this process. Raises Unsupported where the driver shows none."""

    def __init__(self) -> None:
        try:
            self._cuda: Any = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise Unsupported(f"no CUDA driver answers here: {error}") from None
        self._ask("cuInit", ctypes.c_uint(0))
        device = ctypes.c_int()
        self._ask("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
        name = ctypes.create_string_buffer(_NAME)
        self._ask("cuDeviceGetName", name, ctypes.c_int(_NAME), device)
        self.name = name.value.decode("utf-8", "replace")
        self._context = ctypes.c_void_p()  # the one that every engine in this process shares
        self._ask("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)

    def _ask(self, function: str, *arguments: Any) -> None:
        status = getattr(self._cuda, function)(*arguments)
        if status:
            name = ctypes.c_char_p()
            self._cuda.cuGetErrorName(status, ctypes.byref(name))
            raise Unsupported(
                f"the CUDA driver answers {(name.value or b'?').decode('utf-8', 'replace')} to {function}"
            )

    def free(self) -> int:
        """Bytes of the card that nobody uses."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._ask("cuCtxPushCurrent_v2", self._context)
        try:
            self._ask("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        finally:
            self._ask("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
        return free.value


def refusal(engine: str, place: str, taken: int | None, weights: int) -> str:
    """Why an engine does not run on the card, by its own word on its `place` and by the bytes of the card `taken` once it has
    generated, None until then; empty where it does. One that lays the model into the computer's memory instead need not say so.
    Fewer than none are taken where others gave some back meanwhile: then nothing can be said."""
    if place.upper() == "CPU":
        return f"{engine} computes on the CPU, though the card was asked for"
    if taken is not None and 0 <= taken < weights // 2:
        return (
            f"{engine} took {taken / 2**20:,.0f} MiB of the card for weights of {weights / 2**20:,.0f} MiB: it does not compute "
            "there, though the card was asked for"
        )
    return ""
