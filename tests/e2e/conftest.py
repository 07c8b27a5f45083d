"""What the tests on the TensorRT-LLM stand-in share: models, and one engine that is built once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from once import made_once, session_folder
from standin.kit import Workshop
from standin.product import Product


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(session_folder(tmp_path_factory, "workshop"))


@pytest.fixture(scope="session")
def built(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The tiny Llama with its float16 engine; read-only by agreement, `copied` makes one to change."""
    first = session_folder(tmp_path_factory, "built")
    with made_once(first / "data") as wanted:
        if wanted:
            done = Product(tiny_model, first / "data").build()
            assert done.returncode == 0, done.stdout
        # With what a build may have left where the user stood: one of the tests looks for that.
        copy = shutil.copytree(first, tmp_path_factory.mktemp("built") / "copy", symlinks=True)
    return Product(tiny_model, copy / "data")
