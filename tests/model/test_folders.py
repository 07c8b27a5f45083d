"""Folders as people have them: pointers and pages in place of files, weights that lie there twice, ids that the model has not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command import Bench
from trtbench.errors import UserError
from trtbench.model import decoders, files, finding, folder_view, vocabulary
from trtbench.model.workload import Workload, build
from trtbench.records.trial import Sampling
from trtbench.settings.knobs import Settings

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"5" * 64 + b"\nsize 17078342\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please log in</body></html>\n"
PROMPT = "the quick brown fox jumps over the lazy dog and then runs back again"
Spoil = Callable[[Path], object]


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be spoilt."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def edit(file: Path, **changed: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def taken(folder: Path, prompts: tuple[str, ...] = (PROMPT,)) -> Workload:
    """What a run of the folder has done before any lane."""
    return build(
        prompts, finding.resolve(Settings(model_name=str(folder), model_source="local")), [], Sampling(), "mine.txt"
    )


def refused(folder: Path, prompts: tuple[str, ...] = (PROMPT,)) -> str:
    """The sentence that a run of the folder would end with before any lane."""
    with pytest.raises(UserError) as error:
        taken(folder, prompts)
    assert "\n" not in str(error.value)
    return str(error.value)


# Something else in place of a file


def shards(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    weights = {"lm_head.weight": "model-00001-of-00001.safetensors"}
    (folder / files.INDEX).write_text(json.dumps({"weight_map": weights}))


@pytest.mark.parametrize(
    "name",
    [
        *("tokenizer.json", "tokenizer_config.json", "config.json", "generation_config.json", "model.safetensors"),
        *(files.INDEX, "model-00001-of-00001.safetensors"),
    ],
)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, "is a pointer of Git LFS in place of the file itself: run `git lfs install` and `git lfs pull`"),
        (PAGE, "is a web page in place of the file: a login or a proxy answered"),
        (b"", "is empty"),
    ],
    ids=["pointer", "page", "empty"],
)
def test_what_lies_in_place_of_a_file_is_told(folder: Path, name: str, content: bytes, said: str) -> None:
    if not (folder / name).exists():
        shards(folder)
    (folder / name).write_bytes(content)
    sentence = refused(folder)
    assert f"{folder / name} {said}" in sentence


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: "{}", "is JSON, but no tokenizer"),
        (lambda text: "[1, 2]", "is JSON, but no tokenizer"),
        (lambda text: text[: len(text) // 2], "is not JSON, or was cut off"),
        (lambda text: "Entry not found", "is not JSON, or was cut off"),
        (
            lambda text: json.dumps({**json.loads(text), "model": {"type": "Wordfall", "vocab": {}}}),
            "is not in a form that tokenizers 0.",
        ),
        (
            lambda text: json.dumps({**json.loads(text), "pre_tokenizer": {"type": "Later"}}),
            "it was saved by another version",
        ),
    ],
    ids=["object", "list", "cut", "answer", "model", "pre-tokenizer"],
)
def test_a_tokenizer_that_cannot_be_read_is_told_in_a_sentence(
    folder: Path, spoil: Callable[[str], str], said: str
) -> None:
    file = folder / "tokenizer.json"
    file.write_text(spoil(file.read_text()))
    sentence = refused(folder)
    assert f"{file} {said}" in sentence or (sentence.startswith(str(file)) and said in sentence)


def test_a_pointer_ends_the_command_before_any_lane(folder: Path, bench: Bench) -> None:
    (folder / "tokenizer.json").write_bytes(POINTER)
    done = bench(MODEL_NAME=str(folder))
    assert done.returncode == 2
    assert (
        "Traceback" not in done.stderr and "git lfs pull" in done.stderr and not bench.results.joinpath("runs").exists()
    )


# Ids that the model has not


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bos_token_id": 50256}, "says bos_token_id=50256, and the model has the ids 0 to 511 (vocab_size=512)"),
        ({"bos_token_id": 512}, "says bos_token_id=512, and"),
        ({"bos_token_id": -1}, "says bos_token_id=-1, which is not one id; it takes one from 0 to 511, or null"),
        ({"bos_token_id": [1, 2]}, "says bos_token_id=[1, 2], which is not one id"),
        ({"bos_token_id": True}, "says bos_token_id=true, which is not one id"),
        ({"bos_token_id": "<s>"}, 'says bos_token_id="<s>", which is not one id'),
        ({"pad_token_id": 512}, "says pad_token_id=512, and"),
        (
            {"text_config": {"vocab_size": 300}, "bos_token_id": 400},
            "says bos_token_id=400, and the model has the ids 0 to 299",
        ),
    ],
)
def test_ids_of_the_configuration_that_the_model_has_not(folder: Path, changed: dict[str, Any], said: str) -> None:
    edit(folder / "config.json", **changed)
    assert f"{folder}/config.json {said}" in refused(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {"bos_token_id": None},
        {"bos_token_id": 511},
        {"pad_token_id": -1},
        {"eos_token_id": 50256},  # no lane stops at it
        {"vocab_size": 640},  # padded beyond the tokenizer
        {"vocab_size": None, "bos_token_id": 50256},  # nobody knows
        {"vocab_size": 8, "text_config": {"vocab_size": 512}},
    ],
)
def test_ids_that_are_right_or_that_nobody_can_know(folder: Path, changed: dict[str, Any]) -> None:
    edit(folder / "config.json", **changed)
    assert taken(folder).bos == changed.get("bos_token_id", 1)


@pytest.mark.parametrize(("end", "told"), [(2, 2), ([3, 2], 3), ([], -1), (None, -1), (512, -1), ([50256], -1)])
def test_engines_that_want_an_end_get_one_of_the_models_ids(end: object, told: int) -> None:
    assert vocabulary.end_id({"vocab_size": 512, "eos_token_id": end}) == told


def test_an_added_token_beyond_the_embedding_is_refused_where_a_prompt_has_it(folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<|call|>"])
    number = rows = tokenizer.token_to_id("<|call|>")  # an embedding without room for it
    tokenizer.save(str(folder / "tokenizer.json"))
    edit(folder / "config.json", vocab_size=rows)
    taken(folder)
    said = refused(folder, (PROMPT, f"{PROMPT} <|call|> {PROMPT}"))
    assert (
        f"prompt 2 of mine.txt holds the token '<|call|>' with the id {number}, and the model has the ids 0 to {rows - 1}"
        in said
    )


# One set of weights


def consolidated(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")


def below(folder: Path) -> None:
    (folder / "original").mkdir()
    shutil.copy(folder / "model.safetensors", folder / "original" / "model.safetensors")


def adapter(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "nowhere/else"}))


def variant(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "model.fp16.safetensors")


def parts(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "model-00001-of-00002.safetensors")
    shutil.copy(folder / "model.safetensors", folder / "model-00002-of-00002.safetensors")


def index_too(folder: Path) -> None:
    parts(folder)
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    (folder / files.INDEX).write_text(json.dumps({"weight_map": dict(zip("ab", names))}))


@pytest.mark.parametrize("beside", [consolidated, below, adapter, variant, parts, index_too])
def test_weights_that_lie_there_twice_count_once(tiny_model: Path, folder: Path, beside: Spoil, tmp_path: Path) -> None:
    """And who runs the model sees them once."""
    beside(folder)
    described, alone = (
        finding.describe(path, Settings(model_name=str(path), data_dir=str(tmp_path))) for path in (folder, tiny_model)
    )
    assert (described.parameters, described.files) == (alone.parameters, alone.files)
    seen = folder_view.for_running(folder, tmp_path / "cache")
    assert seen != folder
    assert {file.name for file in seen.rglob("*")} == {file.name for file in tiny_model.iterdir()}


@pytest.mark.parametrize("beside", [consolidated, adapter, variant])
def test_shards_of_the_index_count_and_what_lies_beside_them_not(folder: Path, beside: Spoil, tmp_path: Path) -> None:
    beside(folder)
    shards(folder)
    assert [file.name for file in files.weight_files(folder)] == ["model-00001-of-00001.safetensors"]
    seen = folder_view.for_running(folder, tmp_path / "cache")
    assert {file.name for file in seen.iterdir()} >= {files.INDEX, "model-00001-of-00001.safetensors"}
    assert files.weight_files(seen) == [seen / "model-00001-of-00001.safetensors"]


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (
            consolidated,
            "holds consolidated.safetensors, and neither model.safetensors nor model.safetensors.index.json",
        ),
        (adapter, "holds an adapter (adapter_model.safetensors) and not the model that it belongs to"),
        (variant, "holds the variant fp16 alone (model.fp16.safetensors)"),
        (parts, "holds parts of a model (model-00001-of-00002.safetensors, model-00002-of-00002.safetensors) without"),
        (below, "holds no *.safetensors"),
    ],
)
def test_a_folder_without_weights_that_transformers_loads(folder: Path, beside: Spoil, said: str) -> None:
    beside(folder)
    (folder / "model.safetensors").unlink()
    assert f"{folder} {said}" in refused(folder)


# What is no decoder


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "names BertForMaskedLM, which guesses words"),
        ({"model_type": "bert", "architectures": ["BertLMHeadModel"]}, "model_type=bert without is_decoder"),
        ({"model_type": "roberta", "architectures": ["RobertaForCausalLM"], "is_decoder": False}, "without is_decoder"),
        ({"model_type": "modernbert", "architectures": ["ModernBertForMaskedLM"]}, "has no causal language model"),
        ({"model_type": "xlnet", "architectures": ["XLNetLMHeadModel"], "attn_type": "bi"}, "says attn_type=bi"),
        (
            {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
            "says is_encoder_decoder: T5ForConditionalGeneration reads one text and writes another",
        ),
        (
            {"model_type": "bart", "architectures": ["BartForConditionalGeneration"], "is_encoder_decoder": True},
            "says is_encoder_decoder",
        ),
        ({"model_type": "pegasus", "architectures": ["PegasusForConditionalGeneration"]}, "without is_decoder"),
        ({"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"]}, "without is_decoder"),
        (
            {"model_type": "gemma3_text", "architectures": ["Gemma3TextModel"], "use_bidirectional_attention": True},
            "says use_bidirectional_attention=true",
        ),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}, "which classifies texts"),
    ],
)
def test_what_is_no_decoder_is_refused(folder: Path, config: dict[str, Any], said: str) -> None:
    edit(folder / "config.json", **config)
    sentence = refused(folder)
    assert said in sentence and "this program measures decoders, which continue a text" in sentence


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "bert", "architectures": ["BertLMHeadModel"], "is_decoder": True},
        {"model_type": "bart", "architectures": ["BartForCausalLM"], "is_decoder": True, "is_encoder_decoder": False},
        {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]},
        {"model_type": "llama4", "architectures": ["Llama4ForConditionalGeneration"], "text_config": {}},
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        {"model_type": "xlnet", "architectures": ["XLNetLMHeadModel"], "attn_type": "uni"},
        {"model_type": "newer-than-this", "architectures": ["NewerForCausalLM"]},
        {"model_type": ["odd"], "architectures": ["OddForCausalLM"]},
    ],
)
def test_decoders_are_taken_and_what_nobody_knows_is_not_guessed(config: dict[str, Any]) -> None:
    assert decoders.no_decoder(config) is None


@pytest.mark.ngc
def test_every_family_that_is_no_encoder_by_transformers_own_tables_is_taken() -> None:
    """By the tables of the transformers that is installed."""
    known = decoders.tables()
    assert known is not None
    both = {*known[decoders.MASKED], *(kind for name in decoders.SEQUENCES for kind in known.get(name, {}))}
    for kind, entry in known[decoders.CAUSAL].items():
        name = entry if isinstance(entry, str) else entry[0]
        assert decoders.no_decoder({"model_type": kind, "architectures": [name], "is_decoder": kind in both}) is None


def test_without_transformers_nothing_is_said_of_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    decoders.tables.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    try:
        assert decoders.no_decoder({"model_type": "bert", "architectures": ["BertForMaskedLM"]}) is None
        assert decoders.native({"model_type": "bert", "architectures": ["BertForMaskedLM"]}) is None
    finally:
        decoders.tables.cache_clear()


# Code of the model's own


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("config.json", {"model_type": "own"}),
        ("config.json", {"architectures": ["OwnForCausalLM"]}),
        ("config.json", {"model_type": "clip", "architectures": ["CLIPModel"]}),
    ],
)
def test_code_that_the_model_needs_is_refused(folder: Path, name: str, changed: dict[str, Any]) -> None:
    edit(folder / name, auto_map={"AutoModelForCausalLM": "own.Own"}, **changed)
    said = refused(folder)
    assert (
        f"{folder}/{name} has auto_map: the model brings its own code, and this program runs none; transformers "
        in said
    )


def test_nobody_who_runs_a_model_sees_code_or_what_names_it(folder: Path, tmp_path: Path) -> None:
    before = finding.describe(folder, Settings(model_name=str(folder), data_dir=str(tmp_path)))
    reference = {"auto_map": {"AutoModelForCausalLM": "elsewhere/code--own.Own", "AutoConfig": "own.OwnConfig"}}
    edit(folder / "config.json", **reference, text_config={"inner": [reference]})
    edit(folder / "tokenizer_config.json", **reference, tokenizer_class="OwnTokenizer")
    edit(folder / "generation_config.json", **reference)
    (folder / "processor_config.json").write_text(json.dumps(reference))
    (folder / "own.py").write_text("raise SystemExit")
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text("raise SystemExit")
    kept = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    seen = folder_view.for_running(folder, tmp_path / "cache")
    assert not any("auto_map" in file.read_text(errors="replace") for file in seen.iterdir())
    assert not [file for file in seen.rglob("*") if file.suffix == ".py" or file.is_dir()]
    assert json.loads((seen / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert json.loads((seen / "config.json").read_text())["text_config"] == {"inner": [{}]}
    assert {file: file.read_bytes() for file in kept} == kept, "the user's own is left alone"
    assert folder_view.for_running(folder, tmp_path / "cache") == seen, "the same view the next time"
    assert folder_view.for_running(seen, tmp_path / "cache") == seen, "there is nothing to take out of it"
    described = finding.describe(folder, Settings(model_name=str(folder), data_dir=str(tmp_path)))
    assert described.config["auto_map"] == reference["auto_map"] and described.digest != before.digest


def test_what_was_put_into_a_view_is_thrown_out(folder: Path, tmp_path: Path) -> None:
    (folder / "own.py").write_text("raise SystemExit")
    seen = folder_view.for_running(folder, tmp_path / "cache")
    (seen / "own.py").write_text("raise SystemExit")
    assert folder_view.for_running(folder, tmp_path / "cache") == seen and not (seen / "own.py").exists()
    (folder / "tokenizer.json").rename(folder / "other.json")
    assert folder_view.for_running(folder, tmp_path / "cache") != seen


def test_a_folder_with_nothing_but_the_model_is_taken_as_it_is(tiny_model: Path, tmp_path: Path) -> None:
    assert folder_view.for_running(tiny_model, tmp_path / "cache") == tiny_model
    assert not (tmp_path / "cache").exists()
