"""Known graphics cards: memory bandwidth, peak and cache as the vendor publishes them, with the source."""

from __future__ import annotations

import dataclasses
import difflib
import re
from dataclasses import dataclass

from trtbench.errors import UserError

# Published peaks assume a boost clock that cards exceed (H100 SXM: 1,830 MHz published, 1,980 MHz reached;
# factory-overclocked GeForce cards more), so a gate on operations needs room that one on bandwidth doesn't.
CLOCK_HEADROOM = 1.25


@dataclass(frozen=True)
class Card:
    """One row of the table.

    `bandwidth_gbs` in GB/s (10^9), `tflops` the dense fp16/bf16 tensor peak with fp32 accumulation in 10^12
    FLOP/s (None where it isn't known for sure), `l2_mib` the last-level cache, rounded up where figures
    differ, `memory_gb` as marketed. `double_fp16_accumulate`: with fp16 accumulation the tensor cores run at
    twice `tflops`.
    """

    name: str
    bandwidth_gbs: float
    tflops: float | None
    double_fp16_accumulate: bool
    l2_mib: float
    memory_gb: int
    source: str
    aliases: tuple[str, ...] = ()

    @property
    def bandwidth(self) -> float:
        """Nominal memory bandwidth in bytes/s."""
        return self.bandwidth_gbs * 1e9

    @property
    def cache(self) -> float:
        """Last-level cache in bytes."""
        return self.l2_mib * 2**20

    @property
    def peak(self) -> float | None:
        """Published dense fp16 peak with fp32 accumulation in FLOP/s: the denominator of MFU."""
        return None if self.tflops is None else self.tflops * 1e12

    @property
    def gate_peak(self) -> float | None:
        """More FLOP/s in fp16 than the card can reach by any means: the peak for a gate."""
        if self.peak is None:
            return None
        return self.peak * CLOCK_HEADROOM * (2 if self.double_fp16_accumulate else 1)


_GA10X = "GA102 whitepaper V2 and GeForce RTX 30 product pages"
_ADA = "Ada whitepaper V2 and GeForce RTX 40 product pages, AI TOPS / 8"
_RTX50 = "RTX Blackwell whitepaper"

# name, GB/s, TFLOP/s, doubled by fp16 accumulation, L2 MiB, GB, source, aliases
CARDS = (
    Card("GeForce RTX 3060", 360, 25.5, True, 3, 12, _GA10X),
    Card("GeForce RTX 3070", 448, 40.6, True, 4, 8, _GA10X),
    Card("GeForce RTX 3070 Ti", 608, None, True, 4, 8, _GA10X),
    Card("GeForce RTX 3080 10GB", 760, 59.5, True, 5, 10, _GA10X, ("RTX 3080",)),
    Card("GeForce RTX 3080 12GB", 912, None, True, 6, 12, _GA10X, ("RTX 3080",)),
    Card("GeForce RTX 3080 Ti", 912, None, True, 6, 12, _GA10X),
    Card("GeForce RTX 3090", 936, 71, True, 6, 24, _GA10X),
    Card("GeForce RTX 3090 Ti", 1008, 80, True, 6, 24, "Ada whitepaper V2"),
    Card("GeForce RTX 4060", 272, 30.2, True, 24, 8, _ADA),
    Card("GeForce RTX 4060 Ti", 288, 44.1, True, 32, 8, _ADA, ("RTX 4060 Ti 16GB",)),
    Card("GeForce RTX 4070", 504, 58.3, True, 36, 12, _ADA),
    Card("GeForce RTX 4070 SUPER", 504, 71, True, 48, 12, _ADA),
    Card("GeForce RTX 4070 Ti", 504, 80.2, True, 48, 12, _ADA),
    Card("GeForce RTX 4070 Ti SUPER", 672, None, True, 64, 16, _ADA),
    Card("GeForce RTX 4080", 717, 97.5, True, 64, 16, _ADA),
    Card("GeForce RTX 4080 SUPER", 736, None, True, 64, 16, _ADA),
    Card("GeForce RTX 4090", 1008, 165.2, True, 72, 24, _ADA),
    Card("GeForce RTX 5070", 672, 61.7, True, 48, 12, _RTX50),
    Card("GeForce RTX 5070 Ti", 896, 87.9, True, 64, 16, _RTX50),
    Card("GeForce RTX 5080", 960, 112.6, True, 64, 16, _RTX50),
    Card("GeForce RTX 5090", 1792, 209.5, True, 96, 32, _RTX50),
    Card("RTX A6000", 768, 154.8, False, 6, 48, "GA102 whitepaper V2", ("A6000",)),
    Card("RTX 6000 Ada", 960, 364.2, False, 96, 48, "RTX 6000 Ada datasheet", ("RTX 6000 Ada Generation",)),
    Card("T4", 320, 65, False, 4, 16, "T4 datasheet"),
    Card("V100 PCIe", 900, 112, False, 6, 32, "V100 datasheet", ("V100", "V100-PCIE-16GB", "V100-PCIE-32GB")),
    Card(
        "V100 SXM", 900, 125, False, 6, 32, "V100 datasheet", ("V100", "V100-SXM2", "V100-SXM2-16GB", "V100-SXM2-32GB")
    ),
    Card("V100S PCIe", 1134, 130, False, 6, 32, "V100S datasheet", ("V100S", "V100S-PCIE-32GB")),
    Card("A10", 600, 125, False, 6, 24, "A10 datasheet"),
    Card("A10G", 600, 70, True, 6, 24, "A10G datasheet"),
    Card("A40", 696, 149.7, False, 6, 48, "A40 datasheet"),
    Card(
        "A100 40GB",
        1555,
        312,
        False,
        40,
        40,
        "A100 datasheet",
        (
            "A100",
            "A100-40",
            "A100 SXM",
            "A100-SXM4",
            "A100-SXM4-40GB",
            "A100 40GB SXM",
            "A100 PCIe",
            "A100-PCIE-40GB",
            "A100 40GB PCIe",
        ),
    ),
    Card(
        "A100 80GB PCIe",
        1935,
        312,
        False,
        40,
        80,
        "A100 datasheet",
        ("A100", "A100-80", "A100 80GB", "A100 PCIe", "A100-PCIE-80GB"),
    ),
    Card(
        "A100 80GB SXM",
        2039,
        312,
        False,
        40,
        80,
        "A100 datasheet",
        ("A100", "A100-80", "A100 80GB", "A100 SXM", "A100-SXM4", "A100-SXM4-80GB", "A100-SXM-80GB"),
    ),
    Card("L4", 300, 121, False, 48, 24, "L4 datasheet"),
    Card("L40", 864, 181, True, 96, 48, "L40 datasheet"),
    Card("L40S", 864, 362, False, 96, 48, "L40S datasheet"),
    Card(
        "H100 PCIe",
        2039,
        756,
        False,
        50,
        80,
        "H100 PCIe product brief",
        ("H100", "H100 80GB", "H100 PCIe 80GB", "H100 80GB PCIe"),
    ),
    Card(
        "H100 SXM",
        3350,
        989,
        False,
        50,
        80,
        "H100 datasheet",
        ("H100", "H100 80GB", "H100 80GB HBM3", "H100 SXM5", "H100 SXM5 80GB", "H100 80GB SXM"),
    ),
    Card("H100 NVL", 3900, 835, False, 50, 94, "H100 NVL product brief", ("H100",)),
    Card("H200", 4800, 989, False, 60, 141, "H200 datasheet", ("H200 SXM", "H200 141GB HBM3e")),
    Card("H200 NVL", 4800, None, False, 60, 141, "H200 datasheet"),
    Card("GH200 96GB", 4000, 989, False, 60, 96, "GH200 datasheet", ("GH200", "GH200 480GB")),
    Card("GH200 144GB", 4900, 989, False, 60, 144, "GH200 datasheet", ("GH200", "GH200 144G HBM3e")),
    Card("B200", 8000, 2250, False, 128, 180, "HGX B200 datasheet"),
)


