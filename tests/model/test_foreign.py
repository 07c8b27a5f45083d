"""What a model's folder brings along besides its data: kernels of the Hub, other files to read, papers, code; and ids that nobody reads."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pickles
from trtbench.errors import UserError
from trtbench.lanes.onnxruntime.conversion import harmless_end
from trtbench.model import files, finding, folder_view, vocabulary
from trtbench.settings.knobs import Settings

ROOT = Path(__file__).resolve().parents[2]
KERNEL = "somebody/kernel"
# As a package that is installed: get_kernel would fetch a repository and import what is in it.
KERNELS = """
class _Any(type):
    def __getattr__(cls, name): return cls
class Anything(metaclass=_Any):
    def __init__(self, *given, **named): pass
    def __call__(self, *given, **named): return given[0] if given else self
def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return Anything
def get_kernel(name, *given, **named):
    raise SystemExit(f"would run {name}")
"""
LOADING = """
import sys
from pathlib import Path
from trtbench.model.torch_loading import load_model
for folder in sys.argv[1:]:
    try:
        load_model(Path(folder), "float32", "cpu", threads=1)
        print("loaded")
    except SystemExit as error:
        print(error)
"""


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def edit(file: Path, **changed: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


# Kernels of the Hub


@pytest.mark.ngc
def test_a_kernel_of_the_hub_that_a_configuration_names_is_not_run(folder: Path, tmp_path: Path) -> None:
    """Under the transformers that is installed; the folder itself shows that the kernel would run."""
    installed = tmp_path / "installed"
    (installed / "kernels").mkdir(parents=True)
    (installed / "kernels" / "__init__.py").write_text(KERNELS)
    (installed / "kernels-0.18.2.dist-info").mkdir()
    (installed / "kernels-0.18.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: kernels\nVersion: 0.18.2\n"
    )
    folders = [folder]
    edit(folder / "config.json", _attn_implementation=KERNEL)
    for number, named in enumerate(
        (
            {"_attn_implementation": KERNEL},
            {"attn_implementation": f"paged|{KERNEL}@main:forward"},
            {"_attn_implementation_internal": KERNEL, "_experts_implementation": KERNEL},
        )
    ):
        other = Path(shutil.copytree(folder, tmp_path / f"named-{number}"))
        edit(other / "config.json", **{"_attn_implementation": None, **named})
        files.check_folder(other)
        folders.append(folder_view.for_running(other, tmp_path / "cache"))
    done = subprocess.run(
        [sys.executable, "-c", LOADING, *map(str, folders)],
        env={**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT / 'scripts'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n") == [f"would run {KERNEL}", *["loaded"] * 3, ""], done.stderr[-3000:]


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ({"attn_implementation": KERNEL}, {}),
        ({"_attn_implementation": f"{KERNEL}@main"}, {}),
        ({"_attn_implementation_internal": f"sdpa|{KERNEL}"}, {}),
        ({"experts_implementation": KERNEL}, {}),
        ({"attn_implementation": {"": "eager", "text_config": KERNEL}}, {}),
        ({"text_config": {"attn_implementation": KERNEL}}, {"text_config": {}}),
        ({"parts": [{"_experts_implementation": KERNEL}]}, {"parts": [{}]}),
        ({"attn_implementation": "eager"}, {"attn_implementation": "eager"}),
        ({"_attn_implementation": None}, {"_attn_implementation": None}),
        ({"_name_or_path": KERNEL}, {"_name_or_path": KERNEL}),
    ],
)
def test_a_view_names_no_kernel_of_the_hub_and_keeps_a_choice_among_transformers_own(
    folder: Path, tmp_path: Path, named: dict[str, Any], left: dict[str, Any]
) -> None:
    before = json.loads((folder / "config.json").read_text())
    edit(folder / "config.json", **named)
    seen = folder_view.for_running(folder, tmp_path / "cache")
    assert json.loads((seen / "config.json").read_text()) == {**before, **left}
    assert (seen == folder) == (named == left)


# Another file than the one that is recorded


@pytest.mark.ngc
def test_what_runs_is_the_configuration_that_is_checked_and_recorded(folder: Path, tmp_path: Path) -> None:
    from trtbench.model.torch_loading import load_model

    layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    shutil.copy(folder / "config.json", folder / "config.4.0.0.json")
    edit(folder / "config.4.0.0.json", num_hidden_layers=layers - 1)
    edit(folder / "config.json", configuration_files=["config.4.0.0.json"])
    edit(folder / "tokenizer_config.json", fast_tokenizer_files=["tokenizer.4.0.0.json"])
    seen = folder_view.for_running(folder, tmp_path / "cache")
    assert load_model(seen, "float32", "cpu", threads=1).config.num_hidden_layers == layers
    assert "fast_tokenizer_files" not in json.loads((seen / "tokenizer_config.json").read_text())


def test_a_conversion_reads_the_configuration_that_is_checked(tmp_path: Path) -> None:
    folder = pickles.write_folder(
        tmp_path / "model", pickles.GPT2, [dict(pickles.random_model(pickles.GPT2, "float32").state_dict())]
    )
    shutil.copy(folder / "config.json", folder / "config.4.0.0.json")
    edit(folder / "config.4.0.0.json", n_layer=1)
    edit(folder / "config.json", configuration_files=["config.4.0.0.json"])
    settings = Settings(model_name=str(folder), data_dir=str(tmp_path / "data"), convert_pickle=True)
    converted = finding.resolve(settings)
    assert files.parameters(converted) > 0
    assert finding.describe(converted, settings).config["configuration_files"] == ["config.4.0.0.json"]
    names = {name for file in files.weight_files(converted) for name in files._read_header(file)}
    assert any(".h.1." in name for name in names), "both layers of config.json"


# What lies beside a model


def papers(folder: Path) -> None:
    for name in ("README.md", ".gitattributes", "LICENSE", "USE_POLICY.md", "picture.PNG"):
        (folder / name).write_text("x")
    for name in (".git", ".cache"):
        (folder / name).mkdir()
        (folder / name / "config").write_text("x")


def code(folder: Path) -> None:
    (folder / "own.py").write_text("raise SystemExit")


def below(folder: Path) -> None:
    (folder / "custom_generate").mkdir()


def program(folder: Path) -> None:
    (folder / "own.so").write_bytes(b"\x7fELF")


def named(folder: Path) -> None:
    edit(folder / "config.json", auto_map={"AutoModelForCausalLM": "own.Own"})


def refusing(number: int) -> Callable[..., None]:
    def link(file: Path, target: object, *given: object) -> None:
        raise OSError(number, os.strerror(number), str(target), None, str(file))

    return link


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_papers_beside_a_model_need_no_links(
    folder: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers(folder)
    monkeypatch.setattr(Path, "symlink_to", refusing(number))
    assert folder_view.for_running(folder, tmp_path / "cache") == folder
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("beside", [code, below, program, named])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_disk_without_links_is_told_where_they_are_needed(
    folder: Path, tmp_path: Path, number: int, beside: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside(folder)
    monkeypatch.setattr(Path, "symlink_to", refusing(number))
    with pytest.raises(UserError) as error:
        folder_view.for_running(folder, tmp_path / "cache")
    home = tmp_path / "cache" / "model-views"
    assert str(error.value).startswith(
        f"DATA_DIR: {home} takes no symbolic links ({os.strerror(number)}), and {folder} "
    )
    assert not list(home.iterdir())


# Configurations that no program reads


@pytest.mark.parametrize("levels", [200, 200_000])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_a_configuration_without_end_is_told_in_a_sentence(folder: Path, name: str, levels: int) -> None:
    (folder / name).write_text('{"a":' * levels + "1" + "}" * levels)
    with pytest.raises(UserError, match=f"{name} holds JSON deeper than 100 levels"):
        files.check_folder(folder)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"auto_map": {"a": "own.A"}, "b": ' + "[" * 300 + "]" * 300 + "}", "{", ""]
)
def test_a_configuration_that_cannot_be_read_is_not_handed_on(folder: Path, tmp_path: Path, text: str) -> None:
    (folder / "processor_config.json").write_text(text)
    files.check_folder(folder)
    seen = folder_view.for_running(folder, tmp_path / "cache")
    assert json.loads((seen / "processor_config.json").read_text()) == {}


# Ids that nobody reads


@pytest.mark.ngc
@pytest.mark.parametrize("kind", [*vocabulary.PAD_UNREAD, "llama", "opt", "phi"])
def test_a_padding_id_beyond_the_embedding_is_refused_where_transformers_makes_no_model_of_it(kind: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(kind, vocab_size=300, bos_token_id=1, eos_token_id=2, pad_token_id=300)
    stated = {"model_type": kind, "vocab_size": 300, "bos_token_id": 1, "pad_token_id": 300}
    if kind in vocabulary.PAD_UNREAD:
        with torch.device("meta"):
            AutoModelForCausalLM.from_config(config)
        vocabulary.check_special_ids(stated, "config.json")
        return
    with pytest.raises(AssertionError), torch.device("meta"):
        AutoModelForCausalLM.from_config(config)
    with pytest.raises(UserError, match="says pad_token_id=300"):
        vocabulary.check_special_ids(stated, "config.json")


@pytest.mark.parametrize(("pad", "end"), [(7, 7), (300, 299), (None, 299), (2, 299)])
def test_an_engine_that_wants_an_end_gets_no_padding_id_beyond_the_vocabulary(pad: int | None, end: int) -> None:
    assert harmless_end({"vocab_size": 300, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": pad}) == end
