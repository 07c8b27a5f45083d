"""Synthetic models: a real architecture with seeded random weights, right for speed, meaningless as text.

Saved as a normal Hugging Face folder, so that every lane takes them as it takes a downloaded model.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trtbench.errors import UserError, why
from trtbench.model.built_in import SYNTHETIC, Shape
from trtbench.model.prompt_files import PROMPTS, read_prompts
from trtbench.records import lock
from trtbench.records.files import whole_folder

# What the output row of <unk> is multiplied by: a real model never picks it either, and the one engine that cannot do
# without an end id (lanes/onnxruntime.py) is given this one.
UNLIKELY = 2.0**-6
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def make(name: str, seed: int, models: Path) -> Path:
    """Make the synthetic model unless it is there; made aside and renamed, so a kill leaves no half folder."""
    shape = SYNTHETIC[name]
    stamp = hashlib.sha256(
        f"{shape}{UNLIKELY}{CHAT_TEMPLATE}{PROMPTS.read_text(encoding='utf-8')}".encode()
    ).hexdigest()[:12]
    folder = models / f"synthetic-{name}-{seed}-{stamp}"
    if folder.is_dir():
        return folder
    try:
        lock_file = lock.opened(models, f".{folder.name}.lock")
    except OSError as error:
        raise UserError(f"DATA_DIR={str(models.parent)!r} cannot be written: {why(error, models)}.") from None
    with lock.held(lock_file):  # two runs at once: the second waits and finds the folder
        if folder.is_dir():
            return folder
        try:
            with whole_folder(folder) as making:
                write_synthetic(making, shape, seed)
        except OSError as error:
            raise UserError(f"the synthetic model {name} could not be written to {models}: {error.strerror}.") from None
    return folder


def write_synthetic(folder: Path, shape: Shape, seed: int) -> None:
    """Write a Llama folder with bfloat16 weights drawn from N(0, 1/hidden), as the real checkpoint stores them;
    the output row of <unk> (id 0) is `UNLIKELY` times that.

    The spread 1/sqrt(hidden) keeps greedy output varied; with transformers' default of 0.02 a small model repeats
    one token. Tensors are drawn in a fixed order, so the same seed gives the same bytes.
    """
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": False,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.intermediate,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "initializer_range": 1 / math.sqrt(shape.hidden),
        "tie_word_embeddings": False,
        "mlp_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pretraining_tp": 1,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(
        json.dumps({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}) + "\n"
    )
    _write_tokenizer(folder, shape)
    _write_weights(folder / "model.safetensors", shape, seed)


def _tensors(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    kv_width = shape.hidden // shape.heads * shape.kv_heads
    yield "model.embed_tokens.weight", (shape.vocab, shape.hidden)
    for i in range(shape.layers):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (shape.hidden,)
        yield layer + "self_attn.q_proj.weight", (shape.hidden, shape.hidden)
        yield layer + "self_attn.k_proj.weight", (kv_width, shape.hidden)
        yield layer + "self_attn.v_proj.weight", (kv_width, shape.hidden)
        yield layer + "self_attn.o_proj.weight", (shape.hidden, shape.hidden)
        yield layer + "post_attention_layernorm.weight", (shape.hidden,)
        yield layer + "mlp.gate_proj.weight", (shape.intermediate, shape.hidden)
        yield layer + "mlp.up_proj.weight", (shape.intermediate, shape.hidden)
        yield layer + "mlp.down_proj.weight", (shape.hidden, shape.intermediate)
    yield "model.norm.weight", (shape.hidden,)
    yield "lm_head.weight", (shape.vocab, shape.hidden)


def _write_weights(file: Path, shape: Shape, seed: int) -> None:
    """Stream the tensors: numpy has no bfloat16, and the whole model need not stand in memory twice."""
    import numpy as np

    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, dimensions in _tensors(shape):
        end = offset + 2 * math.prod(dimensions)
        header[name] = {"dtype": "BF16", "shape": list(dimensions), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = np.random.Generator(np.random.PCG64(seed))
    spread = np.float32(1 / math.sqrt(shape.hidden))
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name, dimensions in _tensors(shape):
            if len(dimensions) == 1:
                values = np.ones(dimensions, dtype=np.float32)
            else:
                values = generator.standard_normal(dimensions, dtype=np.float32)
                values *= spread
                if name == "lm_head.weight":
                    values[0] *= UNLIKELY
            bits = values.view(np.uint32)
            bits += 0x7FFF + ((bits >> 16) & 1)  # round to nearest even
            stream.write((bits >> 16).astype("<u2").tobytes())


def _write_tokenizer(folder: Path, shape: Shape) -> None:
    """Train a byte-level BPE on the committed prompts. It is written by the tokenizers library itself, because
    files saved by transformers 5 do not load in 4.57."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(shape.vocab, 2048),
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(read_prompts(PROMPTS), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": "<s>",
                "eos_token": "</s>",
                "unk_token": "<unk>",
                "model_max_length": shape.positions,
                "clean_up_tokenization_spaces": False,
                "chat_template": CHAT_TEMPLATE,
            },
            indent=2,
        )
        + "\n"
    )
