"""The reference model scores returned sequences: near ids and their likelihood. The only part of the judge with torch."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtbench.errors import UserError
from trtbench.figures.summary import shape
from trtbench.records import judgement
from trtbench.records.judgement import MAX_POSITIONS, NEAR_DEVIATIONS, Reference, Score
from trtbench.records.trial import Model, Sampling
from trtbench.referee.judge.drawing import Returned


class Referee:
    """The reference model: float32 where it fits, on the GPU or the CPU; else as it is stored."""

    def __init__(self, folder: Path, model: Model, device: str, threads: int) -> None:
        import torch
        import transformers

        from trtbench.model.torch_loading import load_model

        self.torch = torch
        torch.set_float32_matmul_precision("highest")
        precision, place = _fit(torch, model.parameters, device)
        self.model = load_model(folder, precision, place, threads, as_made=True)
        libraries = {"torch": str(torch.__version__), "transformers": transformers.__version__}
        self.reference = Reference(precision=precision, device=place, libraries=libraries)

    def logits(self, prompt: Sequence[int], output: Sequence[int]) -> Any:
        """The reference's logits before each of `output`: float32, (len(output), vocabulary)."""
        ids = self.torch.tensor([[*prompt, *output[:-1]]], device=self.model.device)
        with self.torch.inference_mode():
            # Asked for by the signature: some forwards that do not know the argument raise errors of their own.
            known = "logits_to_keep" in inspect.signature(self.model.forward).parameters
            only = {"logits_to_keep": len(output)} if known else {}
            logits = self.model(ids, use_cache=False, **only).logits
        return logits[0, -len(output) :].float()

    def score(self, sequence: Returned, prompt: Sequence[int], sampling: Sampling) -> Score:
        """Score the first MAX_POSITIONS ids of a sequence."""
        torch = self.torch
        output = sequence.ids[:MAX_POSITIONS]
        vocabulary = self.model.get_input_embeddings().num_embeddings
        if min(output) < 0 or max(output) >= vocabulary:
            raise UserError(f"a lane returned an id outside of the vocabulary of {vocabulary}")
        logits = self.logits(prompt, output)
        ids = torch.tensor(output, device=logits.device)[:, None]
        returned_logits = logits.gather(1, ids)[:, 0]
        near = returned_logits >= logits.amax(1) - NEAR_DEVIATIONS * logits.std(1)
        nll = logits.logsumexp(1) - returned_logits
        batch, length, new_tokens = shape(sequence.cell)
        return Score(
            batch=batch,
            prompt_length=length,
            new_tokens=new_tokens,
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
