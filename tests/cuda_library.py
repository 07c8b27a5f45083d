"""A libcuda.so.1 that answers as told, compiled here: what a program meets that asks the CUDA driver."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lacking import lacking

SOURCE = """
#include <stdlib.h>
#include <unistd.h>
int cuInit(unsigned flags) { %(before)s return %(status)d; }
int cuDriverGetVersion(int *version) { *version = %(version)d; return 0; }
int cuGetErrorName(int status, const char **name) { *name = "%(name)s"; return 0; }
"""


def cuda_library(
    folder: Path, status: int = 0, version: int = 13010, name: str = "CUDA_SUCCESS", before: str = ""
) -> str:
    """Write libcuda.so.1 into `folder`; return that folder, for LD_LIBRARY_PATH. `before` is C that cuInit runs first."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("g++")
    if not compiler:
        lacking("there is no C compiler")
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "cuda.c"
    source.write_text(SOURCE % {"status": status, "version": version, "name": name, "before": before})
    command = [compiler, "-x", "c", "-shared", "-fPIC", "-o", str(folder / "libcuda.so.1"), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return str(folder)
