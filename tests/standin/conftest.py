"""The workshop fixture, and which of these tests run by default; everything that other tests may import is in kit.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from once import session_folder
from standin.kit import Workshop

HERE = Path(__file__).parent
# What shows within a minute that the stand-in is still strict and still computes. The rest takes minutes: it is marked
# slow and runs in CI, with CI=true, or on request with -m slow.
ESSENTIAL = {
    "test_classes_have_exactly_the_contracts_fields_and_defaults",
    "test_versions_signature_and_mark",
    "test_ids_are_the_models_own[llama]",
    "test_the_worker_is_another_process_and_ends_with_shutdown",
    "test_help_lists_exactly_the_contracts_flags[trtllm-build]",
    "test_removed_build_flags_are_refused[--max_output_len]",
    "test_llama_converter_without_a_model_exits_0_without_weights",
    "test_checkpoint_and_engine_have_the_real_files_keys_and_the_mark",
    "test_sizes_are_corrected_as_the_builder_does",
    "test_the_stand_in_is_reachable_through_pythonpath_only",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what isn't essential as slow, and leave it out where nobody asked for it."""
    later = [
        item for item in items if HERE in item.path.parents and not {item.name, item.name.split("[")[0]} & ESSENTIAL
    ]
    for item in later:
        item.add_marker(pytest.mark.slow)
    asked = config.option.markexpr or config.option.keyword or any("::" in word for word in config.args)
    if asked or os.environ.get("CI") == "true":
        return
    config.hook.pytest_deselected(items=later)
    left_out = set(later)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One workshop for all tests."""
    return Workshop(session_folder(tmp_path_factory, "workshop"))
