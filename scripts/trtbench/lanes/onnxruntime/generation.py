"""ONNX Runtime GenAI's own generation loop, one call a token, as its documentation shows; whatever computes the model."""

from __future__ import annotations

import re
from typing import Any

from trtbench.errors import Unsupported
from trtbench.records.trial import Sampling

# Its words for a batch that is too large: in 0.18.0 one of more than 32 sequences, on a card and on a CPU.
_MOST_SEQUENCES = re.compile(r"batch_size \(\d+\) must be in \[1, (\d+)\]")


def generate(
    og: Any, model: Any, end: int, prompts: list[list[int]], new_tokens: int, sampling: Sampling
) -> list[list[int]]:
    """Exactly `new_tokens` new ids for each prompt; `end` is the id that the engine ends at, `og` the engine's module. Raises
    Unsupported for more sequences than the engine takes, and for an answer with `end` inside a batch."""
    length = len(prompts[0]) + new_tokens
    # Seeded when greedy too: unseeded, every generator first reads the system's entropy, 12 ms on some virtual machines. Past
    # and present share one buffer of max_length tokens where the provider can, so it is exact.
    search: dict[str, Any] = {
        "max_length": length,
        "batch_size": len(prompts),
        "do_sample": False,
        "random_seed": sampling.seed,
    }
    if sampling.temperature > 0:
        # The builder's configuration cuts to the 50 likeliest ids; the workload says nothing of that.
        search.update(do_sample=True, temperature=sampling.temperature, top_p=sampling.top_p, top_k=0)
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(**search)
    try:
        generator = og.Generator(model, parameters)
    except RuntimeError as error:
        limit = _MOST_SEQUENCES.search(str(error))
        if limit is None:
            raise
        raise Unsupported(
            f"ONNX Runtime GenAI takes {limit[1]} sequences at most, not a batch of {len(prompts)}"
        ) from error
    generator.append_tokens(prompts if len(prompts) > 1 else prompts[0])
    while generator.token_count() < length:
        generator.generate_next_token()
        if generator.is_done() and generator.token_count() < length:
            # It came up after all and was dropped. Put back, generation goes on as if it were any other id.
            if len(prompts) > 1:
                break
            generator.append_tokens([end])
    rows = [generator.get_sequence(row)[len(prompts[0]) :].tolist() for row in range(len(prompts))]
    if len(rows) > 1 and any(end in row[:-1] for row in rows):
        raise Unsupported(
            f"ONNX Runtime GenAI fills a row of a batch up after id {end}, and this model's output has that id"
        )
    return rows
