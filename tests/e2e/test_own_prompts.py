"""PROMPTS_FILE in the real command: a chat in the record, a sentence and status 2 for what is no prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from command import Bench

pytestmark = pytest.mark.usefixtures("toys")
SHAREGPT = [
    {"conversations": [{"from": "human", "value": f"How was month {at}?"}, {"from": "gpt", "value": "Wet."}]}
    for at in range(3)
]


def test_sharegpt_is_measured_through_the_chat_template_and_the_record_says_so(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "ShareGPT.json"
    file.write_text(json.dumps([*SHAREGPT, {"conversations": []}, "short"]))
    done = bench(PROMPTS_FILE=str(file), LANES="toy-torch", TRIALS="1")
    assert done.returncode == 0, done.stderr
    assert "ShareGPT.json: left out 1 conversation in which nobody asks anything" in done.stderr
    assert "ShareGPT.json: left out 1 prompt of fewer than 8 tokens" in done.stderr
    work = json.loads((bench.runs()[0] / "workload.json").read_text())
    assert work["prompts_name"] == "ShareGPT.json, through the model's chat template"
    assert len(work["starts"]) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"goal": "x"}\n', ", line 1: it has no field such as prompt"),
        ('[{"prompt": "cut', ", line 1, is not JSON"),
        ("id,answer\n1,x\n", ", line 1: a table wants a header"),
    ],
)
def test_data_that_is_not_understood_is_refused_before_a_model_is_fetched(
    content: str, said: str, bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "p.txt").write_text(content)
    done = bench(PROMPTS_FILE=str(tmp_path / "p.txt"), MODEL_NAME="nobody/has-this")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: PROMPTS_FILE={str(tmp_path / 'p.txt')!r}{said}")
    assert "Traceback" not in done.stderr
    assert not (bench.data / "results" / "runs").exists()


def test_a_chat_for_a_model_without_a_chat_template_is_refused(tiny_model: Path, bench: Bench, tmp_path: Path) -> None:
    model = tmp_path / "base"
    shutil.copytree(tiny_model, model)
    (model / "tokenizer_config.json").unlink()
    (tmp_path / "p.json").write_text(json.dumps(SHAREGPT))
    done = bench(PROMPTS_FILE=str(tmp_path / "p.json"), MODEL_NAME=str(model))
    assert done.returncode == 2
    assert "has no chat template; name a model that has one" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_template_that_a_chat_breaks_is_refused_in_one_sentence(
    tiny_model: Path, bench: Bench, tmp_path: Path
) -> None:
    model = tmp_path / "huge"
    shutil.copytree(tiny_model, model)
    config = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": "{{ 'a' * 2 ** 25 }}"}))
    (tmp_path / "p.json").write_text(json.dumps(SHAREGPT))
    done = bench(PROMPTS_FILE=str(tmp_path / "p.json"), MODEL_NAME=str(model))
    assert done.returncode == 2
    assert "template makes 33,554,432 letters of prompt 1 of p.json." in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
