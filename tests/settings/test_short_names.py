"""Case and short names of choices: what people type, and what their images and shells hold anyway."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import python
from trtbench.settings.knobs import PRECISIONS, ROWS, SHORT_PRECISIONS
from trtbench.settings.lanes import LANES
from trtbench.settings.reading import parse, resolve

CHOICES = [(name, choice) for name, row in ROWS.items() for choice in row.choices]
SHORT = [(name, short, choice) for name, row in ROWS.items() for short, choice in row.short.items()]


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_the_case_of_a_choice_does_not_matter(name: str, choice: str) -> None:
    expected = (choice,) if ROWS[name].many else choice
    assert {parse(name, text) for text in (choice, choice.upper(), choice.capitalize(), f" {choice} ")} == {expected}


@pytest.mark.parametrize(("name", "short", "choice"), SHORT)
def test_a_short_name_means_its_choice(name: str, short: str, choice: str) -> None:
    assert choice in ROWS[name].choices and short not in ROWS[name].choices and short == short.lower()
    expected = (choice,) if ROWS[name].many else choice
    assert parse(name, short) == parse(name, short.upper()) == expected


def test_what_images_and_shells_hold_breaks_no_run() -> None:
    held = {"LOG_LEVEL": "INFO", "DEVICE": "CPU", "REPORT_LANG": "FR", "PRECISION": "fp16,BF16", "OFFLINE": "True"}
    held |= {"MODEL_SOURCE": "Hub", "LANES": "PyTorch-Eager,ONNXRUNTIME", "HEADLINE": "OnnxRuntime", "TRIALS": "Auto"}
    settings, _ = resolve({}, held, Path("none"))
    assert (settings.log_level, settings.device, settings.report_lang, settings.offline) == ("info", "cpu", "fr", True)
    assert (settings.precision, settings.model_source) == (("float16", "bfloat16"), "hub")
    assert (settings.lanes, settings.headline, settings.trials) == (("pytorch-eager", "onnxruntime"), "onnxruntime", 0)
    for level in ("WARN", "CRITICAL", "Trace", "20"):
        assert resolve({}, {"LOG_LEVEL": level}, Path("none"))[0].log_level in ROWS["LOG_LEVEL"].choices


def test_lanes_are_named_in_lower_case() -> None:
    assert all(name == name.lower() for name in LANES)


def test_claims_and_possible_take_the_same_names_of_precisions(tmp_path: Path) -> None:
    claim = tmp_path / "claim.json"
    claim.write_text('[{"batch": 1, "new_tokens": 10, "latency_ms": 1000, "tokens_per_s": 10}]')
    assert set(SHORT_PRECISIONS.values()) <= set(PRECISIONS)
    program = (
        "from trtbench import claims, possible\n"
        "from trtbench.settings.knobs import SHORT_PRECISIONS\n"
        "given = ['--model', 'tinyllama', '--gpu', 'RTX 4070', '--precision']\n"
        "for name in [*SHORT_PRECISIONS, *map(str.upper, SHORT_PRECISIONS)]:\n"
        f"    assert claims.main([{str(claim)!r}, *given, name]) == 0\n"
        "    assert possible.main([*given, name, '--tokens', '10', '--latency-ms', '1000']) == 0\n"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr
