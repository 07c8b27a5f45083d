"""Engines on the disk: DATA_DIR/engines/NAME/ with engine.json beside what trtllm-build wrote."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from trtbench.engine import contract
from trtbench.engine.plan import Inputs, Sizes, build_flags
from trtbench.engine.tools import Step
from trtbench.errors import UserError, why
from trtbench.model import kv_cache
from trtbench.records import lock
from trtbench.records.files import hash_content, read_as

NOTE = "engine.json"
CONFIG = "config.json"


class File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Size in bytes and SHA-256 of a file of the engine."""

    bytes: int
    sha256: str


class Built(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the engine's own config.json says it has; sizes may differ from those asked for. `kv_bytes_per_token`: bytes of all
    its ranks together, `tp_size` of them."""

    version: str
    sizes: Sizes
    beam_width: int
    dtype: str
    architecture: str
    quant_algo: str | None
    kv_cache_quant_algo: str | None
    gemm_plugin: str | None
    multiple_profiles: bool
    tokens_per_block: int
    kv_cache_type: str
    kv_bytes_per_token: int | None
    tp_size: int = 1


class Engine(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """engine.json: everything that went in, what came out, and what it cost (seconds of wall time)."""

    schema: int
    name: str
    model_name: str
    created: str
    gpu_name: str | None
    inputs: Inputs
    built: Built
    simulated: bool
    files: dict[str, File]
    bytes: int
    weights_bytes: int
    build_seconds: float
    steps: list[Step]


def home(data: Path) -> Path:
    return data / "engines"


def engine_files(tp_size: int) -> list[str]:
    """What trtllm-build writes beside config.json: an engine for each rank."""
    return [f"rank{rank}.engine" for rank in range(tp_size)]


def checkpoint_files(tp_size: int) -> list[str]:
    """What a converter writes beside config.json: the weights of each rank."""
    return [f"rank{rank}.safetensors" for rank in range(tp_size)]


def read_config(folder: Path) -> Built:
    """Read the engine's config.json. Raises UserError naming the key that this program needs and doesn't find."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); run bash scripts/build_engine.sh --rebuild.") from None

    def value(dotted: str, *default: Any) -> Any:
        node: Any = config
        for part in dotted.split("."):
            if not isinstance(node, dict) or part not in node:
                if default:
                    return default[0]
                raise UserError(
                    f"{path} has no {dotted}: this release of TensorRT-LLM writes another engine than "
                    f"{contract.load()['release']['tensorrt_llm']}."
                )
            node = node[part]
        return node

    heads = value("pretrained_config.num_attention_heads", None)
    kv_algorithm = value("pretrained_config.quantization.kv_cache_quant_algo", None)
    layers = value("pretrained_config.num_hidden_layers", None)
    kv_heads = value("pretrained_config.num_key_value_heads", None) or heads
    head_dim = value("pretrained_config.head_size", None) or (
        value("pretrained_config.hidden_size", 0) // heads if heads else None
    )
    tp_size = value("pretrained_config.mapping.tp_size", 1)
    dtype = value("pretrained_config.dtype")
    width = 1 if kv_algorithm else {"float32": 4}.get(dtype, 2)
    return Built(
        version=value("version"),
        sizes=Sizes(
            batch=value("build_config.max_batch_size"),
            input=value("build_config.max_input_len"),
            sequence=value("build_config.max_seq_len"),
            num_tokens=value("build_config.max_num_tokens"),
        ),
        beam_width=value("build_config.max_beam_width"),
        dtype=dtype,
        architecture=value("pretrained_config.architecture"),
        quant_algo=value("pretrained_config.quantization.quant_algo", None),
        kv_cache_quant_algo=kv_algorithm,
        gemm_plugin=value("build_config.plugin_config.gemm_plugin", None),
        multiple_profiles=bool(value("build_config.plugin_config.multiple_profiles")),
        tokens_per_block=value("build_config.plugin_config.tokens_per_block"),
        kv_cache_type=str(value("build_config.kv_cache_type")),
        kv_bytes_per_token=(
            tp_size * kv_cache.bytes_per_token(layers, kv_cache.heads_per_rank(kv_heads, tp_size), head_dim, width)
            if layers and kv_heads and head_dim
            else None
        ),
        tp_size=tp_size,
    )


def file_of(path: Path) -> File:
    """Measure a file: its size and its SHA-256."""
    state = hashlib.sha256()
    hash_content(state, path)
    return File(bytes=path.stat().st_size, sha256=state.hexdigest())


