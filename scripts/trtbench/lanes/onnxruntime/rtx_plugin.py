"""ONNX Runtime's plugin that has TensorRT for RTX in it: registering it, the devices that it lists, and the version of the
TensorRT for RTX that it brings."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from trtbench.errors import Unsupported, first_line
from trtbench.lanes.onnxruntime import libraries

DISTRIBUTION = "onnxruntime-ep-nv-tensorrt-rtx"
TENSORRT = "libtensorrt_rtx.so.1"
_REGISTERED: set[tuple[str, str]] = set()  # with GenAI in this process: name and library


def register() -> Any:
    """Register the plugin with GenAI; return GenAI's module. Raises Unsupported where it can't be loaded, or lists no device."""
    import onnxruntime

    libraries.preload()
    import onnxruntime_ep_nv_tensorrt_rtx as plugin
    import onnxruntime_genai

    name, library = str(plugin.get_ep_name()), str(plugin.get_library_path())
    try:
        if (name, library) not in _REGISTERED and not _listed(onnxruntime, name, library):
            raise Unsupported(
                f"TensorRT for RTX {version()} lists no device here: the plugin takes cards of compute capability 8.6, 8.9, and 12.0 "
                "or newer, with a driver for CUDA 13"
            )
        # GenAI refuses it a second time, and a trial prepares and loads in one process.
        if (name, library) not in _REGISTERED:
            onnxruntime_genai.register_execution_provider_library(name, library)
            _REGISTERED.add((name, library))
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(f"TensorRT for RTX can't be loaded: {first_line(error)}") from error
    return onnxruntime_genai


def _listed(onnxruntime: Any, name: str, library: str) -> list[Any]:
    """The devices that the plugin lists. GenAI does not tell; onnxruntime's module does, which has an ONNX Runtime of its own in
    the same process, from which the plugin is taken again."""
    onnxruntime.register_execution_provider_library(name, library)
    devices = [str(device) for device in onnxruntime.get_ep_devices() if device.ep_name == name]
    onnxruntime.unregister_execution_provider_library(name)
    return devices


def version() -> str:
    """The version of TensorRT for RTX, asked of its library."""
    import onnxruntime_ep_nv_tensorrt_rtx as plugin

    tensorrt = ctypes.CDLL(str(Path(plugin.get_library_path()).parent / TENSORRT))
    parts = ("Major", "Minor", "Patch", "Build")
    return ".".join(str(getattr(tensorrt, f"getInferLib{part}Version")()) for part in parts)
