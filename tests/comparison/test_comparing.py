"""All records to one comparison: which lane is the base, what failed, what is missing."""

from __future__ import annotations

import random

import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Against
from trtbench.figures.base import base_of
from trtbench.figures.summary import Figures, figures, shape
from trtbench.records.files import decode_as, encode
from trtbench.records.run import Absent, Departure
from trtbench.records.telemetry import Card
from trtbench.records.trial import Failure, Memory
from trtbench.referee.audit.findings import FAIL, Finding, found
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES, Row

LANE_MS = {"pytorch-eager": [241.0, 242.0, 240.0], "onnxruntime": [100.0, 100.5, 99.5]}


@pytest.fixture
def second_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    row = LANES["pytorch-eager"]
    monkeypatch.setitem(LANES, "pytorch-second", Row(**{**vars(row), "label": "PyTorch second"}))


def figure(lane: str, ms: float, precision: str = "float32") -> Figures:
    cell = Cell(batch=1, prompt_length=32, new_tokens=8, precision=precision)
    found = figures([factory.trial(lane, [ms], cell=cell)], shape(cell))
    assert isinstance(found, Figures)
    return found


@pytest.mark.usefixtures("second_pytorch")
def test_the_base_is_the_fastest_pytorch_lane_of_the_same_precision() -> None:
    rows = [
        figure("pytorch-eager", 30),
        figure("pytorch-second", 20),
        figure("pytorch-eager", 5, "bfloat16"),
        figure("onnxruntime", 1),
    ]
    base = base_of(rows, "float32")
    assert base is not None
    assert (base.lane, base.precision) == ("pytorch-second", "float32")


def test_a_quantised_lane_has_the_fastest_full_precision_as_base_when_there_is_no_equal() -> None:
    rows = [figure("pytorch-eager", 30), figure("pytorch-eager", 20, "bfloat16")]
    base = base_of(rows, "int8")
    assert base is not None
    assert base.precision == "bfloat16"
    assert base_of(rows, "float16") is None


def test_every_other_lane_is_compared_with_the_base() -> None:
    comparison = compare(factory.run(), factory.trials(LANE_MS))
    (row,) = comparison.cells
    assert [f.lane for f in row.figures] == ["pytorch-eager", "onnxruntime"]
    (against,) = row.against
    assert (against.lane, against.base, against.headline) == ("onnxruntime", "pytorch-eager", True)
    assert against.speedup.ratio == pytest.approx(2.41, abs=0.001)
    assert against.reduction == pytest.approx(1 - 1 / against.speedup.ratio)
    assert against.gain == pytest.approx(against.speedup.ratio - 1)
    assert against.verdict.word == "faster"


def test_the_order_of_the_records_does_not_matter() -> None:
    trials = [
        *factory.trials(LANE_MS),
        factory.trial("onnxruntime", index=9, failure=Failure(phase="load", reason="x")),
    ]
    expected = encode(compare(factory.run(), trials))
    for seed in range(5):
        random.Random(seed).shuffle(trials)
        assert encode(compare(factory.run(), trials)) == expected


def test_only_the_last_attempt_of_a_trial_counts() -> None:
    trials = factory.trials({"pytorch-eager": [100.0, 100.0]})
    retried = factory.trial("pytorch-eager", [300.0], index=1, attempt=2, position=7)
    (row,) = compare(factory.run(), [*trials, retried]).cells
    assert row.figures[0].latency_trials == [100.0, 300.0] or row.figures[0].latency_trials == [300.0, 100.0]
    failed = factory.trial("pytorch-eager", index=1, attempt=2, position=7, failure=Failure(phase="x", reason="y"))
    (row,) = compare(factory.run(), [*trials, failed]).cells
    assert row.figures[0].latency_trials == [100.0]


def test_lanes_without_figures_stand_with_their_reason() -> None:
    trials = factory.trials({"pytorch-eager": [100.0] * 3})
    trials.append(factory.trial("onnxruntime", failure=Failure(phase="load", reason="no room")))
    comparison = compare(factory.run(), trials)
    assert [(a.lane, a.failure.reason) for a in comparison.failed] == [("onnxruntime", "no room")]
    assert "onnxruntime" not in comparison.not_run


@pytest.mark.parametrize(
    ("gpus", "capability", "device", "there"),
    [
        ([], None, "cpu", ["pytorch-compile", "pytorch-tuned", "onnxruntime", "openvino"]),
        (
            ["NVIDIA H200"],
            "9.0",
            "cuda:0",
            ["pytorch-compile", "pytorch-tuned", "onnxruntime", "vllm", "tensorrt-engine"],
        ),
        (["NVIDIA GeForce RTX 4090"], "8.9", "cuda:0", ["tensorrt-rtx", "tensorrt-engine", "vllm"]),
        (["NVIDIA GeForce RTX 4090"], "8.9", "cpu", ["openvino", "tensorrt-rtx", "vllm"]),
    ],
)
def test_lanes_that_could_not_run_there_are_not_missed(
    gpus: list[str], capability: str | None, device: str, there: list[str]
) -> None:
    trials = factory.trials({"pytorch-eager": [100.0] * 3})
    for trial in trials:
        assert trial.statement is not None
        trial.statement.device = device
        trial.environment.gpus = gpus
        if capability:
            trial.environment.cards = [Card(uuid="GPU-0", name=gpus[0], compute_capability=capability)]
    missed = compare(factory.run(lanes=["pytorch-eager"]), trials).not_run
    assert set(there) <= set(missed)
    never = {
        ("cpu", False): {"vllm", "tensorrt-engine", "tensorrt-rtx", "pytorch-triton"},
        ("cuda:0", True): {"openvino"},
    }.get((device, bool(gpus)), set())
    assert not never & set(missed)
    assert ("tensorrt-rtx" in missed) == (capability == "8.9")


