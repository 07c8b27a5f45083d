"""Honest runs of every kind by name, each from a seed: the audit must raise no failure over any of them."""

from __future__ import annotations

import random
from collections.abc import Callable

from cheats.changes import TORCH, TRT
from liars import DEMO, TINYLLAMA, Story
from trtbench.records.trial import Sampling


def skewed(draw: random.Random) -> float:
    return draw.expovariate(1.0)


def outlying(draw: random.Random) -> float:
    return draw.gauss(0, 1) + (40 if draw.random() < 0.05 else 0)


HONEST: dict[str, Callable[[int], Story]] = {
    "plain": lambda seed: Story(seed=seed),
    "noisy": lambda seed: Story(seed=seed, spread=(0.05, 0.15)),
    "skewed": lambda seed: Story(seed=seed, spread=(0.02, 0.05), noise=skewed),
    "with outliers": lambda seed: Story(seed=seed, noise=outlying),
    "slow": lambda seed: Story(seed=seed, latency={TORCH: 90000.0, TRT: 60000.0}, first=2000.0),
    "fast but possible": lambda seed: Story(seed=seed, latency={TORCH: 900.0, TRT: 835.0}, first=4.9),
    "quantised and saying so": lambda seed: Story(
        seed=seed, latency={TORCH: 2000.0, TRT: 330.0}, precision={TRT: "int4_awq"}, near={TRT: 0.93}
    ),
    "quantised, random weights": lambda seed: Story(
        seed=seed, latency={TORCH: 2000.0, TRT: 500.0}, precision={TRT: "int8"}, near={TRT: 0.09}, synthetic=True
    ),
    "cache-sized model": lambda seed: Story(
        seed=seed, config=DEMO, latency={TORCH: 200.0, TRT: 9.0}, first=0.6, gpu="NVIDIA GeForce RTX 4090"
    ),
    "tied embeddings": lambda seed: Story(
        seed=seed, config={**TINYLLAMA, "tie_word_embeddings": True}, latency={TORCH: 1500.0, TRT: 850.0}
    ),
    "grouped heads": lambda seed: Story(seed=seed, config={**TINYLLAMA, "num_key_value_heads": 1}),
    "batch 32": lambda seed: Story(seed=seed, batch=32, new=50, rounds=5, latency={TORCH: 900.0, TRT: 320.0}, first=60),
    "on a CPU": lambda seed: Story(
        seed=seed, gpu=None, default_precision="float32", latency={TORCH: 50000.0, "onnxruntime": 30000.0}, first=2000
    ),
    "cache-sized on a CPU": lambda seed: Story(
        seed=seed,
        gpu=None,
        config=DEMO,
        default_precision="float32",
        latency={TORCH: 1100.0, "onnxruntime": 310.0},
        first=25,
    ),
    "unknown card": lambda seed: Story(seed=seed, gpu="NVIDIA Example 9000"),
    "three trials": lambda seed: Story(seed=seed, rounds=3),
    "sampled": lambda seed: Story(seed=seed, sampling=Sampling(temperature=0.8, top_p=0.9, seed=7)),
    "two new tokens": lambda seed: Story(seed=seed, new=2, latency={TORCH: 40.0, TRT: 26.0}, spread=(0.05, 0.2)),
    "equal lanes": lambda seed: Story(seed=seed, latency={TORCH: 1000.0, TRT: 1000.0}),
}
