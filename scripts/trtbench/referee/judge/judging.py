"""The judge: the reference model scores the ids that each lane returned, in a process of its own.

    python -m trtbench.referee.judge.judging SPEC.json

One forward pass over prompt and output gives the reference's logits at every new id. An id is near when its logit is
within 0.3 standard deviations (of all logits of that position) of the top one: honest fp16 and bf16 are, a model with a
dropped layer or a wrong rotary base is not, and the margin is not built into the weights. Equal ids can't judge a lane:
one rounded logit early on changes all that follows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from trtbench.errors import Unsupported, UserError, in_one_line, run_main
from trtbench.machine.phases import tethered
from trtbench.model.workload import Workload
from trtbench.records import judgement, run_folder
from trtbench.records.files import read_as
from trtbench.records.judgement import MAX_POSITIONS, NEAR_DEVIATIONS, Judgement, Key, Score
from trtbench.records.run import Run, counting
from trtbench.referee.judge.drawing import Returned, drawn, prompt_of
from trtbench.referee.judge.scoring import Referee
from trtbench.referee.judge.spec import PATIENCE, Spec
from trtbench.referee.judge.writing import judged
from trtbench.referee.lane_scores import lane_scores
from trtbench.referee.quality import Bleu


def judge(spec: Spec, say: Callable[[str], None]) -> Judgement:
    """Judge the finished trials of a run. Scores of an earlier judgement of the same model are kept."""
    began = time.monotonic()
    home = Path(spec.run_folder)
    trials = counting(run_folder.read_trials(run_folder.trial_files(home / "trials")))
    workload = read_as(Workload, home / "workload.json")
    if workload.digest() != spec.workload_digest:
        return judged(spec, failure="workload.json is not the workload of this run")
    sequences = drawn(trials, spec.seed)
    earlier = {score.key: score for score in _earlier(spec)}
    say("loading the reference model")
    try:
        referee = Referee(Path(spec.model_path), spec.model, spec.device, spec.threads)
    except Unsupported as error:
        return judged(spec, failure=f"the reference model cannot be loaded: {error}")
    except Exception as error:
        return judged(spec, failure=f"the reference model cannot be loaded: {in_one_line(error)}")

    def score(sequence: Returned) -> Score:
        return referee.score(sequence, prompt_of(workload, trials, sequence), spec.sampling)

    scores, failure = _scored(sequences, earlier, spec.seconds, score, say)
    bleu = Bleu.of(Path(spec.model_path))
    reference = referee.reference
    if bleu is not None:
        reference = msgspec.structs.replace(reference, libraries={**reference.libraries, "sacrebleu": bleu.version})
    return judged(
        spec,
        seconds=round(time.monotonic() - began, 3),
        reference=reference,
        lanes=list(lane_scores(trials, scores, read_as(Run, home / "run.json"), bleu)),
        scores=sorted(scores, key=lambda score: score.key),
        failure=failure,
        trials=[judgement.seen(trial) for trial in trials],
    )


def _scored(
    sequences: Sequence[Returned],
    earlier: dict[Key, Score],
    seconds: float,
    score: Callable[[Returned], Score],
    say: Callable[[str], None],
) -> tuple[list[Score], str | None]:
    """Scores of the sequences as far as `seconds` last, and why the reference model failed, if it did."""
    scores: list[Score] = []
    began = time.monotonic()
    for number, sequence in enumerate(sequences):
        if sequence.key in earlier:
            scores.append(earlier[sequence.key])
            continue
        late = time.monotonic() - began > seconds * (PATIENCE if sequence.turn == 0 else 1)
        if late:
            continue
        say(f"judging {number + 1} of {len(sequences)}")
        try:
            scores.append(score(sequence))
        except UserError:
            continue  # count.ids says it; the sequence stays unscored
        except Exception as error:
            return scores, f"the reference model failed: {in_one_line(error)}"
    return scores, None


def _earlier(spec: Spec) -> list[Score]:
    """Scores that an earlier judgement of this run made; they stay true when further trials join."""
    try:
        earlier = judgement.read(Path(spec.output))
    except UserError:
        return []
    if earlier is None or earlier.checksum != judgement.checksum(earlier):
        return []
    same_question = (earlier.run, earlier.model_digest, earlier.workload_digest, earlier.sampling, earlier.seed) == (
        spec.run,
        spec.model.digest,
        spec.workload_digest,
        spec.sampling,
        spec.seed,
    )
    same_margins = (earlier.near_deviations, earlier.max_positions) == (NEAR_DEVIATIONS, MAX_POSITIONS)
    return earlier.scores if same_question and same_margins else []


def main() -> int:
    spec = read_as(Spec, Path(sys.argv[1]))
    judgement.write(Path(spec.output), judge(spec, tethered()))
    return 0


if __name__ == "__main__":
    run_main(main)
