"""Scripts that belong to no package, as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from trtbench.settings.knobs import ROOT


def load(path: str) -> ModuleType:
    """A script of this project as a module; `path` is below the project's folder."""
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), ROOT / f"{path}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
