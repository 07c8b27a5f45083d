"""Weights that come as pickle files alone: refused, or converted once, with nothing run and nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pickles
from trtbench.errors import UserError
from trtbench.model import converted, finding, pickle_conversion
from trtbench.model.files import pickle_files
from trtbench.records.identity import model_digest
from trtbench.settings.knobs import Settings

ROOT = Path(__file__).resolve().parents[2]


def settings(folder: Path, data: Path, **more: Any) -> Settings:
    return Settings(
        **{"model_name": str(folder), "data_dir": str(data), "convert_pickle": True, "log_level": "info", **more}
    )


def logits(folder: Path, **loading: Any) -> Any:
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto", **loading).eval()
    with torch.no_grad():
        return model(torch.arange(3, 40)[None]).logits


def without_prefix(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name != "lm_head.weight"}


def as_once_saved(name: str) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Configuration, weights and ways of saving, as repositories of these families have them."""
    import torch

    if name == "OPT in float16, in shards":
        state = dict(pickles.random_model(pickles.OPT, "float16").state_dict())
        half = len(state) // 2
        return pickles.OPT, [dict(list(state.items())[:half]), dict(list(state.items())[half:])], {}
    if name == "OPT in float16, names without their prefix":
        return (
            pickles.OPT,
            [without_prefix(dict(pickles.random_model(pickles.OPT, "float16").state_dict()), "model.")],
            {},
        )
    state = dict(pickles.random_model(pickles.GPT2, "float32").state_dict())
    for layer in range(2):  # buffers that older versions of transformers also saved, in other precisions
        state[f"transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 256, 256, dtype=torch.uint8).tril()
        state[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4, dtype=torch.float64)
    return pickles.GPT2, [state], {"_use_new_zipfile_serialization": False}


@pytest.fixture(scope="module")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config, parts, saving = as_once_saved("OPT in float16, in shards")
    return pickles.write_folder(tmp_path_factory.mktemp("opt") / "opt-1.3b", config, parts, **saving)


@pytest.fixture
def folder(opt: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(opt, tmp_path / "model"))


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("OPT in float16, in shards", "float16"),
        ("OPT in float16, names without their prefix", "float16"),
        ("GPT-2 in float32, as torch and transformers once saved", "float32"),
    ],
)
def test_what_is_converted_computes_the_same_bit_by_bit(name: str, precision: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    config, parts, saving = as_once_saved(name)
    source = pickles.write_folder(tmp_path / "model", config, parts, **saving)
    before = {file.name: file.read_bytes() for file in source.iterdir()}
    chosen = settings(source, tmp_path / "data")
    made = finding.resolve(chosen)
    assert made.is_relative_to(tmp_path / "data" / "models" / "converted")
    assert not list(made.glob("*.bin*"))
    answer = logits(made, use_safetensors=True)
    assert str(answer.dtype) == f"torch.{precision}"
    original = pickles.random_model(config, precision)
    tied = {"lm_head.weight"}
    assert set(load_file(made / "model.safetensors")) == set(original.state_dict()) - tied
    with torch.no_grad():
        assert torch.equal(answer, original(torch.arange(3, 40)[None]).logits)
    assert torch.equal(answer, logits(source, use_safetensors=False))
    described = finding.describe(made, chosen)
    assert described.converted == ("pytorch_model.bin" if len(parts) == 1 else "pytorch_model.bin.index.json")
    assert described.dequantised is None and described.config["torch_dtype"] == precision
    assert described.source == "local" and described.revision is None
    # tied weights are stored, and counted, once
    assert described.parameters == sum(tensor.numel() for tensor in original.parameters())
    # the digest is over what is loaded, and that is there once only
    assert described.files is not None and set(described.files) >= {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
    }
    assert described.digest == model_digest(described.files)
    assert Tokenizer.from_file(str(made / "tokenizer.json")).encode("the quick fox").ids
    # what it was made of is as it was, and is not read again
    assert {file.name: file.read_bytes() for file in source.iterdir()} == before
    assert finding.resolve(chosen) == made


def test_without_the_setting_the_sentence_names_it(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        finding.resolve(settings(folder, tmp_path / "data", convert_pickle=False))
    assert f"{folder} holds no *.safetensors" in str(refused.value)
    assert "CONVERT_PICKLE=1 converts pytorch_model.bin to safetensors, once" in str(refused.value)
    assert "runs no code" in str(refused.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", pickles.HARMFUL)
def test_a_file_that_holds_more_than_weights_runs_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, said = pickles.HARMFUL[kind]
    (tmp_path / "pytorch_model.bin").write_bytes(content())
    with pytest.raises(SystemExit) as ended:
        pickle_conversion.read([tmp_path / "pytorch_model.bin"])
    assert str(ended.value).startswith("pytorch_model.bin ") and said in str(ended.value)
    assert "\n" not in str(ended.value) and "weights_only" not in str(ended.value)
    assert not (tmp_path / pickles.MARK).exists()


def test_the_mark_is_left_by_what_does_load_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above could not fail."""
    import torch

    monkeypatch.chdir(tmp_path)
    for kind in ("os.system", "os.system, as torch once wrote", "eval"):
        (tmp_path / "x.bin").write_bytes(pickles.HARMFUL[kind][0]())
        torch.load(tmp_path / "x.bin", weights_only=False)
        (tmp_path / pickles.MARK).unlink()


def test_an_older_torch_is_refused(opt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights-only loading could be made to run code."""
    import torch

    file = opt / "pytorch_model-00001-of-00002.bin"
    monkeypatch.setattr(torch, "__version__", "2.5.1+cu124")
    with pytest.raises(SystemExit, match=r"torch 2\.5\.1\+cu124 is too old: .* safe from 2\.6 on"):
        pickle_conversion.read([file])
    monkeypatch.setattr(torch, "__version__", "2.10.0a0+nv25.12")
    assert pickle_conversion.read([file])


def converted_state(source: Path, folder: Path) -> dict[str, Any]:
    """What is written for `source`, by name: the conversion itself, in this process."""
    from safetensors.torch import load_file

    folder.mkdir()
    precision = pickle_conversion.write_weights(pickle_conversion.read(pickle_files(source)), source, folder)
    written = load_file(folder / "model.safetensors")
    assert {str(tensor.dtype) for tensor in written.values()} == {f"torch.{precision}"}
    return written


def test_a_precision_that_is_mixed_is_kept_exactly(tmp_path: Path) -> None:
    import torch

    state = dict(pickles.random_model(pickles.OPT, "float16").state_dict())
    name = "model.decoder.final_layer_norm.weight"
    state[name] = state[name].float() + 2.0**-20
    source = pickles.write_folder(tmp_path / "model", pickles.OPT, [state])
    written = converted_state(source, tmp_path / "out")
    assert torch.equal(written[name], state[name])
    assert all(torch.equal(tensor, state[key].float()) for key, tensor in written.items())


def test_names_that_transformers_changes_on_loading_are_changed(tmp_path: Path) -> None:
    """LayerNorm.gamma and LayerNorm.beta, as files of the first years have them."""
    import torch

    config = {
        **{"model_type": "bert", "architectures": ["BertLMHeadModel"], "is_decoder": True, "vocab_size": 320},
        **{"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4},
    }
    state = dict(pickles.random_model(config, "float32").state_dict())
    older = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in state.items()
    }
    assert set(older) != set(state)
    (tmp_path / "model").mkdir()
    torch.save(older, tmp_path / "model" / "pytorch_model.bin")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    written = converted_state(tmp_path / "model", tmp_path / "out")
    assert any(name.endswith("LayerNorm.weight") for name in written)
    assert all(torch.equal(tensor, state[name]) for name, tensor in written.items())


def lacks_a_weight(state: dict[str, Any]) -> None:
    del state["model.decoder.layers.1.fc1.weight"]


def of_another_model(state: dict[str, Any]) -> None:
    for name in list(state):
        state[f"other.{name}"] = state.pop(name)


def of_another_size(state: dict[str, Any]) -> None:
    state["model.decoder.layers.1.fc1.weight"] = state["model.decoder.layers.1.fc1.weight"][:8]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lacks_a_weight, r"its files lack model\.decoder\.layers\.1\.fc1\.weight"),
        (of_another_model, "none of the names in its files is one of the model that config.json describes"),
        (
            of_another_size,
            r"model\.decoder\.layers\.1\.fc1\.weight has the shape \(8, 32\), and config\.json says \(64, 32\)",
        ),
    ],
)
def test_weights_that_are_not_those_of_the_model_are_refused_and_none_is_made_up(
    spoil: Callable[[dict[str, Any]], None], said: str, tmp_path: Path
) -> None:
    state = dict(pickles.random_model(pickles.OPT, "float16").state_dict())
    spoil(state)
    source = pickles.write_folder(tmp_path / "model", pickles.OPT, [state])
    with pytest.raises(SystemExit, match=said):
        converted_state(source, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.safetensors"))


# The process


def acting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """In place of the conversion's process, one that does this; its arguments are SOURCE, FOLDER and BYTES."""
    (tmp_path / "acting.py").write_text(f"import json, os, pathlib, sys, time\n{code}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(converted, "CONVERTER", "acting")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os.kill(os.getpid(), 9)", "the system ended the process (SIGKILL), which it does when memory runs out"),
        ("os.kill(os.getpid(), 11)", "it was ended by SIGSEGV"),
        ("time.sleep(60)", "it took longer than 2 s, and was ended"),
        (r"sys.exit('a\x1b[2J reason.')", "(CONVERT_PICKLE=1): a\ufffd[2J reason; set MODEL_NAME"),
        ("sys.exit(3)", "status 3"),
    ],
)
def test_a_conversion_that_ends_otherwise_leaves_nothing(
    code: str, said: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting(monkeypatch, tmp_path, f"pathlib.Path(sys.argv[2], 'model.safetensors').write_bytes(b'half')\n{code}")
    monkeypatch.setattr(converted, "START", 2.0)
    with pytest.raises(UserError) as refused:
        finding.resolve(settings(folder, tmp_path / "data"))
    assert said in str(refused.value) and str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "data" / "models").rglob("*.safetensors"))


