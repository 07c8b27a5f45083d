"""Engines on the disk: which one fits, whether it is whole, and one build at a time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from test_engine import inputs

from trtbench.engine import on_disk, plan
from trtbench.engine.on_disk import Built, Engine, File
from trtbench.engine.plan import Sizes
from trtbench.errors import UserError
from trtbench.records.files import encode
from trtbench.settings.knobs import ROOT

SIZES = Sizes(batch=1, input=128, sequence=328, num_tokens=128)
HERE = [("tensorrt_llm", "TensorRT-LLM", "1.2.1"), ("tensorrt", "TensorRT", "10.14.1.48"), ("gpu", "GPU", "8.6")]


def store(engines: Path, name: str, created: str = "2026-01-01", **more: Any) -> Engine:
    """An engine folder with two files."""
    folder = engines / name
    folder.mkdir(parents=True)
    (folder / "rank0.engine").write_bytes(b"engine " * 100)
    (folder / "config.json").write_text("{}")
    sizes = more.get("sizes", SIZES)
    cards = more.get("tp_size", 1)
    for rank in range(1, cards):
        (folder / f"rank{rank}.engine").write_bytes(b"engine " * 100)
    more = {"build": plan.build_flags(sizes, more.get("precision", "float16"), cards), **more}
    made = Engine(
        schema=1,
        name=name,
        model_name="a/b",
        created=created,
        gpu_name="RTX 3060",
        inputs=inputs(**more),
        built=Built(
            version="1.2.1",
            sizes=sizes,
            beam_width=1,
            dtype="float16",
            architecture="LlamaForCausalLM",
            quant_algo=None,
            kv_cache_quant_algo=None,
            gemm_plugin="float16",
            multiple_profiles=True,
            tokens_per_block=32,
            kv_cache_type="PAGED",
            kv_bytes_per_token=64,
            tp_size=more.get("tp_size", 1),
        ),
        simulated=False,
        files={path.name: on_disk.file_of(path) for path in folder.iterdir()},
        bytes=702,
        weights_bytes=500,
        build_seconds=1.0,
        steps=[],
    )
    (folder / on_disk.NOTE).write_bytes(encode(made))
    return made


def find(engines: Path, **more: Any) -> Any:
    wanted = {"model": "m" * 64, "precision": "float16", "sizes": SIZES, "versions": HERE, **more}
    return on_disk.find(engines, **wanted)


def test_the_newest_engine_that_fits_is_found(tmp_path: Path) -> None:
    for name, created in (("old", "2026-01-01"), ("new", "2026-02-01")):
        store(tmp_path, name, created)
    folder, engine = find(tmp_path)
    assert (folder.name, engine.name) == ("new", "new")


@pytest.mark.parametrize(
    ("stored", "wanted", "reason"),
    [
        ({}, {"model": "x" * 64}, "none in .* is of this model"),
        ({}, {"precision": "int8"}, "those of this model are in float16"),
        (
            {},
            {"sizes": Sizes(batch=2, input=128, sequence=328, num_tokens=256)},
            "those of this model and precision are for batch 1, 128 prompt tokens, 328 in all",
        ),
        ({}, {"tp_size": 2}, "those of this model, precision and sizes are for 1 card$"),
        ({"tp_size": 4}, {}, "those of this model, precision and sizes are for 4 cards$"),
        ({"gpu": "8.9"}, {}, "it was built for GPU 8.9, and here is 8.6"),
        ({"tensorrt": "10.13"}, {}, "it was built for TensorRT 10.13, and here is 10.14.1.48"),
        ({"tensorrt_llm": "1.1.0"}, {}, "it was built for TensorRT-LLM 1.1.0, and here is 1.2.1"),
    ],
)
def test_why_no_engine_fits(stored: dict[str, Any], wanted: dict[str, Any], reason: str, tmp_path: Path) -> None:
    store(tmp_path, "one", **stored)
    found = find(tmp_path, **wanted)
    assert isinstance(found, str) and re.search(reason, found)


def test_an_engine_of_the_same_sizes_with_other_flags_is_another_engine(tmp_path: Path) -> None:
    small = Sizes(batch=1, input=16, sequence=32, num_tokens=32)
    today = plan.build_flags(small, "float16")
    assert "disable" in today
    store(
        tmp_path,
        "several-profiles",
        "2026-02-01",
        sizes=small,
        build=["enable" if f == "disable" else f for f in today],
    )
    found = find(tmp_path, sizes=small)
    assert found == (
        "those of these sizes were built with other flags of trtllm-build: --multiple_profiles enable, today disable"
    )
    store(tmp_path, "one-profile", "2026-01-01", sizes=small)
    folder, _ = find(tmp_path, sizes=small)
    assert folder.name == "one-profile", "the newer one cannot run a prompt"
    store(tmp_path / "older", "one", sizes=small, build=[*today[:-2], "--fast_build", "1"])
    assert "--log_level (not given), today info, --fast_build 1, today (not given)" in find(
        tmp_path / "older", sizes=small
    )


def test_the_engine_for_so_many_cards_is_found_beside_others(tmp_path: Path) -> None:
    for cards in (1, 2, 4):
        store(tmp_path, f"of-{cards}", tp_size=cards)
    assert [find(tmp_path, tp_size=cards)[0].name for cards in (1, 2, 4)] == ["of-1", "of-2", "of-4"]
    assert find(tmp_path, tp_size=3) == "those of this model, precision and sizes are for 1 card, 2 cards, 4 cards"


def test_each_rank_has_files_of_its_own(tmp_path: Path) -> None:
    assert on_disk.engine_files(1) == ["rank0.engine"]
    assert on_disk.engine_files(3) == ["rank0.engine", "rank1.engine", "rank2.engine"]
    assert on_disk.checkpoint_files(2) == ["rank0.safetensors", "rank1.safetensors"]
    engine = store(tmp_path, "two", tp_size=2)
    assert on_disk.damage(tmp_path / "two", engine, tmp_path / "cache") is None
    (tmp_path / "two" / "rank1.engine").unlink()
    assert "rank1.engine is missing" in str(on_disk.damage(tmp_path / "two", engine, tmp_path / "cache"))


def test_an_unknown_gpu_is_not_compared(tmp_path: Path) -> None:
    store(tmp_path, "one", gpu=None)
    assert not isinstance(find(tmp_path), str)
    store(tmp_path / "other", "two", gpu="8.9")
    assert not isinstance(find(tmp_path / "other", versions=[("gpu", "GPU", None)]), str)


def test_no_folder_and_foreign_notes_are_no_engines(tmp_path: Path) -> None:
    assert "none in" in find(tmp_path / "nothing")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "engine.json").write_text('{"schema": 99}')
    (tmp_path / ".half.making").mkdir()
    assert on_disk.listed(tmp_path) == []


def test_damage_is_found_by_size_content_and_absence(tmp_path: Path) -> None:
    engines, cache = tmp_path / "engines", tmp_path / "cache"
    engine = store(engines, "one")
    folder = engines / "one"
    file, data = folder / "rank0.engine", (folder / "rank0.engine").read_bytes()
    assert on_disk.damage(folder, engine, cache) is None
    assert on_disk.damage(folder, engine, cache) is None, "noted as right, and still right"
    file.write_bytes(b"E" + data[1:])
    assert "SHA-256 differs" in str(on_disk.damage(folder, engine, cache))
    file.write_bytes(data[:-1])
    assert f"has {len(data) - 1} bytes and was built with {len(data)}" in str(on_disk.damage(folder, engine, cache))
    file.unlink()
    assert "is missing" in str(on_disk.damage(folder, engine, cache))


def config(**build: Any) -> dict[str, Any]:
    return {
        "version": "1.2.1",
        "pretrained_config": {
            "architecture": "OPTForCausalLM",
            "dtype": "float16",
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "hidden_size": 64,
            "quantization": {"quant_algo": None},
        },
        "build_config": {
            "max_batch_size": 4,
            "max_input_len": 32,
            "max_seq_len": 64,
            "max_num_tokens": 128,
            "max_beam_width": 1,
            "kv_cache_type": "PAGED",
            "plugin_config": {"gemm_plugin": None, "multiple_profiles": True, "tokens_per_block": 32},
            **build,
        },
    }


def test_sizes_are_read_off_the_engine(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config(max_num_tokens=100)))
    found = on_disk.read_config(tmp_path)
    assert found.sizes == Sizes(batch=4, input=32, sequence=64, num_tokens=100)
    # OPT's converter names no KV heads and no head size: 2 layers x 4 heads x 16 wide x key and value x 2 bytes
    assert found.kv_bytes_per_token == 2 * 4 * 16 * 2 * 2


@pytest.mark.parametrize(("kv_heads", "cards", "held"), [(4, 2, 4), (2, 2, 2), (2, 4, 4), (1, 4, 4)])
def test_the_cache_of_all_cards_counts_what_each_of_them_keeps(
    kv_heads: int, cards: int, held: int, tmp_path: Path
) -> None:
    found = config()
    found["pretrained_config"] |= {"num_key_value_heads": kv_heads, "mapping": {"world_size": cards, "tp_size": cards}}
    (tmp_path / "config.json").write_text(json.dumps(found))
    built = on_disk.read_config(tmp_path)
    assert built.tp_size == cards
    assert built.kv_bytes_per_token == 2 * held * 16 * 2 * 2, "a head that several cards need is on each of them"


def test_a_quantised_cache_takes_one_byte(tmp_path: Path) -> None:
    found = config()
    found["pretrained_config"]["quantization"]["kv_cache_quant_algo"] = "FP8"
    (tmp_path / "config.json").write_text(json.dumps(found))
    assert on_disk.read_config(tmp_path).kv_bytes_per_token == 2 * 4 * 16 * 2


@pytest.mark.parametrize("key", ["max_batch_size", "max_num_tokens", "max_seq_len", "plugin_config"])
def test_a_key_that_is_needed_and_missing_is_named(key: str, tmp_path: Path) -> None:
    found = config()
    del found["build_config"][key]
    (tmp_path / "config.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match=f"has no build_config.{key}.*writes another engine than 1.2.1"):
        on_disk.read_config(tmp_path)


def test_a_second_build_waits_and_says_for_whom(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trtbench.engine import on_disk\n"
        "with on_disk.locked(Path(sys.argv[1]), print):\n"
        "    print('held', flush=True); time.sleep(1)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    said: list[str] = []
    began = time.monotonic()
    with on_disk.locked(tmp_path, said.append):
        assert time.monotonic() - began > 0.3
    first.wait()
    first.stdout.close()
    assert said == [f"another build (process {first.pid}) is running; waiting for it"]


def test_an_engine_note_is_read_strictly(tmp_path: Path) -> None:
    engine = store(tmp_path, "one")
    assert on_disk.listed(tmp_path)[0][1] == engine
    assert msgspec.json.decode(encode(engine), type=Engine).files["config.json"] == File(
        bytes=2, sha256=engine.files["config.json"].sha256
    )
