"""The library's version, in Open MPI's words. Importing the real module starts MPI unless mpi4py.rc.initialize is off."""

from __future__ import annotations

import os

import mpi4py

if mpi4py.rc.initialize:
    raise RuntimeError("the stand-in does not start MPI: set mpi4py.rc.initialize to False before MPI is imported")


def Get_library_version() -> str:
    """As MPI_Get_library_version says it."""
    return f"Open MPI v{os.environ.get('STANDIN_OPEN_MPI', '4.1.9a1')}, package: simulated, ident: simulated"
