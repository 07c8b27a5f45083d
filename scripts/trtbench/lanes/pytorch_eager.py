"""`pytorch-eager`: transformers' `generate` with its defaults (the architecture's own attention, dynamic cache)."""

from __future__ import annotations

from typing import Any

from trtbench.lanes.lane import Lane
from trtbench.records.trial import Memory, Statement


class PytorchEager(Lane):
    """What people get who call `model.generate(ids, max_new_tokens=N)`."""

    def load(self) -> None:
        import torch

        from trtbench.lanes import torch_facts
        from trtbench.model import torch_loading

        self._torch, self._torch_facts = torch, torch_facts
        self.model: Any = torch_loading.load_model(
            self.plan.model, self.plan.precision, self.plan.device, self.plan.threads, tp_size=self.plan.tp_size
        )
        torch.manual_seed(self.plan.sampling.seed)

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        torch = self._torch
        ids = torch.tensor(prompts, device=self.model.device)
        output = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), generation_config=self.configuration(new_tokens)
        )
        return output[:, ids.shape[1] :].tolist()  # type: ignore[no-any-return]

    def configuration(self, new_tokens: int) -> Any:
        """Exactly `new_tokens`: without an end id nothing stops early (min_new_tokens would mask a logit)."""
        from transformers import GenerationConfig

        sampling = self.plan.sampling
        choice: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            choice = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        return GenerationConfig(max_new_tokens=new_tokens, eos_token_id=None, pad_token_id=0, **choice)

    def statement(self) -> Statement:
        return self._torch_facts.state(self.model)

    def memory(self) -> Memory:
        return self._torch_facts.memory(self.model.parameters())
