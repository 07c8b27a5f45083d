"""Checkpoints that hold less than their parameters tell, and towers beside a decoder: no honest record is called false."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import factory
import liars
from trtbench.records.trial import Trial
from trtbench.referee import record_roofline, roofline
from trtbench.referee.audit import fairness
from trtbench.referee.audit.context import Context
from trtbench.referee.audit.who import faults
from trtbench.referee.record_roofline import Roof

MXFP4 = {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}
GPT_OSS_20B = {
    "model_type": "gpt_oss",
    "architectures": ["GptOssForCausalLM"],
    "vocab_size": 201088,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
}


@pytest.mark.parametrize(
    ("quantised", "bits"),
    [
        (None, None),
        ({}, None),
        ("int4", None),
        (MXFP4, 4.25),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 8),
        ({"quant_method": "gptq", "bits": 4}, 4),
        ({"quant_method": "gptq", "bits": 2}, 2),
        ({"quant_method": "awq", "w_bit": 4}, 4),
        ({"quant_method": "exl2", "bits": 2.4, "head_bits": 6}, 2.4),
        ({"quant_method": "aqlm", "bits": True, "nbits_per_codebook": 16, "num_codebooks": 1}, 1),
        ({"quant_method": "bitnet", "linear_class": "bitlinear"}, 1),
        ({"quant_method": "vptq", "config_for_layers": {}}, 1),
        ({"quant_method": "compressed-tensors"}, 1),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 2}}}}, 2),
        (
            {
                "quant_method": "hqq",
                "quant_config": {"weight_quant_params": {"nbits": 2}, "scale_quant_params": {"nbits": 8}},
            },
            2,
        ),
        ({"quant_method": "gptq", "bits": 4, "dynamic": {"+:.*down.*": {"bits": 3}}}, 3),
        ({"quant_method": "gptq"}, 2),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, 4),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ", "layers": [{"quant_algo": "FP8"}]}, 4),
        ({"quant_method": "bitsandbytes", "bits": 400}, 4),
        ({"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True}, 8),
        ({"quant_method": "exl2", "bits": float("nan")}, 1),
        ({"bits": None, "quant_method": ["gptq"]}, 1),
    ],
)
def test_bits_of_a_quantised_checkpoint(quantised: object, bits: float | None) -> None:
    assert roofline.packed_bits({"model_type": "llama", "quantization_config": quantised}) == bits
    assert roofline.packed_bits({"model_type": "llama"}) is None


def _trial(config: dict[str, Any], weights_gb: float) -> Trial:
    """A lane on a GPU that computes in bfloat16 and says so of its weights."""
    statement = factory.statement("bfloat16", device="cuda", device_name="NVIDIA H200")
    stored = (
        12_000_000_000 if config.get("quantization_config") else 20_900_000_000
    )  # numbers, two packed weights in one
    model = msgspec.structs.replace(factory.model(config=config), parameters=stored)
    trial = factory.trial(model=model, statement=statement)
    for measured in trial.cells:
        assert measured.memory is not None
        measured.memory.weights = int(weights_gb * 1e9)
    return trial


def test_a_lane_that_keeps_experts_as_they_came_is_not_called_too_fast() -> None:
    """gpt-oss-20b in mxfp4 reads some 2 GB a step, in bfloat16 7.2: 500 tokens a second need the first."""
    for more, bits in (({"quantization_config": MXFP4}, 4.25), ({}, 16)):
        roof = record_roofline.roof(_trial({**GPT_OSS_20B, **more}, 13.8), factory.run())
        assert isinstance(roof, Roof) and bits <= roof.precision.weight_bits < bits + 0.5
        assert roof.decode(1, 128, 129).refutes(128 / 900) == (bits == 16)


def test_nor_its_weights_too_light() -> None:
    for more, codes in (({"quantization_config": MXFP4}, set()), ({}, {"fairness.weights"})):
        trials = [_trial({**GPT_OSS_20B, **more}, 13.8)]
        found = fairness.check(Context.of(factory.run(), trials))
        assert {finding.code for finding in found if finding.code == "fairness.weights"} == codes


def test_a_tower_beside_the_decoder_may_be_as_large_as_its_sizes_say() -> None:
    def of(parameters: float, config: dict[str, Any]) -> bool:
        model = factory.model(config=config)
        counted = factory.model(config=liars.TINYLLAMA).parameters
        return "parameters" in faults(msgspec.structs.replace(model, parameters=round(parameters * counted)))

    text = {**liars.TINYLLAMA, "model_type": "mistral"}
    blind = {"model_type": "mistral3", "text_config": text, "architectures": ["Mistral3ForConditionalGeneration"]}
    tower = {"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 24}  # 4.8 G and more
    sees = {**blind, "vision_config": tower}
    assert of(9, {**liars.TINYLLAMA, "text_config": {}, "vision_config": tower})
    assert of(9, blind) and not of(1, blind)
    assert not of(5, sees) and of(20, sees) and of(0.5, sees)
    assert of(9, {**sees, "vision_config": {**tower, "hidden_size": 10**9}})
