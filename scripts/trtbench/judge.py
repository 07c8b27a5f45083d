"""The judge: the reference model scores the ids that each lane returned, in a process of its own.

    python -m trtbench.judge SPEC.json

One forward pass over prompt and output gives the reference's logits at every new id. An id is near when its logit is
within 0.3 standard deviations (of all logits of that position) of the top one: honest fp16 and bf16 are, a model with a
dropped layer or a wrong rotary base is not, and the margin is not built into the weights. Equal ids can't judge a lane:
one rounded logit early on changes all that follows.
"""

from __future__ import annotations

import dataclasses
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trtbench import host, judgement, quality, runner, runs
from trtbench.comparison import base_of
from trtbench.errors import UserError
from trtbench.judgement import MAX_POSITIONS, NEAR_DEVIATIONS, Judgement, LaneScore, Reference, Score
from trtbench.quality import Bleu
from trtbench.records import SCHEMA, Cell, Model, Pass, Sampling, Trial, encode, read_as, write_whole
from trtbench.summary import Figures, figures, shape
from trtbench.workload import Workload

SEQUENCES = 12  # calls of each cell that are drawn
SECONDS = 40.0  # no further sequence is begun after so much scoring …
PATIENCE = 4.0  # … but for the first of every lane and cell, which may take so many times as long


