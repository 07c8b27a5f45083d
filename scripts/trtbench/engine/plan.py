"""What goes into an engine: sizes, flags and versions, the names they give, and the command lines of NVIDIA's tools."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from trtbench.engine import contract
from trtbench.errors import UserError
from trtbench.model.prompt_files import PROMPTS, read_prompts
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import PRECISIONS

TOKENS_PER_BLOCK = 32  # of the KV cache, the builder's default; what an engine really has stands in its config.json
PREFILL_TOKENS = 8192  # the builder's own default: more in one step costs activation memory and gains nothing
# Up to so many tokens a step the builder's list of profiles comes out as three fixed sizes, of which the runtime takes the
# first, one token: no prompt runs (docs/tensorrt-contract.md). One profile over the whole range has no such fault.
ONE_PROFILE_TOKENS = 64


class Sizes(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Upper bounds: sequences together, prompt tokens, prompt and new tokens, tokens in one step of the engine."""

    batch: int
    input: int
    sequence: int
    num_tokens: int


class Inputs(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """All that went into an engine: when one of these differs, it is another engine.

    `tp_size` are the cards that it is split over, with a file for each; `convert` the flags of the tool that writes the
    checkpoint, `script` the SHA-256 of that tool, `calibration` of its texts; `build` are the flags of trtllm-build, `gpu` the
    compute capability.
    """

    model: str
    architecture: str
    precision: str
    sizes: Sizes
    tool: str
    convert: list[str]
    script: str
    calibration: str | None
    build: list[str]
    tensorrt_llm: str
    tensorrt: str
    gpu: str | None
    tp_size: int = 1

    def checkpoint_key(self) -> str:
        """Digest of what the checkpoint depends on."""
        # An engine of one card keeps the key, and so the folder, that it had before there were several.
        cards = [self.tp_size] if self.tp_size > 1 else []
        return _digest([self.model, self.tool, self.convert, self.script, self.calibration, self.tensorrt_llm, *cards])

    def engine_key(self) -> str:
        """Digest of what the engine depends on."""
        return _digest([self.checkpoint_key(), self.build, self.tensorrt, self.gpu])


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:12]


def sizes_for(cells: Sequence[Cell]) -> Sizes:
    """The smallest sizes that hold every cell. A whole batch's prompts run in one step up to PREFILL_TOKENS."""
    batch = max(cell.batch for cell in cells)
    prompt = max(cell.prompt_length for cell in cells)
    sequence = max(cell.prompt_length + cell.new_tokens for cell in cells)
    prompt_tokens = max(cell.batch * cell.prompt_length for cell in cells)
    return Sizes(
        batch=batch,
        input=prompt,
        sequence=sequence,
        num_tokens=max(prompt, batch, min(prompt_tokens, PREFILL_TOKENS), TOKENS_PER_BLOCK),
    )


def converter_for(architecture: str) -> dict[str, Any]:
    """The table's row for an architecture. Raises UserError naming what is supported and where to add one."""
    rows: dict[str, dict[str, Any]] = contract.load()["architectures"]
    if architecture not in rows:
        raise UserError(
            f"MODEL_NAME: its architecture is {architecture}, and engines are built for {', '.join(rows)}; "
            "docs/extending.md says how to add one."
        )
    return rows[architecture]


def precision_row(precision: str) -> dict[str, Any]:
    """The table's row for a precision. Raises UserError naming those that an engine can have."""
    rows: dict[str, dict[str, Any]] = contract.load()["precisions"]
    if precision not in rows:
        assert precision in PRECISIONS
        raise UserError(f"PRECISION={precision!r}: TensorRT engines are built in {', '.join(rows)}.")
    return rows[precision]


def tool_for(architecture: str, precision: str) -> str:
    """The tool that writes the checkpoint: the family's converter, or quantize.py where calibration is needed."""
    row, converter = precision_row(precision), converter_for(architecture)
    return str(converter["tool"]) if row["via"] == "converter" else "quantize"


def calibration_texts() -> list[str]:
    """The committed prompts, which calibrate fp8 and int4_awq without a network."""
    return [prompt for prompt in read_prompts(PROMPTS) if isinstance(prompt, str)]


def calibration_digest() -> str:
    return hashlib.sha256("\0".join(calibration_texts()).encode()).hexdigest()[:16]


def convert_flags(architecture: str, precision: str, tp_size: int = 1) -> list[str]:
    """Flags of the tool beside its folders."""
    tool = tool_for(architecture, precision)
    flags = list(precision_row(precision)["flags"])
    if tp_size > 1:
        flags += ["--tp_size", str(tp_size)]
    if tool == "quantize":
        return [
            *flags,
            "--calib_size",
            str(len(calibration_texts())),
            "--calib_max_seq_length",
            "512",
            "--batch_size",
            "1",
        ]
    return [*flags, *converter_for(architecture).get("extra", []), "--workers", "1"]


def on_cpu_flags(tool: str) -> list[str]:
    """What has a converter load the model into host memory, where it has such a flag; the result is the same."""
    return [flag for flag in ("--load_model_on_cpu",) if flag in contract.load()["tools"][tool]["flags"]]


def build_flags(sizes: Sizes, precision: str, tp_size: int = 1) -> list[str]:
    """Flags of trtllm-build beside its folders; every size is explicit, because the defaults are 2048 sequences. Over how many
    cards stands in the checkpoint; a worker for each builds its part."""
    return [
        *("--max_batch_size", str(sizes.batch)),
        *("--max_input_len", str(sizes.input)),
        *("--max_seq_len", str(sizes.sequence)),
        *("--max_num_tokens", str(sizes.num_tokens)),
        *("--max_beam_width", "1"),
        *("--gemm_plugin", precision_row(precision)["gemm_plugin"]),
        *("--multiple_profiles", "enable" if built_tokens(sizes) > ONE_PROFILE_TOKENS else "disable"),
        *("--kv_cache_type", "paged"),
        *("--workers", str(tp_size)),
        *("--log_level", "info"),
    ]


def built_tokens(sizes: Sizes) -> int:
    """Tokens in one step of the engine as the builder corrects them: no more than all sequences have, no less than a block."""
    return max(min(sizes.num_tokens, sizes.sequence * sizes.batch), TOKENS_PER_BLOCK)


def checkpoint_name(model_name: str, inputs: Inputs) -> str:
    return f"{slug(model_name)}-{inputs.precision}{_cards(inputs)}-{inputs.checkpoint_key()}"


def engine_name(model_name: str, inputs: Inputs) -> str:
    sizes = inputs.sizes
    return (
        f"{slug(model_name)}-{inputs.precision}-b{sizes.batch}-i{sizes.input}-s{sizes.sequence}{_cards(inputs)}"
        f"-{inputs.engine_key()}"
    )


def _cards(inputs: Inputs) -> str:
    """The part of a name that says over how many cards, which one of one card does without."""
    return f"-tp{inputs.tp_size}" if inputs.tp_size > 1 else ""


def slug(model_name: str) -> str:
    """The last part of a model's name, as a file name. No word in it may choose a loader: it is cut to 40 signs."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", model_name.rstrip("/").rsplit("/", 1)[-1]).strip("-.")[:40] or "model"
