"""Synthetic models: the exact shape, the same bytes for the same seed, and a folder only when it is whole."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from command import TINY, environment
from trtbench.errors import UserError
from trtbench.model import files, finding, synthetic
from trtbench.model.synthetic import SYNTHETIC, write_synthetic
from trtbench.settings.knobs import Settings


def count(name: str) -> int:
    return sum(math.prod(size) for _, size in synthetic._tensors(SYNTHETIC[name]))


def test_real_shapes_have_exactly_the_real_number_of_parameters() -> None:
    assert count("tinyllama") == 1_100_048_384
    assert count("llama7b") == 6_738_415_616


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("demo")
    return finding.resolve(Settings(model_name="demo", data_dir=str(data)))


def test_the_demo_is_a_model_that_transformers_loads(demo: Path) -> None:
    import transformers

    assert files.parameters(demo) == count("demo")
    model = transformers.AutoModelForCausalLM.from_pretrained(demo, local_files_only=True)
    assert sum(p.numel() for p in model.parameters()) == count("demo")
    # As spread as the docstring says, and no two layers alike.
    first, second = (model.model.layers[i].mlp.up_proj.weight.detach().float() for i in (0, 1))
    assert float(first.std()) == pytest.approx(1 / math.sqrt(SYNTHETIC["demo"].hidden), rel=0.02)
    assert not bool((first == second).all())


def test_the_demo_has_a_tokenizer_with_a_chat_template(demo: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(demo, local_files_only=True)
    text = "La décision du conseil, naïve or not: 3 < 5."
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    said = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert said == "<|user|>\nHi</s>\n<|assistant|>\n"


def test_a_second_call_makes_nothing(demo: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in demo.iterdir()}
    assert finding.resolve(Settings(model_name="demo", data_dir=str(demo.parents[1]))) == demo
    assert {file: file.stat().st_mtime_ns for file in demo.iterdir()} == before


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        write_synthetic(tmp_path / name, TINY, seed)
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ac"]
    assert weights[0] != weights[1]
    assert synthetic.make("demo", 1, tmp_path / "m").name != synthetic.make("demo", 2, tmp_path / "m").name


def test_weights_are_rounded_to_the_nearest_bfloat16(tmp_path: Path) -> None:
    import numpy as np
    import torch
    from safetensors.torch import load_file

    write_synthetic(tmp_path, TINY, 3)
    stored = load_file(tmp_path / "model.safetensors")["model.embed_tokens.weight"]
    drawn = np.random.Generator(np.random.PCG64(3)).standard_normal((TINY.vocab, TINY.hidden), dtype=np.float32)
    drawn *= np.float32(1 / math.sqrt(TINY.hidden))
    assert torch.equal(stored, torch.from_numpy(drawn).to(torch.bfloat16))


def test_a_kill_while_making_leaves_no_half_folder(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from trtbench.model import synthetic\n"
        "def forever(*_): print('writing', flush=True); time.sleep(60)\n"
        "synthetic._write_weights = forever\n"
        "synthetic.make('demo', 1, Path(sys.argv[1]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    start = time.monotonic()
    folder = synthetic.make("demo", 1, tmp_path)  # the dead maker's lock and leavings are no hindrance
    assert time.monotonic() - start < 30
    files.check_folder(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".making")] == []


@pytest.mark.parametrize("kibibytes", [8, 400])  # full at the tokenizer, full at the weights
def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Callable[[int], Path], kibibytes: int) -> None:
    folder = small_disk(kibibytes)
    with pytest.raises(UserError, match="the synthetic model demo could not be written to .*: No space left on device"):
        synthetic.make("demo", 1, folder)
    assert [path.name for path in folder.iterdir() if not path.name.endswith(".lock")] == []


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="DATA_DIR=.* cannot be written: Not a directory"):
        synthetic.make("demo", 1, tmp_path / "file" / "models")
