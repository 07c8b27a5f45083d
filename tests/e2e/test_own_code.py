"""A model that brings code which nobody needs: it runs with transformers' own class, and its code is executed nowhere.

The code leaves a mark when it is imported. That it would is shown by those who trust a folder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from command import Bench, python
from standin.kit import run_tool
from standin.product import Product
from trtbench.model import files, folder_view
from trtbench.settings.knobs import ROOT

pytestmark = pytest.mark.slow

TRUSTING = """
import sys, transformers
transformers.AutoConfig.from_pretrained(sys.argv[1], trust_remote_code=True)
"""


class Bringing:
    """A folder with code for model, configuration and tokenizer, and the mark that each of them leaves."""

    def __init__(self, folder: Path, mark: Path) -> None:
        self.folder, self.mark = folder, mark
        leave = f"import pathlib; pathlib.Path({str(mark)!r}).open('a').write(__name__)\n"
        classes = {
            "modeling_x": "from transformers import LlamaForCausalLM\nclass XForCausalLM(LlamaForCausalLM): pass\n",
            "configuration_x": "from transformers import LlamaConfig\nclass XConfig(LlamaConfig): pass\n",
            "tokenization_x": "from transformers import PreTrainedTokenizerFast\nclass XTokenizer(PreTrainedTokenizerFast): pass\n",
        }
        for name, text in classes.items():
            (folder / f"{name}.py").write_text(leave + text)
        self.edit(
            "config.json", {"AutoConfig": "configuration_x.XConfig", "AutoModelForCausalLM": "modeling_x.XForCausalLM"}
        )
        self.edit("tokenizer_config.json", {"AutoTokenizer": [None, "tokenization_x.XTokenizer"]})

    def edit(self, name: str, auto_map: object) -> None:
        file = self.folder / name
        file.write_text(json.dumps({**json.loads(file.read_text()), "auto_map": auto_map}))


@pytest.fixture
def bringing(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bringing:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))  # where transformers copies such code to
    return Bringing(Path(shutil.copytree(tiny_model, tmp_path / "bringing")), tmp_path / "executed")


def test_no_lane_and_no_judge_executes_it(bringing: Bringing, bench: Bench) -> None:
    lanes = "pytorch-eager,pytorch-compile,pytorch-tuned,onnxruntime,openvino"
    bench.settings |= {"MODEL_NAME": str(bringing.folder), "LANES": lanes, "TRIALS": "1", "NUM_ITERATIONS": "1"}
    run = bench.start(
        NEW_TOKENS="4", PYTHONPATH=str(ROOT / "scripts")
    )  # without the toy lanes, whose runs nobody judges
    said, _ = run.communicate(timeout=600)
    assert not bringing.mark.exists()
    assert run.returncode == 0, said
    trials = [json.loads(text) for text in bench.trials().values()]
    assert {trial["lane"] for trial in trials if trial["failure"] is None} == set(lanes.split(","))
    assert len({json.dumps(trial["cells"][0]["e2e"]["outputs"]) for trial in trials}) == 1
    judged = json.loads((bench.runs()[-1] / "judge.json").read_text())
    assert judged["failure"] is None
    for trial in trials:  # what lies in the user's folder is what the records tell
        assert files.brings_code(trial["model"]["config"]) and trial["model"]["config_text"]
    assert "auto_map" in (bringing.folder / "config.json").read_text()
    seen = folder_view.for_running(bringing.folder, bench.data / "cache")
    assert python("-c", TRUSTING, str(seen)).returncode == 0
    assert not bringing.mark.exists(), "not even by those who trust what they get"
    python("-c", TRUSTING, str(bringing.folder))
    assert bringing.mark.exists(), "whoever trusts the folder executes it: the mark works"


def test_no_tool_of_nvidia_executes_it_although_they_trust_what_they_get(bringing: Bringing, tmp_path: Path) -> None:
    product = Product(bringing.folder, tmp_path / "data")
    done = product.build(PRECISION="float16,int4_awq")
    assert done.returncode == 0, done.stdout
    done = product.bench(LANES="tensorrt-engine,tensorrt-pytorch")
    assert done.returncode == 0, done.stdout
    assert not bringing.mark.exists()
    ran = {trial["lane"] for trial in product.trials() if trial["failure"] is None}
    assert ran == {"tensorrt-engine", "tensorrt-pytorch"}
    out = tmp_path / "checkpoint"
    run_tool("convert-llama", "--model_dir", bringing.folder, "--output_dir", out, cwd=tmp_path)
    assert bringing.mark.exists(), "on the user's own folder they do: the mark works"
