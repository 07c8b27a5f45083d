"""The workshop fixture; everything that other tests may import is in kit.py."""

from __future__ import annotations

import pytest

from standin.kit import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One workshop for all tests."""
    return Workshop(tmp_path_factory.mktemp("workshop"))
