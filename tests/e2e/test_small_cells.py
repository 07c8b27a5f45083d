"""Cells of few tokens, which a cautious user tries first: their engine has one profile, because several cannot run them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from standin.product import Product
from trtbench.engine import on_disk, plan
from trtbench.engine.known_failures import SYMPTOMS
from trtbench.records.files import encode, read_as

pytestmark = pytest.mark.slow
SMALL = {"BATCH_SIZES": "1", "PROMPT_LENGTHS": "24", "NEW_TOKENS": "8"}
NO_PROFILE = next(symptom for symptom in SYMPTOMS if symptom.name == "no-profile")


@pytest.fixture(scope="module")
def small(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    product = Product(tiny_model, tmp_path_factory.mktemp("small") / "data")
    product.settings |= SMALL
    done = product.build()
    assert done.returncode == 0, done.stdout
    return product


def with_several_profiles(product: Product) -> Path:
    """The engine as it came out when several profiles were always asked for: same sizes, other flags, newer."""
    (folder,) = (note.parent for note in product.data.glob("engines/*/engine.json"))
    other = folder.with_name(f"{folder.name}-several")
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text())
    config["build_config"]["plugin_config"]["multiple_profiles"] = True
    (other / "config.json").write_text(json.dumps(config))
    engine = read_as(on_disk.Engine, other / on_disk.NOTE)
    engine.name, engine.created = other.name, "2100-01-01"
    flags = [
        "enable" if before == "--multiple_profiles" else flag
        for before, flag in zip(["", *engine.inputs.build], engine.inputs.build)
    ]
    engine.inputs = msgspec.structs.replace(engine.inputs, build=flags)
    engine.built.multiple_profiles = True
    engine.files["config.json"] = on_disk.file_of(other / "config.json")
    (other / on_disk.NOTE).write_bytes(encode(engine))
    return other


def test_a_cell_of_few_tokens_is_built_with_one_profile_and_runs(small: Product, tmp_path: Path) -> None:
    product = small.copied(tmp_path / "data")
    product.settings |= SMALL
    (engine,) = product.engines().values()
    assert engine["built"]["multiple_profiles"] is False
    assert engine["built"]["sizes"]["num_tokens"] == 32
    done = product.bench()
    assert done.returncode == 0, done.stdout
    (trial,) = product.trials()
    assert trial["failure"] is None and "multiple profiles off" in " ".join(trial["statement"]["notes"])


def test_an_engine_with_several_profiles_for_few_tokens_is_not_taken(small: Product, tmp_path: Path) -> None:
    product = small.copied(tmp_path / "data")
    product.settings |= SMALL
    several = with_several_profiles(product)
    done = product.bench()
    assert done.returncode == 0, done.stdout
    assert several.name not in " ".join(product.trials()[0]["statement"]["notes"])
    (right,) = (
        folder for folder in several.parent.iterdir() if (folder / on_disk.NOTE).is_file() and folder != several
    )
    shutil.rmtree(right)
    done = product.bench("--new-run")
    assert done.returncode == 2
    assert (
        "other flags of trtllm-build: --multiple_profiles enable, today disable; build it: bash scripts/build"
        in done.stdout
    )
    assert product.build().returncode == 0 and right.is_dir(), "it is built beside the old one"


def test_an_engine_that_has_no_profile_for_a_step_gets_a_sentence(small: Product, tmp_path: Path) -> None:
    product = small.copied(tmp_path / "data")
    product.settings |= SMALL
    several = with_several_profiles(product)
    note = read_as(on_disk.Engine, several / on_disk.NOTE)
    note.inputs = msgspec.structs.replace(note.inputs, build=plan.build_flags(note.inputs.sizes, "float16"))
    (several / on_disk.NOTE).write_bytes(encode(note))  # its note says that it is as it should be
    done = product.bench()
    assert done.returncode == 2
    (trial, *_) = product.trials()
    assert trial["failure"]["reason"] == NO_PROFILE.reason
    assert NO_PROFILE.remedy in " ".join(done.stdout.split())