class Spec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to judge; paths are absolute, `run_folder` holds trials and workload."""

    run_folder: str
    run: str
    model_path: str
    model: Model
    workload_digest: str
    sampling: Sampling
    device: str
    threads: int
    seed: int
    output: str
    seconds: float = SECONDS


@dataclasses.dataclass(frozen=True)
class Returned:
    """One returned sequence and where it was returned."""

    cell: Cell
    part: str
    call: int
    row: int
    ids: tuple[int, ...]
    turn: int = 0  # 0: the first that is drawn of its cell

    @property
    def key(self) -> judgement.Key:
        return shape(self.cell), self.part, self.call, self.row, judgement.digest(self.ids)


def start(results: Path, spec: Spec, phase: Callable[[str], None]) -> Judgement:
    """Judge a run in a fresh process and write judge.json into its folder; also when it fails, with the reason."""
    home = runs.folder(results, spec.run)
    request, log = home / ".judge.spec.json", home / "logs" / "judge.log"
    answer = Path(spec.output)
    write_whole(request, encode(spec))
    try:
        status = runner.run_child("trtbench.judge", request, log, spec.threads, phase)
    finally:
        request.unlink(missing_ok=True)
    found = judgement.read(answer) if status == 0 else None
    if found is not None:
        return found
    reason = f"the judge ended with status {status}; its log is {log.name}"
    failed = _empty(spec, failure=reason)
    judgement.write(answer, failed)
    return failed


def _empty(spec: Spec, **more: Any) -> Judgement:
    fields: dict[str, Any] = dict(
        schema=SCHEMA,
        run=spec.run,
        model_digest=spec.model.digest,
        workload_digest=spec.workload_digest,
        sampling=spec.sampling,
        near_deviations=NEAR_DEVIATIONS,
        max_positions=MAX_POSITIONS,
        seed=spec.seed,
        seconds=0.0,
    )
    return Judgement(**{**fields, **more})


def drawn(trials: Sequence[Trial], seed: int) -> list[Returned]:
    """Distinct sequences in the order they are to be scored: one call after the other in a seeded order, each for all
    cells and lanes before the next, so that whatever time allows covers every lane. First tokens come last."""
    groups: dict[tuple[Cell, str], list[tuple[Trial, Pass]]] = {}
    for trial in trials:
        for record in trial.cells:
            for part, made in (("e2e", record.e2e), ("ttft", record.ttft)):
                if made is not None:
                    cell = msgspec.structs.replace(record.cell, precision="")
                    groups.setdefault((cell, part), []).append((trial, made))
    found: dict[judgement.Key, Returned] = {}
    for wanted in ("e2e", "ttft"):
        places = {}
        for (cell, part), members in groups.items():
            if part == wanted:
                all_places = [(c, r) for c in range(min(len(m.output) for _, m in members)) for r in range(cell.batch)]
                random.Random(f"{seed} {shape(cell)} {part}").shuffle(all_places)
                places[cell] = all_places[:SEQUENCES]
        for turn in range(SEQUENCES):
            for cell, mine in sorted(places.items()):
                if turn >= len(mine):
                    continue
                call, row = mine[turn]
                for _, made in groups[cell, wanted]:
                    output = made.outputs[made.output[call]]
                    if row < len(output) and output[row]:
                        one = Returned(cell, wanted, call, row, tuple(output[row]), turn)
                        found.setdefault(one.key, one)
    return list(found.values())


def prompt_of(workload: Workload, trials: Sequence[Trial], sequence: Returned) -> list[int]:
    """The prompt ids that this sequence followed; first tokens were asked for with the calls after the e2e pass."""
    calls = next(
        (len(r.e2e.times) for t in trials for r in t.cells if shape(r.cell) == shape(sequence.cell) and r.e2e), 0
    )
    first = 0 if sequence.part == "e2e" else calls
    return workload.prompts(sequence.cell, first + sequence.call)[sequence.row]


class Referee:
    """The reference model: float32 where it fits, on the GPU or the CPU; else as it is stored."""

    def __init__(self, folder: Path, model: Model, device: str, threads: int) -> None:
        import torch
        import transformers

        from trtbench.lanes.base import Plan
        from trtbench.lanes.torch_common import load_model

        self.torch = torch
        torch.set_float32_matmul_precision("highest")
        precision, place = _fit(torch, model.parameters, device)
        cells = (Cell(batch=1, prompt_length=1, new_tokens=1, precision=precision),)
        plan = Plan(
            model=folder,
            model_digest=model.digest,
            precision=precision,
            device=place,
            threads=threads,
            sampling=Sampling(),
            cells=cells,
            cache=folder,
        )
        self.model = load_model(plan)
        libraries = {"torch": str(torch.__version__), "transformers": transformers.__version__}
        self.reference = Reference(precision=precision, device=place, libraries=libraries)

    def logits(self, prompt: Sequence[int], output: Sequence[int]) -> Any:
        """The reference's logits before each of `output`: float32, (len(output), vocabulary)."""
        ids = self.torch.tensor([[*prompt, *output[:-1]]], device=self.model.device)
        with self.torch.inference_mode():
            try:
                found = self.model(ids, use_cache=False, logits_to_keep=len(output)).logits
            except TypeError:  # a model whose forward does not know the argument
                found = self.model(ids, use_cache=False).logits
        return found[0, -len(output) :].float()

    def score(self, sequence: Returned, prompt: Sequence[int], sampling: Sampling) -> Score:
        """Score the first MAX_POSITIONS ids of a sequence."""
        torch = self.torch
        output = sequence.ids[:MAX_POSITIONS]
        vocabulary = self.model.get_input_embeddings().num_embeddings
        if min(output) < 0 or max(output) >= vocabulary:
            raise UserError(f"a lane returned an id outside of the vocabulary of {vocabulary}")
        logits = self.logits(prompt, output)
        ids = torch.tensor(output, device=logits.device)[:, None]
        mine = logits.gather(1, ids)[:, 0]
        near = mine >= logits.amax(1) - NEAR_DEVIATIONS * logits.std(1)
        nll = logits.logsumexp(1) - mine
        batch, length, new = shape(sequence.cell)
        return Score(
            batch=batch,
            prompt_length=length,
            new_tokens=new,
            part=sequence.part,
            call=sequence.call,
            row=sequence.row,
            digest=judgement.digest(sequence.ids),
            positions=len(output),
            near=int(near.sum()),
            nll=max(0.0, float(nll.double().sum())),
            **(self.surprise(logits, ids, sampling) if sampling.temperature > 0 else {}),
        )

    def surprise(self, logits: Any, ids: Any, sampling: Sampling) -> dict[str, float]:
        """Nats of the ids at the sampling temperature, their mean and variance under the distribution that should have
        been sampled from: that of the temperature, cut to the fewest ids that hold `top_p` (Holtzman et al. 2020)."""
        torch = self.torch
        nats = -(logits.double() / sampling.temperature).log_softmax(1)
        weight = (-nats).exp()
        ranked, order = weight.sort(1, descending=True)
        keep = ranked.cumsum(1) - ranked < sampling.top_p
        weight = torch.zeros_like(weight).scatter(1, order, ranked * keep)
        weight /= weight.sum(1, keepdim=True)
        mean = (weight * nats).sum(1, keepdim=True)
        variance = (weight * (nats - mean) ** 2).sum()
        return {
            "surprisal": float(nats.gather(1, ids).sum()),
            "expected": float(mean.sum()),
            "variance": float(variance),
        }


def _fit(torch: Any, parameters: int, device: str) -> tuple[str, str]:
    """Precision and place of the reference: float32 on the GPU, else on the CPU, else bfloat16 where there is room."""
    import psutil

    need = parameters * 4 * 1.15
    if device == "cuda" and torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > need + 2**30:
        return "float32", "cuda"
    room = psutil.virtual_memory().available
    if room > need + 2**30:
        return "float32", "cpu"
    if device == "cuda" and torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > need / 2 + 2**30:
        return "bfloat16", "cuda"
    if room > need / 2 + 2**30:
        return "bfloat16", "cpu"
    raise UserError(f"the reference model needs {need / 2 / 2**30:.1f} GiB of free memory")


