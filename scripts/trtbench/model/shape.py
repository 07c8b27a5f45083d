"""The shape of a decoder-only model and how many parameters sit where.

Only integers live here: no weights are read, and config_shape.py reads the sizes from a config.json. Counts are checked
in the tests against the same architectures built by transformers on its meta device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtbench.errors import UserError


@dataclass(frozen=True)
class Latent:
    """Sizes of multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): a layer keeps one vector of `kv_rank` and one
    rotary key of `rope_dim` a token for all heads, and makes keys and values of them."""

    q_rank: int  # width that queries are pressed through, 0 where they are not
    kv_rank: int
    rope_dim: int  # that part of a head's width that turns with the position
    value_dim: int  # a head's width of values; that of queries and keys is `head_dim`


@dataclass(frozen=True)
class ModelShape:
    """Sizes of one decoder-only transformer; every field counts elements, layers or heads."""

    architecture: str
    layers: int
    hidden: int
    heads: int  # query heads
    kv_heads: int
    head_dim: int
    intermediate: int  # width of a dense MLP
    vocab: int
    tied: bool = False  # the output head is the input embedding
    gated: bool = True  # gate, up and down projections, else two
    learned_positions: int = 0
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    norm_vectors: int = 1  # 1 RMSNorm (scale), 2 LayerNorm (scale and shift), 0 without weights
    norms_per_layer: int = 2
    attention_vectors: int = 0  # elements of a layer's norms of queries, keys and latents, and of attention sinks
    embedding_norms: int = 0  # norms of the embedding, in front of all layers
    head_bias: bool = False
    sliding_window: int | None = None  # positions a windowed layer attends to, its own included
    windowed_layers: int = 0
    chunked: bool = False  # the window doesn't slide: it starts anew at every multiple of its length
    experts: int = 0
    active_experts: int = 0
    expert_intermediate: int = 0
    expert_bias: bool = False  # of the router and of each expert
    shared_intermediate: int = 0  # width of the expert every token passes, 0 without one
    shared_gate: bool = True  # a vector weighs what that expert says
    sparse_layers: int = 0  # layers with experts in place of a dense MLP
    latent: Latent | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ModelShape:
        """Read the dict of a Hugging Face config.json.

        Raises UserError for an architecture that isn't known here, and for a missing or senseless value.
        """
        from trtbench.model import config_shape  # it makes this class

        return config_shape.from_config(config)

    @classmethod
    def from_path(cls, path: str | Path) -> ModelShape:
        """Read a config.json, or the one in a model folder; raises UserError."""
        return cls.from_config(config_of(path))

    @property
    def head_parameters(self) -> int:
        """Elements of the matrix that turns the last hidden state into logits, tied or not."""
        return self.vocab * self.hidden

    @property
    def parameter_groups(self) -> dict[str, int]:
        """Stored parameters by group; a tied output head counts as 0, since it is the input embedding."""
        return {
            "input_embedding": (self.vocab + self.learned_positions) * self.hidden,
            "layers": self.layer_matrices(self.experts) + self.layer_vectors(self.experts),
            "final_norm": (1 + self.embedding_norms) * self.norm_vectors * self.hidden,
            "output_head": (0 if self.tied else self.head_parameters) + self.head_bias * self.vocab,
        }

    @property
    def parameters(self) -> int:
        """All stored parameters, each once."""
        return sum(self.parameter_groups.values())

    @property
    def parameters_read(self) -> int:
        """Fewest parameters one decode step must read, whatever the batch.

        The input embedding is left out (a step looks up one row of it a sequence), the output head counts
        whether tied or not, and of the experts only as many as one token takes: a batch reads at least those.
        """
        return (
            self.layer_matrices(self.active_experts)
            + self.layer_vectors(self.active_experts)
            + (1 + self.embedding_norms) * self.norm_vectors * self.hidden
            + self.head_parameters
            + self.head_bias * self.vocab
        )

    def layer_matrices(self, experts: int) -> int:
        """Elements of all layers' weight matrices, with `experts` experts of each sparse layer."""
        sparse = self.hidden * self.experts + experts * self._mlp(self.expert_intermediate)
        if self.shared_intermediate:
            sparse += self._mlp(self.shared_intermediate) + self.shared_gate * self.hidden
        return (
            self.layers * self._attention()
            + (self.layers - self.sparse_layers) * self._mlp(self.intermediate)
            + self.sparse_layers * sparse
        )

    @property
    def sums(self) -> int:
        """Fewest sums over all cards, of all layers, where they share every layer: behind attention, and behind an MLP that
        waits for it. Only a gated MLP with a norm of its own is known to wait (GPT-NeoX and Falcon compute both side by side),
        and how cards share experts or a latent is an engine's choice: there it is one a layer."""
        waits = self.gated and self.norms_per_layer > 1 and self.latent is None
        return self.layers + (self.layers - self.sparse_layers if waits else 0)

    @property
    def pair_width(self) -> int:
        """Multiply-adds that a layer needs at least for a position and one that it attends to: score, and product with V."""
        return self.heads * (self.head_dim + (self.latent.value_dim if self.latent else self.head_dim))

    def layer_vectors(self, experts: int) -> int:
        """Elements of all layers' norms and biases, with `experts` experts of each sparse layer."""
        norms = self.norms_per_layer * self.norm_vectors * self.hidden + self.attention_vectors
        biases = (
            self.qkv_bias * self.head_dim * (self.heads + 2 * self.kv_heads)
            + self.output_bias * self.hidden
            + self.mlp_bias * ((1 + self.gated) * self.intermediate + self.hidden)
        )
        expert_biases = self.expert_bias * (
            self.experts + experts * ((1 + self.gated) * self.expert_intermediate + self.hidden)
        )
        return self.layers * (norms + biases) + self.sparse_layers * expert_biases

    def _attention(self) -> int:
        """Elements of the matrices of one layer's attention."""
        if self.latent is None:
            return 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        latent, queries = self.latent, self.heads * self.head_dim
        made = self.heads * (self.head_dim - latent.rope_dim + latent.value_dim)
        return (
            (latent.q_rank * (self.hidden + queries) if latent.q_rank else self.hidden * queries)
            + self.hidden * (latent.kv_rank + latent.rope_dim)
            + latent.kv_rank * made
            + self.heads * latent.value_dim * self.hidden
        )

    def _mlp(self, width: int) -> int:
        return (3 if self.gated else 2) * self.hidden * width


def config_of(path: str | Path) -> dict[str, Any]:
    """A config.json, or the one in a model folder, as it stands; raises UserError."""
    file = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{file} can't be read ({error.strerror}); give a config.json or a folder that has one."
        ) from error
    except ValueError as error:
        raise UserError(f"{file} is not JSON ({error}); give the config.json of a Hugging Face model.") from error
    if not isinstance(config, dict):
        raise UserError(f"{file} is not a JSON object; give the config.json of a Hugging Face model.")
    return config


TINYLLAMA = ModelShape(
    architecture="LlamaForCausalLM",
    layers=22,
    hidden=2048,
    heads=32,
    kv_heads=4,
    head_dim=64,
    intermediate=5632,
    vocab=32000,
)
