"""Which cards TensorRT for RTX runs on, by their compute capability: said before anything is converted or loaded. Standard
library only and Python 3.8 syntax."""

from __future__ import annotations

# TensorRT for RTX 1.7.1 on a card of 9.0.
_SAID = (
    "The engine cannot run on this GPU, which has compute capability 9.0. "
    "Supported compute capabilities: 8.0 8.6 8.9 12.0 12.1 >12.0"
)
_RUNS = ((8, 0), (8, 6), (8, 9))
_NEWEST = (12, 0)  # and all above
_TURING = (7, 5)
# Those of _RUNS and Turing that ONNX Runtime's plugin of release 0.5.0 does not have among its own.
_NOT_OF_THE_PLUGIN = (_TURING, (8, 0))


def unable(capability: str) -> str:
    """Why a card of this compute capability can't run it; empty where it can."""
    number = _number(capability)
    if number is None or number in _RUNS or number == _TURING or number >= _NEWEST:
        return ""
    said = f'TensorRT for RTX says on a card of 9.0: "{_SAID}"'
    return said if number == (9, 0) else f"its compute capability is {capability}, and {said}"


def doubtful(capability: str) -> str:
    """What speaks against such a card though the lane is started on it, as a sentence without its full stop; empty where nothing
    does."""
    number = _number(capability)
    if number not in _NOT_OF_THE_PLUGIN:
        return ""
    plugin = "ONNX Runtime's plugin 0.5.0 for TensorRT for RTX names 8.6, 8.9, and 12.0 or newer only, so it may list no device here"
    if number == _TURING:
        return f"TensorRT for RTX is not tuned for cards of compute capability 7.5 (Turing), and {plugin}"
    return f"TensorRT for RTX takes cards of compute capability {capability}, but {plugin}"


def _number(capability: str) -> tuple[int, int] | None:
    """Major and minor number; None for what is none."""
    major, _, minor = capability.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None
