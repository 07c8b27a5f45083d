"""The exported graph's logits against transformers', before it is written: in the stateful form and in the paged one, into which
GenAI turns it and which may leave out what it does not know (windows, for one)."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import psutil
import torch

from trtbench.errors import Unsupported
from trtbench.lanes.openvino.masks import Attention

SHORT = 48  # random ids that are scored in any case
BEYOND = 8  # ids beyond the smallest window, where so many are affordable
AFFORDABLE = 1e12  # parameters times ids: about ten seconds on eight cores
APART = 0.05  # standard deviations of all logits; float32 differs by 0.00001, a window left out by 1
STEPS = (1, 1)  # the last ids, which come one at a time
BLOCK = 32  # tokens of a block of the paged cache of a CPU
PLAIN = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}


@dataclasses.dataclass(frozen=True)
class Expected:
    """Two random sequences, (2, ids), and transformers' logits for them, (2, ids, vocabulary); none where there is no room to
    compile the graph beside the weights."""

    ids: Any
    logits: Any

    def differs(self, logits: Any) -> bool:
        """Whether these of the first sequences and ids are not transformers'."""
        reference = self.logits[: logits.shape[0], : logits.shape[1]]
        off = np.abs(logits - reference).max() / self.logits.std()
        return not off <= APART  # also where it is not a number


def expected(model: Any, vocabulary: int, attention: Attention) -> Expected | None:
    """What transformers says of two random sequences, longer than the smallest window where that is affordable."""
    parameters = sum(weight.numel() for weight in model.parameters())
    if psutil.virtual_memory().available < 1.3 * 4 * parameters:
        print("no memory to compile the graph beside the weights: its logits are not compared", file=sys.stderr)
        return None
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or SHORT
    length = (attention.window or 0) + BEYOND
    length = min(positions, length if length > SHORT and parameters * length <= AFFORDABLE else SHORT)
    ids = torch.randint(0, vocabulary, (2, length), generator=torch.Generator().manual_seed(0))
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    return Expected(ids.numpy(), logits.float().numpy())


def paged_up_to(decoder: Any, attention: Attention, expected: Expected | None) -> int | None:
    """Hold both forms of the graph against what is expected; return up to how many tokens the paged one is right (None: to any
    number, 0: not at all). Raises Unsupported when the stateful one is not."""
    window = attention.window
    if expected is None:
        return window
    if expected.differs(_stateful(decoder, expected.ids)):
        raise Unsupported(
            f"OpenVINO's graph of this model gives other logits than transformers for {expected.ids.shape[1]} random ids"
        )
    paged = _paged(decoder)
    if paged is None:
        return 0
    length = expected.ids.shape[1]
    if window is None or length > window:
        if not expected.differs(_paged_logits(paged, expected.ids[0])):
            return None
        if window is None:
            return 0
    return 0 if expected.differs(_paged_logits(paged, expected.ids[0, : min(window, length)])) else window


def _pieces(length: int) -> list[tuple[int, int]]:
    """Where each call begins and how many ids it gets: the prompt, then one at a time."""
    steps = STEPS if length > len(STEPS) else ()
    prompt = length - len(steps)
    return [(0, prompt), *((prompt + i, 1) for i in range(len(steps)))]


def _stateful(decoder: Any, ids: Any) -> Any:
    """Logits of the graph as it is, (sequences, ids, vocabulary)."""
    import openvino as ov

    request = ov.Core().compile_model(decoder, "CPU", PLAIN).create_infer_request()
    names = {port.get_any_name() for port in decoder.inputs}
    rows, logits = len(ids), []
    for start, count in _pieces(ids.shape[1]):
        inputs = {
            "input_ids": ids[:, start : start + count],
            "attention_mask": np.ones((rows, start + count), np.int64),
            "position_ids": np.tile(np.arange(start, start + count), (rows, 1)),
            "beam_idx": np.arange(rows, dtype=np.int32),
        }
        outputs = request.infer({name: value for name, value in inputs.items() if name in names})
        logits.append(outputs["logits"].copy())
    return np.concatenate(logits, axis=1)


def _paged(decoder: Any) -> Any:
    """The graph as GenAI's paged backend turns it, compiled; None where it has no attention that can be."""
    import openvino as ov
    from openvino._offline_transformations import paged_attention_transformation

    graph = decoder.clone()
    try:
        paged_attention_transformation(graph)
    except RuntimeError as error:
        print(f"no paged form: {error}", file=sys.stderr)
        return None
    return ov.Core().compile_model(graph, "CPU", PLAIN)


def _paged_logits(compiled: Any, ids: Any) -> Any:
    """Its logits for one sequence, (1, ids, vocabulary), with a cache of our own."""
    import openvino as ov

    request = compiled.create_infer_request()
    blocks = -(-len(ids) // BLOCK)
    names = {port.get_any_name() for port in compiled.inputs}
    for port in compiled.inputs:
        if "_cache." in port.get_any_name():
            block = [size.get_length() for size in list(port.get_partial_shape())[1:]]
            request.set_tensor(port.get_any_name(), ov.Tensor(port.get_element_type(), ov.Shape([blocks, *block])))
    logits = []
    for start, count in _pieces(len(ids)):
        inputs = {
            "input_ids": ids[start : start + count],
            "position_ids": np.arange(start, start + count),
            "past_lens": np.array([start], np.int32),
            "subsequence_begins": np.array([0, count], np.int32),
            "block_indices": np.arange(blocks, dtype=np.int32),
            "block_indices_begins": np.array([0, blocks], np.int32),
            "max_context_len": np.array(start + count, np.int32),
        }
        outputs = request.infer({name: value for name, value in inputs.items() if name in names})
        logits.append(outputs["logits"].reshape(1, count, -1).copy())
    return np.concatenate(logits, axis=1)
