"""The table of settings: complete, consistent, and the only source of `.env.example`."""

from __future__ import annotations

import json

import pytest

from trtbench.settings.knobs import ALIASES, DEFAULTS, ROOT, ROWS, Settings, env_example, show
from trtbench.settings.reading import parse


def test_the_committed_example_is_the_generated_one() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


def test_the_example_sets_nothing() -> None:
    assert all(line.startswith("#") for line in env_example().splitlines() if line)


@pytest.mark.parametrize("name", ROWS)
def test_every_default_is_a_value_that_its_own_row_takes(name: str) -> None:
    default = DEFAULTS[name]
    if default != "":
        assert parse(name, show(name, default)) == default
    if ROWS[name].local is not None:
        assert parse(name, show(name, ROWS[name].local)) == ROWS[name].local


@pytest.mark.parametrize("name", ROWS)
def test_every_row_says_what_it_takes(name: str) -> None:
    row = ROWS[name]
    assert row.help
    assert row.kind in ("int", "float", "text", "path", "switch", "choice", "trials")
    assert (row.kind == "choice") == bool(row.choices)
    if row.kind in ("int", "float"):
        assert row.low is not None
        assert row.high is not None


def test_no_alias_is_also_a_setting() -> None:
    assert not set(ALIASES) & set(ROWS)
    assert {"MAX_NEW_TOKENS", "MAX_OUTPUT_LEN", "MAX_BATCH_SIZE", "MAX_INPUT_LEN"} <= set(ALIASES)


def test_secrets_are_in_no_public_view() -> None:
    settings = Settings(hf_token="hf_planted", ngc_api_key="nvapi_planted")
    assert "planted" not in repr(settings)
    assert "planted" not in json.dumps(settings.public())
    assert not {"HF_TOKEN", "NGC_API_KEY"} & set(settings.public())


def test_public_settings_are_what_json_gives_back() -> None:
    public = Settings(batch_sizes=(1, 8)).public()
    assert json.loads(json.dumps(public)) == public


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("TRIALS", 0, "auto"),
        ("TRIALS", 3, "3"),
        ("BATCH_SIZES", (1, 8), "1,8"),
        ("OFFLINE", True, "1"),
        ("TOP_P", 0.9, "0.9"),
    ],
)
def test_values_are_shown_as_they_are_typed(name: str, value: object, shown: str) -> None:
    assert show(name, value) == shown
