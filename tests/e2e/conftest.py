"""What the tests on the TensorRT-LLM stand-in share: models, and one engine that is built once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from standin.kit import Workshop
from standin.product import Product


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="session")
def built(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The tiny Llama with its float16 engine; read-only by agreement, `copied` makes one to change."""
    product = Product(tiny_model, tmp_path_factory.mktemp("built") / "data")
    done = product.build()
    assert done.returncode == 0, done.stdout
    return product
