"""A cell that does not fit: its sentence with the figures, and what it leaves in memory."""

from __future__ import annotations

import gc
import weakref

import pytest

from trtbench.measure.out_of_memory import caused, clear_frames, give_memory_back, hole_reason
from trtbench.settings.cells import Cell

MANY = Cell(batch=8, prompt_length=128, new_tokens=200, precision="float16")
ONE = Cell(batch=1, prompt_length=128, new_tokens=200, precision="float16")
# What torch 2.11 said on an H200.
TORCH = (
    "CUDA out of memory. Tried to allocate 60.00 GiB. GPU 0 has a total capacity of 139.80 GiB of which 39.29 GiB is free. "
    "Including non-PyTorch memory, this process has 100.51 GiB memory in use. Of the allocated memory 100.00 GiB is "
    "allocated by PyTorch, and 0 bytes is reserved by PyTorch but unallocated."
)


class OutOfMemoryError(RuntimeError):
    """As torch.cuda names it."""


def test_the_figures_of_torch_and_the_settings_to_lower() -> None:
    assert hole_reason(OutOfMemoryError(TORCH), MANY) == (
        "out of memory with batch 8 and 128 + 200 tokens (60.00 GiB more were asked for, 39.29 GiB of the GPU's 139.80 GiB "
        "were free); lower BATCH_SIZES, PROMPT_LENGTHS or NEW_TOKENS"
    )


def test_a_single_sequence_is_not_told_to_lower_its_batch() -> None:
    assert hole_reason(OutOfMemoryError(TORCH), ONE).endswith("; lower PROMPT_LENGTHS or NEW_TOKENS")


@pytest.mark.parametrize(
    "text",
    [
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8589934592 bytes. Error code 12",
        "bfc_arena.cc Failed to allocate memory for requested buffer of size 8589934592",
    ],
)
def test_bytes_of_other_libraries(text: str) -> None:
    error = RuntimeError(text)
    assert caused(error)
    assert "(8.00 GiB more were asked for, " in hole_reason(error, MANY)


def test_without_figures_in_the_message_the_machine_s_own_are_told() -> None:
    assert "GiB are free); lower BATCH_SIZES" in hole_reason(MemoryError(), MANY)


def test_figures_that_nobody_told_are_left_out() -> None:
    assert hole_reason(RuntimeError("CUDA error: out of memory"), MANY) == (
        "out of memory with batch 8 and 128 + 200 tokens; lower BATCH_SIZES, PROMPT_LENGTHS or NEW_TOKENS"
    )


def test_what_did_not_fit_is_given_back_though_the_exception_is_still_held() -> None:
    class Tensor:
        pass

    held: list[weakref.ref[Tensor]] = []

    def generate() -> None:
        half = Tensor()
        held.append(weakref.ref(half))
        try:
            raise OutOfMemoryError(TORCH)
        except OutOfMemoryError as inner:
            raise RuntimeError("the executor failed: out of memory") from inner

    try:
        generate()
    except RuntimeError as error:
        kept = error
    gc.collect()
    assert held[0]() is not None, "without care it stays"
    clear_frames(kept)
    give_memory_back()
    assert held[0]() is None
