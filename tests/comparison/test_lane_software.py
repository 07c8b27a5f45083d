"""What each lane ran in: its torch, whether two lanes have the same one, and what changed since another run."""

from __future__ import annotations

import msgspec
import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.history import against
from trtbench.comparison.result import Comparison
from trtbench.comparison.software import by_lane, differ
from trtbench.records.trial import Trial
from trtbench.report import history as shown
from trtbench.report.language import language

EAGER, COMPILE, VLLM, ONNX = "pytorch-eager", "pytorch-compile", "vllm", "onnxruntime"
MS = [100.0, 100.4, 99.6, 100.2, 99.8]


def ran(lane: str, torch: str | None, stated: str | None = None, venv: str | None = None) -> list[Trial]:
    """Five trials of a lane, with this torch installed, and stated by it."""
    factor = 0.5 if lane in (VLLM, ONNX) else 1.0
    libraries = {"numpy": "2.0.0", "vllm": "0.24.0", **({"torch": torch} if torch else {})}
    trials = factory.trials({lane: [factor * ms for ms in MS]})
    for trial in trials:
        trial.environment = factory.environment(venv=venv, libraries=libraries)
        assert trial.statement is not None
        trial.statement.versions = {"torch": stated} if stated else {}
    return trials


def compared(*lanes: list[Trial]) -> Comparison:
    names = [trials[0].lane for trials in lanes]
    together = [trial for members in zip(*lanes) for trial in members]
    for position, trial in enumerate(together, 1):
        trial.position = position
    headline = next((name for name in names if name in (VLLM, ONNX)), None)
    return compare(factory.run(names, headline=headline, demonstration=False), together)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("2.13.0", "2.13.0", False),
        ("2.13.0", "2.13", False),
        ("2.13.0", "2.11.0", True),
        ("2.13.0+cpu", "2.13.0+cu130", True),
        ("2.13.0+cu130", "2.13.0", False),  # as torch states it, and as its package from PyPI is listed
        ("2.13.0", "2.13.0rc1", True),
        ("2.9.0a0+145a3a7bda.nv25.10", "2.9.0a0+50eac811a6.nv25.09", True),
        ("dev", "dev", False),
        ("dev", "nightly", True),
    ],
)
def test_other_releases_and_other_builds_are_other_torches(one: str, other: str, wanted: bool) -> None:
    assert differ(one, other) is differ(other, one) is wanted


def test_each_lane_is_told_with_its_own_engine_torch_and_environment() -> None:
    made = compared(ran(EAGER, "2.13.0", "2.13.0+cu130"), ran(VLLM, "2.11.0", "2.11.0+cu130", ".venv-vllm"))
    told = {software.lane: software for software in made.software}
    assert (told[EAGER].torch, told[EAGER].venv, told[EAGER].libraries["torch"]) == ("2.13.0+cu130", None, "2.13.0")
    assert (told[VLLM].torch, told[VLLM].venv, told[VLLM].runtime) == ("2.11.0+cu130", ".venv-vllm", "vLLM")
    assert msgspec.json.decode(msgspec.json.encode(made), type=Comparison).software == made.software


def test_torch_is_the_lanes_own_only() -> None:
    """As installed for a PyTorch lane that states none; what converts models for another lane is not what it runs on."""
    told = by_lane(compared(ran(EAGER, "2.13.0"), ran(ONNX, "2.11.0")))
    assert (told[EAGER, "float32"].torch, told[ONNX, "float32"].torch) == ("2.13.0", None)


def rival(made: Comparison) -> list[tuple[str, str, str]]:
    (a,) = (a for row in made.cells for a in row.against if a.headline)
    return a.torches


def test_a_comparison_carries_the_torches_where_they_differ_and_only_there() -> None:
    same = compared(ran(EAGER, "2.13.0", "2.13.0+cu130"), ran(VLLM, "2.13.0", "2.13.0+cu130", ".venv-vllm"))
    assert rival(same) == []
    other = compared(ran(EAGER, "2.13.0", "2.13.0+cu130"), ran(VLLM, "2.11.0", "2.11.0+cu130", ".venv-vllm"))
    assert rival(other) == [(VLLM, "float32", "2.11.0+cu130"), (EAGER, "float32", "2.13.0+cu130")]
    assert rival(compared(ran(EAGER, "2.13.0"), ran(ONNX, "2.11.0"))) == []  # it has no torch of its own


def test_a_candidate_on_another_torch_counts_as_the_base_does() -> None:
    made = compared(ran(EAGER, "2.13.0"), ran(COMPILE, "2.12.0"), ran(VLLM, "2.13.0", "2.13.0"))
    assert sorted(rival(made)) == [
        (COMPILE, "float32", "2.12.0"),
        (EAGER, "float32", "2.13.0"),
        (VLLM, "float32", "2.13.0"),
    ]


def changes(now: Comparison, then: Comparison) -> set[tuple[str | None, str, str | None, str | None]]:
    return {(d.lane, d.name, d.earlier, d.now) for d in against(now, then, "run").differences}


def test_a_lane_whose_own_torch_changed_is_named_and_the_others_are_not() -> None:
    now = compared(ran(EAGER, "2.13.0"), ran(VLLM, "2.13.0", "2.13.0+cu130", ".venv-vllm"))
    then = compared(ran(EAGER, "2.13.0"), ran(VLLM, "2.11.0", "2.11.0+cu130", ".venv-vllm"))
    assert changes(now, then) == {(VLLM, "torch", "2.11.0", "2.13.0")}
    now.history = against(now, then, "run")
    assert shown.differences(now.history, now, language("en")) == ["vLLM, torch: 2.11.0 then, 2.13.0 now"]
    assert shown.differences(now.history, now, language("fr")) == ["vLLM, torch\u00a0: 2.11.0 avant, 2.13.0 à présent"]


def test_the_order_of_lanes_and_the_name_of_a_folder_are_no_difference() -> None:
    apart = compared(ran(EAGER, "2.13.0"), ran(VLLM, "2.11.0", "2.11.0", ".venv-vllm"))
    turned = compared(ran(VLLM, "2.11.0", "2.11.0"), ran(EAGER, "2.13.0"))
    assert apart.environment.libraries != turned.environment.libraries
    assert changes(apart, turned) == changes(turned, apart) == set()


def test_what_changed_for_all_lanes_is_said_once() -> None:
    now, then = (compared(ran(EAGER, torch), ran(ONNX, torch)) for torch in ("2.13.0", "2.11.0"))
    assert changes(now, then) == {(None, "torch", "2.11.0", "2.13.0")}


def test_an_engine_on_another_build_of_the_same_torch_is_told() -> None:
    now, then = (compared(ran(EAGER, "2.13.0"), ran(VLLM, "2.13.0", f"2.13.0+{build}")) for build in ("cu130", "cu128"))
    assert changes(now, then) == {(VLLM, "torch", "2.13.0+cu128", "2.13.0+cu130")}


def test_a_report_of_an_earlier_version_is_compared_by_its_one_environment() -> None:
    now = compared(ran(EAGER, "2.13.0"), ran(VLLM, "2.13.0", "2.13.0", ".venv-vllm"))
    then = compared(ran(EAGER, "2.11.0"), ran(VLLM, "2.11.0", "2.11.0"))
    then.software = []
    assert changes(now, then) == {(None, "torch", "2.11.0", "2.13.0")}
    then.statements = []
    assert (None, "torch", "2.11.0", "2.13.0") in changes(now, then)
