"""What this machine lacks: skipped and named here, a failure in CI, which has to install it."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip with the reason; with CI=true, or TRTBENCH_REQUIRE_DOCKER=1 on a machine of one's own, fail with it."""
    if os.environ.get("CI") == "true" or os.environ.get("TRTBENCH_REQUIRE_DOCKER") == "1":
        pytest.fail(f"this may not be skipped here, but {reason}")
    pytest.skip(reason)
