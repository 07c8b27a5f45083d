"""This run against another: the same statistics, what differs, and a gate that only closes on proof."""

from __future__ import annotations

from typing import Any

import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.history import against, regressions, share_of
from trtbench.comparison.result import Comparison, History
from trtbench.errors import UserError
from trtbench.figures.speedup import interval
from trtbench.records.run import Absent
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Failure
from trtbench.referee.audit.findings import found
from trtbench.report import history as shown
from trtbench.report import markdown, text
from trtbench.report.language import LANGUAGES, language
from trtbench.report.page import document
from trtbench.report.text import WIDTH

EAGER = [241.0, 242.0, 240.0, 241.5, 240.5]
FAST = [100.0, 100.5, 99.5, 100.2, 99.8]
THEN = {"pytorch-eager": EAGER, "onnxruntime": FAST}


def slower(share: float) -> dict[str, list[float]]:
    return {"pytorch-eager": EAGER, "onnxruntime": [ms * (1 + share) for ms in FAST]}


def a_run(means: dict[str, Any] = THEN, findings: Any = (), run: Any = None, **more: Any) -> Comparison:
    return compare(run or factory.run(), factory.trials(means, **more), findings)


def change(history: History, lane: str) -> Any:
    return next(c for c in history.changes if c.lane == lane)


def test_the_ratio_is_that_of_speedup_then_over_now() -> None:
    history = against(a_run(slower(0.10)), a_run(), "run")
    one = change(history, "onnxruntime")
    now, then = ([t * times for t in FAST] for times in (1.10, 1))
    wanted = interval(now, then, 1 - 0.05 / 2)
    assert (one.speedup.ratio, one.speedup.low) == (
        pytest.approx(wanted.ratio, rel=1e-6),
        pytest.approx(wanted.low, rel=1e-6),
    )
    assert one.speedup.level == pytest.approx(0.975)  # two pairs share 5 %
    assert one.verdict.word == "slower"
    assert change(history, "pytorch-eager").verdict.word == "equivalent"
    assert (one.latency, one.earlier) == (pytest.approx(110.0, rel=1e-3), pytest.approx(100.0, rel=1e-3))


def test_swapping_the_sides_mirrors_the_ratio() -> None:
    forth = change(against(a_run(slower(0.1)), a_run(), "run"), "onnxruntime")
    back = change(against(a_run(), a_run(slower(0.1)), "run"), "onnxruntime")
    assert forth.speedup.ratio * back.speedup.ratio == pytest.approx(1)
    assert (forth.verdict.word, back.verdict.word) == ("slower", "faster")


@pytest.mark.parametrize(
    ("share", "allowed", "closes"), [(0.10, 0.03, True), (0.02, 0.03, False), (0.03, 0.03, False), (-0.2, 0.0, False)]
)
def test_the_gate_closes_only_when_the_whole_interval_is_beyond_the_share(
    share: float, allowed: float, closes: bool
) -> None:
    history = against(a_run(slower(share)), a_run(), "run")
    assert [c.lane for c in regressions(history, allowed)] == (["onnxruntime"] if closes else [])


def test_a_noisy_slowdown_proves_nothing() -> None:
    noisy = {"pytorch-eager": EAGER, "onnxruntime": [90.0, 130.0, 100.0, 125.0, 105.0]}  # 9 % slower in the mean
    assert regressions(against(a_run(noisy), a_run(), "run"), 0.03) == []


def test_a_gate_that_could_not_close_says_so() -> None:
    few = a_run({lane: ms[:2] for lane, ms in THEN.items()})
    with pytest.raises(UserError, match="cannot be checked.*too few trials"):
        regressions(against(a_run(), few, "run"), 0.03)
    other = a_run({"openvino": FAST})
    with pytest.raises(UserError, match="no lane and cell in common"):
        regressions(against(a_run(), other, "run"), 0.03)


def test_a_lane_that_ran_then_and_fails_now_is_lost_and_one_not_asked_for_is_not() -> None:
    absent = [Absent(lane="onnxruntime", precision="float32", failure=Failure(phase="load", reason="no room"))]
    history = against(a_run({"pytorch-eager": EAGER}, run=factory.run(absent=absent)), a_run(), "run")
    assert [(one.lane, one.reason) for one in history.lost] == [("onnxruntime", "no room")]
    assert history.unpaired == 0
    quiet = against(a_run({"pytorch-eager": EAGER}), a_run(), "run")
    assert (quiet.lost, quiet.unpaired) == ([], 1)


@pytest.mark.parametrize("side", ["now", "then"])
def test_what_the_audit_refuses_on_either_side_is_void(side: str) -> None:
    refused = a_run(slower(0.5), [found("provenance.changed", ("onnxruntime", "float32"), file="x.json")])
    history = against(refused, a_run(), "run") if side == "now" else against(a_run(), refused, "run")
    assert (change(history, "onnxruntime").verdict.word, history.fails) == ("void", 0 if side == "now" else 1)
    assert change(history, "pytorch-eager").verdict.word == "equivalent"
    assert regressions(history, 0.03) == []


