"""How near quantised lanes come to the reference, right and with a mistake in them: what the audit's tolerances rest on.

    PYTHONPATH=scripts python benchmarks/quantised.py [--calls N] [--new-tokens N] [--write]

ONNX Runtime and OpenVINO, int8 and int4, on the real model `smollm2`: as it is, and with one mistake each. A row's figure is
what the judge calls near (share of returned ids within 0.3 deviations of the reference's best), the lowest share of any draw as
large as the judge's, and the perplexity of the ids under the reference, which is the right model in float32.

The weights come from Q4_1, a grid of four bits, on which int4 loses almost nothing. So all is done a second time off the grid:
on the same function, with random factors moved between a norm or linear and the next (`off_the_grid`).
--write puts the rows into benchmarks/quantised.json, which docs/methodology.md shows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from trtbench.lanes import lane as lanes
from trtbench.lanes.lane import Plan
from trtbench.machine import host
from trtbench.model import finding, prompt_files, workload
from trtbench.model.files import read_config
from trtbench.records.judgement import NEAR_DEVIATIONS
from trtbench.records.trial import Sampling
from trtbench.referee.judge.drawing import SEQUENCES
from trtbench.referee.judge.scoring import Referee
from trtbench.settings import reading
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import Settings

HERE = Path(__file__).resolve().parent
MODEL = "smollm2"
LENGTH = 64  # prompt ids
SEED = 17
Weights = dict[str, torch.Tensor]
Mistake = Callable[[Weights, dict[str, Any]], None]


def off_the_grid(weights: Weights, config: dict[str, Any]) -> None:
    """Multiply channels by random factors of 0.8 to 1.25 and divide what reads them: the same function, other weights."""
    draw = torch.Generator().manual_seed(SEED)
    heads, kv_heads, size = _heads(config)

    def factors(count: int) -> torch.Tensor:
        return torch.exp((torch.rand(count, generator=draw, dtype=torch.float64) * 2 - 1) * math.log(1.25)).float()

    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        for norm, readers in (
            ("input_layernorm", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")),
            ("post_attention_layernorm", ("mlp.gate_proj", "mlp.up_proj")),
        ):
            by = factors(config["hidden_size"])
            weights[f"{layer}{norm}.weight"] *= by
            for reader in readers:
                weights[f"{layer}{reader}.weight"] /= by
        by = factors(config["intermediate_size"])
        weights[f"{layer}mlp.up_proj.weight"] *= by[:, None]
        weights[f"{layer}mlp.down_proj.weight"] /= by
        by = factors(kv_heads * size).view(kv_heads, size)
        weights[f"{layer}self_attn.v_proj.weight"] *= by.reshape(-1, 1)
        weights[f"{layer}self_attn.o_proj.weight"] /= by.repeat_interleave(heads // kv_heads, 0).reshape(-1)
        # Both halves of a rotated pair need the same factor.
        by = factors(kv_heads * size // 2).view(kv_heads, 1, size // 2).expand(-1, 2, -1).reshape(kv_heads, size)
        weights[f"{layer}self_attn.k_proj.weight"] *= by.reshape(-1, 1)
        weights[f"{layer}self_attn.q_proj.weight"] /= by.repeat_interleave(heads // kv_heads, 0).reshape(-1, 1)


def _heads(config: dict[str, Any]) -> tuple[int, int, int]:
    return config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]


def dropped(number: int) -> Mistake:
    """A layer that adds nothing."""

    def mistake(weights: Weights, config: dict[str, Any]) -> None:
        i = number % config["num_hidden_layers"]
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            weights[f"model.layers.{i}.{name}.weight"] *= 0

    return mistake


def wrong_kv_heads(weights: Weights, config: dict[str, Any]) -> None:
    """Query head h reads KV head h mod K in place of h div (H/K), in every layer."""
    heads, kv_heads, size = _heads(config)
    order = torch.tensor(sorted(range(heads), key=lambda head: head % kv_heads))
    for i in range(config["num_hidden_layers"]):
        for name, dimension in (("q_proj", 0), ("o_proj", 1)):
            tensor = weights[f"model.layers.{i}.self_attn.{name}.weight"]
            split = tensor.unflatten(dimension, (heads, size)).index_select(dimension, order)
            weights[f"model.layers.{i}.self_attn.{name}.weight"] = split.flatten(dimension, dimension + 1).contiguous()


def wrong_scale(factor: float) -> Mistake:
    """The scale of one matrix of the middle layer off by a factor."""

    def mistake(weights: Weights, config: dict[str, Any]) -> None:
        weights[f"model.layers.{config['num_hidden_layers'] // 2}.mlp.down_proj.weight"] *= factor

    return mistake


def other_base(weights: Weights, config: dict[str, Any]) -> None:
    """The rotary base of another model."""
    config["rope_theta"] = 10000.0


MISTAKES: dict[str, Mistake] = {
    "none": lambda weights, config: None,
    "middle layer dropped": dropped(15),
    "last layer dropped": dropped(-1),
    "KV heads mapped wrongly": wrong_kv_heads,
    "scale of one matrix doubled": wrong_scale(2.0),
    "scale of one matrix 8 times": wrong_scale(8.0),
    "rotary base 10,000 for 100,000": other_base,
}
GRIDS: dict[str, Mistake] = {"as stored": MISTAKES["none"], "off the grid": off_the_grid}
ENTRANTS = [(lane, precision) for precision in ("int8", "int4") for lane in ("onnxruntime", "openvino")]


def variant(model: Path, folder: Path, grid: str, mistake: str) -> Path:
    """A copy of the model on a grid with a mistake in it."""
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    weights, config = load_file(model / "model.safetensors"), read_config(model)
    GRIDS[grid](weights, config)
    MISTAKES[mistake](weights, config)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


class Scorer:
    """Scores what a lane returned by the right model."""

    def __init__(self, model: Path, cell: Cell, calls: int) -> None:
        described = finding.describe(model, Settings(model_name=MODEL))
        self.referee = Referee(model, described, "cpu", host.usable_cores())
        self.cell = cell
        work = workload.build(prompt_files.read_prompts(prompt_files.PROMPTS), model, [cell], Sampling(), "built in")
        self.prompts = [work.prompts(cell, call)[0] for call in range(calls)]

    def row(self, outputs: list[list[int]]) -> dict[str, Any]:
        near: list[list[bool]] = []
        nll = 0.0
        for prompt, output in zip(self.prompts, outputs):
            logits = self.referee.logits(prompt, output)
            returned = logits.gather(1, torch.tensor(output)[:, None])[:, 0]
            near.append((returned >= logits.amax(1) - NEAR_DEVIATIONS * logits.std(1)).tolist())
            nll += float((logits.logsumexp(1) - returned).double().sum())
        positions = self.cell.new_tokens * len(near)
        return {
            "positions": positions,
            "near": sum(map(sum, near)) / positions,
            "lowest_draw": lowest(near, SEQUENCES),
            "perplexity": math.exp(nll / positions),
            "near_ids": ["".join("01"[flag] for flag in answer) for answer in near],
        }


def lowest(near: list[list[bool]], size: int) -> float:
    """The least share of 2,000 draws of so many answers."""
    draw, size = random.Random(SEED), min(size, len(near))
    counts = [sum(answer) for answer in near]
    return min(sum(draw.sample(counts, size)) for _ in range(2000)) / (size * len(near[0]))


def returned(lane: str, precision: str, folder: Path, scorer: Scorer, cache: Path) -> list[list[int]]:
    """What a lane answers to the prompts."""
    plan = Plan(
        model=folder,
        model_digest=finding.digest(folder, cache),
        precision=precision,
        device="cpu",
        threads=host.usable_cores(),
        sampling=Sampling(),
        cells=(scorer.cell,),
        cache=cache,
    )
    runs = lanes.create(lane)(plan)
    runs.prepare()
    runs.load()
    try:
        return [runs.generate([prompt], scorer.cell.new_tokens)[0] for prompt in scorer.prompts]
    finally:
        runs.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=24)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    model = finding.resolve(reading.resolve({}, environment={**os.environ, "MODEL_NAME": MODEL})[0])
    cell = Cell(batch=1, prompt_length=LENGTH, new_tokens=options.new_tokens, precision="")
    scorer = Scorer(model, cell, options.calls)
    rows: list[dict[str, Any]] = []
    equal: dict[str, float] = {}
    began = time.monotonic()
    for grid in GRIDS:
        for mistake in MISTAKES:
            # A folder for each, since a converted model is as large as the model.
            with tempfile.TemporaryDirectory(prefix="quantised-") as scratch:
                folder = variant(model, Path(scratch) / "model", grid, mistake)
                if mistake == "none":
                    equal[grid] = difference(scorer, folder)
                    print(f"{grid}: float32 logits differ from the model's by {equal[grid]:.1e} deviations at most")
                for lane, precision in ENTRANTS:
                    outputs = returned(lane, precision, folder, scorer, Path(scratch))
                    row = {"grid": grid, "mistake": mistake, "lane": lane, "precision": precision}
                    rows.append(row | scorer.row(outputs))
                    told = rows[-1]
                    print(
                        f"{time.monotonic() - began:5.0f} s  {grid:<13}{precision:<5}{lane:<12}{mistake:<32}"
                        f"near {told['near']:.1%}  lowest draw {told['lowest_draw']:.1%}  perplexity {told['perplexity']:.2f}",
                        flush=True,
                    )
    if options.write:
        found = {
            "model": MODEL,
            "cpu": host.environment().cpu_model,
            "prompt_length": LENGTH,
            "new_tokens": options.new_tokens,
            "calls": options.calls,
            "draw": SEQUENCES,
            "logits_differ": equal,
            "rows": rows,
        }
        (HERE / "quantised.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def difference(scorer: Scorer, folder: Path) -> float:
    """How far the float32 logits of the model in `folder` are from the right model's, in the latter's deviations."""
    from trtbench.model.torch_loading import load_model

    other = load_model(folder, "float32", "cpu", host.usable_cores())
    most = 0.0
    with torch.inference_mode():
        for prompt in scorer.prompts[:4]:
            ids = torch.tensor([prompt])
            right, got = (model(ids, use_cache=False).logits[0].float() for model in (scorer.referee.model, other))
            most = max(most, float(((right - got).abs() / right.std(1, keepdim=True)).max()))
    return most


if __name__ == "__main__":
    sys.exit(main())
