"""What the tuned decoder computes, held against transformers on tiny models of each family; and what it refuses, by name."""

from __future__ import annotations

import inspect
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tiny_families import GEMMA3, LONGROPE, SIZES, TINY, config_of, greedy, loaded, write_tiny

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from trtbench.errors import Unsupported  # noqa: E402
from trtbench.lanes.lane import Plan, create  # noqa: E402
from trtbench.lanes.tuned import decoder, families, session, steps, weights  # noqa: E402
from trtbench.lanes.tuned.launch import DependentLaunch  # noqa: E402
from trtbench.records.trial import Sampling  # noqa: E402
from trtbench.settings.cells import Cell  # noqa: E402

PROMPT, NEW = 11, 9
LONGEST = PROMPT + NEW


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The arithmetic without the compiler, which the end-to-end tests of the lane have; on one thread, as models this small
    are done before others have begun."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(session, "LEAST_SPAN", 16)
    yield
    torch.set_num_threads(before)


def read(folder: Path, config: dict[str, Any], longest: int = LONGEST) -> decoder.Config:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return families.read_config(folder, longest)


def outcome_of(folder: Path, config: dict[str, Any], longest: int = LONGEST) -> decoder.Config | str:
    """What is computed, or the sentence that refuses it."""
    try:
        return read(folder, config, longest)
    except Unsupported as refusal:
        return str(refusal)


def tuned(
    folder: Path, prompts: list[list[int]], sums: bool, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[list[int]], Any]:
    """Ids and logits [B, new, V] of our own decoder."""
    config = families.read_config(folder, LONGEST)
    layers, ends = weights.read_weights(folder, config, torch.float32, "cpu")
    logits: list[Any] = []
    real = steps.logits_of

    def kept(*arguments: Any) -> Any:
        logits.append(real(*arguments))
        return logits[-1]

    shape = len(prompts), PROMPT, NEW
    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(steps, "logits_of", kept)
        launch = DependentLaunch(folder, "cpu")
        ids = session.Session(config, layers, ends, Sampling(), shape, launch, sums).run(prompts, NEW)
    return ids, torch.stack(logits, 1)