def damage(folder: Path, engine: Engine, cache: Path) -> str | None:
    """Say what is wrong with an engine's files, or None. Reading gigabytes takes seconds, so that a file was found right
    is noted below `cache` under its size and time, as with a model's digest."""
    for name, built_file in engine.files.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        stat = path.stat()
        if stat.st_size != built_file.bytes:
            return f"{path} has {stat.st_size} bytes and was built with {built_file.bytes}"
        identity = f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{built_file.sha256}"
        note = cache / "engines-found-right" / hashlib.sha256(identity.encode()).hexdigest()
        if note.is_file():
            continue
        if file_of(path).sha256 != built_file.sha256:
            return f"{path} is not what was built (its SHA-256 differs)"
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    return None


def listed(engines: Path) -> list[tuple[Path, Engine]]:
    """All finished engines, newest last. An engine.json of another version of this program is passed over."""
    engines_read = []
    for note in sorted(engines.glob(f"*/{NOTE}")):
        with contextlib.suppress(UserError):
            engines_read.append((note.parent, read_as(Engine, note)))
    return sorted(engines_read, key=lambda pair: pair[1].created)


def find(
    engines: Path,
    model: str,
    precision: str,
    sizes: Sizes,
    versions: Sequence[tuple[str, str, str | None]],
    tp_size: int = 1,
) -> tuple[Path, Engine] | str:
    """The engine for a model (digest), precision, sizes and cards; or why there is none, as half a sentence. One that was built with
    other flags than such an engine is built with today is another engine, which may not even run.

    `versions` are (field of Inputs, name for the user, what is here) that must agree; None is not compared.
    """
    of_model = [pair for pair in listed(engines) if pair[1].inputs.model == model]
    if not of_model:
        return f"none in {engines} is of this model"
    of_precision = [pair for pair in of_model if pair[1].inputs.precision == precision]
    if not of_precision:
        return f"those of this model are in {', '.join(sorted({e.inputs.precision for _, e in of_model}))}"
    fitting = [pair for pair in of_precision if pair[1].inputs.sizes == sizes]
    if not fitting:
        built_sizes = sorted({_sizes_in_words(engine.inputs.sizes) for _, engine in of_precision})
        return f"those of this model and precision are for {'; '.join(built_sizes)}"
    of_cards = [pair for pair in fitting if pair[1].inputs.tp_size == tp_size]
    if not of_cards:
        built_cards = sorted({engine.inputs.tp_size for _, engine in fitting})
        return f"those of this model, precision and sizes are for {', '.join(map(_cards_in_words, built_cards))}"
    flags = build_flags(sizes, precision, tp_size)
    as_built_today = [pair for pair in of_cards if pair[1].inputs.build == flags]
    if not as_built_today:
        other_flags = _flags_that_differ(of_cards[-1][1].inputs.build, flags)
        return f"those of these sizes were built with other flags of trtllm-build: {other_flags}"
    reason = ""
    for folder, engine in reversed(as_built_today):
        mismatch = next(
            (
                f"it was built for {name} {getattr(engine.inputs, field)}, and here is {here}"
                for field, name, here in versions
                if here is not None and getattr(engine.inputs, field) not in (None, here)
            ),
            None,
        )
        if mismatch is None:
            return folder, engine
        reason = reason or mismatch
    return reason


def _flags_that_differ(built: Sequence[str], wanted: Sequence[str]) -> str:
    """The flags, given as pairs of a name and a value, that an engine was built with and would not be today."""
    was, now = (dict(zip(flags[::2], flags[1::2])) for flags in (built, wanted))
    differing = [name for name in {**now, **was} if was.get(name) != now.get(name)]
    return ", ".join(
        f"{name} {was.get(name, '(not given)')}, today {now.get(name, '(not given)')}" for name in differing
    )


def _sizes_in_words(sizes: Sizes) -> str:
    return f"batch {sizes.batch}, {sizes.input} prompt tokens, {sizes.sequence} in all"


def _cards_in_words(cards: int) -> str:
    return f"{cards} card{'s' if cards > 1 else ''}"


def locked(engines: Path, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """One build at a time: two would fight over files and GPU memory. The second waits, and says for whom."""
    try:
        file = lock.opened(engines)
    except OSError as error:
        raise UserError(f"DATA_DIR: {engines} cannot be written ({why(error, engines)}).") from None
    return lock.held(file, lambda holder: say(f"another build (process {holder}) is running; waiting for it"))
