"""From what NVML answers on a card to its ceiling: the bandwidth must be the published one."""

from __future__ import annotations

from pathlib import Path

import pytest

import factory
from liars import Story
from tape import answers, play
from trtbench.machine import cards
from trtbench.machine.nvml import Session
from trtbench.model.synthetic import SYNTHETIC
from trtbench.records.telemetry import Gpu, Telemetry
from trtbench.records.trial import Statement, Trial
from trtbench.referee import record_roofline
from trtbench.referee.record_roofline import NOMINAL, Roof

LLAMA = SYNTHETIC["tinyllama"]
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": LLAMA.hidden,
    "num_hidden_layers": LLAMA.layers,
    "num_attention_heads": LLAMA.heads,
    "num_key_value_heads": LLAMA.kv_heads,
    "intermediate_size": LLAMA.intermediate,
    "vocab_size": LLAMA.vocab,
    "max_position_embeddings": LLAMA.positions,
    "tie_word_embeddings": False,
}
# Name, bus width in bits and highest memory clock in MHz as NVML tells them; published GB/s of the vendor's pages.
# The H200's are of the recorded trial in tests/nvml; none of the other cards was at hand, theirs are as in test_cards.py.
TOLD = [
    ("NVIDIA GeForce RTX 3060", 192, 7501, 360),
    ("NVIDIA GeForce RTX 4070", 192, 10501, 504),
    ("NVIDIA GeForce RTX 4090", 384, 10501, 1008),
    ("NVIDIA A100-SXM4-40GB", 5120, 1215, 1555),
    ("NVIDIA A100-SXM4-80GB", 5120, 1593, 2039),
    ("NVIDIA A100 80GB PCIe", 5120, 1512, 1935),
    ("NVIDIA L4", 192, 6251, 300),
    ("Tesla T4", 256, 5001, 320),
    ("NVIDIA H100 80GB HBM3", 5120, 2619, 3350),
    ("NVIDIA H200", 6016, 3201, 4800),
]


def on(name: str, bus: int | None, clock: int | None, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Trial:
    """A trial on a card that tells this of itself."""
    told = answers(
        **{
            "Name": [name],
            "MemoryBusWidth": [bus] if bus else None,
            "nvmlDeviceGetMaxClockInfo@0@2": [clock] if clock else None,
        }
    )
    play(monkeypatch, folder, told)
    with Session() as session:
        facts = session.cards[0].facts()
    card = Gpu(
        uuid=facts.uuid,
        name=facts.name,
        samples=1,
        memory_bus_width=facts.memory_bus_width,
        memory_clock_max=facts.memory_clock_max,
    )
    statement: Statement = factory.statement("float16", device="cuda", device_name=name)
    return factory.trial(
        model=factory.model(config=CONFIG), statement=statement, telemetry=Telemetry(gpus=[card], read_bandwidth=2e10)
    )


@pytest.mark.parametrize(("name", "bus", "clock", "published"), TOLD, ids=[row[0] for row in TOLD])
def test_bus_width_and_memory_clock_give_the_published_bandwidth(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, bus: int, clock: int, published: float
) -> None:
    roof = record_roofline.roof(on(name, bus, clock, monkeypatch, tmp_path), factory.run())
    assert isinstance(roof, Roof)
    assert roof.basis == NOMINAL
    assert roof.bandwidth == pytest.approx(published * 1e9, rel=0.004)
    # The gate takes the larger of the two, so that rounding never refuses an honest figure.
    assert roof.machine.bandwidth >= max(roof.bandwidth, cards.fastest(name).bandwidth)


@pytest.mark.parametrize(("name", "bus", "clock", "published"), TOLD, ids=[row[0] for row in TOLD])
def test_the_ceiling_of_a_llama_is_that_bandwidth_over_its_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, bus: int, clock: int, published: float
) -> None:
    """TinyLlama in fp16 reads 2.069 GB of weights a step: 4,800 GB/s make some 2,300 tok/s, 504 GB/s some 240."""
    roof = record_roofline.roof(on(name, bus, clock, monkeypatch, tmp_path), factory.run())
    assert isinstance(roof, Roof)
    floor = roof.decode(1, 128, 200)
    steps = 199
    assert steps * published * 1e9 / floor.traffic == pytest.approx(published / 2.069, rel=0.01)


def test_a_card_that_tells_nothing_falls_back_on_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    roof = record_roofline.roof(on("NVIDIA GeForce RTX 4090", None, None, monkeypatch, tmp_path), factory.run())
    assert isinstance(roof, Roof) and roof.bandwidth == 1008e9


def test_an_unlikely_clock_is_not_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    roof = record_roofline.roof(on("NVIDIA GeForce RTX 4090", 384, 405, monkeypatch, tmp_path), factory.run())
    assert isinstance(roof, Roof) and roof.bandwidth == 1008e9


def test_an_unknown_card_that_tells_nothing_has_no_ceiling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reason = record_roofline.roof(on("NVIDIA Example 1", None, None, monkeypatch, tmp_path), factory.run())
    assert reason == "the memory bandwidth of NVIDIA Example 1 is not known"


def roof_of(cards: int, gpu: str) -> Roof:
    told = Story(cards=cards, gpu=gpu, rounds=1).tell()
    roof = record_roofline.roof(told.trials[0], told.run)
    assert isinstance(roof, Roof)
    return roof


@pytest.mark.parametrize(("gpu", "peer"), [("NVIDIA H200", 450e9), ("NVIDIA GeForce RTX 4090", 64e9)])
def test_cards_that_share_a_model_add_up_and_send_over_their_link(gpu: str, peer: float) -> None:
    one, two = roof_of(1, gpu), roof_of(2, gpu)
    assert two.bandwidth == 2 * one.bandwidth and two.peak == 2 * (one.peak or 0)
    assert two.machine.cache == 2 * one.machine.cache and two.machine.bandwidth == 2 * one.machine.bandwidth
    assert (one.machine.cards, two.machine.cards) == (1, 2)
    assert (one.machine.peer, two.machine.peer) == (None, peer)


def test_cards_that_are_listed_and_not_shared_have_nothing_to_send() -> None:
    """The number of cards is a finding (fairness.more_cards); no lane is refused for a link that it doesn't need."""
    told = Story(cards=2, gpu="NVIDIA H200", rounds=1).tell()
    assert told.trials[0].statement is not None
    told.trials[0].statement.tensor_parallel = None
    roof = record_roofline.roof(told.trials[0], told.run)
    assert isinstance(roof, Roof) and roof.machine.peer is None


def test_a_link_that_nobody_knows_bounds_nothing() -> None:
    told = Story(cards=2, gpu="NVIDIA Example 9000", rounds=1).tell()
    for card in told.trials[0].environment.cards or ():
        card.memory_bus_width, card.memory_clock_max = 384, 10501
    roof = record_roofline.roof(told.trials[0], told.run)
    assert isinstance(roof, Roof) and roof.machine.peer is None