def fastest(name: str) -> Card:
    """The card of this name, as people write it or as NVML reports it. An ambiguous name gives an upper envelope of all
    cards that have it: the highest bandwidth, peak (None if one is unknown) and cache. What that card can't do, none of
    them can. Raises UserError if no card has it."""
    candidates = _candidates(name)
    if len(candidates) == 1:
        return candidates[0]
    widest = max(candidates, key=lambda card: card.bandwidth_gbs)
    peaks = [card.tflops for card in candidates if card.tflops is not None]
    return dataclasses.replace(
        widest,
        name=" or ".join(card.name for card in candidates),
        double_fp16_accumulate=any(card.double_fp16_accumulate for card in candidates),
        tflops=max(peaks) if len(peaks) == len(candidates) else None,
        l2_mib=max(card.l2_mib for card in candidates),
        aliases=(),
    )


def bandwidth_from_clock(bus_width_bits: int, memory_clock_mhz: float) -> float:
    """Nominal bandwidth in bytes/s from what NVML reports: bus width (bits) and highest memory clock (MHz).

    Two transfers a reported clock, for HBM and every GDDR: NVML reports half the data rate of a pin
    (RTX 4090: 10,501 MHz at 21 Gbit/s), not the clock of the memory cells.
    """
    return bus_width_bits / 8 * memory_clock_mhz * 1e6 * 2


def _candidates(name: str) -> list[Card]:
    candidates = _BY_KEY.get(_key(name), [])
    if not candidates:
        similar = difflib.get_close_matches(_key(name), _BY_KEY, n=3)
        names = dict.fromkeys(card.name for key in similar for card in _BY_KEY[key])
        hint = f"; near it are {', '.join(names)}" if names else ""
        raise UserError(
            f"GPU {name!r} is not in the table of cards{hint}; give its memory bandwidth in GB/s (--bandwidth-gbs)."
        )
    return candidates


def _key(name: str) -> str:
    """What two spellings of a card's name have in common: no vendor, brand, blanks or case."""
    return re.sub(r"nvidia|geforce|tesla|[^a-z0-9]", "", name.lower())


def _index() -> dict[str, list[Card]]:
    index: dict[str, list[Card]] = {}
    for card in CARDS:
        keys = {_key(name) for name in (card.name, *card.aliases)}
        keys |= {f"{key}{card.memory_gb}gb" for key in keys if not key.endswith("gb")}
        if card.name.startswith("GeForce"):
            keys |= {key.removeprefix("rtx") for key in keys}
        for key in keys:
            index.setdefault(key, []).append(card)
    return index


_BY_KEY = _index()
