"""The judge on real small models: honest precisions pass, mutated models fail; and what it writes."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import factory
from trtbench.lanes.lane import Plan
from trtbench.lanes.pytorch_eager import PytorchEager
from trtbench.measure.stopping import every_trial
from trtbench.model.prompt_files import PROMPTS, read_prompts
from trtbench.model.synthetic import Shape, write_synthetic
from trtbench.model.workload import Workload, build, digest_prompts
from trtbench.records import judgement, run_folder
from trtbench.records.files import encode
from trtbench.records.trial import Model, Pass, Sampling, Trial
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, PASS, WARN, Finding
from trtbench.referee.judge import asking, drawing, judging, scoring
from trtbench.referee.judge.drawing import Returned
from trtbench.referee.judge.spec import Spec
from trtbench.settings.cells import Cell

torch = pytest.importorskip("torch")

SHAPE = Shape(hidden=256, layers=4, heads=8, kv_heads=4, intermediate=688, vocab=2048, positions=512)
CELL = Cell(batch=2, prompt_length=24, new_tokens=40, precision="float32")
CALLS = 2
SETTINGS = factory.settings(num_iterations=CALLS)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    write_synthetic(folder, SHAPE, seed=5)
    return folder


@pytest.fixture(scope="module")
def workload(reference: Path) -> Workload:
    return build(read_prompts(PROMPTS), reference, [CELL], Sampling(), "prompts")


def copied(source: Path, to: Path, **config: Any) -> Path:
    """The model with other values in its config.json."""
    shutil.copytree(source, to)
    file = to / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return to


def layer_dropped(source: Path, to: Path) -> Path:
    return copied(source, to, num_hidden_layers=SHAPE.layers - 1)


def wrong_rotary_base(source: Path, to: Path) -> Path:
    return copied(source, to, rope_theta=500.0)


def heads_mapped_wrongly(source: Path, to: Path) -> Path:
    """Query head i reads key-value head i mod 4 instead of i div 2."""
    from safetensors.torch import load_file, save_file

    copied(source, to)
    tensors = load_file(to / "model.safetensors")
    size = SHAPE.hidden // SHAPE.heads
    order = [0, 4, 1, 5, 2, 6, 3, 7]  # of the query heads, so that each pair holds two that belong apart
    for name, weight in tensors.items():
        if "q_proj" in name:
            tensors[name] = weight.view(SHAPE.heads, size, -1)[order].reshape(weight.shape).contiguous()
        if "o_proj" in name:
            tensors[name] = weight.view(-1, SHAPE.heads, size)[:, order].reshape(weight.shape).contiguous()
    save_file(tensors, to / "model.safetensors", {"format": "pt"})
    return to


def weights_of_another_seed(source: Path, to: Path) -> Path:
    to.mkdir()
    write_synthetic(to, SHAPE, seed=6)
    return to


MUTATIONS: list[Callable[[Path, Path], Path]] = [
    layer_dropped,
    wrong_rotary_base,
    heads_mapped_wrongly,
    weights_of_another_seed,
]


def generated(
    folder: Path, workload: Workload, precision: str = "float32", sampling: Sampling | None = None
) -> list[list[list[int]]]:
    """What transformers' generate returns for the calls of both passes."""
    lane = PytorchEager(Plan(folder, "", precision, "cpu", 1, sampling or Sampling(), (CELL,), folder))
    lane.load()
    return [
        lane.generate(workload.prompts(CELL, call), CELL.new_tokens if call < CALLS else 1) for call in range(2 * CALLS)
    ]


def trial_of(
    lane: str, outputs: list[list[list[int]]], workload: Workload, index: int, position: int, model: Model
) -> Trial:
    def made(first: int, milliseconds: float) -> Pass:
        return Pass(
            times=[round((milliseconds + index + 0.1 * call) * 1e6) for call in range(CALLS)],
            outputs=outputs[first : first + CALLS],
            output=list(range(CALLS)),
            prompts_digest=digest_prompts(workload.prompts(CELL, first + call) for call in range(CALLS)),
            foreign_cpu=[0.0] * CALLS,
        )

    record = factory.cell_record(CELL, e2e=made(0, 100.0), ttft=made(CALLS, 10.0))
    return factory.trial(
        lane,
        cell=CELL,
        index=index,
        position=position,
        cells=[record],
        model=model,
        workload_digest=workload.digest(),
        settings=SETTINGS,
    )


