"""Terminals and pipes that can't write what we say: the character is replaced, and nothing else changes."""

from __future__ import annotations

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
        assert status == 1 and "ne-x-?" in out


def test_the_settings_are_plain_themselves() -> None:
    status, out, _ = said("-m", "trtbench.settings", PYTHONIOENCODING="ascii:strict")
    assert status == 0 and out == (ROOT / ".env.example").read_text(encoding="utf-8") and out.isascii()