def test_its_process_has_no_secrets_no_network_and_no_way_around(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_SECRET")
    monkeypatch.setenv("NGC_API_KEY", "nvapi-SECRET")
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_SECRET")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    acting(monkeypatch, tmp_path, f"open({str(tmp_path / 'env')!r}, 'w').write(json.dumps(dict(os.environ)))")
    with pytest.raises(UserError):  # nothing was written
        finding.resolve(settings(folder, tmp_path / "data"))
    text = (tmp_path / "env").read_text()
    env = json.loads(text)
    assert "SECRET" not in text and "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in env
    assert (env["TORCH_FORCE_WEIGHTS_ONLY_LOAD"], env["HF_HUB_OFFLINE"], env["CUDA_VISIBLE_DEVICES"]) == ("1", "1", "")


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, timeout=120, check=False
    )


def test_memory_that_runs_out_is_said(folder: Path) -> None:
    """A pickle can ask for more memory than its size tells: the process has a bound of its own."""
    done = python(
        "import sys; from pathlib import Path; from trtbench.model import pickle_conversion as p\n"
        "p.ROOM = 2**30; p.read = lambda files: bytearray(3 * 2**30)\n"
        "p.main(Path(sys.argv[1]), Path(sys.argv[1]), 1000)",
        str(folder),
    )
    assert (done.returncode, done.stderr.strip()) == (1, "memory ran out")