def model_of(reference: Path) -> Model:
    return factory.model(config=json.loads((reference / "config.json").read_text()))


def judged(
    results: Path, reference: Path, workload: Workload, outputs: dict[str, list[list[list[int]]]], **more: Any
) -> tuple[judgement.Judgement, list[Finding]]:
    """Store the trials as a run, judge it in this process, audit it."""
    model = factory.model(config=json.loads((reference / "config.json").read_text()))
    run = factory.run(
        tuple(outputs),
        workload_digest=workload.digest(),
        settings=SETTINGS,
        model_digest=model.digest,
        stopped=every_trial(2),
    )
    turns = [(index, lane) for index in (1, 2) for lane in outputs]
    trials = [
        trial_of(lane, outputs[lane], workload, index, place, model) for place, (index, lane) in enumerate(turns, 1)
    ]
    home = factory.store(results, run, trials)
    (home / "workload.json").write_bytes(encode(workload))
    found = judging.judge(spec_of(results, run.id, reference, workload, model, **more), lambda phase: None)
    judgement.write(home / judgement.FILE, found)
    return found, audit(run, run_folder.trials(results, run.id), found, workload)


def spec_of(results: Path, run: str, reference: Path, workload: Workload, model: Model, **more: Any) -> Spec:
    fields: dict[str, Any] = dict(
        run_folder=str(run_folder.folder(results, run)),
        run=run,
        model_path=str(reference),
        model=model,
        workload_digest=workload.digest(),
        sampling=workload.sampling,
        device="cpu",
        threads=1,
        seed=1,
        output=str(judgement.path(results, run)),
    )
    return Spec(**{**fields, **more})


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_an_honest_precision_passes(tmp_path: Path, reference: Path, workload: Workload, precision: str) -> None:
    right, lane = generated(reference, workload), generated(reference, workload, precision)
    found, findings = judged(tmp_path, reference, workload, {"pytorch-eager": right, "onnxruntime": lane})
    assert ("parity", PASS, "onnxruntime") in {(f.code, f.level, f.lane) for f in findings}
    mine = next(score for score in found.lanes if score.lane == "onnxruntime")
    assert mine.near is not None and mine.near >= 0.99
    assert mine.base == "pytorch-eager"
    assert mine.equal is not None and (mine.equal == 1.0 or precision != "float32")
    if precision == "float32":
        assert (mine.exact, mine.bleu) == (1.0, pytest.approx(100.0))
        assert found.reference is not None and "sacrebleu" in found.reference.libraries


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_a_mutated_model_fails(
    tmp_path: Path, reference: Path, workload: Workload, mutate: Callable[[Path, Path], Path]
) -> None:
    wrong = generated(mutate(reference, tmp_path / "mutated"), workload)
    right = generated(reference, workload)
    found, findings = judged(tmp_path / "results", reference, workload, {"pytorch-eager": right, "onnxruntime": wrong})
    failed = [(f.code, f.lane) for f in findings if f.level == FAIL]
    near = next(score.near for score in found.lanes if score.lane == "onnxruntime")
    print(f"{mutate.__name__}: {near:.1%} near")
    assert failed == [("parity.near", "onnxruntime")]


def test_near_and_perplexity_are_those_of_the_reference(reference: Path, workload: Workload) -> None:
    """Against the same sums taken step by step, as a generation computes them."""
    import transformers

    output = generated(reference, workload)[0][1]
    prompt = workload.prompts(CELL, 0)[1]
    model = transformers.AutoModelForCausalLM.from_pretrained(reference, dtype=torch.float32).eval()
    near, nll, ids = 0, 0.0, list(prompt)
    with torch.inference_mode():
        for token in output:
            logits = model(torch.tensor([ids])).logits[0, -1].double()
            near += bool(logits[token] >= logits.max() - 0.3 * logits.std())
            nll -= float(logits.log_softmax(0)[token])
            ids.append(token)
    description = factory.model(config=json.loads((reference / "config.json").read_text()))
    referee = scoring.Referee(reference, description, "cpu", 1)
    score = referee.score(Returned(CELL, "e2e", 0, 1, tuple(output)), prompt, Sampling())
    assert (score.positions, score.near) == (CELL.new_tokens, near)
    assert score.nll == pytest.approx(nll, rel=1e-4)


