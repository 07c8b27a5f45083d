"""Comparisons for tests of the report's formats: an honest one, one that is refused, a simulated one, a hostile one."""

from __future__ import annotations

from typing import Any

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.records.run import Absent
from trtbench.records.telemetry import Gpu
from trtbench.records.trial import EngineMetrics, Failure
from trtbench.records.trtllm_report import Latency
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import found
from trtbench.settings.cells import Cell

TRIALS = {
    "pytorch-eager": (100.0, 101.0, 99.0, 100.5, 99.5),
    "onnxruntime": (50.0, 50.5, 49.5, 50.2, 49.8),
    "openvino": (90.0, 91.0, 89.0, 90.5, 89.5),
}
# Markup, quotes, a formula, a terminal's escape sequence, a turned direction of writing, Markdown, a mention, an own end.
HOSTILE = (
    "=cmd|'/c calc'!A1 <script>alert(1)</script> \"quoted\" 'single' & \x1b[31mred\x1b[0m \u202eevil\u202c "
    "`tick` | pipe | **bold** [link](javascript:alert(1)) @everyone #1 $x$ </style></svg>-->]]> \u05e9\u05dc\u05d5\u05dd\nnext line"
)


def honest(**more: Any) -> Comparison:
    """Three lanes, five trials each; ONNX Runtime is the headline and about twice as fast. Nothing is refused."""
    model = factory.model(name="example/model", synthetic=False, source="hub", revision="0123456789abcdef")
    run = factory.run(lanes=list(TRIALS), demonstration=False, headline="onnxruntime", **more)
    made = factory.trials(TRIALS, model=model)
    return compare(run, made)


def uneven() -> Comparison:
    """One lane is eighty times as slow as the fastest, and the trials of one say next to nothing."""
    times = {
        "pytorch-eager": (4000.0, 4040.0, 3960.0),
        "onnxruntime": (50.0, 50.5, 49.5),
        "openvino": (30.0, 90.0, 400.0),
    }
    run = factory.run(lanes=list(times), demonstration=False, headline="onnxruntime")
    return compare(run, factory.trials(times, model=factory.model(synthetic=False, source="hub")))


def audited() -> Comparison:
    """The demonstration model, with the findings that the audit really makes of such records."""
    run, made = factory.run(lanes=list(TRIALS), headline="onnxruntime"), factory.trials(TRIALS)
    return compare(run, made, audit(run, made))


def refused() -> Comparison:
    """The headline's lane changed its records after they were written."""
    finding = found("provenance.changed", ("onnxruntime", "float32"), file="0001-onnxruntime.json")
    return compare(factory.run(lanes=list(TRIALS), headline="onnxruntime"), factory.trials(TRIALS), [finding])


def simulated() -> Comparison:
    """One lane is a stand-in for tests."""
    made = factory.trials(TRIALS)
    for trial in made:
        if trial.lane == "onnxruntime" and trial.statement is not None:
            trial.statement.simulated = True
    return compare(factory.run(lanes=list(TRIALS), headline="onnxruntime"), made)


def beside() -> Comparison:
    """Two lanes on a card, with the engine's own clock, NVIDIA's benchmark beside it, and a second report that is broken."""
    made = factory.trials({"pytorch-eager": TRIALS["pytorch-eager"], "tensorrt-engine": TRIALS["onnxruntime"]})
    for trial in made:
        assert trial.statement is not None and trial.telemetry is not None
        trial.statement.device, trial.statement.device_name = "cuda:0", "Example GPU"
        card = Gpu(uuid="GPU-0", name="Example GPU", samples=3, sm_clock=[1500, 1755, 1755], sm_clock_max=1980)
        card.temperature, card.power, card.power_cap, card.power_cap_default = (
            [60, 71, 80],
            [390.5, 401.25],
            400.0,
            700.0,
        )
        card.throttle_reasons = ["gpu_idle", "sw_power_cap", "sw_thermal_slowdown", "reason_0x200"]
        trial.telemetry.gpus = [card]
        if trial.lane == "tensorrt-engine":
            trial.cells[0].engine_metrics = EngineMetrics(
                queued=[10_000], ttft=[4 * factory.MS], e2e=[49 * factory.MS], reused_blocks=0
            )
    cell = factory.CELL
    fields: dict[str, Any] = dict(
        precision=cell.precision, prompt_length=cell.prompt_length, new_tokens=cell.new_tokens
    )
    reports = [Latency(latency=51.25, ttft=5.5, requests=4, **fields), Latency(problem="x.json is cut off.", **fields)]
    return compare(factory.run(["pytorch-eager", "tensorrt-engine"], demonstration=False), made, reports=reports)


def few() -> Comparison:
    """Two trials of each lane: no interval, no verdict."""
    return compare(factory.run(), factory.trials({lane: ms[:2] for lane, ms in TRIALS.items()}))


def many(cells: int) -> Comparison:
    """Many cells, in each a long series of trials."""
    shapes = [Cell(batch=1, prompt_length=8 + i, new_tokens=8, precision="float32") for i in range(cells)]
    made = factory.trials({lane: ms * 4 for lane, ms in TRIALS.items()})
    for trial in made:
        first = trial.cells[0]
        assert first.e2e is not None
        assert first.ttft is not None
        times = [t / 1e6 for t in first.e2e.times], [t / 1e6 for t in first.ttft.times]
        trial.cells = [factory.cell_record(shape, *times) for shape in shapes]
    return compare(factory.run(lanes=list(TRIALS), headline="onnxruntime"), made)


def hostile() -> Comparison:
    """Every text that comes from outside is HOSTILE, and then 10 kB long."""
    text = HOSTILE + " " + "A" * 10_000
    made = factory.trials({lane: ms for lane, ms in TRIALS.items() if lane != "openvino"})
    for trial in made:
        trial.model = factory.model(name=text, source=text, revision=text, architecture=text)
        trial.environment = factory.environment(
            cpu_model=text, os=text, kernel=text, python=text, libraries={text: text}, git_commit=text, container=text,
            gpus=[text], driver=text, cuda=text,
        )  # fmt: skip
        trial.statement = factory.statement(
            runtime=text, runtime_version=text, attention=text, kv_precision=text, versions={text: text}, notes=[text],
            compute_precision=text, weight_precision=text,
        )  # fmt: skip
    hole = factory.trial("openvino", index=1, position=99)
    hole.cells = [factory.cell_record(hole=text, e2e=None, ttft=None)]
    run = factory.run(
        lanes=["pytorch-eager", "onnxruntime", "openvino"],
        absent=[Absent(lane="openvino", precision=text, failure=Failure(phase="load", reason=text, hint=text))],
        command=text,
        stopped=text,
        settings={**factory.settings(), "PROMPTS_FILE": text, "MODEL_NAME": text, "UNHEARD_OF": text},
    )
    findings = [found("machine.changed", ("pytorch-eager", "float32"), what=text, values=text)]
    return compare(run, [*made, hole], findings)
