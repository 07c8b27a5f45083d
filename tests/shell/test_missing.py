"""docker/missing.py: packages whose own words are broken are no reason to stop, and none of them counts as installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from trtbench.settings.knobs import ROOT


@pytest.fixture
def missing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("missing", ROOT / "docker" / "missing.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Packages as a careless installation leaves them, and a sound one."""
    for folder, metadata in {
        "sound-1.5.dist-info": "Name: sound\nVersion: 1.5\n",
        "pytorch_triton-3.5.dist-info": "Name: triton-of-another-name\nVersion: 3.5\n",  # renamed by hand
        "nameless-1.0.dist-info": "Version: 1.0\n",
        "ageless-2.0.dist-info": "Name: ageless\n",
        "mute-3.0.dist-info": None,
        "~orch-2.0.dist-info": "Name: ~orch\n",  # what pip leaves of an uninstallation that was cut off
        ".dist-info": "",
    }.items():
        (tmp_path / folder).mkdir()
        if metadata is not None:
            (tmp_path / folder / "METADATA").write_text(metadata)
    return tmp_path


def test_versions_leave_out_what_is_broken(missing: ModuleType, odd: Path) -> None:
    words = [sys.executable, "-W", "ignore", "-c", missing.VERSIONS]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(odd)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sound"] == "1.5" and found["msgspec"]
    assert not {"nameless", "ageless", "mute", "triton-of-another-name", None, "null"} & set(found)


def test_a_broken_package_lacks(
    missing: ModuleType, odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(odd))
    lock = tmp_path / "lock"
    lock.write_text(
        "# made by hand\nsound==1.0\nageless==2.0\nmute==3.0\nabsent==4.0\n"
        "elsewhere==1 ; sys_platform == 'win32'\nhere==1 ; python_full_version >= '3.10'\n"
    )
    assert missing.lacking(lock) == [
        "ageless==2.0",
        "mute==3.0",
        "absent==4.0",
        "here==1 ; python_full_version >= '3.10'",
    ]