@pytest.mark.parametrize(("wrong", "level"), [(False, None), (True, FAIL)])
def test_sampled_ids_are_held_against_the_distribution(
    tmp_path: Path, reference: Path, wrong: bool, level: str | None
) -> None:
    sampling = Sampling(temperature=0.9, top_p=0.95, seed=3)
    workload = build(read_prompts(PROMPTS), reference, [CELL], sampling, "prompts")
    right = generated(reference, workload, sampling=sampling)
    other = right
    if wrong:
        other = generated(wrong_rotary_base(reference, tmp_path / "mutated"), workload, sampling=sampling)
    outputs = {"pytorch-eager": right, "onnxruntime": other}
    _, findings = judged(tmp_path / "results", reference, workload, outputs)
    mine = {f.level for f in findings if f.code == "parity.sampled" and f.lane == "onnxruntime"}
    assert mine == ({level} if level else set())


def test_a_model_that_is_no_llama_is_judged_too(tmp_path: Path, workload: Workload, reference: Path) -> None:
    import transformers

    config = transformers.GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=SHAPE.vocab, n_positions=256)
    torch.manual_seed(0)
    folder = tmp_path / "gpt2"
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    shutil.copy(reference / "tokenizer.json", folder)
    outputs = generated(folder, workload)
    found, _ = judged(tmp_path / "results", folder, workload, {"pytorch-eager": outputs})
    assert found.failure is None
    assert [score.near for score in found.lanes] == [1.0]


def test_a_model_that_cannot_be_loaded_is_said_and_never_passes(
    tmp_path: Path, reference: Path, workload: Workload
) -> None:
    outputs = {"pytorch-eager": generated(reference, workload)}
    found, findings = judged(tmp_path, reference, workload, outputs, model_path=str(tmp_path / "nowhere"))
    assert found.failure is not None and found.failure.startswith("the reference model cannot be loaded")
    assert [f.level for f in findings if f.code.startswith("parity")] == [WARN]


def test_the_time_limit_leaves_the_rest_unscored_and_known_scores_are_kept(
    tmp_path: Path, reference: Path, workload: Workload
) -> None:
    outputs = {"pytorch-eager": generated(reference, workload)}
    none, findings = judged(tmp_path, reference, workload, outputs, seconds=-1.0)
    assert none.scores == []
    assert "parity.unscored" in {f.code for f in findings}
    full, _ = judged(tmp_path, reference, workload, outputs)
    again, findings = judged(tmp_path, reference, workload, outputs, seconds=-1.0)
    assert again.scores == full.scores != []
    assert "parity.unscored" not in {f.code for f in findings}


def test_scores_of_other_margins_are_not_kept(tmp_path: Path, reference: Path, workload: Workload) -> None:
    outputs = {"pytorch-eager": generated(reference, workload)}
    full, _ = judged(tmp_path, reference, workload, outputs)
    for change in ({"near_deviations": 30.0}, {"max_positions": 2}):
        judgement.write(judgement.path(tmp_path, full.run), msgspec.structs.replace(full, **change))
        again, _ = judged(tmp_path, reference, workload, outputs, seconds=-1.0)
        assert again.scores == []


