"""`.env` for what reads it before the benchmark does: pip in scripts/lib.sh, and docker/missing.py in NVIDIA's image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trtbench.settings.knobs import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("docker", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / "clone" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "clone"


def said(clone: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    names = ("DATA_DIR", "HTTPS_PROXY", "NO_PROXY", "HF_ENDPOINT")
    env = {name: value for name, value in os.environ.items() if name not in names} | settings
    return subprocess.run(words, cwd=clone, env=env, capture_output=True, text=True)


def test_pip_gets_the_proxy_of_the_file_before_an_environment_is_made(clone: Path) -> None:
    (clone / ".env").write_text("HTTPS_PROXY='http://me:a b$c@proxy:1'\nNO_PROXY=${HOST:-localhost}\nSEED=5\n")
    script = f". scripts/lib.sh; take_proxies {sys.executable}; env -0"
    for given, expected in (({}, "http://me:a b$c@proxy:1"), ({"HTTPS_PROXY": "http://mine:2"}, "http://mine:2")):
        done = said(clone, "bash", "-c", script, "lib", **given)
        seen = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
        assert (seen["HTTPS_PROXY"], seen["NO_PROXY"]) == (expected, "localhost"), done.stderr
        assert "SEED" not in seen
    (clone / ".env").write_text("HTTPS_PROXI=1\n")
    done = said(clone, "bash", "-c", script, "lib")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("error: "), done.stderr
    (clone / ".env").unlink()
    assert said(clone, "bash", "-c", script, "lib").returncode == 0


@pytest.mark.parametrize(
    ("line", "given", "expected"),
    [
        ("DATA_DIR=~/d", {}, "{home}/d"),
        ("DATA_DIR=${HOME}/d", {}, "{home}/d"),
        ("DATA_DIR='~/d'", {}, "{home}/d"),
        ("SEED=1", {}, "{clone}/data"),
        ("DATA_DIR=/elsewhere", {"DATA_DIR": "~/mine"}, "{home}/mine"),
        ("TOP_P=0.5", {}, "{clone}/data"),  # a combination that flags may still mend
    ],
)
def test_missing_py_finds_the_data_folder_as_the_benchmark_does(
    clone: Path, tmp_path: Path, line: str, given: dict[str, str], expected: str
) -> None:
    (clone / ".env").write_text(f"{line}\nHTTPS_PROXY=http://proxy:1\n")
    program = "import missing, os; print(missing.data_folder(), os.environ['HTTPS_PROXY'])"
    done = said(clone, sys.executable, "-c", program, PYTHONPATH="docker", HOME=str(tmp_path), **given)
    assert done.stdout == expected.format(home=tmp_path, clone=clone) + " http://proxy:1\n", done.stderr


def test_missing_py_says_what_is_wrong_with_the_file(clone: Path) -> None:
    (clone / ".env").write_text("DATA_DIR=$NOWHERE/d\n")
    done = said(clone, sys.executable, "-c", "import missing; print(missing.data_folder())", PYTHONPATH="docker")
    assert done.stdout == "None\n"
    assert done.stderr.startswith("error: ") and "NOWHERE, which is not set" in done.stderr
