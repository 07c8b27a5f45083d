"""Terminals and pipes that can't write what we say: the character is replaced, and nothing else changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import factory
from command import environment
from trtbench.settings.knobs import ROOT

NARROW = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "cp1252:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


def said(*arguments: str, **settings: str) -> tuple[int, str, str]:
    env = environment(**settings)
    done = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, timeout=120)
    out, err = done.stdout.decode("latin-1"), done.stderr.decode("latin-1")
    assert "Traceback" not in err, err
    return done.returncode, out, err


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow") / "results"
    means = {"pytorch-eager": [2410.0, 2420.0, 2400.0], "onnxruntime": [1000.0, 1005.0, 995.0]}
    factory.store(folder, factory.run(), factory.trials(means))
    return folder


@pytest.mark.parametrize("narrow", NARROW, ids=lambda narrow: "+".join(narrow.values()))
def test_a_french_report_is_printed_where_french_cannot_be_written(results: Path, narrow: dict[str, str]) -> None:
    compare = (str(ROOT / "scripts" / "compare.py"), "--no-chart", "--results-dir", str(results), "--report-lang", "fr")
    status, whole, _ = said(*compare, PYTHONIOENCODING="utf-8")
    assert status in (0, 3) and not whole.isascii()
    status, out, err = said(*compare, **narrow)
    assert status in (0, 3), err
    assert "RAPPORT DE PERFORMANCE" in out and len(out.splitlines()) == len(whole.splitlines())
    assert "?" not in out.replace(" ?", ""), "blanks, accents and signs have stand-ins"


NAMED = "n\u00e9-\u00d7-\u4e2d"  # a folder of that name is a mistake that every command repeats


CLAIM = ("--gpu", "RTX 4070", "--tokens", "1", "--latency-ms", "1")
COMMANDS = {
    "bench": ("-m", "trtbench.bench", "--local", "--model-name", f"/{NAMED}"),
    "engine": ("-m", "trtbench.engine", "--seed", NAMED),
    "compare": (str(ROOT / "scripts" / "compare.py"), "--results-dir", f"/{NAMED}"),
    "claims": ("-m", "trtbench.claims", f"/{NAMED}"),
    "possible": ("-m", "trtbench.possible", "--model", f"/{NAMED}", *CLAIM),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_its_sentence(command: str, tmp_path: Path) -> None:
    status, out, err = said(*COMMANDS[command], PYTHONIOENCODING="ascii:strict", DATA_DIR=str(tmp_path))
    assert (status, out) == (2, "")
    assert "error: " in err and "ne-x-?" in err


def test_the_doctor_too(tmp_path: Path) -> None:
    model = {"MODEL_NAME": f"/{NAMED}", "DATA_DIR": str(tmp_path)}
    for form in ((), ("--json",)):
        words = ("-m", "trtbench.doctor", "--for", "local", *form)
        status, out, _ = said(*words, PYTHONIOENCODING="ascii:strict", **model)
        assert status == 1 and ("ne-x-?" in out or form)
        if form:
            assert f"/{NAMED}" in json.dumps(json.loads(out), ensure_ascii=False), "JSON has a form for every character"


def test_json_is_exact_where_its_text_cannot_be_written(tmp_path: Path) -> None:
    trials = factory.trials({"pytorch-eager": [241.0, 242.0, 240.0]}, model=factory.model(name=NAMED))
    factory.store(tmp_path, factory.run(), trials)
    compare = (
        str(ROOT / "scripts" / "compare.py"),
        "--no-chart",
        "--results-dir",
        str(tmp_path),
        "--format",
        "pytorch-json",
    )
    status, out, err = said(*compare, PYTHONIOENCODING="ascii:strict")
    assert status in (0, 3), err
    assert {record["model"]["name"] for record in json.loads(out)} == {NAMED}


def test_what_a_shell_takes_from_the_settings_is_exact(tmp_path: Path) -> None:
    """A password of `.env`, which scripts/lib.sh hands on to pip."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    proxy = f"http://p\u00e9$w-{NAMED}@proxy:1"
    (tmp_path / ".env").write_text(f"HTTPS_PROXY='{proxy}'\nNO_PROXY=$HOSTS\n", encoding="utf-8")
    script = f". scripts/lib.sh; take_proxies {sys.executable}; env -0"
    for narrow in NARROW:
        env = {name: value for name, value in os.environ.items() if name not in ("HTTPS_PROXY", "NO_PROXY")} | narrow
        words = ["bash", "-c", script, "lib"]
        done = subprocess.run(words, cwd=tmp_path, env={**env, "HOSTS": NAMED}, capture_output=True, check=True)
        seen = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
        assert (seen["HTTPS_PROXY"], seen["NO_PROXY"]) == (proxy, NAMED)


@pytest.mark.parametrize("error", ["PermissionError(1, 'Operation not permitted')", "PermissionError(1, 'no', 3)"])
def test_a_refusal_of_no_place_is_not_taken_for_one_of_a_place(error: str) -> None:
    program = f"from trtbench.errors import run_main\ndef main(): raise {error}\nrun_main(main)"
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" in done.stderr and "error: None" not in done.stderr
    named = program.replace(error, "PermissionError(1, 'Operation not permitted', '/there')")
    done = subprocess.run([sys.executable, "-c", named], env=environment(), capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: /there: Operation not permitted")


def test_the_settings_are_plain_themselves() -> None:
    status, out, _ = said("-m", "trtbench.settings", PYTHONIOENCODING="ascii:strict")
    assert status == 0 and out == (ROOT / ".env.example").read_text(encoding="utf-8") and out.isascii()
