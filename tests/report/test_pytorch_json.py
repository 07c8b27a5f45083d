"""The JSON of PyTorch's benchmark database."""

from __future__ import annotations

import json
from typing import Any

import pytest

import factory
import reports
from trtbench.comparison.comparing import compare
from trtbench.report import pytorch_json

# What the database's table has (schema v3); a record may leave fields out, and has no others.
FIELDS: dict[str, Any] = {
    "benchmark": {"name": str, "mode": str, "dtype": str, "extra_info": dict},
    "model": {"name": str, "type": str, "backend": str, "origins": list, "extra_info": dict},
    "metric": {"name": str, "benchmark_values": list, "target_value": float, "extra_info": dict},
}
RUNNER = {"name": str, "type": str, "cpu_info": str, "cpu_count": int, "avail_mem_in_gb": int, "gpu_info": str,
          "gpu_count": int, "extra_info": dict}  # fmt: skip
LIBRARY = {"repo": str, "branch": str, "sha": str, "version": str}


def records(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(pytorch_json.render(getattr(reports, kind)()))
    return found


def holds(part: dict[str, Any], fields: dict[str, type]) -> None:
    for name, value in part.items():
        assert isinstance(value, fields[name]), name
        if name == "extra_info":
            assert all(isinstance(text, str) for text in value.values())


@pytest.mark.parametrize("kind", ["honest", "refused", "simulated", "few", "hostile"])
def test_every_record_has_the_fields_of_the_database(kind: str) -> None:
    found = records(kind)
    assert found
    for record in found:
        assert set(record) == {*FIELDS, "runners", "dependencies"}
        for name, fields in FIELDS.items():
            holds(record[name], fields)
        for runner in record["runners"]:
            holds(runner, RUNNER)
        for library in record["dependencies"].values():
            holds(library, LIBRARY)
        assert record["benchmark"]["mode"] == "inference"
        assert all(isinstance(value, float) and value > 0 for value in record["metric"]["benchmark_values"])


def test_values_are_one_a_trial_in_the_unit_that_is_named() -> None:
    mine = {r["metric"]["name"]: r["metric"] for r in records("honest") if r["model"]["backend"] == "onnxruntime"}
    assert mine["latency"]["benchmark_values"] == pytest.approx([0.05, 0.0505, 0.0495, 0.0502, 0.0498])
    assert mine["latency"]["extra_info"] == {"unit": "s"}
    assert mine["output_throughput"]["benchmark_values"][0] == pytest.approx(160.0)
    assert "peak_gpu_memory_mib" not in mine


def test_the_speed_up_comes_with_its_bounds_its_candidates_and_what_makes_it_weak() -> None:
    mine = next(r for r in records("honest") if r["model"]["backend"] == "onnxruntime")["benchmark"]["extra_info"]
    assert float(mine["speedup_low"]) < float(mine["speedup"]) < float(mine["speedup_high"])
    assert (mine["base"], mine["candidates"], mine["weak"]) == ("pytorch-eager", "pytorch-eager", "")
    few = next(r for r in records("few") if r["model"]["backend"] == "onnxruntime")["benchmark"]["extra_info"]
    assert "speedup" in few and not {"speedup_low", "speedup_high"} & set(few)


def test_the_name_bears_what_must_not_be_quoted() -> None:
    def names(kind: str, lane: str) -> set[str]:
        return {r["benchmark"]["name"] for r in records(kind) if r["model"]["backend"] == lane}

    assert names("honest", "onnxruntime") == {"trtbench generation"}
    assert names("simulated", "onnxruntime") == {"SIMULATED DEMONSTRATION trtbench generation"}
    assert names("refused", "onnxruntime") == {"VOID DEMONSTRATION trtbench generation"}
    assert names("refused", "pytorch-eager") == {"DEMONSTRATION trtbench generation"}


def test_so_does_a_lane_that_ran_on_no_card_of_its_authors() -> None:
    lanes = ["pytorch-eager", "tensorrt-rtx"]
    trials = factory.trials({key: [100.0, 101.0, 102.0] for key in lanes})
    found = pytorch_json.records(compare(factory.run(lanes, demonstration=False), trials))
    told = {(r["model"]["backend"], r["benchmark"]["name"], r["benchmark"]["extra_info"]["untried"]) for r in found}
    assert told == {
        ("pytorch-eager", "trtbench generation", "false"),
        ("tensorrt-rtx", "UNTRIED trtbench generation", "true"),
    }