def summaries(trials: Sequence[Trial], scores: Sequence[Score], bleu: Bleu | None = None) -> Iterator[LaneScore]:
    """One line for each lane, precision and cell; with `bleu` also how close the texts are."""
    by_key = {score.key: score for score in scores}
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.lane, trial.precision), []).append(trial)
    for where in sorted({shape(record.cell) for trial in trials for record in trial.cells}):
        made = {key: figures(members, where) for key, members in groups.items()}
        rows = [f for f in made.values() if isinstance(f, Figures)]
        for f in sorted(rows, key=lambda f: (f.lane, f.precision)):
            base = base_of(rows, f.precision)
            mine = _scored(groups[f.lane, f.precision], where, by_key)
            positions = sum(score.positions for score in mine)
            own = groups[f.lane, f.precision]
            beside = quality.pairs(own, groups[base.lane, base.precision], where) if base and base is not f else []
            yield LaneScore(
                lane=f.lane,
                precision=f.precision,
                batch=where[0],
                prompt_length=where[1],
                new_tokens=where[2],
                sequences=len(mine),
                positions=positions,
                near=sum(score.near for score in mine) / positions if positions else None,
                perplexity=math.exp(min(700.0, sum(score.nll for score in mine) / positions)) if positions else None,
                base=base.lane if base and base is not f else None,
                equal=quality.equal_share(beside),
                exact=quality.exact_share(beside),
                bleu=bleu.score(beside) if bleu else None,
            )


def _scored(trials: Sequence[Trial], where: tuple[int, int, int], by_key: dict[judgement.Key, Score]) -> list[Score]:
    """The scores of the sequences that these trials returned in the cell, each once."""
    places = {(part, call, row) for at, part, call, row, _ in by_key if at == where}
    found: dict[judgement.Key, Score] = {}
    for trial in trials:
        for record in trial.cells:
            if shape(record.cell) != where:
                continue
            for part, call, row in places:
                made = record.e2e if part == "e2e" else record.ttft
                if made is None or call >= len(made.output) or row >= len(made.outputs[made.output[call]]):
                    continue
                key = (where, part, call, row, judgement.digest(made.outputs[made.output[call]][row]))
                if key in by_key:
                    found[key] = by_key[key]
    return [found[key] for key in sorted(found)]


def judge(spec: Spec, say: Callable[[str], None]) -> Judgement:
    """Judge the finished trials of a run. Scores of an earlier judgement of the same model are kept."""
    began = time.monotonic()
    home = Path(spec.run_folder)
    trials = runs.counting(runs.read_trials(sorted((home / "trials").glob("*.json"))))
    workload = read_as(Workload, home / "workload.json")
    if workload.digest() != spec.workload_digest:
        return _empty(spec, failure="workload.json is not the workload of this run")
    wanted = drawn(trials, spec.seed)
    known = {score.key: score for score in _earlier(spec)}
    say("loading the reference model")
    try:
        referee = Referee(Path(spec.model_path), spec.model, spec.device, spec.threads)
    except Exception as error:
        return _empty(spec, failure=f"the reference model cannot be loaded: {_line(error)}")
    scores: list[Score] = []
    failure = None
    first = time.monotonic()
    for number, sequence in enumerate(wanted):
        if sequence.key in known:
            scores.append(known[sequence.key])
            continue
        late = time.monotonic() - first > spec.seconds * (PATIENCE if sequence.turn == 0 else 1)
        if late:
            continue
        say(f"judging {number + 1} of {len(wanted)}")
        try:
            scores.append(referee.score(sequence, prompt_of(workload, trials, sequence), spec.sampling))
        except UserError:
            continue  # count.ids says it; the sequence stays unscored
        except Exception as error:
            failure = f"the reference model failed: {_line(error)}"
            break
    bleu = Bleu.of(Path(spec.model_path))
    reference = referee.reference
    if bleu is not None:
        reference = msgspec.structs.replace(reference, libraries={**reference.libraries, "sacrebleu": bleu.version})
    return _empty(
        spec,
        seconds=round(time.monotonic() - began, 3),
        reference=reference,
        lanes=list(summaries(trials, scores, bleu)),
        scores=sorted(scores, key=lambda score: score.key),
        failure=failure,
    )


def _earlier(spec: Spec) -> list[Score]:
    """Scores that an earlier judgement of this run made; they stay true when further trials join."""
    try:
        before = judgement.read(Path(spec.output))
    except UserError:
        return []
    if before is None or before.checksum != judgement.checksum(before):
        return []
    same = (before.run, before.model_digest, before.workload_digest, before.sampling, before.seed) == (
        spec.run,
        spec.model.digest,
        spec.workload_digest,
        spec.sampling,
        spec.seed,
    )
    return before.scores if same else []


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"


def main() -> int:
    parent = os.environ.get("TRTBENCH_PARENT")
    host.die_with_parent(int(parent) if parent else None)
    spec = read_as(Spec, Path(sys.argv[1]))
    channel = os.environ.get("TRTBENCH_PROGRESS_FD")
    pipe = os.fdopen(int(channel), "w", buffering=1) if channel else None

    def say(phase: str) -> None:
        print(phase, flush=True)
        if pipe is not None:
            print(phase, file=pipe)

    found = judge(spec, say)
    judgement.write(Path(spec.output), found)
    return 0


if __name__ == "__main__":
    from trtbench.errors import run_main

    run_main(main)
