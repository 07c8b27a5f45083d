"""Small models of families whose older checkpoints come as pickle files alone, and files that would do harm when unpickled."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

OPT = {
    **{"model_type": "opt", "vocab_size": 320, "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "word_embed_proj_dim": 32, "max_position_embeddings": 256, "torch_dtype": "float16"},
    **{"architectures": ["OPTForCausalLM"], "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1},
}
GPT2 = {
    **{
        "model_type": "gpt2",
        "vocab_size": 320,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 256,
        "n_ctx": 256,
    },
    **{"architectures": ["GPT2LMHeadModel"], "bos_token_id": 0, "eos_token_id": 0},
}
SETTINGS_OF_TOKENIZERS: dict[str, dict[str, Any]] = {
    "opt": {"tokenizer_class": "GPT2Tokenizer", "errors": "replace", "add_bos_token": True, "add_prefix_space": False},
    "gpt2": {"model_max_length": 256},
}


def write_slow_tokenizer(folder: Path, kind: str) -> None:
    """vocab.json and merges.txt: all bytes, and the merges that a few words give."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<pad>", "</s>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["the quick brown fox and the lazy dog, été in the garden of the house"] * 20, trainer
    )
    tokenizer.model.save(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps(SETTINGS_OF_TOKENIZERS[kind]))


def random_model(config: dict[str, Any], precision: str) -> Any:
    """The model of this configuration with seeded random weights."""
    import torch
    import transformers

    torch.manual_seed(7)
    kind = transformers.AutoConfig.for_model(**config)
    return transformers.AutoModelForCausalLM.from_config(kind).to(getattr(torch, precision)).eval()


def write_folder(folder: Path, config: dict[str, Any], parts: list[dict[str, Any]], **saving: Any) -> Path:
    """A folder as older repositories are: configuration, slow tokenizer, and `parts` of weights, with an index if several."""
    import torch

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    write_slow_tokenizer(folder, config["model_type"])
    if len(parts) == 1:
        torch.save(parts[0], folder / "pytorch_model.bin", **saving)
        return folder
    names = [f"pytorch_model-{number:05}-of-{len(parts):05}.bin" for number in range(1, len(parts) + 1)]
    for name, part in zip(names, parts):
        torch.save(part, folder / name, **saving)
    weights = {tensor: name for name, part in zip(names, parts) for tensor in part}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}))
    return folder


# Files that do something else when they are loaded: each would leave a file named `MARK` in the working directory.

MARK = "it-was-run"


class _Call:
    """Pickled as a call of this function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


SYSTEM = _Call(os.system, f"touch {MARK}")
OPEN = _Call(eval, f"open({MARK!r}, 'w').close()")


def _saved(value: Any, **options: Any) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


def _torchscript() -> bytes:
    import torch

    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), stream)
    return stream.getvalue()


def _zip_with_code() -> bytes:
    """A plain zip, not torch's, that carries Python beside the pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": SYSTEM}, protocol=2))
        archive.writestr("archive/code/__init__.py", f"open({MARK!r}, 'w').close()")
        archive.writestr("archive/version", "3\n")
    return stream.getvalue()


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("storages", "tensors", "pickle"):
            content = pickle.dumps({"a": SYSTEM} if name == "pickle" else 0, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _compressed() -> bytes:
    """What torch wrote, deflated: a small file for much memory."""
    import torch

    stream = io.BytesIO()
    stored = zipfile.ZipFile(io.BytesIO(_saved({"a": torch.zeros(1 << 16)})))
    with stored, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in stored.namelist():
            archive.writestr(member, stored.read(member))
    return stream.getvalue()


def _cut_off() -> bytes:
    import torch

    return _saved({"a": torch.ones(100)})[:900]


# What the sentence says of each.
HARMFUL: dict[str, tuple[Callable[[], bytes], str]] = {
    "os.system": (lambda: _saved({"a": SYSTEM}), "asks for posix.system, which is no part of weights"),
    "os.system, as torch once wrote": (
        lambda: _saved({"a": SYSTEM}, _use_new_zipfile_serialization=False),
        "asks for posix.system",
    ),
    "os.system, plain pickle": (lambda: pickle.dumps({"a": SYSTEM}, protocol=2), "asks for posix.system"),
    "os.system, a newer protocol": (lambda: pickle.dumps(SYSTEM), "is not read by torch's weights-only loading"),
    "eval": (lambda: _saved(collections.OrderedDict(a=OPEN)), "asks for eval"),
    "a class of torch": (lambda: _whole_module(), "asks for torch.nn.modules.linear.Linear"),
    "TorchScript": (_torchscript, "is a TorchScript archive"),
    "a zip with code": (_zip_with_code, "asks for posix.system"),
    "the oldest format": (_tar, "is in torch's format from before 2016"),
    "compressed": (_compressed, "is compressed"),
    "cut off": (_cut_off, "is not a whole file of weights"),
    "empty": (lambda: b"", "is not a whole file of weights"),
    "a pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
    "no tensors": (lambda: _saved({"epoch": 3}), "is not a table of tensors by name"),
    "a list": (lambda: _saved([1, 2]), "is not a table of tensors by name"),
}


def _whole_module() -> bytes:
    import torch

    return _saved(torch.nn.Linear(2, 2))
