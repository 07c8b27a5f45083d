"""Known graphics cards: memory bandwidth, peak, cache and memory as published, with the source that was read."""

from __future__ import annotations

import dataclasses
import difflib
import re
from dataclasses import dataclass

from trtbench.errors import UserError

# Published peaks assume a boost clock that cards exceed (H100 SXM: 1,830 MHz published, 1,980 MHz reached;
# factory-overclocked GeForce cards more), so a gate on operations needs room that one on bandwidth doesn't.
CLOCK_HEADROOM = 1.25

# What a card reads of the memory of its host in GB/s and one direction at most: PCIe 5.0 x16 (16 lanes of 32 GT/s, 63 GB/s
# after their encoding), also for cards whose own slot is slower.
PCIE = 64
# NVLink of all links of one card together in GB/s and one direction: half of what NVIDIA gives, which is both directions. The
# bridges of RTX 20, RTX 30 and RTX A cards (25 to 56 GB/s) are slower than PCIE, which stands for them.
_NVLINK_2 = 150  # V100: six links of 25 GB/s (V100 datasheet: 300 GB/s)
_NVLINK_3 = 300  # A100, A30 with a third of it, and the bridges of H100 PCIe and NVL (600 GB/s)
_NVLINK_3_A30 = 100  # A30 datasheet: 200 GB/s
_NVLINK_EXPORT = 200  # A800 and H800: 400 GB/s
_NVLINK_4 = 450  # H100 SXM, H200, GH200 (their datasheets: 900 GB/s)
_NVLINK_5 = 900  # Blackwell data-centre cards: 1,800 GB/s


@dataclass(frozen=True)
class Card:
    """One row of the table.

    `bandwidth_gbs` in GB/s (10^9), `tflops` the dense fp16/bf16 tensor peak with fp32 accumulation in 10^12
    FLOP/s (None where it isn't known for sure), `l2_mib` the last-level cache, rounded up where figures
    differ, `memory_gb` as marketed, the largest that is sold under the name; one that shares the memory of its host has no
    other. `double_fp16_accumulate`: with fp16 accumulation the tensor cores run at twice `tflops`. `host_gbs` in GB/s: the
    most that any link gives it, in one direction, of what lies outside its memory. `peer_gbs` in GB/s: the most that one card
    sends to others, in one direction over all its links, with the bridge or switch that is sold for it; None: as `host_gbs`.
    """

    name: str
    bandwidth_gbs: float
    tflops: float | None
    double_fp16_accumulate: bool
    l2_mib: float
    memory_gb: int
    source: str
    aliases: tuple[str, ...] = ()
    host_gbs: float = PCIE
    peer_gbs: float | None = None

    @property
    def memory(self) -> float:
        """Bytes of its memory, the marketed GB taken as 2^30: no card has more."""
        return self.memory_gb * 2**30

    @property
    def bandwidth(self) -> float:
        """Nominal memory bandwidth in bytes/s."""
        return self.bandwidth_gbs * 1e9

    @property
    def peer(self) -> float:
        """Bytes/s that it sends to other cards at most, in one direction."""
        return (self.peer_gbs or self.host_gbs) * 1e9

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
# From here on what was read itself, and not NVIDIA's document: that wasn't at hand. TechPowerUp gives bus, memory clock, cache
# and memory of each card, and its FP32 rate; tensor cores run at a fixed multiple of that within a family.
_TPU = "TechPowerUp's table of GPUs"
_RTX5060 = f"{_TPU}, FP32 rate x 2 as the RTX 5070's"
# Clocks differ from laptop to laptop, so none has a peak here.
_LAPTOP = f"{_TPU}, mobile cards"
_PRO_AMPERE = f"{_TPU}, FP32 rate x 4 as the RTX A6000's"
_PRO_ADA = f"{_TPU}, FP32 rate x 4 as the RTX 6000 Ada's"
_A_SERIES = f"{_TPU}, FP32 rate x 4 as the A10's"
_PRO_6000 = "public copies of the RTX PRO 6000 datasheets, FP32 rate x 4"
_A800 = f"{_TPU} and public tables of the A800: less NVLink than the A100, the same besides"
_H800 = f"{_TPU} and public tables of the H800: less NVLink and FP64 than the H100, the same besides"
_CHINA = "Tom's Hardware's table of the H20, L20 and L2"
_BLACKWELL = "public tables of the B200, B300, GB200 and GB300 by GPU, the highest of each figure"
_C2C = 450  # NVLink-C2C of Grace: 900 GB/s in both directions together, as every description of GH200 and GB200 says
_PCIE_6 = 128  # PCIe 6.0 x16, announced for the B200 and in the B300