def test_trials_that_join_are_judged_and_noted(tmp_path: Path, reference: Path, workload: Workload) -> None:
    """As when a run is taken up again: between its trials and its judge they are unscored, and nothing fails."""
    outputs = {"pytorch-eager": generated(reference, workload)}
    first, _ = judged(tmp_path, reference, workload, outputs)
    later = trial_of("pytorch-eager", generated(reference, workload, "bfloat16"), workload, 3, 3, model_of(reference))
    (run_folder.folder(tmp_path, first.run) / "trials" / run_folder.trial_name(later)).write_bytes(encode(later))
    trials = run_folder.trials(tmp_path, first.run)
    run = run_folder.read(tmp_path, first.run)
    assert [f.code for f in audit(run, trials, first, workload) if f.level == FAIL] == []
    spec = spec_of(tmp_path, first.run, reference, workload, model_of(reference))
    second = judging.judge(spec, lambda phase: None)
    assert second.trials == [judgement.seen(t) for t in trials]
    judgement.write(judgement.path(tmp_path, first.run), second)
    assert {f.level for f in audit(run, trials, second, workload) if f.code.startswith("parity")} <= {PASS, WARN}


def test_the_first_of_every_lane_may_take_longer(
    tmp_path: Path, reference: Path, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(judging.time, "monotonic", lambda: float(next(clock)))
    right = generated(reference, workload)
    other = [[list(reversed(row)) for row in output] for output in right]
    found, _ = judged(tmp_path, reference, workload, {"pytorch-eager": right, "onnxruntime": other}, seconds=5.0)
    assert sorted((score.lane, score.sequences) for score in found.lanes) == [("onnxruntime", 1), ("pytorch-eager", 1)]


def test_ids_outside_of_the_vocabulary_are_left_to_the_count(
    tmp_path: Path, reference: Path, workload: Workload
) -> None:
    wrong = [[[SHAPE.vocab + 7 for _ in row] for row in output] for output in generated(reference, workload)]
    found, findings = judged(tmp_path, reference, workload, {"pytorch-eager": wrong})
    assert found.failure is None and found.scores == []
    assert "count.ids" in {f.code for f in findings if f.level == FAIL}


def test_the_process_of_its_own_writes_what_the_function_returns(
    tmp_path: Path, reference: Path, workload: Workload
) -> None:
    here, _ = judged(tmp_path, reference, workload, {"pytorch-eager": generated(reference, workload)})
    judgement.path(tmp_path, here.run).unlink()
    model = factory.model(config=json.loads((reference / "config.json").read_text()))
    phases: list[str] = []
    there = asking.start(tmp_path, spec_of(tmp_path, here.run, reference, workload, model), phases.append)
    assert there.scores == here.scores and there.lanes == here.lanes
    assert there.trials == here.trials == [judgement.seen(t) for t in run_folder.trials(tmp_path, here.run)]
    assert "loading the reference model" in phases
    assert there.checksum == judgement.checksum(there)


def test_a_judge_that_dies_leaves_its_reason(tmp_path: Path, reference: Path, workload: Workload) -> None:
    here, _ = judged(tmp_path, reference, workload, {"pytorch-eager": generated(reference, workload)})
    (run_folder.folder(tmp_path, here.run) / "workload.json").write_text("{")
    judgement.path(tmp_path, here.run).unlink()
    model = factory.model(config=json.loads((reference / "config.json").read_text()))
    there = asking.start(tmp_path, spec_of(tmp_path, here.run, reference, workload, model), lambda phase: None)
    assert there.failure == "the judge ended with status 2; its log is judge.log"
    assert math.isclose(there.seconds, 0.0)


def test_drawn_covers_every_lane_before_it_goes_on() -> None:
    cells = {"pytorch-eager": 0, "onnxruntime": 1000}
    trials = []
    for lane, first in cells.items():
        outputs = [factory.ids(factory.CELL, first=first + 100 * call) for call in range(5)]
        part = factory.timed_pass([100.0] * 5, outputs)
        trials.append(factory.trial(lane, cells=[factory.cell_record(e2e=part)]))
    order = [one for one in drawing.drawn(trials, seed=3) if one.part == "e2e"]
    calls = [one.call for one in order]
    assert len(order) == 10
    assert calls[0::2] == calls[1::2] and sorted(calls[0::2]) == [0, 1, 2, 3, 4]
    assert drawing.drawn(trials, seed=3) == drawing.drawn(trials, seed=3)