@pytest.mark.parametrize("side", ["now", "then"])
def test_a_neighbour_proves_no_regression(side: str) -> None:
    """A lane whose trials others disturbed and that count all the same, on either side."""
    trials = factory.trials(slower(0.5) if side == "now" else THEN)
    for t in trials:
        if t.lane == "onnxruntime":
            t.disturbed = [Disturbance(kind="cpu", value=0.3, limit=0.01)]
    noisy = compare(factory.run(), trials)
    history = against(noisy, a_run(), "run") if side == "now" else against(a_run(slower(0.5)), noisy, "run")
    one = change(history, "onnxruntime")
    assert (one.verdict.word, one.verdict.reason) == ("none", "not_quiet")
    assert regressions(history, 0.03) == []
    assert any("not quiet" in line for line in shown.text(a_run_with(history), language("en")))


def a_run_with(history: History) -> Comparison:
    comparison = a_run()
    comparison.history = history
    return comparison


def test_another_model_and_stand_ins_get_no_verdict() -> None:
    other = a_run(model=factory.model(digest="b" * 64))
    history = against(a_run(slower(0.5)), other, "run")
    assert not history.same_model
    assert {(c.verdict.word, c.verdict.reason) for c in history.changes} == {("none", "other_model")}
    with pytest.raises(UserError, match="other model"):
        regressions(history, 0.03)
    pretended = a_run(statement=factory.statement(simulated=True))
    assert {c.verdict.reason for c in against(a_run(), pretended, "run").changes} == {"simulated"}


def test_what_differs_is_listed_and_what_does_not_matter_is_not() -> None:
    assert against(a_run(), a_run(), "run").differences == []
    now = a_run(environment=factory.environment(libraries={"numpy": "2.0.0"}))
    environment = factory.environment(
        machine="f" * 16,
        cpu_model="Other CPU",
        gpus=["NVIDIA L4"],
        driver="580.1",
        libraries={"numpy": "2.1.0", "torch": "2.9"},
    )
    settings = factory.settings(num_iterations=3, data_dir="/elsewhere", report_lang="fr")
    then = a_run(
        run=factory.run(settings=settings),
        environment=environment,
        statement=factory.statement(runtime_version="0.9", cuda_graphs=True),
    )
    history = against(now, then, "run")
    named = {(d.kind, d.name): (d.earlier, d.now) for d in history.differences}
    assert not history.same_machine
    assert named["machine", "cpu"] == ("Other CPU", "Example CPU @ 2.00GHz")
    assert named["machine", "gpu"] == ("NVIDIA L4", None)
    assert named["version", "numpy"] == ("2.1.0", "2.0.0")
    assert named["version", "torch"] == ("2.9", None)
    assert named["setting", "NUM_ITERATIONS"] == ("3", "10")
    assert named["lane", "runtime_version"] == ("0.9", "1.0")
    assert named["lane", "cuda_graphs"] == ("True", None)
    assert not any("DATA_DIR" in key or "REPORT_LANG" in key for key in named)


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0%", 0.0), ("2.5%", 0.025), ("100%", 1.0)])
def test_a_share_is_read(text: str, share: float) -> None:
    assert share_of(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["3", "0.03", "", "%", "-1%", "101%", "nan%", "inf%", "1_0%", "٣%", "3 percent"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="such as 3%"):
        share_of(text)


# In the reports


def told(now: Comparison, then: Comparison, lang: str = "en") -> Comparison:
    now.history = against(now, then, "bundle")
    return now


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_format_shows_the_ratio_and_the_other_machine(lang: str) -> None:
    then = a_run(environment=factory.environment(machine="f" * 16))
    comparison = told(a_run(slower(0.25)), then)
    capitals = language(lang)("history.other_machine_notice").split(":")[0].strip()
    ratio = "0.80x" if lang == "en" else "0,80x"
    for made in (text.render(comparison, lang), markdown.render(comparison, lang), document.render(comparison, lang)):
        assert capitals in made
        assert ratio in made
    assert all(len(line) <= WIDTH for line in text.render(comparison, lang).splitlines())
    assert history_gate(comparison, lang).endswith(language(lang)("history.on_other_machine"))


def history_gate(comparison: Comparison, lang: str) -> str:
    assert comparison.history is not None
    slow = regressions(comparison.history, 0.03)
    return shown.gate(comparison.history, slow, 0.03, comparison, language(lang))[0]


def test_a_report_without_another_run_says_nothing_of_one() -> None:
    assert "AGAINST" not in text.render(a_run(), "en")
    assert "Against run" not in document.render(a_run(), "en")