# name, GB/s, TFLOP/s, doubled by fp16 accumulation, L2 MiB, GB, source, aliases
CARDS = (
    Card("GeForce GTX 1080 Ti", 484, None, False, 2.75, 11, _TPU),
    Card("GeForce GTX 1660", 192, None, False, 1.5, 6, _TPU),
    Card("GeForce GTX 1660 SUPER", 336, None, False, 1.5, 6, _TPU),
    Card("GeForce GTX 1660 Ti", 288, None, False, 1.5, 6, _TPU),
    # No peak for Turing: what its GeForce cards lose with fp32 accumulation was nowhere to be read.
    Card("GeForce RTX 2070", 448, None, True, 4, 8, _TPU),
    Card("GeForce RTX 2070 SUPER", 448, None, True, 4, 8, _TPU),
    Card("GeForce RTX 2080", 448, None, True, 4, 8, _TPU),
    Card("GeForce RTX 2080 SUPER", 496, None, True, 4, 8, _TPU),
    Card("GeForce RTX 2080 Ti", 616, None, True, 5.5, 11, _TPU),
    Card("TITAN RTX", 672, None, False, 6, 24, _TPU),
    Card("GeForce RTX 3050 6GB", 168, None, True, 2, 6, _TPU, ("RTX 3050",)),
    Card("GeForce RTX 3050 8GB", 224, None, True, 2, 8, _TPU, ("RTX 3050",)),
    Card("GeForce RTX 3060", 360, 25.5, True, 3, 12, _GA10X),
    Card("GeForce RTX 3070", 448, 40.6, True, 4, 8, _GA10X),
    Card("GeForce RTX 3070 Ti", 608, None, True, 4, 8, _GA10X),
    Card("GeForce RTX 3080 10GB", 760, 59.5, True, 5, 10, _GA10X, ("RTX 3080",)),
    Card("GeForce RTX 3080 12GB", 912, None, True, 6, 12, _GA10X, ("RTX 3080",)),
    Card("GeForce RTX 3080 Ti", 912, None, True, 6, 12, _GA10X),
    Card("GeForce RTX 3090", 936, 71, True, 6, 24, _GA10X),
    Card("GeForce RTX 3090 Ti", 1008, 80, True, 6, 24, "Ada whitepaper V2"),
    Card("GeForce RTX 4060", 272, 30.2, True, 24, 8, _ADA),
    Card("GeForce RTX 4060 Ti", 288, 44.1, True, 32, 16, _ADA, ("RTX 4060 Ti 8GB",)),
    Card("GeForce RTX 4070", 504, 58.3, True, 36, 12, _ADA),
    Card("GeForce RTX 4070 SUPER", 504, 71, True, 48, 12, _ADA),
    Card("GeForce RTX 4070 Ti", 504, 80.2, True, 48, 12, _ADA),
    Card("GeForce RTX 4070 Ti SUPER", 672, None, True, 64, 16, _ADA),
    Card("GeForce RTX 4080", 717, 97.5, True, 64, 16, _ADA),
    Card("GeForce RTX 4080 SUPER", 736, None, True, 64, 16, _ADA),
    Card("GeForce RTX 4090", 1008, 165.2, True, 72, 24, _ADA),
    Card("GeForce RTX 4090 D", 1008, 147.1, True, 72, 24, f"{_TPU}, FP32 rate x 2 as the RTX 4090's"),
    Card("GeForce RTX 5060", 448, 38.4, True, 32, 8, _RTX5060),
    Card("GeForce RTX 5060 Ti", 448, 47.4, True, 32, 16, _RTX5060, ("RTX 5060 Ti 8GB",)),
    Card("GeForce RTX 5070", 672, 61.7, True, 48, 12, _RTX50),
    Card("GeForce RTX 5070 Ti", 896, 87.9, True, 64, 16, _RTX50),
    Card("GeForce RTX 5080", 960, 112.6, True, 64, 16, _RTX50),
    Card("GeForce RTX 5090", 1792, 209.5, True, 96, 32, _RTX50),
    Card("GeForce RTX 3060 Laptop GPU", 336, None, True, 3, 6, _LAPTOP),
    Card("GeForce RTX 3070 Laptop GPU", 448, None, True, 4, 8, _LAPTOP),
    Card("GeForce RTX 3070 Ti Laptop GPU", 448, None, True, 4, 8, _LAPTOP),
    Card(
        "GeForce RTX 3080 Laptop GPU",
        448,
        None,
        True,
        4,
        16,
        f"{_LAPTOP}; 16 GB as announced",
        ("RTX 3080 Laptop GPU 8GB",),
    ),
    Card("GeForce RTX 3080 Ti Laptop GPU", 512, None, True, 4, 16, _LAPTOP),
    # The cache is that of the whole chip (AD107), as the 4060 for laptops has it; the table gives this one 12.
    Card("GeForce RTX 4050 Laptop GPU", 192, None, True, 32, 6, _LAPTOP),
    Card("GeForce RTX 4060 Laptop GPU", 256, None, True, 32, 8, _LAPTOP),
    Card("GeForce RTX 4070 Laptop GPU", 256, None, True, 32, 8, _LAPTOP),
    Card("GeForce RTX 4080 Laptop GPU", 432, None, True, 48, 12, _LAPTOP),
    Card("GeForce RTX 4090 Laptop GPU", 576, None, True, 64, 16, _LAPTOP),
    # 384 GB/s with 8 GB; that of the later 12 GB is not known, so the rate of its larger sisters (28 Gbit/s).
    Card(
        "GeForce RTX 5070 Laptop GPU",
        448,
        None,
        True,
        32,
        12,
        f"{_LAPTOP}; 12 GB as announced",
        ("RTX 5070 Laptop GPU 8GB",),
    ),
    Card("GeForce RTX 5070 Ti Laptop GPU", 672, None, True, 48, 12, _LAPTOP),
    Card("GeForce RTX 5080 Laptop GPU", 896, None, True, 64, 16, _LAPTOP),
    Card("GeForce RTX 5090 Laptop GPU", 896, None, True, 64, 24, _LAPTOP),
    Card("RTX A4000", 448, 76.7, False, 4, 16, _PRO_AMPERE, ("A4000",)),
    Card("RTX A5000", 768, 111.1, False, 6, 24, _PRO_AMPERE, ("A5000",)),
    Card("RTX A5500", 768, 136.4, False, 6, 24, _PRO_AMPERE, ("A5500",)),
    Card("RTX A6000", 768, 154.8, False, 6, 48, "GA102 whitepaper V2", ("A6000",)),
    Card("RTX 6000 Ada", 960, 364.2, False, 96, 48, "RTX 6000 Ada datasheet", ("RTX 6000 Ada Generation",)),
    Card("RTX 4500 Ada", 432, 158.5, False, 48, 24, _PRO_ADA, ("RTX 4500 Ada Generation",)),
    Card("RTX 5000 Ada", 576, 261.1, False, 72, 32, _PRO_ADA, ("RTX 5000 Ada Generation",)),
    Card("RTX PRO 4000 Blackwell", 672, None, False, 48, 24, _TPU, ("RTX PRO 4000",)),
    Card("RTX PRO 4500 Blackwell", 896, None, False, 64, 32, _TPU, ("RTX PRO 4500",)),
    Card(
        "RTX PRO 5000 Blackwell",
        1344,
        None,
        False,
        96,
        72,
        _TPU,
        ("RTX PRO 5000", "RTX PRO 5000 48GB", "RTX PRO 5000 Blackwell 48GB", "RTX PRO 5000 72GB Blackwell"),
    ),
    Card(
        "RTX PRO 6000 Blackwell Workstation Edition",
        1792,
        503.8,
        False,
        128,
        96,
        _PRO_6000,
        ("RTX PRO 6000", "RTX PRO 6000 Blackwell", "RTX PRO 6000 Workstation"),
    ),
    Card(
        "RTX PRO 6000 Blackwell Max-Q Workstation Edition",
        1792,
        438.9,
        False,
        128,
        96,
        _PRO_6000,
        ("RTX PRO 6000", "RTX PRO 6000 Blackwell", "RTX PRO 6000 Max-Q", "RTX PRO 6000 Blackwell Max-Q"),
    ),
    Card(
        "RTX PRO 6000 Blackwell Server Edition",
        1597,
        480,
        False,
        128,
        96,
        _PRO_6000,
        ("RTX PRO 6000", "RTX PRO 6000 Blackwell", "RTX PRO 6000 Server", "RTX PRO 6000 Blackwell Server"),
    ),
    Card("T4", 320, 65, False, 4, 16, "T4 datasheet"),
    Card("V100 PCIe", 900, 112, False, 6, 32, "V100 datasheet", ("V100", "V100-PCIE-16GB", "V100-PCIE-32GB")),
    Card(
        "V100 SXM",
        900,
        125,
        False,
        6,
        32,
        "V100 datasheet",
        ("V100", "V100-SXM2", "V100-SXM2-16GB", "V100-SXM2-32GB"),
        75,  # three NVLink 2.0 to a POWER9, 25 GB/s a direction each (150 GB/s both ways, as told of the AC922)
        peer_gbs=_NVLINK_2,
    ),
    Card("V100S PCIe", 1134, 130, False, 6, 32, "V100S datasheet", ("V100S", "V100S-PCIE-32GB")),
    Card("A2", 200, 18.1, False, 2, 16, _A_SERIES),
    Card("A16", 200, 18, False, 2, 16, f"{_A_SERIES}; one of its four GPUs"),
    Card("A30", 933, 165, False, 24, 24, f"{_TPU}, FP32 rate x 16 as the A100's", peer_gbs=_NVLINK_3_A30),
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
        peer_gbs=_NVLINK_3,
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
        peer_gbs=_NVLINK_3,
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
        peer_gbs=_NVLINK_3,
    ),
    Card(
        "A800 40GB",
        1555,
        312,
        False,
        40,
        40,
        _A800,
        ("A800", "A800 40GB Active", "A800-SXM4-40GB", "A800-40"),
        peer_gbs=_NVLINK_EXPORT,
    ),
    Card(
        "A800 80GB PCIe",
        1935,
        312,
        False,
        40,
        80,
        _A800,
        ("A800", "A800 80GB", "A800 PCIe", "A800-80"),
        peer_gbs=_NVLINK_EXPORT,
    ),
    Card(
        "A800 80GB SXM",
        2039,
        312,
        False,
        40,
        80,
        _A800,
        ("A800", "A800 80GB", "A800 SXM", "A800-SXM4-80GB", "A800-80"),
        peer_gbs=_NVLINK_EXPORT,
    ),
    # Whether fp16 accumulation doubles what the L2 and L20 do isn't told: True is the safe side. The L2's cache is its chip's.
    Card("L2", 300, 96.5, True, 48, 24, _CHINA),
    Card("L4", 300, 121, False, 48, 24, "L4 datasheet"),
    Card("L20", 864, 119.5, True, 96, 48, _CHINA),
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
        peer_gbs=_NVLINK_3,
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
        peer_gbs=_NVLINK_4,
    ),
    Card("H100 NVL", 3900, 835, False, 50, 94, "H100 NVL product brief", ("H100",), peer_gbs=_NVLINK_3),
    Card("H20 96GB", 4000, 148, False, 60, 96, _CHINA, ("H20",), peer_gbs=_NVLINK_4),
    Card(
        "H20 141GB",
        4800,
        148,
        False,
        60,
        141,
        "public tables of the H20 with 141 GB",
        ("H20", "H20-3e"),
        peer_gbs=_NVLINK_4,
    ),
    Card(
        "H800 PCIe", 2039, 756, False, 50, 80, _H800, ("H800", "H800 80GB", "H800 80GB PCIe"), peer_gbs=_NVLINK_EXPORT
    ),
    Card(
        "H800 SXM",
        3350,
        989,
        False,
        50,
        80,
        _H800,
        ("H800", "H800 80GB", "H800 SXM5", "H800 80GB HBM3"),
        peer_gbs=_NVLINK_EXPORT,
    ),
    Card("H200", 4800, 989, False, 60, 141, "H200 datasheet", ("H200 SXM", "H200 141GB HBM3e"), peer_gbs=_NVLINK_4),
    Card("H200 NVL", 4800, None, False, 60, 141, "H200 datasheet", peer_gbs=_NVLINK_4),
    Card("GH200 96GB", 4000, 989, False, 60, 96, "GH200 datasheet", ("GH200", "GH200 480GB"), _C2C, peer_gbs=_NVLINK_4),
    Card(
        "GH200 144GB",
        4900,
        989,
        False,
        60,
        144,
        "GH200 datasheet",
        ("GH200", "GH200 144G HBM3e"),
        _C2C,
        peer_gbs=_NVLINK_4,
    ),
    Card("B200", 8000, 2250, False, 128, 192, _BLACKWELL, ("B200 180GB",), _PCIE_6, peer_gbs=_NVLINK_5),
    Card("B300", 8000, 2250, False, 128, 288, _BLACKWELL, ("B300 SXM6", "B300 SXM6 AC"), _PCIE_6, peer_gbs=_NVLINK_5),
    Card("GB200", 8000, 2500, False, 128, 192, _BLACKWELL, ("GB200 186GB",), _C2C, peer_gbs=_NVLINK_5),
    Card("GB300", 8000, 2500, False, 128, 288, _BLACKWELL, ("GB300 279GB",), _C2C, peer_gbs=_NVLINK_5),
    # LPDDR5X-8533 in all that are sold, as they report it; the chip could take 9400 (301 GB/s). 24 MB of L2 and 16 MB that the
    # whole chip shares.
    Card(
        "GB10",
        273,
        None,
        True,
        40,
        128,
        "DGX Spark's published bandwidth, Hot Chips 2025 for its caches",
        ("DGX Spark",),
    ),
    # 4 MB of L2 in its technical brief, 6 in TechPowerUp's table; 8 with the 4 MB that its processor has.
    Card("Jetson AGX Orin", 204.8, None, True, 8, 64, _TPU, ("AGX Orin", "Jetson AGX Orin 32GB")),
)


def fastest(name: str) -> Card:
    """The card of this name, as people write it or as NVML reports it. An ambiguous name gives an upper envelope of all
    cards that have it: the highest bandwidth, peak (None if one is unknown), cache, memory and links. What that card can't do, none of
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
        memory_gb=max(card.memory_gb for card in candidates),
        host_gbs=max(card.host_gbs for card in candidates),
        peer_gbs=max(card.peer for card in candidates) / 1e9,
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
        # A laptop's is another card than the desktop's of that name, and people call it so.
        keys |= {key.replace("laptopgpu", word) for key in keys if "laptopgpu" in key for word in ("laptop", "mobile")}
        keys |= {f"{key}{card.memory_gb}gb" for key in keys if not key.endswith("gb")}
        if card.name.startswith("GeForce"):
            keys |= {key.removeprefix("rtx").removeprefix("gtx") for key in keys}
        for key in keys:
            index.setdefault(key, []).append(card)
    return index


_BY_KEY = _index()
