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

    `bandwidth_gbs` in GB/s (10^9), `bus_bits` the width of the memory bus, `data_rate` in Gbit/s a pin (twice
    the memory clock that NVML reports), `tflops` the dense fp16/bf16 tensor peak with fp32 accumulation in
    10^12 FLOP/s, `l2_mib` the last-level cache, rounded up where figures differ, `memory_gb` as marketed.
    None stands for what isn't known for sure. `double_fp16_accumulate`: with fp16 accumulation the tensor
    cores run at twice `tflops`.
    """

    name: str
    bandwidth_gbs: float
    bus_bits: int | None
    data_rate: float | None
    tflops: float | None
    double_fp16_accumulate: bool
    l2_mib: float
    memory_gb: int
    compute_capability: str
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

# name, GB/s, bus bits, Gbit/s a pin, TFLOP/s, doubled by fp16 accumulation, L2 MiB, GB, capability, source
CARDS = (
    Card("GeForce RTX 3060", 360, 192, 15, 25.5, True, 3, 12, "8.6", _GA10X),
    Card("GeForce RTX 3070", 448, 256, 14, 40.6, True, 4, 8, "8.6", _GA10X),
    Card("GeForce RTX 3070 Ti", 608, 256, 19, None, True, 4, 8, "8.6", _GA10X),
    Card("GeForce RTX 3080 10GB", 760, 320, 19, 59.5, True, 5, 10, "8.6", _GA10X, ("RTX 3080",)),
    Card("GeForce RTX 3080 12GB", 912, 384, 19, None, True, 6, 12, "8.6", _GA10X, ("RTX 3080",)),
    Card("GeForce RTX 3080 Ti", 912, 384, 19, None, True, 6, 12, "8.6", _GA10X),
    Card("GeForce RTX 3090", 936, 384, 19.5, 71, True, 6, 24, "8.6", _GA10X),
    Card("GeForce RTX 3090 Ti", 1008, 384, 21, 80, True, 6, 24, "8.6", "Ada whitepaper V2"),
    Card("GeForce RTX 4060", 272, 128, 17, 30.2, True, 24, 8, "8.9", _ADA),
    Card("GeForce RTX 4060 Ti", 288, 128, 18, 44.1, True, 32, 8, "8.9", _ADA, ("RTX 4060 Ti 16GB",)),
    Card("GeForce RTX 4070", 504, 192, 21, 58.3, True, 36, 12, "8.9", _ADA),
    Card("GeForce RTX 4070 SUPER", 504, 192, 21, 71, True, 48, 12, "8.9", _ADA),
    Card("GeForce RTX 4070 Ti", 504, 192, 21, 80.2, True, 48, 12, "8.9", _ADA),
    Card("GeForce RTX 4070 Ti SUPER", 672, 256, 21, None, True, 64, 16, "8.9", _ADA),
    Card("GeForce RTX 4080", 717, 256, 22.4, 97.5, True, 64, 16, "8.9", _ADA),
    Card("GeForce RTX 4080 SUPER", 736, 256, 23, None, True, 64, 16, "8.9", _ADA),
    Card("GeForce RTX 4090", 1008, 384, 21, 165.2, True, 72, 24, "8.9", _ADA),
    Card("GeForce RTX 5070", 672, 192, 28, 61.7, True, 48, 12, "12.0", _RTX50),
    Card("GeForce RTX 5070 Ti", 896, 256, 28, 87.9, True, 64, 16, "12.0", _RTX50),
    Card("GeForce RTX 5080", 960, 256, 30, 112.6, True, 64, 16, "12.0", _RTX50),
    Card("GeForce RTX 5090", 1792, 512, 28, 209.5, True, 96, 32, "12.0", _RTX50),
    Card("RTX A6000", 768, 384, 16, 154.8, False, 6, 48, "8.6", "GA102 whitepaper V2", ("A6000",)),
    Card(
        "RTX 6000 Ada",
        960,
        384,
        20,
        364.2,
        False,
        96,
        48,
        "8.9",
        "RTX 6000 Ada datasheet",
        ("RTX 6000 Ada Generation",),
    ),
    Card("T4", 320, 256, 10, 65, False, 4, 16, "7.5", "T4 datasheet"),
    Card(
        "V100 PCIe",
        900,
        4096,
        1.754,
        112,
        False,
        6,
        32,
        "7.0",
        "V100 datasheet",
        ("V100", "V100-PCIE-16GB", "V100-PCIE-32GB"),
    ),
    Card(
        "V100 SXM",
        900,
        4096,
        1.754,
        125,
        False,
        6,
        32,
        "7.0",
        "V100 datasheet",
        ("V100", "V100-SXM2", "V100-SXM2-16GB", "V100-SXM2-32GB"),
    ),
    Card("V100S PCIe", 1134, 4096, 2.214, 130, False, 6, 32, "7.0", "V100S datasheet", ("V100S", "V100S-PCIE-32GB")),
    Card("A10", 600, 384, 12.5, 125, False, 6, 24, "8.6", "A10 datasheet"),
    Card("A10G", 600, 384, 12.5, 70, True, 6, 24, "8.6", "A10G datasheet"),
    Card("A40", 696, 384, 14.5, 149.7, False, 6, 48, "8.6", "A40 datasheet"),
    Card(
        "A100 40GB",
        1555,
        5120,
        2.43,
        312,
        False,
        40,
        40,
        "8.0",
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
        5120,
        3.024,
        312,
        False,
        40,
        80,
        "8.0",
        "A100 datasheet",
        ("A100", "A100-80", "A100 80GB", "A100 PCIe", "A100-PCIE-80GB"),
    ),
    Card(
        "A100 80GB SXM",
        2039,
        5120,
        3.186,
        312,
        False,
        40,
        80,
        "8.0",
        "A100 datasheet",
        ("A100", "A100-80", "A100 80GB", "A100 SXM", "A100-SXM4", "A100-SXM4-80GB", "A100-SXM-80GB"),
    ),
    Card("L4", 300, 192, 12.5, 121, False, 48, 24, "8.9", "L4 datasheet"),
    Card("L40", 864, 384, 18, 181, True, 96, 48, "8.9", "L40 datasheet"),
    Card("L40S", 864, 384, 18, 362, False, 96, 48, "8.9", "L40S datasheet"),
    Card(
        "H100 PCIe",
        2039,
        5120,
        3.186,
        756,
        False,
        50,
        80,
        "9.0",
        "H100 PCIe product brief",
        ("H100", "H100 80GB", "H100 PCIe 80GB", "H100 80GB PCIe"),
    ),
    Card(
        "H100 SXM",
        3350,
        5120,
        5.238,
        989,
        False,
        50,
        80,
        "9.0",
        "H100 datasheet",
        ("H100", "H100 80GB", "H100 80GB HBM3", "H100 SXM5", "H100 SXM5 80GB", "H100 80GB SXM"),
    ),
    Card("H100 NVL", 3900, None, None, 835, False, 50, 94, "9.0", "H100 NVL product brief", ("H100",)),
    Card("H200", 4800, 6144, 6.402, 989, False, 60, 141, "9.0", "H200 datasheet", ("H200 SXM", "H200 141GB HBM3e")),
    Card("H200 NVL", 4800, 6144, 6.402, None, False, 60, 141, "9.0", "H200 datasheet"),
    Card("GH200 96GB", 4000, 6144, 5.238, 989, False, 60, 96, "9.0", "GH200 datasheet", ("GH200", "GH200 480GB")),
    Card("GH200 144GB", 4900, None, None, 989, False, 60, 144, "9.0", "GH200 datasheet", ("GH200", "GH200 144G HBM3e")),
    Card("B200", 8000, None, None, 2250, False, 128, 180, "10.0", "HGX B200 datasheet"),
)


def find(name: str) -> Card:
    """The one card of this name, as people write it or as NVML reports it.

    Raises UserError if no card or more than one has it; `fastest` is for a gate that may not be too strict.
    """
    found = _candidates(name)
    if len(found) > 1:
        raise UserError(f"GPU {name!r} may be any of {', '.join(card.name for card in found)}; say which.")
    return found[0]


def fastest(name: str) -> Card:
    """Like `find`, but an ambiguous name gives an upper envelope of all cards that have it: the highest
    bandwidth, peak (None if one is unknown) and cache. What that card can't do, none of them can."""
    found = _candidates(name)
    if len(found) == 1:
        return found[0]
    best = max(found, key=lambda card: card.bandwidth_gbs)
    peaks = [card.tflops for card in found if card.tflops is not None]
    return dataclasses.replace(
        best,
        name=" or ".join(card.name for card in found),
        double_fp16_accumulate=any(card.double_fp16_accumulate for card in found),
        tflops=max(peaks) if len(peaks) == len(found) else None,
        l2_mib=max(card.l2_mib for card in found),
        aliases=(),
    )


def bandwidth_from_clock(bus_width_bits: int, memory_clock_mhz: float) -> float:
    """Nominal bandwidth in bytes/s from what NVML reports: bus width (bits) and highest memory clock (MHz).

    Two transfers a reported clock, for HBM and every GDDR: NVML reports half the data rate of a pin
    (RTX 4090: 10,501 MHz at 21 Gbit/s), not the clock of the memory cells.
    """
    return bus_width_bits / 8 * memory_clock_mhz * 1e6 * 2


def _candidates(name: str) -> list[Card]:
    found = _BY_KEY.get(_key(name), [])
    if not found:
        near = difflib.get_close_matches(_key(name), _BY_KEY, n=3)
        cards = dict.fromkeys(card.name for key in near for card in _BY_KEY[key])
        hint = f"; near it are {', '.join(cards)}" if cards else ""
        raise UserError(
            f"GPU {name!r} is not in the table of cards{hint}; give its memory bandwidth in GB/s (--bandwidth-gbs)."
        )
    return found


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