def test_a_lane_that_failed_and_later_ran_is_not_told_as_failed() -> None:
    absent = Absent(lane="onnxruntime", precision="float32", failure=Failure(phase="load", reason="no room"))
    comparison = compare(factory.run(absent=[absent]), factory.trials(LANE_MS))
    assert comparison.failed == []


def test_lanes_that_were_not_asked_for_are_named() -> None:
    comparison = compare(factory.run(["onnxruntime"]), factory.trials({"onnxruntime": [100.0] * 3}))
    assert "pytorch-eager" in comparison.not_run
    assert comparison.cells[0].against == []


def test_the_headline_interval_is_wider_when_there_are_more_cells() -> None:
    """Bonferroni: with two cells each headline interval is a 97.5 % one."""
    cells = [factory.CELL, Cell(batch=8, prompt_length=32, new_tokens=8, precision="float32")]
    trials = [
        factory.trial(lane, index=i, cells=[factory.cell_record(c, [ms + i, ms - i / 2]) for c in cells])
        for lane, ms in (("pytorch-eager", 240.0), ("onnxruntime", 100.0))
        for i in (1, 2, 3)
    ]
    one = compare(factory.run(), factory.trials(LANE_MS)).cells[0].against[0]
    two = compare(factory.run(), trials).cells[0].against[0]
    assert one.speedup.level == 0.95
    assert two.speedup.level == 0.975


def test_memory_is_compared_only_like_with_like() -> None:
    def variation(base: Memory, lane: Memory) -> float | None:
        trials = [
            factory.trial(name, cells=[factory.cell_record(memory=memory)])
            for name, memory in (("pytorch-eager", base), ("onnxruntime", lane))
        ]
        return compare(factory.run(), trials).cells[0].against[0].memory_variation

    assert variation(Memory(peak_rss=200), Memory(peak_rss=150)) == pytest.approx(-0.25)
    assert variation(Memory(peak_rss=200, gpu_peak=100), Memory(peak_rss=1, gpu_peak=150)) == pytest.approx(0.5)
    assert variation(Memory(peak_rss=200), Memory(peak_rss=150, gpu_peak=150)) is None
    assert variation(Memory(), Memory(peak_rss=150)) is None


THREE = {
    "pytorch-eager": [240.0, 241.0, 239.0, 240.5, 239.5],
    "pytorch-compile": [240.5, 241.5, 239.5, 240.0, 240.2],
    "pytorch-tuned": [480.0, 481.0, 479.0, 482.0, 478.0],
    "onnxruntime": [100.0, 100.5, 99.5, 100.2, 99.8],
}


def compared(findings: list[Finding] | None = None, **more: object) -> dict[str, Against]:
    made = compare(factory.run(list(THREE), **more), factory.trials(THREE), findings or [])
    return {a.lane: a for a in made.cells[0].against}


def test_the_candidates_are_named_and_the_range_is_over_them() -> None:
    head = compared()["onnxruntime"]
    assert (head.base, head.candidates) == (
        "pytorch-eager", [("pytorch-eager", "float32"), ("pytorch-compile", "float32")],
    )  # fmt: skip
    assert head.verdict.word == "faster"
    assert compared()["pytorch-compile"].candidates == [("pytorch-eager", "float32")]


def test_a_report_of_an_earlier_version_names_no_candidates_and_is_read() -> None:
    made = compare(factory.run(), factory.trials(LANE_MS))
    data = encode(made).replace(b'"candidates"', b'"unheard_of"')
    read = decode_as(type(made), data, "report")
    assert read.cells[0].against[0].candidates == []


@pytest.mark.parametrize(
    ("lane", "code", "void"),
    [
        ("onnxruntime", "count.new_ids", True),
        ("pytorch-eager", "count.new_ids", True),
        ("pytorch-compile", "count.new_ids", True),
        ("pytorch-tuned", "count.new_ids", False),
        ("pytorch-tuned", "base.left", True),
        ("pytorch-tuned", "base.vanished", True),
        ("openvino", "base.vanished", False),
    ],
)
def test_a_failure_voids_that_touches_a_candidate_or_hides_a_base(lane: str, code: str, void: bool) -> None:
    head = compared([found(code, (lane, "float32"))])["onnxruntime"]
    assert (head.verdict.word == "void") is void
    assert found(code).level == FAIL


def test_the_figures_of_a_lane_that_left_say_so() -> None:
    gone = Departure(lane="pytorch-tuned", precision="float32", round=1, position=3, rule="ratio", cells=[])
    made = compare(factory.run(list(THREE), departures=[gone]), factory.trials(THREE))
    assert {f.lane: f.left for f in made.cells[0].figures if f.left is not None} == {"pytorch-tuned": 1}