def check(model: Any, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(seed)
    # One sequence and four of them as sums over rows, two by the matrix library: the three forms of a decode step.
    for batch, sums in ((1, True), (4, True), (2, False)):
        prompts = torch.randint(3, 290, (batch, PROMPT), generator=draw).tolist()
        ids, logits = tuned(folder, prompts, sums, monkeypatch)
        assert ids == greedy(model, prompts, NEW)
        with torch.no_grad():
            whole = model(torch.tensor([prompt + new for prompt, new in zip(prompts, ids)])).logits
        torch.testing.assert_close(logits, whole[:, PROMPT - 1 : -1], rtol=1e-4, atol=2e-5)


@pytest.mark.ngc  # what this lane reads by itself must be what either transformers reads
@pytest.mark.parametrize("name", TINY)
def test_ids_and_logits_are_those_of_transformers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        check(write_tiny(folder, config_of(name), seed), folder, seed, monkeypatch)


@pytest.mark.ngc
def test_a_gemma3_that_also_sees_runs_as_its_language_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeing = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    config = {
        "model_type": "gemma3",
        "text_config": {"model_type": "gemma3_text", **SIZES, **GEMMA3},
        "vision_config": {"model_type": "siglip_vision_model", **seeing},
        "mm_tokens_per_image": 4,
        "image_token_index": 299,
        "boi_token_index": 298,
        "eoi_token_index": 297,
    }
    model = write_tiny(tmp_path / "model", config, 3)
    assert type(model).__name__ == "Gemma3ForConditionalGeneration"
    check(model, tmp_path / "model", 3, monkeypatch)
    for where in (config, config["text_config"]):
        with pytest.raises(Unsupported, match="tie_word_embeddings"):
            read(tmp_path / "config", json.loads(json.dumps(config).replace(
                json.dumps(where)[1:], '"tie_word_embeddings": false, ' + json.dumps(where)[1:], 1
            )))  # fmt: skip


@pytest.mark.ngc
@pytest.mark.parametrize(("name", "kind"), [("llama", "Llama"), ("gemma", "Gemma"), ("olmo2", "Olmo2")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_norms_are_rounded_where_the_family_rounds_them(name: str, kind: str, dtype: Any) -> None:
    module = sys.modules.get(f"transformers.models.{name}.modeling_{name}") or __import__(
        f"transformers.models.{name}.modeling_{name}", fromlist=["x"]
    )
    norm = getattr(module, f"{kind}RMSNorm")(64, eps=1e-6)
    torch.manual_seed(4)
    x, weight = (torch.randn(50, 64) * 3).to(dtype), (torch.randn(64) * 0.3).to(dtype)
    norm.weight.data = weight
    config: Any = types.SimpleNamespace(kind=name)
    assert torch.equal(decoder.rms_norm(x, weights._norm(weight, config), 1e-6), norm(x))


@pytest.mark.ngc
def test_gemmas_scale_of_the_embedding_is_rounded_to_the_weights(tmp_path: Path) -> None:
    model = write_tiny(tmp_path / "model", {**config_of("gemma"), "hidden_size": 72}, 1).bfloat16()
    config = families.read_config(tmp_path / "model", LONGEST, torch.bfloat16)
    _, ends = weights.read_weights(tmp_path / "model", config, torch.bfloat16, "cpu")
    ids = torch.arange(3, 290)
    with torch.no_grad():
        theirs = model(ids[None], output_hidden_states=True).hidden_states[0][0]
    assert torch.equal(decoder.embed(ids, ends, config), theirs)
    assert config.embedding_scale != 72**0.5


def class_of(kind: str) -> Any:
    return transformers.models.auto.configuration_auto.CONFIG_MAPPING[kind]


def settings_of(kind: str) -> set[str]:
    """The settings that transformers' class has beyond what every configuration has, and tying."""
    base = transformers.PretrainedConfig
    names = set(inspect.signature(class_of(kind).__init__).parameters) - set(
        inspect.signature(base.__init__).parameters
    )
    return names - {"self", "kwargs"} | {"tie_word_embeddings"}


@pytest.mark.ngc
@pytest.mark.parametrize("kind", families.FAMILIES)
def test_every_setting_is_computed_refused_or_without_effect(kind: str) -> None:
    family = families.FAMILIES[kind]
    known = {*family.defaults, *families.REFUSED, *family.refused, *families.WITHOUT_EFFECT}
    # 4.57 still has Gemma's hidden_activation, and computes hidden_act all the same.
    unused = {"hidden_activation"} if kind == "gemma" else set()
    assert settings_of(kind) - known - unused == set()


@pytest.mark.ngc
@pytest.mark.parametrize("kind", families.FAMILIES)
def test_what_a_file_leaves_out_is_what_transformers_takes(kind: str, tmp_path: Path) -> None:
    silent, whole = {"model_type": kind}, class_of(kind)().to_dict()
    for longest in (LONGEST, 5000):  # the longer one is beyond every window that is a default
        assert outcome_of(tmp_path, silent, longest) == outcome_of(tmp_path, whole, longest)


@pytest.mark.ngc
@pytest.mark.parametrize("name", TINY)
def test_both_spellings_are_read_alike(name: str, tmp_path: Path) -> None:
    """The Hub's and what the installed transformers makes of it: 5 has rope_parameters and layer_types."""
    config = config_of(name)
    own = json.loads(json.dumps(config))
    kind = own.pop("model_type")
    assert read(tmp_path / "new", class_of(kind)(**own).to_dict()) == read(tmp_path / "old", config)


# Of each computed setting: another value, and what has to be set for it to bear on anything.
OTHER: dict[str, tuple[Any, dict[str, Any]]] = {
    **{name: (7, {}) for name in ("vocab_size", "num_hidden_layers", "intermediate_size")},
    "hidden_size": (128, {"head_dim": 16}),
    "num_attention_heads": (8, {}),
    "num_key_value_heads": (4, {}),
    "head_dim": (48, {}),
    "hidden_act": ("gelu_new", {}),
    "hidden_activation": ("gelu", {}),
    "rms_norm_eps": (0.5, {}),
    "rope_theta": (77.0, {"sliding_window_pattern": 2}),
    "rope_local_base_freq": (77.0, {}),
    "rope_scaling": ({"rope_type": "dynamic", "factor": 2.0}, {}),
    "rope_parameters": ({"rope_type": "yarn"}, {}),
    "partial_rotary_factor": (0.5, {}),
    "original_max_position_embeddings": (64, {"rope_scaling": {**LONGROPE, "short_factor": [1.0] * 8}}),
    "max_position_embeddings": (9000, {"rope_scaling": {**LONGROPE, "short_factor": [1.0] * 8}}),
    "sliding_window": (5, {"use_sliding_window": True, "max_window_layers": 0, "no_rope_layers": [0, 0, 0]}),
    "use_sliding_window": (True, {"sliding_window": 5, "max_window_layers": 0, "no_rope_layers": [0, 0, 0]}),
    "max_window_layers": (0, {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 9}),
    "layer_types": (["chunked_attention"] * 3, {}),
    "sliding_window_pattern": (1, {"sliding_window": 5, "sliding_window_pattern": 9, "num_hidden_layers": 3}),
    "no_rope_layers": ([0, 0, 0], {}),
    "no_rope_layer_interval": (3, {}),
    "query_pre_attn_scalar": (9, {}),
    "final_logit_softcapping": (9.0, {}),
    "attn_logit_softcapping": (9.0, {}),
    **{
        name: (0.5, {})
        for name in ("embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling")
    },
}


@pytest.mark.parametrize("kind", families.FAMILIES)
def test_each_computed_setting_bears_on_what_is_computed_or_refused(kind: str, tmp_path: Path) -> None:
    for name, default in families.FAMILIES[kind].defaults.items():
        other, needed = (not default, {}) if name == "tie_word_embeddings" else OTHER[name]
        before = {"model_type": kind, **SIZES, **needed}
        assert outcome_of(tmp_path, {**before, name: other}) != outcome_of(tmp_path, before), name


@pytest.mark.parametrize("kind", families.FAMILIES)
def test_what_is_refused_is_named(kind: str, tmp_path: Path) -> None:
    for name in (*families.REFUSED, *families.FAMILIES[kind].refused):
        with pytest.raises(Unsupported, match=rf"pytorch-tuned does not compute a model with {name}=True"):
            read(tmp_path / "model", {"model_type": kind, **SIZES, name: True})


INDIFFERENT = {
    **dict.fromkeys(("attention_dropout", "embd_pdrop", "resid_pdrop", "initializer_range"), 0.5),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 3),
    "max_position_embeddings": 77,
    "pretraining_tp": 2,
    "use_cache": False,
}


@pytest.mark.ngc
@pytest.mark.parametrize("kind", families.FAMILIES)
def test_what_is_said_to_have_no_effect_has_none_in_transformers(kind: str, tmp_path: Path) -> None:
    assert set(INDIFFERENT) == set(families.WITHOUT_EFFECT)
    name = next(name for name, (of, _) in TINY.items() if of == kind)
    config = {**config_of(name), "num_hidden_layers": 1}
    config.pop("no_rope_layers", None)
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        before = write_tiny(tmp_path, config, 1)(ids).logits
        for setting in settings_of(kind) & set(INDIFFERENT):
            (tmp_path / "config.json").write_text(json.dumps({**config, setting: INDIFFERENT[setting]}))
            assert torch.equal(loaded(tmp_path)(ids).logits, before), setting


@pytest.mark.parametrize(
    ("config", "longest", "said"),
    [
        ({"model_type": "mistral", "sliding_window": 19}, 20, "this model's is 19, the longest cell 20"),
        ({"model_type": "mistral", "sliding_window": 20}, 20, None),
        ({"model_type": "mistral", "sliding_window": None}, 5000, None),
        ({"model_type": "mistral"}, 5000, "this model's is 4096"),
        ({"model_type": "phi3", "sliding_window": 2047}, 2048, "this model's is 2047"),
        ({"model_type": "phi3", "sliding_window": 2047}, 2047, None),
        ({"model_type": "gemma2"}, 4097, "this model's is 4096"),
        ({"model_type": "gemma3_text", "sliding_window": 512}, 513, "this model's is 512"),
        ({"model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 1}, 513, None),
        ({"model_type": "gemma3", "text_config": {"sliding_window": 1024}}, 1025, "this model's is 1024"),
        ({"model_type": "qwen3", "sliding_window": 10}, 20, None),
        ({"model_type": "qwen3", "sliding_window": 10, "use_sliding_window": True}, 20, "this model's is 10"),
        (
            {"model_type": "qwen3", "sliding_window": 10, "use_sliding_window": True, "max_window_layers": 32},
            20,
            None,
        ),
        ({"model_type": "qwen2", "layer_types": ["sliding_attention"] * 32}, 20, "no sliding_window in use"),
        ({"model_type": "smollm3", "sliding_window": 10, "use_sliding_window": True}, 20, "this model's is 10"),
        ({"model_type": "qwen3", "layer_types": ["full_attention"]}, 20, "layer_types=['full_attention']"),
        ({"model_type": "gemma", "hidden_act": "gelu_new"}, 20, "hidden_act='gelu_new'"),
        ({"model_type": "llama", "hidden_act": "gelu"}, 20, "hidden_act='gelu'"),
        ({"model_type": "llama", "quantization_config": None}, 20, None),
        ({"model_type": "llama", "quantization_config": {"quant_method": "awq"}}, 20, "quantised weights"),
        ({"model_type": "gemma2", "hidden_activation": "relu"}, 20, "hidden_activation='relu'"),
        ({"model_type": "llama", "partial_rotary_factor": 0.5}, 20, "partial_rotary_factor=0.5"),
        ({"model_type": "granite", "rope_scaling": {"type": "dynamic", "factor": 2.0}}, 20, "'dynamic'"),
        ({"model_type": "phi3", "rope_scaling": {"type": "linear", "factor": 2.0}}, 20, "'linear'"),
        (
            {"model_type": "phi3", "rope_scaling": {**LONGROPE, "short_factor": [1.0] * 48}},
            4097,
            "longrope up to original_max_position_embeddings=4096, and the longest cell is 4097",
        ),
        ({"model_type": "phi3", "rope_scaling": LONGROPE}, 20, "a short_factor of 6 numbers"),
        (
            {"model_type": "phi3", "rope_scaling": {**LONGROPE, "short_factor": [1.0] * 48, "factor": 3.0}},
            20,
            "a factor of its own (3.0)",
        ),
        ({"model_type": "phi3", "partial_rotary_factor": 0.4}, 20, None),
        ({"model_type": "phi3", "partial_rotary_factor": 0.3}, 20, None),
        ({"model_type": "phi3", "partial_rotary_factor": 0.26}, 20, None),
        ({"model_type": "phi3", "partial_rotary_factor": 0.35}, 20, "does not turn 33 of the 96 dimensions"),
        ({"model_type": "gemma3_text", "rope_parameters": {"rope_theta": 5.0}}, 20, "for each kind of layer"),
        (
            {"model_type": "llama", "rope_parameters": {"full_attention": {"rope_theta": 5.0}}},
            20,
            "of their own for each kind of layer",
        ),
        ({"model_type": "gemma3", "text_config": {"final_logit_softcapping": 30.0}}, 20, "final_logit_softcapping"),
        ({"model_type": "llama", "rope_scaling": {"type": "linear"}}, 20, "'linear' without a factor"),
        ({"model_type": "llama", "rope_scaling": {"type": "llama3", "factor": 2.0}}, 20, "without a low_freq_factor"),
        ({"model_type": "phi3", "rope_scaling": {"type": "su"}}, 20, "'longrope' without a short_factor"),
        ({"model_type": "qwen3_moe"}, 20, "this model is qwen3_moe"),
        ({}, 20, "this model is None"),
    ],
)
def test_a_window_is_refused_beyond_it_and_the_rest_by_name(
    config: dict[str, Any], longest: int, said: str | None, tmp_path: Path
) -> None:
    if said is None:
        read(tmp_path / "model", config, longest)
        return
    with pytest.raises(Unsupported, match="pytorch-tuned") as refusal:
        read(tmp_path / "model", config, longest)
    assert said in str(refusal.value)


@pytest.mark.ngc
def test_a_gemma_that_says_gelu_is_computed_where_transformers_takes_it_as_tanh(tmp_path: Path) -> None:
    import transformers

    config = {"model_type": "gemma", **SIZES, "head_dim": 32, "hidden_act": "gelu"}
    loaded = transformers.AutoConfig.for_model(**config)
    with torch.device("meta"):
        act = transformers.AutoModelForCausalLM.from_config(loaded).model.layers[0].mlp.act_fn
    points = torch.linspace(-4, 4, 99)
    if torch.equal(act(points), torch.nn.functional.gelu(points, approximate="tanh")):
        assert read(tmp_path / "model", config).activation == "gelu_pytorch_tanh"
    else:
        with pytest.raises(Unsupported, match="hidden_act='gelu'"):
            read(tmp_path / "model", config)


@pytest.fixture
def triton_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `pytorch-triton` without its package: what it refuses is known before a kernel is asked for."""
    language: Any = types.ModuleType("triton.language")
    package: Any = types.ModuleType("triton")
    package.jit, package.language, package.__version__ = (lambda function: function), language, "0"
    for name in ("trtbench.lanes.triton.lane", "trtbench.lanes.triton.kernels"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "triton", package)
    monkeypatch.setitem(sys.modules, "triton.language", language)

    def make(config: dict[str, Any]) -> Any:
        (tmp_path / "config.json").write_text(json.dumps(config))
        cell = Cell(batch=1, prompt_length=PROMPT, new_tokens=NEW, precision="float32")
        return create("pytorch-triton")(
            Plan(
                model=tmp_path,
                model_digest="d",
                precision="float32",
                device="cpu",
                threads=1,
                sampling=Sampling(),
                cells=(cell,),
                cache=tmp_path / "cache",
            )
        )

    yield make
    for name in ("trtbench.lanes.triton.lane", "trtbench.lanes.triton.kernels"):
        monkeypatch.delitem(sys.modules, name, raising=False)


BEYOND = {
    "qwen3": ["norms of queries and keys"],
    "granite": [
        "a scale of the embedding",
        "a scale of the scores",
        "a scale of the residuals",
        "a divisor of the logits",
    ],
    "gemma": ["gelu_pytorch_tanh", "a scale of the embedding"],
    "gemma2": ["norms after attention and MLP", "a scale of the scores", "a cap of the scores", "a cap of the logits"],
    "gemma3": ["norms of queries and keys", "norms after attention and MLP", "a cap of the logits"],
    "olmo2": ["norms of queries and keys", "norms after attention and MLP"],
}


@pytest.mark.parametrize("name", TINY)
def test_triton_kernels_take_the_layers_of_a_llama_and_refuse_the_rest_by_name(name: str, triton_lane: Any) -> None:
    lane = triton_lane(config_of(name))
    if name not in BEYOND:
        assert lane.read_config(torch.float32).beyond_llama == ()
        return
    # There are no weights: it refuses before it asks for them.
    with pytest.raises(Unsupported, match="pytorch-triton has kernels for the layers of a Llama") as refusal:
        lane.load()
    for feature in BEYOND[name]:
        assert feature in str(refusal.value)
