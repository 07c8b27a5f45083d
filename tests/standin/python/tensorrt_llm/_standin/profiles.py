"""Optimisation profiles over the tokens of a step, with the builder's fault where there are few.

With several profiles the builder lists ranges up to 64, 128, … tokens, and the runtime takes a step's profile by the same
limits. Up to 64 tokens the builder's list is one range where a list of ranges is meant: its three numbers become three
profiles of a fixed size, of which the first, for one token, is the one that the runtime takes for every step.
"""

from __future__ import annotations

from typing import Any

from tensorrt_llm._standin.log import cpp_log

SMALLEST_LIMIT = 64


def fixed_to_one_token(build: dict[str, Any]) -> bool:
    """Whether an engine with this build_config runs steps of one token only."""
    return bool(build["plugin_config"]["multiple_profiles"]) and build["max_num_tokens"] <= SMALLEST_LIMIT


def refuse_more_than_one_token(batch: list[dict[str, Any]]) -> None:
    """Fail as TensorRT and its runtime do when a step has more tokens than the profile: prompts are packed into one step, and
    of every sequence that runs comes one token of the next."""
    longest = max(len(request["prompt"]) for request in batch)
    tokens = sum(len(request["prompt"]) for request in batch) if longest > 1 else len(batch)
    if tokens == 1:
        return
    cpp_log(
        "ERROR",
        "IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed, condition: satisfyProfile. "
        f"Set dimension [{tokens}] for tensor input_ids does not satisfy any optimization profiles. Valid range for profile "
        "0: [1]..[1].)",
    )
    message = f"Assertion failed: Tensor 'input_ids' has invalid shape ({tokens}), expected (-1)"
    cpp_log("ERROR", f"Encountered an error in forwardAsync function: {message}")
    raise RuntimeError(f"[TensorRT-LLM][ERROR] {message}")
