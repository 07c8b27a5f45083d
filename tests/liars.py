"""Whole runs for the audit, honest ones and lies: records, run, workload and judgement that fit each other.

`Story` makes an honest run of two or more lanes; a cheat is a function that changes it, as a cheater would: before the
records are sealed with their checksums (`seal`), unless the lie is to change them afterwards.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

import factory
from trtbench.measure import rules
from trtbench.measure.stopping import every_trial
from trtbench.model.shape import ModelShape
from trtbench.model.workload import Workload, digest_prompts
from trtbench.records import judgement
from trtbench.records.files import SCHEMA
from trtbench.records.judgement import Judgement, Reference, Score
from trtbench.records.run import Run, counting
from trtbench.records.telemetry import Card, Gpu, Telemetry
from trtbench.records.trial import (
    CellRecord,
    Cold,
    Environment,
    Memory,
    Model,
    Pass,
    Sampling,
    Sealed,
    Statement,
    Trial,
    checksum,
)
from trtbench.referee import roofline
from trtbench.referee.audit.findings import Finding
from trtbench.referee.judge.drawing import Returned, drawn
from trtbench.referee.lane_scores import lane_scores
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import Settings
from trtbench.settings.lanes import LANES

TINYLLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "intermediate_size": 5632,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
}
DEMO = {**TINYLLAMA, "hidden_size": 768, "num_hidden_layers": 2, "num_attention_heads": 12, "num_key_value_heads": 4}
DEMO |= {"intermediate_size": 2048, "vocab_size": 4096}
GPU_UUID = "GPU-0"
CACHE = 32 * 2**20
MS = factory.MS


@dataclasses.dataclass
class Story:
    """What a run is made of. Times are means in ms; `spread` is the relative noise of iterations and trials."""

    latency: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"pytorch-eager": 2000.0, "tensorrt-engine": 1000.0}
    )
    first: float = 20.0
    precision: dict[str, str] = dataclasses.field(default_factory=dict)
    default_precision: str = "float16"
    config: dict[str, Any] = dataclasses.field(default_factory=lambda: dict(TINYLLAMA))
    synthetic: bool = False
    batch: int = 1
    prompt: int = 128
    new: int = 200
    rounds: int = 6
    iterations: int = 10
    spread: tuple[float, float] = (0.005, 0.01)
    noise: Callable[[random.Random], float] = lambda draw: draw.gauss(0, 1)
    gpu: str | None = "NVIDIA GeForce RTX 4070"
    cards: int = 1  # that every lane splits the model over; on a CPU so many processes
    near: dict[str, float] = dataclasses.field(default_factory=dict)
    near_first: dict[str, float] = dataclasses.field(default_factory=dict)
    sampling: Sampling = dataclasses.field(default_factory=lambda: Sampling(seed=7))
    seed: int = 1

    # made by tell()
    trials: list[Trial] = dataclasses.field(default_factory=list, init=False)
    run: Run = dataclasses.field(init=False)
    workload: Workload = dataclasses.field(init=False)
    judged: Judgement | None = dataclasses.field(init=False, default=None)
    # what is changed after it was judged; all is sealed anew, as by a cheater who knows how
    afterwards: list[Callable[[Story], None]] = dataclasses.field(default_factory=list, init=False)

    def precision_of(self, lane: str) -> str:
        return self.precision.get(lane, self.default_precision)

    def tell(self) -> Story:
        """Make the records."""
        draw = random.Random(self.seed)
        vocab = self.config["vocab_size"]
        cells = [
            Cell(batch=self.batch, prompt_length=self.prompt, new_tokens=self.new, precision=p)
            for p in sorted({self.precision_of(lane) for lane in self.latency})
        ]
        self.workload = Workload(
            ring=[draw.randrange(3, vocab) for _ in range(997)],
            starts=list(range(0, 997, 100)),
            bos=1,
            cells=cells,
            sampling=self.sampling,
            prompts_name="x",
        )
        self.answers = [
            [[draw.randrange(3, vocab) for _ in range(self.new)] for _ in range(self.batch)]
            for _ in range(2 * self.iterations)
        ]
        settings = factory.settings(
            num_iterations=self.iterations,
            temperature=self.sampling.temperature,
            top_p=self.sampling.top_p,
            # What is asked for is the rivals' precision: of a quantised one the PyTorch lanes run the default.
            precision=tuple(sorted({self.precision_of(lane) for lane in self.latency if not LANES[lane].baseline})),
            batch_sizes=(self.batch,),
            prompt_lengths=(self.prompt,),
            new_tokens=(self.new,),
            device="cuda" if self.gpu else "cpu",
            tp_size=self.cards,
        )
        self.settings = settings
        self.run = factory.run(
            tuple(self.latency),
            settings=settings,
            workload_digest=self.workload.digest(),
            model_digest=self.model().digest,
            machine=self.environment().machine,
            demonstration=self.synthetic,
            read_bandwidth=4e10,
            rules=rules.sealed(Settings(), "cuda" if self.gpu else "cpu"),
            candidates=[(lane, self.precision_of(lane)) for lane in self.latency if LANES[lane].baseline],
            stopped=every_trial(self.rounds),
        )
        self.trials = []
        for index in range(1, self.rounds + 1):
            order = list(self.latency)
            draw.shuffle(order)
            self.trials += [
                self.trial(lane, index, len(self.trials) + 1 + place, draw) for place, lane in enumerate(order)
            ]
        return self

    def times(self, mean: float, scale: float, draw: random.Random) -> list[int]:
        """Nanoseconds; the noise only ever slows, as it does on a machine."""
        return [
            round(mean * scale * MS * (1 + self.spread[1] * abs(self.noise(draw)))) + draw.randrange(1000)
            for _ in range(self.iterations)
        ]

    def trial(self, lane: str, index: int, position: int, draw: random.Random) -> Trial:
        precision = self.precision_of(lane)
        cell = Cell(batch=self.batch, prompt_length=self.prompt, new_tokens=self.new, precision=precision)
        scale = 1 + self.spread[0] * abs(self.noise(draw))
        n = self.iterations
        e2e = Pass(
            times=self.times(self.latency[lane], scale, draw),
            outputs=[[list(row) for row in answer] for answer in self.answers[:n]],
            output=list(range(n)),
            prompts_digest=digest_prompts(self.workload.prompts(cell, call) for call in range(n)),
            foreign_cpu=[0.0] * n,
        )
        ttft = Pass(
            times=self.times(self.first, scale, draw),
            outputs=[[[row[0]] for row in answer] for answer in self.answers[n:]],
            output=list(range(n)),
            prompts_digest=digest_prompts(self.workload.prompts(cell, call) for call in range(n, 2 * n)),
            foreign_cpu=[0.0] * n,
        )
        record = CellRecord(
            cell=cell,
            first_call=e2e.times[0] * 2,
            warmup=[e2e.times[0] + offset for offset in range(6)],
            settled=True,
            e2e=e2e,
            ttft=ttft,
            memory=Memory(peak_rss=factory.GIB, weights=self.weights(precision)),
            cpu=factory.cpu_use(seconds=2.0),
        )
        made = Trial(
            schema=SCHEMA,
            run=self.run.id,
            lane=lane,
            precision=precision,
            index=index,
            attempt=1,
            position=position,
            interleaved=True,
            started="2026-01-02T03:04:05+00:00",
            seconds=0.0,
            workload_digest=self.run.workload_digest,
            settings=self.settings,
            model=self.model(),
            environment=self.environment(),
            statement=self.statement(lane, precision),
            cold=Cold(imports=900 * MS, load=500 * MS),
            cells=[record],
            telemetry=self.telemetry(),
            round=index,
            disturbed=[],
            sealed=Sealed(
                headline=self.run.headline, lanes=list(self.run.lanes), candidates=list(self.run.candidates or [])
            ),
        )
        return factory.stamped(made, position * factory.SLOT)

    def environment(self) -> Environment:
        if not self.gpu:
            return factory.environment(last_level_cache=CACHE)
        return factory.environment(
            gpus=[self.gpu] * self.cards, driver="580.1", last_level_cache=CACHE, cards=self.all_cards()
        )

    def all_cards(self) -> list[Card]:
        return [msgspec.structs.replace(self.card(), uuid=f"GPU-{number}") for number in range(self.cards)]

    def card(self) -> Card:
        known = self.gpu is not None and "4070" in self.gpu
        return Card(
            uuid=GPU_UUID,
            name=self.gpu or "",
            memory_bus_width=192 if known else None,
            memory_clock_max=10501 if known else None,
            sm_clock_max=3105 if known else None,
            compute_capability="8.9",
        )

    def model(self) -> Model:
        return factory.model(
            name="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
            synthetic=self.synthetic,
            config=self.config,
        )

    def weights(self, precision: str) -> int:
        return round(ModelShape.from_config(self.config).parameters * roofline.precision(precision).weight_bits / 8)

    def statement(self, lane: str, precision: str) -> Statement:
        quantised = precision in ("int8", "int4", "fp8", "int4_awq")
        compute = ("float16" if self.gpu else "float32") if quantised else precision
        return Statement(
            runtime=LANES[lane].runtime,
            runtime_version="1.0",
            device="cuda:0" if self.gpu else "cpu",
            device_name=self.gpu or "CPU",
            compute_precision=compute,
            weight_precision=precision,
            kv_precision=compute,
            threads=2,
            cuda_graphs=False,
            prefix_reuse=False,
            built_from=self.built_from() if LANES[lane].built else None,
            tensor_parallel=self.cards if self.cards > 1 else None,
        )

    def built_from(self) -> dict[str, str]:
        return {"model": self.model().digest, "version": "1.0", "gpu": self.gpu or "", "compute_capability": "8.9"}

    def telemetry(self) -> Telemetry:
        gpus = None
        if self.gpu:
            gpus = [
                Gpu(
                    uuid=card.uuid,
                    name=card.name,
                    samples=20,
                    sm_clock=[2475] * 20,
                    memory_clock=[10501] * 20,
                    throttle_reasons=[],
                    foreign_processes=0,
                    power_cap=200.0,
                    memory_total=12 * factory.GIB,
                    memory_bus_width=card.memory_bus_width,
                    memory_clock_max=card.memory_clock_max,
                    sm_clock_max=card.sm_clock_max,
                    foreign_compute=0,
                    idle_utilisation=0.0,
                    idle_temperature=40,
                    early_clock=2475,
                    early_reasons=[],
                    memory_baseline=500_000_000,
                    memory_peak=3_500_000_000,
                )
                for card in self.all_cards()
            ]
        return factory.telemetry(gpus=gpus, load_average=0.3, read_bandwidth=4e10)

    def of(self, lane: str) -> Iterator[Trial]:
        """The trials of one lane."""
        return (t for t in self.trials if t.lane == lane)

    def passes(self, lane: str) -> Iterator[tuple[CellRecord, Pass, Pass]]:
        for t in self.of(lane):
            for record in t.cells:
                assert record.e2e is not None and record.ttft is not None
                yield record, record.e2e, record.ttft

    def seal(self) -> Story:
        """Judge what was returned, as the story says, and seal every record. A lane with a share of near ids of its own
        has ids of its own."""
        for lane in self.near:
            self.answer_differently(lane)
        for lane in self.near_first:
            self.begin_differently(lane)
        self.judged = self.judgement()
        for change in self.afterwards:
            change(self)
        self.judged.checksum = judgement.checksum(self.judged)
        for t in self.trials:
            t.checksum = checksum(t)
        return self

    def judgement(self) -> Judgement:
        """What the judge writes of a run that it had the time to score four calls of."""
        trials = counting(self.trials)
        near = {
            (part, sequence.ids): shares[t.lane]
            for part, shares in (("e2e", self.near), ("ttft", self.near_first))
            for t in trials
            if t.lane in shares
            for sequence in drawn([t], self.seed)
            if sequence.part == part
        }
        scores = [
            self.score(sequence, near.get((sequence.part, sequence.ids), 1.0))
            for sequence in drawn(trials, self.seed)
            if sequence.part == "ttft" or sequence.turn < 4
        ]
        made = Judgement(
            schema=SCHEMA,
            run=self.run.id,
            model_digest=self.run.model_digest,
            workload_digest=self.run.workload_digest,
            sampling=self.sampling,
            near_deviations=judgement.NEAR_DEVIATIONS,
            max_positions=judgement.MAX_POSITIONS,
            seed=self.seed,
            seconds=3.0,
            reference=Reference(precision="float32", device="cpu", libraries={}),
            lanes=list(lane_scores(trials, scores, self.run)) if self.possible(trials) else [],
            scores=sorted(scores, key=lambda s: s.key),
            trials=[judgement.seen(t) for t in trials],
        )
        made.checksum = judgement.checksum(made)
        return made

    def possible(self, trials: Sequence[Trial]) -> bool:
        """Whether these trials have figures: none come of a time of zero."""
        return all(min(part.times) > 0 for t in trials for r in t.cells for part in (r.e2e, r.ttft) if part)

    def score(self, sequence: Returned, near: float) -> Score:
        """As of a reference model that finds this share of the ids near."""
        (where, part, call, row, digest), positions = sequence.key, min(len(sequence.ids), judgement.MAX_POSITIONS)
        sampled: dict[str, float] = {}
        if self.sampling.temperature > 0:
            sampled = dict(surprisal=5.0 * positions, expected=5.0 * positions, variance=float(positions))
        return Score(
            batch=where[0],
            prompt_length=where[1],
            new_tokens=where[2],
            part=part,
            call=call,
            row=row,
            digest=digest,
            positions=positions,
            near=round(positions * near),
            nll=float(positions),
            **sampled,
        )

    def answer_differently(self, lane: str, seed: int = 99) -> None:
        """Give a lane ids of its own, so that they are judged apart from the others'."""
        draw = random.Random(seed)
        vocab = self.config["vocab_size"]
        other = [[[draw.randrange(3, vocab) for _ in row] for row in answer] for answer in self.answers]
        for _, e2e, _ in self.passes(lane):
            e2e.outputs = [[list(row) for row in answer] for answer in other[: self.iterations]]

    def begin_differently(self, lane: str, seed: int = 98) -> None:
        """Give a lane first tokens of its own, each unlike the others'."""
        draw = random.Random(seed)
        vocab = self.config["vocab_size"]
        for _, _, ttft in self.passes(lane):
            ttft.outputs = [
                [[3 + (row[0] + draw.randrange(vocab - 4)) % (vocab - 3)] for row in o] for o in ttft.outputs
            ]


def clone(story: Story) -> Story:
    """A copy whose records can be changed apart."""
    copy = dataclasses.replace(story)
    for name in ("run", "workload", "judged", "answers", "settings"):
        setattr(copy, name, getattr(story, name))
    copy.trials = [msgspec.convert(msgspec.to_builtins(t), Trial, strict=False) for t in story.trials]
    return copy


def codes(findings: Sequence[Finding], level: str | None = None) -> set[str]:
    return {f.code for f in findings if level is None or f.level == level}