def test_the_process_ends_with_the_one_that_started_it() -> None:
    inner = (
        "import time; from trtbench.model import pickle_conversion as p; p.bound(0); print(flush=True); time.sleep(60)"
    )
    done = python(
        "import os, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {inner!r}], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "child.stdout.readline(); print(child.pid, flush=True); os._exit(0)"
    )
    child = int(done.stdout)
    deadline = time.monotonic() + 20
    while alive(child):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            pytest.fail("it went on")
        time.sleep(0.1)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Where the result lies


def stub(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> list[Path]:
    """A conversion that gives the tiny model; returns the sources that it was asked for."""
    asked: list[Path] = []

    def convert(folder: Path, final: Path, *rest: object) -> None:
        asked.append(folder)
        shutil.copytree(tiny_model, final)

    monkeypatch.setattr(converted, "_convert", convert)
    return asked


@pytest.mark.parametrize(
    "name", ["pytorch_model-00001-of-00002.bin", "config.json", "vocab.json", "merges.txt", "tokenizer_config.json"]
)
def test_a_changed_source_is_converted_again(
    name: str, folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = stub(monkeypatch, tiny_model)
    chosen = settings(folder, tmp_path / "data")
    first = finding.resolve(chosen)
    assert finding.resolve(chosen) == first and len(asked) == 1
    (folder / "README.md").write_text("no part of the model")
    assert finding.resolve(chosen) == first and len(asked) == 1
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b"\n")
    assert finding.resolve(chosen) != first and len(asked) == 2
    (folder / name).write_bytes(content)
    assert finding.resolve(chosen) == first and len(asked) == 2


def test_a_snapshot_of_a_cache_keeps_its_commit(
    opt: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As huggingface_hub lays it out: links into a folder of blobs."""
    stub(monkeypatch, tiny_model)
    home = tmp_path / "models--facebook--opt-1.3b"
    shutil.copytree(opt, home / "blobs")
    snapshot = home / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    for file in (home / "blobs").iterdir():
        (snapshot / file.name).symlink_to(Path("..") / ".." / "blobs" / file.name)
    chosen = settings(snapshot, tmp_path / "data")
    assert finding.describe(finding.resolve(chosen), chosen).revision == "c" * 40


def write_index(folder: Path, weights: object) -> None:
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weights}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "pytorch_model-00002-of-00002.bin").unlink(), "lacks 'pytorch_model-00002-of-00002.bin'"),
        (lambda f: write_index(f, {"a": "../secret.bin"}), "lacks '../secret.bin'"),
        (lambda f: write_index(f, {"a": "vocab.json"}), "lacks 'vocab.json'"),
        (lambda f: write_index(f, {"a": 3}), "lacks '3'"),
        (lambda f: write_index(f, [1]), "is not a pickle index"),
        (lambda f: (f / "merges.txt").unlink(), "nothing that one can be converted from"),
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
    ],
)
def test_what_is_wrong_with_such_a_folder_is_told(
    spoil: Callable[[Path], object], said: str, folder: Path, tmp_path: Path
) -> None:
    spoil(folder)
    with pytest.raises(UserError) as refused:
        finding.resolve(settings(folder, tmp_path / "data"))
    assert said in str(refused.value)
    assert not (tmp_path / "data" / "models").exists()


def test_too_little_disk_is_said_first(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=converted.MARGIN)
    monkeypatch.setattr(converted.shutil, "disk_usage", lambda path: free)
    with pytest.raises(
        UserError, match=r"a second time, .* GB, and .* has 0\.3 GB free; free space, or name with DATA_DIR"
    ):
        finding.resolve(settings(folder, tmp_path / "data"))
